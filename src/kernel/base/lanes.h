/*
 * lanes.h: eight doubles at a time, and functions that exist in several versions, of which the
 * processor's best is taken when the program is loaded.
 *
 * A CrmLanes is a vector of the compiler (GCC and Clang): one instruction, two or four, whatever
 * the processor offers, but always eight lanes, each with the operations that the source names in
 * the order that it names them. With -ffp-contract=off, which the build sets, every version of a
 * function therefore gives the same bits, and so does a scalar loop over the same operations.
 *
 * CRM_CLONES before a function makes the versions. It needs x86-64, GCC and glibc's indirect
 * functions; elsewhere, and under the sanitizers (whose start-up comes after the resolvers), it
 * stands for nothing, and the vectors are still those of the platform (SSE2, NEON).
 *
 * Not handled: lanes as arguments or results of functions that are not inlined, whose binary
 * interface would depend on the version.
 */
#ifndef CRM_KERNEL_LANES_H
#define CRM_KERNEL_LANES_H

#include <stdint.h>

#define CRM_LANES 8

typedef double CrmLanes __attribute__((vector_size(64)));
typedef int64_t CrmLaneBits __attribute__((vector_size(64)));
typedef uint64_t CrmLaneWords __attribute__((vector_size(64)));

/* The same in memory: an array of doubles, aligned as doubles are. */
typedef double CrmLanesAt __attribute__((vector_size(64), aligned(8), may_alias));
typedef int64_t CrmLaneBitsAt __attribute__((vector_size(64), aligned(8), may_alias));
typedef uint64_t CrmLaneWordsAt __attribute__((vector_size(64), aligned(8), may_alias));

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) &&       \
	!defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CRM_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CRM_CLONES
#endif

/* Inlined into each version of the functions that call it. */
#define CRM_LANES_INLINE static inline __attribute__((always_inline))

/* Lanes of one value. */
#define CRM_LANES_OF(value) ((CrmLanes){0} + (value))

/* Lane by lane: mask ? a : b, where a mask is what a comparison of lanes gives. */
#define CRM_LANES_CHOOSE(mask, a, b)                                                               \
	((CrmLanes) (((CrmLaneBits) (mask) & (CrmLaneBits) (a)) |                                      \
				 (~(CrmLaneBits) (mask) & (CrmLaneBits) (b))))
#define CRM_LANES_CHOOSE_BITS(mask, a, b) (((mask) & (a)) | (~(mask) & (b)))

/* Read and write eight doubles. */
#define CRM_LANES_LOAD(pointer)         (*(const CrmLanesAt *) (pointer))
#define CRM_LANES_STORE(pointer, lanes) (*(CrmLanesAt *) (pointer) = (lanes))

/* Give the sum of the lanes, in pairs: ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)). */
CRM_LANES_INLINE double
crm_lanes_sum(const double lane[CRM_LANES])
{
	return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
		   ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

#endif
