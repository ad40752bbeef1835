/*
 * paretonbd_covariates_rows.c: see paretonbd_covariates_rows.h.
 */
#include <math.h>
#include <string.h>

#include "kernel/base/btyd.h"
#include "kernel/base/dense.h"
#include "kernel/base/order.h"
#include "kernel/base/sum.h"
#include "kernel/base/table.h"
#include "kernel/paretonbd_covariates_rows.h"

#define POLL_ROWS 16384
#define BLOCK     128  /* rows folded into the triangle at once */
#define COLLINEAR 1e-6 /* length of the rest of a column, of its own */

/* Give a hash of a customer's numbers. */
static uint64_t
hash_row(const CrmCovariatesData *data, size_t i)
{
	uint64_t hash = crm_mix64(crm_order_double(data->x[i]) + 1);

	hash = crm_mix64(hash ^ crm_mix64(crm_order_double(data->t_x[i]) + 2));
	hash = crm_mix64(hash ^ crm_mix64(crm_order_double(data->t[i]) + 3));
	for (int p = 0; p < CRM_PROCESSES; p++)
		for (int j = 0; j < data->d[p]; j++)
			hash = crm_mix64(hash ^ crm_mix64(crm_order_double(data->column[p][j][i]) + 4));
	return hash;
}

/* Tell whether two customers have the same numbers. */
static bool
is_same(const CrmCovariatesData *data, size_t i, size_t k)
{
	if (data->x[i] != data->x[k] || data->t_x[i] != data->t_x[k] || data->t[i] != data->t[k])
		return false;
	for (int p = 0; p < CRM_PROCESSES; p++)
		for (int j = 0; j < data->d[p]; j++)
			if (data->column[p][j][i] != data->column[p][j][k])
				return false;
	return true;
}

/* Check and hash every customer, and put their positions in the order of the hashes into index. */
static CrmStatus
sort_customers(CrmCtx *ctx, const CrmCovariatesData *data, uint32_t *index)
{
	uint64_t *hash = crm_allocate(ctx, data->n, sizeof *hash);
	uint32_t *scratch = crm_allocate(ctx, data->n, sizeof *scratch);
	CrmStatus status = hash == NULL || scratch == NULL ? ctx->failure : CRM_OK;

	for (size_t i = 0; i < data->n && status == CRM_OK; i++)
	{
		if (i % POLL_ROWS == 0 && crm_poll(ctx))
			status = CRM_ABORTED;
		else if (crm_btyd_check(data->x[i], data->t_x[i], data->t[i]) != NULL)
			status = CRM_DOMAIN;
		hash[i] = hash_row(data, i);
		index[i] = (uint32_t) i;
	}
	if (status == CRM_OK)
		status = crm_radix_sort_hashes(ctx, hash, index, scratch, data->n);
	crm_release(ctx, scratch, data->n, sizeof *scratch);
	crm_release(ctx, hash, data->n, sizeof *hash);
	return status;
}

