/*
 * recommend.c: crm.recommend, crm.similar_items, crm.recommend_customers and
 * crm.recommend_backtest. Each reads baskets and makes a recommender over them; those about
 * customers read the source a second time for what each of them bought.
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "kernel/recommend.h"
#include "kernel/recommend_backtest.h"
#include "pg/args.h"
#include "pg/baskets.h"
#include "pg/histories.h"
#include "pg/memory.h"
#include "pg/results.h"

#define TOLD  11 /* columns that tell of a recommendation, its rank first */
#define NAMED 10 /* unknown items that a message names */

/* The options of how to recommend, in each function's order; a method comes before them. */
enum
{
	ARG_MAX_ANTECEDENT,
	ARG_RULES,
	ARG_MIN_COUNT,
	ARG_MIN_CONFIDENCE,
	ARG_PRIOR,
	ARG_SHRINKAGE,
	ARG_NEIGHBOURS
};

static const char *const method_list[] = {"auto", "rule", "similar", "popular"};
static const CrmWords method_words = {"method", "methods", method_list, lengthof(method_list)};
static const char *const told_method[] = {"rule", "similar", "popular"};

/* A report in the making. */
typedef struct Report
{
	CrmRun run;
	CrmRecommendParam param;
	CrmBasketsState *state;
	CrmRecommender recommender;
	CrmRecommendation *list; /* room for k */
} Report;

/* A list of items that the caller gave. */
typedef struct Items
{
	char **label;
	int n;
	uint32 *code; /* of the n_known that the source knows */
	uint32 n_known;
} Items;

/* ---- options ------------------------------------------------------------------------------- */

/* Read the method, argument i. */
static void
read_method(FunctionCallInfo fcinfo, int i, CrmRecommendParam *param)
{
	int method = crm_arg_word(fcinfo, i, &method_words);

	for (int m = 0; m < CRM_RECOMMEND_METHODS; m++)
		param->use[m] = method == 0 || method == m + 1;
}

/* Read k and the options from `at` on; a basket's list has other defaults than a customer's. */
static void
read_param(FunctionCallInfo fcinfo, int k, int at, bool of_customer, CrmRecommendParam *param)
{
	crm_recommend_defaults(param);
	param->k = (uint32) crm_arg_int(fcinfo, k, "k", 1, CRM_RECOMMEND_MAX_K);
	if (of_customer)
	{
		param->max_antecedent = 1;
		param->rules = 3;
	}
	if (!PG_ARGISNULL(at + ARG_MAX_ANTECEDENT))
		param->max_antecedent = (uint32) crm_arg_int(
			fcinfo, at + ARG_MAX_ANTECEDENT, "max_antecedent", 1, CRM_RECOMMEND_MAX_ANTECEDENT);
	if (!PG_ARGISNULL(at + ARG_RULES))
		param->rules =
			(uint32) crm_arg_int(fcinfo, at + ARG_RULES, "rules", 1, CRM_RECOMMEND_MAX_RULES);
	param->min_count =
		(uint32) crm_arg_int(fcinfo, at + ARG_MIN_COUNT, "min_count", 1, PG_INT32_MAX);
	param->min_confidence = crm_arg_double(fcinfo, at + ARG_MIN_CONFIDENCE, "min_confidence", 0, 1);
	param->prior = crm_arg_double(fcinfo, at + ARG_PRIOR, "prior", 0, 1e9);
	param->shrinkage = crm_arg_double(fcinfo, at + ARG_SHRINKAGE, "shrinkage", 0, 1e9);
	param->neighbours = (uint32) crm_arg_int(fcinfo, at + ARG_NEIGHBOURS, "neighbours", 1,
											 CRM_RECOMMEND_MAX_NEIGHBOURS);
}

