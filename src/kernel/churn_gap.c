/*
 * churn_gap.c: the chance of churn by silence and rhythm; see churn_gap.h.
 */
#include "kernel/churn_gap.h"

#include <math.h>
#include <string.h>

#define GROUP       20.0 /* rows of everybody that a group counts besides its own */
#define BIN         2.0  /* rows of its group that a bin counts besides its own */
#define GROUP_FIRST (-6.0)
#define GROUP_WIDTH 0.5
#define BIN_FIRST   (-5.0)
#define BIN_WIDTH   0.25

/* Begin an empty table for a horizon in days, above zero. */
void
crm_churn_gap_begin(CrmChurnGap *gap, double horizon)
{
	memset(gap, 0, sizeof *gap);
	gap->horizon = horizon;
}

/* Give a number of steps within [0, n - 1]. */
static int
clamp(double steps, int n)
{
	return steps < 1.0 ? 0 : steps >= n - 1 ? n - 1 : (int) steps;
}

/* Give the group of a mean gap, NaN for a customer who came once, and the unit of the silence. */
static int
find_group(const CrmChurnGap *gap, double mean_gap, double *unit)
{
	bool has_gap = mean_gap > 0.0;

	*unit = has_gap ? mean_gap : gap->horizon;
	return has_gap ? 1 + clamp((log2(mean_gap / gap->horizon) - GROUP_FIRST) / GROUP_WIDTH,
							   CRM_CHURN_GROUPS - 1)
				   : 0;
}

/* Give where a silence stands among the bins: i up to i + 1 is bin i. */
static double
find_place(double silence, double unit)
{
	return (log2(fmax(silence, 1e-6) / unit) - BIN_FIRST) / BIN_WIDTH;
}

/* Count a customer of the past: days of silence at the cut, mean gap in days or NaN. */
void
crm_churn_gap_add(CrmChurnGap *gap, double silence, double mean_gap, bool churned)
{
	double unit;
	int group = find_group(gap, mean_gap, &unit);
	int bin = clamp(find_place(silence, unit), CRM_CHURN_BINS);

	gap->rows++;
	gap->churned += churned;
	gap->count[group][bin]++;
	gap->yes[group][bin] += churned;
}

/* Make a curve rise: pool neighbours that do not, by weight. */
static void
make_rise(double *p, const double *weight, int n)
{
	double sum[CRM_CHURN_BINS], total[CRM_CHURN_BINS];
	int length[CRM_CHURN_BINS], blocks = 0;

	for (int i = 0; i < n; i++)
	{
		sum[blocks] = p[i] * weight[i];
		total[blocks] = weight[i];
		length[blocks++] = 1;
		while (blocks > 1 &&
			   sum[blocks - 2] * total[blocks - 1] >= sum[blocks - 1] * total[blocks - 2])
		{
			blocks--;
			sum[blocks - 1] += sum[blocks];
			total[blocks - 1] += total[blocks];
			length[blocks - 1] += length[blocks];
		}
	}
	for (int b = 0, i = 0; b < blocks; b++)
		for (int k = 0; k < length[b]; k++)
			p[i++] = sum[b] / total[b];
}

/* Turn the counts into chances. */
void
crm_churn_gap_finish(CrmChurnGap *gap)
{
	gap->base = ((double) gap->churned + 0.5) / ((double) gap->rows + 1.0);
	for (int g = 0; g < CRM_CHURN_GROUPS; g++)
	{
		double weight[CRM_CHURN_BINS], count = 0.0, yes = 0.0, own;

		for (int b = 0; b < CRM_CHURN_BINS; b++)
		{
			count += gap->count[g][b];
			yes += gap->yes[g][b];
		}
		own = (yes + GROUP * gap->base) / (count + GROUP);
		for (int b = 0; b < CRM_CHURN_BINS; b++)
		{
			weight[b] = gap->count[g][b] + BIN;
			gap->p[g][b] = (gap->yes[g][b] + BIN * own) / weight[b];
		}
		make_rise(gap->p[g], weight, CRM_CHURN_BINS);
	}
}

/* Give ln(p / (1 - p)). */
static double
logit(double p)
{
	return log(p / (1.0 - p));
}

/* Score a customer: days of silence, mean gap in days or NaN. */
void
crm_churn_gap_score(const CrmChurnGap *gap, double silence, double mean_gap,
					CrmChurnGapScore *score)
{
	double unit;
	int group = find_group(gap, mean_gap, &unit);
	double place = find_place(silence, unit) - 0.5; /* bin i's middle is at i */
	const double *p = gap->p[group];
	int low = clamp(place, CRM_CHURN_BINS);
	double share = fmin(fmax(place - low, 0.0), 1.0);

	if (low == CRM_CHURN_BINS - 1)
		score->p = p[low];
	else
		score->p = p[low] + share * (p[low + 1] - p[low]);
	score->rhythm = logit(p[0]) - logit(gap->base);
	score->silence = logit(score->p) - logit(p[0]);
}
