/*
 * orders.c: crm.order_summary, the fixed-size summary of one customer's orders: its text and binary
 * form, the aggregates that make and merge summaries, their accessors; and crm.period_number.
 *
 * Text form: (count,skipped,first,last,sum,sum_tail,squares,squares_tail). The sums are hi and lo
 * of base/sum.h (scaled by 2^-64) in the shortest form that reads back to the same bits; the times
 * are ISO 8601 in UTC and empty when count is 0.
 */
#include "pg/compat.h"

#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/timestamp.h"

#include "kernel/base/summary.h"
#include "pg/memory.h"
#include "pg/moment.h"
#include "pg/period.h"

#define PG_GETARG_SUMMARY(i) ((CrmSummary *) PG_GETARG_POINTER(i))
#define FIELDS               8

/* Tell whether a summary that came from outside can be one of ours. */
static bool
is_sound(const CrmSummary *summary)
{
	return summary->count >= 0 && summary->skipped >= 0 && summary->first <= summary->last &&
		   IS_VALID_TIMESTAMP(summary->first) && IS_VALID_TIMESTAMP(summary->last) &&
		   isfinite(summary->sum.hi) && isfinite(summary->sum.lo) && !isnan(summary->squares.hi) &&
		   isfinite(summary->squares.lo) &&
		   (summary->count > 0 || (summary->sum.hi == 0.0 && summary->squares.hi == 0.0));
}

/* Append a double in the shortest form that reads back to the same bits. */
static void
append_double(StringInfo text, double value)
{
	char digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	(void) double_to_shortest_decimal_buf(value, digits);
	appendStringInfo(text, ",%s", digits);
}

PG_FUNCTION_INFO_V1(crm_order_summary_out_1_0);
/* crm._order_summary_out(crm.order_summary) -> cstring */
Datum
crm_order_summary_out_1_0(PG_FUNCTION_ARGS)
{
	const CrmSummary *summary = PG_GETARG_SUMMARY(0);
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "(%lld,%lld", (long long) summary->count, (long long) summary->skipped);
	if (summary->count > 0)
		appendStringInfo(&text, ",%s,%s", crm_moment_text(summary->first),
						 crm_moment_text(summary->last));
	else
		appendStringInfoString(&text, ",,");
	append_double(&text, summary->sum.hi);
	append_double(&text, summary->sum.lo);
	append_double(&text, summary->squares.hi);
	append_double(&text, summary->squares.lo);
	appendStringInfoChar(&text, ')');
	PG_RETURN_CSTRING(text.data);
}

/* Raise the error for a text that is no summary. */
static void
input_error(const char *text)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			errmsg("invalid input syntax for type %s: \"%s\"", "crm.order_summary", text),
			errhint("Summaries are made by crm.summarize(ordered_at, amount)."));
}

