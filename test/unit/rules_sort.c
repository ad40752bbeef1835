/*
 * rules_sort.c: unit tests of the sort of an index: sorted, stable, whatever comes.
 */
#include "kernel/rules_sort.h"
#include "host.h"

#define MOST 200000

static uint32_t values[MOST], sorted[MOST], scratch[MOST];
static size_t comparisons;

static int
compare(const void *arg, uint32_t a, uint32_t b)
{
	const uint32_t *value = arg;

	comparisons++;
	return (value[a] > value[b]) - (value[a] < value[b]);
}

static void
test_sorts(void)
{
	static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 16, 17, 100, 1000, 4097, MOST};

	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
		for (int kind = 0; kind < 4; kind++)
		{
			size_t n = sizes[s], wrong = 0;
			double most = (double) n * (log2((double) n + 1) + 2) + 8 * 8;
			TapContext tap;

			for (size_t i = 0; i < n; i++)
			{
				sorted[i] = (uint32_t) i;
				values[i] = (uint32_t) (kind == 0   ? draw()
										: kind == 1 ? draw_below(5)
										: kind == 2 ? i
													: n - i);
			}
			comparisons = 0;
			wrong +=
				crm_rules_sort(tap_context(&tap), sorted, scratch, n, compare, values) != CRM_OK;
			for (size_t i = 1; i < n; i++)
				wrong += values[sorted[i - 1]] > values[sorted[i]] ||
						 (values[sorted[i - 1]] == values[sorted[i]] && sorted[i - 1] >= sorted[i]);
			ok(wrong == 0 && (double) comparisons <= most + 4.0 * (double) n,
			   "%zu of kind %d: %zu comparisons", n, kind, comparisons);
		}
}

static void
test_abort(void)
{
	size_t polls = 0;

	for (size_t at = 1; at == 1 || at <= polls; at += 3)
	{
		TapContext tap;
		CrmCtx *ctx = tap_context(&tap);

		for (size_t i = 0; i < MOST; i++)
		{
			sorted[i] = (uint32_t) i;
			values[i] = (uint32_t) draw();
		}
		if (polls == 0)
		{
			(void) crm_rules_sort(ctx, sorted, scratch, MOST, compare, values);
			polls = tap.polls;
			ctx = tap_context(&tap);
		}
		tap.abort_at = at;
		ok(crm_rules_sort(ctx, sorted, scratch, MOST, compare, values) == CRM_ABORTED &&
			   tap.polls == at,
		   "stops at poll %zu of %zu", at, polls);
	}
}

int
main(void)
{
	test_sorts();
	test_abort();
	return tap_done();
}
