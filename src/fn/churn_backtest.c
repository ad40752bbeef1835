/*
 * churn_backtest.c: crm.churn_backtest, the methods of crm.churn as of cuts in the past, held
 * against who churned; crm.churn_gains, one method at one cut by deciles.
 */
#include "pg/compat.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "fn/churn_past.h"
#include "kernel/scoring.h"
#include "pg/cuts.h"
#include "pg/results.h"

#define MOST_CUTS 4 /* of a backtest whose caller names none */
#define DECILES   10

static const char *const method_words[] = {"alive", "gap", "logistic", "base_rate", "auto"};
static const char *const state_words[] = {"ok", "fallback", "no_churner", "all_churned",
										  "not_converged"};
static const CrmWords methods = {"method", "methods", method_words, lengthof(method_words)};

/* What both reports are made of. */
typedef struct Trial
{
	CrmSnapshotsRequest request;
	CrmRun run;
	CrmSnapshots *snapshots;
	CrmCuts cuts;
	CrmChurnPast past;
	CrmChurnScored scored;
	uint64 seed;
} Trial;

/* ---- options and reading ----------------------------------------------------------------- */

/* Of both functions; cuts or cut, methods or method. */
enum
{
	ARG_SOURCE, /* or the key, and the source last */
	ARG_CUTS,
	ARG_HORIZON,
	ARG_METHODS,
	ARG_AS_OF,
	ARG_FEATURES,
	ARG_LABEL,
	ARG_SEED
};

/* Read the options but for cuts and methods. */
static void
read_options(FunctionCallInfo fcinfo, const char *function, Trial *trial)
{
	CrmSnapshotsRequest *request = &trial->request;

	memset(trial, 0, sizeof(Trial));
	trial->run = crm_run_begin(function);
	request->function = function;
	request->source = crm_arg_source(fcinfo, &request->key_type);
	request->as_of = crm_cuts_as_of(fcinfo, ARG_AS_OF);
	crm_arg_require(fcinfo, ARG_HORIZON, "horizon");
	request->horizon = PG_GETARG_INTERVAL_P(ARG_HORIZON);
	request->features = crm_arg_text(fcinfo, ARG_FEATURES);
	request->label = crm_arg_text(fcinfo, ARG_LABEL);
	trial->seed = (uint64) crm_arg_int(fcinfo, ARG_SEED, "seed", PG_INT64_MIN, PG_INT64_MAX);
}

/* Refuse the models of orders where churn is not that no order comes. */
static void
check_method(const Trial *trial, int method)
{
	if (trial->request.label != NULL && method == CRM_CHURN_ALIVE)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("method \"alive\" knows no label"),
				errdetail("It models orders, and counts as churned who does not order."),
				errhint("Use \"gap\" or \"logistic\", which learn from the label."));
}

/* Read the source, and find the cuts. */
static void
read_source(Trial *trial, bool has_as_of, int most)
{
	trial->snapshots = crm_snapshots_read(&trial->request, &trial->run);
	if (!has_as_of)
		crm_cuts_end_with_orders(trial->snapshots);
	crm_cuts_fit(&trial->cuts, trial->snapshots, most, "a backtest of churn");
	crm_churn_past_begin(&trial->past, trial->snapshots, trial->seed);
	crm_churn_past_room(&trial->past, &trial->scored);
}

/* Close the account and free the memory. */
static void
end_trial(Trial *trial)
{
	trial->run.peak_memory = trial->run.total_memory = (int64) trial->snapshots->ctx.peak;
	crm_run_end(&trial->run);
	MemoryContextDelete(trial->snapshots->memory);
}

/* Fit a method to what was known at a cut, and score the customers of the cut. */
static CrmChurnModel
score(Trial *trial, int method, TimestampTz cut)
{
	CrmChurnModel model;
	CrmChurnChoice choice;

	if (method == CRM_CHURN_AUTO)
		method = crm_churn_past_choose(&trial->past, cut, &choice);
	(void) crm_churn_past_fit(&trial->past, (CrmChurnMethod) method, cut, &model);
	crm_churn_past_score(&trial->past, &model, cut, &trial->scored);
	crm_churn_free(&trial->snapshots->ctx, &model);
	return model;
}

/* ---- the backtest ------------------------------------------------------------------------- */

enum
{
	COLUMNS = 20
};

/* Write what a method was worth at a cut. */
static void
put_measures(const CrmResult *result, Trial *trial, int method, TimestampTz cut)
{
	CrmChurnModel model = score(trial, method, cut);
	const CrmChurnScored *scored = &trial->scored;
	CrmCtx *ctx = &trial->snapshots->ctx;
	double precision[2], recall[2];
	CrmScoring got;
	Datum values[COLUMNS];
	bool nulls[COLUMNS] = {false};

	crm_snapshots_check(trial->snapshots,
						crm_scoring(ctx, scored->p, scored->label, scored->n, &got));
	for (int band = 0; band < 2; band++)
		crm_snapshots_check(trial->snapshots,
							crm_scoring_threshold(ctx, scored->p, scored->label, scored->n,
												  band ? CRM_CHURN_HIGH : CRM_CHURN_MEDIUM,
												  &precision[band], &recall[band]));
	values[0] = TimestampTzGetDatum(cut);
	values[1] = CStringGetTextDatum(method_words[method]);
	values[2] = Int64GetDatum((int64) got.n);
	values[3] = Int64GetDatum((int64) got.yes);
	crm_result_number(values, nulls, 4, got.base_rate);
	crm_result_number(values, nulls, 5, got.auc);
	crm_result_number(values, nulls, 6, got.auc_error);
	crm_result_number(values, nulls, 7, got.log_loss);
	crm_result_number(values, nulls, 8, got.brier);
	crm_result_number(values, nulls, 9, got.slope);
	crm_result_number(values, nulls, 10, got.intercept);
	crm_result_number(values, nulls, 11, precision[0]);
	crm_result_number(values, nulls, 12, recall[0]);
	crm_result_number(values, nulls, 13, precision[1]);
	crm_result_number(values, nulls, 14, recall[1]);
	crm_result_number(values, nulls, 15, got.top_lift);
	values[16] = CStringGetTextDatum(method_words[model.method]);
	values[17] = Int64GetDatum(model.rows);
	values[18] = Int64GetDatum(model.churned);
	nulls[18] = model.method == CRM_CHURN_ALIVE;
	values[19] = CStringGetTextDatum(state_words[model.state]);
	crm_result_row(result, values, nulls);
}

