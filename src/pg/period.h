/*
 * period.h: the number of the period that a moment falls in, by the calendar of a time zone.
 */
#ifndef CRM_PG_PERIOD_H
#define CRM_PG_PERIOD_H

#include "pg/compat.h"

#include "datatype/timestamp.h"
#include "pgtime.h"

/* A stretch of time in which the zone's offset from UTC does not change. */
typedef struct CrmOffsetRange
{
	pg_time_t from, to; /* [from, to) */
	int64 offset;       /* microseconds to add to UTC */
} CrmOffsetRange;

typedef struct CrmPeriod
{
	int32 months; /* either months or microseconds is above zero */
	int64 micros;
	pg_tz *zone;
	int n_ranges, recent;
	CrmOffsetRange range[16];
} CrmPeriod;

extern void crm_period_begin(CrmPeriod *period, const Interval *length, pg_tz *zone);
extern int32 crm_period_number(CrmPeriod *period, TimestampTz moment);
extern Timestamp crm_period_local_start(const CrmPeriod *period, int64 number);
extern int64 crm_period_local_number(const CrmPeriod *period, Timestamp local);
extern TimestampTz crm_period_start(CrmPeriod *period, int64 number);

#endif
