/*
 * logistic.c: see logistic.h. The course of a fit: moments of the columns, which of them take part,
 * Newton's iteration on the standardised ones, the way back to the caller's units.
 */
#include "kernel/logistic.h"

#include <math.h>
#include <string.h>

#include "kernel/base/canonical.h"
#include "kernel/base/dense.h"
#include "kernel/logistic_newton.h"

#define COLLINEAR 1e-12 /* squared rest of a column over its square */
#define CONSTANT  1e-14 /* standard deviation over the mean's size: rounding alone */
#define SHARE     0.01  /* of the largest: a coefficient that takes part in a direction */

/* Set the customary parameters. */
void
crm_logistic_defaults(CrmLogisticParam *param)
{
	*param = (CrmLogisticParam){.class_weight = {1, 1}, .max_iterations = 100, .tolerance = 1e-10};
}

/* Tell whether a fit can run with the parameters; if not, why (n bytes, ended by 0) says it. */
bool
crm_logistic_check(const CrmLogisticParam *param, char *why, size_t n)
{
	const char *text = NULL;

	if (!(param->penalty >= 0.0 && param->penalty < INFINITY))
		text = "penalty must be finite and not negative";
	else if (!(param->l1_ratio >= 0.0 && param->l1_ratio <= 1.0))
		text = "l1_ratio must be between 0 and 1";
	else if (!param->balanced &&
			 !(param->class_weight[0] > 0.0 && param->class_weight[0] < INFINITY &&
			   param->class_weight[1] > 0.0 && param->class_weight[1] < INFINITY))
		text = "class weights must be finite and above 0";
	else if (param->max_iterations < 1)
		text = "max_iterations must be at least 1";
	else if (!(param->tolerance > 0.0 && param->tolerance < INFINITY))
		text = "tolerance must be finite and above 0";
	if (text != NULL && n > 0)
	{
		size_t length = strlen(text) < n - 1 ? strlen(text) : n - 1;

		memcpy(why, text, length);
		why[length] = '\0';
	}
	return text == NULL;
}

/* Give the bytes that arranging n rows of d columns and a fit take besides the data, at most. */
size_t
crm_logistic_bytes(size_t n, int d)
{
	size_t q = (size_t) d + 1;

	return n * (sizeof(uint32_t) + 12) + q * (16 + sizeof(int) + sizeof(double *)) +
		   crm_logistic_newton_bytes(d) + q * (q + 3) * sizeof(double) + 2 * q;
}

/*
 * Rearrange the rows of columns, label and weights into the order that their values alone decide
 * (base/canonical.h). Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED (the rows may then be torn),
 * CRM_DOMAIN for too many rows.
 */
CrmStatus
crm_logistic_arrange(CrmCtx *ctx, CrmLogisticData *data)
{
	size_t columns = (size_t) data->d + 1;
	double **all = crm_allocate(ctx, columns, sizeof(double *));
	CrmStatus status;

	if (all == NULL)
		return ctx->failure;
	for (int j = 0; j < data->d; j++)
		all[j] = data->columns[j];
	all[data->d] = data->label;
	status = crm_canonical_rows(ctx, all, (int) columns, data->weights, data->n);
	crm_release(ctx, all, columns, sizeof(double *));
	return status;
}

/* Mark the columns that are constant or collinear by the products around the means, and leave the
 * others in pass->use, standardised. */
