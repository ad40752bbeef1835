/*
 * rules_list.c: unit tests of the list of rules: keys, the best k, the order, adjusted p-values
 * against R's p.adjust.
 */
#include "kernel/rules_list.h"
#include "host.h"

static void
test_keys(void)
{
	static const double falling[] = {INFINITY, 1e300, 2.0, 1.0, 0.5, 0.0, -1.0, -INFINITY};
	bool falls = true, rises = true;

	for (int i = 1; i < 8; i++)
	{
		falls &= crm_rules_key(CRM_RULES_LIFT, falling[i - 1]) <
				 crm_rules_key(CRM_RULES_LIFT, falling[i]);
		rises &= crm_rules_key(CRM_RULES_P_VALUE, falling[i - 1]) >
				 crm_rules_key(CRM_RULES_P_VALUE, falling[i]);
	}
	ok(falls && rises, "large measures come first, but small p-values");
	ok(crm_rules_key(CRM_RULES_LIFT, NAN) > crm_rules_key(CRM_RULES_LIFT, -INFINITY) &&
		   crm_rules_key(CRM_RULES_P_VALUE, NAN) > crm_rules_key(CRM_RULES_P_VALUE, INFINITY),
	   "what is undefined comes last");
}

/* Adjusted p-values as R 4.3's p.adjust gives them. */
static void
test_adjust(void)
{
	static const double p[] = {0.01, 0.02, 0.03, 0.04, 0.05, 0.02, 0.9, 0.0};
	static const double want[3][8] = {
		{0.08, 0.16, 0.24, 0.32, 0.40, 0.16, 1.0, 0.0},
		{0.07, 0.12, 0.12, 0.12, 0.12, 0.12, 0.9, 0.0},
		{0.04, 0.04, 0.048, 0.16 / 3, 0.4 / 7, 0.04, 0.9, 0.0},
	};
	static const uint32_t items[] = {0, 1};

	for (int method = 0; method < 3; method++)
	{
		TapContext tap;
		CrmCtx *ctx = tap_context(&tap);
		CrmRulesStore store;
		CrmRulesList list;
		uint32_t set;

		crm_rules_store_init(&store, ctx);
		(void) crm_rules_store_add(&store, items, 2, 1, &set);
		crm_rules_list_init(&list, ctx, &store, 0);
		for (int i = 0; i < 8; i++)
			(void) crm_rules_list_put(&list, &(CrmRule){.consequent = 1, .p = p[i], .set = set});
		ok(crm_rules_list_adjust(&list, (CrmRulesAdjust) (method + 1)) == CRM_OK, "method %d",
		   method);
		for (int i = 0; i < 8; i++)
			is_close(crm_rules_list_at(&list, (size_t) i)->p, want[method][i], 1e-14,
					 "an adjusted p-value");
		ok(crm_rules_list_filter(&list, 0.12) == CRM_OK, "filtered");
		is_int((int64_t) list.n, method == 0 ? 2 : 7, "the filter keeps the small ones");
		crm_rules_list_free(&list);
		crm_rules_store_free(&store);
		is_clean(&tap, "adjusting");
	}
}

/* Rules of drawn keys over all pairs of 300 items, in any order: the list's order is total, and the
 * best k are the first k of all. */
