/*
 * kmeans_model.c: k-means over rows of the caller's own: the window function crm.kmeans_cluster,
 * the aggregate crm.kmeans_fit, crm.kmeans_predict for its models, and crm.nearest_centroid.
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "windowapi.h"

#include "kernel/kmeans.h"
#include "pg/args.h"
#include "pg/matrix.h"
#include "pg/memory.h"
#include "pg/model.h"

#define MODEL_VERSION 1

/* The options, after features; the last ones may be absent. */
enum
{
	OPTION_K,
	OPTION_SCALE,
	OPTION_TRANSFORM,
	OPTION_SEED
};

typedef struct Options
{
	int k;
	CrmFeatureParam prepare;
	uint64 seed;
} Options;

/* Rows that are collected and then fitted; in a memory context of their own. */
typedef struct Fit
{
	MemoryContext memory;
	CrmCtx ctx;
	Options options;
	CrmMatrix matrix; /* d is 0 until the first row */
	int64 rows;       /* that came, those without usable features included */
	CrmFeature *prepared;
	CrmKmeansData data;
	CrmKmeansModel model;
} Fit;

/* ---- a fit over rows of float8[] --------------------------------------------------------- */

/* Read the options from argument at on, as far as there are arguments. */
static Options
read_options(FunctionCallInfo fcinfo, int at)
{
	int n = PG_NARGS() - at;
	Options options = {.prepare = {.scale = CRM_SCALE_ZSCORE, .low = 0.0, .high = 1.0}, .seed = 42};

	options.k = (int) crm_arg_int(fcinfo, at + OPTION_K, "k", 1, CRM_KMEANS_MAX_K);
	if (n > OPTION_SCALE)
		options.prepare.scale =
			(CrmScale) crm_arg_word(fcinfo, at + OPTION_SCALE, &crm_scale_words);
	if (n > OPTION_TRANSFORM)
		options.prepare.transform =
			(CrmTransform) crm_arg_word(fcinfo, at + OPTION_TRANSFORM, &crm_transform_words);
	if (n > OPTION_SEED)
		options.seed =
			(uint64) crm_arg_int(fcinfo, at + OPTION_SEED, "seed", PG_INT64_MIN, PG_INT64_MAX);
	return options;
}

/* Give the parameters of a fit. */
static CrmKmeansParam
make_param(const Fit *fit)
{
	CrmKmeansParam param;

	crm_kmeans_defaults(&param);
	param.k = fit->options.k;
	param.seed = fit->options.seed;
	return param;
}

/* Begin to collect rows, in a memory context below parent. */
static Fit *
begin_fit(MemoryContext parent, const Options *options)
{
	CrmCtx ctx;
	MemoryContext memory = crm_memory_begin(&ctx, parent, "crm k-means");
	Fit *fit = MemoryContextAllocZero(memory, sizeof(Fit));

	fit->memory = memory;
	fit->ctx = ctx;
	fit->options = *options;
	return fit;
}

/* Add a row; false when a value is not finite, so that it cannot be used. */
static bool
add_row(Fit *fit, Datum features)
{
	CrmMatrix *matrix = &fit->matrix;
	ArrayType *array = DatumGetArrayTypeP(features);
	int d;
	const double *values = crm_vector_values(array, "features", &d);

	if (matrix->d == 0)
	{
		CrmKmeansParam param = make_param(fit);

		if (d > CRM_KMEANS_MAX_FEATURES)
			ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("features must have at most %d values", CRM_KMEANS_MAX_FEATURES),
					errdetail("Got %d.", d));
		crm_matrix_init(
			matrix, &fit->ctx, d, false,
			(crm_kmeans_bytes(&param, 2000000, d) - crm_kmeans_bytes(&param, 1000000, d)) /
				1000000);
	}
	if (d != matrix->d)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("features have %d values, those of rows before have %d", d, matrix->d));
	if (!crm_vector_is_finite(values, d))
		return false;
	if (!matrix->is_full && matrix->n == matrix->room && !crm_matrix_grow(matrix))
		matrix->is_full = true;
	for (int f = 0; f < d && !matrix->is_full; f++)
		matrix->columns[f][matrix->n] = values[f] + 0.0; /* no -0.0 */
	matrix->n++;
	return true;
}

/* Raise the error for more memory than there may be. */
static _Noreturn void
memory_error(const Fit *fit, size_t wanted)
{
	crm_memory_error(wanted, &fit->ctx, "k-means",
					 psprintf("%zu rows x %d centres", fit->matrix.n, fit->options.k),
					 "reduce k or the number of rows");
}

