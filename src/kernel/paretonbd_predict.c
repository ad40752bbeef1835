/*
 * paretonbd_predict.c: what a fitted Pareto/NBD says of a customer; see paretonbd.h.
 *
 * All are pure functions. A customer is (x, t_x, T) as crm_btyd_check takes it; for other values, a
 * horizon below zero or a NaN anywhere they give NaN.
 */
#include <math.h>

#include "kernel/base/quadrature.h"
#include "kernel/base/special.h"
#include "kernel/paretonbd.h"
#include "kernel/paretonbd_integral.h"

/* What the log of the integrand of the pmf needs. */
typedef struct Count
{
	const CrmParetonbd *model;
	double n, horizon;
} Count;

/*
 * Give ln of integral from 0 to h of (1 + y / alpha)^-a (1 + y / beta)^-b e^(-rate y) dy, and its
 * means unless NULL, those of logs without ln alpha and ln beta.
 */
static double
log_integral(double alpha, double beta, double a, double b, double rate, double horizon,
			 CrmParetonbdMeans *means)
{
	CrmParetonbdIntegral integral = {
		.alpha = alpha, .beta = beta, .a = a, .b = b, .rate = rate, .y1 = horizon};

	return crm_paretonbd_log_integral(&integral, means);
}

/*
 * Give P(alive) at T, and in slopes, unless NULL, the derivatives of its logarithm by those of r,
 * alpha, s, beta.
 */
double
crm_paretonbd_p_alive_slopes(const CrmParetonbd *model, double x, double t_x, double t,
							 double *slopes)
{
	double shape = model->r + x, alpha = model->alpha + t, beta = model->beta + t;
	double odds, e, left;
	/* relative to (alpha + T)^-(r + x) (beta + T)^-(s + 1) */
	CrmParetonbdIntegral integral = {.alpha = model->alpha,
									 .beta = model->beta,
									 .a = shape,
									 .b = model->s + 1.0,
									 .y0 = t_x,
									 .y1 = t,
									 .log_alpha = -log1p((t - t_x) / (model->alpha + t_x)),
									 .log_beta = -log1p((t - t_x) / (model->beta + t_x))};
	CrmParetonbdMeans means;

	if (crm_btyd_check(x, t_x, t) != NULL)
		return NAN;
	if (t_x == t)
	{
		for (int i = 0; slopes != NULL && i < CRM_PARETONBD_PARAMETERS; i++)
			slopes[i] = 0.0;
		return 1.0;
	}
	odds = log(model->s / beta) +
		   crm_paretonbd_log_integral(&integral, slopes != NULL ? &means : NULL);
	e = exp(-fabs(odds));
	left = (odds > 0.0 ? 1.0 : e) / (1.0 + e);
	if (slopes != NULL)
	{
		slopes[0] = left * model->r * means.log_alpha;
		slopes[1] = -left * model->alpha * shape * (1.0 / alpha - means.inverse_alpha);
		slopes[2] = left * (model->s * means.log_beta - 1.0);
		slopes[3] = -left * model->beta * (model->s / beta - (model->s + 1.0) * means.inverse_beta);
	}
	return (odds > 0.0 ? e : 1.0) / (1.0 + e);
}

/* Give P(alive) at T. */
double
crm_paretonbd_p_alive(const CrmParetonbd *model, double x, double t_x, double t)
{
	return crm_paretonbd_p_alive_slopes(model, x, t_x, t, NULL);
}

/* Give the orders to expect within the horizon of a customer with x and T who is alive. */
double
crm_paretonbd_expected_if_alive(const CrmParetonbd *model, double x, double t, double horizon)
{
	double rate = (model->r + x) / (model->alpha + t);
	double whole = model->beta + t, span = log1p(horizon / whole), excess = model->s - 1.0;

	if (crm_btyd_check(x, 0.0, t) != NULL || !(horizon >= 0.0))
		return NAN;
	if (fabs(excess * span) < 1e-15)
		return rate * whole * span;
	return rate * whole * (-expm1(-excess * span) / excess);
}

/* Give E[Y(horizon) | x, t_x, T]; of a new customer, (0, 0, 0), it is E[X(horizon)]. */
double
crm_paretonbd_expected_orders(const CrmParetonbd *model, double x, double t_x, double t,
							  double horizon)
{
	return crm_paretonbd_p_alive(model, x, t_x, t) *
		   crm_paretonbd_expected_if_alive(model, x, t, horizon);
}

/*
 * Give the chance of at least one order within the horizon of a customer who is alive: the first
 * comes at y when neither it nor the leaving has come before,
 *     integral from 0 to h of E[lambda e^(-(lambda + mu) y)] dy.
 */
