-- clv_contract: the lifetime value of customers under contract, by the renewals of their subscriptions.

CREATE FUNCTION crm.clv_contract(
	source text,
	as_of timestamptz DEFAULT pg_catalog.now(),
	horizon interval DEFAULT '1 year',
	period interval DEFAULT '1 month',
	value float8 DEFAULT NULL,
	discount_rate float8 DEFAULT 0.10,
	margin float8 DEFAULT 1.0,
	level float8 DEFAULT 0.9,
	fitted text DEFAULT NULL
) RETURNS TABLE (
	customer_id bigint,
	contracts bigint,
	started_at timestamptz,
	renewals bigint,
	is_customer boolean,
	next_renewal_at timestamptz,
	p_renew_next float8,
	expected_renewals float8,
	period_value float8,
	clv float8,
	residual_value float8,
	clv_low float8,
	clv_high float8,
	expected_end_at timestamptz,
	status text
)
AS 'MODULE_PATHNAME', 'crm_clv_contract_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.clv_contract(text, timestamptz, interval, interval, float8, float8, float8, float8, text) IS 'the lifetime value of customers under contract: a row a customer with the renewals made and to come, their value over the horizon and beyond, and how sure that is';

CREATE FUNCTION crm.clv_contract(
	key anyelement,
	as_of timestamptz DEFAULT pg_catalog.now(),
	horizon interval DEFAULT '1 year',
	period interval DEFAULT '1 month',
	value float8 DEFAULT NULL,
	discount_rate float8 DEFAULT 0.10,
	margin float8 DEFAULT 1.0,
	level float8 DEFAULT 0.9,
	fitted text DEFAULT NULL,
	source text DEFAULT NULL
) RETURNS TABLE (
	customer_id anyelement,
	contracts bigint,
	started_at timestamptz,
	renewals bigint,
	is_customer boolean,
	next_renewal_at timestamptz,
	p_renew_next float8,
	expected_renewals float8,
	period_value float8,
	clv float8,
	residual_value float8,
	clv_low float8,
	clv_high float8,
	expected_end_at timestamptz,
	status text
)
AS 'MODULE_PATHNAME', 'crm_clv_contract_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.clv_contract(anyelement, timestamptz, interval, interval, float8, float8, float8, float8, text, text) IS 'the lifetime value of customers under contract: a row a customer with the renewals made and to come, their value over the horizon and beyond, and how sure that is; the form for keys of any hashable type: key => NULL::uuid';

CREATE FUNCTION crm.clv_contract_fit(
	source text,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT '1 month',
	level float8 DEFAULT 0.9,
	penalty float8 DEFAULT 0
) RETURNS TABLE (
	fitted_model text,
	name text[],
	estimate float8[],
	standard_error float8[],
	low float8[],
	high float8[],
	log_likelihood float8,
	aic float8,
	bic float8,
	n bigint,
	n_used bigint,
	n_skipped bigint,
	iterations integer,
	gradient_norm float8,
	converged boolean,
	status text,
	message text,
	fitted jsonb
)
AS 'MODULE_PATHNAME', 'crm_clv_contract_fit_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION crm.clv_contract_fit(text, timestamptz, interval, float8, float8) IS 'the shifted beta-geometric model of renewals that crm.clv_contract uses: parameters with errors and intervals, likelihood, how the fit went, and the model itself for crm.model and the argument fitted';

CREATE FUNCTION crm.clv_contract_fit(
	key anyelement,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT '1 month',
	level float8 DEFAULT 0.9,
	penalty float8 DEFAULT 0,
	source text DEFAULT NULL
) RETURNS TABLE (
	fitted_model text,
	name text[],
	estimate float8[],
	standard_error float8[],
	low float8[],
	high float8[],
	log_likelihood float8,
	aic float8,
	bic float8,
	n bigint,
	n_used bigint,
	n_skipped bigint,
	iterations integer,
	gradient_norm float8,
	converged boolean,
	status text,
	message text,
	fitted jsonb
)
AS 'MODULE_PATHNAME', 'crm_clv_contract_fit_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION crm.clv_contract_fit(anyelement, timestamptz, interval, float8, float8, text) IS 'the shifted beta-geometric model of renewals that crm.clv_contract uses: parameters with errors and intervals, likelihood, how the fit went, and the model itself for crm.model and the argument fitted; the form for keys of any hashable type: key => NULL::uuid';
