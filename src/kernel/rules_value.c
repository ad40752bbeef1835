/*
 * rules_value.c: what the baskets that hold a rule are worth. Sums carry twice the precision, so
 * they do not depend on the order of baskets.
 */
#include "kernel/rules_value.h"

#include <string.h>

#include "kernel/rules_cover.h"

typedef struct Adding
{
	const CrmRulesStore *store;
	const double *amounts;
	CrmSum *sums;
} Adding;

/* Add up the amounts of the baskets that hold a set. */
static void
add_set(void *arg, uint32_t set, const uint32_t *baskets, uint32_t n)
{
	Adding *adding = arg;
	CrmSum *sum = &adding->sums[crm_rules_set(adding->store, set)->side];

	*sum = (CrmSum){0.0, 0.0};
	for (uint32_t i = 0; i < n; i++)
		crm_sum_add(sum, adding->amounts[baskets[i]]);
}

/* List the sets of the rules in order, each once: its side is its place in the list. False: the
 * host wants to stop. */
static bool
list_sets(CrmCtx *ctx, const CrmRulesList *list, uint32_t *sets, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < list->n; i++)
		crm_rules_set(list->store, crm_rules_list_at(list, list->order[i])->set)->side = UINT32_MAX;
	for (size_t i = 0; i < list->n; i++)
	{
		uint32_t number = crm_rules_list_at(list, list->order[i])->set;
		CrmRulesSet *set = crm_rules_set(list->store, number);

		if (i % 262144 == 262143 && crm_poll(ctx))
			return false;
		if (set->side != UINT32_MAX)
			continue;
		set->side = (uint32_t) *n;
		sets[(*n)++] = number;
	}
	return true;
}

/*
 * Add up the baskets that hold each rule of a sorted list; amounts has one finite value a basket.
 * The sets' side is used. Call crm_rules_value_free whatever comes back. Errors: CRM_LIMIT,
 * CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_rules_value(CrmRulesValue *value, CrmCtx *ctx, const CrmBaskets *baskets, const double *amounts,
				const CrmRulesList *list)
{
	Adding adding = {.store = list->store, .amounts = amounts};
	uint32_t *sets = crm_allocate(ctx, list->n, sizeof *sets);
	CrmStatus status = CRM_OK;

	*value = (CrmRulesValue){.ctx = ctx};
	if (sets == NULL)
		return ctx->failure;
	for (uint32_t b = 0; b < baskets->n; b++)
	{
		crm_sum_add(&value->total, amounts[b]);
		if (b % 262144 == 262143 && crm_poll(ctx))
			status = CRM_ABORTED;
	}
	if (status == CRM_OK && !list_sets(ctx, list, sets, &value->n))
		status = CRM_ABORTED;
	if (status == CRM_OK)
	{
		value->sums = adding.sums = crm_allocate(ctx, value->n, sizeof(CrmSum));
		if (value->sums == NULL)
			status = ctx->failure;
	}
	if (status == CRM_OK)
		status = crm_rules_cover(ctx, baskets, list->store, sets, value->n, add_set, &adding);
	crm_release(ctx, sets, list->n, sizeof *sets);
	return status;
}

/* Give back all memory. */
void
crm_rules_value_free(CrmRulesValue *value)
{
	crm_release(value->ctx, value->sums, value->n, sizeof(CrmSum));
	value->sums = NULL;
}

/*
 * Give the sum of the baskets that hold a rule's set, the mean of these, and that of the others of
 * n baskets; NaN when there are none.
 */
double
crm_rules_revenue(const CrmRulesValue *value, const CrmRulesSet *set, uint32_t n, double *mean_with,
				  double *mean_without)
{
	CrmSum with = value->sums[set->side], without = value->total;

	crm_sum_merge(&without, (CrmSum){-with.hi, -with.lo});
	*mean_with = set->count > 0 ? crm_sum_mean(with, set->count) : (double) NAN;
	*mean_without = n > set->count ? crm_sum_mean(without, n - set->count) : (double) NAN;
	return crm_sum_value(with);
}
