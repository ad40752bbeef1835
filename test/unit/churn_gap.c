/*
 * churn_gap.c: unit tests of the chance of churn by silence and rhythm: against the definition of
 * isotonic regression on random counts, and planted chances are found.
 */
#include "kernel/base/rng.h"
#include "kernel/churn_gap.h"
#include "tap.h"

#define ROWS 40000

static double silence[ROWS], mean_gap[ROWS];
static bool churned[ROWS];

/* Draw customers: every fifth came once; chances rise with silence over gap, but not by much. */
static void
draw(uint64_t seed)
{
	CrmRng rng;

	crm_rng_seed(&rng, seed, 0);
	for (int i = 0; i < ROWS; i++)
	{
		mean_gap[i] = i % 5 == 0 ? NAN : exp(6.0 * crm_rng_uniform(&rng));
		silence[i] = exp(7.0 * crm_rng_uniform(&rng) - 1.0);
		churned[i] = crm_rng_uniform(&rng) <
					 0.3 + 0.4 * silence[i] / (silence[i] + (i % 5 == 0 ? 90.0 : mean_gap[i]));
	}
}

/* Give the smoothed chance of each bin before it is made to rise, and its weight, by the text. */
static void
count_bins(int group, double horizon, double *p, double *weight)
{
	double count[CRM_CHURN_BINS] = {0}, yes[CRM_CHURN_BINS] = {0}, rows = 0, all = 0, own = 0,
		   own_yes = 0;
	double base, p_group;

	for (int i = 0; i < ROWS; i++)
	{
		bool once = isnan(mean_gap[i]);
		double unit = once ? horizon : mean_gap[i];
		int g = once ? 0
					 : 1 + (int) fmin(fmax(floor((log2(mean_gap[i] / horizon) + 6.0) * 2.0), 0.0),
									  CRM_CHURN_GROUPS - 2);
		int b =
			(int) fmin(fmax(floor((log2(silence[i] / unit) + 5.0) * 4.0), 0.0), CRM_CHURN_BINS - 1);

		rows++;
		all += churned[i];
		if (g != group)
			continue;
		count[b]++;
		yes[b] += churned[i];
		own++;
		own_yes += churned[i];
	}
	base = (all + 0.5) / (rows + 1.0);
	p_group = (own_yes + 20.0 * base) / (own + 20.0);
	for (int b = 0; b < CRM_CHURN_BINS; b++)
	{
		weight[b] = count[b] + 2.0;
		p[b] = (yes[b] + 2.0 * p_group) / weight[b];
	}
}

/* Give the isotonic regression at i by its formula: max over j <= i of min over k >= i of the mean
 * of j .. k. */
static double
isotonic(const double *p, const double *weight, int i)
{
	double best = -INFINITY;

	for (int j = 0; j <= i; j++)
	{
		double least = INFINITY;

		for (int k = i; k < CRM_CHURN_BINS; k++)
		{
			double sum = 0.0, total = 0.0;

			for (int m = j; m <= k; m++)
			{
				sum += p[m] * weight[m];
				total += weight[m];
			}
			least = fmin(least, sum / total);
		}
		best = fmax(best, least);
	}
	return best;
}

/* Fill a table, forwards or backwards. */
static void
fill(CrmChurnGap *gap, double horizon, bool backwards)
{
	crm_churn_gap_begin(gap, horizon);
	for (int i = 0; i < ROWS; i++)
	{
		int k = backwards ? ROWS - 1 - i : i;

		crm_churn_gap_add(gap, silence[k], mean_gap[k], churned[k]);
	}
	crm_churn_gap_finish(gap);
}

/* The table against the definition. */
static void
test_definition(void)
{
	static CrmChurnGap gap, again;

	draw(1);
	fill(&gap, 90.0, false);
	fill(&again, 90.0, true);
	ok(memcmp(&gap, &again, sizeof gap) == 0, "the order of rows does not matter");
	for (int g = 0; g < CRM_CHURN_GROUPS; g += 3)
	{
		double p[CRM_CHURN_BINS], weight[CRM_CHURN_BINS], worst = 0.0;

		count_bins(g, 90.0, p, weight);
		for (int b = 0; b < CRM_CHURN_BINS; b++)
			worst = fmax(worst, fabs(gap.p[g][b] - isotonic(p, weight, b)));
		ok(worst < 1e-12, "group %d is the isotonic regression of its bins: %g off", g, worst);
	}
}

