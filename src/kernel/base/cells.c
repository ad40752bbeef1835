/*
 * cells.c: orders become cells of customers and periods; see cells.h for how they are kept.
 *
 * Packed form, for the way from a worker to the leader on one machine (native byte order): the
 * CrmRowCount, a header of numbers, then for each customer the key (bytes: hash, length, bytes),
 * the cohort, has_order and the number of cells, and the cells as they lie in memory.
 */
#include "kernel/base/cells.h"

#include <string.h>

#define POLL_ROWS   65536
#define HEADER      4 /* participants, rows, their memory together, the most of one */
#define ARENA_BYTES ((size_t) 256 * 1024)

/* Make an empty table. */
CrmStatus
crm_cells_init(CrmCells *cells, CrmCtx *ctx, CrmKeyKind kind)
{
	memset(cells, 0, offsetof(CrmCells, key));
	cells->ctx = ctx;
	cells->participants = 1;
	return crm_table_init(&cells->table, ctx, kind, sizeof(CrmCellRow));
}

/* Give the size of a class of blocks, in cells: 4, 6, 8, 12, 16, 24, ... */
static uint32_t
class_size(int class)
{
	return (class % 2 == 0 ? 4u : 6u) << (class / 2);
}

/* Give the class of a size that class_size made. */
static int
size_class(uint32_t size)
{
	int shift = 31 - __builtin_clz(size); /* 4: 2, 6: 2, 8: 3, 12: 3, ... */

	return 2 * (shift - 2) + (size > UINT32_C(1) << shift);
}

/* Give a block of cells of a class; NULL when memory ends. */
static CrmCell *
take_block(CrmCells *cells, int class)
{
	size_t size = class_size(class);
	size_t bytes = size * sizeof(CrmCell);
	CrmCell *block;

	if (class >= CRM_CELL_CLASSES)
		return crm_allocate(cells->ctx, size, sizeof(CrmCell));
	if (cells->free_blocks[class] != NULL)
	{
		block = cells->free_blocks[class];
		memcpy(&cells->free_blocks[class], block, sizeof(void *));
		return block;
	}
	if (cells->arena_left < bytes)
	{
		char *arena = crm_allocate(cells->ctx, 1, ARENA_BYTES);

		if (arena == NULL)
			return NULL;
		cells->arena = arena;
		cells->arena_left = ARENA_BYTES;
	}
	block = (CrmCell *) cells->arena;
	cells->arena += bytes;
	cells->arena_left -= bytes;
	return block;
}

/* Take a block back. */
static void
drop_block(CrmCells *cells, CrmCell *block, uint32_t size)
{
	int class = size_class(size);

	if (class >= CRM_CELL_CLASSES)
		crm_release(cells->ctx, block, size, sizeof(CrmCell));
	else
	{
		memcpy(block, &cells->free_blocks[class], sizeof(void *));
		cells->free_blocks[class] = block;
	}
}

/* Sink one cell of a heap of n; part of sort_cells. */
static void
sink(CrmCell *cell, uint32_t at, uint32_t n)
{
	CrmCell value = cell[at];

	for (uint64_t child; (child = 2 * (uint64_t) at + 1) < n; at = (uint32_t) child)
	{
		if (child + 1 < n && cell[child + 1].period > cell[child].period)
			child++;
		if (cell[child].period <= value.period)
			break;
		cell[at] = cell[child];
	}
	cell[at] = value;
}

/* Sort cells by period: insertion for the common short list, heapsort (no bad case) for the rest.
 */
static void
sort_cells(CrmCell *cell, uint32_t n)
{
	bool sorted = true;

	for (uint32_t i = 1; i < n && sorted; i++)
		sorted = cell[i - 1].period <= cell[i].period;
	if (sorted)
		return;
	if (n <= 32)
	{
		for (uint32_t i = 1; i < n; i++)
		{
			CrmCell value = cell[i];
			uint32_t at = i;

			for (; at > 0 && cell[at - 1].period > value.period; at--)
				cell[at] = cell[at - 1];
			cell[at] = value;
		}
		return;
	}
	for (uint32_t i = n / 2; i-- > 0;)
		sink(cell, i, n);
	for (uint32_t i = n - 1; i > 0; i--)
	{
		CrmCell largest = cell[0];

		cell[0] = cell[i];
		cell[i] = largest;
		sink(cell, 0, i);
	}
}

