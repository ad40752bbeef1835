/*
 * sequence.c: unit tests of the miner of sequential patterns: against the definition on thousands
 * of small random databases, and the printed results of the textbooks.
 */
#include "sequences.h"

/* What the definition finds: visits all patterns that at least one customer supports. */
typedef struct Search
{
	const Database *database;
	const CrmSequenceParam *param;
	const CrmSequenceData *data;
	const CrmSequenceModel *model;
	bool is_right, is_cut;
	size_t found;
	uint32_t at; /* the model's pattern of the steps so far, or none */
} Search;

static uint32_t
child_of(const Search *search, uint32_t parent, uint32_t label, uint32_t joined)
{
	const CrmSequencePattern *patterns = search->model->patterns;

	if (parent == CRM_SEQUENCE_NONE)
		return parent;
	for (uint32_t i = 0; i < patterns[parent].n_children; i++)
	{
		uint32_t child = patterns[parent].first_child + i;

		if (search->data->label[patterns[child].code >> 1] == label &&
			(patterns[child].code & 1) == joined)
			return child;
	}
	return CRM_SEQUENCE_NONE;
}

static void
visit(Search *search, Steps *steps, int length, uint32_t at)
{
	const CrmSequenceParam *param = search->param;
	uint64_t time = 0;
	uint32_t count = count_by_definition(search->database, param, steps, &time);
	bool is_frequent = count >= param->min_count;
	uint32_t last = steps->set[steps->n - 1];

	if (count == 0)
		return;
	if (param->max_length > 0 && length > (int) param->max_length)
	{
		search->is_cut |= is_frequent;
		search->is_right &= at == CRM_SEQUENCE_NONE;
		return;
	}
	search->found += is_frequent;
	search->is_right &= is_frequent == (at != CRM_SEQUENCE_NONE);
	if (at != CRM_SEQUENCE_NONE)
	{
		const CrmSequencePattern *pattern = &search->model->patterns[at];

		search->is_right &= pattern->count == count && pattern->time == time &&
							pattern->length == (uint32_t) length;
	}
	for (uint32_t label = 0; label < search->database->n_labels; label++)
	{
		uint32_t bit = UINT32_C(1) << label;

		steps->set[steps->n++] = bit;
		visit(search, steps, length + 1, child_of(search, at, label, 0));
		steps->n--;
		if (param->itemsets && bit > last)
		{
			steps->set[steps->n - 1] = last | bit;
			visit(search, steps, length + 1, child_of(search, at, label, 1));
			steps->set[steps->n - 1] = last;
		}
	}
}

/* Mine a database and hold the model against the definition. */
static bool
is_right(const Database *database, const CrmSequenceParam *param, size_t *patterns)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmEvent copy[MOST_EVENTS];
	CrmSequenceData data;
	CrmSequenceModel model;
	Search search = {
		.database = database, .param = param, .data = &data, .model = &model, .is_right = true};

	if (database_arrange(ctx, database, param, &data, copy) != CRM_OK ||
		crm_sequence_mine(ctx, &data, param, &model) != CRM_OK)
		return false;
	for (uint32_t label = 0; label < database->n_labels; label++)
	{
		Steps steps = {.n = 1, .set = {UINT32_C(1) << label}};

		visit(&search, &steps, 1, child_of(&search, CRM_SEQUENCE_ROOT, label, 0));
	}
	for (uint32_t i = 2; i < model.n; i++) /* sisters come by their codes */
		search.is_right &= model.patterns[i].parent != model.patterns[i - 1].parent ||
						   model.patterns[i].code > model.patterns[i - 1].code;
	search.is_right &= search.found == model.n - 1 && search.is_cut == model.is_cut &&
					   model.patterns[0].count == database->n_customers;
	*patterns += model.n - 1;
	model_release(ctx, &model);
	crm_sequence_release(ctx, &data);
	return search.is_right && host.tap.live == 0 && ctx->used == 0;
}

