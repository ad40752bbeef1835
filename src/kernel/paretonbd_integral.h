/*
 * paretonbd_integral.h: the integral that all of Pareto/NBD is made of.
 *
 *     I = integral from y0 to y1 of (alpha + y)^-A (beta + y)^-B e^(-rate (y - y0)) dy
 *
 * With y = y0 + M (e^v - 1), M = min(alpha, beta) + y0, the integrand is log-concave in v and
 * analytic within pi of the line; panels of Gauss's rule are cut so short that it changes by a few
 * units in each, and the walk ends where it has fallen by e^-45 (base/quadrature.h). Relative error
 * about 1e-13 and that of rounding, A + B units in the last place.
 */
#ifndef CRM_KERNEL_PARETONBD_INTEGRAL_H
#define CRM_KERNEL_PARETONBD_INTEGRAL_H

#include <stdbool.h>

typedef struct CrmParetonbdIntegral
{
	double alpha, beta, a, b, rate; /* A and B; all >= 0, alpha and beta above 0 */
	double y0, y1;                  /* 0 <= y0 <= y1; y1 may be infinite when rate > 0 */
	/*
	 * ln(alpha + y0), ln(beta + y0), or these less some constants, by which the integral and the
	 * means of the logs are then changed, too: so they can be kept small where A or B is large
	 */
	double log_alpha, log_beta;
} CrmParetonbdIntegral;

/* Expectations of functions of y under the integrand, which give the derivatives of ln I. */
typedef struct CrmParetonbdMeans
{
	double log_alpha, log_beta;         /* of ln(alpha + y), ln(beta + y) */
	double inverse_alpha, inverse_beta; /* of 1 / (alpha + y), 1 / (beta + y) */
	double gone_alpha, gone_beta;       /* of (y - y0) / (alpha + y), (y - y0) / (beta + y) */
} CrmParetonbdMeans;

extern double crm_paretonbd_log_integral(const CrmParetonbdIntegral *integral,
										 CrmParetonbdMeans *means);

#endif
