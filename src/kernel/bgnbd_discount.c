/*
 * bgnbd_discount.c: the orders that BG/NBD and MBG/NBD expect, each discounted; see bgnbd.h.
 *
 *     D(h) = integral over (0, h) of e^(-delta s) u(s) ds,   u = dE[Y(s)] / ds of who is alive
 *     s u(s) = z sum over i >= 0 of S_i (k + i) P(K(s) = i)        (bgnbd_predict.c; z, K by s)
 *     D(infinity) = E[(k / p) integral from 0 on of e^(-zeta t) (1 + t)^-(k + 1) dt],
 *     zeta = delta (alpha + T) / p
 *
 * regime                                    by                                     relative error
 * h finite, as many counts as the sum of    Gauss's rule in ln(1 + s / (alpha + T)) of
 *     E[Y(h)] takes                         that sum; its derivatives likewise           1e-11
 * h finite, all else                        an integral over p and lambda                 1e-9
 * h infinite, zeta >= 0.5 or k >= 7         the integral by its continued fraction
 *     (DLMF 8.19.17), E by quadrature                                                    1e-10
 * h infinite, zeta and k below              the integral by Gauss's rule in ln(1 + t)    1e-10
 *
 * Every term is positive: nothing cancels. All are pure functions.
 */
#include <math.h>

#include "kernel/base/quadrature.h"
#include "kernel/base/special.h"
#include "kernel/bgnbd.h"
#include "kernel/bgnbd_alive.h"

#define PANEL      1.25 /* of ln(1 + s / (alpha + T)), at most */
#define PANELS     8
#define NODES      (PANELS * CRM_GAUSS + 1)
#define STEP       1e-4 /* of differences, on logarithms */
#define SMALL_ZETA 0.5  /* below it the continued fraction takes hundreds of steps */
#define FAST_SHAPE 7.0  /* but not from this shape on */

/* Nodes of the time and what is summed over counts at each; the last one is the horizon itself. */
typedef struct Moments
{
	int n;
	double v[NODES], z[NODES], delay[NODES]; /* ln(1 + s / rate), its z, delta s */
	double cell[NODES];                      /* weight e^(-delta s) P(K(s) = i) */
	double sum[NODES];                       /* of S_i (k + i) cell */
} Moments;

/* The discounted orders and their derivatives by shape, ln rate, a and b. */
typedef struct Discounted
{
	double value, by_shape, by_log_rate, by_a, by_b;
} Discounted;

/* Lay the nodes; false where the horizon takes too many. */
static bool
lay_nodes(const CrmBgnbdAlive *who, double rate, Moments *at)
{
	double end = log1p(who->horizon / who->rate), length;
	int panels = (int) fmin(ceil(end / PANEL), PANELS + 1.0);

	if (panels > PANELS || !(crm_bgnbd_counts(who) <= CRM_BGNBD_MOST))
		return false;
	length = end / panels;
	at->n = panels * CRM_GAUSS;
	for (int j = 0; j <= at->n; j++)
	{
		double v = j < at->n ? length * (j / CRM_GAUSS + crm_gauss_node[j % CRM_GAUSS]) : end;

		at->v[j] = v;
		at->z[j] = -expm1(-v);
		at->delay[j] = rate * (j < at->n ? who->rate * expm1(v) : who->horizon);
		at->cell[j] = (j < at->n ? length * crm_gauss_weight[j % CRM_GAUSS] : 1.0) *
					  exp(-at->delay[j] - who->shape * v);
		at->sum[j] = 0.0;
	}
	return true;
}

