/*
 * canonical.c: an order of rows and columns by hashes of their values; see canonical.h.
 */
#include "kernel/base/canonical.h"

#include "kernel/base/lanes.h"
#include "kernel/base/order.h"
#include "kernel/base/table.h"

#include <string.h>

#define LANES 2
#include "kernel/base/canonical_lanes.h"
#if CRM_LANES_HAVE_WIDE
#define LANES 4
#include "kernel/base/canonical_lanes.h"
#define LANES 8
#include "kernel/base/canonical_lanes.h"
#endif

#define SLICE      4096 /* rows whose hashes stay in the first cache while the columns pass */
#define POLL_EVERY ((size_t) 1 << 18)

/* Give the mixed bits of a value. */
static inline uint64_t
mix_value(double value)
{
	uint64_t bits;

	value += 0.0; /* -0 becomes +0 */
	memcpy(&bits, &value, sizeof bits);
	return crm_mix64(bits);
}

/* Add up the mixed values of a column; with hashes, each mixed with its row's hash once more. */
static uint64_t
sum_values(const double *column, const uint64_t *hash, size_t n)
{
	uint64_t lane[CRM_LANES_ALL] = {0}, sum = 0;
	size_t i = n / CRM_LANES_ALL * CRM_LANES_ALL;

	CRM_LANES_CALL(add_up, column, hash, i, lane);
	for (int l = 0; l < CRM_LANES_ALL; l++)
		sum += lane[l];
	for (; i < n; i++)
		sum += hash != NULL ? crm_mix64(hash[i] ^ mix_value(column[i])) : mix_value(column[i]);
	return sum;
}

/* Add the mixed values of a column, mixed with its key once more, to the hashes of n rows. */
static void
add_column(const double *column, uint64_t key, size_t n, uint64_t *hash)
{
	size_t i = n / CRM_LANES_ALL * CRM_LANES_ALL;

	CRM_LANES_CALL(mix_in, column, key, i, hash);
	for (; i < n; i++)
		hash[i] += crm_mix64(key ^ mix_value(column[i]));
}

