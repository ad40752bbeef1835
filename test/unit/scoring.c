/*
 * Tests of kernel/scoring.c. The golden rows are i = 0 to 499 with p = ((37 i + 11) mod 101) / 100
 * and label ((53 i + 17) mod 97) / 97 < p, inverted where i mod 50 = 7. AUC, log-loss, Brier score,
 * precision and recall by scikit-learn 1.9.1 (roc_auc_score, log_loss, brier_score_loss,
 * precision_score, recall_score); calibration by Newton's method in mpmath with 40 digits, and by
 * scikit-learn's LogisticRegression(C=inf, solver="newton-cholesky") to 10 digits.
 */
#include "tap.h"

#include "kernel/base/rng.h"
#include "kernel/scoring.h"

#define ROWS      500
#define TOLERANCE 1e-13

static double p[ROWS], label[ROWS];

/* Fill in the golden rows; without those of p = 0 and p = 1 when `inside`. Gives their number. */
static size_t
make_rows(bool inside)
{
	size_t n = 0;

	for (int i = 0; i < ROWS; i++)
	{
		double chance = ((i * 37 + 11) % 101) / 100.0;
		bool yes = ((i * 53 + 17) % 97) / 97.0 < chance;

		if (inside && (chance <= 0.0 || chance >= 1.0))
			continue;
		p[n] = chance;
		label[n++] = i % 50 == 7 ? !yes : yes;
	}
	return n;
}

static void
test_golden(void)
{
	static const double at[3][3] = {{0.3, 0.67045454545454541, 0.92913385826771655},
									{0.6, 0.81280788177339902, 0.64960629921259838},
									{1.0, 0.80000000000000004, 0.015748031496062992}};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	size_t n = make_rows(false);
	CrmScoring got;
	double precision, recall;

	is_int(crm_scoring(ctx, p, label, n, &got), CRM_OK, "scoring");
	ok(got.n == 500 && got.yes == 254, "rows and yeses");
	is_close(got.base_rate, 0.508, TOLERANCE, "base rate");
	is_close(got.auc, 0.85793963254593186, TOLERANCE, "AUC");
	is_close(got.auc_error, 0.016014376265136736, TOLERANCE, "AUC's error");
	is_close(got.log_loss, 0.52923272290313084, TOLERANCE, "log-loss, clipped");
	is_close(got.brier, 0.15429419999999999, TOLERANCE, "Brier score");
	is_close(got.intercept, 0.040271207876857205849, 1e-9, "calibration intercept, clipped");
	is_close(got.slope, 0.85546480568202322386, 1e-9, "calibration slope, clipped");
	is_close(got.top_lift, 1.889763779527559, TOLERANCE, "lift of the top decile");
	for (int t = 0; t < 3; t++)
	{
		is_int(crm_scoring_threshold(ctx, p, label, n, at[t][0], &precision, &recall), CRM_OK,
			   "a threshold");
		is_close(precision, at[t][1], TOLERANCE, "precision");
		is_close(recall, at[t][2], TOLERANCE, "recall");
	}
	n = make_rows(true);
	is_int((int64_t) n, 490, "rows inside");
	crm_scoring(ctx, p, label, n, &got);
	is_close(got.auc, 0.85625833333333334, TOLERANCE, "AUC inside");
	is_close(got.log_loss, 0.46647491441315975, TOLERANCE, "log-loss inside");
	is_close(got.intercept, 0.061327410259203917698, 1e-9, "calibration intercept inside");
	is_close(got.slope, 1.2057971827067507315, 1e-9, "calibration slope inside");
	is_close(got.top_lift, 1.8879999999999999, TOLERANCE, "lift inside");
	is_clean(&tap, "scoring");
}

/* Draw n rows with about `values` different probabilities. */
static void
draw_rows(CrmRng *rng, size_t n, double values)
{
	for (size_t i = 0; i < n; i++)
	{
		p[i] = floor(crm_rng_uniform(rng) * values) / values;
		label[i] = crm_rng_uniform(rng) < 0.3 + 0.4 * p[i];
	}
}

