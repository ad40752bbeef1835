/*
 * clv_summary.c: crm.clv_summary, each customer as (x, t_x, T, mean spend), and crm.regularity, how
 * regular the times between orders are.
 */
#include "pg/compat.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "kernel/regularity.h"
#include "pg/args.h"
#include "pg/results.h"
#include "pg/transactions.h"

enum
{
	ARG_SOURCE, /* or the key, and the source last */
	ARG_AS_OF,
	ARG_PERIOD,
	ARG_REFUNDS
};

/* A report in the making. */
typedef struct Report
{
	CrmOrdersRequest request;
	CrmRun run;
	CrmOrdersState *orders;
} Report;

/* Read the options and the orders; features are those of customers.h. */
static void
begin_report(FunctionCallInfo fcinfo, const char *function, int features, Report *report)
{
	CrmOrdersRequest *request = &report->request;

	*report = (Report){.run = crm_run_begin(function)};
	request->function = function;
	request->features = features;
	request->source = crm_arg_source(fcinfo, &request->key_type);
	crm_transactions_as_of(fcinfo, ARG_AS_OF, request);
	crm_transactions_period(fcinfo, ARG_PERIOD, request);
	crm_transactions_refunds(fcinfo, ARG_REFUNDS, request);
	report->orders = crm_orders_read(request, &report->run);
}

/* Close the account and free the report's memory. */
static void
end_report(Report *report)
{
	crm_orders_memory(report->orders, &report->run);
	crm_run_end(&report->run);
	MemoryContextDelete(report->orders->memory);
}

PG_FUNCTION_INFO_V1(crm_clv_summary_1_0);
/* crm.clv_summary([key,] ...): a row a customer; see doc/clv_summary.md */
Datum
crm_clv_summary_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 7);
	CrmTransactionsReader reader;
	const CrmCustomers *customers;
	uint32 *order;
	Report report;

	begin_report(fcinfo, "crm.clv_summary", 0, &report);
	customers = &report.orders->customers;
	order = crm_orders_allocate(report.orders, customers->table.n, sizeof(uint32));
	crm_orders_check(report.orders, crm_key_order(&report.orders->key_type, &report.orders->ctx,
												  &customers->table, order));
	crm_transactions_begin(&reader, report.orders, &report.request);
	for (uint32 i = 0; i < customers->table.n; i++)
	{
		CrmTransactions one;
		Datum values[7];
		bool nulls[7] = {false};

		CHECK_FOR_INTERRUPTS();
		crm_transactions_get(&reader, order[i], &one);
		if (one.x < 0)
			continue;
		values[0] = crm_key_to_datum(&report.orders->key_type, &customers->table, order[i]);
		values[1] = Int64GetDatum(one.x);
		values[2] = Float8GetDatum(one.t_x);
		values[3] = Float8GetDatum(one.t);
		values[4] = Float8GetDatum(one.mean);
		nulls[4] = isnan(one.mean);
		values[5] = TimestampTzGetDatum(one.first_order_at);
		values[6] = TimestampTzGetDatum(one.last_order_at);
		crm_result_row(&result, values, nulls);
	}
	end_report(&report);
	PG_RETURN_NULL();
}

/* What a regularity means for the models, and what to do about it. */
typedef struct Verdict
{
	const char *status;
	char *message;
} Verdict;

/* Judge a regularity. Between 2/3 and 3/2 the models' random timing is near enough. */
static Verdict
judge(const CrmRegularity *regularity, int64 customers, double low, double high)
{
	char *unit = regularity->mean_gap < 5.0
					 ? "; periods are long beside the time between orders, which alone makes "
					   "orders look regular: ask again with a shorter period"
					 : "";

	if (customers < 10)
		return (Verdict){"insufficient_data",
						 pstrdup("fewer than 10 customers have three orders in different periods")};
	if (low > 1.5 || isinf(regularity->k))
		return (Verdict){"regular",
						 psprintf("orders come more regularly than the models assume, so that a "
								  "customer who is late has left sooner than they say%s",
								  unit)};
	if (high < 1.0 / 1.5)
		return (Verdict){"clumpy", psprintf("orders come in bursts, which the models take for "
											"customers who left%s",
											unit)};
	return (Verdict){"random", psprintf("orders come as randomly as the models assume%s", unit)};
}

PG_FUNCTION_INFO_V1(crm_regularity_1_0);
/* crm.regularity([key,] ...): one row; see doc/clv_summary.md */
Datum
crm_regularity_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 9);
	CrmRegularitySums sums = {0};
	CrmRegularity regularity;
	double low, high;
	Datum values[9];
	bool nulls[9] = {false};
	Verdict verdict;
	Report report;

	begin_report(fcinfo, "crm.regularity", CRM_CUSTOMERS_PERIODS, &report);
	for (uint32 i = 0; i < report.orders->customers.table.n; i++)
	{
		const CrmPeriods *periods = crm_customers_periods(&report.orders->customers, i);

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (periods != NULL)
			crm_regularity_add(&sums, periods->period, periods->used);
	}
	regularity = crm_regularity_estimate(&sums);
	crm_regularity_interval(&regularity, &low, &high);
	verdict = judge(&regularity, sums.customers, low, high);
	values[0] = Int64GetDatum(sums.customers);
	values[1] = Int64GetDatum(sums.pairs);
	values[2] = Float8GetDatum(regularity.k);
	values[3] = Float8GetDatum(regularity.standard_error);
	values[4] = Float8GetDatum(low);
	values[5] = Float8GetDatum(high);
	values[6] = Float8GetDatum(regularity.mean_gap);
	values[7] = CStringGetTextDatum(verdict.status);
	values[8] = CStringGetTextDatum(verdict.message);
	nulls[2] = isnan(regularity.k);
	nulls[3] = nulls[4] = nulls[5] = isnan(regularity.standard_error);
	nulls[6] = isnan(regularity.mean_gap);
	crm_result_row(&result, values, nulls);
	end_report(&report);
	if (strcmp(verdict.status, "regular") == 0 || strcmp(verdict.status, "clumpy") == 0)
		ereport(WARNING, errmsg("%s", verdict.message), errdetail("k is %.3g.", regularity.k));
	PG_RETURN_NULL();
}
