/*
 * logistic_newton.c: see logistic_newton.h.
 */
#include "kernel/logistic_newton.h"

#include <math.h>
#include <string.h>

#include "kernel/base/dense.h"

#define MAX_HALVES  40
#define BORDER      1e-6 /* of the largest step: rows this near the border are on it */
#define LARGE_STEP  0.1  /* of a predictor; Newton's steps at a maximum are far below */
#define MAX_DESCENT 10000
#define SAME        1e-15 /* a gain below which standard errors stay as they are */
#define STALLED     1e-6  /* a gain below which no lower objective found is rounding's doing */

/* Give the bytes that fits of d columns take, those of the pass included. */
size_t
crm_logistic_newton_bytes(int d)
{
	size_t q = (size_t) d + 1;

	return crm_logistic_pass_bytes(d) + (q * q + 3 * q) * sizeof(double) + q;
}

/* Make room for fits of the data's columns and an intercept. Errors: CRM_LIMIT, CRM_NO_MEMORY;
 * nothing is then held. */
CrmStatus
crm_logistic_newton_begin(CrmCtx *ctx, const CrmLogisticData *data, CrmLogisticNewton *fit)
{
	size_t q = (size_t) data->d + 1;
	CrmStatus status;

	*fit = (CrmLogisticNewton){.may_separate = false};
	status = crm_logistic_pass_begin(ctx, data, &fit->pass);
	if (status != CRM_OK)
		return status;
	if ((fit->g = crm_allocate(ctx, q, sizeof(double))) == NULL ||
		(fit->step = crm_allocate(ctx, q, sizeof(double))) == NULL ||
		(fit->trial = crm_allocate(ctx, q, sizeof(double))) == NULL ||
		(fit->factor = crm_allocate(ctx, q * q, sizeof(double))) == NULL ||
		(fit->dropped = crm_allocate(ctx, q, 1)) == NULL)
	{
		status = ctx->failure;
		crm_logistic_newton_free(fit);
		return status;
	}
	memset(fit->g, 0, q * sizeof(double));
	return CRM_OK;
}

/* Give back what begin took; once more does no harm. */
void
crm_logistic_newton_free(CrmLogisticNewton *fit)
{
	CrmCtx *ctx = fit->pass.ctx;
	size_t q = fit->pass.room;

	crm_release(ctx, fit->dropped, q, 1);
	crm_release(ctx, fit->factor, q * q, sizeof(double));
	crm_release(ctx, fit->trial, q, sizeof(double));
	crm_release(ctx, fit->step, q, sizeof(double));
	crm_release(ctx, fit->g, q, sizeof(double));
	fit->dropped = NULL;
	fit->factor = fit->trial = fit->step = fit->g = NULL;
	crm_logistic_pass_free(&fit->pass);
}

/* Give the penalty of coefficients. */
static double
penalty(const CrmLogisticNewton *fit, const double *g)
{
	double squares = 0.0, sizes = 0.0;

	for (int j = 1; j < fit->pass.q; j++)
	{
		squares += g[j] * g[j];
		sizes += fabs(g[j]);
	}
	return 0.5 * fit->ridge * squares + fit->lasso * sizes;
}

/* Evaluate at coefficients; fit->total gets the objective with the penalty. */
static CrmStatus
evaluate(CrmLogisticNewton *fit, const double *g)
{
	CrmStatus status = crm_logistic_evaluate(&fit->pass, g);

	fit->total = fit->pass.objective + penalty(fit, g);
	return status;
}

/*
 * Factor the Hessian with the ridge; where rounding has left it without a factor, with as much of
 * its diagonal on top as it takes.
 */
void
crm_logistic_factor(CrmLogisticNewton *fit)
{
	const double *hessian = fit->pass.hessian;
	int q = fit->pass.q;
	double more = 0.0, largest = 0.0;

	for (int j = 0; j < q; j++)
		largest = fmax(largest, hessian[(size_t) j * q + j]);
	for (int attempt = 0; attempt < 20; attempt++)
	{
		memcpy(fit->factor, hessian, (size_t) q * q * sizeof(double));
		for (int j = 0; j < q; j++)
			fit->factor[(size_t) j * q + j] +=
				(j > 0 ? fit->ridge : 0.0) +
				more * (hessian[(size_t) j * q + j] + 1e-3 * largest + 1e-300);
		if (crm_cholesky(fit->factor, q, 1e-14, NULL) == CRM_OK)
			return;
		more = more == 0.0 ? 1e-12 : more * 10.0;
	}
	(void) crm_cholesky(fit->factor, q, 0.0, fit->dropped);
}

/* Give the value that minimises a x^2 / 2 - b x + lasso |x|. */
static double
soft_threshold(double a, double b, double lasso)
{
	if (!(a > 0.0))
		return 0.0;
	return b > lasso ? (b - lasso) / a : b < -lasso ? (b + lasso) / a : 0.0;
}

/*
 * Minimise Newton's quadratic model with the elastic net's penalty by coordinate descent; step gets
 * the way there from g. Covariance updates: slope = -grad of the model's smooth part at the point.
 */
