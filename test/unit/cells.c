/*
 * cells.c: unit tests of base/cells: the cells of a customer hold what a dense table says, however
 * the orders come, are split among participants and handed over.
 */
#include "activity.h"

/* Give the customer of row i by linear search. */
static int
find_customer(const CrmCells *cells, uint32_t i)
{
	CrmKey key = crm_table_key(&cells->table, i);

	for (int c = 0; c < CUSTOMERS; c++)
	{
		CrmKey mine = make_key(c);

		if (kind == CRM_KEY_BYTES
				? key.length == mine.length && memcmp(key.bytes, mine.bytes, key.length) == 0
				: memcmp(key.half, mine.half, kind == CRM_KEY_UUID ? 16 : 8) == 0)
			return c;
	}
	return -1;
}

/* Tell whether row i holds what the dense table says of its customer. */
static bool
is_right(const CrmCells *cells, uint32_t i)
{
	const CrmCellRow *row = crm_cells_row(cells, i);
	int c = find_customer(cells, i);
	int64_t orders[PERIODS] = {0}, units[PERIODS] = {0};
	bool has_order = first_of[c] < PERIODS;

	if (row->has_order != has_order || (has_order && row->cohort != cohort_of(first_of[c] + BASE)))
		return false;
	for (uint32_t j = 0; j < row->used; j++)
	{
		orders[row->cell[j].period - BASE] += row->cell[j].orders;
		units[row->cell[j].period - BASE] += (int64_t) (row->cell[j].amount * 256);
	}
	return memcmp(orders, orders_of[c], sizeof orders) == 0 &&
		   memcmp(units, units_of[c], sizeof units) == 0;
}

/* Tell whether cells ascend and each period has one, as amounts so short leave nothing over. */
static bool
is_tidy(const CrmCellRow *row)
{
	for (uint32_t j = 1; j < row->used; j++)
		if (row->cell[j - 1].period >= row->cell[j].period)
			return false;
	return true;
}

static void
test_splits(void)
{
	const char *const kinds[] = {"integer", "uuid", "bytes"};
	Host host;
	CrmCells cells;

	for (int round = 0; round < 12; round++)
	{
		bool right = true, tidy = true;
		int seen = 0;

		kind = (CrmKeyKind) (round % 3);
		draw_orders();
		is_int(make_cells(&cells, host_begin(&host), round >= 3), CRM_OK, kinds[kind]);
		for (int c = 0; c < CUSTOMERS; c++)
		{
			int64_t sum = 0;

			for (int p = 0; p < PERIODS; p++)
				sum += orders_of[c][p] + (units_of[c][p] != 0);
			seen += sum > 0;
		}
		is_int(cells.table.n, seen, "each customer has a row");
		for (uint32_t i = 0; i < cells.table.n; i++)
		{
			right &= is_right(&cells, i);
			crm_cells_tidy(crm_cells_row(&cells, i));
			right &= is_right(&cells, i);
			tidy &= is_tidy(crm_cells_row(&cells, i));
		}
		ok(right, "%s: the cells are those of the table", kinds[kind]);
		ok(tidy, "%s: tidied, there is one for each period", kinds[kind]);
		is_int(cells.participants, 1 + PARTS, "participants");
		is_int(cells.rows.read, ORDERS, "rows");
		ok(host_is_balanced(&host), "what is held is accounted for");
		host_drop(&host);
	}
}

/* A customer with very many orders in few periods stays small, and loses no bit of the amounts. */
static void
test_compact(void)
{
	enum
	{
		MANY = 200000
	};
	Host host;
	CrmCells cells;
	CrmKey key;
	CrmSum want[8] = {{0}}, got[8] = {{0}};
	int64_t orders = 0;
	const CrmCellRow *row;
	bool same = true;

	kind = CRM_KEY_INT64;
	key = make_key(1);
	(void) crm_cells_init(&cells, host_begin(&host), kind);
	for (int i = 0; i < MANY; i++)
	{
		int32_t period = (int32_t) draw_below(8);
		double amount = (double) draw() * 0x1p-40 + 0.1;
		CrmCellOrder order = {{period, 1, amount}, period};

		crm_sum_add(&want[period], amount);
		(void) crm_cells_add(&cells, &key, &order);
	}
	is_int(crm_cells_flush(&cells), CRM_OK, "many orders");
	is_int(cells.table.n, 1, "of one customer");
	row = crm_cells_row(&cells, 0);
	ok(row->size <= 48, "16 cells are kept in %u", row->size);
	for (uint32_t j = 0; j < row->used; j++)
	{
		crm_sum_add(&got[row->cell[j].period], row->cell[j].amount);
		orders += row->cell[j].orders;
	}
	is_int(orders, MANY, "no order is lost");
	for (int p = 0; p < 8; p++)
		same &= crm_sum_value(got[p]) == crm_sum_value(want[p]);
	ok(same, "nor a bit of the sums");
	host_drop(&host);
}

