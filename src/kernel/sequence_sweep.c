/*
 * sequence_sweep.c: one walk over the events that extend a pattern; see sequence_sweep.h.
 */
#include "kernel/sequence_sweep.h"

#define POLL_EVERY ((size_t) 1 << 18) /* events between two polls, a power of two */
#define NONE       CRM_SEQUENCE_NONE

/* Count or keep an occurrence of the pattern with one event more. */
static inline void
meet(CrmSequenceSweep *sweep, uint32_t code, uint32_t position, uint32_t start)
{
	CrmSequenceSlot *slot = &sweep->slots[code];

	if (sweep->is_minimal && slot->last_start == start)
		return;
	if (sweep->filling != NULL)
	{
		if (slot->entries == NONE)
			return;
		sweep->filling[slot->entries++] = (CrmSequenceEntry){position, start};
	}
	else
	{
		uint32_t customer = sweep->data->events[position].customer;

		if (slot->entries++ == 0)
			sweep->touched[sweep->n_touched++] = code;
		if (slot->last_customer != customer)
		{
			slot->last_customer = customer;
			slot->customers++;
		}
	}
	slot->last_start = start;
}

/* Meet all events: the occurrences of patterns of one. */
static CrmStatus
sweep_all(CrmSequenceSweep *sweep)
{
	const CrmSequenceData *data = sweep->data;

	for (uint32_t i = 0; i < data->n; i++)
	{
		if (crm_sequence_is_stopped(sweep, 1))
			return CRM_ABORTED;
		if (data->events[i].label != NONE)
			meet(sweep, 2 * data->events[i].label, i, i);
	}
	return CRM_OK;
}

/* Meet the events that join the last step: later items of the same moment. */
static CrmStatus
sweep_same(CrmSequenceSweep *sweep, const CrmSequenceEntry *entries, size_t n)
{
	const CrmEvent *events = sweep->data->events;

	for (size_t i = 0; i < n; i++)
	{
		const CrmEvent *last = &events[entries[i].end];

		crm_sequence_prefetch(events, entries, n, i);
		for (uint32_t p = entries[i].end + 1; p < sweep->data->n && events[p].time == last->time &&
											  events[p].customer == last->customer;
			 p++)
		{
			if (crm_sequence_is_stopped(sweep, 1))
				return CRM_ABORTED;
			if (events[p].label != NONE)
				meet(sweep, 2 * events[p].label + 1, p, entries[i].start);
		}
	}
	return CRM_OK;
}

/* Give a time so much later, or the last there is. */
static inline int64_t
later(int64_t time, uint64_t by)
{
	uint64_t room = (uint64_t) INT64_MAX - (uint64_t) time;

	return by > room ? INT64_MAX : (int64_t) ((uint64_t) time + by);
}

/* Tell whether there is an event p, and it is the customer's. */
static inline bool
is_of(const CrmSequenceData *data, uint32_t p, uint32_t customer)
{
	return p < data->n && data->events[p].customer == customer;
}

/* Give the last time at which an event may follow an entry, by the gap, the window and, when steps
 * are contiguous, by the customer's next moment. */
static inline int64_t
last_time(const CrmSequenceSweep *sweep, const CrmSequenceEntry *entry)
{
	const CrmEvent *events = sweep->data->events, *end = &events[entry->end];
	const CrmSequenceParam *param = sweep->param;
	int64_t last = later(end->time, param->max_gap);

	if (param->window < UINT64_MAX)
	{
		int64_t by_window = later(events[entry->start].time, param->window);

		last = by_window < last ? by_window : last;
	}
	if (param->contiguous)
	{
		uint32_t p = entry->end + 1;

		while (is_of(sweep->data, p, end->customer) && events[p].time == end->time)
			p++;
		if (is_of(sweep->data, p, end->customer) && events[p].time < last)
			last = events[p].time;
	}
	return last;
}

/*
 * Meet the events that may follow the entries from *at on, of one customer; *at moves past them. An
 * event is met for the latest entry that min_gap lets it follow, so each entry has a stretch of
 * events of its own, which ends where that of the next one begins, or before.
 */
