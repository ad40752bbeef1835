/*
 * sum.h: sums that carry twice the working precision, so that they round to the same double however
 * the terms are split among workers or ordered.
 *
 * A CrmSum is an unevaluated pair hi + lo with |lo| <= ulp(hi) / 2, about 106 bits. Adding is
 * Knuth's two-sum followed by a renormalisation; products are Dekker's. Knuth, The Art of Computer
 * Programming 2, 4.2.2; Dekker 1971, doi 10.1007/BF01397083. The pair holds the sum times 2^-64, so
 * that finite terms can never overflow on the way and the order of huge terms does not matter
 * either: only the final value may be infinite. Not handled: terms below about 1e-280, whose error
 * term underflows; NaN, which the caller stops.
 */
#ifndef CRM_KERNEL_SUM_H
#define CRM_KERNEL_SUM_H

#include <math.h>
#include <stdint.h>

#define CRM_SUM_SCALE 0x1p-64 /* a sum of 2^64 terms of 1.8e308 still fits */

typedef struct CrmSum
{
	double hi;
	double lo;
} CrmSum;

/* Give a + b rounded, and the exact rounding error in *error. */
static inline double
crm_two_sum(double a, double b, double *error)
{
	double sum = a + b;
	double part = sum - a;

	*error = (a - (sum - part)) + (b - part);
	return sum;
}

/* Give a * b rounded, and the exact rounding error in *error; exact while |a|, |b| < 1e150 and
 * nothing underflows. */
static inline double
crm_two_product(double a, double b, double *error)
{
	const double split = 134217729.0; /* 2^27 + 1, Veltkamp */
	double product = a * b;
	double t = split * a;
	double a_high = t - (t - a);
	double a_low = a - a_high;
	double b_high, b_low;

	t = split * b;
	b_high = t - (t - b);
	b_low = b - b_high;
	*error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
	return product;
}

/* Add a term that is scaled already. An infinite term makes the sum infinite and keeps it so. */
static inline void
crm_sum_add_scaled(CrmSum *sum, double term)
{
	double error;
	double hi = crm_two_sum(sum->hi, term, &error);

	if (__builtin_expect(isinf(hi), 0))
	{
		sum->hi = hi;
		sum->lo = 0.0;
		return;
	}
	error += sum->lo;
	sum->hi = hi + error;
	sum->lo = error - (sum->hi - hi);
}

/* Add one finite term. */
static inline void
crm_sum_add(CrmSum *sum, double term)
{
	crm_sum_add_scaled(sum, term * CRM_SUM_SCALE);
}

/* Add the square of one finite term, exactly while |term| < 1e150; beyond that the sum may become
 * infinite. */
static inline void
crm_sum_add_square(CrmSum *sum, double term)
{
	if (fabs(term) < 1e150)
	{
		double error;
		double square = crm_two_product(term, term, &error);

		crm_sum_add_scaled(sum, square * CRM_SUM_SCALE);
		crm_sum_add_scaled(sum, error * CRM_SUM_SCALE);
	}
	else
		crm_sum_add_scaled(sum, term * term * CRM_SUM_SCALE);
}

/* Add another sum. */
static inline void
crm_sum_merge(CrmSum *sum, CrmSum other)
{
	double error, lo_error;
	double hi = crm_two_sum(sum->hi, other.hi, &error);
	double lo = crm_two_sum(sum->lo, other.lo, &lo_error);
	double t;

	if (isinf(hi))
	{
		sum->hi = hi;
		sum->lo = 0.0;
		return;
	}
	error += lo;
	t = hi + error;
	error -= t - hi;
	error += lo_error;
	sum->hi = t + error;
	sum->lo = error - (sum->hi - t);
}

/* Give the sum rounded to a double; infinite when it is beyond the range of double. */
static inline double
crm_sum_value(CrmSum sum)
{
	return sum.hi / CRM_SUM_SCALE;
}

/*
 * Give the mean of n terms: the sum over n, rounded once. Finite whenever the terms are, even if
 * the sum itself is beyond the range of double.
 */
static inline double
crm_sum_mean(CrmSum sum, int64_t n)
{
	double quotient = sum.hi / (double) n;
	double error;
	double product = crm_two_product(quotient, (double) n, &error);

	if (isinf(quotient) || isnan(error))
		return quotient / CRM_SUM_SCALE;
	return (quotient + ((sum.hi - product) - error + sum.lo) / (double) n) / CRM_SUM_SCALE;
}

#endif
