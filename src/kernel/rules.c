/*
 * rules.c: association rules from frequent itemsets.
 */
#include "kernel/rules.h"

#include <math.h>
#include <string.h>

#include "kernel/rules_cover.h"
#include "kernel/rules_redundant.h"

/* What an item may be in a rule. */
#define ANTECEDENT_IN  1
#define ANTECEDENT_OUT 2
#define CONSEQUENT_IN  4
#define CONSEQUENT_OUT 8

/* A search in the making. */
typedef struct Search
{
	CrmCtx *ctx;
	const CrmBaskets *baskets;
	const CrmRulesParam *param;
	CrmRules *rules;
	uint8_t *roles;           /* of each item, of the flags above */
	uint8_t *required;        /* for the miner, or NULL */
	uint8_t *excluded;        /* for the miner, or NULL */
	bool requires_antecedent; /* required is antecedent_in, otherwise consequent_in */
	bool collects;            /* rules are not taken, but the sets of their consequents asked for */
	uint32_t last;            /* number of the last set that was mined */
	CrmRulesBest best;
	uint64_t done; /* operations since the last poll */
} Search;

/* The items of a set that have a role, as masks. */
typedef struct Roles
{
	uint64_t all, antecedent_in, antecedent_out, consequent_in, consequent_out;
} Roles;

/* Set the customary options; min_count is the caller's to choose. */
void
crm_rules_defaults(CrmRulesParam *param)
{
	*param = (CrmRulesParam){.min_count = 1,
							 .min_confidence = 0.5,
							 .max_consequent = 1,
							 .measure = CRM_RULES_LIFT,
							 .max_p_value = 1.0};
}

/* Copy a reason to why, which has room for n bytes; false, for the caller to give back. */
static bool
say(char *why, size_t n, const char *reason)
{
	size_t length = strlen(reason);

	if (n > 0)
	{
		length = length < n ? length : n - 1;
		memcpy(why, reason, length);
		why[length] = '\0';
	}
	return false;
}

/* Tell whether an item is flagged in both lists. */
static bool
is_contradiction(const uint8_t *in, const uint8_t *out, uint32_t n)
{
	if (in == NULL || out == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (in[i] != 0 && out[i] != 0)
			return true;
	return false;
}

/* Tell whether the parameters are in their domain; why, of n bytes, says what is not. */
bool
crm_rules_check(const CrmBaskets *baskets, const CrmRulesParam *param, char *why, size_t n)
{
	if (param->min_count < 1)
		return say(why, n, "min_count must be at least 1");
	if (!(param->min_confidence >= 0.0 && param->min_confidence <= 1.0))
		return say(why, n, "min_confidence must be between 0 and 1");
	if (!(param->min_lift >= 0.0))
		return say(why, n, "min_lift must not be negative");
	if (param->max_length == 1)
		return say(why, n, "max_length must be at least 2");
	if (param->max_consequent < 1)
		return say(why, n, "max_consequent must be at least 1");
	if ((unsigned) param->measure >= CRM_RULES_MEASURES)
		return say(why, n, "measure is unknown");
	if (!(param->max_p_value >= 0.0 && param->max_p_value <= 1.0))
		return say(why, n, "max_p_value must be between 0 and 1");
	if (is_contradiction(param->antecedent_in, param->antecedent_out, baskets->n_items))
		return say(why, n, "an item is in antecedent_in and in antecedent_out");
	if (is_contradiction(param->consequent_in, param->consequent_out, baskets->n_items))
		return say(why, n, "an item is in consequent_in and in consequent_out");
	return true;
}

/* Count so many operations; true when the host wants to stop. */
static bool
is_stopped(Search *search, uint64_t operations)
{
	search->done += operations;
	if (search->done < 500000)
		return false;
	search->done = 0;
	return crm_poll(search->ctx);
}

/* Give the number of flagged items. */
static uint32_t
count_flags(const uint8_t *flags, uint32_t n)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++)
		count += flags[i] != 0;
	return count;
}

/*
 * Make the roles of the items, and what the miner is told of them. Sets *none when no item can take
 * a part that must be taken.
 */
