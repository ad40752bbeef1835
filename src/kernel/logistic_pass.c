/*
 * logistic_pass.c: see logistic_pass.h.
 */
#include "kernel/logistic_pass.h"

#include <math.h>
#include <string.h>

#include "kernel/base/lanes.h"
#include "kernel/base/sum.h"

#define ROWS       CRM_CROSS_ROWS
#define POLL_COST  ((size_t) 1 << 20) /* products between two polls */
#define MAX_ETA    708.0              /* exp(-708) is still a normal number */
#define LOG2_E     1.4426950408889634074
#define LOG_2_HIGH 0x1.62e42fee00000p-1 /* 33 bits: times a small integer exact */
#define LOG_2_LOW  0x1.a39ef35793c76p-33
#define ROUND      0x1.8p52 /* added and taken away: the nearest integer, in the lowest bits */

/* What a block's rows give; see NAME(respond). */
typedef struct Response
{
	double tail[ROWS], hinge[ROWS], signed_eta[ROWS], residual[ROWS], weight[ROWS];
	double product[CRM_LANES_ALL], hinges[CRM_LANES_ALL], least[CRM_LANES_ALL];
} Response;

#define LANES 2
#include "kernel/logistic_lanes.h"
#if CRM_LANES_HAVE_WIDE
#define LANES 4
#include "kernel/logistic_lanes.h"
#define LANES 8
#include "kernel/logistic_lanes.h"
#endif

/* Give the columns of the design, and of the weighted design with the residual, rounded up. */
static int
count_b(int q)
{
	return crm_cross_pad(q, CRM_CROSS_B);
}

static int
count_a(int q)
{
	return crm_cross_pad(q + 1, CRM_CROSS_A);
}

/* Give the bytes that a pass over d columns takes. */
size_t
crm_logistic_pass_bytes(int d)
{
	size_t q = (size_t) d + 1, a = count_a(d + 1), b = count_b(d + 1);

	return q * (sizeof(int) + 3 * sizeof(double)) + q * q * sizeof(double) +
		   (a + b) * ROWS * sizeof(double) + a * b * sizeof(CrmCrossSum);
}

/* Make room for passes over all columns and the intercept. Errors: CRM_LIMIT, CRM_NO_MEMORY. */
CrmStatus
crm_logistic_pass_begin(CrmCtx *ctx, const CrmLogisticData *data, CrmLogisticPass *pass)
{
	int q = data->d + 1;

	*pass = (CrmLogisticPass){.ctx = ctx, .data = data, .class_weight = {1, 1}, .room = q};
	if ((pass->use = crm_allocate(ctx, q, sizeof(int))) == NULL ||
		(pass->mean = crm_allocate(ctx, q, sizeof(double))) == NULL ||
		(pass->inverse = crm_allocate(ctx, q, sizeof(double))) == NULL ||
		(pass->gradient = crm_allocate(ctx, q, sizeof(double))) == NULL ||
		(pass->hessian = crm_allocate(ctx, (size_t) q * q, sizeof(double))) == NULL ||
		(pass->z = crm_allocate(ctx, (size_t) count_b(q) * ROWS, sizeof(double))) == NULL ||
		(pass->a = crm_allocate(ctx, (size_t) count_a(q) * ROWS, sizeof(double))) == NULL ||
		(pass->total = crm_allocate(ctx, (size_t) count_a(q) * count_b(q), sizeof(CrmCrossSum))) ==
			NULL)
	{
		CrmStatus status = ctx->failure;

		crm_logistic_pass_free(pass);
		return status;
	}
	return CRM_OK;
}

/* Give back what begin took; once more does no harm. */
void
crm_logistic_pass_free(CrmLogisticPass *pass)
{
	int q = pass->room;

	crm_release(pass->ctx, pass->total, (size_t) count_a(q) * count_b(q), sizeof(CrmCrossSum));
	crm_release(pass->ctx, pass->a, (size_t) count_a(q) * ROWS, sizeof(double));
	crm_release(pass->ctx, pass->z, (size_t) count_b(q) * ROWS, sizeof(double));
	crm_release(pass->ctx, pass->hessian, (size_t) q * q, sizeof(double));
	crm_release(pass->ctx, pass->gradient, q, sizeof(double));
	crm_release(pass->ctx, pass->inverse, q, sizeof(double));
	crm_release(pass->ctx, pass->mean, q, sizeof(double));
	crm_release(pass->ctx, pass->use, q, sizeof(int));
	pass->total = NULL;
	pass->a = pass->z = pass->hessian = pass->gradient = pass->inverse = pass->mean = NULL;
	pass->use = NULL;
}

