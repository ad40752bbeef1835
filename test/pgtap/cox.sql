-- crm.cox_fit, crm.cox_baseline and crm.cox_predict: numbers of R, identities, and lung and rossi (with CRM_DATA).
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SCHEMA test_cox;
SET LOCAL search_path = test_cox, public;
SET LOCAL timezone = 'UTC';
SELECT * FROM no_plan();

CREATE TABLE subscription AS
SELECT id::bigint AS customer_id, timestamptz '2020-01-01 UTC' + (161 - days) * interval '1 day' * (1 - event) AS started_at,
	CASE WHEN event = 1 THEN timestamptz '2020-01-01 UTC' + days * interval '1 day' END AS ended_at, CASE g WHEN 0 THEN 'maintained' ELSE 'not maintained' END AS plan, g, id % 3 AS noise
FROM (VALUES (1, 9, 1, 0), (2, 13, 1, 0), (3, 13, 0, 0), (4, 18, 1, 0), (5, 23, 1, 0), (6, 28, 0, 0), (7, 31, 1, 0), (8, 34, 1, 0), (9, 45, 0, 0), (10, 48, 1, 0), (11, 161, 0, 0), (12, 5, 1, 1), (13, 5, 1, 1), (14, 8, 1, 1), (15, 8, 1, 1), (16, 12, 1, 1), (17, 16, 0, 1), (18, 23, 1, 1), (19, 27, 1, 1), (20, 30, 1, 1), (21, 33, 1, 1), (22, 43, 1, 1), (23, 45, 1, 1)) v (id, days, event, g);
CREATE FUNCTION near(got float8, want float8, tolerance float8 DEFAULT 1e-9) RETURNS boolean LANGUAGE sql AS $$ SELECT abs(got - want) <= tolerance * abs(want) $$;


-- R 4.2.2, survival 3.5: coxph, cox.zph; R's baseline is at g = 0
SELECT ok(near(estimate, 0.915532575014773) AND near(standard_error, 0.511934275172009, 1e-8) AND near(log_likelihood, -41.0326155964584) AND near(null_log_likelihood, -42.7248392627602) AND near(concordance, 0.6190476190476191) AND near(concordance_error, 0.0631849960441082, 1e-9) AND near(proportional_chi_squared, 0.00787507772332503, 1e-8), 'aml, Efron') FROM crm.cox_fit('subscription', '{g}', as_of => '2020-06-10 UTC');
SELECT ok(near(estimate, 0.904219723686211) AND near(standard_error, 0.512247907304189, 1e-8) AND near(proportional_chi_squared, 0.0135754533354845, 1e-8), 'aml, Breslow') FROM crm.cox_fit('subscription', '{g}', 'breslow', as_of => '2020-06-10 UTC');
SELECT ok(near(cumulative_hazard, 0.3484413829331567 * exp(0.915532575014773 * 12 / 23)), 'baseline at 23') FROM crm.cox_baseline('subscription', '{g}', as_of => '2020-06-10 UTC') WHERE "time" = 23;

