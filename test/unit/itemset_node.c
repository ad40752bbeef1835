/*
 * itemset_node.c: unit tests of nodes: in rows or bits, the pairs of a node have the support that
 * the baskets give them.
 */
#include "itemset_wide.h"

#include "kernel/itemset_node.h"

enum
{
	N_BASKETS = 1500,
	N_ITEMS = 150
};

static Wide wide;
static bool has[N_ITEMS][N_BASKETS];

/* Give the baskets that hold up to four codes; a code may come twice. */
static uint32_t
support(const uint32_t code[4])
{
	uint32_t count = 0;

	for (uint32_t b = 0; b < wide.baskets.n; b++)
		count += has[code[0]][b] & has[code[1]][b] & has[code[2]][b] & has[code[3]][b];
	return count;
}

/* Give the support that a node's rows or bits give to two of its items. */
static uint32_t
count_pair(const CrmItemsetNode *node, uint32_t a, uint32_t b)
{
	uint32_t count = 0;

	if (node->bits != NULL)
	{
		for (size_t w = 0; w < node->words; w++)
			count += (uint32_t) __builtin_popcountll(node->bits[a * node->words + w] &
													 node->bits[b * node->words + w]);
		return count;
	}
	for (uint32_t o = node->first[a]; o < node->last[a]; o++)
		for (const uint32_t *at = node->item + node->occurrence[o]; *at != CRM_ITEMSET_END; at++)
			count += *at == b;
	return count;
}

/* Tell whether some pairs of a node are right, whose P is two codes. */
static bool
are_pairs_right(const CrmItemsetNode *node, uint32_t one, uint32_t two)
{
	for (int t = 0; t < 12 && node->m > 1; t++)
	{
		uint32_t b = (uint32_t) (1 + draw_below(node->m - 1)), a = (uint32_t) draw_below(b);
		uint32_t code[4] = {one, two, node->code[a], node->code[b]};

		if (count_pair(node, a, b) != support(code))
			return false;
	}
	return true;
}

/* Fill the child of branch i, whose P is two codes; false when it has pairs that are wrong. */
static bool
try_child(CrmItemsetSearch *search, const CrmItemsetNode *node, uint32_t i, uint32_t one,
		  uint32_t two, CrmItemsetNode *child)
{
	uint32_t chosen[N_ITEMS], local[N_ITEMS];
	bool passed;

	*child =
		(CrmItemsetNode){.code = crm_itemset_search_take(search, 2 * node->m * sizeof(uint32_t))};
	child->count = child->code + node->m;
	memset(local, 0xFF, sizeof local);
	for (uint32_t k = search->target == CRM_ITEMSET_FREQUENT ? i + 1 : 0; k < node->m; k++)
	{
		uint32_t count = support((uint32_t[]){one, two, node->code[k], node->code[k]});

		if (k == i || count < search->min_count)
			continue;
		chosen[child->m] = k;
		child->code[child->m] = node->code[k];
		child->count[child->m++] = count;
	}
	if (child->m == 0)
		return true;
	passed = crm_itemset_node_fill(search, node, i, chosen, local, child) == CRM_OK;
	for (uint32_t k = 0; k < N_ITEMS; k++)
		passed &= local[k] == CRM_ITEMSET_END;
	return passed && are_pairs_right(child, one, two);
}

/* Draw baskets and prepare them. */
static CrmItemsetRows
draw_rows(CrmCtx *ctx, uint32_t n, double density, uint32_t min_count)
{
	CrmItemsetParam param = {.min_count = min_count, .min_length = 1};
	CrmItemsetRows rows;

	wide_draw(&wide, n, N_ITEMS, density, 0.98);
	memset(has, 0, sizeof has);
	for (uint32_t b = 0; b < n; b++)
		for (uint64_t j = wide.start[b]; j < wide.start[b + 1]; j++)
			has[wide.items[j]][b] = true;
	(void) crm_itemset_prepare(ctx, &wide.baskets, &param, &rows);
	return rows;
}

int
main(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	bool passed = true;
	int rows_rows = 0, rows_bits = 0, bits_bits = 0;

	for (int t = 0; t < 30; t++)
	{
		CrmItemsetSearch search = {.ctx = ctx,
								   .target = t % 2 ? CRM_ITEMSET_FREQUENT : CRM_ITEMSET_CLOSED,
								   .min_count = (uint32_t) (1 + draw_below(9))};
		CrmItemsetRows rows = draw_rows(ctx, (uint32_t) (N_BASKETS / 2 + draw_below(N_BASKETS / 2)),
										t % 3 ? 0.15 : 0.9, search.min_count);
		CrmItemsetNode root, child, grandchild;

		(void) crm_itemset_search_begin(&search, N_ITEMS);
		passed &= crm_itemset_node_root(&search, &rows, &root) == CRM_OK && root.m == rows.m;
		for (uint32_t i = 0; i < root.m; i += 1 + (uint32_t) draw_below(20))
		{
			uint32_t one = root.code[i], j;

			passed &= try_child(&search, &root, i, one, one, &child);
			rows_rows += root.bits == NULL && child.m > 1 && child.bits == NULL;
			rows_bits += root.bits == NULL && child.bits != NULL;
			if (child.m == 0)
				continue;
			j = (uint32_t) draw_below(child.m);
			passed &= try_child(&search, &child, j, one, child.code[j], &grandchild);
			bits_bits += child.bits != NULL && grandchild.bits != NULL;
		}
		crm_itemset_search_end(&search);
		crm_itemset_rows_free(ctx, &rows);
	}
	ok(passed, "pairs of a node have the support that the baskets give them");
	ok(rows_rows > 10 && rows_bits > 20 && bits_bits > 20,
	   "in rows of rows (%d), bits of rows (%d), bits of bits (%d)", rows_rows, rows_bits,
	   bits_bits);
	is_clean(&tap, "nodes");
	return tap_done();
}
