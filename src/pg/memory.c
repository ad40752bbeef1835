/*
 * memory.c: a kernel's context over one named PostgreSQL memory context, with maintenance_work_mem
 * as its budget, and the errors that a kernel's status stands for.
 */
#include "pg/memory.h"

#include "miscadmin.h"
#include "utils/memutils.h"

static void *
allocate(CrmCtx *ctx, size_t bytes)
{
	return MemoryContextAllocExtended(ctx->user, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

static void
release(CrmCtx *ctx, void *memory, size_t bytes)
{
	(void) ctx;
	(void) bytes;
	pfree(memory);
}

/* Stop by an error if the user cancels: the memory context frees what the kernel held. */
static bool
poll(CrmCtx *ctx)
{
	(void) ctx;
	CHECK_FOR_INTERRUPTS();
	return false;
}

/* Tell whether poll has something to do; it may turn out not to be a cancel. */
static bool
pending(CrmCtx *ctx)
{
	(void) ctx;
	return InterruptPending != 0;
}

/* Let ctx allocate in a memory context that stands, within maintenance_work_mem. */
void
crm_memory_over(CrmCtx *ctx, MemoryContext memory)
{
	*ctx = (CrmCtx){.allocate = allocate,
					.release = release,
					.poll = poll,
					.pending = pending,
					.user = memory,
					.limit = (size_t) maintenance_work_mem * 1024};
}

/*
 * Make a memory context of that name (a constant) below parent, and let ctx allocate there within
 * maintenance_work_mem. Deleting the memory context frees all.
 */
MemoryContext
crm_memory_begin(CrmCtx *ctx, MemoryContext parent, const char *name)
{
	MemoryContext memory =
		AllocSetContextCreateInternal(parent, name, ALLOCSET_DEFAULT_MINSIZE,
									  ALLOCSET_DEFAULT_INITSIZE, ALLOCSET_DEFAULT_MAXSIZE);

	crm_memory_over(ctx, memory);
	return memory;
}

/*
 * Make memory of a context larger or smaller, keeping its content; NULL memory is new. Large pieces
 * grow where they are (mremap), so there is no second copy. NULL: the budget would be passed, and
 * nothing has changed.
 */
void *
crm_memory_resize(CrmCtx *ctx, void *memory, size_t old_bytes, size_t bytes)
{
	if (memory == NULL)
		return crm_allocate(ctx, bytes, 1);
	if (bytes > old_bytes && ctx->used + (bytes - old_bytes) > ctx->limit)
		return NULL;
	memory = repalloc_huge(memory, Max(bytes, 1));
	ctx->used = ctx->used - old_bytes + bytes;
	ctx->peak = Max(ctx->peak, ctx->used);
	return memory;
}

/*
 * Raise the error for work that would need more than the budget. `what` names the work as a user
 * would ("RFM"), `detail` its size ("1000000 customers"; may be NULL), `reduce` what else helps.
 */
void
crm_memory_error(size_t wanted, const CrmCtx *ctx, const char *what, const char *detail,
				 const char *reduce)
{
	const size_t mb = 1024 * 1024;

	ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			errmsg("%s needs %zu MB, maintenance_work_mem is %zu MB", what, wanted / mb + 1,
				   ctx->limit / mb),
			detail != NULL ? errdetail("%s", detail) : 0,
			errhint("Increase maintenance_work_mem, or %s.", reduce));
	pg_unreachable();
}

/*
 * Raise the error that a status stands for; CRM_OK returns. `what` names the work as a user would
 * ("RFM"), `detail` its size ("1000000 customers"; may be NULL).
 */
void
crm_memory_check(CrmStatus status, const CrmCtx *ctx, const char *what, const char *detail)
{
	switch (status)
	{
		case CRM_OK:
			return;
		case CRM_LIMIT:
			crm_memory_error(ctx->wanted, ctx, what, detail, "give a source with fewer rows");
		case CRM_NO_MEMORY:
			ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
					errdetail("%s could not get more memory from the operating system.", what));
			break;
		default:
			elog(ERROR, "crm internal: %s ended with status %d", what, (int) status);
	}
}

/* Give the context that holds an aggregate's state; an error outside an aggregate. */
MemoryContext
crm_aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "crm internal: aggregate function called outside an aggregate");
	return context;
}
