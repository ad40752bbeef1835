/*
 * clv_backtest.c: crm.clv_backtest, models fitted to orders up to a cut and held against the orders
 * after it, and crm.clv_calibration, the same by groups of customers.
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kernel/backtest.h"
#include "kernel/clv.h"
#include "kernel/clv_fit.h"
#include "kernel/clv_interval.h"
#include "pg/args.h"
#include "pg/results.h"
#include "pg/transactions.h"

#define DECILES 10
#define MOST_X  7 /* the last group by x holds those with more, too */

enum
{
	ARG_SOURCE, /* or the key, and the source last */
	ARG_CUT_AT,
	ARG_HOLDOUT,
	ARG_MODELS, /* of crm.clv_calibration: one */
	ARG_SPEND,
	ARG_PERIOD,
	ARG_REFUNDS,
	ARG_SEED,
	ARG_LEVEL /* of crm.clv_backtest alone */
};

static const char *const model_words[] = {"bgnbd", "mbgnbd",  "paretonbd",
										  "bgbb",  "formula", "auto"};
static const char *const spend_words[] = {"gamma_gamma", "mean"};
static const CrmWords models = {"model", "models", model_words, lengthof(model_words)};
static const CrmWords spends = {"spend", "values of spend", spend_words, lengthof(spend_words)};

/* The columns, n values each. */
enum
{
	X,
	T_X,
	T,
	MEAN,
	MEAN_EACH,
	ORDERS, /* in the holdout */
	MONEY,
	PREDICTED,
	WORTH, /* predicted money */
	LOW,   /* bounds of the orders in the holdout, and what they promise to hold */
	HIGH,
	PROMISED,
	COLUMNS
};

/* A trial in the making. */
typedef struct Trial
{
	CrmOrdersRequest request;
	CrmRun run;
	CrmOrdersState *orders;
	CrmClvSpend spend;
	CrmClvFitParam fit_param;
	double horizon; /* periods */
	double level;
	bool has_intervals; /* of the predictions at hand */
	uint32 n;
	double *column[COLUMNS];
} Trial;

/* Read the options but for the models. */
static TimestampTz
read_options(FunctionCallInfo fcinfo, const char *function, Trial *trial)
{
	CrmOrdersRequest *request = &trial->request;
	TimestampTz end;

	*trial = (Trial){.run = crm_run_begin(function)};
	request->function = function;
	request->source = crm_arg_source(fcinfo, &request->key_type);
	crm_arg_require(fcinfo, ARG_CUT_AT, "cut_at");
	request->as_of = PG_GETARG_TIMESTAMPTZ(ARG_CUT_AT);
	if (TIMESTAMP_NOT_FINITE(request->as_of))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"cut_at\" must be finite"));
	crm_transactions_period(fcinfo, ARG_PERIOD, request);
	crm_transactions_refunds(fcinfo, ARG_REFUNDS, request);
	trial->spend = (CrmClvSpend) crm_arg_word(fcinfo, ARG_SPEND, &spends);
	trial->fit_param.seed =
		(uint64) crm_arg_int(fcinfo, ARG_SEED, "seed", PG_INT64_MIN, PG_INT64_MAX);
	crm_arg_require(fcinfo, ARG_HOLDOUT, "holdout");
	end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												  TimestampTzGetDatum(request->as_of),
												  PG_GETARG_DATUM(ARG_HOLDOUT)));
	if (TIMESTAMP_NOT_FINITE(end) || end <= request->as_of)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"holdout\" must be above zero"));
	return end;
}

/* Give the row of customer i of one table in another, which has it. */
static const CrmOrders *
find_later(CrmOrdersState *later, const CrmTable *table, uint32 i)
{
	CrmKey key = crm_table_key(table, i);
	void *row;

	if (table->kind == CRM_KEY_INT64)
		key = crm_key_int64(key.integer);
	else if (table->kind == CRM_KEY_UUID)
		key = crm_key_uuid(key.half);
	crm_orders_check(later, crm_table_find(&later->customers.table, &key, 1, &row));
	return (const CrmOrders *) ((const char *) row + later->customers.table.key_size);
}

