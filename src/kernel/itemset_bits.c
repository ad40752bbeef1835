/*
 * itemset_bits.c: how many rows two bit vectors have in common; see itemset_bits.h.
 *
 * x86-64 at large has no instruction that counts bits, so there is a version without.
 */
#include "kernel/itemset_bits.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_POPCNT 1
#else
#define HAVE_POPCNT 0
#endif

/* Count the bits of a word: in pairs, in fours, in bytes, then all bytes at once. */
static inline uint64_t
count_word(uint64_t word)
{
	word -= word >> 1 & UINT64_C(0x5555555555555555);
	word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
	word = (word + (word >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
	return word * UINT64_C(0x0101010101010101) >> 56;
}

#if HAVE_POPCNT
/* Do crm_itemset_bits_count on a processor that counts bits. */
__attribute__((target("popcnt"))) static void
count_popcnt(const uint64_t *one, const uint64_t *others, size_t words, uint32_t n,
			 uint32_t *counts)
{
	for (uint32_t k = 0; k < n; k++, others += words)
	{
		uint64_t common = 0;

		for (size_t w = 0; w < words; w++)
			common += (uint64_t) __builtin_popcountll(one[w] & others[w]);
		counts[k] = (uint32_t) common;
	}
}
#endif

/* Do crm_itemset_bits_count on any processor. */
static void
count_plainly(const uint64_t *one, const uint64_t *others, size_t words, uint32_t n,
			  uint32_t *counts)
{
	for (uint32_t k = 0; k < n; k++, others += words)
	{
		uint64_t common = 0;

		for (size_t w = 0; w < words; w++)
			common += count_word(one[w] & others[w]);
		counts[k] = (uint32_t) common;
	}
}

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
	count_plainly(one, others, words, n, counts);
}
