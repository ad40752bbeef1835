/*
 * clv_grid.c: unit tests of the lifetime-value models over random parameters and customers: equal
 * to what mpmath says (test/golden/btyd.h), and on a sweep of many more no NaN, no infinity,
 * nothing negative, chances within [0, 1], expectations that grow with the horizon.
 */
#include "../golden/btyd.h"
#include "cohort.h"
#include "kernel/bgbb.h"
#include "kernel/bgnbd.h"
#include "kernel/clv.h"
#include "kernel/gammagamma.h"
#include "kernel/paretonbd.h"
#include "kernel/sbg.h"

#define SWEEP     30000
#define TOLERANCE 1e-8

/* The worst error of a column, and where. */
typedef struct Worst
{
	double error;
	size_t row;
	double got, want;
} Worst;

/* Note how far a value is off, relative to what it should be; below 1e-290 any as small will do. */
static void
note(Worst *worst, size_t row, double got, double want)
{
	double error = fabs(want) < 1e-290 && fabs(got) < 1e-290 ? 0.0 : fabs(got / want - 1.0);

	if (!(error <= worst->error))
		*worst = (Worst){isnan(error) ? INFINITY : error, row, got, want};
}

static void
is_within(const Worst *worst, double tolerance, const char *model, const char *what)
{
	if (!ok(worst->error <= tolerance, "%s, %s: %.1e", model, what, worst->error))
		printf("#      row %zu: got %.17g\n#     want %.17g\n", worst->row, worst->got,
			   worst->want);
}

/* Give the log-likelihood of one customer. */
static double
log_likelihood(CrmCtx *ctx, CrmClvKind kind, const double *theta, double x, double t_x, double t)
{
	CrmBgnbd bgnbd = {theta[0], theta[1], theta[2], theta[3], kind == CRM_CLV_MBGNBD};
	CrmParetonbd paretonbd = {theta[0], theta[1], theta[2], theta[3]};
	CrmBgbbModel bgbb = {theta[0], theta[1], theta[2], theta[3]};
	CrmBtyd rows;
	double value = NAN;

	if (kind == CRM_CLV_BGBB)
		return crm_bgbb_log_likelihood(&bgbb, x, t_x, t, NULL);
	customer_x[0] = x;
	customer_t_x[0] = t_x;
	customer_t[0] = t;
	collapse(ctx, 1, &rows);
	if (kind == CRM_CLV_PARETONBD)
		(void) crm_paretonbd_log_likelihood(ctx, &rows, &paretonbd, &value, NULL);
	else
		(void) crm_bgnbd_log_likelihood(ctx, &rows, &bgnbd, &value, NULL);
	crm_btyd_free(ctx, &rows);
	return value;
}

/* Give the discounted orders of a customer who is alive. */
static double
discounted(CrmClvKind kind, const double *theta, double x, double t, double horizon, double rate)
{
	CrmBgnbd bgnbd = {theta[0], theta[1], theta[2], theta[3], kind == CRM_CLV_MBGNBD};
	CrmParetonbd paretonbd = {theta[0], theta[1], theta[2], theta[3]};
	CrmBgbbModel bgbb = {theta[0], theta[1], theta[2], theta[3]};

	if (kind == CRM_CLV_BGBB)
		return crm_bgbb_orders_if_alive(&bgbb, x, t, horizon, rate);
	return kind == CRM_CLV_PARETONBD
			   ? crm_paretonbd_discounted_if_alive(&paretonbd, x, t, horizon, rate)
			   : crm_bgnbd_discounted_if_alive(&bgnbd, x, t, horizon, rate);
}

/* Give the chance of an order in the horizon. */
static double
any_order(CrmClvKind kind, const double *theta, double x, double t_x, double t, double horizon)
{
	CrmBgnbd bgnbd = {theta[0], theta[1], theta[2], theta[3], kind == CRM_CLV_MBGNBD};
	CrmParetonbd paretonbd = {theta[0], theta[1], theta[2], theta[3]};
	CrmBgbbModel bgbb = {theta[0], theta[1], theta[2], theta[3]};

	if (kind == CRM_CLV_BGBB)
		return crm_bgbb_p_alive(&bgbb, x, t_x, t) * crm_bgbb_any_if_alive(&bgbb, x, t, horizon);
	return kind == CRM_CLV_PARETONBD ? crm_paretonbd_p_any_order(&paretonbd, x, t_x, t, horizon)
									 : crm_bgnbd_p_any_order(&bgnbd, x, t_x, t, horizon);
}

