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

CREATE TABLE calibration AS SELECT * FROM crm.clv_calibration('orders', '2024-09-01', '100 days', model => 'mbgnbd');
SELECT is((SELECT array_agg(number) FROM calibration WHERE grouped_by = 'decile'), '{1,2,3,4,5,6,7,8,9,10}', 'ten deciles');
SELECT cmp_ok((SELECT max(customers) - min(customers) FROM calibration WHERE grouped_by = 'decile'), '<=', 1::bigint, 'of one size');
SELECT is_empty('SELECT * FROM (SELECT predicted_orders <= lag(predicted_orders) OVER (ORDER BY number) AS falls FROM calibration WHERE grouped_by = $$decile$$) q WHERE falls', 'ordered by what was predicted');
SELECT is_empty($$SELECT c.* FROM calibration c JOIN (SELECT least(x, 7)::int AS number, count(*) AS n, avg(p) AS p, avg(a) AS a, avg(clv) AS clv, avg(money) AS money FROM held GROUP BY 1) h USING (number)
	WHERE grouped_by = 'x' AND (customers <> n OR abs(predicted_orders - p) > 1e-9 OR abs(actual_orders - a) > 1e-9 OR abs(predicted_value - clv) > 1e-6 OR abs(actual_value - money) > 1e-6)$$, 'by x, means are their definition');
SELECT ok(abs(sum(customers * actual_orders) FILTER (WHERE grouped_by = 'x') - sum(customers * actual_orders) FILTER (WHERE grouped_by = 'decile')) < 1e-6, 'both groupings hold the same orders') FROM calibration;

SELECT * FROM finish();
ROLLBACK;
