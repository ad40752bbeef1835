-- crm.recommend and its kin against their definitions in plain SQL, and against examples by hand.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_recommend;
SET LOCAL search_path = test_recommend, public;
SELECT * FROM no_plan();

-- Baskets that look random and are the same everywhere: 40 items, the popular ones first; x brings y in two of three baskets.
CREATE FUNCTION u(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || left(md5(seed), 13))::bit(52)::bigint / 2 ^ 52 $$;
CREATE TABLE line AS
SELECT b AS basket_id, 'item ' || lpad((40 * u(b || '.' || s) ^ 2)::int::text, 2, '0') AS item_id, 1 + floor(60 * u('c' || b))::int AS customer_id,
	timestamptz '2025-01-01' + b * interval '3 hours' AS ordered_at
FROM generate_series(1, 900) b, generate_series(1, 2 + b % 4) s;
INSERT INTO line SELECT DISTINCT basket_id, 'item 39', customer_id, ordered_at FROM line WHERE item_id = 'item 30' AND u('y' || basket_id) < 0.67;
INSERT INTO line SELECT l.basket_id, 'item 38', l.customer_id, l.ordered_at FROM line l JOIN line m USING (basket_id) WHERE l.item_id = 'item 02' AND m.item_id = 'item 05' AND u('z' || basket_id) < 0.9;
ANALYZE line;
CREATE TABLE has AS SELECT DISTINCT basket_id, item_id FROM line;
CREATE TABLE item AS SELECT item_id, count(*) AS n_j, (SELECT count(DISTINCT basket_id) FROM line) AS n FROM has GROUP BY 1;
CREATE TABLE pair AS SELECT a.item_id AS i, b.item_id AS j, count(*) AS n_ij FROM has a JOIN has b USING (basket_id) WHERE a.item_id <> b.item_id GROUP BY 1, 2;
CREATE TABLE neighbour AS
SELECT *, row_number() OVER (PARTITION BY i ORDER BY s DESC, n_ij DESC, n_j DESC, j COLLATE "C") AS place
FROM (SELECT p.i, p.j, p.n_ij, a.n_j AS n_i, b.n_j, n_ij / sqrt(a.n_j::float8 * b.n_j) * (n_ij / (n_ij + 10::float8)) AS s, n_ij * a.n > a.n_j * b.n_j AS is_lifted
	FROM pair p JOIN item a ON a.item_id = p.i JOIN item b ON b.item_id = p.j) s;

-- ---- similar items ----
SELECT is_empty($$
	SELECT * FROM (SELECT i.item_id AS i, r.* FROM item i, LATERAL crm.similar_items('line', i.item_id, k => 100) r) r
	FULL JOIN neighbour n ON n.i = r.i AND n.j = r.item
	WHERE r.rank IS DISTINCT FROM n.place OR abs(similarity - s) > 1e-12 OR r.count <> n_ij OR item_count <> n_j OR abs(confidence - n_ij::float8 / n_i) > 1e-12
		OR abs(lift - n_ij * 900::float8 / (n_i * n_j)) > 1e-9 OR abs(support - n_ij / 900::float8) > 1e-12 OR similarity IS NULL
$$, 'similar items are those of the definition, for each item');
SELECT is((SELECT count(*) FROM crm.similar_items('line', 'item 01', 7)), 7::bigint, 'k of them');
SELECT is_empty($$SELECT * FROM crm.similar_items('line', 'item 01', k => 100, shrinkage => 0, min_count => 4) WHERE count < 4 OR abs(similarity - count / sqrt(item_count * (SELECT n_j FROM item WHERE item_id = 'item 01')::float8)) > 1e-12$$,
	'without shrinkage it is the cosine; min_count leaves out the rare');
SELECT is_empty($$SELECT a.item_id, r.item FROM item a, LATERAL crm.similar_items('line', a.item_id, k => 100) r, LATERAL crm.similar_items('line', r.item, k => 100) b WHERE a.item_id < 'item 10' AND b.item = a.item_id AND (b.similarity <> r.similarity OR b.lift <> r.lift)$$, 'similarity is mutual, to the last bit');
SELECT is_empty($$SELECT * FROM crm.similar_items('line', 'item 99')$$, 'nothing is similar to an item that nobody bought');

