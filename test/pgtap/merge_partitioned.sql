-- A merge moves the log with partitions, and where its owner is subject to row security; one with thousands of rows, too.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
SELECT * FROM no_plan();
CREATE ROLE regress_crm_owner;
GRANT CREATE, USAGE ON SCHEMA crm TO regress_crm_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO regress_crm_owner;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_crm_owner', current_database()); END $$;
SET LOCAL ROLE regress_crm_owner;
SELECT lives_ok('SELECT crm.setup(partition_interactions => true, row_security => true)', 'the CRM is set up');
\ir lib/two_customers.sql

SELECT crm.log_interactions(array_agg(2::bigint), 'call', occurred_at => array_agg(now() - n * interval '1 day')) IS NULL AS x FROM generate_series(-40, 40) n \gset
INSERT INTO crm.sales_order (customer_id, ordered_at, amount) SELECT 2, '2025-01-01'::timestamptz + n * interval '1 minute', n FROM generate_series(1, 3000) n;
INSERT INTO crm.sales_order_item (customer_id, sales_order_id, line_number, product_id, quantity, unit_price)
SELECT customer_id, sales_order_id, 1, 1, 1, 1 FROM crm.sales_order WHERE ordered_at < '2026-01-01';
SELECT ok(row_security_active('crm.interaction') AND row_security_active('crm.customer'), 'its owner is subject to row security');
SELECT cmp_ok((SELECT count(DISTINCT tableoid) FROM crm.interaction WHERE customer_id = 2), '>', 3::bigint, 'the log of the duplicate lies in several partitions');
ANALYZE;

CREATE TEMPORARY TABLE digest AS SELECT * FROM pg_temp.digests();
CREATE TEMPORARY TABLE log AS SELECT tableoid AS partition, * FROM crm.interaction;
CREATE TEMPORARY TABLE merged AS SELECT crm.merge_customers(1, 2) AS id;
SELECT is_empty($$SELECT * FROM pg_temp.rows_of(2) WHERE rows > 0 AND relation <> 'crm.interaction'$$, 'the duplicate has nothing any more');
SELECT is_empty('SELECT * FROM crm.interaction i JOIN log l USING (interaction_id, occurred_at) WHERE l.customer_id = 2 AND (i.customer_id <> 1 OR i.tableoid <> l.partition)', 'its log is the survivor''s, each row in its partition');
SELECT is((SELECT count(*) FROM crm.customer_merge_row WHERE relation = 'crm.interaction'), (SELECT count(*) FROM log WHERE customer_id = 2), 'and recorded');
SELECT is_empty('SELECT * FROM crm.unmerge_customers((SELECT id FROM merged)) WHERE missing > 0', 'all of it comes back');
SELECT is_empty('(TABLE digest EXCEPT SELECT * FROM pg_temp.digests()) UNION ALL (SELECT * FROM pg_temp.digests() EXCEPT TABLE digest)', 'every table is as it was');
SELECT is_empty('TABLE log EXCEPT SELECT tableoid AS partition, * FROM crm.interaction', 'the log has every row as it was');

SELECT * FROM finish();
ROLLBACK;