/* Begin a pass: empty the sums, and the columns that only fill up tiles. */
static void
clear(CrmLogisticPass *pass)
{
	int a = count_a(pass->q), b = count_b(pass->q);

	memset(pass->total, 0, (size_t) a * b * sizeof(CrmCrossSum));
	memset(pass->z + (size_t) pass->q * ROWS, 0, (size_t) (b - pass->q) * ROWS * sizeof(double));
	memset(pass->a + (size_t) pass->q * ROWS, 0, (size_t) (a - pass->q) * ROWS * sizeof(double));
}

/* Bring the design's columns of the m rows from first on into the block; the rest is zero. */
static void
load(CrmLogisticPass *pass, size_t first, int m)
{
	for (int i = 0; i < ROWS; i++)
		pass->z[i] = i < m;
	for (int j = 1; j < pass->q; j++)
	{
		const double *x = pass->data->columns[pass->use[j]] + first;
		double *z = pass->z + (size_t) j * ROWS;

		if (m == ROWS)
		{
			CRM_LANES_CALL(standardise, x, pass->mean[j], pass->inverse[j], z);
			continue;
		}
		for (int i = 0; i < ROWS; i++)
			z[i] = i < m ? (x[i] - pass->mean[j]) * pass->inverse[j] : 0.0;
	}
}

/* Give the weight of a row: its own times that of its class. */
static double
row_weight(const CrmLogisticPass *pass, size_t i)
{
	double weight = pass->class_weight[pass->data->label[i] != 0.0];

	return pass->data->weights != NULL ? pass->data->weights[i] * weight : weight;
}

/* True when rows have weights other than 1. */
static bool
is_weighted(const CrmLogisticPass *pass)
{
	return pass->data->weights != NULL || pass->class_weight[0] != 1.0 ||
		   pass->class_weight[1] != 1.0;
}

/* Poll after each POLL_COST products; *cost counts. */
static bool
is_stopped(CrmLogisticPass *pass, size_t *cost)
{
	*cost += (size_t) ROWS * (pass->q + 4) * (pass->q + 4) / 2;
	if (*cost < POLL_COST)
		return false;
	*cost = 0;
	return crm_poll(pass->ctx);
}

/* Make the weighted design: a_k = z_k w for each column. */
static void
weigh_columns(CrmLogisticPass *pass, const double *weight)
{
	for (int k = 0; k < pass->q; k++)
		CRM_LANES_CALL(weigh, pass->z + (size_t) k * ROWS, weight, pass->a + (size_t) k * ROWS);
}

/* Put the sums of the lower triangle into the hessian, both triangles. */
static void
finish_hessian(CrmLogisticPass *pass)
{
	int b = count_b(pass->q);

	for (int k = 0; k < pass->q; k++)
		for (int j = 0; j <= k; j++)
		{
			const CrmCrossSum *sum = &pass->total[(size_t) k * b + j];

			pass->hessian[(size_t) k * pass->q + j] = pass->hessian[(size_t) j * pass->q + k] =
				sum->value + sum->error;
		}
}

/* Sum v z_k z_j over all rows into the hessian; only_sums: v z_j alone, into the first of total. */
static CrmStatus
sum_products(CrmLogisticPass *pass, bool only_sums)
{
	size_t n = pass->data->n, cost = 0;
	double weight[ROWS];

	clear(pass);
	for (size_t first = 0; first < n; first += ROWS)
	{
		int m = n - first < ROWS ? (int) (n - first) : ROWS;

		load(pass, first, m);
		for (int i = 0; i < ROWS; i++)
			weight[i] = i < m ? row_weight(pass, first + i) : 0.0;
		weigh_columns(pass, weight);
		crm_cross(pass->a, only_sums ? CRM_CROSS_A : crm_cross_pad(pass->q, CRM_CROSS_A), pass->z,
				  count_b(pass->q), !only_sums, pass->total);
		if (is_stopped(pass, &cost))
			return CRM_ABORTED;
	}
	if (!only_sums)
		finish_hessian(pass);
	return CRM_OK;
}

/*
 * Find the weighted means of the columns in use (pass->mean, then also their products around them,
 * in pass->hessian: row and column 0 are those of the intercept). pass->q, use and class_weight are
 * the caller's; inverse is set to 1. *total_weight: the sum of the weights; 0 leaves the rest
 * undefined. Errors: CRM_ABORTED.
 */
