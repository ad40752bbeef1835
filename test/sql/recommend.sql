-- recommend: the surface of crm.recommend, crm.recommend_customers, crm.similar_items and crm.recommend_backtest, and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
CREATE SCHEMA test_recommend;
SET search_path = test_recommend, public;

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

-- functions: arguments and result, volatility, strictness, parallel safety, comment
SELECT p.oid::regprocedure, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile, p.proisstrict, p.proparallel, obj_description(p.oid)
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname ~ '^(recommend.*|similar_items)$'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- a shop: 40 baskets of 8 customers
CREATE TABLE line AS
SELECT b AS basket_id, 1 + b % 8 AS customer_id, timestamptz '2025-01-01 00:00+00' + b * interval '1 day' AS ordered_at, item AS item_id
FROM generate_series(0, 39) b,
	LATERAL (VALUES ('bread', b % 2 = 0), ('butter', b % 4 = 0 OR b % 10 = 1), ('jam', b % 4 = 0 AND b % 12 <> 0), ('tea', b % 5 < 2), ('salt', b % 7 = 3), ('rum', b = 39)) i (item, is_in)
WHERE is_in;
SELECT rank, item, round(score::numeric, 6), method, reason, antecedent, round(confidence::numeric, 6), round(lift::numeric, 6), count, antecedent_count, item_count FROM crm.recommend('line', basket => '{butter}');
SELECT rank, item, round(score::numeric, 6), method, reason FROM crm.recommend('line', basket => '{butter,bread,butter}', rules => 2);
SELECT rank, item, round(score::numeric, 6), method, reason FROM crm.recommend('line', basket => '{bread,butter,tea}', max_antecedent => 3, prior => 0, k => 1);
SELECT rank, item, round(score::numeric, 6), method, reason FROM crm.recommend('line', basket => '{butter}', method => 'similar');
SELECT rank, item, round(score::numeric, 6), method, reason FROM crm.recommend('line', basket => '{butter}', exclude => '{jam,bread}', k => 2);
SELECT rank, item, round(score::numeric, 6), method, reason FROM crm.recommend('line', customer => '2');
SELECT rank, item, round(score::numeric, 6), method, reason FROM crm.recommend('line', basket => '{bread}', customer => '1');
SELECT customer_id, rank, item, round(score::numeric, 6), method, reason FROM crm.recommend_customers('line', k => 1);
SELECT customer_id, pg_typeof(customer_id), item FROM crm.recommend_customers(key => NULL::numeric, source => 'SELECT customer_id::numeric, basket_id, item_id FROM line', k => 1) LIMIT 1;
SELECT rank, item, round(similarity::numeric, 6), count, round(lift::numeric, 6), round(confidence::numeric, 6), support, item_count FROM crm.similar_items('line', 'butter');
SELECT method, customers, round("precision"::numeric, 6), round(recall::numeric, 6), round(ndcg::numeric, 6), round(hit_rate::numeric, 6), round(coverage::numeric, 6), recommended, met, items, unknown_items, without_history, without_new_item
FROM crm.recommend_backtest('line', '2025-01-15 00:00+00', k => 2);

-- what it has not seen, it says
SELECT item, method, reason FROM crm.recommend('line', k => 1);
SELECT item, method FROM crm.recommend('line', basket => '{}', k => 1);
SELECT item, method FROM crm.recommend('line', basket => '{gin,"",bread}', k => 1);
SELECT item, method FROM crm.recommend('line', basket => '{a,b,c,d,e,f,g,h,i,j,k,l}', k => 1);
SELECT item, method FROM crm.recommend('line', customer => '99', k => 1);
SELECT * FROM crm.similar_items('line', 'gin');
SELECT item FROM crm.recommend('SELECT nullif(basket_id, 8) AS basket_id, nullif(item_id, ''tea'') AS item_id FROM line', k => 1);
SELECT rows_read, rows_used, skipped_null_key, customers FROM crm.last_run();
SELECT count(*) FROM crm.recommend_customers('SELECT nullif(basket_id, 8) AS basket_id, nullif(item_id, ''tea'') AS item_id, nullif(customer_id, 3) AS customer_id FROM line');
SELECT count(*) FROM crm.recommend_backtest('SELECT basket_id, item_id, customer_id, nullif(ordered_at, ''2025-01-05 00:00+00'') AS ordered_at FROM line', '2025-01-15 00:00+00');

