/*
 * logistic_pass.h: passes over the rows of a logistic regression, in blocks: means and products of
 * the columns, and likelihood, gradient and information at given coefficients.
 *
 *     z_0 = 1,  z_j = (x_j - mean_j) / scale_j  for the columns in use
 *     minus log-likelihood  f = sum_i v_i (log(1 + exp(eta_i)) - y_i eta_i),  eta = z g
 *     -grad f = Z'v (y - P),  Hessian = Z' diag(v P (1 - P)) Z
 *
 * Invariants: rows are taken in their order, by blocks (base/cross.h). Memory comes from the caller
 * once, for as many columns as the design has.
 */
#ifndef CRM_KERNEL_LOGISTIC_PASS_H
#define CRM_KERNEL_LOGISTIC_PASS_H

#include "kernel/base/cross.h"
#include "kernel/logistic.h"

typedef struct CrmLogisticPass
{
	CrmCtx *ctx;
	const CrmLogisticData *data;
	double class_weight[2];
	int q;            /* columns in use, the intercept included */
	int *use;         /* q: the caller's column; use[0] is not read */
	double *mean;     /* q */
	double *inverse;  /* q: 1 / scale */
	double *gradient; /* q: -grad f */
	double *hessian;  /* q x q, both triangles */
	double objective; /* f */
	double least;     /* of the predictors signed by their labels, rows of weight 0 left out */
	/* room of crm_logistic_pass_begin */
	int room;
	double *z, *a;
	CrmCrossSum *total;
} CrmLogisticPass;

extern size_t crm_logistic_pass_bytes(int d);
extern CrmStatus crm_logistic_pass_begin(CrmCtx *ctx, const CrmLogisticData *data,
										 CrmLogisticPass *pass);
extern void crm_logistic_pass_free(CrmLogisticPass *pass);
extern CrmStatus crm_logistic_moments(CrmLogisticPass *pass, double *total_weight);
extern CrmStatus crm_logistic_evaluate(CrmLogisticPass *pass, const double *coefficients);
extern CrmStatus crm_logistic_margin(CrmLogisticPass *pass, const double *direction, double *least,
									 double *largest);

#endif
