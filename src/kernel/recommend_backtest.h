/*
 * recommend_backtest.h: how well lists of k recommendations met what customers then bought.
 *
 * For a customer with T > 0 items that were new then, of which the list holds h at the places
 * i in H:
 *
 *     precision = h / k        recall = h / T        hit = 1 when h > 0
 *     NDCG = (sum over H of 1 / log2(i + 1)) / (sum for i = 1 .. min(k, T) of 1 / log2(i + 1))
 *
 * (Jarvelin and Kekalainen 2002, doi 10.1145/582415.582418); of a method, the means over customers.
 * Coverage is the share of all items that were recommended to somebody. Sums are compensated, so
 * that the order of customers does not matter.
 */
#ifndef CRM_KERNEL_RECOMMEND_BACKTEST_H
#define CRM_KERNEL_RECOMMEND_BACKTEST_H

#include "kernel/base/sum.h"
#include "kernel/recommend.h"

typedef struct CrmRecommendTest
{
	uint32_t k;
	uint32_t n_items;
	int64_t customers;
	int64_t hits;        /* customers with a hit */
	int64_t recommended; /* items in all lists */
	int64_t met;         /* of these, those that were bought */
	CrmSum precision, recall, ndcg;
	uint8_t *covered; /* n_items: whether anybody was recommended it */
} CrmRecommendTest;

extern CrmStatus crm_recommend_test_begin(CrmRecommendTest *test, CrmCtx *ctx, uint32_t n_items,
										  uint32_t k);
extern void crm_recommend_test_end(CrmRecommendTest *test, CrmCtx *ctx);
extern void crm_recommend_test_add(CrmRecommendTest *test, const CrmRecommendation *list,
								   uint32_t n, const uint8_t *bought, uint64_t n_bought);
extern double crm_recommend_test_coverage(const CrmRecommendTest *test);

#endif
