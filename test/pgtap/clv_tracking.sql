-- crm.clv_tracking against its definition in SQL over the orders and the toolkit, and CDNOW.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_clv_tracking;
SET LOCAL search_path = test_clv_tracking, public;
SELECT * FROM no_plan();

CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(800, '2024-01-03', '2025-01-01', seed => 8);
INSERT INTO orders SELECT customer_id, ordered_at + interval '3 days', -amount / 3 FROM orders WHERE customer_id % 13 = 0;
CREATE TABLE days AS SELECT DISTINCT customer_id, ordered_at::date AS day, min(ordered_at::date) OVER (PARTITION BY customer_id) AS first_day FROM orders WHERE amount >= 0;
CREATE TABLE models (model text, e text);
INSERT INTO models VALUES ('bgnbd', 'crm.bgnbd_expected_orders'), ('mbgnbd', 'crm.mbgnbd_expected_orders'), ('paretonbd', 'crm.paretonbd_expected_orders'), ('bgbb', 'crm.bgbb_expected_orders');
CREATE TABLE tracked AS SELECT m.model, t.* FROM models m, crm.clv_tracking('orders', '2024-09-01', '2024-12-20', model => m.model) t;
SELECT results_eq($$SELECT number, starts_at, ends_at, in_sample FROM tracked WHERE model = 'bgnbd'$$,
	$$SELECT n::int, timestamptz '2024-01-03' - interval '3 days' + (n - 1) * interval '7 days', least(timestamptz '2024-01-03' - interval '3 days' + n * interval '7 days', '2024-12-20'), n <= 35 FROM generate_series(1, 51) n$$, 'steps back from the cut to the first order and on to the end');
SELECT is_empty($$SELECT * FROM tracked t WHERE actual_cumulative <> (SELECT count(*) FROM days WHERE first_day <= '2024-09-01' AND day > first_day AND day <= t.ends_at::date)$$, 'actual: the days with an order after the first, of those who had come by the cut');
SELECT is_empty($$SELECT * FROM (SELECT *, sum(actual) OVER w AS a, sum(expected) OVER w AS e FROM tracked WINDOW w AS (PARTITION BY model ORDER BY number)) q WHERE a <> actual_cumulative OR abs(e - expected_cumulative) > 1e-6 OR expected < 0$$, 'steps add up');
CREATE TABLE fits AS SELECT m.model, f.estimate FROM models m, crm.clv_fit(source => 'orders', model => m.model, as_of => '2024-09-01 23:59:59') f;
CREATE FUNCTION by_definition(model text, until date) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	sum float8;
BEGIN
	EXECUTE format('SELECT sum(%s(f.estimate[1], f.estimate[2], f.estimate[3], f.estimate[4], 0, 0, 0, $2 - first_day)) FROM (SELECT DISTINCT customer_id, first_day FROM days WHERE first_day <= %L AND first_day < $2) d, fits f WHERE f.model = $1', (SELECT e FROM models m WHERE m.model = $1), '2024-09-01') USING model, until INTO sum;
	RETURN sum;
END $$;
SELECT ok(abs(expected_cumulative - by_definition(model, ends_at::date)) < 1e-6 * expected_cumulative, 'expected by ' || model || ' at ' || ends_at::date) FROM tracked WHERE number IN (2, 35, 36, 51) ORDER BY model, number;
SELECT ok(bool_and(fitted_model = model AND status = 'converged' OR model = 'bgbb'), 'the model and how its fit went') FROM tracked;
SELECT ok(abs(actual_cumulative / expected_cumulative - 1) < 0.15, model || ' is near at the cut') FROM tracked WHERE number = 35 AND model <> 'bgbb' ORDER BY model;

-- others' clocks, keys and orders of rows
SELECT results_eq($$SELECT actual, expected FROM crm.clv_tracking(key => NULL::text, source => 'SELECT ''c'' || customer_id AS customer_id, ordered_at, amount FROM orders ORDER BY random()', cut_at => '2024-09-01', until => '2024-12-20', model => 'mbgnbd')$$, $$SELECT actual, expected FROM tracked WHERE model = 'mbgnbd' ORDER BY number$$, 'keys and the order of rows change nothing');
SELECT is((SELECT array_agg(ends_at::date ORDER BY number) FROM crm.clv_tracking('orders', '2024-08-31', '2024-12-15', model => 'mbgnbd', step => '1 month')), '{2024-01-31,2024-02-29,2024-03-31,2024-04-30,2024-05-31,2024-06-30,2024-07-31,2024-08-31,2024-09-30,2024-10-31,2024-11-30,2024-12-15}'::date[], 'months');
SELECT ok(sum(actual) = (SELECT count(*) FROM (SELECT DISTINCT customer_id, date_trunc('week', day) FROM days WHERE first_day <= '2024-09-01') w) - (SELECT count(DISTINCT customer_id) FROM days WHERE first_day <= '2024-09-01'), 'orders of one week are one transaction when a week is a period')
FROM crm.clv_tracking('orders', '2024-09-01', '2025-01-05', model => 'bgbb', period => '1 week', step => '2 weeks');
SELECT is((SELECT array_agg(DISTINCT in_sample) FROM crm.clv_tracking('orders', '2024-09-01', '2024-09-01', model => 'mbgnbd')), '{t}', 'until the cut');
SELECT is((SELECT count(*) FROM crm.clv_tracking('orders', '2023-01-01', '2024-12-20')), 0::bigint, 'nobody had come by then');

-- CDNOW, the sample of Fader, Hardie and Lee 2005 in days: expectations by mpmath's hyp2f1 at the maximum of the likelihood, weeks as unit; actual by counting; BTYD's vignette has the same actual of weeks 20 (73, cumulated 1359) and 25 (99, 1672)
\set has_cdnow `test -r "${CRM_DATA:-/nowhere}/CDNOW_sample.txt" && echo on || echo off`
\if :has_cdnow
CREATE TABLE cdnow (master bigint, customer_id bigint, ordered_at timestamptz, cds int, amount float8);
\copy cdnow from program 'sed -E "s/\r//; s/^ +//; s/ +$//; s/ +/,/g" "$CRM_DATA/CDNOW_sample.txt"' (format csv)
CREATE TABLE cdnow_tracked AS SELECT m.model, t.* FROM (VALUES ('bgnbd'), ('paretonbd')) m (model), crm.clv_tracking('cdnow', '1997-09-30', '1998-06-30', model => m.model) t;
SELECT is(actual_cumulative, v.actual::bigint, model || ': actual by week ' || number) || E'\n' || ok(abs(expected_cumulative - v.expected) < 3e-4 * v.expected, model || ': expected by week ' || number)
FROM cdnow_tracked JOIN (VALUES ('bgnbd', 20, 1359, 1301.60903432), ('bgnbd', 39, 2457, 2493.96933132), ('bgnbd', 40, 2507, 2546.63245763), ('bgnbd', 78, 4339, 4160.63778569),
	('paretonbd', 20, 1359, 1297.72439856), ('paretonbd', 39, 2457, 2524.65703307), ('paretonbd', 40, 2507, 2579.27495483), ('paretonbd', 78, 4339, 4269.56998986)) v (model, number, actual, expected) USING (model, number) ORDER BY model, number;
SELECT is((SELECT array_agg(actual ORDER BY number) FROM cdnow_tracked WHERE model = 'bgnbd' AND number BETWEEN 20 AND 25), '{73,55,70,33,56,99}'::bigint[], 'weeks 20 to 25');
\else
SELECT skip('CRM_DATA has no CDNOW_sample.txt', 17);
\endif

SELECT * FROM finish();
ROLLBACK;
