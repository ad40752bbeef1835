/*
 * sbg.c: unit tests of the shifted beta-geometric model: the estimates of Fader and Hardie 2007,
 * doi 10.1002/dir.20074 (.704, 1.182 and .668, 3.806; more digits by scipy's BFGS on their table),
 * its predictions by brute force, discounted expected residual lifetimes by mpmath, the recovery of
 * planted parameters, and how often the interval of a contract's value holds the true one.
 */
#include "host.h"
#include "kernel/base/rng.h"
#include "kernel/sbg.h"

#define YEARS 7

static const double regular[] = {1000, 631, 468, 382, 326, 289, 262, 241};
static const double high_end[] = {1000, 869, 743, 653, 593, 551, 517, 491};

/* Turn survivors into renewed and lost; give the data. */
static CrmSbgData
make_data(const double *survivors, double *lost)
{
	for (int j = 0; j < YEARS; j++)
		lost[j] = survivors[j] - survivors[j + 1];
	return (CrmSbgData){.n = YEARS, .renewed = survivors + 1, .lost = lost};
}

static void
test_published(void)
{
	static const struct
	{
		const char *name;
		const double *survivors;
		double alpha, beta, log_likelihood;
	} known[] = {{"regular", regular, 0.704077319, 1.182043074, -1680.265188},
				 {"high end", high_end, 0.668088387, 3.806095502, -1611.158147}};

	for (int i = 0; i < 2; i++)
	{
		double lost[YEARS];
		CrmSbgData data = make_data(known[i].survivors, lost);
		CrmFit fit;
		Host host;

		ok(crm_sbg_check(&data) == NULL, "%s: data are fine", known[i].name);
		ok(crm_sbg_fit(host_begin(&host), &data, 0.0, &fit) == CRM_OK &&
			   fit.status == CRM_FIT_CONVERGED,
		   "%s: converges", known[i].name);
		is_close(fit.parameter[0], known[i].alpha, 1e-6, known[i].name);
		is_close(fit.parameter[1], known[i].beta, 1e-6, known[i].name);
		is_close(fit.log_likelihood, known[i].log_likelihood, 1e-9, known[i].name);
		host_drop(&host);
	}
}

/* The first two of the published example's quantities, and sums by brute force. */
static void
test_predictions(void)
{
	CrmSbgModel model = {.alpha = 0.668, .beta = 3.806};
	double survival = 1.0, sum = 0.0, discounted = 0.0;

	for (int k = 1; k <= 200; k++)
	{
		survival *= (3.806 + k + 2) / (0.668 + 3.806 + k + 2); /* having renewed 3 times */
		if (k <= 40)
			sum += survival;
		discounted += survival * pow(0.8, k);
	}
	is_close(crm_sbg_retention(&model, 1), 3.806 / 4.474, 1e-15, "retention at the first renewal");
	is_close(crm_sbg_survival(&model, 0, 2), 3.806 * 4.806 / (4.474 * 5.474), 1e-14, "S(2)");
	is_close(crm_sbg_survival(&model, 3, 200), survival, 1e-12, "S(203) / S(3)");
	is_close(crm_sbg_renewals(&model, 3, 40, 0), sum, 1e-13, "renewals in a horizon");
	is_close(crm_sbg_renewals(&model, 3, INFINITY, -log(0.8)), discounted, 1e-13,
			 "discounted residual renewals");
	is_near(crm_sbg_renewals(&model, 3, INFINITY, 0), INFINITY, 0, "no finite residual lifetime");
	is_near(crm_sbg_renewals(&model, 3, 0, 0), 0, 0, "a horizon of nothing");
}

