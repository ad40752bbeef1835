/*
 * Tests of kernel/survival.c. aml (Miller 1981) and lung (in CRM_DATA): R 4.2.2, survival 3.5,
 * survfit (conf.type "log-log" but where said), survdiff.
 */
#include "leukaemia.h"

#include "kernel/base/rng.h"
#include "kernel/survival.h"

#define MAX 1000

static double entry[MAX], at[MAX], event[MAX], group[MAX];

/* time, at risk, events, S, error, low, high, H, error of H */
static const double curve_want[][9] = {
	{5, 23, 2, 0.913043478260870, 0.0587533847558414, 0.69494753753205873, 0.977515669900713,
	 0.0869565217391304, 0.0614875461901346},
	{13, 17, 1, 0.695652173913043, 0.0959438755421514, 0.46564174976200395, 0.841721291391763,
	 0.3492052808919144, 0.1327877110157805},
	{16, 15, 0, 0.695652173913043, 0.0959438755421514, 0.46564174976200395, 0.841721291391763,
	 0.3492052808919144, 0.1327877110157805},
	{31, 8, 1, 0.386473429951691, 0.1088588014948644, 0.18283661864862794, 0.587476914417940,
	 0.9015002081868417, 0.2660903575141858},
	{48, 2, 1, 0.082815734989648, 0.0726618005035283, 0.00695596679853646, 0.286760367980918,
	 2.1610240177106510, 0.6866513084565637},
	{161, 1, 0, 0.082815734989648, 0.0726618005035283, 0.00695596679853646, 0.286760367980918,
	 2.1610240177106510, 0.6866513084565637}};

static CrmSurvivalData
make_aml(void)
{
	for (int i = 0; i < AML; i++)
	{
		at[i] = aml[i][0];
		event[i] = aml[i][1];
		group[i] = aml[i][2];
	}
	return (CrmSurvivalData){.time = at, .event = event, .n = AML};
}

static void
test_aml(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmSurvivalData data = make_aml();
	CrmSurvivalCurve curve;
	size_t k = 0;

	is_int(crm_survival_curve(ctx, &data, CRM_SURVIVAL_LOG_LOG, 0.95, NAN, &curve), CRM_OK, "aml");
	is_int((int64_t) curve.n, 18, "18 times");
	for (size_t i = 0; i < curve.n; i++)
	{
		const CrmSurvivalPoint *p = &curve.points[i];
		const double *w = curve_want[k];

		if (p->time != w[0])
			continue;
		k++;
		ok((double) p->at_risk == w[1] && (double) p->events == w[2], "counts at %g", w[0]);
		is_close(p->survival, w[3], 1e-13, "survival");
		is_close(p->error, w[4], 1e-13, "Greenwood's error");
		is_close(p->low, w[5], 1e-12, "low");
		is_close(p->high, w[6], 1e-12, "high");
		is_close(p->hazard, w[7], 1e-14, "cumulative hazard");
		is_close(p->hazard_error, w[8], 1e-13, "its error");
		is_close(p->hazard_high * p->hazard_low, w[7] * w[7], 1e-12, "its interval");
	}
	is_int((int64_t) k, 6, "all were compared");
	ok(curve.median == 27 && curve.median_low == 13 && curve.median_high == 34, "median");
	is_close(curve.restricted_mean, 36.36438923395445, 1e-14, "restricted mean");
	is_close(curve.restricted_mean_error, 9.85410105666456, 1e-13, "its error");
	crm_survival_curve_free(ctx, &curve);
	crm_survival_curve_free(ctx, &curve);
	crm_survival_curve(ctx, &data, CRM_SURVIVAL_LOG, 0.95, NAN, &curve);
	ok(curve.median == 27 && curve.median_low == 18 && curve.median_high == 45,
	   "median with the interval of the log, whose upper end rises again later");
	crm_survival_curve_free(ctx, &curve);
	is_clean(&tap, "curve");
}

