/*
 * recommend.c: unit tests of recommendations against the definition: each candidate's score from
 * counts over all baskets, every antecedent within the basket tried, and a full sort.
 */
#include "kernel/recommend.h"
#include "host.h"

#define MAX_ITEMS 10
#define MAX_TIDS  60

typedef struct Case
{
	CrmBaskets baskets;
	uint64_t start[MAX_TIDS + 1];
	uint32_t items[MAX_TIDS * MAX_ITEMS];
	uint32_t mask[MAX_TIDS]; /* bit j: the basket holds item j */
} Case;

/* Draw baskets; an item's chance depends on the item and on whether its left neighbour is in. */
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
		c->start[b + 1] = c->start[b];
		for (uint32_t j = 0; j < c->baskets.n_items; j++)
			if (draw_below(10) < 2 + j % 3 + (j > 0 && (c->mask[b] >> (j - 1) & 1) ? 4 : 0))
			{
				c->items[c->start[b + 1]++] = j;
				c->mask[b] |= 1u << j;
			}
	}
}

/* Count the baskets that hold all items of a mask. */
static uint32_t
count(const Case *c, uint32_t mask)
{
	uint32_t n = 0;

	for (uint32_t b = 0; b < c->baskets.n; b++)
		n += (c->mask[b] & mask) == mask;
	return n;
}

/* Give the m-estimate of an item among the baskets of an antecedent; -1 when it is no rule. */
static double
strength(const Case *c, const CrmRecommendParam *param, uint32_t antecedent, uint32_t item)
{
	double n = c->baskets.n, n_a = count(c, antecedent), n_j = count(c, 1u << item);
	double n_aj = count(c, antecedent | 1u << item);

	if (n_aj < param->min_count || n_aj / n_a < param->min_confidence || n_aj * n <= n_a * n_j)
		return -1;
	return (n_aj + param->prior * (n_j / n)) / (n_a + param->prior);
}

/* Tell whether antecedent a is before b among antecedents of one strength for an item. */
static bool
is_before(const Case *c, uint32_t a, uint32_t b, uint32_t item)
{
	int bits_a = __builtin_popcount(a), bits_b = __builtin_popcount(b);
	uint32_t n_a = count(c, a | 1u << item), n_b = count(c, b | 1u << item);

	if (bits_a != bits_b)
		return bits_a < bits_b;
	if (n_a != n_b)
		return n_a > n_b;
	return (a & (a ^ b) & -(a ^ b)) != 0; /* the lowest item that only one has is a's */
}

/* Work out a recommendation by rules; false when none leads to the item. */
static bool
by_rules(const Case *c, const CrmRecommendParam *param, uint32_t basket, uint32_t item,
		 CrmRecommendation *told)
{
	uint32_t used = 0;
	double against = 1.0;

	for (uint32_t r = 0; r < param->rules; r++)
	{
		uint32_t best = 0;
		double most = -1;

		for (uint32_t a = basket; a > 0; a = (a - 1) & basket)
		{
			double s;

			if ((uint32_t) __builtin_popcount(a) > param->max_antecedent || (a & used) != 0 ||
				(s = strength(c, param, a, item)) < 0)
				continue;
			if (best == 0 || s > most || (!(s < most) && is_before(c, a, best, item)))
			{
				best = a;
				most = s;
			}
		}
		if (best == 0)
			break;
		if (used == 0)
		{
			*told = (CrmRecommendation){.method = CRM_RECOMMEND_RULE, .item = item};
			for (uint32_t j = 0; j < MAX_ITEMS; j++)
				if (best >> j & 1)
					told->antecedent[told->length++] = j;
			told->antecedent_count = count(c, best);
			told->together = count(c, best | 1u << item);
		}
		used |= best;
		against *= 1 - most;
	}
	told->score = 1 - against;
	told->count = count(c, 1u << item);
	return used != 0;
}

/* Give the similarity of two items. */
static double
similarity(const Case *c, const CrmRecommendParam *param, uint32_t i, uint32_t j)
{
	double both = count(c, 1u << i | 1u << j);

	return both / sqrt((double) count(c, 1u << i) * count(c, 1u << j)) * both /
		   (both + param->shrinkage);
}

/* Tell whether two items are together more often than by chance. */
static bool
is_lifted(const Case *c, uint32_t i, uint32_t j)
{
	return count(c, 1u << i | 1u << j) * c->baskets.n > count(c, 1u << i) * count(c, 1u << j);
}

