/*
 * paretonbd_covariates.c: the fit of Pareto/NBD with covariates; see
 * paretonbd_covariates.h.
 *
 * All models are searched for by base/optimise over the variables of paretonbd_covariates_loss.h.
 */
#include <math.h>
#include <string.h>

#include "kernel/base/sum.h"
#include "kernel/paretonbd_covariates.h"
#include "kernel/paretonbd_covariates_loss.h"

#define PARAMETERS      CRM_PARETONBD_PARAMETERS
#define SAMPLE          5000 /* distinct rows that show where to start on more than twice that */
#define BOUND           11.5 /* of the logs of the mean rates times the mean T */
#define SHAPE           7.0  /* of the logs of r and s: beyond, customers do not differ */
#define COEFFICIENT     10.0 /* bound of a coefficient of a scaled column */
#define TOLERANCE       1e-7 /* of the gradient of the mean log-likelihood */
#define TOLERANCE_OF_LL 1e-5 /* the same where no more than the likelihood is asked for */
#define TOLERANCE_START 1e-3 /* and where a start is */
#define MAX_EVALUATIONS 2000
#define STARTS          4
#define TAME            1.0 /* of ln s */

/* A fit of a task, and what it is worth. */
typedef struct Found
{
	double theta[CRM_OPTIMISE_MAX];
	double log_likelihood;
	CrmOptimum optimum;
	CrmStatus status; /* of the search */
} Found;

/* Say why a parameter of a fit is refused, in words for a user; NULL when it is not. */
const char *
crm_covariates_check(const CrmCovariatesParam *param)
{
	return crm_likelihood_check_penalty(param->penalty);
}

/*
 * Give parameter exp(-coefficients' covariates): alpha or beta of a customer with n covariates. A
 * coefficient that is NaN is of a column that was left out, and counts as 0.
 */
double
crm_covariates_scale(double parameter, const double *coefficients, const double *covariates, int n)
{
	CrmSum sum = {0.0, 0.0};

	for (int j = 0; j < n; j++)
		if (!isnan(coefficients[j]))
			crm_sum_add(&sum, coefficients[j] * covariates[j]);
	return parameter * exp(-crm_sum_value(sum));
}

/* ---- the search -------------------------------------------------------------------------- */

/* Fill in the bounds of a task's variables; give how many there are. */
static int
set_bounds(const CrmCovariatesTask *task, double *lower, double *upper)
{
	int n = PARAMETERS + task->d[0] + task->d[1];

	for (int i = 0; i < n; i++)
	{
		double reach = i >= PARAMETERS ? COEFFICIENT : i % 2 == 0 ? SHAPE : BOUND;
		double middle = i < PARAMETERS && i % 2 == 1 ? -task->middle : 0.0;

		lower[i] = middle - reach;
		upper[i] = middle + reach;
	}
	return n;
}

/* Search the first rows of a task from n_starts rows of starts, down to that gradient. */
static CrmStatus
search(CrmCovariatesTask *task, size_t rows, const double *starts, int n_starts, double tolerance,
	   CrmOptimum *optimum)
{
	double lower[CRM_OPTIMISE_MAX], upper[CRM_OPTIMISE_MAX];
	CrmOptimiseParam param = {.lower = lower,
							  .upper = upper,
							  .starts = starts,
							  .n_starts = n_starts,
							  .tolerance = tolerance,
							  .max_evaluations = MAX_EVALUATIONS};

	task->n = rows;
	task->total = 0.0;
	for (size_t i = 0; i < rows; i++)
		task->total += task->rows->weight[i];
	param.n = set_bounds(task, lower, upper);
	return crm_minimise(task->ctx, crm_covariates_loss, task, &param, optimum);
}

/* Bring the start of least loss to the front. */
static CrmStatus
choose_start(const CrmCovariatesTask *task, double *starts, int n_starts, int n)
{
	double least = INFINITY;

	for (int s = 0; s < n_starts; s++)
	{
		double loss;

		do
		{
			if (crm_poll(task->ctx))
				return CRM_ABORTED;
			loss = crm_covariates_loss((void *) task, starts + s * n, NULL);
		} while (crm_pending(task->ctx));
		if (s == 0 || loss < least)
		{
			least = loss;
			memmove(starts, starts + s * n, (size_t) n * sizeof *starts);
		}
	}
	return CRM_OK;
}

/* Tell whether a search has ended with a point. */
static bool
has_found(CrmStatus status)
{
	return status == CRM_OK || status == CRM_AT_BOUND || status == CRM_NOT_CONVERGED;
}

/*
 * Fit the model with d[p] coefficients of process p, none or all, from n_starts rows of starts,
 * which have room for one more; of many rows a sample finds where to begin with coefficients.
 */
