-- The log as its owner changed it: columns, checks, triggers, indexes, partitions, row security; and who may write it.
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
CREATE TABLE sale (id int PRIMARY KEY, customer bigint, total numeric);
SELECT crm.track('sale', 'customer', columns => '{total}') IS NULL AS x \gset
CREATE TABLE sale_by_row (id int PRIMARY KEY, customer bigint, total numeric);
SELECT crm.track('sale_by_row', 'customer', columns => '{total}', level => 'row') IS NULL AS x \gset

-- Write both tables in one statement each, one row and many, and give what is wrong with the log: nothing, or its rows.
CREATE FUNCTION wrong(rows int DEFAULT 3) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	problem text := '';
BEGIN
	INSERT INTO sale VALUES (0, 7, 0);
	INSERT INTO sale SELECT i, i % 5 + 1, i FROM generate_series(1, rows) i;
	UPDATE sale SET total = total + 1;
	INSERT INTO sale_by_row SELECT * FROM sale;
	DELETE FROM sale;
	DELETE FROM sale_by_row;
	SELECT string_agg(i::text, E'\n') INTO problem
	FROM (
		SELECT action, reference, reference_key, customer_id, detail, kind, direction, transaction_id, recorded_at FROM crm.interaction
		EXCEPT ALL
		SELECT w.action, 'test_track.' || w.tab, k::text, CASE k WHEN 0 THEN 7 ELSE k % 5 + 1 END, w.detail, w.tab, 'in', pg_current_xact_id(), now()
		FROM generate_series(0, rows) k, LATERAL (VALUES
			('insert', 'sale', format('{"new": {"total": %s}}', k)::jsonb),
			('update', 'sale', format('{"old": {"total": %s}, "new": {"total": %s}}', k, k + 1)::jsonb),
			('delete', 'sale', format('{"old": {"total": %s}}', k + 1)::jsonb),
			('insert', 'sale_by_row', format('{"new": {"total": %s}}', k + 1)::jsonb),
			('delete', 'sale_by_row', format('{"old": {"total": %s}}', k + 1)::jsonb)) w (action, tab, detail)
	) i;
	IF (SELECT count(*) FROM crm.interaction) <> 5 * (rows + 1) THEN
		problem := concat(problem, format(' %s rows instead of %s', (SELECT count(*) FROM crm.interaction), 5 * (rows + 1)));
	END IF;
	-- the indexes know every row
	SET LOCAL enable_seqscan = off;
	IF (SELECT count(*) FROM crm.interaction i WHERE customer_id BETWEEN 1 AND 7 AND occurred_at = now()) <> 5 * (rows + 1) THEN
		problem := concat(problem, ' the primary key misses rows');
	END IF;
	RESET enable_seqscan;
	DELETE FROM crm.interaction;
	RETURN coalesce(problem, '');
EXCEPTION WHEN OTHERS THEN
	RETURN format('%s: %s', SQLSTATE, SQLERRM);
END $$;

-- Try it with the log changed by some statements, then undo them.
CREATE FUNCTION with_log(statements text, "check" text DEFAULT NULL, rows int DEFAULT 3) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	problem text;
	good boolean;
BEGIN
	BEGIN
		EXECUTE statements;
		problem := wrong(rows);
		IF problem = '' AND "check" IS NOT NULL THEN
			INSERT INTO sale VALUES (1, 1, 1), (2, 2, 2);
			INSERT INTO sale_by_row VALUES (3, 3, 3);
			EXECUTE 'SELECT bool_and(' || "check" || ') FROM crm.interaction' INTO good;
			IF good IS NOT TRUE THEN
				problem := 'the check fails';
			END IF;
		END IF;
		RAISE EXCEPTION USING ERRCODE = 'TR000';
	EXCEPTION WHEN SQLSTATE 'TR000' THEN
		NULL;
	WHEN OTHERS THEN
		problem := format('%s: %s', SQLSTATE, SQLERRM);
	END;
	-- and afterwards it is as before
	RETURN problem || CASE WHEN problem = '' THEN wrong() ELSE '' END;
END $$;

SELECT is(wrong(), '', 'the log as it was made');
SELECT is(wrong(2500), '', 'and with many rows');

