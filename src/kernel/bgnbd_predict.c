/*
 * bgnbd_predict.c: what a fitted BG/NBD or MBG/NBD says of a customer; see bgnbd.h.
 *
 * A customer who is alive has K orders in the horizon if he never leaves, K negative binomial, and
 * makes the (i + 1)-th of them if he has not left after the i before it:
 *
 *     E[Y(h)] = sum over i >= 0 of S_i P(K > i),    S_i = (b)_i / (a + b)_i = E[(1 - p)^i]
 *     P(K = i) = (k)_i / i! z^i (1 - z)^k,  k = r + x,  z = h / (alpha + T + h),  b = b + y
 *
 * This is Gauss's function of Fader, Hardie and Lee 2005 (equation 10) summed in another order: all
 * terms are positive, nothing cancels at a = 1, at a + b near x or for a short horizon, where the
 * difference (a + b - 1) / (a - 1) (1 - ... 2F1) has no digits left. What serves where:
 *
 *     regime                                          by                        relative error
 *     up to MOST counts matter, P(K = 0) > e^-690     the sum over counts       1e-12 (MOST ulps)
 *     all else: heavy buyers, horizons far above T    the integral over p       1e-11
 *
 * Both hold for any a, b and r that crm_bgnbd_check_parameters takes, x to 1e9, T to 1e12.
 * Discounted orders are in bgnbd_discount.c. All are pure functions. A customer is (x, t_x, T) as
 * crm_btyd_check takes it; for other values, a horizon below zero or a NaN anywhere they give NaN.
 */
#include <float.h>
#include <math.h>

#include "kernel/base/quadrature.h"
#include "kernel/base/special.h"
#include "kernel/bgnbd.h"
#include "kernel/bgnbd_alive.h"

/* Give (1 - (1 + p tau)^-shape) / p, the orders to expect of a known p. */
static double
orders_given_p(const void *user, double w)
{
	const CrmBgnbdAlive *who = user;
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
 * Give P(alive), and in slopes the derivatives of its logarithm by those of r, alpha, a, b. For
 * rows that crm_btyd_check takes.
 */
double
crm_bgnbd_p_alive_slopes(const CrmBgnbd *model, double x, double t_x, double t, double *slopes)
{
	double alive = crm_bgnbd_p_alive(model, x, t_x, t), y = x + model->modified;
	double shape = model->r + x, left = 0.0;

	if (y > 0.0)
	{
		double odds = log(model->a / (model->b + (y - 1.0))) +
					  shape * log1p((t - t_x) / (model->alpha + t_x));

		left = odds > 0.0 ? 1.0 / (1.0 + exp(-odds)) : exp(odds) / (1.0 + exp(odds));
	}
	slopes[0] = -left * model->r * log1p((t - t_x) / (model->alpha + t_x));
	slopes[1] =
		left * shape * (model->alpha / (model->alpha + t_x)) * ((t - t_x) / (model->alpha + t));
	slopes[2] = -left;
	slopes[3] = y > 0.0 ? left * model->b / (model->b + (y - 1.0)) : 0.0;
	return alive;
}

/* Give the sum over counts; NaN where too many of them matter. */
static double
sum_of_counts(const CrmBgnbdAlive *who)
{
	double tau = who->horizon / who->rate, z = who->horizon / (who->rate + who->horizon);
	double log_none = -who->shape * log1p(tau);
	double chance = exp(log_none), more = -expm1(log_none); /* P(K = i), P(K > i) */
	double stays = 1.0, sum = more, whole = who->a + who->b;

	if (!(crm_bgnbd_counts(who) <= CRM_BGNBD_MOST))
		return NAN;
	for (double i = 0.0; i < 2.0 * CRM_BGNBD_MOST; i++)
	{
		double inverse = 1.0 / ((i + 1.0) * (whole + i)); /* one division for two quotients */
		double ratio = z * ((who->shape + i) * ((whole + i) * inverse));
		double fall = ratio > z ? ratio : z, rest = 1.0 - fall;

		chance *= ratio;
		/* the counts after this one add at most stays chance (fall + 2 fall^2 + ...) */
		if (rest > 0.0 && stays * chance * fall <= 0x1p-54 * (sum * rest * rest))
			break;
		more -= chance;
		stays *= (who->b + i) * ((i + 1.0) * inverse);
		sum += stays * more;
	}
	return sum;
}

/* Give the orders to expect within the horizon of a customer with x and T who is alive. */
double
crm_bgnbd_expected_if_alive(const CrmBgnbd *model, double x, double t, double horizon)
{
	CrmBgnbdAlive who = crm_bgnbd_alive(model, x, t, horizon);
	CrmValue mean;
	double orders;

	if (crm_btyd_check(x, 0.0, t) != NULL || !(horizon >= 0.0))
		return NAN;
	if (horizon == 0.0)
		return 0.0;
	orders = sum_of_counts(&who);
	if (!isnan(orders))
		return orders;
	crm_expectation(crm_bgnbd_weigh_p, orders_given_p, &who, log(who.a / who.b), &mean);
	return mean.value;
}

/* Give E[Y(horizon) | x, t_x, T]; of a new customer, (0, 0, 0), it is E[X(horizon)]. */
double
crm_bgnbd_expected_orders(const CrmBgnbd *model, double x, double t_x, double t, double horizon)
{
	return crm_bgnbd_p_alive(model, x, t_x, t) * crm_bgnbd_expected_if_alive(model, x, t, horizon);
}

/* Give the chance of at least one order within the horizon of a customer who is alive. */
double
crm_bgnbd_any_if_alive(const CrmBgnbd *model, double x, double t, double horizon)
{
	if (crm_btyd_check(x, 0.0, t) != NULL || !(horizon >= 0.0))
		return NAN;
	return -expm1(-(model->r + x) * log1p(horizon / (model->alpha + t)));
}

/* Give the same of a customer who may have left. */
double
crm_bgnbd_p_any_order(const CrmBgnbd *model, double x, double t_x, double t, double horizon)
{
	return crm_bgnbd_p_alive(model, x, t_x, t) * crm_bgnbd_any_if_alive(model, x, t, horizon);
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
