/*
 * features.c: unit tests of base/features. Golden numbers: scikit-learn 1.9.1 (StandardScaler,
 * RobustScaler, MinMaxScaler, PowerTransformer) and numpy.quantile on the grid of points.h.
 */
#include "kernel/base/features.h"
#include "points.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const CrmFeatureParam plain = {.high = 1.0};

/* Give what a fit learns, or a feature of NaN when it fails. */
static CrmFeature
learn(CrmFeatureParam param, const double *column, size_t n)
{
	CrmFeature feature;
	TapContext tap;

	if (crm_feature_fit(tap_context(&tap), &param, column, n, &feature) != CRM_OK || tap.live != 0)
		feature.centre = feature.spread = feature.lambda = NAN;
	return feature;
}

static CrmFeatureParam
with(CrmTransform transform, CrmScale scale)
{
	CrmFeatureParam param = plain;

	param.transform = transform;
	param.scale = scale;
	return param;
}

static void
test_golden(void)
{
	static const double mean[] = {11.32375, 6.336875, 11.445833333333333};
	static const double sd[] = {6.2960845554333744, 3.8112897156835244, 5.8379379148139474};
	static const double median[] = {11.21875, 6.15625, 11.3125}, iqr[] = {9.515625, 6.53125, 9.75};
	static const double range[] = {22.9375, 13.0625, 23}, q05[] = {.6875, .375, 1.925};
	static const double q90[] = {19.6875, 11.3875, 19.625};
	static const double lambda[] = {0.943533645964, 0.90460711244, 0.897360329088};
	static const double power[] = {10.481537679834389, 0.84663347880534945, 11.070591399286627};
	Points points;

	points_grid(&points, false);
	for (int f = 0; f < 3; f++)
	{
		double shifted[300], p[] = {.9, .05, .5}, quantile[3];
		CrmFeature feature =
			learn(with(CRM_TRANSFORM_NONE, CRM_SCALE_ZSCORE), points.columns[f], 300);
		TapContext tap;

		is_close(feature.centre, mean[f], 1e-15, "mean");
		is_close(feature.spread, sd[f], 1e-15, "standard deviation of the population");
		feature = learn(with(CRM_TRANSFORM_NONE, CRM_SCALE_ROBUST), points.columns[f], 300);
		is_near(feature.centre, median[f], 0.0, "median");
		is_near(feature.spread, iqr[f], 1e-15, "interquartile range");
		feature = learn(with(CRM_TRANSFORM_NONE, CRM_SCALE_MINMAX), points.columns[f], 300);
		is_near(feature.centre, 0.0, 0.0, "minimum");
		is_near(feature.spread, range[f], 0.0, "range");
		(void) crm_feature_quantiles(tap_context(&tap), points.columns[f], 300, p, 3, quantile);
		is_close(quantile[1], q05[f], 1e-15, "quantile 0.05");
		is_close(quantile[0], q90[f], 1e-15, "quantile 0.9");
		is_near(quantile[2], median[f], 0.0, "quantiles in any order");
		for (int i = 0; i < 300; i++)
			shifted[i] = points.columns[f][i] - 4.0;
		feature = learn(with(CRM_TRANSFORM_YEO_JOHNSON, CRM_SCALE_NONE), shifted, 300);
		is_near(feature.lambda, lambda[f], 1e-6, "lambda of Yeo and Johnson");
		is_near(crm_feature_value(&feature, shifted[10]), power[f], 2e-5, "and a value by it");
	}
	points_end(NULL, &points);
}

