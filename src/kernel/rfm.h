/*
 * rfm.h: recency, frequency and monetary value scored 1 to bins, and the segments that rules make
 * of them.
 *
 * A dimension is scored by itself. Its values come as order-preserving 64-bit keys (base/order.h),
 * so that times and amounts take one road. With ascending values v_1..v_n and b bins:
 *
 *   quantile  upper bound u_k = v_ceil(n k / b); bin = the smallest k with v <= u_k, so equal
 *             values share a bin (and may leave others empty)
 *   ntile     by rank, ties in the order of the keys; the first n mod b bins get one more
 *   cuts      bin = 1 + the number of given cuts below v
 *
 * score = bin, or b + 1 - bin where small is good, as with recency.
 * The scores: Hughes, Strategic Database Marketing, 4th ed. 2011, ch. 5. The quantiles: inverse of
 * the empirical distribution, type 1 of Hyndman and Fan 1996, doi 10.1080/00031305.1996.10473566.
 */
#ifndef CRM_KERNEL_RFM_H
#define CRM_KERNEL_RFM_H

#include "kernel/base/context.h"
#include "kernel/base/sum.h"

#define CRM_RFM_MIN_BINS  2
#define CRM_RFM_MAX_BINS  99
#define CRM_RFM_MAX_RULES 10000

typedef enum CrmRfmMethod
{
	CRM_RFM_QUANTILE,
	CRM_RFM_NTILE,
	CRM_RFM_CUTS
} CrmRfmMethod;

typedef struct CrmRfmParam
{
	CrmRfmMethod method;
	int bins;
	bool small_is_good;   /* as for recency */
	const uint64_t *cuts; /* CRM_RFM_CUTS: bins - 1 keys, ascending */
	const uint32_t
		*key_order; /* CRM_RFM_NTILE: the customers' numbers in the order of their keys */
} CrmRfmParam;

/* What a score came to hold, in the dimension's keys; lower and upper mean nothing without
 * customers. */
typedef struct CrmRfmBin
{
	uint64_t lower, upper; /* the smallest and the largest value in it */
	int64_t customers;
} CrmRfmBin;

/* A rule: a box in the cube of scores, bounds included. */
typedef struct CrmRfmRule
{
	int low[3], high[3]; /* r, f, m */
} CrmRfmRule;

/* Totals of a segment. */
typedef struct CrmRfmSegment
{
	int64_t customers;
	int64_t orders;
	CrmSum revenue;
	CrmSum recency;  /* in seconds */
	CrmSum monetary; /* the scored value: a sum or a mean */
} CrmRfmSegment;

extern CrmStatus crm_rfm_score(CrmCtx *ctx, const CrmRfmParam *param, const uint64_t *values,
							   size_t n, uint8_t *score, CrmRfmBin *bins);
extern int crm_rfm_default_rules(const CrmRfmRule **rules, const char *const **names);
extern int crm_rfm_to_five(int score, int bins);
extern const char *crm_rfm_default_segment(int bins, const int score[3]);
extern CrmRfmRule crm_rfm_scale_rule(const CrmRfmRule *rule, int bins);
extern CrmStatus crm_rfm_cube(CrmCtx *ctx, const CrmRfmRule *rules, int n_rules, int bins,
							  uint16_t *cube, int hole[3]);
extern int crm_rfm_match(const CrmRfmRule *rules, int n_rules, const int score[3]);

extern void crm_rfm_tally(CrmRfmSegment *segment, int64_t orders, CrmSum revenue,
						  double recency_seconds, double monetary);
extern void crm_rfm_tally_merge(CrmRfmSegment *segment, const CrmRfmSegment *other);

/* Tell whether a rule holds no score. */
static inline bool
crm_rfm_is_empty(const CrmRfmRule *rule)
{
	return rule->low[0] > rule->high[0] || rule->low[1] > rule->high[1] ||
		   rule->low[2] > rule->high[2];
}

/* Give the cell of the cube for three scores. */
static inline size_t
crm_rfm_cell(int bins, int r, int f, int m)
{
	return ((size_t) (r - 1) * bins + (f - 1)) * bins + (m - 1);
}

/* Give the composite score: 100 r + 10 f + m, with two digits a dimension when bins > 9. */
static inline int
crm_rfm_composite(int bins, int r, int f, int m)
{
	int base = bins > 9 ? 100 : 10;

	return (r * base + f) * base + m;
}

#endif
