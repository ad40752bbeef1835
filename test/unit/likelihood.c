/*
 * likelihood.c: unit tests of base/likelihood on exponential samples, whose estimates, errors and
 * criteria are known in closed form.
 *
 *     -LL / N = sum_j lambda_j m_j - ln lambda_j,  estimate 1 / m_j,  error lambda_j / sqrt(N)
 */
#include "kernel/base/likelihood.h"
#include "tap.h"

#include <string.h>

#define N 400.0

/* Give the mean loss at the logs of two rates, user holds the two means; a mean of 0 is no data. */
static double
loss(void *user, const double *theta, double *gradient)
{
	const double *mean = user;
	double value = 0.0;

	for (int j = 0; j < 2; j++)
	{
		double rate = exp(theta[j]);

		if (gradient != NULL)
			gradient[j] = mean[j] > 0.0 ? rate * mean[j] - 1.0 : 0.0;
		value += mean[j] > 0.0 ? rate * mean[j] - theta[j] : 0.0;
	}
	return value;
}

/* Make the problem for two means, with two candidates of which the second is nearer. */
static CrmLikelihood
problem(double *mean)
{
	CrmLikelihood likelihood = {.n = 2,
								.lower = {-10.0, -10.0},
								.upper = {10.0, 10.0},
								.candidates = {6.0, 6.0, 0.1, 0.1},
								.n_candidates = 2,
								.n_starts = 1,
								.total = N,
								.loss = loss,
								.user = mean};

	return likelihood;
}

static void
test_closed_form(CrmCtx *ctx)
{
	double mean[] = {0.5, 4.0}, want = -N * (2.0 + log(0.5) + log(4.0));
	CrmLikelihood likelihood = problem(mean);
	CrmFit fit;

	ok(crm_likelihood_fit(ctx, &likelihood, &fit) == CRM_OK && fit.status == CRM_FIT_CONVERGED &&
		   !fit.fallback,
	   "the fit converges by its gradient");
	for (int j = 0; j < 2; j++)
	{
		is_close(fit.parameter[j], 1.0 / mean[j], 1e-7, "the estimate");
		is_close(fit.error[j], 1.0 / mean[j] / sqrt(N), 1e-4, "its error");
		is_close(fit.covariance[3 * j], 1.0 / N, 1e-4, "the variance of the log");
	}
	is_near(fit.covariance[1], 0.0, 1e-7, "independent");
	is_close(fit.log_likelihood, want, 1e-12, "the log-likelihood");
	is_close(fit.aic, 4.0 - 2.0 * want, 1e-12, "AIC");
	is_close(fit.bic, 2.0 * log(N) - 2.0 * want, 1e-12, "BIC");
}

/* rate m - 1 + 2 penalty theta = 0 at theta = 0.5 when m = 0.9 / e^0.5 and the penalty is 0.1. */
static void
test_penalty(CrmCtx *ctx)
{
	double m = 0.9 / exp(0.5), mean[] = {m, m};
	CrmLikelihood likelihood = problem(mean);
	CrmFit fit;

	likelihood.penalty = 0.1;
	ok(crm_likelihood_fit(ctx, &likelihood, &fit) == CRM_OK, "a penalty");
	is_close(fit.parameter[0], exp(0.5), 1e-7, "draws the log towards zero");
	is_close(fit.log_likelihood, -N * 2.0 * (0.9 - 0.5), 1e-7, "and is not in the log-likelihood");
}

static void
test_bounds(CrmCtx *ctx)
{
	double mean[] = {0.5, 4.0}, flat[] = {0.5, 0.0};
	CrmLikelihood likelihood = problem(mean);
	CrmFit fit;

	likelihood.upper[0] = 0.25;
	likelihood.candidates[0] = 0.2;
	ok(crm_likelihood_fit(ctx, &likelihood, &fit) == CRM_OK && fit.status == CRM_FIT_AT_BOUND,
	   "a bound is told");
	is_close(fit.parameter[0], exp(0.25), 1e-9, "the parameter stands at it");
	ok(fit.error[0] == 0.0, "without an error");
	is_close(fit.error[1], 0.25 / sqrt(N), 1e-4, "the other has its own");
	likelihood = problem(flat);
	ok(crm_likelihood_fit(ctx, &likelihood, &fit) == CRM_OK && isfinite(fit.parameter[1]),
	   "what the data do not tell is finite");
	ok(isnan(fit.error[1]), "and has no error");
}

static void
test_failures(CrmCtx *ctx, TapContext *tap)
{
	double mean[] = {0.5, 4.0};
	CrmLikelihood likelihood = problem(mean);
	CrmFit fit;

	likelihood.n_starts = 3;
	ok(crm_likelihood_fit(ctx, &likelihood, &fit) == CRM_DOMAIN, "more starts than candidates");
	likelihood = problem(mean);
	likelihood.n = CRM_LIKELIHOOD_MAX + 1;
	ok(crm_likelihood_fit(ctx, &likelihood, &fit) == CRM_DOMAIN, "too many parameters");
	likelihood = problem(mean);
	tap->polls = 0;
	tap->abort_at = 1;
	ok(crm_likelihood_fit(ctx, &likelihood, &fit) == CRM_ABORTED, "a cancel");
	ok(strcmp(crm_fit_status_word(CRM_FIT_AT_BOUND), "at_bound") == 0, "the word of a status");
	ok(crm_likelihood_check_penalty(-1.0) != NULL && crm_likelihood_check_penalty(NAN) != NULL &&
		   crm_likelihood_check_penalty(2e6) != NULL && crm_likelihood_check_penalty(0.0) == NULL,
	   "a penalty out of range is refused");
	is_clean(tap, "fitting");
}

int
main(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);

	test_closed_form(ctx);
	test_penalty(ctx);
	test_bounds(ctx);
	test_failures(ctx, &tap);
	return tap_done();
}
