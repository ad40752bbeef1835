/*
 * Tests of kernel/cox.c. aml, lung and rossi (in CRM_DATA): R 4.2.2, survival 3.5, coxph (eps
 * 1e-14), cox.zph, basehaz(centered = TRUE). Entries of lung are floor(time * (row %% 4) / 8).
 */
#include "leukaemia.h"

#include "kernel/cox.h"

#define MAX 500

static double column[8][MAX], entry[MAX], at[MAX], event[MAX], stratum[MAX];
static double *columns[8];

static CrmCoxData
make_aml(int d)
{
	CrmCoxData data = {.columns = columns, .time = at, .event = event, .n = AML, .d = d};

	for (int j = 0; j < 8; j++)
		columns[j] = column[j];
	for (int i = 0; i < AML; i++)
	{
		at[i] = aml[i][0];
		event[i] = aml[i][1];
		column[0][i] = aml[i][2];
		column[1][i] = 4;
		column[2][i] = 3 - 2 * aml[i][2];
		column[3][i] = i % 3;
	}
	return data;
}

/* Fit and compare. want: estimates, then errors; concordance: itself, and its error by R. */
static void
is_fit(const CrmCoxData *data, bool efron, const double *want, double null_likelihood,
	   double likelihood, const double *concordance, const char *name)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmCoxParam param;
	CrmCoxModel model;

	crm_cox_defaults(&param);
	param.efron = efron;
	if (!ok(crm_cox_fit(ctx, data, &param, &model) == CRM_OK && model.converged &&
				model.state == CRM_COX_FITTED,
			"%s: fits", name))
		return;
	for (int j = 0; j < data->d; j++)
	{
		is_close(model.estimate[j], want[j], 1e-9, name);
		is_close(model.error[j], want[data->d + j], 1e-7, name);
	}
	is_close(model.null_log_likelihood, null_likelihood, 1e-12, "null log-likelihood");
	is_close(model.log_likelihood, likelihood, 1e-12, "log-likelihood");
	is_close(model.concordance, concordance[0], 1e-10, "concordance");
	is_close(model.concordance_error, concordance[1], 1e-9, "its error");
	crm_cox_model_free(ctx, &model);
	crm_cox_model_free(ctx, &model);
	is_clean(&tap, name);
}

/* Fit and compare the tests of proportionality: want d of them, then the global one. */
static void
is_proportional(const CrmCoxData *data, bool efron, bool identity, const double *want,
				const char *name)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmCoxParam param;
	CrmCoxModel model;

	crm_cox_defaults(&param);
	param.efron = efron;
	param.identity = identity;
	if (!ok(crm_cox_fit(ctx, data, &param, &model) == CRM_OK, "%s: fits", name))
		return;
	for (int j = 0; j < data->d; j++)
		is_close(model.zph[j], want[j], 1e-7, name);
	is_close(model.zph_global, want[data->d], 1e-7, name);
	crm_cox_model_free(ctx, &model);
}

static void
test_aml(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmCoxData data = make_aml(1);
	CrmCoxParam param;
	CrmCoxModel model;
	double to_mean = exp(0.915532575014773 * 12 / 23); /* R leaves a column of 0 and 1 at 0 */

	is_fit(&data, true, (double[]){0.915532575014773, 0.511934275172009}, -42.7248392627602,
		   -41.0326155964584, (double[]){0.6190476190476191, 0.0631849960441082}, "aml, Efron");
	is_fit(&data, false, (double[]){0.904219723686211, 0.512247907304189}, -42.8981238971740,
		   -41.2501143500689, (double[]){0.6190476190476191, 0.0631849960441082}, "aml, Breslow");
	is_proportional(&data, true, false, (double[]){0.00787507772332503, 0.00787507772332503},
					"aml, km");
	is_proportional(&data, true, true, (double[]){0.202175139483866, 0.202175139483866},
					"aml, identity");
	is_proportional(&data, false, false, (double[]){0.0135754533354845, 0.0135754533354845},
					"aml, Breslow");
	crm_cox_defaults(&param);
	crm_cox_fit(ctx, &data, &param, &model);
	is_int((int64_t) model.baselines, 15, "15 times of events");
	is_close(model.baseline[0].hazard, 0.0503918709894959 * to_mean, 1e-9, "baseline at 5");
	is_close(model.baseline[6].hazard, 0.3484413829331567 * to_mean, 1e-9, "baseline at 23");
	is_close(model.baseline[14].hazard, 1.5543574010259609 * to_mean, 1e-9, "baseline at 48");
	crm_cox_model_free(ctx, &model);
	is_clean(&tap, "aml");
}

