/*
 * cox.c: see cox.h.
 */
#include "kernel/cox.h"

#include <math.h>
#include <string.h>

#include "kernel/base/dense.h"
#include "kernel/cox_concordance.h"
#include "kernel/survival.h"

#define COLLINEAR  1e-11 /* squared rest of a column over its square, by the information at 0 */
#define MAX_HALVES 40
#define LARGE_STEP 0.1   /* of a standardised coefficient: where the likelihood is flat and ... */
#define FLAT       1e-3  /* ... the model gains less than this, it has no maximum */
#define SAME       1e-15 /* a gain below which standard errors stay as they are */
#define STALLED    1e-6  /* a gain below which no higher likelihood found is rounding's doing */
#define SHARE      0.5   /* of the largest step: columns along which the likelihood rises */

/* A fit in the making; arrays of d elements but where said. */
typedef struct Fit
{
	CrmCoxPass pass;
	CrmCoxModel *model;
	double *b; /* coefficients of the standardised columns */
	double *step, *trial;
	double *factor; /* d x d */
	unsigned char *dropped, *now;
	double ridge, total; /* total: log-likelihood less the penalty, at b */
	bool monotone;
} Fit;

/* ---- the optimum --------------------------------------------------------------------------- */

/* Run a pass; fit->total gets the log-likelihood less the penalty. */
static CrmStatus
evaluate(Fit *fit, const double *b)
{
	CrmStatus status = crm_cox_pass_run(&fit->pass, b);

	fit->total = fit->pass.log_likelihood;
	for (int j = 0; j < fit->pass.d; j++)
		fit->total -= 0.5 * fit->ridge * b[j] * b[j];
	return status;
}

/* Factor the information with the ridge, the dropped columns left out, with as much of its diagonal
 * on top as it takes. */
static void
factor(Fit *fit)
{
	int d = fit->pass.d;
	double more = 0.0;

	for (int attempt = 0; attempt < 20; attempt++)
	{
		memcpy(fit->factor, fit->pass.information, (size_t) d * d * sizeof(double));
		for (int j = 0; j < d; j++)
		{
			fit->factor[(size_t) j * d + j] +=
				fit->ridge + more * (fit->factor[(size_t) j * d + j] + 1.0);
			for (int k = 0; k < d && fit->dropped[j]; k++)
				fit->factor[(size_t) j * d + k] = fit->factor[(size_t) k * d + j] = 0.0;
		}
		(void) crm_cholesky(fit->factor, d, 1e-14, fit->now);
		if (memcmp(fit->now, fit->dropped, d) == 0)
			return;
		more = more == 0.0 ? 1e-12 : more * 10.0;
	}
}

/* Find the step to the maximum of Newton's model; give twice what the model gains by it. */
static double
find_step(Fit *fit)
{
	double gain = 0.0;

	factor(fit);
	for (int j = 0; j < fit->pass.d; j++)
		fit->step[j] = fit->trial[j] =
			fit->dropped[j] ? 0.0 : fit->pass.score[j] - fit->ridge * fit->b[j];
	crm_cholesky_solve(fit->factor, fit->pass.d, fit->now, fit->step);
	for (int j = 0; j < fit->pass.d; j++)
		gain += fit->trial[j] * fit->step[j];
	return gain;
}

/* Take the step, halved until the likelihood does not fall. */
static CrmStatus
take_step(Fit *fit, bool *moved)
{
	double before = fit->total, size = 1.0;
	CrmStatus status = CRM_OK;

	*moved = false;
	for (int halves = 0; halves < MAX_HALVES && !*moved && status == CRM_OK; halves++)
	{
		for (int j = 0; j < fit->pass.d; j++)
			fit->trial[j] = fit->b[j] + size * fit->step[j];
		status = evaluate(fit, fit->trial);
		*moved = fit->total >= before - 1e-13 * fabs(before);
		size *= 0.5;
	}
	if (*moved && status == CRM_OK)
		memcpy(fit->b, fit->trial, fit->pass.d * sizeof(double));
	return status;
}

/* Tell whether the likelihood is flat although the step is large; marks the columns. */
static bool
is_monotone(Fit *fit, double gain)
{
	double largest = 0.0;

	if (fit->ridge > 0.0 || gain > FLAT || fit->model->iterations < 3)
		return false;
	for (int j = 0; j < fit->pass.d; j++)
		largest = fmax(largest, fabs(fit->step[j]));
	if (largest < LARGE_STEP)
		return false;
	for (int j = 0; j < fit->pass.d; j++)
		fit->model->monotone[j] = fabs(fit->step[j]) >= SHARE * largest;
	return true;
}

