/*
 * span.c: lengths of time in calendar terms, by the session's time zone.
 */
#include "pg/span.h"

#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* Raise an error when a part of a span is below zero. */
void
crm_span_check(const Interval *span, const char *name)
{
	if (span->month < 0 || span->day < 0 || span->time < 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must not be negative", name),
				errdetail("Got %s.", DatumGetCString(DirectFunctionCall1(
										 interval_out, IntervalPGetDatum(span)))));
}

/*
 * Give from + span as PostgreSQL adds them, months and days in calendar terms; the last finite
 * moment where that is, or may be, beyond it. The end of an infinite moment is that moment.
 */
TimestampTz
crm_span_end(const Interval *span, TimestampTz from)
{
	const double days = 31.0 * span->month + span->day + 1; /* at most, with a clock set back */

	if (TIMESTAMP_NOT_FINITE(from))
		return from;
	if ((double) from + days * USECS_PER_DAY + (double) span->time >= (double) END_TIMESTAMP)
		return END_TIMESTAMP - 1;
	if (span->month == 0 && span->day == 0)
		return from + span->time;
	return DatumGetTimestampTz(DirectFunctionCall2(
		timestamptz_pl_interval, TimestampTzGetDatum(from), IntervalPGetDatum(span)));
}