static CrmStatus
fit_part(CrmCovariatesTask *task, const int *d, double *starts, int n_starts, double tolerance,
		 Found *found)
{
	const CrmCovariateRows *rows = task->rows;
	int n = PARAMETERS + d[0] + d[1];
	double penalty = 0.0;
	CrmStatus status;

	task->d[0] = d[0];
	task->d[1] = d[1];
	if (rows->n > 2 * SAMPLE && n > PARAMETERS)
	{
		status = search(task, SAMPLE, starts, n_starts, TOLERANCE_START, &found->optimum);
		if (!has_found(status))
			return status;
		memcpy(starts + n_starts * n, found->optimum.x, (size_t) n * sizeof *starts);
		task->n = rows->n;
		task->total = rows->total;
		status = choose_start(task, starts, n_starts + 1, n);
		if (status != CRM_OK)
			return status;
		n_starts = 1;
	}
	found->status = search(task, rows->n, starts, n_starts, tolerance, &found->optimum);
	if (!has_found(found->status))
		return found->status;
	memcpy(found->theta, found->optimum.x, sizeof found->theta);
	for (int j = PARAMETERS; j < n; j++)
		penalty += task->penalty * found->theta[j] * found->theta[j];
	found->log_likelihood = -(found->optimum.value - penalty) * rows->total;
	return CRM_OK;
}

/* Find where Pareto/NBD without covariates has its best point: there the searches begin. */
static CrmStatus
find_start(CrmCtx *ctx, const CrmCovariatesData *data, double *start)
{
	CrmBtydData plain = {.x = data->x, .t_x = data->t_x, .t = data->t, .n = data->n};
	CrmParetonbdParam param;
	CrmParetonbdModel model;
	CrmBtyd customers;
	CrmStatus status = crm_btyd_collapse(ctx, &plain, &customers);

	crm_paretonbd_defaults(&param);
	if (status == CRM_OK)
		status = crm_paretonbd_fit(ctx, &customers, &param, &model);
	crm_btyd_free(ctx, &customers);
	for (int i = 0; i < PARAMETERS && status == CRM_OK; i += 2)
	{
		start[i] = log(model.fit.parameter[i]);
		start[i + 1] = start[i] - log(model.fit.parameter[i + 1]);
	}
	return status;
}

/*
 * Append the first start once more with customers who differ in how fast they leave, if there they
 * hardly do: such a point lies on a ridge, from which a search comes back slowly.
 */
static void
add_tame(double *starts, int n, int *n_starts)
{
	if (starts[2] < TAME)
		return;
	memcpy(starts + *n_starts * n, starts, (size_t) n * sizeof *starts);
	starts[(*n_starts)++ * n + 2] = 0.0;
}

/* Append a start of the whole model: another one's point, which has the coefficients `has`. */
static void
add_start(const CrmCovariatesTask *task, const Found *from, const int *has, double *starts,
		  int *n_starts)
{
	const int *kept = task->rows->kept;
	int n = PARAMETERS + kept[0] + kept[1];
	double *start = starts + (*n_starts)++ * n;

	memset(start, 0, (size_t) n * sizeof *start);
	memcpy(start, from->theta, PARAMETERS * sizeof *start);
	memcpy(start + PARAMETERS, from->theta + PARAMETERS, (size_t) has[0] * sizeof *start);
	memcpy(start + PARAMETERS + kept[0], from->theta + PARAMETERS + has[0],
		   (size_t) has[1] * sizeof *start);
}

/* Fit a smaller model from a point of Pareto/NBD without covariates. */
static CrmStatus
fit_smaller(CrmCovariatesTask *task, const double *plain, int purchase, int dropout, Found *found)
{
	const int d[] = {purchase, dropout};
	double starts[STARTS * CRM_OPTIMISE_MAX] = {0.0};
	int n_starts = 1;

	memcpy(starts, plain, PARAMETERS * sizeof *starts);
	add_tame(starts, PARAMETERS + purchase + dropout, &n_starts);
	return fit_part(task, d, starts, n_starts, TOLERANCE_OF_LL, found);
}

/*
 * Fit the four models: without covariates, with those of one process alone unless it is one of the
 * others, with all. Each begins where those that it contains have ended.
 */
