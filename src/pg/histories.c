/*
 * histories.c: a source of baskets with customer_id becomes a list of items for each customer.
 *
 * Customers and items are numbered as they come, rows kept as pairs of numbers, and sorted by
 * customer at the end: 8 bytes a row while reading, 9 with a cut, 4 more at the end.
 */
#include "pg/histories.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/memory.h"
#include "pg/source.h"

#define FIRST_ROOM 1024
#define SORT_BYTES 36     /* that sorting takes of a customer */
#define CHUNK      262144 /* rows between two chances to cancel */
#define WHAT       "reading the customers' histories"

/* The columns of the query that is made of the source. */
enum
{
	CUSTOMER,
	BASKET,
	ITEM,
	MOMENT
};

/* A row of either table: the key, then 1 + its number. */
typedef struct Number
{
	uint64_t number;
} Number;

/* Raise the error that a status stands for. */
static void
check(const CrmHistories *histories, CrmStatus status)
{
	crm_memory_check(status, histories->ctx, WHAT, NULL);
}

/* Give the number of a key in a table, a new one if need be. */
static uint32
number_of(CrmHistories *histories, CrmTable *table, const CrmKey *key)
{
	void *row;
	Number *number;

	check(histories, crm_table_find(table, key, 1, &row));
	number = (Number *) ((char *) row + table->key_size);
	if (number->number == 0)
		number->number = table->n;
	return (uint32) (number->number - 1);
}

/* Give the code of an item by its label. */
static uint32
item_code(CrmHistories *histories, const char *label, size_t length)
{
	CrmKey key = {
		.bytes = label, .length = (uint32_t) length, .hash = crm_hash_bytes(label, length)};

	return number_of(histories, &histories->items, &key);
}

/* Begin without customers or items; all memory is ctx's and goes with it. */
void
crm_histories_begin(CrmHistories *histories, CrmCtx *ctx)
{
	*histories = (CrmHistories){.ctx = ctx};
	check(histories, crm_table_init(&histories->items, ctx, CRM_KEY_BYTES, sizeof(Number)));
}

/* Give an item the next code; labels must differ. */
void
crm_histories_name(CrmHistories *histories, const char *label)
{
	(void) item_code(histories, label, strlen(label));
}

/* Give the source's SELECT. */
static char *
source_select(const char *source)
{
	return crm_source_select(source, &crm_contract_baskets);
}

/*
 * Give the query of a source's rows before a moment, as a source by itself. The source is checked
 * for all columns of a history.
 */
char *
crm_histories_before(const char *source, TimestampTz cut_at)
{
	MemoryContext caller = CurrentMemoryContext;
	char *select, *query;

	crm_source_open();
	select = source_select(source);
	(void) crm_source_prepare(
		psprintf("SELECT q.customer_id, q.ordered_at::pg_catalog.timestamptz, "
				 "q.basket_id, q.item_id FROM (%s\n) q",
				 select),
		&crm_contract_dated_baskets);
	query = psprintf("SELECT q.* FROM (%s\n) q WHERE q.ordered_at::pg_catalog.timestamptz "
					 "OPERATOR(pg_catalog.<) %s::pg_catalog.timestamptz",
					 select, quote_literal_cstr(timestamptz_to_str(cut_at)));
	query = MemoryContextStrdup(caller, query);
	crm_source_close();
	return query;
}

/* Give each array of rows that room. */
static void
resize(CrmHistories *histories, size_t room)
{
	CrmCtx *ctx = histories->ctx;
	size_t old = histories->room;

	histories->customer =
		crm_memory_resize(ctx, histories->customer, old * sizeof(uint32), room * sizeof(uint32));
	histories->item =
		crm_memory_resize(ctx, histories->item, old * sizeof(uint32), room * sizeof(uint32));
	if (histories->request->has_cut)
		histories->is_later = crm_memory_resize(ctx, histories->is_later, old, room);
	histories->room = room;
}

