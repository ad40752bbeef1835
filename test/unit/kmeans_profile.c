/*
 * kmeans_profile.c: unit tests of profiles and of the adjusted Rand index. Golden numbers:
 * scikit-learn 1.9.1, adjusted_rand_score.
 */
#include "kernel/kmeans_quality.h"
#include "points.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Profiles are in original units whatever was done to the columns. */
static void
test_profile(void)
{
	bool passed = true, reasons = true;

	for (int trial = 0; trial < 40; trial++)
	{
		size_t n = 20 + draw_below(300);
		int d = 1 + trial % 4;
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmFeature features[4];
		CrmKmeansParam param;
		CrmKmeansModel model;
		CrmKmeansProfile profile;
		CrmKmeansRow rows[400];

		points_blobs(&points, n, d, 4, 1, trial % 2 == 0);
		for (size_t i = 0; i < n; i++)
		{
			if (trial % 2 == 0)
				points_weigh(&points, i, draw_uniform());
			for (int f = 0; f < d; f++) /* log1p wants them above -1 */
				points_set(&points, i, f, fabs(points_at(&points, i, f)));
		}
		for (int f = 0; f < d; f++)
		{
			CrmFeatureParam how = {.transform = (CrmTransform) ((trial + f) % 3),
								   .scale = (CrmScale) (trial / 3 % 4),
								   .high = trial % 5 == 0 ? 0.9 : 1.0};

			(void) crm_feature_fit(ctx, &how, points.columns[f], n, &features[f]);
			(void) crm_feature_apply(ctx, &features[f], points.columns[f], n);
		}
		crm_kmeans_defaults(&param);
		param.k = 1 + trial % 5;
		passed &= points_arrange(ctx, &points) == CRM_OK;
		passed &= crm_kmeans_fit(ctx, &points.data, &param, &model) == CRM_OK;
		passed &= crm_kmeans_rows(ctx, &points.data, &model, 0, n, rows) == CRM_OK;
		passed &= crm_kmeans_profile(ctx, &points.data, &model, features, &profile) == CRM_OK;
		for (int f = 0; f < d; f++)
			for (int j = -1; j < model.k; j++) /* -1: all */
			{
				double weight = 0, mean = 0, variance = 0;
				double is = j < 0 ? profile.all_mean[f] : profile.mean[j * d + f];
				double sd = j < 0 ? profile.all_sd[f] : profile.sd[j * d + f];

				for (int power = 0; power < 2; power++)
					for (size_t i = 0; i < n; i++)
					{
						double w = trial % 2 == 0 ? points.kept_weights[rows[i].row] : 1.0;
						double x = fmin(points_at(&points, rows[i].row, f), features[f].high);

						if (j >= 0 && rows[i].cluster != j)
							continue;
						weight += power == 0 ? w : 0;
						mean += power == 0 ? w * x : 0;
						variance += power == 1 ? w * pow(x - mean / weight, 2) : 0;
					}
				passed &=
					fabs(is - mean / weight) < 1e-11 && fabs(sd - sqrt(variance / weight)) < 1e-8;
				if (j >= 0)
					passed &= fabs(profile.z[j * d + f] -
								   (is - profile.all_mean[f]) / profile.all_sd[f]) < 1e-8;
			}
		for (int j = 0; j < model.k; j++)
		{
			int column[2];

			crm_kmeans_reasons(&profile, j, column);
			for (int f = 0; f < d; f++)
				reasons &= column[0] < 0 ||
						   fabs(profile.z[j * d + f]) <= fabs(profile.z[j * d + column[0]]);
			reasons &= column[0] != column[1] || column[0] < 0;
			reasons &= (d > 1 || column[1] < 0) && column[0] < d && column[1] < d;
		}
		crm_kmeans_profile_free(ctx, &profile);
		crm_kmeans_model_free(ctx, &model);
		points_end(ctx, &points);
		passed &= host.tap.live == 0;
	}
	ok(passed, "means, deviations and z in original units");
	ok(reasons, "the reasons are the columns farthest from the mean of all");
}

/* Fit 30 rows of two columns times a factor in three clusters and profile them. */
static CrmStatus
profile_thirty(CrmCtx *ctx, Points *points, double factor, CrmKmeansModel *model,
			   CrmKmeansProfile *profile)
{
	CrmKmeansParam param;
	CrmStatus status;

	points_begin(points, 30, 2, false);
	for (size_t i = 0; i < 30; i++)
	{
		points_set(points, i, 0, factor * (double) (i % 3 * 10 + i / 3 % 2));
		points_set(points, i, 1, factor);
	}
	crm_kmeans_defaults(&param);
	param.k = 3;
	status = points_arrange(ctx, points);
	if (status == CRM_OK)
		status = crm_kmeans_fit(ctx, &points->data, &param, model);
	return status == CRM_OK ? crm_kmeans_profile(ctx, &points->data, model, NULL, profile) : status;
}

static void
test_by_hand(void)
{
	static const double factors[] = {1.0, 1e-100, 1e100};
	bool passed = true;

	for (size_t i = 0; i < COUNT(factors); i++)
	{
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansModel model;
		CrmKmeansProfile profile;
		double unit = factors[i];
		int column[2];

		passed &= profile_thirty(ctx, &points, unit, &model, &profile) == CRM_OK;
		passed &= fabs(profile.mean[0] / unit - 20.5) < 1e-13;
		passed &= fabs(profile.sd[0] / unit - 0.5) < 1e-13 && profile.sd[1] == 0.0;
		passed &= fabs(profile.all_sd[0] / unit - sqrt(200 / 3.0 + 0.25)) < 1e-13;
		passed &= profile.z[1] == 0.0 && profile.all_sd[1] == 0.0;
		crm_kmeans_reasons(&profile, 0, column);
		passed &= column[0] == 0 && column[1] == -1;
		crm_kmeans_profile_free(ctx, &profile);
		crm_kmeans_model_free(ctx, &model);
		points_end(ctx, &points);
	}
	ok(passed, "a constant column is no reason; large and small values do not overflow");
}

