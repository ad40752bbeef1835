/*
 * moment.h: points in time as text that no setting changes, and the interval between two.
 */
#ifndef CRM_PG_MOMENT_H
#define CRM_PG_MOMENT_H

#include "pg/compat.h"

#include "datatype/timestamp.h"

extern char *crm_moment_text(TimestampTz moment);
extern Interval crm_interval_of_seconds(double seconds);
extern Interval crm_interval_between(TimestampTz later, TimestampTz earlier);

#endif