/* Sum a column up as sum_values, letting the host stop it. */
static CrmStatus
sum_column(CrmCtx *ctx, const double *column, const uint64_t *hash, size_t n, uint64_t *id)
{
	*id = 0;
	for (size_t first = 0; first < n; first += POLL_EVERY)
	{
		size_t count = n - first > POLL_EVERY ? POLL_EVERY : n - first;

		*id += sum_values(column + first, hash != NULL ? hash + first : NULL, count);
		if (crm_poll(ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Hash the rows; key[j] belongs to column j. */
static CrmStatus
hash_rows(CrmCtx *ctx, double *const *columns, int d, const uint64_t *key, const double *weights,
		  size_t n, uint64_t *hash)
{
	for (size_t first = 0; first < n; first += SLICE)
	{
		size_t count = n - first > SLICE ? SLICE : n - first;

		memset(hash + first, 0, count * sizeof(uint64_t));
		for (int j = 0; j < d; j++)
		{
			add_column(columns[j] + first, key[j], count, hash + first);
			if (j % 64 == 0 && crm_poll(ctx))
				return CRM_ABORTED;
		}
		if (weights != NULL)
			add_column(weights + first, crm_mix64(0), count, hash + first);
	}
	return CRM_OK;
}

/*
 * Sort the columns by id, then by twin; both may be indexed by column. Few of them: by insertion.
 */
static void
sort_columns(const uint64_t *id, const uint64_t *twin, int d, int *column_order)
{
	for (int j = 0; j < d; j++)
	{
		int at = j;

		for (; at > 0; at--)
		{
			int before = column_order[at - 1];

			if (id[before] < id[j] || (id[before] == id[j] && twin[before] <= twin[j]))
				break;
			column_order[at] = before;
		}
		column_order[at] = j;
	}
}

/* Order the columns. id and twin are room for d each, hash for n; id then holds the key of each. */
static CrmStatus
order_columns(CrmCtx *ctx, double *const *columns, int d, const double *weights, size_t n,
			  int *column_order, uint64_t *id, uint64_t *twin, uint64_t *hash)
{
	bool has_ties = false;
	CrmStatus status = CRM_OK;

	memset(twin, 0, d * sizeof(uint64_t));
	for (int j = 0; j < d && status == CRM_OK; j++)
		status = sum_column(ctx, columns[j], NULL, n, &id[j]);
	if (status != CRM_OK)
		return status;
	sort_columns(id, twin, d, column_order);
	for (int at = 1; at < d; at++)
		has_ties |= id[column_order[at - 1]] == id[column_order[at]];
	if (has_ties)
	{
		status = hash_rows(ctx, columns, d, id, weights, n, hash);
		for (int j = 0; j < d && status == CRM_OK; j++)
			status = sum_column(ctx, columns[j], hash, n, &twin[j]);
		sort_columns(id, twin, d, column_order);
	}
	for (int at = 0; at < d; at++)
		id[column_order[at]] = crm_mix64((uint64_t) at + 1);
	return status;
}

/* Give the m-th copy of a row a hash of its own; tell whether there was any. */
static CrmStatus
scatter_copies(CrmCtx *ctx, uint64_t *hash, const uint32_t *order, size_t n, bool *has_copies)
{
	uint64_t first = n > 0 ? hash[order[0]] : 0, copy = 0;

	*has_copies = false;
	for (size_t i = 1; i < n; i++)
	{
		if (i % POLL_EVERY == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		if (hash[order[i]] != first)
		{
			first = hash[order[i]];
			copy = 0;
			continue;
		}
		hash[order[i]] = crm_mix64(first + ++copy);
		*has_copies = true;
	}
	return CRM_OK;
}

/* Order the rows by hash. */
static CrmStatus
order_rows(CrmCtx *ctx, uint64_t *hash, size_t n, uint32_t *order)
{
	uint32_t *scratch = crm_allocate(ctx, n, sizeof(uint32_t));
	bool has_copies = false;
	CrmStatus status;

	if (scratch == NULL)
		return ctx->failure;
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t) i;
	status = crm_radix_sort_hashes(ctx, hash, order, scratch, n);
	if (status == CRM_OK)
		status = scatter_copies(ctx, hash, order, n, &has_copies);
	if (status == CRM_OK && has_copies)
		status = crm_radix_sort_hashes(ctx, hash, order, scratch, n);
	crm_release(ctx, scratch, n, sizeof(uint32_t));
	return status;
}

/* Rearrange one column by way of scratch: position i receives the value of row order[i]. */
static CrmStatus
permute(CrmCtx *ctx, double *column, size_t n, const uint32_t *order, double *scratch)
{
	for (size_t first = 0; first < n; first += POLL_EVERY)
	{
		size_t end = n - first > POLL_EVERY ? first + POLL_EVERY : n;

		for (size_t i = first; i < end; i++)
			scratch[i] = column[order[i]];
		if (crm_poll(ctx))
			return CRM_ABORTED;
	}
	memcpy(column, scratch, n * sizeof(double));
	return CRM_OK;
}

/* Order the columns and the rows, then rearrange the rows; hash is room for n, ids for 2 d. */
static CrmStatus
arrange(CrmCtx *ctx, double *const *columns, int d, double *weights, size_t n, uint32_t *order,
		int *column_order, uint64_t *hash, uint64_t *ids)
{
	double *scratch = (double *) (void *) hash; /* once the rows are in order */
	CrmStatus status = order_columns(ctx, columns, d, weights, n, column_order, ids, ids + d, hash);

	if (status == CRM_OK)
		status = hash_rows(ctx, columns, d, ids, weights, n, hash);
	if (status == CRM_OK)
		status = order_rows(ctx, hash, n, order);
	for (int j = 0; j < d && status == CRM_OK; j++)
		status = permute(ctx, columns[j], n, order, scratch);
	if (weights != NULL && status == CRM_OK)
		status = permute(ctx, weights, n, order, scratch);
	return status;
}

/*
 * Rearrange n rows of d columns of finite values into canonical order; weights, or NULL, is one
 * more value of a row and goes along. order[n] receives the row that stands at each position, and
 * column_order[d] the order of the columns, which stay where they are. Takes 12 bytes a row and 16
 * a column for the time. Errors: CRM_LIMIT, CRM_NO_MEMORY; CRM_ABORTED, which may leave some
 * columns rearranged and others not; CRM_DOMAIN for too many rows.
 */
CrmStatus
crm_canonical_arrange(CrmCtx *ctx, double *const *columns, int d, double *weights, size_t n,
					  uint32_t *order, int *column_order)
{
	uint64_t *hash = crm_allocate(ctx, n, sizeof(uint64_t));
	uint64_t *ids = crm_allocate(ctx, d, 2 * sizeof(uint64_t));
	CrmStatus status;

	if (hash == NULL || ids == NULL)
		status = ctx->failure;
	else
		status = arrange(ctx, columns, d, weights, n, order, column_order, hash, ids);
	crm_release(ctx, ids, d, 2 * sizeof(uint64_t));
	crm_release(ctx, hash, n, sizeof(uint64_t));
	return status;
}

/*
 * Rearrange rows as crm_canonical_arrange does, for a caller who need not know where they stood.
 * Takes 16 bytes a row and 20 a column for the time; the same errors.
 */
CrmStatus
crm_canonical_rows(CrmCtx *ctx, double *const *columns, int d, double *weights, size_t n)
{
	uint32_t *order;
	int *column_order;
	CrmStatus status;

	if (n > UINT32_MAX)
		return CRM_DOMAIN;
	order = crm_allocate(ctx, n, sizeof(uint32_t));
	column_order = crm_allocate(ctx, d, sizeof(int));
	if (order == NULL || column_order == NULL)
		status = ctx->failure;
	else
		status = crm_canonical_arrange(ctx, columns, d, weights, n, order, column_order);
	crm_release(ctx, column_order, d, sizeof(int));
	crm_release(ctx, order, n, sizeof(uint32_t));
	return status;
}
