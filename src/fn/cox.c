/*
 * cox.c: crm.cox_fit and crm.cox_baseline on a source of subscriptions, and crm.cox_predict.
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kernel/base/distribution.h"
#include "kernel/cox.h"
#include "pg/args.h"
#include "pg/memory.h"
#include "pg/results.h"
#include "pg/subscriptions.h"

#define COLUMNS 35

enum
{
	ARG_SOURCE,
	ARG_COVARIATES,
	ARG_TIES,
	ARG_STRATA,
	ARG_ENTRY,
	ARG_AS_OF,
	ARG_UNIT,
	ARG_TRANSFORM,
	ARG_MAX_ITERATIONS,
	ARG_TOLERANCE
};

static const char *const ties_list[] = {"efron", "breslow"};
static const CrmWords ties_words = {"ties", "values of ties", ties_list, lengthof(ties_list)};
static const char *const transform_list[] = {"km", "identity"};
static const CrmWords transform_words = {"transform", "transforms", transform_list,
										 lengthof(transform_list)};
static const char *const column_list[] = {NULL, "constant", "collinear"};
static const char *const state_list[] = {"fitted", "monotone", "no event"};

/* A fit in the making. */
typedef struct Report
{
	CrmRun run;
	CrmSubscriptionsRequest request;
	CrmSubscriptions *rows;
	CrmCoxParam param;
	CrmCoxData data;
	CrmCoxModel model;
} Report;

/* Read the options. */
static void
read_options(FunctionCallInfo fcinfo, Report *report)
{
	CrmSubscriptionsRequest *request = &report->request;

	crm_arg_require(fcinfo, ARG_SOURCE, "source");
	crm_arg_require(fcinfo, ARG_COVARIATES, "covariates");
	request->source = crm_arg_text(fcinfo, ARG_SOURCE);
	request->covariates =
		crm_arg_names(fcinfo, ARG_COVARIATES, "covariates", &request->n_covariates);
	if (request->n_covariates > CRM_COX_MAX_COVARIATES)
		ereport(ERROR, errcode(ERRCODE_TOO_MANY_COLUMNS),
				errmsg("at most %d covariates can be used", CRM_COX_MAX_COVARIATES),
				errdetail("Got %d.", request->n_covariates));
	crm_cox_defaults(&report->param);
	report->param.efron = crm_arg_word(fcinfo, ARG_TIES, &ties_words) == 0;
	request->group = crm_arg_text(fcinfo, ARG_STRATA);
	request->entry = crm_arg_text(fcinfo, ARG_ENTRY);
	crm_arg_require(fcinfo, ARG_AS_OF, "as_of");
	request->as_of = PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);
	if (TIMESTAMP_NOT_FINITE(request->as_of))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"as_of\" must be finite"));
	request->unit = crm_arg_word(fcinfo, ARG_UNIT, &crm_unit_words);
	report->param.identity = crm_arg_word(fcinfo, ARG_TRANSFORM, &transform_words) == 1;
	report->param.max_iterations =
		(int) crm_arg_int(fcinfo, ARG_MAX_ITERATIONS, "max_iterations", 1, PG_INT32_MAX);
	report->param.tolerance = crm_arg_double(fcinfo, ARG_TOLERANCE, "tolerance", 1e-300, 1);
	request->row_bytes = (crm_cox_bytes(2000000, request->n_covariates, request->entry != NULL) -
						  crm_cox_bytes(1000000, request->n_covariates, request->entry != NULL)) /
						 1000000;
}

/* Raise the error that a kernel's status stands for, if it stands for one. */
static void
check(const Report *report, CrmStatus status)
{
	const CrmDesign *design = report->rows->design;

	if (status == CRM_DOMAIN)
		ereport(ERROR, errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				errmsg("the source has values whose squares do not fit double precision"),
				errhint("Divide the columns with the largest values in the source's query."));
	crm_memory_check(status, &design->ctx, "Cox regression",
					 psprintf("%zu subscriptions x %d covariates", report->rows->n, design->d));
}

