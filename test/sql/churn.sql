-- churn: the surface of crm.churn and crm.churn_fit: options, keys, features, labels, stored models, extreme sources and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 0;
CREATE SCHEMA test_churn;
SET search_path = test_churn, public;

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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('churn', 'churn_fit')
ORDER BY p.proname, p.pronargs;

-- a shop: each method, and what auto says
CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(400, '2024-01-01', '2026-01-01', seed => 3);
CREATE FUNCTION short(method text, features text DEFAULT NULL, label text DEFAULT NULL, rows bigint DEFAULT 3) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s: %s %s, at risk %s, %s; silent %s, p90 %s, %s, %s', customer_id, round(churn_probability::numeric, 3), band, round(expected_revenue_at_risk::numeric, 1), reasons, round(days_since_last::numeric, 1), round(own_gap_p90::numeric, 1), method_used, status)
	FROM crm.churn('orders', as_of => '2026-01-01', method => short.method, features => short.features, label => short.label) LIMIT rows $$;
SELECT short(m) FROM unnest('{alive, gap, logistic}'::text[]) m;
SET client_min_messages = notice;
SELECT count(*), min(method_used) FROM crm.churn('orders', as_of => '2026-01-01');
SELECT count(*), min(method_used) FROM crm.churn('orders', as_of => '2026-01-01', horizon => '300 days');
SET client_min_messages = warning;
SELECT count(*), count(DISTINCT customer_id) = (SELECT count(DISTINCT customer_id) FROM orders), bool_and(churn_probability BETWEEN 0 AND 1), bool_and(expected_revenue_at_risk >= 0), array_agg(DISTINCT band ORDER BY band), max(cardinality(reasons))
FROM crm.churn('orders', as_of => '2026-01-01', method => 'logistic');
SELECT pg_typeof(customer_id), count(*) FROM crm.churn(key => NULL::text, source => 'SELECT ''c'' || customer_id AS customer_id, ordered_at, amount FROM orders', as_of => '2026-01-01', method => 'gap') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*) FROM crm.churn(key => NULL::uuid, source => 'SELECT md5(customer_id::text)::uuid AS customer_id, ordered_at, amount FROM orders', as_of => '2026-01-01', method => 'logistic') GROUP BY 1;

-- the fit
SELECT method_used, n, n_used, n_skipped, cuts, customers, churned, status, message FROM unnest('{alive, gap, logistic, auto}'::text[]) m, crm.churn_fit('orders', as_of => '2026-01-01', method => m);
SELECT fitted ->> 'model', fitted ->> 'version', fitted -> 'features' FROM crm.churn_fit('orders', as_of => '2026-01-01', method => 'logistic');
SELECT method_used FROM crm.churn_fit(key => NULL::text, source => 'SELECT ''c'' || customer_id AS customer_id, ordered_at, amount FROM orders', as_of => '2026-01-01', method => 'gap');

-- a model that is kept gives the same rows without a fit, by value and by name
CREATE TABLE crm.model (name text PRIMARY KEY, family text, parameters jsonb);
INSERT INTO crm.model (name, family, parameters) SELECT m, 'churn', fitted FROM unnest('{alive, gap, logistic}'::text[]) m, crm.churn_fit('orders', as_of => '2026-01-01', method => m);
INSERT INTO crm.model (name, family, parameters) VALUES ('other', 'kmeans', '{"model": "kmeans", "version": 1}');
SELECT m, count(*) FROM unnest('{alive, gap, logistic}'::text[]) m,
	LATERAL (SELECT c::text FROM crm.churn('orders', as_of => '2026-01-01', method => m) c EXCEPT SELECT c::text FROM crm.churn('orders', as_of => '2026-01-01', model => m) c) q GROUP BY m;
SELECT count(*) FROM crm.model, crm.churn('orders', as_of => '2026-01-01', model => parameters::text) WHERE family = 'churn';

