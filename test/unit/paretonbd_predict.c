/*
 * paretonbd_predict.c: unit tests of the predictions of Pareto/NBD against mpmath (hyp2f1, hyperu,
 * quadrature), published numbers, and one another; rows on which other programs break.
 */
#include "kernel/paretonbd.h"
#include "tap.h"

int
main(void)
{
	CrmParetonbd model = {0.55, 10.5, 0.6, 11.5}, published = {0.553, 10.578, 0.606, 11.669};
	CrmParetonbd hard = {10.465, 0.00798565, 3.0516, 2.820}, large = {0.55, 10.58, 0.61, 11.67};
	static const double rows[][3] = {{40, 5, 6},
									 {50, 1, 37},
									 {50, 4, 37},
									 {221, 103.42857, 103.57143},
									 {161, 94.71429, 98},
									 {204, 98.57143, 99.42857},
									 {100000, 9000, 10000},
									 {100000, 10000, 10000}};
	double sum = 0.0, mean = 0.0;

	is_close(crm_paretonbd_p_alive(&model, 2, 30.43, 38.86), 0.86990418176144467, 1e-12,
			 "P(alive)");
	is_close(crm_paretonbd_p_alive(&model, 0, 0, 38.86), 0.29615079026123175, 1e-12, "P(alive), 0");
	is_close(crm_paretonbd_p_alive(&model, 1000, 900, 903), 0.9847139208572143, 1e-10, "x = 1000");
	is_close(crm_paretonbd_discounted_if_alive(&model, 2, 38.86, INFINITY, 0.01),
			 3.1471649700812463, 1e-10, "DERT");
	is_close(crm_paretonbd_p_any_order(&model, 2, 38.86, 38.86, 39.0), 0.68164934462748147, 1e-11,
			 "any order");
	is_close(crm_paretonbd_pmf(&model, 0, 39.0), 0.59395299907799913, 1e-11, "P(X = 0)");
	is_close(crm_paretonbd_pmf(&model, 3, 39.0), 0.048970083070209715, 1e-11, "P(X = 3)");
	is_close(crm_paretonbd_pmf(&model, 20, 39.0), 0.00026321126232241389, 1e-11, "P(X = 20)");
	is_near(crm_paretonbd_expected_orders(&published, 26, 30.86, 31, 52), 25.46, 0.005, "25.46");
	is_near(crm_paretonbd_p_alive(&published, 26, 30.86, 31), 0.9979, 5e-5, "0.9979");
	is_near(crm_paretonbd_expected_orders(&large, 132, 200, 200, 10), 6.20605, 5e-6, "x = 132");
	is_near(crm_paretonbd_expected_orders(&large, 133, 200, 200, 10), 6.25287, 5e-6, "x = 133");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
	{
		const double *row = rows[i];
		double p = crm_paretonbd_p_alive(&hard, row[0], row[1], row[2]);
		double y = crm_paretonbd_expected_orders(&published, row[0], row[1], row[2], 10000.0);
		double d = crm_paretonbd_discounted_orders(&hard, row[0], row[1], row[2], INFINITY, 1e-3);

		ok(p >= 0.0 && p <= 1.0 && y >= 0.0 && isfinite(y) && d >= 0.0 && isfinite(d),
		   "x = %g, t_x = %g, T = %g: %g, %g, %g", row[0], row[1], row[2], p, y, d);
	}
	ok(isnan(crm_paretonbd_p_alive(&hard, 254, 97.42857, 97.28571)),
	   "t_x > T is out of the domain");
	for (int n = 0; n < 700; n++)
	{
		double p = crm_paretonbd_pmf(&model, n, 39.0);

		sum += p;
		mean += n * p;
	}
	is_near(sum, 1.0, 1e-10, "chances sum to 1");
	is_close(mean, crm_paretonbd_expected_orders(&model, 0, 0, 0, 39.0), 1e-9, "their mean");
	model.s = 1.0;
	is_close(crm_paretonbd_expected_if_alive(&model, 2, 38.0, 39.0),
			 2.55 / 48.5 * 49.5 * log1p(39.0 / 49.5), 1e-12, "s = 1 is no singularity");
	return tap_done();
}
