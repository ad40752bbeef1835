/*
 * bgnbd_predict.c: unit tests of the predictions of BG/NBD and MBG/NBD, against mpmath (hyp2f1 in
 * the closed form, quadrature of it for discounting) and against one another.
 */
#include "kernel/bgnbd.h"
#include "tap.h"

int
main(void)
{
	static const double want[][6] = {
		{0, 2, 30.43, 38.86, 0.7232196126589604, 1.68566841952824},
		{0, 0, 0, 38.86, 1.0, 0.19991723703042124},
		{0, 29, 38.0, 39.0, 0.95060845211704966, 20.237096334466719},
		{0, 1000, 900.0, 1000.0, 3.5056000722180371e-43, 38.246679254986044},
		{0, 100000, 9999.0, 10000.0, 0.8506942315250976, 389.21912884067496},
		{1, 2, 30.43, 38.86, 0.77176735527975599, 1.7298484864464758},
		{1, 0, 0, 38.86, 0.6300071059861826, 0.20506864681497907},
		{1, 1000, 900.0, 1000.0, 3.5091007713115242e-43, 38.247251920745245},
	};
	CrmBgnbd model = {0.25, 4.5, 0.8, 2.4, false},
			 cdnow = {0.2425929, 4.4135317, 0.7928862, 2.4257539, false};
	bool finite = true;

	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
	{
		const double *w = want[i];

		model.modified = w[0] > 0.0;
		is_close(crm_bgnbd_p_alive(&model, w[1], w[2], w[3]), w[4], 1e-10, "P(alive)");
		is_close(crm_bgnbd_expected_if_alive(&model, w[1], w[3], 39.0), w[5], 1e-9, "orders");
	}
	model.modified = false;
	is_close(crm_bgnbd_discounted_if_alive(&model, 2, 38.86, 52.0, 0.01), 1.7015185853497949, 1e-8,
			 "discounted orders");
	is_close(crm_bgnbd_discounted_if_alive(&model, 2, 38.86, INFINITY, 0.01), 3.0999474193181498,
			 1e-7, "DERT");
	is_near(crm_bgnbd_p_alive(&cdnow, 2, 30.43, 38.86), 0.7266091, 1e-7, "P(alive), CDNOW");
	is_near(crm_bgnbd_expected_orders(&cdnow, 2, 30.43, 38.86, 39.0), 1.2259104, 1e-6, "E[Y(39)]");
	for (int modified = 0; modified < 2; modified++)
	{
		double sum = 0.0, mean = 0.0;

		model.modified = modified;
		for (int n = 0; n < 2000; n++)
		{
			double p = crm_bgnbd_pmf(&model, n, 39.0);

			sum += p;
			mean += n * p;
		}
		is_near(sum, 1.0, 1e-10, "chances sum to 1");
		is_close(mean, crm_bgnbd_expected_orders(&model, 0, 0, 0, 39.0), 1e-9,
				 "mean of the chances");
		is_close(crm_bgnbd_p_any_order(&model, 0, 0, 0, 39.0), 1.0 - crm_bgnbd_pmf(&model, 0, 39.0),
				 1e-12, "any order or none");
	}
	for (double a = 1e-5; a < 2e5; a *= 10.0)
		for (double x = 0.0; x <= 100000.0; x = 10.0 * x + 1.0)
			for (double t = 1.0; t <= 10000.0; t *= 100.0)
			{
				CrmBgnbd at = {0.3, 2.0, a, 1.5, x > 5.0};
				double p = crm_bgnbd_p_alive(&at, x, x > 0.0 ? 0.5 * t : 0.0, t);
				double y = crm_bgnbd_expected_if_alive(&at, x, t, t);

				finite = finite && p >= 0.0 && p <= 1.0 && y >= 0.0 && isfinite(y) &&
						 y <= (0.3 + x) * t / (2.0 + t) * (1.0 + 1e-9);
			}
	ok(finite, "no NaN, no chance outside [0, 1], no more orders than of one who never leaves");
	ok(isnan(crm_bgnbd_p_alive(&model, 2, 40.0, 39.0)), "t_x > T is out of the domain");
	return tap_done();
}
