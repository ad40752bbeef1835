/*
 * pattern.c: reading a pattern, and finding it in sorted rows; see pattern.h.
 *
 * Finding: for each row the set of events (bits) that a match begun so far can end at, one step of
 * an automaton a row (R. Baeza-Yates, G. H. Gonnet, 1992, doi 10.1145/135239.135243). A timed
 * event asks for the times of the event before that lie long enough ago; times ascend, so of those
 * the latest is the only one to look at, and it is found by a cursor that follows the rows at that
 * distance. There is no way back, whatever the pattern: time is linear in the rows.
 */
#include "kernel/pattern.h"

#include <string.h>

#define POLL_EVERY 65536
#define MICROS     INT64_C(1000000)

/* A pattern that is read: where, and what came before. */
typedef struct Reader
{
	CrmPattern *pattern;
	const CrmPatternSyntax *syntax;
	CrmPatternError *error;
	const char *text;
	size_t bytes, at;
	size_t timed_at;        /* where a time stands that waits for its event */
	bool has_time, is_star; /* a time, .* came since the last event */
} Reader;

/* A timed event in the search: the rows whose event before is old enough. */
typedef struct Timed
{
	int event;        /* from 0 on */
	uint64_t *before; /* rows (bits) that the event before can end at; NULL when low is 0 */
	size_t cursor;    /* rows before it are old enough */
	int64_t latest;   /* time of the latest such row */
	bool has_latest;
} Timed;

/* Note an error at a place; CRM_DOMAIN. */
static CrmStatus
refuse(Reader *reader, size_t at, const char *what, const char *hint)
{
	*reader->error = (CrmPatternError){at, what, hint};
	return CRM_DOMAIN;
}

/* Pass over spaces. */
static void
skip_spaces(Reader *reader)
{
	for (; reader->at < reader->bytes; reader->at++)
	{
		char c = reader->text[reader->at];

		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			break;
	}
}

/* Pass over a text when it stands here. */
static bool
takes(Reader *reader, const char *text)
{
	size_t bytes = strlen(text);

	if (reader->bytes - reader->at < bytes || memcmp(reader->text + reader->at, text, bytes) != 0)
		return false;
	reader->at += bytes;
	return true;
}

/* Give the value of the digit here, or -1. */
static int
digit(const Reader *reader)
{
	char c = reader->at < reader->bytes ? reader->text[reader->at] : ' ';

	return c >= '0' && c <= '9' ? c - '0' : -1;
}

/* Read digits into *value; false when there are none or too many. */
static bool
read_digits(Reader *reader, int64_t *value)
{
	size_t first = reader->at;

	for (*value = 0; digit(reader) >= 0; reader->at++)
		if (__builtin_mul_overflow(*value, INT64_C(10), value) ||
			__builtin_add_overflow(*value, (int64_t) digit(reader), value))
			return false;
	return reader->at > first;
}

/* Read a time in seconds or in quotes into *micros. */
static CrmStatus
read_time(Reader *reader, int64_t *micros)
{
	const char *range = "the time is out of range";
	const char *quote = "Quotes hold an interval of days, hours, minutes and seconds that is not "
						"negative, as in (?t<='2 hours').";
	size_t first = reader->at;

	if (takes(reader, "'"))
	{
		size_t last = reader->at;

		while (last < reader->bytes && reader->text[last] != '\'')
			last++;
		if (last == reader->bytes)
			return refuse(reader, first, "the quote is not closed", quote);
		if (reader->syntax->span == NULL ||
			!reader->syntax->span(reader->syntax->user, reader->text + reader->at,
								  last - reader->at, micros) ||
			*micros < 0)
			return refuse(reader, first, "this is no fixed length of time", quote);
		reader->at = last + 1;
		return CRM_OK;
	}
	if (digit(reader) < 0)
		return refuse(
			reader, first, "a time is missing",
			"It is a number of seconds, as in (?t<=3600), or an interval in quotes, as in "
			"(?t<='2 hours').");
	if (!read_digits(reader, micros) || __builtin_mul_overflow(*micros, MICROS, micros))
		return refuse(reader, first, range, NULL);
	if (takes(reader, "."))
	{
		int64_t unit = MICROS;

		for (; digit(reader) >= 0; reader->at++)
		{
			unit /= 10;
			if (unit == 0)
				return refuse(reader, first, "a time has at most six decimals", NULL);
			if (__builtin_add_overflow(*micros, unit * digit(reader), micros))
				return refuse(reader, first, range, NULL);
		}
	}
	return CRM_OK;
}

