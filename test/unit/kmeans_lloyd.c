/*
 * kmeans_lloyd.c: unit tests of Lloyd's iteration: labels are those of brute force in spite of the
 * bounds, sums and centres are exact, inertia falls, empty clusters are filled. Golden numbers:
 * scikit-learn 1.9.1, KMeans(init=array, n_init=1, algorithm='lloyd') on the grid of points.h.
 */
#include "kernel/base/sum.h"
#include "kernel/kmeans_lloyd.h"
#include "points.h"

/* Take every step-th of the rows as made for centres. */
static void
take_rows(CrmLloyd *lloyd, const Points *points, int k, size_t first, size_t step)
{
	lloyd->k = k;
	for (int j = 0; j < k; j++)
		for (int f = 0; f < points->d; f++)
			lloyd->centres[j * points->d + f] = points_at(
				points, (first + (size_t) j * step) % points->n, points->data.column_order[f]);
	crm_kmeans_lloyd_forget(lloyd);
}

/* Tell whether labels, sums and members are what the centres and the labels say. */
static bool
is_consistent(const CrmLloyd *lloyd, bool has_labels)
{
	const CrmKmeansData *data = lloyd->data;
	bool passed = true;

	for (int j = 0; j < lloyd->k; j++)
	{
		int64_t members = 0;
		CrmSum weight = {0};

		for (int f = 0; f <= data->d; f++)
		{
			CrmSum sum = {0};

			for (size_t i = 0; i < data->n; i++)
				if (lloyd->label[i] == j)
				{
					double mine = data->weights != NULL ? data->weights[i] : 1.0;

					crm_sum_add(f < data->d ? &sum : &weight,
								f < data->d ? mine * data->x[f][i] : mine);
					members += f == data->d && mine > 0.0;
				}
			if (f < data->d)
				passed &= fabs(crm_kmeans_sums_get(&lloyd->sums, j, f) - crm_sum_value(sum)) <=
						  1e-15 * fabs(crm_sum_value(sum));
		}
		passed &= lloyd->members[j] == members;
		passed &= fabs(crm_kmeans_lloyd_weight_of(lloyd, j) - crm_sum_value(weight)) <=
				  1e-15 * crm_sum_value(weight);
	}
	for (size_t i = 0; i < data->n && has_labels; i++)
		passed &= lloyd->label[i] == points_nearest(data, i, lloyd->centres, lloyd->k);
	return passed;
}

/* Give the share of rows whose bound lets them be skipped. */
static double
share_skipped(const CrmLloyd *lloyd)
{
	size_t n = 0;

	for (size_t i = 0; i < lloyd->data->n; i++)
		n += lloyd->bound[i] > lloyd->moved[lloyd->label[i]];
	return (double) n / (double) lloyd->data->n;
}

/* In each iteration the labels are those of brute force, and the sums those of the labels. */
static void
test_bounds(void)
{
	bool passed = true;
	double skipped = 0.0;

	for (int trial = 0; trial < 60; trial++)
	{
		int d = 1 + trial % 7, k = 1 + (int) draw_below(20);
		size_t n = 20 + draw_below(1500);
		bool has_weights = trial % 3 == 0;
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmLloyd lloyd;

		points_blobs(&points, n, d, 1 + trial % 9, 0.5 + trial % 4, has_weights);
		for (size_t i = 0; i < n; i++)
		{
			if (has_weights)
				points_weigh(&points, i, (double) draw_below(4) / 4);
			for (int f = 0; f < d && trial % 5 == 0; f++) /* ties */
				points_set(&points, i, f, floor(points_at(&points, i, f)));
		}
		(void) points_arrange(ctx, &points);
		passed &= crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, k) == CRM_OK;
		take_rows(&lloyd, &points, k, draw_below(n), 1);
		for (int iteration = 0; iteration < 30; iteration++)
		{
			passed &= crm_kmeans_lloyd_assign(&lloyd, iteration % 13 == 12) == CRM_OK;
			passed &= is_consistent(&lloyd, true);
			passed &= crm_kmeans_lloyd_update(&lloyd) == CRM_OK;
			passed &= is_consistent(&lloyd, false);
		}
		skipped = trial % 3 == 1 ? fmax(skipped, share_skipped(&lloyd)) : skipped;
		crm_kmeans_lloyd_free(&lloyd);
		points_end(ctx, &points);
		passed &= host.tap.live == 0;
	}
	ok(passed, "labels are those of brute force, sums those of the labels, in each iteration");
	ok(skipped > 0.9, "and most rows are skipped in the end");
}

typedef struct Watch
{
	double last;
	int calls;
	bool is_falling;
} Watch;

static void
watch(void *user, int start, int iteration, double inertia)
{
	Watch *mine = user;

	mine->is_falling &= inertia <= mine->last && iteration == mine->calls && start == 3;
	mine->last = inertia;
	mine->calls++;
}

