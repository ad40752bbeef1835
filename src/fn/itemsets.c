/*
 * itemsets.c: crm.frequent_itemsets, crm.advise_support and the aggregate crm.itemsets.
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "kernel/itemset.h"
#include "kernel/itemset_list.h"
#include "pg/args.h"
#include "pg/baskets.h"
#include "pg/memory.h"
#include "pg/results.h"

enum
{
	ARG_SOURCE,
	ARG_MIN_SUPPORT,
	ARG_TARGET,
	ARG_MIN_LENGTH,
	ARG_MAX_LENGTH,
	ARG_TOP_K,
	ARG_ITEMS_IN,
	ARG_ITEMS_OUT,
	ARG_MAX_BASKET_SIZE,
	ARG_OVERSIZE,
	ARG_ALGORITHM
};

static const char *const target_words[] = {"frequent", "closed", "maximal"};
static const char *const algorithm_words[] = {"auto", "eclat", "fpgrowth"};
static const CrmWords targets = {"target", "targets", target_words, lengthof(target_words)};
static const CrmWords algorithms = {"algorithm", "algorithms", algorithm_words,
									lengthof(algorithm_words)};

/* Baskets and the itemsets found in them. */
typedef struct Mining
{
	CrmBasketsState *baskets;
	CrmItemsetParam param;
	MemoryContext memory; /* of miner and list */
	CrmCtx ctx;
	CrmItemsetList list;
} Mining;

/* ---- mining ------------------------------------------------------------------------------ */

/* Make the memory of miner and list, within what the baskets leave. */
static void
begin_memory(Mining *mining)
{
	const CrmCtx *baskets = &mining->baskets->ctx;

	mining->memory = crm_memory_begin(&mining->ctx, mining->baskets->memory, "crm itemsets");
	mining->ctx.limit = Max(baskets->limit - Min(baskets->limit, baskets->used), 1);
	crm_itemset_list_init(&mining->list, &mining->ctx);
}

/* Raise the error for itemsets that do not fit, with a support at which they would. */
static _Noreturn void
too_many(Mining *mining)
{
	const CrmBasketsState *state = mining->baskets;
	size_t wanted = mining->ctx.wanted + state->ctx.used;
	char *detail = psprintf("%u itemsets so far, in at least %u of %u baskets.", mining->list.n,
							mining->param.min_count, state->baskets.n);
	const char *reduce = "give max_length, items_in or items_out";
	uint32 fits;

	MemoryContextDelete(mining->memory);
	begin_memory(mining);
	/* room for pages that are not full */
	if (crm_itemset_list_suggest(&mining->ctx, &state->baskets, &mining->param,
								 mining->ctx.limit - mining->ctx.limit / 8, &fits) == CRM_OK &&
		fits > 0)
		reduce = psprintf("raise min_support: at %u baskets (%g) the itemsets fit", fits,
						  (double) fits / state->baskets.n);
	crm_memory_error(wanted, &state->ctx, "itemset mining", detail, reduce);
}

/* Find the itemsets and put them in order. */
static void
mine(Mining *mining)
{
	char why[256];
	CrmStatus status;

	begin_memory(mining);
	mining->param.min_count = mining->baskets->min_count;
	if (crm_itemset_check(&mining->baskets->baskets, &mining->param, why, sizeof(why)) != NULL)
		elog(ERROR, "crm internal: %s", why);
	status = crm_itemset_mine(&mining->ctx, &mining->baskets->baskets, &mining->param,
							  crm_itemset_list_add, &mining->list);
	if (status == CRM_OK)
		status = crm_itemset_list_sort(&mining->list);
	if (status == CRM_LIMIT)
		too_many(mining);
	crm_memory_check(status, &mining->ctx, "itemset mining", NULL);
}

/* Close the account of a run, with the memory of both parts. */
static void
end_run(CrmRun *run, const Mining *mining)
{
	const CrmCtx *baskets = &mining->baskets->ctx;

	run->peak_memory = (int64) Max(baskets->peak, baskets->used + mining->ctx.peak);
	run->total_memory = run->peak_memory;
	crm_run_end(run);
	MemoryContextDelete(mining->baskets->memory);
}

