/*
 * kmeans.c: unit tests of a whole fit: the same to the bit in any order of rows and columns, fewer
 * clusters than asked for, edges, weights, predictions, memory. Golden numbers: scikit-learn 1.9.1,
 * KMeans(init=array, n_init=1) on the grid of points.h; with weights, sample_weight.
 */
#include "points.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A fit and all its results by the caller's rows. */
typedef struct Fit
{
	CrmStatus status;
	CrmKmeansModel model;
	CrmKmeansRow *rows; /* by the caller's row */
	bool is_clean;
} Fit;

static CrmKmeansParam
defaults(int k)
{
	CrmKmeansParam param;

	crm_kmeans_defaults(&param);
	param.k = k;
	return param;
}

/* Fit points, which stay arranged until fit_end. */
static Fit
fit_points(CrmCtx *ctx, Points *points, const CrmKmeansParam *param)
{
	Fit fit = {.status = points_arrange(ctx, points)};

	fit.rows = calloc(points->n + 1, sizeof *fit.rows);
	if (fit.status == CRM_OK)
		fit.status = crm_kmeans_fit(ctx, &points->data, param, &fit.model);
	if (fit.status != CRM_OK && fit.status != CRM_NOT_CONVERGED)
		return fit;
	for (size_t first = 0; first < points->n; first += 100)
	{
		CrmKmeansRow some[100];
		size_t count = points->n - first > 100 ? 100 : points->n - first;

		if (crm_kmeans_rows(ctx, &points->data, &fit.model, first, count, some) != CRM_OK)
			fit.status = CRM_SINGULAR;
		for (size_t i = 0; i < count; i++)
			fit.rows[some[i].row] = some[i];
	}
	return fit;
}

static void
fit_end(CrmCtx *ctx, Points *points, Fit *fit)
{
	crm_kmeans_model_free(ctx, &fit->model);
	free(fit->rows);
	points_end(ctx, points);
}

static void
test_golden(void)
{
	static const int ks[] = {2, 3, 5, 8}, iterations[] = {6, 10, 14, 7};
	static const double inertia[] = {13537.378267279712, 10778.486715067698, 7957.9548039520978,
									 5421.6689506898601};

	for (int i = 0; i < 4; i++)
		for (int tolerance = 0; tolerance < 2; tolerance++)
		{
			Points points;
			Host host;
			CrmCtx *ctx = host_begin(&host);
			CrmKmeansParam param = defaults(ks[i]);
			double given[24];
			Fit fit;

			points_grid(&points, false);
			for (int c = 0; c < 3 * ks[i]; c++)
				given[c] = points_at(&points, (size_t) (7 * (c / 3) + 1), c % 3);
			param.init = CRM_KMEANS_GIVEN;
			param.centroids = given;
			param.algorithm = CRM_KMEANS_LLOYD;
			param.tolerance = tolerance * 1e-4;
			fit = fit_points(ctx, &points, &param);
			is_close(fit.model.inertia, inertia[i], 1e-13, "inertia of scikit-learn");
			is_int(fit.model.iterations, iterations[i], "after as many iterations");
			fit_end(ctx, &points, &fit);
		}
}

/* A digest made on one machine holds on all: of labels and centroids of the grid. */
static void
test_digest(void)
{
	static const uint64_t digests[] = {UINT64_C(0xf331682f3edbab0a), UINT64_C(0x9c1620212795ff31),
									   UINT64_C(0x8329da78665b039c)};

	for (int i = 0; i < 3; i++)
	{
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansParam param = defaults(2 + 4 * i);
		uint64_t state = UINT64_C(14695981039346656037);
		Fit fit;

		points_grid(&points, i == 1);
		fit = fit_points(ctx, &points, &param);
		for (size_t row = 0; row < points.n; row++)
		{
			state = digest(state, &fit.rows[row].cluster, sizeof(int));
			state = digest(state, &fit.rows[row].distance, sizeof(double));
		}
		state = digest(state, fit.model.centroids, (size_t) (3 * fit.model.k) * sizeof(double));
		ok(state == digests[i], "k = %d: the same bits on every machine (0x%llx)", param.k,
		   (unsigned long long) state);
		fit_end(ctx, &points, &fit);
	}
}

