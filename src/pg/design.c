/*
 * design.c: a source's columns become those of a regression. Rows beyond the budget are counted,
 * for an error that tells the true need.
 */
#include "pg/design.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/memory.h"

typedef struct Reader
{
	const CrmDesignRequest *request;
	CrmDesign *design;
	CrmRun *run;
} Reader;

/* Tell whether a type is a number, or a boolean, which counts as 0 and 1. */
static bool
is_number(Oid type)
{
	switch (getBaseType(type))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case BOOLOID:
			return true;
		default:
			return false;
	}
}

/* Give the column of that name; NULL when there is none. */
static Form_pg_attribute
find_column(TupleDesc columns, const char *name)
{
	for (int i = 0; i < columns->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(columns, i)->attname), name) == 0)
			return TupleDescAttr(columns, i);
	return NULL;
}

/*
 * Give the expression over q that reads a column as float8; an error when it exists and is neither
 * a number nor a boolean. A column that does not exist fails when the query is prepared.
 */
static char *
number_expression(TupleDesc columns, const CrmContract *contract, const char *what,
				  const char *name)
{
	Form_pg_attribute column = find_column(columns, name);

	if (column != NULL && !is_number(column->atttypid))
		ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("%s \"%s\" is of type %s, not a number", what, name,
					   format_type_be(column->atttypid)),
				errhint("A source of %s has the columns %s.", contract->name, contract->columns));
	if (column != NULL && getBaseType(column->atttypid) == BOOLOID)
		return psprintf("q.%s::pg_catalog.bool::pg_catalog.int4::pg_catalog.float8",
						quote_identifier(name));
	return psprintf("q.%s::pg_catalog.float8", quote_identifier(name));
}

/* Give the names of the covariates: those wanted, or all numbers and booleans that are not
 * excluded. */
static void
choose_names(const CrmDesignRequest *request, TupleDesc columns, CrmDesign *design)
{
	design->names = palloc(Max(columns->natts + request->n_names, 1) * sizeof(char *));
	for (int i = 0; i < request->n_names; i++)
		design->names[design->d++] = pstrdup(request->names[i]);
	for (int i = 0; i < columns->natts && request->names == NULL; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);
		bool is_excluded = !is_number(column->atttypid);

		for (int k = 0; k < request->n_exclude; k++)
			is_excluded |= request->exclude[k] != NULL &&
						   strcmp(request->exclude[k], NameStr(column->attname)) == 0;
		if (!is_excluded)
			design->names[design->d++] = pstrdup(NameStr(column->attname));
	}
	if (design->d > request->max_names)
		ereport(ERROR, errcode(ERRCODE_TOO_MANY_COLUMNS),
				errmsg("at most %d covariates can be used", request->max_names),
				errdetail("Got %d.", design->d));
}

/* Take a row of the source. */
static void
read_row(TupleTableSlot *slot, void *arg)
{
	Reader *reader = arg;
	const CrmDesignRequest *request = reader->request;
	CrmDesign *design = reader->design;
	CrmMatrix *matrix = &design->matrix;
	CrmRowCount *rows = &reader->run->rows;
	const Datum *values = slot->tts_values + request->n_lead;
	const bool *nulls = slot->tts_isnull + request->n_lead;
	double made[CRM_DESIGN_MADE];
	bool has_null = false, has_odd = false;

	rows->read++;
	if (!request->take(slot->tts_values, slot->tts_isnull, rows, made, request->arg))
		return;
	for (int f = 0; f < design->d; f++)
	{
		if (nulls[f])
			has_null = true;
		else if (unlikely(!isfinite(DatumGetFloat8(values[f]))))
			has_odd = true;
	}
	if (unlikely(has_null || has_odd))
	{
		rows->null_value += has_null;
		rows->non_finite += !has_null;
		return;
	}
	rows->used++;
	if (!matrix->is_full && matrix->n == matrix->room && !crm_matrix_grow(matrix))
		matrix->is_full = true;
	if (!matrix->is_full)
	{
		for (int f = 0; f < design->d; f++)
			matrix->columns[f][matrix->n] = DatumGetFloat8(values[f]) + 0.0; /* no -0.0 */
		for (int f = 0; f < request->n_made; f++)
			matrix->columns[design->d + f][matrix->n] = made[f];
	}
	matrix->n++;
}

/*
 * Read a source. The design lives in a memory context below the current one; the account of the run
 * gets the rows.
 */
CrmDesign *
crm_design_read(const CrmDesignRequest *request, CrmRun *run)
{
	MemoryContext keep = CurrentMemoryContext;
	Reader reader = {.request = request, .run = run};
	CrmCtx ctx;
	MemoryContext memory = crm_memory_begin(&ctx, keep, "crm design");
	CrmDesign *design = MemoryContextAllocZero(memory, sizeof(CrmDesign));
	StringInfoData sql;
	CrmQuery probe, query;
	char *select;

	design->memory = memory;
	design->ctx = ctx;
	reader.design = design;
	crm_source_open();
	select = crm_source_select(request->source, request->contract);
	probe = crm_source_prepare(psprintf("SELECT q.* FROM (%s\n) q", select), request->contract);
	MemoryContextSwitchTo(memory);
	choose_names(request, probe.columns, design);
	crm_matrix_init(&design->matrix, &design->ctx, design->d + request->n_made, false,
					request->row_bytes);
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < request->n_lead; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "",
						 request->lead[i].is_number
							 ? number_expression(probe.columns, request->contract,
												 request->lead[i].what, request->lead[i].text)
							 : request->lead[i].text);
	for (int f = 0; f < design->d; f++)
		appendStringInfo(
			&sql, ", %s",
			number_expression(probe.columns, request->contract, "covariate", design->names[f]));
	appendStringInfo(&sql, " FROM (%s\n) q", select);
	query = crm_source_prepare(sql.data, request->contract);
	MemoryContextSwitchTo(keep);
	crm_source_run(&query, NULL, false, read_row, &reader);
	crm_source_close();
	MemoryContextSwitchTo(keep);
	if (!design->matrix.is_full)
		crm_matrix_shrink(&design->matrix);
	run->customers = (int64) design->matrix.n;
	return design;
}

/* Raise the error for rows that do not fit the budget, where there were some. */
void
crm_design_check_memory(const CrmDesign *design, const char *what)
{
	const CrmMatrix *matrix = &design->matrix;

	if (matrix->is_full)
		crm_memory_error(matrix->n * (crm_matrix_row_bytes(matrix) + matrix->spare), &design->ctx,
						 what, psprintf("%zu rows x %d columns", matrix->n, matrix->d),
						 "reduce the number of rows or covariates");
}
