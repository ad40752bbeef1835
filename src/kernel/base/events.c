/*
 * events.c: sorting records of events in place; see events.h.
 *
 * Quicksort after Hoare 1962 (doi 10.1093/comjnl/5.1.10) with the ninther of Bentley and McIlroy
 * 1993 (doi 10.1002/spe.4380231105) as its pivot and the bound on depth of Musser 1997 (doi
 * 10.1002/(SICI)1097-024X(199708)27:8<983::AID-SPE117>3.0.CO;2-#), past which a part is sorted by
 * heapsort: O(n log n) at worst. Records that are in order already cost one pass.
 */
#include "kernel/base/events.h"

enum
{
	POLL_EVERY = 1 << 20, /* records looked at between two polls */
	SMALL = 24,           /* parts up to here are sorted by insertion */
	NINTHER = 128,        /* parts from here on take the ninther, shorter ones the median of 3 */
	STACK = 64            /* the shorter part comes first, so log2(SIZE_MAX) entries suffice */
};

typedef struct Sort
{
	CrmCtx *ctx;
	CrmEvent *events;
	size_t work; /* records looked at since the last poll */
} Sort;

typedef struct Part
{
	size_t first, end;
	int depth; /* partitions left before heapsort */
} Part;

/* Count records looked at; true when the host asks to stop. */
static inline bool
is_stopped(Sort *sort, size_t records)
{
	sort->work += records;
	if (sort->work < POLL_EVERY)
		return false;
	sort->work = 0;
	return crm_poll(sort->ctx);
}

static inline void
swap(CrmEvent *events, size_t i, size_t j)
{
	CrmEvent kept = events[i];

	events[i] = events[j];
	events[j] = kept;
}

static void
insertion_sort(CrmEvent *events, size_t first, size_t end)
{
	for (size_t i = first + 1; i < end; i++)
	{
		CrmEvent event = events[i];
		size_t hole = i;

		for (; hole > first && crm_event_before(&event, &events[hole - 1]); hole--)
			events[hole] = events[hole - 1];
		events[hole] = event;
	}
}

/* Let the root of a heap of n records sink to its place. */
static void
sink(CrmEvent *heap, size_t root, size_t n)
{
	CrmEvent event = heap[root];

	for (size_t child = 2 * root + 1; child < n; child = 2 * root + 1)
	{
		if (child + 1 < n && crm_event_before(&heap[child], &heap[child + 1]))
			child++;
		if (!crm_event_before(&event, &heap[child]))
			break;
		heap[root] = heap[child];
		root = child;
	}
	heap[root] = event;
}

static CrmStatus
heap_sort(Sort *sort, size_t first, size_t end)
{
	CrmEvent *heap = sort->events + first;
	size_t n = end - first;

	for (size_t root = n / 2; root-- > 0;)
	{
		sink(heap, root, n);
		if (is_stopped(sort, 8))
			return CRM_ABORTED;
	}
	for (size_t last = n; last-- > 1;)
	{
		swap(heap, 0, last);
		sink(heap, 0, last);
		if (is_stopped(sort, 64))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Give which of three positions holds their median. */
static size_t
median_of_3(const CrmEvent *events, size_t a, size_t b, size_t c)
{
	const CrmEvent *x = &events[a], *y = &events[b], *z = &events[c];

	if (crm_event_before(x, y))
		return crm_event_before(y, z) ? b : crm_event_before(x, z) ? c : a;
	return crm_event_before(x, z) ? a : crm_event_before(y, z) ? c : b;
}

/* Give the position of a pivot for [first, end): the ninther, or the median of 3 when short. */
static size_t
choose_pivot(const CrmEvent *events, size_t first, size_t end)
{
	size_t step = (end - first - 1) / 8;

	if (end - first < NINTHER)
		return median_of_3(events, first, first + (end - first) / 2, end - 1);
	return median_of_3(events, median_of_3(events, first, first + step, first + 2 * step),
					   median_of_3(events, first + 3 * step, first + 4 * step, first + 5 * step),
					   median_of_3(events, first + 6 * step, first + 7 * step, first + 8 * step));
}

/*
 * Bring the records of [first, end) that are not after a pivot before those that are not before it:
 * [first, *left_end) and [*right_first, end), both shorter than the whole.
 */
static CrmStatus
partition(Sort *sort, size_t first, size_t end, size_t *left_end, size_t *right_first)
{
	CrmEvent *events = sort->events;
	CrmEvent pivot = events[choose_pivot(events, first, end)];
	size_t i = first, j = end; /* j is one past */

	for (;;)
	{
		size_t from = i, until = j;

		while (crm_event_before(&events[i], &pivot))
			i++;
		while (crm_event_before(&pivot, &events[j - 1]))
			j--;
		if (i + 1 < j)
			swap(events, i, j - 1);
		if (i < j)
		{
			i++;
			j--;
		}
		if (is_stopped(sort, (i - from) + (until - j)))
			return CRM_ABORTED;
		if (i >= j)
			break;
	}
	*left_end = j;
	*right_first = i;
	return CRM_OK;
}

/* Tell in *is_sorted whether the records are in order. */
static CrmStatus
check_order(Sort *sort, size_t n, bool *is_sorted)
{
	*is_sorted = false;
	for (size_t i = 1; i < n; i++)
	{
		if (crm_event_before(&sort->events[i], &sort->events[i - 1]))
			return CRM_OK;
		if (is_stopped(sort, 1))
			return CRM_ABORTED;
	}
	*is_sorted = true;
	return CRM_OK;
}

/*
 * Sort n records in place by customer, time, label. O(n log n) at worst; allocates nothing.
 * Errors: CRM_ABORTED, the records then a permutation of the input.
 */
CrmStatus
crm_events_sort(CrmCtx *ctx, CrmEvent *events, size_t n)
{
	Sort sort = {.ctx = ctx, .events = events, .work = 0};
	Part stack[STACK];
	int n_stack = 0, depth = 0;
	bool is_sorted;

	if (check_order(&sort, n, &is_sorted) != CRM_OK)
		return CRM_ABORTED;
	if (is_sorted)
		return CRM_OK;
	for (size_t length = n; length > 1; length /= 2)
		depth += 2;
	stack[n_stack++] = (Part){0, n, depth};
	while (n_stack > 0)
	{
		Part part = stack[--n_stack];

		while (part.end - part.first > SMALL && part.depth > 0)
		{
			Part left = part, right = part;

			left.depth = right.depth = part.depth - 1;
			if (partition(&sort, part.first, part.end, &left.end, &right.first) != CRM_OK)
				return CRM_ABORTED;
			if (left.end - left.first < right.end - right.first)
			{
				stack[n_stack++] = right;
				part = left;
			}
			else
			{
				stack[n_stack++] = left;
				part = right;
			}
		}
		if (part.end - part.first <= SMALL)
			insertion_sort(events, part.first, part.end);
		else if (heap_sort(&sort, part.first, part.end) != CRM_OK)
			return CRM_ABORTED;
	}
	return CRM_OK;
}
