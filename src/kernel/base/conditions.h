/*
 * conditions.h: the rows of a group as times and the conditions that hold there, in order.
 *
 * Bit k of holds is condition k + 1. Rows are ordered by time, then by holds: rows that are equal
 * in both are the same, so whatever comes of the order does not depend on how the rows came in.
 */
#ifndef CRM_KERNEL_CONDITIONS_H
#define CRM_KERNEL_CONDITIONS_H

#include "kernel/base/context.h"

#define CRM_CONDITIONS_MAX 32

typedef struct CrmConditions
{
	int64_t at; /* microseconds, of any origin */
	uint32_t holds;
} CrmConditions;

extern CrmStatus crm_conditions_sort(CrmCtx *ctx, CrmConditions *rows, size_t n);

#endif
