/*
 * paretonbd_integral.c: see paretonbd_integral.h.
 */
#include <math.h>
#include <string.h>

#include "kernel/base/quadrature.h"
#include "kernel/paretonbd_integral.h"

#define LONGEST 2.0  /* panel */
#define CHANGE  10.0 /* of the integrand's log in a panel, at most about */
#define DEPTH   45.0

/* The log of the integrand at v, relative to that at y0; also its slope unless that is NULL. */
static double
log_at(const CrmParetonbdIntegral *i, double scale, double v, double *slope)
{
	double way = scale * expm1(v);

	if (slope != NULL)
		*slope = 1.0 - (way + scale) * (i->a / (i->alpha + i->y0 + way) +
										i->b / (i->beta + i->y0 + way) + i->rate);
	return v - i->a * log1p(way / (i->alpha + i->y0)) - i->b * log1p(way / (i->beta + i->y0)) -
		   i->rate * way;
}

/* Add a panel from v of that length to the sum, each term relative to e^top, and to the means. */
static double
add_panel(const CrmParetonbdIntegral *i, double scale, double v, double length, double top,
		  CrmParetonbdMeans *means)
{
	double sum = 0.0, from_alpha = i->alpha + i->y0, from_beta = i->beta + i->y0;

	for (int k = 0; k < CRM_GAUSS; k++)
	{
		double at = v + length * crm_gauss_node[k], way = scale * expm1(at);
		double log_a = log1p(way / from_alpha), log_b = log1p(way / from_beta);
		double term = length * crm_gauss_weight[k] *
					  exp(at - i->a * log_a - i->b * log_b - i->rate * way - top);

		sum += term;
		if (means == NULL)
			continue;
		means->log_alpha += term * log_a;
		means->log_beta += term * log_b;
		means->inverse_alpha += term / (from_alpha + way);
		means->inverse_beta += term / (from_beta + way);
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
				*means = (CrmParetonbdMeans){means->log_alpha * shrink, means->log_beta * shrink,
											 means->inverse_alpha * shrink,
											 means->inverse_beta * shrink};
			top = next;
		}
		sum += add_panel(i, scale, v, length, top, means);
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
		means->inverse_alpha /= sum;
		means->inverse_beta /= sum;
	}
	return top + log(sum) + log(scale) - i->a * i->log_alpha - i->b * i->log_beta;
}
