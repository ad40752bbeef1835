/*
 * kmeans_nearest.c: unit tests of the inner loops: to the bit what a plain loop over rows, centres
 * and columns gives, whatever the processor offers.
 */
#include "kernel/base/lanes.h"
#include "kernel/kmeans_nearest.h"
#include "points.h"

#define LANES 2
#include "kernel/kmeans_nearest_lanes.h"
#if CRM_LANES_HAVE_WIDE
#define LANES 4
#include "kernel/kmeans_nearest_lanes.h"
#endif

#define TILE CRM_NEAREST_TILE

/* Give the squared distance of row i of a tile to a centre, in the order of the columns. */
static double
square_of(const double *tile, int d, int i, const double *centre)
{
	double square = 0.0;

	for (int f = 0; f < d; f++)
	{
		double difference = tile[f * TILE + i] - centre[f];

		square += difference * difference;
	}
	return square;
}

/* Compare a tile with k centres, in two calls; coarse values make ties. */
static bool
try_tile(int d, int k, bool is_coarse)
{
	double *tile = malloc((size_t) (d * TILE) * sizeof(double));
	double *centres = malloc((size_t) (d * k) * sizeof(double));
	int half = (int) draw_below((uint64_t) k + 1);
	CrmNearest one, two;
	bool passed = true;

	for (int i = 0; i < d * TILE; i++)
		tile[i] = is_coarse ? (double) draw_below(3) : draw_uniform() - 0.5;
	for (int i = 0; i < d * k; i++)
		centres[i] = is_coarse ? (double) draw_below(3) : draw_uniform() - 0.5;
	crm_kmeans_nearest_begin(&one);
	crm_kmeans_nearest_tile(tile, d, centres, 0, half, &one);
	crm_kmeans_nearest_tile(tile, d, centres, half, k, &one);
	crm_kmeans_nearest_begin(&two);
	crm_kmeans_nearest_tile_two(tile, d, centres, 0, half, &two);
	crm_kmeans_nearest_tile_two(tile, d, centres, half, k, &two);
	for (int i = 0; i < TILE; i++)
	{
		double best = INFINITY, second = INFINITY;
		int label = 0, next = -1;

		for (int j = 0; j < k; j++)
		{
			double square = square_of(tile, d, i, centres + j * d);

			if (square < best)
			{
				next = j > 0 ? label : -1;
				second = best;
				label = j;
				best = square;
			}
			else if (square < second)
			{
				next = j;
				second = square;
			}
		}
		passed &= one.best[i] == best && one.second[i] == second && one.label[i] == label;
		passed &= two.best[i] == best && two.second[i] == second && two.label[i] == label &&
				  two.next[i] == next;
	}
	free(tile);
	free(centres);
	return passed;
}

static void
test_tile(void)
{
	bool fine = true, coarse = true;

	for (int trial = 0; trial < 400; trial++)
	{
		int d = 1 + (int) draw_below(trial % 20 == 0 ? 200 : 12);
		int k = 1 + (int) draw_below(trial % 20 == 0 ? 300 : 12);

		fine &= try_tile(d, k, false);
		coarse &= try_tile(d, k, true);
	}
	ok(fine, "nearest and second nearest are those of a plain loop, to the bit");
	ok(coarse, "of equal distances the first centre wins, the next one is second");
}

static void
test_gather(void)
{
	double *columns[3], tile[3 * TILE];
	const double *x[3];
	bool passed = true;

	for (int f = 0; f < 3; f++)
	{
		columns[f] = malloc(100 * sizeof(double));
		for (int i = 0; i < 100; i++)
			columns[f][i] = 100.0 * f + i;
		x[f] = columns[f];
	}
	for (size_t n = 1; n <= TILE; n++)
		for (uint32_t step = 1; step <= 3; step++)
		{
			uint32_t rows[TILE];

			for (uint32_t i = 0; i < n; i++)
				rows[i] = 4 + i * step;
			memset(tile, 0xff, sizeof tile);
			crm_kmeans_nearest_gather(x, 3, rows, n, tile);
			for (size_t f = 0; f < 3; f++)
				for (size_t i = 0; i < TILE; i++)
					passed &= tile[f * TILE + i] == columns[f][rows[i < n ? i : 0]];
		}
	ok(passed, "a tile holds the rows, and repeats the first");
	for (int f = 0; f < 3; f++)
		free(columns[f]);
}

