/*
 * events.c: a source of events becomes sorted records. A record takes 16 bytes and is sorted where
 * it lies; a customer's key takes about 32 bytes while the source is read. Rows beyond the budget
 * are counted, for an error that tells the true need.
 */
#include "pg/events.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/memory.h"
#include "pg/source.h"

#define FIRST_ROOM 4096

/* The columns of the query. */
enum
{
	COLUMN_CUSTOMER,
	COLUMN_TIME,
	COLUMN_EVENT
};

/*
 * What reads the rows. Customers are looked up in batches; their table is of no use afterwards, so
 * it has a memory context of its own, within the same budget.
 */
typedef struct EventReader
{
	CrmEvents *state;
	const CrmEventsRequest *request;
	CrmRowCount *rows;
	size_t budget;
	CrmKeyType key_type;
	MemoryContext customer_memory;
	CrmCtx customer_ctx;
	CrmTable customers;         /* the payload is the customer's number + 1 */
	MemoryContext batch_memory; /* copies of keys, reset with each batch */
	int n;                      /* rows in the batch */
	CrmKey key[CRM_TABLE_BATCH];
	Datum room[CRM_TABLE_BATCH];
	CrmEvent event[CRM_TABLE_BATCH];
	bool is_full; /* more than the budget: rows are only counted */
} EventReader;

/* Raise the error that a status stands for; when the budget is passed, note it. */
static void
note_status(EventReader *reader, CrmStatus status, const CrmCtx *ctx)
{
	if (status == CRM_LIMIT)
		reader->is_full = true;
	else
		crm_memory_check(status, ctx, reader->request->what, NULL);
}

/* Give the records room for one batch more; false: beyond the budget. */
static bool
make_room(EventReader *reader)
{
	CrmEvents *state = reader->state;
	size_t room = state->room == 0 ? FIRST_ROOM : state->room + state->room / 4;
	CrmEvent *events;

	if (state->n + CRM_TABLE_BATCH <= state->room)
		return true;
	state->ctx.limit = Max(reader->budget - Min(reader->budget, reader->customer_ctx.used), 1);
	events = crm_memory_resize(&state->ctx, state->events, state->room * sizeof(CrmEvent),
							   room * sizeof(CrmEvent));
	if (events == NULL)
		return false;
	state->events = events;
	state->room = room;
	return true;
}

/* Give the number of the customer of a row of the table; a new one gets the next. */
static uint32
customer_number(EventReader *reader, void *row)
{
	uint64 *number = (uint64 *) ((char *) row + reader->customers.key_size);

	if (*number == 0)
		*number = ++reader->state->n_customers;
	return (uint32) (*number - 1);
}

/* Put the batch among the records. */
static void
flush_batch(EventReader *reader)
{
	CrmEvents *state = reader->state;
	void *row[CRM_TABLE_BATCH];

	if (!reader->is_full && !make_room(reader))
		reader->is_full = true;
	if (!reader->is_full)
	{
		reader->customer_ctx.limit = Max(reader->budget - Min(reader->budget, state->ctx.used), 1);
		note_status(reader, crm_table_find(&reader->customers, reader->key, reader->n, row),
					&reader->customer_ctx);
	}
	for (int i = 0; i < reader->n && !reader->is_full; i++)
	{
		reader->event[i].customer = customer_number(reader, row[i]);
		state->events[state->n++] = reader->event[i];
	}
	reader->n = 0;
	MemoryContextReset(reader->batch_memory);
}

/* Give the row number of a label in the table, new or not. */
static uint32
find_label(EventReader *reader, Datum label)
{
	CrmEvents *state = reader->state;
	Datum room;
	CrmKey key = crm_key_from_datum(&state->label_type, label, &room);
	uint64 *number;
	void *row = NULL;

	state->ctx.limit = Max(reader->budget - Min(reader->budget, reader->customer_ctx.used), 1);
	note_status(reader, crm_table_find(&state->labels, &key, 1, &row), &state->ctx);
	if (reader->is_full)
		return 0;
	number = (uint64 *) ((char *) row + state->labels.key_size);
	if (*number == 0)
		*number = state->labels.n;
	return (uint32) (*number - 1);
}

/* Take a row of the source. */
static void
read_row(TupleTableSlot *slot, void *arg)
{
	EventReader *reader = arg;
	CrmRowCount *rows = reader->rows;
	MemoryContext caller;
	TimestampTz time;
	CrmKey *key;

	rows->read++;
	if (slot->tts_isnull[COLUMN_CUSTOMER])
		rows->null_key++;
	else if (slot->tts_isnull[COLUMN_TIME] || slot->tts_isnull[COLUMN_EVENT])
		rows->null_value++;
	else if (TIMESTAMP_NOT_FINITE(time = DatumGetTimestampTz(slot->tts_values[COLUMN_TIME])))
		rows->non_finite++;
	else if (time > reader->request->as_of)
		rows->after_as_of++;
	else
	{
		rows->used++;
		if (reader->is_full)
			return;
		caller = MemoryContextSwitchTo(reader->batch_memory);
		key = &reader->key[reader->n];
		*key = crm_key_from_datum(&reader->key_type, slot->tts_values[COLUMN_CUSTOMER],
								  &reader->room[reader->n]);
		if (reader->key_type.kind == CRM_KEY_BYTES && !reader->key_type.by_value)
		{
			/* the slot's own bytes do not last until the batch is full */
			void *copy = palloc(key->length);

			memcpy(copy, key->bytes, key->length);
			key->bytes = copy;
		}
		reader->event[reader->n] =
			(CrmEvent){.time = time, .label = find_label(reader, slot->tts_values[COLUMN_EVENT])};
		MemoryContextSwitchTo(caller);
		if (++reader->n == CRM_TABLE_BATCH)
			flush_batch(reader);
	}
}

