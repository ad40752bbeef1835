/*
 * cohort.h: customers for the tests of the lifetime-value kernels: those of CDNOW, and simulated
 * ones whose parameters are known. A test program includes it once, after tap.h.
 */
#ifndef CRM_TEST_COHORT_H
#define CRM_TEST_COHORT_H

#include "kernel/base/btyd.h"
#include "kernel/base/rng.h"
#include "tap.h"

#define CUSTOMERS 20000

static double customer_x[CUSTOMERS], customer_t_x[CUSTOMERS], customer_t[CUSTOMERS];
static double customer_mean[CUSTOMERS];

/* Read CDNOW's calibration summary with mean spend; 0 where CRM_DATA does not have it. */
static inline size_t
read_cdnow(void)
{
	const char *folder = getenv("CRM_DATA");
	char line[512];
	size_t n = 0;
	FILE *file;

	snprintf(line, sizeof line, "%s/cdnow_summary_with_tx.csv", folder != NULL ? folder : "");
	file = folder != NULL ? fopen(line, "r") : NULL;
	while (file != NULL && n < CUSTOMERS && fgets(line, sizeof line, file) != NULL)
		n += sscanf(line, "%*d,%lf,%lf,%lf,%lf", &customer_x[n], &customer_t_x[n], &customer_t[n],
					&customer_mean[n]) == 4;
	if (file != NULL)
		fclose(file);
	return n;
}

/* Collapse the first n customers. */
static inline void
collapse(CrmCtx *ctx, size_t n, CrmBtyd *rows)
{
	CrmBtydData data = {customer_x, customer_t_x, customer_t, NULL, n};

	if (crm_btyd_collapse(ctx, &data, rows) != CRM_OK)
		ok(false, "customers collapse");
}

/* Pass when a gradient agrees with central differences of f at theta. */
static inline void
is_gradient(double (*f)(void *user, const double *theta, double *gradient), void *user, int n,
			const double *theta, const char *name)
{
	double gradient[8], at[8], worst = 0.0;

	(void) f(user, theta, gradient);
	for (int i = 0; i < n; i++)
	{
		double up, down;

		memcpy(at, theta, sizeof(double) * (size_t) n);
		at[i] = theta[i] + 1e-5;
		up = f(user, at, NULL);
		at[i] = theta[i] - 1e-5;
		down = f(user, at, NULL);
		worst = fmax(worst, fabs(gradient[i] - (up - down) / 2e-5) / (1.0 + fabs(gradient[i])));
	}
	ok(worst < 1e-6, "%s: gradient, off by %.2g", name, worst);
}

#endif