static CrmStatus
make_roles(Search *search, bool *none)
{
	const CrmRulesParam *param = search->param;
	uint32_t n = search->baskets->n_items;
	uint32_t antecedents = n, consequents = n;

	search->roles = crm_allocate(search->ctx, n, 1);
	search->excluded = crm_allocate(search->ctx, n, 1);
	if (search->roles == NULL || search->excluded == NULL)
		return search->ctx->failure;
	for (uint32_t i = 0; i < n; i++)
	{
		uint8_t role = 0;

		if (param->antecedent_in == NULL || param->antecedent_in[i] != 0)
			role |= ANTECEDENT_IN;
		if (param->antecedent_out != NULL && param->antecedent_out[i] != 0)
			role |= ANTECEDENT_OUT;
		if (param->consequent_in == NULL || param->consequent_in[i] != 0)
			role |= CONSEQUENT_IN;
		/* the only item of a consequent must be one of those that must be there */
		if ((param->consequent_out != NULL && param->consequent_out[i] != 0) ||
			(param->max_consequent == 1 && (role & CONSEQUENT_IN) == 0))
			role |= CONSEQUENT_OUT;
		search->roles[i] = role;
		search->excluded[i] = (role & ANTECEDENT_OUT) != 0 && (role & CONSEQUENT_OUT) != 0;
	}
	if (param->antecedent_in != NULL)
		antecedents = count_flags(param->antecedent_in, n);
	if (param->consequent_in != NULL)
		consequents = count_flags(param->consequent_in, n);
	*none = antecedents == 0 || consequents == 0;
	if (param->antecedent_in == NULL && param->consequent_in == NULL)
		return CRM_OK;
	search->requires_antecedent = param->antecedent_in != NULL &&
								  (param->consequent_in == NULL || antecedents <= consequents);
	search->required = crm_allocate(search->ctx, n, 1);
	if (search->required == NULL)
		return search->ctx->failure;
	memcpy(search->required,
		   search->requires_antecedent ? param->antecedent_in : param->consequent_in, n);
	return CRM_OK;
}

/* Keep a mined set. */
static CrmStatus
keep_set(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	Search *search = arg;
	CrmRules *rules = search->rules;
	CrmStatus status = crm_rules_store_add(&rules->store, items, length, count, &search->last);

	rules->is_full = status == CRM_LIMIT;
	return status;
}

/* Give the miner's options for these. */
static CrmItemsetParam
itemset_param(const CrmRulesParam *param, uint32_t min_count, const uint8_t *required,
			  const uint8_t *excluded)
{
	return (CrmItemsetParam){.target = CRM_ITEMSET_FREQUENT,
							 .algorithm = param->algorithm,
							 .min_count = min_count,
							 .min_length = 1,
							 .max_length = param->max_length,
							 .required = required,
							 .excluded = excluded};
}

/* Give the items of a set that have each role. */
static Roles
find_roles(const Search *search, const CrmRulesSet *set)
{
	Roles roles = {.all = crm_rules_all(set->length)};

	for (uint32_t i = 0; i < set->length; i++)
	{
		uint64_t bit = UINT64_C(1) << i;
		uint8_t role = search->roles[set->items[i]];

		roles.antecedent_in |= (role & ANTECEDENT_IN) != 0 ? bit : 0;
		roles.antecedent_out |= (role & ANTECEDENT_OUT) != 0 ? bit : 0;
		roles.consequent_in |= (role & CONSEQUENT_IN) != 0 ? bit : 0;
		roles.consequent_out |= (role & CONSEQUENT_OUT) != 0 ? bit : 0;
	}
	return roles;
}

