/*
 * itemset_top.c: unit tests of the k best sets, against a sort of all.
 */
#include "itemset_brute.h"

#include "kernel/itemset_top.h"

/* Hold the k best of random sets, all different, against all of them in order. */
static bool
try_sets(CrmItemsetSearch *search, uint64_t k, uint32_t max_count, Found *found)
{
	static Brute brute;
	uint32_t wanted = 0, order[1 << 6], sets = 1 << 6;
	CrmItemsetTop top;
	bool passed = true;

	brute.baskets.n_items = 6;
	search->min_count = 1;
	crm_itemset_top_begin(&top, search, k);
	draw_order(order, sets);
	for (uint32_t i = 0; i < sets; i++)
	{
		uint32_t items[6], n = 0, set = order[i];

		brute.count[set] = (uint32_t) (1 + draw_below(max_count));
		for (uint32_t item = 0; item < 6; item++)
			if (set >> item & 1)
				items[n++] = item;
		if (n > 0)
			passed &= crm_itemset_top_add(&top, items, n, brute.count[set]) == CRM_OK;
	}
	memset(found, 0, sizeof *found);
	found->is_good = true;
	if (k < sets - 1 && search->target != CRM_ITEMSET_MAXIMAL)
		passed &= search->min_count == top.sets[0].count;
	else
		passed &= search->min_count == 1 || k == sets - 1;
	passed &= crm_itemset_top_report(&top, brute_take, found) == CRM_OK && found->is_good;
	crm_itemset_top_free(&top);
	crm_itemset_top_free(&top);
	for (uint32_t a = 1; a < sets; a++)
	{
		uint32_t better = 0;

		for (uint32_t b = 1; b < sets; b++)
			better += brute_is_better(&brute, b, a);
		wanted += better < k;
		passed &= better >= k ? found->count[a] == 0
							  : found->order[better] == a && found->count[a] == brute.count[a];
	}
	return passed && found->n == wanted;
}

int
main(void)
{
	static Found found;
	TapContext tap;
	CrmItemsetSearch search = {.ctx = tap_context(&tap)};
	CrmItemsetTop top;
	bool passed = true;

	for (int t = 0; t < 600; t++)
	{
		search.target = (CrmItemsetTarget) (t % 3);
		passed &= try_sets(&search, 1 + draw_below(70), t % 2 ? 3 : 1000, &found);
	}
	ok(passed, "the k best sets are those that come first, in order, and they raise the threshold");
	crm_itemset_top_begin(&top, &search, UINT64_MAX);
	tap.fail_at = tap.allocations + 2;
	ok(crm_itemset_top_add(&top, (uint32_t[]){1, 2}, 2, 3) == CRM_NO_MEMORY,
	   "without memory there is no set");
	tap.fail_at = 0;
	ok(crm_itemset_top_add(&top, (uint32_t[]){1, 2}, 2, 3) == CRM_OK && top.n == 1,
	   "k may be more than memory has room for");
	crm_itemset_top_free(&top);
	is_clean(&tap, "the best sets");
	return tap_done();
}
