-- The access matrix: each role, each relation, each privilege and each row; each function. What is expected is declared here and
-- found by another way than crm.setup() and crm.grant_access() do, so that a relation or function without a rule fails.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup(row_security => true)', 'set up');
\ir lib/firm.sql

-- What each relation is.
CREATE TEMPORARY TABLE declared (relation text PRIMARY KEY, class text);
INSERT INTO declared SELECT unnest('{customer, contact_point, customer_identity, preference, customer_tag, note, campaign_member, touch, segment_member,
	opportunity, opportunity_item, opportunity_stage_history, sales_order, sales_order_item, sales_return, ticket, ticket_message, survey_response}'::text[]), 'customer';
INSERT INTO declared SELECT unnest('{consent, campaign_event, interaction, loyalty_ledger, event, score}'::text[]), 'log';
INSERT INTO declared SELECT unnest('{lead, task, reminder}'::text[]), 'owned';
INSERT INTO declared SELECT unnest('{ownership_transfer, ownership_transfer_row}'::text[]), 'record';
INSERT INTO declared SELECT unnest('{tag, product_category, product, currency_rate, campaign, campaign_cost, segment, lost_reason, pipeline, pipeline_stage, sales_target,
	root_cause, sla_policy, holiday, survey, loyalty_tier}'::text[]), 'catalogue';
INSERT INTO declared SELECT unnest('{region, team, agent, access_grant, source, model, tracked, schema_version}'::text[]), 'organisation';
INSERT INTO declared SELECT unnest('{customer_merge, customer_merge_row}'::text[]), 'private';
INSERT INTO declared SELECT unnest('{consent_status, loyalty_status, customer_360, purchase_history, customer_portrait, sales_funnel, campaign_results, ticket_response, open_tasks}'::text[]), 'view';
INSERT INTO declared VALUES ('visibility', 'visibility');
CREATE TEMPORARY TABLE personal (relation text PRIMARY KEY);
INSERT INTO personal SELECT unnest('{customer, contact_point, customer_identity, consent, preference, note, interaction, agent, lead, opportunity, opportunity_stage_history,
	sales_order, sales_return, ticket, ticket_message, survey_response, task, loyalty_ledger, event, customer_360, purchase_history, ticket_response, open_tasks}'::text[]);
INSERT INTO declared SELECT relation || '_masked', 'masked' FROM personal;

SELECT set_eq('SELECT relation FROM declared', $$SELECT relname::text FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition$$,
	'every relation of the schema is declared in this test');
SELECT set_eq('SELECT relation, class FROM declared', 'SELECT relation, scope FROM crm._access_rules()', 'and has that rule');
SELECT set_eq('SELECT relation FROM personal', $$SELECT relation FROM crm._access_rules() WHERE personal <> '{}'$$, 'personal data are where they are expected');
SELECT is_empty($$SELECT r.relation, a.attname FROM crm._access_rules() r JOIN pg_class c ON c.oid = ('crm.' || r.relation)::regclass AND c.relkind <> 'v'
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE r.personal <> '{}' AND (r.rule -> 'personal' ? a.attname)::int + (r.rule -> 'shown' ? a.attname)::int <> 1$$,
	'each column of a relation with personal data is either personal or shown');
SELECT is_empty($$SELECT r.relation, c.name FROM crm._access_rules() r CROSS JOIN LATERAL (
		SELECT jsonb_object_keys(r.rule -> 'personal') UNION ALL SELECT jsonb_array_elements_text(coalesce(r.rule -> 'shown', '[]') || coalesce(r.rule -> 'closed', '[]')
			|| coalesce(r.rule -> 'fixed', '[]') || coalesce(r.rule -> 'changed', '[]'))) c (name)
	WHERE crm._lacks_column(r.relation, c.name)$$, 'and each column of a rule exists');
SELECT is_empty($$SELECT relation FROM declared WHERE class NOT IN ('view', 'masked', 'visibility', 'private')
	AND (xpath('//n/text()', query_to_xml('SELECT count(*) AS n FROM crm.' || relation, false, true, '')))[1]::text = '0'$$, 'no table of this test is empty');