/* Give a customer's value by the road of crm.clv, every order worth 1. */
static CrmClvValue
score(CrmCtx *ctx, CrmClvKind kind, const double *w)
{
	CrmClvModel model = {.kind = kind,
						 .theta = {w[0], w[1], w[2], w[3]},
						 .covariance = {NAN},
						 .spend = CRM_CLV_MEAN};
	CrmClvParam param = {.horizon = w[7], .discount = w[8], .margin = 1.0, .level = 0.9};
	CrmClvCustomer customer = {w[4], w[5], w[6], w[4] > 0.0 ? 1.0 : NAN, 1.0};
	CrmClvValue value = {.clv = NAN, .residual = NAN};
	CrmClvScorer *scorer;

	if (crm_clv_begin(ctx, &model, &param, &scorer) == CRM_OK)
	{
		crm_clv_score(scorer, &customer, &value);
		crm_clv_end(ctx, scorer);
	}
	return value;
}

/* Hold one model against its rows of mpmath. */
static void
test_golden(CrmCtx *ctx, CrmClvKind kind, const char *model, const double (*rows)[17], size_t n)
{
	Worst likelihood = {0}, alive = {0}, orders = {0}, part = {0}, all = {0}, any = {0}, pmf = {0};
	Worst worth = {0}, residual = {0}, count = {0}, chance = {0};

	for (size_t i = 0; i < n; i++)
	{
		const double *w = rows[i];
		CrmClvValue value = score(ctx, kind, w);

		note(&count, i, value.expected_orders, w[10] * w[11]);
		note(&chance, i, value.p_any_order, w[14]);
		if (w[12] > 0.0)
			note(&worth, i, value.clv, w[10] * w[12]);
		if (w[13] > 0.0)
			note(&residual, i, value.residual, w[10] * w[13]);
		note(&likelihood, i, log_likelihood(ctx, kind, w, w[4], w[5], w[6]), w[9]);
		note(&alive, i, crm_clv_p_alive(kind, w, w[4], w[5], w[6]), w[10]);
		note(&orders, i, crm_clv_orders_if_alive(kind, w, w[4], w[6], w[7]), w[11]);
		if (w[12] > 0.0)
			note(&part, i, discounted(kind, w, w[4], w[6], w[7], w[8]), w[12]);
		if (w[13] > 0.0)
			note(&all, i, discounted(kind, w, w[4], w[6], INFINITY, w[8]), w[13]);
		note(&any, i, any_order(kind, w, w[4], w[5], w[6], w[7]), w[14]);
		note(&pmf, i, crm_clv_pmf(kind, w, w[15], w[7]), w[16]);
	}
	is_within(&likelihood, TOLERANCE, model, "log-likelihood");
	is_within(&alive, TOLERANCE, model, "P(alive)");
	is_within(&orders, TOLERANCE, model, "orders");
	is_within(&part, TOLERANCE, model, "discounted orders");
	is_within(&all, TOLERANCE, model, "residual orders");
	is_within(&any, TOLERANCE, model, "P(any order)");
	is_within(&pmf, TOLERANCE, model, "P(X = n)");
	is_within(&count, TOLERANCE, model, "orders by crm.clv");
	is_within(&chance, TOLERANCE, model, "P(any order) by crm.clv");
	is_within(&worth, TOLERANCE, model, "value by crm.clv");
	is_within(&residual, TOLERANCE, model, "residual value by crm.clv");
}

static void
test_spend(CrmCtx *ctx)
{
	Worst likelihood = {0}, expected = {0};

	for (size_t i = 0; i < sizeof spend / sizeof spend[0]; i++)
	{
		const double *w = spend[i];
		CrmGammaGamma model = {w[0], w[1], w[2]};
		CrmGammaGammaData data = {.x = &w[3], .mean = &w[4], .n = 1};
		CrmBtyd rows;
		double value = NAN;

		if (crm_gammagamma_collapse(ctx, &data, &rows) == CRM_OK)
			(void) crm_gammagamma_log_likelihood(ctx, &rows, &model, &value, NULL);
		crm_btyd_free(ctx, &rows);
		note(&likelihood, i, value, w[5]);
		note(&expected, i, crm_gammagamma_expected_value(&model, w[3], w[4]), w[6]);
	}
	is_within(&likelihood, TOLERANCE, "Gamma-Gamma", "log-likelihood");
	is_within(&expected, TOLERANCE, "Gamma-Gamma", "expected value");
}

static void
test_renewals(void)
{
	Worst survival = {0}, plain = {0}, all = {0};

	for (size_t i = 0; i < sizeof renewals / sizeof renewals[0]; i++)
	{
		const double *w = renewals[i];
		CrmSbgModel model = {w[0], w[1]};

		note(&survival, i, crm_sbg_survival(&model, 0.0, w[2]), w[5]);
		note(&plain, i, crm_sbg_renewals(&model, w[2], w[3], 0.0), w[6]);
		note(&all, i, crm_sbg_renewals(&model, w[2], w[3], w[4]), w[7]);
	}
	is_within(&survival, TOLERANCE, "sBG", "survival");
	is_within(&plain, TOLERANCE, "sBG", "renewals");
	is_within(&all, TOLERANCE, "sBG", "discounted renewals");
}

