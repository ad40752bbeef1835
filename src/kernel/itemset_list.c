/*
 * itemset_list.c: itemsets kept as they are reported, then put in order; see itemset_list.h.
 *
 * Sets lie in pages, one after another: count, length, items. They are ordered by a radix sort on
 * 64 bits of what decides (count, length, first item), and runs of equals by a heap sort on the
 * items.
 */
#include "kernel/itemset_list.h"

#include <string.h>

#include "kernel/base/order.h"

#define PAGE_BITS  14 /* a position is a page and a word of it */
#define PAGE_WORDS ((size_t) 1 << PAGE_BITS)
#define MAX_PAGES  ((size_t) 1 << (32 - PAGE_BITS))
#define HEAD_WORDS 2 /* count and length */
#define POLL_SETS  65536
#define MAX_LENGTH 255                        /* that the first sort tells apart */
#define MAX_FIRST  (((uint32_t) 1 << 24) - 1) /* the same, of the first item */
#define REFINE     4 /* halvings of the interval in which the suggestion lies */

/* Make an empty list. Its memory is the context's until crm_itemset_list_free. */
void
crm_itemset_list_init(CrmItemsetList *list, CrmCtx *ctx)
{
	*list = (CrmItemsetList){.ctx = ctx};
}

/* Give the words that a page with so many in use has room for. */
static size_t
page_room(size_t used)
{
	return used > PAGE_WORDS ? used : PAGE_WORDS;
}

/* Give the list room for more pages. */
static CrmStatus
grow_pages(CrmItemsetList *list)
{
	CrmCtx *ctx = list->ctx;
	size_t max = list->max_pages == 0 ? 16 : 2 * list->max_pages;
	uint32_t **pages = crm_allocate(ctx, max, sizeof(uint32_t *));
	size_t *used = crm_allocate(ctx, max, sizeof(size_t));

	if (pages == NULL || used == NULL)
	{
		crm_release(ctx, pages, max, sizeof(uint32_t *));
		crm_release(ctx, used, max, sizeof(size_t));
		return ctx->failure;
	}
	if (list->n_pages > 0)
	{
		memcpy(pages, list->pages, list->n_pages * sizeof(uint32_t *));
		memcpy(used, list->used, list->n_pages * sizeof(size_t));
	}
	crm_release(ctx, list->pages, list->max_pages, sizeof(uint32_t *));
	crm_release(ctx, list->used, list->max_pages, sizeof(size_t));
	list->pages = pages;
	list->used = used;
	list->max_pages = max;
	return CRM_OK;
}

/* Append a page that holds at least so many words; what ordering will take must fit as well. */
static CrmStatus
add_page(CrmItemsetList *list, size_t words)
{
	CrmCtx *ctx = list->ctx;
	size_t room = page_room(words);
	CrmStatus status;

	ctx->wanted = ctx->used + room * sizeof(uint32_t) +
				  ((size_t) list->n + PAGE_WORDS / HEAD_WORDS) * CRM_ITEMSET_LIST_SET_BYTES;
	if (list->n_pages == MAX_PAGES || (ctx->limit > 0 && ctx->wanted > ctx->limit))
		return ctx->failure = CRM_LIMIT;
	if (list->n_pages == list->max_pages && (status = grow_pages(list)) != CRM_OK)
		return status;
	list->pages[list->n_pages] = crm_allocate(ctx, room, sizeof(uint32_t));
	if (list->pages[list->n_pages] == NULL)
		return ctx->failure;
	list->used[list->n_pages++] = 0;
	return CRM_OK;
}

/* Take an itemset; a CrmItemsetReport. CRM_LIMIT when the budget would be passed. */
CrmStatus
crm_itemset_list_add(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	CrmItemsetList *list = arg;
	size_t words = (size_t) length + HEAD_WORDS;
	size_t *used = list->n_pages > 0 ? &list->used[list->n_pages - 1] : NULL;
	uint32_t *at;

	if (used == NULL || page_room(*used) - *used < words)
	{
		CrmStatus status = add_page(list, words);

		if (status != CRM_OK)
			return status;
		used = &list->used[list->n_pages - 1];
	}
	at = list->pages[list->n_pages - 1] + *used;
	at[0] = count;
	at[1] = length;
	memcpy(at + HEAD_WORDS, items, length * sizeof(uint32_t));
	*used += words;
	list->n++;
	return CRM_OK;
}

