-- Tickets: what is refused, what the triggers keep, and what is due.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
CREATE TEMPORARY TABLE made AS SELECT * FROM crm.setup();

SELECT results_eq('SELECT priority, first_response < resolution FROM crm.sla_policy ORDER BY first_response', $$VALUES ('urgent', true), ('high', true), ('normal', true), ('low', true)$$,
	'a policy for each priority, the more urgent the faster');
INSERT INTO crm.agent (agent_id, name) VALUES (1, 'A');
INSERT INTO crm.region (region_id, name) VALUES (1, 'R');
INSERT INTO crm.product (product_id, sku, name) VALUES (1, 'P', 'P');
INSERT INTO crm.root_cause (root_cause_id, name) VALUES (1, 'wrong address');
INSERT INTO crm.customer (customer_id, name) VALUES (1, 'one'), (2, 'two');
INSERT INTO crm.ticket (customer_id, ticket_id, subject, owner_id, product_id, region_id, root_cause_id) VALUES (1, 1, 'broken', 1, 1, 1, 1);
INSERT INTO crm.ticket_message (customer_id, ticket_id, ticket_message_id, direction, agent_id) VALUES (1, 1, 1, 'internal', 1);
INSERT INTO crm.holiday VALUES ('2026-12-25', 'Christmas');
INSERT INTO crm.survey (name, kind, scale_min, scale_max) VALUES ('satisfied', 'csat', 1, 5);
INSERT INTO crm.campaign (name) VALUES ('letter');
CREATE TEMPORARY TABLE resynced AS SELECT * FROM crm.resync_sequences();

