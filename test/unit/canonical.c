/*
 * canonical.c: unit tests of base/canonical: the order that values alone decide.
 */
#include "kernel/base/canonical.h"
#include "points.h"

#include "kernel/base/lanes.h"
#define LANES 2
#include "kernel/base/canonical_lanes.h"
#if CRM_LANES_HAVE_WIDE
#define LANES 4
#include "kernel/base/canonical_lanes.h"
#endif

#define ROWS 1000

/* Fill a matrix of one of several kinds. */
static void
fill(double *const *columns, int d, double *weights, int kind)
{
	uint32_t order[ROWS];

	for (int f = 0; f < d; f++)
	{
		draw_order(order, ROWS);
		for (size_t i = 0; i < ROWS; i++)
			columns[f][i] = kind == 0   ? draw_uniform()          /* all different */
							: kind == 1 ? (double) draw_below(3)  /* many equal rows */
							: kind == 2 ? (double) (order[i] % 5) /* equal columns but for order */
							: kind == 3 ? (double) (f % 2 ? i : ROWS - i) /* mirrored columns */
							: kind == 4 ? (double) (i / 100)              /* equal columns */
										: 7.0;                            /* constant */
	}
	for (size_t i = 0; i < ROWS; i++)
		weights[i] = (double) draw_below(3);
}

/* Arrange a copy of the matrix, rows and columns shuffled; give the digest of what comes out. */
static uint64_t
arranged(double *const *columns, int d, const double *weights, bool is_shuffled)
{
	static uint32_t order[ROWS], rows[ROWS], places[8];
	double *copy[8], *copied_weights = malloc(ROWS * sizeof(double));
	int column_order[8];
	uint64_t result = 14695981039346656037u;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);

	draw_order(rows, ROWS);
	draw_order(places, (uint32_t) d);
	for (int f = 0; f < d; f++)
	{
		copy[f] = malloc(ROWS * sizeof(double));
		for (size_t i = 0; i < ROWS; i++)
			copy[f][i] = columns[is_shuffled ? places[f] : (uint32_t) f][is_shuffled ? rows[i] : i];
	}
	for (size_t i = 0; i < ROWS && weights != NULL; i++)
		copied_weights[i] = weights[is_shuffled ? rows[i] : i];
	if (weights == NULL)
	{
		free(copied_weights);
		copied_weights = NULL;
	}
	if (crm_canonical_arrange(ctx, copy, d, copied_weights, ROWS, order, column_order) != CRM_OK ||
		tap.live != 0)
		result = draw();
	for (int f = 0; f < d; f++)
		result = digest(result, copy[column_order[f]], ROWS * sizeof(double));
	if (weights != NULL)
		result = digest(result, copied_weights, ROWS * sizeof(double));
	for (int f = 0; f < d; f++)
		free(copy[f]);
	free(copied_weights);
	return result;
}

static void
test_invariance(void)
{
	static const char *const names[] = {"different rows", "equal rows",    "columns alike",
										"mirrored ones",  "equal columns", "one value"};
	double *columns[8], weights[ROWS];

	for (int f = 0; f < 8; f++)
		columns[f] = malloc(ROWS * sizeof(double));
	for (int kind = 0; kind < 6; kind++)
	{
		bool passed = true;

		for (int trial = 0; trial < 60; trial++)
		{
			int d = 1 + trial % 8;
			const double *mine = trial % 3 == 0 ? weights : NULL;
			uint64_t first;

			fill(columns, d, weights, kind);
			first = arranged(columns, d, mine, false);
			for (int again = 0; again < 3; again++)
				passed &= arranged(columns, d, mine, true) == first;
		}
		ok(passed, "shuffled rows and columns give the same matrix: %s", names[kind]);
	}
	for (int f = 0; f < 8; f++)
		free(columns[f]);
}

/* The order is a permutation, the rows go where it says, and minus zero is zero. */
static void
test_permutation(void)
{
	static double x[ROWS], y[ROWS], copy[2][ROWS];
	static uint32_t order[ROWS], again[ROWS];
	static bool seen[ROWS];
	double *columns[] = {copy[0], copy[1]};
	int column_order[2];
	bool passed = true;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);

	for (size_t i = 0; i < ROWS; i++)
	{
		copy[0][i] = x[i] = draw_uniform();
		copy[1][i] = y[i] = i % 2 == 0 ? 0.0 : draw_uniform();
	}
	(void) crm_canonical_arrange(ctx, columns, 2, NULL, ROWS, order, column_order);
	for (size_t i = 0; i < ROWS; i++)
	{
		passed &= order[i] < ROWS && !seen[order[i]];
		passed &= copy[0][i] == x[order[i]] && copy[1][i] == y[order[i]];
		seen[order[i]] = true;
	}
	ok(passed, "the order is a permutation, and the rows follow it");
	for (size_t i = 0; i < ROWS; i++)
	{
		copy[0][i] = x[i];
		copy[1][i] = i % 2 == 0 ? -0.0 : y[i];
	}
	(void) crm_canonical_arrange(ctx, columns, 2, NULL, ROWS, again, column_order);
	ok(memcmp(order, again, sizeof order) == 0, "minus zero is zero");
	for (size_t n = 0; n < 3; n++)
		passed &= crm_canonical_arrange(ctx, columns, 2, NULL, n, order, column_order) == CRM_OK;
	ok(passed, "no row, one, two");
	is_clean(&tap, "ordering");
}