/* Tell whether j is among the neighbours of i. */
static bool
is_neighbour(const Case *c, const CrmRecommendParam *param, uint32_t i, uint32_t j)
{
	uint32_t both = count(c, 1u << i | 1u << j), before = 0;
	double s = similarity(c, param, i, j);

	if (both < param->min_count || !is_lifted(c, i, j))
		return false;
	for (uint32_t o = 0; o < c->baskets.n_items; o++)
	{
		uint32_t other = count(c, 1u << i | 1u << o);
		double t = similarity(c, param, i, o);

		if (o == i || o == j || other < param->min_count || !is_lifted(c, i, o))
			continue;
		if (fabs(t - s) > 1e-12)
			before += t > s;
		else if (other != both)
			before += other > both;
		else if (count(c, 1u << o) != count(c, 1u << j))
			before += count(c, 1u << o) > count(c, 1u << j);
		else
			before += o < j;
	}
	return before < param->neighbours;
}

/* Work out a recommendation by similarity. */
static bool
by_similarity(const Case *c, const CrmRecommendParam *param, uint32_t basket, uint32_t item,
			  CrmRecommendation *told)
{
	double most = -1;

	*told = (CrmRecommendation){
		.method = CRM_RECOMMEND_SIMILAR, .item = item, .count = count(c, 1u << item)};
	for (uint32_t i = 0; i < c->baskets.n_items; i++)
	{
		double s;

		if (!(basket >> i & 1) || count(c, 1u << i) == 0 || !is_neighbour(c, param, i, item))
			continue;
		s = similarity(c, param, i, item);
		told->score += s;
		if (s > most + 1e-12)
		{
			most = s;
			told->length = 1;
			told->antecedent[0] = i;
			told->antecedent_count = count(c, 1u << i);
			told->together = count(c, 1u << i | 1u << item);
		}
	}
	return most > 0;
}

/* Tell whether a comes before b in a list. */
static bool
comes_before(const CrmRecommendation *a, const CrmRecommendation *b)
{
	if (a->method != b->method)
		return a->method < b->method;
	if (fabs(a->score - b->score) > 1e-12)
		return a->score > b->score;
	if (a->together != b->together)
		return a->together > b->together;
	if (a->count != b->count)
		return a->count > b->count;
	return a->item < b->item;
}

/* Recommend by definition. Gives the number. */
static uint32_t
recommend(const Case *c, const CrmRecommendParam *param, uint32_t basket, uint32_t known,
		  CrmRecommendation *list)
{
	uint32_t n = 0;

	for (int method = 0; method < CRM_RECOMMEND_METHODS; method++)
	{
		uint32_t first = n;
		uint32_t taken = basket | known;

		for (uint32_t i = 0; i < n; i++)
			taken |= 1u << list[i].item;
		for (uint32_t j = 0; param->use[method] && j < c->baskets.n_items; j++)
		{
			CrmRecommendation told = {.method = CRM_RECOMMEND_POPULAR,
									  .item = j,
									  .antecedent_count = c->baskets.n,
									  .together = count(c, 1u << j),
									  .count = count(c, 1u << j)};
			bool found = told.count > 0;

			told.score = (double) told.count / c->baskets.n;
			if (taken >> j & 1)
				continue;
			if (method == CRM_RECOMMEND_RULE)
				found = by_rules(c, param, basket, j, &told);
			else if (method == CRM_RECOMMEND_SIMILAR)
				found = by_similarity(c, param, basket, j, &told);
			if (found)
				list[n++] = told;
		}
		for (uint32_t i = first + 1; i < n; i++)
			for (uint32_t p = i; p > first && comes_before(&list[p], &list[p - 1]); p--)
			{
				CrmRecommendation swap = list[p];

				list[p] = list[p - 1];
				list[p - 1] = swap;
			}
		n = n < param->k ? n : param->k;
	}
	return n;
}

/* Tell whether two lists are the same, scores up to rounding. */
static bool
is_same(const CrmRecommendation *a, uint32_t n_a, const CrmRecommendation *b, uint32_t n_b)
{
	bool same = n_a == n_b;

	for (uint32_t i = 0; i < n_a && same; i++)
	{
		same = a[i].item == b[i].item && a[i].method == b[i].method &&
			   fabs(a[i].score - b[i].score) <= 1e-12 && a[i].length == b[i].length &&
			   memcmp(a[i].antecedent, b[i].antecedent, sizeof a[i].antecedent) == 0 &&
			   a[i].antecedent_count == b[i].antecedent_count && a[i].together == b[i].together &&
			   a[i].count == b[i].count;
		if (!same)
			printf("# place %u: got %u by %d, %.15g, from %u of length %u; want %u by %d, %.15g, "
				   "from %u of length %u\n",
				   i, a[i].item, a[i].method, a[i].score, a[i].antecedent[0], a[i].length,
				   b[i].item, b[i].method, b[i].score, b[i].antecedent[0], b[i].length);
	}
	return same;
}

