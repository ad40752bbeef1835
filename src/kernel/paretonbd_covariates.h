/*
 * paretonbd_covariates.h: Pareto/NBD whose rates depend on what is known of a customer: covariates
 * that do not change with time, on the process of purchase, on that of leaving, or on both.
 *
 *     lambda_i ~ Gamma(shape r, rate alpha_i),  alpha_i = alpha exp(-gamma' z_i)
 *     mu_i     ~ Gamma(shape s, rate beta_i),   beta_i  = beta exp(-delta' u_i)
 *     maximise  sum_i ln L(r, alpha_i, s, beta_i | x_i, t_x_i, T_i) / n
 *               - penalty (sum_j (gamma_j scale_j)^2 + sum_j (delta_j scale_j)^2)
 *
 * A coefficient is the change of the log of the rate for one more of the covariate: exp(gamma_j) is
 * how many times as often such customers buy while they stay, exp(delta_j) how many times as fast
 * they leave. Fader and Hardie 2007, "Incorporating time-invariant covariates into the Pareto/NBD
 * and BG/NBD models", note 019 at brucehardie.com; L is that of paretonbd.h.
 *
 * Estimates are searched for by columns that are centred and scaled, and given for the columns as
 * they are. Errors are from the inverse of the Hessian; those of r, alpha, s, beta by the delta
 * method from their logs. Likelihood-ratio tests (Wilks 1938, doi 10.1214/aoms/1177732360) hold the
 * model against those without the covariates of one process and without any; each of them starts
 * where the smaller one has ended, so that none is better than a model it is a part of.
 *
 * Invariants: what is estimated does not depend on the order of the customers; a coefficient that
 * would run away (nobody of a group ever bought again) ends at a bound, and the model says so. Not
 * handled: covariates that change with time.
 */
#ifndef CRM_KERNEL_PARETONBD_COVARIATES_H
#define CRM_KERNEL_PARETONBD_COVARIATES_H

#include "kernel/paretonbd.h"
#include "kernel/paretonbd_covariates_rows.h"

typedef struct CrmCovariatesParam
{
	double penalty; /* >= 0; of the squared coefficients of the scaled columns */
} CrmCovariatesParam;

/* A test of the model against a smaller one; NaN and 0 where they are the same model. */
typedef struct CrmCovariatesTest
{
	double log_likelihood; /* of the smaller model */
	double chi_squared;    /* NaN with a penalty */
	int df;
} CrmCovariatesTest;

typedef struct CrmCovariatesModel
{
	CrmParetonbd parameter;                 /* alpha and beta where all covariates are 0 */
	double error[CRM_PARETONBD_PARAMETERS]; /* of r, alpha, s, beta */
	double estimate[CRM_PROCESSES][CRM_COVARIATES_MAX];       /* NaN where a column is left out */
	double estimate_error[CRM_PROCESSES][CRM_COVARIATES_MAX]; /* and where it is at a bound */
	CrmCovariate covariate[CRM_PROCESSES][CRM_COVARIATES_MAX];
	double log_likelihood, aic, bic;             /* without the penalty */
	CrmCovariatesTest of_process[CRM_PROCESSES]; /* against the model without its covariates */
	CrmCovariatesTest of_all;                    /* against the model without any */
	double gradient_norm;
	int iterations;
	CrmFitStatus status; /* CRM_FIT_INSUFFICIENT: all numbers are NaN */
} CrmCovariatesModel;

extern const char *crm_covariates_check(const CrmCovariatesParam *param);
extern CrmStatus crm_covariates_fit(CrmCtx *ctx, const CrmCovariatesData *data,
									const CrmCovariatesParam *param, CrmCovariatesModel *model);
extern double crm_covariates_scale(double parameter, const double *coefficients,
								   const double *covariates, int n);

#endif
