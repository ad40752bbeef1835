/*
 * sequence_sweep.c: unit tests of one walk over the events that extend a pattern: customers by the
 * definition, and what is promised of entries.
 */
#include "kernel/sequence_sweep.h"
#include "sequences.h"

/* Give the entries of a label alone. */
static size_t
entries_of(const CrmSequenceData *data, uint32_t item, CrmSequenceEntry *entries)
{
	size_t n = 0;

	for (uint32_t i = 0; i < data->n; i++)
		if (data->events[i].label == item)
			entries[n++] = (CrmSequenceEntry){i, i};
	return n;
}

/* Tell whether the slots have the customers of the definition, after the pattern of one label. */
static bool
is_counted(const Database *database, const CrmSequenceSweep *sweep, uint32_t item)
{
	bool passed = true;
	const CrmSequenceData *data = sweep->data;

	for (uint32_t next = 0; next < data->n_items; next++)
	{
		Steps steps = {.n = 2, .set = {1u << data->label[item], 1u << data->label[next]}};
		Steps joined = {.n = 1, .set = {steps.set[0] | steps.set[1]}};

		passed &= sweep->slots[2 * next].customers ==
				  count_by_definition(database, sweep->param, &steps, NULL);
		passed &= sweep->slots[2 * next + 1].customers ==
				  (sweep->param->itemsets && next > item
					   ? count_by_definition(database, sweep->param, &joined, NULL)
					   : 0);
	}
	return passed;
}

/* Write the entries of all slots and tell whether they are as many as were counted, in order, with
 * starts that never fall, each customer with one at least. */
static bool
is_filled(CrmSequenceSweep *sweep, const CrmSequenceEntry *entries, size_t n)
{
	static CrmSequenceEntry room[64 * MOST_EVENTS];
	const CrmEvent *events = sweep->data->events;
	uint32_t first[64] = {0}, n_entries[64] = {0}, customers[64] = {0}, at = 0;
	bool passed = true;

	for (uint32_t i = 0; i < sweep->n_touched; i++)
	{
		uint32_t code = sweep->touched[i];

		first[code] = at;
		n_entries[code] = sweep->slots[code].entries;
		customers[code] = sweep->slots[code].customers;
		at += n_entries[code];
		sweep->slots[code].entries = first[code];
		sweep->slots[code].last_start = CRM_SEQUENCE_NONE;
	}
	sweep->filling = room;
	passed &= crm_sequence_sweep(sweep, false, entries, n) == CRM_OK;
	sweep->filling = NULL;
	for (uint32_t code = 0; code < 2 * sweep->data->n_items; code++)
	{
		const CrmSequenceEntry *mine = room + first[code];
		uint32_t seen = 0;

		for (uint32_t i = 0; i < n_entries[code]; i++)
		{
			bool is_new =
				i == 0 || events[mine[i].end].customer != events[mine[i - 1].end].customer;

			seen += is_new;
			passed &= events[mine[i].end].customer == events[mine[i].start].customer &&
					  events[mine[i].end].label == code / 2 && mine[i].start < mine[i].end &&
					  (i == 0 || mine[i].end > mine[i - 1].end) &&
					  (is_new || mine[i].start >= mine[i - 1].start + sweep->is_minimal);
		}
		passed &=
			seen == customers[code] &&
			(n_entries[code] == 0 || sweep->slots[code].entries == first[code] + n_entries[code]);
	}
	return passed;
}

