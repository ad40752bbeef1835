/*
 * kmeans_quality.c: measures of a clustering, profiles of its clusters; see kmeans_quality.h.
 */
#include "kernel/kmeans_quality.h"

#include "kernel/base/sum.h"
#include "kernel/kmeans_nearest.h"

#include <math.h>
#include <string.h>

#define SLICE      512 /* rows that are looked at together */
#define POLL_ROWS  ((size_t) 1 << 16)
#define POLL_TERMS ((size_t) 1 << 20)

/* Give the weight of the row at a position. */
static inline double
weight_of(const CrmKmeansData *data, size_t i)
{
	return data->weights != NULL ? data->weights[i] : 1.0;
}

/* ---- distances to the means ---------------------------------------------------------------- */

/* What the measures need of the clusters; arrays of k. */
typedef struct Clusters
{
	int k, d;
	double *means;    /* k rows of d, columns in canonical order */
	double *weights;  /* k */
	double *spreads;  /* k: mean distance of the rows to the mean */
	uint16_t *labels; /* n */
	size_t n;
	double within; /* inertia around the means */
	double between;
	double simplified;
} Clusters;

/* Give back what begin_clusters took. */
static void
end_clusters(CrmCtx *ctx, Clusters *clusters)
{
	crm_release(ctx, clusters->labels, clusters->n, sizeof(uint16_t));
	crm_release(ctx, clusters->spreads, clusters->k, sizeof(double));
	crm_release(ctx, clusters->weights, clusters->k, sizeof(double));
	crm_release(ctx, clusters->means, (size_t) clusters->k * clusters->d, sizeof(double));
}

/* Make room. */
static CrmStatus
begin_clusters(CrmCtx *ctx, const CrmKmeansData *data, int k, Clusters *clusters)
{
	*clusters = (Clusters){.k = k, .d = data->d, .n = data->n};
	if ((clusters->means = crm_allocate(ctx, (size_t) k * data->d, sizeof(double))) == NULL ||
		(clusters->weights = crm_allocate(ctx, k, sizeof(double))) == NULL ||
		(clusters->spreads = crm_allocate(ctx, k, sizeof(double))) == NULL ||
		(clusters->labels = crm_allocate(ctx, data->n, sizeof(uint16_t))) == NULL)
	{
		CrmStatus failure = ctx->failure;

		end_clusters(ctx, clusters);
		return failure;
	}
	return CRM_OK;
}

/* Label the rows and sum up their simplified silhouettes. */
static CrmStatus
label_rows(CrmCtx *ctx, const CrmKmeansData *data, const CrmKmeansModel *model, Clusters *clusters)
{
	CrmKmeansRow rows[SLICE];
	CrmSum simplified = {0};

	for (size_t first = 0; first < data->n; first += SLICE)
	{
		size_t count = data->n - first > SLICE ? SLICE : data->n - first;
		CrmStatus status = crm_kmeans_rows(ctx, data, model, first, count, rows);

		if (status != CRM_OK)
			return status;
		for (size_t i = 0; i < count; i++)
		{
			clusters->labels[first + i] = (uint16_t) rows[i].cluster;
			if (model->k > 1)
				crm_sum_add(&simplified, weight_of(data, first + i) * rows[i].silhouette);
		}
	}
	clusters->simplified = model->k > 1 ? crm_sum_value(simplified) / data->total_weight : NAN;
	return CRM_OK;
}

