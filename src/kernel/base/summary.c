/*
 * summary.c: one customer's orders in a fixed size; see summary.h for the contract.
 *
 * The variance is the textbook (sum a^2 - (sum a)^2 / n) / (n - 1). Its cancellation, ruinous in
 * double precision when the mean is large against the spread (Chan, Golub, LeVeque 1983, doi
 * 10.1080/00031305.1983.10483115), is harmless here: both terms carry about 106 bits.
 */
#include "kernel/base/summary.h"

/* Make an empty summary. */
void
crm_summary_init(CrmSummary *summary)
{
	*summary = (CrmSummary){0};
}

/* Add one order: its time in microseconds and its amount, both finite. */
void
crm_summary_add(CrmSummary *summary, int64_t ordered_at, double amount)
{
	if (summary->count == 0 || ordered_at < summary->first)
		summary->first = ordered_at;
	if (summary->count == 0 || ordered_at > summary->last)
		summary->last = ordered_at;
	summary->count++;
	crm_sum_add(&summary->sum, amount);
	crm_sum_add_square(&summary->squares, amount);
}

/* Add the orders of another summary. */
void
crm_summary_merge(CrmSummary *summary, const CrmSummary *other)
{
	summary->skipped += other->skipped;
	if (other->count == 0)
		return;
	if (summary->count == 0 || other->first < summary->first)
		summary->first = other->first;
	if (summary->count == 0 || other->last > summary->last)
		summary->last = other->last;
	summary->count += other->count;
	crm_sum_merge(&summary->sum, other->sum);
	crm_sum_merge(&summary->squares, other->squares);
}

/* Give the sample variance of the amounts; NaN below two orders, infinite when the squares
 * overflow. */
double
crm_summary_variance(const CrmSummary *summary)
{
	/* a power of two close to the sum keeps its square in range and costs no rounding */
	int exponent;
	double n = (double) summary->count;
	double hi, lo, error, square, quotient, remainder;
	CrmSum deviation = summary->squares;

	if (summary->count < 2)
		return NAN;
	if (isinf(deviation.hi))
		return INFINITY;
	if (deviation.hi == 0.0)
		return 0.0;
	/* (sum)^2 / n in twice the precision; sums are scaled by 2^-64, their square by 2^-128 */
	(void) frexp(summary->sum.hi, &exponent);
	hi = ldexp(summary->sum.hi, -exponent);
	lo = ldexp(summary->sum.lo, -exponent);
	square = crm_two_product(hi, hi, &error);
	error += 2.0 * hi * lo;
	quotient = square / n;
	hi = crm_two_product(quotient, n, &lo);
	remainder = ((square - hi) - lo + error) / n;
	crm_sum_add_scaled(&deviation, -ldexp(quotient, 2 * exponent + 64));
	crm_sum_add_scaled(&deviation, -ldexp(remainder, 2 * exponent + 64));
	return fmax(deviation.hi, 0.0) / (n - 1.0) / CRM_SUM_SCALE;
}
