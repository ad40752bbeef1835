/*
 * recommend_index.c: unit tests of the parts of recommendations against counting by hand: which
 * baskets hold an item, what they hold besides, rows, popularity, the best of many.
 */
#include "kernel/recommend_index.h"
#include "host.h"

#define MAX_ITEMS 12
#define MAX_TIDS  60

typedef struct Case
{
	CrmBaskets baskets;
	uint64_t start[MAX_TIDS + 1];
	uint32_t items[MAX_TIDS * 2 * MAX_ITEMS];
	bool has[MAX_TIDS][MAX_ITEMS];
} Case;

/* Draw baskets in which some items repeat and some baskets are empty. */
static void
draw_case(Case *c)
{
	memset(c, 0, sizeof *c);
	c->baskets = (CrmBaskets){.n = 1 + (uint32_t) draw_below(MAX_TIDS),
							  .n_items = 1 + (uint32_t) draw_below(MAX_ITEMS),
							  .start = c->start,
							  .items = c->items};
	for (uint32_t b = 0; b < c->baskets.n; b++)
	{
		uint64_t size = draw_below(2 * MAX_ITEMS);

		c->start[b + 1] = c->start[b];
		for (uint64_t i = 0; i < size; i++)
		{
			uint32_t item =
				(uint32_t) (draw_below(c->baskets.n_items) * draw_below(c->baskets.n_items + 1) /
							(c->baskets.n_items + 1));

			c->items[c->start[b + 1]++] = item;
			c->has[b][item] = true;
		}
	}
}

/* Count the baskets that hold both items. */
static uint32_t
together(const Case *c, uint32_t i, uint32_t j)
{
	uint32_t n = 0;

	for (uint32_t b = 0; b < c->baskets.n; b++)
		n += c->has[b][i] && c->has[b][j];
	return n;
}

/* Tell whether the row of an item is what counting says. */
static bool
is_row(const Case *c, const CrmRecommender *r, uint32_t item, const CrmRecommendRow *row)
{
	const CrmRecommendParam *param = &r->param;
	uint32_t own = together(c, item, item), rules = 0;
	double worst = INFINITY;

	for (uint32_t j = 0; j < c->baskets.n_items; j++)
	{
		uint32_t both = together(c, item, j), of_j = together(c, j, j);
		double s = both / sqrt((double) own * of_j) * both / (both + param->shrinkage);
		bool is_rule = j != item && both >= param->min_count &&
					   (double) both / own >= param->min_confidence &&
					   both * c->baskets.n > own * of_j;
		bool is_told = false;

		for (uint32_t i = 0; i < row->n_rules; i++)
			is_told |= row->pairs[i].item == j && row->pairs[i].together == both;
		if (is_told != is_rule)
			return false;
		rules += is_rule;
		for (uint32_t i = 0; i < row->n_similar; i++)
			if (row->pairs[row->n_rules + i].item == j)
			{
				if (row->pairs[row->n_rules + i].together != both || j == item ||
					both * c->baskets.n <= own * of_j)
					return false;
				worst = fmin(worst, s);
			}
	}
	for (uint32_t j = 0; j < c->baskets.n_items; j++)
	{
		uint32_t both = together(c, item, j), of_j = together(c, j, j);
		double s = both / sqrt((double) own * of_j) * both / (both + param->shrinkage);
		bool is_told = j == item || both < param->min_count || both * c->baskets.n <= own * of_j;

		for (uint32_t i = 0; i < row->n_similar; i++)
			is_told |= row->pairs[row->n_rules + i].item == j;
		if (!is_told && (row->n_similar < param->neighbours || s > worst * (1 + 1e-12)))
			return false;
	}
	return rules == row->n_rules && row->n_similar <= param->neighbours;
}

static void
test_lists(void)
{
	bool counts = true, lists = true, rows = true, popular = true, again = true, balanced = true;

	for (int round = 0; round < 2000; round++)
	{
		static Case c;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmRecommender r;
		CrmRecommendParam param;
		uint32_t wanted[2];
		bool all = draw_below(2) == 0;

		draw_case(&c);
		crm_recommend_defaults(&param);
		param.min_count = 1 + (uint32_t) draw_below(3);
		param.min_confidence = (double) draw_below(4) / 4.0;
		param.shrinkage = (double) draw_below(10);
		param.neighbours = 1 + (uint32_t) draw_below(5);
		wanted[0] = wanted[1] = (uint32_t) draw_below(c.baskets.n_items);
		if (crm_recommend_begin(&r, ctx, &c.baskets, &param, all ? NULL : wanted, 2) != CRM_OK)
			counts = false;
		for (uint32_t j = 0; j < c.baskets.n_items; j++)
		{
			const CrmRecommendRow *row, *kept;
			uint32_t n, own = together(&c, j, j);
			const uint32_t *tids = crm_recommend_tids(&r, j, &n);

			counts &= r.count[j] == own;
			if (!all && j != wanted[0])
			{
				lists &= n == 0;
				continue;
			}
			lists &= n == own;
			for (uint32_t i = 0; i < n; i++)
				lists &= c.has[tids[i]][j] && (i == 0 || tids[i - 1] < tids[i]);
			rows &= crm_recommend_row(&r, j, &row) == CRM_OK && is_row(&c, &r, j, row);
			again &= crm_recommend_row(&r, j, &kept) == CRM_OK && kept == row;
		}
		popular &= crm_recommend_popularity(&r) == CRM_OK;
		for (uint32_t i = 1; i < c.baskets.n_items; i++)
			popular &= r.count[r.popular[i - 1]] > r.count[r.popular[i]] ||
					   (r.count[r.popular[i - 1]] == r.count[r.popular[i]] &&
						r.popular[i - 1] < r.popular[i]);
		crm_recommend_end(&r);
		balanced &= host_is_balanced(&host) && host.held == 0;
		host_drop(&host);
	}
	ok(counts, "an item is counted once in a basket");
	ok(lists, "and its baskets are listed, if it is wanted");
	ok(rows, "rules and neighbours are those of counting");
	ok(again, "a row is kept");
	ok(popular, "popular items come first, equal ones by code");
	ok(balanced, "and all is given back");
}

