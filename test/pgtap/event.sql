-- Events: what is refused, who is unknown, and that analytics read them.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
CREATE TEMPORARY TABLE made AS SELECT * FROM crm.setup();
INSERT INTO crm.event (customer_id, occurred_at, event_id, event) VALUES (1, '2026-01-01', 1, 'page');
CREATE TEMPORARY TABLE resynced AS SELECT * FROM crm.resync_sequences();

CREATE TEMPORARY TABLE refusal (constraint_name text, statement text);
INSERT INTO refusal VALUES
	('event_pkey', $$INSERT INTO crm.event (customer_id, occurred_at, event_id, event) VALUES (1, '2026-01-01', 1, 'page')$$),
	('event_event_check', $$INSERT INTO crm.event (customer_id, occurred_at, event) VALUES (1, '2026-01-01', '')$$),
	('event_properties_check', $$INSERT INTO crm.event (customer_id, occurred_at, event, properties) VALUES (1, '2026-01-01', 'page', '[]')$$);
SELECT throws_like(statement, '%"' || constraint_name || '"%', constraint_name || ' refuses: ' || statement) FROM refusal;
SELECT set_eq($$SELECT c.conname::text FROM pg_constraint c WHERE c.contype IN ('c', 'f', 'p', 'u') AND c.conrelid = 'crm.event'::regclass$$,
	'SELECT DISTINCT constraint_name FROM refusal', 'each key and check of the events has a test of its refusal');
SELECT throws_ok($$INSERT INTO crm.event (customer_id, occurred_at) VALUES (1, now())$$, '23502', NULL, 'an event without a name');

SELECT lives_ok($$INSERT INTO crm.event (customer_id, occurred_at, event, properties) VALUES (0, now(), 'search', '{"words": "x"}'), (4711, now(), 'page', '{}')$$, 'of an unknown customer, and of one who is gone');
SELECT is_empty($$SELECT * FROM crm.interaction WHERE reference = 'crm.event'$$, 'events are a log themselves');
CREATE FUNCTION pg_temp.plan_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; result text := ''; BEGIN FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP result := result || line || E'\n'; END LOOP; RETURN result; END $$;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT alike(pg_temp.plan_of($$SELECT * FROM crm.event WHERE customer_id = 5 AND occurred_at >= '2026-01-02' ORDER BY occurred_at LIMIT 10$$), '%event_pkey%Index Cond: ((customer_id = 5) AND (occurred_at >=%', 'a customer''s events are one range of the key');

SELECT * FROM finish();
ROLLBACK;