/* Shuffle rows and columns: labels, distances and centroids follow, to the bit. */
static void
test_permutation(void)
{
	bool passed = true;

	for (int trial = 0; trial < 60; trial++)
	{
		size_t n = 50 + draw_below(400);
		int d = 1 + trial % 6;
		uint32_t rows[500], places[8];
		Points points, shuffled;
		Host host, other;
		CrmCtx *ctx = host_begin(&host), *other_ctx = host_begin(&other);
		CrmKmeansParam param = defaults(2 + trial % 7);
		signed char direction[] = {1, -1, 1, 0, -1, 1, 1, 1}, moved[8];
		Fit fit, again;

		param.init = trial % 10 == 9 ? CRM_KMEANS_RANDOM : CRM_KMEANS_PLUSPLUS;
		param.algorithm = trial % 2 == 0 ? CRM_KMEANS_LLOYD : CRM_KMEANS_SEARCH;
		param.n_init = 1 + trial % 3;
		points_blobs(&points, n, d, 4, 2, trial % 4 == 1);
		points_begin(&shuffled, n, d, trial % 4 == 1);
		draw_order(rows, (uint32_t) n);
		draw_order(places, (uint32_t) d);
		for (size_t i = 0; i < n; i++)
		{
			for (int f = 0; f < d; f++)
			{
				double value = points_at(&points, i, f);

				points_set(&points, i, f, trial % 3 == 0 ? floor(value) : value);
			}
			if (trial % 4 == 1)
				points_weigh(&points, i, (double) draw_below(4));
		}
		for (size_t i = 0; i < n; i++)
		{
			for (int f = 0; f < d; f++)
				points_set(&shuffled, i, f, points_at(&points, rows[i], (int) places[f]));
			if (trial % 4 == 1)
				points_weigh(&shuffled, i, points.kept_weights[rows[i]]);
		}
		for (int f = 0; f < d; f++) /* only the first counts, so that the order is the same */
			moved[f] = places[f] == 0 ? direction[0] : 0;
		memset(direction + 1, 0, sizeof direction - 1);
		param.direction = direction;
		fit = fit_points(ctx, &points, &param);
		param.direction = moved;
		again = fit_points(other_ctx, &shuffled, &param);
		passed &= fit.status == CRM_OK && again.status == CRM_OK;
		passed &= fit.model.k == again.model.k && fit.model.inertia == again.model.inertia &&
				  fit.model.iterations == again.model.iterations;
		for (size_t i = 0; i < n; i++)
			passed &= again.rows[i].cluster == fit.rows[rows[i]].cluster &&
					  again.rows[i].second == fit.rows[rows[i]].second &&
					  again.rows[i].distance == fit.rows[rows[i]].distance &&
					  again.rows[i].row == i;
		for (int c = 0; c < fit.model.k * d; c++)
			passed &=
				again.model.centroids[c] == fit.model.centroids[c / d * d + (int) places[c % d]];
		fit_end(ctx, &points, &fit);
		fit_end(other_ctx, &shuffled, &again);
	}
	ok(passed, "shuffled rows and columns change nothing, to the bit");
}