/*
 * Sort a customer's cells by period, and make those of one period one or two: the first has all
 * their orders and the amount, the second, if any, what a double cannot hold of it. A run whose
 * orders or amount would be too large for one cell stays as it is.
 */
void
crm_cells_tidy(CrmCellRow *row)
{
	CrmCell *cell = row->cell;
	uint32_t kept = 0, next;

	sort_cells(cell, row->used);
	for (uint32_t i = 0; i < row->used; i = next)
	{
		CrmCell one = cell[i];
		CrmSum sum = {0};
		uint64_t orders = 0;

		for (next = i; next < row->used && cell[next].period == one.period; next++)
		{
			crm_sum_add(&sum, cell[next].amount);
			orders += cell[next].orders;
		}
		if (next - i <= 1 || orders > UINT32_MAX || isinf(crm_sum_value(sum)))
		{
			memmove(cell + kept, cell + i, (next - i) * sizeof(CrmCell));
			kept += next - i;
			continue;
		}
		cell[kept++] = (CrmCell){one.period, (uint32_t) orders, crm_sum_value(sum)};
		if (sum.lo != 0.0)
			cell[kept++] = (CrmCell){one.period, 0, sum.lo / CRM_SUM_SCALE};
	}
	row->used = kept;
}

/* Append a cell to a customer's. CRM_LIMIT or CRM_NO_MEMORY when they cannot grow. */
static inline CrmStatus
append(CrmCells *cells, CrmCellRow *row, const CrmCell *cell)
{
	if (row->used == row->size)
	{
		if (row->size > 0)
			crm_cells_tidy(row);
		if ((uint64_t) row->used * 4 >= (uint64_t) row->size * 3)
		{
			int class = row->size > 0 ? size_class(row->size) + 1 : 0;
			CrmCell *larger;

			if (row->size > UINT32_MAX / 4)
				return CRM_LIMIT;
			larger = take_block(cells, class);
			if (larger == NULL)
				return cells->ctx->failure;
			if (row->size > 0)
			{
				memcpy(larger, row->cell, row->used * sizeof(CrmCell));
				drop_block(cells, row->cell, row->size);
			}
			row->cell = larger;
			row->size = class_size(class);
		}
	}
	row->cell[row->used++] = *cell;
	return CRM_OK;
}

/* Take note of the cohort that an order of the customer has. */
static inline void
note_cohort(CrmCellRow *row, int32_t cohort)
{
	if (!row->has_order || cohort < row->cohort)
		row->cohort = cohort;
	row->has_order = 1;
}

/* Give what follows the key in a row of the table. */
static inline CrmCellRow *
payload(const CrmCells *cells, void *row)
{
	return (CrmCellRow *) ((char *) row + cells->table.key_size);
}

/* Work off the orders that wait. */
CrmStatus
crm_cells_flush(CrmCells *cells)
{
	void *rows[CRM_TABLE_BATCH];
	int n = cells->pending;
	CrmStatus status = crm_table_find(&cells->table, cells->key, n, rows);

	cells->pending = 0;
	for (int i = 0; i < n && status == CRM_OK; i++)
	{
		const CrmCellRow *row = payload(cells, rows[i]);

		if (row->size > 0)
			__builtin_prefetch(row->cell + row->used - (row->used == row->size), 1);
	}
	for (int i = 0; i < n && status == CRM_OK; i++)
	{
		CrmCellRow *row = payload(cells, rows[i]);

		if (cells->order[i].cell.orders > 0)
			note_cohort(row, cells->order[i].cohort);
		status = append(cells, row, &cells->order[i].cell);
	}
	return status;
}

