-- crm.logistic_fit and crm.linear_fit: numbers of R, arbitrary row order, predictions, and telco (with CRM_DATA).
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SCHEMA test_regression;
SET LOCAL search_path = test_regression, public;
SELECT * FROM no_plan();

CREATE TABLE car AS SELECT id::bigint AS customer_id, mpg::float8, hp::integer, wt::numeric, am = 1 AS am, am AS am_number, 1 + id % 3 AS w FROM (VALUES (1, 21, 110, 2.62, 1), (2, 21, 110, 2.875, 1), (3, 22.8, 93, 2.32, 1), (4, 21.4, 110, 3.215, 0), (5, 18.7, 175, 3.44, 0), (6, 18.1, 105, 3.46, 0), (7, 14.3, 245, 3.57, 0), (8, 24.4, 62, 3.19, 0), (9, 22.8, 95, 3.15, 0), (10, 19.2, 123, 3.44, 0), (11, 17.8, 123, 3.44, 0), (12, 16.4, 180, 4.07, 0), (13, 17.3, 180, 3.73, 0), (14, 15.2, 180, 3.78, 0), (15, 10.4, 205, 5.25, 0), (16, 10.4, 215, 5.424, 0), (17, 14.7, 230, 5.345, 0), (18, 32.4, 66, 2.2, 1), (19, 30.4, 52, 1.615, 1), (20, 33.9, 65, 1.835, 1), (21, 21.5, 97, 2.465, 0), (22, 15.5, 150, 3.52, 0), (23, 15.2, 150, 3.435, 0), (24, 13.3, 245, 3.84, 0), (25, 19.2, 175, 3.845, 0), (26, 27.3, 66, 1.935, 1), (27, 26, 91, 2.14, 1), (28, 30.4, 113, 1.513, 1), (29, 15.8, 264, 3.17, 1), (30, 19.7, 175, 2.77, 1), (31, 15, 335, 3.57, 1), (32, 21.4, 109, 2.78, 1)) v (id, mpg, hp, wt, am);
CREATE FUNCTION near(got float8, want float8, tolerance float8 DEFAULT 1e-9) RETURNS boolean LANGUAGE sql AS $$ SELECT abs(got - want) <= tolerance * abs(want) $$;

-- R 4.2.2: glm(am ~ wt + hp, binomial); errors by Newton's method with 40 digits.
SELECT ok(near(estimate, e) AND near(standard_error, s), term || ' of a logistic fit')
FROM crm.logistic_fit('car', 'am', '{wt, hp}') JOIN (VALUES (0, 18.866298717204155, 7.4435584279817278), (1, -8.083475182444649, 3.0686752753905919), (2, 0.036255596082216615, 0.017734154331947037)) v (position, e, s) USING (position);
SELECT ok(near(estimate, e) AND near(standard_error, s), term || ' of a weighted logistic fit')
FROM crm.logistic_fit('car', 'am', '{wt, hp}', weight => 'w') JOIN (VALUES (0, 27.839239107066002, 8.564958551349034), (1, -11.02765763805326, 3.3118832841557514), (2, 0.041174461175017185, 0.015065189175827596)) v (position, e, s) USING (position);
-- R 4.2.2: lm(mpg ~ wt + hp)
SELECT ok(near(estimate, e) AND near(standard_error, s) AND near(p_value, p), term || ' of a linear fit')
FROM crm.linear_fit('car', 'mpg', '{wt, hp}') JOIN (VALUES (0, 37.227270116447201, 1.59878753799939410, 2.56545851198376e-20), (1, -3.877830742404682, 0.63273349437739534, 1.11964713620004e-06), (2, -0.031772946982161, 0.00902970967585572, 1.45122853156942e-03)) v (position, e, s, p) USING (position);
SELECT ok(near(r_squared, 0.826785451882791) AND near(f, 69.211213391777648) AND near(sigma, 2.593411777226567) AND near(f_p_value, 9.109054e-12, 1e-6), 'the facts of a linear fit') FROM crm.linear_fit('car', 'mpg', '{wt, hp}') LIMIT 1;
-- scipy: the same objective of wt, hp, mpg
SELECT ok(near(estimate, e, 1e-7) AND standard_error IS NULL, term || ' of an elastic net')
FROM crm.logistic_fit('car', 'am', '{wt, hp, mpg}', penalty => 0.05, l1_ratio => 0.5) JOIN (VALUES (0, 2.1976317024333385), (1, -1.8434554041220719), (2, 0.008241084911884067), (3, 0.09560624868240228)) v (position, e) USING (position);

