/*
 * kmeans.c: the course of a fit, from the arranged matrix to the model; see kmeans.h.
 */
#include "kernel/kmeans.h"

#include "kernel/kmeans_lloyd.h"
#include "kernel/kmeans_nearest.h"
#include "kernel/kmeans_search.h"
#include "kernel/kmeans_seed.h"

#include <math.h>
#include <string.h>

#define MAX_ROUNDS 10 /* of ordering the clusters, each after a tie that the order resolved */

#define POLL_WORK  ((size_t) 1 << 20)
#define SLICE      512 /* rows that are labelled together */

/* Set the customary parameters of scikit-learn, with ten starts. */
void
crm_kmeans_defaults(CrmKmeansParam *param)
{
	*param = (CrmKmeansParam){.k = 8,
							  .init = CRM_KMEANS_PLUSPLUS,
							  .algorithm = CRM_KMEANS_SEARCH,
							  .n_init = 10,
							  .max_iterations = 300,
							  .tolerance = 1e-4,
							  .seed = 42};
}

/* Tell whether the parameters are in their domain; if not, why[n] receives the reason. */
bool
crm_kmeans_check(const CrmKmeansParam *param, char *why, size_t n)
{
	const char *reason = NULL;

	if (param->k < 1 || param->k > CRM_KMEANS_MAX_K)
		reason = "k must be between 1 and 10000";
	else if (param->n_init < 1 || param->n_init > CRM_KMEANS_MAX_INIT)
		reason = "n_init must be between 1 and 1000";
	else if (param->max_iterations < 1)
		reason = "max_iterations must be at least 1";
	else if (!(param->tolerance >= 0.0) || isinf(param->tolerance))
		reason = "tolerance must be finite and at least 0";
	else if (param->init == CRM_KMEANS_GIVEN && param->centroids == NULL)
		reason = "centroids are missing";
	if (reason != NULL && n > 0)
	{
		size_t length = strlen(reason) < n ? strlen(reason) : n - 1;

		memcpy(why, reason, length);
		why[length] = '\0';
	}
	return reason == NULL;
}

/* ---- the fit ------------------------------------------------------------------------------- */

/* The state of a fit. */
typedef struct Fit
{
	const CrmKmeansData *data;
	const CrmKmeansParam *param;
	int max_k;
	CrmLloyd lloyd;
	CrmLloydRule rule;
	double *centres; /* max_k rows of d: those of the best start so far, or a copy to reorder */
	int *sorted;     /* max_k: clusters, the most valuable first */
	int *scratch;    /* max_k */
	int *place;      /* d: where the caller's columns are in a centre */
	int k;           /* of the best start so far, as is what follows */
	double inertia;
	int start;
	int iterations;
	bool converged;
	bool is_fixed; /* the centres are the means of their rows */
	int improvements;
} Fit;

/* Give back what begin took. */
static void
end(CrmCtx *ctx, Fit *fit)
{
	int d = fit->data->d;

	crm_release(ctx, fit->place, d, sizeof(int));
	crm_release(ctx, fit->scratch, fit->max_k, sizeof(int));
	crm_release(ctx, fit->sorted, fit->max_k, sizeof(int));
	crm_release(ctx, fit->centres, (size_t) fit->max_k * d, sizeof(double));
	crm_kmeans_lloyd_free(&fit->lloyd);
}

/* Tell whether given centroids, if there are any, are finite and within the limit of the data. */
static bool
are_given_fine(const CrmKmeansData *data, const CrmKmeansParam *param)
{
	size_t coordinates = (size_t) param->k * data->d;

	for (size_t c = 0; param->init == CRM_KMEANS_GIVEN && c < coordinates; c++)
		if (!(fabs(param->centroids[c]) <= data->limit))
			return false;
	return true;
}

/* Give the clusters that there must be room for: never more than rows, but for given centroids. */
static int
most_clusters(const CrmKmeansParam *param, size_t n)
{
	return param->init == CRM_KMEANS_GIVEN || n > (size_t) param->k ? param->k : (int) n;
}

/* Tell whether the local search is asked for and the data are small enough. */
static bool
is_to_search(const CrmKmeansParam *param, size_t n, int d)
{
	return param->algorithm == CRM_KMEANS_SEARCH &&
		   crm_kmeans_search_is_cheap(n, d, most_clusters(param, n));
}

