/*
 * kmeans_search.c: exchanges and swaps; see kmeans_search.h.
 */
#include "kernel/kmeans_search.h"

#include "kernel/base/rng.h"
#include "kernel/kmeans_nearest.h"
#include "kernel/kmeans_seed.h"

#include <math.h>
#include <string.h>

#define BLOCK  512 /* rows whose distances to a row are taken together */
#define BATCH  16  /* swaps that are drawn from one survey of the distances */
#define PASSES 100 /* of exchanges over all rows, at most */

/* What counts as better: rounding must not feed an endless exchange, nor noise a swap. */
#define LESS   (1.0 - 1e-12)
#define BETTER (1.0 - 1e-9)

/* The random stream of the search; the starts have the streams from 0 up. */
#define STREAM UINT64_MAX

/* The best state so far, and what swaps are drawn from. */
typedef struct Search
{
	CrmLloyd *lloyd;
	const CrmLloydRule *rule;
	CrmKmeansUrn urn; /* shares: squared distance to the nearest centre */
	double *far;      /* n: to the second nearest */
	double *centres;  /* k rows of d: the best */
	double *loss;     /* k */
	double inertia;
	CrmRng rng;
} Search;

/* A swap: the centre and the row that it is put on. */
typedef struct Swap
{
	int centre;
	size_t row;
} Swap;

/* Give the bytes that a search takes besides the state of Lloyd's iteration. */
size_t
crm_kmeans_search_bytes(size_t n, int d, int k)
{
	return n * sizeof(double) + (size_t) k * (d + 1) * sizeof(double) + crm_kmeans_seed_bytes(n);
}

/* Tell whether n rows of d columns in k clusters are few enough to search. */
bool
crm_kmeans_search_is_cheap(size_t n, int d, int k)
{
	return n == 0 || k == 0 || n <= CRM_SEARCH_TERMS / d / k;
}

/* ---- exchanges ----------------------------------------------------------------------------- */

/* Find the cluster where a row costs least, if that is less than where it is; otherwise its own. */
static int
find_exchange(const CrmLloyd *lloyd, const double *row, double weight, int from)
{
	int d = lloyd->data->d, to = from;
	double left = crm_kmeans_lloyd_weight_of(lloyd, from) - weight, least;

	if (!(left > 0.0))
		return from;
	least = LESS * (left + weight) / left *
			crm_kmeans_nearest_square(row, lloyd->centres + (size_t) from * d, d);
	for (int j = 0; j < lloyd->k; j++)
	{
		double heavy = crm_kmeans_lloyd_weight_of(lloyd, j), cost;

		if (j == from)
			continue;
		cost = heavy / (heavy + weight) *
			   crm_kmeans_nearest_square(row, lloyd->centres + (size_t) j * d, d);
		if (cost < least)
		{
			least = cost;
			to = j;
		}
	}
	return to;
}

/*
 * Exchange rows until no exchange lowers the inertia. The centres must be the means of their rows
 * and stay so; moves receives the number of exchanges. Bounds and inertia are out of date then.
 */
CrmStatus
crm_kmeans_search_exchange(CrmLloyd *lloyd, size_t *moves)
{
	const CrmKmeansData *data = lloyd->data;
	double *row = lloyd->tiles;

	*moves = 0;
	lloyd->is_loose = true;
	for (int pass = 0; pass < PASSES; pass++)
	{
		size_t before = *moves;

		for (size_t i = 0; i < data->n; i++)
		{
			int from = lloyd->label[i], to;
			double weight = crm_kmeans_lloyd_weight(lloyd, i);

			if (crm_kmeans_lloyd_is_stopped(lloyd, (size_t) lloyd->k * data->d))
				return CRM_ABORTED;
			if (lloyd->members[from] < 2 || !(weight > 0.0))
				continue;
			for (int f = 0; f < data->d; f++)
				row[f] = data->x[f][i];
			to = find_exchange(lloyd, row, weight, from);
			if (to == from)
				continue;
			crm_kmeans_lloyd_move(lloyd, i, to);
			(void) crm_kmeans_lloyd_recentre(lloyd, from);
			(void) crm_kmeans_lloyd_recentre(lloyd, to);
			(*moves)++;
		}
		if (*moves == before)
			break;
	}
	return CRM_OK;
}

