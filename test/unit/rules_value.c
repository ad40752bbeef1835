/*
 * rules_value.c: unit tests of what the baskets of a rule are worth, by hand.
 */
#include "kernel/rules_value.h"
#include "shop.h"

/* Five baskets: 0 1 | 0 1 2 | 0 | 2 | 0 1, of amounts that a plain sum would lose. */
static void
test_by_hand(void)
{
	static const uint64_t start[] = {0, 2, 5, 6, 7, 9};
	static const uint32_t items[] = {0, 1, 2, 1, 0, 0, 2, 1, 0};
	static const double amounts[] = {1e17, 3.0, 8.0, -2.0, -1e17};
	static const double lopsided[] = {1e17, 3.0, 8.0, -2.0, 5.0};
	static const uint32_t pair[] = {0, 1}, triple[] = {0, 1, 2};
	CrmBaskets baskets = {.n = 5, .n_items = 3, .start = start, .items = items};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmRulesStore store;
	CrmRulesList list;
	CrmRulesValue value;
	CrmRule rules[3] = {{.consequent = 1}, {.consequent = 2}, {.consequent = 4}};
	double with, without;

	crm_rules_store_init(&store, ctx);
	(void) crm_rules_store_add(&store, pair, 2, 3, &rules[0].set);
	(void) crm_rules_store_add(&store, triple, 3, 1, &rules[2].set);
	rules[1].set = rules[0].set;
	crm_rules_list_init(&list, ctx, &store, 0);
	for (int i = 0; i < 3; i++)
		(void) crm_rules_list_put(&list, &rules[i]);
	(void) crm_rules_list_sort(&list, 0);
	ok(crm_rules_value(&value, ctx, &baskets, amounts, &list) == CRM_OK && value.n == 2,
	   "two sets of three rules");
	is_near(crm_rules_revenue(&value, crm_rules_set(&store, rules[1].set), 5, &with, &without), 3.0,
			0.0, "revenue of the pair");
	is_near(with, 1.0, 0.0, "mean basket with it");
	is_near(without, 3.0, 0.0, "and without");
	is_near(crm_rules_revenue(&value, crm_rules_set(&store, rules[2].set), 5, &with, &without), 3.0,
			0.0, "revenue of the triple");
	is_near(with, 3.0, 0.0, "mean basket with it");
	is_near(without, 1.5, 0.0, "and without");
	(void) crm_rules_revenue(&value, crm_rules_set(&store, rules[2].set), 1, &with, &without);
	is_near(without, NAN, 0.0, "without is undefined when all baskets hold it");
	crm_rules_value_free(&value);

	/* a large sum keeps its small part, so that what is left of the total is right */
	ok(crm_rules_value(&value, ctx, &baskets, lopsided, &list) == CRM_OK, "a large basket");
	(void) crm_rules_revenue(&value, crm_rules_set(&store, rules[1].set), 5, &with, &without);
	is_near(without, 3.0, 0.0, "does not hide the others");
	crm_rules_value_free(&value);

	for (size_t i = 1; i <= 4; i++)
	{
		tap.allocations = 0;
		tap.fail_at = i;
		ok(crm_rules_value(&value, ctx, &baskets, amounts, &list) == CRM_NO_MEMORY,
		   "allocation %zu that fails is told", i);
		crm_rules_value_free(&value);
	}
	crm_rules_list_free(&list);
	crm_rules_store_free(&store);
	is_clean(&tap, "all of this");
}

int
main(void)
{
	test_by_hand();
	return tap_done();
}
