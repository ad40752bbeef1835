/*
 * scoring.c: see scoring.h. Rows with the same probability are one group; all measures but those at
 * a threshold are made over the groups, in rising order.
 */
#include "kernel/scoring.h"

#include <math.h>
#include <stdbool.h>

#include "kernel/base/order.h"
#include "kernel/base/sum.h"
#include "kernel/logistic.h"

#define POLL_MASK (((size_t) 1 << 20) - 1)
#define TOP       10 /* groups, of which top_lift is that of the first */

/* Rows of the same probability. */
typedef struct Group
{
	double p;
	uint32_t yes, no;
} Group;

typedef struct Groups
{
	Group *group; /* n, the lowest probability first */
	size_t n;
	size_t rows, yes;
} Groups;

/* Give the bytes that measuring n rows takes besides the data, at most. */
size_t
crm_scoring_bytes(size_t n)
{
	return n * (sizeof(Group) + 3 * sizeof(double)) + crm_logistic_bytes(0, 1);
}

/* Tell whether to stop, at each millionth step. */
static inline bool
should_stop(CrmCtx *ctx, size_t step)
{
	return (step & POLL_MASK) == POLL_MASK && crm_poll(ctx);
}

/* Count the groups of sorted rows, or, with room for them, fill them in. */
static CrmStatus
collect_groups(CrmCtx *ctx, const uint64_t *key, const uint32_t *index, const double *label,
			   Groups *groups)
{
	size_t found = 0;

	for (size_t i = 0; i < groups->rows; i++)
	{
		uint32_t row = index[i];

		if (i == 0 || key[row] != key[index[i - 1]])
		{
			if (groups->group != NULL)
				groups->group[found] = (Group){.p = crm_unorder_double(key[row])};
			found++;
		}
		if (groups->group != NULL)
		{
			groups->group[found - 1].yes += label[row] != 0.0;
			groups->group[found - 1].no += label[row] == 0.0;
			groups->yes += label[row] != 0.0;
		}
		if (should_stop(ctx, i))
			return CRM_ABORTED;
	}
	groups->n = found;
	return CRM_OK;
}

/* Sort rows into groups, which the caller gives back (end_groups). */
static CrmStatus
begin_groups(CrmCtx *ctx, const double *p, const double *label, size_t n, Groups *groups)
{
	uint64_t *key;
	uint32_t *index;
	CrmStatus status = CRM_OK;

	*groups = (Groups){.rows = n};
	if (n >> 32 != 0)
		return CRM_DOMAIN;
	key = crm_allocate(ctx, n, sizeof(uint64_t));
	index = crm_allocate(ctx, 2 * n, sizeof(uint32_t));
	if (key == NULL || index == NULL)
		status = ctx->failure;
	for (size_t i = 0; i < n && status == CRM_OK; i++)
	{
		key[i] = crm_order_double(p[i]);
		index[i] = (uint32_t) i;
		if (!(p[i] >= 0.0 && p[i] <= 1.0) || (label[i] != 0.0 && label[i] != 1.0))
			status = CRM_DOMAIN;
		else if (should_stop(ctx, i))
			status = CRM_ABORTED;
	}
	if (status == CRM_OK)
		status = crm_radix_sort_index(ctx, key, index, index + n, n);
	if (status == CRM_OK)
		status = collect_groups(ctx, key, index, label, groups);
	if (status == CRM_OK)
	{
		groups->group = crm_allocate(ctx, groups->n, sizeof(Group));
		status =
			groups->group == NULL ? ctx->failure : collect_groups(ctx, key, index, label, groups);
	}
	crm_release(ctx, index, 2 * n, sizeof(uint32_t));
	crm_release(ctx, key, n, sizeof(uint64_t));
	return status;
}

/* Give back what begin_groups took, also after it failed. */
static void
end_groups(CrmCtx *ctx, Groups *groups)
{
	crm_release(ctx, groups->group, groups->n, sizeof(Group));
}

/* Give the sample variance of values whose sum of squared deviations is known; NaN below two. */
static double
variance(CrmSum squares, double n)
{
	return n > 1.0 ? crm_sum_value(squares) / (n - 1.0) : NAN;
}