/* Draw parameters. */
static CrmRecommendParam
draw_param(void)
{
	CrmRecommendParam param = {.k = 1 + (uint32_t) draw_below(12),
							   .use = {draw_below(4) > 0, draw_below(3) > 0, draw_below(3) > 0},
							   .max_antecedent = 1 + (uint32_t) draw_below(3),
							   .rules = 1 + (uint32_t) draw_below(4),
							   .min_count = 1 + (uint32_t) draw_below(4),
							   .min_confidence = (double) draw_below(5) / 8,
							   .prior = (double) draw_below(30),
							   .shrinkage = (double) draw_below(20),
							   .neighbours = 1 + (uint32_t) draw_below(6)};

	param.use[CRM_RECOMMEND_POPULAR] |=
		!param.use[CRM_RECOMMEND_RULE] && !param.use[CRM_RECOMMEND_SIMILAR];
	return param;
}

/* Draw a list of items, with doubles, and its mask. */
static uint32_t
draw_list(uint32_t n_items, uint32_t *list, uint32_t *mask)
{
	uint32_t n = (uint32_t) draw_below(6);

	*mask = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		list[i] = (uint32_t) draw_below(n_items);
		*mask |= 1u << list[i];
	}
	return n;
}

/* Thousands of small cases, several baskets asked about in each. */
static void
test_definition(void)
{
	uint32_t wrong = 0, by[CRM_RECOMMEND_METHODS] = {0}, longer = 0, joined = 0;
	bool balanced = true;

	for (int round = 0; round < 4000; round++)
	{
		static Case c;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmRecommender r;
		CrmRecommendParam param = draw_param();

		draw_case(&c);
		if (crm_recommend_begin(&r, ctx, &c.baskets, &param, NULL, 0) != CRM_OK)
			wrong++;
		for (int asked = 0; asked < 3; asked++)
		{
			uint32_t basket[6], known[6], basket_mask, known_mask, n, n_want;
			CrmRecommendation list[12], want[3 * MAX_ITEMS];
			uint32_t n_basket = draw_list(c.baskets.n_items, basket, &basket_mask);
			uint32_t n_known = draw_list(c.baskets.n_items, known, &known_mask);

			if (crm_recommend(&r, basket, n_basket, known, n_known, list, &n) != CRM_OK)
				wrong++;
			n_want = recommend(&c, &param, basket_mask, known_mask, want);
			wrong += !is_same(list, n, want, n_want);
			for (uint32_t i = 0; i < n; i++)
			{
				by[list[i].method]++;
				longer += list[i].length > 1;
				joined += list[i].method == CRM_RECOMMEND_RULE && param.rules > 1;
			}
		}
		crm_recommend_end(&r);
		balanced &= host_is_balanced(&host) && host.held == 0;
		host_drop(&host);
	}
	ok(wrong == 0, "recommendations are those of the definition (%u are not)", wrong);
	ok(by[0] > 2000 && by[1] > 2000 && by[2] > 2000 && longer > 500 && joined > 500,
	   "of all kinds: %u by rules (%u of longer antecedents), %u by similarity, %u popular", by[0],
	   longer, by[1], by[2]);
	ok(balanced, "and all is given back");
}

