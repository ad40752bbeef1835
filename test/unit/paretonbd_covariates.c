/*
 * paretonbd_covariates.c: unit tests of Pareto/NBD with covariates: CLVTools'
 * published fit of its apparel data, CDNOW without effects, and effects that
 * were planted.
 */
#include "kernel/paretonbd_covariates.h"
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

/* Read what tests of CLVTools' apparel data need; 0 where CRM_DATA does not have it. */
static size_t
read_apparel(void)
{
	const char *folder = getenv("CRM_DATA");
	char line[512];
	size_t n = 0;
	FILE *file;

	snprintf(line, sizeof line, "%s/apparel_summary.csv", folder != NULL ? folder : "");
	file = folder != NULL ? fopen(line, "r") : NULL;
	while (file != NULL && n < CUSTOMERS && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "%*d,%lf,%lf,%lf,%lf,%lf", &customer_x[n], &customer_t_x[n],
				   &customer_t[n], &covariate[0][n], &covariate[1][n]) == 5)
		{
			covariate[2][n] = covariate[0][n];
			covariate[3][n] = covariate[1][n];
			n++;
		}
	if (file != NULL)
		fclose(file);
	return n;
}

/*
 * CLVTools 0.12 prints, for weeks to 2006-12-31 and both covariates on both processes: LL
 * -5821.0627 (without covariates -5848.0978) and these coefficients with their errors.
 */
static void
test_apparel(CrmCtx *ctx)
{
	static const double want[][2] = {{1.8387, 0.3457},   {92.9435, 16.9749}, {0.5913, 0.2603},
									 {49.5048, 36.1444}, {0.2860, 0.1041},   {0.6239, 0.1049},
									 {-0.6428, 0.2956},  {0.7902, 0.3058}};
	CrmCovariatesParam param = {0.0};
	CrmCovariatesModel model;
	CrmCovariatesData data;
	double got[4];

	if (read_apparel() != 600)
	{
		ok(true, "CLVTools' apparel data # SKIP CRM_DATA has no apparel_summary.csv");
		return;
	}
	data = customers(600, 2, 2);
	ok(crm_covariates_fit(ctx, &data, &param, &model) == CRM_OK &&
		   model.status == CRM_FIT_CONVERGED,
	   "apparel data: converged");
	memcpy(got, &model.parameter, sizeof got);
	ok(model.log_likelihood > -5821.0628 && model.log_likelihood < -5821.062,
	   "log-likelihood %.5f, CLVTools has -5821.0627", model.log_likelihood);
	is_near(model.of_all.log_likelihood, -5848.0978, 1e-3, "log-likelihood without covariates");
	is_near(model.of_all.chi_squared, 2 * (5848.0978 - 5821.0627), 2e-3, "likelihood ratio");
	is_int(model.of_all.df, 4, "degrees of freedom");
	for (int i = 0; i < 4; i++)
	{
		int p = i / 2, j = i % 2;

		is_close(got[i], want[i][0], 2e-3, "a parameter of CLVTools");
		is_close(model.error[i], want[i][1], 5e-3, "and its error");
		is_near(model.estimate[p][j], want[4 + i][0], 1e-2, "a coefficient of CLVTools");
		is_close(model.estimate_error[p][j], want[4 + i][1], 5e-3, "and its error");
	}
	is_near(model.aic, 11658.1254, 2e-3, "AIC");
	is_near(model.bic, 11693.3008, 2e-3, "BIC");
}

