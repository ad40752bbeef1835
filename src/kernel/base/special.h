/*
 * special.h: functions of the gamma family, for likelihoods that live in log space.
 *
 *     digamma(x) = d/dx ln Gamma(x),   trigamma(x) = d/dx digamma(x)
 *     B(a, b) = Gamma(a) Gamma(b) / Gamma(a + b)
 *
 * Recurrences, Stirling's series and its derivatives: NIST Digital Library of Mathematical
 * Functions 5.5, 5.11; incomplete beta 8.17, dlmf.nist.gov.
 *
 * Invariants: nothing is allocated or kept. A CrmValue holds a value and an estimate of its
 * absolute error, rounding and truncation included. Not handled: complex arguments.
 */
#ifndef CRM_KERNEL_SPECIAL_H
#define CRM_KERNEL_SPECIAL_H

#include "kernel/base/context.h"

typedef struct CrmValue
{
	double value;
	double error; /* about |value - truth|, usually more */
} CrmValue;

extern double crm_digamma(double x);
extern double crm_trigamma(double x);
extern double crm_log_gamma(double x);
extern double crm_log_gamma_ratio(double a, double n);
extern double crm_digamma_difference(double a, double n);
extern double crm_log_beta(double a, double b);
extern double crm_log_sum_exp(double a, double b);
extern double crm_log1p_exp(double x);
extern double crm_log1m_exp(double x);
extern double crm_log_beta_cdf(double a, double b, double x, double y);

#endif