/* Make room for more rows: twice as many, or as many as the budget allows and can still sort. */
static void
grow(CrmHistories *histories)
{
	const CrmCtx *ctx = histories->ctx;
	size_t row_bytes = 2 * sizeof(uint32) + (histories->request->has_cut ? 1 : 0);
	size_t others =
		ctx->used - histories->room * row_bytes + (size_t) histories->customers.n * SORT_BYTES;
	size_t left = ctx->limit > others ? ctx->limit - others : 0;
	size_t most = left / (row_bytes + sizeof(uint32));

	if (most <= histories->room)
		crm_memory_error(others + (2 * histories->room + 1) * (row_bytes + sizeof(uint32)), ctx,
						 WHAT, psprintf("%zu rows so far.", histories->n),
						 "give a source with fewer rows");
	resize(histories, Min(Max(2 * histories->room, FIRST_ROOM), most));
}

/* Tell whether a row is one of those from the cut on. */
static inline bool
is_later(const CrmHistories *histories, size_t i)
{
	return histories->is_later != NULL && histories->is_later[i];
}

/* Tell whether a text is a word; what is detoasted goes with the query. */
static bool
is_text(Datum value, const char *word)
{
	text *given = DatumGetTextPP(value);

	return VARSIZE_ANY_EXHDR(given) == strlen(word) &&
		   memcmp(VARDATA_ANY(given), word, VARSIZE_ANY_EXHDR(given)) == 0;
}

/* Take a row of the source. */
static void
read_row(TupleTableSlot *slot, void *arg)
{
	CrmHistories *histories = arg;
	const CrmHistoriesRequest *request = histories->request;
	MemoryContext caller;
	text *label;
	Datum room;
	CrmKey key;

	histories->rows++;
	if (slot->tts_isnull[CUSTOMER] || slot->tts_isnull[BASKET] || slot->tts_isnull[ITEM] ||
		(request->has_cut && slot->tts_isnull[MOMENT]))
	{
		histories->null_rows++;
		return;
	}
	if (request->only != NULL && !is_text(slot->tts_values[CUSTOMER], request->only))
		return;
	caller = MemoryContextSwitchTo(histories->scratch);
	if (histories->n == histories->room)
		grow(histories);
	key = crm_key_from_datum(&histories->key_type, slot->tts_values[CUSTOMER], &room);
	histories->customer[histories->n] = number_of(histories, &histories->customers, &key);
	label = DatumGetTextPP(slot->tts_values[ITEM]);
	histories->item[histories->n] =
		item_code(histories, VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label));
	if (request->has_cut)
		histories->is_later[histories->n] =
			DatumGetTimestampTz(slot->tts_values[MOMENT]) >= request->cut_at;
	histories->n++;
	MemoryContextSwitchTo(caller);
	MemoryContextReset(histories->scratch);
}