static void
choose_columns(CrmLogisticNewton *fit, CrmLogisticModel *model)
{
	CrmLogisticPass *pass = &fit->pass;
	int q = pass->q, kept = 1;

	memcpy(fit->factor, pass->hessian, (size_t) q * q * sizeof(double));
	for (int j = 1; j < q; j++)
	{
		double variance = pass->hessian[(size_t) j * q + j] / model->total_weight;

		model->scale[j] = sqrt(variance);
		if (!(model->scale[j] > CONSTANT * fabs(pass->mean[j])))
		{
			model->column[j] = CRM_COLUMN_CONSTANT;
			for (int k = 0; k < q; k++)
				fit->factor[(size_t) j * q + k] = fit->factor[(size_t) k * q + j] = 0.0;
		}
	}

	/* around the means the products with the intercept are rounding alone */
	for (int j = 1; j < q; j++)
		fit->factor[(size_t) j * q] = 0.0;
	(void) crm_cholesky(fit->factor, q, COLLINEAR, fit->dropped);
	for (int j = 1; j < q; j++)
	{
		if (model->column[j] == CRM_COLUMN_KEPT && fit->dropped[j])
			model->column[j] = CRM_COLUMN_COLLINEAR;
		if (model->column[j] != CRM_COLUMN_KEPT)
			continue;
		pass->use[kept] = j - 1;
		pass->mean[kept] = pass->mean[j];
		pass->inverse[kept] = 1.0 / model->scale[j];
		kept++;
	}
	pass->q = kept;
	model->rank = kept;
}

/* Tell whether a column alone separates the classes, if only by touching. */
static bool
does_separate(const CrmLogisticData *data, const double *column)
{
	double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};

	for (size_t i = 0; i < data->n; i++)
	{
		int group = data->label[i] != 0.0;

		if (data->weights != NULL && data->weights[i] == 0.0)
			continue;
		low[group] = column[i] < low[group] ? column[i] : low[group];
		high[group] = column[i] > high[group] ? column[i] : high[group];
	}
	return high[0] <= low[1] || high[1] <= low[0];
}

/* Name the columns that separate: those that do so alone, or else all of the direction. */
static CrmStatus
name_separators(CrmLogisticNewton *fit, CrmLogisticModel *model)
{
	CrmLogisticPass *pass = &fit->pass;
	const double *direction = pass->least > 0.0 ? fit->g : fit->step;
	double largest = 0.0;
	bool found = false;

	for (int j = 1; j < pass->q; j++)
	{
		bool alone = does_separate(pass->data, pass->data->columns[pass->use[j]]);

		model->separates[pass->use[j] + 1] = alone;
		found |= alone;
		largest = fmax(largest, fabs(direction[j]));
		if (crm_poll(pass->ctx))
			return CRM_ABORTED;
	}
	for (int j = 1; j < pass->q && !found; j++)
		model->separates[pass->use[j] + 1] = fabs(direction[j]) > SHARE * largest;
	return CRM_OK;
}

/* Count labels and their weights; set the class weights. yes[2], weight[2]: rows and weights. */
static CrmStatus
count_classes(CrmLogisticNewton *fit, const CrmLogisticParam *param, CrmLogisticModel *model,
			  double *weight)
{
	const CrmLogisticData *data = fit->pass.data;
	size_t yes = 0;
	double total;

	weight[0] = weight[1] = 0.0;
	for (size_t i = 0; i < data->n; i++)
	{
		int group = data->label[i] != 0.0;

		yes += group;
		weight[group] += data->weights != NULL ? data->weights[i] : 1.0;
		if (i % 1048576 == 1048575 && crm_poll(fit->pass.ctx))
			return CRM_ABORTED;
	}
	model->yes = yes;
	total = weight[0] + weight[1];
	for (int group = 0; group < 2; group++)
	{
		double *factor = &fit->pass.class_weight[group];

		*factor = param->class_weight[group];
		if (param->balanced)
			*factor = weight[group] > 0.0 ? 0.5 * total / weight[group] : 1.0;
		weight[group] *= *factor;
	}
	return CRM_OK;
}

/* Give x log(x / total), 0 at 0. */
static double
log_share(double x, double total)
{
	return x > 0.0 ? x * log(x / total) : 0.0;
}

