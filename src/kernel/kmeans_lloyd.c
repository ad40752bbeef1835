/*
 * kmeans_lloyd.c: assignment with bounds, exact updates, empty clusters; see kmeans_lloyd.h.
 */
#include "kernel/kmeans_lloyd.h"

#include "kernel/base/order.h"
#include "kernel/base/sum.h"
#include "kernel/kmeans_nearest.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define TILE        CRM_NEAREST_TILE
#define BLOCK_TILES 8
#define BLOCK       (BLOCK_TILES * TILE) /* rows whose distances are taken together */
#define SCAN        2048                 /* rows whose bounds are looked at together */
#define CACHE       2048                 /* coordinates of centres that stay in the first cache */
#define ALIGNMENT   64

/* Absolute error of a distance whose square underflows; the domain of arrange keeps it harmless. */
#define TINY 1e-150

/* Bytes of the block of rows. */
static size_t
tiles_bytes(int d)
{
	return (size_t) BLOCK * d * sizeof(double) + ALIGNMENT;
}

/* Give the bytes that crm_kmeans_lloyd_begin takes for n rows of d columns and k clusters. */
size_t
crm_kmeans_lloyd_bytes(size_t n, int d, int k)
{
	size_t row = sizeof(uint16_t) + sizeof(double);
	size_t centre = ((size_t) d + 2) * sizeof(double) + sizeof(int64_t);

	return n * row + k * centre + crm_kmeans_sums_bytes(d, k) + tiles_bytes(d);
}

/*
 * Make room for up to max_k clusters of arranged data, which must outlive the state. On an error
 * nothing is held. crm_kmeans_lloyd_free gives it back.
 */
CrmStatus
crm_kmeans_lloyd_begin(CrmLloyd *lloyd, CrmCtx *ctx, const CrmKmeansData *data, int max_k)
{
	size_t n = data->n, coordinates = (size_t) max_k * data->d;
	CrmStatus status = CRM_OK;

	*lloyd = (CrmLloyd){.ctx = ctx, .data = data, .max_k = max_k, .k = 0};
	if ((lloyd->centres = crm_allocate(ctx, coordinates, sizeof(double))) == NULL ||
		(lloyd->members = crm_allocate(ctx, max_k, sizeof(int64_t))) == NULL ||
		(lloyd->shift = crm_allocate(ctx, max_k, sizeof(double))) == NULL ||
		(lloyd->moved = crm_allocate(ctx, max_k, sizeof(double))) == NULL ||
		(lloyd->label = crm_allocate(ctx, n, sizeof(uint16_t))) == NULL ||
		(lloyd->bound = crm_allocate(ctx, n, sizeof(double))) == NULL ||
		(lloyd->tiles_memory = crm_allocate(ctx, tiles_bytes(data->d), 1)) == NULL)
		status = ctx->failure;
	else
		status = crm_kmeans_sums_begin(ctx, data, max_k, &lloyd->sums);
	if (status != CRM_OK)
	{
		crm_kmeans_lloyd_free(lloyd);
		return status;
	}
	lloyd->tiles = (double *) (((uintptr_t) lloyd->tiles_memory + ALIGNMENT - 1) &
							   ~(uintptr_t) (ALIGNMENT - 1));
	crm_kmeans_lloyd_forget(lloyd);
	return CRM_OK;
}

/* Give back what begin took; once more does no harm. */
void
crm_kmeans_lloyd_free(CrmLloyd *lloyd)
{
	CrmCtx *ctx = lloyd->ctx;
	size_t n = lloyd->data->n, coordinates = (size_t) lloyd->max_k * lloyd->data->d;

	if (lloyd->sums.data != NULL)
		crm_kmeans_sums_free(ctx, &lloyd->sums);
	crm_release(ctx, lloyd->tiles_memory, tiles_bytes(lloyd->data->d), 1);
	crm_release(ctx, lloyd->bound, n, sizeof(double));
	crm_release(ctx, lloyd->label, n, sizeof(uint16_t));
	crm_release(ctx, lloyd->moved, lloyd->max_k, sizeof(double));
	crm_release(ctx, lloyd->shift, lloyd->max_k, sizeof(double));
	crm_release(ctx, lloyd->members, lloyd->max_k, sizeof(int64_t));
	crm_release(ctx, lloyd->centres, coordinates, sizeof(double));
	*lloyd = (CrmLloyd){.ctx = ctx, .data = lloyd->data};
}

