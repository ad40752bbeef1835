/*
 * paretonbd.h: how often customers will buy who buy at random until they leave at a random time:
 * Pareto/NBD (Schmittlein, Morrison and Colombo 1987, doi 10.1287/mnsc.33.1.1).
 *
 *     lambda ~ Gamma(shape r, rate alpha)    transactions in a unit of time while active
 *     mu     ~ Gamma(shape s, rate beta)     rate of leaving
 *
 *     L(x, t_x, T) = Gamma(r + x) alpha^r beta^s / Gamma(r) {(alpha + T)^-(r + x) (beta + T)^-s
 *                    + s integral from t_x to T of (alpha + y)^-(r + x) (beta + y)^-(s + 1) dy}
 *
 * The integral is usually written as the difference of two Gauss functions (Fader and Hardie
 * 2005, note 009 at brucehardie.com), which cancels and overflows; as it stands every term is
 * positive, and it is taken in log space, so any x and T do. P(alive) is the first term over both.
 * A customer who is alive has lambda ~ Gamma(r + x, alpha + T) and mu ~ Gamma(s, beta + T):
 *
 *     E[Y(h)] = P(alive) (r + x) / (alpha + T) integral from 0 to h of (1 + t / (beta + T))^-s dt
 *     DERT: the same integral to infinity, with e^(-delta t) (Fader, Hardie and Lee 2005, doi
 *     10.1509/jmkr.2005.42.4.415)
 *
 * Invariants: no result is NaN or infinite for parameters that crm_paretonbd_check_parameters takes
 * and rows that crm_btyd_check takes; chances lie in [0, 1], expectations at or above 0 and grow
 * with the horizon. Units of time are the caller's, the same everywhere. Not handled: covariates.
 */
#ifndef CRM_KERNEL_PARETONBD_H
#define CRM_KERNEL_PARETONBD_H

#include "kernel/base/btyd.h"
#include "kernel/base/likelihood.h"

#define CRM_PARETONBD_PARAMETERS 4

typedef struct CrmParetonbd
{
	double r, alpha, s, beta;
} CrmParetonbd;

typedef struct CrmParetonbdParam
{
	double penalty; /* of the squared logs of the parameters, on the mean log-likelihood; >= 0 */
} CrmParetonbdParam;

typedef struct CrmParetonbdModel
{
	CrmParetonbd parameter;
	CrmFit fit; /* r, alpha, s, beta in this order */
} CrmParetonbdModel;

extern void crm_paretonbd_defaults(CrmParetonbdParam *param);
extern const char *crm_paretonbd_check(const CrmParetonbdParam *param);
extern const char *crm_paretonbd_check_parameters(const CrmParetonbd *model);
extern CrmStatus crm_paretonbd_fit(CrmCtx *ctx, const CrmBtyd *data, const CrmParetonbdParam *param,
								   CrmParetonbdModel *model);
extern CrmStatus crm_paretonbd_log_likelihood(CrmCtx *ctx, const CrmBtyd *data,
											  const CrmParetonbd *model, double *value,
											  double *gradient);

extern double crm_paretonbd_p_alive(const CrmParetonbd *model, double x, double t_x, double t);
extern double crm_paretonbd_p_alive_slopes(const CrmParetonbd *model, double x, double t_x,
										   double t, double *slopes);
extern double crm_paretonbd_expected_if_alive(const CrmParetonbd *model, double x, double t,
											  double horizon);
extern double crm_paretonbd_expected_orders(const CrmParetonbd *model, double x, double t_x,
											double t, double horizon);
extern double crm_paretonbd_any_if_alive(const CrmParetonbd *model, double x, double t,
										 double horizon);
extern double crm_paretonbd_p_any_order(const CrmParetonbd *model, double x, double t_x, double t,
										double horizon);
extern double crm_paretonbd_pmf(const CrmParetonbd *model, double n, double horizon);
extern double crm_paretonbd_discounted_if_alive(const CrmParetonbd *model, double x, double t,
												double horizon, double rate);
extern double crm_paretonbd_discounted_orders(const CrmParetonbd *model, double x, double t_x,
											  double t, double horizon, double rate);
extern double crm_paretonbd_discounted_slopes(const CrmParetonbd *model, double x, double t,
											  double horizon, double rate, double *slopes);

#endif
