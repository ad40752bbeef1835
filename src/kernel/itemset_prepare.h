/*
 * itemset_prepare.h: baskets become rows of frequent items in the order of the search, and each
 * item knows where it occurs.
 *
 * Items are numbered in the order of the search: required ones first, then by ascending support,
 * then by code. A row is the items of a basket in that order, each once; baskets with fewer than
 * two frequent items, or without a required one, make no row, since they only matter to the
 * supports of single items. Rows lie one after another with CRM_ITEMSET_END between them, before
 * the first and behind the last.
 */
#ifndef CRM_KERNEL_ITEMSET_PREPARE_H
#define CRM_KERNEL_ITEMSET_PREPARE_H

#include "kernel/itemset.h"

#define CRM_ITEMSET_END UINT32_MAX

typedef struct CrmItemsetRows
{
	uint32_t m; /* items */
	uint32_t
		n_branch; /* the first of them, one of which a set must hold: all when none is required */
	uint32_t n;   /* rows */
	uint32_t longest;     /* row, in items; at least 1 */
	uint32_t *code;       /* m */
	uint32_t *count;      /* m: support */
	uint32_t *item;       /* items of the rows */
	uint32_t *occurrence; /* of item k in item[]: first[k] to last[k] - 1, ascending */
	uint32_t *first, *last;
	size_t n_entries; /* room of occurrence: sum of count */
	size_t n_item;    /* room of item */
} CrmItemsetRows;

extern CrmStatus crm_itemset_prepare(CrmCtx *ctx, const CrmBaskets *baskets,
									 const CrmItemsetParam *param, CrmItemsetRows *rows);
extern void crm_itemset_rows_free(CrmCtx *ctx, CrmItemsetRows *rows);

#endif
