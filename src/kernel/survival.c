/*
 * survival.c: see survival.h.
 */
#include "kernel/survival.h"

#include <math.h>
#include <string.h>

#include "kernel/base/dense.h"
#include "kernel/base/distribution.h"
#include "kernel/base/order.h"
#include "kernel/base/sum.h"

#define POLL_ROWS 65536
#define SAME      1e-9 /* of a survival: closer to a quantile than this is at it */

/*
 * Order row numbers 0 .. n - 1 by value, ascending, equal values by row number. Takes 12 bytes a
 * row for the time. Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED, CRM_DOMAIN for 2^32 rows.
 */
CrmStatus
crm_survival_order(CrmCtx *ctx, const double *values, size_t n, uint32_t *order)
{
	uint64_t *keys;
	uint32_t *scratch;
	CrmStatus status;

	if (n > UINT32_MAX)
		return CRM_DOMAIN;
	keys = crm_allocate(ctx, n, sizeof(uint64_t));
	scratch = crm_allocate(ctx, n, sizeof(uint32_t));
	if (keys == NULL || scratch == NULL)
		status = ctx->failure;
	else
	{
		for (size_t i = 0; i < n; i++)
		{
			keys[i] = crm_order_double(values[i]);
			order[i] = (uint32_t) i;
		}
		status = crm_radix_sort_index(ctx, keys, order, scratch, n);
	}
	crm_release(ctx, scratch, n, sizeof(uint32_t));
	crm_release(ctx, keys, n, sizeof(uint64_t));
	return status;
}

/* Rows in the order of their times and of their entries; NULL entries when there are none. */
typedef struct Orders
{
	uint32_t *by_time, *by_entry;
} Orders;

static void
free_orders(CrmCtx *ctx, const CrmSurvivalData *data, Orders *orders)
{
	crm_release(ctx, orders->by_entry, data->n, sizeof(uint32_t));
	crm_release(ctx, orders->by_time, data->n, sizeof(uint32_t));
}

static CrmStatus
make_orders(CrmCtx *ctx, const CrmSurvivalData *data, Orders *orders)
{
	CrmStatus status;

	*orders = (Orders){.by_time = crm_allocate(ctx, data->n, sizeof(uint32_t))};
	if (orders->by_time == NULL)
		return ctx->failure;
	status = crm_survival_order(ctx, data->time, data->n, orders->by_time);
	if (status == CRM_OK && data->entry != NULL)
	{
		orders->by_entry = crm_allocate(ctx, data->n, sizeof(uint32_t));
		status = orders->by_entry == NULL
					 ? ctx->failure
					 : crm_survival_order(ctx, data->entry, data->n, orders->by_entry);
	}
	if (status != CRM_OK)
		free_orders(ctx, data, orders);
	return status;
}

/* Give the bytes that the curve of n rows takes besides the data, at most. */
size_t
crm_survival_bytes(size_t n)
{
	return n * (2 * sizeof(uint32_t) + sizeof(CrmSurvivalPoint)) + n * 12;
}

/* Count at each different time: first pass of a curve. */
static CrmStatus
count_times(CrmCtx *ctx, const CrmSurvivalData *data, const Orders *orders, CrmSurvivalCurve *curve)
{
	size_t entered = data->entry == NULL ? data->n : 0;

	for (size_t i = 0; i < data->n;)
	{
		double time = data->time[orders->by_time[i]];
		CrmSurvivalPoint *point = &curve->points[curve->n++];
		size_t first = i;

		memset(point, 0, sizeof *point);
		point->time = time;
		while (data->entry != NULL && entered < data->n &&
			   data->entry[orders->by_entry[entered]] < time)
			entered++;
		point->at_risk = (int64_t) entered - (int64_t) first;
		for (; i < data->n && data->time[orders->by_time[i]] == time; i++)
		{
			if (data->event[orders->by_time[i]] != 0.0)
				point->events++;
			else
				point->censored++;
			if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
				return CRM_ABORTED;
		}
		curve->events += point->events;
	}
	return CRM_OK;
}

