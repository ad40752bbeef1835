/*
 * order.c: unit tests of the total order, the order statistics and the radix sort of base/order.
 *
 * Every selection is held against a full sort by the C library's qsort, on random input and on the
 * shapes that have been quadratic elsewhere, among them a killer of this very choice of pivots made
 * after McIlroy 1999 (A killer adversary for quicksort,
 * doi 10.1002/(SICI)1097-024X(19990410)29:4<341::AID-SPE237>3.0.CO;2-R).
 */
#include <float.h>

#include "kernel/base/order.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef enum Shape
{
	RANDOM,
	FEW_DISTINCT,
	ALL_EQUAL,
	ALL_ZERO,
	ALL_LARGEST,
	SORTED,
	REVERSED,
	ORGAN_PIPE,
	SAWTOOTH,
	ALMOST_SORTED,
	KILLER,
	SHAPES
} Shape;

static const char *const shape_names[SHAPES] = {
	"random",   "few distinct", "all equal", "all zero",      "all largest", "sorted",
	"reversed", "organ pipe",   "sawtooth",  "almost sorted", "killer",
};

/* A stream of its own, so that a fault of base/rng does not hide here: splitmix64. */
static uint64_t
draw(void)
{
	static uint64_t state = 20240229;
	uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static int
compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

	return (x > y) - (x < y);
}

static size_t
median(const uint64_t *values, const size_t *who, size_t a, size_t b, size_t c)
{
	uint64_t x = values[who[a]], y = values[who[b]], z = values[who[c]];

	if (x < y)
		return y < z ? b : x < z ? c : a;
	return x < z ? a : y < z ? c : b;
}

/*
 * Make an input whose ninther is always the fifth smallest value left: follow the selection of the
 * largest value and fix a value only when the selection looks at it. Without a bound on depth this
 * costs n^2 / 9 steps.
 */
static void
fill_killer(uint64_t *values, size_t n)
{
	size_t *who = malloc(n * sizeof *who); /* which input now stands at a position */
	uint64_t low = 1;

	for (size_t i = 0; i < n; i++)
	{
		who[i] = i;
		values[i] = (UINT64_C(1) << 40) + i;
	}
	for (size_t first = 0; n - first >= 128;)
	{
		size_t step = (n - first - 1) / 8, at, kept, front;
		uint64_t pivot;

		for (int j = 0; j < 9; j++)
			if (values[who[first + (size_t) j * step]] > UINT32_MAX)
				values[who[first + (size_t) j * step]] = low++;
		at = median(values, who, median(values, who, first, first + step, first + 2 * step),
					median(values, who, first + 3 * step, first + 4 * step, first + 5 * step),
					median(values, who, first + 6 * step, first + 7 * step, first + 8 * step));
		pivot = values[who[at]];
		kept = who[first], who[first] = who[at], who[at] = kept;
		front = first + 1;
		for (size_t i = first + 1; i < n; i++)
		{
			kept = who[i], who[i] = who[front], who[front] = kept;
			front += values[kept] < pivot;
		}
		kept = who[first], who[first] = who[front - 1], who[front - 1] = kept;
		first = front;
		if (low > 3000) /* far below any bound on depth, and the rest may stay as it is */
			break;
	}
	free(who);
}

static void
fill(uint64_t *values, size_t n, Shape shape)
{
	for (size_t i = 0; i < n; i++)
		switch (shape)
		{
			case RANDOM:
				values[i] = draw();
				break;
			case FEW_DISTINCT:
				values[i] = draw() % 5;
				break;
			case ALL_EQUAL:
				values[i] = 77;
				break;
			case ALL_ZERO:
				values[i] = 0;
				break;
			case ALL_LARGEST:
				values[i] = UINT64_MAX;
				break;
			case REVERSED:
				values[i] = n - i;
				break;
			case ORGAN_PIPE:
				values[i] = i < n / 2 ? i : n - i;
				break;
			case SAWTOOTH:
				values[i] = i % 9;
				break;
			case ALMOST_SORTED:
				values[i] = draw() % 100 == 0 ? draw() % (n + 1) : i;
				break;
			default:
				values[i] = i;
				break;
		}
	if (shape == KILLER && n > 0)
		fill_killer(values, n);
}

