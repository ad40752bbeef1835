/*
 * rules.c: unit tests of association rules: against all rules that the definition gives, on
 * thousands of random cases with all options; the same whatever the order of baskets and items;
 * budgets, aborts, and the numbers of rules of public data.
 */
#include "kernel/rules.h"
#include "kernel/rules_value.h"
#include "shop.h"

#define MAX_ITEMS 8
#define MAX_RULES 6600 /* 3^8 and some */

/* A rule by its definition. */
typedef struct Want
{
	uint32_t antecedent, consequent; /* masks of items */
	CrmRulesCounts counts;
	double value, p;
} Want;

static Want wants[MAX_RULES];
static size_t n_wants;

/* The count of baskets that hold all items of each mask. */
static uint32_t mask_count[1 << MAX_ITEMS];

static void
count_masks(const Shop *shop)
{
	for (uint32_t mask = 0; mask < (1u << shop->baskets.n_items); mask++)
	{
		mask_count[mask] = 0;
		for (uint32_t b = 0; b < shop->baskets.n; b++)
		{
			uint32_t held = 0;

			for (uint64_t i = shop->start[b]; i < shop->start[b + 1]; i++)
				held |= 1u << shop->items[i];
			mask_count[mask] += (held & mask) == mask;
		}
	}
}

static uint32_t
mask_of(const uint8_t *flags, uint32_t n)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; flags != NULL && i < n; i++)
		mask |= flags[i] != 0 ? 1u << i : 0;
	return mask;
}

/* Tell whether the constraints let a be an antecedent. */
static bool
may_be_antecedent(const CrmRulesParam *param, uint32_t n, uint32_t a)
{
	return (param->antecedent_in == NULL || (a & mask_of(param->antecedent_in, n)) != 0) &&
		   (a & mask_of(param->antecedent_out, n)) == 0;
}

/* Tell whether a more general rule that the constraints allow has no lower confidence. */
static bool
is_redundant(const CrmRulesParam *param, uint32_t n, uint32_t a, uint32_t c)
{
	double confidence = (double) mask_count[a | c] / mask_count[a];

	for (uint32_t part = (a - 1) & a; part != 0; part = (part - 1) & a)
		if (may_be_antecedent(param, n, part) &&
			(double) mask_count[part | c] / mask_count[part] >= confidence)
			return true;
	return false;
}

/* Compare masks as the words of their items. */
static int
compare_masks(uint32_t a, uint32_t b)
{
	for (; a != 0 && b != 0; a &= a - 1, b &= b - 1)
		if ((a & -a) != (b & -b))
			return (a & -a) < (b & -b) ? -1 : 1;
	return (a != 0) - (b != 0);
}

static int want_sign; /* 1: small values first */

static int
compare_wants(const void *x, const void *y)
{
	const Want *a = x, *b = y;
	int result;

	if (isnan(a->value) != isnan(b->value))
		return isnan(a->value) ? 1 : -1;
	if (a->value != b->value && !isnan(a->value))
		return (a->value < b->value ? -1 : 1) * want_sign;
	if (a->counts.both != b->counts.both)
		return a->counts.both > b->counts.both ? -1 : 1;
	result = compare_masks(a->antecedent, b->antecedent);
	return result != 0 ? result : compare_masks(a->consequent, b->consequent);
}

/* Adjust the p-values of all wanted rules, each by comparing it with all others. */
static void
adjust_wants(CrmRulesAdjust adjust)
{
	static double stepped[2][MAX_RULES], p[MAX_RULES];
	double m = (double) n_wants;

	for (size_t j = 0; j < n_wants && adjust != CRM_RULES_ADJUST_NONE; j++)
	{
		double below = 0, up_to = 0;

		for (size_t k = 0; k < n_wants; k++)
		{
			below += wants[k].p < wants[j].p;
			up_to += wants[k].p <= wants[j].p;
		}
		p[j] = wants[j].p;
		stepped[0][j] = fmin(1.0, (m - below) * p[j]);
		stepped[1][j] = fmin(1.0, m / up_to * p[j]);
	}
	for (size_t i = 0; i < n_wants && adjust != CRM_RULES_ADJUST_NONE; i++)
	{
		double most = 0.0, least = 1.0;

		for (size_t j = 0; j < n_wants; j++)
		{
			most = p[j] <= p[i] ? fmax(most, stepped[0][j]) : most;
			least = p[j] >= p[i] ? fmin(least, stepped[1][j]) : least;
		}
		wants[i].p = adjust == CRM_RULES_ADJUST_BONFERRONI ? fmin(1.0, m * p[i])
					 : adjust == CRM_RULES_ADJUST_HOLM     ? most
														   : least;
	}
}

