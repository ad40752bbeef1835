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

/* Give an integral of paretonbd_integral.h with its logs filled in, and its means unless NULL. */
static double
log_integral(double alpha, double beta, double a, double b, double rate, double y0, double y1,
			 CrmParetonbdMeans *means)
{
	CrmParetonbdIntegral integral = {.alpha = alpha,
									 .beta = beta,
									 .a = a,
									 .b = b,
									 .rate = rate,
									 .y0 = y0,
									 .y1 = y1,
									 .log_alpha = log(alpha + y0),
									 .log_beta = log(beta + y0)};

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
	double log_alpha, log_beta, odds, e, left;
	CrmParetonbdMeans means;

	if (crm_btyd_check(x, t_x, t) != NULL)
		return NAN;
	if (t_x == t)
	{
		for (int i = 0; slopes != NULL && i < CRM_PARETONBD_PARAMETERS; i++)
			slopes[i] = 0.0;
		return 1.0;
	}
	log_alpha = log(alpha);
	log_beta = log(beta);
	odds = log(model->s) +
		   log_integral(model->alpha, model->beta, shape, model->s + 1.0, 0.0, t_x, t,
						slopes != NULL ? &means : NULL) +
		   shape * log_alpha + model->s * log_beta;
	e = exp(-fabs(odds));
	left = (odds > 0.0 ? 1.0 : e) / (1.0 + e);
	if (slopes != NULL)
	{
		slopes[0] = -left * model->r * (log_alpha - means.log_alpha);
		slopes[1] = -left * model->alpha * shape * (1.0 / alpha - means.inverse_alpha);
		slopes[2] = -left * (1.0 + model->s * (log_beta - means.log_beta));
		slopes[3] =
			-left * model->beta * (model->s / beta - (model->s + 1.0) * means.inverse_beta);
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
	log_any = log(shape) + shape * log(alpha) + model->s * log(beta) +
			  log_integral(alpha, beta, shape + 1.0, model->s, 0.0, 0.0, horizon, NULL);
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
	double alpha = model->alpha + t, beta = model->beta + t;

	if (crm_btyd_check(x, 0.0, t) != NULL || !(horizon >= 0.0) || !(rate >= 0.0) ||
		(isinf(horizon) && rate == 0.0) || isinf(rate))
		return NAN;
	if (horizon == 0.0)
		return 0.0;
	if (rate == 0.0)
		return crm_paretonbd_expected_if_alive(model, x, t, horizon);
	return (model->r + x) / alpha *
		   exp(model->s * log(beta) + log_integral(beta, beta, 0.0, model->s, rate, 0.0, horizon, NULL));
}

/*
 * Give the same, and in slopes the derivatives of its logarithm by those of r, alpha, s, beta. The
 * horizon is above zero.
 */
double
crm_paretonbd_discounted_slopes(const CrmParetonbd *model, double x, double t, double horizon,
								double rate, double *slopes)
{
	double alpha = model->alpha + t, beta = model->beta + t, log_beta = log(beta);
	CrmParetonbdMeans means;
	double log_sum =
		log_integral(beta, beta, 0.0, model->s, rate, 0.0, horizon, &means) + model->s * log_beta;

	slopes[0] = model->r / (model->r + x);
	slopes[1] = -model->alpha / alpha;
	slopes[2] = model->s * (log_beta - means.log_beta);
	slopes[3] = model->s * model->beta * (1.0 / beta - means.inverse_beta);
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
