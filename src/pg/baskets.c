/*
 * baskets.c: a source of baskets is read into pairs of row numbers, 8 bytes a row, which
 * baskets_rows.c makes rows of codes.
 *
 * Rows are worked off in batches whose cache misses overlap (base/table.h); rows of one basket that
 * follow one another ask for it once.
 */
#include "pg/baskets.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "pg/baskets_rows.h"
#include "pg/memory.h"
#include "pg/source.h"

#define LONG_KEY 65536 /* bytes; a longer key does not wait for its batch */

static const char *const oversize_list[] = {"error", "skip", "truncate"};
const CrmWords crm_oversize_words = {"oversize", "values of oversize", oversize_list,
									 lengthof(oversize_list)};

/* ---- options ----------------------------------------------------------------------------- */

/* Give argument i, a support: a share in (0, 1] or a whole number above 1. */
double
crm_baskets_support_arg(FunctionCallInfo fcinfo, int i, const char *name)
{
	double value;

	crm_arg_require(fcinfo, i, name);
	value = PG_GETARG_FLOAT8(i);
	if (!(value > 0) || isinf(value) || (value > 1 && rint(value) != value))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be a share above 0 and up to 1, or a whole number of "
					   "baskets above 1",
					   name),
				errdetail("Got %g.", value),
				errhint("0.01 asks for one basket in a hundred, 50 for fifty baskets; 1 is all of "
						"them."));
	return value;
}

/*
 * Give the least number of baskets that a support asks for: of a share, the least count whose
 * quotient by n is not below it, as a double; so what is reported with that support is what was
 * asked. 0 asks for 1. An error when it is a count above n, but for n = 0.
 */
uint32
crm_baskets_min_count(double min_support, uint32 n)
{
	double count;

	if (n == 0 || min_support <= 0)
		return 1;
	if (min_support > n && min_support > 1)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("min_support is above the number of baskets"),
				errdetail("Got %.15g, the source has %u baskets.", min_support, n),
				errhint("Give a share up to 1, or a count up to %u.", n));
	if (min_support > 1)
		return (uint32) min_support;
	count = ceil(min_support * n);
	while (count > 1 && (count - 1) / n >= min_support)
		count -= 1;
	while (count < n && count / n < min_support)
		count += 1;
	return (uint32) Max(count, 1);
}

/* Raise an error when two lists of labels share one. */
void
crm_baskets_disjoint(char **in, int n_in, const char *in_name, char **out, int n_out,
					 const char *out_name)
{
	for (int i = 0; i < n_in; i++)
		for (int j = 0; j < n_out; j++)
			if (strcmp(in[i], out[j]) == 0)
				ereport(
					ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("item \"%s\" is in both \"%s\" and \"%s\"", in[i], in_name, out_name),
					errhint("An item cannot be required and excluded."));
}

/* ---- memory ------------------------------------------------------------------------------ */

/* Raise the error for a status other than CRM_OK, with the size of the baskets. */
void
crm_baskets_check(const CrmBasketsState *state, CrmStatus status)
{
	if (status != CRM_OK)
		crm_memory_check(
			status, &state->ctx, "the baskets",
			psprintf("%u baskets, %u items.", state->baskets.n, state->baskets.n_items));
}

/* Give memory for n items beside the baskets, within the same budget, or raise the memory error. */
void *
crm_baskets_allocate(CrmBasketsState *state, size_t n, size_t size)
{
	void *memory = crm_allocate(&state->ctx, n, size);

	if (memory == NULL)
		crm_baskets_check(state, state->ctx.failure);
	return memory;
}

/* Share the budget out: what one of the two contexts holds, the other cannot have. */
static void
share_budget(CrmBasketsReader *reader)
{
	CrmCtx *pairs = &reader->state->ctx;

	reader->ctx.limit = Max(reader->limit - Min(reader->limit, pairs->used), 1);
	pairs->limit = Max(reader->limit - Min(reader->limit, reader->ctx.used), 1);
}