/* Iterate from the centres to a fixed point that no exchange improves, and measure it. */
static CrmStatus
polish(CrmLloyd *lloyd, const CrmLloydRule *rule, size_t *moves)
{
	CrmStatus status = crm_kmeans_lloyd_run(lloyd, rule);

	if (status == CRM_OK)
		status = crm_kmeans_search_exchange(lloyd, moves);
	if (status == CRM_OK)
		status = crm_kmeans_lloyd_run(lloyd, rule);
	return status == CRM_OK ? crm_kmeans_lloyd_measure(lloyd, rule) : status;
}

/* ---- swaps --------------------------------------------------------------------------------- */

/* Note the state as the best. */
static void
keep(Search *search)
{
	const CrmLloyd *lloyd = search->lloyd;

	memcpy(search->centres, lloyd->centres, (size_t) lloyd->k * lloyd->data->d * sizeof(double));
	search->inertia = lloyd->inertia;
}

/* Go back to the centres of the best. */
static void
go_back(Search *search)
{
	CrmLloyd *lloyd = search->lloyd;

	memcpy(lloyd->centres, search->centres, (size_t) lloyd->k * lloyd->data->d * sizeof(double));
	crm_kmeans_lloyd_forget(lloyd);
}

/* Find each row's squared distances to the two nearest of the best centres, and label it. */
static CrmStatus
survey(Search *search)
{
	CrmLloyd *lloyd = search->lloyd;
	const CrmKmeansData *data = lloyd->data;

	go_back(search);
	for (size_t first = 0; first < data->n; first += CRM_NEAREST_TILE)
	{
		size_t count = data->n - first > CRM_NEAREST_TILE ? CRM_NEAREST_TILE : data->n - first;
		uint32_t rows[CRM_NEAREST_TILE];
		CrmNearest nearest;

		for (size_t i = 0; i < count; i++)
			rows[i] = (uint32_t) (first + i);
		crm_kmeans_nearest_gather(data->x, data->d, rows, count, lloyd->tiles);
		crm_kmeans_nearest_begin(&nearest);
		crm_kmeans_nearest_tile(lloyd->tiles, data->d, lloyd->centres, 0, lloyd->k, &nearest);
		for (size_t i = 0; i < count; i++)
		{
			search->urn.share[first + i] = nearest.best[i];
			search->far[first + i] = nearest.second[i];
			lloyd->label[first + i] = (uint16_t) nearest.label[i];
		}
		if (crm_kmeans_lloyd_is_stopped(lloyd, count * data->d * lloyd->k))
			return CRM_ABORTED;
	}
	return crm_kmeans_urn_fill(&search->urn);
}

/* Find the centre whose loss costs least when a new centre lies on a row. */
static CrmStatus
find_cheapest(Search *search, size_t row, int *cheapest)
{
	CrmLloyd *lloyd = search->lloyd;
	const CrmKmeansData *data = lloyd->data;
	double squares[BLOCK], *centre = lloyd->tiles;

	for (int f = 0; f < data->d; f++)
		centre[f] = data->x[f][row];
	for (int j = 0; j < lloyd->k; j++)
		search->loss[j] = 0.0;
	for (size_t first = 0; first < data->n; first += BLOCK)
	{
		size_t count = data->n - first > BLOCK ? BLOCK : data->n - first;

		crm_kmeans_nearest_squares(data->x, data->d, first, count, centre, squares);
		for (size_t i = 0; i < count; i++)
		{
			double near = search->urn.share[first + i], far = search->far[first + i];
			double with = squares[i] < near ? squares[i] : near;
			double without = squares[i] < far ? squares[i] : far;

			search->loss[lloyd->label[first + i]] +=
				crm_kmeans_lloyd_weight(lloyd, first + i) * (without - with);
		}
		if (crm_kmeans_lloyd_is_stopped(lloyd, count * data->d))
			return CRM_ABORTED;
	}
	*cheapest = 0;
	for (int j = 1; j < lloyd->k; j++)
		if (search->loss[j] < search->loss[*cheapest])
			*cheapest = j;
	return CRM_OK;
}

