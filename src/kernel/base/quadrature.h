/*
 * quadrature.h: integrals over the real line of positive functions with one peak, given by their
 * log, and expectations under them.
 *
 *     I = integral of e^f(w) dw,     E[g] = integral of e^f(w) g(w) dw / I
 *
 * The trapezoidal rule after w = peak + scale sinh(v): the sinh stretches tails that fall off by
 * orders of magnitude more slowly on one side than on the other (Takahasi and Mori 1974, doi
 * 10.2977/prims/1195192451); for analytic functions it converges geometrically (Trefethen and
 * Weideman 2014, doi 10.1137/130932132). Ends are where the function has fallen by e^-75. The
 * number of nodes is doubled until the result stands still; what the last doubling changed is told
 * as the error, an estimate.
 *
 * A density on (0, 1) is brought here by w = ln(p / (1 - p)), dp = p (1 - p) dw, one on (0, inf) by
 * w = ln(t), dt = t dw: powers at an end become exponential tails.
 *
 * Invariants: nothing is allocated; a positive g gives a positive mean. Not handled: several peaks
 * far apart, kinks (they converge slowly, and the error may be ten times what is told).
 */
#ifndef CRM_KERNEL_QUADRATURE_H
#define CRM_KERNEL_QUADRATURE_H

#include "kernel/base/context.h"
#include "kernel/base/special.h"

#define CRM_QUADRATURE_NODES 256 /* that crm_peak_nodes gives at most */

#define CRM_GAUSS            12 /* nodes of the rule for smooth functions on a short interval */

extern const double crm_gauss_node[CRM_GAUSS];
extern const double crm_gauss_weight[CRM_GAUSS];

#define CRM_GAUSS_FEW 8 /* for smoother ones */

extern const double crm_gauss_node_few[CRM_GAUSS_FEW];
extern const double crm_gauss_weight_few[CRM_GAUSS_FEW];

/* Give f(w), the log of the weight; NaN counts as -Infinity. */
typedef double (*CrmLogWeight)(const void *user, double w);

/* Give g(w). */
typedef double (*CrmTerm)(const void *user, double w);

/* Where a weight lives. */
typedef struct CrmPeak
{
	double mode, top; /* f(mode) = top */
	double scale;
	double low, high; /* of v */
} CrmPeak;

extern void crm_peak_find(CrmLogWeight f, const void *user, double guess, CrmPeak *peak);
extern void crm_peak_nodes(CrmLogWeight f, const void *user, const CrmPeak *peak, int n, double *w,
						   double *weight);
extern void crm_integrate_log(CrmLogWeight f, const void *user, double guess, CrmValue *log_i);
extern void crm_expectation(CrmLogWeight f, CrmTerm g, const void *user, double guess,
							CrmValue *mean);

#endif
