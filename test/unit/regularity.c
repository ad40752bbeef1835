/*
 * regularity.c: unit tests of the regularity of order times: planted shapes are found, whatever the
 * customers' rates, and small cases by hand.
 */
#include "kernel/base/rng.h"
#include "kernel/regularity.h"
#include "tap.h"

#define ORDERS 12

/* Draw customers whose times are gamma of shape k, with rates that differ by a factor of 30. */
static CrmRegularity
simulate(double k, uint64_t seed)
{
	CrmRegularitySums sums = {0};
	CrmRng rng;

	crm_rng_seed(&rng, seed, 0);
	for (int i = 0; i < 4000; i++)
	{
		double scale = 3000.0 * exp(3.4 * crm_rng_uniform(&rng)), at = 0.0;
		size_t n = 2 + (size_t) (crm_rng_uniform(&rng) * (ORDERS - 1));
		int32_t periods[ORDERS];
		size_t kept = 0;

		for (size_t j = 0; j < n; j++)
		{
			int32_t period = (int32_t) at;

			if (kept == 0 || period > periods[kept - 1]) /* orders of one period are one */
				periods[kept++] = period;
			at += scale * crm_rng_gamma(&rng, k) / k;
		}
		crm_regularity_add(&sums, periods, kept);
	}
	return crm_regularity_estimate(&sums);
}

int
main(void)
{
	static const double shapes[] = {0.5, 1.0, 2.0, 5.0};
	static const int32_t clock[] = {3, 10, 17, 24}, burst[] = {0, 1, 100};
	CrmRegularitySums sums = {0};
	CrmRegularity result;

	for (int i = 0; i < 4; i++)
	{
		int near = 0;

		for (uint64_t seed = 1; seed <= 20; seed++)
		{
			result = simulate(shapes[i], seed);
			near += fabs(result.k - shapes[i]) < 3.0 * result.standard_error &&
					result.standard_error < 0.1 * shapes[i];
		}
		ok(near >= 19, "shape %g: %d of 20 estimates within three standard errors", shapes[i],
		   near);
	}
	result = crm_regularity_estimate(&sums);
	ok(isnan(result.k) && isnan(result.standard_error), "nobody");
	crm_regularity_add(&sums, clock, 2);
	is_int(sums.customers, 0, "two orders make no pair");
	crm_regularity_add(&sums, clock, 4);
	result = crm_regularity_estimate(&sums);
	is_near(result.k, INFINITY, 0, "a clock");
	is_near(result.mean_gap, 7, 0, "its mean time");
	sums = (CrmRegularitySums){0};
	crm_regularity_add(&sums, burst, 3);
	result = crm_regularity_estimate(&sums);
	/* M = 1/100, V = 0.49^2 = 0.2401, k = (1 - 0.9604) / 1.9208 */
	is_close(result.k, 0.0396 / 1.9208, 1e-12, "one burst, by hand");
	ok(isnan(result.standard_error), "one customer has no standard error");
	crm_regularity_add(&sums, clock, 4);
	result = crm_regularity_estimate(&sums);
	/* V = 0.12005, k = (1 - 0.4802) / 0.9604; the two spreads differ by 0.2401 */
	is_close(result.k, 0.5198 / 0.9604, 1e-12, "two customers, by hand");
	is_close(result.standard_error, 0.12005 / (8 * 0.12005 * 0.12005), 1e-12, "and their error");
	return tap_done();
}
