-- itemsets: the surface of crm.frequent_itemsets, crm.advise_support and crm.itemsets: options, sources and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET DateStyle = 'ISO';
SET TimeZone = 'UTC';
CREATE SCHEMA test_itemsets;
SET search_path = test_itemsets, public;

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
SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' || E'\n    ' || pg_get_function_result(p.oid), p.prokind, p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('frequent_itemsets', 'advise_support', 'itemsets')
ORDER BY p.proname, p.pronargs;

-- Nine baskets of the book of Han, Kamber and Pei (Data Mining, 3rd edition, table 6.1), and what it finds at 2.
CREATE TABLE line AS
SELECT b AS basket_id, unnest(string_to_array(i, ' ')) AS item_id
FROM (VALUES (100, 'I1 I2 I5'), (200, 'I2 I4'), (300, 'I2 I3'), (400, 'I1 I2 I4'), (500, 'I1 I3'), (600, 'I2 I3'), (700, 'I1 I3'), (800, 'I1 I2 I3 I5'), (900, 'I1 I2 I3')) v (b, i);
SELECT items, length, round(support::numeric, 6), count FROM crm.frequent_itemsets('line', 2);
SELECT items, count FROM crm.frequent_itemsets('line', 2, target => 'closed');
SELECT items, count FROM crm.frequent_itemsets('line', 2, target => 'maximal');
SELECT algorithm, count(*), sum(count), md5(string_agg(items::text || count, ' ')) FROM unnest('{auto, eclat, fpgrowth}'::text[]) algorithm, crm.frequent_itemsets('line', 2, algorithm => algorithm) GROUP BY algorithm ORDER BY algorithm;

-- the least count that a share asks for: of 9 baskets 2/9 is 2, a little more is 3
SELECT support, (SELECT min(count) FROM crm.frequent_itemsets('line', support)) FROM unnest(ARRAY[2 / 9.0::float8, 0.22222, 0.2223, 0.001, 0.77, 2, 7, 1e-300]) support;
SELECT count(*), min(count) FROM crm.frequent_itemsets('SELECT basket_id, item_id FROM generate_series(1, 300) basket_id, LATERAL (VALUES (1, 300), (2, 3), (3, 2)) v (item_id, n) WHERE basket_id <= n', 0.01);
SELECT count(*), min(count) FROM crm.frequent_itemsets('SELECT basket_id, item_id FROM generate_series(1, 300) basket_id, LATERAL (VALUES (1, 300), (2, 21), (3, 20)) v (item_id, n) WHERE basket_id <= n', 0.07);
SELECT * FROM crm.frequent_itemsets('SELECT basket_id, 1 AS item_id FROM generate_series(1, 3) basket_id', 1);

-- lengths, items, the best, and the size of baskets
SELECT items FROM crm.frequent_itemsets('line', 2, min_length => 2, max_length => 2);
SELECT items FROM crm.frequent_itemsets('line', 2, items_in => '{I5, I4}');
SELECT items FROM crm.frequent_itemsets('line', 2, items_out => '{I1}');
SELECT items FROM crm.frequent_itemsets('line', 2, items_in => '{I3}', items_out => '{I1, I9}');
SELECT items, count FROM crm.frequent_itemsets('line', 2, top_k => 4);
SELECT count(*) FROM crm.frequent_itemsets('line', 2, top_k => 1000000000000);
SELECT items, count FROM crm.frequent_itemsets('line', 2, max_basket_size => 3, oversize => 'skip', top_k => 3);
SELECT items, count FROM crm.frequent_itemsets('line', 2, max_basket_size => 3, oversize => 'truncate', min_length => 2);
SELECT items, count, support FROM crm.frequent_itemsets('line', 2, max_basket_size => 1, oversize => 'truncate');
SELECT items, count FROM crm.frequent_itemsets('line', 1, max_basket_size => 1, oversize => 'skip');
SELECT count(*) FROM crm.frequent_itemsets('line', 2, max_basket_size => 4);

