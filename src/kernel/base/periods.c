/*
 * periods.c: the set of periods in which a customer ordered; see periods.h for how it is kept.
 */
#include "kernel/base/periods.h"

#include <string.h>

#define SMALLEST_BLOCK 4
#define ARENA_BYTES    ((size_t) 256 * 1024)

/* Make an empty pool. */
void
crm_periods_begin(CrmPeriodPool *pool, CrmCtx *ctx)
{
	*pool = (CrmPeriodPool){.ctx = ctx};
}

/* Give the size class of a block of periods. */
static int
block_class(uint32_t size)
{
	return __builtin_ctz(size / SMALLEST_BLOCK);
}

/* Give an empty block of periods; NULL when memory ends. */
static CrmPeriods *
take_block(CrmPeriodPool *pool, uint32_t size)
{
	size_t bytes = sizeof(CrmPeriods) + (size_t) size * sizeof(int32_t);
	int class = block_class(size);
	CrmPeriods *block;

	if (class >= CRM_PERIOD_CLASSES)
		block = crm_allocate(pool->ctx, 1, bytes);
	else if (pool->free_blocks[class] != NULL)
	{
		block = pool->free_blocks[class];
		memcpy(&pool->free_blocks[class], block, sizeof(void *));
	}
	else
	{
		if (pool->arena_left < bytes)
		{
			char *arena = crm_allocate(pool->ctx, 1, ARENA_BYTES);

			if (arena == NULL)
				return NULL;
			pool->arena = arena;
			pool->arena_left = ARENA_BYTES;
		}
		block = (CrmPeriods *) pool->arena;
		pool->arena += bytes;
		pool->arena_left -= bytes;
	}
	if (block != NULL)
		*block = (CrmPeriods){.size = size};
	return block;
}

/* Take a block back. */
static void
drop_block(CrmPeriodPool *pool, CrmPeriods *block)
{
	int class = block_class(block->size);

	if (class >= CRM_PERIOD_CLASSES)
		crm_release(pool->ctx, block, 1,
					sizeof(CrmPeriods) + (size_t) block->size * sizeof(int32_t));
	else
	{
		memcpy(block, &pool->free_blocks[class], sizeof(void *));
		pool->free_blocks[class] = block;
	}
}

/* Sink one element of a heap of n periods; part of sort_periods. */
static void
sink(int32_t *period, uint32_t at, uint32_t n)
{
	int32_t value = period[at];

	for (uint32_t child; (child = 2 * at + 1) < n; at = child)
	{
		if (child + 1 < n && period[child + 1] > period[child])
			child++;
		if (period[child] <= value)
			break;
		period[at] = period[child];
	}
	period[at] = value;
}

/* Sort periods ascending: insertion for the common short list, heapsort (no bad case) for the rest.
 */
static void
sort_periods(int32_t *period, uint32_t n)
{
	bool sorted = true;

	for (uint32_t i = 1; i < n && sorted; i++)
		sorted = period[i - 1] <= period[i];
	if (sorted)
		return;
	if (n <= 32)
	{
		for (uint32_t i = 1; i < n; i++)
		{
			int32_t value = period[i];
			uint32_t at = i;

			for (; at > 0 && period[at - 1] > value; at--)
				period[at] = period[at - 1];
			period[at] = value;
		}
		return;
	}
	for (uint32_t i = n / 2; i-- > 0;)
		sink(period, i, n);
	for (uint32_t i = n - 1; i > 0; i--)
	{
		int32_t largest = period[0];

		period[0] = period[i];
		period[i] = largest;
		sink(period, 0, i);
	}
}

/* Sort a set and free it of doubles. */
void
crm_periods_tidy(CrmPeriods *set)
{
	uint32_t kept = 0;

	sort_periods(set->period, set->used);
	for (uint32_t i = 0; i < set->used; i++)
		if (kept == 0 || set->period[i] != set->period[kept - 1])
			set->period[kept++] = set->period[i];
	set->used = kept;
}

/* Add a period to a set, which is NULL while it is empty. CRM_LIMIT or CRM_NO_MEMORY when it cannot
 * grow. */
CrmStatus
crm_periods_add(CrmPeriodPool *pool, CrmPeriods **set, int32_t period)
{
	CrmPeriods *block = *set;

	if (block != NULL && block->used > 0 && block->period[block->used - 1] == period)
		return CRM_OK;
	if (block == NULL || block->used == block->size)
	{
		CrmPeriods *larger;

		if (block != NULL)
			crm_periods_tidy(block);
		if (block == NULL || block->used > block->size / 4 * 3)
		{
			if (block != NULL && block->size > UINT32_MAX / 2)
				return CRM_LIMIT;
			larger = take_block(pool, block == NULL ? SMALLEST_BLOCK : block->size * 2);
			if (larger == NULL)
				return pool->ctx->failure;
			if (block != NULL)
			{
				memcpy(larger->period, block->period, block->used * sizeof(int32_t));
				larger->used = block->used;
				drop_block(pool, block);
			}
			block = *set = larger;
		}
	}
	block->period[block->used++] = period;
	return CRM_OK;
}
