/*
 * survival.c: crm.survival_curve, crm.nelson_aalen and crm.logrank, on a source of subscriptions.
 */
#include "pg/compat.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kernel/survival.h"
#include "pg/args.h"
#include "pg/memory.h"
#include "pg/results.h"
#include "pg/subscriptions.h"

static const char *const interval_list[] = {"log-log", "log", "plain"};
static const CrmWords interval_words = {"interval_type", "interval types", interval_list,
										lengthof(interval_list)};

/* A report in the making. */
typedef struct Report
{
	CrmRun run;
	CrmSubscriptionsRequest request;
	CrmSubscriptions *rows;
	CrmCtx *ctx;
} Report;

/* Read what all have: source and group_by come first, `at` is where as_of, unit and entry stand. */
static void
begin_report(FunctionCallInfo fcinfo, const char *function, int at, bool needs_group,
			 Report *report)
{
	CrmSubscriptionsRequest *request = &report->request;

	report->run = crm_run_begin(function);
	crm_arg_require(fcinfo, 0, "source");
	request->function = function;
	request->source = crm_arg_text(fcinfo, 0);
	if (needs_group)
		crm_arg_require(fcinfo, 1, "group_by");
	request->group = crm_arg_text(fcinfo, 1);
	crm_arg_require(fcinfo, at, "as_of");
	request->as_of = PG_GETARG_TIMESTAMPTZ(at);
	if (TIMESTAMP_NOT_FINITE(request->as_of))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"as_of\" must be finite"));
	request->unit = crm_arg_word(fcinfo, at + 1, &crm_unit_words);
	request->entry = crm_arg_text(fcinfo, at + 2);
	request->row_bytes =
		(crm_survival_bytes(2000000) - crm_survival_bytes(1000000)) / 1000000 + 3 * sizeof(double);
	report->rows = crm_subscriptions_read(request, &report->run);
	report->ctx = &report->rows->design->ctx;
}

/* Raise the error that a kernel's status stands for, if it stands for one. */
static void
check(const Report *report, CrmStatus status)
{
	crm_memory_check(status, report->ctx, "survival analysis",
					 psprintf("%zu subscriptions", report->rows->n));
}

/* Close the account and free the memory. */
static void
end_report(Report *report)
{
	report->run.peak_memory = report->run.total_memory = (int64) report->ctx->peak;
	crm_run_end(&report->run);
	MemoryContextDelete(report->rows->design->memory);
}

/* Give n numbers within the budget. */
static double *
allocate(const Report *report, size_t n)
{
	double *numbers = crm_allocate(report->ctx, n, sizeof(double));

	if (numbers == NULL)
		check(report, report->ctx->failure);
	return numbers;
}

/* Bring the rows of a group together: each array is replaced by one in the order of groups.
 * first[g]: the first row of group g, first[groups] = n. */
static void
sort_by_group(Report *report, size_t *first)
{
	CrmSubscriptions *rows = report->rows;
	double **arrays[] = {&rows->time, &rows->event, &rows->entry};

	memset(first, 0, (rows->groups + 1) * sizeof(size_t));
	first[1] = rows->n;
	if (rows->group == NULL)
		return;
	first[1] = 0;
	for (size_t i = 0; i < rows->n; i++)
		first[(int) rows->group[i] + 1]++;
	for (int g = 0; g < rows->groups; g++)
		first[g + 1] += first[g];
	for (int a = 0; a < lengthof(arrays); a++)
	{
		double *sorted;
		size_t *next;

		if (*arrays[a] == NULL)
			continue;
		sorted = allocate(report, rows->n);
		next = palloc(rows->groups * sizeof(size_t));
		memcpy(next, first, rows->groups * sizeof(size_t));
		for (size_t i = 0; i < rows->n; i++)
			sorted[next[(int) rows->group[i]]++] = (*arrays[a])[i];
		pfree(next);
		*arrays[a] = sorted;
	}
}

/* Write the row of a point of a group's curve. */
typedef void (*PointWriter)(const CrmResult *result, const Report *report, const char *label,
							const CrmSurvivalCurve *curve, const CrmSurvivalPoint *point);

/* Make each group's curve and write it. at: where level stands, and after it what all have. */
static void
write_curves(FunctionCallInfo fcinfo, const char *function, int at, CrmSurvivalInterval interval,
			 double horizon, const CrmResult *result, PointWriter write)
{
	double level = crm_arg_double(fcinfo, at, "level", 0.5, 0.9999);
	Report whole = {.run = {.road = NULL}}, *report = &whole;
	const CrmSubscriptions *rows;
	size_t *first;

	begin_report(fcinfo, function, at + 1, false, report);
	rows = report->rows;
	first = palloc((Max(rows->groups, 1) + 1) * sizeof(size_t));
	sort_by_group(report, first);
	for (int g = 0; g < rows->groups; g++)
	{
		CrmSurvivalData data = {.entry = rows->entry != NULL ? rows->entry + first[g] : NULL,
								.time = rows->time + first[g],
								.event = rows->event + first[g],
								.n = first[g + 1] - first[g]};
		CrmSurvivalCurve curve;

		check(report, crm_survival_curve(report->ctx, &data, interval, level, horizon, &curve));
		for (size_t i = 0; i < curve.n; i++)
		{
			if (i % 1024 == 0)
				CHECK_FOR_INTERRUPTS();
			write(result, report, rows->labels[g], &curve, &curve.points[i]);
		}
		crm_survival_curve_free(report->ctx, &curve);
	}
	end_report(report);
}