static void
test_logrank(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmSurvivalData data = make_aml();
	CrmLogrankGroup result[4];
	CrmLogrank test;

	is_int(crm_survival_logrank(ctx, &data, group, 2, result, &test), CRM_OK, "log-rank");
	is_close(test.chi_squared, 3.3963886989776, 1e-12, "chi-squared");
	is_close(result[0].expected, 10.68933599230072, 1e-13, "expected of the first group");
	is_close(result[1].expected, 7.31066400769928, 1e-13, "of the second");
	ok(test.df == 1 && result[0].rows == 11 && result[1].events == 11, "degrees and counts");
	is_int(crm_survival_logrank(ctx, &data, group, 4, result, &test), CRM_OK, "empty groups");
	ok(test.df == 1 && fabs(test.chi_squared - 3.3963886989776) < 1e-10 && result[3].rows == 0,
	   "do not count");
	for (int i = 0; i < AML; i++)
		group[i] = 0;
	is_int(crm_survival_logrank(ctx, &data, group, 1, result, &test), CRM_OK, "one group");
	ok(test.df == 0 && isnan(test.chi_squared), "has no test");
	is_clean(&tap, "log-rank");
}

/* A curve with entries by its definition, on random data with ties. */
static void
test_entry(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmSurvivalData data = {.entry = entry, .time = at, .event = event, .n = 300};
	CrmSurvivalCurve curve;
	CrmRng rng;
	bool same = true;
	double product = 1;

	crm_rng_seed(&rng, 3, 0);
	for (int i = 0; i < 300; i++)
	{
		entry[i] = floor(crm_rng_uniform(&rng) * 20);
		at[i] = entry[i] + 1 + floor(crm_rng_exponential(&rng) * 15);
		event[i] = crm_rng_uniform(&rng) < 0.6;
	}
	is_int(crm_survival_curve(ctx, &data, CRM_SURVIVAL_PLAIN, 0.9, 10, &curve), CRM_OK, "entries");
	for (size_t i = 0; i < curve.n; i++)
	{
		int64_t n = 0, d = 0;

		for (int k = 0; k < 300; k++)
		{
			n += entry[k] < curve.points[i].time && at[k] >= curve.points[i].time;
			d += at[k] == curve.points[i].time && event[k] != 0;
		}
		product *= 1 - (double) d / (double) n;
		same &= n == curve.points[i].at_risk && d == curve.points[i].events &&
				fabs(product - curve.points[i].survival) < 1e-12;
	}
	ok(same, "counts and survival are those of the definition");
	ok(curve.horizon == 10 && curve.restricted_mean <= 10, "the horizon is kept");
	crm_survival_curve_free(ctx, &curve);
	is_clean(&tap, "entries");
}

