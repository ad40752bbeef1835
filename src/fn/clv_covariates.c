/*
 * clv_covariates.c: crm.clv_covariates, Pareto/NBD whose rates depend on what is known of a
 * customer, and crm.paretonbd_scale, which gives the parameters of one customer.
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "kernel/base/distribution.h"
#include "kernel/clv.h"
#include "kernel/paretonbd_covariates.h"
#include "pg/args.h"
#include "pg/features.h"
#include "pg/memory.h"
#include "pg/results.h"
#include "pg/source.h"
#include "pg/transactions.h"

#define FUNCTION "crm.clv_covariates"
#define COLUMNS  29

enum
{
	ARG_SOURCE, /* or the key, and the source last */
	ARG_COVARIATES,
	ARG_PURCHASE,
	ARG_DROPOUT,
	ARG_AS_OF,
	ARG_PERIOD,
	ARG_REFUNDS,
	ARG_PENALTY,
	ARG_LEVEL
};

static const char *const process_list[] = {"purchase", "dropout"};
static const char *const dropped_list[] = {NULL, "constant", "collinear", NULL};

/* A report in the making. */
typedef struct Work
{
	CrmOrdersRequest request;
	CrmFeaturesRequest covariates_request;
	CrmRun run;
	CrmOrdersState *orders;
	CrmFeatures *covariates;
	char **names[CRM_PROCESSES]; /* of the covariates; NULL: every one there is */
	CrmCovariatesData data;
	int64 customers; /* with an order */
	int64 orphans;   /* rows of covariates of nobody with an order */
	double *column;  /* of the data: x, t_x, T, then the covariates, `customers` of each */
	double level;
	CrmCovariatesParam param;
	CrmCovariatesModel model;
} Work;

/* ---- options ----------------------------------------------------------------------------- */

/* Read the names for a process: NULL is every covariate, an empty list none. */
static void
read_names(FunctionCallInfo fcinfo, int i, CrmProcess p, Work *work)
{
	if (PG_ARGISNULL(i))
		return;
	if (ARR_NDIM(PG_GETARG_ARRAYTYPE_P(i)) == 0)
		work->names[p] = palloc(sizeof(char *));
	else
		work->names[p] = crm_arg_names(fcinfo, i, process_list[p], &work->data.d[p]);
}

/* Give the names of both processes, each once; NULL when one of them takes every covariate. */
static char **
union_of_names(const Work *work, int *n)
{
	char **names = palloc((work->data.d[0] + work->data.d[1] + 1) * sizeof(char *));

	*n = 0;
	for (int p = 0; p < CRM_PROCESSES; p++)
	{
		if (work->names[p] == NULL)
		{
			*n = 0;
			return NULL;
		}
		for (int j = 0; j < work->data.d[p]; j++)
		{
			int k = 0;

			while (k < *n && strcmp(names[k], work->names[p][j]) != 0)
				k++;
			if (k == *n)
				names[(*n)++] = work->names[p][j];
		}
	}
	return names;
}

/* Read the options; at is the place of source. */
static void
read_options(FunctionCallInfo fcinfo, Work *work)
{
	CrmOrdersRequest *request = &work->request;
	CrmFeaturesRequest *covariates = &work->covariates_request;

	memset(work, 0, sizeof(Work));
	work->run = crm_run_begin(FUNCTION);
	request->function = covariates->function = FUNCTION;
	request->source = crm_arg_source(fcinfo, &request->key_type);
	covariates->key_type = request->key_type;
	crm_arg_require(fcinfo, ARG_COVARIATES, "covariates");
	covariates->source = crm_arg_text(fcinfo, ARG_COVARIATES);
	crm_transactions_as_of(fcinfo, ARG_AS_OF, request);
	crm_transactions_period(fcinfo, ARG_PERIOD, request);
	crm_transactions_refunds(fcinfo, ARG_REFUNDS, request);
	work->param.penalty = crm_arg_double(fcinfo, ARG_PENALTY, "penalty", 0.0, 1e6);
	work->level = crm_arg_double(fcinfo, ARG_LEVEL, "level", 0.001, 0.999);
	read_names(fcinfo, ARG_PURCHASE, CRM_PURCHASE, work);
	read_names(fcinfo, ARG_DROPOUT, CRM_DROPOUT, work);
	covariates->names = union_of_names(work, &covariates->n_names);
	covariates->max_names = CRM_COVARIATES_MAX;
	if (covariates->names != NULL && covariates->n_names == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("arguments \"purchase\" and \"dropout\" must not both be empty"),
				errhint("Name a column of the covariates in one of them; NULL is all of them."));
}

/* ---- data -------------------------------------------------------------------------------- */

