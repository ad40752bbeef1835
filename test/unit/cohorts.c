/*
 * cohorts.c: unit tests of kernel/cohorts against a count over dense tables.
 */
#include "activity.h"
#include "kernel/cohorts.h"

#define LAST (PERIODS + 3 + BASE) /* some periods in which nothing happened */

/* Give the first period of a cohort of three. */
static int32_t
start(void *user, int32_t cohort)
{
	(void) user;
	return 3 * cohort;
}

/* Count one cell of a cohort by its definition. */
static CrmCohortCell
brute(int32_t cohort, int number)
{
	CrmCohortCell cell = {.active = 0};

	for (int c = 0; c < CUSTOMERS; c++)
	{
		bool later = false;

		if (first_of[c] == PERIODS || cohort_of(first_of[c] + BASE) != cohort)
			continue;
		for (int p = 0; p < PERIODS; p++)
		{
			int n = p > first_of[c] ? p - first_of[c] : 0;

			if (n == number)
			{
				cell.active += orders_of[c][p] > 0;
				cell.orders += orders_of[c][p];
				crm_sum_add(&cell.revenue, (double) units_of[c][p] / 256);
			}
			later |= n >= number && orders_of[c][p] > 0;
		}
		cell.later += later;
	}
	return cell;
}

/* Tell whether a cohort is what the definition says. */
static bool
is_right(const CrmCohort *cohort)
{
	bool right = cohort->width == (uint32_t) (LAST - 3 * cohort->number + 1) &&
				 cohort->size == brute(cohort->number, 0).later;

	for (uint32_t k = 0; k < cohort->width; k++)
	{
		CrmCohortCell want = brute(cohort->number, (int) k);
		const CrmCohortCell *got = &cohort->cell[k];

		right &= got->active == want.active && got->later == want.later &&
				 got->orders == want.orders &&
				 crm_sum_value(got->revenue) == crm_sum_value(want.revenue);
	}
	return right;
}

static void
test_definition(void)
{
	Host host;
	CrmCells cells;
	CrmCohorts cohorts;

	for (int round = 0; round < 20; round++)
	{
		CrmCtx *ctx = host_begin(&host);
		bool right = true, ascend = true;
		int64_t size = 0, without = 0, latest = INT32_MIN;

		kind = (CrmKeyKind) (round % 3);
		draw_orders();
		(void) make_cells(&cells, ctx, round % 2 == 0);
		for (uint32_t i = 0; i < cells.table.n; i++)
			without += !crm_cells_row(&cells, i)->has_order;
		for (int i = 0; i < ORDERS; i++)
			latest = given[i].period + BASE > latest ? given[i].period + BASE : latest;
		is_int(crm_cohorts_find(ctx, &cells, &cohorts), CRM_OK, "found");
		is_int(cohorts.latest, latest, "the latest period");
		is_int(cohorts.without_order, without, "customers with refunds only");
		is_int(crm_cohorts_count(ctx, &cells, LAST, start, NULL, &cohorts), CRM_OK, "counted");
		for (uint32_t c = 0; c < cohorts.n; c++)
		{
			right &= is_right(&cohorts.cohort[c]);
			ascend &= c == 0 || cohorts.cohort[c - 1].number < cohorts.cohort[c].number;
			size += cohorts.cohort[c].size;
		}
		ok(right && cohorts.n > 4, "%u cohorts are what their definition says", cohorts.n);
		ok(ascend, "and ascend");
		is_int(size + without, cells.table.n, "each customer is in one, or has refunds only");
		host_drop(&host);
	}
}

static void
test_edges(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmCells cells;
	CrmCohorts cohorts;
	CrmCellOrder order = {{5, 0, -3.0}, 0};
	CrmKey key = crm_key_int64(1);
	CrmStatus status;
	size_t failures = 0;
	bool passed = true;

	(void) crm_cells_init(&cells, ctx, CRM_KEY_INT64);
	is_int(crm_cohorts_find(ctx, &cells, &cohorts), CRM_OK, "nobody");
	is_int(cohorts.n, 0, "has no cohort");
	(void) crm_cells_add(&cells, &key, &order);
	(void) crm_cells_flush(&cells);
	(void) crm_cohorts_find(ctx, &cells, &cohorts);
	ok(cohorts.n == 0 && cohorts.without_order == 1, "a refund makes none");
	order.cell.period = 7;
	order.cell.orders = 1;
	order.cohort = 2;
	(void) crm_cells_add(&cells, &key, &order);
	(void) crm_cells_flush(&cells);
	(void) crm_cohorts_find(ctx, &cells, &cohorts);
	(void) crm_cohorts_count(ctx, &cells, 7, start, NULL, &cohorts);
	ok(cohorts.n == 1 && cohorts.cohort[0].width == 2, "one order makes one");
	is_near(crm_sum_value(cohorts.cohort[0].cell[0].revenue), -6, 0,
			"a refund before the first order counts with it");
	host_drop(&host);
	do
	{
		ctx = host_begin(&host);
		kind = CRM_KEY_INT64;
		(void) make_cells(&cells, ctx, false);
		host.tap.fail_at = host.tap.allocations + ++failures;
		status = crm_cohorts_find(ctx, &cells, &cohorts);
		if (status == CRM_OK)
			status = crm_cohorts_count(ctx, &cells, LAST, start, NULL, &cohorts);
		passed &= (status == CRM_OK || status == CRM_NO_MEMORY) && host_is_balanced(&host);
		host_drop(&host);
	} while (status != CRM_OK);
	ok(passed && failures > 3, "each of %zu allocations may fail", failures - 1);
}

/* A cancel is met on the way through many customers. */
static void
test_abort(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmCells cells;
	CrmCohorts cohorts;
	CrmCellOrder order = {{0, 1, 1.0}, 0};

	(void) crm_cells_init(&cells, ctx, CRM_KEY_INT64);
	for (int64_t i = 0; i < 300000; i++)
	{
		CrmKey key = crm_key_int64(i);

		(void) crm_cells_add(&cells, &key, &order);
	}
	(void) crm_cells_flush(&cells);
	host.tap.polls = 0;
	(void) crm_cohorts_find(ctx, &cells, &cohorts);
	ok(host.tap.polls >= 2, "finding polls");
	host.tap.polls = 0;
	host.tap.abort_at = 1;
	is_int(crm_cohorts_count(ctx, &cells, 10, start, NULL, &cohorts), CRM_ABORTED,
		   "counting stops");
	is_int(crm_cohorts_find(ctx, &cells, &cohorts), CRM_ABORTED, "and so does finding");
	host_drop(&host);
}

int
main(void)
{
	test_definition();
	test_edges();
	test_abort();
	return tap_done();
}