/*
 * Read the orders up to the cut, and again up to the end of the holdout: what a customer ordered in
 * between is the difference. A period that the cut divides counts before it.
 */
static void
read_orders(Trial *trial, TimestampTz end)
{
	CrmOrdersRequest until_end = trial->request;
	CrmRun second = crm_run_begin(trial->request.function);
	CrmTransactionsReader reader;
	CrmOrdersState *later;
	CrmPeriod period;
	uint32 *order, kept = 0, n;

	until_end.as_of = end;
	later = crm_orders_read(&until_end, &second);
	trial->orders = crm_orders_read(&trial->request, &trial->run);
	n = trial->orders->customers.table.n;
	order = crm_orders_allocate(trial->orders, n, sizeof(uint32));
	crm_orders_check(trial->orders, crm_key_order(&trial->orders->key_type, &trial->orders->ctx,
												  &trial->orders->customers.table, order));
	for (int c = 0; c < COLUMNS; c++)
		trial->column[c] = crm_orders_allocate(trial->orders, n, sizeof(double));
	crm_transactions_begin(&reader, trial->orders, &trial->request);
	for (uint32 i = 0; i < n; i++)
	{
		const CrmOrders *before = crm_customers_orders(&trial->orders->customers, order[i]);
		const CrmOrders *after = find_later(later, &trial->orders->customers.table, order[i]);
		CrmTransactions one;

		CHECK_FOR_INTERRUPTS();
		crm_transactions_get(&reader, order[i], &one);
		if (one.x < 0)
			continue;
		trial->column[X][kept] = (double) one.x;
		trial->column[T_X][kept] = one.t_x;
		trial->column[T][kept] = one.t;
		trial->column[MEAN][kept] = one.mean;
		trial->column[MEAN_EACH][kept] = one.mean_each;
		trial->column[ORDERS][kept] = (double) (after->count - before->count);
		trial->column[MONEY][kept++] = crm_sum_value(after->sum) - crm_sum_value(before->sum);
	}
	trial->n = kept;
	MemoryContextDelete(later->memory);
	crm_period_begin(&period, trial->request.period, session_timezone);
	trial->horizon = (double) crm_period_number(&period, end) -
					 (double) crm_period_number(&period, trial->request.as_of);
	if (!(trial->horizon >= 1.0))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"holdout\" must be at least a period long"));
}

/* Fit a model and predict orders and money of each customer; give how the fit went. */
static CrmClvFit
predict(Trial *trial, CrmClvKind kind)
{
	CrmBtydData data = {
		.x = trial->column[X], .t_x = trial->column[T_X], .t = trial->column[T], .n = trial->n};
	CrmClvSpendData spend = {data.x, trial->column[MEAN], trial->column[MEAN_EACH], trial->n};
	CrmClvParam param = {.horizon = trial->horizon, .margin = 1.0, .level = 0.9};
	CrmCtx *ctx = &trial->orders->ctx;
	CrmClvModel model = {.kind = kind};
	CrmClvScorer *scorer;
	CrmFit spend_fit;
	CrmClvFit fit;

	trial->fit_param.kind = kind;
	crm_orders_check(trial->orders, crm_clv_fit(ctx, &data, &trial->fit_param, &fit));
	crm_clv_take(&fit, &model);
	crm_orders_check(trial->orders,
					 crm_clv_fit_spend(ctx, &spend, trial->spend, &model, &spend_fit));
	model.covariance[0] = NAN; /* no interval is asked for */
	crm_orders_check(trial->orders, crm_clv_begin(ctx, &model, &param, &scorer));
	for (uint32 i = 0; i < trial->n; i++)
	{
		CrmClvCustomer customer = {data.x[i], data.t_x[i], data.t[i], spend.mean[i],
								   spend.mean_each[i]};
		CrmClvValue value;

		CHECK_FOR_INTERRUPTS();
		crm_clv_score(scorer, &customer, &value);
		trial->column[PREDICTED][i] = value.expected_orders;
		trial->column[WORTH][i] = value.clv;
	}
	crm_clv_end(ctx, scorer);
	return fit;
}

