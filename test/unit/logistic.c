/*
 * Tests of kernel/logistic.c. mtcars, am ~ wt + hp: R 4.2.2, glm(binomial, epsilon = 1e-14), plain
 * and with weights 1 + (1:32) %% 3; their standard errors by Newton's method with 40 digits
 * (mpmath), since those of R belong to the weights before the last step. Penalised fits of
 * am ~ wt + hp + mpg: the same objective by scipy 1.17 L-BFGS-B, then Newton on the columns in use.
 * telco and iris (in CRM_DATA): R glm, whose estimates of telco have seven digits.
 */
#include "regression.h"

#include "kernel/logistic.h"

#define MAX 8000

static double column[12][MAX], label[MAX], weight[MAX];
static double *columns[12];

static CrmLogisticData
make_cars(int d)
{
	static const int which[3] = {2, 1, 0};
	CrmLogisticData data = {.columns = columns, .label = label, .n = CARS, .d = d};

	for (int i = 0; i < CARS; i++)
	{
		for (int j = 0; j < 3; j++)
			column[j][i] = cars[i][which[j]];
		label[i] = cars[i][3];
		weight[i] = 1 + (i + 1) % 3;
		column[3][i] = -3.25;
		column[4][i] = column[0][i] - 3 * column[1][i];
		column[5][i] = (double) (i % 4);
	}
	for (int j = 0; j < 12; j++)
		columns[j] = column[j];
	return data;
}

/* Fit and compare estimates (d + 1) and, unless NULL, errors. */
static void
is_fit(const CrmLogisticData *data, const CrmLogisticParam *param, const double *estimate,
	   const double *error, double tolerance, const char *name)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLogisticModel model;

	if (!ok(crm_logistic_fit(ctx, data, param, &model) == CRM_OK && model.converged &&
				model.state == CRM_LOGISTIC_FITTED,
			"%s: fits", name))
		return;
	for (int j = 0; j <= data->d; j++)
	{
		is_near(model.estimate[j], estimate[j], tolerance * fabs(estimate[j]), name);
		if (error != NULL)
			is_close(model.error[j], error[j], tolerance, name);
	}
	crm_logistic_model_free(ctx, &model);
	is_clean(&tap, name);
}

static void
test_cars(void)
{
	static const double estimate[3] = {18.8662987172040957, -8.0834751824446283,
									   0.0362555960822165};
	static const double error[3] = {7.4435584279817278, 3.0686752753905919, 0.017734154331947037};
	static const double weighted[3] = {27.8392391070659428, -11.0276576380532365,
									   0.0411744611750171};
	static const double weighted_error[3] = {8.564958551349034, 3.3118832841557514,
											 0.015065189175827596};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLogisticData data = make_cars(2);
	CrmLogisticParam param;
	CrmLogisticModel model;

	crm_logistic_defaults(&param);
	is_fit(&data, &param, estimate, error, 1e-8, "cars");
	crm_logistic_fit(ctx, &data, &param, &model);
	is_close(model.deviance, 10.0591104722670, 1e-10, "deviance");
	is_close(model.null_deviance, 43.2297332768578, 1e-12, "null deviance");
	is_close(model.aic, 16.0591104722670, 1e-10, "AIC");
	is_close(model.covariance[0 * 3 + 1], -22.037059881264025, 1e-8, "a covariance");
	is_close(model.covariance[2 * 3 + 1], -0.041832392344659816, 1e-8, "another one");
	is_int((int64_t) model.yes, 13, "13 cars have a manual gearbox");
	is_close(
		crm_logistic_predict(model.estimate, (double[]){3, 120}, 2),
		1 / (1 + exp(-(18.8662987172040957 - 3 * 8.0834751824446283 + 120 * 0.0362555960822165))),
		1e-8, "prediction");
	crm_logistic_model_free(ctx, &model);
	crm_logistic_model_free(ctx, &model);
	data.weights = weight;
	is_fit(&data, &param, weighted, weighted_error, 1e-8, "weighted cars");

	/* a class weight is the weight of its rows */
	for (int i = 0; i < CARS; i++)
		weight[i] = label[i] != 0 ? 32.0 / 2 / 13 : 32.0 / 2 / 19;
	crm_logistic_fit(ctx, &data, &param, &model);
	data.weights = NULL;
	param.balanced = true;
	is_fit(&data, &param, model.estimate, model.error, 1e-9, "balanced classes");
	param.balanced = false;
	param.class_weight[0] = 32.0 / 2 / 19;
	param.class_weight[1] = 32.0 / 2 / 13;
	is_fit(&data, &param, model.estimate, model.error, 1e-9, "the same weights given");
	crm_logistic_model_free(ctx, &model);
}

