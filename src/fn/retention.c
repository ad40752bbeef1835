/*
 * retention.c: crm.retention, by orders, and crm.subscription_retention, by subscriptions.
 */
#include "pg/compat.h"

#include <math.h>

#include "utils/timestamp.h"

#include "kernel/retention.h"
#include "pg/activity.h"
#include "pg/args.h"
#include "pg/memory.h"
#include "pg/recurring.h"
#include "pg/results.h"
#include "pg/transactions.h"

#define MOST_ACTIVE_PERIODS 1000

enum
{
	ARG_SOURCE,
	ARG_FROM_AT,
	ARG_TO_AT,
	ARG_PERIOD,
	ARG_ACTIVE_PERIODS,
	ARG_REFUNDS
};

enum
{
	PERIOD_START,
	PERIOD_END,
	AT_START,
	RETAINED,
	LOST,
	NEW_CUSTOMERS,
	RETURNED,
	AT_END,
	RETENTION_RATE,
	CHURN_RATE,
	START_REVENUE,
	EXPANSION,
	CONTRACTION,
	LOST_REVENUE,
	NEW_REVENUE,
	RETURNED_REVENUE,
	END_REVENUE,
	NET_RETENTION,
	GROSS_RETENTION,
	IS_COMPLETE,
	COLUMNS
};

/* The periods of a report. */
typedef struct Window
{
	TimestampTz to_at; /* after the last moment */
	Interval length;
	CrmPeriod period;
	int32 window; /* periods that an order keeps a customer active */
	bool has_first;
	int32 first, last; /* periods; first only with has_first */
	int32 earliest;    /* the one that has all before those that matter */
} Window;

/* Read from_at, to_at and period. */
static void
read_window(FunctionCallInfo fcinfo, int32 active_periods, Window *window)
{
	*window = (Window){.window = active_periods, .earliest = PG_INT32_MIN};
	crm_arg_require(fcinfo, ARG_TO_AT, "to_at");
	window->to_at = PG_GETARG_TIMESTAMPTZ(ARG_TO_AT);
	if (TIMESTAMP_NOT_FINITE(window->to_at))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"to_at\" must be finite"));
	crm_arg_require(fcinfo, ARG_PERIOD, "period");
	window->length = *PG_GETARG_INTERVAL_P(ARG_PERIOD);
	crm_period_begin(&window->period, &window->length, session_timezone);
	window->last = crm_period_number(&window->period, window->to_at - 1);
	window->has_first = !PG_ARGISNULL(ARG_FROM_AT);
	if (window->has_first)
	{
		TimestampTz from_at = PG_GETARG_TIMESTAMPTZ(ARG_FROM_AT);

		if (TIMESTAMP_NOT_FINITE(from_at) || from_at >= window->to_at)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("argument \"from_at\" must be before \"to_at\""),
					errdetail("Got %s and %s.", pstrdup(timestamptz_to_str(from_at)),
							  pstrdup(timestamptz_to_str(window->to_at))));
		window->first = crm_period_number(&window->period, from_at);
		window->earliest =
			(int32) Max((int64) window->first - active_periods - 1, (int64) PG_INT32_MIN);
	}
}

/* Set the columns of money. */
static void
set_revenue(Datum *values, bool *nulls, const CrmRetention *row, bool is_complete)
{
	double net = crm_retention_net(row), gross = crm_retention_gross(row);
	CrmSum end = row->start_revenue;

	crm_sum_merge(&end, row->expansion);
	crm_sum_merge(&end, (CrmSum){-row->contraction.hi, -row->contraction.lo});
	crm_sum_merge(&end, (CrmSum){-row->lost_revenue.hi, -row->lost_revenue.lo});
	crm_sum_merge(&end, row->new_revenue);
	crm_sum_merge(&end, row->returned_revenue);
	values[START_REVENUE] = Float8GetDatum(crm_sum_value(row->start_revenue));
	values[EXPANSION] = Float8GetDatum(crm_sum_value(row->expansion));
	values[CONTRACTION] = Float8GetDatum(crm_sum_value(row->contraction));
	values[LOST_REVENUE] = Float8GetDatum(crm_sum_value(row->lost_revenue));
	values[NEW_REVENUE] = Float8GetDatum(crm_sum_value(row->new_revenue));
	values[RETURNED_REVENUE] = Float8GetDatum(crm_sum_value(row->returned_revenue));
	values[END_REVENUE] = Float8GetDatum(crm_sum_value(end));
	values[NET_RETENTION] = Float8GetDatum(net);
	values[GROSS_RETENTION] = Float8GetDatum(gross);
	nulls[NET_RETENTION] = !is_complete || isnan(net);
	nulls[GROSS_RETENTION] = !is_complete || isnan(gross);
}