-- what is said
SET client_min_messages = notice;
SELECT count(*) FROM crm.frequent_itemsets('SELECT NULLIF(basket_id, 100) AS basket_id, NULLIF(item_id, ''I4'') AS item_id FROM line', 2);
SELECT count(*) FROM crm.frequent_itemsets('line', 2, max_basket_size => 2, oversize => 'skip');
SELECT count(*) FROM crm.frequent_itemsets('line', 2, max_basket_size => 2, oversize => 'truncate');
SELECT count(*) FROM crm.frequent_itemsets('line', 3, items_in => '{I5, nothing}', items_out => '{I4}');
SET client_min_messages = warning;
SELECT count(*) FROM crm.frequent_itemsets('SELECT NULLIF(basket_id, 100) AS basket_id, NULLIF(item_id, ''I4'') AS item_id FROM line', 2);
SELECT function, rows_read, rows_used, rows_skipped, skipped_null_key, skipped_null_value, skipped_non_finite, customers, milliseconds >= 0, workers, peak_memory > 0, total_memory = peak_memory, road FROM crm.last_run();

-- items and baskets of any type, and labels that are hard to write
SELECT items FROM crm.frequent_itemsets('SELECT 1 AS basket_id, unnest(ARRAY['''', '' '', ''a''''"\b'', ''{,}'', ''NULL'', ''ä€😀'', ''Z'']) AS item_id', 1, target => 'maximal');
SELECT items FROM crm.frequent_itemsets('SELECT 1.0 AS basket_id, unnest(ARRAY[1.00, 1.0, 2]) AS item_id UNION ALL SELECT 1.00, 2.000', 1, target => 'maximal');
SELECT items, count FROM crm.frequent_itemsets('SELECT d AS basket_id, d - i AS item_id FROM (VALUES (date ''2020-01-02''), (''2020-01-03'')) v (d), generate_series(0, 1) i', 1);
SELECT items, count FROM crm.frequent_itemsets('SELECT point(1, 1)::text AS basket_id, b AS item_id FROM (VALUES (true), (false), (true)) v (b)', 1);
SELECT items FROM crm.frequent_itemsets('SELECT now() AS basket_id, unnest(ARRAY[-5, 10, 9, 0]) AS item_id', 1, target => 'maximal');

-- empty and one-basket sources
SELECT * FROM crm.frequent_itemsets('SELECT * FROM line WHERE false');
SELECT * FROM crm.frequent_itemsets('SELECT * FROM line WHERE false', 50);
SELECT * FROM crm.frequent_itemsets('SELECT basket_id, NULL::text AS item_id FROM line', 2);
SELECT * FROM crm.frequent_itemsets('SELECT * FROM line WHERE basket_id = 200');
SELECT * FROM crm.advise_support('SELECT * FROM line WHERE false');
SELECT * FROM crm.advise_support('SELECT * FROM line WHERE basket_id = 200');

-- the forms of a source, and bad ones
SELECT source, fails(format('DO $do$ BEGIN ASSERT (SELECT count(*) FROM crm.frequent_itemsets(%L, 2)) = 13; END $do$', source))
FROM unnest(ARRAY['line', 'Test_Itemsets.LINE', 'SELECT * FROM line; -- all', 'TABLE line', 'SELECT item_id, 7 AS more, basket_id, 9 AS amount FROM line', 'WITH x AS (SELECT * FROM line) SELECT * FROM x']) WITH ORDINALITY v (source, n) ORDER BY n;
SELECT source, fails(format('SELECT * FROM crm.frequent_itemsets(%L)', source))
FROM unnest(ARRAY[NULL, '', 'nowhere', 'SELECT 1; SELECT 2', 'DELETE FROM line RETURNING *', 'SELECT basket_id FROM line', 'SELECT item_id FROM line', 'SELECT basket_id, item_id, item_id FROM line', 'SELECT point(1, 1) AS basket_id, 1 AS item_id', 'SELECT 1 AS basket_id, point(1, 1) AS item_id', 'SELECT 1 AS basket_id, 1 / 0 AS item_id']) WITH ORDINALITY v (source, n) ORDER BY n;

