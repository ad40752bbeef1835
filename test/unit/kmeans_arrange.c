/*
 * kmeans_arrange.c: unit tests of the matrix of k-means: the domain of values and weights, the
 * canonical order, samples and sums.
 */
#include "points.h"

/* Arrange two columns of four rows; give the status and who is to blame. */
static CrmStatus
arrange_four(const double x[4], const double y[4], const double *weights, int *offender)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmStatus status;

	points_begin(&points, 4, 2, weights != NULL);
	for (size_t i = 0; i < 4; i++)
	{
		points_set(&points, i, 0, x[i]);
		points_set(&points, i, 1, y[i]);
		if (weights != NULL)
			points_weigh(&points, i, weights[i]);
	}
	status = points_arrange(ctx, &points);
	*offender = points.data.offender;
	points_end(ctx, &points);
	if (host.tap.live != 0 || ctx->used != 0)
		return CRM_SINGULAR;
	return status;
}

static void
test_domain(void)
{
	static const double fine[] = {1, 2, 3, 4};
	static const struct
	{
		double x, y, weight;
		CrmStatus status;
		int offender;
		const char *name;
	} cases[] = {{5, 6, 1, CRM_OK, 1, "ordinary values"},
				 {NAN, 6, 1, CRM_DOMAIN, 0, "NaN"},
				 {5, INFINITY, 1, CRM_DOMAIN, 1, "infinity"},
				 {-INFINITY, 5, 1, CRM_DOMAIN, 0, "minus infinity"},
				 {5, 1e300, 1, CRM_DOMAIN, 1, "values whose squares overflow"},
				 {-1e160, 5, 1, CRM_DOMAIN, 0, "large negative ones"},
				 {1e150, 5, 1, CRM_OK, 0, "values whose squares do not"},
				 {5, 6, -1, CRM_DOMAIN, -1, "a negative weight"},
				 {5, 6, NAN, CRM_DOMAIN, -1, "a weight of NaN"},
				 {5, 6, INFINITY, CRM_DOMAIN, -1, "an infinite weight"},
				 {5, 6, 1e250, CRM_DOMAIN, -1, "a huge weight"},
				 {5, 6, 0, CRM_OK, 1, "a weight of 0"}};
	static const double zero[4] = {0}, tiny[] = {1e-200, 2e-200, 3e-200, 0};
	static const double equal[] = {1e-200, 1e-200, 1e-200, 1e-200};
	int offender;

	for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
	{
		double x[] = {1, 2, 3, cases[c].x}, y[] = {1, 2, 3, cases[c].y};
		double weights[] = {1, 1, 1, cases[c].weight};
		CrmStatus status = arrange_four(x, y, weights, &offender);

		ok(status == cases[c].status && (status == CRM_OK || offender == cases[c].offender),
		   "%s: status %d, column %d", cases[c].name, (int) status, offender);
	}
	ok(arrange_four(fine, fine, zero, &offender) == CRM_DOMAIN && offender == -1,
	   "weights that are all 0 are refused");
	ok(arrange_four(tiny, tiny, NULL, &offender) == CRM_DOMAIN && offender == 0,
	   "values so close that their squares vanish are refused");
	ok(arrange_four(tiny, fine, NULL, &offender) == CRM_OK, "but not beside a wider column");
	ok(arrange_four(equal, equal, NULL, &offender) == CRM_OK, "nor when they are equal");
}

static void
test_shape(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	bool passed = true;

	for (size_t n = 0; n < 3; n++)
	{
		points_begin(&points, n, 1, false);
		for (size_t i = 0; i < n; i++)
			points_set(&points, i, 0, 5.0);
		passed &= points_arrange(ctx, &points) == CRM_OK && points.data.total == 0.0 &&
				  points.data.total_weight == (double) n &&
				  points.data.mean[0] == (n > 0 ? 5.0 : 0.0);
		points_end(ctx, &points);
	}
	ok(passed, "no row, one row, two equal ones");
	points_begin(&points, 1, 1, false);
	points_set(&points, 0, 0, 1.0);
	points.data = (CrmKmeansData){.columns = points.columns, .n = 1, .d = 0};
	passed = crm_kmeans_arrange(ctx, &points.data) == CRM_DOMAIN;
	points.data.d = CRM_KMEANS_MAX_FEATURES + 1;
	passed &= crm_kmeans_arrange(ctx, &points.data) == CRM_DOMAIN;
	points.data.d = 1;
	points.data.n = (size_t) UINT32_MAX + 1;
	passed &= crm_kmeans_arrange(ctx, &points.data) == CRM_DOMAIN;
	ok(passed, "no column, too many columns or rows are refused");
	points.data.n = 1;
	points_end(ctx, &points);
	is_clean(&host.tap, "arranging");
}

