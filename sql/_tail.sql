-- The end of the install script.

-- A dump that is being restored has given the schema to the role that had installed, and will repeat what that role granted
-- to others: it needs the functions now, whoever restores. As in the head, row_security tells.
DO $tail$
DECLARE
	schema_owner oid;
	granted record;
BEGIN
	SELECT n.nspowner INTO schema_owner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'crm';
	IF pg_catalog.current_setting('row_security')::boolean OR schema_owner = '@extowner@'::regrole THEN
		RETURN;
	END IF;
	FOR granted IN
		SELECT p.oid::regprocedure AS function, pg_catalog.bool_or(a.is_grantable) AS is_grantable
		FROM pg_catalog.pg_proc p, pg_catalog.aclexplode(p.proacl) a
		WHERE p.pronamespace = 'crm'::regnamespace AND a.grantee = '@extowner@'::regrole AND a.privilege_type = 'EXECUTE'
		GROUP BY p.oid
		HAVING NOT EXISTS (SELECT FROM pg_catalog.aclexplode(p.proacl) o WHERE o.grantee = 0)
	LOOP
		EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %I%s', granted.function, pg_catalog.pg_get_userbyid(schema_owner),
			CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
	END LOOP;
END
$tail$;
