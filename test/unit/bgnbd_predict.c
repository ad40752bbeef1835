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
	static const double curve[][2] = {{0.1429, 0.00782834751607216},
									  {1, 0.0532678911716583},
									  {3, 0.150865230893047},
									  {32, 1.04524332837444},
									  {78, 1.86051905794277}};
	CrmBgnbd published = {0.243, 4.414, 0.793, 2.426, false};
	/* r, alpha, a, b, modified, x, T, horizon, E[Y]: mpmath, the closed form with 120 digits, at
	 * a = 1 the integral over p; large x and horizons above 100 (alpha + T) go by it here,
	 * the others by the sum over counts */
	static const double regimes[][9] = {
		{0.243, 4.414, 0.793, 2.426, 0, 2, 38.86, 39, 1.687399305805313},
		{0.243, 4.414, 1.0, 2.426, 0, 2, 38.86, 39, 1.6251495363432837},
		{0.243, 4.414, 1.0000001, 2.426, 1, 2, 38.86, 0.001, 5.183220689087725e-5},
		{0.243, 4.414, 0.999, 2.426, 0, 0, 0.0, 1000, 4.7371779226318805},
		{0.5, 30.0, 0.9, 0.2, 1, 0, 5.0, 3650, 4.4713348549172665},
		{0.01, 1000.0, 5.0, 0.001, 0, 0, 1.0, 10.0, 9.9399556153508742e-5},
		{0.6, 30.0, 0.9, 3.0, 0, 100, 700.0, 365, 41.777528418487575},
		{0.6, 30.0, 2.0, 1e-06, 0, 300, 700.0, 90, 32.997481595884563},
		{50.0, 400.0, 0.1, 20.0, 1, 30, 300.0, 365, 40.359643204204699},
		{0.001, 0.001, 1000.0, 1000.0, 0, 5, 10.0, 0.5, 0.23235568638802482},
		{10000.0, 100000.0, 0.3, 10000.0, 0, 12, 365.0, 365, 36.391067596321308},
		{0.6, 30.0, 0.9, 3.0, 0, 1000, 10000.0, 1000.0, 95.557661703672678},
		{0.6, 30.0, 0.9, 3.0, 0, 100000, 10000.0, 365.0, 3580.8506285332039},
		{0.6, 0.5, 0.9, 3.0, 0, 4, 1.0, 365.0, 45.463374305473021},
		{0.6, 30.0, 0.9, 3.0, 1, 10000, 10000.0, 10000.0, 7162.3341660340341},
	};
	bool finite = true;

	for (size_t i = 0; i < sizeof regimes / sizeof regimes[0]; i++)
	{
		const double *w = regimes[i];
		CrmBgnbd at = {w[0], w[1], w[2], w[3], w[4] > 0.0};

		is_close(crm_bgnbd_expected_if_alive(&at, w[5], w[6], w[7]), w[8], 1e-11,
				 "orders in every regime");
	}
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
	for (size_t i = 0; i < sizeof curve / sizeof curve[0]; i++)
		is_close(crm_bgnbd_expected_orders(&published, 0, 0, 0, curve[i][0]), curve[i][1], 1e-9,
				 "E[X(t)] at the published point");
	is_close(crm_bgnbd_pmf(&published, 10, 2.0), 1.07868964036915e-7, 1e-9,
			 "P(X(2) = 10) at the published point");
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
	for (int modified = 0; modified < 2; modified++)
		for (int k = 0; k < CRM_BGNBD_PARAMETERS; k++)
		{
			CrmBgnbd up = {0.6, 30.0, 0.9, 3.0, modified}, down = up;
			double *raise[] = {&up.r, &up.alpha, &up.a, &up.b};
			double *lower[] = {&down.r, &down.alpha, &down.a, &down.b}, slopes[4], slope;
			CrmBgnbd at = up;

			*raise[k] *= exp(1e-5);
			*lower[k] *= exp(-1e-5);
			slope =
				log(crm_bgnbd_p_alive(&up, 3, 200, 400) / crm_bgnbd_p_alive(&down, 3, 200, 400));
			ok(crm_bgnbd_p_alive_slopes(&at, 3, 200, 400, slopes) ==
				   crm_bgnbd_p_alive(&at, 3, 200, 400),
			   "P(alive) with its slopes");
			is_close(slopes[k], slope / 2e-5, 1e-8, "slope of ln P(alive)");
		}
	ok(isnan(crm_bgnbd_p_alive(&model, 2, 40.0, 39.0)), "t_x > T is out of the domain");
	return tap_done();
}
