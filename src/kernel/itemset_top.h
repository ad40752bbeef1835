/*
 * itemset_top.h: the k itemsets of the largest support, of equals the shorter one, then the one
 * whose codes come first. The worst of them is on top of a heap.
 */
#ifndef CRM_KERNEL_ITEMSET_TOP_H
#define CRM_KERNEL_ITEMSET_TOP_H

#include "kernel/itemset_search.h"

typedef struct CrmItemsetTopSet
{
	uint32_t count, length;
	uint32_t *items; /* owned */
} CrmItemsetTopSet;

typedef struct CrmItemsetTop
{
	CrmItemsetSearch *search; /* whose min_count rises when k sets are there */
	CrmItemsetTopSet *sets;
	size_t n, room;
	uint64_t k;
} CrmItemsetTop;

extern void crm_itemset_top_begin(CrmItemsetTop *top, CrmItemsetSearch *search, uint64_t k);
extern CrmStatus crm_itemset_top_add(void *top, const uint32_t *items, uint32_t length,
									 uint32_t count);
extern CrmStatus crm_itemset_top_report(CrmItemsetTop *top, CrmItemsetReport report, void *arg);
extern void crm_itemset_top_free(CrmItemsetTop *top);

#endif
