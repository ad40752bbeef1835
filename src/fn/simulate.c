/*
 * simulate.c: crm.simulate_orders, orders of a shop whose customers follow a model of purchasing
 * and Gamma-Gamma spend, and crm.simulate_subscriptions, contracts that end by sBG
 * (kernel/simulate.h).
 */
#include "pg/compat.h"

#include "utils/timestamp.h"

#include "kernel/simulate.h"
#include "pg/args.h"
#include "pg/contracts.h"
#include "pg/results.h"

enum
{
	ARG_CUSTOMERS,
	ARG_START_AT,
	ARG_END_AT,
	ARG_SEED,
	ARG_ACQUISITION,
	ARG_UNIT,
	ARG_R,
	ARG_ALPHA,
	ARG_A,
	ARG_B,
	ARG_P,
	ARG_Q,
	ARG_V,
	ARG_DECIMALS,
	ARG_MODEL,
	ARG_S,
	ARG_BETA,
	ARG_GAMMA,
	ARG_DELTA,
	ARGS
};

static const char *const names[] = {"customers", "start_at", "end_at", "seed",     "acquisition",
									"unit",      "r",        "alpha",  "a",        "b",
									"p",         "q",        "v",      "decimals", "model",
									"s",         "beta",     "gamma",  "delta"};

/* The arguments that a model may or may not have, in the order of crm_simulate_parameter. */
static const int parameter_arguments[CRM_SIMULATE_PARAMETERS] = {
	ARG_R, ARG_ALPHA, ARG_A, ARG_B, ARG_S, ARG_BETA, ARG_GAMMA, ARG_DELTA};

/* In the order of CrmSimulateModel. */
static const char *const model_words[] = {"bgnbd", "mbgnbd", "paretonbd", "bgbb"};
static const CrmWords models = {"model", "models", model_words, lengthof(model_words)};

/* Give an interval in microseconds, a day as 24 hours; an error when it has months. */
static int64
interval_micros(const Interval *interval, const char *name)
{
	if (interval->month != 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be given in days and time, not in months", name));
	return (int64) interval->day * USECS_PER_DAY + interval->time;
}

/* Give a finite moment. */
static int64
moment(FunctionCallInfo fcinfo, int i)
{
	TimestampTz value = PG_GETARG_TIMESTAMPTZ(i);

	if (TIMESTAMP_NOT_FINITE(value))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be finite", names[i]));
	return value;
}

/* Read the model and its parameters; those that are NULL are the published ones. */
static void
read_model(FunctionCallInfo fcinfo, CrmSimulateParam *param)
{
	CrmSimulateModel model = (CrmSimulateModel) crm_arg_word(fcinfo, ARG_MODEL, &models);

	crm_simulate_published(param, model);
	for (int i = 0; i < CRM_SIMULATE_PARAMETERS; i++)
	{
		int arg = parameter_arguments[i];

		if (PG_ARGISNULL(arg))
			continue;
		if (!crm_simulate_has(model, i))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("argument \"%s\" is no parameter of model \"%s\"", names[arg],
						   model_words[model]),
					errhint("Leave it out, or choose the model by the argument \"model\"."));
		*crm_simulate_parameter(param, i, NULL) = PG_GETARG_FLOAT8(arg);
	}
}

/* Say what the simulation had to bend, if anything. */
static void
report_caps(const CrmSimulate *state)
{
	if (state->capped_customers > 0)
		ereport(NOTICE, errmsg("%lld customers stopped at the most orders a customer may have",
							   (long long) state->capped_customers));
	if (state->capped_amounts > 0)
		ereport(NOTICE, errmsg("%lld amounts were cut to the largest that keeps its decimals",
							   (long long) state->capped_amounts));
}

PG_FUNCTION_INFO_V1(crm_simulate_orders_1_0);
/* crm.simulate_orders(customers, start_at, end_at, seed, ...): a row an order; see doc/simulate.md
 */