/* ---- options ----------------------------------------------------------------------------- */

/* Give argument i, an integer of at least low; 0 when it is NULL. */
static int64
optional_int(FunctionCallInfo fcinfo, int i, const char *name, int64 low, int64 high)
{
	return PG_ARGISNULL(i) ? 0 : crm_arg_int(fcinfo, i, name, low, high);
}

/* Read the options of baskets that are too large. */
static void
read_oversize(FunctionCallInfo fcinfo, int size, int oversize, CrmBasketsRequest *request)
{
	request->max_basket_size = optional_int(fcinfo, size, "max_basket_size", 1, PG_INT32_MAX);
	request->oversize = (CrmOversize) crm_arg_word(fcinfo, oversize, &crm_oversize_words);
}

/* Read the options of the miner, but for those that need the baskets. */
static void
read_param(FunctionCallInfo fcinfo, CrmItemsetParam *param)
{
	param->target = (CrmItemsetTarget) crm_arg_word(fcinfo, ARG_TARGET, &targets);
	param->min_length = (uint32) crm_arg_int(fcinfo, ARG_MIN_LENGTH, "min_length", 1, PG_INT32_MAX);
	param->max_length =
		(uint32) optional_int(fcinfo, ARG_MAX_LENGTH, "max_length", 1, PG_INT32_MAX);
	if (param->max_length > 0 && param->max_length < param->min_length)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"max_length\" must not be below \"min_length\""),
				errdetail("Got %u and %u.", param->max_length, param->min_length));
	param->top_k = (uint64) optional_int(fcinfo, ARG_TOP_K, "top_k", 1, PG_INT64_MAX);
	param->algorithm = (CrmItemsetAlgorithm) crm_arg_word(fcinfo, ARG_ALGORITHM, &algorithms);
}

/* ---- frequent itemsets ------------------------------------------------------------------- */

/* Write a row a set. */
static void
write_itemsets(const CrmResult *result, const Mining *mining)
{
	double n = mining->baskets->baskets.n;
	CrmLabelArray room = {NULL, 0};
	bool nulls[4] = {false};
	Datum values[4];

	for (uint32 i = 0; i < mining->list.n; i++)
	{
		const CrmItemset *set = crm_itemset_list_get(&mining->list, i);

		CHECK_FOR_INTERRUPTS();
		values[0] = crm_baskets_labels(mining->baskets, set->items, set->length, &room);
		values[1] = Int32GetDatum((int32) set->length);
		values[2] = Float8GetDatum(set->count / n);
		values[3] = Int64GetDatum(set->count);
		crm_result_row(result, values, nulls);
	}
}

PG_FUNCTION_INFO_V1(crm_frequent_itemsets_1_0);
/* crm.frequent_itemsets(...): a row an itemset; see doc/itemsets.md */
Datum
crm_frequent_itemsets_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 4);
	CrmRun run = crm_run_begin("crm.frequent_itemsets");
	CrmBasketsRequest request = {.function = run.function};
	Mining mining = {.baskets = NULL};
	char **in = NULL, **out = NULL;
	int n_in = 0, n_out = 0;

	request.source = crm_arg_text(fcinfo, ARG_SOURCE);
	request.min_support = crm_baskets_support_arg(fcinfo, ARG_MIN_SUPPORT, "min_support");
	read_oversize(fcinfo, ARG_MAX_BASKET_SIZE, ARG_OVERSIZE, &request);
	read_param(fcinfo, &mining.param);
	if (!PG_ARGISNULL(ARG_ITEMS_IN))
		in = crm_arg_names(fcinfo, ARG_ITEMS_IN, "items_in", &n_in);
	if (!PG_ARGISNULL(ARG_ITEMS_OUT))
		out = crm_arg_names(fcinfo, ARG_ITEMS_OUT, "items_out", &n_out);
	crm_baskets_disjoint(in, n_in, "items_in", out, n_out, "items_out");
	mining.baskets = crm_baskets_read(&request, &run);
	mining.param.required = crm_baskets_flags(mining.baskets, in, n_in, "items_in");
	mining.param.excluded = crm_baskets_flags(mining.baskets, out, n_out, "items_out");
	mine(&mining);
	write_itemsets(&result, &mining);
	end_run(&run, &mining);
	PG_RETURN_NULL();
}

