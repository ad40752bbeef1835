/*
 * rng.c: seeding, and the normal, exponential, gamma and beta variates; see rng.h.
 *
 *     normal       polar method, Marsaglia and Bray 1964, doi 10.1137/1006063
 *     exponential  -log U
 *     gamma        Marsaglia and Tsang 2000, doi 10.1145/358407.358414, with their boost
 *                  Gamma(shape) = Gamma(shape + 1) U^(1/shape) for shape < 1, taken in logs
 *     beta         X / (X + Y) of two gammas, in logs; Devroye 1986, chapter IX,
 *                  doi 10.1007/978-1-4613-8643-8
 *
 * Invariants: each rejection loop ends with probability one, after 1.3 rounds in the mean at most.
 */
#include <float.h>
#include <math.h>

#include "kernel/base/rng.h"

/* The step of splitmix64's counter: 2^64 divided by the golden ratio, made odd. */
#define GOLDEN UINT64_C(0x9E3779B97F4A7C15)

/*
 * Start one of the 2^62 streams of a seed; stream i and stream i + 2^62 are the same. The same pair
 * gives the same variates, whatever was drawn before or from other streams.
 */
void
crm_rng_seed(CrmRng *rng, uint64_t seed, uint64_t stream)
{
	uint64_t counter = seed + 4 * stream * GOLDEN;

	/* the mix is a bijection, so at most one of the four words is zero and the state is valid */
	for (int i = 0; i < 4; i++)
		rng->s[i] = crm_rng_mix(counter += GOLDEN);
	rng->spare = 0.0;
	rng->has_spare = false;
}

/* Give a standard normal variate. */
double
crm_rng_normal(CrmRng *rng)
{
	double u, v, square, factor;

	if (rng->has_spare)
	{
		rng->has_spare = false;
		return rng->spare;
	}
	do
	{
		u = 2.0 * crm_rng_uniform(rng) - 1.0;
		v = 2.0 * crm_rng_uniform(rng) - 1.0;
		square = u * u + v * v;
	} while (square >= 1.0 || square <= 0.0);

	factor = sqrt(-2.0 * log(square) / square);
	rng->spare = v * factor;
	rng->has_spare = true;
	return u * factor;
}

/* Give an exponential variate of rate 1, above zero and below 37; divide it by the rate wanted. */
double
crm_rng_exponential(CrmRng *rng)
{
	return -log(crm_rng_uniform(rng));
}

static bool
is_shape(double shape)
{
	return shape >= CRM_RNG_SHAPE_MIN && shape <= CRM_RNG_SHAPE_MAX; /* false for NaN */
}

/* Give a gamma variate of a shape >= 1 and rate 1: the transformed cube of a normal. */
static double
draw_gamma(CrmRng *rng, double shape)
{
	double d = shape - 1.0 / 3.0;
	double c = 1.0 / sqrt(9.0 * d);

	for (;;)
	{
		double x = crm_rng_normal(rng), root = 1.0 + c * x, u, cube;

		if (root <= 0.0)
			continue;
		cube = root * root * root;
		u = crm_rng_uniform(rng);
		if (u < 1.0 - 0.0331 * (x * x) * (x * x)) /* their squeeze, which spares the logs */
			return d * cube;
		if (log(u) < 0.5 * x * x + d * (1.0 - cube + log(cube)))
			return d * cube;
	}
}

/*
 * Give the natural logarithm of a gamma variate of rate 1, finite for every shape in the domain
 * [1e-300, 1e300], also where the variate itself would be too small for a double. NaN outside.
 */
double
crm_rng_log_gamma(CrmRng *rng, double shape)
{
	double boosted;

	if (!is_shape(shape))
		return NAN;
	if (shape >= 1.0)
		return log(draw_gamma(rng, shape));
	boosted = log(draw_gamma(rng, shape + 1.0));
	return boosted + log(crm_rng_uniform(rng)) / shape;
}

/*
 * Give a gamma variate of rate 1, mean = variance = shape; divide it by the rate wanted. Finite and
 * above zero: a variate below DBL_MIN, half of them at shape 1e-3, is given as DBL_MIN, and where
 * that matters use crm_rng_log_gamma. NaN for a shape outside [1e-300, 1e300].
 */
double
crm_rng_gamma(CrmRng *rng, double shape)
{
	double variate;

	if (!is_shape(shape))
		return NAN;
	if (shape >= 1.0)
		return fmax(draw_gamma(rng, shape), DBL_MIN);
	variate = exp(crm_rng_log_gamma(rng, shape));
	return fmax(variate, DBL_MIN);
}

/*
 * Give a beta variate, mean a / (a + b). It lies in [0, 1]; 0 and 1 appear where the variate rounds
 * to them, which is common when a or b is far below 1. NaN for a or b outside [1e-300, 1e300].
 */
double
crm_rng_beta(CrmRng *rng, double a, double b)
{
	double x = crm_rng_log_gamma(rng, a);
	double y = crm_rng_log_gamma(rng, b);

	return 1.0 / (1.0 + exp(y - x));
}
