/*
 * events.c: unit tests of the sort of records of base/events, against the C library's qsort.
 */
#include "kernel/base/events.h"
#include "host.h"

/*
 * The same sort once more, asking an adversary instead of the records: McIlroy 1999 (doi
 * 10.1002/(SICI)1097-024X(19990410)29:4<341::AID-SPE237>3.0.CO;2-R). Values are decided as late as
 * can be, so that each pivot is as bad as can be; a record is known by its label.
 */
static int64_t *adversary_value; /* of each label; INT64_MAX is not decided */
static int64_t adversary_decided;
static uint32_t adversary_candidate;
static size_t adversary_comparisons;

static inline bool
adversary_before(const CrmEvent *a, const CrmEvent *b)
{
	int64_t *value = adversary_value;

	adversary_comparisons++;
	if (value[a->label] == INT64_MAX && value[b->label] == INT64_MAX && a->label != b->label)
		value[a->label == adversary_candidate ? a->label : b->label] = adversary_decided++;
	if (value[a->label] == INT64_MAX)
		adversary_candidate = a->label;
	else if (value[b->label] == INT64_MAX)
		adversary_candidate = b->label;
	return value[a->label] < value[b->label];
}

#define crm_event_before adversary_before
#define crm_events_sort  adversary_sort
extern CrmStatus adversary_sort(CrmCtx *ctx, CrmEvent *events, size_t n);
#include "kernel/base/events.c"
#undef crm_event_before
#undef crm_events_sort

typedef enum Shape
{
	RANDOM,
	FEW_CUSTOMERS, /* many repeats */
	ONE_CUSTOMER,
	ALL_EQUAL,
	SORTED,
	REVERSED,
	BY_TIME, /* as logs are: customers interleaved */
	ORGAN_PIPE,
	SAWTOOTH,
	ALMOST_SORTED,
	EXTREME, /* times at the ends of the range */
	SHAPES
} Shape;

static int
compare(const void *a, const void *b)
{
	const CrmEvent *x = a, *y = b;

	if (x->customer != y->customer)
		return x->customer < y->customer ? -1 : 1;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return (x->label > y->label) - (x->label < y->label);
}

static CrmEvent
event(Shape shape, size_t i, size_t n)
{
	CrmEvent event = {(int64_t) draw_below(1000) - 500, (uint32_t) draw_below(n), 0};

	event.label = (uint32_t) draw_below(5);
	switch (shape)
	{
		case FEW_CUSTOMERS:
			return (CrmEvent){(int64_t) draw_below(4), (uint32_t) draw_below(3), event.label};
		case ONE_CUSTOMER:
			return (CrmEvent){event.time, 7, event.label};
		case ALL_EQUAL:
			return (CrmEvent){1, 2, 3};
		case SORTED:
		case ALMOST_SORTED:
			if (shape == ALMOST_SORTED && draw_below(50) == 0)
				return event;
			return (CrmEvent){(int64_t) (i % 8), (uint32_t) (i / 8), event.label};
		case REVERSED:
			return (CrmEvent){(int64_t) ((n - i) % 8), (uint32_t) ((n - i) / 8), 0};
		case BY_TIME:
			event.time = (int64_t) i;
			return event;
		case ORGAN_PIPE:
			return (CrmEvent){0, (uint32_t) (i < n / 2 ? i : n - i), 0};
		case SAWTOOTH:
			return (CrmEvent){(int64_t) (i % 17), 0, 0};
		case EXTREME:
			event.time = draw_below(2) ? INT64_MIN : INT64_MAX;
			event.customer = draw_below(2) ? 0 : UINT32_MAX;
			return event;
		default:
			return event;
	}
}

static void
test_shapes(void)
{
	static const size_t sizes[] = {0, 1, 2, 3, 24, 25, 26, 127, 128, 129, 1000, 30000};
	bool passed[SHAPES];

	for (int shape = 0; shape < SHAPES; shape++)
	{
		passed[shape] = true;
		for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
			for (int trial = 0; trial < (sizes[s] > 200 ? 2 : 20); trial++)
			{
				size_t n = sizes[s];
				CrmEvent *got = malloc((n + 1) * sizeof *got);
				CrmEvent *want = malloc((n + 1) * sizeof *want);
				Host host;
				CrmCtx *ctx = host_begin(&host);

				for (size_t i = 0; i < n; i++)
					want[i] = got[i] = event((Shape) shape, i, n);
				qsort(want, n, sizeof *want, compare);
				passed[shape] &= crm_events_sort(ctx, got, n) == CRM_OK;
				passed[shape] &= n == 0 || memcmp(got, want, n * sizeof *got) == 0;
				free(got);
				free(want);
			}
		ok(passed[shape], "shape %d is sorted as by qsort", shape);
	}
}

static void
test_adversary(void)
{
	size_t n = 20000;
	CrmEvent *events = malloc(n * sizeof *events);
	int64_t *value = malloc(n * sizeof *value);
	Host host;
	CrmCtx *ctx = host_begin(&host);
	bool passed = true;

	for (size_t i = 0; i < n; i++)
	{
		events[i] = (CrmEvent){0, 0, (uint32_t) i};
		value[i] = INT64_MAX;
	}
	value[0] = 1; /* so that the input is seen not to be in order */
	value[1] = 0;
	adversary_decided = 2;
	adversary_value = value;
	passed &= adversary_sort(ctx, events, n) == CRM_OK;
	ok(passed && adversary_comparisons < 100 * n, "against the adversary %zu comparisons a record",
	   adversary_comparisons / n);
	for (size_t i = 0; i < n; i++)
		events[i] = (CrmEvent){value[i], 0, (uint32_t) i};
	passed = crm_events_sort(ctx, events, n) == CRM_OK;
	for (size_t i = 1; i < n; i++)
		passed &= !crm_event_before(&events[i], &events[i - 1]);
	ok(passed, "and its worst input is sorted");
	free(value);
	free(events);
}

static void
test_failures(void)
{
	size_t n = 3000000;
	CrmEvent *events = malloc(n * sizeof *events);
	uint64_t sum = 0, after = 0;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmStatus status = CRM_ABORTED;
	size_t polls = 0;
	bool whole = true;

	for (size_t i = 0; i < n; i++)
		events[i] = (CrmEvent){(int64_t) draw_below(1000), (uint32_t) draw_below(n / 8), 0};
	for (size_t i = 0; i < n; i++)
		sum += (uint64_t) events[i].time * 31 + events[i].customer;
	for (size_t at = 1; status == CRM_ABORTED && polls < 1000; at += 10)
	{
		host.tap.polls = 0;
		host.tap.abort_at = at;
		status = crm_events_sort(ctx, events, n);
		polls = host.tap.polls;
		after = 0;
		for (size_t i = 0; i < n; i++)
			after += (uint64_t) events[i].time * 31 + events[i].customer;
		whole &= after == sum;
	}
	ok(status == CRM_OK && polls > 20, "a cancel at any poll is CRM_ABORTED; polls: %zu", polls);
	ok(whole, "and the records stay a permutation");
	ok(crm_event_span(&(CrmEvent){INT64_MIN, 0, 0}, &(CrmEvent){INT64_MAX, 0, 0}) == UINT64_MAX,
	   "the longest span fits");
	is_int(ctx->peak, 0, "nothing is allocated");
	free(events);
}

int
main(void)
{
	test_shapes();
	test_adversary();
	test_failures();
	return tap_done();
}
