/*
 * matrix.h: columns of numbers that grow row by row within the budget, the float8[] that gives a
 * row, and the preparation of all columns (kernel/base/features.h).
 */
#ifndef CRM_PG_MATRIX_H
#define CRM_PG_MATRIX_H

#include "pg/compat.h"

#include "utils/array.h"

#include "kernel/base/features.h"
#include "pg/args.h"

extern const CrmWords crm_scale_words;     /* of CrmScale */
extern const CrmWords crm_transform_words; /* of CrmTransform */

typedef struct CrmMatrix
{
	CrmCtx *ctx;
	int d;
	double **columns; /* d of n values */
	bool is_weighted;
	double *weights; /* n when it is weighted, else NULL */
	size_t n, room;
	size_t spare; /* bytes a row that the budget must leave free */
	bool is_full; /* more rows than memory: n counts on, the columns end */
} CrmMatrix;

extern void crm_matrix_init(CrmMatrix *matrix, CrmCtx *ctx, int d, bool is_weighted, size_t spare);
extern bool crm_matrix_grow(CrmMatrix *matrix);
extern void crm_matrix_shrink(CrmMatrix *matrix);
extern size_t crm_matrix_row_bytes(const CrmMatrix *matrix);
extern CrmStatus crm_matrix_prepare(CrmMatrix *matrix, const CrmFeatureParam *param, char **names,
									CrmFeature *prepared);
extern const double *crm_vector_values(ArrayType *array, const char *name, int *n);
extern bool crm_vector_is_finite(const double *values, int n);

#endif
