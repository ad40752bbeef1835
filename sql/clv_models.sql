-- clv_models: the toolkit of lifetime value: predictions from parameters, and fits of rows of the caller's own.

CREATE FUNCTION crm.bgnbd_p_alive(r float8, alpha float8, a float8, b float8, x float8, t_x float8, t float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_bgnbd_p_alive_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.bgnbd_p_alive(float8, float8, float8, float8, float8, float8, float8) IS 'the chance that a customer is still active, by BG/NBD';

CREATE FUNCTION crm.bgnbd_expected_orders(r float8, alpha float8, a float8, b float8, x float8, t_x float8, t float8, horizon float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_bgnbd_expected_orders_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.bgnbd_expected_orders(float8, float8, float8, float8, float8, float8, float8, float8) IS 'the orders expected of a customer in a horizon of so many periods, by BG/NBD';

CREATE FUNCTION crm.bgnbd_pmf(r float8, alpha float8, a float8, b float8, x float8, t float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_bgnbd_pmf_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.bgnbd_pmf(float8, float8, float8, float8, float8, float8) IS 'the chance that a new customer orders x times more in so many periods, by BG/NBD';

CREATE FUNCTION crm.mbgnbd_p_alive(r float8, alpha float8, a float8, b float8, x float8, t_x float8, t float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_mbgnbd_p_alive_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.mbgnbd_p_alive(float8, float8, float8, float8, float8, float8, float8) IS 'the chance that a customer is still active, by MBG/NBD';

CREATE FUNCTION crm.mbgnbd_expected_orders(r float8, alpha float8, a float8, b float8, x float8, t_x float8, t float8, horizon float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_mbgnbd_expected_orders_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.mbgnbd_expected_orders(float8, float8, float8, float8, float8, float8, float8, float8) IS 'the orders expected of a customer in a horizon of so many periods, by MBG/NBD';

CREATE FUNCTION crm.mbgnbd_pmf(r float8, alpha float8, a float8, b float8, x float8, t float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_mbgnbd_pmf_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.mbgnbd_pmf(float8, float8, float8, float8, float8, float8) IS 'the chance that a new customer orders x times more in so many periods, by MBG/NBD';

CREATE FUNCTION crm.paretonbd_p_alive(r float8, alpha float8, s float8, beta float8, x float8, t_x float8, t float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_paretonbd_p_alive_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.paretonbd_p_alive(float8, float8, float8, float8, float8, float8, float8) IS 'the chance that a customer is still active, by Pareto/NBD';

CREATE FUNCTION crm.paretonbd_expected_orders(r float8, alpha float8, s float8, beta float8, x float8, t_x float8, t float8, horizon float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_paretonbd_expected_orders_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.paretonbd_expected_orders(float8, float8, float8, float8, float8, float8, float8, float8) IS 'the orders expected of a customer in a horizon of so many periods, by Pareto/NBD';

CREATE FUNCTION crm.paretonbd_pmf(r float8, alpha float8, s float8, beta float8, x float8, t float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_paretonbd_pmf_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.paretonbd_pmf(float8, float8, float8, float8, float8, float8) IS 'the chance that a new customer orders x times more in so many periods, by Pareto/NBD';

CREATE FUNCTION crm.bgbb_p_alive(alpha float8, beta float8, gamma float8, delta float8, x float8, t_x float8, n float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_bgbb_p_alive_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.bgbb_p_alive(float8, float8, float8, float8, float8, float8, float8) IS 'the chance that a customer is still active, by BG/BB';

CREATE FUNCTION crm.bgbb_expected_orders(alpha float8, beta float8, gamma float8, delta float8, x float8, t_x float8, n float8, horizon float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_bgbb_expected_orders_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.bgbb_expected_orders(float8, float8, float8, float8, float8, float8, float8, float8) IS 'the orders expected of a customer in a horizon of so many periods, by BG/BB';

CREATE FUNCTION crm.bgbb_pmf(alpha float8, beta float8, gamma float8, delta float8, x float8, n float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_bgbb_pmf_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.bgbb_pmf(float8, float8, float8, float8, float8, float8) IS 'the chance that a new customer orders x times more in so many periods, by BG/BB';

CREATE FUNCTION crm.gamma_gamma_expected_value(p float8, q float8, v float8, x float8, mean float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_gamma_gamma_expected_value_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.gamma_gamma_expected_value(float8, float8, float8, float8, float8) IS 'the expected value of an order of a customer whose x repeat orders had that mean, by Gamma-Gamma';

CREATE FUNCTION crm.sbg_retention(alpha float8, beta float8, renewal float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_sbg_retention_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.sbg_retention(float8, float8, float8) IS 'the chance to renew at a renewal, 1 being the first, by the shifted beta-geometric model';

CREATE FUNCTION crm.sbg_survival(alpha float8, beta float8, renewals float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_sbg_survival_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.sbg_survival(float8, float8, float8) IS 'the chance that a new subscriber renews so many times, by the shifted beta-geometric model';

CREATE FUNCTION crm.sbg_expected_renewals(alpha float8, beta float8, renewals float8, horizon float8) RETURNS float8
AS 'MODULE_PATHNAME', 'crm_sbg_expected_renewals_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.sbg_expected_renewals(float8, float8, float8, float8) IS 'how many of the next renewals a subscriber who made some already is expected to make, by the shifted beta-geometric model';

CREATE FUNCTION crm._clv_fit_transition(internal, float8, float8) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_clv_fit_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._clv_fit_transition(internal, float8, float8) IS 'transition function of the fits of lifetime value models';

CREATE FUNCTION crm._clv_fit_transition(internal, float8, float8, float8) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_clv_fit_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._clv_fit_transition(internal, float8, float8, float8) IS 'transition function of the fits of lifetime value models';

CREATE FUNCTION crm._bgnbd_fit_final(internal) RETURNS jsonb
AS 'MODULE_PATHNAME', 'crm_bgnbd_fit_final_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._bgnbd_fit_final(internal) IS 'final function of crm.bgnbd_fit';

CREATE AGGREGATE crm.bgnbd_fit(x float8, t_x float8, t float8) (
	SFUNC = crm._clv_fit_transition,
	STYPE = internal,
	FINALFUNC = crm._bgnbd_fit_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.bgnbd_fit(float8, float8, float8) IS 'BG/NBD fitted to rows, as jsonb: parameters with errors, likelihood, status';

CREATE FUNCTION crm._mbgnbd_fit_final(internal) RETURNS jsonb
AS 'MODULE_PATHNAME', 'crm_mbgnbd_fit_final_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._mbgnbd_fit_final(internal) IS 'final function of crm.mbgnbd_fit';

CREATE AGGREGATE crm.mbgnbd_fit(x float8, t_x float8, t float8) (
	SFUNC = crm._clv_fit_transition,
	STYPE = internal,
	FINALFUNC = crm._mbgnbd_fit_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.mbgnbd_fit(float8, float8, float8) IS 'MBG/NBD fitted to rows, as jsonb: parameters with errors, likelihood, status';

CREATE FUNCTION crm._paretonbd_fit_final(internal) RETURNS jsonb
AS 'MODULE_PATHNAME', 'crm_paretonbd_fit_final_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._paretonbd_fit_final(internal) IS 'final function of crm.paretonbd_fit';

CREATE AGGREGATE crm.paretonbd_fit(x float8, t_x float8, t float8) (
	SFUNC = crm._clv_fit_transition,
	STYPE = internal,
	FINALFUNC = crm._paretonbd_fit_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.paretonbd_fit(float8, float8, float8) IS 'Pareto/NBD fitted to rows, as jsonb: parameters with errors, likelihood, status';

CREATE FUNCTION crm._bgbb_fit_final(internal) RETURNS jsonb
AS 'MODULE_PATHNAME', 'crm_bgbb_fit_final_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._bgbb_fit_final(internal) IS 'final function of crm.bgbb_fit';

CREATE AGGREGATE crm.bgbb_fit(x float8, t_x float8, n float8) (
	SFUNC = crm._clv_fit_transition,
	STYPE = internal,
	FINALFUNC = crm._bgbb_fit_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.bgbb_fit(float8, float8, float8) IS 'BG/BB fitted to rows, as jsonb: parameters with errors, likelihood, status';

CREATE FUNCTION crm._gamma_gamma_fit_final(internal) RETURNS jsonb
AS 'MODULE_PATHNAME', 'crm_gamma_gamma_fit_final_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._gamma_gamma_fit_final(internal) IS 'final function of crm.gamma_gamma_fit';

CREATE AGGREGATE crm.gamma_gamma_fit(x float8, mean float8) (
	SFUNC = crm._clv_fit_transition,
	STYPE = internal,
	FINALFUNC = crm._gamma_gamma_fit_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.gamma_gamma_fit(float8, float8) IS 'Gamma-Gamma fitted to rows, as jsonb: parameters with errors, likelihood, status';

CREATE FUNCTION crm._sbg_fit_final(internal) RETURNS jsonb
AS 'MODULE_PATHNAME', 'crm_sbg_fit_final_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._sbg_fit_final(internal) IS 'final function of crm.sbg_fit';

CREATE AGGREGATE crm.sbg_fit(renewals float8, lost float8) (
	SFUNC = crm._clv_fit_transition,
	STYPE = internal,
	FINALFUNC = crm._sbg_fit_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.sbg_fit(float8, float8) IS 'the shifted beta-geometric model fitted to rows, as jsonb: parameters with errors, likelihood, status';
