/*
 * cross.h: sums of products of columns, A'B, for the normal equations of a fit: rows come in blocks
 * that stay in the cache, columns meet in tiles of two by four that stay in registers.
 *
 *     total[k][j] += sum_i a_k[i] b_j[i]
 *
 * A block holds CRM_CROSS_ROWS rows of each column, one column after the other; what no row fills
 * is zero. The sum of a block goes by eight accumulators (base/lanes.h), the sums of the blocks
 * carry the rounding error along (Knuth's two-sum), so a total is as good as that of one block.
 *
 * Invariants: the same rows in the same blocks give the same bits on every processor. Another order
 * of rows may give other last bits: a caller who wants none arranges them first
 * (base/canonical.h). Not handled: overflow.
 */
#ifndef CRM_KERNEL_CROSS_H
#define CRM_KERNEL_CROSS_H

#include <stdbool.h>
#include <stddef.h>

#define CRM_CROSS_ROWS 128 /* of a block */
#define CRM_CROSS_A    2   /* the number of columns of A must be a multiple of it */
#define CRM_CROSS_B    4   /* and that of B of this */

/* A sum and what rounding took from it. */
typedef struct CrmCrossSum
{
	double value;
	double error;
} CrmCrossSum;

extern void crm_cross(const double *a, int n_a, const double *b, int n_b, bool lower,
					  CrmCrossSum *total);
extern void crm_cross_combine(const double *columns, int n, const double *factor, double *result);

/* Give a number of columns rounded up to a multiple. */
static inline int
crm_cross_pad(int n, int multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

#endif
