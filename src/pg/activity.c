/*
 * activity.c: orders become cells of customers and periods (base/cells.h), by an aggregate:
 *
 *   crm._activity(customer_id anyelement, ordered_at timestamptz, amount float8, options bigint[])
 *
 * In a parallel plan each participant fills a table of its own; a worker packs its table into a
 * bytea, the leader passes a pointer to its own, and the combine function merges them. The final
 * function gives the number of customers, and hands the table itself to crm_activity_read, which is
 * recognised by a mark in the query's parameter list that SQL cannot make.
 */
#include "pg/activity.h"

#include "access/parallel.h"
#include "catalog/pg_type.h"
#include "nodes/execnodes.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "pg/memory.h"
#include "pg/source.h"

/* What travels between participants: a worker's packed table, or the leader's own table. */
typedef struct Parcel
{
	int32 vl_len_; /* varlena header */
	Oid key_type;
	Oid collation;
	CrmActivity *here; /* in this very backend; NULL when packed */
	char packed[];
} Parcel;

/* How the final function hands the table over. */
typedef struct Receiver
{
	MemoryContext keep; /* where its memory goes */
	CrmActivity *activity;
} Receiver;

/* Never called: its address in ParamListInfo.parserSetup is the mark. */
static void
receiver_mark(struct ParseState *pstate, void *arg)
{
	(void) pstate;
	(void) arg;
}

/* Raise the error that a status stands for, with the size of the table. */
void
crm_activity_check(CrmActivity *activity, CrmStatus status)
{
	if (status != CRM_OK)
		crm_memory_check(status, &activity->ctx, "the table of customers and periods",
						 psprintf("%u customers from %lld rows so far, %zu bytes a customer.",
								  activity->cells.table.n, (long long) activity->cells.rows.read,
								  activity->ctx.used / Max(activity->cells.table.n, 1)));
}

/* Make an empty table with a memory context of its own below parent. */
CrmActivity *
crm_activity_state(MemoryContext parent, Oid key_type, Oid collation)
{
	CrmCtx ctx;
	MemoryContext memory = crm_memory_begin(&ctx, parent, "crm activity");
	CrmActivity *activity = MemoryContextAllocZero(memory, sizeof(CrmActivity));

	activity->memory = memory;
	activity->ctx = ctx;
	crm_key_type(&activity->key_type, key_type, collation);
	crm_activity_check(activity,
					   crm_cells_init(&activity->cells, &activity->ctx, activity->key_type.kind));
	if (activity->key_type.kind == CRM_KEY_BYTES && !activity->key_type.plain_bytes)
	{
		activity->cells.table.equal = crm_key_equal;
		activity->cells.table.equal_user = &activity->key_type;
	}
	return activity;
}

/* Add what was ordered, or raise the memory error. */
void
crm_activity_add(CrmActivity *activity, const CrmKey *key, const CrmCellOrder *order)
{
	CrmStatus status = crm_cells_add(&activity->cells, key, order);

	if (unlikely(status != CRM_OK))
		crm_activity_check(activity, status);
}

/* Make the state of a first row, by the options. */
static CrmActivity *
begin_state(FunctionCallInfo fcinfo)
{
	MemoryContext context = crm_aggregate_context(fcinfo);
	Oid key_type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	Interval length = {0};
	CrmActivity *activity;
	ArrayType *array;
	int64 *option;

	if (PG_ARGISNULL(4))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("argument \"options\" must not be null"));
	array = PG_GETARG_ARRAYTYPE_P(4);
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != CRM_ACTIVITY_OPTIONS || ARR_HASNULL(array) ||
		ARR_ELEMTYPE(array) != INT8OID || !OidIsValid(key_type))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("crm._activity is private to the analytics of crm"));
	option = (int64 *) ARR_DATA_PTR(array);
	activity = crm_activity_state(context, key_type, PG_GET_COLLATION());
	activity->as_of = option[CRM_ACTIVITY_AS_OF];
	activity->refunds = (CrmRefunds) option[CRM_ACTIVITY_REFUNDS];
	activity->earliest = (int32) option[CRM_ACTIVITY_EARLIEST];
	length.month = (int32) option[CRM_ACTIVITY_MONTHS];
	length.time = option[CRM_ACTIVITY_MICROS];
	crm_period_begin(&activity->period, &length, session_timezone);
	length.month = (int32) option[CRM_ACTIVITY_COHORT_MONTHS];
	length.time = option[CRM_ACTIVITY_COHORT_MICROS];
	crm_period_begin(&activity->cohort, &length, session_timezone);
	activity->is_same = activity->period.months == activity->cohort.months &&
						activity->period.micros == activity->cohort.micros;
	return activity;
}