CREATE FUNCTION pg_temp.ticket(columns text, ticket_values text) RETURNS text LANGUAGE sql AS $$ SELECT format('INSERT INTO crm.ticket (customer_id, subject%s) VALUES (%s)', columns, ticket_values) $$;
CREATE TEMPORARY TABLE refusal (constraint_name text, statement text);
INSERT INTO refusal VALUES
	('root_cause_pkey', $$INSERT INTO crm.root_cause (root_cause_id, name) VALUES (1, 'x')$$),
	('root_cause_name_key', $$INSERT INTO crm.root_cause (name) VALUES ('wrong address')$$),
	('root_cause_name_check', $$INSERT INTO crm.root_cause (name) VALUES ('')$$),
	('sla_policy_pkey', $$UPDATE crm.sla_policy SET sla_policy_id = (SELECT p.sla_policy_id FROM crm.sla_policy p WHERE p.priority = 'low') WHERE priority = 'high'$$),
	('sla_policy_name_key', $$UPDATE crm.sla_policy SET name = 'Low' WHERE priority = 'high'$$),
	('sla_policy_priority_key', $$INSERT INTO crm.sla_policy (name, priority, first_response, resolution) VALUES ('second', 'high', '1 hour', '1 hour')$$),
	('sla_policy_name_check', $$UPDATE crm.sla_policy SET name = ''$$),
	('sla_policy_priority_check', $$UPDATE crm.sla_policy SET priority = 'lowest' WHERE priority = 'low'$$),
	('sla_policy_first_response_check', $$UPDATE crm.sla_policy SET first_response = '0'$$),
	('sla_policy_resolution_check', $$UPDATE crm.sla_policy SET resolution = '-1 hour'$$),
	('sla_policy_closes_check', $$UPDATE crm.sla_policy SET opens = '09:00', closes = '09:00'$$),
	('sla_policy_weekdays_check', $$UPDATE crm.sla_policy SET weekdays = '{}'$$),
	('sla_policy_weekdays_check', $$UPDATE crm.sla_policy SET weekdays = '{0,1}'$$),
	('sla_policy_weekdays_check', $$UPDATE crm.sla_policy SET weekdays = '{1,NULL}'$$),
	('holiday_pkey', $$INSERT INTO crm.holiday VALUES ('2026-12-25', 'again')$$),
	('holiday_day_check', $$INSERT INTO crm.holiday VALUES ('infinity', 'for ever')$$),
	('ticket_pkey', pg_temp.ticket(', ticket_id', $$1, 'x', 1$$)),
	('ticket_customer_id_fkey', pg_temp.ticket('', $$99, 'x'$$)),
	('ticket_owner_id_fkey', pg_temp.ticket(', owner_id', $$1, 'x', 99$$)),
	('ticket_owner_id_fkey', 'DELETE FROM crm.agent'),
	('ticket_product_id_fkey', pg_temp.ticket(', product_id', $$1, 'x', 99$$)),
	('ticket_region_id_fkey', pg_temp.ticket(', region_id', $$1, 'x', 99$$)),
	('ticket_root_cause_id_fkey', pg_temp.ticket(', root_cause_id', $$1, 'x', 99$$)),
	('ticket_root_cause_id_fkey', 'DELETE FROM crm.root_cause'),
	('ticket_subject_check', pg_temp.ticket('', $$1, ''$$)),
	('ticket_status_check', pg_temp.ticket(', status', $$1, 'x', 'lost'$$)),
	('ticket_priority_check', pg_temp.ticket(', priority', $$1, 'x', 'lowest'$$)),
	('ticket_opened_at_check', pg_temp.ticket(', opened_at, response_due_at, resolution_due_at', $$1, 'x', 'infinity', now(), now()$$)),
	('ticket_first_response_at_check', pg_temp.ticket(', opened_at, first_response_at', $$1, 'x', '2026-01-02', '2026-01-01'$$)),
	('ticket_resolved_at_check', pg_temp.ticket(', status, opened_at, resolved_at', $$1, 'x', 'solved', '2026-01-02', '2026-01-01'$$)),
	('ticket_resolved_check', pg_temp.ticket(', status, opened_at, resolved_at', $$1, 'x', 'open', '2026-01-02', '2026-01-03'$$)),
	('ticket_resolved_check', 'UPDATE crm.ticket SET resolved_at = now() WHERE ticket_id = 1'),
	('ticket_reopened_count_check', pg_temp.ticket(', reopened_count', $$1, 'x', -1$$)),
	('ticket_attributes_check', pg_temp.ticket(', attributes', $$1, 'x', '[1]'$$)),
	('ticket_message_pkey', $$INSERT INTO crm.ticket_message (customer_id, ticket_id, ticket_message_id, direction) VALUES (1, 1, 1, 'in')$$),
	('ticket_message_customer_id_ticket_id_fkey', $$INSERT INTO crm.ticket_message (customer_id, ticket_id, direction) VALUES (2, 1, 'in')$$),
	('ticket_message_agent_id_fkey', $$INSERT INTO crm.ticket_message (customer_id, ticket_id, direction, agent_id) VALUES (1, 1, 'in', 99)$$),
	('ticket_message_direction_check', $$INSERT INTO crm.ticket_message (customer_id, ticket_id, direction) VALUES (1, 1, 'sideways')$$),
	('ticket_message_sent_at_check', $$INSERT INTO crm.ticket_message (customer_id, ticket_id, direction, sent_at) VALUES (1, 1, 'in', 'infinity')$$);
SELECT throws_like(statement, '%"' || constraint_name || '"%', constraint_name || ' refuses: ' || statement) FROM refusal;
SELECT set_eq($$SELECT c.conname::text FROM pg_constraint c WHERE c.contype IN ('c', 'f', 'p', 'u')
	AND c.conrelid = ANY ('{crm.root_cause,crm.sla_policy,crm.holiday,crm.ticket,crm.ticket_message}'::regclass[])$$,
	'SELECT DISTINCT constraint_name FROM refusal', 'each key and check of the service has a test of its refusal');

-- Solved, closed, reopened
CREATE FUNCTION pg_temp.state(number bigint) RETURNS TABLE (status text, resolved_at timestamptz, reopened_count integer) LANGUAGE sql AS $$
	SELECT t.status, t.resolved_at, t.reopened_count FROM crm.ticket t WHERE t.ticket_id = number $$;