-- Identities.
CREATE TABLE big AS SELECT i AS customer_id, timestamptz '2020-01-01 UTC' + (i % 97) * interval '1 day' AS started_at, CASE WHEN i % 3 > 0 THEN timestamptz '2020-01-01 UTC' + (i % 97 + i * 7919 % (150 + i % 5 * 20)) * interval '1 day' END AS ended_at, i % 5 AS x, sin(i) AS y, i % 4 AS plan FROM generate_series(1, 3000) i;
CREATE TABLE fit AS SELECT * FROM crm.cox_fit('big', '{x, y}', as_of => '2020-06-01 UTC', strata => 'plan');
SELECT set_eq('SELECT * FROM fit', $$SELECT * FROM crm.cox_fit('SELECT * FROM big ORDER BY md5(customer_id::text)', '{x, y}', as_of => '2020-06-01 UTC', strata => 'plan')$$, 'the order of rows changes no bit');
SELECT ok(bool_and(near(a.estimate, b.estimate, 1e-10) AND near(a.log_likelihood, b.log_likelihood, 1e-12)), 'nor do the unit and the names of strata but rounding') FROM fit a JOIN crm.cox_fit('SELECT *, 100 - plan AS stratum FROM big', '{x, y}', as_of => '2020-06-01 UTC', strata => 'stratum', unit => 'month') b USING (position);
SELECT ok(near(score, chi_squared, 1e-8), 'without ties the score test is the log-rank test') FROM (SELECT score FROM crm.cox_fit('SELECT customer_id, timestamptz $$2020-01-01 UTC$$ AS started_at, timestamptz $$2020-01-01 UTC$$ + customer_id * interval $$1 hour$$ AS ended_at, (customer_id * customer_id % 7 < 3)::int AS g FROM big', '{g}', as_of => '2020-06-01 UTC')) a, crm.logrank('SELECT customer_id, timestamptz $$2020-01-01 UTC$$ AS started_at, timestamptz $$2020-01-01 UTC$$ + customer_id * interval $$1 hour$$ AS ended_at, (customer_id * customer_id % 7 < 3)::int AS g FROM big', 'g', as_of => '2020-06-01 UTC') b LIMIT 1;
SELECT ok(abs(crm.cox_predict(t, h, b, m, '{1, 0}', 100) - crm.cox_predict(t, h, b, m, '{1, 0}', 40) * crm.cox_predict(t, h, b, m, '{1, 0}', 100, 40)) < 1e-14 AND near(crm.cox_predict(t, h, b, m, m, 100), (SELECT survival FROM crm.cox_baseline('big', '{x, y}', as_of => '2020-06-01 UTC') WHERE "time" <= 100 ORDER BY "time" DESC LIMIT 1)), 'predictions: conditional ones multiply, and at the means they are the baseline')
FROM (SELECT array_agg("time" ORDER BY "time") AS t, array_agg(cumulative_hazard ORDER BY "time") AS h FROM crm.cox_baseline('big', '{x, y}', as_of => '2020-06-01 UTC')) p, (SELECT array_agg(estimate ORDER BY position) AS b, array_agg(mean ORDER BY position) AS m FROM crm.cox_fit('big', '{x, y}', as_of => '2020-06-01 UTC')) q;
SELECT ok(near(max(cumulative_hazard), (SELECT max(cumulative_hazard) FROM crm.nelson_aalen('big', as_of => '2020-06-01 UTC')), 0.01), 'the baseline at the means is near that of Nelson and Aalen where little depends on covariates') FROM crm.cox_baseline('big', '{y}', 'breslow', as_of => '2020-06-01 UTC');
SELECT is((SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'crm design'), 0::bigint, 'no memory is left');
SELECT throws_ok($$SELECT set_config('maintenance_work_mem', '1MB', true), (SELECT count(*) FROM crm.cox_fit('SELECT i AS customer_id, now() - interval $i$1 day$i$ AS started_at, NULL AS ended_at, i AS x FROM generate_series(1, 100000) i', '{x}'))$$, '54000', NULL, 'memory is bounded');
SELECT set_config('maintenance_work_mem', '64MB', true) \gset

