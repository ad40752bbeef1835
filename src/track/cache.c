/*
 * cache.c: the kept plans of the tracking triggers.
 *
 * The plans belong to the session, not to a trigger or a table: they speak of crm.interaction and
 * crm.customer_identity alone, and the plan cache makes them again when those change. They run as
 * the owner of crm.interaction, as foreign-key triggers do with their tables, because whoever
 * changes a tracked table need not have a right to the log or to the customers.
 */
#include "track/log.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/queryenvironment.h"
#include "utils/syscache.h"

#define LOG_RELATION "crm_rows_to_log"

/* Kept for the session; see the head of the file for why they need no key. */
static SPIPlanPtr insert_plan;
static SPIPlanPtr find_one_plan;
static SPIPlanPtr find_plan;
static SPIPlanPtr create_plan;

/* Whom to switch back to. */
typedef struct Caller
{
	Oid user;
	int security_context;
} Caller;

/*
 * Begin to use SPI as the owner of the log, until end_as_owner. An error in between needs no
 * clean-up: the abort of the (sub)transaction restores the user.
 */
static Caller
begin_as_owner(const CrmLog *log)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(log->relation));
	Caller caller;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", log->relation);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "crm internal: SPI_connect failed");
	GetUserIdAndSecContext(&caller.user, &caller.security_context);
	SetUserIdAndSecContext(((Form_pg_class) GETSTRUCT(tuple))->relowner,
						   caller.security_context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_NOFORCE_RLS);
	ReleaseSysCache(tuple);
	return caller;
}

/* End what begin_as_owner began. */
static void
end_as_owner(Caller caller)
{
	SetUserIdAndSecContext(caller.user, caller.security_context);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "crm internal: SPI_finish failed");
}

/* Give a kept plan, made at its first use. */
static SPIPlanPtr
keep_plan(SPIPlanPtr *kept, const char *sql, int n, Oid *types)
{
	if (*kept == NULL)
	{
		/*
		 * the table may be empty now and large later: with many keys, plan for the table as it is
		 */
		SPIPlanPtr plan =
			SPI_prepare_cursor(sql, n, types, kept == &find_plan ? CURSOR_OPT_CUSTOM_PLAN : 0);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "crm internal: cannot prepare: %s", SPI_result_code_string(SPI_result));
		*kept = plan;
	}
	return *kept;
}

/*
 * Write the rows that wait by an INSERT, for a log that log.c does not write itself: partitioned,
 * with triggers, with columns of the user's. The rows are an ephemeral relation of the query.
 */
void
crm_log_insert(const CrmLog *log)
{
	Caller caller = begin_as_owner(log);
	EphemeralNamedRelation relation = palloc0(sizeof(EphemeralNamedRelationData));
	SPIPlanPtr plan;

	relation->md.name = LOG_RELATION;
	relation->md.reliddesc = InvalidOid;
	relation->md.tupdesc = log->columns;
	relation->md.enrtype = ENR_NAMED_TUPLESTORE;
	relation->md.enrtuples = CRM_LOG_BATCH;
	relation->reldata = log->rows;
	if (SPI_register_relation(relation) != SPI_OK_REL_REGISTER)
		elog(ERROR, "crm internal: cannot register the rows to log");
	plan = keep_plan(
		&insert_plan,
		"INSERT INTO crm.interaction (customer_id, occurred_at, source, kind, channel, direction, "
		"action, reference, reference_key, detail, agent, transaction_id) "
		"SELECT r.customer_id, r.occurred_at, r.source, r.kind, r.channel, r.direction, r.action, "
		"r.reference, r.reference_key, r.detail, r.agent, r.transaction_id FROM " LOG_RELATION " r",
		0, NULL);
	if (SPI_execute_plan(plan, NULL, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "crm internal: cannot write the log");
	end_as_owner(caller);
}

/*
 * Look external ids (texts, each once) of a source up: found is called for each that has a
 * customer. With create_missing the others get one, so found is called for all but the empty one.
 */
void
crm_log_resolve(const CrmLog *log, const char *source, Datum *external_ids, int n,
				bool create_missing, CrmFound found, void *arg)
{
	Oid types[2] = {TEXTOID, TEXTARRAYOID};
	Oid type_of_one[2] = {TEXTOID, TEXTOID};
	Datum values[2];
	Caller caller = begin_as_owner(log);
	SPIPlanPtr plan;

	values[0] = CStringGetTextDatum(source);
	if (n == 1 && !create_missing)
	{
		plan = keep_plan(&find_one_plan,
						 "SELECT i.external_id, i.customer_id FROM crm.customer_identity i WHERE "
						 "i.source OPERATOR(pg_catalog.=) $1 AND i.external_id "
						 "OPERATOR(pg_catalog.=) $2",
						 2, type_of_one);
		values[1] = external_ids[0];
	}
	else
	{
		plan = create_missing ? keep_plan(&create_plan,
										  "SELECT r.external_id, r.customer_id FROM "
										  "crm.resolve_customers($1, $2) r",
										  2, types)
							  : keep_plan(&find_plan,
										  "SELECT i.external_id, i.customer_id FROM "
										  "crm.customer_identity i WHERE i.source "
										  "OPERATOR(pg_catalog.=) $1 AND i.external_id "
										  "OPERATOR(pg_catalog.=) ANY ($2)",
										  2, types);
		values[1] =
			PointerGetDatum(construct_array(external_ids, n, TEXTOID, -1, false, TYPALIGN_INT));
	}
	if (SPI_execute_plan(plan, values, NULL, !create_missing, 0) != SPI_OK_SELECT)
		elog(ERROR, "crm internal: cannot look up customers");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		bool null;
		Datum external_id = SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &null);
		Datum customer_id = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &null);

		if (!null)
			found(DatumGetTextPP(external_id), DatumGetInt64(customer_id), arg);
	}
	end_as_owner(caller);
}
