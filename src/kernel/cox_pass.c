/*
 * cox_pass.c: see cox_pass.h.
 */
#include "kernel/cox_pass.h"

#include <math.h>
#include <string.h>

#include "kernel/base/order.h"
#include "kernel/base/sum.h"

#define POLL_COST ((size_t) 1 << 20) /* products between two polls */
#define CONSTANT  1e-14              /* standard deviation over the mean's size: rounding alone */

/* Give the room of the sums: S0, D0 and for each S1, D1, a score; S2, D2 and an information. */
static size_t
count_sums(size_t d)
{
	return 3 * d + 3 * d * d;
}

/* Give the bytes that a pass over n rows takes besides the data, at most. */
size_t
crm_cox_pass_bytes(size_t n, int d, bool has_entry)
{
	size_t columns = (size_t) d;

	return n * (2 * sizeof(uint32_t) + (columns + 2) * sizeof(double) + 1) +
		   n * (has_entry ? sizeof(uint32_t) + sizeof(double) : 0) + n * 12 +
		   (3 * columns + columns * columns + count_sums(columns)) * sizeof(double);
}

/* Sort positions stably by the key of a value of each, ascending, or descending when down. */
static CrmStatus
sort_by(CrmCtx *ctx, const double *values, size_t n, bool down, uint32_t *order)
{
	uint64_t *keys = crm_allocate(ctx, n, sizeof(uint64_t));
	uint32_t *scratch = crm_allocate(ctx, n, sizeof(uint32_t));
	CrmStatus status;

	if (keys == NULL || scratch == NULL)
		status = ctx->failure;
	else
	{
		for (size_t i = 0; i < n; i++)
			keys[i] = down ? ~crm_order_double(values[i]) : crm_order_double(values[i]);
		status = crm_radix_sort_index(ctx, keys, order, scratch, n);
	}
	crm_release(ctx, scratch, n, sizeof(uint32_t));
	crm_release(ctx, keys, n, sizeof(uint64_t));
	return status;
}

/* Sort the caller's rows by stratum and time, and positions by stratum and entry. */
static CrmStatus
sort_rows(const CrmCoxData *data, CrmCoxPass *pass)
{
	CrmCtx *ctx = pass->ctx;
	CrmStatus status;

	for (size_t i = 0; i < pass->n; i++)
		pass->order[i] = (uint32_t) i;
	status = sort_by(ctx, data->time, pass->n, true, pass->order);
	if (status == CRM_OK && data->stratum != NULL)
		status = sort_by(ctx, data->stratum, pass->n, false, pass->order);
	for (size_t i = 0; i < pass->n && status == CRM_OK; i++)
	{
		uint32_t row = pass->order[i];

		pass->time[i] = data->time[row];
		pass->event[i] = data->event[row] != 0.0;
		pass->events += pass->event[i];
		if (data->stratum != NULL && i > 0 &&
			data->stratum[row] != data->stratum[pass->order[i - 1]])
			pass->strata++;
		pass->stratum[i] = pass->strata;
		if (pass->entry != NULL)
		{
			pass->entry[i] = data->entry[row];
			pass->by_entry[i] = (uint32_t) i;
		}
		if (i % POLL_COST == POLL_COST - 1 && crm_poll(ctx))
			status = CRM_ABORTED;
	}
	pass->strata += pass->n > 0;
	if (status == CRM_OK && pass->entry != NULL)
	{
		status = sort_by(ctx, pass->entry, pass->n, true, pass->by_entry);
		for (size_t i = 0; i < pass->n; i++) /* for the moment */
			pass->risk[i] = pass->stratum[i];
		if (status == CRM_OK)
			status = sort_by(ctx, pass->risk, pass->n, false, pass->by_entry);
	}
	for (size_t i = 0; i < pass->n && status == CRM_OK; i++)
	{
		size_t first = i;
		bool any = pass->event[i];

		while (i + 1 < pass->n && pass->time[i + 1] == pass->time[first] &&
			   pass->stratum[i + 1] == pass->stratum[first])
			any |= pass->event[++i];
		pass->times += any;
	}
	return status;
}

