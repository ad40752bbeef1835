/*
 * rules_store.c: unit tests of the store of itemsets: every subset that was added is found, no
 * other is, over many pages, and within the budget.
 */
#include "kernel/rules_store.h"
#include "host.h"

/* Add all sets of up to 4 of n items, with a count that tells which it is. */
static size_t
fill(CrmRulesStore *store, uint32_t n, CrmStatus *status)
{
	size_t added = 0;
	uint32_t set;

	*status = CRM_OK;
	for (uint32_t a = 0; a < n; a++)
		for (uint32_t b = a; b < n; b++)
			for (uint32_t c = b; c < n; c++)
				for (uint32_t d = c; d < n && *status == CRM_OK; d++)
				{
					/* equal neighbours stand for an item less: {a}, {a, b}, ... */
					uint32_t items[4] = {a}, length = 1;

					if ((a == b && (b != c || c != d)) || (b == c && c != d))
						continue;
					if (b != a)
						items[length++] = b;
					if (c != b)
						items[length++] = c;
					if (d != c)
						items[length++] = d;
					*status = crm_rules_store_add(store, items, length,
												  ((a * 64 + b) * 64 + c) * 64 + d, &set);
					added += *status == CRM_OK;
				}
	return added;
}

static void
test_find(void)
{
	TapContext tap;
	CrmRulesStore store;
	CrmStatus status;
	size_t added, walked = 0, wrong = 0, absent = 0;

	crm_rules_store_init(&store, tap_context(&tap));
	is_int(crm_rules_store_first(&store), CRM_RULES_NO_SET, "an empty store has no first set");
	added = fill(&store, 40, &status);
	ok(status == CRM_OK && added == 40 + 780 + 9880 + 91390 && store.n == added &&
		   store.n_pages > 5,
	   "%zu sets are added", added);
	ok(crm_rules_store_index(&store) == CRM_OK, "and indexed");
	for (uint32_t set = crm_rules_store_first(&store); set != CRM_RULES_NO_SET;
		 set = crm_rules_store_next(&store, set), walked++)
	{
		CrmRulesSet *s = crm_rules_set(&store, set);

		wrong += crm_rules_store_find(&store, s, crm_rules_all(s->length)) != set;
		for (uint64_t mask = 1; mask < crm_rules_all(s->length); mask++)
		{
			uint32_t found = crm_rules_store_find(&store, s, mask), k = 0;
			const CrmRulesSet *part;

			if (found == CRM_RULES_NO_SET)
			{
				wrong++;
				continue;
			}
			part = crm_rules_set(&store, found);
			for (uint32_t i = 0; i < s->length; i++)
				if ((mask >> i & 1) != 0)
					wrong += k >= part->length || part->items[k++] != s->items[i];
			wrong += k != part->length;
		}
		/* an item more than any has */
		s->items[0] += 1000;
		absent += crm_rules_store_find(&store, s, crm_rules_all(s->length)) == CRM_RULES_NO_SET;
		s->items[0] -= 1000;
	}
	ok(walked == added && wrong == 0, "all are walked, and every subset is found: %zu wrong",
	   wrong);
	ok(absent == added, "what is not there is not found");
	crm_rules_store_free(&store);
	is_clean(&tap, "the store");
}

/* What is needed and not there is added once, with a count of 0; the index grows. */
static void
test_need(void)
{
	TapContext tap;
	CrmRulesStore store;
	uint32_t items[20], set, found, again;
	size_t wrong = 0, added = 0;

	crm_rules_store_init(&store, tap_context(&tap));
	for (uint32_t i = 0; i < 20; i++)
		items[i] = 3 * i;
	(void) crm_rules_store_add(&store, items, 20, 7, &set);
	(void) crm_rules_store_index(&store);
	for (uint64_t mask = 1; mask < crm_rules_all(20); mask += 97)
	{
		const CrmRulesSet *s = crm_rules_set(&store, set);

		wrong += crm_rules_store_need(&store, s, mask, &found) != CRM_OK ||
				 crm_rules_set(&store, found)->count != 0 ||
				 crm_rules_set(&store, found)->length != (uint32_t) __builtin_popcountll(mask) ||
				 crm_rules_store_need(&store, s, mask, &again) != CRM_OK || again != found ||
				 crm_rules_store_find(&store, s, mask) != found;
		added++;
	}
	ok(wrong == 0 && store.n == added + 1, "%zu sets are added when they are needed", added);
	ok(crm_rules_store_need(&store, crm_rules_set(&store, set), crm_rules_all(20), &found) ==
			   CRM_OK &&
		   found == set && crm_rules_set(&store, set)->count == 7,
	   "what is there stays");
	crm_rules_store_free(&store);
	is_clean(&tap, "the store");
}

static void
test_limits(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmRulesStore store;
	CrmStatus status;
	uint32_t items[CRM_RULES_MAX_LENGTH + 1], set;
	size_t added;

	for (uint32_t i = 0; i <= CRM_RULES_MAX_LENGTH; i++)
		items[i] = i;
	crm_rules_store_init(&store, ctx);
	ok(crm_rules_store_add(&store, items, CRM_RULES_MAX_LENGTH, 1, &set) == CRM_OK &&
		   crm_rules_store_add(&store, items, CRM_RULES_MAX_LENGTH + 1, 1, &set) == CRM_LIMIT &&
		   ctx->wanted == SIZE_MAX,
	   "a set of more than 64 items is refused");
	ok(crm_rules_all(64) == UINT64_MAX && crm_rules_all(1) == 1, "masks of all items");
	crm_rules_store_free(&store);
	for (size_t limit = 100000; limit < 3000000; limit += 300000)
	{
		ctx->limit = limit;
		ctx->peak = 0;
		added = fill(&store, 40, &status);
		ok(status == CRM_LIMIT && ctx->wanted > limit && ctx->peak <= limit &&
			   (added > 1000 || limit < 400000) &&
			   (added == 0 || crm_rules_store_index(&store) == CRM_OK) &&
			   (added == 0 || crm_rules_store_bytes(&store) <= ctx->used) &&
			   added * crm_rules_set_bytes(4) + 300000 >= ctx->used / 2,
		   "a budget of %zu bytes ends after %zu sets, which have an index", limit, added);
		crm_rules_store_free(&store);
	}
	ctx->limit = 0;
	for (size_t i = 1; i < 4; i++)
	{
		tap.allocations = 0;
		tap.fail_at = i;
		(void) fill(&store, 40, &status);
		ok(status == CRM_NO_MEMORY, "allocation %zu that fails is told", i);
		crm_rules_store_free(&store);
	}
	is_clean(&tap, "all of this");
}

int
main(void)
{
	test_find();
	test_need();
	test_limits();
	return tap_done();
}
