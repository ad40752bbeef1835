/*
 * track.c: the triggers that log what happens to an application's table as interactions of a
 * customer. What they are told by their arguments is in attachment.c.
 *
 * The statement trigger reads the transition tables row by row and writes all log rows at once;
 * the old and the new row of an update are at the same place of their tables, as the executor puts
 * them there together. The row trigger does the same for one row.
 */
#include "pg/compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "kernel/base/table.h"
#include "pg/memory.h"
#include "pg/module.h"
#include "track/attachment.h"

#define ROUND_ROWS 10000 /* rows whose customers are resolved at once */

/* One call of a trigger. */
typedef struct Call
{
	TriggerData *trigger;
	const CrmAttachment *attachment;
	Datum action; /* texts of the log */
	Datum agent, truncated;
	bool has_agent, has_truncated; /* truncated: which part of the tracked table was */
	MemoryContext row_memory;
	MemoryContext identity_memory; /* of ctx */
	CrmCtx ctx;
	CrmTable identities; /* external id -> customer id, of this call; used with a source */
	CrmLog log;
} Call;

/*
 * Raise an error unless called as the right kind of trigger, with arguments that crm.track()
 * gives.
 */
static void
check_protocol(FunctionCallInfo fcinfo, bool for_each_row)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const char *name = for_each_row ? "crm._track_row" : "crm._track_statement";

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("%s must be called as a trigger", name), errhint("Use crm.track()."));
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) != for_each_row)
		ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("%s must be fired AFTER and FOR EACH %s", name,
					   for_each_row ? "ROW" : "STATEMENT"),
				errhint("Use crm.track()."));
	if (!for_each_row && !TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event) &&
		((!TRIGGER_FIRED_BY_DELETE(trigger->tg_event) && trigger->tg_newtable == NULL) ||
		 (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && trigger->tg_oldtable == NULL)))
		ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("%s needs transition tables", name), errhint("Use crm.track()."));
}

/* Work out everything that does not depend on a row. */
static void
begin_call(Call *call, FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const char *agent = crm_agent();

	memset(call, 0, offsetof(Call, log));
	call->trigger = trigger;
	call->attachment = crm_attachment(trigger);
	call->action = call->attachment
					   ->action[TRIGGER_FIRED_BY_INSERT(trigger->tg_event)   ? CRM_ACTION_INSERT
								: TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? CRM_ACTION_UPDATE
								: TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ? CRM_ACTION_DELETE
																			 : CRM_ACTION_TRUNCATE];
	call->has_agent = agent != NULL && *agent != '\0';
	if (call->has_agent)
		call->agent = CStringGetTextDatum(agent);
}

/* Give when a row happened: for an insert the column that says so, else, and for no row, now. */
static TimestampTz
occurred_at(const Call *call, TupleTableSlot *slot)
{
	bool null;
	Datum value;
	int overflow;

	if (slot == NULL || !call->attachment->has_occurred_at ||
		!TRIGGER_FIRED_BY_INSERT(call->trigger->tg_event))
		return GetCurrentTransactionStartTimestamp();
	value = slot_getattr(slot, call->attachment->occurred_at.number, &null);
	if (!null)
		switch (call->attachment->occurred_at.type)
		{
			case TIMESTAMPTZOID:
				return DatumGetTimestampTz(value);
			case TIMESTAMPOID:
				return timestamp2timestamptz_opt_overflow(DatumGetTimestamp(value), &overflow);
			case DATEOID:
				return date2timestamptz_opt_overflow(DatumGetDateADT(value), &overflow);
			default: /* retyped since crm.track() checked it */
				break;
		}
	return GetCurrentTransactionStartTimestamp();
}

/* Give the key of the customer of a row in the table of identities; false when it is NULL. */
static bool
external_key(const Call *call, TupleTableSlot *slot, CrmKey *key)
{
	bool null;
	Datum value = slot_getattr(slot, call->attachment->customer.number, &null);
	text *external;

	if (null)
		return false;
	external = crm_column_text(&call->attachment->customer, value);
	key->bytes = VARDATA_ANY(external);
	key->length = VARSIZE_ANY_EXHDR(external);
	key->hash = crm_hash_bytes(key->bytes, key->length);
	return key->length > 0;
}

