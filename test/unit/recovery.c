/*
 * recovery.c: do the fits of lifetime value find the parameters that customers were simulated by,
 * are their errors right, and do the intervals of crm.clv hold the true expected value?
 *
 *     recovery [SEEDS CUSTOMERS SETS CUSTOMERS_OF_A_SET]       0 SEEDS or SETS: not that part
 *
 * Without arguments it is a unit test of a few seconds; test/bench/recovery runs it at full size.
 * Customers come from kernel/simulate.h, which test/unit/simulate.c holds to closed forms.
 *
 * Recovery: of each model, z = (estimate - truth) / standard error of each parameter on the scale
 * of the search (logarithms; ln(q - 1) for q), and d = z as a whole, (e - t)' S^-1 (e - t), which
 * is chi-squared of k degrees of freedom: the mean of d / k over n fits lies within 1 +- 4 sqrt(2 /
 * (k n)). A gradient that is wrong moves z, a standard error that is wrong by a third moves d.
 * Of 420 z about 1.1 lie outside 3: up to 3 of a model pass.
 *
 * Coverage: of simulated sets of customers, the share whose interval of level 0.9 holds the value
 * at the true parameters, of orders and of spend. Customers of a set share its estimate; so the
 * standard error is that of the sets' shares.
 */
#include "host.h"
#include "kernel/clv.h"
#include "kernel/clv_fit.h"
#include "kernel/sbg.h"
#include "kernel/simulate.h"

#define WEEK    INT64_C(604800000000)
#define COHORTS 12
#define MOST    4 /* parameters */

/* The kinds of clv.h that have parameters, then two more. */
enum
{
	SBG = CRM_CLV_FORMULA,
	GAMMA_GAMMA,
	MODELS
};

static const char *const names[MODELS] = {"bgnbd", "mbgnbd", "paretonbd",
										  "bgbb",  "sbg",    "gamma_gamma"};
static const double sbg_truth[] = {0.668, 3.806};

/* Customers as the models see them. */
typedef struct Cohort
{
	size_t n;
	double *x, *t_x, *t, *mean, *mean_each;
} Cohort;

static double *
numbers(size_t n)
{
	double *values = calloc(n, sizeof *values);

	if (values == NULL)
		exit(2);
	return values;
}

static Cohort
make_cohort(size_t n)
{
	return (Cohort){n, numbers(n), numbers(n), numbers(n), numbers(n), numbers(n)};
}

static void
free_cohort(Cohort *cohort)
{
	free(cohort->x);
	free(cohort->t_x);
	free(cohort->t);
	free(cohort->mean);
	free(cohort->mean_each);
}

/* Give the parameters of simulation of a model: what was published; all customers at the start. */
static CrmSimulateParam
make_param(int model, uint64_t seed, size_t n)
{
	CrmSimulateParam param;

	crm_simulate_defaults(&param);
	crm_simulate_published(&param, model < SBG ? (CrmSimulateModel) model : CRM_SIMULATE_BGNBD);
	param.customers = (int64_t) n;
	param.acquisition = 0;
	param.end_at = (model == CRM_CLV_BGBB ? 24 : 78) * WEEK + 1;
	param.seed = seed;
	param.decimals = 6;
	return param;
}

/* Give the true parameters in the order of the model's fit. */
static void
take_truth(int model, double *truth)
{
	CrmSimulateParam param = make_param(model, 0, 1);
	const double gamma_gamma[] = {param.p, param.q, param.v};
	int n = 0;

	if (model == SBG || model == GAMMA_GAMMA)
	{
		memcpy(truth, model == SBG ? sbg_truth : gamma_gamma,
			   (model == SBG ? 2 : 3) * sizeof *truth);
		return;
	}
	for (int i = 0; i < CRM_SIMULATE_PARAMETERS; i++)
		if (crm_simulate_has(param.model, i))
			truth[n++] = *crm_simulate_parameter(&param, i, NULL);
}