/* Read argument i, a list of items that may be NULL or empty, but not hold a NULL. */
static Items
read_items(FunctionCallInfo fcinfo, int i, const char *name)
{
	Items items = {.n = 0};
	Datum *values;
	bool *nulls;

	if (PG_ARGISNULL(i))
		return items;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(i), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls,
					  &items.n);
	items.label = palloc((items.n + 1) * sizeof(char *));
	for (int e = 0; e < items.n; e++)
	{
		if (nulls[e])
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("argument \"%s\" must not contain a null", name),
					errdetail("Value %d is null.", e + 1));
		items.label[e] = TextDatumGetCString(values[e]);
	}
	return items;
}

/* Look up the codes of items; gives those that the source does not know, in words, or NULL. */
static char *
find_items(const Report *report, Items *items)
{
	StringInfoData unknown;
	int n_unknown = 0;

	initStringInfo(&unknown);
	items->code = palloc((items->n + 1) * sizeof(uint32));
	for (int i = 0; i < items->n; i++)
	{
		int64 code = crm_baskets_find(report->state, items->label[i]);

		CHECK_FOR_INTERRUPTS();
		if (code >= 0)
			items->code[items->n_known++] = (uint32) code;
		else if (++n_unknown <= NAMED)
			appendStringInfo(&unknown, "%s\"%s\"", n_unknown > 1 ? ", " : "", items->label[i]);
	}
	if (n_unknown > NAMED)
		appendStringInfo(&unknown, " and %d more", n_unknown - NAMED);
	return n_unknown > 0 ? unknown.data : NULL;
}

/* ---- the recommender ----------------------------------------------------------------------- */

/* Raise the error that a status stands for, if it stands for one. */
static void
check(const Report *report, CrmStatus status)
{
	crm_memory_check(
		status, &report->state->ctx, "recommending",
		psprintf("%u baskets, %u items", report->state->baskets.n, report->state->baskets.n_items));
}

/* Read the baskets of a source. */
static void
read_baskets(Report *report, const char *source)
{
	CrmBasketsRequest request = {.function = report->run.function, .source = source};

	report->state = crm_baskets_read(&request, &report->run);
}

/* Make the recommender over the baskets, for some items or (NULL) all. */
static void
begin(Report *report, const uint32 *wanted, uint32 n_wanted)
{
	CrmBasketsState *state = report->state;

	check(report, crm_recommend_begin(&report->recommender, &state->ctx, &state->baskets,
									  &report->param, wanted, n_wanted));
	report->list = crm_allocate(&state->ctx, report->param.k, sizeof(CrmRecommendation));
	if (report->list == NULL)
		check(report, state->ctx.failure);
}

