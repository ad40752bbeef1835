/*
 * btyd.c: unit tests of base/btyd: the collapse against counting by hand, independence of order,
 * refused rows, memory that fails.
 */
#include "kernel/base/btyd.h"
#include "host.h"

#define ROWS 3000

/* Give the weight of the row of x, t_x and t, 0 when there is no such row. */
static double
weight_of(const CrmBtyd *rows, double x, double t_x, double t)
{
	for (size_t i = 0; i < rows->n; i++)
	{
		CrmBtydRow row = rows->row[i];

		if (rows->x[row.x] == x && rows->time[row.t_x] == t_x && rows->time[row.t] == t)
			return rows->weight[i];
	}
	return 0.0;
}

/* Whole times, which have a table of their own, against the same as fractions, which are sorted. */
static void
test_fractions(CrmCtx *ctx, const CrmBtydData *whole)
{
	static double t_x[ROWS], t[ROWS], zero[ROWS];
	CrmBtydData fraction = {whole->x, t_x, t, NULL, whole->n};
	CrmBtyd rows, again;
	bool same = true, ascending = true;

	for (size_t i = 0; i < whole->n; i++)
	{
		t_x[i] = whole->t_x[i] + (whole->t_x[i] > 0.0 ? 0.25 : 0.0);
		t[i] = whole->t[i] + 0.25;
		zero[i] = 0.0;
	}
	ok(crm_btyd_collapse(ctx, whole, &rows) == CRM_OK &&
		   crm_btyd_collapse(ctx, &fraction, &again) == CRM_OK && rows.n == again.n &&
		   rows.n_x == again.n_x,
	   "fractions collapse as whole times do");
	for (size_t i = 0; i < rows.n; i++)
	{
		double early = rows.time[rows.row[i].t_x], now = rows.time[rows.row[i].t];

		same = same && rows.weight[i] == weight_of(&again, rows.x[rows.row[i].x],
												   early + (early > 0.0 ? 0.25 : 0.0), now + 0.25);
	}
	for (size_t i = 1; i < rows.n_t; i++)
		ascending = ascending && rows.time[i] > rows.time[i - 1];
	for (size_t i = 1; i < again.n_t; i++)
		ascending = ascending && again.time[i] > again.time[i - 1];
	ok(same, "with the same weights");
	ok(ascending, "times ascend");
	crm_btyd_free(ctx, &rows);
	crm_btyd_free(ctx, &again);

	fraction.t_x = NULL;
	ok(crm_btyd_collapse(ctx, &fraction, &rows) == CRM_OK, "no t_x");
	fraction.t_x = zero;
	ok(crm_btyd_collapse(ctx, &fraction, &again) == CRM_OK && rows.n == again.n &&
		   rows.n_t == again.n_t,
	   "is t_x = 0");
	for (size_t i = 0; i < rows.n && i < again.n; i++)
		same = same && rows.weight[i] == again.weight[i] && rows.row[i].t_x == again.row[i].t_x &&
			   rows.row[i].t == again.row[i].t;
	ok(same, "in all rows");
	crm_btyd_free(ctx, &rows);
	crm_btyd_free(ctx, &again);
}

/* The halves hold each row once, and depend on the seed. */
static void
test_halves(CrmCtx *ctx, const CrmBtydData *data)
{
	CrmBtyd rows, half[2], other;
	bool once = true;

	(void) crm_btyd_collapse(ctx, data, &rows);
	for (uint64_t which = 0; which < 2; which++)
		ok(crm_btyd_half(ctx, &rows, 7, which, &half[which]) == CRM_OK, "a half");
	for (size_t i = 0; i < rows.n; i++)
	{
		double x = rows.x[rows.row[i].x], t_x = rows.time[rows.row[i].t_x];
		double first = weight_of(&half[0], x, t_x, rows.time[rows.row[i].t]);
		double second = weight_of(&half[1], x, t_x, rows.time[rows.row[i].t]);

		once = once && first * second == 0.0 && first + second == rows.weight[i];
	}
	ok(once, "each row is in one of the halves");
	is_near(half[0].total + half[1].total, rows.total, 0.0, "their totals");
	is_near(half[0].orders + half[1].orders, rows.orders, 1e-9, "their orders");
	ok(half[0].n > rows.n / 4 && half[1].n > rows.n / 4, "neither is small");
	ok(crm_btyd_half(ctx, &rows, 8, 0, &other) == CRM_OK &&
		   (other.n != half[0].n || memcmp(other.row, half[0].row, other.n * sizeof *other.row)),
	   "another seed, another half");
	crm_btyd_half_free(ctx, &other);
	crm_btyd_half_free(ctx, &half[1]);
	crm_btyd_half_free(ctx, &half[0]);
	crm_btyd_free(ctx, &rows);
}