/* Make room for a fit. */
static CrmStatus
begin(CrmCtx *ctx, const CrmKmeansData *data, const CrmKmeansParam *param, Fit *fit)
{
	int max_k = most_clusters(param, data->n), d = data->d;
	CrmStatus status;

	*fit = (Fit){.data = data, .param = param, .max_k = max_k, .inertia = INFINITY};
	status = crm_kmeans_lloyd_begin(&fit->lloyd, ctx, data, max_k);
	if (status != CRM_OK)
		return status;
	if ((fit->centres = crm_allocate(ctx, (size_t) max_k * d, sizeof(double))) == NULL ||
		(fit->sorted = crm_allocate(ctx, max_k, sizeof(int))) == NULL ||
		(fit->scratch = crm_allocate(ctx, max_k, sizeof(int))) == NULL ||
		(fit->place = crm_allocate(ctx, d, sizeof(int))) == NULL)
	{
		status = ctx->failure;
		end(ctx, fit);
		return status;
	}
	for (int f = 0; f < d; f++)
		fit->place[data->column_order[f]] = f;
	fit->rule = (CrmLloydRule){.tolerance = param->tolerance * data->total / data->total_weight / d,
							   .max_iterations = param->max_iterations,
							   .trace = param->trace,
							   .trace_user = param->trace_user};
	return CRM_OK;
}

/* Run all starts and leave the centres of the best in the state. */
static CrmStatus
run_starts(Fit *fit)
{
	int starts = fit->param->init == CRM_KMEANS_GIVEN ? 1 : fit->param->n_init;
	CrmLloyd *lloyd = &fit->lloyd;
	size_t row = fit->data->d * sizeof(double);

	for (int start = 0; start < starts; start++)
	{
		CrmStatus status = crm_kmeans_seed(lloyd, fit->param, start);

		fit->rule.start = start;
		if (status == CRM_OK)
			status = crm_kmeans_lloyd_run(lloyd, &fit->rule);
		if (status == CRM_OK && starts > 1)
			status = crm_kmeans_lloyd_measure(lloyd, &fit->rule);
		if (status != CRM_OK)
			return status;
		if (start > 0 && lloyd->inertia >= fit->inertia)
			continue;
		memcpy(fit->centres, lloyd->centres, lloyd->k * row);
		fit->k = lloyd->k;
		fit->inertia = lloyd->inertia;
		fit->start = start;
		fit->iterations = lloyd->iterations;
		fit->converged = lloyd->converged;
		fit->is_fixed = lloyd->converged && lloyd->changed == 0 && lloyd->relocated == 0;
	}
	if (fit->start != starts - 1)
	{
		memcpy(lloyd->centres, fit->centres, fit->k * row);
		lloyd->k = fit->k;
		crm_kmeans_lloyd_forget(lloyd);
	}
	fit->rule.start = fit->start;
	return CRM_OK;
}

/* Search from the best start for a better optimum. */
static CrmStatus
search(Fit *fit)
{
	CrmStatus status =
		crm_kmeans_search(&fit->lloyd, &fit->rule, fit->param->seed, &fit->improvements);

	fit->is_fixed = fit->lloyd.converged;
	return status;
}

/* Tell whether cluster a is to stand before cluster b: the more valuable one. */
static bool
is_before(const Fit *fit, int a, int b)
{
	int d = fit->data->d;
	const double *mine = fit->lloyd.centres + (size_t) a * d;
	const double *other = fit->lloyd.centres + (size_t) b * d;

	for (int j = 0; j < d; j++)
	{
		double sign = fit->param->direction != NULL ? fit->param->direction[j] : 1.0;
		double gain = sign * mine[fit->place[j]] - sign * other[fit->place[j]];

		if (gain != 0.0)
			return gain > 0.0;
	}
	for (int f = 0; f < d; f++)
		if (mine[f] != other[f])
			return mine[f] > other[f];
	return a < b;
}