-- Privileges
CREATE TEMPORARY VIEW privilege AS
SELECT g.role, g.level, g.scope, coalesce(g.personal, true) AS personal, d.relation, d.class, ('crm.' || d.relation)::regclass AS id, p.privilege,
	CASE
		WHEN g.level IS NULL THEN false
		WHEN p.privilege = 'SELECT' THEN d.class <> 'private' AND (d.class <> 'record' OR g.level = 'manager')
			AND (d.class <> 'view' OR current_setting('server_version_num')::int >= 150000 AND (coalesce(g.personal, true) OR d.relation NOT IN (SELECT r.relation FROM personal r)))
		WHEN p.privilege = 'INSERT' THEN d.class IN ('customer', 'owned', 'log') AND g.level IN ('agent', 'manager') OR d.class IN ('catalogue', 'record') AND g.level = 'manager'
		WHEN p.privilege = 'UPDATE' THEN d.class IN ('customer', 'owned') AND g.level IN ('agent', 'manager') OR d.class = 'catalogue' AND g.level = 'manager'
			OR d.relation = 'ownership_transfer' AND g.level = 'manager'
		WHEN p.privilege = 'DELETE' THEN d.class IN ('customer', 'owned', 'catalogue') AND g.level = 'manager' AND (d.relation NOT IN ('campaign', 'segment') OR g.scope = 'all')
		ELSE false
	END AS expected
FROM grantee g, declared d, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p (privilege);
SELECT is_empty($$SELECT role, relation, privilege, expected FROM privilege
	WHERE CASE WHEN privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') THEN has_any_column_privilege(role, id, privilege) ELSE has_table_privilege(role, id, privilege) END <> expected$$,
	'each role has these privileges on each relation');
SELECT is((SELECT count(*) FROM privilege), 7 * (SELECT count(*) FROM grantee) * (SELECT count(*) FROM declared), 'that is the whole matrix');
SELECT is_empty($$SELECT DISTINCT relation FROM privilege WHERE NOT has_table_privilege(role, id, privilege) AND expected AND personal AND privilege IN ('SELECT', 'INSERT', 'UPDATE')
	AND (relation, privilege) NOT IN (('segment', 'INSERT'), ('segment', 'UPDATE'), ('survey', 'UPDATE'), ('pipeline_stage', 'UPDATE'), ('ownership_transfer', 'UPDATE'))$$,
	'on the whole of it');
SELECT results_eq($$SELECT p.relation, p.privilege, string_agg(a.attname::text COLLATE "default", ' ' ORDER BY a.attname) FROM privilege p JOIN pg_attribute a ON a.attrelid = p.id AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
	WHERE p.role = 'firm_manager' AND p.expected AND p.privilege IN ('INSERT', 'UPDATE') AND NOT has_column_privilege(p.role, p.id, a.attnum, p.privilege) GROUP BY 1, 2 ORDER BY 1, 2$$,
	$$VALUES ('ownership_transfer', 'UPDATE', 'filter from_agent_id ownership_transfer_id reason to_agent_id transferred_at transferred_by'), ('pipeline_stage', 'UPDATE', 'outcome'),
		('segment', 'INSERT', 'query'), ('segment', 'UPDATE', 'query'), ('survey', 'UPDATE', 'kind scale_max scale_min')$$, 'but for these columns');
SELECT is_empty($$SELECT role, c.oid::regclass, p FROM grantee, pg_class c, unnest('{SELECT,UPDATE,USAGE}'::text[]) p
	WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'S'
		AND has_sequence_privilege(role, c.oid, p) <> (p = 'USAGE' AND level IN ('agent', 'manager') AND c.oid = pg_get_serial_sequence('crm.customer', 'customer_id')::regclass)$$,
	'of the sequences only that of customers, for those who make some');
