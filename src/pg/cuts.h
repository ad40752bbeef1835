/*
 * cuts.h: moments in the past at which customers are looked at, and the end of what is known of
 * them.
 *
 * A cut is of use when the horizon after it has ended by then: whether a customer churned is not
 * known before.
 */
#ifndef CRM_PG_CUTS_H
#define CRM_PG_CUTS_H

#include "pg/compat.h"

#include "pg/snapshots.h"

typedef struct CrmCuts
{
	TimestampTz *at; /* ascending */
	int n;           /* 0: those that the data allow */
} CrmCuts;

extern TimestampTz crm_cuts_as_of(FunctionCallInfo fcinfo, int i);
extern CrmCuts crm_cuts_argument(FunctionCallInfo fcinfo, int i, const char *name);
extern CrmCuts crm_cuts_moment(FunctionCallInfo fcinfo, int i, const char *name);
extern void crm_cuts_end_with_orders(CrmSnapshots *snapshots);
extern void crm_cuts_fit(CrmCuts *cuts, const CrmSnapshots *snapshots, int most, const char *what);

#endif
