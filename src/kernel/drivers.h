/*
 * drivers.h: which columns drive a fitted model: how much each weighs, and how far that is known
 * when the columns go together.
 *
 *     importance_j = |g_j| / sum_k |g_k|    g_j = b_j s_j, the coefficient a standard deviation
 *     inflation_j  = 1 / (1 - R_j^2)        R_j^2 of column j on the others and an intercept
 *
 * The second is the variance inflation factor [Marquardt 1970, doi 10.2307/1267205]: by how much
 * the variance of a coefficient exceeds that of the same column orthogonal to the others. It is the
 * diagonal of the inverse of the columns' correlations, here from Householder's QR of the columns
 * around their means (base/dense.h), so that a factor of 1e12 still has digits.
 *
 * Rows of the same cluster (several moments of one customer) are not independent, and errors that
 * take them so are too small. Robust ones are the roots of the diagonal of
 *
 *     C / (C - 1)  A (sum_c s_c s_c') A        s_c = sum of (y_i - p_i) (1, x_i) over the rows of c
 *
 * over C clusters, A the inverse of the information [Liang and Zeger 1986,
 * doi 10.1093/biomet/73.1.13; Huber's sandwich where each row is a cluster].
 *
 * Invariants: inflation of rows in the same order is the same to the bit; arrange them first
 * (crm_logistic_arrange). Not handled: weights, missing values; the caller leaves constant columns
 * out of the inflation.
 */
#ifndef CRM_KERNEL_DRIVERS_H
#define CRM_KERNEL_DRIVERS_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/base/context.h"
#include "kernel/logistic.h"

extern void crm_drivers_importance(const double *standardised, int d, double *importance);
extern size_t crm_drivers_bytes(int d);
extern CrmStatus crm_drivers_inflation(CrmCtx *ctx, const double *const *columns, size_t n, int d,
									   double *inflation);
extern CrmStatus crm_drivers_robust(CrmCtx *ctx, const CrmLogisticData *data,
									const uint32_t *cluster, const CrmLogisticModel *model,
									double *error);

#endif
