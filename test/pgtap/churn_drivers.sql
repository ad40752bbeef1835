-- crm.churn_drivers: numbers of R, the same model from features made in SQL, keys, order of rows, and telco (with CRM_DATA).
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_churn_drivers;
SET LOCAL search_path = test_churn_drivers, public;
SELECT * FROM no_plan();

CREATE TABLE car AS SELECT id::bigint AS customer_id, mpg::float8, hp::integer, wt::numeric, am = 1 AS am FROM (VALUES (1, 21, 110, 2.62, 1), (2, 21, 110, 2.875, 1), (3, 22.8, 93, 2.32, 1), (4, 21.4, 110, 3.215, 0), (5, 18.7, 175, 3.44, 0), (6, 18.1, 105, 3.46, 0), (7, 14.3, 245, 3.57, 0), (8, 24.4, 62, 3.19, 0), (9, 22.8, 95, 3.15, 0), (10, 19.2, 123, 3.44, 0), (11, 17.8, 123, 3.44, 0), (12, 16.4, 180, 4.07, 0), (13, 17.3, 180, 3.73, 0), (14, 15.2, 180, 3.78, 0), (15, 10.4, 205, 5.25, 0), (16, 10.4, 215, 5.424, 0), (17, 14.7, 230, 5.345, 0), (18, 32.4, 66, 2.2, 1), (19, 30.4, 52, 1.615, 1), (20, 33.9, 65, 1.835, 1), (21, 21.5, 97, 2.465, 0), (22, 15.5, 150, 3.52, 0), (23, 15.2, 150, 3.435, 0), (24, 13.3, 245, 3.84, 0), (25, 19.2, 175, 3.845, 0), (26, 27.3, 66, 1.935, 1), (27, 26, 91, 2.14, 1), (28, 30.4, 113, 1.513, 1), (29, 15.8, 264, 3.17, 1), (30, 19.7, 175, 2.77, 1), (31, 15, 335, 3.57, 1), (32, 21.4, 109, 2.78, 1)) v (id, mpg, hp, wt, am);
CREATE FUNCTION near(got float8, want float8, tolerance float8 DEFAULT 1e-9) RETURNS boolean LANGUAGE sql AS $$ SELECT coalesce(abs(got - want) <= tolerance * abs(want), false) $$;

-- The caller's own table. R 4.2.2: glm(am ~ wt + hp, binomial), 1 / (1 - cor(wt, hp)^2).
SELECT ok(near(estimate, e) AND near(standard_error, s) AND near(z, e / s) AND near(odds_ratio, exp(e)) AND near(ln(odds_ratio_high), e + 1.959963984540054 * s) AND near(ln(odds_ratio_low), e - 1.959963984540054 * s), term || ' of the caller''s table')
FROM crm.churn_drivers('car', label_column => 'am', feature_columns => '{wt, hp}') JOIN (VALUES (0, 18.866298717204155, 7.4435584279817278), (1, -8.083475182444649, 3.0686752753905919), (2, 0.036255596082216615, 0.017734154331947037)) v (position, e, s) USING (position);
SELECT ok(bool_and(near(variance_inflation, 1.76662457926828, 1e-12)) AND count(*) = 2, 'variance inflation of two columns is that of their correlation') FROM crm.churn_drivers('car', label_column => 'am', feature_columns => '{wt, hp}') WHERE position > 0;
SELECT ok(bool_and(near(d.importance, abs(d.estimate) * v.s / (SELECT sum(abs(e.estimate) * w.s) FROM crm.churn_drivers('car', label_column => 'am', feature_columns => '{wt, hp}') e JOIN (SELECT 1 AS position, stddev_pop(wt)::float8 AS s FROM car UNION ALL SELECT 2, stddev_pop(hp)::float8 FROM car) w USING (position)))) AND near(sum(importance), 1), 'importance is the share of |estimate| times standard deviation')
FROM crm.churn_drivers('car', label_column => 'am', feature_columns => '{wt, hp}') d JOIN (SELECT 1 AS position, stddev_pop(wt)::float8 AS s FROM car UNION ALL SELECT 2, stddev_pop(hp)::float8 FROM car) v USING (position);
SELECT ok(near(variance_inflation, 1 / (1 - (SELECT r_squared FROM crm.linear_fit('car', term, array_remove('{wt, hp, mpg}', term)) LIMIT 1)), 1e-10), 'variance inflation of ' || term || ' is that of its regression on the others') FROM crm.churn_drivers('car', label_column => 'am', feature_columns => '{wt, hp, mpg}', penalty => 0.01) WHERE position > 0;
SELECT set_eq($$SELECT * FROM crm.churn_drivers('SELECT * FROM car ORDER BY customer_id', label_column => 'am', feature_columns => '{wt, hp}')$$, $$SELECT * FROM crm.churn_drivers('SELECT * FROM car ORDER BY md5(customer_id::text)', label_column => 'am', feature_columns => '{wt, hp}')$$, 'the order of rows changes no bit');
SELECT results_eq($$SELECT term, dropped, variance_inflation IS NULL, importance IS NULL FROM crm.churn_drivers('SELECT wt, 5 AS five, hp, wt + hp AS sum, am FROM car', label_column => 'am') WHERE position > 0 ORDER BY position$$, $$VALUES ('wt', NULL, false, false), ('five', 'constant', true, true), ('hp', NULL, false, false), ('sum', 'collinear', true, true)$$, 'columns that are dropped have neither');
SELECT ok(bool_and(near(variance_inflation, 1.76662457926828, 1e-10)), 'and inflate no other') FROM crm.churn_drivers('SELECT wt, 5 AS five, hp, wt + hp AS sum, am FROM car', label_column => 'am') WHERE variance_inflation IS NOT NULL;