/* Give the set at a position. */
static inline const CrmItemset *
set_at(const CrmItemsetList *list, uint32_t position)
{
	return (const CrmItemset *) (list->pages[position >> PAGE_BITS] +
								 (position & (PAGE_WORDS - 1)));
}

/* Give set i in order, 0 .. n - 1; it lives until the list is freed. */
const CrmItemset *
crm_itemset_list_get(const CrmItemsetList *list, uint32_t i)
{
	return set_at(list, list->position[i]);
}

/* Give the 64 bits by which sets are ordered first. */
static inline uint64_t
sort_key(const CrmItemset *set)
{
	uint32_t length = set->length < MAX_LENGTH ? set->length : MAX_LENGTH;
	uint32_t first = set->length > 0 && set->items[0] < MAX_FIRST ? set->items[0] : MAX_FIRST;

	return (uint64_t) (UINT32_MAX - set->count) << 32 | (uint64_t) length << 24 | first;
}

/* Tell whether a set of the same count comes before another. */
static bool
is_before(const CrmItemset *a, const CrmItemset *b)
{
	if (a->length != b->length)
		return a->length < b->length;
	for (uint32_t i = 0; i < a->length; i++)
		if (a->items[i] != b->items[i])
			return a->items[i] < b->items[i];
	return false;
}

/* Let position[i] sink to its place in a heap of n positions whose top comes last. */
static void
sink(const CrmItemsetList *list, uint32_t *position, size_t i, size_t n)
{
	uint32_t sinking = position[i];
	size_t child;

	while ((child = 2 * i + 1) < n)
	{
		if (child + 1 < n &&
			is_before(set_at(list, position[child]), set_at(list, position[child + 1])))
			child++;
		if (!is_before(set_at(list, sinking), set_at(list, position[child])))
			break;
		position[i] = position[child];
		i = child;
	}
	position[i] = sinking;
}

/* Order n positions by the items of their sets. */
static CrmStatus
sort_run(const CrmItemsetList *list, uint32_t *position, size_t n)
{
	for (size_t i = n / 2; i > 0; i--)
	{
		if (i % POLL_SETS == 0 && crm_poll(list->ctx))
			return CRM_ABORTED;
		sink(list, position, i - 1, n);
	}
	for (size_t end = n - 1; end > 0; end--)
	{
		uint32_t last = position[0];

		if (end % POLL_SETS == 0 && crm_poll(list->ctx))
			return CRM_ABORTED;
		position[0] = position[end];
		position[end] = last;
		sink(list, position, 0, end);
	}
	return CRM_OK;
}

/* Fill in where each set lies and its sort key, in the order in which they came. */
static CrmStatus
find_sets(const CrmItemsetList *list, uint32_t *position, uint64_t *key, uint32_t *index)
{
	uint32_t i = 0;

	for (size_t page = 0; page < list->n_pages; page++)
		for (size_t word = 0; word < list->used[page]; i++)
		{
			const CrmItemset *set = (const CrmItemset *) (list->pages[page] + word);

			if (i % POLL_SETS == 0 && crm_poll(list->ctx))
				return CRM_ABORTED;
			position[i] = (uint32_t) (page << PAGE_BITS | word);
			key[i] = sort_key(set);
			index[i] = i;
			word += (size_t) set->length + HEAD_WORDS;
		}
	return CRM_OK;
}

/* Put the sets whose keys are sorted at their places, and order those of equal keys. */
static CrmStatus
place_sets(CrmItemsetList *list, const uint32_t *found, const uint64_t *key, const uint32_t *index)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < list->n; i++)
		list->position[i] = found[index[i]];
	for (uint32_t i = 1; i <= list->n; i++)
	{
		CrmStatus status;

		if (i % POLL_SETS == 0 && crm_poll(list->ctx))
			return CRM_ABORTED;
		if (i < list->n && key[index[i]] == key[index[first]])
			continue;
		if (i - first > 1 && (status = sort_run(list, list->position + first, i - first)) != CRM_OK)
			return status;
		first = i;
	}
	return CRM_OK;
}

