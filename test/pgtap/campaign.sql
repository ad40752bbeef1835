-- Campaigns, costs, members, events and touches: what is refused, and that holdouts are never contacted.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
CREATE TEMPORARY TABLE made AS SELECT * FROM crm.setup();

INSERT INTO crm.agent (agent_id, name) VALUES (1, 'A');
INSERT INTO crm.customer (customer_id, name) SELECT n, 'customer ' || n FROM generate_series(1, 20) n;
INSERT INTO crm.campaign (campaign_id, name, channel, owner_id) VALUES (1, 'spring', 'mail', 1), (2, 'autumn', 'phone', NULL);
INSERT INTO crm.campaign (campaign_id, name, parent_id) VALUES (3, 'spring, second letter', 1);
INSERT INTO crm.campaign_cost (campaign_id, campaign_cost_id, spent_on, amount) VALUES (1, 1, '2026-03-01', 100), (1, 2, '2026-03-02', 0);
INSERT INTO crm.campaign_member (customer_id, campaign_id, is_holdout) VALUES (1, 1, false), (2, 1, true), (3, 2, false);
INSERT INTO crm.campaign_event (customer_id, campaign_event_id, campaign_id, occurred_at, event) VALUES (1, 1, 1, '2026-03-05', 'sent');
INSERT INTO crm.touch (customer_id, touch_id, touched_at, channel, campaign_id) VALUES (1, 1, '2026-03-05', 'mail', 1);
CREATE TEMPORARY TABLE resynced AS SELECT * FROM crm.resync_sequences();

-- Each key and check refuses.
CREATE TEMPORARY TABLE refusal (constraint_name text, statement text);
INSERT INTO refusal VALUES
	('campaign_pkey', $$INSERT INTO crm.campaign (campaign_id, name) VALUES (1, 'again')$$),
	('campaign_name_key', $$INSERT INTO crm.campaign (name) VALUES ('spring')$$),
	('campaign_name_check', $$INSERT INTO crm.campaign (name) VALUES ('')$$),
	('campaign_owner_id_fkey', $$INSERT INTO crm.campaign (name, owner_id) VALUES ('x', 99)$$),
	('campaign_owner_id_fkey', 'DELETE FROM crm.agent WHERE agent_id = 1'),
	('campaign_parent_id_fkey', $$INSERT INTO crm.campaign (name, parent_id) VALUES ('x', 99)$$),
	('campaign_parent_id_fkey', 'DELETE FROM crm.campaign WHERE campaign_id = 1'),
	('campaign_ends_at_check', $$INSERT INTO crm.campaign (name, starts_at, ends_at) VALUES ('x', '2026-02-01', '2026-01-31')$$),
	('campaign_budget_check', $$INSERT INTO crm.campaign (name, budget) VALUES ('x', -0.01)$$),
	('campaign_budget_check', $$INSERT INTO crm.campaign (name, budget) VALUES ('x', 'NaN')$$),
	('campaign_budget_check', $$INSERT INTO crm.campaign (name, budget) VALUES ('x', 'Infinity')$$),
	('campaign_status_check', $$INSERT INTO crm.campaign (name, status) VALUES ('x', 'over')$$),
	('campaign_attributes_check', $$INSERT INTO crm.campaign (name, attributes) VALUES ('x', '[]')$$),
	('campaign_cost_pkey', $$INSERT INTO crm.campaign_cost (campaign_id, campaign_cost_id, spent_on, amount) VALUES (2, 1, '2026-03-01', 1)$$),
	('campaign_cost_campaign_id_fkey', $$INSERT INTO crm.campaign_cost (campaign_id, spent_on, amount) VALUES (99, '2026-03-01', 1)$$),
	('campaign_cost_amount_check', $$INSERT INTO crm.campaign_cost (campaign_id, spent_on, amount) VALUES (1, '2026-03-01', -1)$$),
	('campaign_cost_amount_check', $$INSERT INTO crm.campaign_cost (campaign_id, spent_on, amount) VALUES (1, '2026-03-01', 'NaN')$$),
	('campaign_member_pkey', 'INSERT INTO crm.campaign_member (customer_id, campaign_id) VALUES (1, 1)'),
	('campaign_member_customer_id_fkey', 'INSERT INTO crm.campaign_member (customer_id, campaign_id) VALUES (99, 1)'),
	('campaign_member_campaign_id_fkey', 'INSERT INTO crm.campaign_member (customer_id, campaign_id) VALUES (1, 99)'),
	('campaign_event_pkey', $$INSERT INTO crm.campaign_event (customer_id, campaign_event_id, campaign_id, occurred_at, event) VALUES (1, 1, 1, now(), 'sent')$$),
	('campaign_event_customer_id_fkey', $$INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) VALUES (99, 1, now(), 'sent')$$),
	('campaign_event_customer_id_fkey', 'DELETE FROM crm.customer WHERE customer_id = 1'),
	('campaign_event_campaign_id_fkey', $$INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) VALUES (1, 99, now(), 'sent')$$),
	('campaign_event_event_check', $$INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) VALUES (1, 1, now(), 'seen')$$),
	('campaign_event_amount_check', $$INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event, amount) VALUES (1, 1, now(), 'convert', 'NaN')$$),
	('campaign_event_amount_check', $$INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event, amount) VALUES (1, 1, now(), 'convert', '-Infinity')$$),
	('touch_pkey', $$INSERT INTO crm.touch (customer_id, touch_id, touched_at, channel) VALUES (1, 1, now(), 'mail')$$),
	('touch_customer_id_fkey', $$INSERT INTO crm.touch (customer_id, touched_at, channel) VALUES (99, now(), 'mail')$$),
	('touch_campaign_id_fkey', $$INSERT INTO crm.touch (customer_id, touched_at, channel, campaign_id) VALUES (1, now(), 'mail', 99)$$),
	('touch_channel_check', $$INSERT INTO crm.touch (customer_id, touched_at, channel) VALUES (1, now(), '')$$),
	('touch_amount_check', $$INSERT INTO crm.touch (customer_id, touched_at, channel, amount) VALUES (1, now(), 'mail', 'Infinity')$$),
	('touch_cost_check', $$INSERT INTO crm.touch (customer_id, touched_at, channel, cost) VALUES (1, now(), 'mail', -1)$$);
