-- cohorts: customers by the period in which they began, and what they did in the periods since.

-- How the analytics turn orders into customers and periods: private, but every caller of an analytic must be able to execute it.
CREATE FUNCTION crm._activity_transition(internal, anyelement, timestamptz, float8, bigint[]) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_activity_transition_1_0' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._activity_transition(internal, anyelement, timestamptz, float8, bigint[]) IS 'transition function of crm._activity';

CREATE FUNCTION crm._activity_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_activity_combine_1_0' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._activity_combine(internal, internal) IS 'combine function of crm._activity';

CREATE FUNCTION crm._activity_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_activity_serialize_1_0' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._activity_serialize(internal) IS 'serialization function of crm._activity';

CREATE FUNCTION crm._activity_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_activity_deserialize_1_0' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._activity_deserialize(bytea, internal) IS 'deserialization function of crm._activity';

CREATE FUNCTION crm._activity_final(internal) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_activity_final_1_0' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._activity_final(internal) IS 'final function of crm._activity';

CREATE AGGREGATE crm._activity(customer_id anyelement, ordered_at timestamptz, amount float8, options bigint[]) (
	SFUNC = crm._activity_transition,
	STYPE = internal,
	COMBINEFUNC = crm._activity_combine,
	SERIALFUNC = crm._activity_serialize,
	DESERIALFUNC = crm._activity_deserialize,
	FINALFUNC = crm._activity_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm._activity(anyelement, timestamptz, float8, bigint[]) IS 'private: how the analytics turn orders into what each customer ordered in each period; alone it gives the number of customers';

CREATE FUNCTION crm.cohorts(
	source text DEFAULT NULL,
	cohort text DEFAULT 'month',
	period text DEFAULT 'month',
	measure text DEFAULT 'customers',
	as_of timestamptz DEFAULT pg_catalog.now(),
	refunds text DEFAULT 'net'
) RETURNS TABLE (
	cohort_start date,
	number integer,
	period_start date,
	size bigint,
	active bigint,
	rate float8,
	rolling_rate float8,
	orders bigint,
	revenue float8,
	cumulative_revenue float8,
	revenue_per_customer float8,
	value float8,
	share float8,
	is_complete boolean
)
AS 'MODULE_PATHNAME', 'crm_cohorts_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 500;
COMMENT ON FUNCTION crm.cohorts(text, text, text, text, timestamptz, text) IS 'customers by the period of their first order: a row a cohort and period since with who is active, what they ordered and spent, and whether the period is over';
