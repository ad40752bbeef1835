-- clv: the surface of crm.clv and crm.clv_fit: options, keys, stored models, extreme customers and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 0;
CREATE SCHEMA test_clv;
SET search_path = test_clv, public;

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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('clv', 'clv_fit')
ORDER BY p.proname, p.pronargs;

-- a shop
CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(500, '2024-01-01', '2025-01-01', seed => 3);
CREATE FUNCTION short(source text, model text DEFAULT 'mbgnbd', spend text DEFAULT 'gamma_gamma', rows bigint DEFAULT 3) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s x %s t_x %s t %s: alive %s, orders %s, any %s, value %s, clv %s (%s to %s), residual %s, next %s, %s', customer_id, x, t_x, t, round(p_alive::numeric, 3), round(expected_orders::numeric, 3), round(p_any_order::numeric, 3),
		round(expected_order_value::numeric, 2), round(clv::numeric, 1), round(clv_low::numeric, 1), round(clv_high::numeric, 1), round(residual_value::numeric), next_order_at::date, status)
	FROM crm.clv(source, as_of => '2025-01-01', model => short.model, spend => short.spend) LIMIT rows $$;
SELECT short('orders', model) FROM unnest('{bgnbd, mbgnbd, bgbb, formula}'::text[]) model;
SELECT short('orders', 'bgnbd', 'mean');
SELECT short('orders', 'formula', 'mean');
SELECT count(*), count(DISTINCT customer_id), bool_and(status = 'ok') FROM crm.clv('orders', as_of => '2025-01-01');
SELECT pg_typeof(customer_id), count(*) FROM crm.clv(key => NULL::text, source => 'SELECT ''c'' || customer_id AS customer_id, ordered_at, amount FROM orders', as_of => '2025-01-01', model => 'bgnbd') GROUP BY 1;

-- the fit
SELECT fitted_model, name, (SELECT array_agg(round(e::numeric, 3)) FROM unnest(estimate) e), round(log_likelihood::numeric, 2), round(aic::numeric, 2), round(bic::numeric, 2), n, n_used, n_skipped, iterations > 0, gradient_norm < 1e-6, converged, status, message
FROM unnest('{bgnbd, mbgnbd, bgbb, formula}'::text[]) m, crm.clv_fit('orders', model => m, as_of => '2025-01-01');
SELECT name, cardinality(standard_error), cardinality(low), cardinality(high) FROM crm.clv_fit('orders', model => 'bgnbd', as_of => '2025-01-01', spend => 'mean');
SELECT bool_and(l < e AND e < h AND s > 0) FROM crm.clv_fit('orders', model => 'mbgnbd', as_of => '2025-01-01') f, unnest(f.estimate, f.standard_error, f.low, f.high) v (e, s, l, h);

-- a model that is kept: the same customers without a fit, by value and by name
CREATE TABLE kept AS SELECT fitted FROM crm.clv_fit('orders', model => 'mbgnbd', as_of => '2025-01-01');
SELECT count(*) FROM (SELECT c FROM crm.clv('orders', as_of => '2025-01-01', model => 'mbgnbd') c EXCEPT SELECT c FROM kept, crm.clv('orders', as_of => '2025-01-01', fitted => kept.fitted::text) c) q;
CREATE TABLE crm.model (name text PRIMARY KEY, family text, parameters jsonb);
INSERT INTO crm.model (name, family, parameters) SELECT 'spring', 'clv', fitted FROM kept;
INSERT INTO crm.model (name, family, parameters) VALUES ('other', 'kmeans', '{"model": "kmeans", "version": 1}');
SELECT count(*) FROM (SELECT c FROM crm.clv('orders', as_of => '2025-01-01', model => 'mbgnbd') c EXCEPT SELECT c FROM crm.clv('orders', as_of => '2025-01-01', fitted => 'spring') c) q;

