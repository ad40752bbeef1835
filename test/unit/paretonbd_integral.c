/*
 * paretonbd_integral.c: unit tests of the integral of Pareto/NBD where it has a closed form:
 * alpha = beta gives a power, A = B = 0 with a rate an exponential.
 */
#include "kernel/paretonbd_integral.h"
#include "tap.h"

int
main(void)
{
	for (double a = 0.3; a < 2e5; a *= 7.0)
		for (double y0 = 0.0; y0 < 2000.0; y0 = 10.0 * y0 + 1.0)
			for (double length = 1e-6; length < 1e5; length *= 100.0)
			{
				double base = 10.0 + y0, k = a + 0.6, from = log(base);
				CrmParetonbdIntegral i = {10.0, 10.0, a, 1.6, 0.0, y0, y0 + length, from, from};
				CrmParetonbdMeans means;
				double span = log1p((i.y1 - y0) / base);
				double want = -k * from + log(-expm1(-k * span) / k);

				is_near(crm_paretonbd_log_integral(&i, &means), want, 1e-10 + 1e-15 * k * from,
						"power");
				ok(means.log_alpha >= from && means.log_alpha <= from + span + 1e-12 &&
					   means.log_alpha == means.log_beta,
				   "mean of the log between its ends");
			}
	for (double rate = 1e-4; rate < 1e4; rate *= 10.0)
	{
		CrmParetonbdIntegral i = {1.0, 5.0, 0.0, 0.0, rate, 0.0, INFINITY, 0.0, log(5.0)};

		is_near(crm_paretonbd_log_integral(&i, NULL), -log(rate), 1e-11, "exponential");
	}
	return tap_done();
}
