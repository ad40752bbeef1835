-- crm.frequent_itemsets and its kin against self joins and definitions in plain SQL, published counts, and the same result
-- whatever the order of rows, the plan and the types.
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SCHEMA test_itemsets;
SET LOCAL search_path = test_itemsets, public;
SELECT * FROM no_plan();

-- Numbers that look random and are the same everywhere: uniform in [0, 1).
CREATE FUNCTION u(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || left(md5(seed), 13))::bit(52)::bigint / 2 ^ 52 $$;

-- Baskets of 12 items of falling popularity; some rows twice, some baskets empty but for a NULL.
CREATE TABLE line AS
SELECT b AS basket_id, i AS item_id FROM generate_series(1, 120) b, generate_series(1, 12) i, generate_series(1, 2) r
WHERE u('c' || b || '/' || i) < 0.85 - 0.05 * i AND (r = 1 OR u('r' || b || '/' || i) < 0.1);
INSERT INTO line VALUES (121, NULL), (122, NULL), (NULL, 1), (NULL, NULL);
CREATE TABLE basket AS SELECT basket_id, array_agg(DISTINCT item_id ORDER BY item_id) AS items FROM line WHERE basket_id IS NOT NULL AND item_id IS NOT NULL GROUP BY basket_id;

-- By brute force: each of the 4,095 sets of items, and in how many baskets it is.
CREATE TABLE every AS
SELECT m, items, cardinality(items) AS length, (SELECT count(*) FROM basket b WHERE b.items @> s.items) AS count
FROM (SELECT m, (SELECT array_agg(i ORDER BY i) FROM generate_series(1, 12) i WHERE m >> (i - 1) & 1 = 1) AS items FROM generate_series(1, 4095) m) s;

-- What a target means, at a count: `closed`: no superset of one item more is as frequent; `maximal`: none is frequent.
CREATE FUNCTION expected(target text, low_count bigint, required int[] DEFAULT NULL, excluded int[] DEFAULT '{}', shortest int DEFAULT 1, longest int DEFAULT 12) RETURNS TABLE (items text[], length int, support numeric, count bigint) LANGUAGE sql AS $$
	WITH f AS (SELECT * FROM every WHERE every.count >= low_count AND NOT every.items && excluded)
	SELECT labels, f.length, round(f.count / (SELECT count(*) FROM basket)::numeric, 12), f.count FROM f, LATERAL (SELECT array_agg(i::text ORDER BY i::text COLLATE "C") AS labels FROM unnest(f.items) i) l
	WHERE (required IS NULL OR f.items && required) AND f.length BETWEEN shortest AND longest
		AND (target <> 'closed' OR f.m NOT IN (SELECT h.m FROM f g CROSS JOIN generate_series(0, 11) i JOIN f h ON h.m = g.m & ~(1 << i) AND h.count = g.count WHERE g.m >> i & 1 = 1))
		AND (target <> 'maximal' OR f.m NOT IN (SELECT g.m & ~(1 << i) FROM f g, generate_series(0, 11) i WHERE g.m >> i & 1 = 1))
	ORDER BY f.count DESC, f.length, labels COLLATE "C"
$$;
CREATE FUNCTION found(min_support float8, target text DEFAULT 'frequent', algorithm text DEFAULT 'auto', source text DEFAULT 'line', items_in text[] DEFAULT NULL, items_out text[] DEFAULT NULL, min_length int DEFAULT 1, max_length int DEFAULT NULL, top_k bigint DEFAULT NULL) RETURNS TABLE (items text[], length int, support numeric, count bigint) LANGUAGE sql AS $$
	SELECT items, length, round(support::numeric, 12), count FROM crm.frequent_itemsets(source, min_support, target => target, algorithm => algorithm, items_in => items_in, items_out => items_out, min_length => min_length, max_length => max_length, top_k => top_k)
$$;

