/*
 * linear.c: see linear.h.
 */
#include "kernel/linear.h"

#include <math.h>
#include <string.h>

#include "kernel/base/canonical.h"
#include "kernel/base/dense.h"
#include "kernel/base/sum.h"

#define BLOCK     256                 /* rows folded in at a time */
#define COLLINEAR 1e-7                /* length of a column's rest over its own */
#define CONSTANT  1e-14               /* standard deviation over the mean's size: rounding alone */
#define POLL_COST ((size_t) 1 << 20)  /* products between two polls */
#define LOG_2PI   1.83787706640934548 /* log(2 pi) */

/* Room for a fit of q = d + 1 columns, the response last. */
typedef struct Room
{
	int q;
	double *mean;    /* q, weighted */
	double *r;       /* q x q */
	double *inverse; /* d x d */
	double *b;       /* d */
	double *block;   /* q columns of BLOCK rows */
	unsigned char *dropped;
} Room;

/* Give the bytes that arranging n rows of d columns and a fit take besides the data, at most. */
size_t
crm_linear_bytes(size_t n, int d)
{
	size_t q = (size_t) d + 1;

	return n * (sizeof(uint32_t) + 12) + q * (16 + sizeof(int) + sizeof(double *)) +
		   (2 * q * q + q * BLOCK + 6 * q) * sizeof(double) + 2 * q;
}

/*
 * Rearrange the rows of columns, response and weights into the order that their values alone decide
 * (base/canonical.h). Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED (the rows may then be torn),
 * CRM_DOMAIN for too many rows.
 */
CrmStatus
crm_linear_arrange(CrmCtx *ctx, CrmLinearData *data)
{
	size_t columns = (size_t) data->d + 1;
	double **all = crm_allocate(ctx, columns, sizeof(double *));
	CrmStatus status;

	if (all == NULL)
		return ctx->failure;
	for (int j = 0; j < data->d; j++)
		all[j] = data->columns[j];
	all[data->d] = data->response;
	status = crm_canonical_rows(ctx, all, (int) columns, data->weights, data->n);
	crm_release(ctx, all, columns, sizeof(double *));
	return status;
}

/* Give column j of the data, the response being the last. */
static const double *
column_of(const CrmLinearData *data, int j)
{
	return j < data->d ? data->columns[j] : data->response;
}