/* Forget labels, sums and bounds: the next assignment starts from the centres alone. */
void
crm_kmeans_lloyd_forget(CrmLloyd *lloyd)
{
	lloyd->is_fresh = lloyd->is_loose = true;
	lloyd->iterations = 0;
	lloyd->converged = false;
}

/*
 * Give row i another label and count it; the move, of a row by the name that the sums will know it
 * by, tells what is left to do.
 */
static inline void
relabel(CrmLloyd *lloyd, size_t i, int to, uint32_t row, CrmKmeansMove *move)
{
	int from = lloyd->label[i];
	double weight = crm_kmeans_lloyd_weight(lloyd, i);

	*move = (CrmKmeansMove){.row = row, .from = -1, .to = to, .weight = weight};
	lloyd->label[i] = (uint16_t) to;
	lloyd->members[to] += weight > 0.0;
	if (from == CRM_LLOYD_NONE)
		return;
	move->from = from;
	lloyd->members[from] -= weight > 0.0;
}

/*
 * Take row i out of the sums of the cluster of its label, if it has one, put it into those of
 * another, and label it so.
 */
void
crm_kmeans_lloyd_move(CrmLloyd *lloyd, size_t i, int to)
{
	CrmKmeansMove move;

	relabel(lloyd, i, to, (uint32_t) i, &move);
	crm_kmeans_sums_move(&lloyd->sums, NULL, &move, 1);
}

/* Give the part of two distances that their computation and that of later moves may be wrong by. */
static double
relative_error(const CrmLloyd *lloyd)
{
	return (lloyd->data->d + 32) * DBL_EPSILON;
}

/* Take over what comparing a tile's rows with all centres has found. */
static void
settle(CrmLloyd *lloyd, const double *tile, const uint32_t *rows, size_t n,
	   const CrmNearest *nearest, CrmSum *inertia)
{
	double slack[TILE], *bound = lloyd->bound;
	const double *moved = lloyd->moved;
	const uint16_t *label = lloyd->label;
	CrmKmeansMove moves[CRM_SUMS_MOVES];
	size_t changed = 0;

	crm_kmeans_nearest_slack(nearest, relative_error(lloyd), TINY, slack);
	for (size_t i = 0; i < n; i++)
	{
		double sum = slack[i] + moved[nearest->label[i]];

		bound[rows[i]] = sum - 2 * DBL_EPSILON * fabs(sum);
	}
	for (size_t i = 0; i < n; i++)
		if (label[rows[i]] != nearest->label[i])
			relabel(lloyd, rows[i], (int) nearest->label[i], (uint32_t) i, &moves[changed++]);
	if (changed > 0)
		crm_kmeans_sums_move(&lloyd->sums, tile, moves, changed);
	if (inertia != NULL)
	{
		double weights[TILE];

		for (size_t i = 0; i < n; i++)
			weights[i] = crm_kmeans_lloyd_weight(lloyd, rows[i]);
		crm_sum_add(inertia, crm_kmeans_nearest_sum(weights, nearest->best, n));
	}
	lloyd->changed += changed;
}