-- the caller's features: the latest by each moment; a stored model also takes those of now
CREATE TABLE visits AS SELECT customer_id, ordered_at - '3 days'::interval AS observed_at, (customer_id % 7)::int AS pages, ordered_at > '2025-06-01' AS is_member, 'x' AS comment FROM orders;
SELECT fitted -> 'features' -> -2, fitted -> 'features' -> -1, status FROM crm.churn_fit('orders', as_of => '2026-01-01', method => 'logistic', features => 'visits');
INSERT INTO crm.model (name, family, parameters) SELECT 'visits', 'churn', fitted FROM crm.churn_fit('orders', as_of => '2026-01-01', method => 'logistic', features => 'visits');
SELECT count(*) FROM crm.churn('orders', as_of => '2026-01-01', model => 'visits', features => 'SELECT DISTINCT customer_id, 3 AS pages, true AS is_member FROM visits');
SET client_min_messages = notice;
SELECT count(*) FROM crm.churn('orders', as_of => '2026-01-01', model => 'visits', features => 'SELECT DISTINCT customer_id, 3 AS pages FROM visits');
SELECT count(*) FROM crm.churn('orders', as_of => '2026-01-01', method => 'logistic', features => 'SELECT NULL::int AS customer_id, now() AS observed_at, 1 AS a UNION ALL SELECT 1, NULL, 1 UNION ALL SELECT 1, ''infinity'', 2 UNION ALL SELECT 1, ''2030-01-01'', 2 UNION ALL SELECT 1, ''2024-01-01'', 2');
SELECT count(*) FROM crm.churn('SELECT * FROM orders UNION ALL SELECT NULL, now(), 1 UNION ALL SELECT 1, NULL, 1 UNION ALL SELECT 2, ''2025-01-01'', ''NaN'' UNION ALL SELECT 3, ''2027-01-01'', 1', as_of => '2026-01-01', method => 'gap');
SET client_min_messages = warning;
SELECT rows_read, rows_used, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of, customers, function FROM crm.last_run();

-- the caller's label
CREATE TABLE gone AS SELECT customer_id, '2024-06-01'::timestamptz + customer_id * '1.6 days'::interval AS churned_at FROM generate_series(1, 400, 2) customer_id;
SELECT method_used, status, count(*), round(avg(churn_probability)::numeric, 3) FROM unnest('{gap, logistic}'::text[]) m, crm.churn('orders', as_of => '2026-01-01', method => m, label => 'gone') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT status, bool_and(churn_probability = 1), bool_and(expected_revenue_at_risk = 0), bool_and(reasons = '{}') FROM crm.churn('orders', as_of => '2026-01-01', method => 'gap', label => 'gone') WHERE status = 'churned' GROUP BY 1;

