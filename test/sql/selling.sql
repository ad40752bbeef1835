-- selling: what the triggers of the organisation, products, the pipeline and sales say when they refuse.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SELECT count(*) > 0 AS is_set_up FROM crm.setup();

-- trees
INSERT INTO crm.region (region_id, parent_id, name) VALUES (1, NULL, 'Europe'), (2, 1, 'Alps'), (3, 2, 'Engadin');
UPDATE crm.region SET parent_id = 3 WHERE region_id = 1;
INSERT INTO crm.product_category (product_category_id, parent_id, name) VALUES (1, 1, 'in itself');

-- currencies
INSERT INTO crm.customer (customer_id) VALUES (1);
INSERT INTO crm.sales_order (customer_id, ordered_at, amount, currency) VALUES (1, '2026-01-31', 100, 'EUR');
INSERT INTO crm.opportunity (customer_id, name, amount, currency, created_at) VALUES (1, 'deal', 100, 'it''s', '2026-01-31');
INSERT INTO crm.sales_order (customer_id, ordered_at, amount, currency) VALUES (1, 'infinity', 100, 'EUR');

-- stages
INSERT INTO crm.lost_reason (lost_reason_id, name) VALUES (1, 'price');
INSERT INTO crm.opportunity (customer_id, opportunity_id, name, created_at, stage_entered_at) VALUES (1, 1, 'deal', '2026-01-01', '2026-01-02');
UPDATE crm.opportunity SET stage_entered_at = '2026-01-03';
UPDATE crm.opportunity SET pipeline_stage_id = 2, stage_entered_at = '2026-01-01';
UPDATE crm.opportunity SET closed_at = '2026-01-03';
UPDATE crm.opportunity SET lost_reason_id = 1;
INSERT INTO crm.opportunity (customer_id, opportunity_id, name, stage_entered_at, lost_reason_id) VALUES (1, 2, 'deal', '2026-01-02', 1);
UPDATE crm.pipeline_stage SET outcome = 'lost', probability = 0 WHERE name = 'New';

-- returns
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, amount, status) VALUES (1, 1, '2026-01-31', 100, 'paid'), (1, 2, '2026-01-31', 100, 'draft');
INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) VALUES (1, 1, '2026-02-01', 60), (1, 1, '2026-02-01', 40.01);
INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) VALUES (1, 1, '2026-02-01', 60);
UPDATE crm.sales_order SET amount = 59 WHERE sales_order_id = 1;
UPDATE crm.sales_order SET status = 'cancelled' WHERE sales_order_id = 1;
INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) VALUES (1, 2, '2026-02-01', 1);

SELECT crm.uninstall('drop all customer data');
