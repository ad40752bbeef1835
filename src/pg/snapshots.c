/*
 * snapshots.c: customers at cuts in the past; see snapshots.h. What is not orders is read by
 * snapshots_extra.c.
 */
#include "pg/snapshots.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "kernel/base/sum.h"
#include "pg/memory.h"
#include "pg/moment.h"

#define WHAT "the history of customers"

/* Raise the error that a status stands for. */
void
crm_snapshots_check(CrmSnapshots *snapshots, CrmStatus status)
{
	if (status != CRM_OK)
		crm_memory_check(status, &snapshots->ctx, WHAT,
						 psprintf("%u customers.", snapshots->owners.n));
}

/* Give memory within the budget, or raise the memory error. */
void *
crm_snapshots_allocate(CrmSnapshots *snapshots, size_t n, size_t size)
{
	void *memory = crm_allocate(&snapshots->ctx, n, size);

	if (memory == NULL)
		crm_snapshots_check(snapshots, snapshots->ctx.failure);
	return memory;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Give the length of the horizon in microseconds; an error when it is not above zero. */
static int64
horizon_span(const CrmSnapshotsRequest *request)
{
	TimestampTz start = DatumGetTimestampTz(
		DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(request->as_of),
							IntervalPGetDatum(request->horizon)));

	if (TIMESTAMP_NOT_FINITE(start) || start >= request->as_of)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"horizon\" must be above zero"),
				errdetail("Got %s.", DatumGetCString(DirectFunctionCall1(
										 interval_out, IntervalPGetDatum(request->horizon)))));
	return request->as_of - start;
}

/* Give the query of the orders: key, moment, amount. */
static char *
orders_sql(const char *select, Oid cast)
{
	return psprintf("SELECT q.customer_id%s%s, q.ordered_at::pg_catalog.timestamptz, "
					"q.amount::pg_catalog.float8 FROM (%s\n) q",
					OidIsValid(cast) ? "::" : "",
					OidIsValid(cast) ? format_type_be_qualified(cast) : "", select);
}

/* Read the orders. */
static void
read_orders(CrmSnapshots *snapshots, CrmRun *run)
{
	const CrmSnapshotsRequest *request = &snapshots->request;
	CrmPointsRequest points = {.owners = &snapshots->owners,
							   .as_of = request->as_of,
							   .series = 1,
							   .is_strict = true,
							   .what = WHAT};
	char *select = crm_source_select(request->source, &crm_contract_orders);
	CrmQuery query = crm_source_prepare(orders_sql(select, InvalidOid), &crm_contract_orders);
	Form_pg_attribute key = TupleDescAttr(query.columns, 0);
	Oid cast, key_type;

	key_type = crm_key_choose(request->key_type, key->atttypid, request->function, &cast);
	crm_points_owners(&snapshots->owners, &snapshots->ctx, key_type, key->attcollation);
	if (OidIsValid(cast))
		query = crm_source_prepare(orders_sql(select, cast), &crm_contract_orders);
	crm_points_read(&points, &query, &run->rows, &snapshots->orders);
}

/* List the customers with an order that is no refund; find the first order and how often
 * everybody comes. */
static void
list_customers(CrmSnapshots *snapshots)
{
	uint32 n = snapshots->owners.n, kept = 0;
	uint32 *order = crm_snapshots_allocate(snapshots, n, sizeof(uint32));
	CrmSum days = {0};
	int64 gaps = 0;

	snapshots->first = snapshots->request.as_of;
	snapshots->usual_gap = (double) snapshots->span / CRM_SNAPSHOT_DAY;
	for (uint32 i = 0; i < n; i++)
	{
		CrmHistory history = crm_points_of(&snapshots->orders, i);
		CrmRhythm rhythm;

		if (i % 16384 == 0)
			CHECK_FOR_INTERRUPTS();
		if (!crm_snapshot_rhythm(&history, snapshots->request.as_of, &rhythm))
			continue;
		gaps += rhythm.visits - 1;
		crm_sum_add(&days, (double) (rhythm.last - rhythm.first) / CRM_SNAPSHOT_DAY);
		snapshots->first = Min(snapshots->first, rhythm.first);
		snapshots->most_orders = Max(snapshots->most_orders, history.n);
		order[kept++] = i;
	}
	if (gaps > 0)
		snapshots->usual_gap = crm_sum_mean(days, gaps);
	snapshots->in_order = order;
	snapshots->n = kept;
}

/*
 * Read what the request asks for, into a memory context below the current one. The account of the
 * run gets the rows of orders.
 */
CrmSnapshots *
crm_snapshots_read(const CrmSnapshotsRequest *request, CrmRun *run)
{
	MemoryContext keep = CurrentMemoryContext;
	CrmCtx ctx;
	MemoryContext memory = crm_memory_begin(&ctx, keep, "crm snapshots");
	CrmSnapshots *snapshots = MemoryContextAllocZero(memory, sizeof(CrmSnapshots));

	snapshots->memory = memory;
	snapshots->ctx = ctx;
	snapshots->request = *request;
	snapshots->d = CRM_SNAPSHOT_FEATURES;
	snapshots->span = horizon_span(request);
	crm_source_open();
	read_orders(snapshots, run);
	list_customers(snapshots);
	crm_snapshots_extras(snapshots);
	crm_source_close();
	MemoryContextSwitchTo(keep);
	run->customers = snapshots->n;
	return snapshots;
}

