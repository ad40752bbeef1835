/*
 * contracts.c: a source of subscriptions becomes contracts, sorted by customer; see contracts.h.
 */
#include "pg/contracts.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/memory.h"
#include "pg/period.h"
#include "pg/source.h"

#define FIRST_ROOM 1024
#define FIT_BYTES  16 /* that the fit takes of a contract */
#define WHAT       "valuing contracts"

/* The columns of the query that is made of the source; the last one where contracts differ. */
enum
{
	CUSTOMER,
	STARTED_AT,
	ENDED_AT,
	AMOUNT
};

/* A row of the table: the key, then 1 + its number. */
typedef struct Number
{
	uint64_t number;
} Number;

/* Raise the error that a kernel's status stands for, if it stands for one. */
void
crm_contracts_check(const CrmContracts *contracts, CrmStatus status)
{
	crm_memory_check(status, &contracts->ctx, WHAT, psprintf("%zu contracts", contracts->n));
}

/* Raise an error when the length of a period is not above a second, or mixes months with days. */
void
crm_contracts_check_period(const Interval *period)
{
	CrmPeriod unused;

	crm_period_begin(&unused, period, session_timezone);
}

/* Give the mean length of a period in years. */
double
crm_contracts_period_years(const Interval *period)
{
	if (period->month > 0)
		return (double) period->month / MONTHS_PER_YEAR;
	return (period->day * (double) USECS_PER_DAY + period->time) / (DAYS_PER_YEAR * USECS_PER_DAY);
}

/* Give when renewal k of a contract is due; DT_NOEND where that is beyond what a moment holds. */
TimestampTz
crm_contracts_due(const Interval *period, TimestampTz start, int64 k)
{
	Interval total = {.time = 0};
	double length =
		(double) k * crm_contracts_period_years(period) * DAYS_PER_YEAR * (double) USECS_PER_DAY;

	/* below this neither months nor days nor microseconds of k periods overflow */
	if (Max(length, start + length) > (double) (END_TIMESTAMP - 400 * USECS_PER_DAY))
		return DT_NOEND;
	total.month = (int32) (period->month * k);
	total.day = (int32) (period->day * k);
	total.time = period->time * k;
	return DatumGetTimestampTz(DirectFunctionCall2(
		timestamptz_pl_interval, TimestampTzGetDatum(start), IntervalPGetDatum(&total)));
}

/* Give how many renewals, from the first one on, are due by a moment, or before it. */
int64
crm_contracts_count(const Interval *period, TimestampTz start, TimestampTz until, bool is_before)
{
	double length = crm_contracts_period_years(period) * DAYS_PER_YEAR * (double) USECS_PER_DAY;
	int64 k = (int64) Max((double) (until - start) / length, 0.0);
	TimestampTz limit = is_before ? until - 1 : until;

	while (k > 0 && crm_contracts_due(period, start, k) > limit)
		k--;
	while (crm_contracts_due(period, start, k + 1) <= limit)
		k++;
	return k;
}

/* Give the renewals that a contract made. */
static int32
count_renewals(const CrmContractsRequest *request, const CrmContractRow *row)
{
	bool is_over = !TIMESTAMP_IS_NOEND(row->end);
	int64 made = crm_contracts_count(request->period, row->start,
									 is_over ? row->end : request->as_of, is_over);

	if (made >= CRM_CONTRACTS_RENEWALS_MAX)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"period\" is too short for a subscription from %s on",
					   timestamptz_to_str(row->start)),
				errdetail("It has %lld renewals, at most %d can be used.", (long long) made,
						  CRM_CONTRACTS_RENEWALS_MAX - 1));
	return (int32) made;
}

/* Give the number of a key, a new one if need be. */
static uint32
customer_number(CrmContracts *contracts, Datum datum)
{
	MemoryContext caller = MemoryContextSwitchTo(contracts->scratch);
	Datum room;
	CrmKey key = crm_key_from_datum(&contracts->key_type, datum, &room);
	void *found;
	Number *number;

	crm_contracts_check(contracts, crm_table_find(&contracts->customers, &key, 1, &found));
	number = (Number *) ((char *) found + contracts->customers.key_size);
	if (number->number == 0)
		number->number = contracts->customers.n;
	MemoryContextSwitchTo(caller);
	MemoryContextReset(contracts->scratch);
	return (uint32) (number->number - 1);
}

