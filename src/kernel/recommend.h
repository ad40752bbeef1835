/*
 * recommend.h: what to offer next, to a basket or to a customer's history, from what other baskets
 * hold together.
 *
 * With n baskets, n_A of them holding all items of A, n_Aj those that hold item j too:
 *
 *     rule      s(A -> j) = (n_Aj + m n_j / n) / (n_A + m), for antecedents A within the basket:
 *               the confidence n_Aj / n_A, drawn to the item's share by m baskets (m-estimate,
 *               Cestnik 1990, Proc. ECAI, 147-149). The best r rules to j that share no item join
 *               as if they were independent: score = 1 - prod (1 - s). A rule has
 *               n_Aj >= min_count, n_Aj / n_A >= min_confidence, and a lift above 1.
 *     similar   s_ij = n_ij / sqrt(n_i n_j) * n_ij / (n_ij + b): the cosine of Sarwar et al. 2001
 *               (doi 10.1145/371920.372071) with Koren's shrinkage by support (2008, doi
 *               10.1145/1401890.1401944); each item speaks for the nearest neighbours of its own,
 *               all of a lift above 1, and score = sum of s_ij over the basket (Deshpande and
 *               Karypis 2004, doi 10.1145/963770.963776).
 *     popular   score = n_j / n.
 *
 * A list is filled by rules, then by similar items, then by popular ones; within each by score,
 * then by the baskets it rests on, then by n_j, then by item code. So it is one and the same
 * whatever the order of baskets, of items in them, and of the basket asked about.
 *
 * The course: crm_recommend_begin over some baskets, crm_recommend as often as wanted,
 * crm_recommend_end. What an item says of others is worked out when first asked for, and kept.
 * Memory: 45 bytes an item of the data, 4 for each basket that holds a wanted item, 8 for each rule
 * and neighbour of an item asked about.
 * Not handled: quantities, time decay, antecedents of more than three items.
 */
#ifndef CRM_KERNEL_RECOMMEND_H
#define CRM_KERNEL_RECOMMEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/context.h"
#include "kernel/base/baskets.h"

#define CRM_RECOMMEND_MAX_K          10000
#define CRM_RECOMMEND_MAX_ANTECEDENT 3
#define CRM_RECOMMEND_MAX_RULES      10
#define CRM_RECOMMEND_MAX_NEIGHBOURS 1000

typedef enum CrmRecommendMethod
{
	CRM_RECOMMEND_RULE,
	CRM_RECOMMEND_SIMILAR,
	CRM_RECOMMEND_POPULAR,
	CRM_RECOMMEND_METHODS /* how many */
} CrmRecommendMethod;

typedef struct CrmRecommendParam
{
	uint32_t k;                      /* items wanted, 1 to CRM_RECOMMEND_MAX_K */
	bool use[CRM_RECOMMEND_METHODS]; /* which methods may fill the list; at least one */
	uint32_t max_antecedent;         /* items of a rule's, 1 to CRM_RECOMMEND_MAX_ANTECEDENT */
	uint32_t rules;                  /* r: that join in a score, 1 to CRM_RECOMMEND_MAX_RULES */
	uint32_t min_count;              /* baskets that hold a rule, at least 1 */
	double min_confidence;           /* of a rule, 0 to 1 */
	double prior;                    /* m, in baskets, finite, >= 0 */
	double shrinkage;                /* b, in baskets, finite, >= 0 */
	uint32_t neighbours;             /* of an item, 1 to CRM_RECOMMEND_MAX_NEIGHBOURS */
} CrmRecommendParam;

/* An item that is recommended and what it rests on: the best rule, or the most similar item. */
typedef struct CrmRecommendation
{
	double score;
	CrmRecommendMethod method;
	uint32_t item;
	uint32_t length;                                   /* of the antecedent; 0: popular */
	uint32_t antecedent[CRM_RECOMMEND_MAX_ANTECEDENT]; /* item codes, ascending */
	uint32_t antecedent_count;                         /* n_A; n when popular */
	uint32_t together;                                 /* n_Aj; n_j when popular */
	uint32_t count;                                    /* n_j */
} CrmRecommendation;

/* An array that grows. */
typedef struct CrmRecommendRoom
{
	void *entries;
	size_t n, room;
} CrmRecommendRoom;

/* A recommender over baskets; what its parts mean is told in recommend_index.h. */
typedef struct CrmRecommender
{
	CrmCtx *ctx;
	const CrmBaskets *baskets;
	CrmRecommendParam param;
	uint32_t *count;                   /* n_j of each item */
	uint64_t *start;                   /* n_items + 1: tids[start[j]] .. are the baskets with j */
	uint32_t *tids;                    /* ascending; none for an item that is not wanted */
	struct CrmRecommendRow **rows;     /* of each item; NULL until asked for */
	struct CrmRecommendTally *tally;   /* of each item; all zero between uses */
	uint32_t *touched;                 /* the items that the tally has counted */
	uint32_t *candidates;              /* the items with a chain of reasons */
	uint32_t *head;                    /* the first reason for each item, or none */
	uint8_t *state;                    /* of each item: basket, known, taken */
	uint32_t *popular;                 /* all items, the most popular first; NULL until asked for */
	struct CrmRecommendation *nearest; /* room for the neighbours of an item */
	CrmRecommendRoom reasons;
	CrmRecommendRoom antecedents;
	uint32_t n_candidates;
	uint64_t work; /* since the last poll */
} CrmRecommender;

/* Give the share of the antecedent's baskets that hold the item too; of all when popular. */
static inline double
crm_recommend_confidence(const CrmRecommendation *told)
{
	return (double) told->together / (double) told->antecedent_count;
}

/* Tell how many times more often the item comes with its antecedent than among all n baskets. */
static inline double
crm_recommend_lift(const CrmRecommendation *told, uint32_t n)
{
	return (double) told->together * (double) n /
		   ((double) told->antecedent_count * (double) told->count);
}

extern void crm_recommend_defaults(CrmRecommendParam *param);
extern bool crm_recommend_check(const CrmRecommendParam *param, char *why, size_t n);
extern CrmStatus crm_recommend_begin(CrmRecommender *recommender, CrmCtx *ctx,
									 const CrmBaskets *baskets, const CrmRecommendParam *param,
									 const uint32_t *wanted, uint32_t n_wanted);
extern void crm_recommend_end(CrmRecommender *recommender);
extern CrmStatus crm_recommend(CrmRecommender *recommender, const uint32_t *basket,
							   uint32_t n_basket, const uint32_t *known, uint32_t n_known,
							   CrmRecommendation *list, uint32_t *n);
extern CrmStatus crm_recommend_similar(CrmRecommender *recommender, uint32_t item,
									   CrmRecommendation *list, uint32_t *n);

#endif