/* Read the methods, NULL being all that apply; *n of them. */
static const int *
read_methods(FunctionCallInfo fcinfo, int i, const Trial *trial, int *n)
{
	static const int all[] = {CRM_CHURN_ALIVE, CRM_CHURN_GAP, CRM_CHURN_LOGISTIC};
	char **names;
	int *list;

	if (PG_ARGISNULL(i))
	{
		int without = trial->request.label != NULL;

		*n = lengthof(all) - without;
		return all + without;
	}
	names = crm_arg_names(fcinfo, i, "methods", n);
	list = palloc(*n * sizeof(int));
	for (int k = 0; k < *n; k++)
	{
		list[k] = crm_word_find(names[k], &methods);
		check_method(trial, list[k]);
	}
	return list;
}

PG_FUNCTION_INFO_V1(crm_churn_backtest_1_0);
/* crm.churn_backtest([key,] ...): a row a cut and method; see doc/churn_backtest.md */
Datum
crm_churn_backtest_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, COLUMNS);
	int n;
	bool has_base = false;
	const int *list;
	Trial trial;

	read_options(fcinfo, "crm.churn_backtest", &trial);
	trial.cuts = crm_cuts_argument(fcinfo, ARG_CUTS, "cuts");
	list = read_methods(fcinfo, ARG_METHODS, &trial, &n);
	trial.request.without_features = true;
	for (int k = 0; k < n; k++)
	{
		has_base |= list[k] == CRM_CHURN_BASE;
		if (list[k] == CRM_CHURN_LOGISTIC || list[k] == CRM_CHURN_AUTO)
			trial.request.without_features = false;
	}
	read_source(&trial, !PG_ARGISNULL(ARG_AS_OF), MOST_CUTS);
	for (int c = 0; c < trial.cuts.n && trial.snapshots->n > 0; c++)
	{
		for (int k = 0; k < n; k++)
			put_measures(&result, &trial, list[k], trial.cuts.at[c]);
		if (!has_base)
			put_measures(&result, &trial, CRM_CHURN_BASE, trial.cuts.at[c]);
	}
	end_trial(&trial);
	PG_RETURN_NULL();
}

/* ---- the gains ---------------------------------------------------------------------------- */

enum
{
	GAIN_COLUMNS = 11
};

/* Write the deciles of customers that have been scored. */
static void
put_gains(const CrmResult *result, Trial *trial, const CrmChurnModel *model, TimestampTz cut)
{
	const CrmChurnScored *scored = &trial->scored;
	CrmScoringGain gain[DECILES];
	Datum values[GAIN_COLUMNS];
	bool nulls[GAIN_COLUMNS];

	crm_snapshots_check(trial->snapshots,
						crm_scoring_gains(&trial->snapshots->ctx, scored->p, scored->label,
										  scored->n, DECILES, gain));
	for (int g = 0; g < DECILES; g++)
	{
		if (gain[g].rows == 0)
			continue;
		memset(nulls, 0, sizeof nulls);
		values[0] = TimestampTzGetDatum(cut);
		values[1] = CStringGetTextDatum(method_words[model->method]);
		values[2] = Int32GetDatum(g + 1);
		values[3] = Int64GetDatum((int64) gain[g].rows);
		values[4] = Float8GetDatum(gain[g].yes);
		crm_result_number(values, nulls, 5, gain[g].mean_predicted);
		crm_result_number(values, nulls, 6, gain[g].rate);
		crm_result_number(values, nulls, 7, gain[g].lift);
		crm_result_number(values, nulls, 8, gain[g].total_share);
		crm_result_number(values, nulls, 9, gain[g].total_lift);
		values[10] = CStringGetTextDatum(state_words[model->state]);
		crm_result_row(result, values, nulls);
	}
}

PG_FUNCTION_INFO_V1(crm_churn_gains_1_0);
/* crm.churn_gains([key,] ...): a row a decile; see doc/churn_backtest.md */
Datum
crm_churn_gains_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, GAIN_COLUMNS);
	int method;
	CrmChurnModel model;
	Trial trial;

	read_options(fcinfo, "crm.churn_gains", &trial);
	trial.cuts = crm_cuts_moment(fcinfo, ARG_CUTS, "cut");
	method = crm_arg_word(fcinfo, ARG_METHODS, &methods);
	check_method(&trial, method);
	trial.request.without_features = method != CRM_CHURN_LOGISTIC && method != CRM_CHURN_AUTO;
	read_source(&trial, !PG_ARGISNULL(ARG_AS_OF), 1);
	if (trial.cuts.n > 0 && trial.snapshots->n > 0)
	{
		model = score(&trial, method, trial.cuts.at[0]);
		put_gains(&result, &trial, &model, trial.cuts.at[0]);
	}
	end_trial(&trial);
	PG_RETURN_NULL();
}