/* Give a number whose logarithm to base 10 is uniform. */
static double
draw_scale(CrmRng *rng, double low, double high)
{
	return pow(10.0, low + (high - low) * crm_rng_uniform(rng));
}

/* Say what is wrong with what a model tells of a customer; NULL: nothing. Rate 0: discounts not. */
static const char *
find_fault(CrmClvKind kind, const double *theta, double x, double t_x, double t, double horizon,
		   double rate)
{
	double alive = crm_clv_p_alive(kind, theta, x, t_x, t);
	double orders = crm_clv_orders_if_alive(kind, theta, x, t, horizon);
	double more = crm_clv_orders_if_alive(kind, theta, x, t, 2.0 * horizon);
	double any = any_order(kind, theta, x, t_x, t, horizon);
	double pmf = crm_clv_pmf(kind, theta, x, floor(horizon));
	double part = rate > 0.0 ? discounted(kind, theta, x, t, horizon, rate) : 0.0;
	double all = rate > 0.0 ? discounted(kind, theta, x, t, INFINITY, rate) : 0.0;
	double slack = 1.0 + TOLERANCE;

	if (!(alive >= 0.0 && alive <= 1.0))
		return "P(alive)";
	if (!(orders >= 0.0 && orders < INFINITY))
		return "orders";
	if (!(more * slack >= orders && more < INFINITY))
		return "orders of twice the horizon";
	if (!(any >= 0.0 && any <= alive * slack && any <= alive * orders * slack + 1e-15))
		return "P(any order)";
	if (!(pmf >= 0.0 && pmf <= 1.0))
		return "P(X = n)";
	if (!(part >= 0.0 && part <= orders * slack))
		return "discounted orders";
	if (!(all * slack >= part && all < INFINITY))
		return "residual orders";
	return NULL;
}

/* Ask a model of n random customers of random parameters. */
static void
sweep(CrmClvKind kind, const char *model, uint64_t seed, int n)
{
	CrmRng rng;
	int faults = 0;

	crm_rng_seed(&rng, seed, 3);
	for (int i = 0; i < n; i++)
	{
		double span = i / 1000 % 2 == 0 ? 1.0 : 5.0, theta[4];
		double t = draw_scale(&rng, -1.0, 4.0), x, t_x, horizon = draw_scale(&rng, -2.0, 4.0);
		double rate = i % 1000 == 0 ? draw_scale(&rng, -6.0, 0.0) : 0.0;
		const char *fault;

		for (int k = 0; k < 4; k++)
			theta[k] = draw_scale(&rng, -span, span);
		x = i / 1000 % 5 == 0 ? 0.0 : floor(draw_scale(&rng, 0.0, 5.0));
		t_x = x > 0.0 ? (i / 1000 % 3 == 0 ? t : t * crm_rng_uniform(&rng)) : 0.0;
		if (kind == CRM_CLV_BGBB)
		{
			t = floor(t) + 1.0;
			horizon = floor(horizon) + 1.0;
			t_x = x > 0.0 ? fmax(1.0, floor(t_x)) : 0.0;
			x = fmin(x, t_x);
		}
		fault = find_fault(kind, theta, x, t_x, t, horizon, rate);
		if (fault != NULL && faults++ < 5)
			printf("# %s: %s at {%.17g, %.17g, %.17g, %.17g}, x %g, t_x %.17g, t %.17g, horizon "
				   "%.17g, rate %.17g\n",
				   model, fault, theta[0], theta[1], theta[2], theta[3], x, t_x, t, horizon, rate);
	}
	ok(faults == 0, "%s: %d of %d random customers have something impossible", model, faults, n);
}

#define GOLDEN(kind, name, rows)                                                                   \
	test_golden(ctx, kind, name, (const double(*)[17]) rows, sizeof rows / sizeof rows[0])

int
main(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);

	GOLDEN(CRM_CLV_BGNBD, "BG/NBD", bgnbd);
	GOLDEN(CRM_CLV_MBGNBD, "MBG/NBD", mbgnbd);
	GOLDEN(CRM_CLV_PARETONBD, "Pareto/NBD", paretonbd);
	GOLDEN(CRM_CLV_BGBB, "BG/BB", bgbb);
	test_spend(ctx);
	test_renewals();
	sweep(CRM_CLV_BGNBD, "BG/NBD", 1, SWEEP);
	sweep(CRM_CLV_MBGNBD, "MBG/NBD", 2, SWEEP);
	sweep(CRM_CLV_PARETONBD, "Pareto/NBD", 3, SWEEP);
	sweep(CRM_CLV_BGBB, "BG/BB", 4, SWEEP / 3);
	is_clean(&tap, "the grid");
	return tap_done();
}