CrmStatus
crm_logistic_moments(CrmLogisticPass *pass, double *total_weight)
{
	CrmStatus status;

	for (int j = 0; j < pass->q; j++)
	{
		pass->mean[j] = 0.0;
		pass->inverse[j] = 1.0;
	}

	/* the products with the intercept are the sums */
	status = sum_products(pass, true);
	if (status != CRM_OK)
		return status;
	*total_weight = pass->total[0].value + pass->total[0].error;
	for (int j = 1; j < pass->q; j++)
		pass->mean[j] = (pass->total[j].value + pass->total[j].error) / *total_weight;
	return sum_products(pass, false);
}

/* Add a block's likelihood to *sum, and weigh its residuals and weights. */
static void
weigh_response(CrmLogisticPass *pass, size_t first, int m, Response *response, CrmCrossSum *sum)
{
	double part = 0.0, error;

	if (is_weighted(pass))
		for (int i = 0; i < m; i++)
		{
			double v = row_weight(pass, first + i);

			part += v * (response->hinge[i] + log1p(response->tail[i]));
			response->residual[i] *= v;
			response->weight[i] *= v;
			if (v > 0.0)
				pass->least = fmin(pass->least, response->signed_eta[i]);
		}
	else
		for (int l = 0; l < CRM_LANES_ALL; l++)
		{
			part += log(response->product[l]) + response->hinges[l];
			pass->least = fmin(pass->least, response->least[l]);
		}
	sum->value = crm_two_sum(sum->value, part, &error);
	sum->error += error;
}

/*
 * Set objective, gradient, hessian and least at coefficients g (q of them, of the standardised
 * columns). Errors: CRM_ABORTED. Coefficients beyond reason give an infinite or NaN objective.
 */
CrmStatus
crm_logistic_evaluate(CrmLogisticPass *pass, const double *coefficients)
{
	size_t n = pass->data->n, cost = 0;
	int b = count_b(pass->q);
	double eta[ROWS], y[ROWS];
	CrmCrossSum sum = {0.0, 0.0};
	Response response;

	clear(pass);
	pass->least = INFINITY;
	for (size_t first = 0; first < n; first += ROWS)
	{
		int m = n - first < ROWS ? (int) (n - first) : ROWS;

		load(pass, first, m);
		crm_cross_combine(pass->z, pass->q, coefficients, eta);
		memcpy(y, pass->data->label + first, m * sizeof(double));
		for (int i = m; i < ROWS; i++) /* rows that are not there: certain, and right */
		{
			eta[i] = -MAX_ETA;
			y[i] = 0.0;
		}
		CRM_LANES_CALL(respond, eta, y, &response);
		weigh_response(pass, first, m, &response, &sum);
		weigh_columns(pass, response.weight);
		memcpy(pass->a + (size_t) pass->q * ROWS, response.residual, sizeof response.residual);
		crm_cross(pass->a, count_a(pass->q), pass->z, b, true, pass->total);
		if (is_stopped(pass, &cost))
			return CRM_ABORTED;
	}
	finish_hessian(pass);
	pass->objective = sum.value + sum.error;
	for (int j = 0; j < pass->q; j++)
	{
		const CrmCrossSum *total = &pass->total[(size_t) pass->q * b + j];

		pass->gradient[j] = total->value + total->error;
	}
	return CRM_OK;
}

/*
 * Give the smallest and the largest absolute of z'direction signed by the label, over rows with
 * weight: a direction whose least is not below zero separates the classes. Errors: CRM_ABORTED.
 */
CrmStatus
crm_logistic_margin(CrmLogisticPass *pass, const double *direction, double *least, double *largest)
{
	size_t n = pass->data->n, cost = 0;
	double eta[ROWS];

	*least = INFINITY;
	*largest = 0.0;
	for (size_t first = 0; first < n; first += ROWS)
	{
		int m = n - first < ROWS ? (int) (n - first) : ROWS;

		load(pass, first, m);
		crm_cross_combine(pass->z, pass->q, direction, eta);
		for (int i = 0; i < m; i++)
		{
			double s = pass->data->label[first + i] != 0.0 ? eta[i] : -eta[i];

			if (row_weight(pass, first + i) > 0.0)
			{
				*least = fmin(*least, s);
				*largest = fmax(*largest, fabs(s));
			}
		}
		if (is_stopped(pass, &cost))
			return CRM_ABORTED;
	}
	return CRM_OK;
}
