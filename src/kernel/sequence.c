/*
 * sequence.c: the miner: PrefixSpan with pseudo-projection, on an explicit stack.
 *
 * A pattern's occurrences are swept twice (sequence_sweep.h): once to count the customers of each
 * event that extends it, once to write the occurrences of the frequent ones, its children. Sisters
 * wait on the stack while one of them is extended.
 *
 * Memory: 16 bytes for an event that is kept, 8 for each entry of the patterns on the stack and
 * their sisters (at most 16 bytes an event and level), 32 for a frequent pattern.
 */
#include "kernel/sequence_sweep.h"

#include <string.h>

#include "kernel/base/order.h"

#define NONE CRM_SEQUENCE_NONE

/* The children of a pattern, being expanded one after another. */
typedef struct Frame
{
	uint32_t pattern;
	uint32_t next;             /* child to be expanded */
	uint32_t n;                /* children */
	CrmSequenceEntry *entries; /* of all children */
	uint32_t *offset;          /* n + 1: where those of each child begin */
} Frame;

typedef struct Miner
{
	CrmCtx *ctx;
	CrmSequenceModel *model;
	CrmSequenceSweep sweep;
	uint64_t *spans; /* of customers, for a median */
	Frame *frames;
	size_t n_frames, frame_room;
} Miner;

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

	for (uint32_t i = 0; i < miner->sweep.n_touched; i++)
	{
		uint32_t code = miner->sweep.touched[i];

		if (miner->sweep.slots[code].customers >= miner->sweep.param->min_count)
		{
			miner->sweep.touched[i] = miner->sweep.touched[n];
			miner->sweep.touched[n++] = code;
		}
	}
	sort_codes(miner->sweep.touched, n);
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
	frame->entries = crm_allocate(ctx, entries, sizeof(CrmSequenceEntry));
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

	crm_release(miner->ctx, frame->entries, frame->offset[frame->n], sizeof(CrmSequenceEntry));
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
		entries += miner->sweep.slots[miner->sweep.touched[i]].entries;
	if (!push_frame(miner, pattern, n, entries))
		return miner->ctx->failure;
	frame = &miner->frames[miner->n_frames - 1];
	model->patterns[pattern].first_child = (uint32_t) model->n;
	model->patterns[pattern].n_children = n;
	entries = 0;
	for (uint32_t i = 0; i < miner->sweep.n_touched; i++)
	{
		CrmSequenceSlot *slot = &miner->sweep.slots[miner->sweep.touched[i]];
		uint32_t count = slot->entries;

		slot->last_start = NONE;
		slot->entries = NONE;
		if (i < n)
		{
			CrmStatus status =
				add_pattern(miner, pattern, miner->sweep.touched[i], slot->customers);

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
expand(Miner *miner, uint32_t pattern, const CrmSequenceEntry *entries, size_t n)
{
	CrmSequenceModel *model = miner->model;
	uint32_t length = model->patterns[pattern].length;
	bool is_longest =
		miner->sweep.param->max_length > 0 && length == miner->sweep.param->max_length;
	bool is_root = pattern == CRM_SEQUENCE_ROOT;
	CrmStatus status;
	uint32_t children;

	if (is_longest && model->is_cut)
		return CRM_OK;
	status = crm_sequence_sweep(&miner->sweep, is_root, entries, n);
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
		miner->sweep.filling = miner->frames[miner->n_frames - 1].entries;
		status = crm_sequence_sweep(&miner->sweep, is_root, entries, n);
		miner->sweep.filling = NULL;
	}
	crm_sequence_sweep_clear(&miner->sweep);
	return status;
}

/* Find a pattern's time: the median of its customers' shortest spans. */
static CrmStatus
measure(Miner *miner, uint32_t pattern, const CrmSequenceEntry *entries, size_t n)
{
	const CrmEvent *events = miner->sweep.data->events;
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

		crm_sequence_prefetch(events, entries, n, i);
		if (crm_sequence_is_stopped(&miner->sweep, 1))
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

/* Expand the child that is next in the frame on top, or free the frame when all are done. */
static CrmStatus
go_on(Miner *miner)
{
	Frame *frame = &miner->frames[miner->n_frames - 1];
	uint32_t child = miner->model->patterns[frame->pattern].first_child + frame->next;
	const CrmSequenceEntry *entries;
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

/* Give the miner its memory and the model its empty pattern; the caller frees it in any case. */
static CrmStatus
begin(Miner *miner, const CrmSequenceData *data, const CrmSequenceParam *param)
{
	CrmStatus status = crm_sequence_sweep_begin(&miner->sweep, miner->ctx, data, param);

	if (status != CRM_OK)
		return status;
	miner->spans = crm_allocate(miner->ctx, data->n_customers, sizeof(uint64_t));
	if (miner->spans == NULL)
		return miner->ctx->failure;
	return add_pattern(miner, CRM_SEQUENCE_ROOT, NONE, data->n_customers);
}

/* Free all that the miner took for itself. */
static void
end(Miner *miner)
{
	while (miner->n_frames > 0)
		pop_frame(miner);
	crm_release(miner->ctx, miner->frames, miner->frame_room, sizeof(Frame));
	crm_release(miner->ctx, miner->spans, miner->sweep.data->n_customers, sizeof(uint64_t));
	crm_sequence_sweep_end(&miner->sweep);
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
	Miner miner = {.ctx = ctx, .model = model};
	CrmStatus status;

	*model = (CrmSequenceModel){.patterns = NULL};
	status = begin(&miner, data, param);
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
