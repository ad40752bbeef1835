-- simulate: the surface of crm.simulate_orders: its options, errors, and that a seed gives the same orders.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 1;
CREATE SCHEMA test_simulate;
SET search_path = test_simulate, public;

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

-- arguments and result, volatility, strictness, parallel safety
SELECT pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('simulate_orders', 'simulate_subscriptions') ORDER BY p.proname;

-- the first customers of a shop
SELECT customer_id, date_trunc('second', ordered_at), amount FROM crm.simulate_orders(4, '2024-01-01Z', '2025-01-01Z');
-- amounts in whole units and in millionths; a moment's acquisition; no time zone matters
SELECT customer_id, date_trunc('second', ordered_at), amount FROM crm.simulate_orders(2, '2024-01-01Z', '2024-04-01Z', decimals => 0);
SELECT customer_id, date_trunc('second', ordered_at), amount FROM crm.simulate_orders(2, '2024-01-01Z', '2024-04-01Z', decimals => 6, acquisition => '0');
SELECT count(*) FROM crm.simulate_orders(3, '2024-01-01Z', '2024-04-01Z', acquisition => '0') WHERE ordered_at = '2024-01-01Z';

-- the same seed gives the same orders, whatever TimeZone and the number of customers; another seed gives others
CREATE TABLE first AS SELECT * FROM crm.simulate_orders(200, '2024-01-01Z', '2024-12-31Z', seed => 7, acquisition => '30 days');
SET TimeZone = 'Asia/Tokyo';
SELECT count(*) FROM (SELECT * FROM first EXCEPT ALL SELECT * FROM crm.simulate_orders(200, '2024-01-01Z', '2024-12-31Z', seed => 7, acquisition => '30 days')) q;
SELECT count(*) FROM (SELECT * FROM first EXCEPT ALL SELECT * FROM crm.simulate_orders(1000, '2024-01-01Z', '2024-12-31Z', seed => 7, acquisition => '30 days')) q;
SET TimeZone = 'UTC';
SELECT count(*) FROM (SELECT * FROM first INTERSECT SELECT * FROM crm.simulate_orders(200, '2024-01-01Z', '2024-12-31Z', seed => 8, acquisition => '30 days')) q;
SELECT fails('SELECT crm.simulate_orders(1, ''2024-01-01Z'', ''2024-02-01Z'', seed => -1)');

-- every customer orders, within the window, in order of customer and time, with whole cents above zero
SELECT count(DISTINCT customer_id), min(customer_id), max(customer_id), bool_and(ordered_at >= '2024-01-01Z' AND ordered_at < '2024-12-31Z'), bool_and(amount > 0 AND round(amount::numeric, 2) = amount::numeric) FROM first;
SELECT bool_and(ordered) FROM (SELECT (lag(customer_id) OVER w, lag(ordered_at) OVER w) <= (customer_id, ordered_at) FROM first WINDOW w AS (ORDER BY ctid)) q (ordered);
SELECT count(*) FROM (SELECT customer_id FROM first GROUP BY 1 HAVING min(ordered_at) >= timestamptz '2024-01-01Z' + interval '30 days') q;

-- options that are NULL
SELECT n, fails(format('SELECT crm.simulate_orders(%s)', call))
FROM (VALUES (1, 'NULL, ''2024-01-01Z'', ''2024-02-01Z'''), (2, '1, NULL, ''2024-02-01Z'''), (3, '1, ''2024-01-01Z'', NULL')) v (n, call) ORDER BY n;
SELECT option, fails(format('SELECT crm.simulate_orders(1, ''2024-01-01Z'', ''2024-02-01Z'', %s => NULL)', option))
FROM unnest('{seed, unit, p, q, v, decimals, model, acquisition, r, alpha, a, b}'::text[]) WITH ORDINALITY o (option, n) ORDER BY n;

-- options that cannot be
SELECT customers, fails(format('SELECT crm.simulate_orders(%s, ''2024-01-01Z'', ''2024-02-01Z'')', customers)) FROM unnest('{0, -1, 1000000000001}'::bigint[]) customers ORDER BY customers DESC;
SELECT start_at, end_at, fails(format('SELECT crm.simulate_orders(1, %L, %L)', start_at, end_at))
FROM (VALUES (1, '2024-01-01Z', '2024-01-01Z'), (2, '2024-01-02Z', '2024-01-01Z'), (3, '-infinity', '2024-01-01Z'), (4, '2024-01-01Z', 'infinity'), (5, '4713-01-01Z BC', '294276-12-31Z'), (6, '1700-01-01Z', '2000-01-01Z')) v (n, start_at, end_at) ORDER BY n;
SELECT option, fails(format('SELECT crm.simulate_orders(1, ''2024-01-01Z'', ''2024-02-01Z'', %s)', option))
FROM (VALUES (1, 'acquisition => ''-1 day'''), (2, 'acquisition => ''32 days'''), (3, 'acquisition => ''1 month'''), (4, 'unit => ''0'''), (5, 'unit => ''1 month'''), (6, 'unit => ''-1 day'''), (7, 'unit => ''200000 days'''),
	(8, 'r => 0'), (9, 'alpha => -1'), (10, 'a => ''NaN'''), (11, 'b => ''Infinity'''), (12, 'p => 0'), (13, 'q => 1e10'), (14, 'v => 1e-9'), (15, 'decimals => -1'), (16, 'decimals => 7')) v (n, option) ORDER BY n;

