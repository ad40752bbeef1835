-- churn_backtest: the surface of crm.churn_backtest and crm.churn_gains: options, keys and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
CREATE SCHEMA test_churn_backtest;
SET search_path = test_churn_backtest, public;

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
SELECT p.oid::regprocedure, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.prokind, p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname ~ '^(churn_(backtest|gains))$'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- A shop: 60 customers, c of them with a rhythm of 10 + c days, who stop after a while; no clock, no chance.
CREATE TABLE orders AS
SELECT c::bigint AS customer_id, timestamptz '2025-01-01' + i * (10 + c) * interval '1 day' + c * interval '1 hour' AS ordered_at, 20 + (c * 7 + i * 3) % 50 AS amount
FROM generate_series(1, 60) c, generate_series(0, 30) i
WHERE i * (10 + c) < 364 - (c * 37) % 200;

SELECT cut, method, customers, churners, round(base_rate::numeric, 6), round(auc::numeric, 4), round(log_loss::numeric, 3), method_used, learnt_rows, learnt_churners, status
FROM crm.churn_backtest('orders', as_of => '2025-12-31', cuts => '{2025-11-01, 2025-07-01}', horizon => '45 days', methods => '{gap, logistic}');
SELECT method, customers, churners, method_used, learnt_rows, learnt_churners, status FROM crm.churn_backtest('orders', horizon => '45 days', cuts => '{2025-09-01}');
SELECT count(*), count(DISTINCT cut), min(cut), max(cut) FROM crm.churn_backtest('orders', horizon => '45 days', methods => '{gap}');
SELECT method, status FROM crm.churn_backtest('orders', horizon => '45 days', cuts => '{2025-09-01}', methods => '{base_rate, auto}');
SELECT count(*), min(customers) FROM crm.churn_backtest(key => NULL::text, source => 'SELECT customer_id::text, ordered_at, amount FROM orders', horizon => '45 days', cuts => '{2025-09-01}');
SELECT cut_at, method_used, decile, customers, round(churners::numeric, 6), round(mean_predicted::numeric, 3), round(churn_rate::numeric, 4), round(lift::numeric, 4), round(total_share::numeric, 4), round(total_lift::numeric, 4), status
FROM crm.churn_gains('orders', cut => '2025-09-01', horizon => '45 days', method => 'gap') ORDER BY decile;
SELECT count(*), min(cut_at), sum(customers) FROM crm.churn_gains('orders', horizon => '45 days');
SELECT decile, customers, churners, round(churn_rate::numeric, 4) FROM crm.churn_gains(key => NULL::text, source => 'SELECT customer_id::text, ordered_at, amount FROM orders WHERE customer_id <= 3', horizon => '45 days', cut => '2025-09-01', method => 'base_rate') ORDER BY decile;
-- a cut before the first order, nobody to learn from, no order at all, no churner, all churners, five customers
SELECT cut, method, customers, churners, base_rate, auc, log_loss, learnt_rows, status FROM crm.churn_backtest('orders', as_of => '2025-12-31', cuts => '{2024-06-01, 2025-01-20}', methods => '{gap, logistic}');
SELECT count(*) FROM crm.churn_gains('orders', cut => '2024-06-01', method => 'gap');
SELECT count(*) FROM crm.churn_backtest('SELECT * FROM orders WHERE false');
SELECT count(*) FROM crm.churn_gains('SELECT * FROM orders WHERE false');
SELECT method, customers, churners, auc, round(log_loss::numeric, 3), calibration_slope, calibration_intercept, medium_recall, top_decile_lift, status FROM crm.churn_backtest('SELECT c AS customer_id, timestamptz $$2025-01-01$$ + d * interval $$7 days$$ AS ordered_at, 1 AS amount FROM generate_series(1, 50) c, generate_series(0, 50) d', horizon => '30 days', cuts => '{2025-09-01}', methods => '{gap, logistic}');
SELECT method, customers, churners, auc, round(log_loss::numeric, 3) < 0.3, calibration_slope, calibration_intercept, round(high_precision::numeric, 4), round(medium_recall::numeric, 4), round(top_decile_lift::numeric, 4), status FROM crm.churn_backtest('SELECT c AS customer_id, timestamptz $$2025-01-01$$ + c * interval $$1 minute$$ AS ordered_at, 1 AS amount FROM generate_series(1, 50) c', as_of => '2025-12-31', horizon => '30 days', cuts => '{2025-09-01}', methods => '{gap, logistic}');
SELECT method, customers, churners, method_used, status FROM crm.churn_backtest('SELECT * FROM orders WHERE customer_id <= 5', horizon => '45 days', cuts => '{2025-09-01}', methods => '{gap, logistic}');
SELECT method FROM crm.churn_backtest('orders', horizon => '45 days', cuts => '{2025-09-01}', label => 'SELECT customer_id, timestamptz $$2025-09-20$$ AS churned_at FROM orders WHERE customer_id % 3 = 0');
SELECT function, rows_read, rows_used, rows_skipped, customers FROM crm.last_run();
SET client_min_messages = notice;
SELECT count(*) FROM crm.churn_backtest('SELECT * FROM orders UNION ALL SELECT NULL, now(), 1', as_of => '2025-12-31', horizon => '45 days', cuts => '{2025-09-01}', methods => '{gap}');
SET client_min_messages = warning;