static CrmStatus
descend(CrmLogisticNewton *fit)
{
	const CrmLogisticPass *pass = &fit->pass;
	int q = pass->q;
	double *slope = fit->trial;

	for (int j = 0; j < q; j++)
	{
		fit->step[j] = 0.0;
		slope[j] = pass->gradient[j];
	}
	for (int round = 0; round < MAX_DESCENT; round++)
	{
		double largest = 0.0, scale = 0.0;

		for (int j = 0; j < q; j++)
		{
			double curve = pass->hessian[(size_t) j * q + j];
			double now = fit->g[j] + fit->step[j];
			double next = soft_threshold(curve + (j > 0 ? fit->ridge : 0.0), slope[j] + curve * now,
										 j > 0 ? fit->lasso : 0.0);
			double change = next - now;

			if (change == 0.0 || !isfinite(change))
				continue;
			fit->step[j] += change;
			for (int k = 0; k < q; k++)
				slope[k] -= pass->hessian[(size_t) j * q + k] * change;
			largest = fmax(largest, curve * change * change);
			scale = fmax(scale, curve * fit->step[j] * fit->step[j]);
		}
		if (largest <= 1e-26 * scale || largest == 0.0)
			break;
		if (round % 16 == 0 && crm_poll(pass->ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Find the step to the least of Newton's model; *gain gets twice what the model gains by it. */
static CrmStatus
find_step(CrmLogisticNewton *fit, double *gain)
{
	const CrmLogisticPass *pass = &fit->pass;
	int q = pass->q;
	CrmStatus status = CRM_OK;
	double linear = 0.0, quadratic = 0.0;

	if (fit->lasso == 0.0)
	{
		crm_logistic_factor(fit);
		for (int j = 0; j < q; j++)
			fit->step[j] = fit->trial[j] =
				pass->gradient[j] - (j > 0 ? fit->ridge * fit->g[j] : 0.0);
		crm_cholesky_solve(fit->factor, q, NULL, fit->step);
		*gain = 0.0;
		for (int j = 0; j < q; j++)
			*gain += fit->trial[j] * fit->step[j];
		return CRM_OK;
	}
	status = descend(fit);
	for (int j = 0; j < q; j++)
	{
		double product = 0.0;

		for (int k = 0; k < q; k++)
			product += pass->hessian[(size_t) j * q + k] * fit->step[k];
		linear += pass->gradient[j] * fit->step[j];
		quadratic += product * fit->step[j];
		fit->trial[j] = fit->g[j] + fit->step[j];
	}
	*gain = 2.0 * linear - quadratic - 2.0 * (penalty(fit, fit->trial) - penalty(fit, fit->g));
	return status;
}

/* Take the step, halved until the objective does not rise; false: no part of it lowers it. */
static CrmStatus
take_step(CrmLogisticNewton *fit, bool *moved)
{
	double before = fit->total, size = 1.0;
	CrmStatus status = CRM_OK;

	*moved = false;
	for (int halves = 0; halves < MAX_HALVES && !*moved && status == CRM_OK; halves++)
	{
		for (int j = 0; j < fit->pass.q; j++)
			fit->trial[j] = fit->g[j] + size * fit->step[j];
		status = evaluate(fit, fit->trial);
		*moved = fit->total <= before + 1e-13 * fabs(before);
		size *= 0.5;
	}
	if (*moved && status == CRM_OK)
		memcpy(fit->g, fit->trial, fit->pass.q * sizeof(double));
	return status;
}

/*
 * Tell whether the classes are separated: all rows on their side, or the last step large for some
 * rows and against its label for none.
 */
static CrmStatus
look_for_separation(CrmLogisticNewton *fit, double gain, double tolerance)
{
	double least, largest, reach = 0.0;
	CrmStatus status;

	fit->separated = fit->pass.least > 0.0;
	for (int j = 0; j < fit->pass.q; j++)
		reach = fmax(reach, fabs(fit->step[j]));
	if (fit->separated || fit->iterations < 5 || reach < LARGE_STEP)
		return CRM_OK;
	status = crm_logistic_margin(&fit->pass, fit->step, &least, &largest);
	fit->separated = largest > LARGE_STEP && (gain <= tolerance || least >= -BORDER * largest);
	return status;
}

/*
 * Run Newton's iteration from fit->g, until the model would gain less than tolerance / 2; sets
 * converged, iterations and separated. Errors: CRM_ABORTED.
 */
CrmStatus
crm_logistic_iterate(CrmLogisticNewton *fit, int max_iterations, double tolerance)
{
	CrmStatus status = evaluate(fit, fit->g);

	fit->converged = fit->separated = false;
	fit->iterations = 0;
	while (status == CRM_OK)
	{
		double gain;
		bool moved;

		status = find_step(fit, &gain);
		if (status == CRM_OK && fit->may_separate)
			status = look_for_separation(fit, gain, tolerance);
		if (status != CRM_OK || fit->separated)
			break;
		if (gain <= tolerance)
		{
			/* to the least of the model; the Hessian there where its digits may differ */
			for (int j = 0; j < fit->pass.q; j++)
				fit->g[j] += fit->step[j];
			fit->converged = true;
			if (gain > SAME)
				status = evaluate(fit, fit->g);
			break;
		}
		if (fit->iterations == max_iterations)
			break;
		fit->iterations++;
		status = take_step(fit, &moved);
		if (!moved && status == CRM_OK)
		{
			/* the end of what rounding lets see; the sums are those of a trial: make them again */
			status = evaluate(fit, fit->g);
			fit->converged = gain <= STALLED;
			break;
		}
	}
	return status;
}
