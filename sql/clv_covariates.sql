-- clv_covariates: lifetime value whose rates depend on what is known of a customer.

CREATE FUNCTION crm.clv_covariates(
	source text,
	covariates text,
	purchase text[] DEFAULT NULL,
	dropout text[] DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net',
	penalty float8 DEFAULT 0,
	level float8 DEFAULT 0.9
) RETURNS TABLE (
	"position" integer,
	process text,
	term text,
	estimate float8,
	standard_error float8,
	z float8,
	p_value float8,
	low float8,
	high float8,
	multiplier float8,
	dropped text,
	process_chi_squared float8,
	process_df integer,
	process_p_value float8,
	log_likelihood float8,
	null_log_likelihood float8,
	chi_squared float8,
	df integer,
	model_p_value float8,
	aic float8,
	bic float8,
	n bigint,
	n_used bigint,
	n_skipped bigint,
	iterations integer,
	gradient_norm float8,
	converged boolean,
	status text,
	message text
)
AS 'MODULE_PATHNAME', 'crm_clv_covariates_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION crm.clv_covariates(text, text, text[], text[], timestamptz, interval, text, float8, float8) IS 'Pareto/NBD with covariates on the rates of purchase and of dropout: a row a coefficient with error, p-value and interval, likelihood-ratio tests, and the facts of the fit';

CREATE FUNCTION crm.clv_covariates(
	key anyelement,
	covariates text,
	purchase text[] DEFAULT NULL,
	dropout text[] DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net',
	penalty float8 DEFAULT 0,
	level float8 DEFAULT 0.9,
	source text DEFAULT NULL
) RETURNS TABLE (
	"position" integer,
	process text,
	term text,
	estimate float8,
	standard_error float8,
	z float8,
	p_value float8,
	low float8,
	high float8,
	multiplier float8,
	dropped text,
	process_chi_squared float8,
	process_df integer,
	process_p_value float8,
	log_likelihood float8,
	null_log_likelihood float8,
	chi_squared float8,
	df integer,
	model_p_value float8,
	aic float8,
	bic float8,
	n bigint,
	n_used bigint,
	n_skipped bigint,
	iterations integer,
	gradient_norm float8,
	converged boolean,
	status text,
	message text
)
AS 'MODULE_PATHNAME', 'crm_clv_covariates_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION crm.clv_covariates(anyelement, text, text[], text[], timestamptz, interval, text, float8, float8, text) IS 'Pareto/NBD with covariates on the rates of purchase and of dropout: a row a coefficient with error, p-value and interval, likelihood-ratio tests, and the facts of the fit; the form for keys of any hashable type: key => NULL::uuid';

CREATE FUNCTION crm.paretonbd_scale(parameter float8, coefficients float8[], covariates float8[]) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_paretonbd_scale_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.paretonbd_scale(float8, float8[], float8[]) IS 'alpha or beta of a customer with these covariates: parameter x exp(-(coefficients . covariates))';
