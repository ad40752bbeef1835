-- Regions, teams and agents: what is refused, trees without circles, and the customer's owner, region and survivor.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');
\ir lib/refusal.sql

-- Rows as they should be
INSERT INTO crm.region (region_id, parent_id, name) VALUES (1, NULL, 'World'), (2, 1, 'Europe'), (3, 2, 'Alps'), (4, 1, 'Asia');
INSERT INTO crm.team (team_id, parent_id, name) VALUES (1, NULL, 'Sales'), (2, 1, 'Field'), (3, 2, 'South');
INSERT INTO crm.agent (agent_id, name, role_name, team_id, region_id) VALUES (1, 'Anna', 'anna', 1, 2), (2, 'Beat', NULL, 2, 3), (3, 'Cleo', NULL, NULL, NULL);
INSERT INTO crm.access_grant (role_name, level, scope) VALUES ('anna', 'manager', 'own');
INSERT INTO crm.customer (customer_id, name, owner_id, region_id, merged_into) VALUES (1, 'A', 1, 2, NULL), (2, 'B', 2, 3, 1);
SELECT results_eq('SELECT agent_id, is_manager, is_active, created_at = now() FROM crm.agent ORDER BY 1', 'SELECT n::bigint, false, true, true FROM generate_series(1, 3) n', 'the defaults of an agent');
SELECT results_eq('SELECT personal, granted_at = now(), granted_by = CURRENT_USER FROM crm.access_grant', 'VALUES (true, true, true)', 'the defaults of a grant');
SELECT lives_ok('SELECT crm.resync_sequences()', 'numbers go on');

-- Refusals
CREATE TEMPORARY TABLE my AS SELECT '{region, team, agent, access_grant, customer}'::text[] AS tables;
SELECT pg_temp.refuses_keys(tables) FROM my;
SELECT pg_temp.refuses($$INSERT INTO crm.region (name) VALUES ('World')$$, 'region_name_key');
SELECT pg_temp.refuses($$INSERT INTO crm.region (name) VALUES ('')$$, 'region_name_check');
SELECT pg_temp.refuses($$INSERT INTO crm.region (name, parent_id) VALUES ('orphan', 99)$$, 'region_parent_id_fkey');
SELECT pg_temp.refuses($$DELETE FROM crm.region WHERE region_id = 1$$, 'region_parent_id_fkey');
SELECT pg_temp.refuses($$INSERT INTO crm.team (name) VALUES ('Sales')$$, 'team_name_key');
SELECT pg_temp.refuses($$INSERT INTO crm.team (name) VALUES ('')$$, 'team_name_check');
SELECT pg_temp.refuses($$INSERT INTO crm.agent (name) VALUES ('')$$, 'agent_name_check');
SELECT pg_temp.refuses($$INSERT INTO crm.agent (name, role_name) VALUES ('Other', 'anna')$$, 'agent_role_name_key');
SELECT pg_temp.refuses($$INSERT INTO crm.access_grant (role_name, level, scope) VALUES ('x', 'owner', 'own')$$, 'access_grant_level_check');
SELECT pg_temp.refuses($$INSERT INTO crm.access_grant (role_name, level, scope) VALUES ('x', 'reader', 'some')$$, 'access_grant_scope_check');
SELECT pg_temp.refuses($$UPDATE crm.customer SET merged_into = customer_id$$, 'customer_merged_into_check');
SELECT pg_temp.refuses($$INSERT INTO crm.customer (customer_id) VALUES (0)$$, 'customer_customer_id_check');
SELECT pg_temp.refuses($$UPDATE crm.customer SET kind = 'robot'$$, 'customer_kind_check');
SELECT pg_temp.refuses($$UPDATE crm.customer SET lifecycle = 'immortal'$$, 'customer_lifecycle_check');
SELECT pg_temp.refuses($$UPDATE crm.customer SET attributes = '[]'$$, 'customer_attributes_check');
SELECT pg_temp.refuses($$DELETE FROM crm.agent WHERE agent_id = 1$$, 'customer_owner_id_fkey');
SELECT is_empty('SELECT pg_temp.never_refused(tables) FROM my', 'each constraint has refused something');

