/*
 * clv_models.c: the toolkit of lifetime value: scalars that predict from a model's parameters, and
 * aggregates that fit a model to rows of the caller's own.
 */
#include "pg/compat.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "kernel/bgbb.h"
#include "kernel/bgnbd.h"
#include "kernel/clv.h"
#include "kernel/clv_fit.h"
#include "kernel/gammagamma.h"
#include "kernel/paretonbd.h"
#include "kernel/sbg.h"
#include "pg/args.h"
#include "pg/memory.h"
#include "pg/model.h"

#define MODEL_VERSION 1

/* ---- scalars ----------------------------------------------------------------------------- */

/* Raise the error for an argument that a model cannot have; the reason is a sentence's end. */
static _Noreturn void
refuse(const char *reason)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", reason));
	pg_unreachable();
}

/* Give argument i, a float8 above zero that is finite. */
static double
get_parameter(FunctionCallInfo fcinfo, int i, const char *name)
{
	double value = PG_GETARG_FLOAT8(i);

	if (!(value > 0.0 && value <= 1e9))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be above 0 and at most 1e+09", name),
				errdetail("Got %g.", value));
	return value;
}

/* Read the four parameters of a model, the first arguments. */
static void
get_parameters(FunctionCallInfo fcinfo, CrmClvKind kind, double *theta)
{
	const char *const *names;
	int n = crm_clv_parameters(kind, &names);

	for (int i = 0; i < n; i++)
		theta[i] = get_parameter(fcinfo, i, names[i]);
}

/* Check the customer that arguments 4 to 6 describe. */
static void
check_customer(CrmClvKind kind, double x, double t_x, double t)
{
	const char *reason = crm_btyd_check(x, t_x, t);

	if (reason == NULL && kind == CRM_CLV_BGBB && !crm_bgbb_is_possible(x, t_x, t))
		reason = "x, t_x and n must be whole numbers with x <= t_x <= n, n at most 1000000";
	if (reason != NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", reason),
				errdetail("Got x %g, t_x %g, t %g.", x, t_x, t));
}

/* Give argument i, a horizon. */
static double
get_horizon(FunctionCallInfo fcinfo, int i, const char *name)
{
	double value = PG_GETARG_FLOAT8(i);

	if (!(value >= 0.0 && value <= 1e6))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be between 0 and 1e+06 periods", name),
				errdetail("Got %g.", value));
	return value;
}

/* Give P(alive) from four parameters, x, t_x and t. */
static Datum
tell_p_alive(FunctionCallInfo fcinfo, CrmClvKind kind)
{
	double theta[CRM_CLV_PARAMETERS];
	double x = PG_GETARG_FLOAT8(4), t_x = PG_GETARG_FLOAT8(5), t = PG_GETARG_FLOAT8(6);

	get_parameters(fcinfo, kind, theta);
	check_customer(kind, x, t_x, t);
	PG_RETURN_FLOAT8(crm_clv_p_alive(kind, theta, x, t_x, t));
}

/* Give the expected orders in a horizon, argument 7. */
static Datum
tell_expected(FunctionCallInfo fcinfo, CrmClvKind kind)
{
	double theta[CRM_CLV_PARAMETERS];
	double x = PG_GETARG_FLOAT8(4), t_x = PG_GETARG_FLOAT8(5), t = PG_GETARG_FLOAT8(6);
	double horizon = get_horizon(fcinfo, 7, "horizon");

	get_parameters(fcinfo, kind, theta);
	check_customer(kind, x, t_x, t);
	PG_RETURN_FLOAT8(crm_clv_p_alive(kind, theta, x, t_x, t) *
					 crm_clv_orders_if_alive(kind, theta, x, t, horizon));
}

/* Give the chance that a new customer orders x times more, argument 4, in t periods, argument 5. */
static Datum
tell_pmf(FunctionCallInfo fcinfo, CrmClvKind kind)
{
	double theta[CRM_CLV_PARAMETERS];
	double x = PG_GETARG_FLOAT8(4), t = get_horizon(fcinfo, 5, "t");

	get_parameters(fcinfo, kind, theta);
	if (!(x >= 0.0 && x <= 1e6) || x != floor(x))
		refuse("x must be a whole number between 0 and 1000000");
	if (kind == CRM_CLV_BGBB && t != floor(t))
		refuse("n must be a whole number");
	PG_RETURN_FLOAT8(crm_clv_pmf(kind, theta, x, t));
}

