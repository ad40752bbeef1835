/*
 * log.c: rows on their way into crm.interaction.
 *
 * An INSERT by the executor costs more than all the rest of tracking, so a log that is as
 * crm.setup() made it is written directly, many rows a page at a time, as COPY does: heap first,
 * then each index. What an INSERT would do beyond that (defaults of columns of the user's, checks,
 * triggers, rules, partitions, partial and expression indexes) is not imitated: a log that has any
 * of it is written by crm_log_insert. Which it is, is worked out once and again whenever the
 * relation changes.
 */
#include "track/log.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "nodes/makefuncs.h"
#include "nodes/primnodes.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"
#include "utils/timestamp.h"

#define MAX_BATCH_BYTES ((size_t) 1024 * 1024) /* of detail; a batch is written when it has more */

const CrmLogColumn crm_log_columns[LOG_COLUMNS] = {
	{"customer_id", INT8OID},   {"occurred_at", TIMESTAMPTZOID},
	{"source", TEXTOID},        {"kind", TEXTOID},
	{"channel", TEXTOID},       {"direction", TEXTOID},
	{"action", TEXTOID},        {"reference", TEXTOID},
	{"reference_key", TEXTOID}, {"detail", JSONBOID},
	{"agent", TEXTOID},         {"transaction_id", XID8OID},
};

/* What crm.setup() gives the log to check; the triggers write nothing else. */
static const struct
{
	const char *name;
	const char *expression;
} known_checks[] = {
	{"interaction_direction_check",
	 "(direction = ANY (ARRAY['in'::text, 'out'::text, 'internal'::text]))"},
	{"interaction_action_check", "(action = ANY (ARRAY['insert'::text, 'update'::text, "
								 "'delete'::text, 'truncate'::text, 'log'::text]))"},
};

/*
 * The log as it was when last looked at; kept for the session, dropped when the relation changes.
 */
static struct
{
	bool valid;
	Oid relation;
	bool direct;
	AttrNumber number[LOG_COLUMNS];
	AttrNumber interaction_id, recorded_at;
	Oid sequence; /* of interaction_id */
} shape;

/* Forget the shape when its relation, or everything, changes. */
static void
forget_shape(Datum arg, Oid relation)
{
	(void) arg;
	if (relation == InvalidOid || relation == shape.relation)
		shape.valid = false;
}

/* Give crm.interaction; an error that says what to do when there is no such table. */
static Oid
find_relation(void)
{
	Oid schema = get_namespace_oid("crm", true);
	Oid relation = OidIsValid(schema) ? get_relname_relid("interaction", schema) : InvalidOid;

	if (!OidIsValid(relation))
		ereport(
			ERROR, errcode(ERRCODE_UNDEFINED_TABLE),
			errmsg("tracking needs the table crm.interaction, which does not exist"),
			errhint("Run crm.setup(), or drop the triggers whose names begin with crm_track_."));
	return relation;
}

/* Tell whether each row to log has a value in a column. */
static bool
is_never_null(int column)
{
	return column == LOG_CUSTOMER_ID || column == LOG_OCCURRED_AT || column == LOG_KIND ||
		   column == LOG_ACTION || column == LOG_TRANSACTION_ID;
}

/* Take note of a column; false when only the executor can fill it in. */
static bool
note_column(Relation table, Form_pg_attribute attribute)
{
	const char *name = NameStr(attribute->attname);
	Node *value;

	for (int i = 0; i < LOG_COLUMNS; i++)
		if (strcmp(name, crm_log_columns[i].name) == 0)
		{
			shape.number[i] = attribute->attnum;
			return attribute->atttypid == crm_log_columns[i].type && !attribute->attgenerated &&
				   (!attribute->attnotnull || is_never_null(i));
		}
	if (strcmp(name, "interaction_id") == 0)
	{
		shape.interaction_id = attribute->attnum;
		shape.sequence = attribute->attidentity != '\0'
							 ? crm_identity_sequence(table, attribute->attnum)
							 : InvalidOid;
		return attribute->atttypid == INT8OID && OidIsValid(shape.sequence);
	}
	if (strcmp(name, "recorded_at") == 0)
	{
		shape.recorded_at = attribute->attnum;
		value = build_column_default(table, attribute->attnum);
		return attribute->atttypid == TIMESTAMPTZOID && value != NULL && IsA(value, FuncExpr) &&
			   ((FuncExpr *) value)->funcid == F_NOW;
	}
	/* a column of the user's: good if it is simply NULL */
	return !attribute->attnotnull && !attribute->atthasdef && !attribute->attgenerated &&
		   !attribute->attidentity && get_typtype(attribute->atttypid) != TYPTYPE_DOMAIN;
}

