-- crm.clv against its definition by the toolkit; the same result whatever the order of rows, the plan and the key; CDNOW and
-- Online Retail, where the environment names a folder that has them.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_clv;
SET LOCAL search_path = test_clv, public;
SELECT * FROM no_plan();

CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(2000, '2024-01-01', '2025-01-01', seed => 11);
INSERT INTO orders SELECT customer_id, ordered_at + interval '30 minutes', -amount / 2 FROM orders WHERE customer_id % 17 = 0;
ALTER TABLE orders SET (parallel_workers = 2);
ANALYZE orders;
CREATE TABLE summary AS SELECT * FROM crm.clv_summary('orders', as_of => '2025-01-01');
CREATE TABLE fit AS SELECT *, estimate[1] AS r, estimate[2] AS alpha, estimate[3] AS a, estimate[4] AS b, estimate[5] AS p, estimate[6] AS q, estimate[7] AS v FROM crm.clv_fit('orders', model => 'mbgnbd', as_of => '2025-01-01');
CREATE TABLE clv AS SELECT * FROM crm.clv('orders', model => 'mbgnbd', as_of => '2025-01-01');
SELECT is_empty('SELECT customer_id, x, t_x, t, first_order_at, last_order_at FROM summary EXCEPT SELECT customer_id, x, t_x, t, first_order_at, last_order_at FROM clv', 'every customer of the summary has a row');
SELECT is((SELECT count(*) FROM clv), (SELECT count(*) FROM summary), 'and nobody else');
SELECT is_empty($$SELECT customer_id FROM clv WHERE NOT (p_alive BETWEEN 0 AND 1 AND p_any_order BETWEEN 0 AND p_alive AND p_any_order <= expected_orders AND clv_low <= clv AND clv <= clv_high AND clv_low > 0 AND residual_value > clv AND next_order_at > '2025-01-01')$$,
	'chances are chances, and values stand in order');
SELECT is_empty($$SELECT c.customer_id FROM clv c JOIN summary s USING (customer_id), fit WHERE abs(p_alive - crm.mbgnbd_p_alive(r, alpha, a, b, s.x, s.t_x, s.t)) > 1e-12
	OR abs(expected_orders / crm.mbgnbd_expected_orders(r, alpha, a, b, s.x, s.t_x, s.t, 365) - 1) > 1e-12
	OR abs(expected_order_value / crm.gamma_gamma_expected_value(p, q, v, CASE WHEN mean_spend > 0 THEN s.x ELSE 0 END, CASE WHEN mean_spend > 0 THEN mean_spend ELSE 0 END) - 1) > 1e-12$$, 'chances, orders and values are those of the toolkit');
