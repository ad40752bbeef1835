/*
 * recommend.c: lists of recommendations; see recommend.h.
 *
 * A method gathers reasons: an antecedent, an item, and the baskets that hold both. The reasons for
 * an item are a chain, from which its score is made when all are there.
 */
#include "kernel/recommend.h"

#include "kernel/recommend_index.h"

#include <string.h>

#define IN_BASKET 1 /* the list is for it */
#define KNOWN     2 /* not to be recommended */
#define TAKEN     4 /* in the list already */

/* What speaks for an item. */
typedef struct Reason
{
	uint32_t antecedent; /* its number */
	uint32_t together;
	uint32_t next; /* of the same item; CRM_RECOMMEND_NONE ends the chain */
} Reason;

typedef struct Antecedent
{
	uint32_t length;
	uint32_t item[CRM_RECOMMEND_MAX_ANTECEDENT];
	uint32_t count; /* baskets that hold it */
} Antecedent;

/* Set what backtests found good; see doc/recommend.md. */
void
crm_recommend_defaults(CrmRecommendParam *param)
{
	*param = (CrmRecommendParam){.k = 5,
								 .use = {true, true, true},
								 .max_antecedent = 2,
								 .rules = 1,
								 .min_count = 3,
								 .min_confidence = 0.1,
								 .prior = 20.0,
								 .shrinkage = 10.0,
								 .neighbours = 20};
}

/* Tell whether parameters can be used; if not, why gets the reason (n bytes, always ended). */
bool
crm_recommend_check(const CrmRecommendParam *param, char *why, size_t n)
{
	const char *reason = NULL;

	if (param->k < 1 || param->k > CRM_RECOMMEND_MAX_K)
		reason = "k must be between 1 and 10000";
	else if (!param->use[CRM_RECOMMEND_RULE] && !param->use[CRM_RECOMMEND_SIMILAR] &&
			 !param->use[CRM_RECOMMEND_POPULAR])
		reason = "no method may be used";
	else if (param->max_antecedent < 1 || param->max_antecedent > CRM_RECOMMEND_MAX_ANTECEDENT)
		reason = "max_antecedent must be between 1 and 3";
	else if (param->rules < 1 || param->rules > CRM_RECOMMEND_MAX_RULES)
		reason = "rules must be between 1 and 10";
	else if (param->min_count < 1)
		reason = "min_count must be at least 1";
	else if (!(param->min_confidence >= 0.0 && param->min_confidence <= 1.0))
		reason = "min_confidence must be between 0 and 1";
	else if (!(param->prior >= 0.0) || isinf(param->prior))
		reason = "prior must be finite and at least 0";
	else if (!(param->shrinkage >= 0.0) || isinf(param->shrinkage))
		reason = "shrinkage must be finite and at least 0";
	else if (param->neighbours < 1 || param->neighbours > CRM_RECOMMEND_MAX_NEIGHBOURS)
		reason = "neighbours must be between 1 and 1000";
	if (reason != NULL && n > 0)
	{
		size_t length = strlen(reason) < n ? strlen(reason) : n - 1;

		memcpy(why, reason, length);
		why[length] = '\0';
	}
	return reason == NULL;
}

/* ---- reasons ------------------------------------------------------------------------------- */

/* Add an entry of some bytes to an array that grows; *entry gets its place. */
static CrmStatus
add(CrmCtx *ctx, CrmRecommendRoom *room, size_t size, void **entry)
{
	if ((room->n + 1) * size > room->room)
	{
		size_t bytes = room->room > 0 ? 2 * room->room : 256 * size;
		void *larger = crm_allocate(ctx, bytes, 1);

		if (larger == NULL)
			return ctx->failure;
		if (room->n > 0)
			memcpy(larger, room->entries, room->n * size);
		crm_release(ctx, room->entries, room->room, 1);
		room->entries = larger;
		room->room = bytes;
	}
	*entry = (char *) room->entries + room->n++ * size;
	return CRM_OK;
}

/* Add an antecedent of items in ascending order; its number is *number. */
static CrmStatus
add_antecedent(CrmRecommender *recommender, const uint32_t *items, uint32_t length, uint32_t count,
			   uint32_t *number)
{
	void *entry;
	CrmStatus status;

	if (recommender->antecedents.n >= CRM_RECOMMEND_NONE)
		return CRM_LIMIT;
	*number = (uint32_t) recommender->antecedents.n;
	status = add(recommender->ctx, &recommender->antecedents, sizeof(Antecedent), &entry);
	if (status == CRM_OK)
	{
		Antecedent *antecedent = entry;

		*antecedent = (Antecedent){.length = length, .count = count};
		memcpy(antecedent->item, items, length * sizeof *items);
	}
	return status;
}

