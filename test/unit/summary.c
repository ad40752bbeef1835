/*
 * summary.c: unit tests of base/summary: against plain integer arithmetic, in any order and split,
 * and the variance against one computed exactly from deviations.
 */
#include "host.h"
#include "kernel/base/summary.h"

#define ORDERS 500

static int64_t moment[ORDERS];
static int64_t units[ORDERS]; /* of 1/1024 */

/* Give the amount of order i. */
static double
amount(int i)
{
	return ldexp((double) units[i], -10);
}

static bool
is_same(const CrmSummary *a, const CrmSummary *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* Summarize the orders in a random order and up to 5 parts, some of them empty. */
static CrmSummary
summarize(void)
{
	uint32_t order[ORDERS];
	CrmSummary whole, part;
	int parts = 1 + (int) draw_below(5), at = 0;

	draw_order(order, ORDERS);
	crm_summary_init(&whole);
	for (int i = 0; i < parts; i++)
	{
		int end = i == parts - 1 ? ORDERS : at + (int) draw_below((uint64_t) (ORDERS - at) + 1);

		crm_summary_init(&part);
		part.skipped = i;
		for (; at < end; at++)
			crm_summary_add(&part, moment[order[at]], amount((int) order[at]));
		crm_summary_merge(&whole, &part);
	}
	if (whole.skipped != parts * (parts - 1) / 2)
		ok(false, "skipped rows add up");
	whole.skipped = 0;
	return whole;
}

static void
test_orders(void)
{
	CrmSummary first = {0};
	bool passed = true;
	int64_t earliest = INT64_MAX, latest = INT64_MIN, sum = 0;
	__int128 squares = 0;

	for (int i = 0; i < ORDERS; i++)
	{
		moment[i] = (int64_t) draw(); /* of either sign */
		units[i] = (int64_t) draw_below(UINT64_C(1) << 40) - (INT64_C(1) << 38);
		earliest = moment[i] < earliest ? moment[i] : earliest;
		latest = moment[i] > latest ? moment[i] : latest;
		sum += units[i];
		squares += (__int128) units[i] * units[i];
	}
	for (int trial = 0; trial < 300; trial++)
	{
		CrmSummary summary = summarize();

		if (trial == 0)
			first = summary;
		passed &= is_same(&summary, &first);
	}
	ok(passed, "any order and split gives the same bits");
	is_int(first.count, ORDERS, "count");
	is_int(first.first, earliest, "first");
	is_int(first.last, latest, "last");
	is_near(crm_sum_value(first.sum), ldexp((double) sum, -10), 0.0, "sum");
	is_near(crm_sum_value(first.squares), ldexp((double) squares, -20), 0.0, "sum of squares");
}

/* The exact variance from deviations d of a shift: (n sum d^2 - (sum d)^2) / (n (n - 1)). */
static double
exact_variance(int64_t shift)
{
	__int128 d1 = 0, d2 = 0;

	for (int i = 0; i < ORDERS; i++)
	{
		d1 += units[i] - shift;
		d2 += (__int128) (units[i] - shift) * (units[i] - shift);
	}
	return (double) ((__float128) (ORDERS * d2 - d1 * d1) / ORDERS / (ORDERS - 1)) / 0x1p20;
}

static void
test_variance(void)
{
	static const struct
	{
		double mean;
		const char *name;
	} cases[] = {{0, "variance around 0"},
				 {1e3, "variance around 1e3"},
				 {1e9, "variance around 1e9 with standard deviation 1"},
				 {-1e9, "variance around -1e9"},
				 {1e12, "variance around 1e12 with standard deviation 1"}};

	for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
	{
		int64_t middle = (int64_t) (cases[c].mean * 1024);

		for (int i = 0; i < ORDERS; i++)
		{
			units[i] = middle - 6 * 1024; /* the sum of 12 uniform ones: deviation 1 */
			for (int k = 0; k < 12; k++)
				units[i] += (int64_t) draw_below(1025);
		}
		CrmSummary summary = summarize();

		/* both terms carry about 104 bits, and (mean / deviation)^2 of them cancel */
		is_close(crm_summary_variance(&summary), exact_variance(middle),
				 1e-15 + cases[c].mean * cases[c].mean * 0x1p-101, cases[c].name);
	}
}

static void
test_edges(void)
{
	CrmSummary summary, empty;

	crm_summary_init(&summary);
	crm_summary_init(&empty);
	is_near(crm_summary_variance(&summary), NAN, 0.0, "no order: the variance is NaN");
	crm_summary_add(&summary, -5, 7.5);
	is_int(summary.first, -5, "the first order sets first, though 0 is later");
	is_int(summary.last, -5, "and last");
	is_near(crm_summary_variance(&summary), NAN, 0.0, "one order: NaN");
	empty.skipped = 3;
	crm_summary_merge(&summary, &empty);
	is_int(summary.first, -5, "merging an empty summary keeps first");
	is_int(summary.last, -5, "and last");
	is_int(summary.skipped, 3, "and adds what it skipped");
	crm_summary_merge(&empty, &summary);
	is_int(empty.first, -5, "merging into an empty one takes first");
	is_int(empty.last, -5, "and last");
	crm_summary_init(&summary);
	crm_summary_init(&empty);
	crm_summary_add(&summary, 5, 1.0);
	crm_summary_merge(&empty, &summary);
	is_int(empty.first, 5, "also where 0 would be earlier");

	crm_summary_init(&summary);
	for (int i = 0; i < 1000; i++)
		crm_summary_add(&summary, i, 0.1);
	is_near(crm_summary_variance(&summary), 0.0, 1e-30, "equal amounts: zero but for 1e-30");
	ok(crm_summary_variance(&summary) >= 0.0, "and never below zero");

	crm_summary_init(&summary);
	crm_summary_add(&summary, 0, 1e149);
	crm_summary_add(&summary, 0, -1e149);
	is_close(crm_summary_variance(&summary), 2e298, 1e-15, "variance of 1e149 and -1e149");
	crm_summary_add(&summary, 0, 1e200);
	is_near(crm_summary_variance(&summary), INFINITY, 0.0, "squares that overflow: infinite");
	crm_summary_add(&summary, 0, 1e308);
	crm_summary_add(&summary, 0, 1e308);
	is_near(crm_summary_variance(&summary), INFINITY, 0.0,
			"a sum that overflows as well: infinite");

	crm_summary_init(&summary);
	crm_summary_add(&summary, 0, 0.0);
	crm_summary_add(&summary, 0, -0.0);
	is_near(crm_summary_variance(&summary), 0.0, 0.0, "zeros: zero");
}

int
main(void)
{
	test_orders();
	test_variance();
	test_edges();
	return tap_done();
}