/* Rows belong to the nearest centroid; predict, rows, labels and sizes agree. */
static void
test_rows(void)
{
	bool nearest = true, predicted = true, labelled = true, sized = true, placed = true;

	for (int trial = 0; trial < 40; trial++)
	{
		size_t n = 30 + draw_below(600);
		int d = 1 + trial % 9;
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansParam param = defaults(1 + trial % 12);
		uint16_t labels[700];
		int64_t sizes[12] = {0};
		Fit fit;

		param.tolerance = trial % 2 * 0.1;
		param.max_iterations = trial % 5 == 0 ? 2 : 300;
		points_blobs(&points, n, d, 5, 2, trial % 4 == 0);
		for (size_t i = 0; i < n; i++)
			for (int f = 0; f < d; f++)
				points_set(&points, i, f,
						   trial % 3 == 0 ? floor(points_at(&points, i, f))
										  : points_at(&points, i, f));
		fit = fit_points(ctx, &points, &param);
		placed &= fit.status == (fit.model.converged ? CRM_OK : CRM_NOT_CONVERGED);
		labelled &= crm_kmeans_labels(ctx, &points.data, &fit.model, labels) == CRM_OK;
		for (size_t i = 0; i < n; i++)
		{
			const CrmKmeansRow *row = &fit.rows[points.data.order[i]];
			double values[16];
			CrmKmeansRow mine = {.row = row->row};

			for (int f = 0; f < d; f++)
				values[f] = points_at(&points, row->row, f);
			crm_kmeans_predict(fit.model.centroids, fit.model.k, d, fit.model.column_order, values,
							   &mine);
			nearest &=
				row->cluster == points_nearest(&points.data, i, fit.model.centres, fit.model.k);
			predicted &=
				mine.cluster == row->cluster && mine.second == row->second &&
				mine.distance == row->distance &&
				(fit.model.k == 1 ? isnan(row->silhouette) && isnan(row->next) &&
										isnan(mine.next) && row->second == -1
								  : mine.next == row->next && mine.silhouette == row->silhouette &&
										row->silhouette >= 0 && row->silhouette <= 1);
			labelled &= labels[i] == row->cluster;
			sizes[row->cluster]++;
		}
		for (int j = 0; j < fit.model.k; j++)
			sized &= sizes[j] == fit.model.sizes[j] && sizes[j] > 0;
		fit_end(ctx, &points, &fit);
	}
	ok(nearest, "a row belongs to the nearest centroid");
	ok(predicted, "a prediction is what the row got, to the bit");
	ok(labelled, "so is a label");
	ok(sized, "sizes count them, and no cluster is empty");
	ok(placed, "a fit that did not converge says so, and is usable");
}

static void
test_value(void)
{
	static const signed char up[] = {1, 1, 1}, down[] = {-1, 1, 1}, third[] = {0, 0, 1};
	static const signed char *const directions[] = {NULL, up, down, third};
	bool passed = true;

	for (int i = 0; i < 4; i++)
		for (int k = 2; k < 9; k++)
		{
			Points points;
			Host host;
			CrmCtx *ctx = host_begin(&host);
			CrmKmeansParam param = defaults(k);
			Fit fit;

			param.direction = directions[i];
			points_grid(&points, false);
			fit = fit_points(ctx, &points, &param);
			for (int j = 1; j < fit.model.k; j++)
			{
				const double *c = fit.model.centroids + 3 * j;

				passed &= i < 2 ? c[-3] >= c[0] : i == 2 ? c[-3] <= c[0] : c[-1] >= c[2];
			}
			fit_end(ctx, &points, &fit);
		}
	ok(passed, "clusters stand by value, in the direction that is asked for");
}

/* A weight is so many equal rows. */
static void
test_weights(void)
{
	Points points, repeated;
	Host host, other;
	CrmCtx *ctx = host_begin(&host), *other_ctx = host_begin(&other);
	CrmKmeansParam param = defaults(4);
	double given[12];
	bool passed = true;
	size_t n = 0;
	Fit fit, again;

	points_grid(&points, true);
	for (size_t i = 0; i < 300; i++)
		points_weigh(&points, i, (double) (i * 5 % 4));
	for (int c = 0; c < 12; c++)
		given[c] = points_at(&points, (size_t) (7 * (c / 3) + 1), c % 3);
	param.init = CRM_KMEANS_GIVEN;
	param.centroids = given;
	param.algorithm = CRM_KMEANS_LLOYD;
	param.tolerance = 0.0;
	fit = fit_points(ctx, &points, &param);
	is_close(fit.model.inertia, 13497.647746849481, 1e-13, "inertia with sample_weight");
	is_int(fit.model.iterations, 15, "after as many iterations");
	points_begin(&repeated, 450, 3, false);
	for (size_t i = 0; i < 300; i++)
		for (size_t copy = 0; copy < i * 5 % 4; copy++, n++)
			for (int f = 0; f < 3; f++)
				points_set(&repeated, n, f, points_at(&points, i, f));
	again = fit_points(other_ctx, &repeated, &param);
	is_close(again.model.inertia, fit.model.inertia, 1e-13, "that of as many equal rows");
	n = 0;
	for (size_t i = 0; i < 300; i++)
		for (size_t copy = 0; copy < i * 5 % 4; copy++, n++)
			passed &= again.rows[n].cluster == fit.rows[i].cluster;
	for (int j = 0; j < 4; j++)
		passed &= fit.model.weights[j] == (double) again.model.sizes[j];
	ok(passed && n == 450, "their labels and the clusters' weights");
	is_close(fit.model.total, again.model.total, 1e-13, "and the inertia of one cluster");
	fit_end(ctx, &points, &fit);
	fit_end(other_ctx, &repeated, &again);
}