-- ---- rules ----
-- All rules from one item, or from two, of a basket, by counting.
CREATE FUNCTION rule(basket text[], max_antecedent int, prior float8 DEFAULT 20) RETURNS TABLE (antecedent text[], item text, n_a bigint, n_aj bigint, strength float8) LANGUAGE sql STABLE AS $$
	SELECT a.antecedent, h.item_id, a.n_a, count(*), (count(*) + prior * i.n_j / i.n) / (a.n_a + prior)
	FROM (
		SELECT ARRAY[item_id] AS antecedent, array_agg(basket_id) AS baskets, count(*) AS n_a FROM has WHERE item_id = ANY (basket) GROUP BY item_id
		UNION ALL
		SELECT ARRAY[x.item_id, y.item_id], array_agg(basket_id), count(*) FROM has x JOIN has y USING (basket_id)
		WHERE x.item_id = ANY (basket) AND y.item_id = ANY (basket) AND x.item_id < y.item_id AND max_antecedent > 1 GROUP BY x.item_id, y.item_id
	) a
	JOIN has h ON h.basket_id = ANY (a.baskets)
	JOIN item i ON i.item_id = h.item_id
	WHERE h.item_id <> ALL (basket)
	GROUP BY a.antecedent, h.item_id, a.n_a, i.n_j, i.n
	HAVING count(*) >= 3 AND count(*)::float8 / a.n_a >= 0.1 AND count(*) * i.n > a.n_a * i.n_j
$$;
CREATE TABLE asked AS SELECT b AS basket_id, array_agg(DISTINCT item_id) AS basket FROM line JOIN generate_series(1, 900, 60) b ON b = basket_id GROUP BY 1;
INSERT INTO asked VALUES (1001, '{item 30}'), (1002, '{item 05, item 02}');
SELECT is_empty($$
	SELECT * FROM (
		SELECT basket_id, r.*, (SELECT min(n_j) FROM item WHERE item_id = r.item) AS n_j
		FROM asked, LATERAL crm.recommend('line', basket => basket, k => 100, method => 'rule') r) r
	FULL JOIN (
		SELECT *, row_number() OVER (PARTITION BY basket_id ORDER BY strength DESC, n_aj DESC, n_j DESC, w.item COLLATE "C") AS place FROM (
			SELECT DISTINCT ON (basket_id, w.item) basket_id, w.*, i.n_j FROM asked, LATERAL rule(basket, 2) w JOIN item i ON i.item_id = w.item
			ORDER BY basket_id, w.item, strength DESC, cardinality(w.antecedent), n_aj DESC, w.antecedent) w) w
	ON w.basket_id = r.basket_id AND w.item = r.item
	WHERE r.rank IS DISTINCT FROM w.place OR abs(score - strength) > 1e-12 OR r.antecedent <> w.antecedent OR r.count <> n_aj OR antecedent_count <> n_a OR item_count <> r.n_j
		OR abs(confidence - n_aj::float8 / n_a) > 1e-12 OR abs(lift - n_aj * 900::float8 / (n_a * r.n_j)) > 1e-9 OR method <> 'rule'
$$, 'a basket''s rules, of one and of two items, are those of the definition');
SELECT results_eq($$SELECT item, antecedent FROM crm.recommend('line', '{item 30}', k => 1)$$, $$VALUES ('item 39', '{item 30}'::text[])$$, 'a planted rule is found');
SELECT results_eq($$SELECT item, antecedent FROM crm.recommend('line', '{item 05, item 02}', k => 1)$$, $$VALUES ('item 38', '{item 02,item 05}'::text[])$$, 'and one that needs two items');
SELECT is(reason, format('bought with item 30 by %s %% of the baskets that hold it (%s of %s)', round(100 * confidence), count, antecedent_count), 'and its reason told') FROM crm.recommend('line', '{item 30}', k => 1);
SELECT is(reason, format('bought with item 02 and item 05 by %s %% of the baskets that hold them (%s of %s)', round(100 * confidence), count, antecedent_count), 'of two items too') FROM crm.recommend('line', '{item 05, item 02}', k => 1);
SELECT is_empty($$SELECT * FROM asked, crm.recommend('line', basket => basket, k => 100, method => 'rule', max_antecedent => 1) WHERE cardinality(antecedent) > 1$$, 'max_antecedent holds');
SELECT isnt_empty($$SELECT * FROM asked, crm.recommend('line', basket => basket || '{item 00,item 01,item 02}'::text[], k => 100, method => 'rule', max_antecedent => 3, prior => 0, min_count => 1) WHERE cardinality(antecedent) = 3$$, 'up to three');