/* Merge runs of the same numbers; index keeps the first customer of each. */
static CrmStatus
merge_runs(CrmCtx *ctx, const CrmCovariatesData *data, uint32_t *index, CrmCovariateRows *rows)
{
	CrmSum orders = {0.0, 0.0}, time = {0.0, 0.0};
	size_t runs = data->n > 0;

	for (size_t i = 1; i < data->n; i++)
		runs += !is_same(data, index[i], index[i - 1]);
	rows->room = runs;
	if ((rows->x = crm_allocate(ctx, runs, sizeof(double))) == NULL ||
		(rows->t_x = crm_allocate(ctx, runs, sizeof(double))) == NULL ||
		(rows->t = crm_allocate(ctx, runs, sizeof(double))) == NULL ||
		(rows->weight = crm_allocate(ctx, runs, sizeof(double))) == NULL)
		return ctx->failure;
	for (size_t i = 0, end; i < data->n; i = end)
	{
		size_t first = index[i];
		double weight;

		for (end = i + 1; end < data->n && is_same(data, index[end], first); end++)
			;
		if (rows->n % POLL_ROWS == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		weight = (double) (end - i);
		rows->x[rows->n] = data->x[first];
		rows->t_x[rows->n] = data->t_x[first];
		rows->t[rows->n] = data->t[first];
		rows->weight[rows->n] = weight;
		rows->total += weight;
		rows->repeat += data->x[first] > 0.0 ? weight : 0.0;
		crm_sum_add(&orders, weight * data->x[first]);
		crm_sum_add(&time, weight * data->t[first]);
		index[rows->n++] = (uint32_t) first;
	}
	rows->orders = crm_sum_value(orders);
	rows->mean_t = rows->total > 0.0 ? crm_sum_value(time) / rows->total : 0.0;
	return CRM_OK;
}

/* Measure a column: its mean, its standard deviation, whether it is constant. */
static void
measure(const CrmCovariateRows *rows, const double *column, const uint32_t *index,
		CrmCovariate *covariate)
{
	CrmSum sum = {0.0, 0.0}, square = {0.0, 0.0};
	double low = INFINITY, high = -INFINITY, size;

	for (size_t i = 0; i < rows->n; i++)
	{
		double value = column[index[i]];

		low = fmin(low, value);
		high = fmax(high, value);
		crm_sum_add(&sum, value / rows->total * rows->weight[i]);
	}
	*covariate = (CrmCovariate){.mean = crm_sum_value(sum)};
	size = fmax(high - covariate->mean, covariate->mean - low);
	if (!(high > low) || !(size > 0.0) || isinf(size))
	{
		covariate->state = CRM_COVARIATE_CONSTANT;
		return;
	}
	for (size_t i = 0; i < rows->n; i++)
	{
		double part = (column[index[i]] - covariate->mean) / size;

		crm_sum_add(&square, rows->weight[i] * part * part);
	}
	covariate->scale = size * sqrt(crm_sum_value(square) / rows->total);
}

/* Flag the columns of a process that are a combination of those before them. */
static CrmStatus
find_collinear(CrmCtx *ctx, const CrmCovariatesData *data, const uint32_t *index, int p,
			   CrmCovariateRows *rows)
{
	double triangle[CRM_COVARIATES_MAX * CRM_COVARIATES_MAX] = {0.0};
	double block[CRM_COVARIATES_MAX * BLOCK];
	unsigned char dropped[CRM_COVARIATES_MAX];
	int place[CRM_COVARIATES_MAX], d = 0;

	for (int j = 0; j < data->d[p]; j++)
		if (rows->covariate[p][j].state == CRM_COVARIATE_KEPT)
			place[d++] = j;
	for (size_t first = 0; first < rows->n && d > 0; first += BLOCK)
	{
		size_t count = rows->n - first < BLOCK ? rows->n - first : BLOCK;

		if (first % POLL_ROWS == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		for (int k = 0; k < d; k++)
		{
			const CrmCovariate *covariate = &rows->covariate[p][place[k]];
			const double *column = data->column[p][place[k]];

			for (size_t i = 0; i < count; i++)
				block[(size_t) k * BLOCK + i] = sqrt(rows->weight[first + i]) *
												(column[index[first + i]] - covariate->mean) /
												covariate->scale;
		}
		crm_qr_add(triangle, d, block, count, BLOCK);
	}
	if (d > 0)
		(void) crm_qr_reduce(triangle, d, d, COLLINEAR, dropped);
	for (int k = 0; k < d; k++)
		if (dropped[k])
			rows->covariate[p][place[k]].state = CRM_COVARIATE_COLLINEAR;
	return CRM_OK;
}

/* Write the centred and scaled values of the columns that a process keeps. */
static CrmStatus
write_values(CrmCtx *ctx, const CrmCovariatesData *data, const uint32_t *index, int p,
			 CrmCovariateRows *rows)
{
	int at = 0, kept = 0;

	for (int j = 0; j < data->d[p]; j++)
		kept += rows->covariate[p][j].state == CRM_COVARIATE_KEPT;
	rows->kept[p] = kept;
	rows->w[p] = crm_allocate(ctx, rows->n, (size_t) kept * sizeof(double));
	if (rows->w[p] == NULL)
		return ctx->failure;
	for (int j = 0; j < data->d[p]; j++)
	{
		const CrmCovariate *covariate = &rows->covariate[p][j];

		if (covariate->state != CRM_COVARIATE_KEPT)
			continue;
		if (crm_poll(ctx))
			return CRM_ABORTED;
		for (size_t i = 0; i < rows->n; i++)
			rows->w[p][i * (size_t) kept + (size_t) at] =
				(data->column[p][j][index[i]] - covariate->mean) / covariate->scale;
		at++;
	}
	return CRM_OK;
}

/*
 * Make the rows; what is made belongs to ctx until crm_covariate_rows_free, which is to be called
 * whatever the outcome. CRM_DOMAIN: a customer that crm_btyd_check refuses, or more than
 * CRM_COVARIATES_MAX columns; CRM_ABORTED; CRM_LIMIT: 2^31 rows, or the budget; CRM_NO_MEMORY.
 */
CrmStatus
crm_covariate_rows_make(CrmCtx *ctx, const CrmCovariatesData *data, CrmCovariateRows *rows)
{
	uint32_t *index;
	CrmStatus status;

	memset(rows, 0, sizeof *rows);
	for (int p = 0; p < CRM_PROCESSES; p++)
		if (data->d[p] < 0 || data->d[p] > CRM_COVARIATES_MAX)
			return CRM_DOMAIN;
	if (data->d[CRM_PURCHASE] + data->d[CRM_DROPOUT] > CRM_COVARIATES_MAX)
		return CRM_DOMAIN;
	if (data->n >= (size_t) 1 << 31)
		return CRM_LIMIT;
	index = crm_allocate(ctx, data->n, sizeof *index);
	if (index == NULL)
		return ctx->failure;
	status = sort_customers(ctx, data, index);
	if (status == CRM_OK)
		status = merge_runs(ctx, data, index, rows);
	for (int p = 0; p < CRM_PROCESSES && status == CRM_OK; p++)
	{
		for (int j = 0; j < data->d[p] && status == CRM_OK; j++)
		{
			if (crm_poll(ctx))
				status = CRM_ABORTED;
			measure(rows, data->column[p][j], index, &rows->covariate[p][j]);
		}
		if (status == CRM_OK)
			status = find_collinear(ctx, data, index, p, rows);
		if (status == CRM_OK)
			status = write_values(ctx, data, index, p, rows);
	}
	crm_release(ctx, index, data->n, sizeof *index);
	return status;
}

/* Return what crm_covariate_rows_make has made. */
void
crm_covariate_rows_free(CrmCtx *ctx, CrmCovariateRows *rows)
{
	for (int p = 0; p < CRM_PROCESSES; p++)
		crm_release(ctx, rows->w[p], rows->n, (size_t) rows->kept[p] * sizeof(double));
	crm_release(ctx, rows->weight, rows->room, sizeof(double));
	crm_release(ctx, rows->t, rows->room, sizeof(double));
	crm_release(ctx, rows->t_x, rows->room, sizeof(double));
	crm_release(ctx, rows->x, rows->room, sizeof(double));
	memset(rows, 0, sizeof *rows);
}
