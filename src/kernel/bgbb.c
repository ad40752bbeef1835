/*
 * bgbb.c: likelihood and predictions of BG/BB; see bgbb.h.
 */
#include "kernel/bgbb.h"

#include <math.h>

#include "kernel/base/series.h"
#include "kernel/base/special.h"
#include "kernel/base/sum.h"

#define POLL_TERMS 500000

/* Tell whether a customer can be: whole numbers with 0 <= x <= t_x <= n, and t_x = 0 when x = 0. */
bool
crm_bgbb_is_possible(double x, double t_x, double n)
{
	return x >= 0 && x <= t_x && t_x <= n && n <= CRM_BGBB_OPPORTUNITIES_MAX &&
		   (x > 0 || t_x == 0) && x == floor(x) && t_x == floor(t_x) && n == floor(n);
}

/* Give log B(a + i, b + j) - log B(a, b), without the cancellation of large logarithms. */
static double
log_beta_change(double a, double b, double i, double j)
{
	return crm_log_gamma_ratio(a, i) + crm_log_gamma_ratio(b, j) -
		   crm_log_gamma_ratio(a + b, i + j);
}

/* Add weight times the derivatives of log_beta_change by a and b. */
static void
add_change_gradient(double a, double b, double i, double j, double weight, double *by_a,
					double *by_b)
{
	double both = crm_digamma_difference(a + b, i + j);

	*by_a += weight * (crm_digamma_difference(a, i) - both);
	*by_b += weight * (crm_digamma_difference(b, j) - both);
}

/*
 * Give the log of the sum over i of B(alpha + x, beta + t_x - x + i) B(gamma + 1, delta + t_x + i)
 * / N, terms of them (at least one), and its derivatives unless gradient is NULL. The terms fall,
 * so the sum is taken in units of the first one; it ends when the rest cannot be seen.
 */
static double
log_left(const CrmBgbbModel *model, double x, double t_x, double terms, double *gradient)
{
	double a = model->alpha + x, b = model->beta + t_x - x;
	double c = model->gamma + 1.0, d = model->delta + t_x;
	double slope[CRM_BGBB_PARAMETERS] = {0.0}; /* of the log of the term at hand */
	double mean[CRM_BGBB_PARAMETERS] = {0.0};
	double term = 1.0, sum = 0.0;

	for (double i = 0.0; i < terms; i++)
	{
		sum += term;
		if (gradient != NULL)
		{
			double ab = 1.0 / (a + b + i), cd = 1.0 / (c + d + i);

			for (int k = 0; k < CRM_BGBB_PARAMETERS; k++)
				mean[k] += term * slope[k];
			slope[0] -= ab;
			slope[1] += 1.0 / (b + i) - ab;
			slope[2] -= cd;
			slope[3] += 1.0 / (d + i) - cd;
		}
		term *= (b + i) / (a + b + i) * ((d + i) / (c + d + i));
		if (term * (terms - i) < 0x1p-70 * sum)
			break;
	}
	if (gradient != NULL)
	{
		for (int k = 0; k < CRM_BGBB_PARAMETERS; k++)
			gradient[k] = mean[k] / sum;
		add_change_gradient(model->alpha, model->beta, x, t_x - x, 1.0, &gradient[0], &gradient[1]);
		add_change_gradient(model->gamma, model->delta, 1.0, t_x, 1.0, &gradient[2], &gradient[3]);
	}
	return log_beta_change(model->alpha, model->beta, x, t_x - x) +
		   log_beta_change(model->gamma, model->delta, 1.0, t_x) + log(sum);
}

/* Give the log of the part of L in which the customer is still active at n. */
static double
log_active(const CrmBgbbModel *model, double x, double n)
{
	return log_beta_change(model->alpha, model->beta, x, n - x) +
		   log_beta_change(model->gamma, model->delta, 0.0, n);
}

/*
 * Give log L of one customer, who must be possible, and its derivatives by alpha, beta, gamma and
 * delta unless gradient is NULL.
 */
