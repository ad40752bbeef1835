/*
 * estimate.h: the estimate of a few positive parameters by maximum likelihood.
 *
 *     minimise  - log L(theta) / rows + penalty sum over i of (ln theta_i)^2,   theta_i > 0
 *
 * over ln theta between the logarithms of CRM_ESTIMATE_LOW and CRM_ESTIMATE_HIGH
 * (base/optimise.h). The covariance is that of the logarithms, the inverse of the Hessian of
 * - log L at the estimate; by the delta method a parameter's standard error is theta_i times that
 * of its logarithm. A parameter at a bound has no error and is taken as known by the others. Where the
 * likelihood is so flat that it says nothing about a parameter, which is how a bound at infinity
 * shows, the covariance is unknown and the status is CRM_AT_BOUND.
 */
#ifndef CRM_KERNEL_ESTIMATE_H
#define CRM_KERNEL_ESTIMATE_H

#include "kernel/base/context.h"

#define CRM_ESTIMATE_MAX  8
#define CRM_ESTIMATE_LOW  1e-6
#define CRM_ESTIMATE_HIGH 1e6

/* Give log L at theta, and its derivatives by theta. */
typedef double (*CrmLogLikelihood)(void *user, const double *theta, double *gradient);

typedef struct CrmEstimateParam
{
	int n;         /* parameters, 1 to CRM_ESTIMATE_MAX */
	double rows;   /* what log L is divided by, above zero */
	double penalty; /* 0 or above */
	const double *starts; /* n_starts rows of n, above zero */
	int n_starts;
} CrmEstimateParam;

typedef struct CrmEstimate
{
	int n;
	double theta[CRM_ESTIMATE_MAX];
	double covariance[CRM_ESTIMATE_MAX * CRM_ESTIMATE_MAX]; /* n rows of n, of ln theta; NaN where
															 * it is not known */
	double log_likelihood;
	double gradient_norm; /* of what is minimised, by ln theta */
	int iterations;
	bool fallback;
	CrmStatus status; /* CRM_OK, CRM_AT_BOUND, CRM_NOT_CONVERGED */
} CrmEstimate;

extern CrmStatus crm_estimate(CrmCtx *ctx, CrmLogLikelihood f, void *user,
							  const CrmEstimateParam *param, CrmEstimate *estimate);

#endif
