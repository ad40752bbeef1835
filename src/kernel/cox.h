/*
 * cox.h: what makes customers leave sooner or later, by Cox's proportional hazards.
 *
 *     hazard(t | x) = h_s(t) exp(b'(x - mean))        s the stratum
 *
 * Cox 1972 (doi 10.1111/j.2517-6161.1972.tb00899.x): b maximises the partial likelihood, ties by
 * Efron or Breslow (cox_pass.h), by Newton's method with step halving on standardised columns;
 * stops when the model would raise the log-likelihood by less than tolerance / 2.
 *
 * Concordance is Harrell's, within strata (cox_concordance.h). The cumulative baseline hazard, at
 * the mean of all columns, adds sum_k 1 / (S0 - f_k D0) at each time. Proportional hazards are
 * tested by the score test for b(t) = b + c g(t), which is Grambsch and Therneau's (1994, doi
 * 10.1093/biomet/81.3.515) test on scaled Schoenfeld residuals with the information of each time
 * instead of its mean, as R's cox.zph has it since survival 3.0.
 *
 * Columns that are constant, or a combination of those before them among those at risk (the
 * squared rest below 1e-11), are dropped: estimate and error are NaN. Where the likelihood rises
 * for ever along a column (for one thing, when none of its customers leave), `monotone` says so and
 * the estimates are those of a weak ridge: a normal prior of standard deviation CRM_COX_PRIOR_SD
 * for a coefficient of a standardised column.
 *
 * Invariants: after crm_cox_arrange nothing depends on the order in which the rows came. Not
 * handled: weights, covariates that change (give a row for each stretch of time), NaN.
 */
#ifndef CRM_KERNEL_COX_H
#define CRM_KERNEL_COX_H

#include "kernel/cox_pass.h"

#define CRM_COX_MAX_COVARIATES 500
#define CRM_COX_PRIOR_SD       5.0

typedef struct CrmCoxParam
{
	bool efron;         /* else Breslow */
	bool identity;      /* g(t) = t in the test of proportionality, else 1 - S(t-) */
	int max_iterations; /* >= 1 */
	double tolerance;   /* > 0 */
} CrmCoxParam;

typedef enum CrmCoxState
{
	CRM_COX_FITTED,
	CRM_COX_MONOTONE, /* the estimates are those of the weak ridge */
	CRM_COX_NO_EVENT  /* nobody leaves: nothing can be estimated */
} CrmCoxState;

typedef enum CrmCoxColumn
{
	CRM_COX_KEPT,
	CRM_COX_CONSTANT,
	CRM_COX_COLLINEAR
} CrmCoxColumn;

/* A time at which somebody leaves; strata ascend, times ascend within them. */
typedef struct CrmCoxBaseline
{
	uint32_t row; /* one of the caller's rows (arranged) of the stratum */
	double time;
	double hazard; /* cumulative, all columns at their mean */
} CrmCoxBaseline;

/* Arrays of d elements but where said. */
typedef struct CrmCoxModel
{
	int d;
	double *estimate, *error; /* NaN when dropped */
	double *covariance;       /* d x d, 0 where dropped */
	double *mean, *scale;     /* of the columns over all rows */
	double *zph;              /* chi-squared, 1 degree, of each column's proportionality; NaN */
	unsigned char *column;    /* CrmCoxColumn */
	unsigned char *monotone;
	CrmCoxState state;
	bool converged;
	int iterations, rank; /* rank: columns kept */
	size_t events;
	double null_log_likelihood, log_likelihood;
	double wald, score;                    /* chi-squared tests of all columns, rank degrees */
	double zph_global;                     /* of rank degrees; NaN where it is undefined */
	double concordance, concordance_error; /* NaN when no pair can be compared */
	CrmCoxBaseline *baseline;
	size_t baselines;
} CrmCoxModel;

extern void crm_cox_defaults(CrmCoxParam *param);
extern size_t crm_cox_bytes(size_t n, int d, bool has_entry);
extern CrmStatus crm_cox_arrange(CrmCtx *ctx, CrmCoxData *data);
extern CrmStatus crm_cox_model_begin(CrmCtx *ctx, int d, size_t times, CrmCoxModel *model);
extern CrmStatus crm_cox_fit(CrmCtx *ctx, const CrmCoxData *data, const CrmCoxParam *param,
							 CrmCoxModel *model);
extern void crm_cox_model_free(CrmCtx *ctx, CrmCoxModel *model);
extern double crm_cox_predict(const double *times, const double *hazard, size_t n, double eta,
							  double since, double at);
extern double crm_cox_score(const double *coefficients, const double *mean, const double *features,
							int d);

#endif
