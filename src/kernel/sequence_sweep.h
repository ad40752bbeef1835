/*
 * sequence_sweep.h: the occurrences of a pattern, and one walk over the events that extend them.
 *
 * The occurrences of a pattern P are entries (end, start): for each event `end` on which an
 * occurrence of P may end, `start` is the latest event on which such a one may begin. More need not
 * be kept:
 *
 *   - what may follow depends on the end alone (gaps, contiguity) and, for the window, on the
 *     start, of which the latest is best; so it is for the fastest occurrence.
 *   - ordered by end, a customer's starts never fall. For one event start = end. An event p extends
 *     the entries whose ends lie in [t(p) - max_gap, t(p) - min_gap]; as starts never fall, the
 *     last of them is the best, and if that one is too far back for max_gap, all are. This last
 *     entry moves on with p, and so does its start. An entry that the window, the contiguity or the
 *     step refuses is taken out; what remains still never falls.
 *
 * So all occurrences are followed, as max_gap demands (the first alone would not do), and an
 * extension costs one walk over each customer's later events, whatever the constraints.
 *
 * Without max_gap, in steps of one event, the entries with the same start but a later end are
 * dropped: the earliest can do all that they can. (Contiguous steps have no two ends for a start.)
 */
#ifndef CRM_KERNEL_SEQUENCE_SWEEP_H
#define CRM_KERNEL_SEQUENCE_SWEEP_H

#include "kernel/sequence.h"

/* Positions of the last and first event of an occurrence. */
typedef struct CrmSequenceEntry
{
	uint32_t end, start;
} CrmSequenceEntry;

/* What is known of a pattern with one event more while its occurrences are met. */
typedef struct CrmSequenceSlot
{
	uint32_t customers;
	uint32_t last_customer;
	uint32_t last_start;
	uint32_t entries; /* how many; then where the next one goes, NONE for a pattern not wanted */
} CrmSequenceSlot;

typedef struct CrmSequenceSweep
{
	CrmCtx *ctx;
	const CrmSequenceData *data;
	const CrmSequenceParam *param;
	uint64_t step;             /* the least time between two steps */
	bool is_minimal;           /* entries with the same start are dropped */
	CrmSequenceSlot *slots;    /* by code */
	uint32_t *touched;         /* codes of the slots in use */
	uint32_t n_touched;        /* of them */
	CrmSequenceEntry *filling; /* where entries go; NULL while they are counted */
	size_t work;               /* steps since the last poll */
} CrmSequenceSweep;

/* Count steps of work; true when the host asks to stop. */
static inline bool
crm_sequence_is_stopped(CrmSequenceSweep *sweep, size_t steps)
{
	sweep->work += steps;
	if (sweep->work < (size_t) 1 << 18)
		return false;
	sweep->work = 0;
	return crm_poll(sweep->ctx);
}

/* Let the processor fetch the event of an entry that is soon to be swept. */
static inline void
crm_sequence_prefetch(const CrmEvent *events, const CrmSequenceEntry *entries, size_t n, size_t i)
{
	if (i + 16 < n)
		__builtin_prefetch(&events[entries[i + 16].end]);
}

extern CrmStatus crm_sequence_sweep_begin(CrmSequenceSweep *sweep, CrmCtx *ctx,
										  const CrmSequenceData *data,
										  const CrmSequenceParam *param);
extern CrmStatus crm_sequence_sweep(CrmSequenceSweep *sweep, bool is_root,
									const CrmSequenceEntry *entries, size_t n);
extern void crm_sequence_sweep_clear(CrmSequenceSweep *sweep);
extern void crm_sequence_sweep_end(CrmSequenceSweep *sweep);

#endif
