-- What access is like for those who have it: levels that come and go, rows that become one's own, errors that tell nothing, row security on and off.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup(row_security => true)', 'set up');
\ir lib/firm.sql

-- Levels
CREATE TEMPORARY VIEW acl AS
SELECT 'relation' AS kind, c.relname::text AS name, c.relacl::text AS acl FROM pg_class c WHERE c.relnamespace = 'crm'::regnamespace
UNION ALL SELECT 'column', a.attrelid::regclass || '.' || a.attname, a.attacl::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'crm'::regnamespace
UNION ALL SELECT 'function', p.oid::regprocedure::text, p.proacl::text FROM pg_proc p WHERE p.pronamespace = 'crm'::regnamespace
UNION ALL SELECT 'schema', nspname, nspacl::text FROM pg_namespace WHERE nspname = 'crm'
UNION ALL SELECT 'policy', p.polrelid::regclass || ' ' || p.polname, ARRAY(SELECT r::regrole::text FROM unnest(p.polroles) r WHERE r <> 0 ORDER BY 1)::text FROM pg_policy p;
CREATE ROLE firm_new;
CREATE TEMPORARY TABLE acl_before AS SELECT * FROM acl;
CREATE FUNCTION pg_temp.acl_changes() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT name FROM (SELECT kind, name, ARRAY(SELECT unnest(acl::text[]) ORDER BY 1) FROM acl EXCEPT SELECT kind, name, ARRAY(SELECT unnest(acl::text[]) ORDER BY 1) FROM acl_before) x
	UNION ALL SELECT name FROM acl_before WHERE (kind, name) NOT IN (SELECT kind, name FROM acl)