/* Baskets in another order, and items in another order within them, with doubles: the same. */
static void
test_order(void)
{
	bool passed = true;

	for (int round = 0; round < 500; round++)
	{
		static Case c;
		static uint32_t items[2 * MAX_TIDS * MAX_ITEMS];
		uint64_t start[MAX_TIDS + 1] = {0};
		uint32_t order[MAX_TIDS], basket[] = {0, 1, 2}, turned[] = {2, 0, 1, 2, 0}, n, m;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmRecommender r;
		CrmRecommendParam param = draw_param();
		CrmRecommendation list[12], other[12];

		do
			draw_case(&c);
		while (c.baskets.n_items < 3);
		(void) crm_recommend_begin(&r, ctx, &c.baskets, &param, basket, 3);
		(void) crm_recommend(&r, basket, 3, NULL, 0, list, &n);
		crm_recommend_end(&r);
		draw_order(order, c.baskets.n);
		for (uint32_t b = 0; b < c.baskets.n; b++)
		{
			uint64_t from = c.start[order[b]], to = c.start[order[b] + 1];

			start[b + 1] = start[b];
			for (uint64_t i = to; i > from; i--)
				items[start[b + 1]++] = c.items[i - 1];
			for (uint64_t i = from; i < to; i++)
				if (draw_below(2) == 0)
					items[start[b + 1]++] = c.items[i];
		}
		c.baskets.start = start;
		c.baskets.items = items;
		(void) crm_recommend_begin(&r, ctx, &c.baskets, &param, NULL, 0);
		(void) crm_recommend(&r, turned, 5, basket, 3, other, &m);
		crm_recommend_end(&r);
		passed &= n == m;
		for (uint32_t i = 0; i < n && passed; i++)
			passed = list[i].score == other[i].score && list[i].item == other[i].item &&
					 list[i].method == other[i].method &&
					 memcmp(list[i].antecedent, other[i].antecedent, sizeof list->antecedent) == 0;
		host_drop(&host);
	}
	ok(passed, "order and doubles change no bit");
}

/* A case by hand: 10 baskets, bread and butter. */
static void
test_hand(void)
{
	/* 0 bread in 5, 1 butter in 4, 2 jam in 3, 3 salt in 2, 4 tea in 1 */
	static const uint32_t items[] = {0, 1, 2, 0, 1, 0, 1, 2, 0, 3, 0, 1, 3, 2, 4};
	static const uint64_t start[] = {0, 3, 5, 8, 10, 11, 12, 13, 14, 15, 15};
	CrmBaskets baskets = {.n = 10, .n_items = 5, .start = start, .items = items};
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmRecommender r;
	CrmRecommendParam param;
	CrmRecommendation list[10];
	uint32_t bread[] = {0}, salt[] = {3}, n;
	CrmStatus status;

	crm_recommend_defaults(&param);
	param.k = 10;
	param.min_count = 2;
	(void) crm_recommend_begin(&r, ctx, &baskets, &param, NULL, 0);
	(void) crm_recommend(&r, bread, 1, salt, 1, list, &n);
	is_int(n, 3, "three items are left for bread without salt");
	is_int(list[0].item, 1, "butter comes first");
	is_close(list[0].score, (3 + 20 * 0.4) / 25, 1e-15, "its score is (3 + 20 * 4 / 10) / 25");
	ok(list[0].method == CRM_RECOMMEND_RULE && list[0].together == 3 &&
		   list[0].antecedent_count == 5,
	   "by a rule: 3 of 5");
	is_int(list[1].item, 2, "then jam");
	is_close(list[1].score, (2 + 20 * 0.3) / 25, 1e-15, "its score is (2 + 20 * 3 / 10) / 25");
	ok(list[2].item == 4 && list[2].method == CRM_RECOMMEND_POPULAR && list[2].score == 0.1,
	   "then tea, as popular as it is");
	(void) crm_recommend(&r, NULL, 0, NULL, 0, list, &n);
	ok(n == 5 && list[0].item == 0 && list[1].item == 1 && list[2].item == 2 && list[3].item == 3 &&
		   list[4].item == 4 && list[4].method == CRM_RECOMMEND_POPULAR,
	   "an empty basket gets what is popular");
	(void) crm_recommend_similar(&r, 0, list, &n);
	ok(n == 2 && list[0].item == 1 && list[1].item == 2, "butter and jam are similar to bread");
	is_close(list[0].score, 3 / sqrt(20) * 3 / 13, 1e-15, "3 / sqrt(5 * 4) times 3 / 13");
	crm_recommend_end(&r);

	/* two rules to jam, 2 of 5 and 2 of 4, that share nothing */
	param.rules = 2;
	param.max_antecedent = 1;
	(void) crm_recommend_begin(&r, ctx, &baskets, &param, NULL, 0);
	(void) crm_recommend(&r, (uint32_t[]){1, 0}, 2, NULL, 0, list, &n);
	ok(n == 3 && list[0].item == 2 && list[0].antecedent[0] == 1, "butter is why jam comes first");
	is_close(list[0].score, 1 - (1 - 8.0 / 25) * (1 - 8.0 / 24), 1e-15,
			 "two rules join: 1 - (1 - 8/25) (1 - 8/24)");
	crm_recommend_end(&r);
	status = crm_recommend_begin(&r, ctx, &(CrmBaskets){.n = 0, .n_items = 0, .start = start},
								 &param, NULL, 0);
	if (status == CRM_OK)
		status = crm_recommend(&r, NULL, 0, NULL, 0, list, &n);
	ok(status == CRM_OK && n == 0, "of no baskets nothing is recommended");
	crm_recommend_end(&r);
	host_drop(&host);
}