/* Constant and collinear columns are dropped and change nothing. */
static void
test_dropped(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmCoxData data = make_aml(4), plain = make_aml(2);
	double *some[2] = {column[0], column[3]};
	CrmCoxParam param;
	CrmCoxModel model, want;

	plain.columns = some;
	crm_cox_defaults(&param);
	crm_cox_fit(ctx, &data, &param, &model);
	crm_cox_fit(ctx, &plain, &param, &want);
	ok(model.column[1] == CRM_COX_CONSTANT && model.column[2] == CRM_COX_COLLINEAR &&
		   model.rank == 2 && isnan(model.estimate[1]) && isnan(model.error[2]),
	   "constant and collinear columns are known and dropped");
	is_close(model.estimate[3], want.estimate[1], 1e-10, "the last column as without them");
	is_close(model.error[3], want.error[1], 1e-10, "and its error");
	is_close(model.zph_global, want.zph_global, 1e-9, "and the global test");
	is_close(model.score, want.score, 1e-10, "and the score test");
	crm_cox_model_free(ctx, &model);
	crm_cox_model_free(ctx, &want);
	is_clean(&tap, "dropped columns");
}

/* No maximum, no event, one event, all at one time. */
static void
test_edges(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmCoxData data = make_aml(2);
	CrmCoxParam param;
	CrmCoxModel model;
	CrmStatus status;
	size_t k = 1;

	crm_cox_defaults(&param);
	memcpy(column[1], column[3], sizeof column[1]);
	for (int i = 0; i < AML; i++)
		column[0][i] = event[i] == 0;
	is_int(crm_cox_fit(ctx, &data, &param, &model), CRM_OK, "none of a group leaves");
	ok(model.state == CRM_COX_MONOTONE && model.monotone[0] && !model.monotone[1], "it is named");
	ok(model.converged && model.estimate[0] < -1 && model.estimate[0] > -30 &&
		   isfinite(model.error[0]),
	   "and survived (%g)", model.estimate[0]);
	crm_cox_model_free(ctx, &model);
	for (int i = 0; i < AML; i++)
		event[i] = 0;
	is_int(crm_cox_fit(ctx, &data, &param, &model), CRM_OK, "no event");
	ok(model.state == CRM_COX_NO_EVENT && isnan(model.estimate[0]) && model.baselines == 0,
	   "is told");
	crm_cox_model_free(ctx, &model);
	event[5] = 1;
	is_int(crm_cox_fit(ctx, &data, &param, &model), CRM_OK, "one event");
	ok(model.events == 1 && model.baselines == 1 && model.baseline[0].time == at[5], "is used");
	crm_cox_model_free(ctx, &model);
	for (int i = 0; i < AML; i++)
	{
		at[i] = 2;
		event[i] = i % 2;
	}
	is_int(crm_cox_fit(ctx, &data, &param, &model), CRM_OK, "all times tied");
	ok(model.baselines == 1 && isfinite(model.log_likelihood), "are survived");
	crm_cox_model_free(ctx, &model);
	data.n = 0;
	is_int(crm_cox_fit(ctx, &data, &param, &model), CRM_OK, "no row");
	crm_cox_model_free(ctx, &model);
	data.n = AML;
	data.d = 0;
	is_int(crm_cox_fit(ctx, &data, &param, &model), CRM_OK, "no column");
	crm_cox_model_free(ctx, &model);
	data = make_aml(2);
	do
	{
		tap_context(&tap);
		tap.fail_at = k++;
		status = crm_cox_fit(ctx, &data, &param, &model);
		if (status == CRM_OK)
			crm_cox_model_free(ctx, &model);
		is_clean(&tap, "a failed allocation");
	} while (status != CRM_OK && k < 100);
	ok(k > 20, "allocations failed");
	column[0][1] = 1e200;
	tap_context(&tap);
	is_int(crm_cox_fit(ctx, &data, &param, &model), CRM_DOMAIN, "squares that overflow");
	is_clean(&tap, "overflow");
}

/* Rows in another order give the same bits; memory is what was said. */
static void
test_order(void)
{
	TapContext tap;
	CrmCtx *ctx = tap_context(&tap);
	CrmCoxData data = make_aml(1);
	double *all[6] = {column[0], column[3], at, event, entry, stratum};
	CrmCoxParam param;
	CrmCoxModel first, second;

	crm_cox_defaults(&param);
	columns[1] = column[3];
	data.d = 2;
	data.entry = entry;
	data.stratum = stratum;
	for (int i = 0; i < AML; i++)
	{
		entry[i] = i % 4;
		stratum[i] = i % 2;
	}
	crm_cox_arrange(ctx, &data);
	crm_cox_fit(ctx, &data, &param, &first);
	shuffle_rows(all, 6, AML, 4);
	crm_cox_arrange(ctx, &data);
	crm_cox_fit(ctx, &data, &param, &second);
	ok(memcmp(first.estimate, second.estimate, 2 * sizeof(double)) == 0 &&
		   memcmp(first.error, second.error, 2 * sizeof(double)) == 0 &&
		   first.concordance == second.concordance && first.zph_global == second.zph_global,
	   "the order of rows changes no bit");
	ok(first.baseline[0].time < first.baseline[1].time &&
		   first.baseline[0].hazard < first.baseline[1].hazard,
	   "times and hazards ascend");
	ok(stratum[first.baseline[0].row] == 0 && stratum[first.baseline[first.baselines - 1].row] == 1,
	   "strata are named by a row");
	crm_cox_model_free(ctx, &first);
	crm_cox_model_free(ctx, &second);
	is_clean(&tap, "order");
	ok(tap.ctx.peak <= crm_cox_bytes(AML, 2, true) + 1000, "memory is what was said");
}

