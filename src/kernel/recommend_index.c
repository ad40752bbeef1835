/*
 * recommend_index.c: the parts of recommendations; see recommend_index.h.
 */
#include "kernel/recommend_index.h"

#include "kernel/base/order.h"

#include <string.h>

#define POLL_WORK 262144 /* operations between two polls */

/* Account for some operations; CRM_ABORTED when the host wants to stop. */
CrmStatus
crm_recommend_work(CrmRecommender *recommender, uint64_t operations)
{
	recommender->work += operations;
	if (recommender->work < POLL_WORK)
		return CRM_OK;
	recommender->work = 0;
	return crm_poll(recommender->ctx) ? CRM_ABORTED : CRM_OK;
}

/* ---- which baskets hold an item ------------------------------------------------------------ */

/*
 * Walk all baskets, an item once in each: count the items, and where `at` is given note the baskets
 * of those that are wanted, at[j] being the next place of item j. Uses up the tally.
 */
static CrmStatus
walk(CrmRecommender *recommender, uint64_t *at)
{
	const CrmBaskets *baskets = recommender->baskets;
	CrmStatus status = CRM_OK;

	memset(recommender->tally, 0, baskets->n_items * sizeof(CrmRecommendTally));
	for (uint32_t b = 0; b < baskets->n && status == CRM_OK; b++)
	{
		for (uint64_t i = baskets->start[b]; i < baskets->start[b + 1]; i++)
		{
			uint32_t item = baskets->items[i];

			if (recommender->tally[item].last == b + 1)
				continue;
			recommender->tally[item].last = b + 1;
			if (at == NULL)
				recommender->count[item]++;
			else if (recommender->state[item] != 0)
				recommender->tids[at[item]++] = b;
		}
		status = crm_recommend_work(recommender, 1 + baskets->start[b + 1] - baskets->start[b]);
	}
	memset(recommender->tally, 0, baskets->n_items * sizeof(CrmRecommendTally));
	return status;
}

/* Fill the lists of baskets of the items that are wanted; the state tells which these are. */
static CrmStatus
fill_lists(CrmRecommender *recommender)
{
	CrmCtx *ctx = recommender->ctx;
	uint32_t n_items = recommender->baskets->n_items;
	uint64_t *at = crm_allocate(ctx, (size_t) n_items + 1, sizeof *at);
	CrmStatus status;

	if (at == NULL)
		return ctx->failure;
	recommender->start[0] = 0;
	for (uint32_t j = 0; j < n_items; j++)
		recommender->start[j + 1] =
			recommender->start[j] + (recommender->state[j] != 0 ? recommender->count[j] : 0);
	memcpy(at, recommender->start, ((size_t) n_items + 1) * sizeof *at);
	recommender->tids = crm_allocate(ctx, recommender->start[n_items], sizeof *recommender->tids);
	status = recommender->tids != NULL ? walk(recommender, at) : ctx->failure;
	crm_release(ctx, at, (size_t) n_items + 1, sizeof *at);
	return status;
}

/* Take the room that does not depend on the baskets' content. */
static CrmStatus
allocate(CrmRecommender *r)
{
	size_t n_items = r->baskets->n_items;

	if ((r->count = crm_allocate(r->ctx, n_items, sizeof *r->count)) == NULL ||
		(r->start = crm_allocate(r->ctx, n_items + 1, sizeof *r->start)) == NULL ||
		(r->rows = crm_allocate(r->ctx, n_items, sizeof *r->rows)) == NULL)
		return r->ctx->failure;
	memset(r->count, 0, n_items * sizeof *r->count);
	r->start[n_items] = 0; /* no lists yet */
	for (size_t j = 0; j < n_items; j++)
		r->rows[j] = NULL;
	if ((r->tally = crm_allocate(r->ctx, n_items, sizeof *r->tally)) == NULL ||
		(r->touched = crm_allocate(r->ctx, n_items, sizeof *r->touched)) == NULL ||
		(r->candidates = crm_allocate(r->ctx, n_items, sizeof *r->candidates)) == NULL ||
		(r->head = crm_allocate(r->ctx, n_items, sizeof *r->head)) == NULL ||
		(r->state = crm_allocate(r->ctx, n_items, sizeof *r->state)) == NULL ||
		(r->nearest = crm_allocate(r->ctx, r->param.neighbours, sizeof *r->nearest)) == NULL)
		return r->ctx->failure;
	memset(r->head, 0xFF, n_items * sizeof *r->head); /* CRM_RECOMMEND_NONE */
	memset(r->state, 0, n_items * sizeof *r->state);
	return CRM_OK;
}

/*
 * Make a recommender over baskets, which must stay. Only the n_wanted items of `wanted` can be
 * asked about (their codes must be below n_items); NULL: all. Errors: CRM_DOMAIN for parameters
 * that crm_recommend_check refuses; CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED. In each case
 * crm_recommend_end gives back what was taken.
 */