/* Turn coefficients and their covariance from standardised columns back to the caller's units. */
static void
finish_model(CrmLogisticNewton *fit, CrmLogisticModel *model)
{
	const CrmLogisticPass *pass = &fit->pass;
	int q = pass->q, all = model->d + 1;
	double *back = fit->trial; /* row of the intercept: b_0 = back'g */

	for (int j = 1; j < q; j++)
		back[j] = -pass->mean[j] * pass->inverse[j];
	back[0] = 1.0;
	model->estimate[0] = 0.0;
	for (int j = 0; j < q; j++)
		model->estimate[0] += back[j] * fit->g[j];
	for (int j = 1; j < q; j++)
		model->estimate[pass->use[j] + 1] = fit->g[j] * pass->inverse[j];
	if (fit->lasso > 0.0 || model->state == CRM_LOGISTIC_ONE_CLASS)
		return;
	crm_logistic_factor(fit);
	crm_cholesky_inverse(fit->factor, q, NULL, fit->pass.hessian);
	for (int j = 0; j < q; j++)
	{
		double with_first = 0.0;
		int to_j = j > 0 ? pass->use[j] + 1 : 0;

		for (int k = 0; k < q; k++)
			with_first += pass->hessian[(size_t) j * q + k] * back[k];
		fit->step[j] = with_first;
		for (int k = 1; k < q && j > 0; k++)
			model->covariance[(size_t) to_j * all + pass->use[k] + 1] =
				pass->hessian[(size_t) j * q + k] * pass->inverse[j] * pass->inverse[k];
	}
	for (int j = 0; j < q; j++)
	{
		model->covariance[0] += back[j] * fit->step[j];
		if (j > 0)
			model->covariance[pass->use[j] + 1] =
				model->covariance[(size_t) (pass->use[j] + 1) * all] =
					fit->step[j] * pass->inverse[j];
	}
	for (int j = 0; j < q; j++)
	{
		int at = j > 0 ? pass->use[j] + 1 : 0;

		model->error[at] = sqrt(model->covariance[(size_t) at * all + at]);
	}
}

/* Fit with memory at hand. */
static CrmStatus
run(CrmLogisticNewton *fit, const CrmLogisticParam *param, CrmLogisticModel *model)
{
	CrmLogisticPass *pass = &fit->pass;
	double weight[2];
	CrmStatus status;

	/* 1. classes */
	status = count_classes(fit, param, model, weight);
	if (status != CRM_OK)
		return status;
	model->total_weight = weight[0] + weight[1];
	model->null_deviance = -2.0 * (log_share(weight[0], model->total_weight) +
								   log_share(weight[1], model->total_weight));
	memset(fit->g, 0, fit->pass.room * sizeof(double));
	pass->q = fit->pass.room;
	for (int j = 1; j < pass->q; j++)
		pass->use[j] = j - 1;
	if (weight[0] <= 0.0 || weight[1] <= 0.0)
	{
		model->state = CRM_LOGISTIC_ONE_CLASS;
		fit->g[0] = log((weight[1] + 0.5) / (weight[0] + 0.5));
		pass->q = model->rank = 1;
		finish_model(fit, model);
		return CRM_OK;
	}

	/* 2. columns */
	status = crm_logistic_moments(pass, &model->total_weight);
	if (status != CRM_OK)
		return status;
	for (int j = 0; j < pass->q * pass->q; j++)
		if (!isfinite(pass->hessian[j]))
			return CRM_DOMAIN;
	choose_columns(fit, model);

	/* 3. the optimum, that of the weak ridge where there is none */
	fit->ridge = model->total_weight * param->penalty * (1.0 - param->l1_ratio);
	fit->lasso = model->total_weight * param->penalty * param->l1_ratio;
	fit->may_separate = param->penalty == 0.0;
	fit->g[0] = log(weight[1] / weight[0]);
	status = crm_logistic_iterate(fit, param->max_iterations, param->tolerance);
	if (status == CRM_OK && fit->separated)
	{
		model->state = CRM_LOGISTIC_SEPARATED;
		status = name_separators(fit, model);
		memset(fit->g, 0, fit->pass.room * sizeof(double));
		fit->g[0] = log(weight[1] / weight[0]);
		fit->ridge = 1.0 / (CRM_LOGISTIC_PRIOR_SD * CRM_LOGISTIC_PRIOR_SD);
		fit->may_separate = false;
		if (status == CRM_OK)
			status = crm_logistic_iterate(fit, param->max_iterations, param->tolerance);
	}
	if (status != CRM_OK)
		return status;

	/* 4. what is told */
	model->converged = fit->converged;
	model->iterations = fit->iterations;
	model->deviance = 2.0 * pass->objective;
	model->log_likelihood = -pass->objective;
	finish_model(fit, model);
	return CRM_OK;
}