/* For the lambda that is found, no other of a fine grid has a larger likelihood. */
static void
test_likelihood(void)
{
	bool passed = true;

	for (int trial = 0; trial < 40; trial++)
	{
		double column[200], best = -INFINITY, found = NAN, sum_logs = 0;
		CrmFeature feature;

		for (int i = 0; i < 200; i++)
		{
			double u = draw_uniform() + draw_uniform() + draw_uniform() - 1.5;

			column[i] = trial % 4 == 0   ? exp(3 * u)
						: trial % 4 == 1 ? -exp(2 * u)
						: trial % 4 == 2 ? 5 * u * u * u
										 : 10 + 5 * u;
			sum_logs += column[i] < 0 ? -log1p(-column[i]) : log1p(column[i]);
		}
		feature = learn(with(CRM_TRANSFORM_YEO_JOHNSON, CRM_SCALE_NONE), column, 200);
		for (int step = -1; step <= 1600; step++)
		{
			double lambda = step < 0 ? feature.lambda : -8.0 + step * 0.01, mean = 0, variance = 0;
			CrmFeature other = feature;
			double likelihood;

			other.lambda = lambda;
			for (int i = 0; i < 200; i++)
				mean += crm_feature_value(&other, column[i]) / 200;
			for (int i = 0; i < 200; i++)
				variance += pow(crm_feature_value(&other, column[i]) - mean, 2) / 200;
			likelihood = -100 * log(variance) + (lambda - 1) * sum_logs;
			found = step < 0 ? likelihood : found;
			best = step >= 0 && likelihood > best ? likelihood : best;
		}
		passed &= found >= best - 1e-6 * fabs(best);
	}
	ok(passed, "no lambda between -8 and 8 has a larger likelihood than the one found");
}

/* All transforms, scales and quantiles: the inverse undoes, order of rows and scaling by hand. */
static void
test_roundtrip(void)
{
	bool inverse = true, order = true, applied = true, clipped = true;

	for (int trial = 0; trial < 300; trial++)
	{
		double column[101], shuffled[101];
		uint32_t places[101];
		CrmFeatureParam param = {.transform = (CrmTransform) (trial % 3),
								 .scale = (CrmScale) (trial / 3 % 4),
								 .low = trial / 12 % 2 * 0.05,
								 .high = 1.0 - trial / 24 % 2 * 0.1};
		CrmFeature feature, again;
		TapContext tap;

		draw_order(places, 101);
		for (int i = 0; i < 101; i++)
			column[i] = 20 * pow(draw_uniform(), 3) - (trial % 3 == 1 ? 0 : 3);
		for (int i = 0; i < 101; i++)
			shuffled[i] = column[places[i]];
		feature = learn(param, column, 101);
		again = learn(param, shuffled, 101);
		order &= memcmp(&feature, &again, sizeof feature) == 0;
		(void) crm_feature_apply(tap_context(&tap), &feature, shuffled, 101);
		for (int i = 0; i < 101; i++)
		{
			double x = column[places[i]], clip = fmin(fmax(x, feature.low), feature.high);
			double back = crm_feature_inverse(&feature, shuffled[i]);

			applied &= shuffled[i] == crm_feature_value(&feature, x);
			inverse &= fabs(back - clip) <= 1e-9 * (1 + fabs(clip));
			clipped &= crm_feature_value(&feature, x) == crm_feature_value(&feature, clip);
		}
	}
	ok(order, "the order of the rows changes nothing, to the bit");
	ok(applied, "a column is prepared as its values are");
	ok(inverse, "the inverse gives the clipped value back");
	ok(clipped, "values beyond the quantiles count as these");
}

static void
test_by_hand(void)
{
	double column[] = {1, 2, 3, 4, 100};
	CrmFeatureParam param = {.scale = CRM_SCALE_MINMAX, .low = 0.0, .high = 0.75};
	CrmFeature feature = learn(param, column, 5);

	is_near(feature.high, 4.0, 0.0, "clip at the upper quartile");
	ok(isinf(feature.low), "and nowhere else");
	is_near(crm_feature_value(&feature, 1e9), 1.0, 0.0, "an outlier is as the quantile");
	is_near(crm_feature_value(&feature, 2.5), 0.5, 0.0, "minmax");
	feature = learn(with(CRM_TRANSFORM_NONE, CRM_SCALE_ZSCORE), column, 5);
	is_near(crm_feature_value(&feature, 100), 78 / sqrt(7610 / 5.0), 1e-15, "zscore");
	feature = learn(with(CRM_TRANSFORM_NONE, CRM_SCALE_ROBUST), column, 5);
	is_near(crm_feature_value(&feature, 100), 48.5, 0.0, "robust");
	feature = learn(with(CRM_TRANSFORM_LOG1P, CRM_SCALE_NONE), column, 5);
	is_near(crm_feature_value(&feature, 100), log(101), 1e-15, "log1p");
	ok(isnan(crm_feature_value(&feature, -1)), "log1p has no value at -1");
	feature = learn(plain, column, 5);
	is_near(crm_feature_value(&feature, 0.1), 0.1, 0.0, "none and none leave a value alone");
}