/* Raise the error that a kernel's status stands for, if it stands for one. */
static void
check(const Fit *fit, CrmStatus status)
{
	if (status == CRM_LIMIT)
		memory_error(fit, fit->ctx.wanted);
	if (status == CRM_DOMAIN && fit->data.offender >= 0)
		ereport(ERROR, errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				errmsg("feature \"%d\" has values whose squares do not fit double precision",
					   fit->data.offender + 1),
				errhint("Scale them: scale => 'zscore', or divide them first."));
	if (status != CRM_NOT_CONVERGED)
		crm_memory_check(status, &fit->ctx, "k-means", NULL);
}

/* Fit the rows that were collected, of which there is at least one. */
static void
run_fit(Fit *fit)
{
	CrmMatrix *matrix = &fit->matrix;
	CrmKmeansParam param = make_param(fit);
	signed char *direction = MemoryContextAllocZero(fit->memory, matrix->d);
	size_t wanted = crm_kmeans_bytes(&param, matrix->n, matrix->d);

	direction[0] = 1; /* the first feature is the value */
	param.direction = direction;
	crm_matrix_shrink(matrix);
	wanted += matrix->is_full ? matrix->n * crm_matrix_row_bytes(matrix) : fit->ctx.used;
	if (matrix->is_full || wanted > fit->ctx.limit)
		memory_error(fit, Max(wanted, fit->ctx.limit + 1));
	fit->data = (CrmKmeansData){.columns = matrix->columns, .n = matrix->n, .d = matrix->d};
	fit->prepared = MemoryContextAllocZero(fit->memory, matrix->d * sizeof(CrmFeature));
	check(fit, crm_matrix_prepare(matrix, &fit->options.prepare, NULL, fit->prepared));
	check(fit, crm_kmeans_arrange(&fit->ctx, &fit->data));
	check(fit, crm_kmeans_fit(&fit->ctx, &fit->data, &param, &fit->model));
	if (!fit->model.converged)
		ereport(WARNING, errmsg("k-means stopped before it converged"),
				errdetail("It ends after %d iterations.", param.max_iterations));
}

/* ---- crm.kmeans_cluster ------------------------------------------------------------------ */

#define SLICE 1024 /* rows told at a time */

/* What a partition keeps: the cluster of each row, 0 for none; NULL until it is known. */
typedef struct Partition
{
	int32 *cluster;
} Partition;

