/*
 * paretonbd_covariates_loss.c: see paretonbd_covariates_loss.h.
 */
#include <math.h>

#include "kernel/base/special.h"
#include "kernel/base/sum.h"
#include "kernel/paretonbd_covariates_loss.h"
#include "kernel/paretonbd_integral.h"

#define PARAMETERS CRM_PARETONBD_PARAMETERS
#define POLL_ROWS  1024
#define FARTHEST   40.0 /* of the log of alpha_i or beta_i from that of the mean T */

/*
 * Give alpha_i or beta_i of row i from its log at the means; *free says whether it depends on the
 * point, which it does not far out, where it stands still.
 */
static double
rate_of(const CrmCovariatesTask *task, CrmProcess p, double log_mean, const double *coefficients,
		size_t i, bool *free)
{
	const double *w = task->rows->w[p] + i * (size_t) task->rows->kept[p];
	double middle = task->middle, value = log_mean;

	for (int j = 0; j < task->d[p]; j++)
		value -= coefficients[j] * w[j];
	*free = fabs(value - middle) < FARTHEST;
	return exp(fmin(fmax(value, middle - FARTHEST), middle + FARTHEST));
}

/*
 * Give the log-likelihood of a row with that alpha and beta, and in slope its derivatives by ln r,
 * ln alpha, ln s, ln beta.
 */
static double
row_likelihood(const CrmCovariateRows *rows, size_t i, const CrmParetonbd *at, double *slope)
{
	double shape = at->r + rows->x[i], t = rows->t[i];
	double log_a = log(at->alpha + t), log_b = log(at->beta + t);
	double log_alpha = log(at->alpha), log_beta = log(at->beta);
	CrmParetonbdIntegral integral = {.alpha = at->alpha,
									 .beta = at->beta,
									 .a = shape,
									 .b = at->s + 1.0,
									 .y0 = rows->t_x[i],
									 .y1 = t,
									 .log_alpha = log(at->alpha + rows->t_x[i]),
									 .log_beta = log(at->beta + rows->t_x[i])};
	CrmParetonbdMeans means;
	double stays = -shape * log_a - at->s * log_b;
	double left = log(at->s) + crm_paretonbd_log_integral(&integral, &means);
	double e = exp(-fabs(left - stays)), p = (left > stays ? 1.0 : e) / (1.0 + e), q = 1.0 - p;

	slope[0] = at->r * (crm_digamma_difference(at->r, rows->x[i]) + log_alpha - q * log_a -
						p * means.log_alpha);
	slope[1] = at->r - at->alpha * shape * (q / (at->alpha + t) + p * means.inverse_alpha);
	slope[2] = at->s * (log_beta - q * log_b - p * (means.log_beta - 1.0 / at->s));
	slope[3] =
		at->s - at->beta * (q * at->s / (at->beta + t) + p * (at->s + 1.0) * means.inverse_beta);
	return crm_log_gamma_ratio(at->r, rows->x[i]) + at->r * log_alpha + at->s * log_beta +
		   fmax(left, stays) + log1p(e);
}

/* Give the log-likelihood of a task's rows, and in gradient, if any, its derivatives by theta. */
static double
log_likelihood(const CrmCovariatesTask *task, const double *theta, double *gradient)
{
	const CrmCovariateRows *rows = task->rows;
	const double *coefficients[] = {theta + PARAMETERS, theta + PARAMETERS + task->d[CRM_PURCHASE]};
	CrmParetonbd at = {.r = exp(theta[0]), .s = exp(theta[2])};
	CrmSum sum = {0.0, 0.0}, slopes[CRM_OPTIMISE_MAX] = {{0.0, 0.0}};
	double slope[PARAMETERS];

	for (size_t i = 0; i < task->n; i++)
	{
		double weight = rows->weight[i];
		bool is_free[CRM_PROCESSES];
		CrmSum *next = slopes;

		if (i % POLL_ROWS == 0 && crm_pending(task->ctx))
			return NAN;
		at.alpha =
			rate_of(task, CRM_PURCHASE, theta[0] - theta[1], coefficients[0], i, &is_free[0]);
		at.beta = rate_of(task, CRM_DROPOUT, theta[2] - theta[3], coefficients[1], i, &is_free[1]);
		crm_sum_add(&sum, weight * row_likelihood(rows, i, &at, slope));
		if (gradient == NULL)
			continue;
		for (int p = 0; p < CRM_PROCESSES; p++)
		{
			slope[2 * p + 1] = is_free[p] ? weight * slope[2 * p + 1] : 0.0;
			crm_sum_add(next++, weight * slope[2 * p] + slope[2 * p + 1]);
			crm_sum_add(next++, -slope[2 * p + 1]);
		}
		for (int p = 0; p < CRM_PROCESSES; p++)
			for (int j = 0; j < task->d[p]; j++)
				crm_sum_add(next++, -slope[2 * p + 1] *
										rows->w[p][i * (size_t) rows->kept[p] + (size_t) j]);
	}
	for (int j = 0; gradient != NULL && j < PARAMETERS + task->d[0] + task->d[1]; j++)
		gradient[j] = crm_sum_value(slopes[j]);
	return crm_sum_value(sum);
}

/* Begin a task of all rows and all columns, without a penalty. */
void
crm_covariates_begin(CrmCtx *ctx, const CrmCovariateRows *rows, CrmCovariatesTask *task)
{
	*task = (CrmCovariatesTask){.ctx = ctx,
								.rows = rows,
								.n = rows->n,
								.total = rows->total,
								.middle = log(rows->mean_t > 0.0 ? rows->mean_t : 1.0),
								.d = {rows->kept[0], rows->kept[1]}};
}

/*
 * Give -log-likelihood / total + penalty (the sum of the squared coefficients) of a task's rows at
 * theta, and its gradient unless that is NULL; user is the task. For base/optimise: anything once a
 * poll is due.
 */
double
crm_covariates_loss(void *user, const double *theta, double *gradient)
{
	const CrmCovariatesTask *task = user;
	int d = task->d[0] + task->d[1];
	double value = -log_likelihood(task, theta, gradient) / task->total;

	for (int j = 0; gradient != NULL && j < PARAMETERS + d; j++)
		gradient[j] /= -task->total;
	for (int j = PARAMETERS; j < PARAMETERS + d; j++)
	{
		value += task->penalty * theta[j] * theta[j];
		if (gradient != NULL)
			gradient[j] += 2.0 * task->penalty * theta[j];
	}
	return value;
}
