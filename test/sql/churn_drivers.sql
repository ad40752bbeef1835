-- churn_drivers: the surface of crm.churn_drivers and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
CREATE SCHEMA test_churn_drivers;
SET search_path = test_churn_drivers, public;

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
SELECT p.oid::regprocedure, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.prokind, p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname ~ '^(churn_drivers)$'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- A shop: 60 customers, c of them with a rhythm of 10 + c days, who stop after a while; no clock, no chance.
CREATE TABLE orders AS
SELECT c::bigint AS customer_id, timestamptz '2025-01-01' + i * (10 + c) * interval '1 day' + c * interval '1 hour' AS ordered_at, 20 + (c * 7 + i * 3) % 50 AS amount
FROM generate_series(1, 60) c, generate_series(0, 30) i
WHERE i * (10 + c) < 364 - (c * 37) % 200;

-- orders
SELECT position, term, round(estimate::numeric, 5), round(standard_error::numeric, 5), round(p_value::numeric, 4), round(odds_ratio::numeric, 4), round(importance::numeric, 4), round(variance_inflation::numeric, 3), dropped, separates
FROM crm.churn_drivers('orders', horizon => '45 days', penalty => 0.01) ORDER BY position;
SELECT DISTINCT n_rows, n_used, n_skipped, n_churned, n_cuts, round(deviance::numeric, 4), round(null_deviance::numeric, 4), converged, status FROM crm.churn_drivers('orders', horizon => '45 days', penalty => 0.01);
SELECT DISTINCT n_rows, n_used, n_skipped, n_churned, n_cuts, status FROM crm.churn_drivers('orders', as_of => '2025-12-31', horizon => '45 days', cuts => '{2025-06-01, 2025-08-01}', penalty => 0.01);
-- a feature of the caller's own that some customers lack, who then have its mean
SELECT term, n_rows, n_used, n_skipped, n_missing, n_cuts FROM crm.churn_drivers('orders', horizon => '45 days', cuts => '{2025-06-01}', penalty => 0.01, features => 'SELECT customer_id, timestamptz $$2025-01-01$$ AS observed_at, customer_id % 5 AS fifth FROM orders WHERE customer_id <= 40') WHERE position IN (0, 1, 7, 12) ORDER BY position;
SELECT count(*), min(n_used) FROM crm.churn_drivers(key => NULL::text, source => 'SELECT customer_id::text, ordered_at, amount FROM orders', horizon => '45 days', penalty => 0.01);
-- the caller's own table
CREATE TABLE customer AS SELECT customer_id, count(*) AS orders, sum(amount) AS spent, 5 AS five, 2 * count(*) AS twice, max(ordered_at) < '2025-10-01' AS silent FROM orders GROUP BY customer_id;
SET client_min_messages = notice;
SELECT position, term, round(estimate::numeric, 6), round(standard_error::numeric, 6), round(z::numeric, 4), round(standardised::numeric, 5), round(importance::numeric, 5), round(variance_inflation::numeric, 5), dropped, separates, n_cuts
FROM crm.churn_drivers('customer', label_column => 'silent') ORDER BY position;
SELECT term, status, separates FROM crm.churn_drivers('SELECT *, silent::int + 0.5 AS told FROM customer', label_column => 'silent', feature_columns => '{told}') ORDER BY position;
SELECT term, round(estimate::numeric, 6), variance_inflation, status FROM crm.churn_drivers('SELECT * FROM customer WHERE silent', label_column => 'silent', feature_columns => '{orders}') ORDER BY position;
SELECT term, estimate, n_rows, status FROM crm.churn_drivers('SELECT * FROM customer WHERE false', label_column => 'silent', feature_columns => '{orders}') ORDER BY position;
-- orders of nobody; a refund is no order
SELECT term, estimate, n_rows, n_cuts, status FROM crm.churn_drivers('SELECT * FROM orders WHERE false') WHERE position < 2 ORDER BY position;
SELECT function, rows_read, rows_used, rows_skipped, customers FROM crm.last_run();
SET client_min_messages = warning;

-- errors
SELECT call, fails('SELECT * FROM crm.churn_drivers(' || call || ')')
FROM unnest(ARRAY['$$orders$$, horizon => NULL', '$$orders$$, horizon => $$0 days$$', '$$orders$$, horizon => $$-1 days$$', '$$orders$$, as_of => $$infinity$$', '$$orders$$, horizon => $$1 year$$', '$$orders$$, as_of => $$2025-02-01$$', '$$orders$$, cuts => $${}$$', '$$orders$$, cuts => $${NULL}$$', '$$orders$$, cuts => $${2025-06-01, infinity}$$', '$$orders$$, cuts => $${2025-06-01, 2025-06-01}$$', '$$orders$$, cuts => $${{2025-06-01}, {2025-07-01}}$$',
	'$$orders$$, cuts => $${2025-12-01}$$', '$$orders$$, as_of => $$2025-12-31$$, cuts => $${2026-12-01}$$', '$$orders$$, penalty => NULL', '$$orders$$, penalty => -1', '$$no_table$$', '$$customer$$', 'key => NULL::uuid, source => $$orders$$', '$$orders$$, features => $$SELECT 1$$', '$$orders$$, label => $$SELECT 1$$',
	'NULL', 'NULL, label_column => $$silent$$', '$$customer$$, label_column => $$$$', '$$customer$$, label_column => $$nothing$$', '$$customer$$, label_column => $$spent$$', '$$customer$$, label_column => $$silent$$, feature_columns => $${nothing}$$', '$$customer$$, label_column => $$silent$$, feature_columns => $${silent}$$', '$$customer$$, label_column => $$silent$$, feature_columns => $${orders, orders}$$',
	'$$customer$$, label_column => $$silent$$, as_of => $$2025-01-01$$', '$$customer$$, label_column => $$silent$$, features => $$orders$$', '$$customer$$, label_column => $$silent$$, label => $$x$$', '$$customer$$, label_column => $$silent$$, cuts => $${2025-06-01}$$', '$$orders$$, feature_columns => $${orders}$$']) WITH ORDINALITY v (call, n) ORDER BY n;

DROP SCHEMA test_churn_drivers CASCADE;
