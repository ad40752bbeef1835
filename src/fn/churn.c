/*
 * churn.c: crm.churn, who is leaving, why, and what it costs; crm.churn_fit, the model behind it.
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "fn/churn_past.h"
#include "kernel/churn.h"
#include "pg/args.h"
#include "pg/model.h"
#include "pg/results.h"
#include "pg/snapshots.h"

#define MODEL_VERSION 1
#define AUTO          CRM_CHURN_METHODS

static const char *const method_words[] = {"alive", "gap", "logistic", "auto"};
static const char *const used_words[] = {"alive", "gap", "logistic", "base_rate"};
static const char *const state_words[] = {"ok", "fallback", "no_churner", "all_churned",
										  "not_converged"};
static const char *const band_words[] = {"low", "medium", "high"};
static const CrmWords methods = {"method", "methods", method_words, lengthof(method_words)};
static const CrmWords used = {"method", "methods", used_words, lengthof(used_words)};
static const CrmWords states = {"status", "values of status", state_words, lengthof(state_words)};

/* What both reports are made of. */
typedef struct Work
{
	CrmRun run;
	CrmSnapshotsRequest request;
	CrmSnapshots *snapshots;
	int method; /* wanted, or AUTO */
	uint64 seed;
	CrmChurnPast past;
	CrmChurnModel model;
	int cuts;       /* of the past that the model has learnt from */
	char *choice;   /* what auto found; NULL: nothing to choose */
	bool is_stored; /* the model; what follows is its */
	char **names;   /* of its features */
	int *map;       /* where they stand among those of the snapshots; -1: nowhere */
	double *mapped; /* d of a stored model */
	double *room;   /* for the gaps of a customer */
} Work;

/* ---- options and reading ----------------------------------------------------------------- */

enum
{
	ARG_SOURCE, /* or the key, and the source last */
	ARG_AS_OF,
	ARG_HORIZON,
	ARG_METHOD,
	ARG_FEATURES,
	ARG_LABEL,
	ARG_SEED, /* of crm.churn: model, then seed */
	ARG_MODEL = ARG_SEED
};

/* Read the options that both reports share. */
static void
read_options(FunctionCallInfo fcinfo, int seed, const char *function, Work *work)
{
	CrmSnapshotsRequest *request = &work->request;

	memset(work, 0, sizeof(Work));
	work->run = crm_run_begin(function);
	request->function = function;
	request->source = crm_arg_source(fcinfo, &request->key_type);
	crm_arg_require(fcinfo, ARG_AS_OF, "as_of");
	request->as_of = PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);
	if (TIMESTAMP_NOT_FINITE(request->as_of))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"as_of\" must be finite"));
	crm_arg_require(fcinfo, ARG_HORIZON, "horizon");
	request->horizon = PG_GETARG_INTERVAL_P(ARG_HORIZON);
	work->method = crm_arg_word(fcinfo, ARG_METHOD, &methods);
	request->features = crm_arg_text(fcinfo, ARG_FEATURES);
	request->label = crm_arg_text(fcinfo, ARG_LABEL);
	work->seed = (uint64) crm_arg_int(fcinfo, seed, "seed", PG_INT64_MIN, PG_INT64_MAX);
	if (request->label != NULL && work->method == CRM_CHURN_ALIVE)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("method \"alive\" knows no label"),
				errdetail("It models orders, and counts as churned who does not order."),
				errhint("Use \"gap\" or \"logistic\", which learn from the label."));
}

/* Read the source. */
static void
read_snapshots(Work *work)
{
	CrmSnapshots *snapshots;

	work->request.without_features =
		work->is_stored ? work->model.method != CRM_CHURN_LOGISTIC
						: work->method == CRM_CHURN_GAP || work->method == CRM_CHURN_ALIVE;
	work->snapshots = snapshots = crm_snapshots_read(&work->request, &work->run);
	crm_churn_past_begin(&work->past, snapshots, work->seed);
	work->room = crm_snapshots_allocate(snapshots, snapshots->most_orders, sizeof(double));
}

/* ---- fits and scores --------------------------------------------------------------------- */

