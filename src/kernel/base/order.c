/*
 * order.c: order statistics by selection, and a stable radix sort of an index; see order.h.
 *
 * Selection of several ranks is quicksort that drops the parts without a wanted rank:
 *
 *     values[0 .. rank) <= values[rank] <= values(rank .. n)    for each wanted rank
 *
 * after Hoare 1961 (Algorithm 65: FIND, doi 10.1145/366622.366647), with the ninther of Bentley and
 * McIlroy 1993 (doi 10.1002/spe.4380231105) as its pivot, and the bound on depth of Musser 1997
 * (doi 10.1002/(SICI)1097-024X(199708)27:8<983::AID-SPE117>3.0.CO;2-#), past which a part is
 * sorted by heapsort: O(n) expected for few ranks, O(n log n) at worst.
 *
 * Invariants: a part [first, end) holds exactly the values of these ranks, and for first > 0 none
 * of them is below values[first - 1]. Selection moves values by swaps alone, so they are a
 * permutation of the input after an abort too.
 */
#include "kernel/base/order.h"

enum
{
	POLL_EVERY = 1 << 20, /* elementary steps between two polls */
	SMALL = 24,           /* parts up to here are sorted by insertion */
	NINTHER = 128,        /* parts from here on take the ninther, shorter ones the median of 3 */
	STACK = 64,           /* the shorter part comes first, so log2(SIZE_MAX) entries suffice */
	DIGIT_BITS = 11,      /* 2048 counters stay in the first-level cache */
	DIGITS = (64 + DIGIT_BITS - 1) / DIGIT_BITS,
	BUCKETS = 1 << DIGIT_BITS
};

/* A range of values still out of order, and the wanted ranks that lie in it. */
typedef struct Part
{
	size_t first, end;
	size_t rank_first, rank_end;
	int depth; /* partitions left before heapsort */
} Part;

typedef struct Select
{
	CrmCtx *ctx;
	uint64_t *values;
	const size_t *ranks;
	size_t work; /* elementary steps since the last poll */
	Part stack[STACK];
	int n_stack;
} Select;

/*
 * Give the 0-based rank of the k-th of `bins` quantiles of n values, ceil(n k / bins) - 1, in
 * integers and without overflow. Domain: n >= 1, bins >= 1, 1 <= k <= bins; outside it the answer
 * is the nearest rank there is: 0 for k = 0, bins = 0 or n = 0, and n - 1 for k > bins.
 */
size_t
crm_quantile_rank(size_t n, uint32_t k, uint32_t bins)
{
	uint64_t rest, part;

	if (n == 0 || k == 0 || bins == 0)
		return 0;
	if (k >= bins)
		return n - 1;

	/* n = q bins + rest, so n k / bins = q k + rest k / bins, and rest k < 2^64 */
	rest = (uint64_t) (n % bins) * k;
	part = rest / bins + (rest % bins > 0);
	return n / bins * k + (size_t) part - 1;
}

/* Count steps of work; true when the host asks to stop. */
static bool
is_stopped(Select *select, size_t steps)
{
	select->work += steps;
	if (select->work < POLL_EVERY)
		return false;
	select->work = 0;
	return crm_poll(select->ctx);
}

static inline void
swap(uint64_t *values, size_t i, size_t j)
{
	uint64_t kept = values[i];

	values[i] = values[j];
	values[j] = kept;
}

static void
insertion_sort(uint64_t *values, size_t first, size_t end)
{
	for (size_t i = first + 1; i < end; i++)
	{
		uint64_t value = values[i];
		size_t hole = i;

		for (; hole > first && values[hole - 1] > value; hole--)
			values[hole] = values[hole - 1];
		values[hole] = value;
	}
}

/* Let the root of a heap of n values sink to its place. */
static void
sink(uint64_t *heap, size_t root, size_t n)
{
	uint64_t value = heap[root];

	for (size_t child = 2 * root + 1; child < n; child = 2 * root + 1)
	{
		if (child + 1 < n && heap[child + 1] > heap[child])
			child++;
		if (heap[child] <= value)
			break;
		heap[root] = heap[child];
		root = child;
	}
	heap[root] = value;
}

