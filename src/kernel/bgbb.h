/*
 * bgbb.h: the beta-geometric/beta-Bernoulli model of orders at discrete opportunities.
 *
 *     p     ~ Beta(alpha, beta)    chance to order at an opportunity while active
 *     theta ~ Beta(gamma, delta)   chance to leave before an opportunity
 *
 * A customer has n opportunities, orders at x of them, the last time at opportunity t_x (0 when
 * x = 0; the first order of all is opportunity 0 and does not count):
 *
 *     L = B(alpha + x, beta + n - x) B(gamma, delta + n) / N
 *         + sum over i = 0 .. n - t_x - 1 of
 *           B(alpha + x, beta + t_x - x + i) B(gamma + 1, delta + t_x + i) / N
 *     N = B(alpha, beta) B(gamma, delta)
 *
 * Fader, Hardie and Shang 2010, doi 10.1287/mksc.1100.0580. Active "at n + 1" means active when the
 * next opportunity comes, as there. The terms of the sum have rational ratios, so a customer costs
 * six log-gammas and then a few multiplications a term; gradients follow the same recursion.
 *
 * Not handled: opportunities that are not the same for all of a customer's time, covariates.
 */
#ifndef CRM_KERNEL_BGBB_H
#define CRM_KERNEL_BGBB_H

#include "kernel/base/likelihood.h"

#define CRM_BGBB_PARAMETERS        4
#define CRM_BGBB_OPPORTUNITIES_MAX 1000000

/* Between these an estimate lies. */
#define CRM_BGBB_PARAMETER_MIN 1e-5
#define CRM_BGBB_PARAMETER_MAX 1e5

typedef struct CrmBgbbModel
{
	double alpha, beta, gamma, delta; /* all above zero */
} CrmBgbbModel;

/* Caller-owned columns; weight counts the customers that share a row. */
typedef struct CrmBgbbData
{
	size_t rows;
	const double *x, *t_x, *n; /* whole numbers, 0 <= x <= t_x <= n */
	const double *weight;
} CrmBgbbData;

extern bool crm_bgbb_is_possible(double x, double t_x, double n);
extern double crm_bgbb_log_likelihood(const CrmBgbbModel *model, double x, double t_x, double n,
									  double gradient[CRM_BGBB_PARAMETERS]);
extern double crm_bgbb_total(CrmCtx *ctx, const CrmBgbbData *data, const CrmBgbbModel *model,
							 double gradient[CRM_BGBB_PARAMETERS]);
extern CrmStatus crm_bgbb_fit(CrmCtx *ctx, const CrmBgbbData *data, double penalty, CrmFit *fit);
extern double crm_bgbb_p_alive(const CrmBgbbModel *model, double x, double t_x, double n);
extern double crm_bgbb_orders_if_alive(const CrmBgbbModel *model, double x, double n,
									   double horizon, double discount);
extern double crm_bgbb_any_if_alive(const CrmBgbbModel *model, double x, double n, double horizon);
extern double crm_bgbb_pmf(const CrmBgbbModel *model, double x, double n);

#endif
