-- Tracking: what writes of each kind leave in crm.interaction, at both levels and by both ways of writing the log.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_track;
SET LOCAL search_path = test_track, public;
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');
SELECT crm.untrack(t.relation::regclass) FROM crm.tracked t; -- the CRM's own tables

-- Take what was logged since the last call, in the order of logging: action, customer, key, detail.
CREATE FUNCTION logged() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM crm.interaction RETURNING *)
	SELECT coalesce(string_agg(concat_ws(' ', action, customer_id, coalesce(reference_key, '-'), detail), E'\n' ORDER BY interaction_id), '') FROM gone
$$;
CREATE FUNCTION sorted(lines text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(l, E'\n' ORDER BY l COLLATE "C"), '') FROM unnest(string_to_array(lines, E'\n')) l
$$;
-- The lines with these values: a line to expect for each.
CREATE FUNCTION lines(VARIADIC given text[]) RETURNS text LANGUAGE sql AS $$ SELECT array_to_string(given, E'\n') $$;
CREATE FUNCTION pass_on() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;

-- Track, run a script and give what it logged, sorted; then undo it all. Four times: at both levels, with a log that is
-- written directly and with one that has a trigger and so is written by INSERT. When they differ, each is given.
CREATE FUNCTION played(tracking text, script text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	results text[] := '{}';
	result text;
	level text;
	way text;
BEGIN
	FOREACH level IN ARRAY '{statement,row}'::text[] LOOP
		FOREACH way IN ARRAY '{direct,insert}'::text[] LOOP
			BEGIN
				EXECUTE format('SELECT crm.track(%s, level => %L)', tracking, level);
				IF way = 'insert' THEN
					CREATE TRIGGER pass_on BEFORE INSERT ON crm.interaction FOR EACH ROW EXECUTE FUNCTION pass_on();
				END IF;
				EXECUTE script;
				result := sorted(logged());
				RAISE EXCEPTION USING ERRCODE = 'TR000';
			EXCEPTION WHEN OTHERS THEN
				results := results || CASE SQLSTATE WHEN 'TR000' THEN result ELSE format('%s: %s', SQLSTATE, SQLERRM) END;
			END;
		END LOOP;
	END LOOP;
	IF results[1] = ALL (results) THEN
		RETURN results[1];
	END IF;
	RETURN format(E'at statement level, directly:\n%s\nby INSERT:\n%s\nat row level, directly:\n%s\nby INSERT:\n%s', VARIADIC results);
END $$;

CREATE TABLE sale (id bigint PRIMARY KEY, customer bigint, total numeric, secret text);

-- each kind of write

SELECT is(played($$'sale', 'customer', columns => '{total}'$$, $$
	INSERT INTO sale VALUES (1, 7, 10, 'x'), (2, 8, 20, 'y'), (3, 9, 30, 'z');
	UPDATE sale SET total = total + 1 WHERE id <= 2;
	DELETE FROM sale WHERE id >= 2;
	TRUNCATE sale$$), lines(
	'delete 8 2 {"old": {"total": 21}}',
	'delete 9 3 {"old": {"total": 30}}',
	'insert 7 1 {"new": {"total": 10}}',
	'insert 8 2 {"new": {"total": 20}}',
	'insert 9 3 {"new": {"total": 30}}',
	'truncate 0 -',
	'update 7 1 {"new": {"total": 11}, "old": {"total": 10}}',
	'update 8 2 {"new": {"total": 21}, "old": {"total": 20}}'), 'insert, update, delete and truncate are logged with the listed columns');
SELECT is(played($$'sale', 'customer'$$, $$
	INSERT INTO sale VALUES (1, 7, 10, 'x');
	UPDATE sale SET secret = 'new';
	UPDATE sale SET secret = 'new';
	DELETE FROM sale$$),
	lines('delete 7 1', 'insert 7 1', 'update 7 1'), 'without listed columns each change is logged, without values, and an update that changes nothing is not');
SELECT is(played($$'sale', 'customer', columns => '{total}'$$, $$
	INSERT INTO sale VALUES (1, 7, 10, 'x'), (2, 8, 20, 'y');
	UPDATE sale SET secret = 'new', customer = customer + 1;
	UPDATE sale SET total = total;
	UPDATE sale SET total = total + 1, secret = 'newer' WHERE id = 2$$),
	lines('insert 7 1 {"new": {"total": 10}}', 'insert 8 2 {"new": {"total": 20}}', 'update 9 2 {"new": {"total": 21}, "old": {"total": 20}}'),
	'an update that changes no listed column is not logged; one that does goes to the new customer');
SELECT is(played($$'sale', 'customer', columns => '{total,secret}'$$, $$
	INSERT INTO sale VALUES (1, 7, NULL, NULL);
	UPDATE sale SET total = 1;
	UPDATE sale SET total = NULL;
	UPDATE sale SET total = NULL;
	DELETE FROM sale$$), lines(
	'delete 7 1 {"old": {"total": null, "secret": null}}',
	'insert 7 1 {"new": {"total": null, "secret": null}}',
	'update 7 1 {"new": {"total": 1, "secret": null}, "old": {"total": null, "secret": null}}',
	'update 7 1 {"new": {"total": null, "secret": null}, "old": {"total": 1, "secret": null}}'), 'NULL is a value like others');
SELECT is(played($$'sale', 'customer', columns => '{total}', events => '{update}'$$, $$
	INSERT INTO sale VALUES (1, 7, 10, 'x'); UPDATE sale SET total = 11; DELETE FROM sale; TRUNCATE sale$$),
	'update 7 1 {"new": {"total": 11}, "old": {"total": 10}}', 'only the events that are asked for');
SELECT is(played($$'sale', 'customer', events => '{truncate}'$$, $$
	INSERT INTO sale VALUES (1, 7, 10, 'x'); UPDATE sale SET total = 11; DELETE FROM sale; TRUNCATE sale$$),
	'truncate 0 -', 'truncate alone');
SELECT is(played($$'sale', 'customer', events => '{}'$$, $$INSERT INTO sale VALUES (1, 7, 10, 'x'); TRUNCATE sale$$), '', 'no events at all');
SELECT is(played($$'sale', 'customer'$$, $$
	UPDATE sale SET total = 1 WHERE false; DELETE FROM sale WHERE false; INSERT INTO sale SELECT 1, 1 WHERE false$$), '', 'statements without rows log nothing');

-- writes that are two kinds at once, and those that the server makes

SELECT is(played($$'sale', 'customer', columns => '{total}'$$, $$
	INSERT INTO sale VALUES (1, 7, 10), (2, 8, 20);
	INSERT INTO sale VALUES (2, 8, 25), (3, 9, 30) ON CONFLICT DO NOTHING;
	INSERT INTO sale VALUES (1, 7, 11), (4, 6, 40), (2, 8, 20) ON CONFLICT (id) DO UPDATE SET total = excluded.total$$), lines(
	'insert 6 4 {"new": {"total": 40}}', 'insert 7 1 {"new": {"total": 10}}', 'insert 8 2 {"new": {"total": 20}}',
	'insert 9 3 {"new": {"total": 30}}', 'update 7 1 {"new": {"total": 11}, "old": {"total": 10}}'), 'INSERT ... ON CONFLICT logs what came of it');
SELECT CASE WHEN current_setting('server_version_num')::int < 150000 THEN skip('MERGE is there since 15')
	ELSE is(played($$'sale', 'customer', columns => '{total}'$$, $$
	INSERT INTO sale VALUES (1, 7, 10), (2, 8, 20), (3, 9, 30);
	MERGE INTO sale s USING (VALUES (1, 7, 11), (2, 8, 0), (3, 9, 30), (4, 6, 40)) n (id, customer, total) ON s.id = n.id
	WHEN MATCHED AND n.total = 0 THEN DELETE
	WHEN MATCHED THEN UPDATE SET total = n.total
	WHEN NOT MATCHED THEN INSERT VALUES (n.id, n.customer, n.total)$$), lines(
	'delete 8 2 {"old": {"total": 20}}', 'insert 6 4 {"new": {"total": 40}}', 'insert 7 1 {"new": {"total": 10}}', 'insert 8 2 {"new": {"total": 20}}',
	'insert 9 3 {"new": {"total": 30}}', 'update 7 1 {"new": {"total": 11}, "old": {"total": 10}}'), 'MERGE logs what came of it') END;
SELECT is(played($$'sale', 'customer', columns => '{total}'$$, $$
	WITH a AS (INSERT INTO sale VALUES (1, 7, 10) RETURNING *), b AS (INSERT INTO sale VALUES (2, 8, 20) RETURNING *)
	SELECT FROM a, b;
	WITH gone AS (DELETE FROM sale WHERE id = 1 RETURNING *) UPDATE sale SET total = gone.total FROM gone WHERE sale.id = 2$$), lines(
	'delete 7 1 {"old": {"total": 10}}', 'insert 7 1 {"new": {"total": 10}}', 'insert 8 2 {"new": {"total": 20}}',
	'update 8 2 {"new": {"total": 10}, "old": {"total": 20}}'), 'writes in WITH are logged, each once');
SELECT is(played($$'sale', 'customer', columns => '{total}'$$, $$
	CREATE VIEW recent AS SELECT * FROM sale;
	INSERT INTO recent VALUES (1, 7, 10);
	UPDATE recent SET total = 11$$),
	lines('insert 7 1 {"new": {"total": 10}}', 'update 7 1 {"new": {"total": 11}, "old": {"total": 10}}'), 'writes through a view are logged');
SELECT is(played($$'sale', 'customer', columns => '{total}'$$, $$
	CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF new.total < 0 THEN RETURN NULL; END IF; new.total := new.total * 2; RETURN new; END';
	CREATE TRIGGER change BEFORE INSERT OR UPDATE ON sale FOR EACH ROW EXECUTE FUNCTION change();
	INSERT INTO sale VALUES (1, 7, 10), (2, 8, -1), (3, 9, 30);
	UPDATE sale SET total = CASE id WHEN 1 THEN -5 ELSE 40 END$$), lines(
	'insert 7 1 {"new": {"total": 20}}', 'insert 9 3 {"new": {"total": 60}}', 'update 9 3 {"new": {"total": 80}, "old": {"total": 60}}'),
	'what BEFORE triggers change or drop is logged as it is written');

CREATE TABLE buyer (id bigint PRIMARY KEY);
CREATE TABLE bought (id int PRIMARY KEY, buyer bigint REFERENCES buyer ON DELETE CASCADE ON UPDATE CASCADE, referrer bigint REFERENCES buyer ON DELETE SET NULL);
INSERT INTO buyer SELECT generate_series(1, 4);
SELECT is(played($$'bought', 'buyer', columns => '{buyer,referrer}'$$, $$
	INSERT INTO bought VALUES (1, 1, 2), (2, 3, 2), (3, 2, 1);
	DELETE FROM buyer WHERE id = 1;
	DELETE FROM buyer WHERE id = 2;
	UPDATE buyer SET id = 33 WHERE id = 3$$), lines(
	'delete 1 1 {"old": {"buyer": 1, "referrer": 2}}',
	'delete 2 3 {"old": {"buyer": 2, "referrer": null}}',
	'insert 1 1 {"new": {"buyer": 1, "referrer": 2}}',
	'insert 2 3 {"new": {"buyer": 2, "referrer": 1}}',
	'insert 3 2 {"new": {"buyer": 3, "referrer": 2}}',
	'update 2 3 {"new": {"buyer": 2, "referrer": null}, "old": {"buyer": 2, "referrer": 1}}',
	'update 3 2 {"new": {"buyer": 3, "referrer": null}, "old": {"buyer": 3, "referrer": 2}}',
	'update 33 2 {"new": {"buyer": 33, "referrer": null}, "old": {"buyer": 3, "referrer": null}}'), 'what foreign keys cascade is logged');

-- COPY, at both levels
SELECT lives_ok($$SELECT crm.track('sale', 'customer', columns => '{total}')$$, 'tracked at statement level');
COPY sale (id, customer, total) FROM stdin;
1	7	10
2	\N	20
\.
SELECT is(logged(), lines('insert 7 1 {"new": {"total": 10}}', 'insert 0 2 {"new": {"total": 20}}'), 'COPY is logged at statement level');
SELECT lives_ok($$SELECT crm.track('sale', 'customer', columns => '{total}', level => 'row')$$, 'tracked at row level');
COPY sale (id, customer, total) FROM stdin;
3	7	10
4	\N	20
\.
SELECT is(logged(), lines('insert 7 3 {"new": {"total": 10}}', 'insert 0 4 {"new": {"total": 20}}'), 'COPY is logged at row level');
SELECT set_eq($$SELECT tgname::text FROM pg_trigger WHERE tgrelid = 'sale'::regclass$$, ARRAY['crm_track_row', 'crm_track_truncate'], 'tracking again at another level replaces the triggers');

-- the columns of the log

SELECT lives_ok($$SELECT crm.track('sale', 'customer', kind => 'order', channel => 'web', direction => 'out', columns => '{total}')$$, 'tracked with all options');
SET LOCAL crm.agent = 'anna';
INSERT INTO sale VALUES (5, 7, 10, 'x');
SELECT results_eq($$SELECT customer_id, occurred_at, source, kind, channel, direction, action, reference, reference_key, detail, agent, transaction_id, recorded_at FROM crm.interaction$$,
	$$SELECT 7::bigint, now(), NULL::text, 'order'::text, 'web'::text, 'out'::text, 'insert'::text, 'test_track.sale'::text, '5'::text, '{"new": {"total": 10}}'::jsonb, 'anna'::text, pg_current_xact_id(), now()$$, 'every column of the log is filled in');
RESET crm.agent;
INSERT INTO sale VALUES (6, 7, 10, 'x');
SELECT is(array_agg(agent ORDER BY interaction_id), '{anna,NULL}'::text[], 'the agent is that of the setting, NULL when it is empty') FROM crm.interaction;
SELECT is(count(DISTINCT interaction_id), 2::bigint, 'each has a number of its own') FROM crm.interaction;
SELECT lives_ok($$SELECT crm.track('sale', 'customer')$$, 'tracked with the defaults');
DELETE FROM sale WHERE id = 6;
SELECT results_eq($$SELECT kind, channel, direction, detail FROM crm.interaction WHERE action = 'delete'$$, $$VALUES ('sale', NULL::text, 'in', NULL::jsonb)$$, 'the defaults: the kind is the table''s name, the direction in');
SELECT ok(logged() IS NOT NULL, 'cleared');
SAVEPOINT inner_one;
INSERT INTO sale VALUES (7, 7);
RELEASE inner_one;
SELECT is(transaction_id, pg_current_xact_id(), 'the transaction id is that of the top-level transaction') FROM crm.interaction;
SELECT ok(logged() IS NOT NULL, 'cleared');

-- personal data: a column that is not listed is nowhere in the log
CREATE TABLE person (id int PRIMARY KEY, customer int, city text, mail text, phone text, notes jsonb);
SELECT is(played($$'person', 'customer', columns => '{city}'$$, $$
	INSERT INTO person SELECT i, i, 'city', 'private' || i || '@example.com', 'private' || i, jsonb_build_object('note', 'private' || i) FROM generate_series(1, 20) i;
	UPDATE person SET city = 'town', mail = 'more-' || mail;
	DELETE FROM person;
	DO 'BEGIN IF EXISTS (SELECT FROM crm.interaction i WHERE i::text LIKE ''%private%'') THEN RAISE ''leaked''; END IF; END'$$) LIKE '%private%', false, 'columns that are not listed never appear');

-- occurred_at

CREATE TABLE visit (id int PRIMARY KEY, customer int, zoned timestamptz, plain timestamp, day date);
CREATE FUNCTION times() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM crm.interaction RETURNING *)
	SELECT string_agg(action || ' ' || CASE occurred_at WHEN now() THEN 'now' ELSE occurred_at::text END, E'\n' ORDER BY interaction_id) FROM gone
