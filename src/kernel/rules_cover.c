/*
 * rules_cover.c: the baskets that hold each of a list of itemsets.
 */
#include "kernel/rules_cover.h"

#include <string.h>

#include "kernel/rules_sort.h"

#define GALLOP 16 /* so many times longer, a list is searched rather than merged */

/* What is known of the items and sets of a list. */
typedef struct Cover
{
	CrmCtx *ctx;
	const CrmBaskets *baskets;
	const CrmRulesStore *store;
	const uint32_t *sets;
	size_t n;
	uint64_t done; /* operations since the last poll */

	uint32_t *frequency; /* of an item, 0 when no set has it */
	uint64_t *list_at;   /* n_items + 1: where an item's baskets are */
	uint32_t *lists;
	uint64_t lists_room;

	uint64_t *path_at; /* n + 1: where a set's items are, the rarest first */
	uint32_t *paths;
	uint64_t paths_room;
	uint32_t *order; /* of the sets, by path; twice n for sorting */

	uint32_t *level[CRM_RULES_MAX_LENGTH]; /* baskets of the first so many items and one more */
	uint32_t level_n[CRM_RULES_MAX_LENGTH];
	size_t level_room; /* of a level, in baskets */
} Cover;

/* Give room for n things; NULL sets failed. */
static void *
room(Cover *cover, size_t n, size_t size, bool *failed)
{
	void *memory = crm_allocate(cover->ctx, n, size);

	*failed |= memory == NULL;
	return memory;
}

/* Count so many operations; true when the host wants to stop. */
static bool
is_stopped(Cover *cover, uint64_t operations)
{
	cover->done += operations;
	if (cover->done < 500000)
		return false;
	cover->done = 0;
	return crm_poll(cover->ctx);
}

