/*
 * paretonbd_covariates_rows.c: unit tests of customers with covariates: the collapse, the scaling
 * and the columns that are left out, by hand.
 */
#include "kernel/paretonbd_covariates_rows.h"
#include "host.h"

int
main(void)
{
	double x[] = {1, 0, 1, 2, 1, 0}, t_x[] = {4, 0, 4, 5, 4, 0}, t[] = {9, 7, 9, 9, 9, 7};
	double flag[] = {1, 0, 1, 0, 0, 0}, size[] = {3, 1, 3, 5, 3, 1}, one[] = {2, 2, 2, 2, 2, 2};
	double sum[] = {11, 5, 11, 13, 9, 5}; /* 2 flag + 2 size + 3 */
	const double *columns[] = {flag, one, size, sum};
	CrmCovariatesData data = {
		.x = x, .t_x = t_x, .t = t, .n = 6, .column = {columns, columns + 2}, .d = {4, 1}};
	CrmCovariateRows rows, other;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	double weight = 0, mean = 0, square = 0, apart = 0;

	ok(crm_covariate_rows_make(ctx, &data, &rows) == CRM_OK, "made");
	is_int((int64_t) rows.n, 4,
		   "customers 1 and 3 are one row, 2 and 6 another; 5 differs by flag");
	is_near(rows.total, 6, 0, "six customers");
	is_near(rows.repeat, 4, 0, "four came again");
	is_near(rows.orders, 5, 0, "five times");
	is_close(rows.mean_t, 50.0 / 6, 1e-15, "mean time");
	is_int(rows.kept[0], 2, "purchase keeps two");
	is_int(rows.kept[1], 1, "leaving keeps one");
	ok(rows.covariate[0][0].state == CRM_COVARIATE_KEPT &&
		   rows.covariate[0][1].state == CRM_COVARIATE_CONSTANT &&
		   rows.covariate[0][2].state == CRM_COVARIATE_KEPT &&
		   rows.covariate[0][3].state == CRM_COVARIATE_COLLINEAR,
	   "which, and why not");
	is_close(rows.covariate[0][0].mean, 1.0 / 3, 1e-15, "mean of a flag");
	is_close(rows.covariate[0][0].scale, sqrt(2.0 / 9), 1e-15, "its standard deviation");
	is_close(rows.covariate[1][0].mean, 16.0 / 6, 1e-15, "mean of a size");
	for (size_t i = 0; i < rows.n; i++)
	{
		weight += rows.weight[i];
		mean += rows.weight[i] * rows.w[0][2 * i + 1];
		square += rows.weight[i] * rows.w[0][2 * i + 1] * rows.w[0][2 * i + 1];
		apart += fabs(rows.w[0][2 * i + 1] - rows.w[1][i]);
	}
	is_near(weight, 6, 0, "weights");
	is_near(mean, 0, 1e-14, "scaled columns have mean 0");
	is_near(square, 6, 1e-14, "and variance 1");
	is_near(apart, 0, 0, "alike in both processes");

	/* the same from behind */
	for (int i = 0; i < 3; i++)
	{
		double *all[] = {x, t_x, t, flag, size, sum};

		for (int c = 0; c < 6; c++)
		{
			double kept = all[c][i];

			all[c][i] = all[c][5 - i];
			all[c][5 - i] = kept;
		}
	}
	ok(crm_covariate_rows_make(ctx, &data, &other) == CRM_OK && other.n == rows.n &&
		   memcmp(other.w[0], rows.w[0], 2 * rows.n * sizeof(double)) == 0 &&
		   memcmp(other.weight, rows.weight, rows.n * sizeof(double)) == 0 &&
		   memcmp(other.covariate, rows.covariate, sizeof rows.covariate) == 0,
	   "the order of customers changes nothing");
	crm_covariate_rows_free(ctx, &other);
	crm_covariate_rows_free(ctx, &rows);

	t_x[0] = 8; /* of a customer without a repeat transaction */
	ok(crm_covariate_rows_make(ctx, &data, &rows) == CRM_DOMAIN, "a customer that cannot be");
	crm_covariate_rows_free(ctx, &rows);
	t_x[0] = 0;
	data.d[1] = CRM_COVARIATES_MAX;
	ok(crm_covariate_rows_make(ctx, &data, &rows) == CRM_DOMAIN, "too many columns");
	crm_covariate_rows_free(ctx, &rows);
	data.d[1] = 1;
	flag[2] = 1e308;
	flag[3] = -1e308;
	ok(crm_covariate_rows_make(ctx, &data, &rows) == CRM_OK &&
		   rows.covariate[0][0].state == CRM_COVARIATE_KEPT && isfinite(rows.w[0][0]) &&
		   isfinite(rows.covariate[0][0].scale),
	   "the largest numbers there are do not overflow");
	crm_covariate_rows_free(ctx, &rows);
	flag[2] = 0;
	flag[3] = 1;
	data.n = 0;
	ok(crm_covariate_rows_make(ctx, &data, &rows) == CRM_OK && rows.n == 0 && rows.kept[0] == 0,
	   "nobody");
	crm_covariate_rows_free(ctx, &rows);
	data.n = 6;
	for (size_t fail = 1; fail <= 8; fail++)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = fail;
		ok(crm_covariate_rows_make(ctx, &data, &rows) == CRM_NO_MEMORY, "allocation %zu fails",
		   fail);
		crm_covariate_rows_free(ctx, &rows);
	}
	ok(host_is_balanced(&host) && host.held == 0, "memory is given back");
	host_drop(&host);
	return tap_done();
}
