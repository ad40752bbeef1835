/*
 * rules_sort.c: merge sort of an index, from short runs sorted by insertion.
 */
#include "kernel/rules_sort.h"

#include <string.h>

#define RUN 8 /* sorted by insertion */

/* Sort a short run. */
static void
insertion_sort(uint32_t *index, size_t n, CrmRulesCompare compare, const void *arg)
{
	for (size_t i = 1; i < n; i++)
	{
		uint32_t value = index[i];
		size_t j = i;

		for (; j > 0 && compare(arg, index[j - 1], value) > 0; j--)
			index[j] = index[j - 1];
		index[j] = value;
	}
}

/* Merge from[first..middle) and from[middle..end) into to. False: the host wants to stop. */
static bool
merge(CrmCtx *ctx, const uint32_t *from, uint32_t *to, size_t first, size_t middle, size_t end,
	  CrmRulesCompare compare, const void *arg)
{
	size_t a = first, b = middle;

	/* runs in order need no comparison of their own */
	if (middle >= end || compare(arg, from[middle - 1], from[middle]) <= 0)
	{
		memcpy(to + first, from + first, (end - first) * sizeof *to);
		return true;
	}
	for (size_t i = first; i < end; i++)
	{
		if ((i - first) % 65536 == 65535 && crm_poll(ctx))
			return false;
		if (b == end || (a < middle && compare(arg, from[a], from[b]) <= 0))
			to[i] = from[a++];
		else
			to[i] = from[b++];
	}
	return true;
}

/*
 * Sort index[0..n) so that compare(arg, index[i], index[i + 1]) <= 0; what is equal keeps its
 * order. scratch is the caller's room for n more, its contents are lost. Errors: CRM_ABORTED, the
 * index then holds anything.
 */
CrmStatus
crm_rules_sort(CrmCtx *ctx, uint32_t *index, uint32_t *scratch, size_t n, CrmRulesCompare compare,
			   const void *arg)
{
	uint32_t *from = index, *to = scratch;

	for (size_t first = 0; first < n; first += RUN)
	{
		if (first % 65536 == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		insertion_sort(index + first, n - first < RUN ? n - first : RUN, compare, arg);
	}
	for (size_t width = RUN; width < n; width *= 2)
	{
		uint32_t *other = from;

		for (size_t first = 0; first < n; first += 2 * width)
		{
			size_t middle = first + width < n ? first + width : n;
			size_t end = middle + width < n ? middle + width : n;

			if ((first % 65536 == 0 && crm_poll(ctx)) ||
				!merge(ctx, from, to, first, middle, end, compare, arg))
				return CRM_ABORTED;
		}
		from = to;
		to = other;
	}
	if (from != index)
		memcpy(index, from, n * sizeof *index);
	return CRM_OK;
}
