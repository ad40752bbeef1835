/*
 * lanes.h: loops over several doubles at a time, in versions for the processor's width.
 *
 * A loop that pays is written once, in a header of its own (NAME_lanes.h), over vectors of the
 * compiler (GCC and Clang) of LANES doubles, and included once for each width: 2 (SSE2, NEON), and
 * on x86-64 4 (AVX2) and 8 (AVX-512) for functions of that target. The public function calls the
 * widest that the processor has. One width for all does not do: GCC 12 takes vectors that are wider
 * than the target's apart and compares them one by one, five times slower.
 *
 *     #define LANES 2
 *     #include "kernel/NAME_lanes.h"
 *     #if CRM_LANES_HAVE_WIDE
 *     #define LANES 4
 *     #include "kernel/NAME_lanes.h"
 *     #define LANES 8
 *     #include "kernel/NAME_lanes.h"
 *     #endif
 *
 * All versions give the same bits: each value's operations are those that the source names, in the
 * order that it names them (the build sets -ffp-contract=off, which forbids fused multiplication),
 * and sums go to eight accumulators in turn, whatever the width.
 *
 * Not handled: vectors as arguments or results of functions, whose binary interface would depend
 * on the target; pass pointers.
 */
#ifndef CRM_KERNEL_LANES_H
#define CRM_KERNEL_LANES_H

#include <stdint.h>

/* Values that go together in every version: accumulators of a sum, columns of a row. */
#define CRM_LANES_ALL 8

/* Vectors, the masks and words of as many bits, and the same at any place in memory. */
#define CRM_LANES_DEFINE(n)                                                                        \
	typedef double CrmLanes##n __attribute__((vector_size(8 * n)));                                \
	typedef int64_t CrmLaneBits##n __attribute__((vector_size(8 * n)));                            \
	typedef uint64_t CrmLaneWords##n __attribute__((vector_size(8 * n)));                          \
	typedef double CrmLanesAt##n __attribute__((vector_size(8 * n), aligned(8), may_alias));       \
	typedef int64_t CrmLaneBitsAt##n __attribute__((vector_size(8 * n), aligned(8), may_alias));   \
	typedef uint64_t CrmLaneWordsAt##n __attribute__((vector_size(8 * n), aligned(8), may_alias));

CRM_LANES_DEFINE(2)
CRM_LANES_DEFINE(4)
CRM_LANES_DEFINE(8)

/* A name with the width behind it. */
#define CRM_LANES_PASTE(name, n) name##n
#define CRM_LANES_NAME(name, n)  CRM_LANES_PASTE(name, n)

/* Lane by lane: mask ? a : b, where a mask is what a comparison gives; for words, too. */
#define CRM_LANES_CHOOSE(type, mask, a, b)                                                         \
	((type) (((mask) & (CRM_LANES_BITS) (a)) | (~(mask) & (CRM_LANES_BITS) (b))))

/* The types and the target of the width at hand. */
#define CRM_LANES       CRM_LANES_NAME(CrmLanes, LANES)
#define CRM_LANES_BITS  CRM_LANES_NAME(CrmLaneBits, LANES)
#define CRM_LANES_WORDS CRM_LANES_NAME(CrmLaneWords, LANES)

/* Read and write LANES doubles, masks or words. */
#define CRM_LANES_AT(pointer)       (*(CRM_LANES_NAME(CrmLanesAt, LANES) *) (pointer))
#define CRM_LANES_BITS_AT(pointer)  (*(CRM_LANES_NAME(CrmLaneBitsAt, LANES) *) (pointer))
#define CRM_LANES_WORDS_AT(pointer) (*(CRM_LANES_NAME(CrmLaneWordsAt, LANES) *) (pointer))

/* Lanes of one value. */
#define CRM_LANES_OF(value) ((CRM_LANES){0} + (value))

#if defined(__x86_64__) && defined(__GNUC__)
#define CRM_LANES_HAVE_WIDE 1
#define CRM_LANES_TARGET4   __attribute__((target("avx2")))
#define CRM_LANES_TARGET8   __attribute__((target("avx512f")))
#else
#define CRM_LANES_HAVE_WIDE 0
#endif
#define CRM_LANES_TARGET2

/* Before a function of a NAME_lanes.h. */
#define CRM_LANES_TARGET CRM_LANES_NAME(CRM_LANES_TARGET, LANES)

/* Call the widest version that the processor has. */
#if CRM_LANES_HAVE_WIDE
#define CRM_LANES_CALL(name, ...)                                                                  \
	(__builtin_cpu_supports("avx512f") ? name##8(__VA_ARGS__)                                      \
	 : __builtin_cpu_supports("avx2")  ? name##4(__VA_ARGS__)                                      \
									   : name##2(__VA_ARGS__))
#else
#define CRM_LANES_CALL(name, ...) name##2(__VA_ARGS__)
#endif

/* Give the sum of eight accumulators, in pairs: ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)). */
static inline double
crm_lanes_sum(const double lane[CRM_LANES_ALL])
{
	return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
		   ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

#endif