/* Bound the orders of each customer by a model that was fitted; one without parameters cannot. */
static void
bound_orders(Trial *trial, const CrmClvFit *fit)
{
	CrmClvIntervals intervals = {.x = trial->column[X],
								 .t_x = trial->column[T_X],
								 .t = trial->column[T],
								 .n = trial->n,
								 .low = trial->column[LOW],
								 .high = trial->column[HIGH],
								 .promised = trial->column[PROMISED]};

	trial->has_intervals = crm_clv_parameters(fit->kind, NULL) > 0;
	if (trial->has_intervals)
		crm_orders_check(trial->orders,
						 crm_clv_intervals(&trial->orders->ctx, fit->kind, fit->fit.parameter,
										   trial->horizon, trial->level, &intervals));
}

/* Write the share of customers whose orders were within the bounds, and what was promised. */
static void
put_coverage(const Trial *trial, Datum *values, bool *nulls)
{
	CrmSum promised = {0};

	nulls[0] = nulls[1] = !trial->has_intervals;
	if (!trial->has_intervals)
		return;
	for (uint32 i = 0; i < trial->n; i++)
		crm_sum_add(&promised, trial->column[PROMISED][i]);
	values[0] = Float8GetDatum(crm_backtest_covered(trial->column[LOW], trial->column[HIGH],
													trial->column[ORDERS], trial->n));
	values[1] = Float8GetDatum(crm_sum_mean(promised, trial->n));
}

/* Predict the same for everybody: the orders of all for all their time, and their mean spend. */
static void
predict_mean(Trial *trial)
{
	CrmSum x = {0}, t = {0}, money = {0};
	double rate;

	for (uint32 i = 0; i < trial->n; i++)
	{
		crm_sum_add(&x, trial->column[X][i]);
		crm_sum_add(&t, trial->column[T][i]);
		crm_sum_add(&money, trial->column[MEAN_EACH][i]);
	}
	rate = crm_sum_value(t) > 0 ? crm_sum_value(x) / crm_sum_value(t) : 0.0;
	for (uint32 i = 0; i < trial->n; i++)
	{
		trial->column[PREDICTED][i] = rate * trial->horizon;
		trial->column[WORTH][i] = rate * trial->horizon * crm_sum_mean(money, trial->n);
	}
}

/* Write what the predictions at hand are worth. */
static void
put_measures(const CrmResult *result, Trial *trial, const char *name, const char *status)
{
	CrmBacktest orders, money;
	Datum values[14];
	bool nulls[14] = {false};

	crm_orders_check(trial->orders, crm_backtest(&trial->orders->ctx, trial->column[PREDICTED],
												 trial->column[ORDERS], trial->n, &orders));
	crm_orders_check(trial->orders, crm_backtest(&trial->orders->ctx, trial->column[WORTH],
												 trial->column[MONEY], trial->n, &money));
	values[0] = CStringGetTextDatum(name);
	values[1] = Int64GetDatum(trial->n);
	values[2] = Float8GetDatum(orders.mae);
	values[3] = Float8GetDatum(orders.rmse);
	values[4] = Float8GetDatum(orders.bias);
	values[5] = Float8GetDatum(orders.rank_correlation);
	nulls[5] = isnan(orders.rank_correlation);
	values[6] = Float8GetDatum(orders.top_found);
	values[7] = Float8GetDatum(orders.predicted);
	values[8] = Float8GetDatum(orders.actual);
	values[9] = Float8GetDatum(money.predicted);
	values[10] = Float8GetDatum(money.actual);
	put_coverage(trial, values + 11, nulls + 11);
	values[13] = CStringGetTextDatum(status);
	crm_result_row(result, values, nulls);
}

/* Close the account and free the trial's memory. */
static void
end_trial(Trial *trial)
{
	crm_orders_memory(trial->orders, &trial->run);
	crm_run_end(&trial->run);
	MemoryContextDelete(trial->orders->memory);
}

/* Give the kind that a word names; an error for another word. */
static CrmClvKind
find_kind(const char *word)
{
	for (int k = 0; k < models.n; k++)
		if (strcmp(word, model_words[k]) == 0)
			return (CrmClvKind) k;
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("unrecognized model \"%s\"", word),
			errhint("Valid models are \"bgnbd\", \"mbgnbd\", \"paretonbd\", \"bgbb\", \"formula\", "
					"\"auto\"."));
}

