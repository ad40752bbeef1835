/*
 * host.h: a context as PostgreSQL's memory contexts are: what a kernel keeps goes when the host
 * drops the whole, so kernels without a free of their own can be tested under LeakSanitizer.
 *
 *     Host host;
 *     CrmCtx *ctx = host_begin(&host);
 *     ...
 *     host_is_balanced(&host)     what is held is what the kernel has accounted for
 *     host_drop(&host);
 *
 * limit, abort_at and fail_at work as in tap.h, through host.tap.
 */
#ifndef CRM_TEST_HOST_H
#define CRM_TEST_HOST_H

#include "tap.h"

typedef struct HostBlock
{
	struct HostBlock *previous, *next;
	size_t bytes;
	size_t unused; /* keeps malloc's alignment */
} HostBlock;

typedef struct Host
{
	TapContext tap; /* first, so that a CrmCtx * is a Host * */
	HostBlock *blocks;
	size_t held; /* bytes of the blocks */
} Host;

static inline void *
host_allocate(CrmCtx *ctx, size_t bytes)
{
	Host *host = (Host *) ctx;
	HostBlock *block;

	if (++host->tap.allocations == host->tap.fail_at)
		return NULL;
	block = malloc(sizeof *block + bytes);
	if (block == NULL)
		return NULL;
	*block = (HostBlock){.next = host->blocks, .bytes = bytes};
	if (host->blocks != NULL)
		host->blocks->previous = block;
	host->blocks = block;
	host->held += bytes;
	host->tap.live++;
	memset(block + 1, 0xA5, bytes); /* so that reading before writing shows */
	return block + 1;
}

static inline void
host_release(CrmCtx *ctx, void *memory, size_t bytes)
{
	Host *host = (Host *) ctx;
	HostBlock *block = (HostBlock *) memory - 1;

	if (block->bytes != (bytes > 0 ? bytes : 1))
		ok(false, "release of %zu bytes where %zu are held", bytes, block->bytes);
	if (block->previous != NULL)
		block->previous->next = block->next;
	else
		host->blocks = block->next;
	if (block->next != NULL)
		block->next->previous = block->previous;
	host->held -= block->bytes;
	host->tap.live--;
	free(block);
}

/* Make a context in the caller's Host, without limits; give its CrmCtx. */
static inline CrmCtx *
host_begin(Host *host)
{
	*host = (Host){.blocks = NULL};
	(void) tap_context(&host->tap);
	host->tap.ctx.allocate = host_allocate;
	host->tap.ctx.release = host_release;
	return &host->tap.ctx;
}

/* Tell whether the bytes that the kernel accounts for are the bytes it holds. */
static inline bool
host_is_balanced(const Host *host)
{
	return host->held == host->tap.ctx.used && host->tap.ctx.peak >= host->tap.ctx.used;
}

/* Give everything back; the context is then as after host_begin, but for its settings. */
static inline void
host_drop(Host *host)
{
	while (host->blocks != NULL)
	{
		HostBlock *block = host->blocks;

		host->blocks = block->next;
		free(block);
	}
	host->held = 0;
	host->tap.live = 0;
	host->tap.allocations = 0;
	host->tap.polls = 0;
	host->tap.ctx.used = 0;
	host->tap.ctx.peak = 0;
}

/* A stream of its own, so that a fault of base/rng does not hide in its tests: splitmix64. */
static inline uint64_t
draw(void)
{
	static uint64_t state = 20240229;
	uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* Give an integer of 0 to n - 1. */
static inline uint64_t
draw_below(uint64_t n)
{
	return draw() % n;
}

/* Shuffle the positions 0 to n - 1 into order. */
static inline void
draw_order(uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t j = (uint32_t) draw_below(i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}

#endif
