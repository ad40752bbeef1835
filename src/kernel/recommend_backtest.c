/*
 * recommend_backtest.c: measures of lists of recommendations; see recommend_backtest.h.
 */
#include "kernel/recommend_backtest.h"

#include <math.h>
#include <string.h>

/* Begin a test of lists of k of n_items items. Errors: CRM_LIMIT, CRM_NO_MEMORY. */
CrmStatus
crm_recommend_test_begin(CrmRecommendTest *test, CrmCtx *ctx, uint32_t n_items, uint32_t k)
{
	*test = (CrmRecommendTest){.k = k, .n_items = n_items};
	test->covered = crm_allocate(ctx, n_items, 1);
	if (test->covered == NULL)
		return ctx->failure;
	memset(test->covered, 0, n_items);
	return CRM_OK;
}

/* Give back what begin took, whether or not it succeeded. */
void
crm_recommend_test_end(CrmRecommendTest *test, CrmCtx *ctx)
{
	crm_release(ctx, test->covered, test->n_items, 1);
	test->covered = NULL;
}

/*
 * Add a customer's list of n <= k recommendations, the best first. bought[j] tells whether the
 * customer then bought item j; n_bought > 0 counts all new items that he bought, those that are
 * none of the n_items too.
 */
void
crm_recommend_test_add(CrmRecommendTest *test, const CrmRecommendation *list, uint32_t n,
					   const uint8_t *bought, uint64_t n_bought)
{
	double gain = 0.0, most = 0.0;
	uint32_t met = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		test->covered[list[i].item] = 1;
		if (bought[list[i].item])
		{
			met++;
			gain += 1.0 / log2((double) i + 2.0);
		}
	}
	for (uint32_t i = 0; i < test->k && i < n_bought; i++)
		most += 1.0 / log2((double) i + 2.0);
	test->customers++;
	test->hits += met > 0;
	test->recommended += n;
	test->met += met;
	crm_sum_add(&test->precision, (double) met / (double) test->k);
	crm_sum_add(&test->recall, (double) met / (double) n_bought);
	crm_sum_add(&test->ndcg, gain / most);
}

/* Give the share of the items that somebody was recommended; NaN when there are no items. */
double
crm_recommend_test_coverage(const CrmRecommendTest *test)
{
	uint64_t covered = 0;

	for (uint32_t j = 0; j < test->n_items; j++)
		covered += test->covered[j];
	return test->n_items > 0 ? (double) covered / (double) test->n_items : NAN;
}
