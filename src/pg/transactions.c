/*
 * transactions.c: customers as the buy-till-you-die models see them; see transactions.h.
 */
#include "pg/transactions.h"

#include <math.h>

#include "pg/args.h"

static const char *const refund_words[] = {"net", "drop", "error"};
static const CrmWords refunds = {"refunds", "values of refunds", refund_words,
								 lengthof(refund_words)};

/* Read argument i, as_of. */
void
crm_transactions_as_of(FunctionCallInfo fcinfo, int i, CrmOrdersRequest *request)
{
	crm_arg_require(fcinfo, i, "as_of");
	request->as_of = PG_GETARG_TIMESTAMPTZ(i);
	if (TIMESTAMP_NOT_FINITE(request->as_of))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"as_of\" must be finite"));
}

/* Read argument i, period, and ask for transactions. */
void
crm_transactions_period(FunctionCallInfo fcinfo, int i, CrmOrdersRequest *request)
{
	crm_arg_require(fcinfo, i, "period");
	request->period = PG_GETARG_INTERVAL_P(i);
	request->features |= CRM_CUSTOMERS_FIRST;
}

/* Read argument i, refunds. */
void
crm_transactions_refunds(FunctionCallInfo fcinfo, int i, CrmOrdersRequest *request)
{
	request->refunds = (CrmRefunds) crm_arg_word(fcinfo, i, &refunds);
}

/* Begin to give the customers that the request has read. */
void
crm_transactions_begin(CrmTransactionsReader *reader, const CrmOrdersState *state,
					   const CrmOrdersRequest *request)
{
	reader->customers = &state->customers;
	crm_period_begin(&reader->period, request->period, session_timezone);
	reader->now = crm_period_number(&reader->period, request->as_of);
}

/* Give customer i. */
void
crm_transactions_get(CrmTransactionsReader *reader, uint32 i, CrmTransactions *transactions)
{
	const CrmOrders *orders = crm_customers_orders(reader->customers, i);
	const CrmFirst *first = crm_customers_first(reader->customers, i);
	CrmSum repeat = orders->sum;

	*transactions = (CrmTransactions){.x = orders->count - 1, .mean = NAN, .mean_each = NAN};
	if (orders->count == 0)
		return;
	transactions->first_order_at = first->at;
	transactions->last_order_at = orders->last;
	transactions->t_x =
		(double) crm_period_number(&reader->period, orders->last) - (double) first->period;
	transactions->t = (double) reader->now - (double) first->period;
	transactions->mean_each = crm_sum_mean(orders->sum, orders->count);
	if (transactions->x > 0)
	{
		crm_sum_merge(&repeat, (CrmSum){-first->sum.hi, -first->sum.lo});
		transactions->mean = crm_sum_mean(repeat, transactions->x);
	}
}
