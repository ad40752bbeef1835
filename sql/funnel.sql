-- funnel: how far each group's events come along a chain of steps, and which of several conditions it met.

CREATE FUNCTION crm._window_funnel_transition(internal, interval, timestamptz, boolean[]) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_window_funnel_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._window_funnel_transition(internal, interval, timestamptz, boolean[]) IS 'adds a row; for crm.window_funnel';

CREATE FUNCTION crm._window_funnel_transition(internal, interval, text, timestamptz, boolean[]) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_window_funnel_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._window_funnel_transition(internal, interval, text, timestamptz, boolean[]) IS 'adds a row; for crm.window_funnel';

CREATE FUNCTION crm._window_funnel_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_window_funnel_combine_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._window_funnel_combine(internal, internal) IS 'puts the rows of two states together; for crm.window_funnel';

CREATE FUNCTION crm._window_funnel_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_window_funnel_serialize_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._window_funnel_serialize(internal) IS 'packs a state for another process; for crm.window_funnel';

CREATE FUNCTION crm._window_funnel_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_window_funnel_deserialize_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._window_funnel_deserialize(bytea, internal) IS 'unpacks a state of another process; for crm.window_funnel';

CREATE FUNCTION crm._window_funnel_final(internal) RETURNS integer
AS 'MODULE_PATHNAME', 'crm_window_funnel_final_1_0' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._window_funnel_final(internal) IS 'gives the length of the longest chain; for crm.window_funnel';

CREATE AGGREGATE crm.window_funnel("window" interval, occurred_at timestamptz, VARIADIC conditions boolean[]) (
	SFUNC = crm._window_funnel_transition,
	STYPE = internal,
	COMBINEFUNC = crm._window_funnel_combine,
	SERIALFUNC = crm._window_funnel_serialize,
	DESERIALFUNC = crm._window_funnel_deserialize,
	FINALFUNC = crm._window_funnel_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.window_funnel(interval, timestamptz, VARIADIC boolean[]) IS 'how many of the conditions hold one after another within the window that an event of the first one begins; 0 when the first never holds';

CREATE AGGREGATE crm.window_funnel("window" interval, mode text, occurred_at timestamptz, VARIADIC conditions boolean[]) (
	SFUNC = crm._window_funnel_transition,
	STYPE = internal,
	COMBINEFUNC = crm._window_funnel_combine,
	SERIALFUNC = crm._window_funnel_serialize,
	DESERIALFUNC = crm._window_funnel_deserialize,
	FINALFUNC = crm._window_funnel_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.window_funnel(interval, text, timestamptz, VARIADIC boolean[]) IS 'how many of the conditions hold one after another within the window that an event of the first one begins, by modes: strict_deduplication, strict_order, strict_increase, strict_once, allow_reentry';

CREATE FUNCTION crm._retained_transition(bigint, boolean[]) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_retained_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._retained_transition(bigint, boolean[]) IS 'adds a row; for crm.retained';

CREATE FUNCTION crm._retained_combine(bigint, bigint) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_retained_combine_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._retained_combine(bigint, bigint) IS 'puts two states together; for crm.retained';

CREATE FUNCTION crm._retained_final(bigint) RETURNS boolean[]
AS 'MODULE_PATHNAME', 'crm_retained_final_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._retained_final(bigint) IS 'gives what held together with the first condition; for crm.retained';

CREATE AGGREGATE crm.retained(VARIADIC conditions boolean[]) (
	SFUNC = crm._retained_transition,
	STYPE = bigint,
	COMBINEFUNC = crm._retained_combine,
	FINALFUNC = crm._retained_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.retained(VARIADIC boolean[]) IS 'for each condition, whether it held in some row of the group and the first condition did in some row; NULL without rows';
