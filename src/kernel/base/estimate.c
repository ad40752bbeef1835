/*
 * estimate.c: estimates by maximum likelihood; see estimate.h.
 */
#include "kernel/base/estimate.h"

#include <math.h>

#include "kernel/base/optimise.h"

#define TOLERANCE       1e-6
#define MAX_EVALUATIONS 500

/* A logarithm that is known to within a standard error of 5, a factor of 150, is not known. */
#define LARGEST_VARIANCE 25.0

typedef struct Problem
{
	CrmLogLikelihood f;
	void *user;
	const CrmEstimateParam *param;
} Problem;

/* Give what is minimised at the logarithms x, with its gradient by them unless that is NULL. */
static double
objective(void *user, const double *x, double *gradient)
{
	const Problem *problem = user;
	double theta[CRM_ESTIMATE_MAX] = {0.0}, slope[CRM_ESTIMATE_MAX] = {0.0};
	double value;
	int n = problem->param->n;

	for (int i = 0; i < n; i++)
		theta[i] = exp(x[i]);
	value = -problem->f(problem->user, theta, slope) / problem->param->rows;
	for (int i = 0; i < n; i++)
	{
		value += problem->param->penalty * x[i] * x[i];
		if (gradient != NULL)
			gradient[i] = -slope[i] * theta[i] / problem->param->rows +
						  2.0 * problem->param->penalty * x[i];
	}
	return value;
}

/* Fill in the covariance of the logarithms x at the estimate. */
static CrmStatus
find_covariance(CrmCtx *ctx, Problem *problem, const double *x, const double *low,
				const double *high, CrmEstimate *estimate)
{
	double hessian[CRM_ESTIMATE_MAX * CRM_ESTIMATE_MAX];
	bool fixed[CRM_ESTIMATE_MAX];
	int n = estimate->n;
	CrmEstimateParam bare = *problem->param;
	CrmStatus status;

	bare.penalty = 0.0;
	problem->param = &bare;
	status = crm_hessian(ctx, objective, problem, n, x, low, high, hessian);
	if (status != CRM_OK)
		return status;
	for (int i = 0; i < n * n; i++)
		hessian[i] *= bare.rows;
	for (int i = 0; i < n; i++)
		fixed[i] = x[i] <= low[i] + 1e-6 || x[i] >= high[i] - 1e-6;
	status = crm_covariance(hessian, n, fixed, estimate->covariance);
	if (status != CRM_OK && status != CRM_SINGULAR)
		return status;
	for (int i = 0; i < n && status == CRM_OK; i++)
		if (!(estimate->covariance[i * n + i] <= LARGEST_VARIANCE))
			status = CRM_SINGULAR;
	for (int i = 0; i < n * n && status == CRM_SINGULAR; i++)
		estimate->covariance[i] = NAN;
	if (status == CRM_SINGULAR && estimate->status == CRM_OK)
		estimate->status = CRM_AT_BOUND;
	return CRM_OK;
}

/*
 * Estimate the parameters. CRM_OK with an estimate, whose own status tells whether it converged;
 * CRM_DOMAIN for a param out of range; CRM_NO_MEMORY; CRM_ABORTED.
 */
CrmStatus
crm_estimate(CrmCtx *ctx, CrmLogLikelihood f, void *user, const CrmEstimateParam *param,
			 CrmEstimate *estimate)
{
	Problem problem = {.f = f, .user = user, .param = param};
	double low[CRM_ESTIMATE_MAX], high[CRM_ESTIMATE_MAX], slope[CRM_ESTIMATE_MAX];
	CrmOptimum optimum;
	CrmOptimiseParam search = {.n = param->n,
							   .lower = low,
							   .upper = high,
							   .n_starts = param->n_starts,
							   .tolerance = TOLERANCE,
							   .max_evaluations = MAX_EVALUATIONS};
	size_t values = (size_t) param->n * (size_t) param->n_starts;
	double *starts;

	if (param->n < 1 || param->n > CRM_ESTIMATE_MAX || param->n_starts < 1 || !(param->rows > 0) ||
		!(param->penalty >= 0))
		return CRM_DOMAIN;
	starts = crm_allocate(ctx, values, sizeof(double));
	if (starts == NULL)
		return ctx->failure;
	for (size_t i = 0; i < values; i++)
		starts[i] = log(param->starts[i]);
	for (int i = 0; i < param->n; i++)
	{
		low[i] = log(CRM_ESTIMATE_LOW);
		high[i] = log(CRM_ESTIMATE_HIGH);
	}
	search.starts = starts;
	estimate->status = crm_minimise(ctx, objective, &problem, &search, &optimum);
	crm_release(ctx, starts, values, sizeof(double));
	if (estimate->status != CRM_OK && estimate->status != CRM_AT_BOUND &&
		estimate->status != CRM_NOT_CONVERGED)
		return estimate->status;
	estimate->n = param->n;
	for (int i = 0; i < param->n; i++)
		estimate->theta[i] = exp(optimum.x[i]);
	estimate->log_likelihood = f(user, estimate->theta, slope);
	estimate->gradient_norm = optimum.gradient_norm;
	estimate->iterations = optimum.iterations;
	estimate->fallback = optimum.fallback;
	return find_covariance(ctx, &problem, optimum.x, low, high, estimate);
}
