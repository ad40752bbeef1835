-- What an agent owns goes to another: what moves and what stays, a filter, a preview, the history, and the way back.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');
\ir lib/refusal.sql

INSERT INTO crm.agent (agent_id, name, is_active) VALUES (1, 'Anna', true), (2, 'Bob', true), (3, 'Carl', true), (4, 'gone', false);
INSERT INTO crm.region (region_id, name) VALUES (1, 'north'), (2, 'south');
INSERT INTO crm.customer (customer_id, owner_id, region_id) SELECT n, CASE WHEN n <= 40 THEN 1 ELSE 3 END, 1 + n % 2 FROM generate_series(1, 50) n;
INSERT INTO crm.opportunity (customer_id, opportunity_id, name, pipeline_id, pipeline_stage_id, owner_id)
SELECT n, n, 'deal', s.pipeline_id, s.pipeline_stage_id, 1 FROM generate_series(1, 30) n JOIN crm.pipeline_stage s ON s.place = 1 + n % 6;
INSERT INTO crm.ticket (customer_id, ticket_id, subject, status, owner_id)
SELECT n, n, 'help', (ARRAY['new', 'open', 'pending', 'solved', 'closed'])[1 + n % 5], 1 FROM generate_series(1, 20) n;
INSERT INTO crm.task (task_id, customer_id, subject, status, done_at, assignee_id)
SELECT n, nullif(n, 12), 'call', (ARRAY['open', 'done', 'cancelled'])[1 + n % 3], CASE n % 3 WHEN 1 THEN now() END, 1 FROM generate_series(1, 12) n;
INSERT INTO crm.lead (lead_id, status, owner_id) SELECT n, (ARRAY['new', 'working', 'qualified', 'rejected'])[n], 1 FROM generate_series(1, 4) n;
INSERT INTO crm.lead (lead_id, status, converted_at, customer_id, owner_id) VALUES (5, 'converted', now(), 1, 1), (6, 'new', NULL, 2, 1);
INSERT INTO crm.campaign (campaign_id, name, status, owner_id) VALUES (1, 'a', 'draft', 1), (2, 'b', 'running', 1), (3, 'c', 'paused', 1), (4, 'd', 'done', 1), (5, 'e', 'running', 3);
INSERT INTO crm.sales_order (customer_id, ordered_at, amount, agent_id) VALUES (1, now(), 5, 1);
INSERT INTO crm.note (customer_id, body, agent_id) VALUES (1, 'note', 1);

-- Who owns what, of every table, to compare with: relation, key, owner.
CREATE TEMPORARY VIEW owned AS
SELECT 'crm.customer' AS relation, customer_id::text AS key, owner_id AS owner FROM crm.customer
UNION ALL SELECT 'crm.opportunity', customer_id || ',' || opportunity_id, owner_id FROM crm.opportunity
UNION ALL SELECT 'crm.ticket', customer_id || ',' || ticket_id, owner_id FROM crm.ticket
UNION ALL SELECT 'crm.task', task_id::text, assignee_id FROM crm.task
UNION ALL SELECT 'crm.lead', lead_id::text, owner_id FROM crm.lead
UNION ALL SELECT 'crm.campaign', campaign_id::text, owner_id FROM crm.campaign;
CREATE TEMPORARY TABLE before AS SELECT * FROM owned;
SELECT set_eq('SELECT relation FROM crm._owned_relations()', 'SELECT DISTINCT relation FROM owned', 'these are the tables with an owner');
SELECT set_eq($$SELECT DISTINCT 'crm.' || c.relname FROM pg_constraint f JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey) JOIN pg_class c ON c.oid = f.conrelid
	WHERE f.contype = 'f' AND f.confrelid = 'crm.agent'::regclass AND c.relnamespace = 'crm'::regnamespace AND a.attname NOT IN ('agent_id', 'from_agent_id', 'to_agent_id')$$,
	'SELECT DISTINCT relation FROM owned', 'no other table refers to an agent but by agent_id, which tells who did something');

-- Preview: counts, and nothing changes.
SELECT results_eq('SELECT relation, rows FROM crm.transfer_ownership(1, 2, preview => true) ORDER BY relation', $$VALUES
	('crm.campaign', 3::bigint), ('crm.customer', 40), ('crm.lead', 4), ('crm.opportunity', 20), ('crm.task', 4), ('crm.ticket', 12)$$, 'a preview counts what is open');