/* What does not fit one cell stays in several. */
static void
test_large(void)
{
	Host host;
	CrmCells cells;
	CrmKey key;
	int64_t orders = 0;
	CrmSum sum = {0};
	CrmCellRow *row;

	kind = CRM_KEY_INT64;
	key = make_key(1);
	(void) crm_cells_init(&cells, host_begin(&host), kind);
	for (int i = 0; i < 50; i++)
	{
		CrmCellOrder order = {{i % 2, UINT32_MAX / 2, i % 2 ? 1.7e308 : -1.7e308}, 0};

		(void) crm_cells_add(&cells, &key, &order);
	}
	is_int(crm_cells_flush(&cells), CRM_OK, "large orders");
	row = crm_cells_row(&cells, 0);
	crm_cells_tidy(row);
	for (uint32_t j = 0; j < row->used; j++)
	{
		crm_sum_add(&sum, row->cell[j].amount);
		orders += row->cell[j].orders;
	}
	is_int(orders, 50 * (int64_t) (UINT32_MAX / 2), "no order is lost");
	is_near(crm_sum_value(sum), 0, 0, "and the sum is finite");
	host_drop(&host);
}

/* Each allocation may fail and each budget be too small: no crash, and the account is right. */
static void
test_failures(void)
{
	Host host;
	CrmCells cells;
	CrmStatus status;
	size_t failures = 0, limits = 0, peak;
	bool passed = true;

	kind = CRM_KEY_BYTES;
	draw_orders();
	do
	{
		(void) host_begin(&host);
		host.tap.fail_at = ++failures;
		status = make_cells(&cells, &host.tap.ctx, true);
		passed &= status == CRM_OK || status == CRM_NO_MEMORY;
		passed &= host_is_balanced(&host);
		peak = host.tap.ctx.peak;
		host_drop(&host);
	} while (status != CRM_OK);
	ok(passed && failures > 8, "each of %zu allocations may fail", failures - 1);
	passed = true;
	for (size_t limit = 1000; limit < peak; limit += limit / 10, limits++)
	{
		(void) host_begin(&host);
		host.tap.ctx.limit = limit;
		status = make_cells(&cells, &host.tap.ctx, true);
		passed &= status == CRM_LIMIT && host_is_balanced(&host) && host.tap.ctx.peak <= limit;
		host_drop(&host);
	}
	ok(passed && limits > 20, "each of %zu budgets is kept", limits);
}

/* A cancel is met in each step that is long for many customers. */
static void
test_abort(void)
{
	enum
	{
		MANY = 150000
	};
	Host host, other_host;
	CrmCells a, b;
	CrmCellOrder order = {{0, 1, 1.0}, 0};
	char *buffer;
	size_t bytes;

	(void) crm_cells_init(&a, host_begin(&host), CRM_KEY_INT64);
	(void) crm_cells_init(&b, host_begin(&other_host), CRM_KEY_INT64);
	for (int64_t i = 0; i < MANY; i++)
	{
		CrmKey key = crm_key_int64(i);

		(void) crm_cells_add(&b, &key, &order);
	}
	(void) crm_cells_flush(&b);
	ok(other_host.tap.ctx.peak / MANY < 130, "a customer with one order takes %zu bytes",
	   other_host.tap.ctx.peak / MANY);
	bytes = crm_cells_packed_size(&b);
	buffer = malloc(bytes);
	is_int(crm_cells_pack(&b, buffer), CRM_OK, "packed");
	is_int(crm_cells_unpack(&a, buffer, bytes - 1), CRM_DOMAIN, "a buffer of another size");
	host.tap.abort_at = 1;
	is_int(crm_cells_merge(&a, &b), CRM_ABORTED, "a merge stops when asked");
	is_int(crm_cells_unpack(&a, buffer, bytes), CRM_ABORTED, "so does unpacking");
	other_host.tap.abort_at = 1;
	ok(crm_cells_packed_size(&b) == 0, "so does measuring");
	is_int(crm_cells_pack(&b, buffer), CRM_ABORTED, "and packing");
	free(buffer);
	host_drop(&host);
	host_drop(&other_host);
}

int
main(void)
{
	test_splits();
	test_compact();
	test_large();
	test_failures();
	test_abort();
	return tap_done();
}
