/*
 * drivers.c: see drivers.h.
 */
#include "kernel/drivers.h"

#include <math.h>
#include <string.h>

#include "kernel/base/dense.h"
#include "kernel/base/sum.h"

#define BLOCK     256                /* rows folded in at a time */
#define COLLINEAR 1e-13              /* length of a column's rest over its own: rounding alone */
#define POLL_COST ((size_t) 1 << 20) /* products between two polls */

/* Room for d columns. */
typedef struct Room
{
	double *mean;    /* d */
	double *r;       /* d x d */
	double *inverse; /* d x d */
	double *block;   /* d columns of BLOCK rows */
	unsigned char *dropped;
} Room;

/* Give the shares of d columns in the sum of |g|; NaN for a column whose g is NaN (dropped), and
 * for all of them where the sum is not above zero or not finite. */
void
crm_drivers_importance(const double *standardised, int d, double *importance)
{
	CrmSum sum = {0};
	double whole;

	for (int j = 0; j < d; j++)
		if (!isnan(standardised[j]))
			crm_sum_add(&sum, fabs(standardised[j]));
	whole = crm_sum_value(sum);
	for (int j = 0; j < d; j++)
		importance[j] =
			whole > 0.0 && isfinite(whole) ? fabs(standardised[j]) / whole : (double) NAN;
}

/* Give the bytes that the inflation of d columns takes. */
size_t
crm_drivers_bytes(int d)
{
	size_t q = (size_t) d;

	return (2 * q * q + q * BLOCK + q) * sizeof(double) + q;
}

/* Set the means of the columns. */
static CrmStatus
find_means(CrmCtx *ctx, const double *const *columns, size_t n, int d, double *mean)
{
	for (int j = 0; j < d; j++)
	{
		CrmSum sum = {0};

		for (size_t i = 0; i < n; i++)
		{
			crm_sum_add(&sum, columns[j][i]);
			if (i % 65536 == 65535 && crm_poll(ctx))
				return CRM_ABORTED;
		}
		mean[j] = crm_sum_mean(sum, (int64_t) n);
	}
	return CRM_OK;
}

/* Fold all rows, around the means, into r. */
static CrmStatus
factor_rows(CrmCtx *ctx, const double *const *columns, size_t n, int d, Room *room)
{
	size_t cost = 0;

	memset(room->r, 0, (size_t) d * d * sizeof(double));
	for (size_t first = 0; first < n; first += BLOCK)
	{
		size_t rows = n - first < BLOCK ? n - first : BLOCK;

		for (int j = 0; j < d; j++)
			for (size_t i = 0; i < rows; i++)
				room->block[(size_t) j * BLOCK + i] = columns[j][first + i] - room->mean[j];
		crm_qr_add(room->r, d, room->block, rows, BLOCK);
		cost += rows * d * d;
		if (cost >= POLL_COST)
		{
			cost = 0;
			if (crm_poll(ctx))
				return CRM_ABORTED;
		}
	}
	return CRM_OK;
}

/* Read the inflation off the factor, its columns brought to length 1. */
static void
invert_factor(int d, Room *room, double *inflation)
{
	for (int j = 0; j < d; j++)
	{
		double length = 0.0;

		for (int i = 0; i <= j; i++)
			length = hypot(length, room->r[(size_t) i * d + j]);
		for (int i = 0; i <= j && length > 0.0; i++)
			room->r[(size_t) i * d + j] /= length;
	}
	(void) crm_qr_reduce(room->r, d, d, COLLINEAR, room->dropped);
	crm_qr_inverse(room->r, d, d, room->dropped, room->inverse);
	for (int j = 0; j < d; j++)
		inflation[j] = room->dropped[j] ? INFINITY : fmax(room->inverse[(size_t) j * d + j], 1.0);
}

