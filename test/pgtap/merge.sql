-- Two customers become one, and two again: every table, what collides, the fields, the points, chains, and what has changed since.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');
\ir lib/refusal.sql
\ir lib/two_customers.sql

-- Which columns: found from the catalogue.
SELECT set_eq('SELECT relation, column_name FROM crm._customer_columns()', $$
	SELECT format('%I.%I', n.nspname, c.relname), a.attname::text
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE n.nspname IN ('crm', 'test_merge') AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname IN ('customer_id', 'referrer', 'referred', 'who')
		AND c.relname NOT IN ('customer', 'loyalty_ledger', 'ownership_transfer_row')$$, 'all columns that hold customer_id');
SELECT is_empty('SELECT relation, column_name FROM pg_temp.rows_of(2) WHERE rows = 0', 'the duplicate has rows in each of them');
SELECT is_empty($$SELECT a.relation, b.relation FROM crm._customer_columns() a JOIN crm._customer_columns() b ON a.level >= b.level
	JOIN pg_constraint f ON f.conrelid = b.target AND f.confrelid = a.target AND cardinality(f.conkey) > 1$$, 'parents come before children');

-- The merge
CREATE TEMPORARY TABLE digest AS SELECT * FROM pg_temp.digests();
CREATE TEMPORARY TABLE log AS SELECT * FROM crm.interaction;
CREATE TEMPORARY TABLE held AS SELECT o.relation, o.column_name, o.rows AS one, t.rows AS two FROM pg_temp.rows_of(1) o JOIN pg_temp.rows_of(2) t USING (relation, column_name);
CREATE TEMPORARY TABLE merged AS SELECT crm.merge_customers(1, 2) AS id;
SELECT is_empty($$SELECT * FROM pg_temp.rows_of(2) WHERE rows > 0 AND relation <> 'crm.interaction'$$, 'the duplicate has nothing any more');
SELECT is_empty($$SELECT * FROM crm.interaction i WHERE customer_id = 2 AND NOT (kind IN ('points', 'customer') AND i.interaction_id > (SELECT max(interaction_id) FROM log))$$,
	'the log of the duplicate says that it was merged, no more');
SELECT set_eq('SELECT r.relation, r.column_name, n.rows FROM pg_temp.rows_of(1) n JOIN (SELECT DISTINCT relation, column_name FROM held) r USING (relation, column_name) WHERE r.relation <> ''crm.interaction''', $$
	SELECT h.relation, h.column_name, h.one + h.two - CASE h.relation || '.' || h.column_name
		WHEN 'crm.preference.customer_id' THEN 1 WHEN 'crm.customer_tag.customer_id' THEN 1 WHEN 'crm.segment_member.customer_id' THEN 1 WHEN 'crm.score.customer_id' THEN 1
		WHEN 'crm.campaign_member.customer_id' THEN 3 WHEN 'test_merge.profile.customer_id' THEN 1 WHEN 'test_merge.account.customer_id' THEN 2
		WHEN 'test_merge.referral.referrer' THEN 2 WHEN 'test_merge.referral.referred' THEN 3 ELSE 0 END
	FROM held h WHERE h.relation <> 'crm.interaction'$$, 'the survivor has all but what collided');
SELECT is((SELECT count(*) FROM crm.interaction WHERE customer_id = 1 AND interaction_id IN (SELECT interaction_id FROM log WHERE customer_id = 2)), (SELECT count(*) FROM log WHERE customer_id = 2), 'the timeline, too');
SELECT results_eq('SELECT campaign_id, is_holdout, added_at FROM crm.campaign_member WHERE customer_id = 1 ORDER BY 1', $$VALUES
	(1::bigint, false, '2026-01-01 02:00+00'::timestamptz), (2, false, '2026-01-01 01:00+00'), (3, true, '2026-01-01 01:00+00'), (4, true, '2026-01-01 02:00+00')$$, 'who was contacted under either number was not held out');
