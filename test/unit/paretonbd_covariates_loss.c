/*
 * paretonbd_covariates_loss.c: unit tests of the likelihood of Pareto/NBD with covariates:
 * likelihoods of mpmath (40 digits), gradients by differences.
 */
#include "kernel/paretonbd_covariates_loss.h"
#include "cohort.h"

static double covariate[4][CUSTOMERS];

/* Give the first n customers with the first so many columns of covariate for each process. */
static CrmCovariatesData
customers(size_t n, int purchase, int dropout)
{
	static const double *columns[] = {covariate[0], covariate[1], covariate[2], covariate[3]};

	return (CrmCovariatesData){.x = customer_x,
							   .t_x = customer_t_x,
							   .t = customer_t,
							   .n = n,
							   .column = {columns, columns + 4 - dropout},
							   .d = {purchase, dropout}};
}

/* mpmath: the integral by quadrature, alpha and beta scaled by each customer's covariates */
static void
test_likelihood(CrmCtx *ctx, TapContext *tap)
{
	static const double who[][6] = {{2, 30.43, 38.86, 1, 20, 0.5}, {0, 0, 38.86, 0, 35, 1.5},
									{26, 30.86, 31, 1, 50, -2},    {1, 5, 30, 0, 64, 0},
									{1, 5, 30, 0, 64, 0},          {7, 20, 20, 1, 20, 0.5}};
	const double purchase[] = {0.7, -0.02}, dropout = -0.4;
	double theta[] = {log(0.55), log(0.55 / 10.5), log(0.6), log(0.6 / 11.5), 0, 0, 0};
	CrmCovariatesData data;
	CrmCovariateRows rows;
	CrmCovariatesTask task;

	for (int i = 0; i < 6; i++)
	{
		customer_x[i] = who[i][0];
		customer_t_x[i] = who[i][1];
		customer_t[i] = who[i][2];
		covariate[0][i] = who[i][3];
		covariate[1][i] = who[i][4];
		covariate[3][i] = who[i][5];
	}
	data = customers(6, 2, 1);
	ok(crm_covariate_rows_make(ctx, &data, &rows) == CRM_OK && rows.n == 5, "customers collapse");
	for (int j = 0; j < 2; j++)
	{
		theta[4 + j] = purchase[j] * rows.covariate[0][j].scale;
		theta[1] += purchase[j] * rows.covariate[0][j].mean;
	}
	theta[6] = dropout * rows.covariate[1][0].scale;
	theta[3] += dropout * rows.covariate[1][0].mean;
	crm_covariates_begin(ctx, &rows, &task);
	is_close(-6.0 * crm_covariates_loss(&task, theta, NULL), -79.0971064165238413, 1e-12,
			 "log-likelihood of six customers");
	is_gradient(crm_covariates_loss, &task, 7, theta, "six customers");
	task.penalty = 0.3;
	is_close(crm_covariates_loss(&task, theta, NULL) - 79.0971064165238413 / 6.0,
			 0.3 * (theta[4] * theta[4] + theta[5] * theta[5] + theta[6] * theta[6]), 1e-11,
			 "a penalty on the coefficients");
	is_gradient(crm_covariates_loss, &task, 7, theta, "six customers with a penalty");
	task.d[0] = 0;
	is_gradient(crm_covariates_loss, &task, 5, theta, "the effects on leaving alone");
	theta[4] = 60.0;
	ok(isfinite(crm_covariates_loss(&task, theta, NULL)), "far out it is still a number");
	theta[4] = 0.4;
	tap->polls = 0;
	tap->abort_at = 1;
	ok(isnan(crm_covariates_loss(&task, theta, NULL)), "a poll that is due ends it");
	tap->abort_at = 0;
	crm_covariate_rows_free(ctx, &rows);
}

int
main(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);

	test_likelihood(ctx, &tap);
	is_clean(&tap, "likelihood with covariates");
	return tap_done();
}
