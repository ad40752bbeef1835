/*
 * source.h: a source (a name in crm.source, a relation's name, or the text of a query) read as the
 * caller, row by row.
 *
 * The only place of the analytics that calls SPI.
 */
#ifndef CRM_PG_SOURCE_H
#define CRM_PG_SOURCE_H

#include "pg/compat.h"

#include "executor/spi.h"
#include "tcop/dest.h"

/*
 * What a family of analytics needs from a source. A contract with typed columns is one that the
 * table crm.source has a column for, of the contract's name.
 */
typedef struct CrmContract
{
	const char *name;     /* "orders" */
	const char *columns;  /* in words for the hint: "customer_id, ordered_at (timestamptz), ..." */
	const char *typed;    /* as a select list over q; NULL: such sources have no names */
	const char *argument; /* that takes it; NULL: "source" */
} CrmContract;

extern const CrmContract crm_contract_orders;
extern const CrmContract crm_contract_baskets;
extern const CrmContract crm_contract_customer_baskets;
extern const CrmContract crm_contract_dated_baskets;
extern const CrmContract crm_contract_events;
extern const CrmContract crm_contract_rules;
extern const CrmContract crm_contract_features;
extern const CrmContract crm_contract_labels;
extern const CrmContract crm_contract_regression;
extern const CrmContract crm_contract_subscriptions;
extern const CrmContract crm_contract_recurring;

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
extern bool crm_source_is_name(const char *source, const CrmContract *contract);
extern char *crm_source_select(const char *source, const CrmContract *contract);
extern char *crm_source_plain_select(const char *source, const CrmContract *contract,
									 char **relation);
extern CrmQuery crm_source_prepare(const char *sql, const CrmContract *contract);
extern bool crm_source_is_remote(const CrmQuery *query);
extern void crm_source_run(const CrmQuery *query, ParamListInfo params, bool by_partition,
						   CrmRowReader read, void *arg);

#endif
