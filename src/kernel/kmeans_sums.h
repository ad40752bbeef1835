/*
 * kmeans_sums.h: the sums of each cluster's rows, kept up to date as rows change their cluster.
 *
 * A term w x is split at a bit that is fixed for its column: t + s - s, with s = 3 * 2^(e - 2) and
 * 2^e above 8 n times the largest |w x|, rounds t to a multiple of 2^(e - 53). Sums of n such upper
 * parts are exact, and the lower parts, below 2^(e - 54) each, are summed by themselves with an
 * error far below the last bit of the whole (the extraction of Rump, Ogita and Oishi 2008, doi
 * 10.1137/050645671). So rows may be put in and taken out for ever: a mean is the rounded mean of
 * the rows that are there, whatever the way to it.
 *
 * Invariants: the same moves give the same bits on every processor (base/lanes.h). Memory: 16 bytes
 * a cluster and column, columns plus one rounded up to eight.
 */
#ifndef CRM_KERNEL_KMEANS_SUMS_H
#define CRM_KERNEL_KMEANS_SUMS_H

#include "kernel/kmeans.h"
#include "kernel/kmeans_nearest.h"

#define CRM_SUMS_MOVES CRM_NEAREST_TILE /* made at once, at most */

typedef struct CrmKmeansSums
{
	const CrmKmeansData *data;
	int max_k;
	size_t stride; /* d + 1, rounded up to eight: the columns, the weight, nothing */
	double *parts; /* a cluster: stride upper parts, then as many lower ones */
	double *split; /* stride */
} CrmKmeansSums;

/* A row that changes its cluster; -1 stands for none. */
typedef struct CrmKmeansMove
{
	uint32_t row; /* of the data, or of a tile of them */
	int from, to;
	double weight;
} CrmKmeansMove;

/* Give the sum of a column over the rows of a cluster, weighted; of column d, their weight. */
static inline double
crm_kmeans_sums_get(const CrmKmeansSums *sums, int j, int f)
{
	const double *part = sums->parts + (size_t) j * 2 * sums->stride + f;

	return part[0] + part[sums->stride];
}

extern size_t crm_kmeans_sums_bytes(int d, int k);
extern CrmStatus crm_kmeans_sums_begin(CrmCtx *ctx, const CrmKmeansData *data, int max_k,
									   CrmKmeansSums *sums);
extern void crm_kmeans_sums_free(CrmCtx *ctx, CrmKmeansSums *sums);
extern void crm_kmeans_sums_clear(CrmKmeansSums *sums, int k);
extern void crm_kmeans_sums_move(CrmKmeansSums *sums, const double *tile,
								 const CrmKmeansMove *moves, size_t n);
extern void crm_kmeans_sums_swap(CrmKmeansSums *sums, int j, int other);

#endif
