/*
 * itemset_fpgrowth.c: unit tests of FP-growth alone: trees that branch late, limits, thresholds.
 */
#include "itemset_brute.h"
#include "itemset_wide.h"

/* Mine baskets that share long beginnings; all subsets of one basket are counted by hand. */
static void
test_chain(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	enum
	{
		N = 12
	};
	uint64_t start[N + 1];
	uint32_t items[N * N];
	CrmBaskets baskets = {N, N, start, items};
	CrmItemsetParam param = {.min_count = 1, .min_length = 1, .algorithm = CRM_ITEMSET_FPGROWTH};
	WideSum sum = {.most = 0};
	uint64_t at = 0, supports = 0;

	for (uint32_t b = 0; b < N; b++) /* basket b: items 0 to b */
	{
		start[b] = at;
		for (uint32_t i = 0; i <= b; i++)
			items[at++] = i;
		/* a set with the highest item b: 2^b of them, in the baskets b to N - 1 */
		supports += (UINT64_C(1) << b) * (N - b);
	}
	start[N] = at;
	ok(crm_itemset_mine(ctx, &baskets, &param, wide_add, &sum) == CRM_OK && sum.n == (1 << N) - 1 &&
		   sum.supports == supports,
	   "baskets that begin alike: all %d subsets", (1 << N) - 1);
	is_clean(&tap, "FP-growth");
}

/* Refuse each allocation in turn. */
static void
test_refused(void)
{
	static Wide wide;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmItemsetParam param = {.min_count = 5, .min_length = 1, .algorithm = CRM_ITEMSET_FPGROWTH};
	size_t refused = 0;
	bool passed = true;

	wide_draw(&wide, 500, 40, 0.6, 0.93);
	for (size_t at = 1; at < 60; at++)
	{
		WideSum sum = {.most = 0};
		CrmStatus status;

		tap.allocations = 0;
		tap.fail_at = at;
		status = crm_itemset_mine(ctx, &wide.baskets, &param, wide_add, &sum);
		passed &= status == (tap.allocations >= at ? CRM_NO_MEMORY : CRM_OK) && tap.live == 0;
		refused += status == CRM_NO_MEMORY;
	}
	ok(passed && refused > 10, "without memory it ends and holds nothing");
}

int
main(void)
{
	static Brute brute;
	static Found found;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	bool passed = true;

	for (int t = 0; t < 600; t++)
	{
		CrmItemsetParam param;

		brute_draw(&brute, (uint32_t) draw_below(BRUTE_BASKETS), (uint32_t) (1 + draw_below(10)),
				   (uint32_t) draw_below(90));
		param = brute_param(&brute);
		param.target = CRM_ITEMSET_FREQUENT;
		param.algorithm = CRM_ITEMSET_FPGROWTH;
		passed &= brute_mine(ctx, &brute, &param, &found) == CRM_OK &&
				  brute_is_right(&brute, &param, &found);
	}
	ok(passed, "random cases are as all sets one by one say");
	is_clean(&tap, "FP-growth at random");
	test_chain();
	test_refused();
	return tap_done();
}
