/*
 * Tests of kernel/cox_pass.c against the definition of Efron's and Breslow's likelihoods, summed
 * over all pairs in long double, and its derivatives by differences.
 */
#include "tap.h"

#include "kernel/base/rng.h"
#include "kernel/cox_pass.h"

#define N 150
#define D 3

static double column[D][N], at[N], event[N], entry[N], stratum[N];

/* Give the log-likelihood by its definition. */
static long double
define(const CrmCoxData *data, const CrmCoxPass *pass, const double *beta)
{
	long double sum = 0, eta[N];

	for (int i = 0; i < N; i++)
	{
		eta[i] = 0;
		for (int j = 0; j < D; j++)
			eta[i] += beta[j] * ((long double) column[j][i] - pass->mean[j]) / pass->scale[j];
	}
	for (int i = 0; i < N; i++)
	{
		long double risk = 0, leaving = 0;
		int m = 0, before = 0;

		if (event[i] == 0)
			continue;
		for (int k = 0; k < N; k++)
		{
			if (data->stratum != NULL && stratum[k] != stratum[i])
				continue;
			if (at[k] >= at[i] && (data->entry == NULL || entry[k] < at[i]))
				risk += expl(eta[k]);
			if (at[k] == at[i] && event[k] != 0)
			{
				leaving += expl(eta[k]);
				m++;
				before += k < i;
			}
		}
		sum += eta[i] - logl(risk - (pass->efron ? (long double) before / m : 0) * leaving);
	}
	return sum;
}

/* Compare a pass with the definition and with differences of itself. */
static void
test_pass(const CrmCoxData *data, bool efron, const char *name)
{
	static const double beta[D] = {0.3, -0.8, 0.1};
	const double h = 1e-5;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmCoxPass pass;
	double worst = 0, score[D], information[D * D], likelihood;

	is_int(crm_cox_pass_begin(ctx, data, efron, &pass), CRM_OK, "begin");
	ok(tap.ctx.used <= crm_cox_pass_bytes(N, D, data->entry != NULL), "bytes as said");
	is_int(crm_cox_pass_run(&pass, beta), CRM_OK, "run");
	likelihood = pass.log_likelihood;
	is_close(likelihood, (double) define(data, &pass, beta), 1e-13, name);
	memcpy(score, pass.score, sizeof score);
	memcpy(information, pass.information, sizeof information);
	for (int j = 0; j < D; j++)
	{
		double up[D], down[D], high, slope[D];

		memcpy(up, beta, sizeof up);
		memcpy(down, beta, sizeof down);
		up[j] += h;
		down[j] -= h;
		crm_cox_pass_run(&pass, up);
		high = pass.log_likelihood;
		memcpy(slope, pass.score, sizeof slope);
		crm_cox_pass_run(&pass, down);
		worst = fmax(worst, fabs((high - pass.log_likelihood) / (2 * h) - score[j]));
		for (int k = 0; k < D; k++)
			worst =
				fmax(worst, fabs((pass.score[k] - slope[k]) / (2 * h) - information[j * D + k]));
	}
	ok(worst < 1e-5, "%s: score and information are derivatives (%g)", name, worst);
	crm_cox_pass_free(&pass);
	crm_cox_pass_free(&pass);
	is_clean(&tap, name);
}

int
main(void)
{
	CrmCoxData data = {.time = at, .event = event, .n = N, .d = D};
	double *columns[D] = {column[0], column[1], column[2]};
	CrmRng rng;

	crm_rng_seed(&rng, 8, 0);
	for (int i = 0; i < N; i++)
	{
		for (int j = 0; j < D; j++)
			column[j][i] = crm_rng_normal(&rng) * (j + 1) + 10;
		entry[i] = floor(crm_rng_uniform(&rng) * 5);
		at[i] = entry[i] + 1 + floor(crm_rng_exponential(&rng) * 8);
		event[i] = crm_rng_uniform(&rng) < 0.7;
		stratum[i] = i % 2;
	}
	data.columns = columns;
	test_pass(&data, true, "Efron");
	test_pass(&data, false, "Breslow");
	data.entry = entry;
	test_pass(&data, true, "Efron with entries");
	data.stratum = stratum;
	test_pass(&data, true, "Efron with entries and strata");
	test_pass(&data, false, "Breslow with entries and strata");
	return tap_done();
}
