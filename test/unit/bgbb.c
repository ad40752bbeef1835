/*
 * bgbb.c: unit tests of BG/BB against mpmath 1.3 at 30 digits (the sums of Fader, Hardie and Shang
 * 2010 as they stand, derivatives by its diff), at the published estimates for the donations data
 * (1.204, .750, .657, 2.783), and the recovery of planted parameters.
 */
#include "host.h"
#include "kernel/base/rng.h"
#include "kernel/bgbb.h"

static const CrmBgbbModel published = {1.204, 0.750, 0.657, 2.783};

/* x, t_x, n, log L, its derivatives, P(alive), E[orders at the next 5], and at the next 50 with
 * factor 0.99 an opportunity. */
static const struct
{
	double x, t_x, n, log_likelihood, gradient[4], p_alive, five, fifty;
} known[] = {
	{0,
	 0,
	 6,
	 -1.1672624726738938,
	 {-0.39122887285298, 0.411100912222135, 0.861322936537432, -0.185847961073989},
	 0.1080165841686742,
	 0.07280287747504301,
	 0.3319137241495838},
	{6,
	 6,
	 6,
	 -2.1822484476182998,
	 {0.570793320843918, -1.61681673894419, -1.107917946634, 0.173653978345475},
	 0.9304025423728814,
	 3.752115607599815,
	 17.10617365618758},
	{4,
	 4,
	 6,
	 -3.8483035194310996,
	 {0.450024788216159, -0.878310831333408, 0.171196537176169, 0.0521769375180335},
	 0.200133434200639,
	 0.5830268479019424,
	 2.658062690347149},
	{3,
	 5,
	 6,
	 -5.6158947463614154,
	 {0.00487486180080698, 0.612910162775214, -0.840168350799586, 0.151051963124711},
	 0.7667340499957251,
	 1.804425999794568,
	 8.226512114846838},
	{1,
	 1,
	 6,
	 -2.288531685666258,
	 {0.144608682800699, -0.164819660400268, 0.796435063244661, -0.110944303578879},
	 0.06940809320654967,
	 0.0856353983378703,
	 0.39041813960031},
	{2,
	 300,
	 700,
	 -22.241935784956095,
	 {-4.37245903774261, 1.47063047436856, -3.73749738758819, 0.246110401405955},
	 0.188681305858871,
	 0.004298072963686737,
	 0.03299757248720963},
	{40,
	 100,
	 700,
	 -76.170167632533401,
	 {-0.250968340598961, 0.966968897072021, -2.05264655047757, 0.234051652939178},
	 8.61023379026867e-38,
	 2.522357994403469e-38,
	 1.936488548757161e-37},
};

static const double pmf_of_six[] = {0.3112177432638493, 0.1701099784065147,  0.1214805137668711,
									0.1002631150248037, 0.09165985342492183, 0.09248114790529249,
									0.1127876482077468};

static void
test_known(void)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
	{
		double x = known[i].x, t_x = known[i].t_x, n = known[i].n, gradient[4];
		double alive = crm_bgbb_p_alive(&published, x, t_x, n);
		char name[60];

		snprintf(name, sizeof name, "(%g, %g, %g): log L", x, t_x, n);
		is_close(crm_bgbb_log_likelihood(&published, x, t_x, n, gradient), known[i].log_likelihood,
				 1e-12, name);
		for (int k = 0; k < 4; k++)
			is_near(gradient[k], known[i].gradient[k], 1e-11, "derivative");
		is_close(alive, known[i].p_alive, 1e-11, "P(alive)");
		is_close(alive * crm_bgbb_orders_if_alive(&published, x, n, 5, 0), known[i].five, 1e-11,
				 "orders");
		is_close(alive * crm_bgbb_orders_if_alive(&published, x, n, 50, -log(0.99)), known[i].fifty,
				 1e-11, "discounted orders");
	}
	for (int x = 0; x <= 6; x++)
		is_close(crm_bgbb_pmf(&published, x, 6), pmf_of_six[x], 1e-12, "P(X(6) = x)");
	is_close(crm_bgbb_pmf(&published, 300, 700), 8.809288097210167e-5, 1e-10, "P(X(700) = 300)");
	is_close(crm_bgbb_pmf(&published, 2, 700), 0.08599011815003633, 1e-10, "P(X(700) = 2)");
	is_near(crm_bgbb_pmf(&published, 7, 6), 0, 0, "no more orders than opportunities");
	is_near(crm_bgbb_pmf(&published, 1.5, 6), 0, 0, "nor half of one");
}

