/*
 * snapshot.h: what is known of a customer at a moment in the past, the cut, from nothing but the
 * orders up to it; and whether orders came in the time after it.
 *
 * A history is the customer's orders in the order of time, then of amount. An amount below zero is
 * a refund: part of what was spent, no order. Orders at the very same moment are one visit; a gap
 * is the time from a visit to the next.
 *
 * Features of the orders up to the cut, `span` long windows before it, days being 86400 seconds:
 *
 *     silence s = cut - last order, tenure = cut - first order
 *     mean gap m = (last - first) / (visits - 1), its spread sd(gaps) / m
 *     silence over mean gap s / m; 0 where there is no gap, as m itself
 *     value trend (b - a) / (|a| + |b|), a and b the mean amounts of the earlier and later half
 *
 * Those that crm_snapshot_feature_of tells to be logarithms are given as ln(1 + value): counts,
 * times and money stretch over magnitudes.
 *
 * Invariants: a row after the cut changes nothing; every feature is finite. Not handled: time zones
 * (a day is 24 hours).
 */
#ifndef CRM_KERNEL_SNAPSHOT_H
#define CRM_KERNEL_SNAPSHOT_H

#include "kernel/base/context.h"

#define CRM_SNAPSHOT_DAY 86400e6 /* microseconds */

/* What happened at a moment: an order and its amount, or another number observed then. */
typedef struct CrmPoint
{
	int64_t time; /* microseconds */
	double value;
} CrmPoint;

/* Points of one customer, sorted; the caller's. */
typedef struct CrmHistory
{
	const CrmPoint *point;
	size_t n;
} CrmHistory;

typedef enum CrmSnapshotFeature
{
	CRM_SNAPSHOT_SILENCE,
	CRM_SNAPSHOT_ORDERS,
	CRM_SNAPSHOT_RECENT,  /* orders in the span up to the cut */
	CRM_SNAPSHOT_EARLIER, /* orders in the span before that */
	CRM_SNAPSHOT_TENURE,
	CRM_SNAPSHOT_ONE_VISIT, /* 1 for a customer who came once */
	CRM_SNAPSHOT_MEAN_GAP,
	CRM_SNAPSHOT_GAP_SPREAD,
	CRM_SNAPSHOT_SILENCE_RATIO,
	CRM_SNAPSHOT_MEAN_VALUE,
	CRM_SNAPSHOT_VALUE_TREND,
	CRM_SNAPSHOT_FEATURES
} CrmSnapshotFeature;

typedef struct CrmSnapshotName
{
	const char *name; /* days_since_last */
	bool is_log;      /* the feature is ln(1 + value) */
} CrmSnapshotName;

/* A customer's rhythm at a cut. */
typedef struct CrmRhythm
{
	int64_t first, last;
	int64_t orders, visits;
	double silence;  /* days since the last order */
	double mean_gap; /* days; NaN for a customer who came once */
	double spent;    /* sum of the amounts, refunds subtracted */
} CrmRhythm;

/* Give the mean value of an order, not below 0. */
static inline double
crm_rhythm_value(const CrmRhythm *rhythm)
{
	double mean = rhythm->spent / (double) rhythm->orders;

	return mean > 0.0 ? mean : 0.0;
}

extern const CrmSnapshotName *crm_snapshot_feature_of(int feature);
extern CrmStatus crm_points_sort(CrmCtx *ctx, CrmPoint *points, size_t n);
extern size_t crm_points_until(const CrmHistory *history, int64_t cut);
extern bool crm_snapshot_rhythm(const CrmHistory *history, int64_t cut, CrmRhythm *rhythm);
extern bool crm_snapshot_features(const CrmHistory *history, int64_t cut, int64_t span,
								  double *features);
extern bool crm_snapshot_orders_after(const CrmHistory *history, int64_t cut, int64_t end);
extern double crm_snapshot_gap_quantile(const CrmHistory *history, int64_t cut, double share,
										double *room);

#endif
