/*
 * distribution.h: tail probabilities of the tests that fits report: normal, chi-squared, Student,
 * Fisher's F; and the normal quantile.
 *
 *     normal        erfc of the C library
 *     chi-squared   Q(df / 2, x / 2), the regularised incomplete gamma function [DLMF 8.2.4]
 *     Student, F    I_x(a, b), the regularised incomplete beta function [DLMF 8.17.2]
 *
 * P by its series [DLMF 8.11.4], Q and I by continued fractions [DLMF 8.9.2, 8.17.22] with Lentz's
 * algorithm; what stands before them as Loader 2000 ("Fast and accurate computation of binomial
 * probabilities") writes binomial and Poisson terms, so that no digits cancel for large degrees of
 * freedom. Relative error below 1e-12 of the value, upper tails included, down to 1e-300.
 *
 * Invariants: pure; a NaN argument, or degrees of freedom not above zero, gives NaN. Infinite
 * degrees of freedom are the limits: normal for Student, chi-squared / df1 for F. Not handled:
 * degrees of freedom above 1e10 (taken as infinite).
 */
#ifndef CRM_KERNEL_DISTRIBUTION_H
#define CRM_KERNEL_DISTRIBUTION_H

extern double crm_normal_cdf(double z);
extern double crm_normal_upper(double z);
extern double crm_normal_two_sided(double z);
extern double crm_normal_quantile(double p);
extern double crm_chi_squared_upper(double x, double df);
extern double crm_student_two_sided(double t, double df);
extern double crm_student_quantile(double p, double df);
extern double crm_f_upper(double f, double df1, double df2);

#endif
