-- clv_contract: the surface of crm.clv_contract and crm.clv_contract_fit: options, keys, renewals by the calendar, stored models, extreme sources and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 0;
CREATE SCHEMA test_clv_contract;
SET search_path = test_clv_contract, public;

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
SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' || E'\n    ' || pg_get_function_result(p.oid), p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('clv_contract', 'clv_contract_fit')
ORDER BY p.proname, p.pronargs;

-- Fader and Hardie's "High End" customers: 1000 who joined at once, so many of them left after each of seven years
CREATE TABLE subscriptions AS
SELECT row_number() OVER (ORDER BY year, n)::int AS customer_id, timestamptz '2018-01-01' AS started_at, timestamptz '2018-01-01' + year * interval '1 year' AS ended_at, 12.5 AS amount
FROM unnest('{131, 126, 90, 60, 42, 34, 26, 491}'::int[]) WITH ORDINALITY v (number, year), generate_series(1, number) n;
UPDATE subscriptions SET ended_at = NULL WHERE ended_at > '2025-01-01';
CREATE FUNCTION short(source text, as_of timestamptz DEFAULT '2025-01-01', period interval DEFAULT '1 year', rows bigint DEFAULT 3, horizon interval DEFAULT '3 years') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s: %s from %s, renewed %s, %s, next %s: %s; expected %s of %s: %s (%s to %s), residual %s, end %s, %s', customer_id, contracts, started_at::date, renewals, is_customer, next_renewal_at::date, round(p_renew_next::numeric, 4), round(expected_renewals::numeric, 3),
		period_value, round(clv::numeric, 2), round(clv_low::numeric, 2), round(clv_high::numeric, 2), round(residual_value::numeric, 2), expected_end_at::date, status)
	FROM crm.clv_contract(source, short.as_of, short.horizon, short.period) LIMIT rows $$;
SELECT short('SELECT * FROM subscriptions', rows => 2);
SELECT status, is_customer, renewals, count(*) FROM crm.clv_contract('subscriptions', as_of => '2025-01-01', period => '1 year') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT short('SELECT * FROM (SELECT * FROM subscriptions ORDER BY customer_id DESC) q WHERE customer_id > 0', rows => 1000) OFFSET 999;
SELECT fitted_model, name, (SELECT array_agg(round(e::numeric, 4)) FROM unnest(estimate) e), (SELECT array_agg(round(e::numeric, 4)) FROM unnest(standard_error) e), round(log_likelihood::numeric, 4), round(aic::numeric, 4), round(bic::numeric, 4), n, n_used, n_skipped,
	iterations > 0, gradient_norm < 1e-6, converged, status, message FROM crm.clv_contract_fit('subscriptions', as_of => '2025-01-01', period => '1 year');
SELECT bool_and(l < e AND e < h AND s > 0) FROM crm.clv_contract_fit('subscriptions', as_of => '2025-01-01', period => '1 year') f, unnest(f.estimate, f.standard_error, f.low, f.high) v (e, s, l, h);
SELECT pg_typeof(customer_id), count(*) FROM crm.clv_contract(key => NULL::text, source => 'SELECT ''c'' || customer_id AS customer_id, started_at, ended_at, amount FROM subscriptions', as_of => '2025-01-01', period => '1 year') GROUP BY 1;
SELECT converged FROM crm.clv_contract_fit(key => NULL::text, source => 'SELECT ''c'' || customer_id AS customer_id, started_at, ended_at FROM subscriptions', as_of => '2025-01-01', period => '1 year');

-- what a period pays: a column, an argument, or nothing, and then values are counted in payments
SET client_min_messages = notice;
SELECT period_value, round((clv / first_value(clv) OVER ())::numeric, 6) FROM (
	SELECT 1, * FROM crm.clv_contract('SELECT * FROM subscriptions', as_of => '2025-01-01', period => '1 year') WHERE customer_id = 1000
	UNION ALL SELECT 2, * FROM crm.clv_contract('SELECT * FROM subscriptions', as_of => '2025-01-01', period => '1 year', value => 25) WHERE customer_id = 1000
	UNION ALL SELECT 3, * FROM crm.clv_contract('SELECT customer_id, started_at, ended_at FROM subscriptions', as_of => '2025-01-01', period => '1 year') WHERE customer_id = 1000
	UNION ALL SELECT 4, * FROM crm.clv_contract('SELECT * FROM subscriptions', as_of => '2025-01-01', period => '1 year', margin => 0.5) WHERE customer_id = 1000) q (way) ORDER BY way;

