-- crm.clv_contract against its definition by the toolkit and by sums; published estimates; the same result whatever the order of rows,
-- the plan and the key.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_clv_contract;
SET LOCAL search_path = test_clv_contract, public;
SELECT * FROM no_plan();

-- survivors a year of 1000 customers: Fader and Hardie 2007, doi 10.1002/dir.20074; more digits by scipy on their table
CREATE TABLE survivors (name text, alpha float8, beta float8, log_likelihood float8, number int[]);
INSERT INTO survivors VALUES ('regular', .704077319, 1.182043074, -1680.265188, '{1000, 631, 468, 382, 326, 289, 262, 241}'), ('high end', .668088387, 3.806095502, -1611.158147, '{1000, 869, 743, 653, 593, 551, 517, 491}');
CREATE FUNCTION subscribers(name text) RETURNS TABLE (customer_id bigint, started_at timestamptz, ended_at timestamptz) LANGUAGE sql AS $$
	SELECT n, '2018-01-01'::timestamptz, (SELECT '2018-01-01'::timestamptz + min(year) * interval '1 year' FROM unnest(s.number[2:]) WITH ORDINALITY v (left_over, year) WHERE n > left_over)
	FROM survivors s, generate_series(1, 1000) n WHERE s.name = subscribers.name $$;
SELECT ok(abs(estimate[1] - alpha) < 1e-6 AND abs(estimate[2] - beta) < 1e-6 AND abs(f.log_likelihood - s.log_likelihood) < 1e-5 AND f.status = 'converged', s.name || ': the published estimates')
FROM survivors s, crm.clv_contract_fit(format('SELECT * FROM test_clv_contract.subscribers(%L)', s.name), as_of => '2025-01-01', period => '1 year') f ORDER BY s.name;
SELECT results_eq($$SELECT renewals, count(*) FROM crm.clv_contract('SELECT * FROM test_clv_contract.subscribers(''regular'')', as_of => '2025-01-01', period => '1 year') WHERE is_customer GROUP BY 1$$, 'VALUES (7::bigint, 241::bigint)', 'those who are left renewed seven times');

-- subscribers of all ages, prices and beginnings, some with several contracts
CREATE TABLE subscriptions AS SELECT customer_id, started_at, ended_at, 5 + customer_id % 7 AS amount FROM (
	SELECT n % 2500 + 1 AS customer_id, '2021-01-01'::timestamptz + (n * 7919 % 1400) * interval '1 day' AS started_at,
		CASE WHEN n * 31 % 100 < 55 THEN '2021-01-01'::timestamptz + (n * 7919 % 1400) * interval '1 day' + (n * 131 % 29 * (n * 17 % 13)) * interval '5 days' END AS ended_at
	FROM generate_series(1, 3000) n) q;
ANALYZE subscriptions;
CREATE TABLE fit AS SELECT estimate[1] AS alpha, estimate[2] AS beta FROM crm.clv_contract_fit('subscriptions', as_of => '2025-01-01');
CREATE TABLE clv AS SELECT * FROM crm.clv_contract('subscriptions', as_of => '2025-01-01');
SELECT results_eq('SELECT customer_id, contracts, started_at, is_customer FROM clv', $$SELECT customer_id::bigint, count(*), min(started_at), bool_or(coalesce(ended_at, 'infinity') > '2025-01-01') FROM subscriptions GROUP BY 1 ORDER BY 1$$, 'a row a customer, in their order');
-- renewals one by one, as the calendar has them
CREATE TABLE contract AS SELECT customer_id, amount::float8, (SELECT count(*) FROM generate_series(1, 100) k WHERE started_at + k * interval '1 month' <= '2025-01-01') AS made, started_at
FROM subscriptions WHERE coalesce(ended_at, 'infinity') > '2025-01-01';
CREATE TABLE due AS SELECT customer_id, started_at, amount, made, k, started_at + k * interval '1 month' AS due_at, extract(epoch FROM started_at + (made + 1) * interval '1 month' - timestamptz '2025-01-01') / 86400 / 365.25 + (k - made - 1) / 12.0 AS wait
FROM contract, generate_series(made + 1, made + 13) k WHERE started_at + k * interval '1 month' <= '2026-01-01';
CREATE TABLE wanted AS SELECT customer_id, sum(chance) AS expected, sum(amount * chance * 1.1 ^ -wait) AS clv, min(due_at) AS next_at, max(made) AS made FROM (
	SELECT *, crm.sbg_survival(alpha, beta, k) / crm.sbg_survival(alpha, beta, made) AS chance FROM due, fit) q GROUP BY 1;
