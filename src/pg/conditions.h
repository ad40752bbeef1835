/*
 * conditions.h: the state of an aggregate over a time and conditions: the rows of a group.
 */
#ifndef CRM_PG_CONDITIONS_H
#define CRM_PG_CONDITIONS_H

#include "pg/compat.h"

#include "kernel/base/conditions.h"

typedef struct CrmConditionRows
{
	CrmConditions *rows;
	size_t n, room;
	int n_conditions;
} CrmConditionRows;

extern uint32 crm_conditions_arg(FunctionCallInfo fcinfo, int i, int *n);
extern void crm_conditions_check_same(int before, int now);
extern void crm_conditions_add(CrmConditionRows *list, MemoryContext memory,
							   const CrmConditions *rows, size_t n);
extern bytea *crm_conditions_pack(const CrmConditionRows *list, const void *head, size_t bytes);
extern const void *crm_conditions_unpack(CrmConditionRows *list, bytea *packed, size_t *bytes);

#endif
