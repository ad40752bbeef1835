-- Segments: listed or queried, never able to write; and who of them may join a campaign.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
CREATE TEMPORARY TABLE made AS SELECT * FROM crm.setup();

INSERT INTO crm.customer (customer_id, name) SELECT n, 'customer ' || n FROM generate_series(1, 2000) n;
INSERT INTO crm.segment (segment_id, name, kind, query) VALUES (1, 'listed', 'static', NULL), (2, 'small', 'query', 'SELECT customer_id FROM crm.customer WHERE customer_id <= 1000');
INSERT INTO crm.segment_member (customer_id, segment_id) VALUES (5, 1), (7, 1);
CREATE TEMPORARY TABLE resynced AS SELECT * FROM crm.resync_sequences();

CREATE TEMPORARY TABLE refusal (constraint_name text, statement text);
INSERT INTO refusal VALUES
	('segment_pkey', $$INSERT INTO crm.segment (segment_id, name, kind) VALUES (1, 'x', 'static')$$),
	('segment_name_key', $$INSERT INTO crm.segment (name, kind) VALUES ('listed', 'static')$$),
	('segment_name_check', $$INSERT INTO crm.segment (name, kind) VALUES ('', 'static')$$),
	('segment_kind_check', $$INSERT INTO crm.segment (name, kind) VALUES ('x', 'dynamic')$$),
	('segment_query_check', $$INSERT INTO crm.segment (name, kind) VALUES ('x', 'query')$$),
	('segment_query_check', $$INSERT INTO crm.segment (name, kind, query) VALUES ('x', 'static', 'SELECT 1')$$),
	('segment_member_pkey', 'INSERT INTO crm.segment_member (customer_id, segment_id) VALUES (5, 1)'),
	('segment_member_customer_id_fkey', 'INSERT INTO crm.segment_member (customer_id, segment_id) VALUES (9999, 1)'),
	('segment_member_segment_id_fkey', 'INSERT INTO crm.segment_member (customer_id, segment_id) VALUES (5, 99)');
SELECT throws_like(statement, '%"' || constraint_name || '"%', constraint_name || ' refuses: ' || statement) FROM refusal;
SELECT set_eq($$SELECT c.conname::text FROM pg_constraint c WHERE c.contype IN ('c', 'f', 'p', 'u') AND c.conrelid = ANY ('{crm.segment,crm.segment_member}'::regclass[])$$,
	'SELECT DISTINCT constraint_name FROM refusal', 'each key and check of the segments has a test of its refusal');

-- Who is in it
SELECT bag_eq($$SELECT * FROM crm.segment_members('listed')$$, 'VALUES (5::bigint), (7)', 'the listed ones');
SELECT bag_eq($$SELECT * FROM crm.segment_members('small')$$, 'SELECT n::bigint FROM generate_series(1, 1000) n', 'those whom the query finds');
INSERT INTO crm.segment (name, kind, query) VALUES
	('twice', 'query', E'SELECT n AS customer_id, ''x'' AS other FROM (VALUES (3), (3), (NULL)) v (n); \n ;'),
	('text', 'query', $$SELECT '12'::text AS customer_id -- as text$$),
	('nobody', 'query', 'SELECT customer_id FROM crm.customer WHERE false'),
	('nameless', 'query', 'SELECT 1 AS id'),
	('broken', 'query', 'SELECT customer_id FROM'),
	('two', 'query', 'SELECT 1 AS customer_id) q; SELECT q.customer_id FROM (SELECT 2 AS customer_id'),
	('delete', 'query', 'DELETE FROM crm.segment_member RETURNING customer_id'),
	('with', 'query', 'WITH gone AS (DELETE FROM crm.segment_member RETURNING customer_id) SELECT customer_id FROM gone'),
	('calling', 'query', $$SELECT crm.log_interaction(5, 'call') AS customer_id$$),
	('path', 'query', 'SELECT customer_id FROM customer');
SELECT bag_eq($$SELECT * FROM crm.segment_members('twice')$$, 'VALUES (3::bigint)', 'each once, NULL never; a semicolon at the end does no harm');
SELECT bag_eq($$SELECT * FROM crm.segment_members('text')$$, 'VALUES (12::bigint)', 'cast to bigint; a comment at the end does no harm');
SELECT is_empty($$SELECT * FROM crm.segment_members('nobody')$$, 'nobody');
SELECT throws_ok($$SELECT * FROM crm.segment_members('nameless')$$, '42703', NULL, 'a query without customer_id');
SELECT throws_ok($$SELECT * FROM crm.segment_members('broken')$$, '42601', NULL, 'a query that is none');
SELECT throws_ok($$SELECT * FROM crm.segment_members('two')$$, '42P11', NULL, 'two statements');
SELECT throws_ok($$SELECT * FROM crm.segment_members('delete')$$, '42601', NULL, 'no SELECT');
SELECT throws_ok($$SELECT * FROM crm.segment_members('with')$$, '0A000', NULL, 'a SELECT that deletes');
SELECT throws_ok($$SELECT * FROM crm.segment_members('calling')$$, '25006', NULL, 'a function that writes');
SELECT throws_ok($$SELECT * FROM crm.segment_members('path')$$, '42P01', NULL, 'names are qualified');
SELECT throws_ok($$SELECT * FROM crm.segment_members('none')$$, '42704', 'there is no segment "none"', 'no such segment');
SELECT throws_ok('SELECT * FROM crm.segment_members(NULL)', '22004', 'argument "name" must not be null', 'NULL');
SELECT is((SELECT count(*) FROM crm.segment_member), 2::bigint, 'nothing was written');
SELECT lives_ok($$UPDATE crm.segment SET about = 'read-only ended' WHERE segment_id = 1$$, 'the session may write again');

