/*
 * kmeans_quality.h: how good a clustering is, and what its clusters are like.
 *
 * With a_i the mean distance of row i to the other rows of its cluster and b_i the least mean
 * distance to the rows of another:
 *
 *   silhouette         mean of (b_i - a_i) / max(a_i, b_i), 0 for a row alone in its cluster
 *                      (Rousseeuw 1987, doi 10.1016/0377-0427(87)90125-7)
 *   simplified         the same with distances to the centroids (Hruschka et al. 2004)
 *   Davies-Bouldin     mean_i max_j (S_i + S_j) / |c_i - c_j|, S the mean distance to the centroid
 *                      (Davies and Bouldin 1979, doi 10.1109/TPAMI.1979.4766909)
 *   Calinski-Harabasz  (B / (k - 1)) / (inertia / (n - k)), B the inertia between clusters
 *                      (Calinski and Harabasz 1974, doi 10.1080/03610927408827101)
 *   adjusted Rand      agreement of two labelings beyond chance (Hubert and Arabie 1985,
 *                      doi 10.1007/BF01908075)
 *
 * All as in scikit-learn, a weight standing for so many equal rows; NaN where one cluster, or n = k
 * rows, leave it undefined. The full silhouette takes all pairs of rows, so it is exact up to
 * CRM_KMEANS_SILHOUETTE_ROWS of them and beyond that the silhouette of a uniform sample of so many.
 */
#ifndef CRM_KERNEL_KMEANS_QUALITY_H
#define CRM_KERNEL_KMEANS_QUALITY_H

#include "kernel/base/features.h"
#include "kernel/kmeans.h"

#define CRM_KMEANS_SILHOUETTE_ROWS 10000

typedef struct CrmKmeansQuality
{
	double simplified;
	double silhouette;
	size_t silhouette_rows; /* the rows it was made of; all when it is exact */
	double davies_bouldin;
	double calinski_harabasz;
} CrmKmeansQuality;

/* Clusters in original units, weighted; arrays of k rows of d values, caller's columns. */
typedef struct CrmKmeansProfile
{
	int k, d;
	double *mean;
	double *sd;       /* the population's */
	double *z;        /* (mean - mean of all) / sd of all; 0 where the sd of all is 0 */
	double *all_mean; /* d */
	double *all_sd;   /* d */
} CrmKmeansProfile;

extern CrmStatus crm_kmeans_quality(CrmCtx *ctx, const CrmKmeansData *data,
									const CrmKmeansModel *model, size_t silhouette_rows,
									CrmKmeansQuality *quality);
extern CrmStatus crm_kmeans_profile(CrmCtx *ctx, const CrmKmeansData *data,
									const CrmKmeansModel *model, const CrmFeature *features,
									CrmKmeansProfile *profile);
extern void crm_kmeans_profile_free(CrmCtx *ctx, CrmKmeansProfile *profile);
extern void crm_kmeans_reasons(const CrmKmeansProfile *profile, int cluster, int column[2]);
extern CrmStatus crm_kmeans_adjusted_rand(CrmCtx *ctx, const uint16_t *a, int n_a,
										  const uint16_t *b, int n_b, const double *weights,
										  size_t n, double *index);

#endif
