/*
 * kmeans_nearest.h: the nearest and the second nearest of k centres, for a tile of rows at once.
 *
 *     square(x, c) = sum_f (x_f - c_f)^2, in the order of the columns
 *
 * The difference is squared, rather than |x|^2 - 2 x c + |c|^2 taken, which would lose the digits
 * of data far from the origin. The rows of a tile lie in lanes (base/lanes.h), so a row's
 * operations and their order do not depend on the processor, and all functions here give the same
 * bits for the same row and centre.
 *
 * Invariants: of equal squares the first centre is the nearest, the next one the second. Nothing is
 * allocated. Not handled: NaN.
 */
#ifndef CRM_KERNEL_KMEANS_NEAREST_H
#define CRM_KERNEL_KMEANS_NEAREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRM_NEAREST_TILE 32 /* rows of a tile: column f of it is tile[32 f .. 32 f + 31] */

/* What is known of a tile's rows after some of the centres. */
typedef struct CrmNearest
{
	double best[CRM_NEAREST_TILE];   /* squared distances */
	double second[CRM_NEAREST_TILE]; /* infinite when there is one centre */
	int64_t label[CRM_NEAREST_TILE];
	int64_t next[CRM_NEAREST_TILE]; /* label of the second; -1 when there is one centre */
} CrmNearest;

extern void crm_kmeans_nearest_begin(CrmNearest *nearest);
extern void crm_kmeans_nearest_tile(const double *tile, int d, const double *centres, int first,
									int end, CrmNearest *nearest);
extern void crm_kmeans_nearest_tile_two(const double *tile, int d, const double *centres, int first,
										int end, CrmNearest *nearest);
extern void crm_kmeans_nearest_gather(const double *const *x, int d, const uint32_t *rows, size_t n,
									  double *tile);
extern void crm_kmeans_nearest_slack(const CrmNearest *nearest, double error, double least,
									 double *slack);
extern void crm_kmeans_nearest_squares(const double *const *x, int d, size_t first, size_t count,
									   const double *centre, double *squares);
extern void crm_kmeans_nearest_lower(const double *share, const double *squares, size_t n,
									 double *lowered);
extern double crm_kmeans_nearest_sum(const double *weights, const double *values, size_t n);
extern double crm_kmeans_nearest_sum_roots(const double *weights, double *squares, size_t n);
extern bool crm_kmeans_nearest_range(const double *values, size_t n, double *least, double *most);

/* Give the squared distance of a row in an array to a centre. */
static inline double
crm_kmeans_nearest_square(const double *row, const double *centre, int d)
{
	double square = 0.0;

	for (int f = 0; f < d; f++)
		square += (row[f] - centre[f]) * (row[f] - centre[f]);
	return square;
}

#endif
