/*
 * cohorts.h: customers who began in the same period, and what they did in the periods since.
 *
 * A customer belongs to the cohort of the first order. An order's number is how many periods after
 * the period of the customer's first order it came: 0 in that very period. For cohort c and number
 * k:
 *
 *   active[c][k]   customers with an order of number k
 *   later[c][k]    customers with an order of number k or above; later[c][0] = size[c]
 *   orders, revenue[c][k]   of the orders of number k
 *
 * A refund counts in the revenue of its period, one before the first order in that of number 0.
 * Customers with refunds only have no cohort.
 */
#ifndef CRM_KERNEL_COHORTS_H
#define CRM_KERNEL_COHORTS_H

#include "kernel/base/cells.h"

typedef struct CrmCohortCell
{
	int64_t active, later, orders;
	CrmSum revenue;
	uint64_t stamp; /* 1 + the last customer that active counts */
} CrmCohortCell;

/* A cohort that has customers. */
typedef struct CrmCohort
{
	int32_t number; /* of the cohort */
	uint32_t width; /* of its cells: numbers 0 to width - 1 */
	int64_t size;
	CrmCohortCell *cell;
} CrmCohort;

typedef struct CrmCohorts
{
	uint32_t n;
	CrmCohort *cohort;     /* ascending by number */
	int64_t without_order; /* customers with refunds only */
	int32_t latest;        /* the last period with an order or a refund; only when n > 0 */
} CrmCohorts;

/* Gives the first period that a cohort's orders may lie in. */
typedef int32_t (*CrmCohortStart)(void *user, int32_t cohort);

extern CrmStatus crm_cohorts_find(CrmCtx *ctx, const CrmCells *cells, CrmCohorts *cohorts);
extern CrmStatus crm_cohorts_count(CrmCtx *ctx, const CrmCells *cells, int32_t last,
								   CrmCohortStart start, void *user, CrmCohorts *cohorts);

#endif
