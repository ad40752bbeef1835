/*
 * lastrun.c: the account of an analytic's run. A run is kept by the function itself while it goes,
 * and copied here when it has ended well, so a failed run leaves the account of the one before.
 */
#include "pg/lastrun.h"

#include "lib/stringinfo.h"
#include "utils/timestamp.h"

/* The one thing that the library keeps for the session: it is what crm.last_run() is for. */
static CrmRun last_run;

/* Begin the account of a run of that function. */
CrmRun
crm_run_begin(const char *function)
{
	CrmRun run = {.road = NULL};

	strlcpy(run.function, function, sizeof(run.function));
	INSTR_TIME_SET_CURRENT(run.started);
	return run;
}

/* Add "n reason" to a list when there are any. */
static void
add_reason(StringInfo list, int64 n, const char *reason)
{
	if (n > 0)
		appendStringInfo(list, "%s%lld %s", list->len > 0 ? ", " : "", (long long) n, reason);
}

/* End the account, keep it for crm.last_run(), and tell the user by a NOTICE when rows were
 * skipped. */
void
crm_run_end(CrmRun *run)
{
	const CrmRowCount *rows = &run->rows;
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, run->started);
	run->milliseconds = INSTR_TIME_GET_MILLISEC(now);
	run->finished_at = GetCurrentTimestamp();
	last_run = *run;
	if (rows->used < rows->read)
	{
		const char *value = run->value != NULL ? run->value : "time or amount";
		StringInfoData reasons;

		initStringInfo(&reasons);
		add_reason(&reasons, rows->null_key,
				   psprintf("without %s", run->key != NULL ? run->key : "customer_id"));
		add_reason(&reasons, rows->null_value, psprintf("with a null %s", value));
		add_reason(&reasons, rows->non_finite, psprintf("with a %s that is not finite", value));
		add_reason(&reasons, rows->after_as_of, "after as_of");
		add_reason(&reasons, rows->refund, "refunds dropped as asked");
		ereport(NOTICE,
				errmsg("%s skipped %lld of %lld rows", run->function,
					   (long long) (rows->read - rows->used), (long long) rows->read),
				reasons.len > 0 ? errdetail("%s.", reasons.data) : 0);
		pfree(reasons.data);
	}
}

/* Give the account of the last run of this session; finished_at is 0 when there was none. */
const CrmRun *
crm_run_last(void)
{
	return &last_run;
}
