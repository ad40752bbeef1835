/*
 * rfm.c: unit tests of the RFM kernel against the definitions, written down plainly over a sorted
 * copy: counting for quantile and cuts, ranks for ntile.
 */
#include "host.h"
#include "kernel/base/order.h"
#include "kernel/rfm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int bin_counts[] = {2, 3, 5, 9, 10, 99};

static int
compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

	return (x > y) - (x < y);
}

/* The bin of a value by the definition: the smallest k with v <= u_k, u_k = v_ceil(n k / b). */
static int
quantile_bin(const uint64_t *sorted, size_t n, int bins, uint64_t value)
{
	for (int k = 1; k < bins; k++)
		if (value <= sorted[(n * (size_t) k + (size_t) bins - 1) / (size_t) bins - 1])
			return k;
	return bins;
}

/* The bin of a 0-based rank by the definition of ntile: walk over the bins. */
static int
ntile_bin(size_t rank, size_t n, int bins)
{
	int bin = 1;

	for (size_t end = 0;; bin++)
	{
		end += n / (size_t) bins + ((size_t) bin <= n % (size_t) bins);
		if (rank < end)
			return bin;
	}
}

static int
cuts_bin(const uint64_t *cuts, int bins, uint64_t value)
{
	int bin = 1;

	for (int k = 0; k < bins - 1; k++)
		bin += cuts[k] < value;
	return bin;
}

/* Tell whether the books of the bins are those of the scores. */
static bool
are_books_kept(const uint64_t *values, const uint8_t *score, size_t n, const CrmRfmBin *book,
			   int bins)
{
	for (int k = 1; k <= bins; k++)
	{
		CrmRfmBin mine = {UINT64_MAX, 0, 0};

		for (size_t i = 0; i < n; i++)
			if (score[i] == k)
			{
				mine.lower = values[i] < mine.lower ? values[i] : mine.lower;
				mine.upper = values[i] > mine.upper ? values[i] : mine.upper;
				mine.customers++;
			}
		if (book[k - 1].customers != mine.customers)
			return false;
		if (mine.customers > 0 &&
			(book[k - 1].lower != mine.lower || book[k - 1].upper != mine.upper))
			return false;
	}
	return true;
}

/* Score n values of `distinct` different ones both ways and by all methods. */
static bool
try_scores(size_t n, int bins, uint64_t distinct)
{
	static uint64_t values[1000], sorted[1000], cuts[99];
	static uint32_t key_order[1000];
	static uint8_t score[1000];
	CrmRfmBin book[CRM_RFM_MAX_BINS];
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	bool passed = true;

	for (size_t i = 0; i < n; i++)
		sorted[i] = values[i] = draw_below(distinct) * (UINT64_MAX / distinct);
	qsort(sorted, n, sizeof *sorted, compare_keys);
	draw_order(key_order, (uint32_t) n);
	for (int k = 0; k < bins - 1; k++) /* some cuts are values, some lie between or outside */
		cuts[k] = (uint64_t) (k + 1) * (UINT64_MAX / (uint64_t) (bins + 1)) / 2 * 2;
	if (n > 0 && bins > 2)
		cuts[1] = sorted[n / 3] > cuts[0] && sorted[n / 3] < cuts[bins > 3 ? 2 : 1] ? sorted[n / 3]
																					: cuts[1];
	for (int method = CRM_RFM_QUANTILE; method <= CRM_RFM_CUTS; method++)
		for (int small_is_good = 0; small_is_good < 2; small_is_good++)
		{
			CrmRfmParam param = {.method = (CrmRfmMethod) method,
								 .bins = bins,
								 .small_is_good = small_is_good,
								 .cuts = cuts,
								 .key_order = key_order};

			memset(score, 0, sizeof score);
			passed &= crm_rfm_score(ctx, &param, values, n, score, book) == CRM_OK;
			for (size_t position = 0; position < n; position++)
			{
				size_t i = key_order[position], rank = 0;
				int bin;

				/* rank: those that are worse, then those that are equal and come before by key */
				for (size_t p = 0; p < n; p++)
				{
					uint64_t other = values[key_order[p]];

					rank += small_is_good ? other > values[i] : other < values[i];
					rank += other == values[i] && p < position;
				}
				if (method == CRM_RFM_NTILE)
					bin = ntile_bin(rank, n, bins);
				else
				{
					bin = method == CRM_RFM_CUTS ? cuts_bin(cuts, bins, values[i])
												 : quantile_bin(sorted, n, bins, values[i]);
					bin = small_is_good ? bins + 1 - bin : bin;
				}
				passed &= score[i] == bin;
			}
			passed &= are_books_kept(values, score, n, book, bins);
		}
	return passed && tap.live == 0 && ctx->used == 0;
}

