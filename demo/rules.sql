-- What is bought together in the firm's baskets, what it is worth, and what to offer next.
\pset footer off
\pset numericlocale on
\pset null ''
\set SHOW_CONTEXT never
SET client_min_messages = warning;

\echo
\echo '== Baskets: the lines of the orders that are sales, with the names of the products =='
\echo
CREATE TEMP TABLE basket AS
SELECT i.sales_order_id AS basket_id, p.name AS item_id, i.amount * coalesce(o.exchange_rate, 1) AS amount, o.customer_id, o.ordered_at
FROM crm.sales_order_item i JOIN crm.sales_order o USING (customer_id, sales_order_id) JOIN crm.product p USING (product_id)
WHERE o.status NOT IN ('draft', 'cancelled');
SELECT format('%s baskets, %s products, %s lines', to_char(count(DISTINCT basket_id), 'FM999,999,999'), count(DISTINCT item_id), to_char(count(*), 'FM999,999,999')) AS sentence FROM basket \gset
\echo :sentence

\echo
\echo '== What is bought together, beyond chance (crm.association_rules) =='
\echo
SELECT array_to_string(antecedent, ' + ') AS "who buys", array_to_string(consequent, ' + ') AS "also buys", count AS baskets, round(100 * confidence) AS "of 100",
	round(100 * consequent_support) AS "of all 100", round(lift::numeric, 1) AS lift, p_adjusted < 0.001 AS "beyond chance", round(revenue) AS revenue, round(mean_basket_with) AS "basket with", round(mean_basket_without) AS "without"
FROM crm.association_rules('basket', min_support => 0.005, min_confidence => 0.2, min_lift => 1.5, max_length => 3, max_p_value => 0.01, adjust => 'holm', measure => 'leverage', prune_redundant => true, top_k => 8);

\echo
\echo '== What to offer with a basket, and why (crm.recommend) =='
\echo
\echo 'SELECT rank, item, reason FROM crm.recommend(''basket'', basket => ''{Dark espresso}'', k => 3);'
\echo
SELECT rank, item, reason FROM crm.recommend('basket', basket => '{Dark espresso}', k => 3);
\echo 'SELECT rank, item, reason FROM crm.recommend(''basket'', basket => ''{House espresso,Breakfast blend}'', k => 3);'
\echo
SELECT rank, item, reason FROM crm.recommend('basket', basket => '{House espresso,Breakfast blend}', k => 3);

\echo '== What to offer to each customer (crm.recommend_customers); nobody is offered what they have =='
\echo
SELECT item AS offer, count(*) AS "to customers", round(avg(score)::numeric, 2) AS "mean score", min(reason) AS "one of the reasons"
FROM crm.recommend_customers('basket', k => 1) WHERE method = 'rule' GROUP BY item ORDER BY count(*) DESC, item LIMIT 5;

\echo '== What is like Milk powder (crm.similar_items) =='
\echo
SELECT rank, item, round(similarity::numeric, 3) AS similarity, count AS "baskets with both", round(lift::numeric, 2) AS lift FROM crm.similar_items('basket', 'Milk powder', k => 3);
