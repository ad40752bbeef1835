-- basket: the items of a basket as one array, for the toolkit.

CREATE FUNCTION crm._basket_transition(internal, anyelement) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_basket_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._basket_transition(internal, anyelement) IS 'adds an item; for crm.basket';

CREATE FUNCTION crm._basket_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_basket_combine_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._basket_combine(internal, internal) IS 'puts the items of two states together; for crm.basket';

CREATE FUNCTION crm._basket_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_basket_serialize_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._basket_serialize(internal) IS 'packs a state for another process; for crm.basket';

CREATE FUNCTION crm._basket_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_basket_deserialize_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._basket_deserialize(bytea, internal) IS 'unpacks a state of another process; for crm.basket';

CREATE FUNCTION crm._basket_final(internal, anyelement) RETURNS anyarray
AS 'MODULE_PATHNAME', 'crm_basket_final_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._basket_final(internal, anyelement) IS 'gives the items in order, each once; for crm.basket';

CREATE AGGREGATE crm.basket(item anyelement) (
	SFUNC = crm._basket_transition,
	STYPE = internal,
	COMBINEFUNC = crm._basket_combine,
	SERIALFUNC = crm._basket_serialize,
	DESERIALFUNC = crm._basket_deserialize,
	FINALFUNC = crm._basket_final,
	FINALFUNC_EXTRA,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.basket(anyelement) IS 'the items of a basket in order, each once, as an array of their type; NULL items are ignored';
