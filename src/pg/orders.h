/*
 * orders.h: a source of orders becomes customers, by the road that suits the source.
 */
#ifndef CRM_PG_ORDERS_H
#define CRM_PG_ORDERS_H

#include "pg/compat.h"

#include "nodes/params.h"
#include "utils/timestamp.h"

#include "kernel/base/customers.h"
#include "pg/keys.h"
#include "pg/lastrun.h"
#include "pg/period.h"

typedef enum CrmRefunds
{
	CRM_REFUNDS_NET,
	CRM_REFUNDS_DROP,
	CRM_REFUNDS_ERROR
} CrmRefunds;

/* What to read; all in one for both roads. */
typedef struct CrmOrdersRequest
{
	const char *function; /* as in crm.rfm, for errors: "crm.rfm" */
	const char *source;   /* NULL: the default one */
	Oid key_type;         /* InvalidOid: the default form, bigint */
	TimestampTz as_of;
	const Interval *period; /* NULL: each order counts */
	CrmRefunds refunds;
	/* CRM_CUSTOMERS_MOMENTS, _FIRST, _PERIODS when wanted; how many periods is told with period */
	int features;
} CrmOrdersRequest;

/* The customers, in a memory context of their own. */
typedef struct CrmOrdersState
{
	MemoryContext memory;
	CrmCtx ctx;
	CrmKeyType key_type;
	CrmCustomers customers;
	TimestampTz as_of;
	CrmRefunds refunds;
	CrmPeriod period;
} CrmOrdersState;

/* How the final function of the hash road hands its state over; see collect.c. */
typedef struct CrmCollector
{
	MemoryContext keep; /* where the state's memory goes */
	CrmOrdersState *state;
} CrmCollector;

/* The aggregate's options, an int8[] constant in the query. */
enum
{
	CRM_COLLECT_AS_OF,
	CRM_COLLECT_REFUNDS,
	CRM_COLLECT_FEATURES,
	CRM_COLLECT_MONTHS,
	CRM_COLLECT_MICROS,
	CRM_COLLECT_OPTIONS /* how many */
};

extern CrmOrdersState *crm_orders_read(const CrmOrdersRequest *request, CrmRun *run);
extern CrmOrdersState *crm_orders_state(MemoryContext parent, Oid key_type, Oid collation,
										int features);
extern void crm_orders_memory(const CrmOrdersState *state, CrmRun *run);
extern void *crm_orders_allocate(CrmOrdersState *state, size_t n, size_t size);
extern void crm_orders_check(CrmOrdersState *state, CrmStatus status);
extern _Noreturn void crm_orders_refund_error(void);
extern void crm_collect_mark(ParamListInfo params, CrmCollector *collector);

/* crm.road, an enum setting: which road crm_orders_read takes. */
enum
{
	CRM_ROAD_AUTO,
	CRM_ROAD_HASH,
	CRM_ROAD_GROUP
};
extern int crm_road;

#endif
