/*
 * itemset.c: unit tests of the miners: thousands of random cases against all sets one by one, the
 * public data sets' numbers, hard baskets, limits, and a stop at any moment.
 */
#include "itemset_brute.h"
#include "itemset_data.h"

/* The sanitizers take ten times as long, so they get fewer cases and not the lowest supports. */
#ifdef __SANITIZE_ADDRESS__
#define SLOWNESS 5
#else
#define SLOWNESS 1
#endif

/* Mine random cases; both algorithms, all targets and constraints. */
static void
test_random(void)
{
	static Brute brute;
	static Found found;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	int bad = 0, cases = 0, reported = 0;

	for (int t = 0; t < 1200 / SLOWNESS; t++)
	{
		uint32_t n_items = (uint32_t) (1 + draw_below(t % 8 == 0 ? BRUTE_ITEMS : 8));

		brute_draw(&brute, (uint32_t) draw_below(t % 4 == 0 ? BRUTE_BASKETS + 1 : 20), n_items,
				   (uint32_t) draw_below(90));
		for (int p = 0; p < 6; p++, cases++)
		{
			CrmItemsetParam param = brute_param(&brute);
			CrmStatus status = brute_mine(ctx, &brute, &param, &found);

			reported += found.n > 0;
			if (status == CRM_OK && brute_is_right(&brute, &param, &found))
				continue;
			if (bad++ < 5)
				printf(
					"# case %d.%d: status %d, target %d, algorithm %d, count %u, lengths %u to %u, "
					"top %u, required %d, excluded %d\n",
					t, p, (int) status, (int) param.target, (int) param.algorithm, param.min_count,
					param.min_length, param.max_length, (unsigned) param.top_k,
					param.required != NULL, param.excluded != NULL);
		}
	}
	ok(bad == 0, "%d random cases are as all sets one by one say", cases);
	ok(reported > cases / 2, "of which most have sets (%d)", reported);
	is_clean(&tap, "mining at random");
}

/* Stop at polls and reports, and refuse each allocation: the outcome tells, nothing leaks. */
static void
test_stops(void)
{
	static Brute brute;
	static Found found;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	bool passed = true;

	brute_draw(&brute, BRUTE_BASKETS, 9, 50);
	for (int a = 0; a < 18; a++)
	{
		CrmItemsetParam param = {.target = (CrmItemsetTarget) (a % 3),
								 .algorithm = a / 3 % 2 ? CRM_ITEMSET_ECLAT : CRM_ITEMSET_FPGROWTH,
								 .min_count = 3,
								 .min_length = 1,
								 .top_k = a < 6    ? 0
										  : a < 12 ? 3
												   : 300};
		uint32_t n;

		(void) brute_mine(ctx, &brute, &param, &found);
		n = found.n;
		for (uint32_t at = 1; at <= n; at += 1 + n / 20)
		{
			memset(&found, 0, sizeof found);
			found.is_good = true;
			found.answer = CRM_LIMIT;
			found.answer_at = at;
			passed &=
				crm_itemset_mine(ctx, &brute.baskets, &param, brute_take, &found) == CRM_LIMIT;
			passed &= found.n == at;
		}
		for (size_t at = 1; at < 100; at++)
		{
			CrmStatus status;

			tap.allocations = 0;
			tap.fail_at = at;
			status = brute_mine(ctx, &brute, &param, &found);
			tap.fail_at = 0;
			passed &= status == CRM_NO_MEMORY || (status == CRM_OK && tap.allocations < at);
		}
		tap.polls = 0;
		tap.abort_at = 1;
		passed &= brute_mine(ctx, &brute, &param, &found) == CRM_ABORTED;
		tap.abort_at = 0;
		ctx->limit = 2000;
		passed &= brute_mine(ctx, &brute, &param, &found) == CRM_LIMIT && ctx->wanted > 2000;
		ctx->limit = 0;
	}
	ok(passed, "reporter, host and limit stop the search");
	is_clean(&tap, "a stopped search");
}

/* Count sets and sum their supports; more than `most` are too many. */
typedef struct Sum
{
	uint64_t n, supports, longest, most;
} Sum;

static CrmStatus
add_up(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	Sum *sum = arg;

	sum->n++;
	sum->supports += count;
	sum->longest = length > sum->longest ? length : sum->longest;
	return sum->n == sum->most ? CRM_LIMIT : CRM_OK;
}

/* Give the sum over the sets of a target. */
static CrmStatus
sum_up(CrmCtx *ctx, const CrmBaskets *baskets, CrmItemsetTarget target,
	   CrmItemsetAlgorithm algorithm, uint32_t min_count, Sum *sum)
{
	CrmItemsetParam param = {
		.target = target, .algorithm = algorithm, .min_count = min_count, .min_length = 1};
	uint64_t most = sum->most;

	*sum = (Sum){.most = most};
	return crm_itemset_mine(ctx, baskets, &param, add_up, sum);
}

