/*
 * funnel.c: chains of events within a window; see funnel.h.
 *
 * One pass over the rows. Of the chains that come to a step only the one whose window ends last
 * matters: whatever continues another continues it, too. Rows of equal times are taken together,
 * since strict_increase and strict_once ask which of them are of one chain already.
 */
#include "kernel/funnel.h"

#include <string.h>

#define POLL_EVERY 65536
#define MOST       CRM_FUNNEL_MAX_STEPS

/* For each step: whether a chain came so far, and the latest end of the window of such a chain. */
typedef struct Reached
{
	bool is[MOST + 1];
	int64_t end[MOST + 1];
} Reached;

/* A search: what was reached before the rows of the present time, and what was up to now. */
typedef struct Search
{
	const CrmFunnelParam *param;
	Reached now, before; /* before: kept where a mode asks for it */
	bool ended;
} Search;

/* Rows of one time, and for each step the first of them where it holds. */
typedef struct Tied
{
	const CrmConditions *rows;
	size_t n;
	int64_t end;            /* of a window that begins at this time */
	bool has_end;           /* known */
	int n_candidates[MOST]; /* by step - 1, when each row may be used once */
	size_t candidate[MOST][MOST];
} Tied;

/* Give the last moment of a window that begins at a time. */
static int64_t
window_end(const CrmFunnelParam *param, int64_t at)
{
	int64_t end;

	if (param->end != NULL)
		return param->end(param->user, at);
	return __builtin_add_overflow(at, param->window, &end) ? INT64_MAX : end;
}

/* Give the end of the window that begins at the time of these rows. */
static int64_t
tied_end(const CrmFunnelParam *param, Tied *tied)
{
	if (!tied->has_end)
		tied->end = window_end(param, tied->rows[0].at);
	tied->has_end = true;
	return tied->end;
}

/* Note that a chain whose window ends then has come to a step, unless its window is over. */
static void
reach(Search *search, int step, int64_t at, int64_t end)
{
	Reached *now = &search->now;

	if (at > end || (now->is[step] && now->end[step] >= end))
		return;
	now->is[step] = true;
	now->end[step] = end;
}

/* True when an event of a step above 0 is passed over; sets ended when it ends the search. */
static bool
is_stopped(Search *search, int step)
{
	unsigned modes = search->param->modes;
	const Reached *now = &search->now;

	if ((modes & CRM_FUNNEL_STRICT_DEDUPLICATION) && step > 1 && now->is[step])
		search->ended = true;
	else if ((modes & CRM_FUNNEL_STRICT_ORDER) && now->is[1] && step > 1 && !now->is[step - 1])
	{
		search->ended = !(modes & CRM_FUNNEL_ALLOW_REENTRY);
		return true;
	}
	return search->ended;
}

/* Take a step that holds in one or more (again) of the rows of a time, where rows may repeat. */
static void
take_step(Search *search, Tied *tied, int step, bool again)
{
	const Reached *from =
		search->param->modes & (CRM_FUNNEL_STRICT_INCREASE | CRM_FUNNEL_STRICT_ONCE)
			? &search->before
			: &search->now;
	int64_t at = tied->rows[0].at;

	if (is_stopped(search, step))
		return;
	if (step == 1)
		reach(search, 1, at, tied_end(search->param, tied));
	else if (from->is[step - 1])
		reach(search, step, at, from->end[step - 1]);
	if (again)
		(void) is_stopped(search, step);
}

/*
 * List for each step the first rows where it holds: with so many, there is one for it after all
 * others. CRM_OK or CRM_ABORTED.
 */
static CrmStatus
list_candidates(CrmCtx *ctx, Tied *tied)
{
	uint32_t open = UINT32_MAX; /* steps whose list is not full */

	memset(tied->n_candidates, 0, sizeof tied->n_candidates);
	for (size_t i = 0; i < tied->n; i++)
	{
		if (i % POLL_EVERY == POLL_EVERY - 1 && crm_poll(ctx))
			return CRM_ABORTED;
		for (uint32_t left = tied->rows[i].holds & open; left != 0; left &= left - 1)
		{
			int s = __builtin_ctz(left);

			tied->candidate[s][tied->n_candidates[s]++] = i;
			if (tied->n_candidates[s] == MOST)
				open &= ~(UINT32_C(1) << s);
		}
	}
	return CRM_OK;
}

/*
 * Give a step a row of its own, moving other steps to other rows where that helps; row taken is
 * not to be had. row_of[s - 1] is the row of each step s of owners (bits). False when there is
 * none, and then nothing has changed. A breadth-first search for an augmenting path (H. W. Kuhn,
 * 1955, doi 10.1002/nav.3800020109).
 */
static bool
give_row(Tied *tied, int step, size_t taken, uint32_t owners, size_t *row_of)
{
	int queue[MOST], parent[MOST + 1], n_queue = 1;
	uint32_t seen = UINT32_C(1) << (step - 1);

	queue[0] = step;
	for (int q = 0; q < n_queue; q++)
	{
		int s = queue[q];

		for (int c = 0; c < tied->n_candidates[s - 1]; c++)
		{
			size_t row = tied->candidate[s - 1][c];
			int owner = 0;

			if (row == taken)
				continue;
			for (int o = 1; o <= MOST && owner == 0; o++)
				if ((owners >> (o - 1) & 1) && row_of[o - 1] == row)
					owner = o;
			if (owner == 0)
			{
				/* each step on the path leaves its row to the step that came for it */
				for (; s != step; s = parent[s])
				{
					size_t left = row_of[s - 1];

					row_of[s - 1] = row;
					row = left;
				}
				row_of[step - 1] = row;
				return true;
			}
			if (seen >> (owner - 1) & 1)
				continue;
			seen |= UINT32_C(1) << (owner - 1);
			parent[owner] = s;
			queue[n_queue++] = owner;
		}
	}
	return false;
}