/* Give the rows that room. */
static void
resize(CrmContracts *contracts, size_t room)
{
	size_t size = sizeof(CrmContractRow);

	contracts->row =
		crm_memory_resize(&contracts->ctx, contracts->row, contracts->room * size, room * size);
	if (contracts->row == NULL)
		crm_contracts_check(contracts, CRM_LIMIT);
	contracts->room = room;
}

/* Make room for more rows: twice as many, or as many as the budget allows and can still fit. */
static void
grow(CrmContracts *contracts)
{
	const CrmCtx *ctx = &contracts->ctx;
	size_t size = sizeof(CrmContractRow);
	size_t others = ctx->used - contracts->room * size +
					(size_t) contracts->customers.n * (sizeof(uint32) + sizeof(size_t));
	size_t left = ctx->limit > others ? ctx->limit - others : 0;
	size_t most = left / (size + FIT_BYTES);
	size_t room = Min(Max(2 * contracts->room, FIRST_ROOM), most);

	if (room <= contracts->room)
		crm_memory_error(others + (2 * contracts->room + 1) * (size + FIT_BYTES), ctx, WHAT,
						 psprintf("%zu contracts so far", contracts->n),
						 "give a source with fewer rows");
	resize(contracts, room);
}

/* Tell whether a row may be used; count it where it may not. Errors for one that cannot be. */
static bool
is_usable(CrmContracts *contracts, const CrmContractRow *row)
{
	if (TIMESTAMP_NOT_FINITE(row->start) || TIMESTAMP_IS_NOBEGIN(row->end) || !isfinite(row->value))
	{
		contracts->rows->non_finite++;
		return false;
	}
	if (row->end < row->start)
		ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION),
				errmsg("the source has a subscription that ends before it starts"),
				errdetail("It starts at %s and ends at %s.",
						  pstrdup(timestamptz_to_str(row->start)),
						  pstrdup(timestamptz_to_str(row->end))),
				errhint("Leave such rows out in the source's query."));
	if (row->value < 0.0)
		ereport(
			ERROR, errcode(ERRCODE_DATA_EXCEPTION),
			errmsg("the source has a subscription whose amount is below zero"),
			errdetail("It is %g.", row->value),
			errhint("amount is what a period pays; leave such rows out in the source's query."));
	if (row->start > contracts->request->as_of)
	{
		contracts->rows->after_as_of++;
		return false;
	}
	return true;
}

/* Take a row of the source. */
static void
read_row(TupleTableSlot *slot, void *arg)
{
	CrmContracts *contracts = arg;
	const CrmContractsRequest *request = contracts->request;
	const Datum *values = slot->tts_values;
	const bool *nulls = slot->tts_isnull;
	bool has_amount = isnan(request->value) && contracts->has_value;
	CrmContractRow row = {.value = isnan(request->value) ? 1.0 : request->value};

	contracts->rows->read++;
	if (nulls[CUSTOMER])
	{
		contracts->rows->null_key++;
		return;
	}
	if (nulls[STARTED_AT] || (has_amount && nulls[AMOUNT]))
	{
		contracts->rows->null_value++;
		return;
	}
	row.start = DatumGetTimestampTz(values[STARTED_AT]);
	row.end = nulls[ENDED_AT] ? DT_NOEND : DatumGetTimestampTz(values[ENDED_AT]);
	if (has_amount)
		row.value = DatumGetFloat8(values[AMOUNT]) + 0.0; /* no -0.0 */
	if (!is_usable(contracts, &row))
		return;
	if (row.end > request->as_of)
		row.end = DT_NOEND;
	row.renewals = count_renewals(request, &row);
	row.customer = customer_number(contracts, values[CUSTOMER]);
	if (contracts->n == contracts->room)
		grow(contracts);
	contracts->row[contracts->n++] = row;
	contracts->rows->used++;
}

/* Order rows by customer, and those of one by what they say. */
static int
compare_rows(const void *a, const void *b)
{
	const CrmContractRow *one = a, *two = b;

	CHECK_FOR_INTERRUPTS();
	if (one->customer != two->customer)
		return one->customer < two->customer ? -1 : 1;
	if (one->start != two->start)
		return one->start < two->start ? -1 : 1;
	if (one->end != two->end)
		return one->end < two->end ? -1 : 1;
	return (one->value > two->value) - (one->value < two->value);
}

