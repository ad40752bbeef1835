/*
 * results.h: rows out. A set-returning function begins a result, writes its rows, and returns.
 */
#ifndef CRM_PG_RESULTS_H
#define CRM_PG_RESULTS_H

#include "pg/compat.h"

#include <math.h>

#include "funcapi.h"
#include "utils/builtins.h"
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

/* Set column i of a row to a number; NaN, one that is not defined, is NULL. */
static inline void
crm_result_number(Datum *values, bool *nulls, int i, double number)
{
	values[i] = Float8GetDatum(number);
	nulls[i] = isnan(number);
}

/* Set column i of a row to a text; NULL is NULL. */
static inline void
crm_result_text(Datum *values, bool *nulls, int i, const char *text)
{
	nulls[i] = text == NULL;
	values[i] = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

#endif
