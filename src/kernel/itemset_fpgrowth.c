/*
 * itemset_fpgrowth.c: the miner FP-growth; see itemset.h.
 *
 * A tree holds the baskets of a set P as paths from the root down, the most frequent item first.
 * Items are numbered in the order of the search, so numbers fall on the way down. For each item i,
 * P + i is reported, and the paths above i's nodes, of its frequent items alone, make the tree of
 * P + i. While a tree is built, a hash finds the child of a node by its item.
 */
#include "kernel/itemset_fpgrowth.h"

#define FIRST_ROOM 32 /* trees of the stack */
#define NO_NODE    UINT32_MAX
#define ROOT       0

typedef struct Node
{
	uint32_t item;
	uint32_t count;
	uint32_t parent;
	uint32_t next; /* of the same item, or NO_NODE */
} Node;

typedef struct Tree
{
	uint32_t m;        /* items */
	uint32_t next;     /* the branch that comes next */
	uint32_t n_branch; /* branches are 0 to n_branch - 1 */
	uint32_t n;        /* nodes, the root included */
	uint32_t *code;    /* m */
	uint32_t *count;   /* m: support together with P */
	uint32_t *header;  /* m: the first node of each item, or NO_NODE */
	Node *nodes;
	uint32_t *slots; /* while the tree is built: nodes by parent and item */
	uint64_t n_slots;
	uint32_t length;     /* P is so much of the search's prefix */
	CrmItemsetMark mark; /* of the memory before it */
} Tree;

typedef struct Fpgrowth
{
	CrmItemsetSearch *search;
	Tree *trees; /* the stack */
	uint32_t depth, room;
	uint32_t *count;   /* supports with a branch; all zero between branches */
	uint32_t *local;   /* the item's number in the tree of the branch */
	uint32_t *touched; /* items that paths have delivered */
	uint32_t *path;    /* items of a path, upwards */
} Fpgrowth;

/* ---- trees ------------------------------------------------------------------------------- */

/* Make a tree of no paths; entries: the most nodes it can get besides the root. */
static CrmStatus
make_tree(CrmItemsetSearch *search, uint64_t entries, Tree *tree)
{
	tree->header = crm_itemset_search_take(search, (size_t) tree->m * sizeof(uint32_t));
	if (tree->header == NULL)
		return search->ctx->failure;
	tree->nodes = crm_itemset_search_take(search, (entries + 1) * sizeof(Node));
	if (tree->nodes == NULL)
		return search->ctx->failure;
	for (tree->n_slots = 4; tree->n_slots < entries + entries / 2; tree->n_slots *= 2)
		;
	tree->slots = crm_itemset_search_take(search, tree->n_slots * sizeof(uint32_t));
	if (tree->slots == NULL)
		return search->ctx->failure;
	for (uint32_t i = 0; i < tree->m; i++)
		tree->header[i] = NO_NODE;
	for (uint64_t s = 0; s < tree->n_slots; s++)
	{
		tree->slots[s] = NO_NODE;
		if (crm_itemset_search_is_stopped(search, 1))
			return CRM_ABORTED;
	}
	tree->nodes[ROOT] = (Node){UINT32_MAX, 0, ROOT, NO_NODE};
	tree->n = 1;
	return CRM_OK;
}

/* Give the child of a node that has an item; it is made where there is none. */
static uint32_t
find_child(Tree *tree, uint32_t parent, uint32_t item)
{
	uint64_t hash = ((uint64_t) parent << 32 | item) * UINT64_C(0x9E3779B97F4A7C15);
	uint64_t slot = (hash >> 32) & (tree->n_slots - 1);
	uint32_t found;

	while ((found = tree->slots[slot]) != NO_NODE)
	{
		if (tree->nodes[found].parent == parent && tree->nodes[found].item == item)
			return found;
		slot = (slot + 1) & (tree->n_slots - 1);
	}
	found = tree->n++;
	tree->slots[slot] = found;
	tree->nodes[found] = (Node){item, 0, parent, tree->header[item]};
	tree->header[item] = found;
	return found;
}

