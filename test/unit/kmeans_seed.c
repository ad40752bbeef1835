/*
 * kmeans_seed.c: unit tests of the starting centres: draws by share and weight, the greedy choice,
 * and what is left when there are too few different rows.
 */
#include "kernel/kmeans_seed.h"
#include "points.h"

/* Draw often: each row comes as often as its weight times share says, within 5 sigma. */
static void
test_draws(void)
{
	enum
	{
		DRAWS = 100000,
		N = 2000
	};
	static int counts[N];
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmLloyd lloyd;
	CrmKmeansUrn urn;
	CrmRng rng;
	bool passed = true, never = true;

	points_blobs(&points, N, 1, 1, 1, true);
	for (size_t i = 0; i < N; i++)
		points_weigh(&points, i, (double) (i % 3));
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 2);
	(void) crm_kmeans_urn_begin(&urn, &lloyd);
	for (size_t i = 0; i < N; i++)
		urn.share[i] = i / 512 == 1 ? 0.0 : (double) (1 + i % 7); /* an empty block */
	(void) crm_kmeans_urn_fill(&urn);
	crm_rng_seed(&rng, 1, 2);
	for (int t = 0; t < DRAWS; t++)
		counts[crm_kmeans_urn_draw(&urn, &rng)]++;
	for (size_t i = 0; i < N; i++)
	{
		double share = points.data.weights[i] * urn.share[i] / urn.total;

		passed &= fabs(counts[i] - DRAWS * share) <= 5.5 * sqrt(DRAWS * share);
		never &= share > 0.0 || counts[i] == 0;
	}
	ok(passed, "rows are drawn in proportion to weight times share");
	ok(never, "and never without");
	for (size_t i = 0; i < N; i++) /* a total that rounding has made too large */
		urn.share[i] = i == 700 || i == 3 ? 1.0 : 0.0;
	points.data.weights[700] = points.data.weights[3] = 1.0;
	(void) crm_kmeans_urn_fill(&urn);
	urn.total *= 1.5;
	for (int t = 0; t < 1000; t++)
	{
		size_t drawn = crm_kmeans_urn_draw(&urn, &rng);

		never &= drawn == 700 || drawn == 3;
	}
	ok(never, "whatever the rounding of the total");
	crm_kmeans_urn_free(&urn);
	crm_kmeans_lloyd_free(&lloyd);
	points_end(ctx, &points);
	is_clean(&host.tap, "drawing");
}

/* Give the sum of weight times squared distance to the nearest of k centres. */
static double
potential(const CrmKmeansData *data, const double *centres, int k)
{
	double sum = 0.0;

	for (size_t i = 0; i < data->n; i++)
	{
		int j = points_nearest(data, i, centres, k);

		sum += (data->weights != NULL ? data->weights[i] : 1.0) *
			   points_square(data, i, centres + j * data->d);
	}
	return sum;
}

static void
test_approach(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmLloyd lloyd;
	CrmKmeansUrn urn;
	double totals[5], centres[20];
	bool passed = true;

	points_blobs(&points, 1234, 2, 3, 1, true);
	for (size_t i = 0; i < 1234; i++)
		points_weigh(&points, i, draw_uniform());
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 2);
	(void) crm_kmeans_urn_begin(&urn, &lloyd);
	for (size_t i = 0; i < 1234; i++)
		urn.share[i] = INFINITY;
	for (int c = 0; c < 20; c++)
		centres[c] = 10 * draw_uniform();
	for (int k = 1; k <= 5; k++)
	{
		double trial[20];

		(void) crm_kmeans_urn_try(&urn, centres + 10, 5, totals);
		memcpy(trial, centres, sizeof trial);
		for (int t = 0; t < 5; t++)
		{
			memcpy(trial + 2 * (k - 1), centres + 10 + 2 * t, 2 * sizeof(double));
			passed &= fabs(totals[t] / potential(&points.data, trial, k) - 1) < 1e-12;
		}
		(void) crm_kmeans_urn_approach(&urn, centres + 2 * (k - 1));
		passed &= fabs(urn.total / potential(&points.data, centres, k) - 1) < 1e-12;
	}
	ok(passed, "potentials are those of brute force");
	crm_kmeans_urn_free(&urn);
	crm_kmeans_lloyd_free(&lloyd);
	points_end(ctx, &points);
}

/* Tell whether each centre is a row of positive weight, and count the different ones. */
static int
count_rows(const CrmLloyd *lloyd)
{
	const CrmKmeansData *data = lloyd->data;
	int different = 0;

	for (int j = 0; j < lloyd->k; j++)
	{
		const double *centre = lloyd->centres + j * data->d;
		bool is_row = false, is_new = true;

		for (size_t i = 0; i < data->n; i++)
			is_row |= points_square(data, i, centre) == 0.0 &&
					  (data->weights == NULL || data->weights[i] > 0.0);
		for (int other = 0; other < j; other++)
			is_new &= memcmp(centre, lloyd->centres + other * data->d,
							 (size_t) data->d * sizeof(double)) != 0;
		if (!is_row)
			return -1;
		different += is_new;
	}
	return different;
}