/* P(none) by brute force: active and idle, or gone at one of the opportunities. */
static void
test_none(void)
{
	double x = 3, t_x = 5, n = 6, alive = crm_bgbb_p_alive(&published, x, t_x, n);
	double a = 1.204 + x, b = 0.750 + n - x, d = 2.783 + n + 1; /* given active at n + 1 */
	double idle = 1.0, stays = 1.0, gone = 1.0 - alive;

	/* by opportunity: P(first k idle) is of Beta-Bernoulli, P(left before k + 1) of beta-geometric;
	 * p and theta are independent given activity */
	for (int k = 1; k <= 4; k++)
	{
		double before = idle;

		idle *= (b + k - 1) / (a + b + k - 1);
		if (k > 1)
		{
			double leaves = stays * 0.657 / (0.657 + d + k - 2);

			gone += alive * before * leaves;
			stays -= leaves;
		}
	}
	is_close(1.0 - crm_bgbb_p_alive(&published, x, t_x, n) *
					   crm_bgbb_any_if_alive(&published, x, n, 4),
			 gone + alive * idle * stays, 1e-12, "P(none of the next four)");
	is_near(crm_bgbb_any_if_alive(&published, x, n, 0), 0, 0, "nothing happens in no time");
}

/* No NaN, no infinity, probabilities in [0, 1], wherever a customer may be. */
static void
test_finite(void)
{
	static const double some[] = {0, 1, 2, 17, 400, 9999, 100000};
	static const CrmBgbbModel models[] = {{1.2, 0.75, 0.66, 2.8},
										  {1e-6, 1e-6, 1e-6, 1e-6},
										  {1e6, 1e6, 1e6, 1e6},
										  {1e-6, 1e6, 1e6, 1e-6},
										  {1e6, 1e-6, 1e-6, 1e6}};
	bool passed = true;

	for (int m = 0; m < 5; m++)
		for (int i = 0; i < 7; i++)
			for (int j = i; j < 7; j++)
				for (int k = j; k < 7; k++)
				{
					double x = some[i], t_x = i == 0 ? 0 : some[j], n = some[k], gradient[4];
					double value = crm_bgbb_log_likelihood(&models[m], x, t_x, n, gradient);
					double alive = crm_bgbb_p_alive(&models[m], x, t_x, n);
					double orders = crm_bgbb_orders_if_alive(&models[m], x, n, 365, 3e-4);
					double any = crm_bgbb_any_if_alive(&models[m], x, n, 365);
					double pmf = crm_bgbb_pmf(&models[m], x, n);

					passed &= isfinite(value) && value <= 1e-9 && alive >= 0 && alive <= 1 &&
							  orders >= 0 && orders <= 365 && any >= 0 && any <= 1 && pmf >= 0 &&
							  pmf <= 1 + 1e-6;
					for (int q = 0; q < 4; q++)
						passed &= isfinite(gradient[q]);
				}
	ok(passed, "finite and in range everywhere");
	ok(crm_bgbb_is_possible(2, 3, 4) && !crm_bgbb_is_possible(3, 2, 4) &&
		   !crm_bgbb_is_possible(0, 1, 4) && !crm_bgbb_is_possible(1, 2.5, 4) &&
		   !crm_bgbb_is_possible(1, 5, 4) && !crm_bgbb_is_possible(NAN, 1, 4),
	   "who is possible");
}