/* The k best of many are those of a full sort. */
static void
test_best(void)
{
	bool passed = true, strict = true;

	for (int round = 0; round < 3000; round++)
	{
		CrmRecommendation list[50], best[50];
		uint32_t n = (uint32_t) draw_below(51), k = (uint32_t) draw_below(51), kept = 0;

		for (uint32_t i = 0; i < n; i++)
		{
			list[i] = (CrmRecommendation){.score = (double) draw_below(5),
										  .together = (uint32_t) draw_below(3),
										  .count = (uint32_t) draw_below(3),
										  .item = i};
			crm_recommend_place(best, &kept, k, &list[i]);
		}
		crm_recommend_sort(best, kept);
		passed &= kept == (n < k ? n : k);
		for (uint32_t i = 0; i < kept; i++)
		{
			uint32_t before = 0;

			for (uint32_t j = 0; j < n; j++)
			{
				const CrmRecommendation *a = &list[j], *b = &best[i];
				int64_t by[] = {(int64_t) (a->score - b->score),
								(int64_t) a->together - b->together, (int64_t) a->count - b->count,
								(int64_t) b->item - a->item};
				int f = 0;

				while (f < 3 && by[f] == 0)
					f++;
				before += by[f] > 0;
			}
			strict &= before == i;
		}
	}
	ok(passed, "as many as wanted are kept");
	ok(strict, "each at its place: by score, baskets together, baskets, code");
}

/* No memory, or a wish to stop, at any moment: the status says so and nothing is lost. */
static void
test_failures(void)
{
	static Case c;
	bool memory = true, stop = true, balanced = true;

	do
		draw_case(&c);
	while (c.baskets.n < 30 || c.baskets.n_items < 6);
	for (size_t at = 1; at < 40; at++)
	{
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmRecommender r;
		CrmRecommendParam param;
		const CrmRecommendRow *row;
		CrmStatus status;

		crm_recommend_defaults(&param);
		host.tap.fail_at = at;
		status = crm_recommend_begin(&r, ctx, &c.baskets, &param, NULL, 0);
		for (uint32_t j = 0; j < c.baskets.n_items && status == CRM_OK; j++)
			status = crm_recommend_row(&r, j, &row);
		if (status == CRM_OK)
			status = crm_recommend_popularity(&r);
		memory &= status == (at <= host.tap.allocations ? CRM_NO_MEMORY : CRM_OK);
		crm_recommend_end(&r);
		balanced &= host_is_balanced(&host) && host.held == 0;
		host_drop(&host);
	}
	ok(memory, "an allocation that fails is told");
	for (int level = 0; level < 2; level++)
	{
		static uint32_t items[600000];
		static uint64_t start[] = {0, 300000, 600000};
		CrmBaskets large = {.n = 2, .n_items = 600000, .start = start, .items = items};
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmRecommender r;
		CrmRecommendParam param;
		const CrmRecommendRow *row;

		for (uint32_t i = 0; i < 600000; i++)
			items[i] = i;
		crm_recommend_defaults(&param);
		host.tap.abort_at = level == 0 ? 1 : 0;
		stop &= crm_recommend_begin(&r, ctx, &large, &param, NULL, 0) ==
				(level == 0 ? CRM_ABORTED : CRM_OK);
		if (level == 1)
		{
			host.tap.abort_at = 1;
			stop &= crm_recommend_row(&r, 5, &row) == CRM_ABORTED;
		}
		crm_recommend_end(&r);
		balanced &= host_is_balanced(&host) && host.held == 0;
		host_drop(&host);
	}
	ok(stop, "a wish to stop is followed, while reading and while counting");
	ok(balanced, "and nothing is lost");
}

int
main(void)
{
	test_lists();
	test_best();
	test_failures();
	return tap_done();
}
