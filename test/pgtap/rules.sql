-- crm.association_rules and crm.rule_measures against their definitions in plain SQL, and against numbers that other programs
-- find in public data; the same result whatever the order of rows, the miner and the types.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_rules;
SET LOCAL search_path = test_rules, public;
SELECT * FROM no_plan();

-- Baskets that look random and are the same everywhere, with a rule planted in them: who takes milk and bread takes butter.
CREATE FUNCTION u(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || left(md5(seed), 13))::bit(52)::bigint / 2 ^ 52 $$;
CREATE TABLE line AS
SELECT b AS basket_id, item AS item_id, round((1 + 20 * u('a' || b || item))::numeric, 2) AS amount
FROM generate_series(1, 400) b, unnest('{apple,beer,bread,butter,cheese,milk,wine}'::text[]) WITH ORDINALITY v (item, place)
WHERE u('i' || b || item) < 0.8 / sqrt(place) OR item = 'apple' AND b % 40 = 0;
INSERT INTO line SELECT basket_id, 'butter', 3 FROM line GROUP BY 1 HAVING array_agg(item_id) @> '{milk,bread}' AND NOT array_agg(item_id) @> '{butter}' AND u('p' || basket_id) < 0.9;
CREATE TABLE basket AS SELECT basket_id, array_agg(DISTINCT item_id) AS items, sum(amount) AS total FROM line GROUP BY 1;

-- All itemsets of up to four items with their counts, by looking at every basket.
CREATE TABLE item AS SELECT DISTINCT item_id FROM line;
CREATE TABLE itemset AS
WITH RECURSIVE s (items) AS (SELECT ARRAY[item_id] FROM item UNION ALL SELECT items || item_id FROM s JOIN item ON item_id COLLATE "C" > items[cardinality(items)] COLLATE "C" WHERE cardinality(items) < 4)
SELECT s.items, count(*) AS n, sum(b.total) AS total FROM s JOIN basket b ON b.items @> s.items GROUP BY 1;
CREATE VIEW wanted AS
SELECT a.items AS antecedent, c.items AS consequent, z.n AS count, a.n AS n_antecedent, c.n AS n_consequent, z.total
FROM itemset z JOIN itemset a ON a.items <@ z.items AND cardinality(a.items) < cardinality(z.items) JOIN itemset c ON c.items <@ z.items AND cardinality(c.items) = cardinality(z.items) - cardinality(a.items) AND NOT c.items && a.items;
CREATE TABLE n AS SELECT count(*)::float8 AS n, sum(total) AS total FROM basket;

CREATE TABLE rule AS SELECT * FROM crm.association_rules('line', min_support => 12, min_confidence => 0.2, max_consequent => 3, max_length => 4);
SELECT bag_eq('SELECT antecedent, consequent, count FROM rule', 'SELECT antecedent, consequent, count FROM wanted WHERE count >= 12 AND count / n_antecedent::float8 >= 0.2', 'the rules are those of the definition');
SELECT cmp_ok(count(*), '>', 300::bigint, 'which are many') FROM rule;
CREATE VIEW checked AS
SELECT r.*, n.n, w.count / n.n AS s, n_antecedent / n.n AS sa, n_consequent / n.n AS sc, n_antecedent, n_consequent, w.total, n.total AS all_total FROM rule r JOIN wanted w USING (antecedent, consequent), n;
CREATE FUNCTION off(a float8, b float8) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT a IS NULL OR b IS NULL OR abs(a - b) > 1e-12 * (1 + abs(b)) $$;
SELECT is_empty($$SELECT antecedent, consequent FROM checked WHERE off(support, s) OR off(confidence, s / sa) OR off(lift, s / sa / sc) OR off(leverage, s - sa * sc) OR off(antecedent_support, sa) OR off(consequent_support, sc)$$, 'support, confidence, lift, leverage are their definitions');
SELECT is_empty($$SELECT antecedent, consequent, conviction FROM checked WHERE CASE WHEN count = n_antecedent THEN conviction <> 'Infinity' ELSE off(conviction, (1 - sc) / (1 - s / sa)) END$$, 'and conviction');
SELECT is_empty($$SELECT antecedent, consequent FROM checked WHERE off(zhang, (s - sa * sc) / greatest(s * (1 - sa), sa * (sc - s))) OR off(jaccard, s / (sa + sc - s)) OR off(cosine, s / sqrt(sa * sc)) OR off(kulczynski, (s / sa + s / sc) / 2) OR off(imbalance, abs(sa - sc) / (sa + sc - s))$$,
	'and zhang, jaccard, cosine, kulczynski, imbalance');
