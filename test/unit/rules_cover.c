/*
 * rules_cover.c: unit tests of the baskets that hold each of a list of sets, against looking.
 */
#include "kernel/rules_cover.h"
#include "shop.h"

typedef struct Seen
{
	const Shop *shop;
	const CrmRulesStore *store;
	size_t visits, wrong;
} Seen;

/* Tell whether a basket holds all items of a set. */
static bool
holds(const Shop *shop, uint32_t basket, const CrmRulesSet *set)
{
	for (uint32_t i = 0; i < set->length; i++)
	{
		bool found = false;

		for (uint64_t k = shop->start[basket]; k < shop->start[basket + 1]; k++)
			found |= shop->items[k] == set->items[i];
		if (!found)
			return false;
	}
	return true;
}

static void
visit(void *arg, uint32_t number, const uint32_t *baskets, uint32_t n)
{
	Seen *seen = arg;
	CrmRulesSet *set = crm_rules_set(seen->store, number);
	uint32_t k = 0;

	for (uint32_t b = 0; b < seen->shop->baskets.n; b++)
		if (holds(seen->shop, b, set))
			seen->wrong += k >= n || baskets[k++] != b;
	seen->wrong += k != n;
	set->count++;
	seen->visits++;
}

/* Fill a store with sets of up to 5 items, each once; give their numbers. */
static size_t
draw_sets(CrmRulesStore *store, uint32_t n_items, size_t wanted, uint32_t *numbers)
{
	uint32_t all[64], whole;
	size_t n = 0;

	for (uint32_t i = 0; i < n_items; i++)
		all[i] = i;
	(void) crm_rules_store_add(store, all, n_items, 0, &whole);
	(void) crm_rules_store_index(store);
	for (size_t i = 0; i < wanted; i++)
	{
		uint64_t mask = 0;
		uint32_t before = store->n;

		for (uint64_t k = 1 + draw_below(5); k > 0; k--)
			mask |= UINT64_C(1) << draw_below(n_items);
		(void) crm_rules_store_need(store, crm_rules_set(store, whole), mask, &numbers[n]);
		n += store->n > before;
	}
	return n;
}

static void
test_covers(void)
{
	for (int i = 0; i < 40; i++)
	{
		Shop shop;
		CrmRulesStore store;
		TapContext tap;
		CrmCtx *ctx = tap_context(&tap);
		uint32_t numbers[400], n_items = 2 + (uint32_t) draw_below(20);
		size_t n, wrong = 0;
		Seen seen = {.shop = &shop, .store = &store};

		shop_draw(&shop, (uint32_t) draw_below(500), n_items, (uint32_t) draw_below(120));
		crm_rules_store_init(&store, ctx);
		n = draw_sets(&store, n_items, draw_below(400), numbers);
		wrong += crm_rules_cover(ctx, &shop.baskets, &store, numbers, n, visit, &seen) != CRM_OK;
		for (size_t s = 0; s < n; s++)
			wrong += crm_rules_set(&store, numbers[s])->count != 1;
		ok(wrong == 0 && seen.wrong == 0 && seen.visits == n, "%zu sets of %u items in %u baskets",
		   n, n_items, shop.baskets.n);
		crm_rules_store_free(&store);
		is_clean(&tap, "the cover");
		shop_free(&shop);
	}
}

/* A rare item and a frequent one: their lists are searched, not merged. */
static void
test_skewed(void)
{
	Shop shop;
	CrmRulesStore store;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	uint32_t items[3] = {0, 1, 2}, number;
	Seen seen = {.shop = &shop, .store = &store};
	size_t before, allocations, polls, wrong = 0;

	shop_begin(&shop, 200000, 3);
	for (uint32_t b = 0; b < 200000; b++)
	{
		shop.start[b + 1] = shop.start[b];
		shop_put(&shop, b, 2);
		if (b % 3 != 0)
			shop_put(&shop, b, 1);
		if (draw_below(9000) == 0 || b == 199999)
			shop_put(&shop, b, 0);
	}
	shop_end(&shop);
	crm_rules_store_init(&store, ctx);
	(void) crm_rules_store_add(&store, items, 3, 0, &number);
	before = tap.allocations;
	ok(crm_rules_cover(ctx, &shop.baskets, &store, &number, 1, visit, &seen) == CRM_OK &&
		   seen.wrong == 0 && seen.visits == 1,
	   "rare and frequent items");
	allocations = tap.allocations;
	polls = tap.polls;
	for (size_t i = before + 1; i <= allocations; i++)
	{
		tap.allocations = before;
		tap.fail_at = i;
		wrong +=
			crm_rules_cover(ctx, &shop.baskets, &store, &number, 1, visit, &seen) != CRM_NO_MEMORY;
	}
	tap.fail_at = 0;
	for (size_t i = 1; i <= polls; i++)
	{
		tap.polls = 0;
		tap.abort_at = i;
		wrong +=
			crm_rules_cover(ctx, &shop.baskets, &store, &number, 1, visit, &seen) != CRM_ABORTED;
	}
	ok(wrong == 0 && polls > 1, "failures and aborts are told");
	crm_rules_store_free(&store);
	is_clean(&tap, "all of this");
	shop_free(&shop);
}

int
main(void)
{
	test_covers();
	test_skewed();
	return tap_done();
}