/* Simulate customers who are watched from 78 (BG/BB 24) periods down to eleven fewer. */
static void
simulate(int model, uint64_t seed, Cohort *cohort)
{
	CrmSimulateParam param = make_param(model, seed, cohort->n);
	CrmSimulatedOrder order;
	CrmSimulate state;

	for (size_t i = 0; i < cohort->n; i++)
	{
		cohort->t[i] = (double) ((param.end_at - 1) / WEEK) - (double) (i % COHORTS);
		cohort->x[i] = -1;
		cohort->mean[i] = cohort->mean_each[i] = 0;
	}
	crm_simulate_begin(&state, &param);
	while (crm_simulate_next(&state, &order))
	{
		size_t i = (size_t) order.customer_id - 1;
		double at = (double) order.ordered_at / (double) WEEK;

		if (at > cohort->t[i])
			continue;
		cohort->x[i]++;
		cohort->t_x[i] = at;
		cohort->mean_each[i] += order.amount;
		cohort->mean[i] += cohort->x[i] > 0 ? order.amount : 0;
	}
	for (size_t i = 0; i < cohort->n; i++)
	{
		cohort->mean_each[i] /= cohort->x[i] + 1;
		cohort->mean[i] = cohort->x[i] > 0 ? cohort->mean[i] / cohort->x[i] : NAN;
	}
}

/* Fit sBG to subscribers who had 0 to 24 renewals before them. */
static void
fit_sbg(CrmCtx *ctx, uint64_t seed, size_t n, CrmFit *fit)
{
	double renewed[25] = {0}, lost[25] = {0}, began;
	double *renewals = numbers(n), *gone = numbers(n);
	CrmSbgData data = {.n = 25, .renewed = renewed, .lost = lost};

	for (size_t i = 0; i < n; i++)
	{
		double at = crm_simulate_loss(seed, (int64_t) i + 1, sbg_truth[0], sbg_truth[1], &began);
		double met = floor(25 * began);

		gone[i] = at <= met;
		renewals[i] = gone[i] > 0 ? at - 1 : met;
	}
	crm_sbg_count(renewals, gone, n, 25, renewed, lost);
	if (crm_sbg_fit(ctx, &data, 0.0, fit) != CRM_OK)
		exit(2);
	free(renewals);
	free(gone);
}

/* Fit the models of orders and of spend to a cohort. */
static void
fit_cohort(CrmCtx *ctx, int model, const Cohort *cohort, CrmClvModel *found, CrmFit *orders,
		   CrmFit *spend)
{
	CrmBtydData data = {cohort->x, cohort->t_x, cohort->t, NULL, cohort->n};
	CrmClvSpendData values = {cohort->x, cohort->mean, cohort->mean_each, cohort->n};
	CrmClvFitParam param = {.kind = (CrmClvKind) model};
	CrmClvFit fit;

	if (crm_clv_fit(ctx, &data, &param, &fit) != CRM_OK)
		exit(2);
	crm_clv_take(&fit, found);
	if (crm_clv_fit_spend(ctx, &values, CRM_CLV_GAMMA_GAMMA, found, spend) != CRM_OK)
		exit(2);
	*orders = fit.fit;
}

/* Fit one model to customers of a seed. */
static void
fit_one(int model, uint64_t seed, size_t n, CrmFit *fit)
{
	Cohort cohort = make_cohort(n);
	CrmClvModel found;
	CrmFit other;
	Host host;
	CrmCtx *ctx = host_begin(&host);

	if (model == SBG)
		fit_sbg(ctx, seed, n, fit);
	else
	{
		simulate(model, seed, &cohort);
		fit_cohort(ctx, model == GAMMA_GAMMA ? CRM_CLV_BGNBD : model, &cohort, &found,
				   model == GAMMA_GAMMA ? &other : fit, model == GAMMA_GAMMA ? fit : &other);
	}
	host_drop(&host);
	free_cohort(&cohort);
}

/* Give e' S^-1 e by Cholesky's factor of S. */
static double
mahalanobis(const double *covariance, const double *e, int k)
{
	double lower[MOST][MOST] = {{0}}, y[MOST], sum = 0;

	for (int i = 0; i < k; i++)
	{
		y[i] = e[i];
		for (int j = 0; j <= i; j++)
		{
			double left = covariance[i * k + j];

			for (int m = 0; m < j; m++)
				left -= lower[i][m] * lower[j][m];
			lower[i][j] = i == j ? sqrt(left) : left / lower[j][j];
		}
		for (int j = 0; j < i; j++)
			y[i] -= lower[i][j] * y[j];
		y[i] /= lower[i][i];
		sum += y[i] * y[i];
	}
	return sum;
}

/* Pass when a mean of d / k has the value 1 of right errors. */
static void
is_one(double mean, double degrees, const char *name)
{
	ok(fabs(mean - 1.0) < 4.0 * sqrt(2.0 / degrees), "%s: mean of squared deviations is %.3f", name,
	   mean);
}

