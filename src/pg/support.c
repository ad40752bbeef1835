/*
 * support.c: planner support for functions that return a row a customer: how many rows to expect.
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "nodes/supportnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "pg/args.h"

/* Give the relation that a constant text names, or InvalidOid: a query, a NULL, no such relation.
 */
static Oid
named_relation(Node *argument)
{
	Const *constant = (Const *) argument;
	List *names = NIL;
	ListCell *cell;

	if (!IsA(argument, Const) || constant->constisnull || constant->consttype != TEXTOID)
		return InvalidOid;
	if (!SplitIdentifierString(TextDatumGetCString(constant->constvalue), '.', &names) ||
		names == NIL || list_length(names) > 2)
		return InvalidOid;
	foreach (cell, names)
		lfirst(cell) = makeString(lfirst(cell));
	return RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, true);
}

/* Give the number of different customers that the statistics of a relation tell, or 0 if they do
 * not. */
static double
estimate_customers(Oid relation)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	AttrNumber column = get_attnum(relation, "customer_id");
	double rows, customers = 0;
	bool inherited;

	if (!HeapTupleIsValid(tuple))
		return 0;
	rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
	inherited = ((Form_pg_class) GETSTRUCT(tuple))->relkind == RELKIND_PARTITIONED_TABLE;
	ReleaseSysCache(tuple);
	if (rows <= 0 || column == InvalidAttrNumber)
		return 0;
	tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relation), Int16GetDatum(column),
							BoolGetDatum(inherited));
	if (HeapTupleIsValid(tuple))
	{
		double distinct = ((Form_pg_statistic) GETSTRUCT(tuple))->stadistinct;

		customers = distinct < 0 ? -distinct * rows : distinct;
		ReleaseSysCache(tuple);
	}
	return customers;
}

PG_FUNCTION_INFO_V1(crm_customers_support_1_0);
/*
 * crm._customers_support(internal) -> internal: estimates the rows of a function with one row a
 * customer when its source names an analysed table.
 */
Datum
crm_customers_support_1_0(PG_FUNCTION_ARGS)
{
	Node *request = (Node *) PG_GETARG_POINTER(0);
	SupportRequestRows *rows = (SupportRequestRows *) request;
	FuncExpr *call;
	Oid relation;
	double customers;
	int source;

	if (!IsA(request, SupportRequestRows) || !is_funcclause(rows->node))
		PG_RETURN_POINTER(NULL);
	call = (FuncExpr *) rows->node;
	source = crm_arg_of_source(call->funcid);
	if (source >= list_length(call->args))
		PG_RETURN_POINTER(NULL);
	relation = named_relation(list_nth(call->args, source));
	customers = OidIsValid(relation) ? estimate_customers(relation) : 0;
	if (customers <= 0)
		PG_RETURN_POINTER(NULL);
	rows->rows = customers;
	PG_RETURN_POINTER(request);
}