static void
test_adjusted_rand(void)
{
	uint16_t a[300], b[300], half[300], one[300] = {0}, each[300];
	double weights[300], index;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);

	for (int i = 0; i < 300; i++)
	{
		a[i] = (uint16_t) ((i * i / 7 + i) % 4);
		b[i] = (uint16_t) (i % 4 != 0 ? i % 5 * (i % 2) % 3 : a[i] % 3);
		half[i] = a[i] / 2;
		each[i] = (uint16_t) i;
		weights[i] = 1.0;
	}
	(void) crm_kmeans_adjusted_rand(ctx, a, 4, b, 3, NULL, 300, &index);
	is_close(index, 0.071848610551975639, 1e-12, "adjusted Rand index");
	(void) crm_kmeans_adjusted_rand(ctx, b, 3, a, 4, weights, 300, &index);
	is_close(index, 0.071848610551975639, 1e-12, "either way, and with weights of 1");
	(void) crm_kmeans_adjusted_rand(ctx, a, 4, half, 2, NULL, 300, &index);
	is_close(index, 0.59193314716442358, 1e-12, "of clusters merged in pairs");
	for (int i = 0; i < 300; i++)
		half[i] = 3 - a[i];
	(void) crm_kmeans_adjusted_rand(ctx, a, 4, half, 4, NULL, 300, &index);
	is_near(index, 1.0, 0.0, "numbers of clusters do not matter");
	(void) crm_kmeans_adjusted_rand(ctx, a, 4, one, 1, NULL, 300, &index);
	is_near(index, 0.0, 0.0, "one cluster says nothing");
	(void) crm_kmeans_adjusted_rand(ctx, one, 1, one, 1, NULL, 300, &index);
	is_near(index, 1.0, 0.0, "but agrees with itself");
	(void) crm_kmeans_adjusted_rand(ctx, each, 300, each, 300, NULL, 300, &index);
	is_near(index, 1.0, 0.0, "as does a cluster for each row");
	(void) crm_kmeans_adjusted_rand(ctx, a, 4, b, 3, NULL, 0, &index);
	is_near(index, 1.0, 0.0, "no row");
	for (int i = 0; i < 300; i++)
		weights[i] = i < 100;
	(void) crm_kmeans_adjusted_rand(ctx, a, 4, b, 3, weights, 300, &index);
	{
		double first = index;

		(void) crm_kmeans_adjusted_rand(ctx, a, 4, b, 3, NULL, 100, &index);
		is_near(first, index, 1e-15, "rows of weight 0 do not count");
	}
	is_clean(&tap, "comparing");
}

static void
test_failures(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansParam param;
	CrmKmeansModel model;
	CrmKmeansProfile profile;
	CrmStatus status = CRM_NO_MEMORY;
	uint16_t *labels = calloc(100000, sizeof(uint16_t));
	double index;
	bool passed = true;
	size_t used;

	crm_kmeans_defaults(&param);
	param.k = 5;
	param.n_init = 1;
	points_blobs(&points, 100000, 2, 3, 1, true);
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_fit(ctx, &points.data, &param, &model);
	used = ctx->used;
	for (size_t at = 1; status == CRM_NO_MEMORY && at < 1000; at += 1 + at / 10)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = at;
		status = crm_kmeans_profile(ctx, &points.data, &model, NULL, &profile);
		passed &= status == CRM_OK || ctx->used == used;
	}
	crm_kmeans_profile_free(ctx, &profile);
	passed &= status == CRM_OK && ctx->used == used;
	status = CRM_ABORTED;
	for (size_t at = 1; status == CRM_ABORTED && at < 30000; at += 1 + at / 3)
	{
		host.tap.fail_at = 0;
		host.tap.polls = 0;
		host.tap.abort_at = at;
		status = crm_kmeans_profile(ctx, &points.data, &model, NULL, &profile);
		passed &= status == CRM_OK || ctx->used == used;
	}
	crm_kmeans_profile_free(ctx, &profile);
	passed &= status == CRM_OK;
	for (size_t at = 1; at <= 2; at++)
	{
		host.tap.polls = host.tap.allocations = host.tap.abort_at = 0;
		host.tap.fail_at = at;
		passed &= crm_kmeans_adjusted_rand(ctx, labels, 1, labels, 1, NULL, 100000, &index) ==
				  CRM_NO_MEMORY;
	}
	host.tap.fail_at = 0;
	host.tap.abort_at = 1;
	passed &=
		crm_kmeans_adjusted_rand(ctx, labels, 1, labels, 1, NULL, 100000, &index) == CRM_ABORTED;
	ok(passed && ctx->used == used, "failures and cancels leave nothing behind");
	free(labels);
	crm_kmeans_model_free(ctx, &model);
	points_end(ctx, &points);
	is_clean(&host.tap, "profiling");
}

int
main(void)
{
	test_profile();
	test_by_hand();
	test_adjusted_rand();
	test_failures();
	return tap_done();
}
