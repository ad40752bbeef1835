/*
 * funnel.c: unit tests of kernel/funnel against the definition: all chains of events are tried.
 */
#include "kernel/funnel.h"
#include "host.h"

#define MOST_ROWS  6
#define MOST_STEPS 7
#define MODES      32

/* An event of a row, as the definition has it. */
typedef struct Event
{
	int64_t at;
	int step;
	uint32_t holds;
	int row;
} Event;

typedef struct Case
{
	Event events[MOST_ROWS * MOST_STEPS];
	int n;
	int64_t end[MOST_ROWS]; /* of the window that begins at a row */
	unsigned mode;
	int used[MOST_STEPS + 1]; /* the rows of the chain that is tried */
} Case;

/* True when events before n hold a chain from step to goal after event last. */
static bool
continues(Case *c, int n, int last, int step, int goal, int64_t end)
{
	if (step > goal)
		return true;
	for (int i = last + 1; i < n; i++)
	{
		const Event *e = &c->events[i];
		bool fits = e->step == step && (step == 1 || e->at <= end);

		if (step > 1 && (c->mode & CRM_FUNNEL_STRICT_INCREASE))
			fits = fits && e->at > c->events[last].at;
		if (c->mode & CRM_FUNNEL_STRICT_ONCE)
			for (int s = 1; s < step; s++)
				fits = fits && c->used[s] != e->row;
		c->used[step] = e->row;
		if (fits && continues(c, n, i, step + 1, goal, step == 1 ? c->end[e->row] : end))
			return true;
	}
	return false;
}

/* Give the level by the definition. */
static int
define_level(Case *c, int n_steps)
{
	int end = 0, level = 0;

	for (; end < c->n; end++)
	{
		int step = c->events[end].step;

		if ((c->mode & CRM_FUNNEL_STRICT_DEDUPLICATION) && step > 1 &&
			continues(c, end, -1, 1, step, 0))
			break;
		if (!(c->mode & CRM_FUNNEL_STRICT_ORDER) || !continues(c, end, -1, 1, 1, 0))
			continue;
		if (step == 0 || (step > 1 && !(c->mode & CRM_FUNNEL_ALLOW_REENTRY) &&
						  !continues(c, end, -1, 1, step - 1, 0)))
			break;
	}
	while (level < n_steps && continues(c, end, -1, 1, level + 1, 0))
		level++;
	return level;
}

/* True when a comes before b: by time, step, conditions, and then anyhow. */
static bool
comes_before(const Event *a, const Event *b)
{
	if (a->at != b->at)
		return a->at < b->at;
	if (a->step != b->step)
		return a->step < b->step;
	return a->holds != b->holds ? a->holds < b->holds : a->row < b->row;
}

/* List the events of rows in order. */
static void
list_events(Case *c, const CrmConditions *rows, int n, int n_steps)
{
	c->n = 0;
	for (int row = 0; row < n; row++)
		for (int step = 0; step <= n_steps; step++)
			if (step == 0 ? rows[row].holds == 0 : rows[row].holds >> (step - 1) & 1)
			{
				Event e = {rows[row].at, step, rows[row].holds, row};
				int to = c->n++;

				for (; to > 0 && comes_before(&e, &c->events[to - 1]); to--)
					c->events[to] = c->events[to - 1];
				c->events[to] = e;
			}
}

/* An end of windows that is not in the order of their beginnings, as with months of some days. */
static int64_t
crooked_end(void *user, int64_t at)
{
	const int64_t *length = user;

	return at + *length + (at % 3 == 0 ? 2 : 0) - (at % 3 == 1 && *length > 0 ? 1 : 0);
}

/* Hold random rows against the definition. */
static void
try_random(CrmCtx *ctx)
{
	int wrong[MODES] = {0}, differ[MODES] = {0}, long_ones = 0, shuffled = 0;

	for (int round = 0; round < 12000; round++)
	{
		CrmConditions rows[MOST_ROWS];
		int64_t window = (int64_t) draw_below(7);
		CrmFunnelParam param = {.n_steps = 1 + (int) draw_below(4), .window = window};
		int n = (int) draw_below(MOST_ROWS + 1), plain = 0, level, times = 2 + (int) draw_below(7);
		uint64_t among = UINT64_C(1) << param.n_steps;
		bool dense = draw_below(3) == 0;
		Case c;

		for (int i = 0; i < n; i++)
			rows[i] = (CrmConditions){
				(int64_t) draw_below((uint64_t) times),
				(uint32_t) (draw_below(among) & (dense ? UINT32_MAX : draw_below(among)))};
		if (draw_below(3) == 0)
		{
			param.end = crooked_end;
			param.user = &window;
		}
		crm_conditions_sort(ctx, rows, (size_t) n);
		list_events(&c, rows, n, param.n_steps);
		for (int i = 0; i < n; i++)
			c.end[i] = param.end != NULL ? crooked_end(&window, rows[i].at) : rows[i].at + window;
		for (c.mode = 0; c.mode < MODES; c.mode++)
		{
			param.modes = c.mode;
			if (crm_funnel_level(ctx, rows, (size_t) n, &param, &level) != CRM_OK)
				wrong[c.mode]++;
			wrong[c.mode] += level != define_level(&c, param.n_steps);
			plain = c.mode == 0 ? level : plain;
			differ[c.mode] += level != plain;
			long_ones += level > 2;
			shuffled += level > plain;
		}
	}
	ok(long_ones > 1000, "long chains are among the cases");
	ok(shuffled == 0, "no mode gives more than the default");
	for (int mode = 0; mode < MODES; mode++)
		ok(wrong[mode] == 0 && (differ[mode] > 20 || mode == 0 || mode == CRM_FUNNEL_ALLOW_REENTRY),
		   "mode %d is its definition; it matters in %d cases", mode, differ[mode]);
}

