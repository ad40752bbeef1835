/*
 * itemset.c: frequent itemsets of baskets; see itemset.h.
 */
#include "kernel/itemset.h"

#include "kernel/itemset_eclat.h"
#include "kernel/itemset_filter.h"
#include "kernel/itemset_fpgrowth.h"
#include "kernel/itemset_prepare.h"
#include "kernel/itemset_search.h"
#include "kernel/itemset_top.h"

/* Put a text where the caller wants it. */
static const char *
say(char *why, size_t n, const char *text)
{
	size_t length = strlen(text);

	if (n > 0)
	{
		length = length < n ? length : n - 1;
		memcpy(why, text, length);
		why[length] = '\0';
	}
	return why;
}

/*
 * Check what mine does not: NULL when all is well, else a text in why, of n bytes at most. That the
 * codes of the baskets are below n_items is the caller's care.
 */
const char *
crm_itemset_check(const CrmBaskets *baskets, const CrmItemsetParam *param, char *why, size_t n)
{
	if (baskets->n == UINT32_MAX)
		return say(why, n, "there are more baskets than 2^32 - 2");
	if (baskets->n_items == UINT32_MAX)
		return say(why, n, "there are more items than 2^32 - 2");
	if (param->target > CRM_ITEMSET_MAXIMAL || param->algorithm > CRM_ITEMSET_FPGROWTH)
		return say(why, n, "target or algorithm is unknown");
	if (param->min_count < 1)
		return say(why, n, "min_count must be at least 1");
	if (param->min_length < 1)
		return say(why, n, "min_length must be at least 1");
	if (param->max_length > 0 && param->max_length < param->min_length)
		return say(why, n, "max_length is below min_length");
	for (uint32_t i = 0; i < baskets->n_items; i++)
		if (param->required != NULL && param->excluded != NULL && param->required[i] &&
			param->excluded[i])
			return say(why, n, "an item is both required and excluded");
	return NULL;
}

/* Mine the rows for a search that is set up but not begun. */
static CrmStatus
mine_rows(CrmItemsetSearch *search, const CrmItemsetParam *param, const CrmItemsetRows *rows)
{
	CrmStatus status;

	if (param->algorithm == CRM_ITEMSET_FPGROWTH && param->target != CRM_ITEMSET_FREQUENT)
		return crm_itemset_filter(search, rows);
	status = crm_itemset_search_begin(search, rows->longest);
	if (status == CRM_OK)
	{
		status = param->algorithm == CRM_ITEMSET_FPGROWTH ? crm_itemset_fpgrowth(search, rows)
														  : crm_itemset_eclat(search, rows);
		crm_itemset_search_end(search);
	}
	return status;
}

/*
 * Report the itemsets that param asks for; see itemset.h. baskets and param must pass
 * crm_itemset_check. CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED, or what the reporter answers.
 */
CrmStatus
crm_itemset_mine(CrmCtx *ctx, const CrmBaskets *baskets, const CrmItemsetParam *param,
				 CrmItemsetReport report, void *arg)
{
	CrmItemsetSearch search = {
		.ctx = ctx,
		.target = param->target,
		.min_count = param->min_count,
		.min_length = param->min_length,
		.max_length = param->max_length > 0 ? param->max_length : UINT32_MAX,
		.report = report,
		.arg = arg,
	};
	CrmItemsetTop top;
	CrmItemsetRows rows;
	CrmStatus status;

	if (crm_poll(ctx))
		return CRM_ABORTED;
	status = crm_itemset_prepare(ctx, baskets, param, &rows);
	if (status != CRM_OK)
		return status;
	if (param->top_k > 0)
	{
		crm_itemset_top_begin(&top, &search, param->top_k);
		search.report = crm_itemset_top_add;
		search.arg = &top;
	}
	status = mine_rows(&search, param, &rows);
	crm_itemset_rows_free(ctx, &rows);
	if (param->top_k > 0)
	{
		if (status == CRM_OK)
			status = crm_itemset_top_report(&top, report, arg);
		crm_itemset_top_free(&top);
	}
	return status;
}

