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

/*
 * Begin to take what customers spent, room of them at most for a fit of Gamma-Gamma; none for that
 * of means. crm_clv_spend_fit is to follow. CRM_LIMIT and CRM_NO_MEMORY as crm_allocate.
 */
CrmStatus
crm_clv_spend_begin(CrmCtx *ctx, size_t room, CrmClvSpendRows *rows)
{
	*rows = (CrmClvSpendRows){.room = room};
	rows->x = crm_allocate(ctx, room, sizeof *rows->x);
	rows->mean = crm_allocate(ctx, room, sizeof *rows->mean);
	return rows->x == NULL || rows->mean == NULL ? ctx->failure : CRM_OK;
}

/* Take a customer: Gamma-Gamma is of those whose repeat transactions have a mean above zero. */
void
crm_clv_spend_add(CrmClvSpendRows *rows, double x, double mean, double mean_each)
{
	if (mean_each > 0.0)
	{
		crm_sum_add(&rows->sum, mean_each);
		rows->count++;
	}
	if (rows->n < rows->room && x > 0.0 && mean > 0.0 && mean <= CRM_BTYD_MAX_TIME)
	{
		rows->x[rows->n] = x;
		rows->mean[rows->n++] = mean;
	}
}

static void
end_spend(CrmCtx *ctx, CrmClvSpendRows *rows)
{
	crm_release(ctx, rows->mean, rows->room, sizeof *rows->mean);
	crm_release(ctx, rows->x, rows->room, sizeof *rows->x);
	rows->x = rows->mean = NULL;
}

/*
 * Put a model of spend into *model, and give the rows back. With fewer than three of them for
 * Gamma-Gamma the customers' own means serve instead. *fit takes how that went; its n is 0 without
 * a fit.
 */
CrmStatus
crm_clv_spend_fit(CrmCtx *ctx, CrmClvSpendRows *rows, CrmClvModel *model, CrmFit *fit)
{
	CrmGammaGammaData usable = {.x = rows->x, .mean = rows->mean, .n = rows->n};
	CrmGammaGammaParam param;
	CrmGammaGammaModel found;
	CrmBtyd distinct = {0};
	CrmStatus status;

	memset(fit, 0, sizeof *fit);
	model->spend = CRM_CLV_MEAN;
	model->mean_value = rows->count > 0 ? crm_sum_mean(rows->sum, rows->count) : 0.0;
	status = rows->n < 3 ? CRM_OK : crm_gammagamma_collapse(ctx, &usable, &distinct);
	end_spend(ctx, rows);
	if (rows->n < 3)
		return CRM_OK;
	crm_gammagamma_defaults(&param);
	if (status == CRM_OK)
		status = crm_gammagamma_fit(ctx, &distinct, &param, &found);
	crm_btyd_free(ctx, &distinct);
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

/* Put a model of spend into *model, from columns; the same otherwise. */
CrmStatus
crm_clv_fit_spend(CrmCtx *ctx, const CrmClvSpendData *data, CrmClvSpend spend, CrmClvModel *model,
				  CrmFit *fit)
{
	CrmClvSpendRows rows;
	CrmStatus status = crm_clv_spend_begin(ctx, spend == CRM_CLV_MEAN ? 0 : data->n, &rows);

	if (status != CRM_OK)
	{
		end_spend(ctx, &rows);
		return status;
	}
	for (size_t i = 0; i < data->n; i++)
		crm_clv_spend_add(&rows, data->x[i], data->mean[i], data->mean_each[i]);
	return crm_clv_spend_fit(ctx, &rows, model, fit);
}
