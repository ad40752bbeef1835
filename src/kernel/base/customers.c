/*
 * customers.c: orders become one row a customer; see customers.h for the layout and the guarantees.
 *
 * Packed form, for the way from a worker to the leader on one machine (native byte order): the
 * CrmRowCount, a header of numbers, then for each row the key, last, the
 * high part of the sum, twice the count (plus one when the low part of the sum is not zero and
 * follows) as a varint, the moments and the first transaction if kept, and the periods if kept as a
 * count and ascending differences in varints.
 */
#include "kernel/base/customers.h"

#include <string.h>

#define POLL_ROWS 65536
#define HEADER    4 /* participants, rows, their memory together, the most of one */

/* Make an empty table of customers. */
CrmStatus
crm_customers_init(CrmCustomers *customers, CrmCtx *ctx, CrmKeyKind kind, int features)
{
	size_t payload = sizeof(CrmOrders);

	memset(customers, 0, offsetof(CrmCustomers, key));
	customers->ctx = ctx;
	crm_periods_begin(&customers->pool, ctx);
	customers->features = features;
	customers->participants = 1;
	if (features & CRM_CUSTOMERS_MOMENTS)
	{
		customers->moments_at = payload;
		payload += sizeof(CrmMoments);
	}
	if (features & CRM_CUSTOMERS_FIRST)
	{
		customers->first_at = payload;
		payload += sizeof(CrmFirst);
	}
	if (features & CRM_CUSTOMERS_PERIODS)
	{
		customers->periods_at = payload;
		payload += sizeof(CrmPeriods *);
	}
	return crm_table_init(&customers->table, ctx, kind, payload);
}

/* Add the first transaction among some orders to the one of all orders so far, if there are any. */
static void
merge_first(CrmFirst *mine, bool is_new, const CrmFirst *first)
{
	if (is_new || first->period < mine->period)
	{
		*mine = *first;
		return;
	}
	if (first->period == mine->period)
	{
		if (first->at < mine->at)
			mine->at = first->at;
		crm_sum_merge(&mine->sum, first->sum);
	}
}

/* Add what is known of some orders of one customer to its row. */
static void
merge_row(CrmCustomers *customers, void *row, const CrmOrders *orders, const CrmMoments *moments,
		  const CrmFirst *first)
{
	CrmOrders *mine = (CrmOrders *) ((char *) row + customers->table.key_size);

	if (orders->count == 0)
	{
		crm_sum_merge(&mine->sum, orders->sum);
		return;
	}
	if (first != NULL)
		merge_first((CrmFirst *) ((char *) mine + customers->first_at), mine->count == 0, first);

	if (moments != NULL)
	{
		CrmMoments *my = (CrmMoments *) ((char *) mine + customers->moments_at);

		if (mine->count == 0 || moments->first < my->first)
			my->first = moments->first;
		crm_sum_merge(&my->squares, moments->squares);
	}
	if (mine->count == 0 || orders->last > mine->last)
		mine->last = orders->last;
	mine->count += orders->count;
	crm_sum_merge(&mine->sum, orders->sum);
}

/* Tell whether an amount is only to be subtracted: where transactions are told apart, a refund is
 * none. */
static inline bool
is_refund(const CrmCustomers *customers, const CrmOrder *order)
{
	return (customers->features & CRM_CUSTOMERS_FIRST) && order->amount < 0.0;
}

/* Add one order to its row: merge_row for a single order, without the merge's extra steps. */
static inline void
add_order(CrmCustomers *customers, void *row, const CrmOrder *order)
{
	CrmOrders *mine = (CrmOrders *) ((char *) row + customers->table.key_size);

	if (is_refund(customers, order))
	{
		crm_sum_add(&mine->sum, order->amount);
		return;
	}
	if (customers->features & CRM_CUSTOMERS_MOMENTS)
	{
		CrmMoments *moments = (CrmMoments *) ((char *) mine + customers->moments_at);

		if (mine->count == 0 || order->ordered_at < moments->first)
			moments->first = order->ordered_at;
		crm_sum_add_square(&moments->squares, order->amount);
	}
	if (customers->features & CRM_CUSTOMERS_FIRST)
	{
		CrmFirst *first = (CrmFirst *) ((char *) mine + customers->first_at);

		if (mine->count == 0 || order->period <= first->period)
		{
			CrmFirst alone = {.at = order->ordered_at, .period = order->period};

			crm_sum_add(&alone.sum, order->amount);
			merge_first(first, mine->count == 0, &alone);
		}
	}
	if (mine->count == 0 || order->ordered_at > mine->last)
		mine->last = order->ordered_at;
	mine->count++;
	crm_sum_add(&mine->sum, order->amount);
}