double
crm_bgbb_log_likelihood(const CrmBgbbModel *model, double x, double t_x, double n,
						double gradient[CRM_BGBB_PARAMETERS])
{
	double active = log_active(model, x, n), total = active;
	double share = 0.0; /* of the likelihood that is from having left */
	double left_gradient[CRM_BGBB_PARAMETERS] = {0.0};

	if (t_x < n)
	{
		double left = log_left(model, x, t_x, n - t_x, gradient != NULL ? left_gradient : NULL);

		total = crm_log_sum_exp(active, left);
		share = exp(left - total);
	}
	if (gradient != NULL)
	{
		for (int k = 0; k < CRM_BGBB_PARAMETERS; k++)
			gradient[k] = share * left_gradient[k];
		add_change_gradient(model->alpha, model->beta, x, n - x, 1.0 - share, &gradient[0],
							&gradient[1]);
		add_change_gradient(model->gamma, model->delta, 0.0, n, 1.0 - share, &gradient[2],
							&gradient[3]);
	}
	return total;
}

/* Give the weighted log-likelihood of all rows and its derivatives; anything once a poll is due,
 * which it asks for but leaves to the caller. */
double
crm_bgbb_total(CrmCtx *ctx, const CrmBgbbData *data, const CrmBgbbModel *model,
			   double gradient[CRM_BGBB_PARAMETERS])
{
	CrmSum total = {0}, slope[CRM_BGBB_PARAMETERS] = {{0}};
	double work = 0.0;

	for (size_t i = 0; i < data->rows; i++)
	{
		double row[CRM_BGBB_PARAMETERS];

		work += 20.0 + data->n[i] - data->t_x[i];
		if (work > POLL_TERMS)
		{
			if (crm_pending(ctx))
				break;
			work = 0.0;
		}
		crm_sum_add(&total,
					data->weight[i] *
						crm_bgbb_log_likelihood(model, data->x[i], data->t_x[i], data->n[i], row));
		for (int k = 0; k < CRM_BGBB_PARAMETERS; k++)
			crm_sum_add(&slope[k], data->weight[i] * row[k]);
	}
	for (int k = 0; k < CRM_BGBB_PARAMETERS; k++)
		gradient[k] = crm_sum_value(slope[k]);
	return crm_sum_value(total);
}

/* Give the chance that a customer is active at opportunity n + 1. */
double
crm_bgbb_p_alive(const CrmBgbbModel *model, double x, double t_x, double n)
{
	double d = model->delta + n;
	double stay = d / (model->gamma + d);

	if (t_x == n)
		return stay;
	return stay / (1.0 + exp(log_left(model, x, t_x, n - t_x, NULL) - log_active(model, x, n)));
}

/*
 * Give the expected orders at the next horizon opportunities (may be infinite), the k-th weighed by
 * e^(-discount k), of a customer who is active at opportunity n + 1. Times p_alive it is the
 * expectation of the customer.
 */
double
crm_bgbb_orders_if_alive(const CrmBgbbModel *model, double x, double n, double horizon,
						 double discount)
{
	double rate = (model->alpha + x) / (model->alpha + model->beta + n);
	double d = model->delta + n;

	/* the k-th weighs B(gamma, delta + n + k) / B(gamma, delta + n + 1); k = 1 weighs 1 */
	return rate * crm_ratio_series(d, model->gamma + d, exp(-discount), horizon) *
		   ((model->gamma + d) / d);
}

/*
 * Give the chance that a customer who is active at opportunity n + 1 orders at one of the next
 * horizon opportunities, as the sum over which of them is the first with an order: no difference of
 * chances near 1.
 */
double
crm_bgbb_any_if_alive(const CrmBgbbModel *model, double x, double n, double horizon)
{
	double whole = model->alpha + model->beta + n, misses = model->beta + n - x;
	double stay = model->delta + n, gone = model->gamma + stay;
	double term = (model->alpha + x) / whole, sum = 0.0;

	horizon = floor(horizon);
	for (double k = 1.0; k <= horizon; k++)
	{
		sum += term;
		if (term * (horizon - k) < 0x1p-60 * sum)
			break;
		term *= (misses + k - 1.0) / (whole + k) * ((stay + k) / (gone + k));
	}
	return fmin(sum, 1.0);
}