/* Fit n rows of one kind with k clusters; give the clusters found, -1 when something is amiss. */
static int
clusters_of(size_t n, int d, int k, int kind, CrmKmeansInit init)
{
	static double given[3 * 12000];
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansParam param = defaults(k);
	Fit fit;
	int found;

	points_begin(&points, n, d, false);
	for (size_t i = 0; i < n; i++)
		for (int f = 0; f < d; f++)
			points_set(&points, i, f,
					   kind == 0   ? 3.5                     /* one value */
					   : kind == 1 ? (double) (i % 5)        /* five values */
					   : kind == 2 ? (f == 0) * (double) i   /* constant columns */
								   : draw_uniform() * 1000); /* all different */
	for (int c = 0; c < k * d && init == CRM_KMEANS_GIVEN; c++)
		given[c] = c % 7;
	param.init = init;
	param.centroids = given;
	param.n_init = k > 100 ? 1 : 3;
	fit = fit_points(ctx, &points, &param);
	found = fit.model.k;
	if (fit.status != CRM_OK || !isfinite(fit.model.inertia) || fit.model.inertia < 0.0)
		found = -1;
	for (int c = 0; c < fit.model.k * d; c++)
		found = isfinite(fit.model.centroids[c]) ? found : -1;
	for (int j = 0; j < fit.model.k; j++)
		found = fit.model.sizes[j] > 0 ? found : -1;
	if ((kind < 2 && k >= 5) || (size_t) k >= n)
		found = fit.model.inertia == 0.0 ? found : -1;
	fit_end(ctx, &points, &fit);
	if (host.tap.live != 0 || ctx->used != 0)
		ok(false, "something leaks");
	return found;
}

static void
test_edges(void)
{
	static const CrmKmeansInit inits[] = {CRM_KMEANS_PLUSPLUS, CRM_KMEANS_RANDOM, CRM_KMEANS_GIVEN};
	static const char *const names[] = {"k-means++", "random", "given"};

	for (int i = 0; i < 3; i++)
	{
		bool passed = clusters_of(0, 2, 3, 0, inits[i]) == 0;

		passed &= clusters_of(1, 2, 3, 0, inits[i]) == 1 && clusters_of(1, 1, 1, 0, inits[i]) == 1;
		ok(passed, "%s: no row, one row", names[i]);
		passed = clusters_of(100, 2, 1, 0, inits[i]) == 1;
		passed &= clusters_of(100, 3, 7, 0, inits[i]) == 1;
		ok(passed, "%s: all rows equal", names[i]);
		passed =
			clusters_of(100, 2, 5, 1, inits[i]) <= 5 && clusters_of(100, 2, 9, 1, inits[i]) > 0;
		passed &= inits[i] == CRM_KMEANS_RANDOM || clusters_of(100, 2, 9, 1, inits[i]) == 5;
		passed &= clusters_of(7, 1, 7, 3, inits[i]) == 7 && clusters_of(7, 1, 50, 3, inits[i]) == 7;
		ok(passed, "%s: k above the number of different rows", names[i]);
		ok(clusters_of(100, 3, 6, 2, inits[i]) == 6, "%s: constant columns", names[i]);
		ok(clusters_of(500, 1, 6, 3, inits[i]) == 6, "%s: one column", names[i]);
		ok(clusters_of(300, 200, 6, 3, inits[i]) == 6, "%s: 200 columns", names[i]);
	}
	ok(clusters_of(10500, 1, 10000, 3, CRM_KMEANS_RANDOM) == 10000, "10000 clusters");
}

