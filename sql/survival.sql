-- survival: how long customers stay, by subscriptions of whom some have not ended.

CREATE FUNCTION crm.survival_curve(
	source text,
	group_by text DEFAULT NULL,
	interval_type text DEFAULT 'log-log',
	level float8 DEFAULT 0.95,
	as_of timestamptz DEFAULT pg_catalog.now(),
	unit text DEFAULT 'day',
	entry text DEFAULT NULL,
	horizon float8 DEFAULT NULL
) RETURNS TABLE (
	"group" text,
	"time" float8,
	at_risk bigint,
	events bigint,
	censored bigint,
	survival float8,
	standard_error float8,
	survival_low float8,
	survival_high float8,
	median float8,
	median_low float8,
	median_high float8,
	restricted_mean float8,
	restricted_mean_error float8,
	restricted_to float8,
	group_rows bigint,
	group_events bigint,
	n_rows bigint,
	n_used bigint,
	n_skipped bigint
)
AS 'MODULE_PATHNAME', 'crm_survival_curve_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1000;
COMMENT ON FUNCTION crm.survival_curve(text, text, text, float8, timestamptz, text, text, float8) IS 'share of customers who stay longer than a time (Kaplan-Meier) with interval: a row a group and time, and each group''s median and restricted mean';

CREATE FUNCTION crm.nelson_aalen(
	source text,
	group_by text DEFAULT NULL,
	level float8 DEFAULT 0.95,
	as_of timestamptz DEFAULT pg_catalog.now(),
	unit text DEFAULT 'day',
	entry text DEFAULT NULL
) RETURNS TABLE (
	"group" text,
	"time" float8,
	at_risk bigint,
	events bigint,
	censored bigint,
	cumulative_hazard float8,
	standard_error float8,
	hazard_low float8,
	hazard_high float8
)
AS 'MODULE_PATHNAME', 'crm_nelson_aalen_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1000;
COMMENT ON FUNCTION crm.nelson_aalen(text, text, float8, timestamptz, text, text) IS 'cumulative hazard of leaving up to a time (Nelson-Aalen) with interval: a row a group and time';

CREATE FUNCTION crm.logrank(
	source text,
	group_by text,
	as_of timestamptz DEFAULT pg_catalog.now(),
	unit text DEFAULT 'day',
	entry text DEFAULT NULL
) RETURNS TABLE (
	"group" text,
	n bigint,
	events bigint,
	expected float8,
	chi_squared float8,
	degrees_of_freedom integer,
	p_value float8
)
AS 'MODULE_PATHNAME', 'crm_logrank_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION crm.logrank(text, text, timestamptz, text, text) IS 'whether groups of customers leave alike (log-rank test): a row a group with the leavings observed and expected, and the test';
