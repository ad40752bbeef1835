-- sequences: the surface of crm.sequential_patterns and crm.sequence_rules: options, sources and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 0;
CREATE SCHEMA test_sequences;
SET search_path = test_sequences, public;

-- What a statement fails with: SQLSTATE and message, then detail and hint where there are any.
CREATE FUNCTION fails(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	more text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN NEXT 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, more = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN NEXT SQLSTATE || ': ' || message;
	IF more <> '' THEN RETURN NEXT '    detail: ' || more; END IF;
	IF hint <> '' THEN RETURN NEXT '    hint: ' || hint; END IF;
END $$;

-- functions: arguments and result, volatility, strictness, parallel safety
SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' || E'\n    ' || pg_get_function_result(p.oid), p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('sequential_patterns', 'sequence_rules')
ORDER BY p.proname;

-- The example of Zaki, SPADE, Machine Learning 42 (2001), figure 1: letters of one word are events of one moment.
CREATE TABLE zaki AS
SELECT customer_id, timestamptz '2026-01-01' + day * interval '1 day' AS occurred_at, event
FROM (VALUES (1, 10, 'CD'), (1, 15, 'ABC'), (1, 20, 'ABF'), (1, 25, 'ACDF'), (2, 15, 'ABF'), (2, 20, 'E'), (3, 10, 'ABF'), (4, 10, 'DGH'), (4, 20, 'BF'), (4, 25, 'AGH')) v (customer_id, day, word), regexp_split_to_table(word, '') event;
SELECT * FROM crm.sequential_patterns('zaki', 2, itemsets => true, as_of => '2026-06-01');
SELECT * FROM crm.sequential_patterns('zaki', 0.5, as_of => '2026-06-01');
SELECT * FROM crm.sequence_rules('zaki', 2, itemsets => true, as_of => '2026-06-01');
SELECT * FROM crm.sequence_rules('zaki', 0.5, 1, as_of => '2026-06-01');

-- each constraint, alone
SELECT * FROM crm.sequential_patterns('zaki', 2, min_gap => '6 days', as_of => '2026-06-01') WHERE length > 1;
SELECT * FROM crm.sequential_patterns('zaki', 2, max_gap => '9 days 23:59:59.999999', as_of => '2026-06-01') WHERE length > 1;
SELECT * FROM crm.sequential_patterns('zaki', 2, "window" => '10 days', as_of => '2026-06-01') WHERE length > 1;
SELECT * FROM crm.sequential_patterns('zaki', 2, contiguous => true, as_of => '2026-06-01') WHERE length > 1;
SELECT * FROM crm.sequential_patterns('zaki', 2, itemsets => true, max_length => 2, contiguous => true, as_of => '2026-06-01') WHERE length > 1;
SELECT * FROM crm.sequential_patterns('zaki', 2, as_of => '2026-01-22') WHERE length > 1;

-- labels of several events in a step: quoted where they could be misread
SELECT pattern, cardinality(pattern), length FROM crm.sequential_patterns('SELECT 1 AS customer_id, timestamp ''2026-01-01'' + n / 4 * interval ''1 h'' AS occurred_at, event FROM unnest(ARRAY[''a+b'', ''a'', ''say "x"'', '''', ''ü, {}'', ''plain'']) WITH ORDINALITY u (event, n)', itemsets => true, max_length => NULL, as_of => '2026-06-01')
WHERE length >= 4 OR length = 1;
SELECT pattern FROM crm.sequential_patterns('SELECT 1 AS customer_id, timestamp ''2026-01-01'' + n * interval ''1 h'' AS occurred_at, event FROM unnest(ARRAY[''a+b'', ''say "x"'', '''', NULL]) WITH ORDINALITY u (event, n)', as_of => '2026-06-01') WHERE length = 3;

-- the forms of a source; customers and times of other types
CREATE TABLE "Odd ""Name"".s" AS SELECT customer_id::text AS "customer_id", occurred_at::timestamp AS occurred_at, event::char(3) AS event, 1 AS more FROM zaki;
CREATE VIEW late AS SELECT * FROM zaki WHERE occurred_at >= '2026-01-20';
SELECT source, fails(format('DO $do$ BEGIN ASSERT (SELECT count(*) FROM crm.sequential_patterns(%L, 2, as_of => ''2026-06-01'')) = %s; END $do$', source, patterns))
FROM (VALUES (1, 'zaki', 11), (2, 'Test_Sequences.Zaki', 11), (3, 'late', 5), (4, '"Odd ""Name"".s"', 11), (5, 'SELECT * FROM zaki; -- all', 11), (6, 'TABLE late', 5), (7, 'WITH x AS (SELECT * FROM late) SELECT * FROM x', 5),
	(8, 'SELECT customer_id, (occurred_at - interval ''3 d'')::date AS occurred_at, event FROM zaki', 11), (9, 'VALUES (1, 2, 3)', 0), (10, 'SELECT * FROM (VALUES (1, date ''2026-01-01'', 5), (2, ''2026-01-02'', 5)) v (customer_id, occurred_at, event)', 1)) v (n, source, patterns) ORDER BY n;
SELECT type, fails(format('DO $do$ BEGIN ASSERT (SELECT count(*) FROM crm.sequential_patterns(''SELECT (%s) AS customer_id, occurred_at, event FROM zaki'', 2, as_of => ''2026-06-01'')) = 11; END $do$', replace(expression, '''', '''''')))
FROM (VALUES (1, 'smallint', 'customer_id::int2'), (2, 'uuid', 'md5(customer_id::text)::uuid'), (3, 'bytea', 'decode(md5(customer_id::text), ''hex'')'), (4, 'numeric', 'customer_id::numeric'), (5, 'date', 'date ''2000-01-01'' + customer_id'), (6, 'bigint[]', 'ARRAY[customer_id, 1]'), (7, 'float8', 'customer_id::float8'), (8, 'name', '(''n'' || customer_id)::name'),
	(9, 'jsonb', 'to_jsonb(customer_id)'), (10, 'long text', 'repeat(''x'', 5000) || customer_id'), (11, 'point', 'point(customer_id, 1)'), (12, 'json', 'to_json(customer_id)')) v (n, type, expression) ORDER BY n;

-- bad sources
SELECT n, fails(format('SELECT * FROM crm.sequential_patterns(%s)', source))
FROM (VALUES (1, 'NULL'), (2, '$$$$'), (3, '$$nowhere$$'), (4, '$$SELECT 1; SELECT 2$$'), (5, '$$DELETE FROM zaki RETURNING *$$'), (6, '$$SELECT customer_id, occurred_at FROM zaki$$'), (7, '$$SELECT customer_id, event FROM zaki$$'), (8, '$$SELECT occurred_at, event FROM zaki$$'),
	(9, '$$SELECT customer_id, 5 AS occurred_at, event FROM zaki$$'), (10, '$$SELECT customer_id, ''soon'' AS occurred_at, event FROM zaki$$'), (11, '$$SELECT customer_id, occurred_at, event, 1 AS event FROM zaki$$'), (12, '$$SELECT customer_id, occurred_at, 1 / (customer_id - 1) AS event FROM zaki$$')) v (n, source) ORDER BY n;
SELECT fails('SELECT * FROM crm.sequence_rules(''nowhere'')');

-- every option that is NULL
SELECT function, option, fails(format('SELECT * FROM crm.%s(''zaki'', %s => NULL)', function, option))
FROM unnest('{min_support, max_length, min_gap, max_gap, "\"window\"", contiguous, itemsets, as_of, min_confidence}'::text[]) WITH ORDINALITY v (option, n), unnest('{sequential_patterns, sequence_rules}'::text[]) WITH ORDINALITY f (function, place)
WHERE option <> 'min_confidence' OR function = 'sequence_rules'
ORDER BY place, n;

-- options that cannot be
SELECT option, fails(format('SELECT * FROM crm.sequential_patterns(''zaki'', %s)', option))
FROM unnest(ARRAY['min_support => 0', 'min_support => -1', 'min_support => 1.5', 'min_support => $$NaN$$', 'min_support => $$Infinity$$', 'min_support => 1', 'min_support => 4', 'min_support => 5', 'min_support => 1e300', 'min_support => 1e-300',
	'max_length => 0', 'max_length => -1', 'max_length => 1', 'min_gap => $$-1 day$$', 'min_gap => $$1 mon$$', 'min_gap => $$0$$', 'max_gap => $$0$$', 'max_gap => $$-1 s$$', 'max_gap => $$1 year$$', 'max_gap => $$1 day$$, min_gap => $$1 day 1 us$$', 'max_gap => $$1 day$$, min_gap => $$24 h$$',
	'max_gap => $$1 day -25 h$$', '"window" => $$0$$', '"window" => $$-1 day$$', '"window" => $$1 mon -30 days$$', '"window" => $$100000 years$$', '"window" => $$2000000000 days$$', 'as_of => $$infinity$$', 'as_of => $$-infinity$$']) WITH ORDINALITY v (option, n) ORDER BY n;
SELECT option, fails(format('SELECT * FROM crm.sequence_rules(''zaki'', %s)', option))
FROM unnest(ARRAY['min_confidence => -0.1', 'min_confidence => 1.1', 'min_confidence => $$NaN$$', 'min_confidence => 0', 'min_confidence => 1', 'max_length => 1', 'max_length => 2', 'min_support => 0', '"window" => $$0$$']) WITH ORDINALITY v (option, n) ORDER BY n;
SET maintenance_work_mem = '1MB';
SELECT fails('SELECT * FROM crm.sequential_patterns(''SELECT i AS customer_id, now() AS occurred_at, 1 AS event FROM generate_series(1, 100000) i'')');
SELECT fails('SELECT * FROM crm.sequential_patterns(''SELECT i % 10 AS customer_id, timestamp $$2026-01-01$$ + i * interval $$1 min$$ AS occurred_at, i % 7 AS event FROM generate_series(1, 5000) i'', max_length => NULL)');
SELECT fails('SELECT * FROM crm.sequential_patterns(''SELECT i % 200 AS customer_id, timestamp $$2026-01-01$$ + i * interval $$1 min$$ AS occurred_at, i * (i % 200) * (i / 200 + 1) % 31 AS event FROM generate_series(1, 2400) i'', 2, max_length => 4)');
SELECT count(*) > 0 FROM crm.sequential_patterns('SELECT i % 200 AS customer_id, timestamp $$2026-01-01$$ + i * interval $$1 min$$ AS occurred_at, i * (i % 200) * (i / 200 + 1) % 31 AS event FROM generate_series(1, 2400) i', 8, max_length => 4);
SELECT fails('SELECT * FROM crm.sequence_rules(''SELECT i % 4 AS customer_id, timestamp $$2026-01-01$$ + i * interval $$1 min$$ AS occurred_at, i / 4 AS event FROM generate_series(1, 100) i'', min_confidence => 0)');
RESET maintenance_work_mem;

-- what is said: rows skipped, patterns left out
SET client_min_messages = notice;
SELECT pattern, count FROM crm.sequential_patterns('SELECT * FROM (VALUES (NULL, timestamptz ''2026-01-01'', ''a''), (1, NULL, ''a''), (1, ''2026-01-01'', NULL), (1, ''infinity'', ''a''), (1, ''-infinity'', ''a''), (1, ''2026-03-01'', ''a''), (1, ''2026-01-01'', ''b''), (1, ''2026-01-02'', ''c'')) v (customer_id, occurred_at, event)', as_of => '2026-02-01');
SELECT rows_read, rows_used, rows_skipped, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of, customers FROM crm.last_run();
SELECT count(*) FROM crm.sequential_patterns('zaki', 2, max_length => 2, as_of => '2026-06-01');
SELECT count(*) FROM crm.sequential_patterns('zaki', 2, max_length => 3, as_of => '2026-06-01');
SELECT count(*) FROM crm.sequence_rules('zaki', 2, max_length => 2, as_of => '2026-06-01');
SELECT count(*) FROM crm.sequential_patterns('SELECT * FROM zaki WHERE false', 5, as_of => '2026-06-01');
SELECT count(*) FROM crm.sequence_rules('SELECT * FROM zaki WHERE false', as_of => '2026-06-01');
SET client_min_messages = warning;

DROP SCHEMA test_sequences CASCADE;