$$;
SELECT lives_ok(format('SELECT crm.grant_access(%L, %L, %L, %L)', role, level, scope, personal), role || ' is granted the same again') FROM grantee WHERE level IS NOT NULL AND role NOT IN ('firm_person', 'firm_analyst');
SELECT is_empty('SELECT pg_temp.acl_changes()', 'which changes nothing');
SELECT lives_ok('SELECT crm.setup()', 'set up again');
SELECT is_empty('SELECT pg_temp.acl_changes()', 'which changes nothing either');
CREATE FUNCTION pg_temp.privileges(who text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT kind || ' ' || name || ' ' || substring(a FROM '=(.*)/') FROM acl, unnest(acl.acl::text[]) a WHERE kind <> 'policy' AND a LIKE who || '=%'
	UNION ALL SELECT kind || ' ' || name FROM acl WHERE kind = 'policy' AND who::text = ANY (acl.acl::text[])
$$;
CREATE FUNCTION pg_temp.through_levels(roles text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	g record;
BEGIN
	FOR g IN SELECT * FROM unnest(roles) WITH ORDINALITY r (role, place) JOIN grantee USING (role) ORDER BY place LOOP
		PERFORM crm.grant_access('firm_new', g.level, g.scope, g.personal);
		RETURN NEXT set_eq('SELECT pg_temp.privileges(''firm_new'')', format('SELECT pg_temp.privileges(%L)', g.role), 'now a role has what ' || g.role || ' has, and nothing else');
		RETURN NEXT results_eq('SELECT level, scope, personal, granted_by FROM crm.access_grant WHERE role_name = ''firm_new''', format('SELECT %L, %L, %L::boolean, CURRENT_USER', g.level, g.scope, g.personal), 'and that is recorded');
	END LOOP;
END
$$;
SELECT pg_temp.through_levels('{firm_reader, firm_manager_all, firm_masked, firm_agent, firm_masked_own, firm_manager, firm_agent_all, firm_reader_own, firm_masked, firm_reader}');
GRANT UPDATE (name), DELETE ON crm.customer TO firm_new;
GRANT EXECUTE ON FUNCTION crm.uninstall(text) TO firm_new;
SELECT lives_ok('SELECT crm.grant_access(''firm_new'', ''agent'')', 'an agent');
SELECT set_eq('SELECT pg_temp.privileges(''firm_new'')', 'SELECT pg_temp.privileges(''firm_agent'')', 'has no more than an agent, whatever was granted besides');
SELECT lives_ok('SELECT crm.revoke_access(''firm_new'')', 'revoked');
SELECT is_empty('SELECT pg_temp.privileges(''firm_new'')', 'nothing is left');
SELECT lives_ok('DROP ROLE firm_new', 'and nothing holds the role');
SELECT is_empty('SELECT pg_temp.acl_changes()', 'it is as it was');
SELECT throws_ok('SELECT crm.revoke_access(''firm_new'')', '42704', NULL, 'once');
SELECT is(pg_temp.as_role('firm_manager_all', 'SELECT crm.grant_access(''firm_agent'', ''manager'')'), '42501: permission denied for function grant_access', 'only the owner grants');

-- Grants follow what is new, and leave out who is gone.
REVOKE ALL ON crm.note, crm.customer_masked FROM firm_agent, firm_reader;
REVOKE EXECUTE ON FUNCTION crm.convert_lead FROM firm_agent;
INSERT INTO crm.access_grant (role_name, level, scope) VALUES ('firm_gone', 'agent', 'all');
SELECT lives_ok('SELECT crm.setup()', 'set up, as if after an update');
SELECT is_empty('SELECT pg_temp.acl_changes()', 'grants what was granted, of the new too');
SELECT lives_ok('SELECT crm.revoke_access(''firm_gone'')', 'a role that does not exist is forgotten');

-- An agent stays one.
SELECT is_empty($$SELECT s, r FROM unnest(ARRAY['UPDATE crm.agent SET is_manager = true', 'UPDATE crm.agent SET role_name = ''firm_agent''', 'INSERT INTO crm.agent (name, role_name, is_manager) VALUES (''x'', ''firm_agent'', true)',
		'UPDATE crm.access_grant SET scope = ''all''', 'INSERT INTO crm.access_grant VALUES (''firm_agent'', ''manager'', ''all'')', 'UPDATE crm.team SET parent_id = 1', 'UPDATE crm.region SET parent_id = 3',
		'DELETE FROM crm.agent', 'UPDATE crm.visibility SET sees_all = true', 'ALTER TABLE crm.customer DISABLE ROW LEVEL SECURITY', 'DROP POLICY crm_own ON crm.customer', 'CREATE POLICY mine ON crm.customer USING (true)',
		'CREATE VIEW crm.mine AS SELECT 1', 'CREATE TRIGGER t BEFORE INSERT ON crm.note FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()', 'LOCK TABLE crm.customer']) s,
	unnest('{firm_agent, firm_manager}'::text[]) w, LATERAL pg_temp.changes(w, s) r
	WHERE r !~ '^(42501|55000)' AND NOT (s = 'LOCK TABLE crm.customer' AND r = '0')$$, 'nobody raises himself');
SET LOCAL row_security = off;
SELECT is(pg_temp.as_role('firm_agent', 'SELECT count(*) FROM crm.customer'), '42501: query would be affected by row-level security policy for table "customer"', 'nor switches row security off');
SET LOCAL row_security = on;

-- What crm.visibility says
SELECT results_eq($$SELECT g.role, pg_temp.as_role(g.role, 'SELECT concat_ws('' '', sees_all, agent_ids, region_ids) FROM crm.visibility') FROM grantee g WHERE level IS NOT NULL ORDER BY 1$$, $$VALUES
	('firm_agent', 'f {1} {}'), ('firm_agent_all', 't {} {}'), ('firm_agent_none', 'f {} {}'), ('firm_analyst', 't {} {}'), ('firm_manager', 'f {1,2,3,6,9,10} {3}'), ('firm_manager_all', 't {} {}'),
	('firm_masked', 't {} {}'), ('firm_masked_own', 'f {10} {}'), ('firm_person', 'f {11} {}'), ('firm_reader', 't {} {}'), ('firm_reader_own', 'f {9} {}'), ('firm_retired', 'f {} {}'), ('firm_root', 'f {7} {1,2,3}')$$, 'visibility');
SELECT is((SELECT concat_ws(' ', sees_all, agent_ids, region_ids) FROM crm.visibility), 't {} {}', 'the owner sees all');

-- A new row is its maker's, unless it says whose, or is in a region that the maker manages.
SELECT is(pg_temp.as_role('firm_agent', 'INSERT INTO crm.customer (name) VALUES (''new'') RETURNING owner_id'), '1', 'a customer that an agent makes is his own');
SELECT is(pg_temp.as_role('firm_manager', 'INSERT INTO crm.customer (owner_id) VALUES (3) RETURNING owner_id'), '3', 'a manager makes one for a colleague');
SELECT is(pg_temp.as_role('firm_manager', 'INSERT INTO crm.customer (region_id) VALUES (3) RETURNING owner_id'), NULL, 'or for nobody, in his region');
SELECT is(pg_temp.as_role('firm_manager', 'INSERT INTO crm.customer (region_id) VALUES (4) RETURNING owner_id'), '6', 'in another region it is his own');
SELECT is(pg_temp.as_role('firm_manager', 'INSERT INTO crm.customer (owner_id) VALUES (5) RETURNING owner_id'), '42501: new row violates row-level security policy for table "customer"', 'not for somebody else');
SELECT is(pg_temp.as_role('firm_agent_none', 'INSERT INTO crm.customer (name) VALUES (''new'')'), '42501: new row violates row-level security policy for table "customer"', 'who is no agent makes none');
SELECT is(pg_temp.as_role('firm_agent_all', 'INSERT INTO crm.customer (name) VALUES (''new'') RETURNING owner_id'), NULL, 'who sees all may leave it open');
SELECT is(pg_temp.as_role('firm_agent', 'INSERT INTO crm.lead (name) VALUES (''new'') RETURNING owner_id'), '1', 'a lead');
SELECT is(pg_temp.as_role('firm_agent', 'INSERT INTO crm.task (subject) VALUES (''new'') RETURNING assignee_id'), '1', 'a task');
SELECT is(pg_temp.as_role('firm_agent', 'INSERT INTO crm.task (subject, customer_id) VALUES (''new'', 1) RETURNING assignee_id'), NULL, 'a task about a customer of his may wait for somebody');
INSERT INTO crm.customer (customer_id, name) VALUES (900, 'kept');
SELECT is((SELECT owner_id FROM crm.customer WHERE customer_id = 900), NULL, 'what the superuser, or a restore, writes is left as it is');

-- References tell nothing of rows that are not seen; those that were there before stay usable.
UPDATE crm.task SET assignee_id = 1 WHERE customer_id = 19;
SELECT is(pg_temp.as_role('firm_agent', 'UPDATE crm.task SET status = ''done'', customer_id = 19 WHERE customer_id = 19 RETURNING status'), 'done', 'an agent does his task about a foreign customer');
SELECT is_empty($$SELECT t.s, r1, r2 FROM (VALUES
		('UPDATE crm.task SET customer_id = %s', 'customer', 19, 9999), ('INSERT INTO crm.task (subject, assignee_id, customer_id) VALUES (''x'', 1, %s)', 'customer', 19, 9999), ('UPDATE crm.lead SET customer_id = %s', 'customer', 19, 9999),
		('UPDATE crm.customer SET merged_into = %s', 'customer', 19, 9999), ('UPDATE crm.opportunity SET lead_id = %s', 'lead', (SELECT max(lead_id) FROM crm.lead WHERE customer_id = 19)::int, 9999),
		('INSERT INTO crm.lead (owner_id, customer_id) VALUES (1, %s)', 'customer', 19, 9999)) t (s, relation, exists, missing),
	LATERAL pg_temp.changes('firm_agent', format(t.s, exists)) r1, LATERAL pg_temp.changes('firm_agent', format(t.s, missing)) r2
	WHERE r1 <> replace(r2, missing::text, exists::text) OR r1 !~ format('^23503: %s %s is none that you see', relation, exists)$$, 'a reference to a foreign row and one to none have the same error');
SELECT is(pg_temp.changes('firm_agent', 'INSERT INTO crm.reminder (task_id, remind_at) VALUES (9999, now())'), '42501: new row violates row-level security policy for table "reminder"', 'a reminder of no task');
SELECT is(pg_temp.changes('firm_agent', format('INSERT INTO crm.reminder (task_id, remind_at) VALUES (%s, now())', (SELECT task_id FROM crm.task WHERE assignee_id = 5))), '42501: new row violates row-level security policy for table "reminder"', 'and of a foreign one');
SELECT is(pg_temp.changes('firm_agent', 'INSERT INTO crm.customer_identity (source, external_id, customer_id) VALUES (''shop'', ''secret19'', 1)'), '23505: duplicate key value violates unique constraint "customer_identity_pkey"', 'a key that is taken is not repeated in the error');
SELECT is(pg_temp.changes('firm_agent', 'INSERT INTO crm.customer (customer_id) VALUES (19)'), '23505: duplicate key value violates unique constraint "customer_pkey"', 'nor a number');
SELECT is(pg_temp.changes('firm_agent', 'INSERT INTO crm.sales_order (customer_id, ordered_at, amount, opportunity_id) VALUES (1, now(), 1, 19)'), pg_temp.changes('firm_agent', 'INSERT INTO crm.sales_order (customer_id, ordered_at, amount, opportunity_id) VALUES (1, now(), 1, 9999)'), 'nor an opportunity of another customer');
SELECT is(pg_temp.changes('firm_agent', 'UPDATE crm.ticket SET status = NULL'), '23502: null value in column "status" of relation "ticket" violates not-null constraint', 'an error shows no row');

-- Functions run as the caller.
SELECT is(pg_temp.as_role('firm_agent', 'SELECT crm.resolve_customer(''shop'', ''secret1'')'), '1', 'a key of an own customer');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT crm.find_customer(''shop'', ''secret19'')'), NULL, 'a foreign one is not found');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT crm.resolve_customer(''shop'', ''secret19'')'), '42501: source "shop" knows by that key a customer whom the current role does not see', 'nor made again');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT string_agg(external_id || coalesce(''+'', ''-'') || (customer_id IS NOT NULL), '' '' ORDER BY external_id) FROM crm.resolve_customers(''shop'', ''{new1, new2, secret1, secret19}'')'), 'new1+true new2+true secret1+true secret19+false', 'new keys make own customers');
SELECT results_eq($$SELECT owner_id, count(*) FROM crm.customer WHERE customer_id IN (SELECT customer_id FROM crm.customer_identity WHERE external_id LIKE 'new_') GROUP BY 1$$, 'VALUES (1::bigint, 2::bigint)', 'of the agent');
SELECT is(pg_temp.as_role('firm_manager_all', 'SELECT count(DISTINCT customer_id) FROM crm.resolve_customers(''shop'', ''{new3, new4, secret19}'')'), '3', 'who sees all makes them the fast way');
SELECT is(pg_temp.as_role('firm_reader', 'SELECT crm.resolve_customer(''shop'', ''new5'')'), '42501: permission denied for table customer', 'a reader makes none');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT count(*) FROM crm.timeline(19)'), '0', 'the timeline of a foreign customer is empty');
SELECT cmp_ok(pg_temp.as_role('firm_agent', 'SELECT count(*) FROM crm.timeline(1)')::int, '>', 5, 'that of an own one is not');
SELECT is_empty($$SELECT g.role, r FROM grantee g, LATERAL pg_temp.as_role(g.role, 'SELECT array_agg(customer_id ORDER BY customer_id) FROM crm.rfm(as_of => ''2026-02-01'')') r
	WHERE level IS NOT NULL AND r IS DISTINCT FROM (SELECT array_agg(s.customer_id ORDER BY s.customer_id)::text FROM sees s WHERE s.role = g.role AND s.customer_id <> 0)$$, 'crm.rfm() has the customers that each role sees, for those without personal data too');
