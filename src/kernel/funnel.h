/*
 * funnel.h: how far a customer's events come along a chain of steps within a window of time.
 *
 * An event has a time and a step: 0 when none of the conditions holds, else 1 .. n_steps; a row for
 * which several conditions hold is as many events. The modes have the names of ClickHouse's
 * windowFunnel and its rules, but for one: strict_increase looks at every chain, where ClickHouse
 * compares with the last event of the step before only, and so misses a chain through an earlier
 * one when events tie in time. ClickHouse's allow_reentry and strict_once are not handled.
 */
#ifndef CRM_KERNEL_FUNNEL_H
#define CRM_KERNEL_FUNNEL_H

#include "kernel/base/context.h"

#define CRM_FUNNEL_MAX_STEPS 32

typedef struct CrmFunnelEvent
{
	int64_t at; /* microseconds, of any origin */
	uint32_t step;
} CrmFunnelEvent;

/* Bits; 0 is the default mode. */
typedef enum CrmFunnelMode
{
	CRM_FUNNEL_STRICT_DEDUPLICATION = 1, /* a step that was reached and comes again is the end */
	CRM_FUNNEL_STRICT_ORDER = 2,   /* once begun, a step too early or none of them is the end */
	CRM_FUNNEL_STRICT_INCREASE = 4 /* the times of a chain ascend strictly */
} CrmFunnelMode;

extern CrmStatus crm_funnel_sort(CrmCtx *ctx, CrmFunnelEvent *events, size_t n);
extern CrmStatus crm_funnel_level(CrmCtx *ctx, const CrmFunnelEvent *events, size_t n, int n_steps,
								  int64_t window, unsigned mode, int *level);

#endif