/* Close the account and free the report's memory. */
static void
end(Report *report)
{
	report->run.peak_memory = report->run.total_memory = (int64) report->state->ctx.peak;
	crm_run_end(&report->run);
	MemoryContextDelete(report->state->memory);
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* Give a share in words: "41 %", "5.5 %", "less than 0.1 %". */
static const char *
percent(double share)
{
	double shown = 100 * share;

	if (shown < 0.05)
		return "less than 0.1 %";
	return shown < 9.95 ? psprintf("%.1f %%", shown) : psprintf("%.0f %%", shown);
}

/* Give the sentence that says why; it is documented, word for word. */
static text *
make_reason(const Report *report, const CrmRecommendation *told)
{
	const char *share = percent(crm_recommend_confidence(told));
	StringInfoData names;

	initStringInfo(&names);
	for (uint32 i = 0; i < told->length; i++)
		appendStringInfo(&names, "%s%s",
						 i == 0                  ? ""
						 : i == told->length - 1 ? " and "
												 : ", ",
						 crm_baskets_label(report->state, told->antecedent[i]));
	switch (told->method)
	{
		case CRM_RECOMMEND_RULE:
			return cstring_to_text(psprintf(
				"bought with %s by %s of the baskets that hold %s (%u of %u)", names.data, share,
				told->length > 1 ? "them" : "it", told->together, told->antecedent_count));
		case CRM_RECOMMEND_SIMILAR:
			return cstring_to_text(psprintf("similar to %s: together in %u basket%s", names.data,
											told->together, told->together == 1 ? "" : "s"));
		default:
			return cstring_to_text(psprintf("popular: in %s of all baskets (%u of %u)", share,
											told->together, told->antecedent_count));
	}
}

/* Fill in the columns that tell of a recommendation. */
static void
tell(const Report *report, uint32 rank, const CrmRecommendation *told, Datum *values, bool *nulls)
{
	uint32 n = report->state->baskets.n;
	bool is_popular = told->method == CRM_RECOMMEND_POPULAR;
	CrmLabelArray room = {.array = NULL};

	values[0] = Int32GetDatum((int32) rank);
	values[1] = PointerGetDatum(report->state->label[told->item]);
	values[2] = Float8GetDatum(told->score);
	values[3] = CStringGetTextDatum(told_method[told->method]);
	values[4] = PointerGetDatum(make_reason(report, told));
	values[5] = crm_baskets_labels(report->state, told->antecedent, told->length, &room);
	values[6] = Float8GetDatum(crm_recommend_confidence(told));
	values[7] = Float8GetDatum(crm_recommend_lift(told, n));
	values[8] = Int64GetDatum(told->together);
	values[9] = Int64GetDatum(told->antecedent_count);
	values[10] = Int64GetDatum(told->count);
	nulls[5] = nulls[6] = nulls[7] = nulls[9] = is_popular;
}

/* ---- crm.recommend ------------------------------------------------------------------------- */

/* Read histories, whose items have the codes of the baskets. */
static void
read_rows(Report *report, CrmHistories *histories, const CrmHistoriesRequest *request)
{
	crm_histories_begin(histories, &report->state->ctx);
	for (uint32 j = 0; j < report->state->baskets.n_items; j++)
		crm_histories_name(histories, crm_baskets_label(report->state, j));
	crm_histories_read(histories, request);
}

/* Read what one customer bought, as items of the report's baskets; says so if it is nothing. */
static Items
read_history(Report *report, const char *source, const char *customer)
{
	CrmHistoriesRequest request = {
		.function = report->run.function, .source = source, .as_text = true, .only = customer};
	CrmHistories histories;
	Items items = {.n = 0};

	read_rows(report, &histories, &request);
	if (histories.n == 0)
		ereport(NOTICE, errmsg("%s finds nothing that customer \"%s\" bought", report->run.function,
							   customer));
	items.code = palloc((histories.n + 1) * sizeof(uint32));
	for (size_t i = 0; i < histories.n; i++)
		if (histories.code[i] < report->state->baskets.n_items)
			items.code[items.n_known++] = histories.code[i];
	return items;
}

PG_FUNCTION_INFO_V1(crm_recommend_1_0);
/* crm.recommend(source, basket, customer, k, exclude, ...): a row a recommendation */
Datum
crm_recommend_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, TOLD);
	char *source = crm_arg_text(fcinfo, 0), *customer = crm_arg_text(fcinfo, 2), *unknown;
	bool has_basket = !PG_ARGISNULL(1);
	Items basket = read_items(fcinfo, 1, "basket"), exclude = read_items(fcinfo, 4, "exclude");
	Items history = {.n = 0};
	const Items *asked = &basket;
	Report report = {.run = crm_run_begin("crm.recommend")};
	uint32 *known, n;
	Datum values[TOLD];
	bool nulls[TOLD] = {false};

	read_param(fcinfo, 3, 6, customer != NULL && !has_basket, &report.param);
	read_method(fcinfo, 5, &report.param);
	read_baskets(&report, source);
	unknown = find_items(&report, &basket);
	if (unknown != NULL)
		ereport(NOTICE, errmsg("crm.recommend finds no basket with %s", unknown));
	(void) find_items(&report, &exclude);
	if (customer != NULL)
		history = read_history(&report, source, customer);
	if (!has_basket)
		asked = &history;
	begin(&report, asked->code != NULL ? asked->code : &n, asked->n_known);
	known = palloc((history.n_known + exclude.n_known + 1) * sizeof(uint32));
	if (history.n_known > 0)
		memcpy(known, history.code, history.n_known * sizeof(uint32));
	if (exclude.n_known > 0)
		memcpy(known + history.n_known, exclude.code, exclude.n_known * sizeof(uint32));
	check(&report, crm_recommend(&report.recommender, asked->code, asked->n_known, known,
								 history.n_known + exclude.n_known, report.list, &n));
	for (uint32 i = 0; i < n; i++)
	{
		tell(&report, i + 1, &report.list[i], values, nulls);
		crm_result_row(&result, values, nulls);
	}
	end(&report);
	PG_RETURN_NULL();
}