/* ---- advice ------------------------------------------------------------------------------ */

enum
{
	ADVISE_SOURCE,
	ADVISE_MAX_ITEMSETS,
	ADVISE_MAX_LENGTH,
	ADVISE_SAMPLE_SIZE,
	ADVISE_MAX_BASKET_SIZE,
	ADVISE_OVERSIZE
};

static const double levels[] = {0.5,  0.2,  0.1,  0.05, 0.02, 0.01,
								5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4};

#define MOST_COUNTED 1000000 /* sets of a level; it and all lower levels have more */
#define ENOUGH       5       /* baskets; what fewer share is little evidence */

/* What a support gives. */
typedef struct Level
{
	double support;
	uint32 count; /* baskets of all that it asks for */
	int64 items;  /* of all baskets */
	int64 pairs;  /* of the sample, as are the rest */
	int64 sets;
	int64 stop_at; /* sets */
	uint32 longest;
	bool complete;
} Level;

/* Count a set; a CrmItemsetReport. CRM_LIMIT when there are enough. */
static CrmStatus
count_set(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	Level *level = arg;

	(void) items;
	(void) count;
	level->sets++;
	level->pairs += length == 2;
	level->longest = Max(level->longest, length);
	return level->sets > level->stop_at ? CRM_LIMIT : CRM_OK;
}

/*
 * Draw a sample of about so many baskets, by the hashes of their keys: the same whatever the order
 * of rows. All of them when there are no more.
 */
