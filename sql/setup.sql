-- setup: the CRM's own tables, made and brought up to date as ordinary tables of the caller.
--
-- A family adds its tables in its own file by a pair of members:
--   crm._setup_NNN_name(partition_interactions boolean)  makes them, or brings older ones up to date
--   crm._relations_NNN_name() RETURNS text[]             names them, in the order of their making
-- crm.setup() runs the steps in the order of their names.

CREATE FUNCTION crm._steps(prefix text) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p.proname::pg_catalog.text
	FROM pg_catalog.pg_extension e
	JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid
		AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.deptype = 'e'
	JOIN pg_catalog.pg_proc p ON p.oid = d.objid
	JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
	WHERE e.extname = 'crm' AND n.nspname = 'crm' AND p.proname ~ ('^' || prefix || '_[0-9]{3}_[a-z0-9_]+$')
	ORDER BY p.proname::pg_catalog.text COLLATE "C"
$$;
COMMENT ON FUNCTION crm._steps(text) IS 'the members of extension crm that are steps of that kind, in order: _setup or _relations';
REVOKE ALL ON FUNCTION crm._steps(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._steps(text) TO @extowner@;

CREATE FUNCTION crm._relations() RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	step text;
	names text[];
	result text[] := '{schema_version}';
BEGIN
	FOR step IN SELECT * FROM crm._steps('_relations') LOOP
		EXECUTE pg_catalog.format('SELECT crm.%I()', step) INTO names;
		result := result || names;
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION crm._relations() IS 'the names of the tables and views that crm.setup() makes, in the order of their making';
REVOKE ALL ON FUNCTION crm._relations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._relations() TO @extowner@;

CREATE FUNCTION crm._describe(relation text, about text, columns jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	id oid := pg_catalog.to_regclass('crm.' || pg_catalog.quote_ident(relation));
	column_name text;
BEGIN
	IF pg_catalog.obj_description(id, 'pg_class') IS NULL THEN
		-- Tried, not looked up: the catalogue as an older snapshot has it may not know the relation yet.
		BEGIN
			EXECUTE pg_catalog.format('COMMENT ON TABLE crm.%I IS %L', relation, about);
		EXCEPTION WHEN wrong_object_type THEN
			EXECUTE pg_catalog.format('COMMENT ON VIEW crm.%I IS %L', relation, about);
		END;
	END IF;
	FOR column_name IN
		SELECT a.attname
		FROM pg_catalog.pg_attribute a
		WHERE a.attrelid = id AND a.attnum > 0 AND NOT a.attisdropped AND columns ? a.attname::text
			AND pg_catalog.col_description(a.attrelid, a.attnum) IS NULL
		ORDER BY a.attnum
	LOOP
		EXECUTE pg_catalog.format('COMMENT ON COLUMN crm.%I.%I IS %L', relation, column_name, columns ->> column_name);
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm._describe(text, text, jsonb) IS 'comments a relation of schema crm and its columns where they have no comment yet';
REVOKE ALL ON FUNCTION crm._describe(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._describe(text, text, jsonb) TO @extowner@;

CREATE FUNCTION crm._require_table(relation text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF pg_catalog.to_regclass('crm.' || pg_catalog.quote_ident(relation)) IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = pg_catalog.format('the table crm.%I does not exist', relation),
			HINT = 'Run SELECT crm.setup().';
	END IF;
END
$$;
COMMENT ON FUNCTION crm._require_table(text) IS 'raises an error that leads to crm.setup() when a table of schema crm is missing; open to PUBLIC for the functions that are';

CREATE FUNCTION crm._require_argument(name text, value text, may_be_empty boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF value IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = pg_catalog.format('argument "%s" must not be null', name);
	ELSIF value = '' AND NOT may_be_empty THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = pg_catalog.format('argument "%s" must not be empty', name);
	END IF;
END
$$;
COMMENT ON FUNCTION crm._require_argument(text, text, boolean) IS 'raises the error for an argument that is null, or empty; open to PUBLIC for the functions that are';

CREATE FUNCTION crm._lacks_column(relation text, column_name text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
		WHERE a.attrelid = pg_catalog.to_regclass('crm.' || pg_catalog.quote_ident(relation))
			AND a.attname = column_name AND NOT a.attisdropped)
$$;
COMMENT ON FUNCTION crm._lacks_column(text, text) IS 'whether a table of schema crm has no column of that name: an older version made it';
REVOKE ALL ON FUNCTION crm._lacks_column(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._lacks_column(text, text) TO @extowner@;

CREATE FUNCTION crm._invoker_option() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 150000
		THEN 'WITH (security_invoker = true)' ELSE '' END
$$;
COMMENT ON FUNCTION crm._invoker_option() IS 'what follows the name in CREATE VIEW, so that a view reads with the rights of the caller: PostgreSQL 14 has no such views';
REVOKE ALL ON FUNCTION crm._invoker_option() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._invoker_option() TO @extowner@;

CREATE FUNCTION crm._setup_100_customer(partition_interactions boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF pg_catalog.to_regclass('crm.customer') IS NULL THEN
		CREATE TABLE crm.customer (
			customer_id bigint GENERATED BY DEFAULT AS IDENTITY,
			name text,
			kind text NOT NULL DEFAULT 'person',
			birthday date,
			lifecycle text NOT NULL DEFAULT 'prospect',
			attributes jsonb NOT NULL DEFAULT '{}',
			created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
			PRIMARY KEY (customer_id),
			CONSTRAINT customer_customer_id_check CHECK (customer_id <> 0),
			CONSTRAINT customer_kind_check CHECK (kind IN ('person', 'organisation')),
			CONSTRAINT customer_lifecycle_check CHECK (lifecycle IN ('lead', 'prospect', 'customer', 'churned')),
			CONSTRAINT customer_attributes_check CHECK (pg_catalog.jsonb_typeof(attributes) = 'object')
		);
	END IF;
	-- A transaction with an older snapshot may miss what the session before has just added.
	IF crm._lacks_column('customer', 'owner_id') THEN
		BEGIN
			ALTER TABLE crm.customer ADD COLUMN owner_id bigint, ADD COLUMN region_id bigint, ADD COLUMN merged_into bigint,
				ADD CONSTRAINT customer_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES crm.agent,
				ADD CONSTRAINT customer_region_id_fkey FOREIGN KEY (region_id) REFERENCES crm.region,
				ADD CONSTRAINT customer_merged_into_fkey FOREIGN KEY (merged_into) REFERENCES crm.customer,
				ADD CONSTRAINT customer_merged_into_check CHECK (merged_into <> customer_id);
			CREATE INDEX ON crm.customer (owner_id);
			CREATE INDEX ON crm.customer (region_id);
			CREATE INDEX ON crm.customer (merged_into);
		EXCEPTION WHEN duplicate_column THEN
			NULL;
		END;
	END IF;
	PERFORM crm._describe('customer', 'persons and organisations', $json${
		"customer_id": "the customer's number, the same in every table; never 0, which stands for an unknown customer",
		"name": "name to show",
		"kind": "person or organisation",
		"birthday": "date of birth",
		"lifecycle": "lead, prospect, customer or churned",
		"attributes": "free fields, a JSON object",
		"created_at": "when this row was made",
		"owner_id": "the agent who looks after the customer",
		"region_id": "the customer's region",
		"merged_into": "the customer that this one turned out to be and was merged into"}$json$);

	IF pg_catalog.to_regclass('crm.contact_point') IS NULL THEN
		CREATE TABLE crm.contact_point (
			customer_id bigint NOT NULL,
			contact_point_id bigint GENERATED BY DEFAULT AS IDENTITY,
			kind text NOT NULL,
			given text NOT NULL,
			normalised text GENERATED ALWAYS AS (CASE kind
				WHEN 'phone' THEN CASE WHEN given ~ '^[^0-9]*[+]' THEN '+' ELSE '' END
					|| pg_catalog.regexp_replace(given, '[^0-9]', '', 'g')
				ELSE pg_catalog.lower(pg_catalog.regexp_replace(
					pg_catalog.regexp_replace(given, '^\s+|\s+$', '', 'g'), '\s+', ' ', 'g'))
				END) STORED,
			label text,
			is_primary boolean NOT NULL DEFAULT false,
			created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
			PRIMARY KEY (customer_id, contact_point_id),
			CONSTRAINT contact_point_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES crm.customer (customer_id),
			CONSTRAINT contact_point_kind_check CHECK (kind IN ('mail', 'phone', 'social', 'address')),
			CONSTRAINT contact_point_normalised_check CHECK (normalised <> '')
		);
		CREATE INDEX ON crm.contact_point (kind, normalised);
	END IF;
	PERFORM crm._describe('contact_point', 'where a customer can be reached', $json${
		"customer_id": "whose contact point",
		"contact_point_id": "its number",
		"kind": "mail, phone, social or address",
		"given": "as the customer gave it",
		"normalised": "the given value in one spelling, to compare and look up: a phone's digits with a leading +, else lower case with single blanks",
		"label": "for people: home, work, billing",
		"is_primary": "the one to prefer among those of its kind",
		"created_at": "when this row was made"}$json$);
END
$$;
COMMENT ON FUNCTION crm._setup_100_customer(boolean) IS 'a step of crm.setup(): customer and contact_point';
REVOKE ALL ON FUNCTION crm._setup_100_customer(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._setup_100_customer(boolean) TO @extowner@;

CREATE FUNCTION crm._relations_100_customer() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{customer, contact_point}'::pg_catalog.text[] $$;
COMMENT ON FUNCTION crm._relations_100_customer() IS 'what crm._setup_100_customer makes';
REVOKE ALL ON FUNCTION crm._relations_100_customer() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._relations_100_customer() TO @extowner@;

CREATE FUNCTION crm._access_100_customer() RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT $json${"relations": {
		"customer": {"scope": "customer", "personal": {"name": "name", "birthday": "birthday", "attributes": "json"},
			"shown": ["customer_id", "kind", "lifecycle", "created_at", "owner_id", "region_id", "merged_into"]},
		"contact_point": {"scope": "customer", "personal": {"given": ".kind", "normalised": ".kind", "label": "text"},
			"shown": ["customer_id", "contact_point_id", "kind", "is_primary", "created_at"]}}}$json$::pg_catalog.jsonb
$$;
COMMENT ON FUNCTION crm._access_100_customer() IS 'access to what crm._setup_100_customer makes';
REVOKE ALL ON FUNCTION crm._access_100_customer() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._access_100_customer() TO @extowner@;

CREATE FUNCTION crm._setup_140_model(partition_interactions boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF pg_catalog.to_regclass('crm.model') IS NULL THEN
		CREATE TABLE crm.model (
			name text NOT NULL,
			family text NOT NULL,
			parameters jsonb NOT NULL,
			trained_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
			note text,
			PRIMARY KEY (name)
		);
	END IF;
	PERFORM crm._describe('model', 'fitted models, kept to score with later', $json${
		"name": "the name that it is called by",
		"family": "the kind of model",
		"parameters": "what the fit found",
		"trained_at": "when it was fitted",
		"note": "for people"}$json$);
END
$$;
COMMENT ON FUNCTION crm._setup_140_model(boolean) IS 'a step of crm.setup(): model';
REVOKE ALL ON FUNCTION crm._setup_140_model(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._setup_140_model(boolean) TO @extowner@;

CREATE FUNCTION crm._relations_140_model() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{model}'::pg_catalog.text[] $$;
COMMENT ON FUNCTION crm._relations_140_model() IS 'what crm._setup_140_model makes';
REVOKE ALL ON FUNCTION crm._relations_140_model() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._relations_140_model() TO @extowner@;

CREATE FUNCTION crm._access_140_model() RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT $json${"relations": {
		"model": {"scope": "organisation"}}}$json$::pg_catalog.jsonb
$$;
COMMENT ON FUNCTION crm._access_140_model() IS 'access to what crm._setup_140_model makes';
REVOKE ALL ON FUNCTION crm._access_140_model() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._access_140_model() TO @extowner@;

CREATE FUNCTION crm._setup_version() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF pg_catalog.to_regclass('crm.schema_version') IS NULL THEN
		CREATE TABLE crm.schema_version (
			version text NOT NULL,
			installed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
			installed_by name NOT NULL DEFAULT CURRENT_USER,
			PRIMARY KEY (installed_at, version)
		);
	END IF;
	PERFORM crm._describe('schema_version', 'the versions of extension crm that the tables were made for, the latest last', $json${
		"version": "version of the extension",
		"installed_at": "when crm.setup() or crm.migrate() brought the tables to it",
		"installed_by": "the role that did"}$json$);
END
$$;
COMMENT ON FUNCTION crm._setup_version() IS 'the first step of crm.setup(): schema_version';
REVOKE ALL ON FUNCTION crm._setup_version() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._setup_version() TO @extowner@;

CREATE FUNCTION crm._setup_all(partition_interactions boolean, row_security boolean) RETURNS TABLE (table_name text, action text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	names text[] := crm._relations();
	before integer[];
	owner name;
	step text;
	now_version text;
BEGIN
	-- Sessions take turns; what the one before made is seen by the statements that follow.
	PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('crm.setup', 0));
	before := (SELECT pg_catalog.array_agg(crm._column_count(r.name) ORDER BY r.place)
		FROM pg_catalog.unnest(names) WITH ORDINALITY r (name, place));

	PERFORM crm._setup_version();
	FOR step IN SELECT * FROM crm._steps('_setup') LOOP
		EXECUTE pg_catalog.format('SELECT crm.%I($1)', step) USING partition_interactions;
	END LOOP;

	-- What a later version adds belongs to the owner of the rest, whoever ran this.
	SELECT pg_catalog.pg_get_userbyid(c.relowner) INTO owner FROM pg_catalog.pg_class c
	WHERE c.oid = pg_catalog.to_regclass('crm.schema_version');
	FOR i IN 1 .. pg_catalog.cardinality(names) LOOP
		IF before[i] IS NULL AND owner <> CURRENT_USER THEN
			EXECUTE pg_catalog.format('ALTER TABLE crm.%I OWNER TO %I', names[i], owner);
		END IF;
		table_name := names[i];
		action := CASE WHEN before[i] IS NULL THEN 'created'
			WHEN before[i] <> crm._column_count(names[i]) THEN 'changed' ELSE 'kept' END;
		RETURN NEXT;
	END LOOP;

	-- DROP EXTENSION took the triggers of tracked tables with it.
	IF pg_catalog.to_regprocedure('crm._retrack()') IS NOT NULL THEN
		EXECUTE 'SELECT crm._retrack()';
	END IF;

	PERFORM crm._secure(row_security);

	SELECT e.extversion INTO now_version FROM pg_catalog.pg_extension e WHERE e.extname = 'crm';
	INSERT INTO crm.schema_version (version)
	SELECT now_version
	WHERE now_version IS DISTINCT FROM
		(SELECT v.version FROM crm.schema_version v ORDER BY v.installed_at DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION crm._setup_all(boolean, boolean) IS 'runs the steps of crm.setup() and crm.migrate() and records the version';
REVOKE ALL ON FUNCTION crm._setup_all(boolean, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._setup_all(boolean, boolean) TO @extowner@;

CREATE FUNCTION crm._column_count(relation text) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	id oid := pg_catalog.to_regclass('crm.' || pg_catalog.quote_ident(relation));
BEGIN
	RETURN (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a
		WHERE a.attrelid = id AND a.attnum > 0 AND NOT a.attisdropped
		HAVING id IS NOT NULL);
END
$$;
COMMENT ON FUNCTION crm._column_count(text) IS 'the number of columns of a relation of schema crm; NULL when there is none';
REVOKE ALL ON FUNCTION crm._column_count(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._column_count(text) TO @extowner@;

CREATE FUNCTION crm.setup(partition_interactions boolean DEFAULT false, row_security boolean DEFAULT NULL) RETURNS TABLE (table_name text, action text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM crm._require_argument('partition_interactions', partition_interactions::text);
	RETURN QUERY SELECT s.table_name, s.action FROM crm._setup_all(partition_interactions, row_security) s;
END
$$;
COMMENT ON FUNCTION crm.setup(boolean, boolean) IS 'makes the tables of the CRM in schema crm as ordinary tables of the caller; what is there already is kept';
REVOKE ALL ON FUNCTION crm.setup(boolean, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.setup(boolean, boolean) TO @extowner@;

CREATE FUNCTION crm.migrate() RETURNS TABLE (table_name text, action text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM crm._require_table('schema_version');
	RETURN QUERY SELECT s.table_name, s.action FROM crm._setup_all(false, NULL) s;
END
$$;
COMMENT ON FUNCTION crm.migrate() IS 'brings the tables of crm.setup() up to the version of the extension; run it after ALTER EXTENSION crm UPDATE';
REVOKE ALL ON FUNCTION crm.migrate() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.migrate() TO @extowner@;

CREATE FUNCTION crm.uninstall(confirm text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tracked text; -- a trigger ON its table
	tables text;
	views text;
BEGIN
	IF confirm IS DISTINCT FROM 'drop all customer data' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'crm.uninstall drops the tables of the CRM with all their rows',
			HINT = 'If you mean it, call crm.uninstall(confirm => ''drop all customer data'').';
	END IF;
	PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('crm.setup', 0));

	-- A trigger of the extension that outlives the log would stop the writes of the application.
	FOR tracked IN
		SELECT pg_catalog.format('%I ON %s', t.tgname, t.tgrelid::regclass)
		FROM pg_catalog.pg_trigger t
		JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = t.tgfoid AND d.deptype = 'e'
			AND d.refclassid = 'pg_catalog.pg_extension'::regclass
		JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'crm'
		WHERE t.tgparentid = 0
	LOOP
		EXECUTE 'DROP TRIGGER ' || tracked;
	END LOOP;

	-- Policies depend on a view.
	PERFORM crm._drop_policies();

	-- One statement for all the tables, without CASCADE: what others built on them stops it.
	SELECT pg_catalog.string_agg(c.oid::regclass::text, ', ') FILTER (WHERE c.relkind IN ('r', 'p')),
		pg_catalog.string_agg(c.oid::regclass::text, ', ') FILTER (WHERE c.relkind = 'v')
	INTO tables, views
	FROM pg_catalog.unnest(crm._relations()) r (name)
	JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass('crm.' || pg_catalog.quote_ident(r.name));
	IF views IS NOT NULL THEN
		EXECUTE 'DROP VIEW ' || views;
	END IF;
	IF tables IS NOT NULL THEN
		EXECUTE 'DROP TABLE ' || tables;
	END IF;
END
$$;
COMMENT ON FUNCTION crm.uninstall(text) IS 'drops the tables that crm.setup() made, with all their rows, when confirm => ''drop all customer data''';
REVOKE ALL ON FUNCTION crm.uninstall(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.uninstall(text) TO @extowner@;

CREATE FUNCTION crm.resync_sequences() RETURNS TABLE (relation text, column_name text, value bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	highest bigint;
	sequence regclass;
BEGIN
	FOR relation, column_name, sequence IN
		SELECT c.oid::regclass::text, a.attname, d.objid::regclass
		FROM pg_catalog.unnest(crm._relations()) WITH ORDINALITY r (name, place)
		JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass('crm.' || pg_catalog.quote_ident(r.name))
		JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid
			AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('i', 'a')
		JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
		ORDER BY r.place, a.attnum
	LOOP
		-- Nobody writes in between; and never backwards, as other sessions may have taken numbers ahead.
		EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', relation);
		EXECUTE pg_catalog.format('SELECT pg_catalog.max(%I) FROM %s', column_name, relation) INTO highest;
		EXECUTE pg_catalog.format('SELECT CASE WHEN $1 > s.last_value OR $1 = s.last_value AND NOT s.is_called '
			'THEN pg_catalog.setval(%L::pg_catalog.regclass, $1) ELSE s.last_value END FROM %s s', sequence, sequence)
		INTO value USING highest;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm.resync_sequences() IS 'moves each identity sequence of the CRM''s tables up to the highest number in use; for after a data-only restore or logical replication';
REVOKE ALL ON FUNCTION crm.resync_sequences() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.resync_sequences() TO @extowner@;
