/*
 * rules_measures.c: the measures of a rule, and Fisher's exact test.
 *
 * The probability of the table with the cells x_ij, margins r_i and c_j, in a form without
 * cancellation (the saddle-point expansion of Loader 2000, "Fast and accurate computation of
 * binomial probabilities", applied to all nine factorials of the hypergeometric law at once):
 *
 *     P = r1! r2! c1! c2! / (n! x11! x12! x21! x22!)
 *     log P = f(r1) + f(r2) + f(c1) + f(c2) - f(n) - sum_ij (f(x_ij) + d(x_ij, m_ij))
 *
 *     f(m)    = log(m!) - m log m + m = log(2 pi m) / 2 + s(m), s the error of Stirling's formula
 *     d(x, m) = x log(x / m) + m - x >= 0,   m_ij = r_i c_j / n, and |x_ij - m_ij| is the same in
 *               all four cells: |b n - a c| / n, which is known to twice the precision
 *
 * The tail is that times 1 + r + r r' + ..., the ratios of neighbours being rational.
 */
#include "kernel/rules_measures.h"

#include <math.h>
#include <stddef.h>

#include "kernel/base/sum.h"

/* s(m) for m = 1 to 15: log(m!) - (m + 1/2) log m + m - log(2 pi) / 2, by mpmath with 60 digits */
static const double stirling_errors[16] = {
	0.0,
	0.08106146679532725822,
	0.041340695955409294094,
	0.027677925684998339149,
	0.020790672103765093112,
	0.016644691189821192163,
	0.013876128823070747999,
	0.011896709945891770095,
	0.010411265261972096497,
	0.0092554621827127329177,
	0.0083305634333628712565,
	0.007573675487951840795,
	0.0069428401072095298657,
	0.0064089941880042070684,
	0.0059513701127588477356,
	0.005554733551962801371,
};

/* The counts as doubles, all exact, and what the measures have in common. */
typedef struct Table
{
	double n, a, c, b;
	double excess; /* b n - a c */
} Table;

/* Give the table of counts that fit together. */
static Table
make_table(const CrmRulesCounts *counts)
{
	Table t = {.n = (double) counts->n,
			   .a = (double) counts->antecedent,
			   .c = (double) counts->consequent,
			   .b = (double) counts->both};
	double left_error, right_error;
	double left = crm_two_product(t.b, t.n, &left_error);
	double right = crm_two_product(t.a, t.c, &right_error);

	t.excess = (left - right) + (left_error - right_error);
	return t;
}

/* Tell whether there can be such baskets, and p-values of them in reasonable time. */
bool
crm_rules_counts_fit(const CrmRulesCounts *counts)
{
	int64_t n = counts->n, a = counts->antecedent, c = counts->consequent, b = counts->both;

	return n >= 0 && n <= CRM_RULES_MAX_COUNT && a >= 0 && a <= n && c >= 0 && c <= n && b >= 0 &&
		   b <= a && b <= c && a - b <= n - c;
}

/* Give log(m!) - m log m + m of a whole m >= 0. */
static double
stirling_rest(double m)
{
	const double two_pi = 6.283185307179586476925;
	double square = m * m;

	if (m == 0.0)
		return 0.0;
	if (m <= 15.0)
		return 0.5 * log(two_pi * m) + stirling_errors[(int) m];
	/* the next term is below 2e-16 */
	return 0.5 * log(two_pi * m) +
		   (1.0 / 12 -
			(1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - 1.0 / 1188 / square) / square) / square) /
				square) /
			   m;
}

/* Give x log(x / mean) + mean - x, mean > 0, where difference is x - mean. */
static double
deviance(double x, double mean, double difference)
{
	double v, square, power, sum;

	if (x == 0.0)
		return mean;
	if (fabs(difference) >= 0.1 * (x + mean))
		return x * log(x / mean) - difference;
	/* log(x / mean) = 2 atanh(v), its first term joined with mean - x */
	v = difference / (x + mean);
	square = v * v;
	sum = difference * v;
	power = 2.0 * x * v;
	for (int j = 3;; j += 2)
	{
		double next;

		power *= square;
		next = sum + power / j;
		if (next == sum)
			return sum;
		sum = next;
	}
}

/* Give the log of the probability of b of both, the margins given, none of them 0 or n. */
static double
log_probability(const Table *t)
{
	double d = t->n - t->a - t->c + t->b;
	double shift = t->excess / t->n;
	double rests = stirling_rest(t->a) + stirling_rest(t->n - t->a) + stirling_rest(t->c) +
				   stirling_rest(t->n - t->c) - stirling_rest(t->n) - stirling_rest(t->b) -
				   stirling_rest(t->a - t->b) - stirling_rest(t->c - t->b) - stirling_rest(d);

	return rests - (deviance(t->b, t->a * (t->c / t->n), shift) +
					deviance(t->a - t->b, t->a * ((t->n - t->c) / t->n), -shift) +
					deviance(t->c - t->b, (t->n - t->a) * (t->c / t->n), -shift) +
					deviance(d, (t->n - t->a) * ((t->n - t->c) / t->n), shift));
}