/* Read what follows (?t: narrow the times at which the next event may be. */
static CrmStatus
read_between(Reader *reader, size_t first)
{
	CrmPattern *pattern = reader->pattern;
	int64_t *low = &pattern->low[pattern->n], *high = &pattern->high[pattern->n], micros;
	const char *operators[] = {"<=", "<", ">=", ">", "==", "="};
	CrmStatus status;
	int which = 0;

	if (pattern->n == 0 || reader->is_star)
		return refuse(
			reader, first, "a time must stand directly between two events",
			"It lets any rows be between them: write (?1)(?t<=3600)(?2), without .* beside "
			"the time.");
	skip_spaces(reader);
	while (which < 6 && !takes(reader, operators[which]))
		which++;
	if (which == 6)
		return refuse(reader, reader->at, "an operator is missing",
					  "The operators are <, <=, >, >=, = and ==.");
	skip_spaces(reader);
	status = read_time(reader, &micros);
	if (status != CRM_OK)
		return status;
	if (!reader->has_time)
	{
		*low = 0;
		*high = INT64_MAX;
		reader->timed_at = first;
	}
	reader->has_time = true;
	if (which == 0 || which >= 4)
		*high = micros < *high ? micros : *high;
	if (which == 1)
		*high = micros - 1 < *high ? micros - 1 : *high;
	if (which == 3 && __builtin_add_overflow(micros, INT64_C(1), &micros))
		return refuse(reader, first, "the time is out of range", NULL);
	if (which >= 2)
		*low = micros > *low ? micros : *low;
	return CRM_OK;
}

/* Add an event that takes rows of a condition, or any row for 0. */
static CrmStatus
add_event(Reader *reader, size_t first, int64_t condition)
{
	CrmPattern *pattern = reader->pattern;
	uint64_t bit;

	if (pattern->n == CRM_PATTERN_MAX_EVENTS)
		return refuse(reader, first, "a pattern has at most 64 events", NULL);
	bit = UINT64_C(1) << pattern->n++;
	if (condition == 0)
		pattern->any |= bit;
	else
		pattern->takes[condition - 1] |= bit;
	if (reader->has_time)
		pattern->timed |= bit;
	else if (reader->is_star)
		pattern->later |= bit;
	else
		pattern->next |= bit;
	reader->has_time = reader->is_star = false;
	return CRM_OK;
}

/* Read what stands in parentheses, after (?. */
static CrmStatus
read_group(Reader *reader, size_t first)
{
	CrmStatus status;
	int64_t condition;

	skip_spaces(reader);
	if (takes(reader, "t"))
		status = read_between(reader, first);
	else if (digit(reader) < 0)
		return refuse(reader, reader->at, "the number of a condition, or t, is missing",
					  "Events are written (?1), (?2), ...; times (?t<=3600).");
	else if (!read_digits(reader, &condition) || condition < 1 ||
			 condition > reader->syntax->n_conditions)
		return refuse(reader, first, "there is no condition of this number",
					  "Conditions are numbered from 1, in the order of the arguments.");
	else
		status = add_event(reader, first, condition);
	if (status != CRM_OK)
		return status;
	skip_spaces(reader);
	if (!takes(reader, ")"))
		return refuse(reader, reader->at, "a closing parenthesis is missing", NULL);
	return CRM_OK;
}

/*
 * Read a pattern. CRM_OK, or CRM_DOMAIN with the first error, whose texts are constants;
 * n_conditions is 1 to CRM_CONDITIONS_MAX.
 */
CrmStatus
crm_pattern_read(CrmPattern *pattern, const char *text, size_t bytes,
				 const CrmPatternSyntax *syntax, CrmPatternError *error)
{
	Reader reader = {
		.pattern = pattern, .syntax = syntax, .error = error, .text = text, .bytes = bytes};

	memset(pattern, 0, sizeof *pattern);
	for (skip_spaces(&reader); reader.at < bytes; skip_spaces(&reader))
	{
		size_t first = reader.at;
		CrmStatus status = CRM_OK;

		if (takes(&reader, "(?"))
			status = read_group(&reader, first);
		else if (takes(&reader, ".*"))
		{
			if (reader.has_time)
				return refuse(&reader, first, "a time must stand directly between two events",
							  "It lets any rows be between them: write (?1)(?t<=3600)(?2), without "
							  ".* beside the time.");
			reader.is_star = true;
		}
		else if (takes(&reader, "."))
			status = add_event(&reader, first, 0);
		else
			return refuse(&reader, first, "this is no part of a pattern",
						  "A pattern is made of (?1), (?2), ..., (?t<=3600), . and .*");
		if (status != CRM_OK)
			return status;
	}
	if (reader.has_time)
		return refuse(&reader, reader.timed_at, "no event comes after this time",
					  "A time stands between two events, as in (?1)(?t<=3600)(?2).");
	if (pattern->n == 0)
		return refuse(&reader, bytes, "the pattern has no event",
					  "Name at least one, as in (?1).*(?2).");
	return CRM_OK;
}

/*
 * Let a timed event know the rows before row i; tell in *fits whether row i comes in time for it.
 * CRM_OK or CRM_ABORTED.
 */