-- rows that cannot be used are counted
SELECT count(*) FROM crm.clv_contract($$SELECT * FROM subscriptions WHERE customer_id > 990 UNION ALL VALUES (NULL::int, now(), NULL::timestamptz, 1::float8), (1, NULL, NULL, 1), (2, '2024-01-01', NULL, NULL), (3, 'infinity', NULL, 1), (4, '2024-01-01', NULL, 'NaN'), (5, '2026-01-01', NULL, 1), (6, '2024-01-01', '-infinity', 1)$$, as_of => '2025-01-01');
SELECT function, rows_read, rows_used, customers FROM crm.last_run();
SET client_min_messages = warning;

-- renewals by the calendar: due on the day of the month, or the last one of it; whoever ends at that moment has not renewed
CREATE FUNCTION renewals(started_at text, ended_at text, as_of text, period interval DEFAULT '1 month') RETURNS text LANGUAGE sql AS $$
	SELECT format('%s, next %s', renewals, next_renewal_at) FROM crm.clv_contract(format('SELECT 1 AS customer_id, %L AS started_at, %L AS ended_at, 1 AS amount', started_at, ended_at), as_of::timestamptz, period => period) $$;
SELECT s, e, a, renewals(s, e, a) FROM (VALUES (1, '2024-01-31', NULL, '2024-02-28 23:59:59'), (2, '2024-01-31', NULL, '2024-02-29'), (3, '2024-01-31', NULL, '2024-03-31'), (4, '2024-01-31', '2024-02-29', '2025-01-01'), (5, '2024-01-31', '2024-02-29 00:00:01', '2025-01-01'),
	(6, '2024-01-31', '2024-01-31', '2025-01-01'), (7, '2024-01-31', '2024-06-15', '2024-04-30'), (8, '2024-01-31', 'infinity', '2024-04-30'), (9, '2024-01-31', NULL, '2024-01-31'), (10, '1999-12-31', NULL, '2100-01-01')) v (n, s, e, a) ORDER BY n;
SET TimeZone = 'Europe/Berlin';
SELECT renewals('2024-03-30 12:00', NULL, '2024-03-31 11:59', '1 day'), renewals('2024-03-30 12:00', NULL, '2024-03-31 12:00', '1 day'), renewals('2024-03-30 12:00', NULL, '2024-03-31 13:00', '24 hours');
SET TimeZone = 'UTC';

-- a customer of several contracts: his value is theirs together
CREATE TABLE several AS SELECT * FROM subscriptions UNION ALL VALUES (1000, timestamptz '2021-06-01', timestamptz '2022-06-01', 3), (1000, '2022-07-01', NULL, 5), (2000, '2018-01-01', '2020-01-01', 7), (2000, '2020-02-01', '2020-03-01', 7);
SELECT short('SELECT * FROM several', rows => 2000) OFFSET 999;

-- a model that is kept
CREATE TABLE kept AS SELECT fitted FROM crm.clv_contract_fit('subscriptions', as_of => '2025-01-01', period => '1 year');
SELECT count(*) FROM (SELECT c FROM crm.clv_contract('subscriptions', as_of => '2025-01-01', period => '1 year') c EXCEPT SELECT c FROM kept, crm.clv_contract('subscriptions', as_of => '2025-01-01', period => '1 year', fitted => kept.fitted::text) c) q;
CREATE TABLE crm.model (name text PRIMARY KEY, family text, parameters jsonb);
INSERT INTO crm.model (name, family, parameters) SELECT 'yearly', 'clv_contract', fitted FROM kept;
INSERT INTO crm.model (name, family, parameters) VALUES ('other', 'kmeans', '{"model": "kmeans", "version": 1}');
SELECT count(*), sum(clv) > 0 FROM crm.clv_contract('subscriptions', as_of => '2025-01-01', period => '1 year', fitted => 'yearly');