-- columns
SELECT is(with_log('ALTER TABLE crm.interaction ADD COLUMN more text', 'more IS NULL'), '', 'a column that may be NULL');
SELECT is(with_log('ALTER TABLE crm.interaction ADD COLUMN more text; ALTER TABLE crm.interaction DROP COLUMN more'), '', 'a column that was dropped again');
SELECT is(with_log('ALTER TABLE crm.interaction ADD COLUMN more text DEFAULT ''x''', 'more = ''x'''), '', 'a column with a constant default');
SELECT is(with_log('CREATE SEQUENCE s; ALTER TABLE crm.interaction ADD COLUMN more int NOT NULL DEFAULT nextval(''s'')', 'more > 0'), '', 'a column with a volatile default');
SELECT is(with_log('ALTER TABLE crm.interaction ADD COLUMN more text GENERATED ALWAYS AS (kind || reference_key) STORED', 'more = kind || reference_key'), '', 'a generated column');
SELECT is(with_log('ALTER TABLE crm.interaction ADD COLUMN more int GENERATED ALWAYS AS IDENTITY', 'more > 0'), '', 'a second identity column');
SELECT is(with_log('CREATE DOMAIN dom AS text DEFAULT ''d''; ALTER TABLE crm.interaction ADD COLUMN more dom', 'more = ''d'''), '', 'a column whose domain has a default');
SELECT is(with_log('ALTER TABLE crm.interaction ADD COLUMN more text; ALTER TABLE crm.interaction ALTER more SET NOT NULL'), '23502: null value in column "more" of relation "interaction" violates not-null constraint', 'a column that may not be NULL stops writes');
SELECT is(with_log('ALTER TABLE crm.interaction ALTER agent SET NOT NULL'), '23502: null value in column "agent" of relation "interaction" violates not-null constraint', 'one of our own that may not be NULL as well');
SELECT is(with_log('ALTER TABLE crm.interaction ALTER reference SET NOT NULL, ALTER detail SET NOT NULL'), '', 'unless it never is');
SELECT is(with_log('ALTER TABLE crm.interaction ALTER interaction_id SET GENERATED ALWAYS'), '', 'interaction_id always generated');
SELECT is(with_log('ALTER TABLE crm.interaction ALTER interaction_id RESTART WITH 1000000 SET INCREMENT 10', 'interaction_id >= 1000000'), '', 'its sequence set further');
SELECT is(with_log('ALTER TABLE crm.interaction ALTER interaction_id DROP IDENTITY, ALTER interaction_id SET DEFAULT (random() * 1e15)::bigint'), '', 'interaction_id with a default instead of an identity');
SELECT is(with_log('ALTER TABLE crm.interaction ALTER detail SET STORAGE EXTERNAL, ALTER kind SET STATISTICS 10, SET (fillfactor = 50)'), '', 'settings of columns and of the table');
SELECT is(with_log('DROP VIEW crm.interaction_masked, crm.customer_360_masked, crm.customer_360; ALTER TABLE crm.interaction ALTER kind TYPE varchar(100), ALTER agent TYPE name'), '', 'columns of another type that fits');
SELECT is(with_log('DROP VIEW crm.interaction_masked; ALTER TABLE crm.interaction DROP COLUMN agent, ADD COLUMN agent text'), '', 'our columns in another order');

-- checks, keys, triggers, rules
SELECT is(with_log('ALTER TABLE crm.interaction ADD CHECK (customer_id < 100)'), '', 'a check that holds');
SELECT is(with_log('ALTER TABLE crm.interaction ADD CONSTRAINT mine CHECK (customer_id < 3)'), '23514: new row for relation "interaction" violates check constraint "mine"', 'one that does not hold stops the write');
SELECT is(with_log('ALTER TABLE crm.interaction DROP CONSTRAINT interaction_action_check, ADD CONSTRAINT interaction_action_check CHECK (action <> ''update'')'),
	'23514: new row for relation "interaction" violates check constraint "interaction_action_check"', 'nor is a check that has but the name of ours taken for it');