static CrmStatus
look_back(CrmCtx *ctx, Timed *timed, const CrmPattern *pattern, const CrmConditions *rows, size_t i,
		  bool *fits)
{
	uint64_t at = (uint64_t) rows[i].at;
	int64_t low = pattern->low[timed->event], high = pattern->high[timed->event];

	if (timed->before != NULL)
		for (; timed->cursor < i; timed->cursor++)
		{
			size_t c = timed->cursor;

			if (at - (uint64_t) rows[c].at < (uint64_t) low)
				break;
			if (c % POLL_EVERY == POLL_EVERY - 1 && crm_poll(ctx))
				return CRM_ABORTED;
			if (timed->before[c / 64] >> (c % 64) & 1)
			{
				timed->latest = rows[c].at;
				timed->has_latest = true;
			}
		}
	*fits = timed->has_latest && high >= 0 &&
			(high == INT64_MAX || at - (uint64_t) timed->latest <= (uint64_t) high);
	return CRM_OK;
}

/* Tell a timed event whether a match can end at row i with the event before it. */
static void
note_before(Timed *timed, const CrmConditions *rows, size_t i, uint64_t ends)
{
	bool is_end = ends >> (timed->event - 1) & 1;

	if (timed->before != NULL)
		timed->before[i / 64] |= (uint64_t) is_end << (i % 64);
	else if (is_end)
	{
		timed->latest = rows[i].at;
		timed->has_latest = true;
	}
}

/* Prepare the timed events of a pattern for n rows. CRM_OK, CRM_LIMIT or CRM_NO_MEMORY. */
static CrmStatus
begin_timed(CrmCtx *ctx, const CrmPattern *pattern, size_t n, Timed *timed, int *n_timed)
{
	*n_timed = 0;
	for (uint64_t left = pattern->timed; left != 0; left &= left - 1)
	{
		Timed *t = &timed[(*n_timed)++];

		*t = (Timed){.event = __builtin_ctzll(left)};
		if (pattern->low[t->event] == 0)
			continue;
		t->before = crm_allocate(ctx, n / 64 + 1, sizeof(uint64_t));
		if (t->before == NULL)
			return ctx->failure;
		memset(t->before, 0, (n / 64 + 1) * sizeof(uint64_t));
	}
	return CRM_OK;
}

/* Return the memory of the timed events. */
static void
end_timed(CrmCtx *ctx, size_t n, Timed *timed, int n_timed)
{
	for (int t = 0; t < n_timed; t++)
		crm_release(ctx, timed[t].before, n / 64 + 1, sizeof(uint64_t));
}

/* Count the matches in the rows, at most so many. CRM_OK or CRM_ABORTED. */
static CrmStatus
run(CrmCtx *ctx, const CrmPattern *pattern, const CrmConditions *rows, size_t n, Timed *timed,
	int n_timed, int64_t most, int64_t *count)
{
	uint64_t ends = 0, ever = 0, last = UINT64_C(1) << (pattern->n - 1);
	size_t poll_every = POLL_EVERY / (1 + (size_t) n_timed);

	for (size_t i = 0; i < n; i++)
	{
		/* events that a match could go on with at this row: the first may always begin one */
		uint64_t open = 1 | (ends << 1 & pattern->next) | (ever << 1 & pattern->later);
		uint64_t takes = pattern->any;

		if (i % poll_every == poll_every - 1 && crm_poll(ctx))
			return CRM_ABORTED;
		for (uint32_t holds = rows[i].holds; holds != 0; holds &= holds - 1)
			takes |= pattern->takes[__builtin_ctz(holds)];
		for (int t = 0; t < n_timed; t++)
		{
			bool fits;

			if (look_back(ctx, &timed[t], pattern, rows, i, &fits) != CRM_OK)
				return CRM_ABORTED;
			open |= (uint64_t) fits << timed[t].event;
		}
		ends = open & takes;
		ever |= ends;
		if (!(ends & last))
		{
			for (int t = 0; t < n_timed; t++)
				note_before(&timed[t], rows, i, ends);
			continue;
		}
		if (++*count == most)
			return CRM_OK;
		/* the next match begins after this row */
		ends = ever = 0;
		for (int t = 0; t < n_timed; t++)
		{
			timed[t].has_latest = false;
			timed[t].cursor = i + 1;
		}
	}
	return CRM_OK;
}

/*
 * Count in *count how often a pattern is found in n sorted rows, up to most (> 0) times: of
 * matches that do not overlap, each the first to end after the one before, which is as many as
 * there can be. Takes n / 8 bytes for each event with a least time since the one before, and gives
 * them back. CRM_OK, CRM_ABORTED, CRM_LIMIT or CRM_NO_MEMORY. Linear in n times the timed events.
 */
CrmStatus
crm_pattern_count(CrmCtx *ctx, const CrmPattern *pattern, const CrmConditions *rows, size_t n,
				  int64_t most, int64_t *count)
{
	Timed timed[CRM_PATTERN_MAX_EVENTS];
	int n_timed;
	CrmStatus status = begin_timed(ctx, pattern, n, timed, &n_timed);

	*count = 0;
	if (status == CRM_OK)
		status = run(ctx, pattern, rows, n, timed, n_timed, most, count);
	end_timed(ctx, n, timed, n_timed);
	return status;
}