/* Tell whether what a sample says of its rows is what its rows say. */
static bool
adds_up(const CrmBtyd *sample)
{
	double total = 0.0, repeat = 0.0, orders = 0.0, time = 0.0;
	bool right = true;

	for (size_t i = 0; i < sample->n; i++)
	{
		double of = sample->x[sample->row[i].x];

		total += sample->weight[i];
		repeat += of > 0.0 ? sample->weight[i] : 0.0;
		orders += of * sample->weight[i];
		time += sample->time[sample->row[i].t] * sample->weight[i];
	}
	for (size_t k = 0; k < sample->n_x; k++)
	{
		double weight = 0.0;

		for (size_t i = 0; i < sample->n; i++)
			weight += sample->row[i].x == k ? sample->weight[i] : 0.0;
		right = right && fabs(weight - sample->x_weight[k]) < 1e-9;
	}
	return right && fabs(total - sample->total) < 1e-9 && fabs(repeat - sample->repeat) < 1e-9 &&
		   fabs(orders - sample->orders) < 1e-9 &&
		   (total <= 0.0 || fabs(time / total - sample->mean_t) < 1e-9);
}

/* Samples: of some rows, all, more than there are, one, none; the whole stays as it was. */
static void
test_sample(TapContext *tap, const CrmBtydData *data, const CrmBtydData *shuffled)
{
	static const size_t sizes[] = {0, 1, 60, 1u << 20};
	CrmCtx *ctx = &tap->ctx;
	CrmBtyd rows, other, sample, again;
	double whole;

	ok(crm_btyd_collapse(ctx, data, &rows) == CRM_OK &&
		   crm_btyd_collapse(ctx, shuffled, &other) == CRM_OK,
	   "rows to sample");
	whole = rows.total;
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
	{
		size_t want = sizes[k] < rows.n ? sizes[k] : rows.n;
		bool same = true;

		ok(crm_btyd_sample(ctx, &rows, sizes[k], &sample) == CRM_OK && sample.n == want,
		   "a sample of %zu rows of %zu", sizes[k], rows.n);
		ok(adds_up(&sample), "its sums are those of its rows");
		ok(crm_btyd_sample(ctx, &other, sizes[k], &again) == CRM_OK, "of shuffled rows");
		for (size_t i = 0; i < want; i++)
			same = same && sample.weight[i] == again.weight[i] &&
				   sample.x[sample.row[i].x] == again.x[again.row[i].x] &&
				   sample.time[sample.row[i].t_x] == again.time[again.row[i].t_x] &&
				   sample.time[sample.row[i].t] == again.time[again.row[i].t];
		ok(same && sample.total == again.total, "the same whatever the order of rows");
		if (want > 50)
			ok(fabs(sample.orders / sample.total - rows.orders / rows.total) < 0.75 &&
				   fabs(sample.mean_t - rows.mean_t) < 1.5,
			   "much like the whole");
		crm_btyd_sample_free(ctx, &again);
		crm_btyd_sample_free(ctx, &sample);
	}
	tap->allocations = 0;
	tap->fail_at = 1;
	ok(crm_btyd_sample(ctx, &rows, 60, &sample) == CRM_NO_MEMORY, "no memory for a sample");
	tap->fail_at = 0;
	crm_btyd_sample_free(ctx, &sample);
	ok(adds_up(&rows) && rows.total == whole, "the whole is as it was");
	crm_btyd_free(ctx, &other);
	crm_btyd_free(ctx, &rows);
}

