/*
 * churn_drivers.c: crm.churn_drivers, what goes with churn: a logistic regression of customers who
 * left on what was known of them, from orders at several cuts or from the caller's own table.
 */
#include "pg/compat.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "kernel/base/distribution.h"
#include "kernel/churn.h"
#include "kernel/drivers.h"
#include "kernel/logistic.h"
#include "pg/args.h"
#include "pg/cuts.h"
#include "pg/memory.h"
#include "pg/response.h"
#include "pg/results.h"

#define INTERCEPT "(intercept)"
#define WHAT      "logistic regression"
#define MOST_CUTS 12
#define ORDERS    "a source of orders, not label_column"

static const char *const column_list[] = {NULL, "constant", "collinear"};
static const char *const state_list[] = {"fitted", "separated", "one class"};

/* A model in the making, and what is told of it. */
typedef struct Drivers
{
	CrmCtx *ctx;
	CrmLogisticData data;
	CrmLogisticParam param;
	CrmLogisticModel model;
	const char **names;                     /* data.d */
	double *error, *importance, *inflation; /* data.d + 1, the intercept first */
	int64 rows;                             /* with those that were skipped */
	int cuts;
	size_t *missing; /* rows that lack each feature; NULL: the caller's own table */
} Drivers;

/* ---- the model --------------------------------------------------------------------------- */

/* Give room for n numbers in the context of the model. */
static double *
allocate(Drivers *drivers, size_t n)
{
	double *room = crm_allocate(drivers->ctx, n, sizeof(double));

	if (room == NULL)
		crm_memory_check(drivers->ctx->failure, drivers->ctx, WHAT,
						 psprintf("%zu rows x %d features", drivers->data.n, drivers->data.d));
	return room;
}

/* Raise the error that a kernel's status stands for, if it stands for one. */
static void
check(const Drivers *drivers, CrmStatus status)
{
	crm_response_check(drivers->ctx, status, WHAT, drivers->data.n, drivers->data.d);
}

/* Find importance and inflation of the columns that the model kept. */
static void
weigh_columns(Drivers *drivers)
{
	const CrmLogisticModel *model = &drivers->model;
	int d = drivers->data.d, kept = 0;
	const double **columns = palloc(Max(d, 1) * sizeof(double *));
	double *found;

	drivers->importance = allocate(drivers, d + 1);
	drivers->inflation = allocate(drivers, d + 1);
	found = allocate(drivers, d + 1);
	for (int j = 0; j < d; j++)
	{
		found[j] = model->estimate[j + 1] * model->scale[j + 1];
		if (model->column[j + 1] == CRM_COLUMN_KEPT && !isnan(model->estimate[j + 1]))
			columns[kept++] = drivers->data.columns[j];
	}
	crm_drivers_importance(found, d, drivers->importance + 1);
	check(drivers, crm_drivers_inflation(drivers->ctx, columns, drivers->data.n, kept, found));
	drivers->importance[0] = drivers->inflation[0] = NAN;
	kept = 0;
	for (int j = 1; j <= d; j++)
		drivers->inflation[j] =
			model->column[j] == CRM_COLUMN_KEPT && !isnan(model->estimate[j]) ? found[kept++] : NAN;
}

/*
 * Fit the model and find what is told of it; with customers[n], errors that know that the rows of a
 * customer are not independent.
 */
static void
fit(Drivers *drivers, const uint32 *customers)
{
	CrmLogisticModel *model = &drivers->model;

	check(drivers, crm_logistic_fit(drivers->ctx, &drivers->data, &drivers->param, model));
	drivers->error = model->error;
	if (customers != NULL)
	{
		drivers->error = allocate(drivers, drivers->data.d + 1);
		check(drivers,
			  crm_drivers_robust(drivers->ctx, &drivers->data, customers, model, drivers->error));
	}
	weigh_columns(drivers);
}

/* Say what is to be said of the fit. */
static void
tell(const Drivers *drivers, const CrmRun *run)
{
	const CrmLogisticModel *model = &drivers->model;

	for (int j = 1; j <= model->d; j++)
	{
		if (model->column[j] != CRM_COLUMN_KEPT)
			ereport(NOTICE, errmsg("%s dropped the %s feature \"%s\"", run->function,
								   column_list[model->column[j]], drivers->names[j - 1]));
		if (model->separates[j])
			ereport(NOTICE, errmsg("feature \"%s\" separates the labels", drivers->names[j - 1]),
					errdetail("A maximum of the likelihood does not exist; the estimates are those "
							  "of a weak penalty."));
	}
	if (model->state == CRM_LOGISTIC_ONE_CLASS)
		ereport(NOTICE, errmsg("all labels are the same, so there is nothing to tell apart"));
	else if (!model->converged)
		ereport(WARNING, errmsg("logistic regression stopped before it converged"),
				errhint("Give a penalty."));
}