/* Write the row of period number. */
static void
put_period(const CrmResult *result, Window *window, int64 number, const CrmRetention *row)
{
	int64 at_start = row->retained + row->lost;
	TimestampTz end = crm_period_start(&window->period, number + 1);
	bool is_complete = end <= window->to_at;
	double rate = at_start > 0 ? (double) row->retained / (double) at_start : NAN;
	Datum values[COLUMNS];
	bool nulls[COLUMNS] = {false};

	values[PERIOD_START] = TimestampTzGetDatum(crm_period_start(&window->period, number));
	values[PERIOD_END] = TimestampTzGetDatum(end);
	values[AT_START] = Int64GetDatum(at_start);
	values[RETAINED] = Int64GetDatum(row->retained);
	values[LOST] = Int64GetDatum(row->lost);
	values[NEW_CUSTOMERS] = Int64GetDatum(row->new_customers);
	values[RETURNED] = Int64GetDatum(row->returned);
	values[AT_END] = Int64GetDatum(row->retained + row->new_customers + row->returned);
	values[RETENTION_RATE] = Float8GetDatum(rate);
	values[CHURN_RATE] =
		Float8GetDatum(1.0 - rate); /* their sum rounds to 1 for any rate in [0,1] */
	nulls[RETENTION_RATE] = nulls[CHURN_RATE] = !is_complete || isnan(rate);
	set_revenue(values, nulls, row, is_complete);
	values[IS_COMPLETE] = BoolGetDatum(is_complete);
	crm_result_row(result, values, nulls);
}

/* Give the first period with an order; one after the last when there is none. */
static int64
first_period(const CrmCells *cells, int32 last)
{
	int64 first = (int64) last + 1;

	for (uint32 i = 0; i < cells->table.n; i++)
	{
		const CrmCellRow *row = crm_cells_row(cells, i);

		for (uint32 j = 0; j < row->used; j++)
		{
			CHECK_FOR_INTERRUPTS();
			if (row->cell[j].orders > 0)
				first = Min(first, row->cell[j].period);
		}
	}
	return first;
}

/* Count and write the periods, and end the run. */
static void
report_periods(const CrmResult *result, Window *window, CrmActivity *activity, CrmRun *run)
{
	int64 first = window->has_first ? window->first : first_period(&activity->cells, window->last);
	int64 n = (int64) window->last - first + 1;
	CrmRetention *rows;

	if (n > 0)
	{
		rows = crm_allocate(&activity->ctx, (size_t) n, sizeof(CrmRetention));
		if (rows == NULL)
			crm_memory_error(activity->ctx.wanted, &activity->ctx,
							 psprintf("counting %lld periods", (long long) n), NULL,
							 "take longer periods");
		crm_activity_check(activity,
						   crm_retention_count(&activity->ctx, &activity->cells, (int32) first,
											   (uint32) n, window->window, rows));
		for (int64 i = 0; i < n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			put_period(result, window, first + i, &rows[i]);
		}
	}
	crm_activity_end(activity, run);
}

PG_FUNCTION_INFO_V1(crm_retention_1_0);
/* crm.retention(source, from_at, to_at, ...): a row a period; see doc/retention.md */
Datum
crm_retention_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, COLUMNS);
	CrmOrdersRequest orders = {.function = "crm.retention"};
	CrmRun run = crm_run_begin(orders.function);
	CrmActivityRequest request = {.source = crm_arg_text(fcinfo, ARG_SOURCE)};
	CrmActivity *activity;
	Window window;

	read_window(
		fcinfo,
		(int32) crm_arg_int(fcinfo, ARG_ACTIVE_PERIODS, "active_periods", 1, MOST_ACTIVE_PERIODS),
		&window);
	crm_transactions_refunds(fcinfo, ARG_REFUNDS, &orders);
	request.refunds = orders.refunds;
	request.as_of = window.to_at - 1;
	request.period = request.cohort = window.length;
	request.earliest = window.earliest;
	activity = crm_activity_read(&request, &run);
	report_periods(&result, &window, activity, &run);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(crm_subscription_retention_1_0);
/* crm.subscription_retention(source, from_at, to_at, period): a row a period; see doc/retention.md
 */
Datum
crm_subscription_retention_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, COLUMNS);
	CrmRun run = crm_run_begin("crm.subscription_retention");
	CrmRecurringRequest request = {.source = crm_arg_text(fcinfo, ARG_SOURCE)};
	CrmActivity *activity;
	Window window;

	crm_arg_require(fcinfo, ARG_SOURCE, "source");
	read_window(fcinfo, 1, &window);
	request.to_at = window.to_at;
	request.period = window.length;
	request.earliest = window.earliest;
	activity = crm_recurring_read(&request, &run);
	report_periods(&result, &window, activity, &run);
	PG_RETURN_NULL();
}