static CrmStatus
fit_all(CrmCovariatesTask *task, const CrmCovariatesData *data, Found *plain, Found *alone,
		Found *whole)
{
	const int *kept = task->rows->kept;
	const int has[][CRM_PROCESSES] = {{kept[0], 0}, {0, kept[1]}, {0, 0}};
	double starts[STARTS * CRM_OPTIMISE_MAX];
	int n_starts = 0;
	CrmStatus status = find_start(task->ctx, data, starts);

	if (status == CRM_OK)
		status = fit_smaller(task, starts, 0, 0, plain);
	for (int p = 0; p < CRM_PROCESSES && kept[0] > 0 && kept[1] > 0 && status == CRM_OK; p++)
	{
		status = fit_smaller(task, plain->theta, has[p][0], has[p][1], &alone[p]);
		add_start(task, &alone[p], has[p], starts, &n_starts);
	}
	if (status != CRM_OK)
		return status;
	if (n_starts == 0)
		add_start(task, plain, has[2], starts, &n_starts);
	add_tame(starts, PARAMETERS + kept[0] + kept[1], &n_starts);
	return fit_part(task, kept, starts, n_starts, TOLERANCE, whole);
}

/* ---- the result -------------------------------------------------------------------------- */

/* Fill in the covariance of theta; NaN where the likelihood has no curvature. */
static CrmStatus
find_covariance(CrmCovariatesTask *task, const Found *found, double *covariance)
{
	double lower[CRM_OPTIMISE_MAX], upper[CRM_OPTIMISE_MAX];
	double hessian[CRM_OPTIMISE_MAX * CRM_OPTIMISE_MAX];
	bool fixed[CRM_OPTIMISE_MAX];
	int n = set_bounds(task, lower, upper);
	CrmStatus status =
		crm_hessian(task->ctx, crm_covariates_loss, task, n, found->theta, lower, upper, hessian);

	if (status != CRM_OK)
		return status;
	for (int i = 0; i < n; i++)
		fixed[i] = found->theta[i] <= lower[i] + 1e-6 || found->theta[i] >= upper[i] - 1e-6;
	for (int i = 0; i < n * n; i++)
		hessian[i] *= task->total;
	(void) crm_covariance(hessian, n, fixed, covariance);
	return CRM_OK;
}

/*
 * Bring the coefficients of a process back to the columns as they are; `at` is where they begin.
 * One whose error is beyond the bounds runs away as much as one that has come to them.
 */
static void
unscale(const Found *found, const double *covariance, int n, int at, int d, CrmCovariate *covariate,
		double *estimate, double *error)
{
	for (int j = 0; j < d; j++)
		if (covariate[j].state == CRM_COVARIATE_KEPT)
		{
			estimate[j] = found->theta[at] / covariate[j].scale;
			if (fabs(found->theta[at]) >= COEFFICIENT - 1e-6 ||
				covariance[at * n + at] > COEFFICIENT * COEFFICIENT)
				covariate[j].state = CRM_COVARIATE_AT_BOUND;
			else
				error[j] = sqrt(covariance[at * n + at]) / covariate[j].scale;
			at++;
		}
}

/*
 * Fill in alpha or beta where all covariates of the process are 0, and its error: its log is that
 * of the shape, i of theta, less that of the mean rate, plus the sum of coefficient x mean / scale.
 */
static void
set_parameter(const Found *found, const double *covariance, int n, int i, int at, int d,
			  const CrmCovariate *covariate, double *parameter, double *error)
{
	double way[CRM_OPTIMISE_MAX] = {0.0}, value = found->theta[i] - found->theta[i + 1];
	double variance = 0.0;

	way[i] = 1.0;
	way[i + 1] = -1.0;
	for (int j = 0; j < d; j++)
		if (covariate[j].state == CRM_COVARIATE_KEPT)
		{
			way[at] = covariate[j].mean / covariate[j].scale;
			value += way[at] * found->theta[at];
			at++;
		}
	for (int a = 0; a < n; a++)
		for (int b = 0; b < n; b++)
			variance += way[a] * covariance[a * n + b] * way[b];
	*parameter = exp(value);
	*error = *parameter * sqrt(variance);
}

/* Fill in a test against a smaller model. */
static CrmCovariatesTest
make_test(const CrmCovariatesModel *model, double smaller, int df, double penalty)
{
	double chi_squared = fmax(2.0 * (model->log_likelihood - smaller), 0.0);

	return (CrmCovariatesTest){.log_likelihood = smaller,
							   .chi_squared = df > 0 && penalty <= 0.0 ? chi_squared : NAN,
							   .df = df};
}