/* Sum over counts at all nodes; false where they are too many. */
static bool
sum_of_counts(const CrmBgnbdAlive *who, double rate, Discounted *sum)
{
	double whole = who->a + who->b, stays = 1.0;
	double psi_shape = 0.0, psi_b = 0.0, psi_whole = 0.0; /* psi(. + i) - psi(.) */
	Moments at;

	*sum = (Discounted){0.0, 0.0, 0.0, 0.0, 0.0};
	if (!lay_nodes(who, rate, &at))
		return false;
	for (double i = 0.0; i < 2.0 * CRM_BGNBD_MOST; i++)
	{
		double factor = stays * (who->shape + i), all = 0.0, step = (who->shape + i) / (i + 1.0);
		double fall = at.z[at.n] * fmax(step * (1.0 + 1.0 / (who->shape + i)), 1.0);

		for (int j = 0; j < at.n; j++)
			all += at.cell[j];
		for (int j = 0; j <= at.n; j++)
		{
			at.sum[j] += factor * at.cell[j];
			at.cell[j] *= step * at.z[j];
		}
		sum->value += factor * all;
		sum->by_shape += (stays + factor * psi_shape) * all;
		sum->by_a -= factor * all * psi_whole;
		sum->by_b += factor * all * (psi_b - psi_whole);
		if (fall < 1.0 && factor * all * fall <= 0x1p-56 * sum->value * (1.0 - fall))
			break;
		stays *= (who->b + i) / (whole + i);
		psi_shape += 1.0 / (who->shape + i);
		psi_b += 1.0 / (who->b + i);
		psi_whole += 1.0 / (whole + i);
	}
	for (int j = 0; j < at.n; j++)
	{
		sum->by_shape -= at.v[j] * at.sum[j];
		sum->by_log_rate -= at.delay[j] * at.sum[j];
	}
	sum->by_log_rate -= at.z[at.n] * at.sum[at.n];
	return true;
}

/* What the residual value of a known p needs. */
typedef struct Residual
{
	CrmBgnbdAlive who; /* first, as crm_bgnbd_weigh_p takes it */
	double discount;   /* rate (alpha + T) */
} Residual;

/*
 * Give integral from 0 on of e^(-zeta t) (1 + t)^-(shape + 1) dt for a small zeta, by v =
 * ln(1 + t).
 */
static double
residual_integral(double zeta, double shape)
{
	double v = 0.0, sum = 0.0;

	for (double fallen = 0.0; fallen < 40.0; fallen = zeta * expm1(v) + shape * v)
	{
		/* the log of the integrand changes by about 10 at most */
		double length = fmin(1.5, 5.0 / (shape + zeta * exp(v)));

		for (int k = 0; k < CRM_GAUSS; k++)
		{
			double at = v + length * crm_gauss_node[k];

			sum += length * crm_gauss_weight[k] * exp(-zeta * expm1(at) - shape * at);
		}
		v += length;
	}
	return sum;
}

/* Give (1 / p) times that integral, p by its logit w. */
static double
residual_given_p(const void *user, double w)
{
	const Residual *it = user;
	double p = w > 0.0 ? 1.0 / (1.0 + exp(-w)) : exp(w) / (1.0 + exp(w));
	double shape = it->who.shape, base, ahead, behind, value;

	if (it->discount < SMALL_ZETA * p && shape < FAST_SHAPE)
		return residual_integral(it->discount / p, shape) / p;
	/* 1 / (zeta + k + 1 - 1 (k + 1) / (zeta + k + 3 - 2 (k + 2) / ...)), by Lentz, all times p */
	base = it->discount + p * (shape + 1.0);
	ahead = INFINITY;
	behind = value = 1.0 / base;
	for (double i = 1.0; i < 1000.0; i++)
	{
		double term = -i * (shape + i) * p * p;

		base += 2.0 * p;
		behind = 1.0 / (base + term * behind);
		ahead = base + term / ahead;
		value *= ahead * behind;
		if (fabs(ahead * behind - 1.0) < 1e-14)
			break;
	}
	return value;
}

/* Give E of that over p. */
static double
mean_residual(const Residual *it)
{
	double p[CRM_QUADRATURE_NODES], weight[CRM_QUADRATURE_NODES], old, sum = 0.0;
	CrmPeak peak;

	crm_peak_find(crm_bgnbd_weigh_p, it, log(it->who.a / it->who.b), &peak);
	for (int n = 32; n <= CRM_QUADRATURE_NODES; n += n / 2)
	{
		old = sum;
		sum = 0.0;
		crm_peak_nodes(crm_bgnbd_weigh_p, it, &peak, n, p, weight);
		for (int i = 0; i < n; i++)
			if (weight[i] > 1e-17)
				sum += weight[i] * residual_given_p(it, p[i]);
		if (fabs(sum - old) <= 1e-9 * sum)
			break;
	}
	return sum;
}

/* The log of the density of w = ln lambda, but for a constant. */
static double
weigh_lambda(const void *user, double w)
{
	const CrmBgnbdAlive *who = user;

	return who->shape * w - who->rate * exp(w);
}

