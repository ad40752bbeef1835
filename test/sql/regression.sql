-- regression: the surface of crm.logistic_fit, crm.linear_fit, crm.logistic_predict and crm.linear_predict, and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
CREATE SCHEMA test_regression;
SET search_path = test_regression, public;

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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname ~ '^(logistic|linear)_'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- R's data set mtcars
CREATE TABLE car AS SELECT id::bigint AS customer_id, mpg::float8, hp::integer, wt::numeric, am = 1 AS am, am AS am_number, 1 + id % 3 AS w FROM (VALUES (1, 21, 110, 2.62, 1), (2, 21, 110, 2.875, 1), (3, 22.8, 93, 2.32, 1), (4, 21.4, 110, 3.215, 0), (5, 18.7, 175, 3.44, 0), (6, 18.1, 105, 3.46, 0), (7, 14.3, 245, 3.57, 0), (8, 24.4, 62, 3.19, 0), (9, 22.8, 95, 3.15, 0), (10, 19.2, 123, 3.44, 0), (11, 17.8, 123, 3.44, 0), (12, 16.4, 180, 4.07, 0), (13, 17.3, 180, 3.73, 0), (14, 15.2, 180, 3.78, 0), (15, 10.4, 205, 5.25, 0), (16, 10.4, 215, 5.424, 0), (17, 14.7, 230, 5.345, 0), (18, 32.4, 66, 2.2, 1), (19, 30.4, 52, 1.615, 1), (20, 33.9, 65, 1.835, 1), (21, 21.5, 97, 2.465, 0), (22, 15.5, 150, 3.52, 0), (23, 15.2, 150, 3.435, 0), (24, 13.3, 245, 3.84, 0), (25, 19.2, 175, 3.845, 0), (26, 27.3, 66, 1.935, 1), (27, 26, 91, 2.14, 1), (28, 30.4, 113, 1.513, 1), (29, 15.8, 264, 3.17, 1), (30, 19.7, 175, 2.77, 1), (31, 15, 335, 3.57, 1), (32, 21.4, 109, 2.78, 1)) v (id, mpg, hp, wt, am);

SELECT term, round(estimate::numeric, 8), round(standard_error::numeric, 7), round(z::numeric, 6), round(p_value::numeric, 8), round(odds_ratio::numeric, 6), round(odds_ratio_low::numeric, 6), round(standardised::numeric, 6), dropped, separates
FROM crm.logistic_fit('car', 'am', '{wt, hp}') ORDER BY position;
SELECT DISTINCT n_rows, n_used, n_skipped, n_yes, round(deviance::numeric, 8), round(null_deviance::numeric, 8), round(log_likelihood::numeric, 8), round(aic::numeric, 8), converged, status FROM crm.logistic_fit('car', 'am', '{wt, hp}');
SELECT term, round(estimate::numeric, 8), round(standard_error::numeric, 8), round(t::numeric, 6), round(p_value::numeric, 8), round(estimate_low::numeric, 6), round(estimate_high::numeric, 6), dropped
FROM crm.linear_fit('car', 'mpg', '{wt, hp}') ORDER BY position;
SELECT DISTINCT n_rows, n_used, n_skipped, round(r_squared::numeric, 8), round(adjusted_r_squared::numeric, 8), round(sigma::numeric, 8), degrees_of_freedom, round(f::numeric, 6), round(log_likelihood::numeric, 6), round(aic::numeric, 6) FROM crm.linear_fit('car', 'mpg', '{wt, hp}');
-- features by default: every number and boolean but the response, the weight and customer_id
SELECT term FROM crm.linear_fit('car', 'mpg', weight => 'w') ORDER BY position;

-- what is told
SET client_min_messages = notice;
SELECT term, estimate IS NULL, dropped FROM crm.logistic_fit('SELECT *, 5 AS five, wt - 2 * hp AS sum FROM car', 'am', '{wt, five, hp, sum}') ORDER BY position;
SELECT term, estimate IS NULL, dropped FROM crm.linear_fit('SELECT *, 5 AS five, wt - 2 * hp AS sum FROM car', 'mpg', '{wt, five, hp, sum}') ORDER BY position;
SELECT term, separates, status, converged, abs(estimate) < 100 FROM crm.logistic_fit('SELECT am, am AND hp > 100 AS flag, hp FROM car', 'am') ORDER BY position;
SELECT DISTINCT n_rows, n_used, n_skipped, status FROM crm.logistic_fit('SELECT CASE WHEN customer_id = 1 THEN NULL ELSE am END AS am, CASE WHEN customer_id = 2 THEN NULL WHEN customer_id = 3 THEN float8 $$NaN$$ ELSE hp END AS hp FROM car', 'am', '{hp}');
SELECT term, round(estimate::numeric, 6), standard_error, status FROM crm.logistic_fit('SELECT * FROM car WHERE NOT am', 'am', '{hp}') ORDER BY position;
SELECT term, estimate, n_rows, status FROM crm.logistic_fit('SELECT * FROM car WHERE false', 'am', '{hp}') ORDER BY position;
SELECT term, estimate, n_rows, r_squared FROM crm.linear_fit('SELECT * FROM car WHERE false', 'mpg', '{hp}') ORDER BY position;
SELECT converged FROM crm.logistic_fit('car', 'am', '{wt, hp}', max_iterations => 2) LIMIT 1;
SELECT function, rows_read, rows_used, rows_skipped, skipped_null_value, customers FROM crm.last_run();
SET client_min_messages = warning;

