/*
 * collect.c: the hash road, an aggregate whose state is a table of customers (base/customers.h).
 *
 *   crm._collect(customer_id anyelement, ordered_at timestamptz, amount float8, options bigint[])
 *
 * In a parallel plan each participant fills a table of its own; a worker packs its table into a
 * bytea, the leader passes a pointer to its own, and the combine function merges them. The final
 * function gives the number of customers, and hands the table itself to whoever runs the query
 * (crm_orders_read), who is recognised by a mark in the query's parameter list that SQL cannot
 * make.
 */
#include "pg/orders.h"

#include "access/parallel.h"
#include "catalog/pg_type.h"
#include "nodes/execnodes.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "pg/memory.h"

/* What travels between participants: a worker's packed table, or the leader's own table. */
typedef struct Parcel
{
	int32 vl_len_; /* varlena header */
	Oid key_type;
	Oid collation;
	int32 features;
	CrmOrdersState *here; /* in this very backend; NULL when packed */
	char packed[];
} Parcel;

/* Never called: its address in ParamListInfo.parserSetup is the mark. */
static void
collector_mark(struct ParseState *pstate, void *arg)
{
	(void) pstate;
	(void) arg;
}

/* Mark a query's parameter list, so that the aggregate's table comes to this collector. */
void
crm_collect_mark(ParamListInfo params, CrmCollector *collector)
{
	params->parserSetup = collector_mark;
	params->parserSetupArg = collector;
}

/* Make an empty state with a memory context of its own below parent. */
CrmOrdersState *
crm_orders_state(MemoryContext parent, Oid key_type, Oid collation, int features)
{
	CrmCtx ctx;
	MemoryContext memory = crm_memory_begin(&ctx, parent, "crm orders");
	CrmOrdersState *state = MemoryContextAllocZero(memory, sizeof(CrmOrdersState));

	state->memory = memory;
	state->ctx = ctx;
	crm_key_type(&state->key_type, key_type, collation);
	crm_orders_check(
		state, crm_customers_init(&state->customers, &state->ctx, state->key_type.kind, features));
	if (state->key_type.kind == CRM_KEY_BYTES && !state->key_type.plain_bytes)
	{
		state->customers.table.equal = crm_key_equal;
		state->customers.table.equal_user = &state->key_type;
	}
	return state;
}

/* Raise the error that a status stands for, with the size of the table. */
void
crm_orders_check(CrmOrdersState *state, CrmStatus status)
{
	if (status != CRM_OK)
		crm_memory_check(status, &state->ctx, "the table of customers",
						 psprintf("%u customers from %lld rows so far, %zu bytes a customer.",
								  state->customers.table.n, (long long) state->customers.rows.read,
								  state->ctx.used / Max(state->customers.table.n, 1)));
}

/* Tell the account of a run what memory its processes took; to be called last. */
void
crm_orders_memory(const CrmOrdersState *state, CrmRun *run)
{
	run->peak_memory = (int64) Max(state->ctx.peak, state->customers.other_peak);
	run->total_memory = (int64) (state->ctx.peak + state->customers.other_bytes);
}

/*
 * Give memory for n items beside the customers, within the same budget, or raise the memory error.
 */
void *
crm_orders_allocate(CrmOrdersState *state, size_t n, size_t size)
{
	void *memory = crm_allocate(&state->ctx, n, size);

	if (memory == NULL)
		crm_orders_check(state, state->ctx.failure);
	return memory;
}

/* Raise the error for refunds where they are forbidden. */
void
crm_orders_refund_error(void)
{
	ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION),
			errmsg("the source has amounts below zero, and refunds => 'error' forbids them"),
			errhint("Use refunds => 'net' to subtract them, or 'drop' to leave them out."));
}

/* Make the state of a first row, by the options. */
static CrmOrdersState *
begin_state(FunctionCallInfo fcinfo)
{
	MemoryContext context = crm_aggregate_context(fcinfo);
	Oid key_type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	CrmOrdersState *state;
	ArrayType *array;
	int64 *option;

	if (PG_ARGISNULL(4))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("argument \"options\" must not be null"));
	array = PG_GETARG_ARRAYTYPE_P(4);
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != CRM_COLLECT_OPTIONS || ARR_HASNULL(array) ||
		ARR_ELEMTYPE(array) != INT8OID || !OidIsValid(key_type))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("crm._collect is private to the analytics of crm"));
	option = (int64 *) ARR_DATA_PTR(array);
	state =
		crm_orders_state(context, key_type, PG_GET_COLLATION(),
						 (int) option[CRM_COLLECT_FEATURES] &
							 (CRM_CUSTOMERS_MOMENTS | CRM_CUSTOMERS_PERIODS | CRM_CUSTOMERS_FIRST));
	state->as_of = option[CRM_COLLECT_AS_OF];
	state->refunds = (CrmRefunds) option[CRM_COLLECT_REFUNDS];
	if (state->customers.features & CRM_CUSTOMERS_PERIODS)
	{
		Interval length = {.month = (int32) option[CRM_COLLECT_MONTHS],
						   .time = option[CRM_COLLECT_MICROS]};

		crm_period_begin(&state->period, &length, session_timezone);
	}
	return state;
}

/* Tell whether a refund is to be left out; an error when refunds are errors. */
static bool
is_dropped_refund(const CrmOrdersState *state, double amount)
{
	if (amount >= 0 || state->refunds == CRM_REFUNDS_NET)
		return false;
	if (state->refunds == CRM_REFUNDS_ERROR)
		crm_orders_refund_error();
	return true;
}

