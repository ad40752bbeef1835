-- access: what each relation is to whom: the rules that the families declare, and row-level security by owner, team and region.
--
-- A family says in its own file what its relations and functions are, by a member crm._access_NNN_name() RETURNS jsonb:
--   {"relations": {"note": {"scope": "customer", "personal": {"body": "text"}, "shown": ["customer_id", ...]}, ...},
--    "functions": {"agent": ["log_interaction", ...], ...}}
-- scope     whose the rows are and who writes them:
--             customer      of a customer: seen with the customer; agents add and change, managers delete
--             log           the same, but rows are only added
--             owned         of an agent, and perhaps of a customer: seen with either; written as customer
--             record        of whoever wrote them ("written_by" names the column); managers add, and change "changed"
--             catalogue     of the firm: all read, managers write
--             organisation  of the firm: all read, only the owner of the tables writes
--             private       only the owner reads
--             view          with the rights of the caller
--             visibility    with the rights of the owner, about the caller alone: all read
-- personal  the columns with personal data, each with its kind of mask, see crm.mask()
-- shown     the columns without, where personal names some; whatever else a table has is the user's, and shown to nobody
--           who is kept from personal data
-- owner     the column with the agent, when it is not owner_id
-- through   the table whose visible rows make these rows visible, when they have no customer
-- shared    deleting a row takes rows of customers along, so that only those do it who see every customer
-- closed    columns that only the owner of the tables fills; fixed: that only the owner changes
-- functions by level: what PUBLIC may not execute and this level, with those above, may

CREATE FUNCTION crm._access() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	step text;
	given jsonb;
	relations jsonb := '{"schema_version": {"scope": "organisation"}}';
	functions jsonb := '{"reader": [], "agent": [], "manager": []}';
	level text;