/* Add a reason for an item that may be recommended; for another one, nothing. */
static CrmStatus
add_reason(CrmRecommender *recommender, uint32_t item, uint32_t antecedent, uint32_t together)
{
	void *entry;
	CrmStatus status;

	if (recommender->state[item] != 0)
		return CRM_OK;
	if (recommender->reasons.n >= CRM_RECOMMEND_NONE)
		return CRM_LIMIT;
	status = add(recommender->ctx, &recommender->reasons, sizeof(Reason), &entry);
	if (status != CRM_OK)
		return status;
	*(Reason *) entry = (Reason){antecedent, together, recommender->head[item]};
	if (recommender->head[item] == CRM_RECOMMEND_NONE)
		recommender->candidates[recommender->n_candidates++] = item;
	recommender->head[item] = (uint32_t) recommender->reasons.n - 1;
	return CRM_OK;
}

/* Forget all reasons and antecedents; their room stays. */
static void
forget_reasons(CrmRecommender *recommender)
{
	for (uint32_t i = 0; i < recommender->n_candidates; i++)
		recommender->head[recommender->candidates[i]] = CRM_RECOMMEND_NONE;
	recommender->n_candidates = 0;
	recommender->reasons.n = 0;
	recommender->antecedents.n = 0;
}

/* Give a reason, and an antecedent. */
static const Reason *
reason_at(const CrmRecommender *recommender, uint32_t i)
{
	return (const Reason *) recommender->reasons.entries + i;
}

static const Antecedent *
antecedent_at(const CrmRecommender *recommender, uint32_t i)
{
	return (const Antecedent *) recommender->antecedents.entries + i;
}

/* ---- rules --------------------------------------------------------------------------------- */

/* Put the baskets that two ascending lists have in common into common, which may be the first. */
static uint32_t
intersect(const uint32_t *a, uint32_t n_a, const uint32_t *b, uint32_t n_b, uint32_t *common)
{
	uint32_t i = 0, j = 0, n = 0;

	while (i < n_a && j < n_b)
	{
		if (a[i] < b[j])
			i++;
		else if (a[i] > b[j])
			j++;
		else
		{
			common[n++] = a[i++];
			j++;
		}
	}
	return n;
}

/* Add the rules from some items that n baskets hold together. */
static CrmStatus
gather_long(CrmRecommender *recommender, const uint32_t *items, uint32_t length,
			const uint32_t *tids, uint32_t n)
{
	uint32_t n_touched, number;
	CrmStatus status;

	if ((status = crm_recommend_count(recommender, tids, n, &n_touched)) != CRM_OK ||
		(status = add_antecedent(recommender, items, length, n, &number)) != CRM_OK)
		return status;
	for (uint32_t i = 0; i < n_touched && status == CRM_OK; i++)
	{
		uint32_t item = recommender->touched[i], together = recommender->tally[item].count;

		if (crm_recommend_is_rule(recommender, item, n, together))
			status = add_reason(recommender, item, number, together);
	}
	crm_recommend_forget(recommender, n_touched);
	return status;
}

/*
 * Add the rules from each two, and each three where that is asked, of n items in ascending order.
 * pair and triple have room for the baskets of any of them.
 */
static CrmStatus
gather_sets(CrmRecommender *r, const uint32_t *items, uint32_t n, uint32_t *pair, uint32_t *triple)
{
	uint32_t set[CRM_RECOMMEND_MAX_ANTECEDENT];
	CrmStatus status = CRM_OK;

	for (uint32_t a = 0; a < n; a++)
		for (uint32_t b = a + 1; b < n; b++)
		{
			uint32_t n_a, n_b, n_pair;
			const uint32_t *tids_a = crm_recommend_tids(r, items[a], &n_a);
			const uint32_t *tids_b = crm_recommend_tids(r, items[b], &n_b);

			set[0] = items[a];
			set[1] = items[b];
			if ((status = crm_recommend_work(r, (uint64_t) n_a + n_b)) != CRM_OK)
				return status;
			n_pair = intersect(tids_a, n_a, tids_b, n_b, pair);
			if (n_pair < r->param.min_count)
				continue;
			if ((status = gather_long(r, set, 2, pair, n_pair)) != CRM_OK)
				return status;
			for (uint32_t c = b + 1; c < n && r->param.max_antecedent > 2; c++)
			{
				uint32_t n_c, n_triple;
				const uint32_t *tids_c = crm_recommend_tids(r, items[c], &n_c);

				set[2] = items[c];
				if ((status = crm_recommend_work(r, (uint64_t) n_pair + n_c)) != CRM_OK)
					return status;
				n_triple = intersect(pair, n_pair, tids_c, n_c, triple);
				if (n_triple >= r->param.min_count &&
					(status = gather_long(r, set, 3, triple, n_triple)) != CRM_OK)
					return status;
			}
		}
	return CRM_OK;
}

