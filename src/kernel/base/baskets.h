/*
 * baskets.h: baskets of items as rows of codes, one after another (compressed sparse rows).
 */
#ifndef CRM_KERNEL_BASKETS_H
#define CRM_KERNEL_BASKETS_H

#include <stdint.h>

/* Baskets; caller-owned. */
typedef struct CrmBaskets
{
	uint32_t n;            /* baskets, the empty ones included: the denominator of support */
	uint32_t n_items;      /* item codes are 0 .. n_items - 1 */
	const uint64_t *start; /* n + 1: basket b holds items[start[b]] .. items[start[b + 1] - 1] */
	const uint32_t *items; /* any order; repeats in a basket count once */
} CrmBaskets;

#endif