/* Mine large baskets whose subsets nobody can list. */
static void
test_large(void)
{
	enum
	{
		N_ITEMS = 100000
	};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	uint32_t *items = malloc(2 * N_ITEMS * sizeof(uint32_t));
	uint64_t start[4] = {0, N_ITEMS, N_ITEMS, 2 * N_ITEMS};
	CrmBaskets baskets = {1, N_ITEMS, start, items};
	Sum sum = {.most = 1000};

	for (uint32_t i = 0; i < N_ITEMS; i++)
		items[i] = items[2 * N_ITEMS - 1 - i] = i;
	ok(sum_up(ctx, &baskets, CRM_ITEMSET_FREQUENT, CRM_ITEMSET_ECLAT, 1, &sum) == CRM_LIMIT &&
		   sum.n == 1000,
	   "a basket of 100,000 items: the reporter stops Eclat");
	ctx->limit = 100000000;
	sum.most = 100;
	ok(sum_up(ctx, &baskets, CRM_ITEMSET_FREQUENT, CRM_ITEMSET_FPGROWTH, 1, &sum) == CRM_LIMIT,
	   "and reporter or memory stops FP-growth");
	ctx->limit = 0;
	for (int t = 0; t < 2; t++)
	{
		baskets.n = t == 0 ? 1 : 3;
		sum.most = 0;
		ok(sum_up(ctx, &baskets, CRM_ITEMSET_CLOSED, CRM_ITEMSET_ECLAT, 1, &sum) == CRM_OK &&
			   sum.n == 1 && sum.longest == N_ITEMS && sum.supports == (uint64_t) (1 + t),
		   "%d baskets of 100,000 items: one closed set", t + 1);
		ok(sum_up(ctx, &baskets, CRM_ITEMSET_MAXIMAL, CRM_ITEMSET_ECLAT, 1, &sum) == CRM_OK &&
			   sum.n == 1 && sum.longest == N_ITEMS,
		   "and one maximal");
	}
	ok(sum_up(ctx, &baskets, CRM_ITEMSET_FREQUENT, CRM_ITEMSET_ECLAT, 3, &sum) == CRM_OK &&
		   sum.n == 0,
	   "none at a support that no item has");
	is_clean(&tap, "mining large baskets");
	free(items);
}

/* Mine 30 baskets of 60 items among many small ones. */
static void
test_few_large(void)
{
	enum
	{
		N = 20000,
		FEW = 30,
		LARGE = 60,
		N_ITEMS = 500
	};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	uint32_t *items = malloc((N * 3 + FEW * LARGE) * sizeof(uint32_t));
	uint64_t *start = malloc((N + FEW + 1) * sizeof(uint64_t)), at = 0;
	CrmBaskets baskets = {N + FEW, N_ITEMS, start, items};
	Sum sum = {.most = 1000000 / SLOWNESS}, closed = {.most = 0}, maximal = {.most = 0};

	for (uint32_t b = 0; b < N + FEW; b++)
	{
		start[b] = at;
		for (uint32_t i = 0; i < (b < N ? 3 : LARGE); i++)
			items[at++] = b < N ? (uint32_t) draw_below(N_ITEMS) : i;
	}
	start[N + FEW] = at;
	ok(sum_up(ctx, &baskets, CRM_ITEMSET_FREQUENT, CRM_ITEMSET_ECLAT, FEW, &sum) == CRM_LIMIT,
	   "2^60 sets: the reporter stops Eclat");
	ok(sum_up(ctx, &baskets, CRM_ITEMSET_FREQUENT, CRM_ITEMSET_FPGROWTH, FEW, &sum) == CRM_LIMIT,
	   "and FP-growth");
	ok(sum_up(ctx, &baskets, CRM_ITEMSET_CLOSED, CRM_ITEMSET_ECLAT, FEW, &closed) == CRM_OK &&
		   closed.longest == LARGE,
	   "the closed sets of 2^60 frequent ones");
	/* the 440 other items, and pairs of the 60, are closed sets of support below 30 + 60 */
	ok(sum_up(ctx, &baskets, CRM_ITEMSET_MAXIMAL, CRM_ITEMSET_ECLAT, FEW, &maximal) == CRM_OK &&
		   maximal.longest == LARGE && maximal.n == 1 + N_ITEMS - LARGE,
	   "and the maximal ones: the 60 items and each other one");
	ctx->limit = 200000000;
	sum.most = 0;
	ok(sum_up(ctx, &baskets, CRM_ITEMSET_CLOSED, CRM_ITEMSET_FPGROWTH, FEW, &sum) == CRM_LIMIT,
	   "by FP-growth they do not fit into the memory");
	ctx->limit = 0;
	tap.polls = 0;
	tap.abort_at = 10;
	ok(sum_up(ctx, &baskets, CRM_ITEMSET_FREQUENT, CRM_ITEMSET_ECLAT, FEW, &sum) == CRM_ABORTED,
	   "a cancel ends the enumeration");
	is_clean(&tap, "mining a few large baskets");
	free(start);
	free(items);
}

