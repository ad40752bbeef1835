/*
 * cohorts.c: crm.cohorts, customers by the period in which they began and what they did since.
 */
#include "pg/compat.h"

#include <math.h>

#include "utils/date.h"

#include "kernel/cohorts.h"
#include "pg/activity.h"
#include "pg/args.h"
#include "pg/memory.h"
#include "pg/results.h"
#include "pg/transactions.h"

enum
{
	ARG_SOURCE,
	ARG_COHORT,
	ARG_PERIOD,
	ARG_MEASURE,
	ARG_AS_OF,
	ARG_REFUNDS
};

enum
{
	COHORT,
	NUMBER,
	PERIOD_START,
	SIZE,
	ACTIVE,
	RATE,
	ROLLING_RATE,
	ORDERS,
	REVENUE,
	CUMULATIVE_REVENUE,
	REVENUE_PER_CUSTOMER,
	VALUE,
	SHARE,
	IS_COMPLETE,
	COLUMNS
};

typedef enum Measure
{
	MEASURE_CUSTOMERS,
	MEASURE_REVENUE,
	MEASURE_ORDERS
} Measure;

static const char *const length_list[] = {"day", "week", "month", "quarter", "year"};
static const CrmWords cohort_words = {"cohort", "cohorts", length_list, lengthof(length_list)};
static const CrmWords period_words = {"period", "periods", length_list, lengthof(length_list)};
static const Interval lengths[] = {
	{.day = 1}, {.day = 7}, {.month = 1}, {.month = 3}, {.month = 12}};
static const char *const measure_list[] = {"customers", "revenue", "orders"};
static const CrmWords measure_words = {"measure", "measures", measure_list, lengthof(measure_list)};

/* A report in the making. */
typedef struct Report
{
	CrmActivityRequest request;
	CrmRun run;
	CrmActivity *activity;
	CrmPeriod cohort, period;
	Measure measure;
	int32 now; /* the period of as_of */
	CrmCohorts cohorts;
} Report;

/* Read the options and the orders. */
static void
begin_report(FunctionCallInfo fcinfo, Report *report)
{
	CrmActivityRequest *request = &report->request;
	CrmOrdersRequest orders = {.function = "crm.cohorts"};

	*report = (Report){.run = crm_run_begin(orders.function)};
	request->source = crm_arg_text(fcinfo, ARG_SOURCE);
	request->cohort = lengths[crm_arg_word(fcinfo, ARG_COHORT, &cohort_words)];
	request->period = lengths[crm_arg_word(fcinfo, ARG_PERIOD, &period_words)];
	report->measure = (Measure) crm_arg_word(fcinfo, ARG_MEASURE, &measure_words);
	crm_transactions_as_of(fcinfo, ARG_AS_OF, &orders);
	crm_transactions_refunds(fcinfo, ARG_REFUNDS, &orders);
	request->as_of = orders.as_of;
	request->refunds = orders.refunds;
	request->earliest = PG_INT32_MIN;
	crm_period_begin(&report->cohort, &request->cohort, session_timezone);
	crm_period_begin(&report->period, &request->period, session_timezone);
	report->now = crm_period_number(&report->period, request->as_of);
	report->activity = crm_activity_read(request, &report->run);
}

/* Give the period in which a cohort begins. */
static int32
cohort_start(void *user, int32 cohort)
{
	const Report *report = user;

	return (int32) crm_period_local_number(&report->period,
										   crm_period_local_start(&report->cohort, cohort));
}

/* Give the period in which a cohort ends. */
static int64
cohort_end(const Report *report, int32 cohort)
{
	Timestamp next = crm_period_local_start(&report->cohort, (int64) cohort + 1);

	return crm_period_local_number(&report->period, next - 1);
}

/* Give the date on which a period begins. */
static Datum
start_date(const CrmPeriod *period, int64 number)
{
	Timestamp start = crm_period_local_start(period, number);

	return DateADTGetDatum((DateADT) (start / USECS_PER_DAY));
}

