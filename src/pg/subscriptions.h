/*
 * subscriptions.h: a source of subscriptions becomes durations: how long each customer has stayed
 * until leaving, or until as_of without having left.
 *
 * time = (end - started_at) / unit, end the earlier of ended_at and as_of; the event is ended_at at
 * or before as_of. A NULL or infinite ended_at is a customer who is still there. A subscription
 * that starts after as_of is skipped and counted; one that ends before it starts is an error. With
 * an entry column, a customer is under observation only from that moment on.
 */
#ifndef CRM_PG_SUBSCRIPTIONS_H
#define CRM_PG_SUBSCRIPTIONS_H

#include "pg/compat.h"

#include "datatype/timestamp.h"

#include "pg/design.h"

#define CRM_SUBSCRIPTIONS_MAX_GROUPS 10000

extern const CrmWords crm_unit_words; /* day, week, month, year */

typedef struct CrmSubscriptionsRequest
{
	const char *function;
	const char *source;
	const char *group; /* the column of groups or strata, or NULL */
	const char *entry; /* the column of the moments of entry, or NULL */
	TimestampTz as_of;
	int unit; /* of crm_unit_words */
	char **covariates;
	int n_covariates;
	size_t row_bytes; /* that the method takes for a row besides its columns */
} CrmSubscriptionsRequest;

typedef struct CrmSubscriptions
{
	CrmDesign *design; /* covariates; design->memory holds all */
	size_t n;
	double *time, *event;
	double *entry; /* NULL without; below 0: from the start */
	double *group; /* NULL without; numbers of labels */
	char **labels; /* of the groups, in C order; one, NULL, without groups */
	int groups;
} CrmSubscriptions;

extern CrmSubscriptions *crm_subscriptions_read(const CrmSubscriptionsRequest *request,
												CrmRun *run);

#endif
