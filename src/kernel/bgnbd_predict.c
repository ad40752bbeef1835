/*
 * bgnbd_predict.c: what a fitted BG/NBD or MBG/NBD says of a customer; see bgnbd.h.
 *
 * All are pure functions. A customer is (x, t_x, T) as crm_btyd_check takes it; for other values,
 * a horizon below zero or a NaN anywhere they give NaN.
 */
#include <float.h>
#include <math.h>

#include "kernel/base/quadrature.h"
#include "kernel/base/special.h"
#include "kernel/bgnbd.h"

#define SERIES_MOST 400   /* terms of the closed form's series before the integral is cheaper */
#define EXACT       1e-11 /* relative error that the closed form may have */

/* What is known of a customer who is alive: lambda ~ Gamma(shape, rate), p ~ Beta(a, b). */
typedef struct Alive
{
	double shape, rate, a, b;
	double horizon;
} Alive;

static Alive
alive(const CrmBgnbd *model, double x, double t, double horizon)
{
	return (Alive){model->r + x, model->alpha + t, model->a, model->b + x + model->modified,
				   horizon};
}

/* The log of the density of w = ln(p / (1 - p)), but for a constant. */
static double
weigh_p(const void *user, double w)
{
	const Alive *who = user;

	return -who->a * crm_log1p_exp(-w) - who->b * crm_log1p_exp(w);
}

/* The log of the density of w = ln lambda, but for a constant. */
static double
weigh_lambda(const void *user, double w)
{
	const Alive *who = user;

	return who->shape * w - who->rate * exp(w);
}

/* Give (1 - (1 + p tau)^-shape) / p, the orders to expect of a known p. */
static double
orders_given_p(const void *user, double w)
{
	const Alive *who = user;
	double p = w > 0.0 ? 1.0 / (1.0 + exp(-w)) : exp(w) / (1.0 + exp(w));
	double tau = who->horizon / who->rate;

	if (p * tau * (who->shape + 1.0) < 1e-17)
		return who->shape * tau;
	return -expm1(-who->shape * log1p(p * tau)) / p;
}

/* Give P(alive) at T; exactly 1 for BG/NBD at x = 0. */
double
crm_bgnbd_p_alive(const CrmBgnbd *model, double x, double t_x, double t)
{
	double y = x + model->modified, odds;

	if (crm_btyd_check(x, t_x, t) != NULL)
		return NAN;
	if (y == 0.0)
		return 1.0;
	odds = log(model->a) - log(model->b + (y - 1.0)) +
		   (model->r + x) * log1p((t - t_x) / (model->alpha + t_x));
	return odds > 0.0 ? exp(-odds) / (1.0 + exp(-odds)) : 1.0 / (1.0 + exp(odds));
}

/*
 * Try the closed form (Fader, Hardie and Lee 2005, equation 10),
 *     (c / (a - 1)) (1 - (1 - z)^shape F(shape, b; c; z)),  c = a + b - 1, z = h / (rate + h),
 * by the series of F; false where it would cost digits or many terms.
 */
static bool
closed_form(const Alive *who, double *orders)
{
	double c = who->a + who->b - 1.0, z = who->horizon / (who->rate + who->horizon);
	double term = 1.0, sum = 1.0, lost;

	if (fabs(who->a - 1.0) < 1e-3 || c < 0.1)
		return false;
	for (int k = 0; term > 0.5 * DBL_EPSILON * sum; k++)
	{
		if (k == SERIES_MOST || sum > 1e200)
			return false;
		term *= (who->shape + k) * (who->b + k) / ((c + k) * (k + 1.0)) * z;
		sum += term;
	}
	lost = exp(-who->shape * log1p(who->horizon / who->rate) + log(sum));
	*orders = c / (who->a - 1.0) * (1.0 - lost);
	/* 1 - lost has an error of some units in the last place of lost, of more for a large shape */
	return 4.0 * DBL_EPSILON * (lost + 1.0) * (4.0 + who->shape * z) <= EXACT * fabs(1.0 - lost);
}

/* Give the orders to expect within the horizon of a customer with x and T who is alive. */
double
crm_bgnbd_expected_if_alive(const CrmBgnbd *model, double x, double t, double horizon)
{
	Alive who = alive(model, x, t, horizon);
	CrmValue mean;
	double orders;

	if (crm_btyd_check(x, 0.0, t) != NULL || !(horizon >= 0.0))
		return NAN;
	if (horizon == 0.0)
		return 0.0;
	if (closed_form(&who, &orders))
		return orders;
	crm_expectation(weigh_p, orders_given_p, &who, log(who.a / who.b), &mean);
	return mean.value;
}

/* Give E[Y(horizon) | x, t_x, T]; of a new customer, (0, 0, 0), it is E[X(horizon)]. */
double
crm_bgnbd_expected_orders(const CrmBgnbd *model, double x, double t_x, double t, double horizon)
{
	return crm_bgnbd_p_alive(model, x, t_x, t) * crm_bgnbd_expected_if_alive(model, x, t, horizon);
}

