/*
 * memory.h: a kernel's context (CrmCtx) over one named PostgreSQL memory context, and the context
 * of an aggregate's state.
 */
#ifndef CRM_PG_MEMORY_H
#define CRM_PG_MEMORY_H

#include "pg/compat.h"

#include "kernel/base/context.h"

extern void crm_memory_over(CrmCtx *ctx, MemoryContext memory);
extern MemoryContext crm_memory_begin(CrmCtx *ctx, MemoryContext parent, const char *name);
extern void *crm_memory_resize(CrmCtx *ctx, void *memory, size_t old_bytes, size_t bytes);
extern _Noreturn void crm_memory_error(size_t wanted, const CrmCtx *ctx, const char *what,
									   const char *detail, const char *reduce);
extern void crm_memory_check(CrmStatus status, const CrmCtx *ctx, const char *what,
							 const char *detail);
extern MemoryContext crm_aggregate_context(FunctionCallInfo fcinfo);

#endif
