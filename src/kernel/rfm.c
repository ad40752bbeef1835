/*
 * rfm.c: scores and segments; see rfm.h for the definitions and the references.
 *
 * The quantile road selects the bins - 1 bounds it needs in expected O(n log bins) instead of
 * sorting.
 */
#include "kernel/rfm.h"

#include "kernel/base/order.h"

#include <string.h>

#define POLL_ROWS ((size_t) 1 << 20)

/*
 * The customary segments for five bins; the first rule that fits wins and together they cover the
 * cube. The names are those in general use since Hughes; the boxes are ours: recency splits "still
 * here" (4, 5), "slipping" (3) and "gone quiet" (1, 2); frequency splits regulars (4, 5), repeaters
 * (2, 3) and one-timers (1).
 */
static const CrmRfmRule default_rules[] = {
	{{4, 4, 4}, {5, 5, 5}}, {{1, 4, 4}, {2, 5, 5}}, {{1, 3, 1}, {2, 5, 5}}, {{3, 4, 1}, {5, 5, 5}},
	{{4, 2, 1}, {5, 3, 5}}, {{5, 1, 1}, {5, 1, 5}}, {{4, 1, 1}, {4, 1, 5}}, {{3, 2, 1}, {3, 3, 5}},
	{{3, 1, 1}, {3, 1, 5}}, {{2, 1, 1}, {2, 2, 5}}, {{1, 1, 1}, {5, 5, 5}},
};

static const char *const default_names[] = {
	"Champions",          "Cannot Lose Them", "At Risk",   "Loyal Customers",
	"Potential Loyalist", "New Customers",    "Promising", "Need Attention",
	"About To Sleep",     "Hibernating",      "Lost",
};