/* Make the cell of an order; false for a refund that is to be left out. */
static bool
make_cell(CrmActivity *activity, TimestampTz ordered_at, double amount, CrmCellOrder *order)
{
	bool is_refund = amount < 0.0;

	if (is_refund && activity->refunds == CRM_REFUNDS_ERROR)
		crm_orders_refund_error();
	if (is_refund && activity->refunds == CRM_REFUNDS_DROP)
		return false;
	order->cell.period = crm_period_number(&activity->period, ordered_at);
	order->cell.orders = !is_refund;
	order->cell.amount = amount;
	order->cohort = activity->is_same || is_refund
						? order->cell.period
						: crm_period_number(&activity->cohort, ordered_at);
	if (order->cell.period < activity->earliest)
	{
		order->cell.period = activity->earliest;
		order->cell.amount = 0.0;
	}
	return true;
}

PG_FUNCTION_INFO_V1(crm_activity_transition_1_0);
/* crm._activity_transition(internal, anyelement, timestamptz, float8, bigint[]) -> internal */
Datum
crm_activity_transition_1_0(PG_FUNCTION_ARGS)
{
	CrmActivity *activity =
		PG_ARGISNULL(0) ? begin_state(fcinfo) : (CrmActivity *) PG_GETARG_POINTER(0);
	CrmRowCount *rows = &activity->cells.rows;
	TimestampTz ordered_at;
	CrmCellOrder order;
	double amount;
	CrmKey key;
	Datum room;

	rows->read++;
	if (PG_ARGISNULL(1))
	{
		rows->null_key++;
		PG_RETURN_POINTER(activity);
	}
	if (PG_ARGISNULL(2) || PG_ARGISNULL(3))
	{
		rows->null_value++;
		PG_RETURN_POINTER(activity);
	}
	ordered_at = PG_GETARG_TIMESTAMPTZ(2);
	amount = PG_GETARG_FLOAT8(3);
	if (TIMESTAMP_NOT_FINITE(ordered_at) || isnan(amount) || isinf(amount))
		rows->non_finite++;
	else if (ordered_at > activity->as_of)
		rows->after_as_of++;
	else if (!make_cell(activity, ordered_at, amount, &order))
		rows->refund++;
	else
	{
		rows->used++;
		key = crm_key_from_datum(&activity->key_type, PG_GETARG_DATUM(1), &room);
		crm_activity_add(activity, &key, &order);
	}
	PG_RETURN_POINTER(activity);
}

PG_FUNCTION_INFO_V1(crm_activity_serialize_1_0);
/* crm._activity_serialize(internal) -> bytea: a worker packs its table, the leader passes its own
 * by pointer */
Datum
crm_activity_serialize_1_0(PG_FUNCTION_ARGS)
{
	CrmActivity *activity = (CrmActivity *) PG_GETARG_POINTER(0);
	Size bytes = offsetof(Parcel, packed);
	Parcel *parcel;

	(void) crm_aggregate_context(fcinfo);
	crm_activity_check(activity, crm_cells_flush(&activity->cells));
	if (IsParallelWorker())
		bytes += crm_cells_packed_size(&activity->cells);
	if (bytes > MaxAllocSize)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("too many customers and periods for a parallel worker to hand over"),
				errdetail("%u customers take %zu MB, the limit is 1024 MB.",
						  activity->cells.table.n, bytes / (1024 * 1024)),
				errhint("SET max_parallel_workers_per_gather = 0 for this query."));
	parcel = palloc(bytes);
	SET_VARSIZE(parcel, bytes);
	parcel->key_type = activity->key_type.type;
	parcel->collation = activity->key_type.collation;
	parcel->here = IsParallelWorker() ? NULL : activity;
	if (parcel->here == NULL)
	{
		crm_activity_check(activity, crm_cells_pack(&activity->cells, parcel->packed));
		MemoryContextDelete(activity->memory); /* nobody asks for it again, and it is large */
	}
	PG_RETURN_BYTEA_P((bytea *) parcel);
}

PG_FUNCTION_INFO_V1(crm_activity_deserialize_1_0);
/* crm._activity_deserialize(bytea, internal) -> internal: the parcel itself; the combine function
 * opens it */
Datum
crm_activity_deserialize_1_0(PG_FUNCTION_ARGS)
{
	(void) crm_aggregate_context(fcinfo);
	PG_RETURN_POINTER(PG_GETARG_BYTEA_P(0));
}

