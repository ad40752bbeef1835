/*
 * regularity.h: how regular the times between orders are.
 *
 *     M = u / (u + w),  u and w two times between orders of one customer that follow one another
 *
 * With gamma distributed times of shape k and a rate of the customer's own, M ~ Beta(k, k) whatever
 * the rates: E[M] = 1/2 and Var[M] = 1 / (4 (2 k + 1)), so
 *
 *     k = (1 - 4 V) / (8 V),  V the mean of (M - 1/2)^2
 *
 * Wheat and Morrison 1990, doi 10.2307/3172552. k = 1 is the exponential timing that BG/NBD,
 * MBG/NBD and Pareto/NBD assume; above 1 orders come more regularly, as a clock at infinity; below
 * 1 in bursts. A customer counts once, with the mean over all its overlapping pairs, so that those
 * with many orders do not decide alone; the standard error is of the spread between customers, by
 * the delta method.
 *
 * Times are counted in whole periods, at least 1 each; where a typical time is a period or two,
 * that alone makes them look regular, so periods must be short beside them. Not handled:
 * a regularity that differs between customers.
 */
#ifndef CRM_KERNEL_REGULARITY_H
#define CRM_KERNEL_REGULARITY_H

#include "kernel/base/context.h"
#include "kernel/base/sum.h"

/* Sums over customers; starts as all zero. */
typedef struct CrmRegularitySums
{
	int64_t customers; /* with at least one pair */
	int64_t pairs;
	CrmSum spread;  /* of each customer's mean of (M - 1/2)^2 */
	CrmSum squares; /* of its square */
	CrmSum gaps;    /* of each customer's mean time between orders */
} CrmRegularitySums;

typedef struct CrmRegularity
{
	double k;              /* infinite where all times are equal; NaN without a customer */
	double standard_error; /* NaN below two customers */
	double mean_gap;       /* periods between orders, the mean of customers */
} CrmRegularity;

extern void crm_regularity_add(CrmRegularitySums *sums, const int32_t *periods, size_t n);
extern void crm_regularity_interval(const CrmRegularity *regularity, double *low, double *high);
extern CrmRegularity crm_regularity_estimate(const CrmRegularitySums *sums);

#endif
