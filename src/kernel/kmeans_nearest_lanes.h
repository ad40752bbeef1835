/*
 * kmeans_nearest_lanes.h: the loops of kmeans_nearest.c for LANES rows at a time; see lanes.h.
 *
 * Four vectors go together, so that four independent sums hide the latency of an addition and a
 * centre's coordinate is fetched once for all of them.
 */
#define Lanes     CRM_LANES
#define Bits      CRM_LANES_BITS
#define NAME(fun) CRM_LANES_NAME(fun, LANES)
#define AT        CRM_LANES_AT
#define BITS_AT   CRM_LANES_BITS_AT
#define CHOOSE    CRM_LANES_CHOOSE
#define TOGETHER  4                       /* vectors */
#define GROUP     (TOGETHER * LANES)      /* rows */
#define IN_EIGHT  (CRM_LANES_ALL / LANES) /* vectors of eight accumulators */
#define INLINE    static inline __attribute__((always_inline))

/* Give the squared distances of a group's rows to a centre; column f begins at x[f] + first. */
#define SQUARES(square, column_at)                                                                 \
	do                                                                                             \
	{                                                                                              \
		for (int v = 0; v < TOGETHER; v++)                                                         \
			square[v] = (Lanes){0};                                                                \
		for (int f = 0; f < d; f++)                                                                \
		{                                                                                          \
			const double *column = (column_at);                                                    \
			Lanes coordinate = CRM_LANES_OF(centre[f]);                                            \
                                                                                                   \
			_Pragma("GCC unroll 4") for (int v = 0; v < TOGETHER; v++)                             \
			{                                                                                      \
				Lanes difference = AT(column + v * LANES) - coordinate;                            \
                                                                                                   \
				square[v] += difference * difference;                                              \
			}                                                                                      \
		}                                                                                          \
	} while (0)

/* Compare a group's rows with the centres first to end - 1; with_next keeps the second's label. */
CRM_LANES_TARGET INLINE void
NAME(compare)(const double *group, int d, const double *centres, int first, int end, double *bests,
			  double *seconds, int64_t *labels, int64_t *nexts, bool with_next)
{
	Lanes best[TOGETHER], second[TOGETHER];
	Bits label[TOGETHER], next[TOGETHER];

	for (int v = 0; v < TOGETHER; v++)
	{
		best[v] = AT(bests + v * LANES);
		second[v] = AT(seconds + v * LANES);
		label[v] = BITS_AT(labels + v * LANES);
		next[v] = BITS_AT(nexts + v * LANES);
	}
	for (int j = first; j < end; j++)
	{
		const double *centre = centres + (size_t) j * d;
		Bits mine = (Bits){0} + j;
		Lanes square[TOGETHER];

		SQUARES(square, group + f * CRM_NEAREST_TILE);
#pragma GCC unroll 4
		for (int v = 0; v < TOGETHER; v++)
		{
			Bits is_best = square[v] < best[v];
			Lanes worse = CHOOSE(Lanes, is_best, best[v], square[v]);
			Bits is_second = worse < second[v];

			if (with_next)
			{
				next[v] = CHOOSE(Bits, is_second, mine, next[v]);
				next[v] = CHOOSE(Bits, is_best, label[v], next[v]);
			}
			best[v] = CHOOSE(Lanes, is_best, square[v], best[v]);
			label[v] = CHOOSE(Bits, is_best, mine, label[v]);
			second[v] = CHOOSE(Lanes, is_second, worse, second[v]);
		}
	}
	for (int v = 0; v < TOGETHER; v++)
	{
		AT(bests + v * LANES) = best[v];
		AT(seconds + v * LANES) = second[v];
		BITS_AT(labels + v * LANES) = label[v];
		BITS_AT(nexts + v * LANES) = next[v];
	}
}

/* See crm_kmeans_nearest_tile. */
CRM_LANES_TARGET static void
NAME(tile)(const double *tile, int d, const double *centres, int first, int end,
		   CrmNearest *nearest)
{
	for (int i = 0; i < CRM_NEAREST_TILE; i += GROUP)
		NAME(compare)
	(tile + i, d, centres, first, end, nearest->best + i, nearest->second + i, nearest->label + i,
	 nearest->next + i, false);
}

/* See crm_kmeans_nearest_tile_two. */
CRM_LANES_TARGET static void
NAME(tile_two)(const double *tile, int d, const double *centres, int first, int end,
			   CrmNearest *nearest)
{
	for (int i = 0; i < CRM_NEAREST_TILE; i += GROUP)
		NAME(compare)
	(tile + i, d, centres, first, end, nearest->best + i, nearest->second + i, nearest->label + i,
	 nearest->next + i, true);
}

