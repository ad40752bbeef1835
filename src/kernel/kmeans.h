/*
 * kmeans.h: rows of numbers grouped into k clusters by the least sum of squared distances.
 *
 *     inertia = sum_i w_i min_j |x_i - c_j|^2,    c_j = the weighted mean of its rows
 *
 * Lloyd's iteration (Lloyd 1982, doi 10.1109/TIT.1982.1056489), exact, from the best of n_init
 * starts; seeding by greedy k-means++ (Arthur and Vassilvitskii 2007; several trials as in
 * scikit-learn), by rows drawn at random, or by given centroids. Where that is cheap a local search
 * follows (kmeans_search.h). Stop rule of scikit-learn: no label changed, or the squared shifts of
 * the centroids sum to at most tolerance times the mean variance of the columns. A cluster that
 * comes out empty moves to the row farthest from its centroid.
 *
 * The course of a fit:
 *
 *     crm_feature_fit, crm_feature_apply   each column (base/features.h)
 *     crm_kmeans_arrange                   once; reorders the rows in place, keeps who is where
 *     crm_kmeans_fit                       as often as wanted
 *     crm_kmeans_rows                      labels and distances, a slice of rows at a time
 *     crm_kmeans_quality, _profile         kmeans_quality.h;   _select  kmeans_select.h
 *
 * Invariants: nothing depends on the order of rows or of columns, to the last bit, because all work
 * is done in an order that the values alone decide (base/canonical.h); the rows at the first m
 * positions are a uniform sample. Inertia never rises. A row belongs to the centroid that is
 * nearest by computed distance, of equal ones the first. Clusters are ordered by value, the most
 * valuable is 0.
 *
 * Memory besides the columns: 16 bytes a row, which are the order, 4, and first a hash, 8, and room
 * to sort, 4, then a bound, 8, and a label, 2; where the local search is cheap, 8 more. A centroid
 * takes about 48 bytes a column. crm_kmeans_bytes tells it all.
 *
 * Not handled: more than 2^32 - 1 rows, missing values, other distances.
 */
#ifndef CRM_KERNEL_KMEANS_H
#define CRM_KERNEL_KMEANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/context.h"

#define CRM_KMEANS_MAX_K        10000
#define CRM_KMEANS_MAX_FEATURES 1600
#define CRM_KMEANS_MAX_INIT     1000

/* The matrix. The caller fills the first part; columns and weights are his and get rearranged. */
typedef struct CrmKmeansData
{
	double **columns; /* d of n finite values */
	double *weights;  /* n of them, finite, >= 0 and not all 0; NULL: each row counts once */
	size_t n;
	int d;

	int offender; /* after CRM_DOMAIN of crm_kmeans_arrange: the caller's column, -1: the weights */

	/* from crm_kmeans_arrange to crm_kmeans_data_free */
	uint32_t *order;     /* order[i]: the caller's row that stands at position i */
	int *column_order;   /* column_order[f]: the caller's column that is the f-th of the sums */
	const double **x;    /* the columns in that order */
	double *mean;        /* of the columns in that order, weighted */
	double *reach;       /* their largest absolute values */
	double limit;        /* of absolute values, so that squares can be summed */
	double total_weight; /* n without weights */
	double total;        /* inertia around the mean: total_weight times the variances' sum */
} CrmKmeansData;

typedef enum CrmKmeansInit
{
	CRM_KMEANS_PLUSPLUS,
	CRM_KMEANS_RANDOM,
	CRM_KMEANS_GIVEN
} CrmKmeansInit;

typedef enum CrmKmeansAlgorithm
{
	CRM_KMEANS_SEARCH, /* Lloyd, then a local search where the data are small */
	CRM_KMEANS_LLOYD   /* Lloyd alone */
} CrmKmeansAlgorithm;

typedef struct CrmKmeansParam
{
	int k; /* 1 to CRM_KMEANS_MAX_K */
	CrmKmeansInit init;
	const double *centroids; /* CRM_KMEANS_GIVEN: k rows of d prepared values, caller's columns */
	CrmKmeansAlgorithm algorithm;
	int n_init; /* starts, 1 to CRM_KMEANS_MAX_INIT; given centroids are one */
	int max_iterations;
	double tolerance; /* >= 0 */
	uint64_t seed;
	/* the value of a cluster: for each of the caller's columns in turn, 1: large centroids first,
	 * -1: small ones first, 0: does not count; NULL: all 1 */
	const signed char *direction;
	/* called, if not NULL, with the inertia after each assignment; for tests, it costs time */
	void (*trace)(void *user, int start, int iteration, double inertia);
	void *trace_user;
} CrmKmeansParam;

typedef struct CrmKmeansModel
{
	int k; /* clusters found: below param->k when the rows have fewer distinct values */
	int d;
	double *centroids; /* k rows of d prepared values in the order of the caller's columns */
	double *centres;   /* the same in the order in which distances are summed */
	int *column_order; /* d: that order */
	double *weights;   /* k: weight of each cluster's rows */
	int64_t *sizes;    /* k: rows of each cluster */
	double inertia;
	double total;     /* inertia of a single cluster */
	int iterations;   /* Lloyd's, of the start that was best */
	int best_start;   /* which one that was, from 0 */
	int improvements; /* of the local search: exchanges and swaps that it kept */
	bool converged;   /* by the stop rule; otherwise max_iterations ended it */
} CrmKmeansModel;

/* What crm_kmeans_rows tells of a row. */
typedef struct CrmKmeansRow
{
	uint32_t row;      /* the caller's */
	int cluster;       /* 0 to k - 1 */
	int second;        /* the cluster with the next centroid; -1 when there is one cluster */
	double distance;   /* to the own centroid, prepared units */
	double next;       /* to the next one; NaN when there is none */
	double silhouette; /* simplified: (next - distance) / next, 0 when next is 0; NaN likewise */
} CrmKmeansRow;

extern void crm_kmeans_defaults(CrmKmeansParam *param);
extern bool crm_kmeans_check(const CrmKmeansParam *param, char *why, size_t n);
extern size_t crm_kmeans_bytes(const CrmKmeansParam *param, size_t n, int d);
extern CrmStatus crm_kmeans_arrange(CrmCtx *ctx, CrmKmeansData *data);
extern void crm_kmeans_data_free(CrmCtx *ctx, CrmKmeansData *data);
extern CrmStatus crm_kmeans_sample(CrmCtx *ctx, const CrmKmeansData *data, size_t rows,
								   CrmKmeansData *sample);
extern void crm_kmeans_sample_free(CrmCtx *ctx, CrmKmeansData *sample);
extern CrmStatus crm_kmeans_fit(CrmCtx *ctx, const CrmKmeansData *data, const CrmKmeansParam *param,
								CrmKmeansModel *model);
extern void crm_kmeans_model_free(CrmCtx *ctx, CrmKmeansModel *model);
extern CrmStatus crm_kmeans_rows(CrmCtx *ctx, const CrmKmeansData *data,
								 const CrmKmeansModel *model, size_t first, size_t count,
								 CrmKmeansRow *rows);
extern CrmStatus crm_kmeans_labels(CrmCtx *ctx, const CrmKmeansData *data,
								   const CrmKmeansModel *model, uint16_t *labels);
extern void crm_kmeans_predict(const double *centroids, int k, int d, const int *column_order,
							   const double *values, CrmKmeansRow *row);

#endif
