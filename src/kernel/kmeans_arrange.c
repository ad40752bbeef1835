/*
 * kmeans_arrange.c: the matrix of k-means, checked and put into canonical order; see kmeans.h and
 * base/canonical.h.
 */
#include "kernel/kmeans.h"

#include "kernel/base/canonical.h"
#include "kernel/kmeans_nearest.h"

#include <float.h>
#include <math.h>

#define BLOCK     1024 /* rows that are summed to one number */
#define POLL_ROWS ((size_t) 1 << 18)

/* What lets squares be summed in doubles, see check_values. */
#define LEAST_SPREAD 1e-140
#define LEAST_SQUARE 1e-290
#define MOST_SQUARES 1e306
#define MOST_WEIGHT  1e200

/* Find the least and the most of n values; CRM_DOMAIN when one is not finite. */
static CrmStatus
find_range(CrmCtx *ctx, const double *values, size_t n, double *least, double *most)
{
	bool is_finite = true;

	*least = INFINITY;
	*most = -INFINITY;
	for (size_t first = 0; first < n && is_finite; first += POLL_ROWS)
	{
		size_t count = n - first > POLL_ROWS ? POLL_ROWS : n - first;

		is_finite = crm_kmeans_nearest_range(values + first, count, least, most);
		if (crm_poll(ctx))
			return CRM_ABORTED;
	}
	return is_finite ? CRM_OK : CRM_DOMAIN;
}

/*
 * Check that values and weights are finite and of a size that lets squares be summed: with m the
 * largest |x|, s the widest column's spread and W the total weight, d W (2 m)^2 must stay below
 * MOST_SQUARES, and s^2 times the largest weight above LEAST_SQUARE unless s is 0. reach receives
 * the largest |x| of each of the caller's columns.
 */
static CrmStatus
check_values(CrmCtx *ctx, CrmKmeansData *data, double *reach)
{
	double widest = 0.0, heaviest = 1.0, least = 0.0, most = 0.0;
	int widest_column = -1;
	CrmStatus status = CRM_OK;

	data->offender = -1;
	if (data->weights != NULL && data->n > 0)
	{
		status = find_range(ctx, data->weights, data->n, &least, &heaviest);
		if (status != CRM_OK)
			return status;
		if (least < 0.0 || heaviest < DBL_MIN || heaviest > MOST_WEIGHT)
			return CRM_DOMAIN;
	}
	data->limit = sqrt(MOST_SQUARES / 4 / data->d / fmax(heaviest * (double) data->n, 1.0));
	for (int j = 0; j < data->d; j++)
	{
		data->offender = j;
		status = find_range(ctx, data->columns[j], data->n, &least, &most);
		if (status != CRM_OK)
			return status;
		if (least < -data->limit || most > data->limit)
			return CRM_DOMAIN;
		reach[j] = data->n > 0 ? fmax(fabs(least), fabs(most)) : 0.0;
		if (most - least > widest)
		{
			widest = most - least;
			widest_column = j;
		}
	}
	data->offender = widest_column;
	if (widest > 0.0 && (widest < LEAST_SPREAD || widest * widest * heaviest < LEAST_SQUARE))
		return CRM_DOMAIN;
	return CRM_OK;
}

