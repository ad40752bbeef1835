/*
 * subscriptions.c: a source of subscriptions becomes durations.
 */
#include "pg/subscriptions.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

static const char *const unit_list[] = {"day", "week", "month", "year"};
const CrmWords crm_unit_words = {"unit", "units", unit_list, lengthof(unit_list)};

/* A month is a twelfth of a year of 365.25 days. */
static const double unit_days[] = {1, 7, 365.25 / 12, 365.25};

/* A label and the order in which it came. */
typedef struct GroupLabel
{
	char *label;
	int number;
} GroupLabel;

typedef struct Reader
{
	const CrmSubscriptionsRequest *request;
	MemoryContext keep;
	GroupLabel *group; /* sorted by label */
	int groups, room;
	int64 unobserved;
} Reader;

/* Give the number of a group's label, a new one where it has none. */
static int
find_group(Reader *reader, Datum datum)
{
	char *label = TextDatumGetCString(datum);
	int low = 0, high = reader->groups;

	while (low < high)
	{
		int middle = low + (high - low) / 2;
		int order = strcmp(reader->group[middle].label, label);

		if (order == 0)
		{
			pfree(label);
			return reader->group[middle].number;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (reader->groups == CRM_SUBSCRIPTIONS_MAX_GROUPS)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("column \"%s\" has more than %d groups", reader->request->group,
					   CRM_SUBSCRIPTIONS_MAX_GROUPS));
	if (reader->groups == reader->room)
	{
		reader->room *= 2;
		reader->group = repalloc(reader->group, reader->room * sizeof(GroupLabel));
	}
	memmove(reader->group + low + 1, reader->group + low,
			(reader->groups - low) * sizeof(GroupLabel));
	reader->group[low].label = MemoryContextStrdup(reader->keep, label);
	reader->group[low].number = reader->groups;
	pfree(label);
	return reader->groups++;
}

/* Take a row: is the key null, started_at, ended_at, and entry and group where there are any. */
static bool
take_row(const Datum *values, const bool *nulls, CrmRowCount *rows, double *made, void *arg)
{
	Reader *reader = arg;
	const CrmSubscriptionsRequest *request = reader->request;
	double unit = unit_days[request->unit] * (double) USECS_PER_DAY;
	int at = 3, out = 2;
	TimestampTz start, end;

	if (DatumGetBool(values[0]))
	{
		rows->null_key++;
		return false;
	}
	if (nulls[1] || (request->group != NULL && nulls[request->entry != NULL ? 4 : 3]))
	{
		rows->null_value++;
		return false;
	}
	start = DatumGetTimestampTz(values[1]);
	end = nulls[2] ? DT_NOEND : DatumGetTimestampTz(values[2]);
	if (TIMESTAMP_NOT_FINITE(start) || TIMESTAMP_IS_NOBEGIN(end))
	{
		rows->non_finite++;
		return false;
	}
	if (end < start)
		ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION),
				errmsg("the source has a subscription that ends before it starts"),
				errdetail("It starts at %s and ends at %s.", pstrdup(timestamptz_to_str(start)),
						  pstrdup(timestamptz_to_str(end))),
				errhint("Leave such rows out in the source's query."));
	if (start > request->as_of)
	{
		rows->after_as_of++;
		return false;
	}
	made[1] = end <= request->as_of;
	made[0] = (double) (Min(end, request->as_of) - start) / unit;
	if (request->entry != NULL)
	{
		made[out] = -1;
		if (!nulls[at] && DatumGetTimestampTz(values[at]) > start)
			made[out] = (double) (DatumGetTimestampTz(values[at]) - start) / unit;
		if (made[out] >= made[0])
		{
			reader->unobserved++;
			return false;
		}
		at++;
		out++;
	}
	if (request->group != NULL)
		made[out] = find_group(reader, values[at]);
	return true;
}

/* Renumber the groups in the order of their labels. */
static void
order_groups(const Reader *reader, CrmSubscriptions *result)
{
	double *rank = palloc(Max(reader->groups, 1) * sizeof(double));

	result->labels = palloc0(Max(reader->groups, 1) * sizeof(char *));
	result->groups = reader->groups;
	for (int g = 0; g < reader->groups; g++)
	{
		rank[reader->group[g].number] = g;
		result->labels[g] = reader->group[g].label;
	}
	for (size_t i = 0; i < result->n && result->group != NULL; i++)
		result->group[i] = rank[(int) result->group[i]];
	pfree(rank);
}

/*
 * Read a source. The account of the run gets the rows; the result lives in the current memory
 * context, its numbers in that of the design.
 */
CrmSubscriptions *
crm_subscriptions_read(const CrmSubscriptionsRequest *request, CrmRun *run)
{
	CrmSubscriptions *result = palloc0(sizeof(CrmSubscriptions));
	Reader reader = {.request = request, .keep = CurrentMemoryContext, .room = 16};
	CrmDesignLead lead[5] = {{.text = "q.customer_id IS NULL"},
							 {.text = "q.started_at::pg_catalog.timestamptz"},
							 {.text = "q.ended_at::pg_catalog.timestamptz"}};
	char *none[1] = {NULL};
	CrmDesignRequest design = {.source = request->source,
							   .contract = &crm_contract_subscriptions,
							   .lead = lead,
							   .n_lead = 3,
							   .n_made = 2,
							   .names = request->covariates != NULL ? request->covariates : none,
							   .n_names = request->n_covariates,
							   .max_names = PG_INT32_MAX,
							   .take = take_row,
							   .arg = &reader,
							   .row_bytes = request->row_bytes};

	reader.group = palloc(reader.room * sizeof(GroupLabel));
	if (request->entry != NULL)
		lead[design.n_lead++].text =
			psprintf("q.%s::pg_catalog.timestamptz", quote_identifier(request->entry));
	if (request->group != NULL)
		lead[design.n_lead++].text =
			psprintf("q.%s::pg_catalog.text", quote_identifier(request->group));
	design.n_made += design.n_lead - 3;
	run->value = "started_at, group or covariate";
	result->design = crm_design_read(&design, run);
	if (reader.unobserved > 0)
		ereport(NOTICE,
				errmsg("%s left out %lld subscriptions that are never under observation",
					   request->function, (long long) reader.unobserved),
				errdetail("Their \"%s\" is not before their end.", request->entry));
	crm_design_check_memory(result->design, "survival analysis");
	result->n = result->design->matrix.n;
	result->time = result->design->matrix.columns[result->design->d];
	result->event = result->design->matrix.columns[result->design->d + 1];
	if (request->entry != NULL)
		result->entry = result->design->matrix.columns[result->design->d + 2];
	if (request->group != NULL)
		result->group =
			result->design->matrix.columns[result->design->d + (request->entry != NULL ? 3 : 2)];
	order_groups(&reader, result);
	if (request->group == NULL)
		result->groups = 1;
	return result;
}
