/*
 * recommend_backtest.c: unit tests of the measures of lists, against values by hand and the
 * definitions in long double.
 */
#include "kernel/recommend_backtest.h"
#include "host.h"

/* Make a list of items. */
static void
make_list(CrmRecommendation *list, const uint32_t *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		list[i] = (CrmRecommendation){.item = items[i]};
}

static void
test_hand(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmRecommendTest test;
	CrmRecommendation list[3];
	static const uint8_t bought[10] = {[4] = 1, [7] = 1};

	(void) crm_recommend_test_begin(&test, ctx, 10, 3);
	ok(crm_sum_mean(test.precision, 1) == 0.0 && crm_recommend_test_coverage(&test) == 0.0,
	   "nothing yet");
	make_list(list, (uint32_t[]){1, 4, 7}, 3);
	crm_recommend_test_add(&test, list, 3, bought, 2);
	is_close(crm_sum_value(test.precision), 2.0 / 3, 1e-15, "two of three were bought");
	is_close(crm_sum_value(test.recall), 1.0, 1e-15, "which is all that was bought");
	/* (1 / log2 3 + 1 / 2) / (1 + 1 / log2 3) = 1.130929753571457 / 1.630929753571457 */
	is_close(crm_sum_value(test.ndcg), 0.6934264036172708, 1e-14, "NDCG, at the places 2 and 3");
	is_close(crm_recommend_test_coverage(&test), 0.3, 1e-15, "three of ten items");
	make_list(list, (uint32_t[]){4}, 1);
	crm_recommend_test_add(&test, list, 1, bought, 5);
	is_close(crm_sum_mean(test.precision, 2), (2.0 / 3 + 1.0 / 3) / 2, 1e-15,
			 "a short list is measured against k");
	is_close(crm_sum_mean(test.recall, 2), (1.0 + 1.0 / 5) / 2, 1e-15,
			 "items that nobody knew before count as missed");
	/* 1 / (1 + 1 / log2 3 + 1 / 2) = 0.46927872602275644 */
	is_close(crm_sum_value(test.ndcg) - 0.6934264036172708, 0.46927872602275644, 1e-14,
			 "the best list has k of the five");
	crm_recommend_test_add(&test, list, 0, bought, 1);
	ok(test.customers == 3 && test.hits == 2 && test.recommended == 4 && test.met == 3,
	   "an empty list is a customer without a hit");
	crm_recommend_test_end(&test, ctx);
	ok(host.held == 0, "all is given back");
	host.tap.fail_at = host.tap.allocations + 1;
	ok(crm_recommend_test_begin(&test, ctx, 10, 3) == CRM_NO_MEMORY, "no memory is told");
	crm_recommend_test_end(&test, ctx);
	host.tap.fail_at = 0;
	ok(crm_recommend_test_begin(&test, ctx, 0, 3) == CRM_OK &&
		   isnan(crm_recommend_test_coverage(&test)),
	   "without items there is no coverage");
	crm_recommend_test_end(&test, ctx);
	host_drop(&host);
}

/* Random lists in two orders: the definition, and no bit changes. */
static void
test_random(void)
{
	enum
	{
		CUSTOMERS = 300,
		ITEMS = 40,
		K = 8
	};
	static CrmRecommendation lists[CUSTOMERS][K];
	static uint8_t bought[CUSTOMERS][ITEMS];
	static uint64_t n_bought[CUSTOMERS];
	static uint32_t n[CUSTOMERS], order[CUSTOMERS];
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmRecommendTest test, turned;
	long double precision = 0, recall = 0, ndcg = 0;
	int64_t hits = 0;

	(void) crm_recommend_test_begin(&test, ctx, ITEMS, K);
	(void) crm_recommend_test_begin(&turned, ctx, ITEMS, K);
	for (uint32_t c = 0; c < CUSTOMERS; c++)
	{
		uint32_t items[ITEMS];
		long double gain = 0, most = 0, met = 0;

		draw_order(items, ITEMS);
		n[c] = (uint32_t) draw_below(K + 1);
		make_list(lists[c], items, n[c]);
		for (uint32_t j = 0; j < ITEMS; j++)
			n_bought[c] += bought[c][j] = draw_below(4) == 0;
		n_bought[c] += 1 + draw_below(2);
		for (uint32_t i = 0; i < n[c]; i++)
			if (bought[c][items[i]])
			{
				met++;
				gain += 1 / log2l(i + 2);
			}
		for (uint32_t i = 0; i < K && i < n_bought[c]; i++)
			most += 1 / log2l(i + 2);
		precision += met / K;
		recall += met / (long double) n_bought[c];
		ndcg += gain / most;
		hits += met > 0;
		crm_recommend_test_add(&test, lists[c], n[c], bought[c], n_bought[c]);
	}
	is_close(crm_sum_value(test.precision), (double) precision, 1e-14, "precision");
	is_close(crm_sum_value(test.recall), (double) recall, 1e-14, "recall");
	is_close(crm_sum_value(test.ndcg), (double) ndcg, 1e-14, "NDCG");
	is_int(test.hits, hits, "hits");
	draw_order(order, CUSTOMERS);
	for (uint32_t c = 0; c < CUSTOMERS; c++)
		crm_recommend_test_add(&turned, lists[order[c]], n[order[c]], bought[order[c]],
							   n_bought[order[c]]);
	ok(crm_sum_value(test.precision) == crm_sum_value(turned.precision) &&
		   crm_sum_value(test.recall) == crm_sum_value(turned.recall) &&
		   crm_sum_value(test.ndcg) == crm_sum_value(turned.ndcg) && test.met == turned.met,
	   "the order of customers changes no bit");
	crm_recommend_test_end(&test, ctx);
	crm_recommend_test_end(&turned, ctx);
	host_drop(&host);
}

int
main(void)
{
	test_hand();
	test_random();
	return tap_done();
}