static CrmBaskets
draw_sample(CrmBasketsState *state, int64 size)
{
	const CrmBaskets *all = &state->baskets;
	uint64 below = (uint64) ((double) size / all->n * 0x1p64 * (1 - 0x1p-53));
	CrmBaskets sample = *all;
	uint64_t *start;
	uint32_t *items;

	if (all->n <= size)
		return sample;
	start = crm_baskets_allocate(state, (size_t) all->n + 1, sizeof(uint64_t));
	items = crm_baskets_allocate(state, all->start[all->n], sizeof(uint32_t));
	start[0] = 0;
	sample.n = 0;
	for (uint32 b = 0; b < all->n; b++)
	{
		uint64_t length = all->start[b + 1] - all->start[b];

		if (b % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (state->hash[b] >= below)
			continue;
		memcpy(items + start[sample.n], all->items + all->start[b], length * sizeof(uint32_t));
		start[sample.n + 1] = start[sample.n] + length;
		sample.n++;
	}
	sample.start = start;
	sample.items = items;
	return sample;
}

/* Count the sets of a level in the sample. */
static void
count_level(Mining *mining, const CrmBaskets *sample, Level *level)
{
	const CrmBasketsState *state = mining->baskets;
	CrmStatus status;

	for (uint32 i = 0; i < state->baskets.n_items; i++)
		level->items += state->count[i] >= level->count;
	begin_memory(mining);
	mining->param.min_count = crm_baskets_min_count(level->support, sample->n);
	status = crm_itemset_mine(&mining->ctx, sample, &mining->param, count_set, level);
	level->complete = status == CRM_OK;
	if (status != CRM_OK && status != CRM_LIMIT)
		crm_memory_check(status, &mining->ctx, "itemset mining", NULL);
	level->sets = Min(level->sets, level->stop_at);
	MemoryContextDelete(mining->memory);
}

/*
 * Choose a level: the lowest that gives no more than so many sets and asks for enough baskets, or
 * the highest that gives no more; -1: none does.
 */
static int
choose_level(const Level *level, int n, int64 most)
{
	int chosen = -1;

	for (int i = 0; i < n; i++)
		if (level[i].complete && level[i].sets <= most && (chosen < 0 || level[i].count >= ENOUGH))
			chosen = i;
	return chosen;
}

/* Say why a level is chosen or not. */
static char *
level_reason(const Level *level, bool is_chosen, int64 most)
{
	if (!level->complete)
		return psprintf("More than %lld itemsets; lower supports give more still.",
						(long long) level->sets);
	if (level->sets > most)
		return psprintf("More than %lld itemsets.", (long long) most);
	if (is_chosen)
		return psprintf("Chosen: the lowest with at most %lld itemsets%s.", (long long) most,
						level->count >= ENOUGH ? psprintf(" and at least %d baskets", ENOUGH) : "");
	return level->count < ENOUGH ? psprintf("Fewer than %d baskets are little evidence.", ENOUGH)
								 : pstrdup("A lower support fits as well.");
}

/* Write a row a level. */
static void
write_levels(const CrmResult *result, const Level *level, int n, int64 most, uint32 baskets)
{
	int chosen = choose_level(level, n, most);
	bool nulls[10] = {false};
	Datum values[10];

	for (int i = 0; i < n; i++)
	{
		values[0] = Float8GetDatum(level[i].support);
		values[1] = Int64GetDatum(level[i].count);
		values[2] = Int64GetDatum(level[i].items);
		values[3] = Int64GetDatum(level[i].pairs);
		values[4] = Int64GetDatum(level[i].sets);
		values[5] = Int32GetDatum((int32) level[i].longest);
		values[6] = BoolGetDatum(level[i].complete);
		values[7] = Int64GetDatum(baskets);
		values[8] = BoolGetDatum(i == chosen);
		values[9] = CStringGetTextDatum(level_reason(&level[i], i == chosen, most));
		crm_result_row(result, values, nulls);
	}
}

PG_FUNCTION_INFO_V1(crm_advise_support_1_0);
/* crm.advise_support(...): a row a level of support; see doc/itemsets.md */
Datum
crm_advise_support_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 10);
	CrmRun run = crm_run_begin("crm.advise_support");
	CrmBasketsRequest request = {
		.function = run.function, .min_support = levels[lengthof(levels) - 1], .hashes = true};
	Mining mining = {.param = {.min_length = 1}};
	Level level[lengthof(levels)] = {{0}};
	CrmBaskets sample;
	int64 most, size;
	int n = 0;

	request.source = crm_arg_text(fcinfo, ADVISE_SOURCE);
	most = crm_arg_int(fcinfo, ADVISE_MAX_ITEMSETS, "max_itemsets", 1, PG_INT64_MAX);
	mining.param.max_length =
		(uint32) optional_int(fcinfo, ADVISE_MAX_LENGTH, "max_length", 1, PG_INT32_MAX);
	size = crm_arg_int(fcinfo, ADVISE_SAMPLE_SIZE, "sample_size", 1000, PG_INT32_MAX);
	read_oversize(fcinfo, ADVISE_MAX_BASKET_SIZE, ADVISE_OVERSIZE, &request);
	mining.baskets = crm_baskets_read(&request, &run);
	sample = draw_sample(mining.baskets, size);
	for (int i = 0; i < lengthof(levels); i++)
	{
		level[n] = (Level){.support = levels[i], .stop_at = Max(most, MOST_COUNTED)};
		level[n].count = crm_baskets_min_count(levels[i], mining.baskets->baskets.n);
		if (level[n].count < 2 || (n > 0 && level[n].count == level[n - 1].count))
			break;
		count_level(&mining, &sample, &level[n]);
		if (!level[n++].complete)
			break;
	}
	write_levels(&result, level, n, most, sample.n);
	end_run(&run, &mining);
	PG_RETURN_NULL();
}

/* ---- the aggregate ----------------------------------------------------------------------- */

