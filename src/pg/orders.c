/*
 * orders.c: a source of orders becomes customers, by the road that suits the source.
 *
 * hash road: one aggregate over all rows (collect.c), parallel as the planner likes.
 * group road: GROUP BY customer_id with crm.summarize, which a foreign server or Citus can do where
 * the rows are; then one row a customer comes here. Both give the same customers, to the last bit.
 * What needs single orders (first transactions, the periods themselves) goes by the hash road.
 */
#include "pg/orders.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/moment.h"
#include "pg/source.h"

int crm_road = CRM_ROAD_AUTO;

/* What the reader of the group road's rows needs. */
typedef struct GroupReader
{
	CrmRefunds refunds;
	CrmOrdersState *state;
	MemoryContext row_memory; /* reset for each row */
} GroupReader;

/* The columns of group_sql. */
enum
{
	GROUP_KEY,
	GROUP_SUMMARY,
	GROUP_TRANSACTIONS,
	GROUP_READ,
	GROUP_NULL_VALUE,
	GROUP_NON_FINITE,
	GROUP_AFTER_AS_OF,
	GROUP_REFUND,
	GROUP_COLUMNS
};

/* Check the hash road's one row: the table of so many customers came to the collector already. */
static void
read_count(TupleTableSlot *slot, void *arg)
{
	const CrmCollector *collector = arg;
	int64 customers = DatumGetInt64(slot->tts_values[0]);

	if (customers != (collector->state != NULL ? collector->state->customers.table.n : 0))
		elog(ERROR, "crm internal: the table of customers did not arrive");
}

/* Take one customer of the group road. */
static void
read_customer(TupleTableSlot *slot, void *arg)
{
	GroupReader *reader = arg;
	CrmOrdersState *state = reader->state;
	CrmRowCount *rows = &state->customers.rows;
	int64 count[GROUP_COLUMNS];
	int64 used;

	for (int i = GROUP_TRANSACTIONS; i < GROUP_COLUMNS; i++)
		count[i] = DatumGetInt64(slot->tts_values[i]);
	rows->read += count[GROUP_READ];
	if (slot->tts_isnull[GROUP_KEY])
	{
		rows->null_key += count[GROUP_READ];
		return;
	}
	if (count[GROUP_REFUND] > 0 && reader->refunds == CRM_REFUNDS_ERROR)
		crm_orders_refund_error();
	rows->null_value += count[GROUP_NULL_VALUE];
	rows->non_finite += count[GROUP_NON_FINITE];
	rows->after_as_of += count[GROUP_AFTER_AS_OF];
	rows->refund += count[GROUP_REFUND];
	used = count[GROUP_READ] - count[GROUP_NULL_VALUE] - count[GROUP_NON_FINITE] -
		   count[GROUP_AFTER_AS_OF] - count[GROUP_REFUND];
	rows->used += used;
	if (used > 0)
	{
		MemoryContext caller = MemoryContextSwitchTo(reader->row_memory);
		Datum room;
		CrmKey key = crm_key_from_datum(&state->key_type, slot->tts_values[GROUP_KEY], &room);

		crm_orders_check(state, crm_customers_put(
									&state->customers, &key,
									(CrmSummary *) DatumGetPointer(slot->tts_values[GROUP_SUMMARY]),
									count[GROUP_TRANSACTIONS]));
		MemoryContextSwitchTo(caller);
		MemoryContextReset(reader->row_memory);
	}
}

/* Give the rows of a source as three columns of the right types, by the name q. */
static char *
typed_rows(const char *select, Oid cast_key_to)
{
	return psprintf("SELECT q.customer_id%s%s AS customer_id, "
					"q.ordered_at::pg_catalog.timestamptz AS ordered_at, "
					"q.amount::pg_catalog.float8 AS amount FROM (%s\n) q",
					OidIsValid(cast_key_to) ? "::" : "",
					OidIsValid(cast_key_to) ? format_type_be_qualified(cast_key_to) : "", select);
}

/* Give the query of the hash road. */
static char *
hash_sql(const CrmOrdersRequest *request, const char *typed)
{
	const Interval *period = request->period;
	int features = request->features | (period != NULL ? CRM_CUSTOMERS_PERIODS : 0);

	/*
	 * a parallel-restricted function on top keeps the final step in this backend, whatever the
	 * plan
	 */
	return psprintf("SELECT n.customers, pg_catalog.pg_backend_pid() FROM (SELECT "
					"crm._collect(g.customer_id, g.ordered_at, g.amount, '{%lld,%d,%d,%d,"
					"%lld}'::pg_catalog.int8[]) AS customers FROM (%s) g) n",
					(long long) request->as_of, (int) request->refunds, features,
					period != NULL ? period->month : 0,
					period != NULL ? (long long) (period->day * USECS_PER_DAY + period->time) : 0,
					typed);
}