/* Sort the clusters by value, by merging; give whether they were in order. */
static bool
sort_clusters(Fit *fit)
{
	int k = fit->lloyd.k, *from = fit->sorted, *to = fit->scratch;
	bool was_sorted = true;

	for (int j = 0; j < k; j++)
		from[j] = j;
	for (int run = 1; run < k; run *= 2)
	{
		for (int first = 0; first < k; first += 2 * run)
		{
			int middle = k - first > run ? first + run : k;
			int last = k - first > 2 * run ? first + 2 * run : k;

			for (int i = first, a = first, b = middle; i < last; i++)
				to[i] = a < middle && (b == last || !is_before(fit, from[b], from[a])) ? from[a++]
																					   : from[b++];
		}
		to = from;
		from = from == fit->sorted ? fit->scratch : fit->sorted;
	}
	for (int j = 0; j < k; j++)
		was_sorted &= from[j] == j;
	if (from != fit->sorted)
		memcpy(fit->sorted, from, k * sizeof(int));
	return was_sorted;
}

/* Put the clusters in the order of their value. */
static CrmStatus
order_clusters(Fit *fit)
{
	CrmLloyd *lloyd = &fit->lloyd;

	if (sort_clusters(fit))
		return CRM_OK;
	for (int j = 0; j < lloyd->k; j++)
		fit->scratch[fit->sorted[j]] = j;
	return crm_kmeans_lloyd_renumber(lloyd, fit->scratch);
}

/* Drop the centres that no row of positive weight belongs to; tell whether there were any. */
static bool
drop_empty(Fit *fit)
{
	CrmLloyd *lloyd = &fit->lloyd;
	size_t d = fit->data->d;
	int k = 0;

	for (int j = 0; j < lloyd->k; j++)
		if (lloyd->members[j] > 0)
			memmove(lloyd->centres + k++ * d, lloyd->centres + j * d, d * sizeof(double));
	if (k == lloyd->k)
		return false;
	lloyd->k = k;
	crm_kmeans_lloyd_forget(lloyd);
	return true;
}

/*
 * Order the clusters and assign all rows. Where a row is equally near to two centres the new order
 * may move it; if the centres were the means of their rows, iterate until they are so again.
 */
static CrmStatus
settle(Fit *fit)
{
	CrmLloyd *lloyd = &fit->lloyd;
	CrmLloydRule rule = fit->rule;

	rule.tolerance = 0.0;
	for (int round = 0;; round++)
	{
		CrmStatus status = order_clusters(fit);

		if (status == CRM_OK)
			status = crm_kmeans_lloyd_measure(lloyd, &rule);
		if (status != CRM_OK)
			return status;
		if (drop_empty(fit))
			continue;
		if (!fit->is_fixed || lloyd->changed == 0 || round == MAX_ROUNDS)
			return CRM_OK;
		status = crm_kmeans_lloyd_update(lloyd);
		if (status == CRM_OK)
			status = crm_kmeans_lloyd_run(lloyd, &rule);
		if (status != CRM_OK)
			return status;
	}
}

/* Copy the state into a model that outlives it. */
static CrmStatus
make_model(CrmCtx *ctx, const Fit *fit, CrmKmeansModel *model)
{
	const CrmLloyd *lloyd = &fit->lloyd;
	int k = lloyd->k, d = fit->data->d;
	size_t coordinates = (size_t) k * d;

	*model = (CrmKmeansModel){.k = k, .d = d};
	if ((model->centroids = crm_allocate(ctx, coordinates, sizeof(double))) == NULL ||
		(model->centres = crm_allocate(ctx, coordinates, sizeof(double))) == NULL ||
		(model->column_order = crm_allocate(ctx, d, sizeof(int))) == NULL ||
		(model->weights = crm_allocate(ctx, k, sizeof(double))) == NULL ||
		(model->sizes = crm_allocate(ctx, k, sizeof(int64_t))) == NULL)
	{
		CrmStatus failure = ctx->failure;

		crm_kmeans_model_free(ctx, model);
		return failure;
	}
	memcpy(model->centres, lloyd->centres, coordinates * sizeof(double));
	memcpy(model->column_order, fit->data->column_order, d * sizeof(int));
	for (int j = 0; j < k; j++)
	{
		for (int f = 0; f < d; f++)
			model->centroids[(size_t) j * d + model->column_order[f]] =
				model->centres[(size_t) j * d + f];
		model->weights[j] = crm_kmeans_lloyd_weight_of(lloyd, j);
		model->sizes[j] = 0;
	}
	for (size_t i = 0; i < fit->data->n; i++)
	{
		model->sizes[lloyd->label[i]]++;
		if (i % POLL_WORK == POLL_WORK - 1 && crm_poll(ctx))
		{
			crm_kmeans_model_free(ctx, model);
			return CRM_ABORTED;
		}
	}
	model->inertia = lloyd->inertia;
	model->total = fit->data->total;
	model->iterations = fit->iterations;
	model->best_start = fit->start;
	model->improvements = fit->improvements;
	model->converged = fit->converged;
	return CRM_OK;
}

