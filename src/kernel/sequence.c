/*
 * sequence.c: the miner: PrefixSpan with pseudo-projection, on an explicit stack.
 *
 * The occurrences of a pattern P are entries (end, start): for each event `end` on which an
 * occurrence of P may end, `start` is the latest event on which such a one may begin. More need not
 * be kept:
 *
 *   - what may follow depends on the end alone (gaps, contiguity) and, for the window, on the
 *     start, of which the latest is best; so it is for the fastest occurrence.
 *   - ordered by end, a customer's starts never fall. For one event start = end. An event p extends
 *     the entries whose ends lie in [t(p) - max_gap, t(p) - min_gap]; as starts never fall, the
 *     last of them is the best, and if that one is too far back for max_gap, all are. This last
 *     entry moves on with p, and so does its start. An entry that the window, the contiguity or the
 *     step refuses is taken out; what remains still never falls.
 *
 * So all occurrences are followed, as max_gap demands (the first alone would not do), and an
 * extension costs one walk over each customer's later events, whatever the constraints.
 *
 * Where nothing but the start matters (no max_gap, not contiguous, steps of one event) the entries
 * with the same start but a later end can be dropped: the earliest can do all that they can.
 *
 * Memory: 16 bytes for an event that is kept, 8 for each entry of the patterns on the stack and
 * their sisters (at most 16 bytes an event and level), 32 for a frequent pattern.
 */
#include "kernel/sequence.h"

#include <string.h>

#include "kernel/base/order.h"

#define POLL_EVERY ((size_t) 1 << 18) /* steps between two polls, a power of two */
#define PREFETCH   16                 /* entries ahead */
#define NONE       CRM_SEQUENCE_NONE

/* Positions of the last and first event of an occurrence. */
typedef struct Entry
{
	uint32_t end, start;
} Entry;

/* What is known of a pattern with one event more while its occurrences are met. */
typedef struct Slot
{
	uint32_t customers;
	uint32_t last_customer;
	uint32_t last_start;
	uint32_t entries; /* how many; then where the next one goes, NONE for a pattern not wanted */
} Slot;

/* The children of a pattern, being expanded one after another. */
typedef struct Frame
{
	uint32_t pattern;
	uint32_t next;    /* child to be expanded */
	uint32_t n;       /* children */
	Entry *entries;   /* of all children */
	uint32_t *offset; /* n + 1: where those of each child begin */
} Frame;

typedef struct Miner
{
	CrmCtx *ctx;
	const CrmSequenceData *data;
	const CrmSequenceParam *param;
	CrmSequenceModel *model;
	uint64_t step;      /* the least time between two steps */
	bool is_minimal;    /* entries with the same start are dropped */
	Slot *slots;        /* by code */
	uint32_t *touched;  /* codes of the slots in use */
	uint32_t n_touched; /* of them */
	Entry *filling;     /* where entries go; NULL while they are counted */
	uint64_t *spans;    /* of customers, for a median */
	Frame *frames;
	size_t n_frames, frame_room;
	size_t work;
} Miner;

/* Count steps of work; true when the host asks to stop. */
static inline bool
is_stopped(Miner *miner, size_t steps)
{
	miner->work += steps;
	if (miner->work < POLL_EVERY)
		return false;
	miner->work = 0;
	return crm_poll(miner->ctx);
}

/* ---- occurrences ------------------------------------------------------------------------- */