/* Tell whether all checks of the log are those that its rows satisfy by construction. */
static bool
has_known_checks(Relation table)
{
	TupleConstr *constraints = RelationGetDescr(table)->constr;
	int settings = NewGUCNestLevel();
	bool all_known = true;

	/* what is written out of an expression depends on the search path */
	(void) set_config_option("search_path", "pg_catalog", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	for (int i = 0; constraints != NULL && i < constraints->num_check; i++)
	{
		ConstrCheck *check = &constraints->check[i];
		char *expression = deparse_expression(
			stringToNode(check->ccbin),
			deparse_context_for(RelationGetRelationName(table), RelationGetRelid(table)), false,
			false);
		bool known = false;

		for (int k = 0; k < (int) lengthof(known_checks); k++)
			known = known || (strcmp(check->ccname, known_checks[k].name) == 0 &&
							  strcmp(expression, known_checks[k].expression) == 0);
		all_known = all_known && known;
	}
	AtEOXact_GUC(true, settings);
	return all_known;
}

/*
 * Tell whether an index needs nothing but its columns: no expressions, no predicate, checked at
 * once.
 */
static bool
is_plain_index(Relation index)
{
	return RelationGetIndexExpressions(index) == NIL && RelationGetIndexPredicate(index) == NIL &&
		   index->rd_index->indimmediate && !index->rd_index->indisexclusion;
}

/* Work out the shape of the log, which is open and locked. */
static void
find_shape(Relation table)
{
	TupleDesc row = RelationGetDescr(table);
	TriggerDesc *triggers = table->trigdesc;
	ListCell *cell;
	bool direct = table->rd_rel->relkind == RELKIND_RELATION && !table->rd_rel->relispartition &&
				  table->rd_rules == NULL &&
				  (triggers == NULL ||
				   !(triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
					 triggers->trig_insert_instead_row || triggers->trig_insert_before_statement ||
					 triggers->trig_insert_after_statement)) &&
				  has_known_checks(table);

	memset(&shape, 0, sizeof(shape));
	for (int i = 0; i < row->natts; i++)
		if (!TupleDescAttr(row, i)->attisdropped)
			direct = note_column(table, TupleDescAttr(row, i)) && direct;
	for (int i = 0; i < LOG_COLUMNS; i++)
		direct = direct && shape.number[i] != InvalidAttrNumber;
	direct = direct && shape.interaction_id != InvalidAttrNumber;
	foreach (cell, RelationGetIndexList(table))
	{
		Relation index = index_open(lfirst_oid(cell), RowExclusiveLock);

		direct = direct && is_plain_index(index);
		index_close(index, NoLock);
	}
	shape.relation = RelationGetRelid(table);
	shape.direct = direct;
	shape.valid = true;
}

/* Begin to log. Nothing is opened until there is a row. */
void
crm_log_begin(CrmLog *log)
{
	memset(log, 0, offsetof(CrmLog, slot));
	log->memory = CurrentMemoryContext;
	log->relation = shape.valid ? shape.relation : find_relation();
}

/* Open the log for the first row. */
static void
open_log(CrmLog *log)
{
	static bool registered = false;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(forget_shape, (Datum) 0);
		registered = true;
	}
	log->table = table_open(log->relation, RowExclusiveLock);
	if (!shape.valid || shape.relation != log->relation)
		find_shape(log->table);
	log->direct = shape.direct;
	log->is_open = true;
	log->write_memory = AllocSetContextCreate(log->memory, "crm log write", ALLOCSET_DEFAULT_SIZES);
	if (log->direct)
	{
		List *indexes = RelationGetIndexList(log->table);
		ListCell *cell;

		log->index = palloc(Max(list_length(indexes), 1) * sizeof(Relation));
		log->index_info = palloc(Max(list_length(indexes), 1) * sizeof(IndexInfo *));
		foreach (cell, indexes)
		{
			Relation index = index_open(lfirst_oid(cell), RowExclusiveLock);

			if (!index->rd_index->indisready)
			{
				index_close(index, RowExclusiveLock);
				continue;
			}
			log->index[log->n_indexes] = index;
			log->index_info[log->n_indexes++] = BuildIndexInfo(index);
		}
		return;
	}
	log->columns = CreateTemplateTupleDesc(LOG_COLUMNS);
	for (int i = 0; i < LOG_COLUMNS; i++)
		TupleDescInitEntry(log->columns, i + 1, crm_log_columns[i].name, crm_log_columns[i].type,
						   -1, 0);
	log->rows = tuplestore_begin_heap(true, false, work_mem);
}