-- ---- customers ----
CREATE TABLE history AS SELECT customer_id, array_agg(DISTINCT item_id) AS items FROM line GROUP BY 1;
CREATE TABLE batch AS SELECT * FROM crm.recommend_customers(key => NULL::integer, source => 'line', k => 8);
SELECT set_eq('SELECT DISTINCT customer_id FROM batch', 'SELECT customer_id FROM history', 'each customer is recommended something');
SELECT is_empty($$
	(SELECT h.customer_id, r::text FROM history h, LATERAL crm.recommend('line', customer => h.customer_id::text, k => 8) r
	EXCEPT SELECT customer_id, ROW (rank, item, score, method, reason, antecedent, confidence, lift, count, antecedent_count, item_count)::text FROM batch)
$$, 'the same that crm.recommend recommends him');
SELECT is(count(*), (SELECT count(*) FROM history h, LATERAL crm.recommend('line', customer => h.customer_id::text, k => 8)), 'and no more') FROM batch;
SELECT is_empty($$SELECT * FROM batch JOIN history USING (customer_id) WHERE item = ANY (items)$$, 'and nothing that he has');
SELECT is_empty($$
	SELECT * FROM (SELECT customer_id, r.* FROM history h, LATERAL crm.recommend('line', customer => h.customer_id::text, k => 100, method => 'rule') r) r
	FULL JOIN (
		SELECT customer_id, item, 1 - exp(sum(ln(1 - strength)) FILTER (WHERE place <= 3)) AS joined, min(antecedent) FILTER (WHERE place = 1) AS first
		FROM (SELECT customer_id, w.*, row_number() OVER (PARTITION BY customer_id, item ORDER BY strength DESC, n_aj DESC, antecedent) AS place FROM history, LATERAL rule(items, 1) w) w
		GROUP BY 1, 2) w
	ON w.customer_id = r.customer_id AND w.item = r.item
	WHERE score IS NULL OR joined IS NULL OR abs(score - joined) > 1e-12 OR antecedent <> first
$$, 'for a customer the three best rules join');
SELECT is_empty($$
	SELECT * FROM (SELECT customer_id, r.* FROM history h, LATERAL crm.recommend('line', customer => h.customer_id::text, k => 100, method => 'similar', neighbours => 5) r) r
	FULL JOIN (
		SELECT customer_id, j, sum(s) AS sum FROM history, LATERAL (
			SELECT n.*, row_number() OVER (PARTITION BY i ORDER BY s DESC, n_ij DESC, n_j DESC, j COLLATE "C") AS nearest FROM neighbour n WHERE i = ANY (items) AND n_ij >= 3 AND is_lifted) n
		WHERE nearest <= 5 AND j <> ALL (items) GROUP BY 1, 2) w
	ON w.customer_id = r.customer_id AND w.j = r.item
	WHERE score IS NULL OR sum IS NULL OR abs(score - sum) > 1e-12 OR method <> 'similar'
$$, 'and similar items are those of the definition');
SELECT results_eq($$SELECT rank, item, score, method, count FROM crm.recommend('line', customer => '7', k => 100, method => 'popular')$$,
	$$SELECT row_number() OVER (ORDER BY n_j DESC, item_id COLLATE "C")::int, item_id, n_j / n::float8, 'popular', n_j FROM item WHERE item_id <> ALL ((SELECT items FROM history WHERE customer_id = 7)::text[])$$, 'popular ones too');
SELECT is_empty($$SELECT * FROM (SELECT customer_id, array_agg(method ORDER BY rank) AS methods FROM crm.recommend_customers('line', k => 100) GROUP BY 1) m
	WHERE array_to_string(methods, ' ') !~ '^(rule ?)*(similar ?)*(popular ?)*$'$$, 'rules come first, then similar items, then popular ones');
SELECT is((SELECT count(*) FROM crm.recommend_customers('line', k => 100)), (SELECT sum(41 - cardinality(items)) FROM history)::bigint, 'until there is nothing left');
SELECT results_eq($$SELECT item, rank FROM crm.recommend('line', basket => '{item 30}', customer => '7', k => 100)$$,
	$$SELECT item, row_number() OVER (ORDER BY rank)::int FROM crm.recommend('line', basket => '{item 30}', k => 100) WHERE item <> ALL ((SELECT items FROM history WHERE customer_id = 7)::text[])$$,
	'with a basket, what the customer has is only left out');
SELECT results_eq($$SELECT item FROM crm.recommend('line', '{item 30}', k => 100, exclude => '{item 39, item 00, nothing}')$$,
	$$SELECT item FROM crm.recommend('line', '{item 30}', k => 100) WHERE item NOT IN ('item 39', 'item 00')$$, 'and so is what is excluded');

