/*
 * sbg.h: the shifted beta-geometric model of renewals under contract.
 *
 *     churn chance of a customer   theta ~ Beta(alpha, beta), the same at each renewal
 *     P(T = t)  = B(alpha + 1, beta + t - 1) / B(alpha, beta)      lost at renewal t = 1, 2, ...
 *     S(t)      = B(alpha, beta + t) / B(alpha, beta)              renewed t times
 *     r(t)      = (beta + t - 1) / (alpha + beta + t - 1)        renews at t, having done so before
 *
 * Fader and Hardie 2007, doi 10.1002/dir.20074; residual lifetime: Fader and Hardie 2010,
 * doi 10.1287/mksc.1080.0482. Since P(T = t) = S(t - 1) (1 - r(t)), the likelihood of any mixture
 * of cohorts, those still under contract included (right-censored), needs two counts a renewal: how
 * many renewed at it and how many were lost at it. A retention rate that rises with tenure is
 * explained by the mix of customers alone; no customer changes.
 *
 * A contract that renewed n times and meets its next renewal in w years is worth
 *
 *     V = value e^(-d w) sum over k = 1 .. h of e^(-d p (k - 1)) S(n + k) / S(n)
 *
 * with d the continuous yearly rate, p the years of a period, h the renewals in the horizon: each
 * renewal pays a period in advance, and the period that runs is paid for. For w = 0 and h infinite
 * it is value x DERL of Fader and Hardie 2010. The interval of a customer's value, the sum of those
 * of his contracts, is that of the parameters' uncertainty, by the delta method on ln V; V's slopes
 * by ln alpha and ln beta are sums of the same terms, each times that of ln S(n + k) / S(n).
 *
 * Not handled: covariates, changes of a customer's chance with time, contracts of several lengths.
 */
#ifndef CRM_KERNEL_SBG_H
#define CRM_KERNEL_SBG_H

#include "kernel/base/likelihood.h"

#define CRM_SBG_PARAMETERS   2
#define CRM_SBG_RENEWALS_MAX 100000

/* A fit needs so many contracts that met a renewal. */
#define CRM_SBG_CONTRACTS_MIN 3

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

/* What contracts are valued by. */
typedef struct CrmSbgTerms
{
	CrmSbgModel model;    /* alpha NaN: not known, and then no value is */
	double covariance[4]; /* of ln alpha, ln beta; NaN: not known */
	double discount;      /* continuous, a year, 0 or above */
	double years;         /* of a period, above zero */
	double margin;        /* share of a payment that is earned */
	double level;         /* of the interval, in (0, 1) */
} CrmSbgTerms;

/* One contract that runs. */
typedef struct CrmSbgContract
{
	double renewals; /* made so far */
	double horizon;  /* how many of the next ones count */
	double wait;     /* years to the next one, 0 or above */
	double value;    /* what a period pays, 0 or above */
} CrmSbgContract;

/* What a customer's contracts come to; all zero before the first one. */
typedef struct CrmSbgValue
{
	double contracts;
	double retention; /* summed over the contracts; their mean after crm_sbg_finish */
	double renewals;  /* expected in the horizon */
	double value;     /* what a period pays */
	double clv;
	double slope[CRM_SBG_PARAMETERS]; /* of clv by ln alpha, ln beta */
	double residual;                  /* infinite where the sum is */
	double low, high;                 /* set by crm_sbg_finish; NaN: not known */
} CrmSbgValue;

typedef struct CrmSbgScorer CrmSbgScorer;

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
extern double crm_sbg_median(const CrmSbgModel *model, double from);
extern CrmStatus crm_sbg_estimate(CrmCtx *ctx, const CrmSbgData *data, double penalty, CrmFit *fit);
extern CrmStatus crm_sbg_begin(CrmCtx *ctx, const CrmSbgTerms *terms, CrmSbgScorer **scorer);
extern void crm_sbg_add(CrmSbgScorer *scorer, const CrmSbgContract *contract, CrmSbgValue *value);
extern void crm_sbg_finish(const CrmSbgScorer *scorer, CrmSbgValue *value);
extern void crm_sbg_end(CrmCtx *ctx, CrmSbgScorer *scorer);

#endif