/* Draw subscribers who joined at different times, so that most are censored; 100 seeds. */
static void
test_recovery(void)
{
	int inside = 0, near = 0;

	for (int seed = 1; seed <= 100; seed++)
	{
		double renewed[24] = {0}, lost[24] = {0};
		CrmSbgData data = {.n = 24, .renewed = renewed, .lost = lost};
		const double truth[] = {0.8, 2.5};
		CrmFit fit;
		CrmRng rng;
		Host host;

		crm_rng_seed(&rng, (uint64_t) seed, 0);
		for (int i = 0; i < 20000; i++)
		{
			double theta = crm_rng_beta(&rng, truth[0], truth[1]);
			int met = (int) (crm_rng_uniform(&rng) * 25);

			for (int j = 0; j < met; j++)
				if (crm_rng_uniform(&rng) < theta)
				{
					lost[j]++;
					break;
				}
				else
					renewed[j]++;
		}
		(void) crm_sbg_fit(host_begin(&host), &data, 0.0, &fit);
		for (int k = 0; k < 2; k++)
		{
			double z = log(fit.parameter[k] / truth[k]) / sqrt(fit.covariance[3 * k]);

			near += fabs(z) < 3.0;
			inside += fabs(z) < 1.6448536269514722;
		}
		host_drop(&host);
	}
	/* 199.5 and 180 expected of 200 */
	ok(near >= 197, "%d of 200 estimates are within three standard errors of the truth", near);
	ok(inside >= 168 && inside <= 191, "%d of 200 within the interval of level 0.9", inside);
}

/* Give terms without uncertainty: a period of a year, discount d a year. */
static CrmSbgTerms
make_terms(double alpha, double beta, double d)
{
	return (CrmSbgTerms){
		.model = {alpha, beta}, .discount = log1p(d), .years = 1.0, .margin = 1.0, .level = 0.9};
}

/* Value one contract. */
static CrmSbgValue
value_one(const CrmSbgTerms *terms, CrmSbgContract contract)
{
	CrmSbgScorer *scorer;
	CrmSbgValue value = {0};
	Host host;
	CrmCtx *ctx = host_begin(&host);

	(void) crm_sbg_begin(ctx, terms, &scorer);
	crm_sbg_add(scorer, &contract, &value);
	crm_sbg_finish(scorer, &value);
	crm_sbg_end(ctx, scorer);
	ok(host_is_balanced(&host) && host.held == 0, "a scorer leaves nothing");
	host_drop(&host);
	return value;
}

/*
 * DERL of Fader and Hardie 2010 at .668, 3.806 of a customer about to make renewal n, its first
 * payment not discounted: (beta + n - 1) / (alpha + beta + n - 1) 2F1(1, beta + n; alpha + beta +
 * n; 1 / (1 + d)) by mpmath with 30 digits, which its sum agreed with.
 */
static void
test_residual_lifetime(void)
{
	static const double known[][3] = {{1, 0.1, 5.4148560483740405746},
									  {3, 0.1, 6.2942606167931854194},
									  {8, 0.1, 7.5299495309109695282},
									  {1, 0.05, 8.1290950851670414379}};

	for (int i = 0; i < 4; i++)
	{
		CrmSbgTerms terms = make_terms(0.668, 3.806, known[i][1]);
		CrmSbgValue value = value_one(&terms, (CrmSbgContract){known[i][0] - 1, 5, 0, 1});
		CrmSbgValue later = value_one(&terms, (CrmSbgContract){known[i][0] - 1, 5, 0.25, 10});

		is_close(value.residual, known[i][2], 1e-12, "DERL");
		is_close(later.residual, 10 * known[i][2] * pow(1 + known[i][1], -0.25), 1e-12,
				 "what waits a quarter of a year");
	}
}

