/*
 * run.c: crm.last_run(), the account of the last analytic of this session.
 */
#include "pg/compat.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/lastrun.h"
#include "pg/results.h"

#define COLUMNS 16

PG_FUNCTION_INFO_V1(crm_last_run_1_0);
/* crm.last_run(): one row, or none when no analytic has ended well in this session */
Datum
crm_last_run_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, COLUMNS);
	const CrmRun *run = crm_run_last();
	const CrmRowCount *rows = &run->rows;
	Datum values[COLUMNS];
	bool nulls[COLUMNS] = {false};

	if (run->finished_at == 0)
		PG_RETURN_NULL();
	values[0] = CStringGetTextDatum(run->function);
	values[1] = Int64GetDatum(rows->read);
	values[2] = Int64GetDatum(rows->used);
	values[3] = Int64GetDatum(rows->read - rows->used);
	values[4] = Int64GetDatum(rows->null_key);
	values[5] = Int64GetDatum(rows->null_value);
	values[6] = Int64GetDatum(rows->non_finite);
	values[7] = Int64GetDatum(rows->after_as_of);
	values[8] = Int64GetDatum(rows->refund);
	values[9] = Int64GetDatum(run->customers);
	values[10] = Float8GetDatum(run->milliseconds);
	values[11] = Int32GetDatum(run->workers);
	values[12] = Int64GetDatum(run->peak_memory);
	values[13] = Int64GetDatum(run->total_memory);
	values[14] = run->road != NULL ? CStringGetTextDatum(run->road) : (Datum) 0;
	nulls[14] = run->road == NULL;
	values[15] = TimestampTzGetDatum(run->finished_at);
	crm_result_row(&result, values, nulls);
	PG_RETURN_NULL();
}