/* Sort the rows by customer, the earlier ones first. */
static void
arrange(CrmHistories *histories)
{
	CrmCtx *ctx = histories->ctx;
	uint32 customers = histories->customers.n;
	size_t *start, *middle, *at;
	uint32 *code;

	if (histories->room > 0)
		resize(histories, histories->n);
	start = crm_allocate(ctx, (size_t) customers + 1, sizeof(size_t));
	middle = crm_allocate(ctx, (size_t) customers + 1, sizeof(size_t));
	at = crm_allocate(ctx, 2 * ((size_t) customers + 1), sizeof(size_t));
	code = crm_allocate(ctx, histories->n, sizeof(uint32));
	if (start == NULL || middle == NULL || at == NULL || code == NULL)
		check(histories, ctx->failure);
	memset(at, 0, 2 * ((size_t) customers + 1) * sizeof(size_t));
	for (size_t i = 0; i < histories->n; i++)
	{
		if (i % CHUNK == 0)
			CHECK_FOR_INTERRUPTS();
		at[2 * (size_t) histories->customer[i] + is_later(histories, i)]++;
	}
	start[0] = 0;
	for (uint32 c = 0; c < customers; c++)
	{
		middle[c] = start[c] + at[2 * (size_t) c];
		start[c + 1] = middle[c] + at[2 * (size_t) c + 1];
		at[2 * (size_t) c] = start[c];
		at[2 * (size_t) c + 1] = middle[c];
	}
	for (size_t i = 0; i < histories->n; i++)
	{
		if (i % CHUNK == 0)
			CHECK_FOR_INTERRUPTS();
		code[at[2 * (size_t) histories->customer[i] + is_later(histories, i)]++] =
			histories->item[i];
	}
	crm_release(ctx, at, 2 * ((size_t) customers + 1), sizeof(size_t));
	crm_release(ctx, histories->customer, histories->room, sizeof(uint32));
	crm_release(ctx, histories->item, histories->room, sizeof(uint32));
	crm_release(ctx, histories->is_later, histories->room, 1);
	histories->customer = histories->item = NULL;
	histories->is_later = NULL;
	histories->room = 0;
	histories->start = start;
	histories->middle = middle;
	histories->code = code;
}

/* Prepare the query that is made of the source. */
static CrmQuery
prepare(CrmHistories *histories, const char *select)
{
	const CrmHistoriesRequest *request = histories->request;
	const CrmContract *contract =
		request->has_cut ? &crm_contract_dated_baskets : &crm_contract_customer_baskets;
	const char *moment = request->has_cut ? ", q.ordered_at::pg_catalog.timestamptz" : "";
	const char *sql = "SELECT q.customer_id%s, q.basket_id, q.item_id::pg_catalog.text%s "
					  "FROM (%s\n) q";
	Oid cast = InvalidOid, type = TEXTOID;
	Form_pg_attribute column;
	CrmQuery query;

	query = crm_source_prepare(
		psprintf(sql, request->as_text ? "::pg_catalog.text" : "", moment, select), contract);
	column = TupleDescAttr(query.columns, CUSTOMER);
	if (!request->as_text)
		type = crm_key_choose(request->key_type, column->atttypid, request->function, &cast);
	if (OidIsValid(cast))
		query = crm_source_prepare(
			psprintf(sql, psprintf("::%s", format_type_be_qualified(cast)), moment, select),
			contract);
	crm_key_type(&histories->key_type, type, TupleDescAttr(query.columns, CUSTOMER)->attcollation);
	return query;
}

/* Read the histories of a source; the request must outlive them. */
void
crm_histories_read(CrmHistories *histories, const CrmHistoriesRequest *request)
{
	CrmCtx *ctx = histories->ctx;
	CrmQuery query;

	histories->request = request;
	crm_source_open();
	query = prepare(histories, source_select(request->source));
	check(histories,
		  crm_table_init(&histories->customers, ctx, histories->key_type.kind, sizeof(Number)));
	if (histories->key_type.kind == CRM_KEY_BYTES)
	{
		histories->customers.equal = crm_key_equal;
		histories->customers.equal_user = &histories->key_type;
	}
	histories->scratch =
		AllocSetContextCreate(CurrentMemoryContext, "crm row", ALLOCSET_SMALL_SIZES);
	crm_source_run(&query, NULL, false, read_row, histories);
	crm_source_close(); /* and with it the scratch */
	arrange(histories);
	histories->in_order = crm_allocate(ctx, histories->customers.n, sizeof(uint32));
	if (histories->in_order == NULL)
		check(histories, ctx->failure);
	check(histories,
		  crm_key_order(&histories->key_type, ctx, &histories->customers, histories->in_order));
}

/* Give the key of a customer; it points into the histories. */
Datum
crm_histories_key(const CrmHistories *histories, uint32 customer)
{
	return crm_key_to_datum(&histories->key_type, &histories->customers, customer);
}