-- Identities.
CREATE TABLE fit AS SELECT * FROM crm.logistic_fit('SELECT * FROM car ORDER BY customer_id', 'am', '{wt, hp, mpg}', penalty => 0.01);
SELECT set_eq('SELECT * FROM fit', $$SELECT * FROM crm.logistic_fit('SELECT * FROM car ORDER BY md5(customer_id::text)', 'am', '{wt, hp, mpg}', penalty => 0.01)$$, 'the order of rows changes no bit of a logistic fit');
SELECT set_eq($$SELECT * FROM crm.linear_fit('SELECT * FROM car ORDER BY customer_id', 'mpg', '{wt, hp}')$$, $$SELECT * FROM crm.linear_fit('SELECT * FROM car ORDER BY md5(customer_id::text)', 'mpg', '{wt, hp}')$$, 'nor of a linear one');
SELECT set_eq('SELECT estimate, standard_error FROM fit', $$SELECT estimate, standard_error FROM crm.logistic_fit('car', 'am_number', '{wt, hp, mpg}', penalty => 0.01)$$, 'a label of 0 and 1 is one of false and true');
SELECT ok(abs(sum(p) - 13) < 1e-6, 'probabilities of a fit sum to the yeses') FROM (SELECT crm.logistic_predict((SELECT array_agg(estimate ORDER BY position) FROM crm.logistic_fit('car', 'am', '{wt, hp}')), ARRAY[wt, hp]) AS p FROM car) q;
SELECT ok(abs(sum(mpg - p)) < 1e-8 AND abs(sum((mpg - p) * wt)) < 1e-8, 'residuals of a linear fit are orthogonal to the features') FROM (SELECT *, crm.linear_predict((SELECT array_agg(estimate ORDER BY position) FROM crm.linear_fit('car', 'mpg', '{wt, hp}')), ARRAY[wt, hp]) AS p FROM car) q;
SELECT ok(bool_and(near(a.odds_ratio, exp(a.estimate)) AND near(ln(a.odds_ratio_high) - ln(a.odds_ratio_low), 2 * 1.959963984540054 * a.standard_error)), 'odds ratios and their intervals') FROM crm.logistic_fit('car', 'am', '{wt, hp}') a;
SELECT is((SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'crm design'), 0::bigint, 'no memory is left');
SELECT throws_ok($$SELECT set_config('maintenance_work_mem', '1MB', true), (SELECT count(*) FROM crm.logistic_fit('SELECT i % 2 AS y, i AS x FROM generate_series(1, 100000) i', 'y'))$$, '54000', NULL, 'memory is bounded');
SELECT lives_ok($$SELECT set_config('maintenance_work_mem', '64MB', true)$$, 'and given back');

-- telco: R 4.2, glm; needs CRM_DATA.
\set has_telco `test -r "${CRM_DATA:-/nowhere}/telco_churn.csv" && echo on || echo off`
\if :has_telco
CREATE TABLE line (f text[], l text);
\copy line (l) from program 'tail -n +2 "$CRM_DATA/telco_churn.csv"' (format csv, delimiter E'\x01', quote E'\x02')
UPDATE line SET f = string_to_array(l, ',');
CREATE TABLE telco AS SELECT f[6]::int AS tenure, f[19]::float8 AS monthly, NULLIF(trim(f[20]), '')::float8 AS total, f[16] = 'One year' AS one_year, f[16] = 'Two year' AS two_year, f[9] = 'Fiber optic' AS fiber, f[9] = 'DSL' AS dsl, f[3]::int AS senior, f[18] = 'Electronic check' AS electronic, f[17] = 'Yes' AS paperless, f[21] = 'Yes' AS churn FROM line;
SELECT ok(near(estimate, e, 1e-6), 'telco: ' || term)
FROM crm.logistic_fit('telco', 'churn') JOIN unnest('{-1.25110210862242, -.06026369057846, -.00539359156312, .00034029139197, -.72787260071478, -1.52419622472989, 1.84835174928377, .90970679754086, .31643883649247, .45193497520494, .40596427329220}'::float8[]) WITH ORDINALITY v (e, n) ON n = position + 1;
SELECT ok(near(deviance, 5936.01108351) AND near(null_deviance, 8143.35514649) AND n_used = 7032 AND n_skipped = 11, 'telco: deviances and rows') FROM crm.logistic_fit('telco', 'churn') LIMIT 1;
\else
SELECT skip('CRM_DATA has no telco_churn.csv', 12);
\endif
SELECT * FROM finish();
ROLLBACK;
