/*
 * bgnbd.c: the likelihood of BG/NBD and MBG/NBD, its gradient and its fit; see bgnbd.h.
 *
 * What depends on x alone is computed once for each distinct x, the logs of 1 + time / alpha once
 * for each distinct time: they stay small where r and alpha run to infinity, and keep their
 * digits. A distinct row costs one exp, and, where its weight is not 1, one log1p; a row of BG/NBD
 * with x = 0 less. The logs of rows of weight 1 are those of products of BLOCK factors of at most
 * 2, which cost BLOCK units in the last place of a block's sum.
 */
#include <math.h>
#include <string.h>

#include "kernel/base/special.h"
#include "kernel/base/sum.h"
#include "kernel/bgnbd.h"

#define POLL_ROWS 65536
#define BLOCK     512   /* rows whose plain sums go to the exact ones; 2^BLOCK is finite */
#define SAMPLE    20000 /* distinct rows that show where to start on more than that */
#define BOUND     11.5  /* of the logs of r, a and b, and of alpha over the mean T */

/* One likelihood: its data, room for the tables, whether a poll was due. */
typedef struct Task
{
	CrmCtx *ctx;
	const CrmBtyd *data;
	bool modified;
	double *log_time;  /* n_t: ln(1 + time / alpha) */
	double *share;     /* n_t: time / (alpha + time) */
	double *log_ratio; /* n_x: ln(a / (b + y - 1)) */
	double *inverse_b; /* n_x: 1 / (b + y - 1) */
} Task;

/* A value, and its derivatives by r, ln alpha, a, b. */
typedef struct Sums
{
	double value, r, alpha, a, b;
} Sums;

/* Fill a parameter with the defaults: BG/NBD without a penalty. */
void
crm_bgnbd_defaults(CrmBgnbdParam *param)
{
	*param = (CrmBgnbdParam){.modified = false, .penalty = 0.0};
}

/* Say why a parameter of a fit is refused, in words for a user; NULL when it is not. */
const char *
crm_bgnbd_check(const CrmBgnbdParam *param)
{
	return crm_likelihood_check_penalty(param->penalty);
}

/* Say why parameters of a model are refused: each must lie between 1e-12 and 1e12; NULL: not. */
const char *
crm_bgnbd_check_parameters(const CrmBgnbd *model)
{
	const double value[] = {model->r, model->alpha, model->a, model->b};
	static const char *const why[] = {
		"r must be between 1e-12 and 1e12", "alpha must be between 1e-12 and 1e12",
		"a must be between 1e-12 and 1e12", "b must be between 1e-12 and 1e12"};

	for (int i = 0; i < CRM_BGNBD_PARAMETERS; i++)
		if (!(value[i] >= 1e-12 && value[i] <= 1e12))
			return why[i];
	return NULL;
}

/* Fill the tables for a point, and sum what depends on x alone. */
static void
fill_tables(const Task *task, const CrmBgnbd *at, Sums *sums)
{
	const CrmBtyd *data = task->data;
	CrmSum value = {0.0, 0.0};
	double log_alpha = log(at->alpha), ab = at->a + at->b;

	for (size_t i = 0; i < data->n_t; i++)
	{
		task->log_time[i] = log1p(data->time[i] / at->alpha);
		task->share[i] = data->time[i] / (at->alpha + data->time[i]);
	}
	for (size_t i = 0; i < data->n_x; i++)
	{
		double x = data->x[i], y = x + task->modified, weight = data->x_weight[i];
		double psi_ab;

		/* b + y - 1 is above zero where the bracket is used, y > 0 */
		task->log_ratio[i] = y > 0.0 ? log(at->a) - log(at->b + (y - 1.0)) : -INFINITY;
		task->inverse_b[i] = y > 0.0 ? 1.0 / (at->b + (y - 1.0)) : 0.0;
		if (weight == 0.0)
			continue;
		psi_ab = crm_digamma_difference(ab, y);
		crm_sum_add(&value, weight * (crm_log_gamma_ratio(at->r, x) - x * log_alpha +
									  crm_log_gamma_ratio(at->b, y) - crm_log_gamma_ratio(ab, y)));
		sums->r += weight * crm_digamma_difference(at->r, x);
		sums->alpha -= weight * x;
		sums->a -= weight * psi_ab;
		sums->b += weight * (crm_digamma_difference(at->b, y) - psi_ab);
	}
	sums->value = crm_sum_value(value);
}

