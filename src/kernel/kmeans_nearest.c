/*
 * kmeans_nearest.c: the inner loops of k-means; see kmeans_nearest.h.
 *
 * A tile is four vectors of eight rows, so four independent sums hide the latency of an addition
 * and a centre's coordinate is fetched once for 32 rows.
 */
#include "kernel/kmeans_nearest.h"

#include "kernel/base/lanes.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define VECTORS (CRM_NEAREST_TILE / CRM_LANES)

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

/* Compare a tile's rows with the centres first to end - 1; with_next keeps the second's label. */
CRM_LANES_INLINE void
compare(const double *tile, int d, const double *centres, int first, int end, CrmNearest *nearest,
		bool with_next)
{
	CrmLanes best[VECTORS], second[VECTORS];
	CrmLaneBits label[VECTORS], next[VECTORS];

	for (int v = 0; v < VECTORS; v++)
	{
		best[v] = CRM_LANES_LOAD(nearest->best + v * CRM_LANES);
		second[v] = CRM_LANES_LOAD(nearest->second + v * CRM_LANES);
		label[v] = *(CrmLaneBitsAt *) (nearest->label + v * CRM_LANES);
		next[v] = *(CrmLaneBitsAt *) (nearest->next + v * CRM_LANES);
	}
	for (int j = first; j < end; j++)
	{
		const double *centre = centres + (size_t) j * d, *column = tile;
		CrmLaneBits mine = (CrmLaneBits){0} + j;
		CrmLanes square[VECTORS];

		for (int v = 0; v < VECTORS; v++)
			square[v] = (CrmLanes){0};
		for (int f = 0; f < d; f++, column += CRM_NEAREST_TILE)
		{
			CrmLanes coordinate = CRM_LANES_OF(centre[f]);

#pragma GCC unroll 4
			for (int v = 0; v < VECTORS; v++)
			{
				CrmLanes difference = CRM_LANES_LOAD(column + v * CRM_LANES) - coordinate;

				square[v] += difference * difference;
			}
		}
#pragma GCC unroll 4
		for (int v = 0; v < VECTORS; v++)
		{
			CrmLaneBits is_best = square[v] < best[v];
			CrmLanes worse = CRM_LANES_CHOOSE(is_best, best[v], square[v]);
			CrmLaneBits is_second = worse < second[v];

			if (with_next)
			{
				next[v] = CRM_LANES_CHOOSE_BITS(is_second, mine, next[v]);
				next[v] = CRM_LANES_CHOOSE_BITS(is_best, label[v], next[v]);
			}
			best[v] = CRM_LANES_CHOOSE(is_best, square[v], best[v]);
			label[v] = CRM_LANES_CHOOSE_BITS(is_best, mine, label[v]);
			second[v] = CRM_LANES_CHOOSE(is_second, worse, second[v]);
		}
	}
	for (int v = 0; v < VECTORS; v++)
	{
		CRM_LANES_STORE(nearest->best + v * CRM_LANES, best[v]);
		CRM_LANES_STORE(nearest->second + v * CRM_LANES, second[v]);
		*(CrmLaneBitsAt *) (nearest->label + v * CRM_LANES) = label[v];
		*(CrmLaneBitsAt *) (nearest->next + v * CRM_LANES) = next[v];
	}
}

/*
 * Let the centres first to end - 1, rows of d coordinates, compete for a tile's rows. What earlier
 * calls have found stays in the race; next is not kept.
 */
CRM_CLONES void
crm_kmeans_nearest_tile(const double *tile, int d, const double *centres, int first, int end,
						CrmNearest *nearest)
{
	compare(tile, d, centres, first, end, nearest, false);
}

/* The same, keeping next, the label of the second. */
CRM_CLONES void
crm_kmeans_nearest_tile_two(const double *tile, int d, const double *centres, int first, int end,
							CrmNearest *nearest)
{
	compare(tile, d, centres, first, end, nearest, true);
}

/* Fill a tile with n rows, 1 to 32, of the columns x; the tile's other rows repeat the first. */
CRM_CLONES void
crm_kmeans_nearest_gather(const double *const *x, int d, const uint32_t *rows, size_t n,
						  double *tile)
{
	bool is_run = n == CRM_NEAREST_TILE && rows[n - 1] - rows[0] == n - 1;

	for (int f = 0; f < d; f++, tile += CRM_NEAREST_TILE)
	{
		const double *column = x[f];

		if (is_run)
			for (int v = 0; v < VECTORS; v++)
				CRM_LANES_STORE(tile + v * CRM_LANES,
								CRM_LANES_LOAD(column + rows[0] + v * CRM_LANES));
		else
		{
			for (size_t i = 0; i < n; i++)
				tile[i] = column[rows[i]];
			for (size_t i = n; i < CRM_NEAREST_TILE; i++)
				tile[i] = tile[0];
		}
	}
}

/* Take the square roots of eight numbers from 1e-300 to 1e306, to 1e-15, by Newton's iteration for
 * 1 / sqrt(x) from the customary start (Lomont 2003); of smaller ones the result may be too small.
 * */
