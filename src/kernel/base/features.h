/*
 * features.h: makes columns of numbers comparable before a method that measures distances: clip
 * outliers, transform, scale; new rows are prepared alike, and results told in original units.
 *
 *     y = T(min(max(x, low), high)),   z = (y - centre) / spread
 *
 * low, high   the type 7 quantiles (Hyndman and Fan 1996, doi 10.1080/00031305.1996.10473566) that
 *             the caller names; 0 and 1 leave the values alone
 * T           x; log(1 + x), x > -1; or the power transform of Yeo and Johnson 2000
 *             (doi 10.1093/biomet/87.4.954), whose lambda maximises the normal likelihood
 *                 -n/2 log var(T(x)) + (lambda - 1) sum sign(x) log(1 + |x|)
 *             over [CRM_FEATURE_LAMBDA_MIN, CRM_FEATURE_LAMBDA_MAX], or less where the column's
 *             ends would come so close that digits are lost
 * zscore      centre = mean, spread = the population's standard deviation, as scikit-learn
 * minmax      centre = minimum, spread = maximum - minimum
 * robust      centre = median, spread = interquartile range, both by type 7 quantiles
 *
 * Invariants: the order of the rows changes nothing (sums are those of base/sum.h, quantiles are
 * order statistics); a column of equal values gets spread 1 and, of Yeo and Johnson, lambda 1;
 * every row counts once. A spread of zero by any other road (an interquartile range of a column
 * that is mostly one value) is 1 as well. NaN never comes out of finite values: CRM_DOMAIN.
 */
#ifndef CRM_KERNEL_FEATURES_H
#define CRM_KERNEL_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/base/context.h"

/* Bounds of Yeo and Johnson's lambda: beyond them values of ordinary size over- or underflow. */
#define CRM_FEATURE_LAMBDA_MIN (-8.0)
#define CRM_FEATURE_LAMBDA_MAX 8.0

typedef enum CrmTransform
{
	CRM_TRANSFORM_NONE,
	CRM_TRANSFORM_LOG1P,
	CRM_TRANSFORM_YEO_JOHNSON
} CrmTransform;

typedef enum CrmScale
{
	CRM_SCALE_NONE,
	CRM_SCALE_ZSCORE,
	CRM_SCALE_MINMAX,
	CRM_SCALE_ROBUST
} CrmScale;

/* What to do with a column. */
typedef struct CrmFeatureParam
{
	CrmTransform transform;
	CrmScale scale;
	double low, high; /* quantiles to clip at, 0 <= low < high <= 1; 0 and 1: none */
} CrmFeatureParam;

/* What came of it; enough to prepare another row. */
typedef struct CrmFeature
{
	CrmTransform transform;
	CrmScale scale;
	double low, high; /* original units; infinite where nothing is clipped */
	double lambda;    /* of Yeo and Johnson, otherwise 1 */
	double centre, spread;
} CrmFeature;

extern bool crm_feature_check(const CrmFeatureParam *param, char *why, size_t n);
extern CrmStatus crm_feature_fit(CrmCtx *ctx, const CrmFeatureParam *param, const double *column,
								 size_t n, CrmFeature *feature);
extern CrmStatus crm_feature_apply(CrmCtx *ctx, const CrmFeature *feature, double *column,
								   size_t n);
extern double crm_feature_value(const CrmFeature *feature, double x);
extern double crm_feature_inverse(const CrmFeature *feature, double z);
extern CrmStatus crm_feature_quantiles(CrmCtx *ctx, const double *column, size_t n, const double *p,
									   int n_p, double *quantile);

#endif
