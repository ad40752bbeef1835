/*
 * Tests of kernel/drivers.c. Inflation of mpg, hp, wt of mtcars: the diagonal of the inverse of
 * their correlations, by mpmath with 40 digits, and 1 / (1 - summary(lm(mpg ~ hp + wt))$r.squared)
 * and so on by R 4.2.2, the same to 14 digits.
 */
#include "regression.h"

#include "kernel/drivers.h"

static double column[4][CARS];
static const double *columns[4] = {column[0], column[1], column[2], column[3]};

static void
test_importance(void)
{
	double share[4];

	crm_drivers_importance((double[]){1, -2, NAN, 5}, 4, share);
	is_close(share[0], 0.125, 1e-15, "a share");
	is_close(share[1], 0.25, 1e-15, "that of a negative coefficient");
	ok(isnan(share[2]), "none of a dropped column");
	is_close(share[3], 0.625, 1e-15, "they sum to 1");
	crm_drivers_importance((double[]){0, 0}, 2, share);
	ok(isnan(share[0]) && isnan(share[1]), "no share of nothing");
	crm_drivers_importance((double[]){INFINITY, 1}, 2, share);
	ok(isnan(share[0]) && isnan(share[1]), "nor of what is infinite");
}

static void
test_inflation(void)
{
	static const int which[3] = {0, 1, 2};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	double got[4], again[4];

	take_cars(column, which, 3);
	is_int(crm_drivers_inflation(ctx, columns, CARS, 3, got), CRM_OK, "inflation");
	is_close(got[0], 5.77318713046742992, 1e-13, "mpg");
	is_close(got[1], 2.52087175504979188, 1e-13, "hp");
	is_close(got[2], 4.0547631366648719, 1e-13, "wt");

	/* units and signs change nothing */
	for (int i = 0; i < CARS; i++)
	{
		column[0][i] = 1e9 - 1e-3 * column[0][i];
		column[1][i] *= 1e160;
	}
	crm_drivers_inflation(ctx, columns, CARS, 3, again);
	ok(fabs(again[0] / got[0] - 1) < 1e-3 && fabs(again[1] / got[1] - 1) < 1e-3 &&
		   fabs(again[2] / got[2] - 1) < 1e-3,
	   "units change nothing, even where squares overflow");

	/* i and i + ((7 i) mod 13) / 2^20: mpmath */
	for (int i = 0; i < CARS; i++)
	{
		column[0][i] = i;
		column[1][i] = i + ((i * 7) % 13) * 0x1p-20;
	}
	crm_drivers_inflation(ctx, columns, CARS, 2, got);
	is_close(got[0], 6666774012918.14089, 1e-7, "columns that are nearly the same");
	is_close(got[1], got[0], 1e-7, "both of them");

	/* a column twice */
	memcpy(column[1], column[0], sizeof column[0]);
	crm_drivers_inflation(ctx, columns, CARS, 2, got);
	ok(got[0] == 1 && isinf(got[1]), "a column that is another is infinite");
	crm_drivers_inflation(ctx, columns, CARS, 1, got);
	is_near(got[0], 1, 0, "one column alone");
	is_int(crm_drivers_inflation(ctx, columns, CARS, 0, got), CRM_OK, "no column");
	is_clean(&tap, "inflation");
}

static void
test_limits(void)
{
	static const int which[3] = {0, 1, 2};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	const size_t n = 1 << 20;
	double *long_column = malloc(n * sizeof(double)), got[3];
	const double *two[2] = {long_column, long_column};

	take_cars(column, which, 3);
	crm_drivers_inflation(ctx, columns, CARS, 3, got);
	ok(ctx->peak <= crm_drivers_bytes(3), "%zu bytes of at most %zu", ctx->peak,
	   crm_drivers_bytes(3));
	for (size_t at = 1; at <= 5; at++)
	{
		tap_context(&tap);
		tap.fail_at = at;
		ok(crm_drivers_inflation(ctx, columns, CARS, 3, got) == CRM_NO_MEMORY && tap.live == 0,
		   "allocation %zu", at);
	}
	for (size_t i = 0; i < n; i++)
		long_column[i] = (double) (i % 97);
	tap_context(&tap);
	crm_drivers_inflation(ctx, two, n, 2, got);
	for (size_t at = 1; at <= tap.polls; at += tap.polls / 3)
	{
		TapContext other;

		tap_context(&other);
		other.abort_at = at;
		ok(crm_drivers_inflation(&other.ctx, two, n, 2, got) == CRM_ABORTED && other.live == 0,
		   "poll %zu stops it", at);
	}
	free(long_column);
}

int
main(void)
{
	test_importance();
	test_inflation();
	test_limits();
	return tap_done();
}