/* Add rows first to last - 1 to the sums, which are to be zero before. */
static void
add_rows(const Task *task, const CrmBgnbd *at, size_t first, size_t last, Sums *sums)
{
	const CrmBtyd *data = task->data;
	double product = 1.0;

	for (size_t i = first; i < last; i++)
	{
		CrmBtydRow row = data->row[i];
		double weight = data->weight[i], shape = at->r + data->x[row.x];
		double log_t = task->log_time[row.t];

		sums->value -= weight * shape * log_t;
		sums->r -= weight * log_t;
		sums->alpha += weight * shape * task->share[row.t];
		if (data->x[row.x] > 0.0 || task->modified)
		{
			double gap = log_t - task->log_time[row.t_x];
			double odds = task->log_ratio[row.x] + shape * gap; /* of having left, ln */
			double e = exp(-fabs(odds)), left = (odds > 0.0 ? 1.0 : e) / (1.0 + e);

			if (weight <= 1.0 && weight >= 1.0)
				product *= 1.0 + e;
			else
				sums->value += weight * log1p(e);
			sums->value += odds > 0.0 ? weight * odds : 0.0;
			left *= weight;
			sums->r += left * gap;
			sums->alpha += left * shape * (task->share[row.t_x] - task->share[row.t]);
			sums->a += left;
			sums->b -= left * task->inverse_b[row.x];
		}
	}
	sums->value += log(product);
}

/* Give the log-likelihood of all rows, and in gradient, if any, its derivatives by logs. */
static double
log_likelihood(const Task *task, const CrmBgnbd *at, double *gradient)
{
	const CrmBtyd *data = task->data;
	CrmSum total[5] = {{0.0, 0.0}};
	Sums sums = {0.0, 0.0, 0.0, 0.0, 0.0};

	fill_tables(task, at, &sums);
	crm_sum_add(&total[0], sums.value);
	crm_sum_add(&total[1], sums.r);
	crm_sum_add(&total[2], sums.alpha);
	crm_sum_add(&total[3], sums.a);
	crm_sum_add(&total[4], sums.b);
	for (size_t first = 0; first < data->n; first += BLOCK)
	{
		Sums block = {0.0, 0.0, 0.0, 0.0, 0.0};
		size_t last = first + BLOCK < data->n ? first + BLOCK : data->n;

		if (first % POLL_ROWS == 0 && crm_pending(task->ctx))
			return NAN;
		add_rows(task, at, first, last, &block);
		crm_sum_add(&total[0], block.value);
		crm_sum_add(&total[1], block.r);
		crm_sum_add(&total[2], block.alpha);
		crm_sum_add(&total[3], block.a / at->a);
		crm_sum_add(&total[4], block.b);
	}
	if (gradient != NULL)
	{
		gradient[0] = crm_sum_value(total[1]) * at->r;
		gradient[1] = crm_sum_value(total[2]);
		gradient[2] = crm_sum_value(total[3]) * at->a;
		gradient[3] = crm_sum_value(total[4]) * at->b;
	}
	return crm_sum_value(total[0]);
}

/* Give the mean loss at the logs of the parameters, for base/likelihood. */
static double
mean_loss(void *user, const double *theta, double *gradient)
{
	const Task *task = user;
	CrmBgnbd at = {exp(theta[0]), exp(theta[1]), exp(theta[2]), exp(theta[3]), task->modified};
	double value = log_likelihood(task, &at, gradient);

	for (int i = 0; gradient != NULL && i < CRM_BGNBD_PARAMETERS; i++)
		gradient[i] /= -task->data->total;
	return -value / task->data->total;
}

