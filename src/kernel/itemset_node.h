/*
 * itemset_node.h: a node of Eclat's search: a set P with the items that are frequent together with
 * it, and where they occur.
 *
 * A node of rows lists for each item where it occurs in the baskets of P. A node of bits has for
 * each item the bit vector of its rows. Baskets that have fewer than two of a node's items make no
 * row, as they cannot have both items of a branch; so the support of an item may be more than its
 * rows.
 */
#ifndef CRM_KERNEL_ITEMSET_NODE_H
#define CRM_KERNEL_ITEMSET_NODE_H

#include "kernel/itemset_prepare.h"
#include "kernel/itemset_search.h"

typedef struct CrmItemsetNode
{
	uint32_t m;        /* items */
	uint32_t n_left;   /* the first of them, which are left behind */
	uint32_t n_branch; /* branches are n_left to n_branch - 1 */
	uint32_t next;     /* the next branch */
	uint32_t *code;    /* m */
	uint32_t *count;   /* m: support together with P */
	uint32_t *item;    /* rows: as in CrmItemsetRows */
	uint32_t *occurrence, *first, *last;
	uint64_t *bits; /* m vectors of so many words, or NULL */
	size_t words;
	uint32_t length, n_perfect; /* P is so much of the search's prefix and perfect items */
	CrmItemsetMark mark;        /* of the memory before it */
} CrmItemsetNode;

extern CrmStatus crm_itemset_node_root(CrmItemsetSearch *search, const CrmItemsetRows *rows,
									   CrmItemsetNode *root);
extern CrmStatus crm_itemset_node_fill(CrmItemsetSearch *search, const CrmItemsetNode *node,
									   uint32_t i, const uint32_t *chosen, uint32_t *local,
									   CrmItemsetNode *child);

#endif