-- lung: R survival 3.5; needs CRM_DATA.
\set has_lung `test -r "${CRM_DATA:-/nowhere}/lung.csv" && echo on || echo off`
\if :has_lung
CREATE TABLE raw (inst text, "time" float8, status int, age float8, sex int, ph_ecog float8, ph_karno text, pat_karno text, meal_cal text, wt_loss text);
\copy raw from program 'cat "$CRM_DATA/lung.csv"' (format csv, header)
CREATE TABLE lung AS SELECT row_number() OVER () AS customer_id, timestamptz '2020-01-01 UTC' - CASE status WHEN 0 THEN "time" ELSE 0 END * interval '1 day' AS started_at, CASE WHEN status <> 0 THEN timestamptz '2020-01-01 UTC' + ("time" - 2000) * interval '1 day' END AS ended_at, age, sex, ph_ecog, "time", status FROM raw;
UPDATE lung SET started_at = timestamptz '2020-01-01 UTC' - interval '2000 days' WHERE status <> 0;
SELECT ok(near(estimate, e, 1e-8) AND near(standard_error, s, 1e-7) AND near(proportional_chi_squared, v.zph, 1e-7), 'lung, Efron: ' || term)
FROM crm.cox_fit('lung', '{age, sex, ph_ecog}', as_of => '2020-01-01 UTC') JOIN (VALUES (1, .0110667645961186, .0092674110143657, .187987673560505), (2, -.5526123955318371, .1677390537834223, 2.305437226774801), (3, .4637284751157322, .1135772661613712, 2.054248773862775)) v (position, e, s, zph) USING (position);
SELECT ok(near(log_likelihood, -729.230121375, 1e-11) AND near(null_log_likelihood, -744.480455761, 1e-11) AND near(concordance, .637135493) AND near(concordance_error, .02506797385307958, 1e-9) AND n_used = 227 AND n_skipped = 1 AND n_events = 164 AND near(likelihood_ratio, 30.5006687731570) AND near(score, 30.4999227049491), 'lung, Efron: facts') FROM crm.cox_fit('lung', '{age, sex, ph_ecog}', as_of => '2020-01-01 UTC') LIMIT 1;
SELECT ok(near(estimate, e, 1e-8), 'lung, Breslow: ' || term)
FROM crm.cox_fit('lung', '{age, sex, ph_ecog}', 'breslow', as_of => '2020-01-01 UTC') JOIN (VALUES (1, .0110411363857075), (2, -.5518895696376560), (3, .4629470403345499)) v (position, e) USING (position);
SELECT ok(near(estimate, e, 1e-8), 'lung by sex: ' || term)
FROM crm.cox_fit('lung', '{age, ph_ecog}', strata => 'sex', as_of => '2020-01-01 UTC') JOIN (VALUES (1, .0105662546010264), (2, .4624244343585768)) v (position, e) USING (position);
\else
SELECT skip('CRM_DATA has no lung.csv', 9);
\endif

\set has_rossi `test -r "${CRM_DATA:-/nowhere}/rossi.csv" && echo on || echo off`
\if :has_rossi
CREATE TABLE rossi (week int, arrest int, fin int, age int, race int, wexp int, mar int, paro int, prio int);
\copy rossi from program 'cat "$CRM_DATA/rossi.csv"' (format csv, header)
CREATE TABLE release AS SELECT 1 AS customer_id, timestamptz '2020-01-01 UTC' - week * interval '7 days' * (1 - arrest) AS started_at, CASE arrest WHEN 1 THEN timestamptz '2020-01-01 UTC' END AS ended_at, fin, age, race, wexp, mar, paro, prio, week, arrest FROM rossi;
UPDATE release SET started_at = timestamptz '2020-01-01 UTC' - week * interval '7 days';
SELECT ok(near(estimate, e, 1e-8) AND near(proportional_chi_squared, v.zph, 1e-7), 'rossi: ' || term)
FROM crm.cox_fit('release', '{fin, age, race, wexp, mar, paro, prio}', as_of => '2020-01-01 UTC', unit => 'week') JOIN (VALUES (1, -.3794221668712, .06242975008938), (2, -.0574377430138, 5.97398166115), (3, .3138997859493, 2.06826538335), (4, -.1497956972228, 4.2245956387), (5, -.4337038766903, 1.01102156455), (6, -.0848710829908, .0183832991358), (7, .0914970793511, .520584267006)) v (position, e, zph) USING (position);
SELECT ok(near(null_log_likelihood, -675.380632347, 1e-11) AND near(log_likelihood, -658.747659446, 1e-11) AND near(concordance, .6403292471) AND near(concordance_error, .02665812277264754, 1e-9) AND near(global_chi_squared, 17.694415296, 1e-8), 'rossi: facts') FROM crm.cox_fit('release', '{fin, age, race, wexp, mar, paro, prio}', as_of => '2020-01-01 UTC') LIMIT 1;
\else
SELECT skip('CRM_DATA has no rossi.csv', 8);
\endif
SELECT * FROM finish();
ROLLBACK;
