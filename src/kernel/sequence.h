/*
 * sequence.h: sequential patterns: what customers do one after another, and the rules in them.
 *
 * A customer's events at one moment are a step, a set. A pattern is a list of steps; a customer
 * supports it when some of their moments m1 < m2 < ... hold its steps:
 *
 *     step i is a subset of the events at m(i)
 *     min_gap <= m(i + 1) - m(i) <= max_gap
 *     m(last) - m(1) <= window
 *     contiguous: no moment of the customer lies between m(i) and m(i + 1)
 *
 * count(P) = customers that support P; each once. The time of P for a customer is that of the
 * fastest occurrence, min m(last) - m(1); that of the pattern is the median over its customers.
 *
 * A rule X -> Y splits a pattern X Y between two steps:
 *
 *     confidence = count(X Y) / count(X), lift = confidence / (count(Y) / customers)
 *
 * Agrawal and Srikant 1995 (doi 10.1109/ICDE.1995.380415); Srikant and Agrawal 1996 for the gaps
 * (doi 10.1007/BFb0014140); Pei et al. 2004, PrefixSpan (doi 10.1109/TKDE.2004.77); Zaki 2001
 * (doi 10.1023/A:1007652502315). Kernel family: sequence_arrange (events made ready), sequence (the
 * miner), sequence_rules (order and rules).
 *
 * Invariants: the result does not depend on the order of events or on customers' numbers.
 * Not handled: 2^31 events and more, 2^32 patterns and more.
 */
#ifndef CRM_KERNEL_SEQUENCE_H
#define CRM_KERNEL_SEQUENCE_H

#include "kernel/base/events.h"

#define CRM_SEQUENCE_NONE UINT32_MAX /* no item, no customer, no position */
#define CRM_SEQUENCE_ROOT 0          /* the number of the empty pattern */

typedef struct CrmSequenceParam
{
	uint32_t min_count;  /* customers, at least 1; counted with >= */
	uint32_t max_length; /* events in a pattern; 0: no bound */
	uint64_t min_gap;    /* in the events' unit of time; 0: any later moment */
	uint64_t max_gap;    /* UINT64_MAX: no bound */
	uint64_t window;     /* UINT64_MAX: no bound */
	bool contiguous;     /* steps at successive moments of the customer */
	bool itemsets;       /* steps of several events; false: of one event each */
} CrmSequenceParam;

/* Events made ready for the miner by crm_sequence_arrange. */
typedef struct CrmSequenceData
{
	CrmEvent *events;     /* the caller's; sorted, without repeats; label is now an item */
	size_t n;             /* of them */
	uint32_t n_customers; /* all, those without a frequent event included */
	uint32_t n_items;     /* labels that min_count customers have */
	uint32_t *label;      /* of each item, ascending */
} CrmSequenceData;

/* A frequent pattern: its parent and one event more. Children follow their parents. */
typedef struct CrmSequencePattern
{
	uint32_t parent; /* the pattern without its last event */
	uint32_t code;   /* the last event: 2 * item, + 1 when it is in the step of the one before */
	uint32_t count;  /* customers */
	uint32_t length; /* events */
	uint32_t first_child; /* patterns with one event more, by code */
	uint32_t n_children;
	uint64_t time; /* median of the customers' fastest, first step to last; halves rounded down */
} CrmSequencePattern;

/* All frequent patterns; the first is the empty one, with all customers. */
typedef struct CrmSequenceModel
{
	CrmSequencePattern *patterns;
	size_t n, room;
	bool is_cut; /* there are frequent patterns longer than max_length */
} CrmSequenceModel;

typedef struct CrmSequenceRule
{
	uint32_t pattern, antecedent, consequent; /* numbers of patterns */
	double confidence;
	double lift;
} CrmSequenceRule;

typedef struct CrmSequenceRules
{
	CrmSequenceRule *rules;
	size_t n;
	uint32_t *order; /* n numbers of rules: by lift, then count, both descending, then length */
} CrmSequenceRules;

extern const char *crm_sequence_check(const CrmSequenceParam *param);
extern CrmStatus crm_sequence_arrange(CrmCtx *ctx, CrmSequenceData *data, uint32_t n_labels,
									  const CrmSequenceParam *param);
extern void crm_sequence_release(CrmCtx *ctx, CrmSequenceData *data);
extern CrmStatus crm_sequence_mine(CrmCtx *ctx, const CrmSequenceData *data,
								   const CrmSequenceParam *param, CrmSequenceModel *model);
extern CrmStatus crm_sequence_order(CrmCtx *ctx, const CrmSequenceModel *model, uint32_t *order);
extern CrmStatus crm_sequence_rules(CrmCtx *ctx, const CrmSequenceModel *model,
									const uint32_t *order, double min_confidence,
									CrmSequenceRules *rules);

#endif
