/*
 * kmeans_select.c: unit tests of the choice of k: it finds the clusters that are there, measures
 * what a fit would give, and depends on nothing but values and seed.
 */
#include "kernel/kmeans_select.h"
#include "points.h"

static CrmKmeansParam
defaults(void)
{
	CrmKmeansParam param;

	crm_kmeans_defaults(&param);
	return param;
}

/* Clusters far from one another are found, and are stable; too many are not. */
static void
test_clear(void)
{
	for (int k = 2; k <= 6; k++)
	{
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansParam param = defaults();
		CrmKmeansChoice choices[9];
		int chosen = 0;
		size_t rows = 0;

		points_begin(&points, 300, 2, false);
		for (size_t i = 0; i < 300; i++)
		{
			points_set(&points, i, 0, (double) (i % (size_t) k % 3) * 20 + draw_uniform());
			points_set(&points, i, 1, (double) (i % (size_t) k / 3) * 20 + draw_uniform());
		}
		(void) points_arrange(ctx, &points);
		ok(crm_kmeans_select(ctx, &points.data, &param, 2, 10, 5, choices, &chosen, &rows) ==
				   CRM_OK &&
			   chosen == k && rows == 300,
		   "%d clusters are found", k);
		ok(choices[k - 2].stability == 1.0 && choices[8].stability < 0.9,
		   "and are stable: %.3f, 10 are not: %.3f", choices[k - 2].stability,
		   choices[8].stability);
		points_end(ctx, &points);
	}
}

/* Each choice is what a fit of that k gives. */
static void
test_fits(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansParam param = defaults();
	CrmKmeansChoice choices[8], again[8];
	int chosen, chosen_again;
	size_t rows;
	bool passed = true, best = true;

	points_grid(&points, true);
	for (size_t i = 0; i < 300; i++)
		points_weigh(&points, i, (double) (i % 3));
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_select(ctx, &points.data, &param, 1, 8, 4, choices, &chosen, &rows);
	for (param.k = 1; param.k <= 8; param.k++)
	{
		CrmKmeansModel model;
		CrmKmeansQuality quality;
		const CrmKmeansChoice *choice = &choices[param.k - 1];

		(void) crm_kmeans_fit(ctx, &points.data, &param, &model);
		(void) crm_kmeans_quality(ctx, &points.data, &model, 300, &quality);
		passed &= choice->k == param.k && choice->clusters == model.k &&
				  choice->inertia == model.inertia && choice->iterations == model.iterations &&
				  choice->converged;
		passed &= param.k == 1 ? isnan(choice->quality.silhouette)
							   : memcmp(&quality, &choice->quality, sizeof quality) == 0;
		passed &= choice->stability > 0.0 && choice->stability <= 1.0;
		best &=
			param.k == 1 || choice->quality.silhouette <= choices[chosen - 1].quality.silhouette;
		crm_kmeans_model_free(ctx, &model);
	}
	ok(passed, "each choice is what a fit of that k gives");
	ok(best, "the one with the largest silhouette is chosen");
	(void) crm_kmeans_select(ctx, &points.data, &param, 1, 8, 4, again, &chosen_again, &rows);
	passed = chosen == chosen_again;
	for (int i = 0; i < 8; i++)
		passed &= choices[i].stability == again[i].stability;
	ok(passed, "the same data and seed give the same");
	param.seed++;
	(void) crm_kmeans_select(ctx, &points.data, &param, 3, 3, 4, again, &chosen_again, &rows);
	ok(again[0].stability != choices[2].stability && chosen_again == 3, "another seed resamples");
	(void) crm_kmeans_select(ctx, &points.data, &param, 3, 4, 0, again, &chosen_again, &rows);
	ok(isnan(again[0].stability) && !isnan(again[0].quality.silhouette),
	   "without resamples there is no stability");
	points_end(ctx, &points);
}