-- Trees
CREATE FUNCTION pg_temp.circle(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
	detail text;
	relation text;
	attribute text;
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN check_violation THEN
	GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, relation = TABLE_NAME, attribute = COLUMN_NAME;
	RETURN concat_ws(' | ', said, detail, relation, attribute);
END
$$;
SELECT is(pg_temp.circle('UPDATE crm.region SET parent_id = 3 WHERE region_id = 1'), 'region 1 would be a part of itself | The chain of parents is 1, 3, 2, 1. | region | parent_id', 'a region below its own parts');
SELECT is(pg_temp.circle('UPDATE crm.region SET parent_id = 2 WHERE region_id = 2'), 'region 2 would be a part of itself | The chain of parents is 2, 2. | region | parent_id', 'a region in itself');
SELECT is(pg_temp.circle($$INSERT INTO crm.region VALUES (10, 11, 'a'), (11, 10, 'b')$$), 'region 10 would be a part of itself | The chain of parents is 10, 11, 10. | region | parent_id', 'two new ones in each other');
SELECT is(pg_temp.circle($$INSERT INTO crm.region VALUES (10, 10, 'a')$$), 'region 10 would be a part of itself | The chain of parents is 10, 10. | region | parent_id', 'a new one in itself');
SELECT is(pg_temp.circle('UPDATE crm.region SET parent_id = CASE region_id WHEN 3 THEN 4 ELSE 3 END WHERE region_id IN (3, 4)'), 'region 3 would be a part of itself | The chain of parents is 3, 4, 3. | region | parent_id', 'two that change places in one statement');
SELECT is(pg_temp.circle('UPDATE crm.team SET parent_id = 3 WHERE team_id = 1'), 'team 1 would be a part of itself | The chain of parents is 1, 3, 2, 1. | team | parent_id', 'a team below its own parts');
SELECT results_eq('SELECT region_id, parent_id FROM crm.region ORDER BY 1', 'VALUES (1::bigint, NULL::bigint), (2, 1), (3, 2), (4, 1)', 'the tree stands as it stood');
SELECT is(pg_temp.circle('UPDATE crm.region SET parent_id = 4 WHERE region_id = 2'), 'done', 'a branch may move to another');
SELECT is(pg_temp.circle('UPDATE crm.region SET parent_id = NULL WHERE region_id = 4'), 'done', 'and become a tree of its own');
SELECT is(pg_temp.circle('UPDATE crm.region SET parent_id = 3 WHERE region_id = 1'), 'done', 'so that what was the top may stand below');
-- A circle that came in while triggers were off stops no server.
ALTER TABLE crm.region DISABLE TRIGGER crm_tree;
UPDATE crm.region SET parent_id = 1 WHERE region_id = 4;
ALTER TABLE crm.region ENABLE TRIGGER crm_tree;
SELECT is(pg_temp.circle($$INSERT INTO crm.region VALUES (12, 2, 'below')$$), 'region 2 would be a part of itself | The chain of parents is 12, 2, 4, 1, 3, 2. | region | parent_id', 'a circle above is found and ends');

-- Made by an older version: the new columns come, with their keys, and nothing else changes.
ALTER TABLE crm.customer DROP COLUMN owner_id CASCADE, DROP COLUMN region_id CASCADE, DROP COLUMN merged_into CASCADE;
SELECT results_eq($$SELECT table_name, action FROM crm.migrate() WHERE action = 'changed'$$, $$VALUES ('customer', 'changed')$$, 'an older customer table gets its columns');
SELECT results_eq('SELECT customer_id, name, owner_id, region_id, merged_into FROM crm.customer ORDER BY 1', $$VALUES (1::bigint, 'A', NULL::bigint, NULL::bigint, NULL::bigint), (2, 'B', NULL, NULL, NULL)$$, 'and keeps its rows');
SELECT is((SELECT count(*) FROM pg_constraint WHERE conrelid = 'crm.customer'::regclass AND contype = 'f'), 3::bigint, 'and gets the keys');
SELECT is_empty($$SELECT table_name FROM crm.migrate() WHERE action <> 'kept'$$, 'once');

SELECT * FROM finish();
ROLLBACK;
