/*
 * summary.h: what the analytics need to know of one customer's orders, in a fixed size.
 *
 *   count = n, first = min t_i, last = max t_i, sum = sum a_i, squares = sum a_i^2
 *
 * Invariants: the same rows in any order and any split give the same count, first, last and
 * skipped, and sums that round to the same double (see base/sum.h). first and last mean nothing
 * while count is 0.
 */
#ifndef CRM_KERNEL_SUMMARY_H
#define CRM_KERNEL_SUMMARY_H

#include "kernel/base/context.h"
#include "kernel/base/sum.h"

typedef struct CrmSummary
{
	int64_t count;   /* orders in the sums */
	int64_t skipped; /* orders left out: a NULL or non-finite value */
	int64_t first;   /* earliest order, microseconds */
	int64_t last;    /* latest order, microseconds */
	CrmSum sum;      /* of amounts, scaled */
	CrmSum squares;  /* of squared amounts, scaled */
} CrmSummary;

extern void crm_summary_init(CrmSummary *summary);
extern void crm_summary_add(CrmSummary *summary, int64_t ordered_at, double amount);
extern void crm_summary_merge(CrmSummary *summary, const CrmSummary *other);
extern double crm_summary_variance(const CrmSummary *summary);

#endif