double
crm_paretonbd_any_if_alive(const CrmParetonbd *model, double x, double t, double horizon)
{
	double alpha = model->alpha + t, beta = model->beta + t, shape = model->r + x, log_any;

	if (crm_btyd_check(x, 0.0, t) != NULL || !(horizon >= 0.0))
		return NAN;
	if (horizon == 0.0)
		return 0.0;
	log_any =
		log(shape / alpha) + log_integral(alpha, beta, shape + 1.0, model->s, 0.0, horizon, NULL);
	return exp(fmin(log_any, 0.0));
}

/* Give the same of a customer who may have left. */
double
crm_paretonbd_p_any_order(const CrmParetonbd *model, double x, double t_x, double t, double horizon)
{
	return crm_paretonbd_p_alive(model, x, t_x, t) *
		   crm_paretonbd_any_if_alive(model, x, t, horizon);
}

/* The log of tau^n (alpha + tau)^-(r + n) (beta + tau)^-(s + 1) dtau/dw, tau = h / (1 + e^-w). */
static double
weigh_count(const void *user, double w)
{
	const Count *count = user;
	const CrmParetonbd *model = count->model;
	double log_tau = log(count->horizon) - crm_log1p_exp(-w), tau = exp(log_tau);

	return count->n * log_tau - (model->r + count->n) * log(model->alpha + tau) -
		   (model->s + 1.0) * log(model->beta + tau) + log_tau - crm_log1p_exp(w);
}

/*
 * Give P(X(horizon) = n), n a whole number, of a new customer: n orders in all the time while he
 * stays, or n orders before he leaves at some tau.
 */
double
crm_paretonbd_pmf(const CrmParetonbd *model, double n, double horizon)
{
	Count count = {model, n, horizon};
	double front, stays;
	CrmValue leaves;

	if (crm_btyd_check(n, 0.0, 0.0) != NULL || !(horizon >= 0.0) || isinf(horizon))
		return NAN;
	if (horizon == 0.0)
		return n == 0.0 ? 1.0 : 0.0;
	front = crm_log_gamma_ratio(model->r, n) - crm_log_gamma(n + 1.0);
	stays = front - model->r * log1p(horizon / model->alpha) - n * log1p(model->alpha / horizon) -
			model->s * log1p(horizon / model->beta);
	crm_integrate_log(weigh_count, &count, 0.0, &leaves);
	leaves.value +=
		front + model->r * log(model->alpha) + model->s * log(model->beta) + log(model->s);
	return fmin(exp(stays) + exp(leaves.value), 1.0);
}

/*
 * Give the orders to expect within the horizon of a customer who is alive, each discounted by
 * e^(-rate time to it); an infinite horizon gives the residual value, for a rate above zero.
 */
double
crm_paretonbd_discounted_if_alive(const CrmParetonbd *model, double x, double t, double horizon,
								  double rate)
{
	double beta = model->beta + t;

	if (crm_btyd_check(x, 0.0, t) != NULL || !(horizon >= 0.0) || !(rate >= 0.0) ||
		(isinf(horizon) && rate == 0.0) || isinf(rate))
		return NAN;
	if (horizon == 0.0)
		return 0.0;
	if (rate == 0.0)
		return crm_paretonbd_expected_if_alive(model, x, t, horizon);
	return (model->r + x) / (model->alpha + t) *
		   exp(log_integral(beta, beta, 0.0, model->s, rate, horizon, NULL));
}

/*
 * Give the same, and in slopes the derivatives of its logarithm by those of r, alpha, s, beta. The
 * horizon is above zero.
 */
double
crm_paretonbd_discounted_slopes(const CrmParetonbd *model, double x, double t, double horizon,
								double rate, double *slopes)
{
	double alpha = model->alpha + t, beta = model->beta + t;
	CrmParetonbdMeans means;
	double log_sum = log_integral(beta, beta, 0.0, model->s, rate, horizon, &means);

	slopes[0] = model->r / (model->r + x);
	slopes[1] = -model->alpha / alpha;
	slopes[2] = -model->s * means.log_beta;
	slopes[3] = model->s * (model->beta / beta) * means.gone_beta;
	return (model->r + x) / alpha * exp(log_sum);
}

/* Give the same of a customer who may have left: P(alive) times that. */
double
crm_paretonbd_discounted_orders(const CrmParetonbd *model, double x, double t_x, double t,
								double horizon, double rate)
{
	return crm_paretonbd_p_alive(model, x, t_x, t) *
		   crm_paretonbd_discounted_if_alive(model, x, t, horizon, rate);
}