PG_FUNCTION_INFO_V1(crm_activity_combine_1_0);
/* crm._activity_combine(internal, internal) -> internal: merges a parcel into the state */
Datum
crm_activity_combine_1_0(PG_FUNCTION_ARGS)
{
	CrmActivity *activity = PG_ARGISNULL(0) ? NULL : (CrmActivity *) PG_GETARG_POINTER(0);
	MemoryContext context = crm_aggregate_context(fcinfo);
	Parcel *parcel;

	if (PG_ARGISNULL(1))
	{
		if (activity == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(activity);
	}
	parcel = (Parcel *) PG_GETARG_POINTER(1);
	if (activity == NULL && parcel->here != NULL)
	{
		MemoryContextSetParent(parcel->here->memory, context);
		PG_RETURN_POINTER(parcel->here);
	}
	if (activity == NULL)
		activity = crm_activity_state(context, parcel->key_type, parcel->collation);
	if (parcel->here != NULL)
	{
		crm_activity_check(activity, crm_cells_merge(&activity->cells, &parcel->here->cells));
		MemoryContextDelete(parcel->here->memory);
	}
	else
		crm_activity_check(activity, crm_cells_unpack(&activity->cells, parcel->packed,
													  VARSIZE(parcel) - offsetof(Parcel, packed)));
	PG_RETURN_POINTER(activity);
}

PG_FUNCTION_INFO_V1(crm_activity_final_1_0);
/* crm._activity_final(internal) -> bigint: the number of customers; the table goes to the receiver
 */
Datum
crm_activity_final_1_0(PG_FUNCTION_ARGS)
{
	CrmActivity *activity;
	ParamListInfo params;

	(void) crm_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	activity = (CrmActivity *) PG_GETARG_POINTER(0);
	crm_activity_check(activity, crm_cells_flush(&activity->cells));
	params = castNode(AggState, fcinfo->context)->ss.ps.state->es_param_list_info;
	if (params != NULL && params->parserSetup == receiver_mark)
	{
		Receiver *receiver = params->parserSetupArg;

		MemoryContextSetParent(activity->memory, receiver->keep);
		receiver->activity = activity;
	}
	PG_RETURN_INT64(activity->cells.table.n);
}

/* Check the query's one row: the table of so many customers came to the receiver already. */
static void
read_count(TupleTableSlot *slot, void *arg)
{
	const Receiver *receiver = arg;
	int64 customers = DatumGetInt64(slot->tts_values[0]);

	if (customers != (receiver->activity != NULL ? receiver->activity->cells.table.n : 0))
		elog(ERROR, "crm internal: the table of customers did not arrive");
}

/* Give the query that reads a source's SELECT. */
static char *
activity_sql(const CrmActivityRequest *request, const char *select)
{
	/*
	 * a parallel-restricted function on top keeps the final step in this backend, whatever the
	 * plan
	 */
	return psprintf("SELECT n.customers, pg_catalog.pg_backend_pid() FROM (SELECT "
					"crm._activity(q.customer_id, q.ordered_at::pg_catalog.timestamptz, "
					"q.amount::pg_catalog.float8, '{%lld,%d,%d,%lld,%d,%lld,%d}'"
					"::pg_catalog.int8[]) AS customers FROM (%s\n) q) n",
					(long long) request->as_of, (int) request->refunds, request->period.month,
					(long long) (request->period.day * USECS_PER_DAY + request->period.time),
					request->cohort.month,
					(long long) (request->cohort.day * USECS_PER_DAY + request->cohort.time),
					request->earliest, select);
}

/*
 * Read a source of orders. The table lives in a memory context below the current one. The account
 * of the run gets the road, the rows and the workers.
 */
CrmActivity *
crm_activity_read(const CrmActivityRequest *request, CrmRun *run)
{
	Receiver receiver = {.keep = CurrentMemoryContext};
	ParamListInfo params;
	CrmQuery query;
	char *select;

	crm_source_open();
	select = crm_source_select(request->source, &crm_contract_orders);
	query = crm_source_prepare(activity_sql(request, select), &crm_contract_orders);
	params = makeParamList(0);
	params->parserSetup = receiver_mark;
	params->parserSetupArg = &receiver;
	crm_source_run(&query, params, false, read_count, &receiver);
	crm_source_close();
	run->road = "hash";
	if (receiver.activity == NULL)
		receiver.activity = crm_activity_state(receiver.keep, INT8OID, InvalidOid);
	crm_activity_finish(receiver.activity, run);
	return receiver.activity;
}

/* Take in what waits, and tell the account of the run the rows and the workers. */
void
crm_activity_finish(CrmActivity *activity, CrmRun *run)
{
	crm_activity_check(activity, crm_cells_flush(&activity->cells));
	run->rows = activity->cells.rows;
	run->customers = activity->cells.table.n;
	run->workers = activity->cells.participants - 1;
}

/* Close the account and free the memory. */
void
crm_activity_end(CrmActivity *activity, CrmRun *run)
{
	run->peak_memory = (int64) Max(activity->ctx.peak, activity->cells.other_peak);
	run->total_memory = (int64) (activity->ctx.peak + activity->cells.other_bytes);
	crm_run_end(run);
	MemoryContextDelete(activity->memory);
}
