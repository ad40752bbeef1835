/*
 * rules.h: association rules: who has the antecedent A has the consequent C, too.
 *
 * Frequent itemsets (itemset.h) are kept with their counts; from each set Z, consequents C within Z
 * are tried, and Z \ C => C is a rule when count(Z) / count(Z \ C) reaches min_confidence. A
 * consequent that fails is not extended, since a larger one leaves a smaller antecedent, which is
 * at least as frequent (Agrawal and Srikant 1994, ap-genrules; here depth first). Constraints are
 * used where they save work: items that may take neither part are not mined; sets without an item
 * that a rule must have are not searched; counts of parts that the search then does not meet are
 * taken from the baskets, for those alone that a rule asks for.
 *
 * The course:
 *
 *     crm_rules_mine      the rules, in order: rules->list.order[0 .. list.n)
 *     crm_rules_counts    the four counts of a rule, for rules_measures.h
 *     crm_rules_value     what its baskets are worth (rules_value.h)
 *     crm_rules_free
 *     crm_rules_suggest   after CRM_LIMIT: which min_count fits
 *
 * Invariants: the rules are those of the definition, whatever the algorithm and the order of
 * baskets and items; an antecedent is never empty. P-values are adjusted over the family of all
 * rules that meet every other threshold and constraint and are not pruned, before top_k.
 *
 * Not handled: rules of more than 64 items: the subsets of such a set do not fit any memory.
 */
#ifndef CRM_KERNEL_RULES_H
#define CRM_KERNEL_RULES_H

#include "kernel/itemset.h"
#include "kernel/rules_list.h"

typedef struct CrmRulesParam
{
	uint32_t min_count;      /* of baskets that hold all items of a rule, >= 1 */
	double min_confidence;   /* 0 to 1 */
	double min_lift;         /* >= 0; 0: no bound */
	uint32_t max_length;     /* items of a rule, >= 2; 0: no bound */
	uint32_t max_consequent; /* items of a consequent, >= 1 */
	/* flags, one an item; NULL: no constraint. in: one of these must be there; out: none may */
	const uint8_t *antecedent_in, *antecedent_out;
	const uint8_t *consequent_in, *consequent_out;
	CrmRulesMeasure measure; /* that orders the rules */
	uint64_t top_k;          /* 0: all */
	bool prune_redundant;
	double max_p_value; /* of adjusted p-values, 0 to 1; 1: no bound */
	CrmRulesAdjust adjust;
	CrmItemsetAlgorithm algorithm;
} CrmRulesParam;

typedef struct CrmRules
{
	CrmRulesStore store;
	CrmRulesList list;
	uint32_t n;        /* baskets */
	uint32_t n_sets;   /* itemsets found, after CRM_LIMIT: before memory ended */
	size_t n_bytes;    /* that these took */
	uint64_t n_family; /* rules before max_p_value and top_k */
	bool is_full;      /* after CRM_LIMIT: it was the itemsets that were too many */
} CrmRules;

extern void crm_rules_defaults(CrmRulesParam *param);
extern bool crm_rules_check(const CrmBaskets *baskets, const CrmRulesParam *param, char *why,
							size_t n);
extern CrmStatus crm_rules_mine(CrmCtx *ctx, const CrmBaskets *baskets, const CrmRulesParam *param,
								CrmRules *rules);
extern void crm_rules_free(CrmRules *rules);
extern CrmRulesCounts crm_rules_counts(const CrmRules *rules, const CrmRule *rule);
extern CrmStatus crm_rules_suggest(CrmCtx *ctx, const CrmBaskets *baskets,
								   const CrmRulesParam *param, size_t bytes, uint32_t *min_count);

#endif
