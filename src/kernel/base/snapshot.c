/*
 * snapshot.c: a customer at a cut; see snapshot.h.
 */
#include "kernel/base/snapshot.h"

#include <math.h>

#define FEW 32 /* points that are sorted by insertion */

/* Give the name of a feature, and whether it is a logarithm. */
const CrmSnapshotName *
crm_snapshot_feature_of(int feature)
{
	static const CrmSnapshotName names[CRM_SNAPSHOT_FEATURES] = {
		{"days_since_last", true},     {"orders", true},
		{"orders_last_horizon", true}, {"orders_horizon_before", true},
		{"tenure_days", true},         {"one_visit", false},
		{"mean_gap_days", true},       {"gap_spread", false},
		{"silence_over_gap", true},    {"mean_value", true},
		{"value_trend", false}};

	return &names[feature];
}

/* ---- sorting ----------------------------------------------------------------------------- */

/* Tell whether one point comes before another: by time, then by value. */
static bool
is_before(const CrmPoint *a, const CrmPoint *b)
{
	return a->time < b->time || (a->time == b->time && a->value < b->value);
}

/* Let the point at i sink to its place in a heap of n points with the last one on top. */
static void
sift(CrmPoint *points, size_t i, size_t n)
{
	CrmPoint point = points[i];

	for (size_t child = 2 * i + 1; child < n; child = 2 * i + 1)
	{
		if (child + 1 < n && is_before(&points[child], &points[child + 1]))
			child++;
		if (!is_before(&point, &points[child]))
			break;
		points[i] = points[child];
		i = child;
	}
	points[i] = point;
}

