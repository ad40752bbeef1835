/*
 * periods.c: unit tests of base/periods against a brute-force set, in the worst sequences, and the
 * memory it takes.
 */
#include <time.h>

#include "host.h"
#include "kernel/base/periods.h"

#define LARGEST 100000

static int
compare(const void *a, const void *b)
{
	int32_t x = *(const int32_t *) a, y = *(const int32_t *) b;

	return (x > y) - (x < y);
}

/* Sort periods and drop doubles; give how many are left. */
static uint32_t
reference(int32_t *period, uint32_t n)
{
	uint32_t kept = 0;

	qsort(period, n, sizeof *period, compare);
	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || period[kept - 1] != period[i])
			period[kept++] = period[i];
	return kept;
}

/* Tell whether a tidy set holds exactly these ascending periods. */
static bool
holds(const CrmPeriods *set, const int32_t *period, uint32_t n)
{
	return set != NULL && set->used == n && memcmp(set->period, period, n * sizeof *period) == 0;
}

typedef enum Sequence
{
	RANDOM,
	FEW,
	ASCENDING,
	DESCENDING,
	ALTERNATING,
	EQUAL,
	TWO_BY_TURNS,
	EXTREMES,
	SEQUENCES
} Sequence;

static const char *const sequence_names[SEQUENCES] = {
	"random",      "few distinct", "ascending",    "descending",
	"alternating", "all equal",    "two by turns", "over the whole of int32",
};

static int32_t
period_at(Sequence sequence, uint32_t i)
{
	switch (sequence)
	{
		case RANDOM:
			return (int32_t) draw_below(20000) - 10000;
		case FEW:
			return (int32_t) draw_below(6);
		case ASCENDING:
			return (int32_t) i;
		case DESCENDING:
			return -(int32_t) i;
		case ALTERNATING:
			return i % 2 == 0 ? (int32_t) i : -(int32_t) i;
		case EQUAL:
			return 77;
		case TWO_BY_TURNS:
			return (int32_t) (i % 2);
		default:
			return i % 50 == 0 ? INT32_MIN : i % 50 == 1 ? INT32_MAX : (int32_t) draw();
	}
}

/* Tidying now and then, as a hand-over to another participant does, changes nothing. */
static void
test_sequences(void)
{
	static const uint32_t sizes[] = {1, 2, 3, 4, 5, 8, 9, 31, 33, 64, 65, 1000, LARGEST};
	static int32_t given[LARGEST];
	Host host;
	CrmCtx *ctx = host_begin(&host);

	for (int sequence = 0; sequence < SEQUENCES; sequence++)
	{
		bool passed = true;

		for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
		{
			CrmPeriodPool pool;
			CrmPeriods *set = NULL;
			uint32_t n = sizes[s];

			crm_periods_begin(&pool, ctx);
			for (uint32_t i = 0; i < n; i++)
			{
				given[i] = period_at((Sequence) sequence, i);
				passed &= crm_periods_add(&pool, &set, given[i]) == CRM_OK;
				if (i % 777 == 5)
					crm_periods_tidy(set);
			}
			n = reference(given, n);
			crm_periods_tidy(set);
			passed &= holds(set, given, n) && host_is_balanced(&host);
			crm_periods_tidy(set);
			passed &= holds(set, given, n);
			host_drop(&host);
		}
		ok(passed, "the set is the brute-force set: %s", sequence_names[sequence]);
	}
}

/* Many customers by turns, so that blocks of all sizes are given back and taken again. */
static void
test_many(void)
{
	enum
	{
		CUSTOMERS = 500,
		ORDERS = 60000
	};
	static CrmPeriods *set[CUSTOMERS];
	static int32_t given[CUSTOMERS][ORDERS / 50];
	static uint32_t n[CUSTOMERS];
	Host host;
	CrmPeriodPool pool;
	bool passed = true;

	crm_periods_begin(&pool, host_begin(&host));
	for (int i = 0; i < ORDERS; i++)
	{
		/* the square makes a few customers large */
		uint64_t u = draw_below(1000);
		uint32_t customer = (uint32_t) (u * u * CUSTOMERS / 1000000);
		int32_t period = (int32_t) draw_below(2000);

		if (n[customer] == ORDERS / 50)
			continue;
		given[customer][n[customer]++] = period;
		passed &= crm_periods_add(&pool, &set[customer], period) == CRM_OK;
	}
	for (int i = 0; i < CUSTOMERS; i++)
		if (n[i] > 0)
		{
			crm_periods_tidy(set[i]);
			passed &= holds(set[i], given[i], reference(given[i], n[i]));
		}
		else
			passed &= set[i] == NULL;
	ok(passed, "500 customers by turns: no set meets another's block");
	host_drop(&host);
}

/* Give the bytes a period of so many customers with so many periods each, every order `repeats`
 * times; by turns, or a customer after the other. */
static double
bytes_a_period(uint32_t customers, uint32_t periods, uint32_t repeats, bool is_by_turns)
{
	CrmPeriods **set = calloc(customers, sizeof *set);
	Host host;
	CrmPeriodPool pool;
	double bytes;

	crm_periods_begin(&pool, host_begin(&host));
	for (uint32_t i = 0; i < customers * periods * repeats; i++)
	{
		uint32_t customer = is_by_turns ? i % customers : i / (periods * repeats);
		uint32_t period = is_by_turns ? i / customers : i % (periods * repeats);

		(void) crm_periods_add(&pool, &set[customer], (int32_t) (period % periods));
	}
	bytes = (double) host.tap.ctx.peak / ((double) customers * periods);
	host_drop(&host);
	free(set);
	return bytes;
}

