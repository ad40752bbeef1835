/*
 * churn.c: unit tests of the methods of churn: the regression is the optimum that its equation
 * names, the model of orders gives its own chance of no order, reasons are the largest
 * contributions, a packed model scores as the model, and too little data is a state.
 */
#include "kernel/base/rng.h"
#include "kernel/bgnbd.h"
#include "kernel/churn.h"
#include "tap.h"

#define ROWS     600
#define FEATURES (CRM_SNAPSHOT_FEATURES + 2) /* the caller's own: one with gaps, one empty */

static double cell[FEATURES][ROWS], label[ROWS];
static double *columns[FEATURES];

/* Draw rows whose label depends on the silence and on the feature with gaps. */
static CrmChurnRows
draw(uint64_t seed)
{
	CrmRng rng;

	crm_rng_seed(&rng, seed, 0);
	for (int i = 0; i < ROWS; i++)
	{
		double eta;

		for (int f = 0; f < FEATURES; f++)
			cell[f][i] = 3.0 * crm_rng_uniform(&rng) * (f + 1);
		cell[CRM_SNAPSHOT_ONE_VISIT][i] = i % 4 == 0;
		cell[FEATURES - 2][i] = i % 3 == 0 ? NAN : crm_rng_normal(&rng);
		cell[FEATURES - 1][i] = NAN;
		eta =
			2.0 * cell[CRM_SNAPSHOT_SILENCE][i] - 3.0 + (i % 3 == 0 ? 0.0 : cell[FEATURES - 2][i]);
		label[i] = crm_rng_uniform(&rng) < 1.0 / (1.0 + exp(-eta));
	}
	for (int f = 0; f < FEATURES; f++)
		columns[f] = cell[f];
	return (CrmChurnRows){.columns = columns, .label = label, .n = ROWS, .d = FEATURES};
}

/* Score row i by a model. */
static CrmChurnScore
score_row(CrmCtx *ctx, const CrmChurnModel *model, int i)
{
	double features[FEATURES];
	CrmChurnCustomer customer = {.silence = 20.0 + i,
								 .mean_gap = 15.0,
								 .features = features,
								 .orders = {i % 5, 10.0 * (i % 5), 60.0 + i, NAN, 1.0}};
	CrmChurnScorer scorer;
	CrmChurnScore score;

	for (int f = 0; f < FEATURES; f++)
		features[f] = cell[f][i];
	ok(crm_churn_begin(ctx, model, &scorer) == CRM_OK, "a scorer");
	crm_churn_score(&scorer, &customer, &score);
	crm_churn_end(ctx, &scorer);
	return score;
}

/* Score row i with another value of a feature. */
static CrmChurnScore
score_row_with(CrmCtx *ctx, const CrmChurnModel *model, int i, int feature, double value)
{
	double kept = cell[feature][i];
	CrmChurnScore score;

	cell[feature][i] = value;
	score = score_row(ctx, model, i);
	cell[feature][i] = kept;
	return score;
}

/* Pack and unpack a model; both must score alike. */
static void
test_packed(CrmCtx *ctx, const CrmChurnModel *model, const char *what)
{
	double numbers[CRM_CHURN_PACKED(FEATURES)];
	CrmChurnModel copy = {.method = model->method, .d = model->d};
	int n = crm_churn_pack(model, numbers);
	bool refused = true;

	ok(n <= CRM_CHURN_PACKED(model->d), "%s takes %d numbers", what, n);
	ok(crm_churn_unpack(&copy, numbers, n), "%s is unpacked", what);
	for (int i = 0; i < 3; i++)
		is_near(score_row(ctx, &copy, i).p, score_row(ctx, model, i).p, 0.0, what);
	refused &= !crm_churn_unpack(&copy, numbers, n - 1) && !crm_churn_unpack(&copy, numbers, n + 1);
	numbers[0] = -1.0;
	refused &= !crm_churn_unpack(&copy, numbers, n);
	ok(refused, "%s with other numbers is refused", what);
}

