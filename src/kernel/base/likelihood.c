/*
 * likelihood.c: penalised maximum likelihood over logarithms of parameters; see likelihood.h.
 */
#include <math.h>
#include <string.h>

#include "kernel/base/likelihood.h"

#define TOLERANCE       1e-7 /* of the gradient of the mean log-likelihood */
#define MAX_EVALUATIONS 2000

/* Give the penalised loss and its gradient; user is the CrmLikelihood. */
static double
penalised(void *user, const double *theta, double *gradient)
{
	const CrmLikelihood *likelihood = user;
	double value = likelihood->loss(likelihood->user, theta, gradient);

	for (int i = 0; likelihood->penalty > 0.0 && i < likelihood->n; i++)
	{
		value += likelihood->penalty * theta[i] * theta[i];
		if (gradient != NULL)
			gradient[i] += 2.0 * likelihood->penalty * theta[i];
	}
	return value;
}

/* Order the candidates by their loss and put the best into starts, n_starts rows of n. */
static CrmStatus
choose_starts(CrmCtx *ctx, const CrmLikelihood *likelihood, double *starts, int n_starts)
{
	double loss[CRM_LIKELIHOOD_CANDIDATES];
	int n = likelihood->n;

	for (int c = 0; c < likelihood->n_candidates; c++)
	{
		do
		{
			if (crm_poll(ctx))
				return CRM_ABORTED;
			loss[c] = likelihood->n_candidates > n_starts
						  ? penalised((void *) likelihood, likelihood->candidates + c * n, NULL)
						  : (double) c;
		} while (crm_pending(ctx));
		if (isnan(loss[c]))
			loss[c] = INFINITY;
	}
	for (int s = 0; s < n_starts; s++)
	{
		int best = 0;

		for (int c = 1; c < likelihood->n_candidates; c++)
			if (loss[c] < loss[best])
				best = c;
		memcpy(starts + s * n, likelihood->candidates + best * n, (size_t) n * sizeof *starts);
		loss[best] = INFINITY;
	}
	return CRM_OK;
}

/* Fill in the covariance of the logs and the errors of the parameters at theta. */
static CrmStatus
estimate_errors(CrmCtx *ctx, const CrmLikelihood *likelihood, const double *theta, CrmFit *fit)
{
	double hessian[CRM_LIKELIHOOD_MAX * CRM_LIKELIHOOD_MAX];
	bool fixed[CRM_LIKELIHOOD_MAX];
	int n = likelihood->n;
	CrmStatus status = crm_hessian(ctx, penalised, (void *) likelihood, n, theta, likelihood->lower,
								   likelihood->upper, hessian);

	if (status != CRM_OK)
		return status;
	for (int i = 0; i < n; i++)
		fixed[i] =
			theta[i] <= likelihood->lower[i] + 1e-6 || theta[i] >= likelihood->upper[i] - 1e-6;
	memcpy(fit->hessian, hessian, (size_t) (n * n) * sizeof *hessian);
	for (int i = 0; i < n * n; i++)
		hessian[i] *= likelihood->total;
	(void) crm_covariance(hessian, n, fixed, fit->covariance);
	for (int i = 0; i < n; i++)
		fit->error[i] = fit->parameter[i] * sqrt(fit->covariance[i * n + i]);
	return CRM_OK;
}

/* Say why a penalty is refused, in words for a user; NULL when it is not. */
const char *
crm_likelihood_check_penalty(double penalty)
{
	if (!(penalty >= 0.0 && penalty <= 1e6))
		return "penalty must be between 0 and 1000000";
	return NULL;
}

/*
 * Fit; fit takes the best point whatever its status. CRM_OK also for one that has not
 * converged, which fit->status tells; CRM_ABORTED by the poll; CRM_NO_MEMORY; CRM_DOMAIN: no
 * candidate, or bounds that are none.
 */
CrmStatus
crm_likelihood_fit(CrmCtx *ctx, const CrmLikelihood *likelihood, CrmFit *fit)
{
	double starts[CRM_LIKELIHOOD_CANDIDATES * CRM_LIKELIHOOD_MAX];
	int n = likelihood->n;
	CrmOptimiseParam param = {.n = n,
							  .lower = likelihood->lower,
							  .upper = likelihood->upper,
							  .starts = starts,
							  .n_starts = likelihood->n_starts,
							  .tolerance = TOLERANCE,
							  .max_evaluations = MAX_EVALUATIONS};
	CrmOptimum optimum;
	CrmStatus status;

	memset(fit, 0, sizeof *fit);
	if (n < 1 || n > CRM_LIKELIHOOD_MAX || likelihood->n_starts < 1 ||
		likelihood->n_candidates < likelihood->n_starts ||
		likelihood->n_candidates > CRM_LIKELIHOOD_CANDIDATES)
		return CRM_DOMAIN;
	if (likelihood->near != NULL)
	{
		param.n_starts = 1;
		param.hessian = likelihood->near->hessian;
		for (int i = 0; i < n; i++)
			starts[i] = log(likelihood->near->parameter[i]);
	}
	else if ((status = choose_starts(ctx, likelihood, starts, likelihood->n_starts)) != CRM_OK)
		return status;
	status = crm_minimise(ctx, penalised, (void *) likelihood, &param, &optimum);
	if (status != CRM_OK && status != CRM_NOT_CONVERGED && status != CRM_AT_BOUND)
		return status;
	fit->n = n;
	fit->status = status == CRM_OK         ? CRM_FIT_CONVERGED
				  : status == CRM_AT_BOUND ? CRM_FIT_AT_BOUND
										   : CRM_FIT_NOT_CONVERGED;
	fit->total = likelihood->total;
	fit->gradient_norm = optimum.gradient_norm;
	fit->iterations = optimum.iterations;
	fit->evaluations = optimum.evaluations;
	fit->fallback = optimum.fallback;
	for (int i = 0; i < n; i++)
		fit->parameter[i] = exp(optimum.x[i]);
	status = estimate_errors(ctx, likelihood, optimum.x, fit);
	if (status != CRM_OK)
		return status;
	fit->log_likelihood = -optimum.value;
	for (int i = 0; i < n; i++)
		fit->log_likelihood += likelihood->penalty * optimum.x[i] * optimum.x[i];
	fit->log_likelihood *= likelihood->total;
	fit->aic = 2.0 * n - 2.0 * fit->log_likelihood;
	fit->bic = n * log(fmax(likelihood->total, 1.0)) - 2.0 * fit->log_likelihood;
	return CRM_OK;
}

/* Give the word of a status for reports. */
const char *
crm_fit_status_word(CrmFitStatus status)
{
	switch (status)
	{
		case CRM_FIT_CONVERGED:
			return "converged";
		case CRM_FIT_AT_BOUND:
			return "at_bound";
		case CRM_FIT_NOT_CONVERGED:
			return "not_converged";
		default:
			return "insufficient_data";
	}
}
