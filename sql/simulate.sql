-- simulate: the orders of a shop and the subscriptions of customers under contract, for demonstrations, tests and benchmarks.

CREATE FUNCTION crm.simulate_orders(
	customers bigint,
	start_at timestamptz,
	end_at timestamptz,
	seed bigint DEFAULT 42,
	acquisition interval DEFAULT NULL,
	unit interval DEFAULT '7 days',
	r float8 DEFAULT NULL,
	alpha float8 DEFAULT NULL,
	a float8 DEFAULT NULL,
	b float8 DEFAULT NULL,
	p float8 DEFAULT 6.25,
	q float8 DEFAULT 3.74,
	v float8 DEFAULT 15.44,
	decimals integer DEFAULT 2,
	model text DEFAULT 'bgnbd',
	s float8 DEFAULT NULL,
	beta float8 DEFAULT NULL,
	gamma float8 DEFAULT NULL,
	delta float8 DEFAULT NULL
) RETURNS TABLE (
	customer_id bigint,
	ordered_at timestamptz,
	amount float8
)
AS 'MODULE_PATHNAME', 'crm_simulate_orders_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 10000;
COMMENT ON FUNCTION crm.simulate_orders(bigint, timestamptz, timestamptz, bigint, interval, interval, float8, float8, float8, float8, float8, float8, float8, integer, text, float8, float8, float8, float8) IS 'orders of a shop whose customers buy by BG/NBD, or another model, and spend by Gamma-Gamma; the same seed gives the same orders';

CREATE FUNCTION crm.simulate_subscriptions(
	customers bigint,
	start_at timestamptz,
	end_at timestamptz,
	seed bigint DEFAULT 42,
	acquisition interval DEFAULT NULL,
	period interval DEFAULT '1 month',
	alpha float8 DEFAULT 0.668,
	beta float8 DEFAULT 3.806
) RETURNS TABLE (
	customer_id bigint,
	started_at timestamptz,
	ended_at timestamptz
)
AS 'MODULE_PATHNAME', 'crm_simulate_subscriptions_1_0' LANGUAGE C STABLE PARALLEL SAFE ROWS 10000;
COMMENT ON FUNCTION crm.simulate_subscriptions(bigint, timestamptz, timestamptz, bigint, interval, interval, float8, float8) IS 'subscriptions that end by the shifted beta-geometric model, a row a customer; the same seed gives the same subscriptions';
