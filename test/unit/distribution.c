/*
 * Tests of kernel/base/distribution.c. Values: mpmath 1.3 with 50 digits (erfc, gammainc, betainc,
 * and quadrature of the density for degrees of freedom in the thousands), at the doubles given.
 */
#include "tap.h"

#include "kernel/base/distribution.h"

static const double normal[][2] = {
	/* z, P(Z > z) */
	{-8, 9.9999999999999938e-1},
	{-1.5, 9.3319279873114193e-1},
	{0, 5.0e-1},
	{0.001, 4.9960105778608894e-1},
	{1, 1.5865525393145705e-1},
	{1.959963984540054, 2.5000000000000011e-2},
	{5, 2.8665157187919391e-7},
	{10, 7.6198530241605261e-24},
	{30, 4.9067139271481871e-198},
	{37, 5.7255712225245768e-300},
};
static const double quantile[][2] = {
	/* p, z */
	{1e-300, -3.7047096299361199e+1}, {1e-20, -9.2623400897984076},  {0.001, -3.0902323061678135},
	{0.025, -1.9599639845400542},     {0.3, -5.2440051270804082e-1}, {0.5, 0},
	{0.50001, 2.5066282748820863e-5}, {0.9, 1.2815515655446006},     {0.975, 1.9599639845400539},
	{0.999999, 4.7534243088170878},
};
static const double chi_squared[][3] = {
	/* x, df, P(X > x) */
	{0.001, 1, 9.7477287936996039e-1},     {3.841458820694124, 1, 5.0000000000000057e-2},
	{10.3, 1, 1.3303020906468196e-3},      {1000, 1, 1.7958327848007262e-219},
	{0.5, 2.5, 8.6388362845858884e-1},     {20, 10, 2.9252688076961073e-2},
	{2, 10, 9.9634015317265629e-1},        {0.0001, 7, 9.9999999999999992e-1},
	{95, 100, 6.2257929187817353e-1},      {150, 100, 9.0393204235400909e-4},
	{99000, 100000, 9.875216843619172e-1}, {101500, 100000, 4.2045497126965707e-4},
	{1300, 3, 1.4717437106980103e-281},    {40, 0.1, 5.8813213917390955e-12},
};
static const double student[][3] = {
	/* t, df, P(|T| > |t|) */
	{0.1, 1, 9.3654896513889286e-1},       {12.7062047361747, 1, 5.000000000000002e-2},
	{1000000.0, 1, 6.3661977236736914e-7}, {2, 3, 1.3932596855884318e-1},
	{-2.5, 10.5, 3.0426272641088563e-2},   {8, 30, 6.2658224757007589e-9},
	{1e-05, 30, 9.9999208735630225e-1},    {1.96, 5000, 5.0051252291819536e-2},
	{6, 100000, 1.9799294556017626e-9},    {30, 1000000, 1.2020094233661884e-197},
};
static const double fisher[][4] = {
	/* f, df1, df2, P(F > f) */
	{1, 1, 1, 5.0e-1},
	{4.5, 3, 20, 1.4373244610897451e-2},
	{0.01, 3, 20, 9.9858167601910104e-1},
	{200, 5, 40, 3.4958299034747324e-27},
	{1.1, 100, 200, 2.8386421103211669e-1},
	{50, 2, 1000, 2.0121364151560911e-21},
	{2.5, 7.5, 3.25, 2.2938018223229032e-1},
};

#define COUNT(list) (sizeof list / sizeof list[0])

/* Pass when two values agree to 1e-12 relative. */
static void
is_value(double got, double want, const char *what, double x, double y)
{
	char name[100];

	snprintf(name, sizeof name, "%s at %g, %g", what, x, y);
	is_close(got, want, 1e-12, name);
}