/* Make all rules by the definition. */
static void
make_wants(const Shop *shop, const CrmRulesParam *param)
{
	uint32_t n = shop->baskets.n_items, all = (1u << n) - 1;
	size_t kept = 0;

	n_wants = 0;
	for (uint32_t a = 1; a <= all; a++)
		for (uint32_t c = all & ~a; c != 0; c = (c - 1) & ~a & all)
		{
			Want want = {.antecedent = a, .consequent = c};
			CrmRulesCounts counts = {shop->baskets.n, mask_count[a], mask_count[c],
									 mask_count[a | c]};
			uint32_t length = (uint32_t) __builtin_popcount(a | c);

			if (counts.both < param->min_count || counts.both == 0 ||
				(double) counts.both / (double) counts.antecedent < param->min_confidence ||
				crm_rules_measure(CRM_RULES_LIFT, &counts) < param->min_lift ||
				(param->max_length > 0 && length > param->max_length) ||
				(uint32_t) __builtin_popcount(c) > param->max_consequent ||
				!may_be_antecedent(param, n, a) ||
				(param->consequent_in != NULL && (c & mask_of(param->consequent_in, n)) == 0) ||
				(c & mask_of(param->consequent_out, n)) != 0 ||
				(param->prune_redundant && is_redundant(param, n, a, c)))
				continue;
			want.counts = counts;
			want.value = crm_rules_measure(param->measure, &counts);
			want.p = crm_rules_p_value(&counts);
			wants[n_wants++] = want;
		}
	adjust_wants(param->adjust);
	for (size_t i = 0; i < n_wants; i++)
		if (wants[i].p <= param->max_p_value)
			wants[kept++] = wants[i];
	n_wants = kept;
	want_sign = param->measure == CRM_RULES_P_VALUE ? 1 : -1;
	qsort(wants, n_wants, sizeof *wants, compare_wants);
	if (param->top_k > 0 && n_wants > param->top_k)
		n_wants = param->top_k;
}

/* Tell whether the rules are those wanted, in their order. */
static bool
are_wanted(const CrmRules *rules, const CrmRulesParam *param)
{
	bool has_p = param->measure == CRM_RULES_P_VALUE || param->max_p_value < 1.0 ||
				 param->adjust != CRM_RULES_ADJUST_NONE;

	if (rules->list.n != n_wants)
		return false;
	for (size_t i = 0; i < n_wants; i++)
	{
		const CrmRule *rule = crm_rules_list_at(&rules->list, rules->list.order[i]);
		const CrmRulesSet *set = crm_rules_set(&rules->store, rule->set);
		CrmRulesCounts counts = crm_rules_counts(rules, rule);
		uint32_t a = 0, c = 0;

		for (uint32_t k = 0; k < set->length; k++)
			*((rule->consequent >> k & 1) != 0 ? &c : &a) |= 1u << set->items[k];
		if (a != wants[i].antecedent || c != wants[i].consequent ||
			memcmp(&counts, &wants[i].counts, sizeof counts) != 0 ||
			(has_p && fabs(rule->p - wants[i].p) > 1e-14 * wants[i].p) ||
			(!has_p && !isnan(rule->p)))
			return false;
	}
	return true;
}

/* Flag items at random in a list, of which some may be in `other`, too, unless that is given. */
static const uint8_t *
draw_flags(uint8_t *flags, uint32_t n, const uint8_t *other)
{
	if (draw_below(2) == 0)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		flags[i] = draw_below(2) == 0 && (other == NULL || other[i] == 0);
	return flags;
}

/* Draw options. */
static void
draw_param(CrmRulesParam *param, uint32_t n, uint32_t n_items, uint8_t flags[4][MAX_ITEMS])
{
	static const double confidences[] = {0.0, 0.2, 1.0 / 3, 0.5, 0.75, 1.0};
	static const double lifts[] = {0.0, 0.0, 0.9, 1.0, 1.2};
	static const double ps[] = {1.0, 1.0, 1.0, 0.05, 0.3};

	crm_rules_defaults(param);
	param->min_count = 1 + (uint32_t) draw_below(n / 8 + 2);
	param->min_confidence = confidences[draw_below(6)];
	param->min_lift = lifts[draw_below(5)];
	param->max_length = draw_below(2) == 0 ? 0 : 2 + (uint32_t) draw_below(4);
	param->max_consequent = draw_below(2) == 0 ? 1 : 1 + (uint32_t) draw_below(4);
	if (draw_below(2) == 0)
	{
		param->antecedent_in = draw_flags(flags[0], n_items, NULL);
		param->antecedent_out = draw_flags(flags[1], n_items, param->antecedent_in);
		param->consequent_in = draw_flags(flags[2], n_items, NULL);
		param->consequent_out = draw_flags(flags[3], n_items, param->consequent_in);
	}
	param->measure = (CrmRulesMeasure) draw_below(CRM_RULES_MEASURES);
	param->top_k = draw_below(3) == 0 ? 1 + draw_below(20) : 0;
	param->prune_redundant = draw_below(2) == 0;
	param->max_p_value = ps[draw_below(5)];
	if (draw_below(3) == 0)
		param->adjust = (CrmRulesAdjust) draw_below(4);
	param->algorithm = (CrmItemsetAlgorithm) draw_below(3);
}

