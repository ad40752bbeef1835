/*
 * sequences.c: crm.sequential_patterns and crm.sequence_rules. Both read events, mine patterns and
 * put them in order; they differ in what they write.
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kernel/sequence.h"
#include "pg/args.h"
#include "pg/baskets.h"
#include "pg/events.h"
#include "pg/memory.h"
#include "pg/results.h"

#define WORK "the search for sequential patterns"

/* The options from max_length on, which both functions have in this order. */
enum
{
	ARG_MAX_LENGTH,
	ARG_MIN_GAP,
	ARG_MAX_GAP,
	ARG_WINDOW,
	ARG_CONTIGUOUS,
	ARG_ITEMSETS,
	ARG_AS_OF
};

/* A report in the making. Everything it points to lives in events->memory. */
typedef struct Report
{
	double min_support; /* a share up to 1, a count above */
	CrmSequenceParam param;
	CrmEventsRequest request;
	CrmRun run;
	CrmEvents *events;
	CrmSequenceData data;
	CrmSequenceModel model;
	uint32_t *order; /* of all patterns but the empty one */
	MemoryContext row_memory;
} Report;

/* Read min_support: a share of customers, or a number of them. */
static double
read_support(FunctionCallInfo fcinfo, int i)
{
	double support;

	crm_arg_require(fcinfo, i, "min_support");
	support = PG_GETARG_FLOAT8(i);
	if (!(support > 0) || (support > 1 && support != floor(support)) || isinf(support))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"min_support\" must be a share above 0 and up to 1, or a whole "
					   "number of customers above 1"),
				errdetail("Got %g.", support),
				errhint("0.01 asks for one customer in a hundred, 50 for fifty customers; 1 is all "
						"of them."));
	return support;
}

/* Read an interval of elapsed time in microseconds; unset when it is NULL. */
static uint64_t
read_interval(FunctionCallInfo fcinfo, int i, const char *name, uint64_t unset)
{
	const Interval *interval;
	int64 days, micros;
	char *got;

	if (PG_ARGISNULL(i))
		return unset;
	interval = PG_GETARG_INTERVAL_P(i);
	got = DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(interval)));
	if (interval->month != 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must not have months or years, which have no fixed length",
					   name),
				errdetail("Got %s.", got), errhint("Give it in days; a day is 24 hours."));
	days = (int64) interval->day * USECS_PER_DAY;
	if (__builtin_add_overflow(days, interval->time, &micros) || micros < 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must not be negative", name), errdetail("Got %s.", got));
	return (uint64_t) micros;
}

/* Read a boolean option. */
static bool
read_flag(FunctionCallInfo fcinfo, int i, const char *name)
{
	crm_arg_require(fcinfo, i, name);
	return PG_GETARG_BOOL(i);
}

/* Read the options that both functions have; at is the position of max_length. */
static void
read_options(FunctionCallInfo fcinfo, int at, int least_length, Report *report)
{
	CrmSequenceParam *param = &report->param;

	report->request.source = crm_arg_text(fcinfo, 0);
	report->request.what = WORK;
	report->min_support = read_support(fcinfo, 1);
	if (!PG_ARGISNULL(at + ARG_MAX_LENGTH))
		param->max_length = (uint32_t) crm_arg_int(fcinfo, at + ARG_MAX_LENGTH, "max_length",
												   least_length, PG_INT32_MAX);
	param->min_gap = read_interval(fcinfo, at + ARG_MIN_GAP, "min_gap", 0);
	param->max_gap = read_interval(fcinfo, at + ARG_MAX_GAP, "max_gap", UINT64_MAX);
	param->window = read_interval(fcinfo, at + ARG_WINDOW, "window", UINT64_MAX);
	param->contiguous = read_flag(fcinfo, at + ARG_CONTIGUOUS, "contiguous");
	param->itemsets = read_flag(fcinfo, at + ARG_ITEMSETS, "itemsets");
	if (param->max_gap == 0 || param->window == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be above zero",
					   param->max_gap == 0 ? "max_gap" : "window"),
				errhint("Events of one moment do not follow one another; see itemsets."));
	if (param->min_gap > param->max_gap)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"min_gap\" must not be above \"max_gap\""));
	crm_arg_require(fcinfo, at + ARG_AS_OF, "as_of");
	report->request.as_of = PG_GETARG_TIMESTAMPTZ(at + ARG_AS_OF);
	if (TIMESTAMP_NOT_FINITE(report->request.as_of))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"as_of\" must be finite"));
}