/* Give the periods' slot of a row; only with CRM_CUSTOMERS_PERIODS. */
static inline CrmPeriods **
periods_slot(const CrmCustomers *customers, void *row)
{
	return (CrmPeriods **) ((char *) row + customers->table.key_size + customers->periods_at);
}

/* Work off the orders that wait. */
CrmStatus
crm_customers_flush(CrmCustomers *customers)
{
	void *rows[CRM_TABLE_BATCH];
	int n = customers->pending;
	CrmStatus status = crm_table_find(&customers->table, customers->key, n, rows);

	if (status != CRM_OK)
		return status;
	customers->pending = 0;
	for (int i = 0; i < n; i++)
	{
		add_order(customers, rows[i], &customers->order[i]);
		if ((customers->features & CRM_CUSTOMERS_PERIODS) &&
			!is_refund(customers, &customers->order[i]))
		{
			status = crm_periods_add(&customers->pool, periods_slot(customers, rows[i]),
									 customers->order[i].period);
			if (status != CRM_OK)
				return status;
		}
	}
	return CRM_OK;
}

/*
 * Put a customer whose orders somebody else has summed up already, as the GROUP BY road does; each
 * key comes once, and no CRM_CUSTOMERS_FIRST is asked for. After this the rows' count is that of
 * transactions, as after crm_customers_finish.
 */
CrmStatus
crm_customers_put(CrmCustomers *customers, const CrmKey *key, const CrmSummary *summary,
				  int64_t transactions)
{
	CrmOrders orders = {.count = transactions, .last = summary->last, .sum = summary->sum};
	CrmMoments moments = {.first = summary->first, .squares = summary->squares};
	void *row;
	CrmStatus status = crm_table_find(&customers->table, key, 1, &row);

	if (status == CRM_OK)
		merge_row(customers, row, &orders,
				  customers->features & CRM_CUSTOMERS_MOMENTS ? &moments : NULL, NULL);
	return status;
}

/*
 * Finish: work off what waits and, with periods, make each row's count the number of its
 * transactions. To be called once, when all orders are in.
 */
CrmStatus
crm_customers_finish(CrmCustomers *customers)
{
	CrmStatus status = crm_customers_flush(customers);

	if (status != CRM_OK || !(customers->features & CRM_CUSTOMERS_PERIODS))
		return status;
	for (uint32_t i = 0; i < customers->table.n; i++)
	{
		CrmPeriods *block = *periods_slot(customers, crm_table_row(&customers->table, i));

		if (i % POLL_ROWS == 0 && crm_poll(customers->ctx))
			return CRM_ABORTED;
		if (block == NULL)
			continue; /* refunds only */
		crm_periods_tidy(block);
		crm_customers_orders(customers, i)->count = block->used;
	}
	return CRM_OK;
}

/* Give the larger of two numbers. */
static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Give the bytes that a varint takes. */
static size_t
varint_size(uint64_t value)
{
	return (63 - __builtin_clzll(value | 1)) / 7 + 1;
}

/* Write a varint, and give where the next thing goes. */
static char *
put_varint(char *at, uint64_t value)
{
	for (; value >= 128; value >>= 7)
		*at++ = (char) (value | 128);
	*at++ = (char) value;
	return at;
}

/* Read a varint, and give where the next thing starts. */
static const char *
get_varint(const char *at, uint64_t *value)
{
	*value = 0;
	for (int shift = 0;; shift += 7)
	{
		*value |= (uint64_t) (*at & 127) << shift;
		if (!(*at++ & 128))
			return at;
	}
}

