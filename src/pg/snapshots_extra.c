/*
 * snapshots_extra.c: what snapshots know besides orders: the CRM's own tables, the caller's
 * features, and the caller's label.
 */
#include "pg/snapshots.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define WHAT "the history of customers"

static const CrmContract contract_tables = {"interactions", "customer_id and a moment", NULL, NULL};
static const CrmContract contract_features = {
	"features", "customer_id, observed_at (castable to timestamptz) and numbers or booleans", NULL,
	"features"};
static const CrmContract contract_label = {
	"labels", "customer_id, churned_at (castable to timestamptz; null: has not churned)", NULL,
	"label"};

/* A feature from a table of the CRM. */
typedef struct TableFeature
{
	const char *name;
	CrmSnapshotUse use;
	const char *tables[2]; /* in schema crm */
	const char *sql;       /* key, moment[, value] */
	bool has_value;
} TableFeature;

static const TableFeature table_features[] = {
	{"contacts_last_horizon",
	 CRM_SNAPSHOT_COUNT_RECENT,
	 {"interaction", NULL},
	 "SELECT t.customer_id, t.occurred_at FROM crm.interaction t WHERE t.action "
	 "OPERATOR(pg_catalog.=) ANY ('{insert,log}'::pg_catalog.text[]) AND (t.reference IS NULL OR "
	 "t.reference OPERATOR(pg_catalog.!~~) 'crm.%') AND t.direction IS DISTINCT FROM 'internal'",
	 false},
	{"tickets_last_horizon",
	 CRM_SNAPSHOT_COUNT_RECENT,
	 {"ticket", NULL},
	 "SELECT t.customer_id, t.opened_at FROM crm.ticket t",
	 false},
	{"campaign_responses_last_horizon",
	 CRM_SNAPSHOT_COUNT_RECENT,
	 {"campaign_event", NULL},
	 "SELECT t.customer_id, t.occurred_at FROM crm.campaign_event t WHERE t.event "
	 "OPERATOR(pg_catalog.=) ANY ('{open,click,reply}'::pg_catalog.text[])",
	 false},
	{"opt_outs",
	 CRM_SNAPSHOT_COUNT_EVER,
	 {"campaign_event", NULL},
	 "SELECT t.customer_id, t.occurred_at FROM crm.campaign_event t WHERE t.event "
	 "OPERATOR(pg_catalog.=) 'optout'",
	 false},
	{"survey_answers",
	 CRM_SNAPSHOT_COUNT_EVER,
	 {"survey_response", NULL},
	 "SELECT t.customer_id, t.answered_at FROM crm.survey_response t",
	 false},
	{"last_survey_score",
	 CRM_SNAPSHOT_LATEST,
	 {"survey_response", "survey"},
	 "SELECT t.customer_id, t.answered_at, ((t.score OPERATOR(pg_catalog.-) s.scale_min) "
	 "OPERATOR(pg_catalog./) (s.scale_max OPERATOR(pg_catalog.-) s.scale_min))::pg_catalog.float8 "
	 "FROM crm.survey_response t JOIN crm.survey s ON t.survey_id OPERATOR(pg_catalog.=) "
	 "s.survey_id WHERE s.kind OPERATOR(pg_catalog.=) ANY ('{nps,csat}'::pg_catalog.text[]) AND "
	 "t.score IS NOT NULL",
	 true}};

/* Make room for n more features. */
static CrmSnapshotExtra *
add_features(CrmSnapshots *snapshots, int n)
{
	int had = snapshots->d - CRM_SNAPSHOT_FEATURES;
	Size bytes = (had + n) * sizeof(CrmSnapshotExtra);

	snapshots->extra = snapshots->extra == NULL ? MemoryContextAllocZero(snapshots->memory, bytes)
												: repalloc(snapshots->extra, bytes);
	snapshots->d += n;
	return snapshots->extra + had;
}

/* Say that a table is of no use. */
static void
tell_unused(CrmSnapshots *snapshots, const char *table, const char *why)
{
	MemoryContext caller = MemoryContextSwitchTo(snapshots->memory);

	snapshots->has_not =
		psprintf("%s%scrm.%s %s", snapshots->has_not != NULL ? snapshots->has_not : "",
				 snapshots->has_not != NULL ? ", " : "", table, why);
	MemoryContextSwitchTo(caller);
}

