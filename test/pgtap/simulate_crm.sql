-- crm.simulate_crm: the same seed gives the same firm, the firm is coherent, and what is planted can be found.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');

-- All rows of all tables, but for the numbers that sequences give in passing and for what tells of this transaction.
CREATE FUNCTION pg_temp.digest() RETURNS TABLE (relation text, digest text) LANGUAGE plpgsql
SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET extra_float_digits = 1 AS $$
BEGIN
	FOR relation IN SELECT r FROM unnest(crm._relations()) r JOIN pg_class c ON c.oid = ('crm.' || r)::regclass WHERE c.relkind = 'r' LOOP
		EXECUTE format('SELECT md5(string_agg(t::text, E''\n'' ORDER BY t::text COLLATE "C")) FROM (SELECT to_jsonb(x) - ''{interaction_id,transaction_id,recorded_at}''::text[] FROM crm.%I x) y (t)', relation)
		INTO digest;
		RETURN NEXT;
	END LOOP;
END $$;
SAVEPOINT empty;

SELECT string_agg(table_name || '=' || rows, ',' ORDER BY table_name) AS rows FROM crm.simulate_crm(300, 5, '2026-03-15 13:14:15.678+00') \gset
SELECT string_agg(relation || '=' || coalesce(digest, ''), ',' ORDER BY relation) AS digest FROM pg_temp.digest() \gset
ROLLBACK TO empty;

SET LOCAL TimeZone = 'Asia/Tokyo';
SET LOCAL DateStyle = 'German';
SET LOCAL IntervalStyle = 'sql_standard';
SET LOCAL extra_float_digits = 0;
SET LOCAL work_mem = '64kB';
SET LOCAL enable_hashagg = off;
SET LOCAL enable_hashjoin = off;
SELECT is((SELECT string_agg(table_name || '=' || rows, ',' ORDER BY table_name) FROM crm.simulate_crm(300, 5, '15.03.2026 22:14:15.678')), :'rows', 'the same seed gives as many rows');
SELECT is((SELECT string_agg(relation || '=' || coalesce(digest, ''), ',' ORDER BY relation) FROM pg_temp.digest()), :'digest', 'and the same rows, whatever the session''s settings and plans');
ROLLBACK TO empty;
SELECT crm.simulate_crm(300, 6, '2026-03-15 13:14:15.678+00') \g /dev/null
SELECT is((SELECT count(*) FROM pg_temp.digest() d WHERE d.relation IN ('customer', 'sales_order', 'sales_order_item', 'opportunity', 'ticket', 'campaign_event',
	'survey_response', 'loyalty_ledger', 'touch', 'event', 'lead') AND position(d.relation || '=' || d.digest IN :'digest') = 0), 11::bigint, 'another seed gives others');
ROLLBACK TO empty;

-- ---- few customers, and other times ----
SELECT lives_ok($$SELECT crm.simulate_crm(1, 1, '2026-01-01')$$, 'one customer');
ROLLBACK TO empty;
SELECT lives_ok($$SELECT crm.simulate_crm(2, 1, '2024-02-29 12:00')$$, 'two customers on a leap day');
ROLLBACK TO empty;
SELECT lives_ok($$SELECT crm.simulate_crm(10, 9223372036854775807, '1950-06-15')$$, 'ten customers in another century, with the largest seed');
ROLLBACK TO empty;
SELECT lives_ok($$SELECT crm.simulate_crm(100, -9223372036854775808, '2100-01-01')$$, 'a hundred in the future, with the smallest');
ROLLBACK TO empty;

-- ---- refusals ----
SELECT throws_ok('SELECT crm.simulate_crm(0)', '22023', 'argument "customers" must be between 1 and 1000000', 'no customers');
SELECT throws_ok('SELECT crm.simulate_crm(1000001)', '22023', 'argument "customers" must be between 1 and 1000000', 'too many');
SELECT throws_ok('SELECT crm.simulate_crm(NULL)', '22004', 'argument "customers" must not be null', 'NULL customers');
SELECT throws_ok('SELECT crm.simulate_crm(1, NULL)', '22004', 'argument "seed" must not be null', 'NULL seed');
SELECT throws_ok('SELECT crm.simulate_crm(1, 1, NULL)', '22004', 'argument "as_of" must not be null', 'NULL as_of');
SELECT throws_ok($$SELECT crm.simulate_crm(1, 1, 'infinity')$$, '22023', 'argument "as_of" must be between 1900 and 2999', 'no end');
INSERT INTO crm.customer (name) VALUES ('Ada');
SELECT throws_ok('SELECT crm.simulate_crm()', '55000', 'the table crm.customer has rows', 'a firm is there already');
ROLLBACK TO empty;
INSERT INTO crm.product (sku, name) VALUES ('a', 'b');
SELECT throws_ok('SELECT crm.simulate_crm()', '55000', 'the table crm.product has rows', 'its catalogue too');
ROLLBACK TO empty;
UPDATE crm.pipeline_stage SET name = 'Fresh' WHERE name = 'New';
SELECT throws_ok('SELECT crm.simulate_crm()', '55000', 'the pipeline "Sales" has not the stages that crm.setup() gave it', 'another pipeline');
ROLLBACK TO empty;
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'crm'::regnamespace AND p.proname ~ '^_?simulate_' AND p.proname NOT IN ('simulate_orders', 'simulate_subscriptions')
	AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)$$, 'closed to PUBLIC');

