/*
 * canonical_lanes.h: the loops of canonical.c for LANES rows at a time; see lanes.h.
 */
#define Lanes     CRM_LANES
#define Words     CRM_LANES_WORDS
#define NAME(fun) CRM_LANES_NAME(fun, LANES)

/* Mix each word as crm_mix64 does. */
#define MIX(x)                                                                                     \
	do                                                                                             \
	{                                                                                              \
		(x) ^= (x) >> 33;                                                                          \
		(x) *= UINT64_C(0xff51afd7ed558ccd);                                                       \
		(x) ^= (x) >> 33;                                                                          \
		(x) *= UINT64_C(0xc4ceb9fe1a85ec53);                                                       \
		(x) ^= (x) >> 33;                                                                          \
	} while (0)

/* Add up the mixed values of n rows, n a multiple of eight, to eight sums; see sum_values. */
CRM_LANES_TARGET static void
NAME(add_up)(const double *column, const uint64_t *hash, size_t n, uint64_t *sums)
{
	Words sum = {0};

	for (size_t i = 0; i < n; i += LANES)
	{
		Words word = (Words) (CRM_LANES_AT(column + i) + 0.0);

		MIX(word);
		if (hash != NULL)
		{
			word ^= CRM_LANES_WORDS_AT(hash + i);
			MIX(word);
		}
		sum += word;
	}
	CRM_LANES_WORDS_AT(sums) = sum;
}

/* Add a column to the hashes of n rows, n a multiple of eight; see add_column. */
CRM_LANES_TARGET static void
NAME(mix_in)(const double *column, uint64_t key, size_t n, uint64_t *hash)
{
	for (size_t i = 0; i < n; i += LANES)
	{
		Words word = (Words) (CRM_LANES_AT(column + i) + 0.0);

		MIX(word);
		word ^= key;
		MIX(word);
		CRM_LANES_WORDS_AT(hash + i) += word;
	}
}

#undef Lanes
#undef Words
#undef NAME
#undef MIX
#undef LANES
