/*
 * activity.h: random orders of a few customers in a few periods, as dense tables for a brute-force
 * count, and as CrmCells made of them in any order and split. Amounts are multiples of 1/256, so
 * that sums are exact.
 */
#ifndef CRM_TEST_ACTIVITY_H
#define CRM_TEST_ACTIVITY_H

#include "host.h"
#include "kernel/base/cells.h"

#define CUSTOMERS 60
#define PERIODS   40 /* 0 to 39, plus BASE */
#define ORDERS    900
#define BASE      (-17)
#define PARTS     4

static struct
{
	int customer, period;
	int64_t units; /* of 1/256; below 0: a refund */
} given[ORDERS];
static int64_t orders_of[CUSTOMERS][PERIODS];
static int64_t units_of[CUSTOMERS][PERIODS];
static int first_of[CUSTOMERS]; /* period of the first order; PERIODS when none */
static CrmKeyKind kind;
static char names[CUSTOMERS][24];

static CrmKey
make_key(int customer)
{
	CrmKey key = {.length = 0};

	if (kind == CRM_KEY_INT64)
		return crm_key_int64(customer * INT64_C(1000003) - 77);
	snprintf(names[customer], sizeof names[customer], "customer %06d ...", customer);
	if (kind == CRM_KEY_UUID)
		return crm_key_uuid(names[customer] + 5);
	key.bytes = names[customer];
	key.length = (uint32_t) strlen(names[customer]);
	key.hash = crm_hash_bytes(key.bytes, key.length);
	return key;
}

/* Three months are a cohort: the period is 0, 1 or 2 of it. */
static int32_t
cohort_of(int64_t period)
{
	return (int32_t) ((period - (period % 3 + 3) % 3) / 3);
}

/* Draw orders: customers differ in how long and how often they order; some have refunds only. */
static void
draw_orders(void)
{
	memset(orders_of, 0, sizeof orders_of);
	memset(units_of, 0, sizeof units_of);
	for (int c = 0; c < CUSTOMERS; c++)
		first_of[c] = PERIODS;
	for (int i = 0; i < ORDERS; i++)
	{
		int c = (int) (draw_below(CUSTOMERS) * draw_below(CUSTOMERS) / CUSTOMERS);
		int p = (c * 7) % 23 + (int) draw_below(1 + (uint64_t) (c * 5) % 17);
		bool refund = c % 11 == 10 || draw_below(9) == 0;

		given[i].customer = c;
		given[i].period = p;
		given[i].units = (int64_t) draw_below(100000) * (refund ? -1 : 1) - refund;
		units_of[c][p] += given[i].units;
		if (refund)
			continue;
		orders_of[c][p]++;
		first_of[c] = p < first_of[c] ? p : first_of[c];
	}
}

/* Add the orders, shuffled, to tables of their own and merge those, packed or not, into one. */
static inline CrmStatus
make_cells(CrmCells *cells, CrmCtx *ctx, bool split)
{
	static uint32_t at[ORDERS];
	CrmCells part[PARTS];
	CrmStatus status = crm_cells_init(cells, ctx, kind);

	draw_order(at, ORDERS);
	for (int p = 0; p < PARTS && status == CRM_OK; p++)
		status = crm_cells_init(&part[p], ctx, kind);
	for (int i = 0; i < ORDERS && status == CRM_OK; i++)
	{
		int64_t units = given[at[i]].units;
		int32_t period = given[at[i]].period + BASE;
		CrmCellOrder order = {{period, units >= 0, (double) units / 256}, cohort_of(period)};
		CrmKey key = make_key(given[at[i]].customer);

		status = crm_cells_add(split ? &part[draw_below(PARTS)] : cells, &key, &order);
		cells->rows.read++;
	}
	for (int p = 0; p < PARTS && status == CRM_OK; p++)
	{
		status = crm_cells_flush(&part[p]);
		if (status == CRM_OK && p % 2 == 0)
			status = crm_cells_merge(cells, &part[p]);
		else if (status == CRM_OK)
		{
			size_t bytes = crm_cells_packed_size(&part[p]);
			char *buffer = malloc(bytes);

			status = crm_cells_pack(&part[p], buffer);
			if (status == CRM_OK)
				status = crm_cells_unpack(cells, buffer, bytes);
			free(buffer);
		}
	}
	return status == CRM_OK ? crm_cells_flush(cells) : status;
}

#endif
