/*
 * funnel.c: chains of events within a window; see funnel.h.
 */
#include "kernel/funnel.h"

#include <string.h>

#define POLL_EVERY 65536

/* For each step: whether a chain came so far, and the latest start of such a chain. */
typedef struct Reached
{
	bool is[CRM_FUNNEL_MAX_STEPS + 1];
	int64_t start[CRM_FUNNEL_MAX_STEPS + 1];
} Reached;

/* True when a comes before b: by time, then by step. */
static inline bool
is_before(const CrmFunnelEvent *a, const CrmFunnelEvent *b)
{
	return a->at != b->at ? a->at < b->at : a->step < b->step;
}

/* Let the event at root sink in the heap of n events until none below it comes after it. */
static void
sink(CrmFunnelEvent *events, size_t root, size_t n)
{
	CrmFunnelEvent event = events[root];

	for (size_t child = 2 * root + 1; child < n; child = 2 * root + 1)
	{
		if (child + 1 < n && is_before(&events[child], &events[child + 1]))
			child++;
		if (!is_before(&event, &events[child]))
			break;
		events[root] = events[child];
		root = child;
	}
	events[root] = event;
}

/*
 * Sort n events in place by time, then step: equal events are the same, so the outcome does not
 * depend on the order they came in. A heap sort, O(n log n) at worst. CRM_OK or CRM_ABORTED.
 */
CrmStatus
crm_funnel_sort(CrmCtx *ctx, CrmFunnelEvent *events, size_t n)
{
	for (size_t i = n / 2; i > 0; i--)
	{
		if (i % POLL_EVERY == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		sink(events, i - 1, n);
	}
	for (size_t last = n; last > 1; last--)
	{
		CrmFunnelEvent first = events[0];

		if (last % POLL_EVERY == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		events[0] = events[last - 1];
		events[last - 1] = first;
		sink(events, 0, last - 1);
	}
	return CRM_OK;
}

/* True when event ends the search under mode, after what was reached before it. */
static bool
is_end(const Reached *reached, const CrmFunnelEvent *event, unsigned mode)
{
	uint32_t step = event->step;

	if ((mode & CRM_FUNNEL_STRICT_DEDUPLICATION) && step > 1 && reached->is[step])
		return true;
	return (mode & CRM_FUNNEL_STRICT_ORDER) && reached->is[1] && step != 1 &&
		   (step == 0 || !reached->is[step - 1]);
}

/*
 * Give the length of the longest chain of events of steps 1, 2, 3, ..., in the order of the sorted
 * events, whose last is at most window (>= 0, microseconds) after its first; see CrmFunnelMode for
 * what ends the search before the last event. One pass: of the chains that come to a step only the
 * one of the latest start matters. CRM_OK, CRM_DOMAIN for n_steps not in 1 .. CRM_FUNNEL_MAX_STEPS,
 * a step above n_steps or a negative window, or CRM_ABORTED.
 */
CrmStatus
crm_funnel_level(CrmCtx *ctx, const CrmFunnelEvent *events, size_t n, int n_steps, int64_t window,
				 unsigned mode, int *level)
{
	Reached now, before;

	*level = 0;
	if (n_steps < 1 || n_steps > CRM_FUNNEL_MAX_STEPS || window < 0)
		return CRM_DOMAIN;
	memset(&now, 0, sizeof now);
	before = now;
	for (size_t i = 0; i < n; i++)
	{
		uint32_t step = events[i].step;
		const Reached *from = mode & CRM_FUNNEL_STRICT_INCREASE ? &before : &now;
		int64_t at = events[i].at, start = at;

		if (i % POLL_EVERY == POLL_EVERY - 1 && crm_poll(ctx))
			return CRM_ABORTED;
		if (step > (uint32_t) n_steps)
			return CRM_DOMAIN;
		if (i > 0 && events[i - 1].at < at)
			before = now;
		if (is_end(&now, &events[i], mode))
			break;
		if (step == 0 || (step > 1 && !from->is[step - 1]))
			continue;
		if (step > 1)
			start = from->start[step - 1];
		if ((uint64_t) at - (uint64_t) start > (uint64_t) window)
			continue;
		now.is[step] = true;
		now.start[step] = start;
		if ((int) step > *level)
			*level = (int) step;
	}
	return CRM_OK;
}
