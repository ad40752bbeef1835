/*
 * sequence_arrange.c: events made ready for the miner: sorted, repeats dropped, labels of too few
 * customers dropped (a pattern with one has too few customers itself), the others numbered anew.
 *
 * With contiguous steps an event that is dropped still lies between others, so it stays, without an
 * item.
 */
#include "kernel/sequence.h"

#include <string.h>

#define POLL_EVERY ((size_t) 1 << 20)

/* Check options; a text that names the first that cannot be, or NULL. */
const char *
crm_sequence_check(const CrmSequenceParam *param)
{
	if (param->min_count < 1)
		return "min_count must be at least 1";
	if (param->max_gap < 1)
		return "max_gap must be above zero";
	if (param->min_gap > param->max_gap)
		return "min_gap must not be above max_gap";
	if (param->window < 1)
		return "window must be above zero";
	return NULL;
}

/* Give counts[label]: the customers of each label, of events that are sorted. */
static CrmStatus
count_customers(CrmCtx *ctx, const CrmSequenceData *data, uint32_t n_labels, uint32_t *counts)
{
	uint32_t *last = crm_allocate(ctx, n_labels, sizeof(uint32_t));

	if (last == NULL)
		return ctx->failure;
	memset(counts, 0, n_labels * sizeof(uint32_t));
	memset(last, 0xFF, n_labels * sizeof(uint32_t)); /* CRM_SEQUENCE_NONE */
	for (size_t i = 0; i < data->n; i++)
	{
		const CrmEvent *event = &data->events[i];

		if (last[event->label] != event->customer)
		{
			last[event->label] = event->customer;
			counts[event->label]++;
		}
		if (i % POLL_EVERY == 0 && crm_poll(ctx))
		{
			crm_release(ctx, last, n_labels, sizeof(uint32_t));
			return CRM_ABORTED;
		}
	}
	crm_release(ctx, last, n_labels, sizeof(uint32_t));
	return CRM_OK;
}

/*
 * Number the labels of at least min_count customers: counts[label] becomes the item, or
 * CRM_SEQUENCE_NONE, and data->label the way back.
 */
static CrmStatus
number_items(CrmCtx *ctx, CrmSequenceData *data, uint32_t n_labels, uint32_t min_count,
			 uint32_t *counts)
{
	uint32_t n = 0;

	for (uint32_t label = 0; label < n_labels; label++)
		n += counts[label] >= min_count;
	data->label = crm_allocate(ctx, n, sizeof(uint32_t));
	if (data->label == NULL)
		return ctx->failure;
	data->n_items = n;
	n = 0;
	for (uint32_t label = 0; label < n_labels; label++)
	{
		bool is_frequent = counts[label] >= min_count;

		counts[label] = is_frequent ? n : CRM_SEQUENCE_NONE;
		if (is_frequent)
			data->label[n++] = label;
	}
	return CRM_OK;
}

/* Replace labels by items, drop repeats and what needs no place. */
static CrmStatus
compact(CrmCtx *ctx, CrmSequenceData *data, const uint32_t *item, bool keep_places)
{
	CrmEvent *events = data->events;
	size_t kept = 0;

	for (size_t i = 0; i < data->n; i++)
	{
		CrmEvent event = events[i];

		if (i % POLL_EVERY == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		event.label = item[event.label];
		if (event.label == CRM_SEQUENCE_NONE && !keep_places)
			continue;
		if (kept == 0 || events[kept - 1].customer != event.customer ||
			events[kept - 1].time != event.time || events[kept - 1].label != event.label)
			events[kept++] = event;
	}
	data->n = kept;
	return CRM_OK;
}

/*
 * Make events ready: data has the caller's events, in any order, of customers 0 to n_customers - 1
 * and labels below n_labels; they are rearranged in place, and fewer. label is allocated from ctx,
 * for crm_sequence_release.
 * Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED; the events are then in no defined state.
 */
CrmStatus
crm_sequence_arrange(CrmCtx *ctx, CrmSequenceData *data, uint32_t n_labels,
					 const CrmSequenceParam *param)
{
	uint32_t *counts;
	CrmStatus status;

	data->label = NULL;
	data->n_items = 0;
	if (data->n > CRM_EVENTS_MOST)
	{
		ctx->wanted = SIZE_MAX;
		return CRM_LIMIT;
	}
	status = crm_events_sort(ctx, data->events, data->n);
	if (status != CRM_OK)
		return status;
	counts = crm_allocate(ctx, n_labels, sizeof(uint32_t));
	status = counts != NULL ? CRM_OK : ctx->failure;
	if (status == CRM_OK)
		status = count_customers(ctx, data, n_labels, counts);
	if (status == CRM_OK)
		status = number_items(ctx, data, n_labels, param->min_count, counts);
	if (status == CRM_OK)
		status = compact(ctx, data, counts, param->contiguous);
	crm_release(ctx, counts, n_labels, sizeof(uint32_t));
	if (status != CRM_OK)
		crm_sequence_release(ctx, data);
	return status;
}

/* Release what crm_sequence_arrange allocated; the events are the caller's. */
void
crm_sequence_release(CrmCtx *ctx, CrmSequenceData *data)
{
	crm_release(ctx, data->label, data->n_items, sizeof(uint32_t));
	data->label = NULL;
}
