/*
 * clv_tracking.c: crm.clv_tracking, the repeat orders of a cohort step by step beside those that
 * the model of its orders up to a cut expects.
 */
#include "pg/compat.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kernel/clv.h"
#include "kernel/clv_fit.h"
#include "kernel/clv_tracking.h"
#include "pg/args.h"
#include "pg/memory.h"
#include "pg/results.h"
#include "pg/transactions.h"

#define FUNCTION   "crm.clv_tracking"
#define MOST_STEPS 10000
#define COLUMNS    10

enum
{
	ARG_SOURCE, /* or the key, and the source last */
	ARG_CUT_AT,
	ARG_UNTIL,
	ARG_MODEL,
	ARG_PERIOD,
	ARG_STEP,
	ARG_REFUNDS,
	ARG_SEED
};

static const char *const model_words[] = {"bgnbd", "mbgnbd", "paretonbd", "bgbb", "auto"};
static const CrmWords models = {"model", "models", model_words, lengthof(model_words)};

/* A report in the making. */
typedef struct Work
{
	CrmOrdersRequest request;
	CrmRun run;
	CrmOrdersState *orders;
	CrmPeriod period;
	TimestampTz cut_at, until;
	const Interval *step;
	CrmClvFitParam param;
	int32 cut, last; /* periods of cut_at and until */
	uint32 n;        /* customers who had come by the cut */
	uint32 *who;     /* their rows */
	int32 *first;    /* their first periods */
	size_t steps;
	TimestampTz *bound; /* steps + 1 */
	int32 *end;         /* steps: the last period of each */
	int64 *actual;      /* steps */
	double *expected;   /* steps: by the end of each; NaN without a model */
	CrmClvFit fit;
} Work;

/* ---- options ----------------------------------------------------------------------------- */

/* Read a moment that must be finite. */
static TimestampTz
read_moment(FunctionCallInfo fcinfo, int i, const char *name)
{
	crm_arg_require(fcinfo, i, name);
	if (TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(i)))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be finite", name));
	return PG_GETARG_TIMESTAMPTZ(i);
}

/* Give a moment plus an interval. */
static TimestampTz
plus(TimestampTz moment, const Interval *interval)
{
	return DatumGetTimestampTz(DirectFunctionCall2(
		timestamptz_pl_interval, TimestampTzGetDatum(moment), IntervalPGetDatum(interval)));
}

/* Read the options; at is the place of source. */
static void
read_options(FunctionCallInfo fcinfo, Work *work)
{
	CrmOrdersRequest *request = &work->request;

	memset(work, 0, sizeof(Work));
	work->run = crm_run_begin(FUNCTION);
	request->function = FUNCTION;
	request->source = crm_arg_source(fcinfo, &request->key_type);
	work->cut_at = read_moment(fcinfo, ARG_CUT_AT, "cut_at");
	work->until = read_moment(fcinfo, ARG_UNTIL, "until");
	if (work->until < work->cut_at)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"until\" must not be before \"cut_at\""));
	work->param.kind = (CrmClvKind) crm_arg_word(fcinfo, ARG_MODEL, &models);
	if ((int) work->param.kind == lengthof(model_words) - 1)
		work->param.kind = (CrmClvKind) CRM_CLV_AUTO;
	crm_transactions_period(fcinfo, ARG_PERIOD, request);
	crm_period_begin(&work->period, request->period, session_timezone);
	request->features |= CRM_CUSTOMERS_PERIODS;
	crm_arg_require(fcinfo, ARG_STEP, "step");
	work->step = PG_GETARG_INTERVAL_P(ARG_STEP);
	crm_transactions_refunds(fcinfo, ARG_REFUNDS, request);
	work->param.seed = (uint64) crm_arg_int(fcinfo, ARG_SEED, "seed", PG_INT64_MIN, PG_INT64_MAX);
	work->cut = crm_period_number(&work->period, work->cut_at);
	work->last = crm_period_number(&work->period, work->until);
	/* the whole period that until lies in; what is later is left out below */
	request->as_of = plus(work->until, request->period);
}

/* ---- orders and steps -------------------------------------------------------------------- */

/* Read the orders, and keep the customers who came by the cut. */
static void
read_customers(Work *work)
{
	const CrmCustomers *customers;
	uint32 n;

	work->orders = crm_orders_read(&work->request, &work->run);
	customers = &work->orders->customers;
	n = customers->table.n;
	work->who = crm_orders_allocate(work->orders, n, sizeof(uint32));
	work->first = crm_orders_allocate(work->orders, n, sizeof(int32));
	for (uint32 i = 0; i < n; i++)
	{
		const CrmFirst *first = crm_customers_first(customers, i);

		if (crm_customers_orders(customers, i)->count == 0 || first->period > work->cut)
			continue;
		work->who[work->n] = i;
		work->first[work->n++] = (int32) first->period;
	}
}

/* Give the bound that is k steps after the cut. */
static TimestampTz
bound_at(const Work *work, int k)
{
	Datum span = DirectFunctionCall2(interval_mul, IntervalPGetDatum(work->step),
									 Float8GetDatum((double) k));

	return plus(work->cut_at, DatumGetIntervalP(span));
}

/* Raise an error unless a step from one bound to the next has a period of its own. */
static void
check_step(const Work *work, int32 from, int32 to, size_t steps)
{
	if (to <= from)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"step\" must be at least a period long"),
				errdetail("Got %s.", DatumGetCString(DirectFunctionCall1(
										 interval_out, IntervalPGetDatum(work->step)))));
	if (steps > MOST_STEPS)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"step\" makes more than %d steps", MOST_STEPS),
				errhint("Give a longer step, or a source with orders of fewer years."));
}

