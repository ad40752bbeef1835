/*
 * cox_model.c: what a Cox regression is asked for besides the fit: parameters, memory, the order of
 * the rows, and predictions; see cox.h.
 */
#include "kernel/cox.h"

#include <math.h>
#include <string.h>

#include "kernel/base/canonical.h"
#include "kernel/cox_concordance.h"
#include "kernel/survival.h"

/* Set the customary parameters. */
void
crm_cox_defaults(CrmCoxParam *param)
{
	*param = (CrmCoxParam){.efron = true, .max_iterations = 50, .tolerance = 1e-10};
}

/* Give the bytes that arranging n rows of d columns and a fit take besides the data, at most. */
size_t
crm_cox_bytes(size_t n, int d, bool has_entry)
{
	size_t columns = (size_t) d;
	size_t after = crm_concordance_bytes(n) + n * sizeof(double);
	size_t test = crm_survival_bytes(n) + 2 * n * sizeof(double);

	return crm_cox_pass_bytes(n, d, has_entry) + n * sizeof(CrmCoxBaseline) +
		   (after > test ? after : test) + columns * (columns * 4 + 12) * sizeof(double);
}

/*
 * Rearrange the rows of all arrays into the order that their values alone decide
 * (base/canonical.h). Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED (the rows may then be torn),
 * CRM_DOMAIN for too many rows.
 */
CrmStatus
crm_cox_arrange(CrmCtx *ctx, CrmCoxData *data)
{
	size_t room = (size_t) data->d + 4;
	double **all = crm_allocate(ctx, room, sizeof(double *));
	int columns = data->d;
	CrmStatus status;

	if (all == NULL)
		return ctx->failure;
	for (int j = 0; j < data->d; j++)
		all[j] = data->columns[j];
	all[columns++] = data->time;
	all[columns++] = data->event;
	if (data->entry != NULL)
		all[columns++] = data->entry;
	if (data->stratum != NULL)
		all[columns++] = data->stratum;
	status = crm_canonical_rows(ctx, all, columns, NULL, data->n);
	crm_release(ctx, all, room, sizeof(double *));
	return status;
}

/*
 * Make room for the model and begin it; times: how many baselines. Errors: CRM_LIMIT,
 * CRM_NO_MEMORY; what is held then goes with crm_cox_model_free.
 */
CrmStatus
crm_cox_model_begin(CrmCtx *ctx, int d, size_t times, CrmCoxModel *model)
{
	size_t n = (size_t) d;

	*model = (CrmCoxModel){.d = d,
						   .baselines = times,
						   .zph_global = NAN,
						   .concordance = NAN,
						   .concordance_error = NAN};
	if ((model->estimate = crm_allocate(ctx, n, sizeof(double))) == NULL ||
		(model->error = crm_allocate(ctx, n, sizeof(double))) == NULL ||
		(model->covariance = crm_allocate(ctx, n * n, sizeof(double))) == NULL ||
		(model->mean = crm_allocate(ctx, n, sizeof(double))) == NULL ||
		(model->scale = crm_allocate(ctx, n, sizeof(double))) == NULL ||
		(model->zph = crm_allocate(ctx, n, sizeof(double))) == NULL ||
		(model->column = crm_allocate(ctx, n, 1)) == NULL ||
		(model->monotone = crm_allocate(ctx, n, 1)) == NULL ||
		(model->baseline = crm_allocate(ctx, times, sizeof(CrmCoxBaseline))) == NULL)
		return ctx->failure;
	for (int j = 0; j < d; j++)
		model->estimate[j] = model->error[j] = model->zph[j] = NAN;
	memset(model->covariance, 0, n * n * sizeof(double));
	memset(model->column, CRM_COX_KEPT, n);
	memset(model->monotone, 0, n);
	return CRM_OK;
}

/* Give back what a fit gave; once more does no harm. */
void
crm_cox_model_free(CrmCtx *ctx, CrmCoxModel *model)
{
	size_t n = (size_t) model->d;

	crm_release(ctx, model->baseline, model->baselines, sizeof(CrmCoxBaseline));
	crm_release(ctx, model->monotone, n, 1);
	crm_release(ctx, model->column, n, 1);
	crm_release(ctx, model->zph, n, sizeof(double));
	crm_release(ctx, model->scale, n, sizeof(double));
	crm_release(ctx, model->mean, n, sizeof(double));
	crm_release(ctx, model->covariance, n * n, sizeof(double));
	crm_release(ctx, model->error, n, sizeof(double));
	crm_release(ctx, model->estimate, n, sizeof(double));
	model->baseline = NULL;
	model->monotone = model->column = NULL;
	model->zph = model->scale = model->mean = model->covariance = model->error = NULL;
	model->estimate = NULL;
}

/* Give the cumulative hazard at a time: that of the last of n ascending times not after it. */
static double
hazard_at(const double *times, const double *hazard, size_t n, double time)
{
	size_t low = 0, high = n;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;

		if (times[middle] <= time)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? hazard[low - 1] : 0.0;
}

/*
 * Give P(T > at | T > since) = exp(-(H(at) - H(since)) exp(eta)), H the cumulative baseline hazard
 * at n ascending times, eta = b'(x - mean). 1 when at is not after since; beyond the last time H
 * stays.
 */
double
crm_cox_predict(const double *times, const double *hazard, size_t n, double eta, double since,
				double at)
{
	if (isnan(eta) || isnan(since) || isnan(at))
		return NAN;
	if (at <= since)
		return 1.0;
	return exp(-(hazard_at(times, hazard, n, at) - hazard_at(times, hazard, n, since)) * exp(eta));
}

/* Give b'(x - mean) of d covariates. */
double
crm_cox_score(const double *coefficients, const double *mean, const double *features, int d)
{
	double eta = 0.0;

	for (int j = 0; j < d; j++)
		eta += coefficients[j] * (features[j] - mean[j]);
	return eta;
}
