/*
 * activity.h: a source of orders becomes what each customer ordered in each period.
 *
 * No result has the customers' keys, so they may be of any hashable type without a second form.
 */
#ifndef CRM_PG_ACTIVITY_H
#define CRM_PG_ACTIVITY_H

#include "pg/compat.h"

#include "kernel/base/cells.h"
#include "pg/keys.h"
#include "pg/lastrun.h"
#include "pg/orders.h"
#include "pg/period.h"

typedef struct CrmActivityRequest
{
	const char *source; /* NULL: the default one */
	TimestampTz as_of;
	CrmRefunds refunds;
	Interval period;
	Interval cohort; /* the length of a cohort's period */
	/* earlier orders count as orders of this period, without amount; PG_INT32_MIN: none is */
	int32 earliest;
} CrmActivityRequest;

/* The customers and their cells, in a memory context of their own. */
typedef struct CrmActivity
{
	MemoryContext memory;
	CrmCtx ctx;
	CrmKeyType key_type;
	CrmCells cells;
	TimestampTz as_of;
	CrmRefunds refunds;
	CrmPeriod period, cohort;
	bool is_same; /* period and cohort have the same length */
	int32 earliest;
} CrmActivity;

/* The aggregate's options, an int8[] constant in the query. */
enum
{
	CRM_ACTIVITY_AS_OF,
	CRM_ACTIVITY_REFUNDS,
	CRM_ACTIVITY_MONTHS,
	CRM_ACTIVITY_MICROS,
	CRM_ACTIVITY_COHORT_MONTHS,
	CRM_ACTIVITY_COHORT_MICROS,
	CRM_ACTIVITY_EARLIEST,
	CRM_ACTIVITY_OPTIONS /* how many */
};

extern CrmActivity *crm_activity_read(const CrmActivityRequest *request, CrmRun *run);
extern CrmActivity *crm_activity_state(MemoryContext parent, Oid key_type, Oid collation);
extern void crm_activity_add(CrmActivity *activity, const CrmKey *key, const CrmCellOrder *order);
extern void crm_activity_finish(CrmActivity *activity, CrmRun *run);
extern void crm_activity_end(CrmActivity *activity, CrmRun *run);
extern void crm_activity_check(CrmActivity *activity, CrmStatus status);

#endif
