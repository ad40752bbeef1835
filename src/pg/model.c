/*
 * model.c: a fitted model as jsonb, an object of named numbers, arrays and words.
 */
#include "pg/model.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "pg/source.h"

/* ---- writing ----------------------------------------------------------------------------- */

/* Begin the next value of an object in the making. */
static void
put_key(StringInfo json, const char *key)
{
	appendStringInfo(json, "%s\"%s\":", json->len == 0 ? "{" : ",", key);
}

/* Add a value that is JSON by itself, as printf makes it. */
void
crm_model_put(StringInfo json, const char *key, const char *format, ...)
{
	va_list args;
	int needed;

	put_key(json, key);
	do
	{
		va_start(args, format);
		needed = appendStringInfoVA(json, format, args);
		va_end(args);
		if (needed > 0)
			enlargeStringInfo(json, needed);
	} while (needed > 0);
}

/* Append n finite numbers, parted by commas. */
static void
append_numbers(StringInfo json, const double *values, int n)
{
	char digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	for (int i = 0; i < n; i++)
	{
		(void) double_to_shortest_decimal_buf(values[i], digits);
		if (i > 0)
			appendStringInfoChar(json, ',');
		appendStringInfoString(json, digits);
	}
}

/* Add a finite number. */
void
crm_model_put_number(StringInfo json, const char *key, double value)
{
	put_key(json, key);
	append_numbers(json, &value, 1);
}

/* Add an array of n finite numbers. */
void
crm_model_put_numbers(StringInfo json, const char *key, const double *values, int n)
{
	put_key(json, key);
	appendStringInfoChar(json, '[');
	append_numbers(json, values, n);
	appendStringInfoChar(json, ']');
}

/* Add an array of n rows of d finite numbers each. */
void
crm_model_put_rows(StringInfo json, const char *key, const double *values, int n, int d)
{
	put_key(json, key);
	appendStringInfoChar(json, '[');
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		appendStringInfoString(json, i > 0 ? ",[" : "[");
		append_numbers(json, values + (size_t) i * d, d);
		appendStringInfoChar(json, ']');
	}
	appendStringInfoChar(json, ']');
}

/* Add an array of texts. */
void
crm_model_put_texts(StringInfo json, const char *key, const char *const *texts, int n)
{
	put_key(json, key);
	appendStringInfoChar(json, '[');
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoChar(json, ',');
		escape_json(json, texts[i]);
	}
	appendStringInfoChar(json, ']');
}

/* Give the object as jsonb. */
Datum
crm_model_finish(StringInfo json)
{
	appendStringInfoChar(json, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json->data));
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Raise the error for a jsonb that is no model because of what it has, or lacks, for a key. */
void
crm_model_error(const CrmModelReader *model, const char *key)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("this is not a model of %s", model->function),
			errdetail("It has no usable \"%s\".", key));
	pg_unreachable();
}

/* Give the value of a key, of that kind. */
static JsonbValue
get(const CrmModelReader *model, const char *key, enum jbvType type)
{
	JsonbValue *value = NULL;

	if (JB_ROOT_IS_OBJECT(model->json))
		value = getKeyJsonValueFromContainer(&model->json->root, key, strlen(key), NULL);
	if (value == NULL || value->type != type)
		crm_model_error(model, key);
	return *value;
}