/* Find the customer id that belongs to a key, where it is kept; 0 is unknown. */
static int64 *
find_identity(Call *call, const CrmKey *key)
{
	void *row;

	crm_memory_check(crm_table_find(&call->identities, key, 1, &row), &call->ctx,
					 "tracking many customers in one statement", NULL);
	return (int64 *) ((char *) row + call->identities.key_size);
}

/* Take one resolved identity. */
static void
take_identity(text *external_id, int64 customer_id, void *arg)
{
	Call *call = arg;
	CrmKey key = {.length = VARSIZE_ANY_EXHDR(external_id)};

	key.bytes = VARDATA_ANY(external_id);
	key.hash = crm_hash_bytes(key.bytes, key.length);
	*find_identity(call, &key) = customer_id;
}

/* Give the customer of a row, 0 when it is NULL or unknown. */
static int64
customer_of(Call *call, TupleTableSlot *slot)
{
	bool null;
	Datum value;
	CrmKey key;

	if (call->attachment->has_source)
		return external_key(call, slot, &key) ? *find_identity(call, &key) : 0;
	value = slot_getattr(slot, call->attachment->customer.number, &null);
	if (null)
		return 0;
	return call->attachment->customer.type == INT2OID   ? DatumGetInt16(value)
		   : call->attachment->customer.type == INT4OID ? DatumGetInt32(value)
														: DatumGetInt64(value);
}

/* The values of one row of the log. */
typedef struct LogRow
{
	Datum values[LOG_COLUMNS];
	bool nulls[LOG_COLUMNS];
} LogRow;

/* Set a value that is not NULL. */
static void
set_value(LogRow *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

/* Set channel and direction where columns give them; no direction that the log does not take. */
static void
set_words(const CrmAttachment *attachment, TupleTableSlot *slot, LogRow *row)
{
	bool null;
	Datum value;
	text *word;

	if (attachment->has_channel)
	{
		value = slot_getattr(slot, attachment->channel.number, &null);
		if (!null)
			set_value(row, LOG_CHANNEL,
					  PointerGetDatum(crm_column_text(&attachment->channel, value)));
	}
	if (attachment->has_direction)
	{
		value = slot_getattr(slot, attachment->direction.number, &null);
		if (null)
			return;
		word = crm_column_text(&attachment->direction, value);
		if (crm_is_direction(VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word)))
			set_value(row, LOG_DIRECTION, PointerGetDatum(word));
	}
}

/* Log one row of a customer, 0 when unknown; the slots are as for log_row. */
static void
log_customer_row(Call *call, int64 customer, TupleTableSlot *old_row, TupleTableSlot *new_row)
{
	const CrmAttachment *attachment = call->attachment;
	TupleTableSlot *slot = new_row != NULL ? new_row : old_row;
	text *key = slot != NULL ? crm_column_key(attachment->keys, attachment->n_keys, slot) : NULL;
	Jsonb *detail =
		crm_columns_detail(attachment->columns, attachment->n_columns, old_row, new_row);
	LogRow row;

	memcpy(row.values, attachment->constant, sizeof(row.values));
	memcpy(row.nulls, attachment->constant_null, sizeof(row.nulls));
	set_value(&row, LOG_CUSTOMER_ID, Int64GetDatum(customer));
	set_value(&row, LOG_TRANSACTION_ID, FullTransactionIdGetDatum(GetTopFullTransactionId()));
	set_value(&row, LOG_OCCURRED_AT, TimestampTzGetDatum(occurred_at(call, slot)));
	set_value(&row, LOG_ACTION, call->action);
	if (slot != NULL)
		set_words(attachment, slot, &row);
	if (call->has_agent)
		set_value(&row, LOG_AGENT, call->agent);
	if (key != NULL)
		set_value(&row, LOG_REFERENCE_KEY, PointerGetDatum(key));
	else if (call->has_truncated)
		set_value(&row, LOG_REFERENCE_KEY, call->truncated);
	if (detail != NULL)
		set_value(&row, LOG_DETAIL, JsonbPGetDatum(detail));
	crm_log_add(&call->log, row.values, row.nulls);
}

/*
 * Put one row into the log, unless nothing that counts has changed or its customer is unknown and
 * such are skipped; old_row is NULL for an insert, new_row for a delete, both for a truncate.
 */