/* Begin to read customers of that type. */
static void
begin_reading(EventReader *reader, Oid key_type, Oid collation)
{
	CrmEvents *state = reader->state;

	reader->budget = state->ctx.limit;
	crm_key_type(&reader->key_type, key_type, collation);
	reader->customer_memory =
		crm_memory_begin(&reader->customer_ctx, state->memory, "crm customers of events");
	reader->batch_memory =
		AllocSetContextCreate(state->memory, "crm events batch", ALLOCSET_SMALL_SIZES);
	note_status(reader,
				crm_table_init(&reader->customers, &reader->customer_ctx, reader->key_type.kind,
							   sizeof(uint64)),
				&reader->customer_ctx);
	if (reader->key_type.kind == CRM_KEY_BYTES && !reader->key_type.plain_bytes)
	{
		reader->customers.equal = crm_key_equal;
		reader->customers.equal_user = &reader->key_type;
	}
	crm_key_type(&state->label_type, TEXTOID, C_COLLATION_OID);
	note_status(reader,
				crm_table_init(&state->labels, &state->ctx, state->label_type.kind, sizeof(uint64)),
				&state->ctx);
}

/* Free what only reading needs; an error when there was more than the budget. */
static void
end_reading(EventReader *reader)
{
	CrmEvents *state = reader->state;
	size_t used;

	flush_batch(reader);
	used = state->ctx.used + reader->customer_ctx.used;
	state->ctx.limit = reader->budget;
	state->ctx.peak = Max(state->ctx.peak, used);
	if (reader->is_full)
	{
		double rows = (double) reader->rows->used / (double) Max(state->n, 1);

		crm_memory_error(Max((size_t) ((double) used * rows), reader->budget + 1), &state->ctx,
						 reader->request->what,
						 psprintf("%lld events.", (long long) reader->rows->used),
						 "give a source with fewer rows");
	}
	MemoryContextDelete(reader->customer_memory);
	MemoryContextDelete(reader->batch_memory);
	if (state->events != NULL)
		state->events =
			crm_memory_resize(&state->ctx, state->events, state->room * sizeof(CrmEvent),
							  Max(state->n, 1) * sizeof(CrmEvent));
	state->room = Max(state->n, 1);
}

/* Give memory within the budget, or raise the memory error. */
static void *
allocate(CrmEvents *state, const CrmEventsRequest *request, size_t n, size_t size)
{
	void *memory = crm_allocate(&state->ctx, n, size);

	if (memory == NULL)
		crm_memory_check(state->ctx.failure, &state->ctx, request->what, NULL);
	return memory;
}

/* Number the labels in the order of their bytes, and the records with them. */
static void
number_labels(CrmEvents *state, const CrmEventsRequest *request)
{
	size_t n = state->labels.n;
	uint32 *number = allocate(state, request, n, sizeof(uint32));

	state->label_row = allocate(state, request, n, sizeof(uint32));
	crm_memory_check(
		crm_key_order(&state->label_type, &state->ctx, &state->labels, state->label_row),
		&state->ctx, request->what, NULL);
	for (size_t i = 0; i < n; i++)
		number[state->label_row[i]] = (uint32) i;
	for (size_t i = 0; i < state->n; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		state->events[i].label = number[state->events[i].label];
	}
	crm_release(&state->ctx, number, n, sizeof(uint32));
}

/*
 * Read a source of events into records, sorted by customer, time and label, which live in a memory
 * context below the current one. The account of the run gets the rows and the customers, who are
 * those with at least one event that can be used.
 */
CrmEvents *
crm_events_read(const CrmEventsRequest *request, CrmRun *run)
{
	MemoryContext keep = CurrentMemoryContext;
	CrmCtx ctx;
	MemoryContext memory = crm_memory_begin(&ctx, keep, "crm events");
	CrmEvents *state = MemoryContextAllocZero(memory, sizeof(CrmEvents));
	EventReader reader = {.state = state, .request = request, .rows = &run->rows};
	Form_pg_attribute customer;
	CrmQuery query;

	state->memory = memory;
	state->ctx = ctx;
	run->value = "time or event";
	crm_source_open();
	query = crm_source_prepare(psprintf("SELECT %s FROM (%s\n) q", crm_contract_events.typed,
										crm_source_select(request->source, &crm_contract_events)),
							   &crm_contract_events);
	customer = TupleDescAttr(query.columns, COLUMN_CUSTOMER);
	begin_reading(&reader, customer->atttypid, customer->attcollation);
	crm_source_run(&query, NULL, false, read_row, &reader);
	crm_source_close();
	MemoryContextSwitchTo(keep);
	end_reading(&reader);
	number_labels(state, request);
	crm_memory_check(crm_events_sort(&state->ctx, state->events, state->n), &state->ctx,
					 request->what, NULL);
	run->customers = state->n_customers;
	return state;
}

/* Give a label's text by its number; it lives as long as the events. */
Datum
crm_events_label(const CrmEvents *events, uint32 label)
{
	return crm_key_to_datum(&events->label_type, &events->labels, events->label_row[label]);
}