/* Find the columns' means, the total weight, and the inertia around the means. */
static CrmStatus
summarise(CrmCtx *ctx, CrmKmeansData *data)
{
	double ones[BLOCK], squares[BLOCK];

	data->total_weight = data->total = 0.0;
	for (int i = 0; i < BLOCK; i++)
		ones[i] = 1.0;
	for (int f = -1; f < data->d; f++) /* -1: the weights themselves */
	{
		double sum = 0.0;

		for (size_t first = 0; first < data->n; first += BLOCK)
		{
			size_t count = data->n - first > BLOCK ? BLOCK : data->n - first;
			const double *weights = data->weights != NULL ? data->weights + first : NULL;

			sum += crm_kmeans_nearest_sum(weights, f < 0 ? ones : data->x[f] + first, count);
			if (first % POLL_ROWS == 0 && crm_poll(ctx))
				return CRM_ABORTED;
		}
		if (f < 0)
			data->total_weight = sum;
		else
			data->mean[f] = data->total_weight > 0.0 ? sum / data->total_weight : 0.0;
	}
	for (size_t first = 0; first < data->n; first += BLOCK)
	{
		size_t count = data->n - first > BLOCK ? BLOCK : data->n - first;
		const double *weights = data->weights != NULL ? data->weights + first : NULL;

		crm_kmeans_nearest_squares(data->x, data->d, first, count, data->mean, squares);
		data->total += crm_kmeans_nearest_sum(weights, squares, count);
		if (crm_poll(ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/*
 * Check the matrix, put its rows into canonical order in place (weights, too), remember in
 * data->order who is where, and summarise. The caller fills columns, weights, n and d, keeps them
 * alive, and calls crm_kmeans_data_free in the end; on an error nothing is held.
 * Errors: CRM_DOMAIN with data->offender for values that are not finite or too large or too close
 * together for their squares, for weights that are negative or all 0, for n or d out of bounds;
 * CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED, after which the rows may be in any order, or half so.
 */
CrmStatus
crm_kmeans_arrange(CrmCtx *ctx, CrmKmeansData *data)
{
	size_t n = data->n;
	int d = data->d;
	CrmStatus status;

	data->order = NULL;
	data->column_order = NULL;
	data->x = NULL;
	data->mean = data->reach = NULL;
	data->offender = -1;
	if (d < 1 || d > CRM_KMEANS_MAX_FEATURES || n > UINT32_MAX)
		return CRM_DOMAIN;
	if ((data->order = crm_allocate(ctx, n, sizeof(uint32_t))) == NULL ||
		(data->column_order = crm_allocate(ctx, d, sizeof(int))) == NULL ||
		(data->x = crm_allocate(ctx, d, sizeof(double *))) == NULL ||
		(data->mean = crm_allocate(ctx, d, sizeof(double))) == NULL ||
		(data->reach = crm_allocate(ctx, d, sizeof(double))) == NULL)
		status = ctx->failure;
	else
		status = check_values(ctx, data, data->mean); /* for the moment, it is free */
	if (status == CRM_OK)
		status = crm_canonical_arrange(ctx, data->columns, d, data->weights, n, data->order,
									   data->column_order);
	for (int f = 0; f < d && status == CRM_OK; f++)
	{
		data->x[f] = data->columns[data->column_order[f]];
		data->reach[f] = data->mean[data->column_order[f]];
	}
	if (status == CRM_OK)
		status = summarise(ctx, data);
	if (status != CRM_OK)
		crm_kmeans_data_free(ctx, data);
	return status;
}

/* Give back what crm_kmeans_arrange took; columns and weights are the caller's. */
void
crm_kmeans_data_free(CrmCtx *ctx, CrmKmeansData *data)
{
	crm_release(ctx, data->reach, data->d, sizeof(double));
	crm_release(ctx, data->mean, data->d, sizeof(double));
	crm_release(ctx, data->x, data->d, sizeof(double *));
	crm_release(ctx, data->column_order, data->d, sizeof(int));
	crm_release(ctx, data->order, data->n, sizeof(uint32_t));
	data->mean = data->reach = NULL;
	data->x = NULL;
	data->column_order = NULL;
	data->order = NULL;
}

/*
 * Make a view of the rows at the first positions, a uniform sample of so many: it shares all but
 * mean and totals. crm_kmeans_sample_free ends it; the rows stay data's.
 */
CrmStatus
crm_kmeans_sample(CrmCtx *ctx, const CrmKmeansData *data, size_t rows, CrmKmeansData *sample)
{
	CrmStatus status;

	*sample = *data;
	sample->n = rows < data->n ? rows : data->n;
	sample->mean = crm_allocate(ctx, data->d, sizeof(double));
	if (sample->mean == NULL)
		return ctx->failure;
	status = summarise(ctx, sample);
	if (status != CRM_OK)
		crm_kmeans_sample_free(ctx, sample);
	return status;
}

/* Give back what crm_kmeans_sample took. */
void
crm_kmeans_sample_free(CrmCtx *ctx, CrmKmeansData *sample)
{
	crm_release(ctx, sample->mean, sample->d, sizeof(double));
	sample->mean = NULL;
}