-- the integral as a sum over days, each discounted at its middle
CREATE TABLE by_day AS SELECT customer_id, sum((crm.mbgnbd_expected_orders(r, alpha, a, b, x, t_x, t, d) - crm.mbgnbd_expected_orders(r, alpha, a, b, x, t_x, t, d - 1)) * 1.10 ^ (-(d - 0.5) / 365.2425)) AS orders
FROM (SELECT * FROM summary WHERE customer_id % 50 = 0) s, fit, generate_series(1, 365) d GROUP BY customer_id;
SELECT is_empty('SELECT customer_id FROM by_day JOIN clv USING (customer_id) WHERE abs(clv / (orders * expected_order_value) - 1) > 1e-6', 'clv is the discounted sum over days');
SELECT is_empty($$SELECT c.customer_id FROM clv c JOIN crm.clv('orders', model => 'mbgnbd', as_of => '2025-01-01', margin => 0.25) m USING (customer_id) WHERE abs(m.clv * 4 / c.clv - 1) > 1e-12 OR abs(m.residual_value * 4 / c.residual_value - 1) > 1e-12$$, 'margin scales');
SELECT is_empty($$SELECT c.customer_id FROM clv c JOIN crm.clv('orders', model => 'mbgnbd', as_of => '2025-01-01', discount_rate => 0) m USING (customer_id) WHERE abs(m.clv / (m.expected_orders * m.expected_order_value) - 1) > 1e-12$$, 'without discount, value is orders x spend');
SELECT is_empty($$SELECT c.customer_id FROM clv c JOIN crm.clv('orders', model => 'mbgnbd', as_of => '2025-01-01', horizon => '60 years') m USING (customer_id) WHERE abs(m.clv / m.residual_value - 1) > 0.005$$, 'in sixty years nothing is left but the residual value');
SELECT is_empty($$SELECT c.customer_id FROM clv c JOIN crm.clv('orders', model => 'mbgnbd', as_of => '2025-01-01', level => 0.5) m USING (customer_id) WHERE NOT (m.clv_low > c.clv_low AND m.clv_high < c.clv_high AND m.clv = c.clv)$$, 'a lower level has shorter intervals');
SELECT is_empty($$SELECT c.customer_id FROM clv c JOIN crm.clv('orders', model => 'bgnbd', as_of => '2025-01-01') m USING (customer_id) WHERE m.x = 0 AND m.p_alive <> 1$$, 'BG/NBD holds one-time buyers to be active');
SELECT set_eq($$SELECT * FROM crm.clv('SELECT * FROM orders ORDER BY md5(ordered_at::text)', model => 'mbgnbd', as_of => '2025-01-01')$$, 'SELECT * FROM clv', 'whatever the order of rows');
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT set_eq($$SELECT * FROM crm.clv('orders', model => 'mbgnbd', as_of => '2025-01-01')$$, 'SELECT * FROM clv', 'and the plan');
SELECT set_eq($$SELECT p_alive, clv, clv_low, residual_value FROM crm.clv(key => NULL::uuid, source => 'SELECT md5(customer_id::text)::uuid AS customer_id, ordered_at, amount FROM orders', model => 'mbgnbd', as_of => '2025-01-01')$$, 'SELECT p_alive, clv, clv_low, residual_value FROM clv', 'and the key');
SELECT is((SELECT array_agg(customer_id) FROM clv), (SELECT array_agg(customer_id ORDER BY customer_id) FROM clv), 'rows come in the order of customer_id');
SELECT results_eq($$SELECT customer_id, clv FROM crm.clv('orders', as_of => '2025-01-01')$$, $$SELECT customer_id, clv FROM crm.clv('orders', as_of => '2025-01-01', seed => 42)$$, 'auto is the same each time');
SELECT ok((SELECT message ~ '^chose (bgnbd|mbgnbd|paretonbd) by' FROM crm.clv_fit('orders', as_of => '2025-01-01')), 'and says why');
SELECT is((SELECT fitted_model FROM crm.clv_fit('orders', as_of => '2025-01-01')), (SELECT fitted ->> 'orders' FROM crm.clv_fit('orders', as_of => '2025-01-01')), 'the model that it keeps is the one it tells');
SELECT cmp_ok((SELECT aic FROM crm.clv_fit('orders', as_of => '2025-01-01')), '<=', (SELECT min(aic) + 2 FROM unnest('{bgnbd, mbgnbd, paretonbd}'::text[]) m, crm.clv_fit('orders', model => m, as_of => '2025-01-01')), 'none is better by more than a tie');
SELECT cmp_ok((SELECT sum(abs(ln(e))) FROM crm.clv_fit('orders', model => 'bgnbd', as_of => '2025-01-01', spend => 'mean', penalty => 1), unnest(estimate) e), '<', (SELECT sum(abs(ln(e))) FROM crm.clv_fit('orders', model => 'bgnbd', as_of => '2025-01-01', spend => 'mean'), unnest(estimate) e), 'a penalty draws parameters to 1');

