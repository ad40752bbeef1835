/*
 * likelihood.h: the maximum-likelihood estimate of a few positive parameters, by their logarithms.
 *
 *     theta_j = ln parameter_j
 *     minimise  -LL(theta) / N + penalty sum_j theta_j^2     between bounds
 *     covariance of theta = inverse of N times the Hessian there
 *
 * So a parameter cannot leave its domain, a standard error of a parameter is the parameter times
 * that of its log (the delta method), and an interval, exp(theta -+ z error), is above zero.
 * The best of a model's candidates are where searches start (base/optimise.h).
 *
 * Invariants: an estimate is always finite and within the bounds. Errors are NaN where the
 * likelihood has no curvature, and zero for a parameter that stands at a bound.
 */
#ifndef CRM_KERNEL_LIKELIHOOD_H
#define CRM_KERNEL_LIKELIHOOD_H

#include "kernel/base/optimise.h"

#define CRM_LIKELIHOOD_MAX        8  /* parameters */
#define CRM_LIKELIHOOD_CANDIDATES 64 /* points where a search may start */

/* How a fit went. */
typedef enum CrmFitStatus
{
	CRM_FIT_CONVERGED,
	CRM_FIT_AT_BOUND,      /* converged, but a parameter stands at its bound */
	CRM_FIT_NOT_CONVERGED, /* the best point found */
	CRM_FIT_INSUFFICIENT   /* too few data to tell the parameters; they are the best point found */
} CrmFitStatus;

typedef struct CrmFit
{
	int n;                                                      /* parameters */
	double parameter[CRM_LIKELIHOOD_MAX];                       /* in the order of the model */
	double error[CRM_LIKELIHOOD_MAX];                           /* standard errors */
	double covariance[CRM_LIKELIHOOD_MAX * CRM_LIKELIHOOD_MAX]; /* of the logs, n rows of n */
	double log_likelihood;                                      /* without the penalty */
	double aic, bic;
	double hessian[CRM_LIKELIHOOD_MAX * CRM_LIKELIHOOD_MAX]; /* of the mean loss by the logs */
	double total;                                            /* N, weight of the customers */
	double gradient_norm;
	int iterations;
	int evaluations;
	bool fallback; /* a search without gradients found the point */
	CrmFitStatus status;
} CrmFit;

/* Give -LL / N at the logs theta, and its gradient by them unless that is NULL. */
typedef CrmObjective CrmMeanLoss;

typedef struct CrmLikelihood
{
	int n;
	double lower[CRM_LIKELIHOOD_MAX], upper[CRM_LIKELIHOOD_MAX];       /* of the logs */
	double candidates[CRM_LIKELIHOOD_CANDIDATES * CRM_LIKELIHOOD_MAX]; /* rows of n logs */
	int n_candidates;
	int n_starts;       /* searches from the best candidates */
	const CrmFit *near; /* of a sample of the same data: starts there, not at candidates; or NULL */
	double penalty;     /* >= 0 */
	double total;       /* N */
	CrmMeanLoss loss;
	void *user;
} CrmLikelihood;

extern const char *crm_likelihood_check_penalty(double penalty);
extern CrmStatus crm_likelihood_fit(CrmCtx *ctx, const CrmLikelihood *likelihood, CrmFit *fit);
extern const char *crm_fit_status_word(CrmFitStatus status);

#endif
