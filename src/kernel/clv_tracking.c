/*
 * clv_tracking.c: see clv_tracking.h.
 */
#include "kernel/clv_tracking.h"

#include <math.h>

#include "kernel/base/order.h"
#include "kernel/base/sum.h"

#define POLL_VALUES 64 /* expectations, of which one may take a hundred thousand operations */

/*
 * Add a customer's repeat transactions to actual[k], those after end[k - 1] and up to end[k]; the
 * customer's n periods are ascending, and so are the ends. Those after the last end are not
 * counted.
 */
void
crm_tracking_count(const int32_t *period, size_t n, const int32_t *end, size_t ends,
				   int64_t *actual)
{
	size_t k = 0;

	for (size_t i = 1; i < n; i++)
	{
		while (k < ends && period[i] > end[k])
			k++;
		if (k == ends)
			return;
		actual[k]++;
	}
}

/* Put the periods of first orders in ascending order into index; scratch has room for n. */
static CrmStatus
sort_first(CrmCtx *ctx, const int32_t *first, size_t n, uint32_t *index, uint32_t *scratch)
{
	uint64_t *key = crm_allocate(ctx, n, sizeof *key);
	CrmStatus status;

	if (key == NULL)
		return ctx->failure;
	for (size_t i = 0; i < n; i++)
	{
		key[i] = crm_order_int64(first[i]);
		index[i] = (uint32_t) i;
	}
	status = crm_radix_sort_index(ctx, key, index, scratch, n);
	crm_release(ctx, key, n, sizeof *key);
	return status;
}

/* Add n customers who came in one period to the sums of the ends; known[u] is E[X(u)], or NaN. */
static CrmStatus
add_customers(CrmCtx *ctx, CrmClvKind kind, const double *theta, int64_t first, double n,
			  const int32_t *end, size_t ends, double *known, CrmSum *sums)
{
	double alive = crm_clv_p_alive(kind, theta, 0.0, 0.0, 0.0);
	size_t computed = 0;

	for (size_t k = 0; k < ends; k++)
	{
		int64_t u = end[k] - first;

		if (u <= 0)
			continue;
		if (isnan(known[u]))
		{
			if (++computed % POLL_VALUES == 0 && crm_poll(ctx))
				return CRM_ABORTED;
			known[u] = alive * crm_clv_orders_if_alive(kind, theta, 0.0, 0.0, (double) u);
		}
		crm_sum_add(&sums[k], n * known[u]);
	}
	return CRM_OK;
}

/* Fill in expected, with room for everything allocated. */
static CrmStatus
expect(CrmCtx *ctx, CrmClvKind kind, const double *theta, const int32_t *first, size_t n,
	   const uint32_t *index, const int32_t *end, size_t ends, double *known, CrmSum *sums)
{
	for (size_t i = 0, next; i < n; i = next)
	{
		CrmStatus status;

		for (next = i + 1; next < n && first[index[next]] == first[index[i]]; next++)
			;
		if (crm_poll(ctx))
			return CRM_ABORTED;
		status = add_customers(ctx, kind, theta, first[index[i]], (double) (next - i), end, ends,
							   known, sums);
		if (status != CRM_OK)
			return status;
	}
	return CRM_OK;
}

/*
 * Fill in the expected repeat transactions up to each end of n customers, first[i] the period of
 * the first order of one of them; ends are ascending. The formula has no expectation of new
 * customers: CRM_DOMAIN; CRM_LIMIT: more than CRM_TRACKING_SPAN periods, or the budget; CRM_ABORTED
 * by the poll; CRM_NO_MEMORY.
 */
CrmStatus
crm_tracking_expected(CrmCtx *ctx, CrmClvKind kind, const double *theta, const int32_t *first,
					  size_t n, const int32_t *end, size_t ends, double *expected)
{
	uint32_t *index;
	double *known = NULL;
	CrmSum *sums;
	int64_t span = 0;
	CrmStatus status;

	if (crm_clv_parameters(kind, NULL) == 0)
		return CRM_DOMAIN;
	for (size_t i = 0; i < n && ends > 0; i++)
		if ((int64_t) end[ends - 1] - first[i] > span)
			span = (int64_t) end[ends - 1] - first[i];
	if (span > CRM_TRACKING_SPAN)
		return CRM_LIMIT;
	index = crm_allocate(ctx, 2 * n, sizeof *index);
	sums = crm_allocate(ctx, ends, sizeof *sums);
	status =
		index == NULL || sums == NULL ? ctx->failure : sort_first(ctx, first, n, index, index + n);
	if (status == CRM_OK && (known = crm_allocate(ctx, (size_t) span + 1, sizeof *known)) == NULL)
		status = ctx->failure;
	for (int64_t u = 0; u <= span && status == CRM_OK; u++)
		known[u] = NAN;
	for (size_t k = 0; k < ends && status == CRM_OK; k++)
		sums[k] = (CrmSum){0.0, 0.0};
	if (status == CRM_OK)
		status = expect(ctx, kind, theta, first, n, index, end, ends, known, sums);
	for (size_t k = 0; k < ends && status == CRM_OK; k++)
		expected[k] = crm_sum_value(sums[k]);
	crm_release(ctx, known, (size_t) span + 1, sizeof *known);
	crm_release(ctx, sums, ends, sizeof *sums);
	crm_release(ctx, index, 2 * n, sizeof *index);
	return status;
}