SELECT is_empty($$SELECT customer_id FROM clv c FULL JOIN wanted w USING (customer_id) WHERE is_customer AND NOT coalesce(abs(c.expected_renewals / w.expected - 1) < 1e-9 AND abs(c.clv / w.clv - 1) < 1e-9 AND next_renewal_at = next_at AND renewals = made, false)$$, 'expected renewals and value are the sums over renewals in the horizon');
SELECT is_empty($$SELECT customer_id FROM clv WHERE NOT is_customer AND NOT (expected_renewals = 0 AND clv = 0 AND clv_low = 0 AND clv_high = 0 AND residual_value = 0 AND p_renew_next = 0 AND period_value = 0 AND next_renewal_at IS NULL AND status = 'ended')$$, 'those who have left are worth nothing');
SELECT is_empty($$SELECT customer_id, max(ended_at) FROM subscriptions GROUP BY 1 HAVING bool_and(ended_at <= '2025-01-01') EXCEPT SELECT customer_id, expected_end_at FROM clv WHERE NOT is_customer$$, 'and their end is known');
SELECT is_empty($$SELECT customer_id FROM clv JOIN contract USING (customer_id), fit WHERE contracts = 1 AND abs(p_renew_next - crm.sbg_retention(alpha, beta, made + 1)) > 1e-13$$, 'retention is that of the toolkit');
SELECT is_empty($$SELECT customer_id FROM clv, fit, LATERAL (SELECT min(k) AS ends FROM generate_series(renewals + 1, renewals + 400) k WHERE crm.sbg_survival(alpha, beta, k) <= crm.sbg_survival(alpha, beta, renewals) / 2) q
	WHERE contracts = 1 AND is_customer AND expected_end_at <> started_at + ends * interval '1 month'$$, 'half leave by the expected end');
SELECT is_empty($$SELECT customer_id FROM clv WHERE is_customer AND NOT (clv_low < clv AND clv < clv_high AND clv < residual_value AND expected_end_at > '2025-01-01' AND status = 'ok')$$, 'values stand in order');
SELECT is_empty($$SELECT customer_id FROM clv c JOIN crm.clv_contract('subscriptions', as_of => '2025-01-01', horizon => '200 years') m USING (customer_id) WHERE c.is_customer AND abs(m.clv - m.residual_value) > 1e-6 * m.residual_value$$, 'in two hundred years nothing is left but the residual value');
SELECT is_empty($$SELECT customer_id FROM clv c JOIN crm.clv_contract('subscriptions', as_of => '2025-01-01', level => 0.5) m USING (customer_id) WHERE c.is_customer AND NOT (m.clv_low > c.clv_low AND m.clv_high < c.clv_high AND m.clv = c.clv)$$, 'a lower level has shorter intervals');
SELECT set_eq($$SELECT * FROM crm.clv_contract('SELECT * FROM subscriptions ORDER BY md5(started_at::text || customer_id)', as_of => '2025-01-01')$$, 'SELECT * FROM clv', 'whatever the order of rows');
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
ALTER TABLE subscriptions SET (parallel_workers = 2);
SELECT set_eq($$SELECT * FROM crm.clv_contract('subscriptions', as_of => '2025-01-01')$$, 'SELECT * FROM clv', 'and the plan');
SELECT set_eq($$SELECT c.period_value, c.clv, c.clv_low, c.residual_value FROM crm.clv_contract(key => NULL::uuid, source => 'SELECT md5(customer_id::text)::uuid AS customer_id, started_at, ended_at, amount FROM subscriptions', as_of => '2025-01-01') c$$, 'SELECT period_value, clv, clv_low, residual_value FROM clv', 'and the key');
SELECT set_eq($$SELECT * FROM crm.clv_contract('SELECT customer_id, started_at, CASE WHEN ended_at <= ''2024-01-01'' THEN ended_at END AS ended_at, amount FROM subscriptions', as_of => '2024-01-01')$$, $$SELECT * FROM crm.clv_contract('subscriptions', as_of => '2024-01-01')$$, 'an end after as_of is not known then');

SELECT * FROM finish();
ROLLBACK;
