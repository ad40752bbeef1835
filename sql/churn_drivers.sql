-- churn_drivers: what goes with churn, from orders or from a table with a label.

CREATE FUNCTION crm.churn_drivers(
	source text DEFAULT NULL,
	as_of timestamptz DEFAULT NULL,
	horizon interval DEFAULT '90 days',
	features text DEFAULT NULL,
	label text DEFAULT NULL,
	cuts timestamptz[] DEFAULT NULL,
	penalty float8 DEFAULT 0,
	label_column text DEFAULT NULL,
	feature_columns text[] DEFAULT NULL
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
	importance float8,
	variance_inflation float8,
	dropped text,
	separates boolean,
	n_rows bigint,
	n_used bigint,
	n_skipped bigint,
	n_missing bigint,
	n_churned bigint,
	n_cuts integer,
	deviance float8,
	null_deviance float8,
	converged boolean,
	status text
)
AS 'MODULE_PATHNAME', 'crm_churn_drivers_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 12;
COMMENT ON FUNCTION crm.churn_drivers(text, timestamptz, interval, text, text, timestamptz[], float8, text, text[]) IS 'logistic regression of churn on what was known of customers at cuts in the past, or of a table''s label on its other columns: a row a coefficient with error, odds ratio, importance and variance inflation';

CREATE FUNCTION crm.churn_drivers(
	key anyelement,
	as_of timestamptz DEFAULT NULL,
	horizon interval DEFAULT '90 days',
	features text DEFAULT NULL,
	label text DEFAULT NULL,
	cuts timestamptz[] DEFAULT NULL,
	penalty float8 DEFAULT 0,
	label_column text DEFAULT NULL,
	feature_columns text[] DEFAULT NULL,
	source text DEFAULT NULL
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
	importance float8,
	variance_inflation float8,
	dropped text,
	separates boolean,
	n_rows bigint,
	n_used bigint,
	n_skipped bigint,
	n_missing bigint,
	n_churned bigint,
	n_cuts integer,
	deviance float8,
	null_deviance float8,
	converged boolean,
	status text
)
AS 'MODULE_PATHNAME', 'crm_churn_drivers_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 12;
COMMENT ON FUNCTION crm.churn_drivers(anyelement, timestamptz, interval, text, text, timestamptz[], float8, text, text[], text) IS 'logistic regression of churn on what was known of customers at cuts in the past, or of a table''s label on its other columns: a row a coefficient with error, odds ratio, importance and variance inflation; the form for keys of any hashable type: key => NULL::uuid';
