/*
 * clv_fit.c: unit tests of fitting and choosing a model of orders: each kind is its own kernel's
 * fit, auto finds out who leaves after the first order, and few data are told.
 */
#include "host.h"
#include "kernel/base/rng.h"
#include "kernel/bgnbd.h"
#include "kernel/clv_fit.h"

#define N 6000

static double x[N], t_x[N], t[N];

/* Draw customers of BG/NBD, or of MBG/NBD, whole periods. */
static CrmBtydData
simulate(uint64_t seed, size_t n, bool modified)
{
	CrmRng rng;

	crm_rng_seed(&rng, seed, 0);
	for (size_t i = 0; i < n; i++)
	{
		double lambda = crm_rng_gamma(&rng, 0.8) / 20.0, p = crm_rng_beta(&rng, 1.2, 1.5);
		double at = 0.0;

		x[i] = t_x[i] = 0.0;
		t[i] = 200.0 + floor(150.0 * crm_rng_uniform(&rng));
		while (!(modified || x[i] > 0.0) || crm_rng_uniform(&rng) >= p)
		{
			at += crm_rng_exponential(&rng) / lambda;
			if (at > t[i])
				break;
			x[i]++;
			t_x[i] = at;
		}
	}
	return (CrmBtydData){.x = x, .t_x = t_x, .t = t, .n = n};
}

static void
test_choice(void)
{
	CrmClvFitParam param = {.kind = CRM_CLV_AUTO, .seed = 42};
	CrmBtydData data = simulate(1, N, true);
	CrmClvFit fit, again;
	double swap;
	Host host;
	CrmCtx *ctx = host_begin(&host);

	ok(crm_clv_fit(ctx, &data, &param, &fit) == CRM_OK && fit.candidates == 3, "three candidates");
	ok(fit.kind != CRM_CLV_BGNBD, "who leaves after the first order is no matter for BG/NBD");
	for (int i = 0; i < fit.candidates; i++)
		ok(fit.aic[i] >= fit.fit.aic - 2.0, "candidate %d is not better", i);
	for (size_t i = 0; i < N / 2; i++) /* turn the rows round */
	{
		swap = x[i], x[i] = x[N - 1 - i], x[N - 1 - i] = swap;
		swap = t_x[i], t_x[i] = t_x[N - 1 - i], t_x[N - 1 - i] = swap;
		swap = t[i], t[i] = t[N - 1 - i], t[N - 1 - i] = swap;
	}
	ok(crm_clv_fit(ctx, &data, &param, &again) == CRM_OK && again.kind == fit.kind &&
		   memcmp(again.fit.parameter, fit.fit.parameter, sizeof fit.fit.parameter) == 0,
	   "the order of rows does not matter");
	data = simulate(2, N, false);
	ok(crm_clv_fit(ctx, &data, &param, &fit) == CRM_OK && fit.kind == CRM_CLV_BGNBD,
	   "where nobody does, BG/NBD is better by more than a tie");
	ok(host_is_balanced(&host), "memory is accounted for");
	host_drop(&host);
}

static void
test_kinds(void)
{
	CrmClvFitParam param = {.kind = CRM_CLV_MBGNBD};
	CrmBtydData data = simulate(3, 500, true);
	CrmBgnbdParam how;
	CrmBgnbdModel model;
	CrmClvModel taken = {0};
	CrmBtyd rows;
	CrmClvFit fit;
	Host host;
	CrmCtx *ctx = host_begin(&host);

	crm_bgnbd_defaults(&how);
	how.modified = true;
	(void) crm_btyd_collapse(ctx, &data, &rows);
	(void) crm_bgnbd_fit(ctx, &rows, &how, &model);
	ok(crm_clv_fit(ctx, &data, &param, &fit) == CRM_OK &&
		   memcmp(&fit.fit, &model.fit, sizeof fit.fit) == 0,
	   "MBG/NBD is its own kernel's fit");
	crm_clv_take(&fit, &taken);
	ok(taken.kind == CRM_CLV_MBGNBD && taken.theta[3] == model.parameter.b, "and is taken over");
	for (size_t i = 0; i < data.n; i++)
		t_x[i] = ceil(t_x[i]), x[i] = fmin(x[i], t_x[i]);
	param.kind = CRM_CLV_BGBB;
	ok(crm_clv_fit(ctx, &data, &param, &fit) == CRM_OK && fit.kind == CRM_CLV_BGBB &&
		   fit.fit.log_likelihood < 0 && fit.fit.status != CRM_FIT_INSUFFICIENT,
	   "BG/BB by whole periods");
	param.kind = CRM_CLV_FORMULA;
	ok(crm_clv_fit(ctx, &data, &param, &fit) == CRM_OK && fit.fit.n == 0 &&
		   fit.fit.status == CRM_FIT_CONVERGED,
	   "the formula has nothing to fit");
	host_drop(&host);
}

static void
test_few(void)
{
	static const CrmClvKind kinds[] = {CRM_CLV_BGNBD, CRM_CLV_MBGNBD, CRM_CLV_PARETONBD,
									   CRM_CLV_BGBB, CRM_CLV_AUTO};
	CrmClvSpendData spend = {x, t_x, t, 2};
	CrmClvModel model = {0};
	CrmFit spend_fit;
	Host host;
	CrmCtx *ctx = host_begin(&host);

	for (int k = 0; k < 5; k++)
		for (size_t n = 0; n < 4; n++)
		{
			CrmClvFitParam param = {.kind = kinds[k]};
			CrmBtydData data = {.x = x, .t_x = t_x, .t = t, .n = n};
			CrmClvFit fit;

			for (size_t i = 0; i < 4; i++)
			{
				x[i] = n < 3 ? 1.0 : 0.0;
				t_x[i] = n < 3 ? 2.0 : 0.0;
				t[i] = 9.0;
			}
			ok(crm_clv_fit(ctx, &data, &param, &fit) == CRM_OK && fit.kind == CRM_CLV_FORMULA &&
				   fit.fit.status == CRM_FIT_INSUFFICIENT,
			   "kind %d, %zu customers: too few", (int) kinds[k], n);
		}
	ok(crm_clv_fit_spend(ctx, &spend, CRM_CLV_GAMMA_GAMMA, &model, &spend_fit) == CRM_OK &&
		   model.spend == CRM_CLV_MEAN && spend_fit.n == 0,
	   "two customers' spend is their mean");
	is_near(model.mean_value, 9.0, 0.0, "and that of all");
	ok(host_is_balanced(&host), "memory is accounted for");
	host_drop(&host);
}

int
main(void)
{
	test_choice();
	test_kinds();
	test_few();
	return tap_done();
}