-- extreme customers: nobody, one, two, one-time buyers only, all on one day, negative spend only, zero spend only, the future only
SELECT count(*) FROM crm.clv('SELECT * FROM orders WHERE false');
SELECT fitted_model, name, status, converged, message FROM crm.clv_fit('SELECT * FROM orders WHERE false');
SELECT short('SELECT * FROM orders WHERE customer_id = 1');
SELECT short('SELECT * FROM orders WHERE customer_id <= 2');
SELECT short('SELECT DISTINCT ON (customer_id) * FROM orders ORDER BY customer_id, ordered_at', model) FROM unnest('{bgnbd, auto}'::text[]) model;
SELECT short('SELECT customer_id, timestamptz ''2024-12-31 10:00'' AS ordered_at, amount FROM orders');
SELECT short('SELECT customer_id, timestamptz ''2025-01-01'' AS ordered_at, amount FROM orders');
SELECT count(*) FROM crm.clv('SELECT customer_id, ordered_at, -amount AS amount FROM orders', as_of => '2025-01-01');
SELECT short('SELECT customer_id, ordered_at, 0 AS amount FROM orders', 'bgnbd');
SELECT short('SELECT customer_id, ordered_at, amount FROM orders UNION ALL SELECT 1, ''2024-12-31'', -1e6', 'bgnbd', rows => 1);
SELECT count(*) FROM crm.clv('orders', as_of => '2023-01-01');
SELECT bool_and(residual_value IS NULL AND clv > 0) FROM crm.clv('orders', as_of => '2025-01-01', model => 'bgnbd', discount_rate => 0);
SELECT bool_and(clv = 0) FROM crm.clv('orders', as_of => '2025-01-01', model => 'bgnbd', margin => 0);
SELECT count(*), bool_and(clv >= 0) FROM crm.clv('orders', as_of => '2025-01-01', model => 'bgnbd', period => '5 years');
SELECT count(*), bool_and(clv < 1) FROM crm.clv('orders', as_of => '2025-01-01', model => 'bgnbd', horizon => '1 second');

-- every error
SELECT fails(format('SELECT count(*) FROM crm.clv(''orders'', as_of => ''2025-01-01'', %s)', option)) FROM unnest(ARRAY['horizon => NULL', 'horizon => ''0''', 'horizon => ''-1 day''', 'model => NULL', 'model => ''arima''',
	'spend => NULL', 'spend => ''median''', 'period => NULL', 'period => ''0''', 'period => ''1 month 1 day''', 'discount_rate => NULL', 'discount_rate => -0.1', 'discount_rate => ''NaN''', 'margin => NULL', 'margin => -1', 'refunds => ''gross''',
	'level => NULL', 'level => 0', 'level => 1', 'level => ''NaN''', 'seed => NULL', 'fitted => ''nothing''', 'fitted => ''other''', 'fitted => ''{}''', 'fitted => ''{"a"''', 'fitted => ''spring'', period => ''1 week''']) WITH ORDINALITY v (option, n) ORDER BY n;
SELECT fails($$SELECT * FROM crm.clv('orders', as_of => NULL)$$);
SELECT fails($$SELECT * FROM crm.clv('orders', as_of => 'infinity')$$);
SELECT fails($$SELECT * FROM crm.clv('nowhere')$$);
SELECT fails($$SELECT * FROM crm.clv('SELECT ''a'' AS customer_id, now() AS ordered_at, 1 AS amount')$$);
SELECT fails($$SELECT * FROM kept, crm.clv('orders', fitted => jsonb_set(kept.fitted, '{parameters}', '[1,2,3]')::text)$$);
SELECT fails($$SELECT * FROM kept, crm.clv('orders', fitted => jsonb_set(kept.fitted, '{parameters}', '[1,2,3,-4]')::text)$$);
SELECT fails($$SELECT * FROM kept, crm.clv('orders', fitted => jsonb_set(kept.fitted, '{parameters}', '[1,2,3,1e300]')::text)$$);
SELECT fails($$SELECT * FROM kept, crm.clv('orders', fitted => jsonb_set(kept.fitted, '{spend_parameters}', '[1,1,3]')::text)$$);
SELECT fails($$SELECT * FROM kept, crm.clv('orders', fitted => jsonb_set(kept.fitted, '{spend_parameters}', '[1,1e300,3]')::text)$$);
SELECT fails($$SELECT * FROM kept, crm.clv('orders', fitted => jsonb_set(kept.fitted, '{orders}', '"auto"')::text)$$);
SELECT fails(format('SELECT * FROM crm.clv_fit(''orders'', as_of => ''2025-01-01'', %s)', option)) FROM unnest(ARRAY['model => ''arima''', 'model => NULL', 'penalty => -1', 'penalty => 1e7', 'penalty => NULL', 'level => 2', 'seed => NULL', 'period => NULL', 'spend => ''x''', 'refunds => NULL']) WITH ORDINALITY v (option, n) ORDER BY n;

DROP SCHEMA test_clv CASCADE;
DROP TABLE crm.model;
