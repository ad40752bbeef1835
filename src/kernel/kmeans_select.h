/*
 * kmeans_select.h: the number of clusters, chosen by silhouette, with what else speaks for it.
 *
 * For each k from k_min to k_max a fit of at most CRM_KMEANS_SELECT_ROWS rows (a uniform sample
 * when there are more), its inertia, silhouettes (the full one of CRM_KMEANS_SELECT_PAIRS rows),
 * Davies-Bouldin and Calinski-Harabasz (kmeans_quality.h), and its stability: the mean adjusted
 * Rand index between the labels of that fit and those of fits to resamples of
 * CRM_KMEANS_STABILITY_ROWS of the rows (Poisson bootstrap: a row counts w times a Poisson variate
 * of mean 1), after Hennig 2007, doi 10.1016/j.csda.2006.11.025. The k of the largest full
 * silhouette is chosen, of equal ones the smallest.
 *
 * Invariants: as for a fit; the resamples are streams of the seed. Not handled: k = 1, whose
 * silhouette is undefined; it is listed when asked for and chosen when no other k can be had.
 */
#ifndef CRM_KERNEL_KMEANS_SELECT_H
#define CRM_KERNEL_KMEANS_SELECT_H

#include "kernel/kmeans_quality.h"

#define CRM_KMEANS_SELECT_ROWS    20000
#define CRM_KMEANS_SELECT_PAIRS   5000 /* of them, for the full silhouette */
#define CRM_KMEANS_STABILITY_ROWS 5000 /* of them, for resamples */
#define CRM_KMEANS_STABILITY_INIT 3    /* starts of the fit to a resample, without local search */
#define CRM_KMEANS_RESAMPLES      10
#define CRM_KMEANS_MAX_RESAMPLES  1000

/* What is known of one k. */
typedef struct CrmKmeansChoice
{
	int k;        /* asked for */
	int clusters; /* found */
	double inertia;
	CrmKmeansQuality quality;
	double stability; /* NaN without resamples */
	int iterations;
	bool converged;
} CrmKmeansChoice;

extern size_t crm_kmeans_select_bytes(const CrmKmeansParam *param, size_t n, int d, int k_max);
extern CrmStatus crm_kmeans_select(CrmCtx *ctx, const CrmKmeansData *data,
								   const CrmKmeansParam *param, int k_min, int k_max, int resamples,
								   CrmKmeansChoice *choices, int *chosen, size_t *rows);

#endif