/* Read a moment; an empty field is 0. */
static int64
read_moment(char *field)
{
	if (*field == '\0')
		return 0;
	return DatumGetTimestampTz(DirectFunctionCall3(
		timestamptz_in, CStringGetDatum(field), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* Read a count. */
static int64
read_count(char *field)
{
	return DatumGetInt64(DirectFunctionCall1(int8in, CStringGetDatum(field)));
}

/* Read a double. */
static double
read_double(char *field)
{
	return DatumGetFloat8(DirectFunctionCall1(float8in, CStringGetDatum(field)));
}

PG_FUNCTION_INFO_V1(crm_order_summary_in_1_0);
/* crm._order_summary_in(cstring) -> crm.order_summary */
Datum
crm_order_summary_in_1_0(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	CrmSummary *summary = palloc0(sizeof(CrmSummary));
	size_t length = strlen(text);
	char *field[FIELDS];
	char *at;
	int n = 0;

	if (length < 2 || text[0] != '(' || text[length - 1] != ')')
		input_error(text);
	at = pnstrdup(text + 1, length - 2);
	while (at != NULL && n < FIELDS)
		field[n++] = strsep(&at, ",");
	if (n < FIELDS || at != NULL)
		input_error(text);
	summary->count = read_count(field[0]);
	for (int i = 2; i <= 3; i++) /* times with orders only, and no word such as now or infinity */
		if (summary->count > 0 ? !isdigit((unsigned char) *field[i]) : *field[i] != '\0')
			input_error(text);
	summary->skipped = read_count(field[1]);
	summary->first = read_moment(field[2]);
	summary->last = read_moment(field[3]);
	summary->sum = (CrmSum){read_double(field[4]), read_double(field[5])};
	summary->squares = (CrmSum){read_double(field[6]), read_double(field[7])};
	if (!is_sound(summary))
		input_error(text);
	PG_RETURN_POINTER(summary);
}

PG_FUNCTION_INFO_V1(crm_order_summary_send_1_0);
/* crm._order_summary_send(crm.order_summary) -> bytea */
Datum
crm_order_summary_send_1_0(PG_FUNCTION_ARGS)
{
	const CrmSummary *summary = PG_GETARG_SUMMARY(0);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendint64(&buffer, summary->count);
	pq_sendint64(&buffer, summary->skipped);
	pq_sendint64(&buffer, summary->first);
	pq_sendint64(&buffer, summary->last);
	pq_sendfloat8(&buffer, summary->sum.hi);
	pq_sendfloat8(&buffer, summary->sum.lo);
	pq_sendfloat8(&buffer, summary->squares.hi);
	pq_sendfloat8(&buffer, summary->squares.lo);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(crm_order_summary_recv_1_0);
/* crm._order_summary_recv(internal) -> crm.order_summary */
Datum
crm_order_summary_recv_1_0(PG_FUNCTION_ARGS)
{
	StringInfo buffer = (StringInfo) PG_GETARG_POINTER(0);
	CrmSummary *summary = palloc0(sizeof(CrmSummary));

	summary->count = pq_getmsgint64(buffer);
	summary->skipped = pq_getmsgint64(buffer);
	summary->first = pq_getmsgint64(buffer);
	summary->last = pq_getmsgint64(buffer);
	summary->sum.hi = pq_getmsgfloat8(buffer);
	summary->sum.lo = pq_getmsgfloat8(buffer);
	summary->squares.hi = pq_getmsgfloat8(buffer);
	summary->squares.lo = pq_getmsgfloat8(buffer);
	if (!is_sound(summary))
		ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				errmsg("invalid binary form of type crm.order_summary"));
	PG_RETURN_POINTER(summary);
}

/* Give the state of an aggregate over summaries: argument 0, or an empty one in the aggregate's
 * memory. */
static CrmSummary *
aggregate_state(FunctionCallInfo fcinfo)
{
	MemoryContext context;
	CrmSummary *state;

	context = crm_aggregate_context(fcinfo);
	if (!PG_ARGISNULL(0))
		return PG_GETARG_SUMMARY(0);
	state = MemoryContextAlloc(context, sizeof(CrmSummary));
	crm_summary_init(state);
	return state;
}

PG_FUNCTION_INFO_V1(crm_summarize_transition_1_0);
/* crm._summarize_transition(crm.order_summary, timestamptz, float8) -> crm.order_summary */
Datum
crm_summarize_transition_1_0(PG_FUNCTION_ARGS)
{
	CrmSummary *state = aggregate_state(fcinfo);
	TimestampTz ordered_at = PG_ARGISNULL(1) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(1);
	double amount = PG_ARGISNULL(2) ? NAN : PG_GETARG_FLOAT8(2);

	if (TIMESTAMP_NOT_FINITE(ordered_at) || !isfinite(amount))
		state->skipped++;
	else
		crm_summary_add(state, ordered_at, amount);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(crm_summarize_combine_1_0);
/* crm._summarize_combine(crm.order_summary, crm.order_summary) -> crm.order_summary */
Datum
crm_summarize_combine_1_0(PG_FUNCTION_ARGS)
{
	CrmSummary *state;

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	state = aggregate_state(fcinfo);
	if (!PG_ARGISNULL(1))
		crm_summary_merge(state, PG_GETARG_SUMMARY(1));
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(crm_order_count_1_0);
/* crm.order_count(crm.order_summary) -> bigint */
Datum
crm_order_count_1_0(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_SUMMARY(0)->count);
}

PG_FUNCTION_INFO_V1(crm_skipped_count_1_0);
/* crm.skipped_count(crm.order_summary) -> bigint */
Datum
crm_skipped_count_1_0(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_SUMMARY(0)->skipped);
}

PG_FUNCTION_INFO_V1(crm_first_order_at_1_0);
/* crm.first_order_at(crm.order_summary) -> timestamptz; NULL without orders */
Datum
crm_first_order_at_1_0(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_SUMMARY(0)->count == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(PG_GETARG_SUMMARY(0)->first);
}

PG_FUNCTION_INFO_V1(crm_last_order_at_1_0);
/* crm.last_order_at(crm.order_summary) -> timestamptz; NULL without orders */
Datum
crm_last_order_at_1_0(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_SUMMARY(0)->count == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(PG_GETARG_SUMMARY(0)->last);
}

PG_FUNCTION_INFO_V1(crm_total_amount_1_0);
/* crm.total_amount(crm.order_summary) -> float8; NULL without orders, as sum() gives */
Datum
crm_total_amount_1_0(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_SUMMARY(0)->count == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(crm_sum_value(PG_GETARG_SUMMARY(0)->sum));
}

PG_FUNCTION_INFO_V1(crm_mean_amount_1_0);
/* crm.mean_amount(crm.order_summary) -> float8; NULL without orders */
Datum
crm_mean_amount_1_0(PG_FUNCTION_ARGS)
{
	const CrmSummary *summary = PG_GETARG_SUMMARY(0);

	if (summary->count == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(crm_sum_mean(summary->sum, summary->count));
}

PG_FUNCTION_INFO_V1(crm_stddev_amount_1_0);
/* crm.stddev_amount(crm.order_summary) -> float8: of the sample; NULL below two orders */
Datum
crm_stddev_amount_1_0(PG_FUNCTION_ARGS)
{
	const CrmSummary *summary = PG_GETARG_SUMMARY(0);

	if (summary->count < 2)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sqrt(crm_summary_variance(summary)));
}

/* What crm.period_number keeps from row to row: the length and zone it was last asked for. */
typedef struct PeriodCache
{
	Interval length;
	char zone[TZ_STRLEN_MAX + 1];
	CrmPeriod period;
} PeriodCache;

PG_FUNCTION_INFO_V1(crm_period_number_1_0);
/* crm.period_number(moment timestamptz, period interval, zone text), and the same with the zone as
 * bytea, -> integer; NULL for a moment at infinity */
Datum
crm_period_number_1_0(PG_FUNCTION_ARGS)
{
	TimestampTz moment = PG_GETARG_TIMESTAMPTZ(0);
	Interval *length = PG_GETARG_INTERVAL_P(1);
	text *zone_text = PG_GETARG_TEXT_PP(2);
	PeriodCache *cache = fcinfo->flinfo->fn_extra;
	size_t zone_length = VARSIZE_ANY_EXHDR(zone_text);

	if (TIMESTAMP_NOT_FINITE(moment))
		PG_RETURN_NULL();
	if (cache == NULL || memcmp(&cache->length, length, sizeof(Interval)) != 0 ||
		strlen(cache->zone) != zone_length ||
		memcmp(cache->zone, VARDATA_ANY(zone_text), zone_length) != 0)
	{
		char *name = text_to_cstring(zone_text);
		pg_tz *zone = zone_length <= TZ_STRLEN_MAX ? pg_tzset(name) : NULL;

		if (zone == NULL)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("time zone \"%s\" not recognized", name),
					errhint("pg_timezone_names lists the zones."));
		if (cache == NULL)
			cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(PeriodCache));
		crm_period_begin(&cache->period, length, zone);
		cache->length = *length;
		strlcpy(cache->zone, name, sizeof(cache->zone));
		fcinfo->flinfo->fn_extra = cache;
	}
	PG_RETURN_INT32(crm_period_number(&cache->period, moment));
}
