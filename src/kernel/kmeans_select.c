/*
 * kmeans_select.c: fits for a range of k, their measures and their stability; see kmeans_select.h.
 */
#include "kernel/kmeans_select.h"

#include "kernel/base/rng.h"

#include <math.h>
#include <string.h>

#define POLL_ROWS ((size_t) 1 << 14)

/* The random streams of the resamples; a fit's starts have the streams from 0 up. */
#define STREAM (UINT64_C(1) << 32)

/* A resample of the first rows of a sample. */
typedef struct Resample
{
	CrmKmeansData data; /* a view: weights of its own */
	double *weights;
	uint16_t *labels; /* of the fit to the resample */
	uint16_t *before; /* of the fit to the sample */
} Resample;

/* Give the rows that resamples are made of. */
static size_t
count_rows(size_t n)
{
	return n < CRM_KMEANS_STABILITY_ROWS ? n : CRM_KMEANS_STABILITY_ROWS;
}

/* Draw a Poisson variate of mean 1 by inversion. */
static int
draw_poisson(CrmRng *rng)
{
	double u = crm_rng_uniform(rng), share = exp(-1.0);
	int count = 0;

	while (u >= share && count < 30)
	{
		u -= share;
		share /= ++count;
	}
	return count;
}

/* Weigh the rows of resample number; should none be left, all stay as they are. */
static CrmStatus
draw_weights(CrmCtx *ctx, const CrmKmeansData *sample, uint64_t seed, uint64_t number,
			 Resample *resample)
{
	size_t n = count_rows(sample->n);
	bool is_empty = true;
	CrmRng rng;

	crm_rng_seed(&rng, seed, STREAM + number);
	for (size_t i = 0; i < n; i++)
	{
		double weight = sample->weights != NULL ? sample->weights[i] : 1.0;

		resample->weights[i] = weight * draw_poisson(&rng);
		is_empty &= !(resample->weights[i] > 0.0);
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	for (size_t i = 0; i < n && is_empty; i++)
		resample->weights[i] = sample->weights != NULL ? sample->weights[i] : 1.0;
	return CRM_OK;
}

/* Fit one resample and compare its labels with those of the model. */
static CrmStatus
compare(CrmCtx *ctx, const CrmKmeansParam *param, const CrmKmeansModel *model, Resample *resample,
		const double *weights, double *index)
{
	CrmKmeansParam quick = *param;
	CrmKmeansModel other;
	CrmStatus status;

	quick.algorithm = CRM_KMEANS_LLOYD;
	quick.n_init =
		param->n_init < CRM_KMEANS_STABILITY_INIT ? param->n_init : CRM_KMEANS_STABILITY_INIT;
	quick.trace = NULL;
	status = crm_kmeans_fit(ctx, &resample->data, &quick, &other);
	if (status != CRM_OK && status != CRM_NOT_CONVERGED)
		return status;
	status = crm_kmeans_labels(ctx, &resample->data, &other, resample->labels);
	if (status == CRM_OK)
		status = crm_kmeans_adjusted_rand(ctx, resample->before, model->k, resample->labels,
										  other.k, weights, resample->data.n, index);
	crm_kmeans_model_free(ctx, &other);
	return status;
}

/* Find the mean adjusted Rand index over resamples. */
static CrmStatus
find_stability(CrmCtx *ctx, const CrmKmeansData *sample, const CrmKmeansParam *param,
			   const CrmKmeansModel *model, int resamples, Resample *resample, double *stability)
{
	CrmKmeansData view = *sample;
	double sum = 0.0;
	CrmStatus status;

	view.n = count_rows(sample->n);
	status = crm_kmeans_labels(ctx, &view, model, resample->before);
	view.weights = resample->weights;
	for (int b = 0; b < resamples && status == CRM_OK; b++)
	{
		double index = 0.0;

		status = draw_weights(ctx, sample, param->seed, (uint64_t) b, resample);
		if (status == CRM_OK)
			status = crm_kmeans_sample(ctx, &view, view.n, &resample->data);
		if (status != CRM_OK)
			break;
		if (resample->data.total_weight > 0.0)
			status = compare(ctx, param, model, resample, sample->weights, &index);
		crm_kmeans_sample_free(ctx, &resample->data);
		sum += index;
	}
	*stability = resamples > 0 ? sum / resamples : NAN;
	return status;
}

/* Fit one k and measure it. */
static CrmStatus
try_k(CrmCtx *ctx, const CrmKmeansData *sample, const CrmKmeansParam *param, int resamples,
	  Resample *resample, CrmKmeansChoice *choice)
{
	CrmKmeansModel model;
	CrmStatus status = crm_kmeans_fit(ctx, sample, param, &model);

	if (status != CRM_OK && status != CRM_NOT_CONVERGED)
		return status;
	*choice = (CrmKmeansChoice){.k = param->k,
								.clusters = model.k,
								.inertia = model.inertia,
								.stability = NAN,
								.iterations = model.iterations,
								.converged = model.converged};
	status = crm_kmeans_quality(ctx, sample, &model, CRM_KMEANS_SELECT_PAIRS, &choice->quality);
	if (status == CRM_OK && resamples > 0 && model.k > 0)
		status =
			find_stability(ctx, sample, param, &model, resamples, resample, &choice->stability);
	crm_kmeans_model_free(ctx, &model);
	return status;
}

/* Give the choice with the largest silhouette, of equal ones the first. */
static int
choose(const CrmKmeansChoice *choices, int n)
{
	int best = 0;

	for (int i = 1; i < n; i++)
	{
		double mine = choices[i].quality.silhouette, other = choices[best].quality.silhouette;

		if (!isnan(mine) && (isnan(other) || mine > other))
			best = i;
	}
	return choices[best].k;
}

/* Give the bytes that a selection takes at most, arranging and columns apart. */
size_t
crm_kmeans_select_bytes(const CrmKmeansParam *param, size_t n, int d, int k_max)
{
	size_t rows = n < CRM_KMEANS_SELECT_ROWS ? n : CRM_KMEANS_SELECT_ROWS;
	size_t pairs = rows < CRM_KMEANS_SELECT_PAIRS ? rows : CRM_KMEANS_SELECT_PAIRS;
	size_t k = k_max, resampling, measuring;
	CrmKmeansParam most = *param;

	most.k = k_max;
	measuring = rows * sizeof(uint16_t) + pairs * (d + 1) * sizeof(double) +
				k * (d + 6) * sizeof(double) + d * 34 * sizeof(double);
	resampling = crm_kmeans_bytes(&most, count_rows(n), d) + d * sizeof(double) +
				 (k + 1) * k * sizeof(double) + k * (2 * d + 2) * sizeof(double);
	if (measuring < resampling)
		measuring = resampling;
	return crm_kmeans_bytes(&most, rows, d) + d * sizeof(double) + measuring +
		   count_rows(n) * (sizeof(double) + 2 * sizeof(uint16_t));
}

/*
 * Try each k from k_min to k_max, 1 <= k_min <= k_max <= CRM_KMEANS_MAX_K: choices[k - k_min] tells
 * of it, chosen receives the k to take, rows how many rows it was made of. param->k does not count;
 * its init must not be given centroids. A fit that did not converge is used all the same and says
 * so. No rows give CRM_DOMAIN. Takes crm_kmeans_select_bytes for the time.
 * Errors: CRM_DOMAIN, CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_kmeans_select(CrmCtx *ctx, const CrmKmeansData *data, const CrmKmeansParam *param, int k_min,
				  int k_max, int resamples, CrmKmeansChoice *choices, int *chosen, size_t *rows)
{
	CrmKmeansParam own = *param;
	CrmKmeansData sample;
	Resample resample = {.weights = NULL};
	size_t n = count_rows(data->n);
	CrmStatus status;

	if (data->n == 0 || k_min < 1 || k_max < k_min || k_max > CRM_KMEANS_MAX_K || resamples < 0 ||
		resamples > CRM_KMEANS_MAX_RESAMPLES || param->init == CRM_KMEANS_GIVEN)
		return CRM_DOMAIN;
	status = crm_kmeans_sample(ctx, data, CRM_KMEANS_SELECT_ROWS, &sample);
	if (status != CRM_OK)
		return status;
	*rows = sample.n;
	if ((resample.weights = crm_allocate(ctx, n, sizeof(double))) == NULL ||
		(resample.labels = crm_allocate(ctx, n, sizeof(uint16_t))) == NULL ||
		(resample.before = crm_allocate(ctx, n, sizeof(uint16_t))) == NULL)
		status = ctx->failure;
	for (own.k = k_min; own.k <= k_max && status == CRM_OK; own.k++)
		status = try_k(ctx, &sample, &own, resamples, &resample, &choices[own.k - k_min]);
	if (status == CRM_OK)
		*chosen = choose(choices, k_max - k_min + 1);
	crm_release(ctx, resample.before, n, sizeof(uint16_t));
	crm_release(ctx, resample.labels, n, sizeof(uint16_t));
	crm_release(ctx, resample.weights, n, sizeof(double));
	crm_kmeans_sample_free(ctx, &sample);
	return status;
}
