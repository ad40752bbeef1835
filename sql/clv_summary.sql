-- clv_summary: customers as lifetime value models see them, and how regular their orders are.

CREATE FUNCTION crm.clv_summary(
	source text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net'
) RETURNS TABLE (
	customer_id bigint,
	x bigint,
	t_x float8,
	t float8,
	mean_spend float8,
	first_order_at timestamptz,
	last_order_at timestamptz
)
AS 'MODULE_PATHNAME', 'crm_clv_summary_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.clv_summary(text, timestamptz, interval, text) IS 'customers as lifetime value models see them: repeat transactions, their span and the time since the first in periods, mean spend of a repeat transaction';

CREATE FUNCTION crm.clv_summary(
	key anyelement,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net',
	source text DEFAULT NULL
) RETURNS TABLE (
	customer_id anyelement,
	x bigint,
	t_x float8,
	t float8,
	mean_spend float8,
	first_order_at timestamptz,
	last_order_at timestamptz
)
AS 'MODULE_PATHNAME', 'crm_clv_summary_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.clv_summary(anyelement, timestamptz, interval, text, text) IS 'customers as lifetime value models see them: repeat transactions, their span and the time since the first in periods, mean spend of a repeat transaction; the form for keys of any hashable type: key => NULL::uuid';

CREATE FUNCTION crm.regularity(
	source text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net'
) RETURNS TABLE (
	customers bigint,
	pairs bigint,
	k float8,
	standard_error float8,
	low float8,
	high float8,
	mean_gap float8,
	status text,
	message text
)
AS 'MODULE_PATHNAME', 'crm_regularity_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION crm.regularity(text, timestamptz, interval, text) IS 'how regular the times between orders are (1 random, above regular, below in bursts), and whether lifetime value models may be trusted with them';

CREATE FUNCTION crm.regularity(
	key anyelement,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net',
	source text DEFAULT NULL
) RETURNS TABLE (
	customers bigint,
	pairs bigint,
	k float8,
	standard_error float8,
	low float8,
	high float8,
	mean_gap float8,
	status text,
	message text
)
AS 'MODULE_PATHNAME', 'crm_regularity_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION crm.regularity(anyelement, timestamptz, interval, text, text) IS 'how regular the times between orders are (1 random, above regular, below in bursts), and whether lifetime value models may be trusted with them; the form for keys of any hashable type: key => NULL::uuid';
