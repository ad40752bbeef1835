-- cohorts: the surface of crm.cohorts: options, rows that are skipped, and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
CREATE SCHEMA test_cohorts;
SET search_path = test_cohorts, public;

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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('cohorts')
ORDER BY p.proname, p.pronargs;

CREATE TABLE orders (customer_id int, ordered_at timestamptz, amount numeric);
INSERT INTO orders VALUES
	(1, '2025-01-05', 100), (1, '2025-01-25', 20), (1, '2025-03-02', 50), (1, '2025-03-09', -10),
	(2, '2025-01-31 23:59:59', 80), (2, '2025-02-01', 40),
	(3, '2025-03-15', 60), (3, '2025-02-15', -5), (3, '2025-04-10', 30),
	(4, '2025-03-31', 0);

-- months; a refund counts in March, one before the first order with that order, and April is not over
SELECT * FROM crm.cohorts('orders', as_of => '2025-04-20');
SELECT cohort_start, number, value, share FROM crm.cohorts('orders', measure => 'revenue', as_of => '2025-04-20');
SELECT cohort_start, number, value, share FROM crm.cohorts('orders', measure => 'orders', as_of => '2025-04-20');
-- a quarter's cohort by months: number 2 is over when it is for those who began in March
SELECT cohort_start, number, period_start, size, active, rate, is_complete FROM crm.cohorts('orders', 'quarter', as_of => '2025-04-20');
-- a month's cohort by years, a day's by quarters, a year's by weeks
SELECT cohort_start, number, period_start, size, active, rate, is_complete FROM crm.cohorts('orders', period => 'year', as_of => '2026-01-01');
SELECT cohort_start, number, period_start, size, active, rate, is_complete FROM crm.cohorts('orders', 'day', 'quarter', as_of => '2025-04-20');
SELECT cohort_start, number, period_start, size, active, rate, is_complete FROM crm.cohorts('orders', 'year', 'week', as_of => '2025-01-26');
-- the time zone decides
SET TimeZone = 'Europe/Paris';
SELECT cohort_start, number, size, active FROM crm.cohorts('orders', as_of => '2025-02-20') WHERE number < 2;
SET TimeZone = 'UTC';
-- nobody yet, no rows at all, one order, nothing since an order long ago
SELECT * FROM crm.cohorts('orders', as_of => '2024-12-31');
SELECT * FROM crm.cohorts('SELECT 1 AS customer_id, now() AS ordered_at, 1 AS amount WHERE false');
SELECT * FROM crm.cohorts('SELECT 1 AS customer_id, timestamptz ''2025-01-01'' AS ordered_at, 1 AS amount', as_of => '2025-01-01');
SELECT cohort_start, max(number), sum(active), count(*) FROM crm.cohorts('SELECT 1 AS customer_id, timestamptz ''1900-01-01'' AS ordered_at, 1 AS amount', 'day', 'day', as_of => '2025-01-01') GROUP BY 1;
SELECT min(cohort_start), count(*) FROM crm.cohorts('SELECT 1 AS customer_id, timestamptz ''4713-01-01 BC'' AS ordered_at, 1 AS amount', 'year', 'year', as_of => '2025-06-01');

-- rows that are skipped, and customers
SET client_min_messages = notice;
INSERT INTO orders VALUES (NULL, '2025-01-01', 1), (1, NULL, 1), (1, '2025-01-01', NULL), (1, 'infinity', 1), (1, '2025-01-01', 'NaN'), (1, '2025-06-01', 1), (9, '2025-02-01', -1);
SELECT sum(orders), sum(revenue) FROM crm.cohorts('orders', as_of => '2025-04-20');
SELECT sum(orders), sum(revenue) FROM crm.cohorts('orders', as_of => '2025-04-20', refunds => 'drop');
SET client_min_messages = warning;
SELECT function, rows_read, rows_used, rows_skipped, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of, skipped_refund, customers FROM crm.last_run();

-- every error
SELECT fails(format('SELECT * FROM crm.cohorts(%s)', arguments)) FROM unnest(ARRAY['''orders'', cohort => NULL', '''orders'', cohort => ''fortnight''', '''orders'', period => NULL', '''orders'', period => ''1 month''', '''orders'', measure => NULL', '''orders'', measure => ''amount''',
	'''orders'', as_of => NULL', '''orders'', as_of => ''infinity''', '''orders'', refunds => NULL', '''orders'', refunds => ''x''', '''orders'', refunds => ''error'', as_of => ''2025-04-20''', '''nowhere''', '''SELECT 1 AS customer_id, now() AS ordered_at''', '''SELECT point(1, 1) AS customer_id, now() AS ordered_at, 1 AS amount''',
	'''SELECT 1 AS customer_id, now() AS ordered_at, 1 AS amount; SELECT 2''']) WITH ORDINALITY v (arguments, n) ORDER BY n;
SELECT fails('SELECT crm._activity(customer_id, ordered_at, amount, NULL) FROM orders');
SELECT fails('SELECT crm._activity(customer_id, ordered_at, amount, ''{1,2}'') FROM orders');
SELECT fails('SELECT crm._activity(customer_id, ordered_at, amount, ''{0,0,0,0,0,0,0}'') FROM orders');
SELECT crm._activity(customer_id, ordered_at, amount, NULL) FROM orders WHERE false;
SELECT fails('SELECT crm._activity_final(NULL)');

-- more periods than memory: each of 2,400,000 days would be a row
SET maintenance_work_mem = '4MB';
SELECT fails($$SELECT * FROM crm.cohorts('SELECT 1 AS customer_id, timestamptz ''4713-01-01 BC'' AS ordered_at, 1 AS amount', 'day', 'day', as_of => '2025-01-01')$$);