/* Copy bytes out, and give where the next thing goes. */
static char *
put_bytes(char *at, const void *bytes, size_t n)
{
	memcpy(at, bytes, n);
	return at + n;
}

/* Copy bytes in, and give where the next thing starts. */
static const char *
get_bytes(const char *at, void *bytes, size_t n)
{
	memcpy(bytes, at, n);
	return at + n;
}

/*
 * Give the bytes of the packed form, and tidy the periods that it will hold; 0 when poll asked to
 * stop. Nothing may be waiting.
 */
size_t
crm_customers_packed_size(const CrmCustomers *customers)
{
	size_t fixed = sizeof(CrmRowCount) + HEADER * sizeof(uint64_t);
	size_t row_fixed = sizeof(int64_t) + sizeof(double);
	size_t bytes = fixed;

	if (customers->table.kind != CRM_KEY_BYTES)
		row_fixed += customers->table.key_size;
	if (customers->features & CRM_CUSTOMERS_MOMENTS)
		row_fixed += sizeof(CrmMoments);
	if (customers->features & CRM_CUSTOMERS_FIRST)
		row_fixed += sizeof(CrmFirst);
	for (uint32_t i = 0; i < customers->table.n; i++)
	{
		const CrmOrders *orders = crm_customers_orders(customers, i);

		if (i % POLL_ROWS == 0 && crm_poll(customers->ctx))
			return 0;
		bytes += row_fixed + varint_size((uint64_t) orders->count << 1);
		if (orders->sum.lo != 0.0)
			bytes += sizeof(double);
		if (customers->table.kind == CRM_KEY_BYTES)
		{
			CrmKey key = crm_table_key(&customers->table, i);

			bytes += sizeof(uint64_t) + varint_size(key.length) + key.length;
		}
		if (customers->features & CRM_CUSTOMERS_PERIODS)
		{
			CrmPeriods *block = *periods_slot(customers, crm_table_row(&customers->table, i));

			if (block != NULL)
				crm_periods_tidy(block);
			bytes += varint_size(block != NULL ? block->used : 0);
			for (uint32_t j = 0; block != NULL && j < block->used; j++)
				bytes += varint_size((uint32_t) block->period[j] -
									 (uint32_t) (j == 0 ? INT32_MIN : block->period[j - 1]));
		}
	}
	return bytes;
}

/* Write the packed form into a buffer of crm_customers_packed_size bytes. */
CrmStatus
crm_customers_pack(const CrmCustomers *customers, void *buffer)
{
	uint64_t header[HEADER] = {(uint64_t) customers->participants, customers->table.n,
							   customers->ctx->peak + customers->other_bytes,
							   larger(customers->ctx->peak, customers->other_peak)};
	char *at = put_bytes(buffer, &customers->rows, sizeof(CrmRowCount));

	at = put_bytes(at, header, sizeof(header));
	for (uint32_t i = 0; i < customers->table.n; i++)
	{
		CrmOrders *orders = crm_customers_orders(customers, i);
		CrmKey key = crm_table_key(&customers->table, i);

		if (i % POLL_ROWS == 0 && crm_poll(customers->ctx))
			return CRM_ABORTED;
		if (customers->table.kind == CRM_KEY_BYTES)
		{
			at = put_bytes(at, &key.hash, sizeof(uint64_t));
			at = put_varint(at, key.length);
			at = put_bytes(at, key.bytes, key.length);
		}
		else
			at = put_bytes(at, key.half, customers->table.key_size);
		at = put_bytes(at, &orders->last, sizeof(int64_t));
		at = put_bytes(at, &orders->sum.hi, sizeof(double));
		at = put_varint(at, (uint64_t) orders->count << 1 | (orders->sum.lo != 0.0));
		if (orders->sum.lo != 0.0)
			at = put_bytes(at, &orders->sum.lo, sizeof(double));
		if (customers->features & CRM_CUSTOMERS_MOMENTS)
			at = put_bytes(at, (char *) orders + customers->moments_at, sizeof(CrmMoments));
		if (customers->features & CRM_CUSTOMERS_FIRST)
			at = put_bytes(at, (char *) orders + customers->first_at, sizeof(CrmFirst));
		if (customers->features & CRM_CUSTOMERS_PERIODS)
		{
			CrmPeriods *block = *periods_slot(customers, crm_table_row(&customers->table, i));

			at = put_varint(at, block != NULL ? block->used : 0);
			for (uint32_t j = 0; block != NULL && j < block->used; j++)
				at = put_varint(at, (uint32_t) block->period[j] -
										(uint32_t) (j == 0 ? INT32_MIN : block->period[j - 1]));
		}
	}
	return CRM_OK;
}

