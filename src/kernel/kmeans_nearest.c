/*
 * kmeans_nearest.c: the inner loops of k-means; see kmeans_nearest.h. What runs in vectors stands
 * in kmeans_nearest_lanes.h; rows that are left over take the same operations one by one.
 */
#include "kernel/kmeans_nearest.h"

#include "kernel/base/lanes.h"

#include <math.h>
#include <string.h>

#define LANES 2
#include "kernel/kmeans_nearest_lanes.h"
#if CRM_LANES_HAVE_WIDE
#define LANES 4
#include "kernel/kmeans_nearest_lanes.h"
#define LANES 8
#include "kernel/kmeans_nearest_lanes.h"
#endif

/* Give the part of n that is a multiple of the rows taken together. */
static size_t
whole(size_t n, size_t together)
{
	return n / together * together;
}

/* Forget all centres. */
void
crm_kmeans_nearest_begin(CrmNearest *nearest)
{
	for (int i = 0; i < CRM_NEAREST_TILE; i++)
	{
		nearest->best[i] = nearest->second[i] = INFINITY;
		nearest->label[i] = nearest->next[i] = -1;
	}
}

/*
 * Let the centres first to end - 1, rows of d coordinates, compete for a tile's rows. What earlier
 * calls have found stays in the race; next is not kept.
 */
void
crm_kmeans_nearest_tile(const double *tile, int d, const double *centres, int first, int end,
						CrmNearest *nearest)
{
	CRM_LANES_CALL(tile, tile, d, centres, first, end, nearest);
}

/* The same, keeping next, the label of the second. */
void
crm_kmeans_nearest_tile_two(const double *tile, int d, const double *centres, int first, int end,
							CrmNearest *nearest)
{
	CRM_LANES_CALL(tile_two, tile, d, centres, first, end, nearest);
}

/* Fill a tile with n rows, 1 to 32, of the columns x; the tile's other rows repeat the first. */
void
crm_kmeans_nearest_gather(const double *const *x, int d, const uint32_t *rows, size_t n,
						  double *tile)
{
	bool is_run = n == CRM_NEAREST_TILE && rows[n - 1] - rows[0] == n - 1;

	for (int f = 0; f < d; f++, tile += CRM_NEAREST_TILE)
	{
		const double *column = x[f];

		if (is_run)
		{
			CRM_LANES_CALL(copy, column + rows[0], tile);
			continue;
		}
		for (size_t i = 0; i < n; i++)
			tile[i] = column[rows[i]];
		for (size_t i = n; i < CRM_NEAREST_TILE; i++)
			tile[i] = tile[0];
	}
}

/*
 * Give each row's slack, second - best as distances, less a part of their sum and a constant for
 * the error of both and of the root taken here: a bound from below. Huge when there is one centre.
 */
void
crm_kmeans_nearest_slack(const CrmNearest *nearest, double error, double least, double *slack)
{
	CRM_LANES_CALL(slack, nearest, error, least, slack);
}

/* Give the squared distances of the rows first to first + count - 1 to one centre. */
void
crm_kmeans_nearest_squares(const double *const *x, int d, size_t first, size_t count,
						   const double *centre, double *squares)
{
	size_t i = whole(count, CRM_NEAREST_TILE);

	CRM_LANES_CALL(squares, x, d, first, i, centre, squares);
	for (; i < count; i++)
	{
		squares[i] = 0.0;
		for (int f = 0; f < d; f++)
		{
			double difference = x[f][first + i] - centre[f];

			squares[i] += difference * difference;
		}
	}
}

/* Lower each of n shares to the square of the same row; lowered may be either array. */
void
crm_kmeans_nearest_lower(const double *share, const double *squares, size_t n, double *lowered)
{
	size_t i = whole(n, CRM_LANES_ALL);

	CRM_LANES_CALL(lower, share, squares, i, lowered);
	for (; i < n; i++)
		lowered[i] = squares[i] < share[i] ? squares[i] : share[i];
}

/*
 * Give the sum of n values, each times its weight unless weights is NULL. Rows go to eight
 * accumulators in turn; meant for a few thousand of them, so that the rounding stays small.
 */
double
crm_kmeans_nearest_sum(const double *weights, const double *values, size_t n)
{
	double lane[CRM_LANES_ALL];
	size_t i = whole(n, CRM_LANES_ALL);

	CRM_LANES_CALL(sum, weights, values, i, lane);
	for (int l = 0; i < n; i++, l++)
		lane[l] += weights != NULL ? weights[i] * values[i] : values[i];
	return crm_lanes_sum(lane);
}

/*
 * Give the sum of the roots of n squares, each times its weight unless weights is NULL; squares
 * becomes the roots. For a few thousand rows, as crm_kmeans_nearest_sum.
 */
double
crm_kmeans_nearest_sum_roots(const double *weights, double *squares, size_t n)
{
	double last[CRM_LANES_ALL] = {0};
	size_t i = whole(n, CRM_LANES_ALL);

	CRM_LANES_CALL(roots, squares, i);
	memcpy(last, squares + i, (n - i) * sizeof(double));
	CRM_LANES_CALL(roots, last, CRM_LANES_ALL);
	memcpy(squares + i, last, (n - i) * sizeof(double));
	return crm_kmeans_nearest_sum(weights, squares, n);
}

/* Widen a range by n values; false when one of them is not finite. */
bool
crm_kmeans_nearest_range(const double *values, size_t n, double *least, double *most)
{
	double lows[CRM_LANES_ALL], highs[CRM_LANES_ALL];
	int64_t odd[CRM_LANES_ALL] = {0};
	bool is_finite = true;
	size_t i = whole(n, CRM_LANES_ALL);

	for (int l = 0; l < CRM_LANES_ALL; l++)
	{
		lows[l] = *least;
		highs[l] = *most;
	}
	CRM_LANES_CALL(range, values, i, lows, highs, odd);
	for (int l = 0; l < CRM_LANES_ALL; l++)
	{
		*least = lows[l] < *least ? lows[l] : *least;
		*most = highs[l] > *most ? highs[l] : *most;
		is_finite &= odd[l] == 0;
	}
	for (; i < n; i++)
	{
		*least = values[i] < *least ? values[i] : *least;
		*most = values[i] > *most ? values[i] : *most;
		is_finite &= values[i] - values[i] == 0.0;
	}
	return is_finite;
}