/* Add the rules from each one of n items in ascending order, and from sets of them. */
static CrmStatus
gather_rules(CrmRecommender *recommender, const uint32_t *items, uint32_t n)
{
	CrmCtx *ctx = recommender->ctx;
	size_t longest = 0;
	uint32_t *common;
	CrmStatus status;

	for (uint32_t s = 0; s < n; s++)
	{
		const CrmRecommendRow *row;
		uint32_t count, number;

		(void) crm_recommend_tids(recommender, items[s], &count);
		longest = count > longest ? count : longest;
		if ((status = crm_recommend_row(recommender, items[s], &row)) != CRM_OK ||
			(status = add_antecedent(recommender, &items[s], 1, count, &number)) != CRM_OK)
			return status;
		for (uint32_t i = 0; i < row->n_rules; i++)
			if ((status = add_reason(recommender, row->pairs[i].item, number,
									 row->pairs[i].together)) != CRM_OK)
				return status;
		if ((status = crm_recommend_work(recommender, 1 + row->n_rules)) != CRM_OK)
			return status;
	}
	if (recommender->param.max_antecedent < 2 || n < 2)
		return CRM_OK;
	if ((common = crm_allocate(ctx, 2 * longest, sizeof *common)) == NULL)
		return ctx->failure;
	status = gather_sets(recommender, items, n, common, common + longest);
	crm_release(ctx, common, 2 * longest, sizeof *common);
	return status;
}

/* Tell whether two antecedents have an item in common. */
static bool
is_shared(const Antecedent *a, const Antecedent *b)
{
	for (uint32_t i = 0; i < a->length; i++)
		for (uint32_t j = 0; j < b->length; j++)
			if (a->item[i] == b->item[j])
				return true;
	return false;
}

/*
 * Give the best reason of a chain that shares no item with the n used ones: the strongest, then the
 * shortest, then the one of most baskets, then the one that was added first. NULL: there is none.
 */
static const Reason *
best_rule(const CrmRecommender *recommender, uint32_t item, const Antecedent *const *used,
		  uint32_t n, double *strength)
{
	const Reason *best = NULL;

	for (uint32_t i = recommender->head[item]; i != CRM_RECOMMEND_NONE;)
	{
		const Reason *reason = reason_at(recommender, i);
		const Antecedent *antecedent = antecedent_at(recommender, reason->antecedent);
		double own = crm_recommend_strength(recommender, item, antecedent->count, reason->together);
		bool is_free = true;

		i = reason->next;
		for (uint32_t u = 0; u < n && is_free; u++)
			is_free = !is_shared(antecedent, used[u]);
		if (!is_free)
			continue;
		if (best != NULL)
		{
			const Antecedent *rival = antecedent_at(recommender, best->antecedent);

			if (own < *strength)
				continue;
			/* the chain runs backwards: of equal ones the later found was added before */
			if (!(own > *strength) &&
				(antecedent->length > rival->length ||
				 (antecedent->length == rival->length && reason->together < best->together)))
				continue;
		}
		best = reason;
		*strength = own;
	}
	return best;
}

/* Describe the recommendation of an item for a reason; the score is still to come. */
static CrmRecommendation
describe(const CrmRecommender *recommender, CrmRecommendMethod method, uint32_t item,
		 const Reason *reason)
{
	const Antecedent *antecedent = antecedent_at(recommender, reason->antecedent);
	CrmRecommendation told = {.method = method,
							  .item = item,
							  .length = antecedent->length,
							  .antecedent_count = antecedent->count,
							  .together = reason->together,
							  .count = recommender->count[item]};

	memcpy(told.antecedent, antecedent->item, sizeof told.antecedent);
	return told;
}