static void
test_random(void)
{
	int cases = 0, wrong = 0, constrained = 0, none = 0, unclean = 0;
	size_t compared = 0;

	for (int i = 0; i < 6000; i++)
	{
		uint8_t flags[4][MAX_ITEMS];
		uint32_t n = (uint32_t) draw_below(40), n_items = 1 + (uint32_t) draw_below(MAX_ITEMS);
		uint32_t percent = 30 + (uint32_t) draw_below(150);
		Shop shop;
		CrmRulesParam param;
		CrmRules rules;
		TapContext tap;
		CrmCtx *ctx = tap_context(&tap);
		char why[80] = "";

		shop_draw(&shop, n, n_items, percent);
		draw_param(&param, n, n_items, flags);
		count_masks(&shop);
		make_wants(&shop, &param);
		if (!crm_rules_check(&shop.baskets, &param, why, sizeof why) ||
			crm_rules_mine(ctx, &shop.baskets, &param, &rules) != CRM_OK ||
			!are_wanted(&rules, &param))
		{
			if (wrong++ < 3)
				printf("# case %d: %zu rules, not %zu; %s\n", i, rules.list.n, n_wants, why);
		}
		cases++;
		compared += n_wants;
		none += n_wants == 0;
		constrained += param.antecedent_in != NULL || param.consequent_in != NULL;
		crm_rules_free(&rules);
		unclean += tap.live != 0 || ctx->used != 0;
		shop_free(&shop);
	}
	ok(wrong == 0, "%d cases (%d without rules, %d constrained), %zu rules: %d are wrong", cases,
	   none, constrained, compared, wrong);
	ok(unclean == 0 && compared > 50000 && none < cases * 2 / 3 && constrained > 1000,
	   "and nothing leaks");
}

/* The same rules when baskets, items within them, and the codes of items come in another order. */
static void
test_orders(void)
{
	int wrong = 0;

	for (int i = 0; i < 60; i++)
	{
		Shop shop, other;
		CrmRulesParam param;
		CrmRules rules, again;
		CrmRulesValue value, value_again;
		TapContext tap;
		CrmCtx *ctx = tap_context(&tap);
		double *amounts, *shuffled;
		uint32_t order[300];

		shop_draw(&shop, 300, 12, 90);
		draw_order(order, 300);
		shop_shuffle(&other, &shop, order);
		amounts = malloc(300 * sizeof *amounts);
		shuffled = malloc(300 * sizeof *shuffled);
		for (int b = 0; b < 300; b++)
			amounts[b] = ldexp((double) draw_below(1000000), (int) draw_below(60) - 30);
		for (int b = 0; b < 300; b++)
			shuffled[b] = amounts[order[b]];
		crm_rules_defaults(&param);
		param.min_count = 5;
		param.max_consequent = 2;
		param.top_k = i % 2 == 0 ? 0 : 50;
		wrong +=
			crm_rules_mine(ctx, &shop.baskets, &param, &rules) != CRM_OK ||
			crm_rules_mine(ctx, &other.baskets, &param, &again) != CRM_OK ||
			crm_rules_value(&value, ctx, &shop.baskets, amounts, &rules.list) != CRM_OK ||
			crm_rules_value(&value_again, ctx, &other.baskets, shuffled, &again.list) != CRM_OK ||
			rules.list.n != again.list.n || rules.list.n < 20;

		for (size_t r = 0; r < rules.list.n && r < again.list.n; r++)
		{
			const CrmRule *a = crm_rules_list_at(&rules.list, rules.list.order[r]);
			const CrmRule *b = crm_rules_list_at(&again.list, again.list.order[r]);
			const CrmRulesSet *x = crm_rules_set(&rules.store, a->set);
			const CrmRulesSet *y = crm_rules_set(&again.store, b->set);
			double x_with, x_without, y_with, y_without;
			double x_sum = crm_rules_revenue(&value, x, 300, &x_with, &x_without);
			double y_sum = crm_rules_revenue(&value_again, y, 300, &y_with, &y_without);

			wrong += a->key != b->key || a->consequent != b->consequent || x->length != y->length ||
					 x->count != y->count ||
					 memcmp(x->items, y->items, x->length * sizeof *x->items) != 0 ||
					 x_sum != y_sum || x_with != y_with || x_without != y_without;
		}
		crm_rules_value_free(&value);
		crm_rules_value_free(&value_again);
		crm_rules_free(&rules);
		crm_rules_free(&again);
		wrong += tap.live != 0;
		free(amounts);
		free(shuffled);
		shop_free(&shop);
		shop_free(&other);
	}
	ok(wrong == 0, "the order of baskets and within baskets does not matter");
}