$$;
SET LOCAL TimeZone = 'America/New_York';
SELECT crm.track('visit', 'customer', occurred_at => 'zoned') IS NULL AS x \gset
INSERT INTO visit VALUES (1, 7, '2024-01-02 03:04:05.678901+00', '2024-07-01 12:00', '2024-07-01'), (2, 7, NULL, NULL, NULL), (3, 7, 'infinity', '-infinity', 'infinity');
UPDATE visit SET zoned = '2024-02-02', day = '2024-02-02' WHERE id = 1;
DELETE FROM visit WHERE id = 1;
SELECT is(times(), lines('insert 2024-01-01 22:04:05.678901-05', 'insert now', 'insert infinity', 'update now', 'delete now'),
	'occurred_at of an insert is the column''s, of others now; NULL is now, infinity is kept');
SELECT crm.track('visit', 'customer', occurred_at => 'plain') IS NULL AS x \gset
INSERT INTO visit (id, customer, plain) VALUES (4, 7, '2024-07-01 12:00'), (5, 7, NULL), (6, 7, '-infinity');
SELECT is(times(), lines('insert 2024-07-01 12:00:00-04', 'insert now', 'insert -infinity'), 'a timestamp is taken in the session''s time zone');
SELECT crm.track('visit', 'customer', occurred_at => 'day', level => 'row') IS NULL AS x \gset
INSERT INTO visit (id, customer, day) VALUES (7, 7, '2024-07-01'), (8, 7, NULL), (9, 7, 'infinity');
SELECT is(times(), lines('insert 2024-07-01 00:00:00-04', 'insert now', 'insert infinity'), 'a date is its midnight in the session''s time zone');
INSERT INTO visit (id, customer, day) VALUES (10, 7, '5874897-12-31');
SELECT is(times(), 'insert infinity', 'a date beyond what timestamps can hold is infinity, not an error');
SET LOCAL TimeZone = 'UTC';

