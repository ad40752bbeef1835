/*
 * gammagamma.c: unit tests of the kernel of Gamma-Gamma: CDNOW (scipy, BTYD and the published 6.25
 * 3.74 15.44 agree), gradient, recovery, poor data.
 */
#include "kernel/gammagamma.h"
#include "cohort.h"

typedef struct Point
{
	CrmCtx *ctx;
	const CrmBtyd *rows;
} Point;

static double
value_at(void *user, const double *theta, double *gradient)
{
	const Point *point = user;
	CrmGammaGamma at = {theta[0], theta[1], theta[2]};
	double value = NAN;

	(void) crm_gammagamma_log_likelihood(point->ctx, point->rows, &at, &value, gradient);
	return value;
}

static void
collapse_means(CrmCtx *ctx, size_t n, CrmBtyd *rows)
{
	CrmGammaGammaData data = {customer_x, customer_mean, NULL, n};

	ok(crm_gammagamma_collapse(ctx, &data, rows) == CRM_OK, "%zu customers collapse", n);
}

static void
test_cdnow(CrmCtx *ctx)
{
	CrmGammaGammaParam param;
	CrmGammaGammaModel model;
	CrmBtyd rows;
	size_t n = 0, all = read_cdnow();

	if (all != 2357)
	{
		ok(true, "fit of CDNOW # SKIP CRM_DATA has no cdnow_summary_with_tx.csv");
		return;
	}
	for (size_t i = 0; i < all; i++)
		if (customer_x[i] > 0.0)
		{
			customer_x[n] = customer_x[i];
			customer_mean[n++] = customer_mean[i];
		}
	collapse_means(ctx, n, &rows);
	crm_gammagamma_defaults(&param);
	ok(crm_gammagamma_fit(ctx, &rows, &param, &model) == CRM_OK, "CDNOW");
	is_close(model.parameter.p, 6.248802, 1e-6, "p");
	is_close(model.parameter.q, 3.744589, 1e-6, "q");
	is_close(model.parameter.v, 15.447750, 1e-6, "v");
	is_near(model.fit.log_likelihood, -4055.9232435, 1e-6, "log-likelihood");
	is_near(crm_gammagamma_expected_value(&model.parameter, 2, 22.35), 24.658616, 1e-5, "1st mean");
	is_near(crm_gammagamma_expected_value(&model.parameter, 0, 0), 35.171003, 1e-5, "a new one");
	crm_btyd_free(ctx, &rows);
}

static void
test_recovery(CrmCtx *ctx)
{
	const double want[] = {4.0, 3.0, 20.0};

	for (uint64_t seed = 1; seed <= 3; seed++)
	{
		CrmGammaGammaParam param = {0.0};
		CrmGammaGammaModel model;
		CrmBtyd rows;
		Point point = {ctx, &rows};
		CrmRng rng;

		crm_rng_seed(&rng, seed, 3);
		for (size_t i = 0; i < 8000; i++)
		{
			double nu = crm_rng_gamma(&rng, want[1]) / want[2];

			customer_x[i] = 1.0 + floor(6.0 * crm_rng_uniform(&rng));
			customer_mean[i] = crm_rng_gamma(&rng, want[0] * customer_x[i]) / nu / customer_x[i];
		}
		collapse_means(ctx, 8000, &rows);
		ok(crm_gammagamma_fit(ctx, &rows, &param, &model) == CRM_OK &&
			   model.fit.status == CRM_FIT_CONVERGED,
		   "fit of seed %d", (int) seed);
		for (int i = 0; i < 3; i++)
			is_near(model.fit.parameter[i], want[i], 3.0 * model.fit.error[i],
					"within three standard errors");
		is_gradient(value_at, &point, 3, want, "at the truth");
		crm_btyd_free(ctx, &rows);
	}
}

static void
test_poor(CrmCtx *ctx)
{
	for (int kind = 0; kind < 3; kind++)
	{
		CrmGammaGammaParam param = {0.0};
		CrmGammaGammaModel model;
		CrmBtyd rows;

		for (size_t i = 0; i < 50; i++)
		{
			customer_x[i] = kind == 2 ? 100000.0 : 1.0;
			customer_mean[i] = kind == 2 ? 1e9 : 10.0;
		}
		collapse_means(ctx, kind == 0 ? 1 : 50, &rows);
		ok(crm_gammagamma_fit(ctx, &rows, &param, &model) == CRM_OK &&
			   model.fit.status == CRM_FIT_INSUFFICIENT,
		   "poor data %d are insufficient", kind);
		ok(model.parameter.q > 1.0 &&
			   crm_gammagamma_expected_value(&model.parameter, 3, 5.0) > 0.0 &&
			   isfinite(crm_gammagamma_expected_value(&model.parameter, 0, 0)),
		   "poor data %d give a usable model", kind);
		crm_btyd_free(ctx, &rows);
	}
}

int
main(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);

	test_cdnow(ctx);
	test_recovery(ctx);
	test_poor(ctx);
	ok(crm_gammagamma_check_row(1.0, 0.0) != NULL, "a mean of 0 is refused");
	is_clean(&tap, "Gamma-Gamma");
	return tap_done();
}
