-- Tasks and reminders: what is refused, when a task was done, and whom to remind.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
CREATE TEMPORARY TABLE made AS SELECT * FROM crm.setup();

INSERT INTO crm.agent (agent_id, name) VALUES (1, 'A');
INSERT INTO crm.customer (customer_id, name) VALUES (1, 'one');
INSERT INTO crm.task (task_id, customer_id, subject, assignee_id) VALUES (1, 1, 'call', 1);
INSERT INTO crm.task (task_id, subject) VALUES (2, 'tidy up');
INSERT INTO crm.reminder (reminder_id, task_id, remind_at) VALUES (1, 1, '2026-01-01');
CREATE TEMPORARY TABLE resynced AS SELECT * FROM crm.resync_sequences();

CREATE TEMPORARY TABLE refusal (constraint_name text, statement text);
INSERT INTO refusal VALUES
	('task_pkey', $$INSERT INTO crm.task (task_id, subject) VALUES (1, 'x')$$),
	('task_customer_id_fkey', $$INSERT INTO crm.task (customer_id, subject) VALUES (99, 'x')$$),
	('task_customer_id_fkey', 'DELETE FROM crm.customer'),
	('task_assignee_id_fkey', $$INSERT INTO crm.task (subject, assignee_id) VALUES ('x', 99)$$),
	('task_assignee_id_fkey', 'DELETE FROM crm.agent'),
	('task_subject_check', $$INSERT INTO crm.task (subject) VALUES ('')$$),
	('task_status_check', $$INSERT INTO crm.task (subject, status) VALUES ('x', 'started')$$),
	('task_priority_check', $$INSERT INTO crm.task (subject, priority) VALUES ('x', 'highest')$$),
	('task_done_at_check', $$INSERT INTO crm.task (subject, done_at) VALUES ('x', now())$$),
	('task_done_at_check', $$INSERT INTO crm.task (subject, status, done_at) VALUES ('x', 'cancelled', now())$$),
	('task_done_at_check', 'UPDATE crm.task SET done_at = now() WHERE task_id = 1'),
	('task_reference_key_check', $$INSERT INTO crm.task (subject, reference_key) VALUES ('x', '5')$$),
	('reminder_pkey', 'INSERT INTO crm.reminder (reminder_id, task_id, remind_at) VALUES (1, 1, now())'),
	('reminder_task_id_fkey', 'INSERT INTO crm.reminder (task_id, remind_at) VALUES (99, now())');
SELECT throws_like(statement, '%"' || constraint_name || '"%', constraint_name || ' refuses: ' || statement) FROM refusal;
SELECT set_eq($$SELECT c.conname::text FROM pg_constraint c WHERE c.contype IN ('c', 'f', 'p', 'u') AND c.conrelid = ANY ('{crm.task,crm.reminder}'::regclass[])$$,
	'SELECT DISTINCT constraint_name FROM refusal', 'each key and check of the tasks has a test of its refusal');

-- Done
CREATE FUNCTION pg_temp.done(number bigint) RETURNS timestamptz LANGUAGE sql AS $$ SELECT done_at FROM crm.task WHERE task_id = number $$;
UPDATE crm.task SET status = 'done' WHERE task_id = 1;
SELECT is(pg_temp.done(1), now(), 'done now');
UPDATE crm.task SET status = 'open' WHERE task_id = 1;
SELECT is(pg_temp.done(1), NULL, 'open again');
UPDATE crm.task SET status = 'done', done_at = '2026-01-02' WHERE task_id = 1;
SELECT is(pg_temp.done(1), '2026-01-02', 'done before');
UPDATE crm.task SET status = 'done', subject = 'called' WHERE task_id = 1;
SELECT is(pg_temp.done(1), '2026-01-02', 'and it stays');
UPDATE crm.task SET status = 'cancelled' WHERE task_id = 1;
SELECT is(pg_temp.done(1), NULL, 'cancelled is not done');
INSERT INTO crm.task (task_id, subject, status, done_at) VALUES (3, 'x', 'done', '2025-01-01');
INSERT INTO crm.task (task_id, subject, status) VALUES (4, 'x', 'done');
SELECT is(pg_temp.done(3), '2025-01-01', 'a given moment stays');
SELECT is(pg_temp.done(4), now(), 'a task that begins done was done now');

-- Reminders
INSERT INTO crm.task (task_id, customer_id, subject, status, due_at) VALUES (10, 1, 'open', 'open', '2026-02-01'), (11, 1, 'done', 'done', NULL), (12, NULL, 'cancelled', 'cancelled', NULL), (13, NULL, 'internal', 'open', NULL);
INSERT INTO crm.reminder (reminder_id, task_id, remind_at, sent_at) VALUES
	(10, 10, '2026-01-10', NULL), (11, 10, '2026-01-05', NULL), (12, 10, '2026-01-04', '2026-01-04'), (13, 11, '2026-01-03', NULL), (14, 12, '2026-01-03', NULL), (15, 13, '2026-01-05', NULL);
SELECT results_eq($$SELECT reminder_id, remind_at, task_id, assignee_id, customer_id, subject, due_at FROM crm.due_reminders('2026-01-05')$$, $$VALUES
	(11::bigint, '2026-01-05'::timestamptz, 10::bigint, NULL::bigint, 1::bigint, 'open', '2026-02-01'::timestamptz), (15, '2026-01-05', 13, NULL, NULL, 'internal', NULL)$$, 'due and unsent, of open tasks');
SELECT results_eq($$SELECT reminder_id FROM crm.due_reminders('2026-01-10')$$, 'VALUES (11::bigint), (15), (10)', 'the oldest first');
SELECT is_empty($$SELECT * FROM crm.due_reminders('2026-01-04')$$, 'none yet');
UPDATE crm.reminder SET sent_at = now() WHERE reminder_id = 11;
SELECT results_eq($$SELECT reminder_id FROM crm.due_reminders('2026-01-10')$$, 'VALUES (15::bigint), (10)', 'once');
SELECT throws_ok('SELECT crm.due_reminders(NULL)', '22004', 'argument "at" must not be null', 'NULL');
SELECT lives_ok('DELETE FROM crm.task WHERE task_id = 10', 'a task goes');
SELECT is_empty('SELECT * FROM crm.reminder WHERE task_id = 10', 'with its reminders');

-- The log
SELECT results_eq($$SELECT customer_id, direction, detail -> 'new' FROM crm.interaction WHERE reference = 'crm.task' AND reference_key IN ('2', '10', '13') AND action = 'insert' ORDER BY 1$$,
	$$VALUES (1::bigint, 'internal', '{"due_at": "2026-02-01T00:00:00+00:00", "status": "open", "assignee_id": null}'::jsonb)$$, 'tasks of customers are logged, internal ones are not');

SELECT * FROM finish();
ROLLBACK;