Datum
crm_simulate_orders_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 3);
	CrmSimulateParam param;
	CrmSimulate state;
	CrmSimulatedOrder order;
	char why[200];
	Datum values[3];
	bool nulls[3] = {false};

	for (int i = 0; i < ARGS; i++)
		if (i != ARG_ACQUISITION && !(i >= ARG_R && i <= ARG_B) && i <= ARG_MODEL)
			crm_arg_require(fcinfo, i, names[i]);
	crm_simulate_defaults(&param);
	param.customers = PG_GETARG_INT64(ARG_CUSTOMERS);
	param.start_at = moment(fcinfo, ARG_START_AT);
	param.end_at = moment(fcinfo, ARG_END_AT);
	param.seed = (uint64_t) PG_GETARG_INT64(ARG_SEED);
	param.unit = interval_micros(PG_GETARG_INTERVAL_P(ARG_UNIT), "unit");
	param.acquisition = PG_ARGISNULL(ARG_ACQUISITION)
							? param.end_at - param.start_at
							: interval_micros(PG_GETARG_INTERVAL_P(ARG_ACQUISITION), "acquisition");
	read_model(fcinfo, &param);
	param.p = PG_GETARG_FLOAT8(ARG_P);
	param.q = PG_GETARG_FLOAT8(ARG_Q);
	param.v = PG_GETARG_FLOAT8(ARG_V);
	param.decimals = PG_GETARG_INT32(ARG_DECIMALS);
	if (!crm_simulate_check(&param, why, sizeof(why)))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg_internal("%s", why));
	(void) crm_simulate_begin(&state, &param);
	while (crm_simulate_next(&state, &order))
	{
		CHECK_FOR_INTERRUPTS();
		values[0] = Int64GetDatum(order.customer_id);
		values[1] = TimestampTzGetDatum(order.ordered_at);
		values[2] = Float8GetDatum(order.amount);
		crm_result_row(&result, values, nulls);
	}
	report_caps(&state);
	PG_RETURN_NULL();
}

enum
{
	SUB_CUSTOMERS,
	SUB_START_AT,
	SUB_END_AT,
	SUB_SEED,
	SUB_ACQUISITION,
	SUB_PERIOD,
	SUB_ALPHA,
	SUB_BETA,
	SUB_ARGS
};

static const char *const subscription_names[] = {"customers",   "start_at", "end_at", "seed",
												 "acquisition", "period",   "alpha",  "beta"};

/* Read the times of crm.simulate_subscriptions as those of a shop, with their checks. */
static void
read_times(FunctionCallInfo fcinfo, CrmSimulateParam *param)
{
	char why[200];

	crm_simulate_defaults(param);
	param->customers = PG_GETARG_INT64(SUB_CUSTOMERS);
	param->start_at = moment(fcinfo, SUB_START_AT);
	param->end_at = moment(fcinfo, SUB_END_AT);
	param->acquisition =
		PG_ARGISNULL(SUB_ACQUISITION)
			? param->end_at - param->start_at
			: interval_micros(PG_GETARG_INTERVAL_P(SUB_ACQUISITION), "acquisition");
	if (!crm_simulate_check(param, why, sizeof(why)))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg_internal("%s", why));
}

PG_FUNCTION_INFO_V1(crm_simulate_subscriptions_1_0);
/* crm.simulate_subscriptions(customers, start_at, end_at, seed, ...): a row a customer; see
 * doc/simulate.md */
Datum
crm_simulate_subscriptions_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 3);
	CrmSimulateParam param;
	const Interval *period;
	double alpha, beta;
	uint64 seed;
	Datum values[3];
	bool nulls[3] = {false};

	for (int i = 0; i < SUB_ARGS; i++)
		if (i != SUB_ACQUISITION)
			crm_arg_require(fcinfo, i, subscription_names[i]);
	read_times(fcinfo, &param);
	period = PG_GETARG_INTERVAL_P(SUB_PERIOD);
	crm_contracts_check_period(period);
	seed = (uint64) PG_GETARG_INT64(SUB_SEED);
	alpha =
		crm_arg_double(fcinfo, SUB_ALPHA, "alpha", CRM_SIMULATE_SHAPE_MIN, CRM_SIMULATE_SHAPE_MAX);
	beta = crm_arg_double(fcinfo, SUB_BETA, "beta", CRM_SIMULATE_SHAPE_MIN, CRM_SIMULATE_SHAPE_MAX);
	for (int64 i = 1; i <= param.customers; i++)
	{
		double began, lost = crm_simulate_loss(seed, i, alpha, beta, &began);
		TimestampTz start = param.start_at + (int64) (began * (double) param.acquisition);
		TimestampTz end = lost < 1e12 ? crm_contracts_due(period, start, (int64) lost) : DT_NOEND;

		CHECK_FOR_INTERRUPTS();
		values[0] = Int64GetDatum(i);
		values[1] = TimestampTzGetDatum(start);
		values[2] = TimestampTzGetDatum(end);
		nulls[2] = end > param.end_at;
		crm_result_row(&result, values, nulls);
	}
	PG_RETURN_NULL();
}
