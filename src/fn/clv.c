/*
 * clv.c: crm.clv, the lifetime value of each customer, and crm.clv_fit, the model behind it.
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kernel/clv.h"
#include "kernel/clv_fit.h"
#include "pg/args.h"
#include "pg/model.h"
#include "pg/results.h"
#include "pg/transactions.h"

#define MODEL_VERSION 1

static const char *const model_words[] = {"bgnbd", "mbgnbd",  "paretonbd",
										  "bgbb",  "formula", "auto"};
static const char *const spend_words[] = {"gamma_gamma", "mean"};
static const CrmWords models = {"model", "models", model_words, lengthof(model_words)};
static const CrmWords fitted_models = {"model", "models", model_words, CRM_CLV_AUTO};
static const CrmWords spends = {"spend", "values of spend", spend_words, lengthof(spend_words)};

/* What both reports are made of. */
typedef struct Work
{
	CrmOrdersRequest request;
	CrmRun run;
	CrmOrdersState *orders;
	CrmClvFitParam fit_param;
	CrmClvSpend spend;
	uint32 n;      /* customers with an order */
	uint32 *order; /* of the customers, by key */
	CrmTransactionsReader reader;
	CrmClvModel model;
	CrmClvFit fit;
	CrmFit spend_fit; /* n is 0 without Gamma-Gamma */
} Work;

/* Read the orders; those who have one, in the order of the keys. */
static void
read_customers(Work *work)
{
	const CrmTable *table;
	uint32 kept = 0;
	size_t n;

	work->orders = crm_orders_read(&work->request, &work->run);
	table = &work->orders->customers.table;
	n = table->n;
	work->order = crm_orders_allocate(work->orders, n, sizeof(uint32));
	crm_orders_check(work->orders, crm_key_order(&work->orders->key_type, &work->orders->ctx, table,
												 work->order));
	for (uint32 i = 0; i < n; i++) /* those with refunds only go */
		if (crm_customers_orders(&work->orders->customers, work->order[i])->count > 0)
			work->order[kept++] = work->order[i];
	work->n = kept;
	crm_transactions_begin(&work->reader, work->orders, &work->request);
}

/* Give a customer's transactions. */
static CrmTransactions
transactions_of(Work *work, uint32 i)
{
	CrmTransactions one;

	if (i % 65536 == 0)
		CHECK_FOR_INTERRUPTS();
	crm_transactions_get(&work->reader, work->order[i], &one);
	return one;
}

/* Fit the model of orders, and then that of spend: the columns of one make room for the other's. */
static void
fit_models(Work *work)
{
	CrmCtx *ctx = &work->orders->ctx;
	size_t n = work->n;
	double *column = crm_orders_allocate(work->orders, 3 * n, sizeof(double));
	CrmBtydData data = {.x = column, .t_x = column + n, .t = column + 2 * n, .n = n};
	CrmClvSpendRows spend;

	for (uint32 i = 0; i < work->n; i++)
	{
		CrmTransactions one = transactions_of(work, i);

		column[i] = (double) one.x;
		column[n + i] = one.t_x;
		column[2 * n + i] = one.t;
	}
	crm_orders_check(work->orders, crm_clv_fit(ctx, &data, &work->fit_param, &work->fit));
	crm_release(ctx, column, 3 * n, sizeof(double));
	crm_clv_take(&work->fit, &work->model);
	crm_orders_check(work->orders,
					 crm_clv_spend_begin(ctx, work->spend == CRM_CLV_MEAN ? 0 : n, &spend));
	for (uint32 i = 0; i < work->n; i++)
	{
		CrmTransactions one = transactions_of(work, i);

		crm_clv_spend_add(&spend, (double) one.x, one.mean, one.mean_each);
	}
	crm_orders_check(work->orders, crm_clv_spend_fit(ctx, &spend, &work->model, &work->spend_fit));
}

/* Say which model auto chose, and why; NULL where it had nothing to choose. */
static char *
say_choice(const CrmClvFit *fit)
{
	StringInfoData text;

	if (fit->candidates == 0)
		return NULL;
	initStringInfo(&text);
	appendStringInfo(&text, "chose %s by %s; AIC", model_words[fit->kind],
					 fit->by_holdout ? "customers held out, since AIC does not decide" : "AIC");
	for (int i = 0; i < fit->candidates; i++)
		appendStringInfo(&text, "%s %s %.1f", i > 0 ? "," : "", model_words[fit->candidate[i]],
						 fit->aic[i]);
	for (int i = 0; i < fit->candidates && fit->by_holdout; i++)
		appendStringInfo(&text, "%s %s %.1f", i > 0 ? "," : "; log-likelihood held out",
						 model_words[fit->candidate[i]], fit->holdout[i]);
	return text.data;
}