/* Collect the partition's rows; clusters[i] becomes 1 where row i could be used, else 0. */
static void
collect_partition(WindowObject window, Fit *fit, int64 n, int32 *clusters)
{
	MemoryContext row_memory =
		AllocSetContextCreate(fit->memory, "crm k-means row", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(row_memory);

	for (int64 i = 0; i < n; i++)
	{
		bool is_null, is_out;
		Datum features = WinGetFuncArgInPartition(window, 0, (int) i, WINDOW_SEEK_HEAD, false,
												  &is_null, &is_out);

		CHECK_FOR_INTERRUPTS();
		clusters[i] = !is_null && !is_out && add_row(fit, features);
		MemoryContextReset(row_memory);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(row_memory);
}

/* Turn the marks of rows that were used into the clusters of the fit. */
static void
tell_clusters(Fit *fit, int64 n, int32 *clusters)
{
	size_t used = fit->matrix.n;
	CrmKmeansRow *rows = crm_allocate(&fit->ctx, SLICE, sizeof(CrmKmeansRow));
	uint16_t *found = crm_allocate(&fit->ctx, used, sizeof(uint16_t));
	size_t next = 0;

	if (rows == NULL || found == NULL)
		check(fit, fit->ctx.failure);
	for (size_t first = 0; first < used; first += SLICE)
	{
		size_t count = Min(SLICE, used - first);

		CHECK_FOR_INTERRUPTS();
		check(fit, crm_kmeans_rows(&fit->ctx, &fit->data, &fit->model, first, count, rows));
		for (size_t i = 0; i < count; i++)
			found[rows[i].row] = (uint16_t) (rows[i].cluster + 1);
	}
	for (int64 i = 0; i < n; i++)
		if (clusters[i] != 0)
			clusters[i] = found[next++];
}

/* Cluster the current partition's rows; gives the cluster of each, in the partition's memory. */
static int32 *
cluster_partition(FunctionCallInfo fcinfo, Partition *partition)
{
	WindowObject window = PG_WINDOW_OBJECT();
	MemoryContext memory = GetMemoryChunkContext(partition);
	int64 n = WinGetPartitionRowCount(window);
	int32 *clusters;
	Options options;
	Fit *fit;

	if (n > PG_INT32_MAX)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("a partition has more than %d rows", PG_INT32_MAX));
	for (int i = 1; i < PG_NARGS(); i++)
		fcinfo->args[i].value = WinGetFuncArgCurrent(window, i, &fcinfo->args[i].isnull);
	options = read_options(fcinfo, 1);
	fit = begin_fit(memory, &options);
	clusters = MemoryContextAllocHuge(memory, n * sizeof(int32));
	collect_partition(window, fit, n, clusters);
	if (fit->matrix.n > 0)
	{
		run_fit(fit);
		tell_clusters(fit, n, clusters);
	}
	MemoryContextDelete(fit->memory);
	return clusters;
}

PG_FUNCTION_INFO_V1(crm_kmeans_cluster_1_0);
/* crm.kmeans_cluster(features, k, ...) OVER (...) -> integer: the cluster of the row among those of
 * its partition, whatever the frame */
Datum
crm_kmeans_cluster_1_0(PG_FUNCTION_ARGS)
{
	WindowObject window = PG_WINDOW_OBJECT();
	Partition *partition;
	int32 cluster;

	if (!WindowObjectIsValid(window))
		elog(ERROR, "crm internal: window function called outside a window");
	partition = WinGetPartitionLocalMemory(window, sizeof(Partition));
	if (partition->cluster == NULL)
		partition->cluster = cluster_partition(fcinfo, partition);
	cluster = partition->cluster[WinGetCurrentPosition(window)];
	if (cluster == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(cluster);
}

/* ---- crm.kmeans_fit ---------------------------------------------------------------------- */

PG_FUNCTION_INFO_V1(crm_kmeans_fit_transition_1_0);
/* crm._kmeans_fit_transition(internal, float8[], integer, ...) -> internal: collects a row */
Datum
crm_kmeans_fit_transition_1_0(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	Options options = read_options(fcinfo, 2);
	Fit *fit;

	context = crm_aggregate_context(fcinfo);
	fit = PG_ARGISNULL(0) ? begin_fit(context, &options) : (Fit *) PG_GETARG_POINTER(0);
	if (options.k != fit->options.k)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"k\" must be the same in all rows"),
				errdetail("Got %d after %d.", options.k, fit->options.k));
	if (options.prepare.scale != fit->options.prepare.scale ||
		options.prepare.transform != fit->options.prepare.transform ||
		options.seed != fit->options.seed)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("options must be the same in all rows"));
	fit->rows++;
	if (!PG_ARGISNULL(1))
		(void) add_row(fit, PG_GETARG_DATUM(1));
	PG_RETURN_POINTER(fit);
}

/* Write what was done to each feature, as three arrays. */
static void
put_preparation(StringInfo json, const Fit *fit)
{
	int d = fit->model.d;
	double *lambda = palloc(3 * d * sizeof(double));
	double *centre = lambda + d, *spread = lambda + 2 * d;

	for (int f = 0; f < d; f++)
	{
		lambda[f] = fit->prepared[f].lambda;
		centre[f] = fit->prepared[f].centre;
		spread[f] = fit->prepared[f].spread;
	}
	crm_model_put_numbers(json, "lambda", lambda, d);
	crm_model_put_numbers(json, "centre", centre, d);
	crm_model_put_numbers(json, "spread", spread, d);
	pfree(lambda);
}

/* Write the centroids in original units, and in the scaled ones that distances are taken in. */
static void
put_centroids(StringInfo json, const Fit *fit)
{
	const CrmKmeansModel *model = &fit->model;
	Size n = (Size) model->k * model->d;
	double *original = palloc_extended(n * sizeof(double), MCXT_ALLOC_HUGE);

	for (Size i = 0; i < n; i++)
		original[i] = crm_feature_inverse(&fit->prepared[i % model->d], model->centroids[i]);
	crm_model_put_rows(json, "centroids", original, model->k, model->d);
	crm_model_put_rows(json, "scaled_centroids", model->centroids, model->k, model->d);
	pfree(original);
}