INSERT INTO crm.ticket (customer_id, ticket_id, subject, opened_at) VALUES (1, 10, 'x', '2026-01-01');
UPDATE crm.ticket SET status = 'open' WHERE ticket_id = 10;
SELECT results_eq('SELECT * FROM pg_temp.state(10)', $$VALUES ('open', NULL::timestamptz, 0)$$, 'open');
UPDATE crm.ticket SET status = 'pending' WHERE ticket_id = 10;
UPDATE crm.ticket SET status = 'solved', resolved_at = '2026-01-05' WHERE ticket_id = 10;
SELECT results_eq('SELECT * FROM pg_temp.state(10)', $$VALUES ('solved', '2026-01-05'::timestamptz, 0)$$, 'solved, at the given moment');
UPDATE crm.ticket SET status = 'closed' WHERE ticket_id = 10;
SELECT results_eq('SELECT * FROM pg_temp.state(10)', $$VALUES ('closed', '2026-01-05'::timestamptz, 0)$$, 'closed, resolved when it was solved');
UPDATE crm.ticket SET status = 'open' WHERE ticket_id = 10;
SELECT results_eq('SELECT * FROM pg_temp.state(10)', $$VALUES ('open', NULL::timestamptz, 1)$$, 'reopened');
UPDATE crm.ticket SET status = 'open', queue = 'second level' WHERE ticket_id = 10;
SELECT results_eq('SELECT * FROM pg_temp.state(10)', $$VALUES ('open', NULL::timestamptz, 1)$$, 'still open is not reopened');
UPDATE crm.ticket SET status = 'solved' WHERE ticket_id = 10;
SELECT results_eq('SELECT * FROM pg_temp.state(10)', $$VALUES ('solved', now(), 1)$$, 'solved now');
UPDATE crm.ticket SET status = 'new' WHERE ticket_id = 10;
SELECT results_eq('SELECT * FROM pg_temp.state(10)', $$VALUES ('new', NULL::timestamptz, 2)$$, 'reopened again');
INSERT INTO crm.ticket (customer_id, ticket_id, subject, status) VALUES (1, 11, 'x', 'closed');
INSERT INTO crm.ticket (customer_id, ticket_id, subject, status, opened_at, resolved_at, reopened_count, first_response_at, response_due_at, resolution_due_at)
VALUES (1, 12, 'restored', 'solved', '2026-01-01', '2026-01-03', 3, '2026-01-02', '2026-01-04', '2026-01-05');
SELECT results_eq('SELECT * FROM pg_temp.state(11)', $$VALUES ('closed', now(), 0)$$, 'a ticket that begins closed is resolved');
SELECT results_eq('SELECT * FROM pg_temp.state(12)', $$VALUES ('solved', '2026-01-03'::timestamptz, 3)$$, 'given values stay');
SELECT results_eq('SELECT first_response_at, response_due_at, resolution_due_at FROM crm.ticket WHERE ticket_id = 12', $$VALUES ('2026-01-02'::timestamptz, '2026-01-04'::timestamptz, '2026-01-05'::timestamptz)$$, 'all of them');