static void
test_starts(void)
{
	bool rows = true, streams = true, better = true;
	double greedy = 0.0, random = 0.0;

	for (int trial = 0; trial < 60; trial++)
	{
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmLloyd lloyd;
		CrmKmeansParam param;
		int k = 2 + trial % 15;
		double first[400];

		points_blobs(&points, 1000, 2, 10, 0.3, trial % 2 == 0);
		for (size_t i = 0; i < 1000 && trial % 2 == 0; i++)
			points_weigh(&points, i, (double) (i % 2));
		(void) points_arrange(ctx, &points);
		(void) crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 20);
		crm_kmeans_defaults(&param);
		param.k = k;
		for (param.init = CRM_KMEANS_PLUSPLUS; param.init <= CRM_KMEANS_RANDOM; param.init++)
		{
			rows &= crm_kmeans_seed(&lloyd, &param, 7) == CRM_OK;
			rows &= lloyd.k == k && count_rows(&lloyd) == k;
			memcpy(first, lloyd.centres, (size_t) (2 * k) * sizeof(double));
			*(param.init == CRM_KMEANS_PLUSPLUS ? &greedy : &random) +=
				potential(&points.data, lloyd.centres, k) / points.data.total;
			(void) crm_kmeans_seed(&lloyd, &param, 8);
			streams &= memcmp(first, lloyd.centres, (size_t) (2 * k) * sizeof(double)) != 0;
			(void) crm_kmeans_seed(&lloyd, &param, 7);
			streams &= memcmp(first, lloyd.centres, (size_t) (2 * k) * sizeof(double)) == 0;
			param.seed++;
			(void) crm_kmeans_seed(&lloyd, &param, 7);
			streams &= memcmp(first, lloyd.centres, (size_t) (2 * k) * sizeof(double)) != 0;
		}
		crm_kmeans_lloyd_free(&lloyd);
		points_end(ctx, &points);
	}
	better = greedy < 0.5 * random;
	ok(rows, "k different rows that count, by k-means++ and at random");
	ok(streams, "start and seed decide, and nothing else");
	ok(better, "k-means++ starts from better centres");
}

static void
test_few(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmLloyd lloyd;
	CrmKmeansParam param;
	bool passed = true;

	points_begin(&points, 3000, 2, true);
	for (size_t i = 0; i < 3000; i++)
	{
		points_set(&points, i, 0, (double) (i % 5));
		points_set(&points, i, 1, (double) (i % 5 * 2));
		points_weigh(&points, i, i % 5 == 4 ? 0.0 : 0.1);
	}
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 2500);
	crm_kmeans_defaults(&param);
	for (param.seed = 0; param.seed < 50; param.seed++)
	{
		param.k = 10;
		passed &= crm_kmeans_seed(&lloyd, &param, 0) == CRM_OK && lloyd.k == 4;
		passed &= count_rows(&lloyd) == 4;
	}
	ok(passed, "k-means++ stops when every row that counts lies on a centre");
	param.k = 2500;
	param.init = CRM_KMEANS_RANDOM;
	(void) crm_kmeans_seed(&lloyd, &param, 0);
	is_int(lloyd.k, 2400, "rows at random are not drawn twice");
	crm_kmeans_lloyd_free(&lloyd);
	points_end(ctx, &points);
}

static void
test_given(void)
{
	double given[] = {1, 2, 3, 4, 5, 6};
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmLloyd lloyd;
	CrmKmeansParam param;
	bool passed = true;

	points_grid(&points, false);
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 2);
	crm_kmeans_defaults(&param);
	param.k = 2;
	param.init = CRM_KMEANS_GIVEN;
	param.centroids = given;
	(void) crm_kmeans_seed(&lloyd, &param, 0);
	for (int c = 0; c < 6; c++)
		passed &= lloyd.centres[c] == given[c / 3 * 3 + points.data.column_order[c % 3]];
	ok(passed && lloyd.k == 2, "given centroids come in the caller's columns");
	crm_kmeans_lloyd_free(&lloyd);
	points_end(ctx, &points);
}

static void
test_failures(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmLloyd lloyd;
	CrmKmeansParam param;
	bool passed = true;
	size_t used;

	points_blobs(&points, 100000, 2, 3, 1, false);
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_lloyd_begin(&lloyd, ctx, &points.data, 10);
	crm_kmeans_defaults(&param);
	param.k = 10;
	used = ctx->used;
	for (param.init = CRM_KMEANS_PLUSPLUS; param.init <= CRM_KMEANS_RANDOM; param.init++)
	{
		CrmStatus status = CRM_ABORTED;

		ctx->limit = used + crm_kmeans_seed_bytes(100000) - 1;
		passed &= crm_kmeans_seed(&lloyd, &param, 0) == CRM_LIMIT && ctx->used == used;
		ctx->limit++;
		passed &= crm_kmeans_seed(&lloyd, &param, 0) == CRM_OK && ctx->used == used;
		ctx->limit = 0;
		host.tap.fail_at = host.tap.allocations + 1;
		passed &= crm_kmeans_seed(&lloyd, &param, 0) == CRM_NO_MEMORY && ctx->used == used;
		host.tap.fail_at = 0;
		for (size_t at = 1; status == CRM_ABORTED && at < 1000; at++)
		{
			lloyd.work = 0;
			host.tap.polls = 0;
			host.tap.abort_at = at;
			status = crm_kmeans_seed(&lloyd, &param, 0);
			passed &= ctx->used == used;
		}
		host.tap.abort_at = 0;
		passed &= status == CRM_OK;
	}
	ok(passed, "budgets, failed allocations and cancels leave nothing behind");
	crm_kmeans_lloyd_free(&lloyd);
	points_end(ctx, &points);
	is_clean(&host.tap, "seeding");
}

int
main(void)
{
	test_draws();
	test_approach();
	test_starts();
	test_few();
	test_given();
	test_failures();
	return tap_done();
}
