/*
 * rules_measures.c: unit tests of the measures of a rule: Fisher's test against arbitrary
 * precision and against counting all tables, the measures against their definitions as
 * probabilities, and what is undefined.
 */
#include "kernel/rules_measures.h"
#include "host.h"

typedef struct Tail
{
	int64_t n, antecedent, consequent, both;
	double p;
} Tail;

/* P(X >= both), summed from factorials with 50 digits by mpmath 1.3; what is below 4.9e-324 is 0 */
static const Tail tails[] = {
	{8, 4, 4, 3, 2.42857142857142857e-1},
	{100, 30, 40, 12, 5.85729190964811457e-1},
	{100, 30, 40, 20, 4.31062552424063609e-4},
	{100, 30, 40, 30, 2.8859142075440877e-17},
	{100, 30, 40, 3, 9.99997085768229091e-1},
	{9835, 755, 2513, 736, 0.0},
	{9835, 2513, 1903, 550, 1.22488294120497699e-4},
	{9835, 1809, 2513, 557, 1.49876385848719677e-8},
	{88162, 42135, 15596, 13000, 0.0},
	{88162, 42135, 15596, 7000, 9.99999999999999526e-1},
	{88162, 42135, 15596, 7454, 5.01724939922603612e-1},
	{88162, 100, 100, 89, 2.56248855254244926e-276},
	{100000, 50, 60, 50, 2.32130818079034605e-175},
	{100000, 5810, 1000, 200, 1.48608482603892844e-53},
	{1000000, 1000, 1000, 2, 2.64240872158756462e-1},
	{1000000, 1000, 1000, 1, 6.32488499582988751e-1},
	{1000000, 999999, 5, 5, 9.99995e-1},
	{1000000, 500000, 500000, 250000, 5.00797883962389669e-1},
	{1000000, 500000, 500000, 250001, 4.99202116037610331e-1},
	{1000000, 500000, 500000, 268000, 0.0},
	{100000000, 50000000, 50000000, 25000000, 5.00079788455481873e-1},
	{100000000, 50000000, 50000000, 25010000, 3.16980118915509548e-5},
	{100000000, 50000000, 50000000, 25090000, 4.2069784823985975e-284},
	{100000000, 30000000, 20000000, 6000500, 3.92611188007155953e-1},
	{100000000, 30000000, 20000000, 5999000, 7.0739903628761068e-1},
	{100000000, 30000000, 20000000, 6060000, 5.77616645234950521e-235},
	{100000000, 100000, 100000, 500, 7.67802148633959507e-179},
	{100000000, 100000, 100000, 100, 5.13338672509689052e-1},
	{100000000, 1000, 2000, 110, 0.0},
	{100000000, 40, 45, 40, 9.96859616021372631e-267},
	{100000000, 38, 60000000, 38, 3.71317552499405176e-9},
	{100000000, 99999000, 99999000, 99998010, 2.49549578126562286e-27},
	{100000000, 99999000, 99999000, 99998001, 9.95026520746196733e-3},
	{100000000, 99990000, 99990000, 99981150, 0.0},
	{100000000, 10, 99999990, 10, 9.99999000000405e-1},
	{100000000, 60000000, 38, 5, 9.99999999694899766e-1},
	{100000000, 3, 3, 1, 8.9999998199999988e-8},
	{100000000, 2000000, 3000000, 60100, 3.38284924090815573e-1},
	{100000000, 2000000, 3000000, 69000, 2.00244427851509144e-297},
	{100000000, 60, 60, 41, 1.39872894514713167e-248},
	{100000000, 60, 60, 42, 1.20224175642462739e-255},
	{100000000, 60, 60, 46, 1.65564401563788254e-284},
	{3000000, 1184470, 217308, 87370, 4.24958226784899897e-13},
	{90, 19, 39, 13, 1.31504934054344395e-2},
	{10000000, 8268521, 9474497, 7837952, 3.53859613024736132e-49},
	{10000000, 9762551, 3098758, 3026163, 4.81230625212194867e-6},
	{9000, 14, 2824, 0, 1.0},
	{60000, 5845, 19110, 2263, 8.84026348531643482e-32},
	{60000000, 2819746, 7844508, 381146, 2.37509764507153834e-112},
	{20000, 2177, 11731, 1371, 7.27629959505104617e-6},
	{200, 52, 114, 52, 2.6198281883125604e-16},
	{10000000, 9620190, 4469441, 4301563, 2.15671568186197858e-10},
	{8000000, 904665, 550103, 68556, 1.93011729199085794e-168},
	{100000000, 22331, 17537313, 4157, 1.35371608494829052e-5},
	{60000000, 15, 21327846, 15, 1.82782582600164089e-7},
	{50000, 836, 1253, 7, 9.9989853236730707e-1},
	{1000000000000, 300000000000, 200000000000, 60000500000, 3.1886906605591683e-3},
};