-- Joining a campaign: 1000 customers, of whom 1 in 10 has withdrawn, 1 in 10 has said nothing, and some cannot be reached by mail.
INSERT INTO crm.campaign (campaign_id, name, channel) VALUES (1, 'letter', 'mail'), (2, 'call', 'phone'), (3, 'any', NULL), (4, 'old', 'mail');
INSERT INTO crm.consent (customer_id, purpose, channel, status, occurred_at)
SELECT n, 'marketing', NULL, 'given', '2026-01-01' FROM generate_series(1, 1000) n WHERE n % 10 <> 1;
INSERT INTO crm.consent (customer_id, purpose, channel, status, occurred_at)
SELECT n, 'marketing', 'mail', 'withdrawn', '2026-02-01' FROM generate_series(1, 1000) n WHERE n % 10 = 2;
INSERT INTO crm.consent (customer_id, purpose, channel, status, occurred_at) VALUES
	(3, 'marketing', 'phone', 'withdrawn', '2026-02-01'),	-- of no concern to mail
	(4, 'profiling', NULL, 'withdrawn', '2026-02-01'),		-- nor is another purpose
	(12, 'marketing', 'mail', 'given', '2026-03-01'),		-- changed their minds
	(5, 'marketing', 'mail', 'withdrawn', '2026-03-01'), (5, 'marketing', NULL, 'given', '2026-03-01'); -- in one moment: the later row
INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event, channel) VALUES
	(6, 4, '2026-02-10', 'hard_bounce', NULL),	-- by mail, the channel of that campaign
	(7, 4, '2026-02-10', 'optout', 'phone'),	-- not by mail
	(8, 4, '2026-02-10', 'optout', NULL),
	(9, 4, '2026-02-10', 'soft_bounce', NULL),
	(10, 3, '2026-02-10', 'hard_bounce', NULL),	-- by an unknown channel: by any
	(13, 4, '2026-02-10', 'optout', NULL),
	(14, 4, '2026-02-10', 'hard_bounce', NULL);
INSERT INTO crm.consent (customer_id, purpose, channel, status, occurred_at) VALUES (13, 'marketing', 'mail', 'given', '2026-03-01'), (14, 'marketing', 'mail', 'given', '2026-03-01');
INSERT INTO crm.campaign_member (customer_id, campaign_id) VALUES (15, 1), (11, 1);

CREATE TEMPORARY TABLE said AS SELECT * FROM crm.campaign_add_segment('letter', 'small', 0.25);
SELECT results_eq('SELECT added, holdout, skipped_consent, skipped_suppressed, already, unknown FROM said',
	$$SELECT count(*) FILTER (WHERE NOT is_holdout), count(*) FILTER (WHERE is_holdout), 198::bigint, 4::bigint, 2::bigint, 0::bigint
	FROM crm.campaign_member WHERE campaign_id = 1 AND customer_id NOT IN (11, 15)$$, 'what it says is what it did');
SELECT is((SELECT count(*) FROM crm.campaign_member WHERE campaign_id = 1), 1000::bigint - 198 - 4, 'all the others are members');
SELECT bag_eq($$SELECT n::bigint FROM generate_series(1, 15) n EXCEPT SELECT customer_id FROM crm.campaign_member WHERE campaign_id = 1$$,
	'VALUES (1::bigint), (2), (6), (8), (10), (14)', 'consent and suppression, one by one');
SELECT ok(count(*) BETWEEN 160 AND 240, 'about a quarter is held out: ' || count(*)) FROM crm.campaign_member WHERE campaign_id = 1 AND is_holdout;
SELECT results_eq($$SELECT added, holdout, skipped_consent, skipped_suppressed, already, unknown FROM crm.campaign_add_segment('letter', 'small', 0.25)$$,
	'VALUES (0::bigint, 0::bigint, 198::bigint, 4::bigint, 798::bigint, 0::bigint)', 'a second time adds nobody');