-- ---- a coherent firm ----
SET LOCAL TimeZone = 'UTC';
CREATE TEMPORARY TABLE told AS SELECT * FROM crm.simulate_crm(2000, 42, '2026-02-15');
SELECT is((SELECT rows FROM told WHERE table_name = 'customer'), 2000::bigint, 'as many customers as asked for');
SELECT set_eq('SELECT table_name FROM told', $$SELECT r FROM unnest(crm._relations()) r JOIN pg_class c ON c.oid = ('crm.' || r)::regclass WHERE c.relkind IN ('r', 'p')$$, 'it tells of each table');
SELECT is_empty($$SELECT table_name FROM told WHERE rows = 0 AND table_name NOT IN ('access_grant', 'model', 'ownership_transfer', 'ownership_transfer_row', 'customer_merge', 'customer_merge_row')$$, 'and fills it');
SELECT is_empty($$SELECT * FROM crm.interaction WHERE occurred_at > '2026-02-15' OR occurred_at = now() OR occurred_at < '2023-12-01'$$, 'the log speaks of the firm''s time');
SELECT is_empty($$
	SELECT reference, reference_key, occurred_at FROM crm.interaction WHERE action = 'insert' AND reference IN ('crm.customer', 'crm.opportunity', 'crm.sales_order', 'crm.ticket', 'crm.lead', 'crm.task')
	EXCEPT SELECT 'crm.customer', customer_id::text, created_at FROM crm.customer EXCEPT SELECT 'crm.opportunity', customer_id || ',' || opportunity_id, created_at FROM crm.opportunity
	EXCEPT SELECT 'crm.sales_order', customer_id || ',' || sales_order_id, ordered_at FROM crm.sales_order EXCEPT SELECT 'crm.ticket', customer_id || ',' || ticket_id, opened_at FROM crm.ticket
	EXCEPT SELECT 'crm.lead', lead_id::text, created_at FROM crm.lead EXCEPT SELECT 'crm.task', task_id::text, created_at FROM crm.task$$, 'its moments are those of the rows');