PG_FUNCTION_INFO_V1(crm_bgnbd_p_alive_1_0);
/* crm.bgnbd_p_alive(r, alpha, a, b, x, t_x, t) -> float8 */
Datum
crm_bgnbd_p_alive_1_0(PG_FUNCTION_ARGS)
{
	return tell_p_alive(fcinfo, CRM_CLV_BGNBD);
}

PG_FUNCTION_INFO_V1(crm_bgnbd_expected_orders_1_0);
/* crm.bgnbd_expected_orders(r, alpha, a, b, x, t_x, t, horizon) -> float8 */
Datum
crm_bgnbd_expected_orders_1_0(PG_FUNCTION_ARGS)
{
	return tell_expected(fcinfo, CRM_CLV_BGNBD);
}

PG_FUNCTION_INFO_V1(crm_bgnbd_pmf_1_0);
/* crm.bgnbd_pmf(r, alpha, a, b, x, t) -> float8 */
Datum
crm_bgnbd_pmf_1_0(PG_FUNCTION_ARGS)
{
	return tell_pmf(fcinfo, CRM_CLV_BGNBD);
}

PG_FUNCTION_INFO_V1(crm_mbgnbd_p_alive_1_0);
/* crm.mbgnbd_p_alive(r, alpha, a, b, x, t_x, t) -> float8 */
Datum
crm_mbgnbd_p_alive_1_0(PG_FUNCTION_ARGS)
{
	return tell_p_alive(fcinfo, CRM_CLV_MBGNBD);
}

PG_FUNCTION_INFO_V1(crm_mbgnbd_expected_orders_1_0);
/* crm.mbgnbd_expected_orders(r, alpha, a, b, x, t_x, t, horizon) -> float8 */
Datum
crm_mbgnbd_expected_orders_1_0(PG_FUNCTION_ARGS)
{
	return tell_expected(fcinfo, CRM_CLV_MBGNBD);
}

PG_FUNCTION_INFO_V1(crm_mbgnbd_pmf_1_0);
/* crm.mbgnbd_pmf(r, alpha, a, b, x, t) -> float8 */
Datum
crm_mbgnbd_pmf_1_0(PG_FUNCTION_ARGS)
{
	return tell_pmf(fcinfo, CRM_CLV_MBGNBD);
}

PG_FUNCTION_INFO_V1(crm_paretonbd_p_alive_1_0);
/* crm.paretonbd_p_alive(r, alpha, s, beta, x, t_x, t) -> float8 */
Datum
crm_paretonbd_p_alive_1_0(PG_FUNCTION_ARGS)
{
	return tell_p_alive(fcinfo, CRM_CLV_PARETONBD);
}

PG_FUNCTION_INFO_V1(crm_paretonbd_expected_orders_1_0);
/* crm.paretonbd_expected_orders(r, alpha, s, beta, x, t_x, t, horizon) -> float8 */
Datum
crm_paretonbd_expected_orders_1_0(PG_FUNCTION_ARGS)
{
	return tell_expected(fcinfo, CRM_CLV_PARETONBD);
}

PG_FUNCTION_INFO_V1(crm_paretonbd_pmf_1_0);
/* crm.paretonbd_pmf(r, alpha, s, beta, x, t) -> float8 */
Datum
crm_paretonbd_pmf_1_0(PG_FUNCTION_ARGS)
{
	return tell_pmf(fcinfo, CRM_CLV_PARETONBD);
}

PG_FUNCTION_INFO_V1(crm_bgbb_p_alive_1_0);
/* crm.bgbb_p_alive(alpha, beta, gamma, delta, x, t_x, n) -> float8: at opportunity n + 1 */
Datum
crm_bgbb_p_alive_1_0(PG_FUNCTION_ARGS)
{
	return tell_p_alive(fcinfo, CRM_CLV_BGBB);
}

PG_FUNCTION_INFO_V1(crm_bgbb_expected_orders_1_0);
/* crm.bgbb_expected_orders(alpha, beta, gamma, delta, x, t_x, n, horizon) -> float8 */
Datum
crm_bgbb_expected_orders_1_0(PG_FUNCTION_ARGS)
{
	return tell_expected(fcinfo, CRM_CLV_BGBB);
}

PG_FUNCTION_INFO_V1(crm_bgbb_pmf_1_0);
/* crm.bgbb_pmf(alpha, beta, gamma, delta, x, n) -> float8 */
Datum
crm_bgbb_pmf_1_0(PG_FUNCTION_ARGS)
{
	return tell_pmf(fcinfo, CRM_CLV_BGBB);
}