/* Make a recommendation of the rules to an item. */
static CrmRecommendation
join_rules(const CrmRecommender *recommender, uint32_t item)
{
	const Antecedent *used[CRM_RECOMMEND_MAX_RULES];
	CrmRecommendation told = {.score = 0.0};
	double score = 0.0;

	for (uint32_t n = 0; n < recommender->param.rules; n++)
	{
		double strength = 0.0;
		const Reason *reason = best_rule(recommender, item, used, n, &strength);

		if (reason == NULL)
			break;
		if (n == 0)
			told = describe(recommender, CRM_RECOMMEND_RULE, item, reason);
		score += strength * (1.0 - score);
		used[n] = antecedent_at(recommender, reason->antecedent);
	}
	told.score = score;
	return told;
}

/* ---- similar items ------------------------------------------------------------------------- */

/* Add the neighbours of n items in ascending order. */
static CrmStatus
gather_similar(CrmRecommender *recommender, const uint32_t *items, uint32_t n)
{
	for (uint32_t s = 0; s < n; s++)
	{
		const CrmRecommendRow *row;
		uint32_t number;
		CrmStatus status;

		if ((status = crm_recommend_row(recommender, items[s], &row)) != CRM_OK ||
			(status = add_antecedent(recommender, &items[s], 1, recommender->count[items[s]],
									 &number)) != CRM_OK)
			return status;
		for (uint32_t i = 0; i < row->n_similar; i++)
		{
			const CrmRecommendPair *pair = &row->pairs[row->n_rules + i];

			if ((status = add_reason(recommender, pair->item, number, pair->together)) != CRM_OK)
				return status;
		}
		if ((status = crm_recommend_work(recommender, 1 + row->n_similar)) != CRM_OK)
			return status;
	}
	return CRM_OK;
}

/* Make a recommendation of the neighbours to an item: of equal ones the first is the reason. */
static CrmRecommendation
join_similar(const CrmRecommender *recommender, uint32_t item)
{
	const Reason *best = NULL;
	double most = 0.0, sum = 0.0;
	CrmRecommendation told;

	for (uint32_t i = recommender->head[item]; i != CRM_RECOMMEND_NONE;)
	{
		const Reason *reason = reason_at(recommender, i);
		uint32_t other = antecedent_at(recommender, reason->antecedent)->item[0];
		double own = crm_recommend_similarity(recommender, other, item, reason->together);

		if (best == NULL || own >= most)
		{
			best = reason;
			most = own;
		}
		sum += own;
		i = reason->next;
	}
	told = describe(recommender, CRM_RECOMMEND_SIMILAR, item, best);
	told.score = sum;
	return told;
}

/* ---- lists --------------------------------------------------------------------------------- */

/* Fill the list up with the best of the candidates, and forget their reasons. */
static CrmStatus
take(CrmRecommender *recommender, CrmRecommendMethod method, CrmRecommendation *list, uint32_t *n)
{
	uint32_t wanted = recommender->param.k - *n, taken = 0, candidates = recommender->n_candidates;
	uint64_t work = candidates > 0 ? 1 + recommender->reasons.n / candidates : 0;
	CrmStatus status = CRM_OK;

	for (uint32_t i = 0; i < candidates && status == CRM_OK; i++)
	{
		uint32_t item = recommender->candidates[i];
		CrmRecommendation told = method == CRM_RECOMMEND_RULE ? join_rules(recommender, item)
															  : join_similar(recommender, item);

		crm_recommend_place(list + *n, &taken, wanted, &told);
		status = crm_recommend_work(recommender, work * recommender->param.rules);
	}
	crm_recommend_sort(list + *n, taken);
	for (uint32_t i = 0; i < taken; i++)
		recommender->state[list[*n + i].item] |= TAKEN;
	*n += taken;
	forget_reasons(recommender);
	return status;
}

/* Fill the list up with the most popular items that may be recommended. */
static CrmStatus
take_popular(CrmRecommender *recommender, CrmRecommendation *list, uint32_t *n)
{
	uint32_t n_items = recommender->baskets->n_items, baskets = recommender->baskets->n;
	CrmStatus status = crm_recommend_popularity(recommender);

	for (uint32_t i = 0; i < n_items && *n < recommender->param.k && status == CRM_OK; i++)
	{
		uint32_t item = recommender->popular[i], count = recommender->count[item];

		if (count == 0)
			break;
		if (recommender->state[item] != 0)
			continue;
		recommender->state[item] |= TAKEN;
		list[(*n)++] = (CrmRecommendation){.score = (double) count / (double) baskets,
										   .method = CRM_RECOMMEND_POPULAR,
										   .item = item,
										   .antecedent_count = baskets,
										   .together = count,
										   .count = count};
	}
	return status;
}