static void
test_definition(void)
{
	Database database;
	size_t patterns = 0, wrong = 0, by_kind[4] = {0};

	for (int trial = 0; trial < 6000; trial++)
	{
		uint32_t customers = 1 + (uint32_t) draw_below(6);
		CrmSequenceParam param = draw_constraints(customers);
		size_t before = patterns;

		param.max_length = (uint32_t) draw_below(4);
		database_draw(&database, customers,
					  param.max_length == 0 ? draw_below(5 * customers) : draw_below(40),
					  1 + (uint32_t) draw_below(4), 1 + (int64_t) draw_below(12));
		wrong += !is_right(&database, &param, &patterns);
		by_kind[2 * param.contiguous + param.itemsets] += patterns - before;
	}
	ok(wrong == 0, "6000 databases have the patterns of the definition, counts and times");
	ok(patterns > 30000 && by_kind[0] > 1000 && by_kind[1] > 1000 && by_kind[2] > 500 &&
		   by_kind[3] > 500,
	   "of all kinds, and not few: %zu", patterns);
}

/* Long histories of a few labels: where minimal entries, jumps and many repeats matter. */
static void
test_long(void)
{
	Database database;
	size_t patterns = 0, wrong = 0;

	for (int trial = 0; trial < 300; trial++)
	{
		CrmSequenceParam param = draw_constraints(3);

		param.max_length = 1 + (uint32_t) draw_below(3);
		database_draw(&database, 3, 100, 1 + (uint32_t) draw_below(3), 40);
		wrong += !is_right(&database, &param, &patterns);
	}
	ok(wrong == 0, "300 databases of long histories too: %zu patterns", patterns);
}

/* Many labels, so that a pattern has many children. */
static void
test_wide(void)
{
	Database database;
	size_t patterns = 0, wrong = 0;

	for (int trial = 0; trial < 30; trial++)
	{
		CrmSequenceParam param = no_constraints(1 + (uint32_t) trial % 2);

		param.itemsets = trial % 3 > 0;
		param.max_length = 2;
		database_draw(&database, 4, 120, 20 + (uint32_t) draw_below(7), 9);
		wrong += !is_right(&database, &param, &patterns);
	}
	ok(wrong == 0, "30 databases of many labels too: %zu patterns", patterns);
}

/* Times at the ends of the range: spans of more than 63 bits. */
static void
test_far_times(void)
{
	Database database = {.n = 0};
	CrmSequenceParam param = no_constraints(1);
	size_t patterns = 0;

	database_add_word(&database, 0, INT64_MIN + 1, "a");
	database_add_word(&database, 0, 0, "b");
	database_add_word(&database, 0, INT64_MAX, "c");
	database_add_word(&database, 1, INT64_MIN + 1, "a");
	database_add_word(&database, 1, INT64_MAX, "c");
	database_index(&database);
	ok(is_right(&database, &param, &patterns) && patterns == 7, "the longest spans fit");
	param.max_gap = (uint64_t) INT64_MAX + 1;
	ok(is_right(&database, &param, &patterns) && patterns == 13, "and bound a gap");
}

/* Mine by the words of a textbook; give the patterns as ad(bf)a:2 in the model's order. */
static size_t
mine_words(const Database *database, const CrmSequenceParam *param, char words[][80])
{
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmEvent copy[MOST_EVENTS];
	CrmSequenceData data;
	CrmSequenceModel model;
	uint32_t order[100];
	size_t n;

	(void) database_arrange(ctx, database, param, &data, copy);
	(void) crm_sequence_mine(ctx, &data, param, &model);
	n = model.n - 1;
	if (n < 100 && crm_sequence_order(ctx, &model, order) == CRM_OK)
		for (size_t i = 0; i < n; i++)
		{
			Steps steps = model_steps(&model, &data, order[i]);
			char text[64];

			snprintf(words[i], 80, "%s:%u", steps_text(&steps, text),
					 model.patterns[order[i]].count);
		}
	model_release(ctx, &model);
	crm_sequence_release(ctx, &data);
	is_clean(&host.tap, "the textbook");
	return n;
}

/* Pass when the words are those wanted, in any order. */
static void
is_words(char words[][80], size_t n, const char *const *want, size_t n_want, const char *name)
{
	size_t same = 0;

	for (size_t i = 0; i < n && i < 100; i++)
		for (size_t j = 0; j < n_want; j++)
			same += strcmp(words[i], want[j]) == 0;
	if (!ok(n == n_want && same == n, "%s: %zu patterns", name, n))
		for (size_t i = 0; i < n && i < 100; i++)
			printf("#     %s\n", words[i]);
}

