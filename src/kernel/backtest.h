/*
 * backtest.h: predictions of numbers held against what came true.
 *
 *     error e_i = predicted_i - actual_i
 *     mae = mean |e_i|, rmse = sqrt(mean e_i^2), bias = mean e_i
 *     rank correlation: Pearson's of the ranks, equal values sharing their mean rank (Spearman)
 *     top found: of the k = ceil(n / 10) with the largest actual, the share that is among the k
 *     with the largest predicted; where equal values straddle the edge of either, each of them is
 *     in by the share of them that fits
 *     covered: the share of actual_i with low_i <= actual_i <= high_i
 *
 * Sums are compensated (base/sum.h) and ties are shared, so that the order of rows does not matter.
 */
#ifndef CRM_KERNEL_BACKTEST_H
#define CRM_KERNEL_BACKTEST_H

#include "kernel/base/context.h"

typedef struct CrmBacktest
{
	double mae, rmse, bias;
	double rank_correlation; /* NaN where all of one side are equal */
	double top_found;
	double predicted, actual; /* sums */
} CrmBacktest;

extern CrmStatus crm_backtest(CrmCtx *ctx, const double *predicted, const double *actual, size_t n,
							  CrmBacktest *result);
extern double crm_backtest_covered(const double *low, const double *high, const double *actual,
								   size_t n);
extern CrmStatus crm_backtest_groups(CrmCtx *ctx, const double *predicted, size_t n, int groups,
									 uint8_t *group);

#endif
