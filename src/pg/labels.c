/*
 * labels.c: words for groups of customers, by rules over their profile.
 */
#include "pg/labels.h"

#include <math.h>

#include "utils/builtins.h"

#include "pg/source.h"

#define MAX_RULES 10000
#define NONE      INFINITY

/* The customary rules: bounds of value, activity, recency, low and high of each. */
static const struct
{
	const char *label;
	double bound[2 * CRM_ROLES];
} customary[] = {
	{"High value", {0.5, NONE, -NONE, NONE, -NONE, 0.5}},
	{"At risk", {0.0, NONE, -NONE, NONE, 0.5, NONE}},
	{"At risk", {-NONE, NONE, 0.0, NONE, 0.5, NONE}},
	{"Dormant", {-NONE, NONE, -NONE, NONE, 0.5, NONE}},
	{"New", {-NONE, NONE, -NONE, -0.25, -NONE, 0.0}},
	{"Potential", {-NONE, NONE, -NONE, NONE, -NONE, 0.0}},
	{"Regular", {-NONE, NONE, -NONE, NONE, -NONE, NONE}},
};

/* The names by which a feature is known to play a role, the most telling first. */
#define MAX_NAMES 12
static const char *const role_names[CRM_ROLES][MAX_NAMES] = {
	{"monetary", "value", "revenue", "sales", "amount", "total_amount", "total", "spend", "spent",
	 "lifetime_value", "clv"},
	{"frequency", "activity", "orders", "order_count", "transactions", "purchases", "visits",
	 "sessions"},
	{"recency", "recency_days", "days_since_last", "days_since_last_order",
	 "days_since_last_purchase", "inactive_days"},
};

static const char *const role_words[] = {"value", "activity", "recency"};

/* What the reader of the caller's rules needs. */
typedef struct RuleReader
{
	CrmLabelRules *rules;
	MemoryContext keep;
	const char *see;
	int32 last_priority;
} RuleReader;

/* Take the customary rules. */
void
crm_labels_default(CrmLabelRules *rules)
{
	rules->n = lengthof(customary);
	rules->rule = palloc(rules->n * sizeof(CrmLabelRule));
	for (int i = 0; i < rules->n; i++)
	{
		rules->rule[i].label = cstring_to_text(customary[i].label);
		for (int r = 0; r < CRM_ROLES; r++)
		{
			rules->rule[i].low[r] = customary[i].bound[2 * r];
			rules->rule[i].high[r] = customary[i].bound[2 * r + 1];
		}
	}
}

/* Take the bounds of a rule from the columns after priority and label; NULL is no bound. */
static void
read_bounds(TupleTableSlot *slot, CrmLabelRule *rule, const char *see)
{
	for (int r = 0; r < CRM_ROLES; r++)
	{
		const Datum *value = &slot->tts_values[2 + 2 * r];
		const bool *is_null = &slot->tts_isnull[2 + 2 * r];

		rule->low[r] = is_null[0] ? -NONE : DatumGetFloat8(value[0]);
		rule->high[r] = is_null[1] ? NONE : DatumGetFloat8(value[1]);
		if (!(rule->low[r] < rule->high[r]))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("label rule \"%s\" has %s from %g to %g", text_to_cstring(rule->label),
						   role_words[r], rule->low[r], rule->high[r]),
					errdetail("A rule holds from low up to, but without, high; null is no bound."),
					errhint("See SELECT * FROM %s.", see));
	}
}

