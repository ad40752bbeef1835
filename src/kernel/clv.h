/*
 * clv.h: lifetime value from a model of orders and a model of spend.
 *
 *     CLV      = margin E[Z] integral over (0, h] of e^(-d s) dE[Y(s)]
 *              = margin E[Z] (e^(-d h) E[Y(h)] + d integral over (0, h) of e^(-d s) E[Y(s)] ds)
 *     residual = the same with h infinite: discounted expected residual transactions x spend
 *
 * Y(s) are the orders in the s periods after T of a customer with (x, t_x, T), Z is the value of an
 * order, d the continuous rate of discount a period. Fader, Hardie and Lee 2005,
 * doi 10.1509/jmkr.2005.42.4.415. Where opportunities are discrete (BG/BB) the integrals are sums.
 *
 * E[Y(s)] is P(alive | x, t_x, T) times a function of (x, T) alone, and so are the integrals. As
 * functions of ln(1 + T / c), c the least parameter that times are added to, they are analytic
 * within pi of the line: for each x to 255 they are taken at the 12 points of Chebyshev of a panel
 * of length 1/2, when a customer of it comes by first, and interpolated between them (relative
 * error 1e-11 of what the kernels give). Panels are kept in a cache of fixed size; where they lie
 * depends on the parameters alone.
 *
 * The interval is that of the parameters' uncertainty, not of what one customer happens to do: by
 * the delta method on the logarithm, var ln CLV = g' S g with S the covariance of the logarithms of
 * the parameters and g the derivatives of ln CLV by them (central differences for BG/BB).
 *
 * Invariants: nothing is negative, infinite or NaN for parameters within the estimates' bounds; a
 * result does not depend on the customers before it. Not handled: seasons, prices that change.
 */
#ifndef CRM_KERNEL_CLV_H
#define CRM_KERNEL_CLV_H

#include "kernel/base/context.h"

#define CRM_CLV_PARAMETERS       4
#define CRM_CLV_SPEND_PARAMETERS 3

typedef enum CrmClvKind
{
	CRM_CLV_BGNBD,
	CRM_CLV_MBGNBD,
	CRM_CLV_PARETONBD,
	CRM_CLV_BGBB,
	CRM_CLV_FORMULA, /* no parameters: the rate of the past goes on */
	CRM_CLV_KINDS
} CrmClvKind;

typedef enum CrmClvSpend
{
	CRM_CLV_GAMMA_GAMMA,
	CRM_CLV_MEAN
} CrmClvSpend;

typedef struct CrmClvModel
{
	CrmClvKind kind;
	double theta[CRM_CLV_PARAMETERS];
	double covariance[CRM_CLV_PARAMETERS * CRM_CLV_PARAMETERS]; /* of ln theta; NaN: not known */
	CrmClvSpend spend;
	double spend_theta[CRM_CLV_SPEND_PARAMETERS]; /* p, q, v */
	/* of ln p, ln(q - 1), ln v */
	double spend_covariance[CRM_CLV_SPEND_PARAMETERS * CRM_CLV_SPEND_PARAMETERS];
	double mean_value; /* of an order of anybody: where a customer's own is of no use */
} CrmClvModel;

typedef struct CrmClvParam
{
	double horizon;  /* periods, above zero */
	double discount; /* continuous, a period, 0 or above */
	double margin;   /* share of the amount that is earned, above zero */
	double level;    /* of the interval, in (0, 1) */
} CrmClvParam;

typedef struct CrmClvCustomer
{
	double x, t_x, t;
	double mean;      /* of a repeat transaction; NaN when there is none */
	double mean_each; /* of a transaction */
} CrmClvCustomer;

typedef struct CrmClvValue
{
	double p_alive;         /* NaN for the formula */
	double expected_orders; /* in the horizon */
	double p_any_order;     /* in the horizon */
	double order_value;
	double clv, low, high; /* low and high NaN where the uncertainty is not known */
	double residual;       /* NaN without discount */
	double gap;            /* mean periods to the next order while active; NaN where unknown */
} CrmClvValue;

typedef struct CrmClvScorer CrmClvScorer;

extern int crm_clv_parameters(CrmClvKind kind, const char *const **names);
extern double crm_clv_p_alive(CrmClvKind kind, const double *theta, double x, double t_x, double t);
extern double crm_clv_orders_if_alive(CrmClvKind kind, const double *theta, double x, double t,
									  double horizon);
extern double crm_clv_pmf(CrmClvKind kind, const double *theta, double x, double t);
extern double crm_clv_z(double level);
extern CrmStatus crm_clv_begin(CrmCtx *ctx, const CrmClvModel *model, const CrmClvParam *param,
							   CrmClvScorer **scorer);
extern void crm_clv_score(CrmClvScorer *scorer, const CrmClvCustomer *customer, CrmClvValue *value);
extern void crm_clv_end(CrmCtx *ctx, CrmClvScorer *scorer);

#endif
