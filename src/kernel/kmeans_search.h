/*
 * kmeans_search.h: a local search that leaves optima of Lloyd's iteration for better ones, where
 * the data are small enough to afford it.
 *
 *     exchange  move a row to the cluster where it costs least, both centres following at once
 *               (Hartigan and Wong 1979, doi 10.2307/2346830), while for some row and cluster
 *                   w n_b / (n_b + w) |x - c_b|^2 < w n_a / (n_a - w) |x - c_a|^2
 *     swap      put a centre on a row that is drawn with probability proportional to
 *               w_i min_j |x_i - c_j|^2, iterate and exchange, and keep that if it is better
 *               (Lattanzi and Sohler 2019, PMLR 97: 3662). Which centre: in turn one at random, and
 *               the one whose loss costs least
 *
 * Bounds: only when n k d <= CRM_SEARCH_TERMS; at most CRM_SEARCH_TRIALS swaps for each cluster, up
 * to CRM_SEARCH_MOST_TRIALS in all, and no further one after CRM_SEARCH_WORK terms of distances.
 *
 * Invariants: inertia never rises; the state ends in a fixed point of Lloyd's iteration; the same
 * rows and the same seed give the same result. Memory: 8 bytes a row and a copy of the centres.
 */
#ifndef CRM_KERNEL_KMEANS_SEARCH_H
#define CRM_KERNEL_KMEANS_SEARCH_H

#include "kernel/kmeans_lloyd.h"

#define CRM_SEARCH_TERMS       ((size_t) 1 << 21)
#define CRM_SEARCH_WORK        ((size_t) 1 << 25)
#define CRM_SEARCH_TRIALS      20
#define CRM_SEARCH_MOST_TRIALS 200

extern size_t crm_kmeans_search_bytes(size_t n, int d, int k);
extern bool crm_kmeans_search_is_cheap(size_t n, int d, int k);
extern CrmStatus crm_kmeans_search_exchange(CrmLloyd *lloyd, size_t *moves);
extern CrmStatus crm_kmeans_search(CrmLloyd *lloyd, const CrmLloydRule *rule, uint64_t seed,
								   int *improvements);

#endif