/*
 * Let the row at index be a step of a chain that uses each row once. Its steps before may be rows
 * of the same time, each another one: as many as rows can be found for, going backwards.
 */
static void
take_once(Search *search, Tied *tied, int step, size_t index)
{
	const Reached *before = &search->before;
	int64_t at = tied->rows[0].at;
	size_t row_of[MOST];
	uint32_t owners = 0;

	for (int s = step; s >= 1; s--)
	{
		if (s < step)
		{
			if (!give_row(tied, s, index, owners, row_of))
				return;
			owners |= UINT32_C(1) << (s - 1);
		}
		if (s == 1)
			reach(search, step, at, tied_end(search->param, tied));
		else if (before->is[s - 1])
			reach(search, step, at, before->end[s - 1]);
	}
}

/* Take the rows of a time in which each row may be used once. CRM_OK or CRM_ABORTED. */
static CrmStatus
take_tied_once(CrmCtx *ctx, Search *search, Tied *tied, uint32_t any)
{
	if (list_candidates(ctx, tied) != CRM_OK)
		return CRM_ABORTED;
	for (int step = 1; step <= search->param->n_steps && !search->ended; step++)
	{
		uint32_t bit = UINT32_C(1) << (step - 1), last = 0;

		if (!(any & bit))
			continue;
		for (size_t i = 0; i < tied->n && !search->ended; i++)
		{
			uint32_t holds = tied->rows[i].holds;

			if (i % POLL_EVERY == POLL_EVERY - 1 && crm_poll(ctx))
				return CRM_ABORTED;
			if (!(holds & bit) || is_stopped(search, step) || holds == last)
				continue;
			last = holds; /* what another row of the same conditions would find is found */
			if (crm_poll(ctx))
				return CRM_ABORTED;
			take_once(search, tied, step, i);
		}
	}
	return CRM_OK;
}

/* Take the n rows of one time. CRM_OK, CRM_ABORTED, or CRM_DOMAIN for a step above n_steps. */
static CrmStatus
take_rows(CrmCtx *ctx, Search *search, Tied *tied)
{
	const CrmFunnelParam *param = search->param;
	uint32_t any = 0, again = 0;

	for (size_t i = 0; i < tied->n; i++)
	{
		if (i % POLL_EVERY == POLL_EVERY - 1 && crm_poll(ctx))
			return CRM_ABORTED;
		again |= any & tied->rows[i].holds;
		any |= tied->rows[i].holds;
	}
	if (param->n_steps < MOST && any >> param->n_steps != 0)
		return CRM_DOMAIN;
	/* a row without a step comes first of its time */
	if ((param->modes & CRM_FUNNEL_STRICT_ORDER) && search->now.is[1] && tied->rows[0].holds == 0)
		search->ended = true;
	if (search->ended)
		return CRM_OK;
	if ((param->modes & CRM_FUNNEL_STRICT_ONCE) && !(param->modes & CRM_FUNNEL_STRICT_INCREASE) &&
		tied->n > 1)
		return take_tied_once(ctx, search, tied, any);
	for (; any != 0 && !search->ended; any &= any - 1)
	{
		int step = 1 + __builtin_ctz(any);

		take_step(search, tied, step, again >> (step - 1) & 1);
	}
	return CRM_OK;
}

/*
 * Give the level of n sorted rows; see CrmFunnelMode for what ends the search before the last row.
 * CRM_OK, CRM_ABORTED, or CRM_DOMAIN for n_steps not in 1 .. CRM_FUNNEL_MAX_STEPS, a step above
 * n_steps or a negative window. Linear in n but for strict_once, where rows of equal times cost
 * more, at most by a factor of the steps' number to the fifth.
 */
CrmStatus
crm_funnel_level(CrmCtx *ctx, const CrmConditions *rows, size_t n, const CrmFunnelParam *param,
				 int *level)
{
	Search search = {.param = param};
	Tied tied;
	size_t next, polled = 0;

	*level = 0;
	if (param->n_steps < 1 || param->n_steps > MOST || (param->end == NULL && param->window < 0))
		return CRM_DOMAIN;
	for (size_t first = 0; first < n && !search.ended; first = next)
	{
		CrmStatus status;

		for (next = first + 1; next < n && rows[next].at == rows[first].at; next++)
			if (next % POLL_EVERY == 0 && crm_poll(ctx))
				return CRM_ABORTED;
		if (next - polled >= POLL_EVERY && crm_poll(ctx))
			return CRM_ABORTED;
		polled = next - polled >= POLL_EVERY ? next : polled;
		if (param->modes & (CRM_FUNNEL_STRICT_INCREASE | CRM_FUNNEL_STRICT_ONCE))
			search.before = search.now;
		tied.rows = rows + first;
		tied.n = next - first;
		tied.has_end = false;
		tied.end = 0;
		status = take_rows(ctx, &search, &tied);
		if (status != CRM_OK)
			return status;
	}
	while (*level < param->n_steps && search.now.is[*level + 1])
		++*level;
	return CRM_OK;
}