/*
 * Raise an error unless the history before as_of is that many horizons long; `what` is what needs
 * it.
 */
void
crm_snapshots_need(const CrmSnapshots *snapshots, int horizons, const char *what)
{
	double day = (double) USECS_PER_DAY;
	double has = (double) (snapshots->request.as_of - snapshots->first) / day;
	double span = (double) snapshots->span / day;

	if (snapshots->n == 0 || has >= horizons * span)
		return;
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("%s with a horizon of %.6g days needs %.6g days of orders up to as_of", what,
				   span, horizons * span),
			errdetail("The first order is of %s, %.6g days before as_of.",
					  crm_moment_text(snapshots->first), floor(has * 100) / 100),
			errhint("Give a horizon of at most %.6g days, or a source with a longer history.",
					floor(has / horizons * 100) / 100));
}

/* ---- customers at cuts ------------------------------------------------------------------- */

/* Give the key of customer i of the list. */
Datum
crm_snapshots_key(const CrmSnapshots *snapshots, uint32 i)
{
	return crm_points_key(&snapshots->owners, snapshots->in_order[i]);
}

/* Give the name of a feature. */
const char *
crm_snapshots_name(const CrmSnapshots *snapshots, int feature)
{
	return feature < CRM_SNAPSHOT_FEATURES ? crm_snapshot_feature_of(feature)->name
										   : snapshots->extra[feature - CRM_SNAPSHOT_FEATURES].name;
}

/* Give the feature of a name, -1 when there is none. */
int
crm_snapshots_find(const CrmSnapshots *snapshots, const char *name)
{
	for (int f = 0; f < snapshots->d; f++)
		if (strcmp(crm_snapshots_name(snapshots, f), name) == 0)
			return f;
	return -1;
}

/* Tell whether a feature is ln(1 + what its name says). */
bool
crm_snapshots_is_log(const CrmSnapshots *snapshots, int feature)
{
	return feature < CRM_SNAPSHOT_FEATURES
			   ? crm_snapshot_feature_of(feature)->is_log
			   : snapshots->extra[feature - CRM_SNAPSHOT_FEATURES].use != CRM_SNAPSHOT_LATEST;
}

/* Give the orders of customer i of the list, refunds among them. */
CrmHistory
crm_snapshots_history(const CrmSnapshots *snapshots, uint32 i)
{
	return crm_points_of(&snapshots->orders, snapshots->in_order[i]);
}

/* Give when a customer churned by the label query; INT64_MAX: never, or there is none. */
static int64
churned_at(const CrmSnapshots *snapshots, uint32 i)
{
	CrmHistory history;

	if (!snapshots->has_label)
		return PG_INT64_MAX;
	history = crm_points_of(&snapshots->churned, snapshots->in_order[i]);
	return history.n > 0 ? history.point[0].time : PG_INT64_MAX;
}

/* Tell whether customer i has an order by a cut, and has not churned by then. */
bool
crm_snapshots_is_eligible(const CrmSnapshots *snapshots, uint32 i, TimestampTz cut)
{
	CrmHistory history = crm_snapshots_history(snapshots, i);

	if (churned_at(snapshots, i) <= cut)
		return false;
	for (size_t k = 0; k < history.n && history.point[k].time <= cut; k++)
		if (history.point[k].value >= 0)
			return true;
	return false;
}

/* Give whether customer i, eligible at a cut, churned after it: 1, 0, or NaN when that is not known
 * yet. */
double
crm_snapshots_label(const CrmSnapshots *snapshots, uint32 i, TimestampTz cut)
{
	CrmHistory history;
	int64 end;

	if (__builtin_add_overflow(cut, snapshots->span, &end) || end > snapshots->request.as_of)
		return NAN;
	if (snapshots->has_label)
		return churned_at(snapshots, i) <= end;
	history = crm_snapshots_history(snapshots, i);
	return !crm_snapshot_orders_after(&history, cut, end);
}

/* Give a feature of a series of points at a cut. */
static double
extra_feature(const CrmSnapshotExtra *extra, uint32 customer, TimestampTz cut, int64 span)
{
	CrmHistory history = crm_points_of(&extra->series, customer);
	size_t n = crm_points_until(&history, cut);
	CrmHistory before = {.point = history.point, .n = n};
	int64 start;

	if (extra->use == CRM_SNAPSHOT_LATEST)
		return n > 0 ? history.point[n - 1].value : NAN;
	if (extra->use == CRM_SNAPSHOT_COUNT_RECENT && !__builtin_sub_overflow(cut, span, &start))
		n -= crm_points_until(&before, start);
	return log1p((double) n);
}

