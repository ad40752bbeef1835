/*
 * gammagamma.c: the likelihood of Gamma-Gamma, its gradient, its fit and its prediction; see
 * gammagamma.h.
 *
 * Rows are collapsed as base/btyd.h does it, with the mean value in the place of T: what depends on
 * x alone is computed once for each distinct x, and a distinct row costs one log.
 */
#include <math.h>
#include <string.h>

#include "kernel/base/special.h"
#include "kernel/base/sum.h"
#include "kernel/gammagamma.h"

#define POLL_ROWS 65536
#define BLOCK     1024
#define SAMPLE    20000
#define BOUND     11.5 /* of ln p and ln(q - 1) */
#define NEAREST   -7.0 /* the least ln(q - 1): the variance of means is infinite long before */
#define MEAN_SPAN 7.0  /* of the log of the mean around that of the data */

typedef struct Task
{
	CrmCtx *ctx;
	const CrmBtyd *rows;
	double log_scale;  /* ln of the mean value of the data's orders */
	double *log_x;     /* n_x */
	double *log_value; /* n_t: of the means */
	double constant;   /* sum of weight (-ln m): what no parameter touches */
} Task;

/* Fill a parameter with the defaults: no penalty. */
void
crm_gammagamma_defaults(CrmGammaGammaParam *param)
{
	*param = (CrmGammaGammaParam){.penalty = 0.0};
}

/* Say why a parameter of a fit is refused, in words for a user; NULL when it is not. */
const char *
crm_gammagamma_check(const CrmGammaGammaParam *param)
{
	return crm_likelihood_check_penalty(param->penalty);
}

/* Say why (x, mean) cannot be of a customer; NULL when it can. */
const char *
crm_gammagamma_check_row(double x, double mean)
{
	if (!(x >= 1.0 && x <= CRM_BTYD_MAX_X) || x != floor(x))
		return "x must be a whole number between 1 and 1000000000";
	if (!(mean > 0.0 && mean <= CRM_BTYD_MAX_TIME))
		return "mean must be above 0 and at most 1000000000000";
	return NULL;
}

/* Say why parameters of a model are refused: p and v in 1e-12 to 1e15, q above 1; NULL: not. */
const char *
crm_gammagamma_check_parameters(const CrmGammaGamma *model)
{
	if (!(model->p >= 1e-12 && model->p <= 1e15))
		return "p must be between 1e-12 and 1e15";
	if (!(model->q > 1.0 && model->q <= 1e15))
		return "q must be above 1 and at most 1e15";
	if (!(model->v >= 1e-30 && model->v <= 1e30))
		return "v must be between 1e-30 and 1e30";
	return NULL;
}

/*
 * Collapse the caller's rows into rows (x, 0, mean); free them by crm_btyd_free whatever the
 * outcome. CRM_DOMAIN: row offender is refused by crm_gammagamma_check_row, or its weight is.
 */
