/*
 * rules.c: crm.association_rules and crm.rule_measures.
 */
#include "pg/compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "kernel/rules.h"
#include "kernel/rules_value.h"
#include "pg/args.h"
#include "pg/baskets.h"
#include "pg/memory.h"
#include "pg/results.h"

enum
{
	ARG_SOURCE,
	ARG_MIN_SUPPORT,
	ARG_MIN_CONFIDENCE,
	ARG_MIN_LIFT,
	ARG_MAX_LENGTH,
	ARG_MAX_CONSEQUENT,
	ARG_ANTECEDENT_IN,
	ARG_ANTECEDENT_OUT,
	ARG_CONSEQUENT_IN,
	ARG_CONSEQUENT_OUT,
	ARG_MEASURE,
	ARG_TOP_K,
	ARG_PRUNE_REDUNDANT,
	ARG_MAX_P_VALUE,
	ARG_ADJUST,
	ARG_MAX_BASKET_SIZE,
	ARG_OVERSIZE,
	ARG_ALGORITHM
};

enum
{
	OUT_ANTECEDENT,
	OUT_CONSEQUENT,
	OUT_MEASURES,
	OUT_COUNT = OUT_MEASURES + CRM_RULES_MEASURES,
	OUT_REVENUE,
	OUT_MEAN_WITH,
	OUT_MEAN_WITHOUT,
	OUT_P_ADJUSTED,
	COLUMNS
};

static const char *const measure_list[] = {"support",           "confidence", "lift",
										   "leverage",          "conviction", "zhang",
										   "jaccard",           "cosine",     "kulczynski",
										   "imbalance",         "certainty",  "chi_squared",
										   "p_value",           "odds_ratio", "antecedent_support",
										   "consequent_support"};
static const CrmWords measure_words = {"measure", "measures", measure_list, lengthof(measure_list)};
static const char *const adjust_list[] = {"none", "bonferroni", "holm", "fdr"};
static const CrmWords adjust_words = {"adjust", "values of adjust", adjust_list,
									  lengthof(adjust_list)};
static const char *const algorithm_list[] = {"auto", "eclat", "fpgrowth"};
static const CrmWords algorithm_words = {"algorithm", "algorithms", algorithm_list,
										 lengthof(algorithm_list)};

/* The lists of items that constrain rules, in the order of their arguments. */
#define LISTS 4
static const char *const list_names[LISTS] = {"antecedent_in", "antecedent_out", "consequent_in",
											  "consequent_out"};

/* A report in the making. */
typedef struct Report
{
	CrmBasketsRequest request;
	CrmRulesParam param;
	char **labels[LISTS]; /* NULL: no constraint */
	int n_labels[LISTS];
	CrmRun run;
	CrmBasketsState *state;
	CrmRules rules;
	CrmRulesValue value;
} Report;

/* Read the bounds of rules. */
static void
read_bounds(FunctionCallInfo fcinfo, CrmRulesParam *param)
{
	param->min_confidence = crm_arg_double(fcinfo, ARG_MIN_CONFIDENCE, "min_confidence", 0, 1);
	if (!PG_ARGISNULL(ARG_MIN_LIFT))
	{
		param->min_lift = PG_GETARG_FLOAT8(ARG_MIN_LIFT);
		if (!(param->min_lift >= 0))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("argument \"min_lift\" must not be negative"),
					errdetail("Got %g.", param->min_lift));
	}
	if (!PG_ARGISNULL(ARG_MAX_LENGTH))
		param->max_length =
			(uint32) crm_arg_int(fcinfo, ARG_MAX_LENGTH, "max_length", 2, PG_INT32_MAX);
	param->max_consequent =
		(uint32) crm_arg_int(fcinfo, ARG_MAX_CONSEQUENT, "max_consequent", 1, PG_INT32_MAX);
	param->measure = (CrmRulesMeasure) crm_arg_word(fcinfo, ARG_MEASURE, &measure_words);
	if (!PG_ARGISNULL(ARG_TOP_K))
		param->top_k = (uint64) crm_arg_int(fcinfo, ARG_TOP_K, "top_k", 1, PG_INT64_MAX);
	crm_arg_require(fcinfo, ARG_PRUNE_REDUNDANT, "prune_redundant");
	param->prune_redundant = PG_GETARG_BOOL(ARG_PRUNE_REDUNDANT);
	if (!PG_ARGISNULL(ARG_MAX_P_VALUE))
		param->max_p_value = crm_arg_double(fcinfo, ARG_MAX_P_VALUE, "max_p_value", 0, 1);
	param->adjust = (CrmRulesAdjust) crm_arg_word(fcinfo, ARG_ADJUST, &adjust_words);
	param->algorithm = (CrmItemsetAlgorithm) crm_arg_word(fcinfo, ARG_ALGORITHM, &algorithm_words);
}