/* Chances rise with the silence, are chances, and sum to what was seen. */
static void
test_scores(void)
{
	static CrmChurnGap gap;
	CrmChurnGapScore score;
	double predicted = 0.0, actual = 0.0, worst = 0.0;
	bool rises = true, is_chance = true;

	draw(2);
	fill(&gap, 90.0, false);
	for (int i = 0; i < 300; i++)
	{
		double m = i % 10 == 0 ? NAN : exp(i / 40.0 - 1.0), last = 0.0;

		for (double s = 0.0; s < 5000.0; s += 7.3)
		{
			crm_churn_gap_score(&gap, s, m, &score);
			rises &= score.p >= last;
			is_chance &= score.p > 0.0 && score.p < 1.0;
			last = score.p;
		}
	}
	ok(rises, "no chance falls as the silence grows");
	ok(is_chance, "chances lie between 0 and 1");
	for (int i = 0; i < ROWS; i++)
	{
		double truth = 0.3 + 0.4 * silence[i] / (silence[i] + (i % 5 == 0 ? 90.0 : mean_gap[i]));

		crm_churn_gap_score(&gap, silence[i], mean_gap[i], &score);
		predicted += score.p;
		actual += churned[i];
		worst += fabs(score.p - truth) / ROWS;
	}
	ok(fabs(predicted / actual - 1.0) < 0.01, "as many as have churned: %g of %g", predicted,
	   actual);
	ok(worst < 0.03, "planted chances are found: %g off on average", worst);
	for (double s = 0.0; s < 1000.0; s += 1.3)
	{
		crm_churn_gap_score(&gap, s, 20.0, &score);
		rises &= score.silence >= 0.0;
	}
	ok(rises, "silence never speaks against churn");
	crm_churn_gap_score(&gap, 40.0, 20.0, &score);
	is_near(log(gap.base / (1.0 - gap.base)) + score.rhythm + score.silence,
			log(score.p / (1.0 - score.p)), 1e-12, "rhythm and silence add up");
}

/* No row, no churner, nobody else. */
static void
test_edges(void)
{
	static CrmChurnGap gap;
	CrmChurnGapScore score;

	crm_churn_gap_begin(&gap, 30.0);
	crm_churn_gap_finish(&gap);
	crm_churn_gap_score(&gap, 10.0, 10.0, &score);
	is_near(score.p, 0.5, 1e-15, "no row: even chances");
	for (int yes = 0; yes < 2; yes++)
	{
		crm_churn_gap_begin(&gap, 30.0);
		for (int i = 0; i < 100; i++)
			crm_churn_gap_add(&gap, i, 10.0, yes);
		crm_churn_gap_finish(&gap);
		for (double s = 0.0; s < 1e9; s = 2.0 * s + 1.0)
		{
			crm_churn_gap_score(&gap, s, 10.0, &score);
			ok(yes ? score.p > 0.98 && score.p < 1.0 : score.p < 0.02 && score.p > 0.0,
			   "all rows %d: %g at a silence of %g", yes, score.p, s);
		}
	}
	crm_churn_gap_begin(&gap, 30.0);
	crm_churn_gap_add(&gap, 0.0, 1e-300, true);
	crm_churn_gap_add(&gap, 1e300, 1e300, false);
	crm_churn_gap_add(&gap, 0.0, 0.0, false);
	crm_churn_gap_finish(&gap);
	crm_churn_gap_score(&gap, 1e300, 1e-300, &score);
	ok(score.p > 0.0 && score.p < 1.0, "extreme times");
}

int
main(void)
{
	test_definition();
	test_scores();
	test_edges();
	return tap_done();
}