/* Write the integers: the order of sums, and the rows of each cluster. */
static void
put_integers(StringInfo json, const CrmKmeansModel *model)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int f = 0; f < model->d; f++)
		appendStringInfo(&list, "%s%d", f > 0 ? "," : "", model->column_order[f] + 1);
	crm_model_put(json, "column_order", "[%s]", list.data);
	resetStringInfo(&list);
	for (int c = 0; c < model->k; c++)
		appendStringInfo(&list, "%s%lld", c > 0 ? "," : "", (long long) model->sizes[c]);
	crm_model_put(json, "sizes", "[%s]", list.data);
	pfree(list.data);
}

PG_FUNCTION_INFO_V1(crm_kmeans_fit_final_1_0);
/* crm._kmeans_fit_final(internal) -> jsonb: the model; NULL when no row could be used. Rearranges
 * the state's rows. */
Datum
crm_kmeans_fit_final_1_0(PG_FUNCTION_ARGS)
{
	Fit *fit = PG_ARGISNULL(0) ? NULL : (Fit *) PG_GETARG_POINTER(0);
	const CrmKmeansModel *model;
	StringInfoData json;

	if (fit == NULL || fit->matrix.n == 0)
		PG_RETURN_NULL();
	run_fit(fit);
	model = &fit->model;
	initStringInfo(&json);
	crm_model_put(&json, "model", "\"kmeans\"");
	crm_model_put(&json, "version", "%d", MODEL_VERSION);
	crm_model_put(&json, "k", "%d", model->k);
	crm_model_put(&json, "dimensions", "%d", model->d);
	crm_model_put(&json, "scale", "\"%s\"", crm_scale_words.words[fit->options.prepare.scale]);
	crm_model_put(&json, "transform", "\"%s\"",
				  crm_transform_words.words[fit->options.prepare.transform]);
	crm_model_put(&json, "seed", "%lld", (long long) fit->options.seed);
	put_preparation(&json, fit);
	put_centroids(&json, fit);
	put_integers(&json, model);
	crm_model_put_number(&json, "inertia", model->inertia);
	crm_model_put(&json, "iterations", "%d", model->iterations);
	crm_model_put(&json, "converged", "%s", model->converged ? "true" : "false");
	crm_model_put(&json, "n_rows", "%lld", (long long) fit->rows);
	crm_model_put(&json, "n_used", "%zu", fit->matrix.n);
	crm_model_put(&json, "n_skipped", "%lld", (long long) fit->rows - (long long) fit->matrix.n);
	MemoryContextDelete(fit->memory);
	PG_RETURN_DATUM(crm_model_finish(&json));
}

/* ---- crm.kmeans_predict ------------------------------------------------------------------ */

/* A model as it was last read, kept from call to call. */
typedef struct Model
{
	Jsonb *json; /* what it was read from */
	int k, d;
	CrmFeature *features; /* d */
	double *centroids;    /* k rows of d scaled values */
	int *column_order;    /* d */
	double *values;       /* d, for a row */
} Model;

/* Read what was done to the features. */
static void
read_features(const CrmModelReader *reader, Model *model)
{
	int d = model->d;
	double *lambda = palloc(3 * d * sizeof(double));
	double *centre = lambda + d, *spread = lambda + 2 * d;
	CrmFeature common = {.low = -INFINITY, .high = INFINITY};

	common.scale = (CrmScale) crm_model_word(reader, "scale", &crm_scale_words);
	common.transform = (CrmTransform) crm_model_word(reader, "transform", &crm_transform_words);
	crm_model_numbers(reader, "lambda", lambda, d);
	crm_model_numbers(reader, "centre", centre, d);
	crm_model_numbers(reader, "spread", spread, d);
	model->features = palloc(d * sizeof(CrmFeature));
	for (int f = 0; f < d; f++)
	{
		if (!(spread[f] > 0))
			crm_model_error(reader, "spread");
		model->features[f] = common;
		model->features[f].lambda = lambda[f];
		model->features[f].centre = centre[f];
		model->features[f].spread = spread[f];
	}
	pfree(lambda);
}

/* Read the order in which the features of a distance are summed: each of them once. */
static void
read_order(const CrmModelReader *reader, Model *model)
{
	int d = model->d;
	double *order = palloc(d * sizeof(double));
	Bitmapset *seen = NULL;

	crm_model_numbers(reader, "column_order", order, d);
	model->column_order = palloc(d * sizeof(int));
	for (int f = 0; f < d; f++)
	{
		if (!(order[f] >= 1 && order[f] <= d))
			crm_model_error(reader, "column_order");
		model->column_order[f] = (int) order[f] - 1;
		seen = bms_add_member(seen, model->column_order[f]);
	}
	if (bms_num_members(seen) != d)
		crm_model_error(reader, "column_order");
	bms_free(seen);
	pfree(order);
}

