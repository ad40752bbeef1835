/*
 * contracts.h: a source of subscriptions becomes contracts, sorted by customer: from when, until
 * when, what a period pays, and the renewals made.
 *
 * Renewal k of a contract is due k periods after started_at, by the calendar of the session's time
 * zone (a month after 31 January is the last of February). A contract that ended by as_of, at e,
 * made those due before e and was lost at the next one; one that has not ended (ended_at NULL,
 * infinite, or after as_of, which nobody can know then) made those due at as_of or before.
 */
#ifndef CRM_PG_CONTRACTS_H
#define CRM_PG_CONTRACTS_H

#include "pg/compat.h"

#include "datatype/timestamp.h"

#include "kernel/base/table.h"
#include "pg/keys.h"
#include "pg/lastrun.h"

#define CRM_CONTRACTS_RENEWALS_MAX 100000

typedef struct CrmContractsRequest
{
	const char *function; /* as in crm.rfm, for errors */
	const char *source;   /* not NULL */
	Oid key_type;         /* of the form that was called; InvalidOid: bigint */
	TimestampTz as_of;
	const Interval *period; /* passed by crm_contracts_check_period */
	double value;           /* what a period of any contract pays; NaN: the column amount says */
} CrmContractsRequest;

typedef struct CrmContractRow
{
	TimestampTz start;
	TimestampTz end; /* DT_NOEND for a contract that has not ended by as_of */
	double value;    /* what a period pays */
	int32 renewals;  /* made */
	uint32 customer;
} CrmContractRow;

/* The contracts, in a memory context of their own. */
typedef struct CrmContracts
{
	MemoryContext memory;
	CrmCtx ctx;
	const CrmContractsRequest *request;
	CrmKeyType key_type;
	MemoryContext scratch; /* of a row's key */
	CrmTable customers;
	CrmRowCount *rows;
	bool has_value; /* by the request or a column amount */
	size_t n, room;
	CrmContractRow *row; /* by customer, then in the order of start, end, value */
	uint32 *order;       /* of the customers, by key */
	size_t *first;       /* customers + 1: rows of customer c begin at first[c] */
} CrmContracts;

extern void crm_contracts_check_period(const Interval *period);
extern double crm_contracts_period_years(const Interval *period);
extern TimestampTz crm_contracts_due(const Interval *period, TimestampTz start, int64 k);
extern int64 crm_contracts_count(const Interval *period, TimestampTz start, TimestampTz until,
								 bool is_before);
extern CrmContracts *crm_contracts_read(const CrmContractsRequest *request, CrmRun *run);
extern Datum crm_contracts_key(const CrmContracts *contracts, uint32 customer);
extern void crm_contracts_check(const CrmContracts *contracts, CrmStatus status);

#endif