/* Put the sets in order; to be called once, when all are in. */
CrmStatus
crm_itemset_list_sort(CrmItemsetList *list)
{
	CrmCtx *ctx = list->ctx;
	size_t n = list->n;
	uint32_t *found = crm_allocate(ctx, n, sizeof(uint32_t));
	uint64_t *key = crm_allocate(ctx, n, sizeof(uint64_t));
	uint32_t *index = crm_allocate(ctx, n, sizeof(uint32_t));
	CrmStatus status;

	/* the radix sort's scratch becomes the positions */
	list->position = crm_allocate(ctx, n, sizeof(uint32_t));
	if (found != NULL && key != NULL && index != NULL && list->position != NULL)
	{
		status = find_sets(list, found, key, index);
		if (status == CRM_OK)
			status = crm_radix_sort_index(ctx, key, index, list->position, n);
		if (status == CRM_OK)
			status = place_sets(list, found, key, index);
	}
	else
		status = ctx->failure;
	crm_release(ctx, index, n, sizeof(uint32_t));
	crm_release(ctx, key, n, sizeof(uint64_t));
	crm_release(ctx, found, n, sizeof(uint32_t));
	return status;
}

/* Release all that the list holds; it is empty then. */
void
crm_itemset_list_free(CrmItemsetList *list)
{
	CrmCtx *ctx = list->ctx;

	for (size_t page = 0; page < list->n_pages; page++)
		crm_release(ctx, list->pages[page], page_room(list->used[page]), sizeof(uint32_t));
	crm_release(ctx, list->pages, list->max_pages, sizeof(uint32_t *));
	crm_release(ctx, list->used, list->max_pages, sizeof(size_t));
	crm_release(ctx, list->position, list->n, sizeof(uint32_t));
	crm_itemset_list_init(list, ctx);
}

/* ---- a support that fits ----------------------------------------------------------------- */

/* What a list of the sets would take, as far as it may. */
typedef struct Meter
{
	const CrmCtx *ctx;
	size_t bytes;
	size_t limit; /* of these and what the miner holds, together */
} Meter;

/* Count the bytes of a set; a CrmItemsetReport. CRM_LIMIT when they are too many. */
static CrmStatus
measure(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	Meter *meter = arg;

	(void) items;
	(void) count;
	meter->bytes += (length + HEAD_WORDS) * sizeof(uint32_t) + CRM_ITEMSET_LIST_SET_BYTES;
	return meter->ctx->used + meter->bytes > meter->limit ? CRM_LIMIT : CRM_OK;
}

/* Try whether miner and sets of a count fit into so many bytes: CRM_OK, CRM_LIMIT, or a failure. */
static CrmStatus
try_count(CrmCtx *ctx, const CrmBaskets *baskets, const CrmItemsetParam *param, size_t bytes,
		  uint32_t min_count)
{
	CrmItemsetParam other = *param;
	Meter meter = {.ctx = ctx, .limit = bytes};

	other.min_count = min_count;
	return crm_itemset_mine(ctx, baskets, &other, measure, &meter);
}

/*
 * Find a count at which miner and sets would fit into so many bytes of the context, where those of
 * param->min_count do not: the least of the doubled counts, then nearer by halving. No try takes
 * longer than the work that has failed. *min_count is 0 when even the number of baskets is too low
 * a count.
 */
CrmStatus
crm_itemset_list_suggest(CrmCtx *ctx, const CrmBaskets *baskets, const CrmItemsetParam *param,
						 size_t bytes, uint32_t *min_count)
{
	uint64_t low = param->min_count;
	uint64_t high = low;
	CrmStatus status;

	*min_count = 0;
	do
	{
		if (high >= baskets->n)
			return CRM_OK;
		low = high;
		high = 2 * high < baskets->n ? 2 * high : baskets->n;
		status = try_count(ctx, baskets, param, bytes, (uint32_t) high);
	} while (status == CRM_LIMIT);
	for (int i = 0; i < REFINE && high - low > 1 && status == CRM_OK; i++)
	{
		uint64_t middle = low + (high - low) / 2;

		status = try_count(ctx, baskets, param, bytes, (uint32_t) middle);
		if (status == CRM_OK)
			high = middle;
		else if (status == CRM_LIMIT)
		{
			low = middle;
			status = CRM_OK;
		}
	}
	if (status == CRM_OK)
		*min_count = (uint32_t) high;
	return status;
}
