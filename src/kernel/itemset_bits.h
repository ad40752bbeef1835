/*
 * itemset_bits.h: sets of rows as bit vectors of whole words, and how many rows two have in common.
 */
#ifndef CRM_KERNEL_ITEMSET_BITS_H
#define CRM_KERNEL_ITEMSET_BITS_H

#include <stddef.h>
#include <stdint.h>

extern void crm_itemset_bits_count(const uint64_t *one, const uint64_t *others, size_t words,
								   uint32_t n, uint32_t *counts);

/* Put what two vectors have in common into a third. */
static inline void
crm_itemset_bits_and(uint64_t *common, const uint64_t *one, const uint64_t *other, size_t words)
{
	for (size_t w = 0; w < words; w++)
		common[w] = one[w] & other[w];
}

#endif
