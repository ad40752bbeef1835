/*
 * paretonbd_covariates_rows.h: customers with covariates as a likelihood wants them: equal ones
 * collapsed, columns centred and scaled, useless columns left out.
 *
 *     w_ij = (z_ij - mean_j) / scale_j,    mean and standard deviation (divisor n) of all customers
 *
 * A column that has one value is constant; one whose rest, after the columns before it, is shorter
 * than 1e-6 of it is collinear (base/dense.h). Either is left out of its process.
 *
 * Invariants: distinct rows stand in the order of a hash of their values, which knows nothing of
 * the order in which they came; so the first of them are as good as drawn at random. Not handled:
 * 2^31 rows and more, values that are not finite.
 */
#ifndef CRM_KERNEL_PARETONBD_COVARIATES_ROWS_H
#define CRM_KERNEL_PARETONBD_COVARIATES_ROWS_H

#include "kernel/base/context.h"

#define CRM_COVARIATES_MAX 60 /* of both processes together */

/* What a covariate may act on. */
typedef enum CrmProcess
{
	CRM_PURCHASE, /* the rate of purchase */
	CRM_DROPOUT,  /* the rate of leaving */
	CRM_PROCESSES
} CrmProcess;

typedef enum CrmCovariateState
{
	CRM_COVARIATE_KEPT,
	CRM_COVARIATE_CONSTANT,
	CRM_COVARIATE_COLLINEAR,
	CRM_COVARIATE_AT_BOUND /* kept, but its coefficient runs away: set by the fit */
} CrmCovariateState;

/* The caller's columns of n customers. */
typedef struct CrmCovariatesData
{
	const double *x, *t_x, *t; /* as in base/btyd.h */
	size_t n;
	const double *const *column[CRM_PROCESSES]; /* finite values, n each */
	int d[CRM_PROCESSES];
} CrmCovariatesData;

typedef struct CrmCovariate
{
	CrmCovariateState state;
	double mean, scale;
} CrmCovariate;

typedef struct CrmCovariateRows
{
	size_t n, room;
	double *x, *t_x, *t, *weight;
	double *w[CRM_PROCESSES]; /* n rows of `kept` values */
	int kept[CRM_PROCESSES];
	CrmCovariate covariate[CRM_PROCESSES][CRM_COVARIATES_MAX]; /* of all columns */
	double total;                                              /* customers */
	double repeat, orders;
	double mean_t;
} CrmCovariateRows;

extern CrmStatus crm_covariate_rows_make(CrmCtx *ctx, const CrmCovariatesData *data,
										 CrmCovariateRows *rows);
extern void crm_covariate_rows_free(CrmCtx *ctx, CrmCovariateRows *rows);

#endif
