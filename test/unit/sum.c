/*
 * sum.c: unit tests of base/sum.h against exact integer arithmetic.
 *
 * A term is an integer of at most 53 bits times 2^s with 0 <= s <= 35, all of it times a common
 * 2^-k; the exact sum of a thousand of them fits 98 bits, so __int128 has it. A pair of doubles
 * can hold any of these sums exactly, so every order and every split must give the same bits, the
 * exact sum rounded once, however ill-conditioned it is.
 */
#include <float.h>

#include "host.h"
#include "kernel/base/sum.h"

#define TERMS 1000

static double term[TERMS];
static __int128 exact;

/* Give an exact integer of unit 2^-k as the nearest double. */
static double
nearest(__int128 integer, int k)
{
	return ldexp((double) integer, -k);
}

/* Fill the terms with integers of `bits` bits times 2^0..spread and either sign, in units 2^-k. */
static void
fill(int bits, int spread, bool is_signed, int k)
{
	exact = 0;
	for (int i = 0; i < TERMS; i++)
	{
		int64_t mantissa = (int64_t) (draw() >> (64 - bits));
		int shift = (int) draw_below((uint64_t) spread + 1);

		if (is_signed && draw_below(2) == 0)
			mantissa = -mantissa;
		term[i] = ldexp((double) mantissa, shift - k);
		exact += (__int128) mantissa * ((__int128) 1 << shift);
	}
}

/* Make the second half cancel all of the first but its small terms: condition number 1e20. */
static void
fill_cancelling(int k)
{
	fill(53, 35, true, k);
	exact = 0;
	for (int i = 0; i < TERMS / 2; i++)
	{
		int64_t rest = (int64_t) draw_below(2000) - 1000;

		/* a multiple of 2^20 in units, so that the difference to rest is exact in 53 bits */
		term[i] = ldexp((double) (int64_t) (draw() >> 32), 20 + (int) draw_below(30) - k);
		term[TERMS - 1 - i] = i % 2 == 0 ? -term[i] : ldexp((double) rest, -k);
		if (i % 2 == 0)
			continue;
		term[i] = ldexp((double) (3 * rest), -k);
		exact += 4 * rest;
	}
}

static CrmSum
sum_in_order(const uint32_t *order, size_t first, size_t end)
{
	CrmSum sum = {0};

	for (size_t i = first; i < end; i++)
		crm_sum_add(&sum, term[order[i]]);
	return sum;
}