/* Give the chance of x orders at n opportunities; 0 when x is no whole number from 0 to n. */
double
crm_bgbb_pmf(const CrmBgbbModel *model, double x, double n)
{
	double a = model->alpha + x, c = model->gamma + 1.0;
	double term = 1.0, sum = 0.0, scale = 0.0;
	double active;

	if (!(x >= 0 && x <= n) || x != floor(x) || n != floor(n) || n > CRM_BGBB_OPPORTUNITIES_MAX)
		return 0.0;
	active = log_active(model, x, n) - log_beta_change(1.0, 1.0, x, n - x) - log(n + 1.0);
	for (double i = x; i < n; i++)
	{
		sum += term;
		term *= (i + 1.0) / (i + 1.0 - x) * ((model->beta + i - x) / (a + model->beta + i - x)) *
				((model->delta + i) / (c + model->delta + i));
		if (sum > 0x1p500)
		{
			sum *= 0x1p-500;
			term *= 0x1p-500;
			scale += 500.0 * M_LN2;
		}
	}
	if (x == n)
		return fmin(exp(active), 1.0);
	return fmin(
		exp(crm_log_sum_exp(active, log_beta_change(model->alpha, model->beta, x, 0.0) +
										log_beta_change(model->gamma, model->delta, 1.0, x) +
										log(sum) + scale)),
		1.0);
}

/* What the starts are made of. */
typedef struct Totals
{
	double customers, orders, opportunities;
} Totals;

static Totals
add_up(const CrmBgbbData *data)
{
	Totals totals = {0};

	for (size_t i = 0; i < data->rows; i++)
	{
		totals.customers += data->weight[i];
		totals.orders += data->weight[i] * data->x[i];
		totals.opportunities += data->weight[i] * data->n[i];
	}
	return totals;
}

typedef struct Search
{
	CrmCtx *ctx;
	const CrmBgbbData *data;
	double customers;
} Search;

/* What the search asks: - log L a customer, by the logarithms of the parameters; anything once a
 * poll is due. */
static double
loss(void *user, const double *theta, double *gradient)
{
	const Search *search = user;
	CrmBgbbModel model = {exp(theta[0]), exp(theta[1]), exp(theta[2]), exp(theta[3])};
	double slope[CRM_BGBB_PARAMETERS];
	double value = crm_bgbb_total(search->ctx, search->data, &model, slope);

	for (int k = 0; k < CRM_BGBB_PARAMETERS && gradient != NULL; k++)
		gradient[k] = -slope[k] * exp(theta[k]) / search->customers;
	return -value / search->customers;
}

/*
 * Estimate the four parameters from possible customers. CRM_OK with a fit, or what
 * crm_likelihood_fit says; CRM_DOMAIN without rows or without an opportunity.
 */
CrmStatus
crm_bgbb_fit(CrmCtx *ctx, const CrmBgbbData *data, double penalty, CrmFit *fit)
{
	Totals totals = add_up(data);
	double rate = fmin(fmax(totals.orders / totals.opportunities, 1e-5), 0.99);
	double long_life = 0.1 * totals.opportunities / totals.customers + 1.0;
	const double starts[] = {rate,        1.0 - rate,          0.5, 2.0,
							 4.0 * rate,  2.0 * (1.0 - rate),  0.3, long_life,
							 20.0 * rate, 10.0 * (1.0 - rate), 1.0, 10.0};
	Search search = {ctx, data, totals.customers};
	CrmLikelihood likelihood = {.n = CRM_BGBB_PARAMETERS,
								.n_candidates = 3,
								.n_starts = 3,
								.penalty = penalty,
								.total = totals.customers,
								.loss = loss,
								.user = &search};

	if (!(totals.opportunities > 0))
		return CRM_DOMAIN;
	for (int i = 0; i < 3 * CRM_BGBB_PARAMETERS; i++)
		likelihood.candidates[i] = log(starts[i]);
	for (int k = 0; k < CRM_BGBB_PARAMETERS; k++)
	{
		likelihood.lower[k] = log(CRM_BGBB_PARAMETER_MIN);
		likelihood.upper[k] = log(CRM_BGBB_PARAMETER_MAX);
	}
	return crm_likelihood_fit(ctx, &likelihood, fit);
}