/* The regression: gradient of its penalised likelihood, gaps, reasons. */
static void
test_logistic(CrmCtx *ctx)
{
	CrmChurnRows rows = draw(1);
	CrmChurnModel model = {.horizon = 90.0};
	double worst = 0.0, sum = 0.0, known = 0.0, mean = 0.0;
	int order_wrong = 0;

	for (int i = 0; i < ROWS; i++)
		if (i % 3 != 0)
		{
			mean += cell[FEATURES - 2][i];
			known++;
		}
	ok(crm_churn_fit_logistic(ctx, &rows, &model) == CRM_OK && model.state == CRM_CHURN_OK &&
		   model.method == CRM_CHURN_LOGISTIC,
	   "a regression");
	is_near(model.mean[FEATURES - 2], mean / known, 1e-12, "the mean is that of known values");
	is_near(cell[FEATURES - 2][0], mean / known, 1e-12, "and fills the gaps");
	mean = known = 0.0;
	for (int i = 0; i < ROWS; i++)
		if (i % 4 != 0)
		{
			mean += cell[CRM_SNAPSHOT_MEAN_GAP][i];
			known++;
		}
	is_near(cell[CRM_SNAPSHOT_MEAN_GAP][4], mean / known, 1e-12,
			"who came once has no gap, and counts as the mean");
	cell[CRM_SNAPSHOT_GAP_SPREAD][8] = 99.0; /* a score must not look at it */
	is_near(score_row(ctx, &model, 8).p,
			score_row_with(ctx, &model, 8, CRM_SNAPSHOT_GAP_SPREAD, 0.0).p, 0.0,
			"nor does a score look at it");
	cell[CRM_SNAPSHOT_GAP_SPREAD][8] = model.mean[CRM_SNAPSHOT_GAP_SPREAD];
	is_near(model.estimate[FEATURES], 0.0, 0.0, "a feature without a value takes no part");
	for (int f = -1; f < FEATURES - 1; f++) /* d/dg: sum (p - y) z + g = 0, z standardised */
	{
		double gradient = 0.0, squares = 0.0, sd = 1.0;

		for (int i = 0; i < ROWS && f >= 0; i++)
			squares += pow(cell[f][i] - model.mean[f], 2.0) / ROWS;
		if (f >= 0)
			sd = sqrt(squares);
		for (int i = 0; i < ROWS; i++)
		{
			double eta = model.estimate[0];

			for (int k = 0; k < FEATURES; k++)
				eta += model.estimate[k + 1] * cell[k][i];
			gradient += (1.0 / (1.0 + exp(-eta)) - label[i]) *
						(f < 0 ? 1.0 : (cell[f][i] - model.mean[f]) / sd);
		}
		worst = fmax(worst, fabs(gradient + (f < 0 ? 0.0 : model.estimate[f + 1] * sd)));
	}
	ok(worst < 1e-3, "its gradient is flat: %g", worst);
	for (int i = 0; i < 50; i++)
	{
		CrmChurnScore score = score_row(ctx, &model, i);
		double largest = 0.0, second = 0.0, third = 0.0, eta = model.estimate[0];

		for (int f = 0; f < FEATURES; f++)
		{
			double part = fabs(model.estimate[f + 1] * (cell[f][i] - model.mean[f]));

			if (part > largest)
			{
				third = second;
				second = largest;
				largest = part;
			}
			else if (part > second)
			{
				third = second;
				second = part;
			}
			else
				third = fmax(third, part);
			eta += isnan(cell[f][i]) ? 0.0 : model.estimate[f + 1] * cell[f][i];
		}
		sum += fabs(score.p - 1.0 / (1.0 + exp(-eta)));
		order_wrong += fabs(fabs(score.reason[0].weight) - largest) > 1e-12 ||
					   fabs(fabs(score.reason[1].weight) - second) > 1e-12 ||
					   fabs(fabs(score.reason[2].weight) - third) > 1e-12;
	}
	is_near(sum, 0.0, 1e-12, "probabilities are those of the regression");
	ok(order_wrong == 0, "reasons are the three largest contributions");
	test_packed(ctx, &model, "a regression");
	crm_churn_free(ctx, &model);
}

/* Labels from which nothing can be learnt. */
static void
test_states(CrmCtx *ctx)
{
	static const struct
	{
		size_t n;
		int each; /* every so many-th has churned; 0 nobody, 1 all */
		CrmChurnState state;
	} cases[] = {{0, 0, CRM_CHURN_FEW_ROWS},      {5, 2, CRM_CHURN_FEW_ROWS},
				 {29, 2, CRM_CHURN_FEW_ROWS},     {30, 2, CRM_CHURN_OK},
				 {ROWS, 0, CRM_CHURN_NO_CHURNER}, {ROWS, 1, CRM_CHURN_ALL_CHURNED},
				 {ROWS, 150, CRM_CHURN_FEW_ROWS}, {ROWS, 120, CRM_CHURN_OK}};

	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
		for (int method = 0; method < 2; method++)
		{
			CrmChurnRows rows = draw(c);
			CrmChurnModel model = {.horizon = 90.0};
			size_t yes = 0;
			CrmStatus status;

			rows.n = cases[c].n;
			for (size_t i = 0; i < rows.n; i++)
			{
				label[i] = cases[c].each > 0 && i % (size_t) cases[c].each == 0;
				yes += label[i] > 0.5;
			}
			status = method == 0 ? crm_churn_fit_gap(ctx, &rows, &model)
								 : crm_churn_fit_logistic(ctx, &rows, &model);
			ok(status == CRM_OK && model.state == cases[c].state, "%zu rows, %zu churned: state %d",
			   rows.n, yes, model.state);
			ok((model.method == CRM_CHURN_BASE) == (model.state != CRM_CHURN_OK),
			   "the method says so");
			if (model.method == CRM_CHURN_BASE)
			{
				is_near(score_row(ctx, &model, 1).p, ((double) yes + 0.5) / ((double) rows.n + 1.0),
						1e-15, "the base rate");
				test_packed(ctx, &model, "a base rate");
			}
			else if (method == 0)
				test_packed(ctx, &model, "a table");
			crm_churn_free(ctx, &model);
		}
}