/* Give what is measured of a cohort in a period. */
static double
measure_of(const Report *report, const CrmCohortCell *cell)
{
	switch (report->measure)
	{
		case MEASURE_REVENUE:
			return crm_sum_value(cell->revenue);
		case MEASURE_ORDERS:
			return (double) cell->orders;
		default:
			return (double) cell->active;
	}
}

/* Write the rows of a cohort. */
static void
put_cohort(const CrmResult *result, Report *report, const CrmCohort *cohort)
{
	int64 first = cohort_start(report, cohort->number);
	int64 end = cohort_end(report, cohort->number);
	double base = measure_of(report, &cohort->cell[0]);
	CrmSum revenue = {0};

	for (uint32 k = 0; k < cohort->width; k++)
	{
		const CrmCohortCell *cell = &cohort->cell[k];
		bool is_complete = end + k < report->now;
		Datum values[COLUMNS];
		bool nulls[COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		crm_sum_merge(&revenue, cell->revenue);
		values[COHORT] = start_date(&report->cohort, cohort->number);
		values[NUMBER] = Int32GetDatum((int32) k);
		values[PERIOD_START] = start_date(&report->period, first + k);
		values[SIZE] = Int64GetDatum(cohort->size);
		values[ACTIVE] = Int64GetDatum(cell->active);
		values[RATE] = Float8GetDatum((double) cell->active / (double) cohort->size);
		values[ROLLING_RATE] = Float8GetDatum((double) cell->later / (double) cohort->size);
		values[ORDERS] = Int64GetDatum(cell->orders);
		values[REVENUE] = Float8GetDatum(crm_sum_value(cell->revenue));
		values[CUMULATIVE_REVENUE] = Float8GetDatum(crm_sum_value(revenue));
		values[REVENUE_PER_CUSTOMER] = Float8GetDatum(crm_sum_mean(revenue, cohort->size));
		values[VALUE] = Float8GetDatum(measure_of(report, cell));
		values[SHARE] = Float8GetDatum(measure_of(report, cell) / base);
		nulls[RATE] = nulls[ROLLING_RATE] = !is_complete;
		nulls[SHARE] = !is_complete || !(base > 0.0);
		values[IS_COMPLETE] = BoolGetDatum(is_complete);
		crm_result_row(result, values, nulls);
	}
}

PG_FUNCTION_INFO_V1(crm_cohorts_1_0);
/* crm.cohorts(source, cohort, period, ...): a row a cohort and period; see doc/cohorts.md */
Datum
crm_cohorts_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, COLUMNS);
	CrmActivity *activity;
	CrmCohorts *cohorts;
	CrmStatus status;
	Report report;
	int32 last;

	begin_report(fcinfo, &report);
	activity = report.activity;
	cohorts = &report.cohorts;
	crm_activity_check(activity, crm_cohorts_find(&activity->ctx, &activity->cells, cohorts));
	/* a period that begins at as_of has a row only if something happened at that very moment */
	last = Max(crm_period_number(&report.period, report.request.as_of - 1), cohorts->latest);
	status =
		crm_cohorts_count(&activity->ctx, &activity->cells, last, cohort_start, &report, cohorts);
	if (status == CRM_LIMIT)
		crm_memory_error(activity->ctx.wanted, &activity->ctx, "the table of cohorts and periods",
						 psprintf("%u cohorts.", cohorts->n), "take longer periods");
	crm_activity_check(activity, status);
	for (uint32 c = 0; c < cohorts->n; c++)
		put_cohort(&result, &report, &cohorts->cohort[c]);
	if (cohorts->without_order > 0)
		ereport(NOTICE, errmsg("crm.cohorts left out %lld customers with refunds only",
							   (long long) cohorts->without_order));
	crm_activity_end(activity, &report.run);
	PG_RETURN_NULL();
}