static inline CrmStatus
sweep_customer(CrmSequenceSweep *sweep, const CrmSequenceEntry *entries, size_t n, size_t *at)
{
	const CrmEvent *events = sweep->data->events;
	uint32_t customer = events[entries[*at].end].customer;
	uint64_t wait = sweep->step;
	size_t i = *at;
	uint32_t p = entries[i].end + 1;
	bool is_last = false;

	for (; !is_last; i++)
	{
		int64_t time = events[entries[i].end].time;
		int64_t last = last_time(sweep, &entries[i]);
		uint32_t first;

		crm_sequence_prefetch(events, entries, n, i);
		is_last = i + 1 == n || events[entries[i + 1].end].customer != customer;
		if (!is_last)
		{
			int64_t next = later(events[entries[i + 1].end].time, wait - 1);

			last = next < last ? next : last;
		}
		p = p > entries[i].end ? p : entries[i].end + 1;
		for (first = p;
			 is_of(sweep->data, p, customer) && (uint64_t) events[p].time - (uint64_t) time < wait;
			 p++)
			;
		for (; is_of(sweep->data, p, customer) && events[p].time <= last; p++)
		{
			if (events[p].label != NONE)
				meet(sweep, 2 * events[p].label, p, entries[i].start);
			if (((p - first) & (POLL_EVERY - 1)) == POLL_EVERY - 1 && crm_poll(sweep->ctx))
				return CRM_ABORTED;
		}
		if (crm_sequence_is_stopped(sweep, p - first + 1))
			return CRM_ABORTED;
	}
	*at = i;
	return CRM_OK;
}

/*
 * Meet all events that extend a pattern with these n entries, ordered by end; of the empty pattern
 * (is_root) all events. They are counted, or, with filling set and the wanted slots pointing to
 * their places, written. Errors: CRM_ABORTED.
 */
CrmStatus
crm_sequence_sweep(CrmSequenceSweep *sweep, bool is_root, const CrmSequenceEntry *entries, size_t n)
{
	CrmStatus status = CRM_OK;

	if (is_root)
		return sweep_all(sweep);
	if (sweep->param->itemsets)
		status = sweep_same(sweep, entries, n);
	for (size_t i = 0; i < n && status == CRM_OK;)
		status = sweep_customer(sweep, entries, n, &i);
	return status;
}

/* Forget all occurrences met. */
void
crm_sequence_sweep_clear(CrmSequenceSweep *sweep)
{
	for (uint32_t i = 0; i < sweep->n_touched; i++)
		sweep->slots[sweep->touched[i]] = (CrmSequenceSlot){0, NONE, NONE, 0};
	sweep->n_touched = 0;
}

/*
 * Make ready to sweep events that crm_sequence_arrange made ready with the same options. To be
 * ended in any case. Errors: CRM_LIMIT, CRM_NO_MEMORY.
 */
CrmStatus
crm_sequence_sweep_begin(CrmSequenceSweep *sweep, CrmCtx *ctx, const CrmSequenceData *data,
						 const CrmSequenceParam *param)
{
	size_t codes = 2 * (size_t) data->n_items;

	*sweep = (CrmSequenceSweep){.ctx = ctx, .data = data, .param = param};
	sweep->step = param->min_gap > 0 ? param->min_gap : 1;
	sweep->is_minimal = !param->itemsets && param->max_gap == UINT64_MAX;
	sweep->slots = crm_allocate(ctx, codes, sizeof(CrmSequenceSlot));
	if (sweep->slots == NULL)
		return ctx->failure;
	for (size_t i = 0; i < codes; i++)
		sweep->slots[i] = (CrmSequenceSlot){0, NONE, NONE, 0};
	sweep->touched = crm_allocate(ctx, codes, sizeof(uint32_t));
	return sweep->touched != NULL ? CRM_OK : ctx->failure;
}

/* Free what crm_sequence_sweep_begin took. */
void
crm_sequence_sweep_end(CrmSequenceSweep *sweep)
{
	size_t codes = 2 * (size_t) sweep->data->n_items;

	crm_release(sweep->ctx, sweep->slots, codes, sizeof(CrmSequenceSlot));
	crm_release(sweep->ctx, sweep->touched, codes, sizeof(uint32_t));
}
