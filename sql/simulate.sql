-- simulate: the orders of a shop, for demonstrations, tests and benchmarks.

CREATE FUNCTION crm.simulate_orders(
	customers bigint,
	start_at timestamptz,
	end_at timestamptz,
	seed bigint DEFAULT 42,
	acquisition interval DEFAULT NULL,
	unit interval DEFAULT '7 days',
	r float8 DEFAULT 0.243,
	alpha float8 DEFAULT 4.414,
	a float8 DEFAULT 0.793,
	b float8 DEFAULT 2.426,
	p float8 DEFAULT 6.25,
	q float8 DEFAULT 3.74,
	v float8 DEFAULT 15.44,
	decimals integer DEFAULT 2
) RETURNS TABLE (
	customer_id bigint,
	ordered_at timestamptz,
	amount float8
)
AS 'MODULE_PATHNAME', 'crm_simulate_orders_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 10000;
COMMENT ON FUNCTION crm.simulate_orders(bigint, timestamptz, timestamptz, bigint, interval, interval, float8, float8, float8, float8, float8, float8, float8, integer) IS 'orders of a shop whose customers buy by BG/NBD and spend by Gamma-Gamma; the same seed gives the same orders';
