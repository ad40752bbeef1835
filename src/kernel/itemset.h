/*
 * itemset.h: frequent itemsets of baskets, by two miners that share nothing but their input and
 * their output: Eclat and FP-growth.
 *
 *     support(X) = |{ baskets b : X is a subset of b }|,    X frequent: support(X) >= min_count
 *     closed     frequent, and no proper superset has the same support
 *     maximal    frequent, and no proper superset is frequent
 *
 * What the constraints mean:
 *     excluded   these items are as if they were in no basket: closed and maximal are meant within
 *                the others.
 *     required   sets that hold at least one of these items; as a superset of such a set is one,
 *                too, it does not matter whether closed and maximal are meant before or after.
 *     lengths    choose among the sets: closed and maximal are meant among the sets of all lengths,
 *                so a maximal set that is longer than max_length leaves nothing in its place.
 *     top_k      choose, last of all, the k sets of the largest support; of equals the shorter one,
 *                then the one whose ascending codes come first. They are reported in that order.
 *                The threshold rises during the search, but for maximal sets, which depend on it.
 * The empty set is never reported. Without top_k the order of the reports is that of the search:
 * the same for the same baskets, but no order that means something.
 *
 * Eclat (Zaki 2000, doi 10.1109/69.846291) goes from set to set, an item more each time, rarer
 * items first. Baskets with the set at hand are kept as rows, which deliver their items to the
 * counts (Uno, Kiyomi and Arimura 2004, LCM 2), while they are sparse, and as bit vectors where
 * they are dense. Items that every basket of a set has are set aside (perfect extensions). For
 * closed and maximal sets the items that the search has left behind are carried along, as Bron and
 * Kerbosch do (1973, doi 10.1145/362342.362367), so nothing that was found needs to be kept.
 * FP-growth (Han, Pei and Yin 2000, doi 10.1145/335191.335372) makes a prefix tree of the baskets
 * and one of each item's prefixes. For closed and maximal sets it keeps all frequent sets and marks
 * those that a set of one item more rules out: memory for all of them. AUTO is Eclat.
 *
 * Invariants: all memory is the context's and is given back, whatever the outcome; a set is made of
 * distinct items; the depth of the search is bounded by the longest basket and its state is on an
 * explicit stack. Eclat takes 8 bytes an item of a basket at most, besides 4 a basket. Not handled:
 * more than 2^32 - 2 items of all baskets that are frequent (CRM_LIMIT).
 */
#ifndef CRM_KERNEL_ITEMSET_H
#define CRM_KERNEL_ITEMSET_H

#include "kernel/base/baskets.h"
#include "kernel/base/context.h"

typedef enum CrmItemsetTarget
{
	CRM_ITEMSET_FREQUENT,
	CRM_ITEMSET_CLOSED,
	CRM_ITEMSET_MAXIMAL
} CrmItemsetTarget;

typedef enum CrmItemsetAlgorithm
{
	CRM_ITEMSET_AUTO,
	CRM_ITEMSET_ECLAT,
	CRM_ITEMSET_FPGROWTH
} CrmItemsetAlgorithm;

typedef struct CrmItemsetParam
{
	CrmItemsetTarget target;
	CrmItemsetAlgorithm algorithm;
	uint32_t min_count;      /* baskets, at least 1 */
	uint32_t min_length;     /* at least 1 */
	uint32_t max_length;     /* 0: no bound */
	uint64_t top_k;          /* 0: all */
	const uint8_t *required; /* n_items flags, or NULL */
	const uint8_t *excluded; /* n_items flags, or NULL */
} CrmItemsetParam;

/*
 * Takes one itemset: its codes, ascending, which live for the call, and its support. Another answer
 * than CRM_OK stops the mining and is its result.
 */
typedef CrmStatus (*CrmItemsetReport)(void *arg, const uint32_t *items, uint32_t length,
									  uint32_t count);

extern const char *crm_itemset_check(const CrmBaskets *baskets, const CrmItemsetParam *param,
									 char *why, size_t n);
extern CrmStatus crm_itemset_mine(CrmCtx *ctx, const CrmBaskets *baskets,
								  const CrmItemsetParam *param, CrmItemsetReport report, void *arg);
extern CrmStatus crm_itemset_profile(CrmCtx *ctx, const CrmBaskets *baskets,
									 const uint32_t *min_counts, int n_levels, uint64_t cap,
									 uint64_t *n_itemsets);

#endif
