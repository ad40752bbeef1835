/*
 * churn.c: the chance of churn by several methods; see churn.h.
 */
#include "kernel/churn.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernel/base/sum.h"

#define CLIP       0x1p-52 /* of probabilities in the log-loss */
#define ITERATIONS 100
#define TOLERANCE  1e-8

/* ---- fits -------------------------------------------------------------------------------- */

/* Tell by the counts whether something can be learnt from the rows, and the base rate. */
static void
judge(CrmChurnModel *model)
{
	int64_t others = model->rows - model->churned;

	model->base = ((double) model->churned + 0.5) / ((double) model->rows + 1.0);
	model->state = CRM_CHURN_OK;
	if (model->rows < CRM_CHURN_FEW)
		model->state = CRM_CHURN_FEW_ROWS;
	else if (model->churned == 0)
		model->state = CRM_CHURN_NO_CHURNER;
	else if (others == 0)
		model->state = CRM_CHURN_ALL_CHURNED;
	else if (model->churned < CRM_CHURN_FEW_EACH || others < CRM_CHURN_FEW_EACH)
		model->state = CRM_CHURN_FEW_ROWS;
}

/* Take the share of those who churned for everybody. */
void
crm_churn_fit_base(CrmChurnModel *model, const double *label, size_t n)
{
	model->rows = (int64_t) n;
	model->churned = 0;
	for (size_t i = 0; i < n; i++)
		model->churned += label[i] > 0.5;
	judge(model);
	model->method = CRM_CHURN_BASE;
}

/* Take a table whose rows have been added: model->gap, finished or not. */
void
crm_churn_take_gap(CrmChurnModel *model)
{
	crm_churn_gap_finish(&model->gap);
	model->rows = model->gap.rows;
	model->churned = model->gap.churned;
	judge(model);
	model->method = model->state == CRM_CHURN_OK ? CRM_CHURN_GAP : CRM_CHURN_BASE;
}

