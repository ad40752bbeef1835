/*
 * clv_tracking.h: how many repeat transactions a cohort has made by each of some moments, and how
 * many a model of its orders expects.
 *
 *     actual(e)   = customers' periods with an order in (first, e], summed over the cohort
 *     expected(e) = sum over customers of E[X(e - first)]     (0 before the first order)
 *
 * E[X(u)] is that of a new customer, so it depends on nothing but u: the cohort is collapsed to the
 * periods in which customers came first, and E[X(u)] is computed once for each u (Fader, Hardie and
 * Lee 2005, doi 10.1287/mksc.1040.0098, section 5.2).
 *
 * Invariants: both grow with e; sums are compensated and do not depend on the order of customers.
 * Not handled: more than CRM_TRACKING_SPAN periods from the first order to the last moment.
 */
#ifndef CRM_KERNEL_CLV_TRACKING_H
#define CRM_KERNEL_CLV_TRACKING_H

#include "kernel/clv.h"

#define CRM_TRACKING_SPAN 10000000 /* periods */

extern void crm_tracking_count(const int32_t *period, size_t n, const int32_t *end, size_t ends,
							   int64_t *actual);
extern CrmStatus crm_tracking_expected(CrmCtx *ctx, CrmClvKind kind, const double *theta,
									   const int32_t *first, size_t n, const int32_t *end,
									   size_t ends, double *expected);

#endif