/* Say what is to be said of a fit. */
static void
tell(const Report *report)
{
	const CrmCoxModel *model = &report->model;
	char **names = report->rows->design->names;

	for (int j = 0; j < model->d; j++)
		if (model->column[j] != CRM_COX_KEPT)
			ereport(NOTICE, errmsg("%s dropped the %s covariate \"%s\"", report->run.function,
								   column_list[model->column[j]], names[j]));
	for (int j = 0; j < model->d; j++)
		if (model->monotone[j])
			ereport(NOTICE,
					errmsg("the likelihood rises for ever along covariate \"%s\"", names[j]),
					errdetail("The estimates are those of a weak penalty."));
	if (model->state == CRM_COX_NO_EVENT)
		ereport(NOTICE, errmsg("no subscription has ended, so nothing can be estimated"));
	else if (!model->converged)
		ereport(WARNING, errmsg("Cox regression stopped before it converged"),
				errdetail("max_iterations is %d.", report->param.max_iterations),
				errhint("Increase max_iterations."));
}

/* Read options and rows, and fit. */
static Report *
fit(FunctionCallInfo fcinfo, const char *function)
{
	Report *report = palloc0(sizeof(Report));
	CrmDesign *design;

	report->run = crm_run_begin(function);
	report->request.function = function;
	read_options(fcinfo, report);
	report->rows = crm_subscriptions_read(&report->request, &report->run);
	design = report->rows->design;
	report->data = (CrmCoxData){.columns = design->matrix.columns,
								.entry = report->rows->entry,
								.time = report->rows->time,
								.event = report->rows->event,
								.stratum = report->rows->group,
								.n = report->rows->n,
								.d = design->d};
	check(report, crm_cox_arrange(&design->ctx, &report->data));
	check(report, crm_cox_fit(&design->ctx, &report->data, &report->param, &report->model));
	tell(report);
	return report;
}

/* Close the account and free the memory. */
static void
end_report(Report *report)
{
	report->run.peak_memory = report->run.total_memory = (int64) report->rows->design->ctx.peak;
	crm_run_end(&report->run);
	MemoryContextDelete(report->rows->design->memory);
}

/* Set the facts of the fit, the same in all rows. */
static void
set_facts(Datum *values, bool *nulls, const Report *report)
{
	const CrmCoxModel *model = &report->model;
	const CrmRowCount *rows = &report->run.rows;
	bool has = model->state != CRM_COX_NO_EVENT && model->rank > 0;
	double ratio = has ? 2 * (model->log_likelihood - model->null_log_likelihood) : NAN;

	values[15] = Int64GetDatum(rows->read);
	values[16] = Int64GetDatum(rows->used);
	values[17] = Int64GetDatum(rows->read - rows->used);
	values[18] = Int64GetDatum((int64) model->events);
	crm_result_number(values, nulls, 19, model->log_likelihood);
	crm_result_number(values, nulls, 20, model->null_log_likelihood);
	crm_result_number(values, nulls, 21, ratio);
	crm_result_number(values, nulls, 22, crm_chi_squared_upper(ratio, model->rank));
	crm_result_number(values, nulls, 23, has ? model->wald : NAN);
	crm_result_number(values, nulls, 24, has ? model->score : NAN);
	values[25] = Int32GetDatum(model->rank);
	crm_result_number(values, nulls, 26, model->concordance);
	crm_result_number(values, nulls, 27, model->concordance_error);
	crm_result_number(values, nulls, 28, has ? model->zph_global : NAN);
	crm_result_number(values, nulls, 29,
					  has ? crm_chi_squared_upper(model->zph_global, model->rank) : NAN);
	values[30] = Int32GetDatum(model->iterations);
	values[31] = BoolGetDatum(model->converged);
	crm_result_text(values, nulls, 32, state_list[model->state]);
	crm_result_text(values, nulls, 33, ties_list[report->param.efron ? 0 : 1]);
	values[34] = Int32GetDatum(report->rows->groups);
}

