/*
 * paretonbd.c: the likelihood of Pareto/NBD, its gradient and its fit; see paretonbd.h.
 *
 * What depends on x alone is computed once for each distinct x, the logs of 1 + time / alpha and
 * 1 + time / beta once for each distinct time; a distinct row costs its integral. As
 *
 *     L = Gamma(r + x) / Gamma(r) alpha^-x {(1 + T / alpha)^-(r + x) (1 + T / beta)^-s + s / beta
 *         integral from t_x to T of (1 + y / alpha)^-(r + x) (1 + y / beta)^-(s + 1) dy}
 *
 * nothing grows with r or s where these run to infinity along with alpha or beta, as they do when
 * customers do not differ: the derivatives keep their digits there.
 */
#include <math.h>
#include <string.h>

#include "kernel/base/special.h"
#include "kernel/base/sum.h"
#include "kernel/paretonbd.h"
#include "kernel/paretonbd_integral.h"

#define POLL_ROWS 1024
#define SAMPLE    5000 /* distinct rows that show where to start on more than twice that */
#define BOUND     11.5 /* of the logs of r and s, and of alpha and beta over the mean T */

typedef struct Task
{
	CrmCtx *ctx;
	const CrmBtyd *data;
	double *log_alpha; /* n_t: ln(1 + time / alpha) */
	double *log_beta;  /* n_t: ln(1 + time / beta) */
} Task;

/* Fill a parameter with the defaults: no penalty. */
void
crm_paretonbd_defaults(CrmParetonbdParam *param)
{
	*param = (CrmParetonbdParam){.penalty = 0.0};
}

/* Say why a parameter of a fit is refused, in words for a user; NULL when it is not. */
const char *
crm_paretonbd_check(const CrmParetonbdParam *param)
{
	return crm_likelihood_check_penalty(param->penalty);
}

/* Say why parameters of a model are refused: each must lie between 1e-12 and 1e12; NULL: not. */
const char *
crm_paretonbd_check_parameters(const CrmParetonbd *model)
{
	const double value[] = {model->r, model->alpha, model->s, model->beta};
	static const char *const why[] = {
		"r must be between 1e-12 and 1e12", "alpha must be between 1e-12 and 1e12",
		"s must be between 1e-12 and 1e12", "beta must be between 1e-12 and 1e12"};

	for (int i = 0; i < CRM_PARETONBD_PARAMETERS; i++)
		if (!(value[i] >= 1e-12 && value[i] <= 1e12))
			return why[i];
	return NULL;
}

/* Add what depends on x alone to the sums: the value, then derivatives by the logs of r, alpha. */
static void
add_constants(const Task *task, const CrmParetonbd *at, CrmSum *sums)
{
	const CrmBtyd *data = task->data;
	double log_alpha = log(at->alpha);

	for (size_t i = 0; i < data->n_x; i++)
	{
		double weight = data->x_weight[i], x = data->x[i];

		if (weight == 0.0)
			continue;
		crm_sum_add(&sums[0], weight * (crm_log_gamma_ratio(at->r, x) - x * log_alpha));
		crm_sum_add(&sums[1], weight * at->r * crm_digamma_difference(at->r, x));
		crm_sum_add(&sums[2], -weight * x);
	}
}

