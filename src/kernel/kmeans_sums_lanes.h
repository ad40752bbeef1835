/*
 * kmeans_sums_lanes.h: the loop of kmeans_sums.c for LANES columns at a time; see lanes.h.
 */
#define Lanes     CRM_LANES
#define NAME(fun) CRM_LANES_NAME(fun, LANES)
#define AT        CRM_LANES_AT

/* Move LANES columns of n rows: values holds eight of each row, parts and split begin there. */
CRM_LANES_TARGET static inline __attribute__((always_inline)) void
NAME(move_part)(double *parts, size_t stride, const double *split, const double *values,
				const CrmKmeansMove *moves, size_t n)
{
	Lanes at = AT(split);

	for (size_t m = 0; m < n; m++)
	{
		Lanes term = AT(values + m * CRM_LANES_ALL) * moves[m].weight;
		Lanes upper = (term + at) - at, lower = term - upper;

		if (moves[m].to >= 0)
		{
			double *to = parts + (size_t) moves[m].to * 2 * stride;

			AT(to) = AT(to) + upper;
			AT(to + stride) = AT(to + stride) + lower;
		}
		if (moves[m].from >= 0)
		{
			double *from = parts + (size_t) moves[m].from * 2 * stride;

			AT(from) = AT(from) - upper;
			AT(from + stride) = AT(from + stride) - lower;
		}
	}
}

/* Move eight columns of n rows: values holds them row by row, parts and split begin there. */
CRM_LANES_TARGET static void
NAME(move)(double *parts, size_t stride, const double *split, const double *values,
		   const CrmKmeansMove *moves, size_t n)
{
	for (int v = 0; v < CRM_LANES_ALL; v += LANES)
		NAME(move_part)(parts + v, stride, split + v, values + v, moves, n);
}

#undef Lanes
#undef NAME
#undef AT
#undef LANES
