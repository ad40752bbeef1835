-- crm.clv_covariates: effects that were planted, the model without them, and predictions by scaled parameters.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_clv_covariates;
SET LOCAL search_path = test_clv_covariates, public;
SELECT * FROM no_plan();

-- Customers of Pareto/NBD with r = s = 1, alpha 50 days and beta 150 days; members buy exp(0.6) times as often and leave exp(-0.7) times as fast. Draws are hashes: the same on every server.
CREATE FUNCTION drawn(text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT (('x' || substr(md5($1), 1, 8))::bit(32)::bigint + 0.5) / 4294967296.0 $$;
CREATE TABLE customers AS SELECT c AS customer_id, (drawn(c || ' member') < 0.4)::int AS member, 100 + 20 * drawn(c || ' noise') AS noise FROM generate_series(1, 2000) c;
CREATE TABLE orders AS
WITH drawn_customers AS (
	SELECT customer_id, timestamptz '2024-01-01' + floor(60 * drawn(customer_id || ' first')) * interval '1 day' AS first_at, -ln(drawn(customer_id || ' rate')) / 50 * exp(0.6 * member) AS lambda,
		-ln(drawn(customer_id || ' life')) / (-ln(drawn(customer_id || ' leaving')) / 150 * exp(-0.7 * member)) AS life FROM customers
), spans AS (
	SELECT customer_id, first_at, life, k, sum(CASE WHEN k = 0 THEN 0 ELSE -ln(drawn(customer_id || ' ' || k)) / lambda END) OVER (PARTITION BY customer_id ORDER BY k) AS days FROM drawn_customers, generate_series(0, 150) k
)
SELECT customer_id, first_at + days * interval '1 day' AS ordered_at, 10.0 AS amount FROM spans WHERE days < least(life, 400);
CREATE TABLE fitted AS SELECT * FROM crm.clv_covariates('orders', 'customers', as_of => '2024-12-31', period => '1 hour');
SELECT is((SELECT array_agg(process || ' ' || term ORDER BY position) FROM fitted), '{purchase (r),purchase (alpha),purchase member,purchase noise,dropout (s),dropout (beta),dropout member,dropout noise}', 'a row a coefficient');
SELECT ok(abs(estimate - planted) < 3 * standard_error AND abs(estimate) > 3 * standard_error AND p_value < 0.01 AND abs(multiplier - exp(estimate)) < 1e-12, 'members: ' || process || ' ' || round(estimate::numeric, 3) || ' +- ' || round(standard_error::numeric, 3)) FROM fitted JOIN (VALUES ('purchase', 0.6), ('dropout', -0.7)) v (process, planted) USING (process) WHERE term = 'member' ORDER BY position;
SELECT ok(abs(estimate - planted) < 3 * standard_error AND planted BETWEEN low / 2 AND high * 2, term || ' ' || round(estimate::numeric, 2) || ' +- ' || round(standard_error::numeric, 2)) FROM fitted JOIN (VALUES ('(r)', 1), ('(alpha)', 50 * 24), ('(s)', 1), ('(beta)', 150 * 24)) v (term, planted) USING (term) ORDER BY position;
SELECT ok(abs(estimate) < 3 * standard_error AND p_value > 0.002, 'noise does nothing to ' || process) FROM fitted WHERE term = 'noise' ORDER BY position;
SELECT ok(bool_and(process_p_value < 1e-3) AND bool_and(model_p_value < 1e-6) AND min(process_df) = 2 AND min(df) = 4 AND min(chi_squared) > max(process_chi_squared), 'and the tests know') FROM fitted;
SELECT ok(abs(chi_squared - 2 * (log_likelihood - null_log_likelihood)) < 1e-6 AND abs(aic - (16 - 2 * log_likelihood)) < 1e-6 AND abs(bic - (8 * ln(n_used) - 2 * log_likelihood)) < 1e-6 AND abs(z - estimate / standard_error) < 1e-12 AND abs(high - low - 2 * 1.6448536269514722 * standard_error) < 1e-9, 'facts agree with their definitions') FROM fitted WHERE position = 2;

-- without covariates it is crm.clv_fit; each process's test is the difference of two fits
SELECT ok(abs(null_log_likelihood - f.log_likelihood) < 1e-4, 'the null model is that of crm.clv_fit') FROM fitted, crm.clv_fit(source => 'orders', model => 'paretonbd', as_of => '2024-12-31', period => '1 hour') f WHERE position = 0;
CREATE TABLE smaller AS SELECT * FROM crm.clv_covariates('orders', 'customers', dropout => '{}', as_of => '2024-12-31', period => '1 hour');
SELECT ok(abs(f.process_chi_squared - 2 * (f.log_likelihood - s.log_likelihood)) < 1e-4, 'the test of dropout is against the model of purchase alone') FROM fitted f, smaller s WHERE f.process = 'dropout' AND f.position = 5 AND s.position = 0;
SELECT ok(abs(s.process_chi_squared - s.chi_squared) < 1e-9, 'whose own tests are one') FROM smaller s WHERE s.position = 1;

-- units and orders
SELECT ok(bool_and(abs(c.estimate - CASE c.term WHEN 'noise' THEN 1000 * f.estimate ELSE f.estimate END) < 1e-4 * abs(c.estimate)), 'units of a column move its coefficient alone') FROM fitted f
JOIN crm.clv_covariates('SELECT * FROM orders ORDER BY md5(amount::text)', 'SELECT customer_id, member, (noise - 100) / 1000 AS noise FROM customers ORDER BY md5(customer_id::text)', as_of => '2024-12-31', period => '1 hour') c USING (position) WHERE f.term NOT IN ('(alpha)', '(beta)');
SELECT results_eq($$SELECT estimate, standard_error FROM crm.clv_covariates(key => NULL::text, source => 'SELECT customer_id::text, ordered_at, amount FROM orders ORDER BY random()', covariates => 'SELECT customer_id::text, member, noise FROM customers ORDER BY random()', as_of => '2024-12-31', period => '1 hour')$$, 'SELECT estimate, standard_error FROM fitted ORDER BY position', 'the order of rows and the type of keys change nothing');
SELECT ok(abs(k.estimate - f.estimate) < 1e-12 * abs(f.estimate) AND k.n = k.n_used, 'keys of type ' || k.type) FROM fitted f,
	LATERAL (SELECT 'uuid' AS type, u.* FROM crm.clv_covariates(key => NULL::uuid, source => 'SELECT md5(customer_id::text)::uuid AS customer_id, ordered_at, amount FROM orders', covariates => 'SELECT md5(customer_id::text)::uuid AS customer_id, member, noise FROM customers', as_of => '2024-12-31', period => '1 hour') u
		UNION ALL SELECT 'numeric', u.* FROM crm.clv_covariates(key => NULL::numeric, source => 'SELECT customer_id::numeric(9, 2) AS customer_id, ordered_at, amount FROM orders', covariates => 'SELECT customer_id::numeric AS customer_id, member, noise FROM customers', as_of => '2024-12-31', period => '1 hour') u) k WHERE f.position = 2 AND k.position = 2 ORDER BY k.type;

-- predictions: where both rates are twice as high, an hour is two
SELECT ok(abs(crm.paretonbd_expected_orders(0.5, crm.paretonbd_scale(900, ARRAY[ln(2)], ARRAY[1]), 0.6, crm.paretonbd_scale(700, ARRAY[ln(2)], ARRAY[1]), 3, 500, 800, 100) - crm.paretonbd_expected_orders(0.5, 900, 0.6, 700, 3, 1000, 1600, 200)) < 1e-9, 'scaled parameters are another clock');
SELECT is(crm.paretonbd_scale(7, ARRAY[NULL, 1.5]::float8[], ARRAY[3, 0]), 7::float8, 'a dropped column counts as nothing');

SELECT * FROM finish();
ROLLBACK;
