/*
 * itemset_eclat.c: the miner Eclat; see itemset.h.
 *
 * A node of the search is a set P with the items that are frequent together with it. Its items are
 * in the order of the search; the first n_left, for closed and maximal sets alone, are those that
 * the search has left behind: sets that hold P and one of them have been searched. Each other item
 * i is a branch: P + i is reported, and its node has the items that are frequent with P + i, of
 * which those before i are left behind.
 *
 * P + i is closed if no item is in all its baskets: one that is left behind rules out the whole
 * branch, another one belongs to each closed set of the branch and goes into the prefix. P + i is
 * maximal if its node has no items.
 */
#include "kernel/itemset_eclat.h"

#include "kernel/itemset_bits.h"
#include "kernel/itemset_node.h"

#define END        CRM_ITEMSET_END
#define FIRST_ROOM 32 /* nodes of the stack */
#define MAX_TRIES  4  /* items, and steps to one in each row, that is_covered looks at */

typedef CrmItemsetNode Node;

typedef struct Eclat
{
	CrmItemsetSearch *search;
	Node *nodes; /* the stack */
	uint32_t depth, room;
	uint32_t *count;   /* m: supports with a branch; all zero between branches of rows */
	uint32_t *local;   /* m: the item's number in the node of the branch; END between branches */
	uint32_t *touched; /* m + 1: items that rows have delivered */
	uint32_t n_touched;
} Eclat;

/* ---- branches --------------------------------------------------------------------------- */

/* Deliver the items of the rows of branch i to count and touched. */
static CrmStatus
deliver(Eclat *eclat, const Node *node, uint32_t i)
{
	CrmItemsetSearch *search = eclat->search;
	uint32_t *count = eclat->count, *touched = eclat->touched, n = 0;
	bool is_whole = search->target != CRM_ITEMSET_FREQUENT;

	for (uint32_t o = node->first[i]; o < node->last[i]; o++)
	{
		const uint32_t *start = node->item + node->occurrence[o], *at;

		for (at = start + 1; *at != END; at++)
		{
			touched[n] = *at;
			n += count[*at]++ == 0;
		}
		if (is_whole)
			for (start--; *start != END; start--)
			{
				touched[n] = *start;
				n += count[*start]++ == 0;
			}
		if (crm_itemset_search_is_stopped(search, (uint64_t) (at - start)))
			return CRM_ABORTED;
	}
	eclat->n_touched = n;
	return CRM_OK;
}

/* Tell whether an item k is in all rows of branch i, where it stands shortly before i. */
static bool
is_in_rows(const Node *node, uint32_t i, uint32_t k)
{
	for (uint32_t o = node->first[i]; o < node->last[i]; o++)
	{
		const uint32_t *at = node->item + node->occurrence[o] - 1;

		for (int steps = 1; steps<MAX_TRIES && * at != END && * at> k; steps++)
			at--;
		if (*at != k)
			return false;
	}
	return true;
}

/*
 * Tell whether an item that is left behind is seen at once to be in all baskets of branch i: the
 * nearest few are tried. So a branch of a large basket that comes but once costs next to nothing;
 * make_items finds all cases.
 */
static bool
is_covered(const Eclat *eclat, const Node *node, uint32_t i)
{
	uint32_t near = i < MAX_TRIES ? 0 : i - MAX_TRIES, common;

	if (eclat->search->target == CRM_ITEMSET_FREQUENT)
		return false;
	if (node->bits != NULL)
	{
		for (uint32_t k = i; k > near; k--)
		{
			crm_itemset_bits_count(node->bits + i * node->words, node->bits + (k - 1) * node->words,
								   node->words, 1, &common);
			if (common == node->count[i])
				return true;
		}
		return false;
	}
	if (node->last[i] - node->first[i] < node->count[i])
		return false; /* some baskets have no other item */
	for (const uint32_t *at = node->item + node->occurrence[node->first[i]];
		 *--at != END && *at >= near;)
		if (is_in_rows(node, i, *at))
			return true;
	return false;
}