/* Zaki 2001, figure 2: all sequences of support 2 and more. */
static void
test_zaki(void)
{
	static const char *const want[] = {
		"a:4",  "b:4",  "d:2",  "f:4",     "(ab):3",  "(af):3",  "ba:2",  "(bf):4", "da:2",
		"db:2", "df:2", "fa:2", "(abf):3", "(bf)a:2", "d(bf):2", "dba:2", "dfa:2",  "d(bf)a:2"};
	static const char *const single[] = {"a:4",  "b:4",  "d:2",  "f:4",   "ba:2", "da:2",
										 "db:2", "df:2", "fa:2", "dba:2", "dfa:2"};
	Database database;
	CrmSequenceParam param = no_constraints(2);
	char words[100][80];
	size_t n;

	database_zaki(&database);
	param.itemsets = true;
	n = mine_words(&database, &param, words);
	is_words(words, n, want, sizeof want / sizeof *want, "the example of Zaki 2001");
	is_text(words[0], "a:4", "the most frequent pattern is first, of equal ones the shortest");
	is_text(words[3], "(bf):4", "then the longer");
	is_text(words[4], "(ab):3", "then the less frequent");
	is_text(words[n - 1], "d(bf)a:2", "and the longest of the rarest is last");
	param.itemsets = false;
	n = mine_words(&database, &param, words);
	is_words(words, n, single, sizeof single / sizeof *single, "and without sets");
}

/* Pei et al. 2004, tables 1 and 2: all sequential patterns of support 2 and more. */
static void
test_prefixspan(void)
{
	static const char *const table[] = {
		"a",     "aa",    "ab",     "a(bc)", "a(bc)a", "aba",   "abc", "(ab)", "(ab)c",
		"(ab)d", "(ab)f", "(ab)dc", "ac",    "aca",    "acb",   "acc", "ad",   "adc",
		"af",    "b",     "ba",     "bc",    "(bc)",   "(bc)a", "bd",  "bdc",  "bf",
		"c",     "ca",    "cb",     "cc",    "d",      "db",    "dc",  "dcb",  "e",
		"ea",    "eab",   "eac",    "eacb",  "eb",     "ebc",   "ec",  "ecb",  "ef",
		"efb",   "efc",   "efcb",   "f",     "fb",     "fbc",   "fc",  "fcb"};
	static const char *const sequence[4][6] = {{"a", "abc", "ac", "d", "cf"},
											   {"ad", "c", "bc", "ae"},
											   {"ef", "ab", "df", "c", "b"},
											   {"e", "g", "af", "c", "b", "c"}};
	Database database = {.n = 0};
	CrmSequenceParam param = no_constraints(2);
	char words[100][80];
	const char *want[53];
	size_t n;

	for (uint32_t customer = 0; customer < 4; customer++)
		for (int i = 0; i < 6 && sequence[customer][i] != NULL; i++)
			database_add_word(&database, customer, i, sequence[customer][i]);
	database_index(&database);
	param.itemsets = true;
	n = mine_words(&database, &param, words);
	for (size_t i = 0; i < n && i < 100; i++)
		*strchr(words[i], ':') = '\0'; /* the table has no counts */
	memcpy(want, table, sizeof want);
	is_words(words, n, want, 53, "the example of Pei et al. 2004");
}

static void
test_check(void)
{
	CrmSequenceParam param = no_constraints(1);

	ok(crm_sequence_check(&param) == NULL, "options without constraints");
	param.min_count = 0;
	ok(crm_sequence_check(&param) != NULL, "min_count 0");
	param = no_constraints(1);
	param.max_gap = 0;
	ok(crm_sequence_check(&param) != NULL, "max_gap 0");
	param.max_gap = 4;
	param.min_gap = 5;
	ok(crm_sequence_check(&param) != NULL, "min_gap above max_gap");
	param.min_gap = 4;
	ok(crm_sequence_check(&param) == NULL, "min_gap equal to max_gap");
	param.window = 0;
	ok(crm_sequence_check(&param) != NULL, "window 0");
}