/* Whatever allocation fails, poll stops or limit bites, it is said and nothing leaks. */
static void
test_failures(void)
{
	Shop shop;
	CrmRulesParam param;
	CrmRules rules;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	uint8_t in[12] = {1, 1};
	size_t allocations, peak, polls;
	int wrong = 0;

	shop_draw(&shop, 3000, 12, 40);
	for (int variant = 0; variant < 3; variant++)
	{
		crm_rules_defaults(&param);
		param.min_count = 3;
		param.max_consequent = 3;
		param.prune_redundant = true;
		param.adjust = CRM_RULES_ADJUST_FDR;
		param.antecedent_in = variant == 1 ? in : NULL;
		param.consequent_in = variant == 2 ? in : NULL;
		ctx = tap_context(&tap);
		wrong += crm_rules_mine(ctx, &shop.baskets, &param, &rules) != CRM_OK || rules.list.n == 0;
		crm_rules_free(&rules);
		allocations = tap.allocations;
		polls = tap.polls;
		peak = ctx->peak;
		for (size_t i = 1; i <= allocations; i += 1 + i / 20)
		{
			ctx = tap_context(&tap);
			tap.fail_at = i;
			wrong += crm_rules_mine(ctx, &shop.baskets, &param, &rules) != CRM_NO_MEMORY;
			crm_rules_free(&rules);
			wrong += tap.live != 0 || ctx->used != 0;
		}
		for (size_t i = 1; i <= polls; i += 1 + i / 4)
		{
			ctx = tap_context(&tap);
			tap.abort_at = i;
			wrong += crm_rules_mine(ctx, &shop.baskets, &param, &rules) != CRM_ABORTED;
			crm_rules_free(&rules);
			wrong += tap.live != 0 || ctx->used != 0;
		}
		for (size_t limit = 1000; limit < peak; limit += peak / 12)
		{
			ctx = tap_context(&tap);
			ctx->limit = limit;
			wrong += crm_rules_mine(ctx, &shop.baskets, &param, &rules) != CRM_LIMIT ||
					 ctx->peak > limit || ctx->wanted <= limit;
			crm_rules_free(&rules);
			wrong += tap.live != 0 || ctx->used != 0;
		}
		ok(wrong == 0 && polls > 0, "failures are told, variant %d", variant);
	}
	shop_free(&shop);
}

/* 2^60 itemsets: stopped within the budget, and a support is found that fits. */
static void
test_explosion(void)
{
	Shop shop;
	CrmRulesParam param;
	CrmRules rules;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	uint32_t suggested = 0;
	size_t bytes;
	CrmStatus status;

	/* 10 baskets of the same 60 items among 1000 of few */
	shop_blocks(&shop, 1000, 10, 60);
	crm_rules_defaults(&param);
	param.min_count = 10;
	ctx->limit = 4 << 20;
	status = crm_rules_mine(ctx, &shop.baskets, &param, &rules);
	ok(status == CRM_LIMIT && rules.is_full && ctx->peak <= ctx->limit,
	   "2^60 itemsets do not fit, %u did", rules.n_sets);
	bytes = rules.n_bytes;
	crm_rules_free(&rules);
	is_clean(&tap, "the search that did not fit");
	status = crm_rules_suggest(ctx, &shop.baskets, &param, bytes / 2, &suggested);
	ok(status == CRM_OK && suggested == 11, "min_count %u fits", suggested);
	param.min_count = suggested;
	status = crm_rules_mine(ctx, &shop.baskets, &param, &rules);
	ok(status == CRM_OK && rules.list.n > 0, "and with it there are %zu rules", rules.list.n);
	crm_rules_free(&rules);
	shop_free(&shop);

	/* one basket: no support helps, a shorter length does */
	shop_blocks(&shop, 1, 1, 60);
	param.min_count = 1;
	ok(crm_rules_mine(ctx, &shop.baskets, &param, &rules) == CRM_LIMIT && rules.is_full,
	   "one basket of 60 items does not fit");
	bytes = rules.n_bytes;
	crm_rules_free(&rules);
	ok(crm_rules_suggest(ctx, &shop.baskets, &param, bytes / 2, &suggested) == CRM_OK &&
		   suggested == 0,
	   "and no support makes it fit");
	param.max_length = 2;
	ok(crm_rules_mine(ctx, &shop.baskets, &param, &rules) == CRM_OK && rules.list.n == 60 * 59,
	   "but pairs do");
	crm_rules_free(&rules);
	is_clean(&tap, "all of this");
	shop_free(&shop);
}

