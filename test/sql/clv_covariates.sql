-- clv_covariates: the surface of crm.clv_covariates and crm.paretonbd_scale: options, keys and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';
CREATE SCHEMA test_clv_covariates;
SET search_path = test_clv_covariates, public;

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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('clv_covariates', 'paretonbd_scale')
ORDER BY p.proname, p.pronargs;

CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(600, '2024-01-01', '2025-01-01', seed => 3);
CREATE TABLE customers AS SELECT c AS customer_id, c % 2 AS club, (c * 7919) % 50 + 20 AS age, 1 AS shop, 3 * (c % 2) - (c * 7919) % 50 AS mixed, 'x'::text AS name FROM generate_series(1, 600) c;
CREATE TABLE fitted AS SELECT * FROM crm.clv_covariates('orders', 'customers', purchase => '{club, age}', dropout => '{club}', as_of => '2025-01-01');
SELECT position, process, term, round(estimate::numeric, 3), round(standard_error::numeric, 3), round(z::numeric, 2), round(p_value::numeric, 3), round(low::numeric, 3), round(high::numeric, 3), round(multiplier::numeric, 3), dropped, round(process_chi_squared::numeric, 2), process_df, round(process_p_value::numeric, 3) FROM fitted;
SELECT DISTINCT round(log_likelihood::numeric, 2), round(null_log_likelihood::numeric, 2), round(chi_squared::numeric, 2), df, round(model_p_value::numeric, 3), round((aic + 2 * log_likelihood)::numeric, 6), n, n_used, n_skipped, iterations > 0, gradient_norm < 1e-6, converged, status, message FROM fitted;

-- what is left out is told: columns, customers, rows of covariates
SET client_min_messages = notice;
SELECT process, term, round(estimate::numeric, 3), dropped, process_df, df, n, n_used, n_skipped FROM crm.clv_covariates('orders', 'SELECT *, club AS again FROM customers WHERE customer_id % 5 <> 0 UNION ALL SELECT 1000 + c, 0, 30, 1, 0, '''', 0 FROM generate_series(1, 3) c', purchase => '{club, shop, again}', dropout => '{}', as_of => '2025-01-01', penalty => 0.01);
SELECT DISTINCT status, n, n_used FROM crm.clv_covariates('orders', 'SELECT customer_id, CASE WHEN customer_id % 3 = 0 THEN NULL WHEN customer_id % 3 = 1 THEN ''NaN''::float8 ELSE age END AS age FROM customers', as_of => '2025-01-01');
SET client_min_messages = warning;

-- every numeric column by default; another key; nobody
SELECT string_agg(process || ' ' || term, ', ' ORDER BY position) FROM crm.clv_covariates('orders', 'SELECT customer_id, club, age, name FROM customers', as_of => '2025-01-01');
SELECT string_agg(DISTINCT n || ' ' || n_used || ' ' || status, ', ') FROM crm.clv_covariates(key => NULL::text, source => 'SELECT ''c'' || customer_id AS customer_id, ordered_at, amount FROM orders', covariates => 'SELECT ''c'' || customer_id AS customer_id, club FROM customers', as_of => '2025-01-01');
SELECT term, estimate, standard_error, chi_squared, n, n_used, converged, status, message FROM crm.clv_covariates('orders', 'customers', purchase => '{club}', dropout => '{}', as_of => '2023-01-01');
SELECT DISTINCT n, n_used, n_skipped, status FROM crm.clv_covariates('orders', 'SELECT * FROM customers WHERE false', purchase => '{club}', dropout => '{}', as_of => '2025-01-01');
-- an effect without limit
SELECT term, round(estimate::numeric, 1), standard_error, status, message FROM crm.clv_covariates('SELECT * FROM orders o WHERE customer_id % 4 > 0 OR NOT EXISTS (SELECT FROM orders p WHERE p.customer_id = o.customer_id AND p.ordered_at < o.ordered_at)', 'SELECT customer_id, (customer_id % 4 = 0)::int AS once FROM customers', dropout => '{}', as_of => '2025-01-01') WHERE position = 2;

-- the scalar
SELECT crm.paretonbd_scale(10, '{0.5, NULL, -1}', '{2, 7, 3}') = 10 * exp(2.0), crm.paretonbd_scale(10, '{}', '{}'), crm.paretonbd_scale(10, '{1}', '{NULL}'), crm.paretonbd_scale(10, NULL, '{1}');
SELECT fails($$SELECT crm.paretonbd_scale(10, '{1}', '{1, 2}')$$);
SELECT fails($$SELECT crm.paretonbd_scale(10, '{{1}}', '{1}')$$);

-- every error
SELECT fails(format('SELECT * FROM crm.clv_covariates(%s)', arguments)) FROM unnest(ARRAY['''orders'', NULL', '''orders'', ''customers'', purchase => ''{}'', dropout => ''{}''', '''orders'', ''customers'', purchase => ''{club, club}''', '''orders'', ''customers'', purchase => ''{NULL}''', '''orders'', ''customers'', purchase => ''{height}'', dropout => ''{}''',
	'''orders'', ''customers'', purchase => ''{name}''', '''orders'', ''customers'', purchase => ''{name}'', dropout => ''{}''', '''orders'', ''customers'', purchase => ''{customer_id}'', dropout => ''{}''', '''orders'', ''nowhere''', '''nowhere'', ''customers''', '''orders'', ''SELECT 1 AS club''', '''orders'', ''SELECT 1 AS customer_id''',
	'''orders'', ''SELECT customer_id, club FROM customers UNION ALL SELECT 7, 0''', '''orders'', ''SELECT ''''c'''' || customer_id AS customer_id, club FROM customers''', '''orders'', ''customers'', as_of => NULL', '''orders'', ''customers'', as_of => ''infinity''', '''orders'', ''customers'', period => NULL', '''orders'', ''customers'', period => ''0''', '''orders'', ''customers'', refunds => ''x''',
	'''orders'', ''customers'', penalty => -1', '''orders'', ''customers'', penalty => NULL', '''orders'', ''customers'', level => 1', '''orders'', ''customers'', level => NULL']) WITH ORDINALITY v (arguments, n) ORDER BY n;
SELECT fails(format('SELECT * FROM crm.clv_covariates(''orders'', ''SELECT customer_id, %s FROM customers'')', string_agg('club AS c' || i, ', '))) FROM generate_series(1, 31) i;
SELECT fails(format('SELECT * FROM crm.clv_covariates(''orders'', ''SELECT customer_id, %s FROM customers'')', string_agg('club AS c' || i, ', '))) FROM generate_series(1, 61) i;

DROP SCHEMA test_clv_covariates CASCADE;
