/*
 * rules_redundant.c: the best confidence of each consequent within each set.
 */
#include "kernel/rules_redundant.h"

#include <string.h>

#define PAGE 65536 /* confidences */

/* No rule: below every confidence. */
#define NONE (-1.0)

/* Give n over k, n at most 64. */
static uint64_t
choose(uint32_t n, uint32_t k)
{
	uint64_t result = 1;

	if (k > n)
		return 0;
	for (uint32_t i = 1; i <= k; i++) /* result (n - k + i) / i, which may not fit before the / */
		result = result / i * (n - k + i) + result % i * (n - k + i) / i;
	return result;
}

/* Give the number of consequents of up to that many items, of a set of that length. */
static uint64_t
count_consequents(uint32_t length, uint32_t max_consequent)
{
	uint64_t count = 0;

	for (uint32_t k = 1; k <= max_consequent && k < length; k++)
		count += choose(length, k);
	return count;
}

/*
 * Give the place of a consequent among those of a set of that length: by size, then in the
 * combinatorial number system (Knuth, TAOCP 4A, 7.2.1.3).
 */
static uint64_t
place(uint32_t length, uint64_t consequent)
{
	uint32_t size = crm_rules_size(consequent);
	uint64_t at = 0;
	uint32_t k = 1;

	if (size == 1)
		return (uint64_t) __builtin_ctzll(consequent);
	for (; k < size; k++)
		at += choose(length, k);
	for (k = 1; consequent != 0; consequent &= consequent - 1)
		at += choose((uint32_t) __builtin_ctzll(consequent), k++);
	return at;
}

/* Give the place in memory of the best confidence of a set and consequent. */
static double *
best_at(const CrmRulesBest *best, const CrmRulesSet *set, uint64_t consequent)
{
	uint64_t at = set->side + place(set->length, consequent);

	return &best->pages[at / PAGE][at % PAGE];
}

/* Take the item at a place out of a mask: those above it move down. */
static uint64_t
drop_bit(uint64_t mask, uint32_t bit)
{
	uint64_t below = mask & ((UINT64_C(1) << bit) - 1);

	return below | (bit < 63 ? mask >> (bit + 1) << bit : 0);
}

/*
 * Give the best confidence of the rules with that consequent whose antecedent is a proper part of
 * the rest of the set; below 0 when there is none.
 */
double
crm_rules_best_below(const CrmRulesBest *best, const CrmRulesSet *set, uint64_t consequent)
{
	uint64_t all = crm_rules_all(set->length);
	uint64_t rest = all & ~consequent;
	double most = NONE;

	if ((rest & (rest - 1)) == 0)
		return NONE;
	for (; rest != 0; rest &= rest - 1)
	{
		uint32_t bit = (uint32_t) __builtin_ctzll(rest);
		uint32_t found = crm_rules_store_find(best->store, set, all & ~(UINT64_C(1) << bit));
		double value;

		if (found >= best->end)
			continue;
		value = *best_at(best, crm_rules_set(best->store, found), drop_bit(consequent, bit));
		if (value > most)
			most = value;
	}
	return most;
}

/* Tell whether one of the items in the mask is flagged; no flags: all are. */
static bool
has_flagged(const CrmRulesSet *set, uint64_t mask, const uint8_t *flags)
{
	if (flags == NULL)
		return true;
	for (; mask != 0; mask &= mask - 1)
		if (flags[set->items[__builtin_ctzll(mask)]] != 0)
			return true;
	return false;
}