CrmStatus
crm_gammagamma_collapse(CrmCtx *ctx, const CrmGammaGammaData *data, CrmBtyd *rows)
{
	CrmBtydData columns = {.x = data->x, .t = data->mean, .weight = data->weight, .n = data->n};

	memset(rows, 0, sizeof *rows);
	for (size_t i = 0; i < data->n; i++)
	{
		if (i % POLL_ROWS == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		if (crm_gammagamma_check_row(data->x[i], data->mean[i]) != NULL)
		{
			rows->offender = i;
			return CRM_DOMAIN;
		}
	}
	return crm_btyd_collapse(ctx, &columns, rows);
}

/* Give the log-likelihood, and in gradient, if not NULL, its derivatives by p, q and v. */
static double
log_likelihood(const Task *task, const CrmGammaGamma *at, double *gradient)
{
	const CrmBtyd *rows = task->rows;
	CrmSum value = {0.0, 0.0}, by_p = {0.0, 0.0}, by_q = {0.0, 0.0}, by_v = {0.0, 0.0};
	double log_v = log(at->v);

	crm_sum_add(&value, task->constant);
	for (size_t i = 0; i < rows->n_x; i++)
	{
		double weight = rows->x_weight[i], px = at->p * rows->x[i];

		if (weight == 0.0)
			continue;
		crm_sum_add(&value, weight * (at->q * log_v - crm_log_beta(px, at->q)));
		if (gradient == NULL)
			continue;
		crm_sum_add(&by_p, weight * rows->x[i] * crm_digamma_difference(px, at->q));
		crm_sum_add(&by_q, weight * (crm_digamma_difference(at->q, px) + log_v));
		crm_sum_add(&by_v, weight * at->q / at->v);
	}
	for (size_t first = 0; first < rows->n; first += BLOCK)
	{
		size_t last = first + BLOCK < rows->n ? first + BLOCK : rows->n;
		double sum = 0.0, sum_p = 0.0, sum_q = 0.0, sum_v = 0.0;

		if (first % POLL_ROWS == 0 && crm_pending(task->ctx))
			return NAN;
		for (size_t i = first; i < last; i++)
		{
			CrmBtydRow row = rows->row[i];
			double weight = rows->weight[i], x = rows->x[row.x];
			double whole = x * rows->time[row.t] + at->v, log_whole = log(whole);
			double gain = task->log_x[row.x] + task->log_value[row.t] - log_whole;

			sum += weight * (at->p * x * gain - at->q * log_whole);
			sum_p += weight * x * gain;
			sum_q += weight * log_whole;
			sum_v += weight * (at->p * x + at->q) / whole;
		}
		crm_sum_add(&value, sum);
		crm_sum_add(&by_p, sum_p);
		crm_sum_add(&by_q, -sum_q);
		crm_sum_add(&by_v, -sum_v);
	}
	if (gradient != NULL)
	{
		gradient[0] = crm_sum_value(by_p);
		gradient[1] = crm_sum_value(by_q);
		gradient[2] = crm_sum_value(by_v);
	}
	return crm_sum_value(value);
}

/* Give the model of theta: ln p, ln(q - 1), ln(mean / mean of the data). */
static CrmGammaGamma
model_at(const Task *task, const double *theta)
{
	double excess = exp(theta[1]);

	return (CrmGammaGamma){exp(theta[0]), 1.0 + excess,
						   exp(theta[2] + task->log_scale + theta[1] - theta[0])};
}

/* Give the mean loss at theta, for base/likelihood. */
static double
mean_loss(void *user, const double *theta, double *gradient)
{
	const Task *task = user;
	CrmGammaGamma at = model_at(task, theta);
	double by[CRM_GAMMAGAMMA_PARAMETERS];
	double value = log_likelihood(task, &at, gradient != NULL ? by : NULL);
	double total = task->rows->total;

	if (gradient != NULL)
	{
		gradient[0] = -(at.p * by[0] - at.v * by[2]) / total;
		gradient[1] = -(exp(theta[1]) * by[1] + at.v * by[2]) / total;
		gradient[2] = -at.v * by[2] / total;
	}
	return -value / total;
}

/* Take room for the tables and fill them. */
static CrmStatus
begin_task(CrmCtx *ctx, const CrmBtyd *rows, Task *task)
{
	CrmSum constant = {0.0, 0.0}, value = {0.0, 0.0}, orders = {0.0, 0.0};

	*task = (Task){.ctx = ctx, .rows = rows};
	if ((task->log_x = crm_allocate(ctx, rows->n_x, sizeof(double))) == NULL ||
		(task->log_value = crm_allocate(ctx, rows->n_t, sizeof(double))) == NULL)
		return ctx->failure;
	for (size_t i = 0; i < rows->n_x; i++)
		task->log_x[i] = log(rows->x[i]);
	for (size_t i = 0; i < rows->n_t; i++)
		task->log_value[i] = log(rows->time[i]); /* -Infinity of the 0 of t_x is not used */
	for (size_t i = 0; i < rows->n; i++)
	{
		double weight = rows->weight[i], x = rows->x[rows->row[i].x];

		crm_sum_add(&constant, -weight * task->log_value[rows->row[i].t]);
		crm_sum_add(&value, weight * x * rows->time[rows->row[i].t]);
		crm_sum_add(&orders, weight * x);
	}
	task->constant = crm_sum_value(constant);
	task->log_scale = log(crm_sum_value(value) / crm_sum_value(orders));
	return CRM_OK;
}

static void
end_task(Task *task)
{
	crm_release(task->ctx, task->log_value, task->rows->n_t, sizeof(double));
	crm_release(task->ctx, task->log_x, task->rows->n_x, sizeof(double));
}

/*
 * Give the log-likelihood of parameters and, if gradient is not NULL, its derivatives by p, q, v.
 * CRM_DOMAIN: parameters out of range, or no rows; CRM_ABORTED by the poll; the budget.
 */
CrmStatus
crm_gammagamma_log_likelihood(CrmCtx *ctx, const CrmBtyd *rows, const CrmGammaGamma *model,
							  double *value, double *gradient)
{
	Task task;
	CrmStatus status;

	if (crm_gammagamma_check_parameters(model) != NULL || rows->n == 0)
		return CRM_DOMAIN;
	status = begin_task(ctx, rows, &task);
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

/* Turn the fit of p, q - 1 and the mean over that of the data into one of p, q and v. */
static void
translate(const Task *task, CrmFit *fit, CrmGammaGamma *parameter)
{
	double theta[CRM_GAMMAGAMMA_PARAMETERS], c[9];
	const double *old = fit->covariance;

	for (int i = 0; i < CRM_GAMMAGAMMA_PARAMETERS; i++)
		theta[i] = log(fit->parameter[i]);
	*parameter = model_at(task, theta);
	/* ln v = ln mean + ln(q - 1) - ln p, so its covariances are sums of theirs */
	memcpy(c, old, sizeof c);
	for (int i = 0; i < 2; i++)
		c[i * 3 + 2] = c[2 * 3 + i] = old[i * 3 + 2] + old[i * 3 + 1] - old[i * 3];
	c[8] = old[8] + old[4] + old[0] + 2.0 * (old[5] - old[2] - old[1]);
	memcpy(fit->covariance, c, sizeof c);
	fit->parameter[0] = parameter->p;
	fit->parameter[1] = parameter->q;
	fit->parameter[2] = parameter->v;
	fit->error[0] = parameter->p * sqrt(c[0]);
	fit->error[1] = (parameter->q - 1.0) * sqrt(c[4]);
	fit->error[2] = parameter->v * sqrt(c[8]);
}

/* Fill in bounds and candidates. */
static void
propose(CrmLikelihood *likelihood)
{
	static const double shapes[] = {1.0, 6.0}, excess[] = {0.5, 3.0, 20.0};
	int c = 0;

	for (int i = 0; i < CRM_GAMMAGAMMA_PARAMETERS; i++)
	{
		likelihood->lower[i] = i == 0 ? -BOUND : i == 1 ? NEAREST : -MEAN_SPAN;
		likelihood->upper[i] = i == 2 ? MEAN_SPAN : BOUND;
	}
	for (int s = 0; s < 2; s++)
		for (int e = 0; e < 3; e++)
		{
			double *row = likelihood->candidates + c++ * CRM_GAMMAGAMMA_PARAMETERS;

			row[0] = log(shapes[s]);
			row[1] = log(excess[e]);
			row[2] = 0.0;
		}
	likelihood->n_candidates = c;
}

/* Fit to rows; start: theta to start from with its scale, or NULL for the candidates. */
static CrmStatus
fit_from(CrmCtx *ctx, const CrmBtyd *rows, const CrmGammaGammaParam *param,
		 const CrmGammaGamma *start, CrmGammaGammaModel *model)
{
	CrmLikelihood likelihood = {.n = CRM_GAMMAGAMMA_PARAMETERS,
								.n_starts = 2,
								.penalty = param->penalty,
								.total = rows->total,
								.loss = mean_loss};
	Task task;
	CrmStatus status = begin_task(ctx, rows, &task);

	likelihood.user = &task;
	propose(&likelihood);
	if (start != NULL)
	{
		likelihood.candidates[0] = log(start->p);
		likelihood.candidates[1] = log(start->q - 1.0);
		likelihood.candidates[2] = log(start->p * start->v / (start->q - 1.0)) - task.log_scale;
		likelihood.n_candidates = likelihood.n_starts = 1;
	}
	if (status == CRM_OK)
		status = crm_likelihood_fit(ctx, &likelihood, &model->fit);
	if (status == CRM_OK)
		translate(&task, &model->fit, &model->parameter);
	end_task(&task);
	return status;
}

/*
 * Fit the model to collapsed rows. Returns CRM_OK with a usable model whatever fit.status is; fewer
 * than three customers, or all with one mean, are insufficient. CRM_DOMAIN: a param out of range,
 * or no row at all; CRM_ABORTED by the poll; CRM_LIMIT, CRM_NO_MEMORY.
 */
CrmStatus
crm_gammagamma_fit(CrmCtx *ctx, const CrmBtyd *rows, const CrmGammaGammaParam *param,
				   CrmGammaGammaModel *model)
{
	CrmGammaGamma start;
	bool sampled = rows->n > 2 * SAMPLE;
	CrmStatus status;

	memset(model, 0, sizeof *model);
	if (crm_gammagamma_check(param) != NULL || rows->n == 0)
		return CRM_DOMAIN;
	if (sampled)
	{
		CrmBtyd sample;

		status = crm_btyd_sample(ctx, rows, SAMPLE, &sample);
		if (status == CRM_OK)
			status = fit_from(ctx, &sample, param, NULL, model);
		crm_btyd_sample_free(ctx, &sample);
		if (status != CRM_OK)
			return status;
		start = model->parameter;
	}
	status = fit_from(ctx, rows, param, sampled ? &start : NULL, model);
	/* the table of times holds the 0 of t_x besides the means */
	if (status == CRM_OK && (rows->total < 3.0 || rows->n_t < 3))
		model->fit.status = CRM_FIT_INSUFFICIENT;
	return status;
}

/*
 * Give the expected value of an order of a customer whose x orders had that mean; x = 0: of a new
 * one, the mean is not looked at. NaN for what crm_gammagamma_check_row refuses.
 */
double
crm_gammagamma_expected_value(const CrmGammaGamma *model, double x, double mean)
{
	if (x == 0.0)
		return model->p * model->v / (model->q - 1.0);
	if (crm_gammagamma_check_row(x, mean) != NULL)
		return NAN;
	return model->p * (model->v + x * mean) / (model->p * x + model->q - 1.0);
}