/* Compare at most BLOCK rows with all centres: blocks of centres stay in the cache meanwhile. */
static CrmStatus
assign_block(CrmLloyd *lloyd, const uint32_t *rows, size_t n, CrmSum *inertia)
{
	CrmNearest nearest[BLOCK_TILES];
	int d = lloyd->data->d, step = d < CACHE / 4 ? CACHE / d : 4;
	size_t tiles = (n + TILE - 1) / TILE;

	for (size_t t = 0; t < tiles; t++)
	{
		size_t count = t + 1 < tiles ? TILE : n - t * TILE;

		crm_kmeans_nearest_gather(lloyd->data->x, d, rows + t * TILE, count,
								  lloyd->tiles + t * TILE * d);
		crm_kmeans_nearest_begin(&nearest[t]);
	}
	for (int first = 0; first < lloyd->k; first += step)
	{
		int end = lloyd->k - first > step ? first + step : lloyd->k;

		for (size_t t = 0; t < tiles; t++)
			crm_kmeans_nearest_tile(lloyd->tiles + t * TILE * d, d, lloyd->centres, first, end,
									&nearest[t]);
		if (crm_kmeans_lloyd_is_stopped(lloyd, tiles * TILE * d * (end - first)))
			return CRM_ABORTED;
	}
	for (size_t t = 0; t < tiles; t++)
		settle(lloyd, lloyd->tiles + t * TILE * d, rows + t * TILE,
			   t + 1 < tiles ? TILE : n - t * TILE, &nearest[t], inertia);
	return CRM_OK;
}

/* Note the rows first to end - 1 that must be compared; give how many. */
static size_t
find_doubtful(const CrmLloyd *lloyd, size_t first, size_t end, bool all, uint32_t *rows)
{
	const double *bound = lloyd->bound, *moved = lloyd->moved;
	const uint16_t *label = lloyd->label;
	size_t n = 0;

	if (all)
		for (size_t i = first; i < end; i++)
			rows[n++] = (uint32_t) i;
	else
		for (size_t i = first; i < end; i++)
		{
			rows[n] = (uint32_t) i;
			n += !(bound[i] > moved[label[i]]);
		}
	return n;
}

/*
 * Give each row the label of its nearest centre and move it between the sums; changed counts the
 * rows that got another one. All rows are compared when asked to, which also gives the inertia, or
 * when the bounds mean nothing. CRM_ABORTED leaves the state forgotten.
 */
CrmStatus
crm_kmeans_lloyd_assign(CrmLloyd *lloyd, bool all)
{
	uint32_t rows[SCAN];
	size_t n = lloyd->data->n;
	CrmSum inertia = {0};

	all = all || lloyd->is_loose;
	if (lloyd->is_fresh)
	{
		crm_kmeans_sums_clear(&lloyd->sums, lloyd->k);
		memset(lloyd->members, 0, lloyd->k * sizeof(int64_t));
		memset(lloyd->label, 0xff, n * sizeof(uint16_t)); /* CRM_LLOYD_NONE */
	}
	if (all)
		memset(lloyd->moved, 0, lloyd->k * sizeof(double));
	lloyd->changed = lloyd->relocated;
	lloyd->relocated = 0;
	lloyd->is_fresh = lloyd->is_loose = true; /* should it be stopped */
	for (size_t first = 0; first < n; first += SCAN)
	{
		size_t count = find_doubtful(lloyd, first, n - first > SCAN ? first + SCAN : n, all, rows);

		for (size_t at = 0; at < count; at += BLOCK)
			if (assign_block(lloyd, rows + at, count - at > BLOCK ? BLOCK : count - at,
							 all ? &inertia : NULL) != CRM_OK)
				return CRM_ABORTED;
		if (crm_kmeans_lloyd_is_stopped(lloyd, SCAN))
			return CRM_ABORTED;
	}
	lloyd->is_fresh = lloyd->is_loose = false;
	if (all)
		lloyd->inertia = crm_sum_value(inertia);
	return CRM_OK;
}

/* Give the squared distance of row i to a centre. */
static double
square_to(const CrmLloyd *lloyd, size_t i, int j)
{
	const double *centre = lloyd->centres + (size_t) j * lloyd->data->d;
	double square = 0.0;

	for (int f = 0; f < lloyd->data->d; f++)
	{
		double difference = lloyd->data->x[f][i] - centre[f];

		square += difference * difference;
	}
	return square;
}

