-- access_trigger: what policies cannot say, because they see neither the row before nor the foreign key.
--
-- A foreign key is checked with the rights of the owner of the tables, so an insert or its error would tell whether there
-- is a row that the writer may not see. Policies cover the keys that hold customer_id of a customer's table; the trigger
-- crm_visible_COLUMN covers the others. The trigger crm_own makes a new row the writer's own where nobody else is named,
-- because it could not be seen, nor inserted, otherwise. Both do nothing for those to whom no policy applies.

CREATE FUNCTION crm._reference_visible() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	key bigint := (to_jsonb(NEW) ->> TG_ARGV[0])::bigint;
	is_visible boolean;
BEGIN
	IF TG_OP = 'UPDATE' AND key = (to_jsonb(OLD) ->> TG_ARGV[0])::bigint OR NOT row_security_active('crm.' || quote_ident(TG_ARGV[1])) THEN
		RETURN NEW;
	END IF;
	EXECUTE format('SELECT EXISTS (SELECT FROM crm.%I r WHERE r.%I = $1)', TG_ARGV[1], TG_ARGV[2]) INTO is_visible USING key;
	IF NOT is_visible THEN
		RAISE EXCEPTION USING
			ERRCODE = 'foreign_key_violation',
			MESSAGE = format('%s %s is none that you see', TG_ARGV[1], key),
			DETAIL = format('Column "%s" of %s.%s names it.', TG_ARGV[0], TG_TABLE_SCHEMA, TG_TABLE_NAME),
			HINT = 'SELECT * FROM crm.visibility shows what the current role sees.',
			SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = TG_ARGV[0];
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm._reference_visible() IS 'triggers crm_visible_COLUMN: refuses a reference to a row that the writer does not see, whether there is one or not; arguments: the column, the table and its column';
REVOKE ALL ON FUNCTION crm._reference_visible() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._reference_visible() TO @extowner@;

CREATE FUNCTION crm._own_row() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	own bigint;
BEGIN
	IF NOT row_security_active(TG_RELID) OR TG_ARGV[1] <> '' AND to_jsonb(NEW) ->> TG_ARGV[1] IS NOT NULL THEN
		RETURN NEW;
	END IF;
	SELECT a.agent_id INTO own
	FROM crm.visibility v JOIN crm.agent a ON a.agent_id = ANY (v.agent_ids)
	WHERE a.role_name = CURRENT_USER AND NOT v.sees_all
		AND ((to_jsonb(NEW) ->> 'region_id')::bigint = ANY (v.region_ids)) IS NOT TRUE;
	IF FOUND THEN
		NEW := jsonb_populate_record(NEW, jsonb_build_object(TG_ARGV[0], own));
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm._own_row() IS 'trigger crm_own: a new row that names neither owner nor customer, nor a region that the writer manages, is the writer''s own; arguments: the columns of owner and customer';
REVOKE ALL ON FUNCTION crm._own_row() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._own_row() TO @extowner@;

CREATE FUNCTION crm._make_access_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target record;
	own_customer text;
BEGIN
	FOR target IN
		SELECT p.relation, p.rule, a.attname AS column_name, r.relation AS referenced, ra.attname AS key
		FROM crm._protected() p
		JOIN pg_constraint f ON f.conrelid = p.id AND f.contype = 'f' AND cardinality(f.conkey) = 1
		JOIN crm._protected() r ON r.id = f.confrelid
		JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
		JOIN pg_attribute ra ON ra.attrelid = f.confrelid AND ra.attnum = f.confkey[1]
		WHERE NOT (p.rule ->> 'scope' IN ('customer', 'log') AND a.attname = 'customer_id') AND NOT p.rule ? 'through'
	LOOP
		EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE INSERT OR UPDATE OF %I ON crm.%I '
			'FOR EACH ROW WHEN (NEW.%I IS NOT NULL) EXECUTE FUNCTION crm._reference_visible(%L, %L, %L)',
			'crm_visible_' || target.column_name, target.column_name, target.relation, target.column_name,
			target.column_name, target.referenced, target.key);
	END LOOP;
	FOR target IN
		SELECT p.relation, coalesce(p.rule ->> 'owner', 'owner_id') AS owner
		FROM crm._protected() p
		WHERE p.relation = 'customer' OR p.rule ->> 'scope' = 'owned' AND NOT p.rule ? 'through'
	LOOP
		own_customer := CASE target.relation WHEN 'customer' THEN '' ELSE 'customer_id' END;
		EXECUTE format('CREATE OR REPLACE TRIGGER crm_own BEFORE INSERT ON crm.%I '
			'FOR EACH ROW WHEN (NEW.%I IS NULL) EXECUTE FUNCTION crm._own_row(%L, %L)',
			target.relation, target.owner, target.owner, own_customer);
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm._make_access_triggers() IS 'makes the triggers of row security';
REVOKE ALL ON FUNCTION crm._make_access_triggers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_access_triggers() TO @extowner@;

CREATE FUNCTION crm._drop_access_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target record;
BEGIN
	FOR target IN
		SELECT t.tgname, p.relation
		FROM crm._protected() p JOIN pg_trigger t ON t.tgrelid = p.id AND t.tgparentid = 0
		JOIN pg_proc f ON f.oid = t.tgfoid
		WHERE f.pronamespace = 'crm'::regnamespace AND f.proname IN ('_reference_visible', '_own_row')
	LOOP
		EXECUTE format('DROP TRIGGER %I ON crm.%I', target.tgname, target.relation);
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm._drop_access_triggers() IS 'drops the triggers of row security';
REVOKE ALL ON FUNCTION crm._drop_access_triggers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._drop_access_triggers() TO @extowner@;