SELECT is_empty($$SELECT antecedent, consequent FROM checked WHERE off(certainty, CASE WHEN s / sa > sc THEN (s / sa - sc) / (1 - sc) ELSE (s / sa - sc) / sc END) OR off(chi_squared / n, (s - sa * sc) ^ 2 / (sa * sc * (1 - sa) * (1 - sc)))$$, 'and certainty and chi_squared');
SELECT is_empty($$SELECT antecedent, consequent FROM checked WHERE CASE WHEN count IN (n_antecedent, n_consequent) THEN odds_ratio IS NOT NULL ELSE off(odds_ratio, s * (1 - sa - sc + s) / ((sa - s) * (sc - s))) END$$, 'and the odds ratio, null when it divides by zero');
-- Fisher's test as a sum of exact factorials
CREATE FUNCTION fisher(n int, a int, c int, b int) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
	SELECT sum(factorial(a) * factorial(n - a) * factorial(c) * factorial(n - c) / (factorial(n) * factorial(k) * factorial(a - k) * factorial(c - k)) / factorial(n - a - c + k)) FROM generate_series(greatest(b, a + c - n), least(a, c)) k $$;
SELECT is_empty($$SELECT antecedent, consequent, p_value FROM (SELECT * FROM checked ORDER BY p_value LIMIT 25) q WHERE abs(p_value / fisher(n::int, n_antecedent::int, n_consequent::int, count::int)::float8 - 1) > 1e-10$$, 'p-values are Fisher''s');
SELECT is_empty($$SELECT antecedent, consequent, p_value FROM (SELECT * FROM checked ORDER BY p_value DESC LIMIT 25) q WHERE abs(p_value / fisher(n::int, n_antecedent::int, n_consequent::int, count::int)::float8 - 1) > 1e-10$$, 'the large ones, too');
SELECT is_empty($$SELECT antecedent, consequent, revenue FROM checked WHERE off(revenue, total::float8) OR off(mean_basket_with, (total / count)::float8) OR off(mean_basket_without, ((all_total - total) / (n - count)::numeric)::float8)$$, 'revenue and mean baskets are those of the baskets');
SELECT is_empty('SELECT 1 FROM rule WHERE p_adjusted <> p_value', 'p_adjusted is p_value when nothing is adjusted');
SELECT is_empty($$SELECT r.antecedent, r.consequent FROM rule r, n, wanted w, crm.rule_measures(n.n::bigint, w.n_antecedent, w.n_consequent, w.count) m
	WHERE (w.antecedent, w.consequent) = (r.antecedent, r.consequent) AND (m.support, m.confidence, m.lift, m.leverage, m.conviction, m.zhang, m.jaccard, m.cosine, m.kulczynski, m.imbalance, m.certainty, m.chi_squared, m.p_value, m.odds_ratio, m.antecedent_support, m.consequent_support)
		IS DISTINCT FROM (r.support, r.confidence, r.lift, r.leverage, r.conviction, r.zhang, r.jaccard, r.cosine, r.kulczynski, r.imbalance, r.certainty, r.chi_squared, r.p_value, r.odds_ratio, r.antecedent_support, r.consequent_support)$$, 'crm.rule_measures gives the same bits');