PG_FUNCTION_INFO_V1(crm_gamma_gamma_expected_value_1_0);
/* crm.gamma_gamma_expected_value(p, q, v, x, mean) -> float8 */
Datum
crm_gamma_gamma_expected_value_1_0(PG_FUNCTION_ARGS)
{
	CrmGammaGamma model = {get_parameter(fcinfo, 0, "p"), get_parameter(fcinfo, 1, "q"),
						   get_parameter(fcinfo, 2, "v")};
	double x = PG_GETARG_FLOAT8(3), mean = PG_GETARG_FLOAT8(4);

	if (!(model.q > 1.0))
		refuse("q must be above 1: else the mean does not exist");
	if (!(x >= 0.0 && x <= CRM_BTYD_MAX_X))
		refuse("x must be between 0 and 1000000000");
	if (x > 0.0 && !(mean > 0.0 && mean <= CRM_BTYD_MAX_TIME))
		refuse("mean must be above 0 when x is");
	PG_RETURN_FLOAT8(crm_gammagamma_expected_value(&model, x, x > 0.0 ? mean : 0.0));
}

/* Read alpha and beta of sBG, the first arguments. */
static CrmSbgModel
get_sbg(FunctionCallInfo fcinfo)
{
	return (CrmSbgModel){get_parameter(fcinfo, 0, "alpha"), get_parameter(fcinfo, 1, "beta")};
}

PG_FUNCTION_INFO_V1(crm_sbg_retention_1_0);
/* crm.sbg_retention(alpha, beta, renewal) -> float8 */
Datum
crm_sbg_retention_1_0(PG_FUNCTION_ARGS)
{
	CrmSbgModel model = get_sbg(fcinfo);
	double renewal = get_horizon(fcinfo, 2, "renewal");

	if (renewal < 1.0)
		refuse("renewal must be at least 1");
	PG_RETURN_FLOAT8(crm_sbg_retention(&model, renewal));
}

PG_FUNCTION_INFO_V1(crm_sbg_survival_1_0);
/* crm.sbg_survival(alpha, beta, renewals) -> float8 */
Datum
crm_sbg_survival_1_0(PG_FUNCTION_ARGS)
{
	CrmSbgModel model = get_sbg(fcinfo);

	PG_RETURN_FLOAT8(crm_sbg_survival(&model, 0.0, get_horizon(fcinfo, 2, "renewals")));
}

PG_FUNCTION_INFO_V1(crm_sbg_expected_renewals_1_0);
/* crm.sbg_expected_renewals(alpha, beta, renewals, horizon) -> float8 */
Datum
crm_sbg_expected_renewals_1_0(PG_FUNCTION_ARGS)
{
	CrmSbgModel model = get_sbg(fcinfo);
	double from = get_horizon(fcinfo, 2, "renewals");

	PG_RETURN_FLOAT8(crm_sbg_renewals(&model, from, get_horizon(fcinfo, 3, "horizon"), 0.0));
}

/* ---- fits -------------------------------------------------------------------------------- */

/* Rows that are collected and then fitted, in a memory context of their own. */
typedef struct Rows
{
	MemoryContext memory;
	CrmCtx ctx;
	int columns;
	int64 read; /* that came, those with a null included */
	size_t n, room;
	double *column[3];
} Rows;

/* Make room for another row. */
static void
grow_rows(Rows *rows)
{
	size_t room = rows->room == 0 ? 256 : 2 * rows->room;

	for (int c = 0; c < rows->columns; c++)
	{
		double *grown = crm_memory_resize(&rows->ctx, rows->column[c], rows->room * sizeof(double),
										  room * sizeof(double));

		if (grown == NULL)
			crm_memory_error(rows->ctx.used + (room - rows->room) * sizeof(double), &rows->ctx,
							 "the fit", psprintf("%zu rows.", rows->n), "collapse equal rows");
		rows->column[c] = grown;
	}
	rows->room = room;
}

