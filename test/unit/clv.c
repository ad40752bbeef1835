/*
 * clv.c: unit tests of lifetime value: the discounted orders against the models' own integrals over
 * customers (another road to the same number) and a fine sum, spend and formula by hand, and the
 * coverage of the interval on simulated customers.
 */
#include "host.h"
#include "kernel/base/rng.h"
#include "kernel/bgbb.h"
#include "kernel/bgnbd.h"
#include "kernel/clv.h"
#include "kernel/clv_fit.h"
#include "kernel/gammagamma.h"
#include "kernel/paretonbd.h"

static const double bgnbd[] = {0.2426, 30.9, 0.793, 2.426};
static const double paretonbd[] = {0.553, 74.0, 0.606, 81.7};
static const double bgbb[] = {1.204, 0.750, 0.657, 2.783};

/* A model with those parameters, whose uncertainty is that of independent logarithms. */
static CrmClvModel
make_model(CrmClvKind kind, const double *theta, double error)
{
	CrmClvModel model = {.kind = kind,
						 .spend = CRM_CLV_GAMMA_GAMMA,
						 .spend_theta = {6.25, 3.74, 15.44},
						 .mean_value = 30.0};

	memcpy(model.theta, theta, sizeof model.theta);
	for (int k = 0; k < CRM_CLV_PARAMETERS; k++)
		model.covariance[k * (CRM_CLV_PARAMETERS + 1)] = error * error;
	return model;
}

/* Value one customer; memory comes and goes. */
static CrmClvValue
value_of(const CrmClvModel *model, const CrmClvParam *param, CrmClvCustomer customer)
{
	CrmClvScorer *scorer = NULL;
	CrmClvValue value = {0};
	Host host;
	CrmCtx *ctx = host_begin(&host);

	if (crm_clv_begin(ctx, model, param, &scorer) == CRM_OK)
	{
		crm_clv_score(scorer, &customer, &value);
		crm_clv_end(ctx, scorer);
	}
	ok(host.held == 0, "nothing is left of a scorer");
	host_drop(&host);
	return value;
}

static void
test_discounting(void)
{
	const CrmClvParam param = {365.0, 0.00026, 1.0, 0.9};
	static const CrmClvCustomer customers[] = {{0, 0, 272, NAN, 20},
											   {2, 213, 272, 22.35, 25},
											   {40, 3, 5, 10, 10},
											   {1, 12, 2000, 5, 5},
											   {0, 0, 0, NAN, 9}};

	for (size_t i = 0; i < sizeof customers / sizeof *customers; i++)
	{
		CrmClvCustomer c = customers[i];
		CrmClvModel model = make_model(CRM_CLV_BGNBD, bgnbd, 0.1);
		CrmBgnbd parameter = {bgnbd[0], bgnbd[1], bgnbd[2], bgnbd[3], false};
		CrmGammaGamma spend = {6.25, 3.74, 15.44};
		CrmClvValue value = value_of(&model, &param, c);
		double z = crm_gammagamma_expected_value(&spend, c.x, c.x > 0 ? c.mean : 0);

		is_close(value.order_value, z, 1e-14, "the value of an order is Gamma-Gamma's");
		is_close(value.clv,
				 z * crm_bgnbd_discounted_orders(&parameter, c.x, c.t_x, c.t, 365, 0.00026), 1e-9,
				 "BG/NBD: clv by another integral");
		is_close(value.residual,
				 z * crm_bgnbd_discounted_orders(&parameter, c.x, c.t_x, c.t, INFINITY, 0.00026),
				 1e-8, "BG/NBD: residual");
		is_close(value.expected_orders, crm_bgnbd_expected_orders(&parameter, c.x, c.t_x, c.t, 365),
				 1e-12, "BG/NBD: orders");
		ok(value.low > 0 && value.low < value.clv && value.high > value.clv, "an interval");
		ok(value.p_any_order > 0 && value.p_any_order <= value.p_alive, "order only if alive");
	}
	for (size_t i = 0; i < sizeof customers / sizeof *customers; i++)
	{
		CrmClvCustomer c = customers[i];
		CrmClvModel model = make_model(CRM_CLV_PARETONBD, paretonbd, 0.1);
		CrmParetonbd parameter = {paretonbd[0], paretonbd[1], paretonbd[2], paretonbd[3]};
		CrmClvValue value = value_of(&model, &param, c);
		double alive = crm_paretonbd_p_alive(&parameter, c.x, c.t_x, c.t);

		is_close(value.clv,
				 value.order_value * alive *
					 crm_paretonbd_discounted_if_alive(&parameter, c.x, c.t, 365, 0.00026),
				 1e-9, "Pareto/NBD: clv by another integral");
	}
}