/* Score customer i at a moment; false: not eligible then. */
static bool
score_customer(Work *work, const CrmChurnScorer *scorer, uint32 i, TimestampTz moment,
			   const CrmRhythm *rhythm, CrmChurnScore *score)
{
	CrmChurnCustomer customer;

	if (!crm_churn_past_customer(&work->past, scorer->model->method, i, moment, rhythm, &customer))
		return false;
	for (int f = 0; f < scorer->model->d && work->is_stored; f++)
		work->mapped[f] = work->map[f] < 0 ? NAN : customer.features[work->map[f]];
	if (work->is_stored)
		customer.features = work->mapped;
	crm_churn_score(scorer, &customer, score);
	return true;
}

/* Choose a method, and say by what. */
static CrmChurnMethod
choose_method(Work *work)
{
	CrmChurnChoice choice;
	CrmChurnMethod chosen = crm_churn_past_choose(&work->past, work->request.as_of, &choice);
	StringInfoData text;

	initStringInfo(&text);
	if (choice.n == 0)
		appendStringInfo(&text, "chose gap; to compare methods needs %.6g days of orders",
						 3 * work->past.horizon);
	else
		appendStringInfo(&text, "chose %s by the log-loss of %zu customers a horizon ago:",
						 method_words[chosen], choice.n);
	for (int m = 0, told = 0; m < CRM_CHURN_METHODS && choice.n > 0; m++)
		if (!isnan(choice.loss[m]))
			appendStringInfo(&text, "%s %s %.4f", told++ > 0 ? "," : "", method_words[m],
							 choice.loss[m]);
	work->choice = text.data;
	return chosen;
}

/* Fit the method wanted, or the one chosen, to all that is known. */
static void
fit_model(Work *work)
{
	int method = work->method;

	crm_snapshots_need(work->snapshots, method == CRM_CHURN_ALIVE ? 1 : 2,
					   psprintf("method \"%s\"", method_words[method]));
	if (work->snapshots->n == 0)
		return;
	if (method == AUTO)
		method = choose_method(work);
	work->cuts =
		crm_churn_past_fit(&work->past, (CrmChurnMethod) method, work->request.as_of, &work->model);
}

/* ---- a model as jsonb -------------------------------------------------------------------- */

/* Give the model as jsonb, for crm.model and the argument model. */
static Datum
make_json(const Work *work)
{
	const CrmChurnModel *model = &work->model;
	bool has_features = model->method == CRM_CHURN_LOGISTIC;
	double *numbers = palloc(CRM_CHURN_PACKED(model->d) * sizeof(double));
	const char **names = palloc(Max(model->d, 1) * sizeof(char *));
	StringInfoData json;

	for (int f = 0; f < model->d; f++)
		names[f] = crm_snapshots_name(work->snapshots, f);
	initStringInfo(&json);
	crm_model_put(&json, "model", "\"churn\"");
	crm_model_put(&json, "version", "%d", MODEL_VERSION);
	crm_model_put(&json, "method", "\"%s\"", used_words[model->method]);
	crm_model_put(&json, "status", "\"%s\"", state_words[model->state]);
	crm_model_put_texts(&json, "features", names, has_features ? model->d : 0);
	crm_model_put_numbers(&json, "numbers", numbers, crm_churn_pack(model, numbers));
	return crm_model_finish(&json);
}

/* Read a model that make_json has made. */
static void
read_json(Jsonb *json, Work *work)
{
	CrmModelReader reader = {.json = json, .function = "crm.churn_fit"};
	CrmChurnModel *model = &work->model;
	double *numbers;
	int n;

	crm_model_expect(&reader, "churn", MODEL_VERSION);
	model->method = (CrmChurnMethod) crm_model_word(&reader, "method", &used);
	model->state = (CrmChurnState) crm_model_word(&reader, "status", &states);
	work->names = crm_model_texts(&reader, "features", CRM_SNAPSHOT_MOST_FEATURES, &model->d);
	numbers =
		crm_model_all_numbers(&reader, "numbers", CRM_CHURN_PACKED(CRM_SNAPSHOT_MOST_FEATURES), &n);
	if (!crm_churn_unpack(model, numbers, n))
		crm_model_error(&reader, "numbers");
	work->is_stored = true;
	work->request.are_current = true;
}

/* Raise an error when a stored model looks ahead for another time than is asked for; find its
 * features. */