PG_FUNCTION_INFO_V1(crm_clv_fit_transition_1_0);
/* crm._clv_fit_transition(internal, float8, float8 [, float8]) -> internal: collects a row */
Datum
crm_clv_fit_transition_1_0(PG_FUNCTION_ARGS)
{
	Rows *rows = PG_ARGISNULL(0) ? NULL : (Rows *) PG_GETARG_POINTER(0);
	MemoryContext context;

	context = crm_aggregate_context(fcinfo);
	if (rows == NULL)
	{
		CrmCtx ctx;
		MemoryContext memory = crm_memory_begin(&ctx, context, "crm lifetime value fit");

		rows = MemoryContextAllocZero(memory, sizeof(Rows));
		rows->memory = memory;
		rows->ctx = ctx;
		rows->columns = PG_NARGS() - 1;
	}
	rows->read++;
	for (int c = 0; c < rows->columns; c++)
		if (PG_ARGISNULL(1 + c))
			PG_RETURN_POINTER(rows);
	if (rows->columns == 3)
		check_customer(CRM_CLV_BGNBD, PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2),
					   PG_GETARG_FLOAT8(3));
	if (rows->n == rows->room)
		grow_rows(rows);
	for (int c = 0; c < rows->columns; c++)
		rows->column[c][rows->n] = PG_GETARG_FLOAT8(1 + c);
	rows->n++;
	PG_RETURN_POINTER(rows);
}

/* Give a fit as jsonb; numbers that are not known are left out. */
static Datum
make_json(const char *model, const char *const *names, const CrmFit *fit, const Rows *rows)
{
	StringInfoData json;

	initStringInfo(&json);
	crm_model_put(&json, "model", "\"%s\"", model);
	crm_model_put(&json, "version", "%d", MODEL_VERSION);
	for (int i = 0; i < fit->n; i++)
		crm_model_put_number(&json, names[i], fit->parameter[i]);
	for (int i = 0; i < fit->n; i++)
		if (isfinite(fit->error[i]))
			crm_model_put_number(&json, psprintf("%s_error", names[i]), fit->error[i]);
	if (fit->n > 0)
	{
		crm_model_put_number(&json, "log_likelihood", fit->log_likelihood);
		crm_model_put_number(&json, "aic", fit->aic);
		crm_model_put_number(&json, "bic", fit->bic);
		crm_model_put_number(&json, "gradient_norm", fit->gradient_norm);
	}
	crm_model_put(&json, "iterations", "%d", fit->iterations);
	crm_model_put(&json, "converged", "%s",
				  fit->status == CRM_FIT_CONVERGED || fit->status == CRM_FIT_AT_BOUND ? "true"
																					  : "false");
	crm_model_put(&json, "status", "\"%s\"", crm_fit_status_word(fit->status));
	crm_model_put(&json, "n_rows", "%lld", (long long) rows->read);
	crm_model_put(&json, "n_used", "%zu", rows->n);
	return crm_model_finish(&json);
}

/* Fit a model of orders to the rows; NULL without a row. */
static Datum
finish_orders(FunctionCallInfo fcinfo, CrmClvKind kind, const char *model)
{
	Rows *rows = PG_ARGISNULL(0) ? NULL : (Rows *) PG_GETARG_POINTER(0);
	CrmClvFitParam param = {.kind = kind};
	const char *const *names;
	CrmBtydData data;
	CrmClvFit fit;
	Datum json;

	if (rows == NULL || rows->n == 0)
		PG_RETURN_NULL();
	data = (CrmBtydData){
		.x = rows->column[0], .t_x = rows->column[1], .t = rows->column[2], .n = rows->n};
	for (size_t i = 0; i < rows->n && kind == CRM_CLV_BGBB; i++)
		check_customer(kind, data.x[i], data.t_x[i], data.t[i]);
	crm_memory_check(crm_clv_fit(&rows->ctx, &data, &param, &fit), &rows->ctx, model, NULL);
	(void) crm_clv_parameters(kind, &names);
	json = make_json(model, names, &fit.fit, rows);
	MemoryContextDelete(rows->memory);
	PG_RETURN_DATUM(json);
}

PG_FUNCTION_INFO_V1(crm_bgnbd_fit_final_1_0);
/* crm._bgnbd_fit_final(internal) -> jsonb */
Datum
crm_bgnbd_fit_final_1_0(PG_FUNCTION_ARGS)
{
	return finish_orders(fcinfo, CRM_CLV_BGNBD, "bgnbd");
}

PG_FUNCTION_INFO_V1(crm_mbgnbd_fit_final_1_0);
/* crm._mbgnbd_fit_final(internal) -> jsonb */
Datum
crm_mbgnbd_fit_final_1_0(PG_FUNCTION_ARGS)
{
	return finish_orders(fcinfo, CRM_CLV_MBGNBD, "mbgnbd");
}