SELECT results_eq('SELECT name, value FROM crm.preference WHERE customer_id = 1 ORDER BY 1', $$VALUES ('hour', '8'), ('language', 'de')$$, 'what the survivor has stays');
SELECT results_eq('SELECT id, referrer, referred FROM test_merge.referral ORDER BY 1', $$VALUES (2, 1, 1::bigint), (4, 1, NULL), (6, 3, 1), (7, 1, 3), (8, 3, 3)$$, 'two columns of a table, one after the other');
SELECT results_eq($$SELECT code, place, active FROM test_merge.account WHERE customer_id = 1 ORDER BY 1, 2$$, $$VALUES ('a', 1, true), ('b', 1, false), ('d', 5, true), (NULL, NULL, true), (NULL, NULL, true)$$, 'unique keys with expressions and conditions');
SELECT results_eq('SELECT opportunity_id, count(*), bool_and(left_at >= entered_at) FROM crm.opportunity_stage_history WHERE customer_id = 1 GROUP BY 1 ORDER BY 1', 'VALUES (1::bigint, 1::bigint, NULL::boolean), (2, 2, true), (3, 1, NULL)', 'stage histories are as they were');
SELECT results_eq('SELECT opportunity_id, array_agg(line_number ORDER BY line_number) FROM crm.opportunity_item WHERE customer_id = 1 GROUP BY 1 ORDER BY 1', $$VALUES (1::bigint, '{1}'::int[]), (2, '{1,2}')$$, 'lines follow their deals');
SELECT is((SELECT reopened_count FROM crm.ticket WHERE ticket_id = 2), 0, 'no trigger takes it for something else');
SELECT results_eq($$SELECT relation, count(*) FROM crm.customer_merge_row WHERE removed IS NOT NULL GROUP BY 1 ORDER BY 1$$, $$VALUES ('crm.campaign_member', 3::bigint), ('crm.customer_tag', 1), ('crm.preference', 1), ('crm.score', 1), ('crm.segment_member', 1),
	('test_merge.account', 2), ('test_merge.profile', 1), ('test_merge.referral', 3)$$, 'what was removed is kept');
SELECT is_empty($$SELECT * FROM crm.customer_merge_row WHERE removed IS NOT NULL AND relation !~ 'campaign_member' AND 2 NOT IN ((removed ->> 'customer_id')::int, coalesce((removed ->> column_name)::int, 0))$$, 'as the duplicate''s, whole');

-- Fields, points, marks
SELECT results_eq('SELECT name, kind, birthday, lifecycle, owner_id, region_id, attributes, merged_into FROM crm.customer WHERE customer_id = 1',
	$$VALUES ('Second', 'person', '1980-01-01'::date, 'customer', 1::bigint, 2::bigint, '{"size": 1, "shoe": 40, "hat": 56}'::jsonb, NULL::bigint)$$, 'empty fields are filled, the others stay');
SELECT results_eq('SELECT name, owner_id, merged_into FROM crm.customer WHERE customer_id = 2', $$VALUES ('Second', 2::bigint, 1::bigint)$$, 'the duplicate points to the survivor');
SELECT results_eq('SELECT customer_id, entry_number, kind, points, balance FROM crm.loyalty_ledger WHERE customer_id < 3 ORDER BY 1, 2', $$VALUES
	(1::bigint, 1::bigint, 'earn', 10::bigint, 10::bigint), (1, 2, 'merge', 70, 80), (2, 1, 'earn', 100, 100), (2, 2, 'redeem', -30, 70), (2, 3, 'merge', -70, 0)$$, 'the balance goes over, the entries stay');
SELECT is((SELECT crm.find_customer('shop', 'b')), 1::bigint, 'the shop''s key finds the survivor');
SELECT results_eq($$SELECT customer_id, action, direction, reference, reference_key, detail FROM crm.interaction WHERE kind = 'merge'$$, $$SELECT 1::bigint, 'log', 'internal', 'crm.customer_merge', id::text, '{"duplicate": 2}'::jsonb FROM merged$$, 'the timeline says that they were merged');
SELECT results_eq('SELECT survivor_id, duplicate_id, merged_by, points, undone_at FROM crm.customer_merge', $$VALUES (1::bigint, 2::bigint, CURRENT_USER, 70::bigint, NULL::timestamptz)$$, 'and so does the record');
SELECT is_empty('SELECT customer_id FROM crm.customer WHERE customer_id = 3 AND name <> ''Third''', 'nobody else is touched');

-- Back
SELECT set_eq('SELECT * FROM crm.unmerge_customers((SELECT id FROM merged))', 'SELECT relation, count(*), 0::bigint FROM crm.customer_merge_row GROUP BY 1', 'all of it comes back');
SELECT is_empty('(TABLE digest EXCEPT SELECT * FROM pg_temp.digests()) UNION ALL (SELECT * FROM pg_temp.digests() EXCEPT TABLE digest)', 'every table is as it was');
SELECT is_empty('TABLE log EXCEPT TABLE crm.interaction', 'the log has every row as it was');
SELECT set_eq('SELECT DISTINCT kind FROM crm.interaction WHERE interaction_id > (SELECT max(interaction_id) FROM log)', $$VALUES ('merge'), ('unmerge'), ('customer'), ('points'), ('note'), ('visit')$$, 'and more');
SELECT results_eq('SELECT customer_id, sum(points) FROM crm.loyalty_ledger WHERE customer_id < 3 GROUP BY 1 ORDER BY 1', $$VALUES (1::bigint, 10::numeric), (2, 70)$$, 'the points are back');
SELECT isnt((SELECT undone_at FROM crm.customer_merge), NULL, 'the record says so');
SELECT throws_ok('SELECT crm.unmerge_customers(id) FROM merged', '55000', (SELECT format('merge %s was undone already', id) FROM merged), 'once');