/* Take a rule that has its confidence, if it reaches the other bounds. */
static CrmStatus
take_rule(Search *search, uint32_t number, uint64_t consequent, uint32_t antecedent_count,
		  double confidence)
{
	const CrmRulesParam *param = search->param;
	CrmRules *rules = search->rules;
	const CrmRulesSet *set = crm_rules_set(&rules->store, number);
	CrmRule rule = {.consequent = consequent,
					.p = (double) NAN,
					.set = number,
					.antecedent_count = antecedent_count};
	CrmRulesCounts counts;
	double value;
	uint32_t found;

	if (search->collects)
		return crm_rules_store_need(&rules->store, set, consequent, &found);
	found = crm_rules_store_find(&rules->store, set, consequent);
	if (found == CRM_RULES_NO_SET)
		return CRM_DOMAIN; /* the miner left out a part of a set that it gave */
	rule.consequent_count = crm_rules_set(&rules->store, found)->count;
	counts = crm_rules_counts(rules, &rule);
	if (param->min_lift > 0.0 && !(crm_rules_measure(CRM_RULES_LIFT, &counts) >= param->min_lift))
		return CRM_OK;
	if (param->prune_redundant &&
		crm_rules_best_below(&search->best, set, consequent) >= confidence)
		return CRM_OK;
	rules->n_family++;
	value = crm_rules_measure(param->measure, &counts);
	if (param->measure == CRM_RULES_P_VALUE)
		rule.p = value;
	else if (param->max_p_value < 1.0 || param->adjust != CRM_RULES_ADJUST_NONE)
	{
		rule.p = crm_rules_p_value(&counts);
		if (is_stopped(search, 1000))
			return CRM_ABORTED;
	}
	if (param->adjust == CRM_RULES_ADJUST_NONE && rule.p > param->max_p_value)
		return CRM_OK;
	rule.key = crm_rules_key(param->measure, value);
	return crm_rules_list_put(&rules->list, &rule);
}

/* Take the rules of a set whose consequents are this one and some of the items from bit on. */
static CrmStatus
extend(Search *search, uint32_t number, const Roles *roles, uint64_t consequent, uint32_t size,
	   uint32_t bit)
{
	const CrmRulesSet *set = crm_rules_set(&search->rules->store, number);
	CrmStatus status = CRM_OK;

	if (is_stopped(search, 8 * (set->length - bit)))
		return CRM_ABORTED;
	for (; bit < set->length && status == CRM_OK; bit++)
	{
		uint64_t with = consequent | UINT64_C(1) << bit, rest = roles->all & ~with;
		uint32_t found, count;
		double confidence;

		/* a larger consequent has no better antecedent, nor fewer forbidden items */
		if ((with & roles->consequent_out) != 0 || (rest & roles->antecedent_in) == 0)
			continue;
		/* items that must not be in the antecedent must all find room */
		if (size + 1 + crm_rules_size(rest & roles->antecedent_out) > search->param->max_consequent)
			continue;
		found = crm_rules_store_find(&search->rules->store, set, rest);
		if (found == CRM_RULES_NO_SET)
			continue;
		count = crm_rules_set(&search->rules->store, found)->count;
		confidence = (double) set->count / (double) count;
		if (!(confidence >= search->param->min_confidence))
			continue;
		if ((rest & roles->antecedent_out) == 0 && (with & roles->consequent_in) != 0)
			status = take_rule(search, number, with, count, confidence);
		if (status == CRM_OK && size + 1 < search->param->max_consequent)
			status = extend(search, number, roles, with, size + 1, bit + 1);
	}
	return status;
}

/* Give the number of the next mined set: others lie behind the last one. */
static uint32_t
next_mined(const Search *search, uint32_t number)
{
	return number == search->last ? CRM_RULES_NO_SET
								  : crm_rules_store_next(&search->rules->store, number);
}

/* Take the rules of all mined sets. */
static CrmStatus
generate(Search *search)
{
	const CrmRulesStore *store = &search->rules->store;
	CrmStatus status = CRM_OK;

	for (uint32_t number = crm_rules_store_first(store);
		 number != CRM_RULES_NO_SET && status == CRM_OK; number = next_mined(search, number))
	{
		const CrmRulesSet *set = crm_rules_set(store, number);
		Roles roles;

		if (is_stopped(search, 4))
			return CRM_ABORTED;
		if (set->length < 2)
			continue;
		roles = find_roles(search, set);
		status = extend(search, number, &roles, 0, 0, 0);
	}
	return status;
}

