/*
 * recurring.c: subscriptions become cells of customers and periods; see recurring.h.
 */
#include "pg/recurring.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/source.h"

/* The columns of the query that is made of the source. */
enum
{
	CUSTOMER,
	START,
	END,
	AMOUNT
};

typedef struct Reader
{
	const CrmRecurringRequest *request;
	CrmActivity *activity;
	int32 last; /* the period that to_at ends, or lies in */
	MemoryContext row_memory;
} Reader;

/* Add a cell for each period that ends while the subscription runs. */
static void
add_cells(Reader *reader, const CrmKey *key, TimestampTz start, TimestampTz end, double amount)
{
	CrmActivity *activity = reader->activity;
	CrmPeriod *period = &activity->period;
	CrmCellOrder order = {.cell = {.orders = 1, .amount = amount}};
	int64 n = crm_period_number(period, start);
	int64 until = reader->last;

	/* period n - 1 ends, and n begins, at a moment that the subscription may have started at */
	if (crm_period_start(period, n) >= start)
		n--;
	if (!TIMESTAMP_IS_NOEND(end) && end <= reader->request->to_at)
		until = crm_period_number(period, end - 1);
	if (n < reader->request->earliest && n < until)
	{
		order.cell.period = reader->request->earliest;
		order.cell.amount = 0.0;
		crm_activity_add(activity, key, &order);
		order.cell.amount = amount;
		n = (int64) reader->request->earliest + 1;
	}
	for (; n < until; n++)
	{
		CHECK_FOR_INTERRUPTS();
		order.cell.period = (int32) n;
		crm_activity_add(activity, key, &order);
	}
	if (end > reader->request->to_at)
	{
		order.cell.period = reader->last;
		crm_activity_add(activity, key, &order);
	}
}

/* Take a row of the source. */
static void
read_row(TupleTableSlot *slot, void *arg)
{
	Reader *reader = arg;
	CrmRowCount *rows = &reader->activity->cells.rows;
	TimestampTz start, end;
	MemoryContext caller;
	double amount;
	CrmKey key;
	Datum room;

	rows->read++;
	if (slot->tts_isnull[CUSTOMER] || slot->tts_isnull[START] || slot->tts_isnull[AMOUNT])
	{
		if (slot->tts_isnull[CUSTOMER])
			rows->null_key++;
		else
			rows->null_value++;
		return;
	}
	start = DatumGetTimestampTz(slot->tts_values[START]);
	end = slot->tts_isnull[END] ? DT_NOEND : DatumGetTimestampTz(slot->tts_values[END]);
	amount = DatumGetFloat8(slot->tts_values[AMOUNT]);
	if (TIMESTAMP_NOT_FINITE(start) || TIMESTAMP_IS_NOBEGIN(end) || isnan(amount) || isinf(amount))
	{
		rows->non_finite++;
		return;
	}
	if (end < start)
		ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION),
				errmsg("the source has a subscription that ends before it starts"),
				errdetail("It starts at %s and ends at %s.", pstrdup(timestamptz_to_str(start)),
						  pstrdup(timestamptz_to_str(end))),
				errhint("Leave such rows out in the source's query."));
	if (start > reader->request->to_at)
	{
		rows->after_as_of++;
		return;
	}
	rows->used++;
	caller = MemoryContextSwitchTo(reader->row_memory);
	key = crm_key_from_datum(&reader->activity->key_type, slot->tts_values[CUSTOMER], &room);
	add_cells(reader, &key, start, end, amount);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(reader->row_memory);
}

/*
 * Read a source of subscriptions. The table lives in a memory context below the current one. The
 * account of the run gets the rows.
 */
CrmActivity *
crm_recurring_read(const CrmRecurringRequest *request, CrmRun *run)
{
	MemoryContext keep = CurrentMemoryContext;
	Reader reader = {.request = request};
	Form_pg_attribute customer;
	CrmQuery query;

	crm_source_open();
	query = crm_source_prepare(
		psprintf("SELECT q.customer_id, q.started_at::pg_catalog.timestamptz, "
				 "q.ended_at::pg_catalog.timestamptz, q.amount::pg_catalog.float8 "
				 "FROM (%s\n) q",
				 crm_source_select(request->source, &crm_contract_recurring)),
		&crm_contract_recurring);
	customer = TupleDescAttr(query.columns, 0);
	reader.activity = crm_activity_state(keep, customer->atttypid, customer->attcollation);
	crm_period_begin(&reader.activity->period, &request->period, session_timezone);
	reader.last = crm_period_number(&reader.activity->period, request->to_at - 1);
	reader.row_memory = AllocSetContextCreate(keep, "crm subscription", ALLOCSET_SMALL_SIZES);
	crm_source_run(&query, NULL, false, read_row, &reader);
	MemoryContextDelete(reader.row_memory);
	crm_source_close();
	run->value = "started_at or amount";
	crm_activity_finish(reader.activity, run);
	return reader.activity;
}
