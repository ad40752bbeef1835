-- retention: the surface of crm.retention and crm.subscription_retention: options, rows that are skipped, and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
CREATE SCHEMA test_retention;
SET search_path = test_retention, public;

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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('retention', 'subscription_retention')
ORDER BY p.proname, p.pronargs;

CREATE TABLE orders (customer_id int, ordered_at timestamptz, amount numeric);
INSERT INTO orders VALUES
	(1, '2025-01-05', 100), (1, '2025-01-25', 20), (1, '2025-02-14', 150), (1, '2025-03-09', 30),
	(2, '2025-01-31 23:59:59', 80), (2, '2025-03-01', 40), (2, '2025-02-10', -8),
	(3, '2025-02-15', 60), (3, '2025-03-15', 55),
	(4, '2025-04-10', 0);

-- April is not over
\x on
SELECT * FROM crm.retention('orders', to_at => '2025-04-20');
-- of April alone, over
SELECT * FROM crm.retention('orders', '2025-04-01', '2025-05-01');
\x off
-- ordered in the last two months
SELECT period_start, at_start, retained, lost, new_customers, returned, at_end, start_revenue, expansion, contraction, lost_revenue, end_revenue FROM crm.retention('orders', to_at => '2025-05-01', active_periods => 2);
-- weeks, quarters, a period with nothing in it
SELECT period_start, period_end, at_start, at_end, is_complete FROM crm.retention('orders', '2025-01-29', '2025-02-12', '7 days');
SELECT period_start, period_end, at_start, retained, at_end, is_complete FROM crm.retention('orders', to_at => '2025-07-01', period => '3 months');
SELECT period_start, period_end, at_start, at_end, retention_rate, net_revenue_retention FROM crm.retention('orders', '2030-01-01', '2030-01-02', '1 day');
-- nothing at all
SELECT count(*) FROM crm.retention('SELECT 1 AS customer_id, now() AS ordered_at, 1 AS amount WHERE false');
SELECT count(*) FROM crm.retention('orders', to_at => '2020-01-01');

CREATE TABLE subscriptions (customer_id text, started_at date, ended_at date, amount numeric);
INSERT INTO subscriptions VALUES ('a', '2025-01-10', NULL, 100), ('a', '2025-02-10', '2025-03-20', 30), ('b', '2025-01-01', '2025-02-01', 50), ('b', '2025-02-01', '2025-04-01', 40), ('c', '2025-02-05', '2025-02-25', 70),
	('d', '2025-01-15', '2025-02-15', 20), ('d', '2025-03-15', NULL, 25), ('e', '2025-04-02', '2025-04-12', 10), ('f', '2025-04-15', NULL, 5);
\x on
SELECT * FROM crm.subscription_retention('subscriptions', to_at => '2025-04-20');
SELECT * FROM crm.subscription_retention('subscriptions', '2025-03-01', '2025-04-01');
\x off
SELECT count(*) FROM crm.subscription_retention('SELECT * FROM subscriptions WHERE false');

-- rows that are skipped
SET client_min_messages = notice;
INSERT INTO orders VALUES (NULL, '2025-01-01', 1), (1, NULL, 1), (1, '2025-01-01', NULL), (1, 'infinity', 1), (1, '2025-01-01', 'NaN'), (1, '2025-06-01', 1);
SELECT sum(end_revenue) FROM crm.retention('orders', to_at => '2025-05-01');
SELECT sum(end_revenue) FROM crm.retention('orders', to_at => '2025-05-01', refunds => 'drop');
INSERT INTO subscriptions VALUES (NULL, '2025-01-01', NULL, 1), ('z', NULL, NULL, 1), ('z', '2025-01-01', NULL, NULL), ('z', '-infinity', NULL, 1), ('z', '2025-01-01', '-infinity', 1), ('z', '2025-01-01', NULL, 'NaN'), ('z', '2026-01-01', NULL, 1), ('z', '2025-01-01', '2025-01-01', 1);
SELECT count(*) FROM crm.subscription_retention('subscriptions', to_at => '2025-04-20');
SET client_min_messages = warning;
SELECT function, rows_read, rows_used, rows_skipped, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of, customers FROM crm.last_run();

-- every error
SELECT fails(format('SELECT * FROM crm.retention(%s)', arguments)) FROM unnest(ARRAY['''orders'', to_at => NULL', '''orders'', to_at => ''infinity''', '''orders'', ''2025-02-01'', ''2025-02-01''', '''orders'', ''-infinity'', ''2025-02-01''', '''orders'', period => NULL', '''orders'', period => ''0''', '''orders'', period => ''-1 month''',
	'''orders'', period => ''1 month 1 day''', '''orders'', active_periods => NULL', '''orders'', active_periods => 0', '''orders'', active_periods => 1001', '''orders'', refunds => NULL', '''orders'', refunds => ''x''', '''orders'', to_at => ''2025-05-01'', refunds => ''error''', '''nowhere''',
	'''SELECT 1 AS customer_id, now() AS ordered_at''']) WITH ORDINALITY v (arguments, n) ORDER BY n;
SELECT fails(format('SELECT * FROM crm.subscription_retention(%s)', arguments)) FROM unnest(ARRAY['NULL', '''subscriptions'', to_at => NULL', '''subscriptions'', ''2025-02-01'', ''2025-02-01''', '''subscriptions'', period => NULL', '''subscriptions'', period => ''0''', '''nowhere''',
	'''SELECT 1 AS customer_id, now() AS started_at, now() AS ended_at''', '''SELECT 1 AS customer_id, timestamptz ''''2025-01-02'''' AS started_at, timestamptz ''''2025-01-01'''' AS ended_at, 1 AS amount''',
	'''SELECT point(1, 1) AS customer_id, now() AS started_at, now() AS ended_at, 1 AS amount''']) WITH ORDINALITY v (arguments, n) ORDER BY n;

-- more periods than memory: each second of more than a year
SET maintenance_work_mem = '4MB';
SELECT fails($$SELECT * FROM crm.retention('orders', '2024-01-01', '2025-05-01', '1 second')$$);
SELECT fails($$SELECT * FROM crm.subscription_retention('SELECT * FROM subscriptions WHERE customer_id = ''a''', '2024-01-01', '2025-05-01', '1 second')$$);
