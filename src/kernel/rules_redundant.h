/*
 * rules_redundant.h: is there a more general rule that is as good?
 *
 * A rule A => C is redundant when a rule A' => C, A' a proper part of A and not empty, has an equal
 * or higher confidence (Bayardo, Agrawal and Gunopulos 2000, "improvement",
 * doi 10.1023/A:1009895914772). For each set Z and each consequent C within it
 *
 *     best(Z, C) = max of conf(Z \ C => C) and of best(Z \ i, C) over the items i of Z \ C
 *
 * is kept, made for short sets first: 8 bytes for each set and consequent, and no list of rules.
 */
#ifndef CRM_KERNEL_RULES_REDUNDANT_H
#define CRM_KERNEL_RULES_REDUNDANT_H

#include "kernel/rules_store.h"

typedef struct CrmRulesBest
{
	CrmCtx *ctx;
	const CrmRulesStore *store;
	uint32_t end; /* sets from this number on have no best */
	uint32_t max_consequent;
	double **pages;
	size_t n_pages;
} CrmRulesBest;

extern CrmStatus crm_rules_best_make(CrmRulesBest *best, CrmCtx *ctx, CrmRulesStore *store,
									 uint32_t end, uint32_t max_consequent,
									 const uint8_t *antecedent_in);
extern void crm_rules_best_free(CrmRulesBest *best);
extern double crm_rules_best_below(const CrmRulesBest *best, const CrmRulesSet *set,
								   uint64_t consequent);

#endif
