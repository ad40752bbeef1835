/*
 * rules_store.c: itemsets with their counts, found again by their items.
 */
#include "kernel/rules_store.h"

#include <string.h>

#include "kernel/base/table.h"

#define HEADER    3 /* words of a set before its items */
#define MIN_SLOTS 1024

/* Begin an empty store. */
void
crm_rules_store_init(CrmRulesStore *store, CrmCtx *ctx)
{
	*store = (CrmRulesStore){.ctx = ctx, .slots = MIN_SLOTS};
}

/* Give back all memory; the store is then as after init. */
void
crm_rules_store_free(CrmRulesStore *store)
{
	CrmCtx *ctx = store->ctx;

	for (uint32_t i = 0; i < store->n_pages; i++)
		crm_release(ctx, store->pages[i].words, CRM_RULES_PAGE, sizeof(uint32_t));
	crm_release(ctx, store->pages, store->max_pages, sizeof *store->pages);
	crm_release(ctx, store->index, store->slots, sizeof *store->index);
	crm_rules_store_init(store, ctx);
}

/* Give the bytes that the sets take, and the index, made or not. */
size_t
crm_rules_store_bytes(const CrmRulesStore *store)
{
	return (size_t) store->n_pages * CRM_RULES_PAGE * sizeof(uint32_t) +
		   store->slots * sizeof *store->index;
}

/* Tell whether the index that is still to be made fits the budget. */
static bool
has_room_for_index(const CrmRulesStore *store)
{
	CrmCtx *ctx = store->ctx;
	size_t wanted = ctx->used + store->slots * sizeof *store->index;

	if (store->index != NULL || ctx->limit == 0 || wanted <= ctx->limit)
		return true;
	ctx->wanted = wanted;
	return false;
}

/* Begin a new page, if with it there is memory for the index, too. */
static CrmStatus
add_page(CrmRulesStore *store)
{
	CrmCtx *ctx = store->ctx;
	uint32_t *words;

	if (store->n_pages == UINT32_MAX / CRM_RULES_PAGE)
	{
		ctx->wanted = SIZE_MAX;
		return CRM_LIMIT;
	}
	if (store->n_pages == store->max_pages)
	{
		uint32_t more = store->max_pages > 0 ? 2 * store->max_pages : 64;
		CrmRulesPage *pages = crm_allocate(ctx, more, sizeof *pages);

		if (pages == NULL)
			return ctx->failure;
		if (store->n_pages > 0)
			memcpy(pages, store->pages, store->n_pages * sizeof *pages);
		crm_release(ctx, store->pages, store->max_pages, sizeof *pages);
		store->pages = pages;
		store->max_pages = more;
	}
	words = crm_allocate(ctx, CRM_RULES_PAGE, sizeof *words);
	if (words == NULL)
		return ctx->failure;
	if (!has_room_for_index(store))
	{
		crm_release(ctx, words, CRM_RULES_PAGE, sizeof *words);
		return CRM_LIMIT;
	}
	store->pages[store->n_pages++] = (CrmRulesPage){.words = words};
	return CRM_OK;
}

/* Give the hash of a set of items, whatever their order. */
static uint64_t
hash_items(const uint32_t *items, uint32_t length)
{
	uint64_t hash = 0;

	for (uint32_t i = 0; i < length; i++)
		hash += crm_mix64(items[i] + UINT64_C(0x9E3779B97F4A7C15));
	return hash;
}

/* Put a set into the index, which has room. */
static void
put_index(CrmRulesStore *store, uint32_t set, uint64_t hash)
{
	size_t at = hash & (store->slots - 1);

	while (store->index[at] != 0)
		at = (at + 1) & (store->slots - 1);
	store->index[at] = (hash >> 32) << 32 | (set + 1);
}

/*
 * Append a set, which is not in the store yet; its items ascend and are copied. Gives its number.
 * Errors: CRM_LIMIT when there is no memory for it and the index, or it has more than
 * CRM_RULES_MAX_LENGTH items (wanted is then what its subsets would take); CRM_NO_MEMORY.
 */