static void
test_penalties(void)
{
	static const double mixed[4] = {2.1976317024333385, -1.8434554041220719, 0.008241084911884067,
									0.09560624868240228};
	static const double ridge[4] = {0.32850026194606097, -1.5714403554851812, 0.009515653521584812,
									0.1376913027879319};
	static const double lasso[4] = {4.253284392394861, -1.494380269587476, 0, 0};
	CrmLogisticData data = make_cars(3);
	CrmLogisticParam param;

	crm_logistic_defaults(&param);
	param.penalty = 0.05;
	is_fit(&data, &param, ridge, NULL, 1e-7, "ridge");
	param.l1_ratio = 0.5;
	is_fit(&data, &param, mixed, NULL, 1e-7, "elastic net");
	param.penalty = 0.1;
	param.l1_ratio = 1;
	is_fit(&data, &param, lasso, NULL, 1e-7, "lasso");
}

static void
test_dropped(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLogisticData data = make_cars(5), plain = make_cars(2);
	double *some[3] = {column[0], column[1], column[5]};
	CrmLogisticParam param;
	CrmLogisticModel model, want;

	crm_logistic_defaults(&param);
	columns[2] = column[5];
	plain.columns = some;
	plain.d = 3;
	crm_logistic_fit(ctx, &data, &param, &model);
	crm_logistic_fit(ctx, &plain, &param, &want);
	ok(model.column[4] == CRM_COLUMN_CONSTANT && model.column[5] == CRM_COLUMN_COLLINEAR &&
		   model.column[1] == CRM_COLUMN_KEPT,
	   "constant and collinear columns are known");
	ok(isnan(model.estimate[4]) && isnan(model.error[5]) && model.rank == 4, "and dropped");
	for (int j = 0; j < 4; j++)
		is_close(model.estimate[j], want.estimate[j], 1e-8, "the others as without them");
	is_close(model.deviance, want.deviance, 1e-10, "the deviance, too");
	crm_logistic_model_free(ctx, &model);
	crm_logistic_model_free(ctx, &want);
	is_clean(&tap, "dropped columns");
}

