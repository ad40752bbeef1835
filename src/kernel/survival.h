/*
 * survival.h: how long customers stay, from customers of whom some have not left yet.
 *
 *     S(t) = prod_{t_i <= t} (1 - d_i / n_i)      Kaplan and Meier 1958 (doi
 *                                                 10.1080/01621459.1958.10501452)
 *     Var S = S^2 sum d_i / (n_i (n_i - d_i))     Greenwood 1926
 *     H(t) = sum d_i / n_i, Var H = sum d_i / n_i^2   Nelson 1972, Aalen 1978 (doi
 *                                                 10.1214/aos/1176344247)
 *
 * d_i of the n_i customers under observation leave at t_i. Who comes under observation only at
 * entry_i (left truncation) counts in n from there on: entry < t <= time. Who leaves and who is
 * last seen at the same time: the one who leaves comes first.
 *
 * Intervals of S: on the scale of log(-log S) (Kalbfleisch and Prentice), of log S, or of S itself;
 * none where S is 0. Those of H on the scale of log H. Quantiles as in R: the first time at which S
 * has come down to q, and where S stands at q exactly, the middle between that time and the next
 * event.
 *
 * Log-rank test of g groups (Mantel 1966): U = sum over times of d_j - d n_j / n, and its
 * hypergeometric covariance; U'V^-U is chi-squared of g - 1 degrees, groups that are never at risk
 * left out.
 *
 * Invariants: all counts are whole numbers, so nothing depends on the order of rows. Not handled:
 * weights, interval censoring, NaN.
 */
#ifndef CRM_KERNEL_SURVIVAL_H
#define CRM_KERNEL_SURVIVAL_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/base/context.h"

typedef enum CrmSurvivalInterval
{
	CRM_SURVIVAL_LOG_LOG,
	CRM_SURVIVAL_LOG,
	CRM_SURVIVAL_PLAIN
} CrmSurvivalInterval;

/* The caller's: n rows, of which some may be looked at only. */
typedef struct CrmSurvivalData
{
	const double *entry; /* below time; NULL: all are observed from the beginning */
	const double *time;
	const double *event; /* 1: left at time; 0: last seen then */
	size_t n;
} CrmSurvivalData;

/* What is known at one of the times, which ascend. */
typedef struct CrmSurvivalPoint
{
	double time;
	int64_t at_risk, events, censored; /* under observation just before; leaving; last seen */
	double survival, error, low, high; /* error: Greenwood's; interval NaN where there is none */
	double hazard, hazard_error, hazard_low, hazard_high; /* cumulative */
} CrmSurvivalPoint;

typedef struct CrmSurvivalCurve
{
	CrmSurvivalPoint *points; /* one a different time */
	size_t n;
	size_t room; /* of points */
	int64_t rows, events;
	double median, median_low, median_high; /* NaN where S does not come down so far */
	double restricted_mean, restricted_mean_error, horizon; /* area under S up to the horizon */
} CrmSurvivalCurve;

/* One group of a log-rank test. */
typedef struct CrmLogrankGroup
{
	int64_t rows, events;
	double expected;
} CrmLogrankGroup;

typedef struct CrmLogrank
{
	double chi_squared, p; /* NaN without a degree of freedom */
	int df;
} CrmLogrank;

extern size_t crm_survival_bytes(size_t n);
extern CrmStatus crm_survival_curve(CrmCtx *ctx, const CrmSurvivalData *data,
									CrmSurvivalInterval interval, double level, double horizon,
									CrmSurvivalCurve *curve);
extern void crm_survival_curve_free(CrmCtx *ctx, CrmSurvivalCurve *curve);
extern size_t crm_survival_logrank_bytes(size_t n, int groups);
extern CrmStatus crm_survival_logrank(CrmCtx *ctx, const CrmSurvivalData *data, const double *group,
									  int groups, CrmLogrankGroup *result, CrmLogrank *test);
extern CrmStatus crm_survival_order(CrmCtx *ctx, const double *values, size_t n, uint32_t *order);

#endif
