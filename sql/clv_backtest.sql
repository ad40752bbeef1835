-- clv_backtest: lifetime value held against what customers did.

CREATE FUNCTION crm.clv_backtest(
	source text,
	cut_at timestamptz,
	holdout interval,
	models text[] DEFAULT '{bgnbd,mbgnbd,paretonbd}',
	spend text DEFAULT 'gamma_gamma',
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net',
	seed bigint DEFAULT 42,
	level float8 DEFAULT 0.9
) RETURNS TABLE (
	model text,
	customers bigint,
	mae float8,
	rmse float8,
	bias float8,
	rank_correlation float8,
	top_decile_found float8,
	predicted_orders float8,
	actual_orders float8,
	predicted_value float8,
	actual_value float8,
	interval_coverage float8,
	interval_expected float8,
	status text
)
AS 'MODULE_PATHNAME', 'crm_clv_backtest_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 5;
COMMENT ON FUNCTION crm.clv_backtest(text, timestamptz, interval, text[], text, interval, text, bigint, float8) IS 'models fitted to the orders up to a cut and held against those after it, with two naive forecasts to beat';

CREATE FUNCTION crm.clv_backtest(
	key anyelement,
	cut_at timestamptz,
	holdout interval,
	models text[] DEFAULT '{bgnbd,mbgnbd,paretonbd}',
	spend text DEFAULT 'gamma_gamma',
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net',
	seed bigint DEFAULT 42,
	level float8 DEFAULT 0.9,
	source text DEFAULT NULL
) RETURNS TABLE (
	model text,
	customers bigint,
	mae float8,
	rmse float8,
	bias float8,
	rank_correlation float8,
	top_decile_found float8,
	predicted_orders float8,
	actual_orders float8,
	predicted_value float8,
	actual_value float8,
	interval_coverage float8,
	interval_expected float8,
	status text
)
AS 'MODULE_PATHNAME', 'crm_clv_backtest_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 5;
COMMENT ON FUNCTION crm.clv_backtest(anyelement, timestamptz, interval, text[], text, interval, text, bigint, float8, text) IS 'models fitted to the orders up to a cut and held against those after it, with two naive forecasts to beat; the form for keys of any hashable type: key => NULL::uuid';

CREATE FUNCTION crm.clv_calibration(
	source text,
	cut_at timestamptz,
	holdout interval,
	model text DEFAULT 'auto',
	spend text DEFAULT 'gamma_gamma',
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net',
	seed bigint DEFAULT 42
) RETURNS TABLE (
	grouped_by text,
	number integer,
	customers bigint,
	predicted_orders float8,
	actual_orders float8,
	predicted_value float8,
	actual_value float8
)
AS 'MODULE_PATHNAME', 'crm_clv_calibration_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 18;
COMMENT ON FUNCTION crm.clv_calibration(text, timestamptz, interval, text, text, interval, text, bigint) IS 'predicted against actual orders and value after a cut, a mean a customer, by decile of the prediction and by x';

CREATE FUNCTION crm.clv_calibration(
	key anyelement,
	cut_at timestamptz,
	holdout interval,
	model text DEFAULT 'auto',
	spend text DEFAULT 'gamma_gamma',
	period interval DEFAULT '1 day',
	refunds text DEFAULT 'net',
	seed bigint DEFAULT 42,
	source text DEFAULT NULL
) RETURNS TABLE (
	grouped_by text,
	number integer,
	customers bigint,
	predicted_orders float8,
	actual_orders float8,
	predicted_value float8,
	actual_value float8
)
AS 'MODULE_PATHNAME', 'crm_clv_calibration_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 18;
COMMENT ON FUNCTION crm.clv_calibration(anyelement, timestamptz, interval, text, text, interval, text, bigint, text) IS 'predicted against actual orders and value after a cut, a mean a customer, by decile of the prediction and by x; the form for keys of any hashable type: key => NULL::uuid';