/* True when got is a permutation of the sorted input, partitioned at each rank. */
static bool
is_selected(const uint64_t *got, const uint64_t *sorted, size_t n, const size_t *ranks,
			size_t n_ranks)
{
	uint64_t *again = malloc(n * sizeof *again + 1);
	size_t next = 0;
	uint64_t largest = 0;
	bool passed = true;

	for (size_t i = 0; i < n; i++)
	{
		bool is_rank = false;

		for (; next < n_ranks && ranks[next] == i; next++)
			is_rank = true;
		if (is_rank && (got[i] != sorted[i] || got[i] < largest))
			passed = false;
		/* nothing after a wanted rank is below its value */
		if (got[i] < (next > 0 ? sorted[ranks[next - 1]] : 0))
			passed = false;
		largest = got[i] > largest ? got[i] : largest;
	}
	memcpy(again, got, n * sizeof *again);
	qsort(again, n, sizeof *again, compare_keys);
	passed = passed && memcmp(again, sorted, n * sizeof *again) == 0;
	free(again);
	return passed && next == n_ranks;
}

/* Select several sets of ranks from one input; true when each agrees with the full sort. */
static bool
try_selection(CrmCtx *ctx, size_t n, Shape shape)
{
	uint64_t *input = malloc(n * sizeof *input + 1);
	uint64_t *sorted = malloc(n * sizeof *input + 1);
	uint64_t *values = malloc(n * sizeof *input + 1);
	bool passed = true;

	fill(input, n, shape);
	memcpy(sorted, input, n * sizeof *input);
	qsort(sorted, n, sizeof *sorted, compare_keys);
	for (uint32_t bins = 1; bins <= 128 && n > 0; bins = bins * 2 + 1)
	{
		size_t ranks[130], n_ranks = 0;

		ranks[n_ranks++] = 0;
		for (uint32_t k = 1; k < bins; k++)
			ranks[n_ranks++] = crm_quantile_rank(n, k, bins);
		ranks[n_ranks++] = n - 1;
		for (size_t from = 0; from < n_ranks; from += n_ranks - 1)
		{
			memcpy(values, input, n * sizeof *input);
			if (crm_select_ranks(ctx, values, n, ranks + from, n_ranks - from) != CRM_OK ||
				!is_selected(values, sorted, n, ranks + from, n_ranks - from))
				passed = false;
		}
	}
	free(input);
	free(sorted);
	free(values);
	return passed;
}

static void
test_selection(CrmCtx *ctx)
{
	static const size_t sizes[] = {1,   2,   3,   4,   5,    23,   24,    25,    26,
								   127, 128, 129, 200, 1000, 4096, 10007, 100000};
	size_t rank = 0;

	ok(crm_select_ranks(ctx, NULL, 0, NULL, 0) == CRM_OK, "select of nothing from nothing");
	ok(crm_select_ranks(ctx, NULL, 0, &rank, 1) == CRM_DOMAIN, "select of rank 0 from nothing");
	for (int shape = 0; shape < SHAPES; shape++)
	{
		bool passed = true;

		for (size_t i = 0; i < COUNT(sizes); i++)
			if (!try_selection(ctx, sizes[i], (Shape) shape))
			{
				printf("# size %zu\n", sizes[i]);
				passed = false;
			}
		ok(passed, "select agrees with a full sort: %s, sizes 1 to 100000", shape_names[shape]);
	}
}

