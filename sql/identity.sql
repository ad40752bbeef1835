-- identity: one customer, seen through many systems.
--
-- The functions look keys up in the index, whatever the planner has seen of the table: a plan that was made when it
-- was small would read the whole of it for each call while a long transaction fills it.

CREATE FUNCTION crm._setup_110_identity(partition_interactions boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF pg_catalog.to_regclass('crm.customer_identity') IS NULL THEN
		CREATE TABLE crm.customer_identity (
			source text NOT NULL,
			external_id text NOT NULL,
			customer_id bigint NOT NULL,
			created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
			PRIMARY KEY (source, external_id),
			CONSTRAINT customer_identity_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES crm.customer (customer_id),
			CONSTRAINT customer_identity_source_check CHECK (source <> ''),
			CONSTRAINT customer_identity_external_id_check CHECK (external_id <> '')
		);
		CREATE INDEX ON crm.customer_identity (customer_id);
	END IF;
	PERFORM crm._describe('customer_identity', 'by which keys other systems know a customer', $json${
		"source": "the system: shop, erp, newsletter, ...",
		"external_id": "the customer's key there, as text",
		"customer_id": "the customer",
		"created_at": "when the key was met first"}$json$);
END
$$;
COMMENT ON FUNCTION crm._setup_110_identity(boolean) IS 'a step of crm.setup(): customer_identity';
REVOKE ALL ON FUNCTION crm._setup_110_identity(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._setup_110_identity(boolean) TO @extowner@;

CREATE FUNCTION crm._relations_110_identity() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{customer_identity}'::pg_catalog.text[] $$;
COMMENT ON FUNCTION crm._relations_110_identity() IS 'what crm._setup_110_identity makes';
REVOKE ALL ON FUNCTION crm._relations_110_identity() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._relations_110_identity() TO @extowner@;

CREATE FUNCTION crm._access_110_identity() RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT $json${"relations": {
		"customer_identity": {"scope": "customer", "personal": {"external_id": "text"},
			"shown": ["source", "customer_id", "created_at"]}}}$json$::pg_catalog.jsonb
$$;
COMMENT ON FUNCTION crm._access_110_identity() IS 'access to what crm._setup_110_identity makes';
REVOKE ALL ON FUNCTION crm._access_110_identity() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._access_110_identity() TO @extowner@;

CREATE FUNCTION crm.find_customer(source text, external_id text) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
BEGIN
	PERFORM crm._require_argument('source', find_customer.source);
	PERFORM crm._require_argument('external_id', find_customer.external_id);
	PERFORM crm._require_table('customer_identity');
	RETURN (SELECT i.customer_id FROM crm.customer_identity i
		WHERE i.source = find_customer.source AND i.external_id = find_customer.external_id);
END
$$;
COMMENT ON FUNCTION crm.find_customer(text, text) IS 'the customer whom a system knows by that key; NULL when there is none';

-- One at a time, each with a savepoint: a key that is taken meanwhile, or was by a customer whom the caller does not see,
-- makes nobody. Open to PUBLIC as crm.resolve_customers() is, and no more than two INSERTs of the caller's.
CREATE FUNCTION crm._create_own_customers(source text, external_ids text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	key text;
	made bigint;
	relation text;
BEGIN
	FOREACH key IN ARRAY external_ids LOOP
		BEGIN
			INSERT INTO crm.customer AS c DEFAULT VALUES RETURNING c.customer_id INTO made;
			INSERT INTO crm.customer_identity (source, external_id, customer_id) VALUES (_create_own_customers.source, key, made);
		EXCEPTION WHEN unique_violation THEN
			GET STACKED DIAGNOSTICS relation = TABLE_NAME;
			IF relation <> 'customer_identity' THEN
				RAISE;
			END IF;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm._create_own_customers(text, text[]) IS 'makes customers of the caller''s own for keys of a system that nobody has';

-- Open to PUBLIC, although it may write: it runs as the caller, whose rights on the tables decide, and the tracking
-- triggers call it as the owner of the log, whoever installed the extension.
CREATE FUNCTION crm.resolve_customers(source text, external_ids text[], create_missing boolean DEFAULT true)
RETURNS TABLE (external_id text, customer_id bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
	sequence regclass;
	missing text[];
	made bigint;
BEGIN
	IF resolve_customers.source = '' IS NOT FALSE OR external_ids IS NULL OR create_missing IS NULL
		OR pg_catalog.to_regclass('crm.customer_identity') IS NULL
	THEN
		PERFORM crm._require_argument('source', resolve_customers.source, false);
		PERFORM crm._require_argument('external_ids', external_ids::text);
		PERFORM crm._require_argument('create_missing', create_missing::text);
		PERFORM crm._require_table('customer_identity');
	END IF;

	-- Customer and key are made in one statement, and the foreign key is checked at its end. A key that another session
	-- takes at the same time is waited for, and costs a number of the sequence, never a row; the next round sees it.
	-- All go through the keys in one order, so that nobody waits in a circle.
	FOR attempt IN 1 .. 10 LOOP
		EXIT WHEN NOT create_missing;
		missing := ARRAY(SELECT DISTINCT u.external_id COLLATE "C" FROM pg_catalog.unnest(external_ids) u (external_id)
			WHERE u.external_id <> '' AND (SELECT i.customer_id FROM crm.customer_identity i
				WHERE i.source = resolve_customers.source AND i.external_id = u.external_id) IS NULL
			ORDER BY 1);
		EXIT WHEN missing = '{}';
		-- Somebody who does not see everything must see the new customer before a key can be given to it.
		IF crm._sees_part() THEN
			PERFORM crm._create_own_customers(resolve_customers.source, missing);
			EXIT;
		END IF;
		sequence := pg_catalog.pg_get_serial_sequence('crm.customer', 'customer_id');
		WITH created AS (
			INSERT INTO crm.customer_identity (source, external_id, customer_id)
			SELECT resolve_customers.source, m.external_id, pg_catalog.nextval(sequence)
			FROM (SELECT m.external_id FROM pg_catalog.unnest(missing) WITH ORDINALITY m (external_id, place) ORDER BY m.place) m
			ON CONFLICT (source, external_id) DO NOTHING
			RETURNING customer_id
		)
		INSERT INTO crm.customer (customer_id)
		SELECT c.customer_id FROM created c;
		GET DIAGNOSTICS made = ROW_COUNT;
		EXIT WHEN made = pg_catalog.cardinality(missing);
	END LOOP;
	RETURN QUERY
		SELECT u.external_id, (SELECT i.customer_id FROM crm.customer_identity i
			WHERE i.source = resolve_customers.source AND i.external_id = u.external_id)
		FROM (SELECT DISTINCT u.external_id FROM pg_catalog.unnest(external_ids) u (external_id)) u;
END
$$;
COMMENT ON FUNCTION crm.resolve_customers(text, text[], boolean) IS 'crm.resolve_customer for many keys at once: a row for each distinct key; NULL and the empty key never get a customer';

CREATE FUNCTION crm.resolve_customer(source text, external_id text, create_missing boolean DEFAULT true) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
DECLARE
	found_id bigint;
BEGIN
	IF resolve_customer.source = '' IS NOT FALSE OR resolve_customer.external_id = '' IS NOT FALSE
		OR create_missing IS NULL OR pg_catalog.to_regclass('crm.customer_identity') IS NULL
	THEN
		PERFORM crm._require_argument('source', resolve_customer.source, false);
		PERFORM crm._require_argument('external_id', resolve_customer.external_id, false);
		PERFORM crm._require_argument('create_missing', create_missing::text);
		PERFORM crm._require_table('customer_identity');
	END IF;
	SELECT i.customer_id INTO found_id FROM crm.customer_identity i
	WHERE i.source = resolve_customer.source AND i.external_id = resolve_customer.external_id;
	IF found_id IS NULL AND create_missing THEN
		SELECT r.customer_id INTO found_id
		FROM crm.resolve_customers(resolve_customer.source, ARRAY[resolve_customer.external_id]) r;
		IF found_id IS NULL THEN
			IF crm._sees_part() THEN
				RAISE EXCEPTION USING
					ERRCODE = 'insufficient_privilege',
					MESSAGE = pg_catalog.format('source "%s" knows by that key a customer whom the current role does not see', resolve_customer.source),
					HINT = 'SELECT * FROM crm.visibility shows what it sees.';
			END IF;
			RAISE EXCEPTION 'crm internal: the new row of crm.customer_identity cannot be seen';
		END IF;
	END IF;
	RETURN found_id;
END
$$;
COMMENT ON FUNCTION crm.resolve_customer(text, text, boolean) IS 'the customer whom a system knows by that key; a new one when there is none and create_missing is true, else NULL';
