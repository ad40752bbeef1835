/*
 * clv_interval.c: unit tests of the intervals of single customers' orders: distributions of mpmath
 * (mixtures over the time of leaving, beta functions for BG/BB), the models' own expectations, and
 * what intervals cover of customers that were simulated.
 */
#include "host.h"
#include "kernel/base/rng.h"
#include "kernel/clv_interval.h"

#define MANY 4000

static const double bgnbd[] = {0.2426, 30.9, 0.793, 2.426};
static const double paretonbd[] = {0.553, 74, 0.606, 81.7};
static const double bgbb[] = {1.204, 0.75, 0.657, 2.783};

static double x[MANY], t_x[MANY], t[MANY], actual[MANY], low[MANY], high[MANY], promised[MANY];

static const double *
theta_of(CrmClvKind kind)
{
	return kind == CRM_CLV_PARETONBD ? paretonbd : kind == CRM_CLV_BGBB ? bgbb : bgnbd;
}

static CrmClvIntervals
first(size_t n)
{
	return (CrmClvIntervals){x, t_x, t, n, low, high, promised};
}

/* kind, x, t_x, T, horizon, level; low, high, P(low <= Y <= high) by mpmath, 20 digits */
static const struct
{
	CrmClvKind kind;
	double x, t_x, t, horizon, level, low, high, promised;
} known[] = {
	{CRM_CLV_BGNBD, 2, 213, 272, 273, 0.998, 0, 10, 0.9992595734760541},
	{CRM_CLV_BGNBD, 2, 213, 272, 273, 0.9, 0, 4, 0.9532778842893249},
	{CRM_CLV_BGNBD, 2, 213, 272, 273, 0.5, 0, 2, 0.828894443426756},
	{CRM_CLV_BGNBD, 2, 213, 272, 273, 0.02, 1, 1, 0.2393306970074953},
	{CRM_CLV_MBGNBD, 2, 213, 272, 273, 0.998, 0, 10, 0.9991179195919546},
	{CRM_CLV_MBGNBD, 2, 213, 272, 273, 0.9, 0, 5, 0.9723377564235773},
	{CRM_CLV_MBGNBD, 2, 213, 272, 273, 0.5, 0, 2, 0.8085769683671372},
	{CRM_CLV_MBGNBD, 2, 213, 272, 273, 0.02, 1, 1, 0.2454060065393658},
	{CRM_CLV_PARETONBD, 2, 213, 272, 273, 0.998, 0, 11, 0.9993829962492735},
	{CRM_CLV_PARETONBD, 2, 213, 272, 273, 0.9, 0, 5, 0.9632978816281},
	{CRM_CLV_PARETONBD, 2, 213, 272, 273, 0.5, 0, 2, 0.7790470675722181},
	{CRM_CLV_PARETONBD, 2, 213, 272, 273, 0.02, 1, 1, 0.2192766321522659},
	{CRM_CLV_BGNBD, 0, 0, 272, 273, 0.998, 0, 5, 0.9995375282788616},
	{CRM_CLV_BGNBD, 0, 0, 272, 273, 0.9, 0, 1, 0.9653823777915487},
	{CRM_CLV_BGNBD, 0, 0, 272, 273, 0.5, 0, 0, 0.8556634916368468},
	{CRM_CLV_BGNBD, 0, 0, 272, 273, 0.02, 0, 0, 0.8556634916368468},
	{CRM_CLV_MBGNBD, 0, 0, 272, 273, 0.998, 0, 4, 0.999067587192088},
	{CRM_CLV_MBGNBD, 0, 0, 272, 273, 0.9, 0, 1, 0.9762225149791565},
	{CRM_CLV_MBGNBD, 0, 0, 272, 273, 0.5, 0, 0, 0.9079896115097789},
	{CRM_CLV_MBGNBD, 0, 0, 272, 273, 0.02, 0, 0, 0.9079896115097789},
	{CRM_CLV_PARETONBD, 0, 0, 272, 273, 0.998, 0, 5, 0.9994462434324582},
	{CRM_CLV_PARETONBD, 0, 0, 272, 273, 0.9, 0, 1, 0.9766053100429407},
	{CRM_CLV_PARETONBD, 0, 0, 272, 273, 0.5, 0, 0, 0.9307000198073795},
	{CRM_CLV_PARETONBD, 0, 0, 272, 273, 0.02, 0, 0, 0.9307000198073795},
	{CRM_CLV_BGNBD, 40, 300, 301, 365, 0.998, 0, 75, 0.999045645943199},
	{CRM_CLV_BGNBD, 40, 300, 301, 365, 0.9, 2, 57, 0.9157116153670107},
	{CRM_CLV_BGNBD, 40, 300, 301, 365, 0.5, 17, 45, 0.5234136008045766},
	{CRM_CLV_BGNBD, 40, 300, 301, 365, 0.02, 35, 36, 0.04741942204340334},
	{CRM_CLV_MBGNBD, 40, 300, 301, 365, 0.998, 0, 75, 0.9990338473208139},
	{CRM_CLV_MBGNBD, 40, 300, 301, 365, 0.9, 2, 57, 0.9160944075379506},
	{CRM_CLV_MBGNBD, 40, 300, 301, 365, 0.5, 18, 45, 0.5150674229069948},
	{CRM_CLV_MBGNBD, 40, 300, 301, 365, 0.02, 35, 36, 0.04770899307520875},
	{CRM_CLV_PARETONBD, 40, 300, 301, 365, 0.998, 0, 70, 0.9992367713862961},
	{CRM_CLV_PARETONBD, 40, 300, 301, 365, 0.9, 3, 53, 0.9130004132239124},
	{CRM_CLV_PARETONBD, 40, 300, 301, 365, 0.5, 23, 42, 0.51110995206075},
	{CRM_CLV_PARETONBD, 40, 300, 301, 365, 0.02, 34, 35, 0.06348248473495741},
	{CRM_CLV_BGBB, 2, 4, 6, 5, 0.998, 0, 5, 1.0},
	{CRM_CLV_BGBB, 2, 4, 6, 5, 0.9, 0, 4, 0.9841693022548123},
	{CRM_CLV_BGBB, 2, 4, 6, 5, 0.5, 0, 2, 0.8270328079722317},
	{CRM_CLV_BGBB, 2, 4, 6, 5, 0.02, 0, 0, 0.5195681020573305},
	{CRM_CLV_BGBB, 0, 0, 6, 12, 0.998, 0, 7, 0.9992878131343272},
	{CRM_CLV_BGBB, 0, 0, 6, 12, 0.9, 0, 1, 0.9620555431192178},
	{CRM_CLV_BGBB, 0, 0, 6, 12, 0.5, 0, 0, 0.9357036268039593},
	{CRM_CLV_BGBB, 0, 0, 6, 12, 0.02, 0, 0, 0.9357036268039593},
	{CRM_CLV_BGBB, 6, 6, 6, 12, 0.998, 0, 12, 1.0},
	{CRM_CLV_BGBB, 6, 6, 6, 12, 0.9, 0, 12, 1.0},
	{CRM_CLV_BGBB, 6, 6, 6, 12, 0.5, 4, 12, 0.7608259218867996},
	{CRM_CLV_BGBB, 6, 6, 6, 12, 0.02, 9, 10, 0.1503667366732106},
};