-- too little to learn from: nobody, five customers, no churner, all churners, everything at one moment
SELECT count(*) FROM crm.churn('SELECT 1 AS customer_id, now() AS ordered_at, 1 AS amount WHERE false');
SELECT count(*) FROM crm.churn('SELECT 1 AS customer_id, now() AS ordered_at, -1 AS amount');
SELECT count(*) FROM crm.churn_fit('SELECT 1 AS customer_id, now() AS ordered_at, 1 AS amount WHERE false');
CREATE FUNCTION tiny(source text, method text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s %s: %s customers, %s to %s, at risk %s', method_used, status, count(*), round(min(churn_probability)::numeric, 3), round(max(churn_probability)::numeric, 3), round(sum(expected_revenue_at_risk)::numeric, 1))
	FROM crm.churn(tiny.source, as_of => '2026-01-01', horizon => '60 days', method => tiny.method) GROUP BY method_used, status $$;
SELECT tiny('SELECT c AS customer_id, d AS ordered_at, 10 AS amount FROM generate_series(1, 5) c, generate_series(''2025-01-01''::timestamptz, ''2025-12-20'', ''30 days'') d', m) FROM unnest('{alive, gap, logistic, auto}'::text[]) m;
SELECT tiny('SELECT c AS customer_id, d AS ordered_at, 10 AS amount FROM generate_series(1, 100) c, generate_series(''2025-01-01''::timestamptz, ''2025-12-20'', ''30 days'') d', m) FROM unnest('{gap, logistic, auto}'::text[]) m;
SELECT tiny('SELECT c AS customer_id, ''2025-01-01''::timestamptz + c * ''1 hour''::interval AS ordered_at, 10 AS amount FROM generate_series(1, 100) c', m) FROM unnest('{alive, gap, logistic, auto}'::text[]) m;
SELECT tiny('SELECT c % 3 AS customer_id, ''2025-01-01''::timestamptz AS ordered_at, 10 AS amount FROM generate_series(1, 100) c', m) FROM unnest('{alive, gap, logistic, auto}'::text[]) m;
SELECT bool_and(expected_revenue_at_risk > 1e300 AND expected_revenue_at_risk < 'Infinity') FROM crm.churn('SELECT c AS customer_id, ''2025-01-01''::timestamptz + c * ''1 us''::interval AS ordered_at, 1.7e308::float8 AS amount FROM generate_series(1, 100) c, generate_series(1, 2)', as_of => '2026-01-01', method => 'logistic');

-- errors
SELECT fails(format('SELECT * FROM crm.churn(%s)', a)) FROM unnest(ARRAY[
	'''orders'', as_of => NULL', '''orders'', as_of => ''infinity''', '''orders'', horizon => NULL', '''orders'', horizon => ''0''', '''orders'', horizon => ''-1 day''', '''orders'', horizon => ''400000000 years''',
	'''orders'', method => NULL', '''orders'', method => ''best''', '''orders'', seed => NULL',
	'''orders'', as_of => ''2026-01-01'', horizon => ''2 years''', '''orders'', as_of => ''2026-01-01'', horizon => ''400 days'', method => ''gap''',
	'''orders'', as_of => ''2026-01-01'', horizon => ''800 days'', method => ''alive''', '''orders'', as_of => ''2024-02-01'', method => ''logistic''',
	'''orders'', method => ''alive'', label => ''gone''', '''SELECT 1 AS customer_id''', '''SELECT ''''a'''' AS customer_id, now() AS ordered_at, 1 AS amount''', 'NULL', '''nothing''',
	'''orders'', as_of => ''2026-01-01'', features => ''crm.nothing''', '''orders'', as_of => ''2026-01-01'', features => ''SELECT 1 AS customer_id, 2 AS a''',
	'''orders'', as_of => ''2026-01-01'', features => ''SELECT 1 AS customer_id, now() AS observed_at''', '''orders'', as_of => ''2026-01-01'', features => ''SELECT now() AS observed_at, 1 AS a''',
	'''orders'', as_of => ''2026-01-01'', features => ''SELECT 1 AS customer_id, now() AS observed_at, 1 AS orders''', '''orders'', as_of => ''2026-01-01'', features => ''SELECT ''''a'''' AS customer_id, now() AS observed_at, 1 AS a''',
	'''orders'', as_of => ''2026-01-01'', features => ''DELETE FROM orders''', '''orders'', as_of => ''2026-01-01'', label => ''SELECT 1 AS customer_id''',
	'key => NULL::uuid, source => ''SELECT md5(customer_id::text)::uuid AS customer_id, ordered_at, amount FROM orders'', as_of => ''2026-01-01'', features => ''crm''',
	'''orders'', as_of => ''2026-01-01'', model => ''nothing''', '''orders'', as_of => ''2026-01-01'', model => ''other''', '''orders'', as_of => ''2026-01-01'', model => ''{}''', '''orders'', as_of => ''2026-01-01'', model => ''{"model"''',
	'''orders'', as_of => ''2026-01-01'', horizon => ''30 days'', model => ''gap''',
	'''orders'', as_of => ''2026-01-01'', model => ''{"model": "churn", "version": 1, "method": "gap", "status": "ok", "features": [], "numbers": [90, 0.5]}''',
	'''orders'', as_of => ''2026-01-01'', model => ''{"model": "churn", "version": 1, "method": "logistic", "status": "ok", "features": ["a"], "numbers": [90, 0.5, 1]}''',
	'''orders'', as_of => ''2026-01-01'', model => ''{"model": "churn", "version": 1, "method": "logistic", "status": "ok", "features": [1], "numbers": [90, 0.5, 1, 2, 3]}''']) a;
SELECT fails(format('SELECT * FROM crm.churn_fit(%s)', a)) FROM unnest(ARRAY['''orders'', as_of => NULL', '''orders'', as_of => ''2026-01-01'', seed => NULL', '''orders'', as_of => ''2026-01-01'', horizon => ''1 year 1 day''']) a;

DROP TABLE crm.model;
SET client_min_messages = error;
DROP SCHEMA test_churn CASCADE;
