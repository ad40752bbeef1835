/*
 * itemset_bits.c: how many rows two bit vectors have in common; see itemset_bits.h.
 *
 * The loop is compiled twice: x86-64 at large has no instruction that counts bits.
 */
#include "kernel/itemset_bits.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_POPCNT 1
#else
#define HAVE_POPCNT 0
#endif

/* The loop of crm_itemset_bits_count. */
static inline __attribute__((always_inline)) void
count(const uint64_t *one, const uint64_t *others, size_t words, uint32_t n, uint32_t *counts)
{
	for (uint32_t k = 0; k < n; k++, others += words)
	{
		uint64_t common = 0;

		for (size_t w = 0; w < words; w++)
			common += (uint64_t) __builtin_popcountll(one[w] & others[w]);
		counts[k] = (uint32_t) common;
	}
}

#if HAVE_POPCNT
/* The same for processors that count bits. */
__attribute__((target("popcnt"))) static void
count_popcnt(const uint64_t *one, const uint64_t *others, size_t words, uint32_t n,
			 uint32_t *counts)
{
	count(one, others, words, n, counts);
}
#endif

/* Count what one vector has in common with each of n others that lie one after another. */
void
crm_itemset_bits_count(const uint64_t *one, const uint64_t *others, size_t words, uint32_t n,
					   uint32_t *counts)
{
#if HAVE_POPCNT
	if (__builtin_cpu_supports("popcnt"))
	{
		count_popcnt(one, others, words, n, counts);
		return;
	}
#endif
	count(one, others, words, n, counts);
}
