/*
 * tap.h: what the unit tests need: TAP lines on stdout, and a CrmCtx over malloc that counts.
 *
 *     TapContext tap;
 *     CrmCtx *ctx = tap_context(&tap);
 *
 *     ok(crm_x(ctx) == CRM_OK, "x of %d", 3);
 *     is_near(value, 1.5, 1e-9, "value");
 *     is_clean(&tap, "x");
 *     return tap_done();
 *
 * A test program includes it once. The plan comes last, so nobody counts tests by hand. To try a
 * failure, set after tap_context: tap.ctx.limit (budget in bytes), tap.abort_at (the poll, from 1,
 * that asks to stop, and every later one), tap.fail_at (the allocation, from 1, that finds no
 * memory).
 */
#ifndef CRM_TEST_TAP_H
#define CRM_TEST_TAP_H

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/context.h"

typedef struct TapContext
{
	CrmCtx ctx;         /* first, so that a CrmCtx * is a TapContext * */
	size_t live;        /* blocks held now */
	size_t allocations; /* blocks ever given */
	size_t polls;
	size_t abort_at;
	size_t fail_at;
} TapContext;

/* Bytes before each block: keeps malloc's alignment and the size that release must repeat. */
#define TAP_HEADER 16

static int tap_tests;
static int tap_failures;

/* Print one TAP line, named printf-like; give back the outcome. */
__attribute__((format(printf, 2, 3))) static inline bool
ok(bool passed, const char *name, ...)
{
	va_list arguments;

	va_start(arguments, name);
	printf("%s %d - ", passed ? "ok" : "not ok", ++tap_tests);
	vprintf(name, arguments);
	printf("\n");
	va_end(arguments);
	tap_failures += !passed;
	fflush(stdout);
	return passed;
}

/* Pass when |got - want| <= tolerance; NaN equals NaN, an infinity equals itself. */
static inline bool
is_near(double got, double want, double tolerance, const char *name)
{
	bool passed = isnan(want)   ? isnan(got)
				  : isinf(want) ? isinf(got) && signbit(got) == signbit(want)
								: fabs(got - want) <= tolerance;

	if (!ok(passed, "%s", name))
		printf("#      got %.17g\n#     want %.17g, tolerance %.3g\n", got, want, tolerance);
	return passed;
}

/* Pass when |got - want| <= tolerance |want|. */
static inline bool
is_close(double got, double want, double tolerance, const char *name)
{
	return is_near(got, want, tolerance * fabs(want), name);
}

/* Pass when two integers are the same. */
static inline bool
is_int(int64_t got, int64_t want, const char *name)
{
	if (ok(got == want, "%s", name))
		return true;
	printf("#      got %lld\n#     want %lld\n", (long long) got, (long long) want);
	return false;
}

/* Pass when two texts are the same. */
static inline bool
is_text(const char *got, const char *want, const char *name)
{
	if (ok(strcmp(got, want) == 0, "%s", name))
		return true;
	printf("#      got %s\n#     want %s\n", got, want);
	return false;
}

/* Print the plan; give the exit status of the program. */
static inline int
tap_done(void)
{
	printf("1..%d\n", tap_tests);
	return tap_failures > 0;
}

static inline void *
tap_allocate(CrmCtx *ctx, size_t bytes)
{
	TapContext *tap = (TapContext *) ctx;
	unsigned char *block;

	if (++tap->allocations == tap->fail_at)
		return NULL;
	block = malloc(TAP_HEADER + bytes);
	if (block == NULL)
		return NULL;
	memcpy(block, &bytes, sizeof bytes);
	memset(block + TAP_HEADER, 0xA5, bytes); /* so that reading before writing shows */
	tap->live++;
	return block + TAP_HEADER;
}

static inline void
tap_release(CrmCtx *ctx, void *memory, size_t bytes)
{
	TapContext *tap = (TapContext *) ctx;
	unsigned char *block = (unsigned char *) memory - TAP_HEADER;
	size_t held;

	memcpy(&held, block, sizeof held);
	if (held != (bytes > 0 ? bytes : 1))
		ok(false, "release of %zu bytes where %zu are held", bytes, held);
	tap->live--;
	free(block);
}

static inline bool
tap_poll(CrmCtx *ctx)
{
	TapContext *tap = (TapContext *) ctx;

	tap->polls++;
	return tap->abort_at > 0 && tap->polls >= tap->abort_at;
}

/* Make a context over malloc in the caller's TapContext, without limits; give its CrmCtx. */
static inline CrmCtx *
tap_context(TapContext *tap)
{
	memset(tap, 0, sizeof *tap);
	tap->ctx.allocate = tap_allocate;
	tap->ctx.release = tap_release;
	tap->ctx.poll = tap_poll;
	tap->ctx.user = tap;
	return &tap->ctx;
}

/* Pass when everything given by the context has been released. */
static inline bool
is_clean(const TapContext *tap, const char *name)
{
	if (ok(tap->live == 0 && tap->ctx.used == 0, "%s leaks nothing", name))
		return true;
	printf("#     held: %zu blocks, %zu bytes\n", tap->live, tap->ctx.used);
	return false;
}

#endif