-- each model, with parameters published for it; those of another are refused
SELECT model, count(*), count(DISTINCT customer_id), min(date_trunc('second', ordered_at)) FROM unnest('{bgnbd, mbgnbd, paretonbd, bgbb}'::text[]) WITH ORDINALITY m (model, n), crm.simulate_orders(500, '2024-01-01Z', '2026-01-01Z', model => model, acquisition => '0') GROUP BY n, model ORDER BY n;
SELECT count(*) FROM (SELECT * FROM first EXCEPT ALL SELECT * FROM crm.simulate_orders(200, '2024-01-01Z', '2024-12-31Z', seed => 7, acquisition => '30 days', model => 'bgnbd', r => .243, alpha => 4.414, a => .793, b => 2.426)) q;
SELECT bool_and(extract(epoch FROM ordered_at - '2024-01-01Z')::bigint % 604800 = 0), count(*) = count(DISTINCT (customer_id, ordered_at)) FROM crm.simulate_orders(200, '2024-01-01Z', '2026-01-01Z', model => 'bgbb', alpha => 2, beta => 1, gamma => 1, delta => 20, acquisition => '0');
SELECT model, option, fails(format('SELECT crm.simulate_orders(1, ''2024-01-01Z'', ''2024-02-01Z'', model => %L, %s)', model, option))
FROM (VALUES (1, 'bgnbd', 's => 1'), (2, 'mbgnbd', 'gamma => 1'), (3, 'paretonbd', 'a => 1'), (4, 'bgbb', 'r => 1'), (5, 'paretonbd', 's => 0'), (6, 'bgbb', 'delta => ''NaN'''), (7, 'arima', 'r => 1')) v (n, model, option) ORDER BY n;

-- subscriptions: due on the same day of each month; the same seed gives the same; who is lost later is still there
SELECT customer_id, date_trunc('second', started_at), date_trunc('second', ended_at) FROM crm.simulate_subscriptions(5, '2024-01-01Z', '2025-01-01Z', acquisition => '31 days', alpha => 2, beta => 5);
CREATE TABLE contract AS SELECT * FROM crm.simulate_subscriptions(300, '2024-01-01Z', '2025-01-01Z', seed => 3);
SELECT count(*) FROM (SELECT * FROM contract EXCEPT SELECT * FROM crm.simulate_subscriptions(1000, '2024-01-01Z', '2025-01-01Z', seed => 3)) q;
SELECT count(*), bool_and(started_at >= '2024-01-01Z' AND started_at < '2025-01-01Z' AND ended_at > started_at AND ended_at <= '2025-01-01Z'), bool_and(EXISTS (SELECT FROM generate_series(1, 12) k WHERE ended_at = started_at + k * interval '1 month')) FROM contract WHERE ended_at IS NOT NULL;
SELECT option, fails(format('SELECT crm.simulate_subscriptions(1, ''2024-01-01Z'', ''2024-02-01Z'', %s)', option))
FROM (VALUES (1, 'seed => NULL'), (2, 'period => NULL'), (3, 'alpha => NULL'), (4, 'beta => 0'), (5, 'alpha => ''NaN'''), (6, 'period => ''0'''), (7, 'period => ''1 month 1 day'''), (8, 'acquisition => ''1 month'''), (9, 'acquisition => ''40 days''')) v (n, option) ORDER BY n;
SELECT fails('SELECT crm.simulate_subscriptions(0, ''2024-01-01Z'', ''2024-02-01Z'')');
SELECT fails('SELECT crm.simulate_subscriptions(1, ''2024-01-01Z'', ''infinity'')');

-- caps that bite say so
SET client_min_messages = notice;
SELECT count(*) FROM crm.simulate_orders(3, '2024-01-01Z', '2024-02-01Z', v => 1e9, q => 0.01);
SET client_min_messages = warning;

DROP SCHEMA test_simulate CASCADE;
