/*
 * churn_gap.h: the chance that a customer does not come back, by how long the silence is beside the
 * customer's own rhythm, as the past has shown it.
 *
 *     u = log2(s / m), v = log2(m / h)      s silence, m own mean gap, h horizon, all in days
 *     p(u | v) = P(no order in the h days after a cut | u, v) from customers at past cuts
 *
 * Customers fall into groups of half an octave of v, those who came once into one of their own with
 * u = log2(s / h); a group's curve is counted in bins of a quarter octave of u:
 *
 *     p_0 = (c + 1/2) / (n + 1)                           of all
 *     p_v = (c_v + GROUP p_0) / (n_v + GROUP)             of a group
 *     p_uv = (c_uv + BIN p_v) / (n_uv + BIN)              of a bin, then made to rise with u by
 *
 * weighted isotonic regression (pool adjacent violators; Ayer, Brunk, Ewing, Reid and Silverman
 * 1955, doi 10.1214/aoms/1177728423), and linear in u between the middles of bins.
 *
 * Invariants: counts are integers, so nothing depends on the order of rows; 0 < p < 1; p does not
 * fall as the silence grows. Not handled: seasons.
 */
#ifndef CRM_KERNEL_CHURN_GAP_H
#define CRM_KERNEL_CHURN_GAP_H

#include <stdbool.h>
#include <stdint.h>

#define CRM_CHURN_GROUPS 20 /* group 0: customers who came once */
#define CRM_CHURN_BINS   48

typedef struct CrmChurnGap
{
	double horizon; /* days */
	int64_t rows, churned;
	uint32_t count[CRM_CHURN_GROUPS][CRM_CHURN_BINS];
	uint32_t yes[CRM_CHURN_GROUPS][CRM_CHURN_BINS];
	double p[CRM_CHURN_GROUPS][CRM_CHURN_BINS];
	double base; /* p_0 */
} CrmChurnGap;

/* What a table tells of one customer. */
typedef struct CrmChurnGapScore
{
	double p;
	double rhythm;  /* logit p(no silence) - logit p_0: what the customer's rhythm does */
	double silence; /* logit p - logit p(no silence), not below 0: what the silence does */
} CrmChurnGapScore;

extern void crm_churn_gap_begin(CrmChurnGap *gap, double horizon);
extern void crm_churn_gap_add(CrmChurnGap *gap, double silence, double mean_gap, bool churned);
extern void crm_churn_gap_finish(CrmChurnGap *gap);
extern void crm_churn_gap_score(const CrmChurnGap *gap, double silence, double mean_gap,
								CrmChurnGapScore *score);

#endif
