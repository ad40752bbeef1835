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

/*
 * am ~ wt + hp of mtcars, by mpmath with 40 digits from the definition: each car a cluster, and
 * clusters of three cars in the order of the table.
 */
static void
test_robust(void)
{
	static const int which[3] = {2, 1, 3};
	static const double want[2][3] = {
		{8.3748133235512831, 2.811770194363367, 0.0084543966781135073},
		{8.8669421793100374, 2.947982726656468, 0.0076385423759203715}};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	double *used[3] = {column[0], column[1], column[3]}, error[4];
	uint32_t cluster[CARS];
	CrmLogisticData data = {.columns = used, .label = column[2], .n = CARS, .d = 2};
	CrmLogisticParam param;
	CrmLogisticModel model;

	take_cars(column, which, 3);
	crm_logistic_defaults(&param);
	crm_logistic_fit(ctx, &data, &param, &model);
	for (int by = 0; by < 2; by++)
	{
		for (uint32_t i = 0; i < CARS; i++)
			cluster[i] = by ? i / 3 : i;
		is_int(crm_drivers_robust(ctx, &data, cluster, &model, error), CRM_OK, "robust errors");
		for (int j = 0; j < 3; j++)
			is_close(error[j], want[by][j], 1e-7, by ? "clusters of three" : "each car alone");
	}
	memset(cluster, 0, sizeof cluster);
	crm_drivers_robust(ctx, &data, cluster, &model, error);
	ok(isnan(error[0]) && isnan(error[2]), "one cluster has no error");
	crm_logistic_model_free(ctx, &model);

	/* a constant column is dropped, and changes nothing */
	for (int i = 0; i < CARS; i++)
	{
		column[3][i] = 4;
		cluster[i] = (uint32_t) i / 3;
	}
	data.d = 3;
	crm_logistic_fit(ctx, &data, &param, &model);
	crm_drivers_robust(ctx, &data, cluster, &model, error);
	is_close(error[1], want[1][1], 1e-7, "as without a constant column");
	ok(isnan(error[3]), "which has no error");
	for (size_t at = 1; at <= 2; at++)
	{
		TapContext other;

		tap_context(&other);
		other.fail_at = at;
		ok(crm_drivers_robust(&other.ctx, &data, cluster, &model, error) == CRM_NO_MEMORY &&
			   other.live == 0,
		   "allocation %zu of robust errors", at);
	}
	crm_logistic_model_free(ctx, &model);
	is_clean(&tap, "robust errors");
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
	test_robust();
	test_limits();
	return tap_done();
}
