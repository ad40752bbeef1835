/*
 * Tests of kernel/logistic_pass.c against the definitions, summed in long double with the C
 * library's functions.
 */
#include "regression.h"

#include "kernel/logistic_pass.h"

#define N 1000
#define D 5

static double column[D][N], label[N], weight[N];

/* Compare one evaluation with the definitions. */
static void
test_evaluate(CrmLogisticData *data, double spread, const char *what)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmLogisticPass pass;
	double g[D + 1] = {0.3, 1, -0.5, 0.25, 2, -1}, total_weight, worst = 0;
	long double f = 0, gradient[D + 1] = {0}, hessian[D + 1][D + 1] = {{0}}, least = INFINITY;

	for (int j = 0; j <= D; j++)
		g[j] *= spread;
	is_int(crm_logistic_pass_begin(ctx, data, &pass), CRM_OK, "room");
	is_int((int64_t) tap.ctx.used, (int64_t) crm_logistic_pass_bytes(D), "as much as was said");
	pass.q = D + 1;
	for (int j = 1; j <= D; j++)
		pass.use[j] = j - 1;
	pass.class_weight[1] = data->weights != NULL ? 2.5 : 1;
	is_int(crm_logistic_moments(&pass, &total_weight), CRM_OK, "moments");
	for (int j = 1; j <= D; j++)
	{
		long double sum = 0, weights = 0;

		for (int i = 0; i < N; i++)
		{
			long double v = data->weights != NULL ? weight[i] * (label[i] != 0 ? 2.5 : 1) : 1;

			sum += v * column[j - 1][i];
			weights += v;
		}
		worst = fmax(worst, fabs(pass.mean[j] - (double) (sum / weights)));
		worst = fmax(worst, fabs(total_weight - (double) weights) / N);
		pass.inverse[j] = 0.5 + j;
	}
	ok(worst < 1e-15, "%s: means are %g off", what, worst);
	is_int(crm_logistic_evaluate(&pass, g), CRM_OK, "evaluate");
	for (int i = 0; i < N; i++)
	{
		long double z[D + 1] = {1}, eta = g[0], p;
		long double v = data->weights != NULL ? weight[i] * (label[i] != 0 ? 2.5 : 1) : 1;

		for (int j = 1; j <= D; j++)
		{
			z[j] = ((long double) column[j - 1][i] - pass.mean[j]) * pass.inverse[j];
			eta += g[j] * z[j];
		}
		p = 1 / (1 + expl(-eta));
		f += v * (fmaxl(eta, 0) + log1pl(expl(-fabsl(eta))) - label[i] * eta);
		if (v > 0)
			least = fminl(least, label[i] != 0 ? eta : -eta);
		for (int j = 0; j <= D; j++)
		{
			gradient[j] += v * (label[i] - p) * z[j];
			for (int k = 0; k <= D; k++)
				hessian[j][k] += v * p * (1 - p) * z[j] * z[k];
		}
	}
	is_close(pass.objective, (double) f, 1e-13, "minus log-likelihood");
	is_close(pass.least, (double) least, 1e-13, "least signed predictor");
	worst = 0;
	for (int j = 0; j <= D; j++)
	{
		worst = fmax(worst, fabs(pass.gradient[j] - (double) gradient[j]) / N);
		for (int k = 0; k <= D; k++)
			worst = fmax(worst, fabs(pass.hessian[j * (D + 1) + k] - (double) hessian[j][k]) / N);
	}
	ok(worst < 1e-13, "%s: gradient and Hessian are %g off", what, worst);
	crm_logistic_pass_free(&pass);
	crm_logistic_pass_free(&pass);
	is_clean(&tap, what);
}

int
main(void)
{
	CrmLogisticData data = {.label = label, .n = N, .d = D};
	double *columns[D];
	CrmRng rng;

	crm_rng_seed(&rng, 5, 0);
	for (int j = 0; j < D; j++)
	{
		columns[j] = column[j];
		for (int i = 0; i < N; i++)
			column[j][i] = crm_rng_normal(&rng) + j;
	}
	for (int i = 0; i < N; i++)
	{
		label[i] = crm_rng_uniform(&rng) < 0.4;
		weight[i] = i % 7 == 0 ? 0 : crm_rng_uniform(&rng) * 3;
	}
	data.columns = columns;
	test_evaluate(&data, 0.1, "plain");
	test_evaluate(&data, 30, "extreme");
	data.weights = weight;
	test_evaluate(&data, 0.1, "weighted");
	data.n = N;
	return tap_done();
}
