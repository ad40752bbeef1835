/*
 * itemset_list.c: itemsets kept in order, against the order of texts made of them; the suggested
 * count against sets that can be counted by hand; budgets, aborts and failures leak nothing.
 */
#include "tap.h"

#include "kernel/base/rng.h"
#include "kernel/itemset_list.h"

#define MANY 40000

/* Add n random sets of up to 8 items; gives a checksum that does not depend on their order. */
static uint64_t
add_random(CrmItemsetList *list, uint64_t seed, int n, CrmStatus *status)
{
	CrmRng rng;
	uint64_t sum = 0;

	*status = CRM_OK;
	crm_rng_seed(&rng, seed, 0);
	for (int i = 0; i < n && *status == CRM_OK; i++)
	{
		uint32_t items[8];
		uint32_t length = 1 + (uint32_t) (crm_rng_next(&rng) % 8);
		uint32_t count = 1 + (uint32_t) (crm_rng_next(&rng) % 7);
		uint32_t item = 0;
		uint64_t hash = count;

		for (uint32_t k = 0; k < length; k++)
		{
			items[k] = item += 1 + (uint32_t) (crm_rng_next(&rng) % 5);
			hash = crm_rng_mix(hash) + items[k];
		}
		sum += crm_rng_mix(hash);
		*status = crm_itemset_list_add(list, items, length, count);
	}
	return sum;
}

/* Write a set so that the order of the texts is the order that is wanted. */
static void
write_text(const CrmItemset *set, char *text)
{
	int at = sprintf(text, "%010u %05u", 4000000000u - set->count, set->length);

	for (uint32_t i = 0; i < set->length; i++)
		at += sprintf(text + at, " %07u", set->items[i]);
}

/* Sets come out as they came in, and in order. */
static void
test_order(void)
{
	TapContext tap;
	CrmItemsetList list;
	char text[2][256] = {"", ""};
	CrmStatus status;
	uint64_t want, got = 0;
	int wrong = 0;

	crm_itemset_list_init(&list, tap_context(&tap));
	want = add_random(&list, 7, MANY, &status);
	is_int(status, CRM_OK, "sets are taken");
	is_int(list.n, MANY, "all of them");
	is_int(crm_itemset_list_sort(&list), CRM_OK, "and put in order");
	for (uint32_t i = 0; i < list.n; i++)
	{
		const CrmItemset *set = crm_itemset_list_get(&list, i);
		uint64_t hash = set->count;

		for (uint32_t k = 0; k < set->length; k++)
			hash = crm_rng_mix(hash) + set->items[k];
		got += crm_rng_mix(hash);
		write_text(set, text[i % 2]);
		wrong += strcmp(text[(i + 1) % 2], text[i % 2]) > 0;
	}
	is_int(wrong, 0, "no set comes after one that it should precede");
	ok(got == want, "the sets are those that came");
	crm_itemset_list_free(&list);
	is_clean(&tap, "a list");
	is_int(crm_itemset_list_sort(&list), CRM_OK, "no sets at all");
	crm_itemset_list_free(&list);
	is_clean(&tap, "an empty list");
}

/* A set longer than a page, between short ones; counts and codes at their limits. */
static void
test_extremes(void)
{
	static uint32_t items[100000];
	TapContext tap;
	CrmItemsetList list;
	uint32_t last[] = {UINT32_MAX - 1};
	int status = 0;

	for (uint32_t i = 0; i < 100000; i++)
		items[i] = 3 * i;
	crm_itemset_list_init(&list, tap_context(&tap));
	status |= crm_itemset_list_add(&list, items + 1, 2, 9);
	status |= crm_itemset_list_add(&list, items, 100000, 9);
	status |= crm_itemset_list_add(&list, last, 1, UINT32_MAX);
	status |= crm_itemset_list_add(&list, items, 99999, 9);
	status |= crm_itemset_list_add(&list, items, 2, 9);
	status |= crm_itemset_list_sort(&list);
	is_int(status, CRM_OK, "long sets are taken");
	is_int(crm_itemset_list_get(&list, 0)->count, UINT32_MAX, "the largest count comes first");
	is_int(crm_itemset_list_get(&list, 0)->items[0], UINT32_MAX - 1, "with the largest code");
	is_int(crm_itemset_list_get(&list, 1)->items[0], 0, "then short sets, the lower item first");
	is_int(crm_itemset_list_get(&list, 2)->items[0], 3, "the higher item next");
	is_int(crm_itemset_list_get(&list, 3)->length, 99999, "then the longer ones");
	is_int(crm_itemset_list_get(&list, 4)->length, 100000, "the longest last");
	is_int(crm_itemset_list_get(&list, 4)->items[99999], 299997, "and whole");
	crm_itemset_list_free(&list);
	is_clean(&tap, "long sets");
}

