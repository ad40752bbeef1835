/*
 * kmeans_quality.c: unit tests of the measures. Golden numbers: scikit-learn 1.9.1,
 * silhouette_score, davies_bouldin_score and calinski_harabasz_score on the grid of points.h; iris:
 * R, kmeans with 200 starts, cluster::silhouette.
 */
#include "kernel/kmeans_quality.h"
#include "points.h"

/* Fit the grid from every seventh row, as the golden numbers were. */
static CrmStatus
fit_grid(CrmCtx *ctx, Points *points, int k, CrmKmeansModel *model)
{
	CrmKmeansParam param;
	double given[24];

	for (int c = 0; c < 3 * k; c++)
		given[c] = points_at(points, (size_t) (7 * (c / 3) + 1), c % 3);
	crm_kmeans_defaults(&param);
	param.k = k;
	param.init = CRM_KMEANS_GIVEN;
	param.centroids = given;
	param.algorithm = CRM_KMEANS_LLOYD;
	param.tolerance = 0.0;
	(void) points_arrange(ctx, points);
	return crm_kmeans_fit(ctx, &points->data, &param, model);
}

static void
test_golden(void)
{
	static const struct
	{
		int k;
		double silhouette, simplified, davies_bouldin, calinski_harabasz;
	} golden[] = {
		{2, 0.39667915916414326, 0.52070641309446208, 0.9780604698810631, 284.7851292808071},
		{3, 0.29727424958354887, 0.42003899297807779, 1.2434751150802839, 216.25010420019936},
		{5, 0.28379647134040908, 0.41481710334264821, 1.2448033250274915, 171.60070944139611},
		{8, 0.29857106015242474, 0.43500268899523953, 1.056238970378216, 161.97987408113696}};

	for (int i = 0; i < 4; i++)
	{
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansModel model;
		CrmKmeansQuality quality;

		points_grid(&points, false);
		(void) fit_grid(ctx, &points, golden[i].k, &model);
		is_int(crm_kmeans_quality(ctx, &points.data, &model, CRM_KMEANS_SILHOUETTE_ROWS, &quality),
			   CRM_OK, "measured");
		is_close(quality.silhouette, golden[i].silhouette, 1e-12, "silhouette");
		is_close(quality.simplified, golden[i].simplified, 1e-12, "simplified silhouette");
		is_close(quality.davies_bouldin, golden[i].davies_bouldin, 1e-12, "Davies-Bouldin");
		is_close(quality.calinski_harabasz, golden[i].calinski_harabasz, 1e-12,
				 "Calinski-Harabasz");
		is_int((int64_t) quality.silhouette_rows, 300, "of all rows");
		crm_kmeans_model_free(ctx, &model);
		points_end(ctx, &points);
	}
}

/* Weights stand for equal rows; the numbers are those of the repeated rows. */
static void
test_weights(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansModel model;
	CrmKmeansQuality quality;

	points_grid(&points, true);
	for (size_t i = 0; i < 300; i++)
		points_weigh(&points, i, (double) (i * 5 % 4));
	(void) fit_grid(ctx, &points, 4, &model);
	(void) crm_kmeans_quality(ctx, &points.data, &model, 1000, &quality);
	is_close(quality.silhouette, 0.30307942340723532, 1e-12, "silhouette of weighted rows");
	is_close(quality.davies_bouldin, 1.178944327040931, 1e-12, "Davies-Bouldin");
	is_close(quality.calinski_harabasz, 291.48172574824571, 1e-12, "Calinski-Harabasz");
	crm_kmeans_model_free(ctx, &model);
	points_end(ctx, &points);
}

static void
test_iris(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansParam param;
	CrmKmeansModel model;
	CrmKmeansQuality quality;

	crm_kmeans_defaults(&param);
	param.k = 3;
	if (!points_iris(&points))
	{
		ok(true, "silhouette of iris # SKIP CRM_DATA has no iris.csv");
		ok(true, "sizes of iris # SKIP CRM_DATA has no iris.csv");
		return;
	}
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_fit(ctx, &points.data, &param, &model);
	(void) crm_kmeans_quality(ctx, &points.data, &model, 1000, &quality);
	is_near(quality.silhouette, 0.552819012356, 5e-13, "silhouette of iris");
	ok(model.sizes[0] == 38 && model.sizes[1] == 62 && model.sizes[2] == 50, "sizes of iris");
	crm_kmeans_model_free(ctx, &model);
	points_end(ctx, &points);
}

