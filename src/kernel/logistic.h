/*
 * logistic.h: the probability of a yes from numbers, by logistic regression.
 *
 *     P(y = 1 | x) = 1 / (1 + exp(-(b_0 + b'x)))
 *     minimise  sum_i v_i (log(1 + exp(eta_i)) - y_i eta_i)
 *               + V lambda ((1 - alpha) / 2 |g|^2 + alpha |g|_1)
 *
 * v_i is the row's weight times that of its class, V their sum, g_j = b_j s_j the coefficients of
 * the standardised columns (s_j with divisor V), as Friedman, Hastie and Tibshirani 2010
 * (doi 10.18637/jss.v033.i01) have it with standardize = TRUE; the intercept is not penalised.
 * Without penalty it is maximum likelihood, by Newton's method, which here is iteratively
 * reweighted least squares [McCullagh and Nelder 1989, 2.5 and 4.4], with step halving; alpha > 0
 * by coordinate descent on Newton's quadratic model.
 *
 * Stops when the model would lower the objective by less than tolerance / 2.
 *
 * Columns that are constant, or a combination of those before them (their squared rest is below
 * 1e-12 of their square), are dropped: estimate and error are NaN. Separation (Albert and Anderson
 * 1984, doi 10.1093/biomet/71.1.1): where a combination of columns tells the classes apart, wholly
 * or but for rows on the border, estimates would run to infinity; then `separated` says which
 * columns do, and the estimates are those of a weak ridge (a normal prior of standard deviation
 * CRM_LOGISTIC_PRIOR_SD for a coefficient of a standardised column).
 *
 * Invariants: after crm_logistic_arrange nothing depends on the order in which the rows came. Not
 * handled: labels other than 0 and 1, missing values, 2^32 rows and more.
 */
#ifndef CRM_KERNEL_LOGISTIC_H
#define CRM_KERNEL_LOGISTIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/context.h"

#define CRM_LOGISTIC_MAX_FEATURES 1000
#define CRM_LOGISTIC_PRIOR_SD     5.0

/* The caller's arrays; crm_logistic_arrange changes the order of their rows, a fit only reads. */
typedef struct CrmLogisticData
{
	double **columns; /* d of n finite values */
	double *label;    /* n of 0 or 1 */
	double *weights;  /* n of them, finite and >= 0, or NULL: each row counts once */
	size_t n;
	int d;
} CrmLogisticData;

typedef struct CrmLogisticParam
{
	double penalty;         /* lambda >= 0 */
	double l1_ratio;        /* alpha, 0 to 1 */
	bool balanced;          /* classes weigh V / (2 V_c), as much as one another */
	double class_weight[2]; /* of the labels 0 and 1, > 0; not read when balanced */
	int max_iterations;     /* >= 1 */
	double tolerance;       /* > 0 */
} CrmLogisticParam;

typedef enum CrmLogisticState
{
	CRM_LOGISTIC_FITTED,
	CRM_LOGISTIC_SEPARATED, /* the estimates are those of the weak ridge */
	CRM_LOGISTIC_ONE_CLASS  /* every label is the same: an intercept alone, log odds of
							   (yes + 1/2) / (no + 1/2) */
} CrmLogisticState;

typedef enum CrmColumnState
{
	CRM_COLUMN_KEPT,
	CRM_COLUMN_CONSTANT,
	CRM_COLUMN_COLLINEAR
} CrmColumnState;

/* In each array the intercept comes first, then the columns: d + 1 elements. */
typedef struct CrmLogisticModel
{
	int d;
	double *estimate;      /* NaN when dropped */
	double *error;         /* standard errors, by the inverse of the (penalised) information; NaN
							  when dropped, with an L1 penalty, and of one class */
	double *covariance;    /* (d + 1)^2, 0 in rows and columns that were dropped */
	double *scale;         /* standard deviation of each column, divisor V; of the intercept 0 */
	unsigned char *column; /* CrmColumnState */
	unsigned char *separates;
	CrmLogisticState state;
	bool converged;
	int iterations;                                      /* Newton's, of the last fit */
	double deviance, null_deviance, log_likelihood, aic; /* aic counts the columns kept */
	double total_weight;
	size_t yes; /* rows with label 1 */
	int rank;   /* coefficients kept, the intercept included */
} CrmLogisticModel;

extern void crm_logistic_defaults(CrmLogisticParam *param);
extern bool crm_logistic_check(const CrmLogisticParam *param, char *why, size_t n);
extern size_t crm_logistic_bytes(size_t n, int d);
extern CrmStatus crm_logistic_arrange(CrmCtx *ctx, CrmLogisticData *data);
extern CrmStatus crm_logistic_fit(CrmCtx *ctx, const CrmLogisticData *data,
								  const CrmLogisticParam *param, CrmLogisticModel *model);
extern void crm_logistic_model_free(CrmCtx *ctx, CrmLogisticModel *model);
extern double crm_logistic_predict(const double *coefficients, const double *features, int d);

#endif