/* ---- a model as jsonb -------------------------------------------------------------------- */

/* Write an array of numbers, zeros where one of them is not known; tell whether they all are. */
static bool
put_known(StringInfo json, const char *key, const double *values, int n)
{
	double *known = palloc0(n * sizeof(double));
	bool all = true;

	for (int i = 0; i < n; i++)
		all &= isfinite(values[i]) != 0;
	if (all)
		memcpy(known, values, n * sizeof(double));
	crm_model_put_numbers(json, key, known, n);
	pfree(known);
	return all;
}

/* Give the model as jsonb, for crm.model and the argument fitted. */
static Datum
make_json(const Work *work)
{
	const CrmClvModel *model = &work->model;
	const Interval *period = work->request.period;
	StringInfoData json;
	bool known;

	initStringInfo(&json);
	crm_model_put(&json, "model", "\"clv\"");
	crm_model_put(&json, "version", "%d", MODEL_VERSION);
	crm_model_put(&json, "orders", "\"%s\"", model_words[model->kind]);
	crm_model_put(&json, "spend", "\"%s\"", spend_words[model->spend]);
	crm_model_put(&json, "period_months", "%d", period->month);
	crm_model_put_number(&json, "period_seconds",
						 (period->day * (double) USECS_PER_DAY + period->time) / USECS_PER_SEC);
	crm_model_put_numbers(&json, "parameters", model->theta, CRM_CLV_PARAMETERS);
	known =
		put_known(&json, "covariance", model->covariance, CRM_CLV_PARAMETERS * CRM_CLV_PARAMETERS);
	crm_model_put(&json, "covariance_known", "%d", known);
	crm_model_put_numbers(&json, "spend_parameters", model->spend_theta, CRM_CLV_SPEND_PARAMETERS);
	known = put_known(&json, "spend_covariance", model->spend_covariance,
					  CRM_CLV_SPEND_PARAMETERS * CRM_CLV_SPEND_PARAMETERS);
	crm_model_put(&json, "spend_covariance_known", "%d", known);
	crm_model_put_number(&json, "mean_value", model->mean_value);
	crm_model_put_number(&json, "log_likelihood", work->fit.fit.log_likelihood);
	crm_model_put(&json, "status", "\"%s\"", crm_fit_status_word(work->fit.fit.status));
	crm_model_put(&json, "customers", "%u", work->n);
	return crm_model_finish(&json);
}

/* Read a model that make_json has made; an error for another kind, another period, nonsense. */
static void
read_json(Jsonb *json, Work *work)
{
	CrmModelReader reader = {.json = json, .function = "crm.clv_fit"};
	CrmClvModel *model = &work->model;
	const Interval *period = work->request.period;
	double seconds;

	crm_model_expect(&reader, "clv", MODEL_VERSION);
	model->kind = (CrmClvKind) crm_model_word(&reader, "orders", &fitted_models);
	model->spend = (CrmClvSpend) crm_model_word(&reader, "spend", &spends);
	crm_model_numbers(&reader, "parameters", model->theta, CRM_CLV_PARAMETERS);
	crm_model_numbers(&reader, "covariance", model->covariance,
					  CRM_CLV_PARAMETERS * CRM_CLV_PARAMETERS);
	if (crm_model_int(&reader, "covariance_known", 0, 1) == 0)
		model->covariance[0] = NAN;
	crm_model_numbers(&reader, "spend_parameters", model->spend_theta, CRM_CLV_SPEND_PARAMETERS);
	crm_model_numbers(&reader, "spend_covariance", model->spend_covariance,
					  CRM_CLV_SPEND_PARAMETERS * CRM_CLV_SPEND_PARAMETERS);
	if (crm_model_int(&reader, "spend_covariance_known", 0, 1) == 0)
		model->spend_covariance[0] = NAN;
	model->mean_value = crm_model_number(&reader, "mean_value");
	for (int i = 0; i < crm_clv_parameters(model->kind, NULL); i++)
		if (!(model->theta[i] >= 1e-12 && model->theta[i] <= 1e12))
			crm_model_error(&reader, "parameters");
	if (model->spend == CRM_CLV_GAMMA_GAMMA &&
		!(model->spend_theta[0] >= 1e-12 && model->spend_theta[0] <= 1e15 &&
		  model->spend_theta[1] > 1 && model->spend_theta[1] <= 1e15 &&
		  model->spend_theta[2] >= 1e-30 && model->spend_theta[2] <= 1e30))
		crm_model_error(&reader, "spend_parameters");
	seconds = crm_model_number(&reader, "period_seconds");
	if (crm_model_int(&reader, "period_months", 0, PG_INT32_MAX) != period->month ||
		fabs(seconds - (period->day * (double) USECS_PER_DAY + period->time) / USECS_PER_SEC) >
			1e-6)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the fitted model counts time in another period than \"period\""),
				errhint("Give the period that crm.clv_fit was given."));
}

