/*
 * itemset_eclat.c: unit tests of Eclat where rows and bits meet: dense, sparse and skewed baskets
 * against FP-growth, and what it holds in memory.
 */
#include "itemset_wide.h"

static Wide wide;

/* Mine baskets of many shapes by both; each has sets, so an empty answer shows. */
static void
test_shapes(void)
{
	static const struct
	{
		uint32_t n, n_items, min_count;
		double density, skew;
	} shape[] = {
		{3000, 20, 600, 0.6, 1.0},  /* bits of 47 words from the start */
		{3000, 14, 1, 0.5, 0.9},    /* all sets there are */
		{3000, 60, 30, 0.9, 0.9},   /* dense at one end, sparse at the other */
		{3000, 1000, 3, 0.01, 1.0}, /* sparse rows */
		{3000, 400, 80, 0.5, 0.97}, /* rows first, bits below */
		{65, 30, 6, 0.3, 1.0},      /* one bit more than a word */
		{64, 30, 6, 0.3, 1.0},      /* a word */
		{200, 60, 9, 0.99, 0.93},   /* items in nearly all baskets */
	};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	uint8_t required[1000] = {0}, excluded[1000] = {0};

	for (uint32_t i = 0; i < 1000; i++)
	{
		required[i] = i % 7 == 3;
		excluded[i] = i % 5 == 1 && !required[i];
	}
	for (size_t s = 0; s < sizeof shape / sizeof shape[0]; s++)
	{
		WideSum sum[4];
		bool passed = true;

		wide_draw(&wide, shape[s].n, shape[s].n_items, shape[s].density, shape[s].skew);
		for (int t = 0; t < 12; t++)
		{
			CrmItemsetParam param = {.target = (CrmItemsetTarget) (t % 3),
									 .min_count = shape[s].min_count,
									 .min_length = 1,
									 .max_length = t / 3 == 1 ? 3 : 0,
									 .required = t / 3 >= 2 ? required : NULL,
									 .excluded = t / 3 == 3 ? excluded : NULL};

			passed &= wide_is_same(ctx, &wide, param, &sum[t / 3]);
			passed &= sum[t / 3].n > 0 || param.max_length > 0;
			if (t == 0)
				passed &= sum[0].n > 100;
		}
		ok(passed, "baskets of shape %zu: both miners find the same", s);
	}
	is_clean(&tap, "Eclat");
}

/* Hold the memory against 8 bytes an entry and 4 a basket, and some for the search. */
static void
test_memory(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmItemsetParam param = {.min_count = 12, .min_length = 1, .algorithm = CRM_ITEMSET_ECLAT};
	WideSum sum = {.most = 0};
	size_t entries;

	wide_draw(&wide, WIDE_BASKETS, 1000, 0.05, 1.0);
	entries = wide.start[WIDE_BASKETS];
	ok(crm_itemset_mine(ctx, &wide.baskets, &param, wide_add, &sum) == CRM_OK && sum.n > 10000,
	   "sparse baskets are mined");
	ok(ctx->peak < 8 * entries + 8 * WIDE_BASKETS + 40 * 1000 + 1000000,
	   "in 8 bytes an entry, 8 a basket and 1 MB");
	is_clean(&tap, "Eclat");
}

/* Stop at later and later polls, down to the depth of the search. */
static void
test_polls(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	bool passed = true;
	int stopped = 0;

	wide_draw(&wide, WIDE_BASKETS, 40, 0.9, 0.95);
	for (int t = 0; t < 6; t++)
	{
		CrmItemsetParam param = {.target = (CrmItemsetTarget) (t % 3),
								 .min_count = 300,
								 .min_length = 1,
								 .algorithm = t < 3 ? CRM_ITEMSET_ECLAT : CRM_ITEMSET_FPGROWTH};

		for (size_t at = 1; at < 200; at += 1 + at)
		{
			WideSum sum = {.most = 0};
			CrmStatus status;

			tap.polls = 0;
			tap.abort_at = at;
			status = crm_itemset_mine(ctx, &wide.baskets, &param, wide_add, &sum);
			passed &= status == (tap.polls >= at ? CRM_ABORTED : CRM_OK) && tap.live == 0;
			stopped += status == CRM_ABORTED && at > 3;
		}
	}
	ok(passed, "a stop at any poll ends the search at once");
	ok(stopped > 4, "most of them in its midst (%d)", stopped);
}

int
main(void)
{
	test_shapes();
	test_memory();
	test_polls();
	return tap_done();
}