/* Fit the table of silence and rhythm to rows. */
CrmStatus
crm_churn_fit_gap(CrmCtx *ctx, const CrmChurnRows *rows, CrmChurnModel *model)
{
	crm_churn_gap_begin(&model->gap, model->horizon);
	for (size_t i = 0; i < rows->n; i++)
	{
		bool came_once = rows->columns[CRM_SNAPSHOT_ONE_VISIT][i] > 0.5;

		crm_churn_gap_add(&model->gap, expm1(rows->columns[CRM_SNAPSHOT_SILENCE][i]),
						  came_once ? NAN : expm1(rows->columns[CRM_SNAPSHOT_MEAN_GAP][i]),
						  rows->label[i] > 0.5);
		if (i % 262144 == 262143 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	crm_churn_take_gap(model);
	return CRM_OK;
}

/* Tell whether a feature says nothing of a customer who came once: there is no gap to speak of. */
static bool
needs_gap(int feature)
{
	return feature == CRM_SNAPSHOT_MEAN_GAP || feature == CRM_SNAPSHOT_GAP_SPREAD ||
		   feature == CRM_SNAPSHOT_SILENCE_RATIO;
}

/* Fill the gaps of a column with the mean of its values, 0 where it has none; give the mean, and
 * how many there were. */
static double
fill_gaps(double *column, size_t n, size_t *missing)
{
	CrmSum sum = {0};
	size_t known = 0;
	double mean;

	for (size_t i = 0; i < n; i++)
		if (!isnan(column[i]))
		{
			crm_sum_add(&sum, column[i]);
			known++;
		}
	mean = known > 0 ? crm_sum_mean(sum, (int64_t) known) : 0.0;
	for (size_t i = 0; i < n && known < n; i++)
		if (isnan(column[i]))
			column[i] = mean;
	*missing = n - known;
	return mean;
}

/*
 * Take what needs a gap between visits as missing of customers who came once, and fill what is
 * missing: mean[d] is written and, unless it is NULL, missing[d], the rows that lacked it.
 * CRM_ABORTED.
 */
CrmStatus
crm_churn_fill(CrmCtx *ctx, CrmChurnRows *rows, double *mean, size_t *missing)
{
	for (int j = 0; j < rows->d; j++)
	{
		size_t gaps;

		for (size_t i = 0; i < rows->n && needs_gap(j); i++)
			if (rows->columns[CRM_SNAPSHOT_ONE_VISIT][i] > 0.5)
				rows->columns[j][i] = NAN;
		mean[j] = fill_gaps(rows->columns[j], rows->n, &gaps);
		if (missing != NULL)
			missing[j] = gaps;
		if (crm_poll(ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/*
 * Fit a logistic regression to rows, whose gaps are filled. The model's arrays are the caller's to
 * give back (crm_churn_free). Errors, after which nothing is held, as crm_logistic_fit.
 */
CrmStatus
crm_churn_fit_logistic(CrmCtx *ctx, CrmChurnRows *rows, CrmChurnModel *model)
{
	size_t d = (size_t) rows->d;
	CrmLogisticData data = {
		.columns = rows->columns, .label = rows->label, .n = rows->n, .d = rows->d};
	CrmLogisticParam param;
	CrmLogisticModel fit;
	CrmStatus status;

	crm_churn_fit_base(model, rows->label, rows->n);
	model->d = rows->d;
	model->estimate = crm_allocate(ctx, d + 1, sizeof(double));
	model->mean = model->estimate == NULL ? NULL : crm_allocate(ctx, d, sizeof(double));
	if (model->mean == NULL)
	{
		crm_churn_free(ctx, model);
		return ctx->failure;
	}
	memset(model->estimate, 0, (d + 1) * sizeof(double));
	status = crm_churn_fill(ctx, rows, model->mean, NULL);
	if (status != CRM_OK)
	{
		crm_churn_free(ctx, model);
		return status;
	}
	if (model->state != CRM_CHURN_OK)
		return CRM_OK;
	crm_logistic_defaults(&param);
	param.penalty = 1.0 / (double) rows->n;
	param.max_iterations = ITERATIONS;
	param.tolerance = TOLERANCE;
	status = crm_logistic_fit(ctx, &data, &param, &fit);
	if (status != CRM_OK)
	{
		crm_churn_free(ctx, model);
		return status;
	}
	for (size_t j = 0; j <= d; j++)
		model->estimate[j] = isnan(fit.estimate[j]) ? 0.0 : fit.estimate[j];
	if (!fit.converged)
		model->state = CRM_CHURN_NOT_CONVERGED;
	model->method = CRM_CHURN_LOGISTIC;
	crm_logistic_model_free(ctx, &fit);
	return CRM_OK;
}

/* Fit the model of orders that suits customers best; times in days. */
CrmStatus
crm_churn_fit_alive(CrmCtx *ctx, const CrmBtydData *data, uint64_t seed, CrmChurnModel *model)
{
	CrmClvFitParam param = {.kind = CRM_CLV_AUTO, .seed = seed};
	CrmClvFit fit;
	CrmStatus status = crm_clv_fit(ctx, data, &param, &fit);

	if (status != CRM_OK)
		return status;
	model->orders = (CrmClvModel){.spend = CRM_CLV_MEAN, .mean_value = 1.0};
	crm_clv_take(&fit, &model->orders);
	for (int i = 0; i < CRM_CLV_PARAMETERS * CRM_CLV_PARAMETERS; i++)
		model->orders.covariance[i] = NAN; /* no interval is asked for */
	model->method = CRM_CHURN_ALIVE;
	model->rows = (int64_t) data->n;
	model->state = fit.fit.status == CRM_FIT_INSUFFICIENT    ? CRM_CHURN_FEW_ROWS
				   : fit.fit.status == CRM_FIT_NOT_CONVERGED ? CRM_CHURN_NOT_CONVERGED
															 : CRM_CHURN_OK;
	return CRM_OK;
}

/* Give back what a fit holds; once more does no harm. */
void
crm_churn_free(CrmCtx *ctx, CrmChurnModel *model)
{
	crm_release(ctx, model->mean, (size_t) model->d, sizeof(double));
	crm_release(ctx, model->estimate, (size_t) model->d + 1, sizeof(double));
	model->mean = model->estimate = NULL;
}

/*
 * Write a model as numbers[CRM_CHURN_PACKED(d)], all finite: horizon, base rate, then what its
 * method has. Gives how many they are.
 */
int
crm_churn_pack(const CrmChurnModel *model, double *numbers)
{
	int n = 0;

	numbers[n++] = model->horizon;
	numbers[n++] = model->base;
	switch (model->method)
	{
		case CRM_CHURN_ALIVE:
			numbers[n++] = model->orders.kind;
			for (int i = 0; i < crm_clv_parameters(model->orders.kind, NULL); i++)
				numbers[n++] = model->orders.theta[i];
			break;
		case CRM_CHURN_GAP:
			numbers[n++] = model->gap.base;
			memcpy(numbers + n, model->gap.p, sizeof model->gap.p);
			n += CRM_CHURN_GROUPS * CRM_CHURN_BINS;
			break;
		case CRM_CHURN_LOGISTIC:
			memcpy(numbers + n, model->mean, (size_t) model->d * sizeof(double));
			n += model->d;
			memcpy(numbers + n, model->estimate, ((size_t) model->d + 1) * sizeof(double));
			n += model->d + 1;
			break;
		case CRM_CHURN_BASE:
			break;
	}
	return n;
}

/* Tell whether n numbers are chances above 0 and below 1. */
static bool
are_chances(const double *p, int n)
{
	for (int i = 0; i < n; i++)
		if (!(p[i] > 0.0 && p[i] < 1.0))
			return false;
	return true;
}

/*
 * Take a model's numbers, all finite, its method and d being set; the arrays of a regression stay
 * the caller's, in numbers. False: they are no such model.
 */
bool
crm_churn_unpack(CrmChurnModel *model, double *numbers, int n)
{
	if (n < 2 || !(numbers[0] > 0.0) ||
		(model->method != CRM_CHURN_ALIVE && !are_chances(numbers + 1, 1)))
		return false;
	model->horizon = numbers[0];
	model->base = numbers[1];
	numbers += 2;
	n -= 2;
	switch (model->method)
	{
		case CRM_CHURN_ALIVE:
			if (n < 1 || !(numbers[0] >= 0.0 && numbers[0] <= CRM_CLV_FORMULA))
				return false;
			model->orders = (CrmClvModel){.kind = (CrmClvKind) numbers[0],
										  .covariance = {NAN},
										  .spend = CRM_CLV_MEAN,
										  .mean_value = 1.0};
			if (n != 1 + crm_clv_parameters(model->orders.kind, NULL))
				return false;
			for (int i = 0; i < n - 1; i++)
			{
				model->orders.theta[i] = numbers[i + 1];
				if (!(numbers[i + 1] > 0.0))
					return false;
			}
			return true;
		case CRM_CHURN_GAP:
			if (n != 1 + CRM_CHURN_GROUPS * CRM_CHURN_BINS || !are_chances(numbers, n))
				return false;
			model->gap = (CrmChurnGap){.horizon = model->horizon, .base = numbers[0]};
			memcpy(model->gap.p, numbers + 1, sizeof model->gap.p);
			return true;
		case CRM_CHURN_LOGISTIC:
			model->mean = numbers;
			model->estimate = numbers + model->d;
			return n == 2 * model->d + 1;
		default:
			return n == 0;
	}
}

/* ---- scores ------------------------------------------------------------------------------ */

/* Begin to score by a model that outlives the scorer. CRM_LIMIT and CRM_NO_MEMORY as crm_allocate.
 */
CrmStatus
crm_churn_begin(CrmCtx *ctx, const CrmChurnModel *model, CrmChurnScorer *scorer)
{
	CrmClvParam param = {.horizon = model->horizon, .margin = 1.0, .level = 0.9};

	*scorer = (CrmChurnScorer){.model = model};
	if (model->method != CRM_CHURN_ALIVE)
		return CRM_OK;
	return crm_clv_begin(ctx, &model->orders, &param, &scorer->orders);
}

/* End what crm_churn_begin began. */
void
crm_churn_end(CrmCtx *ctx, CrmChurnScorer *scorer)
{
	if (scorer->orders != NULL)
		crm_clv_end(ctx, scorer->orders);
	scorer->orders = NULL;
}

/* Put a fact among the reasons, which stand by falling weight, whatever its sign. */
static void
add_reason(CrmChurnScore *score, int index, double weight)
{
	int at = CRM_CHURN_REASONS;

	while (at > 0 && fabs(weight) > fabs(score->reason[at - 1].weight))
		at--;
	for (int i = CRM_CHURN_REASONS - 1; i > at; i--)
		score->reason[i] = score->reason[i - 1];
	if (at < CRM_CHURN_REASONS)
		score->reason[at] = (CrmChurnReason){index, weight};
}

/* Score by the logistic regression. */
static void
score_logistic(const CrmChurnModel *model, const double *features, CrmChurnScore *score)
{
	double eta = model->estimate[0];

	for (int j = 0; j < model->d; j++)
	{
		bool is_missing =
			isnan(features[j]) || (needs_gap(j) && features[CRM_SNAPSHOT_ONE_VISIT] > 0.5);
		double x = is_missing ? model->mean[j] : features[j];

		eta += model->estimate[j + 1] * x;
		add_reason(score, j, model->estimate[j + 1] * (x - model->mean[j]));
	}
	score->p = eta < 0.0 ? exp(eta) / (1.0 + exp(eta)) : 1.0 / (1.0 + exp(-eta));
}

/* Score by the model of orders: 1 - P(any order), which is P(alive) P(any | alive). */
static void
score_alive(const CrmChurnScorer *scorer, const CrmClvCustomer *customer, CrmChurnScore *score)
{
	CrmClvValue value;
	double if_alive;

	crm_clv_score(scorer->orders, customer, &value);
	score->p = fmin(fmax(1.0 - value.p_any_order, 0.0), 1.0);
	score->p_alive = value.p_alive;
	if_alive = isnan(value.p_alive) ? value.p_any_order : value.p_any_order / value.p_alive;
	if (!isnan(value.p_alive))
		add_reason(score, CRM_CHURN_FACT_ALIVE, -log(fmax(value.p_alive, 1e-300)));
	add_reason(score, CRM_CHURN_FACT_RATE, -log(fmin(fmax(if_alive, 1e-300), 1.0)));
}

/* Score one customer. */
void
crm_churn_score(const CrmChurnScorer *scorer, const CrmChurnCustomer *customer,
				CrmChurnScore *score)
{
	const CrmChurnModel *model = scorer->model;
	CrmChurnGapScore gap;

	*score = (CrmChurnScore){.p = model->base, .p_alive = NAN};
	switch (model->method)
	{
		case CRM_CHURN_ALIVE:
			score_alive(scorer, &customer->orders, score);
			break;
		case CRM_CHURN_GAP:
			crm_churn_gap_score(&model->gap, customer->silence, customer->mean_gap, &gap);
			score->p = gap.p;
			add_reason(score, CRM_CHURN_FACT_SILENCE, gap.silence);
			add_reason(score, CRM_CHURN_FACT_RHYTHM, gap.rhythm);
			break;
		case CRM_CHURN_LOGISTIC:
			score_logistic(model, customer->features, score);
			break;
		case CRM_CHURN_BASE:
			break;
	}
}

/* Give the band of a probability: 0 low, 1 medium, 2 high. */
int
crm_churn_band(double p)
{
	return (p >= CRM_CHURN_MEDIUM) + (p >= CRM_CHURN_HIGH);
}

/*
 * Give what a customer is expected to spend in a horizon while they come as they did: so many gaps
 * in so many days, a mean amount; usual_gap is everybody's, in days, above zero. Never more than
 * DBL_MAX.
 */
double
crm_churn_revenue(double gaps, double days, double usual_gap, double horizon, double value)
{
	double revenue = (gaps + 1.0) / (days + usual_gap) * horizon * fmin(value, DBL_MAX);

	return fmin(revenue, DBL_MAX);
}

/* Give the mean of -ln of what was predicted for what came true; NaN without a row. */
double
crm_churn_log_loss(const double *p, const double *label, size_t n)
{
	CrmSum sum = {0};

	for (size_t i = 0; i < n; i++)
		crm_sum_add(&sum, -log(fmax(label[i] > 0.5 ? p[i] : 1.0 - p[i], CLIP)));
	return n > 0 ? crm_sum_mean(sum, (int64_t) n) : NAN;
}