static CrmRulesCounts
make_counts(int64_t n, int64_t a, int64_t c, int64_t b)
{
	return (CrmRulesCounts){.n = n, .antecedent = a, .consequent = c, .both = b};
}

static void
test_tails(void)
{
	for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++)
	{
		const Tail *t = &tails[i];
		CrmRulesCounts counts = make_counts(t->n, t->antecedent, t->consequent, t->both);
		CrmRulesCounts turned = make_counts(t->n, t->consequent, t->antecedent, t->both);
		double p = crm_rules_p_value(&counts), q = crm_rules_p_value(&turned);

		ok(fabs(p - t->p) <= 1e-10 * t->p && p == q,
		   "p of %lld, %lld, %lld, %lld: %.17g, off by %.1e", (long long) t->n,
		   (long long) t->antecedent, (long long) t->consequent, (long long) t->both, p,
		   t->p > 0 ? fabs(p / t->p - 1) : p);
	}
}

/* Near the end of double: 1 / C(n, n / 2). */
static void
test_smallest(void)
{
	CrmRulesCounts normal = make_counts(1024, 512, 512, 512);
	CrmRulesCounts denormal = make_counts(1060, 530, 530, 530);
	CrmRulesCounts nothing = make_counts(1100, 550, 550, 550);

	/* 1 / binomial(1024, 512), 1 / binomial(1060, 530), by mpmath */
	is_close(crm_rules_p_value(&normal), 2.23151795635356374e-307, 1e-10,
			 "p near the least normal");
	is_close(crm_rules_p_value(&denormal), 3.30384675784e-318, 1e-5,
			 "p below it, with fewer digits");
	is_near(crm_rules_p_value(&nothing), 0.0, 0.0, "p below the least double is 0");
}

/* Give the binomial coefficient, exactly. */
static uint64_t
choose(int n, int k)
{
	uint64_t result = 1;

	if (k < 0 || k > n)
		return 0;
	for (int i = 1; i <= k; i++)
		result = result * (uint64_t) (n - k + i) / (uint64_t) i;
	return result;
}

/* All tables of up to 24 baskets, by counting the ways to draw them. */
static void
test_all_small(void)
{
	double worst = 0.0;
	int tables = 0;
	bool fits = true;

	for (int n = 0; n <= 24; n++)
		for (int a = 0; a <= n; a++)
			for (int c = 0; c <= n; c++)
				for (int b = 0; b <= n; b++)
				{
					CrmRulesCounts counts = make_counts(n, a, c, b);
					bool is_table = b <= a && b <= c && a + c - b <= n;
					uint64_t ways = 0;
					double want;

					fits &= crm_rules_counts_fit(&counts) == is_table;
					if (!is_table)
						continue;
					for (int k = b; k <= a; k++)
						ways += choose(a, k) * choose(n - a, c - k);
					want = (double) ways / (double) choose(n, c);
					worst = fmax(worst, fabs(crm_rules_p_value(&counts) / want - 1));
					tables++;
				}
	ok(fits, "counts fit together when there are such baskets");
	ok(worst < 1e-13, "p of all %d small tables, off by at most %.1e", tables, worst);
}

/* Tails of a law fall, lie in [0, 1], and differ by its probabilities. */
static void
test_tail_falls(void)
{
	double last = 2.0, sum = 0.0, mean = 0.0;
	bool falls = true;

	for (int64_t b = 0; b <= 3000; b++)
	{
		CrmRulesCounts counts = make_counts(20000, 3000, 6000, b);
		double p = crm_rules_p_value(&counts);

		falls &= p <= last && p >= 0.0 && p <= 1.0;
		if (b > 0)
			sum += p;
		last = p;
	}
	mean = 3000.0 * 6000.0 / 20000.0;
	ok(falls, "p falls as the count rises");
	is_close(sum, mean, 1e-12, "its sum is the mean of the law");
}