/* Wanting all ranks from some rank on is a sort of the rest; many small inputs with repeats. */
static void
test_selection_exhaustive(CrmCtx *ctx)
{
	size_t ranks[60];
	bool passed = true;

	for (size_t i = 0; i < COUNT(ranks); i++)
		ranks[i] = i;
	for (int trial = 0; trial < 20000; trial++)
	{
		uint64_t values[60], sorted[60];
		size_t n = 1 + (size_t) (draw() % COUNT(values));
		uint64_t distinct = 1 + draw() % 60;
		size_t from = (size_t) (draw() % n);

		for (size_t i = 0; i < n; i++)
			sorted[i] = values[i] = draw() % distinct;
		qsort(sorted, n, sizeof *sorted, compare_keys);
		passed = passed && crm_select_ranks(ctx, values, n, ranks + from, n - from) == CRM_OK &&
				 is_selected(values, sorted, n, ranks + from, n - from);
	}
	ok(passed, "select of all ranks from some rank on sorts the rest, 20000 small inputs");
}

static void
test_selection_errors(CrmCtx *ctx)
{
	uint64_t values[] = {3, 1, 2};
	size_t beyond[] = {0, 3}, descending[] = {2, 1}, repeated[] = {1, 1, 2};

	ok(crm_select_ranks(ctx, values, 3, beyond, 2) == CRM_DOMAIN, "a rank beyond is refused");
	ok(crm_select_ranks(ctx, values, 3, descending, 2) == CRM_DOMAIN,
	   "descending ranks are refused");
	ok(values[0] == 3 && values[1] == 1 && values[2] == 2, "and the values are untouched");
	ok(crm_select_ranks(ctx, values, 3, NULL, 0) == CRM_OK && values[0] == 3,
	   "no rank leaves the values alone");
	ok(crm_select_ranks(ctx, values, 3, repeated, 3) == CRM_OK && values[1] == 2 && values[2] == 3,
	   "a rank may be repeated");
}

/* A large selection polls at least every million steps, and stops with a permutation. */
static void
test_selection_polls(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	size_t n = 5000000, rank = n / 2;
	uint64_t *values = malloc(n * sizeof *values), sum = 0, again = 0;
	CrmStatus status;

	for (size_t i = 0; i < n; i++)
		sum += values[i] = draw();
	tap.abort_at = 3;
	ok(crm_select_ranks(ctx, values, n, &rank, 1) == CRM_ABORTED, "select stops when asked");
	for (size_t i = 0; i < n; i++)
		again += values[i];
	ok(sum == again, "and keeps every value");
	is_int((int64_t) tap.polls, 3, "and does not poll again");
	tap.abort_at = 0;
	ok(crm_select_ranks(ctx, values, n, &rank, 1) == CRM_OK && tap.polls >= 3 + 5,
	   "select polls about every million steps");

	fill(values, n, FEW_DISTINCT);
	tap.polls = 0;
	status = crm_select_ranks(ctx, values, n, &rank, 1);
	ok(status == CRM_OK && tap.polls < 40, "few distinct values cost O(n): %zu polls", tap.polls);

	/* unbounded, the killer would cost one poll for each of more than 300 partitions */
	fill(values, 2000000, KILLER);
	rank = 2000000 - 1;
	tap.polls = 0;
	status = crm_select_ranks(ctx, values, 2000000, &rank, 1);
	ok(status == CRM_OK && tap.polls > 100 && tap.polls < 220,
	   "a killer input costs O(n log n): %zu polls", tap.polls);
	tap.abort_at = tap.polls;
	tap.polls = 0;
	fill(values, 2000000, KILLER);
	ok(crm_select_ranks(ctx, values, 2000000, &rank, 1) == CRM_ABORTED,
	   "select stops inside its fallback");
	is_clean(&tap, "select");
	free(values);
}

