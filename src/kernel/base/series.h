/*
 * series.h: sums of rising products, which residual lifetimes of beta-geometric models are.
 *
 *     R(b, c, z, h) = sum over k = 1 .. h of z^k prod over j < k of (b + j) / (c + j)
 *                   = z b / c  2F1(1, b + 1; c + 1; z)   for h infinite
 *
 * with 0 < b < c and 0 <= z <= 1. The infinite sum is Gauss's continued fraction (DLMF 15.7.5 with
 * a = 1; https://dlmf.nist.gov/15.7), whose partial quotients all help: about 9 / sqrt(1 - z) steps
 * for full precision. A finite one of more than 100,000 terms is the difference of two infinite
 * ones.
 */
#ifndef CRM_KERNEL_SERIES_H
#define CRM_KERNEL_SERIES_H

extern double crm_log_falling(double b, double gap, double n);
extern double crm_ratio_series(double b, double c, double z, double terms);

#endif