/* ---- rows out ---------------------------------------------------------------------------- */

enum
{
	COLUMNS = 24
};

/* Write a row a coefficient. */
static void
write_rows(const CrmResult *result, const Drivers *drivers)
{
	const CrmLogisticModel *model = &drivers->model;
	const double reach = crm_normal_quantile(0.975);
	Datum values[COLUMNS];
	bool nulls[COLUMNS];

	for (int j = 0; j <= model->d; j++)
	{
		double estimate = model->estimate[j], error = drivers->error[j];

		memset(nulls, 0, sizeof nulls);
		values[0] = Int32GetDatum(j);
		crm_result_text(values, nulls, 1, j == 0 ? INTERCEPT : drivers->names[j - 1]);
		crm_result_number(values, nulls, 2, estimate);
		crm_result_number(values, nulls, 3, error);
		crm_result_number(values, nulls, 4, estimate / error);
		crm_result_number(values, nulls, 5, crm_normal_two_sided(estimate / error));
		crm_result_number(values, nulls, 6, exp(estimate));
		crm_result_number(values, nulls, 7, exp(estimate - reach * error));
		crm_result_number(values, nulls, 8, exp(estimate + reach * error));
		crm_result_number(values, nulls, 9, j == 0 ? NAN : estimate * model->scale[j]);
		crm_result_number(values, nulls, 10, drivers->importance[j]);
		crm_result_number(values, nulls, 11, drivers->inflation[j]);
		crm_result_text(values, nulls, 12, column_list[model->column[j]]);
		values[13] = BoolGetDatum(model->separates[j]);
		values[14] = Int64GetDatum(drivers->rows);
		values[15] = Int64GetDatum((int64) drivers->data.n);
		values[16] = Int64GetDatum(drivers->rows - (int64) drivers->data.n);
		nulls[17] = j == 0 || drivers->missing == NULL;
		values[17] = nulls[17] ? (Datum) 0 : Int64GetDatum((int64) drivers->missing[j - 1]);
		values[18] = Int64GetDatum((int64) model->yes);
		values[19] = Int32GetDatum(drivers->cuts);
		nulls[19] = drivers->missing == NULL;
		crm_result_number(values, nulls, 20, model->deviance);
		crm_result_number(values, nulls, 21, model->null_deviance);
		values[22] = BoolGetDatum(model->converged);
		crm_result_text(values, nulls, 23, state_list[model->state]);
		crm_result_row(result, values, nulls);
	}
}

/* ---- the caller's own table --------------------------------------------------------------- */

enum
{
	ARG_SOURCE, /* or the key, and the source last */
	ARG_AS_OF,
	ARG_HORIZON,
	ARG_FEATURES,
	ARG_LABEL,
	ARG_CUTS,
	ARG_PENALTY,
	ARG_LABEL_COLUMN,
	ARG_FEATURE_COLUMNS
};

/* Fit to the rows of a table that has a column of labels; give the memory to be dropped. */
static MemoryContext
fit_table(FunctionCallInfo fcinfo, Drivers *drivers, CrmRun *run)
{
	CrmResponse response = {
		.what = "label",
		.is_binary = true,
		.max_names = CRM_LOGISTIC_MAX_FEATURES,
		.row_bytes = (crm_logistic_bytes(2000000, 1) - crm_logistic_bytes(1000000, 1)) / 1000000};
	CrmDesign *design;

	response.source = crm_arg_source_required(fcinfo, NULL);
	response.name = crm_response_name(fcinfo, ARG_LABEL_COLUMN, "label_column");
	crm_arg_refuse(fcinfo, ARG_AS_OF, "as_of", ORDERS);
	crm_arg_refuse(fcinfo, ARG_FEATURES, "features", ORDERS);
	crm_arg_refuse(fcinfo, ARG_LABEL, "label", ORDERS);
	crm_arg_refuse(fcinfo, ARG_CUTS, "cuts", ORDERS);
	if (!PG_ARGISNULL(ARG_FEATURE_COLUMNS))
		response.names =
			crm_arg_names(fcinfo, ARG_FEATURE_COLUMNS, "feature_columns", &response.n_names);
	design = crm_response_read(&response, run);
	crm_design_check_memory(design, WHAT);
	drivers->ctx = &design->ctx;
	drivers->names = (const char **) design->names;
	drivers->rows = run->rows.read;
	drivers->data = (CrmLogisticData){.columns = design->matrix.columns,
									  .label = design->matrix.columns[design->d],
									  .n = design->matrix.n,
									  .d = design->d};
	check(drivers, crm_logistic_arrange(drivers->ctx, &drivers->data));
	fit(drivers, NULL);
	return design->memory;
}

