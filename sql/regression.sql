-- regression: logistic and linear regression over any numbers, and their predictions.

CREATE FUNCTION crm.logistic_fit(
	source text,
	label text,
	features text[] DEFAULT NULL,
	penalty float8 DEFAULT 0,
	l1_ratio float8 DEFAULT 0,
	class_weight text DEFAULT 'none',
	max_iterations integer DEFAULT 100,
	tolerance float8 DEFAULT 1e-10,
	weight text DEFAULT NULL
) RETURNS TABLE (
	"position" integer,
	term text,
	estimate float8,
	standard_error float8,
	z float8,
	p_value float8,
	odds_ratio float8,
	odds_ratio_low float8,
	odds_ratio_high float8,
	standardised float8,
	dropped text,
	separates boolean,
	n_rows bigint,
	n_used bigint,
	n_skipped bigint,
	n_yes bigint,
	deviance float8,
	null_deviance float8,
	log_likelihood float8,
	aic float8,
	iterations integer,
	converged boolean,
	status text
)
AS 'MODULE_PATHNAME', 'crm_logistic_fit_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION crm.logistic_fit(text, text, text[], float8, float8, text, integer, float8, text) IS 'logistic regression of a yes or no on numbers: a row a coefficient with error, p-value and odds ratio, and the facts of the fit';

CREATE FUNCTION crm.linear_fit(
	source text,
	response text,
	features text[] DEFAULT NULL,
	weight text DEFAULT NULL
) RETURNS TABLE (
	"position" integer,
	term text,
	estimate float8,
	standard_error float8,
	t float8,
	p_value float8,
	estimate_low float8,
	estimate_high float8,
	standardised float8,
	dropped text,
	n_rows bigint,
	n_used bigint,
	n_skipped bigint,
	r_squared float8,
	adjusted_r_squared float8,
	sigma float8,
	degrees_of_freedom float8,
	f float8,
	f_p_value float8,
	log_likelihood float8,
	aic float8
)
AS 'MODULE_PATHNAME', 'crm_linear_fit_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION crm.linear_fit(text, text, text[], text) IS 'linear regression of a number on numbers by least squares: a row a coefficient with error, p-value and interval, and the facts of the fit';

CREATE FUNCTION crm.logistic_predict(coefficients float8[], features float8[]) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_logistic_predict_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.logistic_predict(float8[], float8[]) IS 'the probability of a yes by coefficients of crm.logistic_fit, intercept first; a null coefficient counts as 0';

CREATE FUNCTION crm.linear_predict(coefficients float8[], features float8[]) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_linear_predict_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.linear_predict(float8[], float8[]) IS 'the number by coefficients of crm.linear_fit, intercept first; a null coefficient counts as 0';