/* Values, their slopes by differences, two contracts of a customer, and the median's definition. */
static void
test_values(void)
{
	CrmSbgTerms terms = make_terms(0.9, 2.3, 0.2);
	CrmSbgContract one = {2, 30, 0.4, 7}, two = {11, 4, 0.9, 3};
	CrmSbgValue first, second, both = {0}, varied[4];
	CrmSbgScorer *scorer;
	Host host;
	double sum = 0, chance = 1, variance;

	terms.margin = 0.5;
	terms.years = 0.75;
	terms.covariance[0] = 0.04;
	terms.covariance[1] = terms.covariance[2] = 0.01;
	terms.covariance[3] = 0.09;
	for (int k = 1; k <= 30; k++)
	{
		chance *= crm_sbg_retention(&terms.model, 2 + k);
		sum += 0.5 * 7 * chance * pow(1.2, -(0.4 + 0.75 * (k - 1)));
	}
	first = value_one(&terms, one);
	second = value_one(&terms, two);
	is_close(first.clv, sum, 1e-13, "a contract's value by its definition");
	is_close(first.renewals, crm_sbg_renewals(&terms.model, 2, 30, 0), 1e-15, "its renewals");
	for (int i = 0; i < 4; i++)
	{
		CrmSbgTerms other = terms;
		double *of = i / 2 == 0 ? &other.model.alpha : &other.model.beta;

		*of *= exp(i % 2 == 0 ? 1e-5 : -1e-5);
		varied[i] = value_one(&other, one);
	}
	for (int i = 0; i < 2; i++)
		is_close(first.slope[i], (varied[2 * i].clv - varied[2 * i + 1].clv) / 2e-5, 1e-8,
				 "slope by differences");
	(void) crm_sbg_begin(host_begin(&host), &terms, &scorer);
	crm_sbg_add(scorer, &one, &both);
	crm_sbg_add(scorer, &two, &both);
	crm_sbg_finish(scorer, &both);
	crm_sbg_end(&host.tap.ctx, scorer);
	host_drop(&host);
	is_close(both.clv, first.clv + second.clv, 1e-15, "a customer's contracts add up");
	is_close(both.retention, 0.5 * (first.retention + second.retention), 1e-15, "mean retention");
	variance = 0.04 * pow(first.slope[0] + second.slope[0], 2) +
			   0.02 * (first.slope[0] + second.slope[0]) * (first.slope[1] + second.slope[1]) +
			   0.09 * pow(first.slope[1] + second.slope[1], 2);
	is_close(log(both.high / both.low), 2 * 1.6448536269514722 * sqrt(variance) / both.clv, 1e-12,
			 "their interval takes the parameters for the same");
	for (int n = 0; n < 40; n += 3)
	{
		double median = crm_sbg_median(&terms.model, n);

		ok(crm_sbg_survival(&terms.model, n, median) <= 0.5 &&
			   crm_sbg_survival(&terms.model, n, median - 1) > 0.5,
		   "half are lost by renewal %g after %d", median, n);
	}
	is_near(crm_sbg_median(&(CrmSbgModel){1e-5, 1e5}, 0), INFINITY, 0, "who never leaves");
}

/*
 * 200 cohorts of 1500 subscribers: how often the interval of level 0.9 holds the value at the true
 * parameters, mean over contracts of age 0 to 11. Contracts of a cohort share their estimate, so
 * the mean has the standard error of 200 cohorts at most, sqrt(.9 x .1 / 200) = 0.021; bounds are 3
 * of them.
 */
static void
test_coverage(void)
{
	int inside = 0, all = 0;

	for (int seed = 1; seed <= 200; seed++)
	{
		double renewed[12] = {0}, lost[12] = {0};
		CrmSbgData data = {.n = 12, .renewed = renewed, .lost = lost};
		CrmSbgTerms truth = make_terms(0.8, 2.5, 0.1), found = truth;
		CrmFit fit;
		CrmRng rng;
		Host host;

		crm_rng_seed(&rng, (uint64_t) seed, 7);
		for (int i = 0; i < 1500; i++)
		{
			double theta = crm_rng_beta(&rng, 0.8, 2.5);
			int met = (int) (crm_rng_uniform(&rng) * 13), j = 0;

			for (; j < met && crm_rng_uniform(&rng) >= theta; j++)
				renewed[j]++;
			if (j < met)
				lost[j]++;
		}
		(void) crm_sbg_estimate(host_begin(&host), &data, 0.0, &fit);
		host_drop(&host);
		found.model = (CrmSbgModel){fit.parameter[0], fit.parameter[1]};
		memcpy(found.covariance, fit.covariance, sizeof found.covariance);
		for (int n = 0; n < 12; n++)
		{
			CrmSbgContract contract = {n, 12, 0.5, 1};
			CrmSbgScorer *scorer;
			CrmSbgValue want = {0}, got = {0};

			(void) crm_sbg_begin(host_begin(&host), &truth, &scorer);
			crm_sbg_add(scorer, &contract, &want);
			crm_sbg_end(&host.tap.ctx, scorer);
			(void) crm_sbg_begin(&host.tap.ctx, &found, &scorer);
			crm_sbg_add(scorer, &contract, &got);
			crm_sbg_finish(scorer, &got);
			crm_sbg_end(&host.tap.ctx, scorer);
			host_drop(&host);
			inside += got.low <= want.clv && want.clv <= got.high;
			all++;
		}
	}
	is_near((double) inside / all, 0.9, 0.064, "the interval of level 0.9 holds the true value");
	printf("# %.4f of %d\n", (double) inside / all, all);
}

