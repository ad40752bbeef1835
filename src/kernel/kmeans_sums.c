/*
 * kmeans_sums.c: sums that rows enter and leave; see kmeans_sums.h.
 *
 * The terms of a row lie side by side in lanes, so a row costs a few instructions for eight
 * columns.
 */
#include "kernel/kmeans_sums.h"

#include "kernel/base/lanes.h"

#include <math.h>
#include <string.h>

#define LANES 2
#include "kernel/kmeans_sums_lanes.h"
#if CRM_LANES_HAVE_WIDE
#define LANES 4
#include "kernel/kmeans_sums_lanes.h"
#define LANES 8
#include "kernel/kmeans_sums_lanes.h"
#endif

#define POLL_ROWS ((size_t) 1 << 20)

/* Give the upper, or lower, parts of a cluster for d columns. */
static size_t
count_parts(int d)
{
	return ((size_t) d + CRM_LANES_ALL) / CRM_LANES_ALL * CRM_LANES_ALL;
}

/* Give the bytes that crm_kmeans_sums_begin takes for k clusters of d columns. */
size_t
crm_kmeans_sums_bytes(int d, int k)
{
	return (2 * (size_t) k + 1) * count_parts(d) * sizeof(double);
}

/* Set where the terms of each column are split. */
static CrmStatus
find_splits(CrmCtx *ctx, CrmKmeansSums *sums)
{
	const CrmKmeansData *data = sums->data;
	double heaviest = 1.0;

	for (size_t i = 0; data->weights != NULL && i < data->n; i++)
	{
		heaviest = data->weights[i] > heaviest ? data->weights[i] : heaviest;
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	memset(sums->split, 0, sums->stride * sizeof(double));
	for (int f = 0; f <= data->d; f++)
	{
		double bound = heaviest * (f < data->d ? data->reach[f] : 1.0);
		int exponent;

		(void) frexp(bound * 8.0 * fmax((double) data->n, 1.0), &exponent);
		sums->split[f] = bound > 0.0 ? ldexp(3.0, exponent - 2) : 0.0;
	}
	return CRM_OK;
}

/*
 * Make room for the sums of up to max_k clusters of arranged data, which must outlive them. On an
 * error nothing is held: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_kmeans_sums_begin(CrmCtx *ctx, const CrmKmeansData *data, int max_k, CrmKmeansSums *sums)
{
	CrmStatus status;

	*sums = (CrmKmeansSums){.data = data, .max_k = max_k, .stride = count_parts(data->d)};
	if ((sums->parts = crm_allocate(ctx, 2 * (size_t) max_k * sums->stride, sizeof(double))) ==
			NULL ||
		(sums->split = crm_allocate(ctx, sums->stride, sizeof(double))) == NULL)
		status = ctx->failure;
	else
		status = find_splits(ctx, sums);
	if (status != CRM_OK)
		crm_kmeans_sums_free(ctx, sums);
	return status;
}

/* Give back what begin took; once more does no harm. */
void
crm_kmeans_sums_free(CrmCtx *ctx, CrmKmeansSums *sums)
{
	crm_release(ctx, sums->split, sums->stride, sizeof(double));
	crm_release(ctx, sums->parts, 2 * (size_t) sums->max_k * sums->stride, sizeof(double));
	sums->parts = sums->split = NULL;
}

/* Empty the first k clusters. */
void
crm_kmeans_sums_clear(CrmKmeansSums *sums, int k)
{
	memset(sums->parts, 0, 2 * (size_t) k * sums->stride * sizeof(double));
}

/*
 * Make at most CRM_SUMS_MOVES moves, in their order. Their rows are rows of a tile, which lies in
 * the cache, or with NULL of the data.
 */
void
crm_kmeans_sums_move(CrmKmeansSums *sums, const double *tile, const CrmKmeansMove *moves, size_t n)
{
	double values[CRM_SUMS_MOVES * CRM_LANES_ALL];
	int d = sums->data->d;

	for (int first = 0; first <= d; first += CRM_LANES_ALL)
	{
		if (first + CRM_LANES_ALL > d)
			memset(values, 0, n * CRM_LANES_ALL * sizeof(double));
		for (int l = 0; l < CRM_LANES_ALL && first + l < d; l++)
		{
			const double *column = tile != NULL ? tile + (size_t) (first + l) * CRM_NEAREST_TILE
												: sums->data->x[first + l];

			for (size_t m = 0; m < n; m++)
				values[m * CRM_LANES_ALL + l] = column[moves[m].row];
		}
		if (first + CRM_LANES_ALL > d)
			for (size_t m = 0; m < n; m++)
				values[m * CRM_LANES_ALL + d - first] = 1.0; /* the column of the weights */
		CRM_LANES_CALL(move, sums->parts + first, sums->stride, sums->split + first, values, moves,
					   n);
	}
}

/* Exchange two clusters. */
void
crm_kmeans_sums_swap(CrmKmeansSums *sums, int j, int other)
{
	double *a = sums->parts + (size_t) j * 2 * sums->stride;
	double *b = sums->parts + (size_t) other * 2 * sums->stride;

	for (size_t i = 0; i < 2 * sums->stride; i++)
	{
		double kept = a[i];

		a[i] = b[i];
		b[i] = kept;
	}
}