/* Read the covariates, and find the columns that each process takes. */
static void
read_covariates(Work *work, int *place[CRM_PROCESSES])
{
	CrmRun run = crm_run_begin(FUNCTION);
	bool of_orders;
	CrmFeatures *covariates;

	crm_source_open();
	of_orders = crm_source_is_name(work->covariates_request.source, &crm_contract_orders);
	crm_source_close();
	if (of_orders)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"covariates\" names a source of orders"),
				errhint("Give a table, view or query with customer_id and numeric columns."));
	covariates = work->covariates = crm_features_read(&work->covariates_request, &run);
	if (covariates->matrix.is_full)
		crm_memory_error(
			crm_features_bytes(covariates), &covariates->ctx, "the covariates",
			psprintf("%zu rows x %d covariates", covariates->matrix.n, covariates->matrix.d),
			"name fewer columns in purchase and dropout");
	for (int p = 0; p < CRM_PROCESSES; p++)
	{
		if (work->names[p] == NULL)
		{
			work->names[p] = covariates->names;
			work->data.d[p] = covariates->matrix.d;
		}
		place[p] = palloc((work->data.d[p] + 1) * sizeof(int));
		for (int j = 0; j < work->data.d[p]; j++)
		{
			int k = 0;

			while (k < covariates->matrix.d && strcmp(covariates->names[k], work->names[p][j]) != 0)
				k++;
			if (k == covariates->matrix.d)
				ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("the covariates have no numeric column \"%s\"", work->names[p][j]));
			place[p][j] = k;
		}
	}
	if (work->data.d[0] + work->data.d[1] > CRM_COVARIATES_MAX)
		ereport(
			ERROR, errcode(ERRCODE_TOO_MANY_COLUMNS),
			errmsg("at most %d covariates can be used in both processes together",
				   CRM_COVARIATES_MAX),
			errdetail("Got %d of purchase and %d of dropout.", work->data.d[0], work->data.d[1]),
			errhint("Name those to use in purchase and dropout."));
}

/* Index the rows of covariates by customer: the payload is the row + 1. */
static void
index_covariates(Work *work, CrmTable *table)
{
	CrmOrdersState *orders = work->orders;
	const CrmFeatures *covariates = work->covariates;
	MemoryContext row_memory =
		AllocSetContextCreate(CurrentMemoryContext, "crm covariates row", ALLOCSET_SMALL_SIZES);

	crm_orders_check(orders,
					 crm_table_init(table, &orders->ctx, orders->key_type.kind, sizeof(uint64)));
	table->equal = orders->customers.table.equal;
	table->equal_user = orders->customers.table.equal_user;
	for (size_t i = 0; i < covariates->matrix.n; i++)
	{
		MemoryContext caller = MemoryContextSwitchTo(row_memory);
		Datum room;
		CrmKey key =
			crm_key_from_datum(&orders->key_type, crm_keylist_get(&covariates->keys, i), &room);
		uint64 *payload;
		void *row;

		CHECK_FOR_INTERRUPTS();
		crm_orders_check(orders, crm_table_find(table, &key, 1, &row));
		MemoryContextSwitchTo(caller);
		MemoryContextReset(row_memory);
		payload = (uint64 *) ((char *) row + table->key_size);
		if (*payload != 0)
			ereport(ERROR, errcode(ERRCODE_CARDINALITY_VIOLATION),
					errmsg("the covariates have more than one row for a customer"),
					errhint("Give a query with one row for each customer_id."));
		*payload = i + 1;
	}
	MemoryContextDelete(row_memory);
}

/* Give the row of covariates of customer i of the orders, or -1. */
static int64
find_covariates(Work *work, CrmTable *table, uint32 i)
{
	CrmKey key = crm_table_key(&work->orders->customers.table, i);
	void *row;

	if (table->kind == CRM_KEY_INT64)
		key = crm_key_int64(key.integer);
	else if (table->kind == CRM_KEY_UUID)
		key = crm_key_uuid(key.half);
	crm_orders_check(work->orders, crm_table_find(table, &key, 1, &row));
	return *(int64 *) ((char *) row + table->key_size) - 1;
}

/* Put the customers who have both orders and covariates into columns. */
static void
join_covariates(Work *work)
{
	CrmOrdersState *orders = work->orders;
	const CrmMatrix *matrix = &work->covariates->matrix;
	CrmTransactionsReader reader;
	CrmTable table;
	uint32 n = orders->customers.table.n;
	size_t kept = 0;
	double *column;

	index_covariates(work, &table);
	work->column = column =
		crm_orders_allocate(orders, (3 + (size_t) matrix->d) * n, sizeof(double));
	crm_transactions_begin(&reader, orders, &work->request);
	for (uint32 i = 0; i < n; i++)
	{
		CrmTransactions one;
		int64 row;

		CHECK_FOR_INTERRUPTS();
		crm_transactions_get(&reader, i, &one);
		if (one.x < 0)
			continue;
		work->customers++;
		row = find_covariates(work, &table, i);
		if (row < 0)
			continue;
		column[kept] = (double) one.x;
		column[(size_t) n + kept] = one.t_x;
		column[2 * (size_t) n + kept] = one.t;
		for (int j = 0; j < matrix->d; j++)
			column[(3 + (size_t) j) * n + kept] = matrix->columns[j][row];
		kept++;
	}
	work->orphans = (int64) (matrix->n - kept);
	work->data.n = kept;
	work->data.x = column;
	work->data.t_x = column + n;
	work->data.t = column + 2 * (size_t) n;
}