PG_FUNCTION_INFO_V1(crm_cox_fit_1_0);
/* crm.cox_fit(source, covariates, ...): a row a covariate; see doc/survival.md */
Datum
crm_cox_fit_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, COLUMNS);
	Report *report = fit(fcinfo, "crm.cox_fit");
	const CrmCoxModel *model = &report->model;
	const double reach = crm_normal_quantile(0.975);

	for (int j = 0; j < model->d; j++)
	{
		double estimate = model->estimate[j], error = model->error[j];
		Datum values[COLUMNS];
		bool nulls[COLUMNS] = {false};

		values[0] = Int32GetDatum(j + 1);
		crm_result_text(values, nulls, 1, report->rows->design->names[j]);
		crm_result_number(values, nulls, 2, estimate);
		crm_result_number(values, nulls, 3, error);
		crm_result_number(values, nulls, 4, estimate / error);
		crm_result_number(values, nulls, 5, crm_normal_two_sided(estimate / error));
		crm_result_number(values, nulls, 6, exp(estimate));
		crm_result_number(values, nulls, 7, exp(estimate - reach * error));
		crm_result_number(values, nulls, 8, exp(estimate + reach * error));
		crm_result_number(values, nulls, 9, model->mean[j]);
		crm_result_number(values, nulls, 10, estimate * model->scale[j]);
		crm_result_text(values, nulls, 11, column_list[model->column[j]]);
		values[12] = BoolGetDatum(model->monotone[j]);
		crm_result_number(values, nulls, 13, model->zph[j]);
		crm_result_number(values, nulls, 14, crm_chi_squared_upper(model->zph[j], 1));
		set_facts(values, nulls, report);
		crm_result_row(&result, values, nulls);
	}
	end_report(report);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(crm_cox_baseline_1_0);
/* crm.cox_baseline(source, covariates, ...): a row a stratum and time; see doc/survival.md */
Datum
crm_cox_baseline_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 4);
	Report *report = fit(fcinfo, "crm.cox_baseline");
	const CrmCoxModel *model = &report->model;

	for (size_t i = 0; i < model->baselines; i++)
	{
		const CrmCoxBaseline *baseline = &model->baseline[i];
		Datum values[4];
		bool nulls[4] = {false};

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		crm_result_text(values, nulls, 0,
						report->rows->group != NULL
							? report->rows->labels[(int) report->data.stratum[baseline->row]]
							: NULL);
		values[1] = Float8GetDatum(baseline->time);
		values[2] = Float8GetDatum(baseline->hazard);
		values[3] = Float8GetDatum(exp(-baseline->hazard));
		crm_result_row(&result, values, nulls);
	}
	end_report(report);
	PG_RETURN_NULL();
}

/* Give the elements of argument i, a float8[]; empty is allowed, a null is 0 or an error. */
static const double *
read_vector(FunctionCallInfo fcinfo, int i, const char *name, bool zero_for_null, int *n)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(i);
	Datum *values;
	bool *nulls;
	double *vector;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("%s must have one dimension", name),
				errdetail("Got %d dimensions.", ARR_NDIM(array)));
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values,
					  &nulls, n);
	vector = palloc(Max(*n, 1) * sizeof(double));
	for (int k = 0; k < *n; k++)
	{
		if (nulls[k] && !zero_for_null)
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("%s must not contain a null", name));
		vector[k] = nulls[k] ? 0 : DatumGetFloat8(values[k]);
	}
	return vector;
}

/* Raise an error for lists whose lengths differ. */
static void
check_lengths(const char *name, int n, const char *other, int m)
{
	if (n != m)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("%s and %s must have the same number of elements", name, other),
				errdetail("Got %d and %d.", n, m));
}

PG_FUNCTION_INFO_V1(crm_cox_predict_1_0);
/* crm.cox_predict(times, hazards, coefficients, means, features, at, since): a probability */
Datum
crm_cox_predict_1_0(PG_FUNCTION_ARGS)
{
	int times, hazards, d, means, features;
	const double *time = read_vector(fcinfo, 0, "times", false, &times);
	const double *hazard = read_vector(fcinfo, 1, "hazards", false, &hazards);
	const double *b = read_vector(fcinfo, 2, "coefficients", true, &d);
	const double *mean = read_vector(fcinfo, 3, "means", false, &means);
	const double *x = read_vector(fcinfo, 4, "features", false, &features);

	check_lengths("times", times, "hazards", hazards);
	check_lengths("coefficients", d, "means", means);
	check_lengths("coefficients", d, "features", features);
	for (int i = 1; i < times; i++)
		if (!(time[i] > time[i - 1]))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("times must ascend"),
					errdetail("Element %d is %g.", i + 1, time[i]));
	PG_RETURN_FLOAT8(crm_cox_predict(time, hazard, times, crm_cox_score(b, mean, x, d),
									 PG_GETARG_FLOAT8(6), PG_GETARG_FLOAT8(5)));
}