/* Give back what a fit took for a model. */
void
crm_kmeans_model_free(CrmCtx *ctx, CrmKmeansModel *model)
{
	size_t coordinates = (size_t) model->k * model->d;

	crm_release(ctx, model->sizes, model->k, sizeof(int64_t));
	crm_release(ctx, model->weights, model->k, sizeof(double));
	crm_release(ctx, model->column_order, model->d, sizeof(int));
	crm_release(ctx, model->centres, coordinates, sizeof(double));
	crm_release(ctx, model->centroids, coordinates, sizeof(double));
	*model = (CrmKmeansModel){.k = 0};
}

/* Give the bytes that arranging n rows of d columns and fitting take at most, columns apart. */
size_t
crm_kmeans_bytes(const CrmKmeansParam *param, size_t n, int d)
{
	size_t k = most_clusters(param, n);
	size_t kept = n * sizeof(uint32_t) + d * (sizeof(int) + sizeof(double *) + 2 * sizeof(double));
	size_t arranging = n * (sizeof(uint64_t) + sizeof(uint32_t)) + d * 2 * sizeof(uint64_t);
	size_t seeding = crm_kmeans_seed_bytes(n);
	size_t searching = is_to_search(param, n, d) ? crm_kmeans_search_bytes(n, d, k) : 0;
	size_t model =
		k * (2 * d * sizeof(double) + sizeof(double) + sizeof(int64_t)) + d * sizeof(int);
	size_t state = crm_kmeans_lloyd_bytes(n, d, k) + k * (d * sizeof(double) + 2 * sizeof(int)) +
				   d * sizeof(int);
	size_t most = seeding > searching ? seeding : searching;

	state += most > model ? most : model;
	return kept + (arranging > state ? arranging : state);
}

/*
 * Fit clusters to arranged data. The model is ctx's until crm_kmeans_model_free; it has fewer than
 * param->k clusters when the rows have fewer distinct values, none without rows.
 * CRM_NOT_CONVERGED with a usable model when max_iterations ended the best start; CRM_DOMAIN for
 * parameters that crm_kmeans_check refuses, for given centroids that are not finite or beyond
 * data->limit, and for rows that weigh nothing together; CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_kmeans_fit(CrmCtx *ctx, const CrmKmeansData *data, const CrmKmeansParam *param,
			   CrmKmeansModel *model)
{
	CrmStatus status;
	Fit fit;

	*model = (CrmKmeansModel){.k = 0, .d = data->d};
	if (!crm_kmeans_check(param, NULL, 0) || (data->n > 0 && !(data->total_weight > 0.0)) ||
		!are_given_fine(data, param))
		return CRM_DOMAIN;
	status = begin(ctx, data, param, &fit);
	if (status != CRM_OK)
		return status;
	fit.converged = data->n == 0;
	if (data->n > 0)
	{
		status = run_starts(&fit);
		if (status == CRM_OK && fit.converged && is_to_search(param, data->n, data->d))
			status = search(&fit);
		if (status == CRM_OK)
			status = settle(&fit);
	}
	if (status == CRM_OK)
		status = make_model(ctx, &fit, model);
	end(ctx, &fit);
	if (status == CRM_OK && !model->converged)
		return CRM_NOT_CONVERGED;
	return status;
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* Fill in what follows from the two distances of a row. */
static void
judge(CrmKmeansRow *row, double best, double second)
{
	row->distance = sqrt(best);
	row->next = row->second < 0 ? NAN : sqrt(second);
	row->silhouette = row->second < 0    ? NAN
					  : row->next <= 0.0 ? 0.0
										 : (row->next - row->distance) / row->next;
}

