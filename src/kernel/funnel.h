/*
 * funnel.h: how far the rows of a group come along a chain of steps within a window of time.
 *
 * A row is a time and the steps whose condition holds there. It stands for an event a step, or for
 * one event of step 0 when none holds; the events are in the order of time, then step, then the
 * row's conditions. A chain is events of steps 1, 2, 3, ... in that order, the last no later than
 * the end of the window that the first begins; the level is the length of the longest chain. The
 * modes have the names and the rules of ClickHouse's windowFunnel, but for one: strict_increase
 * looks at every chain, where ClickHouse compares with the last event of the step before only, and
 * so misses a chain through an earlier one when events tie in time.
 */
#ifndef CRM_KERNEL_FUNNEL_H
#define CRM_KERNEL_FUNNEL_H

#include "kernel/base/conditions.h"
#include "kernel/base/context.h"

#define CRM_FUNNEL_MAX_STEPS CRM_CONDITIONS_MAX

/* Bits; 0 is the default mode. */
typedef enum CrmFunnelMode
{
	CRM_FUNNEL_STRICT_DEDUPLICATION = 1, /* a step that was reached and comes again is the end */
	CRM_FUNNEL_STRICT_ORDER = 2,    /* once begun, a step too early or none of them is the end */
	CRM_FUNNEL_STRICT_INCREASE = 4, /* the times of a chain ascend strictly */
	CRM_FUNNEL_STRICT_ONCE = 8,     /* a row is at most one event of a chain */
	CRM_FUNNEL_ALLOW_REENTRY = 16   /* with strict_order: a step too early is passed over */
} CrmFunnelMode;

typedef struct CrmFunnelParam
{
	int n_steps;
	unsigned modes;                         /* of CrmFunnelMode */
	int64_t window;                         /* >= 0, microseconds; not used when end is given */
	int64_t (*end)(void *user, int64_t at); /* the last moment of a window that begins at a time */
	void *user;
} CrmFunnelParam;

extern CrmStatus crm_funnel_level(CrmCtx *ctx, const CrmConditions *rows, size_t n,
								  const CrmFunnelParam *param, int *level);

#endif