/* Raise the error for a status other than CRM_OK of one of the contexts, while reading. */
static void
check_reading(CrmBasketsReader *reader, const CrmCtx *ctx, CrmStatus status)
{
	CrmCtx whole = *ctx;
	const CrmCtx *other = ctx == &reader->ctx ? &reader->state->ctx : &reader->ctx;

	if (likely(status == CRM_OK))
		return;
	whole.limit = reader->limit;
	whole.wanted = ctx->wanted + other->used;
	crm_memory_check(status, &whole, "the table of baskets",
					 psprintf("%u baskets and %u items from %lld rows so far.", reader->baskets.n,
							  reader->items.n, (long long) reader->run->rows.read));
}

/* ---- rows -------------------------------------------------------------------------------- */

/* Give the text of an item, in the current memory context. */
text *
crm_baskets_item_text(CrmBasketsReader *reader, Datum item)
{
	return cstring_to_text(OutputFunctionCall(&reader->output, item));
}

/* Tell whether two keys of one type have equal bytes. */
static inline bool
same_key(CrmKeyKind kind, const CrmKey *a, const CrmKey *b)
{
	switch (kind)
	{
		case CRM_KEY_INT64:
			return a->half[0] == b->half[0];
		case CRM_KEY_UUID:
			return a->half[0] == b->half[0] && a->half[1] == b->half[1];
		default:
			return a->hash == b->hash && a->length == b->length &&
				   memcmp(a->bytes, b->bytes, a->length) == 0;
	}
}

/* Make a page for more pairs. */
static void
add_page(CrmBasketsReader *reader)
{
	CrmCtx *ctx = &reader->state->ctx;
	size_t page = reader->n_pairs / CRM_PAIRS_PAGE;

	share_budget(reader);
	if (page == reader->max_pages)
	{
		size_t max = page == 0 ? 64 : 2 * page;
		CrmPair **pages = crm_memory_resize(ctx, reader->pages, page * sizeof(CrmPair *),
											max * sizeof(CrmPair *));

		if (pages == NULL)
			check_reading(reader, ctx, CRM_LIMIT);
		reader->pages = pages;
		reader->max_pages = max;
	}
	reader->pages[page] = crm_allocate(ctx, CRM_PAIRS_PAGE, sizeof(CrmPair));
	if (reader->pages[page] == NULL)
		check_reading(reader, ctx, ctx->failure);
}

/* Keep the least text of equal items that differ in bytes: whatever comes first, it is the same. */
static void
keep_label(CrmBasketsReader *reader, void *row, CrmItemRow *item, const CrmKey *key)
{
	const CrmKeyBytes *first = *(CrmKeyBytes *const *) row;
	Datum datum =
		reader->item_type.by_value ? *(const Datum *) key->bytes : PointerGetDatum(key->bytes);
	text *label;

	if (item->label != NULL && first->length == key->length &&
		memcmp(first->bytes, key->bytes, key->length) == 0)
		return;
	label = crm_baskets_item_text(reader, datum);
	if (item->label == NULL || strcmp(text_to_cstring(label), text_to_cstring(item->label)) < 0)
	{
		item->label = crm_allocate(&reader->ctx, VARSIZE(label), 1);
		if (item->label == NULL)
			check_reading(reader, &reader->ctx, reader->ctx.failure);
		memcpy(item->label, label, VARSIZE(label));
	}
}

/* Find the numbers of the items that wait. */
static void
number_items(CrmBasketsReader *reader, uint32 *number)
{
	void *row[CRM_TABLE_BATCH];
	uint32 next = reader->items.n;

	check_reading(reader, &reader->ctx,
				  crm_table_find(&reader->items, reader->item, reader->pending, row));
	for (int i = 0; i < reader->pending; i++)
	{
		CrmItemRow *item = (CrmItemRow *) ((char *) row[i] + reader->items.key_size);

		if (item->number == 0)
			item->number = ++next;
		item->count += item->count != PG_UINT32_MAX;
		number[i] = item->number - 1;
		if (reader->keeps_labels)
			keep_label(reader, row[i], item, &reader->item[i]);
	}
}