/* Each measure as its definition says, with probabilities in long double. */
static long double
by_definition(CrmRulesMeasure measure, const CrmRulesCounts *counts)
{
	long double n = (long double) counts->n, a = (long double) counts->antecedent / n;
	long double c = (long double) counts->consequent / n, b = (long double) counts->both / n;

	switch (measure)
	{
		case CRM_RULES_SUPPORT:
			return b;
		case CRM_RULES_CONFIDENCE:
			return b / a;
		case CRM_RULES_LIFT:
			return b / a / c;
		case CRM_RULES_LEVERAGE:
			return b - a * c;
		case CRM_RULES_CONVICTION:
			return (1 - c) / (1 - b / a);
		case CRM_RULES_ZHANG: /* mlxtend's form */
			return (b - a * c) / fmaxl(b * (1 - a), a * (c - b));
		case CRM_RULES_JACCARD:
			return b / (a + c - b);
		case CRM_RULES_COSINE:
			return b / sqrtl(a * c);
		case CRM_RULES_KULCZYNSKI:
			return (b / a + b / c) / 2;
		case CRM_RULES_IMBALANCE:
			return fabsl(a - c) / (a + c - b);
		case CRM_RULES_CERTAINTY:
			return b / a > c ? (b / a - c) / (1 - c) : (b / a - c) / c;
		case CRM_RULES_CHI_SQUARED: /* observed and expected, over the four cells */
			return n * ((b - a * c) * (b - a * c) / (a * c) +
						(b - a * c) * (b - a * c) / (a * (1 - c)) +
						(b - a * c) * (b - a * c) / ((1 - a) * c) +
						(b - a * c) * (b - a * c) / ((1 - a) * (1 - c)));
		case CRM_RULES_ODDS_RATIO:
			return b * (1 - a - c + b) / ((a - b) * (c - b));
		case CRM_RULES_ANTECEDENT_SUPPORT:
			return a;
		default:
			return c;
	}
}

static void
test_measures(void)
{
	double worst[CRM_RULES_MEASURES] = {0};

	for (int i = 0; i < 20000; i++)
	{
		int64_t n = 4 + (int64_t) draw_below(i % 2 == 0 ? 40 : 100000000);
		int64_t a = 1 + (int64_t) draw_below((uint64_t) n - 2);
		int64_t c = 1 + (int64_t) draw_below((uint64_t) n - 2);
		int64_t least = a + c - n > 0 ? a + c - n : 0;
		int64_t most = a < c ? a : c;
		int64_t b = least + (int64_t) draw_below((uint64_t) (most - least + 1));
		CrmRulesCounts counts = make_counts(n, a, c, b);

		if (b == a || b == c || b == least ||
			fabsl((long double) b * n - (long double) a * c) < 1e-4L * a * c)
			continue;
		for (int m = 0; m < CRM_RULES_MEASURES; m++)
		{
			long double want;

			if (m == CRM_RULES_P_VALUE)
				continue;
			want = by_definition((CrmRulesMeasure) m, &counts);
			if (want != 0)
				worst[m] = fmax(
					worst[m],
					(double) fabsl(crm_rules_measure((CrmRulesMeasure) m, &counts) / want - 1));
		}
	}
	for (int m = 0; m < CRM_RULES_MEASURES; m++)
		ok(worst[m] < 1e-14, "measure %d is its definition, off by at most %.1e", m, worst[m]);
}

/* Near independence of very many baskets, where b n and a c have more digits than a double. */
static void
test_near_independence(void)
{
	double worst = 0.0;

	for (int i = 0; i < 1000; i++)
	{
		int64_t n = 900000000000 + (int64_t) draw_below(100000000000);
		int64_t a = 1 + (int64_t) draw_below((uint64_t) n),
				c = 1 + (int64_t) draw_below((uint64_t) n);
		int64_t b = (int64_t) ((__int128) a * c / n);
		CrmRulesCounts counts = make_counts(n, a, c, b);
		long double excess = (long double) ((__int128) b * n - (__int128) a * c);

		if (excess != 0)
			worst = fmax(
				worst, (double) fabsl(
						   crm_rules_measure(CRM_RULES_LEVERAGE, &counts) / (excess / n / n) - 1));
	}
	ok(worst < 1e-15, "leverage near independence, off by at most %.1e", worst);
}

/* Counts by hand: 1000 baskets, 200 with A, 250 with C, 100 with both. */
static void
test_by_hand(void)
{
	static const double want[CRM_RULES_MEASURES] = {0.1,
													0.5,
													2.0,
													0.05,
													1.5,
													0.625,
													2.0 / 7,
													0.44721359549995794,
													0.45,
													1.0 / 7,
													1.0 / 3,
													1000.0 / 12,
													4.04887048978789787e-18,
													6.5 / 1.5,
													0.2,
													0.25};
	CrmRulesCounts counts = make_counts(1000, 200, 250, 100);

	for (int m = 0; m < CRM_RULES_MEASURES; m++)
		is_close(crm_rules_measure((CrmRulesMeasure) m, &counts), want[m],
				 m == CRM_RULES_P_VALUE ? 1e-13 : 1e-15, "a measure by hand");
}

