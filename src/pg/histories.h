/*
 * histories.h: what each customer bought, from a source of baskets that has customer_id beside
 * basket_id and item_id: for each customer the codes of the items, before and from a moment on.
 *
 * Items that the caller has named have the codes of that order; others follow.
 */
#ifndef CRM_PG_HISTORIES_H
#define CRM_PG_HISTORIES_H

#include "pg/compat.h"

#include "utils/timestamp.h"

#include "kernel/base/table.h"
#include "pg/keys.h"

typedef struct CrmHistoriesRequest
{
	const char *function; /* as in crm.rfm, for errors */
	const char *source;   /* NULL: the default one */
	Oid key_type;         /* of the form that was called; InvalidOid: bigint */
	bool as_text;         /* keys are the text of customer_id, whatever its type */
	const char *only;     /* with as_text: read this customer alone; NULL: all */
	bool has_cut;         /* read ordered_at, and tell rows from cut_at on from those before */
	TimestampTz cut_at;
} CrmHistoriesRequest;

/* The histories, in the memory context of the ctx that begin got. */
typedef struct CrmHistories
{
	CrmCtx *ctx;
	const CrmHistoriesRequest *request;
	CrmKeyType key_type;
	MemoryContext scratch;   /* of a row */
	CrmTable customers;      /* row c is customer c */
	CrmTable items;          /* row i is the item of code i */
	int64 rows;              /* read */
	int64 null_rows;         /* without customer, basket, item or moment */
	size_t n, room;          /* rows kept */
	uint32 *customer, *item; /* of each row, until they are sorted */
	uint8 *is_later;         /* whether it is at or after cut_at; NULL without has_cut */

	/* from crm_histories_read on */
	size_t *start;    /* customers + 1: those of customer c are code[start[c]] .. */
	size_t *middle;   /* customers: from here on they are later */
	uint32 *code;     /* item codes, doubles included */
	uint32 *in_order; /* the customers by their keys */
} CrmHistories;

extern void crm_histories_begin(CrmHistories *histories, CrmCtx *ctx);
extern void crm_histories_name(CrmHistories *histories, const char *label);
extern void crm_histories_read(CrmHistories *histories, const CrmHistoriesRequest *request);
extern Datum crm_histories_key(const CrmHistories *histories, uint32 customer);
extern char *crm_histories_before(const char *source, TimestampTz cut_at);

#endif
