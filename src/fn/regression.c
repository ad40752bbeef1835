/*
 * regression.c: crm.logistic_fit, crm.linear_fit and the scalars that predict from their
 * coefficients.
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "kernel/base/distribution.h"
#include "kernel/linear.h"
#include "kernel/logistic.h"
#include "pg/args.h"
#include "pg/response.h"
#include "pg/results.h"

#define INTERCEPT "(intercept)"

static const char *const class_weight_list[] = {"none", "balanced"};
static const CrmWords class_weight_words = {"class_weight", "values of class_weight",
											class_weight_list, lengthof(class_weight_list)};
static const char *const column_list[] = {NULL, "constant", "collinear"};
static const char *const state_list[] = {"fitted", "separated", "one class"};

/* Read the source: arguments 0 to 2 are source, response and features, `weight` that of weights. */
static CrmDesign *
read_source(FunctionCallInfo fcinfo, int weight, CrmResponse *response, CrmRun *run)
{
	crm_arg_require(fcinfo, 0, "source");
	response->source = crm_arg_text(fcinfo, 0);
	response->name = crm_response_name(fcinfo, 1, response->what);
	if (!PG_ARGISNULL(2))
		response->names = crm_arg_names(fcinfo, 2, "features", &response->n_names);
	response->weight = crm_arg_text(fcinfo, weight);
	response->max_names = CRM_LOGISTIC_MAX_FEATURES;
	return crm_response_read(response, run);
}

/* Raise the error that a kernel's status stands for, if it stands for one. */
static void
check(const CrmDesign *design, CrmStatus status, const char *what)
{
	crm_response_check(&design->ctx, status, what, design->matrix.n, design->d);
}

/* Tell of columns that were dropped. */
static void
tell_dropped(const CrmRun *run, const CrmDesign *design, const unsigned char *column)
{
	for (int j = 1; j <= design->d; j++)
		if (column[j] != 0)
			ereport(NOTICE, errmsg("%s dropped the %s feature \"%s\"", run->function,
								   column_list[column[j]], design->names[j - 1]));
}

/* Close the account and free the memory. */
static void
end_run(CrmRun *run, CrmDesign *design)
{
	run->peak_memory = run->total_memory = (int64) design->ctx.peak;
	crm_run_end(run);
	MemoryContextDelete(design->memory);
}

/* Set the columns that count rows, from at on. */
static void
set_rows(Datum *values, int at, const CrmRowCount *rows)
{
	values[at] = Int64GetDatum(rows->read);
	values[at + 1] = Int64GetDatum(rows->used);
	values[at + 2] = Int64GetDatum(rows->read - rows->used);
}

enum
{
	LOGISTIC_COLUMNS = 23
};

/* Write a row a coefficient. */
static void
write_logistic(const CrmResult *result, const CrmDesign *design, const CrmLogisticModel *model,
			   const CrmRun *run)
{
	const double reach = crm_normal_quantile(0.975);
	Datum values[LOGISTIC_COLUMNS];
	bool nulls[LOGISTIC_COLUMNS];

	for (int j = 0; j <= model->d; j++)
	{
		double estimate = model->estimate[j], error = model->error[j];

		memset(nulls, 0, sizeof nulls);
		values[0] = Int32GetDatum(j);
		crm_result_text(values, nulls, 1, j == 0 ? INTERCEPT : design->names[j - 1]);
		crm_result_number(values, nulls, 2, estimate);
		crm_result_number(values, nulls, 3, error);
		crm_result_number(values, nulls, 4, estimate / error);
		crm_result_number(values, nulls, 5, crm_normal_two_sided(estimate / error));
		crm_result_number(values, nulls, 6, exp(estimate));
		crm_result_number(values, nulls, 7, exp(estimate - reach * error));
		crm_result_number(values, nulls, 8, exp(estimate + reach * error));
		crm_result_number(values, nulls, 9, j == 0 ? NAN : estimate * model->scale[j]);
		crm_result_text(values, nulls, 10, column_list[model->column[j]]);
		values[11] = BoolGetDatum(model->separates[j]);
		set_rows(values, 12, &run->rows);
		values[15] = Int64GetDatum((int64) model->yes);
		crm_result_number(values, nulls, 16, model->deviance);
		crm_result_number(values, nulls, 17, model->null_deviance);
		crm_result_number(values, nulls, 18, model->log_likelihood);
		crm_result_number(values, nulls, 19, model->aic);
		values[20] = Int32GetDatum(model->iterations);
		values[21] = BoolGetDatum(model->converged);
		crm_result_text(values, nulls, 22, state_list[model->state]);
		crm_result_row(result, values, nulls);
	}
}