BEGIN
	FOR step IN SELECT * FROM crm._steps('_access') LOOP
		EXECUTE format('SELECT crm.%I()', step) INTO given;
		relations := relations || coalesce(given -> 'relations', '{}');
		FOREACH level IN ARRAY '{reader, agent, manager}'::text[] LOOP
			functions := jsonb_set(functions, ARRAY[level], functions -> level || coalesce(given #> ARRAY['functions', level], '[]'));
		END LOOP;
	END LOOP;
	RETURN jsonb_build_object('relations', relations, 'functions', functions);
END
$$;
COMMENT ON FUNCTION crm._access() IS 'what the families declare of their relations and functions, gathered';
REVOKE ALL ON FUNCTION crm._access() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._access() TO @extowner@;

CREATE FUNCTION crm._access_rules() RETURNS TABLE (relation text, scope text, personal text[], rule jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH declared AS (
		SELECT r.key, r.value, ARRAY(SELECT p FROM jsonb_object_keys(r.value -> 'personal') p ORDER BY p) AS columns
		FROM jsonb_each(crm._access() -> 'relations') r
	)
	SELECT d.key, d.value ->> 'scope', d.columns, d.value FROM declared d
	UNION ALL
	SELECT d.key || '_masked', 'masked', '{}', jsonb_build_object('scope', 'masked', 'of', d.key) FROM declared d WHERE d.columns <> '{}';
END
$$;
COMMENT ON FUNCTION crm._access_rules() IS 'for each relation of crm._relations() its scope, its columns with personal data, and the whole rule; see the head of the file';
REVOKE ALL ON FUNCTION crm._access_rules() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._access_rules() TO @extowner@;

-- Not security_invoker: a role needs no right to the organisation's tables to learn what it sees, and it learns nothing else.
CREATE FUNCTION crm._setup_280_access(partition_interactions boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE OR REPLACE VIEW crm.visibility AS
	SELECT
		EXISTS (SELECT FROM pg_catalog.pg_class c
			WHERE c.oid = 'crm.customer'::regclass AND pg_catalog.pg_has_role(c.relowner, 'USAGE'))
		OR EXISTS (SELECT FROM crm.access_grant g JOIN pg_catalog.pg_roles r ON r.rolname = g.role_name
			WHERE g.scope = 'all' AND pg_catalog.pg_has_role(r.oid, 'USAGE')) AS sees_all,
		ARRAY(
			WITH RECURSIVE managed (team_id) AS (
				SELECT m.team_id FROM crm.agent m
				WHERE m.role_name = CURRENT_USER AND m.is_active AND m.is_manager AND m.team_id IS NOT NULL
				UNION
				SELECT t.team_id FROM managed m JOIN crm.team t ON t.parent_id = m.team_id
			)
			SELECT m.agent_id FROM crm.agent m WHERE m.role_name = CURRENT_USER AND m.is_active
			UNION
			SELECT a.agent_id FROM managed m JOIN crm.agent a ON a.team_id = m.team_id
			ORDER BY 1
		) AS agent_ids,
		ARRAY(
			WITH RECURSIVE managed (region_id) AS (
				SELECT m.region_id FROM crm.agent m
				WHERE m.role_name = CURRENT_USER AND m.is_active AND m.is_manager AND m.region_id IS NOT NULL
				UNION
				SELECT r.region_id FROM managed m JOIN crm.region r ON r.parent_id = m.region_id
			)
			SELECT m.region_id FROM managed m ORDER BY 1
		) AS region_ids;
	PERFORM crm._describe('visibility', 'what the current role sees when row security is on, one row', $json${
		"sees_all": "whether it sees every customer: it is or inherits from the owner of the tables, or a role that was granted scope all",
		"agent_ids": "the agents whose customers it sees: its own, and for a manager those of the team and the teams below",
		"region_ids": "the regions whose customers it sees: for a manager the own region and those below"}$json$);
END
$$;
COMMENT ON FUNCTION crm._setup_280_access(boolean) IS 'a step of crm.setup(): visibility';
REVOKE ALL ON FUNCTION crm._setup_280_access(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._setup_280_access(boolean) TO @extowner@;

CREATE FUNCTION crm._relations_280_access() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{visibility}'::pg_catalog.text[] $$;
COMMENT ON FUNCTION crm._relations_280_access() IS 'what crm._setup_280_access makes';
REVOKE ALL ON FUNCTION crm._relations_280_access() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._relations_280_access() TO @extowner@;

CREATE FUNCTION crm._access_280_access() RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{"relations": {"visibility": {"scope": "visibility"}}}'::pg_catalog.jsonb $$;
COMMENT ON FUNCTION crm._access_280_access() IS 'access to what crm._setup_280_access makes';
REVOKE ALL ON FUNCTION crm._access_280_access() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._access_280_access() TO @extowner@;

-- The condition under which a role that does not see everything sees a row. In a policy (in_view false) it relies on the
-- policies of the tables that it names; in a view that reads as the owner, to whom these do not apply, it says all of it.
-- A policy is of tables and views alone, so that it outlives the extension. EXISTS, not IN: the planner may look up the
-- customer by key for a few rows, or hash the visible customers for many.
CREATE FUNCTION crm._visible(relation text, alias text, rule jsonb, in_view boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	owned constant text := '%1$s.%2$I = ANY ((SELECT v.agent_ids FROM crm.visibility v)::pg_catalog.int8[])';
	in_region constant text := '%1$s.region_id = ANY ((SELECT v.region_ids FROM crm.visibility v)::pg_catalog.int8[])';
	own constant text := owned || ' OR ' || in_region;
	of_customer constant text := 'EXISTS (SELECT FROM crm.customer c WHERE c.customer_id = %1$s.customer_id%2$s)';
	narrow constant text := CASE WHEN in_view THEN ' AND (' || format(own, 'c', 'owner_id') || ')' ELSE '' END;
	owner constant text := coalesce(rule ->> 'owner', 'owner_id');
	through record;
BEGIN
	IF relation = 'customer' THEN
		RETURN format(own, alias, 'owner_id');
	ELSIF rule ? 'written_by' THEN
		RETURN format('%s.%I = CURRENT_USER', alias, rule ->> 'written_by');
	ELSIF rule ? 'through' THEN
		SELECT r.* INTO through FROM crm._access_rules() r WHERE r.relation = _visible.rule ->> 'through';
		RETURN format('EXISTS (SELECT FROM crm.%1$I p WHERE p.%2$I = %3$s.%2$I%4$s)', through.relation, through.relation || '_id', alias,
			CASE WHEN in_view THEN ' AND (' || crm._visible(through.relation, 'p', through.rule, true) || ')' ELSE '' END);
	ELSIF rule ->> 'scope' = 'owned' THEN
		RETURN format(owned, alias, owner)
			|| CASE WHEN crm._lacks_column(relation, 'region_id') THEN '' ELSE format(' OR ' || in_region, alias) END
			|| ' OR ' || format(of_customer, alias, narrow);
	END IF;
	RETURN format(of_customer, alias, narrow);
END
$$;
COMMENT ON FUNCTION crm._visible(text, text, jsonb, boolean) IS 'the SQL of the condition under which a row of a relation is visible to a role that does not see everything';
REVOKE ALL ON FUNCTION crm._visible(text, text, jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._visible(text, text, jsonb, boolean) TO @extowner@;

CREATE FUNCTION crm._protected() RETURNS TABLE (relation text, id oid, rule jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT r.relation, c.oid, r.rule
	FROM crm._access_rules() r
	JOIN pg_class c ON c.oid = to_regclass('crm.' || quote_ident(r.relation))
	WHERE r.scope IN ('customer', 'log', 'owned', 'record')
	ORDER BY r.relation <> 'customer', r.relation;
END
$$;
COMMENT ON FUNCTION crm._protected() IS 'the tables that row security is for, customer first';
REVOKE ALL ON FUNCTION crm._protected() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._protected() TO @extowner@;

CREATE FUNCTION crm._has_policy(id oid, name text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = id AND p.polname = name) $$;
COMMENT ON FUNCTION crm._has_policy(oid, text) IS 'whether a table has a policy of that name';
REVOKE ALL ON FUNCTION crm._has_policy(oid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._has_policy(oid, text) TO @extowner@;

CREATE FUNCTION crm._row_security_is_on() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT crm._has_policy(pg_catalog.to_regclass('crm.customer'), 'crm_all') $$;
COMMENT ON FUNCTION crm._row_security_is_on() IS 'whether crm.setup(row_security => true) switched row security on';
REVOKE ALL ON FUNCTION crm._row_security_is_on() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._row_security_is_on() TO @extowner@;

CREATE FUNCTION crm._sees_part() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF row_security_active('crm.customer') AND EXISTS (SELECT FROM pg_policy p
		WHERE p.polrelid = to_regclass('crm.customer') AND p.polname = 'crm_all')
	THEN
		RETURN NOT (SELECT v.sees_all FROM crm.visibility v);
	END IF;
	RETURN false;
END
$$;
COMMENT ON FUNCTION crm._sees_part() IS 'whether row security keeps customers from the current role; open to PUBLIC for the functions that are';

-- Two policies a table, each TO the roles that it is for: crm_all for those who see everything, so that the planner has no
-- condition for them at all (one that looks up the customer would take their parallel plans away), and crm_own for those
-- who do not. The owner's sessions never meet crm_own, whose view pg_dump would refuse. Nobody else sees a row.
CREATE FUNCTION crm._policy_roles(id oid, policy text) RETURNS oid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ARRAY(
		SELECT r.oid
		FROM pg_catalog.pg_roles r
		WHERE CASE WHEN r.oid = (SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = id) THEN policy = 'crm_all'
			ELSE r.rolname IN (SELECT g.role_name FROM crm.access_grant g WHERE (g.scope = 'all') = (policy = 'crm_all')) END
		ORDER BY r.oid)
$$;
COMMENT ON FUNCTION crm._policy_roles(oid, text) IS 'the roles that a policy is for: crm_all for the owner and those with scope all, crm_own for those with scope own';
REVOKE ALL ON FUNCTION crm._policy_roles(oid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._policy_roles(oid, text) TO @extowner@;

CREATE FUNCTION crm._make_policy(relation text, id oid, policy text, expression text, again boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	roles constant oid[] := crm._policy_roles(id, policy);
	role_list constant text := (SELECT string_agg(quote_ident(pg_get_userbyid(r)), ', ') FROM unnest(roles) r);
	has_policy boolean := crm._has_policy(id, policy);
BEGIN
	IF has_policy AND (again OR roles = '{}') THEN
		EXECUTE format('DROP POLICY %I ON crm.%I', policy, relation);
		has_policy := false;
	END IF;
	IF roles = '{}' THEN
		RETURN;
	ELSIF NOT has_policy THEN
		EXECUTE format('CREATE POLICY %I ON crm.%I TO %s USING (%s)', policy, relation, role_list, expression);
		EXECUTE format('COMMENT ON POLICY %I ON crm.%I IS %L', policy, relation, CASE policy
			WHEN 'crm_all' THEN 'the owner, and the roles that see every customer; see crm.grant_access()'
			ELSE 'the roles that see what crm.visibility says; see crm.grant_access()' END);
	ELSIF roles <> (SELECT array_agg(r ORDER BY r) FROM pg_policy p, unnest(p.polroles) r WHERE p.polrelid = id AND p.polname = policy) THEN
		EXECUTE format('ALTER POLICY %I ON crm.%I TO %s', policy, relation, role_list);
	END IF;
END
$$;
COMMENT ON FUNCTION crm._make_policy(text, oid, text, text, boolean) IS 'makes a policy where there is none, or again, and keeps the roles that it is for up to date';
REVOKE ALL ON FUNCTION crm._make_policy(text, oid, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_policy(text, oid, text, text, boolean) TO @extowner@;

CREATE FUNCTION crm._make_policies(again boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target record;
BEGIN
	FOR target IN SELECT p.*, c.relrowsecurity AND c.relforcerowsecurity AS is_forced
		FROM crm._protected() p JOIN pg_class c ON c.oid = p.id
	LOOP
		PERFORM crm._make_policy(target.relation, target.id, 'crm_all', 'true', again);
		PERFORM crm._make_policy(target.relation, target.id, 'crm_own',
			crm._visible(target.relation, format('%I', target.relation), target.rule, false), again);
		IF NOT target.is_forced THEN
			EXECUTE format('ALTER TABLE crm.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', target.relation);
		END IF;
	END LOOP;
	PERFORM crm._make_access_triggers();
END
$$;
COMMENT ON FUNCTION crm._make_policies(boolean) IS 'switches row security on: policies where there are none, and again where there are';
REVOKE ALL ON FUNCTION crm._make_policies(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_policies(boolean) TO @extowner@;

CREATE FUNCTION crm._drop_policies() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target record;
	policy text;
BEGIN
	FOR target IN SELECT * FROM crm._protected() LOOP
		IF crm._has_policy(target.id, 'crm_all') THEN
			EXECUTE format('ALTER TABLE crm.%I NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', target.relation);
		END IF;
		FOREACH policy IN ARRAY '{crm_own, crm_all}'::text[] LOOP
			IF crm._has_policy(target.id, policy) THEN
				EXECUTE format('DROP POLICY %I ON crm.%I', policy, target.relation);
			END IF;
		END LOOP;
	END LOOP;
	PERFORM crm._drop_access_triggers();
END
$$;
COMMENT ON FUNCTION crm._drop_policies() IS 'switches row security off and drops its policies; those of others stay';
REVOKE ALL ON FUNCTION crm._drop_policies() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._drop_policies() TO @extowner@;

CREATE FUNCTION crm._secure(row_security boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '30s'
AS $$
DECLARE
	was_on constant boolean := crm._row_security_is_on();
BEGIN
	IF coalesce(row_security, was_on) THEN
		PERFORM crm._make_policies(coalesce(row_security, false));
	ELSIF was_on THEN
		PERFORM crm._drop_policies();
	END IF;
	IF was_on <> crm._row_security_is_on() THEN
		PERFORM crm._make_masked_views();
	END IF;
	PERFORM crm._grant_again();
END
$$;
COMMENT ON FUNCTION crm._secure(boolean) IS 'the last of crm.setup(): row security on, off or (NULL) as it is, and what was granted, for new relations too';
REVOKE ALL ON FUNCTION crm._secure(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._secure(boolean) TO @extowner@;
