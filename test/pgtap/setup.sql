-- The tables of crm.setup() keep the rules that let them be dumped, dropped from and distributed; and nobody's search_path leads the functions astray.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();

SELECT lives_ok('SELECT crm.setup()', 'setup');
SELECT lives_ok($$SELECT crm.map_source('shop', orders => 'SELECT 1 AS customer_id, pg_catalog.now() AS ordered_at, 1 AS amount')$$, 'a source');

CREATE TEMPORARY VIEW crm_table AS
SELECT c.oid, c.relname, c.relkind FROM pg_class c
WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname;
CREATE TEMPORARY VIEW crm_view AS
SELECT c.oid, c.relname FROM pg_class c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'v' ORDER BY c.relname;

SELECT set_eq('SELECT relname::text FROM crm_table UNION ALL SELECT relname FROM crm_view', 'SELECT r FROM unnest(crm._relations()) r', 'the steps name what they make');
SELECT set_eq($$SELECT regexp_replace(s, '^_setup', '') FROM crm._steps('_setup') s$$, $$SELECT regexp_replace(s, '^_relations', '') FROM crm._steps('_relations') s$$,
	'each step has its list of relations');

-- Whose they are
SELECT is_empty($$SELECT relname FROM crm_table t JOIN pg_class c USING (relname) WHERE c.oid = t.oid AND c.relowner <> CURRENT_USER::regrole$$, 'the tables are the caller''s');
SELECT is_empty($$SELECT d.classid::regclass, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
	WHERE e.extname = 'crm' AND d.deptype = 'e' AND d.classid IN ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_trigger'::regclass, 'pg_namespace'::regclass)$$,
	'neither a relation nor a constraint, default or trigger is a member');
SELECT is_empty($$
	WITH RECURSIVE member AS (
		SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
		WHERE e.extname = 'crm' AND d.deptype = 'e'
	)
	SELECT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
	FROM pg_depend d JOIN member m ON m.classid = d.refclassid AND m.objid = d.refobjid
	WHERE d.classid IN ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass)
$$, 'no column, default, check or index depends on the extension');

-- How they are made
SELECT is_empty($$SELECT t.relname, a.attname, a.atttypid::regtype FROM crm_table t JOIN pg_attribute a ON a.attrelid = t.oid JOIN pg_type y ON y.oid = a.atttypid
	WHERE a.attnum > 0 AND NOT a.attisdropped AND y.typnamespace <> 'pg_catalog'::regnamespace$$, 'columns have types of pg_catalog');
SELECT is_empty($$SELECT relname FROM (SELECT oid, relname FROM crm_table UNION ALL SELECT * FROM crm_view) t WHERE obj_description(oid, 'pg_class') IS NULL$$, 'each table and view has a comment');
SELECT is_empty($$SELECT t.relname, a.attname FROM (SELECT oid, relname FROM crm_table UNION ALL SELECT * FROM crm_view) t JOIN pg_attribute a ON a.attrelid = t.oid
	WHERE a.attnum > 0 AND NOT a.attisdropped AND col_description(t.oid, a.attnum) IS NULL$$, 'each column has a comment');
SELECT is_empty($$SELECT t.relname FROM crm_view t JOIN pg_class c USING (oid) WHERE current_setting('server_version_num')::int >= 150000 AND coalesce(c.reloptions::text, '') !~ 'security_invoker=(true|on)'
	AND t.relname <> 'visibility' AND t.relname NOT LIKE '%\_masked'$$,
	'views read with the rights of the caller, but for those that have the condition of the policies in them');
SELECT is_empty($$SELECT t.relname FROM crm_table t WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary)$$, 'each table has a primary key');
SELECT is_empty($$SELECT f.conname FROM pg_constraint f JOIN crm_table t ON t.oid = f.conrelid
	WHERE f.contype = 'f' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = f.conrelid AND i.indpred IS NULL
		AND (i.indkey::int2[])[0:cardinality(f.conkey) - 1] = f.conkey)$$, 'each foreign key is indexed');
SELECT is_empty($$SELECT t.relname, i.indexrelid::regclass FROM crm_table t
	JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'customer_id'
	JOIN pg_index i ON i.indrelid = t.oid AND i.indisunique
	WHERE t.relname <> 'customer_identity' AND a.attnotnull AND a.attnum <> ALL (i.indkey)$$,
	'customer_id is in each unique key of a customer''s table, but for the look-up customer_identity, and for what may have no customer');
SELECT is_empty($$SELECT f.conname FROM pg_constraint f WHERE f.conrelid = 'crm.interaction'::regclass AND f.contype = 'f'$$, 'the log has no foreign key');
SELECT is((SELECT seqcache FROM pg_sequence WHERE seqrelid = pg_get_serial_sequence('crm.interaction', 'interaction_id')::regclass), 100::bigint, 'the log''s sequence is cached');

