-- crm.clv_summary against its definition in plain SQL, the same to the last bit whatever the order, the plan and the key; against
-- the published summary of CDNOW; and crm.regularity against its formula.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'Europe/Paris';
CREATE SCHEMA test_clv_summary;
SET LOCAL search_path = test_clv_summary, public;
SELECT * FROM no_plan();

-- 800 customers with up to 30 orders, several a day, refunds among them, and some after as_of.
CREATE FUNCTION u(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || left(md5(seed), 13))::bit(52)::bigint / 2 ^ 52 $$;
CREATE TABLE orders AS
SELECT c::bigint AS customer_id, timestamptz '2024-01-01' + u('s' || c) * interval '300 days' + u(c || 't' || o) * interval '200 days' AS ordered_at,
	round((100 * u(c || 'a' || o) - CASE WHEN o % 7 = 3 THEN 100 ELSE 0 END)::numeric, 2)::float8 AS amount
FROM generate_series(1, 800) c, generate_series(1, 1 + (30 * u('n' || c) ^ 3)::int) o;
ALTER TABLE orders SET (parallel_workers = 2);
ANALYZE orders;

-- The definition: orders of a day are one transaction, refunds only lower what was spent.
CREATE FUNCTION defined(unit text) RETURNS TABLE (customer_id bigint, x bigint, t_x float8, t float8, mean_spend numeric, first_order_at timestamptz, last_order_at timestamptz) LANGUAGE sql AS $$
	WITH usable AS (SELECT * FROM orders WHERE ordered_at <= '2024-11-01 12:00'),
		bought AS (SELECT customer_id, date_trunc(unit, ordered_at)::date AS day, sum(amount::numeric) AS amount, min(ordered_at) AS first_at, max(ordered_at) AS last_at FROM usable WHERE amount >= 0 GROUP BY 1, 2),
		back AS (SELECT customer_id, sum(amount::numeric) AS amount FROM usable WHERE amount < 0 GROUP BY 1),
		numbered AS (SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY day) AS n FROM bought),
		lengths AS (SELECT CASE unit WHEN 'week' THEN 7 ELSE 1 END AS days)
	SELECT customer_id, count(*) - 1, (max(day) - min(day))::float8 / days, (date_trunc(unit, timestamptz '2024-11-01 12:00')::date - min(day))::float8 / days,
		(sum(numbered.amount) FILTER (WHERE n > 1) + coalesce(min(back.amount), 0)) / nullif(count(*) - 1, 0), min(first_at), max(last_at)
	FROM numbered LEFT JOIN back USING (customer_id), lengths GROUP BY customer_id, days
$$;
CREATE TABLE day AS SELECT * FROM crm.clv_summary('orders', as_of => '2024-11-01 12:00');
CREATE TABLE week AS SELECT * FROM crm.clv_summary('orders', as_of => '2024-11-01 12:00', period => '1 week');
SELECT cmp_ok((SELECT count(*) FROM day WHERE x > 0), '>', 300::bigint, 'there is something to compare');
SELECT is_empty($$SELECT d.customer_id FROM defined('day') d FULL JOIN day s USING (customer_id)
	WHERE (d.x, d.t_x, d.t, d.first_order_at, d.last_order_at) IS DISTINCT FROM (s.x, s.t_x, s.t, s.first_order_at, s.last_order_at) OR (d.mean_spend IS NULL) <> (s.mean_spend IS NULL) OR abs(d.mean_spend - s.mean_spend::numeric) > 1e-9$$,
	'by days it is its definition, daylight saving time included');
SELECT is_empty($$SELECT d.customer_id FROM defined('week') d FULL JOIN week s USING (customer_id)
	WHERE (d.x, d.t_x, d.t, d.first_order_at, d.last_order_at) IS DISTINCT FROM (s.x, s.t_x, s.t, s.first_order_at, s.last_order_at) OR (d.mean_spend IS NULL) <> (s.mean_spend IS NULL) OR abs(d.mean_spend - s.mean_spend::numeric) > 1e-9$$,
	'by weeks too');
