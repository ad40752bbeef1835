/*
 * itemset_list.h: itemsets kept as they are reported, then put in order: by count from high to low,
 * then by length from low to high, then by the codes of their items. And the count at which they
 * would fit when they do not.
 *
 * A set takes 4 bytes an item and 28 more. Not handled: more than 2^32 words of sets (16 GB).
 */
#ifndef CRM_KERNEL_ITEMSET_LIST_H
#define CRM_KERNEL_ITEMSET_LIST_H

#include "kernel/itemset.h"

#define CRM_ITEMSET_LIST_SET_BYTES 20 /* that ordering takes for a set, beside its words */

/* An itemset in the list; it lies in a page. */
typedef struct CrmItemset
{
	uint32_t count;
	uint32_t length;
	uint32_t items[]; /* ascending */
} CrmItemset;

typedef struct CrmItemsetList
{
	CrmCtx *ctx;
	uint32_t **pages;
	size_t *used; /* words of each page in use */
	size_t n_pages, max_pages;
	uint32_t n;
	uint32_t *position; /* once in order: of set i, the page and the word in it */
} CrmItemsetList;

extern void crm_itemset_list_init(CrmItemsetList *list, CrmCtx *ctx);
extern CrmStatus crm_itemset_list_add(void *list, const uint32_t *items, uint32_t length,
									  uint32_t count);
extern CrmStatus crm_itemset_list_sort(CrmItemsetList *list);
extern const CrmItemset *crm_itemset_list_get(const CrmItemsetList *list, uint32_t i);
extern void crm_itemset_list_free(CrmItemsetList *list);
extern CrmStatus crm_itemset_list_suggest(CrmCtx *ctx, const CrmBaskets *baskets,
										  const CrmItemsetParam *param, size_t bytes,
										  uint32_t *min_count);

#endif