SELECT is_empty($$SELECT g.role, r FROM grantee g, LATERAL pg_temp.as_role(g.role, 'SELECT count(*) FROM crm.segment_members(''all'')') r WHERE level IS NOT NULL AND r <> (SELECT count(*)::text FROM sees s WHERE s.role = g.role AND s.customer_id <> 0)$$, 'so has a segment');
SELECT is_empty($$SELECT g.role, r FROM grantee g, LATERAL pg_temp.as_role(g.role, 'SELECT count(*) FROM crm.due_reminders()') r WHERE g.personal AND r <> (SELECT count(*)::text FROM sees_task s JOIN crm.task t USING (task_id) WHERE s.role = g.role AND t.status = 'open')
	AND g.role <> 'firm_agent'$$, 'so have due reminders');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT crm.log_interaction(19, ''call'')'), '42501: new row violates row-level security policy for table "interaction"', 'nothing is logged of a foreign customer');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT crm.log_interactions(''{1, 2}'', ''call'')'), '2', 'of own ones it is');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT crm.loyalty_earn(1, 5)'), '15', 'points are earned');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT crm.loyalty_redeem(19, 5)'), pg_temp.as_role('firm_agent', 'SELECT crm.loyalty_redeem(19, 10)'), 'and foreign ones are not redeemed, nor told of');