-- every option that is NULL without meaning it, and those that may be
SELECT option, fails(format('SELECT * FROM crm.frequent_itemsets(''line'', %s => NULL)', option))
FROM unnest('{min_support, target, min_length, oversize, algorithm}'::text[]) WITH ORDINALITY v (option, n) ORDER BY n;
SELECT option, fails(format('SELECT * FROM crm.frequent_itemsets(''line'', %s => NULL)', option))
FROM unnest('{max_length, top_k, items_in, items_out, max_basket_size}'::text[]) WITH ORDINALITY v (option, n) ORDER BY n;
SELECT option, fails(format('SELECT * FROM crm.advise_support(''line'', %s => NULL)', option))
FROM unnest('{max_itemsets, sample_size, oversize, max_length, max_basket_size}'::text[]) WITH ORDINALITY v (option, n) ORDER BY n;
-- options that cannot be
SELECT option, fails(format('SELECT * FROM crm.frequent_itemsets(''line'', %s)', option))
FROM unnest(ARRAY['0', '-0.1', '-3', '$$NaN$$', '$$Infinity$$', '1.5', '2.25', '10', '4e9', '1e300', 'min_length => 0', 'min_length => -1', 'max_length => 0', 'min_length => 3, max_length => 2', 'top_k => 0', 'top_k => -1', 'target => $$Closed$$', 'target => $$$$', 'algorithm => $$apriori$$', 'oversize => $$drop$$', 'max_basket_size => 0', 'max_basket_size => 2', 'max_basket_size => 3',
	'items_in => $${}$$', 'items_out => $${}$$', 'items_in => $${NULL}$$', 'items_in => $${{I1}, {I2}}$$', 'items_in => $${I1, I1}$$', 'items_in => $${I1, I2}$$, items_out => $${I3, I2}$$']) WITH ORDINALITY v (option, n) ORDER BY n;
SELECT option, fails(format('SELECT * FROM crm.advise_support(''line'', %s)', option))
FROM unnest(ARRAY['max_itemsets => 0', 'max_length => 0', 'sample_size => 999', 'max_basket_size => 0', 'max_basket_size => 3', 'oversize => $$drop$$']) WITH ORDINALITY v (option, n) ORDER BY n;

-- advice: all baskets are few enough here, so the numbers are those of crm.frequent_itemsets
SELECT support, count, items, pairs, itemsets, longest, complete, baskets, chosen, reason FROM crm.advise_support('line');
SELECT support, itemsets, chosen, reason FROM crm.advise_support('line', max_itemsets => 4);
SELECT support, itemsets, chosen FROM crm.advise_support('line', max_length => 1);
SELECT support, itemsets, complete, chosen, reason FROM crm.advise_support('SELECT b AS basket_id, i AS item_id FROM generate_series(1, 10) b, generate_series(1, 40) i');

-- the aggregate: baskets as arrays
SELECT jsonb_pretty(crm.itemsets(b, 2)) FROM (VALUES (ARRAY['b', 'a']), (ARRAY['a', 'b', 'b', NULL]), (ARRAY['"\']), (NULL), ('{}'), ('{NULL}')) v (b);
SELECT x.* FROM (SELECT crm.itemsets(basket, 2) AS found FROM (SELECT crm.basket(item_id) AS basket FROM line GROUP BY basket_id) b) f, jsonb_to_recordset(found) x (items text[], count bigint, support float8) WHERE count > 5;
SELECT crm.itemsets(basket, 2, 1) FROM (SELECT array_agg(i) AS basket FROM generate_series(1, 3) b, generate_series(b, 3) i GROUP BY b) v;
SELECT crm.itemsets(ARRAY[1], 0.5) WHERE false;
SELECT crm.itemsets(NULL::int[], 0.5);
SELECT g, crm.itemsets(b, 1) FROM (VALUES (1, ARRAY[1, 2]), (2, ARRAY[3]), (1, ARRAY[2])) v (g, b) GROUP BY g ORDER BY g;
SELECT call, fails('SELECT crm.itemsets(' || call || ')')
FROM unnest(ARRAY['ARRAY[1], 0', 'ARRAY[1], NULL', 'ARRAY[1], 1.5', 'ARRAY[1], 3', 'ARRAY[1], 1, 0', 'ARRAY[1], 1, NULL', 'ARRAY[point(1, 1)], 1', 'NULL, 1', '7, 1']) WITH ORDINALITY v (call, n) ORDER BY n;
SELECT fails('SELECT crm.itemsets(ARRAY[1], 1) OVER ()');
