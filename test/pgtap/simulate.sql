-- crm.simulate_orders: the invariants of its orders, and that they follow the models they are drawn from.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_simulate;
SET LOCAL search_path = test_simulate, public;
SELECT * FROM no_plan();

CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(20000, '2020-01-06Z', '2022-01-03Z', seed => 1, acquisition => '84 days');
CREATE TABLE customer AS
SELECT customer_id, count(*) AS n, min(ordered_at) AS first, avg(amount) AS mean FROM orders GROUP BY 1;
SELECT is(array[count(*), min(customer_id), max(customer_id)], '{20000, 1, 20000}'::bigint[], 'every customer orders') FROM customer;
SELECT is_empty($$SELECT * FROM orders WHERE ordered_at < '2020-01-06Z' OR ordered_at >= '2022-01-03Z' OR amount <= 0 OR round(amount::numeric, 2)::float8 <> amount$$, 'orders are within the window, amounts whole cents above zero');
SELECT is_empty($$SELECT * FROM customer WHERE first >= timestamptz '2020-01-06Z' + interval '84 days'$$, 'first orders are within the acquisition');
SELECT is_empty($$SELECT FROM (SELECT customer_id, ordered_at, lag(customer_id) OVER w AS c, lag(ordered_at) OVER w AS t FROM orders WINDOW w AS (ORDER BY ctid)) q WHERE (c, t) > (customer_id, ordered_at)$$, 'they come by customer and time');

-- a seed is the orders, whoever else is simulated; the spend does not move the times
SELECT is_empty($$SELECT * FROM orders WHERE customer_id <= 100 EXCEPT ALL SELECT * FROM crm.simulate_orders(100, '2020-01-06Z', '2022-01-03Z', seed => 1, acquisition => '84 days')$$, 'a customer is the same in a smaller shop');
SELECT is_empty($$SELECT customer_id, ordered_at FROM crm.simulate_orders(100, '2020-01-06Z', '2022-01-03Z', seed => 1, acquisition => '84 days', p => 2, q => 8, v => 3) EXCEPT ALL SELECT customer_id, ordered_at FROM orders$$, 'times do not depend on the spend');
SELECT is((SELECT count(*) FROM (SELECT ordered_at FROM orders WHERE customer_id <= 500 INTERSECT SELECT ordered_at FROM crm.simulate_orders(500, '2020-01-06Z', '2022-01-03Z', seed => 2, acquisition => '84 days')) q), 0::bigint, 'another seed gives others');

-- First orders are uniform: mean 42 days, standard error 24.2 / sqrt(20000) = 0.17 days.
SELECT ok(abs(avg(extract(epoch FROM first - timestamptz '2020-01-06Z') / 86400) - 42) < 0.9, 'first orders are uniform over the acquisition') FROM customer;
-- Repeat orders: E[X(t)] of BG/NBD, eq. 9 of Fader, Hardie and Lee 2005, with the shop's parameters and t = 98.1 weeks on average:
-- (a + b - 1) / (a - 1) (1 - (alpha / (alpha + t))^r 2F1(r, b; a + b - 1; t / (alpha + t))), the 2F1 by its series.
CREATE FUNCTION expected(t float8, r float8, alpha float8, a float8, b float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	z float8 := t / (alpha + t);
	term float8 := 1;
	total float8 := 1;
BEGIN
	FOR j IN 0..2000 LOOP
		term := term * (r + j) * (b + j) / ((a + b - 1 + j) * (1 + j)) * z;
		total := total + term;
	END LOOP;
	RETURN (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + t)) ^ r * total);
END $$;
SELECT ok(abs(sum(repeats) / sum(customers * expected(weeks, 0.243, 4.414, 0.793, 2.426)) - 1) < 5 * (SELECT stddev(n) / avg(n - 1) / sqrt(count(*)) FROM customer),
	'repeat orders are as many as BG/NBD expects')
FROM (SELECT round(extract(epoch FROM timestamptz '2022-01-03Z' - first) / 604800, 1)::float8, count(*), sum(n - 1) FROM customer GROUP BY 1) w (weeks, customers, repeats);
-- Mean spend p v / (q - 1) = 35.22; the means of customers vary as Gamma-Gamma says: standard deviation about mean / sqrt(q - 2).
SELECT ok(abs(avg(mean) / (6.25 * 15.44 / 2.74) - 1) < 0.04, 'spend is as Gamma-Gamma expects') FROM customer;
-- Spend does not depend on how often a customer orders.
SELECT ok(abs(corr(mean, least(n, 20))) < 0.03, 'spend and frequency are independent') FROM customer;
-- Another shop: nobody leaves (a is tiny), a known rate r / alpha for each unit.
SELECT ok(abs(count(*) / 5000.0 / (1 + 4 * 52) - 1) < 0.05, 'with nobody leaving, the rate is r / alpha')
FROM crm.simulate_orders(5000, '2020-01-06Z', '2021-01-04Z', acquisition => '0', r => 20, alpha => 5, a => 1e-6, b => 1000);

-- Usable as a source of itself, streaming: no row is lost between the two.
SELECT is((SELECT sum(frequency) FROM crm.rfm($$SELECT * FROM crm.simulate_orders(20000, '2020-01-06Z', '2022-01-03Z', seed => 1, acquisition => '84 days')$$)), (SELECT count(*) FROM orders)::numeric, 'crm.rfm reads it whole');
-- the whole way from simulated rows to the parameters: BG/BB, whose opportunities are whole weeks, and sBG, whose renewals are months
SELECT ok(abs(ln(estimate[k] / truth)) < 3 * standard_error[k] / estimate[k], 'BG/BB: crm.clv_fit finds parameter ' || k)
FROM crm.clv_fit('SELECT * FROM crm.simulate_orders(10000, ''2024-01-01Z'', ''2024-04-01Z'', model => ''bgbb'', acquisition => ''0'')', model => 'bgbb', as_of => '2024-03-31 12:00Z', period => '7 days', spend => 'mean') f, unnest(array[1.204, .750, .657, 2.783]) WITH ORDINALITY v (truth, k);
SELECT ok(abs(ln(estimate[k] / truth)) < 3 * standard_error[k] / estimate[k] AND standard_error[k] / estimate[k] < 0.1, 'sBG: crm.clv_contract_fit finds parameter ' || k)
FROM crm.clv_contract_fit('SELECT * FROM crm.simulate_subscriptions(10000, ''2022-01-01Z'', ''2024-01-01Z'', alpha => 0.8, beta => 5)', as_of => '2024-01-01Z') f, unnest(array[.8, 5]) WITH ORDINALITY v (truth, k);
SELECT * FROM finish();
ROLLBACK;
