/*
 * itemset_brute.h: baskets at random, their itemsets by going through all sets, and what a miner
 * has reported, to be compared. Of up to 12 items a set is a mask of bits.
 */
#ifndef CRM_TEST_ITEMSET_BRUTE_H
#define CRM_TEST_ITEMSET_BRUTE_H

#include "host.h"

#include "kernel/itemset.h"

enum
{
	BRUTE_ITEMS = 12,
	BRUTE_BASKETS = 64,
	BRUTE_SETS = 1 << BRUTE_ITEMS
};

/* Baskets with their own room. */
typedef struct Brute
{
	CrmBaskets baskets;
	uint64_t start[BRUTE_BASKETS + 1];
	uint32_t items[BRUTE_BASKETS * BRUTE_ITEMS * 2];
	uint32_t mask[BRUTE_BASKETS];
	uint32_t count[BRUTE_SETS]; /* support of each mask */
	uint8_t required[BRUTE_ITEMS], excluded[BRUTE_ITEMS];
} Brute;

/* What a miner reports; sets are masks. */
typedef struct Found
{
	uint32_t count[BRUTE_SETS]; /* of each mask; 0: not reported */
	uint32_t order[BRUTE_SETS]; /* masks as they came */
	uint32_t n;
	bool is_good; /* codes ascend, no set came twice */
	CrmStatus answer;
	uint32_t answer_at; /* the report, from 1, that gets the answer; 0: none */
} Found;

/* Make baskets of a density at random: some are empty or copies, some items come twice. */
static inline void
brute_draw(Brute *brute, uint32_t n, uint32_t n_items, uint32_t density)
{
	uint64_t at = 0;

	for (uint32_t b = 0; b < n; b++)
	{
		uint32_t mask = 0;

		if (b > 0 && draw_below(4) == 0)
			mask = brute->mask[draw_below(b)];
		else if (draw_below(16) > 0)
			for (uint32_t i = 0; i < n_items; i++)
				mask |= (uint32_t) (draw_below(100) < density + 3 * i) << i;
		brute->mask[b] = mask;
		brute->start[b] = at;
		while (mask != 0)
		{
			uint32_t i = (uint32_t) draw_below(n_items); /* in any order */

			if ((brute->mask[b] >> i & 1) == 0 ||
				((mask >> i & 1) == 0 && at - brute->start[b] >= 2 * BRUTE_ITEMS - n_items))
				continue;
			if ((mask >> i & 1) == 0 && draw_below(8) > 0)
				continue;
			brute->items[at++] = i;
			mask &= ~(UINT32_C(1) << i);
		}
	}
	brute->start[n] = at;
	brute->baskets = (CrmBaskets){n, n_items, brute->start, brute->items};
	for (uint32_t set = 0; set < UINT32_C(1) << n_items; set++)
	{
		brute->count[set] = 0;
		for (uint32_t b = 0; b < n; b++)
			brute->count[set] += (brute->mask[b] & set) == set;
	}
}

/* Make a mask of flags; NULL is none. */
static inline uint32_t
brute_flags(const uint8_t *flags, uint32_t n_items)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; flags != NULL && i < n_items; i++)
		mask |= (uint32_t) (flags[i] != 0) << i;
	return mask;
}

/* Tell whether a set is to be reported, but for top_k. */
static inline bool
brute_is_wanted(const Brute *brute, const CrmItemsetParam *param, uint32_t set)
{
	uint32_t n_items = brute->baskets.n_items, length = (uint32_t) __builtin_popcount(set);
	uint32_t excluded = brute_flags(param->excluded, n_items);

	if (set == 0 || brute->count[set] < param->min_count || (set & excluded) != 0 ||
		(param->required != NULL && (set & brute_flags(param->required, n_items)) == 0) ||
		length < param->min_length || (param->max_length > 0 && length > param->max_length))
		return false;
	if (param->target == CRM_ITEMSET_FREQUENT)
		return true;
	for (uint32_t free = ~(set | excluded) & ((UINT32_C(1) << n_items) - 1), more = free; more != 0;
		 more = (more - 1) & free)
	{
		uint32_t other = set | more;

		if (param->target == CRM_ITEMSET_CLOSED && brute->count[other] == brute->count[set])
			return false;
		if (param->target == CRM_ITEMSET_MAXIMAL && brute->count[other] >= param->min_count)
			return false;
	}
	return true;
}