static void
log_row(Call *call, TupleTableSlot *old_row, TupleTableSlot *new_row)
{
	const CrmAttachment *attachment = call->attachment;
	TupleTableSlot *slot = new_row != NULL ? new_row : old_row;
	MemoryContext caller;
	int64 customer;

	CHECK_FOR_INTERRUPTS();
	if (old_row != NULL && new_row != NULL &&
		!crm_columns_differ(attachment->compared, attachment->n_compared, old_row, new_row))
		return;
	MemoryContextReset(call->row_memory);
	caller = MemoryContextSwitchTo(call->row_memory);
	customer = slot != NULL ? customer_of(call, slot) : 0;
	if (customer != 0 || slot == NULL || !attachment->skip)
		log_customer_row(call, customer, old_row, new_row);
	MemoryContextSwitchTo(caller);
}

/* Collect the external ids of a slot's customer, each once, and resolve them when all are in. */
static void
collect_identity(Call *call, TupleTableSlot *slot)
{
	MemoryContext caller = MemoryContextSwitchTo(call->row_memory);
	CrmKey key;

	CHECK_FOR_INTERRUPTS();
	if (external_key(call, slot, &key))
		(void) find_identity(call, &key);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(call->row_memory);
}

/* Resolve the external ids that were collected and are unknown yet. */
static void
resolve_unknown(Call *call, bool create_missing)
{
	uint32 n = 0;
	Datum *ids = palloc(Max(call->identities.n, 1) * sizeof(Datum));

	for (uint32 i = 0; i < call->identities.n; i++)
	{
		CrmKey key = crm_table_key(&call->identities, i);

		if (*find_identity(call, &key) == 0)
			ids[n++] = PointerGetDatum(cstring_to_text_with_len(key.bytes, key.length));
	}
	if (n > 0)
		crm_log_resolve(&call->log, call->attachment->source, ids, n, create_missing, take_identity,
						call);
}

/* Resolve the external ids that were collected; most are known, so only then create the others. */
static void
resolve_identities(Call *call)
{
	resolve_unknown(call, false);
	if (call->attachment->create)
		resolve_unknown(call, true);
}

/* Begin the table of identities when there is a source. */
static void
begin_identities(Call *call)
{
	call->identity_memory =
		crm_memory_begin(&call->ctx, CurrentMemoryContext, "crm tracked customers");
	crm_memory_check(crm_table_init(&call->identities, &call->ctx, CRM_KEY_BYTES, sizeof(int64)),
					 &call->ctx, "tracking", NULL);
}

/* Begin to read a transition table; NULL stays NULL. */
static TupleTableSlot *
begin_reading(Call *call, Tuplestorestate *table, int *pointer)
{
	if (table == NULL)
		return NULL;
	*pointer = tuplestore_alloc_read_pointer(table, EXEC_FLAG_REWIND);
	return MakeSingleTupleTableSlot(RelationGetDescr(call->trigger->tg_relation),
									&TTSOpsMinimalTuple);
}

/* Read the next row of a transition table, if there is a table; false at its end. */
static bool
read_next(Tuplestorestate *table, int pointer, TupleTableSlot *slot)
{
	if (table == NULL)
		return false;
	tuplestore_select_read_pointer(table, pointer);
	return tuplestore_gettupleslot(table, true, false, slot);
}

/* Collect and resolve the customers of the next rows of a transition table. */
static void
look_ahead(Call *call, Tuplestorestate *table, int pointer, TupleTableSlot *slot)
{
	if (call->identity_memory != NULL)
		MemoryContextDelete(call->identity_memory);
	begin_identities(call);
	for (int i = 0; i < ROUND_ROWS && read_next(table, pointer, slot); i++)
		collect_identity(call, slot);
	resolve_identities(call);
}

/*
 * Log the rows of the transition tables, of one as inserts or deletes, of both as updates. With a
 * source, customers are resolved in rounds, so that memory stays bounded.
 */