-- transactions: what is rolled back is not in the log, what is kept is

CREATE TABLE counted (id int PRIMARY KEY, customer int, CHECK (id < 100000));
CREATE FUNCTION counts() RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s', (SELECT count(*) FROM counted), (SELECT count(*) FROM crm.interaction WHERE reference = 'test_track.counted'))
$$;
SELECT crm.track('counted', 'customer') IS NULL AS x \gset
SAVEPOINT s;
INSERT INTO counted SELECT i, i FROM generate_series(1, 10) i;
ROLLBACK TO s;
SELECT is(counts(), '0 0', 'a savepoint that is rolled back takes its log rows along');
SELECT throws_ok($$INSERT INTO counted SELECT CASE i WHEN 2500 THEN 100000 ELSE i END, i FROM generate_series(1, 3000) i$$, '23514');
SELECT is(counts(), '0 0', 'an error in the middle of a statement leaves nothing');
CREATE FUNCTION fail_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM counted WHERE id = 13) THEN RAISE 'too late'; END IF; RETURN NULL; END $$;
CREATE TRIGGER zz_late AFTER INSERT ON counted FOR EACH STATEMENT EXECUTE FUNCTION fail_late();
SELECT throws_ok($$INSERT INTO counted SELECT i, i FROM generate_series(1, 3000) i$$, 'P0001', 'too late');
SELECT is(counts(), '0 0', 'an error after the rows were logged leaves nothing');
DO $$
BEGIN
	FOR i IN 1 .. 30 LOOP
		BEGIN
			INSERT INTO counted SELECT i * 10 + k, k FROM generate_series(1, 5) k;
			IF i % 3 = 0 THEN
				RAISE 'no';
			END IF;
		EXCEPTION WHEN OTHERS THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT is(counts(), '95 95', 'subtransactions, some of which fail: as many log rows as rows');
