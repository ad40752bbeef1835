/*
 * period.c: the number of the period that a moment falls in.
 *
 * With L the local time of the zone: floor((L - origin) / length), where the origin is Monday
 * 2000-01-03 00:00, so that weeks begin on Monday and days at midnight; whole months count from
 * January 2000. A day is a calendar day: it has 23 or 25 hours when clocks change. Local times that
 * a change of clocks repeats fall into the same period.
 *
 * The offset of a zone changes a few times a year at most, so stretches of constant offset are
 * kept, and a moment costs a comparison and a division instead of a conversion.
 */
#include "pg/period.h"

#include "common/int.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

/* Monday 2000-01-03 in microseconds since 2000-01-01 */
#define ORIGIN (2 * USECS_PER_DAY)

/* Divide, rounding towards minus infinity. */
static int64
floor_divide(int64 a, int64 b)
{
	return a / b - (a % b < 0);
}

/*
 * Begin numbering periods of that length in that zone. An error when the length is not above a
 * second, or mixes months with days.
 */
void
crm_period_begin(CrmPeriod *period, const Interval *length, pg_tz *zone)
{
	*period = (CrmPeriod){.zone = zone};
	if (length->month != 0 && (length->day != 0 || length->time != 0))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"period\" must be whole months, or days and time, not both"));
	period->months = length->month;
	period->micros = (int64) length->day * USECS_PER_DAY;
	if (length->month < 0 || pg_add_s64_overflow(period->micros, length->time, &period->micros) ||
		(length->month == 0 && period->micros < USECS_PER_SEC))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"period\" must be at least one second"));
}

/* Give the second of a moment as the time zone library counts. */
static pg_time_t
unix_time(TimestampTz moment)
{
	return (pg_time_t) (floor_divide(moment, USECS_PER_SEC) +
						(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY);
}

/* Find the stretch of constant offset that a time lies in, and remember it. */
static const CrmOffsetRange *
find_range(CrmPeriod *period, pg_time_t time)
{
	CrmOffsetRange found = {.from = time, .to = PG_INT64_MAX};
	pg_time_t boundary;
	long before_offset, after_offset;
	int before_dst, after_dst;
	int kind;

	for (int i = 0; i < period->n_ranges; i++)
		if (time >= period->range[i].from && time < period->range[i].to)
		{
			period->recent = i;
			return &period->range[i];
		}
	kind = pg_next_dst_boundary(&time, &before_offset, &before_dst, &boundary, &after_offset,
								&after_dst, period->zone);
	if (kind < 0)
		ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("timestamp out of range"));
	found.offset = (int64) before_offset * USECS_PER_SEC;
	if (kind > 0)
		found.to = boundary;
	/* the same stretch, met at an earlier moment: it only grows to the left */
	for (int i = 0; i < period->n_ranges; i++)
		if (period->range[i].to == found.to)
		{
			period->range[i].from = found.from;
			period->recent = i;
			return &period->range[i];
		}
	if (period->n_ranges < (int) lengthof(period->range))
		period->recent = period->n_ranges++;
	else
		period->recent = (period->recent + 1) % lengthof(period->range);
	period->range[period->recent] = found;
	return &period->range[period->recent];
}

/* Give the number of whole months since January 2000 of a local time. */
static int64
month_number(int64 local)
{
	struct pg_tm tm;
	fsec_t fsec;

	if (timestamp2tm(local, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("timestamp out of range"));
	return ((int64) tm.tm_year - 2000) * MONTHS_PER_YEAR + tm.tm_mon - 1;
}

/* Give the number of the period that a local time falls in. */
static int64
local_number(const CrmPeriod *period, int64 local)
{
	if (period->months > 0)
		return floor_divide(month_number(local), period->months);
	return floor_divide(local - ORIGIN, period->micros);
}

/* Give the number of the period that a finite moment falls in; an error when it does not fit 32
 * bits. */
int32
crm_period_number(CrmPeriod *period, TimestampTz moment)
{
	pg_time_t time = unix_time(moment);
	const CrmOffsetRange *range = &period->range[period->recent];
	int64 number;

	if (period->n_ranges == 0 || time < range->from || time >= range->to)
		range = find_range(period, time);
	number = local_number(period, moment + range->offset);
	if (number < PG_INT32_MIN || number > PG_INT32_MAX)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"period\" is too short for an order of %s",
					   timestamptz_to_str(moment)));
	return (int32) number;
}

/* Give the local time at which a period begins; an error when there is no such time. */
Timestamp
crm_period_local_start(const CrmPeriod *period, int64 number)
{
	int64 local;

	if (period->months > 0)
	{
		int64 month = number * period->months;
		int64 year = 2000 + floor_divide(month, MONTHS_PER_YEAR);
		int in_year = (int) (month - (year - 2000) * MONTHS_PER_YEAR) + 1;

		if (year < JULIAN_MINYEAR || year >= JULIAN_MAXYEAR ||
			!IS_VALID_JULIAN((int) year, in_year, 1))
			local = PG_INT64_MAX;
		else
			local = (int64) (date2j((int) year, in_year, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
	}
	else if (pg_mul_s64_overflow(number, period->micros, &local) ||
			 pg_add_s64_overflow(local, ORIGIN, &local))
		local = PG_INT64_MAX;
	if (!IS_VALID_TIMESTAMP(local))
		ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("timestamp out of range"));
	return local;
}

/* Give the number of the period that a local time falls in; it may be beyond those of orders. */
int64
crm_period_local_number(const CrmPeriod *period, Timestamp local)
{
	return local_number(period, local);
}

/*
 * Give the first moment of a period. Where clocks skip its local start it is the moment they are
 * changed, where they repeat it the earlier of the two.
 */
TimestampTz
crm_period_start(CrmPeriod *period, int64 number)
{
	Timestamp local = crm_period_local_start(period, number);
	TimestampTz start[2];

	for (int i = 0; i < 2; i++)
	{
		/* the offset a day before, and a day after; no zone changes it twice in two days */
		pg_time_t near = unix_time(local) + (i == 0 ? -SECS_PER_DAY : SECS_PER_DAY);

		start[i] = local - find_range(period, near)->offset;
		if (!IS_VALID_TIMESTAMP(start[i]))
			ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					errmsg("timestamp out of range"));
	}
	if (start[1] < start[0] && crm_period_number(period, start[1]) == number)
		return start[1];
	if (start[1] > start[0] && crm_period_number(period, start[0]) != number)
		return start[1];
	return start[0];
}
