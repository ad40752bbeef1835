/*
 * rules_redundant.c: unit tests of the best confidence below a rule, against all its parts.
 */
#include "kernel/rules_redundant.h"
#include "host.h"

#define N_ITEMS 9

/* All sets of 9 items with counts that fall as sets grow. */
static uint32_t numbers[1 << N_ITEMS], counts[1 << N_ITEMS];

static void
make_sets(CrmRulesStore *store)
{
	for (uint32_t mask = 1; mask < 1 << N_ITEMS; mask++)
	{
		uint32_t items[N_ITEMS], n = 0, least = 100000;

		for (uint32_t i = 0; i < N_ITEMS; i++)
			if ((mask >> i & 1) != 0)
			{
				items[n++] = 7 * i;
				if (n > 1 || mask != 1u << i)
					least = mask != 1u << i && counts[mask & ~(1u << i)] < least
								? counts[mask & ~(1u << i)]
								: least;
			}
		counts[mask] = 1 + (uint32_t) draw_below(least);
		(void) crm_rules_store_add(store, items, n, counts[mask], &numbers[mask]);
	}
	(void) crm_rules_store_index(store);
}

/* Tell whether the best below each rule is the largest confidence of its parts. */
static size_t
count_wrong(const CrmRulesBest *best, const CrmRulesStore *store, uint32_t most, uint32_t in)
{
	size_t wrong = 0;

	for (uint32_t mask = 1; mask < 1 << N_ITEMS; mask++)
		for (uint32_t c = (mask - 1) & mask; c != 0; c = (c - 1) & mask)
		{
			uint32_t a = mask & ~c;
			uint64_t places = 0;
			double want = -1.0, got;
			uint32_t place = 0;

			if ((uint32_t) __builtin_popcount(c) > most)
				continue;
			for (uint32_t i = 0; i < N_ITEMS; i++)
			{
				places |= (c >> i & 1) != 0 ? UINT64_C(1) << place : 0;
				place += (mask >> i & 1) != 0;
			}
			for (uint32_t part = (a - 1) & a; part != 0; part = (part - 1) & a)
				if ((part & in) != 0 && (double) counts[part | c] / counts[part] > want)
					want = (double) counts[part | c] / counts[part];
			got = crm_rules_best_below(best, crm_rules_set(store, numbers[mask]), places);
			wrong += got != want;
		}
	return wrong;
}

static void
test_best(void)
{
	for (uint32_t most = 1; most <= N_ITEMS; most++)
		for (int flagged = 0; flagged < 2; flagged++)
		{
			TapContext tap;
			CrmCtx *ctx = tap_context(&tap);
			CrmRulesStore store;
			CrmRulesBest best;
			uint8_t in[7 * N_ITEMS] = {[14] = 1, [35] = 1};
			size_t wrong;

			crm_rules_store_init(&store, ctx);
			make_sets(&store);
			wrong = crm_rules_best_make(&best, ctx, &store, CRM_RULES_NO_SET, most,
										flagged ? in : NULL) != CRM_OK;
			wrong += count_wrong(&best, &store, most, flagged ? 1 << 2 | 1 << 5 : ~0u);
			ok(wrong == 0, "consequents of up to %u items%s: %zu wrong", most,
			   flagged ? ", antecedents with one of two" : "", wrong);
			crm_rules_best_free(&best);
			crm_rules_store_free(&store);
			is_clean(&tap, "all of this");
		}
}

static void
test_failures(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmRulesStore store;
	CrmRulesBest best;
	size_t allocations;

	crm_rules_store_init(&store, ctx);
	make_sets(&store);
	allocations = tap.allocations;
	for (size_t i = 1; i <= 2; i++)
	{
		tap.allocations = allocations;
		tap.fail_at = allocations + i;
		ok(crm_rules_best_make(&best, ctx, &store, CRM_RULES_NO_SET, 2, NULL) == CRM_NO_MEMORY,
		   "allocation %zu that fails is told", i);
		crm_rules_best_free(&best);
	}
	tap.fail_at = 0;
	ctx->limit = ctx->used + 1000;
	ok(crm_rules_best_make(&best, ctx, &store, CRM_RULES_NO_SET, 2, NULL) == CRM_LIMIT,
	   "and a budget that ends");
	crm_rules_best_free(&best);
	crm_rules_store_free(&store);
	is_clean(&tap, "all of this");
}

int
main(void)
{
	test_best();
	test_failures();
	return tap_done();
}