static void
test_known(CrmCtx *ctx)
{
	const CrmClvIntervals one = first(1);
	double worst = 0.0;
	int wrong = 0;

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
	{
		x[0] = known[i].x;
		t_x[0] = known[i].t_x;
		t[0] = known[i].t;
		if (crm_clv_intervals(ctx, known[i].kind, theta_of(known[i].kind), known[i].horizon,
							  known[i].level, &one) != CRM_OK ||
			low[0] != known[i].low || high[0] != known[i].high)
			wrong++;
		worst = fmax(worst, fabs(promised[0] - known[i].promised));
	}
	is_int(wrong, 0, "bounds of mpmath's distributions");
	ok(worst < 1e-9, "and the chance between them, off by %.2g", worst);
}

/* The interval of level nearly 1 starts at 0; narrowing it finds every count's chance: their mean
 * must be the model's expectation. */
static void
test_mean(CrmCtx *ctx)
{
	static const struct
	{
		CrmClvKind kind;
		double x, t_x, t, horizon;
	} who[] = {{CRM_CLV_BGNBD, 5, 100, 110, 200},      {CRM_CLV_MBGNBD, 0, 0, 300, 500},
			   {CRM_CLV_PARETONBD, 3, 50, 60, 1000},   {CRM_CLV_PARETONBD, 0, 0, 0, 100},
			   {CRM_CLV_BGBB, 10, 20, 25, 60},         {CRM_CLV_PARETONBD, 1500, 2990, 3000, 1500},
			   {CRM_CLV_MBGNBD, 900, 999, 1000, 1000}, {CRM_CLV_BGNBD, 900, 999, 1000, 10}};
	const CrmClvIntervals one = first(1);

	for (size_t i = 0; i < sizeof who / sizeof who[0]; i++)
	{
		const double *theta = theta_of(who[i].kind);
		double want, mean = 0.0, least = 0.0;

		x[0] = who[i].x;
		t_x[0] = who[i].t_x;
		t[0] = who[i].t;
		want = crm_clv_p_alive(who[i].kind, theta, x[0], t_x[0], t[0]) *
			   crm_clv_orders_if_alive(who[i].kind, theta, x[0], t[0], who[i].horizon);
		/* mean = integral of the quantile function over (0, 1), by its middles */
		for (int k = 0; k < 500; k++)
		{
			double level = 1.0 - (2.0 * k + 1.0) / 1000.0;

			(void) crm_clv_intervals(ctx, who[i].kind, theta, who[i].horizon, level, &one);
			mean += (low[0] + high[0]) / 1000.0;
			least = fmin(least, promised[0] - level);
		}
		ok(fabs(mean - want) < 0.02 * want + 0.002, "mean of customer %zu: %.5f, expected %.5f", i,
		   mean, want);
		ok(least > -1e-9, "it promises its level or more");
	}
}