/* Ask for the antecedents that the miner did not meet, having no item that it required. */
static CrmStatus
need_antecedents(Search *search)
{
	CrmRulesStore *store = &search->rules->store;
	CrmStatus status = CRM_OK;

	for (uint32_t number = crm_rules_store_first(store);
		 number != CRM_RULES_NO_SET && status == CRM_OK; number = next_mined(search, number))
	{
		const CrmRulesSet *set = crm_rules_set(store, number);
		uint64_t required = 0;
		Roles roles;
		uint32_t found;

		for (uint32_t i = 0; i < set->length; i++)
			required |= search->required[set->items[i]] != 0 ? UINT64_C(1) << i : 0;
		/* with two of them, a smaller set has the same rest */
		if (set->length < 2 || (required & (required - 1)) != 0)
			continue;
		roles = find_roles(search, set);
		if ((roles.all & ~required & roles.antecedent_in) != 0)
			status = crm_rules_store_need(store, set, roles.all & ~required, &found);
		if (is_stopped(search, 16))
			status = CRM_ABORTED;
	}
	return status;
}

/* Note the count of a set that was asked for. */
static void
note_count(void *arg, uint32_t set, const uint32_t *baskets, uint32_t n)
{
	(void) baskets;
	crm_rules_set(arg, set)->count = n;
}

/* Count the sets that a rule asks for and that the miner, told what is required, did not meet. */
static CrmStatus
complete(Search *search)
{
	CrmCtx *ctx = search->ctx;
	CrmRulesStore *store = &search->rules->store;
	uint32_t mined = store->n, room, n = 0, *wanted;
	CrmStatus status;

	search->collects = true;
	status = search->requires_antecedent ? generate(search) : need_antecedents(search);
	search->collects = false;
	room = store->n - mined;
	if (status != CRM_OK || room == 0)
		return status;
	wanted = crm_allocate(ctx, room, sizeof *wanted);
	if (wanted == NULL)
		return ctx->failure;
	for (uint32_t set = crm_rules_store_next(store, search->last); set != CRM_RULES_NO_SET;
		 set = crm_rules_store_next(store, set))
		wanted[n++] = set;
	status = crm_rules_cover(ctx, search->baskets, store, wanted, n, note_count, store);
	crm_release(ctx, wanted, room, sizeof *wanted);
	return status;
}

/* Mine the itemsets and make them ready for rules. */
static CrmStatus
mine(Search *search)
{
	CrmRules *rules = search->rules;
	CrmItemsetParam param =
		itemset_param(search->param, search->param->min_count, search->required, search->excluded);
	CrmStatus status = crm_itemset_mine(search->ctx, search->baskets, &param, keep_set, search);

	rules->n_sets = rules->store.n;
	rules->n_bytes = crm_rules_store_bytes(&rules->store);
	if (status != CRM_OK || rules->store.n == 0)
		return status;
	status = crm_rules_store_index(&rules->store);
	rules->is_full = status == CRM_LIMIT;
	if (status == CRM_OK && search->required != NULL)
		status = complete(search);
	return status;
}

/* Take the rules of the sets, adjust, filter and order them. */
static CrmStatus
list_rules(Search *search)
{
	const CrmRulesParam *param = search->param;
	CrmRules *rules = search->rules;
	bool adjusts = param->adjust != CRM_RULES_ADJUST_NONE;
	CrmStatus status = CRM_OK;

	crm_rules_list_init(&rules->list, search->ctx, &rules->store, adjusts ? 0 : param->top_k);
	if (param->prune_redundant)
		status = crm_rules_best_make(&search->best, search->ctx, &rules->store,
									 crm_rules_store_next(&rules->store, search->last),
									 param->max_consequent, param->antecedent_in);
	if (status == CRM_OK)
		status = generate(search);
	crm_rules_best_free(&search->best);
	if (status == CRM_OK && adjusts)
	{
		status = crm_rules_list_adjust(&rules->list, param->adjust);
		if (status == CRM_OK)
			status = crm_rules_list_filter(&rules->list, param->max_p_value);
	}
	return status == CRM_OK ? crm_rules_list_sort(&rules->list, param->top_k) : status;
}

/*
 * Find the rules of the baskets, which stay the caller's. Call crm_rules_free whatever comes back.
 * Errors: CRM_DOMAIN for parameters that crm_rules_check refuses; CRM_LIMIT (is_full and n_sets
 * tell more), CRM_NO_MEMORY, CRM_ABORTED, and what the miner answers.
 */