/* Sum the weights, their logarithms, and each column times them. */
static CrmStatus
find_means(CrmCtx *ctx, const CrmLinearData *data, Room *room, CrmLinearModel *model,
		   double *total_weight, double *log_weights)
{
	CrmSum total = {0, 0}, logs = {0, 0};

	for (size_t i = 0; i < data->n; i++)
	{
		double v = data->weights != NULL ? data->weights[i] : 1.0;

		model->used += v > 0.0;
		crm_sum_add(&total, v);
		if (v > 0.0)
			crm_sum_add(&logs, log(v));
		if (i % 65536 == 65535 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	*total_weight = crm_sum_value(total);
	*log_weights = crm_sum_value(logs);
	for (int j = 0; j < room->q; j++)
	{
		const double *x = column_of(data, j);
		CrmSum sum = {0, 0};

		for (size_t i = 0; i < data->n; i++)
		{
			crm_sum_add(&sum, data->weights != NULL ? x[i] * data->weights[i] : x[i]);
			if (i % 65536 == 65535 && crm_poll(ctx))
				return CRM_ABORTED;
		}
		room->mean[j] = crm_sum_value(sum) / *total_weight;
	}
	return CRM_OK;
}

/* Fold all rows, around the means and times the roots of their weights, into r. */
static CrmStatus
factor_rows(CrmCtx *ctx, const CrmLinearData *data, Room *room)
{
	size_t cost = 0;

	memset(room->r, 0, (size_t) room->q * room->q * sizeof(double));
	for (size_t first = 0; first < data->n; first += BLOCK)
	{
		size_t rows = data->n - first < BLOCK ? data->n - first : BLOCK;
		double root[BLOCK];

		for (size_t i = 0; i < rows; i++)
			root[i] = data->weights != NULL ? sqrt(data->weights[first + i]) : 1.0;
		for (int j = 0; j < room->q; j++)
		{
			const double *x = column_of(data, j) + first;
			double *to = room->block + (size_t) j * BLOCK;

			for (size_t i = 0; i < rows; i++)
				to[i] = (x[i] - room->mean[j]) * root[i];
		}
		crm_qr_add(room->r, room->q, room->block, rows, BLOCK);
		cost += rows * room->q * room->q;
		if (cost >= POLL_COST)
		{
			cost = 0;
			if (crm_poll(ctx))
				return CRM_ABORTED;
		}
	}
	return CRM_OK;
}

/* Find which columns are constant (set to zero in r) and which collinear, and reduce r to the rest.
 */
static void
choose_columns(Room *room, CrmLinearModel *model, double total_weight)
{
	int q = room->q;

	for (int j = 0; j < model->d; j++)
	{
		double length = 0.0;

		for (int i = 0; i <= j; i++)
			length = hypot(length, room->r[(size_t) i * q + j]);
		model->scale[j + 1] = length / sqrt(total_weight);
		if (model->scale[j + 1] > CONSTANT * fabs(room->mean[j]))
			continue;
		model->column[j + 1] = CRM_LINEAR_CONSTANT;
		for (int i = 0; i <= j; i++)
			room->r[(size_t) i * q + j] = 0.0;
	}
	for (int i = 0; i < q; i++)
		model->tss += room->r[(size_t) i * q + q - 1] * room->r[(size_t) i * q + q - 1];
	model->rank = 1 + crm_qr_reduce(room->r, q, model->d, COLLINEAR, room->dropped);
	for (int j = 0; j < model->d; j++)
		if (room->dropped[j] && model->column[j + 1] == CRM_LINEAR_KEPT)
			model->column[j + 1] = CRM_LINEAR_COLLINEAR;
	for (int i = model->rank - 1; i < q; i++)
		model->rss += room->r[(size_t) i * q + q - 1] * room->r[(size_t) i * q + q - 1];
}

/* Set estimates and errors from the reduced factor. */
static void
finish_coefficients(Room *room, CrmLinearModel *model, double total_weight)
{
	int d = model->d, q = room->q;
	double variance = 1.0 / total_weight;

	crm_qr_solve(room->r, q, d, room->dropped, d, room->b);
	crm_qr_inverse(room->r, q, d, room->dropped, room->inverse);
	model->estimate[0] = room->mean[d];
	for (int j = 0; j < d; j++)
	{
		if (room->dropped[j])
			continue;
		model->estimate[0] -= room->b[j] * room->mean[j];
		model->estimate[j + 1] = room->b[j];
		model->error[j + 1] = model->sigma * sqrt(room->inverse[(size_t) j * d + j]);
		for (int k = 0; k < d; k++)
			variance += room->mean[j] * room->inverse[(size_t) j * d + k] * room->mean[k];
	}
	model->error[0] = model->sigma * sqrt(variance);
}

/* Set the facts of the fit; log_weights is the sum of the weights' logarithms. */
static void
finish_facts(CrmLinearModel *model, double log_weights)
{
	double n = (double) model->used, columns = model->rank - 1;

	model->df = n - model->rank;
	model->sigma = model->df > 0.0 ? sqrt(model->rss / model->df) : NAN;
	model->r_squared = model->tss > 0.0 ? 1.0 - model->rss / model->tss : NAN;
	model->adjusted_r_squared =
		model->df > 0.0 ? 1.0 - (1.0 - model->r_squared) * (n - 1.0) / model->df : NAN;
	model->f = columns > 0.0 && model->df > 0.0
				   ? (model->tss - model->rss) / columns / (model->rss / model->df)
				   : NAN;
	model->log_likelihood = 0.5 * (log_weights - n * (LOG_2PI + 1.0 - log(n) + log(model->rss)));
	model->aic = -2.0 * model->log_likelihood + 2.0 * (model->rank + 1);
}

/* Fit with memory at hand. */
static CrmStatus
run(CrmCtx *ctx, const CrmLinearData *data, Room *room, CrmLinearModel *model)
{
	double total_weight, log_weights;
	CrmStatus status = find_means(ctx, data, room, model, &total_weight, &log_weights);

	if (status != CRM_OK)
		return status;
	if (model->used == 0)
	{
		model->sigma = model->r_squared = model->adjusted_r_squared = model->f = NAN;
		model->log_likelihood = model->aic = NAN;
		return CRM_OK;
	}
	status = factor_rows(ctx, data, room);
	if (status != CRM_OK)
		return status;
	for (int i = 0; i < room->q * room->q; i++)
		if (!isfinite(room->r[i]))
			return CRM_DOMAIN;
	choose_columns(room, model, total_weight);
	finish_facts(model, log_weights);
	finish_coefficients(room, model, total_weight);
	return CRM_OK;
}

/* Make room for the model and begin it. */
static CrmStatus
begin_model(CrmCtx *ctx, int d, CrmLinearModel *model)
{
	size_t all = (size_t) d + 1;

	*model = (CrmLinearModel){.d = d};
	if ((model->estimate = crm_allocate(ctx, all, sizeof(double))) == NULL ||
		(model->error = crm_allocate(ctx, all, sizeof(double))) == NULL ||
		(model->scale = crm_allocate(ctx, all, sizeof(double))) == NULL ||
		(model->column = crm_allocate(ctx, all, 1)) == NULL)
		return ctx->failure;
	for (size_t j = 0; j < all; j++)
		model->estimate[j] = model->error[j] = NAN;
	memset(model->scale, 0, all * sizeof(double));
	memset(model->column, CRM_LINEAR_KEPT, all);
	return CRM_OK;
}

/*
 * Fit. The model's arrays are the caller's to give back (crm_linear_model_free). Without a row of
 * weight above 0 all estimates are NaN. Errors, after which nothing is held: CRM_DOMAIN (squares of
 * values overflow), CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_linear_fit(CrmCtx *ctx, const CrmLinearData *data, CrmLinearModel *model)
{
	size_t q = (size_t) data->d + 1, d = (size_t) data->d;
	Room room = {.q = (int) q};
	CrmStatus status = begin_model(ctx, data->d, model);

	if (status == CRM_OK)
	{
		if ((room.mean = crm_allocate(ctx, q, sizeof(double))) == NULL ||
			(room.r = crm_allocate(ctx, q * q, sizeof(double))) == NULL ||
			(room.inverse = crm_allocate(ctx, d * d, sizeof(double))) == NULL ||
			(room.b = crm_allocate(ctx, d, sizeof(double))) == NULL ||
			(room.block = crm_allocate(ctx, q * BLOCK, sizeof(double))) == NULL ||
			(room.dropped = crm_allocate(ctx, d, 1)) == NULL)
			status = ctx->failure;
		else
			status = run(ctx, data, &room, model);
		crm_release(ctx, room.dropped, d, 1);
		crm_release(ctx, room.block, q * BLOCK, sizeof(double));
		crm_release(ctx, room.b, d, sizeof(double));
		crm_release(ctx, room.inverse, d * d, sizeof(double));
		crm_release(ctx, room.r, q * q, sizeof(double));
		crm_release(ctx, room.mean, q, sizeof(double));
	}
	if (status != CRM_OK)
		crm_linear_model_free(ctx, model);
	return status;
}

/* Give back what a fit gave; once more does no harm. */
void
crm_linear_model_free(CrmCtx *ctx, CrmLinearModel *model)
{
	size_t all = (size_t) model->d + 1;

	crm_release(ctx, model->column, all, 1);
	crm_release(ctx, model->scale, all, sizeof(double));
	crm_release(ctx, model->error, all, sizeof(double));
	crm_release(ctx, model->estimate, all, sizeof(double));
	model->column = NULL;
	model->scale = model->error = model->estimate = NULL;
}

/* Give the response for d features, coefficients d + 1 with the intercept first; a NaN coefficient
 * (of a dropped column) counts as 0. */
double
crm_linear_predict(const double *coefficients, const double *features, int d)
{
	double sum = isnan(coefficients[0]) ? 0.0 : coefficients[0];

	for (int j = 0; j < d; j++)
		if (!isnan(coefficients[j + 1]))
			sum += coefficients[j + 1] * features[j];
	return sum;
}
