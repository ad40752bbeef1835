/*
 * Tests of kernel/logistic_newton.c: the conditions that hold at an optimum, whatever the road to
 * it: the gradient is zero where there is no penalty, that of the ridge, or within the lasso.
 */
#include "regression.h"

#include "kernel/logistic_newton.h"

#define N 400
#define D 4

static double column[D][N], label[N];

/* Run an iteration and check the optimum's conditions. */
static void
test_conditions(CrmLogisticData *data, double ridge, double lasso)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLogisticNewton fit;
	double total_weight, worst = 0;
	int zeros = 0;

	is_int(crm_logistic_newton_begin(ctx, data, &fit), CRM_OK, "begin");
	is_int((int64_t) tap.ctx.used, (int64_t) crm_logistic_newton_bytes(D), "bytes as said");
	fit.pass.q = D + 1;
	for (int j = 1; j <= D; j++)
		fit.pass.use[j] = j - 1;
	is_int(crm_logistic_moments(&fit.pass, &total_weight), CRM_OK, "moments");
	fit.ridge = ridge;
	fit.lasso = lasso;
	fit.may_separate = ridge + lasso == 0;
	is_int(crm_logistic_iterate(&fit, 100, 1e-18), CRM_OK, "iterate");
	ok(fit.converged && !fit.separated, "ridge %g, lasso %g: converges in %d", ridge, lasso,
	   fit.iterations);
	crm_logistic_evaluate(&fit.pass, fit.g);
	for (int j = 0; j <= D; j++)
	{
		double slope = fit.pass.gradient[j] - (j > 0 ? ridge * fit.g[j] : 0);

		if (j > 0 && fit.g[j] == 0)
		{
			zeros++;
			worst = fmax(worst, fabs(slope) - lasso);
		}
		else
			worst = fmax(worst, fabs(slope - (j > 0 ? copysign(lasso, fit.g[j]) : 0)));
	}
	ok(worst < 1e-8, "its conditions hold (%g), %d coefficients are zero", worst, zeros);
	ok(lasso < 30 || zeros > 0, "a large lasso leaves some out");
	crm_logistic_newton_free(&fit);
	is_clean(&tap, "newton");
}

int
main(void)
{
	CrmLogisticData data = {.label = label, .n = N, .d = D};
	double *columns[D];
	CrmRng rng;

	crm_rng_seed(&rng, 11, 0);
	for (int i = 0; i < N; i++)
	{
		double eta = -1;

		for (int j = 0; j < D; j++)
		{
			column[j][i] = crm_rng_normal(&rng) + (j > 0 ? 0.7 * column[j - 1][i] : 0);
			eta += j % 2 == 0 ? column[j][i] : 0;
		}
		label[i] = crm_rng_uniform(&rng) < 1 / (1 + exp(-eta));
	}
	for (int j = 0; j < D; j++)
		columns[j] = column[j];
	data.columns = columns;
	test_conditions(&data, 0, 0);
	test_conditions(&data, 10, 0);
	test_conditions(&data, 0, 5);
	test_conditions(&data, 0, 40);
	test_conditions(&data, 20, 20);
	return tap_done();
}