/* Read a model; it lives in the current memory context. */
static Model *
read_model(Jsonb *json)
{
	CrmModelReader reader = {json, "crm.kmeans_fit"};
	Model *model = palloc0(sizeof(Model));

	crm_model_expect(&reader, "kmeans", MODEL_VERSION);
	model->json = json;
	model->k = crm_model_int(&reader, "k", 1, CRM_KMEANS_MAX_K);
	model->d = crm_model_int(&reader, "dimensions", 1, CRM_KMEANS_MAX_FEATURES);
	read_features(&reader, model);
	read_order(&reader, model);
	model->values = palloc(model->d * sizeof(double));
	model->centroids =
		palloc_extended((Size) model->k * model->d * sizeof(double), MCXT_ALLOC_HUGE);
	crm_model_rows(&reader, "scaled_centroids", model->centroids, model->k, model->d);
	return model;
}

/* Give the model of argument 0, as it was read for the row before if it is the same. */
static Model *
current_model(FunctionCallInfo fcinfo)
{
	struct varlena *given = PG_GETARG_VARLENA_P(0);
	Model *model = fcinfo->flinfo->fn_extra;
	MemoryContext memory, caller;

	if (model != NULL && VARSIZE(given) == VARSIZE(model->json) &&
		memcmp(given, model->json, VARSIZE(given)) == 0)
		return model;
	fcinfo->flinfo->fn_extra = NULL;
	if (model != NULL)
		MemoryContextDelete(GetMemoryChunkContext(model));
	memory =
		AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "crm k-means model", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(memory);
	model = read_model(
		(Jsonb *) memcpy(palloc_extended(VARSIZE(given), MCXT_ALLOC_HUGE), given, VARSIZE(given)));
	MemoryContextSwitchTo(caller);
	fcinfo->flinfo->fn_extra = model;
	return model;
}

PG_FUNCTION_INFO_V1(crm_kmeans_predict_1_0);
/* crm.kmeans_predict(model, features) -> integer: the cluster whose centroid is nearest; NULL when
 * a feature is not finite */
Datum
crm_kmeans_predict_1_0(PG_FUNCTION_ARGS)
{
	Model *model = current_model(fcinfo);
	int d;
	const double *values = crm_vector_values(PG_GETARG_ARRAYTYPE_P(1), "features", &d);
	CrmKmeansRow row;

	if (d != model->d)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("features have %d values, the model has %d", d, model->d));
	if (!crm_vector_is_finite(values, d))
		PG_RETURN_NULL();
	for (int f = 0; f < d; f++)
		model->values[f] = crm_feature_value(&model->features[f], values[f] + 0.0);
	crm_kmeans_predict(model->centroids, model->k, d, model->column_order, model->values, &row);
	PG_RETURN_INT32(row.cluster + 1);
}

PG_FUNCTION_INFO_V1(crm_nearest_centroid_1_0);
/* crm.nearest_centroid(features, centroids) -> integer: which row of centroids is nearest, of
 * equally near ones the first; NULL when a feature is not finite */
Datum
crm_nearest_centroid_1_0(PG_FUNCTION_ARGS)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(1);
	const double *centroids = (const double *) ARR_DATA_PTR(array);
	int d, k;
	const double *values = crm_vector_values(PG_GETARG_ARRAYTYPE_P(0), "features", &d);
	CrmKmeansRow row;

	if (ARR_NDIM(array) != 2)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("centroids must have two dimensions"),
				errdetail("Got %d dimensions.", ARR_NDIM(array)),
				errhint("A row of the array is a centroid: ARRAY[[0, 0], [1, 1]]."));
	k = ARR_DIMS(array)[0];
	if (ARR_DIMS(array)[1] != d)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("features have %d values, centroids have %d", d, ARR_DIMS(array)[1]));
	if (array_contains_nulls(array) || !crm_vector_is_finite(centroids, k * d))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("centroids must be finite, without nulls"));
	if (!crm_vector_is_finite(values, d))
		PG_RETURN_NULL();
	crm_kmeans_predict(centroids, k, d, NULL, values, &row);
	PG_RETURN_INT32(row.cluster + 1);
}