-- Another session's time zone and styles
SET LOCAL TimeZone = 'Asia/Kathmandu';
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL IntervalStyle = 'sql_standard';
CREATE TEMPORARY TABLE second AS SELECT crm.merge_customers(2, 1) AS id;
SET LOCAL TimeZone = 'America/New_York';
SET LOCAL DateStyle = 'ISO, MDY';
SELECT is_empty('SELECT * FROM crm.unmerge_customers((SELECT id FROM second)) WHERE missing > 0', 'keys are found from another time zone');
SET LOCAL TimeZone = 'UTC';
RESET IntervalStyle;
SELECT is_empty('(TABLE digest EXCEPT SELECT * FROM pg_temp.digests()) UNION ALL (SELECT * FROM pg_temp.digests() EXCEPT TABLE digest)', 'the other way round, every table is as it was');

-- Chains come undone from their end
CREATE TEMPORARY TABLE chain AS SELECT crm.merge_customers(1, 2) AS a;
ALTER TABLE chain ADD b bigint, ADD digest text, ADD undone text;
UPDATE chain SET digest = (SELECT string_agg(d::text, ' ' ORDER BY relation) FROM pg_temp.digests() d);
UPDATE chain SET b = crm.merge_customers(3, 1);
SELECT throws_ok('SELECT crm.unmerge_customers(a) FROM chain', '55000', (SELECT format('merge %s cannot be undone before merge %s', a, b) FROM chain), 'a merge whose survivor was merged on waits');
SELECT throws_ok('SELECT crm.merge_customers(3, 2)', '55000', 'customer 2 was merged into customer 1', 'a merged customer is no duplicate');
SELECT throws_ok('SELECT crm.merge_customers(2, 3)', '55000', 'customer 2 was merged into customer 1', 'nor a survivor');
SELECT is(crm._survivor(2), 3::bigint, 'the chain leads to the last one');
SELECT is((SELECT merged_into FROM crm.customer WHERE customer_id = 2), 1::bigint, 'each link stays');
SELECT is_empty('SELECT * FROM crm.unmerge_customers((SELECT b FROM chain)) WHERE missing > 0', 'the last link is undone');
SELECT is((SELECT string_agg(d::text, ' ' ORDER BY relation) FROM pg_temp.digests() d), (SELECT digest FROM chain), 'it leaves the first merge as it was');
UPDATE chain SET b = crm.merge_customers(1, 3);
SELECT throws_ok('SELECT crm.unmerge_customers(a) FROM chain', '55000', (SELECT format('merge %s cannot be undone before merge %s', a, b) FROM chain), 'so does one whose survivor took another one');
SELECT is_empty('SELECT * FROM crm.unmerge_customers((SELECT b FROM chain)) WHERE missing > 0', 'undone in turn');
SELECT is_empty('SELECT * FROM crm.unmerge_customers((SELECT a FROM chain)) WHERE missing > 0', 'the first, too');
SELECT is_empty('(TABLE digest EXCEPT SELECT * FROM pg_temp.digests()) UNION ALL (SELECT * FROM pg_temp.digests() EXCEPT TABLE digest)', 'every table is as it was before all of them');

-- What has changed since: it stays, and is counted
CREATE TEMPORARY TABLE later AS SELECT crm.merge_customers(1, 2) AS id;
DELETE FROM crm.note WHERE note_id = 2;
UPDATE crm.task SET customer_id = 3 WHERE task_id = 2;
DELETE FROM crm.tag WHERE tag_id = 1 AND false;
DELETE FROM crm.segment WHERE segment_id = 1;
INSERT INTO crm.preference (customer_id, name, value) VALUES (2, 'language', 'it');
UPDATE crm.sales_order SET opportunity_id = NULL WHERE sales_order_id = 2;
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, amount) VALUES (1, 9, now(), 1);
UPDATE crm.customer SET name = 'Corrected', attributes = attributes || '{"hat": 57, "tie": 1}' WHERE customer_id = 1;
SELECT crm.loyalty_redeem(1, 30) IS NULL AS x \gset
DROP TABLE test_merge.profile;
SELECT results_eq('SELECT * FROM crm.unmerge_customers((SELECT id FROM later)) WHERE missing > 0 ORDER BY 1', $$VALUES ('crm.note', 0::bigint, 1::bigint), ('crm.preference', 1, 1), ('crm.segment_member', 1, 1), ('crm.task', 0, 1), ('test_merge.profile', 0, 1)$$,
	'what was deleted, given away or has its place taken does not come back');
