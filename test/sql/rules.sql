-- rules: the surface of crm.association_rules and crm.rule_measures: options, sources and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = notice;
SET TimeZone = 'UTC';
SET extra_float_digits = -3;
CREATE SCHEMA test_rules;
SET search_path = test_rules, public;

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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('association_rules', 'rule_measures')
ORDER BY p.proname, p.pronargs;

-- the measures of four counts
\x on
SELECT * FROM crm.rule_measures(1000, 200, 250, 100);
SELECT * FROM crm.rule_measures(1000, 100, 250, 100);
SELECT * FROM crm.rule_measures(0, 0, 0, 0);
SELECT * FROM crm.rule_measures(1000, NULL, 250, 100);
\x off
SELECT (crm.rule_measures(100000000, 50000000, 50000000, 25010000)).p_value;
SELECT fails('SELECT crm.rule_measures(-1, 0, 0, 0)');
SELECT fails('SELECT crm.rule_measures(1000000000001, 1, 1, 1)');
SELECT fails('SELECT crm.rule_measures(10, 5, 5, 6)');
SELECT fails('SELECT crm.rule_measures(10, 8, 8, 5)');
SELECT fails('SELECT crm.rule_measures(10, 11, 5, 5)');
SELECT fails('SELECT crm.rule_measures(10, 5, -5, 5)');

-- the five baskets of the textbook
CREATE TABLE basket (basket_id integer, item_id text, amount numeric);
INSERT INTO basket VALUES (1, 'bread', 2), (1, 'milk', 1), (2, 'bread', 2), (2, 'diapers', 9), (2, 'beer', 5), (2, 'eggs', 3), (3, 'milk', 1), (3, 'diapers', 9), (3, 'beer', 5), (3, 'cola', 2),
	(4, 'bread', 2), (4, 'milk', 1), (4, 'diapers', 9), (4, 'beer', 5), (5, 'bread', 2), (5, 'milk', 1), (5, 'diapers', 9), (5, 'cola', 2);
CREATE VIEW plain AS SELECT basket_id, item_id FROM basket;

SELECT * FROM crm.association_rules('basket', min_support => 0.6, min_confidence => 0.8);
SELECT antecedent, consequent, confidence, lift, count, revenue, mean_basket_with, mean_basket_without FROM crm.association_rules('basket', min_support => 0.4, min_confidence => 0.7);
SELECT antecedent, consequent, confidence, lift, count, revenue, mean_basket_with, mean_basket_without FROM crm.association_rules('plain', min_support => 3, min_confidence => 0.7);

-- options
SELECT 'length', antecedent, consequent, count FROM crm.association_rules('plain', min_support => 0.4, min_confidence => 1, max_length => 2);
SELECT 'consequents', antecedent, consequent, lift FROM crm.association_rules('plain', min_support => 0.4, min_confidence => 0.6, max_consequent => 2, min_lift => 1.2);
SELECT 'redundant', antecedent, consequent, lift FROM crm.association_rules('plain', min_support => 0.4, min_confidence => 0.6, prune_redundant => true, min_lift => 1.2);
SELECT 'top', antecedent, consequent, support FROM crm.association_rules('plain', min_support => 0.4, measure => 'support', top_k => 3);
SELECT 'p', antecedent, consequent, p_value, p_adjusted FROM crm.association_rules('plain', min_support => 0.4, measure => 'p_value', max_p_value => 0.5);
SELECT 'adjust', adjust, antecedent, consequent, p_value, p_adjusted FROM unnest('{none,bonferroni,holm,fdr}'::text[]) adjust, crm.association_rules('plain', min_support => 0.6, measure => 'p_value', adjust => adjust, top_k => 2);
SELECT 'measure', measure, antecedent, consequent FROM unnest('{support,confidence,lift,leverage,conviction,zhang,jaccard,cosine,kulczynski,imbalance,certainty,chi_squared,p_value,odds_ratio,antecedent_support,consequent_support}'::text[]) measure, crm.association_rules('plain', min_support => 0.4, measure => measure, top_k => 1);
SELECT 'algorithm', algorithm, count(*) FROM unnest('{auto,eclat,fpgrowth}'::text[]) algorithm, crm.association_rules('plain', min_support => 0.4, algorithm => algorithm) GROUP BY 2 ORDER BY 2;
SELECT 'in', antecedent, consequent, count FROM crm.association_rules('plain', min_support => 0.4, consequent_in => '{beer,cola}');
SELECT 'out', antecedent, consequent, count FROM crm.association_rules('plain', min_support => 0.4, consequent_out => '{milk,bread,diapers,beer}', min_confidence => 0.3);
SELECT 'antecedent in', antecedent, consequent, count FROM crm.association_rules('plain', min_support => 0.4, antecedent_in => '{cola}', antecedent_out => '{milk}');
SELECT 'both', antecedent, consequent, count FROM crm.association_rules('plain', min_support => 0.4, antecedent_in => '{beer}', consequent_in => '{diapers}', antecedent_out => '{milk,bread}');
SELECT 'nowhere', antecedent FROM crm.association_rules('plain', min_support => 0.4, consequent_in => '{eggs,wine}');
SELECT 'partly', antecedent, consequent FROM crm.association_rules('plain', min_support => 0.6, consequent_in => '{beer,wine}');

