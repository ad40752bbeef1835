/*
 * recurring.h: a source of subscriptions with amounts becomes what each customer is subscribed to
 * at the end of each period.
 *
 * A subscription runs at a moment m when started_at <= m < ended_at; a NULL or infinite end has not
 * come. A customer's cell of a period has the subscriptions that run when the period ends, as its
 * orders, and the sum of their amounts; that of the last period those that run at to_at.
 */
#ifndef CRM_PG_RECURRING_H
#define CRM_PG_RECURRING_H

#include "pg/compat.h"

#include "pg/activity.h"

typedef struct CrmRecurringRequest
{
	const char *source;
	TimestampTz to_at; /* subscriptions that start later are skipped */
	Interval period;
	/* what ran at the end of earlier periods counts in this one, without amount; PG_INT32_MIN: none
	 */
	int32 earliest;
} CrmRecurringRequest;

extern CrmActivity *crm_recurring_read(const CrmRecurringRequest *request, CrmRun *run);

#endif