-- errors
SELECT call, fails('SELECT * FROM crm.' || call)
FROM unnest(ARRAY['logistic_fit(NULL, $$am$$)', 'logistic_fit($$car$$, NULL)', 'logistic_fit($$car$$, $$$$)', 'logistic_fit($$car$$, $$nothing$$, $${hp}$$)', 'logistic_fit($$car$$, $$am$$, $${nothing}$$)', 'logistic_fit($$car$$, $$am$$, $${hp, hp}$$)', 'logistic_fit($$car$$, $$am$$, $${}$$)', 'logistic_fit($$car$$, $$am$$, $${hp, am}$$)',
	'logistic_fit($$car$$, $$hp$$, $${wt}$$)', 'logistic_fit($$SELECT hp::text AS hp, am FROM car$$, $$am$$, $${hp}$$)', 'logistic_fit($$SELECT am::text AS am, hp FROM car$$, $$am$$, $${hp}$$)', 'logistic_fit($$no_table$$, $$am$$, $${hp}$$)', 'logistic_fit($$SELECT 1; SELECT 2$$, $$am$$, $${hp}$$)',
	'logistic_fit($$car$$, $$am$$, $${hp}$$, penalty => NULL)', 'logistic_fit($$car$$, $$am$$, $${hp}$$, penalty => -1)', 'logistic_fit($$car$$, $$am$$, $${hp}$$, penalty => $$NaN$$)', 'logistic_fit($$car$$, $$am$$, $${hp}$$, l1_ratio => 2)', 'logistic_fit($$car$$, $$am$$, $${hp}$$, class_weight => $$fair$$)', 'logistic_fit($$car$$, $$am$$, $${hp}$$, class_weight => NULL)',
	'logistic_fit($$car$$, $$am$$, $${hp}$$, max_iterations => 0)', 'logistic_fit($$car$$, $$am$$, $${hp}$$, tolerance => 0)', 'logistic_fit($$car$$, $$am$$, $${hp}$$, weight => $$hp$$)', 'logistic_fit($$car$$, $$am$$, $${hp}$$, weight => $$am$$)', 'logistic_fit($$SELECT *, -w AS minus FROM car$$, $$am$$, $${hp}$$, weight => $$minus$$)', 'logistic_fit($$SELECT *, NULL::int AS nil FROM car$$, $$am$$, $${hp}$$, weight => $$nil$$)',
	'logistic_fit($$SELECT am, hp * 1e200 AS hp FROM car$$, $$am$$, $${hp}$$)', 'linear_fit(NULL, $$mpg$$)', 'linear_fit($$car$$, NULL)', 'linear_fit($$car$$, $$mpg$$, $${mpg}$$)', 'linear_fit($$SELECT mpg::text AS mpg, hp FROM car$$, $$mpg$$, $${hp}$$)', 'logistic_predict($${1, 2}$$, $${1, 2}$$)', 'logistic_predict($${{1, 2}}$$, $${1}$$)', 'linear_predict($${}$$, $${}$$)']) WITH ORDINALITY v (call, n) ORDER BY n;

-- predictions
SELECT crm.logistic_predict('{0, 1}', '{0}'), crm.logistic_predict('{0, 1, NULL}', '{0, 5}'), round(crm.logistic_predict('{-1, 2}', '{1}')::numeric, 12), crm.logistic_predict('{0, 1}', '{800}'), crm.logistic_predict('{0, 1}', '{-800}'), crm.logistic_predict('{0, 1}', '{NULL}'), crm.logistic_predict(NULL, '{1}'), crm.linear_predict('{1, 2, NULL}', '{3, 4}'), crm.linear_predict('{7}', '{}');

DROP SCHEMA test_regression CASCADE;