static void
test_order(void)
{
	static CrmRule rules[44850];
	static uint32_t order[44850];
	TapContext tap, other;
	CrmCtx *ctx = tap_context(&tap);
	CrmRulesStore store;
	CrmRulesList all;
	uint32_t n = 0;
	size_t wrong = 0;

	crm_rules_store_init(&store, ctx);
	for (uint32_t a = 0; a < 300; a++)
		for (uint32_t b = a + 1; b < 300; b++)
		{
			uint32_t items[2] = {a, b};

			rules[n] = (CrmRule){.consequent = 1 + draw_below(2), .key = draw_below(6)};
			(void) crm_rules_store_add(&store, items, 2, (uint32_t) draw_below(50), &rules[n].set);
			n++;
		}
	crm_rules_list_init(&all, ctx, &store, 0);
	for (uint32_t i = 0; i < n; i++)
		wrong += crm_rules_list_put(&all, &rules[i]) != CRM_OK;
	wrong += crm_rules_list_sort(&all, 0) != CRM_OK || all.n != n;
	for (size_t i = 1; i < n; i++)
	{
		const CrmRule *a = crm_rules_list_at(&all, all.order[i - 1]);
		const CrmRule *b = crm_rules_list_at(&all, all.order[i]);
		const CrmRulesSet *x = crm_rules_set(&store, a->set), *y = crm_rules_set(&store, b->set);
		/* the antecedent is the item that the mask does not name */
		uint32_t x_item = x->items[a->consequent == 1], y_item = y->items[b->consequent == 1];
		uint32_t x_other = x->items[a->consequent == 2], y_other = y->items[b->consequent == 2];

		wrong += !(
			a->key < b->key ||
			(a->key == b->key && (x->count > y->count ||
								  (x->count == y->count &&
								   (x_item < y_item || (x_item == y_item && x_other < y_other))))));
	}
	ok(wrong == 0, "by key, then count, then antecedent, then consequent");
	for (size_t k = 1; k < 60000; k = k * 3 + 1)
	{
		CrmRulesList best;
		CrmCtx *best_ctx = tap_context(&other);

		wrong = 0;
		draw_order(order, n);
		crm_rules_list_init(&best, best_ctx, &store, k);
		for (uint32_t i = 0; i < n; i++)
			wrong += crm_rules_list_put(&best, &rules[order[i]]) != CRM_OK;
		wrong += crm_rules_list_sort(&best, k) != CRM_OK || best.n != (k < n ? k : n);
		for (size_t i = 0; i < best.n; i++)
			wrong += crm_rules_list_at(&best, best.order[i])->set !=
					 crm_rules_list_at(&all, all.order[i])->set;
		ok(wrong == 0 && best_ctx->peak <= (k + 2 * CRM_RULES_LIST_PAGE) * 56 + 1024,
		   "the best %zu are the first of all, in %zu bytes", k, best_ctx->peak);
		crm_rules_list_free(&best);
		is_clean(&other, "the best");
	}
	crm_rules_list_free(&all);
	crm_rules_store_free(&store);
	is_clean(&tap, "the list");
}

static void
test_limit(void)
{
	static const uint32_t items[] = {0, 1};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmRulesStore store;
	CrmRulesList list;
	uint32_t set;
	CrmStatus status = CRM_OK;
	size_t put = 0;

	crm_rules_store_init(&store, ctx);
	(void) crm_rules_store_add(&store, items, 2, 1, &set);
	crm_rules_list_init(&list, ctx, &store, 0);
	ctx->limit = 4000000;
	while (status == CRM_OK)
	{
		status = crm_rules_list_put(&list, &(CrmRule){.consequent = 1, .set = set});
		put += status == CRM_OK;
	}
	ok(status == CRM_LIMIT && put == list.n && put > 50000 && ctx->peak <= ctx->limit,
	   "a budget ends after %zu rules", put);
	ctx->limit = 0;
	while (list.n < 1100000)
		(void) crm_rules_list_put(
			&list, &(CrmRule){.consequent = 1, .p = (double) draw_below(1000) / 1000, .set = set});
	for (int i = 0; i < 2; i++)
	{
		tap.polls = 0;
		tap.abort_at = 3;
		status = i == 0 ? crm_rules_list_filter(&list, 2.0)
						: crm_rules_list_adjust(&list, CRM_RULES_ADJUST_HOLM);
		ok(status == CRM_ABORTED && tap.polls == 3, "a million rules: it stops when asked");
	}
	crm_rules_list_free(&list);
	crm_rules_store_free(&store);
	is_clean(&tap, "the list");
}

int
main(void)
{
	test_keys();
	test_adjust();
	test_order();
	test_limit();
	return tap_done();
}