/* Say what is to be said of a logistic fit. */
static void
tell_logistic(const CrmRun *run, const CrmDesign *design, const CrmLogisticModel *model,
			  const CrmLogisticParam *param)
{
	tell_dropped(run, design, model->column);
	for (int j = 1; j <= model->d; j++)
		if (model->separates[j])
			ereport(NOTICE, errmsg("feature \"%s\" separates the labels", design->names[j - 1]),
					errdetail("A maximum of the likelihood does not exist; the estimates are those "
							  "of a weak penalty."));
	if (model->state == CRM_LOGISTIC_ONE_CLASS)
		ereport(NOTICE, errmsg("all labels are the same, so there is nothing to tell apart"));
	else if (!model->converged)
		ereport(WARNING, errmsg("logistic regression stopped before it converged"),
				errdetail("max_iterations is %d.", param->max_iterations),
				errhint("Increase max_iterations, or give a penalty."));
}

PG_FUNCTION_INFO_V1(crm_logistic_fit_1_0);
/* crm.logistic_fit(source, label, features, ...): a row a coefficient; see doc/regression.md */
Datum
crm_logistic_fit_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, LOGISTIC_COLUMNS);
	CrmRun run = crm_run_begin("crm.logistic_fit");
	CrmResponse response = {
		.what = "label",
		.is_binary = true,
		.row_bytes = (crm_logistic_bytes(2000000, 1) - crm_logistic_bytes(1000000, 1)) / 1000000};
	CrmLogisticParam param;
	CrmLogisticModel model;
	CrmLogisticData data;
	CrmDesign *design;

	crm_logistic_defaults(&param);
	param.penalty = crm_arg_double(fcinfo, 3, "penalty", 0, 1e100);
	param.l1_ratio = crm_arg_double(fcinfo, 4, "l1_ratio", 0, 1);
	param.balanced = crm_arg_word(fcinfo, 5, &class_weight_words) == 1;
	param.max_iterations = (int) crm_arg_int(fcinfo, 6, "max_iterations", 1, PG_INT32_MAX);
	param.tolerance = crm_arg_double(fcinfo, 7, "tolerance", 1e-300, 1);
	design = read_source(fcinfo, 8, &response, &run);
	crm_design_check_memory(design, "logistic regression");
	data = (CrmLogisticData){
		.columns = design->matrix.columns,
		.label = design->matrix.columns[design->d],
		.weights = response.weight != NULL ? design->matrix.columns[design->d + 1] : NULL,
		.n = design->matrix.n,
		.d = design->d};
	check(design, crm_logistic_arrange(&design->ctx, &data), "logistic regression");
	check(design, crm_logistic_fit(&design->ctx, &data, &param, &model), "logistic regression");
	tell_logistic(&run, design, &model, &param);
	write_logistic(&result, design, &model, &run);
	end_run(&run, design);
	PG_RETURN_NULL();
}

enum
{
	LINEAR_COLUMNS = 21
};