static void
test_edges(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmSurvivalData data = {.time = at, .event = event, .n = 0};
	CrmSurvivalCurve curve;
	CrmStatus status;
	size_t k = 1;

	is_int(crm_survival_curve(ctx, &data, CRM_SURVIVAL_LOG_LOG, 0.95, NAN, &curve), CRM_OK, "none");
	ok(curve.n == 0 && isnan(curve.median) && curve.restricted_mean == 0, "nobody, nothing");
	crm_survival_curve_free(ctx, &curve);
	data.n = 6;
	for (int i = 0; i < 6; i++)
	{
		at[i] = 3;
		event[i] = 1;
	}
	crm_survival_curve(ctx, &data, CRM_SURVIVAL_LOG_LOG, 0.95, NAN, &curve);
	ok(curve.n == 1 && curve.points[0].survival == 0 && curve.median == 3 &&
		   isnan(curve.points[0].low),
	   "all leave at once");
	crm_survival_curve_free(ctx, &curve);
	event[0] = event[1] = event[2] = event[3] = event[4] = event[5] = 0;
	crm_survival_curve(ctx, &data, CRM_SURVIVAL_LOG_LOG, 0.95, NAN, &curve);
	ok(curve.points[0].survival == 1 && curve.points[0].low == 1 && isnan(curve.median) &&
		   curve.restricted_mean == 3,
	   "nobody leaves");
	crm_survival_curve_free(ctx, &curve);
	for (int i = 0; i < 4; i++)
	{
		at[i] = i + 1;
		event[i] = 1;
	}
	data.n = 4;
	crm_survival_curve(ctx, &data, CRM_SURVIVAL_LOG_LOG, 0.95, NAN, &curve);
	is_near(curve.median, 2.5, 0, "where S stands at a half, the middle");
	crm_survival_curve_free(ctx, &curve);
	is_int(crm_survival_curve(ctx, &data, CRM_SURVIVAL_LOG_LOG, 1, NAN, &curve), CRM_DOMAIN,
		   "a level of 1");
	do
	{
		tap_context(&tap);
		tap.fail_at = k++;
		status = crm_survival_curve(ctx, &data, CRM_SURVIVAL_LOG_LOG, 0.95, NAN, &curve);
		if (status == CRM_OK)
			crm_survival_curve_free(ctx, &curve);
		is_clean(&tap, "a failed allocation");
	} while (status != CRM_OK && k < 20);
	ok(k > 4, "allocations failed");
}

static void
test_lung(void)
{
	static const double want[6][3] = {
		{5, .9956140350877, .00437633599855},   {100, .8639689676452, .02271023043416},
		{180, .7216706534098, .02981241946864}, {365, .4092416244601, .03582363817204},
		{500, .2932691937116, .03507781849862}, {883, .0503455680708, .02284804891608}};
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmSurvivalData data = {.time = at, .event = event};
	CrmSurvivalCurve curve;
	CrmLogrankGroup result[2];
	CrmLogrank test;
	char f[10][64];
	FILE *file = open_data("lung.csv");

	if (file == NULL)
	{
		ok(true, "lung # SKIP CRM_DATA has no lung.csv");
		return;
	}
	while (read_fields(file, f, 10) >= 5)
	{
		at[data.n] = atof(f[1]);
		event[data.n] = atof(f[2]) > LUNG_CENSORED;
		group[data.n++] = atof(f[4]) - 1;
	}
	fclose(file);
	crm_survival_curve(ctx, &data, CRM_SURVIVAL_LOG, 0.95, NAN, &curve);
	ok(curve.rows == 228 && curve.events == 165, "lung: rows and events");
	ok(curve.median == 310 && curve.median_low == 285 && curve.median_high == 363, "lung: median");
	is_close(curve.restricted_mean, 376.2747461478497, 1e-12, "lung: restricted mean");
	is_close(curve.restricted_mean_error, 19.7077914213399, 1e-12, "lung: its error");
	for (int k = 0; k < 6; k++)
	{
		size_t i = curve.n - 1;

		while (curve.points[i].time > want[k][0])
			i--;
		is_close(curve.points[i].survival, want[k][1], 1e-11, "lung: survival");
		is_close(curve.points[i].error, want[k][2], 1e-11, "lung: error");
	}
	crm_survival_curve_free(ctx, &curve);
	crm_survival_curve(ctx, &data, CRM_SURVIVAL_LOG_LOG, 0.95, NAN, &curve);
	ok(curve.median_low == 284 && curve.median_high == 361, "lung: its log-log interval");
	crm_survival_curve_free(ctx, &curve);
	crm_survival_logrank(ctx, &data, group, 2, result, &test);
	is_close(test.chi_squared, 10.3267419548856, 1e-12, "lung: log-rank by sex");
	is_close(test.p, 0.00131116, 1e-5, "lung: p");
	is_clean(&tap, "lung");
}

int
main(void)
{
	test_aml();
	test_logrank();
	test_entry();
	test_edges();
	test_lung();
	return tap_done();
}
