/*
 * moment.c: points in time as text that no setting changes, and the interval between two.
 */
#include "pg/moment.h"

#include <math.h>

#include "common/int.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

/*
 * Give a finite moment in ISO 8601, in UTC with its offset, palloc'd: whatever DateStyle and
 * TimeZone.
 */
char *
crm_moment_text(TimestampTz moment)
{
	struct pg_tm tm;
	fsec_t fsec;
	char text[MAXDATELEN + 1];

	if (timestamp2tm(moment, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("timestamp out of range"));
	tm.tm_isdst = 0; /* else the offset would be left out */
	EncodeDateTime(&tm, fsec, true, 0, "UTC", USE_ISO_DATES, text);
	return pstrdup(text);
}

/*
 * Give seconds, rounded to microseconds, in days and time; an error when no interval is that long.
 */
Interval
crm_interval_of_seconds(double seconds)
{
	double micros = rint(seconds * USECS_PER_SEC);

	if (!(fabs(micros) < (double) PG_INT64_MAX))
		ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("interval out of range"));
	return crm_interval_between((TimestampTz) micros, 0);
}

/* Give later minus earlier in days and time, as timestamptz minus does. */
Interval
crm_interval_between(TimestampTz later, TimestampTz earlier)
{
	Interval interval = {.month = 0};
	int64 span;

	if (pg_sub_s64_overflow(later, earlier, &span))
		ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("interval out of range"));
	interval.day = (int32) (span / USECS_PER_DAY);
	interval.time = span % USECS_PER_DAY;
	return interval;
}
