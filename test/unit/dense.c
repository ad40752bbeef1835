/*
 * Tests of kernel/base/dense.c. The Hilbert matrix of order 5 has an inverse of whole numbers; the
 * regression is Longley's (NIST, Statistical Reference Datasets, certified values); the rest are
 * identities that hold for any correct result.
 */
#include "tap.h"

#include "kernel/base/dense.h"
#include "kernel/base/rng.h"

#define N 5

static void
test_hilbert(void)
{
	/* (-1)^(i+j) (i+j+1) C(n+i, n-j-1) C(n+j, n-i-1) C(i+j, i)^2 */
	static const double inverse[N * N] = {25,     -300,  1050,   -1400,   630,    -300,   4800,
										  -18900, 26880, -12600, 1050,    -18900, 79380,  -117600,
										  56700,  -1400, 26880,  -117600, 179200, -88200, 630,
										  -12600, 56700, -88200, 44100};
	double a[N * N], got[N * N], b[N] = {1, 1, 1, 1, 1};
	/* H x = 1: the sums of the rows of the inverse */
	static const double x[N] = {5, -120, 630, -1120, 630};
	double worst = 0;

	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			a[i * N + j] = j > i ? NAN : 1.0 / (i + j + 1);
	is_int(crm_cholesky(a, N, 0, NULL), CRM_OK, "Hilbert's matrix has a factor");
	crm_cholesky_inverse(a, N, NULL, got);
	for (int i = 0; i < N * N; i++)
		worst = fmax(worst, fabs(got[i] / inverse[i] - 1));
	ok(worst < 1e-10, "its inverse is %g off", worst);
	crm_cholesky_solve(a, N, NULL, b);
	worst = 0;
	for (int i = 0; i < N; i++)
		worst = fmax(worst, fabs(b[i] / x[i] - 1));
	ok(worst < 1e-10, "its solution is %g off", worst);
	ok(isnan(a[1]), "the upper triangle is not touched");
}

static void
test_singular(void)
{
	/* columns 1, x, 2 x + 3: the third is collinear; the fourth is free */
	static const double rows[6][4] = {{1, 0, 3, 1}, {1, 1, 5, 0},  {1, 2, 7, 2},
									  {1, 3, 9, 0}, {1, 4, 11, 5}, {1, 7, 17, 1}};
	double a[16] = {0}, small[9] = {0}, got[16], b[4] = {1, 2, 5, 3}, c[3] = {1, 2, 3}, want[9];
	unsigned char dropped[4];
	double worst = 0;

	for (int i = 0; i < 6; i++)
		for (int j = 0; j < 4; j++)
			for (int k = 0; k <= j; k++)
				a[j * 4 + k] += rows[i][j] * rows[i][k];
	for (int j = 0; j < 3; j++)
		for (int k = 0; k <= j; k++)
			small[j * 3 + k] = a[(j + (j == 2)) * 4 + k + (k == 2)];
	memcpy(got, a, sizeof a);
	is_int(crm_cholesky(got, 4, 1e-11, NULL), CRM_SINGULAR, "a singular matrix has no factor");
	is_int(crm_cholesky(a, 4, 1e-11, dropped), CRM_OK, "but one without its collinear column");
	ok(!dropped[0] && !dropped[1] && dropped[2] && !dropped[3], "which is the third");
	is_int(crm_cholesky(small, 3, 1e-11, dropped + 1), CRM_OK, "the matrix without it");
	dropped[1] = dropped[3] = 0;
	dropped[2] = 1;
	crm_cholesky_solve(a, 4, dropped, b);
	crm_cholesky_solve(small, 3, NULL, c);
	ok(b[2] == 0 && fabs(b[0] - c[0]) < 1e-12 && fabs(b[1] - c[1]) < 1e-12 &&
		   fabs(b[3] - c[2]) < 1e-12,
	   "has the same solution");
	crm_cholesky_inverse(a, 4, dropped, got);
	crm_cholesky_inverse(small, 3, NULL, want);
	for (int j = 0; j < 4; j++)
		for (int k = 0; k < 4; k++)
		{
			double value = j == 2 || k == 2 ? 0 : want[(j - (j > 2)) * 3 + (k - (k > 2))];

			worst = fmax(worst, fabs(got[j * 4 + k] - value));
		}
	ok(worst < 1e-12, "and the same inverse (%g)", worst);

	a[0] = NAN;
	is_int(crm_cholesky(a, 4, 0, NULL), CRM_SINGULAR, "NaN has no factor");
	for (int i = 0; i < 16; i++)
		a[i] = 0;
	is_int(crm_cholesky(a, 4, 0, dropped), CRM_OK, "a matrix of zeros");
	ok(dropped[0] && dropped[1] && dropped[2] && dropped[3], "loses every column");
	crm_cholesky_solve(a, 4, dropped, b);
	ok(b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] == 0, "and its solution is zero");
}

