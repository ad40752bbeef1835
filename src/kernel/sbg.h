/*
 * sbg.h: the shifted beta-geometric model of renewals under contract.
 *
 *     churn chance of a customer   theta ~ Beta(alpha, beta), the same at each renewal
 *     P(T = t)  = B(alpha + 1, beta + t - 1) / B(alpha, beta)      lost at renewal t = 1, 2, ...
 *     S(t)      = B(alpha, beta + t) / B(alpha, beta)              renewed t times
 *     r(t)      = (beta + t - 1) / (alpha + beta + t - 1)        renews at t, having done so before
 *
 * Fader and Hardie 2007, doi 10.1002/dir.20074; residual lifetime: Fader and Hardie 2010,
 * doi 10.1287/mksc.1090.0518. Since P(T = t) = S(t - 1) (1 - r(t)), the likelihood of any mixture
 * of cohorts, those still under contract included (right-censored), needs two counts a renewal: how
 * many renewed at it and how many were lost at it. A retention rate that rises with tenure is
 * explained by the mix of customers alone; no customer changes.
 *
 * Not handled: covariates, changes of a customer's chance with time, contracts of several lengths.
 */
#ifndef CRM_KERNEL_SBG_H
#define CRM_KERNEL_SBG_H

#include "kernel/base/likelihood.h"

#define CRM_SBG_PARAMETERS   2
#define CRM_SBG_RENEWALS_MAX 100000

/* Between these an estimate lies. */
#define CRM_SBG_PARAMETER_MIN 1e-5
#define CRM_SBG_PARAMETER_MAX 1e5

/* Caller-owned counts; element j is of renewal j + 1. */
typedef struct CrmSbgData
{
	int n; /* renewals, 0 to CRM_SBG_RENEWALS_MAX */
	const double *renewed;
	const double *lost;
} CrmSbgData;

typedef struct CrmSbgModel
{
	double alpha, beta;
} CrmSbgModel;

extern const char *crm_sbg_check(const CrmSbgData *data);
extern void crm_sbg_count(const double *renewals, const double *gone, size_t n, int most,
						  double *renewed, double *lost);
extern double crm_sbg_log_likelihood(const CrmSbgData *data, const CrmSbgModel *model,
									 double gradient[CRM_SBG_PARAMETERS]);
extern CrmStatus crm_sbg_fit(CrmCtx *ctx, const CrmSbgData *data, double penalty, CrmFit *fit);
extern double crm_sbg_retention(const CrmSbgModel *model, double renewal);
extern double crm_sbg_survival(const CrmSbgModel *model, double from, double renewals);
extern double crm_sbg_renewals(const CrmSbgModel *model, double from, double horizon,
							   double discount);

#endif
