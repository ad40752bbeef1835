/*
 * sessionize.c: the window function crm.sessionize, which numbers the sessions of a partition: a
 * silence of more than the gap begins a new one.
 *
 * It takes the rows as they come, in the order of its window, and keeps the last time only: linear
 * in the rows, without memory.
 */
#include "pg/compat.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "windowapi.h"

#include "pg/span.h"

/* What a partition keeps: the number of the session of the last event, 0 before the first. */
typedef struct Partition
{
	int64 session;
	TimestampTz last;
} Partition;

/* Raise the error for a row that comes before the one before it. */
static void
order_error(TimestampTz last, TimestampTz at)
{
	ereport(
		ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		errmsg("crm.sessionize needs its rows in the order of their times"),
		errdetail("Got %s after %s.",
				  DatumGetCString(DirectFunctionCall1(timestamptz_out, TimestampTzGetDatum(at))),
				  DatumGetCString(DirectFunctionCall1(timestamptz_out, TimestampTzGetDatum(last)))),
		errhint("Write OVER (PARTITION BY ... ORDER BY occurred_at), with the column that is "
				"its argument."));
}

PG_FUNCTION_INFO_V1(crm_sessionize_1_0);
/*
 * crm.sessionize(occurred_at timestamptz, gap interval) OVER (...) -> bigint: the number of the
 * row's session in its partition, from 1 on; NULL for a NULL time
 */
Datum
crm_sessionize_1_0(PG_FUNCTION_ARGS)
{
	WindowObject window = PG_WINDOW_OBJECT();
	Partition *partition;
	const Interval *gap;
	TimestampTz at;
	Datum value;
	bool is_null;

	if (!WindowObjectIsValid(window))
		elog(ERROR, "crm internal: window function called outside a window");
	partition = WinGetPartitionLocalMemory(window, sizeof(Partition));
	WinSetMarkPosition(window, WinGetCurrentPosition(window)); /* rows before are not asked for */
	value = WinGetFuncArgCurrent(window, 1, &is_null);
	if (is_null)
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("argument \"gap\" must not be null"));
	gap = DatumGetIntervalP(value);
	crm_span_check(gap, "gap");
	value = WinGetFuncArgCurrent(window, 0, &is_null);
	if (is_null)
		PG_RETURN_NULL();
	at = DatumGetTimestampTz(value);
	if (partition->session > 0 && at < partition->last)
		order_error(partition->last, at);
	if (partition->session == 0 || at > crm_span_end(gap, partition->last))
		partition->session++;
	partition->last = at;
	PG_RETURN_INT64(partition->session);
}
