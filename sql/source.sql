-- source: what analytics read: the application's own tables and queries, under names.

CREATE FUNCTION crm._setup_130_source(partition_interactions boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF pg_catalog.to_regclass('crm.source') IS NULL THEN
		CREATE TABLE crm.source (
			name text NOT NULL,
			orders text,
			baskets text,
			events text,
			is_default boolean NOT NULL DEFAULT false,
			created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
			PRIMARY KEY (name),
			CONSTRAINT source_name_check CHECK (name <> ''),
			CONSTRAINT source_check CHECK (orders IS NOT NULL OR baskets IS NOT NULL OR events IS NOT NULL)
		);
		CREATE UNIQUE INDEX ON crm.source (is_default) WHERE is_default;
	END IF;
	PERFORM crm._describe('source', 'what analytics read, under names; see crm.map_source() and crm.sources()', $json${
		"name": "the name that an analytic takes as its source",
		"orders": "relation or SELECT with customer_id, ordered_at, amount",
		"baskets": "relation or SELECT with basket_id, item_id",
		"events": "relation or SELECT with customer_id, occurred_at, event",
		"is_default": "whether analytics without a source read it; at most one row is",
		"created_at": "when it was mapped first"}$json$);
END
$$;
COMMENT ON FUNCTION crm._setup_130_source(boolean) IS 'a step of crm.setup(): source';
REVOKE ALL ON FUNCTION crm._setup_130_source(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._setup_130_source(boolean) TO @extowner@;

CREATE FUNCTION crm._relations_130_source() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{source}'::pg_catalog.text[] $$;
COMMENT ON FUNCTION crm._relations_130_source() IS 'what crm._setup_130_source makes';
REVOKE ALL ON FUNCTION crm._relations_130_source() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._relations_130_source() TO @extowner@;

CREATE FUNCTION crm._access_130_source() RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT $json${"relations": {
		"source": {"scope": "organisation"}}}$json$::pg_catalog.jsonb
$$;
COMMENT ON FUNCTION crm._access_130_source() IS 'access to what crm._setup_130_source makes';
REVOKE ALL ON FUNCTION crm._access_130_source() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._access_130_source() TO @extowner@;

CREATE FUNCTION crm._source_select(source text, contract text) RETURNS text
AS 'MODULE_PATHNAME', 'crm_source_select_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm._source_select(text, text) IS 'the SELECT that an analytic of that contract (orders, baskets, events) reads when it is given that source';
REVOKE ALL ON FUNCTION crm._source_select(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._source_select(text, text) TO @extowner@;

CREATE FUNCTION crm._source_probe(source text, contract text, rows integer)
RETURNS TABLE (relation text, query text, columns text[])
AS 'MODULE_PATHNAME', 'crm_source_probe_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION crm._source_probe(text, text, integer) IS 'checks a relation or query against a contract (orders, baskets, events) and reads its first rows; open to PUBLIC, as crm.sources() is: it can no more than a SELECT of the caller''s';

-- The argument search_path is how a function with a path of its own learns the caller's: a default is
-- computed before the function begins.
CREATE FUNCTION crm.map_source(
	name text,
	orders text DEFAULT NULL,
	baskets text DEFAULT NULL,
	events text DEFAULT NULL,
	make_default boolean DEFAULT false,
	search_path text DEFAULT pg_catalog.current_setting('search_path')
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	given text[] := ARRAY[map_source.orders, map_source.baskets, map_source.events];
	contracts constant text[] := '{orders, baskets, events}';
	own_path constant text := pg_catalog.current_setting('search_path');
	relation text;
	is_new boolean;
	own_is_empty boolean := false;
BEGIN
	PERFORM crm._require_argument('name', map_source.name, false);
	PERFORM crm._require_argument('make_default', make_default::text);
	PERFORM crm._require_argument('search_path', map_source.search_path);
	PERFORM crm._require_table('source');

	-- What is stored of a relation is its qualified name.
	FOR i IN 1 .. 3 LOOP
		IF given[i] IS NOT NULL THEN
			PERFORM crm._require_argument(contracts[i], given[i], false);
			PERFORM pg_catalog.set_config('search_path', map_source.search_path, true);
			SELECT p.relation INTO relation FROM crm._source_probe(given[i], contracts[i], 0) p;
			PERFORM pg_catalog.set_config('search_path', own_path, true);
			given[i] := coalesce(relation, given[i]);
		END IF;
	END LOOP;

	LOCK TABLE crm.source IN SHARE ROW EXCLUSIVE MODE;
	is_new := NOT EXISTS (SELECT FROM crm.source s WHERE s.name = map_source.name);
	IF given = '{NULL, NULL, NULL}' AND (is_new OR NOT make_default) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = pg_catalog.format('source "%s" is given nothing to read', map_source.name),
			HINT = 'Give orders => (customer_id, ordered_at, amount), baskets => (basket_id, item_id) or events => (customer_id, occurred_at, event): the name of a table or view, or a query.';
	END IF;
	-- The CRM's own tables, as long as they have no orders, leave the place to those of the application.
	IF NOT make_default AND given[1] IS NOT NULL AND pg_catalog.to_regclass('crm.sales_order') IS NOT NULL THEN
		EXECUTE 'SELECT NOT EXISTS (SELECT FROM crm.sales_order)' INTO own_is_empty;
	END IF;
	IF make_default OR own_is_empty THEN
		UPDATE crm.source s SET is_default = false
		WHERE s.is_default AND s.name <> map_source.name AND (make_default OR s.name = 'crm');
	END IF;
	IF is_new THEN
		INSERT INTO crm.source (name, orders, baskets, events) VALUES (map_source.name, given[1], given[2], given[3]);
	ELSE
		UPDATE crm.source s
		SET orders = coalesce(given[1], s.orders), baskets = coalesce(given[2], s.baskets), events = coalesce(given[3], s.events)
		WHERE s.name = map_source.name;
	END IF;
	UPDATE crm.source s SET is_default = true
	WHERE s.name = map_source.name AND NOT s.is_default
		AND (make_default OR s.orders IS NOT NULL AND NOT EXISTS (SELECT FROM crm.source o WHERE o.is_default));
END
$$;
COMMENT ON FUNCTION crm.map_source(text, text, text, text, boolean, text) IS 'stores relations or queries under a name that every analytic takes as its source; those that are not given stay as they are';
REVOKE ALL ON FUNCTION crm.map_source(text, text, text, text, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.map_source(text, text, text, text, boolean, text) TO @extowner@;

CREATE FUNCTION crm.unmap_source(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	PERFORM crm._require_argument('name', unmap_source.name);
	PERFORM crm._require_table('source');
	DELETE FROM crm.source s WHERE s.name = unmap_source.name;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = pg_catalog.format('there is no source "%s"', unmap_source.name),
			HINT = 'See SELECT * FROM crm.sources().';
	END IF;
END
$$;
COMMENT ON FUNCTION crm.unmap_source(text) IS 'forgets a source of crm.map_source(); what it reads is not touched';
REVOKE ALL ON FUNCTION crm.unmap_source(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.unmap_source(text) TO @extowner@;

CREATE FUNCTION crm.sources(search_path text DEFAULT pg_catalog.current_setting('search_path')) RETURNS TABLE (
	name text,
	is_default boolean,
	contract text,
	query text,
	valid boolean,
	problem text,
	columns text[],
	sample jsonb
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	own_path constant text := pg_catalog.current_setting('search_path');
	statement text;
BEGIN
	PERFORM crm._require_argument('search_path', sources.search_path);
	PERFORM crm._require_table('source');
	FOR name, is_default, contract, query IN
		SELECT s.name, s.is_default, c.contract, c.query
		FROM crm.source s
		CROSS JOIN LATERAL (VALUES (1, 'orders', s.orders), (2, 'baskets', s.baskets), (3, 'events', s.events)) c (place, contract, query)
		WHERE c.query IS NOT NULL
		ORDER BY s.name, c.place
	LOOP
		BEGIN
			PERFORM pg_catalog.set_config('search_path', sources.search_path, true);
			SELECT p.query, p.columns INTO statement, columns FROM crm._source_probe(query, contract, 1) p;
			EXECUTE pg_catalog.format(E'SELECT pg_catalog.to_jsonb(q.*) FROM (%s\n) q LIMIT 1', statement) INTO sample;
			PERFORM pg_catalog.set_config('search_path', own_path, true);
			valid := true;
			problem := NULL;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT;
			valid := false;
			columns := NULL;
			sample := NULL;
		END;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm.sources(text) IS 'what crm.map_source() has stored, each tried: whether it keeps its contract, its columns, and the first row that it gives';