-- ---- the same rows in another order, by another plan, with doubles, with keys of other types ----
CREATE TABLE shuffled AS SELECT md5(basket_id::text)::uuid AS basket_id, item_id::varchar(20) COLLATE "C" AS item_id, 'customer ' || customer_id AS customer_id, ordered_at::text FROM (TABLE line UNION ALL SELECT * FROM line WHERE basket_id % 3 = 0) l ORDER BY md5(l::text);
SELECT results_eq($$SELECT r::text FROM asked, LATERAL crm.recommend('shuffled', basket => basket, k => 20) r$$, $$SELECT r::text FROM asked, LATERAL crm.recommend('line', basket => basket, k => 20) r$$, 'nothing changes a bit');
SELECT bag_eq($$SELECT customer_id, rank, item, score FROM crm.recommend_customers(key => NULL::text, source => 'shuffled', k => 8)$$, $$SELECT 'customer ' || customer_id, rank, item, score FROM batch$$, 'for customers neither');
SELECT bag_eq($$SELECT b::text FROM crm.recommend_backtest('shuffled', '2025-03-01') b$$, $$SELECT b::text FROM crm.recommend_backtest('line', '2025-03-01') b$$, 'nor in a backtest');
SELECT results_eq($$SELECT customer_id::text FROM crm.recommend_customers(key => NULL::text, source => 'shuffled', k => 1)$$, $$SELECT DISTINCT customer_id FROM shuffled ORDER BY 1$$, 'customers come in their order');

-- ---- the backtest ----
-- By definition: for each customer the list that crm.recommend makes of what was before, held against what was new then.
CREATE TABLE early AS SELECT * FROM line WHERE ordered_at < '2025-03-01';
CREATE TABLE tested AS
SELECT customer_id, array_agg(DISTINCT item_id) FILTER (WHERE ordered_at < '2025-03-01') AS before, array_agg(DISTINCT item_id) FILTER (WHERE ordered_at >= '2025-03-01') AS later
FROM line GROUP BY 1;
ALTER TABLE tested ADD COLUMN new text[];
UPDATE tested SET new = ARRAY(SELECT unnest(later) EXCEPT SELECT unnest(before));
CREATE FUNCTION backtest(method text, k int) RETURNS TABLE (customers bigint, "precision" float8, recall float8, ndcg float8, hit_rate float8, coverage float8, recommended bigint, met bigint) LANGUAGE sql STABLE AS $$
	WITH list AS (
		SELECT t.customer_id, r.rank, r.item, r.item = ANY (t.new) AS is_met FROM tested t, LATERAL crm.recommend('early', customer => t.customer_id::text, k => k, method => method) r
		WHERE t.before IS NOT NULL AND t.new <> '{}'
	), measure AS (
		SELECT t.customer_id, count(*) FILTER (WHERE is_met)::float8 AS h, cardinality(t.new) AS t,
			coalesce(sum(1 / log(2, rank + 1)) FILTER (WHERE is_met), 0)::float8 / (SELECT sum(1 / log(2, i + 1)) FROM generate_series(1, least(k, cardinality(t.new))) i)::float8 AS ndcg
		FROM tested t LEFT JOIN list USING (customer_id) WHERE t.before IS NOT NULL AND t.new <> '{}' GROUP BY 1, t.new
	)
	SELECT count(*), avg(h / k), avg(h / t), avg(ndcg), avg((h > 0)::int)::float8, (SELECT count(DISTINCT item) FROM list) / (SELECT count(DISTINCT item_id) FROM early)::float8,
		(SELECT count(*) FROM list), (SELECT count(*) FROM list WHERE is_met) FROM measure
$$;
SELECT is_empty($$
	SELECT * FROM (VALUES ('recommend', 'auto', 1), ('rule', 'rule', 2), ('similar', 'similar', 3), ('popular', 'popular', 4)) m (method, option, place)
	LEFT JOIN (SELECT *, row_number() OVER () AS at FROM crm.recommend_backtest('line', '2025-03-01', k => 4)) b USING (method) CROSS JOIN LATERAL backtest(m.option, 4) w
	WHERE b.customers IS DISTINCT FROM w.customers OR at <> place OR abs(b.precision - w.precision) > 1e-12 OR abs(b.recall - w.recall) > 1e-12 OR abs(b.ndcg - w.ndcg) > 1e-12
		OR abs(b.hit_rate - w.hit_rate) > 1e-12 OR abs(b.coverage - w.coverage) > 1e-12 OR b.recommended <> w.recommended OR b.met <> w.met OR items <> (SELECT count(DISTINCT item_id) FROM early)
$$, 'precision, recall, NDCG, hit rate and coverage are those of the definitions');
SELECT results_eq($$SELECT DISTINCT without_history, without_new_item, customers FROM crm.recommend_backtest('line', '2025-03-01')$$,
	$$SELECT count(*) FILTER (WHERE before IS NULL), count(*) FILTER (WHERE before IS NOT NULL AND new = '{}'), count(*) FILTER (WHERE before IS NOT NULL AND new <> '{}') FROM tested$$, 'customers who cannot be tested are counted');

