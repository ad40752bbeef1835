/*
 * quadrature.c: unit tests of base/quadrature where closed forms are known: the gamma and the beta
 * function over many orders of magnitude, means of a beta variate, Gauss's rule on polynomials.
 */
#include "kernel/base/quadrature.h"
#include "tap.h"

typedef struct Beta
{
	double a, b;
} Beta;

static double
weigh(const void *user, double w)
{
	const Beta *beta = user;

	return -beta->a * crm_log1p_exp(-w) - beta->b * crm_log1p_exp(w);
}

static double
chance(const void *user, double w)
{
	(void) user;
	return exp(-crm_log1p_exp(-w));
}

int
main(void)
{
	double sum = 0.0;

	for (double a = 1e-4; a < 2e5; a *= 10.0)
		for (double b = 1e-4; b < 2e5; b *= 10.0)
		{
			Beta beta = {a, b};
			CrmValue value;

			crm_integrate_log(weigh, &beta, 0.0, &value);
			is_near(value.value, crm_log_beta(a, b), 1e-11 + 1e-14 * (a + b) + 10.0 * value.error,
					"ln B(a, b)");
			crm_expectation(weigh, chance, &beta, log(a / b), &value);
			is_close(value.value, a / (a + b), 1e-9, "mean");
			ok(value.error < 1e-6 * value.value, "the error is small");
		}
	for (int i = 0; i < CRM_GAUSS; i++)
		sum += crm_gauss_weight[i] * pow(crm_gauss_node[i], 23.0);
	is_close(sum, 1.0 / 24.0, 1e-14, "Gauss's rule is exact for x^23");
	return tap_done();
}
