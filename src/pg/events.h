/*
 * events.h: a source of events (who, when, what) becomes sorted records with numbers for customers
 * and labels.
 *
 * Customers are of any hashable type. Labels are numbered in the order of their bytes, so that a
 * label's number does not depend on the database's collation.
 */
#ifndef CRM_PG_EVENTS_H
#define CRM_PG_EVENTS_H

#include "pg/compat.h"

#include "datatype/timestamp.h"

#include "kernel/base/events.h"
#include "pg/keys.h"
#include "pg/lastrun.h"

typedef struct CrmEventsRequest
{
	const char *source; /* NULL: the default one */
	TimestampTz as_of;  /* later events are skipped and counted */
	const char *what;   /* the work, for the memory error: "the search for patterns" */
} CrmEventsRequest;

/* The events, in a memory context of their own. */
typedef struct CrmEvents
{
	MemoryContext memory;
	CrmCtx ctx;
	CrmEvent *events; /* n, sorted; time in microseconds as in timestamptz */
	size_t n, room;
	uint32 n_customers;
	CrmKeyType label_type; /* text */
	CrmTable labels;
	uint32 *label_row; /* labels.n: the row in labels of each number */
} CrmEvents;

extern CrmEvents *crm_events_read(const CrmEventsRequest *request, CrmRun *run);
extern Datum crm_events_label(const CrmEvents *events, uint32 label);

#endif