/* Columns without spread, and few rows. */
static void
test_constant(void)
{
	static const double values[] = {0.0, 0.1, -3.7, 1e300, 5e-324};
	double column[50], some[50] = {0};
	bool passed = true;

	for (size_t v = 0; v < COUNT(values); v++)
		for (int transform = 0; transform < 3; transform++)
			for (int scale = 0; scale < 4; scale++)
				for (size_t n = 0; n <= 50; n = n * 2 + 1)
				{
					CrmFeature feature;

					for (size_t i = 0; i < n; i++)
						column[i] = values[v];
					if (transform == CRM_TRANSFORM_LOG1P && values[v] <= -1)
						continue;
					feature = learn(with((CrmTransform) transform, (CrmScale) scale), column, n);
					passed &= feature.spread == 1.0 && feature.lambda == 1.0;
					if (n > 0 && scale != CRM_SCALE_NONE)
						passed &= crm_feature_value(&feature, values[v]) == 0.0;
				}
	ok(passed, "equal values get lambda 1, spread 1 and become 0");
	some[7] = 9;
	ok(learn(with(CRM_TRANSFORM_NONE, CRM_SCALE_ROBUST), some, 50).spread == 1.0,
	   "an interquartile range of 0 is 1");
	ok(learn(with(CRM_TRANSFORM_NONE, CRM_SCALE_ZSCORE), some, 50).spread > 1.0, "but a zscore");
	ok(isfinite(learn(with(CRM_TRANSFORM_YEO_JOHNSON, CRM_SCALE_ZSCORE), some, 50).spread),
	   "two values alone leave lambda in its bounds");
}

static void
test_magnitudes(void)
{
	double narrow[100];
	CrmFeature feature;
	bool passed = true;

	for (int exponent = -300; exponent <= 300; exponent += 100)
	{
		double unit = pow(10, exponent), column[] = {1, 2, 3, 4, 5};

		for (int i = 0; i < 5; i++)
			column[i] *= unit;
		for (int scale = CRM_SCALE_ZSCORE; scale <= CRM_SCALE_ROBUST; scale++)
		{
			double expected = scale == CRM_SCALE_ZSCORE   ? sqrt(2)
							  : scale == CRM_SCALE_MINMAX ? 4
														  : 2;

			feature = learn(with(CRM_TRANSFORM_NONE, (CrmScale) scale), column, 5);
			passed &= fabs(feature.spread / unit - expected) < 1e-12;
			passed &= fabs(crm_feature_value(&feature, column[2])) <= 0.5 + 1e-12;
		}
		passed &=
			isfinite(learn(with(CRM_TRANSFORM_YEO_JOHNSON, CRM_SCALE_ZSCORE), column, 5).spread);
	}
	ok(passed, "from 1e-300 to 1e300 nothing overflows");
	ok(isnan(learn(with(CRM_TRANSFORM_NONE, CRM_SCALE_MINMAX), (double[]){-1.7e308, 1.7e308}, 2)
				 .spread),
	   "a range that is infinite is refused");
	for (int i = 0; i < 100; i++)
		narrow[i] = 1000 + draw_uniform();
	feature = learn(with(CRM_TRANSFORM_YEO_JOHNSON, CRM_SCALE_ZSCORE), narrow, 100);
	ok(crm_feature_value(&feature, 1000.5) < crm_feature_value(&feature, 1000.5001),
	   "a narrow column far from zero keeps its digits");
}

