/*
 * args.c: reading the options of a SQL function. Each reader raises an error that names the
 * argument, what it got and what it takes.
 */
#include "pg/args.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "kernel/base/order.h"

/* Raise an error when argument i is NULL: an option that is NULL is a mistake, not zero rows. */
void
crm_arg_require(FunctionCallInfo fcinfo, int i, const char *name)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("argument \"%s\" must not be null", name));
}

/* Give argument i, a text, as a palloc'd string; NULL when it is NULL. */
char *
crm_arg_text(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

/*
 * Give the index of a function's source among its arguments: the first, or the last where the first
 * is a key. So both forms have the other options in the same places, and PostgreSQL can tell the
 * forms apart by a first literal without a type.
 */
int
crm_arg_of_source(Oid function)
{
	Oid *declared;
	int n;

	(void) get_func_signature(function, &declared, &n);
	return n > 0 && declared[0] == ANYELEMENTOID ? n - 1 : 0;
}

/*
 * Give the source as a palloc'd string, NULL when it is NULL; key_type, unless NULL, becomes the
 * type of the key, InvalidOid in the form without.
 */
char *
crm_arg_source(FunctionCallInfo fcinfo, Oid *key_type)
{
	int i = crm_arg_of_source(fcinfo->flinfo->fn_oid);

	if (key_type != NULL)
		*key_type = i > 0 ? get_fn_expr_argtype(fcinfo->flinfo, 0) : InvalidOid;
	return crm_arg_text(fcinfo, i);
}

/* The same for functions that have no default source: an error when it is NULL. */
char *
crm_arg_source_required(FunctionCallInfo fcinfo, Oid *key_type)
{
	crm_arg_require(fcinfo, crm_arg_of_source(fcinfo->flinfo->fn_oid), "source");
	return crm_arg_source(fcinfo, key_type);
}

/* Give the index of a word among the words. */
int
crm_word_find(const char *word, const CrmWords *words)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int k = 0; k < words->n; k++)
	{
		if (strcmp(word, words->words[k]) == 0)
			return k;
		appendStringInfo(&list, "%s\"%s\"", k > 0 ? ", " : "", words->words[k]);
	}
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("unrecognized %s \"%s\"", words->singular, word),
			errhint("Valid %s are %s.", words->plural, list.data));
	return 0;
}

/* Give the index of argument i among the words. */
int
crm_arg_word(FunctionCallInfo fcinfo, int i, const CrmWords *words)
{
	crm_arg_require(fcinfo, i, words->singular);
	return crm_word_find(crm_arg_text(fcinfo, i), words);
}

/* Give argument i, an integer or bigint, that must lie in [low, high]. */
int64
crm_arg_int(FunctionCallInfo fcinfo, int i, const char *name, int64 low, int64 high)
{
	int64 value;

	crm_arg_require(fcinfo, i, name);
	value =
		get_fn_expr_argtype(fcinfo->flinfo, i) == INT8OID ? PG_GETARG_INT64(i) : PG_GETARG_INT32(i);
	if (value < low || value > high)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be between %lld and %lld", name, (long long) low,
					   (long long) high),
				errdetail("Got %lld.", (long long) value));
	return value;
}

/* Give argument i, a float8, that must lie in [low, high]. */
double
crm_arg_double(FunctionCallInfo fcinfo, int i, const char *name, double low, double high)
{
	double value;

	crm_arg_require(fcinfo, i, name);
	value = PG_GETARG_FLOAT8(i);
	if (!(value >= low && value <= high))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be between %g and %g", name, low, high),
				errdetail("Got %g.", value));
	return value;
}

/*
 * Give the n elements of argument i, an array of any type, none of them NULL. One dimension,
 * exactly n.
 */
Datum *
crm_arg_array(FunctionCallInfo fcinfo, int i, const char *name, int n)
{
	ArrayType *array;
	int16 typlen;
	bool typbyval;
	char typalign;
	Datum *values;
	bool *nulls;
	int got;

	crm_arg_require(fcinfo, i, name);
	array = PG_GETARG_ARRAYTYPE_P(i);
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &typlen, &typbyval, &typalign);
	deconstruct_array(array, ARR_ELEMTYPE(array), typlen, typbyval, typalign, &values, &nulls,
					  &got);
	if (ARR_NDIM(array) > 1 || got != n)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must have %d values, one fewer than \"bins\"", name, n),
				errdetail("Got %d in %d dimensions.", got, ARR_NDIM(array)));
	for (int k = 0; k < n; k++)
		if (nulls[k])
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("argument \"%s\" must not contain a null", name),
					errdetail("Value %d is null.", k + 1));
	return values;
}

/* Raise the error for an array that is not strictly ascending. */
void
crm_arg_ascending_error(const char *name)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("argument \"%s\" must be in ascending order, without equal values", name),
			errhint("A cut is the highest value of its bin; give them from low to high."));
}

/* Read bins - 1 ascending cuts, a float8[], as order-preserving keys. */
void
crm_arg_cuts(FunctionCallInfo fcinfo, int i, const char *name, int bins, uint64 *cuts)
{
	Datum *values = crm_arg_array(fcinfo, i, name, bins - 1);

	for (int k = 0; k < bins - 1; k++)
	{
		double value = DatumGetFloat8(values[k]);

		if (isnan(value))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("argument \"%s\" must not contain NaN", name),
					errdetail("Value %d is NaN.", k + 1));
		cuts[k] = crm_order_double(value);
		if (k > 0 && cuts[k] <= cuts[k - 1])
			crm_arg_ascending_error(name);
	}
}

/* Give the *n names of argument i, a text[]: at least one, none of them NULL, none twice. */
char **
crm_arg_names(FunctionCallInfo fcinfo, int i, const char *name, int *n)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(i);
	Datum *values;
	bool *nulls;
	char **names;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, n);
	if (ARR_NDIM(array) > 1 || *n == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be a list of names", name),
				errdetail("Got %d in %d dimensions.", *n, ARR_NDIM(array)));
	names = palloc(*n * sizeof(char *));
	for (int k = 0; k < *n; k++)
	{
		if (nulls[k])
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("argument \"%s\" must not contain a null", name),
					errdetail("Value %d is null.", k + 1));
		names[k] = TextDatumGetCString(values[k]);
		for (int j = 0; j < k; j++)
			if (strcmp(names[j], names[k]) == 0)
				ereport(ERROR, errcode(ERRCODE_DUPLICATE_COLUMN),
						errmsg("argument \"%s\" names \"%s\" twice", name, names[k]));
	}
	return names;
}

/* Give the low and the high quantile of argument i, a float8[]; NULL when it is NULL. */
const double *
crm_arg_quantiles(FunctionCallInfo fcinfo, int i, const char *name)
{
	const double *value;
	ArrayType *array;

	if (PG_ARGISNULL(i))
		return NULL;
	array = PG_GETARG_ARRAYTYPE_P(i);
	value = (const double *) ARR_DATA_PTR(array);
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != 2 || ARR_HASNULL(array) ||
		!(value[0] >= 0 && value[0] < value[1] && value[1] <= 1))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must be two quantiles, 0 <= low < high <= 1", name),
				errdetail("Got %s.", OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array))));
	return value;
}

/* Raise an error when an argument is given that only makes sense with another one. */
void
crm_arg_refuse(FunctionCallInfo fcinfo, int i, const char *name, const char *needs)
{
	if (!PG_ARGISNULL(i))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" needs %s", name, needs));
}