SELECT b::text AS first FROM crm.recommend_backtest('SELECT basket_id, item_id, customer_id, ordered_at + interval ''1 microsecond'' AS ordered_at FROM line', '2025-03-01 00:00:00.000001+00') b LIMIT 1 \gset
SELECT is(:'first', b::text, 'a cut is exact to the microsecond') FROM crm.recommend_backtest('line', '2025-03-01') b LIMIT 1;
SET LOCAL DateStyle = 'German';
SET LOCAL TimeZone = 'Africa/Monrovia';
SELECT is(b::text, :'first', 'in any session') FROM crm.recommend_backtest('line', '2025-03-01 00:00:00+00') b LIMIT 1;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO';

-- By hand: eve and fay buy tea later. Before, tea was with jam twice; salt is as popular as jam.
CREATE TABLE hand (basket_id int, customer_id text, ordered_at timestamptz, item_id text);
INSERT INTO hand SELECT b, c, d::timestamptz, unnest(i) FROM (VALUES (1, 'ann', '2025-01-01', '{jam, tea}'::text[]), (2, 'bob', '2025-01-02', '{jam, tea}'), (3, 'cid', '2025-01-03', '{salt}'), (4, 'dan', '2025-01-04', '{salt}'),
	(5, 'eve', '2025-01-05', '{jam}'), (6, 'fay', '2025-01-06', '{oil}'), (7, 'eve', '2025-02-01', '{tea, rum}'), (8, 'fay', '2025-02-01', '{oil, tea}'), (9, 'cid', '2025-02-02', '{salt}'), (10, 'gus', '2025-02-03', '{tea}')) v (b, c, d, i);
-- k = 1: eve gets tea by the rule from jam (2 of 3), which she buys, with rum that nobody knew; fay, of whose oil nothing is known,
-- gets the popular: jam (3 of 6).
SELECT results_eq($$SELECT method, customers, precision, recall, ndcg, hit_rate, coverage, recommended, met, items, unknown_items, without_history, without_new_item FROM crm.recommend_backtest('hand', '2025-02-01', k => 1, min_count => 2)$$,
	$$VALUES ('recommend', 2::bigint, 0.5::float8, 0.25::float8, 0.5::float8, 0.5::float8, 0.5::float8, 2::bigint, 1::bigint, 4::bigint, 1::bigint, 1::bigint, 4::bigint),
		('rule', 2, 0.5, 0.25, 0.5, 0.5, 0.25, 1, 1, 4, 1, 1, 4), ('similar', 2, 0.5, 0.25, 0.5, 0.5, 0.25, 1, 1, 4, 1, 1, 4), ('popular', 2, 0, 0, 0, 0, 0.5, 2, 0, 4, 1, 1, 4)$$, 'a backtest by hand');
SELECT results_eq($$SELECT customers, precision, hit_rate, items FROM crm.recommend_backtest('hand', '2024-01-01')$$, $$SELECT 0::bigint, NULL::float8, NULL::float8, 0::bigint FROM generate_series(1, 4)$$, 'before everything there is nothing to test');
SELECT results_eq($$SELECT customers, without_new_item FROM crm.recommend_backtest('hand', '2026-01-01')$$, $$SELECT 0::bigint, 7::bigint FROM generate_series(1, 4)$$, 'nor after it');