/* Add a path of n items, given upwards, that so many baskets have. */
static void
add_path(Tree *tree, const uint32_t *items, uint32_t n, uint32_t count)
{
	uint32_t node = ROOT;

	while (n-- > 0)
	{
		node = find_child(tree, node, items[n]);
		tree->nodes[node].count += count;
	}
}

/* Make the first tree, whose P is empty, from the rows. */
static CrmStatus
make_root(Fpgrowth *fp, const CrmItemsetRows *rows)
{
	Tree *root = &fp->trees[0];
	CrmStatus status;

	*root =
		(Tree){.m = rows->m, .n_branch = rows->n_branch, .code = rows->code, .count = rows->count};
	status = make_tree(fp->search, rows->n_item - rows->n - 1, root);
	for (size_t at = 1, end; at < rows->n_item && status == CRM_OK; at = end + 1)
	{
		for (end = at; rows->item[end] != CRM_ITEMSET_END; end++)
			;
		add_path(root, rows->item + at, (uint32_t) (end - at), 1);
		if (crm_itemset_search_is_stopped(fp->search, end - at))
			status = CRM_ABORTED;
	}
	fp->depth = 1;
	return status;
}

/* ---- branches ---------------------------------------------------------------------------- */

/* Count the items above the nodes of branch i; fp->touched gets the frequent ones, in order. */
static CrmStatus
count_items(Fpgrowth *fp, const Tree *tree, uint32_t i, uint32_t *n_frequent)
{
	CrmItemsetSearch *search = fp->search;
	uint32_t n = 0, kept = 0;

	for (uint32_t at = tree->header[i]; at != NO_NODE; at = tree->nodes[at].next)
	{
		uint64_t steps = 1;

		for (uint32_t up = tree->nodes[at].parent; up != ROOT; up = tree->nodes[up].parent)
		{
			uint32_t item = tree->nodes[up].item;

			if (fp->count[item] == 0)
				fp->touched[n++] = item;
			fp->count[item] += tree->nodes[at].count;
			steps++;
		}
		if (crm_itemset_search_is_stopped(search, steps))
			return CRM_ABORTED;
	}
	for (uint32_t t = 0; t < n; t++)
	{
		uint32_t item = fp->touched[t];

		if (fp->count[item] >= search->min_count)
			fp->touched[kept++] = item;
		else
			fp->count[item] = 0;
	}
	crm_itemset_search_sort(fp->touched, kept);
	*n_frequent = kept;
	return CRM_OK;
}

