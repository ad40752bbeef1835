-- What the extension brings is documented, pinned and closed: the house rules of its members, asked of the catalogue.
BEGIN;

-- Private functions that everybody may execute all the same: the reports run their queries as the caller, and so does
-- crm.sources(); functions that are open check their arguments, and triggers look up
-- rates and check amounts as whoever writes.
CREATE TEMPORARY TABLE allowed (function_name text) ON COMMIT DROP;
INSERT INTO allowed VALUES ('_collect'), ('_period_number'), ('_source_probe'), ('_require_argument'), ('_require_table'), ('_exchange_rate'),
	('_require_returnable'), ('_business_check'), ('_loyalty_check'), ('_read_only');
INSERT INTO allowed VALUES ('_read_contacts'), ('_survivor'), ('_lead_match'), ('_lead_customer'), ('_lead_opportunity'),
	('_similarity'), ('_duplicate_pairs'), ('_duplicate_query'), ('_import_read'), ('_import_check'), ('_import_match'), ('_import_write');
INSERT INTO allowed VALUES ('_create_own_customers'), ('_sees_part');
INSERT INTO allowed VALUES ('_activity');

CREATE TEMPORARY VIEW member AS
SELECT d.classid, d.objid, i.type, i.identity
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) i
WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'crm';

CREATE TEMPORARY VIEW member_function AS
SELECT m.identity, p.*, l.lanname
FROM member m
JOIN pg_catalog.pg_proc p ON m.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = m.objid
JOIN pg_catalog.pg_language l ON l.oid = p.prolang;

-- The support functions of the members' aggregates run with the rights of whoever calls the aggregate.
CREATE TEMPORARY VIEW support_function AS
SELECT f.oid
FROM pg_catalog.pg_aggregate a
JOIN member m ON m.classid = 'pg_catalog.pg_proc'::regclass AND m.objid = a.aggfnoid
CROSS JOIN LATERAL (VALUES (a.aggtransfn), (a.aggfinalfn), (a.aggcombinefn), (a.aggserialfn), (a.aggdeserialfn),
    (a.aggmtransfn), (a.aggminvtransfn), (a.aggmfinalfn)) f (oid)
WHERE f.oid <> 0;

SELECT plan(10);

SELECT cmp_ok((SELECT count(*) FROM member), '>', 0::bigint, 'the extension has members');

-- PostgreSQL makes array types, row types and internal dependencies by itself; no script can comment on them.
SELECT is_empty($$
    SELECT m.type, m.identity FROM member m
    LEFT JOIN pg_catalog.pg_type t ON m.classid = 'pg_catalog.pg_type'::regclass AND t.oid = m.objid
    WHERE pg_catalog.obj_description(m.objid, m.classid::regclass::name) IS NULL
      AND NOT coalesce(t.typelem <> 0 AND t.typcategory = 'A', false)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
$$, 'every member has a comment');

SELECT is_empty($$
    SELECT identity FROM member_function
    WHERE lanname IN ('sql', 'plpgsql')
      AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)
$$, 'every SQL and plpgsql function pins its search_path');

SELECT is_empty($$SELECT identity FROM member_function WHERE prosecdef$$, 'no member is SECURITY DEFINER');

SELECT is_empty($$
    SELECT m.type, m.identity FROM member m
    JOIN pg_catalog.pg_class c ON m.classid = 'pg_catalog.pg_class'::regclass AND c.oid = m.objid
    WHERE c.relkind IN ('r', 'p', 'f', 'S', 'm')
$$, 'no table is a member');

SELECT is_empty($$SELECT identity FROM member WHERE type = 'schema'$$, 'the schema is no member');

SELECT is_empty($$
    SELECT identity FROM member_function f
    WHERE proname LIKE '\_%' AND NOT EXISTS (SELECT FROM allowed a WHERE a.function_name = f.proname)
      AND EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(proacl, pg_catalog.acldefault('f', proowner))) x
                  WHERE x.grantee = 0 AND x.privilege_type = 'EXECUTE')
      AND NOT EXISTS (SELECT FROM support_function s WHERE s.oid = f.oid)
$$, 'private functions are closed to PUBLIC, but for the support functions of aggregates');

SELECT is_empty($$
    SELECT f.identity FROM member_function f JOIN support_function s ON s.oid = f.oid
    WHERE NOT EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(proacl, pg_catalog.acldefault('f', proowner))) x
                      WHERE x.grantee = 0 AND x.privilege_type = 'EXECUTE')
$$, 'the support functions of aggregates are open to PUBLIC');

-- So a call with literals that have no type yet means the form without a key.
CREATE TEMPORARY VIEW keyed AS
SELECT f.identity, p.oid IS NOT NULL AS fits
FROM member_function f
LEFT JOIN pg_catalog.pg_proc p ON p.pronamespace = f.pronamespace AND p.proname = f.proname AND p.proargnames[1] = 'source' AND p.prosrc = f.prosrc
	AND (p.proargtypes::oid[])[1:p.pronargs - 1] = (f.proargtypes::oid[])[1:f.pronargs - 2] AND p.proargnames[2:p.pronargs] = f.proargnames[2:f.pronargs - 1]
WHERE f.proargnames[1] = 'key';
SELECT cmp_ok((SELECT count(*) FROM keyed), '>=', 22::bigint, 'forms with a key');
SELECT is_empty($$SELECT identity FROM keyed WHERE NOT fits$$, 'and each has the arguments of the form without, key for source and source last');

SELECT * FROM finish();
ROLLBACK;