DROP TRIGGER zz_late ON counted;
SELECT is(played($$'counted', 'customer'$$, format($$
	TRUNCATE counted;
	DELETE FROM crm.interaction;
	INSERT INTO counted SELECT i, i FROM generate_series(1, %s) i;
	DO 'BEGIN IF (SELECT (count(*), count(DISTINCT customer_id), count(DISTINCT interaction_id)) FROM crm.interaction) IS DISTINCT FROM (%1$s::bigint, %1$s::bigint, %1$s::bigint)
		OR EXISTS (SELECT FROM crm.interaction WHERE reference_key <> customer_id::text) THEN RAISE ''wrong''; END IF; DELETE FROM crm.interaction; END';
	UPDATE counted SET customer = customer + 1;
	DELETE FROM counted;
	DO 'BEGIN IF (SELECT (count(*) FILTER (WHERE action = ''update''), count(*) FILTER (WHERE action = ''delete'')) FROM crm.interaction) IS DISTINCT FROM (%1$s::bigint, %1$s::bigint)
		OR EXISTS (SELECT FROM crm.interaction WHERE reference_key::int + 1 <> customer_id) THEN RAISE ''wrong''; END IF; DELETE FROM crm.interaction; END'$$, n)),
	'', format('%s rows at once: each is logged once, with its own values', n))
FROM unnest('{999,1000,1001,2500}'::int[]) n;
SELECT crm.untrack('test_track.counted') IS NULL AS x \gset

-- nested: a trigger of one tracked table writes another tracked table, and the log's own trigger writes a third
CREATE TABLE line (sale bigint, n int, customer bigint, PRIMARY KEY (sale, n));
CREATE TABLE tally (customer bigint PRIMARY KEY, n int);
CREATE FUNCTION add_lines() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO line SELECT new.id, k, new.customer FROM generate_series(1, 2) k; RETURN NULL; END $$;
CREATE FUNCTION add_tally() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF new.kind <> 'tally' THEN INSERT INTO test_track.tally VALUES (new.customer_id, 1) ON CONFLICT (customer) DO UPDATE SET n = tally.n + 1; END IF; RETURN new; END $$;
DELETE FROM sale;
CREATE TRIGGER add_lines AFTER INSERT ON sale FOR EACH ROW EXECUTE FUNCTION add_lines();
SELECT crm.track('line', 'customer') IS NULL AS x \gset
SELECT ok(logged() IS NOT NULL, 'cleared');
SELECT is(played($$'sale', 'customer', columns => '{total}'$$, 'INSERT INTO sale VALUES (1, 7, 10), (2, 8, 20)'), lines(
	'insert 7 1 {"new": {"total": 10}}', 'insert 7 1,1', 'insert 7 1,2', 'insert 8 2 {"new": {"total": 20}}', 'insert 8 2,1', 'insert 8 2,2'),
	'a trigger of a tracked table that writes another tracked table');
CREATE TRIGGER add_tally AFTER INSERT ON crm.interaction FOR EACH ROW EXECUTE FUNCTION add_tally();
SELECT crm.track('tally', 'customer', columns => '{n}') IS NULL AS x \gset
SELECT is(played($$'sale', 'customer', columns => '{total}'$$, 'INSERT INTO sale VALUES (1, 7, 10), (2, 8, 20)'), lines(
	'insert 7 1 {"new": {"total": 10}}', 'insert 7 1,1', 'insert 7 1,2', 'insert 7 7 {"new": {"n": 1}}', 'insert 8 2 {"new": {"total": 20}}', 'insert 8 2,1', 'insert 8 2,2',
	'insert 8 8 {"new": {"n": 1}}', 'update 7 7 {"new": {"n": 2}, "old": {"n": 1}}', 'update 7 7 {"new": {"n": 3}, "old": {"n": 2}}',
	'update 8 8 {"new": {"n": 2}, "old": {"n": 1}}', 'update 8 8 {"new": {"n": 3}, "old": {"n": 2}}'), 'a trigger of the log that writes a tracked table');
DROP TRIGGER add_tally ON crm.interaction;
DROP TRIGGER add_lines ON sale;

-- sessions that replay others' changes
SELECT crm.track('sale', 'customer') IS NULL AS x \gset
SET LOCAL session_replication_role = replica;
INSERT INTO sale VALUES (100, 7);
TRUNCATE sale;
SET LOCAL session_replication_role = origin;
SELECT is(logged(), '', 'with session_replication_role = replica nothing is logged');
INSERT INTO sale VALUES (101, 7);
SELECT is(logged(), 'insert 7 101', 'and after it again');

-- untrack
SELECT crm.untrack('test_track.sale') IS NULL AS x \gset
INSERT INTO sale VALUES (102, 7);
SELECT is(logged(), '', 'after crm.untrack() nothing is logged');
SELECT is_empty($$SELECT tgname FROM pg_trigger WHERE tgrelid = 'sale'::regclass$$, 'and there is no trigger left');
SELECT is_empty($$SELECT * FROM crm.tracked WHERE relation = 'test_track.sale'$$, 'nor a row of crm.tracked');

-- Channel and direction of each row
CREATE TYPE way AS ENUM ('in', 'out', 'sideways');
CREATE TABLE talk (id int PRIMARY KEY, buyer int, medium varchar(9), way way);
SELECT throws_ok($$SELECT crm.track('talk', 'buyer', channel => 'web', channel_column => 'medium')$$, '22023', 'arguments "channel" and "channel_column" exclude each other', 'one channel or the column');
SELECT throws_like($$SELECT crm.track('talk', 'buyer', channel_column => 'no')$$, 'channel column "no" of %talk does not exist', 'a channel column that is not there');
SELECT throws_like($$SELECT crm.track('talk', 'buyer', direction_column => 'no')$$, 'direction column "no" of %talk does not exist', 'a direction column that is not there');
SELECT lives_ok($$SELECT crm.track('talk', 'buyer', channel_column => 'medium', direction_column => 'way')$$, 'channel and direction from columns');
SELECT is_empty($$SELECT * FROM crm.tracking_status() WHERE relation LIKE '%talk' AND status <> 'ok'$$, 'the status is ok');
INSERT INTO talk VALUES (1, 7, 'web', 'out'), (2, 7, NULL, 'in'), (3, 7, '', 'sideways'), (4, 7, 'phone', NULL);
UPDATE talk SET medium = 'mail' WHERE id = 4;
TRUNCATE talk;
SELECT results_eq($$SELECT reference_key, action, channel, direction FROM crm.interaction WHERE reference LIKE '%talk' ORDER BY interaction_id$$, $$VALUES
	('1', 'insert', 'web', 'out'), ('2', 'insert', NULL::text, 'in'), ('3', 'insert', '', NULL), ('4', 'insert', 'phone', NULL), ('4', 'update', 'mail', NULL), (NULL, 'truncate', NULL, NULL)$$,
	'each row its own; what is no direction is none');
ALTER TABLE talk RENAME way TO weg;
SELECT throws_like('INSERT INTO talk VALUES (1, 7)', 'tracked column "way" of %talk does not exist any more', 'a direction column that is gone');
SELECT matches((SELECT status FROM crm.tracking_status() WHERE relation LIKE '%talk' AND target LIKE '%talk' AND trigger IS NULL), 'column "way" does not exist', 'and the status says so');

SELECT * FROM finish();
ROLLBACK;