/* One packed row; keys and periods stay where they are. */
typedef struct PackedRow
{
	CrmOrders orders;
	CrmMoments moments;
	CrmFirst first;
	const char *periods;
} PackedRow;

/* Read one packed row, and give where the next one starts. */
static const char *
read_row(const CrmCustomers *customers, const char *at, CrmKey *key, PackedRow *row)
{
	uint64_t value;

	*key = (CrmKey){.length = 0};
	if (customers->table.kind == CRM_KEY_BYTES)
	{
		at = get_bytes(at, &key->hash, sizeof(uint64_t));
		at = get_varint(at, &value);
		key->length = (uint32_t) value;
		key->bytes = at;
		at += key->length;
	}
	else if (customers->table.kind == CRM_KEY_UUID)
	{
		*key = crm_key_uuid(at);
		at += 16;
	}
	else
	{
		int64_t integer;

		at = get_bytes(at, &integer, sizeof(integer));
		*key = crm_key_int64(integer);
	}
	at = get_bytes(at, &row->orders.last, sizeof(int64_t));
	at = get_bytes(at, &row->orders.sum.hi, sizeof(double));
	at = get_varint(at, &value);
	row->orders.count = (int64_t) (value >> 1);
	row->orders.sum.lo = 0.0;
	if (value & 1)
		at = get_bytes(at, &row->orders.sum.lo, sizeof(double));
	if (customers->features & CRM_CUSTOMERS_MOMENTS)
		at = get_bytes(at, &row->moments, sizeof(CrmMoments));
	if (customers->features & CRM_CUSTOMERS_FIRST)
		at = get_bytes(at, &row->first, sizeof(CrmFirst));
	row->periods = at;
	if (customers->features & CRM_CUSTOMERS_PERIODS)
	{
		uint64_t skip;

		at = get_varint(at, &value);
		for (; value > 0; value--)
			at = get_varint(at, &skip);
	}
	return at;
}

/* Add the periods of a packed row. */
static CrmStatus
merge_periods(CrmCustomers *customers, void *row, const char *at)
{
	uint32_t period = (uint32_t) INT32_MIN;
	uint64_t n, step;
	CrmStatus status = CRM_OK;

	at = get_varint(at, &n);
	for (; n > 0 && status == CRM_OK; n--)
	{
		at = get_varint(at, &step);
		period += (uint32_t) step;
		status = crm_periods_add(&customers->pool, periods_slot(customers, row), (int32_t) period);
	}
	return status;
}

/* Take note of the memory that others took: together, and the most of one. */
static void
note_memory(CrmCustomers *customers, uint64_t together, uint64_t most)
{
	customers->other_bytes += together;
	customers->other_peak = larger(customers->other_peak, most);
}

/* Add what another participant counted. */
static void
merge_counts(CrmRowCount *rows, const CrmRowCount *other)
{
	rows->read += other->read;
	rows->used += other->used;
	rows->null_key += other->null_key;
	rows->null_value += other->null_value;
	rows->non_finite += other->non_finite;
	rows->after_as_of += other->after_as_of;
	rows->refund += other->refund;
}