/* Set the columns that both curves begin with. */
static void
set_counts(Datum *values, bool *nulls, const char *label, const CrmSurvivalPoint *point)
{
	nulls[0] = label == NULL;
	values[0] = label == NULL ? (Datum) 0 : CStringGetTextDatum(label);
	values[1] = Float8GetDatum(point->time);
	values[2] = Int64GetDatum(point->at_risk);
	values[3] = Int64GetDatum(point->events);
	values[4] = Int64GetDatum(point->censored);
}

static void
write_survival(const CrmResult *result, const Report *report, const char *label,
			   const CrmSurvivalCurve *curve, const CrmSurvivalPoint *point)
{
	Datum values[20];
	bool nulls[20] = {false};

	set_counts(values, nulls, label, point);
	values[5] = Float8GetDatum(point->survival);
	values[6] = Float8GetDatum(point->error);
	crm_result_number(values, nulls, 7, point->low);
	crm_result_number(values, nulls, 8, point->high);
	crm_result_number(values, nulls, 9, curve->median);
	crm_result_number(values, nulls, 10, curve->median_low);
	crm_result_number(values, nulls, 11, curve->median_high);
	values[12] = Float8GetDatum(curve->restricted_mean);
	values[13] = Float8GetDatum(curve->restricted_mean_error);
	values[14] = Float8GetDatum(curve->horizon);
	values[15] = Int64GetDatum(curve->rows);
	values[16] = Int64GetDatum(curve->events);
	values[17] = Int64GetDatum(report->run.rows.read);
	values[18] = Int64GetDatum(report->run.rows.used);
	values[19] = Int64GetDatum(report->run.rows.read - report->run.rows.used);
	crm_result_row(result, values, nulls);
}

PG_FUNCTION_INFO_V1(crm_survival_curve_1_0);
/* crm.survival_curve(source, group_by, ...): a row a group and time; see doc/survival.md */
Datum
crm_survival_curve_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 20);
	CrmSurvivalInterval interval = (CrmSurvivalInterval) crm_arg_word(fcinfo, 2, &interval_words);
	double horizon = PG_ARGISNULL(7) ? NAN : crm_arg_double(fcinfo, 7, "horizon", 0, 1e9);

	write_curves(fcinfo, "crm.survival_curve", 3, interval, horizon, &result, write_survival);
	PG_RETURN_NULL();
}

static void
write_hazard(const CrmResult *result, const Report *report, const char *label,
			 const CrmSurvivalCurve *curve, const CrmSurvivalPoint *point)
{
	Datum values[9];
	bool nulls[9] = {false};

	(void) report;
	(void) curve;
	set_counts(values, nulls, label, point);
	values[5] = Float8GetDatum(point->hazard);
	values[6] = Float8GetDatum(point->hazard_error);
	values[7] = Float8GetDatum(point->hazard_low);
	values[8] = Float8GetDatum(point->hazard_high);
	crm_result_row(result, values, nulls);
}

PG_FUNCTION_INFO_V1(crm_nelson_aalen_1_0);
/* crm.nelson_aalen(source, group_by, ...): a row a group and time; see doc/survival.md */
Datum
crm_nelson_aalen_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 9);

	write_curves(fcinfo, "crm.nelson_aalen", 2, CRM_SURVIVAL_LOG, NAN, &result, write_hazard);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(crm_logrank_1_0);
/* crm.logrank(source, group_by, ...): a row a group; see doc/survival.md */
Datum
crm_logrank_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 7);
	Report report = {.run = {.road = NULL}};
	CrmLogrankGroup *groups;
	CrmLogrank test = {.chi_squared = NAN, .p = NAN};
	const CrmSubscriptions *rows;

	begin_report(fcinfo, "crm.logrank", 2, true, &report);
	rows = report.rows;
	groups = palloc0(Max(rows->groups, 1) * sizeof(CrmLogrankGroup));
	if (rows->n > 0)
	{
		CrmSurvivalData data = {rows->entry, rows->time, rows->event, rows->n};

		check(&report,
			  crm_survival_logrank(report.ctx, &data, rows->group, rows->groups, groups, &test));
	}
	for (int g = 0; g < rows->groups; g++)
	{
		Datum values[7];
		bool nulls[7] = {false};

		values[0] = CStringGetTextDatum(rows->labels[g]);
		values[1] = Int64GetDatum(groups[g].rows);
		values[2] = Int64GetDatum(groups[g].events);
		values[3] = Float8GetDatum(groups[g].expected);
		crm_result_number(values, nulls, 4, test.chi_squared);
		values[5] = Int32GetDatum(test.df);
		crm_result_number(values, nulls, 6, test.p);
		crm_result_row(&result, values, nulls);
	}
	end_report(&report);
	PG_RETURN_NULL();
}
