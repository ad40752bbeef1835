-- Whose rows they are: customers by number, by keys of other systems, unknown ones; and explicit logging, the timeline, pruning.
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
-- The lines with these values: a line to expect for each.
CREATE FUNCTION lines(VARIADIC given text[]) RETURNS text LANGUAGE sql AS $$ SELECT array_to_string(given, E'\n') $$;
-- Run a script and give what it logged, with the table tracked at both levels; then undo it all. When they differ, each is given.
CREATE FUNCTION played(tracking text, script text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	results text[] := '{}';
	result text;
	level text;
BEGIN
	FOREACH level IN ARRAY '{statement,row}'::text[] LOOP
		BEGIN
			EXECUTE format('SELECT crm.track(%s, level => %L)', tracking, level);
			EXECUTE script;
			result := logged();
			RAISE EXCEPTION USING ERRCODE = 'TR000';
		EXCEPTION WHEN OTHERS THEN
			results := results || CASE SQLSTATE WHEN 'TR000' THEN result ELSE format('%s: %s', SQLSTATE, SQLERRM) END;
		END;
	END LOOP;
	RETURN CASE WHEN results[1] = results[2] THEN results[1] ELSE format(E'at statement level:\n%s\nat row level:\n%s', VARIADIC results) END;
END $$;

-- the customer column holds customer_id

CREATE DOMAIN customer_number AS int;
CREATE DOMAIN customer_number2 AS customer_number NOT NULL DEFAULT 1;
CREATE TABLE numbered (id int PRIMARY KEY, i2 smallint, i4 int, i8 bigint, d customer_number, d2 customer_number2);
SELECT is(played(format($$'numbered', %L$$, c), 'INSERT INTO numbered VALUES (1, 7, 7, 7, 7, 7), (2, -32768, -32768, -32768, -32768, -32768), (3, 0, 0, 0, 0, 0)'),
	lines('insert 7 1', 'insert -32768 2', 'insert 0 3'), c || ': customers by number')
FROM unnest('{i2,i4,i8,d,d2}'::text[]) c;
SELECT is(played($$'numbered', 'i8'$$, 'INSERT INTO numbered VALUES (1, 1, 1, 9223372036854775807), (2, 1, 1, -9223372036854775808), (3, 1, 1, NULL)'),
	lines('insert 9223372036854775807 1', 'insert -9223372036854775808 2', 'insert 0 3'), 'the ends of bigint; NULL is the unknown customer, 0');
SELECT is(played($$'numbered', 'i4', unknown => 'skip'$$, 'INSERT INTO numbered VALUES (1, 1, 7), (2, 1, NULL), (3, 1, 0); UPDATE numbered SET i2 = 2, i4 = coalesce(i4, 9) WHERE id = 2; DELETE FROM numbered; TRUNCATE numbered'),
	lines('insert 7 1', 'update 9 2', 'delete 7 1', 'delete 9 2', 'truncate 0 -'), 'unknown => skip leaves out what has no customer; TRUNCATE is logged all the same');

-- keys of another system

CREATE DOMAIN shop_key AS uuid;
CREATE TABLE keyed (id int PRIMARY KEY, u uuid, t text, i int, d shop_key, c char(8), v varchar(40), n numeric, tm timestamptz);
CREATE FUNCTION key(i int) RETURNS uuid LANGUAGE sql AS $$ SELECT md5(i::text)::uuid $$;
INSERT INTO crm.customer (customer_id) VALUES (9000001), (9000002), (9000003);
INSERT INTO crm.customer_identity (source, external_id, customer_id)
SELECT 'shop', k, c FROM (VALUES (key(1)::text, 9000001), ('one', 9000001), ('1', 9000001), (key(2)::text, 9000002), ('two', 9000002), ('2', 9000002), ('with, "all''', 9000003)) v (k, c)
UNION ALL SELECT 'other', k, 9000003 FROM (VALUES ('one'), ('two'), ('1')) v (k);
\set three 'INSERT INTO keyed VALUES (1, key(1), $$one$$, 1, key(1), $$one$$, $$one$$, 1), (2, key(2), $$two$$, 2, key(2), $$two$$, $$two$$, 2), (3, key(3), $$three$$, 3, key(3), $$three$$, $$three$$, 3); INSERT INTO keyed VALUES (4)'
SELECT is(played(format($$'keyed', %L, source => 'shop'$$, c), :'three'), lines('insert 9000001 1', 'insert 9000002 2', 'insert 0 3', 'insert 0 4'), c || ': known keys are resolved, unknown ones and NULL are customer 0')
FROM unnest('{u,t,i,d,c,v,n}'::text[]) c;
SELECT is(played($$'keyed', 't', source => 'shop', unknown => 'skip'$$, :'three' || '; UPDATE keyed SET t = $$two$$ WHERE id = 3; DELETE FROM keyed'),
	lines('insert 9000001 1', 'insert 9000002 2', 'update 9000002 3', 'delete 9000001 1', 'delete 9000002 2', 'delete 9000002 3'), 'with unknown => skip only known keys are logged');
SELECT is(played($$'keyed', 't', source => 'other'$$, :'three'), lines('insert 9000003 1', 'insert 9000003 2', 'insert 0 3', 'insert 0 4'), 'a source has its own keys');
SELECT is(played($$'keyed', 't', source => 'nowhere'$$, :'three'), lines('insert 0 1', 'insert 0 2', 'insert 0 3', 'insert 0 4'), 'a source without any keys');
SELECT is(played($$'keyed', 't', source => 'shop'$$, $$INSERT INTO keyed (id, t) VALUES (1, ''), (2, 'with, "all'''), (3, ' one'), (4, 'ONE')$$),
	lines('insert 0 1', 'insert 9000003 2', 'insert 0 3', 'insert 0 4'), 'keys are compared as they are; the empty one is nobody');
SELECT is((SELECT count(*) FROM crm.customer), 3::bigint, 'no customer was made so far');
SELECT is(played($$'keyed', 'u', source => 'shop', create_customers => true$$, :'three' || $$;
	INSERT INTO keyed (id, u) SELECT i, key(i % 5) FROM generate_series(5, 24) i;
	DO 'BEGIN
		IF (SELECT count(*) FROM crm.customer) <> 3 + 3 OR (SELECT count(*) FROM crm.customer_identity WHERE source = ''shop'') <> 7 + 3 THEN RAISE ''wrong customers''; END IF;
		IF EXISTS (SELECT FROM crm.interaction i JOIN keyed k ON k.id::text = i.reference_key LEFT JOIN crm.customer_identity c ON c.source = ''shop'' AND c.external_id = k.u::text
			WHERE i.customer_id <> coalesce(c.customer_id, 0)) THEN RAISE ''wrong customer''; END IF;
		DELETE FROM crm.interaction;
	END';
	INSERT INTO keyed (id, u) VALUES (100, NULL)$$), 'insert 0 100', 'create_customers makes a customer for each new key, once');
SELECT is(played($$'keyed', 't', source => 'shop', create_customers => true$$, $$
	INSERT INTO keyed (id, t) VALUES (1, ''), (2, NULL), (3, 'one');
	DO 'BEGIN IF (SELECT count(*) FROM crm.customer) <> 3 THEN RAISE ''wrong customers''; END IF; END'$$), lines('insert 0 1', 'insert 0 2', 'insert 9000001 3'), 'but none for NULL and the empty key');
SELECT is(played($$'keyed', 'tm', source => 'shop', create_customers => true$$, $$
	INSERT INTO keyed (id, tm) VALUES (1, '2024-12-31 12:00+00');
	SET LOCAL TimeZone = 'Asia/Kolkata'; SET LOCAL DateStyle = 'German';
	INSERT INTO keyed (id, tm) VALUES (2, '2024-12-31 12:00+00');
	SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO';
	UPDATE crm.interaction SET customer_id = (SELECT count(DISTINCT customer_id) FROM crm.interaction)$$), lines('insert 1 1', 'insert 1 2'), 'a key is the same whatever the session''s settings');
SELECT crm.resolve_customer('shop', 'ch'::char(8)::text) AS id \gset
SELECT is(played($$'keyed', 'c', source => 'shop', create_customers => true$$, $$INSERT INTO keyed (id, c) VALUES (1, 'ch')$$), 'insert ' || :id || ' 1', 'the customer of a key of type char is that of its text');

-- many keys in one statement, with little memory
SET LOCAL maintenance_work_mem = '1MB';
SELECT crm.track('keyed', 't', source => 'many', create_customers => true) IS NULL AS x \gset
SELECT lives_ok($$INSERT INTO keyed (id, t) SELECT i, 'customer number ' || i % 30000 FROM generate_series(1, 60000) i$$, '30000 new customers in one statement with 1 MB of maintenance_work_mem');
SELECT is(count(*), 30000::bigint, 'each is made once') FROM crm.customer_identity WHERE source = 'many';
ANALYZE keyed, crm.interaction, crm.customer_identity;
SELECT is(count(*), 60000::bigint, 'and each row is logged as that of its customer') FROM crm.interaction i JOIN keyed k ON k.id::text = i.reference_key
JOIN crm.customer_identity c ON c.source = 'many' AND c.external_id = k.t AND c.customer_id = i.customer_id;
TRUNCATE keyed;
DELETE FROM crm.interaction;
SELECT crm.track('keyed', 't', source => 'many', create_customers => true, level => 'row') IS NULL AS x \gset
INSERT INTO keyed (id, t) SELECT i, 'customer number ' || i % 1000 || CASE WHEN i % 1000 < 500 THEN '' ELSE ' by row' END FROM generate_series(1, 2000) i;
SELECT is(count(*), 30500::bigint, 'at row level, too') FROM crm.customer_identity WHERE source = 'many';
SELECT is(count(*), 2000::bigint, 'and each row is logged as that of its customer') FROM crm.interaction i JOIN keyed k ON k.id::text = i.reference_key
JOIN crm.customer_identity c ON c.source = 'many' AND c.external_id = k.t AND c.customer_id = i.customer_id;
SELECT crm.untrack('test_track.keyed') IS NULL AS x \gset
TRUNCATE keyed;
DELETE FROM crm.interaction;
RESET maintenance_work_mem;

-- crm.log_interaction and crm.log_interactions

SET LOCAL crm.agent = 'anna';
SELECT crm.log_interaction(9000001, 'call', channel => 'phone', direction => 'out', occurred_at => '2024-01-01', detail => '{"minutes": 5}', source => 'pbx', reference => 'pbx.call', reference_key => '42') AS id \gset
SELECT results_eq('SELECT customer_id, occurred_at, source, kind, channel, direction, action, reference, reference_key, detail, agent, transaction_id, recorded_at, interaction_id FROM crm.interaction',
	format($$SELECT 9000001::bigint, '2024-01-01'::timestamptz, 'pbx'::text, 'call'::text, 'phone'::text, 'out'::text, 'log'::text, 'pbx.call'::text, '42'::text, '{"minutes": 5}'::jsonb, 'anna'::text, pg_current_xact_id(), now(), %s::bigint$$, :id), 'crm.log_interaction() fills in every column');
RESET crm.agent;
DELETE FROM crm.interaction;
SELECT crm.log_interaction(9000001, 'call') AS id \gset
SELECT results_eq('SELECT occurred_at, source, channel, direction, reference, reference_key, detail, agent FROM crm.interaction',
	$$SELECT now(), NULL::text, NULL::text, 'in'::text, NULL::text, NULL::text, NULL::jsonb, NULL::text$$, 'its defaults');
DELETE FROM crm.interaction;
SELECT is(crm.log_interactions('{9000001,9000002,9000003}', 'mail', 'newsletter', 'out', occurred_at => ARRAY['2024-01-01', NULL, '2024-01-03']::timestamptz[], details => ARRAY['{"a": 1}', NULL, '[]']::jsonb[]), 3::bigint, 'crm.log_interactions() gives their number');
SELECT set_eq('SELECT customer_id, occurred_at, kind, channel, direction, action, detail FROM crm.interaction', $$VALUES
	(9000001::bigint, '2024-01-01'::timestamptz, 'mail', 'newsletter', 'out', 'log', '{"a": 1}'::jsonb), (9000002, now(), 'mail', 'newsletter', 'out', 'log', NULL), (9000003, '2024-01-03', 'mail', 'newsletter', 'out', 'log', '[]')$$, 'and logs each with its time and detail');
SELECT is(crm.log_interactions('{}', 'mail'), 0::bigint, 'none');
SELECT is(crm.log_interactions(ARRAY(SELECT generate_series(1, 3000)), 'mail'), 3000::bigint, 'many');
DELETE FROM crm.interaction;

-- crm.timeline

SELECT crm.log_interactions(array_fill(9000001::bigint, '{5}'), 'visit', occurred_at => '{2024-01-01,2024-01-02,2024-01-03,infinity,-infinity}') AS n \gset
SELECT crm.log_interactions('{9000002}', 'visit', occurred_at => '{2024-01-02}') AS n \gset
SELECT is(array_agg(t.occurred_at::text), '{2024-01-03 00:00:00+00,2024-01-02 00:00:00+00,2024-01-01 00:00:00+00}'::text[], 'the timeline of one customer, the latest first')
FROM crm.timeline(9000001) t WHERE isfinite(t.occurred_at);
SELECT is(array_agg(t.occurred_at::text), '{2024-01-02 00:00:00+00,2024-01-01 00:00:00+00}'::text[], 'from the start to before the end')
FROM crm.timeline(9000001, '2024-01-01', '2024-01-03') t;
SELECT is(count(*), 0::bigint, 'an empty range') FROM crm.timeline(9000001, '2024-01-02', '2024-01-02') t;
SELECT is(count(*), 0::bigint, 'a customer without any') FROM crm.timeline(77) t;
SELECT is(count(*), 5::bigint, 'without bounds all are there') FROM crm.timeline(9000001) t;
DELETE FROM crm.interaction;
SELECT crm.log_interactions('{9000001,9000001,9000001}', 'visit', occurred_at => '{2024-01-01,2024-01-01,2024-01-01}') AS n \gset
SELECT is(array_agg(t.interaction_id), (SELECT array_agg(i.interaction_id ORDER BY i.interaction_id DESC) FROM crm.interaction i), 'of one moment, those logged last come first') FROM crm.timeline(9000001) t;
DELETE FROM crm.interaction;

-- crm.prune_interactions

CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
	DELETE FROM crm.interaction;
	SELECT crm.log_interactions(ARRAY(SELECT i % 10 + 1 FROM generate_series(1, 1000) i), 'visit',
		occurred_at => ARRAY(SELECT '2024-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 1000) i));
	SELECT crm.log_interactions('{1,1}', 'visit', occurred_at => '{-infinity,infinity}') $$;
SELECT fill();
SELECT is(crm.prune_interactions('2024-01-11'), 240::bigint, 'pruned is what is before the time');
SELECT is(min(occurred_at), '2024-01-11'::timestamptz, 'and nothing else') FROM crm.interaction;
SELECT is(count(*), 762::bigint, 'the rest is there') FROM crm.interaction;
SELECT is(crm.prune_interactions('2024-01-11'), 0::bigint, 'again: nothing is left to prune');
SELECT fill();
SELECT is(crm.prune_interactions('2024-01-11', batch => n), 240::bigint, format('in batches of %s', n)) FROM unnest('{239}'::int[]) n;
SELECT fill();
SELECT is(crm.prune_interactions('2024-01-11', batch => 1), 240::bigint, 'one at a time');
SELECT is(crm.prune_interactions('2200-01-01'), 761::bigint, 'all that is not infinite');
SELECT lives_ok($$DELETE FROM crm.interaction$$, 'emptied');

-- the same with monthly partitions: whole ones are dropped

SELECT lives_ok($$SELECT crm.uninstall('drop all customer data'); SELECT crm.setup(partition_interactions => true)$$, 'set up anew with partitions');
SELECT crm.track('numbered', 'i4') IS NULL AS x \gset
INSERT INTO numbered VALUES (1, 1, 7, 7);
SELECT is(tableoid::regclass::text, 'crm.interaction_' || to_char(now() AT TIME ZONE 'UTC', '"y"YYYY"m"MM'), 'a tracked write goes to the partition of its month') FROM crm.interaction;
SELECT is(logged(), 'insert 7 1', 'and is as ever');
SELECT count(*) AS n FROM crm.interaction \gset
SELECT crm.log_interactions(ARRAY(SELECT 1 FROM generate_series(0, 5)), 'visit', occurred_at => ARRAY(SELECT date_trunc('month', now()) - interval '1 month' + i * interval '12 days' FROM generate_series(0, 5) i)) AS n \gset
SELECT crm.log_interactions('{1,1}', 'visit', occurred_at => ARRAY[now() - interval '10 years', now() + interval '10 years']) AS n \gset
SELECT is(crm.prune_interactions(date_trunc('month', now())), 4::bigint, 'rows of the partition of last month and of the default partition are pruned');
SELECT hasnt_table('crm'::name, ('interaction_' || to_char(now() AT TIME ZONE 'UTC' - interval '1 month', '"y"YYYY"m"MM'))::name, 'the partition of last month is gone');
SELECT has_table('crm'::name, ('interaction_' || to_char(now() AT TIME ZONE 'UTC', '"y"YYYY"m"MM'))::name, 'that of this month is there');
SELECT is(count(*) FILTER (WHERE occurred_at < date_trunc('month', now())), 0::bigint, 'nothing before is left') FROM crm.interaction;
SELECT is(count(*), 4::bigint, 'all that came after is there') FROM crm.interaction;

SELECT * FROM finish();
ROLLBACK;