PG_FUNCTION_INFO_V1(crm_collect_transition_1_0);
/* crm._collect_transition(internal, anyelement, timestamptz, float8, bigint[]) -> internal */
Datum
crm_collect_transition_1_0(PG_FUNCTION_ARGS)
{
	CrmOrdersState *state =
		PG_ARGISNULL(0) ? begin_state(fcinfo) : (CrmOrdersState *) PG_GETARG_POINTER(0);
	CrmRowCount *rows = &state->customers.rows;
	CrmOrder order;
	CrmKey key;
	Datum room;

	rows->read++;
	if (PG_ARGISNULL(1))
		rows->null_key++;
	else if (PG_ARGISNULL(2) || PG_ARGISNULL(3))
		rows->null_value++;
	else
	{
		order.ordered_at = PG_GETARG_TIMESTAMPTZ(2);
		order.amount = PG_GETARG_FLOAT8(3);
		if (TIMESTAMP_NOT_FINITE(order.ordered_at) || isnan(order.amount) || isinf(order.amount))
			rows->non_finite++;
		else if (order.ordered_at > state->as_of)
			rows->after_as_of++;
		else if (is_dropped_refund(state, order.amount))
			rows->refund++;
		else
		{
			CrmStatus status;

			rows->used++;
			if (state->customers.features & CRM_CUSTOMERS_PERIODS)
				order.period = crm_period_number(&state->period, order.ordered_at);
			key = crm_key_from_datum(&state->key_type, PG_GETARG_DATUM(1), &room);
			status = crm_customers_add(&state->customers, &key, &order);
			if (unlikely(status != CRM_OK))
				crm_orders_check(state, status);
		}
	}
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(crm_collect_serialize_1_0);
/* crm._collect_serialize(internal) -> bytea: a worker packs its table, the leader passes its own by
 * pointer */
Datum
crm_collect_serialize_1_0(PG_FUNCTION_ARGS)
{
	CrmOrdersState *state = (CrmOrdersState *) PG_GETARG_POINTER(0);
	Size bytes = offsetof(Parcel, packed);
	Parcel *parcel;

	(void) crm_aggregate_context(fcinfo);
	crm_orders_check(state, crm_customers_flush(&state->customers));
	if (IsParallelWorker())
		bytes += crm_customers_packed_size(&state->customers);
	if (bytes > MaxAllocSize)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("too many customers for a parallel worker to hand over"),
				errdetail("%u customers take %zu MB, the limit is 1024 MB.",
						  state->customers.table.n, bytes / (1024 * 1024)),
				errhint("SET max_parallel_workers_per_gather = 0 for this query."));
	parcel = palloc(bytes);
	SET_VARSIZE(parcel, bytes);
	parcel->key_type = state->key_type.type;
	parcel->collation = state->key_type.collation;
	parcel->features = state->customers.features;
	parcel->here = IsParallelWorker() ? NULL : state;
	if (parcel->here == NULL)
	{
		crm_orders_check(state, crm_customers_pack(&state->customers, parcel->packed));
		MemoryContextDelete(state->memory); /* nobody asks for it again, and it is large */
	}
	PG_RETURN_BYTEA_P((bytea *) parcel);
}

PG_FUNCTION_INFO_V1(crm_collect_deserialize_1_0);
/* crm._collect_deserialize(bytea, internal) -> internal: the parcel itself; the combine function
 * opens it */
Datum
crm_collect_deserialize_1_0(PG_FUNCTION_ARGS)
{
	(void) crm_aggregate_context(fcinfo);
	PG_RETURN_POINTER(PG_GETARG_BYTEA_P(0));
}

PG_FUNCTION_INFO_V1(crm_collect_combine_1_0);
/* crm._collect_combine(internal, internal) -> internal: merges a parcel into the state */
Datum
crm_collect_combine_1_0(PG_FUNCTION_ARGS)
{
	CrmOrdersState *state = PG_ARGISNULL(0) ? NULL : (CrmOrdersState *) PG_GETARG_POINTER(0);
	MemoryContext context = crm_aggregate_context(fcinfo);
	Parcel *parcel;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	parcel = (Parcel *) PG_GETARG_POINTER(1);
	if (state == NULL && parcel->here != NULL)
	{
		MemoryContextSetParent(parcel->here->memory, context);
		PG_RETURN_POINTER(parcel->here);
	}
	if (state == NULL)
		state = crm_orders_state(context, parcel->key_type, parcel->collation, parcel->features);
	if (parcel->here != NULL)
	{
		crm_orders_check(state, crm_customers_merge(&state->customers, &parcel->here->customers));
		MemoryContextDelete(parcel->here->memory);
	}
	else
		crm_orders_check(state, crm_customers_unpack(&state->customers, parcel->packed,
													 VARSIZE(parcel) - offsetof(Parcel, packed)));
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(crm_collect_final_1_0);
/* crm._collect_final(internal) -> bigint: the number of customers; the table goes to the collector
 */
Datum
crm_collect_final_1_0(PG_FUNCTION_ARGS)
{
	CrmOrdersState *state;
	ParamListInfo params;

	(void) crm_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	state = (CrmOrdersState *) PG_GETARG_POINTER(0);
	crm_orders_check(state, crm_customers_flush(&state->customers));
	params = castNode(AggState, fcinfo->context)->ss.ps.state->es_param_list_info;
	if (params != NULL && params->parserSetup == collector_mark)
	{
		CrmCollector *collector = params->parserSetupArg;

		MemoryContextSetParent(state->memory, collector->keep);
		collector->state = state;
	}
	PG_RETURN_INT64(state->customers.table.n);
}