static bool
is_same(CrmSum a, CrmSum b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

/* Sum in 50 random orders, each in up to 7 parts merged in turn; all give the exact sum's bits. */
static bool
try_orders_and_splits(int k)
{
	uint32_t order[TERMS];
	CrmSum first = {0};

	for (int trial = 0; trial < 50; trial++)
	{
		CrmSum sum = {0};
		size_t at = 0;
		int parts = 1 + trial % 7;

		draw_order(order, TERMS);
		for (int part = 1; part <= parts; part++)
		{
			size_t end = part == parts ? TERMS : at + draw_below(TERMS - at + 1);

			crm_sum_merge(&sum, sum_in_order(order, at, end));
			at = end;
		}
		if (trial == 0)
			first = sum;
		if (crm_sum_value(sum) != nearest(exact, k) || !is_same(sum, first))
			return false;
	}
	return true;
}

static void
test_sums(void)
{
	bool passed[4] = {true, true, true, true};

	for (int trial = 0; trial < 100; trial++)
	{
		fill(53, 0, false, 10);
		passed[0] &= try_orders_and_splits(10);
		fill(53, 35, true, 10);
		passed[1] &= try_orders_and_splits(10);
		fill_cancelling(60);
		passed[2] &= try_orders_and_splits(60);
		fill(53, 35, true, -900); /* terms of about 1e297 */
		passed[3] &= try_orders_and_splits(-900);
	}
	ok(passed[0], "positive terms: exact, and the same bits in any order and split");
	ok(passed[1], "terms of both signs over 88 bits: the same");
	ok(passed[2], "terms that all but cancel: the same");
	ok(passed[3], "huge terms: the same");
}

/* Amounts with cents are multiples of tiny units only, and their sums exact all the same. */
static void
test_cents(void)
{
	uint32_t order[TERMS];
	bool passed = true;
	CrmSum first = {0};

	for (int i = 0; i < TERMS; i++)
		term[i] = (double) (int64_t) draw_below(100000000) / 100;
	exact = 0;
	for (int i = 0; i < TERMS; i++) /* 0.01 ends at 2^-59 */
		exact += (__int128) ldexp(term[i], 60);
	for (int trial = 0; trial < 200; trial++)
	{
		CrmSum sum;

		draw_order(order, TERMS);
		sum = sum_in_order(order, 0, TERMS);
		if (trial == 0)
			first = sum;
		passed &= is_same(sum, first) && crm_sum_value(sum) == nearest(exact, 60);
	}
	ok(passed, "amounts with cents: the doubles' exact sum, in any order");
}

static void
test_mean(void)
{
	bool passed = true;
	CrmSum sum = {0};

	for (int trial = 0; trial < 2000; trial++)
	{
		int n = 1 + (int) draw_below(TERMS);
		__int128 total = 0;

		sum = (CrmSum){0};
		for (int i = 0; i < n; i++)
		{
			int64_t mantissa = (int64_t) (draw() >> 12) - (INT64_C(1) << 51);

			total += mantissa;
			crm_sum_add(&sum, ldexp((double) mantissa, -20));
		}
		passed &= crm_sum_mean(sum, n) == ldexp((double) ((__float128) total / n), -20);
	}
	ok(passed, "the mean is the exact sum over n, rounded once");
	sum = (CrmSum){0};
	is_near(crm_sum_mean(sum, 3), 0.0, 0.0, "the mean of zeros is zero");
	for (int i = 0; i < 3; i++)
		crm_sum_add(&sum, 0.1);
	is_near(crm_sum_mean(sum, 3), 0.1, 0.0,
			"the mean of three 0.1 is 0.1, not 0.10000000000000002");
}

/* Sums beyond the range of double on the way, and at the end. */
static void
test_range(void)
{
	static const double huge[] = {1e308, 1e308, 1e308, -1e308, -1e308};
	CrmSum sum = {0};
	bool passed = true;

	for (int trial = 0; trial < 100; trial++)
	{
		uint32_t order[5];

		sum = (CrmSum){0};
		draw_order(order, 5);
		for (int i = 0; i < 5; i++)
			crm_sum_add(&sum, huge[order[i]]);
		passed &= crm_sum_value(sum) == 1e308;
	}
	ok(passed, "terms of 1e308 cancel in any order");
	sum = (CrmSum){0};
	for (int i = 0; i < 100000; i++)
		crm_sum_add(&sum, DBL_MAX);
	is_near(crm_sum_value(sum), INFINITY, 0.0, "100000 times the largest double is infinite");
	is_near(crm_sum_mean(sum, 100000), DBL_MAX, 0.0, "their mean is the largest double");
	for (int i = 0; i < 99999; i++)
		crm_sum_add(&sum, -DBL_MAX);
	is_near(crm_sum_value(sum), DBL_MAX, 0.0, "and subtracting them again leaves one");
	sum = (CrmSum){0};
	for (int i = 0; i < 3; i++)
		crm_sum_add(&sum, -DBL_MAX);
	is_near(crm_sum_value(sum), -INFINITY, 0.0, "three times the most negative is -infinite");
}

static void
test_squares(void)
{
	bool passed = true;
	CrmSum sum, other = {0};

	for (int trial = 0; trial < 200; trial++)
	{
		exact = 0;
		sum = (CrmSum){0};
		for (int i = 0; i < 100; i++)
		{
			int64_t mantissa = (int64_t) (draw() >> 18) - (INT64_C(1) << 45);

			exact += (__int128) mantissa * mantissa;
			crm_sum_add_square(&sum, ldexp((double) mantissa, -9));
		}
		passed &= crm_sum_value(sum) == nearest(exact, 18);
	}
	ok(passed, "sums of squares are exact");

	sum = (CrmSum){0};
	crm_sum_add_square(&sum, 1e152);
	is_close(crm_sum_value(sum), 1e304, 1e-15, "the square of 1e152 is finite");
	crm_sum_add_square(&sum, -1e200);
	crm_sum_add_square(&sum, 3.0);
	is_near(crm_sum_value(sum), INFINITY, 0.0, "the square of 1e200 is infinite and stays so");
	crm_sum_add_square(&other, 2.0);
	crm_sum_merge(&other, sum);
	crm_sum_merge(&other, sum);
	is_near(crm_sum_value(other), INFINITY, 0.0, "infinite sums merge to an infinite one, not NaN");
	is_near(other.lo, 0.0, 0.0, "without a tail");
	is_near(crm_sum_mean(other, 4), INFINITY, 0.0, "whose mean is infinite");
}

/* The building blocks: a + b and a * b as an unevaluated pair lose nothing. */
static void
test_pairs(void)
{
	bool sums = true, products = true;

	for (int trial = 0; trial < 100000; trial++)
	{
		int64_t a = (int64_t) (draw() >> 11) - (INT64_C(1) << 52);
		int64_t b = (int64_t) (draw() >> 11) - (INT64_C(1) << 52);
		int shift = (int) draw_below(60);
		double error;
		double result = crm_two_sum(ldexp((double) a, shift), (double) b, &error);

		sums &= (__int128) result + (__int128) error == (__int128) a * ((__int128) 1 << shift) + b;
		result = crm_two_product((double) a, (double) b, &error);
		products &= (__int128) result + (__int128) error == (__int128) a * b;
	}
	ok(sums, "two-sum and its error are a + b");
	ok(products, "two-product and its error are a * b");
}

int
main(void)
{
	test_pairs();
	test_sums();
	test_cents();
	test_mean();
	test_range();
	test_squares();
	return tap_done();
}