-- sources: a query, a relation, items and baskets of other types; empty ones; what is skipped
SELECT antecedent, consequent FROM crm.association_rules('SELECT v::text::uuid AS basket_id, i AS item_id FROM (VALUES (''00000000-0000-0000-0000-000000000001'', 7), (''00000000-0000-0000-0000-000000000001'', 10)) q (v, i)', min_support => 1);
SELECT 'empty', count(*) FROM crm.association_rules('SELECT * FROM basket WHERE false');
SELECT 'empty', count(*) FROM crm.association_rules('SELECT * FROM basket WHERE false', min_support => 5, consequent_in => '{beer}');
SELECT 'one basket', antecedent, consequent, p_value, mean_basket_without FROM crm.association_rules('SELECT * FROM basket WHERE basket_id = 1', min_support => 1);
SELECT 'single items', count(*) FROM crm.association_rules('SELECT g AS basket_id, 1 AS item_id FROM generate_series(1, 9) g');
SELECT 'nulls', antecedent, consequent, revenue FROM crm.association_rules('SELECT * FROM (VALUES (1, ''a'', 1.5::float8), (1, ''b'', NULL), (NULL, ''a'', 1), (2, NULL, 1), (1, ''a'', 2)) q (basket_id, item_id, amount)', min_support => 1);
SELECT rows_read, rows_used, skipped_null_key, skipped_null_value, customers FROM crm.last_run();
SELECT 'labels', antecedent, consequent FROM crm.association_rules($$SELECT b AS basket_id, unnest(ARRAY['', 'a "quoted", one', 'Ünï©ode', 'NULL', '{}\']) AS item_id FROM generate_series(1, 3) b$$, min_support => 1, max_length => 2, consequent_in => '{"","NULL"}', top_k => 4);

-- options that are wrong
SELECT fails('SELECT crm.association_rules(''basket'', ' || options || ')') FROM unnest(ARRAY[
	'min_support => 0', 'min_support => -1', 'min_support => ''NaN''', 'min_support => 1.5', 'min_support => 6', 'min_support => NULL',
	'min_confidence => 1.1', 'min_confidence => -0.1', 'min_confidence => ''NaN''', 'min_confidence => NULL',
	'min_lift => -1', 'min_lift => ''NaN''', 'max_length => 1', 'max_consequent => 0', 'max_consequent => NULL',
	'antecedent_in => ''{}''', 'antecedent_out => ''{a,NULL}''', 'consequent_in => ''{a,a}''', 'consequent_out => ''{{a},{b}}''',
	'antecedent_in => ''{milk}'', antecedent_out => ''{beer,milk}''', 'consequent_in => ''{milk}'', consequent_out => ''{milk}''',
	'measure => ''gain''', 'measure => NULL', 'top_k => 0', 'prune_redundant => NULL', 'max_p_value => 2', 'max_p_value => ''NaN''', 'adjust => ''sidak''', 'adjust => NULL',
	'max_basket_size => 0', 'max_basket_size => 2', 'oversize => ''drop''', 'oversize => NULL', 'algorithm => ''apriori''', 'algorithm => NULL']) WITH ORDINALITY o (options, place) ORDER BY place;
SELECT fails('SELECT crm.association_rules(''SELECT 1 AS basket_id'')');
SELECT fails('SELECT crm.association_rules()');

-- an explosion stops within the budget, and tells which support fits; one basket of everything tells of max_length
SET maintenance_work_mem = '8MB';
CREATE TABLE blown AS SELECT b AS basket_id, (CASE WHEN b <= 20 THEN i ELSE (b + 7 * i) % 60 END) AS item_id FROM generate_series(1, 2000) b, generate_series(1, 60) i WHERE b <= 20 OR i <= 3;
SELECT regexp_replace(regexp_replace(fails('SELECT crm.association_rules(''blown'', min_support => 10)'), 'at \d+ itemsets', 'at N itemsets'), 'needs \d+ MB', 'needs N MB');
SELECT regexp_replace(regexp_replace(fails('SELECT crm.association_rules(''SELECT 1 AS basket_id, i AS item_id FROM generate_series(1, 60) i'', min_support => 1)'), 'at \d+ itemsets', 'at N itemsets'), 'needs \d+ MB', 'needs N MB');
SELECT regexp_replace(regexp_replace(fails('SELECT crm.association_rules(''SELECT 1 AS basket_id, i AS item_id FROM generate_series(1, 14) i'', min_support => 1, max_consequent => 14)'), 'at \d+ rules', 'at N rules'), 'needs \d+ MB', 'needs N MB');
SELECT count(*) FROM crm.association_rules('SELECT 1 AS basket_id, i AS item_id FROM generate_series(1, 14) i', min_support => 1, max_consequent => 14, top_k => 100);
RESET maintenance_work_mem;
DROP SCHEMA test_rules CASCADE;