/* Tell whether a table of the CRM can be read; if not, why is told. */
static bool
can_read(CrmSnapshots *snapshots, const char *name)
{
	Oid schema = get_namespace_oid("crm", true);
	Oid table = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(table))
		tell_unused(snapshots, name, "does not exist");
	else if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		tell_unused(snapshots, name, "may not be read");
	else
		return true;
	return false;
}

/* Read the features of the CRM's tables; those without a row are left out. */
static void
read_tables(CrmSnapshots *snapshots)
{
	CrmPointsRequest points = {
		.owners = &snapshots->owners, .as_of = snapshots->request.as_of, .what = WHAT};

	for (int i = 0; i < lengthof(table_features); i++)
	{
		const TableFeature *feature = &table_features[i];
		CrmRowCount rows = {0};
		CrmSnapshotExtra *extra;
		CrmSeries series;
		CrmQuery query;
		bool readable = true;

		/* of two features of one table, the first tells */
		if (i > 0 && snapshots->has_not != NULL &&
			strcmp(feature->tables[0], table_features[i - 1].tables[0]) == 0 &&
			strstr(snapshots->has_not, psprintf("crm.%s ", feature->tables[0])) != NULL)
			continue;
		for (int t = 0; t < lengthof(feature->tables) && readable; t++)
			readable = feature->tables[t] == NULL || can_read(snapshots, feature->tables[t]);
		if (!readable)
			continue;
		query = crm_source_prepare(feature->sql, &contract_tables);
		points.series = feature->has_value;
		crm_points_read(&points, &query, &rows, &series);
		if (rows.used == 0)
		{
			tell_unused(snapshots, feature->tables[0],
						psprintf("has no row for %s", feature->name));
			continue;
		}
		extra = add_features(snapshots, 1);
		*extra = (CrmSnapshotExtra){.name = MemoryContextStrdup(snapshots->memory, feature->name),
									.use = feature->use,
									.series = series};
	}
	if (snapshots->has_not != NULL)
		ereport(NOTICE,
				errmsg("%s goes without some of the CRM's tables", snapshots->request.function),
				errdetail("%s.", snapshots->has_not));
}

/* Tell the user of rows of a query that are of no use. */
static void
tell_skipped(const CrmSnapshots *snapshots, const CrmRowCount *rows, const CrmContract *contract,
			 const char *moment)
{
	if (rows->used < rows->read)
		ereport(NOTICE,
				errmsg("%s skipped %lld of %lld rows of %s", snapshots->request.function,
					   (long long) (rows->read - rows->used), (long long) rows->read,
					   contract->name),
				errdetail("%lld without customer_id, %lld without %s, %lld with one that is not "
						  "finite, %lld after as_of.",
						  (long long) rows->null_key, (long long) rows->null_value, moment,
						  (long long) rows->non_finite, (long long) rows->after_as_of));
}

/* Give the cast of a query's customer_id to the keys' type, as text that follows the column. */
static char *
key_cast(const CrmSnapshots *snapshots, const CrmQuery *probe)
{
	Oid cast;

	(void) crm_key_choose(snapshots->owners.key_type.type,
						  TupleDescAttr(probe->columns, 0)->atttypid, snapshots->request.function,
						  &cast);
	return OidIsValid(cast) ? psprintf("::%s", format_type_be_qualified(cast)) : "";
}

/* Give the expression that reads a column of the caller's features as a number; NULL: it is none.
 */
static char *
number_expression(Form_pg_attribute column)
{
	const char *name = quote_identifier(NameStr(column->attname));

	switch (getBaseType(column->atttypid))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return psprintf("q.%s::pg_catalog.float8", name);
		case BOOLOID:
			return psprintf("q.%s::pg_catalog.bool::pg_catalog.int4::pg_catalog.float8", name);
		default:
			return NULL;
	}
}

/* Tell whether a query has a column. */
static bool
has_column(const CrmQuery *probe, const char *name)
{
	for (int i = 1; i < probe->columns->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(probe->columns, i)->attname), name) == 0)
			return true;
	return false;
}

