/*
 * rules_list.h: rules as they are found: all of them or the best k, adjusted, ordered.
 *
 * A rule is a set of the store, and a mask of those of its items that are the consequent. Order: by
 * key, which the measure gives; of equal keys the larger count first, then by the antecedent's
 * items, then by the consequent's. No two rules are equal in it, so whatever is kept does not
 * depend on the order in which rules come.
 *
 * 40 bytes a rule, and 16 while they are sorted.
 */
#ifndef CRM_KERNEL_RULES_LIST_H
#define CRM_KERNEL_RULES_LIST_H

#include "kernel/rules_measures.h"
#include "kernel/rules_store.h"

#define CRM_RULES_LIST_PAGE 8192 /* rules */

typedef enum CrmRulesAdjust
{
	CRM_RULES_ADJUST_NONE,
	CRM_RULES_ADJUST_BONFERRONI,
	CRM_RULES_ADJUST_HOLM,
	CRM_RULES_ADJUST_FDR
} CrmRulesAdjust;

typedef struct CrmRule
{
	uint64_t consequent; /* of the set's items, from item 0 at bit 0 on */
	uint64_t key;        /* ascends from the best rule to the worst */
	double p;            /* p-value, adjusted after crm_rules_list_adjust; NaN: not asked for */
	uint32_t set;        /* of the store: the items of the whole rule and its count */
	uint32_t antecedent_count;
	uint32_t consequent_count;
} CrmRule;

typedef struct CrmRulesList
{
	CrmCtx *ctx;
	const CrmRulesStore *store;
	uint64_t top_k; /* at most so many are kept while they come; 0: all */
	CrmRule **pages;
	size_t n_pages, max_pages;
	size_t n;
	uint32_t *order; /* from crm_rules_list_sort on: the rules, the best first */
	size_t order_room;
} CrmRulesList;

/* Give the rule at a place, not in order. */
static inline CrmRule *
crm_rules_list_at(const CrmRulesList *list, size_t i)
{
	return &list->pages[i / CRM_RULES_LIST_PAGE][i % CRM_RULES_LIST_PAGE];
}

extern uint64_t crm_rules_key(CrmRulesMeasure measure, double value);
extern void crm_rules_list_init(CrmRulesList *list, CrmCtx *ctx, const CrmRulesStore *store,
								uint64_t top_k);
extern void crm_rules_list_free(CrmRulesList *list);
extern CrmStatus crm_rules_list_put(CrmRulesList *list, const CrmRule *rule);
extern CrmStatus crm_rules_list_adjust(CrmRulesList *list, CrmRulesAdjust adjust);
extern CrmStatus crm_rules_list_filter(CrmRulesList *list, double max_p);
extern CrmStatus crm_rules_list_sort(CrmRulesList *list, uint64_t top_k);

#endif
