/*
 * rules_store.h: itemsets with their counts, found again by their items.
 *
 * Sets lie one after another in pages of 65,536 words; a set's number is the place of its first
 * word. They are appended; then an index (open addressing, linear probing, 8 bytes a slot, as in
 * base/table.h) is made at once, in which any subset of a set is found by the sum of its items'
 * hashes. 12 bytes a set, 4 an item, and 11 to 22 for the index.
 *
 * Invariants: items ascend; no set comes twice. Not handled: sets of more than 64 items, whose
 * subsets no memory holds; more than 2^32 words.
 */
#ifndef CRM_KERNEL_RULES_STORE_H
#define CRM_KERNEL_RULES_STORE_H

#include "kernel/base/context.h"

#define CRM_RULES_MAX_LENGTH 64
#define CRM_RULES_NO_SET     UINT32_MAX
#define CRM_RULES_PAGE       65536 /* words */

typedef struct CrmRulesSet
{
	uint32_t count;  /* baskets that hold it */
	uint32_t length; /* 1 to CRM_RULES_MAX_LENGTH */
	uint32_t side;   /* for those who work with the set */
	uint32_t items[];
} CrmRulesSet;

typedef struct CrmRulesPage
{
	uint32_t *words;
	uint32_t used;
} CrmRulesPage;

typedef struct CrmRulesStore
{
	CrmCtx *ctx;
	CrmRulesPage *pages;
	uint32_t n_pages, max_pages;
	uint32_t n;      /* sets */
	uint64_t *index; /* NULL before crm_rules_store_index */
	size_t slots;    /* a power of two; before there is an index, what it would have */
} CrmRulesStore;

/* Give a set by its number; valid until the store is freed. */
static inline CrmRulesSet *
crm_rules_set(const CrmRulesStore *store, uint32_t set)
{
	return (CrmRulesSet *) (store->pages[set / CRM_RULES_PAGE].words + set % CRM_RULES_PAGE);
}

/* Give a mask of all the items of a set of that length. */
static inline uint64_t
crm_rules_all(uint32_t length)
{
	return length < 64 ? (UINT64_C(1) << length) - 1 : UINT64_MAX;
}

/* Give the number of items in a mask, which are few. */
static inline uint32_t
crm_rules_size(uint64_t mask)
{
	uint32_t size = 0;

	for (; mask != 0; mask &= mask - 1)
		size++;
	return size;
}

/* Give the bytes that a set of that length takes, with its share of the index at the most. */
static inline size_t
crm_rules_set_bytes(uint32_t length)
{
	return sizeof(CrmRulesSet) + length * sizeof(uint32_t) + 8 * sizeof(uint64_t) / 3;
}

extern void crm_rules_store_init(CrmRulesStore *store, CrmCtx *ctx);
extern void crm_rules_store_free(CrmRulesStore *store);
extern size_t crm_rules_store_bytes(const CrmRulesStore *store);
extern CrmStatus crm_rules_store_add(CrmRulesStore *store, const uint32_t *items, uint32_t length,
									 uint32_t count, uint32_t *set);
extern CrmStatus crm_rules_store_index(CrmRulesStore *store);
extern uint32_t crm_rules_store_first(const CrmRulesStore *store);
extern uint32_t crm_rules_store_next(const CrmRulesStore *store, uint32_t set);
extern uint32_t crm_rules_store_find(const CrmRulesStore *store, const CrmRulesSet *set,
									 uint64_t mask);
extern CrmStatus crm_rules_store_need(CrmRulesStore *store, const CrmRulesSet *set, uint64_t mask,
									  uint32_t *found);

#endif