/* The levels of a profile, from low to high, and the sets that reach each but not the next. */
typedef struct Profile
{
	CrmItemsetSearch *search;
	const uint32_t *min_counts;
	uint32_t *order; /* the caller's levels by ascending count */
	uint64_t *n;     /* of each: sets with its count or more, but below the next's */
	uint64_t total;  /* sets at the lowest level that is not capped */
	uint64_t cap;
	int n_levels, lowest;
} Profile;

/* Count a set; a level that reaches the cap is given up. A CrmItemsetReport. */
static CrmStatus
count_set(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	Profile *profile = arg;
	int low = profile->lowest, high = profile->n_levels;

	(void) items;
	(void) length;
	if (low == high || count < profile->min_counts[profile->order[low]])
		return CRM_OK;
	while (high - low > 1)
	{
		int middle = low + (high - low) / 2;

		if (count >= profile->min_counts[profile->order[middle]])
			low = middle;
		else
			high = middle;
	}
	profile->n[low]++;
	profile->total++;
	while (profile->lowest < profile->n_levels && profile->total >= profile->cap)
		profile->total -= profile->n[profile->lowest++];
	profile->search->min_count = profile->lowest < profile->n_levels
									 ? profile->min_counts[profile->order[profile->lowest]]
									 : UINT32_MAX;
	return CRM_OK;
}

/* Mine at the lowest level for a profile whose room is made. */
static CrmStatus
fill_profile(CrmCtx *ctx, const CrmBaskets *baskets, Profile *profile, uint64_t *n_itemsets)
{
	CrmItemsetParam param = {.min_count = profile->min_counts[profile->order[0]], .min_length = 1};
	CrmItemsetSearch search = {.ctx = ctx,
							   .min_count = param.min_count,
							   .min_length = 1,
							   .max_length = UINT32_MAX,
							   .report = count_set,
							   .arg = profile};
	CrmItemsetRows rows;
	CrmStatus status = crm_itemset_prepare(ctx, baskets, &param, &rows);
	uint64_t total = 0;

	if (status != CRM_OK)
		return status;
	profile->search = &search;
	status = mine_rows(&search, &param, &rows);
	crm_itemset_rows_free(ctx, &rows);
	for (int l = profile->n_levels - 1; l >= 0; l--)
	{
		total += profile->n[l];
		n_itemsets[profile->order[l]] = l < profile->lowest ? profile->cap : total;
	}
	return status;
}

/*
 * Count the frequent itemsets at each of n_levels supports, at least 1, in any order, in one
 * search. n_itemsets has a number for each; it is cap, at least 1, where there are so many or more.
 * Such a level costs no more time than the sets that were found up to there. CRM_LIMIT,
 * CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_itemset_profile(CrmCtx *ctx, const CrmBaskets *baskets, const uint32_t *min_counts,
					int n_levels, uint64_t cap, uint64_t *n_itemsets)
{
	size_t n = n_levels > 0 ? (size_t) n_levels : 0;
	Profile profile = {.min_counts = min_counts, .cap = cap, .n_levels = (int) n};
	CrmStatus status = ctx->failure;

	if (n == 0)
		return CRM_OK;
	profile.n = crm_allocate(ctx, n, sizeof(uint64_t));
	profile.order = crm_allocate(ctx, n, sizeof(uint32_t));
	if (profile.n == NULL || profile.order == NULL)
		status = ctx->failure;
	else
	{
		memset(profile.n, 0, n * sizeof(uint64_t));
		for (int l = 0; l < n_levels; l++)
		{
			int at = l;

			for (; at > 0 && min_counts[profile.order[at - 1]] > min_counts[l]; at--)
				profile.order[at] = profile.order[at - 1];
			profile.order[at] = (uint32_t) l;
		}
		status = fill_profile(ctx, baskets, &profile, n_itemsets);
	}
	crm_release(ctx, profile.order, n, sizeof(uint32_t));
	crm_release(ctx, profile.n, n, sizeof(uint64_t));
	return status;
}