static void
test_refusals(void)
{
	static const double bad[] = {NAN, INFINITY, -INFINITY};
	char why[40], shorter[8];
	double column[] = {1, 2, 3, NAN}, quantile[2], half = 0.5, beyond = 1.5;
	bool passed = true;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmFeature feature;
	CrmFeatureParam param = plain;

	for (size_t b = 0; b < COUNT(bad); b++)
	{
		column[3] = bad[b];
		passed &= crm_feature_fit(ctx, &plain, column, 4, &feature) == CRM_DOMAIN;
	}
	ok(passed, "values that are not finite are refused");
	column[3] = -1;
	param.transform = CRM_TRANSFORM_LOG1P;
	ok(crm_feature_fit(ctx, &param, column, 4, &feature) == CRM_DOMAIN, "log1p refuses -1");
	param.low = 0.4;
	ok(crm_feature_fit(ctx, &param, column, 4, &feature) == CRM_OK, "unless it is clipped");
	ok(crm_feature_check(&plain, NULL, 0) && !crm_feature_check(&(CrmFeatureParam){0}, NULL, 0),
	   "quantiles 0 and 1 are the way to clip nothing");
	param.low = param.high = 0.5;
	ok(!crm_feature_check(&param, why, sizeof why) && strstr(why, "quantiles") != NULL &&
		   !crm_feature_check(&param, shorter, sizeof shorter) && strlen(shorter) == 7,
	   "a reason is given, cut to its room");
	param.low = NAN;
	ok(crm_feature_fit(ctx, &param, column, 4, &feature) == CRM_DOMAIN, "NaN is no quantile");
	column[3] = NAN;
	ok(crm_feature_quantiles(ctx, column, 4, &half, 1, quantile) == CRM_OK && quantile[0] == 2.0,
	   "the median leaves NaN out");
	ok(crm_feature_quantiles(ctx, column + 3, 1, &half, 1, quantile) == CRM_OK &&
		   isnan(quantile[0]) &&
		   crm_feature_quantiles(ctx, column, 0, &half, 1, quantile) == CRM_OK &&
		   isnan(quantile[0]),
	   "and is NaN of nothing else");
	ok(crm_feature_quantiles(ctx, column, 4, &beyond, 1, quantile) == CRM_DOMAIN,
	   "a quantile above 1 is refused");
	is_clean(&tap, "preparing");
}

static void
test_failures(void)
{
	static double column[200000];
	bool passed = true;

	for (size_t i = 0; i < COUNT(column); i++)
		column[i] = draw_uniform();
	for (int transform = 0; transform < 3; transform++)
	{
		CrmFeatureParam param = {.transform = (CrmTransform) transform,
								 .scale = CRM_SCALE_ROBUST,
								 .low = 0.01,
								 .high = 0.99};
		CrmStatus status = CRM_ABORTED;
		CrmFeature feature;
		TapContext tap;
		CrmCtx *ctx = tap_context(&tap);

		tap.fail_at = 1;
		passed &= crm_feature_fit(ctx, &param, column, 1000, &feature) == CRM_NO_MEMORY;
		ctx = tap_context(&tap);
		ctx->limit = 7999;
		passed &= crm_feature_fit(ctx, &param, column, 1000, &feature) == CRM_LIMIT;
		for (size_t at = 1; status == CRM_ABORTED && at < 2000; at += transform == 2 ? 7 : 1)
		{
			ctx = tap_context(&tap);
			tap.abort_at = at;
			status = crm_feature_fit(ctx, &param, column, 150000, &feature);
			passed &= tap.live == 0;
		}
		passed &= status == CRM_OK;
	}
	ok(passed, "failed allocations, budgets and cancels leave nothing behind");
}

int
main(void)
{
	test_golden();
	test_likelihood();
	test_roundtrip();
	test_by_hand();
	test_constant();
	test_magnitudes();
	test_refusals();
	test_failures();
	return tap_done();
}
