/*
 * rules_list.c: rules as they are found: all of them or the best k (a heap whose root is the
 * worst), adjusted, ordered.
 */
#include "kernel/rules_list.h"

#include <math.h>
#include <string.h>

#include "kernel/base/order.h"
#include "kernel/rules_sort.h"

/*
 * Give the key of a rule whose measure has that value: large values first, but small p-values, and
 * NaN last.
 */
uint64_t
crm_rules_key(CrmRulesMeasure measure, double value)
{
	if (isnan(value))
		return UINT64_MAX;
	return measure == CRM_RULES_P_VALUE ? crm_order_double(value) : ~crm_order_double(value);
}

/* Begin an empty list of rules over a store; the sets must be in it before their rules come. */
void
crm_rules_list_init(CrmRulesList *list, CrmCtx *ctx, const CrmRulesStore *store, uint64_t top_k)
{
	*list = (CrmRulesList){.ctx = ctx, .store = store, .top_k = top_k};
}

/* Give back all memory; the list is then empty. */
void
crm_rules_list_free(CrmRulesList *list)
{
	CrmCtx *ctx = list->ctx;

	for (size_t i = 0; i < list->n_pages; i++)
		crm_release(ctx, list->pages[i], CRM_RULES_LIST_PAGE, sizeof(CrmRule));
	crm_release(ctx, list->pages, list->max_pages, sizeof *list->pages);
	crm_release(ctx, list->order, list->order_room, sizeof *list->order);
	crm_rules_list_init(list, ctx, list->store, list->top_k);
}

/* Tell, each 262,144 rules, whether the host wants to stop. */
static bool
is_time_to_stop(const CrmRulesList *list, size_t i)
{
	return i % 262144 == 262143 && crm_poll(list->ctx);
}

/* Compare the items of two sets that are in the masks, as words are compared. */
static int
compare_items(const CrmRulesSet *a, uint64_t a_mask, const CrmRulesSet *b, uint64_t b_mask)
{
	for (; a_mask != 0 && b_mask != 0; a_mask &= a_mask - 1, b_mask &= b_mask - 1)
	{
		uint32_t x = a->items[__builtin_ctzll(a_mask)];
		uint32_t y = b->items[__builtin_ctzll(b_mask)];

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a_mask != 0) - (b_mask != 0);
}

/* Compare two rules in the order of the result. */
static int
compare_rules(const CrmRulesStore *store, const CrmRule *a, const CrmRule *b)
{
	const CrmRulesSet *x, *y;
	int result;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	x = crm_rules_set(store, a->set);
	y = crm_rules_set(store, b->set);
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	result = compare_items(x, crm_rules_all(x->length) & ~a->consequent, y,
						   crm_rules_all(y->length) & ~b->consequent);
	return result != 0 ? result : compare_items(x, a->consequent, y, b->consequent);
}

/* Make room for one rule more. */
static CrmStatus
add_page(CrmRulesList *list)
{
	CrmCtx *ctx = list->ctx;

	if (list->n_pages == UINT32_MAX / CRM_RULES_LIST_PAGE)
	{
		ctx->wanted = SIZE_MAX;
		return CRM_LIMIT;
	}
	if (list->n_pages == list->max_pages)
	{
		size_t more = list->max_pages > 0 ? 2 * list->max_pages : 64;
		CrmRule **pages = crm_allocate(ctx, more, sizeof *pages);

		if (pages == NULL)
			return ctx->failure;
		if (list->n_pages > 0)
			memcpy(pages, list->pages, list->n_pages * sizeof *pages);
		crm_release(ctx, list->pages, list->max_pages, sizeof *pages);
		list->pages = pages;
		list->max_pages = more;
	}
	list->pages[list->n_pages] = crm_allocate(ctx, CRM_RULES_LIST_PAGE, sizeof(CrmRule));
	if (list->pages[list->n_pages] == NULL)
		return ctx->failure;
	list->n_pages++;
	return CRM_OK;
}

/* Let the rule at the root of the heap sink to its place: each comes after its children. */
static void
sink(CrmRulesList *list)
{
	CrmRule rule = *crm_rules_list_at(list, 0);
	size_t root = 0;

	for (size_t child = 1; child < list->n; child = 2 * root + 1)
	{
		if (child + 1 < list->n && compare_rules(list->store, crm_rules_list_at(list, child + 1),
												 crm_rules_list_at(list, child)) > 0)
			child++;
		if (compare_rules(list->store, crm_rules_list_at(list, child), &rule) <= 0)
			break;
		*crm_rules_list_at(list, root) = *crm_rules_list_at(list, child);
		root = child;
	}
	*crm_rules_list_at(list, root) = rule;
}

/* Let the last rule of the heap rise to its place. */
static void
rise(CrmRulesList *list)
{
	size_t at = list->n - 1;
	CrmRule rule = *crm_rules_list_at(list, at);

	for (; at > 0; at = (at - 1) / 2)
	{
		const CrmRule *parent = crm_rules_list_at(list, (at - 1) / 2);

		if (compare_rules(list->store, parent, &rule) >= 0)
			break;
		*crm_rules_list_at(list, at) = *parent;
	}
	*crm_rules_list_at(list, at) = rule;
}