/* ---- crm.similar_items --------------------------------------------------------------------- */

#define SIMILAR 8

PG_FUNCTION_INFO_V1(crm_similar_items_1_0);
/* crm.similar_items(source, item, k, ...): a row an item, the most similar first */
Datum
crm_similar_items_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, SIMILAR);
	Report report = {.run = crm_run_begin("crm.similar_items")};
	char *item;
	int64 code;
	uint32 wanted, n = 0;
	Datum values[SIMILAR];
	bool nulls[SIMILAR] = {false};

	crm_arg_require(fcinfo, 1, "item");
	item = crm_arg_text(fcinfo, 1);
	crm_recommend_defaults(&report.param);
	report.param.k = (uint32) crm_arg_int(fcinfo, 2, "k", 1, CRM_RECOMMEND_MAX_K);
	report.param.shrinkage = crm_arg_double(fcinfo, 3, "shrinkage", 0, 1e9);
	report.param.min_count = (uint32) crm_arg_int(fcinfo, 4, "min_count", 1, PG_INT32_MAX);
	read_baskets(&report, crm_arg_text(fcinfo, 0));
	code = crm_baskets_find(report.state, item);
	wanted = (uint32) code;
	begin(&report, &wanted, code < 0 ? 0 : 1);
	if (code < 0)
		ereport(NOTICE, errmsg("crm.similar_items finds no basket with \"%s\"", item));
	else
		check(&report, crm_recommend_similar(&report.recommender, wanted, report.list, &n));
	for (uint32 i = 0; i < n; i++)
	{
		const CrmRecommendation *told = &report.list[i];

		values[0] = Int32GetDatum((int32) i + 1);
		values[1] = PointerGetDatum(report.state->label[told->item]);
		values[2] = Float8GetDatum(told->score);
		values[3] = Int64GetDatum(told->together);
		values[4] = Float8GetDatum(crm_recommend_lift(told, report.state->baskets.n));
		values[5] = Float8GetDatum(crm_recommend_confidence(told));
		values[6] = Float8GetDatum((double) told->together / report.state->baskets.n);
		values[7] = Int64GetDatum(told->count);
		crm_result_row(&result, values, nulls);
	}
	end(&report);
	PG_RETURN_NULL();
}

/* ---- crm.recommend_customers --------------------------------------------------------------- */

/* Read the histories of all customers. */
static CrmHistories *
read_histories(Report *report, const CrmHistoriesRequest *request)
{
	CrmHistories *histories = palloc0(sizeof(CrmHistories));

	read_rows(report, histories, request);
	report->run.customers = histories->customers.n;
	if (histories->null_rows > 0)
		ereport(NOTICE,
				errmsg("%s left out %lld of %lld rows of the customers' histories",
					   report->run.function, (long long) histories->null_rows,
					   (long long) histories->rows),
				errdetail("They lack customer_id, basket_id, item_id%s.",
						  request->has_cut ? " or ordered_at" : ""));
	return histories;
}