-- First response: the earliest outgoing message since the ticket was opened
CREATE FUNCTION pg_temp.answered(number bigint) RETURNS timestamptz LANGUAGE sql AS $$ SELECT first_response_at FROM crm.ticket WHERE ticket_id = number $$;
INSERT INTO crm.ticket (customer_id, ticket_id, subject, opened_at) VALUES (1, 20, 'x', '2026-01-10');
INSERT INTO crm.ticket_message (customer_id, ticket_id, direction, sent_at) VALUES (1, 20, 'in', '2026-01-11'), (1, 20, 'internal', '2026-01-11'), (1, 20, 'out', '2026-01-09');
SELECT is(pg_temp.answered(20), NULL, 'neither a message from the customer, nor an internal one, nor one from before');
INSERT INTO crm.ticket_message (customer_id, ticket_id, direction, sent_at) VALUES (1, 20, 'out', '2026-01-14');
SELECT is(pg_temp.answered(20), '2026-01-14', 'the first answer');
INSERT INTO crm.ticket_message (customer_id, ticket_id, direction, sent_at) VALUES (1, 20, 'out', '2026-01-15');
SELECT is(pg_temp.answered(20), '2026-01-14', 'a second one changes nothing');
INSERT INTO crm.ticket_message (customer_id, ticket_id, direction, sent_at) VALUES (1, 20, 'out', '2026-01-13'), (1, 20, 'out', '2026-01-12'), (1, 20, 'out', '2026-01-16');
SELECT is(pg_temp.answered(20), '2026-01-12', 'one that was sent earlier and written down later wins');
SELECT is((SELECT count(*) FROM crm.ticket WHERE first_response_at IS NOT NULL AND ticket_id NOT IN (12, 20)), 0::bigint, 'other tickets are not touched');
SELECT lives_ok('DELETE FROM crm.ticket WHERE ticket_id = 20', 'a ticket goes');
SELECT is_empty('SELECT * FROM crm.ticket_message WHERE ticket_id = 20', 'with its messages');

-- What is due: 2026-12-24 is a Thursday, the 25th is a holiday.
UPDATE crm.sla_policy SET time_zone = 'Europe/Berlin', opens = '09:00', closes = '17:00', weekdays = '{1,2,3,4,5}', first_response = '4 hours', resolution = '10 hours' WHERE priority = 'normal';
CREATE FUNCTION pg_temp.due(number bigint) RETURNS TABLE (response timestamp, resolution timestamp) LANGUAGE sql AS $$
	SELECT response_due_at AT TIME ZONE 'Europe/Berlin', resolution_due_at AT TIME ZONE 'Europe/Berlin' FROM crm.ticket WHERE ticket_id = number $$;
INSERT INTO crm.ticket (customer_id, ticket_id, subject, opened_at) VALUES (1, 30, 'x', '2026-12-24 15:00 Europe/Berlin');
SELECT results_eq('SELECT * FROM pg_temp.due(30)', $$VALUES ('2026-12-28 11:00'::timestamp, '2026-12-28 17:00'::timestamp)$$, 'two hours on Thursday, the rest on Monday');
INSERT INTO crm.ticket (customer_id, ticket_id, subject, opened_at, response_due_at) VALUES (1, 31, 'x', '2026-12-24 15:00 Europe/Berlin', '2026-12-24 16:00 Europe/Berlin');
SELECT results_eq('SELECT * FROM pg_temp.due(31)', $$VALUES ('2026-12-24 16:00'::timestamp, '2026-12-28 17:00'::timestamp)$$, 'a given moment stays');
UPDATE crm.ticket SET subject = 'y', status = 'open' WHERE ticket_id = 30;
SELECT results_eq('SELECT * FROM pg_temp.due(30)', $$VALUES ('2026-12-28 11:00'::timestamp, '2026-12-28 17:00'::timestamp)$$, 'a promise is kept');
UPDATE crm.ticket SET priority = 'urgent' WHERE ticket_id = 30;
SELECT results_eq('SELECT * FROM pg_temp.due(30)', $$VALUES ('2026-12-24 16:00'::timestamp, '2026-12-24 23:00'::timestamp)$$, 'until the priority changes');
UPDATE crm.ticket SET first_response_at = '2026-12-24 15:30 Europe/Berlin' WHERE ticket_id = 30;
UPDATE crm.ticket SET priority = 'normal' WHERE ticket_id = 30;
SELECT results_eq('SELECT * FROM pg_temp.due(30)', $$VALUES ('2026-12-24 16:00'::timestamp, '2026-12-28 17:00'::timestamp)$$, 'what was answered is not promised again');
UPDATE crm.ticket SET priority = 'urgent', resolution_due_at = '2026-12-31 Europe/Berlin' WHERE ticket_id = 30;
SELECT results_eq('SELECT * FROM pg_temp.due(30)', $$VALUES ('2026-12-24 16:00'::timestamp, '2026-12-31'::timestamp)$$, 'what is given with the new priority stays');
DELETE FROM crm.sla_policy WHERE priority = 'low';
INSERT INTO crm.ticket (customer_id, ticket_id, subject, priority) VALUES (1, 32, 'x', 'low');
SELECT results_eq('SELECT * FROM pg_temp.due(32)', 'VALUES (NULL::timestamp, NULL::timestamp)', 'without a policy nothing is due');

