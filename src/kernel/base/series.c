/*
 * series.c: sums of rising products; see series.h.
 */
#include "kernel/base/series.h"

#include <math.h>

#include "kernel/base/special.h"

#define TERMS_MAX 100000.0 /* that are summed one by one */
#define STEPS_MAX 4000000  /* of the continued fraction: z up to 1 - 2.5e-11 for full precision */

/*
 * Give 2F1(1, b; c; z) for 0 < b < c, c > 1, 0 <= z < 1, by Gauss's continued fraction from its
 * tail: 1 / (1 - a_1 z / (1 - a_2 z / ...)). Each step shrinks the error by about
 * ((1 - s) / (1 + s)), s = sqrt(1 - z).
 */
static double
geometric_2f1(double b, double c, double z)
{
	double needed = 20.0 / sqrt(1.0 - z) + 20.0;
	int steps = needed < STEPS_MAX ? (int) needed : STEPS_MAX;
	double value = 1.0;

	for (int m = steps; m > 1; m--)
	{
		double k = m / 2;
		double a = m % 2 == 1 ? (b + k) * (c + k - 1.0) : k * (c - b + k - 1.0);
		double base = c + m - 2.0;

		value = 1.0 - a / (base * (base + 1.0)) * z / value;
	}
	return 1.0 / (1.0 - b / c * z / value);
}

/*
 * Give the log of the product of (b + j) / (b + gap + j) over j = 0 .. n - 1, by that of the two
 * ratios of gamma functions which is of the shorter one of n and gap: it has their digits.
 */
double
crm_log_falling(double b, double gap, double n)
{
	if (n <= gap)
		return crm_log_gamma_ratio(b, n) - crm_log_gamma_ratio(b + gap, n);
	return crm_log_gamma_ratio(b, gap) - crm_log_gamma_ratio(b + n, gap);
}

/*
 * Give R(b, c, z, terms) for 0 < b < c, 0 <= z <= 1; terms is rounded down and may be infinite. The
 * result is infinite where the sum is: z = 1, terms infinite and c - b <= 1.
 */
double
crm_ratio_series(double b, double c, double z, double terms)
{
	double term = 1.0, sum = 0.0;

	if (terms <= TERMS_MAX)
	{
		for (double k = 0.0; k + 1.0 <= terms; k++)
		{
			term *= z * ((b + k) / (c + k));
			sum += term;
			if (term <= 0x1p-60 * sum * (1.0 - z))
				break; /* what is left is below half a unit in the last place */
		}
		return sum;
	}
	if (z < 1.0)
		sum = z * (b / c) * geometric_2f1(b + 1.0, c + 1.0, z);
	else
		sum = c - b > 1.0 ? b / (c - b - 1.0) : INFINITY;
	if (isinf(terms))
		return sum;
	terms = floor(terms);
	term = exp(crm_log_falling(b, c - b, terms) + terms * log(z));
	if (z < 1.0)
		return sum - term * z * ((b + terms) / (c + terms)) *
						 geometric_2f1(b + terms + 1.0, c + terms + 1.0, z);
	if (fabs(c - b - 1.0) > 1e-9)
		return (b - term * (b + terms)) / (c - b - 1.0);
	return b * (log(c + terms) - log(c)); /* the limit, near enough with so many terms */
}
