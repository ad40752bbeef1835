/*
 * conditions.c: unit tests of kernel/base/conditions: order, content and polls, for every shape of
 * input that a sort finds hard.
 */
#include "kernel/base/conditions.h"
#include "host.h"

#define MOST 200000

static CrmConditions rows[MOST], again[MOST];

/* A sum of the rows that does not depend on their order, and hardly collides. */
static uint64_t
digest(size_t n)
{
	uint64_t sum = n;

	for (size_t i = 0; i < n; i++)
	{
		uint64_t x = (uint64_t) rows[i].at * UINT64_C(0x9E3779B97F4A7C15) + rows[i].holds;

		x = (x ^ (x >> 29)) * UINT64_C(0xBF58476D1CE4E5B9);
		sum += x ^ (x >> 32);
	}
	return sum;
}

/* True when n rows are in order. */
static bool
is_sorted(size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (rows[i - 1].at > rows[i].at ||
			(rows[i - 1].at == rows[i].at && rows[i - 1].holds > rows[i].holds))
			return false;
	return true;
}

/* Fill n rows in one of the shapes; false when there is no such shape. */
static bool
fill(int shape, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		int64_t up = (int64_t) i, size = (int64_t) n;
		const int64_t at[] = {up,
							  -up,
							  (int64_t) draw(),
							  (int64_t) draw_below(3),
							  7,
							  up < size / 2 ? up : size - up,
							  up < size / 2 ? size - up : up,
							  (up * 7919) % (size / 5 + 1),
							  up % 2 == 0 ? up : INT64_MIN + up,
							  up < size - 5 ? up : (int64_t) draw_below(n)};

		if (shape >= (int) (sizeof at / sizeof at[0]))
			return false;
		rows[i] = (CrmConditions){at[shape], (uint32_t) draw_below(shape == 4 ? 1 << 30 : 4)};
	}
	return true;
}

/* Make the rows for which each median of three is as small as it can be (D. R. Musser, 1997). */
static void
fill_killer(size_t n)
{
	for (size_t i = 0; i < n / 2; i++)
	{
		rows[i] = (CrmConditions){(int64_t) (i % 2 == 0 ? i + 1 : n / 2 + i + (n / 2) % 2), 0};
		rows[n / 2 + i] = (CrmConditions){(int64_t) (2 * (i + 1)), 0};
	}
}

int
main(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);
	int wrong = 0, not_aborted = 0, lost = 0;

	for (size_t n = 0; n < 200; n++)
		for (int shape = 0; n == 0 ? shape < 1 : fill(shape, n); shape++)
		{
			uint64_t before = digest(n);

			wrong += crm_conditions_sort(ctx, rows, n) != CRM_OK || !is_sorted(n);
			lost += digest(n) != before;
		}
	ok(wrong == 0, "a few rows of any shape are sorted");
	for (int shape = 0; fill(shape, MOST); shape++)
	{
		uint64_t before = digest(MOST);
		size_t polls;

		memcpy(again, rows, sizeof rows);
		host.tap.polls = 0;
		ok(crm_conditions_sort(ctx, rows, MOST) == CRM_OK && is_sorted(MOST) &&
			   digest(MOST) == before,
		   "shape %d is sorted", shape);
		polls = host.tap.polls;
		ok(polls >= (shape == 1 || shape == 2 ? 30 : 2) && polls < 2000, "with %zu polls", polls);
		for (size_t at = 1; at <= polls; at = at < 4 ? at + 1 : at * 3 / 2)
		{
			memcpy(rows, again, sizeof rows);
			host.tap.polls = 0;
			host.tap.abort_at = at;
			not_aborted += crm_conditions_sort(ctx, rows, MOST) != CRM_ABORTED;
			lost += digest(MOST) != before;
		}
		host.tap.abort_at = 0;
	}
	ok(not_aborted == 0, "a poll ends it at any point");
	fill_killer(MOST);
	host.tap.polls = 0;
	ok(crm_conditions_sort(ctx, rows, MOST) == CRM_OK && is_sorted(MOST) && host.tap.polls < 300,
	   "what defeats a median of three costs no more: %zu polls", host.tap.polls);
	ok(lost == 0, "the rows stay the same rows");
	return tap_done();
}
