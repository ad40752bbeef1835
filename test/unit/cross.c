/*
 * Tests of kernel/base/cross.c against sums made in long double.
 */
#include "tap.h"

#include "kernel/base/cross.h"
#include "kernel/base/rng.h"

#define A      6
#define B      8
#define BLOCKS 50

static double a[A * CRM_CROSS_ROWS], b[B * CRM_CROSS_ROWS];

static void
test_products(bool lower)
{
	CrmCrossSum total[A * B] = {{0, 0}};
	long double want[A * B] = {0}, size[A * B] = {0};
	double worst = 0;
	bool untouched = true;
	CrmRng rng;

	crm_rng_seed(&rng, 3, lower);
	for (int block = 0; block < BLOCKS; block++)
	{
		for (int i = 0; i < A * CRM_CROSS_ROWS; i++)
			a[i] = crm_rng_normal(&rng) * exp(10 * crm_rng_uniform(&rng));
		for (int i = 0; i < B * CRM_CROSS_ROWS; i++)
			b[i] = crm_rng_normal(&rng);
		crm_cross(a, A, b, B, lower, total);
		for (int k = 0; k < A; k++)
			for (int j = 0; j < B; j++)
				for (int i = 0; i < CRM_CROSS_ROWS; i++)
				{
					long double term =
						(long double) a[k * CRM_CROSS_ROWS + i] * b[j * CRM_CROSS_ROWS + i];

					want[k * B + j] += term;
					size[k * B + j] += fabsl(term);
				}
	}
	for (int k = 0; k < A; k++)
		for (int j = 0; j < B; j++)
		{
			double got = total[k * B + j].value + total[k * B + j].error;

			if (!lower || j <= k)
				worst = fmax(worst, (double) (fabsl(got - want[k * B + j]) / size[k * B + j]));
			else if (j >= 4 && k < 2)
				untouched &= got == 0;
		}
	ok(worst < 4e-16, "%s: products are %g off", lower ? "lower" : "all", worst);
	ok(untouched, "tiles above the diagonal are left alone");
}

static void
test_combine(void)
{
	static const double factor[3] = {1, -2, 0.5};
	double got[CRM_CROSS_ROWS];
	bool same = true;

	crm_cross_combine(b, 3, factor, got);
	for (int i = 0; i < CRM_CROSS_ROWS; i++)
		same &= fabs(got[i] -
					 (b[i] - 2 * b[CRM_CROSS_ROWS + i] + 0.5 * b[2 * CRM_CROSS_ROWS + i])) < 1e-14;
	ok(same, "columns are combined");
	is_int(crm_cross_pad(0, 4), 0, "nothing needs no room");
	is_int(crm_cross_pad(5, 4), 8, "five are padded to eight");
}

int
main(void)
{
	test_products(false);
	test_products(true);
	test_combine();
	return tap_done();
}