/* Fill the list by one method after another; items: the basket's, in ascending order. */
static CrmStatus
fill(CrmRecommender *recommender, const uint32_t *items, uint32_t n_items, CrmRecommendation *list,
	 uint32_t *n)
{
	const CrmRecommendParam *param = &recommender->param;
	CrmStatus status;

	if (param->use[CRM_RECOMMEND_RULE] &&
		((status = gather_rules(recommender, items, n_items)) != CRM_OK ||
		 (status = take(recommender, CRM_RECOMMEND_RULE, list, n)) != CRM_OK))
		return status;
	if (param->use[CRM_RECOMMEND_SIMILAR] && *n < param->k &&
		((status = gather_similar(recommender, items, n_items)) != CRM_OK ||
		 (status = take(recommender, CRM_RECOMMEND_SIMILAR, list, n)) != CRM_OK))
		return status;
	if (param->use[CRM_RECOMMEND_POPULAR] && *n < param->k)
		return take_popular(recommender, list, n);
	return CRM_OK;
}

/*
 * Sort n item codes (Shell's sort, steps of Ciura), and drop doubles and those that fewer baskets
 * hold than a rule or a similarity needs; gives how many are left.
 */
static uint32_t
tidy(const CrmRecommender *recommender, uint32_t *items, uint32_t n)
{
	static const uint32_t steps[] = {33936, 13776, 4592, 1968, 861, 336, 112, 48, 21, 7, 3, 1};
	uint32_t left = 0;

	for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
		for (uint32_t i = steps[s]; i < n; i++)
		{
			uint32_t item = items[i], j = i;

			for (; j >= steps[s] && items[j - steps[s]] > item; j -= steps[s])
				items[j] = items[j - steps[s]];
			items[j] = item;
		}
	for (uint32_t i = 0; i < n; i++)
		if ((left == 0 || items[left - 1] != items[i]) &&
			recommender->count[items[i]] >= recommender->param.min_count)
			items[left++] = items[i];
	return left;
}

/*
 * Recommend up to k items to a basket (item codes, in any order, doubles count once), none of which
 * is in it or among the known ones. The basket's items must be wanted ones; each code below
 * n_items. list has room for k; gives their number in *n. Errors: CRM_LIMIT, CRM_NO_MEMORY,
 * CRM_ABORTED, after which the recommender can only be ended.
 */
CrmStatus
crm_recommend(CrmRecommender *recommender, const uint32_t *basket, uint32_t n_basket,
			  const uint32_t *known, uint32_t n_known, CrmRecommendation *list, uint32_t *n)
{
	CrmCtx *ctx = recommender->ctx;
	uint32_t *items = crm_allocate(ctx, n_basket, sizeof *items);
	uint32_t n_items;
	CrmStatus status;

	*n = 0;
	if (items == NULL)
		return ctx->failure;
	if (n_basket > 0)
		memcpy(items, basket, n_basket * sizeof *items);
	for (uint32_t i = 0; i < n_basket; i++)
		recommender->state[basket[i]] |= IN_BASKET;
	n_items = tidy(recommender, items, n_basket);
	for (uint32_t i = 0; i < n_known; i++)
		recommender->state[known[i]] |= KNOWN;
	status = fill(recommender, items, n_items, list, n);
	for (uint32_t i = 0; i < n_basket; i++)
		recommender->state[basket[i]] = 0;
	for (uint32_t i = 0; i < n_known; i++)
		recommender->state[known[i]] = 0;
	for (uint32_t i = 0; i < *n; i++)
		recommender->state[list[i].item] = 0;
	crm_release(ctx, items, n_basket, sizeof *items);
	return status;
}

/*
 * List the k items most like a wanted one, from min_count common baskets on, whatever `neighbours`
 * says. list has room for k; gives their number in *n. Errors as crm_recommend.
 */
CrmStatus
crm_recommend_similar(CrmRecommender *recommender, uint32_t item, CrmRecommendation *list,
					  uint32_t *n)
{
	uint32_t count, n_touched;
	const uint32_t *tids = crm_recommend_tids(recommender, item, &count);
	CrmStatus status = crm_recommend_count(recommender, tids, count, &n_touched);

	*n = 0;
	if (status != CRM_OK)
		return status;
	status =
		crm_recommend_nearest(recommender, item, n_touched, false, recommender->param.k, list, n);
	crm_recommend_forget(recommender, n_touched);
	return status;
}