/* The state of crm.itemsets. */
typedef struct Gathering
{
	CrmRun run;
	CrmBasketsRequest request;
	CrmBasketsReader *reader;
	uint32 max_length;
	int64 baskets; /* rows so far; the key of the next basket */
	Oid item_type;
	int16 length;
	bool by_value;
	char align;
} Gathering;

/* Make the state of a first row, by its options. */
static Gathering *
begin_gathering(FunctionCallInfo fcinfo, MemoryContext memory)
{
	Gathering *gathering = MemoryContextAllocZero(memory, sizeof(Gathering));
	Oid array_type = getBaseType(get_fn_expr_argtype(fcinfo->flinfo, 1));
	CrmBasketsColumn columns[2] = {{"basket_id", INT8OID, InvalidOid},
								   {"an item", get_element_type(array_type), PG_GET_COLLATION()}};

	gathering->request.function = "crm.itemsets";
	gathering->request.min_support = crm_baskets_support_arg(fcinfo, 2, "min_support");
	if (PG_NARGS() > 3)
		gathering->max_length = (uint32) crm_arg_int(fcinfo, 3, "max_length", 1, PG_INT32_MAX);
	gathering->item_type = columns[1].type;
	get_typlenbyvalalign(gathering->item_type, &gathering->length, &gathering->by_value,
						 &gathering->align);
	gathering->reader =
		crm_baskets_begin(&gathering->request, columns, false, memory, &gathering->run);
	return gathering;
}

PG_FUNCTION_INFO_V1(crm_itemsets_transition_1_0);
/* crm._itemsets_transition(internal, anyarray, float8 [, integer]) -> internal: adds a basket */
Datum
crm_itemsets_transition_1_0(PG_FUNCTION_ARGS)
{
	MemoryContext memory;
	Gathering *gathering;
	Datum *items;
	bool *nulls;
	int n;

	memory = crm_aggregate_context(fcinfo);
	gathering =
		PG_ARGISNULL(0) ? begin_gathering(fcinfo, memory) : (Gathering *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(gathering);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), gathering->item_type, gathering->length,
					  gathering->by_value, gathering->align, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		Datum values[2] = {Int64GetDatum(gathering->baskets), items[i]};
		bool is_null[2] = {false, nulls[i]};

		crm_baskets_add(gathering->reader, values, is_null);
	}
	gathering->baskets++;
	PG_RETURN_POINTER(gathering);
}

/* Append a set as a JSON object. */
static void
append_set(StringInfo json, const CrmBasketsState *baskets, const CrmItemset *set)
{
	char support[DOUBLE_SHORTEST_DECIMAL_LEN];

	appendStringInfoString(json, "{\"items\": ");
	for (uint32 i = 0; i < set->length; i++)
	{
		appendStringInfoString(json, i == 0 ? "[" : ", ");
		escape_json(json, crm_baskets_label(baskets, set->items[i]));
	}
	double_to_shortest_decimal_buf((double) set->count / baskets->baskets.n, support);
	appendStringInfo(json, "], \"count\": %u, \"support\": %s}", set->count, support);
}

PG_FUNCTION_INFO_V1(crm_itemsets_final_1_0);
/* crm._itemsets_final(internal) -> jsonb: the itemsets of the baskets */
Datum
crm_itemsets_final_1_0(PG_FUNCTION_ARGS)
{
	Gathering *gathering;
	Mining mining = {.param = {.min_length = 1}};
	StringInfoData json;

	(void) crm_aggregate_context(fcinfo);
	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	if (!PG_ARGISNULL(0))
	{
		gathering = (Gathering *) PG_GETARG_POINTER(0);
		mining.baskets = crm_baskets_end(gathering->reader);
		mining.param.max_length = gathering->max_length;
		mine(&mining);
		for (uint32 i = 0; i < mining.list.n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (i > 0)
				appendStringInfoString(&json, ", ");
			append_set(&json, mining.baskets, crm_itemset_list_get(&mining.list, i));
		}
		MemoryContextDelete(mining.baskets->memory);
	}
	appendStringInfoChar(&json, ']');
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}