/*
 * Tell of the rows at positions first to first + count - 1 which cluster they belong to and how
 * well; rows[i].row is the caller's row. The model needs at least one cluster. Meant for slices of
 * a few thousand rows; takes 256 bytes a column for the time.
 */
CrmStatus
crm_kmeans_rows(CrmCtx *ctx, const CrmKmeansData *data, const CrmKmeansModel *model, size_t first,
				size_t count, CrmKmeansRow *rows)
{
	int d = data->d, step = (int) (POLL_WORK / CRM_NEAREST_TILE) / d + 1;
	double *tile = crm_allocate(ctx, (size_t) CRM_NEAREST_TILE * d, sizeof(double));
	CrmStatus status = tile == NULL ? ctx->failure : crm_poll(ctx) ? CRM_ABORTED : CRM_OK;
	size_t work = 0;

	for (size_t done = 0; done < count && status == CRM_OK; done += CRM_NEAREST_TILE)
	{
		size_t some = count - done > CRM_NEAREST_TILE ? CRM_NEAREST_TILE : count - done;
		uint32_t position[CRM_NEAREST_TILE];
		CrmNearest nearest;

		for (size_t i = 0; i < some; i++)
			position[i] = (uint32_t) (first + done + i);
		crm_kmeans_nearest_gather(data->x, d, position, some, tile);
		crm_kmeans_nearest_begin(&nearest);
		for (int j = 0; j < model->k && status == CRM_OK; j += step)
		{
			int some_k = model->k - j > step ? step : model->k - j;

			crm_kmeans_nearest_tile_two(tile, d, model->centres, j, j + some_k, &nearest);
			work += (size_t) CRM_NEAREST_TILE * d * some_k;
			if (work >= POLL_WORK)
			{
				work = 0;
				status = crm_poll(ctx) ? CRM_ABORTED : CRM_OK;
			}
		}
		for (size_t i = 0; i < some; i++)
		{
			CrmKmeansRow *row = &rows[done + i];

			row->row = data->order[position[i]];
			row->cluster = (int) nearest.label[i];
			row->second = (int) nearest.next[i];
			judge(row, nearest.best[i], nearest.second[i]);
		}
	}
	crm_release(ctx, tile, (size_t) CRM_NEAREST_TILE * d, sizeof(double));
	return status;
}

/* Give the cluster of the row at each position; as crm_kmeans_rows, for all rows. */
CrmStatus
crm_kmeans_labels(CrmCtx *ctx, const CrmKmeansData *data, const CrmKmeansModel *model,
				  uint16_t *labels)
{
	CrmKmeansRow rows[SLICE];

	for (size_t first = 0; first < data->n; first += SLICE)
	{
		size_t count = data->n - first > SLICE ? SLICE : data->n - first;
		CrmStatus status = crm_kmeans_rows(ctx, data, model, first, count, rows);

		if (status != CRM_OK)
			return status;
		for (size_t i = 0; i < count; i++)
			labels[first + i] = (uint16_t) rows[i].cluster;
	}
	return CRM_OK;
}

/*
 * Find the nearest of k >= 1 centroids, rows of d values, to one row of values. With a model's
 * column_order the result is the one of crm_kmeans_rows to the bit; NULL sums in the order of the
 * values. row->row is not touched.
 */
void
crm_kmeans_predict(const double *centroids, int k, int d, const int *column_order,
				   const double *values, CrmKmeansRow *row)
{
	double best = INFINITY, second = INFINITY;

	row->cluster = 0;
	row->second = -1;
	for (int j = 0; j < k; j++)
	{
		const double *centroid = centroids + (size_t) j * d;
		double square = 0.0;

		for (int f = 0; f < d; f++)
		{
			int at = column_order != NULL ? column_order[f] : f;

			square += (values[at] - centroid[at]) * (values[at] - centroid[at]);
		}
		if (square < best)
		{
			second = best;
			row->second = j > 0 ? row->cluster : -1;
			best = square;
			row->cluster = j;
		}
		else if (square < second)
		{
			second = square;
			row->second = j;
		}
	}
	judge(row, best, second);
}
