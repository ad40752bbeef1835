-- clv_models: the toolkit of lifetime value: functions, fits of few rows, and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET extra_float_digits = 0;
CREATE SCHEMA test_clv_models;
SET search_path = test_clv_models, public;

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

-- functions: arguments and result, volatility, strictness, parallel safety
SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ') ' || pg_get_function_result(p.oid), p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname ~ '^_?(bgnbd|mbgnbd|paretonbd|bgbb|gamma_gamma|sbg|clv_fit_transition)_?'
ORDER BY p.proname COLLATE "C", p.pronargs;

-- a few numbers, and NULL for NULL
SELECT round(crm.bgnbd_p_alive(.243, 4.414, .793, 2.426, 2, 30.43, 38.86)::numeric, 6), round(crm.bgnbd_expected_orders(.243, 4.414, .793, 2.426, 2, 30.43, 38.86, 39)::numeric, 6),
	round(crm.mbgnbd_p_alive(.525, 6.183, .891, 1.614, 0, 0, 39)::numeric, 6), round(crm.sbg_retention(1, 3, 1)::numeric, 6), round(crm.sbg_survival(1, 1, 3)::numeric, 6),
	round(crm.bgbb_p_alive(1, 1, 1, 1, 0, 0, 0)::numeric, 6), round(crm.gamma_gamma_expected_value(6.25, 3.74, 15.44, 0, 0)::numeric, 6);
SELECT crm.bgnbd_p_alive(NULL, 4.414, .793, 2.426, 2, 30.43, 38.86), crm.gamma_gamma_expected_value(6.25, 3.74, 15.44, NULL, 1);
SELECT crm.bgnbd_expected_orders(.243, 4.414, .793, 2.426, 2, 30.43, 38.86, 0), crm.bgnbd_pmf(.243, 4.414, .793, 2.426, 0, 0), crm.sbg_expected_renewals(1, 1, 0, 0);

-- fits: nobody, NULLs only, one, two, one-time buyers only
SELECT crm.bgnbd_fit(x, t_x, t), crm.gamma_gamma_fit(x, t), crm.sbg_fit(x, t) FROM (VALUES (1.0, 1.0, 1.0)) v (x, t_x, t) WHERE false;
SELECT crm.bgnbd_fit(NULL, 1, 2);
SELECT crm.bgnbd_fit(x, t_x, t) ->> 'status', crm.mbgnbd_fit(x, t_x, t) ->> 'n_used' FROM (VALUES (1, 2, 3)) v (x, t_x, t);
SELECT crm.bgnbd_fit(x, t_x, t) ->> 'status', crm.bgnbd_fit(x, t_x, t) ->> 'n_rows' FROM (VALUES (1, 2, 3), (0, 0, 3), (NULL, 0, 3)) v (x, t_x, t);
SELECT crm.mbgnbd_fit(0, 0, i) ->> 'status', crm.bgbb_fit(0, 0, i) ->> 'status' FROM generate_series(1, 100) i;
SELECT crm.gamma_gamma_fit(1, 10) ->> 'status';
SELECT g ->> 'n_rows', g ->> 'n_used' FROM (SELECT crm.gamma_gamma_fit(x, mean) AS g FROM (VALUES (1, 10), (2, 5), (3, 7), (0, 4), (2, 0), (1, -3), (4, NULL)) v (x, mean)) q;
SELECT crm.sbg_fit(0, 0) ->> 'status', crm.sbg_fit(0, 1) ->> 'n_used';

-- every error
SELECT fails(q) FROM unnest(ARRAY[
	'SELECT crm.bgnbd_p_alive(0, 4.414, .793, 2.426, 2, 30.43, 38.86)',
	'SELECT crm.bgnbd_p_alive(.243, ''NaN'', .793, 2.426, 2, 30.43, 38.86)',
	'SELECT crm.bgnbd_p_alive(.243, 4.414, .793, ''Infinity'', 2, 30.43, 38.86)',
	'SELECT crm.mbgnbd_p_alive(.243, 4.414, .793, 2.426, 2, 39, 38.86)',
	'SELECT crm.bgnbd_p_alive(.243, 4.414, .793, 2.426, -1, 30.43, 38.86)',
	'SELECT crm.bgnbd_p_alive(.243, 4.414, .793, 2.426, 1.5, 30.43, 38.86)',
	'SELECT crm.bgnbd_p_alive(.243, 4.414, .793, 2.426, 0, 30.43, 38.86)',
	'SELECT crm.bgnbd_p_alive(.243, 4.414, .793, 2.426, 1, 30.43, ''NaN'')',
	'SELECT crm.paretonbd_p_alive(10.465, .00798565, 3.0516, 2.820, 254, 97.42857, 97.28571)',
	'SELECT crm.bgnbd_expected_orders(.243, 4.414, .793, 2.426, 2, 30.43, 38.86, -1)',
	'SELECT crm.bgnbd_expected_orders(.243, 4.414, .793, 2.426, 2, 30.43, 38.86, ''NaN'')',
	'SELECT crm.bgnbd_pmf(.243, 4.414, .793, 2.426, 1.5, 2)',
	'SELECT crm.bgnbd_pmf(.243, 4.414, .793, 2.426, 1, -2)',
	'SELECT crm.bgbb_pmf(.243, 4.414, .793, 2.426, 1, 2.5)',
	'SELECT crm.bgbb_p_alive(.243, 4.414, .793, 2.426, 2, 1, 6)',
	'SELECT crm.gamma_gamma_expected_value(6.25, 1, 15.44, 1, 1)',
	'SELECT crm.gamma_gamma_expected_value(6.25, 3.74, 15.44, 1, -1)',
	'SELECT crm.gamma_gamma_expected_value(6.25, 3.74, 15.44, -1, 1)',
	'SELECT crm.sbg_retention(1, 1, 0)',
	'SELECT crm.sbg_survival(-1, 1, 1)',
	'SELECT crm.bgnbd_fit(1, 3, 2)',
	'SELECT crm.bgbb_fit(1, 1.5, 2)',
	'SELECT crm.gamma_gamma_fit(1.5, 2)',
	'SELECT crm.gamma_gamma_fit(1e10, 2)',
	'SELECT crm.gamma_gamma_fit(1, ''NaN'')',
	'SELECT crm.gamma_gamma_fit(1, ''Infinity'')',
	'SELECT crm.sbg_fit(1, 2)',
	'SELECT crm._bgnbd_fit_final(NULL)',
	'SELECT crm._clv_fit_transition(NULL, 1, 2)']) WITH ORDINALITY v (q, n) ORDER BY n;

DROP SCHEMA test_clv_models CASCADE;