static CrmStatus
heap_sort(Select *select, size_t first, size_t end)
{
	uint64_t *heap = select->values + first;
	size_t n = end - first;

	for (size_t root = n / 2; root-- > 0;)
	{
		sink(heap, root, n);
		if (is_stopped(select, 8))
			return CRM_ABORTED;
	}
	for (size_t last = n; last-- > 1;)
	{
		swap(heap, 0, last);
		sink(heap, 0, last);
		if (is_stopped(select, 64))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Give which of three positions holds their median. */
static size_t
median_of_3(const uint64_t *values, size_t a, size_t b, size_t c)
{
	if (values[a] < values[b])
		return values[b] < values[c] ? b : values[a] < values[c] ? c : a;
	return values[a] < values[c] ? a : values[b] < values[c] ? c : b;
}

/* Give the position of a pivot for [first, end): the ninther, or the median of 3 when short. */
static size_t
choose_pivot(const uint64_t *values, size_t first, size_t end)
{
	size_t step = (end - first - 1) / 8;

	if (end - first < NINTHER)
		return median_of_3(values, first, first + (end - first) / 2, end - 1);
	return median_of_3(values, median_of_3(values, first, first + step, first + 2 * step),
					   median_of_3(values, first + 3 * step, first + 4 * step, first + 5 * step),
					   median_of_3(values, first + 6 * step, first + 7 * step, first + 8 * step));
}

/*
 * Bring the values of [first, end) that are <= limit to its front and give the end of that front in
 * *middle. No branch depends on the data, so random input costs no mispredictions.
 */
static CrmStatus
partition(Select *select, size_t first, size_t end, uint64_t limit, size_t *middle)
{
	uint64_t *values = select->values;
	size_t front = first;

	for (size_t start = first; start < end;)
	{
		size_t stop = end - start > POLL_EVERY ? start + POLL_EVERY : end;

		for (size_t i = start; i < stop; i++)
		{
			uint64_t value = values[i];

			values[i] = values[front];
			values[front] = value;
			front += value <= limit;
		}
		if (is_stopped(select, stop - start))
			return CRM_ABORTED;
		start = stop;
	}
	*middle = front;
	return CRM_OK;
}

/* Give the first of the ranks [rank_first, rank_end) that is >= bound. */
static size_t
find_rank(const size_t *ranks, size_t rank_first, size_t rank_end, size_t bound)
{
	while (rank_first < rank_end)
	{
		size_t middle = rank_first + (rank_end - rank_first) / 2;

		if (ranks[middle] < bound)
			rank_first = middle + 1;
		else
			rank_end = middle;
	}
	return rank_first;
}

/*
 * Split a part around a pivot, keep what still holds a wanted rank: the shorter side in *part, the
 * longer one on the stack. An empty *part says that this one is done.
 */
static CrmStatus
split(Select *select, Part *part)
{
	uint64_t *values = select->values;
	size_t at = choose_pivot(values, part->first, part->end);
	uint64_t pivot = values[at];
	Part left = *part, right = *part;

	left.depth = right.depth = part->depth - 1;
	if (pivot == 0 || (part->first > 0 && values[part->first - 1] == pivot))
	{
		/* nothing is below the pivot, so those equal to it are a block in its final place */
		if (partition(select, part->first, part->end, pivot, &right.first) != CRM_OK)
			return CRM_ABORTED;
		left.end = left.first;
	}
	else
	{
		swap(values, part->first, at);
		if (partition(select, part->first + 1, part->end, pivot - 1, &right.first) != CRM_OK)
			return CRM_ABORTED;
		left.end = right.first - 1;
		swap(values, part->first, left.end);
	}
	left.rank_end = find_rank(select->ranks, part->rank_first, part->rank_end, left.end);
	right.rank_first = find_rank(select->ranks, left.rank_end, part->rank_end, right.first);

	if (left.rank_first == left.rank_end)
		*part = right;
	else if (right.rank_first == right.rank_end)
		*part = left;
	else
	{
		bool is_left_shorter = left.end - left.first < right.end - right.first;

		*part = is_left_shorter ? left : right;
		select->stack[select->n_stack++] = is_left_shorter ? right : left;
	}
	return CRM_OK;
}

/*
 * Rearrange values[0..n) so that for each of the ranks, 0-based and ascending (repeats allowed), no
 * value before values[rank] is larger and none after it is smaller: values[rank] is the order
 * statistic. O(n) expected for few ranks, O(n log n) at worst; allocates nothing.
 * Errors: CRM_DOMAIN, values untouched, for a rank >= n or ranks that descend; CRM_ABORTED, values
 * a permutation of the input.
 */
CrmStatus
crm_select_ranks(CrmCtx *ctx, uint64_t *values, size_t n, const size_t *ranks, size_t n_ranks)
{
	Select select = {.ctx = ctx, .values = values, .ranks = ranks, .work = 0, .n_stack = 0};
	int depth = 0;

	for (size_t i = 0; i < n_ranks; i++)
		if (ranks[i] >= n || (i > 0 && ranks[i] < ranks[i - 1]))
			return CRM_DOMAIN;
	for (size_t length = n; length > 1; length /= 2)
		depth += 2;

	select.stack[select.n_stack++] = (Part){0, n, 0, n_ranks, depth};
	while (select.n_stack > 0)
	{
		Part part = select.stack[--select.n_stack];

		while (part.rank_first < part.rank_end && part.end - part.first > SMALL && part.depth > 0)
			if (split(&select, &part) != CRM_OK)
				return CRM_ABORTED;
		if (part.rank_first == part.rank_end)
			continue;
		if (part.end - part.first <= SMALL)
			insertion_sort(values, part.first, part.end);
		else if (heap_sort(&select, part.first, part.end) != CRM_OK)
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Count each digit from first_digit up of the n keys values[index[i]]. */
static CrmStatus
count_digits(CrmCtx *ctx, const uint64_t *values, const uint32_t *index, size_t n, int first_digit,
			 uint32_t counts[DIGITS][BUCKETS])
{
	memset(counts, 0, sizeof(uint32_t[DIGITS][BUCKETS]));
	for (size_t start = 0; start < n;)
	{
		size_t stop = n - start > POLL_EVERY ? start + POLL_EVERY : n;

		for (size_t i = start; i < stop; i++)
		{
			uint64_t key = values[index[i]];

			for (int digit = first_digit; digit < DIGITS; digit++)
				counts[digit][(key >> (digit * DIGIT_BITS)) & (BUCKETS - 1)]++;
		}
		if (crm_poll(ctx))
			return CRM_ABORTED;
		start = stop;
	}
	return CRM_OK;
}

/* Write the index `from` to `to` in the order of one digit, keeping the order of equal digits. */
static CrmStatus
scatter(CrmCtx *ctx, const uint64_t *values, const uint32_t *from, uint32_t *to, size_t n,
		uint32_t *next, int shift)
{
	for (size_t start = 0; start < n;)
	{
		size_t stop = n - start > POLL_EVERY ? start + POLL_EVERY : n;

		for (size_t i = start; i < stop; i++)
		{
			uint32_t item = from[i];

			to[next[(values[item] >> shift) & (BUCKETS - 1)]++] = item;
		}
		if (crm_poll(ctx))
			return CRM_ABORTED;
		start = stop;
	}
	return CRM_OK;
}

/* Sort by the digits from first_digit up, keeping the order of those equal in them. */
static CrmStatus
sort_by_digits(CrmCtx *ctx, const uint64_t *values, uint32_t *index, uint32_t *scratch, size_t n,
			   int first_digit)
{
	uint32_t counts[DIGITS][BUCKETS];
	uint32_t *from = index, *to = scratch;

	if (n > UINT32_MAX)
		return CRM_DOMAIN;
	if (n < 2)
		return CRM_OK;
	if (count_digits(ctx, values, index, n, first_digit, counts) != CRM_OK)
		return CRM_ABORTED;

	for (int digit = first_digit; digit < DIGITS; digit++)
	{
		int shift = digit * DIGIT_BITS;
		uint32_t *next = counts[digit], *kept = from;
		uint32_t start = 0;

		if (next[(values[index[0]] >> shift) & (BUCKETS - 1)] == n)
			continue;
		for (int bucket = 0; bucket < BUCKETS; bucket++)
		{
			uint32_t count = next[bucket];

			next[bucket] = start;
			start += count;
		}
		if (scatter(ctx, values, from, to, n, next, shift) != CRM_OK)
			return CRM_ABORTED;
		from = to;
		to = kept;
	}
	if (from != index)
		memcpy(index, from, n * sizeof *index);
	return CRM_OK;
}

/*
 * Sort index[0..n), n < 2^32, by values[index[i]] ascending; equal keys keep their order. The index
 * holds positions in values, which the caller vouches for; scratch is the caller's room for n more,
 * its contents are lost. Least significant digit first (Knuth, TAOCP 3, 5.2.5, algorithm R), digits
 * in which all keys agree are skipped, so small ranges cost few passes.
 * Errors: CRM_DOMAIN for n >= 2^32; CRM_ABORTED, index then holds anything.
 */
CrmStatus
crm_radix_sort_index(CrmCtx *ctx, const uint64_t *values, uint32_t *index, uint32_t *scratch,
					 size_t n)
{
	return sort_by_digits(ctx, values, index, scratch, n, 0);
}

/*
 * The same, faster, for keys that are spread evenly over all 64 bits, as hashes are: by the first
 * digits that tell n keys apart, then by insertion. Keys that turn out to be spread otherwise are
 * sorted all the same, by all digits.
 */
CrmStatus
crm_radix_sort_hashes(CrmCtx *ctx, const uint64_t *values, uint32_t *index, uint32_t *scratch,
					  size_t n)
{
	int digits = 1;
	size_t steps = 0, most = 4 * n + SMALL;

	while (digits < DIGITS && n >> (digits * DIGIT_BITS) > 0)
		digits++;
	if (sort_by_digits(ctx, values, index, scratch, n, DIGITS - digits) != CRM_OK)
		return n > UINT32_MAX ? CRM_DOMAIN : CRM_ABORTED;
	for (size_t i = 1; i < n && steps < most; i++)
	{
		uint32_t item = index[i];
		uint64_t key = values[item];
		size_t at = i;

		for (; at > 0 && values[index[at - 1]] > key && steps < most; at--, steps++)
			index[at] = index[at - 1];
		index[at] = item;
		if (i % POLL_EVERY == 0 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	return steps < most ? CRM_OK : sort_by_digits(ctx, values, index, scratch, n, 0);
}
