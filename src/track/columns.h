/*
 * columns.h: columns of a tracked relation, found by name at each call, and their values as text
 * and jsonb.
 */
#ifndef CRM_TRACK_COLUMNS_H
#define CRM_TRACK_COLUMNS_H

#include "pg/compat.h"

#include "executor/tuptable.h"
#include "utils/jsonb.h"

typedef struct CrmColumn
{
	const char *name;
	AttrNumber number;
	Oid type; /* domains looked through */
	int16 length;
	bool by_value;
	FmgrInfo output;  /* to text; set when used_as_text */
	FmgrInfo to_json; /* set when used_as_json and the type has no short cut */
} CrmColumn;

extern void crm_column_find(CrmColumn *column, TupleDesc row, const char *name,
							const char *relation);
extern void crm_column_use_text(CrmColumn *column);
extern void crm_column_use_json(CrmColumn *column);
extern text *crm_column_text(const CrmColumn *column, Datum value);
extern text *crm_column_key(const CrmColumn *columns, int n, TupleTableSlot *slot);
extern bool crm_columns_differ(const CrmColumn *columns, int n, TupleTableSlot *a,
							   TupleTableSlot *b);
extern Jsonb *crm_columns_detail(const CrmColumn *columns, int n, TupleTableSlot *old_row,
								 TupleTableSlot *new_row);

#endif