SELECT is_empty($$SELECT customer_id || ',' || opportunity_id, pipeline_stage_id, entered_at FROM crm.opportunity_stage_history
	EXCEPT SELECT reference_key, coalesce(detail #>> '{new,pipeline_stage_id}', detail #>> '{pipeline_stage_id,new}')::bigint, occurred_at FROM crm.interaction WHERE reference = 'crm.opportunity'$$, 'also of each move through the pipeline');
SELECT is_empty($$SELECT * FROM crm.opportunity_stage_history h WHERE left_at IS DISTINCT FROM (SELECT min(n.entered_at) FROM crm.opportunity_stage_history n
	WHERE n.customer_id = h.customer_id AND n.opportunity_id = h.opportunity_id AND n.entered_at > h.entered_at)$$, 'a stage ends when the next one begins');
SELECT is_empty($$SELECT reference_key FROM crm.interaction i JOIN (SELECT reference AS r, reference_key AS k, min(occurred_at) AS at FROM crm.interaction WHERE action = 'insert' GROUP BY 1, 2) m
	ON m.r = i.reference AND m.k = i.reference_key WHERE i.action = 'update' AND i.occurred_at < m.at$$, 'nothing changes before it is there');
SELECT is_empty($$SELECT o.sales_order_id FROM crm.sales_order o JOIN crm.sales_order_item i USING (customer_id, sales_order_id) GROUP BY o.sales_order_id, o.amount HAVING o.amount <> sum(i.amount)
	UNION ALL SELECT sales_order_id FROM crm.sales_order o WHERE NOT EXISTS (SELECT FROM crm.sales_order_item i WHERE i.sales_order_id = o.sales_order_id)$$, 'orders are the sum of their lines');
SELECT is_empty($$SELECT o.opportunity_id FROM crm.opportunity o JOIN crm.opportunity_item i USING (customer_id, opportunity_id) GROUP BY o.opportunity_id, o.amount HAVING o.amount <> sum(i.amount)$$, 'and deals');
SELECT is_empty($$SELECT c.customer_id FROM crm.customer c JOIN (SELECT customer_id, ordered_at AS at FROM crm.sales_order UNION ALL SELECT customer_id, opened_at FROM crm.ticket UNION ALL SELECT customer_id, sent_at FROM crm.ticket_message
	UNION ALL SELECT customer_id, occurred_at FROM crm.campaign_event UNION ALL SELECT customer_id, created_at FROM crm.opportunity UNION ALL SELECT customer_id, answered_at FROM crm.survey_response UNION ALL SELECT customer_id, occurred_at FROM crm.loyalty_ledger)
	x USING (customer_id) WHERE x.at < c.created_at OR x.at > '2026-02-15'$$, 'nobody acts before being a customer, or after the end');
SELECT is((SELECT count(*) FROM crm.sales_order WHERE opportunity_id IS NULL)
	- (SELECT count(*) FROM crm.campaign_event e JOIN crm.sales_order o ON o.customer_id = e.customer_id AND o.campaign_id = 5 AND o.ordered_at = e.occurred_at JOIN LATERAL
		(SELECT count(*) AS orders FROM crm.simulate_orders(2000, timestamptz '2026-02-15' - interval '730 days', '2026-02-15', seed => 42, acquisition => '540 days', r => 1.2, alpha => 10, a => 0.6, b => 6, p => 6.25, q => 3.74, v => 19.7) s
			WHERE s.customer_id = e.customer_id) s ON s.orders < (SELECT count(*) FROM crm.sales_order a WHERE a.customer_id = e.customer_id AND a.opportunity_id IS NULL) WHERE e.event = 'convert'),
	(SELECT count(*) FROM crm.simulate_orders(2000, timestamptz '2026-02-15' - interval '730 days', '2026-02-15', seed => 42, acquisition => '540 days', r => 1.2, alpha => 10, a => 0.6, b => 6, p => 6.25, q => 3.74, v => 19.7) s
		WHERE s.customer_id IN (SELECT customer_id FROM crm.sales_order WHERE opportunity_id IS NULL)), 'but for deals and the campaign''s, there are the orders of BG/NBD');

-- ---- what is planted ----
CREATE TEMPORARY VIEW line AS SELECT o.*, i.product_id, i.amount * coalesce(o.exchange_rate, 1) AS line_amount, r.name AS region, p.name AS product FROM crm.sales_order o
JOIN crm.sales_order_item i USING (customer_id, sales_order_id) JOIN crm.region r USING (region_id) JOIN crm.product p USING (product_id) WHERE o.opportunity_id IS NULL;
SELECT cmp_ok((SELECT avg((product = 'Cold brew')::int) FROM line WHERE region = 'South Coast'), '>', 3 * (SELECT max(share) FROM
	(SELECT avg((product = 'Cold brew')::int) AS share FROM line WHERE region <> 'South Coast' GROUP BY region) s), 'South Coast loves Cold brew');
SELECT set_eq('SELECT campaign FROM crm.campaign_results WHERE uplift_low > 0', $$VALUES ('Loyalty thanks')$$, 'one campaign has an uplift');
SELECT results_eq($$SELECT stage FROM crm.sales_funnel WHERE is_worst_step$$, $$VALUES ('Proposal')$$, 'one stage is the bottleneck');
SELECT cmp_ok((SELECT median_time FROM crm.sales_funnel WHERE stage = 'Proposal'), '>', 5 * (SELECT max(median_time) FROM crm.sales_funnel WHERE stage <> 'Proposal'), 'and takes long');
SELECT cmp_ok((SELECT count(*) FROM crm.sales_order WHERE extract(month FROM ordered_at) IN (11, 12)) / 2.0, '>',
	1.7 * (SELECT count(*) FROM crm.sales_order WHERE extract(month FROM ordered_at) NOT IN (11, 12)) / 10.0, 'the year ends with many orders');
CREATE TEMPORARY VIEW last_order AS
SELECT o.customer_id, o.last_order_at < '2026-02-15'::timestamptz - interval '120 days' AS is_silent,
	EXISTS (SELECT FROM crm.ticket t WHERE t.customer_id = o.customer_id AND t.queue = 'complaints' AND t.opened_at BETWEEN o.last_order_at - interval '20 days' AND o.last_order_at + interval '10 days') AS complained
FROM (SELECT customer_id, max(ordered_at) AS last_order_at FROM crm.sales_order WHERE status <> 'cancelled' AND opportunity_id IS NULL GROUP BY 1 HAVING count(*) >= 3) o;
SELECT cmp_ok((SELECT avg(complained::int) FROM last_order WHERE is_silent), '>', 5 * (SELECT avg(complained::int) FROM last_order WHERE NOT is_silent), 'who fell silent complained before');
SELECT cmp_ok((SELECT avg((EXISTS (SELECT FROM line m WHERE m.sales_order_id = l.sales_order_id AND m.product = 'Oat drink'))::int) FROM line l WHERE product = 'Dark espresso'), '>',
	5 * (SELECT avg((EXISTS (SELECT FROM line m WHERE m.sales_order_id = l.sales_order_id AND m.product = 'Oat drink'))::int) FROM line l WHERE product = 'House espresso'), 'Oat drink goes with Dark espresso');
SELECT results_eq($$SELECT item, method, antecedent FROM crm.recommend(basket => '{ESP-2}', k => 1)$$, $$VALUES ('MIL-1', 'rule', '{ESP-2}'::text[])$$, 'which crm.recommend finds');
SELECT results_eq($$SELECT item, method, antecedent FROM crm.recommend(basket => '{ESP-1, FIL-1}', k => 1)$$, $$VALUES ('MIL-3', 'rule', '{ESP-1,FIL-1}'::text[])$$, 'and Milk powder, which goes with two others');
SELECT is_empty($$SELECT * FROM crm.recommend(basket => '{ESP-1, FIL-1}', k => 1, method => 'rule') WHERE confidence NOT BETWEEN 0.4 AND 0.65 OR lift < 3$$, 'in half of their baskets');
SELECT is_empty($$SELECT * FROM crm.similar_items(item => 'FIL-1') WHERE item = 'MIL-3' AND confidence > 0.25$$, 'and of neither alone');
SELECT set_eq($$SELECT antecedent, consequent FROM crm.association_rules(min_support => 0.005, min_confidence => 0.3, measure => 'leverage', top_k => 3)$$, $$VALUES ('{ESP-2}'::text[], '{MIL-1}'::text[]), ('{MIL-1}', '{ESP-2}'), ('{ESP-1,FIL-1}', '{MIL-3}')$$, 'crm.association_rules finds both too, before all others');
SELECT is_empty($$SELECT * FROM (SELECT item, confidence, lift, count, antecedent_count FROM crm.recommend(basket => '{ESP-2}', k => 100, method => 'rule', max_antecedent => 1, min_confidence => 0.05, min_count => 50)) r
	FULL JOIN (SELECT consequent[1] AS item, confidence, lift, count, round(count / confidence) AS antecedent_count FROM crm.association_rules(min_support => 50, min_confidence => 0.05, max_length => 2, antecedent_in => '{ESP-2}') WHERE lift > 1) a USING (item)
	WHERE r.count IS DISTINCT FROM a.count OR abs(r.confidence - a.confidence) > 1e-12 OR abs(r.lift - a.lift) > 1e-9 OR r.antecedent_count <> a.antecedent_count$$, 'with the numbers that crm.recommend tells');
SELECT is((SELECT count(*) FROM crm.recommend(customer => '5')), 5::bigint, 'a customer of the firm is recommended something');
SELECT cmp_ok((SELECT customers FROM crm.recommend_backtest(cut_at => '2025-10-01') LIMIT 1), '>', 500::bigint, 'and a backtest reads its orders');
SELECT is((SELECT count(*) FROM (SELECT 1 FROM crm.contact_point GROUP BY kind, normalised HAVING count(DISTINCT customer_id) > 1) d) > 12, true, 'there are doublets');
SELECT is((SELECT count(*) FROM crm.agent a WHERE NOT is_active AND EXISTS (SELECT FROM crm.customer c WHERE c.owner_id = a.agent_id)), 1::bigint, 'and an agent who left customers behind');

-- What is made next does not meet a number that is taken.
SELECT lives_ok($$INSERT INTO crm.customer (name) VALUES ('next'); INSERT INTO crm.sales_order (customer_id, ordered_at, amount) VALUES (1, now(), 1); INSERT INTO crm.ticket (customer_id, subject) VALUES (1, 'a')$$, 'sequences go on');
SELECT throws_ok('SELECT crm.simulate_crm()', '55000', 'the table crm.customer has rows', 'once is enough');

SELECT * FROM finish();
ROLLBACK;
