/*
 * sbg.c: unit tests of the shifted beta-geometric model: the estimates of Fader and Hardie 2007,
 * doi 10.1002/dir.20074 (.704, 1.182 and .668, 3.806; more digits by scipy's BFGS on their table),
 * its predictions by brute force, and the recovery of planted parameters.
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
		   fit.parameter[1] > 1000 * fit.parameter[0],
	   "all stay: a churn of nothing");
	ok(crm_sbg_fit(ctx, &all_go, 0.0, &fit) == CRM_OK && fit.log_likelihood > -1e-2 &&
		   fit.parameter[0] > 1000 * fit.parameter[1],
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
	test_recovery();
	test_extremes();
	return tap_done();
}
