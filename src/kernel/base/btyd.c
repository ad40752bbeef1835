/*
 * btyd.c: the check of a customer's (x, t_x, T) and the collapse of equal ones; see btyd.h.
 */
#include <math.h>
#include <string.h>

#include "kernel/base/btyd.h"
#include "kernel/base/order.h"
#include "kernel/base/rng.h"
#include "kernel/base/sum.h"
#include "kernel/base/table.h"

#define POLL_ROWS 262144
#define FIRST     (UINT32_C(1) << 31)
#define DIRECT    65536 /* whole values up to that many more than rows have a table of their own */

/*
 * Say why (x, t_x, T) cannot be of a customer, in the words of an error message; NULL when it can.
 * A customer without repeat transactions has t_x = 0.
 */
const char *
crm_btyd_check(double x, double t_x, double t)
{
	if (!(x >= 0.0 && x <= CRM_BTYD_MAX_X) || x != floor(x))
		return "x must be a whole number between 0 and 1000000000";
	if (!(t >= 0.0 && t <= CRM_BTYD_MAX_TIME))
		return "t must be between 0 and 1000000000000 periods";
	if (!(t_x >= 0.0 && t_x <= t))
		return "t_x must be between 0 and t";
	if (x == 0.0 && t_x > 0.0)
		return "t_x must be 0 when x is 0";
	return NULL;
}

static double
t_x_of(const CrmBtydData *data, size_t i)
{
	return data->t_x != NULL ? data->t_x[i] : 0.0;
}

static uint64_t
hash_row(const CrmBtydData *data, size_t i)
{
	uint64_t hash = crm_mix64(crm_order_double(data->x[i]) + 1);

	hash = crm_mix64(hash ^ crm_mix64(crm_order_double(t_x_of(data, i)) + 2));
	return crm_mix64(hash ^ crm_mix64(crm_order_double(data->t[i]) + 3));
}

static bool
is_same(const CrmBtydData *data, size_t i, size_t j)
{
	return data->x[i] == data->x[j] && t_x_of(data, i) == t_x_of(data, j) &&
		   data->t[i] == data->t[j];
}

/*
 * Check and hash every row. *whole: the values are so small whole numbers that a table of all of
 * them up to the largest, *most, is no larger than the rows.
 */
