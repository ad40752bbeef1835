-- churn_backtest: churn scores of the past held against who churned.

CREATE FUNCTION crm.churn_backtest(
	source text DEFAULT NULL,
	cuts timestamptz[] DEFAULT NULL,
	horizon interval DEFAULT '90 days',
	methods text[] DEFAULT NULL,
	as_of timestamptz DEFAULT NULL,
	features text DEFAULT NULL,
	label text DEFAULT NULL,
	seed bigint DEFAULT 42
) RETURNS TABLE (
	cut timestamptz,
	method text,
	customers bigint,
	churners bigint,
	base_rate float8,
	auc float8,
	auc_error float8,
	log_loss float8,
	brier float8,
	calibration_slope float8,
	calibration_intercept float8,
	medium_precision float8,
	medium_recall float8,
	high_precision float8,
	high_recall float8,
	top_decile_lift float8,
	method_used text,
	learnt_rows bigint,
	learnt_churners bigint,
	status text
)
AS 'MODULE_PATHNAME', 'crm_churn_backtest_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 16;
COMMENT ON FUNCTION crm.churn_backtest(text, timestamptz[], interval, text[], timestamptz, text, text, bigint) IS 'the methods of crm.churn as of cuts in the past, each fitted to what was known then and held against who churned, beside the base rate';

CREATE FUNCTION crm.churn_backtest(
	key anyelement,
	cuts timestamptz[] DEFAULT NULL,
	horizon interval DEFAULT '90 days',
	methods text[] DEFAULT NULL,
	as_of timestamptz DEFAULT NULL,
	features text DEFAULT NULL,
	label text DEFAULT NULL,
	seed bigint DEFAULT 42,
	source text DEFAULT NULL
) RETURNS TABLE (
	cut timestamptz,
	method text,
	customers bigint,
	churners bigint,
	base_rate float8,
	auc float8,
	auc_error float8,
	log_loss float8,
	brier float8,
	calibration_slope float8,
	calibration_intercept float8,
	medium_precision float8,
	medium_recall float8,
	high_precision float8,
	high_recall float8,
	top_decile_lift float8,
	method_used text,
	learnt_rows bigint,
	learnt_churners bigint,
	status text
)
AS 'MODULE_PATHNAME', 'crm_churn_backtest_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 16;
COMMENT ON FUNCTION crm.churn_backtest(anyelement, timestamptz[], interval, text[], timestamptz, text, text, bigint, text) IS 'the methods of crm.churn as of cuts in the past, each fitted to what was known then and held against who churned, beside the base rate; the form for keys of any hashable type: key => NULL::uuid';

CREATE FUNCTION crm.churn_gains(
	source text DEFAULT NULL,
	cut timestamptz DEFAULT NULL,
	horizon interval DEFAULT '90 days',
	method text DEFAULT 'auto',
	as_of timestamptz DEFAULT NULL,
	features text DEFAULT NULL,
	label text DEFAULT NULL,
	seed bigint DEFAULT 42
) RETURNS TABLE (
	cut_at timestamptz,
	method_used text,
	decile integer,
	customers bigint,
	churners float8,
	mean_predicted float8,
	churn_rate float8,
	lift float8,
	total_share float8,
	total_lift float8,
	status text
)
AS 'MODULE_PATHNAME', 'crm_churn_gains_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION crm.churn_gains(text, timestamptz, interval, text, timestamptz, text, text, bigint) IS 'customers at a cut in the past by deciles of their chance of churn: who churned, the lift, and what was predicted';

CREATE FUNCTION crm.churn_gains(
	key anyelement,
	cut timestamptz DEFAULT NULL,
	horizon interval DEFAULT '90 days',
	method text DEFAULT 'auto',
	as_of timestamptz DEFAULT NULL,
	features text DEFAULT NULL,
	label text DEFAULT NULL,
	seed bigint DEFAULT 42,
	source text DEFAULT NULL
) RETURNS TABLE (
	cut_at timestamptz,
	method_used text,
	decile integer,
	customers bigint,
	churners float8,
	mean_predicted float8,
	churn_rate float8,
	lift float8,
	total_share float8,
	total_lift float8,
	status text
)
AS 'MODULE_PATHNAME', 'crm_churn_gains_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION crm.churn_gains(anyelement, timestamptz, interval, text, timestamptz, text, text, bigint, text) IS 'customers at a cut in the past by deciles of their chance of churn: who churned, the lift, and what was predicted; the form for keys of any hashable type: key => NULL::uuid';
