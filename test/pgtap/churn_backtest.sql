-- crm.churn_backtest and crm.churn_gains: no look into the future, a control that the past can be learnt from, measures made in SQL from crm.churn as of the cut, and CDNOW (with CRM_DATA).
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_churn_backtest;
SET LOCAL search_path = test_churn_backtest, public;
SELECT * FROM no_plan();

CREATE FUNCTION near(got float8, want float8, tolerance float8 DEFAULT 1e-9) RETURNS boolean LANGUAGE sql AS $$ SELECT coalesce(abs(got - want) <= tolerance * greatest(abs(want), 1), false) $$;
CREATE FUNCTION auc(scores float8[], labels boolean[]) RETURNS float8 LANGUAGE sql AS $$
	SELECT (sum(r) FILTER (WHERE y) - count(*) FILTER (WHERE y) * (count(*) FILTER (WHERE y) + 1) / 2.0) / (count(*) FILTER (WHERE y) * count(*) FILTER (WHERE NOT y))
	FROM (SELECT y, rank() OVER (ORDER BY s) + (count(*) OVER (PARTITION BY s) - 1) / 2.0 AS r FROM unnest(scores, labels) u (s, y)) q $$;
-- Uniform in [0, 1), of any number of seeds.
CREATE FUNCTION chance(VARIADIC seeds int[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || substr(md5(seeds::text), 1, 12))::bit(48)::bigint / 2.0 ^ 48 $$;

-- In each of eight quarters of 90 days a coin decides whether a customer orders, when, and for how much: what came before tells
-- nothing, what comes after tells all.
CREATE TABLE coin AS SELECT c AS customer_id, timestamptz '2024-01-01' + (q + chance(c, q, 1)) * interval '90 days' AS ordered_at, 10 + 90 * chance(c, q, 2) AS amount
FROM generate_series(1, 1500) c, generate_series(0, 7) q WHERE q = 0 OR chance(c, q, 0) < 0.5;
CREATE TABLE blind AS SELECT * FROM crm.churn_backtest('coin', as_of => '2025-12-21', cuts => '{2024-12-26, 2025-03-26, 2025-09-22}');
SELECT ok(method = 'base_rate' AND auc = 0.5 OR abs(auc - 0.5) <= 3 * auc_error AND auc_error BETWEEN 0.01 AND 0.02, format('%s at %s: AUC %s is within 3 errors of 0.5', method, cut::date, round(auc::numeric, 4))) FROM blind ORDER BY cut, method;
SELECT ok(bool_and(abs(log_loss - ln(2)) < 0.02), 'nor is the log-loss below that of a coin') FROM blind WHERE learnt_rows > 3000;

-- A feature that tells the coin of a quarter: seen when the quarter has begun it is of no use, seen the day before it is all that is needed.
CREATE TABLE told AS SELECT c AS customer_id, timestamptz '2024-01-01' + q * interval '90 days' AS begins, (chance(c, q, 0) < 0.5)::int AS coin FROM generate_series(1, 1500) c, generate_series(1, 7) q;
SELECT ok(abs(auc - 0.5) <= 3 * auc_error, 'a feature from after the cut is not looked at: AUC ' || round(auc::numeric, 4))
FROM crm.churn_backtest('coin', as_of => '2025-12-21', cuts => '{2025-03-26}', methods => '{logistic}', features => 'SELECT customer_id, begins + interval ''1 second'' AS observed_at, coin FROM told') WHERE method = 'logistic';
SELECT cmp_ok(auc, '>', 0.99::float8, 'one from before it is: the same test sees a leak where there is one')
FROM crm.churn_backtest('coin', as_of => '2025-12-21', cuts => '{2025-03-26}', methods => '{logistic}', features => 'SELECT customer_id, begins - interval ''1 day'' AS observed_at, coin FROM told') WHERE method = 'logistic';

-- The control: some customers order in nine quarters of ten, others in two.
CREATE TABLE split AS SELECT c AS customer_id, timestamptz '2024-01-01' + (q + chance(c, q, 1)) * interval '90 days' AS ordered_at, 10 + 90 * chance(c, q, 2) AS amount
FROM generate_series(1, 1500) c, generate_series(0, 7) q WHERE q = 0 OR chance(c, q, 0) < CASE WHEN c % 2 = 0 THEN 0.9 ELSE 0.2 END;
CREATE TABLE seen AS SELECT * FROM crm.churn_backtest('split', as_of => '2025-12-21', cuts => '{2025-03-26, 2025-09-22}', methods => '{alive, gap, logistic, auto}');
SELECT ok(auc > 0.5 + 15 * auc_error AND auc > 0.75 AND (method = 'alive' OR s.log_loss < b.log_loss) AND top_decile_lift > 1.3, format('%s at %s: where the past tells, AUC is %s', method, cut::date, round(auc::numeric, 4)))
FROM seen s JOIN (SELECT cut, log_loss FROM seen WHERE method = 'base_rate') b USING (cut) WHERE method <> 'base_rate' ORDER BY cut, method;

-- What comes later changes nothing: neither rows after the horizon, nor, of what is predicted, those within it.
SELECT set_eq($$SELECT * FROM crm.churn_backtest('split', as_of => '2025-12-21', cuts => '{2025-03-26}')$$, $$SELECT * FROM crm.churn_backtest('SELECT * FROM split WHERE ordered_at <= timestamptz ''2025-03-26'' + interval ''90 days''', as_of => '2025-06-24', cuts => '{2025-03-26}')$$, 'orders after the horizon of a cut change nothing');
SELECT set_eq(format($$SELECT decile, customers, mean_predicted FROM crm.churn_gains('split', as_of => '2025-12-21', cut => '2025-03-26', method => %L)$$, m), format($$SELECT decile, customers, mean_predicted FROM crm.churn_gains('SELECT * FROM split WHERE ordered_at <= ''2025-03-26'' UNION ALL SELECT customer_id, ordered_at + interval ''3 days'', 1 FROM split WHERE ordered_at > ''2025-03-26'' AND customer_id %% 3 = 0', as_of => '2025-12-21', cut => '2025-03-26', method => %L)$$, m), m || ': another future, the same predictions') FROM unnest('{alive, gap, logistic, auto}'::text[]) m;

-- Measures by their definitions, in SQL, from what crm.churn says as of the cut.
CREATE TABLE said AS
SELECT m AS method, c.customer_id, c.churn_probability AS p, NOT EXISTS (SELECT FROM split o WHERE o.customer_id = c.customer_id AND o.ordered_at > '2025-03-26' AND o.ordered_at <= timestamptz '2025-03-26' + interval '90 days') AS churned
FROM unnest('{alive, gap, logistic}'::text[]) m, crm.churn('SELECT * FROM split WHERE ordered_at <= ''2025-03-26''', as_of => '2025-03-26', method => m) c;
CREATE TABLE want AS
SELECT method, count(*) AS customers, count(*) FILTER (WHERE churned) AS churners, auc(array_agg(p), array_agg(churned)) AS auc, avg(-ln(CASE WHEN churned THEN p ELSE 1 - p END)) AS log_loss, avg((p - churned::int) ^ 2) AS brier,
	(count(*) FILTER (WHERE churned AND p >= 1 / 3.0))::float8 / nullif(count(*) FILTER (WHERE p >= 1 / 3.0), 0) AS mp, (count(*) FILTER (WHERE churned AND p >= 1 / 3.0))::float8 / count(*) FILTER (WHERE churned) AS mr,
	(count(*) FILTER (WHERE churned AND p >= 2 / 3.0))::float8 / nullif(count(*) FILTER (WHERE p >= 2 / 3.0), 0) AS hp, (count(*) FILTER (WHERE churned AND p >= 2 / 3.0))::float8 / count(*) FILTER (WHERE churned) AS hr
FROM said GROUP BY method;
SELECT ok(g.customers = w.customers AND g.churners = w.churners AND near(g.base_rate, w.churners::float8 / w.customers) AND near(g.auc, w.auc) AND near(g.log_loss, w.log_loss) AND near(g.brier, w.brier)
	AND near(medium_precision, mp) AND near(medium_recall, mr) AND near(high_precision, hp) AND near(high_recall, hr), 'the measures of ' || method || ' are those of crm.churn as of the cut') FROM seen g JOIN want w USING (method) WHERE cut = '2025-03-26' ORDER BY method;
SELECT ok(near(calibration_slope, f.b[2], 1e-6) AND near(calibration_intercept, f.b[1], 1e-6), 'calibration of ' || method || ' is a logistic regression on the logit')
FROM seen CROSS JOIN LATERAL (SELECT array_agg(estimate ORDER BY position) AS b FROM crm.logistic_fit(format('SELECT churned, ln(p / (1 - p)) AS logit FROM said WHERE method = %L', method), 'churned')) f WHERE cut = '2025-03-26' AND method IN ('alive', 'gap', 'logistic') ORDER BY method;
SELECT ok(bool_and(near(auc_error, e)), 'the error of AUC is DeLong''s')
FROM seen JOIN (SELECT method, sqrt(var_samp(v) FILTER (WHERE churned) / count(*) FILTER (WHERE churned) + var_samp(v) FILTER (WHERE NOT churned) / count(*) FILTER (WHERE NOT churned)) AS e
	FROM (SELECT method, churned, CASE WHEN churned THEN (rank() OVER w - 1 + (count(*) OVER s - 1) / 2.0 - (rank() OVER c - 1 + (count(*) OVER cs - 1) / 2.0)) / (count(*) FILTER (WHERE NOT churned) OVER m)
		ELSE (count(*) FILTER (WHERE churned) OVER m - (rank() OVER w - 1 + (count(*) OVER s - 1) / 2.0 - (rank() OVER c - 1 + (count(*) OVER cs - 1) / 2.0))) / (count(*) FILTER (WHERE churned) OVER m) END::float8 AS v
		FROM said WINDOW m AS (PARTITION BY method), w AS (PARTITION BY method ORDER BY p), s AS (PARTITION BY method, p), c AS (PARTITION BY method, churned ORDER BY p), cs AS (PARTITION BY method, churned, p)) q GROUP BY method) d USING (method) WHERE cut = '2025-03-26';

-- The base rate is that of the past cuts, and the regression has learnt from them alone.
SELECT ok(method_used = 'base_rate' AND auc = 0.5 AND auc_error = 0 AND top_decile_lift = 1 AND calibration_slope IS NULL AND learnt_rows = r AND learnt_churners = c AND near(log_loss, -(base_rate * ln((c + 0.5) / (r + 1)) + (1 - base_rate) * ln(1 - (c + 0.5) / (r + 1)))), 'the base rate is that of four quarters before')
FROM seen, (SELECT count(*) AS r, count(*) FILTER (WHERE NOT EXISTS (SELECT FROM split o WHERE o.customer_id = e.customer_id AND o.ordered_at > e.cut AND o.ordered_at <= e.cut + interval '90 days')) AS c
	FROM (SELECT cut, customer_id FROM generate_series(timestamptz '2025-03-26' - interval '360 days', '2025-03-25', interval '90 days') cut JOIN split ON ordered_at <= cut GROUP BY cut, customer_id) e
	WHERE cut - interval '90 days' >= (SELECT min(ordered_at) FROM split)) q WHERE method = 'base_rate' AND seen.cut = '2025-03-26';
SELECT ok(bool_and(l.learnt_rows = b.learnt_rows AND l.learnt_churners = b.learnt_churners), 'gap, logistic and base rate learn from the same customers') FROM seen l JOIN seen b USING (cut) WHERE l.method IN ('gap', 'logistic') AND b.method = 'base_rate';

-- Gains.
CREATE TABLE gains AS SELECT * FROM crm.churn_gains('split', as_of => '2025-12-21', cut => '2025-03-26', method => 'logistic');
SELECT ok(count(*) = 10 AND sum(customers) = 1500 AND near(sum(churners), (SELECT churners FROM want WHERE method = 'logistic')) AND max(total_share) = 1 AND near(max(abs(churners / customers - churn_rate)), 0) AND near(min(lift) FILTER (WHERE decile = 1), (SELECT top_decile_lift FROM seen WHERE method = 'logistic' AND cut = '2025-03-26')), 'deciles hold every customer and churner once') FROM gains;
SELECT ok(bool_and(near(g.churners, w.c) AND near(g.mean_predicted, w.p)), 'deciles are those of the ranks, ties shared')
FROM gains g JOIN (SELECT d AS decile, sum(share * churned::int) AS c, sum(share * p) / 150 AS p FROM generate_series(1, 10) d, LATERAL (SELECT p, churned, greatest(0, least(150 * d, hi) - greatest(150 * (d - 1), lo))::float8 / (hi - lo) AS share
	FROM (SELECT p, churned, rank() OVER (ORDER BY p DESC) - 1 AS lo, rank() OVER (ORDER BY p DESC) - 1 + count(*) OVER (PARTITION BY p) AS hi FROM said WHERE method = 'logistic') r) q GROUP BY d) w USING (decile);
SELECT ok(bool_and(near(total_share, s) AND near(total_lift, l)), 'totals add the deciles up')
FROM (SELECT total_share, total_lift, sum(churners) OVER w / (SELECT churners FROM want WHERE method = 'logistic') AS s, sum(churners) OVER w / sum(customers) OVER w * 1500 / (SELECT churners FROM want WHERE method = 'logistic') AS l FROM gains WINDOW w AS (ORDER BY decile)) q;

-- Keys, order of rows, defaults.
SELECT set_eq($$SELECT * FROM crm.churn_backtest('SELECT * FROM split ORDER BY ordered_at', as_of => '2025-12-21', cuts => '{2025-09-22}')$$, $$SELECT * FROM crm.churn_backtest('SELECT * FROM split ORDER BY md5(amount::text)', as_of => '2025-12-21', cuts => '{2025-09-22}')$$, 'the order of rows changes no bit');
SELECT ok(bool_and(near(a.auc, b.auc, 1e-6) AND near(a.log_loss, b.log_loss, 1e-6) AND a.customers = b.customers), 'keys of text')
FROM crm.churn_backtest('split', as_of => '2025-12-21', cuts => '{2025-09-22}') a JOIN crm.churn_backtest(key => NULL::text, source => 'SELECT md5(customer_id::text) AS customer_id, ordered_at, amount FROM split', as_of => '2025-12-21', cuts => '{2025-09-22}') b USING (method);
SELECT results_eq($$SELECT DISTINCT cut FROM crm.churn_backtest('split', methods => '{gap}') ORDER BY cut$$, $$SELECT max(ordered_at) - k * interval '90 days' FROM split, generate_series(1, 4) k GROUP BY k ORDER BY 1$$, 'by default the latest four cuts, a horizon apart, the last one a horizon before the last order');
SELECT results_eq($$SELECT DISTINCT cut FROM crm.churn_backtest('split', methods => '{gap}', horizon => '240 days') ORDER BY cut$$, $$SELECT max(ordered_at) - k * interval '240 days' FROM split, generate_series(1, 2) k GROUP BY k ORDER BY 1$$, 'fewer where the data allow no more') WHERE (SELECT max(ordered_at) - min(ordered_at) FROM split) >= interval '720 days';
SELECT is((SELECT array_agg(DISTINCT method ORDER BY method) FROM crm.churn_backtest('split', as_of => '2025-12-21', cuts => '{2025-09-22}')), '{alive, base_rate, gap, logistic}'::text[], 'all methods by default');

-- A label of the caller's own: customers who said goodbye, which the even ones never do.
CREATE TABLE goodbye AS SELECT c AS customer_id, timestamptz '2024-01-01' + (1 + floor(6.5 * chance(c, 9, 9)) + 0.5) * interval '90 days' AS churned_at FROM generate_series(1, 1499, 2) c;
SELECT results_eq($$SELECT method, customers, churners FROM crm.churn_backtest('split', as_of => '2025-12-21', cuts => '{2025-03-26}', label => 'goodbye') ORDER BY method$$, $$SELECT m, count(*) FILTER (WHERE g.customer_id IS NULL OR churned_at > '2025-03-26'), count(*) FILTER (WHERE churned_at > '2025-03-26' AND churned_at <= timestamptz '2025-03-26' + interval '90 days') FROM unnest('{base_rate, gap, logistic}'::text[]) m, generate_series(1, 1500) c LEFT JOIN goodbye g ON g.customer_id = c GROUP BY m ORDER BY m$$, 'with a label who has churned by the cut is left out, and alive, too');
SELECT is((SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%'), 0::bigint, 'no memory is left');

-- CDNOW: at each of the latest four cuts the past tells, and each method beats the base rate; needs CRM_DATA.
\set has_cdnow `test -r "${CRM_DATA:-/nowhere}/CDNOW_master.txt.gz" && echo on || echo off`
\if :has_cdnow
CREATE TABLE line (l text);
\copy line from program 'gzip -dc "$CRM_DATA/CDNOW_master.txt.gz" | tail -n +2 | tr , " "'
CREATE TABLE cdnow AS SELECT f[1]::bigint AS customer_id, to_date(f[2], 'YYYYMMDD')::timestamptz AS ordered_at, f[4]::float8 AS amount FROM (SELECT regexp_split_to_array(trim(l), '\s+') AS f FROM line) q;
SELECT ok(min(auc - 5 * auc_error) > 0.5 AND min(b.log_loss - c.log_loss) > 0 AND bool_and(calibration_slope BETWEEN 0.7 AND 1.5) AND count(*) = 4 AND bool_and(customers = 23570 AND status = 'ok'), 'CDNOW: ' || method || ' beats the base rate at each cut, AUC ' || string_agg(round(auc::numeric, 3)::text, ', ' ORDER BY cut))
FROM crm.churn_backtest('cdnow') c JOIN LATERAL (SELECT c.cut AS at, log_loss FROM crm.churn_backtest('cdnow', cuts => ARRAY[c.cut], methods => '{base_rate}')) b ON true WHERE method <> 'base_rate' GROUP BY method ORDER BY method;
\else
SELECT skip('CRM_DATA has no CDNOW_master.txt.gz', 3);
\endif
SELECT * FROM finish();
ROLLBACK;