/* AUC and its error by their definitions, over all pairs. */
static void
brute_auc(size_t n, double *auc, double *error)
{
	double share[ROWS], total = 0, count[2] = {0, 0}, squares[2] = {0, 0};

	for (size_t i = 0; i < n; i++)
		count[label[i] != 0.0]++;
	for (size_t i = 0; i < n; i++)
	{
		share[i] = 0;
		for (size_t j = 0; j < n; j++)
		{
			double yes = label[i] != 0.0 ? p[i] : p[j], no = label[i] != 0.0 ? p[j] : p[i];

			if (label[i] != label[j])
				share[i] += yes > no ? 1.0 : yes < no ? 0.0 : 0.5;
		}
		total += label[i] != 0.0 ? share[i] : 0.0;
		share[i] /= count[label[i] == 0.0];
	}
	*auc = total / (count[0] * count[1]);
	for (size_t i = 0; i < n; i++)
		squares[label[i] != 0.0] += (share[i] - *auc) * (share[i] - *auc);
	*error = sqrt(squares[1] / (count[1] - 1) / count[1] + squares[0] / (count[0] - 1) / count[0]);
}

/*
 * Gains by their definition: the mean over arrangements of ties, here that each row of equal p has
 * an equal share of the ranks that they take together.
 */
static void
brute_gain(size_t n, int part, int parts, double *predicted, double *yes)
{
	double first = ceil((double) (part - 1) * (double) n / parts);
	double end = ceil((double) part * (double) n / parts);

	*predicted = *yes = 0;
	for (size_t i = 0; i < n; i++)
	{
		double above = 0, same = 0, share;

		for (size_t j = 0; j < n; j++)
		{
			above += p[j] > p[i];
			same += p[j] == p[i];
		}
		share = fmin(end, above + same) - fmax(first, above);
		share = share > 0 ? share / same : 0;
		*predicted += share * p[i];
		*yes += share * label[i];
	}
}

static void
test_brute(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmScoringGain gain[10];
	CrmScoring got;
	CrmRng rng;
	int wrong_auc = 0, wrong_error = 0, wrong_gain = 0, wrong_sum = 0;

	crm_rng_seed(&rng, 8, 0);
	for (int round = 0; round < 60; round++)
	{
		size_t n = 5 + (size_t) (crm_rng_uniform(&rng) * 180);
		double auc, error, so_far = 0, rows = 0;

		draw_rows(&rng, n, round % 3 == 0 ? 1 : round % 3 == 1 ? 7 : 1e6);
		label[0] = label[1] = 1;
		label[2] = label[3] = 0;
		crm_scoring(ctx, p, label, n, &got);
		brute_auc(n, &auc, &error);
		wrong_auc += !(fabs(got.auc - auc) <= 1e-14);
		wrong_error += !(fabs(got.auc_error - error) <= 1e-14);
		crm_scoring_gains(ctx, p, label, n, 10, gain);
		for (int g = 1; g <= 10; g++)
		{
			double predicted, yes;

			brute_gain(n, g, 10, &predicted, &yes);
			so_far += yes;
			rows += (double) gain[g - 1].rows;
			if (gain[g - 1].rows == 0)
			{
				wrong_gain += !isnan(gain[g - 1].rate) || !isnan(gain[g - 1].lift);
				continue;
			}
			wrong_gain += !(
				fabs(gain[g - 1].yes - yes) <= 1e-9 &&
				fabs(gain[g - 1].mean_predicted * (double) gain[g - 1].rows - predicted) <= 1e-9 &&
				fabs(gain[g - 1].rate * (double) gain[g - 1].rows - yes) <= 1e-9 &&
				fabs(gain[g - 1].lift * got.base_rate - gain[g - 1].rate) <= 1e-12 &&
				fabs(gain[g - 1].total_share * (double) got.yes - so_far) <= 1e-9 &&
				fabs(gain[g - 1].total_lift * got.base_rate * rows - so_far) <= 1e-9);
		}
		wrong_sum += !(rows == (double) n && fabs(gain[9].total_share - 1) <= 1e-12 &&
					   fabs(gain[0].lift - got.top_lift) <= 1e-15);
	}
	is_int(wrong_auc, 0, "AUC is that of all pairs");
	is_int(wrong_error, 0, "and its error that of the definition");
	is_int(wrong_gain, 0, "gains are those of the definition");
	is_int(wrong_sum, 0, "groups hold every row and every yes once");
	is_clean(&tap, "random rows");
}