-- The timeline of a customer is one range of the primary key.
INSERT INTO crm.interaction (customer_id, occurred_at, kind, action)
SELECT n % 100, '2026-01-01'::timestamptz + n * interval '1 minute', 'call', 'log' FROM generate_series(1, 20000) n;
ANALYZE crm.interaction;
SET LOCAL enable_sort = off;
CREATE FUNCTION pg_temp.plan_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; result text := ''; BEGIN FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP result := result || line || E'\n'; END LOOP; RETURN result; END $$;
SELECT alike(pg_temp.plan_of($$SELECT * FROM crm.interaction WHERE customer_id = 5 AND occurred_at >= '2026-01-02' ORDER BY occurred_at, interaction_id LIMIT 10$$),
	'%Index Scan using interaction_pkey%Index Cond: ((customer_id = 5) AND (occurred_at >=%', 'a timeline reads the primary key in its order');

-- What changes things is closed to PUBLIC.
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'crm'::regnamespace
		AND p.proname IN ('setup', 'migrate', 'uninstall', 'resync_sequences', 'maintain_partitions', 'map_source', 'unmap_source')
		AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
$$, 'what changes things is closed to PUBLIC');
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'crm'
	WHERE p.proname ~ '^(_setup|_relations|_describe|setup|migrate|uninstall|resync|maintain|_add|map|unmap|_source_select)'
		AND NOT EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = e.extowner AND a.privilege_type = 'EXECUTE')
$$, 'and open to the role that installed');

-- A search_path that shadows what the functions use: whatever is found in it raises an error.
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.trap(what text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped by %', what; END $$;
DO $$
DECLARE
	shadow record;
BEGIN
	FOR shadow IN
		SELECT DISTINCT ON (p.proname, p.proargtypes) p.proname, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result
		FROM pg_proc p
		WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND NOT p.proretset AND '"any"'::regtype::oid <> ALL (p.proargtypes)
			AND p.proname IN ('lower', 'btrim', 'now', 'format', 'quote_ident', 'quote_literal', 'to_regclass', 'to_regprocedure', 'hashtextextended', 'pg_advisory_xact_lock',
				'set_config', 'current_setting', 'obj_description', 'col_description', 'regexp_replace', 'jsonb_typeof', 'nextval', 'setval', 'pg_get_serial_sequence', 'to_jsonb',
				'cardinality', 'date_trunc', 'timezone', 'to_char', 'make_interval', 'clock_timestamp', 'pg_get_userbyid', 'pg_get_partkeydef', 'textcat', 'md5')
	LOOP
		EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', shadow.proname, shadow.arguments, shadow.result,
			format('BEGIN PERFORM hostile.trap(%L); END', shadow.proname));
	END LOOP;
	FOR shadow IN SELECT * FROM (VALUES ('=', 'text'), ('=', 'int8'), ('=', 'int4'), ('=', 'oid'), ('=', 'bool'), ('=', 'name'), ('<>', 'text'), ('<>', 'name'), ('<>', 'int8'), ('~', 'text'),
		('<', 'timestamptz'), ('>=', 'timestamptz'), ('>', 'int8'), ('<', 'int4')) o (name, type)
	LOOP
		EXECUTE format('CREATE FUNCTION hostile.%I(pg_catalog.%I, pg_catalog.%2$I) RETURNS pg_catalog.bool LANGUAGE plpgsql AS %3$L', 'op_' || md5(shadow.name || shadow.type), shadow.type,
			format('BEGIN PERFORM hostile.trap(%L); END', shadow.name));
		EXECUTE format('CREATE OPERATOR hostile.%s (FUNCTION = hostile.%I, LEFTARG = pg_catalog.%I, RIGHTARG = pg_catalog.%3$I)', shadow.name, 'op_' || md5(shadow.name || shadow.type), shadow.type);
	END LOOP;
	EXECUTE 'CREATE FUNCTION hostile.op_concat(pg_catalog.text, pg_catalog.text) RETURNS pg_catalog.text LANGUAGE plpgsql AS $f$BEGIN PERFORM hostile.trap(''||''); END$f$';
	EXECUTE 'CREATE OPERATOR hostile.|| (FUNCTION = hostile.op_concat, LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text)';
	CREATE AGGREGATE hostile.max(pg_catalog.int8) (sfunc = pg_catalog.int8smaller, stype = pg_catalog.int8);
	CREATE TABLE hostile.pg_class (oid pg_catalog.oid, relname name, relkind "char");
	CREATE TABLE hostile.pg_extension (extname name, extversion pg_catalog.text);
	CREATE DOMAIN hostile.timestamptz AS pg_catalog.int4;
	CREATE DOMAIN hostile.float8 AS pg_catalog.text CHECK (false);
	CREATE DOMAIN hostile.int8 AS pg_catalog.text CHECK (false);
END
$$;
CREATE TEMPORARY TABLE customer (customer_id int);
CREATE TEMPORARY TABLE source (name int);
CREATE TEMPORARY TABLE customer_identity (source int);
CREATE TABLE public.crm_shop AS SELECT 1 AS customer_id, pg_catalog.now() AS ordered_at, 5 AS amount, 'x' AS basket_id, 'y' AS item_id;
SELECT crm.uninstall('drop all customer data');

