-- campaign: the errors of campaigns and segments, with their details and hints.
\set SHOW_CONTEXT never
\pset null '(null)'
SET client_min_messages = warning;

-- before crm.setup()
SELECT * FROM crm.segment_members('all');
SELECT * FROM crm.campaign_add_segment('letter', 'all');
SELECT count(*) > 0 AS made FROM crm.setup();

INSERT INTO crm.customer (customer_id, name) VALUES (1, 'one'), (2, 'two');
INSERT INTO crm.campaign (campaign_id, name) VALUES (1, 'letter');
INSERT INTO crm.campaign_member (customer_id, campaign_id, is_holdout) VALUES (1, 1, true), (2, 1, false);
INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) VALUES (2, 1, now(), 'sent');

-- holdouts
INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) VALUES (1, 1, now(), 'sent');
UPDATE crm.campaign_member SET is_holdout = true WHERE customer_id = 2;

-- segments
INSERT INTO crm.segment (name, kind, query) VALUES
	('nameless', 'query', 'SELECT 1 AS id'), ('worded', 'query', 'SELECT ''x'' AS customer_id'), ('two', 'query', 'SELECT 1 AS customer_id) q; SELECT 1 AS customer_id FROM (SELECT 2 AS customer_id'),
	('writing', 'query', 'SELECT crm.log_interaction(1, ''call'') AS customer_id');
SELECT * FROM crm.segment_members(NULL);
SELECT * FROM crm.segment_members('');
SELECT * FROM crm.segment_members('none');
SELECT * FROM crm.segment_members('nameless');
SELECT * FROM crm.segment_members('worded');
SELECT * FROM crm.segment_members('two');
SELECT * FROM crm.segment_members('writing');

-- joining a campaign
SELECT * FROM crm.campaign_add_segment(NULL, 'nameless');
SELECT * FROM crm.campaign_add_segment('letter', NULL);
SELECT * FROM crm.campaign_add_segment('none', 'nameless');
SELECT * FROM crm.campaign_add_segment('letter', 'none');
SELECT * FROM crm.campaign_add_segment('letter', 'two', holdout_share => NULL);
SELECT * FROM crm.campaign_add_segment('letter', 'two', holdout_share => 1.5);
SELECT * FROM crm.campaign_add_segment('letter', 'two', holdout_share => 'NaN');
SELECT * FROM crm.campaign_add_segment('letter', 'two', seed => NULL);
SELECT * FROM crm.campaign_add_segment('letter', 'two', purpose => NULL);
SELECT * FROM crm.campaign_add_segment('letter', 'two', purpose => '');
SELECT * FROM crm.campaign_add_segment('letter', 'two', require_consent => NULL);

SELECT crm.uninstall('drop all customer data');