static void
check_model(Work *work)
{
	const CrmChurnModel *model = &work->model;

	if (fabs(model->horizon - work->past.horizon) > 1e-6 * work->past.horizon)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the model looks %.6g days ahead, the argument \"horizon\" %.6g",
					   model->horizon, work->past.horizon),
				errhint("Give the horizon that crm.churn_fit was given."));
	work->map = palloc(Max(model->d, 1) * sizeof(int));
	work->mapped = palloc(Max(model->d, 1) * sizeof(double));
	for (int f = 0; f < model->d; f++)
	{
		work->map[f] = crm_snapshots_find(work->snapshots, work->names[f]);
		if (work->map[f] < 0)
			ereport(NOTICE,
					errmsg("crm.churn takes the mean for the feature \"%s\" of the model",
						   work->names[f]),
					errdetail("There is no such feature now."));
	}
}

/* ---- rows -------------------------------------------------------------------------------- */

/* What does not change from row to row. */
typedef struct Writer
{
	CrmResult result;
	Datum band[3], method, status, churned;
	StringInfoData words;
} Writer;

/* Append the words of a fact that is no feature. */
static void
put_fact(int fact, const CrmRhythm *rhythm, const CrmChurnScore *score, StringInfo words)
{
	switch (fact)
	{
		case CRM_CHURN_FACT_SILENCE:
			crm_snapshots_silence_words(words, rhythm->silence, rhythm->mean_gap);
			break;
		case CRM_CHURN_FACT_RHYTHM:
			crm_snapshots_rhythm_words(words, rhythm);
			break;
		case CRM_CHURN_FACT_ALIVE:
			appendStringInfo(words, "still active with %d %%, ", (int) rint(100 * score->p_alive));
			crm_snapshots_silence_words(words, rhythm->silence, rhythm->mean_gap);
			break;
		default:
			crm_snapshots_orders_words(words, rhythm);
	}
}

