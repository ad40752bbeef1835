-- crm: customer relationship management and its analytics inside PostgreSQL.
-- The head of the install script: who may install it, and into what schema.

\echo Use "CREATE EXTENSION crm" to load this file. \quit

SET LOCAL search_path = pg_catalog, pg_temp;

-- Schema crm may have been made beforehand by somebody else, who could then put functions of his own beside
-- ours. So its owner must be the installing role, the owner of the database or a superuser, and nobody
-- else may create in it. A dump that is being restored has given the schema to its owner of before, which is
-- right: pg_dump's scripts and pg_restore run with row_security off, as no other session does.
DO $guard$
DECLARE
	schema_owner oid;
	creator text;
BEGIN
	SELECT n.nspowner INTO schema_owner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'crm';
	IF pg_catalog.current_setting('row_security')::boolean AND NOT EXISTS (
		SELECT FROM pg_catalog.pg_roles r
		WHERE r.oid = schema_owner
			AND (r.rolsuper
				OR r.rolname = pg_catalog.btrim('@extowner@', '"')
				OR r.oid = (SELECT d.datdba FROM pg_catalog.pg_database d
					WHERE d.datname = pg_catalog.current_database())))
	THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = 'schema crm belongs to another role',
			DETAIL = pg_catalog.format('Its owner is %s.', schema_owner::regrole),
			HINT = 'Drop or rename that schema, or make yourself its owner.';
	END IF;
	SELECT pg_catalog.string_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ', ')
	INTO creator
	FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
	WHERE n.nspname = 'crm' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = a.grantee AND r.rolsuper);
	IF creator IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = 'others may create objects in schema crm',
			DETAIL = pg_catalog.format('CREATE is granted to %s.', creator),
			HINT = 'REVOKE CREATE ON SCHEMA crm, then install again.';
	END IF;
END
$guard$;
