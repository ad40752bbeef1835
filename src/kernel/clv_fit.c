/*
 * clv_fit.c: fits and chooses a model of orders; see clv_fit.h.
 */
#include "kernel/clv_fit.h"

#include <math.h>
#include <string.h>

#include "kernel/base/sum.h"
#include "kernel/bgbb.h"
#include "kernel/bgnbd.h"
#include "kernel/gammagamma.h"
#include "kernel/paretonbd.h"

#define TIE 2.0 /* a difference of AIC that decides nothing */

/* Fit BG/BB to the distinct rows of customers. */
static CrmStatus
fit_bgbb(CrmCtx *ctx, const CrmBtyd *customers, double penalty, CrmFit *fit)
{
	size_t n = customers->n;
	double *columns = crm_allocate(ctx, 3 * n, sizeof(double));
	CrmBgbbData data = {.rows = n, .x = columns, .weight = customers->weight};
	CrmStatus status;

	if (columns == NULL)
		return ctx->failure;
	data.t_x = columns + n;
	data.n = columns + 2 * n;
	for (size_t i = 0; i < n; i++)
	{
		columns[i] = customers->x[customers->row[i].x];
		columns[n + i] = customers->time[customers->row[i].t_x];
		columns[2 * n + i] = customers->time[customers->row[i].t];
	}
	status = crm_bgbb_fit(ctx, &data, penalty, fit);
	crm_release(ctx, columns, 3 * n, sizeof(double));
	return status;
}

/* Fit one kind of model. */
static CrmStatus
fit_kind(CrmCtx *ctx, CrmClvKind kind, const CrmBtyd *customers, double penalty, CrmFit *fit)
{
	CrmStatus status;

	if (kind == CRM_CLV_BGBB)
		return fit_bgbb(ctx, customers, penalty, fit);
	if (kind == CRM_CLV_PARETONBD)
	{
		CrmParetonbdParam param;
		CrmParetonbdModel model;

		crm_paretonbd_defaults(&param);
		param.penalty = penalty;
		status = crm_paretonbd_fit(ctx, customers, &param, &model);
		*fit = model.fit;
	}
	else
	{
		CrmBgnbdParam param;
		CrmBgnbdModel model;

		crm_bgnbd_defaults(&param);
		param.modified = kind == CRM_CLV_MBGNBD;
		param.penalty = penalty;
		status = crm_bgnbd_fit(ctx, customers, &param, &model);
		*fit = model.fit;
	}
	return status;
}

/* Give the log-likelihood of customers under parameters. */
static CrmStatus
likelihood_of(CrmCtx *ctx, CrmClvKind kind, const CrmBtyd *customers, const double *theta,
			  double *value)
{
	CrmParetonbd paretonbd = {theta[0], theta[1], theta[2], theta[3]};
	CrmBgnbd bgnbd = {theta[0], theta[1], theta[2], theta[3], kind == CRM_CLV_MBGNBD};

	if (kind == CRM_CLV_PARETONBD)
		return crm_paretonbd_log_likelihood(ctx, customers, &paretonbd, value, NULL);
	return crm_bgnbd_log_likelihood(ctx, customers, &bgnbd, value, NULL);
}

/* Fill in what each candidate, fitted to one half, makes of the other. */
static CrmStatus
hold_out(CrmCtx *ctx, const CrmBtyd *customers, const CrmClvFitParam *param, CrmClvFit *fit)
{
	CrmBtyd seen = {0}, unseen = {0};
	CrmStatus status = crm_btyd_half(ctx, customers, param->seed, 0, &seen);

	if (status == CRM_OK)
		status = crm_btyd_half(ctx, customers, param->seed, 1, &unseen);
	for (int i = 0; i < fit->candidates && status == CRM_OK && seen.n > 0; i++)
	{
		CrmFit half;

		status = fit_kind(ctx, fit->candidate[i], &seen, param->penalty, &half);
		if (status == CRM_OK)
			status =
				likelihood_of(ctx, fit->candidate[i], &unseen, half.parameter, &fit->holdout[i]);
	}
	crm_btyd_half_free(ctx, &unseen);
	crm_btyd_half_free(ctx, &seen);
	return status;
}

/* Choose among the candidates, whose fits are all[]; BG/NBD comes first and is a last resort. */
static CrmStatus
choose(CrmCtx *ctx, const CrmBtyd *customers, const CrmClvFitParam *param, const CrmFit *all,
	   CrmClvFit *fit)
{
	int best = 0, rivals = 0, taken = -1;
	CrmStatus status;

	for (int i = 1; i < fit->candidates; i++)
		if (fit->aic[i] < fit->aic[best])
			best = i;
	for (int i = 0; i < fit->candidates; i++)
		rivals += fit->aic[i] <= fit->aic[best] + TIE && fit->candidate[i] != CRM_CLV_BGNBD;
	if (fit->candidate[best] == CRM_CLV_BGNBD ? rivals > 0 : rivals > 1)
	{
		status = hold_out(ctx, customers, param, fit);
		if (status != CRM_OK)
			return status;
		fit->by_holdout = true;
		for (int i = 0; i < fit->candidates; i++)
			if (fit->aic[i] <= fit->aic[best] + TIE && fit->candidate[i] != CRM_CLV_BGNBD &&
				(taken < 0 || fit->holdout[i] > fit->holdout[taken]))
				taken = i;
		best = taken;
	}
	fit->kind = fit->candidate[best];
	fit->fit = all[best];
	return CRM_OK;
}