/* Many rows: a sample of them; order does not matter. */
static void
test_sample(void)
{
	enum
	{
		N = 50000
	};
	static uint32_t order[N];
	Points points, shuffled;
	Host host, other;
	CrmCtx *ctx = host_begin(&host), *other_ctx = host_begin(&other);
	CrmKmeansParam param = defaults();
	CrmKmeansChoice choices[3], again[3];
	int chosen, chosen_again;
	size_t rows, bytes, used;
	bool passed;

	points_begin(&points, N, 2, false);
	points_begin(&shuffled, N, 2, false);
	draw_order(order, N);
	for (size_t i = 0; i < N; i++)
	{
		points_set(&points, i, 0, (double) (i % 3) * 10 + draw_uniform());
		points_set(&points, i, 1, draw_uniform());
	}
	for (size_t i = 0; i < N; i++)
		for (int f = 0; f < 2; f++)
			points_set(&shuffled, i, 1 - f, points_at(&points, order[i], f));
	(void) points_arrange(ctx, &points);
	(void) points_arrange(other_ctx, &shuffled);
	used = ctx->used;
	bytes = crm_kmeans_select_bytes(&param, N, 2, 4);
	ctx->limit = used + bytes;
	ctx->peak = used;
	passed =
		crm_kmeans_select(ctx, &points.data, &param, 2, 4, 2, choices, &chosen, &rows) == CRM_OK;
	is_int((int64_t) rows, CRM_KMEANS_SELECT_ROWS, "a sample is taken");
	ok(passed && ctx->peak - used > bytes / 2, "within the bytes told beforehand: %zu of %zu",
	   ctx->peak - used, bytes);
	passed &= crm_kmeans_select(other_ctx, &shuffled.data, &param, 2, 4, 2, again, &chosen_again,
								&rows) == CRM_OK;
	passed &= chosen == 3 && chosen_again == 3;
	for (int i = 0; i < 3; i++)
		passed &= choices[i].inertia == again[i].inertia &&
				  choices[i].stability == again[i].stability &&
				  choices[i].quality.silhouette == again[i].quality.silhouette;
	ok(passed, "the same one in any order");
	points_end(ctx, &points);
	points_end(other_ctx, &shuffled);
}

static void
test_edges(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansParam param = defaults();
	CrmKmeansChoice choices[10];
	int chosen = 0;
	size_t rows;
	bool passed = true;

	for (size_t n = 1; n <= 6; n++)
	{
		points_begin(&points, n, 1, false);
		for (size_t i = 0; i < n; i++)
			points_set(&points, i, 0, n < 4 ? 7.0 : (double) (i % 2 * 10 + i));
		(void) points_arrange(ctx, &points);
		passed &= crm_kmeans_select(ctx, &points.data, &param, 2, 8, 3, choices, &chosen, &rows) ==
				  CRM_OK;
		passed &= chosen == 2;
		for (int i = 0; i < 7; i++)
			passed &= choices[i].clusters == (n < 4 ? 1 : i + 2 < (int) n ? i + 2 : (int) n);
		points_end(ctx, &points);
	}
	ok(passed, "few rows and equal rows");
	points_grid(&points, false);
	(void) points_arrange(ctx, &points);
	passed = crm_kmeans_select(ctx, &points.data, &param, 0, 3, 1, choices, &chosen, &rows) ==
				 CRM_DOMAIN &&
			 crm_kmeans_select(ctx, &points.data, &param, 3, 2, 1, choices, &chosen, &rows) ==
				 CRM_DOMAIN &&
			 crm_kmeans_select(ctx, &points.data, &param, 9995, 10001, 1, choices, &chosen,
							   &rows) == CRM_DOMAIN &&
			 crm_kmeans_select(ctx, &points.data, &param, 2, 3, -1, choices, &chosen, &rows) ==
				 CRM_DOMAIN &&
			 crm_kmeans_select(ctx, &points.data, &param, 2, 3, 1001, choices, &chosen, &rows) ==
				 CRM_DOMAIN;
	param.init = CRM_KMEANS_GIVEN;
	passed &= crm_kmeans_select(ctx, &points.data, &param, 2, 3, 1, choices, &chosen, &rows) ==
			  CRM_DOMAIN;
	points.data.n = 0;
	passed &= crm_kmeans_select(ctx, &points.data, &param, 2, 3, 1, choices, &chosen, &rows) ==
			  CRM_DOMAIN;
	points.data.n = 300;
	ok(passed, "what is out of bounds is refused");
	points_end(ctx, &points);
}

static void
test_failures(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansParam param = defaults();
	CrmKmeansChoice choices[2];
	CrmStatus status = CRM_NO_MEMORY;
	int chosen;
	size_t rows, used;
	bool passed = true;

	points_grid(&points, false);
	param.n_init = 1;
	(void) points_arrange(ctx, &points);
	used = ctx->used;
	for (size_t at = 1; status == CRM_NO_MEMORY && at < 1000; at += 1 + at / 20)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = at;
		status = crm_kmeans_select(ctx, &points.data, &param, 2, 3, 2, choices, &chosen, &rows);
		passed &= ctx->used == used;
	}
	host.tap.fail_at = 0;
	passed &= status == CRM_OK;
	status = CRM_ABORTED;
	for (size_t at = 1; status == CRM_ABORTED && at < 10000; at += 1 + at / 8)
	{
		host.tap.polls = 0;
		host.tap.abort_at = at;
		status = crm_kmeans_select(ctx, &points.data, &param, 2, 3, 2, choices, &chosen, &rows);
		passed &= ctx->used == used;
	}
	ok(passed && status == CRM_OK, "failures and cancels leave nothing behind");
	points_end(ctx, &points);
	is_clean(&host.tap, "selecting");
}

int
main(void)
{
	test_clear();
	test_fits();
	test_sample();
	test_edges();
	test_failures();
	return tap_done();
}