static void
test_values(void)
{
	for (size_t i = 0; i < COUNT(normal); i++)
	{
		is_value(crm_normal_upper(normal[i][0]), normal[i][1], "normal upper", normal[i][0], 0);
		is_value(crm_normal_cdf(-normal[i][0]), normal[i][1], "normal cdf", -normal[i][0], 0);
	}
	is_value(crm_normal_two_sided(-5), 2 * 2.8665157187919391e-7, "normal two-sided", -5, 0);
	for (size_t i = 0; i < COUNT(quantile); i++)
		is_near(crm_normal_quantile(quantile[i][0]), quantile[i][1], 5e-15 * 37, "normal quantile");
	for (size_t i = 0; i < COUNT(chi_squared); i++)
		is_value(crm_chi_squared_upper(chi_squared[i][0], chi_squared[i][1]), chi_squared[i][2],
				 "chi-squared", chi_squared[i][0], chi_squared[i][1]);
	for (size_t i = 0; i < COUNT(student); i++)
		is_value(crm_student_two_sided(student[i][0], student[i][1]), student[i][2], "Student",
				 student[i][0], student[i][1]);
	for (size_t i = 0; i < COUNT(fisher); i++)
		is_value(crm_f_upper(fisher[i][0], fisher[i][1], fisher[i][2]), fisher[i][3], "F",
				 fisher[i][0], fisher[i][1]);
}

/* Quantiles undo the tails; F with one degree of freedom is Student's square. */
static void
test_relations(void)
{
	static const double df[] = {0.5, 1, 3, 30, 1e5};

	for (size_t i = 0; i < COUNT(df); i++)
		for (double p = 0.001; p < 1.0; p += 0.111)
		{
			double t = crm_student_quantile(p, df[i]);

			is_value(crm_student_two_sided(t, df[i]), 2 * fmin(p, 1 - p), "Student quantile", p,
					 df[i]);
			is_value(crm_f_upper(t * t, 1, df[i]), crm_student_two_sided(t, df[i]), "F and t", p,
					 df[i]);
		}
	is_close(crm_student_quantile(0.975, 10), 2.2281388519862748, 1e-13,
			 "t(0.975, 10) as mpmath's findroot has it");
}

static void
test_edges(void)
{
	ok(isnan(crm_normal_quantile(-0.1)) && isnan(crm_normal_quantile(1.1)) &&
		   isnan(crm_normal_quantile(NAN)),
	   "no quantile outside [0, 1]");
	ok(crm_normal_quantile(0) == -INFINITY && crm_normal_quantile(1) == INFINITY,
	   "quantiles of 0 and 1 are infinite");
	ok(crm_chi_squared_upper(0, 3) == 1 && crm_chi_squared_upper(-1, 3) == 1 &&
		   crm_chi_squared_upper(INFINITY, 3) == 0,
	   "chi-squared at its ends");
	ok(isnan(crm_chi_squared_upper(1, 0)) && isnan(crm_chi_squared_upper(NAN, 1)) &&
		   isnan(crm_student_two_sided(1, -1)) && isnan(crm_f_upper(1, 0, 1)) &&
		   isnan(crm_student_quantile(0.5, NAN)),
	   "no degrees of freedom, no value");
	is_near(crm_student_two_sided(2, INFINITY), crm_normal_two_sided(2), 0, "t of infinite df");
	is_near(crm_f_upper(2, 4, INFINITY), crm_chi_squared_upper(8, 4), 0, "F of infinite df");
	ok(crm_student_two_sided(INFINITY, 3) == 0 && crm_student_two_sided(0, 3) == 1 &&
		   crm_f_upper(INFINITY, 2, 3) == 0 && crm_f_upper(0, 2, 3) == 1,
	   "Student and F at their ends");
	is_close(crm_student_two_sided(1e200, 1), 2e-200 / 3.14159265358979323846, 1e-12,
			 "Cauchy's tail where the square overflows");
}

int
main(void)
{
	test_values();
	test_relations();
	test_edges();
	return tap_done();
}