SELECT is((SELECT array_agg(customer_id) FROM day), (SELECT array_agg(customer_id ORDER BY customer_id) FROM day), 'rows come in the order of customer_id');
SELECT set_eq($$SELECT * FROM crm.clv_summary('SELECT * FROM orders ORDER BY md5(ordered_at::text)', as_of => '2024-11-01 12:00')$$, 'SELECT * FROM day', 'whatever the order of rows');
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT set_eq($$SELECT * FROM crm.clv_summary('orders', as_of => '2024-11-01 12:00')$$, 'SELECT * FROM day', 'and the plan');
SELECT CASE WHEN workers > 0 THEN pass('which had workers') ELSE skip('no worker was free') END FROM crm.last_run();
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT set_eq($$SELECT ('x' || replace(left(customer_id::text, 18), '-', ''))::bit(64)::bigint, x, t_x, t, mean_spend FROM crm.clv_summary(key => NULL::uuid, source => 'SELECT (lpad(to_hex(customer_id), 16, ''0'') || ''0000000000000000'')::uuid AS customer_id, ordered_at, amount FROM orders', as_of => '2024-11-01 12:00')$$,
	'SELECT customer_id, x, t_x, t, mean_spend FROM day', 'and the key');

-- regularity by its formula
CREATE TABLE pair AS
WITH bought AS (SELECT DISTINCT customer_id, ordered_at::date AS day FROM orders WHERE ordered_at <= '2024-11-01 12:00' AND amount >= 0),
	gap AS (SELECT *, day - lag(day) OVER w AS w, lag(day) OVER w - lag(day, 2) OVER w AS u FROM bought WINDOW w AS (PARTITION BY customer_id ORDER BY day))
SELECT customer_id, avg((u::float8 / (u + w) - 0.5) ^ 2) AS v, count(*) AS n FROM gap WHERE u IS NOT NULL GROUP BY 1;
SELECT is((SELECT (customers, pairs) FROM crm.regularity('orders', as_of => '2024-11-01 12:00')), (SELECT (count(*), sum(n)::bigint) FROM pair), 'regularity: customers and pairs');
SELECT cmp_ok(abs((SELECT k FROM crm.regularity('orders', as_of => '2024-11-01 12:00')) / (SELECT (1 - 4 * avg(v)) / (8 * avg(v)) FROM pair) - 1), '<', 1e-12::float8, 'and k');
SELECT cmp_ok(abs((SELECT standard_error FROM crm.regularity('orders', as_of => '2024-11-01 12:00')) / (SELECT stddev_samp(v) / sqrt(count(*)) / (8 * avg(v) ^ 2) FROM pair) - 1), '<', 1e-9::float8, 'and its error');
SELECT is((SELECT status FROM crm.regularity('SELECT * FROM crm.simulate_orders(3000, ''2024-01-01'', ''2025-01-01'', seed => 5)', as_of => '2025-01-01')), 'random', 'a simulated shop is random');

-- CDNOW: the published summary of the calibration period, where the environment names a folder that has it
\set has_cdnow `test -r "${CRM_DATA:-/nowhere}/CDNOW_sample.txt" && test -r "${CRM_DATA:-/nowhere}/cdnow_summary_with_tx.csv" && echo on || echo off`
\if :has_cdnow
CREATE TABLE cdnow (master int, customer_id int, ordered_at date, cds int, amount numeric);
\copy cdnow from program 'sed -E "s/\r//; s/^ +//; s/ +$//; s/ +/,/g" "$CRM_DATA/CDNOW_sample.txt"' (format csv)
CREATE TABLE published (id int, x int, t_x numeric, t numeric, mean_spend numeric);
\copy published from program 'sed "s/\r//; 1d" "$CRM_DATA/cdnow_summary_with_tx.csv"' (format csv)
SELECT is_empty($$SELECT customer_id FROM crm.clv_summary('cdnow', as_of => '1997-09-30') s FULL JOIN published p ON p.id = s.customer_id
	WHERE s.x IS DISTINCT FROM p.x OR round((s.t_x / 7)::numeric, 2) IS DISTINCT FROM p.t_x OR round((s.t / 7)::numeric, 2) IS DISTINCT FROM p.t OR abs(coalesce(s.mean_spend, 0) - p.mean_spend) > 0.00501$$,
	'CDNOW: the published summary of all 2,357 customers');
SELECT is((SELECT status FROM crm.regularity('cdnow', as_of => '1997-09-30')), 'random', 'CDNOW is random');
\else
SELECT skip('CRM_DATA has no CDNOW_sample.txt', 2);
\endif

SELECT * FROM finish();
ROLLBACK;
