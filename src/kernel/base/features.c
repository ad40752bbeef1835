/*
 * features.c: clip, transform and scale columns; see features.h for the definitions.
 */
#include "kernel/base/features.h"

#include "kernel/base/order.h"
#include "kernel/base/sum.h"

#include <math.h>
#include <string.h>

#define POLL_ROWS ((size_t) 1 << 16)
#define MAX_RANKS 32

/* Brent's search: the golden section's complement, and how close lambda is found. */
#define GOLDEN     0.3819660112501051
#define TOLERANCE  1e-9
#define ITERATIONS 100

/* What must remain between the ends of a column, relative to the larger one: see is_resolved. */
#define RESOLUTION 1e-6

/* What stands for the likelihood of a lambda under which the values overflow. */
#define WORST (-1e300)

/* Tell whether the parameters are in their domain; if not, why[n] receives the reason. */
bool
crm_feature_check(const CrmFeatureParam *param, char *why, size_t n)
{
	static const char reason[] = "quantiles must be between 0 and 1, the lower one first";
	size_t length = sizeof reason - 1;

	if (param->low >= 0.0 && param->low < param->high && param->high <= 1.0)
		return true;
	if (n > 0)
	{
		length = length < n ? length : n - 1;
		memcpy(why, reason, length);
		why[length] = '\0';
	}
	return false;
}

/* ---- one value ----------------------------------------------------------------------------- */

/* Give sign(x) log(1 + |x|). */
static inline double
signed_log(double x)
{
	return x < 0.0 ? -log1p(-x) : log1p(x);
}

/* Give the transform of Yeo and Johnson of the value whose signed log is given. */
static inline double
yeo_johnson(double log, double lambda)
{
	double mu = 2.0 - lambda;

	if (log >= 0.0)
		return lambda != 0.0 ? expm1(lambda * log) / lambda : log;
	return mu != 0.0 ? -expm1(-mu * log) / mu : log;
}

/* Clip and transform a value; NaN outside the domain of the transform. */
static inline double
transform(const CrmFeature *feature, double x)
{
	x = x < feature->low ? feature->low : x > feature->high ? feature->high : x;
	switch (feature->transform)
	{
		case CRM_TRANSFORM_LOG1P:
			return x > -1.0 ? log1p(x) : NAN;
		case CRM_TRANSFORM_YEO_JOHNSON:
			return yeo_johnson(signed_log(x), feature->lambda);
		default:
			return x;
	}
}

/* Prepare a value as the column was; NaN outside the domain of the transform. */
double
crm_feature_value(const CrmFeature *feature, double x)
{
	return (transform(feature, x) - feature->centre) / feature->spread;
}

/* Give the original value (clipped) of a prepared one. */
double
crm_feature_inverse(const CrmFeature *feature, double z)
{
	double y = z * feature->spread + feature->centre, lambda = feature->lambda, mu = 2.0 - lambda;

	switch (feature->transform)
	{
		case CRM_TRANSFORM_LOG1P:
			return expm1(y);
		case CRM_TRANSFORM_YEO_JOHNSON:
			if (y >= 0.0)
				return expm1(lambda != 0.0 ? log1p(lambda * y) / lambda : y);
			return -expm1(mu != 0.0 ? log1p(-mu * y) / mu : -y);
		default:
			return y;
	}
}

/* ---- quantiles ----------------------------------------------------------------------------- */