/* Multiples by a power of two give the same labels, and distances so many times as large. */
static void
test_magnitudes(void)
{
	bool passed = true;

	for (int exponent = -400; exponent <= 400; exponent += 200)
	{
		Points points, scaled;
		Host host, other;
		CrmCtx *ctx = host_begin(&host), *other_ctx = host_begin(&other);
		CrmKmeansParam param = defaults(5);
		Fit fit, again;

		param.algorithm = CRM_KMEANS_LLOYD;
		param.init = CRM_KMEANS_GIVEN;
		points_grid(&points, false);
		points_grid(&scaled, false);
		for (size_t i = 0; i < 300; i++)
			for (int f = 0; f < 3; f++)
				points_set(&scaled, i, f, ldexp(points_at(&points, i, f), exponent));
		{
			double given[15], scaled_given[15];

			for (int c = 0; c < 15; c++)
			{
				given[c] = points_at(&points, (size_t) (7 * (c / 3) + 1), c % 3);
				scaled_given[c] = ldexp(given[c], exponent);
			}
			param.centroids = given;
			fit = fit_points(ctx, &points, &param);
			param.centroids = scaled_given;
			again = fit_points(other_ctx, &scaled, &param);
		}
		passed &= again.status == CRM_OK && again.model.iterations == fit.model.iterations;
		for (size_t i = 0; i < 300; i++)
			passed &=
				again.rows[i].cluster == fit.rows[i].cluster &&
				fabs(again.rows[i].distance / ldexp(fit.rows[i].distance, exponent) - 1) < 1e-12;
		fit_end(ctx, &points, &fit);
		fit_end(other_ctx, &scaled, &again);
	}
	ok(passed, "values around 1e-120 and 1e120 are clustered as others");
}

static void
test_check(void)
{
	static const double given[3] = {0};
	CrmKmeansParam good = defaults(3);
	char why[200], little[5];
	struct
	{
		CrmKmeansParam param;
		const char *word;
	} cases[] = {{good, "k "},        {good, "k "},        {good, "n_init"},
				 {good, "n_init"},    {good, "max_iter"},  {good, "tolerance"},
				 {good, "tolerance"}, {good, "tolerance"}, {good, "centroids"}};
	bool passed = crm_kmeans_check(&good, NULL, 0) && crm_kmeans_bytes(&good, 0, 1) > 0;

	cases[0].param.k = 0;
	cases[1].param.k = 10001;
	cases[2].param.n_init = 0;
	cases[3].param.n_init = 1001;
	cases[4].param.max_iterations = 0;
	cases[5].param.tolerance = -1;
	cases[6].param.tolerance = NAN;
	cases[7].param.tolerance = INFINITY;
	cases[8].param.init = CRM_KMEANS_GIVEN;
	for (size_t c = 0; c < COUNT(cases); c++)
	{
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansModel model;

		passed &= !crm_kmeans_check(&cases[c].param, why, sizeof why) &&
				  strncmp(why, cases[c].word, strlen(cases[c].word)) == 0;
		passed &= !crm_kmeans_check(&cases[c].param, little, sizeof little) && strlen(little) == 4;
		points_grid(&points, false);
		(void) points_arrange(ctx, &points);
		passed &= crm_kmeans_fit(ctx, &points.data, &cases[c].param, &model) == CRM_DOMAIN;
		points_end(ctx, &points);
	}
	good.init = CRM_KMEANS_GIVEN;
	good.centroids = given;
	passed &= crm_kmeans_check(&good, NULL, 0);
	ok(passed, "parameters outside their domain are refused with a reason");
	passed = true;
	for (size_t odd = 0; odd < 4; odd++)
	{
		static const double odds[] = {NAN, INFINITY, -INFINITY, 1e200};
		double centroids[9] = {1, 2, 3, 4, 5, 6, 7, 8, odds[odd]};
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansModel model;

		points_grid(&points, false);
		(void) points_arrange(ctx, &points);
		good.centroids = centroids;
		passed &= crm_kmeans_fit(ctx, &points.data, &good, &model) == CRM_DOMAIN;
		centroids[8] = 1e140;
		passed &= crm_kmeans_fit(ctx, &points.data, &good, &model) == CRM_OK;
		crm_kmeans_model_free(ctx, &model);
		points_end(ctx, &points);
		passed &= host.tap.live == 0;
	}
	ok(passed, "given centroids that are not finite or too large are refused");
}

