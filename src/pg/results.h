/*
 * results.h: rows out. A set-returning function begins a result, writes its rows, and returns.
 */
#ifndef CRM_PG_RESULTS_H
#define CRM_PG_RESULTS_H

#include "pg/compat.h"

#include "funcapi.h"
#include "utils/tuplestore.h"

typedef struct CrmResult
{
	Tuplestorestate *store;
	TupleDesc columns;
} CrmResult;

extern CrmResult crm_result_begin(FunctionCallInfo fcinfo, int columns);

/* Write a row: one value and one null flag a column. */
static inline void
crm_result_row(const CrmResult *result, Datum *values, bool *nulls)
{
	tuplestore_putvalues(result->store, result->columns, values, nulls);
}

#endif
