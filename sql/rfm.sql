-- rfm: recency, frequency and monetary value of customers, and the segments they make.

CREATE FUNCTION crm.rfm(
	source text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT NULL,
	method text DEFAULT 'quantile',
	bins integer DEFAULT 5,
	recency_cuts interval[] DEFAULT NULL,
	frequency_cuts float8[] DEFAULT NULL,
	monetary_cuts float8[] DEFAULT NULL,
	monetary text DEFAULT 'sum',
	refunds text DEFAULT 'net',
	segments text DEFAULT NULL
) RETURNS TABLE (
	customer_id bigint,
	last_order_at timestamptz,
	recency interval,
	frequency bigint,
	monetary float8,
	r integer,
	f integer,
	m integer,
	score integer,
	segment text,
	reason text
)
AS 'MODULE_PATHNAME', 'crm_rfm_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.rfm(text, timestamptz, interval, text, integer, interval[], float8[], float8[], text, text, text) IS 'customers scored by recency, frequency and monetary value: a row a customer with scores, segment and reason';

CREATE FUNCTION crm.rfm(
	key anyelement,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT NULL,
	method text DEFAULT 'quantile',
	bins integer DEFAULT 5,
	recency_cuts interval[] DEFAULT NULL,
	frequency_cuts float8[] DEFAULT NULL,
	monetary_cuts float8[] DEFAULT NULL,
	monetary text DEFAULT 'sum',
	refunds text DEFAULT 'net',
	segments text DEFAULT NULL,
	source text DEFAULT NULL
) RETURNS TABLE (
	customer_id anyelement,
	last_order_at timestamptz,
	recency interval,
	frequency bigint,
	monetary float8,
	r integer,
	f integer,
	m integer,
	score integer,
	segment text,
	reason text
)
AS 'MODULE_PATHNAME', 'crm_rfm_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.rfm(anyelement, timestamptz, interval, text, integer, interval[], float8[], float8[], text, text, text, text) IS 'customers scored by recency, frequency and monetary value: a row a customer with scores, segment and reason; the form for keys of any hashable type: key => NULL::uuid';

CREATE FUNCTION crm.rfm_thresholds(
	source text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT NULL,
	method text DEFAULT 'quantile',
	bins integer DEFAULT 5,
	recency_cuts interval[] DEFAULT NULL,
	frequency_cuts float8[] DEFAULT NULL,
	monetary_cuts float8[] DEFAULT NULL,
	monetary text DEFAULT 'sum',
	refunds text DEFAULT 'net',
	segments text DEFAULT NULL
) RETURNS TABLE (
	dimension text,
	score integer,
	lower float8,
	upper float8,
	unit text,
	customers bigint,
	note text
)
AS 'MODULE_PATHNAME', 'crm_rfm_thresholds_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 15;
COMMENT ON FUNCTION crm.rfm_thresholds(text, timestamptz, interval, text, integer, interval[], float8[], float8[], text, text, text) IS 'what each score of crm.rfm holds: lowest and highest value, customers, and a note where equal values made bins collapse';

CREATE FUNCTION crm.rfm_thresholds(
	key anyelement,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT NULL,
	method text DEFAULT 'quantile',
	bins integer DEFAULT 5,
	recency_cuts interval[] DEFAULT NULL,
	frequency_cuts float8[] DEFAULT NULL,
	monetary_cuts float8[] DEFAULT NULL,
	monetary text DEFAULT 'sum',
	refunds text DEFAULT 'net',
	segments text DEFAULT NULL,
	source text DEFAULT NULL
) RETURNS TABLE (
	dimension text,
	score integer,
	lower float8,
	upper float8,
	unit text,
	customers bigint,
	note text
)
AS 'MODULE_PATHNAME', 'crm_rfm_thresholds_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 15;
COMMENT ON FUNCTION crm.rfm_thresholds(anyelement, timestamptz, interval, text, integer, interval[], float8[], float8[], text, text, text, text) IS 'what each score of crm.rfm holds: lowest and highest value, customers, and a note where equal values made bins collapse; the form for keys of any hashable type: key => NULL::uuid';

CREATE FUNCTION crm.rfm_segments(
	source text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT NULL,
	method text DEFAULT 'quantile',
	bins integer DEFAULT 5,
	recency_cuts interval[] DEFAULT NULL,
	frequency_cuts float8[] DEFAULT NULL,
	monetary_cuts float8[] DEFAULT NULL,
	monetary text DEFAULT 'sum',
	refunds text DEFAULT 'net',
	segments text DEFAULT NULL
) RETURNS TABLE (
	segment text,
	customers bigint,
	share float8,
	orders bigint,
	revenue float8,
	revenue_share float8,
	mean_recency interval,
	mean_frequency float8,
	mean_monetary float8
)
AS 'MODULE_PATHNAME', 'crm_rfm_segments_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 11;
COMMENT ON FUNCTION crm.rfm_segments(text, timestamptz, interval, text, integer, interval[], float8[], float8[], text, text, text) IS 'totals and means of the segments of crm.rfm';

CREATE FUNCTION crm.rfm_segments(
	key anyelement,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT NULL,
	method text DEFAULT 'quantile',
	bins integer DEFAULT 5,
	recency_cuts interval[] DEFAULT NULL,
	frequency_cuts float8[] DEFAULT NULL,
	monetary_cuts float8[] DEFAULT NULL,
	monetary text DEFAULT 'sum',
	refunds text DEFAULT 'net',
	segments text DEFAULT NULL,
	source text DEFAULT NULL
) RETURNS TABLE (
	segment text,
	customers bigint,
	share float8,
	orders bigint,
	revenue float8,
	revenue_share float8,
	mean_recency interval,
	mean_frequency float8,
	mean_monetary float8
)
AS 'MODULE_PATHNAME', 'crm_rfm_segments_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 11;
COMMENT ON FUNCTION crm.rfm_segments(anyelement, timestamptz, interval, text, integer, interval[], float8[], float8[], text, text, text, text) IS 'totals and means of the segments of crm.rfm; the form for keys of any hashable type: key => NULL::uuid';

CREATE FUNCTION crm.rfm_rules(bins integer DEFAULT 5) RETURNS TABLE (
	priority integer,
	segment text,
	r_low integer,
	r_high integer,
	f_low integer,
	f_high integer,
	m_low integer,
	m_high integer
)
AS 'MODULE_PATHNAME', 'crm_rfm_rules_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 11;
COMMENT ON FUNCTION crm.rfm_rules(integer) IS 'the customary segment rules: ranges of scores in order of priority, the first that fits wins, the last fits all';

CREATE FUNCTION crm.rfm_segment(r integer, f integer, m integer, bins integer DEFAULT 5) RETURNS text
AS 'MODULE_PATHNAME', 'crm_rfm_segment_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_segment(integer, integer, integer, integer) IS 'the customary segment of three scores';
