/*
 * distribution.c: see distribution.h.
 */
#include "kernel/base/distribution.h"

#include <float.h>
#include <math.h>

#define SQRT_HALF   0.70710678118654752440
#define TWO_PI      6.28318530717958647693
#define DF_INFINITE 1e10
#define TINY        1e-300  /* keeps Lentz's denominators away from zero */
#define MAX_TERMS   2000000 /* terms go with the root of the degrees of freedom: never reached */

/* Give P(Z <= z). */
double
crm_normal_cdf(double z)
{
	return 0.5 * erfc(-z * SQRT_HALF);
}

/* Give P(Z > z). */
double
crm_normal_upper(double z)
{
	return 0.5 * erfc(z * SQRT_HALF);
}

/* Give P(|Z| > |z|). */
double
crm_normal_two_sided(double z)
{
	return erfc(fabs(z) * SQRT_HALF);
}

/*
 * Give z with P(Z <= z) = p; -inf and inf at 0 and 1, NaN outside [0, 1]. Starts from Abramowitz
 * and Stegun 26.2.23 (error 4.5e-4) and refines by Halley's steps on the logarithm of the tail.
 */
double
crm_normal_quantile(double p)
{
	double tail = p < 0.5 ? p : 1.0 - p;
	double t, z;

	if (!(p >= 0.0 && p <= 1.0))
		return NAN;
	if (tail == 0.0)
		return p < 0.5 ? -INFINITY : INFINITY;
	t = sqrt(-2.0 * log(tail));
	z = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
				(1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
	for (int step = 0; step < 4; step++)
	{
		/* f = log Q(z) - log tail, f' = -h with the hazard h = phi / Q, f'' = -h (h - z). */
		double upper = crm_normal_upper(z);
		double hazard = exp(-0.5 * z * z) / (sqrt(TWO_PI) * upper);
		double f = log1p((upper - tail) / tail);

		z += f / (hazard * (1.0 + 0.5 * f * (hazard - z) / hazard));
	}
	return p < 0.5 ? -z : z;
}

/* Give log Gamma(a + 1) - (a + 1/2) log a + a - log(2 pi) / 2, the error of Stirling's formula,
 * a > 0. */
static double
stirling_error(double a)
{
	double product = 1.0, b = a, square;

	if (a >= 1e8)
		return 1.0 / (12.0 * a);
	while (b < 16.0)
		product *= ++b;
	square = 1.0 / (b * b);
	square =
		(1.0 / 12 -
		 square *
			 (1.0 / 360 -
			  square * (1.0 / 1260 -
						square * (1.0 / 1680 - square * (1.0 / 1188 - square * 691.0 / 360360))))) /
		b;
	if (b == a)
		return square;

	/* log Gamma(a + 1) = log Gamma(b + 1) - log((a + 1) ... b) */
	return square + (b + 0.5) * log(b) - b - log(product) - (a + 0.5) * log(a) + a;
}

/* Give x log(x / m) + m - x, x and m above zero, without cancellation where they are close. */
static double
deviance(double x, double m)
{
	double t = (m - x) / x;
	double power, sum = 0.0;

	if (fabs(t) > 0.1)
		return x * log(x / m) + (m - x);
	power = t * t;
	for (int k = 2; k < 40; k++)
	{
		sum += power / k;
		power *= -t;
	}
	return x * sum;
}

/* Give Q(a, x), the upper regularised incomplete gamma function, a > 0, x > 0. */
static double
gamma_upper(double a, double x)
{
	double front = exp(-stirling_error(a) - deviance(a, x)) / sqrt(TWO_PI * a); /* x^a e^-x / a! */
	double b, c, d, f;

	if (x < a + 1.0)
	{
		double term = 1.0, sum = 1.0;

		for (int n = 1; n < MAX_TERMS && term > sum * 0.25 * DBL_EPSILON; n++)
		{
			term *= x / (a + n);
			sum += term;
		}
		return 1.0 - front * sum;
	}
	b = x + 1.0 - a;
	d = 1.0 / b;
	c = 1.0 / TINY;
	f = d;
	for (int n = 1; n < MAX_TERMS; n++)
	{
		double numerator = n * (a - n);
		double delta;

		b += 2.0;
		d = numerator * d + b;
		d = 1.0 / (fabs(d) < TINY ? TINY : d);
		c = b + numerator / c;
		c = fabs(c) < TINY ? TINY : c;
		delta = c * d;
		f *= delta;
		if (fabs(delta - 1.0) <= DBL_EPSILON)
			break;
	}
	return front * a * f;
}

/* Give P(X > x) of the chi-squared distribution; 1 for x at or below zero. */
double
crm_chi_squared_upper(double x, double df)
{
	if (isnan(x) || !(df > 0.0))
		return NAN;
	if (x <= 0.0)
		return 1.0;
	if (isinf(x))
		return 0.0;
	return gamma_upper(0.5 * df, 0.5 * x);
}

/* Give I_x(a, b) by its continued fraction; y = 1 - x; for x below (a + 1) / (a + b + 2). */
static double
beta_fraction(double a, double b, double x, double y)
{
	double n = a + b;
	double front = stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) -
				   deviance(b, n * y);
	double c = 1.0, d, f;

	/* x^a y^b / (a B(a, b)): the binomial term times b / n. */
	front = exp(front) * sqrt(n / (TWO_PI * a * b)) * b / n;
	d = 1.0 - n * x / (a + 1.0);
	d = 1.0 / (fabs(d) < TINY ? TINY : d);
	f = d;
	for (int m = 1; m < MAX_TERMS; m++)
	{
		double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
		double odd = -(a + m) * (n + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
		double delta;

		d = 1.0 + even * d;
		d = 1.0 / (fabs(d) < TINY ? TINY : d);
		c = 1.0 + even / c;
		c = fabs(c) < TINY ? TINY : c;
		f *= c * d;
		d = 1.0 + odd * d;
		d = 1.0 / (fabs(d) < TINY ? TINY : d);
		c = 1.0 + odd / c;
		c = fabs(c) < TINY ? TINY : c;
		delta = c * d;
		f *= delta;
		if (fabs(delta - 1.0) <= DBL_EPSILON)
			break;
	}
	return front * f;
}

/* Give I_x(a, b), a, b > 0, x and y = 1 - x in [0, 1], each with all its digits. */
static double
beta_regularised(double a, double b, double x, double y)
{
	if (x <= 0.0)
		return 0.0;
	if (y <= 0.0)
		return 1.0;
	if (x < (a + 1.0) / (a + b + 2.0))
		return beta_fraction(a, b, x, y);
	return 1.0 - beta_fraction(b, a, y, x);
}

/* Give P(|T| > |t|) of Student's distribution. */
double
crm_student_two_sided(double t, double df)
{
	double square = t * t;

	if (isnan(t) || !(df > 0.0))
		return NAN;
	if (df > DF_INFINITE)
		return crm_normal_two_sided(t);
	if (isinf(square))
		/* so far out the tail falls as t^-df */
		return crm_student_two_sided(1e150, df) * pow(1e150 / fabs(t), df);
	return beta_regularised(0.5 * df, 0.5, df / (df + square), square / (df + square));
}

/*
 * Give t with P(T <= t) = p; NaN outside [0, 1] or of degrees of freedom not above zero. Bisection
 * on the two-sided tail, in the logarithm of t, to the last digit.
 */
double
crm_student_quantile(double p, double df)
{
	double tail = 2.0 * (p < 0.5 ? p : 1.0 - p);
	double low = -700.0, high = 700.0;

	if (!(p >= 0.0 && p <= 1.0) || !(df > 0.0))
		return NAN;
	if (df > DF_INFINITE)
		return crm_normal_quantile(p);
	if (tail == 0.0)
		return p < 0.5 ? -INFINITY : INFINITY;
	if (tail == 1.0)
		return 0.0;
	while (high - low > 1e-15 * (1.0 + fabs(low)))
	{
		double middle = 0.5 * (low + high);

		if (middle == low || middle == high)
			break;
		if (crm_student_two_sided(exp(middle), df) > tail)
			low = middle;
		else
			high = middle;
	}
	return p < 0.5 ? -exp(0.5 * (low + high)) : exp(0.5 * (low + high));
}

/* Give P(F > f) of Fisher's distribution; 1 for f at or below zero. */
double
crm_f_upper(double f, double df1, double df2)
{
	double sum;

	if (isnan(f) || !(df1 > 0.0) || !(df2 > 0.0))
		return NAN;
	if (f <= 0.0)
		return 1.0;
	if (isinf(f))
		return 0.0;
	if (df2 > DF_INFINITE)
		return crm_chi_squared_upper(f * df1, df1);
	sum = df2 + df1 * f;
	if (isinf(sum))
		return 0.0;
	return beta_regularised(0.5 * df2, 0.5 * df1, df2 / sum, df1 * f / sum);
}