/* ---- crm.clv ----------------------------------------------------------------------------- */

enum
{
	ARG_SOURCE, /* or the key, and the source last */
	ARG_AS_OF,
	ARG_HORIZON,
	ARG_MODEL,
	ARG_SPEND,
	ARG_PERIOD,
	ARG_DISCOUNT_RATE,
	ARG_MARGIN,
	ARG_REFUNDS,
	ARG_LEVEL,
	ARG_FITTED,
	ARG_SEED
};

/* Give the mean length of a period in microseconds. */
static double
period_micros(const Interval *period)
{
	return period->month > 0 ? period->month * (DAYS_PER_YEAR / MONTHS_PER_YEAR) * USECS_PER_DAY
							 : period->day * (double) USECS_PER_DAY + period->time;
}

/* Read the horizon, and give it in periods. */
static double
read_horizon(FunctionCallInfo fcinfo, int i, const CrmOrdersRequest *request)
{
	const Interval *period = request->period, *horizon;
	TimestampTz end;

	crm_arg_require(fcinfo, i, "horizon");
	horizon = PG_GETARG_INTERVAL_P(i);
	end = DatumGetTimestampTz(DirectFunctionCall2(
		timestamptz_pl_interval, TimestampTzGetDatum(request->as_of), IntervalPGetDatum(horizon)));
	if (TIMESTAMP_NOT_FINITE(end) || end <= request->as_of)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"horizon\" must be above zero"),
				errdetail("Got %s.", DatumGetCString(DirectFunctionCall1(
										 interval_out, IntervalPGetDatum(horizon)))));
	if (period->month > 0 && horizon->day == 0 && horizon->time == 0)
		return (double) horizon->month / period->month;
	return (double) (end - request->as_of) / period_micros(period);
}

/* Read the options that both reports share, and the period; at is that of source. */
static void
begin_work(Work *work, FunctionCallInfo fcinfo, const char *function, int as_of, int period,
		   int refunds)
{
	memset(work, 0, sizeof(Work));
	work->run = crm_run_begin(function);
	work->request.function = function;
	work->request.source = crm_arg_source(fcinfo, &work->request.key_type);
	crm_transactions_as_of(fcinfo, as_of, &work->request);
	crm_transactions_period(fcinfo, period, &work->request);
	crm_transactions_refunds(fcinfo, refunds, &work->request);
}

/* Give the word for how far a customer's value may be trusted. */
static const char *
value_status(const Work *work, const CrmClvCustomer *customer)
{
	if (work->fit.fit.status != CRM_FIT_CONVERGED)
		return work->fit.fit.status == CRM_FIT_INSUFFICIENT
				   ? "fallback"
				   : crm_fit_status_word(work->fit.fit.status);
	if (customer->x > 0 && !(customer->mean > 0))
		return "spend_not_positive";
	return "ok";
}

/* Write a float8, or NULL when it is not finite. */
static void
put_finite(Datum *values, bool *nulls, int i, double value)
{
	values[i] = Float8GetDatum(value);
	nulls[i] = !isfinite(value);
}