/* Read the caller's features. */
static void
read_features(CrmSnapshots *snapshots)
{
	const CrmSnapshotsRequest *request = &snapshots->request;
	CrmPointsRequest points = {.owners = &snapshots->owners, .as_of = request->as_of, .what = WHAT};
	char *select = crm_source_select(request->features, &contract_features);
	CrmQuery query = crm_source_prepare(psprintf("SELECT q.customer_id, q.* FROM (%s\n) q", select),
										&contract_features);
	bool has_moment = has_column(&query, "observed_at");
	CrmRowCount rows = {0};
	StringInfoData sql;
	CrmSnapshotExtra *extra;
	CrmSeries *series;

	if (!has_moment && !request->are_current)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("features has no column \"observed_at\""),
				errdetail("Without the moment from which on a value was known, customers of the "
						  "past would be described by what came later."),
				errhint("Give the query a column observed_at; the latest row at or before a moment "
						"counts. To score with features of now, give a stored model."));
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT q.customer_id%s, ", key_cast(snapshots, &query));
	if (has_moment)
		appendStringInfoString(&sql, "q.observed_at::pg_catalog.timestamptz");
	else
		appendStringInfo(&sql, "%lld::pg_catalog.int8", (long long) request->as_of);
	for (int i = 1; i < query.columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(query.columns, i);
		const char *name = NameStr(column->attname);
		char *number = number_expression(column);

		if (number == NULL || strcmp(name, "customer_id") == 0 || strcmp(name, "observed_at") == 0)
			continue;
		if (crm_snapshots_find(snapshots, name) >= 0)
			ereport(
				ERROR, errcode(ERRCODE_DUPLICATE_COLUMN),
				errmsg("features has a column \"%s\", which is the name of another feature", name),
				errhint("Rename it in the query."));
		extra = add_features(snapshots, 1);
		*extra = (CrmSnapshotExtra){.name = MemoryContextStrdup(snapshots->memory, name),
									.use = CRM_SNAPSHOT_LATEST};
		appendStringInfo(&sql, ", %s", number);
		points.series++;
	}
	if (points.series == 0)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("features has no number besides customer_id"),
				errhint("A source of %s has the columns %s.", contract_features.name,
						contract_features.columns));
	if (snapshots->d > CRM_SNAPSHOT_MOST_FEATURES)
		ereport(ERROR, errcode(ERRCODE_TOO_MANY_COLUMNS),
				errmsg("at most %d features can be used", CRM_SNAPSHOT_MOST_FEATURES),
				errdetail("Got %d.", snapshots->d));
	appendStringInfo(&sql, " FROM (%s\n) q", select);
	query = crm_source_prepare(sql.data, &contract_features);
	series = palloc(points.series * sizeof(CrmSeries));
	crm_points_read(&points, &query, &rows, series);
	for (int s = 0; s < points.series; s++)
		snapshots->extra[snapshots->d - CRM_SNAPSHOT_FEATURES - points.series + s].series =
			series[s];
	tell_skipped(snapshots, &rows, &contract_features, "observed_at");
}

/* Read the caller's moments of churn. */
static void
read_label(CrmSnapshots *snapshots)
{
	CrmPointsRequest points = {
		.owners = &snapshots->owners, .as_of = snapshots->request.as_of, .what = WHAT};
	char *select = crm_source_select(snapshots->request.label, &contract_label);
	CrmQuery query =
		crm_source_prepare(psprintf("SELECT q.customer_id FROM (%s\n) q", select), &contract_label);
	CrmRowCount rows = {0};

	query = crm_source_prepare(psprintf("SELECT q.customer_id%s, "
										"q.churned_at::pg_catalog.timestamptz FROM (%s\n) q "
										"WHERE q.churned_at IS NOT NULL",
										key_cast(snapshots, &query), select),
							   &contract_label);
	crm_points_read(&points, &query, &rows, &snapshots->churned);
	snapshots->has_label = true;
	tell_skipped(snapshots, &rows, &contract_label, "churned_at");
}

/* Read what the request asks for besides orders, between crm_source_open and _close. */
void
crm_snapshots_extras(CrmSnapshots *snapshots)
{
	const CrmSnapshotsRequest *request = &snapshots->request;
	const char *features = request->features;
	bool is_default = features == NULL && request->source == NULL;

	if (!request->without_features &&
		(is_default || (features != NULL && strcmp(features, "crm") == 0)))
	{
		if (snapshots->owners.key_type.type == INT8OID)
			read_tables(snapshots);
		else if (!is_default)
			ereport(
				ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("features => 'crm' needs a customer_id of type bigint"),
				errdetail("It is of type %s.", format_type_be(snapshots->owners.key_type.type)));
	}
	else if (!request->without_features && features != NULL && strcmp(features, "orders") != 0)
		read_features(snapshots);
	if (request->label != NULL)
		read_label(snapshots);
}
