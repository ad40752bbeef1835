/*
 * itemset.h: baskets of items.
 */
#ifndef CRM_KERNEL_ITEMSET_H
#define CRM_KERNEL_ITEMSET_H

#include <stdint.h>

#include "kernel/base/context.h"

typedef struct CrmBaskets
{
	uint32_t n;
	uint32_t n_items;
	const uint64_t *start;
	const uint32_t *items;
} CrmBaskets;

#endif
