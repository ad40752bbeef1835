/*
 * pattern.h: patterns of events over the rows of a group, in ClickHouse's syntax of sequenceMatch.
 *
 *     (?N)          a row where condition N holds
 *     .             any row
 *     .*            any number of rows, none included
 *     (?t op time)  between two events: what is between their times, with any rows in between;
 *                   op is <, <=, >, >=, = or ==, time is seconds (90, 0.5) or quoted ('2 hours')
 *
 * Events that stand side by side are rows next to each other. Spaces may stand between all of
 * these. A match may begin at any row. Several times between the same two events must all fit. A
 * time beside .* is refused: ClickHouse counts it from and to rows that no event of the pattern
 * names.
 *
 * Not handled: alternatives, repeats of an event, and times between events that are not
 * neighbours.
 */
#ifndef CRM_KERNEL_PATTERN_H
#define CRM_KERNEL_PATTERN_H

#include "kernel/base/conditions.h"
#include "kernel/base/context.h"

#define CRM_PATTERN_MAX_EVENTS 64

/* What a pattern says; bit k is event k + 1, and of two events speaks of the one before, too. */
typedef struct CrmPattern
{
	int n;                                /* events */
	uint64_t any;                         /* takes any row */
	uint64_t takes[CRM_CONDITIONS_MAX];   /* takes rows where condition k + 1 holds */
	uint64_t next;                        /* is the row after the event before */
	uint64_t later;                       /* is any row after the event before */
	uint64_t timed;                       /* is a row after it with low <= time between <= high */
	int64_t low[CRM_PATTERN_MAX_EVENTS];  /* microseconds, from 0 on */
	int64_t high[CRM_PATTERN_MAX_EVENTS]; /* INT64_MAX: no limit */
} CrmPattern;

/* What the reader of a pattern is told. */
typedef struct CrmPatternSyntax
{
	int n_conditions;
	/* Read a quoted time of so many bytes; false: it is none. NULL: there are no quoted times. */
	bool (*span)(void *user, const char *text, size_t bytes, int64_t *micros);
	void *user;
} CrmPatternSyntax;

/* Where a pattern is wrong, in bytes from its beginning, why, and what helps. */
typedef struct CrmPatternError
{
	size_t at;
	const char *what, *hint;
} CrmPatternError;

extern CrmStatus crm_pattern_read(CrmPattern *pattern, const char *text, size_t bytes,
								  const CrmPatternSyntax *syntax, CrmPatternError *error);
extern CrmStatus crm_pattern_count(CrmCtx *ctx, const CrmPattern *pattern,
								   const CrmConditions *rows, size_t n, int64_t most,
								   int64_t *count);

#endif