SELECT is_empty('(TABLE before EXCEPT TABLE owned) UNION ALL (TABLE owned EXCEPT TABLE before)', 'and changes nothing');
SELECT is_empty('SELECT * FROM crm.ownership_transfer', 'nor is it recorded');
SELECT is((SELECT count(*) FROM crm.transfer_ownership(1, 2, preview => true) t WHERE t.ownership_transfer_id IS NOT NULL), 0::bigint, 'it has no number');

-- A transfer with a filter: what hangs on the customers of the filter; nothing without a customer.
CREATE TEMPORARY TABLE interactions AS SELECT max(interaction_id) AS last FROM crm.interaction;
SELECT results_eq($$SELECT relation, rows FROM crm.transfer_ownership(1, 2, 'region_id = 1', 'south is Bob''s') ORDER BY relation$$, $$VALUES
	('crm.campaign', 0::bigint), ('crm.customer', 20), ('crm.lead', 1), ('crm.opportunity', 10), ('crm.task', 1), ('crm.ticket', 6)$$, 'a filter chooses customers and what hangs on them');
SELECT set_eq('SELECT relation, key FROM owned WHERE owner = 2', $$
	SELECT b.relation, b.key FROM before b
	WHERE b.owner = 1 AND (b.relation = 'crm.customer' AND b.key::int % 2 = 0
		OR b.relation = 'crm.opportunity' AND split_part(b.key, ',', 1)::int % 2 = 0 AND split_part(b.key, ',', 2)::int % 6 < 4
		OR b.relation = 'crm.ticket' AND split_part(b.key, ',', 1)::int % 2 = 0 AND split_part(b.key, ',', 1)::int % 5 < 3
		OR b.relation = 'crm.task' AND b.key = '6' OR b.relation = 'crm.lead' AND b.key = '6')$$, 'exactly those');
SELECT set_eq('SELECT relation, key, owner FROM owned WHERE owner IS DISTINCT FROM 2', $$SELECT relation, key, owner FROM before b WHERE NOT EXISTS (SELECT FROM owned o WHERE o.relation = b.relation AND o.key = b.key AND o.owner = 2)$$, 'all others are as they were');
SELECT results_eq('SELECT from_agent_id, to_agent_id, filter, reason, transferred_by, undone_at FROM crm.ownership_transfer', $$VALUES (1::bigint, 2::bigint, 'region_id = 1', 'south is Bob''s', CURRENT_USER, NULL::timestamptz)$$, 'the transfer is recorded');
SELECT is((SELECT count(*) FROM crm.ownership_transfer_row), 38::bigint, 'with a row for each row');
SELECT is((SELECT count(*) FROM crm.interaction i, interactions l WHERE i.interaction_id > l.last AND i.kind = 'customer' AND i.detail -> 'new' ->> 'owner_id' = '2'), 20::bigint, 'the timeline of each customer says so');
SELECT is((SELECT string_agg(DISTINCT agent_id::text, '') FROM (SELECT agent_id FROM crm.sales_order UNION SELECT agent_id FROM crm.note) a), '1', 'who sold and who wrote stays');

-- Back: what has another owner by now, or is gone, is left and counted.
UPDATE crm.customer SET owner_id = 3 WHERE customer_id IN (2, 4);
UPDATE crm.customer SET owner_id = 1 WHERE customer_id = 6;
DELETE FROM crm.task WHERE task_id = 6;
UPDATE crm.ticket SET status = 'closed' WHERE ticket_id = 2;
SELECT results_eq('SELECT * FROM crm.undo_transfer(1)', $$VALUES ('crm.customer', 17::bigint, 3::bigint), ('crm.lead', 1, 0), ('crm.opportunity', 10, 0), ('crm.task', 0, 1), ('crm.ticket', 6, 0)$$, 'undone, but for what has moved on');
SELECT set_eq('TABLE owned', $$SELECT relation, key, CASE WHEN relation = 'crm.customer' AND key IN ('2', '4') THEN 3 ELSE owner END FROM before WHERE (relation, key) <> ('crm.task', '6')$$, 'everything else is where it was');
SELECT isnt((SELECT undone_at FROM crm.ownership_transfer), NULL, 'that is recorded');
SELECT throws_ok('SELECT crm.undo_transfer(1)', '55000', 'transfer 1 was undone already', 'once');