SELECT results_eq(format('SELECT * FROM found(%s, %L, %L)', low_count, target, algorithm), format('SELECT * FROM expected(%L, %s)', target, low_count), format('%s at %s by %s: the sets of brute force, in order', target, low_count, algorithm))
FROM unnest('{frequent, closed, maximal}'::text[]) target, unnest(ARRAY[2, 5, 17, 40]) low_count, unnest('{auto, eclat, fpgrowth}'::text[]) algorithm ORDER BY 1;
SELECT cmp_ok((SELECT count(*) FROM expected('frequent', 2)), '>', 1000::bigint, 'there are many of them');
SELECT results_eq(format('SELECT * FROM found(7, %L, %L, items_in => %L, items_out => %L, min_length => %s, max_length => %s)', target, algorithm, '{2,5}', '{1,9}', low, high), format('SELECT * FROM expected(%L, 7, %L, %L, %s, %s)', target, '{2,5}', '{1,9}', low, high), format('%s by %s, some items in, some out, %s to %s long', target, algorithm, low, high))
FROM unnest('{frequent, closed, maximal}'::text[]) target, unnest('{eclat, fpgrowth}'::text[]) algorithm, (VALUES (1, 12), (2, 3)) v (low, high) ORDER BY 1;
SELECT results_eq(format('SELECT * FROM found(2, %L, %L, top_k => %s)', target, algorithm, k), format('SELECT * FROM expected(%L, 2) LIMIT %s', target, k), format('the best %s of %s by %s', k, target, algorithm))
FROM unnest('{frequent, closed, maximal}'::text[]) target, unnest('{eclat, fpgrowth}'::text[]) algorithm, unnest(ARRAY[1, 10, 100]) k ORDER BY 1;
SELECT results_eq($$SELECT * FROM found(0.1)$$, format('SELECT * FROM expected(%L, %s)', 'frequent', ceil((SELECT count(*) FROM basket) * 0.1)), 'a share of the baskets that have an item');
SELECT results_eq($$SELECT * FROM found(1, source => 'SELECT * FROM line UNION ALL SELECT basket_id, 99 FROM basket')$$, $$SELECT ARRAY['99'], 1, 1.000000000000, count(*) FROM basket$$, 'all baskets hold it');

-- pairs by a self join
SELECT set_eq($$SELECT items, count FROM crm.frequent_itemsets('line', 3, min_length => 2, max_length => 2)$$,
	$$SELECT ARRAY[a.item_id::text, b.item_id::text], count(DISTINCT a.basket_id) FROM line a JOIN line b ON a.basket_id = b.basket_id AND a.item_id::text COLLATE "C" < b.item_id::text COLLATE "C" GROUP BY 1 HAVING count(DISTINCT a.basket_id) >= 3$$, 'pairs are those of a self join');

-- The same, whatever the order of rows, the types, and the plan.
CREATE TABLE plain AS SELECT * FROM found(3);
SELECT results_eq(format('SELECT * FROM found(3, source => %L)', source), 'TABLE plain', 'the same from ' || source)
FROM unnest(ARRAY['SELECT * FROM line ORDER BY md5(basket_id || ''.'' || item_id)', 'SELECT * FROM line ORDER BY item_id, basket_id DESC', 'SELECT item_id, basket_id FROM line ORDER BY basket_id', 'SELECT md5(basket_id::text)::uuid AS basket_id, item_id::text FROM line', 'SELECT md5(basket_id::text) AS basket_id, item_id::bigint FROM line',
	'SELECT basket_id::numeric AS basket_id, item_id::varchar(5) FROM line', 'SELECT date ''2020-01-01'' + basket_id AS basket_id, item_id::int2 FROM line', 'SELECT repeat(md5(basket_id::text), 300) AS basket_id, item_id::float8 FROM line', 'SELECT basket_id * 0.5::float4 AS basket_id, item_id::numeric FROM line', 'SELECT ARRAY[basket_id] AS basket_id, item_id::text::name AS item_id FROM line WHERE basket_id IS NOT NULL',
	'SELECT basket_id + 9000000000000000000 AS basket_id, (item_id::text)::json #>> ''{}'' AS item_id FROM line', 'SELECT to_jsonb(basket_id) AS basket_id, to_jsonb(item_id) AS item_id FROM line']) source;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT results_eq($$SELECT * FROM found(3, source => 'SELECT * FROM line WHERE item_id > 0')$$, 'TABLE plain', 'the same from a parallel plan');
