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
 * h finite, all else                        Gauss's rule of u by quadrature over p        1e-9
 * delta h above 45, zeta >= 0.5 or k >= 7   the integral by its continued fraction
 *     (DLMF 8.19.17), E by quadrature                                                    1e-10
 * delta h above 45, zeta and k below        the integral by Gauss's rule in ln(1 + t)    1e-10
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
#define CHANGE     14.0 /* of the integrand's log in a panel, at most: 12 nodes give 1e-11 */
#define TAIL       25.0 /* e^-25 of those who may leave are not looked at for that */
#define NODES      (PANELS * CRM_GAUSS + 1)
#define FOREVER    45.0 /* rate times a horizon after which nothing is left to discount */
#define WIDE       0.1  /* a or b below which p is mostly near 0 or 1 */
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

/* Give what p hardly exceeds: u falls at most about as (1 + s / (alpha + T))^-(k that). */
static double
fall_at_most(const CrmBgnbdAlive *who)
{
	return -expm1(-(TAIL + 2.0 * who->a) / who->b);
}

/* Lay the nodes; false where the horizon takes too many. */
static bool
lay_nodes(const CrmBgnbdAlive *who, double rate, Moments *at)
{
	double end = log1p(who->horizon / who->rate), length;
	double change = fmax(who->shape * fall_at_most(who), rate * (who->rate + who->horizon));
	int panels = (int) fmin(ceil(end * fmax(1.0 / PANEL, change / CHANGE)), PANELS + 1.0);

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

/*
 * Tell whether the density of ln(p / (1 - p)) has a tail so long that a few nodes would step over
 * what happens near its peak, and not show it.
 */
static bool
is_wide(const CrmBgnbdAlive *who)
{
	return fmin(who->a, who->b) < WIDE;
}

/* What the residual value of a known p needs. */
typedef struct Residual
{
	CrmBgnbdAlive who; /* first, as crm_bgnbd_weigh_p takes it */
	double discount;   /* rate (alpha + T) */
} Residual;

/*
 * Give the integral from 0 on of e^(-zeta t) (1 + t)^-(shape + 1) dt for a small zeta, by v =
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
	CrmValue mean;

	if (is_wide(&it->who))
	{
		crm_expectation(crm_bgnbd_weigh_p, residual_given_p, it, log(it->who.a / it->who.b), &mean);
		return mean.value;
	}
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

/* Nodes of p, or none where its density is too wide for them. */
typedef struct Chances
{
	int n;
	double p[CRM_QUADRATURE_NODES], weight[CRM_QUADRATURE_NODES];
} Chances;

/* What the chance to be there after a time needs. */
typedef struct Moment
{
	CrmBgnbdAlive who; /* first, as crm_bgnbd_weigh_p takes it */
	double tau;        /* s / (alpha + T) */
} Moment;

/* Give (1 + p tau)^-(shape + 1), p by its logit w. */
static double
stays_given_p(const void *user, double w)
{
	const Moment *moment = user;

	return exp(-(moment->who.shape + 1.0) * log1p(exp(-crm_log1p_exp(-w)) * moment->tau));
}

/* Give E of that. */
static double
mean_stays(const CrmBgnbdAlive *who, const Chances *chances, double tau)
{
	Moment moment = {*who, tau};
	CrmValue mean = {0.0, 0.0};

	if (chances->n == 0)
		crm_expectation(crm_bgnbd_weigh_p, stays_given_p, &moment, log(who->a / who->b), &mean);
	for (int i = 0; i < chances->n; i++)
		if (chances->weight[i] > 1e-17)
			mean.value +=
				chances->weight[i] * exp(-(who->shape + 1.0) * log1p(chances->p[i] * tau));
	return mean.value;
}

/*
 * Give the same by Gauss's rule in v = ln(1 + s / (alpha + T)), u(s) as a mean over p.
 * Panels are short where u falls as fast as with a p that hardly anybody exceeds, and double from
 * there, as what is left of u is of those of smaller p.
 */
static double
discounted_by_time(const CrmBgnbdAlive *who, double rate, const Chances *chances)
{
	double end = log1p(who->horizon / who->rate), delay = rate * who->rate, v = 0.0, sum = 0.0;
	double first = 0.5 * CHANGE / fmax((who->shape + 1.0) * fall_at_most(who), 1e-3), length;

	for (; v < end && delay * expm1(v) < FOREVER; v += length)
	{
		double part = 0.0;

		length = fmin(fmin(PANEL, fmax(first, v)), 0.3 * CHANGE / (delay * exp(v)));
		length = fmin(length, end - v);
		for (int k = 0; k < CRM_GAUSS; k++)
		{
			double at = v + length * crm_gauss_node[k], tau = expm1(at);

			part += crm_gauss_weight[k] * mean_stays(who, chances, tau) * exp(at - delay * tau);
		}
		sum += length * part;
		if (part * (end - v) * exp(PANEL) < 1e-17 * sum)
			break;
	}
	return who->shape * sum;
}

/* Give the same with as many nodes as it takes. */
static double
discounted_by_integrals(const CrmBgnbdAlive *who, double rate)
{
	Chances chances = {.n = 0};
	double value = 0.0, old;
	CrmPeak peak;

	if (is_wide(who))
		return discounted_by_time(who, rate, &chances);
	crm_peak_find(crm_bgnbd_weigh_p, who, log(who->a / who->b), &peak);
	for (chances.n = 48; chances.n <= CRM_QUADRATURE_NODES; chances.n += chances.n / 2)
	{
		old = value;
		crm_peak_nodes(crm_bgnbd_weigh_p, who, &peak, chances.n, chances.p, chances.weight);
		for (int i = 0; i < chances.n; i++)
			chances.p[i] = exp(-crm_log1p_exp(-chances.p[i]));
		value = discounted_by_time(who, rate, &chances);
		if (fabs(value - old) <= 1e-10 * value)
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
	if (rate * horizon > FOREVER)
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
