/*
 * Tests of kernel/linear.c. mtcars: R 4.2.2, summary(lm(mpg ~ wt + hp)), plain and with weights
 * 1 + (1:32) %% 3.
 */
#include "regression.h"

#include "kernel/linear.h"

#define TOLERANCE 1e-10

static double column[6][CARS], response[CARS], weight[CARS];
static double *columns[6];

static void
is_column(const CrmLinearModel *model, int j, double estimate, double error, const char *name)
{
	is_close(model->estimate[j], estimate, TOLERANCE, name);
	is_close(model->error[j], error, TOLERANCE, name);
}

static CrmLinearData
make_data(int d)
{
	static const int which[2] = {2, 1};
	CrmLinearData data = {.columns = columns, .response = response, .n = CARS, .d = d};

	take_cars(column, which, 2);
	for (int i = 0; i < CARS; i++)
	{
		response[i] = cars[i][0];
		weight[i] = 1 + (i + 1) % 3;
		column[2][i] = 7;                                     /* constant */
		column[3][i] = 2 * column[0][i] - column[1][i] + 1e6; /* collinear */
		column[4][i] = i % 5;
	}
	for (int j = 0; j < 6; j++)
		columns[j] = column[j];
	return data;
}

static void
test_cars(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLinearData data = make_data(2);
	CrmLinearModel model;

	is_int(crm_linear_fit(ctx, &data, &model), CRM_OK, "fit");
	is_column(&model, 0, 37.227270116447201, 1.59878753799939410, "intercept");
	is_column(&model, 1, -3.877830742404682, 0.63273349437739534, "wt");
	is_column(&model, 2, -0.031772946982161, 0.00902970967585572, "hp");
	is_close(model.sigma, 2.593411777226567, TOLERANCE, "sigma");
	is_close(model.r_squared, 0.826785451882791, TOLERANCE, "R squared");
	is_close(model.adjusted_r_squared, 0.814839620978156, TOLERANCE, "adjusted R squared");
	is_close(model.f, 69.211213391777648, TOLERANCE, "F");
	is_close(model.log_likelihood, -74.326169412820661, TOLERANCE, "log-likelihood");
	is_close(model.aic, 156.652338825641323, TOLERANCE, "AIC");
	is_close(model.rss, 195.047754741466377, TOLERANCE, "residual sum of squares");
	ok(model.df == 29 && model.rank == 3 && model.used == CARS, "degrees of freedom");
	crm_linear_model_free(ctx, &model);
	crm_linear_model_free(ctx, &model);

	data.weights = weight;
	is_int(crm_linear_fit(ctx, &data, &model), CRM_OK, "weighted fit");
	is_column(&model, 0, 37.0438954594191401, 1.67531584700496605, "intercept");
	is_column(&model, 1, -3.7849579381806868, 0.65761933370374459, "wt");
	is_column(&model, 2, -0.0321045742214383, 0.00918113040863478, "hp");
	is_close(model.sigma, 3.83279954594017, TOLERANCE, "sigma");
	is_close(model.r_squared, 0.81128204357609, TOLERANCE, "R squared");
	is_close(model.f, 62.33423599304575, TOLERANCE, "F");
	crm_linear_model_free(ctx, &model);
	is_clean(&tap, "linear");
}

/* Constant and collinear columns are dropped and change nothing. */
static void
test_dropped(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLinearData data = make_data(5), plain = make_data(3);
	double *some[3] = {column[0], column[1], column[4]};
	CrmLinearModel model, want;

	plain.columns = some;
	crm_linear_fit(ctx, &data, &model);
	crm_linear_fit(ctx, &plain, &want);
	ok(model.column[3] == CRM_LINEAR_CONSTANT && model.column[4] == CRM_LINEAR_COLLINEAR &&
		   model.column[1] == CRM_LINEAR_KEPT && model.column[5] == CRM_LINEAR_KEPT,
	   "constant and collinear columns are known");
	ok(isnan(model.estimate[3]) && isnan(model.error[4]), "and dropped");
	is_close(model.estimate[0], want.estimate[0], 1e-9, "intercept as without them");
	is_close(model.estimate[5], want.estimate[3], 1e-9, "last column as without them");
	is_close(model.error[5], want.error[3], 1e-9, "and its error");
	is_close(crm_linear_predict(model.estimate, (double[]){3, 100, 7, 9, 2}, 5),
			 crm_linear_predict(want.estimate, (double[]){3, 100, 2}, 3), 1e-9, "prediction");
	crm_linear_model_free(ctx, &model);
	crm_linear_model_free(ctx, &want);
	is_clean(&tap, "dropped columns");
}

/* Rows in another order give the same bits. */
static void
test_order(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLinearData data = make_data(5);
	CrmLinearModel first, second;
	double *all[7] = {column[0], column[1], column[2], column[3], column[4], response, weight};

	data.weights = weight;
	crm_linear_arrange(ctx, &data);
	crm_linear_fit(ctx, &data, &first);
	shuffle_rows(all, 7, CARS, 1);
	crm_linear_arrange(ctx, &data);
	crm_linear_fit(ctx, &data, &second);
	ok(memcmp(first.estimate, second.estimate, 6 * sizeof(double)) == 0 &&
		   memcmp(first.error, second.error, 6 * sizeof(double)) == 0,
	   "the order of rows changes no bit");
	crm_linear_model_free(ctx, &first);
	crm_linear_model_free(ctx, &second);
	is_clean(&tap, "order");
}

static void
test_little(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLinearData data = make_data(2);
	CrmLinearModel model;

	for (size_t n = 0; n <= 4; n++)
	{
		data.n = n;
		is_int(crm_linear_fit(ctx, &data, &model), CRM_OK, "few rows");
		is_int(model.rank, n == 0 ? 0 : n < 3 ? (int) n : 3, "rank is bounded by the rows");
		ok(n == 0 ? isnan(model.estimate[0]) : isfinite(model.estimate[0]), "an intercept");
		ok((n > 3) == isfinite(model.sigma), "sigma needs a degree of freedom");
		crm_linear_model_free(ctx, &model);
	}
	data.n = CARS;
	column[0][3] = 1e200;
	column[0][4] = -1e200;
	ok(crm_linear_fit(ctx, &data, &model) == CRM_OK, "huge values do not overflow in QR");
	crm_linear_model_free(ctx, &model);
	tap.abort_at = tap.polls + 1;
	for (size_t at = 1; at < 12; at++)
	{
		tap_context(&tap);
		tap.fail_at = at;
		ok(crm_linear_fit(ctx, &data, &model) == (at < 11 ? CRM_NO_MEMORY : CRM_OK),
		   "allocation %zu", at);
		if (at == 11)
			crm_linear_model_free(ctx, &model);
		is_clean(&tap, "a failed allocation");
	}
}

int
main(void)
{
	test_cars();
	test_dropped();
	test_order();
	test_little();
	return tap_done();
}
