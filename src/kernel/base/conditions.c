/*
 * conditions.c: rows in the order of time, then of their conditions, in place.
 *
 * A quicksort over an explicit stack; a range that is split badly too often is given to a
 * heapsort, so the work is O(n log n) at worst (D. R. Musser, 1997, doi
 * 10.1002/(SICI)1097-024X(199708)27:8<983::AID-SPE117>3.0.CO;2-#). Rows in order already, the
 * usual case, are left after one look.
 */
#include "kernel/base/conditions.h"

#define POLL_EVERY 65536
#define SMALL      24 /* rows that insertion sorts faster */

typedef struct Range
{
	size_t first, n;
	int depth; /* bad splits that it may still have */
} Range;

/* True when a comes before b. */
static inline bool
is_before(const CrmConditions *a, const CrmConditions *b)
{
	return (a->at < b->at) | ((a->at == b->at) & (a->holds < b->holds));
}

/* Let the row at root sink in the heap of n rows until none below it comes after it. */
static void
sink(CrmConditions *rows, size_t root, size_t n)
{
	CrmConditions row = rows[root];

	for (size_t child = 2 * root + 1; child < n; child = 2 * root + 1)
	{
		if (child + 1 < n && is_before(&rows[child], &rows[child + 1]))
			child++;
		if (!is_before(&row, &rows[child]))
			break;
		rows[root] = rows[child];
		root = child;
	}
	rows[root] = row;
}

/* Sort n rows by a heap. CRM_OK or CRM_ABORTED. */
static CrmStatus
sort_heap(CrmCtx *ctx, CrmConditions *rows, size_t n)
{
	for (size_t i = n / 2; i > 0; i--)
	{
		if (i % POLL_EVERY == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		sink(rows, i - 1, n);
	}
	for (size_t last = n; last > 1; last--)
	{
		CrmConditions first = rows[0];

		if (last % POLL_EVERY == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		rows[0] = rows[last - 1];
		rows[last - 1] = first;
		sink(rows, 0, last - 1);
	}
	return CRM_OK;
}

/* Sort a few rows by insertion. */
static void
sort_small(CrmConditions *rows, size_t n)
{
	for (size_t i = 1; i < n; i++)
	{
		CrmConditions row = rows[i];
		size_t to = i;

		for (; to > 0 && is_before(&row, &rows[to - 1]); to--)
			rows[to] = rows[to - 1];
		rows[to] = row;
	}
}

/* Tell in *sorted whether n rows are in order. CRM_OK or CRM_ABORTED. */
static CrmStatus
look(CrmCtx *ctx, const CrmConditions *rows, size_t n, bool *sorted)
{
	*sorted = true;
	for (size_t i = 1; i < n && *sorted; i++)
	{
		if (i % POLL_EVERY == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		*sorted = !is_before(&rows[i], &rows[i - 1]);
	}
	return CRM_OK;
}

/*
 * Move the rows that come before the pivot (or, with equal, do not come after it) to the front;
 * give their number in *front. The rows are exchanged whether they must or not: no branch to
 * guess. CRM_OK or CRM_ABORTED.
 */
static CrmStatus
split(CrmCtx *ctx, CrmConditions *rows, size_t n, const CrmConditions *pivot, bool equal,
	  size_t *front)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
	{
		CrmConditions row = rows[i];

		if (i % POLL_EVERY == POLL_EVERY - 1 && crm_poll(ctx))
			return CRM_ABORTED;
		rows[i] = rows[k];
		rows[k] = row;
		k += equal ? !is_before(pivot, &row) : is_before(&row, pivot);
	}
	*front = k;
	return CRM_OK;
}

/* Give the middle one of three rows: the first, the one in the middle, the last. */
static CrmConditions
choose_pivot(const CrmConditions *rows, size_t n)
{
	CrmConditions three[3] = {rows[0], rows[n / 2], rows[n - 1]};

	sort_small(three, 3);
	return three[1];
}

/* Sort n rows in place. CRM_OK or CRM_ABORTED, which leaves the same rows in some other order. */
CrmStatus
crm_conditions_sort(CrmCtx *ctx, CrmConditions *rows, size_t n)
{
	Range stack[64]; /* the larger part waits, so each level at most halves the rows */
	size_t unpolled = 0;
	int depth = 1;
	bool sorted;

	if (look(ctx, rows, n, &sorted) != CRM_OK)
		return CRM_ABORTED;
	if (sorted)
		return CRM_OK;
	stack[0] = (Range){0, n, 8};
	while (depth > 0)
	{
		Range range = stack[--depth];
		CrmConditions *part = rows + range.first;
		CrmConditions pivot;
		size_t front, rest = range.first, n_rest;

		unpolled += range.n;
		if (unpolled >= POLL_EVERY && crm_poll(ctx))
			return CRM_ABORTED;
		unpolled %= POLL_EVERY;
		if (range.n <= SMALL)
		{
			sort_small(part, range.n);
			continue;
		}
		if (range.depth == 0)
		{
			if (sort_heap(ctx, part, range.n) != CRM_OK)
				return CRM_ABORTED;
			continue;
		}
		pivot = choose_pivot(part, range.n);
		if (split(ctx, part, range.n, &pivot, false, &front) != CRM_OK)
			return CRM_ABORTED;
		rest += front;
		n_rest = range.n - front;
		if (front < range.n / 8)
		{
			size_t equal;

			/* few before the pivot: there may be many like it, which need no more work */
			if (split(ctx, part + front, n_rest, &pivot, true, &equal) != CRM_OK)
				return CRM_ABORTED;
			rest += equal;
			n_rest -= equal;
		}
		if ((front < n_rest ? n_rest : front) > range.n - range.n / 8)
			range.depth--;
		stack[depth + (front < n_rest)] = (Range){range.first, front, range.depth};
		stack[depth + (front >= n_rest)] = (Range){rest, n_rest, range.depth};
		depth += 2;
	}
	return CRM_OK;
}