/* Draw a customer who came t periods ago and is watched for as long again as horizon. */
static void
draw_customer(CrmRng *rng, CrmClvKind kind, size_t i, double horizon)
{
	const double *theta = theta_of(kind);
	double end = t[i] + horizon, at = 0.0, ends = INFINITY;
	bool is_pareto = kind == CRM_CLV_PARETONBD, is_discrete = kind == CRM_CLV_BGBB;
	double rate = is_discrete ? crm_rng_beta(rng, theta[0], theta[1])
							  : crm_rng_gamma(rng, theta[0]) / theta[1];
	double p = is_pareto ? 0.0 : crm_rng_beta(rng, theta[2], theta[3]);
	bool left = kind == CRM_CLV_MBGNBD && crm_rng_uniform(rng) < p;

	if (is_pareto)
		ends = crm_rng_exponential(rng) * theta[3] / crm_rng_gamma(rng, theta[2]);
	x[i] = t_x[i] = actual[i] = 0.0;
	while (!left)
	{
		bool orders = true;

		at += is_discrete ? 1.0 : crm_rng_exponential(rng) / rate;
		if (at > fmin(end, ends) || (is_discrete && crm_rng_uniform(rng) < p))
			return;
		if (is_discrete)
			orders = crm_rng_uniform(rng) < rate;
		if (orders && at <= t[i])
		{
			x[i] += 1.0;
			t_x[i] = at;
		}
		else if (orders)
			actual[i] += 1.0;
		left = !is_discrete && !is_pareto && crm_rng_uniform(rng) < p;
	}
}

static void
test_coverage(CrmCtx *ctx)
{
	const CrmClvIntervals all = first(MANY);

	for (int kind = CRM_CLV_BGNBD; kind <= CRM_CLV_BGBB; kind++)
	{
		double horizon = kind == CRM_CLV_BGBB ? 12 : 300;
		CrmRng rng;

		crm_rng_seed(&rng, 11, (uint64_t) kind);
		for (size_t i = 0; i < MANY; i++)
		{
			t[i] = kind == CRM_CLV_BGBB ? 6 : 100 + (double) (i % 200);
			draw_customer(&rng, (CrmClvKind) kind, i, horizon);
		}
		for (double level = 0.5; level < 1.0; level += 0.4)
		{
			double covered = 0.0, expected = 0.0;

			ok(crm_clv_intervals(ctx, (CrmClvKind) kind, theta_of((CrmClvKind) kind), horizon,
								 level, &all) == CRM_OK,
			   "intervals of model %d", kind);
			for (size_t i = 0; i < MANY; i++)
			{
				covered += actual[i] >= low[i] && actual[i] <= high[i];
				expected += promised[i];
			}
			is_near(covered / MANY, expected / MANY, 0.02, "cover what they promise");
			ok(expected / MANY >= level, "which is at least their level: %.3f", expected / MANY);
		}
	}
}

