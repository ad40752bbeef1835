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