/* Find the means of the labelled rows, column by column, with one sum a cluster. */
static CrmStatus
find_means(CrmCtx *ctx, const CrmKmeansData *data, Clusters *clusters)
{
	int k = clusters->k, d = clusters->d;
	CrmSum *sums = crm_allocate(ctx, k, sizeof(CrmSum));
	CrmStatus status = sums != NULL ? CRM_OK : ctx->failure;

	for (int f = -1; f < d && status == CRM_OK; f++) /* -1: the weights */
	{
		memset(sums, 0, k * sizeof(CrmSum));
		for (size_t i = 0; i < data->n; i++)
		{
			double value = f < 0 ? 1.0 : data->x[f][i];

			crm_sum_add(&sums[clusters->labels[i]], weight_of(data, i) * value);
			if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			{
				status = CRM_ABORTED;
				break;
			}
		}
		for (int j = 0; j < k; j++)
			if (f < 0)
				clusters->weights[j] = crm_sum_value(sums[j]);
			else
				clusters->means[(size_t) j * d + f] =
					clusters->weights[j] > 0.0 ? crm_sum_value(sums[j]) / clusters->weights[j]
											   : 0.0;
	}
	crm_release(ctx, sums, k, sizeof(CrmSum));
	return status;
}

/* Find the mean distances to the means and the inertia within and between. */
static CrmStatus
find_spreads(CrmCtx *ctx, const CrmKmeansData *data, Clusters *clusters)
{
	int d = clusters->d;
	CrmSum within = {0}, between = {0};

	memset(clusters->spreads, 0, clusters->k * sizeof(double));
	for (size_t i = 0; i < data->n; i++)
	{
		const double *mean = clusters->means + (size_t) clusters->labels[i] * d;
		double square = 0.0;

		for (int f = 0; f < d; f++)
			square += (data->x[f][i] - mean[f]) * (data->x[f][i] - mean[f]);
		crm_sum_add(&within, weight_of(data, i) * square);
		clusters->spreads[clusters->labels[i]] += weight_of(data, i) * sqrt(square);
		if (i % SLICE == SLICE - 1 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	for (int j = 0; j < clusters->k; j++)
	{
		const double *mean = clusters->means + (size_t) j * d;

		if (!(clusters->weights[j] > 0.0))
			continue;
		clusters->spreads[j] /= clusters->weights[j];
		crm_sum_add(&between,
					clusters->weights[j] * crm_kmeans_nearest_square(mean, data->mean, d));
	}
	clusters->within = crm_sum_value(within);
	clusters->between = crm_sum_value(between);
	return CRM_OK;
}

/* Give the Davies-Bouldin index; clusters on the same mean do not count against one another. */
static CrmStatus
find_davies_bouldin(CrmCtx *ctx, const Clusters *clusters, double *index)
{
	double sum = 0.0;
	size_t terms = 0;

	for (int i = 0; i < clusters->k; i++)
	{
		const double *mean = clusters->means + (size_t) i * clusters->d;
		double worst = 0.0;

		for (int j = 0; j < clusters->k; j++)
		{
			double distance = sqrt(crm_kmeans_nearest_square(
				mean, clusters->means + (size_t) j * clusters->d, clusters->d));

			if (j != i && distance > 0.0)
				worst = fmax(worst, (clusters->spreads[i] + clusters->spreads[j]) / distance);
			terms += clusters->d;
			if (terms >= POLL_TERMS)
			{
				terms = 0;
				if (crm_poll(ctx))
					return CRM_ABORTED;
			}
		}
		sum += worst;
	}
	*index = sum / clusters->k;
	return CRM_OK;
}

/* ---- all pairs ----------------------------------------------------------------------------- */

/* The rows of a sample, sorted by cluster. */
typedef struct Pairs
{
	int k, d;
	size_t n;
	double *values;   /* d columns of n */
	const double **x; /* d pointers to them */
	double *weights;  /* n, or NULL */
	double *weight;   /* k: of each cluster */
	double *sum;      /* k: of the distances of the row at hand */
	double *row;      /* d: the row at hand */
	size_t *start;    /* k + 1: where a cluster begins */
} Pairs;

/* Give back what begin_pairs took. */
static void
end_pairs(CrmCtx *ctx, Pairs *pairs)
{
	crm_release(ctx, pairs->start, (size_t) pairs->k + 1, sizeof(size_t));
	crm_release(ctx, pairs->row, pairs->d, sizeof(double));
	crm_release(ctx, pairs->sum, pairs->k, sizeof(double));
	crm_release(ctx, pairs->weight, pairs->k, sizeof(double));
	crm_release(ctx, pairs->weights, pairs->n, sizeof(double));
	crm_release(ctx, pairs->x, pairs->d, sizeof(double *));
	crm_release(ctx, pairs->values, pairs->n * pairs->d, sizeof(double));
}

/* Copy the first n rows sorted by cluster, of equal ones in their order. */
static void
sort_by_cluster(const CrmKmeansData *data, const uint16_t *labels, Pairs *pairs)
{
	memset(pairs->start, 0, ((size_t) pairs->k + 1) * sizeof(size_t));
	for (size_t i = 0; i < pairs->n; i++)
		pairs->start[labels[i] + 1]++;
	for (int j = 0; j < pairs->k; j++)
		pairs->start[j + 1] += pairs->start[j];
	for (size_t i = 0; i < pairs->n; i++)
	{
		size_t at = pairs->start[labels[i]]++;

		for (int f = 0; f < pairs->d; f++)
			pairs->values[(size_t) f * pairs->n + at] = data->x[f][i];
		if (pairs->weights != NULL)
			pairs->weights[at] = data->weights[i];
	}
	for (int j = pairs->k; j > 0; j--) /* each start has moved to the end of its cluster */
		pairs->start[j] = pairs->start[j - 1];
	pairs->start[0] = 0;
	for (int f = 0; f < pairs->d; f++)
		pairs->x[f] = pairs->values + (size_t) f * pairs->n;
	for (int j = 0; j < pairs->k; j++)
	{
		pairs->weight[j] = 0.0;
		for (size_t i = pairs->start[j]; i < pairs->start[j + 1]; i++)
			pairs->weight[j] += pairs->weights != NULL ? pairs->weights[i] : 1.0;
	}
}

/* Make room for n rows. */
static CrmStatus
begin_pairs(CrmCtx *ctx, const CrmKmeansData *data, int k, size_t n, Pairs *pairs)
{
	*pairs = (Pairs){.k = k, .d = data->d, .n = n};
	if ((pairs->values = crm_allocate(ctx, n * data->d, sizeof(double))) == NULL ||
		(pairs->x = crm_allocate(ctx, data->d, sizeof(double *))) == NULL ||
		(data->weights != NULL &&
		 (pairs->weights = crm_allocate(ctx, n, sizeof(double))) == NULL) ||
		(pairs->weight = crm_allocate(ctx, k, sizeof(double))) == NULL ||
		(pairs->sum = crm_allocate(ctx, k, sizeof(double))) == NULL ||
		(pairs->row = crm_allocate(ctx, data->d, sizeof(double))) == NULL ||
		(pairs->start = crm_allocate(ctx, (size_t) k + 1, sizeof(size_t))) == NULL)
	{
		CrmStatus failure = ctx->failure;

		end_pairs(ctx, pairs);
		return failure;
	}
	return CRM_OK;
}

/* Sum the distances of the row at hand to the rows of each cluster. */
static CrmStatus
sum_distances(CrmCtx *ctx, const Pairs *pairs, size_t *terms)
{
	double squares[SLICE];

	for (int j = 0; j < pairs->k; j++)
	{
		pairs->sum[j] = 0.0;
		for (size_t first = pairs->start[j]; first < pairs->start[j + 1]; first += SLICE)
		{
			size_t left = pairs->start[j + 1] - first, count = left > SLICE ? SLICE : left;
			const double *weights = pairs->weights != NULL ? pairs->weights + first : NULL;

			crm_kmeans_nearest_squares(pairs->x, pairs->d, first, count, pairs->row, squares);
			pairs->sum[j] += crm_kmeans_nearest_sum_roots(weights, squares, count);
			*terms += count * pairs->d;
			if (*terms >= POLL_TERMS)
			{
				*terms = 0;
				if (crm_poll(ctx))
					return CRM_ABORTED;
			}
		}
	}
	return CRM_OK;
}

/*
 * Give the silhouette of a row of cluster own, 0 where it is alone, from the sums of its distances.
 */
static double
judge(const Pairs *pairs, int own)
{
	double a, b = INFINITY;

	if (pairs->weight[own] <= 1.0)
		return 0.0;
	a = pairs->sum[own] / (pairs->weight[own] - 1.0);
	for (int j = 0; j < pairs->k; j++)
		if (j != own && pairs->weight[j] > 0.0)
			b = fmin(b, pairs->sum[j] / pairs->weight[j]);
	return fmax(a, b) > 0.0 ? (b - a) / fmax(a, b) : 0.0;
}

/*
 * Give the mean silhouette of the sorted rows, NaN where fewer than two clusters have any weight.
 */
static CrmStatus
find_silhouette(CrmCtx *ctx, const Pairs *pairs, double *silhouette)
{
	CrmSum sum = {0}, weight = {0};
	size_t terms = 0;
	int clusters = 0;

	*silhouette = NAN;
	for (int j = 0; j < pairs->k; j++)
		clusters += pairs->weight[j] > 0.0;
	if (clusters < 2)
		return CRM_OK;
	for (int own = 0; own < pairs->k; own++)
		for (size_t i = pairs->start[own]; i < pairs->start[own + 1]; i++)
		{
			double mine = pairs->weights != NULL ? pairs->weights[i] : 1.0;

			for (int f = 0; f < pairs->d; f++)
				pairs->row[f] = pairs->x[f][i];
			if (sum_distances(ctx, pairs, &terms) != CRM_OK)
				return CRM_ABORTED;
			crm_sum_add(&sum, mine * judge(pairs, own));
			crm_sum_add(&weight, mine);
		}
	*silhouette = crm_sum_value(sum) / crm_sum_value(weight);
	return CRM_OK;
}

/*
 * Measure a model of the data it was fitted to, or of others with the same columns. The full
 * silhouette is made of the rows at the first silhouette_rows positions. Takes 2 bytes a row, and
 * 8 for each value of those. Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_kmeans_quality(CrmCtx *ctx, const CrmKmeansData *data, const CrmKmeansModel *model,
				   size_t silhouette_rows, CrmKmeansQuality *quality)
{
	Clusters clusters;
	Pairs pairs;
	CrmStatus status;
	double weight = data->total_weight;
	int k = model->k;

	*quality = (CrmKmeansQuality){NAN, NAN, 0, NAN, NAN};
	if (k < 2)
		return CRM_OK;
	quality->silhouette_rows = data->n < silhouette_rows ? data->n : silhouette_rows;
	status = begin_clusters(ctx, data, k, &clusters);
	if (status != CRM_OK)
		return status;
	if ((status = label_rows(ctx, data, model, &clusters)) == CRM_OK &&
		(status = find_means(ctx, data, &clusters)) == CRM_OK &&
		(status = find_spreads(ctx, data, &clusters)) == CRM_OK &&
		(status = find_davies_bouldin(ctx, &clusters, &quality->davies_bouldin)) == CRM_OK &&
		(status = begin_pairs(ctx, data, k, quality->silhouette_rows, &pairs)) == CRM_OK)
	{
		quality->simplified = clusters.simplified;
		if (weight > k)
			quality->calinski_harabasz =
				clusters.within > 0.0
					? clusters.between / (k - 1) / (clusters.within / (weight - k))
					: 1.0;
		sort_by_cluster(data, clusters.labels, &pairs);
		status = find_silhouette(ctx, &pairs, &quality->silhouette);
		end_pairs(ctx, &pairs);
	}
	end_clusters(ctx, &clusters);
	return status;
}
