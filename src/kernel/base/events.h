/*
 * events.h: what customers did and when: records of 16 bytes, sorted in place.
 *
 * Order: customer, then time, then label. Equal records are repeats: the same thing at the same
 * moment.
 *
 * Invariants: nothing is allocated; the result does not depend on the order of the input.
 * Not handled: 2^31 records and more (positions of 31 bits serve those who index them).
 */
#ifndef CRM_KERNEL_EVENTS_H
#define CRM_KERNEL_EVENTS_H

#include "kernel/base/context.h"

#define CRM_EVENTS_MOST ((size_t) INT32_MAX)

typedef struct CrmEvent
{
	int64_t time;      /* of any unit and origin */
	uint32_t customer; /* 0 up */
	uint32_t label;    /* what it was, 0 up */
} CrmEvent;

/* Tell whether one record comes before another. */
static inline bool
crm_event_before(const CrmEvent *a, const CrmEvent *b)
{
	if (a->customer != b->customer)
		return a->customer < b->customer;
	if (a->time != b->time)
		return a->time < b->time;
	return a->label < b->label;
}

/* Give the time from one record to a later one; any two times have a difference that fits. */
static inline uint64_t
crm_event_span(const CrmEvent *earlier, const CrmEvent *later)
{
	return (uint64_t) later->time - (uint64_t) earlier->time;
}

extern CrmStatus crm_events_sort(CrmCtx *ctx, CrmEvent *events, size_t n);

#endif