/* Count the steps from the one with the first order of all to that of until; give how many of them
 * come before the cut. */
static int
count_steps(Work *work)
{
	int32 earliest = work->cut, at, next;
	int before = 0, after = 0;

	for (uint32 i = 0; i < work->n; i++)
		earliest = Min(earliest, work->first[i]);
	if ((int64) work->last - earliest > CRM_TRACKING_SPAN)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"period\" is too short to track orders over so long a time"),
				errdetail("At most %d periods can be tracked.", CRM_TRACKING_SPAN));
	for (at = work->cut; at > earliest; at = next)
	{
		CHECK_FOR_INTERRUPTS();
		next = crm_period_number(&work->period, bound_at(work, -++before));
		check_step(work, next, at, before);
	}
	for (at = work->cut; at < work->last; at = next)
	{
		CHECK_FOR_INTERRUPTS();
		next = crm_period_number(&work->period, bound_at(work, ++after));
		check_step(work, at, next, before + after);
	}
	work->steps = (size_t) before + after;
	return before;
}

/* Make the steps; the last one ends at until. */
static void
make_steps(Work *work)
{
	int before = count_steps(work);

	work->bound = crm_orders_allocate(work->orders, work->steps + 1, sizeof(TimestampTz));
	work->end = crm_orders_allocate(work->orders, work->steps, sizeof(int32));
	for (size_t k = 0; k <= work->steps; k++)
	{
		work->bound[k] = Min(bound_at(work, (int) k - before), work->until);
		if (k > 0)
			work->end[k - 1] = crm_period_number(&work->period, work->bound[k]);
	}
}

/* Count what customers did, and fit the model to what they had done by the cut. */
static void
track(Work *work)
{
	CrmOrdersState *orders = work->orders;
	double *column = crm_orders_allocate(orders, 3 * (size_t) work->n, sizeof(double));
	CrmBtydData data = {column, column + work->n, column + 2 * (size_t) work->n, NULL, work->n};

	work->actual = crm_orders_allocate(orders, work->steps, sizeof(int64));
	work->expected = crm_orders_allocate(orders, work->steps, sizeof(double));
	for (size_t k = 0; k < work->steps; k++)
	{
		work->actual[k] = 0;
		work->expected[k] = NAN;
	}
	for (uint32 i = 0; i < work->n; i++)
	{
		const CrmPeriods *set = crm_customers_periods(&orders->customers, work->who[i]);
		uint32 seen = set->used;

		CHECK_FOR_INTERRUPTS();
		crm_tracking_count(set->period, set->used, work->end, work->steps, work->actual);
		while (seen > 1 && set->period[seen - 1] > work->cut)
			seen--;
		column[i] = (double) seen - 1;
		column[work->n + i] = (double) set->period[seen - 1] - set->period[0];
		column[2 * (size_t) work->n + i] = (double) work->cut - set->period[0];
	}
	crm_orders_check(orders, crm_clv_fit(&orders->ctx, &data, &work->param, &work->fit));
	if (work->fit.kind == CRM_CLV_FORMULA)
		return;
	crm_orders_check(orders, crm_tracking_expected(&orders->ctx, work->fit.kind,
												   work->fit.fit.parameter, work->first, work->n,
												   work->end, work->steps, work->expected));
}

/* ---- rows -------------------------------------------------------------------------------- */

/* Write a row a step. */
static void
put_rows(const CrmResult *result, const Work *work)
{
	const CrmFit *fit = &work->fit.fit;
	bool is_known = work->fit.kind != CRM_CLV_FORMULA;
	int64 actual = 0;
	Datum values[COLUMNS];
	bool nulls[COLUMNS] = {false};

	nulls[5] = nulls[7] = nulls[8] = !is_known;
	values[8] = is_known ? CStringGetTextDatum(model_words[work->fit.kind]) : (Datum) 0;
	values[9] = CStringGetTextDatum(crm_fit_status_word(fit->status));
	for (size_t k = 0; k < work->steps; k++)
	{
		double before = k > 0 ? work->expected[k - 1] : 0.0;

		actual += work->actual[k];
		values[0] = Int32GetDatum((int32) k + 1);
		values[1] = TimestampTzGetDatum(work->bound[k]);
		values[2] = TimestampTzGetDatum(work->bound[k + 1]);
		values[3] = BoolGetDatum(work->end[k] <= work->cut);
		values[4] = Int64GetDatum(work->actual[k]);
		values[5] = Float8GetDatum(work->expected[k] - before);
		values[6] = Int64GetDatum(actual);
		values[7] = Float8GetDatum(work->expected[k]);
		crm_result_row(result, values, nulls);
	}
}

PG_FUNCTION_INFO_V1(crm_clv_tracking_1_0);
/* crm.clv_tracking([key,] ...): a row a step; see doc/clv_tracking.md */
Datum
crm_clv_tracking_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, COLUMNS);
	Work work;

	read_options(fcinfo, &work);
	read_customers(&work);
	if (work.n > 0)
	{
		make_steps(&work);
		track(&work);
		if (work.fit.fit.status == CRM_FIT_NOT_CONVERGED)
			ereport(WARNING,
					errmsg("the model \"%s\" did not converge", model_words[work.fit.kind]));
		put_rows(&result, &work);
	}
	crm_orders_memory(work.orders, &work.run);
	crm_run_end(&work.run);
	MemoryContextDelete(work.orders->memory);
	PG_RETURN_NULL();
}
