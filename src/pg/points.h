/*
 * points.h: rows of a query (a customer's key, a moment, numbers) become series of points, a
 * customer's one after the other in the order of time (base/snapshot.h).
 *
 * A number that is NULL is no point of its series. Memory: 20 bytes a point while it is read, 36
 * while it is arranged, 16 then.
 */
#ifndef CRM_PG_POINTS_H
#define CRM_PG_POINTS_H

#include "pg/compat.h"

#include "utils/timestamp.h"

#include "kernel/base/customers.h"
#include "kernel/base/snapshot.h"
#include "pg/keys.h"
#include "pg/source.h"

/* Points of all customers: those of customer c are point[start[c]] .. point[start[c + 1] - 1]. */
typedef struct CrmSeries
{
	size_t *start;
	CrmPoint *point;
} CrmSeries;

/* Who the points are of. Customer c is the c-th by key: so series lie in the order of the keys. */
typedef struct CrmPointOwners
{
	CrmCtx *ctx; /* of all memory */
	CrmKeyType key_type;
	CrmTable table;
	uint32 rows;   /* of the table that have a number */
	uint32 n;      /* customers: the keys of the first query */
	uint32 *order; /* n: the row of the table that is customer c; NULL: before the first query */
	uint32 *rank;  /* n: which customer a row of the table is */
} CrmPointOwners;

typedef struct CrmPointsRequest
{
	CrmPointOwners *owners;
	TimestampTz as_of; /* later rows are counted and skipped */
	int series;        /* numbers of a row; 0: a row's moment alone makes a point of value 1 */
	bool is_strict;    /* a row needs its first number, finite: else it is counted and skipped */
	const char *what;  /* the work, for the memory error */
} CrmPointsRequest;

extern void crm_points_owners(CrmPointOwners *owners, CrmCtx *ctx, Oid key_type, Oid collation);
extern void crm_points_read(const CrmPointsRequest *request, const CrmQuery *query,
							CrmRowCount *rows, CrmSeries *series);
extern Datum crm_points_key(const CrmPointOwners *owners, uint32 customer);
extern CrmHistory crm_points_of(const CrmSeries *series, uint32 customer);

#endif
