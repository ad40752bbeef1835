/*
 * itemset_prepare.c: unit tests of the rows: the order of items, what makes a row, and where items
 * occur.
 */
#include "itemset_brute.h"

#include "kernel/itemset_prepare.h"

/* Tell whether items are in the order of the search, with their supports, and none is missing. */
static bool
are_items_right(const Brute *brute, const CrmItemsetParam *param, const CrmItemsetRows *rows)
{
	uint32_t wanted = 0, branches = 0;

	for (uint32_t i = 0; i < brute->baskets.n_items; i++)
		if (brute->count[1 << i] >= param->min_count &&
			(param->excluded == NULL || !param->excluded[i]))
		{
			wanted++;
			branches += param->required == NULL || param->required[i];
		}
	for (uint32_t k = 0; k < rows->m; k++)
	{
		uint32_t code = rows->code[k];

		if (rows->count[k] != brute->count[1 << code] ||
			(param->required != NULL && param->required[code] != (k < rows->n_branch)) ||
			(param->excluded != NULL && param->excluded[code]))
			return false;
		if (k > 0 && k != rows->n_branch &&
			(rows->count[k - 1] > rows->count[k] ||
			 (rows->count[k - 1] == rows->count[k] && rows->code[k - 1] >= code)))
			return false;
	}
	return rows->m == wanted && rows->n_branch == branches;
}

/* Tell whether the rows are the baskets, in their order, but for those that matter no more. */
static bool
are_rows_right(const Brute *brute, const CrmItemsetRows *rows)
{
	uint32_t all = 0, branches = 0, n = 0, longest = 1;
	size_t at = 1;

	for (uint32_t k = 0; k < rows->m; k++)
	{
		all |= UINT32_C(1) << rows->code[k];
		branches |= (uint32_t) (k < rows->n_branch) << rows->code[k];
	}
	if (rows->item[0] != CRM_ITEMSET_END)
		return false;
	for (uint32_t b = 0; b < brute->baskets.n; b++)
	{
		uint32_t wanted = brute->mask[b] & all, mask = 0, length = 0;

		if (__builtin_popcount(wanted) < 2 || (wanted & branches) == 0)
			continue;
		for (; rows->item[at] != CRM_ITEMSET_END; at++, length++)
		{
			mask |= UINT32_C(1) << rows->code[rows->item[at]];
			if (length > 0 && rows->item[at - 1] >= rows->item[at])
				return false;
		}
		if (mask != wanted)
			return false;
		longest = length > longest ? length : longest;
		at++;
		n++;
	}
	return rows->n == n && rows->longest == longest && rows->n_item == at;
}

/* Tell whether each place of the rows is listed once, under its item. */
static bool
are_occurrences_right(const CrmItemsetRows *rows)
{
	size_t n = 0, places = rows->n_item - 1 - rows->n;

	for (uint32_t k = 0; k < rows->m; k++)
		for (uint32_t o = rows->first[k]; o < rows->last[k]; o++, n++)
			if (rows->item[rows->occurrence[o]] != k ||
				(o > rows->first[k] && rows->occurrence[o - 1] >= rows->occurrence[o]))
				return false;
	return n == places;
}

int
main(void)
{
	static Brute brute;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	bool items = true, all_rows = true, places = true, stopped = true;
	CrmItemsetRows rows;

	for (int t = 0; t < 2000; t++)
	{
		CrmItemsetParam param;

		brute_draw(&brute, (uint32_t) draw_below(BRUTE_BASKETS + 1), (uint32_t) (1 + draw_below(9)),
				   (uint32_t) draw_below(90));
		param = brute_param(&brute);
		if (crm_itemset_prepare(ctx, &brute.baskets, &param, &rows) != CRM_OK)
			items = false;
		items &= are_items_right(&brute, &param, &rows);
		all_rows &= are_rows_right(&brute, &rows);
		places &= are_occurrences_right(&rows);
		crm_itemset_rows_free(ctx, &rows);
		for (size_t at = 1; at < 12 && t % 50 == 0; at++)
		{
			tap.allocations = 0;
			tap.fail_at = at;
			if (crm_itemset_prepare(ctx, &brute.baskets, &param, &rows) == CRM_OK)
				stopped &= tap.allocations < at;
			else
				stopped &= rows.item == NULL && rows.code == NULL;
			crm_itemset_rows_free(ctx, &rows);
			tap.fail_at = 0;
		}
	}
	ok(items, "items come by support, required ones first");
	ok(all_rows, "rows are the baskets' frequent items in that order");
	ok(places, "each item knows where it occurs");
	ok(stopped, "without memory there are no rows");
	is_clean(&tap, "rows");
	return tap_done();
}
