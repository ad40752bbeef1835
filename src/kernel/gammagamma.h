/*
 * gammagamma.h: what a customer's orders are worth on average, from the mean of those he has made.
 *
 *     z_j ~ Gamma(shape p, rate nu)    value of an order,    nu ~ Gamma(shape q, rate v)
 *
 *     L(x, m) = v^q m^(p x - 1) x^(p x) (v + x m)^-(p x + q) / B(p x, q)
 *     E[Z | x, m] = p (v + x m) / (p x + q - 1)
 *
 * x orders had the mean value m (Fader, Hardie and Lee 2005, doi 10.1509/jmkr.2005.42.4.415; Fader
 * and Hardie 2013, note 025 at brucehardie.com). The fit searches over ln p, ln(q - 1) and the log
 * of the mean p v / (q - 1): so q > 1, the mean exists, and no expected value can be negative.
 *
 * Invariants: an expected value lies between the customer's own mean and the mean of all. Not
 * handled: orders of no or negative value, values that depend on how often a customer buys.
 */
#ifndef CRM_KERNEL_GAMMAGAMMA_H
#define CRM_KERNEL_GAMMAGAMMA_H

#include "kernel/base/btyd.h"
#include "kernel/base/likelihood.h"

#define CRM_GAMMAGAMMA_PARAMETERS 3

/* The caller's columns of n customers. */
typedef struct CrmGammaGammaData
{
	const double *x;      /* orders in the mean: whole numbers, 1 to CRM_BTYD_MAX_X */
	const double *mean;   /* above 0, at most CRM_BTYD_MAX_TIME */
	const double *weight; /* above 0; NULL: each row counts once */
	size_t n;
} CrmGammaGammaData;

typedef struct CrmGammaGamma
{
	double p, q, v;
} CrmGammaGamma;

typedef struct CrmGammaGammaParam
{
	double penalty; /* of the squared logs of p, q - 1 and the mean over that of the data; >= 0 */
} CrmGammaGammaParam;

typedef struct CrmGammaGammaModel
{
	CrmGammaGamma parameter;
	CrmFit fit; /* p, q, v; the covariance is that of ln p, ln(q - 1), ln v */
} CrmGammaGammaModel;

extern void crm_gammagamma_defaults(CrmGammaGammaParam *param);
extern const char *crm_gammagamma_check(const CrmGammaGammaParam *param);
extern const char *crm_gammagamma_check_row(double x, double mean);
extern const char *crm_gammagamma_check_parameters(const CrmGammaGamma *model);
extern CrmStatus crm_gammagamma_collapse(CrmCtx *ctx, const CrmGammaGammaData *data, CrmBtyd *rows);
extern CrmStatus crm_gammagamma_fit(CrmCtx *ctx, const CrmBtyd *rows,
									const CrmGammaGammaParam *param, CrmGammaGammaModel *model);
extern CrmStatus crm_gammagamma_log_likelihood(CrmCtx *ctx, const CrmBtyd *rows,
											   const CrmGammaGamma *model, double *value,
											   double *gradient);
extern double crm_gammagamma_expected_value(const CrmGammaGamma *model, double x, double mean);

#endif