SELECT is(with_log('ALTER TABLE crm.interaction DROP CONSTRAINT interaction_action_check, DROP CONSTRAINT interaction_direction_check'), '', 'without checks');
SELECT is(with_log('ALTER TABLE crm.interaction ADD FOREIGN KEY (customer_id) REFERENCES crm.customer'), '23503: insert or update on table "interaction" violates foreign key constraint "interaction_customer_id_fkey"', 'a foreign key');
SELECT is(with_log('INSERT INTO crm.customer (customer_id) SELECT generate_series(1, 7); ALTER TABLE crm.interaction ADD FOREIGN KEY (customer_id) REFERENCES crm.customer'), '', 'a foreign key that holds');
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.agent := 'stamped'; RETURN new; END $$;
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TABLE heard (action text, n bigint);
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF TG_LEVEL = 'ROW' THEN INSERT INTO heard VALUES (new.action, 1); ELSE INSERT INTO heard SELECT 'all', count(*) FROM fresh; END IF; RETURN NULL; END $$;
SELECT is(with_log('CREATE TRIGGER stamp BEFORE INSERT ON crm.interaction FOR EACH ROW EXECUTE FUNCTION stamp()', 'agent = ''stamped'''), '', 'a trigger that changes rows');
SELECT is(with_log('CREATE TRIGGER swallow BEFORE INSERT ON crm.interaction FOR EACH ROW WHEN (new.customer_id = 1000) EXECUTE FUNCTION swallow()'), '', 'a trigger that drops some rows');
SELECT is(with_log('CREATE TRIGGER hear AFTER INSERT ON crm.interaction FOR EACH ROW EXECUTE FUNCTION hear()', '(SELECT count(*) FROM heard) = 23'), '', 'a trigger that hears each row');
SELECT is(with_log('CREATE TRIGGER hear AFTER INSERT ON crm.interaction REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION hear()', '(SELECT sum(n) FROM heard) = 23'), '', 'a trigger that hears each statement');
SELECT is(with_log('CREATE CONSTRAINT TRIGGER hear AFTER INSERT ON crm.interaction DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW EXECUTE FUNCTION hear()', '(SELECT count(*) FROM heard) = 23'), '', 'a constraint trigger');
SELECT is(with_log('CREATE TRIGGER stamp BEFORE UPDATE ON crm.interaction FOR EACH ROW EXECUTE FUNCTION stamp()', 'agent IS NULL'), '', 'a trigger for other events');
SELECT is(with_log('CREATE TRIGGER stamp BEFORE INSERT ON crm.interaction FOR EACH ROW EXECUTE FUNCTION stamp(); ALTER TABLE crm.interaction DISABLE TRIGGER stamp', 'agent IS NULL'), '', 'a disabled trigger');
SELECT is(with_log('CREATE RULE also AS ON INSERT TO crm.interaction DO ALSO INSERT INTO heard VALUES (new.action, 1)', '(SELECT count(*) > 0 FROM heard)'), '', 'a rule');

-- indexes
SELECT is(with_log(d, c, 300), '', d) FROM (VALUES
	('CREATE INDEX ON crm.interaction (kind, occurred_at)', NULL),
	('CREATE INDEX ON crm.interaction (agent) INCLUDE (detail)', NULL),
	('CREATE INDEX ON crm.interaction USING hash (reference_key)', NULL),
	('CREATE INDEX ON crm.interaction USING brin (recorded_at, occurred_at)', NULL),
	('CREATE INDEX ON crm.interaction USING gin (detail)', $$detail @> '{"new": {}}'$$),
	('CREATE INDEX ON crm.interaction USING gist (tstzrange(occurred_at, NULL))', NULL),
	('CREATE INDEX ON crm.interaction (occurred_at) WHERE action = ''delete''', NULL),
	('CREATE INDEX ON crm.interaction (lower(kind))', NULL),
	('CREATE UNIQUE INDEX ON crm.interaction (interaction_id)', NULL),
	('CREATE UNIQUE INDEX ON crm.interaction (interaction_id) WHERE customer_id > 2', NULL),
	('ALTER TABLE crm.interaction ADD UNIQUE (interaction_id) DEFERRABLE INITIALLY DEFERRED', NULL),
	('ALTER TABLE crm.interaction ADD EXCLUDE USING btree (interaction_id WITH =)', NULL),
	('ALTER TABLE crm.interaction DROP CONSTRAINT interaction_pkey', NULL),
	('ALTER TABLE crm.interaction DROP CONSTRAINT interaction_pkey; DROP INDEX IF EXISTS crm.interaction_occurred_at_idx', NULL),
	('CREATE INDEX ON crm.interaction (reference_key); DROP INDEX crm.interaction_reference_key_idx', NULL)) v (d, c);
SELECT matches(with_log(d), '^23505: duplicate key value violates unique constraint', d || ' is enforced') FROM (VALUES
	('CREATE UNIQUE INDEX ON crm.interaction (reference, reference_key)'),
	('CREATE UNIQUE INDEX ON crm.interaction (lower(reference_key))'),
	('CREATE UNIQUE INDEX ON crm.interaction (customer_id) WHERE action = ''insert''')) v (d);