/* Run Newton's iteration from fit->b, at which the pass has been run. */
static CrmStatus
iterate(Fit *fit, const CrmCoxParam *param)
{
	CrmCoxModel *model = fit->model;
	CrmStatus status = CRM_OK;

	model->converged = fit->monotone = false;
	model->iterations = 0;
	while (status == CRM_OK)
	{
		double gain = find_step(fit);
		bool moved;

		fit->monotone = is_monotone(fit, gain);
		if (fit->monotone)
			break;
		if (gain <= param->tolerance)
		{
			/* to the maximum of the model; the information there where it may differ */
			for (int j = 0; j < fit->pass.d; j++)
				fit->b[j] += fit->step[j];
			model->converged = true;
			if (gain > SAME)
				status = evaluate(fit, fit->b);
			break;
		}
		if (model->iterations == param->max_iterations)
			break;
		model->iterations++;
		status = take_step(fit, &moved);
		if (!moved && status == CRM_OK)
		{
			status = evaluate(fit, fit->b);
			model->converged = gain <= STALLED;
			break;
		}
	}
	return status;
}

/* ---- what is told of it -------------------------------------------------------------------- */

/* Give x'A^-1 x by the factor. */
static double
quadratic(Fit *fit, const double *x)
{
	double sum = 0.0;

	memcpy(fit->trial, x, fit->pass.d * sizeof(double));
	crm_cholesky_solve(fit->factor, fit->pass.d, fit->now, fit->trial);
	for (int j = 0; j < fit->pass.d; j++)
		sum += fit->dropped[j] ? 0.0 : fit->trial[j] * x[j];
	return sum;
}

/* Set estimates, errors and Wald's test from the factor at the optimum. */
static void
finish_coefficients(Fit *fit)
{
	CrmCoxModel *model = fit->model;
	const CrmCoxPass *pass = &fit->pass;
	int d = pass->d;

	factor(fit);
	crm_cholesky_inverse(fit->factor, d, fit->now, model->covariance);
	for (int j = 0; j < d; j++)
		for (int k = 0; k < d; k++)
			if (!fit->dropped[j] && !fit->dropped[k])
			{
				model->wald += fit->b[j] * pass->information[(size_t) j * d + k] * fit->b[k];
				model->covariance[(size_t) j * d + k] /= pass->scale[j] * pass->scale[k];
			}
	for (int j = 0; j < d; j++)
		if (!fit->dropped[j])
		{
			model->estimate[j] = fit->b[j] / pass->scale[j];
			model->error[j] = sqrt(model->covariance[(size_t) j * d + j]);
		}
}

/* Set g of each time at which somebody leaves: 1 - S just before it, or the time; centred. */
static CrmStatus
make_transform(const Fit *fit, const CrmCoxData *data, bool identity, double *g)
{
	const CrmCoxPass *pass = &fit->pass;
	CrmSurvivalData survival = {data->entry, data->time, data->event, data->n};
	CrmSurvivalCurve curve;
	CrmStatus status =
		crm_survival_curve(pass->ctx, &survival, CRM_SURVIVAL_PLAIN, 0.95, NAN, &curve);
	double sum = 0.0;

	if (status != CRM_OK)
		return status;
	for (size_t at = 0; at < pass->times; at++)
	{
		double time = fit->model->baseline[at].time;
		size_t low = 0, high = curve.n;

		while (low < high) /* the first point at or after the time */
		{
			size_t middle = low + (high - low) / 2;

			if (curve.points[middle].time < time)
				low = middle + 1;
			else
				high = middle;
		}
		g[at] = identity ? time : low > 0 ? 1.0 - curve.points[low - 1].survival : 0.0;
		sum += g[at];
	}
	crm_survival_curve_free(pass->ctx, &curve);
	for (size_t at = 0; at < pass->times; at++)
		g[at] -= sum / (double) pass->times;
	return CRM_OK;
}

/* Set the tests of proportionality from the sums with g. v: room for d x d. */
static void
test_proportionality(Fit *fit, double *v)
{
	const CrmCoxPass *pass = &fit->pass;
	CrmCoxModel *model = fit->model;
	int d = pass->d;

	/* v = I_gg - I_gx I_xx^-1 I_xg */
	for (int j = 0; j < d; j++)
	{
		memcpy(fit->step, pass->information_g + (size_t) j * d, d * sizeof(double));
		crm_cholesky_solve(fit->factor, d, fit->now, fit->step);
		for (int k = 0; k < d; k++)
		{
			double sum = pass->information_gg[(size_t) j * d + k];

			for (int l = 0; l < d; l++)
				sum -= fit->step[l] * pass->information_g[(size_t) l * d + k];
			v[(size_t) j * d + k] = fit->dropped[j] || fit->dropped[k] ? 0.0 : sum;
		}
	}
	for (int j = 0; j < d; j++)
		if (v[(size_t) j * d + j] > 0.0)
			model->zph[j] = pass->score_g[j] * pass->score_g[j] / v[(size_t) j * d + j];
	(void) crm_cholesky(v, d, 1e-10, fit->now);
	if (memcmp(fit->now, fit->dropped, d) != 0)
		return;
	memcpy(fit->step, pass->score_g, d * sizeof(double));
	crm_cholesky_solve(v, d, fit->now, fit->step);
	model->zph_global = 0.0;
	for (int j = 0; j < d; j++)
		model->zph_global += fit->dropped[j] ? 0.0 : fit->step[j] * pass->score_g[j];
}