static void
test_definition(void)
{
	Database database;
	size_t wrong = 0, unfilled = 0, unclean = 0, extended = 0, minimal = 0;

	for (int trial = 0; trial < 3000; trial++)
	{
		uint32_t customers = 1 + (uint32_t) draw_below(6);
		CrmSequenceParam param = draw_constraints(customers);
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmSequenceData data;
		CrmSequenceSweep sweep;
		CrmEvent copy[MOST_EVENTS];
		CrmSequenceEntry entries[MOST_EVENTS];

		database_draw(&database, customers, draw_below(60), 1 + (uint32_t) draw_below(5),
					  1 + (int64_t) draw_below(20));
		(void) database_arrange(ctx, &database, &param, &data, copy);
		wrong += crm_sequence_sweep_begin(&sweep, ctx, &data, &param) != CRM_OK;
		wrong += crm_sequence_sweep(&sweep, true, NULL, 0) != CRM_OK;
		for (uint32_t item = 0; item < data.n_items; item++)
		{
			Steps steps = {.n = 1, .set = {UINT32_C(1) << data.label[item]}};

			wrong += sweep.slots[2 * item].customers !=
					 count_by_definition(&database, &param, &steps, NULL);
		}
		for (uint32_t item = 0; item < data.n_items; item++)
		{
			size_t n = entries_of(&data, item, entries);

			crm_sequence_sweep_clear(&sweep);
			wrong += crm_sequence_sweep(&sweep, false, entries, n) != CRM_OK ||
					 !is_counted(&database, &sweep, item);
			extended += sweep.n_touched;
			unfilled += !is_filled(&sweep, entries, n);
		}
		crm_sequence_sweep_clear(&sweep);
		for (uint32_t code = 0; code < 2 * data.n_items; code++)
			unclean += sweep.slots[code].customers + sweep.slots[code].entries > 0;
		minimal += sweep.is_minimal;
		crm_sequence_sweep_end(&sweep);
		crm_sequence_release(ctx, &data);
		unclean += host.tap.live > 0 || ctx->used > 0;
	}
	ok(wrong == 0, "the customers of each extension are those of the definition: %zu", extended);
	ok(unfilled == 0, "entries are in order, their starts never fall, in as many as were counted");
	ok(minimal > 300 && minimal < 2700, "with and without the entries that others can stand for");
	ok(unclean == 0, "what is cleared is clean");
}

static void
test_failures(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);
	size_t n = 1200000, before, polls;
	CrmEvent *events = malloc(n * sizeof *events);
	CrmSequenceEntry first = {0, 0};
	CrmSequenceParam param = no_constraints(1);
	CrmSequenceData data = {.events = events, .n = n, .n_customers = 1};
	CrmSequenceSweep sweep;
	CrmStatus status = CRM_NO_MEMORY;
	bool passed = true;

	for (size_t i = 0; i < n; i++)
		events[i] = (CrmEvent){(int64_t) i, 0, (uint32_t) (i % 3)};
	(void) crm_sequence_arrange(ctx, &data, 3, &param);
	before = ctx->used;
	for (size_t at = 1; status == CRM_NO_MEMORY && at < 9; at++)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = at;
		status = crm_sequence_sweep_begin(&sweep, ctx, &data, &param);
		crm_sequence_sweep_end(&sweep);
		passed &= ctx->used == before;
	}
	ok(passed && status == CRM_OK, "an allocation that fails leaks nothing");
	host.tap.fail_at = 0;
	(void) crm_sequence_sweep_begin(&sweep, ctx, &data, &param);
	host.tap.polls = 0;
	(void) crm_sequence_sweep(&sweep, false, &first, 1);
	polls = host.tap.polls;
	ok(polls >= 4, "one customer of a million events is walked with polls: %zu", polls);
	for (size_t at = 1; at <= polls; at++)
	{
		host.tap.polls = 0;
		host.tap.abort_at = at;
		passed &= crm_sequence_sweep(&sweep, false, &first, 1) == CRM_ABORTED;
	}
	ok(passed, "a cancel at any of them is CRM_ABORTED");
	host.tap.abort_at = 1;
	sweep.work = 0;
	is_int(crm_sequence_sweep(&sweep, true, NULL, 0), CRM_ABORTED, "also over all events");
	crm_sequence_sweep_end(&sweep);
	crm_sequence_release(ctx, &data);
	free(events);
	is_clean(&host.tap, "sweeping");
}

int
main(void)
{
	test_definition();
	test_failures();
	return tap_done();
}