static void
log_tables(Call *call, Tuplestorestate *old_table, Tuplestorestate *new_table)
{
	Tuplestorestate *main_table = new_table != NULL ? new_table : old_table;
	int old_pointer = 0, new_pointer = 0, ahead_pointer = 0;
	TupleTableSlot *old_row = begin_reading(call, old_table, &old_pointer);
	TupleTableSlot *new_row = begin_reading(call, new_table, &new_pointer);
	TupleTableSlot *ahead = begin_reading(call, main_table, &ahead_pointer);

	for (int64 i = 0;; i++)
	{
		bool has_old, has_new;

		if (i % ROUND_ROWS == 0 && call->attachment->has_source)
			look_ahead(call, main_table, ahead_pointer, ahead);
		has_old = read_next(old_table, old_pointer, old_row);
		has_new = read_next(new_table, new_pointer, new_row);
		if (!has_old && !has_new)
			break;
		log_row(call, old_row, new_row);
	}
	ExecDropSingleTupleTableSlot(ahead);
	if (old_row != NULL)
		ExecDropSingleTupleTableSlot(old_row);
	if (new_row != NULL)
		ExecDropSingleTupleTableSlot(new_row);
}

/*
 * Log what the statement did. When an update has more old rows than new ones (a trigger of the
 * partition that rows moved to refused some), they cannot be paired: the old ones are logged as
 * deletes and the new ones as inserts.
 */
static void
log_statement(Call *call)
{
	Tuplestorestate *old_table = call->trigger->tg_oldtable;
	Tuplestorestate *new_table = call->trigger->tg_newtable;

	if (old_table == NULL || new_table == NULL ||
		tuplestore_tuple_count(old_table) == tuplestore_tuple_count(new_table))
		log_tables(call, old_table, new_table);
	else
	{
		call->action = call->attachment->action[CRM_ACTION_DELETE];
		log_tables(call, old_table, NULL);
		call->action = call->attachment->action[CRM_ACTION_INSERT];
		log_tables(call, NULL, new_table);
	}
}

/* Log a TRUNCATE: of which table, when it is a part of the tracked one. */
static void
log_truncate(Call *call)
{
	Relation relation = call->trigger->tg_relation;
	char *name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
											RelationGetRelationName(relation));

	call->has_truncated = strcmp(name, call->attachment->name) != 0;
	if (call->has_truncated)
		call->truncated = CStringGetTextDatum(name);
	log_row(call, NULL, NULL);
}

/* Log the one row of a row trigger. */
static void
log_tuple(Call *call)
{
	bool is_update = TRIGGER_FIRED_BY_UPDATE(call->trigger->tg_event);
	bool is_insert = TRIGGER_FIRED_BY_INSERT(call->trigger->tg_event);
	TupleTableSlot *first = call->trigger->tg_trigslot;
	TupleTableSlot *old_row = is_insert ? NULL : first;
	TupleTableSlot *new_row = is_insert ? first : is_update ? call->trigger->tg_newslot : NULL;

	if (call->attachment->has_source)
	{
		begin_identities(call);
		collect_identity(call, new_row != NULL ? new_row : old_row);
		resolve_identities(call);
	}
	log_row(call, old_row, new_row);
}

/* Do the work of either trigger in a memory context of its own. */
static void
track(FunctionCallInfo fcinfo, bool for_each_row)
{
	MemoryContext memory =
		AllocSetContextCreate(CurrentMemoryContext, "crm tracking", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(memory);
	Call call;

	begin_call(&call, fcinfo);
	call.row_memory = AllocSetContextCreate(memory, "crm tracked row", ALLOCSET_DEFAULT_SIZES);
	crm_log_begin(&call.log);
	if (TRIGGER_FIRED_BY_TRUNCATE(call.trigger->tg_event))
		log_truncate(&call);
	else if (for_each_row)
		log_tuple(&call);
	else
		log_statement(&call);
	crm_log_end(&call.log);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(memory);
}

PG_FUNCTION_INFO_V1(crm_track_statement_1_0);
/* crm._track_statement() -> trigger: AFTER, FOR EACH STATEMENT, with transition tables */
Datum
crm_track_statement_1_0(PG_FUNCTION_ARGS)
{
	check_protocol(fcinfo, false);
	track(fcinfo, false);
	PG_RETURN_POINTER(NULL);
}

PG_FUNCTION_INFO_V1(crm_track_row_1_0);
/* crm._track_row() -> trigger: AFTER, FOR EACH ROW */
Datum
crm_track_row_1_0(PG_FUNCTION_ARGS)
{
	check_protocol(fcinfo, true);
	track(fcinfo, true);
	PG_RETURN_POINTER(NULL);
}
