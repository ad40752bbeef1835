/*
 * snapshot.c: unit tests of customers at a cut: by hand, against a slow definition on random
 * histories, and that nothing after the cut is seen.
 */
#include "kernel/base/rng.h"
#include "kernel/base/snapshot.h"
#include "tap.h"

#define DAY  INT64_C(86400000000)
#define MOST 60

/* Give the feature by its definition: loops over all pairs of visits and windows, no search. */
static double
slow_feature(const CrmPoint *point, int n, int64_t cut, int64_t span, int feature)
{
	double visit[MOST], amount[MOST], gaps = 0.0, squares = 0.0, spent = 0.0, early = 0.0,
									  late = 0.0;
	int visits = 0, orders = 0, recent = 0, earlier = 0;
	double silence, mean;

	for (int i = 0; i < n; i++)
	{
		if (point[i].time > cut)
			continue;
		spent += point[i].value;
		if (point[i].value < 0.0)
			continue;
		amount[orders++] = point[i].value;
		recent += point[i].time > cut - span;
		earlier += point[i].time <= cut - span && point[i].time > cut - 2 * span;
		if (visits == 0 || (double) point[i].time > visit[visits - 1])
			visit[visits++] = (double) point[i].time;
	}
	for (int i = 1; i < visits; i++)
		gaps += (visit[i] - visit[i - 1]) / (double) DAY;
	mean = visits > 1 ? gaps / (visits - 1) : 0.0;
	for (int i = 1; i < visits; i++)
		squares += pow((visit[i] - visit[i - 1]) / (double) DAY - mean, 2.0);
	silence = ((double) cut - visit[visits - 1]) / (double) DAY;
	for (int i = 0; i < orders / 2; i++)
	{
		early += amount[i];
		late += amount[orders - 1 - i];
	}
	switch (feature)
	{
		case CRM_SNAPSHOT_SILENCE:
			return log(1.0 + silence);
		case CRM_SNAPSHOT_ORDERS:
			return log(1.0 + orders);
		case CRM_SNAPSHOT_RECENT:
			return log(1.0 + recent);
		case CRM_SNAPSHOT_EARLIER:
			return log(1.0 + earlier);
		case CRM_SNAPSHOT_TENURE:
			return log(1.0 + ((double) cut - visit[0]) / (double) DAY);
		case CRM_SNAPSHOT_ONE_VISIT:
			return visits == 1;
		case CRM_SNAPSHOT_MEAN_GAP:
			return log(1.0 + mean);
		case CRM_SNAPSHOT_GAP_SPREAD:
			return visits > 2 ? sqrt(squares / (visits - 1)) / mean : 0.0;
		case CRM_SNAPSHOT_SILENCE_RATIO:
			return visits > 1 ? log(1.0 + silence / mean) : 0.0;
		case CRM_SNAPSHOT_MEAN_VALUE:
			return log(1.0 + fmax(spent / orders, 0.0));
		default:
			return early + late > 0.0 ? (late - early) / (early + late) : 0.0;
	}
}