/* Give the larger of two numbers. */
static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Add what another participant counted, and the memory that it and those before it took. */
static void
merge_counts(CrmCells *cells, const CrmRowCount *other, const uint64_t *header)
{
	CrmRowCount *rows = &cells->rows;

	rows->read += other->read;
	rows->used += other->used;
	rows->null_key += other->null_key;
	rows->null_value += other->null_value;
	rows->non_finite += other->non_finite;
	rows->after_as_of += other->after_as_of;
	rows->refund += other->refund;
	cells->participants += (int) header[0];
	cells->other_bytes += header[2];
	cells->other_peak = larger(cells->other_peak, header[3]);
}

/* Fill in the header that merge_counts reads. */
static void
make_header(const CrmCells *cells, uint64_t *header)
{
	header[0] = (uint64_t) cells->participants;
	header[1] = cells->table.n;
	header[2] = cells->ctx->peak + cells->other_bytes;
	header[3] = larger(cells->ctx->peak, cells->other_peak);
}

/* Add a customer's cells, of which there are n, to those of its row here. They need not be aligned.
 */
static CrmStatus
merge_row(CrmCells *cells, void *row, const CrmCellRow *other, const char *at)
{
	CrmCellRow *mine = payload(cells, row);
	CrmStatus status = CRM_OK;

	if (other->has_order)
		note_cohort(mine, other->cohort);
	for (uint32_t i = 0; i < other->used && status == CRM_OK; i++)
	{
		CrmCell cell;

		memcpy(&cell, at + i * sizeof(CrmCell), sizeof(CrmCell));
		status = append(cells, mine, &cell);
	}
	return status;
}

/* Merge a table of the same kind of key, with nothing waiting, into this one. */
CrmStatus
crm_cells_merge(CrmCells *cells, const CrmCells *other)
{
	uint64_t header[HEADER];
	CrmKey key[CRM_TABLE_BATCH];
	void *row[CRM_TABLE_BATCH];
	CrmStatus status = CRM_OK;
	uint32_t n;

	make_header(other, header);
	merge_counts(cells, &other->rows, header);
	for (uint32_t done = 0; done < other->table.n && status == CRM_OK; done += n)
	{
		n = other->table.n - done < CRM_TABLE_BATCH ? other->table.n - done : CRM_TABLE_BATCH;
		if (done % POLL_ROWS == 0 && crm_poll(cells->ctx))
			return CRM_ABORTED;
		for (uint32_t i = 0; i < n; i++)
		{
			key[i] = crm_table_key(&other->table, done + i);
			if (other->table.kind == CRM_KEY_INT64)
				key[i] = crm_key_int64(key[i].integer);
			else if (other->table.kind == CRM_KEY_UUID)
				key[i] = crm_key_uuid(key[i].half);
		}
		status = crm_table_find(&cells->table, key, (int) n, row);
		for (uint32_t i = 0; i < n && status == CRM_OK; i++)
		{
			const CrmCellRow *theirs = crm_cells_row(other, done + i);

			status = merge_row(cells, row[i], theirs, (const char *) theirs->cell);
		}
	}
	return status;
}

/* What a packed customer begins with, after its key. */
typedef struct PackedRow
{
	int32_t cohort;
	uint32_t has_order;
	uint32_t used;
} PackedRow;

/*
 * Give the bytes of the packed form, and tidy the cells that it will hold; 0 when poll asked to
 * stop. Nothing may be waiting.
 */
size_t
crm_cells_packed_size(const CrmCells *cells)
{
	size_t bytes = sizeof(CrmRowCount) + HEADER * sizeof(uint64_t);

	for (uint32_t i = 0; i < cells->table.n; i++)
	{
		CrmCellRow *row = crm_cells_row(cells, i);

		if (i % POLL_ROWS == 0 && crm_poll(cells->ctx))
			return 0;
		crm_cells_tidy(row);
		bytes += sizeof(PackedRow) + row->used * sizeof(CrmCell);
		if (cells->table.kind == CRM_KEY_BYTES)
			bytes += 2 * sizeof(uint64_t) + crm_table_key(&cells->table, i).length;
		else
			bytes += cells->table.key_size;
	}
	return bytes;
}

/* Copy bytes out, and give where the next thing goes. */
static char *
put_bytes(char *at, const void *bytes, size_t n)
{
	if (n > 0)
		memcpy(at, bytes, n);
	return at + n;
}