/* The model of orders: parameters of CDNOW (Fader, Hardie and Lee 2005). */
static void
test_alive(CrmCtx *ctx)
{
	CrmBgnbd bgnbd = {0.2426, 4.4136, 0.7929, 2.4259, false};
	CrmChurnModel model = {.method = CRM_CHURN_ALIVE,
						   .horizon = 39.0,
						   .orders = {.kind = CRM_CLV_BGNBD,
									  .theta = {0.2426, 4.4136, 0.7929, 2.4259},
									  .covariance = {NAN},
									  .spend = CRM_CLV_MEAN,
									  .mean_value = 1.0}};

	for (int i = 0; i < 10; i++)
	{
		CrmChurnScore score = score_row(ctx, &model, i);
		double x = i % 5, t_x = 10.0 * (i % 5), t = 60.0 + i;

		is_near(score.p, 1.0 - crm_bgnbd_p_any_order(&bgnbd, x, t_x, t, 39.0), 1e-14,
				"no order in the horizon");
		is_near(score.p_alive, crm_bgnbd_p_alive(&bgnbd, x, t_x, t), 1e-14, "alive");
		is_near(exp(-fabs(score.reason[0].weight) - fabs(score.reason[1].weight)), 1.0 - score.p,
				1e-12, "reasons multiply to the chance of an order");
	}
	test_packed(ctx, &model, "a model of orders");
}

/* What a model of orders is fitted to. */
static void
test_fit_alive(CrmCtx *ctx)
{
	double x[3] = {0, 0, 0}, t_x[3] = {0, 0, 0}, t[3] = {10, 20, 30};
	CrmBtydData data = {.x = x, .t_x = t_x, .t = t, .n = 3};
	CrmChurnModel model = {.horizon = 90.0};

	ok(crm_churn_fit_alive(ctx, &data, 42, &model) == CRM_OK && model.state == CRM_CHURN_FEW_ROWS,
	   "nobody came back: too few");
	is_near(score_row(ctx, &model, 0).p, 1.0, 1e-15, "then nobody will");
}

int
main(void)
{
	static const double p[] = {0.9, 0.2, 1.0, 0.5}, y[] = {1, 0, 0, 1};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmChurnModel model = {.horizon = 90.0};
	CrmChurnRows rows;

	test_logistic(ctx);
	test_states(ctx);
	test_alive(ctx);
	test_fit_alive(ctx);
	ok(crm_churn_band(0.0) == 0 && crm_churn_band(0.3333) == 0 && crm_churn_band(1.0 / 3.0) == 1 &&
		   crm_churn_band(0.66) == 1 && crm_churn_band(2.0 / 3.0) == 2 && crm_churn_band(1.0) == 2,
	   "bands");
	is_near(crm_churn_revenue(4.0, 80.0, 20.0, 90.0, 10.0), 45.0, 1e-13,
			"4 gaps in 80 days, 20 usual: a rate of 1 in 20");
	is_near(crm_churn_revenue(0.0, 0.0, 45.0, 90.0, 10.0), 20.0, 1e-13,
			"who came once has the usual rate");
	ok(crm_churn_revenue(9.0, 1e-9, 1e-9, 1e9, INFINITY) < INFINITY, "money has an end");
	is_near(crm_churn_log_loss(p, y, 2), -(log(0.9) + log(0.8)) / 2.0, 1e-15, "log-loss");
	is_near(crm_churn_log_loss(p + 2, y + 2, 1), 52.0 * log(2.0), 1e-13,
			"a certain error is not infinite");
	ok(isnan(crm_churn_log_loss(p, y, 0)), "no row, no loss");
	is_clean(&tap, "all fits and scores");

	rows = draw(9);
	tap.abort_at = tap.polls + 1;
	ok(crm_churn_fit_logistic(ctx, &rows, &model) == CRM_ABORTED, "a cancel stops a fit");
	tap.abort_at = 0;
	tap.ctx.limit = 100;
	ok(crm_churn_fit_logistic(ctx, &rows, &model) == CRM_LIMIT, "a budget is kept");
	tap.ctx.limit = 0;
	is_clean(&tap, "a fit that failed");
	return tap_done();
}