/*
 * Recommend to a customer by the items before the cut. Gives the number of rows of report->list. An
 * item that the baskets do not know (a source that changes from one reading to the next) is left
 * out.
 */
static uint32
recommend_customer(Report *report, const CrmHistories *histories, uint32 customer)
{
	uint32 *code = histories->code + histories->start[customer];
	uint32 bought = (uint32) (histories->middle[customer] - histories->start[customer]), n = 0;

	for (uint32 i = 0; i < bought; i++)
		if (code[i] < report->state->baskets.n_items)
			code[n++] = code[i];
	check(report, crm_recommend(&report->recommender, code, n, NULL, 0, report->list, &bought));
	return bought;
}

PG_FUNCTION_INFO_V1(crm_recommend_customers_1_0);
/* crm.recommend_customers([key,] source, k, ...): a row a customer and recommendation */
Datum
crm_recommend_customers_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, TOLD + 1);
	CrmHistoriesRequest request = {.function = "crm.recommend_customers"};
	Report report = {.run = crm_run_begin("crm.recommend_customers")};
	MemoryContext caller = CurrentMemoryContext, row;
	CrmHistories *histories;
	Datum values[TOLD + 1];
	bool nulls[TOLD + 1] = {false};

	request.source = crm_arg_source(fcinfo, &request.key_type);
	read_param(fcinfo, 1, 3, true, &report.param);
	read_method(fcinfo, 2, &report.param);
	read_baskets(&report, request.source);
	histories = read_histories(&report, &request);
	begin(&report, NULL, 0);
	row = AllocSetContextCreate(caller, "crm row", ALLOCSET_DEFAULT_SIZES);
	for (uint32 c = 0; c < histories->customers.n; c++)
	{
		uint32 customer = histories->in_order[c], n;

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(row);
		n = recommend_customer(&report, histories, customer);
		values[0] = crm_histories_key(histories, customer);
		for (uint32 i = 0; i < n; i++)
		{
			tell(&report, i + 1, &report.list[i], values + 1, nulls + 1);
			crm_result_row(&result, values, nulls);
		}
		MemoryContextSwitchTo(caller);
		MemoryContextReset(row);
	}
	end(&report);
	PG_RETURN_NULL();
}

/* ---- crm.recommend_backtest ---------------------------------------------------------------- */

#define BACKTEST 13
#define METHODS  4 /* auto, then each one alone */

/* What the customers did, besides what the tests tell. */
typedef struct Backtest
{
	CrmRecommendTest test[METHODS];
	uint8 *bought; /* of each item: 1 before the cut, 2 new from then on */
	int64 without_history;
	int64 without_new_item;
	int64 unknown; /* new items that no basket before the cut holds */
} Backtest;

/*
 * Note what a customer bought; gives how many items were new from the cut on. Codes from n_items on
 * are items that nobody bought before.
 */
static uint64
note_bought(Backtest *backtest, const CrmHistories *histories, uint32 customer, uint32 n_items)
{
	uint64 n = 0;

	for (size_t i = histories->start[customer]; i < histories->middle[customer]; i++)
		backtest->bought[histories->code[i]] = 2;
	for (size_t i = histories->middle[customer]; i < histories->start[customer + 1]; i++)
	{
		uint32 code = histories->code[i];

		if (backtest->bought[code] != 0)
			continue;
		backtest->bought[code] = 1;
		backtest->unknown += code >= n_items;
		n++;
	}
	for (size_t i = histories->start[customer]; i < histories->middle[customer]; i++)
		backtest->bought[histories->code[i]] = 0;
	return n;
}

