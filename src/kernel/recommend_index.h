/*
 * recommend_index.h: the parts that recommendations are made of: which baskets hold an item, what
 * those baskets hold besides, and the best of many candidates.
 *
 * Private to the family.
 */
#ifndef CRM_KERNEL_RECOMMEND_INDEX_H
#define CRM_KERNEL_RECOMMEND_INDEX_H

#include "kernel/recommend.h"

#include <math.h>

#define CRM_RECOMMEND_NONE UINT32_MAX

/* How many of the baskets at hand hold an item. */
typedef struct CrmRecommendTally
{
	uint32_t last; /* 1 + the last basket that was counted; 0: none */
	uint32_t count;
} CrmRecommendTally;

/* An item next to another one, and the baskets that hold both. */
typedef struct CrmRecommendPair
{
	uint32_t item;
	uint32_t together;
} CrmRecommendPair;

/* What an item says of others: first the rules from it alone, then its nearest neighbours. */
typedef struct CrmRecommendRow
{
	uint32_t n_rules;
	uint32_t n_similar;
	CrmRecommendPair pairs[];
} CrmRecommendRow;

/* Tell how like two items are that so many baskets hold together. */
static inline double
crm_recommend_similarity(const CrmRecommender *recommender, uint32_t i, uint32_t j,
						 uint32_t together)
{
	double product = (double) recommender->count[i] * (double) recommender->count[j];
	double both = together;

	return both / sqrt(product) * (both / (both + recommender->param.shrinkage));
}

/* Give the share of an item among those who have an antecedent, drawn to its share among all. */
static inline double
crm_recommend_strength(const CrmRecommender *recommender, uint32_t item, uint32_t antecedent_count,
					   uint32_t together)
{
	double share = (double) recommender->count[item] / (double) recommender->baskets->n;
	double prior = recommender->param.prior;

	return ((double) together + prior * share) / ((double) antecedent_count + prior);
}

/* Tell whether an item is in more of the baskets with an antecedent than chance would put there. */
static inline bool
crm_recommend_is_lifted(const CrmRecommender *recommender, uint32_t item, uint32_t antecedent_count,
						uint32_t together)
{
	return (uint64_t) together * recommender->baskets->n >
		   (uint64_t) antecedent_count * recommender->count[item];
}

/* Tell whether so many baskets with an antecedent and with an item too make a rule. */
static inline bool
crm_recommend_is_rule(const CrmRecommender *recommender, uint32_t item, uint32_t antecedent_count,
					  uint32_t together)
{
	const CrmRecommendParam *param = &recommender->param;

	return together >= param->min_count &&
		   (double) together / (double) antecedent_count >= param->min_confidence &&
		   crm_recommend_is_lifted(recommender, item, antecedent_count, together);
}

extern CrmStatus crm_recommend_count(CrmRecommender *recommender, const uint32_t *tids, uint32_t n,
									 uint32_t *n_touched);
extern void crm_recommend_forget(CrmRecommender *recommender, uint32_t n_touched);
extern CrmStatus crm_recommend_nearest(CrmRecommender *recommender, uint32_t item,
									   uint32_t n_touched, bool is_lifted, uint32_t k,
									   CrmRecommendation *list, uint32_t *n);
extern CrmStatus crm_recommend_row(CrmRecommender *recommender, uint32_t item,
								   const CrmRecommendRow **row);
extern CrmStatus crm_recommend_popularity(CrmRecommender *recommender);
extern CrmStatus crm_recommend_work(CrmRecommender *recommender, uint64_t operations);
extern void crm_recommend_place(CrmRecommendation *list, uint32_t *n, uint32_t k,
								const CrmRecommendation *candidate);
extern void crm_recommend_sort(CrmRecommendation *list, uint32_t n);

/* Give how many baskets hold an item, and which. */
static inline const uint32_t *
crm_recommend_tids(const CrmRecommender *recommender, uint32_t item, uint32_t *n)
{
	*n = (uint32_t) (recommender->start[item + 1] - recommender->start[item]);
	return recommender->tids + recommender->start[item];
}

#endif