static void
test_edges(void)
{
	Database database = {.n = 0};
	CrmSequenceParam param = no_constraints(1);
	size_t patterns = 0;

	database_index(&database);
	ok(is_right(&database, &param, &patterns) && patterns == 0, "no customers, no patterns");
	database_add(&database, 0, 5, 0);
	database_index(&database);
	ok(is_right(&database, &param, &patterns) && patterns == 1, "one event is one pattern");
	for (int i = 0; i < 30; i++)
		database_add(&database, 0, 5, 0);
	database_index(&database);
	ok(is_right(&database, &param, &patterns) && patterns == 2, "repeated or not");
	param.min_count = 2;
	ok(is_right(&database, &param, &patterns) && patterns == 2, "too rare for two customers");
}

/* A deep pattern: one customer who does the same 3000 times; no recursion, no quadratic memory. */
static void
test_deep(void)
{
	enum
	{
		DEPTH = 3000
	};
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmEvent *events = malloc(DEPTH * sizeof *events);
	CrmSequenceParam param = no_constraints(1);
	CrmSequenceData data = {.events = events, .n = DEPTH, .n_customers = 1};
	CrmSequenceModel model;
	bool passed = true;

	for (int i = 0; i < DEPTH; i++)
		events[i] = (CrmEvent){i, 0, 0};
	(void) crm_sequence_arrange(ctx, &data, 1, &param);
	passed &= crm_sequence_mine(ctx, &data, &param, &model) == CRM_OK;
	is_int((int64_t) model.n, DEPTH + 1, "3000 repeats are patterns of 1 to 3000");
	for (size_t i = 1; i < model.n; i++)
		passed &= model.patterns[i].time == i - 1 && model.patterns[i].count == 1;
	ok(passed, "the fastest of each are successive ones");
	model_release(ctx, &model);
	crm_sequence_release(ctx, &data);
	free(events);
	is_clean(&host.tap, "a deep search");
}

static void
test_failures(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);
	size_t n = 60000, before, peak = 0, at;
	CrmEvent *events = malloc(n * sizeof *events);
	CrmSequenceParam param = no_constraints(30);
	CrmSequenceData data = {.events = events, .n = n, .n_customers = 6000};
	CrmSequenceModel model;
	CrmStatus status = CRM_NO_MEMORY;
	bool passed = true;

	for (size_t i = 0; i < n; i++)
		events[i] = (CrmEvent){(int64_t) draw_below(90), (uint32_t) draw_below(6000),
							   (uint32_t) draw_below(20)};
	param.itemsets = true;
	param.max_length = 3;
	(void) crm_sequence_arrange(ctx, &data, 20, &param);
	before = ctx->used;
	for (at = 1; status == CRM_NO_MEMORY && at < 100000; at += 1 + at / 8)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = at;
		status = crm_sequence_mine(ctx, &data, &param, &model);
		passed &= status == CRM_OK || (ctx->used == before && model.patterns == NULL);
	}
	ok(passed && status == CRM_OK && at > 100, "an allocation that fails leaks nothing");
	ok(model.n > 100, "of a search with %zu patterns", model.n);
	model_release(ctx, &model);
	host.tap.fail_at = 0;
	peak = ctx->peak;
	ctx->limit = peak - 1;
	is_int(crm_sequence_mine(ctx, &data, &param, &model), CRM_LIMIT, "one byte less is too few");
	ok(ctx->used == before && ctx->wanted >= peak, "which tells what is wanted");
	ctx->limit = peak;
	is_int(crm_sequence_mine(ctx, &data, &param, &model), CRM_OK, "but the peak is enough");
	model_release(ctx, &model);
	status = CRM_ABORTED;
	for (at = 1; status == CRM_ABORTED && at < 1000; at++)
	{
		host.tap.polls = 0;
		host.tap.abort_at = at;
		status = crm_sequence_mine(ctx, &data, &param, &model);
		passed &= status == CRM_OK || ctx->used == before;
	}
	ok(passed && status == CRM_OK && at > 5, "a cancel at any poll is CRM_ABORTED: %zu", at);
	model_release(ctx, &model);
	crm_sequence_release(ctx, &data);
	free(events);
	is_clean(&host.tap, "mining");
}

int
main(void)
{
	test_definition();
	test_long();
	test_wide();
	test_far_times();
	test_zaki();
	test_prefixspan();
	test_check();
	test_edges();
	test_deep();
	test_failures();
	return tap_done();
}
