/*
 * kmeans_search.c: unit tests of the local search: it ends where no exchange helps, never above
 * where it began, within its bounds, and in optima that can be had otherwise.
 */
#include "kernel/kmeans_search.h"
#include "kernel/kmeans_seed.h"
#include "points.h"

/* A state from a random start, iterated and measured. */
typedef struct Start
{
	Points points;
	Host host;
	CrmCtx *ctx;
	CrmLloyd lloyd;
	CrmLloydRule rule;
} Start;

/* Begin from one row a centre, drawn at random; shape makes ties, weights or neither. */
static void
begin(Start *start, size_t n, int d, int k, int shape)
{
	CrmKmeansParam param;

	start->ctx = host_begin(&start->host);
	start->rule = (CrmLloydRule){.max_iterations = 1000};
	points_blobs(&start->points, n, d, 6, 1.5, shape == 1);
	for (size_t i = 0; i < n; i++)
	{
		if (shape == 1)
			points_weigh(&start->points, i, (double) draw_below(5));
		for (int f = 0; f < d && shape == 2; f++)
			points_set(&start->points, i, f, floor(points_at(&start->points, i, f)));
	}
	(void) points_arrange(start->ctx, &start->points);
	(void) crm_kmeans_lloyd_begin(&start->lloyd, start->ctx, &start->points.data, k);
	crm_kmeans_defaults(&param);
	param.k = k;
	param.init = CRM_KMEANS_RANDOM;
	(void) crm_kmeans_seed(&start->lloyd, &param, (int) draw_below(1000));
	(void) crm_kmeans_lloyd_run(&start->lloyd, &start->rule);
	(void) crm_kmeans_lloyd_measure(&start->lloyd, &start->rule);
}

static void
end(Start *start)
{
	crm_kmeans_lloyd_free(&start->lloyd);
	points_end(start->ctx, &start->points);
}

/* Tell whether no exchange of one row lowers the inertia by more than rounding. */
static bool
is_exchange_optimal(const CrmLloyd *lloyd)
{
	const CrmKmeansData *data = lloyd->data;
	int d = data->d;
	bool passed = true;

	for (size_t i = 0; i < data->n; i++)
	{
		double w = data->weights != NULL ? data->weights[i] : 1.0;
		int a = lloyd->label[i];
		double n_a = crm_kmeans_lloyd_weight_of(lloyd, a);
		double gain = w * n_a / (n_a - w) * points_square(data, i, lloyd->centres + a * d);

		for (int b = 0; b < lloyd->k && w > 0 && n_a - w > 1e-9; b++)
		{
			double n_b = crm_kmeans_lloyd_weight_of(lloyd, b);

			if (b != a)
				passed &= w * n_b / (n_b + w) * points_square(data, i, lloyd->centres + b * d) >=
						  gain * (1 - 1e-9);
		}
	}
	return passed;
}

/* Tell whether another iteration would change nothing. */
static bool
is_fixed(CrmLloyd *lloyd)
{
	bool passed = true;

	for (size_t i = 0; i < lloyd->data->n; i++)
		passed &= lloyd->label[i] == points_nearest(lloyd->data, i, lloyd->centres, lloyd->k);
	(void) crm_kmeans_lloyd_assign(lloyd, true);
	passed &= lloyd->changed == 0;
	(void) crm_kmeans_lloyd_update(lloyd);
	return passed && lloyd->shifts == 0.0;
}

static void
test_exchange(void)
{
	bool passed = true, falling = true;
	size_t all = 0;

	for (int trial = 0; trial < 60; trial++)
	{
		Start start;
		size_t moves;
		double before;

		begin(&start, 50 + draw_below(300), 1 + trial % 4, 2 + trial % 11, trial % 3);
		before = start.lloyd.inertia;
		passed &= crm_kmeans_search_exchange(&start.lloyd, &moves) == CRM_OK;
		passed &= is_exchange_optimal(&start.lloyd);
		(void) crm_kmeans_lloyd_run(&start.lloyd, &start.rule);
		(void) crm_kmeans_lloyd_measure(&start.lloyd, &start.rule);
		falling &=
			moves == 0 ? start.lloyd.inertia <= before * (1 + 1e-14) : start.lloyd.inertia < before;
		passed &= is_fixed(&start.lloyd);
		all += moves;
		end(&start);
	}
	ok(passed, "afterwards no exchange helps, and no iteration either");
	ok(falling && all > 100, "exchanges lower the inertia");
}

