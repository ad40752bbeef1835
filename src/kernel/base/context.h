/*
 * context.h: what a kernel asks of its host (memory, a chance to stop) and how it reports an
 * outcome.
 *
 * A kernel never allocates, prints or exits by itself. Its host hands it a CrmCtx; inside
 * PostgreSQL that is one named memory context, in the unit tests it is malloc with a counter.
 * Everything a kernel allocates comes from there, so a host whose poll never returns (an error
 * thrown by a cancel) leaks nothing: it drops the whole context.
 */
#ifndef CRM_KERNEL_CONTEXT_H
#define CRM_KERNEL_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Outcome of a kernel call. CRM_OK is zero; a fit may also answer CRM_NOT_CONVERGED or CRM_AT_BOUND
 * with a usable model. */
typedef enum CrmStatus
{
	CRM_OK = 0,
	CRM_NOT_CONVERGED,
	CRM_AT_BOUND,
	CRM_DOMAIN,    /* an argument outside the function's domain */
	CRM_SINGULAR,  /* a matrix that cannot be solved */
	CRM_LIMIT,     /* the memory budget, or a documented bound, would be passed */
	CRM_NO_MEMORY, /* the host has no more memory */
	CRM_ABORTED    /* poll asked to stop */
} CrmStatus;

typedef struct CrmCtx CrmCtx;

struct CrmCtx
{
	void *(*allocate)(CrmCtx *ctx, size_t bytes); /* NULL: out of memory; not zeroed */
	void (*release)(CrmCtx *ctx, void *memory, size_t bytes);
	bool (*poll)(CrmCtx *ctx);    /* true: stop with CRM_ABORTED; may not return */
	bool (*pending)(CrmCtx *ctx); /* as poll, but always returns; NULL: poll always does */
	void *user;                   /* the host's own */
	size_t limit;                 /* budget in bytes; 0 is no budget */
	size_t used;                  /* bytes held now */
	size_t peak;                  /* the most bytes ever held */
	size_t wanted;                /* after CRM_LIMIT: the total that was needed */
	CrmStatus failure;            /* why the last allocation gave NULL */
};

/*
 * Give room for count items of size bytes each, owned by ctx until crm_release.
 * NULL when the product overflows, the budget would be passed (failure = CRM_LIMIT, wanted = the
 * total) or the host has none (CRM_NO_MEMORY). The memory is not zeroed.
 */
static inline void *
crm_allocate(CrmCtx *ctx, size_t count, size_t size)
{
	size_t bytes;
	void *memory;

	if (__builtin_mul_overflow(count, size, &bytes) ||
		__builtin_add_overflow(ctx->used, bytes, &ctx->wanted))
	{
		ctx->wanted = SIZE_MAX;
		ctx->failure = CRM_LIMIT;
		return NULL;
	}
	if (ctx->limit > 0 && ctx->wanted > ctx->limit)
	{
		ctx->failure = CRM_LIMIT;
		return NULL;
	}
	memory = ctx->allocate(ctx, bytes > 0 ? bytes : 1);
	if (memory == NULL)
	{
		ctx->failure = CRM_NO_MEMORY;
		return NULL;
	}
	ctx->used += bytes;
	if (ctx->used > ctx->peak)
		ctx->peak = ctx->used;
	return memory;
}

/* Return what crm_allocate gave for the same count and size; NULL is ignored. */
static inline void
crm_release(CrmCtx *ctx, void *memory, size_t count, size_t size)
{
	if (memory == NULL)
		return;
	ctx->used -= count * size;
	ctx->release(ctx, memory, count * size);
}

/* True when the host wants the kernel to stop; call at least once for every million operations. */
static inline bool
crm_poll(CrmCtx *ctx)
{
	return ctx->poll != NULL && ctx->poll(ctx);
}

/*
 * True when a poll is due that may stop the kernel, and it returns in any case: for code that a
 * foreign library calls, which an error must not jump through. Such code winds up, and polls when
 * the library has been left.
 */
static inline bool
crm_pending(CrmCtx *ctx)
{
	return ctx->pending != NULL ? ctx->pending(ctx) : crm_poll(ctx);
}

#endif
