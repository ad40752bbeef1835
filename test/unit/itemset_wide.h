/*
 * itemset_wide.h: baskets of more items than brute force can go through, for one miner against the
 * other: a sum over the sets that does not depend on their order.
 */
#ifndef CRM_TEST_ITEMSET_WIDE_H
#define CRM_TEST_ITEMSET_WIDE_H

#include "host.h"

#include "kernel/itemset.h"

enum
{
	WIDE_BASKETS = 3000,
	WIDE_ENTRIES = WIDE_BASKETS * 80
};

typedef struct Wide
{
	CrmBaskets baskets;
	uint64_t start[WIDE_BASKETS + 1];
	uint32_t items[WIDE_ENTRIES];
} Wide;

typedef struct WideSum
{
	uint64_t n, supports, hash, most;
} WideSum;

/* Draw baskets in which item i of n_items comes in about density * skew^i of them. */
static inline void
wide_draw(Wide *wide, uint32_t n, uint32_t n_items, double density, double skew)
{
	uint64_t at = 0;

	for (uint32_t b = 0; b < n; b++)
	{
		double share = density;

		wide->start[b] = at;
		for (uint32_t i = 0; i < n_items && at < WIDE_ENTRIES; i++, share *= skew)
			if ((double) draw_below(1000000) < 1e6 * share)
				wide->items[at++] = i;
	}
	wide->start[n] = at;
	wide->baskets = (CrmBaskets){n, n_items, wide->start, wide->items};
}

/* Add up sets; a CrmItemsetReport. */
static inline CrmStatus
wide_add(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	WideSum *sum = arg;
	uint64_t hash = count;

	for (uint32_t i = 0; i < length; i++)
	{
		hash = (hash + items[i] + 1) * UINT64_C(0x9E3779B97F4A7C15);
		hash ^= hash >> 29;
	}
	sum->n++;
	sum->supports += count;
	sum->hash += hash;
	return sum->n == sum->most ? CRM_LIMIT : CRM_OK;
}

/* Tell whether both miners find the same. */
static inline bool
wide_is_same(CrmCtx *ctx, const Wide *wide, CrmItemsetParam param, WideSum *eclat)
{
	WideSum fpgrowth = {.most = 0};
	CrmStatus status;

	*eclat = (WideSum){.most = 0};
	param.algorithm = CRM_ITEMSET_ECLAT;
	status = crm_itemset_mine(ctx, &wide->baskets, &param, wide_add, eclat);
	if (status != CRM_OK)
		return false;
	param.algorithm = CRM_ITEMSET_FPGROWTH;
	status = crm_itemset_mine(ctx, &wide->baskets, &param, wide_add, &fpgrowth);
	return status == CRM_OK && memcmp(eclat, &fpgrowth, sizeof fpgrowth) == 0;
}

#endif