SELECT is_empty($$SELECT role, p FROM grantee, unnest('{USAGE,CREATE}'::text[]) p WHERE has_schema_privilege(role, 'crm', p) <> (p = 'USAGE' AND level IS NOT NULL)$$, 'nobody creates in the schema');
SELECT is_empty($$SELECT role, c.oid::regclass FROM grantee, pg_class c WHERE c.relnamespace = 'crm'::regnamespace AND c.relispartition AND has_table_privilege(role, c.oid, 'SELECT')$$, 'nor reads a partition by itself');
SELECT is_empty($$SELECT oid::regclass FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relname IN (SELECT relation FROM declared WHERE class IN ('customer', 'log', 'owned', 'record')) AND NOT (relrowsecurity AND relforcerowsecurity)$$,
	'row security is forced where rows are somebody''s');

SELECT is_empty($$SELECT f.conrelid::regclass, f.conname FROM pg_constraint f JOIN crm._access_rules() c ON ('crm.' || c.relation)::regclass = f.conrelid JOIN crm._access_rules() p ON ('crm.' || p.relation)::regclass = f.confrelid
	WHERE f.contype = 'f' AND c.scope IN ('customer', 'log', 'owned') AND p.scope = 'catalogue' AND (f.confdeltype NOT IN ('a', 'r') AND NOT p.rule ? 'shared' OR f.confupdtype NOT IN ('a', 'r'))$$,
	'no foreign row goes or changes with a row of a catalogue that a manager of some customers may delete or change');

