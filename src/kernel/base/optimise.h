/*
 * optimise.h: the least value of a smooth function of a few variables between bounds.
 *
 *     minimise f(x),  lower <= x <= upper,  gradient g(x) known
 *
 * From each start NLopt's L-BFGS (Nocedal 1980, doi 10.1090/S0025-5718-1980-0572855-7; Liu and
 * Nocedal 1989, doi 10.1007/BF01589116). The best point of all is polished by Newton's steps on
 * differences of the gradient, which serve again after a step that brought the gradient to a third.
 * Where that leaves a gradient above the tolerance, Subplex (Rowan 1990), which asks for no
 * gradient, searches on, and the polishing follows again. A start that is known to be near, with a
 * Hessian from elsewhere, goes to the polishing at once.
 *
 * Scale the function and the variables so that a change of 1 is large in each: a mean
 * log-likelihood of logarithms of parameters. The function must be finite between the bounds; where
 * it is not, its value counts as very large. The gradient's norm is that of its projection: what
 * pushes a variable at a bound outwards does not count.
 *
 * Invariants: the same function gives the same result; the result is the best point ever seen by a
 * search, never an error. NLopt takes its memory from malloc: the function must always return, so
 * it asks crm_pending instead of crm_poll, answers anything when that is true, and the search winds
 * up before it polls. Not handled: more than CRM_OPTIMISE_MAX variables, equality constraints.
 */
#ifndef CRM_KERNEL_OPTIMISE_H
#define CRM_KERNEL_OPTIMISE_H

#include "kernel/base/context.h"

#define CRM_OPTIMISE_MAX 64 /* variables */

/* Give f(x), and the gradient unless that is NULL. */
typedef double (*CrmObjective)(void *user, const double *x, double *gradient);

typedef struct CrmOptimiseParam
{
	int n; /* variables, 1 to CRM_OPTIMISE_MAX */
	const double *lower, *upper;
	const double *starts; /* n_starts rows of n; they are brought between the bounds */
	int n_starts;
	double tolerance;      /* converged when the norm of the gradient is at most this */
	int max_evaluations;   /* of each search from each start */
	const double *hessian; /* of about f near the starts, n rows of n: Newton's steps come first; or
							  NULL */
} CrmOptimiseParam;

typedef struct CrmOptimum
{
	double x[CRM_OPTIMISE_MAX];
	double value;
	double gradient_norm; /* the largest part of the projected gradient */
	int iterations;       /* evaluations of the search that found it, polishing included */
	int evaluations;      /* of all */
	bool fallback;        /* found without the gradient's help */
	bool at_bound;        /* a variable stands at a bound */
} CrmOptimum;

extern CrmStatus crm_minimise(CrmCtx *ctx, CrmObjective f, void *user,
							  const CrmOptimiseParam *param, CrmOptimum *optimum);
extern CrmStatus crm_hessian(CrmCtx *ctx, CrmObjective f, void *user, int n, const double *x,
							 const double *lower, const double *upper, double *hessian);
extern CrmStatus crm_covariance(const double *hessian, int n, const bool *fixed,
								double *covariance);

#endif