/* Merge a table of the same kind of key and features, with nothing waiting, into this one. */
CrmStatus
crm_customers_merge(CrmCustomers *customers, const CrmCustomers *other)
{
	CrmKey key[CRM_TABLE_BATCH];
	void *row[CRM_TABLE_BATCH];
	CrmStatus status;
	uint32_t n;

	merge_counts(&customers->rows, &other->rows);
	customers->participants += other->participants;
	note_memory(customers, other->ctx->peak + other->other_bytes,
				larger(other->ctx->peak, other->other_peak));
	for (uint32_t done = 0; done < other->table.n; done += n)
	{
		n = other->table.n - done < CRM_TABLE_BATCH ? other->table.n - done : CRM_TABLE_BATCH;
		if (done % POLL_ROWS == 0 && crm_poll(customers->ctx))
			return CRM_ABORTED;
		for (uint32_t i = 0; i < n; i++)
		{
			key[i] = crm_table_key(&other->table, done + i);
			if (other->table.kind != CRM_KEY_BYTES)
				key[i] = other->table.kind == CRM_KEY_INT64 ? crm_key_int64(key[i].integer)
															: crm_key_uuid(key[i].half);
		}
		status = crm_table_find(&customers->table, key, (int) n, row);
		for (uint32_t i = 0; i < n && status == CRM_OK; i++)
		{
			const CrmOrders *orders = crm_customers_orders(other, done + i);
			const CrmMoments *moments =
				(const CrmMoments *) ((const char *) orders + other->moments_at);

			merge_row(customers, row[i], orders,
					  other->features & CRM_CUSTOMERS_MOMENTS ? moments : NULL,
					  other->features & CRM_CUSTOMERS_FIRST ? crm_customers_first(other, done + i)
															: NULL);
			if (other->features & CRM_CUSTOMERS_PERIODS)
			{
				const CrmPeriods *block =
					*periods_slot(other, crm_table_row(&other->table, done + i));

				for (uint32_t j = 0; block != NULL && j < block->used && status == CRM_OK; j++)
					status = crm_periods_add(&customers->pool, periods_slot(customers, row[i]),
											 block->period[j]);
			}
		}
		if (status != CRM_OK)
			return status;
	}
	return CRM_OK;
}

/*
 * Merge a packed table into this one, which has the same kind of key and features. The buffer is
 * trusted: only crm_customers_pack of this build makes it. CRM_DOMAIN when its size does not fit.
 */
CrmStatus
crm_customers_unpack(CrmCustomers *customers, const void *buffer, size_t bytes)
{
	const char *at = buffer;
	CrmRowCount rows;
	uint64_t header[HEADER];
	CrmKey key[CRM_TABLE_BATCH];
	PackedRow packed[CRM_TABLE_BATCH];
	void *row[CRM_TABLE_BATCH];
	CrmStatus status = CRM_OK;

	at = get_bytes(at, &rows, sizeof(rows));
	at = get_bytes(at, header, sizeof(header));
	merge_counts(&customers->rows, &rows);
	customers->participants += (int) header[0];
	note_memory(customers, header[2], header[3]);
	for (uint64_t done = 0; done < header[1];)
	{
		uint64_t left = header[1] - done;
		int n = left < CRM_TABLE_BATCH ? (int) left : CRM_TABLE_BATCH;

		if (done % POLL_ROWS == 0 && crm_poll(customers->ctx))
			return CRM_ABORTED;
		for (int i = 0; i < n; i++)
			at = read_row(customers, at, &key[i], &packed[i]);
		status = crm_table_find(&customers->table, key, n, row);
		for (int i = 0; i < n && status == CRM_OK; i++)
		{
			merge_row(customers, row[i], &packed[i].orders,
					  customers->features & CRM_CUSTOMERS_MOMENTS ? &packed[i].moments : NULL,
					  customers->features & CRM_CUSTOMERS_FIRST ? &packed[i].first : NULL);
			if (customers->features & CRM_CUSTOMERS_PERIODS)
				status = merge_periods(customers, row[i], packed[i].periods);
		}
		if (status != CRM_OK)
			return status;
		done += n;
	}
	return at == (const char *) buffer + bytes ? CRM_OK : CRM_DOMAIN;
}