PG_FUNCTION_INFO_V1(crm_clv_backtest_1_0);
/* crm.clv_backtest([key,] ...): a row a model; see doc/clv_backtest.md */
Datum
crm_clv_backtest_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 14);
	TimestampTz end;
	Trial trial;
	char **names;
	int n;

	end = read_options(fcinfo, "crm.clv_backtest", &trial);
	trial.level = crm_arg_double(fcinfo, ARG_LEVEL, "level", 0.001, 0.999);
	crm_arg_require(fcinfo, ARG_MODELS, "models");
	names = crm_arg_names(fcinfo, ARG_MODELS, "models", &n);
	for (int i = 0; i < n; i++)
		(void) find_kind(names[i]);
	read_orders(&trial, end);
	for (int i = 0; i < n && trial.n > 0; i++)
	{
		CrmClvFit fit = predict(&trial, find_kind(names[i]));

		bound_orders(&trial, &fit);
		put_measures(&result, &trial, names[i],
					 fit.fit.status == CRM_FIT_INSUFFICIENT ? "fallback"
															: crm_fit_status_word(fit.fit.status));
	}
	if (trial.n > 0)
	{
		trial.has_intervals = false;
		(void) predict(&trial, CRM_CLV_FORMULA);
		put_measures(&result, &trial, "same rate as before", "baseline");
		predict_mean(&trial);
		put_measures(&result, &trial, "mean of all", "baseline");
	}
	end_trial(&trial);
	PG_RETURN_NULL();
}

/* Write the groups of customers that group[] tells, 1 to groups. */
static void
put_groups(const CrmResult *result, const Trial *trial, const char *by, const uint8_t *group,
		   int groups, int first)
{
	for (int g = 1; g <= groups; g++)
	{
		CrmSum sum[4] = {{0}};
		int64 customers = 0;
		Datum values[7];
		bool nulls[7] = {false};

		for (uint32 i = 0; i < trial->n; i++)
			if (group[i] == g)
			{
				crm_sum_add(&sum[0], trial->column[PREDICTED][i]);
				crm_sum_add(&sum[1], trial->column[ORDERS][i]);
				crm_sum_add(&sum[2], trial->column[WORTH][i]);
				crm_sum_add(&sum[3], trial->column[MONEY][i]);
				customers++;
			}
		if (customers == 0)
			continue;
		values[0] = CStringGetTextDatum(by);
		values[1] = Int32GetDatum(g - 1 + first);
		values[2] = Int64GetDatum(customers);
		for (int c = 0; c < 4; c++)
			values[3 + c] = Float8GetDatum(crm_sum_mean(sum[c], customers));
		crm_result_row(result, values, nulls);
	}
}

PG_FUNCTION_INFO_V1(crm_clv_calibration_1_0);
/* crm.clv_calibration([key,] ...): a row a decile and a row an x; see doc/clv_backtest.md */
Datum
crm_clv_calibration_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 7);
	TimestampTz end;
	CrmClvKind kind;
	uint8_t *group;
	Trial trial;

	end = read_options(fcinfo, "crm.clv_calibration", &trial);
	kind = (CrmClvKind) crm_arg_word(fcinfo, ARG_MODELS, &models);
	read_orders(&trial, end);
	if (trial.n > 0)
	{
		(void) predict(&trial, kind);
		group = crm_orders_allocate(trial.orders, trial.n, sizeof(uint8_t));
		crm_orders_check(trial.orders,
						 crm_backtest_groups(&trial.orders->ctx, trial.column[PREDICTED], trial.n,
											 DECILES, group));
		put_groups(&result, &trial, "decile", group, DECILES, 1);
		for (uint32 i = 0; i < trial.n; i++)
			group[i] = (uint8_t) (1 + fmin(trial.column[X][i], MOST_X));
		put_groups(&result, &trial, "x", group, MOST_X + 1, 0);
	}
	end_trial(&trial);
	PG_RETURN_NULL();
}
