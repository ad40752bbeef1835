-- cox: the surface of crm.cox_fit, crm.cox_baseline and crm.cox_predict, and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
CREATE SCHEMA test_cox;
SET search_path = test_cox, public;
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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname ~ '^cox_'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- R's data set aml: who has left did so days after 2020-01-01, the others started that long before 2020-06-10
CREATE TABLE subscription AS
SELECT id::bigint AS customer_id, timestamptz '2020-01-01 UTC' + (161 - days) * interval '1 day' * (1 - event) AS started_at,
	CASE WHEN event = 1 THEN timestamptz '2020-01-01 UTC' + days * interval '1 day' END AS ended_at, CASE g WHEN 0 THEN 'maintained' ELSE 'not maintained' END AS plan, g, id % 3 AS noise
FROM (VALUES (1, 9, 1, 0), (2, 13, 1, 0), (3, 13, 0, 0), (4, 18, 1, 0), (5, 23, 1, 0), (6, 28, 0, 0), (7, 31, 1, 0), (8, 34, 1, 0), (9, 45, 0, 0), (10, 48, 1, 0), (11, 161, 0, 0), (12, 5, 1, 1), (13, 5, 1, 1), (14, 8, 1, 1), (15, 8, 1, 1), (16, 12, 1, 1), (17, 16, 0, 1), (18, 23, 1, 1), (19, 27, 1, 1), (20, 30, 1, 1), (21, 33, 1, 1), (22, 43, 1, 1), (23, 45, 1, 1)) v (id, days, event, g);

SELECT term, round(estimate::numeric, 8), round(standard_error::numeric, 8), round(z::numeric, 6), round(p_value::numeric, 8), round(hazard_ratio::numeric, 6), round(hazard_ratio_low::numeric, 6), round(hazard_ratio_high::numeric, 6), round(mean::numeric, 6), round(proportional_chi_squared::numeric, 8), round(proportional_p_value::numeric, 6) FROM crm.cox_fit('subscription', '{g}', as_of => '2020-06-10 UTC');
SELECT n_rows, n_used, n_skipped, n_events, round(log_likelihood::numeric, 8), round(null_log_likelihood::numeric, 8), round(likelihood_ratio::numeric, 6), round(likelihood_ratio_p_value::numeric, 6), round(wald::numeric, 6), round(score::numeric, 6), degrees_of_freedom, round(concordance::numeric, 8), round(concordance_error::numeric, 8), round(global_chi_squared::numeric, 8), converged, status, ties_used, n_strata FROM crm.cox_fit('subscription', '{g}', as_of => '2020-06-10 UTC');
SELECT round(estimate::numeric, 8), round(log_likelihood::numeric, 8), round(proportional_chi_squared::numeric, 8), ties_used FROM crm.cox_fit('subscription', '{g}', 'breslow', as_of => '2020-06-10 UTC');
SELECT round(proportional_chi_squared::numeric, 8) FROM crm.cox_fit('subscription', '{g}', transform => 'identity', as_of => '2020-06-10 UTC');
SELECT term, estimate IS NOT NULL, n_strata FROM crm.cox_fit('subscription', '{noise}', strata => 'plan', as_of => '2020-06-10 UTC');
SELECT stratum, "time", round(cumulative_hazard::numeric, 8), round(survival::numeric, 8) FROM crm.cox_baseline('subscription', '{g}', as_of => '2020-06-10 UTC') LIMIT 4;
SELECT stratum, count(*), round(max(cumulative_hazard)::numeric, 6) FROM crm.cox_baseline('subscription', '{noise}', strata => 'plan', as_of => '2020-06-10 UTC') GROUP BY 1 ORDER BY 1;