static void
test_recovery(int seeds, size_t n)
{
	double all = 0, degrees = 0;
	int outside_all = 0;

	for (int model = 0; model < MODELS; model++)
	{
		int k = model == SBG ? 2 : model == GAMMA_GAMMA ? 3 : 4;
		int outside = 0, converged = 0;
		double truth[MOST], squares[MOST] = {0}, total = 0;

		take_truth(model, truth);
		for (int seed = 1; seed <= seeds; seed++)
		{
			double e[MOST];
			CrmFit fit;

			fit_one(model, (uint64_t) seed, n, &fit);
			converged += fit.status == CRM_FIT_CONVERGED;
			for (int i = 0; i < k; i++)
			{
				double shift = model == GAMMA_GAMMA && i == 1 ? 1.0 : 0.0, z;

				e[i] = log((fit.parameter[i] - shift) / (truth[i] - shift));
				z = e[i] / sqrt(fit.covariance[i * k + i]);
				squares[i] += z * z / seeds;
				outside += !(fabs(z) < 3.0);
			}
			total += mahalanobis(fit.covariance, e, k);
		}
		ok(converged == seeds, "%s: all of %d fits converge", names[model], seeds);
		ok(outside <= 3, "%s: %d of %d estimates outside three standard errors", names[model],
		   outside, seeds * k);
		is_one(total / (k * seeds), k * seeds, names[model]);
		printf("# %s: mean z^2", names[model]);
		for (int i = 0; i < k; i++)
			printf(" %.2f", squares[i]);
		printf("; %d of %d outside\n", outside, seeds * k);
		all += total;
		degrees += k * seeds;
		outside_all += outside;
	}
	is_one(all / degrees, degrees, "all models");
	printf("# %d of %.0f estimates outside three standard errors\n", outside_all, degrees);
}

/* Give the share of a set's customers whose interval holds the value at the true parameters. */
static double
coverage_of(int model, uint64_t seed, size_t n)
{
	Cohort cohort = make_cohort(n);
	CrmClvParam param = {.horizon = model == CRM_CLV_BGBB ? 12 : 52,
						 .discount = log(1.1) / 52,
						 .margin = 1.0,
						 .level = 0.9};
	CrmClvModel found, truth = {.kind = (CrmClvKind) model, .covariance = {NAN}};
	CrmClvScorer *by_fit, *by_truth;
	CrmFit fit, spend;
	size_t inside = 0;
	Host host;
	CrmCtx *ctx = host_begin(&host);

	take_truth(model, truth.theta);
	take_truth(GAMMA_GAMMA, truth.spend_theta);
	simulate(model, seed, &cohort);
	fit_cohort(ctx, model, &cohort, &found, &fit, &spend);
	if (crm_clv_begin(ctx, &found, &param, &by_fit) != CRM_OK ||
		crm_clv_begin(ctx, &truth, &param, &by_truth) != CRM_OK)
		exit(2);
	for (size_t i = 0; i < n; i++)
	{
		CrmClvCustomer customer = {cohort.x[i], cohort.t_x[i], cohort.t[i], cohort.mean[i],
								   cohort.mean_each[i]};
		CrmClvValue got, want;

		crm_clv_score(by_fit, &customer, &got);
		crm_clv_score(by_truth, &customer, &want);
		inside += got.low <= want.clv && want.clv <= got.high;
	}
	crm_clv_end(ctx, by_fit);
	crm_clv_end(ctx, by_truth);
	host_drop(&host);
	free_cohort(&cohort);
	return (double) inside / (double) n;
}

static void
test_coverage(int sets, size_t n)
{
	for (int model = 0; model < CRM_CLV_FORMULA; model++)
	{
		double sum = 0, squares = 0, mean, error;

		for (int set = 1; set <= sets; set++)
		{
			double share = coverage_of(model, 1000 + (uint64_t) set, n);

			sum += share;
			squares += share * share;
		}
		mean = sum / sets;
		error = sqrt(fmax(squares / sets - mean * mean, 0) / (sets - 1));
		ok(fabs(mean - 0.9) < 0.03 + 3 * error,
		   "%s: intervals of level 0.9 hold the true value of %.4f of customers +- %.4f",
		   names[model], mean, error);
		printf("# %s: coverage %.4f, standard error %.4f\n", names[model], mean, error);
	}
}

int
main(int argc, char **argv)
{
	bool full = argc == 5;

	int seeds = full ? atoi(argv[1]) : 8, sets = full ? atoi(argv[3]) : 10;

	if (seeds > 0)
		test_recovery(seeds, full ? (size_t) atol(argv[2]) : 2000);
	if (sets > 1)
		test_coverage(sets, full ? (size_t) atol(argv[4]) : 600);
	return tap_done();
}