-- extreme sources: nobody, one customer, nobody lost, everybody lost at once, a period longer than the history, no renewal in the horizon, no discount
SELECT count(*) FROM crm.clv_contract('SELECT * FROM subscriptions WHERE false');
SELECT estimate, log_likelihood, n, converged, status, message, fitted FROM crm.clv_contract_fit('SELECT * FROM subscriptions WHERE false');
SELECT short('SELECT * FROM subscriptions WHERE customer_id IN (400, 1000)');
SELECT status, message, estimate, fitted ->> 'status' FROM crm.clv_contract_fit('SELECT * FROM subscriptions WHERE customer_id IN (400, 1000)', as_of => '2025-01-01', period => '1 year');
SELECT short('SELECT * FROM subscriptions WHERE ended_at IS NULL', rows => 1);
SELECT converged, status, message FROM crm.clv_contract_fit('SELECT * FROM subscriptions WHERE ended_at IS NULL', as_of => '2025-01-01', period => '1 year');
SELECT converged, status FROM crm.clv_contract_fit('SELECT * FROM subscriptions WHERE ended_at = ''2019-01-01''', as_of => '2025-01-01', period => '1 year');
SELECT short('SELECT * FROM subscriptions WHERE ended_at = ''2019-01-01'' OR customer_id = 1000', '2019-06-01', rows => 1000) OFFSET 131;
SELECT short('SELECT * FROM subscriptions WHERE ended_at IS NULL', period => '50 years', rows => 1);
SELECT status, message FROM crm.clv_contract_fit('SELECT * FROM subscriptions WHERE ended_at IS NULL', as_of => '2025-01-01', period => '50 years');
SELECT short('SELECT * FROM subscriptions', horizon => '1 month', rows => 1000) OFFSET 999;
SELECT round(clv::numeric, 2), residual_value FROM crm.clv_contract('subscriptions', as_of => '2025-01-01', period => '1 year', discount_rate => 0) WHERE customer_id = 1000;
SELECT bool_and(clv = 0 AND clv_low = 0 AND clv_high = 0 AND residual_value = 0) FROM crm.clv_contract('subscriptions', as_of => '2025-01-01', period => '1 year', margin => 0);

-- every error
SELECT option, fails(format('SELECT count(*) FROM crm.clv_contract(''subscriptions'', as_of => ''2025-01-01'', %s)', option)) FROM unnest(ARRAY['horizon => NULL', 'horizon => ''0''', 'horizon => ''-1 day''', 'horizon => ''1 year'', period => ''1 minute''', 'period => NULL', 'period => ''0''', 'period => ''1 month 1 day''', 'period => ''1 minute'', horizon => ''1 hour''',
	'discount_rate => NULL', 'discount_rate => -0.1', 'margin => NULL', 'margin => -1', 'value => -1', 'value => ''NaN''', 'level => NULL', 'level => 0', 'level => 1', 'fitted => ''nothing''', 'fitted => ''other''', 'fitted => ''{}''', 'fitted => ''yearly'', period => ''1 month''']) WITH ORDINALITY v (option, n) ORDER BY n;
SELECT fails($$SELECT * FROM crm.clv_contract(NULL)$$);
SELECT fails($$SELECT * FROM crm.clv_contract('subscriptions', as_of => NULL)$$);
SELECT fails($$SELECT * FROM crm.clv_contract('subscriptions', as_of => 'infinity')$$);
SELECT fails($$SELECT * FROM crm.clv_contract('nowhere')$$);
SELECT fails($$SELECT * FROM crm.clv_contract('SELECT 1 AS customer_id, now() AS started_at')$$);
SELECT fails($$SELECT * FROM crm.clv_contract('SELECT ''a'' AS customer_id, now() AS started_at, now() AS ended_at')$$);
SELECT fails($$SELECT * FROM crm.clv_contract('SELECT 1 AS customer_id, timestamptz ''2024-01-02'' AS started_at, timestamptz ''2024-01-01'' AS ended_at')$$);
SELECT fails($$SELECT * FROM crm.clv_contract('SELECT 1 AS customer_id, timestamptz ''2024-01-02'' AS started_at, NULL AS ended_at, -1 AS amount')$$);
SELECT fails($$SELECT * FROM kept, crm.clv_contract('subscriptions', as_of => '2025-01-01', period => '1 year', fitted => jsonb_set(kept.fitted, '{parameters}', '[1,-4]')::text)$$);
SELECT option, fails(format('SELECT * FROM crm.clv_contract_fit(''subscriptions'', as_of => ''2025-01-01'', %s)', option)) FROM unnest(ARRAY['penalty => -1', 'penalty => NULL', 'level => 2', 'level => NULL', 'period => NULL', 'period => ''-1 month''']) WITH ORDINALITY v (option, n) ORDER BY n;

DROP SCHEMA test_clv_contract CASCADE;
DROP TABLE crm.model;