static void
test_monotone(void)
{
	bool falling = true, same = true;

	for (int trial = 0; trial < 40; trial++)
	{
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmLloyd watched, plain;
		Watch mine = {.last = INFINITY, .is_falling = true};
		CrmLloydRule rule = {
			.max_iterations = 500, .start = 3, .trace = watch, .trace_user = &mine};

		points_blobs(&points, 600, 1 + trial % 5, 5, 1.5, false);
		(void) points_arrange(ctx, &points);
		(void) crm_kmeans_lloyd_begin(&watched, ctx, &points.data, 9);
		(void) crm_kmeans_lloyd_begin(&plain, ctx, &points.data, 9);
		take_rows(&watched, &points, 9, 0, 1);
		take_rows(&plain, &points, 9, 0, 1);
		falling &= crm_kmeans_lloyd_run(&watched, &rule) == CRM_OK;
		falling &= crm_kmeans_lloyd_measure(&watched, &rule) == CRM_OK;
		falling &= mine.is_falling && mine.calls == watched.iterations + 1 && watched.converged;
		rule.trace = NULL;
		(void) crm_kmeans_lloyd_run(&plain, &rule);
		(void) crm_kmeans_lloyd_measure(&plain, &rule);
		same &= plain.iterations == watched.iterations && plain.inertia == watched.inertia &&
				memcmp(plain.label, watched.label, 600 * sizeof(uint16_t)) == 0;
		crm_kmeans_lloyd_free(&plain);
		crm_kmeans_lloyd_free(&watched);
		points_end(ctx, &points);
	}
	ok(falling, "inertia never rises, in any iteration");
	ok(same, "watching changes nothing");
}

static void
test_golden(void)
{
	static const int ks[] = {2, 3, 5, 8}, iterations[] = {6, 10, 14, 7};
	static const double inertia[] = {13537.378267279712, 10778.486715067698, 7957.9548039520978,
									 5421.6689506898601};
	static const double after_three[] = {13543.591272694299, 11485.973989809416, 8498.1515345400512,
										 5492.802578641863};
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmLloyd lloyd;
	CrmLloydRule rule = {.max_iterations = 300}, three = {.max_iterations = 3};

	points_grid(&points, false);
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 8);
	for (int i = 0; i < 4; i++)
	{
		take_rows(&lloyd, &points, ks[i], 1, 7);
		(void) crm_kmeans_lloyd_run(&lloyd, &rule);
		(void) crm_kmeans_lloyd_measure(&lloyd, &rule);
		is_close(lloyd.inertia, inertia[i], 1e-13, "inertia of scikit-learn's Lloyd");
		is_int(lloyd.iterations, iterations[i], "after as many iterations");
		ok(lloyd.converged && is_consistent(&lloyd, true), "in a fixed point");
		take_rows(&lloyd, &points, ks[i], 1, 7);
		(void) crm_kmeans_lloyd_run(&lloyd, &three);
		(void) crm_kmeans_lloyd_measure(&lloyd, &three);
		is_close(lloyd.inertia, after_three[i], 1e-13, "and after three iterations");
		ok(!lloyd.converged && lloyd.iterations == 3, "which are not enough");
	}
	crm_kmeans_lloyd_free(&lloyd);
	points_end(ctx, &points);
}

/* Centres far away come out empty; scikit-learn relocates them as we do. */
static void
test_empty(void)
{
	static const double far[] = {0,    0,  0,  1000, 1000, 1000, 1000, 1000,
								 1000, 5., 5., 5.,   2000, 0,    0};
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmLloyd lloyd;
	CrmLloydRule rule = {.max_iterations = 300};
	Watch mine = {.last = INFINITY, .is_falling = true};
	int members = 0;

	points_grid(&points, false);
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 5);
	lloyd.k = 5;
	for (int c = 0; c < 15; c++)
		lloyd.centres[c] = far[c / 3 * 3 + points.data.column_order[c % 3]];
	(void) crm_kmeans_lloyd_assign(&lloyd, false);
	for (int j = 0; j < 5; j++)
		members += lloyd.members[j] > 0;
	is_int(members, 2, "two centres take all rows");
	(void) crm_kmeans_lloyd_update(&lloyd);
	is_int((int64_t) lloyd.relocated, 3, "three rows are relocated");
	ok(is_consistent(&lloyd, false), "and leave the sums of their clusters");
	for (int c = 0; c < 15; c++)
		lloyd.centres[c] = far[c / 3 * 3 + points.data.column_order[c % 3]];
	crm_kmeans_lloyd_forget(&lloyd);
	rule.start = 3;
	rule.trace = watch;
	rule.trace_user = &mine;
	(void) crm_kmeans_lloyd_run(&lloyd, &rule);
	(void) crm_kmeans_lloyd_measure(&lloyd, &rule);
	is_close(lloyd.inertia, 7822.2616093850529, 1e-13, "the inertia of scikit-learn");
	is_int(lloyd.iterations, 24, "after as many iterations");
	ok(mine.is_falling, "inertia falls all the while");
	crm_kmeans_lloyd_free(&lloyd);
	points_end(ctx, &points);
}