static void
test_check(void)
{
	static const uint32_t items[] = {0};
	static const uint64_t start[] = {0, 1};
	static const uint8_t in[] = {1};
	CrmBaskets baskets = {.n = 1, .n_items = 1, .start = start, .items = items};
	char why[80];

#define REFUSES(field, bad, text)                                                                  \
	do                                                                                             \
	{                                                                                              \
		CrmRulesParam param;                                                                       \
		CrmRules rules;                                                                            \
		TapContext tap;                                                                            \
                                                                                                   \
		crm_rules_defaults(&param);                                                                \
		param.field = (bad);                                                                       \
		ok(!crm_rules_check(&baskets, &param, why, sizeof why) &&                                  \
			   crm_rules_mine(tap_context(&tap), &baskets, &param, &rules) == CRM_DOMAIN,          \
		   "a bad " #field " is refused");                                                         \
		is_text(why, text, "and it says why");                                                     \
	} while (0)

	REFUSES(min_count, 0, "min_count must be at least 1");
	REFUSES(min_confidence, 1.5, "min_confidence must be between 0 and 1");
	REFUSES(min_confidence, NAN, "min_confidence must be between 0 and 1");
	REFUSES(min_lift, -1.0, "min_lift must not be negative");
	REFUSES(min_lift, NAN, "min_lift must not be negative");
	REFUSES(max_length, 1, "max_length must be at least 2");
	REFUSES(max_consequent, 0, "max_consequent must be at least 1");
	REFUSES(measure, CRM_RULES_MEASURES, "measure is unknown");
	REFUSES(max_p_value, 1.1, "max_p_value must be between 0 and 1");
	REFUSES(antecedent_in = param.antecedent_out, in,
			"an item is in antecedent_in and in antecedent_out");
	REFUSES(consequent_in = param.consequent_out, in,
			"an item is in consequent_in and in consequent_out");
}

/* The numbers of rules that Borgelt's programs, arules and mlxtend find in public data. */
static void
test_public(void)
{
	static const struct
	{
		const char *file;
		uint32_t min_count, max_consequent;
		size_t rules;
	} known[] = {
		{"retail.dat.gz", 89, 1, 5731},         {"retail.dat.gz", 89, 64, 6192},
		{"retail.dat.gz", 45, 1, 15321},        {"T10I4D100K.dat.gz", 100, 1, 72054},
		{"T10I4D100K.dat.gz", 100, 64, 333757}, {"T10I4D100K.dat.gz", 50, 1, 135727},
		{"groceries.csv", 10, 1, 5668},         {"groceries.csv", 10, 64, 5829},
	};
	const char *file = "";
	Shop shop;
	bool has = false;

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
	{
		CrmRulesParam param;
		CrmRules rules;
		CrmStatus status;
		TapContext tap;

		if (strcmp(file, known[i].file) != 0)
		{
			if (has)
				shop_free(&shop);
			file = known[i].file;
			has = shop_read(&shop, file);
		}
		if (!has)
		{
			ok(true, "rules of %s # SKIP CRM_DATA has no such file", file);
			continue;
		}
		crm_rules_defaults(&param);
		param.min_count = known[i].min_count;
		param.max_consequent = known[i].max_consequent;
		status = crm_rules_mine(tap_context(&tap), &shop.baskets, &param, &rules);
		ok(status == CRM_OK && rules.list.n == known[i].rules,
		   "%s at %u, consequents of up to %u: %zu rules", file, known[i].min_count,
		   known[i].max_consequent, rules.list.n);
		crm_rules_free(&rules);
	}
	if (has)
		shop_free(&shop);
}

int
main(void)
{
	test_random();
	test_orders();
	test_failures();
	test_explosion();
	test_check();
	test_public();
	return tap_done();
}