/* Compare with the definitions, on samples, with lone rows, zero weights and equal rows. */
static void
test_definition(void)
{
	bool passed = true;

	for (int trial = 0; trial < 40; trial++)
	{
		size_t n = 10 + draw_below(200), rows = 5 + draw_below(n);
		int d = 1 + trial % 3, k = 2 + trial % 5;
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansParam param;
		CrmKmeansModel model;
		CrmKmeansQuality quality;
		uint16_t labels[300];
		double sum = 0.0, weight[8] = {0}, total = 0.0;
		int present = 0;

		points_blobs(&points, n, d, 4, 1, trial % 2 == 0);
		for (size_t i = 0; i < n; i++)
		{
			if (trial % 2 == 0)
				points_weigh(&points, i, (double) draw_below(3));
			for (int f = 0; f < d && trial % 3 == 0; f++)
				points_set(&points, i, f, floor(points_at(&points, i, f)));
		}
		crm_kmeans_defaults(&param);
		param.k = k;
		(void) points_arrange(ctx, &points);
		(void) crm_kmeans_fit(ctx, &points.data, &param, &model);
		(void) crm_kmeans_labels(ctx, &points.data, &model, labels);
		passed &= crm_kmeans_quality(ctx, &points.data, &model, rows, &quality) == CRM_OK;
		rows = rows < n ? rows : n;
		passed &= model.k < 2 || quality.silhouette_rows == rows;
		for (size_t i = 0; i < rows; i++)
		{
			double w = points.weights != NULL ? points.weights[i] : 1.0;

			present += weight[labels[i]] == 0.0 && w > 0.0;
			weight[labels[i]] += w;
			total += w;
		}
		for (size_t i = 0; i < rows; i++)
		{
			double to[8] = {0}, a, b = INFINITY;
			double w = points.weights != NULL ? points.weights[i] : 1.0;

			for (size_t j = 0; j < rows; j++)
			{
				double square = 0.0;

				for (int f = 0; f < d; f++)
					square += pow(points.data.x[f][i] - points.data.x[f][j], 2);
				to[labels[j]] += (points.weights != NULL ? points.weights[j] : 1.0) * sqrt(square);
			}
			a = to[labels[i]] / (weight[labels[i]] - 1);
			for (int j = 0; j < model.k; j++)
				if (j != labels[i] && weight[j] > 0)
					b = fmin(b, to[j] / weight[j]);
			if (w > 0 && weight[labels[i]] > 1 && fmax(a, b) > 0)
				sum += w * (b - a) / fmax(a, b);
		}
		passed &= present < 2 ? isnan(quality.silhouette)
							  : fabs(quality.silhouette - sum / total) < 1e-12;
		crm_kmeans_model_free(ctx, &model);
		points_end(ctx, &points);
		passed &= host.tap.live == 0;
	}
	ok(passed, "silhouettes of samples and weighted rows are those of the definition");
}

static void
test_edges(void)
{
	bool passed = true;

	for (size_t n = 0; n <= 4; n++)
		for (int k = 1; k <= 3; k++)
		{
			Points points;
			Host host;
			CrmCtx *ctx = host_begin(&host);
			CrmKmeansParam param;
			CrmKmeansModel model;
			CrmKmeansQuality quality;

			points_begin(&points, n, 1, false);
			for (size_t i = 0; i < n; i++)
				points_set(&points, i, 0, (double) (i / 2));
			crm_kmeans_defaults(&param);
			param.k = k;
			(void) points_arrange(ctx, &points);
			(void) crm_kmeans_fit(ctx, &points.data, &param, &model);
			passed &= crm_kmeans_quality(ctx, &points.data, &model, 100, &quality) == CRM_OK;
			if (model.k < 2)
				passed &= isnan(quality.silhouette) && isnan(quality.simplified) &&
						  isnan(quality.davies_bouldin) && isnan(quality.calinski_harabasz);
			else
				passed &= quality.simplified == 1.0 && quality.davies_bouldin == 0.0 &&
						  (n == 4 ? quality.silhouette == 1.0 && quality.calinski_harabasz == 1.0
								  : fabs(quality.silhouette - 2.0 / 3) < 1e-15);
			crm_kmeans_model_free(ctx, &model);
			points_end(ctx, &points);
			passed &= host.tap.live == 0;
		}
	ok(passed, "few rows, one cluster, clusters without spread");
}

static void
test_failures(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansParam param;
	CrmKmeansModel model;
	CrmKmeansQuality quality;
	CrmStatus status = CRM_NO_MEMORY;
	bool passed = true;
	size_t used;

	crm_kmeans_defaults(&param);
	param.k = 5;
	points_blobs(&points, 3000, 2, 3, 1, true);
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_fit(ctx, &points.data, &param, &model);
	used = ctx->used;
	for (size_t at = 1; status == CRM_NO_MEMORY && at < 100; at++)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = at;
		status = crm_kmeans_quality(ctx, &points.data, &model, 2000, &quality);
		passed &= ctx->used == used;
	}
	host.tap.fail_at = 0;
	ctx->limit = used + 6000;
	passed &= status == CRM_OK &&
			  crm_kmeans_quality(ctx, &points.data, &model, 2000, &quality) == CRM_LIMIT;
	ctx->limit = 0;
	status = CRM_ABORTED;
	for (size_t at = 1; status == CRM_ABORTED && at < 3000; at += 1 + at / 10)
	{
		host.tap.polls = 0;
		host.tap.abort_at = at;
		status = crm_kmeans_quality(ctx, &points.data, &model, 2000, &quality);
		passed &= ctx->used == used;
	}
	ok(passed && status == CRM_OK, "failures and cancels leave nothing behind");
	crm_kmeans_model_free(ctx, &model);
	points_end(ctx, &points);
	is_clean(&host.tap, "measuring");
}

int
main(void)
{
	test_golden();
	test_weights();
	test_iris();
	test_definition();
	test_edges();
	test_failures();
	return tap_done();
}