/* Set the interval of a survival whose logarithm has the standard error `error`. */
static void
set_interval(CrmSurvivalPoint *point, double error, CrmSurvivalInterval interval, double z)
{
	double s = point->survival, reach;

	point->low = point->high = NAN;
	if (!(s > 0.0))
		return;
	if (s == 1.0) /* nobody has left */
	{
		point->low = point->high = 1.0;
		return;
	}
	switch (interval)
	{
		case CRM_SURVIVAL_LOG_LOG:
			reach = z * error / log(s);
			point->low = pow(s, exp(-reach));
			point->high = pow(s, exp(reach));
			break;
		case CRM_SURVIVAL_LOG:
			point->low = s * exp(-z * error);
			point->high = fmin(1.0, s * exp(z * error));
			break;
		case CRM_SURVIVAL_PLAIN:
			point->low = fmax(0.0, s - z * s * error);
			point->high = fmin(1.0, s + z * s * error);
			break;
	}
}

/* Turn counts into estimates: second pass of a curve. */
static void
estimate(CrmSurvivalCurve *curve, CrmSurvivalInterval interval, double z)
{
	double survival = 1.0, hazard = 0.0, greenwood = 0.0, variance = 0.0;

	for (size_t i = 0; i < curve->n; i++)
	{
		CrmSurvivalPoint *point = &curve->points[i];
		double d = (double) point->events, n = (double) point->at_risk;

		if (point->events > 0)
		{
			survival = point->events == point->at_risk ? 0.0 : survival * ((n - d) / n);
			hazard += d / n;
			greenwood += d / (n * (n - d));
			variance += d / (n * n);
		}
		point->survival = survival;
		point->error = survival > 0.0 ? survival * sqrt(greenwood) : 0.0;
		set_interval(point, sqrt(greenwood), interval, z);
		point->hazard = hazard;
		point->hazard_error = sqrt(variance);
		point->hazard_low = hazard > 0.0 ? hazard * exp(-z * point->hazard_error / hazard) : 0.0;
		point->hazard_high = hazard > 0.0 ? hazard * exp(z * point->hazard_error / hazard) : 0.0;
	}
}

/* Give one of three numbers of a point: the survival or an end of its interval. */
static double
value_of(const CrmSurvivalPoint *point, int which)
{
	return which == 0 ? point->survival : which == 1 ? point->low : point->high;
}

/* Give the time at which survival, or an end of its interval, has come down to q; NaN: it does not.
 */
static double
find_quantile(const CrmSurvivalCurve *curve, double q, int which)
{
	for (size_t i = 0; i < curve->n; i++)
	{
		double value = value_of(&curve->points[i], which);

		if (value > q + SAME)
			continue;
		if (isnan(value)) /* S is 0: an interval's lower end came down before, its upper never */
			return NAN;
		if (value < q - SAME)
			return curve->points[i].time;
		for (size_t k = i + 1; k < curve->n; k++)
			if (!(value_of(&curve->points[k], which) >= q - SAME))
				return 0.5 * (curve->points[i].time + curve->points[k].time);
		return curve->points[i].time;
	}
	return NAN;
}

/* Set the area under the curve up to the horizon, and its standard error. */
static void
find_mean(CrmSurvivalCurve *curve)
{
	CrmSum area = {0, 0};
	double previous = 0.0, survival = 1.0, whole, so_far = 0.0, variance = 0.0;

	for (int pass = 0; pass < 2; pass++)
	{
		whole = pass == 0 ? 0.0 : crm_sum_value(area);
		previous = 0.0;
		survival = 1.0;
		so_far = 0.0;
		for (size_t i = 0; i < curve->n && curve->points[i].time <= curve->horizon; i++)
		{
			const CrmSurvivalPoint *point = &curve->points[i];
			double d = (double) point->events, n = (double) point->at_risk;
			double part = (point->time - previous) * survival;

			if (pass == 0)
				crm_sum_add(&area, part);
			so_far += part;
			if (pass == 1 && d > 0.0 && d < n)
				variance += (whole - so_far) * (whole - so_far) * d / (n * (n - d));
			previous = point->time;
			survival = point->survival;
		}
		if (pass == 0)
			crm_sum_add(&area, (curve->horizon - previous) * survival);
	}
	curve->restricted_mean = crm_sum_value(area);
	curve->restricted_mean_error = sqrt(variance);
}