static void
test_memory(void)
{
	static const uint32_t periods[] = {30, 100, 500, 3000};
	double apart = 0, turns = 0, repeated = 0, bytes;

	for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++)
	{
		uint32_t customers = 2000000 / periods[i];

		bytes = bytes_a_period(customers, periods[i], 1, false);
		apart = bytes > apart ? bytes : apart;
		bytes = bytes_a_period(customers, periods[i], 1, true);
		turns = bytes > turns ? bytes : turns;
		bytes = bytes_a_period(customers / 10, periods[i], 10, true);
		repeated = bytes > repeated ? bytes : repeated;
	}
	printf("# bytes a period: %.2f one after the other, %.2f by turns, %.2f with repeats\n", apart,
		   turns, repeated);
	ok(apart < 8.5, "customers one after the other: at most 8 bytes a period and the rounding");
	/* blocks that were outgrown by all at once wait for a customer who never comes */
	ok(turns < 16.0, "customers by turns: at most 16 bytes a period");
	ok(repeated < 24.0, "ten orders a period: still a matter of the periods, not of the orders");
	bytes = bytes_a_period(1, LARGEST, 1, false);
	ok(bytes < 14.0, "one customer with 100000 periods: at most 14 bytes a period (%.2f)", bytes);
	bytes = bytes_a_period(1, 1, LARGEST, false) + bytes_a_period(1, 3, LARGEST, true);
	ok(bytes <= 4.0 / 3 * 256 * 1024, "100000 orders in 1 and in 3 periods take one arena");
}

/* Blocks that one generation of customers has outgrown serve the next one. */
static void
test_reuse(void)
{
	enum
	{
		CUSTOMERS = 5000,
		PERIODS = 64
	};
	static CrmPeriods *set[2 * CUSTOMERS];
	Host host;
	CrmPeriodPool pool;
	size_t used[2];

	crm_periods_begin(&pool, host_begin(&host));
	for (int generation = 0; generation < 2; generation++)
	{
		for (int period = 0; period < PERIODS; period++)
			for (int i = 0; i < CUSTOMERS; i++)
				(void) crm_periods_add(&pool, &set[generation * CUSTOMERS + i], period);
		used[generation] = host.tap.ctx.used;
	}
	ok((double) (used[1] - used[0]) < 0.6 * (double) used[0],
	   "outgrown blocks are taken again: %zu bytes, then %zu more", used[0], used[1] - used[0]);
	host_drop(&host);
}

/* No sequence is quadratic: a million periods take a fraction of a second, not half an hour. */
static void
test_time(void)
{
	clock_t begin = clock();
	Host host;
	CrmPeriodPool pool;

	for (int sequence = RANDOM; sequence <= ALTERNATING; sequence++)
	{
		CrmPeriods *set = NULL;

		crm_periods_begin(&pool, host_begin(&host));
		for (uint32_t i = 0; i < 1000000; i++)
			(void) crm_periods_add(&pool, &set,
								   sequence == RANDOM ? (int32_t) draw()
													  : period_at((Sequence) sequence, i));
		host_drop(&host);
	}
	ok(clock() - begin < 30 * CLOCKS_PER_SEC, "no sequence is quadratic");
}

/* Every allocation fails in turn, then every budget: the status says so, the set stays whole. */
static void
test_failures(void)
{
	static int32_t given[LARGEST];
	bool passed = true, limited = true;
	uint32_t kept;

	for (size_t at = 1; at <= 6; at++)
	{
		Host host;
		CrmPeriodPool pool;
		CrmPeriods *set = NULL;
		CrmStatus status = CRM_OK;
		uint32_t n = 0;

		crm_periods_begin(&pool, host_begin(&host));
		if (at <= 3)
			host.tap.fail_at = at;
		else
			host.tap.ctx.limit = (at - 3) * 300 * 1024;
		for (; n < LARGEST && status == CRM_OK; n++)
			status = crm_periods_add(&pool, &set, given[n] = (int32_t) draw_below(1 << 20));
		passed &= at > 3 || status == CRM_NO_MEMORY;
		limited &= at <= 3 || status == CRM_LIMIT;
		passed &= host_is_balanced(&host);
		kept = reference(given, n - 1); /* all but the one that found no room */
		if (set != NULL)
		{
			crm_periods_tidy(set);
			passed &= holds(set, given, kept);
		}
		else
			passed &= n == 1;
		host.tap.fail_at = 0;
		host.tap.ctx.limit = 0;
		passed &= crm_periods_add(&pool, &set, 5) == CRM_OK;
		host_drop(&host);
	}
	ok(passed, "an allocation that fails leaves the set as it was, and it can go on");
	ok(limited, "a budget that ends is CRM_LIMIT");
}

int
main(void)
{
	test_sequences();
	test_many();
	test_memory();
	test_reuse();
	test_time();
	test_failures();
	return tap_done();
}
