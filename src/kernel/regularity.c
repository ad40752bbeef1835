/*
 * regularity.c: how regular the times between orders are; see regularity.h.
 */
#include "kernel/regularity.h"

#include <math.h>

/* Add a customer with the n ascending, different periods of its orders; below three it has no pair
 * and is not counted. */
void
crm_regularity_add(CrmRegularitySums *sums, const int32_t *periods, size_t n)
{
	double spread = 0.0;

	if (n < 3)
		return;
	for (size_t i = 2; i < n; i++)
	{
		double u = (double) periods[i - 1] - (double) periods[i - 2];
		double w = (double) periods[i] - (double) periods[i - 1];
		double away = u / (u + w) - 0.5;

		spread += away * away;
	}
	spread /= (double) (n - 2);
	sums->customers++;
	sums->pairs += (int64_t) n - 2;
	crm_sum_add(&sums->spread, spread);
	crm_sum_add(&sums->squares, spread * spread);
	crm_sum_add(&sums->gaps, ((double) periods[n - 1] - (double) periods[0]) / (double) (n - 1));
}

/* Give the estimate. */
CrmRegularity
crm_regularity_estimate(const CrmRegularitySums *sums)
{
	CrmRegularity result = {.k = NAN, .standard_error = NAN, .mean_gap = NAN};
	double v, variance;

	if (sums->customers == 0)
		return result;
	v = crm_sum_mean(sums->spread, sums->customers);
	result.mean_gap = crm_sum_mean(sums->gaps, sums->customers);
	result.k = v > 0.0 ? fmax((1.0 - 4.0 * v) / (8.0 * v), 0.0) : INFINITY;
	if (sums->customers < 2 || !(v > 0.0))
		return result;
	variance = fmax(crm_sum_mean(sums->squares, sums->customers) - v * v, 0.0);
	/* dk/dV = -1 / (8 V^2) */
	result.standard_error = sqrt(variance / (double) (sums->customers - 1)) / (8.0 * v * v);
	return result;
}

/* Give the interval of level 0.95 for k, on the scale of its logarithm; NaN without an error. */
void
crm_regularity_interval(const CrmRegularity *regularity, double *low, double *high)
{
	double factor = exp(1.959963984540054 * regularity->standard_error / regularity->k);

	*low = regularity->k / factor;
	*high = regularity->k * factor;
}