/* Compare doubles for qsort. */
static int
compare(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Draw a history: unsorted, some orders at the same moment, some refunds. */
static int
draw(CrmRng *rng, CrmPoint *point)
{
	int n = 1 + (int) (crm_rng_uniform(rng) * (MOST - 1));

	for (int i = 0; i < n; i++)
	{
		point[i].time = (int64_t) (crm_rng_uniform(rng) * 400.0) * DAY / (i % 3 + 1);
		point[i].value = floor(crm_rng_uniform(rng) * 100.0) - (i % 7 == 3 ? 60.0 : 0.0);
	}
	return n;
}

/* Random histories at random cuts against the definitions. */
static void
test_random(CrmCtx *ctx)
{
	int wrong[CRM_SNAPSHOT_FEATURES] = {0}, order_wrong = 0, label_wrong = 0, gap_wrong = 0;
	int seen = 0, future_wrong = 0;
	double room[MOST];
	CrmRng rng;

	crm_rng_seed(&rng, 8, 0);
	for (int trial = 0; trial < 3000; trial++)
	{
		CrmPoint point[MOST], shorter[MOST];
		double features[CRM_SNAPSHOT_FEATURES], again[CRM_SNAPSHOT_FEATURES], gaps[MOST];
		int n = draw(&rng, point), kept = 0, n_gaps = 0;
		int64_t cut = (int64_t) (crm_rng_uniform(&rng) * 450.0 * (double) DAY);
		int64_t span = (int64_t) ((1.0 + crm_rng_uniform(&rng) * 100.0) * (double) DAY), last = -1;
		CrmHistory history = {point, (size_t) n}, cut_off = {shorter, 0};
		bool has_order = false, comes_back = false;

		if (crm_points_sort(ctx, point, (size_t) n) != CRM_OK)
			order_wrong++;
		for (int i = 1; i < n; i++)
			order_wrong +=
				point[i - 1].time > point[i].time ||
				(point[i - 1].time == point[i].time && point[i - 1].value > point[i].value);
		for (int i = 0; i < n; i++)
		{
			bool is_order = point[i].value >= 0.0;

			if (point[i].time <= cut)
				shorter[kept++] = point[i];
			if (is_order && point[i].time <= cut)
			{
				if (last >= 0 && point[i].time > last)
					gaps[n_gaps++] = (double) (point[i].time - last) / (double) DAY;
				last = point[i].time;
				has_order = true;
			}
			comes_back |= is_order && point[i].time > cut && point[i].time <= cut + span;
		}
		label_wrong += crm_snapshot_orders_after(&history, cut, cut + span) != comes_back;
		cut_off.n = (size_t) kept;
		label_wrong += crm_snapshot_features(&history, cut, span, features) != has_order;
		if (!has_order)
			continue;
		seen++;
		future_wrong += !crm_snapshot_features(&cut_off, cut, span, again) ||
						memcmp(features, again, sizeof features) != 0;
		for (int f = 0; f < CRM_SNAPSHOT_FEATURES; f++)
			wrong[f] += !(fabs(features[f] - slow_feature(point, n, cut, span, f)) <
						  1e-9 * fmax(1.0, fabs(features[f])));
		for (int q = 1; q <= 10; q++)
		{
			double got = crm_snapshot_gap_quantile(&history, cut, q / 10.0, room);

			qsort(gaps, (size_t) n_gaps, sizeof(double), compare);
			gap_wrong +=
				n_gaps == 0 ? !isnan(got) : !(fabs(got - gaps[(n_gaps * q + 9) / 10 - 1]) < 1e-12);
		}
	}
	ok(seen > 2500, "%d histories had an order by the cut", seen);
	for (int f = 0; f < CRM_SNAPSHOT_FEATURES; f++)
		ok(wrong[f] == 0, "%s is as defined", crm_snapshot_feature_of(f)->name);
	ok(order_wrong == 0, "points are sorted");
	ok(label_wrong == 0, "the label is whether an order lies in (cut, end]");
	ok(gap_wrong == 0, "quantiles of gaps are order statistics");
	ok(future_wrong == 0, "rows after the cut change no bit of a feature");
}

/* A history by hand: orders on days 0, 10, 10, 40, a refund on day 45, an order on day 90. */
static void
test_by_hand(void)
{
	static const CrmPoint point[] = {{0, 10},        {10 * DAY, 20},  {10 * DAY, 30},
									 {40 * DAY, 60}, {45 * DAY, -20}, {90 * DAY, 5}};
	CrmHistory history = {point, 6};
	double f[CRM_SNAPSHOT_FEATURES], room[6];
	CrmRhythm rhythm;

	ok(!crm_snapshot_rhythm(&history, -1, &rhythm), "no order before the first");
	ok(crm_snapshot_rhythm(&history, 50 * DAY, &rhythm) && rhythm.orders == 4 &&
		   rhythm.visits == 3 && rhythm.first == 0 && rhythm.last == 40 * DAY,
	   "orders and visits");
	is_near(rhythm.silence, 10.0, 1e-15, "silence: a refund does not end it");
	is_near(rhythm.mean_gap, 20.0, 1e-15, "mean gap");
	is_near(crm_rhythm_value(&rhythm), 25.0, 1e-15, "mean value, the refund subtracted");
	ok(crm_snapshot_features(&history, 50 * DAY, 30 * DAY, f), "features");
	is_near(expm1(f[CRM_SNAPSHOT_RECENT]), 1.0, 1e-14, "an order in the last 30 days");
	is_near(expm1(f[CRM_SNAPSHOT_EARLIER]), 3.0, 1e-14, "three in the 30 days before");
	is_near(expm1(f[CRM_SNAPSHOT_SILENCE_RATIO]), 0.5, 1e-14, "half a gap of silence");
	is_near(f[CRM_SNAPSHOT_GAP_SPREAD], 0.5, 1e-14, "gaps 10 and 30 vary by half their mean");
	is_near(f[CRM_SNAPSHOT_VALUE_TREND], 0.5, 1e-14, "10 and 20, then 30 and 60");
	is_near(crm_snapshot_gap_quantile(&history, 50 * DAY, 0.5, room), 10.0, 1e-15, "median gap");
	is_near(crm_snapshot_gap_quantile(&history, 50 * DAY, 0.9, room), 30.0, 1e-15,
			"90th percentile");
	ok(!crm_snapshot_orders_after(&history, 40 * DAY, 89 * DAY), "a refund is no return");
	ok(crm_snapshot_orders_after(&history, 40 * DAY, 90 * DAY), "the end is within");
	ok(!crm_snapshot_orders_after(&history, 90 * DAY, INT64_MAX), "the cut is not");
	ok(crm_snapshot_features(&history, 50 * DAY, INT64_MAX, f) && f[CRM_SNAPSHOT_EARLIER] == 0.0,
	   "a span beyond the beginning of time");
}

int
main(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	size_t n = 200000;
	CrmPoint *many = crm_allocate(ctx, n, sizeof(CrmPoint));
	CrmRng rng;
	bool sorted = true;

	test_by_hand();
	test_random(ctx);
	crm_rng_seed(&rng, 3, 0);
	for (size_t i = 0; i < n; i++)
		many[i] = (CrmPoint){.time = (int64_t) (crm_rng_next(&rng) % 1000),
							 .value = crm_rng_uniform(&rng)};
	ok(crm_points_sort(ctx, many, n) == CRM_OK, "many points of one customer");
	for (size_t i = 1; i < n; i++)
		sorted &= many[i - 1].time < many[i].time ||
				  (many[i - 1].time == many[i].time && many[i - 1].value <= many[i].value);
	ok(sorted, "are sorted, too");
	many[0].time = 2000;
	tap.abort_at = 1;
	ok(crm_points_sort(ctx, many, n) == CRM_ABORTED, "a cancel stops it");
	crm_release(ctx, many, n, sizeof(CrmPoint));
	is_clean(&tap, "sorting");
	return tap_done();
}