CrmStatus
crm_recommend_begin(CrmRecommender *recommender, CrmCtx *ctx, const CrmBaskets *baskets,
					const CrmRecommendParam *param, const uint32_t *wanted, uint32_t n_wanted)
{
	CrmStatus status;

	*recommender = (CrmRecommender){.ctx = ctx, .baskets = baskets, .param = *param};
	if (!crm_recommend_check(param, NULL, 0))
		return CRM_DOMAIN;
	if ((status = allocate(recommender)) != CRM_OK || (status = walk(recommender, NULL)) != CRM_OK)
		return status;
	if (wanted == NULL)
		memset(recommender->state, 1, baskets->n_items);
	for (uint32_t i = 0; wanted != NULL && i < n_wanted; i++)
		recommender->state[wanted[i]] = 1;
	status = fill_lists(recommender);
	memset(recommender->state, 0, baskets->n_items);
	return status;
}

/* Give the bytes of a row. */
static size_t
row_bytes(uint32_t n_rules, uint32_t n_similar)
{
	return sizeof(CrmRecommendRow) + ((size_t) n_rules + n_similar) * sizeof(CrmRecommendPair);
}

/* Give back what begin took and what was kept since, whether or not begin succeeded. */
void
crm_recommend_end(CrmRecommender *r)
{
	size_t n_items = r->baskets->n_items;

	for (size_t j = 0; r->rows != NULL && j < n_items; j++)
		if (r->rows[j] != NULL)
			crm_release(r->ctx, r->rows[j], row_bytes(r->rows[j]->n_rules, r->rows[j]->n_similar),
						1);
	if (r->tids != NULL)
		crm_release(r->ctx, r->tids, r->start[n_items], sizeof *r->tids);
	crm_release(r->ctx, r->antecedents.entries, r->antecedents.room, 1);
	crm_release(r->ctx, r->reasons.entries, r->reasons.room, 1);
	crm_release(r->ctx, r->popular, n_items, sizeof *r->popular);
	crm_release(r->ctx, r->nearest, r->param.neighbours, sizeof *r->nearest);
	crm_release(r->ctx, r->state, n_items, sizeof *r->state);
	crm_release(r->ctx, r->head, n_items, sizeof *r->head);
	crm_release(r->ctx, r->candidates, n_items, sizeof *r->candidates);
	crm_release(r->ctx, r->touched, n_items, sizeof *r->touched);
	crm_release(r->ctx, r->tally, n_items, sizeof *r->tally);
	crm_release(r->ctx, r->rows, n_items, sizeof *r->rows);
	crm_release(r->ctx, r->start, n_items + 1, sizeof *r->start);
	crm_release(r->ctx, r->count, n_items, sizeof *r->count);
	*r = (CrmRecommender){.ctx = NULL};
}

/* ---- what those baskets hold --------------------------------------------------------------- */

/*
 * Count the items of n baskets, each once a basket: tally[j].count for the n_touched items of
 * touched. To be followed by crm_recommend_forget.
 */
CrmStatus
crm_recommend_count(CrmRecommender *recommender, const uint32_t *tids, uint32_t n,
					uint32_t *n_touched)
{
	const CrmBaskets *baskets = recommender->baskets;
	uint32_t touched = 0;
	CrmStatus status = CRM_OK;

	for (uint32_t t = 0; t < n && status == CRM_OK; t++)
	{
		uint64_t from = baskets->start[tids[t]], to = baskets->start[tids[t] + 1];

		for (uint64_t i = from; i < to; i++)
		{
			CrmRecommendTally *tally = &recommender->tally[baskets->items[i]];

			if (tally->last == tids[t] + 1)
				continue;
			tally->last = tids[t] + 1;
			if (tally->count++ == 0)
				recommender->touched[touched++] = baskets->items[i];
		}
		status = crm_recommend_work(recommender, 1 + to - from);
	}
	*n_touched = touched;
	return status;
}

/* Clear the tally of the items that were touched. */
void
crm_recommend_forget(CrmRecommender *recommender, uint32_t n_touched)
{
	for (uint32_t i = 0; i < n_touched; i++)
		recommender->tally[recommender->touched[i]] = (CrmRecommendTally){0, 0};
}

/*
 * Put the k items most like one whose baskets have been counted into the list, the best first;
 * never itself, nor items in fewer common baskets than min_count, nor (is_lifted) in no more than
 * chance would give. Gives their number in *n.
 */
CrmStatus
crm_recommend_nearest(CrmRecommender *recommender, uint32_t item, uint32_t n_touched,
					  bool is_lifted, uint32_t k, CrmRecommendation *list, uint32_t *n)
{
	*n = 0;
	for (uint32_t i = 0; i < n_touched; i++)
	{
		uint32_t other = recommender->touched[i];
		uint32_t together = recommender->tally[other].count;
		CrmRecommendation candidate;

		if (other == item || together < recommender->param.min_count ||
			(is_lifted &&
			 !crm_recommend_is_lifted(recommender, other, recommender->count[item], together)))
			continue;
		candidate = (CrmRecommendation){
			.score = crm_recommend_similarity(recommender, item, other, together),
			.method = CRM_RECOMMEND_SIMILAR,
			.item = other,
			.length = 1,
			.antecedent = {item},
			.antecedent_count = recommender->count[item],
			.together = together,
			.count = recommender->count[other]};
		crm_recommend_place(list, n, k, &candidate);
	}
	crm_recommend_sort(list, *n);
	return crm_recommend_work(recommender, n_touched);
}