static void
test_bgbb(void)
{
	const CrmClvParam param = {5.0, 0.1, 0.5, 0.9};
	CrmClvModel model = make_model(CRM_CLV_BGBB, bgbb, 0.1);
	CrmBgbbModel parameter = {1.204, 0.750, 0.657, 2.783};
	CrmClvCustomer customer = {4, 5, 6, 20, 20};
	CrmClvValue value = value_of(&model, &param, customer);
	double sum = 0.0, before = 0.0;

	for (int k = 1; k <= 5; k++)
	{
		double orders = crm_bgbb_orders_if_alive(&parameter, 4, 6, k, 0);

		sum += (orders - before) * exp(-0.1 * k);
		before = orders;
	}
	is_close(value.clv, 0.5 * value.order_value * crm_bgbb_p_alive(&parameter, 4, 5, 6) * sum,
			 1e-13, "BG/BB: opportunity by opportunity, half of it earned");
	is_close(value.p_any_order,
			 crm_bgbb_p_alive(&parameter, 4, 5, 6) * crm_bgbb_any_if_alive(&parameter, 4, 6, 5),
			 1e-13, "BG/BB: chance of an order");
}

static void
test_formula_and_spend(void)
{
	const CrmClvParam param = {100.0, 0.01, 2.0, 0.9};
	CrmClvModel model = make_model(CRM_CLV_FORMULA, bgnbd, 0.1);
	CrmClvCustomer customer = {3, 40, 50, 12, 10}, broke = {3, 40, 50, -1, -2};
	CrmClvValue value;

	model.spend = CRM_CLV_MEAN;
	value = value_of(&model, &param, customer);
	is_close(value.expected_orders, 6, 1e-15, "formula: 3 in 50 periods are 6 in 100");
	is_close(value.clv, 2 * 10 * 0.06 * (1 - exp(-1)) / 0.01, 1e-14, "formula: discounted");
	is_close(value.residual, 2 * 10 * 0.06 / 0.01, 1e-14, "formula: for ever");
	ok(isnan(value.p_alive) && isnan(value.low), "formula: knows no chances");
	is_near(value_of(&model, &param, broke).order_value, 30, 0, "who spent nothing is as all are");
	model.spend = CRM_CLV_GAMMA_GAMMA;
	is_close(value_of(&model, &param, broke).order_value, 6.25 * 15.44 / 2.74, 1e-14,
			 "with Gamma-Gamma, too");
	customer.t = 0;
	customer.t_x = 0;
	customer.x = 0;
	is_near(value_of(&model, &param, customer).clv, 0, 0, "formula: no time, no rate");
}

/* Draw customers of BG/NBD and how they spend. */
static void
simulate(uint64_t seed, size_t n, double *x, double *t_x, double *t)
{
	CrmRng rng;

	crm_rng_seed(&rng, seed, 0);
	for (size_t i = 0; i < n; i++)
	{
		double lambda = crm_rng_gamma(&rng, 0.8) / 20.0, p = crm_rng_beta(&rng, 1.2, 2.5);
		double at = 0.0;

		x[i] = t_x[i] = 0.0;
		t[i] = 150.0 + floor(100.0 * crm_rng_uniform(&rng));
		for (;;)
		{
			at += crm_rng_exponential(&rng) / lambda;
			if (at > t[i])
				break;
			x[i]++;
			t_x[i] = at;
			if (crm_rng_uniform(&rng) < p)
				break;
		}
	}
}

/* The interval holds what the true parameters say, as often as its level says. */
static void
test_coverage(void)
{
	enum
	{
		N = 800,
		TRIALS = 300
	};
	static double x[N], t_x[N], t[N];
	const CrmBgnbd parameter = {0.8, 20.0, 1.2, 2.5, false};
	const CrmClvParam param = {200.0, 0.0003, 1.0, 0.9};
	CrmClvFitParam how = {.kind = CRM_CLV_BGNBD};
	CrmClvCustomer customer = {3, 120, 200, 10, 10};
	int inside = 0, usable = 0;
	double want;

	want = 10.0 * crm_bgnbd_discounted_orders(&parameter, 3, 120, 200, 200, 0.0003);
	for (uint64_t trial = 0; trial < TRIALS; trial++)
	{
		CrmBtydData data = {.x = x, .t_x = t_x, .t = t, .n = N};
		CrmClvModel model = make_model(CRM_CLV_BGNBD, bgnbd, 0.0);
		CrmClvScorer *scorer;
		CrmClvValue value;
		CrmClvFit fit;
		Host host;
		CrmCtx *ctx = host_begin(&host);

		simulate(trial, N, x, t_x, t);
		if (crm_clv_fit(ctx, &data, &how, &fit) == CRM_OK)
		{
			crm_clv_take(&fit, &model);
			model.spend = CRM_CLV_MEAN;
			(void) crm_clv_begin(ctx, &model, &param, &scorer);
			crm_clv_score(scorer, &customer, &value);
			usable += isfinite(value.low);
			inside += value.low <= want && want <= value.high;
		}
		host_drop(&host);
	}
	ok(usable >= TRIALS - 3, "%d of %d fits know their uncertainty", usable, TRIALS);
	/* 270 expected; two standard deviations of 300 draws are 3.5 points */
	ok(inside >= 0.865 * TRIALS && inside <= 0.935 * TRIALS,
	   "%d of %d intervals of level 0.9 hold the truth", inside, TRIALS);
}

int
main(void)
{
	test_discounting();
	test_bgbb();
	test_formula_and_spend();
	test_coverage();
	return tap_done();
}