/* Write the row of customer i. */
static void
put_customer(const CrmResult *result, Work *work, CrmClvScorer *scorer, uint32 i)
{
	CrmTransactions one = transactions_of(work, i);
	CrmClvCustomer customer = {(double) one.x, one.t_x, one.t, one.mean, one.mean_each};
	const CrmCustomers *customers = &work->orders->customers;
	double length = period_micros(work->request.period);
	CrmClvValue value;
	Datum values[16];
	bool nulls[16] = {false};

	crm_clv_score(scorer, &customer, &value);
	values[0] = crm_key_to_datum(&work->orders->key_type, &customers->table, work->order[i]);
	values[1] = Int64GetDatum((int64) customer.x);
	values[2] = Float8GetDatum(customer.t_x);
	values[3] = Float8GetDatum(customer.t);
	values[4] = TimestampTzGetDatum(one.first_order_at);
	values[5] = TimestampTzGetDatum(one.last_order_at);
	put_finite(values, nulls, 6, value.p_alive);
	put_finite(values, nulls, 7, value.expected_orders);
	put_finite(values, nulls, 8, value.p_any_order);
	put_finite(values, nulls, 9, value.order_value);
	put_finite(values, nulls, 10, value.clv);
	put_finite(values, nulls, 11, value.residual);
	put_finite(values, nulls, 12, value.low);
	put_finite(values, nulls, 13, value.high);
	nulls[14] = !(value.gap * length < (double) (END_TIMESTAMP - work->request.as_of));
	values[14] = nulls[14]
					 ? (Datum) 0
					 : TimestampTzGetDatum(work->request.as_of + (int64) (value.gap * length));
	values[15] = CStringGetTextDatum(value_status(work, &customer));
	crm_result_row(result, values, nulls);
	pfree(DatumGetPointer(values[15]));
}

/* Read the options of crm.clv; give the number of periods and the rates in *param. */
static char *
read_clv_options(FunctionCallInfo fcinfo, Work *work, CrmClvParam *param)
{
	double years;

	param->horizon = read_horizon(fcinfo, ARG_HORIZON, &work->request);
	work->fit_param.kind = (CrmClvKind) crm_arg_word(fcinfo, ARG_MODEL, &models);
	work->spend = (CrmClvSpend) crm_arg_word(fcinfo, ARG_SPEND, &spends);
	years = period_micros(work->request.period) / (DAYS_PER_YEAR * USECS_PER_DAY);
	param->discount =
		log1p(crm_arg_double(fcinfo, ARG_DISCOUNT_RATE, "discount_rate", 0.0, 1000.0)) * years;
	param->margin = crm_arg_double(fcinfo, ARG_MARGIN, "margin", 0.0, 1e9);
	param->level = crm_arg_double(fcinfo, ARG_LEVEL, "level", 0.001, 0.999);
	work->fit_param.seed =
		(uint64) crm_arg_int(fcinfo, ARG_SEED, "seed", PG_INT64_MIN, PG_INT64_MAX);
	return crm_arg_text(fcinfo, ARG_FITTED);
}

PG_FUNCTION_INFO_V1(crm_clv_1_0);
/* crm.clv([key,] ...): a row a customer; see doc/clv.md */
Datum
crm_clv_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 16);
	CrmClvScorer *scorer;
	CrmClvParam param;
	char *fitted, *choice;
	Work work;

	begin_work(&work, fcinfo, "crm.clv", ARG_AS_OF, ARG_PERIOD, ARG_REFUNDS);
	fitted = read_clv_options(fcinfo, &work, &param);
	if (fitted != NULL)
		read_json(crm_model_find(fitted, "clv", "crm.clv_fit"), &work);
	read_customers(&work);
	if (fitted == NULL)
		fit_models(&work);
	choice = say_choice(&work.fit);
	if (choice != NULL)
		ereport(NOTICE, errmsg("crm.clv %s", choice));
	if (work.fit.fit.status == CRM_FIT_NOT_CONVERGED)
		ereport(WARNING, errmsg("the model \"%s\" did not converge", model_words[work.model.kind]),
				errhint("See crm.clv_fit(...); another model or a longer history may help."));
	crm_orders_check(work.orders, crm_clv_begin(&work.orders->ctx, &work.model, &param, &scorer));
	for (uint32 i = 0; i < work.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_customer(&result, &work, scorer, i);
	}
	crm_orders_memory(work.orders, &work.run);
	crm_run_end(&work.run);
	MemoryContextDelete(work.orders->memory);
	PG_RETURN_NULL();
}

/* ---- crm.clv_fit ------------------------------------------------------------------------- */

enum
{
	FIT_SOURCE, /* or the key, and the source last */
	FIT_MODEL,
	FIT_AS_OF,
	FIT_SPEND,
	FIT_PERIOD,
	FIT_REFUNDS,
	FIT_LEVEL,
	FIT_PENALTY,
	FIT_SEED
};

