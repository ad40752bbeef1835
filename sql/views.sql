-- views: how crm.setup() makes the views that people and BI tools read.

CREATE FUNCTION crm._make_view(view_name text, definition text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	statement constant text := format('CREATE OR REPLACE VIEW crm.%I %s AS %s', view_name, crm._invoker_option(), definition);
	id constant oid := to_regclass('crm.' || quote_ident(view_name));
	view_owner oid;
	access aclitem[];
	entry record;
	dependents text;
BEGIN
	EXECUTE statement;
EXCEPTION WHEN invalid_table_definition THEN
	-- A version with other columns cannot replace the view: made anew, it keeps its owner and who may read it.
	SELECT c.relowner, c.relacl INTO view_owner, access FROM pg_class c WHERE c.oid = id;
	BEGIN
		EXECUTE format('DROP VIEW crm.%I', view_name);
	EXCEPTION WHEN dependent_objects_still_exist THEN
		GET STACKED DIAGNOSTICS dependents = PG_EXCEPTION_DETAIL;
		RAISE EXCEPTION USING
			ERRCODE = 'dependent_objects_still_exist',
			MESSAGE = format('the view crm.%I gets other columns, and other objects depend on it', view_name),
			DETAIL = dependents,
			HINT = 'Drop them, repeat this, and make them again.';
	END;
	EXECUTE statement;
	IF pg_get_userbyid(view_owner) <> CURRENT_USER THEN
		EXECUTE format('ALTER VIEW crm.%I OWNER TO %I', view_name, pg_get_userbyid(view_owner));
	END IF;
	FOR entry IN
		SELECT a.privilege_type, a.is_grantable,
			CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
		FROM aclexplode(access) a
		WHERE a.grantee <> view_owner
	LOOP
		EXECUTE format('GRANT %s ON crm.%I TO %s%s', entry.privilege_type, view_name, entry.grantee,
			CASE WHEN entry.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm._make_view(text, text) IS 'makes a view of schema crm, or brings it up to date';
REVOKE ALL ON FUNCTION crm._make_view(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_view(text, text) TO @extowner@;