CRM_LANES_INLINE void
take_roots(const double *x, double *roots)
{
	CrmLanes square = CRM_LANES_LOAD(x), root;

	square = CRM_LANES_CHOOSE(square < INFINITY, square, CRM_LANES_OF(1e300));
	root = (CrmLanes) (INT64_C(0x5FE6EB50C7B537A9) - ((CrmLaneBits) square >> 1));
	for (int i = 0; i < 4; i++)
		root = root * (1.5 - (0.5 * square * root) * root);
	CRM_LANES_STORE(roots, square * root);
}

/*
 * Give each row's slack, second - best as distances, less a part of their sum and a constant for
 * the error of both and of the root taken here: a bound from below. Huge when there is one centre.
 */
CRM_CLONES void
crm_kmeans_nearest_slack(const CrmNearest *nearest, double error, double least, double *slack)
{
	for (int i = 0; i < CRM_NEAREST_TILE; i += CRM_LANES)
	{
		double u[CRM_LANES], l[CRM_LANES];
		CrmLanes near, far;

		take_roots(nearest->best + i, u);
		take_roots(nearest->second + i, l);
		near = CRM_LANES_LOAD(u);
		far = CRM_LANES_LOAD(l);
		CRM_LANES_STORE(slack + i, (far - near) - error * (far + near) - least);
	}
}

/* Give the squared distances of the rows first to first + count - 1 to one centre. */
CRM_CLONES void
crm_kmeans_nearest_squares(const double *const *x, int d, size_t first, size_t count,
						   const double *centre, double *squares)
{
	size_t i = 0;

	for (; i + CRM_NEAREST_TILE <= count; i += CRM_NEAREST_TILE)
	{
		CrmLanes square[VECTORS];

		for (int v = 0; v < VECTORS; v++)
			square[v] = (CrmLanes){0};
		for (int f = 0; f < d; f++)
		{
			const double *column = x[f] + first + i;
			CrmLanes coordinate = CRM_LANES_OF(centre[f]);

#pragma GCC unroll 4
			for (int v = 0; v < VECTORS; v++)
			{
				CrmLanes difference = CRM_LANES_LOAD(column + v * CRM_LANES) - coordinate;

				square[v] += difference * difference;
			}
		}
		for (int v = 0; v < VECTORS; v++)
			CRM_LANES_STORE(squares + i + v * CRM_LANES, square[v]);
	}
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

/*
 * Give the sum of n values, each times its weight unless weights is NULL. Rows go to the eight
 * lanes in turn; meant for a few thousand of them, so that the rounding stays small.
 */
CRM_CLONES double
crm_kmeans_nearest_sum(const double *weights, const double *values, size_t n)
{
	CrmLanes sum = {0};
	double lane[CRM_LANES];
	size_t i = 0;

	if (weights != NULL)
		for (; i + CRM_LANES <= n; i += CRM_LANES)
			sum += CRM_LANES_LOAD(weights + i) * CRM_LANES_LOAD(values + i);
	else
		for (; i + CRM_LANES <= n; i += CRM_LANES)
			sum += CRM_LANES_LOAD(values + i);
	CRM_LANES_STORE(lane, sum);
	for (int l = 0; i < n; i++, l++)
		lane[l] += weights != NULL ? weights[i] * values[i] : values[i];
	return crm_lanes_sum(lane);
}

/*
 * Give the sum of the roots of n squares, each times its weight unless weights is NULL; squares
 * becomes the roots. For a few thousand rows, as crm_kmeans_nearest_sum.
 */
CRM_CLONES double
crm_kmeans_nearest_sum_roots(const double *weights, double *squares, size_t n)
{
	size_t i = 0;

	for (; i + CRM_LANES <= n; i += CRM_LANES)
		take_roots(squares + i, squares + i);
	if (i < n)
	{
		double last[CRM_LANES] = {0};

		memcpy(last, squares + i, (n - i) * sizeof(double));
		take_roots(last, last);
		memcpy(squares + i, last, (n - i) * sizeof(double));
	}
	return crm_kmeans_nearest_sum(weights, squares, n);
}

/* Widen a range by n values; false when one of them is not finite. */
CRM_CLONES bool
crm_kmeans_nearest_range(const double *values, size_t n, double *least, double *most)
{
	CrmLanes low = CRM_LANES_OF(*least), high = CRM_LANES_OF(*most);
	CrmLaneBits is_odd = {0};
	double lows[CRM_LANES], highs[CRM_LANES];
	int64_t odd[CRM_LANES];
	bool is_finite = true;
	size_t i = 0;

	for (; i + CRM_LANES <= n; i += CRM_LANES)
	{
		CrmLanes x = CRM_LANES_LOAD(values + i);

		is_odd |= (CrmLaneBits) (x - x != (CrmLanes){0});
		low = CRM_LANES_CHOOSE(x < low, x, low);
		high = CRM_LANES_CHOOSE(x > high, x, high);
	}
	CRM_LANES_STORE(lows, low);
	CRM_LANES_STORE(highs, high);
	*(CrmLaneBitsAt *) odd = is_odd;
	for (int l = 0; l < CRM_LANES; l++)
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
