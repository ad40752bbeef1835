-- sequence_match: whether, and how often, the events of a group are as a pattern says.

CREATE FUNCTION crm._sequence_match_transition(internal, text, timestamptz, boolean[]) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_sequence_match_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._sequence_match_transition(internal, text, timestamptz, boolean[]) IS 'adds a row; for crm.sequence_match and crm.sequence_count';

CREATE FUNCTION crm._sequence_match_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_sequence_match_combine_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._sequence_match_combine(internal, internal) IS 'puts the rows of two states together; for crm.sequence_match and crm.sequence_count';

CREATE FUNCTION crm._sequence_match_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_sequence_match_serialize_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._sequence_match_serialize(internal) IS 'packs a state for another process; for crm.sequence_match and crm.sequence_count';

CREATE FUNCTION crm._sequence_match_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_sequence_match_deserialize_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._sequence_match_deserialize(bytea, internal) IS 'unpacks a state of another process; for crm.sequence_match and crm.sequence_count';

CREATE FUNCTION crm._sequence_match_final(internal) RETURNS boolean
AS 'MODULE_PATHNAME', 'crm_sequence_match_final_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._sequence_match_final(internal) IS 'tells whether the pattern is there; for crm.sequence_match';

CREATE FUNCTION crm._sequence_count_final(internal) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_sequence_count_final_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._sequence_count_final(internal) IS 'counts where the pattern is, without overlaps; for crm.sequence_count';

CREATE AGGREGATE crm.sequence_match(pattern text, occurred_at timestamptz, VARIADIC conditions boolean[]) (
	SFUNC = crm._sequence_match_transition,
	STYPE = internal,
	COMBINEFUNC = crm._sequence_match_combine,
	SERIALFUNC = crm._sequence_match_serialize,
	DESERIALFUNC = crm._sequence_match_deserialize,
	FINALFUNC = crm._sequence_match_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.sequence_match(text, timestamptz, VARIADIC boolean[]) IS 'whether the group''s events, in the order of time, are somewhere as the pattern says, such as (?1)(?t<=3600)(?2).*(?3)';

CREATE AGGREGATE crm.sequence_count(pattern text, occurred_at timestamptz, VARIADIC conditions boolean[]) (
	SFUNC = crm._sequence_match_transition,
	STYPE = internal,
	COMBINEFUNC = crm._sequence_match_combine,
	SERIALFUNC = crm._sequence_match_serialize,
	DESERIALFUNC = crm._sequence_match_deserialize,
	FINALFUNC = crm._sequence_count_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.sequence_count(text, timestamptz, VARIADIC boolean[]) IS 'how many times the group''s events, in the order of time, are as the pattern says, without overlaps';