RESET parallel_setup_cost;
SELECT results_eq($$SELECT * FROM found(3, source => 'SELECT * FROM line UNION ALL SELECT * FROM line')$$, 'TABLE plain', 'rows that come twice count once');
SELECT results_eq($$SELECT items, length, support, count / 3 FROM found(9, source => 'SELECT basket_id * 3 + i AS basket_id, item_id FROM line, generate_series(0, 2) i')$$, 'TABLE plain', 'three times the baskets: three times the counts');

-- Items whose text is hard to write, and types in which equal values differ in text.
CREATE TABLE word (n int, w text);
INSERT INTO word SELECT row_number() OVER (), w FROM unnest(ARRAY['', ' ', 'a''b', 'a"b', 'a\b', '{a,b}', 'NULL', 'ä', 'Ä', 'z', '€', '😀', 'e' || U&'\0301', 'é', E'tab\there', E'line\nbreak', repeat('long ', 3000), repeat('long ', 3000) || '!', 'aaaaaaaa', 'aaaaaaaab', 'aaaaaaaaa']) w;
SELECT results_eq($$SELECT items[1] FROM crm.frequent_itemsets('SELECT n % 2 + b AS basket_id, w AS item_id FROM word, generate_series(1, 5) b', 1e-9, max_length => 1) ORDER BY items[1] COLLATE "C"$$, $$SELECT w FROM word ORDER BY w COLLATE "C"$$, 'every word comes back as it is');
SELECT results_eq($$SELECT items FROM crm.frequent_itemsets('SELECT 1 AS basket_id, w AS item_id FROM word', 1, target => 'maximal')$$, $$SELECT array_agg(w ORDER BY w COLLATE "C") FROM word$$, 'all words of one basket, in the order of their bytes');
SELECT results_eq(format($$SELECT items::text, count FROM crm.frequent_itemsets('SELECT b AS basket_id, x AS item_id FROM (VALUES (1, 1, 2.50), (2, 1, 2.5), (3, 2, 2.500), (4, 2, 3)) v (n, b, x) ORDER BY n %s', 1e-9)$$, direction), $$VALUES ('{2.5}', 2::bigint), ('{3}', 1), ('{2.5,3}', 1)$$, 'equal numbers are one item, ' || direction) FROM unnest('{asc, desc}'::text[]) direction;
SELECT results_eq($$SELECT items::text, count FROM crm.frequent_itemsets('SELECT b AS basket_id, x AS item_id FROM (VALUES (1, 1, 0.1::float8), (2, 1, 0.1 + 1e-17), (3, 2, 0.1)) v (n, b, x)', 2)$$, $$VALUES ('{0.1}', 2::bigint)$$, 'one text is one item');
SET LOCAL extra_float_digits = -8;
SELECT results_eq($$SELECT items::text, count FROM crm.frequent_itemsets('SELECT b AS basket_id, x AS item_id FROM (VALUES (1, 0.1::float8), (1, 0.1 + 1e-12), (2, 0.1 - 1e-12)) v (b, x)', 2)$$, $$VALUES ('{0.1}', 2::bigint)$$, 'different numbers of one text are one item');
RESET extra_float_digits;