/* Set AUC and its error. U is counted in halves of pairs, exactly: 2 n1 n0 is below 2^63. */
static CrmStatus
measure_order(CrmCtx *ctx, const Groups *groups, CrmScoring *result)
{
	uint64_t yes = groups->yes, no = groups->rows - groups->yes;
	uint64_t halves = 0, yes_below = 0, no_below = 0;
	CrmSum of_yes = {0}, of_no = {0};

	result->auc = result->auc_error = NAN;
	if (yes == 0 || no == 0)
		return CRM_OK;
	for (size_t g = 0; g < groups->n; g++)
	{
		const Group *group = &groups->group[g];

		halves += group->yes * (2 * no_below + group->no);
		no_below += group->no;
		if (should_stop(ctx, g))
			return CRM_ABORTED;
	}
	result->auc = (double) halves / (2.0 * (double) yes * (double) no);
	no_below = 0;
	for (size_t g = 0; g < groups->n; g++)
	{
		const Group *group = &groups->group[g];
		double below = ((double) no_below + 0.5 * group->no) / (double) no - result->auc;
		double above = ((double) (yes - yes_below) - 0.5 * group->yes) / (double) yes - result->auc;

		crm_sum_add(&of_yes, group->yes * below * below);
		crm_sum_add(&of_no, group->no * above * above);
		yes_below += group->yes;
		no_below += group->no;
		if (should_stop(ctx, g))
			return CRM_ABORTED;
	}
	result->auc_error = sqrt(variance(of_yes, (double) yes) / (double) yes +
							 variance(of_no, (double) no) / (double) no);
	return CRM_OK;
}

/* Keep a probability away from 0 and 1. */
static double
clip(double p)
{
	return fmin(fmax(p, CRM_SCORING_CLIP), 1.0 - CRM_SCORING_CLIP);
}

/* Set log-loss and Brier score. */
static CrmStatus
measure_loss(CrmCtx *ctx, const Groups *groups, CrmScoring *result)
{
	CrmSum loss = {0}, brier = {0};

	for (size_t g = 0; g < groups->n; g++)
	{
		const Group *group = &groups->group[g];
		double p = clip(group->p);

		crm_sum_add(&loss, -(group->yes * log(p) + group->no * log1p(-p)));
		crm_sum_add(&brier, group->yes * (1.0 - group->p) * (1.0 - group->p) +
								group->no * group->p * group->p);
		if (should_stop(ctx, g))
			return CRM_ABORTED;
	}
	result->log_loss = crm_sum_mean(loss, (int64_t) groups->rows);
	result->brier = crm_sum_mean(brier, (int64_t) groups->rows);
	return CRM_OK;
}

/* Give the log odds of a probability that is clipped. */
static double
log_odds(double p)
{
	p = clip(p);
	return log(p) - log1p(-p);
}

/* Fit the calibration to m rows, one a group and label, in column, label and weight. */
static CrmStatus
fit_calibration(CrmCtx *ctx, double *const *column, size_t m, CrmScoring *result)
{
	double *columns[1] = {column[0]};
	CrmLogisticData data = {
		.columns = columns, .label = column[1], .weights = column[2], .n = m, .d = 1};
	CrmLogisticParam param;
	CrmLogisticModel model;
	CrmStatus status;

	crm_logistic_defaults(&param);
	status = crm_logistic_fit(ctx, &data, &param, &model);
	if (status != CRM_OK)
		return status;
	if (model.state == CRM_LOGISTIC_FITTED && model.converged)
	{
		result->slope = model.estimate[1]; /* NaN where all probabilities are equal */
		result->intercept = model.estimate[0] - (isnan(result->slope) ? columns[0][0] : 0.0);
	}
	crm_logistic_model_free(ctx, &model);
	return CRM_OK;
}

/* Set slope and intercept of the calibration. */
static CrmStatus
measure_calibration(CrmCtx *ctx, const Groups *groups, CrmScoring *result)
{
	size_t m = 0, at = 0;
	double *room, *column[3];
	CrmStatus status = CRM_OK;

	result->slope = result->intercept = NAN;
	if (groups->yes == 0 || groups->yes == groups->rows)
		return CRM_OK;
	for (size_t g = 0; g < groups->n; g++)
		m += (groups->group[g].yes > 0) + (groups->group[g].no > 0);
	room = crm_allocate(ctx, 3 * m, sizeof(double));
	if (room == NULL)
		return ctx->failure;
	for (int c = 0; c < 3; c++)
		column[c] = room + (size_t) c * m;
	for (size_t g = 0; g < groups->n && status == CRM_OK; g++)
		for (int label = 0; label < 2; label++)
		{
			uint32_t rows = label ? groups->group[g].yes : groups->group[g].no;

			if (rows == 0)
				continue;
			column[0][at] = log_odds(groups->group[g].p);
			column[1][at] = label;
			column[2][at++] = rows;
			if (should_stop(ctx, at))
				status = CRM_ABORTED;
		}
	if (status == CRM_OK)
		status = fit_calibration(ctx, column, m, result);
	crm_release(ctx, room, 3 * m, sizeof(double));
	return status;
}

/* Give the rank before which the groups 1 to g of G end: ceil(g n / G), without overflow. */
static size_t
end_rank(size_t n, int g, int groups)
{
	size_t whole = n / (size_t) groups, rest = n % (size_t) groups;

	return whole * (size_t) g + (rest * (size_t) g + (size_t) groups - 1) / (size_t) groups;
}

