-- simulate_crm and views: what crm.simulate_crm() says when it refuses, and crm.setup() when something depends on a view.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SELECT crm.simulate_crm();
SELECT count(*) > 0 AS is_set_up FROM crm.setup();
SELECT crm.simulate_crm(0);
SELECT crm.simulate_crm(1000001);
SELECT crm.simulate_crm(NULL);
SELECT crm.simulate_crm(1, NULL);
SELECT crm.simulate_crm(1, 1, NULL);
SELECT crm.simulate_crm(1, 1, '-infinity');
SELECT crm.simulate_crm(1, 1, '3000-01-01');

INSERT INTO crm.region (name) VALUES ('Mine');
SELECT crm.simulate_crm(1);
DELETE FROM crm.region;
UPDATE crm.pipeline_stage SET name = 'Offer' WHERE name = 'Proposal';
SELECT crm.simulate_crm(1);
UPDATE crm.pipeline_stage SET name = 'Proposal' WHERE name = 'Offer';
SELECT * FROM crm.simulate_crm(1, 1, '2026-01-01') WHERE table_name IN ('region', 'customer', 'product', 'campaign');
SELECT crm.simulate_crm(1);

-- a view that an older version made
DROP VIEW crm.customer_portrait;
CREATE VIEW crm.customer_portrait AS SELECT 1 AS of_before;
CREATE VIEW crm_simulate_mine AS SELECT * FROM crm.customer_portrait;
SELECT crm.setup();
DROP VIEW crm_simulate_mine;
SELECT count(*) > 0 AS is_set_up FROM crm.setup();
SELECT customer_id, orders FROM crm.customer_portrait;

SELECT crm.uninstall('drop all customer data');