CrmStatus
crm_rules_mine(CrmCtx *ctx, const CrmBaskets *baskets, const CrmRulesParam *param, CrmRules *rules)
{
	Search search = {.ctx = ctx, .baskets = baskets, .param = param, .rules = rules};
	CrmStatus status;
	bool none = false;

	*rules = (CrmRules){.n = baskets->n};
	search.best.ctx = ctx;
	crm_rules_store_init(&rules->store, ctx);
	crm_rules_list_init(&rules->list, ctx, &rules->store, 0);
	if (!crm_rules_check(baskets, param, NULL, 0))
		return CRM_DOMAIN;
	status = make_roles(&search, &none);
	if (status == CRM_OK && !none)
		status = mine(&search);
	if (status == CRM_OK && rules->store.n > 0)
		status = list_rules(&search);
	crm_release(ctx, search.roles, baskets->n_items, 1);
	crm_release(ctx, search.required, baskets->n_items, 1);
	crm_release(ctx, search.excluded, baskets->n_items, 1);
	return status;
}

/* Give back all memory. */
void
crm_rules_free(CrmRules *rules)
{
	crm_rules_list_free(&rules->list);
	crm_rules_store_free(&rules->store);
}

/* Give the four counts of a rule. */
CrmRulesCounts
crm_rules_counts(const CrmRules *rules, const CrmRule *rule)
{
	return (CrmRulesCounts){.n = rules->n,
							.antecedent = rule->antecedent_count,
							.consequent = rule->consequent_count,
							.both = crm_rules_set(&rules->store, rule->set)->count};
}

/* Counts what itemsets would take until that is too much. */
typedef struct Count
{
	size_t bytes, most;
} Count;

static CrmStatus
count_set(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	Count *counted = arg;

	(void) items;
	(void) count;
	counted->bytes += crm_rules_set_bytes(length);
	return length > CRM_RULES_MAX_LENGTH || counted->bytes > counted->most ? CRM_LIMIT : CRM_OK;
}

/* Tell whether the sets with that min_count take at most so many bytes. */
static CrmStatus
try_count(Search *search, uint32_t min_count, size_t most, bool *fits)
{
	Count counted = {.most = most};
	CrmItemsetParam param =
		itemset_param(search->param, min_count, search->required, search->excluded);
	CrmStatus status = crm_itemset_mine(search->ctx, search->baskets, &param, count_set, &counted);

	*fits = status == CRM_OK;
	return status == CRM_LIMIT ? CRM_OK : status;
}

/*
 * Find a min_count, above that of param, whose itemsets take at most so many bytes, by trying;
 * at most 3 % above the least one, or one basket. 0: there is none, since a set of many items is in
 * all baskets. No set is kept, and a trial ends when they are too many. Errors: CRM_NO_MEMORY,
 * CRM_ABORTED.
 */
CrmStatus
crm_rules_suggest(CrmCtx *ctx, const CrmBaskets *baskets, const CrmRulesParam *param, size_t bytes,
				  uint32_t *min_count)
{
	Search search = {.ctx = ctx, .baskets = baskets, .param = param};
	uint32_t low = param->min_count, high = low;
	bool none = false, fits = false;
	CrmStatus status = make_roles(&search, &none);

	while (status == CRM_OK && !fits && high < baskets->n)
	{
		low = high;
		high = high < baskets->n / 2 ? 2 * high : baskets->n;
		status = try_count(&search, high, bytes, &fits);
	}
	*min_count = fits ? high : 0;
	while (status == CRM_OK && fits && high - low > 1 && high - low > high / 32)
	{
		uint32_t middle = low + (high - low) / 2;
		bool middle_fits;

		status = try_count(&search, middle, bytes, &middle_fits);
		if (middle_fits)
			*min_count = high = middle;
		else
			low = middle;
	}
	crm_release(ctx, search.roles, baskets->n_items, 1);
	crm_release(ctx, search.required, baskets->n_items, 1);
	crm_release(ctx, search.excluded, baskets->n_items, 1);
	return status;
}
