/*
 * rng.c: unit tests of base/rng: published outputs, moments, distributions, extreme shapes.
 *
 * Seeds are fixed, so a test passes always or never. Moments are held to 4.5 standard errors; a
 * distribution by the statistic of Kolmogorov and Smirnov, sqrt(n) D < 2.2, which a true sample
 * passes with probability 1 - 1.2e-4 (Kolmogorov's limit 2 exp(-2 x^2)).
 */
#include <float.h>

#include "kernel/base/rng.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DRAWS        200000
#define PI           3.14159265358979323846

/* A law to hold a sample against: how to draw, its distribution function, its first two moments. */
typedef struct Law
{
	const char *name;
	double (*draw)(CrmRng *rng, double a, double b);
	double (*below)(double x, double a, double b);
	double a, b;
	double mean, variance;
} Law;

/* xoshiro256plusplus.c of Blackman and Vigna, state 1 2 3 4, as in the tests of rand_xoshiro. */
static void
test_reference_outputs(void)
{
	static const uint64_t want[] = {
		UINT64_C(41943041),
		UINT64_C(58720359),
		UINT64_C(3588806011781223),
		UINT64_C(3591011842654386),
		UINT64_C(9228616714210784205),
		UINT64_C(9973669472204895162),
		UINT64_C(14011001112246962877),
		UINT64_C(12406186145184390807),
		UINT64_C(15849039046786891736),
		UINT64_C(10450023813501588000),
	};
	/* splitmix64.c of Vigna, seed 1234567, as on rosettacode.org/wiki/Pseudo-random_numbers */
	static const uint64_t mixed[] = {
		UINT64_C(6457827717110365317),  UINT64_C(3203168211198807973),
		UINT64_C(9817491932198370423),  UINT64_C(4593380528125082431),
		UINT64_C(16408922859458223821),
	};
	/* both together: seed_from_u64(0) of rand's Xoshiro256PlusPlus, its test of stability */
	static const uint64_t seeded[] = {
		UINT64_C(5987356902031041503), UINT64_C(7051070477665621255), UINT64_C(6633766593972829180),
		UINT64_C(211316841551650330),  UINT64_C(9136120204379184874), UINT64_C(379361710973160858),
	};
	CrmRng rng = {{1, 2, 3, 4}, 0.0, false};
	bool passed = true;

	for (size_t i = 0; i < COUNT(want); i++)
		passed = passed && crm_rng_next(&rng) == want[i];
	ok(passed, "xoshiro256++ gives its published outputs");

	passed = true;
	for (size_t i = 0; i < COUNT(mixed); i++)
		passed =
			passed && crm_rng_mix(1234567 + (i + 1) * UINT64_C(0x9E3779B97F4A7C15)) == mixed[i];
	ok(passed, "splitmix64 gives its published outputs");

	crm_rng_seed(&rng, 0, 0);
	passed = true;
	for (size_t i = 0; i < COUNT(seeded); i++)
		passed = passed && crm_rng_next(&rng) == seeded[i];
	ok(passed, "stream 0 is xoshiro256++ seeded by splitmix64, as published");
}

static void
test_streams(void)
{
	CrmRng one, two;
	uint64_t words[4 * 1000];
	bool passed = true;

	crm_rng_seed(&one, 5, 77);
	crm_rng_normal(&one);
	crm_rng_seed(&one, 5, 77);
	crm_rng_seed(&two, 5, 77);
	for (int i = 0; i < 10; i++)
		passed = passed && fabs(crm_rng_normal(&one) - crm_rng_normal(&two)) <= 0;
	ok(passed, "seeding anew forgets what was drawn, the spare normal too");

	for (uint64_t stream = 0; stream < 1000; stream++)
	{
		crm_rng_seed(&one, 5, stream);
		memcpy(words + 4 * stream, one.s, sizeof one.s);
	}
	passed = true;
	for (size_t i = 0; i < COUNT(words); i++)
		for (size_t j = 0; j < i; j++)
			passed = passed && words[i] != words[j];
	ok(passed, "1000 streams share no word of state");

	crm_rng_seed(&one, UINT64_MAX, UINT64_MAX);
	crm_rng_seed(&two, 0, UINT64_MAX);
	ok(crm_rng_next(&one) != crm_rng_next(&two), "the largest seed and stream work");
}

