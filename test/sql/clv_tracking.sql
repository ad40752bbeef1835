-- clv_tracking: the surface of crm.clv_tracking: options, keys and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET IntervalStyle = 'postgres';
SET DateStyle = 'ISO, YMD';
SET TimeZone = 'UTC';
CREATE SCHEMA test_clv_tracking;
SET search_path = test_clv_tracking, public;

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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname = 'clv_tracking'
ORDER BY p.pronargs;

CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(500, '2024-01-01', '2025-01-01', seed => 3);
SELECT number, starts_at, ends_at, in_sample, actual, round(expected::numeric, 3), actual_cumulative, round(expected_cumulative::numeric, 3), fitted_model, status FROM crm.clv_tracking('orders', '2024-10-01', '2024-12-31', step => '1 month');
SELECT count(*), max(actual_cumulative), round(max(expected_cumulative)::numeric, 2) FROM crm.clv_tracking(key => NULL::text, source => 'SELECT ''c'' || customer_id AS customer_id, ordered_at, amount FROM orders', cut_at => '2024-10-01', until => '2024-12-31', model => 'mbgnbd');

-- nobody; one customer; all in the period of the cut; the cut is the end
SELECT count(*) FROM crm.clv_tracking('orders', '2023-10-01', '2024-12-31');
SELECT number, starts_at::date, ends_at::date, in_sample, actual, expected, expected_cumulative, fitted_model, status FROM crm.clv_tracking('SELECT 1 AS customer_id, timestamptz ''2024-01-01'' AS ordered_at, 5 AS amount UNION ALL SELECT 1, ''2024-01-10'', 5', '2024-01-05', '2024-01-15', model => 'mbgnbd');
SELECT number, in_sample, actual, expected FROM crm.clv_tracking('SELECT 1 AS customer_id, timestamptz ''2024-01-01'' AS ordered_at, 5 AS amount', '2024-01-01', '2024-01-02');
SELECT count(*) FROM crm.clv_tracking('SELECT 1 AS customer_id, timestamptz ''2024-01-01'' AS ordered_at, 5 AS amount', '2024-01-01', '2024-01-01');

-- every error
SELECT fails(format('SELECT * FROM crm.clv_tracking(%s)', arguments)) FROM unnest(ARRAY['''orders'', NULL, ''2025-01-01''', '''orders'', ''infinity'', ''2025-01-01''', '''orders'', ''2024-10-01'', NULL', '''orders'', ''2024-10-01'', ''-infinity''', '''orders'', ''2024-10-01'', ''2024-09-01''',
	'''orders'', ''2024-10-01'', ''2025-01-01'', model => NULL', '''orders'', ''2024-10-01'', ''2025-01-01'', model => ''formula''', '''orders'', ''2024-10-01'', ''2025-01-01'', period => NULL', '''orders'', ''2024-10-01'', ''2025-01-01'', period => ''1 month 1 day''',
	'''orders'', ''2024-10-01'', ''2025-01-01'', step => NULL', '''orders'', ''2024-10-01'', ''2025-01-01'', step => ''1 hour''', '''orders'', ''2024-10-01'', ''2025-01-01'', step => ''-1 week''', '''orders'', ''2024-10-01'', ''2025-01-01'', step => ''0''', '''orders'', ''2024-10-01'', ''2025-01-01'', period => ''1 minute'', step => ''2 minutes''',
	'''SELECT 1 AS customer_id, d AS ordered_at, 5 AS amount FROM generate_series(timestamptz ''''2024-01-01'''', ''''2024-12-31'''', ''''30 days'''') d UNION ALL SELECT c, ''''2024-03-03'''', 2 FROM generate_series(2, 9) c'', ''2024-10-01'', ''2025-01-01'', period => ''1 second'', model => ''mbgnbd''',
	'''orders'', ''2024-10-01'', ''2025-01-01'', refunds => ''x''', '''orders'', ''2024-10-01'', ''2025-01-01'', seed => NULL', '''nowhere'', ''2024-10-01'', ''2025-01-01''']) WITH ORDINALITY v (arguments, n) ORDER BY n;

DROP SCHEMA test_clv_tracking CASCADE;