/* Add a row to the sums, of which the derivatives' are left out unless they are asked for. */
static void
add_row(const Task *task, const CrmParetonbd *at, size_t i, bool derive, CrmSum *sums)
{
	const CrmBtyd *data = task->data;
	CrmBtydRow row = data->row[i];
	double weight = data->weight[i], shape = at->r + data->x[row.x];
	double t_x = data->time[row.t_x], t = data->time[row.t];
	double log_a = task->log_alpha[row.t], log_b = task->log_beta[row.t];
	CrmParetonbdIntegral integral = {.alpha = at->alpha,
									 .beta = at->beta,
									 .a = shape,
									 .b = at->s + 1.0,
									 .y0 = t_x,
									 .y1 = t,
									 .log_alpha = task->log_alpha[row.t_x],
									 .log_beta = task->log_beta[row.t_x]};
	CrmParetonbdMeans means;
	double stays = -shape * log_a - at->s * log_b;
	double left =
		log(at->s / at->beta) + crm_paretonbd_log_integral(&integral, derive ? &means : NULL);
	double e = exp(-fabs(left - stays)), p = (left > stays ? 1.0 : e) / (1.0 + e);
	double share_alpha, share_beta; /* E[y / (alpha + y)] if he has left at y, the same of beta */

	crm_sum_add(&sums[0], weight * ((left > stays ? left : stays) + log1p(e)));
	if (!derive)
		return;
	share_alpha = (t_x + at->alpha * means.gone_alpha) / (at->alpha + t_x);
	share_beta = (t_x + at->beta * means.gone_beta) / (at->beta + t_x);
	crm_sum_add(&sums[1], -weight * at->r * ((1.0 - p) * log_a + p * means.log_alpha));
	crm_sum_add(&sums[2], weight * shape * ((1.0 - p) * (t / (at->alpha + t)) + p * share_alpha));
	crm_sum_add(&sums[3], weight * (p - at->s * ((1.0 - p) * log_b + p * means.log_beta)));
	crm_sum_add(&sums[4], weight * ((1.0 - p) * at->s * (t / (at->beta + t)) +
									p * ((at->s + 1.0) * share_beta - 1.0)));
}

/* Give the log-likelihood of all rows, and in gradient, if any, its derivatives by logs. */
static double
log_likelihood(const Task *task, const CrmParetonbd *at, double *gradient)
{
	const CrmBtyd *data = task->data;
	CrmSum sums[5] = {{0.0, 0.0}};

	for (size_t i = 0; i < data->n_t; i++)
	{
		task->log_alpha[i] = log1p(data->time[i] / at->alpha);
		task->log_beta[i] = log1p(data->time[i] / at->beta);
	}
	add_constants(task, at, sums);
	for (size_t i = 0; i < data->n; i++)
	{
		if (i % POLL_ROWS == 0 && crm_pending(task->ctx))
			return NAN;
		add_row(task, at, i, gradient != NULL, sums);
	}
	for (int i = 0; gradient != NULL && i < CRM_PARETONBD_PARAMETERS; i++)
		gradient[i] = crm_sum_value(sums[i + 1]);
	return crm_sum_value(sums[0]);
}

/* Give the mean loss at the logs of the parameters, for base/likelihood. */
static double
mean_loss(void *user, const double *theta, double *gradient)
{
	const Task *task = user;
	CrmParetonbd at = {exp(theta[0]), exp(theta[1]), exp(theta[2]), exp(theta[3])};
	double value = log_likelihood(task, &at, gradient);

	for (int i = 0; gradient != NULL && i < CRM_PARETONBD_PARAMETERS; i++)
		gradient[i] /= -task->data->total;
	return -value / task->data->total;
}

/* Take room for the tables. */
static CrmStatus
begin_task(CrmCtx *ctx, const CrmBtyd *data, Task *task)
{
	*task = (Task){.ctx = ctx, .data = data};
	if ((task->log_alpha = crm_allocate(ctx, data->n_t, sizeof(double))) == NULL ||
		(task->log_beta = crm_allocate(ctx, data->n_t, sizeof(double))) == NULL)
		return ctx->failure;
	return CRM_OK;
}

static void
end_task(Task *task)
{
	crm_release(task->ctx, task->log_beta, task->data->n_t, sizeof(double));
	crm_release(task->ctx, task->log_alpha, task->data->n_t, sizeof(double));
}

/*
 * Give the log-likelihood of parameters and, if gradient is not NULL, its four derivatives by the
 * logs of r, alpha, s, beta. CRM_DOMAIN: parameters out of range; CRM_ABORTED by the poll; the
 * budget.
 */