/* The first draw of neighbouring streams is uniform and uncorrelated. */
static void
test_stream_starts(void)
{
	double sum = 0, square = 0, product = 0, before = 0, n = DRAWS;

	for (uint64_t stream = 0; stream < DRAWS; stream++)
	{
		CrmRng rng;
		double u;

		crm_rng_seed(&rng, 9, stream);
		u = crm_rng_uniform(&rng) - 0.5;
		sum += u;
		square += u * u;
		product += u * before;
		before = u;
	}
	is_near(sum / n, 0, 4.5 * sqrt(1 / 12.0 / n), "first draws of streams: mean");
	is_near(square / n, 1 / 12.0, 4.5 * sqrt(1 / 180.0 / n), "first draws of streams: variance");
	is_near(product / n, 0, 4.5 / 12.0 / sqrt(n), "first draws of streams: correlation");
}

static double
draw_uniform(CrmRng *rng, double a, double b)
{
	(void) a, (void) b;
	return crm_rng_uniform(rng);
}

static double
draw_normal(CrmRng *rng, double a, double b)
{
	(void) a, (void) b;
	return crm_rng_normal(rng);
}

static double
draw_exponential(CrmRng *rng, double a, double b)
{
	(void) a, (void) b;
	return crm_rng_exponential(rng);
}

static double
draw_gamma(CrmRng *rng, double a, double b)
{
	(void) b;
	return crm_rng_gamma(rng, a);
}

static double
draw_exp_log_gamma(CrmRng *rng, double a, double b)
{
	(void) b;
	return exp(crm_rng_log_gamma(rng, a));
}

static double
draw_beta(CrmRng *rng, double a, double b)
{
	return crm_rng_beta(rng, a, b);
}

static double
below_uniform(double x, double a, double b)
{
	(void) a, (void) b;
	return x;
}

static double
below_normal(double x, double a, double b)
{
	(void) a, (void) b;
	return 0.5 * erfc(-x / sqrt(2.0));
}

static double
below_exponential(double x, double a, double b)
{
	(void) a, (void) b;
	return -expm1(-x);
}

/* Regularized lower incomplete gamma by its series, DLMF 8.11.4; good to 1e-12 for x below 200. */
static double
below_gamma(double x, double a, double b)
{
	double term = 1.0, sum = 1.0;

	(void) b;
	if (x <= 0)
		return 0;
	for (int n = 1; n < 2000 && term > 1e-17 * sum; n++)
	{
		term *= x / (a + n);
		sum += term;
	}
	return sum * exp(a * log(x) - x - lgamma(a + 1.0));
}