/* Hold rows of one or two times and many steps against the definition, each used once. */
static void
try_tied(CrmCtx *ctx)
{
	int wrong = 0, long_ones = 0;

	for (int round = 0; round < 20000; round++)
	{
		CrmConditions rows[MOST_ROWS];
		CrmFunnelParam param = {.n_steps = MOST_STEPS,
								.window = 1,
								.modes = CRM_FUNNEL_STRICT_ONCE |
										 (round % 4 == 0 ? CRM_FUNNEL_STRICT_ORDER : 0)};
		int n = 4 + (int) draw_below(3), level;
		Case c = {.mode = param.modes};

		for (int i = 0; i < n; i++)
			rows[i] = (CrmConditions){(int64_t) draw_below(1 + round % 2),
									  (uint32_t) (draw_below(64) << 1 & draw_below(128)) |
										  (i == 0 ? 1 + (uint32_t) draw_below(128) : 0)};
		for (int i = 0; i < n; i++)
			rows[i].holds &= 127;
		crm_conditions_sort(ctx, rows, (size_t) n);
		list_events(&c, rows, n, param.n_steps);
		for (int i = 0; i < n; i++)
			c.end[i] = rows[i].at + 1;
		wrong += crm_funnel_level(ctx, rows, (size_t) n, &param, &level) != CRM_OK;
		wrong += level != define_level(&c, param.n_steps);
		long_ones += level > 4;
	}
	ok(wrong == 0, "rows of one time, each used once, find their steps");
	ok(long_ones > 300, "long chains are among them: %d", long_ones);
}

/* Give the level of rows of one step each at times 1, 2, 3, ...; 0 ends the list. */
static int
level_of(CrmCtx *ctx, const char *steps, int n_steps, unsigned modes)
{
	CrmConditions rows[40];
	CrmFunnelParam param = {.n_steps = n_steps, .window = 86400, .modes = modes};
	size_t n = strlen(steps);
	int level;

	for (size_t i = 0; i < n; i++)
	{
		int step = steps[i] - 'a' + 1;

		rows[i] = (CrmConditions){(int64_t) i + 1, step > n_steps ? 0 : UINT32_C(1) << (step - 1)};
	}
	return crm_funnel_level(ctx, rows, n, &param, &level) == CRM_OK ? level : -1;
}

/* What ClickHouse's own test 00632_aggregation_window_funnel expects, and its documentation. */
static void
try_clickhouse(CrmCtx *ctx)
{
	const unsigned order = CRM_FUNNEL_STRICT_ORDER, once = CRM_FUNNEL_STRICT_ONCE;
	const unsigned deduplication = CRM_FUNNEL_STRICT_DEDUPLICATION;
	const char *user[] = {"abc", "adbc", "aabbcc", "aaaabbcc", "aabbdcc", "ccbbaa"};
	const int plain[] = {3, 3, 3, 3, 3, 1}, strict[] = {3, 1, 3, 3, 2, 1};
	const int both[] = {3, 1, 2, 2, 2, 1};
	int wrong = 0;

	for (int i = 0; i < 6; i++)
		wrong += (level_of(ctx, user[i], 3, 0) != plain[i]) +
				 (level_of(ctx, user[i], 3, order) != strict[i]) +
				 (level_of(ctx, user[i], 3, order | deduplication) != both[i]);
	ok(wrong == 0, "funnel_test_strict_order of ClickHouse");
	is_int(level_of(ctx, "acb", 3, order), 1, "its user 7");
	is_int(level_of(ctx, "abcbd", 4, deduplication), 3, "strict_BiteTheDDDD of ClickHouse");
	is_int(level_of(ctx, "abdc", 3, order), 2, "A B D C ends at D, as documented");
	is_int(level_of(ctx, "aabc", 3, order | CRM_FUNNEL_ALLOW_REENTRY), 3, "allow_reentry");
	is_int(level_of(ctx, "acbc", 3, order | CRM_FUNNEL_ALLOW_REENTRY), 3, "passes over a step");
	is_int(level_of(ctx, "dab", 2, order), 2, "what comes before the first step does not matter");
	for (unsigned mode = 0; mode < MODES; mode++)
	{
		const CrmConditions all[] = {{1, 7}};
		CrmFunnelParam param = {.n_steps = 3, .modes = mode, .window = 9};
		int level;

		crm_funnel_level(ctx, all, 1, &param, &level);
		wrong += level != (mode & (once | CRM_FUNNEL_STRICT_INCREASE) ? 1 : 3);
	}
	ok(wrong == 0, "one row of all steps is three steps, or one");
}