/* Find the best confidence of each consequent of a set; those of shorter sets are known. */
static void
fill(const CrmRulesBest *best, const CrmRulesSet *set, const uint8_t *antecedent_in)
{
	uint64_t all = crm_rules_all(set->length);

	for (uint32_t size = 1; size <= best->max_consequent && size < set->length; size++)
	{
		uint64_t consequent = (UINT64_C(1) << size) - 1;

		/* each mask of so many bits, ascending (Gosper's step) */
		while (consequent <= all)
		{
			uint64_t low = consequent & -consequent, ripple = consequent + low;
			double most = crm_rules_best_below(best, set, consequent);

			if (has_flagged(set, all & ~consequent, antecedent_in))
			{
				uint32_t found = crm_rules_store_find(best->store, set, all & ~consequent);

				if (found != CRM_RULES_NO_SET)
				{
					double confidence =
						(double) set->count / (double) crm_rules_set(best->store, found)->count;

					if (confidence > most)
						most = confidence;
				}
			}
			*best_at(best, set, consequent) = most;
			if (ripple < consequent)
				break;
			consequent = (((ripple ^ consequent) >> 2) / low) | ripple;
		}
	}
}

/* Give each set its room; the longest length comes back. */
static CrmStatus
make_room(CrmRulesBest *best, CrmRulesStore *store, uint32_t end, uint32_t *longest)
{
	uint64_t total = 0;

	*longest = 0;
	for (uint32_t set = crm_rules_store_first(store); set != end && set != CRM_RULES_NO_SET;
		 set = crm_rules_store_next(store, set))
	{
		CrmRulesSet *s = crm_rules_set(store, set);

		s->side = (uint32_t) total;
		total += count_consequents(s->length, best->max_consequent);
		if (total > UINT32_MAX)
		{
			best->ctx->wanted = SIZE_MAX;
			return CRM_LIMIT;
		}
		if (s->length > *longest)
			*longest = s->length;
	}
	best->n_pages = (size_t) (total / PAGE + 1);
	best->pages = crm_allocate(best->ctx, best->n_pages, sizeof *best->pages);
	if (best->pages == NULL)
		return best->ctx->failure;
	memset(best->pages, 0, best->n_pages * sizeof *best->pages);
	for (size_t i = 0; i < best->n_pages; i++)
	{
		best->pages[i] = crm_allocate(best->ctx, PAGE, sizeof(double));
		if (best->pages[i] == NULL)
			return best->ctx->failure;
	}
	return CRM_OK;
}

/*
 * Find the best confidences of all sets before number end (CRM_RULES_NO_SET: all), consequents of
 * up to max_consequent items; an antecedent counts when one of its items is flagged (NULL: always)
 * and its set is in the store, which has its index. The sets' side is used. Call
 * crm_rules_best_free whatever comes back. Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_rules_best_make(CrmRulesBest *best, CrmCtx *ctx, CrmRulesStore *store, uint32_t end,
					uint32_t max_consequent, const uint8_t *antecedent_in)
{
	uint32_t longest;
	CrmStatus status;
	uint64_t done = 0;

	*best =
		(CrmRulesBest){.ctx = ctx, .store = store, .end = end, .max_consequent = max_consequent};
	status = make_room(best, store, end, &longest);
	if (status != CRM_OK)
		return status;
	for (uint32_t length = 2; length <= longest; length++)
		for (uint32_t set = crm_rules_store_first(store); set != end && set != CRM_RULES_NO_SET;
			 set = crm_rules_store_next(store, set))
		{
			const CrmRulesSet *s = crm_rules_set(store, set);

			if (s->length == length)
			{
				fill(best, s, antecedent_in);
				done += length * length * 8 * best->max_consequent;
			}
			if (++done >= 500000)
			{
				done = 0;
				if (crm_poll(ctx))
					return CRM_ABORTED;
			}
		}
	return CRM_OK;
}

/* Give back all memory. */
void
crm_rules_best_free(CrmRulesBest *best)
{
	for (size_t i = 0; i < best->n_pages && best->pages != NULL; i++)
		crm_release(best->ctx, best->pages[i], PAGE, sizeof(double));
	crm_release(best->ctx, best->pages, best->n_pages, sizeof *best->pages);
	best->pages = NULL;
	best->n_pages = 0;
}