/* Too few contracts for a fit: the churn that they saw, or nothing. */
static void
test_estimate(void)
{
	double renewed[3] = {2, 2, 1}, lost[3] = {0, 0, 1}, none[3] = {0};
	CrmSbgData few = {.n = 3, .renewed = renewed, .lost = lost};
	CrmSbgData nobody = {.n = 3, .renewed = none, .lost = none};
	CrmFit fit;
	Host host;
	CrmCtx *ctx = host_begin(&host);

	ok(crm_sbg_estimate(ctx, &few, 0.0, &fit) == CRM_OK && fit.status == CRM_FIT_INSUFFICIENT &&
		   fit.n == 0,
	   "two contracts are too few");
	is_close(fit.parameter[1] / (fit.parameter[0] + fit.parameter[1]), 5.0 / 6.0, 1e-14,
			 "the share of renewals made");
	ok(crm_sbg_estimate(ctx, &nobody, 0.0, &fit) == CRM_OK && isnan(fit.parameter[0]) &&
		   isnan(crm_sbg_median(&(CrmSbgModel){fit.parameter[0], fit.parameter[1]}, 0)),
	   "nobody met a renewal: nothing is known");
	host_drop(&host);
}

static void
test_extremes(void)
{
	double none[3] = {0}, some[3] = {10, 10, 10}, bad[3] = {1, NAN, 0};
	CrmSbgData all_stay = {.n = 3, .renewed = some, .lost = none};
	CrmSbgData all_go = {.n = 1, .renewed = none, .lost = some};
	CrmSbgData nobody = {.n = 3, .renewed = none, .lost = none};
	CrmSbgData wrong = {.n = 3, .renewed = bad, .lost = none};
	CrmFit fit;
	Host host;
	CrmCtx *ctx = host_begin(&host);

	ok(crm_sbg_fit(ctx, &all_stay, 0.0, &fit) == CRM_OK && fit.log_likelihood > -1e-2 &&
		   fit.status == CRM_FIT_AT_BOUND && fit.parameter[1] > 1000 * fit.parameter[0],
	   "all stay: a churn of nothing");
	ok(crm_sbg_fit(ctx, &all_go, 0.0, &fit) == CRM_OK && fit.log_likelihood > -1e-2 &&
		   fit.status == CRM_FIT_AT_BOUND && fit.parameter[0] > 1000 * fit.parameter[1],
	   "all go: a churn of one");
	ok(crm_sbg_fit(ctx, &nobody, 0.0, &fit) == CRM_DOMAIN, "nobody met a renewal");
	ok(crm_sbg_check(&wrong) != NULL, "NaN is refused");
	ok(host_is_balanced(&host), "memory is accounted for");
	host.tap.abort_at = 1;
	ok(crm_sbg_fit(ctx, &all_stay, 0.0, &fit) == CRM_ABORTED, "stops when asked");
	host_drop(&host);
}

int
main(void)
{
	test_published();
	test_predictions();
	test_residual_lifetime();
	test_values();
	test_estimate();
	test_recovery();
	test_coverage();
	test_extremes();
	return tap_done();
}
