/*
 * sequence_rules.c: frequent patterns in order, and the rules in them; see sequence.h.
 *
 * The tail of a pattern, the pattern without its first step, is frequent too: an occurrence of the
 * whole holds one of the tail within the same gaps and window. So all that a rule needs is among
 * the patterns: its antecedent is an ancestor, its consequent a tail of a tail, found once for each
 * pattern from its parent's:
 *
 *     tail(P + event) = tail(P) + event, the same way (a later step or the same one)
 */
#include "kernel/sequence.h"

#include "kernel/base/order.h"

#define POLL_EVERY ((size_t) 1 << 18)
#define NONE       CRM_SEQUENCE_NONE

/* Give a pattern's child by that code; NONE when it has none. */
static uint32_t
find_child(const CrmSequencePattern *patterns, uint32_t parent, uint32_t code)
{
	uint32_t low = patterns[parent].first_child;
	uint32_t high = low + patterns[parent].n_children;
	uint32_t end = high;

	while (low < high)
	{
		uint32_t middle = low + (high - low) / 2;

		if (patterns[middle].code < code)
			low = middle + 1;
		else
			high = middle;
	}
	return low < end && patterns[low].code == code ? low : NONE;
}

/* Write the numbers of all patterns but the empty one in preorder: by their events. */
static CrmStatus
list_patterns(CrmCtx *ctx, const CrmSequenceModel *model, uint32_t *order)
{
	const CrmSequencePattern *patterns = model->patterns;
	uint32_t at = CRM_SEQUENCE_ROOT;

	for (size_t n = 0; n + 1 < model->n; n++)
	{
		if (n % POLL_EVERY == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		if (patterns[at].n_children > 0)
			at = patterns[at].first_child;
		else
		{
			uint32_t parent = patterns[at].parent;

			while (at + 1 == patterns[parent].first_child + patterns[parent].n_children)
			{
				at = parent;
				parent = patterns[at].parent;
			}
			at++;
		}
		order[n] = at;
	}
	return CRM_OK;
}

/*
 * Write to order[model->n - 1] the numbers of the patterns, the empty one left out: by count, the
 * largest first, then by length, then by their events. A model has at least the empty pattern.
 * Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_sequence_order(CrmCtx *ctx, const CrmSequenceModel *model, uint32_t *order)
{
	size_t n = model->n;
	uint64_t *keys = crm_allocate(ctx, n, sizeof(uint64_t));
	uint32_t *scratch = crm_allocate(ctx, n, sizeof(uint32_t));
	CrmStatus status = keys != NULL && scratch != NULL ? CRM_OK : ctx->failure;

	if (status == CRM_OK)
		status = list_patterns(ctx, model, order);
	for (size_t i = 0; i < n && status == CRM_OK; i++)
	{
		keys[i] = (uint64_t) ~model->patterns[i].count << 32 | model->patterns[i].length;
		if (i % POLL_EVERY == 0 && crm_poll(ctx))
			status = CRM_ABORTED;
	}
	if (status == CRM_OK)
		status = crm_radix_sort_index(ctx, keys, order, scratch, n - 1);
	crm_release(ctx, keys, n, sizeof(uint64_t));
	crm_release(ctx, scratch, n, sizeof(uint32_t));
	return status;
}

/* Fill in the tail of each pattern; the root for those of one step. */
static CrmStatus
find_tails(CrmCtx *ctx, const CrmSequenceModel *model, uint32_t *tail)
{
	const CrmSequencePattern *patterns = model->patterns;

	tail[CRM_SEQUENCE_ROOT] = CRM_SEQUENCE_ROOT;
	for (size_t i = 1; i < model->n; i++)
	{
		uint32_t parent = patterns[i].parent;
		bool is_joined = (patterns[i].code & 1) != 0;

		if (i % POLL_EVERY == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		if (parent == CRM_SEQUENCE_ROOT || (is_joined && tail[parent] == CRM_SEQUENCE_ROOT))
			tail[i] = CRM_SEQUENCE_ROOT;
		else
			tail[i] = find_child(patterns, tail[parent], patterns[i].code);
		if (tail[i] == NONE)
			return CRM_DOMAIN;
	}
	return CRM_OK;
}

/*
 * Find the rules of one pattern, with the confidence wanted, the shortest antecedent last; give how
 * many, and write them when rules is not NULL.
 */
static size_t
split(const CrmSequenceModel *model, const uint32_t *tail, uint32_t pattern, double min_confidence,
	  CrmSequenceRule *rules)
{
	const CrmSequencePattern *patterns = model->patterns;
	double customers = patterns[CRM_SEQUENCE_ROOT].count;
	double count = patterns[pattern].count;
	size_t n = 0;

	for (uint32_t at = pattern; at != CRM_SEQUENCE_ROOT; at = patterns[at].parent)
	{
		uint32_t antecedent = patterns[at].parent, consequent = pattern;
		double confidence = count / patterns[antecedent].count;

		if ((patterns[at].code & 1) != 0 || antecedent == CRM_SEQUENCE_ROOT ||
			!(confidence >= min_confidence))
			continue;
		for (uint32_t up = antecedent; up != CRM_SEQUENCE_ROOT; up = patterns[up].parent)
			if ((patterns[up].code & 1) == 0)
				consequent = tail[consequent]; /* a tail for each step of the antecedent */
		if (rules != NULL)
			rules[n] =
				(CrmSequenceRule){.pattern = pattern,
								  .antecedent = antecedent,
								  .consequent = consequent,
								  .confidence = confidence,
								  .lift = confidence * customers / patterns[consequent].count};
		n++;
	}
	return n;
}

/* Fill in the rules of all patterns in their order; with rules NULL only count them. */
static CrmStatus
list_rules(CrmCtx *ctx, const CrmSequenceModel *model, const uint32_t *order, const uint32_t *tail,
		   double min_confidence, CrmSequenceRules *found)
{
	size_t n = 0, work = 0;

	for (size_t i = 0; i + 1 < model->n; i++)
	{
		size_t length = model->patterns[order[i]].length;

		work += 1 + length * length;
		if (work >= POLL_EVERY && crm_poll(ctx))
			return CRM_ABORTED;
		work %= POLL_EVERY;
		n += split(model, tail, order[i], min_confidence,
				   found->rules != NULL ? found->rules + n : NULL);
	}
	found->n = n;
	return CRM_OK;
}

/* Put the rules in order: by lift, those of equal lift as they are listed. */
static CrmStatus
order_rules(CrmCtx *ctx, CrmSequenceRules *found)
{
	uint64_t *keys = crm_allocate(ctx, found->n, sizeof(uint64_t));
	uint32_t *scratch = crm_allocate(ctx, found->n, sizeof(uint32_t));
	CrmStatus status = keys != NULL && scratch != NULL ? CRM_OK : ctx->failure;

	for (size_t i = 0; i < found->n && status == CRM_OK; i++)
	{
		keys[i] = ~crm_order_double(found->rules[i].lift);
		found->order[i] = (uint32_t) i;
		if (i % POLL_EVERY == 0 && crm_poll(ctx))
			status = CRM_ABORTED;
	}
	if (status == CRM_OK)
		status = crm_radix_sort_index(ctx, keys, found->order, scratch, found->n);
	crm_release(ctx, keys, found->n, sizeof(uint64_t));
	crm_release(ctx, scratch, found->n, sizeof(uint32_t));
	return status;
}

/*
 * Find the rules of at least that confidence in a model, whose patterns are in the order of
 * crm_sequence_order. rules and their order are allocated from ctx (n items); after an error there
 * are none. Rules of equal lift come by their pattern's place, the longer antecedent first.
 * Errors: CRM_LIMIT (also for 2^32 rules), CRM_NO_MEMORY, CRM_ABORTED; CRM_DOMAIN for patterns that
 * are not those of one call of crm_sequence_mine.
 */
CrmStatus
crm_sequence_rules(CrmCtx *ctx, const CrmSequenceModel *model, const uint32_t *order,
				   double min_confidence, CrmSequenceRules *rules)
{
	uint32_t *tail = crm_allocate(ctx, model->n, sizeof(uint32_t));
	CrmStatus status = tail != NULL ? CRM_OK : ctx->failure;

	*rules = (CrmSequenceRules){.rules = NULL};
	if (status == CRM_OK)
		status = find_tails(ctx, model, tail);
	if (status == CRM_OK)
		status = list_rules(ctx, model, order, tail, min_confidence, rules);
	if (status == CRM_OK && rules->n > UINT32_MAX)
	{
		ctx->wanted = SIZE_MAX;
		status = CRM_LIMIT;
	}
	if (status == CRM_OK)
	{
		rules->rules = crm_allocate(ctx, rules->n, sizeof(CrmSequenceRule));
		status = rules->rules != NULL ? CRM_OK : ctx->failure;
	}
	if (status == CRM_OK)
	{
		rules->order = crm_allocate(ctx, rules->n, sizeof(uint32_t));
		status = rules->order != NULL ? CRM_OK : ctx->failure;
	}
	if (status == CRM_OK)
		status = list_rules(ctx, model, order, tail, min_confidence, rules);
	if (status == CRM_OK)
		status = order_rules(ctx, rules);
	crm_release(ctx, tail, model->n, sizeof(uint32_t));
	if (status != CRM_OK)
	{
		crm_release(ctx, rules->rules, rules->n, sizeof(CrmSequenceRule));
		crm_release(ctx, rules->order, rules->n, sizeof(uint32_t));
		*rules = (CrmSequenceRules){.rules = NULL};
	}
	return status;
}
