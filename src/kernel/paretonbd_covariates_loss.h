/*
 * paretonbd_covariates_loss.h: the likelihood of Pareto/NBD with covariates, for a search.
 *
 *     theta = ln r, ln(r / alpha), ln s, ln(s / beta) at the means of the covariates, then the
 *             coefficients of the scaled columns, those of purchase before those of leaving
 *     ln alpha_i = theta_0 - theta_1 - g' w_i,   ln beta_i = theta_2 - theta_3 - h' w_i
 *
 * The mean rates r / alpha and s / beta are what the data tell best: where customers hardly differ,
 * r or s runs away, but the rates and the effects on them stay where they are.
 *
 * Invariants: value and gradient are finite for theta within a few tens; the gradient is analytic;
 * sums are compensated, in the order of the rows. Not handled: what paretonbd_covariates_rows.h
 * does not.
 */
#ifndef CRM_KERNEL_PARETONBD_COVARIATES_LOSS_H
#define CRM_KERNEL_PARETONBD_COVARIATES_LOSS_H

#include "kernel/base/optimise.h"
#include "kernel/paretonbd.h"
#include "kernel/paretonbd_covariates_rows.h"

/* A likelihood: the first n rows, and the coefficients of each process that are free. */
typedef struct CrmCovariatesTask
{
	CrmCtx *ctx;
	const CrmCovariateRows *rows;
	size_t n;
	double total;         /* weight of these rows */
	double middle;        /* log of the mean T, by which alpha and beta are measured */
	int d[CRM_PROCESSES]; /* 0, or all that are kept */
	double penalty;
} CrmCovariatesTask;

extern void crm_covariates_begin(CrmCtx *ctx, const CrmCovariateRows *rows,
								 CrmCovariatesTask *task);
extern double crm_covariates_loss(void *user, const double *theta, double *gradient);

#endif
