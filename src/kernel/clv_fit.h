/*
 * clv_fit.h: a model of orders fitted to customers, or chosen among those that may be.
 *
 * auto fits BG/NBD, MBG/NBD and Pareto/NBD, which are likelihoods of the same data with four
 * parameters each, so that AIC = 8 - 2 log L compares them. It takes the one of least AIC; where
 * another one is within TIE of it, the one with the larger likelihood of customers that it has not
 * seen (about half of them, by a seed, the models fitted to the others). BG/NBD holds every
 * customer of one order to be active with certainty, so it is taken only when it is better than
 * the others by more than that.
 */
#ifndef CRM_KERNEL_CLV_FIT_H
#define CRM_KERNEL_CLV_FIT_H

#include "kernel/base/btyd.h"
#include "kernel/base/likelihood.h"
#include "kernel/base/sum.h"
#include "kernel/clv.h"

#define CRM_CLV_AUTO CRM_CLV_KINDS /* in place of a kind: choose */

typedef struct CrmClvFitParam
{
	CrmClvKind kind; /* or CRM_CLV_AUTO */
	double penalty;  /* of the squared logarithms of the parameters */
	uint64_t seed;   /* of auto's halves */
} CrmClvFitParam;

typedef struct CrmClvFit
{
	CrmClvKind kind; /* the one fitted or chosen; CRM_CLV_FORMULA where there is too little data */
	CrmFit fit;
	int candidates; /* of auto, 0 otherwise; what follows is theirs */
	CrmClvKind candidate[CRM_CLV_KINDS];
	double aic[CRM_CLV_KINDS];
	double holdout[CRM_CLV_KINDS]; /* log-likelihood of the unseen half; NaN when not asked for */
	bool by_holdout;               /* the AICs did not decide */
} CrmClvFit;

/* What customers spent: caller-owned columns of n. */
typedef struct CrmClvSpendData
{
	const double *x;
	const double *mean;      /* of a repeat transaction; NaN when x is 0 */
	const double *mean_each; /* of a transaction */
	size_t n;
} CrmClvSpendData;

/* The same, one customer after the other: those whose spend tells something, owned by ctx. */
typedef struct CrmClvSpendRows
{
	double *x, *mean; /* room for each */
	size_t room, n;
	CrmSum sum;    /* of the means of transactions */
	int64_t count; /* of these */
} CrmClvSpendRows;

extern CrmStatus crm_clv_fit(CrmCtx *ctx, const CrmBtydData *data, const CrmClvFitParam *param,
							 CrmClvFit *fit);
extern void crm_clv_take(const CrmClvFit *fit, CrmClvModel *model);
extern CrmStatus crm_clv_fit_spend(CrmCtx *ctx, const CrmClvSpendData *data, CrmClvSpend spend,
								   CrmClvModel *model, CrmFit *fit);
extern CrmStatus crm_clv_spend_begin(CrmCtx *ctx, size_t room, CrmClvSpendRows *rows);
extern void crm_clv_spend_add(CrmClvSpendRows *rows, double x, double mean, double mean_each);
extern CrmStatus crm_clv_spend_fit(CrmCtx *ctx, CrmClvSpendRows *rows, CrmClvModel *model,
								   CrmFit *fit);

#endif