SELECT results_eq('SELECT sales_order_id, customer_id FROM crm.sales_order WHERE customer_id < 3 ORDER BY 1', 'VALUES (1::bigint, 1::bigint), (2, 2), (3, 2), (9, 1)', 'orders go back whatever deal they have now; new ones stay with the survivor');
SELECT results_eq('SELECT customer_id, name, region_id, lifecycle, attributes FROM crm.customer WHERE customer_id < 3 ORDER BY 1', $$VALUES
	(1::bigint, 'Corrected', NULL::bigint, 'prospect', '{"size": 1, "shoe": 40, "hat": 57, "tie": 1}'::jsonb), (2, 'Second', 2, 'customer', '{"size": 2, "hat": 56}')$$, 'fields that were changed stay');
SELECT results_eq('SELECT customer_id, sum(points) FROM crm.loyalty_ledger WHERE customer_id < 3 GROUP BY 1 ORDER BY 1', $$VALUES (1::bigint, 0::numeric), (2, 50)$$, 'points that were spent do not come back');

-- What stops a merge, as if it had not been called
CREATE TABLE test_merge.bare (who bigint REFERENCES crm.customer);
INSERT INTO test_merge.bare VALUES (1);
SELECT lives_ok('SELECT crm.unmerge_customers(crm.merge_customers(1, 3))', 'a table without a primary key is no matter without rows of the duplicate');
INSERT INTO test_merge.bare VALUES (3);
TRUNCATE digest;
INSERT INTO digest SELECT * FROM pg_temp.digests();
SELECT throws_ok('SELECT crm.merge_customers(1, 3)', '55000', 'table test_merge.bare has no primary key, so a merge could not be undone', 'with such rows it is');
DROP TABLE test_merge.bare;
INSERT INTO crm.note (customer_id, note_id, body) VALUES (1, 3, 'the same number by hand');
DELETE FROM digest WHERE relation IN ('crm.note', 'test_merge.bare');
SELECT throws_ok('SELECT crm.merge_customers(1, 3)', '23505', NULL, 'rows that are numbered are not removed for a number given twice');
SELECT is_empty('TABLE digest EXCEPT SELECT * FROM pg_temp.digests()', 'and nothing has changed');
SELECT throws_ok('SELECT crm.merge_customers(1, 1)', '22023', 'customer 1 cannot be merged with itself', 'not with itself');
SELECT throws_ok('SELECT crm.merge_customers(1, 99)', '42704', 'there is no customer 99', 'not an unknown duplicate');
SELECT throws_ok('SELECT crm.merge_customers(99, 1)', '42704', 'there is no customer 99', 'not into nobody');
SELECT throws_ok('SELECT crm.merge_customers(0, 1)', '42704', 'there is no customer 0', 'not into the unknown one');
SELECT throws_ok('SELECT crm.merge_customers(NULL, 1)', '22004', 'argument "survivor" must not be null', 'not into null');
SELECT throws_ok('SELECT crm.merge_customers(1, NULL)', '22004', 'argument "duplicate" must not be null', 'not null');
SELECT throws_ok('SELECT crm.unmerge_customers(99)', '42704', 'there is no merge 99', 'only a merge is undone');
SELECT throws_ok('SELECT crm.unmerge_customers(NULL)', '22004', 'argument "merge_id" must not be null', 'and not null');

-- The tables
CREATE TEMPORARY TABLE my AS SELECT '{customer_merge, customer_merge_row}'::text[] AS tables;
SELECT pg_temp.refuses_keys(tables) FROM my;
SELECT pg_temp.refuses('UPDATE crm.customer_merge SET duplicate_id = survivor_id', 'customer_merge_duplicate_id_check');
SELECT pg_temp.refuses($$UPDATE crm.customer_merge SET survivor_before = '1'$$, 'customer_merge_survivor_before_check');
SELECT pg_temp.refuses($$UPDATE crm.customer_merge SET survivor_after = '1'$$, 'customer_merge_survivor_after_check');
SELECT pg_temp.refuses('UPDATE crm.customer_merge SET points = -1', 'customer_merge_points_check');
SELECT pg_temp.refuses('UPDATE crm.customer_merge SET undone_by = NULL, undone_at = now()', 'customer_merge_undone_at_check');
SELECT pg_temp.refuses($$UPDATE crm.customer_merge_row SET key = '1'$$, 'customer_merge_row_key_check');
SELECT pg_temp.refuses($$UPDATE crm.customer_merge_row SET removed = '1'$$, 'customer_merge_row_removed_check');
SELECT is_empty('SELECT pg_temp.never_refused(tables) FROM my', 'each constraint has refused something');

SELECT * FROM finish();
ROLLBACK;
