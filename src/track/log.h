/*
 * log.h: rows on their way into crm.interaction, and the customers that they speak of.
 */
#ifndef CRM_TRACK_LOG_H
#define CRM_TRACK_LOG_H

#include "pg/compat.h"

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#define CRM_LOG_BATCH 1000 /* rows that are written at once */

/* The columns that a row to log gives; interaction_id and recorded_at follow by themselves. */
enum
{
	LOG_CUSTOMER_ID,
	LOG_OCCURRED_AT,
	LOG_SOURCE,
	LOG_KIND,
	LOG_CHANNEL,
	LOG_DIRECTION,
	LOG_ACTION,
	LOG_REFERENCE,
	LOG_REFERENCE_KEY,
	LOG_DETAIL,
	LOG_AGENT,
	LOG_TRANSACTION_ID,
	LOG_COLUMNS
};

/* Name and type of a column of the log. */
typedef struct CrmLogColumn
{
	const char *name;
	Oid type;
} CrmLogColumn;

extern const CrmLogColumn crm_log_columns[LOG_COLUMNS];

/* Rows that one trigger call logs; all memory is that of the context current at crm_log_begin. */
typedef struct CrmLog
{
	MemoryContext memory;
	Oid relation; /* crm.interaction */
	bool is_open; /* whether the next three are there */
	bool direct;  /* written by us, else by a kept INSERT */
	Relation table;
	MemoryContext write_memory; /* for one batch */
	int n_indexes;
	Relation *index;
	IndexInfo **index_info;
	struct BulkInsertStateData *bulk; /* direct, with more than one row */
	TupleDesc columns;                /* not direct */
	Tuplestorestate *rows;
	int n;        /* rows that wait */
	size_t bytes; /* of their details */
	int n_slots;
	TupleTableSlot *slot[CRM_LOG_BATCH]; /* direct: made as they are needed */
} CrmLog;

typedef void (*CrmFound)(text *external_id, int64 customer_id, void *arg);

extern void crm_log_begin(CrmLog *log);
extern void crm_log_add(CrmLog *log, Datum *values, bool *nulls);
extern void crm_log_end(CrmLog *log);

/* in cache.c */
extern void crm_log_insert(const CrmLog *log);
extern void crm_log_resolve(const CrmLog *log, const char *source, Datum *external_ids, int n,
							bool create_missing, CrmFound found, void *arg);

#endif