static void
test_search(void)
{
	bool passed = true, falling = true, same = true;
	int improved = 0;

	for (int trial = 0; trial < 30; trial++)
	{
		Start start;
		double before, inertia;
		int improvements;

		begin(&start, 50 + draw_below(200), 1 + trial % 4, 2 + trial % 9, trial % 3);
		before = start.lloyd.inertia;
		passed &= crm_kmeans_search(&start.lloyd, &start.rule, 5, &improvements) == CRM_OK;
		(void) crm_kmeans_lloyd_measure(&start.lloyd, &start.rule);
		inertia = start.lloyd.inertia;
		falling &= improvements > 0 ? inertia < before : inertia <= before * (1 + 1e-14);
		improved += improvements > 0;
		passed &= is_fixed(&start.lloyd);
		end(&start);
	}
	for (int again = 0; again < 2; again++)
	{
		static double kept[30];
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmLloyd lloyd;
		CrmLloydRule rule = {.max_iterations = 1000};
		CrmKmeansParam param;
		int improvements;

		points_grid(&points, false);
		(void) points_arrange(ctx, &points);
		(void) crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 10);
		crm_kmeans_defaults(&param);
		param.k = 10;
		(void) crm_kmeans_seed(&lloyd, &param, 0);
		(void) crm_kmeans_lloyd_run(&lloyd, &rule);
		(void) crm_kmeans_search(&lloyd, &rule, 3, &improvements);
		same &= again == 0 || memcmp(kept, lloyd.centres, sizeof kept) == 0;
		memcpy(kept, lloyd.centres, sizeof kept);
		crm_kmeans_lloyd_free(&lloyd);
		points_end(ctx, &points);
	}
	ok(passed, "the search ends in a fixed point");
	ok(falling && improved > 10, "and not above where it began, often below");
	ok(same, "the same seed gives the same centres");
}

