-- orders: the summary of a customer's orders, the aggregates that make it, and periods.

CREATE TYPE crm.order_summary;

CREATE FUNCTION crm._order_summary_in(cstring) RETURNS crm.order_summary
AS 'MODULE_PATHNAME', 'crm_order_summary_in_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._order_summary_in(cstring) IS 'input function of type crm.order_summary';
REVOKE ALL ON FUNCTION crm._order_summary_in(cstring) FROM PUBLIC;

CREATE FUNCTION crm._order_summary_out(crm.order_summary) RETURNS cstring
AS 'MODULE_PATHNAME', 'crm_order_summary_out_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._order_summary_out(crm.order_summary) IS 'output function of type crm.order_summary';
REVOKE ALL ON FUNCTION crm._order_summary_out(crm.order_summary) FROM PUBLIC;

CREATE FUNCTION crm._order_summary_recv(internal) RETURNS crm.order_summary
AS 'MODULE_PATHNAME', 'crm_order_summary_recv_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._order_summary_recv(internal) IS 'binary input function of type crm.order_summary';
REVOKE ALL ON FUNCTION crm._order_summary_recv(internal) FROM PUBLIC;

CREATE FUNCTION crm._order_summary_send(crm.order_summary) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_order_summary_send_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._order_summary_send(crm.order_summary) IS 'binary output function of type crm.order_summary';
REVOKE ALL ON FUNCTION crm._order_summary_send(crm.order_summary) FROM PUBLIC;

CREATE TYPE crm.order_summary (
	INPUT = crm._order_summary_in,
	OUTPUT = crm._order_summary_out,
	RECEIVE = crm._order_summary_recv,
	SEND = crm._order_summary_send,
	INTERNALLENGTH = 64,
	ALIGNMENT = double,
	STORAGE = plain
);
COMMENT ON TYPE crm.order_summary IS 'what the analytics need to know of one customer''s orders: count, first, last, sum and sum of squares, in a fixed size; sums carry twice the working precision';

CREATE FUNCTION crm._summarize_transition(crm.order_summary, timestamptz, float8) RETURNS crm.order_summary
AS 'MODULE_PATHNAME', 'crm_summarize_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._summarize_transition(crm.order_summary, timestamptz, float8) IS 'transition function of crm.summarize';

CREATE FUNCTION crm._summarize_combine(crm.order_summary, crm.order_summary) RETURNS crm.order_summary
AS 'MODULE_PATHNAME', 'crm_summarize_combine_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._summarize_combine(crm.order_summary, crm.order_summary) IS 'combine function of crm.summarize and transition function of crm.merge_summaries';

CREATE AGGREGATE crm.summarize(ordered_at timestamptz, amount float8) (
	SFUNC = crm._summarize_transition,
	STYPE = crm.order_summary,
	COMBINEFUNC = crm._summarize_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.summarize(timestamptz, float8) IS 'orders become one crm.order_summary; rows with a null or non-finite value are skipped and counted';

CREATE AGGREGATE crm.merge_summaries(summary crm.order_summary) (
	SFUNC = crm._summarize_combine,
	STYPE = crm.order_summary,
	COMBINEFUNC = crm._summarize_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.merge_summaries(crm.order_summary) IS 'summaries of parts become the summary of the whole';

CREATE FUNCTION crm.order_count(summary crm.order_summary) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_order_count_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.order_count(crm.order_summary) IS 'number of orders';

CREATE FUNCTION crm.skipped_count(summary crm.order_summary) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_skipped_count_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.skipped_count(crm.order_summary) IS 'number of rows left out for a null or non-finite time or amount';

CREATE FUNCTION crm.first_order_at(summary crm.order_summary) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'crm_first_order_at_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.first_order_at(crm.order_summary) IS 'time of the first order; null without orders';

CREATE FUNCTION crm.last_order_at(summary crm.order_summary) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'crm_last_order_at_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.last_order_at(crm.order_summary) IS 'time of the last order; null without orders';

CREATE FUNCTION crm.total_amount(summary crm.order_summary) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_total_amount_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.total_amount(crm.order_summary) IS 'sum of the amounts, rounded once; null without orders';

CREATE FUNCTION crm.mean_amount(summary crm.order_summary) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_mean_amount_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.mean_amount(crm.order_summary) IS 'mean amount of an order; null without orders';

CREATE FUNCTION crm.stddev_amount(summary crm.order_summary) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_stddev_amount_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.stddev_amount(crm.order_summary) IS 'standard deviation of the amounts, of the sample; null below two orders';

CREATE FUNCTION crm.period_number(moment timestamptz, period interval, zone text) RETURNS integer
AS 'MODULE_PATHNAME', 'crm_period_number_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.period_number(timestamptz, interval, text) IS 'number of the period that a moment falls in, by the calendar of a time zone; weeks begin on Monday 2000-01-03, months count from January 2000';

-- The same with the zone's name as bytea: postgres_fdw ships no function with a constant of a collatable type.
CREATE FUNCTION crm._period_number(moment timestamptz, period interval, zone bytea) RETURNS integer
AS 'MODULE_PATHNAME', 'crm_period_number_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._period_number(timestamptz, interval, bytea) IS 'private: crm.period_number in a form that foreign servers can be sent';

-- The hash road of the analytics: private, but every caller of an analytic must be able to execute it.
CREATE FUNCTION crm._collect_transition(internal, anyelement, timestamptz, float8, bigint[]) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_collect_transition_1_0' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._collect_transition(internal, anyelement, timestamptz, float8, bigint[]) IS 'transition function of crm._collect';

CREATE FUNCTION crm._collect_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_collect_combine_1_0' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._collect_combine(internal, internal) IS 'combine function of crm._collect';

CREATE FUNCTION crm._collect_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_collect_serialize_1_0' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._collect_serialize(internal) IS 'serialization function of crm._collect';

CREATE FUNCTION crm._collect_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_collect_deserialize_1_0' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._collect_deserialize(bytea, internal) IS 'deserialization function of crm._collect';

CREATE FUNCTION crm._collect_final(internal) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_collect_final_1_0' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._collect_final(internal) IS 'final function of crm._collect';

CREATE AGGREGATE crm._collect(customer_id anyelement, ordered_at timestamptz, amount float8, options bigint[]) (
	SFUNC = crm._collect_transition,
	STYPE = internal,
	COMBINEFUNC = crm._collect_combine,
	SERIALFUNC = crm._collect_serialize,
	DESERIALFUNC = crm._collect_deserialize,
	FINALFUNC = crm._collect_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm._collect(anyelement, timestamptz, float8, bigint[]) IS 'private: how the analytics turn orders into customers; alone it gives the number of customers';
