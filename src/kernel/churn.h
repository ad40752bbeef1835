/*
 * churn.h: the chance that a customer does not order within a horizon, by three methods, what is at
 * stake, and which facts carried most weight.
 *
 *     alive     1 - P(at least one order in the horizon) of the model of orders that kernel/clv.h
 *               fits; not 1 - P(alive): a customer may be alive and stay away for the horizon, and
 *               it is the order, or its absence, that a past cut shows
 *     gap       by the silence beside the customer's own rhythm (kernel/churn_gap.h)
 *     logistic  P = 1 / (1 + exp(-(b_0 + b'x))) of the features x at past cuts, by logistic
 *               regression with a normal prior of standard deviation 1 for the coefficient of a
 *               standardised column (kernel/logistic.h, penalty 1 / n)
 *     base      the share of those who churned, (c + 1/2) / (n + 1): where nothing can be learnt
 *
 * A feature that is missing (NaN), or speaks of gaps where a customer came once, counts as its mean
 * over the rows of the fit. Each contribution to
 * the logistic logit is b_j (x_j - mean_j).
 *
 * Expected revenue at risk is p x r x h x a: r = (v + 1) / (t + G) is the rate at which customers
 * come while they come, of v gaps in t days, drawn towards that of everybody, 1 / G (a gamma prior
 * of one gap in G days, G days of all gaps over their number); h the horizon, a the customer's mean
 * amount.
 *
 * Choosing: the method of the least log-loss at a cut it has not seen.
 *
 * Invariants: 0 <= p <= 1; nothing depends on the order of the rows but rounding in the logistic
 * fit, whose rows come in the order of keys.
 */
#ifndef CRM_KERNEL_CHURN_H
#define CRM_KERNEL_CHURN_H

#include "kernel/base/btyd.h"
#include "kernel/base/snapshot.h"
#include "kernel/churn_gap.h"
#include "kernel/clv_fit.h"
#include "kernel/logistic.h"

#define CRM_CHURN_MEDIUM   (1.0 / 3.0) /* from here on the band is medium */
#define CRM_CHURN_HIGH     (2.0 / 3.0) /* from here on high */
#define CRM_CHURN_FEW      30          /* rows that a fit needs */
#define CRM_CHURN_FEW_EACH 5           /* of them with each label */
#define CRM_CHURN_REASONS  3
/* numbers that a packed model of d features has at most */
#define CRM_CHURN_PACKED(d) (4 + CRM_CLV_PARAMETERS + CRM_CHURN_GROUPS * CRM_CHURN_BINS + 2 * (d))

typedef enum CrmChurnMethod
{
	CRM_CHURN_ALIVE,
	CRM_CHURN_GAP,
	CRM_CHURN_LOGISTIC,
	CRM_CHURN_METHODS,
	CRM_CHURN_BASE = CRM_CHURN_METHODS
} CrmChurnMethod;

typedef enum CrmChurnState
{
	CRM_CHURN_OK,
	CRM_CHURN_FEW_ROWS,   /* the base rate serves, or for alive the formula of kernel/clv.h */
	CRM_CHURN_NO_CHURNER, /* nobody churned in the past: the base rate serves */
	CRM_CHURN_ALL_CHURNED,
	CRM_CHURN_NOT_CONVERGED
} CrmChurnState;

/* Rows of customers at cuts: d columns of n, NaN for a value that is missing, and labels. */
typedef struct CrmChurnRows
{
	double **columns; /* those of base/snapshot.h first; a fit fills the gaps */
	double *label;    /* n of 0 or 1 */
	size_t n;
	int d;
} CrmChurnRows;

typedef struct CrmChurnModel
{
	CrmChurnMethod method; /* the one that scores: CRM_CHURN_BASE where the one wanted cannot */
	CrmChurnState state;
	double horizon; /* days */
	int64_t rows, churned;
	double base;
	CrmChurnGap gap;
	int d;
	double *estimate;   /* logistic: d + 1, the intercept first; 0 of a dropped column */
	double *mean;       /* d */
	CrmClvModel orders; /* alive */
} CrmChurnModel;

/* A customer as the methods see it; each reads its own part. */
typedef struct CrmChurnCustomer
{
	double silence, mean_gap; /* days; NaN: came once */
	const double *features;   /* d */
	CrmClvCustomer orders;
} CrmChurnCustomer;

/* A fact and what it adds to the score; index is a feature, or one of enum CrmChurnFact. */
typedef struct CrmChurnReason
{
	int index;
	double weight; /* above 0: speaks for churn; 0: no reason */
} CrmChurnReason;

enum CrmChurnFact
{
	CRM_CHURN_FACT_SILENCE = -1,
	CRM_CHURN_FACT_RHYTHM = -2,
	CRM_CHURN_FACT_ALIVE = -3, /* the chance that the customer is still active */
	CRM_CHURN_FACT_RATE = -4   /* the chance of no order from an active customer */
};

typedef struct CrmChurnScore
{
	double p;
	double p_alive; /* of alive; NaN otherwise */
	CrmChurnReason reason[CRM_CHURN_REASONS];
} CrmChurnScore;

typedef struct CrmChurnScorer
{
	const CrmChurnModel *model;
	CrmClvScorer *orders;
} CrmChurnScorer;

extern void crm_churn_fit_base(CrmChurnModel *model, const double *label, size_t n);
extern CrmStatus crm_churn_fit_gap(CrmCtx *ctx, const CrmChurnRows *rows, CrmChurnModel *model);
extern void crm_churn_take_gap(CrmChurnModel *model);
extern CrmStatus crm_churn_fill(CrmCtx *ctx, CrmChurnRows *rows, double *mean, size_t *missing);
extern CrmStatus crm_churn_fit_logistic(CrmCtx *ctx, CrmChurnRows *rows, CrmChurnModel *model);
extern CrmStatus crm_churn_fit_alive(CrmCtx *ctx, const CrmBtydData *data, uint64_t seed,
									 CrmChurnModel *model);
extern CrmStatus crm_churn_begin(CrmCtx *ctx, const CrmChurnModel *model, CrmChurnScorer *scorer);
extern void crm_churn_score(const CrmChurnScorer *scorer, const CrmChurnCustomer *customer,
							CrmChurnScore *score);
extern void crm_churn_end(CrmCtx *ctx, CrmChurnScorer *scorer);
extern void crm_churn_free(CrmCtx *ctx, CrmChurnModel *model);
extern int crm_churn_pack(const CrmChurnModel *model, double *numbers);
extern bool crm_churn_unpack(CrmChurnModel *model, double *numbers, int n);
extern int crm_churn_band(double p);
extern double crm_churn_revenue(double gaps, double days, double usual_gap, double horizon,
								double value);
extern double crm_churn_log_loss(const double *p, const double *label, size_t n);

#endif