PG_FUNCTION_INFO_V1(crm_paretonbd_fit_final_1_0);
/* crm._paretonbd_fit_final(internal) -> jsonb */
Datum
crm_paretonbd_fit_final_1_0(PG_FUNCTION_ARGS)
{
	return finish_orders(fcinfo, CRM_CLV_PARETONBD, "paretonbd");
}

PG_FUNCTION_INFO_V1(crm_bgbb_fit_final_1_0);
/* crm._bgbb_fit_final(internal) -> jsonb */
Datum
crm_bgbb_fit_final_1_0(PG_FUNCTION_ARGS)
{
	return finish_orders(fcinfo, CRM_CLV_BGBB, "bgbb");
}

/* Keep the rows with a repeat transaction and a mean above zero; an error for what cannot be. */
static void
keep_spenders(Rows *rows)
{
	size_t kept = 0;

	for (size_t i = 0; i < rows->n; i++)
	{
		double x = rows->column[0][i], mean = rows->column[1][i];
		bool is_left_out = x == 0.0 || mean <= 0.0;
		const char *reason = crm_gammagamma_check_row(x == 0.0 ? 1.0 : x, is_left_out ? 1.0 : mean);

		if (reason != NULL)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", reason),
					errdetail("Got x %g, mean %g.", x, mean));
		rows->column[0][kept] = x;
		rows->column[1][kept] = mean;
		kept += !is_left_out;
	}
	rows->n = kept;
}

PG_FUNCTION_INFO_V1(crm_gamma_gamma_fit_final_1_0);
/* crm._gamma_gamma_fit_final(internal) -> jsonb */
Datum
crm_gamma_gamma_fit_final_1_0(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"p", "q", "v"};
	Rows *rows = PG_ARGISNULL(0) ? NULL : (Rows *) PG_GETARG_POINTER(0);
	CrmClvSpendData data;
	CrmClvModel model;
	CrmFit fit;
	Datum json;

	if (rows == NULL || rows->n == 0)
		PG_RETURN_NULL();
	keep_spenders(rows);
	data = (CrmClvSpendData){
		.x = rows->column[0], .mean = rows->column[1], .mean_each = rows->column[1], .n = rows->n};
	crm_memory_check(crm_clv_fit_spend(&rows->ctx, &data, CRM_CLV_GAMMA_GAMMA, &model, &fit),
					 &rows->ctx, "gamma-gamma", NULL);
	if (fit.n == 0)
		fit.status = CRM_FIT_INSUFFICIENT;
	json = make_json("gamma_gamma", names, &fit, rows);
	MemoryContextDelete(rows->memory);
	PG_RETURN_DATUM(json);
}

PG_FUNCTION_INFO_V1(crm_sbg_fit_final_1_0);
/* crm._sbg_fit_final(internal) -> jsonb: rows are (renewals, lost), a subscriber each */
Datum
crm_sbg_fit_final_1_0(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"alpha", "beta"};
	Rows *rows = PG_ARGISNULL(0) ? NULL : (Rows *) PG_GETARG_POINTER(0);
	double *renewed, *lost;
	CrmSbgData data = {0};
	CrmFit fit = {.status = CRM_FIT_INSUFFICIENT};
	CrmStatus status;
	Datum json;

	if (rows == NULL || rows->n == 0)
		PG_RETURN_NULL();
	for (size_t i = 0; i < rows->n; i++)
	{
		double renewals = rows->column[0][i], gone = rows->column[1][i];

		if (!(renewals >= 0 && renewals < CRM_SBG_RENEWALS_MAX) || renewals != floor(renewals) ||
			(gone != 0.0 && gone != 1.0))
			refuse("renewals must be a whole number from 0 to 99999, lost 0 or 1");
		data.n = Max(data.n, (int) renewals + 1);
	}
	renewed = MemoryContextAllocZero(rows->memory, data.n * sizeof(double));
	lost = MemoryContextAllocZero(rows->memory, data.n * sizeof(double));
	crm_sbg_count(rows->column[0], rows->column[1], rows->n, data.n, renewed, lost);
	data.renewed = renewed;
	data.lost = lost;
	status = crm_sbg_fit(&rows->ctx, &data, 0.0, &fit);
	if (status != CRM_DOMAIN)
		crm_memory_check(status, &rows->ctx, "the shifted beta-geometric model", NULL);
	json = make_json("sbg", names, &fit, rows);
	MemoryContextDelete(rows->memory);
	PG_RETURN_DATUM(json);
}
