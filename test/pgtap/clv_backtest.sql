-- crm.clv_backtest and crm.clv_calibration against their definitions in SQL over crm.clv and the orders themselves.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_clv_backtest;
SET LOCAL search_path = test_clv_backtest, public;
SELECT * FROM no_plan();

CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(1500, '2024-01-01', '2025-01-01', seed => 8);
INSERT INTO orders SELECT customer_id, ordered_at + interval '1 hour', -amount / 3 FROM orders WHERE customer_id % 13 = 0;
CREATE TABLE trial AS SELECT * FROM crm.clv_backtest('orders', '2024-09-01', '100 days', models => '{mbgnbd, bgbb}');
CREATE TABLE predicted AS SELECT customer_id, x, t, expected_orders AS p, clv FROM crm.clv('orders', model => 'mbgnbd', as_of => '2024-09-01', horizon => '100 days', discount_rate => 0);
CREATE TABLE actual AS SELECT customer_id, count(DISTINCT ordered_at::date) FILTER (WHERE amount >= 0 AND ordered_at > '2024-09-01') AS a, coalesce(sum(amount) FILTER (WHERE ordered_at > '2024-09-01'), 0) AS money
FROM orders WHERE ordered_at <= timestamptz '2024-09-01' + interval '100 days' GROUP BY 1;
CREATE TABLE held AS SELECT * FROM predicted JOIN actual USING (customer_id);
SELECT is((SELECT array_agg(model) FROM trial), '{mbgnbd, bgbb, same rate as before, mean of all}', 'models in the order asked for, then what they must beat');
SELECT is((SELECT array_agg(DISTINCT customers) FROM trial), (SELECT array[count(*)] FROM held), 'all customers before the cut, and nobody else');
SELECT ok(abs(t.mae - q.mae) < 1e-9 AND abs(t.rmse - q.rmse) < 1e-9 AND abs(t.bias - q.bias) < 1e-9 AND abs(predicted_orders - q.p) < 1e-6 AND actual_orders = q.a AND abs(predicted_value - q.clv) < 1e-5 AND abs(actual_value - q.money) < 1e-6, 'the measures are their definitions')
FROM trial t, (SELECT avg(abs(p - a)) AS mae, sqrt(avg((p - a) ^ 2)) AS rmse, avg(p - a) AS bias, sum(p) AS p, sum(a) AS a, sum(clv) AS clv, sum(money) AS money FROM held) q WHERE model = 'mbgnbd';
SELECT ok(abs(rank_correlation - (SELECT corr(rp, ra) FROM (SELECT rank() OVER (ORDER BY p) + (count(*) OVER (PARTITION BY p) - 1) / 2.0 AS rp, rank() OVER (ORDER BY a) + (count(*) OVER (PARTITION BY a) - 1) / 2.0 AS ra FROM held) r)) < 1e-9, 'rank correlation') FROM trial WHERE model = 'mbgnbd';
SELECT ok(abs(mae - (SELECT avg(abs(CASE WHEN t > 0 THEN 100 * x / t ELSE 0 END - a)) FROM held)) < 1e-9, 'the same rate as before') FROM trial WHERE model = 'same rate as before';
SELECT ok(abs(predicted_orders - (SELECT count(*) * 100 * sum(x) / sum(t) FROM held)) < 1e-6 AND rank_correlation IS NULL, 'the mean of all') FROM trial WHERE model = 'mean of all';
SELECT cmp_ok((SELECT mae FROM trial WHERE model = 'mbgnbd'), '<', (SELECT min(mae) FROM trial WHERE status = 'baseline'), 'the model beats both');
SELECT ok(top_decile_found BETWEEN 0.2 AND 1, 'and finds good customers') FROM trial WHERE model = 'mbgnbd';

