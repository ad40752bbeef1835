/*
 * paretonbd.c: unit tests of the fit of Pareto/NBD: likelihoods of mpmath (hyp2f1, 30 digits, as
 * in Fader and Hardie 2005, note 009), CDNOW (BTYD, lifetimes), recovery of known parameters.
 */
#include "kernel/paretonbd.h"
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
	CrmParetonbd at = {exp(theta[0]), exp(theta[1]), exp(theta[2]), exp(theta[3])};
	double value = NAN;

	(void) crm_paretonbd_log_likelihood(point->ctx, point->rows, &at, &value, gradient);
	return value;
}

static void
test_likelihood(CrmCtx *ctx)
{
	static const double want[][5] = {
		{10.5, 2, 30.43, 38.86, -9.5558715413361078},
		{10.5, 0, 0, 38.86, -0.52049439380915609},
		{10.5, 26, 30.86, 31.0, -39.095355945201329},
		{10.5, 133, 200, 200, -196.77812394105982},
		{10.5, 1000, 900, 903, -913.81030541854798},
		{11.5, 2, 30.43, 38.86, -9.5971720951473104},
		{11.5, 0, 0, 38.86, -0.48245307795038035},
		{11.5, 26, 30.86, 31.0, -39.717743146999245},
		{11.5, 1000, 900.0, 903.0, -914.90891498793547},
	};

	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
	{
		const double theta[] = {log(0.55), log(want[i][0]), log(0.6), log(22.0 - want[i][0])};
		CrmBtyd rows;
		Point point = {ctx, &rows};

		customer_x[0] = want[i][1];
		customer_t_x[0] = want[i][2];
		customer_t[0] = want[i][3];
		collapse(ctx, 1, &rows);
		is_close(value_at(&point, theta, NULL), want[i][4], 1e-11, "log-likelihood of a customer");
		is_gradient(value_at, &point, 4, theta, "a customer");
		crm_btyd_free(ctx, &rows);
	}
}

static void
test_cdnow(CrmCtx *ctx)
{
	CrmParetonbdParam param = {0.0};
	CrmParetonbdModel model;
	CrmBtyd rows;

	if (read_cdnow() != 2357)
	{
		ok(true, "fit of CDNOW # SKIP CRM_DATA has no cdnow_summary_with_tx.csv");
		return;
	}
	collapse(ctx, 2357, &rows);
	ok(crm_paretonbd_fit(ctx, &rows, &param, &model) == CRM_OK, "CDNOW");
	is_close(model.parameter.r, 0.55333, 3e-4, "r");
	is_close(model.parameter.alpha, 10.5790, 3e-4, "alpha");
	is_close(model.parameter.s, 0.60612, 5e-4, "s");
	is_close(model.parameter.beta, 11.662, 1e-3, "beta");
	ok(model.fit.log_likelihood > -9594.973949, "log-likelihood %.7f, BTYD's is -9594.973949",
	   model.fit.log_likelihood);
	crm_btyd_free(ctx, &rows);
}

static void
test_recovery(CrmCtx *ctx)
{
	const double want[] = {0.8, 6.0, 1.2, 20.0};

	for (uint64_t seed = 1; seed <= 2; seed++)
	{
		CrmParetonbdParam param = {0.0};
		CrmParetonbdModel model;
		CrmBtyd rows;
		CrmRng rng;

		crm_rng_seed(&rng, seed, 5);
		for (size_t i = 0; i < 3000; i++)
		{
			double lambda = crm_rng_gamma(&rng, want[0]) / want[1], at = 0.0;
			double ends = crm_rng_exponential(&rng) * want[3] / crm_rng_gamma(&rng, want[2]);

			customer_t[i] = 30.0 + floor(40.0 * crm_rng_uniform(&rng));
			customer_x[i] = customer_t_x[i] = 0.0;
			while ((at += crm_rng_exponential(&rng) / lambda) < fmin(customer_t[i], ends))
			{
				customer_x[i] += 1.0;
				customer_t_x[i] = at;
			}
		}
		collapse(ctx, 3000, &rows);
		ok(crm_paretonbd_fit(ctx, &rows, &param, &model) == CRM_OK &&
			   model.fit.status == CRM_FIT_CONVERGED,
		   "fit of seed %d", (int) seed);
		for (int i = 0; i < 4; i++)
			is_near(model.fit.parameter[i], want[i], 3.0 * model.fit.error[i],
					"within three standard errors");
		crm_btyd_free(ctx, &rows);
	}
}

/*
 * Few customers, on whom the likelihood often grows as s and beta run to infinity (they all leave
 * at the same rate) or r and alpha do: a fit ends at a bound then, with its derivatives'
 * digits kept.
 */
static void
test_runaway(CrmCtx *ctx)
{
	CrmParetonbdParam param;
	CrmParetonbdModel model;
	int bounds = 0;

	crm_paretonbd_defaults(&param);
	for (uint64_t seed = 0; seed < 30; seed++)
	{
		CrmBtyd rows;
		CrmRng rng;

		crm_rng_seed(&rng, seed, 9);
		for (size_t i = 0; i < 200; i++)
		{
			double lambda = crm_rng_gamma(&rng, 0.55) / 10.6, at = 0.0, ends;

			ends = crm_rng_exponential(&rng) * 11.7 / crm_rng_gamma(&rng, 0.61);
			customer_t[i] = 27.0 + 12.0 * crm_rng_uniform(&rng);
			customer_x[i] = customer_t_x[i] = 0.0;
			while ((at += crm_rng_exponential(&rng) / lambda) < fmin(customer_t[i], ends))
			{
				customer_x[i] += 1.0;
				customer_t_x[i] = at;
			}
		}
		collapse(ctx, 200, &rows);
		ok(crm_paretonbd_fit(ctx, &rows, &param, &model) == CRM_OK &&
			   (model.fit.status == CRM_FIT_CONVERGED || model.fit.status == CRM_FIT_AT_BOUND),
		   "seed %d: %s, gradient %g", (int) seed, crm_fit_status_word(model.fit.status),
		   model.fit.gradient_norm);
		bounds += model.fit.status == CRM_FIT_AT_BOUND;
		crm_btyd_free(ctx, &rows);
	}
	ok(bounds > 3, "%d of 30 ran away", bounds);
}

int
main(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);

	test_likelihood(ctx);
	test_cdnow(ctx);
	test_recovery(ctx);
	test_runaway(ctx);
	is_clean(&tap, "Pareto/NBD");
	return tap_done();
}