-- what is told
SET client_min_messages = notice;
SELECT term, estimate IS NULL, dropped FROM crm.cox_fit('SELECT *, 5 AS five, 3 - 2 * g AS twice FROM subscription', '{five, g, twice}', as_of => '2020-06-10 UTC');
SELECT term, monotone, status, converged, abs(estimate) < 50 FROM crm.cox_fit('SELECT *, ended_at IS NULL AS stays FROM subscription', '{stays, noise}', as_of => '2020-06-10 UTC');
SELECT term, estimate, status, likelihood_ratio, concordance FROM crm.cox_fit('SELECT customer_id, started_at, NULL AS ended_at, g FROM subscription', '{g}', as_of => '2020-06-10 UTC');
SELECT n_rows, n_used, n_events, status FROM crm.cox_fit('SELECT *, CASE customer_id WHEN 1 THEN NULL WHEN 2 THEN float8 $$NaN$$ ELSE g END AS x FROM subscription', '{x}', as_of => '2020-06-10 UTC');
SELECT n_used, n_events FROM crm.cox_fit('SELECT * FROM subscription WHERE customer_id IN (1, 3)', '{noise}', as_of => '2020-06-10 UTC');
SELECT converged FROM crm.cox_fit('subscription', '{g, noise}', max_iterations => 1, as_of => '2020-06-10 UTC') LIMIT 1;
SET client_min_messages = warning;
SELECT term, status FROM crm.cox_fit('SELECT * FROM subscription WHERE false', '{g}', as_of => '2020-06-10 UTC');
SELECT term, estimate IS NULL, n_events, converged FROM crm.cox_fit('SELECT customer_id, timestamptz $$2020-01-01 UTC$$ AS started_at, timestamptz $$2020-01-03 UTC$$ AS ended_at, g FROM subscription', '{g}', as_of => '2020-06-10 UTC');

-- errors
SELECT call, fails('SELECT * FROM crm.' || call)
FROM unnest(ARRAY['cox_fit(NULL, $${g}$$)', 'cox_fit($$subscription$$, NULL)', 'cox_fit($$subscription$$, $${}$$)', 'cox_fit($$subscription$$, $${g, g}$$)', 'cox_fit($$subscription$$, $${plan}$$)', 'cox_fit($$subscription$$, $${nothing}$$)', 'cox_fit($$subscription$$, $${g}$$, $$exact$$)', 'cox_fit($$subscription$$, $${g}$$, NULL)', 'cox_fit($$subscription$$, $${g}$$, strata => $$nothing$$)',
	'cox_fit($$subscription$$, $${g}$$, entry => $$plan$$)', 'cox_fit($$subscription$$, $${g}$$, as_of => NULL)', 'cox_fit($$subscription$$, $${g}$$, as_of => $$-infinity$$)', 'cox_fit($$subscription$$, $${g}$$, unit => $$hour$$)', 'cox_fit($$subscription$$, $${g}$$, transform => $$rank$$)', 'cox_fit($$subscription$$, $${g}$$, max_iterations => 0)', 'cox_fit($$subscription$$, $${g}$$, tolerance => NULL)',
	'cox_fit($$SELECT customer_id, ended_at AS started_at, started_at AS ended_at, g FROM subscription WHERE ended_at IS NOT NULL$$, $${g}$$)', 'cox_fit($$SELECT *, g * 1e200 AS x FROM subscription$$, $${x}$$)', 'cox_baseline(NULL, $${g}$$)',
	'cox_predict($${1, 2}$$, $${1}$$, $${1}$$, $${1}$$, $${1}$$, 1)', 'cox_predict($${2, 1}$$, $${1, 2}$$, $${1}$$, $${1}$$, $${1}$$, 1)', 'cox_predict($${1}$$, $${1}$$, $${1, 2}$$, $${1}$$, $${1}$$, 1)', 'cox_predict($${1}$$, $${1}$$, $${1}$$, $${1}$$, $${1, 2}$$, 1)', 'cox_predict($${{1}}$$, $${1}$$, $${1}$$, $${1}$$, $${1}$$, 1)', 'cox_predict($${NULL}$$, $${1}$$, $${1}$$, $${1}$$, $${1}$$, 1)']) WITH ORDINALITY v (call, n) ORDER BY n;

-- predictions
SELECT round(crm.cox_predict('{1, 2, 5}', '{0.1, 0.3, 1}', '{1, NULL}', '{2, 7}', '{3, 9}', 2)::numeric, 10) AS exp_minus_03e, crm.cox_predict('{1, 2, 5}', '{0.1, 0.3, 1}', '{1}', '{2}', '{2}', 0.5), round(crm.cox_predict('{1, 2, 5}', '{0.1, 0.3, 1}', '{1}', '{2}', '{2}', 5, 1)::numeric, 10), crm.cox_predict(NULL, '{1}', '{1}', '{1}', '{1}', 1);

DROP SCHEMA test_cox CASCADE;