\set has_cdnow `test -r "${CRM_DATA:-/nowhere}/CDNOW_sample.txt" && echo on || echo off`
\if :has_cdnow
CREATE TABLE cdnow (master int, customer_id int, ordered_at date, cds int, amount numeric);
\copy cdnow from program 'sed -E "s/\r//; s/^ +//; s/ +$//; s/ +/,/g" "$CRM_DATA/CDNOW_sample.txt"' (format csv)
-- by days: alpha is seven times that by weeks, log L differs by x ln 7 (2,457 repeat transactions)
SELECT ok(abs(estimate[k] / want - 1) < 3e-4, 'CDNOW, BG/NBD: parameter ' || k) FROM crm.clv_fit('cdnow', model => 'bgnbd', as_of => '1997-09-30') f, unnest(array[.2425929, 4.4135317 * 7, .7928862, 2.4257539]) WITH ORDINALITY v (want, k);
SELECT ok(abs(log_likelihood + 2457 * ln(7) - -9582.4255606) < 0.1, 'CDNOW, BG/NBD: likelihood') FROM crm.clv_fit('cdnow', model => 'bgnbd', as_of => '1997-09-30');
SELECT ok(abs(log_likelihood + 2457 * ln(7) - -9594.973949) < 0.1, 'CDNOW, Pareto/NBD: likelihood') FROM crm.clv_fit('cdnow', model => 'paretonbd', as_of => '1997-09-30');
SELECT ok(abs(estimate[k + 4] / want - 1) < 1e-3, 'CDNOW, Gamma-Gamma: parameter ' || k) FROM crm.clv_fit('cdnow', model => 'bgnbd', as_of => '1997-09-30') f, unnest(array[6.248802, 3.744589, 15.447750]) WITH ORDINALITY v (want, k);
SELECT ok(abs(sum(expected_orders) - 1653.42) < 0.5, 'CDNOW, BG/NBD: orders of 39 weeks') FROM crm.clv('cdnow', model => 'bgnbd', as_of => '1997-09-30', horizon => '273 days');
SELECT results_eq($$SELECT round(expected_order_value::numeric, 2) FROM crm.clv('cdnow', model => 'bgnbd', as_of => '1997-09-30') LIMIT 10$$, 'VALUES (24.65), (18.91), (35.17), (35.17), (35.17), (71.46), (18.91), (35.17), (27.28), (35.17)', 'CDNOW: the values of the first ten customers');
\else
SELECT skip('CRM_DATA has no CDNOW_sample.txt', 12);
\endif
\set has_retail `test -r "${CRM_DATA:-/nowhere}/online_retail.csv.gz" && echo on || echo off`
\if :has_retail
CREATE TABLE line (invoice text, stock_code text, description text, quantity int, invoiced_at timestamp, price numeric, customer_id float8, country text);
\copy line from program 'gzip -dc "$CRM_DATA/online_retail.csv.gz"' (format csv, header)
CREATE TABLE invoice AS SELECT customer_id::bigint, min(invoiced_at) AS ordered_at, sum(quantity * price) AS amount FROM line WHERE customer_id IS NOT NULL GROUP BY customer_id, invoice;
CREATE TABLE retail AS SELECT * FROM crm.clv('invoice', as_of => '2011-12-10');
SELECT is((SELECT count(*) FROM retail), (SELECT count(DISTINCT customer_id) FROM invoice WHERE amount >= 0), 'Online Retail: every customer who bought');
SELECT is_empty('SELECT customer_id FROM retail WHERE NOT (clv >= 0 AND clv_low <= clv AND clv <= clv_high AND p_alive BETWEEN 0 AND 1) OR clv IS NULL', 'Online Retail: nothing is negative or missing');
SELECT ok(bool_and(converged), 'Online Retail: all models converge, BG/BB to the bound where nobody leaves') FROM unnest('{bgnbd, mbgnbd, paretonbd, bgbb}'::text[]) m, crm.clv_fit('invoice', model => m, as_of => '2011-12-10');
\else
SELECT skip('CRM_DATA has no online_retail.csv.gz', 3);
\endif

SELECT * FROM finish();
ROLLBACK;