/* Beta distributions with a closed form: a or b is 1, both are 2, both are 1/2. */
static double
below_beta(double x, double a, double b)
{
	if (fabs(b - 1) < 1e-9)
		return pow(x, a);
	if (fabs(a - 1) < 1e-9)
		return -expm1(b * log1p(-x));
	if (fabs(a - 2) < 1e-9)
		return x * x * (3 - 2 * x);
	return 2 / PI * asin(sqrt(x));
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Give the largest distance between the sample's distribution and the law's; sorts the sample. */
static double
find_distance(double *sample, size_t n, const Law *law)
{
	double distance = 0.0;

	qsort(sample, n, sizeof *sample, compare_doubles);
	for (size_t i = 0; i < n; i++)
	{
		double below = law->below(sample[i], law->a, law->b);

		distance = fmax(distance, fabs(below - (double) i / (double) n));
		distance = fmax(distance, fabs(below - (double) (i + 1) / (double) n));
	}
	return distance;
}

static void
test_law(const Law *law, uint64_t stream)
{
	double *sample = malloc(DRAWS * sizeof *sample);
	double sum = 0, square = 0, fourth = 0, n = DRAWS;
	char name[128];
	CrmRng rng;

	crm_rng_seed(&rng, 20240229, stream);
	for (size_t i = 0; i < DRAWS; i++)
	{
		double x = sample[i] = law->draw(&rng, law->a, law->b), d = x - law->mean;

		sum += d;
		square += d * d;
		fourth += d * d * d * d;
	}
	snprintf(name, sizeof name, "%s: mean", law->name);
	is_near(sum / n, 0, 4.5 * sqrt(law->variance / n), name);
	snprintf(name, sizeof name, "%s: variance", law->name);
	is_near(square / n, law->variance, 4.5 * sqrt((fourth / n - square / n * square / n) / n),
			name);
	snprintf(name, sizeof name, "%s: distribution", law->name);
	is_near(sqrt(n) * find_distance(sample, DRAWS, law), 0, 2.2, name);
	free(sample);
}

static void
test_laws(void)
{
	static const Law laws[] = {
		{"uniform", draw_uniform, below_uniform, 0, 0, 0.5, 1 / 12.0},
		{"normal", draw_normal, below_normal, 0, 0, 0, 1},
		{"exponential", draw_exponential, below_exponential, 0, 0, 1, 1},
		{"gamma 0.05", draw_gamma, below_gamma, 0.05, 0, 0.05, 0.05},
		{"gamma 0.243", draw_gamma, below_gamma, 0.243, 0, 0.243, 0.243},
		{"gamma 0.999", draw_gamma, below_gamma, 0.999, 0, 0.999, 0.999},
		{"gamma 1", draw_gamma, below_exponential, 1, 0, 1, 1},
		{"gamma 3.74", draw_gamma, below_gamma, 3.74, 0, 3.74, 3.74},
		{"gamma 60", draw_gamma, below_gamma, 60, 0, 60, 60},
		{"log gamma 0.243", draw_exp_log_gamma, below_gamma, 0.243, 0, 0.243, 0.243},
		{"log gamma 6.25", draw_exp_log_gamma, below_gamma, 6.25, 0, 6.25, 6.25},
		{"beta 0.793 1", draw_beta, below_beta, 0.793, 1, 0.793 / 1.793,
		 0.793 / (1.793 * 1.793 * 2.793)},
		{"beta 1 2.426", draw_beta, below_beta, 1, 2.426, 1 / 3.426,
		 2.426 / (3.426 * 3.426 * 4.426)},
		{"beta 2 2", draw_beta, below_beta, 2, 2, 0.5, 0.05},
		{"beta 0.5 0.5", draw_beta, below_beta, 0.5, 0.5, 0.5, 0.125},
	};

	for (size_t i = 0; i < COUNT(laws); i++)
		test_law(&laws[i], i);
}

/* Shapes far from 1: variates finite and above zero, their log right in the mean. */
static void
test_extreme_shapes(void)
{
	static const double shapes[] = {1e-300, 1e-10, 1e-3, 1e6, 1e15, 1e300};
	CrmRng rng;
	double sum = 0, square = 0, n = DRAWS;

	crm_rng_seed(&rng, 3, 0);
	for (size_t i = 0; i < COUNT(shapes); i++)
	{
		bool passed = true;

		for (int draw = 0; draw < 20000; draw++)
		{
			double x = crm_rng_gamma(&rng, shapes[i]), log_x = crm_rng_log_gamma(&rng, shapes[i]);

			passed = passed && isfinite(x) && x >= DBL_MIN && isfinite(log_x);
		}
		ok(passed, "gamma of shape %g is finite and above zero, its log finite", shapes[i]);
	}

	/* E log X = digamma(shape), here -1/shape - 0.5772 + shape pi^2/6; variance about 1/shape^2 */
	for (int draw = 0; draw < DRAWS; draw++)
		sum += crm_rng_log_gamma(&rng, 1e-3);
	is_near(sum / n, -1000.5755719, 4.5 * 1000 / sqrt(n), "log gamma of shape 1e-3: mean");

	/* P(X < DBL_MIN) = DBL_MIN^shape / Gamma(shape + 1), about exp(-0.7084 + 0.0006) */
	sum = 0;
	for (int draw = 0; draw < DRAWS; draw++)
		sum += crm_rng_gamma(&rng, 1e-3) <= DBL_MIN;
	is_near(sum / n, 0.4927, 4.5 * 0.5 / sqrt(n) + 1e-4, "gamma of shape 1e-3: at its floor");

	sum = 0;
	for (int draw = 0; draw < DRAWS; draw++)
	{
		double d = crm_rng_gamma(&rng, 1e6) - 1e6;

		sum += d;
		square += d * d;
	}
	is_near(sum / n, 0, 4.5 * 1e3 / sqrt(n), "gamma of shape 1e6: mean");
	is_near(square / n, 1e6, 4.5 * 1e6 * sqrt(2 / n), "gamma of shape 1e6: variance");
}

static void
test_extreme_beta(void)
{
	static const double shapes[] = {1e-300, 1e-3, 1, 1e6, 1e300};
	CrmRng rng;
	double sum = 0, n = DRAWS;
	bool passed = true;

	crm_rng_seed(&rng, 4, 0);
	for (size_t i = 0; i < COUNT(shapes); i++)
		for (size_t j = 0; j < COUNT(shapes); j++)
			for (int draw = 0; draw < 2000; draw++)
			{
				double x = crm_rng_beta(&rng, shapes[i], shapes[j]);

				passed = passed && x >= 0 && x <= 1;
			}
	ok(passed, "beta of extreme shapes stays in [0, 1]");
	for (int draw = 0; draw < DRAWS; draw++)
		sum += crm_rng_beta(&rng, 1e-3, 3e-3);
	is_near(sum / n, 0.25, 4.5 * 0.4331 / sqrt(n), "beta of 0.001 and 0.003: mean");
}

/* Outside its domain a variate is NaN at once, where a rejection loop would never end. */
static void
test_domain(void)
{
	static const double bad[] = {0, -1, -INFINITY, INFINITY, NAN, 1e-301, 1e301};
	CrmRng rng;
	bool passed = true;

	crm_rng_seed(&rng, 1, 1);
	for (size_t i = 0; i < COUNT(bad); i++)
		passed = passed && isnan(crm_rng_gamma(&rng, bad[i])) &&
				 isnan(crm_rng_log_gamma(&rng, bad[i])) && isnan(crm_rng_beta(&rng, bad[i], 1)) &&
				 isnan(crm_rng_beta(&rng, 1, bad[i]));
	ok(passed, "a shape outside the domain gives NaN");

	passed = true;
	for (int draw = 0; draw < 1000000; draw++)
	{
		double u = crm_rng_uniform(&rng), e = crm_rng_exponential(&rng);

		passed = passed && u > 0 && u < 1 && e > 0 && e < 37;
	}
	ok(passed, "uniform is inside (0, 1), exponential inside (0, 37)");
}

/* States made to give the smallest and the largest outputs, which no sample would meet. */
static void
test_uniform_ends(void)
{
	CrmRng zero = {{0, 1, 2, 0}, 0.0, false}, largest = {{0, 1, 2, UINT64_MAX}, 0.0, false};
	CrmRng copy = zero;

	is_int((int64_t) crm_rng_next(&copy), 0, "a state whose output is zero");
	ok(crm_rng_uniform(&zero) > 0, "uniform passes over zero");
	is_near(crm_rng_uniform(&largest), 1 - 0x1p-53, 0, "uniform is at most 1 - 2^-53");
}

int
main(void)
{
	test_reference_outputs();
	test_streams();
	test_stream_starts();
	test_laws();
	test_extreme_shapes();
	test_extreme_beta();
	test_domain();
	test_uniform_ends();
	return tap_done();
}