/* Count the items of a node of bits together with branch i. */
static CrmStatus
intersect(Eclat *eclat, const Node *node, uint32_t i)
{
	const uint64_t *one = node->bits + (size_t) i * node->words;
	uint32_t k = eclat->search->target == CRM_ITEMSET_FREQUENT ? i + 1 : 0;
	uint32_t step =
		node->words < CRM_ITEMSET_POLL ? (uint32_t) (CRM_ITEMSET_POLL / (node->words + 1)) : 1;

	for (; k < node->m; k += step)
	{
		uint32_t n = node->m - k < step ? node->m - k : step;

		crm_itemset_bits_count(one, node->bits + (size_t) k * node->words, node->words, n,
							   eclat->count + k);
		if (crm_itemset_search_is_stopped(eclat->search, (uint64_t) n * (node->words + 1)))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Leave of the touched items those that are frequent, in order, and forget the other counts. */
static void
choose_touched(Eclat *eclat)
{
	uint32_t min_count = eclat->search->min_count, n = 0;

	for (uint32_t t = 0; t < eclat->n_touched; t++)
	{
		uint32_t k = eclat->touched[t];

		if (eclat->count[k] >= min_count)
			eclat->touched[n++] = k;
		else
			eclat->count[k] = 0;
	}
	eclat->n_touched = n;
	crm_itemset_search_sort(eclat->touched, n);
}

/* The same for a node of bits, all of whose items are counted. */
static void
choose_counted(Eclat *eclat, const Node *node, uint32_t i)
{
	uint32_t k = eclat->search->target == CRM_ITEMSET_FREQUENT ? i + 1 : 0, n = 0;

	for (; k < node->m; k++)
	{
		if (k != i && eclat->count[k] >= eclat->search->min_count)
			eclat->touched[n++] = k;
		else
			eclat->count[k] = 0;
	}
	eclat->n_touched = n;
}

/*
 * Make the node of branch i but for its rows: it gets the touched items, and those that all rows of
 * the branch have go to the set at hand. False when an item that is left behind is one of them: the
 * branch holds nothing new.
 */
static bool
make_items(Eclat *eclat, const Node *node, uint32_t i, Node *child)
{
	CrmItemsetSearch *search = eclat->search;
	bool is_new = true;

	for (uint32_t t = 0; t < eclat->n_touched; t++)
	{
		uint32_t k = eclat->touched[t], count = eclat->count[k];

		eclat->count[k] = 0;
		if (count < node->count[i])
		{
			child->code[child->m] = node->code[k];
			child->count[child->m] = count;
			child->n_left += k < i;
			eclat->touched[child->m++] = k;
		}
		else if (k < i)
			is_new = false;
		else if (search->target == CRM_ITEMSET_FREQUENT)
			search->perfect[search->n_perfect++] = node->code[k];
		else
			crm_itemset_search_push(search, node->code[k]);
	}
	child->next = child->n_left;
	child->n_branch = child->m;
	return is_new;
}

/* ---- the search ------------------------------------------------------------------------- */

/* Report the sets of P and one item more. */
static CrmStatus
report_items(Eclat *eclat, const Node *node)
{
	CrmItemsetSearch *search = eclat->search;
	CrmStatus status = CRM_OK;

	for (uint32_t k = 0; k < node->m && status == CRM_OK; k++)
	{
		if (node->count[k] < search->min_count)
			continue;
		crm_itemset_search_push(search, node->code[k]);
		status = crm_itemset_search_report(search, node->count[k]);
		search->length--;
		if (status == CRM_OK && crm_itemset_search_is_stopped(search, search->length + 1))
			status = CRM_ABORTED;
	}
	return status;
}

/* Report the set at hand, whose node is known but for its rows. */
static CrmStatus
report_set(Eclat *eclat, const Node *child, uint32_t count)
{
	if (eclat->search->target == CRM_ITEMSET_MAXIMAL && child->m > 0)
		return CRM_OK;
	return crm_itemset_search_report(eclat->search, count);
}

/* Report the set at hand and what follows from it; *is_node: the child has branches to search. */
static CrmStatus
settle(Eclat *eclat, const Node *node, uint32_t i, Node *child, bool *is_node)
{
	CrmItemsetSearch *search = eclat->search;
	CrmStatus status = report_set(eclat, child, node->count[i]);

	*is_node = false;
	if (status != CRM_OK || child->m == child->n_left || search->length >= search->max_length)
		return status;
	if (search->target == CRM_ITEMSET_FREQUENT &&
		(child->m == 1 || search->length + 1 == search->max_length))
		return report_items(eclat, child);
	*is_node = true;
	return crm_itemset_node_fill(search, node, i, eclat->touched, eclat->local, child);
}

/* Put everything back to where it was before a node. */
static void
leave(Eclat *eclat, const Node *node)
{
	eclat->search->length = node->length;
	eclat->search->n_perfect = node->n_perfect;
	crm_itemset_search_rewind(eclat->search, node->mark);
}

/* Search branch i of a node: report its set; *is_node: the child is to be searched. */
static CrmStatus
branch(Eclat *eclat, const Node *node, uint32_t i, Node *child, bool *is_node)
{
	CrmItemsetSearch *search = eclat->search;
	CrmStatus status = CRM_OK;

	*is_node = false;
	*child = (Node){.length = search->length,
					.n_perfect = search->n_perfect,
					.mark = crm_itemset_search_mark(search)};
	crm_itemset_search_push(search, node->code[i]);
	if (search->target == CRM_ITEMSET_FREQUENT &&
		(i + 1 == node->m || search->length == search->max_length))
		return crm_itemset_search_report(search, node->count[i]);
	if (is_covered(eclat, node, i))
		return CRM_OK;
	status = node->bits != NULL ? intersect(eclat, node, i) : deliver(eclat, node, i);
	if (status != CRM_OK)
		return status;
	if (node->bits != NULL)
		choose_counted(eclat, node, i);
	else
		choose_touched(eclat);
	child->code = crm_itemset_search_take(search, (size_t) eclat->n_touched * 2 * sizeof(uint32_t));
	if (child->code == NULL)
		return search->ctx->failure;
	child->count = child->code + eclat->n_touched;
	return make_items(eclat, node, i, child) ? settle(eclat, node, i, child, is_node) : CRM_OK;
}

/* Make room for one more node on the stack. */
static CrmStatus
grow(Eclat *eclat)
{
	CrmCtx *ctx = eclat->search->ctx;
	uint32_t room = 2 * eclat->room;
	Node *nodes = crm_allocate(ctx, room, sizeof(Node));

	if (nodes == NULL)
		return ctx->failure;
	memcpy(nodes, eclat->nodes, eclat->depth * sizeof(Node));
	crm_release(ctx, eclat->nodes, eclat->room, sizeof(Node));
	eclat->nodes = nodes;
	eclat->room = room;
	return CRM_OK;
}

/* Search the nodes on the stack and those that come of them. */
static CrmStatus
search_nodes(Eclat *eclat)
{
	CrmStatus status = CRM_OK;

	while (eclat->depth > 0 && status == CRM_OK)
	{
		Node *node = &eclat->nodes[eclat->depth - 1], child;
		bool is_node = false;
		uint32_t i = node->next++;

		if (i >= node->n_branch)
		{
			leave(eclat, node);
			eclat->depth--;
			continue;
		}
		if (node->count[i] < eclat->search->min_count)
			continue;
		status = branch(eclat, node, i, &child, &is_node);
		if (status != CRM_OK)
			break;
		if (!is_node)
			leave(eclat, &child);
		else if (eclat->depth == eclat->room && (status = grow(eclat)) != CRM_OK)
			break;
		else
			eclat->nodes[eclat->depth++] = child;
		if (crm_itemset_search_is_stopped(eclat->search, 1))
			status = CRM_ABORTED;
	}
	return status;
}

/*
 * Search the rows and report what is found; the rows are the caller's. CRM_LIMIT, CRM_NO_MEMORY,
 * CRM_ABORTED, or what the reporter answers.
 */
CrmStatus
crm_itemset_eclat(CrmItemsetSearch *search, const CrmItemsetRows *rows)
{
	Eclat eclat = {.search = search, .room = FIRST_ROOM};
	CrmCtx *ctx = search->ctx;
	size_t room = (size_t) rows->m * 3 + 1;
	CrmStatus status = CRM_OK;

	eclat.nodes = crm_allocate(ctx, eclat.room, sizeof(Node));
	eclat.count = crm_allocate(ctx, room, sizeof(uint32_t));
	if (eclat.nodes == NULL || eclat.count == NULL)
		status = ctx->failure;
	else
	{
		eclat.local = eclat.count + rows->m;
		eclat.touched = eclat.local + rows->m;
		memset(eclat.count, 0, rows->m * sizeof(uint32_t));
		memset(eclat.local, 0xFF, rows->m * sizeof(uint32_t)); /* END */
		status = crm_itemset_node_root(search, rows, &eclat.nodes[eclat.depth++]);
	}
	if (status == CRM_OK)
		status = search_nodes(&eclat);
	crm_release(ctx, eclat.count, room, sizeof(uint32_t));
	crm_release(ctx, eclat.nodes, eclat.room, sizeof(Node));
	return status;
}
