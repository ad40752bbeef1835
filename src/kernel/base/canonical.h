/*
 * canonical.h: the order of a matrix's rows and columns that its values alone decide, so that a
 * method which works in that order does not depend on the order in which the rows came, nor on that
 * of the columns.
 *
 *     id_j  = sum_i mix(bits(x_ij))                 mod 2^64; columns stand by ascending id
 *     key_j = mix(j + 1), j the rank of the column; key_0 = mix(0) for the weights
 *     h_i   = sum_j mix(key_j ^ mix(bits(x_ij)))    mod 2^64; rows stand by ascending h
 *
 * mix is the finaliser of MurmurHash3 (base/table.h), -0 counts as +0. Columns of the same values
 * in another arrangement have the same id: they are told apart by sum_i mix(h'_i ^
 * mix(bits(x_ij))), h' made with the ids as keys (one round of the refinement of Weisfeiler and
 * Leman 1968). The m-th of several equal rows takes mix(h_i + m), so that copies are scattered as
 * other rows are.
 *
 * Invariants: rows at the first m positions are a uniform sample of all, since a hash knows nothing
 * of the values' order; rows with the same hash are equal, but for chance of n^2 / 2^65. Columns
 * that remain tied are equal or, in all but contrived data, an automorphism of the matrix swaps
 * them, so that either order gives the same matrix. Not handled: NaN; 2^32 rows and more.
 */
#ifndef CRM_KERNEL_CANONICAL_H
#define CRM_KERNEL_CANONICAL_H

#include "kernel/base/context.h"

extern CrmStatus crm_canonical_arrange(CrmCtx *ctx, double *const *columns, int d, double *weights,
									   size_t n, uint32_t *order, int *column_order);
extern CrmStatus crm_canonical_rows(CrmCtx *ctx, double *const *columns, int d, double *weights,
									size_t n);

#endif
