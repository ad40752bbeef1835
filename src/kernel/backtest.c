/*
 * backtest.c: predictions held against what came true; see backtest.h.
 */
#include "kernel/backtest.h"

#include <math.h>

#include "kernel/base/order.h"
#include "kernel/base/sum.h"

/* Room for sorting n values. */
typedef struct Sorter
{
	uint64_t *key;   /* n */
	uint32_t *index; /* n, and n more as scratch */
} Sorter;

/* Give back a sorter. */
static void
end_sorter(CrmCtx *ctx, Sorter *sorter, size_t n)
{
	crm_release(ctx, sorter->index, 2 * n, sizeof(uint32_t));
	crm_release(ctx, sorter->key, n, sizeof(uint64_t));
}

/* Make one. */
static CrmStatus
begin_sorter(CrmCtx *ctx, Sorter *sorter, size_t n)
{
	sorter->key = crm_allocate(ctx, n, sizeof(uint64_t));
	sorter->index = crm_allocate(ctx, 2 * n, sizeof(uint32_t));
	if (sorter->key != NULL && sorter->index != NULL)
		return CRM_OK;
	end_sorter(ctx, sorter, n);
	return ctx->failure;
}

/* Sort the positions of values, the smallest first. */
static CrmStatus
sort_values(CrmCtx *ctx, Sorter *sorter, const double *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		sorter->key[i] = crm_order_double(values[i]);
		sorter->index[i] = (uint32_t) i;
	}
	return crm_radix_sort_index(ctx, sorter->key, sorter->index, sorter->index + n, n);
}

/*
 * Fill in the rank of each value, 0 to n - 1, equal values sharing their mean, and by how much each
 * belongs to the k largest.
 */
static CrmStatus
rank_values(CrmCtx *ctx, Sorter *sorter, const double *values, size_t n, size_t k, double *rank,
			double *top)
{
	CrmStatus status = sort_values(ctx, sorter, values, n);

	for (size_t first = 0, end; first < n && status == CRM_OK; first = end)
	{
		uint64_t key = sorter->key[sorter->index[first]];
		double inside;

		for (end = first + 1; end < n && sorter->key[sorter->index[end]] == key; end++)
			;
		inside = end <= n - k     ? 0.0
				 : first >= n - k ? 1.0
								  : (double) (end - (n - k)) / (end - first);
		for (size_t i = first; i < end; i++)
		{
			rank[sorter->index[i]] = 0.5 * (double) (first + end - 1);
			top[sorter->index[i]] = inside;
		}
	}
	return status;
}

/* Give Pearson's correlation of two columns of ranks; NaN where one of them is constant. */
static double
correlate(const double *a, const double *b, size_t n)
{
	double mean = 0.5 * (double) (n - 1);
	CrmSum ab = {0}, aa = {0}, bb = {0};

	for (size_t i = 0; i < n; i++)
	{
		crm_sum_add(&ab, (a[i] - mean) * (b[i] - mean));
		crm_sum_add(&aa, (a[i] - mean) * (a[i] - mean));
		crm_sum_add(&bb, (b[i] - mean) * (b[i] - mean));
	}
	if (!(crm_sum_value(aa) > 0.0) || !(crm_sum_value(bb) > 0.0))
		return NAN;
	return crm_sum_value(ab) / sqrt(crm_sum_value(aa) * crm_sum_value(bb));
}

/* Fill in the measures that need no order. */
static void
measure_errors(const double *predicted, const double *actual, size_t n, CrmBacktest *result)
{
	CrmSum size = {0}, square = {0}, sum[2] = {{0}};

	for (size_t i = 0; i < n; i++)
	{
		double error = predicted[i] - actual[i];

		crm_sum_add(&size, fabs(error));
		crm_sum_add_square(&square, error);
		crm_sum_add(&sum[0], predicted[i]);
		crm_sum_add(&sum[1], actual[i]);
	}
	result->mae = crm_sum_mean(size, (int64_t) n);
	result->rmse = sqrt(crm_sum_mean(square, (int64_t) n));
	result->predicted = crm_sum_value(sum[0]);
	result->actual = crm_sum_value(sum[1]);
	result->bias = (result->predicted - result->actual) / (double) n;
}

/* Measure n predictions, at least one. CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED. */
CrmStatus
crm_backtest(CrmCtx *ctx, const double *predicted, const double *actual, size_t n,
			 CrmBacktest *result)
{
	size_t k = (n + 9) / 10;
	double *column = crm_allocate(ctx, 4 * n, sizeof(double));
	CrmSum found = {0};
	Sorter sorter;
	CrmStatus status;

	if (column == NULL)
		return ctx->failure;
	status = begin_sorter(ctx, &sorter, n);
	if (status == CRM_OK)
	{
		status = rank_values(ctx, &sorter, predicted, n, k, column, column + n);
		if (status == CRM_OK)
			status = rank_values(ctx, &sorter, actual, n, k, column + 2 * n, column + 3 * n);
		end_sorter(ctx, &sorter, n);
	}
	if (status == CRM_OK)
	{
		measure_errors(predicted, actual, n, result);
		result->rank_correlation = correlate(column, column + 2 * n, n);
		for (size_t i = 0; i < n; i++)
			crm_sum_add(&found, column[n + i] * column[3 * n + i]);
		result->top_found = crm_sum_value(found) / (double) k;
	}
	crm_release(ctx, column, 4 * n, sizeof(double));
	return status;
}

/* Give the share of n actual values, at least one, that lie between low and high, ends included. */
double
crm_backtest_covered(const double *low, const double *high, const double *actual, size_t n)
{
	size_t inside = 0;

	for (size_t i = 0; i < n; i++)
		inside += actual[i] >= low[i] && actual[i] <= high[i];
	return (double) inside / (double) n;
}

/*
 * Fill in the group of each of n predictions, 1 to groups with the largest in the last, as equal in
 * size as may be; equal predictions may fall into two groups, in the order of their rows.
 */
CrmStatus
crm_backtest_groups(CrmCtx *ctx, const double *predicted, size_t n, int groups, uint8_t *group)
{
	Sorter sorter;
	CrmStatus status = begin_sorter(ctx, &sorter, n);

	if (status != CRM_OK)
		return status;
	status = sort_values(ctx, &sorter, predicted, n);
	for (size_t i = 0; i < n && status == CRM_OK; i++)
		group[sorter.index[i]] = (uint8_t) (1 + i * (size_t) groups / n);
	end_sorter(ctx, &sorter, n);
	return status;
}