static void
test_keys(void)
{
	static const int64_t integers[] = {INT64_MIN, INT64_MIN + 1, -2, -1, 0, 1, 2, INT64_MAX};
	static const double doubles[] = {-INFINITY, -DBL_MAX, -1.5,    -1,      -DBL_MIN,
									 -5e-324,   0.0,      5e-324,  DBL_MIN, DBL_EPSILON,
									 1,         1.5,      DBL_MAX, INFINITY};
	bool ordered = true, inverse = true;

	for (size_t i = 0; i < COUNT(integers); i++)
	{
		inverse = inverse && crm_unorder_int64(crm_order_int64(integers[i])) == integers[i];
		ordered =
			ordered && (i == 0 || crm_order_int64(integers[i - 1]) < crm_order_int64(integers[i]));
	}
	ok(ordered, "keys of integers ascend");
	ok(inverse, "keys of integers have an inverse");
	ordered = inverse = true;
	for (size_t i = 0; i < COUNT(doubles); i++)
	{
		double back = crm_unorder_double(crm_order_double(doubles[i]));

		inverse = inverse && memcmp(&back, &doubles[i], sizeof back) == 0;
		ordered =
			ordered && (i == 0 || crm_order_double(doubles[i - 1]) < crm_order_double(doubles[i]));
	}
	ok(ordered, "keys of doubles ascend, infinities and denormals included");
	ok(inverse, "keys of doubles have an inverse");
	ok(crm_order_double(-0.0) == crm_order_double(0.0), "-0 is +0");
	ok(!signbit(crm_unorder_double(crm_order_double(-0.0))), "and comes back as +0");
	ok(crm_order_double(NAN) == CRM_ORDER_NAN && crm_order_double(-NAN) == CRM_ORDER_NAN,
	   "NaN of either sign is one key");
	ok(crm_order_double(NAN) > crm_order_double(INFINITY), "NaN is after Infinity");
	ok(isnan(crm_unorder_double(CRM_ORDER_NAN)), "and comes back as NaN");

	ordered = true;
	for (int i = 0; i < 100000; i++)
	{
		uint64_t x = draw(), y = draw();
		double a, b;

		memcpy(&a, &x, sizeof a);
		memcpy(&b, &y, sizeof b);
		if (a < b)
			ordered = ordered && crm_order_double(a) < crm_order_double(b);
		ordered = ordered && ((int64_t) x < (int64_t) y) ==
								 (crm_order_int64((int64_t) x) < crm_order_int64((int64_t) y));
	}
	ok(ordered, "keys of 100000 random bit patterns order as the values do");
}

static void
test_quantile_rank(void)
{
	bool passed = true;

	for (uint32_t n = 1; n < 60; n++)
		for (uint32_t bins = 1; bins < 60; bins++)
			for (uint32_t k = 1; k <= bins; k++)
				passed = passed && crm_quantile_rank(n, k, bins) == (n * k + bins - 1) / bins - 1;
	ok(passed, "quantile rank is ceil(n k / bins) - 1 for all n, bins below 60");
	ok(crm_quantile_rank(SIZE_MAX, 1, 1) == SIZE_MAX - 1, "the last of SIZE_MAX values");
	ok(crm_quantile_rank(SIZE_MAX, UINT32_MAX - 1, UINT32_MAX) ==
		   SIZE_MAX - SIZE_MAX / UINT32_MAX - 1,
	   "the last but one of 2^32 - 1 bins of SIZE_MAX values"); /* bins divides SIZE_MAX */
	ok(crm_quantile_rank(10, 0, 5) == 0 && crm_quantile_rank(10, 9, 5) == 9 &&
		   crm_quantile_rank(0, 1, 5) == 0 && crm_quantile_rank(10, 1, 0) == 0,
	   "outside its domain it gives the nearest rank");
}

/* True when index is sorted by key and equal keys keep their first order, given by place[]. */
static bool
is_sorted_stably(const uint64_t *values, const uint32_t *index, size_t n, const uint32_t *place)
{
	for (size_t i = 1; i < n; i++)
	{
		uint64_t before = values[index[i - 1]], here = values[index[i]];

		if (before > here || (before == here && place[index[i - 1]] >= place[index[i]]))
			return false;
	}
	return true;
}