/* What fits is ordered within the budget; what does not is refused, and nothing leaks. */
static void
test_failures(void)
{
	TapContext tap;
	CrmItemsetList list;
	CrmStatus status;
	int refused = 0, wrong = 0;

	for (size_t limit = 20000; limit < 4000000; limit += 199999)
	{
		crm_itemset_list_init(&list, tap_context(&tap));
		tap.ctx.limit = limit;
		(void) add_random(&list, 3, MANY, &status);
		refused += status == CRM_LIMIT;
		wrong += status != CRM_OK && status != CRM_LIMIT;
		wrong += crm_itemset_list_sort(&list) != CRM_OK || tap.ctx.peak > limit;
		crm_itemset_list_free(&list);
		wrong += tap.live != 0;
	}
	ok(refused > 2 && refused < 20, "a budget is kept: %d of 20 were too small", refused);
	is_int(wrong, 0, "and what was taken can be ordered within it");
	wrong = 0;
	for (size_t at = 1; at < 60; at++)
	{
		crm_itemset_list_init(&list, tap_context(&tap));
		tap.fail_at = at;
		(void) add_random(&list, 3, MANY, &status);
		if (status == CRM_OK)
			status = crm_itemset_list_sort(&list);
		wrong += status != (tap.allocations >= at ? CRM_NO_MEMORY : CRM_OK);
		crm_itemset_list_free(&list);
		wrong += tap.live != 0;
	}
	is_int(wrong, 0, "no memory is told, and leaks nothing");
	crm_itemset_list_init(&list, tap_context(&tap));
	(void) add_random(&list, 3, MANY, &status);
	tap.abort_at = 1;
	is_int(crm_itemset_list_sort(&list), CRM_ABORTED, "ordering can be stopped");
	crm_itemset_list_free(&list);
	is_clean(&tap, "what was stopped");
}

/*
 * Baskets: `twins` equal ones of 12 items, then others of one item of their own up to n. Up to the
 * count `twins` there are 2^12 - 1 sets of the twins; above it none.
 */
static void
fill_baskets(CrmBaskets *baskets, uint64_t *start, uint32_t *items, uint32_t n, uint32_t twins)
{
	uint64_t at = 0;

	for (uint32_t b = 0; b < n; b++)
	{
		start[b] = at;
		for (uint32_t i = 0; b < twins && i < 12; i++)
			items[at++] = i;
		if (b >= twins)
			items[at++] = 12;
	}
	start[n] = at;
	*baskets = (CrmBaskets){.n = n, .n_items = 13, .start = start, .items = items};
}

/* The suggested count is the least that fits, and none when nothing does. */
static void
test_suggest(void)
{
	TapContext tap;
	CrmBaskets baskets;
	CrmItemsetParam param = {.min_count = 2, .min_length = 1};
	uint64_t start[101];
	uint32_t items[12 * 100];
	uint32_t count = 77;

	fill_baskets(&baskets, start, items, 100, 10);
	tap_context(&tap);
	is_int(crm_itemset_list_suggest(&tap.ctx, &baskets, &param, 400000, &count), CRM_OK,
		   "a suggestion");
	is_int(count, 11, "is the least count at which 4,095 sets have gone");
	is_int(crm_itemset_list_suggest(&tap.ctx, &baskets, &param, 10000000, &count), CRM_OK,
		   "with room for all");
	ok(count > 2 && count <= 4, "it is the next higher count");
	fill_baskets(&baskets, start, items, 100, 100);
	is_int(crm_itemset_list_suggest(&tap.ctx, &baskets, &param, 400000, &count), CRM_OK,
		   "a hundred twins");
	is_int(count, 0, "fit at no count");
	param.max_length = 1;
	is_int(crm_itemset_list_suggest(&tap.ctx, &baskets, &param, 400000, &count), CRM_OK,
		   "but single items");
	ok(count > 2, "do: at %u", count);
	is_clean(&tap, "suggesting");
}

int
main(void)
{
	test_order();
	test_extremes();
	test_failures();
	test_suggest();
	return tap_done();
}