static void
test_scores(void)
{
	for (size_t b = 0; b < COUNT(bin_counts); b++)
	{
		int bins = bin_counts[b];
		size_t sizes[] = {0, 1, 2, (size_t) bins - 1, (size_t) bins, (size_t) bins + 1, 500, 1000};
		bool passed = true;

		for (size_t s = 0; s < COUNT(sizes); s++)
			for (uint64_t distinct = 1; distinct < 1000000; distinct = distinct * 7 + 1)
				passed &= try_scores(sizes[s], bins, distinct);
		ok(passed, "%d bins: quantile, ntile and cuts are what their definitions say", bins);
	}
}

/* A known case by hand: 1..10 in five bins, and four equal values of ten. */
static void
test_by_hand(void)
{
	static const uint64_t ties[] = {1, 2, 2, 2, 2, 3, 4, 5, 6, 7};
	static const uint8_t expected[] = {1, 1, 1, 1, 1, 3, 4, 4, 5, 5};
	static const uint8_t mirrored[] = {5, 5, 5, 5, 5, 3, 2, 2, 1, 1};
	CrmRfmParam param = {.method = CRM_RFM_QUANTILE, .bins = 5};
	CrmRfmBin book[5];
	uint8_t score[10];
	TapContext tap;

	(void) crm_rfm_score(tap_context(&tap), &param, ties, 10, score, book);
	ok(memcmp(score, expected, 10) == 0, "ties share a score and leave the next one empty");
	is_int(book[1].customers, 0, "the empty score's book says so");
	param.small_is_good = true;
	(void) crm_rfm_score(tap_context(&tap), &param, ties, 10, score, book);
	ok(memcmp(score, mirrored, 10) == 0, "where small is good the scores are mirrored");
}

/* NaN never comes, but an infinite sum may: it is the best, and -infinite the worst. */
static void
test_infinite(void)
{
	uint64_t values[] = {crm_order_double(INFINITY), crm_order_double(-INFINITY),
						 crm_order_double(-5), crm_order_double(0), crm_order_double(1e308)};
	CrmRfmParam param = {.method = CRM_RFM_QUANTILE, .bins = 5};
	CrmRfmBin book[5];
	uint8_t score[5];
	TapContext tap;

	(void) crm_rfm_score(tap_context(&tap), &param, values, 5, score, book);
	ok(score[0] == 5 && score[1] == 1 && score[2] == 2 && score[3] == 3 && score[4] == 4,
	   "infinite and negative values have their place");
	is_near(crm_unorder_double(book[4].upper), INFINITY, 0.0, "and their bounds");
}

static void
test_failures(void)
{
	static uint64_t values[1000];
	static uint32_t key_order[1000];
	static uint8_t score[1000];
	CrmRfmBin book[5];
	bool failed = true, limited = true, aborted = true;

	for (uint32_t i = 0; i < 1000; i++)
		values[i] = key_order[i] = i;
	for (int method = CRM_RFM_QUANTILE; method <= CRM_RFM_NTILE; method++)
	{
		CrmRfmParam param = {.method = (CrmRfmMethod) method, .bins = 5, .key_order = key_order};
		size_t allocations = method == CRM_RFM_QUANTILE ? 1 : 2;

		for (size_t at = 1; at <= allocations; at++)
		{
			TapContext tap;
			CrmCtx *ctx = tap_context(&tap);

			tap.fail_at = at;
			failed &= crm_rfm_score(ctx, &param, values, 1000, score, book) == CRM_NO_MEMORY;
			failed &= tap.live == 0;
			ctx = tap_context(&tap);
			ctx->limit = at * 8000 - 1;
			limited &= crm_rfm_score(ctx, &param, values, 1000, score, book) == CRM_LIMIT;
			limited &= tap.live == 0;
			ctx = tap_context(&tap);
			tap.abort_at = at;
			aborted &= crm_rfm_score(ctx, &param, values, 1000, score, book) == CRM_ABORTED;
			aborted &= tap.live == 0;
		}
	}
	ok(failed, "an allocation that fails is CRM_NO_MEMORY, without a leak");
	ok(limited, "a budget that ends is CRM_LIMIT, without a leak");
	ok(aborted, "a cancel is CRM_ABORTED, without a leak");
}

