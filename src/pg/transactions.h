/*
 * transactions.h: a customer's orders as the buy-till-you-die models see them.
 *
 * All orders of a customer in one period are one transaction. The first transaction starts the
 * clock, so x counts the repeat transactions only; t_x and t count periods from its period to that
 * of the last transaction and to that of as_of. A refund is subtracted from what the customer spent
 * and is no transaction.
 */
#ifndef CRM_PG_TRANSACTIONS_H
#define CRM_PG_TRANSACTIONS_H

#include "pg/compat.h"

#include "pg/orders.h"

typedef struct CrmTransactions
{
	TimestampTz first_order_at, last_order_at;
	int64 x;          /* repeat transactions; -1 for a customer with refunds only */
	double t_x, t;    /* periods */
	double mean;      /* of a repeat transaction; NaN when x is 0 */
	double mean_each; /* of a transaction, the first one included */
} CrmTransactions;

/* Gives one customer after the other. */
typedef struct CrmTransactionsReader
{
	const CrmCustomers *customers;
	CrmPeriod period;
	int32 now; /* the period of as_of */
} CrmTransactionsReader;

extern void crm_transactions_as_of(FunctionCallInfo fcinfo, int i, CrmOrdersRequest *request);
extern void crm_transactions_period(FunctionCallInfo fcinfo, int i, CrmOrdersRequest *request);
extern void crm_transactions_refunds(FunctionCallInfo fcinfo, int i, CrmOrdersRequest *request);
extern void crm_transactions_begin(CrmTransactionsReader *reader, const CrmOrdersState *state,
								   const CrmOrdersRequest *request);
extern void crm_transactions_get(CrmTransactionsReader *reader, uint32 i,
								 CrmTransactions *transactions);

#endif