typedef CrmStatus Sort(CrmCtx *ctx, const uint64_t *values, uint32_t *index, uint32_t *scratch,
					   size_t n);

/* Sort a shuffled index of one input; true when the result is sorted, stable and a permutation. */
static bool
try_radix(CrmCtx *ctx, Sort *sort, size_t n, Shape shape)
{
	uint64_t *values = malloc(n * sizeof *values + 1);
	uint32_t *index = malloc(n * sizeof *index + 1), *scratch = malloc(n * sizeof *index + 1);
	uint32_t *place = malloc(n * sizeof *index + 1);
	bool passed;

	fill(values, n, shape);
	for (size_t i = 0; i < n; i++)
		index[i] = (uint32_t) i;
	for (size_t i = n; i > 1; i--)
	{
		size_t other = (size_t) (draw() % i);
		uint32_t kept = index[i - 1];

		index[i - 1] = index[other];
		index[other] = kept;
	}
	for (size_t i = 0; i < n; i++)
		place[index[i]] = (uint32_t) i;
	passed =
		sort(ctx, values, index, scratch, n) == CRM_OK && is_sorted_stably(values, index, n, place);
	for (size_t i = 0; i < n; i++)
		place[index[i]] = UINT32_MAX;
	for (size_t i = 0; i < n; i++)
		passed = passed && place[i] == UINT32_MAX;
	free(values);
	free(index);
	free(scratch);
	free(place);
	return passed;
}

static void
test_radix(CrmCtx *ctx, Sort *sort, const char *name)
{
	static const size_t sizes[] = {0, 1, 2, 3, 100, 2048, 10007, 100000};

	for (int shape = 0; shape < SHAPES; shape++)
	{
		bool passed = true;

		for (size_t i = 0; i < COUNT(sizes); i++)
			passed = passed && try_radix(ctx, sort, sizes[i], (Shape) shape);
		ok(passed, "%s is stable and complete: %s, sizes 0 to 100000", name, shape_names[shape]);
	}
}

/* Keys that differ in one bit only, each of the 64; an index of some of the values; aborts. */
static void
test_radix_edges(Sort *sort, const char *name)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	uint64_t values[4];
	uint32_t index[4], scratch[4];
	bool passed = true;

	for (int bit = 0; bit < 64; bit++)
	{
		values[0] = values[2] = UINT64_C(1) << bit;
		values[1] = values[3] = 0;
		for (uint32_t i = 0; i < 4; i++)
			index[i] = i;
		passed = passed && sort(ctx, values, index, scratch, 4) == CRM_OK && index[0] == 1 &&
				 index[1] == 3 && index[2] == 0 && index[3] == 2;
	}
	ok(passed, "%s sees each of the 64 bits", name);
	index[0] = 2;
	index[1] = 3;
	ok(sort(ctx, values, index, scratch, 2) == CRM_OK && index[0] == 3 && index[1] == 2,
	   "%s: an index may name some of the values", name);
	ok(sort(ctx, values, index, scratch, (size_t) UINT32_MAX + 1) == CRM_DOMAIN,
	   "%s: more than 2^32 - 1 items are refused", name);
	passed = true;
	for (tap.abort_at = 1; tap.abort_at <= 2; tap.abort_at++)
	{
		tap.polls = 0;
		passed = passed && sort(ctx, values, index, scratch, 2) == CRM_ABORTED;
	}
	ok(passed, "%s stops when asked", name);
	is_clean(&tap, name);
}

int
main(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);

	test_keys();
	test_quantile_rank();
	test_selection(ctx);
	test_selection_exhaustive(ctx);
	test_selection_errors(ctx);
	test_selection_polls();
	test_radix(ctx, crm_radix_sort_index, "radix sort");
	test_radix_edges(crm_radix_sort_index, "radix sort");
	test_radix(ctx, crm_radix_sort_hashes, "radix sort of hashes");
	test_radix_edges(crm_radix_sort_hashes, "radix sort of hashes");
	return tap_done();
}