/* The scale to five: ends stay, order stays, nearest with halves up. */
static void
test_to_five(void)
{
	bool passed = true;

	for (int bins = CRM_RFM_MIN_BINS; bins <= CRM_RFM_MAX_BINS; bins++)
		for (int score = 1; score <= bins; score++)
			passed &= crm_rfm_to_five(score, bins) ==
					  1 + (int) floor(4.0 * (score - 1) / (bins - 1) + 0.5);
	ok(passed, "scores of 2 to 99 bins go to the nearest of five");
}

/* For all bins, the scaled rules cover the cube and say what crm_rfm_default_segment says. */
static void
test_default_rules(void)
{
	const CrmRfmRule *rules;
	const char *const *names;
	int n = crm_rfm_default_rules(&rules, &names);
	bool covered = true, agreed = true, reached = true;

	ok(n == 10 || n == 11, "ten or eleven customary segments");
	for (int bins = CRM_RFM_MIN_BINS; bins <= CRM_RFM_MAX_BINS; bins++)
	{
		static uint16_t cube[CRM_RFM_MAX_BINS * CRM_RFM_MAX_BINS * CRM_RFM_MAX_BINS];
		static CrmRfmRule scaled[11];
		bool seen[11] = {false};
		int hole[3], score[3];
		TapContext tap;

		for (int i = 0; i < n; i++)
			scaled[i] = crm_rfm_scale_rule(&rules[i], bins);
		covered &= crm_rfm_cube(tap_context(&tap), scaled, n, bins, cube, hole) == CRM_OK;
		for (score[0] = 1; score[0] <= bins; score[0]++)
			for (score[1] = 1; score[1] <= bins; score[1]++)
				for (score[2] = 1; score[2] <= bins; score[2]++)
				{
					uint16_t rule = cube[crm_rfm_cell(bins, score[0], score[1], score[2])];

					seen[rule] = true;
					agreed &= strcmp(names[rule], crm_rfm_default_segment(bins, score)) == 0;
				}
		for (int i = 0; i < n && bins >= 5; i++)
			reached &= seen[i];
	}
	ok(covered, "the customary rules cover the cube of 2 to 99 bins");
	ok(agreed, "and give each cell the segment of its three scores on the scale of five");
	ok(reached, "with five bins and more every segment can be reached");
	ok(rules[n - 1].low[0] == 1 && rules[n - 1].low[1] == 1 && rules[n - 1].low[2] == 1 &&
		   rules[n - 1].high[0] == 5 && rules[n - 1].high[1] == 5 && rules[n - 1].high[2] == 5,
	   "the last rule matches all");
	is_text(crm_rfm_default_segment(5, (int[]){5, 5, 5}), "Champions", "the best are champions");
	is_text(crm_rfm_default_segment(5, (int[]){1, 1, 1}), "Lost", "the worst are lost");
	is_text(crm_rfm_default_segment(5, (int[]){5, 1, 1}), "New Customers", "one order, just now");
	is_text(crm_rfm_default_segment(5, (int[]){1, 5, 5}), "Cannot Lose Them",
			"the best, gone quiet");
}

