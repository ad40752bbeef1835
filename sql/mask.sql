-- mask: personal data made unreadable, and the views that show relations so.

CREATE FUNCTION crm.mask(value text, kind text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE kind
		WHEN 'name' THEN
			RETURN CASE WHEN length(btrim(value)) < 2 THEN '***' ELSE left(btrim(value), 1) || '***' END;
		WHEN 'mail' THEN
			RETURN '***' || coalesce('@***' || substring(value FROM '@[^@]*([.][A-Za-z]{2,8})\s*$'), '') || left(value, 0);
		WHEN 'phone' THEN
			RETURN '***' || CASE WHEN length(regexp_replace(value, '[^0-9]', '', 'g')) < 7 THEN ''
				ELSE right(regexp_replace(value, '[^0-9]', '', 'g'), 2) END;
		WHEN 'birthday' THEN
			RETURN coalesce(substring(value FROM '^([0-9]{4,})-[0-9]{2}-[0-9]{2}$'), '***' || left(value, 0));
		WHEN 'address', 'social', 'text' THEN
			RETURN '***' || left(value, 0);
		ELSE
			PERFORM crm._require_argument('kind', kind);
			RAISE EXCEPTION USING
				ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('unrecognized kind "%s"', kind),
				HINT = 'Valid kinds are "name", "mail", "phone", "birthday", "address", "social", "text".';
	END CASE;
END
$$;
COMMENT ON FUNCTION crm.mask(text, text) IS 'a value with so little left of it that nobody is known by it: the first letter of a name, the last part of a mail address, two digits of a phone, the year of a birthday, nothing of the others; NULL stays NULL';

CREATE FUNCTION crm.mask(value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE pg_catalog.jsonb_typeof(value)
		WHEN 'object' THEN (SELECT coalesce(pg_catalog.jsonb_object_agg(e.key,
			CASE WHEN e.value = 'null' THEN e.value ELSE '"***"' END), '{}') FROM pg_catalog.jsonb_each(value) e)
		WHEN 'null' THEN value
		ELSE '"***"' END
$$;
COMMENT ON FUNCTION crm.mask(jsonb) IS 'the keys of a JSON object without their values; of any other JSON value nothing';

CREATE FUNCTION crm._masked_column(id oid, name text, kind text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	type oid := (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = id AND a.attname = name AND NOT a.attisdropped);
BEGIN
	IF type = 'jsonb'::regtype THEN
		RETURN format('crm.mask(t.%1$I) AS %1$I', name);
	ELSIF type = 'date'::regtype THEN
		RETURN format('crm.mask(to_char(t.%1$I, ''YYYY-MM-DD''), %2$L) AS %1$I', name, kind);
	ELSIF kind ~ '^[.]' THEN
		RETURN format('crm.mask(t.%1$I::text, t.%2$I) AS %1$I', name, substr(kind, 2));
	ELSIF type = 'text[]'::regtype THEN
		RETURN format('CASE WHEN t.%1$I IS NOT NULL THEN ''***'' END AS %1$I', name);
	END IF;
	RETURN format('crm.mask(t.%1$I::text, %2$L) AS %1$I', name, kind);
END
$$;
COMMENT ON FUNCTION crm._masked_column(oid, text, text) IS 'the SQL of a masked column of alias t; a kind that begins with a point names the column that holds it';
REVOKE ALL ON FUNCTION crm._masked_column(oid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._masked_column(oid, text, text) TO @extowner@;

-- These views read with the rights of their owner, to whom policies may not apply: so the condition of the policies is
-- in them, and security_barrier keeps it before any condition of the reader's.
CREATE FUNCTION crm._make_masked_views() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	secure constant boolean := crm._row_security_is_on();
	target record;
	columns text;
	descriptions jsonb;
	condition text;
	statement text;
BEGIN
	FOR target IN
		SELECT r.relation, r.relation || '_masked' AS view_name, r.rule, c.oid AS id, c.relkind, pg_get_userbyid(c.relowner) AS owner,
			r.scope IN ('customer', 'log', 'owned', 'record') OR EXISTS (SELECT FROM pg_attribute a
				WHERE a.attrelid = c.oid AND a.attname = 'customer_id' AND NOT a.attisdropped) AS is_customers
		FROM crm._access_rules() r JOIN pg_class c ON c.oid = to_regclass('crm.' || quote_ident(r.relation))
		WHERE r.personal <> '{}'
		ORDER BY r.relation
	LOOP
		SELECT string_agg(CASE WHEN target.rule -> 'personal' ? a.attname
				THEN crm._masked_column(target.id, a.attname, target.rule #>> ARRAY['personal', a.attname])
				ELSE format('t.%I', a.attname) END, ', ' ORDER BY a.attnum),
			jsonb_object_agg(a.attname, format('as in crm.%I', target.relation) || CASE WHEN target.rule -> 'personal' ? a.attname THEN ', masked' ELSE '' END)
		INTO columns, descriptions
		FROM pg_attribute a
		WHERE a.attrelid = target.id AND a.attnum > 0 AND NOT a.attisdropped
			AND (target.relkind = 'v' OR target.rule -> 'personal' ? a.attname OR target.rule -> 'shown' ? a.attname);
		condition := CASE WHEN secure AND target.is_customers THEN ' WHERE (SELECT v.sees_all FROM crm.visibility v) OR '
			|| crm._visible(target.relation, 't', target.rule, true) ELSE '' END;
		-- What a view with the rights of the caller reads is read so from within another view, too: its text is not.
		statement := format('CREATE OR REPLACE VIEW crm.%I WITH (security_barrier = true) AS SELECT %s FROM %s t%s', target.view_name, columns,
			CASE target.relkind WHEN 'v' THEN '(' || rtrim(pg_get_viewdef(target.id), ';') || ')' ELSE format('crm.%I', target.relation) END, condition);
		BEGIN
			EXECUTE statement;
		EXCEPTION WHEN invalid_table_definition THEN
			-- Other columns than an older version's; who may read it is granted again at the end of crm.setup().
			EXECUTE format('DROP VIEW crm.%I', target.view_name);
			EXECUTE statement;
		END;
		IF target.owner <> CURRENT_USER THEN
			EXECUTE format('ALTER VIEW crm.%I OWNER TO %I', target.view_name, target.owner);
		END IF;
		PERFORM crm._describe(target.view_name, format('crm.%s with its personal data masked, see crm.mask()', target.relation), descriptions);
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm._make_masked_views() IS 'makes a view RELATION_masked of each relation that has personal data';
REVOKE ALL ON FUNCTION crm._make_masked_views() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_masked_views() TO @extowner@;

CREATE FUNCTION crm._setup_900_masked(partition_interactions boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM crm._make_masked_views();
END
$$;
COMMENT ON FUNCTION crm._setup_900_masked(boolean) IS 'a step of crm.setup(): the masked views, after all that they read';
REVOKE ALL ON FUNCTION crm._setup_900_masked(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._setup_900_masked(boolean) TO @extowner@;

CREATE FUNCTION crm._relations_900_masked() RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT array_agg(r.relation ORDER BY r.relation) FROM crm._access_rules() r WHERE r.scope = 'masked');
END
$$;
COMMENT ON FUNCTION crm._relations_900_masked() IS 'what crm._setup_900_masked makes';
REVOKE ALL ON FUNCTION crm._relations_900_masked() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._relations_900_masked() TO @extowner@;
