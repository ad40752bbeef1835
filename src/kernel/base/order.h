/*
 * order.h: total order of values, order statistics, and sorting of an index, over 64-bit keys.
 *
 * A key is an unsigned integer whose order is the order of the value it stands for, so one routine
 * serves integers, points in time and doubles, and NaN cannot break a sort:
 *
 *     int64   key = x xor 2^63
 *     double  key = bits xor 2^63 for x >= 0, not bits for x < 0; -0 counts as +0; NaN is last
 *
 * Quantiles are those of the inverse of the empirical distribution (type 1 of Hyndman and Fan 1996,
 * doi 10.1080/00031305.1996.10473566): the k-th of `bins` cut points is the order statistic of
 * 0-based rank ceil(n k / bins) - 1, so a cut point is always an observed value.
 *
 * Invariants: nothing is allocated; the same input gives the same rearrangement on every platform.
 * Not handled: more than 2^32 - 1 items in an index.
 */
#ifndef CRM_KERNEL_ORDER_H
#define CRM_KERNEL_ORDER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/base/context.h"

#define CRM_ORDER_SIGN (UINT64_C(1) << 63)
#define CRM_ORDER_NAN  UINT64_MAX /* the key of every NaN; no other value has it */

/* Give the key of an integer: crm_order_int64(a) < crm_order_int64(b) exactly when a < b. */
static inline uint64_t
crm_order_int64(int64_t value)
{
	return (uint64_t) value ^ CRM_ORDER_SIGN;
}

/* Give back the integer of a key. */
static inline int64_t
crm_unorder_int64(uint64_t key)
{
	uint64_t bits = key ^ CRM_ORDER_SIGN;
	int64_t value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

/*
 * Give the key of a double: -Infinity, negative, zero (-0 and +0 are one), positive, Infinity, NaN
 * (all NaN are one).
 */
static inline uint64_t
crm_order_double(double value)
{
	uint64_t bits;

	if (value != value)
		return CRM_ORDER_NAN;
	value += 0.0; /* -0 becomes +0 */
	memcpy(&bits, &value, sizeof bits);
	return (bits & CRM_ORDER_SIGN) != 0 ? ~bits : bits | CRM_ORDER_SIGN;
}

/* Give back the double of a key: +0 for either zero, a quiet NaN for any NaN. */
static inline double
crm_unorder_double(uint64_t key)
{
	uint64_t bits = (key & CRM_ORDER_SIGN) != 0 ? key ^ CRM_ORDER_SIGN : ~key;
	double value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

extern size_t crm_quantile_rank(size_t n, uint32_t k, uint32_t bins);
extern CrmStatus crm_select_ranks(CrmCtx *ctx, uint64_t *values, size_t n, const size_t *ranks,
								  size_t n_ranks);
extern CrmStatus crm_radix_sort_index(CrmCtx *ctx, const uint64_t *values, uint32_t *index,
									  uint32_t *scratch, size_t n);
extern CrmStatus crm_radix_sort_hashes(CrmCtx *ctx, const uint64_t *values, uint32_t *index,
									   uint32_t *scratch, size_t n);

#endif