/* Give the query of the group road; its columns are those of GroupReceiver. */
static char *
group_sql(const CrmOrdersRequest *request, const char *typed)
{
	const char *finite = "pg_catalog.isfinite(g.ordered_at) AND g.amount OPERATOR(pg_catalog.>) "
						 "'-Infinity'::pg_catalog.float8 AND g.amount OPERATOR(pg_catalog.<) "
						 "'Infinity'::pg_catalog.float8";
	char *in_time =
		psprintf("%s AND g.ordered_at OPERATOR(pg_catalog.<=) '%s'::pg_catalog.timestamptz", finite,
				 crm_moment_text(request->as_of));
	const char *refund = request->refunds == CRM_REFUNDS_NET
							 ? "false"
							 : "g.amount OPERATOR(pg_catalog.<) '0'::pg_catalog.float8";
	char *usable = request->refunds == CRM_REFUNDS_NET
					   ? in_time
					   : psprintf("%s AND g.amount OPERATOR(pg_catalog.>=) "
								  "'0'::pg_catalog.float8",
								  in_time);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "SELECT g.customer_id, crm.summarize(g.ordered_at, g.amount) FILTER (WHERE "
					 "%s), ",
					 usable);
	if (request->period != NULL)
	{
		char *length =
			DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(request->period)));

		appendStringInfo(&sql,
						 "pg_catalog.count(DISTINCT crm._period_number(g.ordered_at, "
						 "%s::pg_catalog.interval, '\\x",
						 quote_literal_cstr(length));
		for (const char *zone = pg_get_timezone_name(session_timezone); *zone != '\0'; zone++)
			appendStringInfo(&sql, "%02x", (unsigned char) *zone);
		appendStringInfo(&sql, "'::pg_catalog.bytea)) FILTER (WHERE %s), ", usable);
	}
	else
		appendStringInfo(&sql, "pg_catalog.count(*) FILTER (WHERE %s), ", usable);
	appendStringInfo(
		&sql,
		"pg_catalog.count(*), "
		"pg_catalog.count(*) FILTER (WHERE g.ordered_at IS NULL OR g.amount IS NULL), "
		"pg_catalog.count(*) FILTER (WHERE g.ordered_at IS NOT NULL AND g.amount IS NOT "
		"NULL AND NOT (%s)), "
		"pg_catalog.count(*) FILTER (WHERE %s AND NOT (%s)), "
		"pg_catalog.count(*) FILTER (WHERE %s AND %s) "
		"FROM (%s) g GROUP BY g.customer_id",
		finite, finite, in_time, in_time, refund, typed);
	return sql.data;
}

/* Run the hash road; NULL when the source had no row. */
static CrmOrdersState *
read_by_hash(const CrmOrdersRequest *request, const char *typed, MemoryContext keep)
{
	CrmCollector collector = {.keep = keep};
	CrmQuery query = crm_source_prepare(hash_sql(request, typed), &crm_contract_orders);
	ParamListInfo params = makeParamList(0);

	crm_collect_mark(params, &collector);
	crm_source_run(&query, params, false, read_count, &collector);
	return collector.state;
}

/* Run the group road. */
static CrmOrdersState *
read_by_group(const CrmOrdersRequest *request, const char *typed, Oid key_type, MemoryContext keep)
{
	CrmQuery query = crm_source_prepare(group_sql(request, typed), &crm_contract_orders);
	GroupReader reader = {.refunds = request->refunds};

	reader.state = crm_orders_state(keep, key_type, TupleDescAttr(query.columns, 0)->attcollation,
									request->features);
	reader.row_memory = AllocSetContextCreate(keep, "crm orders row", ALLOCSET_SMALL_SIZES);
	crm_source_run(&query, NULL, true, read_customer, &reader);
	MemoryContextDelete(reader.row_memory);
	return reader.state;
}

/*
 * Read a source of orders into customers. They live in a memory context below the current one. The
 * account of the run gets the road, the rows and the workers.
 */
CrmOrdersState *
crm_orders_read(const CrmOrdersRequest *request, CrmRun *run)
{
	MemoryContext keep = CurrentMemoryContext;
	CrmOrdersState *state = NULL;
	Oid key_type, collation, cast;
	CrmQuery probe;
	char *select, *typed;

	if (request->period != NULL)
	{
		CrmPeriod period;

		crm_period_begin(&period, request->period, session_timezone);
	}
	crm_source_open();
	select = crm_source_select(request->source, &crm_contract_orders);
	probe = crm_source_prepare(typed_rows(select, InvalidOid), &crm_contract_orders);
	key_type = crm_key_choose(request->key_type, TupleDescAttr(probe.columns, 0)->atttypid,
							  request->function, &cast);
	collation = TupleDescAttr(probe.columns, 0)->attcollation;
	typed = typed_rows(select, cast);
	if (!(request->features & (CRM_CUSTOMERS_FIRST | CRM_CUSTOMERS_PERIODS)) &&
		(crm_road == CRM_ROAD_GROUP || (crm_road == CRM_ROAD_AUTO && crm_source_is_remote(&probe))))
	{
		run->road = "group";
		state = read_by_group(request, typed, key_type, keep);
	}
	else
	{
		run->road = "hash";
		state = read_by_hash(request, typed, keep);
		if (state == NULL)
			state = crm_orders_state(keep, key_type, collation, request->features);
		else
			crm_orders_check(state, crm_customers_finish(&state->customers));
	}
	crm_source_close();
	run->rows = state->customers.rows;
	run->customers = state->customers.table.n;
	run->workers = state->customers.participants - 1;
	return state;
}