/* Find the numbers of the baskets that wait, and add what they bring. */
static void
number_baskets(CrmBasketsReader *reader, uint32 *number)
{
	CrmKey key[CRM_TABLE_BATCH];
	void *row[CRM_TABLE_BATCH];
	int run[CRM_TABLE_BATCH];
	uint32 next = reader->baskets.n;
	int runs = 0;

	for (int i = 0; i < reader->pending; i++)
	{
		if (runs == 0 || !same_key(reader->basket_type.kind, &key[runs - 1], &reader->basket[i]))
			key[runs++] = reader->basket[i];
		run[i] = runs - 1;
	}
	check_reading(reader, &reader->ctx, crm_table_find(&reader->baskets, key, runs, row));
	for (int i = 0; i < reader->pending; i++)
	{
		CrmBasketRow *basket = (CrmBasketRow *) ((char *) row[run[i]] + reader->baskets.key_size);

		if (basket->number == 0)
			basket->number = ++next;
		number[i] = (uint32) (basket->number - 1);
		if (!reader->has_amounts)
			continue;
		if (isfinite(reader->amount[i]))
			crm_sum_add(&basket->amount, reader->amount[i]);
		else
			reader->state->no_amount++;
	}
}

/* Work off the rows that wait. */
static void
flush(CrmBasketsReader *reader)
{
	MemoryContext caller = MemoryContextSwitchTo(reader->batch_memory);
	uint32 basket[CRM_TABLE_BATCH], item[CRM_TABLE_BATCH];

	share_budget(reader);
	number_baskets(reader, basket);
	number_items(reader, item);
	for (int i = 0; i < reader->pending; i++)
	{
		if (reader->n_pairs % CRM_PAIRS_PAGE == 0)
			add_page(reader);
		reader->pages[reader->n_pairs / CRM_PAIRS_PAGE][reader->n_pairs % CRM_PAIRS_PAGE] =
			(CrmPair){basket[i], item[i]};
		reader->n_pairs++;
	}
	reader->pending = 0;
	MemoryContextSwitchTo(caller);
	if (reader->batch_used || reader->keeps_labels)
		MemoryContextReset(reader->batch_memory);
	reader->batch_used = false;
}

/* Make a key of a datum of a longer type that stays good until the batch is worked off. */
static void
take_bytes(CrmBasketsReader *reader, const CrmKeyType *type, Datum datum, Datum *value, CrmKey *key)
{
	MemoryContext caller = MemoryContextSwitchTo(reader->batch_memory);

	*key = crm_key_from_datum(type, datum, value);
	if (type->kind == CRM_KEY_BYTES && !type->by_value && key->bytes == DatumGetPointer(datum))
	{
		void *copy = palloc(key->length);

		memcpy(copy, key->bytes, key->length);
		key->bytes = copy;
	}
	reader->batch_used |= type->kind == CRM_KEY_BYTES;
	MemoryContextSwitchTo(caller);
}

/*
 * Make a key of a datum that stays good until the batch is worked off. Integers and short texts,
 * the common cases, are written where they stay: a text into room; *value holds what is passed by
 * value.
 */