/* What is undefined is NaN, but conviction at confidence 1; what is independent is exactly so. */
static void
test_edges(void)
{
	static const struct
	{
		CrmRulesMeasure measure;
		int64_t n, a, c, b;
		double want;
	} edges[] = {
		{CRM_RULES_SUPPORT, 0, 0, 0, 0, NAN},
		{CRM_RULES_CONFIDENCE, 10, 0, 5, 0, NAN},
		{CRM_RULES_LIFT, 10, 5, 0, 0, NAN},
		{CRM_RULES_LEVERAGE, 0, 0, 0, 0, NAN},
		{CRM_RULES_LEVERAGE, 10, 10, 10, 10, 0.0},
		{CRM_RULES_CONVICTION, 10, 4, 5, 4, INFINITY},
		{CRM_RULES_CONVICTION, 10, 4, 10, 4, INFINITY},
		{CRM_RULES_CONVICTION, 10, 0, 5, 0, NAN},
		{CRM_RULES_CONVICTION, 10, 4, 5, 2, 1.0},
		{CRM_RULES_ZHANG, 10, 10, 5, 5, NAN},
		{CRM_RULES_ZHANG, 10, 10, 10, 10, NAN},
		{CRM_RULES_ZHANG, 10, 5, 5, 5, 1.0},
		{CRM_RULES_ZHANG, 10, 5, 5, 0, -1.0},
		{CRM_RULES_JACCARD, 10, 0, 0, 0, NAN},
		{CRM_RULES_COSINE, 10, 0, 5, 0, NAN},
		{CRM_RULES_KULCZYNSKI, 10, 0, 5, 0, NAN},
		{CRM_RULES_KULCZYNSKI, 10, 5, 0, 0, NAN},
		{CRM_RULES_IMBALANCE, 10, 0, 0, 0, NAN},
		{CRM_RULES_CERTAINTY, 10, 0, 5, 0, NAN},
		{CRM_RULES_CERTAINTY, 10, 5, 10, 5, 0.0},
		{CRM_RULES_CERTAINTY, 10, 5, 0, 0, 0.0},
		{CRM_RULES_CERTAINTY, 10, 4, 5, 4, 1.0},
		{CRM_RULES_CERTAINTY, 10, 4, 5, 0, -1.0},
		{CRM_RULES_CHI_SQUARED, 10, 10, 5, 5, NAN},
		{CRM_RULES_CHI_SQUARED, 10, 4, 5, 2, 0.0},
		{CRM_RULES_P_VALUE, 0, 0, 0, 0, 1.0},
		{CRM_RULES_P_VALUE, 10, 10, 5, 5, 1.0},
		{CRM_RULES_P_VALUE, 10, 0, 5, 0, 1.0},
		{CRM_RULES_ODDS_RATIO, 10, 4, 5, 4, NAN},
		{CRM_RULES_ODDS_RATIO, 10, 4, 5, 2, 1.0},
		{CRM_RULES_ANTECEDENT_SUPPORT, 0, 0, 0, 0, NAN},
		{CRM_RULES_CONSEQUENT_SUPPORT, 0, 0, 0, 0, NAN},
	};
	static const CrmRulesCounts misfits[] = {
		{.n = -1},
		{.n = 1, .antecedent = 2},
		{.n = 1, .consequent = 2},
		{.n = 1, .antecedent = -1},
		{.n = 4, .antecedent = 2, .consequent = 2, .both = 3},
		{.n = 4, .antecedent = 3, .consequent = 3, .both = 1},
		{.n = CRM_RULES_MAX_COUNT + 1},
		{.n = INT64_MAX, .antecedent = INT64_MAX, .consequent = INT64_MAX, .both = INT64_MAX},
		{.n = 4, .both = -1}};

	for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
	{
		CrmRulesCounts counts = make_counts(edges[i].n, edges[i].a, edges[i].c, edges[i].b);

		is_near(crm_rules_measure(edges[i].measure, &counts), edges[i].want, 0.0, "an edge");
	}
	for (size_t i = 0; i < sizeof misfits / sizeof misfits[0]; i++)
		ok(!crm_rules_counts_fit(&misfits[i]), "misfit %zu is found", i);
}

int
main(void)
{
	test_tails();
	test_smallest();
	test_all_small();
	test_tail_falls();
	test_measures();
	test_near_independence();
	test_by_hand();
	test_edges();
	return tap_done();
}