/* Rows are moved whole, the mapping is kept, sums are what they should be. */
static void
test_order(void)
{
	bool mapped = true, summed = true, sampled = true;

	for (int trial = 0; trial < 40; trial++)
	{
		size_t n = 1 + draw_below(3000), rows = draw_below(n + 10);
		int d = 1 + trial % 9;
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansData sample;
		double total = 0.0, weight = 0.0, some = 0.0;

		points_blobs(&points, n, d, 3, 2, trial % 2 == 0);
		for (size_t i = 0; i < n && trial % 2 == 0; i++)
			points_weigh(&points, i, 0.5 + draw_uniform());
		mapped &= points_arrange(ctx, &points) == CRM_OK;
		for (size_t i = 0; i < n; i++)
		{
			double mine = trial % 2 == 0 ? points.data.weights[i] : 1.0;

			for (int f = 0; f < d; f++)
				mapped &= points.data.x[f][i] ==
						  points_at(&points, points.data.order[i], points.data.column_order[f]);
			mapped &= trial % 2 != 0 || mine == points.kept_weights[points.data.order[i]];
			total += mine * points_square(&points.data, i, points.data.mean);
			weight += mine;
			some += i < rows ? mine : 0.0;
		}
		summed &= fabs(points.data.total - total) <= 1e-12 * total;
		summed &= fabs(points.data.total_weight - weight) <= 1e-12 * weight;
		for (int f = 0; f < d; f++)
		{
			double mean = 0.0;

			for (size_t i = 0; i < n; i++)
				mean += (trial % 2 == 0 ? points.data.weights[i] : 1.0) * points.data.x[f][i];
			summed &= fabs(points.data.mean[f] - mean / weight) <= 1e-12 * (1 + fabs(mean));
		}
		sampled &= crm_kmeans_sample(ctx, &points.data, rows, &sample) == CRM_OK;
		sampled &= sample.n == (rows < n ? rows : n) && sample.x == points.data.x;
		sampled &= fabs(sample.total_weight - some) <= 1e-12 * weight;
		crm_kmeans_sample_free(ctx, &sample);
		points_end(ctx, &points);
		sampled &= host.tap.live == 0;
	}
	ok(mapped, "rows and weights move together, and the order tells where they were");
	ok(summed, "means, total weight and total inertia");
	ok(sampled, "a sample is the first rows, with sums of its own");
}

static void
test_failures(void)
{
	bool passed = true;
	CrmStatus status = CRM_NO_MEMORY;
	size_t n = 30000, allocations = 0, polls = 0;
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansParam param = {.k = 1};

	points_blobs(&points, n, 2, 3, 1, false);
	for (size_t at = 1; status == CRM_NO_MEMORY; at++, allocations++)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = at;
		points_reset(&points);
		status = points_arrange(ctx, &points);
		passed &= status == CRM_OK || ctx->used == 0;
	}
	ok(passed && status == CRM_OK && allocations > 6, "an allocation that fails leaks nothing");
	crm_kmeans_data_free(ctx, &points.data);
	host.tap.fail_at = 0;
	is_int((int64_t) ctx->peak, (int64_t) (16 * n + 2 * 28 + 2 * 16), "16 bytes a row");
	ok(ctx->peak <= crm_kmeans_bytes(&param, n, 2), "which are told beforehand");
	ctx->limit = ctx->peak - 1;
	is_int(points_arrange(ctx, &points), CRM_LIMIT, "one less is refused");
	ok(ctx->used == 0, "without a leak");
	ctx->limit = 0;
	status = CRM_ABORTED;
	for (size_t at = 1; status == CRM_ABORTED; at++, polls++)
	{
		host.tap.polls = 0;
		host.tap.abort_at = at;
		points_reset(&points);
		status = points_arrange(ctx, &points);
		passed &= status == CRM_OK || (status == CRM_ABORTED && ctx->used == 0);
	}
	ok(passed && status == CRM_OK && polls > 10, "a cancel at any poll leaks nothing");
	points_end(ctx, &points);
	is_clean(&host.tap, "arranging");
}

int
main(void)
{
	test_domain();
	test_shape();
	test_order();
	test_failures();
	return tap_done();
}
