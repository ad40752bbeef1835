/*
 * baskets_rows.c: pairs of row numbers become rows of codes, one row a basket, by a counting sort.
 *
 * Codes ascend with the labels. Items that cannot be frequent are dropped before the sort, by their
 * rows; those that are not, after repeats are gone. Baskets that hold too much are dealt with in
 * between, when their size is known and before anything that counts towards it is dropped.
 */
#include "pg/baskets_rows.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "pg/memory.h"

#define POLL_ROWS    65536
#define NOT_KEPT     PG_UINT32_MAX
#define LABEL_CHUNK  65536
#define PREFIX_BYTES 8

/* An item to be ordered by its label. */
typedef struct Entry
{
	uint64 prefix; /* the label's first bytes, the first one highest */
	text *label;
	uint32 number; /* row of the table of items */
} Entry;

/* Where the next label goes. */
typedef struct LabelRoom
{
	CrmBasketsState *state;
	char *at;
	size_t left;
} LabelRoom;

/* The rows in the making; they lie in the state's context. */
typedef struct Rows
{
	CrmBasketsState *state;
	uint64_t *start;
	uint32_t *items;
} Rows;

/* ---- labels ------------------------------------------------------------------------------ */

/* Copy a text with a zero byte behind it. */
static text *
copy_label(LabelRoom *room, const text *label)
{
	size_t bytes = INTALIGN(VARSIZE(label) + 1);
	char *copy;

	if (bytes > LABEL_CHUNK / 4)
		copy = crm_baskets_allocate(room->state, bytes, 1);
	else
	{
		if (room->left < bytes)
		{
			room->at = crm_baskets_allocate(room->state, LABEL_CHUNK, 1);
			room->left = LABEL_CHUNK;
		}
		copy = room->at;
		room->at += bytes;
		room->left -= bytes;
	}
	memcpy(copy, label, VARSIZE(label));
	memset(copy + VARSIZE(label), 0, bytes - VARSIZE(label));
	return (text *) copy;
}

/* Give the first bytes of a label as a number in whose order they are. */
static uint64
label_prefix(const text *label)
{
	const unsigned char *bytes = (const unsigned char *) VARDATA(label);
	size_t length = VARSIZE(label) - VARHDRSZ;
	uint64 prefix = 0;

	for (size_t i = 0; i < PREFIX_BYTES; i++)
		prefix = prefix << 8 | (i < length ? bytes[i] : 0);
	return prefix;
}