/* Write a row a coefficient. */
static void
write_linear(const CrmResult *result, const CrmDesign *design, const CrmLinearModel *model,
			 const CrmRun *run)
{
	const double reach = crm_student_quantile(0.975, model->df);
	Datum values[LINEAR_COLUMNS];
	bool nulls[LINEAR_COLUMNS];

	for (int j = 0; j <= model->d; j++)
	{
		double estimate = model->estimate[j], error = model->error[j];

		memset(nulls, 0, sizeof nulls);
		values[0] = Int32GetDatum(j);
		crm_result_text(values, nulls, 1, j == 0 ? INTERCEPT : design->names[j - 1]);
		crm_result_number(values, nulls, 2, estimate);
		crm_result_number(values, nulls, 3, error);
		crm_result_number(values, nulls, 4, estimate / error);
		crm_result_number(values, nulls, 5, crm_student_two_sided(estimate / error, model->df));
		crm_result_number(values, nulls, 6, estimate - reach * error);
		crm_result_number(values, nulls, 7, estimate + reach * error);
		crm_result_number(values, nulls, 8, j == 0 ? NAN : estimate * model->scale[j]);
		crm_result_text(values, nulls, 9, column_list[model->column[j]]);
		set_rows(values, 10, &run->rows);
		crm_result_number(values, nulls, 13, model->r_squared);
		crm_result_number(values, nulls, 14, model->adjusted_r_squared);
		crm_result_number(values, nulls, 15, model->sigma);
		crm_result_number(values, nulls, 16, Max(model->df, 0));
		crm_result_number(values, nulls, 17, model->f);
		crm_result_number(values, nulls, 18, crm_f_upper(model->f, model->rank - 1, model->df));
		crm_result_number(values, nulls, 19, model->log_likelihood);
		crm_result_number(values, nulls, 20, model->aic);
		crm_result_row(result, values, nulls);
	}
}

PG_FUNCTION_INFO_V1(crm_linear_fit_1_0);
/* crm.linear_fit(source, response, features, weight): a row a coefficient; see doc/regression.md */
Datum
crm_linear_fit_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, LINEAR_COLUMNS);
	CrmRun run = crm_run_begin("crm.linear_fit");
	CrmResponse response = {
		.what = "response",
		.row_bytes = (crm_linear_bytes(2000000, 1) - crm_linear_bytes(1000000, 1)) / 1000000};
	CrmDesign *design = read_source(fcinfo, 3, &response, &run);
	CrmLinearModel model;
	CrmLinearData data;

	crm_design_check_memory(design, "linear regression");
	data = (CrmLinearData){
		.columns = design->matrix.columns,
		.response = design->matrix.columns[design->d],
		.weights = response.weight != NULL ? design->matrix.columns[design->d + 1] : NULL,
		.n = design->matrix.n,
		.d = design->d};
	check(design, crm_linear_arrange(&design->ctx, &data), "linear regression");
	check(design, crm_linear_fit(&design->ctx, &data, &model), "linear regression");
	tell_dropped(&run, design, model.column);
	write_linear(&result, design, &model, &run);
	end_run(&run, design);
	PG_RETURN_NULL();
}

/* Give the elements of a float8[] of one dimension; a null gives `missing`, and *has_null. */
static double *
read_vector(ArrayType *array, const char *name, double missing, bool *has_null, int *n)
{
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
	*has_null = false;
	for (int i = 0; i < *n; i++)
	{
		*has_null |= nulls[i];
		vector[i] = nulls[i] ? missing : DatumGetFloat8(values[i]);
	}
	return vector;
}

/* Predict by a model: coefficients with the intercept first, a null of a dropped column, and
 * features. */
static Datum
predict(FunctionCallInfo fcinfo, double (*model)(const double *, const double *, int))
{
	bool dropped, has_null;
	int n, d;
	double *coefficients = read_vector(PG_GETARG_ARRAYTYPE_P(0), "coefficients", NAN, &dropped, &n);
	double *features = read_vector(PG_GETARG_ARRAYTYPE_P(1), "features", NAN, &has_null, &d);

	if (n != d + 1)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("coefficients must have one element more than features"),
				errdetail("Got %d coefficients and %d features.", n, d),
				errhint("The first coefficient is the intercept."));
	if (has_null)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(model(coefficients, features, d));
}

PG_FUNCTION_INFO_V1(crm_logistic_predict_1_0);
/* crm.logistic_predict(coefficients, features): a probability */
Datum
crm_logistic_predict_1_0(PG_FUNCTION_ARGS)
{
	return predict(fcinfo, crm_logistic_predict);
}

PG_FUNCTION_INFO_V1(crm_linear_predict_1_0);
/* crm.linear_predict(coefficients, features): a number */
Datum
crm_linear_predict_1_0(PG_FUNCTION_ARGS)
{
	return predict(fcinfo, crm_linear_predict);
}
