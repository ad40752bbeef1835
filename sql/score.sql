-- score: what models said about customers, kept to be compared and acted upon.

CREATE FUNCTION crm._setup_250_score(partition_interactions boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF to_regclass('crm.score') IS NULL THEN
		CREATE TABLE crm.score (
			customer_id bigint NOT NULL,
			model text NOT NULL,
			scored_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
			value double precision,
			band text,
			PRIMARY KEY (customer_id, model, scored_at),
			FOREIGN KEY (customer_id) REFERENCES crm.customer,
			CONSTRAINT score_model_check CHECK (model <> ''),
			CONSTRAINT score_value_check CHECK (value <> 'NaN'),
			CONSTRAINT score_band_check CHECK (num_nonnulls(value, band) > 0)
		);
	END IF;
	PERFORM crm._describe('score', 'what models said about customers; rows are added, never changed', $json${
		"customer_id": "the customer",
		"model": "the model: a name of crm.model, or what the score is called",
		"scored_at": "when",
		"value": "the score",
		"band": "the class that it falls in: A, B, high, ..."}$json$);
END
$$;
COMMENT ON FUNCTION crm._setup_250_score(boolean) IS 'a step of crm.setup(): score';
REVOKE ALL ON FUNCTION crm._setup_250_score(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._setup_250_score(boolean) TO @extowner@;

CREATE FUNCTION crm._relations_250_score() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{score}'::text[] $$;
COMMENT ON FUNCTION crm._relations_250_score() IS 'what crm._setup_250_score makes';
REVOKE ALL ON FUNCTION crm._relations_250_score() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._relations_250_score() TO @extowner@;

CREATE FUNCTION crm._access_250_score() RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT $json${"relations": {
		"score": {"scope": "log"}}}$json$::pg_catalog.jsonb
$$;
COMMENT ON FUNCTION crm._access_250_score() IS 'access to what crm._setup_250_score makes';
REVOKE ALL ON FUNCTION crm._access_250_score() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._access_250_score() TO @extowner@;