static inline void
take_key(CrmBasketsReader *reader, const CrmKeyType *type, Datum datum, Datum *value, char *room,
		 CrmKey *key)
{
	if (type->kind == CRM_KEY_INT64)
	{
		int64 integer = type->length == 4   ? (int64) DatumGetInt32(datum)
						: type->length == 2 ? (int64) DatumGetInt16(datum)
											: DatumGetInt64(datum);

		key->integer = integer;
		key->hash = crm_mix64((uint64) integer);
	}
	else if (type->plain_bytes && VARATT_IS_SHORT(DatumGetPointer(datum)) &&
			 !VARATT_IS_EXTERNAL(DatumGetPointer(datum)))
	{
		Size length = VARSIZE_SHORT(DatumGetPointer(datum)) - VARHDRSZ_SHORT;

		SET_VARSIZE(room, length + VARHDRSZ);
		memcpy(room + VARHDRSZ, VARDATA_SHORT(DatumGetPointer(datum)), length);
		key->bytes = room;
		key->length = (uint32) (length + VARHDRSZ);
		key->hash = crm_hash_bytes(room + VARHDRSZ, length);
	}
	else
		take_bytes(reader, type, datum, value, key);
}

/* Add a row: basket_id, item_id and, if there are amounts, amount. */
void
crm_baskets_add(CrmBasketsReader *reader, const Datum *values, const bool *nulls)
{
	CrmRowCount *rows = &reader->run->rows;
	int i = reader->pending;

	rows->read++;
	if (nulls[0] || nulls[1])
	{
		rows->null_key += nulls[0];
		rows->null_value += !nulls[0];
		return;
	}
	rows->used++;
	take_key(reader, &reader->basket_type, values[0], &reader->basket_room[i],
			 reader->short_key[2 * i], &reader->basket[i]);
	take_key(reader, &reader->item_type, values[1], &reader->item_room[i],
			 reader->short_key[2 * i + 1], &reader->item[i]);
	if (reader->has_amounts)
		reader->amount[i] = nulls[2] ? NAN : DatumGetFloat8(values[2]);
	reader->pending++;
	if (reader->pending == CRM_TABLE_BATCH || reader->basket[i].length > LONG_KEY ||
		reader->item[i].length > LONG_KEY)
		flush(reader);
}

/* Take a row of the source. */
static void
read_row(TupleTableSlot *slot, void *arg)
{
	crm_baskets_add(arg, slot->tts_values, slot->tts_isnull);
}

/* ---- a source ---------------------------------------------------------------------------- */

/* Fill in how to handle a column's values; an error when its type has no hash function. */
static void
begin_column(CrmKeyType *type, const CrmBasketsColumn *column)
{
	TypeCacheEntry *cache = lookup_type_cache(
		getBaseType(column->type), TYPECACHE_EQ_OPR_FINFO | TYPECACHE_HASH_EXTENDED_PROC_FINFO);

	if (!OidIsValid(cache->hash_extended_proc_finfo.fn_oid) ||
		!OidIsValid(cache->eq_opr_finfo.fn_oid))
		ereport(
			ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
			errmsg("%s of type %s cannot be hashed", column->name, format_type_be(column->type)),
			errhint("Cast it to a hashable type, such as bigint, uuid or text."));
	crm_key_type(type, column->type, column->collation);
}

/* Begin a table whose rows have a key of that type and so many bytes more. */
static void
begin_table(CrmBasketsReader *reader, CrmTable *table, CrmKeyType *type, size_t payload)
{
	check_reading(reader, &reader->ctx, crm_table_init(table, &reader->ctx, type->kind, payload));
	if (type->kind == CRM_KEY_BYTES && !type->plain_bytes)
	{
		table->equal = crm_key_equal;
		table->equal_user = type;
	}
}

/*
 * Begin to read baskets: columns[0] and columns[1] are those of basket_id and item_id. All memory
 * is below keep. The account of the run gets the rows.
 */
