/*
 * periods.h: the set of periods in which a customer ordered, four bytes each.
 *
 * How many different periods some orders fall into cannot be told from a state of fixed size,
 * since they may come in any sequence and from any worker. So a customer keeps a block of them:
 * unsorted, sorted and freed of doubles when it is full, doubled only if it is then still more
 * than three quarters full. Amortised O(log n) an order. A period (not an order: doubles go) takes
 * 4 to 8 bytes of its block, and at worst twice that again in blocks that customers have outgrown
 * and none reused yet; a customer takes 16 bytes. A million customers with nine orders each took 7
 * bytes an order in all.
 */
#ifndef CRM_KERNEL_PERIODS_H
#define CRM_KERNEL_PERIODS_H

#include "kernel/base/context.h"

#define CRM_PERIOD_CLASSES 12 /* sizes 4, 8, ... 8192 come from an arena, larger ones alone */

typedef struct CrmPeriods
{
	uint32_t used;
	uint32_t size;
	int32_t period[];
} CrmPeriods;

/* Where blocks come from; one for all customers of a table. */
typedef struct CrmPeriodPool
{
	CrmCtx *ctx;
	void *free_blocks[CRM_PERIOD_CLASSES];
	char *arena;
	size_t arena_left;
} CrmPeriodPool;

extern void crm_periods_begin(CrmPeriodPool *pool, CrmCtx *ctx);
extern CrmStatus crm_periods_add(CrmPeriodPool *pool, CrmPeriods **set, int32_t period);
extern void crm_periods_tidy(CrmPeriods *set);

#endif