/* Turn a column into order keys in place of other values, or of itself. */
static CrmStatus
make_keys(CrmCtx *ctx, const double *column, size_t n, uint64_t *keys)
{
	for (size_t i = 0; i < n; i++)
	{
		keys[i] = crm_order_double(column[i]);
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Sort a few ranks; double ones stay. */
static void
sort_ranks(size_t *ranks, int n)
{
	for (int i = 1; i < n; i++)
	{
		size_t rank = ranks[i];
		int at = i;

		for (; at > 0 && ranks[at - 1] > rank; at--)
			ranks[at] = ranks[at - 1];
		ranks[at] = rank;
	}
}

/*
 * Take n_p quantiles of the n order keys, which get rearranged; NaN, whose key is last, is left
 * out.
 */
static CrmStatus
take_quantiles(CrmCtx *ctx, uint64_t *keys, size_t n, const double *p, int n_p, double *quantile)
{
	size_t ranks[MAX_RANKS] = {0}, numbers = 0;
	CrmStatus status;

	for (size_t i = 0; i < n; i++)
		numbers += keys[i] != CRM_ORDER_NAN;
	for (int q = 0; q < n_p; q++)
	{
		ranks[2 * q] = numbers > 0 ? (size_t) floor(p[q] * (double) (numbers - 1)) : 0;
		ranks[2 * q + 1] = ranks[2 * q] + 1 < numbers ? ranks[2 * q] + 1 : ranks[2 * q];
		quantile[q] = NAN;
	}
	if (numbers == 0)
		return CRM_OK;
	sort_ranks(ranks, 2 * n_p);
	status = crm_select_ranks(ctx, keys, n, ranks, 2 * n_p);
	for (int q = 0; q < n_p && status == CRM_OK; q++)
	{
		double position = p[q] * (double) (numbers - 1), part = position - floor(position);
		size_t rank = (size_t) floor(position), next = rank + 1 < numbers ? rank + 1 : rank;
		double a = crm_unorder_double(keys[rank]), b = crm_unorder_double(keys[next]);

		quantile[q] = isinf(b - a) ? a * (1.0 - part) + b * part : a + (b - a) * part;
	}
	return status;
}

/*
 * Give n_p (at most 16) type 7 quantiles of a column, for 0 <= p <= 1, leaving NaN out: so a median
 * to put where a value is missing, too. NaN when nothing is left. Takes 8 bytes a row for the time.
 * Errors: CRM_DOMAIN for another p, CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_feature_quantiles(CrmCtx *ctx, const double *column, size_t n, const double *p, int n_p,
					  double *quantile)
{
	uint64_t *keys;
	CrmStatus status;

	if (n_p > MAX_RANKS / 2)
		return CRM_DOMAIN;
	for (int q = 0; q < n_p; q++)
		if (!(p[q] >= 0.0 && p[q] <= 1.0))
			return CRM_DOMAIN;
	keys = crm_allocate(ctx, n, sizeof(uint64_t));
	if (keys == NULL)
		return ctx->failure;
	status = make_keys(ctx, column, n, keys);
	if (status == CRM_OK)
		status = take_quantiles(ctx, keys, n, p, n_p, quantile);
	crm_release(ctx, keys, n, sizeof(uint64_t));
	return status;
}

/* ---- the power transform ------------------------------------------------------------------- */

/* A column as the likelihood of lambda needs it. */
typedef struct Likelihood
{
	CrmCtx *ctx;
	const double *logs; /* signed */
	size_t n;
	double middle; /* the mean of logs; transforms are told from there, lest digits cancel */
	double slope;  /* the sum of logs */
} Likelihood;

/* Give yeo_johnson(log) - yeo_johnson(middle), to all digits where the two are close. */
static inline double
yeo_johnson_from(double log, double middle, double lambda)
{
	double power = middle >= 0.0 ? lambda : lambda - 2.0;

	if ((log >= 0.0) != (middle >= 0.0))
		return yeo_johnson(log, lambda) - yeo_johnson(middle, lambda);
	return power != 0.0 ? exp(power * middle) * expm1(power * (log - middle)) / power
						: log - middle;
}

/* Give the log-likelihood of a lambda, but for a constant. */
static CrmStatus
find_likelihood(const Likelihood *of, double lambda, double *likelihood)
{
	double variance, mean;
	CrmSum sum = {0}, squares = {0};

	*likelihood = WORST;
	for (size_t i = 0; i < of->n; i++)
	{
		double value = yeo_johnson_from(of->logs[i], of->middle, lambda);

		if (!(fabs(value) < 1e145))
			return CRM_OK;
		crm_sum_add(&sum, value);
		crm_sum_add_square(&squares, value);
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(of->ctx))
			return CRM_ABORTED;
	}
	mean = crm_sum_mean(sum, (int64_t) of->n);
	variance = crm_sum_mean(squares, (int64_t) of->n) - mean * mean;
	if (variance > 0.0)
		*likelihood = -0.5 * (double) of->n * log(variance) + (lambda - 1.0) * of->slope;
	return CRM_OK;
}

/* The three best points of Brent's search, and the interval around them. */
typedef struct Brent
{
	double low, high;
	double x, w, v;    /* best, second, third */
	double fx, fw, fv; /* the negative likelihood */
	double step, before;
} Brent;

/* Give the next point: of the parabola through the three, or of the golden section. */
static double
next_point(Brent *brent)
{
	double middle = 0.5 * (brent->low + brent->high), x = brent->x;
	double r = (x - brent->w) * (brent->fx - brent->fv);
	double q = (x - brent->v) * (brent->fx - brent->fw);
	double p = (x - brent->v) * q - (x - brent->w) * r, before = brent->before;

	q = 2.0 * (q - r);
	p = q > 0.0 ? -p : p;
	q = fabs(q);
	brent->before = brent->step;
	if (fabs(p) < fabs(0.5 * q * before) && p > q * (brent->low - x) && p < q * (brent->high - x))
	{
		brent->step = p / q;
		if (x + brent->step - brent->low < 2 * TOLERANCE ||
			brent->high - x - brent->step < 2 * TOLERANCE)
			brent->step = x < middle ? TOLERANCE : -TOLERANCE;
	}
	else
	{
		brent->before = x < middle ? brent->high - x : brent->low - x;
		brent->step = GOLDEN * brent->before;
	}
	return x + (fabs(brent->step) >= TOLERANCE ? brent->step
				: brent->step > 0.0            ? TOLERANCE
											   : -TOLERANCE);
}

/* Take a new point into account. */
static void
learn(Brent *brent, double u, double fu)
{
	bool is_best = fu <= brent->fx;
	double end = is_best ? brent->x : u;

	if (is_best ? u >= brent->x : u < brent->x)
		brent->low = end;
	else
		brent->high = end;
	if (is_best)
	{
		brent->v = brent->w;
		brent->fv = brent->fw;
		brent->w = brent->x;
		brent->fw = brent->fx;
		brent->x = u;
		brent->fx = fu;
	}
	else if (fu <= brent->fw || brent->w == brent->x)
	{
		brent->v = brent->w;
		brent->fv = brent->fw;
		brent->w = u;
		brent->fw = fu;
	}
	else if (fu <= brent->fv || brent->v == brent->x || brent->v == brent->w)
	{
		brent->v = u;
		brent->fv = fu;
	}
}

/* Tell whether the ends of a column remain apart under a lambda, as far as digits go. */
static bool
is_resolved(double least, double most, double lambda)
{
	double a = yeo_johnson(least, lambda), b = yeo_johnson(most, lambda);

	return b - a > RESOLUTION * fmax(fabs(a), fabs(b));
}

/* Give the lambda closest to the limit under which the ends remain apart; at 1 they do. */
static double
find_limit(double least, double most, double limit)
{
	double inner = 1.0;

	if (is_resolved(least, most, limit) || !is_resolved(least, most, 1.0))
		return limit;
	for (int i = 0; i < 20; i++)
	{
		double middle = 0.5 * (inner + limit);

		if (is_resolved(least, most, middle))
			inner = middle;
		else
			limit = middle;
	}
	return inner;
}

/*
 * Find the lambda of largest likelihood by Brent's method (Brent 1973, ch. 5, as in his localmin).
 * Overflowing values make a plateau of the worst likelihood, where the golden section leads on.
 */
static CrmStatus
find_lambda(CrmCtx *ctx, const double *logs, size_t n, double *lambda)
{
	Likelihood of = {.ctx = ctx, .logs = logs, .n = n};
	Brent brent = {.x = 1.0};
	CrmSum sum = {0};
	CrmStatus status;
	double likelihood, least = logs[0], most = logs[0];

	for (size_t i = 0; i < n; i++)
	{
		crm_sum_add(&sum, logs[i]);
		least = fmin(least, logs[i]);
		most = fmax(most, logs[i]);
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	brent.low = find_limit(least, most, CRM_FEATURE_LAMBDA_MIN);
	brent.high = find_limit(least, most, CRM_FEATURE_LAMBDA_MAX);
	of.slope = crm_sum_value(sum);
	of.middle = crm_sum_mean(sum, (int64_t) n);
	brent.w = brent.v = brent.x;
	status = find_likelihood(&of, brent.x, &likelihood);
	brent.fx = brent.fw = brent.fv = -likelihood;
	for (int i = 0; i < ITERATIONS && status == CRM_OK; i++)
	{
		double u;

		if (fabs(brent.x - 0.5 * (brent.low + brent.high)) <=
			2 * TOLERANCE - 0.5 * (brent.high - brent.low))
			break;
		u = next_point(&brent);
		status = find_likelihood(&of, u, &likelihood);
		learn(&brent, u, -likelihood);
	}
	*lambda = brent.x;
	return status;
}

/* ---- columns ------------------------------------------------------------------------------- */

/* Find the least and the most of a column; CRM_DOMAIN when a value is not finite. */
static CrmStatus
find_range(CrmCtx *ctx, const double *column, size_t n, double *least, double *most)
{
	*least = INFINITY;
	*most = -INFINITY;
	for (size_t i = 0; i < n; i++)
	{
		if (column[i] - column[i] != 0.0)
			return CRM_DOMAIN;
		*least = column[i] < *least ? column[i] : *least;
		*most = column[i] > *most ? column[i] : *most;
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Find centre and spread of a zscore, the values scaled so that nothing over- or underflows. */
static CrmStatus
find_zscore(CrmCtx *ctx, const double *values, size_t n, double least, double most,
			CrmFeature *feature)
{
	CrmSum sum = {0}, squares = {0};
	double factor;
	int exponent;

	(void) frexp(fmax(fabs(least), fabs(most)), &exponent);
	exponent = exponent > -1000 ? exponent : -1000;
	factor = ldexp(1.0, -exponent);
	for (size_t i = 0; i < n; i++)
	{
		crm_sum_add(&sum, values[i] * factor);
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	feature->centre = ldexp(crm_sum_mean(sum, (int64_t) n), exponent);
	for (size_t i = 0; i < n; i++)
	{
		crm_sum_add_square(&squares, values[i] * factor - feature->centre * factor);
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	feature->spread = ldexp(sqrt(crm_sum_mean(squares, (int64_t) n)), exponent);
	return CRM_OK;
}

/* Find centre and spread from the transformed values, which get rearranged. */
static CrmStatus
find_scale(CrmCtx *ctx, double *values, size_t n, CrmFeature *feature)
{
	static const double quartiles[] = {0.25, 0.5, 0.75};
	uint64_t *keys = (uint64_t *) (void *) values;
	double quantile[3], least, most;
	CrmStatus status = find_range(ctx, values, n, &least, &most);

	if (status != CRM_OK || feature->scale == CRM_SCALE_NONE)
		return status;
	feature->centre = least;
	if (!(most > least))
		return CRM_OK;
	switch (feature->scale)
	{
		case CRM_SCALE_ZSCORE:
			status = find_zscore(ctx, values, n, least, most, feature);
			break;
		case CRM_SCALE_MINMAX:
			feature->spread = most - least;
			break;
		default:
			status = make_keys(ctx, values, n, keys);
			if (status == CRM_OK)
				status = take_quantiles(ctx, keys, n, quartiles, 3, quantile);
			if (status != CRM_OK)
				return status;
			feature->centre = quantile[1];
			feature->spread = quantile[2] - quantile[0];
			break;
	}
	if (!(feature->spread > 0.0))
		feature->spread = 1.0;
	return status == CRM_OK && isinf(feature->spread) ? CRM_DOMAIN : status;
}

/* Find the values to clip at, the transform and the scale; values is room for n. */
static CrmStatus
fit(CrmCtx *ctx, const CrmFeatureParam *param, const double *column, size_t n, double *values,
	CrmFeature *feature)
{
	double ends[] = {param->low, param->high}, quantile[2], least, most;
	CrmStatus status = find_range(ctx, column, n, &least, &most);

	if (status != CRM_OK || n == 0)
		return status;
	if (param->low > 0.0 || param->high < 1.0)
	{
		uint64_t *keys = (uint64_t *) (void *) values;

		status = make_keys(ctx, column, n, keys);
		if (status == CRM_OK)
			status = take_quantiles(ctx, keys, n, ends, 2, quantile);
		if (status != CRM_OK)
			return status;
		feature->low = param->low > 0.0 ? quantile[0] : -INFINITY;
		feature->high = param->high < 1.0 ? quantile[1] : INFINITY;
	}
	if (status == CRM_OK && param->transform == CRM_TRANSFORM_YEO_JOHNSON &&
		fmax(least, feature->low) < fmin(most, feature->high))
	{
		for (size_t i = 0; i < n && status == CRM_OK; i++)
		{
			values[i] = signed_log(fmin(fmax(column[i], feature->low), feature->high));
			if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
				status = CRM_ABORTED;
		}
		if (status == CRM_OK)
			status = find_lambda(ctx, values, n, &feature->lambda);
	}
	for (size_t i = 0; i < n && status == CRM_OK; i++)
	{
		values[i] = transform(feature, column[i]);
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			status = CRM_ABORTED;
	}
	return status == CRM_OK ? find_scale(ctx, values, n, feature) : status;
}

/*
 * Learn from a column of n values how to prepare it; the column stays as it is. No rows give the
 * identity. Takes 8 bytes a row for the time. Errors: CRM_DOMAIN for values that are not finite,
 * that log1p does not take, or so far apart that their differences are infinite, and for parameters
 * that crm_feature_check refuses; CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_feature_fit(CrmCtx *ctx, const CrmFeatureParam *param, const double *column, size_t n,
				CrmFeature *feature)
{
	double *values;
	CrmStatus status;

	*feature = (CrmFeature){.transform = param->transform,
							.scale = param->scale,
							.low = -INFINITY,
							.high = INFINITY,
							.lambda = 1.0,
							.centre = 0.0,
							.spread = 1.0};
	if (!crm_feature_check(param, NULL, 0))
		return CRM_DOMAIN;
	values = crm_allocate(ctx, n, sizeof(double));
	if (values == NULL)
		return ctx->failure;
	status = fit(ctx, param, column, n, values, feature);
	crm_release(ctx, values, n, sizeof(double));
	return status;
}

/*
 * Prepare a column in place. CRM_DOMAIN when a value does not come out finite, CRM_ABORTED; either
 * leaves a part of the column prepared.
 */
CrmStatus
crm_feature_apply(CrmCtx *ctx, const CrmFeature *feature, double *column, size_t n)
{
	bool is_finite = true;

	for (size_t i = 0; i < n; i++)
	{
		column[i] = crm_feature_value(feature, column[i]);
		is_finite &= column[i] - column[i] == 0.0;
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	return is_finite ? CRM_OK : CRM_DOMAIN;
}
