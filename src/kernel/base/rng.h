/*
 * rng.h: random numbers that are the same for a seed on every platform, in independent streams.
 *
 * The generator is xoshiro256++ (Blackman and Vigna 2021, doi 10.1145/3460772), period 2^256 - 1:
 *
 *     result = rotl(s0 + s3, 23) + s0, then one step of a linear map on (s0, s1, s2, s3)
 *
 * Its state comes from splitmix64 (Steele, Lea and Flood 2014, doi 10.1145/2660193.2660195), a
 * bijective mix of a counter: stream i of a seed takes the outputs 4 i .. 4 i + 3 of splitmix64
 * started at that seed. So a stream costs nothing to reach, needs no other stream, shares no word
 * of its first state with another stream of the seed, and stream 0 is the seeding that the authors
 * advise.
 *
 * Invariants: integers and uniforms are the same bit for bit everywhere; the other variates up to
 * the rounding of libm's log and exp. A variate of a parameter outside its domain is NaN, never an
 * endless loop. Not handled: secrets (this is no cryptographic generator), parallel use of one
 * CrmRng.
 */
#ifndef CRM_KERNEL_RNG_H
#define CRM_KERNEL_RNG_H

#include <stdbool.h>
#include <stdint.h>

/* Shapes of gamma and beta variates that are in the domain. */
#define CRM_RNG_SHAPE_MIN 1e-300
#define CRM_RNG_SHAPE_MAX 1e300

typedef struct CrmRng
{
	uint64_t s[4];
	double spare; /* the second normal of a pair */
	bool has_spare;
} CrmRng;

/* Give the output of splitmix64 at a counter that has already been advanced by its constant. */
static inline uint64_t
crm_rng_mix(uint64_t counter)
{
	counter = (counter ^ (counter >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	counter = (counter ^ (counter >> 27)) * UINT64_C(0x94D049BB133111EB);
	return counter ^ (counter >> 31);
}

static inline uint64_t
crm_rng_rotate(uint64_t word, int bits)
{
	return (word << bits) | (word >> (64 - bits));
}

/* Give the next 64 random bits. */
static inline uint64_t
crm_rng_next(CrmRng *rng)
{
	uint64_t *s = rng->s;
	uint64_t result = crm_rng_rotate(s[0] + s[3], 23) + s[0];
	uint64_t shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = crm_rng_rotate(s[3], 45);
	return result;
}

/* Give a uniform variate in (0, 1), a multiple of 2^-53; never 0, so its log is finite. */
static inline double
crm_rng_uniform(CrmRng *rng)
{
	uint64_t bits;

	do
		bits = crm_rng_next(rng) >> 11;
	while (bits == 0);
	return (double) bits * 0x1p-53;
}

extern void crm_rng_seed(CrmRng *rng, uint64_t seed, uint64_t stream);
extern double crm_rng_normal(CrmRng *rng);
extern double crm_rng_exponential(CrmRng *rng);
extern double crm_rng_gamma(CrmRng *rng, double shape);
extern double crm_rng_log_gamma(CrmRng *rng, double shape);
extern double crm_rng_beta(CrmRng *rng, double a, double b);

#endif
