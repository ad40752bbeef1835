/*
 * itemset.h: trial miner's interface; replaced by the family's own.
 */
#ifndef CRM_KERNEL_ITEMSET_H
#define CRM_KERNEL_ITEMSET_H
#include <stdint.h>
#include "kernel/base/baskets.h"
#include "kernel/base/context.h"
typedef enum { CRM_ITEMSET_FREQUENT, CRM_ITEMSET_CLOSED, CRM_ITEMSET_MAXIMAL } CrmItemsetTarget;
typedef enum { CRM_ITEMSET_AUTO, CRM_ITEMSET_ECLAT, CRM_ITEMSET_FPGROWTH } CrmItemsetAlgorithm;
typedef struct CrmItemsetParam
{
	CrmItemsetTarget target;
	CrmItemsetAlgorithm algorithm;
	uint32_t min_count;
	uint32_t min_length, max_length;
	uint64_t top_k;
	const uint8_t *required;
	const uint8_t *excluded;
} CrmItemsetParam;
typedef CrmStatus (*CrmItemsetReport)(void *arg, const uint32_t *items, uint32_t length, uint32_t count);
extern CrmStatus crm_itemset_mine(CrmCtx *, const CrmBaskets *, const CrmItemsetParam *, CrmItemsetReport, void *arg);
#endif