/*
 * Fit. CRM_OK with a fit: its kind is CRM_CLV_FORMULA where the data cannot tell the parameters
 * (fit->fit.status is CRM_FIT_INSUFFICIENT). CRM_DOMAIN for customers that cannot be; CRM_ABORTED,
 * CRM_LIMIT, CRM_NO_MEMORY.
 */
CrmStatus
crm_clv_fit(CrmCtx *ctx, const CrmBtydData *data, const CrmClvFitParam *param, CrmClvFit *fit)
{
	static const CrmClvKind candidates[] = {CRM_CLV_BGNBD, CRM_CLV_MBGNBD, CRM_CLV_PARETONBD};
	CrmBtyd customers = {0};
	CrmFit all[CRM_CLV_KINDS];
	CrmStatus status;

	memset(fit, 0, sizeof *fit);
	fit->kind = CRM_CLV_FORMULA;
	fit->fit.status = CRM_FIT_INSUFFICIENT;
	if (param->kind == CRM_CLV_FORMULA)
	{
		fit->fit.status = CRM_FIT_CONVERGED;
		return CRM_OK;
	}
	status = crm_btyd_collapse(ctx, data, &customers);
	if (status != CRM_OK)
		return status;
	if (customers.total < 3.0 || !(customers.repeat > 0.0) || !(customers.mean_t > 0.0))
	{
		crm_btyd_free(ctx, &customers);
		return CRM_OK;
	}
	if (param->kind != CRM_CLV_AUTO)
	{
		fit->kind = param->kind;
		status = fit_kind(ctx, param->kind, &customers, param->penalty, &fit->fit);
	}
	else
	{
		for (size_t i = 0; i < sizeof candidates / sizeof *candidates && status == CRM_OK; i++)
		{
			fit->candidate[i] = candidates[i];
			status = fit_kind(ctx, candidates[i], &customers, param->penalty, &all[i]);
			fit->aic[i] = all[i].aic;
			fit->holdout[i] = NAN;
			fit->candidates++;
		}
		if (status == CRM_OK)
			status = choose(ctx, &customers, param, all, fit);
	}
	crm_btyd_free(ctx, &customers);
	return status;
}

/* Put the parameters that a fit has found into a model; its spend stays. */
void
crm_clv_take(const CrmClvFit *fit, CrmClvModel *model)
{
	int n = crm_clv_parameters(fit->kind, NULL);

	model->kind = fit->kind;
	memcpy(model->theta, fit->fit.parameter, (size_t) n * sizeof(double));
	memcpy(model->covariance, fit->fit.covariance, (size_t) (n * n) * sizeof(double));
}

/* Give the mean value of an order of all customers whose mean is above zero; 0 without any. */
static double
mean_value(const CrmClvSpendData *data)
{
	CrmSum sum = {0};
	int64_t n = 0;

	for (size_t i = 0; i < data->n; i++)
		if (data->mean_each[i] > 0.0)
		{
			crm_sum_add(&sum, data->mean_each[i]);
			n++;
		}
	return n > 0 ? crm_sum_mean(sum, n) : 0.0;
}

/*
 * Put a model of spend into *model. Gamma-Gamma is fitted to the customers whose repeat
 * transactions have a mean above zero; with fewer than three of them the customers' own means serve
 * instead. *fit takes how that went; its n is 0 without a fit.
 */
CrmStatus
crm_clv_fit_spend(CrmCtx *ctx, const CrmClvSpendData *data, CrmClvSpend spend, CrmClvModel *model,
				  CrmFit *fit)
{
	double *columns;
	CrmGammaGammaData usable = {0};
	CrmGammaGammaParam param;
	CrmGammaGammaModel found;
	CrmBtyd rows = {0};
	CrmStatus status;

	memset(fit, 0, sizeof *fit);
	model->spend = CRM_CLV_MEAN;
	model->mean_value = mean_value(data);
	if (spend == CRM_CLV_MEAN)
		return CRM_OK;
	columns = crm_allocate(ctx, 2 * data->n, sizeof(double));
	if (columns == NULL)
		return ctx->failure;
	for (size_t i = 0; i < data->n; i++)
		if (data->x[i] > 0.0 && data->mean[i] > 0.0 && data->mean[i] <= CRM_BTYD_MAX_TIME)
		{
			columns[usable.n] = data->x[i];
			columns[data->n + usable.n++] = data->mean[i];
		}
	usable.x = columns;
	usable.mean = columns + data->n;
	if (usable.n < 3)
	{
		crm_release(ctx, columns, 2 * data->n, sizeof(double));
		return CRM_OK;
	}
	status = crm_gammagamma_collapse(ctx, &usable, &rows);
	crm_release(ctx, columns, 2 * data->n, sizeof(double));
	if (status != CRM_OK)
		return status;
	crm_gammagamma_defaults(&param);
	status = crm_gammagamma_fit(ctx, &rows, &param, &found);
	crm_btyd_free(ctx, &rows);
	if (status != CRM_OK)
		return status;
	*fit = found.fit;
	model->spend = CRM_CLV_GAMMA_GAMMA;
	model->spend_theta[0] = found.parameter.p;
	model->spend_theta[1] = found.parameter.q;
	model->spend_theta[2] = found.parameter.v;
	memcpy(model->spend_covariance, found.fit.covariance, sizeof model->spend_covariance);
	return CRM_OK;
}
