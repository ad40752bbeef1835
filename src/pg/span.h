/*
 * span.h: a length of time that an argument gives, and where it ends from a moment on.
 */
#ifndef CRM_PG_SPAN_H
#define CRM_PG_SPAN_H

#include "pg/compat.h"

#include "datatype/timestamp.h"

extern void crm_span_check(const Interval *span, const char *name);
extern TimestampTz crm_span_end(const Interval *span, TimestampTz from);

#endif