/* Compare two labels by their bytes. */
static int
compare_labels(const text *a, const text *b)
{
	size_t a_length = VARSIZE(a) - VARHDRSZ;
	size_t b_length = VARSIZE(b) - VARHDRSZ;
	int order = memcmp(VARDATA(a), VARDATA(b), Min(a_length, b_length));

	return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

/* Order two entries by their labels. */
static int
compare_entries(const void *a, const void *b)
{
	const Entry *one = a;
	const Entry *other = b;

	CHECK_FOR_INTERRUPTS();
	if (one->prefix != other->prefix)
		return one->prefix < other->prefix ? -1 : 1;
	return compare_labels(one->label, other->label);
}

/* Fill in the entries of the items with at least so many rows, labels made; gives how many. */
static uint32
make_entries(CrmBasketsReader *reader, uint32 least, Entry *entries)
{
	LabelRoom room = {.state = reader->state};
	MemoryContext caller = MemoryContextSwitchTo(reader->batch_memory);
	uint32 n = 0;

	for (uint32 i = 0; i < reader->items.n; i++)
	{
		char *row = crm_table_row(&reader->items, i);
		const CrmItemRow *item = (CrmItemRow *) (row + reader->items.key_size);
		text *label;

		if (i % POLL_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		if (item->count < least)
			continue;
		if (reader->keeps_labels)
			label = item->label;
		else if (reader->item_type.kind == CRM_KEY_BYTES &&
				 (reader->item_type.type == TEXTOID || reader->item_type.type == VARCHAROID))
			label = (text *) (*(CrmKeyBytes *const *) row)->bytes;
		else
			label = crm_baskets_item_text(reader,
										  crm_key_to_datum(&reader->item_type, &reader->items, i));
		entries[n].label = copy_label(&room, label);
		entries[n].prefix = label_prefix(entries[n].label);
		entries[n].number = i;
		n++;
		if (n % 1024 == 0)
			MemoryContextReset(reader->batch_memory);
	}
	MemoryContextSwitchTo(caller);
	return n;
}

/*
 * Give the items with at least so many rows codes in the order of their labels; code[] takes the
 * code of each row of the table of items, or NOT_KEPT. Items with equal labels are one.
 */
static void
make_codes(CrmBasketsReader *reader, uint32 least, uint32 *code)
{
	CrmBasketsState *state = reader->state;
	Entry *entries = crm_baskets_allocate(state, reader->items.n, sizeof(Entry));
	uint32 n = make_entries(reader, least, entries);
	uint32 codes = 0;

	qsort(entries, n, sizeof(Entry), compare_entries);
	state->label = crm_baskets_allocate(state, n, sizeof(text *));
	for (uint32 i = 0; i < reader->items.n; i++)
		code[i] = NOT_KEPT;
	for (uint32 i = 0; i < n; i++)
	{
		if (i == 0 || compare_labels(entries[i - 1].label, entries[i].label) != 0)
			state->label[codes++] = entries[i].label;
		code[entries[i].number] = codes - 1;
	}
	state->baskets.n_items = codes;
	crm_release(&state->ctx, entries, reader->items.n, sizeof(Entry));
}

/* ---- rows -------------------------------------------------------------------------------- */

/* Count the kept pairs of each basket, and give each its place: start[b] is where basket b begins.
 */
static void
place_baskets(CrmBasketsReader *reader, const uint32 *code, uint32 n, uint64_t *start)
{
	uint64_t before = 0;

	memset(start, 0, ((size_t) n + 1) * sizeof(uint64_t));
	for (size_t i = 0; i < reader->n_pairs; i++)
	{
		CrmPair pair = reader->pages[i / CRM_PAIRS_PAGE][i % CRM_PAIRS_PAGE];

		if (i % POLL_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		start[pair.basket] += code[pair.item] != NOT_KEPT;
	}
	for (uint32 b = 0; b <= n; b++)
	{
		uint64_t here = start[b];

		start[b] = before;
		before += here;
	}
}

/* Lay the kept pairs out basket by basket, and release them. */
static void
lay_out(CrmBasketsReader *reader, const uint32 *code, uint32 n, Rows *rows)
{
	CrmCtx *ctx = &reader->state->ctx;
	size_t pages = (reader->n_pairs + CRM_PAIRS_PAGE - 1) / CRM_PAIRS_PAGE;

	for (size_t page = 0; page < pages; page++)
	{
		const CrmPair *pairs = reader->pages[page];
		size_t end = Min(CRM_PAIRS_PAGE, reader->n_pairs - page * CRM_PAIRS_PAGE);

		CHECK_FOR_INTERRUPTS();
		for (size_t i = 0; i < end; i++)
			if (code[pairs[i].item] != NOT_KEPT)
				rows->items[rows->start[pairs[i].basket]++] = code[pairs[i].item];
		crm_release(ctx, reader->pages[page], CRM_PAIRS_PAGE, sizeof(CrmPair));
	}
	crm_release(ctx, reader->pages, reader->max_pages, sizeof(CrmPair *));
	reader->pages = NULL;
	/* each start has come to where the next one was */
	memmove(rows->start + 1, rows->start, n * sizeof(uint64_t));
	rows->start[0] = 0;
}

/* Count by code the baskets that hold it. */
static void
count_items(Rows *rows)
{
	CrmBasketsState *state = rows->state;
	uint64_t end = rows->start[state->baskets.n];

	memset(state->count, 0, state->baskets.n_items * sizeof(uint32));
	for (uint64_t i = 0; i < end; i++)
	{
		if (i % POLL_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		state->count[rows->items[i]]++;
	}
}

/* Let each basket hold an item once, and count by code the baskets that do. */
static void
drop_repeats(Rows *rows)
{
	CrmBasketsState *state = rows->state;
	uint32 n_items = state->baskets.n_items;
	uint32 *seen = crm_baskets_allocate(state, n_items, sizeof(uint32)); /* basket + 1 */
	uint64_t to = 0, from = 0;

	memset(seen, 0, n_items * sizeof(uint32));
	memset(state->count, 0, n_items * sizeof(uint32));
	for (uint32 b = 0; b < state->baskets.n; b++)
	{
		uint64_t end = rows->start[b + 1];

		rows->start[b] = to;
		for (; from < end; from++)
		{
			uint32 item = rows->items[from];

			if (from % POLL_ROWS == 0)
				CHECK_FOR_INTERRUPTS();
			if (seen[item] == b + 1)
				continue;
			seen[item] = b + 1;
			state->count[item]++;
			rows->items[to++] = item;
		}
	}
	rows->start[state->baskets.n] = to;
	crm_release(&state->ctx, seen, n_items, sizeof(uint32));
}

/* Order two codes: that of more baskets first, then the lower one. */
static int
compare_counts(const void *a, const void *b, void *count)
{
	uint32 one = *(const uint32 *) a;
	uint32 other = *(const uint32 *) b;
	uint32 one_count = ((const uint32 *) count)[one];
	uint32 other_count = ((const uint32 *) count)[other];

	if (one_count != other_count)
		return one_count > other_count ? -1 : 1;
	return (one > other) - (one < other);
}

/* Raise the error for baskets that hold more than they may. */
static void
refuse_oversized(const Rows *rows, int64 most)
{
	uint64_t largest = 0;
	uint32 n = 0;

	for (uint32 b = 0; b < rows->state->baskets.n; b++)
	{
		uint64_t size = rows->start[b + 1] - rows->start[b];

		n += size > (uint64_t) most;
		largest = Max(largest, size);
	}
	if (n > 0)
		ereport(
			ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			errmsg("%u baskets have more than max_basket_size = %lld items", n, (long long) most),
			errdetail("The largest has %llu items.", (unsigned long long) largest),
			errhint("Use oversize => 'skip' to leave such baskets out, or 'truncate' to keep "
					"the items of them that most baskets hold."));
}

/* Skip or truncate the baskets that hold more items than they may. */
static void
mend_oversized(Rows *rows, int64 most, bool skip)
{
	CrmBasketsState *state = rows->state;
	uint64_t to = 0, from = 0;
	uint32 kept = 0;

	for (uint32 b = 0; b < state->baskets.n; b++)
	{
		uint64_t end = rows->start[b + 1];
		uint64_t size = end - from;

		if (size > (uint64_t) most)
		{
			CHECK_FOR_INTERRUPTS();
			state->oversized++;
			if (!skip)
				qsort_arg(rows->items + from, size, sizeof(uint32), compare_counts, state->count);
			size = skip ? 0 : (uint64_t) most;
		}
		if (size > 0)
		{
			rows->start[kept] = to;
			if (state->amount != NULL)
				state->amount[kept] = state->amount[b];
			if (state->hash != NULL)
				state->hash[kept] = state->hash[b];
			kept++;
			memmove(rows->items + to, rows->items + from, size * sizeof(uint32));
			to += size;
		}
		from = end;
	}
	rows->start[kept] = to;
	state->baskets.n = kept;
	if (state->oversized > 0)
		count_items(rows);
}

/* Drop the items of fewer baskets than min_count; the others' codes close up. */
static void
drop_infrequent(Rows *rows)
{
	CrmBasketsState *state = rows->state;
	uint32 n_items = state->baskets.n_items;
	uint32 *code = crm_baskets_allocate(state, n_items, sizeof(uint32));
	uint64_t to = 0, from = 0;
	uint32 kept = 0;

	for (uint32 i = 0; i < n_items; i++)
	{
		code[i] = state->count[i] < state->min_count ? NOT_KEPT : kept;
		if (code[i] == NOT_KEPT)
			continue;
		state->label[kept] = state->label[i];
		state->count[kept] = state->count[i];
		kept++;
	}
	state->baskets.n_items = kept;
	for (uint32 b = 0; b < state->baskets.n && kept < n_items; b++)
	{
		uint64_t end = rows->start[b + 1];

		rows->start[b] = to;
		for (; from < end; from++)
		{
			if (from % POLL_ROWS == 0)
				CHECK_FOR_INTERRUPTS();
			if (code[rows->items[from]] != NOT_KEPT)
				rows->items[to++] = code[rows->items[from]];
		}
	}
	if (kept < n_items)
		rows->start[state->baskets.n] = to;
	crm_release(&state->ctx, code, n_items, sizeof(uint32));
}

/* Take the totals of the baskets out of their table. */
static void
take_amounts(CrmBasketsReader *reader)
{
	CrmBasketsState *state = reader->state;
	uint32 n = reader->baskets.n;

	state->amount = crm_baskets_allocate(state, n, sizeof(double));
	for (uint32 b = 0; b < n; b++)
	{
		const char *row = crm_table_row(&reader->baskets, b);

		if (b % POLL_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		state->amount[b] =
			crm_sum_value(((const CrmBasketRow *) (row + reader->baskets.key_size))->amount);
	}
}

/* Take the hashes of the baskets' keys out of their table. */
static void
take_hashes(CrmBasketsReader *reader)
{
	CrmBasketsState *state = reader->state;
	uint32 n = reader->baskets.n;

	state->hash = crm_baskets_allocate(state, n, sizeof(uint64));
	for (uint32 b = 0; b < n; b++)
	{
		CrmKey key = crm_table_key(&reader->baskets, b);

		if (b % POLL_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		if (reader->baskets.kind == CRM_KEY_INT64)
			key = crm_key_int64(key.integer);
		else if (reader->baskets.kind == CRM_KEY_UUID)
			key = crm_key_uuid(key.half);
		state->hash[b] = crm_mix64(key.hash);
	}
}

/*
 * Give each item its code, and take the totals of the baskets; then the tables are of no more use
 * and go. Gives code[] by the rows of the table of items.
 */
static uint32 *
leave_tables(CrmBasketsReader *reader)
{
	const CrmBasketsRequest *request = reader->request;
	CrmBasketsState *state = reader->state;
	bool early = request->max_basket_size == 0 && !reader->keeps_labels;
	uint32 *code;

	state->ctx.limit = reader->limit;
	state->ctx.used += reader->ctx.used; /* one budget */
	state->ctx.peak = Max(state->ctx.peak, state->ctx.used);
	state->baskets.n = reader->baskets.n;
	state->all_items = reader->items.n;
	code = crm_baskets_allocate(state, reader->items.n, sizeof(uint32));
	make_codes(reader, early ? crm_baskets_min_count(request->min_support, reader->baskets.n) : 0,
			   code);
	if (reader->has_amounts)
		take_amounts(reader);
	if (request->hashes)
		take_hashes(reader);
	state->ctx.used -= reader->ctx.used;
	MemoryContextDelete(reader->memory);
	return code;
}

/* Make rows of the pairs, take what else is of use, and free the reader's memory. */
void
crm_baskets_finish(CrmBasketsReader *reader)
{
	const CrmBasketsRequest *request = reader->request;
	CrmBasketsState *state = reader->state;
	Rows rows = {.state = state};
	uint32 *code = leave_tables(reader);
	uint32 n = state->baskets.n;
	size_t room;

	rows.start = crm_baskets_allocate(state, (size_t) n + 1, sizeof(uint64_t));
	state->count = crm_baskets_allocate(state, state->baskets.n_items, sizeof(uint32));
	place_baskets(reader, code, n, rows.start);
	room = rows.start[n];
	rows.items = crm_baskets_allocate(state, room, sizeof(uint32_t));
	lay_out(reader, code, n, &rows);
	crm_release(&state->ctx, code, state->all_items, sizeof(uint32));
	drop_repeats(&rows);
	if (request->max_basket_size > 0 && request->oversize == CRM_OVERSIZE_ERROR)
		refuse_oversized(&rows, request->max_basket_size);
	else if (request->max_basket_size > 0)
		mend_oversized(&rows, request->max_basket_size, request->oversize == CRM_OVERSIZE_SKIP);
	state->min_count = crm_baskets_min_count(request->min_support, state->baskets.n);
	drop_infrequent(&rows);
	rows.items = crm_memory_resize(&state->ctx, rows.items, room * sizeof(uint32_t),
								   rows.start[state->baskets.n] * sizeof(uint32_t));
	state->baskets.start = rows.start;
	state->baskets.items = rows.items;
}

/* ---- what others ask --------------------------------------------------------------------- */

/* Give the label of a code, ended by a zero byte. */
const char *
crm_baskets_label(const CrmBasketsState *state, uint32 code)
{
	return VARDATA(state->label[code]);
}

/* Find the code of a label; -1 when there is none, or the item was dropped for being infrequent. */
int64
crm_baskets_find(const CrmBasketsState *state, const char *label)
{
	uint32 low = 0, high = state->baskets.n_items;

	while (low < high)
	{
		uint32 middle = low + (high - low) / 2;
		int order = strcmp(crm_baskets_label(state, middle), label);

		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

/*
 * Give n codes as a text[] of their labels. It lies in the room, which grows in the current memory
 * context and is used again.
 */
Datum
crm_baskets_labels(const CrmBasketsState *state, const uint32 *codes, uint32 n, CrmLabelArray *room)
{
	Size bytes = ARR_OVERHEAD_NONULLS(1);
	char *at;

	for (uint32 i = 0; i < n; i++)
		bytes += INTALIGN(VARSIZE(state->label[codes[i]]));
	if (bytes > room->room)
	{
		if (room->array != NULL)
			pfree(room->array);
		room->room = bytes < MaxAllocSize / 2 ? Max(2 * bytes, 1024) : bytes;
		room->array = palloc(room->room);
	}
	SET_VARSIZE(room->array, bytes);
	room->array->ndim = 1;
	room->array->dataoffset = 0;
	room->array->elemtype = TEXTOID;
	ARR_DIMS(room->array)[0] = (int) n;
	ARR_LBOUND(room->array)[0] = 1;
	at = ARR_DATA_PTR(room->array);
	for (uint32 i = 0; i < n; i++)
	{
		const text *label = state->label[codes[i]];

		/* the zero byte and what follows it belong to the copy of the label */
		memcpy(at, label, INTALIGN(VARSIZE(label)));
		at += INTALIGN(VARSIZE(label));
	}
	return PointerGetDatum(room->array);
}

/*
 * Give a flag a code, set for the labels in the list; NULL for no list. A label that is in no
 * frequent enough item is named in a NOTICE.
 */
uint8 *
crm_baskets_flags(CrmBasketsState *state, char **labels, int n, const char *name)
{
	uint8 *flags;

	if (labels == NULL)
		return NULL;
	flags = crm_baskets_allocate(state, state->baskets.n_items, sizeof(uint8));
	memset(flags, 0, state->baskets.n_items);
	for (int i = 0; i < n; i++)
	{
		int64 code = crm_baskets_find(state, labels[i]);

		if (code >= 0)
			flags[code] = 1;
		else
			ereport(NOTICE, errmsg("item \"%s\" of \"%s\" is in fewer than %u baskets, or in none",
								   labels[i], name, state->min_count));
	}
	return flags;
}