/* Give the least number of customers that min_support asks for; an error when there are fewer. */
static uint32_t
least_count(double support, uint32_t customers)
{
	if (support > 1 && support > customers && customers > 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("min_support is above the number of customers"),
				errdetail("Got %.15g, the source has %u customers.", support, customers),
				errhint("Give a share up to 1, or a count up to %u.", customers));
	return crm_baskets_min_count(support, customers);
}

/* Raise the error for more memory than there may be; reduce says what else helps. */
static _Noreturn void
memory_error(const Report *report, size_t wanted, const char *reduce)
{
	const CrmEvents *events = report->events;

	crm_memory_error(wanted, &events->ctx, WORK,
					 psprintf("%zu events of %u customers; a pattern needs %u of them.", events->n,
							  events->n_customers, report->param.min_count),
					 reduce);
}

/* Raise the error that a kernel's status stands for, if it stands for one. */
static void
check(const Report *report, CrmStatus status)
{
	const CrmCtx *ctx = &report->events->ctx;

	if (status == CRM_LIMIT)
		memory_error(report, ctx->wanted, "raise min_support");
	crm_memory_check(status, ctx, WORK, NULL);
}

/* Raise the error for patterns that do not fit, with a support at which they would, found by
 * doubling it. */
static _Noreturn void
too_many(Report *report)
{
	CrmCtx *ctx = &report->events->ctx;
	CrmSequenceParam param = report->param;
	uint32_t customers = report->events->n_customers;
	size_t wanted = ctx->wanted, limit = ctx->limit;
	const char *reduce = "raise min_support";
	CrmStatus status = CRM_LIMIT;

	ctx->limit -= limit / 8; /* room to put them in order */
	for (uint64_t count = 2 * (uint64_t) param.min_count; status == CRM_LIMIT && count <= customers;
		 count *= 2)
	{
		param.min_count = (uint32_t) count;
		status = crm_sequence_mine(ctx, &report->data, &param, &report->model);
	}
	ctx->limit = limit;
	if (status == CRM_OK)
		reduce = psprintf("raise min_support: with %u customers (%g) the patterns fit",
						  param.min_count, (double) param.min_count / customers);
	if (param.max_length == 0 || param.max_length > 2)
		reduce = psprintf("reduce max_length, or %s", reduce);
	memory_error(report, wanted, reduce);
}

/* Tell of patterns that are left out. */
static void
tell_limits(const Report *report)
{
	if (report->model.is_cut)
		ereport(NOTICE,
				errmsg("%s left out patterns of more than %u events", report->run.function,
					   report->param.max_length),
				errdetail("There are such patterns with the support asked for."),
				errhint("Give a larger max_length, or NULL for no bound."));
}

/* Read the options and the events, mine the patterns and put them in order. */
static Report *
make_report(FunctionCallInfo fcinfo, const char *function, int at, int least_length)
{
	Report *report = palloc0(sizeof(Report));
	CrmEvents *events;
	CrmStatus status;

	report->run = crm_run_begin(function);
	read_options(fcinfo, at, least_length, report);
	report->events = events = crm_events_read(&report->request, &report->run);
	report->param.min_count = least_count(report->min_support, events->n_customers);
	Assert(crm_sequence_check(&report->param) == NULL);
	report->data = (CrmSequenceData){
		.events = events->events, .n = events->n, .n_customers = events->n_customers};
	check(report,
		  crm_sequence_arrange(&events->ctx, &report->data, events->labels.n, &report->param));
	status = crm_sequence_mine(&events->ctx, &report->data, &report->param, &report->model);
	if (status == CRM_LIMIT)
		too_many(report);
	check(report, status);
	report->order = crm_allocate(&events->ctx, report->model.n, sizeof(uint32_t));
	check(report, report->order == NULL
					  ? events->ctx.failure
					  : crm_sequence_order(&events->ctx, &report->model, report->order));
	tell_limits(report);
	report->row_memory =
		AllocSetContextCreate(events->memory, "crm sequences row", ALLOCSET_SMALL_SIZES);
	return report;
}

/* Close the account and free the report's memory. */
static void
end_report(Report *report)
{
	report->run.peak_memory = report->run.total_memory = (int64) report->events->ctx.peak;
	crm_run_end(&report->run);
	MemoryContextDelete(report->events->memory);
}

/* Add an event to a step of several: plain, or in double quotes where it could be misread. */
static void
add_event(StringInfo step, Datum label)
{
	const char *at = VARDATA_ANY(DatumGetPointer(label));
	size_t length = VARSIZE_ANY_EXHDR(DatumGetPointer(label));

	if (step->len > 0)
		appendStringInfoChar(step, '+');
	if (length > 0 && memchr(at, '+', length) == NULL && memchr(at, '"', length) == NULL)
	{
		appendBinaryStringInfo(step, at, (int) length);
		return;
	}
	appendStringInfoChar(step, '"');
	for (size_t i = 0; i < length; i++)
	{
		if (at[i] == '"')
			appendStringInfoChar(step, '"');
		appendStringInfoChar(step, at[i]);
	}
	appendStringInfoChar(step, '"');
}

