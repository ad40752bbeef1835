/*
 * special.c: digamma, trigamma, differences of ln Gamma, the beta function and its distribution;
 * see special.h.
 *
 * Stirling's series is used from x = 10 on, where seven terms reach the last digit; smaller x climb
 * there by the recurrence.
 */
#include <float.h>
#include <math.h>

#include "kernel/base/special.h"

#define STIRLING_FROM 10.0
#define HALF_LOG_2PI  0.91893853320467274178 /* ln(2 pi) / 2 */
#define CF_MAX        100000

/* Give ln Gamma(x) - ((x - 1/2) ln x - x + ln(2 pi) / 2) for x >= 10 (DLMF 5.11.1). */
static double
stirling_rest(double x)
{
	double y = 1.0 / (x * x);

	return (1.0 / 12 +
			y * (-1.0 / 360 +
				 y * (1.0 / 1260 + y * (-1.0 / 1680 + y * (1.0 / 1188 + y * (-691.0 / 360360 +
																			 y * (1.0 / 156))))))) /
		   x;
}

/* Give digamma(x) - ln x for x >= 10 (DLMF 5.11.2). */
static double
digamma_rest(double x)
{
	double y = 1.0 / (x * x);

	return -0.5 / x -
		   y * (1.0 / 12 -
				y * (1.0 / 120 -
					 y * (1.0 / 252 - y * (1.0 / 240 - y * (1.0 / 132 - y * (691.0 / 32760 -
																			 y * (1.0 / 12)))))));
}

/* Give digamma(x), x > 0: absolute error about 1e-15 max(1, |value|). NaN for x <= 0. */
double
crm_digamma(double x)
{
	double sum = 0.0;

	if (!(x > 0.0))
		return NAN;
	for (; x < STIRLING_FROM; x += 1.0)
		sum -= 1.0 / x;
	return sum + log(x) + digamma_rest(x);
}

/* Give trigamma(x), x > 0: relative error about 1e-15. NaN for x <= 0. */
double
crm_trigamma(double x)
{
	double sum = 0.0, y;

	if (!(x > 0.0))
		return NAN;
	for (; x < STIRLING_FROM; x += 1.0)
		sum += 1.0 / (x * x);
	y = 1.0 / (x * x);
	return sum + 1.0 / x + 0.5 * y +
		   y / x *
			   (1.0 / 6 -
				y * (1.0 / 30 -
					 y * (1.0 / 42 -
						  y * (1.0 / 30 - y * (5.0 / 66 - y * (691.0 / 2730 - y * (7.0 / 6)))))));
}

/* Give ln Gamma(x), x > 0; NaN for x <= 0. */
double
crm_log_gamma(double x)
{
	return x > 0.0 ? lgamma(x) : NAN;
}

/*
 * Give ln Gamma(a + n) - ln Gamma(a) for a > 0, n >= 0, without the cancellation that a difference
 * of two values has when n is small beside a. NaN outside.
 */
double
crm_log_gamma_ratio(double a, double n)
{
	double shift = 0.0;

	if (!(a > 0.0) || !(n >= 0.0))
		return NAN;
	if (n == 0.0)
		return 0.0;
	if (n <= 8.0 && n == floor(n))
	{
		double product = a;

		if (a < 1e30)
		{
			for (double j = 1.0; j < n; j += 1.0)
				product *= a + j;
			return log(product);
		}
	}
	/* Gamma(a + n) / Gamma(a) = Gamma(a + 1 + n) / Gamma(a + 1) / (1 + n / a), repeated */
	for (; a < STIRLING_FROM; a += 1.0)
		shift -= log1p(n / a);
	/* the difference of two Stirling formulas, DLMF 5.11.1 */
	return shift + n * log(a + n) + ((a - 0.5) * log1p(n / a) - n) +
		   (stirling_rest(a + n) - stirling_rest(a));
}

/* Give digamma(a + n) - digamma(a) for a > 0, n >= 0: above zero when n is. NaN outside. */
double
crm_digamma_difference(double a, double n)
{
	double sum = 0.0;

	if (!(a > 0.0) || !(n >= 0.0))
		return NAN;
	if (n <= 16.0 && n == floor(n))
	{
		for (double j = 0.0; j < n; j += 1.0)
			sum += 1.0 / (a + j);
		return sum;
	}
	for (; a < STIRLING_FROM; a += 1.0)
		sum += n / (a * (a + n));
	return sum + log1p(n / a) + (digamma_rest(a + n) - digamma_rest(a));
}

/* Give ln B(a, b), a, b > 0, also where one is far above the other. NaN outside. */
double
crm_log_beta(double a, double b)
{
	double small = fmin(a, b), large = fmax(a, b), sum = a + b;

	if (!(a > 0.0) || !(b > 0.0))
		return NAN;
	if (small < STIRLING_FROM)
		return crm_log_gamma(small) - crm_log_gamma_ratio(large, small);
	return HALF_LOG_2PI - 0.5 * log(large) - (small - 0.5) * log1p(large / small) -
		   large * log1p(small / large) +
		   (stirling_rest(small) + (stirling_rest(large) - stirling_rest(sum)));
}

/* Give ln(e^a + e^b); -Infinity stands for a term of zero. */
double
crm_log_sum_exp(double a, double b)
{
	double high = fmax(a, b), low = fmin(a, b);

	if (isinf(high))
		return high;
	return high + log1p(exp(low - high));
}

/* Give ln(1 + e^x). */
double
crm_log1p_exp(double x)
{
	return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* Give ln(1 - e^x) for x <= 0 (Maechler 2012, the note on log1mexp of Rmpfr); NaN for x > 0. */
double
crm_log1m_exp(double x)
{
	if (x > 0.0)
		return NAN;
	return x > -0.69314718055994530942 ? log(-expm1(x)) : log1p(-exp(x));
}

/*
 * Give the continued fraction of the incomplete beta function by Lentz's method as modified by
 * Thompson and Barnett; DLMF 8.17.22. It converges fast for x < (a + 1) / (a + b + 2).
 */
static double
beta_fraction(double a, double b, double x)
{
	double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0), f;

	d = 1.0 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
	f = d;
	for (int m = 1; m <= CF_MAX; m++)
	{
		double term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double delta;

		d = 1.0 + term * d;
		c = 1.0 + term / c;
		d = 1.0 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
		c = fabs(c) < DBL_MIN ? DBL_MIN : c;
		f *= d * c;
		term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		d = 1.0 + term * d;
		c = 1.0 + term / c;
		d = 1.0 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
		c = fabs(c) < DBL_MIN ? DBL_MIN : c;
		delta = d * c;
		f *= delta;
		if (fabs(delta - 1.0) < DBL_EPSILON)
			break;
	}
	return f;
}

/*
 * Give ln I_x(a, b), the log of the chance that a beta variate is at most x; y = 1 - x is given,
 * too, so that neither end loses digits. a, b > 0; NaN outside of 0 <= x <= 1.
 */
double
crm_log_beta_cdf(double a, double b, double x, double y)
{
	double front;

	if (!(a > 0.0) || !(b > 0.0) || !(x >= 0.0) || !(y >= 0.0))
		return NAN;
	if (x == 0.0)
		return -INFINITY;
	if (y == 0.0)
		return 0.0;
	front = a * log(x) + b * log(y) - crm_log_beta(a, b);
	if (x * (a + b + 2.0) <= a + 1.0)
		return fmin(front - log(a) + log(beta_fraction(a, b, x)), 0.0);
	return crm_log1m_exp(fmin(front - log(b) + log(beta_fraction(b, a, y)), 0.0));
}