/* Sort the rows and find where each customer's begin. */
static void
arrange(CrmContracts *contracts)
{
	CrmCtx *ctx = &contracts->ctx;
	size_t customers = contracts->customers.n, at = 0;

	if (contracts->room > 0)
		resize(contracts, contracts->n);
	contracts->order = crm_allocate(ctx, customers, sizeof(uint32));
	contracts->first = crm_allocate(ctx, customers + 1, sizeof(size_t));
	if (contracts->order == NULL || contracts->first == NULL)
		crm_contracts_check(contracts, ctx->failure);
	if (contracts->n > 1)
		qsort(contracts->row, contracts->n, sizeof(CrmContractRow), compare_rows);
	for (size_t c = 0; c <= customers; c++)
	{
		while (at < contracts->n && contracts->row[at].customer < c)
			at++;
		contracts->first[c] = at;
	}
	crm_contracts_check(contracts, crm_key_order(&contracts->key_type, ctx, &contracts->customers,
												 contracts->order));
}

/* Prepare the query that is made of the source, with its column amount where it is asked for. */
static CrmQuery
prepare(CrmContracts *contracts)
{
	const CrmContractsRequest *request = contracts->request;
	const CrmContract *contract = &crm_contract_subscriptions;
	const char *sql = "SELECT q.customer_id%s, q.started_at::pg_catalog.timestamptz, "
					  "q.ended_at::pg_catalog.timestamptz%s FROM (%s\n) q";
	char *select = crm_source_select(request->source, contract);
	CrmQuery query = crm_source_prepare(psprintf("SELECT q.* FROM (%s\n) q", select), contract);
	const char *amount = "";
	Form_pg_attribute column;
	Oid type, cast = InvalidOid;

	contracts->has_value = !isnan(request->value);
	for (int i = 0; i < query.columns->natts && !contracts->has_value; i++)
		if (strcmp(NameStr(TupleDescAttr(query.columns, i)->attname), "amount") == 0)
		{
			contracts->has_value = true;
			amount = ", q.amount::pg_catalog.float8";
		}
	query = crm_source_prepare(psprintf(sql, "", amount, select), contract);
	column = TupleDescAttr(query.columns, CUSTOMER);
	type = crm_key_choose(request->key_type, column->atttypid, request->function, &cast);
	if (OidIsValid(cast))
		query = crm_source_prepare(
			psprintf(sql, psprintf("::%s", format_type_be_qualified(cast)), amount, select),
			contract);
	crm_key_type(&contracts->key_type, type, TupleDescAttr(query.columns, CUSTOMER)->attcollation);
	return query;
}

/*
 * Read a source. The contracts live in a memory context below the current one; the account of the
 * run gets the rows.
 */
CrmContracts *
crm_contracts_read(const CrmContractsRequest *request, CrmRun *run)
{
	CrmCtx ctx;
	MemoryContext memory = crm_memory_begin(&ctx, CurrentMemoryContext, "crm contracts");
	CrmContracts *contracts = MemoryContextAllocZero(memory, sizeof(CrmContracts));
	CrmQuery query;

	contracts->memory = memory;
	contracts->ctx = ctx;
	contracts->request = request;
	contracts->rows = &run->rows;
	run->value = "started_at or amount";
	crm_source_open();
	query = prepare(contracts);
	crm_contracts_check(contracts, crm_table_init(&contracts->customers, &contracts->ctx,
												  contracts->key_type.kind, sizeof(Number)));
	if (contracts->key_type.kind == CRM_KEY_BYTES)
	{
		contracts->customers.equal = crm_key_equal;
		contracts->customers.equal_user = &contracts->key_type;
	}
	contracts->scratch =
		AllocSetContextCreate(CurrentMemoryContext, "crm row", ALLOCSET_SMALL_SIZES);
	crm_source_run(&query, NULL, false, read_row, contracts);
	crm_source_close(); /* and with it the scratch */
	arrange(contracts);
	run->customers = contracts->customers.n;
	return contracts;
}

/* Give the key of a customer; it points into the contracts. */
Datum
crm_contracts_key(const CrmContracts *contracts, uint32 customer)
{
	return crm_key_to_datum(&contracts->key_type, &contracts->customers, customer);
}