/* All memory is told beforehand; failures and cancels leave nothing behind. */
static void
test_memory(void)
{
	static const struct
	{
		size_t n;
		int d, k, n_init;
		CrmKmeansAlgorithm algorithm;
	} cases[] = {{100000, 2, 5, 1, CRM_KMEANS_LLOYD},
				 {3000, 3, 8, 2, CRM_KMEANS_SEARCH},
				 {500, 20, 100, 1, CRM_KMEANS_SEARCH},
				 {50, 1, 60, 3, CRM_KMEANS_SEARCH}};
	bool told = true, failed = true, limited = true, aborted = true;

	for (size_t c = 0; c < COUNT(cases); c++)
	{
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansParam param = defaults(cases[c].k);
		size_t bytes = crm_kmeans_bytes(&param, cases[c].n, cases[c].d), arranged;
		CrmKmeansModel model;
		CrmStatus status = CRM_NO_MEMORY;

		param.algorithm = cases[c].algorithm;
		param.n_init = cases[c].n_init;
		bytes = crm_kmeans_bytes(&param, cases[c].n, cases[c].d);
		points_blobs(&points, cases[c].n, cases[c].d, 4, 1, false);
		ctx->limit = bytes;
		told &= points_arrange(ctx, &points) == CRM_OK;
		arranged = ctx->used;
		told &= crm_kmeans_fit(ctx, &points.data, &param, &model) == CRM_OK;
		told &= ctx->peak <= bytes && ctx->peak >= bytes - bytes / 10;
		crm_kmeans_model_free(ctx, &model);
		ctx->limit = ctx->peak - 1;
		limited &= ctx->peak > 16 * cases[c].n + 500 || c == 0;
		if (c > 0)
			limited &= crm_kmeans_fit(ctx, &points.data, &param, &model) == CRM_LIMIT &&
					   ctx->used == arranged;
		ctx->limit = 0;
		for (size_t at = 1; status == CRM_NO_MEMORY && at < 100; at++)
		{
			host.tap.allocations = 0;
			host.tap.fail_at = at;
			status = crm_kmeans_fit(ctx, &points.data, &param, &model);
			if (status == CRM_OK)
				crm_kmeans_model_free(ctx, &model);
			failed &= ctx->used == arranged;
		}
		failed &= status == CRM_OK;
		host.tap.fail_at = 0;
		status = CRM_ABORTED;
		for (size_t at = 1; status == CRM_ABORTED && at < 3000; at += 1 + at / 5)
		{
			host.tap.polls = 0;
			host.tap.abort_at = at;
			status = crm_kmeans_fit(ctx, &points.data, &param, &model);
			if (status == CRM_OK)
				crm_kmeans_model_free(ctx, &model);
			aborted &= ctx->used == arranged;
		}
		aborted &= status == CRM_OK;
		points_end(ctx, &points);
		told &= host.tap.live == 0;
	}
	ok(told, "the bytes are told beforehand, within a tenth");
	ok(limited, "a budget that ends is CRM_LIMIT, without a leak");
	ok(failed, "an allocation that fails is CRM_NO_MEMORY, without a leak");
	ok(aborted, "a cancel at any poll is CRM_ABORTED, without a leak");
}

int
main(void)
{
	test_golden();
	test_digest();
	test_permutation();
	test_rows();
	test_value();
	test_weights();
	test_edges();
	test_magnitudes();
	test_check();
	test_memory();
	return tap_done();
}