/* Set a gain's ratios from the sums of its rows and of those up to it. */
static void
finish_gain(CrmScoringGain *gain, double predicted, double yes_so_far, size_t rows_so_far,
			const Groups *groups)
{
	double rate = (double) groups->yes / (double) groups->rows;
	double rows = (double) gain->rows;

	gain->mean_predicted = gain->rows > 0 ? predicted / rows : NAN;
	gain->rate = gain->rows > 0 ? gain->yes / rows : NAN;
	gain->lift = groups->yes > 0 ? gain->rate / rate : NAN;
	gain->total_share = groups->yes > 0 ? yes_so_far / (double) groups->yes : NAN;
	gain->total_lift =
		groups->yes > 0 && rows_so_far > 0 ? yes_so_far / (double) rows_so_far / rate : NAN;
}

/* Fill in the first `wanted` of as many gains, the highest probabilities first. */
static CrmStatus
measure_gains(CrmCtx *ctx, const Groups *groups, int parts, int wanted, CrmScoringGain *gain)
{
	size_t g = groups->n, rank = 0, taken = 0; /* of group g - 1 */
	CrmSum yes_so_far = {0};

	for (int part = 1; part <= wanted; part++)
	{
		CrmScoringGain *to = &gain[part - 1];
		CrmSum predicted = {0}, yes = {0};
		size_t end = end_rank(groups->rows, part, parts);

		*to = (CrmScoringGain){.rows = end - rank};
		while (rank < end)
		{
			const Group *group = &groups->group[g - 1];
			size_t size = (size_t) group->yes + group->no;
			size_t rows = size - taken < end - rank ? size - taken : end - rank;

			crm_sum_add(&predicted, (double) rows * group->p);
			crm_sum_add(&yes, (double) rows * group->yes / (double) size);
			rank += rows;
			taken += rows;
			if (taken == size)
			{
				taken = 0;
				if (should_stop(ctx, --g))
					return CRM_ABORTED;
			}
		}
		to->yes = crm_sum_value(yes);
		crm_sum_merge(&yes_so_far, yes);
		finish_gain(to, crm_sum_value(predicted), crm_sum_value(yes_so_far), rank, groups);
	}
	return CRM_OK;
}

/*
 * Measure n probabilities p against labels of 0 and 1. Errors, after which nothing is held:
 * CRM_DOMAIN, CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_scoring(CrmCtx *ctx, const double *p, const double *label, size_t n, CrmScoring *result)
{
	CrmScoringGain top = {.lift = NAN};
	Groups groups;
	CrmStatus status = begin_groups(ctx, p, label, n, &groups);

	*result = (CrmScoring){.n = n,
						   .yes = groups.yes,
						   .base_rate = NAN,
						   .log_loss = NAN,
						   .brier = NAN,
						   .top_lift = NAN};
	if (status == CRM_OK)
		status = measure_order(ctx, &groups, result);
	if (status == CRM_OK && n > 0)
	{
		result->base_rate = (double) groups.yes / (double) n;
		status = measure_loss(ctx, &groups, result);
	}
	if (status == CRM_OK)
		status = measure_calibration(ctx, &groups, result);
	if (status == CRM_OK && n > 0)
		status = measure_gains(ctx, &groups, TOP, 1, &top);
	result->top_lift = top.lift;
	end_groups(ctx, &groups);
	return status;
}

/*
 * Give precision and recall of the rule that takes the rows with p at or above a threshold for
 * yeses. Errors: CRM_ABORTED.
 */
CrmStatus
crm_scoring_threshold(CrmCtx *ctx, const double *p, const double *label, size_t n, double threshold,
					  double *precision, double *recall)
{
	size_t taken = 0, right = 0, yes = 0;

	for (size_t i = 0; i < n; i++)
	{
		yes += label[i] != 0.0;
		taken += p[i] >= threshold;
		right += p[i] >= threshold && label[i] != 0.0;
		if (should_stop(ctx, i))
			return CRM_ABORTED;
	}
	*precision = taken > 0 ? (double) right / (double) taken : NAN;
	*recall = yes > 0 ? (double) right / (double) yes : NAN;
	return CRM_OK;
}

/*
 * Fill in as many gains as groups, at least one, from the highest probabilities down. Errors, after
 * which nothing is held: CRM_DOMAIN, CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_scoring_gains(CrmCtx *ctx, const double *p, const double *label, size_t n, int groups,
				  CrmScoringGain *gain)
{
	Groups sorted;
	CrmStatus status = begin_groups(ctx, p, label, n, &sorted);

	if (status == CRM_OK)
		status = measure_gains(ctx, &sorted, groups, groups, gain);
	end_groups(ctx, &sorted);
	return status;
}
