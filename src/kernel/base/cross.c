/*
 * cross.c: see cross.h.
 */
#include "kernel/base/cross.h"

#include "kernel/base/lanes.h"
#include "kernel/base/sum.h"

#define ROWS  CRM_CROSS_ROWS

#define LANES 2
#include "kernel/base/cross_lanes.h"
#if CRM_LANES_HAVE_WIDE
#define LANES 4
#include "kernel/base/cross_lanes.h"
#define LANES 8
#include "kernel/base/cross_lanes.h"
#endif

/*
 * Add a block's products to total (n_a rows of n_b): a has n_a columns, b n_b, each of
 * CRM_CROSS_ROWS values. lower: only tiles that hold an element with j <= k are made, the rest of
 * total stays as it is.
 */
void
crm_cross(const double *a, int n_a, const double *b, int n_b, bool lower, CrmCrossSum *total)
{
	for (int k = 0; k < n_a; k += CRM_CROSS_A)
		for (int j = 0; j < n_b && !(lower && j > k + CRM_CROSS_A - 1); j += CRM_CROSS_B)
		{
			double lanes[CRM_CROSS_A * CRM_CROSS_B * CRM_LANES_ALL];

			CRM_LANES_CALL(tile, a + (size_t) k * ROWS, b + (size_t) j * ROWS, lanes);
			for (int t = 0; t < CRM_CROSS_A * CRM_CROSS_B; t++)
			{
				CrmCrossSum *sum =
					&total[(size_t) (k + t / CRM_CROSS_B) * n_b + j + t % CRM_CROSS_B];
				double error;

				sum->value =
					crm_two_sum(sum->value, crm_lanes_sum(lanes + t * CRM_LANES_ALL), &error);
				sum->error += error;
			}
		}
}

/* Give result[i] = sum_j factor[j] columns_j[i] for the rows of a block of n columns. */
void
crm_cross_combine(const double *columns, int n, const double *factor, double *result)
{
	CRM_LANES_CALL(combine, columns, n, factor, result);
}