SELECT is(pg_temp.as_role('firm_agent', format('SELECT customer_created FROM crm.convert_lead(%s)', (SELECT min(lead_id) FROM crm.lead WHERE owner_id = 1))), 'false', 'a lead is converted');
SELECT alike(pg_temp.as_role('firm_agent', format('SELECT customer_created FROM crm.convert_lead(%s)', (SELECT min(lead_id) FROM crm.lead WHERE owner_id = 5))), '42704: there is no lead %', 'a foreign one is not');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT crm.campaign_add_segment(''spring'', ''all'')'), '42501: permission denied for function campaign_add_segment', 'a campaign is the managers''');
SELECT is(pg_temp.as_role('firm_manager', 'INSERT INTO crm.campaign (name) VALUES (''own'') RETURNING name'), 'own', 'who makes one');
SELECT is(pg_temp.as_role('firm_manager', 'SELECT concat_ws('' '', added, unknown) FROM crm.campaign_add_segment(''own'', ''all'')'), (SELECT count(*) || ' 0' FROM sees WHERE role = 'firm_manager' AND customer_id <> 0), 'and adds the customers that he sees');
SELECT is(pg_temp.as_role('firm_manager', 'SELECT rows FROM crm.transfer_ownership(1, 2, reason => ''ill'') WHERE relation = ''crm.customer'''), owned, 'a manager transfers what an agent has within the team') FROM (SELECT count(*)::text FROM crm.customer WHERE owner_id = 1) c (owned);
SELECT is_empty('SELECT FROM crm.customer WHERE owner_id = 1', 'all of it');
SELECT is(pg_temp.as_role('firm_manager', 'SELECT sum(rows) > 4 AND sum(moved_on) = 0 FROM crm.undo_transfer((SELECT max(ownership_transfer_id) FROM crm.ownership_transfer))'), 'true', 'and back');
SELECT is(pg_temp.as_role('firm_manager', 'SELECT crm.transfer_ownership(1, 5, reason => ''ill'')'), '42501: new row violates row-level security policy for table "customer"', 'but not out of it');
SELECT is(pg_temp.changes('firm_manager', 'SELECT FROM crm.transfer_ownership(5, 1, reason => ''mine'') t WHERE relation = ''crm.customer'' AND rows = 1'), '1', 'nor into it, but for the customer who is in the region');
SELECT alike(pg_temp.as_role('firm_manager', 'SELECT crm.import_customers(''SELECT 1 AS external_id'', ''list'')'), '42501: only a role that sees every customer can import customers%', 'imports are for who sees all');
SELECT is(pg_temp.as_role('firm_manager_all', 'SELECT outcome FROM crm.import_customers(''SELECT 1 AS external_id'', ''list'')'), 'new', 'such a manager');
SELECT is(pg_temp.as_role('firm_manager_all', 'SELECT crm.merge_customers(1, 2)'), '42501: permission denied for function merge_customers', 'to merge is the owner''s');
SELECT is(pg_temp.changes('firm_manager', 'INSERT INTO crm.segment (name, kind) VALUES (''s'', ''static'')'), '1', 'a manager makes a list');
SELECT is(pg_temp.changes('firm_manager', 'INSERT INTO crm.segment (name, kind, query) VALUES (''s'', ''query'', ''SELECT 1 AS customer_id'')'), '42501: permission denied for table segment', 'but no query that others would run');