/* Rows of one time of which each may be used once. */
static void
try_once(CrmCtx *ctx)
{
	CrmConditions rows[80];
	CrmFunnelParam param = {.n_steps = 32, .modes = CRM_FUNNEL_STRICT_ONCE};
	int level;

	for (int i = 0; i < 80; i++)
		rows[i] = (CrmConditions){5, UINT32_MAX};
	crm_funnel_level(ctx, rows, 31, &param, &level);
	is_int(level, 31, "31 rows of all steps are 31 steps");
	crm_funnel_level(ctx, rows, 80, &param, &level);
	is_int(level, 32, "80 rows of all steps are 32 steps");
	/* step k holds in rows k to 32: only one row is left for each of the last */
	for (int i = 0; i < 32; i++)
		rows[i] = (CrmConditions){5, UINT32_MAX >> (31 - i)};
	crm_funnel_level(ctx, rows, 32, &param, &level);
	is_int(level, 32, "a chain that leaves each step its only row");
	rows[30].holds = UINT32_MAX >> 2;
	crm_conditions_sort(ctx, rows, 32);
	crm_funnel_level(ctx, rows, 32, &param, &level);
	is_int(level, 31, "one row for the last two is not enough");
}

/* Stop at every poll; refuse what is out of the domain. */
static void
try_edges(Host *host, CrmCtx *ctx)
{
	const CrmConditions wide[] = {{INT64_MIN, 1}, {INT64_MAX, 2}};
	const CrmConditions late[] = {{INT64_MAX - 5, 1}, {INT64_MAX, 2}};
	const CrmConditions three[] = {{1, 4}};
	static CrmConditions rows[200000];
	CrmFunnelParam param = {.n_steps = 2, .window = INT64_MAX};
	int level, not_aborted = 0;

	crm_funnel_level(ctx, wide, 2, &param, &level);
	is_int(level, 1, "the whole range of times does not overflow");
	crm_funnel_level(ctx, late, 2, &param, &level);
	is_int(level, 2, "a window beyond the last time has no end");
	crm_funnel_level(ctx, wide, 0, &param, &level);
	is_int(level, 0, "no rows");
	ok(crm_funnel_level(ctx, three, 1, &param, &level) == CRM_DOMAIN, "a step above n_steps");
	for (int n_steps = 0; n_steps <= 33; n_steps += 33)
	{
		param.n_steps = n_steps;
		ok(crm_funnel_level(ctx, wide, 2, &param, &level) == CRM_DOMAIN, "%d steps", n_steps);
	}
	param = (CrmFunnelParam){.n_steps = 32, .window = -1};
	ok(crm_funnel_level(ctx, wide, 2, &param, &level) == CRM_DOMAIN, "a negative window");
	for (int spread = 0; spread < 3; spread++)
	{
		for (int i = 0; i < 200000; i++)
			rows[i] = (CrmConditions){spread == 0   ? 5
									  : spread == 1 ? i
													: i / 100,
									  UINT32_C(1) << i % 32};
		crm_conditions_sort(ctx, rows, 200000);
		for (unsigned mode = 0; mode <= CRM_FUNNEL_STRICT_ONCE; mode += CRM_FUNNEL_STRICT_ONCE)
		{
			size_t polls;

			param = (CrmFunnelParam){.n_steps = 32, .window = 1000, .modes = mode};
			host->tap.polls = 0;
			host->tap.abort_at = 0;
			not_aborted += crm_funnel_level(ctx, rows, 200000, &param, &level) != CRM_OK;
			polls = host->tap.polls;
			ok(polls >= 3 && level == 32, "spread %d, mode %u polls", spread, mode);
			for (size_t at = 1; at <= polls; at = at < 6 ? at + 1 : at * 3 / 2)
			{
				host->tap.polls = 0;
				host->tap.abort_at = at;
				not_aborted += crm_funnel_level(ctx, rows, 200000, &param, &level) != CRM_ABORTED;
			}
			host->tap.abort_at = 0;
		}
	}
	ok(not_aborted == 0, "a poll ends it at any point");
}

int
main(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);

	try_random(ctx);
	try_tied(ctx);
	try_clickhouse(ctx);
	try_once(ctx);
	try_edges(&host, ctx);
	return tap_done();
}