/* Tell whether two scorings are the same to the bit. */
static bool
is_same(const CrmScoring *a, const CrmScoring *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static void
test_order(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	size_t n = make_rows(false);
	CrmScoring first, second;
	CrmScoringGain gains[2][10];

	crm_scoring(ctx, p, label, n, &first);
	crm_scoring_gains(ctx, p, label, n, 10, gains[0]);
	for (size_t i = 0; i < n / 2; i++)
	{
		double kept = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = kept;
		kept = label[i];
		label[i] = label[n - 1 - i];
		label[n - 1 - i] = kept;
	}
	crm_scoring(ctx, p, label, n, &second);
	crm_scoring_gains(ctx, p, label, n, 10, gains[1]);
	ok(is_same(&first, &second) && memcmp(gains[0], gains[1], sizeof gains[0]) == 0,
	   "the order of rows changes no bit");
	for (size_t i = 0; i < n; i++)
	{
		p[i] = 1.0 - p[i];
		label[i] = 1.0 - label[i];
	}
	crm_scoring(ctx, p, label, n, &second);
	is_close(second.auc, first.auc, 1e-14, "yes for no changes no AUC");
	is_close(second.log_loss, first.log_loss, 1e-12, "nor log-loss");
	is_close(second.intercept, -first.intercept, 1e-9, "but turns the intercept");
	is_clean(&tap, "order");
}

static void
test_edges(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmScoringGain gain[10];
	CrmScoring got;
	double precision, recall;

	/* nothing */
	is_int(crm_scoring(ctx, p, label, 0, &got), CRM_OK, "no row");
	ok(isnan(got.auc) && isnan(got.log_loss) && isnan(got.base_rate) && isnan(got.top_lift),
	   "all is undefined");
	crm_scoring_threshold(ctx, p, label, 0, 0.5, &precision, &recall);
	ok(isnan(precision) && isnan(recall), "so are precision and recall");
	is_int(crm_scoring_gains(ctx, p, label, 0, 10, gain), CRM_OK, "no row, gains");
	ok(gain[9].rows == 0 && isnan(gain[9].total_share), "empty groups");

	/* one class */
	for (int yes = 0; yes < 2; yes++)
	{
		for (int i = 0; i < 5; i++)
		{
			p[i] = 0.1 + 0.1 * i;
			label[i] = yes;
		}
		crm_scoring(ctx, p, label, 5, &got);
		ok(isnan(got.auc) && isnan(got.auc_error) && isnan(got.slope) && isnan(got.intercept),
		   "one class has no AUC and no calibration");
		ok(got.base_rate == yes && isfinite(got.log_loss), "but a loss");
		ok(yes ? got.top_lift == 1 : isnan(got.top_lift), "and a lift where there is a yes");
	}

	/* the classes apart, and one yes alone */
	label[3] = label[4] = 1;
	label[0] = label[1] = label[2] = 0;
	crm_scoring(ctx, p, label, 5, &got);
	ok(got.auc == 1 && got.auc_error == 0 && isnan(got.slope) && isnan(got.intercept),
	   "separated classes have no calibration");
	label[3] = 0;
	crm_scoring(ctx, p, label, 5, &got);
	ok(got.auc == 1 && isnan(got.auc_error), "one yes has no error");

	/* the same probability for all: the logarithm of odds 2 : 3 against 1 : 3 */
	for (int i = 0; i < 5; i++)
	{
		p[i] = 0.25;
		label[i] = i < 2;
	}
	crm_scoring(ctx, p, label, 5, &got);
	ok(got.auc == 0.5 && got.auc_error == 0 && isnan(got.slope), "equal probabilities");
	is_close(got.intercept, log(2.0), 1e-9, "the intercept with slope 1");
	is_close(got.top_lift, 1, TOLERANCE, "shared ties gain nothing");
	is_close(got.log_loss, -(2 * log(0.25) + 3 * log(0.75)) / 5, TOLERANCE, "log-loss of all");

	/* certain and wrong */
	p[0] = 0;
	label[0] = 1;
	crm_scoring(ctx, p, label, 1, &got);
	is_close(got.log_loss, 52 * log(2.0), TOLERANCE, "a certain error costs 36");

	/* out of the domain */
	p[0] = 1.5;
	is_int(crm_scoring(ctx, p, label, 5, &got), CRM_DOMAIN, "a probability above 1");
	p[0] = NAN;
	is_int(crm_scoring(ctx, p, label, 5, &got), CRM_DOMAIN, "a NaN");
	p[0] = 0.5;
	label[0] = 2;
	is_int(crm_scoring_gains(ctx, p, label, 5, 10, gain), CRM_DOMAIN, "a label of 2");
	is_clean(&tap, "edges");
}

static void
test_limits(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	size_t n = make_rows(false), allocations;
	CrmScoringGain gain[10];
	CrmScoring got;

	crm_scoring(ctx, p, label, n, &got);
	allocations = tap.allocations;
	ok(ctx->peak <= crm_scoring_bytes(n), "%zu bytes of at most %zu", ctx->peak,
	   crm_scoring_bytes(n));
	for (size_t at = 1; at <= allocations; at++)
	{
		tap_context(&tap);
		tap.fail_at = at;
		ok(crm_scoring(ctx, p, label, n, &got) == CRM_NO_MEMORY && tap.live == 0, "allocation %zu",
		   at);
	}
	for (size_t at = 1; at <= 3; at++)
	{
		tap_context(&tap);
		tap.fail_at = at;
		ok(crm_scoring_gains(ctx, p, label, n, 10, gain) == CRM_NO_MEMORY && tap.live == 0,
		   "allocation %zu of gains", at);
	}
	tap_context(&tap);
	tap.ctx.limit = 1000;
	is_int(crm_scoring(ctx, p, label, n, &got), CRM_LIMIT, "a budget");
	is_clean(&tap, "limits");
}

/* Each poll may stop it; a million rows and more are needed for most. */
static void
test_abort(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	size_t n = ((size_t) 1 << 20) + 7, polls;
	double *column = malloc(2 * n * sizeof(double)), *other = column + n;
	CrmScoringGain gain[10];
	CrmScoring got;
	int kept = 0;

	for (size_t i = 0; i < n; i++)
	{
		column[i] = (double) i / (double) n;
		other[i] = (i * 7919) % 10 < 4;
	}
	crm_scoring(ctx, column, other, n, &got);
	polls = tap.polls;
	for (size_t at = 1; at <= polls; at += 1 + polls / 12)
	{
		tap_context(&tap);
		tap.abort_at = at;
		kept += crm_scoring(ctx, column, other, n, &got) != CRM_ABORTED || tap.live != 0;
	}
	is_int(kept, 0, "each of some polls stops it, and nothing is held");
	tap_context(&tap);
	crm_scoring_gains(ctx, column, other, n, 10, gain);
	polls = tap.polls;
	tap_context(&tap);
	tap.abort_at = polls;
	ok(crm_scoring_gains(ctx, column, other, n, 10, gain) == CRM_ABORTED && tap.live == 0,
	   "the last poll stops gains");
	tap_context(&tap);
	tap.abort_at = 1;
	is_int(crm_scoring_threshold(ctx, column, other, n, 0.5, &got.auc, &got.brier), CRM_ABORTED,
		   "and a threshold");
	free(column);
}

int
main(void)
{
	test_golden();
	test_brute();
	test_order();
	test_edges();
	test_limits();
	test_abort();
	return tap_done();
}