/*
 * A prefix is a uniform sample: of 5 values in shares of 1 to 5 fifteenths, the first 1500 of 15000
 * rows hold each as often as chance would have it (5 sigma of the hypergeometric distribution).
 */
static void
test_sample(void)
{
	enum
	{
		N = 15000,
		SAMPLE = 1500
	};
	static double x[N];
	static uint32_t order[N];
	double *columns[] = {x};
	int column_order[1], counts[5] = {0};
	bool passed = true;
	TapContext tap;

	for (size_t i = 0, at = 0; i < 5; i++)
		for (size_t copy = 0; copy < 1000 * (i + 1); copy++)
			x[at++] = (double) i;
	(void) crm_canonical_arrange(tap_context(&tap), columns, 1, NULL, N, order, column_order);
	for (size_t i = 0; i < SAMPLE; i++)
		counts[(int) x[i]]++;
	for (int i = 0; i < 5; i++)
	{
		double share = (i + 1) / 15.0, sd = sqrt(SAMPLE * share * (1 - share) * 0.9);

		passed &= fabs(counts[i] - SAMPLE * share) < 5 * sd;
	}
	ok(passed, "of equal rows, too, the first positions are a uniform sample");
}

static void
test_failures(void)
{
	static const size_t limits[] = {8 * ROWS - 1, 8 * ROWS + 31, 12 * ROWS + 31};
	static double x[ROWS], y[ROWS];
	static uint32_t order[ROWS];
	double *columns[] = {x, y};
	int column_order[2];
	bool failed = true, limited = true, aborted = true;
	CrmStatus status = CRM_ABORTED;

	for (size_t at = 1; at <= 3; at++)
	{
		TapContext tap;
		CrmCtx *ctx = tap_context(&tap);

		tap.fail_at = at;
		failed &= crm_canonical_arrange(ctx, columns, 2, NULL, ROWS, order, column_order) ==
					  CRM_NO_MEMORY &&
				  tap.live == 0;
		ctx = tap_context(&tap);
		ctx->limit = limits[at - 1];
		limited &=
			crm_canonical_arrange(ctx, columns, 2, NULL, ROWS, order, column_order) == CRM_LIMIT &&
			tap.live == 0;
	}
	ok(failed, "an allocation that fails is CRM_NO_MEMORY, without a leak");
	ok(limited, "a budget that ends is CRM_LIMIT, without a leak");
	for (size_t at = 1; status == CRM_ABORTED && at < 100; at++)
	{
		TapContext tap;
		CrmCtx *ctx = tap_context(&tap);

		for (size_t i = 0; i < ROWS; i++) /* columns alike, rows alike: every road is taken */
			x[i] = y[ROWS - 1 - i] = (double) (i / 10);
		tap.abort_at = at;
		status = crm_canonical_arrange(ctx, columns, 2, NULL, ROWS, order, column_order);
		aborted &= tap.live == 0 && (status == CRM_OK || status == CRM_ABORTED);
	}
	ok(aborted && status == CRM_OK, "a cancel at any poll is CRM_ABORTED, without a leak");
}

/* Whatever the width, the bits are the same. */
static void
test_widths(void)
{
	double x[80];
	uint64_t hash[80], sums[8] = {0}, total = 0, other = 0;

	for (int i = 0; i < 80; i++)
	{
		x[i] = draw_uniform();
		hash[i] = draw();
	}
	add_up2(x, hash, 80, sums);
	for (int l = 0; l < 8; l++)
		total += sums[l];
	memset(sums, 0, sizeof sums);
#if CRM_LANES_HAVE_WIDE
	if (__builtin_cpu_supports("avx2"))
	{
		uint64_t again[80];
		bool passed;

		add_up4(x, hash, 80, sums);
		for (int l = 0; l < 8; l++)
			other += sums[l];
		memcpy(again, hash, sizeof again);
		mix_in2(x, 12345, 80, hash);
		mix_in4(x, 12345, 80, again);
		passed = memcmp(hash, again, sizeof again) == 0;
		ok(passed && total == other, "all widths give the same bits");
		return;
	}
#endif
	mix_in2(x, 12345, 80, hash);
	ok(total != other, "all widths give the same bits # SKIP this processor has one");
}

int
main(void)
{
	test_invariance();
	test_permutation();
	test_sample();
	test_widths();
	test_failures();
	return tap_done();
}