-- errors
SELECT call, fails('SELECT * FROM crm.' || call)
FROM unnest(ARRAY['churn_backtest($$orders$$, horizon => NULL)', 'churn_backtest($$orders$$, horizon => $$0 days$$)', 'churn_backtest($$orders$$, horizon => $$1 year$$)', 'churn_backtest($$orders$$, cuts => $${2025-12-01}$$)', 'churn_backtest($$orders$$, as_of => $$2025-06-30$$, cuts => $${2025-06-01}$$, horizon => $$60 days$$)', 'churn_backtest($$orders$$, cuts => $${}$$)', 'churn_backtest($$orders$$, cuts => $${NULL}$$)', 'churn_backtest($$orders$$, cuts => $${infinity}$$)', 'churn_backtest($$orders$$, cuts => $${2025-06-01, 2025-06-01 00:00:00+00}$$)', 'churn_backtest($$orders$$, as_of => $$infinity$$)',
	'churn_backtest($$orders$$, methods => $${}$$)', 'churn_backtest($$orders$$, methods => $${NULL}$$)', 'churn_backtest($$orders$$, methods => $${guess}$$)', 'churn_backtest($$orders$$, methods => $${gap, gap}$$)', 'churn_backtest($$orders$$, methods => $${alive}$$, label => $$SELECT 1 AS customer_id, now() AS churned_at$$)', 'churn_backtest($$orders$$, seed => NULL)', 'churn_backtest($$no_table$$)', 'churn_backtest($$SELECT 1 AS customer_id$$)', 'churn_backtest(key => NULL::uuid, source => $$orders$$)', 'churn_backtest($$orders$$, features => $$SELECT 1$$)', 'churn_backtest($$orders$$, label => $$SELECT 1$$)',
	'churn_gains($$orders$$, cut => $$infinity$$)', 'churn_gains($$orders$$, cut => $$2025-12-01$$)', 'churn_gains($$orders$$, method => NULL)', 'churn_gains($$orders$$, method => $$guess$$)', 'churn_gains($$orders$$, method => $$alive$$, label => $$SELECT 1 AS customer_id, now() AS churned_at$$)', 'churn_gains($$orders$$, horizon => $$1 year$$)', 'churn_gains($$orders$$, horizon => NULL)', 'churn_gains()']) WITH ORDINALITY v (call, n) ORDER BY n;

DROP SCHEMA test_churn_backtest CASCADE;