/* Test all methods on one customer. */
static void
test_customer(Report *report, Backtest *backtest, const CrmHistories *histories, uint32 customer)
{
	CrmRecommendParam *param = &report->recommender.param;
	uint64 n_bought;

	if (histories->middle[customer] == histories->start[customer])
	{
		backtest->without_history++;
		return;
	}
	n_bought = note_bought(backtest, histories, customer, report->state->baskets.n_items);
	if (n_bought == 0)
		backtest->without_new_item++;
	for (int m = 0; m < METHODS && n_bought > 0; m++)
	{
		for (int u = 0; u < CRM_RECOMMEND_METHODS; u++)
			param->use[u] = m == 0 || m == u + 1;
		crm_recommend_test_add(&backtest->test[m], report->list,
							   recommend_customer(report, histories, customer), backtest->bought,
							   n_bought);
	}
	for (size_t i = histories->middle[customer]; i < histories->start[customer + 1]; i++)
		backtest->bought[histories->code[i]] = 0;
}

/* Write the row of a method. */
static void
write_test(const CrmResult *result, const Backtest *backtest, int method)
{
	const CrmRecommendTest *test = &backtest->test[method];
	Datum values[BACKTEST];
	bool nulls[BACKTEST] = {false};

	values[0] = CStringGetTextDatum(method == 0 ? "recommend" : method_list[method]);
	values[1] = Int64GetDatum(test->customers);
	values[2] = Float8GetDatum(crm_sum_mean(test->precision, test->customers));
	values[3] = Float8GetDatum(crm_sum_mean(test->recall, test->customers));
	values[4] = Float8GetDatum(crm_sum_mean(test->ndcg, test->customers));
	values[5] = Float8GetDatum((double) test->hits / (double) test->customers);
	values[6] = Float8GetDatum(crm_recommend_test_coverage(test));
	values[7] = Int64GetDatum(test->recommended);
	values[8] = Int64GetDatum(test->met);
	values[9] = Int64GetDatum(test->n_items);
	values[10] = Int64GetDatum(backtest->unknown);
	values[11] = Int64GetDatum(backtest->without_history);
	values[12] = Int64GetDatum(backtest->without_new_item);
	nulls[2] = nulls[3] = nulls[4] = nulls[5] = test->customers == 0;
	nulls[6] = test->n_items == 0;
	crm_result_row(result, values, nulls);
}

PG_FUNCTION_INFO_V1(crm_recommend_backtest_1_0);
/* crm.recommend_backtest(source, cut_at, k, ...): a row a method */
Datum
crm_recommend_backtest_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, BACKTEST);
	char *source = crm_arg_text(fcinfo, 0);
	CrmHistoriesRequest request = {.function = "crm.recommend_backtest",
								   .source = source,
								   .as_text = true,
								   .has_cut = true,
								   .cut_at = PG_ARGISNULL(1) ? 0 : PG_GETARG_TIMESTAMPTZ(1)};
	Report report = {.run = crm_run_begin("crm.recommend_backtest")};
	Backtest backtest = {.unknown = 0};
	CrmHistories *histories;
	CrmCtx *ctx;

	crm_arg_require(fcinfo, 1, "cut_at");
	if (TIMESTAMP_NOT_FINITE(request.cut_at))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"cut_at\" must be finite"));
	read_param(fcinfo, 2, 3, true, &report.param);
	read_baskets(&report, crm_histories_before(source, request.cut_at));
	ctx = &report.state->ctx;
	histories = read_histories(&report, &request);
	begin(&report, NULL, 0);
	backtest.bought = crm_allocate(ctx, histories->items.n, 1);
	if (backtest.bought == NULL)
		check(&report, ctx->failure);
	memset(backtest.bought, 0, histories->items.n);
	for (int m = 0; m < METHODS; m++)
		check(&report, crm_recommend_test_begin(&backtest.test[m], ctx,
												report.state->baskets.n_items, report.param.k));
	for (uint32 c = 0; c < histories->customers.n; c++)
	{
		CHECK_FOR_INTERRUPTS();
		test_customer(&report, &backtest, histories, c);
	}
	for (int m = 0; m < METHODS; m++)
		write_test(&result, &backtest, m);
	end(&report);
	PG_RETURN_NULL();
}