/* Separated classes are told, and the estimates stay finite. */
static void
test_separation(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLogisticData data = make_cars(2);
	CrmLogisticParam param;
	CrmLogisticModel model;
	CrmRng rng;

	crm_logistic_defaults(&param);
	crm_rng_seed(&rng, 9, 0);
	data.n = 200;
	for (int quasi = 0; quasi < 3; quasi++)
	{
		for (int i = 0; i < 200; i++)
		{
			double u = crm_rng_normal(&rng), v = crm_rng_normal(&rng);

			column[0][i] = u;
			column[1][i] = v;
			label[i] = quasi == 2 ? u + v > 0 : u > 0;
			if (quasi == 1) /* a flag that only churners have, and noise besides */
			{
				label[i] = v > crm_rng_normal(&rng) * 3;
				column[0][i] = label[i] != 0 && i % 3 == 0;
			}
		}
		is_int(crm_logistic_fit(ctx, &data, &param, &model), CRM_OK, "a separated fit");
		ok(model.state == CRM_LOGISTIC_SEPARATED, "kind %d is seen to be separated", quasi);
		ok(model.converged && isfinite(model.estimate[0]) && isfinite(model.error[1]),
		   "it is survived");
		ok(model.separates[1] && model.separates[2] == (quasi == 2), "the column is named");
		ok(model.estimate[1] > 1, "the estimate (%g) says which way", model.estimate[1]);
		crm_logistic_model_free(ctx, &model);
		param.penalty = 0.01;
		is_int(crm_logistic_fit(ctx, &data, &param, &model), CRM_OK, "with a penalty");
		ok(model.state == CRM_LOGISTIC_FITTED && model.converged, "there is no trouble");
		crm_logistic_model_free(ctx, &model);
		param.penalty = 0;
	}
	for (int class = 0; class < 2; class ++)
	{
		for (int i = 0; i < 200; i++)
			label[i] = class;
		is_int(crm_logistic_fit(ctx, &data, &param, &model), CRM_OK, "one class alone");
		ok(model.state == CRM_LOGISTIC_ONE_CLASS && isnan(model.estimate[1]), "is told");
		is_close(crm_logistic_predict(model.estimate, (double[]){1, 2}, 2),
				 (200.0 * class + 0.5) / 201, 1e-12, "and predicted with doubt");
		crm_logistic_model_free(ctx, &model);
	}
	for (size_t n = 0; n < 6; n++)
	{
		data.n = n;
		for (int i = 0; i < 6; i++)
			label[i] = i % 2;
		is_int(crm_logistic_fit(ctx, &data, &param, &model), CRM_OK, "few rows");
		ok(isfinite(model.estimate[0]), "%zu rows give an intercept", n);
		crm_logistic_model_free(ctx, &model);
	}
	is_clean(&tap, "separation");
}

/* Rows in another order give the same bits; errors leave nothing behind. */
static void
test_order_and_errors(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLogisticData data = make_cars(3);
	CrmLogisticParam param;
	CrmLogisticModel first, second;
	double *all[5] = {column[0], column[1], column[2], label, weight};
	char why[64];
	size_t at = 1;
	CrmStatus status;

	crm_logistic_defaults(&param);
	param.penalty = 0.01;
	data.weights = weight;
	crm_logistic_arrange(ctx, &data);
	crm_logistic_fit(ctx, &data, &param, &first);
	shuffle_rows(all, 5, CARS, 2);
	crm_logistic_arrange(ctx, &data);
	crm_logistic_fit(ctx, &data, &param, &second);
	ok(memcmp(first.estimate, second.estimate, 4 * sizeof(double)) == 0 &&
		   memcmp(first.error, second.error, 4 * sizeof(double)) == 0,
	   "the order of rows changes no bit");
	crm_logistic_model_free(ctx, &first);
	crm_logistic_model_free(ctx, &second);
	ok(tap.ctx.peak <= crm_logistic_bytes(CARS, 3), "memory is what was said");
	do
	{
		tap_context(&tap);
		tap.fail_at = at++;
		status = crm_logistic_fit(ctx, &data, &param, &first);
		if (status == CRM_OK)
			crm_logistic_model_free(ctx, &first);
		ok(status == CRM_NO_MEMORY || status == CRM_OK, "allocation %zu", at - 1);
		is_clean(&tap, "a failed allocation");
	} while (status != CRM_OK && at < 50);
	ctx = tap_context(&tap);
	column[0][0] = 1e200;
	is_int(crm_logistic_fit(ctx, &data, &param, &first), CRM_DOMAIN, "squares that overflow");
	is_clean(&tap, "overflow");

	ok(crm_logistic_check(&param, why, sizeof why), "parameters are checked");
	param.penalty = -1;
	ok(!crm_logistic_check(&param, why, sizeof why), "a negative penalty");
	is_text(why, "penalty must be finite and not negative", "is named");
	param.penalty = NAN;
	ok(!crm_logistic_check(&param, why, 8), "NaN");
	is_text(why, "penalty", "a short buffer is kept");
	crm_logistic_defaults(&param);
	param.class_weight[1] = 0;
	ok(!crm_logistic_check(&param, why, sizeof why), "no class weight of 0");
	param.balanced = true;
	ok(crm_logistic_check(&param, why, sizeof why), "which balance does not read");
	param.l1_ratio = 1.5;
	ok(!crm_logistic_check(&param, why, sizeof why), "l1_ratio within 0 and 1");
}

