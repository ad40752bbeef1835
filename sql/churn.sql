-- churn: who is leaving, why and what it costs, and the model behind it.

CREATE FUNCTION crm.churn(
	source text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	horizon interval DEFAULT '90 days',
	method text DEFAULT 'auto',
	features text DEFAULT NULL,
	label text DEFAULT NULL,
	model text DEFAULT NULL,
	seed bigint DEFAULT 42
) RETURNS TABLE (
	customer_id bigint,
	churn_probability float8,
	band text,
	expected_revenue_at_risk float8,
	reasons text[],
	days_since_last float8,
	own_gap_p90 float8,
	method_used text,
	status text
)
AS 'MODULE_PATHNAME', 'crm_churn_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.churn(text, timestamptz, interval, text, text, text, text, bigint) IS 'the chance that each customer does not order within the horizon: a row a customer with its band, the revenue at risk, the reasons in words, the silence and the customer''s own rhythm';

CREATE FUNCTION crm.churn(
	key anyelement,
	as_of timestamptz DEFAULT pg_catalog.now(),
	horizon interval DEFAULT '90 days',
	method text DEFAULT 'auto',
	features text DEFAULT NULL,
	label text DEFAULT NULL,
	model text DEFAULT NULL,
	seed bigint DEFAULT 42,
	source text DEFAULT NULL
) RETURNS TABLE (
	customer_id anyelement,
	churn_probability float8,
	band text,
	expected_revenue_at_risk float8,
	reasons text[],
	days_since_last float8,
	own_gap_p90 float8,
	method_used text,
	status text
)
AS 'MODULE_PATHNAME', 'crm_churn_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.churn(anyelement, timestamptz, interval, text, text, text, text, bigint, text) IS 'the chance that each customer does not order within the horizon: a row a customer with its band, the revenue at risk, the reasons in words, the silence and the customer''s own rhythm; the form for keys of any hashable type: key => NULL::uuid';

CREATE FUNCTION crm.churn_fit(
	source text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	horizon interval DEFAULT '90 days',
	method text DEFAULT 'auto',
	features text DEFAULT NULL,
	label text DEFAULT NULL,
	seed bigint DEFAULT 42
) RETURNS TABLE (
	method_used text,
	n bigint,
	n_used bigint,
	n_skipped bigint,
	cuts integer,
	customers bigint,
	churned bigint,
	status text,
	message text,
	fitted jsonb
)
AS 'MODULE_PATHNAME', 'crm_churn_fit_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION crm.churn_fit(text, timestamptz, interval, text, text, text, bigint) IS 'the model that crm.churn uses, fitted to the customers'' own history: how the fit went, and the model itself for crm.model and the argument model';

CREATE FUNCTION crm.churn_fit(
	key anyelement,
	as_of timestamptz DEFAULT pg_catalog.now(),
	horizon interval DEFAULT '90 days',
	method text DEFAULT 'auto',
	features text DEFAULT NULL,
	label text DEFAULT NULL,
	seed bigint DEFAULT 42,
	source text DEFAULT NULL
) RETURNS TABLE (
	method_used text,
	n bigint,
	n_used bigint,
	n_skipped bigint,
	cuts integer,
	customers bigint,
	churned bigint,
	status text,
	message text,
	fitted jsonb
)
AS 'MODULE_PATHNAME', 'crm_churn_fit_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION crm.churn_fit(anyelement, timestamptz, interval, text, text, text, bigint, text) IS 'the model that crm.churn uses, fitted to the customers'' own history: how the fit went, and the model itself for crm.model and the argument model; the form for keys of any hashable type: key => NULL::uuid';