/*
 * Fill in the inflation of d columns of n finite values, none constant; infinite for one that is a
 * combination of those before it, whose factors then are those without it. Errors, after which
 * nothing is held: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_drivers_inflation(CrmCtx *ctx, const double *const *columns, size_t n, int d, double *inflation)
{
	size_t q = (size_t) d;
	Room room = {.mean = crm_allocate(ctx, q, sizeof(double))};
	CrmStatus status;

	if (room.mean == NULL || (room.r = crm_allocate(ctx, q * q, sizeof(double))) == NULL ||
		(room.inverse = crm_allocate(ctx, q * q, sizeof(double))) == NULL ||
		(room.block = crm_allocate(ctx, q * BLOCK, sizeof(double))) == NULL ||
		(room.dropped = crm_allocate(ctx, q, 1)) == NULL)
		status = ctx->failure;
	else
		status = find_means(ctx, columns, n, d, room.mean);
	if (status == CRM_OK)
		status = factor_rows(ctx, columns, n, d, &room);
	if (status == CRM_OK)
		invert_factor(d, &room, inflation);
	crm_release(ctx, room.dropped, q, 1);
	crm_release(ctx, room.block, q * BLOCK, sizeof(double));
	crm_release(ctx, room.inverse, q * q, sizeof(double));
	crm_release(ctx, room.r, q * q, sizeof(double));
	crm_release(ctx, room.mean, q, sizeof(double));
	return status;
}

/* What the robust errors are made of; z = d + 1 numbers an array. */
typedef struct Sandwich
{
	const CrmLogisticData *data;
	const CrmLogisticModel *model;
	double *score;  /* of the cluster at hand: z */
	CrmSum *square; /* of the clusters' influence on each coefficient: z */
} Sandwich;

/* Add a row's part to the score of its cluster. */
static void
add_score(Sandwich *at, size_t i)
{
	const CrmLogisticData *data = at->data;
	const double *estimate = at->model->estimate;
	double eta = estimate[0], tail, rest;

	for (int j = 0; j < data->d; j++)
		if (!isnan(estimate[j + 1]))
			eta += estimate[j + 1] * data->columns[j][i];
	tail = exp(-fabs(eta));
	rest = data->label[i] - (eta < 0.0 ? tail / (1.0 + tail) : 1.0 / (1.0 + tail));
	at->score[0] += rest;
	for (int j = 0; j < data->d; j++)
		at->score[j + 1] += rest * data->columns[j][i];
}

/* Add the influence of the cluster at hand, and begin another. */
static void
add_cluster(Sandwich *at)
{
	int z = at->data->d + 1;

	for (int j = 0; j < z; j++)
	{
		const double *row = at->model->covariance + (size_t) j * z;
		double influence = 0.0;

		for (int k = 0; k < z; k++)
			influence += row[k] * at->score[k];
		crm_sum_add_square(&at->square[j], influence);
	}
	memset(at->score, 0, (size_t) z * sizeof(double));
}

/*
 * Fill in the d + 1 robust errors of a model that was fitted to data without weights; the rows of a
 * cluster stand together. NaN for a coefficient without an error, and for all with one cluster
 * alone. Errors, after which nothing is held: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_drivers_robust(CrmCtx *ctx, const CrmLogisticData *data, const uint32_t *cluster,
				   const CrmLogisticModel *model, double *error)
{
	size_t z = (size_t) data->d + 1, clusters = 0, cost = 0;
	Sandwich at = {.data = data, .model = model};
	CrmStatus status = CRM_OK;

	at.score = crm_allocate(ctx, z, sizeof(double));
	at.square = crm_allocate(ctx, z, sizeof(CrmSum));
	if (at.score == NULL || at.square == NULL)
		status = ctx->failure;
	else
	{
		memset(at.score, 0, z * sizeof(double));
		memset(at.square, 0, z * sizeof(CrmSum));
	}
	for (size_t i = 0; i < data->n && status == CRM_OK; i++)
	{
		add_score(&at, i);
		cost += z;
		if (i + 1 == data->n || cluster[i + 1] != cluster[i])
		{
			add_cluster(&at);
			clusters++;
			cost += z * z;
		}
		if (cost >= POLL_COST)
		{
			cost = 0;
			if (crm_poll(ctx))
				status = CRM_ABORTED;
		}
	}
	for (size_t j = 0; j < z && status == CRM_OK; j++)
		error[j] = isnan(model->error[j]) || clusters < 2
					   ? NAN
					   : sqrt(crm_sum_value(at.square[j]) * ((double) clusters / (clusters - 1.0)));
	crm_release(ctx, at.square, z, sizeof(CrmSum));
	crm_release(ctx, at.score, z, sizeof(double));
	return status;
}