/*
 * Give the empty-th largest squared distance of a row of positive weight to its centre as an order
 * key, over all rows; the bounds are used up.
 */
static CrmStatus
find_farthest(CrmLloyd *lloyd, size_t empty, uint64_t *farthest)
{
	size_t n = lloyd->data->n, rank = n - (empty < n ? empty : n);
	uint64_t *keys = (uint64_t *) (void *) lloyd->bound;
	CrmStatus status;

	lloyd->is_loose = true;
	for (size_t i = 0; i < n; i++)
	{
		bool counts = lloyd->data->weights == NULL || lloyd->data->weights[i] > 0.0;
		uint64_t key = crm_order_double(counts ? square_to(lloyd, i, lloyd->label[i]) : 0.0);

		memcpy(&keys[i], &key, sizeof key);
		if (crm_kmeans_lloyd_is_stopped(lloyd, lloyd->data->d))
			return CRM_ABORTED;
	}
	status = crm_select_ranks(lloyd->ctx, keys, n, &rank, 1);
	*farthest = keys[rank];
	return status;
}

/* Give the next empty cluster from j on, or k. */
static int
next_empty(const CrmLloyd *lloyd, int j)
{
	while (j < lloyd->k && lloyd->members[j] > 0)
		j++;
	return j;
}

/*
 * Move rows into the empty clusters, one each: those farthest from their centres, but never the
 * last of a cluster nor one that lies on its centre. relocated counts them.
 */
static CrmStatus
relocate(CrmLloyd *lloyd, size_t empty)
{
	uint64_t farthest, zero = crm_order_double(0.0);
	int cluster = next_empty(lloyd, 0);

	if (find_farthest(lloyd, empty, &farthest) != CRM_OK)
		return CRM_ABORTED;
	for (int is_tie = 0; is_tie < 2; is_tie++)
		for (size_t i = 0; i < lloyd->data->n && cluster < lloyd->k; i++)
		{
			int from = lloyd->label[i];
			uint64_t key;

			if (crm_kmeans_lloyd_is_stopped(lloyd, lloyd->data->d))
				return CRM_ABORTED;
			if (crm_kmeans_lloyd_weight(lloyd, i) <= 0.0 || lloyd->members[from] < 2)
				continue;
			key = crm_order_double(square_to(lloyd, i, from));
			if (key == zero || (is_tie ? key != farthest : key <= farthest))
				continue;
			crm_kmeans_lloyd_move(lloyd, i, cluster);
			lloyd->relocated++;
			cluster = next_empty(lloyd, cluster + 1);
		}
	return CRM_OK;
}

/* Move a centre to the mean of its rows, if it has any; give how far that was, squared. */
double
crm_kmeans_lloyd_recentre(CrmLloyd *lloyd, int j)
{
	int d = lloyd->data->d;
	double *centre = lloyd->centres + (size_t) j * d, square = 0.0;
	double weight = crm_kmeans_lloyd_weight_of(lloyd, j);

	if (lloyd->members[j] == 0)
		return 0.0;
	for (int f = 0; f < d; f++)
	{
		double mean = crm_kmeans_sums_get(&lloyd->sums, j, f) / weight;
		double difference = mean - centre[f];

		centre[f] = mean;
		square += difference * difference;
	}
	return square;
}

/*
 * Fill the empty clusters, move each centre to the mean of its rows and lower the bounds by what
 * the moves may have cost. Clusters that cannot be filled keep their centre.
 */