CREATE TABLE public.crm_hostile (step text, outcome text);
CREATE PROCEDURE public.crm_try(statement text) LANGUAGE plpgsql AS $$
DECLARE
	message text := 'fine';
BEGIN
	PERFORM pg_catalog.set_config('search_path', 'hostile, pg_catalog, pg_temp', true);
	BEGIN
		EXECUTE statement;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
	END;
	PERFORM pg_catalog.set_config('search_path', 'public', true);
	INSERT INTO public.crm_hostile VALUES (statement, message);
END
$$;
CALL public.crm_try($$SELECT lower('X')$$);
CALL public.crm_try($$SELECT 1 WHERE 'a'::pg_catalog.text = 'b'::pg_catalog.text$$);
SELECT results_eq('SELECT outcome FROM public.crm_hostile', ARRAY['trapped by lower', 'trapped by ='], 'the traps are set');
TRUNCATE public.crm_hostile;
CALL public.crm_try($$SELECT crm.setup(true)$$);
CALL public.crm_try($$SELECT crm.setup()$$);
CALL public.crm_try($$SELECT crm.migrate()$$);
CALL public.crm_try($$SELECT crm.maintain_partitions(6)$$);
CALL public.crm_try($$SELECT crm.map_source('shop', orders => 'public.crm_shop', baskets => 'SELECT * FROM public.crm_shop')$$);
CALL public.crm_try($$SELECT crm.map_source('other', orders => 'public.crm_shop', make_default => true)$$);
CALL public.crm_try($$SELECT crm.sources()$$);
CALL public.crm_try($$SELECT crm._source_select('SHOP', 'baskets')$$);
CALL public.crm_try($$SELECT crm._source_select(NULL, 'orders')$$);
CALL public.crm_try($$SELECT crm.rfm()$$);
CALL public.crm_try($$SELECT crm.unmap_source('other')$$);
CALL public.crm_try($$SELECT crm.resolve_customer('shop', 'a')$$);
CALL public.crm_try($$SELECT crm.resolve_customers('shop', '{a, b}')$$);
CALL public.crm_try($$SELECT crm.find_customer('shop', 'a')$$);
CALL public.crm_try($$INSERT INTO crm.contact_point (customer_id, kind, given) SELECT customer_id, 'mail', ' A@B.example ' FROM crm.customer$$);
CALL public.crm_try($$SELECT crm.resync_sequences()$$);
CALL public.crm_try($$INSERT INTO crm.region (region_id, parent_id, name) VALUES (1, 2, 'Alps'), (2, NULL, 'Europe')$$);
CALL public.crm_try($$UPDATE crm.region SET parent_id = 2 WHERE region_id OPERATOR(pg_catalog.=) 1$$);
CALL public.crm_try($$INSERT INTO crm.currency_rate VALUES ('EUR', '2020-01-01', 0.9)$$);
CALL public.crm_try($$INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, amount, currency) SELECT customer_id, customer_id, pg_catalog.now(), 100, 'EUR' FROM crm.customer$$);
CALL public.crm_try($$INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) SELECT customer_id, sales_order_id, pg_catalog.now(), 40 FROM crm.sales_order$$);
CALL public.crm_try($$UPDATE crm.sales_order SET amount = 90, exchange_rate = 1.1$$);
CALL public.crm_try($$INSERT INTO crm.opportunity (customer_id, name, currency) SELECT customer_id, 'Deal', 'EUR' FROM crm.customer$$);
CALL public.crm_try($$UPDATE crm.opportunity SET pipeline_stage_id = 5$$);
CALL public.crm_try($$SELECT * FROM crm.consent_status$$);
CALL public.crm_try($$SELECT crm.rfm('crm')$$);
CALL public.crm_try($$SELECT crm._source_probe((SELECT s.baskets FROM crm.source s WHERE s.name OPERATOR(pg_catalog.=) 'crm'), 'baskets', 1)$$);
SELECT is_empty($$SELECT step, outcome FROM public.crm_hostile WHERE outcome <> 'fine'$$, 'nothing is found in a hostile search_path');
SELECT is((SELECT count(*) FROM public.crm_hostile), 27::bigint, 'in all the calls');
SET LOCAL search_path = public;
SELECT results_eq($$SELECT name, orders, is_default FROM crm.source WHERE name <> 'crm'$$, $$VALUES ('shop', 'public.crm_shop', false)$$, 'and the sources are as they should be');
SELECT is_empty('SELECT name, contract, problem FROM crm.sources() WHERE NOT valid', 'and valid');
SELECT is((SELECT count(*) FROM crm.customer), 2::bigint, 'and the customers');
SELECT is((SELECT string_agg(DISTINCT normalised, ' ') FROM crm.contact_point), 'a@b.example', 'and the contact points');
CALL public.crm_try($$SELECT crm.uninstall('drop all customer data')$$);
SELECT is_empty($$SELECT relname FROM crm_table$$, 'and uninstall');

SELECT * FROM finish();
ROLLBACK;
