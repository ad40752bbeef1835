/*
 * bgnbd.h: how often customers will buy who buy at random until they leave at random after a
 * transaction: BG/NBD and its modification MBG/NBD.
 *
 *     lambda ~ Gamma(shape r, rate alpha)    transactions in a unit of time while active
 *     p      ~ Beta(a, b)                    chance to leave right after a transaction
 *
 *     L(x, t_x, T) = Gamma(r + x) alpha^r / Gamma(r) B(a, b + y) / B(a, b) (alpha + T)^-(r + x)
 *                    [1 + a / (b + y - 1) ((alpha + T) / (alpha + t_x))^(r + x)]
 *
 * BG/NBD (Fader, Hardie and Lee 2005, doi 10.1287/mksc.1040.0098): nobody leaves after the first
 * transaction, y = x, and the bracket is 1 at x = 0. MBG/NBD (Batislam, Denizel and Filiztekin
 * 2007, doi 10.1016/j.ijresmar.2006.12.005; Hoppe and Wagner 2007): after the first one, too,
 * y = x + 1. The bracket is 1 / P(alive). Given that he is alive, a customer's lambda is
 * Gamma(r + x, alpha + T) and his p Beta(a, b + y), independently; all predictions follow:
 *
 *     E[Y(h)] = P(alive) E[(1 - (1 + p h / (alpha + T))^-(r + x)) / p]
 *     P(Y(h) > 0) = P(alive) (1 - ((alpha + T) / (alpha + T + h))^(r + x))
 *     DERT = P(alive) E[lambda / (delta + lambda p)]
 *
 * E over p is taken as a sum over the counts of orders or as an integral (base/quadrature.h), of
 * positive terms either way: no difference of large terms, no singular a = 1, as the closed form
 * has. bgnbd_predict.c tells which serves where, and its error. A new customer is
 * (0, 0, 0): E[X(t)] is E[Y(t)] for him.
 *
 * Invariants: no result is NaN or infinite for parameters that crm_bgnbd_check_parameters takes and
 * rows that crm_btyd_check takes; chances lie in [0, 1], expectations at or above 0 and grow with
 * the horizon. Units of time are the caller's, the same in T, alpha (times), h, and 1 / delta. Not
 * handled: covariates, seasons.
 */
#ifndef CRM_KERNEL_BGNBD_H
#define CRM_KERNEL_BGNBD_H

#include "kernel/base/btyd.h"
#include "kernel/base/likelihood.h"

#define CRM_BGNBD_PARAMETERS 4

typedef struct CrmBgnbd
{
	double r, alpha, a, b;
	bool modified; /* MBG/NBD */
} CrmBgnbd;

typedef struct CrmBgnbdParam
{
	bool modified;
	double penalty; /* of the squared logs of the parameters, on the mean log-likelihood; >= 0 */
} CrmBgnbdParam;

typedef struct CrmBgnbdModel
{
	CrmBgnbd parameter;
	CrmFit fit; /* r, alpha, a, b in this order */
} CrmBgnbdModel;

extern void crm_bgnbd_defaults(CrmBgnbdParam *param);
extern const char *crm_bgnbd_check(const CrmBgnbdParam *param);
extern const char *crm_bgnbd_check_parameters(const CrmBgnbd *model);
extern CrmStatus crm_bgnbd_fit(CrmCtx *ctx, const CrmBtyd *data, const CrmBgnbdParam *param,
							   CrmBgnbdModel *model);
extern CrmStatus crm_bgnbd_log_likelihood(CrmCtx *ctx, const CrmBtyd *data, const CrmBgnbd *model,
										  double *value, double *gradient);

extern double crm_bgnbd_p_alive(const CrmBgnbd *model, double x, double t_x, double t);
extern double crm_bgnbd_p_alive_slopes(const CrmBgnbd *model, double x, double t_x, double t,
									   double *slopes);
extern double crm_bgnbd_expected_if_alive(const CrmBgnbd *model, double x, double t,
										  double horizon);
extern double crm_bgnbd_expected_orders(const CrmBgnbd *model, double x, double t_x, double t,
										double horizon);
extern double crm_bgnbd_any_if_alive(const CrmBgnbd *model, double x, double t, double horizon);
extern double crm_bgnbd_p_any_order(const CrmBgnbd *model, double x, double t_x, double t,
									double horizon);
extern double crm_bgnbd_pmf(const CrmBgnbd *model, double n, double horizon);
extern double crm_bgnbd_discounted_if_alive(const CrmBgnbd *model, double x, double t,
											double horizon, double rate);
extern double crm_bgnbd_discounted_orders(const CrmBgnbd *model, double x, double t_x, double t,
										  double horizon, double rate);
extern double crm_bgnbd_discounted_slopes(const CrmBgnbd *model, double x, double t, double horizon,
										  double rate, double *slopes);

#endif
