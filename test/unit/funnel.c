/*
 * funnel.c: unit tests of kernel/funnel against the definition: all chains are tried.
 */
#include "kernel/funnel.h"
#include "kernel/base/rng.h"
#include "tap.h"

#define MOST 9

/* True when the first n events hold a chain from step to goal after event last, begun at start. */
static bool
continues(const CrmFunnelEvent *e, int n, int last, int step, int goal, int64_t start,
		  int64_t window, unsigned mode)
{
	if (step > goal)
		return true;
	for (int i = last + 1; i < n; i++)
		if ((int) e[i].step == step && (step == 1 || e[i].at - start <= window) &&
			(step == 1 || !(mode & CRM_FUNNEL_STRICT_INCREASE) || e[i].at > e[last].at) &&
			continues(e, n, i, step + 1, goal, step == 1 ? e[i].at : start, window, mode))
			return true;
	return false;
}

/* Give the level by the definition. */
static int
define_level(const CrmFunnelEvent *e, int n, int n_steps, int64_t window, unsigned mode)
{
	int end = 0, level = 0;

	for (; end < n; end++)
	{
		int step = (int) e[end].step;
		bool begun = continues(e, end, -1, 1, 1, 0, window, mode);

		if ((mode & CRM_FUNNEL_STRICT_DEDUPLICATION) && step > 1 &&
			continues(e, end, -1, 1, step, 0, window, mode))
			break;
		if ((mode & CRM_FUNNEL_STRICT_ORDER) && begun &&
			(step == 0 || (step > 1 && !continues(e, end, -1, 1, step - 1, 0, window, mode))))
			break;
	}
	while (level < n_steps && continues(e, end, -1, 1, level + 1, 0, window, mode))
		level++;
	return level;
}

int
main(void)
{
	CrmCtx ctx = {0};
	CrmRng rng;
	int wrong[8] = {0}, unsorted = 0, reached = 0, level;
	const CrmFunnelEvent wide[] = {{INT64_MIN, 1}, {INT64_MAX, 2}};
	const CrmFunnelEvent shop[] = {{1, 1}, {2, 2}, {3, 4}, {4, 3}, {5, 2}, {6, 4}};

	crm_rng_seed(&rng, 8, 0);
	for (int round = 0; round < 40000; round++)
	{
		CrmFunnelEvent e[MOST];
		int n = (int) (crm_rng_next(&rng) % (MOST + 1));
		int n_steps = 1 + (int) (crm_rng_next(&rng) % 4);
		int64_t window = (int64_t) (crm_rng_next(&rng) % 9);

		for (int i = 0; i < n; i++)
			e[i] = (CrmFunnelEvent){(int64_t) (crm_rng_next(&rng) % 10),
									(uint32_t) (crm_rng_next(&rng) % (unsigned) (n_steps + 1))};
		crm_funnel_sort(&ctx, e, (size_t) n);
		for (int i = 1; i < n; i++)
			unsorted +=
				e[i - 1].at > e[i].at || (e[i - 1].at == e[i].at && e[i - 1].step > e[i].step);
		for (unsigned mode = 0; mode < 8; mode++)
		{
			CrmStatus status = crm_funnel_level(&ctx, e, (size_t) n, n_steps, window, mode, &level);

			wrong[mode] += status != CRM_OK || level != define_level(e, n, n_steps, window, mode);
			reached += level > 2;
		}
	}
	ok(unsorted == 0, "events are sorted by time, then step");
	ok(reached > 1000, "long chains are among the cases");
	for (unsigned mode = 0; mode < 8; mode++)
	{
		char name[60];

		snprintf(name, sizeof name, "mode %u is its definition", mode);
		ok(wrong[mode] == 0, name);
	}
	/* A B D C B D: ClickHouse's documentation stops A-B-D-C at D under strict_order */
	crm_funnel_level(&ctx, shop, 6, 4, 10, 0, &level);
	ok(level == 4, "default skips what does not fit");
	crm_funnel_level(&ctx, shop, 6, 4, 10, CRM_FUNNEL_STRICT_ORDER, &level);
	ok(level == 2, "strict_order ends at a step too early");
	crm_funnel_level(&ctx, shop, 6, 4, 10, CRM_FUNNEL_STRICT_DEDUPLICATION, &level);
	ok(level == 3, "strict_deduplication ends at a step that comes again");
	crm_funnel_level(&ctx, wide, 2, 2, INT64_MAX, 0, &level);
	ok(level == 1, "the whole range of times does not overflow");
	ok(crm_funnel_level(&ctx, shop, 6, 3, 10, 0, &level) == CRM_DOMAIN, "a step above n_steps");
	ok(crm_funnel_level(&ctx, shop, 6, 33, 10, 0, &level) == CRM_DOMAIN, "33 steps");
	ok(crm_funnel_level(&ctx, shop, 6, 4, -1, 0, &level) == CRM_DOMAIN, "a negative window");
	return tap_done();
}