/* Write the parameters of both models as five arrays: name, estimate, error, low, high. */
static void
put_parameters(const Work *work, double level, Datum *values)
{
	static const char *const spend_names[] = {"p", "q", "v"};
	Datum column[5][CRM_CLV_PARAMETERS + CRM_CLV_SPEND_PARAMETERS];
	const char *const *names;
	int n = crm_clv_parameters(work->model.kind, &names);
	int all = n + work->spend_fit.n;
	double z = crm_clv_z(level);

	for (int i = 0; i < all; i++)
	{
		const CrmFit *fit = i < n ? &work->fit.fit : &work->spend_fit;
		int k = i < n ? i : i - n;
		double factor = exp(z * fit->error[k] / fit->parameter[k]);

		column[0][i] = CStringGetTextDatum(i < n ? names[k] : spend_names[k]);
		column[1][i] = Float8GetDatum(fit->parameter[k]);
		column[2][i] = Float8GetDatum(fit->error[k]);
		column[3][i] = Float8GetDatum(fit->parameter[k] / factor);
		column[4][i] = Float8GetDatum(fit->parameter[k] * factor);
	}
	values[1] = PointerGetDatum(construct_array(column[0], all, TEXTOID, -1, false, TYPALIGN_INT));
	for (int c = 1; c < 5; c++)
		values[1 + c] = PointerGetDatum(construct_array(column[c], all, FLOAT8OID, sizeof(float8),
														FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* Say in a sentence how the fit went. */
static char *
fit_message(const Work *work)
{
	char *choice = say_choice(&work->fit);
	const CrmFit *fit = &work->fit.fit;

	if (fit->status == CRM_FIT_INSUFFICIENT)
		return "too few customers with a repeat transaction to fit a model; crm.clv uses the "
			   "formula";
	if (fit->status == CRM_FIT_AT_BOUND)
		return psprintf("a parameter stands at the bound of its search: the data tell no more "
						"than that it is extreme%s%s",
						choice != NULL ? "; " : "", choice != NULL ? choice : "");
	if (fit->status == CRM_FIT_NOT_CONVERGED)
		return "the best point found; its gradient is not yet flat";
	return choice != NULL ? choice : pstrdup("converged");
}

PG_FUNCTION_INFO_V1(crm_clv_fit_1_0);
/* crm.clv_fit([key,] ...): one row; see doc/clv.md */
Datum
crm_clv_fit_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 18);
	double level;
	const CrmFit *fit;
	Datum values[18];
	bool nulls[18] = {false};
	Work work;

	begin_work(&work, fcinfo, "crm.clv_fit", FIT_AS_OF, FIT_PERIOD, FIT_REFUNDS);
	work.fit_param.kind = (CrmClvKind) crm_arg_word(fcinfo, FIT_MODEL, &models);
	work.spend = (CrmClvSpend) crm_arg_word(fcinfo, FIT_SPEND, &spends);
	level = crm_arg_double(fcinfo, FIT_LEVEL, "level", 0.001, 0.999);
	work.fit_param.penalty = crm_arg_double(fcinfo, FIT_PENALTY, "penalty", 0.0, 1e6);
	work.fit_param.seed =
		(uint64) crm_arg_int(fcinfo, FIT_SEED, "seed", PG_INT64_MIN, PG_INT64_MAX);
	read_customers(&work);
	fit_models(&work);
	fit = &work.fit.fit;
	values[0] = CStringGetTextDatum(model_words[work.model.kind]);
	put_parameters(&work, level, values);
	put_finite(values, nulls, 6, fit->log_likelihood);
	put_finite(values, nulls, 7, fit->aic);
	put_finite(values, nulls, 8, fit->bic);
	nulls[6] = nulls[7] = nulls[8] = fit->n == 0;
	values[9] = Int64GetDatum(work.run.rows.read);
	values[10] = Int64GetDatum(work.run.rows.used);
	values[11] = Int64GetDatum(work.run.rows.read - work.run.rows.used);
	values[12] = Int32GetDatum(fit->iterations);
	put_finite(values, nulls, 13, fit->gradient_norm);
	values[14] = BoolGetDatum(fit->status == CRM_FIT_CONVERGED || fit->status == CRM_FIT_AT_BOUND);
	values[15] = CStringGetTextDatum(crm_fit_status_word(fit->status));
	values[16] = CStringGetTextDatum(fit_message(&work));
	values[17] = make_json(&work);
	crm_result_row(&result, values, nulls);
	crm_orders_memory(work.orders, &work.run);
	crm_run_end(&work.run);
	MemoryContextDelete(work.orders->memory);
	PG_RETURN_NULL();
}