/* Fill features[d] of customer i at a cut; false: the customer is not eligible. */
bool
crm_snapshots_features(const CrmSnapshots *snapshots, uint32 i, TimestampTz cut, double *features)
{
	CrmHistory history = crm_snapshots_history(snapshots, i);

	if (churned_at(snapshots, i) <= cut ||
		!crm_snapshot_features(&history, cut, snapshots->span, features))
		return false;
	for (int f = CRM_SNAPSHOT_FEATURES; f < snapshots->d; f++)
		features[f] = extra_feature(&snapshots->extra[f - CRM_SNAPSHOT_FEATURES],
									snapshots->in_order[i], cut, snapshots->span);
	return true;
}

/*
 * Give customer i at a cut as buy-till-you-die models see customers, in days of the session's time
 * zone: x days with orders after the first one, t_x from the first to the last, t to the cut. day
 * has begun with the interval of a day. False: no order by the cut.
 */
bool
crm_snapshots_transactions(const CrmSnapshots *snapshots, uint32 i, TimestampTz cut, CrmPeriod *day,
						   double *x, double *t_x, double *t)
{
	CrmHistory history = crm_snapshots_history(snapshots, i);
	int32 first = 0, last = 0;
	int64 days = 0;

	for (size_t k = 0; k < history.n && history.point[k].time <= cut; k++)
		if (history.point[k].value >= 0)
		{
			int32 number = crm_period_number(day, history.point[k].time);

			if (days == 0)
				first = number;
			days += days == 0 || number != last;
			last = number;
		}
	if (days == 0)
		return false;
	*x = (double) (days - 1);
	*t_x = (double) last - (double) first;
	*t = (double) crm_period_number(day, cut) - (double) first;
	return true;
}

/* Tell whether customer i is among the share that a seed draws. */
static bool
is_drawn(uint32 i, double share, uint64 seed)
{
	return share >= 1.0 || (double) (crm_mix64(crm_mix64(seed) ^ i) >> 11) * 0x1p-53 < share;
}

/*
 * Stack the features and labels of eligible customers at several cuts; a share below 1 takes that
 * part of the customers, by the seed. The rows are the caller's until crm_snapshots_release.
 */
void
crm_snapshots_stack(CrmSnapshots *snapshots, const TimestampTz *cuts, int n_cuts, double share,
					uint64 seed, CrmSnapshotRows *rows)
{
	double *features = crm_snapshots_allocate(snapshots, snapshots->d, sizeof(double));
	size_t n = 0;

	for (uint32 i = 0; i < snapshots->n; i++)
	{
		if (i % 16384 == 0)
			CHECK_FOR_INTERRUPTS();
		for (int c = 0; c < n_cuts && is_drawn(i, share, seed); c++)
			n += crm_snapshots_is_eligible(snapshots, i, cuts[c]);
	}
	*rows = (CrmSnapshotRows){.n = n, .d = snapshots->d};
	rows->columns = crm_snapshots_allocate(snapshots, snapshots->d, sizeof(double *));
	for (int f = 0; f < snapshots->d; f++)
		rows->columns[f] = crm_snapshots_allocate(snapshots, n, sizeof(double));
	rows->label = crm_snapshots_allocate(snapshots, n, sizeof(double));
	rows->customer = crm_snapshots_allocate(snapshots, n, sizeof(uint32));
	rows->cut = crm_snapshots_allocate(snapshots, n, sizeof(int));
	n = 0;
	for (uint32 i = 0; i < snapshots->n; i++)
	{
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		for (int c = 0; c < n_cuts && is_drawn(i, share, seed); c++)
		{
			if (!crm_snapshots_features(snapshots, i, cuts[c], features))
				continue;
			for (int f = 0; f < snapshots->d; f++)
				rows->columns[f][n] = features[f];
			rows->label[n] = crm_snapshots_label(snapshots, i, cuts[c]);
			rows->customer[n] = i;
			rows->cut[n++] = c;
		}
	}
	crm_release(&snapshots->ctx, features, snapshots->d, sizeof(double));
}

/* Give back the rows of crm_snapshots_stack. */
void
crm_snapshots_release(CrmSnapshots *snapshots, CrmSnapshotRows *rows)
{
	CrmCtx *ctx = &snapshots->ctx;

	crm_release(ctx, rows->cut, rows->n, sizeof(int));
	crm_release(ctx, rows->customer, rows->n, sizeof(uint32));
	crm_release(ctx, rows->label, rows->n, sizeof(double));
	for (int f = rows->d; f-- > 0;)
		crm_release(ctx, rows->columns[f], rows->n, sizeof(double));
	crm_release(ctx, rows->columns, rows->d, sizeof(double *));
	*rows = (CrmSnapshotRows){.n = 0};
}

/*
 * Give up to `most` cuts, a horizon apart, the latest a horizon before `until` (so that its label
 * is known by then), each with a horizon of history before it; the latest comes first.
 */
int
crm_snapshots_past_cuts(const CrmSnapshots *snapshots, TimestampTz until, int most,
						TimestampTz *cuts)
{
	int n = 0;

	for (TimestampTz cut = until; n < most; n++)
	{
		if (cut - snapshots->first < 2 * (double) snapshots->span)
			break;
		cut -= snapshots->span;
		cuts[n] = cut;
	}
	return n;
}