-- Large and equal baskets.
SELECT results_eq(format($$SELECT length, count FROM crm.frequent_itemsets('SELECT b AS basket_id, i AS item_id FROM generate_series(1, 2) b, generate_series(1, 100000) i', 2, target => %L)$$, target), 'VALUES (100000, 2::bigint)', 'two baskets of 100,000 items: one set is ' || target) FROM unnest('{closed, maximal}'::text[]) target;
SELECT is((SELECT count(*) FROM crm.frequent_itemsets('SELECT CASE WHEN i <= 100000 THEN 0 ELSE i END AS basket_id, i % 100000 AS item_id FROM generate_series(1, 100100) i', 2)), 100::bigint, 'a basket of 100,000 items among small ones');
SELECT results_eq($$SELECT items, count FROM crm.frequent_itemsets('SELECT b AS basket_id, i AS item_id FROM generate_series(1, 5000) b, generate_series(1, 20) i', 0.5, target => 'closed')$$, $$SELECT array_agg(i::text ORDER BY i::text COLLATE "C"), 5000::bigint FROM generate_series(1, 20) i$$, 'equal baskets: one closed set');
SELECT is((SELECT count(*) FROM crm.frequent_itemsets('SELECT b AS basket_id, i AS item_id FROM generate_series(1, 500) b, generate_series(1, 12) i', 1)), 4095::bigint, 'equal baskets: all sets');
SELECT is((SELECT count(*) FROM crm.frequent_itemsets('SELECT i AS basket_id, i AS item_id FROM generate_series(1, 200000) i', 2)), 0::bigint, 'no two baskets share anything');