static CrmStatus
hash_rows(CrmCtx *ctx, const CrmBtydData *data, CrmBtyd *btyd, uint64_t *hash, uint32_t *index,
		  bool *whole, size_t *most)
{
	double largest = 0.0, bound = (double) data->n + DIRECT;

	*whole = true;
	for (size_t i = 0; i < data->n; i++)
	{
		if (i % POLL_ROWS == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		if (crm_btyd_check(data->x[i], t_x_of(data, i), data->t[i]) != NULL ||
			(data->weight != NULL && !(data->weight[i] > 0.0 && data->weight[i] < 1e300)))
		{
			btyd->offender = i;
			return CRM_DOMAIN;
		}
		hash[i] = hash_row(data, i);
		index[i] = (uint32_t) i;
		largest = data->x[i] > largest ? data->x[i] : largest;
		largest = data->t[i] > largest ? data->t[i] : largest;
		*whole =
			*whole && floor(t_x_of(data, i)) == t_x_of(data, i) && floor(data->t[i]) == data->t[i];
	}
	*whole = *whole && largest < bound;
	*most = *whole ? (size_t) largest : 0;
	return CRM_OK;
}

/* Flag in index the first row of each run of equal rows by FIRST; give the number of runs. */
static size_t
mark_runs(const CrmBtydData *data, const uint64_t *hash, uint32_t *index)
{
	size_t runs = 0;
	uint32_t last = 0;

	for (size_t i = 0; i < data->n; i++)
	{
		uint32_t row = index[i];

		if (i == 0 || hash[row] != hash[last] || !is_same(data, row, last))
		{
			index[i] |= FIRST;
			runs++;
		}
		last = row;
	}
	return runs;
}

/*
 * Sum the weights of the runs that mark_runs has flagged; index keeps the first row of each. Rows
 * take their values themselves, for now, where these are whole.
 */
static CrmStatus
merge_runs(CrmCtx *ctx, const CrmBtydData *data, CrmBtyd *btyd, size_t runs, bool whole,
		   uint32_t *index)
{
	btyd->row = crm_allocate(ctx, runs, sizeof *btyd->row);
	btyd->room = btyd->row != NULL ? runs : 0;
	if (btyd->row == NULL || (btyd->weight = crm_allocate(ctx, runs, sizeof(double))) == NULL)
		return ctx->failure;
	for (size_t i = 0; i < data->n;)
	{
		CrmSum sum = {0.0, 0.0};
		size_t first = index[i] & ~FIRST;

		do
			crm_sum_add(&sum, data->weight != NULL ? data->weight[index[i] & ~FIRST] : 1.0);
		while (++i < data->n && (index[i] & FIRST) == 0);
		btyd->weight[btyd->n] = crm_sum_value(sum);
		if (whole)
			btyd->row[btyd->n] =
				(CrmBtydRow){(uint32_t) data->x[first], (uint32_t) t_x_of(data, first),
							 (uint32_t) data->t[first]};
		index[btyd->n++] = (uint32_t) first;
		if (btyd->n % POLL_ROWS == 0 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/*
 * Make an ascending table of the whole numbers that place[] flags by 1, up to most; place[] gives
 * their positions afterwards.
 */
static CrmStatus
number_values(CrmCtx *ctx, uint32_t *place, size_t most, double **table, size_t *room,
			  size_t *count)
{
	uint32_t n = 0;

	for (size_t v = 0; v <= most; v++)
		*count += place[v];
	*table = crm_allocate(ctx, *count, sizeof **table);
	*room = *table != NULL ? *count : 0;
	if (*table == NULL)
		return ctx->failure;
	for (size_t v = 0; v <= most; v++)
		if (place[v] > 0)
		{
			(*table)[n] = (double) v;
			place[v] = n++;
		}
	return CRM_OK;
}

/* Make the tables of x and of the times from rows that hold whole values, and let them refer to
 * the tables. */
static CrmStatus
make_direct_tables(CrmCtx *ctx, CrmBtyd *btyd, size_t most)
{
	uint32_t *place = crm_allocate(ctx, most + 1, sizeof *place);
	CrmStatus status = place == NULL ? ctx->failure : CRM_OK;

	if (status == CRM_OK)
	{
		memset(place, 0, (most + 1) * sizeof *place);
		for (size_t i = 0; i < btyd->n; i++)
			place[btyd->row[i].x] = 1;
		status = number_values(ctx, place, most, &btyd->x, &btyd->room_x, &btyd->n_x);
	}
	if (status == CRM_OK)
	{
		for (size_t i = 0; i < btyd->n; i++)
			btyd->row[i].x = place[btyd->row[i].x];
		memset(place, 0, (most + 1) * sizeof *place);
		for (size_t i = 0; i < btyd->n; i++)
			place[btyd->row[i].t_x] = place[btyd->row[i].t] = 1;
		status = number_values(ctx, place, most, &btyd->time, &btyd->room_t, &btyd->n_t);
	}
	for (size_t i = 0; status == CRM_OK && i < btyd->n; i++)
	{
		btyd->row[i].t_x = place[btyd->row[i].t_x];
		btyd->row[i].t = place[btyd->row[i].t];
	}
	crm_release(ctx, place, most + 1, sizeof *place);
	return status;
}

/*
 * Make the ascending table of the distinct values[0..n), which allocates *table of *room, and give
 * each value's position in place[]. sorted is room for n positions.
 */
static CrmStatus
make_table(CrmCtx *ctx, const uint64_t *values, size_t n, uint32_t *sorted, uint32_t *place,
		   double **table, size_t *room, size_t *count)
{
	size_t distinct = 0;
	CrmStatus status;

	for (size_t i = 0; i < n; i++)
		sorted[i] = (uint32_t) i;
	status = crm_radix_sort_index(ctx, values, sorted, place, n);
	for (size_t i = 0; status == CRM_OK && i < n; i++)
	{
		if (i > 0 && values[sorted[i]] != values[sorted[i - 1]])
			distinct++;
		place[sorted[i]] = (uint32_t) distinct;
	}
	if (status == CRM_OK)
	{
		*count = n > 0 ? distinct + 1 : 0;
		*table = crm_allocate(ctx, *count, sizeof **table);
		*room = *table != NULL ? *count : 0;
		if (*table == NULL)
			status = ctx->failure;
	}
	for (size_t i = 0; status == CRM_OK && i < n; i++)
		(*table)[place[i]] = crm_unorder_double(values[i]);
	return status;
}

/*
 * Make the tables of x and of the times, and let the rows refer to them. Gives *index back as soon
 * as it has served.
 */
static CrmStatus
make_tables(CrmCtx *ctx, const CrmBtydData *data, CrmBtyd *btyd, uint32_t **index)
{
	size_t n = btyd->n, times = data->t_x != NULL ? 2 * n : n + 1; /* T, then t_x or a zero */
	uint64_t *values = crm_allocate(ctx, times, sizeof *values);
	uint32_t *sorted = crm_allocate(ctx, times, sizeof *sorted);
	uint32_t *place = crm_allocate(ctx, times, sizeof *place);
	CrmStatus status = values == NULL || sorted == NULL || place == NULL ? ctx->failure : CRM_OK;

	for (size_t i = 0; status == CRM_OK && i < n; i++)
		values[i] = crm_order_double(data->x[(*index)[i]]);
	if (status == CRM_OK)
		status = make_table(ctx, values, n, sorted, place, &btyd->x, &btyd->room_x, &btyd->n_x);
	for (size_t i = 0; status == CRM_OK && i < n; i++)
	{
		btyd->row[i].x = place[i];
		values[i] = crm_order_double(data->t[(*index)[i]]);
	}
	for (size_t i = 0; status == CRM_OK && i < times - n; i++)
		values[n + i] = crm_order_double(t_x_of(data, (*index)[i]));
	if (status == CRM_OK)
		status =
			make_table(ctx, values, times, sorted, place, &btyd->time, &btyd->room_t, &btyd->n_t);
	for (size_t i = 0; status == CRM_OK && i < n; i++)
	{
		btyd->row[i].t = place[i];
		btyd->row[i].t_x = place[data->t_x != NULL ? n + i : n];
	}
	crm_release(ctx, place, times, sizeof *place);
	crm_release(ctx, sorted, times, sizeof *sorted);
	crm_release(ctx, values, times, sizeof *values);
	return status;
}

/* Sum the weights: of each x, of all, of repeat customers, of orders, of T. */
static CrmStatus
sum_up(CrmCtx *ctx, CrmBtyd *btyd)
{
	CrmSum total = {0.0, 0.0}, repeat = {0.0, 0.0}, orders = {0.0, 0.0}, time = {0.0, 0.0};

	btyd->x_weight = crm_allocate(ctx, btyd->n_x, sizeof(double));
	if (btyd->x_weight == NULL)
		return ctx->failure;
	for (size_t i = 0; i < btyd->n_x; i++)
		btyd->x_weight[i] = 0.0;
	for (size_t i = 0; i < btyd->n; i++)
	{
		double weight = btyd->weight[i], x = btyd->x[btyd->row[i].x];

		btyd->x_weight[btyd->row[i].x] += weight;
		crm_sum_add(&total, weight);
		crm_sum_add(&orders, weight * x);
		crm_sum_add(&time, weight * btyd->time[btyd->row[i].t]);
		if (x > 0.0)
			crm_sum_add(&repeat, weight);
	}
	btyd->total = crm_sum_value(total);
	btyd->repeat = crm_sum_value(repeat);
	btyd->orders = crm_sum_value(orders);
	btyd->mean_t = btyd->total > 0.0 ? crm_sum_value(time) / btyd->total : 0.0;
	return CRM_OK;
}

/*
 * Collapse the caller's rows; what is made belongs to ctx until crm_btyd_free, which is to be
 * called whatever the outcome. CRM_DOMAIN: row offender is refused by crm_btyd_check, or its weight
 * is not finite and above 0. CRM_LIMIT: 2^31 rows, or the budget.
 */
CrmStatus
crm_btyd_collapse(CrmCtx *ctx, const CrmBtydData *data, CrmBtyd *btyd)
{
	size_t n = data->n, most = 0, runs = 0;
	uint64_t *hash;
	uint32_t *index, *scratch;
	bool whole = false;
	CrmStatus status;

	memset(btyd, 0, sizeof *btyd);
	if (n >= (size_t) 1 << 31)
		return CRM_LIMIT;
	hash = crm_allocate(ctx, n, sizeof *hash);
	index = crm_allocate(ctx, n, sizeof *index);
	scratch = crm_allocate(ctx, n, sizeof *scratch);
	status = hash == NULL || index == NULL || scratch == NULL ? ctx->failure : CRM_OK;
	if (status == CRM_OK)
		status = hash_rows(ctx, data, btyd, hash, index, &whole, &most);
	if (status == CRM_OK)
		status = crm_radix_sort_hashes(ctx, hash, index, scratch, n);
	crm_release(ctx, scratch, n, sizeof *scratch);
	if (status == CRM_OK)
		runs = mark_runs(data, hash, index);
	crm_release(ctx, hash, n, sizeof *hash);
	if (status == CRM_OK)
		status = merge_runs(ctx, data, btyd, runs, whole, index);
	if (status == CRM_OK)
		status = whole ? make_direct_tables(ctx, btyd, most) : make_tables(ctx, data, btyd, &index);
	crm_release(ctx, index, n, sizeof *index);
	return status == CRM_OK ? sum_up(ctx, btyd) : status;
}

/* Return what crm_btyd_collapse has made. */
void
crm_btyd_free(CrmCtx *ctx, CrmBtyd *btyd)
{
	crm_release(ctx, btyd->x_weight, btyd->room_x, sizeof(double));
	crm_release(ctx, btyd->time, btyd->room_t, sizeof(double));
	crm_release(ctx, btyd->x, btyd->room_x, sizeof(double));
	crm_release(ctx, btyd->weight, btyd->room, sizeof(double));
	crm_release(ctx, btyd->row, btyd->room, sizeof(CrmBtydRow));
	memset(btyd, 0, sizeof *btyd);
}

/*
 * Make a sample of the first distinct rows, which are as good as drawn at random: it shares the
 * tables of btyd and is to be freed by crm_btyd_sample_free before btyd is.
 */
CrmStatus
crm_btyd_sample(CrmCtx *ctx, const CrmBtyd *btyd, size_t rows, CrmBtyd *sample)
{
	*sample = *btyd;
	sample->n = rows < btyd->n ? rows : btyd->n;
	return sum_up(ctx, sample);
}

/* Return what crm_btyd_sample has made. */
void
crm_btyd_sample_free(CrmCtx *ctx, CrmBtyd *sample)
{
	crm_release(ctx, sample->x_weight, sample->room_x, sizeof(double));
	memset(sample, 0, sizeof *sample);
}

/* Tell in which half, 0 or 1, a row is: by its values and the seed alone. */
static uint64_t
half_of(const CrmBtyd *btyd, CrmBtydRow row, uint64_t seed)
{
	double value[3] = {btyd->x[row.x], btyd->time[row.t_x], btyd->time[row.t]};
	uint64_t hash = seed, bits;

	for (int k = 0; k < 3; k++)
	{
		memcpy(&bits, &value[k], sizeof bits);
		hash = crm_rng_mix(hash * UINT64_C(0x9E3779B97F4A7C15) ^ bits);
	}
	return hash >> 63;
}

/*
 * Make a half of the distinct rows, 0 or 1, those whose values and seed fall to it: it shares the
 * tables of btyd and is to be freed by crm_btyd_half_free, whatever the outcome, before btyd is.
 */
CrmStatus
crm_btyd_half(CrmCtx *ctx, const CrmBtyd *btyd, uint64_t seed, uint64_t which, CrmBtyd *half)
{
	size_t n = 0;

	*half = *btyd;
	half->x_weight = NULL;
	half->n = 0;
	for (size_t i = 0; i < btyd->n; i++)
		n += half_of(btyd, btyd->row[i], seed) == which;
	half->row = crm_allocate(ctx, n, sizeof *half->row);
	half->weight = crm_allocate(ctx, n, sizeof *half->weight);
	half->room = n;
	if (half->row == NULL || half->weight == NULL)
		return ctx->failure;
	for (size_t i = 0; i < btyd->n; i++)
	{
		if (i % POLL_ROWS == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		if (half_of(btyd, btyd->row[i], seed) != which)
			continue;
		half->row[half->n] = btyd->row[i];
		half->weight[half->n++] = btyd->weight[i];
	}
	return sum_up(ctx, half);
}

/* Return what crm_btyd_half has made. */
void
crm_btyd_half_free(CrmCtx *ctx, CrmBtyd *half)
{
	crm_release(ctx, half->x_weight, half->n_x, sizeof(double));
	crm_release(ctx, half->weight, half->room, sizeof *half->weight);
	crm_release(ctx, half->row, half->room, sizeof *half->row);
	memset(half, 0, sizeof *half);
}
