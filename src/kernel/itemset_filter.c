/*
 * itemset_filter.c: closed and maximal sets by their definitions; see itemset_filter.h.
 *
 * All frequent sets are mined by FP-growth and kept. Each one rules out its subsets of one item
 * less: they are not maximal, and not closed if they have the same support. That is enough, as
 * between a set and a frequent superset there is a frequent one of one item more, and its support
 * lies between theirs. A set is found by a hash of its codes.
 */
#include "kernel/itemset_filter.h"

#include "kernel/itemset_fpgrowth.h"

#define FIRST_WORDS ((size_t) 1 << 12)
#define HEAD        2                    /* words before the codes: count; length and mark */
#define RULED_OUT   ((uint32_t) 1 << 31) /* the mark */
#define NO_SET      SIZE_MAX

typedef struct Filter
{
	CrmItemsetSearch *search; /* the caller's */
	uint32_t *words;          /* the sets, one after another */
	size_t used, room, n;
	size_t *slots; /* where sets begin, or NO_SET */
	size_t n_slots;
} Filter;

/* Keep a set. A CrmItemsetReport; CRM_LIMIT, CRM_NO_MEMORY. */
static CrmStatus
keep(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	Filter *filter = arg;
	CrmCtx *ctx = filter->search->ctx;
	size_t needed = filter->used + HEAD + length;

	if (needed > filter->room)
	{
		size_t room = filter->room > 0 ? 2 * filter->room : FIRST_WORDS;
		uint32_t *words;

		while (room < needed)
			room *= 2;
		words = crm_allocate(ctx, room, sizeof(uint32_t));
		if (words == NULL)
			return ctx->failure;
		if (filter->used > 0)
			memcpy(words, filter->words, filter->used * sizeof(uint32_t));
		crm_release(ctx, filter->words, filter->room, sizeof(uint32_t));
		filter->words = words;
		filter->room = room;
	}
	filter->words[filter->used] = count;
	filter->words[filter->used + 1] = length;
	memcpy(filter->words + filter->used + HEAD, items, length * sizeof(uint32_t));
	filter->used = needed;
	filter->n++;
	return CRM_OK;
}

/* Give the length of a set. */
static uint32_t
set_length(const Filter *filter, size_t at)
{
	return filter->words[at + 1] & ~RULED_OUT;
}

/* Hash n codes but the one at a position, which may be none of them. */
static uint64_t
hash_codes(const uint32_t *codes, uint32_t n, uint32_t but)
{
	uint64_t hash = UINT64_C(0x9E3779B97F4A7C15);

	for (uint32_t i = 0; i < n; i++)
		if (i != but)
		{
			hash = (hash ^ codes[i]) * UINT64_C(0xff51afd7ed558ccd);
			hash ^= hash >> 32;
		}
	return hash;
}

/* Tell whether the set at a place is n codes but the one at a position. */
static bool
is_set(const Filter *filter, size_t at, const uint32_t *codes, uint32_t n, uint32_t but)
{
	const uint32_t *own = filter->words + at + HEAD;

	return set_length(filter, at) == n - 1 && memcmp(own, codes, but * sizeof(uint32_t)) == 0 &&
		   memcmp(own + but, codes + but + 1, (n - 1 - but) * sizeof(uint32_t)) == 0;
}

/* Put all sets into slots, of which there are twice as many or more. */
static CrmStatus
fill_slots(Filter *filter)
{
	CrmItemsetSearch *search = filter->search;

	for (filter->n_slots = 2; filter->n_slots < 2 * filter->n; filter->n_slots *= 2)
		;
	filter->slots = crm_allocate(search->ctx, filter->n_slots, sizeof(size_t));
	if (filter->slots == NULL)
		return search->ctx->failure;
	for (size_t s = 0; s < filter->n_slots; s++)
	{
		filter->slots[s] = NO_SET;
		if (crm_itemset_search_is_stopped(search, 1))
			return CRM_ABORTED;
	}
	for (size_t at = 0; at < filter->used;)
	{
		uint32_t length = set_length(filter, at);
		size_t slot = hash_codes(filter->words + at + HEAD, length, length) & (filter->n_slots - 1);

		while (filter->slots[slot] != NO_SET)
			slot = (slot + 1) & (filter->n_slots - 1);
		filter->slots[slot] = at;
		at += HEAD + length;
		if (crm_itemset_search_is_stopped(search, length + 1))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Mark what the set at a place rules out. */
static CrmStatus
rule_out(Filter *filter, size_t at)
{
	const uint32_t *codes = filter->words + at + HEAD;
	uint32_t length = set_length(filter, at);

	for (uint32_t but = 0; but < length && length > 1; but++)
	{
		size_t slot = hash_codes(codes, length, but) & (filter->n_slots - 1), found;

		while ((found = filter->slots[slot]) != NO_SET &&
			   !is_set(filter, found, codes, length, but))
			slot = (slot + 1) & (filter->n_slots - 1);
		if (found != NO_SET && (filter->search->target == CRM_ITEMSET_MAXIMAL ||
								filter->words[found] == filter->words[at]))
			filter->words[found + 1] |= RULED_OUT;
		if (crm_itemset_search_is_stopped(filter->search, length))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Mine all frequent sets and keep them. */
static CrmStatus
collect(Filter *filter, const CrmItemsetRows *rows)
{
	CrmItemsetSearch search = {.ctx = filter->search->ctx,
							   .target = CRM_ITEMSET_FREQUENT,
							   .min_count = filter->search->min_count,
							   .min_length = 1,
							   .max_length = UINT32_MAX,
							   .report = keep,
							   .arg = filter};
	CrmStatus status = crm_itemset_search_begin(&search, rows->longest);

	if (status == CRM_OK)
	{
		status = crm_itemset_fpgrowth(&search, rows);
		crm_itemset_search_end(&search);
	}
	return status;
}

/* Report the sets that are left, of the lengths that are asked for. */
static CrmStatus
report_left(Filter *filter)
{
	CrmItemsetSearch *search = filter->search;
	CrmStatus status = CRM_OK;

	for (size_t at = 0; at < filter->used && status == CRM_OK;)
	{
		uint32_t length = set_length(filter, at);

		if (filter->words[at + 1] == length && length >= search->min_length &&
			length <= search->max_length)
			status =
				search->report(search->arg, filter->words + at + HEAD, length, filter->words[at]);
		if (status == CRM_OK && crm_itemset_search_is_stopped(search, length))
			status = CRM_ABORTED;
		at += HEAD + length;
	}
	return status;
}

/*
 * Report the closed or maximal sets of rows, as the search's target says; the search is set up but
 * need not have begun. CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED, or what the reporter answers.
 */
CrmStatus
crm_itemset_filter(CrmItemsetSearch *search, const CrmItemsetRows *rows)
{
	Filter filter = {.search = search};
	CrmStatus status = collect(&filter, rows);

	if (status == CRM_OK)
		status = fill_slots(&filter);
	for (size_t at = 0; at < filter.used && status == CRM_OK; at += HEAD + set_length(&filter, at))
		status = rule_out(&filter, at);
	if (status == CRM_OK)
		status = report_left(&filter);
	crm_release(search->ctx, filter.slots, filter.n_slots, sizeof(size_t));
	crm_release(search->ctx, filter.words, filter.room, sizeof(uint32_t));
	return status;
}