CrmStatus
crm_kmeans_lloyd_update(CrmLloyd *lloyd)
{
	double error = 1.0 + relative_error(lloyd), most = 0.0, next = 0.0;
	size_t empty = 0;
	int mover = 0;

	lloyd->relocated = 0;
	for (int j = 0; j < lloyd->k; j++)
		empty += lloyd->members[j] == 0;
	if (empty > 0 && relocate(lloyd, empty) != CRM_OK)
		return CRM_ABORTED;
	lloyd->shifts = 0.0;
	for (int j = 0; j < lloyd->k; j++)
	{
		double square = crm_kmeans_lloyd_recentre(lloyd, j);

		lloyd->shifts += square;
		lloyd->shift[j] = sqrt(square);
		next = fmax(next, fmin(most, lloyd->shift[j]));
		if (lloyd->shift[j] > most)
		{
			most = lloyd->shift[j];
			mover = j;
		}
		if (crm_kmeans_lloyd_is_stopped(lloyd, lloyd->data->d))
			return CRM_ABORTED;
	}
	for (int j = 0; j < lloyd->k; j++)
	{
		double cost = (lloyd->shift[j] + (j == mover ? next : most)) * error + TINY;

		lloyd->moved[j] = (lloyd->moved[j] + cost) * (1.0 + 2 * DBL_EPSILON);
	}
	return CRM_OK;
}

/* Assign all rows, which gives the inertia, and tell whoever watches. */
CrmStatus
crm_kmeans_lloyd_measure(CrmLloyd *lloyd, const CrmLloydRule *rule)
{
	CrmStatus status = crm_kmeans_lloyd_assign(lloyd, true);

	if (status == CRM_OK && rule->trace != NULL)
		rule->trace(rule->trace_user, rule->start, lloyd->iterations, lloyd->inertia);
	return status;
}

/*
 * Iterate from the centres until no row changes its cluster, or the squared shifts sum to at most
 * the tolerance, or so often as the rule allows; iterations and converged tell how it went. In the
 * first case each centre is the mean of its rows. In the others the labels are those of the centres
 * before the last update; crm_kmeans_lloyd_measure brings them up to date.
 */
CrmStatus
crm_kmeans_lloyd_run(CrmLloyd *lloyd, const CrmLloydRule *rule)
{
	lloyd->converged = false;
	lloyd->iterations = 0;
	while (lloyd->iterations < rule->max_iterations && !lloyd->converged)
	{
		CrmStatus status = rule->trace != NULL ? crm_kmeans_lloyd_measure(lloyd, rule)
											   : crm_kmeans_lloyd_assign(lloyd, false);

		if (status == CRM_OK)
			status = crm_kmeans_lloyd_update(lloyd);
		if (status != CRM_OK)
			return status;
		lloyd->iterations++;
		lloyd->converged =
			(lloyd->changed == 0 && lloyd->relocated == 0) || lloyd->shifts <= rule->tolerance;
	}
	return CRM_OK;
}

/*
 * Give cluster j the number new_number[j], a permutation of 0 to k - 1, which is used up.
 */
CrmStatus
crm_kmeans_lloyd_renumber(CrmLloyd *lloyd, int *new_number)
{
	size_t d = lloyd->data->d, n = lloyd->is_fresh ? 0 : lloyd->data->n;

	for (size_t i = 0; i < n; i++)
	{
		lloyd->label[i] = (uint16_t) new_number[lloyd->label[i]];
		if (crm_kmeans_lloyd_is_stopped(lloyd, 1))
			return CRM_ABORTED;
	}
	lloyd->is_loose = true;
	for (int j = 0; j < lloyd->k; j++)
		while (new_number[j] != j)
		{
			int other = new_number[j];
			int64_t members = lloyd->members[j];

			for (size_t f = 0; f < d; f++)
			{
				double kept = lloyd->centres[j * d + f];

				lloyd->centres[j * d + f] = lloyd->centres[other * d + f];
				lloyd->centres[other * d + f] = kept;
			}
			crm_kmeans_sums_swap(&lloyd->sums, j, other);
			lloyd->members[j] = lloyd->members[other];
			lloyd->members[other] = members;
			new_number[j] = new_number[other];
			new_number[other] = other;
		}
	return CRM_OK;
}
