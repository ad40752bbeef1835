/*
 * optimise.c: L-BFGS, Newton's polish and Subplex between bounds; see optimise.h.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include <nlopt.h>

#include "kernel/base/dense.h"
#include "kernel/base/optimise.h"

#define HUGE_VALUE 1e300  /* what a value that is no number counts as */
#define STEP       6.1e-6 /* of the differences: the cube root of DBL_EPSILON */
#define POLISHES   20
#define KEEP       0.3 /* a Hessian that brings the gradient down by as much serves again */
#define MEMORY     8   /* pairs that L-BFGS keeps */

/* A search under way: the function, and the best point it was asked for. */
typedef struct Search
{
	CrmCtx *ctx;
	CrmObjective f;
	void *user;
	const CrmOptimiseParam *param;
	nlopt_opt library; /* NULL outside of NLopt */
	int evaluations;
	double best;
	double x[CRM_OPTIMISE_MAX];
} Search;

/* Give f(x) as a finite number, remember the best, and stop the library when a poll is due. */
static double
evaluate(Search *search, const double *x, double *gradient)
{
	int n = search->param->n;
	double value;
	bool finite;

	if (crm_pending(search->ctx))
	{
		if (search->library != NULL)
			nlopt_force_stop(search->library);
		if (gradient != NULL)
			memset(gradient, 0, (size_t) n * sizeof *gradient);
		return HUGE_VALUE;
	}
	search->evaluations++;
	value = search->f(search->user, x, gradient);
	finite = isfinite(value);
	for (int i = 0; gradient != NULL && i < n; i++)
		finite = finite && isfinite(gradient[i]);
	if (!finite)
	{
		if (gradient != NULL)
			memset(gradient, 0, (size_t) n * sizeof *gradient);
		return HUGE_VALUE;
	}
	if (value < search->best && !crm_pending(search->ctx))
	{
		search->best = value;
		memcpy(search->x, x, (size_t) n * sizeof *x);
	}
	return value;
}

/* The same as NLopt calls it. */
static double
evaluate_for_library(unsigned n, const double *x, double *gradient, void *search)
{
	(void) n;
	return evaluate(search, x, gradient);
}

/*
 * Let a method of NLopt search on from the best point; a search that a pending poll has stopped
 * goes on from there if the poll returns. The library has no memory of ours left afterwards.
 */
static CrmStatus
run_library(Search *search, nlopt_algorithm algorithm)
{
	const CrmOptimiseParam *param = search->param;
	int budget = search->evaluations + param->max_evaluations;
	nlopt_result result;

	do
	{
		double x[CRM_OPTIMISE_MAX], value;
		nlopt_opt library = nlopt_create(algorithm, (unsigned) param->n);

		if (library == NULL)
			return CRM_NO_MEMORY;
		memcpy(x, search->x, sizeof x);
		search->library = library;
		if (nlopt_set_lower_bounds(library, param->lower) < 0 ||
			nlopt_set_upper_bounds(library, param->upper) < 0 ||
			nlopt_set_min_objective(library, evaluate_for_library, search) < 0 ||
			nlopt_set_maxeval(library, budget - search->evaluations) < 0)
		{
			nlopt_destroy(library);
			search->library = NULL;
			return CRM_NO_MEMORY;
		}
		nlopt_set_vector_storage(library, MEMORY);
		nlopt_set_ftol_rel(library, 1e-11);
		nlopt_set_xtol_rel(library, 1e-6);
		result = nlopt_optimize(library, x, &value);
		nlopt_destroy(library);
		search->library = NULL;
		if (crm_poll(search->ctx))
			return CRM_ABORTED;
		if (result == NLOPT_OUT_OF_MEMORY)
			return CRM_NO_MEMORY;
	} while (result == NLOPT_FORCED_STOP && search->evaluations < budget);
	return CRM_OK;
}

/* Tell whether a variable stands at a bound and the gradient pushes it outwards. */
static bool
is_held(const CrmOptimiseParam *param, const double *x, const double *gradient, int i)
{
	double reach = 1e-9 * (param->upper[i] - param->lower[i]);

	return (x[i] <= param->lower[i] + reach && gradient[i] >= 0.0) ||
		   (x[i] >= param->upper[i] - reach && gradient[i] <= 0.0);
}

