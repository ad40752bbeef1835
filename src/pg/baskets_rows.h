/*
 * baskets_rows.h: what baskets.c reads and baskets_rows.c makes rows of.
 */
#ifndef CRM_PG_BASKETS_ROWS_H
#define CRM_PG_BASKETS_ROWS_H

#include "pg/baskets.h"

#include "kernel/base/sum.h"
#include "kernel/base/table.h"
#include "pg/keys.h"

#define CRM_PAIRS_PAGE 8192 /* pairs of a page */
#define CRM_SHORT_KEY  136  /* bytes of a text with a short header, unpacked */

typedef struct CrmPair
{
	uint32 basket, item; /* row numbers of their tables */
} CrmPair;

/* The payload of a row of the table of baskets. */
typedef struct CrmBasketRow
{
	uint64 number; /* its row number + 1; 0: the row is new */
	CrmSum amount; /* only when there are amounts */
} CrmBasketRow;

/* The payload of a row of the table of items. */
typedef struct CrmItemRow
{
	uint32 number; /* its row number + 1; 0: the row is new */
	uint32 count;  /* pairs that hold it, repeats included */
	text *label;   /* only when equal items may differ in text: the least one */
} CrmItemRow;

/* A source on its way to baskets. */
struct CrmBasketsReader
{
	const CrmBasketsRequest *request;
	CrmBasketsState *state; /* whose context holds the pairs */
	CrmRun *run;
	size_t limit;         /* of both contexts together */
	MemoryContext memory; /* of the tables */
	CrmCtx ctx;
	bool has_amounts;
	bool keeps_labels; /* equal items may differ in text */
	CrmKeyType basket_type, item_type;
	FmgrInfo output; /* of items */
	CrmTable baskets, items;
	CrmPair **pages;
	size_t n_pairs, max_pages;
	MemoryContext batch_memory; /* of keys that wait */
	bool batch_used;
	int pending;
	CrmKey basket[CRM_TABLE_BATCH], item[CRM_TABLE_BATCH];
	Datum basket_room[CRM_TABLE_BATCH], item_room[CRM_TABLE_BATCH];
	double amount[CRM_TABLE_BATCH];
	char short_key[2 * CRM_TABLE_BATCH][CRM_SHORT_KEY] pg_attribute_aligned(8);
};

extern void crm_baskets_finish(CrmBasketsReader *reader);
extern text *crm_baskets_item_text(CrmBasketsReader *reader, Datum item);

#endif