/* Give the chance of at least one order within the horizon. */
double
crm_bgnbd_p_any_order(const CrmBgnbd *model, double x, double t_x, double t, double horizon)
{
	if (!(horizon >= 0.0))
		return NAN;
	return crm_bgnbd_p_alive(model, x, t_x, t) *
		   -expm1(-(model->r + x) * log1p(horizon / (model->alpha + t)));
}

/*
 * Give P(X(horizon) = n), n a whole number, of a new customer (equation 8 of the same): he is still
 * alive after n orders in that time, or has left with his n-th, which came in time.
 */
double
crm_bgnbd_pmf(const CrmBgnbd *model, double n, double horizon)
{
	double alpha = model->alpha, y = n + model->modified, whole, log_beta, stays, leaves;

	if (crm_btyd_check(n, 0.0, 0.0) != NULL || !(horizon >= 0.0))
		return NAN;
	if (horizon == 0.0)
		return n == 0.0 ? 1.0 : 0.0;
	whole = alpha + horizon;
	log_beta = crm_log_gamma_ratio(model->b, y) - crm_log_gamma_ratio(model->a + model->b, y);
	stays = log_beta + crm_log_gamma_ratio(model->r, n) - crm_log_gamma(n + 1.0) -
			model->r * log1p(horizon / alpha) + n * log(horizon / whole);
	if (y == 0.0)
		return exp(stays);
	/* B(a + 1, b + y - 1) / B(a, b), times the chance that n orders come in time */
	leaves = log_beta + log(model->a) - log(model->b + (y - 1.0));
	if (n > 0.0)
		leaves += crm_log_beta_cdf(n, model->r, horizon / whole, alpha / whole);
	return fmin(exp(stays) + exp(leaves), 1.0);
}

/* Give E[lambda (1 - e^-((rate + lambda p) h)) / (rate + lambda p)] with n nodes a variable. */
static double
discounted(const Alive *who, double rate, const CrmPeak *of_p, const CrmPeak *of_lambda, int n)
{
	double p[CRM_QUADRATURE_NODES], weight[CRM_QUADRATURE_NODES];
	double lambda[CRM_QUADRATURE_NODES], weight_lambda[CRM_QUADRATURE_NODES];
	double total = 0.0;

	crm_peak_nodes(weigh_p, who, of_p, n, p, weight);
	crm_peak_nodes(weigh_lambda, who, of_lambda, n, lambda, weight_lambda);
	for (int j = 0; j < n; j++)
		lambda[j] = exp(lambda[j]);
	for (int i = 0; i < n; i++)
	{
		double chance = exp(-crm_log1p_exp(-p[i])), sum = 0.0;

		for (int j = 0; weight[i] > 1e-18 && j < n; j++)
		{
			double decay = rate + lambda[j] * chance;

			if (decay * who->horizon < 1e-12)
				sum += weight_lambda[j] * lambda[j] * who->horizon;
			else if (decay * who->horizon > 40.0)
				sum += weight_lambda[j] * lambda[j] / decay;
			else if (weight_lambda[j] * lambda[j] > 0.0)
				sum -= weight_lambda[j] * lambda[j] * expm1(-decay * who->horizon) / decay;
		}
		total += weight[i] * sum;
	}
	return total;
}

/*
 * Give the orders to expect within the horizon of a customer who is alive, each discounted by
 * e^(-rate time to it); an infinite horizon gives the residual value, for a rate above zero.
 */
double
crm_bgnbd_discounted_if_alive(const CrmBgnbd *model, double x, double t, double horizon,
							  double rate)
{
	Alive who = alive(model, x, t, horizon);
	CrmPeak of_p, of_lambda;
	double value, old;

	if (crm_btyd_check(x, 0.0, t) != NULL || !(horizon >= 0.0) || !(rate >= 0.0) ||
		(isinf(horizon) && rate == 0.0) || isinf(rate))
		return NAN;
	if (horizon == 0.0)
		return 0.0;
	if (rate == 0.0)
		return crm_bgnbd_expected_if_alive(model, x, t, horizon);
	crm_peak_find(weigh_p, &who, log(who.a / who.b), &of_p);
	crm_peak_find(weigh_lambda, &who, log(who.shape / who.rate), &of_lambda);
	value = discounted(&who, rate, &of_p, &of_lambda, 32);
	for (int n = 48; n <= CRM_QUADRATURE_NODES; n += n / 2)
	{
		old = value;
		value = discounted(&who, rate, &of_p, &of_lambda, n);
		if (fabs(value - old) <= 1e-9 * value)
			break;
	}
	return value;
}

/* Give the same of a customer who may have left: P(alive) times that. */
double
crm_bgnbd_discounted_orders(const CrmBgnbd *model, double x, double t_x, double t, double horizon,
							double rate)
{
	return crm_bgnbd_p_alive(model, x, t_x, t) *
		   crm_bgnbd_discounted_if_alive(model, x, t, horizon, rate);
}