/* covariates that say nothing leave CDNOW's likelihood where BTYD has it */
static void
test_cdnow(CrmCtx *ctx)
{
	double theta[5] = {0.0};
	CrmParetonbdParam plain = {0.0};
	CrmCovariatesParam param = {0.0};
	CrmParetonbdModel known;
	CrmCovariatesModel model;
	CrmCovariatesData data;
	CrmCovariateRows rows;
	CrmCovariatesTask task;
	CrmBtyd btyd;

	if (read_cdnow() != 2357)
	{
		ok(true, "CDNOW # SKIP CRM_DATA has no cdnow_summary_with_tx.csv");
		return;
	}
	for (int i = 0; i < 2357; i++)
		covariate[0][i] = i % 2;
	collapse(ctx, 2357, &btyd);
	ok(crm_paretonbd_fit(ctx, &btyd, &plain, &known) == CRM_OK, "CDNOW by Pareto/NBD");
	crm_btyd_free(ctx, &btyd);
	data = customers(2357, 1, 0);
	ok(crm_covariate_rows_make(ctx, &data, &rows) == CRM_OK, "CDNOW with a covariate");
	for (int i = 0; i < 4; i += 2)
	{
		theta[i] = log(known.fit.parameter[i]);
		theta[i + 1] = log(known.fit.parameter[i] / known.fit.parameter[i + 1]);
	}
	crm_covariates_begin(ctx, &rows, &task);
	is_near(-2357.0 * crm_covariates_loss(&task, theta, NULL), -9594.973949, 1e-4,
			"a coefficient of zero leaves BTYD's likelihood");
	crm_covariate_rows_free(ctx, &rows);
	ok(crm_covariates_fit(ctx, &data, &param, &model) == CRM_OK &&
		   model.status == CRM_FIT_CONVERGED && model.of_all.chi_squared < 6.6,
	   "a customer's position in the list says nothing: chi-square %.3f", model.of_all.chi_squared);
	is_near(model.of_all.log_likelihood, -9594.973949, 1e-4, "the model without it is BTYD's");
}

/* Draw customers of known parameters and coefficients; columns as of customers(n, 2, 1). */
static void
simulate(uint64_t seed, size_t n, const double *parameter, const double *purchase, double dropout)
{
	CrmRng rng;

	crm_rng_seed(&rng, seed, 7);
	for (size_t i = 0; i < n; i++)
	{
		double member = crm_rng_uniform(&rng) < 0.4,
			   age = floor(20.0 + 40.0 * crm_rng_uniform(&rng));
		double faster = exp(purchase[0] * member + purchase[1] * age);
		double lambda = crm_rng_gamma(&rng, parameter[0]) / parameter[1] * faster, at = 0.0;
		double mu = crm_rng_gamma(&rng, parameter[2]) / parameter[3] * exp(dropout * member);
		double ends = crm_rng_exponential(&rng) / mu;

		covariate[0][i] = covariate[3][i] = member;
		covariate[1][i] = age;
		customer_t[i] = 30.0 + floor(40.0 * crm_rng_uniform(&rng));
		customer_x[i] = customer_t_x[i] = 0.0;
		while ((at += crm_rng_exponential(&rng) / lambda) < fmin(customer_t[i], ends))
		{
			customer_x[i] += 1.0;
			customer_t_x[i] = at;
		}
	}
}

static void
test_recovery(CrmCtx *ctx)
{
	const double want[] = {0.8, 6.0, 1.2, 20.0}, purchase[] = {0.5, -0.02}, dropout = -0.6;
	const size_t n = 2500;

	for (uint64_t seed = 1; seed <= 2; seed++)
	{
		CrmCovariatesParam param = {0.0};
		CrmCovariatesModel model, other;
		CrmCovariatesData data = customers(n, 2, 1);
		double got[4];

		simulate(seed, n, want, purchase, dropout);
		ok(crm_covariates_fit(ctx, &data, &param, &model) == CRM_OK &&
			   model.status == CRM_FIT_CONVERGED,
		   "fit of seed %d", (int) seed);
		memcpy(got, &model.parameter, sizeof got);
		for (int i = 0; i < 4; i++)
			is_near(got[i], want[i], 3.0 * model.error[i], "a parameter within three errors");
		for (int j = 0; j < 2; j++)
			is_near(model.estimate[0][j], purchase[j], 3.0 * model.estimate_error[0][j],
					"an effect on purchase within three errors");
		is_near(model.estimate[1][0], dropout, 3.0 * model.estimate_error[1][0],
				"an effect on leaving within three errors");
		ok(model.of_process[0].chi_squared > 50 && model.of_process[0].df == 2 &&
			   model.of_process[1].chi_squared > 6 && model.of_process[1].df == 1 &&
			   model.of_all.chi_squared > model.of_process[0].chi_squared,
		   "tests find them: %.1f, %.1f, %.1f", model.of_process[0].chi_squared,
		   model.of_process[1].chi_squared, model.of_all.chi_squared);
		if (seed > 1)
			continue;

		/* the same customers from the last to the first; and a smaller model by itself */
		for (size_t i = 0; i < n / 2; i++)
			for (int c = 0; c < 6; c++)
			{
				double *column = c == 0   ? customer_x
								 : c == 1 ? customer_t_x
								 : c == 2 ? customer_t
										  : covariate[c == 5 ? 3 : c - 3];
				double kept = column[i];

				column[i] = column[n - 1 - i];
				column[n - 1 - i] = kept;
			}
		ok(crm_covariates_fit(ctx, &data, &param, &other) == CRM_OK &&
			   memcmp(&model, &other, sizeof model) == 0,
		   "the order of customers changes nothing");
		data = customers(n, 2, 0);
		ok(crm_covariates_fit(ctx, &data, &param, &other) == CRM_OK &&
			   isnan(other.of_process[1].chi_squared) && other.of_process[1].df == 0,
		   "covariates of one process alone");
		is_near(other.log_likelihood, model.of_process[1].log_likelihood, 1e-6,
				"are the smaller model of the test");
		is_near(other.of_process[0].chi_squared, other.of_all.chi_squared, 0,
				"and one test is the other");
		param.penalty = 0.05;
		data = customers(n, 2, 1);
		ok(crm_covariates_fit(ctx, &data, &param, &other) == CRM_OK &&
			   fabs(other.estimate[0][0]) < fabs(model.estimate[0][0]) &&
			   other.log_likelihood < model.log_likelihood && isnan(other.of_all.chi_squared),
		   "a penalty shrinks, costs likelihood, and there is no test then");
	}
}