/* Read all options. */
static void
read_options(FunctionCallInfo fcinfo, Report *report)
{
	CrmBasketsRequest *request = &report->request;

	crm_rules_defaults(&report->param);
	request->function = "crm.association_rules";
	request->source = crm_arg_text(fcinfo, ARG_SOURCE);
	request->amounts = true;
	request->min_support = crm_baskets_support_arg(fcinfo, ARG_MIN_SUPPORT, "min_support");
	read_bounds(fcinfo, &report->param);
	for (int i = 0; i < LISTS; i++)
		if (!PG_ARGISNULL(ARG_ANTECEDENT_IN + i))
			report->labels[i] =
				crm_arg_names(fcinfo, ARG_ANTECEDENT_IN + i, list_names[i], &report->n_labels[i]);
	for (int i = 0; i < LISTS; i += 2)
		crm_baskets_disjoint(report->labels[i], report->n_labels[i], list_names[i],
							 report->labels[i + 1], report->n_labels[i + 1], list_names[i + 1]);
	if (!PG_ARGISNULL(ARG_MAX_BASKET_SIZE))
		request->max_basket_size =
			crm_arg_int(fcinfo, ARG_MAX_BASKET_SIZE, "max_basket_size", 1, PG_INT32_MAX);
	request->oversize = (CrmOversize) crm_arg_word(fcinfo, ARG_OVERSIZE, &crm_oversize_words);
}

/* Raise the error for more memory than there may be, with the support that fits. */
static _Noreturn void
memory_error(Report *report)
{
	CrmBasketsState *state = report->state;
	CrmRules *rules = &report->rules;
	size_t wanted = state->ctx.wanted;
	size_t n_rules = rules->list.n;
	size_t bytes = rules->n_bytes;
	uint32 sets = rules->n_sets, least = 0;
	const char *detail, *reduce = "increase min_support, or give max_basket_size";

	crm_rules_free(rules);
	crm_rules_value_free(&report->value);
	/* wanted tells of the piece that did not fit any more */
	if (wanted == SIZE_MAX || wanted <= state->ctx.limit)
		wanted = state->ctx.limit + 1;
	if (rules->is_full)
	{
		detail = psprintf("It stopped at %u itemsets in %u or more of %u baskets; there are more.",
						  sets, report->param.min_count, state->baskets.n);
		/* half of it for the sets, the other half for their rules */
		if (crm_rules_suggest(&state->ctx, &state->baskets, &report->param, bytes / 2, &least) !=
			CRM_OK)
			least = 0;
		else if (least > 0)
			reduce = psprintf("increase min_support to %g (%u baskets)",
							  ceil(1e4 * least / state->baskets.n) / 1e4, least);
		else
			reduce = "give max_length: many items are in all baskets";
	}
	else if (n_rules > 0)
	{
		detail = psprintf("It stopped at %zu rules from %u itemsets.", n_rules, sets);
		reduce = "give top_k, or increase min_confidence or min_support";
	}
	else
		detail =
			psprintf("%u baskets, %u frequent items.", state->baskets.n, state->baskets.n_items);
	crm_memory_error(wanted, &state->ctx, "the search for rules", detail, reduce);
}

/* Raise the error that a status stands for, if it stands for one. */
static void
check(Report *report, CrmStatus status)
{
	if (status == CRM_LIMIT)
		memory_error(report);
	crm_memory_check(status, &report->state->ctx, "the search for rules", NULL);
}

/* Read the baskets, find the rules and what they are worth. */
static void
find_rules(Report *report)
{
	CrmRulesParam *param = &report->param;
	CrmBasketsState *state;
	uint8 *flags[LISTS];
	char why[100];

	report->state = state = crm_baskets_read(&report->request, &report->run);
	param->min_count = state->min_count;
	for (int i = 0; i < LISTS; i++)
		flags[i] = crm_baskets_flags(state, report->labels[i], report->n_labels[i], list_names[i]);
	param->antecedent_in = flags[0];
	param->antecedent_out = flags[1];
	param->consequent_in = flags[2];
	param->consequent_out = flags[3];
	if (!crm_rules_check(&state->baskets, param, why, sizeof(why)))
		elog(ERROR, "crm internal: %s", why);
	check(report, crm_rules_mine(&state->ctx, &state->baskets, param, &report->rules));
	if (state->amount != NULL && report->rules.list.n > 0)
		check(report, crm_rules_value(&report->value, &state->ctx, &state->baskets, state->amount,
									  &report->rules.list));
}

/* Set the columns of a rule's measures; p is its p-value if that is known, else NaN. */
static void
set_measures(Datum *values, bool *nulls, const CrmRulesCounts *counts, double p)
{
	for (int m = 0; m < CRM_RULES_MEASURES; m++)
		crm_result_number(values, nulls, m,
						  m == CRM_RULES_P_VALUE && !isnan(p)
							  ? p
							  : crm_rules_measure((CrmRulesMeasure) m, counts));
}

