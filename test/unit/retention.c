/*
 * retention.c: unit tests of kernel/retention against a count over dense tables by the definitions
 * of its header, and its identities.
 */
#include "activity.h"
#include "kernel/retention.h"

/* Tell whether a customer has an order in the w periods up to and with p. */
static bool
is_active(int c, int p, int w)
{
	for (int q = p; q > p - w; q--)
		if (q >= 0 && q < PERIODS && orders_of[c][q] > 0)
			return true;
	return false;
}

/* Give what a customer paid in a period. */
static double
paid(int c, int p)
{
	return p >= 0 && p < PERIODS ? (double) units_of[c][p] / 256 : 0;
}

/* Count a period by the definitions. */
static CrmRetention
brute(int p, int w)
{
	CrmRetention row = {.retained = 0};

	for (int c = 0; c < CUSTOMERS; c++)
	{
		bool start = is_active(c, p - 1, w), end = is_active(c, p, w);
		double now = paid(c, p), before = paid(c, p - 1);

		if (start)
		{
			crm_sum_add(&row.start_revenue, before);
			crm_sum_add(&row.kept, now < before ? now : before);
			row.retained += end;
			row.lost += !end;
			if (!end)
				crm_sum_add(&row.lost_revenue, before - now);
			else if (now > before)
				crm_sum_add(&row.expansion, now - before);
			else
				crm_sum_add(&row.contraction, before - now);
		}
		else if (end && first_of[c] == p)
		{
			row.new_customers++;
			crm_sum_add(&row.new_revenue, now);
		}
		else
		{
			row.returned += end;
			crm_sum_add(&row.returned_revenue, now);
		}
	}
	return row;
}

/* Tell whether two rows are the same. */
static bool
is_same(const CrmRetention *a, const CrmRetention *b)
{
	const CrmSum *x = &a->start_revenue, *y = &b->start_revenue;

	for (int i = 0; i < 7; i++)
		if (crm_sum_value(x[i]) != crm_sum_value(y[i]))
			return false;
	return a->retained == b->retained && a->lost == b->lost &&
		   a->new_customers == b->new_customers && a->returned == b->returned;
}

/* Tell whether what one period ends with is what the next begins with, and money adds up. */
static bool
is_whole(const CrmRetention *row, const CrmRetention *next, int p)
{
	double net = crm_retention_net(row), gross = crm_retention_gross(row), all = 0, sum;

	for (int c = 0; c < CUSTOMERS; c++)
		all += paid(c, p);
	sum = crm_sum_value(row->start_revenue) + crm_sum_value(row->expansion) -
		  crm_sum_value(row->contraction) - crm_sum_value(row->lost_revenue) +
		  crm_sum_value(row->new_revenue) + crm_sum_value(row->returned_revenue);
	return sum == all && (isnan(net) ? isnan(gross) : gross <= net && gross <= 1.0) &&
		   row->retained + row->new_customers + row->returned == next->retained + next->lost;
}

static void
test_definition(void)
{
	static CrmRetention rows[PERIODS + 20];
	const int windows[] = {1, 2, 3, 7, 1000};
	Host host;
	CrmCells cells;

	for (int round = 0; round < 25; round++)
	{
		CrmCtx *ctx = host_begin(&host);
		int w = windows[round % 5], from = round < 5 ? -8 : (int) draw_below(30);
		int n = round < 5 ? PERIODS + 18 : 1 + (int) draw_below(20);
		bool right = true, whole = true;

		kind = (CrmKeyKind) (round % 3);
		draw_orders();
		(void) make_cells(&cells, ctx, round % 2 == 0);
		is_int(crm_retention_count(ctx, &cells, BASE + from, (uint32_t) n, w, rows), CRM_OK,
			   "counted");
		for (int i = 0; i < n; i++)
		{
			CrmRetention want = brute(from + i, w);

			right &= is_same(&rows[i], &want);
			if (i + 1 < n)
				whole &= is_whole(&rows[i], &rows[i + 1], from + i);
		}
		ok(right, "%d periods from %d are what the definition says, window %d", n, from, w);
		ok(whole, "and each begins with what the last one ended with");
		host_drop(&host);
	}
}

static void
test_edges(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmCells cells;
	CrmRetention rows[3];
	CrmKey key = crm_key_int64(1);
	const CrmCellOrder orders[] = {{{INT32_MIN, 1, 0.0}, 0},
								   {{INT32_MAX - 2, 1, 100.0}, 0},
								   {{INT32_MAX - 1, 1, 80.0}, 0},
								   {{INT32_MAX, 0, -30.0}, 0}};

	(void) crm_cells_init(&cells, ctx, CRM_KEY_INT64);
	is_int(crm_retention_count(ctx, &cells, 0, 3, 1, rows), CRM_OK, "nobody");
	ok(rows[0].retained + rows[0].lost + rows[1].new_customers == 0 &&
		   isnan(crm_retention_net(&rows[0])) && isnan(crm_retention_gross(&rows[0])),
	   "is kept, and of nothing no share is kept");
	for (int i = 0; i < 4; i++)
		(void) crm_cells_add(&cells, &key, &orders[i]);
	(void) crm_cells_flush(&cells);
	is_int(crm_retention_count(ctx, &cells, INT32_MAX - 2, 3, 1, rows), CRM_OK, "the last periods");
	ok(rows[0].returned == 1 && rows[1].retained == 1 && rows[2].lost == 1,
	   "come back, kept, lost");
	is_near(crm_retention_net(&rows[1]), 0.8, 0, "net");
	is_near(crm_retention_gross(&rows[1]), 0.8, 0, "gross");
	is_near(crm_retention_gross(&rows[2]), -0.375, 0, "a refund to the lost lowers what is kept");
	is_near(crm_retention_net(&rows[2]), -0.375, 0, "of both");
	host_drop(&host);
}

/* A cancel is met on the way. */
static void
test_abort(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmCells cells;
	CrmRetention rows[2];
	CrmCellOrder order = {{0, 1, 1.0}, 0};

	(void) crm_cells_init(&cells, ctx, CRM_KEY_INT64);
	for (int64_t i = 0; i < 200000; i++)
	{
		CrmKey key = crm_key_int64(i);

		(void) crm_cells_add(&cells, &key, &order);
	}
	(void) crm_cells_flush(&cells);
	host.tap.polls = 0;
	host.tap.abort_at = 1;
	is_int(crm_retention_count(ctx, &cells, 0, 2, 1000, rows), CRM_ABORTED, "counting stops");
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