/* Take a rule, or with top_k drop the worst of all so far. Errors: CRM_LIMIT, CRM_NO_MEMORY. */
CrmStatus
crm_rules_list_put(CrmRulesList *list, const CrmRule *rule)
{
	if (list->top_k > 0 && list->n == list->top_k)
	{
		if (compare_rules(list->store, rule, crm_rules_list_at(list, 0)) < 0)
		{
			*crm_rules_list_at(list, 0) = *rule;
			sink(list);
		}
		return CRM_OK;
	}
	if (list->n == list->n_pages * CRM_RULES_LIST_PAGE)
	{
		CrmStatus status = add_page(list);

		if (status != CRM_OK)
			return status;
	}
	*crm_rules_list_at(list, list->n++) = *rule;
	if (list->top_k > 0)
		rise(list);
	return CRM_OK;
}

static int
compare_places(const void *arg, uint32_t a, uint32_t b)
{
	const CrmRulesList *list = arg;

	return compare_rules(list->store, crm_rules_list_at(list, a), crm_rules_list_at(list, b));
}

/* Make list->order an order of all rules by p, or by key. */
static CrmStatus
make_order(CrmRulesList *list, bool by_p)
{
	CrmCtx *ctx = list->ctx;
	uint64_t *keys = crm_allocate(ctx, list->n, sizeof *keys);
	CrmStatus status;

	crm_release(ctx, list->order, list->order_room, sizeof *list->order);
	list->order_room = 2 * list->n;
	list->order = crm_allocate(ctx, list->order_room, sizeof *list->order);
	status = keys == NULL || list->order == NULL ? ctx->failure : CRM_OK;
	for (size_t i = 0; i < list->n && status == CRM_OK; i++)
	{
		const CrmRule *rule = crm_rules_list_at(list, i);

		list->order[i] = (uint32_t) i;
		keys[i] = by_p ? crm_order_double(rule->p) : rule->key;
		if (is_time_to_stop(list, i))
			status = CRM_ABORTED;
	}
	if (status == CRM_OK)
		status = crm_radix_sort_index(ctx, keys, list->order, list->order + list->n, list->n);
	crm_release(ctx, keys, list->n, sizeof *keys);
	return status;
}

/*
 * Adjust the p-values of all rules of the list, which is the family of tests, of size m; p_(j) is
 * the j-th smallest.
 *
 *     bonferroni  min(1, m p)
 *     holm        max_(i <= j) min(1, (m - i + 1) p_(i))     Holm 1979, jstor 4615733
 *     fdr         min_(i >= j) min(1, m p_(i) / i)           Benjamini and Hochberg 1995,
 *                                                            doi 10.1111/j.2517-6161.1995.tb02031.x
 *
 * Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_rules_list_adjust(CrmRulesList *list, CrmRulesAdjust adjust)
{
	double m = (double) list->n, bound;
	CrmStatus status;

	if (adjust == CRM_RULES_ADJUST_NONE)
		return CRM_OK;
	status = make_order(list, true);
	if (status != CRM_OK)
		return status;
	bound = adjust == CRM_RULES_ADJUST_HOLM ? 0.0 : 1.0;
	for (size_t i = 0; i < list->n; i++)
	{
		/* holm goes up from the smallest, fdr down from the largest */
		size_t j = adjust == CRM_RULES_ADJUST_FDR ? list->n - i : i + 1;
		CrmRule *rule = crm_rules_list_at(list, list->order[j - 1]);

		if (is_time_to_stop(list, i))
			return CRM_ABORTED;
		if (adjust == CRM_RULES_ADJUST_BONFERRONI)
			rule->p = fmin(1.0, m * rule->p);
		else if (adjust == CRM_RULES_ADJUST_HOLM)
			rule->p = bound = fmax(bound, fmin(1.0, (m - (double) i) * rule->p));
		else
			rule->p = bound = fmin(bound, m / (double) j * rule->p);
	}
	return CRM_OK;
}

/* Keep the rules whose p is at most max_p. The list must not have been made with top_k. Errors:
 * CRM_ABORTED. */
CrmStatus
crm_rules_list_filter(CrmRulesList *list, double max_p)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n; i++)
	{
		if (is_time_to_stop(list, i))
			return CRM_ABORTED;
		if (crm_rules_list_at(list, i)->p <= max_p)
			*crm_rules_list_at(list, kept++) = *crm_rules_list_at(list, i);
	}
	list->n = kept;
	return CRM_OK;
}

/*
 * Put the rules in order, and keep the first top_k; 0: all. No rule may come after that. Errors:
 * CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_rules_list_sort(CrmRulesList *list, uint64_t top_k)
{
	CrmStatus status = make_order(list, false);
	size_t first = 0;

	for (size_t i = 1; i <= list->n && status == CRM_OK; i++)
	{
		uint32_t *order = list->order + first;

		if (is_time_to_stop(list, i))
			return CRM_ABORTED;
		if (i < list->n &&
			crm_rules_list_at(list, list->order[i])->key == crm_rules_list_at(list, *order)->key)
			continue;
		if (i - first > 1)
			status = crm_rules_sort(list->ctx, order, list->order + list->n, i - first,
									compare_places, list);
		first = i;
	}
	if (status == CRM_OK && top_k > 0 && list->n > top_k)
		list->n = top_k;
	return status;
}