/* Count the baskets of each item that a set has, or, with lists, write them down. */
static CrmStatus
scan(Cover *cover, uint32_t *seen, bool write)
{
	const CrmBaskets *baskets = cover->baskets;

	memset(seen, 0xff, baskets->n_items * sizeof *seen);
	for (uint32_t b = 0; b < baskets->n; b++)
	{
		for (uint64_t i = baskets->start[b]; i < baskets->start[b + 1]; i++)
		{
			uint32_t item = baskets->items[i];

			/* repeats in a basket count once */
			if (cover->list_at[item] == UINT64_MAX || seen[item] == b)
				continue;
			seen[item] = b;
			if (write)
				cover->lists[cover->list_at[item]++] = b;
			else
				cover->frequency[item]++;
		}
		if (is_stopped(cover, baskets->start[b + 1] - baskets->start[b] + 1))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Make the list of baskets of each item that a set has; list_at of the others stays UINT64_MAX. */
static CrmStatus
make_lists(Cover *cover)
{
	uint32_t n_items = cover->baskets->n_items;
	bool failed = false;
	uint32_t *seen = room(cover, n_items, sizeof *seen, &failed);
	CrmStatus status = CRM_OK;

	cover->frequency = room(cover, n_items, sizeof(uint32_t), &failed);
	cover->list_at = room(cover, n_items, sizeof(uint64_t), &failed);
	if (failed)
		status = cover->ctx->failure;
	if (status == CRM_OK)
	{
		memset(cover->frequency, 0, n_items * sizeof *cover->frequency);
		memset(cover->list_at, 0xff, n_items * sizeof *cover->list_at);
		for (size_t s = 0; s < cover->n; s++)
		{
			const CrmRulesSet *set = crm_rules_set(cover->store, cover->sets[s]);

			for (uint32_t i = 0; i < set->length; i++)
				cover->list_at[set->items[i]] = 0;
		}
		status = scan(cover, seen, false);
	}
	if (status == CRM_OK)
	{
		for (uint32_t item = 0; item < n_items; item++)
			if (cover->list_at[item] == 0)
			{
				cover->list_at[item] = cover->lists_room;
				cover->lists_room += cover->frequency[item];
			}
		cover->lists = room(cover, cover->lists_room, sizeof(uint32_t), &failed);
		status = failed ? cover->ctx->failure : scan(cover, seen, true);
	}
	if (status == CRM_OK)
		for (uint32_t item = 0; item < n_items; item++)
			if (cover->list_at[item] != UINT64_MAX)
				cover->list_at[item] -= cover->frequency[item];
	crm_release(cover->ctx, seen, n_items, sizeof *seen);
	return status;
}

/* Tell whether item a comes before b on a path: it is rarer, or of equal ones the smaller code. */
static bool
is_before(const Cover *cover, uint32_t a, uint32_t b)
{
	return cover->frequency[a] != cover->frequency[b] ? cover->frequency[a] < cover->frequency[b]
													  : a < b;
}

/* Compare two sets by their paths. */
static int
compare_paths(const void *arg, uint32_t a, uint32_t b)
{
	const Cover *cover = arg;
	const uint32_t *p = cover->paths + cover->path_at[a], *q = cover->paths + cover->path_at[b];
	uint64_t p_n = cover->path_at[a + 1] - cover->path_at[a];
	uint64_t q_n = cover->path_at[b + 1] - cover->path_at[b];

	for (uint64_t i = 0; i < p_n && i < q_n; i++)
		if (p[i] != q[i])
			return is_before(cover, p[i], q[i]) ? -1 : 1;
	return (p_n > q_n) - (p_n < q_n);
}

/* Write each set's items, the rarest first, and sort the sets by that. */
static CrmStatus
make_paths(Cover *cover)
{
	bool failed = false;
	uint64_t at = 0;

	for (size_t s = 0; s < cover->n; s++)
		cover->paths_room += crm_rules_set(cover->store, cover->sets[s])->length;
	cover->path_at = room(cover, cover->n + 1, sizeof(uint64_t), &failed);
	cover->paths = room(cover, cover->paths_room, sizeof(uint32_t), &failed);
	cover->order = room(cover, 2 * cover->n, sizeof(uint32_t), &failed);
	if (failed)
		return cover->ctx->failure;
	for (size_t s = 0; s < cover->n; s++)
	{
		const CrmRulesSet *set = crm_rules_set(cover->store, cover->sets[s]);
		uint32_t *path = cover->paths + at;

		cover->path_at[s] = at;
		for (uint32_t i = 0; i < set->length; i++)
		{
			uint32_t j = i;

			for (; j > 0 && is_before(cover, set->items[i], path[j - 1]); j--)
				path[j] = path[j - 1];
			path[j] = set->items[i];
		}
		at += set->length;
		cover->order[s] = (uint32_t) s;
		if (set->length > 1 && cover->frequency[path[0]] > cover->level_room)
			cover->level_room = cover->frequency[path[0]];
		if (is_stopped(cover, 8 * set->length))
			return CRM_ABORTED;
	}
	cover->path_at[cover->n] = at;
	return crm_rules_sort(cover->ctx, cover->order, cover->order + cover->n, cover->n,
						  compare_paths, cover);
}

/* Give the first place from `from` on in list[0..n) whose value is at least x, by doubling steps.
 */
static uint32_t
seek(const uint32_t *list, uint32_t from, uint32_t n, uint32_t x)
{
	uint32_t step = 1, low = from, high = from;

	while (high < n && list[high] < x)
	{
		low = high + 1;
		high = n - high > step ? high + step : n;
		step *= 2;
	}
	while (low < high)
	{
		uint32_t middle = low + (high - low) / 2;

		if (list[middle] < x)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Write what is in both ascending lists, a not the longer, to out; give how much. */
static uint32_t
intersect(const uint32_t *a, uint32_t a_n, const uint32_t *b, uint32_t b_n, uint32_t *out)
{
	uint32_t n = 0;

	if (b_n / GALLOP > a_n)
	{
		for (uint32_t i = 0, j = 0; i < a_n && j < b_n; i++)
		{
			j = seek(b, j, b_n, a[i]);
			if (j < b_n && b[j] == a[i])
				out[n++] = a[i];
		}
		return n;
	}
	for (uint32_t i = 0, j = 0; i < a_n && j < b_n;)
	{
		uint32_t x = a[i], y = b[j];

		out[n] = x;
		n += x == y;
		i += x <= y;
		j += y <= x;
	}
	return n;
}

/* Make the baskets of the first depth + 1 items of a path from those of one item less. */
static CrmStatus
descend(Cover *cover, const uint32_t *path, uint32_t depth)
{
	uint32_t item = path[depth];
	uint32_t *list = cover->lists + cover->list_at[item];

	if (depth == 0)
	{
		cover->level[0] = list;
		cover->level_n[0] = cover->frequency[item];
		return CRM_OK;
	}
	if (cover->level[depth] == NULL)
	{
		cover->level[depth] = crm_allocate(cover->ctx, cover->level_room + 1, sizeof(uint32_t));
		if (cover->level[depth] == NULL)
			return cover->ctx->failure;
	}
	cover->level_n[depth] = intersect(cover->level[depth - 1], cover->level_n[depth - 1], list,
									  cover->frequency[item], cover->level[depth]);
	return is_stopped(cover, cover->level_n[depth - 1] + cover->frequency[item] / 4) ? CRM_ABORTED
																					 : CRM_OK;
}

/* Walk the sets by path and show each its baskets. */
static CrmStatus
walk(Cover *cover, CrmRulesVisit visit, void *arg)
{
	const uint32_t *last = NULL;
	uint32_t last_n = 0;

	for (size_t i = 0; i < cover->n; i++)
	{
		uint32_t s = cover->order[i];
		const uint32_t *path = cover->paths + cover->path_at[s];
		uint32_t n = (uint32_t) (cover->path_at[s + 1] - cover->path_at[s]);
		uint32_t shared = 0;

		while (shared < n && shared < last_n && path[shared] == last[shared])
			shared++;
		for (uint32_t depth = shared; depth < n; depth++)
		{
			CrmStatus status = descend(cover, path, depth);

			if (status != CRM_OK)
				return status;
		}
		visit(arg, cover->sets[s], cover->level[n - 1], cover->level_n[n - 1]);
		if (is_stopped(cover, cover->level_n[n - 1] + 16))
			return CRM_ABORTED;
		last = path;
		last_n = n;
	}
	return CRM_OK;
}

/*
 * Show the baskets that hold each of n sets of the store to visit, in an order of its own. Takes 4
 * bytes for each time that an item of the sets lies in a basket, and gives it back. Errors:
 * CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_rules_cover(CrmCtx *ctx, const CrmBaskets *baskets, const CrmRulesStore *store,
				const uint32_t *sets, size_t n, CrmRulesVisit visit, void *arg)
{
	Cover cover = {.ctx = ctx, .baskets = baskets, .store = store, .sets = sets, .n = n};
	CrmStatus status = n > 0 ? make_lists(&cover) : CRM_OK;

	if (status == CRM_OK && n > 0)
		status = make_paths(&cover);
	if (status == CRM_OK)
		status = walk(&cover, visit, arg);
	for (int depth = 1; depth < CRM_RULES_MAX_LENGTH; depth++)
		crm_release(ctx, cover.level[depth], cover.level_room + 1, sizeof(uint32_t));
	crm_release(ctx, cover.order, 2 * n, sizeof(uint32_t));
	crm_release(ctx, cover.paths, cover.paths_room, sizeof(uint32_t));
	crm_release(ctx, cover.path_at, n + 1, sizeof(uint64_t));
	crm_release(ctx, cover.lists, cover.lists_room, sizeof(uint32_t));
	crm_release(ctx, cover.list_at, baskets->n_items, sizeof(uint64_t));
	crm_release(ctx, cover.frequency, baskets->n_items, sizeof(uint32_t));
	return status;
}