SELECT is(wrong(), '', 'and the index that was rolled back is not missed');

-- the indexes have what the table has
CREATE FUNCTION indexes_agree() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	by_scan text;
	by_index text;
BEGIN
	SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off;
	SELECT md5(string_agg(i::text, ',' ORDER BY i::text)) INTO by_scan FROM crm.interaction i WHERE lower(reference_key) IS NOT NULL AND customer_id > 0;
	RESET enable_indexscan; RESET enable_bitmapscan; RESET enable_indexonlyscan;
	SET LOCAL enable_seqscan = off;
	SELECT md5(string_agg(i::text, ',' ORDER BY i::text)) INTO by_index FROM crm.interaction i WHERE lower(reference_key) IS NOT NULL AND customer_id > 0;
	RESET enable_seqscan;
	RETURN by_scan = by_index;
END $$;
INSERT INTO sale SELECT i, i, i FROM generate_series(1, 3000) i;
SELECT ok(indexes_agree(), 'index scans and a scan of the table give the same rows');
CREATE INDEX own_index ON crm.interaction (lower(reference_key));
UPDATE sale SET total = 0;
SELECT ok(indexes_agree(), 'with an expression index, too');
DROP INDEX crm.own_index;
DELETE FROM sale;
DELETE FROM crm.interaction;

-- values that do not fit into a page, and batches of large rows
CREATE TABLE wide (id int PRIMARY KEY, customer int, body text);
SELECT crm.track('wide', 'customer', columns => '{body}') IS NULL AS x \gset
CREATE FUNCTION wide_wrong() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	problem text;
BEGIN
	INSERT INTO wide SELECT i, i, (SELECT string_agg(md5(i || '-' || k), '') FROM generate_series(1, 1 + i % 7 * 500) k) FROM generate_series(1, 300) i;
	SELECT string_agg(w.id::text, ',') INTO problem FROM wide w FULL JOIN crm.interaction i ON i.reference_key = w.id::text AND i.customer_id = w.customer WHERE i.detail #>> '{new,body}' IS DISTINCT FROM w.body;
	DELETE FROM wide;
	DELETE FROM crm.interaction;
	RETURN coalesce(problem, '');
END $$;
SELECT is(wide_wrong(), '', 'large values are logged whole');
SET LOCAL work_mem = '64kB';
CREATE TRIGGER stamp BEFORE INSERT ON crm.interaction FOR EACH ROW EXECUTE FUNCTION stamp();
SELECT is(wide_wrong(), '', 'by INSERT as well, with rows that do not fit into work_mem');
DROP TRIGGER stamp ON crm.interaction;
RESET work_mem;

-- who writes

CREATE ROLE test_track_writer;
CREATE ROLE test_track_owner;
GRANT USAGE ON SCHEMA test_track, public TO test_track_writer, test_track_owner;
GRANT ALL ON ALL TABLES IN SCHEMA test_track TO test_track_writer;
SELECT ok(NOT has_schema_privilege('test_track_writer', 'crm', 'USAGE') AND NOT has_table_privilege('test_track_writer', 'crm.interaction', 'SELECT, INSERT'), 'the writer has no right on the CRM');
CREATE FUNCTION written_by_writer(tab text DEFAULT 'sale') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL ROLE test_track_writer;
	EXECUTE format('INSERT INTO %I VALUES (1, 7, ''1''); UPDATE %1$I SET id = id; DELETE FROM %1$I', tab);
	RESET ROLE;
	RETURN logged();
EXCEPTION WHEN OTHERS THEN
	RETURN format('%s: %s', SQLSTATE, SQLERRM);
END $$;
\set both '\'insert 7 1 {"new": {"total": 1}}\ndelete 7 1 {"old": {"total": 1}}\''
SELECT is(written_by_writer(t), E:both, 'a role without rights on the log logs: ' || t) FROM unnest('{sale,sale_by_row}'::text[]) t;
CREATE TRIGGER stamp BEFORE INSERT ON crm.interaction FOR EACH ROW EXECUTE FUNCTION stamp();
SELECT is(written_by_writer(), E:both, 'by INSERT as well');
DROP TRIGGER stamp ON crm.interaction;
CREATE FUNCTION whoami() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.agent := current_user; RETURN new; END $$;
CREATE TRIGGER whoami BEFORE INSERT ON crm.interaction FOR EACH ROW EXECUTE FUNCTION whoami();
SET LOCAL ROLE test_track_writer;
INSERT INTO sale VALUES (1, 7, 1);
SELECT is(current_user::text, 'test_track_writer', 'the writer is the writer again');
RESET ROLE;
SELECT is(agent, (SELECT relowner::regrole::text FROM pg_class WHERE oid = 'crm.interaction'::regclass), 'triggers of the log run as its owner') FROM crm.interaction;
DROP TRIGGER whoami ON crm.interaction;
DELETE FROM sale;
DELETE FROM crm.interaction;