/* Fill in everything that is not a coefficient or a parameter. */
static void
set_facts(const CrmCovariatesTask *task, const Found *plain, const Found *alone, const Found *whole,
		  CrmCovariatesModel *model)
{
	const int *kept = task->rows->kept;
	int n = PARAMETERS + kept[0] + kept[1];

	model->log_likelihood = whole->log_likelihood;
	model->aic = 2.0 * n - 2.0 * whole->log_likelihood;
	model->bic = n * log(task->rows->total) - 2.0 * whole->log_likelihood;
	model->of_all = make_test(model, plain->log_likelihood, kept[0] + kept[1], task->penalty);
	for (int p = 0; p < CRM_PROCESSES; p++)
	{
		double smaller = kept[1 - p] > 0 ? alone[1 - p].log_likelihood : plain->log_likelihood;

		if (kept[p] == 0)
			smaller = whole->log_likelihood;
		model->of_process[p] = make_test(model, smaller, kept[p], task->penalty);
	}
	model->gradient_norm = whole->optimum.gradient_norm;
	model->iterations = whole->optimum.iterations;
	model->status = whole->status == CRM_OK         ? CRM_FIT_CONVERGED
					: whole->status == CRM_AT_BOUND ? CRM_FIT_AT_BOUND
													: CRM_FIT_NOT_CONVERGED;
	for (int p = 0; p < CRM_PROCESSES; p++)
		for (int j = 0; j < CRM_COVARIATES_MAX && model->status == CRM_FIT_CONVERGED; j++)
			if (model->covariate[p][j].state == CRM_COVARIATE_AT_BOUND)
				model->status = CRM_FIT_AT_BOUND;
}

/* Fill in the model of a fit. */
static CrmStatus
make_model(CrmCovariatesTask *task, const CrmCovariatesData *data, const Found *whole,
		   CrmCovariatesModel *model)
{
	double covariance[CRM_OPTIMISE_MAX * CRM_OPTIMISE_MAX];
	const int *kept = task->rows->kept;
	int n = PARAMETERS + kept[0] + kept[1];
	CrmStatus status = find_covariance(task, whole, covariance);

	if (status != CRM_OK)
		return status;
	model->parameter.r = exp(whole->theta[0]);
	model->parameter.s = exp(whole->theta[2]);
	for (int i = 0; i < PARAMETERS; i += 2)
		model->error[i] = exp(whole->theta[i]) * sqrt(covariance[i * n + i]);
	for (int p = 0; p < CRM_PROCESSES; p++)
	{
		int at = PARAMETERS + (p == CRM_DROPOUT ? kept[0] : 0);

		set_parameter(whole, covariance, n, 2 * p, at, data->d[p], model->covariate[p],
					  p == CRM_PURCHASE ? &model->parameter.alpha : &model->parameter.beta,
					  &model->error[2 * p + 1]);
		unscale(whole, covariance, n, at, data->d[p], model->covariate[p], model->estimate[p],
				model->estimate_error[p]);
	}
	return CRM_OK;
}

/* Set every number to NaN. */
static void
clear_model(CrmCovariatesModel *model)
{
	memset(model, 0, sizeof *model);
	model->parameter = (CrmParetonbd){NAN, NAN, NAN, NAN};
	model->log_likelihood = model->aic = model->bic = model->gradient_norm = NAN;
	model->of_all = (CrmCovariatesTest){NAN, NAN, 0};
	for (int i = 0; i < PARAMETERS; i++)
		model->error[i] = NAN;
	for (int p = 0; p < CRM_PROCESSES; p++)
	{
		model->of_process[p] = model->of_all;
		for (int j = 0; j < CRM_COVARIATES_MAX; j++)
			model->estimate[p][j] = model->estimate_error[p][j] = NAN;
	}
	model->status = CRM_FIT_INSUFFICIENT;
}

/*
 * Fit the model to customers. CRM_OK with a model whatever model->status is: insufficient with
 * fewer customers than parameters, or none with a repeat transaction. CRM_DOMAIN: a param out of
 * range, a customer that crm_btyd_check refuses, or too many columns; CRM_ABORTED by the poll;
 * CRM_LIMIT, CRM_NO_MEMORY.
 */
CrmStatus
crm_covariates_fit(CrmCtx *ctx, const CrmCovariatesData *data, const CrmCovariatesParam *param,
				   CrmCovariatesModel *model)
{
	Found found[2 + CRM_PROCESSES]; /* without covariates, with all, with those of one process */
	CrmCovariateRows rows;
	CrmCovariatesTask task;
	CrmStatus status;

	clear_model(model);
	if (crm_covariates_check(param) != NULL)
		return CRM_DOMAIN;
	status = crm_covariate_rows_make(ctx, data, &rows);
	if (status == CRM_OK)
	{
		memcpy(model->covariate, rows.covariate, sizeof model->covariate);
		crm_covariates_begin(ctx, &rows, &task);
		task.penalty = param->penalty;
		if (rows.total > PARAMETERS + rows.kept[0] + rows.kept[1] && rows.repeat > 0.0 &&
			rows.mean_t > 0.0)
		{
			status = fit_all(&task, data, &found[0], &found[2], &found[1]);
			if (status == CRM_OK)
				status = make_model(&task, data, &found[1], model);
			if (status == CRM_OK)
				set_facts(&task, &found[0], &found[2], &found[1], model);
		}
	}
	crm_covariate_rows_free(ctx, &rows);
	return status;
}