/* a covariate of mean zero that says nothing leaves parameters and errors as Pareto/NBD has them */
static void
test_errors(CrmCtx *ctx)
{
	const double want[] = {0.8, 6.0, 1.2, 20.0}, none[] = {0.0, 0.0};
	CrmParetonbdParam plain = {0.0};
	CrmCovariatesParam param = {0.0};
	CrmParetonbdModel known;
	CrmCovariatesModel model;
	CrmCovariatesData data = customers(1500, 1, 1);
	CrmBtyd btyd;
	double got[4];

	simulate(12, 1500, want, none, 0.0);
	for (int i = 0; i < 1500; i++)
		covariate[0][i] = covariate[3][i] = i % 2 == 0 ? 1.0 : -1.0;
	collapse(ctx, 1500, &btyd);
	ok(crm_paretonbd_fit(ctx, &btyd, &plain, &known) == CRM_OK &&
		   crm_covariates_fit(ctx, &data, &param, &model) == CRM_OK &&
		   model.status == CRM_FIT_CONVERGED,
	   "a coin for a covariate");
	crm_btyd_free(ctx, &btyd);
	memcpy(got, &model.parameter, sizeof got);
	for (int i = 0; i < 4; i++)
	{
		is_close(got[i], known.fit.parameter[i], 0.05, "a parameter of Pareto/NBD");
		is_close(model.error[i] / got[i], known.fit.error[i] / known.fit.parameter[i], 0.05,
				 "and its relative error");
	}
}

static void
test_columns(CrmCtx *ctx)
{
	const double want[] = {0.8, 6.0, 1.2, 20.0}, purchase[] = {0.5, -0.02};
	CrmCovariatesParam param = {0.0};
	CrmCovariatesModel model, moved;
	CrmCovariatesData data = customers(1200, 3, 1);

	simulate(4, 1200, want, purchase, -0.6);
	for (int i = 0; i < 1200; i++)
	{
		covariate[2][i] = 3.0 * covariate[0][i] - covariate[1][i] / 7.0 + 5.0;
		covariate[3][i] = 0.1;
	}
	ok(crm_covariates_fit(ctx, &data, &param, &model) == CRM_OK &&
		   model.covariate[0][2].state == CRM_COVARIATE_COLLINEAR &&
		   model.covariate[0][1].state == CRM_COVARIATE_KEPT && isnan(model.estimate[0][2]),
	   "a combination of other columns is left out");
	ok(model.covariate[1][0].state == CRM_COVARIATE_CONSTANT && isnan(model.estimate[1][0]) &&
		   model.of_process[1].df == 0 && model.of_all.df == 2,
	   "a constant is left out");
	for (int i = 0; i < 1200; i++)
		covariate[1][i] = 1e6 + 1000.0 * covariate[1][i];
	data = customers(1200, 2, 0);
	ok(crm_covariates_fit(ctx, &data, &param, &moved) == CRM_OK, "a column in other units");
	is_near(moved.log_likelihood, model.log_likelihood, 1e-6, "has the same likelihood");
	is_close(1000.0 * moved.estimate[0][1], model.estimate[0][1], 1e-5, "and effect");
	is_close(1000.0 * moved.estimate_error[0][1], model.estimate_error[0][1], 1e-4, "and error");

	/* nobody of a group has bought again: the rate of that group runs to zero */
	for (int every = 40; every >= 3; every -= 37)
	{
		for (int i = 0; i < 1200; i++)
		{
			covariate[0][i] = i % every == 0;
			if (i % every == 0)
				customer_x[i] = customer_t_x[i] = 0.0;
		}
		data = customers(1200, 1, 0);
		ok(crm_covariates_fit(ctx, &data, &param, &model) == CRM_OK &&
			   model.status == CRM_FIT_AT_BOUND &&
			   model.covariate[0][0].state == CRM_COVARIATE_AT_BOUND && model.estimate[0][0] < -5 &&
			   isnan(model.estimate_error[0][0]) && isfinite(model.log_likelihood) &&
			   isfinite(model.error[0]),
		   "an effect without limit on one in %d ends at a bound, and says so", every);
	}
}

