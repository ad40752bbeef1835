-- clv_backtest: the surface of crm.clv_backtest and crm.clv_calibration: options, keys and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';
CREATE SCHEMA test_clv_backtest;
SET search_path = test_clv_backtest, public;

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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('clv_backtest', 'clv_calibration')
ORDER BY p.proname, p.pronargs;

CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(500, '2024-01-01', '2025-01-01', seed => 3);
SELECT model, customers, round(mae::numeric, 4), round(rmse::numeric, 4), round(bias::numeric, 4), round(rank_correlation::numeric, 4), round(top_decile_found::numeric, 4), round(predicted_orders::numeric, 2), actual_orders, round(predicted_value::numeric, 1), round(actual_value::numeric, 1), round(interval_coverage::numeric, 3), round(interval_expected::numeric, 3), status
FROM crm.clv_backtest('orders', '2024-10-01', '90 days', models => '{bgnbd, mbgnbd, bgbb, formula}');
SELECT model, round(interval_coverage::numeric, 3), round(interval_expected::numeric, 3) FROM crm.clv_backtest('orders', '2024-10-01', '90 days', models => '{mbgnbd}', level => 0.5);
SELECT model FROM crm.clv_backtest(key => NULL::text, source => 'SELECT ''c'' || customer_id AS customer_id, ordered_at, amount FROM orders', cut_at => '2024-10-01', holdout => '90 days', models => '{mbgnbd}');
SELECT grouped_by, number, customers, round(predicted_orders::numeric, 4), round(actual_orders::numeric, 4), round(predicted_value::numeric, 2), round(actual_value::numeric, 2) FROM crm.clv_calibration('orders', '2024-10-01', '90 days', model => 'mbgnbd');

-- nobody before the cut; one customer; nobody after it
SELECT * FROM crm.clv_backtest('orders', '2023-10-01', '90 days');
SELECT * FROM crm.clv_calibration('orders', '2023-10-01', '90 days');
SELECT model, customers, mae, rank_correlation, interval_coverage, interval_expected, status FROM crm.clv_backtest('SELECT 1 AS customer_id, timestamptz ''2024-01-01'' AS ordered_at, 5 AS amount', '2024-10-01', '90 days', models => '{mbgnbd}');
SELECT model, actual_orders, actual_value FROM crm.clv_backtest('orders', '2025-01-01', '90 days', models => '{mbgnbd}');

-- every error
SELECT fails(format('SELECT * FROM crm.clv_backtest(%s)', arguments)) FROM unnest(ARRAY['''orders'', NULL, ''90 days''', '''orders'', ''infinity'', ''90 days''', '''orders'', ''2024-10-01'', NULL', '''orders'', ''2024-10-01'', ''0''', '''orders'', ''2024-10-01'', ''-1 day''', '''orders'', ''2024-10-01'', ''1 hour''',
	'''orders'', ''2024-10-01'', ''90 days'', models => NULL', '''orders'', ''2024-10-01'', ''90 days'', models => ''{}''', '''orders'', ''2024-10-01'', ''90 days'', models => ''{arima}''', '''orders'', ''2024-10-01'', ''90 days'', models => ''{bgnbd, bgnbd}''', '''orders'', ''2024-10-01'', ''90 days'', models => ''{NULL}''',
	'''orders'', ''2024-10-01'', ''90 days'', spend => ''x''', '''orders'', ''2024-10-01'', ''90 days'', period => NULL', '''orders'', ''2024-10-01'', ''90 days'', refunds => ''x''', '''orders'', ''2024-10-01'', ''90 days'', seed => NULL', '''orders'', ''2024-10-01'', ''90 days'', level => NULL', '''orders'', ''2024-10-01'', ''90 days'', level => 0', '''orders'', ''2024-10-01'', ''90 days'', level => 1', '''nowhere'', ''2024-10-01'', ''90 days''']) WITH ORDINALITY v (arguments, n) ORDER BY n;
SELECT fails($$SELECT * FROM crm.clv_calibration('orders', '2024-10-01', '90 days', model => 'arima')$$);
SELECT fails($$SELECT * FROM crm.clv_calibration('orders', '2024-10-01', '90 days', model => NULL)$$);

DROP SCHEMA test_clv_backtest CASCADE;