/* Draw customers, collapsed to weighted rows as a host does. */
static size_t
simulate(uint64_t seed, const double *truth, double *x, double *t_x, double *n, double *weight)
{
	static double count[11][11][11];
	CrmRng rng;
	size_t rows = 0;

	memset(count, 0, sizeof count);
	crm_rng_seed(&rng, seed, 0);
	for (int i = 0; i < 20000; i++)
	{
		double p = crm_rng_beta(&rng, truth[0], truth[1]);
		double theta = crm_rng_beta(&rng, truth[2], truth[3]);
		int opportunities = 6 + (int) (crm_rng_uniform(&rng) * 5), orders = 0, last = 0;

		for (int k = 1; k <= opportunities && crm_rng_uniform(&rng) >= theta; k++)
			if (crm_rng_uniform(&rng) < p)
			{
				orders++;
				last = k;
			}
		count[orders][last][opportunities]++;
	}
	for (int i = 0; i < 11; i++)
		for (int j = 0; j < 11; j++)
			for (int k = 0; k < 11; k++)
				if (count[i][j][k] > 0)
				{
					x[rows] = i;
					t_x[rows] = j;
					n[rows] = k;
					weight[rows++] = count[i][j][k];
				}
	return rows;
}

static void
test_recovery(void)
{
	const double truth[] = {1.2, 0.75, 0.66, 2.8};
	double x[1331], t_x[1331], n[1331], weight[1331];
	int inside = 0, near = 0;

	for (uint64_t seed = 1; seed <= 20; seed++)
	{
		CrmBgbbData data = {0, x, t_x, n, weight};
		CrmFit fit;
		Host host;
		double most = 0.0;

		data.rows = simulate(seed, truth, x, t_x, n, weight);
		if (crm_bgbb_fit(host_begin(&host), &data, 0.0, &fit) != CRM_OK ||
			fit.status != CRM_FIT_CONVERGED)
			most = INFINITY;
		for (int k = 0; k < 4; k++)
		{
			double z = log(fit.parameter[k] / truth[k]) / sqrt(fit.covariance[5 * k]);

			most = fmax(most, fabs(z));
			inside += fabs(z) < 1.6448536269514722;
		}
		near += most < 3.2;
		host_drop(&host);
	}
	ok(near == 20, "20 seeds of 20,000 customers: near the truth");
	ok(inside > 60, "%d of 80 are within the interval of level 0.9", inside);
}

static void
test_extremes(void)
{
	double zero[] = {0}, one[] = {1}, six[] = {6};
	CrmBgbbData never = {1, zero, zero, six, one}, always = {1, six, six, six, one};
	CrmBgbbData empty = {0}, no_time = {1, zero, zero, zero, one};
	CrmFit fit;
	Host host;
	CrmCtx *ctx = host_begin(&host);

	ok(crm_bgbb_fit(ctx, &never, 0.0, &fit) == CRM_OK && isfinite(fit.log_likelihood),
	   "one who never came back");
	ok(crm_bgbb_fit(ctx, &always, 0.0, &fit) == CRM_OK && isfinite(fit.log_likelihood),
	   "one who always came");
	ok(crm_bgbb_fit(ctx, &empty, 0.0, &fit) == CRM_DOMAIN, "nobody");
	ok(crm_bgbb_fit(ctx, &no_time, 0.0, &fit) == CRM_DOMAIN, "no opportunity");
	ok(host_is_balanced(&host), "memory is accounted for");
	host.tap.abort_at = 1;
	ok(crm_bgbb_fit(ctx, &never, 0.0, &fit) == CRM_ABORTED, "stops when asked");
	host_drop(&host);
}

int
main(void)
{
	test_known();
	test_none();
	test_finite();
	test_recovery();
	test_extremes();
	return tap_done();
}
