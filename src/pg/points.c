/*
 * points.c: rows of a query become series of points. Customers are looked up in batches whose cache
 * misses overlap; a counting sort by customer then puts the points side by side.
 */
#include "pg/points.h"

#include <math.h>

#include "utils/memutils.h"

#include "pg/memory.h"

#define FIRST_ROOM 4096

/* The points of one series as they came. */
typedef struct Column
{
	size_t n, room;
	uint32 *customer;
	CrmPoint *point;
} Column;

typedef struct Reader
{
	const CrmPointsRequest *request;
	CrmRowCount *rows;
	int series; /* at least 1 */
	Column *column;
	MemoryContext batch_memory; /* copies of keys, reset with each batch */
	int n;                      /* rows in the batch */
	CrmKey key[CRM_TABLE_BATCH];
	Datum room[CRM_TABLE_BATCH];
	int64 time[CRM_TABLE_BATCH];
	double *value; /* CRM_TABLE_BATCH rows of `series` numbers, NaN for none */
} Reader;

/* Raise the error that a status stands for. */
static void
check(const Reader *reader, CrmStatus status)
{
	if (status != CRM_OK)
		crm_memory_check(status, reader->request->owners->ctx, reader->request->what,
						 psprintf("%lld rows and %u customers so far.",
								  (long long) reader->rows->read,
								  reader->request->owners->table.n));
}

/* Give memory within the budget. */
static void *
allocate(const Reader *reader, size_t n, size_t size)
{
	CrmCtx *ctx = reader->request->owners->ctx;
	void *memory = crm_allocate(ctx, n, size);

	if (memory == NULL)
		check(reader, ctx->failure);
	return memory;
}

/* Begin a table of customers whose keys are of that type. */
void
crm_points_owners(CrmPointOwners *owners, CrmCtx *ctx, Oid key_type, Oid collation)
{
	*owners = (CrmPointOwners){.ctx = ctx};
	crm_key_type(&owners->key_type, key_type, collation);
	crm_memory_check(crm_table_init(&owners->table, ctx, owners->key_type.kind, sizeof(uint64)),
					 ctx, "the table of customers", NULL);
	if (owners->key_type.kind == CRM_KEY_BYTES && !owners->key_type.plain_bytes)
	{
		owners->table.equal = crm_key_equal;
		owners->table.equal_user = &owners->key_type;
	}
}

/* Give a column room for one batch more. */
static void
make_room(const Reader *reader, Column *column)
{
	CrmCtx *ctx = reader->request->owners->ctx;
	size_t room = column->room == 0 ? FIRST_ROOM : column->room + column->room / 4;
	CrmPoint *point;
	uint32 *customer;

	if (column->n + CRM_TABLE_BATCH <= column->room)
		return;
	point = crm_memory_resize(ctx, column->point, column->room * sizeof(CrmPoint),
							  room * sizeof(CrmPoint));
	if (point != NULL)
		column->point = point;
	customer = point == NULL
				   ? NULL
				   : crm_memory_resize(ctx, column->customer, column->room * sizeof(uint32),
									   room * sizeof(uint32));
	if (customer == NULL)
	{
		ctx->wanted = ctx->used + room * (sizeof(CrmPoint) + sizeof(uint32));
		check(reader, CRM_LIMIT);
	}
	column->customer = customer;
	column->room = room;
}

/* Put the batch among the points. */
static void
flush(Reader *reader)
{
	CrmPointOwners *owners = reader->request->owners;
	void *row[CRM_TABLE_BATCH];

	check(reader, crm_table_find(&owners->table, reader->key, reader->n, row));
	for (int s = 0; s < reader->series; s++)
		make_room(reader, &reader->column[s]);
	for (int i = 0; i < reader->n; i++)
	{
		uint64 *number = (uint64 *) ((char *) row[i] + owners->table.key_size);

		if (*number == 0)
			*number = ++owners->rows;
		if (owners->order != NULL && *number > owners->n)
			continue;
		for (int s = 0; s < reader->series; s++)
		{
			Column *column = &reader->column[s];
			double value = reader->value[i * reader->series + s];

			if (isnan(value))
				continue;
			column->customer[column->n] =
				owners->order != NULL ? owners->rank[*number - 1] : (uint32) (*number - 1);
			column->point[column->n++] = (CrmPoint){.time = reader->time[i], .value = value};
		}
	}
	reader->n = 0;
	MemoryContextReset(reader->batch_memory);
}

/* Tell whether a row can be used, or count why not. */
static bool
is_usable(const Reader *reader, TupleTableSlot *slot)
{
	CrmRowCount *rows = reader->rows;
	TimestampTz time;

	rows->read++;
	if (slot->tts_isnull[0])
		rows->null_key++;
	else if (slot->tts_isnull[1] || (reader->request->is_strict && slot->tts_isnull[2]))
		rows->null_value++;
	else if (TIMESTAMP_NOT_FINITE(time = DatumGetTimestampTz(slot->tts_values[1])) ||
			 (reader->request->is_strict && !isfinite(DatumGetFloat8(slot->tts_values[2]))))
		rows->non_finite++;
	else if (time > reader->request->as_of)
		rows->after_as_of++;
	else
		return true;
	return false;
}

