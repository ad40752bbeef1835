/*
 * results.c: rows out, materialised in a tuplestore of work_mem that spills to disk by itself. A
 * result that ran value by value would never reach its clean-up under LIMIT.
 */
#include "pg/results.h"

#include "pg/version.h"

/*
 * When a tuplestore outgrows its memory it writes all of it at once, deaf to a cancel: about 10 ms
 * of this.
 */
#define MOST_KILOBYTES 16384

/*
 * Begin the result of a set-returning function that has so many columns. Checks the library against
 * the extension, and that the caller takes a materialised set. Result and columns live in the
 * query's memory.
 */
CrmResult
crm_result_begin(FunctionCallInfo fcinfo, int columns)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext caller;
	CrmResult result;
	bool random_access;

	crm_version_check();
	if (info == NULL || !IsA(info, ReturnSetInfo))
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("set-valued function called in context that cannot accept a set"));
	if (!(info->allowedModes & SFRM_Materialize))
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("materialize mode required, but it is not allowed in this context"));
	random_access = (info->allowedModes & SFRM_Materialize_Random) != 0;
	caller = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &result.columns) != TYPEFUNC_COMPOSITE ||
		result.columns->natts != columns)
		elog(ERROR, "crm internal: the function's declared columns are not the library's");
	result.columns = BlessTupleDesc(result.columns);
	result.store = tuplestore_begin_heap(random_access, false, Min(work_mem, MOST_KILOBYTES));
	info->returnMode = SFRM_Materialize;
	info->setResult = result.store;
	info->setDesc = result.columns;
	MemoryContextSwitchTo(caller);
	return result;
}