/* Take a set; a CrmItemsetReport. */
static inline CrmStatus
brute_take(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	Found *found = arg;
	uint32_t set = 0;

	for (uint32_t i = 0; i < length; i++)
	{
		found->is_good &= items[i] < BRUTE_ITEMS && (i == 0 || items[i - 1] < items[i]);
		set |= UINT32_C(1) << items[i] % BRUTE_ITEMS;
	}
	found->is_good &= length > 0 && count > 0 && found->count[set] == 0;
	found->count[set] = count;
	if (found->is_good)
		found->order[found->n++] = set;
	return found->n == found->answer_at ? found->answer : CRM_OK;
}

/* Mine into an empty Found. */
static inline CrmStatus
brute_mine(CrmCtx *ctx, const Brute *brute, const CrmItemsetParam *param, Found *found)
{
	memset(found, 0, sizeof *found);
	found->is_good = true;
	return crm_itemset_mine(ctx, &brute->baskets, param, brute_take, found);
}

/* Tell whether set a comes before set b in the order of top_k. */
static inline bool
brute_is_better(const Brute *brute, uint32_t a, uint32_t b)
{
	int lengths = __builtin_popcount(a) - __builtin_popcount(b);
	uint32_t differs = a ^ b;

	if (brute->count[a] != brute->count[b])
		return brute->count[a] > brute->count[b];
	if (lengths != 0)
		return lengths < 0;
	return (a & differs & -differs) != 0; /* the lowest code that one of them has alone */
}

/* Tell whether what was found is what is wanted. */
static inline bool
brute_is_right(const Brute *brute, const CrmItemsetParam *param, const Found *found)
{
	uint32_t n_sets = UINT32_C(1) << brute->baskets.n_items, wanted = 0;
	static uint32_t best[BRUTE_SETS];

	for (uint32_t set = 1; set < n_sets; set++)
	{
		bool is_wanted = brute_is_wanted(brute, param, set);

		if (is_wanted)
			best[wanted++] = set;
		if (param->top_k == 0 && found->count[set] != (is_wanted ? brute->count[set] : 0))
			return false;
	}
	if (param->top_k == 0)
		return found->is_good && found->n == wanted;
	for (uint32_t i = 1; i < wanted; i++) /* best first */
	{
		uint32_t set = best[i], j = i;

		for (; j > 0 && brute_is_better(brute, set, best[j - 1]); j--)
			best[j] = best[j - 1];
		best[j] = set;
	}
	if (!found->is_good || found->n != (param->top_k < wanted ? param->top_k : wanted))
		return false;
	for (uint32_t i = 0; i < found->n; i++)
		if (found->order[i] != best[i] || found->count[best[i]] != brute->count[best[i]])
			return false;
	return true;
}

/* Draw what is asked for at random; required and excluded share no item. */
static inline CrmItemsetParam
brute_param(Brute *brute)
{
	uint32_t n_items = brute->baskets.n_items;
	CrmItemsetParam param = {
		.target = (CrmItemsetTarget) draw_below(3),
		.algorithm = (CrmItemsetAlgorithm) draw_below(3),
		.min_count = (uint32_t) (1 + draw_below(1 + brute->baskets.n / (1 + draw_below(4)))),
		.min_length = draw_below(3) > 0 ? 1 : (uint32_t) (1 + draw_below(4)),
	};

	if (draw_below(3) == 0)
		param.max_length = param.min_length + (uint32_t) draw_below(4);
	if (draw_below(3) == 0)
		param.top_k = 1 + draw_below(draw_below(2) ? 5 : 60);
	memset(brute->required, 0, sizeof brute->required);
	memset(brute->excluded, 0, sizeof brute->excluded);
	if (draw_below(3) == 0)
	{
		param.required = brute->required;
		for (uint64_t t = draw_below(4); t > 0; t--)
			brute->required[draw_below(n_items)] = 1;
	}
	if (draw_below(3) == 0)
	{
		param.excluded = brute->excluded;
		for (uint32_t i = 0; i < n_items; i++)
			brute->excluded[i] = draw_below(4) == 0 && !brute->required[i];
	}
	return param;
}

#endif