static void
test_edges(CrmCtx *ctx, Host *host)
{
	const CrmClvIntervals two = first(2), none = first(0);
	double kept[3];

	x[0] = 1;
	t_x[0] = 40;
	t[0] = x[1] = t_x[1] = 0;
	t[0] = t[1] = 50;
	ok(crm_clv_intervals(ctx, CRM_CLV_FORMULA, bgnbd, 10, 0.9, &two) == CRM_DOMAIN &&
		   crm_clv_intervals(ctx, CRM_CLV_BGNBD, bgnbd, 0, 0.9, &two) == CRM_DOMAIN &&
		   crm_clv_intervals(ctx, CRM_CLV_BGNBD, bgnbd, 10, 1, &two) == CRM_DOMAIN &&
		   crm_clv_intervals(ctx, CRM_CLV_BGNBD, bgnbd, 10, NAN, &two) == CRM_DOMAIN,
	   "no model, no horizon, no level");
	ok(crm_clv_intervals(ctx, CRM_CLV_BGNBD, bgnbd, 10, 0.9, &none) == CRM_OK, "nobody");
	ok(crm_clv_intervals(ctx, CRM_CLV_PARETONBD, paretonbd, 100, 0.9, &two) == CRM_OK, "two");
	kept[0] = low[0];
	kept[1] = high[0];
	kept[2] = promised[0];
	x[1] = 1;
	t_x[1] = 40;
	x[0] = t_x[0] = 0;
	ok(crm_clv_intervals(ctx, CRM_CLV_PARETONBD, paretonbd, 100, 0.9, &two) == CRM_OK &&
		   low[1] == kept[0] && high[1] == kept[1] && promised[1] == kept[2],
	   "their order changes nothing");
	for (size_t fail = 1; fail <= 4; fail++)
	{
		host->tap.allocations = 0;
		host->tap.fail_at = fail;
		ok(crm_clv_intervals(ctx, CRM_CLV_BGNBD, bgnbd, 10, 0.9, &two) == CRM_NO_MEMORY &&
			   host->held == 0,
		   "allocation %zu fails", fail);
	}
	host->tap.fail_at = 0;
	x[0] = 50;
	t_x[0] = t[0] = 1;
	host->tap.polls = 0;
	host->tap.abort_at = 6;
	ok(crm_clv_intervals(ctx, CRM_CLV_MBGNBD, bgnbd, 1e6, 0.9, &two) == CRM_ABORTED &&
		   host->held == 0,
	   "a poll ends it");
	host->tap.abort_at = 0;
	/* the largest counts: a customer of every day, and one of many orders a period */
	x[0] = 20000;
	t_x[0] = t[0] = 20000;
	x[1] = 3000;
	t_x[1] = t[1] = 2;
	for (int kind = CRM_CLV_BGNBD; kind <= CRM_CLV_PARETONBD; kind++)
		ok(crm_clv_intervals(ctx, (CrmClvKind) kind, theta_of((CrmClvKind) kind), 2, 0.9, &two) ==
				   CRM_OK &&
			   high[0] >= 2 && high[0] < 20 && promised[0] >= 0.9 && promised[0] <= 1 &&
			   high[1] >= low[1] && promised[1] >= 0.9,
		   "model %d: many orders, %g to %g", kind, low[1], high[1]);
	ok(host->held == 0, "memory is given back");
}

int
main(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);

	test_known(ctx);
	test_mean(ctx);
	test_coverage(ctx);
	test_edges(ctx, &host);
	host_drop(&host);
	return tap_done();
}
