-- retention: who of the customers, and how much of the revenue, at the start of a period is still there at its end.

CREATE FUNCTION crm.retention(
	source text DEFAULT NULL,
	from_at timestamptz DEFAULT NULL,
	to_at timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT '1 month',
	active_periods integer DEFAULT 1,
	refunds text DEFAULT 'net'
) RETURNS TABLE (
	period_start timestamptz,
	period_end timestamptz,
	at_start bigint,
	retained bigint,
	lost bigint,
	new_customers bigint,
	returned bigint,
	at_end bigint,
	retention_rate float8,
	churn_rate float8,
	start_revenue float8,
	expansion float8,
	contraction float8,
	lost_revenue float8,
	new_revenue float8,
	returned_revenue float8,
	end_revenue float8,
	net_revenue_retention float8,
	gross_revenue_retention float8,
	is_complete boolean
)
AS 'MODULE_PATHNAME', 'crm_retention_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION crm.retention(text, timestamptz, timestamptz, interval, integer, text) IS 'by orders, who of the customers active at the start of each period is still active at its end, who was lost, won and won back, and what became of their revenue';

CREATE FUNCTION crm.subscription_retention(
	source text,
	from_at timestamptz DEFAULT NULL,
	to_at timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT '1 month'
) RETURNS TABLE (
	period_start timestamptz,
	period_end timestamptz,
	at_start bigint,
	retained bigint,
	lost bigint,
	new_customers bigint,
	returned bigint,
	at_end bigint,
	retention_rate float8,
	churn_rate float8,
	start_revenue float8,
	expansion float8,
	contraction float8,
	lost_revenue float8,
	new_revenue float8,
	returned_revenue float8,
	end_revenue float8,
	net_revenue_retention float8,
	gross_revenue_retention float8,
	is_complete boolean
)
AS 'MODULE_PATHNAME', 'crm_subscription_retention_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION crm.subscription_retention(text, timestamptz, timestamptz, interval) IS 'by subscriptions, who of the customers at the start of each period is still one at its end, and the recurring revenue kept, expanded, contracted, lost and won';