/* Draw a batch of swaps from the best state. */
static CrmStatus
draw_swaps(Search *search, Swap swaps[BATCH])
{
	CrmStatus status = survey(search);

	for (int t = 0; t < BATCH && status == CRM_OK; t++)
	{
		swaps[t].row = crm_kmeans_urn_draw(&search->urn, &search->rng);
		swaps[t].centre = (int) (crm_rng_uniform(&search->rng) * search->lloyd->k);
		if (t % 2 == 1)
			status = find_cheapest(search, swaps[t].row, &swaps[t].centre);
	}
	return status;
}

/* Try swaps until one is better or trials and work are used up; tell how it ended. */
static CrmStatus
try_swaps(Search *search, int *trials, size_t most_terms, bool *is_better)
{
	CrmLloyd *lloyd = search->lloyd;
	Swap swaps[BATCH];
	int d = lloyd->data->d;
	size_t moves;

	*is_better = false;
	for (int t = 0; *trials > 0 && lloyd->terms < most_terms && !*is_better; t++, (*trials)--)
	{
		CrmStatus status = t % BATCH == 0 ? draw_swaps(search, swaps) : CRM_OK;
		const Swap *swap = &swaps[t % BATCH];

		if (status != CRM_OK)
			return status;
		go_back(search);
		for (int f = 0; f < d; f++)
			lloyd->centres[(size_t) swap->centre * d + f] = lloyd->data->x[f][swap->row];
		status = polish(lloyd, search->rule, &moves);
		if (status != CRM_OK)
			return status;
		*is_better = lloyd->converged && lloyd->inertia < BETTER * search->inertia;
	}
	return CRM_OK;
}

/* Improve the state in search->lloyd. */
static CrmStatus
improve(Search *search, int *improvements)
{
	CrmLloyd *lloyd = search->lloyd;
	size_t moves, most_terms = lloyd->terms + CRM_SEARCH_WORK;
	int trials = lloyd->k < CRM_SEARCH_MOST_TRIALS / CRM_SEARCH_TRIALS
					 ? lloyd->k * CRM_SEARCH_TRIALS
					 : CRM_SEARCH_MOST_TRIALS;
	CrmStatus status = crm_kmeans_lloyd_measure(lloyd, search->rule);
	bool is_better = false;

	if (status != CRM_OK)
		return status;
	keep(search);
	status = polish(lloyd, search->rule, &moves);
	if (status == CRM_OK && lloyd->converged && lloyd->inertia <= search->inertia)
	{
		keep(search);
		*improvements += moves > 0;
	}
	while (status == CRM_OK && trials > 0 && lloyd->terms < most_terms && search->inertia > 0.0)
	{
		status = try_swaps(search, &trials, most_terms, &is_better);
		if (status != CRM_OK || !is_better)
			break;
		keep(search);
		(*improvements)++;
	}
	if (status != CRM_OK)
		return status;
	go_back(search);
	return crm_kmeans_lloyd_run(lloyd, search->rule);
}

/*
 * Search from the centres in the state; the rule tells how many iterations a trial may take, its
 * tolerance does not count and its trace is not called. Afterwards the state is a fixed point with
 * the least inertia found; improvements counts the steps to it. Holds nothing when it returns.
 */
CrmStatus
crm_kmeans_search(CrmLloyd *lloyd, const CrmLloydRule *rule, uint64_t seed, int *improvements)
{
	CrmCtx *ctx = lloyd->ctx;
	size_t n = lloyd->data->n, coordinates = (size_t) lloyd->k * lloyd->data->d;
	CrmLloydRule strict = {.tolerance = 0.0, .max_iterations = rule->max_iterations};
	Search search = {.lloyd = lloyd, .rule = &strict};
	CrmStatus status;

	*improvements = 0;
	crm_rng_seed(&search.rng, seed, STREAM);
	search.far = crm_allocate(ctx, n, sizeof(double));
	search.centres = crm_allocate(ctx, coordinates, sizeof(double));
	search.loss = crm_allocate(ctx, lloyd->k, sizeof(double));
	if (search.far == NULL || search.centres == NULL || search.loss == NULL)
		status = ctx->failure;
	else
		status = crm_kmeans_urn_begin(&search.urn, lloyd);
	if (status == CRM_OK)
		status = improve(&search, improvements);
	if (search.urn.lloyd != NULL)
		crm_kmeans_urn_free(&search.urn);
	crm_release(ctx, search.loss, lloyd->k, sizeof(double));
	crm_release(ctx, search.centres, coordinates, sizeof(double));
	crm_release(ctx, search.far, n, sizeof(double));
	return status;
}
