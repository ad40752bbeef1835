/*
 * itemset_bits.c: unit tests of bit vectors, bit by bit.
 */
#include "host.h"

#include "kernel/itemset_bits.h"

int
main(void)
{
	enum
	{
		MAX_WORDS = 40,
		N = 7
	};
	uint64_t one[MAX_WORDS], others[N * MAX_WORDS], common[MAX_WORDS];
	bool counted = true, met = true;

	for (size_t words = 0; words <= MAX_WORDS; words++)
	{
		uint32_t counts[N + 1] = {0};

		for (size_t w = 0; w < words; w++)
			one[w] = words % 3 == 0 ? UINT64_MAX : draw();
		for (size_t w = 0; w < N * words; w++)
			others[w] = words % 5 == 0 ? UINT64_MAX : draw() & draw();
		counts[N] = 77;
		crm_itemset_bits_count(one, others, words, N, counts);
		for (uint32_t k = 0; k < N; k++)
		{
			uint32_t wanted = 0;

			for (size_t bit = 0; bit < 64 * words; bit++)
				wanted += one[bit / 64] >> bit % 64 & others[k * words + bit / 64] >> bit % 64 & 1;
			counted &= counts[k] == wanted;
		}
		counted &= counts[N] == 77;
		crm_itemset_bits_and(common, one, others, words);
		for (size_t w = 0; w < words; w++)
			met &= common[w] == (one[w] & others[w]);
	}
	ok(counted, "vectors are counted together as bit by bit");
	ok(met, "and what they have in common is in both");
	return tap_done();
}
