/*
 * bgnbd_discount.c: unit tests of the discounted orders of BG/NBD and MBG/NBD, against mpmath:
 * quadrature of e^(-delta s) dE[Y(s)] / ds, the latter by hyp2f1, with 40 digits.
 */
#include "kernel/bgnbd.h"
#include "tap.h"

/* r, alpha, a, b, modified, x, T, horizon, rate, discounted orders */
static const double within[][10] = {
	{0.243, 4.414, 0.793, 2.426, 0, 2, 38.86, 39, 0.0027, 1.60640032158048},
	{0.243, 4.414, 1.0, 2.426, 1, 0, 3.0, 52, 0.002, 0.984794657938438},
	{0.6, 30.0, 0.9, 3.0, 0, 0, 1.0, 365, 0.00026, 3.01750262500883},
	{0.6, 30.0, 0.9, 3.0, 0, 40, 500.0, 365, 0.00026, 21.1341437867247},
	{50.0, 400.0, 0.1, 20.0, 1, 30, 300.0, 365, 0.001, 33.875498649511},
	{0.6, 30.0, 0.9, 3.0, 1, 3, 100.0, 3650, 0.00026, 16.3351794677484},
	{0.6, 0.5, 0.9, 3.0, 0, 1, 1.0, 365.0, 0.01, 12.4808909384896},
};
static const double without_end[][10] = {
	{0.243, 4.414, 0.793, 2.426, 0, 2, 38.86, INFINITY, 0.0019, 8.59002695049259},
	{0.6, 30.0, 0.9, 3.0, 0, 0, 1.0, INFINITY, 0.00026, 7.90356053353304},
	{0.6, 30.0, 0.9, 3.0, 0, 6, 500.0, INFINITY, 0.00026, 15.0942346622631},
	{0.6, 30.0, 0.9, 3.0, 1, 7, 500.0, INFINITY, 0.00026, 17.919317176161},
	{0.6, 30.0, 0.9, 3.0, 1, 200, 700.0, INFINITY, 0.00026, 341.740561628614},
	{2.0, 5.0, 3.0, 1.0, 0, 1, 2.0, INFINITY, 0.5, 0.537283858987079},
	{0.6, 30.0, 0.05, 3.0, 0, 1, 20.0, INFINITY, 1e-05, 2316.02437779254},
};

/* the same without the orders, then their derivatives by ln r, ln alpha, ln a, ln b: differences of
 * the same with a step of 1e-6 */
static const double slope[][13] = {
	{0.243, 4.414, 0.793, 2.426, 0, 2, 38.86, 39, 0.0027, 0.09661142822, -0.08694500744,
	 -0.1478572404, 0.07133679133},
	{0.6, 30.0, 0.9, 3.0, 0, 0, 1.0, 365, 0.00026, 0.7851584504, -0.5639588362, -0.5649726684,
	 0.3699050873},
	{50.0, 400.0, 0.1, 20.0, 1, 30, 300.0, 365, 0.001, 0.6091636189, -0.5568002407, -0.03099898844,
	 0.01005362197},
};

static CrmBgnbd
model_of(const double *w)
{
	return (CrmBgnbd){w[0], w[1], w[2], w[3], w[4] > 0.0};
}

/* A heavy buyer, whom the sum over counts does not serve: integrals and differences do. */
static void
check_heavy(void)
{
	CrmBgnbd heavy = {0.6, 30.0, 0.9, 3.0, false}, near = heavy;
	double slopes[4], value, up, down;

	/* mpmath as above: x = 2000 in T = 700 */
	value = crm_bgnbd_discounted_slopes(&heavy, 2000, 700, 365, 0.00026, slopes);
	is_close(value, 792.19540046261, 1e-8, "a heavy buyer");
	near.r = 0.6 * exp(0.01);
	up = crm_bgnbd_discounted_if_alive(&near, 2000, 700, 365, 0.00026);
	near.r = 0.6 * exp(-0.01);
	down = crm_bgnbd_discounted_if_alive(&near, 2000, 700, 365, 0.00026);
	is_near(slopes[0], log(up / down) / 0.02, 1e-6, "his slope by ln r");
	ok(slopes[1] < 0.0 && slopes[2] < 0.0 && slopes[3] > 0.0,
	   "longer gaps and an earlier end bring fewer orders");
}

int
main(void)
{
	CrmBgnbd model = {0.25, 4.5, 0.8, 2.4, false};
	bool grows = true;

	for (size_t i = 0; i < sizeof within / sizeof within[0]; i++)
	{
		const double *w = within[i];
		CrmBgnbd at = model_of(w);
		double slopes[4];

		is_close(crm_bgnbd_discounted_if_alive(&at, w[5], w[6], w[7], w[8]), w[9], 1e-10,
				 "discounted orders");
		is_close(crm_bgnbd_discounted_slopes(&at, w[5], w[6], w[7], w[8], slopes), w[9], 1e-10,
				 "the same with slopes");
		is_close(crm_bgnbd_discounted_slopes(&at, w[5], w[6], w[7], 0.0, slopes),
				 crm_bgnbd_expected_if_alive(&at, w[5], w[6], w[7]), 1e-10,
				 "without discount they are the expected orders");
	}
	for (size_t i = 0; i < sizeof without_end / sizeof without_end[0]; i++)
	{
		const double *w = without_end[i];
		CrmBgnbd at = model_of(w);

		is_close(crm_bgnbd_discounted_if_alive(&at, w[5], w[6], INFINITY, w[8]), w[9], 1e-9,
				 "residual orders");
	}
	for (size_t i = 0; i < sizeof slope / sizeof slope[0]; i++)
	{
		const double *w = slope[i];
		CrmBgnbd at = model_of(w);
		double slopes[4];

		(void) crm_bgnbd_discounted_slopes(&at, w[5], w[6], w[7], w[8], slopes);
		for (int k = 0; k < 4; k++)
			is_near(slopes[k], w[9 + k], 1e-8, "slope");
	}
	check_heavy();
	/* every way of computing: the orders grow with the horizon, up to the residual */
	for (double x = 0.0; x <= 100000.0; x = 3.0 * x + 1.0)
	{
		double last = 0.0;

		for (double h = 1.0; h <= 1e5; h *= 10.0)
		{
			double now = crm_bgnbd_discounted_if_alive(&model, x, 200.0, h, 0.001);

			grows = grows && now >= last * (1.0 - 1e-9);
			last = now;
		}
		grows = grows && crm_bgnbd_discounted_if_alive(&model, x, 200.0, INFINITY, 0.001) >=
							 last * (1 - 1e-8);
	}
	ok(grows, "more time, more orders");
	is_near(crm_bgnbd_discounted_if_alive(&model, 2, 38.86, 0.0, 0.01), 0.0, 0.0, "no time, none");
	is_close(crm_bgnbd_discounted_orders(&model, 2, 30.0, 38.86, 52.0, 0.01),
			 crm_bgnbd_p_alive(&model, 2, 30.0, 38.86) *
				 crm_bgnbd_discounted_if_alive(&model, 2, 38.86, 52.0, 0.01),
			 1e-15, "P(alive) times those of who is alive");
	ok(isnan(crm_bgnbd_discounted_if_alive(&model, 2, 38.86, INFINITY, 0.0)) &&
		   isnan(crm_bgnbd_discounted_if_alive(&model, 2, 38.86, 52.0, -0.1)) &&
		   isnan(crm_bgnbd_discounted_if_alive(&model, 2.5, 38.86, 52.0, 0.1)),
	   "out of the domain: NaN");
	return tap_done();
}
