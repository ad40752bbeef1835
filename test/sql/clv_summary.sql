-- clv_summary: the surface of crm.clv_summary and crm.regularity: options, keys and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 1;
CREATE SCHEMA test_clv_summary;
SET search_path = test_clv_summary, public;

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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('clv_summary', 'regularity')
ORDER BY p.proname, p.pronargs;

-- the page's worked example; a customer of one order, one of refunds only, one who returned everything, one of the future
CREATE TABLE orders (customer_id bigint, ordered_at timestamptz, amount float8);
INSERT INTO orders VALUES (1, '2025-03-11 12:00', 40), (1, '2025-03-01 18:00', 5), (1, '2025-03-04 12:00', 20), (1, '2025-03-01 09:00', 10),
	(2, '2025-03-14 23:59', 7), (3, '2025-03-02', -7), (4, '2025-03-03', 9), (4, '2025-03-05', 11), (4, '2025-03-06', -11), (5, '2025-03-16', 1),
	(6, NULL, 1), (NULL, '2025-03-02', 1), (7, '2025-03-02', 'NaN');
SELECT * FROM crm.clv_summary('orders', as_of => '2025-03-15');
SELECT * FROM crm.clv_summary('orders', as_of => '2025-03-15', refunds => 'drop');
SELECT * FROM crm.clv_summary('orders', as_of => '2025-03-15', period => '1 week');
SELECT * FROM crm.clv_summary('orders', as_of => '2025-03-15', period => '1 month');
SELECT rows_read, rows_used, rows_skipped, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of, customers, road FROM crm.last_run();
SELECT pg_typeof(customer_id), * FROM crm.clv_summary(key => NULL::text, source => 'SELECT ''c'' || customer_id AS customer_id, ordered_at, amount FROM orders', as_of => '2025-03-15') ORDER BY customer_id COLLATE "C";
SET crm.road = 'group';
SELECT * FROM crm.clv_summary('orders', as_of => '2025-03-15');
RESET crm.road;

-- nobody, and all on one day
SELECT count(*) FROM crm.clv_summary('SELECT * FROM orders WHERE false');
SELECT * FROM crm.regularity('SELECT * FROM orders WHERE false');
SELECT customer_id, x, t_x, t, mean_spend FROM crm.clv_summary('SELECT 1 + i % 2 AS customer_id, timestamptz ''2025-03-01'' + i * interval ''1 hour'' AS ordered_at, 10 AS amount FROM generate_series(0, 3) i', as_of => '2025-03-01 23:00');

-- regularity: too few, a clock, bursts
SELECT * FROM crm.regularity('orders', as_of => '2025-03-15');
SELECT customers, pairs, k, mean_gap, status, message FROM crm.regularity('SELECT c AS customer_id, timestamptz ''2025-01-01'' + i * c * interval ''7 days'' AS ordered_at, 1 AS amount FROM generate_series(1, 20) c, generate_series(0, 4) i', as_of => '2027-01-01');
SELECT customers, pairs, round(k::numeric, 3), status, message FROM crm.regularity('SELECT c AS customer_id, timestamptz ''2025-01-01'' + (i / 2 * 100 + i % 2) * interval ''1 day'' AS ordered_at, 1 AS amount FROM generate_series(1, 20) c, generate_series(0, 5) i', as_of => '2027-01-01');
SELECT customers, pairs, k, status, message FROM crm.regularity('SELECT c AS customer_id, timestamptz ''2025-01-01'' + i * interval ''1 day'' AS ordered_at, 1 AS amount FROM generate_series(1, 20) c, generate_series(0, 5) i', as_of => '2027-01-01');

-- every error
SELECT fails($$SELECT * FROM crm.clv_summary('orders', as_of => NULL)$$);
SELECT fails($$SELECT * FROM crm.clv_summary('orders', as_of => 'infinity')$$);
SELECT fails($$SELECT * FROM crm.clv_summary('orders', period => NULL)$$);
SELECT fails($$SELECT * FROM crm.clv_summary('orders', period => '0')$$);
SELECT fails($$SELECT * FROM crm.clv_summary('orders', period => '-1 day')$$);
SELECT fails($$SELECT * FROM crm.clv_summary('orders', period => '1 month 1 day')$$);
SELECT fails($$SELECT * FROM crm.clv_summary('orders', refunds => NULL)$$);
SELECT fails($$SELECT * FROM crm.clv_summary('orders', refunds => 'gross')$$);
SELECT fails($$SELECT * FROM crm.clv_summary('orders', refunds => 'error')$$);
SELECT fails($$SELECT * FROM crm.clv_summary('SELECT 1 AS customer_id, now() AS ordered_at')$$);
SELECT fails($$SELECT * FROM crm.clv_summary('SELECT ''a'' AS customer_id, now() AS ordered_at, 1 AS amount')$$);
SELECT fails($$SELECT * FROM crm.clv_summary()$$);
SELECT fails($$SELECT * FROM crm.regularity('orders', period => NULL)$$);
SELECT fails($$SELECT * FROM crm.regularity('nowhere')$$);

DROP SCHEMA test_clv_summary CASCADE;