/* Read orders and covariates into the data of the kernel. */
static void
read_data(Work *work)
{
	int *place[CRM_PROCESSES];
	size_t n;

	read_covariates(work, place);
	work->orders = crm_orders_read(&work->request, &work->run);
	n = work->orders->customers.table.n;
	work->orders->ctx.used += work->covariates->ctx.used;
	join_covariates(work);
	work->orders->ctx.used -= work->covariates->ctx.used;
	for (int p = 0; p < CRM_PROCESSES; p++)
	{
		const double **columns = palloc((work->data.d[p] + 1) * sizeof(double *));

		for (int j = 0; j < work->data.d[p]; j++)
			columns[j] = work->column + (3 + (size_t) place[p][j]) * n;
		work->data.column[p] = columns;
	}
}

/* ---- rows -------------------------------------------------------------------------------- */

/* Write a float8, or NULL when it is not finite. */
static void
put_finite(Datum *values, bool *nulls, int i, double value)
{
	values[i] = Float8GetDatum(value);
	nulls[i] = !isfinite(value);
}

/* Write a test: chi-square, degrees of freedom, p. */
static void
put_test(Datum *values, bool *nulls, int i, const CrmCovariatesTest *test)
{
	put_finite(values, nulls, i, test->chi_squared);
	values[i + 1] = Int32GetDatum(test->df);
	put_finite(values, nulls, i + 2, crm_chi_squared_upper(test->chi_squared, test->df));
}

/* Say in a sentence how the fit went. */
static char *
fit_message(const Work *work)
{
	StringInfoData text;

	if (work->model.status == CRM_FIT_CONVERGED)
		return pstrdup("converged");
	if (work->model.status == CRM_FIT_NOT_CONVERGED)
		return pstrdup("the best point found; its gradient is not yet flat");
	if (work->model.status == CRM_FIT_INSUFFICIENT)
		return pstrdup("too few customers with covariates and a repeat transaction to fit a model");
	initStringInfo(&text);
	for (int p = 0; p < CRM_PROCESSES; p++)
		for (int j = 0; j < work->data.d[p]; j++)
			if (work->model.covariate[p][j].state == CRM_COVARIATE_AT_BOUND)
				appendStringInfo(&text, "%s\"%s\" on %s", text.len > 0 ? ", " : "the effect of ",
								 work->names[p][j], process_list[p]);
	if (text.len == 0)
		return pstrdup("a parameter stands at the bound of its search: the data tell no more than "
					   "that it is extreme");
	appendStringInfoString(&text, " stands at the bound of its search: the data set it no limit");
	return text.data;
}

/* Fill in the columns that all rows share. */
static void
put_facts(const Work *work, Datum *values, bool *nulls)
{
	const CrmCovariatesModel *model = &work->model;

	put_finite(values, nulls, 14, model->log_likelihood);
	put_finite(values, nulls, 15, model->of_all.log_likelihood);
	put_test(values, nulls, 16, &model->of_all);
	put_finite(values, nulls, 19, model->aic);
	put_finite(values, nulls, 20, model->bic);
	values[21] = Int64GetDatum(work->customers);
	values[22] = Int64GetDatum((int64) work->data.n);
	values[23] = Int64GetDatum(work->customers - (int64) work->data.n);
	values[24] = Int32GetDatum(model->iterations);
	put_finite(values, nulls, 25, model->gradient_norm);
	values[26] =
		BoolGetDatum(model->status == CRM_FIT_CONVERGED || model->status == CRM_FIT_AT_BOUND);
	values[27] = CStringGetTextDatum(crm_fit_status_word(model->status));
	values[28] = CStringGetTextDatum(fit_message(work));
}