-- Everything, and back after a merge: the rows of the duplicate are found with the survivor.
SELECT is((SELECT sum(rows) FROM crm.transfer_ownership(1, 2, reason => 'Anna left')), (38 + 3 + 4 + 20 + 3 + 11)::numeric, 'without a filter all that is open');
CREATE TEMPORARY TABLE merged AS SELECT crm.merge_customers(12, 13) AS id;
SELECT is((SELECT owner_id FROM crm.opportunity WHERE customer_id = 12 AND opportunity_id = 13), 2::bigint, 'a deal of the duplicate is with the survivor');
SELECT is_empty('SELECT * FROM crm.undo_transfer(2) WHERE moved_on > 0', 'nothing has moved on');
SELECT is_empty('SELECT * FROM owned WHERE owner = 2', 'all of it is back');
SELECT is((SELECT owner_id FROM crm.customer WHERE customer_id = 13), 1::bigint, 'the duplicate, too');

-- A customer table with RLS or a column of the user's: the filter reads it as the caller, in the caller's search_path.
CREATE SCHEMA test_transfer;
CREATE TABLE test_transfer.vip (id bigint);
INSERT INTO test_transfer.vip VALUES (1), (45);
ALTER TABLE crm.customer ADD COLUMN zone text;
UPDATE crm.customer SET zone = 'x' WHERE customer_id < 4;
SET LOCAL search_path = test_transfer, public;
SELECT is((SELECT rows FROM crm.transfer_ownership(1, 2, 'customer_id IN (SELECT id FROM vip)', preview => true) WHERE relation = 'crm.customer'), 1::bigint, 'a filter finds tables in the caller''s search_path');
SELECT is((SELECT rows FROM crm.transfer_ownership(1, 2, 'zone = ''x'' -- three of them', preview => true) WHERE relation = 'crm.customer'), 2::bigint, 'and columns of the user''s; a comment at its end does no harm');
SELECT is((SELECT rows FROM crm.transfer_ownership(1, 2, 'NULL', preview => true) WHERE relation = 'crm.customer'), 0::bigint, 'NULL is not true');
SELECT throws_ok($$SELECT crm.transfer_ownership(1, 2, 'true); DELETE FROM crm.task; --', preview => true)$$, '42601', NULL, 'a filter is no way to a second statement');
SELECT throws_ok($$SELECT crm.transfer_ownership(1, 2, 'crm.resolve_customer(''x'', ''y'') IS NOT NULL', preview => true)$$, '25006', NULL, 'nor to a function that writes');
SELECT throws_ok($$SELECT crm.transfer_ownership(1, 2, 'owner')$$, '22004', 'argument "reason" must not be null', 'a transfer wants a reason');
SELECT throws_ok($$SELECT crm.transfer_ownership(1, 2, 'owner', 'x')$$, '42703', NULL, 'a condition that is none is an error of PostgreSQL''s');
RESET search_path;

-- Agents
SELECT throws_ok($$SELECT crm.transfer_ownership(1, 4, reason => 'x')$$, '55000', 'agent 4 is not active', 'not to an agent who is not active');
SELECT lives_ok($$SELECT crm.transfer_ownership(4, 1, reason => 'x')$$, 'but from one');
SELECT throws_ok($$SELECT crm.transfer_ownership(1, 4, preview => true)$$, '55000', 'agent 4 is not active', 'a preview says so, too');
SELECT throws_ok($$SELECT crm.transfer_ownership(1, 1, reason => 'x')$$, '22023', 'arguments "from_agent" and "to_agent" must differ', 'not to the same one');
SELECT throws_ok($$SELECT crm.transfer_ownership(9, 1, reason => 'x')$$, '42704', 'there is no agent 9', 'not from nobody');
SELECT throws_ok($$SELECT crm.transfer_ownership(1, 9, reason => 'x')$$, '42704', 'there is no agent 9', 'not to nobody');
SELECT throws_ok($$SELECT crm.undo_transfer(99)$$, '42704', 'there is no transfer 99', 'only a transfer is undone');

-- The tables
CREATE TEMPORARY TABLE my AS SELECT '{ownership_transfer, ownership_transfer_row}'::text[] AS tables;
SELECT pg_temp.refuses_keys(tables) FROM my;
SELECT pg_temp.refuses('UPDATE crm.ownership_transfer SET to_agent_id = from_agent_id', 'ownership_transfer_to_agent_id_check');
SELECT pg_temp.refuses($$UPDATE crm.ownership_transfer SET reason = ''$$, 'ownership_transfer_reason_check');
SELECT pg_temp.refuses('UPDATE crm.ownership_transfer SET undone_at = now(), undone_by = NULL', 'ownership_transfer_undone_at_check');
SELECT pg_temp.refuses($$UPDATE crm.ownership_transfer_row SET key = '5'$$, 'ownership_transfer_row_key_check');
SELECT is_empty('SELECT pg_temp.never_refused(tables) FROM my', 'each constraint has refused something');

SELECT * FROM finish();
ROLLBACK;