/* Write the rows that wait, heap first, then each index. */
static void
write_rows(CrmLog *log)
{
	CommandId command = GetCurrentCommandId(true);
	MemoryContext caller;
	Datum values[INDEX_MAX_KEYS];
	bool nulls[INDEX_MAX_KEYS];

	if (log->n > 1 && log->bulk == NULL)
		log->bulk = GetBulkInsertState();
	caller = MemoryContextSwitchTo(log->write_memory);
	if (log->n == 1)
		table_tuple_insert(log->table, log->slot[0], command, 0, NULL);
	else
		table_multi_insert(log->table, log->slot, log->n, command, 0, log->bulk);
	for (int i = 0; i < log->n_indexes; i++)
		for (int k = 0; k < log->n; k++)
		{
			TupleTableSlot *slot = log->slot[k];

			FormIndexDatum(log->index_info[i], slot, NULL, values, nulls);
			index_insert(log->index[i], values, nulls, &slot->tts_tid, log->table,
						 log->index[i]->rd_index->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
						 false, log->index_info[i]);
		}
	for (int k = 0; k < log->n; k++)
		ExecClearTuple(log->slot[k]);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(log->write_memory); /* table_multi_insert leaves its copies behind */
}

/* Write what waits by whichever road. */
static void
write_waiting(CrmLog *log)
{
	if (log->direct)
		write_rows(log);
	else
	{
		crm_log_insert(log);
		tuplestore_clear(log->rows);
	}
	log->n = 0;
	log->bytes = 0;
}

/* Put a row into the next slot. */
static void
fill_slot(CrmLog *log, const Datum *values, const bool *nulls)
{
	TupleTableSlot *slot;

	if (log->n == log->n_slots)
		log->slot[log->n_slots++] = table_slot_create(log->table, NULL);
	slot = log->slot[log->n];
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts);
	for (int i = 0; i < LOG_COLUMNS; i++)
	{
		slot->tts_values[shape.number[i] - 1] = values[i];
		slot->tts_isnull[shape.number[i] - 1] = nulls[i];
	}
	slot->tts_values[shape.interaction_id - 1] =
		Int64GetDatum(nextval_internal(shape.sequence, false));
	slot->tts_isnull[shape.interaction_id - 1] = false;
	if (shape.recorded_at != InvalidAttrNumber)
	{
		slot->tts_values[shape.recorded_at - 1] =
			TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
		slot->tts_isnull[shape.recorded_at - 1] = false;
	}
	ExecStoreVirtualTuple(slot);
	ExecMaterializeSlot(slot);
}

/* Add a row: a value and a null flag for each of the log's columns; they are copied. */
void
crm_log_add(CrmLog *log, Datum *values, bool *nulls)
{
	MemoryContext caller = MemoryContextSwitchTo(log->memory);

	if (!log->is_open)
		open_log(log);
	if (log->direct)
		fill_slot(log, values, nulls);
	else
		tuplestore_putvalues(log->rows, log->columns, values, nulls);
	if (!nulls[LOG_DETAIL])
		log->bytes += VARSIZE_ANY(DatumGetPointer(values[LOG_DETAIL]));
	if (++log->n == CRM_LOG_BATCH || log->bytes > MAX_BATCH_BYTES)
		write_waiting(log);
	MemoryContextSwitchTo(caller);
}

/* Write what is left and close the log; the locks stay to the end of the transaction. */
void
crm_log_end(CrmLog *log)
{
	if (!log->is_open)
		return;
	if (log->n > 0)
		write_waiting(log);
	if (log->direct)
	{
		for (int i = 0; i < log->n_slots; i++)
			ExecDropSingleTupleTableSlot(log->slot[i]);
		for (int i = 0; i < log->n_indexes; i++)
		{
			crm_index_insert_cleanup(log->index[i], log->index_info[i]);
			index_close(log->index[i], NoLock);
		}
		if (log->bulk != NULL)
		{
			FreeBulkInsertState(log->bulk);
			table_finish_bulk_insert(log->table, 0);
		}
	}
	else
		tuplestore_end(log->rows);
	table_close(log->table, NoLock);
}