static void
test_edges(CrmCtx *ctx, TapContext *tap)
{
	const double coefficients[] = {0.5, NAN, -1.0}, values[] = {2.0, 7.0, 3.0};
	CrmCovariatesParam param = {0.0}, wrong = {-1.0};
	CrmCovariatesModel model;
	CrmCovariatesData data = customers(5, 1, 1);
	CrmStatus status = CRM_NO_MEMORY;
	size_t failures = 0, ends = 0;

	is_close(crm_covariates_scale(10.0, coefficients, values, 3), 10.0 * exp(2.0), 1e-15,
			 "alpha of a customer");
	is_near(crm_covariates_scale(10.0, NULL, NULL, 0), 10.0, 0, "without covariates");
	for (int i = 0; i < 5; i++)
	{
		customer_x[i] = customer_t_x[i] = i;
		customer_t[i] = 10.0;
		covariate[0][i] = covariate[3][i] = i % 2;
	}
	ok(crm_covariates_fit(ctx, &data, &param, &model) == CRM_OK &&
		   model.status == CRM_FIT_INSUFFICIENT && isnan(model.parameter.r) &&
		   isnan(model.log_likelihood),
	   "five customers tell nothing of six numbers");
	data.n = 0;
	ok(crm_covariates_fit(ctx, &data, &param, &model) == CRM_OK &&
		   model.status == CRM_FIT_INSUFFICIENT,
	   "nobody");
	ok(crm_covariates_fit(ctx, &data, &wrong, &model) == CRM_DOMAIN, "a negative penalty");
	data.n = 5;
	data.d[0] = CRM_COVARIATES_MAX;
	ok(crm_covariates_fit(ctx, &data, &param, &model) == CRM_DOMAIN, "too many columns");
	data.d[0] = 1;
	customer_t_x[3] = 11.0;
	ok(crm_covariates_fit(ctx, &data, &param, &model) == CRM_DOMAIN, "t_x after t");
	simulate(9, 400, (const double[]){0.8, 6.0, 1.2, 20.0}, (const double[]){0.5, -0.02}, -0.6);
	data = customers(400, 2, 1);
	/* each allocation fails in turn, until there is none left to fail */
	for (size_t fail = 1; status == CRM_NO_MEMORY; fail++)
	{
		tap->allocations = 0;
		tap->fail_at = fail;
		status = crm_covariates_fit(ctx, &data, &param, &model);
		failures += status == CRM_NO_MEMORY && tap->live == 0;
		ends = fail;
	}
	ok(status == CRM_OK && failures == ends - 1 && failures > 10, "%zu allocations fail", failures);
	tap->fail_at = 0;
	tap->polls = 0;
	tap->abort_at = 40;
	ok(crm_covariates_fit(ctx, &data, &param, &model) == CRM_ABORTED && tap->live == 0,
	   "a poll stops the fit");
	tap->abort_at = 0;
}

int
main(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);

	test_apparel(ctx);
	test_cdnow(ctx);
	test_recovery(ctx);
	test_errors(ctx);
	test_columns(ctx);
	test_edges(ctx, &tap);
	is_clean(&tap, "Pareto/NBD with covariates");
	return tap_done();
}
