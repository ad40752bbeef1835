/*
 * itemset_search.h: what the miners share: the set at hand, the way to the reporter, the threshold,
 * polls, and a stack of memory.
 *
 * The set at hand is a prefix, in the order of the search, and perfect items: those that every
 * basket of the prefix holds. It stands for the prefix with each subset of the perfect items, which
 * all have the prefix's support.
 */
#ifndef CRM_KERNEL_ITEMSET_SEARCH_H
#define CRM_KERNEL_ITEMSET_SEARCH_H

#include "kernel/itemset.h"

#include <string.h>

#define CRM_ITEMSET_POLL ((uint64_t) 1 << 19) /* operations between polls */

/* A piece of the stack of memory; its bytes follow. */
typedef struct CrmItemsetChunk
{
	struct CrmItemsetChunk *previous;
	size_t size, used;
	size_t unused; /* keeps the alignment */
} CrmItemsetChunk;

/* A height of the stack of memory, to which it can go back. */
typedef struct CrmItemsetMark
{
	CrmItemsetChunk *chunk;
	size_t used;
} CrmItemsetMark;

typedef struct CrmItemsetSearch
{
	CrmCtx *ctx;
	CrmItemsetTarget target;
	uint32_t min_count;              /* a reporter may raise it, but for maximal sets */
	uint32_t min_length, max_length; /* of the sets to report; UINT32_MAX: no bound */
	CrmItemsetReport report;
	void *arg;
	uint64_t work;              /* operations since the last poll */
	uint32_t longest;           /* items that prefix and perfect have room for, together */
	uint32_t *prefix, *perfect; /* codes */
	uint32_t *subset, *sorted;  /* for reporting, and any other use between reports */
	uint32_t length, n_perfect;
	CrmItemsetChunk *top, *spare;
} CrmItemsetSearch;

extern CrmStatus crm_itemset_search_begin(CrmItemsetSearch *search, uint32_t longest);
extern void crm_itemset_search_end(CrmItemsetSearch *search);
extern CrmStatus crm_itemset_search_report(CrmItemsetSearch *search, uint32_t count);
extern void *crm_itemset_search_grow(CrmItemsetSearch *search, size_t bytes);
extern void crm_itemset_search_rewind(CrmItemsetSearch *search, CrmItemsetMark mark);
extern void crm_itemset_search_sort(uint32_t *codes, uint32_t n);

/* Count operations; true when the host asks to stop. */
static inline bool
crm_itemset_search_is_stopped(CrmItemsetSearch *search, uint64_t work)
{
	search->work += work;
	if (search->work < CRM_ITEMSET_POLL)
		return false;
	search->work = 0;
	return crm_poll(search->ctx);
}

/* Give the height of the stack of memory. */
static inline CrmItemsetMark
crm_itemset_search_mark(const CrmItemsetSearch *search)
{
	return (CrmItemsetMark){search->top, search->top != NULL ? search->top->used : 0};
}

/* Give bytes of the stack of memory, aligned to 16; NULL as crm_allocate does. */
static inline void *
crm_itemset_search_take(CrmItemsetSearch *search, size_t bytes)
{
	CrmItemsetChunk *top = search->top;

	if (top != NULL && bytes <= SIZE_MAX - 15 &&
		top->size - top->used >= ((bytes + 15) & ~(size_t) 15))
	{
		void *memory = (char *) (top + 1) + top->used;

		top->used += (bytes + 15) & ~(size_t) 15;
		return memory;
	}
	return crm_itemset_search_grow(search, bytes);
}

/* Append to the prefix. */
static inline void
crm_itemset_search_push(CrmItemsetSearch *search, uint32_t code)
{
	search->prefix[search->length++] = code;
}

#endif
