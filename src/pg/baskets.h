/*
 * baskets.h: a source of baskets becomes rows of item codes with labels.
 *
 * Codes ascend with the bytes of the labels, so they and everything made of them are the same
 * whatever the order of the rows. A basket counts when it has a row with a basket_id and an
 * item_id, also when all its items are dropped for being infrequent.
 */
#ifndef CRM_PG_BASKETS_H
#define CRM_PG_BASKETS_H

#include "pg/compat.h"

#include "utils/array.h"

#include "kernel/base/baskets.h"
#include "kernel/base/context.h"
#include "pg/args.h"
#include "pg/lastrun.h"

/* What to do with a basket of more different items than max_basket_size. */
typedef enum CrmOversize
{
	CRM_OVERSIZE_ERROR,
	CRM_OVERSIZE_SKIP,    /* the basket is left out, of the number of baskets too */
	CRM_OVERSIZE_TRUNCATE /* the items that most baskets hold stay; of equals those named first */
} CrmOversize;

extern const CrmWords crm_oversize_words; /* of CrmOversize */

typedef struct CrmBasketsRequest
{
	const char *function;  /* as in crm.frequent_itemsets, for errors */
	const char *source;    /* NULL: the default one */
	bool amounts;          /* wanted when the source has a column amount */
	double min_support;    /* items below are dropped; a share up to 1 or a count; 0: keep all */
	bool hashes;           /* of the keys wanted, to draw a sample by */
	int64 max_basket_size; /* 0: no bound */
	CrmOversize oversize;
} CrmBasketsRequest;

/* The baskets, in a memory context of their own. */
typedef struct CrmBasketsState
{
	MemoryContext memory;
	CrmCtx ctx;
	CrmBaskets baskets; /* without repeats */
	uint32 min_count;   /* what min_support means for so many baskets; 1 when it was 0 */
	uint32 *count;      /* by code: baskets that hold the item */
	text **label;       /* by code, ascending in bytes; a zero byte follows each */
	double *amount;     /* by basket: its total; NULL when not wanted or the source has none */
	uint64 *hash;       /* by basket: of its key; NULL when not wanted */
	uint32 all_items;   /* different items before infrequent ones were dropped */
	uint32 oversized;   /* baskets that were skipped or truncated for their size */
	int64 no_amount;    /* rows used whose amount is null or not finite: it adds nothing */
} CrmBasketsState;

/* A source on its way to baskets; see baskets_rows.h. */
typedef struct CrmBasketsReader CrmBasketsReader;

/* A column of such a source. */
typedef struct CrmBasketsColumn
{
	const char *name;
	Oid type;
	Oid collation;
} CrmBasketsColumn;

/* Room for one text[] at a time. */
typedef struct CrmLabelArray
{
	ArrayType *array;
	Size room;
} CrmLabelArray;

extern double crm_baskets_support_arg(FunctionCallInfo fcinfo, int i, const char *name);
extern uint32 crm_baskets_min_count(double min_support, uint32 n);
extern CrmBasketsReader *crm_baskets_begin(const CrmBasketsRequest *request,
										   const CrmBasketsColumn *columns, bool has_amounts,
										   MemoryContext keep, CrmRun *run);
extern void crm_baskets_add(CrmBasketsReader *reader, const Datum *values, const bool *nulls);
extern CrmBasketsState *crm_baskets_end(CrmBasketsReader *reader);
extern CrmBasketsState *crm_baskets_read(const CrmBasketsRequest *request, CrmRun *run);
extern const char *crm_baskets_label(const CrmBasketsState *state, uint32 code);
extern int64 crm_baskets_find(const CrmBasketsState *state, const char *label);
extern Datum crm_baskets_labels(const CrmBasketsState *state, const uint32 *codes, uint32 n,
								CrmLabelArray *room);
extern void crm_baskets_disjoint(char **in, int n_in, const char *in_name, char **out, int n_out,
								 const char *out_name);
extern uint8 *crm_baskets_flags(CrmBasketsState *state, char **labels, int n, const char *name);
extern void *crm_baskets_allocate(CrmBasketsState *state, size_t n, size_t size);
extern void crm_baskets_check(const CrmBasketsState *state, CrmStatus status);

#endif
