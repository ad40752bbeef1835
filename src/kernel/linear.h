/*
 * linear.h: a number from numbers, by least squares.
 *
 *     y = b_0 + b'x + e,   minimise sum_i v_i e_i^2
 *
 * by Householder's QR of the columns around their weighted means, block by block of rows
 * (base/dense.h), so a matrix whose columns are nearly collinear keeps its digits, and memory does
 * not grow with the rows. Standard errors are sigma^2 (X'VX)^-1, sigma^2 = RSS / (n - rank)
 * [Golub and Van Loan, Matrix Computations, 5.3].
 *
 * Columns that are constant, or whose rest after those before them is below 1e-7 of their length
 * (as R's lm has it), are dropped: estimate and error are NaN. Rows of weight 0 count nowhere.
 *
 * Invariants: after crm_linear_arrange nothing depends on the order in which the rows came. Not
 * handled: missing values, 2^32 rows and more.
 */
#ifndef CRM_KERNEL_LINEAR_H
#define CRM_KERNEL_LINEAR_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/base/context.h"

#define CRM_LINEAR_MAX_FEATURES 1000

/* The caller's arrays; crm_linear_arrange changes the order of their rows, a fit only reads. */
typedef struct CrmLinearData
{
	double **columns; /* d of n finite values */
	double *response; /* n finite values */
	double *weights;  /* n of them, finite and >= 0, or NULL: each row counts once */
	size_t n;
	int d;
} CrmLinearData;

typedef enum CrmLinearColumn
{
	CRM_LINEAR_KEPT,
	CRM_LINEAR_CONSTANT,
	CRM_LINEAR_COLLINEAR
} CrmLinearColumn;

/* In each array the intercept comes first, then the columns: d + 1 elements. */
typedef struct CrmLinearModel
{
	int d;
	double *estimate; /* NaN when dropped */
	double *error;    /* NaN when dropped, or when no degree of freedom is left */
	double *scale;    /* standard deviation of each column, divisor the weights' sum; 0 first */
	unsigned char *column; /* CrmLinearColumn */
	int rank;              /* coefficients kept, the intercept included */
	size_t used;           /* rows of weight above 0 */
	double df;             /* used - rank */
	double sigma;          /* NaN without a degree of freedom */
	double rss, tss;       /* sums of squares: of residuals, and of y around its mean */
	double r_squared, adjusted_r_squared, f; /* NaN where undefined */
	double log_likelihood, aic;              /* as R: sigma counts as a parameter */
} CrmLinearModel;

extern size_t crm_linear_bytes(size_t n, int d);
extern CrmStatus crm_linear_arrange(CrmCtx *ctx, CrmLinearData *data);
extern CrmStatus crm_linear_fit(CrmCtx *ctx, const CrmLinearData *data, CrmLinearModel *model);
extern void crm_linear_model_free(CrmCtx *ctx, CrmLinearModel *model);
extern double crm_linear_predict(const double *coefficients, const double *features, int d);

#endif
