/*
 * cuts.c: cuts that the caller names, or that the data allow; see cuts.h.
 */
#include "pg/cuts.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/args.h"
#include "pg/moment.h"

#define MOST_CUTS 1000

/* Compare two moments, for qsort. */
static int
compare_moments(const void *a, const void *b)
{
	TimestampTz one = *(const TimestampTz *) a, other = *(const TimestampTz *) b;

	return one < other ? -1 : one > other;
}

/* Read argument i, as_of, where NULL is the last order: until that is known, now. */
TimestampTz
crm_cuts_as_of(FunctionCallInfo fcinfo, int i)
{
	TimestampTz as_of =
		PG_ARGISNULL(i) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(i);

	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"as_of\" must be finite"));
	return as_of;
}

/* Read argument i, a timestamptz[] or NULL, in ascending order. */
CrmCuts
crm_cuts_argument(FunctionCallInfo fcinfo, int i, const char *name)
{
	CrmCuts cuts = {.at = NULL};
	ArrayType *array;
	Datum *values;
	bool *nulls;

	if (PG_ARGISNULL(i))
		return cuts;
	array = PG_GETARG_ARRAYTYPE_P(i);
	deconstruct_array(array, TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &values, &nulls, &cuts.n);
	if (ARR_NDIM(array) > 1 || cuts.n == 0 || cuts.n > MOST_CUTS)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be a list of 1 to %d moments", name, MOST_CUTS),
				errdetail("Got %d in %d dimensions.", cuts.n, ARR_NDIM(array)));
	cuts.at = palloc(cuts.n * sizeof(TimestampTz));
	for (int k = 0; k < cuts.n; k++)
	{
		if (nulls[k])
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("argument \"%s\" must not contain a null", name),
					errdetail("Value %d is null.", k + 1));
		cuts.at[k] = DatumGetTimestampTz(values[k]);
		if (TIMESTAMP_NOT_FINITE(cuts.at[k]))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("argument \"%s\" must be finite", name),
					errdetail("Value %d is not.", k + 1));
	}
	qsort(cuts.at, cuts.n, sizeof(TimestampTz), compare_moments);
	for (int k = 1; k < cuts.n; k++)
		if (cuts.at[k] == cuts.at[k - 1])
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("argument \"%s\" has %s twice", name, crm_moment_text(cuts.at[k])));
	return cuts;
}

/* Read argument i, one timestamptz or NULL. */
CrmCuts
crm_cuts_moment(FunctionCallInfo fcinfo, int i, const char *name)
{
	CrmCuts cuts = {.at = NULL};

	if (PG_ARGISNULL(i))
		return cuts;
	cuts.n = 1;
	cuts.at = palloc(sizeof(TimestampTz));
	cuts.at[0] = PG_GETARG_TIMESTAMPTZ(i);
	if (TIMESTAMP_NOT_FINITE(cuts.at[0]))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be finite", name));
	return cuts;
}

/*
 * Let what is known end with the last order, refunds left out, instead of as_of; the horizon is
 * then as long as it is up to there.
 */
void
crm_cuts_end_with_orders(CrmSnapshots *snapshots)
{
	TimestampTz last = snapshots->first, start;

	for (uint32 i = 0; i < snapshots->n; i++)
	{
		CrmHistory history = crm_snapshots_history(snapshots, i);
		size_t k = history.n;

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		while (k > 0 && history.point[k - 1].value < 0)
			k--;
		if (k > 0)
			last = Max(last, history.point[k - 1].time);
	}
	snapshots->request.as_of = last;
	start =
		DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(last),
												IntervalPGetDatum(snapshots->request.horizon)));
	if (!TIMESTAMP_NOT_FINITE(start) && start < last)
		snapshots->span = last - start;
}

/* Raise the error for a cut whose horizon has not ended. */
static _Noreturn void
beyond_error(const CrmSnapshots *snapshots, TimestampTz cut)
{
	TimestampTz end = snapshots->request.as_of;
	TimestampTz needed;

	if (__builtin_add_overflow(cut, snapshots->span, &needed))
		needed = PG_INT64_MAX; /* which is infinity */
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("the horizon after the cut %s lies beyond the data", crm_moment_text(cut)),
			errdetail("A horizon of %.6g days needs orders until %s, and they end at %s.",
					  (double) snapshots->span / (double) USECS_PER_DAY,
					  TIMESTAMP_NOT_FINITE(needed) ? "infinity" : crm_moment_text(needed),
					  crm_moment_text(end)),
			errhint("The latest cut possible is %s; a shorter horizon allows a later one.",
					crm_moment_text(end - snapshots->span)));
}

/*
 * Raise an error unless the horizon after each cut has ended; where the caller named none, choose
 * up to `most`, the latest that the data allow, and raise an error when they allow none.
 */
void
crm_cuts_fit(CrmCuts *cuts, const CrmSnapshots *snapshots, int most, const char *what)
{
	TimestampTz end = snapshots->request.as_of;

	for (int k = 0; k < cuts->n && snapshots->n > 0; k++)
		if ((double) end - (double) cuts->at[k] < (double) snapshots->span)
			beyond_error(snapshots, cuts->at[k]);
	if (cuts->n > 0)
		return;
	crm_snapshots_need(snapshots, 2, what);
	cuts->at = palloc(most * sizeof(TimestampTz));
	cuts->n = crm_snapshots_past_cuts(snapshots, end, most, cuts->at);
	qsort(cuts->at, cuts->n, sizeof(TimestampTz), compare_moments);
}