/*
 * Make the curve of all rows. level: of the intervals, such as 0.95; horizon: of the restricted
 * mean, NaN for the last time. The points are the caller's to give back (crm_survival_curve_free).
 * Errors, after which nothing is held: CRM_DOMAIN (level outside (0, 1), 2^32 rows), CRM_LIMIT,
 * CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_survival_curve(CrmCtx *ctx, const CrmSurvivalData *data, CrmSurvivalInterval interval,
				   double level, double horizon, CrmSurvivalCurve *curve)
{
	Orders orders;
	CrmStatus status;

	*curve = (CrmSurvivalCurve){.rows = (int64_t) data->n, .room = data->n};
	if (!(level > 0.0 && level < 1.0) || data->n > UINT32_MAX)
		return CRM_DOMAIN;
	curve->points = crm_allocate(ctx, curve->room, sizeof(CrmSurvivalPoint));
	if (curve->points == NULL)
		return ctx->failure;
	status = make_orders(ctx, data, &orders);
	if (status == CRM_OK)
	{
		status = count_times(ctx, data, &orders, curve);
		free_orders(ctx, data, &orders);
	}
	if (status != CRM_OK)
	{
		crm_survival_curve_free(ctx, curve);
		return status;
	}
	estimate(curve, interval, crm_normal_quantile(0.5 + 0.5 * level));
	curve->median = find_quantile(curve, 0.5, 0);
	curve->median_low = find_quantile(curve, 0.5, 1);
	curve->median_high = find_quantile(curve, 0.5, 2);
	curve->horizon = !isnan(horizon) ? horizon
					 : curve->n > 0  ? curve->points[curve->n - 1].time
									 : 0.0;
	find_mean(curve);
	return CRM_OK;
}

/* Give back what a curve holds; once more does no harm. */
void
crm_survival_curve_free(CrmCtx *ctx, CrmSurvivalCurve *curve)
{
	crm_release(ctx, curve->points, curve->room, sizeof(CrmSurvivalPoint));
	curve->points = NULL;
}

/* ---- the log-rank test --------------------------------------------------------------------- */

/* Room for a test: at_risk, leaving: groups; u: groups; v: groups x groups. */
typedef struct Test
{
	int groups;
	int64_t *at_risk, *leaving;
	double *u, *v;
	unsigned char *dropped;
} Test;

/* Give the bytes that a test of n rows takes besides the data, at most. */
size_t
crm_survival_logrank_bytes(size_t n, int groups)
{
	size_t g = (size_t) groups;

	return n * (2 * sizeof(uint32_t) + 12) + g * (2 * sizeof(int64_t) + 2 * sizeof(double) + 1) +
		   g * g * sizeof(double);
}

/* Add what one time says: n at risk and d leaving in all. */
static void
add_time(Test *test, double n, double d, CrmLogrankGroup *result)
{
	double spread = n > 1.0 ? d * (n - d) / (n * n * (n - 1.0)) : 0.0;

	for (int j = 0; j < test->groups; j++)
	{
		double nj = (double) test->at_risk[j];

		if (test->at_risk[j] == 0)
			continue;
		result[j].expected += d * nj / n;
		test->u[j] += (double) test->leaving[j] - d * nj / n;
		for (int k = 0; k <= j; k++)
			test->v[(size_t) j * test->groups + k] +=
				spread * ((j == k ? n * nj : 0.0) - nj * (double) test->at_risk[k]);
	}
}

