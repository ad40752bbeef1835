/*
 * rules_value.h: what the baskets that hold a rule are worth.
 */
#ifndef CRM_KERNEL_RULES_VALUE_H
#define CRM_KERNEL_RULES_VALUE_H

#include "kernel/base/sum.h"
#include "kernel/base/baskets.h"
#include "kernel/rules_list.h"

typedef struct CrmRulesValue
{
	CrmCtx *ctx;
	CrmSum total; /* of all baskets */
	CrmSum *sums; /* of the baskets that hold a set: sums[side of the set] */
	size_t n;
} CrmRulesValue;

extern CrmStatus crm_rules_value(CrmRulesValue *value, CrmCtx *ctx, const CrmBaskets *baskets,
								 const double *amounts, const CrmRulesList *list);
extern void crm_rules_value_free(CrmRulesValue *value);
extern double crm_rules_revenue(const CrmRulesValue *value, const CrmRulesSet *set, uint32_t n,
								double *mean_with, double *mean_without);

#endif