/* Squares, sums and roots of all lengths and alignments. */
static void
test_sums(void)
{
	double x[2][300], weights[300], squares[200], centre[] = {0.25, -3};
	const double *columns[] = {x[0], x[1]};
	bool same = true, weighed = true, rooted = true;

	for (int i = 0; i < 300; i++)
	{
		x[0][i] = draw_uniform();
		x[1][i] = draw_uniform() * 1e3;
		weights[i] = draw_uniform();
	}
	for (size_t n = 0; n < 200; n++)
		for (size_t first = 0; first < 9; first++)
		{
			double plain = 0, with = 0, roots = 0, got;

			crm_kmeans_nearest_squares(columns, 2, first, n, centre, squares);
			for (size_t i = 0; i < n; i++)
			{
				double a = x[0][first + i] - centre[0], b = x[1][first + i] - centre[1];
				double square = 0.0;

				square += a * a;
				square += b * b;
				same &= squares[i] == square;
				plain += square;
				with += weights[first + i] * square;
				roots += weights[first + i] * sqrt(square);
			}
			weighed &= fabs(crm_kmeans_nearest_sum(NULL, squares, n) - plain) <= 1e-14 * plain;
			weighed &=
				fabs(crm_kmeans_nearest_sum(weights + first, squares, n) - with) <= 1e-14 * with;
			got = crm_kmeans_nearest_sum_roots(weights + first, squares, n);
			rooted &= fabs(got - roots) <= 1e-14 * roots;
		}
	ok(same, "squared distances to one centre are those of a plain loop, to the bit");
	ok(weighed, "sums of squares, with and without weights");
	ok(rooted, "sums of roots");
}

static void
test_range(void)
{
	static const double odd[] = {NAN, INFINITY, -INFINITY};
	bool passed = true, found = true;

	for (size_t n = 0; n < 50; n++)
	{
		double x[50], low = 3, high = -3, least = 3, most = -3;

		for (size_t i = 0; i < n; i++)
		{
			x[i] = 20 * draw_uniform() - 10;
			low = fmin(low, x[i]);
			high = fmax(high, x[i]);
		}
		passed &= crm_kmeans_nearest_range(x, n, &least, &most) && least == low && most == high;
		for (size_t i = 0; i < n; i++)
		{
			double kept = x[i];

			x[i] = odd[i % 3];
			found &= !crm_kmeans_nearest_range(x, n, &least, &most);
			x[i] = kept;
		}
	}
	ok(passed, "ranges");
	ok(found, "a value that is not finite is found anywhere");
}

static void
test_roots(void)
{
	bool close = true, low = true;

	for (int exponent = -1070; exponent < 1016; exponent++)
	{
		double x[3] = {ldexp(1.0, exponent), ldexp(1.0 + draw_uniform(), exponent), 0.0}, root[3];

		memcpy(root, x, sizeof x);
		(void) crm_kmeans_nearest_sum_roots(NULL, root, 3);
		for (int i = 0; i < 2; i++)
			if (exponent >= -996)
				close &= fabs(root[i] - sqrt(x[i])) <= 2e-15 * sqrt(x[i]);
			else
				low &= root[i] >= 0.0 && root[i] <= 1.01 * sqrt(x[i]);
		close &= root[2] == 0.0;
	}
	ok(close, "roots from 1e-300 to 1e306, and of 0");
	ok(low, "below, a root may be too small, not too large");
}

/* The slack is a bound from below, and not a bad one. */
static void
test_slack(void)
{
	bool passed = true, huge = true;

	for (int trial = 0; trial < 1000; trial++)
	{
		CrmNearest nearest;
		double slack[TILE];

		for (int i = 0; i < TILE; i++)
		{
			double u = exp(100 * (draw_uniform() - 0.5)), l = u * (1 + draw_uniform());

			nearest.best[i] = i == 5 ? 0.0 : u * u;
			nearest.second[i] = i == 7 ? INFINITY : l * l;
		}
		crm_kmeans_nearest_slack(&nearest, 1e-14, 1e-150, slack);
		for (int i = 0; i < TILE; i++)
		{
			double u = sqrt(nearest.best[i]), l = sqrt(nearest.second[i]);

			if (i == 7)
				huge &= slack[i] > 1e100;
			else
				passed &=
					slack[i] <= l - u - 4e-15 * (l + u) && slack[i] >= l - u - 2e-14 * (l + u);
		}
	}
	ok(passed, "slack is what the distances leave, less the error");
	ok(huge, "huge with one centre alone");
}