/* Give the reasons of a score as text[]. */
static Datum
make_reasons(Work *work, Writer *writer, const CrmRhythm *rhythm, const CrmChurnScore *score)
{
	Datum reasons[CRM_CHURN_REASONS];
	int n = 0;

	for (; n < CRM_CHURN_REASONS && score->reason[n].weight != 0; n++)
	{
		const CrmChurnReason *reason = &score->reason[n];
		int feature = reason->index;

		resetStringInfo(&writer->words);
		if (reason->weight < 0)
			appendStringInfoString(&writer->words, "good sign: ");
		if (feature >= 0 && work->is_stored)
			feature = work->map[feature];
		if (feature < 0)
			put_fact(feature, rhythm, score, &writer->words);
		else
			crm_snapshots_words(work->snapshots, feature, work->past.features,
								work->model.mean[reason->index], &writer->words);
		reasons[n] =
			PointerGetDatum(cstring_to_text_with_len(writer->words.data, writer->words.len));
	}
	return PointerGetDatum(construct_array(reasons, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Write the row of customer i. */
static void
put_customer(Work *work, const CrmChurnScorer *scorer, Writer *writer, uint32 i)
{
	const CrmSnapshots *snapshots = work->snapshots;
	CrmHistory history = crm_snapshots_history(snapshots, i);
	CrmChurnScore score = {.p = 1.0};
	double revenue, quantile;
	CrmRhythm rhythm;
	Datum values[9];
	bool nulls[9] = {false}, is_open;

	(void) crm_snapshot_rhythm(&history, work->request.as_of, &rhythm);
	is_open = score_customer(work, scorer, i, work->request.as_of, &rhythm, &score);
	revenue = crm_churn_revenue(
		(double) (rhythm.visits - 1), (double) (rhythm.last - rhythm.first) / CRM_SNAPSHOT_DAY,
		snapshots->usual_gap, work->past.horizon, fmax(rhythm.spent, 0.0) / (double) rhythm.visits);
	quantile = crm_snapshot_gap_quantile(&history, work->request.as_of, 0.9, work->room);
	values[0] = crm_snapshots_key(snapshots, i);
	values[1] = Float8GetDatum(score.p);
	values[2] = writer->band[crm_churn_band(score.p)];
	values[3] = Float8GetDatum(is_open ? score.p * revenue : 0.0);
	values[4] = make_reasons(work, writer, &rhythm, &score);
	values[5] = Float8GetDatum(rhythm.silence);
	values[6] = Float8GetDatum(quantile);
	nulls[6] = isnan(quantile);
	values[7] = writer->method;
	values[8] = is_open ? writer->status : writer->churned;
	crm_result_row(&writer->result, values, nulls);
}

/* Write a row a customer. */
static void
put_customers(Work *work, Writer *writer)
{
	CrmSnapshots *snapshots = work->snapshots;
	MemoryContext caller = CurrentMemoryContext, rows;
	CrmChurnScorer scorer;

	for (int b = 0; b < lengthof(band_words); b++)
		writer->band[b] = CStringGetTextDatum(band_words[b]);
	writer->method = CStringGetTextDatum(used_words[work->model.method]);
	writer->status = CStringGetTextDatum(state_words[work->model.state]);
	writer->churned = CStringGetTextDatum("churned");
	initStringInfo(&writer->words);
	rows = AllocSetContextCreate(caller, "crm churn row", ALLOCSET_SMALL_SIZES);
	crm_snapshots_check(snapshots, crm_churn_begin(&snapshots->ctx, &work->model, &scorer));
	MemoryContextSwitchTo(rows);
	for (uint32 i = 0; i < snapshots->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_customer(work, &scorer, writer, i);
		if (i % 64 == 63)
			MemoryContextReset(rows);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(rows);
	crm_churn_end(&snapshots->ctx, &scorer);
}

/* Tell what came of the fit, close the account and free the memory. */
static void
end_work(Work *work)
{
	if (work->choice != NULL)
		ereport(NOTICE, errmsg("%s %s", work->request.function, work->choice));
	if (work->model.state == CRM_CHURN_NOT_CONVERGED)
		ereport(
			WARNING,
			errmsg("the model of method \"%s\" did not converge", used_words[work->model.method]),
			errhint("Try another method, or a longer history."));
	work->run.peak_memory = work->run.total_memory = (int64) work->snapshots->ctx.peak;
	crm_run_end(&work->run);
	MemoryContextDelete(work->snapshots->memory);
}

PG_FUNCTION_INFO_V1(crm_churn_1_0);
/* crm.churn([key,] ...): a row a customer; see doc/churn.md */
Datum
crm_churn_1_0(PG_FUNCTION_ARGS)
{
	Writer writer = {.result = crm_result_begin(fcinfo, 9)};
	char *stored;
	Work work;

	read_options(fcinfo, ARG_MODEL + 1, "crm.churn", &work);
	stored = crm_arg_text(fcinfo, ARG_MODEL);
	if (stored != NULL)
		read_json(crm_model_find(stored, "churn", "crm.churn_fit"), &work);
	read_snapshots(&work);
	if (stored != NULL)
		check_model(&work);
	else
		fit_model(&work);
	if (work.snapshots->n > 0)
		put_customers(&work, &writer);
	end_work(&work);
	PG_RETURN_NULL();
}

/* Say in a sentence how the fit went. */
static const char *
fit_message(const Work *work)
{
	static const char *const messages[] = {
		"fitted", "too few customers of the past to learn from; the base rate serves",
		"nobody churned at the past cuts; the base rate serves",
		"everybody churned at the past cuts; the base rate serves",
		"the fit did not converge; this is the best point found"};

	if (work->model.state == CRM_CHURN_OK && work->choice != NULL)
		return work->choice;
	if (work->model.state == CRM_CHURN_FEW_ROWS && work->model.method == CRM_CHURN_ALIVE)
		return "too few customers came back to fit a model of orders; the rate of the past goes on";
	return messages[work->model.state];
}

PG_FUNCTION_INFO_V1(crm_churn_fit_1_0);
/* crm.churn_fit([key,] ...): one row; see doc/churn.md */
Datum
crm_churn_fit_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 10);
	Datum values[10];
	bool nulls[10] = {false};
	Work work;

	read_options(fcinfo, ARG_SEED, "crm.churn_fit", &work);
	read_snapshots(&work);
	fit_model(&work);
	if (work.snapshots->n > 0)
	{
		values[0] = CStringGetTextDatum(used_words[work.model.method]);
		values[1] = Int64GetDatum(work.run.rows.read);
		values[2] = Int64GetDatum(work.run.rows.used);
		values[3] = Int64GetDatum(work.run.rows.read - work.run.rows.used);
		values[4] = Int32GetDatum(work.cuts);
		values[5] = Int64GetDatum(work.model.rows);
		values[6] = Int64GetDatum(work.model.churned);
		nulls[6] = work.model.method == CRM_CHURN_ALIVE;
		values[7] = CStringGetTextDatum(state_words[work.model.state]);
		values[8] = CStringGetTextDatum(fit_message(&work));
		values[9] = make_json(&work);
		crm_result_row(&result, values, nulls);
	}
	end_work(&work);
	PG_RETURN_NULL();
}
