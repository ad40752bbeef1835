/*
 * matrix.c: columns of numbers that grow row by row within the budget.
 *
 * They grow by doubling, where they are (crm_memory_resize), and never beyond what still leaves the
 * spare bytes a row: so what was read can be worked on.
 */
#include "pg/matrix.h"

#include <math.h>

#include "catalog/pg_type.h"

#include "pg/memory.h"

#define FIRST_ROOM 1024

static const char *const scale_list[] = {"none", "zscore", "minmax", "robust"};
static const char *const transform_list[] = {"none", "log1p", "yeo-johnson"};
const CrmWords crm_scale_words = {"scale", "scales", scale_list, lengthof(scale_list)};
const CrmWords crm_transform_words = {"transform", "transforms", transform_list,
									  lengthof(transform_list)};

/* Begin an empty matrix of d columns in a memory context, whose budget is ctx's. */
void
crm_matrix_init(CrmMatrix *matrix, CrmCtx *ctx, int d, bool is_weighted, size_t spare)
{
	*matrix = (CrmMatrix){.ctx = ctx, .d = d, .is_weighted = is_weighted, .spare = spare};
	matrix->columns = MemoryContextAllocZero(ctx->user, d * sizeof(double *));
}

/* Give the bytes of a row. */
size_t
crm_matrix_row_bytes(const CrmMatrix *matrix)
{
	return (matrix->d + (matrix->is_weighted ? 1 : 0)) * sizeof(double);
}

/* Give all columns that room, which the budget is known to allow. */
static void
resize(CrmMatrix *matrix, size_t room)
{
	CrmCtx *ctx = matrix->ctx;
	size_t old_bytes = matrix->room * sizeof(double);

	for (int f = 0; f < matrix->d; f++)
		matrix->columns[f] =
			crm_memory_resize(ctx, matrix->columns[f], old_bytes, room * sizeof(double));
	if (matrix->is_weighted)
		matrix->weights = crm_memory_resize(ctx, matrix->weights, old_bytes, room * sizeof(double));
	matrix->room = room;
}

/* Make room for more rows than n; false: no more could be worked on within the budget. */
bool
crm_matrix_grow(CrmMatrix *matrix)
{
	const CrmCtx *ctx = matrix->ctx;
	size_t row_bytes = crm_matrix_row_bytes(matrix);
	size_t others = ctx->used - matrix->room * row_bytes;
	size_t left = others < ctx->limit ? ctx->limit - others : 0;
	size_t room = Min(Max(2 * matrix->room, FIRST_ROOM), left / (row_bytes + matrix->spare));

	if (room <= matrix->n)
		return false;
	resize(matrix, room);
	return true;
}

/* Give back the room that no row has used. */
void
crm_matrix_shrink(CrmMatrix *matrix)
{
	if (matrix->room > 0)
		resize(matrix, matrix->n);
}

/* Raise the error for values that the preparation does not take. */
static void
domain_error(const char *name, const CrmFeatureParam *param)
{
	bool is_log = param->transform == CRM_TRANSFORM_LOG1P;

	ereport(ERROR, errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			errmsg("feature \"%s\" has values that %s => '%s' does not take", name,
				   is_log ? "transform" : "scale",
				   is_log ? transform_list[param->transform] : scale_list[param->scale]),
			is_log ? errdetail("log1p takes values above -1.")
				   : errdetail("They lie too far apart for double precision."),
			is_log ? errhint("Use transform => 'yeo-johnson', which takes any value.")
				   : errhint("Divide them first, or clip them."));
}

/*
 * Clip, transform and scale each column in place; prepared[d] tells what was done. Columns have
 * names for errors, or (NULL) numbers. Gives CRM_LIMIT where memory ends.
 */
CrmStatus
crm_matrix_prepare(CrmMatrix *matrix, const CrmFeatureParam *param, char **names,
				   CrmFeature *prepared)
{
	CrmCtx *ctx = matrix->ctx;
	CrmStatus status = CRM_OK;

	for (int f = 0; f < matrix->d && status == CRM_OK; f++)
	{
		status = crm_feature_fit(ctx, param, matrix->columns[f], matrix->n, &prepared[f]);
		if (status == CRM_OK)
			status = crm_feature_apply(ctx, &prepared[f], matrix->columns[f], matrix->n);
		if (status == CRM_DOMAIN)
			domain_error(names != NULL ? names[f] : psprintf("%d", f + 1), param);
	}
	return status;
}

/* Give the values of a float8[] and how many they are; an error for NULLs or several dimensions. */
const double *
crm_vector_values(ArrayType *array, const char *name, int *n)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("%s must have one dimension", name),
				errdetail("Got %d dimensions.", ARR_NDIM(array)));
	*n = ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0];
	if (*n == 0)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("%s must not be empty", name));
	if (array_contains_nulls(array))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("%s must not contain a null", name),
				errhint("Leave such rows out, or give a value for it."));
	return (const double *) ARR_DATA_PTR(array);
}

/* Tell whether n values are all finite. */
bool
crm_vector_is_finite(const double *values, int n)
{
	for (int i = 0; i < n; i++)
		if (!isfinite(values[i]))
			return false;
	return true;
}
