/*
 * itemset_search.c: unit tests of what the miners share: subsets of perfect items, sorting, the
 * stack of memory.
 */
#include "host.h"

#include "kernel/itemset_search.h"

static int
cmp_codes(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

	return (x > y) - (x < y);
}

static void
test_sort(void)
{
	static uint32_t codes[300], wanted[300];
	bool passed = true;

	for (uint32_t n = 0; n < 300; n++)
	{
		for (uint32_t i = 0; i < n; i++)
			codes[i] = wanted[i] = (uint32_t) draw_below(n % 2 ? 1000000 : 50);
		crm_itemset_search_sort(codes, n);
		qsort(wanted, n, sizeof(uint32_t), cmp_codes);
		passed &= memcmp(codes, wanted, n * sizeof(uint32_t)) == 0;
	}
	ok(passed, "codes are sorted");
}

/* Sets that were reported, as masks. */
typedef struct Seen
{
	CrmItemsetSearch *search;
	uint32_t n, raise_at;
	uint8_t seen[1 << 10];
	bool passed;
} Seen;

static CrmStatus
see(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	Seen *seen = arg;
	uint32_t mask = 0;

	for (uint32_t i = 0; i < length; i++)
	{
		seen->passed &= i == 0 || items[i - 1] < items[i];
		mask |= UINT32_C(1) << items[i];
	}
	seen->passed &= count == 5 && seen->seen[mask]++ == 0;
	if (++seen->n == seen->raise_at)
		seen->search->min_count = 6;
	return CRM_OK;
}

static void
test_report(void)
{
	static Seen seen;
	TapContext tap;
	CrmItemsetSearch search = {.ctx = tap_context(&tap), .report = see, .arg = &seen};
	bool passed = true;

	for (uint32_t n = 0; n <= 8; n++)
		for (uint32_t min = 1; min < 5; min++)
			for (uint32_t max = min; max < 12; max++)
			{
				uint32_t wanted = 0;

				seen = (Seen){.search = &search, .passed = true};
				search.min_count = 5;
				search.min_length = min;
				search.max_length = max == 11 ? UINT32_MAX : max;
				passed &= crm_itemset_search_begin(&search, n + 2) == CRM_OK;
				crm_itemset_search_push(&search, 9);
				crm_itemset_search_push(&search, 0);
				for (uint32_t i = 0; i < n; i++)
					search.perfect[search.n_perfect++] = n - i;
				passed &= crm_itemset_search_report(&search, 5) == CRM_OK && seen.passed;
				for (uint32_t mask = 0; mask < UINT32_C(1) << n; mask++)
				{
					uint32_t length = 2 + (uint32_t) __builtin_popcount(mask);
					bool is_wanted = length >= min && length <= max;

					wanted += is_wanted;
					passed &= seen.seen[mask << 1 | 1 | 1 << 9] == is_wanted;
				}
				passed &= seen.n == wanted;
				crm_itemset_search_end(&search);
			}
	ok(passed, "the prefix is reported with each subset of the perfect items, by length");
	seen = (Seen){.search = &search, .passed = true, .raise_at = 3};
	search.min_count = 5;
	search.min_length = 1;
	search.max_length = UINT32_MAX;
	(void) crm_itemset_search_begin(&search, 8);
	for (uint32_t i = 0; i < 8; i++)
		search.perfect[search.n_perfect++] = i;
	search.prefix[search.length++] = search.perfect[--search.n_perfect];
	ok(crm_itemset_search_report(&search, 5) == CRM_OK && seen.n == 3,
	   "until the threshold rises above their support");
	tap.abort_at = 1;
	search.min_count = 1;
	search.work = CRM_ITEMSET_POLL;
	ok(crm_itemset_search_report(&search, 5) == CRM_ABORTED, "or the host stops it");
	crm_itemset_search_end(&search);
	is_clean(&tap, "reporting");
}

static void
test_memory(void)
{
	enum
	{
		N = 400
	};
	TapContext tap;
	CrmItemsetSearch search = {.ctx = tap_context(&tap)};
	CrmItemsetMark mark[N];
	unsigned char *memory[N];
	size_t bytes[N], n = 0;
	bool passed = true;

	(void) crm_itemset_search_begin(&search, 1);
	for (int t = 0; t < 5000; t++)
	{
		if (n > 0 && (n == N || draw_below(20) == 0))
		{
			size_t back = draw_below(n);

			crm_itemset_search_rewind(&search, mark[back]);
			n = back;
			continue;
		}
		mark[n] = crm_itemset_search_mark(&search);
		bytes[n] = draw_below(draw_below(10) == 0 ? 600000 : 3000);
		memory[n] = crm_itemset_search_take(&search, bytes[n]);
		passed &= memory[n] != NULL && (uintptr_t) memory[n] % 16 == 0;
		memset(memory[n], (int) (n % 251), bytes[n]);
		n++;
		for (size_t i = 0; i < n && t % 50 == 0; i++)
			for (size_t b = 0; b < bytes[i]; b += 1 + bytes[i] / 7)
				passed &= memory[i][b] == i % 251;
	}
	ok(passed, "pieces of the stack of memory do not overlap");
	ok(crm_itemset_search_take(&search, SIZE_MAX) == NULL && tap.ctx.failure == CRM_LIMIT &&
		   crm_itemset_search_take(&search, SIZE_MAX / 2 + 20) == NULL,
	   "what does not fit is refused");
	tap.ctx.limit = tap.ctx.used + 1000;
	ok(crm_itemset_search_take(&search, 1 << 24) == NULL && tap.ctx.failure == CRM_LIMIT,
	   "as is what the limit forbids");
	crm_itemset_search_end(&search);
	is_clean(&tap, "the stack of memory");
}

int
main(void)
{
	test_sort();
	test_report();
	test_memory();
	return tap_done();
}