/* Sort points by time, then value; a history that comes in order costs one pass. */
CrmStatus
crm_points_sort(CrmCtx *ctx, CrmPoint *points, size_t n)
{
	size_t sorted = 1;

	while (sorted < n && !is_before(&points[sorted], &points[sorted - 1]))
		sorted++;
	if (sorted >= n)
		return CRM_OK;
	for (size_t i = sorted; i < n && n <= FEW; i++)
	{
		CrmPoint point = points[i];
		size_t at = i;

		for (; at > 0 && is_before(&point, &points[at - 1]); at--)
			points[at] = points[at - 1];
		points[at] = point;
	}
	if (n <= FEW)
		return CRM_OK;
	for (size_t i = n / 2; i-- > 0;)
	{
		sift(points, i, n);
		if (i % 65536 == 0 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	for (size_t end = n - 1; end > 0; end--)
	{
		CrmPoint largest = points[0];

		points[0] = points[end];
		points[end] = largest;
		sift(points, 0, end);
		if (end % 65536 == 0 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* ---- a customer at a cut ----------------------------------------------------------------- */

/* Give how many points of a history stand at or before a cut. */
size_t
crm_points_until(const CrmHistory *history, int64_t cut)
{
	size_t low = 0, high = history->n;

	if (high == 0 || history->point[high - 1].time <= cut)
		return high;
	while (low < high)
	{
		size_t middle = low + (high - low) / 2;

		if (history->point[middle].time <= cut)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Give the days from one moment to a later one. */
static double
days_between(int64_t earlier, int64_t later)
{
	return ((double) later - (double) earlier) / CRM_SNAPSHOT_DAY;
}

/* Tell a customer's rhythm at a cut; false: the customer had no order by then. */
bool
crm_snapshot_rhythm(const CrmHistory *history, int64_t cut, CrmRhythm *rhythm)
{
	size_t n = crm_points_until(history, cut);

	*rhythm = (CrmRhythm){.mean_gap = NAN};
	for (size_t i = 0; i < n; i++)
	{
		const CrmPoint *order = &history->point[i];

		rhythm->spent += order->value;
		if (order->value < 0.0)
			continue;
		if (rhythm->orders == 0)
			rhythm->first = order->time;
		rhythm->visits += rhythm->orders == 0 || order->time > rhythm->last;
		rhythm->orders++;
		rhythm->last = order->time;
	}
	if (rhythm->orders == 0)
		return false;
	rhythm->silence = days_between(rhythm->last, cut);
	if (rhythm->visits > 1)
		rhythm->mean_gap =
			days_between(rhythm->first, rhythm->last) / (double) (rhythm->visits - 1);
	return true;
}

/* Give the standard deviation of the gaps over their mean; 0 below two gaps. */
static double
gap_spread(const CrmHistory *history, size_t n, const CrmRhythm *rhythm)
{
	double squares = 0.0;
	int64_t last = rhythm->first;

	if (rhythm->visits < 3)
		return 0.0;
	for (size_t i = 0; i < n; i++)
		if (history->point[i].value >= 0.0 && history->point[i].time > last)
		{
			double away = days_between(last, history->point[i].time) / rhythm->mean_gap - 1.0;

			squares += away * away;
			last = history->point[i].time;
		}
	return sqrt(squares / (double) (rhythm->visits - 1));
}

/* Give (b - a) / (|a| + |b|) of the mean amounts a, b of the earlier and the later half. */
static double
value_trend(const CrmHistory *history, size_t n, const CrmRhythm *rhythm)
{
	int64_t half = rhythm->orders / 2, seen = 0;
	double earlier = 0.0, later = 0.0, size;

	if (half == 0)
		return 0.0;
	for (size_t i = 0; i < n; i++)
	{
		double value = history->point[i].value;

		if (value < 0.0)
			continue;
		if (seen < half)
			earlier += value / (double) half;
		else if (seen >= rhythm->orders - half)
			later += value / (double) half;
		seen++;
	}
	size = earlier + later;
	return size > 0.0 && isfinite(size) ? (later - earlier) / size : 0.0;
}

/* Count the orders in (from, to]. */
static int64_t
orders_between(const CrmHistory *history, int64_t from, int64_t to)
{
	int64_t orders = 0;

	for (size_t i = crm_points_until(history, to); i-- > 0 && history->point[i].time > from;)
		orders += history->point[i].value >= 0.0;
	return orders;
}

/* Subtract a span from a moment, stopping at the end of time. */
static int64_t
moment_before(int64_t moment, int64_t span)
{
	int64_t before;

	return __builtin_sub_overflow(moment, span, &before) ? INT64_MIN : before;
}

/* Fill features[CRM_SNAPSHOT_FEATURES] of a customer at a cut; false: no order by then. */
bool
crm_snapshot_features(const CrmHistory *history, int64_t cut, int64_t span, double *features)
{
	size_t n = crm_points_until(history, cut);
	int64_t recent = moment_before(cut, span), earlier = moment_before(recent, span);
	CrmRhythm rhythm;

	if (!crm_snapshot_rhythm(history, cut, &rhythm))
		return false;
	features[CRM_SNAPSHOT_SILENCE] = rhythm.silence;
	features[CRM_SNAPSHOT_ORDERS] = (double) rhythm.orders;
	features[CRM_SNAPSHOT_RECENT] = (double) orders_between(history, recent, cut);
	features[CRM_SNAPSHOT_EARLIER] = (double) orders_between(history, earlier, recent);
	features[CRM_SNAPSHOT_TENURE] = days_between(rhythm.first, cut);
	features[CRM_SNAPSHOT_ONE_VISIT] = rhythm.visits == 1;
	features[CRM_SNAPSHOT_MEAN_GAP] = rhythm.visits > 1 ? rhythm.mean_gap : 0.0;
	features[CRM_SNAPSHOT_GAP_SPREAD] = gap_spread(history, n, &rhythm);
	features[CRM_SNAPSHOT_SILENCE_RATIO] =
		rhythm.visits > 1 ? rhythm.silence / rhythm.mean_gap : 0.0;
	features[CRM_SNAPSHOT_MEAN_VALUE] = fmin(crm_rhythm_value(&rhythm), 1e300);
	features[CRM_SNAPSHOT_VALUE_TREND] = value_trend(history, n, &rhythm);
	for (int f = 0; f < CRM_SNAPSHOT_FEATURES; f++)
		if (crm_snapshot_feature_of(f)->is_log)
			features[f] = log1p(features[f]);
	return true;
}

/* Tell whether a customer has an order in (cut, end]. */
bool
crm_snapshot_orders_after(const CrmHistory *history, int64_t cut, int64_t end)
{
	for (size_t i = crm_points_until(history, cut); i < history->n && history->point[i].time <= end;
		 i++)
		if (history->point[i].value >= 0.0)
			return true;
	return false;
}

/*
 * Give the quantile, in days, of the gaps up to a cut: the gap of rank ceil(share x gaps), share in
 * (0, 1]; NaN without a gap. room has place for as many numbers as the history has points.
 */
double
crm_snapshot_gap_quantile(const CrmHistory *history, int64_t cut, double share, double *room)
{
	size_t n = crm_points_until(history, cut), gaps = 0, rank;
	bool has_last = false;
	int64_t last = 0;

	for (size_t i = 0; i < n; i++)
	{
		const CrmPoint *order = &history->point[i];

		if (order->value < 0.0)
			continue;
		if (has_last && order->time > last)
			room[gaps++] = days_between(last, order->time);
		has_last = true;
		last = order->time;
	}
	if (gaps == 0)
		return NAN;
	rank = (size_t) fmax(ceil(share * (double) gaps), 1.0) - 1;

	/* quickselect by Hoare 1961, the middle one as pivot */
	for (size_t low = 0, high = gaps - 1; low < high;)
	{
		double pivot = room[low + (high - low) / 2];
		size_t i = low, j = high;

		for (;;)
		{
			double held;

			while (room[i] < pivot)
				i++;
			while (pivot < room[j])
				j--;
			if (i >= j)
				break;
			held = room[i];
			room[i++] = room[j];
			room[j--] = held;
		}
		if (rank <= j)
			high = j;
		else
			low = j + 1;
	}
	return room[rank];
}