-- The log
SELECT results_eq($$SELECT occurred_at, kind, detail FROM crm.interaction WHERE reference = 'crm.ticket' AND reference_key = '1,12' AND action = 'insert'$$,
	$$VALUES ('2026-01-01'::timestamptz, 'ticket', '{"new": {"queue": null, "status": "solved", "channel": null, "owner_id": null, "priority": "normal", "root_cause_id": null}}'::jsonb)$$, 'tickets are logged');
SELECT results_eq($$SELECT detail -> 'old' ->> 'status', detail -> 'new' ->> 'status' FROM crm.interaction WHERE reference = 'crm.ticket' AND reference_key = '1,10' AND action = 'update' ORDER BY interaction_id LIMIT 3$$,
	$$VALUES ('new', 'open'), ('open', 'pending'), ('pending', 'solved')$$, 'and what becomes of them');
SELECT is((SELECT count(*) FROM crm.interaction WHERE kind = 'ticket message' AND occurred_at = '2026-01-14'), 1::bigint, 'messages are logged when they were sent');
SELECT is_empty($$SELECT m.ticket_message_id FROM crm.ticket_message m LEFT JOIN crm.interaction i
	ON i.reference = 'crm.ticket_message' AND i.action = 'insert' AND i.reference_key = concat_ws(',', m.customer_id, m.ticket_id, m.ticket_message_id)
	WHERE (i.direction, i.channel) IS DISTINCT FROM (m.direction, m.channel)$$, 'with their own direction and channel');
SELECT bag_eq($$SELECT DISTINCT direction FROM crm.interaction WHERE reference = 'crm.ticket_message'$$, $$VALUES ('in'), ('out'), ('internal')$$, 'of which there were all');
SELECT is_empty($$SELECT detail FROM crm.interaction WHERE detail::text LIKE '%restored%'$$, 'subjects are not');

-- Whoever has the rights of an agent can write all of it: the triggers need no more.
CREATE ROLE test_service_agent;
GRANT USAGE ON SCHEMA crm TO test_service_agent;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO test_service_agent;
GRANT INSERT, UPDATE ON crm.ticket, crm.ticket_message, crm.survey_response, crm.task, crm.campaign_member, crm.campaign_event TO test_service_agent;
SET LOCAL ROLE test_service_agent;
INSERT INTO crm.ticket (customer_id, ticket_id, subject, priority) VALUES (2, 40, 'x', 'urgent');
INSERT INTO crm.ticket_message (customer_id, ticket_id, direction) VALUES (2, 40, 'out');
UPDATE crm.ticket SET status = 'solved' WHERE ticket_id = 40;
INSERT INTO crm.survey_response (customer_id, survey_id, score) SELECT 2, survey_id, 5 FROM crm.survey;
INSERT INTO crm.task (customer_id, subject, status) VALUES (2, 'x', 'done');
INSERT INTO crm.campaign_member (customer_id, campaign_id, is_holdout) SELECT 2, campaign_id, true FROM crm.campaign;
INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) SELECT 1, campaign_id, now(), 'sent' FROM crm.campaign;
RESET ROLE;
SELECT results_eq('SELECT first_response_at, resolved_at, resolution_due_at IS NOT NULL FROM crm.ticket WHERE ticket_id = 40', 'VALUES (now(), now(), true)', 'an agent''s rights suffice');
SELECT is((SELECT count(*) FROM crm.interaction WHERE customer_id = 2 AND reference IN ('crm.ticket', 'crm.ticket_message', 'crm.survey_response', 'crm.task') AND detail -> 'new' IS NOT NULL), 5::bigint, 'and all of it is logged');

SELECT * FROM finish();
ROLLBACK;