SELECT is((SELECT antecedent || consequent FROM crm.association_rules('line', min_support => 12, measure => 'p_value', prune_redundant => true, consequent_in => '{butter}', top_k => 1)), '{bread,milk,butter}', 'the planted rule is the most significant one');

-- Order
SELECT results_eq('SELECT antecedent, consequent FROM rule', 'SELECT antecedent, consequent FROM rule ORDER BY lift DESC, count DESC, antecedent COLLATE "C", consequent COLLATE "C"', 'rules come by measure, then support, then items');
SELECT results_eq($$SELECT antecedent, consequent FROM crm.association_rules('line', min_support => 12, measure => 'p_value')$$, $$SELECT antecedent, consequent FROM crm.association_rules('line', min_support => 12) ORDER BY p_value, count DESC, antecedent COLLATE "C", consequent COLLATE "C"$$, 'the smallest p-values first');
SELECT results_eq($$SELECT r::text FROM crm.association_rules('line', min_support => 12, min_confidence => 0.2, max_consequent => 3, max_length => 4, top_k => 17) r$$, 'SELECT r::text FROM rule r LIMIT 17', 'top_k gives the first of all');

-- Whatever the order of rows, the miner, the types
CREATE FUNCTION digest(source text, options text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE format('SELECT md5(string_agg(r::text, '';'' ORDER BY place)) FROM crm.association_rules(%L, min_support => 0.02, min_confidence => 0.3, max_consequent => 2%s) WITH ORDINALITY r (a, c, s, f, l, e, v, z, j, o, k, i, t, x, p, d, sa, sc, n, rev, mw, mo, adj, place)', source, options) INTO result;
	RETURN result;
END $$;
SELECT is(digest('SELECT * FROM line ORDER BY md5(basket_id || item_id)'), digest('line'), 'shuffled rows give the same');
SELECT is(digest('line', ', algorithm => ''fpgrowth'''), digest('line', ', algorithm => ''eclat'''), 'both miners give the same');
SELECT is(digest('SELECT * FROM line UNION ALL SELECT basket_id, item_id, 0 FROM line'), digest('line'), 'an item that comes twice counts once');
SELECT is(digest('SELECT basket_id::text, item_id::varchar, amount::real::numeric(9, 2) AS amount FROM line'), digest('line'), 'other types give the same');

-- Redundant rules: those with a more general rule that is as good
SELECT bag_eq($$SELECT antecedent, consequent FROM crm.association_rules('line', min_support => 12, min_confidence => 0.2, max_consequent => 3, max_length => 4, prune_redundant => true)$$,
	$$SELECT antecedent, consequent FROM rule r WHERE NOT EXISTS (SELECT FROM wanted w WHERE w.consequent = r.consequent AND w.antecedent <@ r.antecedent AND w.antecedent <> r.antecedent AND w.count::float8 / w.n_antecedent >= r.confidence)$$, 'redundant rules are those of the definition');

-- Adjusted p-values
CREATE TABLE adjusted AS SELECT adjust, antecedent, consequent, p_value, p_adjusted FROM unnest('{bonferroni,holm,fdr}'::text[]) adjust, crm.association_rules('line', min_support => 12, min_confidence => 0.4, adjust => adjust);
SELECT is_empty($$SELECT adjust, antecedent, consequent, p_adjusted, w FROM (SELECT *, CASE adjust WHEN 'bonferroni' THEN least(1, m * p_value) WHEN 'holm' THEN max(least(1, (m - i + 1) * p_value)) OVER (PARTITION BY adjust ORDER BY i) ELSE min(least(1, m * p_value / i)) OVER (PARTITION BY adjust ORDER BY i DESC) END AS w
	FROM (SELECT *, count(*) OVER (PARTITION BY adjust) AS m, row_number() OVER (PARTITION BY adjust ORDER BY p_value) AS i FROM adjusted) q) q WHERE abs(p_adjusted - w) > 1e-13 * w$$, 'adjusted p-values are those of the definitions');
SELECT bag_eq($$SELECT antecedent, consequent FROM crm.association_rules('line', min_support => 12, min_confidence => 0.4, adjust => 'fdr', max_p_value => 0.01, top_k => 1000)$$, $$SELECT antecedent, consequent FROM adjusted WHERE adjust = 'fdr' AND p_adjusted <= 0.01$$, 'max_p_value holds for them');
SELECT is((SELECT p_adjusted FROM crm.association_rules('line', min_support => 12, min_confidence => 0.4, adjust => 'bonferroni', measure => 'p_value', top_k => 1)), (SELECT min(p_adjusted) FROM adjusted WHERE adjust = 'bonferroni'), 'the family is all rules, whatever top_k keeps');

-- Constraints select the same rules that one would select afterwards
CREATE FUNCTION constrained(options text, condition text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT bag_eq(format('SELECT antecedent, consequent, count, lift, revenue FROM crm.association_rules(''line'', min_support => 12, min_confidence => 0.2, max_consequent => 3, max_length => 4, %s)', options), 'SELECT antecedent, consequent, count, lift, revenue FROM rule WHERE ' || condition, options) $$;
SELECT constrained(o, c) FROM (VALUES
	('consequent_in => ''{wine}''', 'consequent @> ''{wine}'''),
	('consequent_in => ''{wine,milk,nothing}''', 'consequent && ''{wine,milk}'''),
	('consequent_out => ''{wine,milk}''', 'NOT consequent && ''{wine,milk}'''),
	('antecedent_in => ''{cheese}''', 'antecedent @> ''{cheese}'''),
	('antecedent_out => ''{cheese,apple}''', 'NOT antecedent && ''{cheese,apple}'''),
	('antecedent_in => ''{apple,beer}'', consequent_in => ''{bread}''', 'antecedent && ''{apple,beer}'' AND consequent && ''{bread}'''),
	('antecedent_in => ''{apple}'', consequent_in => ''{bread,milk}'', antecedent_out => ''{wine}'', consequent_out => ''{butter}''', 'antecedent && ''{apple}'' AND consequent && ''{bread,milk}'' AND NOT antecedent && ''{wine}'' AND NOT consequent && ''{butter}'''),
	('antecedent_out => ''{apple}'', consequent_out => ''{apple}''', 'NOT antecedent || consequent && ''{apple}'''),
	('antecedent_out => ''{bread}'', consequent_in => ''{bread}''', 'NOT antecedent && ''{bread}'' AND consequent && ''{bread}'''),
	('antecedent_in => ''{nothing}''', 'false')) v (o, c);

-- Edges
SELECT is_empty($$SELECT * FROM crm.association_rules('SELECT 1 AS basket_id, 2 AS item_id WHERE false')$$, 'no row, no rule');
SELECT is_empty($$SELECT * FROM crm.association_rules('SELECT 1 AS basket_id, 2 AS item_id', min_support => 1)$$, 'one item, no rule');
SELECT is((SELECT count(*) FROM crm.association_rules('SELECT b AS basket_id, i AS item_id FROM generate_series(1, 50) b, generate_series(1, 6) i', max_consequent => 6)), (3 ^ 6 - 2 * 2 ^ 6 + 1)::bigint, 'identical baskets give every split of every set');
SELECT is((SELECT count(*) FROM crm.association_rules('SELECT 1 AS basket_id, i AS item_id FROM generate_series(1, 1000) i', min_support => 1, max_length => 2, top_k => 10)), 10::bigint, 'a long basket, pairs only');
SELECT throws_ok($$SELECT count(*) FROM crm.association_rules('SELECT 1 AS basket_id, i AS item_id FROM generate_series(1, 100000) i', min_support => 1)$$, '54000', NULL, 'a basket of 100,000 items is an error, not a crash');
SELECT bag_eq($$SELECT antecedent[1], consequent[1] FROM crm.association_rules($q$SELECT b AS basket_id, unnest(ARRAY['', 'it''s', '"', 'Ünï©ode 中', '{a,b}', '\']) AS item_id FROM generate_series(1, 3) b$q$, max_length => 2)$$,
	$$SELECT a, c FROM unnest(ARRAY['', 'it''s', '"', 'Ünï©ode 中', '{a,b}', '\']) a, unnest(ARRAY['', 'it''s', '"', 'Ünï©ode 中', '{a,b}', '\']) c WHERE a <> c$$, 'items of any text come back whole');
SELECT is((SELECT (mean_basket_without IS NULL, revenue) FROM crm.association_rules('SELECT 1 AS basket_id, i AS item_id, 2.5 AS amount FROM generate_series(1, 2) i', min_support => 1, top_k => 1)), (true, 5::float8), 'no basket without the rule, no mean of them');

-- Public data: the numbers of rules that Borgelt's programs and arules find, and mlxtend with several consequents
\set has_retail `test -r "${CRM_DATA:-/nowhere}/retail.dat.gz" && echo on || echo off`
\if :has_retail
CREATE TABLE retail (basket_id int, item_id int);
\copy retail from program 'gzip -dc "$CRM_DATA/retail.dat.gz" | awk ''{ for (i = 1; i <= NF; i++) print NR "\t" $i }'''
SELECT is((SELECT count(*) FROM crm.association_rules('retail', min_support => 89)), 5731::bigint, 'retail at 89');
SELECT is((SELECT count(*) FROM crm.association_rules('retail', min_support => 89, max_consequent => 100)), 6192::bigint, 'retail at 89, any consequents');
SELECT is((SELECT count(*) FROM crm.association_rules('retail', min_support => 45, algorithm => 'fpgrowth')), 15321::bigint, 'retail at 45');
SELECT is((SELECT count(*) FROM crm.association_rules('retail', min_support => 89, max_length => 2)), 2318::bigint, 'pairs of retail at 89');
\else
SELECT skip('CRM_DATA has no retail.dat.gz', 4);
\endif
\set has_t10 `test -r "${CRM_DATA:-/nowhere}/T10I4D100K.dat.gz" && echo on || echo off`
\if :has_t10
CREATE TABLE t10 (basket_id int, item_id int);
\copy t10 from program 'gzip -dc "$CRM_DATA/T10I4D100K.dat.gz" | awk ''{ for (i = 1; i <= NF; i++) print NR "\t" $i }'''
SELECT is((SELECT count(*) FROM crm.association_rules('t10', min_support => 100)), 72054::bigint, 'T10I4D100K at 100');
SELECT is((SELECT count(*) FROM crm.association_rules('t10', min_support => 100, max_length => 2)), 831::bigint, 'pairs of T10I4D100K at 100');
\else
SELECT skip('CRM_DATA has no T10I4D100K.dat.gz', 2);
\endif
\set has_groceries `test -r "${CRM_DATA:-/nowhere}/groceries.csv" && echo on || echo off`
\if :has_groceries
CREATE TABLE groceries (basket_id int, item_id text);
\copy groceries from program 'awk -F, ''{ sub(/\r$/, ""); for (i = 1; i <= NF; i++) print NR "\t" $i }'' "$CRM_DATA/groceries.csv"'
SELECT is((SELECT count(*) FROM crm.association_rules('groceries', min_support => 10)), 5668::bigint, 'groceries at 10');
SELECT is((SELECT count(*) FROM crm.association_rules('groceries', min_support => 10, max_consequent => 100)), 5829::bigint, 'groceries at 10, any consequents');
SELECT is((SELECT count(*) FROM crm.association_rules('groceries', min_support => 10, max_length => 2)), 11::bigint, 'pairs of groceries at 10');
\else
SELECT skip('CRM_DATA has no groceries.csv', 3);
\endif

SELECT * FROM finish();
ROLLBACK;
