/*
 * sequence_rules.c: unit tests of the order of patterns and of sequence rules, against all splits
 * of all patterns counted by the definition.
 */
#include "sequences.h"

/* Compare two patterns by their events, in preorder: -1, 0, 1. */
static int
compare_events(const CrmSequenceModel *model, uint32_t a, uint32_t b)
{
	uint32_t path[2][32];
	uint32_t at[2] = {a, b};
	int n[2] = {0, 0};

	for (int side = 0; side < 2; side++)
		for (; at[side] != CRM_SEQUENCE_ROOT; at[side] = model->patterns[at[side]].parent)
			path[side][n[side]++] = model->patterns[at[side]].code;
	while (n[0] > 0 && n[1] > 0)
	{
		uint32_t x = path[0][--n[0]], y = path[1][--n[1]];

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (n[0] > n[1]) - (n[0] < n[1]);
}

static bool
is_ordered(const CrmSequenceModel *model, const uint32_t *order)
{
	bool passed = true;

	for (size_t i = 1; i + 1 < model->n; i++)
	{
		const CrmSequencePattern *a = &model->patterns[order[i - 1]];
		const CrmSequencePattern *b = &model->patterns[order[i]];

		if (a->count != b->count)
			passed &= a->count > b->count;
		else if (a->length != b->length)
			passed &= a->length < b->length;
		else
			passed &= compare_events(model, order[i - 1], order[i]) < 0;
	}
	return passed;
}

/* Give how many rules the patterns of a model have by the definition. */
static size_t
count_rules(const Database *database, const CrmSequenceParam *param, const CrmSequenceModel *model,
			const CrmSequenceData *data, double min_confidence)
{
	size_t n = 0;

	for (uint32_t i = 1; i < model->n; i++)
	{
		Steps steps = model_steps(model, data, i);

		for (int j = 1; j < steps.n; j++)
		{
			Steps antecedent = steps;

			antecedent.n = j;
			n += (double) model->patterns[i].count /
					 count_by_definition(database, param, &antecedent, NULL) >=
				 min_confidence;
		}
	}
	return n;
}

/* Tell whether a rule is one: its parts make the pattern, its numbers those of the definition. */
static bool
is_rule(const Database *database, const CrmSequenceParam *param, const CrmSequenceModel *model,
		const CrmSequenceData *data, const CrmSequenceRule *rule)
{
	Steps whole = model_steps(model, data, rule->pattern);
	Steps joined = model_steps(model, data, rule->antecedent);
	Steps consequent = model_steps(model, data, rule->consequent);
	uint32_t n = count_by_definition(database, param, &whole, NULL);
	uint32_t n_antecedent = count_by_definition(database, param, &joined, NULL);
	uint32_t n_consequent = count_by_definition(database, param, &consequent, NULL);
	double confidence = (double) n / n_antecedent;
	double lift = confidence / ((double) n_consequent / database->n_customers);

	if (joined.n == 0 || consequent.n == 0)
		return false;
	for (int i = 0; i < consequent.n; i++)
		joined.set[joined.n++] = consequent.set[i];
	return steps_equal(&whole, &joined) && rule->confidence == confidence &&
		   fabs(rule->lift - lift) < 1e-14 * lift && steps_length(&whole) > 1;
}

/* Tell whether rules come by lift, then by their pattern's place, then the longer antecedent. */
static bool
is_listed(const CrmSequenceModel *model, const CrmSequenceRules *rules, const uint32_t *order)
{
	bool passed = true;
	size_t place[2] = {0, 0};

	for (size_t i = 1; i < rules->n; i++)
	{
		const CrmSequenceRule *a = &rules->rules[rules->order[i - 1]];
		const CrmSequenceRule *b = &rules->rules[rules->order[i]];

		if (a->lift != b->lift)
			passed &= a->lift > b->lift;
		else if (a->pattern == b->pattern)
			passed &= model->patterns[a->antecedent].length > model->patterns[b->antecedent].length;
		else
		{
			for (size_t j = 0; j + 1 < model->n; j++)
			{
				place[0] = order[j] == a->pattern ? j : place[0];
				place[1] = order[j] == b->pattern ? j : place[1];
			}
			passed &= place[0] < place[1];
		}
	}
	return passed;
}

static void
test_definition(void)
{
	static const double confidences[] = {0.0, 0.1, 0.25, 0.5, 0.75, 1.0};
	Database database;
	size_t n_rules = 0, wrong = 0, disordered = 0, leaks = 0;

	for (int trial = 0; trial < 5000; trial++)
	{
		uint32_t customers = 1 + (uint32_t) draw_below(6);
		CrmSequenceParam param = draw_constraints(customers);
		double min_confidence = confidences[draw_below(6)];
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmSequenceData data;
		CrmSequenceModel model;
		CrmSequenceRules rules;
		CrmEvent copy[MOST_EVENTS];
		uint32_t order[20000];

		param.max_length = 1 + (uint32_t) draw_below(4);
		database_draw(&database, customers, draw_below(30), 1 + (uint32_t) draw_below(3),
					  1 + (int64_t) draw_below(12));
		(void) database_arrange(ctx, &database, &param, &data, copy);
		if (crm_sequence_mine(ctx, &data, &param, &model) != CRM_OK ||
			crm_sequence_order(ctx, &model, order) != CRM_OK ||
			crm_sequence_rules(ctx, &model, order, min_confidence, &rules) != CRM_OK)
		{
			wrong++;
			break;
		}
		disordered += !is_ordered(&model, order) || !is_listed(&model, &rules, order);
		wrong += rules.n != count_rules(&database, &param, &model, &data, min_confidence);
		for (size_t i = 0; i < rules.n; i++)
			wrong += !is_rule(&database, &param, &model, &data, &rules.rules[rules.order[i]]);
		n_rules += rules.n;
		crm_release(ctx, rules.rules, rules.n, sizeof(CrmSequenceRule));
		crm_release(ctx, rules.order, rules.n, sizeof(uint32_t));
		model_release(ctx, &model);
		crm_sequence_release(ctx, &data);
		leaks += host.tap.live > 0 || ctx->used > 0;
	}
	ok(wrong == 0, "rules are the splits of the patterns, with the counts of the definition");
	ok(n_rules > 20000, "and they are not few: %zu", n_rules);
	ok(disordered == 0, "patterns and rules come in order");
	ok(leaks == 0, "all is released");
}

/* The example of Zaki 2001: of D, BF then A, what follows from what. */
static void
test_zaki(void)
{
	Database database;
	CrmSequenceParam param = no_constraints(2);
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmSequenceData data;
	CrmSequenceModel model;
	CrmSequenceRules rules;
	CrmEvent copy[MOST_EVENTS];
	uint32_t order[64];
	size_t seen = 0;

	database_zaki(&database);
	param.itemsets = true;
	(void) database_arrange(ctx, &database, &param, &data, copy);
	(void) crm_sequence_mine(ctx, &data, &param, &model);
	(void) crm_sequence_order(ctx, &model, order);
	is_int(crm_sequence_rules(ctx, &model, order, 1.0, &rules), CRM_OK, "the rules of certainty");
	/* D comes before all of it: D -> BF, D -> BF A and so on; B, F and BF are before A in 2 of 4 */
	for (size_t i = 0; i < rules.n; i++)
	{
		Steps antecedent = model_steps(&model, &data, rules.rules[i].antecedent);
		Steps consequent = model_steps(&model, &data, rules.rules[i].consequent);
		char a[64], c[64];

		(void) steps_text(&antecedent, a);
		(void) steps_text(&consequent, c);
		seen += a[0] == 'd' && rules.rules[i].confidence == 1.0;
		if (strcmp(a, "d") == 0 && strcmp(c, "(bf)a") == 0)
			is_near(rules.rules[i].lift, 2.0, 0, "d, then (bf) and a: lift 2");
		if (strcmp(a, "d(bf)") == 0)
			is_near(rules.rules[i].lift, 1.0, 0, "d and (bf), then a: lift 1, all have an a");
	}
	/* da, db, df, d(bf); dba, dfa, d(bf)a at two places each */
	ok(rules.n == 10 && seen == 10, "ten rules, all beginning with d: %zu", rules.n);
	crm_release(ctx, rules.rules, rules.n, sizeof(CrmSequenceRule));
	crm_release(ctx, rules.order, rules.n, sizeof(uint32_t));
	model_release(ctx, &model);
	crm_sequence_release(ctx, &data);
	is_clean(&host.tap, "rules");
}

static void
test_failures(void)
{
	Database database;
	CrmSequenceParam param = no_constraints(1);
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmSequenceData data;
	CrmSequenceModel model;
	CrmSequenceRules rules;
	CrmEvent copy[MOST_EVENTS];
	uint32_t *order;
	CrmStatus status = CRM_NO_MEMORY;
	size_t at, before;
	bool passed = true;

	database_draw(&database, 4, 60, 3, 20);
	param.max_length = 4;
	(void) database_arrange(ctx, &database, &param, &data, copy);
	(void) crm_sequence_mine(ctx, &data, &param, &model);
	order = malloc(model.n * sizeof *order);
	before = ctx->used;
	for (at = 1; status == CRM_NO_MEMORY && at < 20; at++)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = at;
		status = crm_sequence_order(ctx, &model, order);
		if (status == CRM_OK)
			status = crm_sequence_rules(ctx, &model, order, 0.5, &rules);
		passed &= status == CRM_OK || ctx->used == before;
	}
	ok(passed && status == CRM_OK && at > 7, "an allocation that fails leaks nothing");
	crm_release(ctx, rules.rules, rules.n, sizeof(CrmSequenceRule));
	crm_release(ctx, rules.order, rules.n, sizeof(uint32_t));
	host.tap.fail_at = 0;
	status = CRM_ABORTED;
	for (at = 1; status == CRM_ABORTED && at < 100; at++)
	{
		host.tap.polls = 0;
		host.tap.abort_at = at;
		status = crm_sequence_order(ctx, &model, order);
		if (status == CRM_OK)
			status = crm_sequence_rules(ctx, &model, order, 0.5, &rules);
		passed &= status == CRM_OK || ctx->used == before;
	}
	ok(passed && status == CRM_OK && at > 4, "a cancel at any poll is CRM_ABORTED: %zu", at);
	crm_release(ctx, rules.rules, rules.n, sizeof(CrmSequenceRule));
	crm_release(ctx, rules.order, rules.n, sizeof(uint32_t));
	host.tap.abort_at = 0;
	model.patterns[1].n_children = 0; /* patterns that no miner gives */
	is_int(crm_sequence_rules(ctx, &model, order, 0.5, &rules), CRM_DOMAIN, "a tail is missing");
	is_int((int64_t) ctx->used, (int64_t) before, "which leaks nothing");
	free(order);
	model_release(ctx, &model);
	crm_sequence_release(ctx, &data);
	is_clean(&host.tap, "rules of some patterns");
}

int
main(void)
{
	test_definition();
	test_zaki();
	test_failures();
	return tap_done();
}