/* Clusters that cannot be filled, weights of zero, ties among candidates. */
static void
test_unfillable(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmLloyd lloyd;
	CrmLloydRule rule = {.max_iterations = 50};
	int64_t members = 0;
	bool passed = true;

	points_begin(&points, 40, 2, true);
	for (size_t i = 0; i < 40; i++)
	{
		points_set(&points, i, 0, (double) (i % 4));
		points_set(&points, i, 1, 1.0);
		points_weigh(&points, i, i % 4 == 3 ? 0.0 : 1.0);
	}
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 6);
	lloyd.k = 6;
	for (int c = 0; c < 12; c++)
		lloyd.centres[c] = 100.0;
	crm_kmeans_lloyd_forget(&lloyd);
	passed &= crm_kmeans_lloyd_run(&lloyd, &rule) == CRM_OK && lloyd.converged;
	(void) crm_kmeans_lloyd_measure(&lloyd, &rule);
	for (int j = 0; j < 6; j++)
	{
		members += lloyd.members[j];
		for (int f = 0; f < 2; f++)
			passed &= isfinite(lloyd.centres[2 * j + f]);
	}
	ok(passed && members == 30 && lloyd.inertia == 0.0,
	   "three values that count take three of six centres, the others stay empty");
	crm_kmeans_lloyd_free(&lloyd);
	points_end(ctx, &points);
}

static void
test_renumber(void)
{
	bool passed = true;

	for (int trial = 0; trial < 50; trial++)
	{
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmLloyd lloyd;
		int k = 1 + trial % 9, number[9], used_up[9];
		uint32_t order[9];
		uint16_t before[200];
		double centres[27];

		points_blobs(&points, 200, 3, 4, 1, trial % 2 == 0);
		(void) points_arrange(ctx, &points);
		(void) crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, k);
		take_rows(&lloyd, &points, k, 0, 1);
		(void) crm_kmeans_lloyd_assign(&lloyd, true);
		memcpy(before, lloyd.label, sizeof before);
		memcpy(centres, lloyd.centres, (size_t) (3 * k) * sizeof(double));
		draw_order(order, (uint32_t) k);
		for (int j = 0; j < k; j++)
			number[j] = used_up[j] = (int) order[j];
		passed &= crm_kmeans_lloyd_renumber(&lloyd, used_up) == CRM_OK;
		for (int i = 0; i < 200; i++)
			passed &= lloyd.label[i] == number[before[i]];
		for (int j = 0; j < k; j++)
			passed &=
				memcmp(centres + 3 * j, lloyd.centres + 3 * number[j], 3 * sizeof(double)) == 0;
		passed &= is_consistent(&lloyd, true);
		(void) crm_kmeans_lloyd_assign(&lloyd, false);
		passed &= lloyd.changed == 0;
		crm_kmeans_lloyd_free(&lloyd);
		points_end(ctx, &points);
	}
	ok(passed, "renumbering changes numbers and nothing else");
}

static void
test_failures(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmLloyd lloyd;
	CrmLloydRule rule = {.max_iterations = 20};
	CrmStatus status = CRM_NO_MEMORY;
	size_t bytes = crm_kmeans_lloyd_bytes(20000, 2, 50), before, polls = 0;
	bool passed = true;

	points_blobs(&points, 20000, 2, 4, 2, false);
	(void) points_arrange(ctx, &points);
	before = ctx->used;
	for (size_t at = 1; status == CRM_NO_MEMORY && at < 50; at++)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = at;
		status = crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 50);
		passed &= status == CRM_OK || ctx->used == before;
	}
	ok(passed && status == CRM_OK, "an allocation that fails leaks nothing");
	is_int((int64_t) (ctx->used - before), (int64_t) bytes, "the bytes are told beforehand");
	crm_kmeans_lloyd_free(&lloyd);
	host.tap.fail_at = 0;
	ctx->limit = before + bytes - 1;
	is_int(crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 50), CRM_LIMIT, "one less is too few");
	ctx->limit = before + bytes;
	is_int(crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 50), CRM_OK, "but they are enough");
	status = CRM_ABORTED;
	for (size_t at = 1; status == CRM_ABORTED && at < 2000; at++)
	{
		take_rows(&lloyd, &points, 50, 0, 1);
		lloyd.centres[0] = lloyd.centres[1] = 1e6; /* an empty cluster */
		lloyd.work = 0;
		host.tap.polls = 0;
		host.tap.abort_at = at;
		status = crm_kmeans_lloyd_run(&lloyd, &rule);
		polls++;
	}
	ok(status == CRM_OK && polls > 10, "a cancel at any poll is CRM_ABORTED");
	host.tap.abort_at = 0;
	take_rows(&lloyd, &points, 50, 0, 1);
	ok(crm_kmeans_lloyd_run(&lloyd, &rule) == CRM_OK &&
		   crm_kmeans_lloyd_measure(&lloyd, &rule) == CRM_OK && is_consistent(&lloyd, true),
	   "and the state can be used again");
	crm_kmeans_lloyd_free(&lloyd);
	points_end(ctx, &points);
	is_clean(&host.tap, "iterating");
}

int
main(void)
{
	test_bounds();
	test_monotone();
	test_golden();
	test_empty();
	test_unfillable();
	test_renumber();
	test_failures();
	return tap_done();
}