/* Give E[lambda (1 - e^-((rate + lambda p) h)) / (rate + lambda p)] with n nodes a variable. */
static double
discounted(const CrmBgnbdAlive *who, double rate, const CrmPeak *of_p, const CrmPeak *of_lambda,
		   int n)
{
	double p[CRM_QUADRATURE_NODES], weight[CRM_QUADRATURE_NODES];
	double lambda[CRM_QUADRATURE_NODES], weight_lambda[CRM_QUADRATURE_NODES];
	double total = 0.0;

	crm_peak_nodes(crm_bgnbd_weigh_p, who, of_p, n, p, weight);
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

/* Give the same with as many nodes as it takes. */
static double
discounted_by_integrals(const CrmBgnbdAlive *who, double rate)
{
	CrmPeak of_p, of_lambda;
	double value, old;

	crm_peak_find(crm_bgnbd_weigh_p, who, log(who->a / who->b), &of_p);
	crm_peak_find(weigh_lambda, who, log(who->shape / who->rate), &of_lambda);
	value = discounted(who, rate, &of_p, &of_lambda, 32);
	for (int n = 48; n <= CRM_QUADRATURE_NODES; n += n / 2)
	{
		old = value;
		value = discounted(who, rate, &of_p, &of_lambda, n);
		if (fabs(value - old) <= 1e-9 * value)
			break;
	}
	return value;
}

/*
 * Give the orders to expect within the horizon of a customer who is alive, each discounted by
 * e^(-rate time to it); an infinite horizon gives the residual value, for a rate above zero.
 */
double
crm_bgnbd_discounted_if_alive(const CrmBgnbd *model, double x, double t, double horizon,
							  double rate)
{
	CrmBgnbdAlive who = crm_bgnbd_alive(model, x, t, horizon);
	Discounted sum;

	if (crm_btyd_check(x, 0.0, t) != NULL || !(horizon >= 0.0) || !(rate >= 0.0) ||
		(isinf(horizon) && rate == 0.0) || isinf(rate))
		return NAN;
	if (horizon == 0.0)
		return 0.0;
	if (rate == 0.0)
		return crm_bgnbd_expected_if_alive(model, x, t, horizon);
	if (isinf(horizon))
	{
		Residual residual = {who, rate * who.rate};

		return who.shape * mean_residual(&residual);
	}
	return sum_of_counts(&who, rate, &sum) ? sum.value : discounted_by_integrals(&who, rate);
}

/*
 * Give the same for a finite horizon, and in slopes the derivatives of its logarithm by those of r,
 * alpha, a, b; where the sum over counts does not serve they are differences, good to 1e-4.
 */
double
crm_bgnbd_discounted_slopes(const CrmBgnbd *model, double x, double t, double horizon, double rate,
							double *slopes)
{
	CrmBgnbdAlive who = crm_bgnbd_alive(model, x, t, horizon);
	Discounted sum;

	if (horizon > 0.0 && sum_of_counts(&who, rate, &sum))
	{
		slopes[0] = model->r * sum.by_shape / sum.value;
		slopes[1] = model->alpha / who.rate * sum.by_log_rate / sum.value;
		slopes[2] = model->a * sum.by_a / sum.value;
		slopes[3] = model->b * sum.by_b / sum.value;
		return sum.value;
	}
	for (int k = 0; k < CRM_BGNBD_PARAMETERS; k++)
	{
		double value[2];

		for (int i = 0; i < 2; i++)
		{
			CrmBgnbd near = *model;
			double *parameter[] = {&near.r, &near.alpha, &near.a, &near.b};

			*parameter[k] *= exp(i == 0 ? STEP : -STEP);
			value[i] = crm_bgnbd_discounted_if_alive(&near, x, t, horizon, rate);
		}
		slopes[k] = log(value[0] / value[1]) / (2.0 * STEP);
	}
	return crm_bgnbd_discounted_if_alive(model, x, t, horizon, rate);
}

/* Give the discounted orders of a customer who may have left: P(alive) times those. */
double
crm_bgnbd_discounted_orders(const CrmBgnbd *model, double x, double t_x, double t, double horizon,
							double rate)
{
	return crm_bgnbd_p_alive(model, x, t_x, t) *
		   crm_bgnbd_discounted_if_alive(model, x, t, horizon, rate);
}
