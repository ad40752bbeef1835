/*
 * rules_cover.h: the baskets that hold each of a list of itemsets.
 *
 * The items of the list get lists of their baskets; the sets, each with its rarest item first, are
 * walked as a tree of shared beginnings, so each beginning is intersected once. That is Eclat (Zaki
 * 2000, doi 10.1109/69.846291) confined to the branches that are asked for.
 */
#ifndef CRM_KERNEL_RULES_COVER_H
#define CRM_KERNEL_RULES_COVER_H

#include "kernel/base/baskets.h"
#include "kernel/rules_store.h"

/* Takes the baskets that hold a set, ascending. */
typedef void (*CrmRulesVisit)(void *arg, uint32_t set, const uint32_t *baskets, uint32_t n);

extern CrmStatus crm_rules_cover(CrmCtx *ctx, const CrmBaskets *baskets, const CrmRulesStore *store,
								 const uint32_t *sets, size_t n, CrmRulesVisit visit, void *arg);

#endif