-- Without the views, the plans of those who see all are those without row security.
CREATE FUNCTION pg_temp.plan_of(who text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	result text := '';
BEGIN
	PERFORM set_config('role', who, true);
	FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP
		result := result || line || E'\n';
	END LOOP;
	PERFORM set_config('role', 'none', true);
	RETURN result;
END
$$;
ANALYZE crm.sales_order;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT alike(pg_temp.plan_of('firm_manager_all', orders), '%Gather%Parallel Seq Scan on sales_order%', 'the source is read in parallel') FROM crm.source WHERE name = 'crm';
SELECT is(pg_temp.plan_of(g.role, orders), pg_temp.plan_of('none', orders), g.role || ': by the plan of the superuser') FROM crm.source, grantee g WHERE name = 'crm' AND g.scope = 'all';
SELECT alike(pg_temp.plan_of('firm_root', 'SELECT count(*) FROM crm.customer'), '%Gather%Parallel Seq Scan on customer%', 'customers are read in parallel by all');
RESET enable_indexscan;
RESET enable_bitmapscan;

-- Masks
SELECT results_eq($$SELECT crm.mask(v, k) FROM (VALUES (1, 'Anna Muster', 'name'), (2, ' A', 'name'), (3, '', 'name'), (4, 'anna@example.co.uk', 'mail'), (5, 'anna', 'mail'), (6, '+41 44 123 45 67', 'phone'), (7, '117', 'phone'),
	(8, '1980-02-29', 'birthday'), (9, '29.2.1980', 'birthday'), (10, 'Road 5', 'address'), (11, '@anna', 'social'), (12, 'anything', 'text'), (13, 'anna@local@x.example ', 'mail')) m (n, v, k) ORDER BY n$$,
	ARRAY['A***', '***', '***', '***@***.uk', '***', '***67', '***', '1980', '***', '***', '***', '***', '***@***.example'], 'what a mask leaves');
SELECT is_empty($$SELECT k FROM unnest('{name,mail,phone,birthday,address,social,text}'::text[]) k WHERE crm.mask(NULL, k) IS NOT NULL$$, 'of nothing there is nothing');
SELECT results_eq($$SELECT crm.mask(v::jsonb)::text FROM unnest(ARRAY['{"a": 1, "b": {"c": "x"}, "d": null}', '["x"]', '"x"', '5', 'null', NULL, '{}']) WITH ORDINALITY m (v, n) ORDER BY n$$,
	ARRAY['{"a": "***", "b": "***", "d": null}', '"***"', '"***"', '"***"', 'null', NULL, '{}'], 'a JSON object keeps its keys');
SELECT results_eq($$SELECT name, birthday, attributes::text, owner_id FROM crm.customer_masked WHERE customer_id = 2$$, $$VALUES ('S***', '1980', '{"hobby": "***"}', 1::bigint)$$, 'a masked customer');
SELECT results_eq($$SELECT given, normalised, label FROM crm.contact_point_masked WHERE customer_id = 2 ORDER BY kind$$, $$VALUES ('***', '***', '***'), ('***@***.example', '***@***.example', '***'), ('***99', '***99', '***')$$, 'and how to reach it');

-- A cheap function in a condition of the reader's would tell of foreign rows: it comes after the policy, and after the condition in a masked view.
CREATE FUNCTION public.leaks(customer bigint) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN IF customer = 19 THEN RAISE EXCEPTION 'leaked'; END IF; RETURN true; END $$;
SELECT is(pg_temp.as_role('firm_reader', 'SELECT count(*) FROM crm.note_masked WHERE public.leaks(customer_id)'), 'P0001: leaked', 'whoever sees a row may look at it');
SELECT is_empty($$SELECT role, r FROM unnest('{firm_masked_own, firm_agent, firm_root}'::text[]) role, (SELECT relation FROM crm._access_rules() WHERE relation IN ('customer', 'note', 'note_masked', 'customer_masked', 'ticket_masked')) x,
	LATERAL pg_temp.as_role(role, format('SELECT count(*) FROM crm.%I WHERE public.leaks(customer_id)', relation)) r WHERE r !~ '^(\d+|42501: permission denied for table note)$'$$, 'and who does not, not even so');

-- Row security off, and on again; what the user has made himself stays.
CREATE POLICY mine ON crm.note USING (false);
CREATE TEMPORARY TABLE policy_before AS SELECT * FROM acl WHERE kind = 'policy';
SELECT lives_ok('SELECT crm.setup(row_security => false)', 'switched off');
SELECT results_eq($$SELECT polname FROM pg_policy WHERE polrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'crm'::regnamespace)$$, ARRAY['mine'::name], 'the policies are gone, but for one''s own');
SELECT is_empty($$SELECT oid::regclass FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND (relrowsecurity OR relforcerowsecurity)$$, 'and off');
SELECT is_empty($$SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname ~ '^crm_(own|visible)'$$, 'and the triggers');
SELECT is(pg_temp.as_role('firm_agent_none', 'SELECT count(*) FROM crm.customer'), (SELECT count(*)::text FROM crm.customer), 'everybody sees everything');
SELECT is(pg_temp.as_role('firm_masked_own', 'SELECT count(*) FROM crm.customer_masked'), (SELECT count(*)::text FROM crm.customer), 'masked too');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT crm.resolve_customer(''shop'', ''secret19'')'), '19', 'and finds everybody');
SELECT lives_ok('SELECT crm.setup()', 'set up again');
SELECT is_empty($$SELECT oid::regclass FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relrowsecurity$$, 'leaves it off');
SELECT lives_ok('SELECT crm.setup(row_security => true)', 'switched on');
SELECT set_eq('SELECT * FROM acl WHERE kind = ''policy''', 'SELECT * FROM policy_before', 'everything is as before');
DROP POLICY mine ON crm.note;
DROP POLICY crm_own ON crm.note;
DROP POLICY crm_all ON crm.note;
ALTER TABLE crm.note DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER POLICY crm_own ON crm.ticket USING (false);
SELECT lives_ok('SELECT crm.migrate()', 'a table without policies, as after an update');
SELECT results_eq($$SELECT relrowsecurity, relforcerowsecurity, (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) FROM pg_class c WHERE oid = 'crm.note'::regclass$$, 'VALUES (true, true, 2::bigint)', 'gets them');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT count(*) FROM crm.ticket'), '0', 'what is there is kept');
SELECT lives_ok('SELECT crm.setup(row_security => true)', 'until it is asked for again');
SELECT isnt(pg_temp.as_role('firm_agent', 'SELECT count(*) FROM crm.ticket'), '0', 'which makes it as it should be');