-- The draw is the customer's and the seed's alone.
INSERT INTO crm.campaign (campaign_id, name) VALUES (11, 'draw a'), (12, 'draw b'), (13, 'other seed'), (14, 'larger'), (15, 'all'), (16, 'none');
INSERT INTO crm.segment (name, kind, query) VALUES ('backwards', 'query', 'SELECT customer_id FROM crm.customer WHERE customer_id <= 1000 ORDER BY customer_id DESC');
CREATE FUNCTION pg_temp.held(campaign bigint) RETURNS SETOF bigint LANGUAGE sql AS $$ SELECT customer_id FROM crm.campaign_member WHERE campaign_id = campaign AND is_holdout $$;
SELECT lives_ok($$SELECT crm.campaign_add_segment('draw a', 'small', 0.25, require_consent => false)$$, 'a');
SELECT lives_ok($$SELECT crm.campaign_add_segment('draw b', 'backwards', 0.25, require_consent => false)$$, 'b');
SELECT lives_ok($$SELECT crm.campaign_add_segment('other seed', 'small', 0.25, seed => 43, require_consent => false)$$, 'other seed');
SELECT lives_ok($$SELECT crm.campaign_add_segment('larger', 'small', 0.5, require_consent => false)$$, 'larger share');
SELECT bag_eq('SELECT pg_temp.held(11)', 'SELECT pg_temp.held(12)', 'the same holdouts again');
SELECT isnt_empty('SELECT pg_temp.held(13) EXCEPT SELECT pg_temp.held(11)', 'others with another seed');
SELECT ok((SELECT count(*) FROM (SELECT pg_temp.held(13) INTERSECT SELECT pg_temp.held(11)) b) BETWEEN 30 AND 90, 'and independent ones');
SELECT is_empty('SELECT pg_temp.held(11) EXCEPT SELECT pg_temp.held(14)', 'a larger share holds out the same and more');
SELECT is((SELECT holdout FROM crm.campaign_add_segment('all', 'small', 1, require_consent => false)), 895::bigint, 'everybody who has not withdrawn or opted out: 1000 - 99 of 2 in 10, 3, and 6, 7, 8, 10, 14');
SELECT is((SELECT holdout FROM crm.campaign_add_segment('none', 'small', 0, require_consent => false)), 0::bigint, 'nobody');

-- Without the demand for consent only those who withdrew are left out; other channels count when none is named.
SELECT is_empty($$SELECT customer_id FROM crm.campaign_member WHERE campaign_id = 11 AND customer_id % 10 = 2 AND customer_id <> 12$$, 'who withdrew is left out');
SELECT isnt_empty($$SELECT customer_id FROM crm.campaign_member WHERE campaign_id = 11 AND customer_id = 21$$, 'who said nothing is in');
SELECT is_empty($$SELECT customer_id FROM crm.campaign_member WHERE campaign_id = 11 AND customer_id IN (3, 6, 7, 8, 10)$$, 'without a channel what was said about any channel counts');
SELECT lives_ok($$SELECT crm.campaign_add_segment('any', 'small', channel => 'phone')$$, 'the channel of the call');
SELECT bag_eq($$SELECT n::bigint FROM generate_series(1, 15) n EXCEPT SELECT customer_id FROM crm.campaign_member WHERE campaign_id = 3$$,
	'VALUES (1::bigint), (3), (7), (10), (11)', 'replaces that of the campaign');

-- Those who are not there, merged or contacted already
INSERT INTO crm.campaign (campaign_id, name) VALUES (21, 'edge');
UPDATE crm.customer SET merged_into = 1001 WHERE customer_id = 1002;
INSERT INTO crm.segment (name, kind, query) VALUES ('edge', 'query', 'SELECT customer_id FROM (VALUES (1001), (1002), (1003), (0), (88888)) v (customer_id)');
INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) VALUES (1003, 21, now(), 'sent');
SELECT results_eq($$SELECT * FROM crm.campaign_add_segment('edge', 'edge', 1, require_consent => false)$$,
	'VALUES (1::bigint, 1::bigint, 0::bigint, 0::bigint, 0::bigint, 3::bigint)', 'unknown, merged, and one who cannot be held out any more');
SELECT results_eq('SELECT customer_id, is_holdout FROM crm.campaign_member WHERE campaign_id = 21 ORDER BY 1', 'VALUES (1001::bigint, true), (1003, false)', 'the contacted one is no holdout');
SELECT results_eq($$SELECT * FROM crm.campaign_add_segment('edge', 'nobody')$$, 'VALUES (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint)', 'an empty segment');

-- Arguments
SELECT throws_ok($$SELECT crm.campaign_add_segment('none such', 'small')$$, '42704', 'there is no campaign "none such"', 'no such campaign');
SELECT throws_ok($$SELECT crm.campaign_add_segment('letter', 'none')$$, '42704', 'there is no segment "none"', 'no such segment');
SELECT throws_ok(format($$SELECT crm.campaign_add_segment('letter', 'small', %L)$$, s), '22023', 'argument "holdout_share" must be between 0 and 1', 'share ' || s) FROM unnest('{-0.1,1.1,NaN}'::text[]) s;
SELECT throws_ok(format('SELECT crm.campaign_add_segment(%s)', a), '22004', NULL, a) FROM unnest(ARRAY[$$NULL, 'small'$$, $$'letter', NULL$$, $$'letter', 'small', NULL$$,
	$$'letter', 'small', seed => NULL$$, $$'letter', 'small', purpose => NULL$$, $$'letter', 'small', require_consent => NULL$$]) a;

SELECT * FROM finish();
ROLLBACK;
