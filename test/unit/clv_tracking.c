/*
 * clv_tracking.c: unit tests of the tracking of a cohort: counts by hand, expectations of mpmath
 * (30 digits; the mixture integrals of each model, not its closed form).
 */
#include "kernel/clv_tracking.h"
#include "host.h"

static const double bgnbd[] = {0.5, 30, 0.9, 1.6};
static const double paretonbd[] = {0.55, 80, 0.6, 90};
static const double bgbb[] = {1.2, 0.75, 0.66, 2.78};

static void
test_count(void)
{
	static const int32_t period[] = {-3, 0, 1, 4, 5, 9, 12, 30}, end[] = {0, 4, 10, 11, 20};
	int64_t actual[5] = {0, 0, 0, 0, 7};

	crm_tracking_count(period, 8, end, 5, actual);
	crm_tracking_count(period + 7, 1, end, 5, actual);
	crm_tracking_count(period, 2, end, 5, actual);
	is_int(actual[0], 2, "the first order of all does not count, that of an end does");
	is_int(actual[1], 2, "after one end and up to the next");
	is_int(actual[2], 2, "two more");
	is_int(actual[3], 0, "none");
	is_int(actual[4], 8, "the rest, but for what is after the last end; counts are added");
}

static void
test_expected(CrmCtx *ctx, Host *host)
{
	static const struct
	{
		CrmClvKind kind;
		const double *theta;
		double want[3]; /* E[X(1)], E[X(40)], E[X(365)] */
	} model[] = {
		{CRM_CLV_BGNBD, bgnbd, {0.016518886940077819, 0.51148933741212264, 2.1708605700084569}},
		{CRM_CLV_MBGNBD, bgnbd, {0.010598887321049119, 0.34964061783045739, 1.6760356530259194}},
		{CRM_CLV_PARETONBD,
		 paretonbd,
		 {0.0068522181627869729, 0.24511490080443104, 1.4108839385456544}},
		{CRM_CLV_BGBB, bgbb, {0.49731663685152057, 7.2534645822255139, 20.439739009011465}}};
	/* two came in period 10, one in 49, one after all is over */
	static const int32_t first[] = {10, 49, 500, 10}, end[] = {5, 10, 11, 50, 375};
	static const int32_t last[] = {2000000000}, long_ago[] = {-2000000000};
	double expected[5], one;

	for (int i = 0; i < 4; i++)
	{
		const double *want = model[i].want;

		ok(crm_tracking_expected(ctx, model[i].kind, model[i].theta, first, 4, end, 5, expected) ==
			   CRM_OK,
		   "model %d", i);
		is_near(expected[0], 0, 0, "nothing before the first order");
		is_near(expected[1], 0, 0, "nor in its period");
		is_close(expected[2], 2 * want[0], 1e-9, "two after a period");
		is_close(expected[3], 2 * want[1] + want[0], 1e-9, "and one more");
		one = expected[4] - 2 * want[2];
		ok(one > want[1] && one < want[2], "and in the end");
		ok(crm_tracking_expected(ctx, model[i].kind, model[i].theta, first + 1, 1, end, 5,
								 expected) == CRM_OK,
		   "the one alone");
		is_close(expected[4], one, 1e-8, "is the difference");
	}
	ok(crm_tracking_expected(ctx, CRM_CLV_FORMULA, bgnbd, first, 4, end, 5, expected) == CRM_DOMAIN,
	   "the formula expects nothing of new customers");
	ok(crm_tracking_expected(ctx, CRM_CLV_BGNBD, bgnbd, long_ago, 1, last, 1, expected) ==
		   CRM_LIMIT,
	   "four thousand million periods");
	ok(crm_tracking_expected(ctx, CRM_CLV_BGNBD, bgnbd, first, 0, end, 5, expected) == CRM_OK &&
		   expected[4] == 0,
	   "nobody");
	for (size_t fail = 1; fail <= 4; fail++)
	{
		host->tap.allocations = 0;
		host->tap.fail_at = fail;
		ok(crm_tracking_expected(ctx, CRM_CLV_BGNBD, bgnbd, first, 4, end, 5, expected) ==
				   CRM_NO_MEMORY &&
			   host->held == 0,
		   "allocation %zu fails", fail);
	}
	host->tap.fail_at = 0;
	host->tap.polls = 0;
	host->tap.abort_at = 2;
	ok(crm_tracking_expected(ctx, CRM_CLV_BGNBD, bgnbd, first, 4, end, 5, expected) ==
			   CRM_ABORTED &&
		   host->held == 0,
	   "a poll ends it");
}

int
main(void)
{
	Host host;
	CrmCtx *ctx = host_begin(&host);

	test_count();
	test_expected(ctx, &host);
	host_drop(&host);
	return tap_done();
}
