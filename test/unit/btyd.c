/*
 * btyd.c: unit tests of base/btyd: the collapse against counting by hand, independence of order,
 * refused rows, memory that fails.
 */
#include "kernel/base/btyd.h"
#include "host.h"

#define ROWS 3000

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
