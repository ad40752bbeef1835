-- Consent, preferences, tags and notes: what is refused, which statement counts, and what the log says of all that.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');
\ir lib/refusal.sql
SELECT set_config('crm.agent', 'anna', true);

INSERT INTO crm.agent (agent_id, name) VALUES (1, 'Anna');
INSERT INTO crm.customer (customer_id, name) VALUES (1, 'Secret Name'), (2, 'B');
UPDATE crm.customer SET owner_id = 1, name = 'Other Secret' WHERE customer_id = 1;
INSERT INTO crm.consent (customer_id, consent_id, purpose, channel, status, occurred_at, evidence, agent_id) VALUES
	(1, 1, 'marketing', 'mail', 'given', '2026-01-01', 'secret form', 1),
	(1, 2, 'marketing', 'mail', 'withdrawn', '2026-03-01', NULL, NULL),
	(1, 3, 'marketing', 'mail', 'given', '2026-02-01', NULL, NULL),
	(1, 4, 'marketing', NULL, 'given', '2026-01-01', NULL, NULL),
	(1, 5, 'profiling', 'mail', 'withdrawn', '2026-01-01', NULL, NULL),
	(1, 6, 'profiling', 'mail', 'given', '2026-01-01', NULL, NULL),
	(2, 7, 'marketing', 'mail', 'given', '2026-01-01', NULL, NULL);
INSERT INTO crm.preference (customer_id, name, value) VALUES (1, 'language', 'de'), (2, 'language', 'fr');
INSERT INTO crm.tag (tag_id, name) VALUES (1, 'vip'), (2, 'press');
INSERT INTO crm.customer_tag (customer_id, tag_id, agent_id) VALUES (1, 1, 1), (1, 2, NULL), (2, 1, NULL);
INSERT INTO crm.note (customer_id, note_id, body, agent_id) VALUES (1, 1, 'secret note', 1);
SELECT lives_ok('SELECT crm.resync_sequences()', 'numbers go on');

-- The latest statement counts; of two at the same moment the one that came in last.
SELECT results_eq('SELECT * FROM crm.consent_status ORDER BY 1, 2, 3', $$VALUES
	(1::bigint, 'marketing', 'mail', 'withdrawn', '2026-03-01'::timestamptz),
	(1, 'marketing', NULL, 'given', '2026-01-01'),
	(1, 'profiling', 'mail', 'given', '2026-01-01'),
	(2, 'marketing', 'mail', 'given', '2026-01-01')$$, 'the latest statement of each customer, purpose and channel');
INSERT INTO crm.customer (customer_id) SELECT n FROM generate_series(10, 3000) n;
INSERT INTO crm.consent (customer_id, purpose, status) SELECT n, 'marketing', 'given' FROM generate_series(10, 3000) n;
ANALYZE crm.consent;
CREATE FUNCTION pg_temp.plan_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; result text := ''; BEGIN FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP result := result || line || E'\n'; END LOOP; RETURN result; END $$;
SELECT alike(pg_temp.plan_of('SELECT * FROM crm.consent_status WHERE customer_id = 5'), '%consent_pkey%(customer_id = 5)%', 'one customer''s consent is found by the key');

-- What the log says, and what it must not say
SELECT results_eq($$SELECT kind, action, channel, direction, occurred_at = now() OR occurred_at < '2026-04-01', detail, agent FROM crm.interaction WHERE customer_id = 1 AND (kind <> 'consent' OR reference_key ~ '\m1$') ORDER BY interaction_id$$,
	$$VALUES ('customer', 'insert', NULL::text, 'internal', true, '{"new": {"kind": "person", "lifecycle": "prospect", "owner_id": null, "region_id": null, "merged_into": null}}'::jsonb, 'anna'),
		('customer', 'update', NULL, 'internal', true, '{"old": {"kind": "person", "lifecycle": "prospect", "owner_id": null, "region_id": null, "merged_into": null}, "new": {"kind": "person", "lifecycle": "prospect", "owner_id": 1, "region_id": null, "merged_into": null}}', 'anna'),
		('consent', 'insert', 'mail', 'in', true, '{"new": {"purpose": "marketing", "status": "given"}}', 'anna'),
		('note', 'insert', NULL, 'internal', true, NULL, 'anna')$$, 'customers, consents and notes are logged');
SELECT is_empty($$SELECT * FROM crm.interaction i WHERE i::text ~* 'secret'$$, 'without names, texts and evidence');
SELECT is((SELECT occurred_at FROM crm.interaction WHERE kind = 'consent' AND customer_id = 2), '2026-01-01'::timestamptz, 'a consent at its own time');
SELECT results_eq($$SELECT relation, kind, occurred_at, columns, direction FROM crm.tracked WHERE relation IN ('crm.customer', 'crm.consent', 'crm.note') ORDER BY 1$$, $$VALUES
	('crm.consent', 'consent', 'occurred_at', '{purpose,status}'::text[], 'in'),
	('crm.customer', 'customer', NULL, '{kind,lifecycle,owner_id,region_id,merged_into}', 'internal'),
	('crm.note', 'note', 'created_at', '{}', 'internal')$$, 'they are tracked from the start');
SELECT crm.untrack('crm.note');
SELECT lives_ok('SELECT crm.setup()', 'set up again');
SELECT is_empty($$SELECT * FROM crm.tracked t WHERE t.relation = 'crm.note'$$, 'what was untracked stays so');

-- Refusals
CREATE TEMPORARY TABLE my AS SELECT '{consent, preference, tag, customer_tag, note}'::text[] AS tables;
SELECT pg_temp.refuses_keys(tables) FROM my;
SELECT pg_temp.refuses($$UPDATE crm.consent SET purpose = ''$$, 'consent_purpose_check');
SELECT pg_temp.refuses($$UPDATE crm.consent SET channel = ''$$, 'consent_channel_check');
SELECT pg_temp.refuses($$UPDATE crm.consent SET status = 'perhaps'$$, 'consent_status_check');
SELECT pg_temp.refuses($$UPDATE crm.preference SET name = ''$$, 'preference_name_check');
SELECT pg_temp.refuses($$INSERT INTO crm.tag (name) VALUES ('vip')$$, 'tag_name_key');
SELECT pg_temp.refuses($$INSERT INTO crm.tag (name) VALUES ('')$$, 'tag_name_check');
SELECT pg_temp.refuses($$UPDATE crm.note SET body = ''$$, 'note_body_check');
SELECT pg_temp.refuses($$DELETE FROM crm.tag WHERE tag_id = 1$$, 'customer_tag_tag_id_fkey');
SELECT is_empty('SELECT pg_temp.never_refused(tables) FROM my', 'each constraint has refused something');

SELECT throws_ok('DELETE FROM crm.customer WHERE customer_id = 2', '23503', NULL, 'a customer with a consent stays');
DELETE FROM crm.consent WHERE customer_id = 2;
DELETE FROM crm.preference WHERE customer_id = 2;
SELECT lives_ok('DELETE FROM crm.customer WHERE customer_id = 2', 'tags go with the customer');
SELECT results_eq('SELECT customer_id, tag_id FROM crm.customer_tag ORDER BY 1, 2', 'VALUES (1::bigint, 1::bigint), (1, 2)', 'the tags of others stay');

SELECT * FROM finish();
ROLLBACK;
