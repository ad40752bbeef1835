/*
 * itemset_node.c: a node of Eclat's search; see itemset_node.h.
 */
#include "kernel/itemset_node.h"

#include "kernel/itemset_bits.h"

#define END CRM_ITEMSET_END

typedef CrmItemsetNode Node;

/* Give where the rows of a branch are read: at the branch, or for the whole row at its start. */
static const uint32_t *
row_start(const CrmItemsetSearch *search, const Node *node, uint32_t occurrence)
{
	const uint32_t *at = node->item + occurrence;

	if (search->target != CRM_ITEMSET_FREQUENT)
		while (at[-1] != END)
			at--;
	return at;
}

/* Fill a child of rows from the rows of branch i; entries: the sum of its counts. */
static CrmStatus
make_rows(CrmItemsetSearch *search, const Node *node, uint32_t i, const uint32_t *local,
		  uint64_t entries, Node *child)
{
	uint32_t n_rows = node->last[i] - node->first[i], place = 1, sum = 0;

	child->item = crm_itemset_search_take(search, (entries + n_rows + 2) * sizeof(uint32_t));
	if (child->item == NULL)
		return search->ctx->failure;
	child->occurrence = crm_itemset_search_take(search, entries * sizeof(uint32_t));
	if (child->occurrence == NULL)
		return search->ctx->failure;
	child->first = crm_itemset_search_take(search, (size_t) child->m * 2 * sizeof(uint32_t));
	if (child->first == NULL)
		return search->ctx->failure;
	child->last = child->first + child->m;
	for (uint32_t k = 0; k < child->m; k++)
	{
		child->first[k] = child->last[k] = sum;
		sum += child->count[k];
	}
	child->item[0] = END;
	for (uint32_t o = node->first[i]; o < node->last[i]; o++)
	{
		const uint32_t *start = row_start(search, node, node->occurrence[o]), *at;
		uint32_t begin = place;

		for (at = start; *at != END; at++)
		{
			child->item[place] = local[*at];
			place += local[*at] != END;
		}
		if (place - begin < 2)
			place = begin;
		else
		{
			for (uint32_t p = begin; p < place; p++)
				child->occurrence[child->last[child->item[p]]++] = p;
			child->item[place++] = END;
		}
		if (crm_itemset_search_is_stopped(search, (uint64_t) (at - start)))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Take empty bit vectors for a node. */
static CrmStatus
make_vectors(CrmItemsetSearch *search, size_t words, Node *node)
{
	size_t size;

	node->words = words;
	if (__builtin_mul_overflow((size_t) node->m * sizeof(uint64_t), words, &size))
		size = SIZE_MAX;
	node->bits = crm_itemset_search_take(search, size);
	return node->bits != NULL ? CRM_OK : search->ctx->failure;
}

/* Shorten the vectors of a node to so many words. */
static void
shorten_vectors(Node *node, size_t words)
{
	if (words < node->words)
		for (uint32_t k = 1; k < node->m; k++)
			memmove(node->bits + k * words, node->bits + k * node->words, words * sizeof(uint64_t));
	node->words = words;
}

/* Fill a child of bits from the rows of branch i. */
static CrmStatus
make_bits(CrmItemsetSearch *search, const Node *node, uint32_t i, const uint32_t *local,
		  Node *child)
{
	uint32_t n_rows = node->last[i] - node->first[i], row = 0;
	uint32_t *kept = search->subset; /* which has room for any row */
	CrmStatus status = make_vectors(search, ((size_t) n_rows + 63) / 64, child);

	if (status != CRM_OK)
		return status;
	memset(child->bits, 0, child->m * child->words * sizeof(uint64_t));
	for (uint32_t o = node->first[i]; o < node->last[i]; o++)
	{
		const uint32_t *start = row_start(search, node, node->occurrence[o]), *at;
		uint64_t *words = child->bits + row / 64;
		uint32_t n = 0;

		for (at = start; *at != END; at++)
		{
			kept[n] = local[*at];
			n += local[*at] != END;
		}
		for (uint32_t k = 0; k < n && n >= 2; k++)
			words[kept[k] * child->words] |= UINT64_C(1) << row % 64;
		row += n >= 2;
		if (crm_itemset_search_is_stopped(search, (uint64_t) (at - start)))
			return CRM_ABORTED;
	}
	shorten_vectors(child, ((size_t) row + 63) / 64);
	return CRM_OK;
}

/* Fill a child of bits from a node of bits. */
static CrmStatus
narrow_bits(CrmItemsetSearch *search, const Node *node, uint32_t i, const uint32_t *chosen,
			Node *child)
{
	const uint64_t *one = node->bits + (size_t) i * node->words;
	CrmStatus status = make_vectors(search, node->words, child);

	for (uint32_t k = 0; k < child->m && status == CRM_OK; k++)
	{
		crm_itemset_bits_and(child->bits + k * node->words, one,
							 node->bits + chosen[k] * node->words, node->words);
		if (crm_itemset_search_is_stopped(search, node->words))
			status = CRM_ABORTED;
	}
	return status;
}

/*
 * Tell whether bits serve a node better than rows, by the time that its branches will take: bits
 * meet pair by pair, rows deliver about as many items as an average row has.
 */
static bool
is_dense(uint64_t m, uint64_t n_rows, uint64_t entries)
{
	double pairs = 0.5 * (double) m * (double) m;
	double words = (double) ((n_rows + 63) / 64);
	double delivered = 0.5 * (double) entries * (double) entries / (double) n_rows;

	return pairs * (2.0 + 0.6 * words) <= 1.5 * delivered + 30.0 * (double) m;
}

/*
 * Fill the child of branch i with its rows or bits, when its items are known: their numbers in the
 * node are chosen[0] to chosen[child->m - 1]. local is END for each item of the node, before and
 * after. CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_itemset_node_fill(CrmItemsetSearch *search, const Node *node, uint32_t i,
					  const uint32_t *chosen, uint32_t *local, Node *child)
{
	uint64_t entries = 0;
	CrmStatus status;

	if (node->bits != NULL)
		return narrow_bits(search, node, i, chosen, child);
	for (uint32_t k = 0; k < child->m; k++)
	{
		entries += child->count[k];
		local[chosen[k]] = k;
	}
	status = is_dense(child->m, node->last[i] - node->first[i], entries)
				 ? make_bits(search, node, i, local, child)
				 : make_rows(search, node, i, local, entries, child);
	for (uint32_t k = 0; k < child->m; k++)
		local[chosen[k]] = END;
	return status;
}

/* Make the first node, whose P is empty, from all rows, which must outlive it; errors as before. */
CrmStatus
crm_itemset_node_root(CrmItemsetSearch *search, const CrmItemsetRows *rows, Node *root)
{
	uint32_t row = 0;
	CrmStatus status;

	*root = (Node){.m = rows->m,
				   .n_branch = rows->n_branch,
				   .code = rows->code,
				   .count = rows->count,
				   .item = rows->item,
				   .occurrence = rows->occurrence,
				   .first = rows->first,
				   .last = rows->last};
	if (rows->n == 0 || !is_dense(rows->m, rows->n, rows->n_item - rows->n - 1))
		return CRM_OK;
	status = make_vectors(search, ((size_t) rows->n + 63) / 64, root);
	if (status != CRM_OK)
		return status;
	memset(root->bits, 0, root->m * root->words * sizeof(uint64_t));
	for (size_t at = 1; at < rows->n_item; at++)
	{
		uint32_t k = rows->item[at];

		if (k == END)
			row++;
		else
			root->bits[k * root->words + row / 64] |= UINT64_C(1) << row % 64;
		if (crm_itemset_search_is_stopped(search, 1))
			return CRM_ABORTED;
	}
	return CRM_OK;
}