-- Orders: the same features made in SQL at two cuts, and the same model.
CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(1500, '2025-01-01', '2026-01-01', r => 1, alpha => 6, seed => 8);
CREATE TABLE hand AS
WITH cut AS (SELECT * FROM (VALUES (timestamptz '2025-06-15'), ('2025-09-01')) v (cut)),
o AS (SELECT cut, o.*, lag(ordered_at) OVER w AS before, row_number() OVER w AS i, count(*) OVER (PARTITION BY cut, customer_id) AS n FROM orders o JOIN cut ON ordered_at <= cut WINDOW w AS (PARTITION BY cut, customer_id ORDER BY ordered_at)),
c AS (SELECT cut, customer_id, count(*)::float8 AS n, extract(epoch FROM cut - max(ordered_at))::float8 / 86400 AS silence, extract(epoch FROM cut - min(ordered_at))::float8 / 86400 AS tenure,
	count(*) FILTER (WHERE ordered_at > cut - interval '60 days') AS recent, count(*) FILTER (WHERE ordered_at <= cut - interval '60 days' AND ordered_at > cut - interval '120 days') AS earlier,
	avg(extract(epoch FROM ordered_at - before)::float8 / 86400) AS gap, stddev_pop(extract(epoch FROM ordered_at - before)::float8 / 86400) AS spread, avg(amount::float8) AS value,
	avg(amount::float8) FILTER (WHERE i <= o.n / 2) AS a, avg(amount::float8) FILTER (WHERE i > o.n - o.n / 2) AS b
	FROM o GROUP BY cut, customer_id)
SELECT NOT EXISTS (SELECT FROM orders x WHERE x.customer_id = c.customer_id AND x.ordered_at > cut AND x.ordered_at <= cut + interval '60 days') AS churned,
	ln(1 + silence) AS days_since_last, ln(1 + n) AS orders, ln(1 + recent::float8) AS orders_last_horizon, ln(1 + earlier::float8) AS orders_horizon_before, ln(1 + tenure) AS tenure_days, (n = 1)::int AS one_visit,
	coalesce(ln(1 + gap), avg(ln(1 + gap)) OVER ()) AS mean_gap_days, CASE WHEN n > 1 THEN spread / gap ELSE avg(spread / gap) OVER () END AS gap_spread, coalesce(ln(1 + silence / gap), avg(ln(1 + silence / gap)) OVER ()) AS silence_over_gap, ln(1 + value) AS mean_value, coalesce((b - a) / (a + b), 0) AS value_trend, cut, customer_id
FROM c;
CREATE TABLE made AS SELECT * FROM crm.churn_drivers('orders', horizon => '60 days', cuts => '{2025-09-01, 2025-06-15}');
SELECT ok(count(*) = 12 AND bool_and(near(m.estimate, h.estimate, 1e-6) AND (m.position = 0 OR near(m.importance, h.importance, 1e-6)) AND m.n_used = h.n_used AND m.n_churned = h.n_churned AND m.n_cuts = 2), 'the model of orders is that of features made in SQL')
FROM made m JOIN crm.churn_drivers('SELECT churned, days_since_last, orders, orders_last_horizon, orders_horizon_before, tenure_days, one_visit, mean_gap_days, gap_spread, silence_over_gap, mean_value, value_trend FROM hand', label_column => 'churned') h USING (term);
SELECT ok(bool_and(near(m.variance_inflation, h.variance_inflation, 1e-6)), 'with the same variance inflation') FROM made m JOIN crm.churn_drivers('SELECT churned, days_since_last, orders, orders_last_horizon, orders_horizon_before, tenure_days, one_visit, mean_gap_days, gap_spread, silence_over_gap, mean_value, value_trend FROM hand', label_column => 'churned') h USING (term) WHERE m.position > 0;
SELECT is(n_used, (SELECT count(*) FROM hand), 'and all customers of each cut') FROM made LIMIT 1;
SELECT ok(bool_and(n_missing = CASE WHEN term IN ('mean_gap_days', 'gap_spread', 'silence_over_gap') THEN (SELECT count(*) FROM hand WHERE one_visit = 1) ELSE 0 END), 'who came once lacks what needs a gap, and has its mean') FROM made WHERE position > 0;

