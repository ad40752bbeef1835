/*
 * cox_concordance.h: how often, of two customers, the one with the higher score leaves first.
 *
 * Harrell's C (Harrell, Lee and Mark 1996): over pairs of a stratum in which one leaves while the
 * other is under observation and stays longer, (concordant + tied / 2) / all. Who is last seen at
 * the time at which the other leaves stays longer; two who leave at the same time are no pair.
 *
 * Counting is by a tree of sums (Fenwick 1994, doi 10.1002/spe.4380240306) over the ranks of the
 * scores: O(n log n).
 *
 * The variance is that of the infinitesimal jackknife: with N_i and D_i the concordant (tied / 2)
 * and all pairs that row i is part of, and C = N / D,
 *
 *     sum over i of ((N_i - C D_i) / D)^2
 *
 * the sum of squared derivatives of C by the weight of a row (Therneau and Watson 2015, Mayo Clinic
 * technical report 85; R's survival gives the same number).
 */
#ifndef CRM_KERNEL_COX_CONCORDANCE_H
#define CRM_KERNEL_COX_CONCORDANCE_H

#include "kernel/cox_pass.h"

typedef struct CrmConcordance
{
	int64_t concordant, discordant, tied;
	double variance; /* of (concordant + tied / 2) / all; NaN without pairs */
} CrmConcordance;

extern size_t crm_concordance_bytes(size_t n);
extern CrmStatus crm_concordance(const CrmCoxPass *pass, const double *score,
								 CrmConcordance *result);

#endif
