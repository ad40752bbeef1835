/*
 * itemset_filter.c: unit tests of closed and maximal sets from all frequent ones.
 */
#include "itemset_brute.h"

#include "kernel/itemset_filter.h"

int
main(void)
{
	static Brute brute;
	static Found found;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	bool passed = true, stopped = true;

	for (int t = 0; t < 800; t++)
	{
		CrmItemsetParam param = {.target = t % 2 ? CRM_ITEMSET_CLOSED : CRM_ITEMSET_MAXIMAL,
								 .min_length = (uint32_t) (1 + draw_below(2)),
								 .max_length = draw_below(2) ? 3 : 0};
		CrmItemsetSearch search = {.ctx = ctx, .report = brute_take, .arg = &found};
		CrmItemsetRows rows;

		brute_draw(&brute, (uint32_t) draw_below(40), 10, (uint32_t) draw_below(80));
		search.target = param.target;
		search.min_count = param.min_count = (uint32_t) (1 + draw_below(8));
		search.min_length = param.min_length;
		search.max_length = param.max_length > 0 ? param.max_length : UINT32_MAX;
		memset(&found, 0, sizeof found);
		found.is_good = true;
		passed &= crm_itemset_prepare(ctx, &brute.baskets, &param, &rows) == CRM_OK &&
				  crm_itemset_filter(&search, &rows) == CRM_OK &&
				  brute_is_right(&brute, &param, &found);
		if (found.n > 1)
		{
			found.n = 0;
			found.answer = CRM_DOMAIN;
			found.answer_at = 2;
			memset(found.count, 0, sizeof found.count);
			stopped &= crm_itemset_filter(&search, &rows) == CRM_DOMAIN && found.n == 2;
		}
		for (size_t at = 1; at < 20 && t % 40 == 0; at++)
		{
			tap.allocations = 0;
			tap.fail_at = at;
			stopped &= crm_itemset_filter(&search, &rows) == CRM_NO_MEMORY || tap.allocations < at;
			tap.fail_at = 0;
		}
		crm_itemset_rows_free(ctx, &rows);
	}
	ok(passed, "closed and maximal sets are those of the definitions");
	ok(stopped, "reporter and memory stop it");
	is_clean(&tap, "the filter");
	return tap_done();
}