/* Give the row of a wanted item; it is the recommender's. */
CrmStatus
crm_recommend_row(CrmRecommender *recommender, uint32_t item, const CrmRecommendRow **row)
{
	uint32_t n, n_touched, n_rules = 0, n_similar;
	const uint32_t *tids = crm_recommend_tids(recommender, item, &n);
	CrmRecommendRow *made = recommender->rows[item];
	CrmStatus status;

	*row = made;
	if (made != NULL)
		return CRM_OK;
	if ((status = crm_recommend_count(recommender, tids, n, &n_touched)) != CRM_OK ||
		(status = crm_recommend_nearest(recommender, item, n_touched, true,
										recommender->param.neighbours, recommender->nearest,
										&n_similar)) != CRM_OK)
		return status;
	/* the items that make a rule come to the front */
	for (uint32_t i = 0; i < n_touched; i++)
	{
		uint32_t other = recommender->touched[i];

		if (other == item ||
			!crm_recommend_is_rule(recommender, other, n, recommender->tally[other].count))
			continue;
		recommender->touched[i] = recommender->touched[n_rules];
		recommender->touched[n_rules++] = other;
	}
	made = crm_allocate(recommender->ctx, row_bytes(n_rules, n_similar), 1);
	if (made == NULL)
		return recommender->ctx->failure;
	made->n_rules = n_rules;
	made->n_similar = n_similar;
	for (uint32_t i = 0; i < n_rules; i++)
		made->pairs[i] = (CrmRecommendPair){recommender->touched[i],
											recommender->tally[recommender->touched[i]].count};
	for (uint32_t i = 0; i < n_similar; i++)
		made->pairs[n_rules + i] =
			(CrmRecommendPair){recommender->nearest[i].item, recommender->nearest[i].together};
	crm_recommend_forget(recommender, n_touched);
	recommender->rows[item] = made;
	*row = made;
	return CRM_OK;
}

/* Sort the items by popularity, equal ones by code, unless that has been done. */
CrmStatus
crm_recommend_popularity(CrmRecommender *recommender)
{
	CrmCtx *ctx = recommender->ctx;
	size_t n_items = recommender->baskets->n_items;
	uint64_t *keys;
	CrmStatus status;

	if (recommender->popular != NULL)
		return CRM_OK;
	recommender->popular = crm_allocate(ctx, n_items, sizeof *recommender->popular);
	if (recommender->popular == NULL)
		return ctx->failure;
	keys = crm_allocate(ctx, n_items, sizeof *keys);
	if (keys == NULL)
		return ctx->failure;
	for (uint32_t j = 0; j < n_items; j++)
	{
		keys[j] = UINT32_MAX - recommender->count[j];
		recommender->popular[j] = j;
	}
	status = crm_radix_sort_index(ctx, keys, recommender->popular, recommender->touched, n_items);
	crm_release(ctx, keys, n_items, sizeof *keys);
	return status;
}

/* ---- the best of many ---------------------------------------------------------------------- */

/* Tell whether a comes before b: by score, baskets together, baskets with the item, then code. */
static bool
is_before(const CrmRecommendation *a, const CrmRecommendation *b)
{
	if (a->score > b->score || a->score < b->score)
		return a->score > b->score;
	if (a->together != b->together)
		return a->together > b->together;
	if (a->count != b->count)
		return a->count > b->count;
	return a->item < b->item;
}

/* Let the entry at a place of a heap sink to where it belongs; the root comes last of all. */
static void
sink(CrmRecommendation *heap, uint32_t n, uint32_t at)
{
	CrmRecommendation entry = heap[at];

	for (size_t child; (child = 2 * (size_t) at + 1) < n; at = (uint32_t) child)
	{
		if (child + 1 < n && is_before(&heap[child], &heap[child + 1]))
			child++;
		if (!is_before(&entry, &heap[child]))
			break;
		heap[at] = heap[child];
	}
	heap[at] = entry;
}

/* Keep the k best of what is placed, in no order: a heap of *n, whose root is the worst. */
void
crm_recommend_place(CrmRecommendation *list, uint32_t *n, uint32_t k,
					const CrmRecommendation *candidate)
{
	if (*n < k)
	{
		uint32_t at = (*n)++;

		while (at > 0 && is_before(&list[(at - 1) / 2], candidate))
		{
			list[at] = list[(at - 1) / 2];
			at = (at - 1) / 2;
		}
		list[at] = *candidate;
	}
	else if (k > 0 && is_before(candidate, &list[0]))
	{
		list[0] = *candidate;
		sink(list, k, 0);
	}
}

/* Sort what has been placed, the best first. */
void
crm_recommend_sort(CrmRecommendation *list, uint32_t n)
{
	while (n > 1)
	{
		CrmRecommendation worst = list[0];

		list[0] = list[--n];
		list[n] = worst;
		sink(list, n, 0);
	}
}