/* Give a pattern as text[], an element a step, in the current memory context. */
static Datum
pattern_array(const Report *report, uint32_t pattern)
{
	const CrmSequencePattern *patterns = report->model.patterns;
	uint32_t n = patterns[pattern].length;
	uint32_t *codes = palloc(n * sizeof(uint32_t));
	Datum *steps = palloc(n * sizeof(Datum));
	int n_steps = 0;

	for (uint32_t i = n; i-- > 0; pattern = patterns[pattern].parent)
		codes[i] = patterns[pattern].code;
	for (uint32_t i = 0; i < n;)
	{
		StringInfoData step;

		if (!report->param.itemsets)
		{
			steps[n_steps++] = crm_events_label(report->events, report->data.label[codes[i++] / 2]);
			continue;
		}
		initStringInfo(&step);
		do
			add_event(&step, crm_events_label(report->events, report->data.label[codes[i++] / 2]));
		while (i < n && (codes[i] & 1) != 0);
		steps[n_steps++] = PointerGetDatum(cstring_to_text_with_len(step.data, step.len));
	}
	return PointerGetDatum(construct_array(steps, n_steps, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Give a time in days and time, as timestamptz minus does, in the current memory context. */
static Datum
span_interval(uint64_t micros)
{
	Interval *interval = palloc0(sizeof(Interval));

	interval->day = (int32) (micros / USECS_PER_DAY);
	interval->time = (int64) (micros % USECS_PER_DAY);
	return IntervalPGetDatum(interval);
}

/* Write a row whose values are in row_memory, which is then reset. */
static void
write_row(const Report *report, const CrmResult *result, Datum *values)
{
	bool nulls[7] = {false};

	crm_result_row(result, values, nulls);
	MemoryContextReset(report->row_memory);
	CHECK_FOR_INTERRUPTS();
}

PG_FUNCTION_INFO_V1(crm_sequential_patterns_1_0);
/* crm.sequential_patterns(...): a row a frequent pattern; see doc/sequences.md */
Datum
crm_sequential_patterns_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 5);
	Report *report = make_report(fcinfo, "crm.sequential_patterns", 2, 1);
	MemoryContext caller = MemoryContextSwitchTo(report->row_memory);
	Datum values[5];

	for (size_t i = 0; i + 1 < report->model.n; i++)
	{
		const CrmSequencePattern *pattern = &report->model.patterns[report->order[i]];

		values[0] = pattern_array(report, report->order[i]);
		values[1] = Int32GetDatum((int32) pattern->length);
		values[2] = Float8GetDatum((double) pattern->count / report->events->n_customers);
		values[3] = Int64GetDatum(pattern->count);
		values[4] = span_interval(pattern->time);
		write_row(report, &result, values);
	}
	MemoryContextSwitchTo(caller);
	end_report(report);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(crm_sequence_rules_1_0);
/* crm.sequence_rules(...): a row a rule; see doc/sequences.md */
Datum
crm_sequence_rules_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 7);
	double min_confidence = crm_arg_double(fcinfo, 2, "min_confidence", 0, 1);
	Report *report = make_report(fcinfo, "crm.sequence_rules", 3, 2);
	MemoryContext caller;
	CrmSequenceRules rules;
	Datum values[7];

	check(report, crm_sequence_rules(&report->events->ctx, &report->model, report->order,
									 min_confidence, &rules));
	caller = MemoryContextSwitchTo(report->row_memory);
	for (size_t i = 0; i < rules.n; i++)
	{
		const CrmSequenceRule *rule = &rules.rules[rules.order[i]];
		const CrmSequencePattern *pattern = &report->model.patterns[rule->pattern];

		values[0] = pattern_array(report, rule->antecedent);
		values[1] = pattern_array(report, rule->consequent);
		values[2] = Float8GetDatum((double) pattern->count / report->events->n_customers);
		values[3] = Float8GetDatum(rule->confidence);
		values[4] = Float8GetDatum(rule->lift);
		values[5] = Int64GetDatum(pattern->count);
		values[6] = span_interval(pattern->time);
		write_row(report, &result, values);
	}
	MemoryContextSwitchTo(caller);
	end_report(report);
	PG_RETURN_NULL();
}