-- Errors know that the rows of a customer go together: with the same cut, but for a microsecond, twice over, there is no more to know.
CREATE TABLE once AS SELECT * FROM crm.churn_drivers('orders', horizon => '60 days', cuts => '{2025-06-15}');
SELECT ok(bool_and(near(t.standard_error, o.standard_error, 1e-4)) AND min(t.n_used) = 2 * min(o.n_used), 'the same cut twice gives the errors of once')
FROM crm.churn_drivers('orders', horizon => '60 days', cuts => '{2025-06-15, 2025-06-15 00:00:00.000001}') t JOIN once o USING (term);
SELECT ok(bool_and(o.standard_error / h.standard_error BETWEEN 0.6 AND 1.6), 'of one cut they are about those of independent rows') FROM once o JOIN crm.churn_drivers('SELECT churned, days_since_last, orders, orders_last_horizon, orders_horizon_before, tenure_days, one_visit, mean_gap_days, gap_spread, silence_over_gap, mean_value, value_trend FROM hand WHERE cut = $$2025-06-15$$', label_column => 'churned') h USING (term);

-- The future is not looked at; the order of rows and the type of keys change nothing.
SELECT set_eq('SELECT * FROM made', $$SELECT * FROM crm.churn_drivers('SELECT * FROM orders ORDER BY md5(amount::text)', horizon => '60 days', cuts => '{2025-06-15, 2025-09-01}')$$, 'neither the order of rows nor that of cuts changes a bit');
SELECT ok(bool_and(near(m.estimate, t.estimate, 1e-9) AND near(m.standard_error, t.standard_error, 1e-9)), 'keys of text') FROM made m JOIN crm.churn_drivers(key => NULL::text, source => 'SELECT md5(customer_id::text) AS customer_id, ordered_at, amount FROM orders', horizon => '60 days', cuts => '{2025-06-15, 2025-09-01}') t USING (term);
SELECT set_eq($$SELECT * FROM crm.churn_drivers('orders', as_of => '2025-09-10', horizon => '60 days')$$, $$SELECT * FROM crm.churn_drivers('SELECT * FROM orders WHERE ordered_at <= ''2025-09-10''', as_of => '2025-09-10', horizon => '60 days')$$, 'orders after as_of change nothing');
SELECT is((SELECT n_cuts FROM crm.churn_drivers('orders', horizon => '60 days') LIMIT 1), (SELECT floor(extract(epoch FROM max(ordered_at) - min(ordered_at)) / 86400 / 60)::int - 1 FROM orders), 'by default as many cuts as the orders allow, each with a horizon before and after it');
SELECT is((SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%'), 0::bigint, 'no memory is left');

-- telco: R 4.2.2, glm and 1 / (1 - summary(lm(column ~ others))$r.squared); needs CRM_DATA.
\set has_telco `test -r "${CRM_DATA:-/nowhere}/telco_churn.csv" && echo on || echo off`
\if :has_telco
CREATE TABLE line (n bigint GENERATED ALWAYS AS IDENTITY, l text);
\copy line (l) from program 'tail -n +2 "$CRM_DATA/telco_churn.csv"' (format csv, delimiter E'\x01', quote E'\x02')
CREATE TABLE telco AS SELECT n AS row, f[6]::int AS tenure, f[19]::float8 AS monthly, NULLIF(trim(f[20]), '')::float8 AS total, f[16] = 'One year' AS one_year, f[16] = 'Two year' AS two_year, f[9] = 'Fiber optic' AS fiber, f[9] = 'DSL' AS dsl, f[3]::int AS senior, f[18] = 'Electronic check' AS electronic, f[17] = 'Yes' AS paperless, f[21] = 'Yes' AS churn FROM (SELECT n, string_to_array(l, ',') AS f FROM line) q;
CREATE TABLE got AS SELECT * FROM crm.churn_drivers('SELECT churn, tenure, monthly, total, one_year, two_year, fiber, dsl, senior, electronic, paperless FROM telco', label_column => 'churn');
SELECT ok(near(estimate, e, 1e-6) AND near(standard_error, s, 1e-6) AND (position = 0 OR (near(importance, i, 1e-6) AND near(variance_inflation, v, 1e-9))) AND n_used = 7032 AND n_skipped = 11 AND n_churned = 1869, 'telco: ' || term)
FROM got JOIN unnest('{-1.25110210862242, -.06026369057846, -.00539359156312, .00034029139197, -.72787260071478, -1.52419622472989, 1.84835174928377, .90970679754086, .31643883649247, .45193497520494, .40596427329220}'::float8[],
	'{0.1414155779731, 0.006164779785903, 0.003508064812152, 7.027109757899e-05, 0.1054510884715, 0.1741168024946, 0.2388452343985, 0.1575534244061, 0.0815488341115, 0.06770857356564, 0.07314440255449}'::float8[],
	'{NULL, 0.2823409696691, 0.03097367086883, 0.1472343804111, 0.05652612721855, 0.1241933940272, 0.1751520417277, 0.08246798196588, 0.02227835071662, 0.04075801114873, 0.03807507224623}'::float8[],
	'{NULL, 6.982351432568, 12.09112536471, 10.13100360588, 1.581326851107, 2.524586498467, 13.93441741601, 4.714396139107, 1.099807888822, 1.276172648756, 1.191352244325}'::float8[]) WITH ORDINALITY u (e, s, i, v, n) ON n = position + 1;

-- Held out: of four splits, split k tests the rows whose number in the file, from 1, leaves k when divided by 4 and fits to the others; AUC by ranks, ties shared.
-- scikit-learn 1.9.1 on the same rows and columns, roc_auc_score of predict_proba of k = 0, 1, 2, 3, and the mean:
--     LogisticRegression()                                                 0.848338504983 0.828899664642 0.831274637730 0.840366391913   0.837219799817 (stops before it converges)
--     LogisticRegression(solver='newton-cholesky', tol=1e-10)              0.852163883827 0.831320013025 0.835804627638 0.841958842990   0.840311841870
--     LogisticRegression(C=np.inf, solver='newton-cholesky', tol=1e-12)    0.852254182469 0.831412328671 0.835704916285 0.841942822355   0.840328562445
-- and at k = 0 make_pipeline(StandardScaler(), LogisticRegression())       0.852103137467
CREATE FUNCTION auc(scores float8[], labels boolean[]) RETURNS float8 LANGUAGE sql AS $$
	SELECT (sum(r) FILTER (WHERE y) - count(*) FILTER (WHERE y) * (count(*) FILTER (WHERE y) + 1) / 2.0) / (count(*) FILTER (WHERE y) * count(*) FILTER (WHERE NOT y))
	FROM (SELECT y, rank() OVER (ORDER BY s) + (count(*) OVER (PARTITION BY s) - 1) / 2.0 AS r FROM unnest(scores, labels) u (s, y)) q $$;
CREATE TABLE split (name text, k int, auc float8);
INSERT INTO split SELECT name, k, (SELECT auc(array_agg(crm.logistic_predict(b, ARRAY[tenure, monthly, total, one_year::int, two_year::int, fiber::int, dsl::int, senior, electronic::int, paperless::int])), array_agg(churn)) FROM telco WHERE row % 4 = k AND total IS NOT NULL)
FROM generate_series(0, 3) k CROSS JOIN LATERAL (SELECT 'crm.logistic_fit' AS name, array_agg(estimate ORDER BY position) AS b FROM crm.logistic_fit(format('SELECT * FROM telco WHERE row %% 4 <> %s', k), 'churn', '{tenure, monthly, total, one_year, two_year, fiber, dsl, senior, electronic, paperless}')
	UNION ALL SELECT 'crm.churn_drivers', array_agg(estimate ORDER BY position) FROM crm.churn_drivers(format('SELECT * FROM telco WHERE row %% 4 <> %s', k), label_column => 'churn', feature_columns => '{tenure, monthly, total, one_year, two_year, fiber, dsl, senior, electronic, paperless}')) q;
SELECT ok(max(auc) FILTER (WHERE k = 0) >= 0.852254182468, name || ': AUC on held-out telco, k = 0, is at least scikit-learn''s best of these: ' || max(auc) FILTER (WHERE k = 0)) FROM split GROUP BY name ORDER BY name;
SELECT ok(avg(auc) >= 0.840328562444, name || ': so is the mean of the four splits: ' || avg(auc)) FROM split GROUP BY name ORDER BY name;
\else
SELECT skip('CRM_DATA has no telco_churn.csv', 15);
\endif
SELECT * FROM finish();
ROLLBACK;