/* Give the largest part of the projected gradient. */
static double
projected_norm(const CrmOptimiseParam *param, const double *x, const double *gradient)
{
	double norm = 0.0;

	for (int i = 0; i < param->n; i++)
		if (!is_held(param, x, gradient, i))
			norm = fmax(norm, fabs(gradient[i]));
	return norm;
}

/* Give f with its gradient; a poll that is due is made, and then the function is asked again. */
static CrmStatus
ask(Search *search, const double *x, double *value, double *gradient)
{
	do
	{
		if (crm_poll(search->ctx))
			return CRM_ABORTED;
		*value = evaluate(search, x, gradient);
	} while (crm_pending(search->ctx));
	return CRM_OK;
}

/*
 * Give the Hessian at x from central differences of the gradient, kept between the bounds and made
 * symmetric. CRM_ABORTED by the poll.
 */
static CrmStatus
differences(Search *search, const double *x, double *hessian)
{
	const CrmOptimiseParam *param = search->param;
	int n = param->n;

	for (int i = 0; i < n; i++)
	{
		double up[CRM_OPTIMISE_MAX], down[CRM_OPTIMISE_MAX];
		double high[CRM_OPTIMISE_MAX], low[CRM_OPTIMISE_MAX];
		double step = STEP * fmax(1.0, fabs(x[i])), value;
		CrmStatus status;

		memcpy(up, x, (size_t) n * sizeof *x);
		memcpy(down, x, (size_t) n * sizeof *x);
		up[i] = fmin(x[i] + step, param->upper[i]);
		down[i] = fmax(x[i] - step, param->lower[i]);
		if ((status = ask(search, up, &value, high)) != CRM_OK ||
			(status = ask(search, down, &value, low)) != CRM_OK)
			return status;
		for (int j = 0; j < n; j++)
			hessian[i * n + j] = (high[j] - low[j]) / (up[i] - down[i]);
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			hessian[i * n + j] = hessian[j * n + i] =
				0.5 * (hessian[i * n + j] + hessian[j * n + i]);
	return CRM_OK;
}

/*
 * Solve (H + lambda I) d = -g for the variables that no bound holds; false when that matrix is not
 * positive definite.
 */
static bool
newton_step(const CrmOptimiseParam *param, const double *x, const double *hessian,
			const double *gradient, double lambda, double *step)
{
	double matrix[CRM_OPTIMISE_MAX * CRM_OPTIMISE_MAX], rest[CRM_OPTIMISE_MAX];
	int open[CRM_OPTIMISE_MAX], n_open = 0, n = param->n;

	for (int i = 0; i < n; i++)
		if (!is_held(param, x, gradient, i))
			open[n_open++] = i;
	for (int i = 0; i < n_open; i++)
	{
		for (int j = 0; j < n_open; j++)
			matrix[i * n_open + j] = hessian[open[i] * n + open[j]];
		matrix[i * n_open + i] += lambda;
		rest[i] = -gradient[open[i]];
	}
	if (n_open == 0 || crm_cholesky(matrix, n_open, 1e-14, NULL) != CRM_OK)
		return false;
	crm_cholesky_solve(matrix, n_open, NULL, rest);
	memset(step, 0, (size_t) n * sizeof *step);
	for (int i = 0; i < n_open; i++)
		step[open[i]] = rest[i];
	return true;
}

/* Bring a point between the bounds; what is no number goes to their middle. */
static void
clamp(const CrmOptimiseParam *param, double *x)
{
	for (int i = 0; i < param->n; i++)
	{
		if (isnan(x[i]))
			x[i] = 0.5 * (param->lower[i] + param->upper[i]);
		x[i] = fmin(fmax(x[i], param->lower[i]), param->upper[i]);
	}
}

/*
 * Improve the best point by damped Newton steps (Levenberg's lambda) while they bring the gradient
 * or the value down; give the norm of the gradient that remains. given is a Hessian to begin with,
 * or NULL.
 */
static CrmStatus
polish(Search *search, const double *given, double *norm)
{
	const CrmOptimiseParam *param = search->param;
	int n = param->n;
	double x[CRM_OPTIMISE_MAX], gradient[CRM_OPTIMISE_MAX], step[CRM_OPTIMISE_MAX];
	double hessian[CRM_OPTIMISE_MAX * CRM_OPTIMISE_MAX];
	double value, lambda = 0.0;
	bool stale = given == NULL, here = false; /* the Hessian is to be made anew; it is that at x */
	CrmStatus status;

	if (given != NULL)
		memcpy(hessian, given, (size_t) (n * n) * sizeof *hessian);
	memcpy(x, search->x, sizeof x);
	if ((status = ask(search, x, &value, gradient)) != CRM_OK)
		return status;
	*norm = projected_norm(param, x, gradient);
	for (int round = 0; round < POLISHES && 0.01 * param->tolerance < *norm; round++)
	{
		double next[CRM_OPTIMISE_MAX], next_gradient[CRM_OPTIMISE_MAX], next_value, next_norm;

		if (stale && (status = differences(search, x, hessian)) != CRM_OK)
			return status;
		here |= stale;
		stale = false;
		if (newton_step(param, x, hessian, gradient, lambda, step))
		{
			for (int i = 0; i < n; i++)
				next[i] = x[i] + fmin(fmax(step[i], -2.0), 2.0);
			clamp(param, next);
			if ((status = ask(search, next, &next_value, next_gradient)) != CRM_OK)
				return status;
			next_norm = projected_norm(param, next, next_gradient);
			if (next_value < value ||
				(next_norm < *norm && next_value <= value + 1e-13 * fabs(value)))
			{
				bool small = next_norm > 0.5 * *norm && value - next_value < 1e-14 * fabs(value);

				stale = next_norm > KEEP * *norm;

				memcpy(x, next, sizeof x);
				memcpy(gradient, next_gradient, sizeof gradient);
				value = next_value;
				*norm = next_norm;
				here = false;
				lambda *= 0.1;
				if (small)
					break;
				continue;
			}
		}
		if (here)
			lambda = fmax(10.0 * lambda, 1e-4);
		else
			stale = true;
	}
	search->best = value;
	memcpy(search->x, x, sizeof x);
	return CRM_OK;
}

/* Begin a search at a start; false when the function is no number there. */
static CrmStatus
begin(Search *search, const double *start)
{
	const CrmOptimiseParam *param = search->param;
	double x[CRM_OPTIMISE_MAX], value;

	memset(x, 0, sizeof x);
	memcpy(x, start, (size_t) param->n * sizeof *start);
	clamp(param, x);
	memcpy(search->x, x, sizeof x);
	search->best = HUGE_VALUE;
	return ask(search, x, &value, NULL);
}

/* Keep what a search has found in the optimum if it is better. */
static void
keep(const Search *search, int evaluations, CrmOptimum *optimum)
{
	if (optimum->evaluations == 0 || search->best < optimum->value)
	{
		memcpy(optimum->x, search->x, sizeof optimum->x);
		optimum->value = search->best;
		optimum->iterations = search->evaluations - evaluations;
	}
	optimum->evaluations = search->evaluations;
}

/*
 * Polish the best point of all searches; where that does not do, search on from there, first by the
 * gradient unless that has been done, then without it.
 */
static CrmStatus
finish(Search *search, CrmOptimum *optimum)
{
	const CrmOptimiseParam *param = search->param;
	int before = search->evaluations;
	double *norm = &optimum->gradient_norm;
	CrmStatus status;

	memcpy(search->x, optimum->x, sizeof search->x);
	search->best = optimum->value;
	status = polish(search, param->hessian, norm);
	if (status == CRM_OK && *norm > param->tolerance && param->hessian != NULL &&
		(status = run_library(search, NLOPT_LD_LBFGS)) == CRM_OK)
		status = polish(search, NULL, norm);
	if (status == CRM_OK && *norm > param->tolerance)
	{
		optimum->fallback = true;
		if ((status = run_library(search, NLOPT_LN_SBPLX)) == CRM_OK)
			status = polish(search, NULL, norm);
	}
	if (status != CRM_OK)
		return status;
	memcpy(optimum->x, search->x, sizeof optimum->x);
	optimum->value = search->best;
	optimum->iterations += search->evaluations - before;
	optimum->evaluations = search->evaluations;
	for (int i = 0; i < param->n; i++)
	{
		double reach = 1e-9 * (param->upper[i] - param->lower[i]);

		if (search->x[i] <= param->lower[i] + reach || search->x[i] >= param->upper[i] - reach)
			optimum->at_bound = true;
	}
	if (!(optimum->value < HUGE_VALUE) || *norm > param->tolerance)
		return CRM_NOT_CONVERGED;
	return optimum->at_bound ? CRM_AT_BOUND : CRM_OK;
}

/*
 * Minimise f from the starts of param; the caller's optimum takes the best point found.
 * CRM_OK: converged inside the bounds. CRM_AT_BOUND: converged, a variable at a bound.
 * CRM_NOT_CONVERGED: the gradient is still above the tolerance; the point is usable. CRM_DOMAIN:
 * a param out of range. CRM_NO_MEMORY: the library has none. CRM_ABORTED: by the poll.
 */
CrmStatus
crm_minimise(CrmCtx *ctx, CrmObjective f, void *user, const CrmOptimiseParam *param,
			 CrmOptimum *optimum)
{
	Search search = {.ctx = ctx, .f = f, .user = user, .param = param};

	memset(optimum, 0, sizeof *optimum);
	if (param->n < 1 || param->n > CRM_OPTIMISE_MAX || param->n_starts < 1 ||
		param->max_evaluations < 1 || !(param->tolerance > 0.0))
		return CRM_DOMAIN;
	for (int i = 0; i < param->n; i++)
		if (!(param->lower[i] < param->upper[i]))
			return CRM_DOMAIN;

	for (int s = 0; s < param->n_starts; s++)
	{
		int before = search.evaluations;
		CrmStatus status = begin(&search, param->starts + (size_t) s * param->n);

		if (status == CRM_OK && param->hessian == NULL)
			status = run_library(&search, NLOPT_LD_LBFGS);
		if (status != CRM_OK)
			return status;
		keep(&search, before, optimum);
	}
	return finish(&search, optimum);
}

/*
 * Give the Hessian of f at x, n rows of n, from central differences of the gradient between the
 * bounds. CRM_DOMAIN: n out of range; CRM_ABORTED: by the poll.
 */
CrmStatus
crm_hessian(CrmCtx *ctx, CrmObjective f, void *user, int n, const double *x, const double *lower,
			const double *upper, double *hessian)
{
	CrmOptimiseParam param = {.n = n, .lower = lower, .upper = upper};
	Search search = {.ctx = ctx, .f = f, .user = user, .param = &param, .best = -INFINITY};

	if (n < 1 || n > CRM_OPTIMISE_MAX)
		return CRM_DOMAIN;
	return differences(&search, x, hessian);
}

/*
 * Give the covariance of estimates, n rows of n, the inverse of a Hessian of the negative
 * log-likelihood; rows and columns of variables that fixed flags (it may be NULL) are zero.
 * CRM_SINGULAR: the rest is not positive definite, and the covariance is all NaN.
 */
CrmStatus
crm_covariance(const double *hessian, int n, const bool *fixed, double *covariance)
{
	double matrix[CRM_OPTIMISE_MAX * CRM_OPTIMISE_MAX];
	double inverse[CRM_OPTIMISE_MAX * CRM_OPTIMISE_MAX];
	int open[CRM_OPTIMISE_MAX], n_open = 0;

	for (int i = 0; i < n; i++)
		if (fixed == NULL || !fixed[i])
			open[n_open++] = i;
	for (int i = 0; i < n_open; i++)
		for (int j = 0; j < n_open; j++)
			matrix[i * n_open + j] = hessian[open[i] * n + open[j]];
	for (int i = 0; i < n * n; i++)
		covariance[i] = 0.0;
	if (n_open == 0)
		return CRM_OK;
	if (crm_cholesky(matrix, n_open, 1e-12, NULL) != CRM_OK)
	{
		for (int i = 0; i < n * n; i++)
			covariance[i] = NAN;
		return CRM_SINGULAR;
	}
	crm_cholesky_inverse(matrix, n_open, NULL, inverse);
	for (int i = 0; i < n_open; i++)
		for (int j = 0; j < n_open; j++)
			covariance[open[i] * n + open[j]] = inverse[i * n_open + j];
	return CRM_OK;
}