-- Without the extension the policies go on: no function of its stands in them.
SELECT is_empty($$SELECT p.polrelid::regclass FROM pg_policy p JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass$$, 'no policy depends on a function');
SELECT lives_ok('DROP EXTENSION crm CASCADE', 'the extension is dropped');
SELECT is((SELECT count(*) FROM pg_policy WHERE polrelid = 'crm.note'::regclass), 2::bigint, 'the policies stay');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT count(*) FROM crm.note'), (SELECT count(*)::text FROM sees WHERE role = 'firm_agent' AND customer_id <> 0), 'and keep');
SELECT is((SELECT count(*) FROM crm.note), (SELECT count(*) FROM generate_series(1, 48)), 'the owner sees every row');
SELECT lives_ok('CREATE EXTENSION crm', 'created again');
SELECT lives_ok('SELECT crm.setup()', 'set up again');
SELECT is(pg_temp.as_role('firm_agent', 'SELECT crm.log_interaction(1, ''call'') IS NOT NULL'), 'true', 'the functions are granted again');
SELECT isnt(pg_temp.as_role('firm_masked', 'SELECT count(*) FROM crm.customer_masked'), '0', 'and the masked views');
SELECT lives_ok($$SELECT crm.uninstall('drop all customer data')$$, 'policies do not stop crm.uninstall()');

SELECT * FROM finish();
ROLLBACK;