/* Longley 1967 by NIST: total derived employment on six columns that are nearly collinear. */
static const double longley[16][7] = {{60323, 83.0, 234289, 2356, 1590, 107608, 1947},
									  {61122, 88.5, 259426, 2325, 1456, 108632, 1948},
									  {60171, 88.2, 258054, 3682, 1616, 109773, 1949},
									  {61187, 89.5, 284599, 3351, 1650, 110929, 1950},
									  {63221, 96.2, 328975, 2099, 3099, 112075, 1951},
									  {63639, 98.1, 346999, 1932, 3594, 113270, 1952},
									  {64989, 99.0, 365385, 1870, 3547, 115094, 1953},
									  {63761, 100.0, 363112, 3578, 3350, 116219, 1954},
									  {66019, 101.2, 397469, 2904, 3048, 117388, 1955},
									  {67857, 104.6, 419180, 2822, 2857, 118734, 1956},
									  {68169, 108.4, 442769, 2936, 2798, 120445, 1957},
									  {66513, 110.8, 444546, 4681, 2637, 121950, 1958},
									  {68655, 112.6, 482704, 3813, 2552, 123366, 1959},
									  {69564, 114.2, 502601, 3931, 2514, 125368, 1960},
									  {69331, 115.7, 518173, 4806, 2572, 127852, 1961},
									  {70551, 116.9, 554894, 4007, 2827, 130081, 1962}};
static const double longley_b[7] = {-3482258.63459582, 15.0618722713733,  -0.358191792925910e-01,
									-2.02022980381683, -1.03322686717359, -0.511041056535807e-01,
									1829.15146461355};
static const double longley_se[7] = {890420.383607373,  84.9149257747669,  0.334910077722432e-01,
									 0.488399681651699, 0.214274163161675, 0.226073200069370,
									 455.478499142212};

static void
test_longley(void)
{
	for (int chunk = 1; chunk <= 16; chunk += 5)
	{
		double r[64] = {0}, block[16 * 8], b[7], inverse[49];
		unsigned char dropped[7];
		double worst = 0, worst_error = 0, rest;

		for (int first = 0; first < 16; first += chunk)
		{
			int rows = first + chunk < 16 ? chunk : 16 - first;

			for (int i = 0; i < rows; i++)
				for (int j = 0; j < 8; j++)
					block[j * 16 + i] = j == 0 ? 1 : longley[first + i][j % 7];
			crm_qr_add(r, 8, block, rows, 16);
		}
		is_int(crm_qr_reduce(r, 8, 7, 1e-9, dropped), 7, "Longley's columns are independent");
		crm_qr_solve(r, 8, 7, dropped, 7, b);
		crm_qr_inverse(r, 8, 7, dropped, inverse);
		rest = fabs(r[7 * 8 + 7]);
		for (int j = 0; j < 7; j++)
		{
			worst = fmax(worst, fabs(b[j] / longley_b[j] - 1));
			worst_error =
				fmax(worst_error, fabs(rest / 3 * sqrt(inverse[j * 7 + j]) / longley_se[j] - 1));
		}
		ok(worst < 1e-8, "rows by %d: coefficients as certified, %g", chunk, worst);
		ok(worst_error < 1e-8, "standard errors as certified, %g", worst_error);
		is_close(rest * rest, 836424.055505915, 1e-9, "residual sum of squares as certified");
	}
}

/* Collinear columns anywhere: the others have the coefficients that they have without them. */
static void
test_collinear(void)
{
	enum
	{
		ROWS = 40,
		P = 6
	};
	CrmRng rng;
	double block[8 * ROWS], r[49] = {0}, plain[16] = {0}, b[P], want[3], inverse[P * P], small[9];
	double other[4 * ROWS];
	unsigned char dropped[P], none[3];
	double worst = 0;

	crm_rng_seed(&rng, 7, 0);
	for (int i = 0; i < ROWS; i++)
	{
		double u = crm_rng_uniform(&rng), v = crm_rng_uniform(&rng), y = crm_rng_uniform(&rng);
		double row[7] = {1, 2.5, u, 3 * u - 1, v, u + v, y};

		for (int j = 0; j < 7; j++)
			block[j * ROWS + i] = row[j];
		other[i] = 1;
		other[ROWS + i] = u;
		other[2 * ROWS + i] = v;
		other[3 * ROWS + i] = y;
	}
	crm_qr_add(r, 7, block, ROWS, ROWS);
	crm_qr_add(plain, 4, other, ROWS, ROWS);
	is_int(crm_qr_reduce(r, 7, P, 1e-9, dropped), 3, "three of six columns are independent");
	ok(!dropped[0] && dropped[1] && !dropped[2] && dropped[3] && !dropped[4] && dropped[5],
	   "the later ones are dropped");
	is_int(crm_qr_reduce(plain, 4, 3, 1e-9, none), 3, "alone they are independent");
	crm_qr_solve(r, 7, P, dropped, P, b);
	crm_qr_solve(plain, 4, 3, none, 3, want);
	crm_qr_inverse(r, 7, P, dropped, inverse);
	crm_qr_inverse(plain, 4, 3, none, small);
	for (int j = 0; j < 3; j++)
	{
		worst = fmax(worst, fabs(b[2 * j] - want[j]));
		for (int k = 0; k < 3; k++)
			worst = fmax(worst, fabs(inverse[2 * j * P + 2 * k] - small[j * 3 + k]));
	}
	ok(worst < 1e-12, "coefficients and inverse are the same without them (%g)", worst);
	ok(b[1] == 0 && b[3] == 0 && b[5] == 0 && inverse[1 * P + 1] == 0 && inverse[3 * P] == 0,
	   "theirs are zero");
	worst = 0;
	for (int i = 3; i < 7; i++)
		worst = hypot(worst, r[i * 7 + 6]);
	is_close(worst, fabs(plain[3 * 4 + 3]), 1e-12, "the residual is the same");
}

int
main(void)
{
	test_hilbert();
	test_singular();
	test_longley();
	test_collinear();
	return tap_done();
}