CrmStatus
crm_paretonbd_log_likelihood(CrmCtx *ctx, const CrmBtyd *data, const CrmParetonbd *model,
							 double *value, double *gradient)
{
	Task task;
	CrmStatus status;

	if (crm_paretonbd_check_parameters(model) != NULL)
		return CRM_DOMAIN;
	status = begin_task(ctx, data, &task);
	while (status == CRM_OK)
	{
		*value = log_likelihood(&task, model, gradient);
		if (!crm_pending(ctx))
			break;
		if (crm_poll(ctx))
			status = CRM_ABORTED;
	}
	end_task(&task);
	return status;
}

/* Fill in bounds and candidates, guessed from all orders over all time as for BG/NBD. */
static void
propose(const CrmBtyd *data, CrmLikelihood *likelihood)
{
	static const double shapes[] = {0.25, 0.6, 2.0};
	static const double lives[][2] = {{0.5, 0.3}, {0.8, 1.5}, {2.0, 3.0}};
	double scale = data->mean_t > 0.0 ? data->mean_t : 1.0;
	double rate = fmax(data->orders, 0.5) / fmax(data->total, 1.0) / scale;
	int c = 0;

	for (int i = 0; i < CRM_PARETONBD_PARAMETERS; i++)
	{
		likelihood->lower[i] = -BOUND + (i % 2 == 1 ? log(scale) : 0.0);
		likelihood->upper[i] = BOUND + (i % 2 == 1 ? log(scale) : 0.0);
	}
	for (int s = 0; s < 3; s++)
		for (int d = 0; d < 3; d++)
			for (int m = 1; m <= 2; m++)
			{
				double *row = likelihood->candidates + c++ * CRM_PARETONBD_PARAMETERS;

				row[0] = log(shapes[s]);
				row[1] = log(shapes[s] / (rate * m));
				row[2] = log(lives[d][0]);
				row[3] = log(lives[d][1] * scale);
			}
	likelihood->n_candidates = c;
}

/* Fit to data; near: a fit to a sample of them to start from, or NULL for the candidates. */
static CrmStatus
fit_from(CrmCtx *ctx, const CrmBtyd *data, const CrmParetonbdParam *param, const CrmFit *near,
		 CrmFit *fit)
{
	CrmLikelihood likelihood = {.n = CRM_PARETONBD_PARAMETERS,
								.n_starts = 2,
								.penalty = param->penalty,
								.total = data->total,
								.loss = mean_loss};
	Task task;
	CrmStatus status = begin_task(ctx, data, &task);

	likelihood.user = &task;
	propose(data, &likelihood);
	likelihood.near = near;
	if (status == CRM_OK)
		status = crm_likelihood_fit(ctx, &likelihood, fit);
	end_task(&task);
	return status;
}

/*
 * Fit the model to collapsed customers. Returns CRM_OK with a usable model whatever fit.status is;
 * fewer than three customers, or none with a repeat transaction, are insufficient. CRM_DOMAIN: a
 * param out of range, or no customer at all; CRM_ABORTED by the poll; CRM_LIMIT, CRM_NO_MEMORY.
 */
CrmStatus
crm_paretonbd_fit(CrmCtx *ctx, const CrmBtyd *data, const CrmParetonbdParam *param,
				  CrmParetonbdModel *model)
{
	CrmFit of_sample;
	const CrmFit *near = NULL;
	CrmStatus status;

	memset(model, 0, sizeof *model);
	if (crm_paretonbd_check(param) != NULL || data->n == 0)
		return CRM_DOMAIN;
	if (data->n > 2 * SAMPLE)
	{
		CrmBtyd sample;

		status = crm_btyd_sample(ctx, data, SAMPLE, &sample);
		if (status == CRM_OK)
			status = fit_from(ctx, &sample, param, NULL, &of_sample);
		crm_btyd_sample_free(ctx, &sample);
		if (status != CRM_OK)
			return status;
		near = &of_sample;
	}
	status = fit_from(ctx, data, param, near, &model->fit);
	if (status != CRM_OK)
		return status;
	if (data->total < 3.0 || data->repeat <= 0.0)
		model->fit.status = CRM_FIT_INSUFFICIENT;
	model->parameter = (CrmParetonbd){model->fit.parameter[0], model->fit.parameter[1],
									  model->fit.parameter[2], model->fit.parameter[3]};
	return CRM_OK;
}