/* Copy bytes in, and give where the next thing starts. */
static const char *
get_bytes(const char *at, void *bytes, size_t n)
{
	memcpy(bytes, at, n);
	return at + n;
}

/* Write the packed form into a buffer of crm_cells_packed_size bytes. */
CrmStatus
crm_cells_pack(const CrmCells *cells, void *buffer)
{
	char *at = put_bytes(buffer, &cells->rows, sizeof(CrmRowCount));
	uint64_t header[HEADER];

	make_header(cells, header);
	at = put_bytes(at, header, sizeof(header));
	for (uint32_t i = 0; i < cells->table.n; i++)
	{
		const CrmCellRow *row = crm_cells_row(cells, i);
		CrmKey key = crm_table_key(&cells->table, i);
		PackedRow packed = {row->cohort, row->has_order, row->used};

		if (i % POLL_ROWS == 0 && crm_poll(cells->ctx))
			return CRM_ABORTED;
		if (cells->table.kind == CRM_KEY_BYTES)
		{
			uint64_t length = key.length;

			at = put_bytes(at, &key.hash, sizeof(uint64_t));
			at = put_bytes(at, &length, sizeof(uint64_t));
			at = put_bytes(at, key.bytes, key.length);
		}
		else
			at = put_bytes(at, key.half, cells->table.key_size);
		at = put_bytes(at, &packed, sizeof(packed));
		at = put_bytes(at, row->cell, row->used * sizeof(CrmCell));
	}
	return CRM_OK;
}

/* Read a packed key, and give where the next thing starts. */
static const char *
get_key(const CrmCells *cells, const char *at, CrmKey *key)
{
	*key = (CrmKey){.length = 0};
	if (cells->table.kind == CRM_KEY_BYTES)
	{
		uint64_t length;

		at = get_bytes(at, &key->hash, sizeof(uint64_t));
		at = get_bytes(at, &length, sizeof(uint64_t));
		key->length = (uint32_t) length;
		key->bytes = at;
		return at + length;
	}
	if (cells->table.kind == CRM_KEY_UUID)
	{
		*key = crm_key_uuid(at);
		return at + 16;
	}
	at = get_bytes(at, &key->integer, sizeof(int64_t));
	*key = crm_key_int64(key->integer);
	return at;
}

/*
 * Merge a packed table, of the same kind of key, into this one. The buffer is trusted: only
 * crm_cells_pack of this build makes it. CRM_DOMAIN when its size does not fit.
 */
CrmStatus
crm_cells_unpack(CrmCells *cells, const void *buffer, size_t bytes)
{
	const char *at = buffer, *first[CRM_TABLE_BATCH];
	CrmRowCount rows;
	uint64_t header[HEADER];
	CrmKey key[CRM_TABLE_BATCH];
	CrmCellRow theirs[CRM_TABLE_BATCH];
	void *row[CRM_TABLE_BATCH];
	CrmStatus status = CRM_OK;

	at = get_bytes(at, &rows, sizeof(rows));
	at = get_bytes(at, header, sizeof(header));
	merge_counts(cells, &rows, header);
	for (uint64_t done = 0; done < header[1] && status == CRM_OK;)
	{
		uint64_t left = header[1] - done;
		int n = left < CRM_TABLE_BATCH ? (int) left : CRM_TABLE_BATCH;

		if (done % POLL_ROWS == 0 && crm_poll(cells->ctx))
			return CRM_ABORTED;
		for (int i = 0; i < n; i++)
		{
			PackedRow packed;

			at = get_key(cells, at, &key[i]);
			at = get_bytes(at, &packed, sizeof(packed));
			theirs[i] = (CrmCellRow){
				.used = packed.used, .cohort = packed.cohort, .has_order = packed.has_order};
			first[i] = at;
			at += packed.used * sizeof(CrmCell);
		}
		status = crm_table_find(&cells->table, key, n, row);
		for (int i = 0; i < n && status == CRM_OK; i++)
			status = merge_row(cells, row[i], &theirs[i], first[i]);
		done += (uint64_t) n;
	}
	if (status != CRM_OK)
		return status;
	return at == (const char *) buffer + bytes ? CRM_OK : CRM_DOMAIN;
}