CREATE TABLE keyed (id int PRIMARY KEY, customer text, total numeric);
GRANT ALL ON keyed TO test_track_writer;
SELECT crm.track('keyed', 'customer', source => 'shop', create_customers => true) IS NULL AS x \gset
SELECT matches(written_by_writer('keyed'), E'^insert \\d+ 1\ndelete \\d+ 1$', 'the writer makes customers by writing, without rights on them');
SELECT is(count(*), 1::bigint, 'one') FROM crm.customer_identity WHERE source = 'shop' AND external_id = '7';

-- the log belongs to a role that is no superuser
DO $$ DECLARE name text; BEGIN
	FOREACH name IN ARRAY crm._relations() LOOP EXECUTE format('ALTER TABLE crm.%I OWNER TO test_track_owner', name); END LOOP; END $$;
GRANT USAGE ON SCHEMA crm TO test_track_owner;
SELECT is(written_by_writer(), E:both, 'a log of another role');
SELECT matches(written_by_writer('keyed'), E'^insert \\d+ 1\ndelete \\d+ 1$', 'customers are found as that role');
DELETE FROM crm.customer_identity;
SELECT matches(written_by_writer('keyed'), E'^insert \\d+ 1\ndelete \\d+ 1$', 'and made');

-- row security
ALTER TABLE crm.interaction ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.customer_identity ENABLE ROW LEVEL SECURITY;
SELECT is(written_by_writer(), E:both, 'row security on the log does not stop logging');
ALTER TABLE crm.interaction FORCE ROW LEVEL SECURITY;
ALTER TABLE crm.customer_identity FORCE ROW LEVEL SECURITY;
SELECT is(written_by_writer(), E:both, 'nor when it is forced');
CREATE TRIGGER stamp BEFORE INSERT ON crm.interaction FOR EACH ROW EXECUTE FUNCTION stamp();
SELECT is(written_by_writer(), E:both, 'nor by INSERT');
SET LOCAL row_security = off;
SELECT is(written_by_writer(), E:both, 'nor with row_security = off');
RESET row_security;
DROP TRIGGER stamp ON crm.interaction;
SELECT matches(written_by_writer('keyed'), E'^insert [1-9]\\d* 1\ndelete [1-9]\\d* 1$', 'customers are found in spite of it');
INSERT INTO sale VALUES (1, 7, 1), (2, 8, 2);
GRANT USAGE ON SCHEMA crm TO test_track_writer;
GRANT SELECT ON crm.interaction TO test_track_writer;
CREATE POLICY mine ON crm.interaction TO test_track_writer USING (customer_id = 7);
SET LOCAL ROLE test_track_writer;
SELECT is(count(*), 1::bigint, 'the timeline shows what the reader''s policies let through') FROM crm.timeline(7);
SELECT is(count(*), 0::bigint, 'and no more') FROM crm.timeline(8);
RESET ROLE;
DELETE FROM sale;
ALTER TABLE crm.interaction NO FORCE ROW LEVEL SECURITY;
ALTER TABLE crm.interaction DISABLE ROW LEVEL SECURITY;
DELETE FROM crm.interaction;
ALTER TABLE sale ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sale TO test_track_writer USING (customer = 7);
SELECT is(written_by_writer(), E:both, 'row security on the tracked table: what it lets through is logged');
INSERT INTO sale VALUES (5, 8, 1);
SELECT ok(logged() IS NOT NULL, 'cleared');
SET LOCAL ROLE test_track_writer;
UPDATE sale SET total = 2;
DELETE FROM sale;
RESET ROLE;
SELECT is(logged(), '', 'and nothing else');

-- reading alone
SET LOCAL transaction_read_only = on;
SELECT is(count(*), 0::bigint, 'the timeline runs in a read-only transaction') FROM crm.timeline(7);
SELECT ok(count(*) > 0, 'so does crm.tracking_status()') FROM crm.tracking_status();

SELECT * FROM finish();
ROLLBACK;