/* Write the rows: for each process its two parameters, then its covariates. */
static void
put_rows(const CrmResult *result, const Work *work)
{
	static const char *const parameter_list[] = {"(r)", "(alpha)", "(s)", "(beta)"};
	const CrmCovariatesModel *model = &work->model;
	const double parameter[] = {model->parameter.r, model->parameter.alpha, model->parameter.s,
								model->parameter.beta};
	double reach = crm_clv_z(work->level);
	Datum values[COLUMNS];
	bool nulls[COLUMNS] = {false};
	int position = 0;

	put_facts(work, values, nulls);
	for (int p = 0; p < CRM_PROCESSES; p++)
		for (int j = -2; j < work->data.d[p]; j++)
		{
			int i = 2 * p + j + 2;
			double estimate = j < 0 ? parameter[i] : model->estimate[p][j];
			double error = j < 0 ? model->error[i] : model->estimate_error[p][j];
			double z = j < 0 ? NAN : estimate / error;
			double factor = j < 0 ? exp(reach * error / estimate) : NAN;
			const char *dropped = j < 0 ? NULL : dropped_list[model->covariate[p][j].state];

			values[0] = Int32GetDatum(position++);
			values[1] = CStringGetTextDatum(process_list[p]);
			values[2] = CStringGetTextDatum(j < 0 ? parameter_list[i] : work->names[p][j]);
			put_finite(values, nulls, 3, estimate);
			put_finite(values, nulls, 4, error);
			put_finite(values, nulls, 5, z);
			put_finite(values, nulls, 6, crm_normal_two_sided(z));
			put_finite(values, nulls, 7, j < 0 ? estimate / factor : estimate - reach * error);
			put_finite(values, nulls, 8, j < 0 ? estimate * factor : estimate + reach * error);
			put_finite(values, nulls, 9, j < 0 ? NAN : exp(estimate));
			nulls[10] = dropped == NULL;
			values[10] = nulls[10] ? (Datum) 0 : CStringGetTextDatum(dropped);
			put_test(values, nulls, 11, &model->of_process[p]);
			crm_result_row(result, values, nulls);
		}
}

/* Say what was left out, and what did not go well. */
static void
tell(const Work *work)
{
	int64 without = work->customers - (int64) work->data.n;

	if (without > 0)
		ereport(NOTICE,
				errmsg("%s left out %lld of %lld customers", FUNCTION, (long long) without,
					   (long long) work->customers),
				errdetail("They have no row of covariates that are all finite numbers."));
	if (work->orphans > 0)
		ereport(NOTICE, errmsg("%lld of %lld rows of covariates are of customers without an order",
							   (long long) work->orphans, (long long) work->covariates->matrix.n));
	for (int p = 0; p < CRM_PROCESSES; p++)
		for (int j = 0; j < work->data.d[p]; j++)
			if (dropped_list[work->model.covariate[p][j].state] != NULL)
				ereport(NOTICE, errmsg("%s dropped the %s covariate \"%s\" of %s", FUNCTION,
									   dropped_list[work->model.covariate[p][j].state],
									   work->names[p][j], process_list[p]));
	if (work->model.status == CRM_FIT_NOT_CONVERGED)
		ereport(WARNING, errmsg("%s did not converge", FUNCTION),
				errhint("Give a penalty, or name fewer covariates."));
}

PG_FUNCTION_INFO_V1(crm_clv_covariates_1_0);
/* crm.clv_covariates([key,] ...): a row a coefficient; see doc/clv_covariates.md */
Datum
crm_clv_covariates_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, COLUMNS);
	Work work;

	read_options(fcinfo, &work);
	read_data(&work);
	crm_orders_check(work.orders,
					 crm_covariates_fit(&work.orders->ctx, &work.data, &work.param, &work.model));
	tell(&work);
	put_rows(&result, &work);
	crm_orders_memory(work.orders, &work.run);
	crm_run_end(&work.run);
	MemoryContextDelete(work.orders->memory);
	MemoryContextDelete(work.covariates->memory);
	PG_RETURN_NULL();
}

/* Give the elements of a float8[]; a null is NaN, and *has_null tells. */
static double *
read_vector(ArrayType *array, const char *name, bool *has_null, int *n)
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
	vector = palloc((*n + 1) * sizeof(double));
	*has_null = false;
	for (int i = 0; i < *n; i++)
	{
		*has_null |= nulls[i];
		vector[i] = nulls[i] ? NAN : DatumGetFloat8(values[i]);
	}
	return vector;
}

PG_FUNCTION_INFO_V1(crm_paretonbd_scale_1_0);
/* crm.paretonbd_scale(parameter, coefficients, covariates): alpha or beta of a customer */
Datum
crm_paretonbd_scale_1_0(PG_FUNCTION_ARGS)
{
	bool dropped, has_null;
	int n, d;
	double *coefficients = read_vector(PG_GETARG_ARRAYTYPE_P(1), "coefficients", &dropped, &n);
	double *covariates = read_vector(PG_GETARG_ARRAYTYPE_P(2), "covariates", &has_null, &d);

	if (n != d)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("coefficients and covariates must have as many elements as one another"),
				errdetail("Got %d coefficients and %d covariates.", n, d));
	if (has_null)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(crm_covariates_scale(PG_GETARG_FLOAT8(0), coefficients, covariates, n));
}
