/*
 * paretonbd_integral.c: see paretonbd_integral.h.
 */
#include <math.h>
#include <string.h>

#include "kernel/base/quadrature.h"
#include "kernel/paretonbd_integral.h"

#define LONGEST     2.0  /* panel */
#define CHANGE      10.0 /* of the integrand's log in a panel, at most about */
#define DEPTH       45.0
#define TAME        3.0   /* change in a panel below which the shorter rule is exact, */
#define TAME_LENGTH 1.6   /* if it is also shorter than that */
#define NEAR        0.05  /* panels longer than that, and powers below the next, */
#define QUICK_POWER 200.0 /* take exp and log for expm1 and log1p: at most 1e-13 is lost */

/*
 * Tell whether exp and log do where expm1 and log1p are exact: the power of the log must not be so
 * high, nor the step so short, that it matters.
 */
static bool
is_quick(const CrmParetonbdIntegral *i, double length)
{
	return length > NEAR && (i->alpha <= i->beta ? i->b : i->a) < QUICK_POWER;
}

/*
 * Fill in ln((alpha + y) / (alpha + y0)), the same of beta, and y - y0 at v. The smaller of alpha
 * and beta gives v itself.
 */
static void
logs_at(const CrmParetonbdIntegral *i, double scale, double v, bool quick, double *log_a,
		double *log_b, double *way)
{
	bool alpha_first = i->alpha <= i->beta;
	double far = (alpha_first ? i->beta : i->alpha) + i->y0, other;

	*way = scale * (quick ? exp(v) - 1.0 : expm1(v));
	other = quick ? log((far + *way) / far) : log1p(*way / far);
	*log_a = alpha_first ? v : other;
	*log_b = alpha_first ? other : v;
}

/* The log of the integrand at v, relative to that at y0, and its slope. */
static double
log_at(const CrmParetonbdIntegral *i, double scale, double v, double *slope)
{
	double log_a = 0.0, log_b = 0.0, way = 0.0;

	if (v > 0.0)
		logs_at(i, scale, v, is_quick(i, v), &log_a, &log_b, &way);
	*slope = 1.0 - (way + scale) *
					   (i->a / (i->alpha + i->y0 + way) + i->b / (i->beta + i->y0 + way) + i->rate);
	return v - i->a * log_a - i->b * log_b - i->rate * way;
}

/*
 * Add a panel from v of that length to the sum, each term relative to e^top, and to the means; a
 * tame one takes fewer nodes.
 */
static double
add_panel(const CrmParetonbdIntegral *i, double scale, double v, double length, double top,
		  bool tame, CrmParetonbdMeans *means)
{
	double sum = 0.0, from_alpha = i->alpha + i->y0, from_beta = i->beta + i->y0;

	bool quick = is_quick(i, length);
	const double *node = tame ? crm_gauss_node_few : crm_gauss_node;
	const double *weight = tame ? crm_gauss_weight_few : crm_gauss_weight;

	for (int k = 0; k < (tame ? CRM_GAUSS_FEW : CRM_GAUSS); k++)
	{
		double at = v + length * node[k], log_a, log_b, way, term;

		logs_at(i, scale, at, quick, &log_a, &log_b, &way);
		term = length * weight[k] * exp(at - i->a * log_a - i->b * log_b - i->rate * way - top);
		sum += term;
		if (means == NULL)
			continue;
		means->log_alpha += term * log_a;
		means->log_beta += term * log_b;
		means->gone_alpha += term * (way / (from_alpha + way));
		means->gone_beta += term * (way / (from_beta + way));
	}
	return sum;
}

/*
 * Give ln I, -Infinity when y0 = y1, and the means unless those are NULL (they are then zero).
 */
double
crm_paretonbd_log_integral(const CrmParetonbdIntegral *integral, CrmParetonbdMeans *means)
{
	const CrmParetonbdIntegral *i = integral;
	double scale = fmin(i->alpha, i->beta) + i->y0;
	double end = log1p((i->y1 - i->y0) / scale);
	double slope, value = log_at(i, scale, 0.0, &slope), top = value, v = 0.0, sum = 0.0;

	if (means != NULL)
		memset(means, 0, sizeof *means);
	while (v < end)
	{
		double length = fmin(fmin(LONGEST, end - v), CHANGE / fmax(fabs(slope), 1e-3));
		double next_slope, next;

		/* the slope falls along v, steeply where the discount sets in: halve until it is tame */
		while (next = log_at(i, scale, v + length, &next_slope),
			   fabs(next_slope) * length > 1.3 * CHANGE && length > 1e-9)
			length *= 0.5;
		if (next > top)
		{
			double shrink = exp(top - next);

			sum *= shrink;
			if (means != NULL)
				*means = (CrmParetonbdMeans){.log_alpha = means->log_alpha * shrink,
											 .log_beta = means->log_beta * shrink,
											 .gone_alpha = means->gone_alpha * shrink,
											 .gone_beta = means->gone_beta * shrink};
			top = next;
		}
		sum += add_panel(
			i, scale, v, length, top,
			length < TAME_LENGTH && length * fmax(fabs(slope), fabs(next_slope)) < TAME, means);
		/* a last panel that ends at the end, not a rounding before it */
		v = end - v <= length ? end : v + length;
		slope = next_slope;
		if (next < top - DEPTH && slope < 0.0)
			break;
	}
	if (means != NULL && sum > 0.0)
	{
		means->log_alpha = i->log_alpha + means->log_alpha / sum;
		means->log_beta = i->log_beta + means->log_beta / sum;
		means->gone_alpha /= sum;
		means->gone_beta /= sum;
		means->inverse_alpha = (1.0 - means->gone_alpha) / (i->alpha + i->y0);
		means->inverse_beta = (1.0 - means->gone_beta) / (i->beta + i->y0);
	}
	return top + log(sum) + log(scale) - i->a * i->log_alpha - i->b * i->log_beta;
}
