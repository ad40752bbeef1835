/*
 * itemset_search.c: what the miners share; see itemset_search.h.
 */
#include "kernel/itemset_search.h"

#define CHUNK_BYTES ((size_t) 1 << 18)
#define FEW         24 /* codes that are sorted by insertion */

/* Make room for sets of up to so many items. On an error nothing is held. */
CrmStatus
crm_itemset_search_begin(CrmItemsetSearch *search, uint32_t longest)
{
	search->work = 0;
	search->longest = longest;
	search->length = search->n_perfect = 0;
	search->top = search->spare = NULL;
	search->prefix = crm_allocate(search->ctx, (size_t) longest * 4, sizeof(uint32_t));
	if (search->prefix == NULL)
		return search->ctx->failure;
	search->perfect = search->prefix + longest;
	search->subset = search->perfect + longest;
	search->sorted = search->subset + longest;
	return CRM_OK;
}

/* Give back a chunk. */
static void
free_chunk(CrmItemsetSearch *search, CrmItemsetChunk *chunk)
{
	if (chunk != NULL)
		crm_release(search->ctx, chunk, 1, sizeof(CrmItemsetChunk) + chunk->size);
}

/* Give back what begin and the search took. */
void
crm_itemset_search_end(CrmItemsetSearch *search)
{
	crm_itemset_search_rewind(search, (CrmItemsetMark){NULL, 0});
	free_chunk(search, search->spare);
	search->spare = NULL;
	crm_release(search->ctx, search->prefix, (size_t) search->longest * 4, sizeof(uint32_t));
	search->prefix = NULL;
}

/* Give bytes from a new chunk. */
void *
crm_itemset_search_grow(CrmItemsetSearch *search, size_t bytes)
{
	CrmItemsetChunk *chunk = search->spare;
	size_t size = CHUNK_BYTES;

	if (bytes > SIZE_MAX / 2)
	{
		search->ctx->wanted = SIZE_MAX;
		search->ctx->failure = CRM_LIMIT;
		return NULL;
	}
	bytes = (bytes + 15) & ~(size_t) 15;
	if (size < bytes)
		size = bytes;
	if (chunk != NULL && chunk->size < size)
	{
		free_chunk(search, chunk);
		chunk = NULL;
	}
	search->spare = NULL;
	if (chunk == NULL)
	{
		chunk = crm_allocate(search->ctx, 1, sizeof(CrmItemsetChunk) + size);
		if (chunk == NULL)
			return NULL;
		chunk->size = size;
	}
	chunk->previous = search->top;
	chunk->used = bytes;
	search->top = chunk;
	return chunk + 1;
}

/* Take the stack of memory back to a height; one small chunk is kept for the next need. */
void
crm_itemset_search_rewind(CrmItemsetSearch *search, CrmItemsetMark mark)
{
	while (search->top != mark.chunk)
	{
		CrmItemsetChunk *chunk = search->top;

		search->top = chunk->previous;
		if (search->spare == NULL && chunk->size == CHUNK_BYTES)
			search->spare = chunk;
		else
			free_chunk(search, chunk);
	}
	if (mark.chunk != NULL)
		mark.chunk->used = mark.used;
}

/* Let codes[i] sink to its place in a heap with the largest on top. */
static void
sink(uint32_t *codes, uint32_t i, uint32_t n)
{
	uint32_t code = codes[i], child;

	while ((child = 2 * i + 1) < n)
	{
		child += child + 1 < n && codes[child + 1] > codes[child];
		if (codes[child] <= code)
			break;
		codes[i] = codes[child];
		i = child;
	}
	codes[i] = code;
}

/* Sort codes from low to high. */
void
crm_itemset_search_sort(uint32_t *codes, uint32_t n)
{
	if (n > FEW)
	{
		for (uint32_t i = n / 2; i > 0; i--)
			sink(codes, i - 1, n);
		for (uint32_t end = n - 1; end > 0; end--)
		{
			uint32_t last = codes[0];

			codes[0] = codes[end];
			codes[end] = last;
			sink(codes, 0, end);
		}
		return;
	}
	for (uint32_t i = 1; i < n; i++)
	{
		uint32_t code = codes[i], j = i;

		for (; j > 0 && codes[j - 1] > code; j--)
			codes[j] = codes[j - 1];
		codes[j] = code;
	}
}

/* Report the prefix with the first n perfect items of the subset. */
static CrmStatus
report_subset(CrmItemsetSearch *search, uint32_t n, uint32_t count)
{
	uint32_t length = search->length + n;

	if (crm_itemset_search_is_stopped(search, length))
		return CRM_ABORTED;
	if (length < search->min_length || length > search->max_length)
		return CRM_OK;
	memcpy(search->sorted, search->prefix, search->length * sizeof(uint32_t));
	for (uint32_t i = 0; i < n; i++)
		search->sorted[search->length + i] = search->perfect[search->subset[i]];
	crm_itemset_search_sort(search->sorted, length);
	return search->report(search->arg, search->sorted, length, count);
}

/*
 * Report the prefix with each subset of the perfect items, all of which so many baskets hold.
 * CRM_ABORTED, or what the reporter answers.
 */
CrmStatus
crm_itemset_search_report(CrmItemsetSearch *search, uint32_t count)
{
	CrmStatus status = report_subset(search, 0, count);
	uint32_t n = 0, next = 0;

	while (status == CRM_OK)
	{
		if (next < search->n_perfect && search->length + n < search->max_length)
			search->subset[n++] = next++;
		else if (n > 0)
		{
			next = search->subset[--n] + 1;
			continue;
		}
		else
			break;
		if (count < search->min_count) /* it has been raised meanwhile */
			break;
		status = report_subset(search, n, count);
	}
	return status;
}