-- the interval of a customer's orders: from the toolkit's P(X = y) with a customer's parameters
CREATE TABLE few AS SELECT * FROM orders WHERE customer_id <= 250;
CREATE TABLE chances AS SELECT s.customer_id, y, crm.paretonbd_p_alive(e[1], e[2], e[3], e[4], s.x, s.t_x, s.t) AS alive, sum(crm.paretonbd_pmf(e[1] + s.x, e[2] + s.t, e[3], e[4] + s.t, y, 100)) OVER (PARTITION BY s.customer_id ORDER BY y) AS g
FROM crm.clv_summary('few', as_of => '2024-09-01') s, (SELECT estimate AS e FROM crm.clv_fit(source => 'few', model => 'paretonbd', as_of => '2024-09-01')) f, generate_series(0, 60) y;
CREATE TABLE bounds AS SELECT customer_id, min(y) FILTER (WHERE 1 - alive * (1 - g) >= tail) AS low, min(y) FILTER (WHERE 1 - alive * (1 - g) >= 1 - tail) AS high, tail FROM chances, (VALUES (0.05), (0.3)) v (tail) GROUP BY customer_id, tail;
SELECT ok(abs(t.interval_coverage - q.covered) < 1e-12 AND abs(t.interval_expected - q.promised) < 1e-7, 'coverage of the interval at ' || level) FROM (VALUES (0.9, 0.05), (0.4, 0.3)) v (level, tail),
	LATERAL (SELECT avg((a BETWEEN low AND high)::int) AS covered, avg(alive * (g - coalesce((SELECT c.g FROM chances c WHERE c.customer_id = h.customer_id AND c.y = low - 1), 1 - 1 / alive))) AS promised FROM bounds b JOIN actual USING (customer_id) JOIN chances h ON h.customer_id = b.customer_id AND h.y = b.high WHERE b.tail = v.tail) q,
	LATERAL crm.clv_backtest('few', '2024-09-01', '100 days', models => '{paretonbd}', level => v.level) t WHERE t.model = 'paretonbd' ORDER BY level;
SELECT ok(interval_expected >= v.level AND abs(interval_coverage - interval_expected) < 0.03, model || ' keeps its promise at ' || v.level || ': ' || round(interval_coverage::numeric, 3) || ' of ' || round(interval_expected::numeric, 3)) FROM (VALUES (0.5), (0.9)) v (level),
	LATERAL crm.clv_backtest('SELECT * FROM crm.simulate_orders(4000, ''2024-01-01'', ''2025-07-01'')', '2025-01-01', '180 days', models => '{bgnbd, mbgnbd, paretonbd}', level => v.level) WHERE status <> 'baseline' ORDER BY v.level, model;
SELECT ok(bool_and(interval_coverage IS NULL AND interval_expected IS NULL), 'naive forecasts have no interval') FROM trial WHERE status = 'baseline';

CREATE TABLE calibration AS SELECT * FROM crm.clv_calibration('orders', '2024-09-01', '100 days', model => 'mbgnbd');
SELECT is((SELECT array_agg(number) FROM calibration WHERE grouped_by = 'decile'), '{1,2,3,4,5,6,7,8,9,10}', 'ten deciles');
SELECT cmp_ok((SELECT max(customers) - min(customers) FROM calibration WHERE grouped_by = 'decile'), '<=', 1::bigint, 'of one size');
SELECT is_empty('SELECT * FROM (SELECT predicted_orders <= lag(predicted_orders) OVER (ORDER BY number) AS falls FROM calibration WHERE grouped_by = $$decile$$) q WHERE falls', 'ordered by what was predicted');
SELECT is_empty($$SELECT c.* FROM calibration c JOIN (SELECT least(x, 7)::int AS number, count(*) AS n, avg(p) AS p, avg(a) AS a, avg(clv) AS clv, avg(money) AS money FROM held GROUP BY 1) h USING (number)
	WHERE grouped_by = 'x' AND (customers <> n OR abs(predicted_orders - p) > 1e-9 OR abs(actual_orders - a) > 1e-9 OR abs(predicted_value - clv) > 1e-6 OR abs(actual_value - money) > 1e-6)$$, 'by x, means are their definition');
SELECT ok(abs(sum(customers * actual_orders) FILTER (WHERE grouped_by = 'x') - sum(customers * actual_orders) FILTER (WHERE grouped_by = 'decile')) < 1e-6, 'both groupings hold the same orders') FROM calibration;

SELECT * FROM finish();
ROLLBACK;