static void
test_check(void)
{
	CrmRecommendParam good, bad;
	char why[64] = "";
	Host host;
	CrmRecommender r;
	CrmBaskets none = {.n = 0};
	bool passed;

	crm_recommend_defaults(&good);
	passed = crm_recommend_check(&good, why, sizeof why) && why[0] == '\0';
#define REFUSED(change, reason)                                                                    \
	(bad = good, bad.change,                                                                       \
	 passed &= !crm_recommend_check(&bad, why, sizeof why) && strcmp(why, reason) == 0)
	REFUSED(k = 0, "k must be between 1 and 10000");
	REFUSED(k = 10001, "k must be between 1 and 10000");
	REFUSED(max_antecedent = 0, "max_antecedent must be between 1 and 3");
	REFUSED(max_antecedent = 4, "max_antecedent must be between 1 and 3");
	REFUSED(rules = 0, "rules must be between 1 and 10");
	REFUSED(rules = 11, "rules must be between 1 and 10");
	REFUSED(min_count = 0, "min_count must be at least 1");
	REFUSED(min_confidence = 1.5, "min_confidence must be between 0 and 1");
	REFUSED(min_confidence = NAN, "min_confidence must be between 0 and 1");
	REFUSED(prior = -1, "prior must be finite and at least 0");
	REFUSED(prior = INFINITY, "prior must be finite and at least 0");
	REFUSED(shrinkage = NAN, "shrinkage must be finite and at least 0");
	REFUSED(shrinkage = INFINITY, "shrinkage must be finite and at least 0");
	REFUSED(neighbours = 0, "neighbours must be between 1 and 1000");
	REFUSED(neighbours = 1001, "neighbours must be between 1 and 1000");
	bad = good;
	bad.use[0] = bad.use[1] = bad.use[2] = false;
	passed &= !crm_recommend_check(&bad, why, 5) && strcmp(why, "no m") == 0;
	ok(passed, "parameters are checked, and the reason is told in the room there is");
	ok(crm_recommend_begin(&r, host_begin(&host), &none, &bad, NULL, 0) == CRM_DOMAIN,
	   "those that are refused make no recommender");
	crm_recommend_end(&r);
	ok(host.held == 0, "and take nothing");
}

/* A failing allocation, or a wish to stop, at any moment of a recommendation. */
static void
test_failures(void)
{
	enum
	{
		N = 40000,
		ITEMS = 50
	};
	static uint32_t items[N * 8], basket[ITEMS];
	static uint64_t start[N + 1];
	CrmBaskets baskets = {.n = N, .n_items = ITEMS, .start = start, .items = items};
	CrmRecommendParam param;
	CrmRecommendation list[5];
	uint32_t n, stopped = 0, empty = 0;
	bool passed = true, balanced = true;

	for (uint32_t b = 0; b < N; b++)
	{
		start[b + 1] = start[b] + 8;
		for (uint32_t i = 0; i < 8; i++)
			items[start[b] + i] = (uint32_t) draw_below(ITEMS);
	}
	for (uint32_t j = 0; j < ITEMS; j++)
		basket[j] = j;
	crm_recommend_defaults(&param);
	param.max_antecedent = 3;
	for (size_t at = 0; at < 40; at++)
	{
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmRecommender r;
		CrmStatus status;

		if (at % 2 == 0)
			host.tap.fail_at = at / 2;
		else
			host.tap.abort_at = at;
		status = crm_recommend_begin(&r, ctx, &baskets, &param, NULL, 0);
		if (status == CRM_OK)
			status = crm_recommend(&r, basket, 10, NULL, 0, list, &n);
		passed &= status == CRM_OK || status == CRM_ABORTED || status == CRM_NO_MEMORY;
		stopped += status == CRM_ABORTED;
		empty += status == CRM_NO_MEMORY;
		crm_recommend_end(&r);
		balanced &= host_is_balanced(&host) && host.held == 0;
		host_drop(&host);
	}
	ok(passed && stopped > 5 && empty > 10, "%u times stopped, %u times without memory", stopped,
	   empty);
	ok(balanced, "nothing is lost");
}

int
main(void)
{
	test_hand();
	test_definition();
	test_order();
	test_check();
	test_failures();
	return tap_done();
}