static void
test_lung(void)
{
	CrmCoxData data = make_aml(3);
	char f[10][64];
	FILE *file = open_data("lung.csv");
	int row = 0;

	if (file == NULL)
	{
		ok(true, "lung # SKIP CRM_DATA has no lung.csv");
		return;
	}
	data.n = 0;
	while (read_fields(file, f, 10) >= 6)
	{
		if (f[5][0] == '\0')
			continue;
		at[data.n] = atof(f[1]);
		event[data.n] = atof(f[2]) > LUNG_CENSORED;
		column[0][data.n] = atof(f[3]);
		column[1][data.n] = stratum[data.n] = atof(f[4]);
		column[2][data.n] = atof(f[5]);
		entry[data.n++] = floor(atof(f[1]) * (++row % 4) / 8);
	}
	fclose(file);
	is_fit(&data, true,
		   (double[]){0.0110667645961186, -0.5526123955318371, 0.4637284751157322,
					  0.0092674110143657, 0.1677390537834223, 0.1135772661613712},
		   -744.480455761440, -729.230121374862,
		   (double[]){0.63713549300045491, 0.02506797385307958}, "lung, Efron");
	is_fit(&data, false,
		   (double[]){0.0110411363857075, -0.5518895696376560, 0.4629470403345499,
					  0.00926677011420227, 0.16774244801782776, 0.11357405206057965},
		   -744.692819266161, -729.488705176773,
		   (double[]){0.63713549300045491, 0.02506797385307958}, "lung, Breslow");
	is_proportional(
		&data, true, false,
		(double[]){0.187987673560505, 2.305437226774801, 2.054248773862775, 4.463657588161999},
		"lung, Efron");
	is_proportional(
		&data, false, false,
		(double[]){0.188085661057069, 2.297197354333975, 2.051708611547517, 4.451012333200892},
		"lung, Breslow");
	data.entry = entry;
	is_fit(&data, true,
		   (double[]){0.0112948710385163, -0.5065695243127810, 0.4182876128322174,
					  0.00912914187746585, 0.16821811012078766, 0.11373457307498021},
		   -719.439696356567, -706.639366288890, (double[]){0.615709669400945, 0.02350586303691063},
		   "lung with entries");
	is_proportional(
		&data, true, false,
		(double[]){0.447623475774827, 1.371845535708690, 0.928576835622512, 2.670199098579118},
		"lung with entries");
	data.entry = NULL;
	data.stratum = stratum;
	columns[1] = column[2];
	data.d = 2;
	is_fit(&data, true,
		   (double[]){0.0105662546010264, 0.4624244343585768, 0.00924137389309374,
					  0.11476109785480268},
		   -638.509764984236, -628.770939501205, (double[]){0.605849182834751, 0.02652388514463997},
		   "lung by sex");
	is_proportional(&data, true, false,
					(double[]){0.133470723862425, 2.182400689478841, 2.200478902079100},
					"lung by sex");
}

static void
test_rossi(void)
{
	static const double want[14] = {-0.3794221668712051, -0.0574377430137615, 0.3138997859493020,
									-0.1497956972227822, -0.4337038766902505, -0.0848710829908305,
									0.0914970793511212,  0.1913794807128090,  0.0219994706279538,
									0.3079927763929380,  0.2122242961581635,  0.3818680574649214,
									0.1957566719209233,  0.0286485500734706};
	static const double zph[8] = {0.0624297500893763, 5.9739816611519121, 2.0682653833546527,
								  4.2245956386986050, 1.0110215645544560, 0.0183832991358407,
								  0.5205842670061451, 17.6944152960279339};
	CrmCoxData data = make_aml(7);
	char f[9][64];
	FILE *file = open_data("rossi.csv");

	if (file == NULL)
	{
		ok(true, "rossi # SKIP CRM_DATA has no rossi.csv");
		return;
	}
	data.n = 0;
	while (read_fields(file, f, 9) == 9)
	{
		at[data.n] = atof(f[0]);
		event[data.n] = atof(f[1]);
		for (int j = 0; j < 7; j++)
			column[j][data.n] = atof(f[2 + j]);
		data.n++;
	}
	fclose(file);
	is_fit(&data, true, want, -675.38063234687, -658.747659446086,
		   (double[]){0.64032924709971351, 0.02665812277264754}, "rossi");
	is_proportional(&data, true, false, zph, "rossi");
}

int
main(void)
{
	test_aml();
	test_dropped();
	test_edges();
	test_order();
	test_lung();
	test_rossi();
	return tap_done();
}