/* The optimum of one column, by dynamic programming over the sorted values (Wang and Song 2011). */
static double
optimum_1d(const double *sorted, int n, int k)
{
	static double best[40][300];

	for (int j = 0; j < k; j++)
		for (int end = 0; end < n; end++)
		{
			double sum = 0, squares = 0;

			best[j][end] = INFINITY;
			for (int first = end; first >= j; first--)
			{
				double cost, x = sorted[first] - sorted[end];

				sum += x;
				squares += x * x;
				cost = squares - sum * sum / (end - first + 1);
				if (first > 0 && j > 0)
					cost += best[j - 1][first - 1];
				if ((first == 0) == (j == 0))
					best[j][end] = fmin(best[j][end], cost);
			}
		}
	return best[k - 1][n - 1];
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
test_optimum_1d(void)
{
	int found = 0, trials = 0;

	for (int trial = 0; trial < 60; trial++)
	{
		int n = 30 + (int) draw_below(150), k = 2 + trial % 9;
		double sorted[300];
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansParam param;
		CrmKmeansModel model;

		points_blobs(&points, (size_t) n, 1, 5, 1, false);
		memcpy(sorted, points.kept, (size_t) n * sizeof(double));
		qsort(sorted, (size_t) n, sizeof(double), compare_doubles);
		(void) points_arrange(ctx, &points);
		crm_kmeans_defaults(&param);
		param.k = k;
		param.seed = (uint64_t) trial;
		(void) crm_kmeans_fit(ctx, &points.data, &param, &model);
		found += fabs(model.inertia / optimum_1d(sorted, n, k) - 1) < 1e-9;
		trials++;
		crm_kmeans_model_free(ctx, &model);
		points_end(ctx, &points);
	}
	ok(found >= trials - 1, "the optimum of one column, %d times in %d", found, trials);
}

/* The optimum of iris for each k, by R, 200 starts. */
static void
test_iris(void)
{
	static const double best[] = {152.34795176,  78.8514414261, 57.2284732143,
								  46.4461820513, 39.0399872461, 34.2982296651,
								  29.9889439508, 27.7860924173, 25.83405482};
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	bool has_iris = points_iris(&points);

	if (has_iris)
		(void) points_arrange(ctx, &points);
	for (int k = 2; k <= 10; k++)
	{
		int found = 0;

		if (!has_iris)
		{
			ok(true, "iris, k = %d # SKIP CRM_DATA has no iris.csv", k);
			continue;
		}
		for (int seed = 0; seed < 20; seed++)
		{
			CrmKmeansParam param;
			CrmKmeansModel model;

			crm_kmeans_defaults(&param);
			param.k = k;
			param.seed = seed == 0 ? param.seed : (uint64_t) seed;
			(void) crm_kmeans_fit(ctx, &points.data, &param, &model);
			found += fabs(model.inertia / best[k - 2] - 1) < 1e-6;
			crm_kmeans_model_free(ctx, &model);
		}
		ok(found == 20, "iris, k = %d: the best that is known, %d times in 20", k, found);
	}
	if (has_iris)
		points_end(ctx, &points);
}

static void
test_bounds(void)
{
	ok(crm_kmeans_search_is_cheap(150, 4, 10) && crm_kmeans_search_is_cheap(20000, 4, 10) &&
		   !crm_kmeans_search_is_cheap(1000000, 4, 8) &&
		   !crm_kmeans_search_is_cheap(100000, 1600, 10000),
	   "small data are searched, large ones are not");
	for (int k = 2; k <= 51; k += 49)
	{
		Start start;
		size_t work;
		int improvements;

		begin(&start, 1500, 5, k, 0);
		work = start.lloyd.terms;
		(void) crm_kmeans_search(&start.lloyd, &start.rule, 1, &improvements);
		work = start.lloyd.terms - work;
		ok(work < 2 * CRM_SEARCH_WORK, "%d clusters: %zu terms of at most %zu and one trial", k,
		   work, CRM_SEARCH_WORK);
		end(&start);
	}
}

static void
test_failures(void)
{
	Start start;
	double centres[2 * 6];
	size_t used, bytes = crm_kmeans_search_bytes(3000, 2, 6);
	CrmStatus status = CRM_NO_MEMORY;
	int improvements, polls = 0;
	bool passed = true;

	begin(&start, 3000, 2, 6, 0);
	memcpy(centres, start.lloyd.centres, sizeof centres);
	used = start.ctx->used;
	for (size_t at = 1; status == CRM_NO_MEMORY && at < 20; at++)
	{
		start.host.tap.allocations = 0;
		start.host.tap.fail_at = at;
		status = crm_kmeans_search(&start.lloyd, &start.rule, 1, &improvements);
		passed &= start.ctx->used == used;
	}
	ok(passed && status == CRM_OK, "an allocation that fails leaks nothing");
	start.host.tap.fail_at = 0;
	start.ctx->limit = used + bytes - 1;
	passed &= crm_kmeans_search(&start.lloyd, &start.rule, 1, &improvements) == CRM_LIMIT;
	start.ctx->limit = used + bytes;
	passed &= crm_kmeans_search(&start.lloyd, &start.rule, 1, &improvements) == CRM_OK;
	ok(passed && start.ctx->used == used, "the bytes are told beforehand");
	start.ctx->limit = 0;
	status = CRM_ABORTED;
	for (size_t at = 1; status == CRM_ABORTED && at < 1000; at++, polls++)
	{
		memcpy(start.lloyd.centres, centres, sizeof centres);
		crm_kmeans_lloyd_forget(&start.lloyd);
		start.lloyd.work = 0;
		start.host.tap.polls = 0;
		start.host.tap.abort_at = at;
		status = crm_kmeans_search(&start.lloyd, &start.rule, 1, &improvements);
		passed &= start.ctx->used == used;
	}
	ok(passed && status == CRM_OK && polls > 5, "a cancel at any poll leaks nothing");
	end(&start);
	is_clean(&start.host.tap, "searching");
}

int
main(void)
{
	test_exchange();
	test_search();
	test_optimum_1d();
	test_iris();
	test_bounds();
	test_failures();
	return tap_done();
}