/* Take room for the tables. */
static CrmStatus
begin_task(CrmCtx *ctx, const CrmBtyd *data, bool modified, Task *task)
{
	*task = (Task){.ctx = ctx, .data = data, .modified = modified};
	if ((task->log_time = crm_allocate(ctx, data->n_t, sizeof(double))) == NULL ||
		(task->share = crm_allocate(ctx, data->n_t, sizeof(double))) == NULL ||
		(task->log_ratio = crm_allocate(ctx, data->n_x, sizeof(double))) == NULL ||
		(task->inverse_b = crm_allocate(ctx, data->n_x, sizeof(double))) == NULL)
		return ctx->failure;
	return CRM_OK;
}

static void
end_task(Task *task)
{
	crm_release(task->ctx, task->inverse_b, task->data->n_x, sizeof(double));
	crm_release(task->ctx, task->log_ratio, task->data->n_x, sizeof(double));
	crm_release(task->ctx, task->share, task->data->n_t, sizeof(double));
	crm_release(task->ctx, task->log_time, task->data->n_t, sizeof(double));
}

/*
 * Give the log-likelihood of parameters and, if gradient is not NULL, its four derivatives by the
 * logs of r, alpha, a, b. CRM_DOMAIN: parameters out of range; CRM_ABORTED by the poll; the budget.
 */
CrmStatus
crm_bgnbd_log_likelihood(CrmCtx *ctx, const CrmBtyd *data, const CrmBgnbd *model, double *value,
						 double *gradient)
{
	Task task;
	CrmStatus status;

	if (crm_bgnbd_check_parameters(model) != NULL)
		return CRM_DOMAIN;
	status = begin_task(ctx, data, model->modified, &task);
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

/*
 * Fill in bounds and candidates. The rate of purchase of those who stay is guessed from all orders
 * over all time, once as it is and once four times that, for those who left early.
 */
static void
propose(const CrmBtyd *data, CrmLikelihood *likelihood)
{
	static const double shapes[] = {0.25, 1.0, 4.0};
	static const double drops[][2] = {{0.8, 2.5}, {0.3, 3.0}, {1.0, 1.0}, {0.05, 2.0}};
	double scale = data->mean_t > 0.0 ? data->mean_t : 1.0;
	double rate = fmax(data->orders, 0.5) / fmax(data->total, 1.0) / scale;
	int c = 0;

	for (int i = 0; i < CRM_BGNBD_PARAMETERS; i++)
	{
		likelihood->lower[i] = -BOUND + (i == 1 ? log(scale) : 0.0);
		likelihood->upper[i] = BOUND + (i == 1 ? log(scale) : 0.0);
	}
	for (int s = 0; s < 3; s++)
		for (int d = 0; d < 4; d++)
			for (int m = 1; m <= 4; m *= 4)
			{
				double *row = likelihood->candidates + c++ * CRM_BGNBD_PARAMETERS;

				row[0] = log(shapes[s]);
				row[1] = log(shapes[s] / (rate * m));
				row[2] = log(drops[d][0]);
				row[3] = log(drops[d][1]);
			}
	likelihood->n_candidates = c;
}

/* Fit to data; near: a fit to a sample of them to start from, or NULL for the candidates. */
static CrmStatus
fit_from(CrmCtx *ctx, const CrmBtyd *data, const CrmBgnbdParam *param, const CrmFit *near,
		 CrmFit *fit)
{
	CrmLikelihood likelihood = {.n = CRM_BGNBD_PARAMETERS,
								.n_starts = 3,
								.penalty = param->penalty,
								.total = data->total,
								.loss = mean_loss};
	Task task;
	CrmStatus status = begin_task(ctx, data, param->modified, &task);

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
crm_bgnbd_fit(CrmCtx *ctx, const CrmBtyd *data, const CrmBgnbdParam *param, CrmBgnbdModel *model)
{
	CrmFit of_sample;
	const CrmFit *near = NULL;
	CrmStatus status;

	memset(model, 0, sizeof *model);
	if (crm_bgnbd_check(param) != NULL || data->n == 0)
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
	model->parameter =
		(CrmBgnbd){model->fit.parameter[0], model->fit.parameter[1], model->fit.parameter[2],
				   model->fit.parameter[3], param->modified};
	return CRM_OK;
}
