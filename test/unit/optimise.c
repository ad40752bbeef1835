/*
 * optimise.c: unit tests of base/optimise: a valley, a bound, a function without a useful gradient,
 * a poll that stops the search.
 */
#include "kernel/base/optimise.h"
#include "tap.h"

/* Rosenbrock 1960, least at (1, 1). */
static double
valley(void *user, const double *x, double *gradient)
{
	double a = 1.0 - x[0], b = x[1] - x[0] * x[0];

	(void) user;
	if (gradient != NULL)
	{
		gradient[0] = -2.0 * a - 400.0 * x[0] * b;
		gradient[1] = 200.0 * b;
	}
	return a * a + 100.0 * b * b;
}

/* The same with a gradient that is no number. */
static double
blind(void *user, const double *x, double *gradient)
{
	double value = valley(user, x, gradient);

	if (gradient != NULL)
		gradient[0] = NAN;
	return value;
}

/* A start near the floor and a Hessian from elsewhere, a good one and one that is not. */
static void
test_near(CrmCtx *ctx)
{
	static const double lower[] = {-3.0, -3.0}, upper[] = {3.0, 3.0}, start[] = {1.001, 1.002};
	static const double good[] = {802.0, -400.0, -400.0, 200.0}, bad[] = {1.0, 0.0, 0.0, 1.0};
	CrmOptimiseParam param = {2, lower, upper, start, 1, 1e-8, 2000, good};
	CrmOptimum best;

	ok(crm_minimise(ctx, valley, NULL, &param, &best) == CRM_OK, "from near, by a Hessian");
	is_near(best.x[1], 1.0, 1e-8, "the same floor");
	ok(best.evaluations < 20 && !best.fallback, "at once: %d evaluations", best.evaluations);
	param.hessian = bad;
	ok(crm_minimise(ctx, valley, NULL, &param, &best) == CRM_OK, "a bad Hessian is made anew");
	is_near(best.x[1], 1.0, 1e-8, "and leads to the same floor");
}

int
main(void)
{
	static const double lower[] = {-3.0, -3.0}, upper[] = {3.0, 3.0}, low[] = {1.5, -3.0};
	static const double starts[] = {-1.2, 1.0, 2.0, NAN};
	CrmOptimiseParam param = {2, lower, upper, starts, 2, 1e-8, 2000, NULL};
	CrmOptimum best;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	double hessian[4], covariance[4], at[] = {1.0, 1.0};
	bool fixed[] = {false, true};

	ok(crm_minimise(ctx, valley, NULL, &param, &best) == CRM_OK, "the valley's floor is found");
	is_near(best.x[0], 1.0, 1e-8, "x");
	is_near(best.x[1], 1.0, 1e-8, "y");
	param.lower = low;
	ok(crm_minimise(ctx, valley, NULL, &param, &best) == CRM_AT_BOUND, "a bound is told");
	is_near(best.x[0], 1.5, 1e-12, "x at its bound");
	is_near(best.x[1], 2.25, 1e-7, "y beside it");
	param.lower = lower;
	ok(crm_minimise(ctx, blind, NULL, &param, &best) == CRM_NOT_CONVERGED || best.fallback,
	   "without a gradient it does not claim to have converged by it");
	ok(crm_hessian(ctx, valley, NULL, 2, at, lower, upper, hessian) == CRM_OK, "Hessian");
	is_near(hessian[0], 802.0, 1e-4, "of x x");
	is_near(hessian[1], -400.0, 1e-4, "of x y");
	ok(crm_covariance(hessian, 2, NULL, covariance) == CRM_OK, "its inverse");
	is_close(covariance[0], 200.0 / (802.0 * 200.0 - 160000.0), 1e-5, "variance");
	ok(crm_covariance(hessian, 2, fixed, covariance) == CRM_OK && covariance[3] == 0.0, "fixed");
	is_close(covariance[0], 1.0 / 802.0, 1e-6, "variance beside a fixed one");
	test_near(ctx);
	for (size_t poll = 1; poll < 60; poll += 7)
	{
		tap.polls = 0;
		tap.abort_at = poll;
		ok(crm_minimise(ctx, valley, NULL, &param, &best) == CRM_ABORTED, "poll %zu aborts", poll);
	}
	tap.abort_at = 0;
	param.n = 0;
	ok(crm_minimise(ctx, valley, NULL, &param, &best) == CRM_DOMAIN, "no variable");
	return tap_done();
}