/* Copy 32 values. */
CRM_LANES_TARGET static void
NAME(copy)(const double *from, double *to)
{
	for (int i = 0; i < CRM_NEAREST_TILE; i += LANES)
		AT(to + i) = AT(from + i);
}

/*
 * Give the square roots of numbers from 1e-300 to 1e306, to 1e-15, by Newton's iteration for
 * 1 / sqrt(x) from the customary start (Lomont 2003); of smaller ones the result may be too small.
 */
#define ROOTS(square, result)                                                                      \
	do                                                                                             \
	{                                                                                              \
		Lanes of = CHOOSE(Lanes, (square) < INFINITY, (square), CRM_LANES_OF(1e300));              \
		Lanes root = (Lanes) (INT64_C(0x5FE6EB50C7B537A9) - ((Bits) of >> 1));                     \
                                                                                                   \
		for (int step = 0; step < 4; step++)                                                       \
			root = root * (1.5 - (0.5 * of * root) * root);                                        \
		(result) = of * root;                                                                      \
	} while (0)

/* See crm_kmeans_nearest_slack. */
CRM_LANES_TARGET static void
NAME(slack)(const CrmNearest *nearest, double error, double least, double *slack)
{
	for (int i = 0; i < CRM_NEAREST_TILE; i += LANES)
	{
		Lanes near, far;

		ROOTS(AT(nearest->best + i), near);
		ROOTS(AT(nearest->second + i), far);
		AT(slack + i) = (far - near) - error * (far + near) - least;
	}
}

/* See crm_kmeans_nearest_squares; count is a multiple of 32. */
CRM_LANES_TARGET static void
NAME(squares)(const double *const *x, int d, size_t first, size_t count, const double *centre,
			  double *squares)
{
	for (size_t i = 0; i < count; i += GROUP)
	{
		Lanes square[TOGETHER];

		SQUARES(square, x[f] + first + i);
		for (int v = 0; v < TOGETHER; v++)
			AT(squares + i + v * LANES) = square[v];
	}
}

/* See crm_kmeans_nearest_lower; n is a multiple of eight. */
CRM_LANES_TARGET static void
NAME(lower)(const double *share, const double *squares, size_t n, double *lowered)
{
	for (size_t i = 0; i < n; i += LANES)
	{
		Lanes a = AT(share + i), b = AT(squares + i);

		AT(lowered + i) = CHOOSE(Lanes, b < a, b, a);
	}
}

/* Give the eight sums of crm_kmeans_nearest_sum; n is a multiple of eight. */
CRM_LANES_TARGET static void
NAME(sum)(const double *weights, const double *values, size_t n, double *sums)
{
	Lanes sum[IN_EIGHT] = {0};

	if (weights != NULL)
		for (size_t i = 0; i < n; i += CRM_LANES_ALL)
			for (int v = 0; v < IN_EIGHT; v++)
				sum[v] += AT(weights + i + v * LANES) * AT(values + i + v * LANES);
	else
		for (size_t i = 0; i < n; i += CRM_LANES_ALL)
			for (int v = 0; v < IN_EIGHT; v++)
				sum[v] += AT(values + i + v * LANES);
	for (int v = 0; v < IN_EIGHT; v++)
		AT(sums + v * LANES) = sum[v];
}

/* Turn n squares, a multiple of eight, into their roots. */
CRM_LANES_TARGET static void
NAME(roots)(double *squares, size_t n)
{
	for (size_t i = 0; i < n; i += LANES)
		ROOTS(AT(squares + i), AT(squares + i));
}

/*
 * Widen ranges by n values, a multiple of eight; odd becomes other than zero where one was not
 * finite. The first LANES of lows, highs and odd are used.
 */
CRM_LANES_TARGET static void
NAME(range)(const double *values, size_t n, double *lows, double *highs, int64_t *odd)
{
	Lanes low = AT(lows), high = AT(highs);
	Bits is_odd = {0};

	for (size_t i = 0; i < n; i += LANES)
	{
		Lanes x = AT(values + i);

		is_odd |= (Bits) (x - x != (Lanes){0});
		low = CHOOSE(Lanes, x < low, x, low);
		high = CHOOSE(Lanes, x > high, x, high);
	}
	AT(lows) = low;
	AT(highs) = high;
	BITS_AT(odd) = is_odd;
}

#undef Lanes
#undef Bits
#undef NAME
#undef AT
#undef BITS_AT
#undef CHOOSE
#undef TOGETHER
#undef GROUP
#undef IN_EIGHT
#undef INLINE
#undef SQUARES
#undef ROOTS
#undef LANES