/* Put each value into a bin by ascending bounds, and keep the books of each bin. */
static CrmStatus
score_by_bounds(CrmCtx *ctx, const CrmRfmParam *param, const uint64_t *bounds,
				const uint64_t *values, size_t n, uint8_t *score, CrmRfmBin *bins)
{
	int n_bounds = param->bins - 1;

	for (size_t i = 0; i < n; i++)
	{
		uint64_t value = values[i];
		int bin = 0;
		CrmRfmBin *book;

		if (i % POLL_ROWS == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		if (n_bounds <= 8)
			for (int k = 0; k < n_bounds; k++)
				bin += value > bounds[k];
		else
			for (int low = 0, high = n_bounds; low < high; bin = low)
			{
				int middle = (low + high) / 2;

				if (value > bounds[middle])
					low = middle + 1;
				else
					high = middle;
			}
		if (param->small_is_good)
			bin = n_bounds - bin;
		score[i] = (uint8_t) (bin + 1);
		book = &bins[bin];
		if (book->customers == 0 || value < book->lower)
			book->lower = value;
		if (book->customers == 0 || value > book->upper)
			book->upper = value;
		book->customers++;
	}
	return CRM_OK;
}

/* Find the quantile bounds, then score by them. Needs 8 bytes a customer for a moment. */
static CrmStatus
score_by_quantile(CrmCtx *ctx, const CrmRfmParam *param, const uint64_t *values, size_t n,
				  uint8_t *score, CrmRfmBin *bins)
{
	uint64_t bounds[CRM_RFM_MAX_BINS];
	size_t ranks[CRM_RFM_MAX_BINS];
	int n_bounds = param->bins - 1;
	uint64_t *copy = crm_allocate(ctx, n, sizeof(uint64_t));
	CrmStatus status;

	if (copy == NULL)
		return ctx->failure;
	memcpy(copy, values, n * sizeof(uint64_t));
	for (int k = 0; k < n_bounds; k++)
		ranks[k] = crm_quantile_rank(n, k + 1, param->bins);
	status = crm_select_ranks(ctx, copy, n, ranks, n_bounds);
	for (int k = 0; k < n_bounds; k++)
		bounds[k] = copy[ranks[k]];
	crm_release(ctx, copy, n, sizeof(uint64_t));
	if (status != CRM_OK)
		return status;
	return score_by_bounds(ctx, param, bounds, values, n, score, bins);
}

/* Score by rank. Needs 16 bytes a customer for a moment. */
static CrmStatus
score_by_ntile(CrmCtx *ctx, const CrmRfmParam *param, const uint64_t *values, size_t n,
			   uint8_t *score, CrmRfmBin *bins)
{
	uint64_t flip = param->small_is_good ? ~UINT64_C(0) : 0;
	uint64_t *worth = crm_allocate(ctx, n, sizeof(uint64_t));
	uint32_t *index = crm_allocate(ctx, n, 2 * sizeof(uint32_t));
	size_t share = n / param->bins, more = n % param->bins;
	CrmStatus status = CRM_OK;

	if (worth == NULL || index == NULL)
		status = ctx->failure;
	else
	{
		for (size_t i = 0; i < n; i++)
			worth[i] = values[i] ^ flip;
		memcpy(index, param->key_order, n * sizeof(uint32_t));
		status = crm_radix_sort_index(ctx, worth, index, index + n, n);
	}
	for (size_t rank = 0; rank < n && status == CRM_OK; rank++)
	{
		size_t long_part = more * (share + 1);
		size_t bin = rank < long_part ? rank / (share + 1) : more + (rank - long_part) / share;
		uint64_t value = values[index[rank]];
		CrmRfmBin *book = &bins[bin];

		if (rank % POLL_ROWS == 0 && crm_poll(ctx))
			status = CRM_ABORTED;
		score[index[rank]] = (uint8_t) (bin + 1);
		if (book->customers == 0 || value < book->lower)
			book->lower = value;
		if (book->customers == 0 || value > book->upper)
			book->upper = value;
		book->customers++;
	}
	crm_release(ctx, worth, n, sizeof(uint64_t));
	crm_release(ctx, index, n, 2 * sizeof(uint32_t));
	return status;
}

/*
 * Score one dimension: values[n] are its keys, score[n] receives 1..bins, bins[param->bins] what
 * each score came to hold. No customers is fine. CRM_LIMIT or CRM_NO_MEMORY for want of scratch
 * memory.
 */
CrmStatus
crm_rfm_score(CrmCtx *ctx, const CrmRfmParam *param, const uint64_t *values, size_t n,
			  uint8_t *score, CrmRfmBin *bins)
{
	memset(bins, 0, param->bins * sizeof(CrmRfmBin));
	if (n == 0)
		return CRM_OK;
	switch (param->method)
	{
		case CRM_RFM_QUANTILE:
			return score_by_quantile(ctx, param, values, n, score, bins);
		case CRM_RFM_NTILE:
			return score_by_ntile(ctx, param, values, n, score, bins);
		default:
			return score_by_bounds(ctx, param, param->cuts, values, n, score, bins);
	}
}

/*
 * Place a score of another number of bins on the scale 1 to 5: the ends stay the ends, the rest
 * goes to the nearest, halves up.
 */
int
crm_rfm_to_five(int score, int bins)
{
	return 1 + (8 * (score - 1) + (bins - 1)) / (2 * (bins - 1));
}

/* Give the customary rules for five bins, and how many there are; both arrays are constant. */
int
crm_rfm_default_rules(const CrmRfmRule **rules, const char *const **names)
{
	*rules = default_rules;
	*names = default_names;
	return (int) (sizeof(default_rules) / sizeof(default_rules[0]));
}

/*
 * Give a five-bin rule in another number of bins: the scores that lie in it on the scale of five.
 * With fewer than five bins a rule may hold no score: low > high.
 */
CrmRfmRule
crm_rfm_scale_rule(const CrmRfmRule *rule, int bins)
{
	CrmRfmRule scaled;

	for (int d = 0; d < 3; d++)
	{
		scaled.low[d] = bins + 1;
		scaled.high[d] = 0;
		for (int score = bins; score >= 1; score--)
			if (crm_rfm_to_five(score, bins) >= rule->low[d])
				scaled.low[d] = score;
		for (int score = 1; score <= bins; score++)
			if (crm_rfm_to_five(score, bins) <= rule->high[d])
				scaled.high[d] = score;
	}
	return scaled;
}

/* Give the first of the rules that holds the scores r, f, m, or -1. Rules are in bins of the
 * scores. */
int
crm_rfm_match(const CrmRfmRule *rules, int n_rules, const int score[3])
{
	for (int i = 0; i < n_rules; i++)
	{
		const CrmRfmRule *rule = &rules[i];

		if (score[0] >= rule->low[0] && score[0] <= rule->high[0] && score[1] >= rule->low[1] &&
			score[1] <= rule->high[1] && score[2] >= rule->low[2] && score[2] <= rule->high[2])
			return i;
	}
	return -1;
}

/* Give the customary segment of three scores of 1 to bins; a constant. */
const char *
crm_rfm_default_segment(int bins, const int score[3])
{
	int five[3];
	int n = (int) (sizeof(default_rules) / sizeof(default_rules[0]));

	for (int d = 0; d < 3; d++)
		five[d] = crm_rfm_to_five(score[d], bins);
	return default_names[crm_rfm_match(default_rules, n, five)];
}

/*
 * Fill the cube: cube[crm_rfm_cell(...)] is the rule that wins there, for all bins^3 cells.
 * CRM_DOMAIN and the cell's scores in hole when no rule holds some cell.
 */
CrmStatus
crm_rfm_cube(CrmCtx *ctx, const CrmRfmRule *rules, int n_rules, int bins, uint16_t *cube,
			 int hole[3])
{
	int score[3];

	for (score[0] = 1; score[0] <= bins; score[0]++)
		for (score[1] = 1; score[1] <= bins; score[1]++)
		{
			if (crm_poll(ctx))
				return CRM_ABORTED;
			for (score[2] = 1; score[2] <= bins; score[2]++)
			{
				int rule = crm_rfm_match(rules, n_rules, score);

				if (rule < 0)
				{
					memcpy(hole, score, sizeof(score));
					return CRM_DOMAIN;
				}
				cube[crm_rfm_cell(bins, score[0], score[1], score[2])] = (uint16_t) rule;
			}
		}
	return CRM_OK;
}

/* Count one customer into a segment. */
void
crm_rfm_tally(CrmRfmSegment *segment, int64_t orders, CrmSum revenue, double recency_seconds,
			  double monetary)
{
	segment->customers++;
	segment->orders += orders;
	crm_sum_merge(&segment->revenue, revenue);
	crm_sum_add(&segment->recency, recency_seconds);
	crm_sum_add(&segment->monetary, monetary);
}

/* Count a segment into another. */
void
crm_rfm_tally_merge(CrmRfmSegment *segment, const CrmRfmSegment *other)
{
	segment->customers += other->customers;
	segment->orders += other->orders;
	crm_sum_merge(&segment->revenue, other->revenue);
	crm_sum_merge(&segment->recency, other->recency);
	crm_sum_merge(&segment->monetary, other->monetary);
}