SELECT throws_like(statement, '%"' || constraint_name || '"%', constraint_name || ' refuses: ' || statement) FROM refusal;
SELECT set_eq($$SELECT c.conname::text FROM pg_constraint c WHERE c.contype IN ('c', 'f', 'p', 'u')
	AND c.conrelid = ANY ('{crm.campaign,crm.campaign_cost,crm.campaign_member,crm.campaign_event,crm.touch}'::regclass[])$$,
	'SELECT DISTINCT constraint_name FROM refusal', 'each key and check of the campaigns has a test of its refusal');

-- Members go with their campaign, unless something happened; ends of what is open are open.
SELECT lives_ok('DELETE FROM crm.campaign WHERE campaign_id = 2', 'a campaign without events goes');
SELECT is_empty('SELECT * FROM crm.campaign_member WHERE campaign_id = 2', 'and its members with it');
SELECT throws_ok('DELETE FROM crm.campaign WHERE campaign_id = 1', '23503', NULL, 'one with events stays');
SELECT lives_ok($$INSERT INTO crm.campaign (name, starts_at) VALUES ('endless', now())$$, 'a campaign needs no end');

SELECT throws_ok('UPDATE crm.campaign SET parent_id = 3 WHERE campaign_id = 1', '23514', 'campaign 1 would be a part of itself', 'a campaign is no part of its parts');
SELECT throws_ok('UPDATE crm.campaign SET parent_id = 1 WHERE campaign_id = 1', '23514', 'campaign 1 would be a part of itself', 'nor of itself');

-- Holdouts
SELECT throws_ok(format($$INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) VALUES (2, 1, now(), %L)$$, e), '23514',
	'customer 2 is held out of campaign 1', 'a holdout gets no ' || e)
FROM unnest('{sent,delivered,open,click,reply,optout,hard_bounce,soft_bounce}'::text[]) e;
SELECT lives_ok($$INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event, amount) VALUES (2, 1, '2026-03-06', 'convert', 50)$$, 'a holdout may convert');
SELECT throws_ok($$UPDATE crm.campaign_event SET event = 'sent' WHERE customer_id = 2$$, '23514', 'customer 2 is held out of campaign 1', 'and its conversion cannot become something else');
SELECT lives_ok($$INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) VALUES (2, 3, now(), 'sent')$$, 'it is held out of that campaign only');
SELECT throws_ok('UPDATE crm.campaign_event SET campaign_id = 1 WHERE customer_id = 2 AND campaign_id = 3', '23514', 'customer 2 is held out of campaign 1', 'and an event cannot move there');
SELECT throws_ok('UPDATE crm.campaign_member SET is_holdout = true WHERE customer_id = 1', '23514', 'customer 1 has been contacted by campaign 1', 'who was contacted cannot be held out');
SELECT throws_ok('INSERT INTO crm.campaign_member (customer_id, campaign_id, is_holdout) VALUES (2, 3, true)', '23514', 'customer 2 has been contacted by campaign 3', 'nor be added as a holdout');
SELECT lives_ok($$INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) VALUES (4, 1, now(), 'convert')$$, 'who is no member may convert');
SELECT lives_ok('INSERT INTO crm.campaign_member (customer_id, campaign_id, is_holdout) VALUES (4, 1, true)', 'and be held out, as a conversion is no contact');
SELECT lives_ok($$UPDATE crm.campaign_member SET is_holdout = false WHERE customer_id = 2 AND campaign_id = 1$$, 'a holdout can be let in');
SELECT lives_ok($$INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) VALUES (2, 1, now(), 'sent')$$, 'and contacted then');

-- The log
SELECT results_eq($$SELECT occurred_at, kind, direction, action, detail -> 'new' FROM crm.interaction WHERE customer_id = 2 AND reference = 'crm.campaign_event' AND occurred_at = '2026-03-06'$$,
	$$VALUES ('2026-03-06'::timestamptz, 'campaign', 'out', 'insert', '{"event": "convert", "campaign_id": 1}'::jsonb)$$, 'events are logged, amounts are not');

SELECT * FROM finish();
ROLLBACK;
