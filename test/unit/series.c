/*
 * series.c: unit tests of base/series against mpmath 1.3 at 40 digits: the infinite sums by its
 * hyp2f1, the finite ones term by term.
 */
#include "kernel/base/series.h"
#include "tap.h"

static const struct
{
	double b, c, z, terms, sum, tolerance;
} known[] = {
	{1.2, 1.8999999999999999, 0.90000000000000002, INFINITY, 2.568028000397766, 1e-14},
	{0.01, 0.02, 0.5, INFINITY, 0.49660311617963324, 1e-14},
	{3.3999999999999999, 100.09999999999999, 0.99999000000000005, INFINITY, 0.035527318916314098,
	 1e-13},
	{3.3999999999999999, 3.8999999999999999, 0.99990000000000001, INFINITY, 308.35773473059237,
	 1e-12},
	{700.0, 700.5, 0.99970000000000003, INFINITY, 1725.7762577376567, 1e-12},
	{1.2, 3.8999999999999999, 1.0, INFINITY, 0.70588235294117646, 1e-14},
	{5.0, 5.5, 0.99970000000000003, 365, 71.03043023103852, 1e-13},
	{2.5, 4.25, 1.0, 12, 2.263137968629357, 1e-14},
	{1.5, 1.75, 0.99999899999999997, 250000, 13925.23463945357, 1e-8},
	{1.5, 1.75, 1.0, 250000, 15457.519039813023, 1e-8},
	{3.0, 8.5, 1.0, 250000, 0.66666666666666667, 1e-8},
};

/* The log of the product of (b + j) / (b + gap + j), j < n; mpmath, 50 digits, loggamma. */
static const double falling[][4] = {
	{1.5, 0.25, 250000.0, -3.07092405759396121},
	{1000000000.0, 1.0, 1000000.0, -0.000999500333083533167},
	{1000000000.0, 0.001, 1000000.0, -9.99500333582534187e-7},
	{1000000000.0, 1000000000.0, 3.0, -2.07944154017983593},
	{100000.0, 100000.0, 100000.0, -52324.9582177687873},
	{0.001, 0.001, 5.0, -0.695228381220451157},
	{300000000.0, 20000.0, 700000.0, -46.6107549777538349},
	{1e-09, 1000000000.0, 5.0, -121.161541199247188},
};

int
main(void)
{
	double most = 0.0;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
	{
		char name[100];

		snprintf(name, sizeof name, "R(%g, %g, %g, %g)", known[i].b, known[i].c, known[i].z,
				 known[i].terms);
		is_close(crm_ratio_series(known[i].b, known[i].c, known[i].z, known[i].terms), known[i].sum,
				 known[i].tolerance, name);
	}
	for (size_t i = 0; i < sizeof falling / sizeof *falling; i++)
	{
		const double *w = falling[i];

		is_near(crm_log_falling(w[0], w[1], w[2]), w[3], 1e-11 * fmax(1.0, fabs(w[3])),
				"the log of a product");
	}
	is_near(crm_ratio_series(2.0, 3.0, 0.9, 0.99), 0.0, 0.0, "no whole term");
	is_near(crm_ratio_series(2.0, 3.0, 0.0, INFINITY), 0.0, 0.0, "z = 0");
	is_near(crm_ratio_series(2.0, 2.5, 1.0, INFINITY), INFINITY, 0.0, "a sum that diverges");

	/* the two roads agree where they meet, a term apart */
	for (double z = 0.9; z < 1.0; z = 1.0 - (1.0 - z) / 10.0)
	{
		double below = crm_ratio_series(1.5, 2.1, z, 100000.0);
		double above = crm_ratio_series(1.5, 2.1, z, 100001.0);

		most = fmax(most, (above - below) / below - 1e-5);
		most = fmax(most, (below - above) / below);
		if (1.0 - z < 1e-9)
			break;
	}
	ok(most < 1e-7, "the sum and the difference of two infinite ones meet");
	return tap_done();
}