/* Everything that a version gives of the same random numbers. */
typedef struct Results
{
	CrmNearest one, two;
	double copied[TILE], slack[TILE], squares[4 * TILE], sum[2][8], roots[TILE], lowered[TILE];
	double lows[8], highs[8];
	int64_t odd[8];
} Results;

#define TRY(n)                                                                                     \
	static void try_version##n(const double *x, Results *results)                                  \
	{                                                                                              \
		const double *columns[] = {x, x + 3 * TILE, x + 6 * TILE};                                 \
                                                                                                   \
		crm_kmeans_nearest_begin(&results->one);                                                   \
		crm_kmeans_nearest_begin(&results->two);                                                   \
		tile##n(x, 3, x + 5, 0, 20, &results->one);                                                \
		tile_two##n(x, 3, x + 5, 0, 20, &results->two);                                            \
		copy##n(x + 1, results->copied);                                                           \
		slack##n(&results->one, 1e-14, 1e-150, results->slack);                                    \
		squares##n(columns, 3, 1, 4 * TILE, x, results->squares);                                  \
		sum##n(NULL, x + 1, 4 * TILE, results->sum[0]);                                            \
		sum##n(x + 3, x + 1, 4 * TILE, results->sum[1]);                                           \
		memcpy(results->roots, x, sizeof results->roots);                                          \
		roots##n(results->roots, TILE);                                                            \
		lower##n(x, x + 1, TILE, results->lowered);                                                \
		for (int l = 0; l < 8; l++)                                                                \
			results->lows[l] = results->highs[l] = 0.5;                                            \
		range##n(x, TILE, results->lows, results->highs, results->odd);                            \
		for (int l = 1; l < 8; l++) /* which of them holds the end depends on the width */         \
		{                                                                                          \
			results->lows[0] = fmin(results->lows[0], results->lows[l]);                           \
			results->highs[0] = fmax(results->highs[0], results->highs[l]);                        \
			results->lows[l] = results->highs[l] = 0.0;                                            \
			results->odd[l] = 0;                                                                   \
		}                                                                                          \
	}

TRY(2)
#if CRM_LANES_HAVE_WIDE
TRY(4)
#endif

/* Whatever the width, the bits are the same. */
static void
test_widths(void)
{
#if CRM_LANES_HAVE_WIDE
	static double x[20 * TILE];
	static Results narrow, wide;
	bool passed = true;

	if (!__builtin_cpu_supports("avx2"))
	{
		ok(true, "all widths give the same bits # SKIP this processor has one");
		return;
	}
	for (int trial = 0; trial < 100; trial++)
	{
		for (int i = 0; i < 20 * TILE; i++)
			x[i] = trial % 2 == 0 ? draw_uniform() : (double) draw_below(3);
		memset(&narrow, 0, sizeof narrow);
		memset(&wide, 0, sizeof wide);
		try_version2(x, &narrow);
		try_version4(x, &wide);
		passed &= memcmp(&narrow, &wide, sizeof narrow) == 0;
		memset(&wide, 0, sizeof wide);
		crm_kmeans_nearest_begin(&wide.one);
		crm_kmeans_nearest_begin(&wide.two);
		crm_kmeans_nearest_tile(x, 3, x + 5, 0, 20, &wide.one);
		crm_kmeans_nearest_tile_two(x, 3, x + 5, 0, 20, &wide.two);
		crm_kmeans_nearest_slack(&wide.one, 1e-14, 1e-150, wide.slack);
		passed &= memcmp(&narrow.one, &wide.one, sizeof narrow.one) == 0 &&
				  memcmp(&narrow.two, &wide.two, sizeof narrow.two) == 0 &&
				  memcmp(narrow.slack, wide.slack, sizeof narrow.slack) == 0;
	}
	ok(passed, "all widths give the same bits");
#else
	ok(true, "all widths give the same bits # SKIP there is one");
#endif
}

int
main(void)
{
	test_tile();
	test_gather();
	test_sums();
	test_range();
	test_roots();
	test_slack();
	test_widths();
	return tap_done();
}