-- ---- little, or nothing ----
SELECT results_eq($$SELECT item, method, reason FROM crm.recommend('hand', k => 2)$$, $$VALUES ('tea', 'popular', 'popular: in 50 % of all baskets (5 of 10)'), ('jam', 'popular', 'popular: in 30 % of all baskets (3 of 10)')$$, 'without a basket what is popular is recommended');
SELECT results_eq(format('SELECT item, method FROM crm.recommend(''hand'', basket => %L, k => 1)', basket), $$VALUES ('tea', 'popular')$$, 'so it is ' || what) FROM (VALUES ('{}'::text[], 'with an empty one'), ('{gin}', 'with one of an unknown item')) v (basket, what);
SELECT results_eq($$SELECT item, method FROM crm.recommend('hand', customer => 'zoe', k => 1)$$, $$VALUES ('tea', 'popular')$$, 'and with an unknown customer');
SELECT results_eq($$SELECT item FROM crm.recommend('hand', k => 10000)$$, $$VALUES ('tea'), ('jam'), ('salt'), ('oil'), ('rum')$$, 'k above the number of items gives all; equal ones by name');
SELECT is_empty($$SELECT * FROM crm.recommend('hand', method => 'rule')$$, 'rules alone may give nothing');
SELECT is_empty($$SELECT * FROM crm.recommend('SELECT * FROM hand WHERE false', '{jam}')$$, 'of no baskets nothing is recommended');
SELECT is_empty($$SELECT * FROM crm.recommend_customers(key => NULL::text, source => 'SELECT * FROM hand WHERE false')$$, 'to nobody');
SELECT is_empty($$SELECT * FROM crm.recommend('SELECT * FROM hand WHERE basket_id = 3', '{salt}')$$, 'nor of one item to who has it');
SELECT results_eq($$SELECT item, reason FROM crm.recommend($q$SELECT 1 AS basket_id, unnest('{"",",{}","o''clock","äöü"}'::text[]) AS item_id UNION ALL SELECT 2, 'x'$q$, '{"",",{}"}', k => 2, method => 'similar', min_count => 1)$$,
	$$VALUES ('o''clock', 'similar to : together in 1 basket'), ('äöü', 'similar to : together in 1 basket')$$, 'items may be any text');
SELECT results_eq($$SELECT item, score, confidence, lift FROM crm.recommend('SELECT i / 10 AS basket_id, i % 10 AS item_id FROM generate_series(0, 99) i', '{3}', k => 1, prior => 0, method => 'similar', shrinkage => 0)$$, 'SELECT NULL::text, NULL::float8, NULL::float8, NULL::float8 WHERE false', 'items that all baskets hold say nothing of each other');
SELECT lives_ok($$SELECT * FROM crm.recommend_customers(key => NULL::text, source => 'hand')$$, 'a run');
SELECT is((function, rows_read, rows_used, customers), ('crm.recommend_customers'::text, 14::bigint, 14::bigint, 7::bigint), 'is accounted for') FROM crm.last_run();

-- ---- a real shop: Online Retail, against an independent computation in numpy ----
\set has_shop `test -r "${CRM_DATA:-/nowhere}/online_retail.csv.gz" && echo on || echo off`
\if :has_shop
CREATE TABLE raw (invoice text, stock text, description text, quantity int, at timestamp, price float8, customer float8, country text);
\copy raw from program 'gzip -dc "$CRM_DATA/online_retail.csv.gz"' (format csv, header, encoding 'latin1')
CREATE TABLE shop AS SELECT invoice AS basket_id, stock AS item_id, customer::int AS customer_id, at AS ordered_at FROM raw WHERE quantity > 0 AND customer IS NOT NULL;
SELECT results_eq($$SELECT method, customers, round("precision"::numeric, 8), round(recall::numeric, 8), round(ndcg::numeric, 8), round(hit_rate::numeric, 8), round(coverage * items), recommended, met, items, unknown_items, without_history, without_new_item FROM crm.recommend_backtest('shop', '2011-09-01')$$,
	$$VALUES ('recommend', 1891::bigint, 0.11073506, 0.02398238, 0.11879315, 0.35642517, 666::float8, 9455::bigint, 1047::bigint, 3394::bigint, 9582::bigint, 1022::bigint, 1426::bigint),
		('rule', 1891, 0.11073506, 0.02398238, 0.11879315, 0.35642517, 666, 9455, 1047, 3394, 9582, 1022, 1426),
		('similar', 1891, 0.11158117, 0.02456626, 0.11904945, 0.35272343, 870, 9455, 1055, 3394, 9582, 1022, 1426),
		('popular', 1891, 0.05277631, 0.00951382, 0.05447305, 0.21258593, 33, 9455, 499, 3394, 9582, 1022, 1426)$$, 'Online Retail: twice the precision of what is popular');
\else
SELECT skip('CRM_DATA has no online_retail.csv.gz', 1);
\endif

SELECT * FROM finish();
ROLLBACK;
