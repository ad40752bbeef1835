/*
 * rules_sort.h: sorts an index by a comparison of what it points to. Merge sort, stable, n log2 n
 * comparisons at most (Knuth, TAOCP 3, 5.2.4, algorithm S), so no input is slow.
 */
#ifndef CRM_KERNEL_RULES_SORT_H
#define CRM_KERNEL_RULES_SORT_H

#include "kernel/base/context.h"

/* Give less than, equal to or more than 0 as a comes before, with or after b. */
typedef int (*CrmRulesCompare)(const void *arg, uint32_t a, uint32_t b);

extern CrmStatus crm_rules_sort(CrmCtx *ctx, uint32_t *index, uint32_t *scratch, size_t n,
								CrmRulesCompare compare, const void *arg);

#endif