/* Copy the columns in order, around their means and over their scales. */
static CrmStatus
standardise(const CrmCoxData *data, CrmCoxPass *pass)
{
	for (int j = 0; j < pass->d; j++)
	{
		const double *x = data->columns[j];
		CrmSum sum = {0, 0}, squares = {0, 0};
		double inverse;

		for (size_t i = 0; i < pass->n; i++)
			crm_sum_add(&sum, x[i]);
		pass->mean[j] = pass->n > 0 ? crm_sum_mean(sum, (int64_t) pass->n) : 0.0;
		for (size_t i = 0; i < pass->n; i++)
			crm_sum_add_square(&squares, x[i] - pass->mean[j]);
		pass->scale[j] = pass->n > 0 ? sqrt(crm_sum_mean(squares, (int64_t) pass->n)) : 0.0;
		if (!(pass->scale[j] < INFINITY))
			return CRM_DOMAIN;
		if (!(pass->scale[j] > CONSTANT * fabs(pass->mean[j])))
			pass->scale[j] = 0.0;
		inverse = pass->scale[j] > 0.0 ? 1.0 / pass->scale[j] : 0.0;
		for (size_t i = 0; i < pass->n; i++)
			pass->z[i * pass->d + j] = (x[pass->order[i]] - pass->mean[j]) * inverse;
		if (crm_poll(pass->ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/*
 * Sort and copy the data for passes. Errors, after which nothing is held: CRM_DOMAIN (squares of
 * values overflow, 2^32 rows), CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_cox_pass_begin(CrmCtx *ctx, const CrmCoxData *data, bool efron, CrmCoxPass *pass)
{
	size_t n = data->n, d = (size_t) data->d;
	CrmStatus status = CRM_OK;

	*pass = (CrmCoxPass){.ctx = ctx, .n = n, .d = data->d, .efron = efron};
	if (n > UINT32_MAX)
		return CRM_DOMAIN;
	if ((pass->order = crm_allocate(ctx, n, sizeof(uint32_t))) == NULL ||
		(pass->time = crm_allocate(ctx, n, sizeof(double))) == NULL ||
		(pass->event = crm_allocate(ctx, n, 1)) == NULL ||
		(pass->stratum = crm_allocate(ctx, n, sizeof(uint32_t))) == NULL ||
		(pass->z = crm_allocate(ctx, n * d, sizeof(double))) == NULL ||
		(pass->risk = crm_allocate(ctx, n, sizeof(double))) == NULL ||
		(pass->mean = crm_allocate(ctx, d, sizeof(double))) == NULL ||
		(pass->scale = crm_allocate(ctx, d, sizeof(double))) == NULL ||
		(pass->score = crm_allocate(ctx, d, sizeof(double))) == NULL ||
		(pass->information = crm_allocate(ctx, d * d, sizeof(double))) == NULL ||
		(pass->sums = crm_allocate(ctx, count_sums(d), sizeof(double))) == NULL ||
		(data->entry != NULL &&
		 ((pass->entry = crm_allocate(ctx, n, sizeof(double))) == NULL ||
		  (pass->by_entry = crm_allocate(ctx, n, sizeof(uint32_t))) == NULL)))
		status = ctx->failure;
	if (status == CRM_OK)
		status = sort_rows(data, pass);
	if (status == CRM_OK)
		status = standardise(data, pass);
	if (status != CRM_OK)
		crm_cox_pass_free(pass);
	return status;
}

/* Give back what begin took; once more does no harm. */
void
crm_cox_pass_free(CrmCoxPass *pass)
{
	CrmCtx *ctx = pass->ctx;
	size_t n = pass->n, d = (size_t) pass->d;

	crm_release(ctx, pass->by_entry, n, sizeof(uint32_t));
	crm_release(ctx, pass->entry, n, sizeof(double));
	crm_release(ctx, pass->sums, count_sums(d), sizeof(double));
	crm_release(ctx, pass->information, d * d, sizeof(double));
	crm_release(ctx, pass->score, d, sizeof(double));
	crm_release(ctx, pass->scale, d, sizeof(double));
	crm_release(ctx, pass->mean, d, sizeof(double));
	crm_release(ctx, pass->risk, n, sizeof(double));
	crm_release(ctx, pass->z, n * d, sizeof(double));
	crm_release(ctx, pass->stratum, n, sizeof(uint32_t));
	crm_release(ctx, pass->event, n, 1);
	crm_release(ctx, pass->time, n, sizeof(double));
	crm_release(ctx, pass->order, n, sizeof(uint32_t));
	pass->by_entry = pass->order = pass->stratum = NULL;
	pass->entry = pass->sums = pass->information = pass->score = pass->scale = pass->mean = NULL;
	pass->risk = pass->z = pass->time = NULL;
	pass->event = NULL;
}

/* Sums over a set of rows: of exp(eta), times z, times the lower triangle of zz'. */
typedef struct Sums
{
	double zero;
	double *one, *two;
} Sums;

static void
clear(Sums *sums, int d)
{
	sums->zero = 0.0;
	memset(sums->one, 0, d * sizeof(double));
	memset(sums->two, 0, (size_t) d * d * sizeof(double));
}

/* Add a row of d values with a risk, which is negative to take it out. */
static void
add_row(Sums *sums, const double *z, int d, double risk)
{
	sums->zero += risk;
	for (int j = 0; j < d; j++)
	{
		double term = risk * z[j];
		double *two = sums->two + (size_t) j * d;

		sums->one[j] += term;
		for (int k = 0; k <= j; k++)
			two[k] += term * z[k];
	}
}

/* What the terms of one time sum to: of 1 / phi_k, f_k / phi_k and their products. */
typedef struct Terms
{
	double log_phi, p, pf, pp, ppf, ppff;
} Terms;

/* Sum over the m who leave at a time: phi_k = S0 - f_k D0. */
static Terms
sum_terms(double at_risk, double leaving, size_t m, bool efron)
{
	Terms terms = {0, 0, 0, 0, 0, 0};

	for (size_t k = 0; k < m; k++)
	{
		double f = efron ? (double) k / (double) m : 0.0;
		double phi = at_risk - f * leaving, inverse = 1.0 / phi;

		terms.log_phi += log(phi);
		terms.p += inverse;
		terms.pf += f * inverse;
		terms.pp += inverse * inverse;
		terms.ppf += f * inverse * inverse;
		terms.ppff += f * f * inverse * inverse;
		if (!efron)
		{
			terms.log_phi *= (double) m;
			terms.p *= (double) m;
			terms.pp *= (double) m;
			break;
		}
	}
	return terms;
}

/* Add what a time at which m leave says; score has the sum of their z. at: its number. */
static void
add_time(CrmCoxPass *pass, const Sums *risk, const Sums *leaving, double *score,
		 double *information, size_t m, size_t at)
{
	Terms terms = sum_terms(risk->zero, leaving->zero, m, pass->efron);
	double g = pass->transform != NULL ? pass->transform[at] : 0.0;
	int d = pass->d;

	pass->log_likelihood -= terms.log_phi + (double) m * pass->shift;
	if (pass->hazard != NULL)
		pass->hazard[at] = terms.p * exp(-pass->shift);
	for (int j = 0; j < d; j++)
	{
		const double *s2 = risk->two + (size_t) j * d, *d2 = leaving->two + (size_t) j * d;
		double s1 = risk->one[j], d1 = leaving->one[j];
		double *row = information + (size_t) j * d;

		score[j] -= s1 * terms.p - d1 * terms.pf;
		pass->score[j] += score[j];
		for (int k = 0; k <= j; k++)
		{
			row[k] = s2[k] * terms.p - d2[k] * terms.pf - s1 * risk->one[k] * terms.pp +
					 (s1 * leaving->one[k] + d1 * risk->one[k]) * terms.ppf -
					 d1 * leaving->one[k] * terms.ppff;
			pass->information[(size_t) j * d + k] += row[k];
		}
		if (pass->transform == NULL)
			continue;
		pass->score_g[j] += g * score[j];
		for (int k = 0; k <= j; k++)
		{
			pass->information_g[(size_t) j * d + k] += g * row[k];
			pass->information_gg[(size_t) j * d + k] += g * g * row[k];
		}
	}
}

/* Copy the lower triangle of a d x d matrix to the upper one. */
static void
mirror(double *a, int d)
{
	for (int j = 0; j < d; j++)
		for (int k = 0; k < j; k++)
			a[(size_t) k * d + j] = a[(size_t) j * d + k];
}

/* Set risk to exp(eta - shift), and the log-likelihood to the sum of eta of those who leave. */
static void
set_risks(CrmCoxPass *pass, const double *beta)
{
	pass->shift = pass->n > 0 ? -INFINITY : 0.0;
	pass->log_likelihood = 0.0;
	for (size_t i = 0; i < pass->n; i++)
	{
		const double *z = pass->z + i * pass->d;
		double eta = 0.0;

		for (int j = 0; j < pass->d; j++)
			eta += beta[j] * z[j];
		pass->risk[i] = eta;
		pass->shift = eta > pass->shift ? eta : pass->shift;
		if (pass->event[i])
			pass->log_likelihood += eta;
	}
	for (size_t i = 0; i < pass->n; i++)
		pass->risk[i] = exp(pass->risk[i] - pass->shift);
}

/* Empty the sums of a pass. */
static void
begin_sums(CrmCoxPass *pass)
{
	size_t d = (size_t) pass->d;

	memset(pass->score, 0, d * sizeof(double));
	memset(pass->information, 0, d * d * sizeof(double));
	if (pass->transform == NULL)
		return;
	memset(pass->score_g, 0, d * sizeof(double));
	memset(pass->information_g, 0, d * d * sizeof(double));
	memset(pass->information_gg, 0, d * d * sizeof(double));
}

/*
 * Run a pass at coefficients beta of the standardised columns. Errors: CRM_ABORTED. Coefficients
 * beyond reason give a log-likelihood that is not finite.
 */
CrmStatus
crm_cox_pass_run(CrmCoxPass *pass, const double *beta)
{
	int d = pass->d;
	size_t square = (size_t) d * d, cost = 0, out = 0, at = 0;
	Sums risk = {0, pass->sums, pass->sums + d};
	Sums leaving = {0, risk.two + square, risk.two + square + d};
	double *score = leaving.two + square, *information = score + d;

	begin_sums(pass);
	set_risks(pass, beta);
	clear(&risk, d);
	for (size_t i = 0; i < pass->n;)
	{
		double time = pass->time[i];
		uint32_t stratum = pass->stratum[i];
		size_t m = 0, first = i;

		if (i > 0 && pass->stratum[i - 1] != stratum)
		{
			clear(&risk, d);
			out = i;
		}
		for (; i < pass->n && pass->time[i] == time && pass->stratum[i] == stratum; i++)
		{
			add_row(&risk, pass->z + i * d, d, pass->risk[i]);
			m += pass->event[i];
		}
		for (; m > 0 && pass->entry != NULL && out < pass->n &&
			   pass->stratum[pass->by_entry[out]] == stratum &&
			   pass->entry[pass->by_entry[out]] >= time;
			 out++)
			add_row(&risk, pass->z + (size_t) pass->by_entry[out] * d, d,
					-pass->risk[pass->by_entry[out]]);
		if (m > 0)
		{
			clear(&leaving, d);
			memset(score, 0, d * sizeof(double));
			for (size_t k = first; k < i; k++)
				if (pass->event[k])
				{
					add_row(&leaving, pass->z + k * d, d, pass->risk[k]);
					for (int j = 0; j < d; j++)
						score[j] += pass->z[k * d + j];
				}
			add_time(pass, &risk, &leaving, score, information, m, at++);
			cost += 4 * square + m * 8;
		}
		cost += (i - first) * (square + 8);
		if (cost > POLL_COST)
		{
			cost = 0;
			if (crm_poll(pass->ctx))
				return CRM_ABORTED;
		}
	}
	mirror(pass->information, d);
	if (pass->transform != NULL)
	{
		mirror(pass->information_g, d);
		mirror(pass->information_gg, d);
	}
	return CRM_OK;
}