/* Take one rule of the caller's: priority, label, then low and high of each role. */
static void
read_rule(TupleTableSlot *slot, void *arg)
{
	RuleReader *reader = arg;
	CrmLabelRules *rules = reader->rules;
	MemoryContext caller = MemoryContextSwitchTo(reader->keep);
	int32 priority = DatumGetInt32(slot->tts_values[0]);

	if (slot->tts_isnull[0] || slot->tts_isnull[1])
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("label rules must have a priority and a label"),
				errdetail("Rule %d has a null.", rules->n + 1),
				errhint("See SELECT * FROM %s.", reader->see));
	if (rules->n > 0 && priority == reader->last_priority)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("two label rules have priority %d", priority),
				errhint("The first rule that fits wins: give each a priority of its own."));
	if (rules->n == MAX_RULES)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("more than %d label rules", MAX_RULES));
	reader->last_priority = priority;
	if (rules->n == 0)
		rules->rule = palloc(sizeof(CrmLabelRule));
	else if ((rules->n & (rules->n - 1)) == 0)
		rules->rule = repalloc(rules->rule, 2 * rules->n * sizeof(CrmLabelRule));
	rules->rule[rules->n].label = DatumGetTextPCopy(slot->tts_values[1]);
	read_bounds(slot, &rules->rule[rules->n], reader->see);
	rules->n++;
	MemoryContextSwitchTo(caller);
}

/* Tell whether a rule holds every profile. */
static bool
holds_all(const CrmLabelRule *rule)
{
	for (int r = 0; r < CRM_ROLES; r++)
		if (rule->low[r] != -NONE || rule->high[r] != NONE)
			return false;
	return true;
}

/*
 * Read the caller's rules from a table, a view or a query. Errors send to the function `see`, which
 * shows the customary rules.
 */
void
crm_labels_read(CrmLabelRules *rules, const char *source, const char *see)
{
	RuleReader reader = {.rules = rules, .keep = CurrentMemoryContext, .see = see};
	CrmQuery query;

	rules->n = 0;
	crm_source_open();
	query = crm_source_prepare(
		psprintf("SELECT q.priority::pg_catalog.int4, q.label::pg_catalog.text, "
				 "q.value_low::pg_catalog.float8, q.value_high::pg_catalog.float8, "
				 "q.activity_low::pg_catalog.float8, q.activity_high::pg_catalog.float8, "
				 "q.recency_low::pg_catalog.float8, q.recency_high::pg_catalog.float8 "
				 "FROM (%s\n) q ORDER BY 1",
				 crm_source_select(source, &crm_contract_labels)),
		&crm_contract_labels);
	crm_source_run(&query, NULL, false, read_rule, &reader);
	crm_source_close();
	if (rules->n == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"labels\" gives no rule"), errhint("See SELECT * FROM %s.", see));
	if (!holds_all(&rules->rule[rules->n - 1]))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the last label rule does not fit everything"),
				errhint("End the rules with one whose bounds are all null."));
}

/* Give the label of a profile: three z-scores, 0 where no feature plays the role. */
text *
crm_labels_find(const CrmLabelRules *rules, const double *z)
{
	for (int i = 0; i < rules->n; i++)
	{
		const CrmLabelRule *rule = &rules->rule[i];
		int r = 0;

		while (r < CRM_ROLES && z[r] >= rule->low[r] && z[r] < rule->high[r])
			r++;
		if (r == CRM_ROLES || i == rules->n - 1)
			return rule->label;
	}
	elog(ERROR, "crm internal: no label rules");
	return NULL;
}

/* Give the feature of that name, in any case of letters; -1: none. */
static int
find_feature(char **names, int n, const char *name)
{
	for (int f = 0; f < n; f++)
		if (pg_strcasecmp(names[f], name) == 0)
			return f;
	return -1;
}

/*
 * Say which of n features plays each role, -1 where none does. Value falls to the first feature
 * without a role when none has its name.
 */
void
crm_labels_roles(char **names, int n, int *role)
{
	for (int r = 0; r < CRM_ROLES; r++)
	{
		role[r] = -1;
		for (int i = 0; i < MAX_NAMES && role_names[r][i] != NULL && role[r] < 0; i++)
			role[r] = find_feature(names, n, role_names[r][i]);
	}
	for (int f = 0; f < n && role[CRM_ROLE_VALUE] < 0; f++)
		if (f != role[CRM_ROLE_ACTIVITY] && f != role[CRM_ROLE_RECENCY])
			role[CRM_ROLE_VALUE] = f;
}