/* Give the finite number that a JSON value is. */
static double
get_number(const CrmModelReader *model, const char *key, const JsonbValue *value)
{
	double number;

	if (value == NULL || value->type != jbvNumeric)
		crm_model_error(model, key);
	number = DatumGetFloat8(
		DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
	if (!isfinite(number))
		crm_model_error(model, key);
	return number;
}

/* Fill n numbers from a JSON array of so many. */
static void
get_numbers(const CrmModelReader *model, const char *key, const JsonbValue *value, double *numbers,
			int n)
{
	JsonbContainer *array;

	if (value == NULL || value->type != jbvBinary)
		crm_model_error(model, key);
	array = value->val.binary.data;
	if (!JsonContainerIsArray(array) || JsonContainerIsScalar(array) ||
		JsonContainerSize(array) != n)
		crm_model_error(model, key);
	for (int i = 0; i < n; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(array, i);

		numbers[i] = get_number(model, key, element);
		pfree(element);
	}
}

/* Raise an error unless the model is of that kind and of a version up to this one. */
void
crm_model_expect(const CrmModelReader *model, const char *kind, int version)
{
	JsonbValue word = get(model, "model", jbvString);

	if ((size_t) word.val.string.len != strlen(kind) ||
		memcmp(word.val.string.val, kind, word.val.string.len) != 0)
		crm_model_error(model, "model");
	(void) crm_model_int(model, "version", 1, version);
}

/* Give an integer within bounds. */
int
crm_model_int(const CrmModelReader *model, const char *key, int low, int high)
{
	JsonbValue value = get(model, key, jbvNumeric);
	double number = get_number(model, key, &value);

	if (!(number >= low && number <= high))
		crm_model_error(model, key);
	return (int) number;
}

/* Give a finite number. */
double
crm_model_number(const CrmModelReader *model, const char *key)
{
	JsonbValue value = get(model, key, jbvNumeric);

	return get_number(model, key, &value);
}

/* Give the index of a word among the words. */
int
crm_model_word(const CrmModelReader *model, const char *key, const CrmWords *words)
{
	JsonbValue value = get(model, key, jbvString);

	for (int i = 0; i < words->n; i++)
		if (strlen(words->words[i]) == (size_t) value.val.string.len &&
			memcmp(words->words[i], value.val.string.val, value.val.string.len) == 0)
			return i;
	crm_model_error(model, key);
}

/* Fill n numbers from an array of so many. */
void
crm_model_numbers(const CrmModelReader *model, const char *key, double *values, int n)
{
	JsonbValue value = get(model, key, jbvBinary);

	get_numbers(model, key, &value, values, n);
}

/* Fill n rows of d numbers from an array of arrays. */
void
crm_model_rows(const CrmModelReader *model, const char *key, double *values, int n, int d)
{
	JsonbValue value = get(model, key, jbvBinary);
	JsonbContainer *array = value.val.binary.data;

	if (!JsonContainerIsArray(array) || JsonContainerSize(array) != n)
		crm_model_error(model, key);
	for (int i = 0; i < n; i++)
	{
		JsonbValue *row = getIthJsonbValueFromContainer(array, i);

		CHECK_FOR_INTERRUPTS();
		get_numbers(model, key, row, values + (size_t) i * d, d);
		pfree(row);
	}
}

/* Give the array of a key, of at most so many elements; *n gets how many. */
static JsonbContainer *
get_array(const CrmModelReader *model, const char *key, int most, int *n)
{
	JsonbValue value = get(model, key, jbvBinary);

	if (!JsonContainerIsArray(value.val.binary.data) ||
		JsonContainerSize(value.val.binary.data) > most)
		crm_model_error(model, key);
	*n = (int) JsonContainerSize(value.val.binary.data);
	return value.val.binary.data;
}

/* Give the texts of an array, at most so many, palloc'd; *n gets how many. */
char **
crm_model_texts(const CrmModelReader *model, const char *key, int most, int *n)
{
	JsonbContainer *array = get_array(model, key, most, n);
	char **texts = palloc(Max(*n, 1) * sizeof(char *));

	for (int i = 0; i < *n; i++)
	{
		JsonbValue *text = getIthJsonbValueFromContainer(array, i);

		if (text->type != jbvString)
			crm_model_error(model, key);
		texts[i] = pnstrdup(text->val.string.val, text->val.string.len);
	}
	return texts;
}

/* Give the numbers of an array, at most so many, palloc'd; *n gets how many. */
double *
crm_model_all_numbers(const CrmModelReader *model, const char *key, int most, int *n)
{
	double *numbers;

	(void) get_array(model, key, most, n);
	numbers = palloc(Max(*n, 1) * sizeof(double));
	crm_model_numbers(model, key, numbers, *n);
	return numbers;
}

/* ---- finding ----------------------------------------------------------------------------- */

static const CrmContract contract_models = {"models", "name, parameters", NULL, "model"};

/* Where a model that is read goes. */
typedef struct Finder
{
	MemoryContext keep;
	Jsonb *json;
} Finder;

/* Take the parameters of a row of crm.model. */
static void
take_stored(TupleTableSlot *slot, void *arg)
{
	Finder *finder = arg;
	MemoryContext caller = MemoryContextSwitchTo(finder->keep);

	finder->json = DatumGetJsonbPCopy(slot->tts_values[0]);
	MemoryContextSwitchTo(caller);
}

/*
 * Give the jsonb that an argument means: a model itself, or the name of one in crm.model. family
 * and function are for the hint: what it is stored as, and what makes such models.
 */
Jsonb *
crm_model_find(const char *model, const char *family, const char *function)
{
	Finder finder = {CurrentMemoryContext, NULL};
	CrmQuery query;

	if (model[strspn(model, " \t\n\r")] == '{')
		return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(model)));
	crm_source_open();
	query = crm_source_prepare(psprintf("SELECT m.parameters FROM crm.model m WHERE m.name "
										"OPERATOR(pg_catalog.=) %s",
										quote_literal_cstr(model)),
							   &contract_models);
	crm_source_run(&query, NULL, false, take_stored, &finder);
	crm_source_close();
	if (finder.json == NULL)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("crm.model has no model \"%s\"", model),
				errhint("Store one: INSERT INTO crm.model (name, family, parameters) SELECT '...', "
						"'%s', fitted FROM %s(...).",
						family, function));
	return finder.json;
}
