/*
 * itemset_top.c: the k itemsets of the largest support; see itemset_top.h.
 */
#include "kernel/itemset_top.h"

#define FIRST_ROOM 64
#define POLL_SETS  4096

/* Make an empty heap for k sets, at least 1, that a search will add. */
void
crm_itemset_top_begin(CrmItemsetTop *top, CrmItemsetSearch *search, uint64_t k)
{
	*top = (CrmItemsetTop){.search = search, .k = k};
}

/* Tell whether a set comes behind another. */
static bool
is_worse(const CrmItemsetTopSet *a, const CrmItemsetTopSet *b)
{
	if (a->count != b->count)
		return a->count < b->count;
	if (a->length != b->length)
		return a->length > b->length;
	for (uint32_t i = 0; i < a->length; i++)
		if (a->items[i] != b->items[i])
			return a->items[i] > b->items[i];
	return false;
}

/* Let the set on top sink to its place among the first n. */
static void
sink(CrmItemsetTopSet *sets, size_t n)
{
	CrmItemsetTopSet sinking = sets[0];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < n)
	{
		child += child + 1 < n && is_worse(&sets[child + 1], &sets[child]);
		if (!is_worse(&sets[child], &sinking))
			break;
		sets[i] = sets[child];
		i = child;
	}
	sets[i] = sinking;
}

/* Let the last set rise to its place. */
static void
rise(CrmItemsetTopSet *sets, size_t i)
{
	CrmItemsetTopSet rising = sets[i];

	for (; i > 0 && is_worse(&rising, &sets[(i - 1) / 2]); i = (i - 1) / 2)
		sets[i] = sets[(i - 1) / 2];
	sets[i] = rising;
}

/* Make room for one set more. */
static CrmStatus
grow(CrmItemsetTop *top)
{
	CrmCtx *ctx = top->search->ctx;
	size_t room = top->room > 0 ? 2 * top->room : FIRST_ROOM;
	CrmItemsetTopSet *sets = crm_allocate(ctx, room, sizeof(CrmItemsetTopSet));

	if (sets == NULL)
		return ctx->failure;
	if (top->n > 0)
		memcpy(sets, top->sets, top->n * sizeof(CrmItemsetTopSet));
	crm_release(ctx, top->sets, top->room, sizeof(CrmItemsetTopSet));
	top->sets = sets;
	top->room = room;
	return CRM_OK;
}

/* Take a set if it is one of the best k so far. A CrmItemsetReport; CRM_LIMIT, CRM_NO_MEMORY. */
CrmStatus
crm_itemset_top_add(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	CrmItemsetTop *top = arg;
	CrmCtx *ctx = top->search->ctx;
	CrmItemsetTopSet set = {.count = count, .length = length};
	uint32_t *kept;

	if (top->n == top->k)
	{
		set.items = (uint32_t *) items; /* only to compare */
		if (!is_worse(&top->sets[0], &set))
			return CRM_OK;
	}
	else if (top->n == top->room)
	{
		CrmStatus status = grow(top);

		if (status != CRM_OK)
			return status;
	}
	kept = crm_allocate(ctx, length, sizeof(uint32_t));
	if (kept == NULL)
		return ctx->failure;
	memcpy(kept, items, length * sizeof(uint32_t));
	set.items = kept;
	if (top->n < top->k)
	{
		top->sets[top->n] = set;
		rise(top->sets, top->n++);
	}
	else
	{
		crm_release(ctx, top->sets[0].items, top->sets[0].length, sizeof(uint32_t));
		top->sets[0] = set;
		sink(top->sets, top->n);
	}
	if (top->n == top->k && top->search->target != CRM_ITEMSET_MAXIMAL &&
		top->sets[0].count > top->search->min_count)
		top->search->min_count = top->sets[0].count;
	return CRM_OK;
}

/* Report the sets, the best one first; the heap is then none. CRM_ABORTED, or the answer. */
CrmStatus
crm_itemset_top_report(CrmItemsetTop *top, CrmItemsetReport report, void *arg)
{
	CrmItemsetTopSet *sets = top->sets;

	for (size_t end = top->n; end > 1; end--)
	{
		CrmItemsetTopSet worst = sets[0];

		sets[0] = sets[end - 1];
		sink(sets, end - 1);
		sets[end - 1] = worst;
		if (end % POLL_SETS == 0 && crm_poll(top->search->ctx))
			return CRM_ABORTED;
	}
	for (size_t i = 0; i < top->n; i++)
	{
		CrmStatus status = report(arg, sets[i].items, sets[i].length, sets[i].count);

		if (status != CRM_OK)
			return status;
		if (i % POLL_SETS == POLL_SETS - 1 && crm_poll(top->search->ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Give back all sets; once more does no harm. */
void
crm_itemset_top_free(CrmItemsetTop *top)
{
	CrmCtx *ctx = top->search->ctx;

	for (size_t i = 0; i < top->n; i++)
		crm_release(ctx, top->sets[i].items, top->sets[i].length, sizeof(uint32_t));
	crm_release(ctx, top->sets, top->room, sizeof(CrmItemsetTopSet));
	*top = (CrmItemsetTop){.search = top->search};
}