static void
test_profile(void)
{
	static Brute brute;
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	bool passed = true;

	for (int t = 0; t < 300; t++)
	{
		uint32_t levels[6];
		uint64_t n[6], cap = 1 + draw_below(t % 2 ? 40 : 5000);

		brute_draw(&brute, (uint32_t) draw_below(40), 9, 40);
		for (int l = 0; l < 6; l++)
			levels[l] = (uint32_t) (1 + draw_below(20));
		passed &= crm_itemset_profile(ctx, &brute.baskets, levels, 6, cap, n) == CRM_OK;
		for (int l = 0; l < 6; l++)
		{
			uint64_t wanted = 0;

			for (uint32_t set = 1; set < 1 << 9; set++)
				wanted += brute.count[set] >= levels[l];
			passed &= n[l] == (wanted < cap ? wanted : cap);
		}
	}
	ok(passed, "a profile counts the sets at each support, up to the cap");
	tap.abort_at = 1;
	tap.polls = 0;
	passed = crm_itemset_profile(ctx, &brute.baskets, (uint32_t[]){1}, 0, 1, NULL) == CRM_OK;
	ok(passed, "of no supports it counts none");
	is_clean(&tap, "a profile");
}

static void
test_check(void)
{
	uint64_t start[2] = {0, 1};
	uint32_t items[1] = {0};
	uint8_t flags[2] = {0, 1}, others[2] = {1, 0};
	CrmBaskets baskets = {1, 2, start, items};
	CrmItemsetParam good = {.min_count = 1, .min_length = 1}, param = good;
	char why[80], few[5];

	ok(crm_itemset_check(&baskets, &good, why, sizeof why) == NULL,
	   "the check passes what is good");
	param.min_count = 0;
	ok(crm_itemset_check(&baskets, &param, why, sizeof why) == why, "and refuses support 0");
	(void) crm_itemset_check(&baskets, &param, few, sizeof few);
	is_text(few, "min_", "in the room there is");
	param = good;
	param.min_length = 0;
	is_text(crm_itemset_check(&baskets, &param, why, sizeof why), "min_length must be at least 1",
			"length 0");
	param = good;
	param.min_length = 3;
	param.max_length = 2;
	is_text(crm_itemset_check(&baskets, &param, why, sizeof why), "max_length is below min_length",
			"lengths that cross");
	param = good;
	param.required = flags;
	param.excluded = others;
	ok(crm_itemset_check(&baskets, &param, why, sizeof why) == NULL, "required and excluded items");
	param.excluded = flags;
	is_text(crm_itemset_check(&baskets, &param, why, sizeof why),
			"an item is both required and excluded", "an item that is both");
	param = good;
	param.target = (CrmItemsetTarget) 3;
	is_text(crm_itemset_check(&baskets, &param, why, sizeof why), "target or algorithm is unknown",
			"a fourth target");
}

/* Hold a data set against the counts of Borgelt's programs. */
static void
test_data(const char *name, const char *command, const char *parts, const uint64_t (*wanted)[3],
		  int n_wanted)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	Data data;
	bool has = data_read(&data, command, parts);

	for (int w = 0; w < n_wanted; w++)
		for (int a = CRM_ITEMSET_ECLAT; a <= CRM_ITEMSET_FPGROWTH; a++)
		{
			Sum sum = {.most = 0};

			if (!has)
			{
				ok(true, "%s # SKIP CRM_DATA does not have it", name);
				continue;
			}
			(void) sum_up(ctx, &data.baskets, CRM_ITEMSET_FREQUENT, (CrmItemsetAlgorithm) a,
						  (uint32_t) wanted[w][0], &sum);
			ok(sum.n == wanted[w][1] && sum.supports == wanted[w][2],
			   "%s at %u by algorithm %d: %u sets", name, (unsigned) wanted[w][0], a,
			   (unsigned) wanted[w][1]);
		}
	is_clean(&tap, name);
	data_free(&data);
}

int
main(void)
{
	/* count, itemsets, sum of their supports: fpgrowth, eclat and apriori of Borgelt agree */
	static const uint64_t retail[][3] = {
		{882, 159, 467857},   {441, 580, 717785},   {177, 2691, 1265182}, {89, 7589, 1859296},
		{45, 19242, 2568840}, {18, 67186, 3823304}, {9, 240852, 5779263}};
	static const uint64_t synthetic[][3] = {{1000, 385, 807396},
											{500, 1073, 1257955},
											{100, 27532, 6659711},
											{50, 53385, 8450826},
											{10, 411365, 14180121}};
	static const uint64_t groceries[][3] = {
		{99, 333, 82103}, {50, 1001, 126782}, {10, 13492, 339547}, {5, 49580, 562109}};

	test_check();
	test_random();
	test_stops();
	test_large();
	test_few_large();
	test_profile();
	test_data("groceries", "cat \"$CRM_DATA/groceries.csv\"", ",\r\n", groceries,
			  SLOWNESS > 1 ? 3 : 4);
	test_data("retail", "gzip -dc \"$CRM_DATA/retail.dat.gz\"", " \r\n", retail,
			  SLOWNESS > 1 ? 4 : 7);
	test_data("T10I4D100K", "gzip -dc \"$CRM_DATA/T10I4D100K.dat.gz\"", " \r\n", synthetic,
			  SLOWNESS > 1 ? 2 : 5);
	return tap_done();
}
