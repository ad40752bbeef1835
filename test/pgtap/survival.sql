-- crm.survival_curve, crm.nelson_aalen and crm.logrank: numbers of R, definitions in SQL, and lung (with CRM_DATA).
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SCHEMA test_survival;
SET LOCAL search_path = test_survival, public;
SET LOCAL timezone = 'UTC';
SELECT * FROM no_plan();

CREATE TABLE subscription AS
SELECT id::bigint AS customer_id, timestamptz '2020-01-01 UTC' + (161 - days) * interval '1 day' * (1 - event) AS started_at,
	CASE WHEN event = 1 THEN timestamptz '2020-01-01 UTC' + days * interval '1 day' END AS ended_at, CASE g WHEN 0 THEN 'maintained' ELSE 'not maintained' END AS plan, g, id % 3 AS noise
FROM (VALUES (1, 9, 1, 0), (2, 13, 1, 0), (3, 13, 0, 0), (4, 18, 1, 0), (5, 23, 1, 0), (6, 28, 0, 0), (7, 31, 1, 0), (8, 34, 1, 0), (9, 45, 0, 0), (10, 48, 1, 0), (11, 161, 0, 0), (12, 5, 1, 1), (13, 5, 1, 1), (14, 8, 1, 1), (15, 8, 1, 1), (16, 12, 1, 1), (17, 16, 0, 1), (18, 23, 1, 1), (19, 27, 1, 1), (20, 30, 1, 1), (21, 33, 1, 1), (22, 43, 1, 1), (23, 45, 1, 1)) v (id, days, event, g);
CREATE FUNCTION near(got float8, want float8, tolerance float8 DEFAULT 1e-9) RETURNS boolean LANGUAGE sql AS $$ SELECT abs(got - want) <= tolerance * abs(want) $$;


-- R 4.2.2, survival 3.5: survfit(Surv(time, status) ~ 1, aml, conf.type = "log-log"), survdiff by x
SELECT ok(near(survival, s) AND near(standard_error, e) AND near(survival_low, low) AND near(survival_high, high), 'survival at ' || "time")
FROM crm.survival_curve('subscription', as_of => '2020-06-10 UTC') JOIN (VALUES (5, 0.913043478260870, 0.0587533847558414, 0.69494753753205873, 0.977515669900713), (31, 0.386473429951691, 0.1088588014948644, 0.18283661864862794, 0.587476914417940), (161, 0.082815734989648, 0.0726618005035283, 0.00695596679853646, 0.286760367980918)) v ("time", s, e, low, high) USING ("time");
SELECT ok(near(cumulative_hazard, 0.9015002081868417) AND near(standard_error, 0.2660903575141858), 'cumulative hazard at 31') FROM crm.nelson_aalen('subscription', as_of => '2020-06-10 UTC') WHERE "time" = 31;
SELECT ok(median = 27 AND median_low = 13 AND median_high = 34 AND near(restricted_mean, 36.36438923395445) AND near(restricted_mean_error, 9.85410105666456), 'median and restricted mean') FROM crm.survival_curve('subscription', as_of => '2020-06-10 UTC') LIMIT 1;
SELECT ok(near(chi_squared, 3.3963886989776) AND near(expected, CASE "group" WHEN 'maintained' THEN 10.68933599230072 ELSE 7.31066400769928 END), 'log-rank test, ' || "group") FROM crm.logrank('subscription', 'plan', as_of => '2020-06-10 UTC');

-- Definitions.
CREATE TABLE big AS SELECT i AS customer_id, timestamptz '2020-01-01 UTC' + (i % 97) * interval '1 day' AS started_at, CASE WHEN i % 3 > 0 THEN timestamptz '2020-01-01 UTC' + (i % 97 + i * 7919 % 211) * interval '1 day' END AS ended_at, i % 4 AS plan FROM generate_series(1, 3000) i;
CREATE TABLE curve AS SELECT * FROM crm.survival_curve('big', 'plan', as_of => '2020-06-01 UTC');
WITH d AS (SELECT plan::text AS "group", extract(epoch FROM least(coalesce(ended_at, 'infinity'), '2020-06-01 UTC') - started_at) / 86400 AS t, coalesce(ended_at <= '2020-06-01 UTC', false) AS e FROM big),
	want AS (SELECT "group", t, (SELECT count(*) FROM d x WHERE x."group" = d."group" AND x.t >= d.t) AS n, count(*) FILTER (WHERE e) AS events, count(*) FILTER (WHERE NOT e) AS censored FROM d GROUP BY 1, 2)