/* Run the pass that gathers hazards and the sums with g, and finish what they are for. */
static CrmStatus
finish_times(Fit *fit, const CrmCoxData *data, bool identity)
{
	CrmCoxPass *pass = &fit->pass;
	CrmCoxModel *model = fit->model;
	CrmCtx *ctx = pass->ctx;
	size_t d = (size_t) pass->d, times = pass->times;
	double *g = crm_allocate(ctx, times, sizeof(double));
	double *room = crm_allocate(ctx, d * (3 * d + 1), sizeof(double));
	double *hazard = crm_allocate(ctx, times, sizeof(double));
	CrmStatus status;

	if (g == NULL || room == NULL || hazard == NULL)
		status = ctx->failure;
	else
		status = make_transform(fit, data, identity, g);
	if (status == CRM_OK)
	{
		pass->transform = g;
		pass->hazard = hazard;
		pass->information_g = room;
		pass->information_gg = room + d * d;
		pass->score_g = room + 3 * d * d;
		status = crm_cox_pass_run(pass, fit->b);
	}
	if (status == CRM_OK)
	{
		test_proportionality(fit, room + 2 * d * d);
		for (size_t at = 0; at < times; at++)
			model->baseline[at].hazard = hazard[at];
	}
	pass->transform = pass->hazard = NULL;
	crm_release(ctx, hazard, times, sizeof(double));
	crm_release(ctx, room, d * (3 * d + 1), sizeof(double));
	crm_release(ctx, g, times, sizeof(double));
	return status;
}

/* List the times at which somebody leaves, in the order of the pass. */
static void
list_times(Fit *fit)
{
	const CrmCoxPass *pass = &fit->pass;
	CrmCoxModel *model = fit->model;
	size_t at = 0;

	for (size_t i = 0; i < pass->n;)
	{
		size_t first = i;
		bool any = false;

		for (; i < pass->n && pass->time[i] == pass->time[first] &&
			   pass->stratum[i] == pass->stratum[first];
			 i++)
			any |= pass->event[i];
		if (any)
			model->baseline[at++] = (CrmCoxBaseline){pass->stratum[first], pass->time[first], 0.0};
	}
}

/*
 * Turn the baseline round within strata, times ascending and hazards cumulative, and let each name
 * a row of its stratum.
 */
static CrmStatus
finish_baseline(Fit *fit)
{
	const CrmCoxPass *pass = &fit->pass;
	CrmCoxBaseline *baseline = fit->model->baseline;
	uint32_t *row = crm_allocate(pass->ctx, pass->strata, sizeof(uint32_t));

	if (row == NULL)
		return pass->ctx->failure;
	for (size_t i = 0; i < pass->n; i++)
		row[pass->stratum[i]] = pass->order[i];
	for (size_t first = 0, end; first < fit->model->baselines; first = end)
	{
		uint32_t stratum = baseline[first].row;
		double sum = 0.0;

		for (end = first; end < fit->model->baselines && baseline[end].row == stratum;)
			end++;
		for (size_t i = first, j = end - 1; i < j; i++, j--)
		{
			CrmCoxBaseline kept = baseline[i];

			baseline[i] = baseline[j];
			baseline[j] = kept;
		}
		for (size_t i = first; i < end; i++)
		{
			sum += baseline[i].hazard;
			baseline[i].hazard = sum;
			baseline[i].row = row[stratum];
		}
	}
	crm_release(pass->ctx, row, pass->strata, sizeof(uint32_t));
	return CRM_OK;
}

/* Set the concordance of the fitted scores. */
static CrmStatus
find_concordance(Fit *fit)
{
	CrmCoxPass *pass = &fit->pass;
	CrmConcordance pairs;
	double all;
	CrmStatus status;

	for (size_t i = 0; i < pass->n; i++) /* the risks are not needed any more */
	{
		pass->risk[i] = 0.0;
		for (int j = 0; j < pass->d; j++)
			pass->risk[i] += fit->b[j] * pass->z[i * pass->d + j];
	}
	status = crm_concordance(pass, pass->risk, &pairs);
	all = (double) (pairs.concordant + pairs.discordant + pairs.tied);
	if (all > 0.0)
		fit->model->concordance = ((double) pairs.concordant + 0.5 * (double) pairs.tied) / all;
	fit->model->concordance_error = sqrt(pairs.variance);
	return status;
}