-- Rows: the columns that a role may read, of the rows that it sees, against those that the superuser finds that it should.
CREATE FUNCTION pg_temp.rows_of(who text, relation text, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	columns text := (SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
		WHERE a.attrelid = ('crm.' || relation)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(who, a.attrelid, a.attnum, 'SELECT'));
	statement text := format('SELECT count(*) || '' '' || coalesce(md5(string_agg(r::text, ''|'' ORDER BY r::text)), ''-'') FROM (SELECT %s FROM crm.%I t WHERE %s) r', columns, relation, coalesce(condition, 'true'));
	result text;
BEGIN
	IF columns IS NULL THEN
		RETURN pg_temp.as_role(who, format('SELECT count(*) FROM crm.%I', relation));
	ELSIF condition IS NULL THEN
		RETURN pg_temp.as_role(who, statement);
	END IF;
	EXECUTE statement INTO result USING who;
	RETURN result;
END
$$;
CREATE TEMPORARY VIEW matrix AS
SELECT p.role, p.relation, p.class, CASE
		WHEN NOT p.expected THEN NULL
		WHEN p.class IN ('catalogue', 'organisation') OR p.relation = 'agent_masked' THEN 'true'
		WHEN p.relation IN ('lead', 'lead_masked') THEN 'pg_temp.sees_owner($1, owner_id, region_id) OR EXISTS (SELECT FROM sees s WHERE s.role = $1 AND s.customer_id = t.customer_id)'
		WHEN p.relation IN ('task', 'task_masked', 'reminder', 'open_tasks', 'open_tasks_masked') THEN 'EXISTS (SELECT FROM sees_task s WHERE s.role = $1 AND s.task_id = t.task_id)'
		WHEN p.relation = 'ownership_transfer' THEN 'transferred_by = $1 OR (SELECT scope = ''all'' FROM grantee WHERE role = $1)'
		WHEN p.relation = 'ownership_transfer_row' THEN 'ownership_transfer_id IN (SELECT ownership_transfer_id FROM crm.ownership_transfer WHERE transferred_by = $1) OR (SELECT scope = ''all'' FROM grantee WHERE role = $1)'
		ELSE 'EXISTS (SELECT FROM sees s WHERE s.role = $1 AND s.customer_id = t.customer_id)'
	END AS condition
FROM privilege p WHERE p.privilege = 'SELECT' AND p.class <> 'visibility' AND NOT (p.expected AND p.relation IN ('sales_funnel', 'campaign_results')) AND NOT (p.class = 'view' AND (NOT p.personal AND EXISTS (SELECT FROM personal r WHERE r.relation = p.relation)));
CREATE TEMPORARY TABLE seen AS
SELECT m.role, m.relation, pg_temp.rows_of(m.role, m.relation, NULL) AS got,
	CASE WHEN m.condition IS NULL THEN '42501: permission denied for ' || CASE WHEN m.role = 'firm_stranger' THEN 'schema crm' WHEN m.class IN ('view', 'masked') THEN 'view ' || m.relation ELSE 'table ' || m.relation END
		ELSE pg_temp.rows_of(m.role, m.relation, m.condition) END AS wanted
FROM matrix m;
SELECT is_empty('SELECT * FROM seen WHERE got IS DISTINCT FROM wanted', 'each role sees these rows of each relation, and no others');
-- What has no customers' rows counts those that the role sees.
SELECT is_empty($$SELECT p.role, p.relation, r.got, r.wanted FROM privilege p CROSS JOIN LATERAL (
		SELECT pg_temp.as_role(p.role, 'SELECT coalesce(sum(now_in), 0) FROM crm.sales_funnel') AS got,
			(SELECT count(*) FROM crm.opportunity o JOIN sees s USING (customer_id) WHERE s.role = p.role)::text AS wanted WHERE p.relation = 'sales_funnel'
		UNION ALL SELECT pg_temp.as_role(p.role, 'SELECT coalesce(sum(members + holdout), 0) FROM crm.campaign_results'),
			(SELECT count(*) FROM crm.campaign_member m JOIN sees s USING (customer_id) WHERE s.role = p.role)::text WHERE p.relation = 'campaign_results') r
	WHERE p.privilege = 'SELECT' AND p.expected AND r.got <> r.wanted$$, 'and so do the views that add up');
SELECT cmp_ok((SELECT count(*) FROM seen WHERE got ~ '^[1-9]\d* \w{32}$'), '>', (SELECT 5 * count(*) FROM declared), 'it sees some');
SELECT results_eq($$SELECT role, count(customer_id) FROM grantee LEFT JOIN sees USING (role) GROUP BY 1 ORDER BY 1$$, $$VALUES ('firm_agent', 4::bigint), ('firm_agent_all', 49), ('firm_agent_none', 0), ('firm_analyst', 49),
	('firm_manager', 30), ('firm_manager_all', 49), ('firm_masked', 49), ('firm_masked_own', 4), ('firm_person', 4), ('firm_reader', 49), ('firm_reader_own', 4), ('firm_retired', 0), ('firm_root', 26), ('firm_stranger', 0)$$,
	'the firm has somebody of each kind');

-- Writing: neither a foreign row is changed or taken, nor an own one given away; and no error tells of a foreign row.
CREATE TEMPORARY TABLE writer AS SELECT role, level FROM grantee WHERE level IN ('agent', 'manager') AND scope = 'own';
CREATE TEMPORARY TABLE target AS
SELECT d.relation, d.class, a.list, a.one, t.condition
FROM declared d
CROSS JOIN LATERAL (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE a.attidentity = '' OR d.relation = 'customer'), min(a.attname) FILTER (WHERE a.attname NOT IN ('customer_id', 'task_id'))
	FROM pg_attribute a WHERE a.attrelid = ('crm.' || d.relation)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') a (list, one)
CROSS JOIN LATERAL (SELECT CASE
	WHEN d.relation = 'lead' THEN 'owner_id = 5 AND region_id = 4 AND customer_id IS NULL'
	WHEN d.relation IN ('task', 'reminder') THEN '(SELECT t.task_id FROM crm.task t WHERE t.assignee_id = 5) = task_id'
	ELSE 'customer_id = 19' END) t (condition)
WHERE d.class IN ('customer', 'log', 'owned');
SELECT is((SELECT array_agg(role::text ORDER BY role) FROM sees WHERE customer_id = 19), '{firm_agent_all,firm_analyst,firm_manager_all,firm_masked,firm_reader}', 'customer 19 is foreign to all of them');
SELECT is((SELECT array_agg(c.owner_id || ' ' || c.region_id) FROM crm.customer c WHERE customer_id = 19), '{"5 4"}', 'being of agent 5 in region 4');

SELECT is_empty($$SELECT role, relation, r FROM writer, target, LATERAL pg_temp.changes(role, format('UPDATE crm.%I SET %I = %2$I', relation, one)) r
	WHERE class <> 'log' AND r <> (SELECT split_part(got, ' ', 1) FROM seen s WHERE s.role = writer.role AND s.relation = target.relation)$$, 'an UPDATE of everything finds what is seen');
SELECT is_empty($$SELECT role, relation, r FROM writer, target, LATERAL pg_temp.changes(role, format('UPDATE crm.%I SET %I = %2$I', relation, one)) r
	WHERE class = 'log' AND r <> '42501: permission denied for table ' || relation$$, 'a log is not changed');
SELECT is_empty($$SELECT role, relation, r FROM writer, target, LATERAL pg_temp.changes(role, format('DELETE FROM crm.%I WHERE %s', relation, condition)) r
	WHERE r <> CASE WHEN class <> 'log' AND level = 'manager' THEN '0' ELSE '42501: permission denied for table ' || relation END$$, 'no foreign row is deleted');
SELECT is_empty($$SELECT role, relation, r FROM writer, target, LATERAL pg_temp.changes(role, format('TRUNCATE crm.%I', relation)) r WHERE r !~ '^42501: permission denied for table '$$, 'nor all rows');

-- A copy of a foreign row, by its values, comes to the policy before any key is looked at.
CREATE FUNCTION pg_temp.copied(who text, relation text, list text, condition text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	statement text;
BEGIN
	EXECUTE format('SELECT format(%L, (SELECT string_agg(coalesce(quote_literal(x.value), ''NULL''), '', '' ORDER BY x.place) FROM jsonb_each_text(to_jsonb(t)) WITH ORDINALITY e (key, value, n) '
		'JOIN unnest(%L::text[]) WITH ORDINALITY k (key, place) ON k.key = e.key CROSS JOIN LATERAL (SELECT e.value, k.place) x)) FROM crm.%I t WHERE %s ORDER BY 1 LIMIT 1',
		format('INSERT INTO crm.%I (%s) VALUES (%%s)', relation, list), '{' || list || '}', relation, condition) INTO statement;
	RETURN pg_temp.changes(who, replace(statement, '''19''', '''' || value || ''''));
END
$$;
SELECT is_empty($$SELECT role, relation, r FROM writer, target, LATERAL pg_temp.copied(role, relation, list, condition, '19') r
	WHERE r <> format('42501: new row violates row-level security policy for table "%s"', relation)$$, 'no row is added to a foreign customer, and the error says no more');
SELECT is_empty($$SELECT role, relation, r, r2 FROM writer, target, LATERAL pg_temp.copied(role, relation, list, condition, '19') r, LATERAL pg_temp.copied(role, relation, list, condition, '999') r2
	WHERE class <> 'owned' AND relation <> 'customer' AND r <> r2$$, 'nor does it tell a foreign customer from none');
SELECT is_empty($$SELECT role, relation, r FROM writer, target, LATERAL pg_temp.changes(role, format('UPDATE crm.%I SET customer_id = 19', relation)) r
	WHERE class = 'customer' AND relation <> 'customer' AND EXISTS (SELECT FROM sees s WHERE s.role = writer.role)
		AND r !~ '^(42501: new row violates row-level security policy for table "\w+"|23505: duplicate key value violates unique constraint "\w+"|23503: insert or update on table "\w+" violates foreign key constraint "\w+")$'
		AND r !~ 'P0001'$$, 'no row is given to a foreign customer');
SELECT is_empty($$SELECT role, r FROM writer, LATERAL pg_temp.changes(role, 'UPDATE crm.customer SET owner_id = 5, region_id = 4') r
	WHERE r <> CASE WHEN EXISTS (SELECT FROM sees s WHERE s.role = writer.role) THEN '42501: new row violates row-level security policy for table "customer"' ELSE '0' END$$, 'nor a customer to a foreign agent');
SELECT is_empty($$SELECT role, r FROM writer, LATERAL pg_temp.changes(role, 'INSERT INTO crm.customer (customer_id, owner_id) VALUES (19, 1), (20, 5)
	ON CONFLICT (customer_id) DO UPDATE SET owner_id = 1') r WHERE r !~ '^42501: new row violates row-level security policy( \(USING expression\))? for table "customer"$'$$, 'nor is one taken over by a conflict');

-- Personal data do not come through to those who are kept from them.
CREATE FUNCTION pg_temp.output(who text, relation text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	columns text := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
		WHERE a.attrelid = ('crm.' || relation)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(who, a.attrelid, a.attnum, 'SELECT'));
BEGIN
	RETURN pg_temp.as_role(who, format('SELECT string_agg(r::text, ''|'') FROM (SELECT %s FROM crm.%I) r', columns, relation));
END
$$;
SELECT is_empty($$SELECT relation, substring(o FROM '(?i).{10}(?:secret|5550199|1980-02-29).{10}') FROM declared d, LATERAL pg_temp.output('firm_masked', relation) o WHERE o ~* 'secret|5550199|1980-02-29'$$,
	'whoever is kept from personal data reads none');
SELECT set_eq($$SELECT relation FROM declared d, LATERAL pg_temp.output('firm_reader', relation) o WHERE o ~* 'secret|5550199|1980-02-29' AND class <> 'view'$$, $$SELECT p.relation FROM personal p JOIN declared d USING (relation) WHERE d.class <> 'view'$$, 'whoever is not does');
SELECT is_empty($$SELECT relation FROM personal p JOIN declared d USING (relation) WHERE d.class <> 'view' AND pg_temp.as_role('firm_masked', format('SELECT count(t) FROM crm.%I t', relation)) <> '42501: permission denied for table ' || relation$$,
	'nor the whole row');
SELECT is_empty($$SELECT relation FROM declared WHERE class = 'masked' AND relation <> 'agent_masked' AND pg_temp.output('firm_masked', relation) NOT LIKE '%***%'$$, 'the masked views have rows, and masks');

-- Functions
CREATE TEMPORARY TABLE declared_function (name text PRIMARY KEY, level text);
INSERT INTO declared_function SELECT unnest('{clv, clv_fit, clv_summary, clv_backtest, clv_calibration, regularity, bgnbd_p_alive, bgnbd_expected_orders, bgnbd_pmf, mbgnbd_p_alive, mbgnbd_expected_orders, mbgnbd_pmf,
	paretonbd_p_alive, paretonbd_expected_orders, paretonbd_pmf, bgbb_p_alive, bgbb_expected_orders, bgbb_pmf, gamma_gamma_expected_value, sbg_retention, sbg_survival, sbg_expected_renewals}'::text[]), 'everybody';
INSERT INTO declared_function SELECT unnest('{clv_contract, clv_contract_fit, simulate_subscriptions}'::text[]), 'everybody';
INSERT INTO declared_function SELECT unnest('{clv_covariates, paretonbd_scale, clv_tracking}'::text[]), 'everybody';
INSERT INTO declared_function SELECT unnest('{churn, churn_fit}'::text[]), 'everybody';
INSERT INTO declared_function SELECT unnest('{rfm, rfm_segments, rfm_thresholds, rfm_rules, rfm_segment,
	kmeans, kmeans_clusters, kmeans_select_k, kmeans_labels, kmeans_predict, nearest_centroid,
	sequential_patterns, sequence_rules, association_rules, rule_measures, frequent_itemsets, advise_support,
	cox_baseline, cox_fit, cox_predict, linear_fit, linear_predict, logistic_fit, logistic_predict, logrank, nelson_aalen, survival_curve,
	last_run, simulate_orders, sources, timeline, find_customer, resolve_customer, resolve_customers,
	find_duplicates, survey_scores, due_reminders, segment_members, business_time, add_business_time, loyalty_balance, mask, period_number,
	order_count, skipped_count, first_order_at, last_order_at, total_amount, mean_amount, stddev_amount}'::text[]), 'everybody';
INSERT INTO declared_function SELECT unnest('{log_interaction, log_interactions, convert_lead, loyalty_earn, loyalty_redeem, _track_check_direction}'::text[]), 'agent';
INSERT INTO declared_function SELECT unnest('{campaign_add_segment, loyalty_expire, import_customers, transfer_ownership, undo_transfer,
	_owned_relations, _filter_customers, _transfer_check, _undo_transfer_rows, _row_key}'::text[]), 'manager';
INSERT INTO declared_function SELECT unnest('{setup, migrate, uninstall, resync_sequences, maintain_partitions, prune_interactions, map_source, unmap_source, track, untrack, untrack_missing, tracking_status,
	grant_access, revoke_access, merge_customers, unmerge_customers, simulate_crm}'::text[]), 'owner';
INSERT INTO declared_function SELECT unnest('{churn_backtest, churn_drivers, churn_gains}'::text[]), 'everybody';
INSERT INTO declared_function SELECT unnest('{cohorts, retention, subscription_retention}'::text[]), 'everybody';
INSERT INTO declared_function SELECT unnest('{recommend, recommend_backtest, recommend_customers, similar_items}'::text[]), 'everybody';
CREATE TEMPORARY VIEW crm_function AS
SELECT p.oid, p.proname::text AS name, p.prosrc, l.lanname, coalesce(d.level, CASE WHEN p.proname ~ '^_' THEN 'private' END) AS level,
	EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0) AS is_public
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang LEFT JOIN declared_function d ON d.name = p.proname
WHERE p.pronamespace = 'crm'::regnamespace AND p.prokind = 'f';
SELECT is_empty('SELECT name FROM crm_function WHERE level IS NULL', 'every function of the schema is declared in this test, or private');
SELECT is_empty('SELECT name FROM declared_function EXCEPT SELECT name FROM crm_function', 'and every one that is declared exists');
SELECT is_empty($$SELECT g.role, f.oid::regprocedure FROM grantee g, crm_function f
	WHERE has_function_privilege(g.role, f.oid, 'EXECUTE') <> CASE f.level
		WHEN 'everybody' THEN true WHEN 'agent' THEN coalesce(g.level IN ('agent', 'manager'), false) WHEN 'manager' THEN coalesce(g.level = 'manager', false) WHEN 'owner' THEN false
		ELSE f.is_public END$$, 'each level executes these, and no others');

-- What a function calls, its caller may execute, too: those of a level's own, and the triggers on what it writes.
CREATE TEMPORARY VIEW called AS
SELECT f.oid, f.name, f.level, f.is_public, c.oid AS called, c.name AS called_name
FROM crm_function f CROSS JOIN LATERAL (SELECT DISTINCT m[1] AS name FROM regexp_matches(regexp_replace(f.prosrc, 'RAISE .*?;\n', '', 'g'), '\mcrm\.(\w+)\(', 'g') m) r JOIN crm_function c ON c.name = r.name
WHERE f.lanname IN ('sql', 'plpgsql');
SELECT is_empty($$SELECT g.role, c.name, c.called_name FROM grantee g, called c
	WHERE g.level IS NOT NULL AND has_function_privilege(g.role, c.oid, 'EXECUTE') AND NOT has_function_privilege(g.role, c.called, 'EXECUTE')$$,
	'what a function calls may be executed with it');
SELECT is_empty($$SELECT DISTINCT p.relation, t.tgname, c.called_name FROM privilege p JOIN pg_trigger t ON t.tgrelid = p.id AND NOT t.tgisinternal JOIN called c ON c.oid = t.tgfoid
	WHERE p.expected AND p.privilege IN ('INSERT', 'UPDATE', 'DELETE') AND NOT has_function_privilege(p.role, c.called, 'EXECUTE')$$, 'and what a trigger calls, by whoever writes');

SELECT * FROM finish();
ROLLBACK;