SELECT is((SELECT count(*) FROM want JOIN curve c ON c."group" = want."group" AND c."time" = t AND c.at_risk = n AND c.events = want.events AND c.censored = want.censored), (SELECT count(*) FROM curve), 'counts are those of SQL');
SELECT ok(bool_and(abs(survival - product) < 1e-12), 'survival is the product') FROM (SELECT *, exp(sum(ln(nullif(1 - events::float8 / at_risk, 0))) OVER (PARTITION BY "group" ORDER BY "time")) AS product FROM curve) q WHERE survival > 0;
SELECT set_eq('SELECT * FROM curve', $$SELECT * FROM crm.survival_curve('SELECT * FROM big ORDER BY md5(customer_id::text)', 'plan', as_of => '2020-06-01 UTC')$$, 'the order of rows does not matter');
SELECT ok(near(a.restricted_mean, 7 * b.restricted_mean) AND near(a.restricted_to, 7 * b.restricted_to), 'units are converted') FROM crm.survival_curve('big', as_of => '2020-06-01 UTC') a, crm.survival_curve('big', as_of => '2020-06-01 UTC', unit => 'week') b LIMIT 1;
SELECT ok(near(chi_squared, (SELECT chi_squared FROM crm.logrank('SELECT customer_id, started_at, ended_at, plan = 0 AS plan FROM big WHERE plan < 2', 'plan', as_of => '2020-06-01 UTC') LIMIT 1)), 'names of groups do not matter') FROM crm.logrank('SELECT * FROM big WHERE plan < 2', 'plan', as_of => '2020-06-01 UTC') LIMIT 1;
SELECT ok(near(sum(expected), sum(events)), 'expected leavings sum to the observed ones') FROM crm.logrank('big', 'plan', as_of => '2020-06-01 UTC');
SELECT is((SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'crm design'), 0::bigint, 'no memory is left');
SELECT throws_ok($$SELECT set_config('maintenance_work_mem', '1MB', true), (SELECT count(*) FROM crm.survival_curve('SELECT i AS customer_id, now() - interval $i$1 day$i$ AS started_at, NULL AS ended_at FROM generate_series(1, 100000) i'))$$, '54000', NULL, 'memory is bounded');

-- lung: R survival 3.5; needs CRM_DATA.
\set has_lung `test -r "${CRM_DATA:-/nowhere}/lung.csv" && echo on || echo off`
\if :has_lung
CREATE TABLE raw (inst text, "time" float8, status int, age float8, sex int, ph_ecog float8, ph_karno text, pat_karno text, meal_cal text, wt_loss text);
\copy raw from program 'cat "$CRM_DATA/lung.csv"' (format csv, header)
CREATE TABLE lung AS SELECT row_number() OVER () AS customer_id, timestamptz '2020-01-01 UTC' - CASE status WHEN 0 THEN "time" ELSE 0 END * interval '1 day' AS started_at, CASE WHEN status <> 0 THEN timestamptz '2020-01-01 UTC' + ("time" - 2000) * interval '1 day' END AS ended_at, age, sex, ph_ecog, "time", status FROM raw;
UPDATE lung SET started_at = timestamptz '2020-01-01 UTC' - interval '2000 days' WHERE status <> 0;
CREATE TABLE lung_curve AS SELECT * FROM crm.survival_curve('lung', interval_type => 'log', as_of => '2020-01-01 UTC');
SELECT ok(near(survival, s, 1e-11) AND near(standard_error, e, 1e-11), 'lung: survival at ' || t)
FROM (VALUES (5, .9956140350877, .00437633599855), (100, .8639689676452, .02271023043416), (180, .7216706534098, .02981241946864), (365, .4092416244601, .03582363817204), (500, .2932691937116, .03507781849862), (883, .0503455680708, .02284804891608)) v (t, s, e), LATERAL (SELECT * FROM lung_curve WHERE "time" <= t ORDER BY "time" DESC LIMIT 1) c;
SELECT ok(median = 310 AND median_low = 285 AND median_high = 363 AND group_rows = 228 AND group_events = 165, 'lung: median') FROM lung_curve LIMIT 1;
SELECT ok(near(chi_squared, 10.3267419548856) AND near(p_value, 0.00131116, 1e-5), 'lung: log-rank by sex') FROM crm.logrank('lung', 'sex', as_of => '2020-01-01 UTC') LIMIT 1;
\else
SELECT skip('CRM_DATA has no lung.csv', 8);
\endif
SELECT * FROM finish();
ROLLBACK;
