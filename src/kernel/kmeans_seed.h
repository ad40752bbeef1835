/*
 * kmeans_seed.h: the centres that Lloyd's iteration starts from.
 *
 *     k-means++  the first centre is a row drawn by weight; each further one the best of
 *                2 + floor(ln k) rows drawn with probability proportional to
 *                w_i min_j |x_i - c_j|^2, best meaning the least sum of these afterwards
 *                (Arthur and Vassilvitskii 2007, ISBN 978-0-89871-624-5; trials as scikit-learn)
 *     random     k different rows drawn by weight
 *     given      the caller's
 *
 * Invariants: the draws of a start come from a stream of the seed by the start's number, so starts
 * do not depend on one another; no row of weight 0 is drawn. k-means++ stops early, with fewer
 * centres, when every row lies on one.
 */
#ifndef CRM_KERNEL_KMEANS_SEED_H
#define CRM_KERNEL_KMEANS_SEED_H

#include "kernel/base/rng.h"
#include "kernel/kmeans_lloyd.h"

/* Rows by weight times what the caller keeps for each, to draw from. */
typedef struct CrmKmeansUrn
{
	CrmLloyd *lloyd;
	double *share; /* n, the bounds of lloyd: a row's weight is to be multiplied by it */
	double *block; /* sums of w * share over blocks of rows */
	size_t n_blocks;
	double total;
} CrmKmeansUrn;

extern size_t crm_kmeans_seed_bytes(size_t n);
extern CrmStatus crm_kmeans_urn_begin(CrmKmeansUrn *urn, CrmLloyd *lloyd);
extern CrmStatus crm_kmeans_urn_fill(CrmKmeansUrn *urn);
extern void crm_kmeans_urn_free(CrmKmeansUrn *urn);
extern size_t crm_kmeans_urn_draw(const CrmKmeansUrn *urn, CrmRng *rng);
extern CrmStatus crm_kmeans_urn_approach(CrmKmeansUrn *urn, const double *centre);
extern CrmStatus crm_kmeans_urn_try(const CrmKmeansUrn *urn, const double *centres, int n,
									double *totals);
extern CrmStatus crm_kmeans_seed(CrmLloyd *lloyd, const CrmKmeansParam *param, int start);

#endif
