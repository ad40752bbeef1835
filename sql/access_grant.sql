-- access_grant: roles of the DBA's become readers, agents and managers.
--
-- What a level may do follows from the rules of the relations, see sql/access.sql. Granting computes what the role should
-- have on the CRM's relations, columns, functions, sequence and schema, and grants and revokes the difference from what
-- it has: so it can be repeated, and a lower level takes away.

-- Privileges as rows: of a whole object, or of a column (place > 0).
CREATE FUNCTION crm._privileges_wanted(level text, scope text, personal boolean)
RETURNS TABLE (kind text, id oid, place smallint, privilege text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rank constant integer := array_position('{reader, agent, manager}', level);
BEGIN
	IF level IS NULL THEN
		RETURN;
	END IF;
	RETURN QUERY
	WITH target AS (
		SELECT r.relation, r.scope, r.personal AS hidden, r.rule, c.oid, c.relkind,
			c.relkind <> 'v' OR coalesce(c.reloptions::text ~ 'security_invoker=(true|on|yes|1)\M', false) AS as_caller,
			CASE r.scope
				WHEN 'customer' THEN '{SELECT}'::text[] || CASE WHEN rank > 1 THEN '{INSERT, UPDATE}'::text[] END || CASE WHEN rank > 2 THEN '{DELETE}'::text[] END
				WHEN 'owned' THEN '{SELECT}'::text[] || CASE WHEN rank > 1 THEN '{INSERT, UPDATE}'::text[] END || CASE WHEN rank > 2 THEN '{DELETE}'::text[] END
				WHEN 'log' THEN '{SELECT}'::text[] || CASE WHEN rank > 1 THEN '{INSERT}'::text[] END
				WHEN 'record' THEN CASE WHEN rank > 2 THEN '{SELECT, INSERT, UPDATE}'::text[] END
				WHEN 'catalogue' THEN '{SELECT}'::text[] || CASE WHEN rank > 2 THEN '{INSERT, UPDATE, DELETE}'::text[] END
				WHEN 'private' THEN '{}'
				ELSE '{SELECT}' END AS privileges
		FROM crm._access_rules() r
		JOIN pg_class c ON c.oid = to_regclass('crm.' || quote_ident(r.relation))
	), narrowed AS (
		SELECT t.*, p.privilege, CASE
			WHEN p.privilege = 'SELECT' AND NOT personal AND t.hidden <> '{}' THEN t.rule -> 'shown'
			WHEN p.privilege = 'UPDATE' AND t.rule ? 'changed' THEN t.rule -> 'changed' END AS only_columns,
			CASE p.privilege
				WHEN 'INSERT' THEN t.rule -> 'closed'
				WHEN 'UPDATE' THEN coalesce(t.rule -> 'closed', '[]') || coalesce(t.rule -> 'fixed', '[]')
				END AS no_columns
		FROM target t, unnest(t.privileges) p (privilege)
		WHERE (t.as_caller OR t.scope IN ('masked', 'visibility')) AND (t.relkind <> 'v' OR personal OR t.hidden = '{}')
			AND NOT (p.privilege = 'DELETE' AND t.rule ? 'shared' AND _privileges_wanted.scope <> 'all')
	)
	SELECT 'TABLE', n.oid, 0::smallint, n.privilege
	FROM narrowed n WHERE n.only_columns IS NULL AND coalesce(n.no_columns, '[]') = '[]'
	UNION ALL
	SELECT 'TABLE', n.oid, a.attnum, n.privilege
	FROM narrowed n JOIN pg_attribute a ON a.attrelid = n.oid AND a.attnum > 0 AND NOT a.attisdropped
		AND NOT (a.attgenerated <> '' AND n.privilege <> 'SELECT')
	WHERE CASE WHEN n.only_columns IS NOT NULL THEN n.only_columns ? a.attname
		ELSE n.no_columns <> '[]' AND NOT n.no_columns ? a.attname END
	UNION ALL
	SELECT 'FUNCTION', f.id, 0::smallint, 'EXECUTE' FROM crm._access_functions(level) f (id)
	UNION ALL
	-- crm.resolve_customers() takes the numbers of new customers itself.
	SELECT 'SEQUENCE', pg_get_serial_sequence('crm.customer', 'customer_id')::regclass, 0::smallint, 'USAGE' WHERE rank > 1
	UNION ALL
	SELECT 'SCHEMA', 'crm'::regnamespace, 0::smallint, 'USAGE';
END
$$;
COMMENT ON FUNCTION crm._privileges_wanted(text, text, boolean) IS 'the privileges of a level, of a scope, with or without personal data';
REVOKE ALL ON FUNCTION crm._privileges_wanted(text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._privileges_wanted(text, text, boolean) TO @extowner@;

CREATE FUNCTION crm._access_functions(level text) RETURNS SETOF oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	functions constant jsonb := crm._access() -> 'functions';
	levels constant text[] := '{reader, agent, manager}';
BEGIN
	RETURN QUERY
	SELECT p.oid
	FROM pg_extension e
	JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_proc p ON p.oid = d.objid
	WHERE e.extname = 'crm' AND EXISTS (SELECT FROM unnest(levels[:array_position(levels, level)]) l WHERE functions -> l ? p.proname);
END
$$;
COMMENT ON FUNCTION crm._access_functions(text) IS 'the functions that PUBLIC may not execute and a level may';
REVOKE ALL ON FUNCTION crm._access_functions(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._access_functions(text) TO @extowner@;

CREATE FUNCTION crm._privileges_held(role oid) RETURNS TABLE (kind text, id oid, place smallint, privilege text, grantor oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH relation AS (
		SELECT c.oid, c.relacl FROM unnest(crm._relations()) r (name) JOIN pg_class c ON c.oid = to_regclass('crm.' || quote_ident(r.name))
	)
	SELECT 'TABLE', r.oid, 0::smallint, a.privilege_type, a.grantor FROM relation r, aclexplode(r.relacl) a WHERE a.grantee = role
	UNION ALL
	SELECT 'TABLE', r.oid, c.attnum, a.privilege_type, a.grantor
	FROM relation r JOIN pg_attribute c ON c.attrelid = r.oid AND NOT c.attisdropped, aclexplode(c.attacl) a WHERE a.grantee = role
	UNION ALL
	SELECT 'SEQUENCE', s.oid, 0::smallint, a.privilege_type, a.grantor
	FROM relation r JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid
		AND d.classid = 'pg_class'::regclass AND d.deptype IN ('i', 'a')
	JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S', aclexplode(s.relacl) a WHERE a.grantee = role
	UNION ALL
	SELECT 'FUNCTION', p.oid, 0::smallint, a.privilege_type, a.grantor
	FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_proc p ON p.oid = d.objid, aclexplode(p.proacl) a
	WHERE e.extname = 'crm' AND a.grantee = role
	UNION ALL
	SELECT 'SCHEMA', n.oid, 0::smallint, a.privilege_type, a.grantor
	FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'crm' AND a.grantee = role;
END
$$;
COMMENT ON FUNCTION crm._privileges_held(oid) IS 'what a role has been granted on the relations, columns, sequences, functions and schema of the CRM';
REVOKE ALL ON FUNCTION crm._privileges_held(oid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._privileges_held(oid) TO @extowner@;

CREATE FUNCTION crm._privilege_target(kind text, id oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE kind
		WHEN 'FUNCTION' THEN 'FUNCTION ' || id::pg_catalog.regprocedure::pg_catalog.text
		WHEN 'SCHEMA' THEN 'SCHEMA ' || id::pg_catalog.regnamespace::pg_catalog.text
		ELSE kind || ' ' || id::pg_catalog.regclass::pg_catalog.text END
$$;
COMMENT ON FUNCTION crm._privilege_target(text, oid) IS 'what stands after ON in GRANT and REVOKE';
REVOKE ALL ON FUNCTION crm._privilege_target(text, oid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._privilege_target(text, oid) TO @extowner@;

CREATE FUNCTION crm._privilege_changes(role oid, level text, scope text, personal boolean)
RETURNS TABLE (is_excess boolean, what text, grantor oid, may_grant boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT w.kind IS NULL,
		format('%s ON %s', string_agg(c.privilege || CASE WHEN c.place > 0 THEN format(' (%I)', a.attname) ELSE '' END, ', '),
			crm._privilege_target(c.kind, c.id)),
		h.grantor,
		CASE c.kind WHEN 'FUNCTION' THEN has_function_privilege(c.id, 'EXECUTE WITH GRANT OPTION')
			WHEN 'SCHEMA' THEN has_schema_privilege(c.id, 'USAGE WITH GRANT OPTION') ELSE true END
	FROM crm._privileges_wanted(level, scope, personal) w
	FULL JOIN crm._privileges_held(role) h ON (h.kind, h.id, h.place, h.privilege) = (w.kind, w.id, w.place, w.privilege)
	CROSS JOIN LATERAL (SELECT coalesce(w.kind, h.kind), coalesce(w.id, h.id), coalesce(w.place, h.place), coalesce(w.privilege, h.privilege))
		c (kind, id, place, privilege)
	LEFT JOIN pg_attribute a ON c.place > 0 AND a.attrelid = c.id AND a.attnum = c.place
	WHERE w.kind IS NULL OR h.kind IS NULL
	GROUP BY w.kind IS NULL, h.grantor, c.kind, c.id
	ORDER BY w.kind IS NULL DESC, c.kind, c.id
$$;
COMMENT ON FUNCTION crm._privilege_changes(oid, text, text, boolean) IS 'what lies between what a role has and what its level has: what is to be revoked first, and by whom it was granted, then what is to be granted';
REVOKE ALL ON FUNCTION crm._privilege_changes(oid, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._privilege_changes(oid, text, text, boolean) TO @extowner@;

-- Who granted what is too much must revoke it: where that was another than the caller, the caller becomes that role for the
-- moment, if it may. A table's privilege takes those of its columns along, so that there is a second round.
CREATE FUNCTION crm._set_privileges(role oid, level text, scope text, personal boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	caller constant text := current_setting('role');
	change record;
	has_revoked boolean;
	kept text[] := '{}';
	refused text[] := '{}';
BEGIN
	FOR round IN 1 .. 2 LOOP
		has_revoked := false;
		FOR change IN SELECT * FROM crm._privilege_changes(role, level, scope, personal) LOOP
			IF NOT change.is_excess AND change.may_grant THEN
				EXECUTE format('GRANT %s TO %I', change.what, pg_get_userbyid(role));
			ELSIF round = 1 AND NOT change.is_excess THEN
				refused := refused || change.what;
			ELSIF round = 1 THEN
				BEGIN
					IF pg_get_userbyid(change.grantor) <> CURRENT_USER THEN
						PERFORM set_config('role', pg_get_userbyid(change.grantor), true);
					END IF;
					EXECUTE format('REVOKE %s FROM %I', change.what, pg_get_userbyid(role));
					PERFORM set_config('role', caller, true);
					has_revoked := true;
				EXCEPTION WHEN insufficient_privilege THEN
					kept := kept || change.what;
				END;
			END IF;
		END LOOP;
		EXIT WHEN NOT has_revoked;
	END LOOP;
	IF kept <> '{}' THEN
		RAISE WARNING USING
			MESSAGE = format('role %I keeps privileges that another role has granted', pg_get_userbyid(role)),
			DETAIL = array_to_string(kept, '; '),
			HINT = 'That role, or a superuser, can revoke them.';
	END IF;
	IF refused <> '{}' THEN
		RAISE WARNING USING
			MESSAGE = format('role %I lacks privileges that %I may not grant', pg_get_userbyid(role), CURRENT_USER),
			DETAIL = array_to_string(refused, '; '),
			HINT = format('As a superuser: GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO %1$I WITH GRANT OPTION; GRANT USAGE ON SCHEMA crm TO %1$I WITH GRANT OPTION. Then repeat this.',
				CURRENT_USER);
	END IF;
END
$$;
COMMENT ON FUNCTION crm._set_privileges(oid, text, text, boolean) IS 'gives a role what its level has, and nothing else of the CRM; level NULL has nothing';
REVOKE ALL ON FUNCTION crm._set_privileges(oid, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._set_privileges(oid, text, text, boolean) TO @extowner@;

CREATE FUNCTION crm._grant_again() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	given record;
BEGIN
	FOR given IN
		SELECT g.*, r.oid AS role FROM crm.access_grant g LEFT JOIN pg_roles r ON r.rolname = g.role_name ORDER BY g.role_name
	LOOP
		IF given.role IS NULL THEN
			RAISE NOTICE USING
				MESSAGE = format('role %I of crm.access_grant does not exist', given.role_name),
				HINT = format('Create it and repeat this, or forget it: SELECT crm.revoke_access(%L).', given.role_name);
			CONTINUE;
		END IF;
		PERFORM crm._set_privileges(given.role, given.level, given.scope, given.personal);
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm._grant_again() IS 'gives every role of crm.access_grant what its level has by now; crm.setup() calls it';
REVOKE ALL ON FUNCTION crm._grant_again() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._grant_again() TO @extowner@;

CREATE FUNCTION crm._check_access_owner(role name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	owner oid;
BEGIN
	PERFORM crm._require_argument('role', role::text, false);
	PERFORM crm._require_table('access_grant');
	SELECT c.relowner INTO owner FROM pg_class c WHERE c.oid = to_regclass('crm.access_grant');
	IF NOT pg_has_role(owner, 'USAGE') THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = 'only the owner of the tables of the CRM grants access to them',
			DETAIL = format('Their owner is %I.', pg_get_userbyid(owner));
	ELSIF pg_get_userbyid(owner) = role THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_grant_operation',
			MESSAGE = format('role %I is the owner of the tables of the CRM', role),
			HINT = 'The owner has every right already.';
	END IF;
	PERFORM pg_advisory_xact_lock(hashtextextended('crm.setup', 0));
END
$$;
COMMENT ON FUNCTION crm._check_access_owner(name) IS 'the errors of crm.grant_access() and crm.revoke_access() that they share; they take turns, with crm.setup() too';
REVOKE ALL ON FUNCTION crm._check_access_owner(name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._check_access_owner(name) TO @extowner@;

CREATE FUNCTION crm.grant_access(role name, level text, scope text DEFAULT NULL, personal boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '30s'
AS $$
#variable_conflict use_column
DECLARE
	granted_scope constant text := coalesce(grant_access.scope, CASE grant_access.level WHEN 'reader' THEN 'all' ELSE 'own' END);
	id constant oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = grant_access.role);
BEGIN
	PERFORM crm._check_access_owner(grant_access.role);
	PERFORM crm._track_check_words('level', ARRAY[grant_access.level], '{reader,agent,manager}');
	PERFORM crm._track_check_words('scope', ARRAY[granted_scope], '{own,all}');
	PERFORM crm._require_argument('personal', grant_access.personal::text);
	IF id IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = format('role "%s" does not exist', grant_access.role),
			HINT = format('CREATE ROLE %I; this function makes no roles.', grant_access.role);
	ELSIF NOT grant_access.personal AND grant_access.level <> 'reader' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'only a reader can be kept from personal data',
			DETAIL = format('Got level "%s" with personal => false.', grant_access.level),
			HINT = 'Who writes to customers must know them.';
	END IF;
	INSERT INTO crm.access_grant AS g (role_name, level, scope, personal)
	VALUES (grant_access.role, grant_access.level, granted_scope, grant_access.personal)
	ON CONFLICT (role_name) DO UPDATE
	SET level = excluded.level, scope = excluded.scope, personal = excluded.personal, granted_at = now(), granted_by = CURRENT_USER
	WHERE (g.level, g.scope, g.personal) <> (excluded.level, excluded.scope, excluded.personal);
	PERFORM crm._set_privileges(id, grant_access.level, granted_scope, grant_access.personal);
	IF crm._row_security_is_on() THEN
		PERFORM crm._make_policies(false);
	END IF;
	IF crm._invoker_option() = '' THEN
		RAISE NOTICE USING
			MESSAGE = 'the views of the CRM are not granted, but for the masked ones',
			DETAIL = 'Before PostgreSQL 15 a view reads with the rights of its owner, who sees every row.';
	END IF;
END
$$;
COMMENT ON FUNCTION crm.grant_access(name, text, text, boolean) IS 'makes a role a reader, agent or manager of the CRM: grants what the level has and revokes what it has not; called again it changes the level';
REVOKE ALL ON FUNCTION crm.grant_access(name, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.grant_access(name, text, text, boolean) TO @extowner@;

CREATE FUNCTION crm.revoke_access(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '30s'
AS $$
#variable_conflict use_column
DECLARE
	id constant oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = revoke_access.role);
BEGIN
	PERFORM crm._check_access_owner(revoke_access.role);
	DELETE FROM crm.access_grant g WHERE g.role_name = revoke_access.role;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = format('role "%s" has no access by crm.grant_access()', revoke_access.role),
			HINT = 'SELECT role_name FROM crm.access_grant lists those that have.';
	END IF;
	IF id IS NOT NULL THEN
		PERFORM crm._set_privileges(id, NULL, NULL, NULL);
	END IF;
	IF crm._row_security_is_on() THEN
		PERFORM crm._make_policies(false);
	END IF;
END
$$;
COMMENT ON FUNCTION crm.revoke_access(name) IS 'takes back all that a role has been granted on the schema crm, its tables, views and functions';
REVOKE ALL ON FUNCTION crm.revoke_access(name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.revoke_access(name) TO @extowner@;