-- Baskets that are too large: skipped as if they were not there, or cut to what most baskets hold.
SELECT results_eq($$SELECT items, count, round(support::numeric, 12) FROM crm.frequent_itemsets('line', 0.05, max_basket_size => 5, oversize => 'skip')$$, $$SELECT items, count, support FROM found(0.05, source => 'SELECT l.* FROM line l JOIN basket b USING (basket_id) WHERE cardinality(b.items) <= 5')$$, 'baskets of more than 5 items are skipped');
SELECT results_eq($$SELECT items, count, round(support::numeric, 12) FROM crm.frequent_itemsets('line', 0.05, max_basket_size => 3, oversize => 'truncate')$$, $$SELECT items, count, support FROM found(0.05, source => '
	SELECT basket_id, item_id FROM (SELECT *, row_number() OVER (PARTITION BY basket_id ORDER BY baskets DESC, item_id::text COLLATE "C") AS place FROM (SELECT DISTINCT basket_id, item_id FROM line WHERE basket_id IS NOT NULL AND item_id IS NOT NULL) l JOIN (SELECT item_id, count(DISTINCT basket_id) AS baskets FROM line WHERE basket_id IS NOT NULL GROUP BY 1) c USING (item_id)) p WHERE place <= 3')$$, 'or keep the 3 items that most baskets hold');

-- Advice: what it counts is what crm.frequent_itemsets gives; a sample is the same whatever the order of rows.
SELECT is((a.count, a.items, a.pairs, a.itemsets, a.longest, a.complete), (SELECT (ceil(a.support * (SELECT count(*) FROM basket))::bigint, count(*) FILTER (WHERE f.length = 1), count(*) FILTER (WHERE f.length = 2), count(*), max(f.length), true) FROM crm.frequent_itemsets('line', a.support) f), 'advice at ' || a.support) FROM crm.advise_support('line') a;
SELECT results_eq($$SELECT support FROM crm.advise_support('line', max_itemsets => 300) WHERE chosen$$, $$SELECT min(s) FROM unnest(ARRAY[0.5, 0.2, 0.1, 0.05]::float8[]) s WHERE (SELECT count(*) FROM crm.frequent_itemsets('line', s)) <= 300$$, 'chosen is the lowest support with no more than asked');
CREATE TABLE many AS SELECT b AS basket_id, i AS item_id FROM generate_series(1, 6000) b, generate_series(1, 12) i WHERE u('m' || b || '/' || i) < 0.6 - 0.04 * i;
CREATE TABLE advice AS SELECT * FROM crm.advise_support('many', sample_size => 2000);
SELECT ok((SELECT bool_and(baskets BETWEEN 1850 AND 2150) FROM advice), 'about 2,000 of 6,000 baskets are a sample');
SELECT ok((SELECT bool_and(abs(a.itemsets - e.itemsets) <= 0.15 * e.itemsets + 1 AND a.items = e.items AND a.count = e.count) FROM advice a JOIN crm.advise_support('many') e USING (support) WHERE support >= 0.005), 'whose numbers are near those of all');
SELECT results_eq($$SELECT * FROM crm.advise_support('SELECT * FROM many ORDER BY md5(basket_id || ''.'' || item_id)', sample_size => 2000)$$, 'TABLE advice', 'and the same whatever the order of rows');

-- The aggregate gives what the function gives.
SELECT results_eq($$SELECT x.items, x.count, round(x.support::numeric, 12) FROM (SELECT crm.itemsets(items, 5) AS found FROM basket) f, jsonb_to_recordset(found) x (items text[], count bigint, support float8)$$, $$SELECT items, count, support FROM found(5)$$, 'crm.itemsets of arrays');
SELECT results_eq($$SELECT x.items, x.count FROM (SELECT crm.itemsets(b, 0.03, 2) AS found FROM (SELECT crm.basket(item_id::text) AS b FROM line WHERE basket_id IS NOT NULL GROUP BY basket_id) b) f, jsonb_to_recordset(found) x (items text[], count bigint)$$, $$SELECT items, count FROM found(0.03, max_length => 2)$$, 'of crm.basket, up to pairs');
SELECT results_eq($$SELECT x.items FROM (SELECT crm.itemsets(ARRAY[w], 1) AS found FROM word GROUP BY n) f, jsonb_to_recordset(found) x (items text[]) ORDER BY items[1] COLLATE "C"$$, $$SELECT ARRAY[w] FROM word ORDER BY w COLLATE "C"$$, 'of words that are hard to write');

-- Published counts, where the data are at hand.
CREATE TABLE reference (data text, file text, low_count int, itemsets bigint, sum bigint);
INSERT INTO reference VALUES ('groceries', 'groceries.csv', 99, 333, 82103), ('groceries', 'groceries.csv', 50, 1001, 126782), ('groceries', 'groceries.csv', 10, 13492, 339547), ('retail', 'retail.dat.gz', 882, 159, 467857), ('retail', 'retail.dat.gz', 89, 7589, 1859296), ('retail', 'retail.dat.gz', 18, 67186, 3823304), ('T10I4D100K', 'T10I4D100K.dat.gz', 500, 1073, 1257955), ('T10I4D100K', 'T10I4D100K.dat.gz', 100, 27532, 6659711);
CREATE TABLE raw (data text, n serial, basket text);
\set has_data `test -r "${CRM_DATA:-/nowhere}/groceries.csv" && test -r "$CRM_DATA/retail.dat.gz" && test -r "$CRM_DATA/T10I4D100K.dat.gz" && echo on || echo off`
\if :has_data
\copy raw (basket) from program 'tr "\\t" " " < "$CRM_DATA/groceries.csv"' (delimiter E'\x01')
UPDATE raw SET data = 'groceries', basket = replace(basket, ',', E'\t');
\copy raw (basket) from program 'gzip -dc "$CRM_DATA/retail.dat.gz" | tr " " "\\t"' (format csv, delimiter E'\x01', quote E'\x02')
UPDATE raw SET data = 'retail' WHERE data IS NULL;
\copy raw (basket) from program 'gzip -dc "$CRM_DATA/T10I4D100K.dat.gz" | tr " " "\\t"' (format csv, delimiter E'\x01', quote E'\x02')
UPDATE raw SET data = 'T10I4D100K' WHERE data IS NULL;
CREATE TABLE item AS SELECT data, n AS basket_id, item_id FROM raw, unnest(string_to_array(basket, E'\t')) item_id WHERE item_id <> '';
SELECT is((SELECT (count(*), sum(count)) FROM crm.frequent_itemsets(format('SELECT * FROM item WHERE data = %L', data), low_count, algorithm => algorithm)), (itemsets, sum::numeric), format('%s at %s by %s', data, low_count, algorithm)) FROM reference, unnest('{eclat, fpgrowth}'::text[]) algorithm ORDER BY data, low_count, algorithm;
SELECT is((SELECT (count(*), sum(count)) FROM crm.frequent_itemsets('SELECT * FROM item WHERE data = ''retail''', 89, min_length => 2, max_length => 2)), (3260::bigint, 765980::numeric), 'retail at 89: pairs');
\else
SELECT skip('CRM_DATA has no retail, groceries and T10I4D100K', 17);
\endif

SELECT * FROM finish();
ROLLBACK;