/* Add the paths above the nodes of branch i, of the child's items alone, to the child. */
static CrmStatus
add_paths(Fpgrowth *fp, const Tree *tree, uint32_t i, Tree *child)
{
	for (uint32_t at = tree->header[i]; at != NO_NODE; at = tree->nodes[at].next)
	{
		uint64_t steps = 1;
		uint32_t n = 0;

		for (uint32_t up = tree->nodes[at].parent; up != ROOT; up = tree->nodes[up].parent)
		{
			uint32_t item = tree->nodes[up].item;

			if (fp->count[item] > 0)
				fp->path[n++] = fp->local[item];
			steps++;
		}
		add_path(child, fp->path, n, tree->nodes[at].count);
		if (crm_itemset_search_is_stopped(fp->search, steps + n))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Make the child of branch i, whose items are the first m touched ones. */
static CrmStatus
make_child(Fpgrowth *fp, const Tree *tree, uint32_t i, uint32_t m, Tree *child)
{
	CrmItemsetSearch *search = fp->search;
	uint64_t entries = 0, most = 0;
	CrmStatus status;

	child->code = crm_itemset_search_take(search, (size_t) m * 2 * sizeof(uint32_t));
	if (child->code == NULL)
		return search->ctx->failure;
	child->count = child->code + m;
	child->m = child->n_branch = m;
	for (uint32_t k = 0; k < m; k++)
	{
		uint32_t item = fp->touched[k];

		child->code[k] = tree->code[item];
		child->count[k] = fp->count[item];
		fp->local[item] = k;
		entries += fp->count[item];
	}
	for (uint32_t at = tree->header[i]; at != NO_NODE; at = tree->nodes[at].next)
		most += m;
	status = make_tree(search, entries < most ? entries : most, child);
	if (status == CRM_OK)
		status = add_paths(fp, tree, i, child);
	for (uint32_t k = 0; k < m; k++)
		fp->count[fp->touched[k]] = 0;
	return status;
}

/* Put everything back to where it was before a tree. */
static void
leave(Fpgrowth *fp, const Tree *tree)
{
	fp->search->length = tree->length;
	crm_itemset_search_rewind(fp->search, tree->mark);
}

/* Report the set of branch i; *is_tree: the child is to be searched. */
static CrmStatus
branch(Fpgrowth *fp, const Tree *tree, uint32_t i, Tree *child, bool *is_tree)
{
	CrmItemsetSearch *search = fp->search;
	CrmStatus status;
	uint32_t m;

	*is_tree = false;
	*child = (Tree){.length = search->length, .mark = crm_itemset_search_mark(search)};
	crm_itemset_search_push(search, tree->code[i]);
	status = crm_itemset_search_report(search, tree->count[i]);
	if (status != CRM_OK || search->length >= search->max_length)
		return status;
	status = count_items(fp, tree, i, &m);
	if (status != CRM_OK || m == 0)
		return status;
	*is_tree = true;
	return make_child(fp, tree, i, m, child);
}

/* Make room for one more tree on the stack. */
static CrmStatus
grow(Fpgrowth *fp)
{
	CrmCtx *ctx = fp->search->ctx;
	uint32_t room = 2 * fp->room;
	Tree *trees = crm_allocate(ctx, room, sizeof(Tree));

	if (trees == NULL)
		return ctx->failure;
	memcpy(trees, fp->trees, fp->depth * sizeof(Tree));
	crm_release(ctx, fp->trees, fp->room, sizeof(Tree));
	fp->trees = trees;
	fp->room = room;
	return CRM_OK;
}

/* Search the trees on the stack and those that come of them. */
static CrmStatus
search_trees(Fpgrowth *fp)
{
	CrmStatus status = CRM_OK;

	while (fp->depth > 0 && status == CRM_OK)
	{
		Tree *tree = &fp->trees[fp->depth - 1], child;
		bool is_tree = false;
		uint32_t i = tree->next++;

		if (i >= tree->n_branch)
		{
			leave(fp, tree);
			fp->depth--;
			continue;
		}
		if (tree->count[i] < fp->search->min_count)
			continue;
		status = branch(fp, tree, i, &child, &is_tree);
		if (status != CRM_OK)
			break;
		if (!is_tree)
			leave(fp, &child);
		else if (fp->depth == fp->room && (status = grow(fp)) != CRM_OK)
			break;
		else
			fp->trees[fp->depth++] = child;
		if (crm_itemset_search_is_stopped(fp->search, 1))
			status = CRM_ABORTED;
	}
	return status;
}

/*
 * Search the rows and report the frequent sets; the rows are the caller's. CRM_LIMIT,
 * CRM_NO_MEMORY, CRM_ABORTED, or what the reporter answers.
 */
CrmStatus
crm_itemset_fpgrowth(CrmItemsetSearch *search, const CrmItemsetRows *rows)
{
	Fpgrowth fp = {.search = search, .room = FIRST_ROOM};
	CrmCtx *ctx = search->ctx;
	CrmStatus status = CRM_OK;

	fp.trees = crm_allocate(ctx, fp.room, sizeof(Tree));
	fp.count = crm_allocate(ctx, (size_t) rows->m * 4, sizeof(uint32_t));
	if (fp.trees == NULL || fp.count == NULL)
		status = ctx->failure;
	else
	{
		fp.local = fp.count + rows->m;
		fp.touched = fp.local + rows->m;
		fp.path = fp.touched + rows->m;
		memset(fp.count, 0, rows->m * sizeof(uint32_t));
		status = make_root(&fp, rows);
	}
	if (status == CRM_OK)
		status = search_trees(&fp);
	crm_release(ctx, fp.count, (size_t) rows->m * 4, sizeof(uint32_t));
	crm_release(ctx, fp.trees, fp.room, sizeof(Tree));
	return status;
}
