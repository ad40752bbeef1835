/*
 * logistic_newton.h: the optimum of a logistic regression on standardised columns, by Newton's
 * method with step halving; see logistic.h for what is minimised.
 *
 * A step is that to the least of the quadratic model: by Cholesky's factor, or with an L1 penalty
 * by coordinate descent with covariance updates (Friedman, Hastie and Tibshirani 2010, 2.2). Where
 * rounding leaves the Hessian without a factor, a growing part of its diagonal goes on top (a
 * ridge, as in Levenberg and Marquardt's method), so that a step always exists.
 *
 * Invariants: the objective never rises by more than rounding. Separation ends the iteration, since
 * then no optimum exists: when all rows lie on their side, or when the step moves some rows far and
 * none against its label.
 */
#ifndef CRM_KERNEL_LOGISTIC_NEWTON_H
#define CRM_KERNEL_LOGISTIC_NEWTON_H

#include "kernel/logistic_pass.h"

/* The caller sets the first part, begin makes the room. Arrays hold pass.q elements but where said.
 */
typedef struct CrmLogisticNewton
{
	CrmLogisticPass pass;
	double ridge; /* V lambda (1 - alpha) */
	double lasso; /* V lambda alpha */
	bool may_separate;

	double *g; /* coefficients of the standardised columns: start, then result */
	double *step;
	double *trial;
	double *factor; /* q x q */
	unsigned char *dropped;
	double total; /* objective with penalty at g */
	int iterations;
	bool converged;
	bool separated; /* in the direction of g (pass.least > 0), otherwise of step */
} CrmLogisticNewton;

extern size_t crm_logistic_newton_bytes(int d);
extern CrmStatus crm_logistic_newton_begin(CrmCtx *ctx, const CrmLogisticData *data,
										   CrmLogisticNewton *fit);
extern void crm_logistic_newton_free(CrmLogisticNewton *fit);
extern void crm_logistic_factor(CrmLogisticNewton *fit);
extern CrmStatus crm_logistic_iterate(CrmLogisticNewton *fit, int max_iterations, double tolerance);

#endif