int
main(void)
{
	static double x[ROWS], t_x[ROWS], t[ROWS], x2[ROWS], t_x2[ROWS], t2[ROWS];
	static uint32_t order[ROWS];
	CrmBtydData data = {x, t_x, t, NULL, ROWS}, shuffled = {x2, t_x2, t2, NULL, ROWS};
	CrmBtyd rows, again;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	size_t distinct = 0;
	bool same = true, right = true;
	double weight = 0.0;

	draw_order(order, ROWS);
	for (size_t i = 0; i < ROWS; i++)
	{
		x[i] = (double) draw_below(4);
		t[i] = 10.0 + (double) draw_below(7);
		t_x[i] = x[i] > 0.0 ? (double) draw_below(10) : 0.0;
	}
	for (size_t i = 0; i < ROWS; i++)
	{
		bool seen = false;

		for (size_t j = 0; j < i && !seen; j++)
			seen = x[i] == x[j] && t_x[i] == t_x[j] && t[i] == t[j];
		distinct += !seen;
		x2[i] = x[order[i]];
		t_x2[i] = t_x[order[i]];
		t2[i] = t[order[i]];
	}
	ok(crm_btyd_collapse(ctx, &data, &rows) == CRM_OK, "rows collapse");
	ok(crm_btyd_collapse(ctx, &shuffled, &again) == CRM_OK, "shuffled rows collapse");
	is_int((int64_t) rows.n, (int64_t) distinct, "distinct rows");
	is_int((int64_t) rows.n_x, 4, "distinct x");
	for (size_t i = 0; i < rows.n; i++)
	{
		CrmBtydRow row = rows.row[i], other = again.row[i];
		double count = 0.0;

		for (size_t j = 0; j < ROWS; j++)
			count +=
				x[j] == rows.x[row.x] && t_x[j] == rows.time[row.t_x] && t[j] == rows.time[row.t];
		right = right && count == rows.weight[i];
		weight += rows.weight[i];
		same = same && row.x == other.x && row.t_x == other.t_x && row.t == other.t &&
			   rows.weight[i] == again.weight[i];
	}
	ok(right, "each weight is the count of its rows");
	ok(same, "the order of rows does not matter");
	is_near(weight, ROWS, 0.0, "no row is lost");
	is_near(rows.total, ROWS, 0.0, "total");
	crm_btyd_free(ctx, &rows);
	crm_btyd_free(ctx, &again);
	test_fractions(ctx, &data);
	test_halves(ctx, &data);
	test_sample(&tap, &data, &shuffled);
	t[77] = -1.0;
	ok(crm_btyd_collapse(ctx, &data, &rows) == CRM_DOMAIN && rows.offender == 77, "a bad row");
	crm_btyd_free(ctx, &rows);
	ok(crm_btyd_check(1.5, 1.0, 2.0) != NULL && crm_btyd_check(2.0, 3.0, 2.0) != NULL &&
		   crm_btyd_check(0.0, 1.0, 2.0) != NULL && crm_btyd_check(NAN, 1.0, 2.0) != NULL,
	   "what cannot be of a customer is refused");
	t[77] = 12.0;
	if (x[77] > 0.0)
		t_x[77] = 1.0;
	for (size_t fail = 1; fail <= 12; fail++)
	{
		CrmStatus status;

		tap.allocations = 0;
		tap.fail_at = fail;
		status = crm_btyd_collapse(ctx, &data, &rows);
		ok(status == CRM_NO_MEMORY || status == CRM_OK, "allocation %zu fails", fail);
		crm_btyd_free(ctx, &rows);
	}
	is_clean(&tap, "collapse");
	return tap_done();
}