CrmStatus
crm_rules_store_add(CrmRulesStore *store, const uint32_t *items, uint32_t length, uint32_t count,
					uint32_t *set)
{
	uint32_t words = HEADER + length;
	CrmRulesPage *page;
	CrmRulesSet *room;

	if (length > CRM_RULES_MAX_LENGTH)
	{
		store->ctx->wanted = SIZE_MAX;
		return CRM_LIMIT;
	}
	if (store->n_pages == 0 || store->pages[store->n_pages - 1].used + words > CRM_RULES_PAGE)
	{
		CrmStatus status = add_page(store);

		if (status != CRM_OK)
			return status;
	}
	/* at most 3/4 of the slots are to be taken */
	if (store->index == NULL && store->n >= store->slots / 4 * 3)
	{
		store->slots *= 2;
		if (!has_room_for_index(store))
		{
			store->slots /= 2;
			return CRM_LIMIT;
		}
	}
	page = &store->pages[store->n_pages - 1];
	*set = (store->n_pages - 1) * CRM_RULES_PAGE + page->used;
	page->used += words;
	room = crm_rules_set(store, *set);
	room->count = count;
	room->length = length;
	room->side = 0;
	memcpy(room->items, items, length * sizeof *items);
	store->n++;
	return CRM_OK;
}

/* Make an index of that many slots over all sets. */
static CrmStatus
make_index(CrmRulesStore *store, size_t slots)
{
	CrmCtx *ctx = store->ctx;
	size_t done = 0;

	crm_release(ctx, store->index, store->slots, sizeof *store->index);
	store->index = crm_allocate(ctx, slots, sizeof *store->index);
	store->slots = slots;
	if (store->index == NULL)
		return ctx->failure;
	memset(store->index, 0, slots * sizeof *store->index);
	for (uint32_t set = crm_rules_store_first(store); set != CRM_RULES_NO_SET;
		 set = crm_rules_store_next(store, set))
	{
		const CrmRulesSet *s = crm_rules_set(store, set);

		put_index(store, set, hash_items(s->items, s->length));
		if (++done % 65536 == 0 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Make the index, after which sets are found. Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED. */
CrmStatus
crm_rules_store_index(CrmRulesStore *store)
{
	return make_index(store, store->slots);
}

/* Give the first set's number, CRM_RULES_NO_SET when there is none. */
uint32_t
crm_rules_store_first(const CrmRulesStore *store)
{
	return store->n > 0 ? 0 : CRM_RULES_NO_SET;
}

/* Give the number of the set that was added after this one, CRM_RULES_NO_SET after the last. */
uint32_t
crm_rules_store_next(const CrmRulesStore *store, uint32_t set)
{
	uint32_t next = set + HEADER + crm_rules_set(store, set)->length;
	uint32_t page = set / CRM_RULES_PAGE;

	if (next - page * CRM_RULES_PAGE < store->pages[page].used)
		return next;
	return page + 1 < store->n_pages ? (page + 1) * CRM_RULES_PAGE : CRM_RULES_NO_SET;
}

/* Copy the items of a set whose bits are in the mask; give how many. */
static uint32_t
take(const CrmRulesSet *set, uint64_t mask, uint32_t *items)
{
	uint32_t n = 0;

	for (; mask != 0; mask &= mask - 1)
		items[n++] = set->items[__builtin_ctzll(mask)];
	return n;
}

/* Give the number of the set of these items, CRM_RULES_NO_SET when it is not there. */
static uint32_t
find(const CrmRulesStore *store, const uint32_t *items, uint32_t length, uint64_t hash)
{
	size_t at = hash & (store->slots - 1);

	for (; store->index[at] != 0; at = (at + 1) & (store->slots - 1))
		if (store->index[at] >> 32 == hash >> 32)
		{
			uint32_t set = (uint32_t) store->index[at] - 1;
			const CrmRulesSet *s = crm_rules_set(store, set);

			if (s->length == length && memcmp(s->items, items, length * sizeof *items) == 0)
				return set;
		}
	return CRM_RULES_NO_SET;
}

/*
 * Give the number of the subset of a set whose items have their bits in the mask, from item 0 at
 * bit 0 on; CRM_RULES_NO_SET when it is not there. The index must have been made.
 */
uint32_t
crm_rules_store_find(const CrmRulesStore *store, const CrmRulesSet *set, uint64_t mask)
{
	uint32_t items[CRM_RULES_MAX_LENGTH];
	uint32_t length = take(set, mask, items);

	return find(store, items, length, hash_items(items, length));
}

/*
 * The same, and where it is not there, add it with a count of 0. Gives its number. Errors:
 * CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_rules_store_need(CrmRulesStore *store, const CrmRulesSet *set, uint64_t mask, uint32_t *found)
{
	uint32_t items[CRM_RULES_MAX_LENGTH];
	uint32_t length = take(set, mask, items);
	uint64_t hash = hash_items(items, length);
	CrmStatus status;

	*found = find(store, items, length, hash);
	if (*found != CRM_RULES_NO_SET)
		return CRM_OK;
	status = crm_rules_store_add(store, items, length, 0, found);
	if (status != CRM_OK)
		return status;
	if (store->n > store->slots / 4 * 3)
		return make_index(store, 2 * store->slots);
	put_index(store, *found, hash);
	return CRM_OK;
}