/* ---- the fit ------------------------------------------------------------------------------- */

/* Mark the columns that are constant or collinear, by the information at 0. */
static void
choose_columns(Fit *fit)
{
	CrmCoxModel *model = fit->model;
	int d = fit->pass.d;

	memcpy(fit->factor, fit->pass.information, (size_t) d * d * sizeof(double));
	(void) crm_cholesky(fit->factor, d, COLLINEAR, fit->dropped);
	for (int j = 0; j < d; j++)
	{
		/* a column that does not vary among those at risk leaves no more than rounding */
		if (!(fit->pass.information[(size_t) j * d + j] > 1e-12 * (double) fit->pass.events))
			fit->dropped[j] = 1;
		model->column[j] = !fit->dropped[j]            ? CRM_COX_KEPT
						   : fit->pass.scale[j] == 0.0 ? CRM_COX_CONSTANT
													   : CRM_COX_COLLINEAR;
		model->rank += !fit->dropped[j];
	}
}

/* Fit with memory at hand, the pass begun. */
static CrmStatus
run(Fit *fit, const CrmCoxData *data, const CrmCoxParam *param)
{
	CrmCoxModel *model = fit->model;
	CrmStatus status;
	int d = fit->pass.d;

	/* 1. at 0 */
	memcpy(model->mean, fit->pass.mean, d * sizeof(double));
	memcpy(model->scale, fit->pass.scale, d * sizeof(double));
	memset(fit->b, 0, d * sizeof(double));
	model->events = fit->pass.events;
	if (model->events == 0)
	{
		model->state = CRM_COX_NO_EVENT;
		return CRM_OK;
	}
	list_times(fit);
	status = evaluate(fit, fit->b);
	if (status != CRM_OK)
		return status;
	model->null_log_likelihood = fit->pass.log_likelihood;
	choose_columns(fit);
	factor(fit);
	model->score = quadratic(fit, fit->pass.score);

	/* 2. the maximum, that of the weak ridge where there is none */
	status = iterate(fit, param);
	if (status == CRM_OK && fit->monotone)
	{
		model->state = CRM_COX_MONOTONE;
		fit->ridge = 1.0 / (CRM_COX_PRIOR_SD * CRM_COX_PRIOR_SD);
		memset(fit->b, 0, d * sizeof(double));
		status = evaluate(fit, fit->b);
		if (status == CRM_OK)
			status = iterate(fit, param);
	}
	if (status != CRM_OK)
		return status;
	model->log_likelihood = fit->pass.log_likelihood;
	finish_coefficients(fit);

	/* 3. times and pairs */
	status = finish_times(fit, data, param->identity);
	if (status == CRM_OK)
		status = finish_baseline(fit);
	return status == CRM_OK ? find_concordance(fit) : status;
}

/*
 * Fit. The model's arrays are the caller's to give back (crm_cox_model_free). CRM_OK, also where it
 * did not converge (model->converged) or there is no maximum (model->state). Errors, after which
 * nothing is held: CRM_DOMAIN (squares of a column's values overflow), CRM_LIMIT, CRM_NO_MEMORY,
 * CRM_ABORTED.
 */
CrmStatus
crm_cox_fit(CrmCtx *ctx, const CrmCoxData *data, const CrmCoxParam *param, CrmCoxModel *model)
{
	size_t d = (size_t) data->d;
	Fit fit = {.model = model};
	CrmStatus status = crm_cox_pass_begin(ctx, data, param->efron, &fit.pass);

	if (status != CRM_OK)
		return status;
	status = crm_cox_model_begin(ctx, data->d, fit.pass.times, model);
	if (status == CRM_OK)
	{
		if ((fit.b = crm_allocate(ctx, d, sizeof(double))) == NULL ||
			(fit.step = crm_allocate(ctx, d, sizeof(double))) == NULL ||
			(fit.trial = crm_allocate(ctx, d, sizeof(double))) == NULL ||
			(fit.factor = crm_allocate(ctx, d * d, sizeof(double))) == NULL ||
			(fit.dropped = crm_allocate(ctx, d, 1)) == NULL ||
			(fit.now = crm_allocate(ctx, d, 1)) == NULL)
			status = ctx->failure;
		else
			status = run(&fit, data, param);
		crm_release(ctx, fit.now, d, 1);
		crm_release(ctx, fit.dropped, d, 1);
		crm_release(ctx, fit.factor, d * d, sizeof(double));
		crm_release(ctx, fit.trial, d, sizeof(double));
		crm_release(ctx, fit.step, d, sizeof(double));
		crm_release(ctx, fit.b, d, sizeof(double));
	}
	crm_cox_pass_free(&fit.pass);
	if (status != CRM_OK)
		crm_cox_model_free(ctx, model);
	return status;
}
