-- clv_tracking: what a model of orders expects of a cohort, followed through time.

CREATE FUNCTION crm.clv_tracking(
	source text,
	cut_at timestamptz,
	until timestamptz,
	model text DEFAULT 'auto',
	period interval DEFAULT '1 day',
	step interval DEFAULT '1 week',
	refunds text DEFAULT 'net',
	seed bigint DEFAULT 42
) RETURNS TABLE (
	number integer,
	starts_at timestamptz,
	ends_at timestamptz,
	in_sample boolean,
	actual bigint,
	expected float8,
	actual_cumulative bigint,
	expected_cumulative float8,
	fitted_model text,
	status text
)
AS 'MODULE_PATHNAME', 'crm_clv_tracking_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION crm.clv_tracking(text, timestamptz, timestamptz, text, interval, interval, text, bigint) IS 'the repeat orders of customers step by step and cumulated, before a cut and after it, beside those that the model fitted up to the cut expects';

CREATE FUNCTION crm.clv_tracking(
	key anyelement,
	cut_at timestamptz,
	until timestamptz,
	model text DEFAULT 'auto',
	period interval DEFAULT '1 day',
	step interval DEFAULT '1 week',
	refunds text DEFAULT 'net',
	seed bigint DEFAULT 42,
	source text DEFAULT NULL
) RETURNS TABLE (
	number integer,
	starts_at timestamptz,
	ends_at timestamptz,
	in_sample boolean,
	actual bigint,
	expected float8,
	actual_cumulative bigint,
	expected_cumulative float8,
	fitted_model text,
	status text
)
AS 'MODULE_PATHNAME', 'crm_clv_tracking_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION crm.clv_tracking(anyelement, timestamptz, timestamptz, text, interval, interval, text, bigint, text) IS 'the repeat orders of customers step by step and cumulated, before a cut and after it, beside those that the model fitted up to the cut expects; the form for keys of any hashable type: key => NULL::uuid';
