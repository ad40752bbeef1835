/*
 * clv_interval.h: within what bounds the orders of one customer in a horizon are to be expected:
 * the predictive distribution, which holds what a customer happens to do, not only what is not
 * known of the parameters.
 *
 *     P(Y(h) <= y | x, t_x, T) = 1 - A (1 - G(y)),   A = P(active at T | x, t_x, T)
 *     low  = least y with P(Y <= y) >= (1 - level) / 2
 *     high = least y with P(Y <= y) >= (1 + level) / 2
 *     promised = P(low <= Y <= high) >= level
 *
 * G is that of a customer who is active: his rates have gamma or beta distributions with updated
 * parameters, so it is the model's P(X(h) = y) with those in place of the parameters: BG/NBD r + x,
 * alpha + T, a, b + x (MBG/NBD b + x + 1), nobody leaving before the first order; Pareto/NBD r + x,
 * alpha + T, s, beta + T; BG/BB alpha + x, beta + n - x, gamma, delta + n. Fader and Hardie 2014,
 * note 028, and 2020, note 012, at brucehardie.com.
 *
 * Counts are whole numbers, so that an interval holds at least its level, and usually more: compare
 * what it covers with what it promised.
 *
 * Invariants: 0 <= low <= high; level <= promised <= 1 but for rounding; G is computed once for
 * each different (x, T). Not handled: the uncertainty of the parameters.
 */
#ifndef CRM_KERNEL_CLV_INTERVAL_H
#define CRM_KERNEL_CLV_INTERVAL_H

#include "kernel/clv.h"

/* The caller's columns of n customers, as in base/btyd.h; the last three are filled in. */
typedef struct CrmClvIntervals
{
	const double *x, *t_x, *t;
	size_t n;
	double *low, *high, *promised;
} CrmClvIntervals;

extern CrmStatus crm_clv_intervals(CrmCtx *ctx, CrmClvKind kind, const double *theta,
								   double horizon, double level, const CrmClvIntervals *intervals);

#endif
