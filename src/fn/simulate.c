/*
 * simulate.c: crm.simulate_orders, the orders of a shop whose customers follow BG/NBD purchasing
 * and Gamma-Gamma spend (kernel/simulate.h).
 */
#include "pg/compat.h"

#include "utils/timestamp.h"

#include "kernel/simulate.h"
#include "pg/args.h"
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
	ARGS
};

static const char *const names[] = {"customers", "start_at", "end_at", "seed",    "acquisition",
									"unit",      "r",        "alpha",  "a",       "b",
									"p",         "q",        "v",      "decimals"};

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
		if (i != ARG_ACQUISITION)
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
	param.r = PG_GETARG_FLOAT8(ARG_R);
	param.alpha = PG_GETARG_FLOAT8(ARG_ALPHA);
	param.a = PG_GETARG_FLOAT8(ARG_A);
	param.b = PG_GETARG_FLOAT8(ARG_B);
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
