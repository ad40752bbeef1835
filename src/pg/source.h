/*
 * source.h: a source (a relation's name, or the text of a query) read as the caller, row by row.
 *
 * The only place of the analytics that calls SPI.
 */
#ifndef CRM_PG_SOURCE_H
#define CRM_PG_SOURCE_H

#include "pg/compat.h"

#include "executor/spi.h"
#include "tcop/dest.h"

/* What a family of analytics needs from a source, in words for the hint. */
typedef struct CrmContract
{
	const char *name;    /* "orders" */
	const char *columns; /* "customer_id, ordered_at (timestamptz), amount (float8)" */
} CrmContract;

extern const CrmContract crm_contract_orders;
extern const CrmContract crm_contract_rules;

/* A prepared query over a source; it lives until crm_source_close. */
typedef struct CrmQuery
{
	SPIPlanPtr plan;
	TupleDesc columns;
} CrmQuery;

/* Takes one row; the slot's values are valid for the call. May raise errors. */
typedef void (*CrmRowReader)(TupleTableSlot *slot, void *arg);

extern void crm_source_open(void);
extern void crm_source_close(void);
extern char *crm_source_select(const char *source, const CrmContract *contract);
extern CrmQuery crm_source_prepare(const char *sql, const CrmContract *contract);
extern bool crm_source_is_remote(const CrmQuery *query);
extern void crm_source_run(const CrmQuery *query, ParamListInfo params, bool by_partition,
						   CrmRowReader read, void *arg);

#endif
