/*
 * customers.h: orders, in any sequence, become one row a customer.
 *
 * Row i of the table holds the key, then CrmOrders, then, when asked for, CrmMoments, CrmFirst and
 * CrmPeriods*. The same orders in any sequence and any split give the same counts, times and
 * transactions, and sums that round to the same double (base/sum.h).
 *
 * With CRM_CUSTOMERS_FIRST a refund (an amount below zero) is subtracted from the sum and is no
 * order otherwise; a customer with refunds only has a row whose count is 0.
 *
 * A transaction is all orders of one customer in one period; how many there are is the size of its
 * set of periods (base/periods.h).
 */
#ifndef CRM_KERNEL_CUSTOMERS_H
#define CRM_KERNEL_CUSTOMERS_H

#include "kernel/base/periods.h"
#include "kernel/base/table.h"
#include "kernel/base/summary.h"

#define CRM_CUSTOMERS_MOMENTS 1 /* also first order and squares: lifetime value needs them */
#define CRM_CUSTOMERS_PERIODS 2 /* also the set of periods */
#define CRM_CUSTOMERS_FIRST   4 /* also the first transaction; needs the periods */

typedef struct CrmOrders
{
	int64_t count;
	int64_t last;
	CrmSum sum;
} CrmOrders;

typedef struct CrmMoments
{
	int64_t first;
	CrmSum squares;
} CrmMoments;

/* The first transaction: all orders of the period of the first order. */
typedef struct CrmFirst
{
	int64_t at;     /* the first order */
	int64_t period; /* its period */
	CrmSum sum;     /* of the amounts in that period */
} CrmFirst;

typedef struct CrmOrder
{
	int64_t ordered_at;
	double amount;
	int32_t period; /* read only with CRM_CUSTOMERS_PERIODS */
} CrmOrder;

/* Rows read, and why some were not used. */
typedef struct CrmRowCount
{
	int64_t read;
	int64_t used;
	int64_t null_key;
	int64_t null_value;
	int64_t non_finite;
	int64_t after_as_of;
	int64_t refund;
} CrmRowCount;

typedef struct CrmCustomers
{
	CrmTable table;
	CrmCtx *ctx;
	int features; /* CRM_CUSTOMERS_... */
	size_t moments_at, first_at, periods_at;
	CrmRowCount rows;
	int participants;     /* states merged into this one, itself included */
	uint64_t other_bytes; /* peak memory of the other participants, together */
	uint64_t other_peak;  /* the most that one of them held */
	CrmPeriodPool pool;
	int pending; /* orders that wait for the batch to fill */
	CrmKey key[CRM_TABLE_BATCH];
	CrmOrder order[CRM_TABLE_BATCH];
} CrmCustomers;

/* Give the payload of row i. */
static inline CrmOrders *
crm_customers_orders(const CrmCustomers *customers, uint32_t i)
{
	return (CrmOrders *) ((char *) crm_table_row(&customers->table, i) + customers->table.key_size);
}

/* Give the first transaction of row i; only with CRM_CUSTOMERS_FIRST. */
static inline const CrmFirst *
crm_customers_first(const CrmCustomers *customers, uint32_t i)
{
	return (const CrmFirst *) ((char *) crm_customers_orders(customers, i) + customers->first_at);
}

/* Give the ascending periods of row i, after crm_customers_finish; only with
 * CRM_CUSTOMERS_PERIODS. */
static inline const CrmPeriods *
crm_customers_periods(const CrmCustomers *customers, uint32_t i)
{
	return *(CrmPeriods **) ((char *) crm_customers_orders(customers, i) + customers->periods_at);
}

extern CrmStatus crm_customers_init(CrmCustomers *customers, CrmCtx *ctx, CrmKeyKind kind,
									int features);
extern CrmStatus crm_customers_flush(CrmCustomers *customers);
extern CrmStatus crm_customers_put(CrmCustomers *customers, const CrmKey *key,
								   const CrmSummary *summary, int64_t transactions);
extern CrmStatus crm_customers_finish(CrmCustomers *customers);
extern CrmStatus crm_customers_merge(CrmCustomers *customers, const CrmCustomers *other);
extern size_t crm_customers_packed_size(const CrmCustomers *customers);
extern CrmStatus crm_customers_pack(const CrmCustomers *customers, void *buffer);
extern CrmStatus crm_customers_unpack(CrmCustomers *customers, const void *buffer, size_t bytes);

/* Add one order; the key's bytes need to live only for the call. The batch waits for
 * crm_customers_flush. */
static inline CrmStatus
crm_customers_add(CrmCustomers *customers, const CrmKey *key, const CrmOrder *order)
{
	customers->key[customers->pending] = *key;
	customers->order[customers->pending] = *order;
	customers->pending++;
	if (customers->pending == CRM_TABLE_BATCH || customers->table.kind == CRM_KEY_BYTES)
		return crm_customers_flush(customers);
	return CRM_OK;
}

#endif
