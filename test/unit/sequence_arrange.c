/*
 * sequence_arrange.c: unit tests of how events are made ready for the miner.
 */
#include "sequences.h"

/* Pass when a database comes out sorted, without repeats, with the frequent labels alone. */
static bool
is_arranged(const Database *database, const CrmSequenceParam *param, const CrmSequenceData *data)
{
	uint32_t counts[32] = {0}, next = 0;
	uint32_t start = 0, end; /* of a customer's events */
	size_t wanted = 0, found = 0;
	bool passed = true;

	for (uint32_t label = 0; label < database->n_labels; label++)
		for (uint32_t customer = 0; customer < database->n_customers; customer++)
			for (int m = 0; m < database->n_moments[customer]; m++)
				if ((database->set[customer][m] >> label & 1) != 0)
				{
					counts[label]++;
					break;
				}
	for (uint32_t label = 0; label < database->n_labels; label++)
		if (counts[label] >= param->min_count)
			passed &= next < data->n_items && data->label[next++] == label;
	passed &= next == data->n_items;
	for (uint32_t customer = 0; customer < database->n_customers; customer++)
	{
		int m = 0;

		for (end = start; end < data->n && data->events[end].customer == customer;)
			end++;
		for (uint32_t i = start; i < end; i++)
		{
			const CrmEvent *event = &data->events[i];

			while (m < database->n_moments[customer] && database->time[customer][m] < event->time)
				m++;
			passed &=
				m < database->n_moments[customer] && database->time[customer][m] == event->time;
			if (event->label == CRM_SEQUENCE_NONE)
			{
				passed &= param->contiguous;
				continue;
			}
			passed &= event->label < data->n_items &&
					  (database->set[customer][m] >> data->label[event->label] & 1) != 0;
			passed &= i == start || event[-1].time < event->time || event[-1].label != event->label;
			found++;
		}
		for (m = 0; m < database->n_moments[customer]; m++)
		{
			bool has_place = false;

			for (uint32_t label = 0; label < database->n_labels; label++)
				wanted += (database->set[customer][m] >> label & 1) != 0 &&
						  counts[label] >= param->min_count;
			for (uint32_t i = start; i < end; i++)
				has_place |= data->events[i].time == database->time[customer][m];
			passed &= has_place || !param->contiguous;
		}
		start = end;
	}
	return passed && found == wanted && start == data->n;
}

static void
test_arranged(void)
{
	Database database;
	bool passed = true, leaks = false;
	size_t dropped = 0;

	for (int trial = 0; trial < 2000; trial++)
	{
		uint32_t customers = 1 + (uint32_t) draw_below(8);
		CrmSequenceParam param = no_constraints(1 + (uint32_t) draw_below(customers));
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmSequenceData data;
		CrmEvent copy[MOST_EVENTS];

		param.contiguous = trial % 2 == 0;
		database_draw(&database, customers, draw_below(60), 1 + (uint32_t) draw_below(8),
					  1 + (int64_t) draw_below(10));
		passed &= database_arrange(ctx, &database, &param, &data, copy) == CRM_OK;
		passed &= is_arranged(&database, &param, &data);
		dropped += data.n_items < database.n_labels;
		crm_sequence_release(ctx, &data);
		leaks |= host.tap.live > 0 || ctx->used > 0;
	}
	ok(passed, "events come sorted, once, with frequent labels, and places where they matter");
	ok(dropped > 500 && dropped < 1900, "in many databases labels are dropped: %zu", dropped);
	ok(!leaks, "all is released");
}

static void
test_failures(void)
{
	Database database;
	CrmSequenceParam param = no_constraints(1);
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmSequenceData data;
	CrmEvent copy[MOST_EVENTS];
	CrmStatus status = CRM_NO_MEMORY;
	size_t at;
	bool passed = true;

	database_draw(&database, 8, 60, 8, 10);
	for (at = 1; status == CRM_NO_MEMORY && at < 20; at++)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = at;
		status = database_arrange(ctx, &database, &param, &data, copy);
		passed &= status == CRM_OK || (ctx->used == 0 && data.label == NULL);
	}
	ok(passed && status == CRM_OK && at > 3, "an allocation that fails leaks nothing");
	crm_sequence_release(ctx, &data);
	host.tap.fail_at = 0;
	status = CRM_ABORTED;
	for (at = 1; status == CRM_ABORTED && at < 20; at++)
	{
		host.tap.polls = 0;
		host.tap.abort_at = at;
		status = database_arrange(ctx, &database, &param, &data, copy);
		passed &= status == CRM_OK || ctx->used == 0;
	}
	ok(passed && status == CRM_OK && at > 2, "a cancel at any poll is CRM_ABORTED");
	crm_sequence_release(ctx, &data);
	host.tap.abort_at = 0;
	ctx->limit = 16;
	is_int(database_arrange(ctx, &database, &param, &data, copy), CRM_LIMIT, "a budget too small");
	data = (CrmSequenceData){.events = copy, .n = CRM_EVENTS_MOST + 1};
	ctx->limit = 0;
	is_int(crm_sequence_arrange(ctx, &data, 1, &param), CRM_LIMIT, "more events than positions");
	is_clean(&host.tap, "arranging");
}

int
main(void)
{
	test_arranged();
	test_failures();
	return tap_done();
}
