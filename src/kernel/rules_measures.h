/*
 * rules_measures.h: what a rule "who has A has C, too" is worth, from four counts.
 *
 *     n baskets;  a of them hold A, the antecedent;  c hold C, the consequent;  b hold both
 *
 *     support             b / n                      P(A and C)
 *     confidence          b / a                      P(C | A)
 *     lift                b n / (a c)                P(A and C) / (P(A) P(C))
 *     leverage            (b n - a c) / n^2          P(A and C) - P(A) P(C)
 *     conviction          a (n - c) / (n (a - b))    (1 - P(C)) / (1 - P(C | A))
 *     zhang               (b n - a c) / max(b (n - a), a (c - b))
 *     jaccard             b / (a + c - b)
 *     cosine              b / sqrt(a c)
 *     kulczynski          (b / a + b / c) / 2
 *     imbalance           |a - c| / (a + c - b)
 *     certainty           (P(C | A) - P(C)) / (1 - P(C)) where that is positive, else / P(C)
 *     chi_squared         n (b n - a c)^2 / (a c (n - a) (n - c))
 *     p_value             P(X >= b), X hypergeometric: Fisher's exact test, one-sided
 *     odds_ratio          b (n - a - c + b) / ((a - b) (c - b))
 *     antecedent_support  a / n,   consequent_support  c / n
 *
 * Agrawal, Imielinski and Swami 1993 (doi 10.1145/170035.170072); Brin and others 1997 (lift,
 * conviction, doi 10.1145/253260.253325); Zhang 2000 (doi 10.1007/3-540-45571-X_31); Wu, Chen and
 * Han 2010 (cosine, kulczynski, imbalance, doi 10.1007/s10618-009-0161-2); Berzal and others 2002
 * (certainty, doi 10.3233/IDA-2002-6303); Fisher 1922 (doi 10.2307/2340521).
 *
 * A measure whose denominator is zero is NaN, but conviction at confidence 1 is infinite. b n - a c
 * carries twice the precision, so no measure loses digits near independence, and one that is
 * exactly at its neutral value has that value. P-values are right to 1e-10 relative down to the
 * smallest normal double, 2.2e-308; below it digits go, and below 4.9e-324 they are 0.
 *
 * Not handled: counts above CRM_RULES_MAX_COUNT, for which a p-value would take too long.
 */
#ifndef CRM_KERNEL_RULES_MEASURES_H
#define CRM_KERNEL_RULES_MEASURES_H

#include <stdbool.h>
#include <stdint.h>

#define CRM_RULES_MAX_COUNT INT64_C(1000000000000)

typedef enum CrmRulesMeasure
{
	CRM_RULES_SUPPORT,
	CRM_RULES_CONFIDENCE,
	CRM_RULES_LIFT,
	CRM_RULES_LEVERAGE,
	CRM_RULES_CONVICTION,
	CRM_RULES_ZHANG,
	CRM_RULES_JACCARD,
	CRM_RULES_COSINE,
	CRM_RULES_KULCZYNSKI,
	CRM_RULES_IMBALANCE,
	CRM_RULES_CERTAINTY,
	CRM_RULES_CHI_SQUARED,
	CRM_RULES_P_VALUE,
	CRM_RULES_ODDS_RATIO,
	CRM_RULES_ANTECEDENT_SUPPORT,
	CRM_RULES_CONSEQUENT_SUPPORT,
	CRM_RULES_MEASURES /* how many */
} CrmRulesMeasure;

typedef struct CrmRulesCounts
{
	int64_t n;          /* baskets, 0 to CRM_RULES_MAX_COUNT */
	int64_t antecedent; /* of them hold the antecedent */
	int64_t consequent;
	int64_t both;
} CrmRulesCounts;

extern bool crm_rules_counts_fit(const CrmRulesCounts *counts);
extern double crm_rules_measure(CrmRulesMeasure measure, const CrmRulesCounts *counts);
extern double crm_rules_p_value(const CrmRulesCounts *counts);

#endif