/* Take a row: key, moment, numbers. */
static void
read_row(TupleTableSlot *slot, void *arg)
{
	Reader *reader = arg;
	const CrmKeyType *type = &reader->request->owners->key_type;
	double *value = reader->value + reader->n * reader->series;
	CrmKey *key = &reader->key[reader->n];

	if (!is_usable(reader, slot))
		return;
	reader->rows->used++;
	if (type->kind == CRM_KEY_BYTES)
	{
		MemoryContext caller = MemoryContextSwitchTo(reader->batch_memory);

		*key = crm_key_from_datum(type, slot->tts_values[0], &reader->room[reader->n]);
		if (!type->by_value)
		{
			/* the slot's own bytes do not last until the batch is full */
			void *copy = palloc(key->length);

			memcpy(copy, key->bytes, key->length);
			key->bytes = copy;
		}
		MemoryContextSwitchTo(caller);
	}
	else
		*key = crm_key_from_datum(type, slot->tts_values[0], &reader->room[reader->n]);
	reader->time[reader->n] = DatumGetTimestampTz(slot->tts_values[1]);
	value[0] = 1.0;
	for (int s = 0; s < reader->request->series; s++)
	{
		value[s] = slot->tts_isnull[2 + s] ? NAN : DatumGetFloat8(slot->tts_values[2 + s]);
		if (!isfinite(value[s]))
			value[s] = NAN;
	}
	if (++reader->n == CRM_TABLE_BATCH)
		flush(reader);
}

/* Number the customers by their keys, once the first query has told them all. */
static void
number_customers(const Reader *reader, Column *columns)
{
	CrmPointOwners *owners = reader->request->owners;

	owners->n = owners->rows;
	owners->order = allocate(reader, owners->n, sizeof(uint32));
	owners->rank = allocate(reader, owners->n, sizeof(uint32));
	check(reader, crm_key_order(&owners->key_type, owners->ctx, &owners->table, owners->order));
	for (uint32 c = 0; c < owners->n; c++)
		owners->rank[owners->order[c]] = c;
	for (int s = 0; s < reader->series; s++)
		for (size_t i = 0; i < columns[s].n; i++)
		{
			if (i % 65536 == 0)
				CHECK_FOR_INTERRUPTS();
			columns[s].customer[i] = owners->rank[columns[s].customer[i]];
		}
}

/* Put the points of a column side by side by customer, each customer's in order. */
static void
arrange(const Reader *reader, Column *column, uint32 customers, CrmSeries *series)
{
	CrmCtx *ctx = reader->request->owners->ctx;
	size_t sum = 0;

	series->start = allocate(reader, (size_t) customers + 1, sizeof(size_t));
	series->point = allocate(reader, column->n, sizeof(CrmPoint));
	memset(series->start, 0, ((size_t) customers + 1) * sizeof(size_t));
	for (size_t i = 0; i < column->n; i++)
		series->start[column->customer[i]]++;
	for (uint32 c = 0; c <= customers; c++)
	{
		size_t n = series->start[c];

		series->start[c] = sum;
		sum += n;
	}
	for (size_t i = 0; i < column->n; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		series->point[series->start[column->customer[i]]++] = column->point[i];
	}
	memmove(series->start + 1, series->start, customers * sizeof(size_t));
	series->start[0] = 0;
	crm_release(ctx, column->customer, column->room, sizeof(uint32));
	crm_release(ctx, column->point, column->room, sizeof(CrmPoint));
	for (uint32 c = 0; c < customers; c++)
	{
		if (c % 16384 == 0)
			CHECK_FOR_INTERRUPTS();
		check(reader, crm_points_sort(ctx, series->point + series->start[c],
									  series->start[c + 1] - series->start[c]));
	}
}

/*
 * Run a query whose columns are a key, a moment (timestamptz) and request->series numbers (float8),
 * between crm_source_open and _close. Fills series[max(request->series, 1)], in owners->ctx; counts
 * the rows.  The first query of the
 * owners tells who the customers are; later ones leave out points of others.
 */
void
crm_points_read(const CrmPointsRequest *request, const CrmQuery *query, CrmRowCount *rows,
				CrmSeries *series)
{
	CrmPointOwners *owners = request->owners;
	MemoryContext memory =
		AllocSetContextCreate(owners->ctx->user, "crm points reader", ALLOCSET_DEFAULT_SIZES);
	Reader *reader = MemoryContextAllocZero(memory, sizeof(Reader));

	reader->request = request;
	reader->rows = rows;
	reader->series = Max(request->series, 1);
	reader->column = MemoryContextAllocZero(memory, reader->series * sizeof(Column));
	reader->value =
		MemoryContextAlloc(memory, CRM_TABLE_BATCH * (Size) reader->series * sizeof(double));
	reader->batch_memory = AllocSetContextCreate(memory, "crm points batch", ALLOCSET_SMALL_SIZES);
	crm_source_run(query, NULL, false, read_row, reader);
	flush(reader);
	if (owners->order == NULL)
		number_customers(reader, reader->column);
	for (int s = 0; s < reader->series; s++)
		arrange(reader, &reader->column[s], owners->n, &series[s]);
	MemoryContextDelete(memory);
}

/* Give the key of a customer; it points into the table when it is passed by reference. */
Datum
crm_points_key(const CrmPointOwners *owners, uint32 customer)
{
	return crm_key_to_datum(&owners->key_type, &owners->table, owners->order[customer]);
}

/* Give the points of a customer. */
CrmHistory
crm_points_of(const CrmSeries *series, uint32 customer)
{
	return (CrmHistory){.point = series->point + series->start[customer],
						.n = series->start[customer + 1] - series->start[customer]};
}