/* Pass over the times. */
static CrmStatus
compare(CrmCtx *ctx, const CrmSurvivalData *data, const double *group, const Orders *orders,
		Test *test, CrmLogrankGroup *result)
{
	size_t entered = 0, cost = 0;
	int64_t n = 0;

	for (size_t i = 0; i < data->n; i++)
	{
		CrmLogrankGroup *own = &result[(int) group[i]];

		own->rows++;
		own->events += data->event[i] != 0.0;
		test->at_risk[(int) group[i]] += data->entry == NULL;
		n += data->entry == NULL;
	}
	for (size_t i = 0; i < data->n;)
	{
		double time = data->time[orders->by_time[i]];
		size_t end = i;
		int64_t d = 0;

		for (; data->entry != NULL && entered < data->n &&
			   data->entry[orders->by_entry[entered]] < time;
			 entered++, n++)
			test->at_risk[(int) group[orders->by_entry[entered]]]++;
		memset(test->leaving, 0, test->groups * sizeof(int64_t));
		for (; end < data->n && data->time[orders->by_time[end]] == time; end++)
		{
			uint32_t row = orders->by_time[end];

			d += data->event[row] != 0.0;
			test->leaving[(int) group[row]] += data->event[row] != 0.0;
		}
		if (d > 0)
		{
			add_time(test, (double) n, (double) d, result);
			cost += (size_t) test->groups * test->groups;
		}
		cost += end - i + 16;
		n -= (int64_t) (end - i);
		for (; i < end; i++)
			test->at_risk[(int) group[orders->by_time[i]]]--;
		if (cost > POLL_ROWS)
		{
			cost = 0;
			if (crm_poll(ctx))
				return CRM_ABORTED;
		}
	}
	return CRM_OK;
}

/* Solve for the statistic: the covariance has no inverse, since its rows sum to zero. */
static void
solve(Test *test, CrmLogrank *logrank)
{
	int g = test->groups;
	double *x = test->u + g;

	memcpy(x, test->u, g * sizeof(double));
	(void) crm_cholesky(test->v, g, 1e-10, test->dropped);
	crm_cholesky_solve(test->v, g, test->dropped, x);
	*logrank = (CrmLogrank){.chi_squared = NAN, .p = NAN};
	for (int j = 0; j < g; j++)
		logrank->df += !test->dropped[j];
	if (logrank->df == 0)
		return;
	logrank->chi_squared = 0.0;
	for (int j = 0; j < g; j++)
		logrank->chi_squared += test->u[j] * x[j];
	logrank->p = crm_chi_squared_upper(logrank->chi_squared, logrank->df);
}

/*
 * Test whether groups leave alike: group[i] is that of row i, 0 to groups - 1 as a double;
 * result[groups] gets what was observed and expected. Errors: CRM_DOMAIN (2^32 rows, no group),
 * CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_survival_logrank(CrmCtx *ctx, const CrmSurvivalData *data, const double *group, int groups,
					 CrmLogrankGroup *result, CrmLogrank *logrank)
{
	size_t g = (size_t) groups;
	Test test = {.groups = groups};
	Orders orders;
	CrmStatus status;

	if (groups < 1 || data->n > UINT32_MAX)
		return CRM_DOMAIN;
	status = make_orders(ctx, data, &orders);
	if (status != CRM_OK)
		return status;
	if ((test.at_risk = crm_allocate(ctx, g, sizeof(int64_t))) == NULL ||
		(test.leaving = crm_allocate(ctx, g, sizeof(int64_t))) == NULL ||
		(test.u = crm_allocate(ctx, 2 * g, sizeof(double))) == NULL ||
		(test.v = crm_allocate(ctx, g * g, sizeof(double))) == NULL ||
		(test.dropped = crm_allocate(ctx, g, 1)) == NULL)
		status = ctx->failure;
	else
	{
		memset(test.at_risk, 0, g * sizeof(int64_t));
		memset(test.u, 0, g * sizeof(double));
		memset(test.v, 0, g * g * sizeof(double));
		memset(result, 0, g * sizeof *result);
		status = compare(ctx, data, group, &orders, &test, result);
		if (status == CRM_OK)
			solve(&test, logrank);
	}
	crm_release(ctx, test.dropped, g, 1);
	crm_release(ctx, test.v, g * g, sizeof(double));
	crm_release(ctx, test.u, 2 * g, sizeof(double));
	crm_release(ctx, test.leaving, g, sizeof(int64_t));
	crm_release(ctx, test.at_risk, g, sizeof(int64_t));
	free_orders(ctx, data, &orders);
	return status;
}
