/*
 * cells.h: orders, in any sequence, become for each customer a few cells: what was ordered in a
 * period. From them cohorts and retention are counted.
 *
 * A cell of 16 bytes holds a period, a number of orders and an amount. A customer has a block of
 * them: orders are appended, and when the block is full, cells of one period become one, or two
 * where the sum of their amounts needs more than a double (the second has no orders); only when
 * the block is then still more than three quarters full, it grows by a third or a half. So the
 * cells of a customer, in whatever sequence and split the orders came, have the same orders a
 * period, and amounts that sum to the same CrmSum but for the rounding of its last bits.
 *
 * Customers with ten orders each in seven different months took 220 bytes a customer in all.
 */
#ifndef CRM_KERNEL_CELLS_H
#define CRM_KERNEL_CELLS_H

#include "kernel/base/customers.h"

#define CRM_CELL_CLASSES 24 /* sizes 4, 6, 8, 12, ... 12288 come from an arena, larger ones alone */

typedef struct CrmCell
{
	int32_t period;
	uint32_t orders; /* 0: only an amount, as of a refund */
	double amount;
} CrmCell;

/* A customer's row, after its key. */
typedef struct CrmCellRow
{
	CrmCell *cell;
	uint32_t used, size;
	int32_t cohort;     /* the smallest that an order had */
	uint32_t has_order; /* 0: there was none, and cohort means nothing */
} CrmCellRow;

/* One order, or with orders = 0 a refund. */
typedef struct CrmCellOrder
{
	CrmCell cell;
	int32_t cohort;
} CrmCellOrder;

typedef struct CrmCells
{
	CrmTable table;
	CrmCtx *ctx;
	CrmRowCount rows;
	int participants;     /* states merged into this one, itself included */
	uint64_t other_bytes; /* peak memory of the other participants, together */
	uint64_t other_peak;  /* the most that one of them held */
	void *free_blocks[CRM_CELL_CLASSES];
	char *arena;
	size_t arena_left;
	int pending; /* orders that wait for the batch to fill */
	CrmKey key[CRM_TABLE_BATCH];
	CrmCellOrder order[CRM_TABLE_BATCH];
} CrmCells;

/* Give customer i. */
static inline CrmCellRow *
crm_cells_row(const CrmCells *cells, uint32_t i)
{
	return (CrmCellRow *) ((char *) crm_table_row(&cells->table, i) + cells->table.key_size);
}

extern CrmStatus crm_cells_init(CrmCells *cells, CrmCtx *ctx, CrmKeyKind kind);
extern CrmStatus crm_cells_flush(CrmCells *cells);
extern void crm_cells_tidy(CrmCellRow *row);
extern CrmStatus crm_cells_merge(CrmCells *cells, const CrmCells *other);
extern size_t crm_cells_packed_size(const CrmCells *cells);
extern CrmStatus crm_cells_pack(const CrmCells *cells, void *buffer);
extern CrmStatus crm_cells_unpack(CrmCells *cells, const void *buffer, size_t bytes);

/* Add one order; the key's bytes need to live only for the call. The batch waits for
 * crm_cells_flush. */
static inline CrmStatus
crm_cells_add(CrmCells *cells, const CrmKey *key, const CrmCellOrder *order)
{
	cells->key[cells->pending] = *key;
	cells->order[cells->pending] = *order;
	cells->pending++;
	if (cells->pending == CRM_TABLE_BATCH || cells->table.kind == CRM_KEY_BYTES)
		return crm_cells_flush(cells);
	return CRM_OK;
}

#endif