-- errors
SELECT call, fails(format('SELECT * FROM crm.%s', call))
FROM unnest(ARRAY[
	'recommend($$line$$, k => NULL)', 'recommend($$line$$, k => 0)', 'recommend($$line$$, k => 10001)', 'recommend($$line$$, $${bread,NULL}$$)', 'recommend($$line$$, exclude => $${NULL}$$)',
	'recommend($$line$$, method => NULL)', 'recommend($$line$$, method => $$rules$$)', 'recommend($$line$$, max_antecedent => 0)', 'recommend($$line$$, max_antecedent => 4)', 'recommend($$line$$, rules => 0)', 'recommend($$line$$, rules => 11)',
	'recommend($$line$$, min_count => NULL)', 'recommend($$line$$, min_count => 0)', 'recommend($$line$$, min_confidence => NULL)', 'recommend($$line$$, min_confidence => 1.1)', 'recommend($$line$$, min_confidence => $$NaN$$)',
	'recommend($$line$$, prior => NULL)', 'recommend($$line$$, prior => -1)', 'recommend($$line$$, prior => $$Infinity$$)', 'recommend($$line$$, shrinkage => NULL)', 'recommend($$line$$, shrinkage => -0.5)', 'recommend($$line$$, neighbours => NULL)', 'recommend($$line$$, neighbours => 1001)',
	'recommend()', 'recommend($$nowhere$$)', 'recommend($$$$)', 'recommend($$SELECT 1 AS basket_id$$)', 'recommend($$SELECT basket_id, item_id FROM line$$, customer => $$1$$)',
	'recommend_customers($$SELECT basket_id, item_id FROM line$$)', 'recommend_customers($$SELECT basket_id, item_id, customer_id::text FROM line$$)', 'recommend_customers($$line$$, k => NULL)', 'recommend_customers($$line$$, method => $$all$$)',
	'similar_items($$line$$)', 'similar_items($$line$$, $$tea$$, NULL)', 'similar_items($$line$$, $$tea$$, 0)', 'similar_items($$line$$, $$tea$$, shrinkage => NULL)', 'similar_items($$line$$, $$tea$$, shrinkage => -1)', 'similar_items($$line$$, $$tea$$, min_count => NULL)', 'similar_items($$line$$, $$tea$$, min_count => 0)',
	'recommend_backtest($$line$$)', 'recommend_backtest($$line$$, $$infinity$$)', 'recommend_backtest($$line$$, $$2025-01-15$$, k => 0)', 'recommend_backtest($$line$$, $$2025-01-15$$, rules => 99)',
	'recommend_backtest($$SELECT basket_id, item_id, customer_id FROM line$$, $$2025-01-15$$)', 'recommend_backtest($$SELECT basket_id, item_id, ordered_at FROM line$$, $$2025-01-15$$)', 'recommend_backtest($$SELECT basket_id, item_id, customer_id, 5 AS ordered_at FROM line$$, $$2025-01-15$$)'
]) WITH ORDINALITY v (call, n) ORDER BY n;
SET maintenance_work_mem = '3MB';
SELECT fails($$SELECT * FROM crm.recommend_customers('SELECT i AS customer_id, 1 AS basket_id, 1 AS item_id FROM generate_series(1, 200000) i')$$);
RESET maintenance_work_mem;

SET client_min_messages = warning;
DROP SCHEMA test_recommend CASCADE;
