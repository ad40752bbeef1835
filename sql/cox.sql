-- cox: what makes customers leave sooner or later, by Cox's proportional hazards on subscriptions.

CREATE FUNCTION crm.cox_fit(
	source text,
	covariates text[],
	ties text DEFAULT 'efron',
	strata text DEFAULT NULL,
	entry text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	unit text DEFAULT 'day',
	transform text DEFAULT 'km',
	max_iterations integer DEFAULT 50,
	tolerance float8 DEFAULT 1e-10
) RETURNS TABLE (
	"position" integer,
	term text,
	estimate float8,
	standard_error float8,
	z float8,
	p_value float8,
	hazard_ratio float8,
	hazard_ratio_low float8,
	hazard_ratio_high float8,
	mean float8,
	standardised float8,
	dropped text,
	monotone boolean,
	proportional_chi_squared float8,
	proportional_p_value float8,
	n_rows bigint,
	n_used bigint,
	n_skipped bigint,
	n_events bigint,
	log_likelihood float8,
	null_log_likelihood float8,
	likelihood_ratio float8,
	likelihood_ratio_p_value float8,
	wald float8,
	score float8,
	degrees_of_freedom integer,
	concordance float8,
	concordance_error float8,
	global_chi_squared float8,
	global_p_value float8,
	iterations integer,
	converged boolean,
	status text,
	ties_used text,
	n_strata integer
)
AS 'MODULE_PATHNAME', 'crm_cox_fit_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION crm.cox_fit(text, text[], text, text, text, timestamptz, text, text, integer, float8) IS 'Cox regression of how long customers stay: a row a covariate with hazard ratio, error and test of proportionality, and the facts of the fit';

CREATE FUNCTION crm.cox_baseline(
	source text,
	covariates text[],
	ties text DEFAULT 'efron',
	strata text DEFAULT NULL,
	entry text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	unit text DEFAULT 'day',
	transform text DEFAULT 'km',
	max_iterations integer DEFAULT 50,
	tolerance float8 DEFAULT 1e-10
) RETURNS TABLE (
	stratum text,
	"time" float8,
	cumulative_hazard float8,
	survival float8
)
AS 'MODULE_PATHNAME', 'crm_cox_baseline_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1000;
COMMENT ON FUNCTION crm.cox_baseline(text, text[], text, text, text, timestamptz, text, text, integer, float8) IS 'the baseline of crm.cox_fit: a row a stratum and time with the cumulative hazard of a customer whose covariates are the means';

CREATE FUNCTION crm.cox_predict(
	times float8[],
	hazards float8[],
	coefficients float8[],
	means float8[],
	features float8[],
	at float8,
	since float8 DEFAULT 0
) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_cox_predict_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.cox_predict(float8[], float8[], float8[], float8[], float8[], float8, float8) IS 'the probability that a customer who has stayed until since stays beyond at, by crm.cox_fit and crm.cox_baseline';