/* Rules of the caller's: first match wins, any single missing cell is found. */
static void
test_cube(void)
{
	static uint16_t cube[7 * 7 * 7];
	CrmRfmRule rules[8];
	int hole[3];
	bool found = true, first = true;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);

	for (int trial = 0; trial < 500; trial++)
	{
		int n = 1 + (int) draw_below(8);
		bool is_covered;

		for (int i = 0; i < n; i++)
			for (int d = 0; d < 3; d++)
			{
				rules[i].low[d] = 1 + (int) draw_below(7);
				rules[i].high[d] =
					rules[i].low[d] + (int) draw_below(8 - (uint64_t) rules[i].low[d]);
			}
		if (trial % 2 == 0)
			rules[n - 1] = (CrmRfmRule){{1, 1, 1}, {7, 7, 7}};
		is_covered = crm_rfm_cube(ctx, rules, n, 7, cube, hole) == CRM_OK;
		first &= trial % 2 != 0 || is_covered;
		for (int cell = 0; cell < 343 && is_covered; cell++)
		{
			int score[3] = {1 + cell / 49, 1 + cell / 7 % 7, 1 + cell % 7};

			for (int i = 0; i <= cube[crm_rfm_cell(7, score[0], score[1], score[2])]; i++)
			{
				bool holds = true;

				for (int d = 0; d < 3; d++)
					holds &= score[d] >= rules[i].low[d] && score[d] <= rules[i].high[d];
				first &= holds == (i == cube[crm_rfm_cell(7, score[0], score[1], score[2])]);
			}
		}
		if (!is_covered)
			found &= crm_rfm_match(rules, n, hole) < 0 && hole[0] >= 1 && hole[0] <= 7;
	}
	ok(first, "of rules that overlap the first that fits wins");
	ok(found, "a hole is named, and nothing holds it");
	rules[0] = (CrmRfmRule){{1, 1, 1}, {7, 7, 6}};
	rules[1] = (CrmRfmRule){{1, 1, 7}, {7, 6, 7}};
	rules[2] = (CrmRfmRule){{1, 7, 7}, {6, 7, 7}};
	ok(crm_rfm_cube(ctx, rules, 3, 7, cube, hole) == CRM_DOMAIN && hole[0] == 7 && hole[1] == 7 &&
		   hole[2] == 7,
	   "the one cell that is missing in the corner is found");
	tap.abort_at = tap.polls + 1;
	ok(crm_rfm_cube(ctx, rules, 3, 7, cube, hole) == CRM_ABORTED,
	   "filling the cube can be stopped");
	is_int(crm_rfm_composite(5, 5, 4, 3), 543, "composite score");
	is_int(crm_rfm_composite(9, 9, 9, 9), 999, "of nine bins");
	is_int(crm_rfm_composite(10, 10, 4, 3), 100403, "two digits each from ten bins on");
}

/* Segments' totals do not depend on the order of customers or on how segments are grouped. */
static void
test_tally(void)
{
	CrmRfmSegment first = {0};
	bool passed = true;
	double revenue[200], recency[200];

	for (int i = 0; i < 200; i++)
	{
		revenue[i] = ldexp((double) (int64_t) draw_below(1000000), -6) - 5000;
		recency[i] = (double) draw_below(100000000);
	}
	for (int trial = 0; trial < 100; trial++)
	{
		CrmRfmSegment total = {0}, part[3] = {{0}};
		uint32_t order[200];

		draw_order(order, 200);
		for (int i = 0; i < 200; i++)
		{
			CrmSum sum = {0};

			crm_sum_add(&sum, revenue[order[i]]);
			crm_rfm_tally(&part[draw_below(3)], order[i], sum, recency[order[i]],
						  revenue[order[i]]);
		}
		for (int i = 0; i < 3; i++)
			crm_rfm_tally_merge(&total, &part[i]);
		if (trial == 0)
			first = total;
		passed &= memcmp(&total, &first, sizeof total) == 0;
	}
	ok(passed, "totals are the same bits in any order and grouping");
	is_int(first.customers, 200, "customers");
	is_int(first.orders, 199 * 100, "orders");
	ok(memcmp(&first.revenue, &first.monetary, sizeof(CrmSum)) == 0, "revenue and monetary");
}

int
main(void)
{
	test_scores();
	test_by_hand();
	test_infinite();
	test_failures();
	test_to_five();
	test_default_rules();
	test_cube();
	test_tally();
	return tap_done();
}