static void
test_telco(void)
{
	static const double estimate[11] = {-1.25110210862242, -.06026369057846, -.00539359156312,
										.00034029139197,   -.72787260071478, -1.52419622472989,
										1.84835174928377,  .90970679754086,  .31643883649247,
										.45193497520494,   .40596427329220};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLogisticData data = make_cars(10);
	CrmLogisticParam param;
	CrmLogisticModel model;
	char f[21][64];
	FILE *file = open_data("telco_churn.csv");

	if (file == NULL)
	{
		ok(true, "telco # SKIP CRM_DATA has no telco_churn.csv");
		return;
	}
	data.n = 0;
	while (read_fields(file, f, 21) == 21)
	{
		size_t i = data.n;

		if (strtod(f[19], NULL) == 0)
			continue;
		column[0][i] = atof(f[5]);
		column[1][i] = atof(f[18]);
		column[2][i] = atof(f[19]);
		column[3][i] = strcmp(f[15], "One year") == 0;
		column[4][i] = strcmp(f[15], "Two year") == 0;
		column[5][i] = strcmp(f[8], "Fiber optic") == 0;
		column[6][i] = strcmp(f[8], "DSL") == 0;
		column[7][i] = atof(f[2]);
		column[8][i] = strcmp(f[17], "Electronic check") == 0;
		column[9][i] = strcmp(f[16], "Yes") == 0;
		label[i] = strcmp(f[20], "Yes") == 0;
		data.n++;
	}
	fclose(file);
	is_int((int64_t) data.n, 7032, "telco has 7032 rows");
	crm_logistic_defaults(&param);
	is_fit(&data, &param, estimate, NULL, 1e-7, "telco");
	crm_logistic_arrange(ctx, &data);
	is_fit(&data, &param, estimate, NULL, 1e-7, "telco arranged");
	crm_logistic_fit(ctx, &data, &param, &model);
	is_close(model.deviance, 5936.01108351, 1e-11, "telco: deviance");
	is_close(model.null_deviance, 8143.35514649, 1e-11, "telco: null deviance");
	crm_logistic_model_free(ctx, &model);
}

static void
test_iris(void)
{
	static const double estimate[5] = {-42.63780381281, -2.46522019518, -6.68088701407,
									   9.42938515388, 18.28613688779};
	static const double error[5] = {25.707660833161851, 2.3943010185352148, 4.4795645666009453,
									4.7372077003165363, 9.742612139826796};
	CrmLogisticData data = make_cars(4);
	CrmLogisticParam param;
	char f[5][64];
	FILE *file = open_data("iris.csv");

	if (file == NULL)
	{
		ok(true, "iris # SKIP CRM_DATA has no iris.csv");
		return;
	}
	data.n = 0;
	while (read_fields(file, f, 5) == 5)
	{
		for (int j = 0; j < 4; j++)
			column[j][data.n] = atof(f[j]);
		label[data.n++] = strcmp(f[4], "virginica") == 0;
	}
	fclose(file);
	crm_logistic_defaults(&param);
	is_fit(&data, &param, estimate, error, 1e-6, "iris, nearly separable");
}

int
main(void)
{
	test_cars();
	test_penalties();
	test_dropped();
	test_separation();
	test_order_and_errors();
	test_telco();
	test_iris();
	return tap_done();
}