CrmBasketsReader *
crm_baskets_begin(const CrmBasketsRequest *request, const CrmBasketsColumn *columns,
				  bool has_amounts, MemoryContext keep, CrmRun *run)
{
	CrmCtx ctx;
	MemoryContext memory = crm_memory_begin(&ctx, keep, "crm baskets");
	CrmBasketsState *state = MemoryContextAllocZero(memory, sizeof(CrmBasketsState));
	CrmBasketsReader *reader = MemoryContextAllocZero(keep, sizeof(CrmBasketsReader));
	Oid output;
	bool is_varlena;

	state->memory = memory;
	state->ctx = ctx;
	reader->request = request;
	reader->state = state;
	reader->run = run;
	reader->limit = state->ctx.limit;
	reader->memory = crm_memory_begin(&reader->ctx, memory, "crm baskets reading");
	reader->batch_memory =
		AllocSetContextCreate(reader->memory, "crm baskets batch", ALLOCSET_DEFAULT_SIZES);
	reader->has_amounts = has_amounts;
	begin_column(&reader->basket_type, &columns[0]);
	begin_column(&reader->item_type, &columns[1]);
	reader->keeps_labels =
		reader->item_type.kind == CRM_KEY_BYTES && !reader->item_type.plain_bytes;
	getTypeOutputInfo(columns[1].type, &output, &is_varlena);
	fmgr_info_cxt(output, &reader->output, reader->memory);
	begin_table(reader, &reader->baskets, &reader->basket_type,
				has_amounts ? sizeof(CrmBasketRow) : offsetof(CrmBasketRow, amount));
	begin_table(reader, &reader->items, &reader->item_type,
				reader->keeps_labels ? sizeof(CrmItemRow) : offsetof(CrmItemRow, label));
	return reader;
}

/* End reading: give the baskets, and free the reader. */
CrmBasketsState *
crm_baskets_end(CrmBasketsReader *reader)
{
	CrmBasketsState *state = reader->state;

	flush(reader);
	crm_baskets_finish(reader);
	pfree(reader);
	return state;
}

/* Tell whether a query gives a column of that name. */
static bool
has_column(TupleDesc columns, const char *name)
{
	for (int i = 0; i < columns->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(columns, i)->attname), name) == 0)
			return true;
	return false;
}

/* Tell the user what became of baskets and amounts that are out of the ordinary. */
static void
tell(const CrmBasketsRequest *request, const CrmBasketsState *state)
{
	if (state->oversized > 0)
		ereport(NOTICE, errmsg("%s %s %u baskets of more than %lld items", request->function,
							   request->oversize == CRM_OVERSIZE_SKIP ? "skipped" : "truncated",
							   state->oversized, (long long) request->max_basket_size));
	if (state->no_amount > 0)
		ereport(NOTICE, errmsg("%s took %lld amounts that are null or not finite as 0",
							   request->function, (long long) state->no_amount));
}

/*
 * Read a source of baskets. The result lives in a memory context below the current one. The account
 * of the run gets the rows, and as its customers the baskets.
 */
CrmBasketsState *
crm_baskets_read(const CrmBasketsRequest *request, CrmRun *run)
{
	MemoryContext keep = CurrentMemoryContext;
	CrmBasketsColumn columns[2];
	CrmBasketsReader *reader;
	CrmBasketsState *state;
	CrmQuery query;
	char *select;
	bool amounts = false;

	crm_source_open();
	select = crm_source_select(request->source, &crm_contract_baskets);
	if (request->amounts)
	{
		query =
			crm_source_prepare(psprintf("SELECT * FROM (%s\n) q", select), &crm_contract_baskets);
		amounts = has_column(query.columns, "amount");
	}
	query = crm_source_prepare(psprintf("SELECT q.basket_id, q.item_id%s FROM (%s\n) q",
										amounts ? ", q.amount::pg_catalog.float8" : "", select),
							   &crm_contract_baskets);
	for (int i = 0; i < 2; i++)
	{
		Form_pg_attribute column = TupleDescAttr(query.columns, i);

		columns[i] =
			(CrmBasketsColumn){NameStr(column->attname), column->atttypid, column->attcollation};
	}
	reader = crm_baskets_begin(request, columns, amounts, keep, run);
	run->key = "basket_id";
	run->value = "item_id";
	crm_source_run(&query, NULL, false, read_row, reader);
	state = crm_baskets_end(reader);
	crm_source_close();
	run->customers = state->baskets.n;
	tell(request, state);
	return state;
}