/*
 * Give P(X >= b) or, downwards, P(X <= b), over the probability of b, which lies beyond the mean in
 * that direction, so that the ratios of neighbours fall.
 */
static double
tail_over_first(const Table *t, bool downwards)
{
	double sum = 1.0, term = 1.0;
	double d = t->n - t->a - t->c;

	for (double x = t->b;;)
	{
		double ratio;

		if (downwards)
		{
			ratio = x * (d + x) / ((t->a - x + 1.0) * (t->c - x + 1.0));
			x -= 1.0;
		}
		else
		{
			ratio = (t->a - x) * (t->c - x) / ((x + 1.0) * (d + x + 1.0));
			x += 1.0;
		}
		term *= ratio;
		/* what follows is less than the geometric series of this ratio */
		if (term <= 1e-17 * sum * (1.0 - ratio))
			return sum + term;
		sum += term;
	}
}

/*
 * Give the probability that so many baskets or more hold both, if A and C were independent and the
 * margins given: Fisher's exact test, one-sided. The counts must fit together.
 */
double
crm_rules_p_value(const CrmRulesCounts *counts)
{
	CrmRulesCounts below = *counts;
	int64_t least = counts->antecedent - (counts->n - counts->consequent);
	double tail, log_first;
	bool is_upper;
	Table t;

	/* the same to the last bit for C => A */
	if (below.antecedent < below.consequent)
	{
		below.antecedent = counts->consequent;
		below.consequent = counts->antecedent;
	}
	t = make_table(&below);
	is_upper = t.excess > 0.0;

	if (counts->both <= (least > 0 ? least : 0))
		return 1.0;
	if (!is_upper)
	{
		below.both--;
		t = make_table(&below);
	}
	tail = tail_over_first(&t, !is_upper);
	log_first = log_probability(&t);
	/* the product does not underflow before the p-value does */
	tail = log_first > -700.0 ? exp(log_first) * tail : exp(log_first + log(tail));
	return is_upper ? fmin(tail, 1.0) : fmax(1.0 - tail, 0.0);
}

/* Give a / b, NaN when b is 0. */
static double
ratio_or_nan(double a, double b)
{
	return b != 0.0 ? a / b : (double) NAN;
}

/* Give the measures that compare the rule with independence. */
static double
dependence(CrmRulesMeasure measure, const Table *t)
{
	double n = t->n, a = t->a, c = t->c, b = t->b;

	switch (measure)
	{
		case CRM_RULES_LIFT:
			return ratio_or_nan(b * n, a * c);
		case CRM_RULES_LEVERAGE:
			return ratio_or_nan(t->excess, n * n);
		case CRM_RULES_CONVICTION:
			return a > 0.0 && a == b ? (double) INFINITY : ratio_or_nan(a * (n - c), n * (a - b));
		case CRM_RULES_ZHANG:
			return ratio_or_nan(t->excess, fmax(b * (n - a), a * (c - b)));
		case CRM_RULES_CERTAINTY:
			if (a > 0.0 && t->excess == 0.0)
				return 0.0;
			return ratio_or_nan(t->excess, t->excess > 0.0 ? a * (n - c) : a * c);
		case CRM_RULES_CHI_SQUARED:
			/* excess^2 fits: the counts are at most 1e12 */
			return ratio_or_nan(t->excess * t->excess * n, a * c * ((n - a) * (n - c)));
		default:
			return ratio_or_nan(b * (n - a - c + b), (a - b) * (c - b)); /* odds_ratio */
	}
}

/* Give a measure of counts that fit together; NaN where it is undefined. */
double
crm_rules_measure(CrmRulesMeasure measure, const CrmRulesCounts *counts)
{
	Table t = make_table(counts);

	switch (measure)
	{
		case CRM_RULES_SUPPORT:
			return ratio_or_nan(t.b, t.n);
		case CRM_RULES_CONFIDENCE:
			return ratio_or_nan(t.b, t.a);
		case CRM_RULES_JACCARD:
			return ratio_or_nan(t.b, t.a + t.c - t.b);
		case CRM_RULES_COSINE:
			return ratio_or_nan(t.b, sqrt(t.a * t.c));
		case CRM_RULES_KULCZYNSKI:
			return 0.5 * (ratio_or_nan(t.b, t.a) + ratio_or_nan(t.b, t.c));
		case CRM_RULES_IMBALANCE:
			return ratio_or_nan(fabs(t.a - t.c), t.a + t.c - t.b);
		case CRM_RULES_P_VALUE:
			return crm_rules_p_value(counts);
		case CRM_RULES_ANTECEDENT_SUPPORT:
			return ratio_or_nan(t.a, t.n);
		case CRM_RULES_CONSEQUENT_SUPPORT:
			return ratio_or_nan(t.c, t.n);
		default:
			return dependence(measure, &t);
	}
}