/* Give the labels of those items of a set whose bits are in the mask, as a text[] in the room. */
static Datum
labels_of(const CrmBasketsState *state, const CrmRulesSet *set, uint64 mask, CrmLabelArray *room)
{
	uint32 codes[CRM_RULES_MAX_LENGTH], n = 0;

	for (uint32 i = 0; i < set->length; i++)
		if ((mask >> i & 1) != 0)
			codes[n++] = set->items[i];
	return crm_baskets_labels(state, codes, n, room);
}

/* Write the rules, the best first. */
static void
write_rules(const Report *report, const CrmResult *result)
{
	const CrmRules *rules = &report->rules;
	const CrmBasketsState *state = report->state;
	bool has_p = report->param.adjust == CRM_RULES_ADJUST_NONE;
	bool has_amount = state->amount != NULL;
	CrmLabelArray antecedent = {NULL}, consequent = {NULL};
	Datum values[COLUMNS] = {0};
	bool nulls[COLUMNS] = {false};

	nulls[OUT_REVENUE] = nulls[OUT_MEAN_WITH] = nulls[OUT_MEAN_WITHOUT] = !has_amount;
	for (size_t i = 0; i < rules->list.n; i++)
	{
		const CrmRule *rule = crm_rules_list_at(&rules->list, rules->list.order[i]);
		const CrmRulesSet *set = crm_rules_set(&rules->store, rule->set);
		CrmRulesCounts counts = crm_rules_counts(rules, rule);

		CHECK_FOR_INTERRUPTS();
		values[OUT_ANTECEDENT] = labels_of(state, set, ~rule->consequent, &antecedent);
		values[OUT_CONSEQUENT] = labels_of(state, set, rule->consequent, &consequent);
		set_measures(values + OUT_MEASURES, nulls + OUT_MEASURES, &counts,
					 has_p ? rule->p : (double) NAN);
		values[OUT_COUNT] = Int64GetDatum(set->count);
		if (has_amount)
		{
			double with, without;

			values[OUT_REVENUE] =
				Float8GetDatum(crm_rules_revenue(&report->value, set, rules->n, &with, &without));
			crm_result_number(values, nulls, OUT_MEAN_WITH, with);
			crm_result_number(values, nulls, OUT_MEAN_WITHOUT, without);
		}
		values[OUT_P_ADJUSTED] =
			has_p ? values[OUT_MEASURES + CRM_RULES_P_VALUE] : Float8GetDatum(rule->p);
		crm_result_row(result, values, nulls);
	}
}

PG_FUNCTION_INFO_V1(crm_association_rules_1_0);
/* crm.association_rules(...): a row a rule, the best first; see doc/rules.md */
Datum
crm_association_rules_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, COLUMNS);
	Report *report = palloc0(sizeof(Report));

	report->run = crm_run_begin("crm.association_rules");
	read_options(fcinfo, report);
	find_rules(report);
	write_rules(report, &result);
	report->run.peak_memory = Max(report->run.peak_memory, (int64) report->state->ctx.peak);
	report->run.total_memory = report->run.peak_memory;
	crm_run_end(&report->run);
	MemoryContextDelete(report->state->memory);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(crm_rule_measures_1_0);
/* crm.rule_measures(n, n_antecedent, n_consequent, n_both): a record of all measures */
Datum
crm_rule_measures_1_0(PG_FUNCTION_ARGS)
{
	CrmRulesCounts counts = {.n = PG_GETARG_INT64(0),
							 .antecedent = PG_GETARG_INT64(1),
							 .consequent = PG_GETARG_INT64(2),
							 .both = PG_GETARG_INT64(3)};
	Datum values[CRM_RULES_MEASURES];
	bool nulls[CRM_RULES_MEASURES];
	TupleDesc columns;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "crm internal: crm.rule_measures has no columns");
	if (counts.n < 0 || counts.n > CRM_RULES_MAX_COUNT)
		ereport(
			ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("argument \"n\" must be between 0 and %lld", (long long) CRM_RULES_MAX_COUNT),
			errdetail("Got %lld.", (long long) counts.n));
	if (!crm_rules_counts_fit(&counts))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("there are no such baskets"),
				errdetail("Of %lld baskets %lld hold the antecedent, %lld the consequent, %lld "
						  "both.",
						  (long long) counts.n, (long long) counts.antecedent,
						  (long long) counts.consequent, (long long) counts.both),
				errhint("No count is negative, n_both is at most n_antecedent and n_consequent, "
						"and n_antecedent + n_consequent - n_both is at most n."));
	set_measures(values, nulls, &counts, (double) NAN);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}
