/*
 * Tests of kernel/cox_concordance.c against all pairs, and its variance against the derivative by
 * each row's weight, on random rows with ties.
 */
#include "tap.h"

#include "kernel/base/rng.h"
#include "kernel/cox_concordance.h"

#define N 300

static double at[N], event[N], entry[N], stratum[N], score[N];

/* The infinitesimal jackknife by its definition. */
static double
jackknife(double pair[N][2], const CrmConcordance *count)
{
	double all = (double) (count->concordant + count->discordant + count->tied), sum = 0;
	double c = ((double) count->concordant + 0.5 * (double) count->tied) / all;

	for (int i = 0; i < N; i++)
		sum += pow((pair[i][0] - c * pair[i][1]) / all, 2);
	return sum;
}

int
main(void)
{
	static double pair[N][2]; /* concordant with half of the tied, and all */
	CrmRng rng;

	crm_rng_seed(&rng, 21, 0);
	for (int round = 0; round < 8; round++)
	{
		TapContext tap;
		CrmCtx *ctx = tap_context(&tap);
		CrmCoxData data = {.time = at, .event = event, .n = N};
		CrmCoxPass pass;
		CrmConcordance got, want = {0};

		for (int i = 0; i < N; i++)
		{
			entry[i] = floor(crm_rng_uniform(&rng) * 10);
			at[i] = entry[i] + 1 + floor(crm_rng_uniform(&rng) * 30);
			event[i] = crm_rng_uniform(&rng) < 0.5;
			stratum[i] = floor(crm_rng_uniform(&rng) * 3) - 1;
		}
		data.entry = round % 2 == 1 ? entry : NULL;
		data.stratum = round % 4 >= 2 ? stratum : NULL;
		is_int(crm_cox_pass_begin(ctx, &data, true, &pass), CRM_OK, "rows are sorted");
		for (int i = 0; i < N; i++) /* of the position */
			score[i] = floor(crm_rng_uniform(&rng) * (round < 4 ? 5 : 1000));
		is_int(crm_concordance(&pass, score, &got), CRM_OK, "counts");
		memset(pair, 0, sizeof pair);
		for (int i = 0; i < N; i++)
			for (int k = 0; k < N; k++)
			{
				uint32_t a = pass.order[i], b = pass.order[k];

				if (event[a] == 0 || i == k || (data.stratum != NULL && stratum[a] != stratum[b]) ||
					(data.entry != NULL && entry[b] >= at[a]) ||
					!(at[b] > at[a] || (at[b] == at[a] && event[b] == 0)))
					continue;
				want.concordant += score[i] > score[k];
				want.discordant += score[i] < score[k];
				want.tied += score[i] == score[k];
				pair[i][0] += (score[i] > score[k]) + 0.5 * (score[i] == score[k]);
				pair[k][0] += (score[i] > score[k]) + 0.5 * (score[i] == score[k]);
				pair[i][1]++;
				pair[k][1]++;
			}
		ok(got.concordant == want.concordant && got.discordant == want.discordant &&
			   got.tied == want.tied,
		   "round %d: %lld, %lld and %lld pairs as by the definition", round,
		   (long long) want.concordant, (long long) want.discordant, (long long) want.tied);
		is_close(got.variance, jackknife(pair, &want), 1e-12, "and the variance");
		crm_cox_pass_free(&pass);
		is_clean(&tap, "concordance");
	}
	return tap_done();
}