/* ---- orders ------------------------------------------------------------------------------- */

/* Take the rows of customers at cuts; a feature that is missing counts as its mean. */
static void
take_rows(Drivers *drivers, const CrmSnapshotRows *rows)
{
	CrmChurnRows filled = {
		.columns = rows->columns, .label = rows->label, .n = rows->n, .d = rows->d};

	drivers->missing = palloc0(Max(rows->d, 1) * sizeof(size_t));
	check(drivers, crm_churn_fill(drivers->ctx, &filled, palloc(Max(rows->d, 1) * sizeof(double)),
								  drivers->missing));
	drivers->rows = (int64) rows->n;
	drivers->data = (CrmLogisticData){
		.columns = rows->columns, .label = rows->label, .n = rows->n, .d = rows->d};
}

/* Fit to customers at cuts in the past; give the memory to be dropped. */
static MemoryContext
fit_orders(FunctionCallInfo fcinfo, Drivers *drivers, CrmRun *run)
{
	CrmSnapshotsRequest request = {.function = run->function};
	CrmSnapshots *snapshots;
	CrmSnapshotRows rows;
	CrmCuts cuts;

	request.source = crm_arg_source(fcinfo, &request.key_type);
	request.as_of = crm_cuts_as_of(fcinfo, ARG_AS_OF);
	crm_arg_require(fcinfo, ARG_HORIZON, "horizon");
	request.horizon = PG_GETARG_INTERVAL_P(ARG_HORIZON);
	request.features = crm_arg_text(fcinfo, ARG_FEATURES);
	request.label = crm_arg_text(fcinfo, ARG_LABEL);
	cuts = crm_cuts_argument(fcinfo, ARG_CUTS, "cuts");
	crm_arg_refuse(fcinfo, ARG_FEATURE_COLUMNS, "feature_columns", "label_column");
	snapshots = crm_snapshots_read(&request, run);
	if (PG_ARGISNULL(ARG_AS_OF))
		crm_cuts_end_with_orders(snapshots);
	crm_cuts_fit(&cuts, snapshots, MOST_CUTS, "a model of churn");
	crm_snapshots_stack(snapshots, cuts.at, cuts.n, 1.0, 0, &rows);
	drivers->ctx = &snapshots->ctx;
	take_rows(drivers, &rows);
	drivers->cuts = cuts.n;
	drivers->names = palloc(snapshots->d * sizeof(char *));
	for (int f = 0; f < snapshots->d; f++)
		drivers->names[f] = crm_snapshots_name(snapshots, f);
	fit(drivers, rows.customer);
	return snapshots->memory;
}

PG_FUNCTION_INFO_V1(crm_churn_drivers_1_0);
/* crm.churn_drivers([key,] source, ...): a row a coefficient; see doc/churn_drivers.md */
Datum
crm_churn_drivers_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, COLUMNS);
	CrmRun run = crm_run_begin("crm.churn_drivers");
	Drivers drivers = {.cuts = 0};
	MemoryContext memory;

	crm_logistic_defaults(&drivers.param);
	drivers.param.penalty = crm_arg_double(fcinfo, ARG_PENALTY, "penalty", 0, 1e100);
	memory = PG_ARGISNULL(ARG_LABEL_COLUMN) ? fit_orders(fcinfo, &drivers, &run)
											: fit_table(fcinfo, &drivers, &run);
	tell(&drivers, &run);
	write_rows(&result, &drivers);
	run.peak_memory = run.total_memory = (int64) drivers.ctx->peak;
	crm_run_end(&run);
	MemoryContextDelete(memory);
	PG_RETURN_NULL();
}