/* Make room for the model and begin it. */
static CrmStatus
begin_model(CrmCtx *ctx, int d, CrmLogisticModel *model)
{
	size_t all = (size_t) d + 1;

	*model = (CrmLogisticModel){.d = d};
	if ((model->estimate = crm_allocate(ctx, all, sizeof(double))) == NULL ||
		(model->error = crm_allocate(ctx, all, sizeof(double))) == NULL ||
		(model->covariance = crm_allocate(ctx, all * all, sizeof(double))) == NULL ||
		(model->scale = crm_allocate(ctx, all, sizeof(double))) == NULL ||
		(model->column = crm_allocate(ctx, all, 1)) == NULL ||
		(model->separates = crm_allocate(ctx, all, 1)) == NULL)
		return ctx->failure;
	for (size_t j = 0; j < all; j++)
		model->estimate[j] = model->error[j] = NAN;
	memset(model->covariance, 0, all * all * sizeof(double));
	memset(model->scale, 0, all * sizeof(double));
	memset(model->column, CRM_COLUMN_KEPT, all);
	memset(model->separates, 0, all);
	return CRM_OK;
}

/*
 * Fit. The model's arrays are the caller's to give back (crm_logistic_model_free). CRM_OK, also
 * where it did not converge (model->converged) or the classes are separated (model->state). Errors,
 * after which nothing is held: CRM_DOMAIN (squares of a column's values overflow), CRM_LIMIT,
 * CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_logistic_fit(CrmCtx *ctx, const CrmLogisticData *data, const CrmLogisticParam *param,
				 CrmLogisticModel *model)
{
	CrmLogisticNewton fit;
	CrmStatus status = begin_model(ctx, data->d, model);

	if (status == CRM_OK)
		status = crm_logistic_newton_begin(ctx, data, &fit);
	if (status == CRM_OK)
	{
		status = run(&fit, param, model);
		crm_logistic_newton_free(&fit);
	}
	model->aic = model->deviance + 2.0 * model->rank;
	if (status != CRM_OK)
		crm_logistic_model_free(ctx, model);
	return status;
}

/* Give back what a fit gave; once more does no harm. */
void
crm_logistic_model_free(CrmCtx *ctx, CrmLogisticModel *model)
{
	size_t all = (size_t) model->d + 1;

	crm_release(ctx, model->separates, all, 1);
	crm_release(ctx, model->column, all, 1);
	crm_release(ctx, model->scale, all, sizeof(double));
	crm_release(ctx, model->covariance, all * all, sizeof(double));
	crm_release(ctx, model->error, all, sizeof(double));
	crm_release(ctx, model->estimate, all, sizeof(double));
	model->separates = model->column = NULL;
	model->scale = model->covariance = model->error = model->estimate = NULL;
}

/* Give P(y = 1) for d features, coefficients d + 1 with the intercept first; a NaN coefficient (of
 * a dropped column) counts as 0. */
double
crm_logistic_predict(const double *coefficients, const double *features, int d)
{
	double eta = isnan(coefficients[0]) ? 0.0 : coefficients[0];
	double tail;

	for (int j = 0; j < d; j++)
		if (!isnan(coefficients[j + 1]))
			eta += coefficients[j + 1] * features[j];
	tail = exp(-fabs(eta));
	return eta < 0.0 ? tail / (1.0 + tail) : 1.0 / (1.0 + tail);
}
