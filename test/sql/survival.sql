-- survival: the surface of crm.survival_curve, crm.nelson_aalen and crm.logrank, and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
CREATE SCHEMA test_survival;
SET search_path = test_survival, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- What a statement fails with: SQLSTATE and message, then detail and hint where there are any.
CREATE FUNCTION fails(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	more text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN NEXT 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, more = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN NEXT SQLSTATE || ': ' || message;
	IF more <> '' THEN RETURN NEXT '    detail: ' || more; END IF;
	IF hint <> '' THEN RETURN NEXT '    hint: ' || hint; END IF;
END $$;

-- functions: kind, arguments and result, volatility, strictness, parallel safety
SELECT p.oid::regprocedure, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.prokind, p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname ~ '^(survival_curve|nelson_aalen|logrank)$'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- R's data set aml: who has left did so days after 2020-01-01, the others started that long before 2020-06-10
CREATE TABLE subscription AS
SELECT id::bigint AS customer_id, timestamptz '2020-01-01 UTC' + (161 - days) * interval '1 day' * (1 - event) AS started_at,
	CASE WHEN event = 1 THEN timestamptz '2020-01-01 UTC' + days * interval '1 day' END AS ended_at, CASE g WHEN 0 THEN 'maintained' ELSE 'not maintained' END AS plan, g, id % 3 AS noise
FROM (VALUES (1, 9, 1, 0), (2, 13, 1, 0), (3, 13, 0, 0), (4, 18, 1, 0), (5, 23, 1, 0), (6, 28, 0, 0), (7, 31, 1, 0), (8, 34, 1, 0), (9, 45, 0, 0), (10, 48, 1, 0), (11, 161, 0, 0), (12, 5, 1, 1), (13, 5, 1, 1), (14, 8, 1, 1), (15, 8, 1, 1), (16, 12, 1, 1), (17, 16, 0, 1), (18, 23, 1, 1), (19, 27, 1, 1), (20, 30, 1, 1), (21, 33, 1, 1), (22, 43, 1, 1), (23, 45, 1, 1)) v (id, days, event, g);

SELECT "group", "time", at_risk, events, censored, round(survival::numeric, 8), round(standard_error::numeric, 8), round(survival_low::numeric, 8), round(survival_high::numeric, 8) FROM crm.survival_curve('subscription', as_of => '2020-06-10 UTC');
SELECT DISTINCT median, median_low, median_high, round(restricted_mean::numeric, 8), round(restricted_mean_error::numeric, 8), restricted_to, group_rows, group_events, n_rows, n_used, n_skipped FROM crm.survival_curve('subscription', as_of => '2020-06-10 UTC');
SELECT DISTINCT "group", median, median_low, median_high, restricted_to, group_rows, group_events FROM crm.survival_curve('subscription', 'plan', 'log', 0.9, as_of => '2020-06-10 UTC', unit => 'week', horizon => 20) ORDER BY 1;
SELECT "time", round(survival_low::numeric, 6), round(survival_high::numeric, 6) FROM crm.survival_curve('subscription', interval_type => 'plain', as_of => '2020-06-10 UTC') LIMIT 2;
SELECT "group", "time", at_risk, events, round(cumulative_hazard::numeric, 8), round(standard_error::numeric, 8), round(hazard_low::numeric, 8), round(hazard_high::numeric, 8) FROM crm.nelson_aalen('subscription', as_of => '2020-06-10 UTC') WHERE "time" < 14;
SELECT "group", n, events, round(expected::numeric, 8), round(chi_squared::numeric, 8), degrees_of_freedom, round(p_value::numeric, 8) FROM crm.logrank('subscription', 'plan', as_of => '2020-06-10 UTC');
-- under observation only from a moment on: at risk from then
SELECT "time", at_risk, events, censored FROM crm.survival_curve('SELECT *, timestamptz $$2020-01-11 UTC$$ AS seen FROM subscription WHERE ended_at IS NOT NULL', entry => 'seen', as_of => '2020-06-10 UTC') LIMIT 3;
-- as_of: who leaves later is still there, who starts later does not count
SELECT "time", at_risk, events, censored FROM crm.survival_curve('subscription', as_of => '2020-01-11 UTC');

-- what is told
SET client_min_messages = notice;
SELECT count(*) FROM crm.survival_curve('SELECT * FROM (VALUES (1, timestamptz $$2020-01-01 UTC$$, timestamptz $$2020-02-01 UTC$$, $$a$$), (NULL, $$2020-01-01$$, NULL, $$a$$), (2, NULL, NULL, $$a$$), (3, $$2020-01-01$$, NULL, NULL), (4, $$infinity$$, NULL, $$b$$), (5, $$2030-01-01$$, NULL, $$b$$), (6, $$2020-01-01$$, $$infinity$$, $$b$$), (7, $$2020-01-01$$, $$2020-01-01$$, $$b$$)) v (customer_id, started_at, ended_at, plan)', 'plan', as_of => '2021-01-01 UTC');
SELECT rows_read, rows_used, rows_skipped, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of FROM crm.last_run();
SELECT "time", at_risk FROM crm.survival_curve('SELECT *, timestamptz $$2020-01-11 UTC$$ AS seen FROM subscription WHERE ended_at IS NOT NULL', entry => 'seen', as_of => '2020-06-10 UTC') LIMIT 1;
SET client_min_messages = warning;
-- nobody, nobody who leaves, all at once
SELECT * FROM crm.survival_curve('SELECT * FROM subscription WHERE false', as_of => '2020-06-10 UTC');
SELECT * FROM crm.logrank('SELECT * FROM subscription WHERE false', 'plan', as_of => '2020-06-10 UTC');
SELECT "time", survival, survival_low, median FROM crm.survival_curve('SELECT customer_id, started_at, NULL AS ended_at FROM subscription', as_of => '2020-12-31 UTC') LIMIT 1;
SELECT "time", at_risk, events, survival, survival_low, median FROM crm.survival_curve('SELECT customer_id, timestamptz $$2020-01-01 UTC$$ AS started_at, timestamptz $$2020-01-03 UTC$$ AS ended_at FROM subscription', as_of => '2020-06-10 UTC');
SELECT chi_squared, degrees_of_freedom, p_value FROM crm.logrank('SELECT *, 1 AS one FROM subscription', 'one', as_of => '2020-06-10 UTC');

-- errors
SELECT call, fails('SELECT * FROM crm.' || call)
FROM unnest(ARRAY['survival_curve(NULL)', 'survival_curve($$nothing$$)', 'survival_curve($$SELECT 1 AS customer_id$$)', 'survival_curve($$subscription$$, $$nothing$$)', 'survival_curve($$subscription$$, interval_type => $$arcsin$$)', 'survival_curve($$subscription$$, interval_type => NULL)', 'survival_curve($$subscription$$, level => 1)', 'survival_curve($$subscription$$, level => NULL)',
	'survival_curve($$subscription$$, as_of => NULL)', 'survival_curve($$subscription$$, as_of => $$infinity$$)', 'survival_curve($$subscription$$, unit => $$fortnight$$)', 'survival_curve($$subscription$$, horizon => -1)', 'survival_curve($$subscription$$, entry => $$plan$$)', 'survival_curve($$SELECT customer_id, plan AS started_at, ended_at FROM subscription$$)',
	'survival_curve($$SELECT customer_id, ended_at AS started_at, started_at AS ended_at FROM subscription WHERE ended_at IS NOT NULL$$)', 'survival_curve($$SELECT s.customer_id, started_at, ended_at, i FROM subscription s, generate_series(1, 10001) i$$, $$i$$)', 'nelson_aalen(NULL)', 'nelson_aalen($$subscription$$, level => 0)', 'logrank($$subscription$$, NULL)', 'logrank(NULL, $$plan$$)']) WITH ORDINALITY v (call, n) ORDER BY n;

DROP SCHEMA test_survival CASCADE;
