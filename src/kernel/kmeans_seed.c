/*
 * kmeans_seed.c: starting centres; see kmeans_seed.h.
 */
#include "kernel/kmeans_seed.h"

#include "kernel/kmeans_nearest.h"

#include <math.h>
#include <string.h>

#define BLOCK      512 /* rows whose shares are summed to one number */
#define MAX_TRIALS 16  /* 2 + floor(ln CRM_KMEANS_MAX_K) is 11 */

/* Give the number of blocks of n rows. */
static size_t
count_blocks(size_t n)
{
	return (n + BLOCK - 1) / BLOCK;
}

/* Give the bytes that seeding takes besides the state of Lloyd's iteration. */
size_t
crm_kmeans_seed_bytes(size_t n)
{
	return count_blocks(n) * sizeof(double);
}

/* Give the rows of block b and where they begin. */
static size_t
block_rows(const CrmKmeansUrn *urn, size_t b, size_t *first)
{
	size_t n = urn->lloyd->data->n;

	*first = b * BLOCK;
	return n - *first > BLOCK ? BLOCK : n - *first;
}

/* Set all shares; the sums are left as they are. */
static CrmStatus
set_shares(CrmKmeansUrn *urn, double share)
{
	for (size_t b = 0; b < urn->n_blocks; b++)
	{
		size_t first, count = block_rows(urn, b, &first);

		for (size_t i = first; i < first + count; i++)
			urn->share[i] = share;
		if (crm_kmeans_lloyd_is_stopped(urn->lloyd, count))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Make an urn in which every row has share 1; it uses up the bounds. */
CrmStatus
crm_kmeans_urn_begin(CrmKmeansUrn *urn, CrmLloyd *lloyd)
{
	size_t n = lloyd->data->n;

	*urn = (CrmKmeansUrn){.lloyd = lloyd, .share = lloyd->bound, .n_blocks = count_blocks(n)};
	if ((urn->block = crm_allocate(lloyd->ctx, urn->n_blocks, sizeof(double))) == NULL)
		return lloyd->ctx->failure;
	lloyd->is_loose = true;
	return set_shares(urn, 1.0) == CRM_OK ? crm_kmeans_urn_fill(urn) : CRM_ABORTED;
}

/* Sum the shares, after the caller has set them. */
CrmStatus
crm_kmeans_urn_fill(CrmKmeansUrn *urn)
{
	const double *weights = urn->lloyd->data->weights;

	urn->total = 0.0;
	for (size_t b = 0; b < urn->n_blocks; b++)
	{
		size_t first, count = block_rows(urn, b, &first);

		urn->block[b] = crm_kmeans_nearest_sum(weights != NULL ? weights + first : NULL,
											   urn->share + first, count);
		urn->total += urn->block[b];
		if (crm_kmeans_lloyd_is_stopped(urn->lloyd, BLOCK))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Give back what begin took, whether or not it succeeded. */
void
crm_kmeans_urn_free(CrmKmeansUrn *urn)
{
	crm_release(urn->lloyd->ctx, urn->block, urn->n_blocks, sizeof(double));
	urn->block = NULL;
}

/*
 * Draw a row with probability proportional to weight * share; the total must be positive. The row
 * has a positive share, whatever the rounding of the sums.
 */
size_t
crm_kmeans_urn_draw(const CrmKmeansUrn *urn, CrmRng *rng)
{
	size_t n = urn->lloyd->data->n, drawn = 0, b = 0;
	double left = crm_rng_uniform(rng) * urn->total;

	while (b + 1 < urn->n_blocks && left >= urn->block[b])
		left -= urn->block[b++];
	while (b > 0 && urn->block[b] <= 0.0)
	{
		b--; /* rounding has led past the last block that holds something */
		left = urn->total;
	}
	for (size_t i = b * BLOCK; i < n && i < (b + 1) * BLOCK; i++)
	{
		double mine = crm_kmeans_lloyd_weight(urn->lloyd, i) * urn->share[i];

		if (mine <= 0.0)
			continue;
		drawn = i;
		if (left < mine)
			break;
		left -= mine;
	}
	return drawn;
}

/* Lower each row's share to its squared distance to a centre. */
CrmStatus
crm_kmeans_urn_approach(CrmKmeansUrn *urn, const double *centre)
{
	const CrmKmeansData *data = urn->lloyd->data;
	double squares[BLOCK];

	urn->total = 0.0;
	for (size_t b = 0; b < urn->n_blocks; b++)
	{
		size_t first, count = block_rows(urn, b, &first);
		double *share = urn->share + first;

		crm_kmeans_nearest_squares(data->x, data->d, first, count, centre, squares);
		crm_kmeans_nearest_lower(share, squares, count, share);
		urn->block[b] = crm_kmeans_nearest_sum(data->weights != NULL ? data->weights + first : NULL,
											   share, count);
		urn->total += urn->block[b];
		if (crm_kmeans_lloyd_is_stopped(urn->lloyd, count * data->d))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Tell what the total would be after approaching each of n centres alone. */
CrmStatus
crm_kmeans_urn_try(const CrmKmeansUrn *urn, const double *centres, int n, double *totals)
{
	const CrmKmeansData *data = urn->lloyd->data;
	double squares[BLOCK];

	for (int t = 0; t < n; t++)
		totals[t] = 0.0;
	for (size_t b = 0; b < urn->n_blocks; b++)
	{
		size_t first, count = block_rows(urn, b, &first);
		const double *weights = data->weights != NULL ? data->weights + first : NULL;

		for (int t = 0; t < n; t++)
		{
			crm_kmeans_nearest_squares(data->x, data->d, first, count,
									   centres + (size_t) t * data->d, squares);
			crm_kmeans_nearest_lower(urn->share + first, squares, count, squares);
			totals[t] += crm_kmeans_nearest_sum(weights, squares, count);
			if (crm_kmeans_lloyd_is_stopped(urn->lloyd, count * data->d))
				return CRM_ABORTED;
		}
	}
	return CRM_OK;
}

/* Copy the row at a position to an array of its coordinates. */
static void
copy_row(const CrmKmeansData *data, size_t i, double *row)
{
	for (int f = 0; f < data->d; f++)
		row[f] = data->x[f][i];
}

/* Seed by greedy k-means++. */
static CrmStatus
seed_plusplus(CrmKmeansUrn *urn, int k, CrmRng *rng)
{
	CrmLloyd *lloyd = urn->lloyd;
	int d = lloyd->data->d, trials = 2 + (int) log(k);
	double *trial = lloyd->tiles, total[MAX_TRIALS];
	CrmStatus status;

	copy_row(lloyd->data, crm_kmeans_urn_draw(urn, rng), lloyd->centres);
	status = set_shares(urn, INFINITY);
	if (status == CRM_OK)
		status = crm_kmeans_urn_approach(urn, lloyd->centres);
	for (lloyd->k = 1; lloyd->k < k && urn->total > 0.0 && status == CRM_OK; lloyd->k++)
	{
		double *centre = lloyd->centres + (size_t) lloyd->k * d;
		int best = 0;

		for (int t = 0; t < trials; t++)
			copy_row(lloyd->data, crm_kmeans_urn_draw(urn, rng), trial + (size_t) t * d);
		status = crm_kmeans_urn_try(urn, trial, trials, total);
		for (int t = 1; t < trials && status == CRM_OK; t++)
			best = total[t] < total[best] ? t : best;
		memcpy(centre, trial + (size_t) best * d, d * sizeof(double));
		if (status == CRM_OK)
			status = crm_kmeans_urn_approach(urn, centre);
	}
	return status;
}

/* Seed by different rows at random; fewer than k when not so many have a weight. */
static CrmStatus
seed_random(CrmKmeansUrn *urn, int k, CrmRng *rng)
{
	CrmLloyd *lloyd = urn->lloyd;
	const double *weights = lloyd->data->weights;

	for (lloyd->k = 0; lloyd->k < k && urn->total > 0.0; lloyd->k++)
	{
		size_t i = crm_kmeans_urn_draw(urn, rng), b = i / BLOCK, first;
		size_t count = block_rows(urn, b, &first);

		copy_row(lloyd->data, i, lloyd->centres + (size_t) lloyd->k * lloyd->data->d);
		urn->share[i] = 0.0;
		urn->block[b] = crm_kmeans_nearest_sum(weights != NULL ? weights + first : NULL,
											   urn->share + first, count);
		urn->total = 0.0;
		for (b = 0; b < urn->n_blocks; b++)
			urn->total += urn->block[b];
		if (crm_kmeans_lloyd_is_stopped(lloyd, BLOCK + urn->n_blocks))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Take the caller's centroids, whose columns stand in his order. */
static void
seed_given(CrmLloyd *lloyd, const CrmKmeansParam *param)
{
	int d = lloyd->data->d;

	for (int j = 0; j < param->k; j++)
		for (int f = 0; f < d; f++)
			lloyd->centres[(size_t) j * d + f] =
				param->centroids[(size_t) j * d + lloyd->data->column_order[f]];
	lloyd->k = param->k;
}

/*
 * Put the centres of one start, 0 to n_init - 1, into the state and forget the rest of it. lloyd->k
 * becomes their number, at most param->k, for which there must be room.
 */
CrmStatus
crm_kmeans_seed(CrmLloyd *lloyd, const CrmKmeansParam *param, int start)
{
	CrmKmeansUrn urn;
	CrmStatus status;
	CrmRng rng;

	crm_kmeans_lloyd_forget(lloyd);
	if (param->init == CRM_KMEANS_GIVEN)
	{
		seed_given(lloyd, param);
		return CRM_OK;
	}
	crm_rng_seed(&rng, param->seed, (uint64_t) start);
	status = crm_kmeans_urn_begin(&urn, lloyd);
	if (status == CRM_OK)
		status = param->init == CRM_KMEANS_PLUSPLUS ? seed_plusplus(&urn, param->k, &rng)
													: seed_random(&urn, param->k, &rng);
	crm_kmeans_urn_free(&urn);
	return status;
}
