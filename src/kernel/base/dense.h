/*
 * dense.h: small dense linear algebra for fits with tens of coefficients: Cholesky factors that
 * survive a singular matrix, and a QR factorisation that takes its rows block by block.
 *
 *     A = L L'        L lower, A symmetric, row-major n x n: element (i, j) at a[i n + j]
 *     X = Q R         R upper, kept alone; each block of rows is folded in by Householder's
 *                     reflections [Golub and Van Loan, Matrix Computations, 5.2 and 12.5.3]
 *
 * A column j is called collinear when what remains of it after the columns before it is at most
 * tolerance of what it was: the pivot against a_jj (squares), or the norm of the rest against that
 * of the column (lengths). It is then dropped: its coefficient is zero, its row and column of an
 * inverse are zero, and the later columns are treated as if it were not there.
 *
 * Invariants: nothing is allocated; the same input gives the same bits. Not handled: blocking for
 * caches, n in the thousands; the caller polls.
 */
#ifndef CRM_KERNEL_DENSE_H
#define CRM_KERNEL_DENSE_H

#include "kernel/base/context.h"

extern CrmStatus crm_cholesky(double *a, int n, double tolerance, unsigned char *dropped);
extern void crm_cholesky_solve(const double *l, int n, const unsigned char *dropped, double *b);
extern void crm_cholesky_inverse(const double *l, int n, const unsigned char *dropped,
								 double *inverse);

extern void crm_qr_add(double *r, int n, double *block, size_t rows, size_t stride);
extern int crm_qr_reduce(double *r, int n, int p, double tolerance, unsigned char *dropped);
extern void crm_qr_solve(const double *r, int n, int p, const unsigned char *dropped, int response,
						 double *b);
extern void crm_qr_inverse(const double *r, int n, int p, const unsigned char *dropped,
						   double *inverse);

#endif