/* Count or keep an occurrence of the pattern with one event more. */
static inline void
meet(Miner *miner, uint32_t code, uint32_t position, uint32_t start)
{
	Slot *slot = &miner->slots[code];

	if (miner->is_minimal && slot->last_start == start)
		return;
	if (miner->filling != NULL)
	{
		if (slot->entries == NONE)
			return;
		miner->filling[slot->entries++] = (Entry){position, start};
	}
	else
	{
		uint32_t customer = miner->data->events[position].customer;

		if (slot->entries++ == 0)
			miner->touched[miner->n_touched++] = code;
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
sweep_all(Miner *miner)
{
	const CrmSequenceData *data = miner->data;

	for (uint32_t i = 0; i < data->n; i++)
	{
		if (is_stopped(miner, 1))
			return CRM_ABORTED;
		if (data->events[i].label != NONE)
			meet(miner, 2 * data->events[i].label, i, i);
	}
	return CRM_OK;
}

/* Let the processor fetch the events of entries that are soon to be swept. */
static inline void
prefetch(const CrmEvent *events, const Entry *entries, size_t n, size_t i)
{
	if (i + PREFETCH < n)
		__builtin_prefetch(&events[entries[i + PREFETCH].end]);
}

/* Meet the events that join the last step: later items of the same moment. */
static CrmStatus
sweep_same(Miner *miner, const Entry *entries, size_t n)
{
	const CrmEvent *events = miner->data->events;

	for (size_t i = 0; i < n; i++)
	{
		const CrmEvent *last = &events[entries[i].end];

		prefetch(events, entries, n, i);
		for (uint32_t p = entries[i].end + 1; p < miner->data->n && events[p].time == last->time &&
											  events[p].customer == last->customer;
			 p++)
		{
			if (is_stopped(miner, 1))
				return CRM_ABORTED;
			if (events[p].label != NONE)
				meet(miner, 2 * events[p].label + 1, p, entries[i].start);
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
last_time(const Miner *miner, const Entry *entry)
{
	const CrmEvent *events = miner->data->events, *end = &events[entry->end];
	const CrmSequenceParam *param = miner->param;
	int64_t last = later(end->time, param->max_gap);

	if (param->window < UINT64_MAX)
	{
		int64_t by_window = later(events[entry->start].time, param->window);

		last = by_window < last ? by_window : last;
	}
	if (param->contiguous)
	{
		uint32_t p = entry->end + 1;

		while (is_of(miner->data, p, end->customer) && events[p].time == end->time)
			p++;
		if (is_of(miner->data, p, end->customer) && events[p].time < last)
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
sweep_customer(Miner *miner, const Entry *entries, size_t n, size_t *at)
{
	const CrmEvent *events = miner->data->events;
	uint32_t customer = events[entries[*at].end].customer;
	uint64_t wait = miner->step;
	size_t i = *at;
	uint32_t p = entries[i].end + 1;
	bool is_last = false;

	for (; !is_last; i++)
	{
		int64_t time = events[entries[i].end].time;
		int64_t last = last_time(miner, &entries[i]);
		uint32_t first;

		prefetch(events, entries, n, i);
		is_last = i + 1 == n || events[entries[i + 1].end].customer != customer;
		if (!is_last)
		{
			int64_t next = later(events[entries[i + 1].end].time, wait - 1);

			last = next < last ? next : last;
		}
		p = p > entries[i].end ? p : entries[i].end + 1;
		for (first = p;
			 is_of(miner->data, p, customer) && (uint64_t) events[p].time - (uint64_t) time < wait;
			 p++)
			;
		for (; is_of(miner->data, p, customer) && events[p].time <= last; p++)
		{
			if (events[p].label != NONE)
				meet(miner, 2 * events[p].label, p, entries[i].start);
			if (((p - first) & (POLL_EVERY - 1)) == POLL_EVERY - 1 && crm_poll(miner->ctx))
				return CRM_ABORTED;
		}
		if (is_stopped(miner, p - first + 1))
			return CRM_ABORTED;
	}
	*at = i;
	return CRM_OK;
}

/* Meet all events that extend a pattern with these entries. */
static CrmStatus
sweep(Miner *miner, uint32_t pattern, const Entry *entries, size_t n)
{
	CrmStatus status = CRM_OK;

	if (pattern == CRM_SEQUENCE_ROOT)
		return sweep_all(miner);
	if (miner->param->itemsets)
		status = sweep_same(miner, entries, n);
	for (size_t i = 0; i < n && status == CRM_OK;)
		status = sweep_customer(miner, entries, n, &i);
	return status;
}

/* Forget all occurrences met. */
static void
clear_slots(Miner *miner)
{
	for (uint32_t i = 0; i < miner->n_touched; i++)
		miner->slots[miner->touched[i]] = (Slot){0, NONE, NONE, 0};
	miner->n_touched = 0;
}

/* ---- patterns ---------------------------------------------------------------------------- */

/* Append a pattern. */
static CrmStatus
add_pattern(Miner *miner, uint32_t parent, uint32_t code, uint32_t count)
{
	CrmSequenceModel *model = miner->model;

	if (model->n == model->room)
	{
		size_t room = model->room == 0 ? 256 : 2 * model->room;
		CrmSequencePattern *patterns;

		if (model->n >= NONE)
		{
			miner->ctx->wanted = SIZE_MAX;
			return CRM_LIMIT;
		}
		patterns = crm_allocate(miner->ctx, room, sizeof(CrmSequencePattern));
		if (patterns == NULL)
			return miner->ctx->failure;
		if (model->n > 0)
			memcpy(patterns, model->patterns, model->n * sizeof(CrmSequencePattern));
		crm_release(miner->ctx, model->patterns, model->room, sizeof(CrmSequencePattern));
		model->patterns = patterns;
		model->room = room;
	}
	model->patterns[model->n] = (CrmSequencePattern){
		.parent = parent, .code = code, .count = count, .first_child = (uint32_t) model->n + 1};
	if (code != NONE)
		model->patterns[model->n].length = model->patterns[parent].length + 1;
	model->n++;
	return CRM_OK;
}

/* Sort codes, ascending: by insertion when they are few, by heap otherwise. */
static void
sort_codes(uint32_t *codes, uint32_t n)
{
	uint32_t root = n / 2, last = n;

	for (uint32_t i = 1; n <= 32 && i < n; i++)
	{
		uint32_t code = codes[i], hole = i;

		for (; hole > 0 && codes[hole - 1] > code; hole--)
			codes[hole] = codes[hole - 1];
		codes[hole] = code;
	}
	while (n > 32 && last > 1)
	{
		uint32_t code, hole;

		if (root > 0)
			code = codes[hole = --root];
		else
		{
			hole = 0;
			code = codes[--last];
			codes[last] = codes[0];
		}
		for (uint32_t child = 2 * hole + 1; child < last; child = 2 * hole + 1)
		{
			child += child + 1 < last && codes[child + 1] > codes[child];
			if (codes[child] <= code)
				break;
			codes[hole] = codes[child];
			hole = child;
		}
		codes[hole] = code;
	}
}

/* Bring the codes of frequent slots to the front of touched, in order; give how many. */
static uint32_t
choose_children(Miner *miner)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < miner->n_touched; i++)
	{
		uint32_t code = miner->touched[i];

		if (miner->slots[code].customers >= miner->param->min_count)
		{
			miner->touched[i] = miner->touched[n];
			miner->touched[n++] = code;
		}
	}
	sort_codes(miner->touched, n);
	return n;
}

/* Give the frame for n children room; false: not enough memory. */
static bool
push_frame(Miner *miner, uint32_t pattern, uint32_t n, size_t entries)
{
	CrmCtx *ctx = miner->ctx;
	Frame *frame;

	if (miner->n_frames == miner->frame_room)
	{
		size_t room = miner->frame_room == 0 ? 16 : 2 * miner->frame_room;
		Frame *frames = crm_allocate(ctx, room, sizeof(Frame));

		if (frames == NULL)
			return false;
		if (miner->n_frames > 0)
			memcpy(frames, miner->frames, miner->n_frames * sizeof(Frame));
		crm_release(ctx, miner->frames, miner->frame_room, sizeof(Frame));
		miner->frames = frames;
		miner->frame_room = room;
	}
	frame = &miner->frames[miner->n_frames];
	*frame = (Frame){.pattern = pattern, .n = n};
	frame->offset = crm_allocate(ctx, (size_t) n + 1, sizeof(uint32_t));
	if (frame->offset == NULL)
		return false;
	frame->offset[n] = (uint32_t) entries;
	frame->entries = crm_allocate(ctx, entries, sizeof(Entry));
	if (frame->entries == NULL)
	{
		crm_release(ctx, frame->offset, (size_t) n + 1, sizeof(uint32_t));
		return false;
	}
	miner->n_frames++;
	return true;
}

/* Free the frame on top. */
static void
pop_frame(Miner *miner)
{
	Frame *frame = &miner->frames[--miner->n_frames];

	crm_release(miner->ctx, frame->entries, frame->offset[frame->n], sizeof(Entry));
	crm_release(miner->ctx, frame->offset, (size_t) frame->n + 1, sizeof(uint32_t));
}

/* Append the frequent children of a pattern, of which occurrences were counted, and push a frame
 * whose entries the slots point into. */
static CrmStatus
add_children(Miner *miner, uint32_t pattern, uint32_t n)
{
	CrmSequenceModel *model = miner->model;
	size_t entries = 0;
	Frame *frame;

	for (uint32_t i = 0; i < n; i++)
		entries += miner->slots[miner->touched[i]].entries;
	if (!push_frame(miner, pattern, n, entries))
		return miner->ctx->failure;
	frame = &miner->frames[miner->n_frames - 1];
	model->patterns[pattern].first_child = (uint32_t) model->n;
	model->patterns[pattern].n_children = n;
	entries = 0;
	for (uint32_t i = 0; i < miner->n_touched; i++)
	{
		Slot *slot = &miner->slots[miner->touched[i]];
		uint32_t count = slot->entries;

		slot->last_start = NONE;
		slot->entries = NONE;
		if (i < n)
		{
			CrmStatus status = add_pattern(miner, pattern, miner->touched[i], slot->customers);

			if (status != CRM_OK)
				return status;
			frame->offset[i] = slot->entries = (uint32_t) entries;
			entries += count;
		}
	}
	return CRM_OK;
}

/* Find the frequent children of a pattern with these entries, and push them with theirs; at
 * max_length tell only whether there are any. */
static CrmStatus
expand(Miner *miner, uint32_t pattern, const Entry *entries, size_t n)
{
	CrmSequenceModel *model = miner->model;
	uint32_t length = model->patterns[pattern].length;
	bool is_longest = miner->param->max_length > 0 && length == miner->param->max_length;
	CrmStatus status;
	uint32_t children;

	if (is_longest && model->is_cut)
		return CRM_OK;
	status = sweep(miner, pattern, entries, n);
	if (status != CRM_OK)
		return status;
	children = choose_children(miner);
	if (is_longest)
		model->is_cut = children > 0;
	else if (children > 0)
	{
		status = add_children(miner, pattern, children);
		if (status != CRM_OK)
			return status;
		miner->filling = miner->frames[miner->n_frames - 1].entries;
		status = sweep(miner, pattern, entries, n);
		miner->filling = NULL;
	}
	clear_slots(miner);
	return status;
}

/* Find a pattern's time: the median of its customers' shortest spans. */
static CrmStatus
measure(Miner *miner, uint32_t pattern, const Entry *entries, size_t n)
{
	const CrmEvent *events = miner->data->events;
	CrmSequencePattern *found = &miner->model->patterns[pattern];
	uint64_t *spans = miner->spans;
	uint32_t customers = 0, last_customer = NONE;
	size_t ranks[2];
	CrmStatus status;

	if (found->parent == CRM_SEQUENCE_ROOT)
		return CRM_OK;
	for (size_t i = 0; i < n; i++)
	{
		const CrmEvent *end = &events[entries[i].end];
		uint64_t span = crm_event_span(&events[entries[i].start], end);

		prefetch(events, entries, n, i);
		if (is_stopped(miner, 1))
			return CRM_ABORTED;
		if (end->customer != last_customer)
			spans[customers++] = span;
		else if (span < spans[customers - 1])
			spans[customers - 1] = span;
		last_customer = end->customer;
	}
	ranks[0] = (customers - 1) / 2;
	ranks[1] = customers / 2;
	status = crm_select_ranks(miner->ctx, spans, customers, ranks, 2);
	found->time = spans[ranks[0]] + (spans[ranks[1]] - spans[ranks[0]]) / 2;
	return status;
}

/* ---- the whole --------------------------------------------------------------------------- */

/* Give the miner its memory; the caller frees it in any case. */
static CrmStatus
begin(Miner *miner)
{
	CrmCtx *ctx = miner->ctx;
	size_t codes = 2 * (size_t) miner->data->n_items;

	miner->slots = crm_allocate(ctx, codes, sizeof(Slot));
	miner->touched = crm_allocate(ctx, codes, sizeof(uint32_t));
	miner->spans = crm_allocate(ctx, miner->data->n_customers, sizeof(uint64_t));
	if (miner->slots == NULL || miner->touched == NULL || miner->spans == NULL)
		return ctx->failure;
	for (size_t i = 0; i < codes; i++)
		miner->slots[i] = (Slot){0, NONE, NONE, 0};
	return add_pattern(miner, CRM_SEQUENCE_ROOT, NONE, miner->data->n_customers);
}

/* Free all that the miner took for itself. */
static void
end(Miner *miner)
{
	CrmCtx *ctx = miner->ctx;
	size_t codes = 2 * (size_t) miner->data->n_items;

	while (miner->n_frames > 0)
		pop_frame(miner);
	crm_release(ctx, miner->frames, miner->frame_room, sizeof(Frame));
	crm_release(ctx, miner->slots, codes, sizeof(Slot));
	crm_release(ctx, miner->touched, codes, sizeof(uint32_t));
	crm_release(ctx, miner->spans, miner->data->n_customers, sizeof(uint64_t));
}

/* Expand the child that is next in the frame on top, or free the frame when all are done. */
static CrmStatus
go_on(Miner *miner)
{
	Frame *frame = &miner->frames[miner->n_frames - 1];
	uint32_t child = miner->model->patterns[frame->pattern].first_child + frame->next;
	const Entry *entries;
	uint32_t n;
	CrmStatus status;

	if (frame->next == frame->n)
	{
		pop_frame(miner);
		return CRM_OK;
	}
	entries = frame->entries + frame->offset[frame->next];
	n = frame->offset[frame->next + 1] - frame->offset[frame->next];
	frame->next++;
	status = measure(miner, child, entries, n);
	return status == CRM_OK ? expand(miner, child, entries, n) : status;
}

/*
 * Find all frequent patterns of events that crm_sequence_arrange made ready with the same options,
 * which are as crm_sequence_check wants them. The model's patterns are allocated from ctx (room
 * items); after an error there are none.
 * Errors: CRM_LIMIT, CRM_NO_MEMORY; CRM_ABORTED.
 */
CrmStatus
crm_sequence_mine(CrmCtx *ctx, const CrmSequenceData *data, const CrmSequenceParam *param,
				  CrmSequenceModel *model)
{
	Miner miner = {.ctx = ctx, .data = data, .param = param, .model = model};
	CrmStatus status;

	*model = (CrmSequenceModel){.patterns = NULL};
	miner.step = param->min_gap > 0 ? param->min_gap : 1;
	miner.is_minimal = !param->itemsets && !param->contiguous && param->max_gap == UINT64_MAX;
	status = begin(&miner);
	if (status == CRM_OK)
		status = expand(&miner, CRM_SEQUENCE_ROOT, NULL, 0);
	while (status == CRM_OK && miner.n_frames > 0)
		status = go_on(&miner);
	end(&miner);
	if (status != CRM_OK)
	{
		crm_release(ctx, model->patterns, model->room, sizeof(CrmSequencePattern));
		*model = (CrmSequenceModel){.patterns = NULL};
	}
	return status;
}
