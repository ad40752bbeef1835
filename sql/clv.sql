-- clv: the lifetime value of customers, and the models behind it.

CREATE FUNCTION crm.clv(
	source text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	horizon interval DEFAULT '1 year',
	model text DEFAULT 'auto',
	spend text DEFAULT 'gamma_gamma',
	period interval DEFAULT '1 day',
	discount_rate float8 DEFAULT 0.10,
	margin float8 DEFAULT 1.0,
	refunds text DEFAULT 'net',
	level float8 DEFAULT 0.9,
	fitted text DEFAULT NULL,
	seed bigint DEFAULT 42
) RETURNS TABLE (
	customer_id bigint,
	x bigint,
	t_x float8,
	t float8,
	first_order_at timestamptz,
	last_order_at timestamptz,
	p_alive float8,
	expected_orders float8,
	p_any_order float8,
	expected_order_value float8,
	clv float8,
	residual_value float8,
	clv_low float8,
	clv_high float8,
	next_order_at timestamptz,
	status text
)
AS 'MODULE_PATHNAME', 'crm_clv_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.clv(text, timestamptz, interval, text, text, interval, float8, float8, text, float8, text, bigint) IS 'the lifetime value of customers: a row a customer with the chance of being active, expected orders, their value, what they are worth over the horizon and beyond, and how sure that is';

CREATE FUNCTION crm.clv(
	key anyelement,
	as_of timestamptz DEFAULT pg_catalog.now(),
	horizon interval DEFAULT '1 year',
	model text DEFAULT 'auto',
	spend text DEFAULT 'gamma_gamma',
	period interval DEFAULT '1 day',
	discount_rate float8 DEFAULT 0.10,
	margin float8 DEFAULT 1.0,
	refunds text DEFAULT 'net',
	level float8 DEFAULT 0.9,
	fitted text DEFAULT NULL,
	seed bigint DEFAULT 42,
	source text DEFAULT NULL
) RETURNS TABLE (
	customer_id anyelement,
	x bigint,
	t_x float8,
	t float8,
	first_order_at timestamptz,
	last_order_at timestamptz,
	p_alive float8,
	expected_orders float8,
	p_any_order float8,
	expected_order_value float8,
	clv float8,
	residual_value float8,
	clv_low float8,
	clv_high float8,
	next_order_at timestamptz,
	status text
)
AS 'MODULE_PATHNAME', 'crm_clv_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.clv(anyelement, timestamptz, interval, text, text, interval, float8, float8, text, float8, text, bigint, text) IS 'the lifetime value of customers: a row a customer with the chance of being active, expected orders, their value, what they are worth over the horizon and beyond, and how sure that is; the form for keys of any hashable type: key => NULL::uuid';

CREATE FUNCTION crm.clv_fit(
	source text DEFAULT NULL,
	model text DEFAULT 'auto',
	as_of timestamptz DEFAULT pg_catalog.now(),
	spend text DEFAULT 'gamma_gamma',
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net',
	level float8 DEFAULT 0.9,
	penalty float8 DEFAULT 0,
	seed bigint DEFAULT 42
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
AS 'MODULE_PATHNAME', 'crm_clv_fit_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION crm.clv_fit(text, text, timestamptz, text, interval, text, float8, float8, bigint) IS 'the models of orders and spend that crm.clv uses: parameters with errors and intervals, likelihood, how the fit went, and the model itself for crm.model and the argument fitted';

CREATE FUNCTION crm.clv_fit(
	key anyelement,
	model text DEFAULT 'auto',
	as_of timestamptz DEFAULT pg_catalog.now(),
	spend text DEFAULT 'gamma_gamma',
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net',
	level float8 DEFAULT 0.9,
	penalty float8 DEFAULT 0,
	seed bigint DEFAULT 42,
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
AS 'MODULE_PATHNAME', 'crm_clv_fit_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION crm.clv_fit(anyelement, text, timestamptz, text, interval, text, float8, float8, bigint, text) IS 'the models of orders and spend that crm.clv uses: parameters with errors and intervals, likelihood, how the fit went, and the model itself for crm.model and the argument fitted; the form for keys of any hashable type: key => NULL::uuid';
