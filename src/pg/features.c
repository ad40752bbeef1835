/*
 * features.c: a source of features becomes columns of numbers and a list of keys. Rows beyond the
 * budget are counted, for an error that tells the true need.
 */
#include "pg/features.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/keys.h"
#include "pg/memory.h"
#include "pg/orders.h"
#include "pg/source.h"

static const char *const missing_list[] = {"skip", "median", "error"};
const CrmWords crm_missing_words = {"missing", "values of missing", missing_list,
									lengthof(missing_list)};
/* The features of orders, in the order that they have when none are named. */
enum
{
	MONETARY,
	FREQUENCY,
	RECENCY,
	ORDER_FEATURES
};
static const char *const order_names[] = {"monetary", "frequency", "recency"};

/* A reader of rows: the source's columns are the key, the weight if there is one, the features. */
typedef struct RowReader
{
	CrmFeatures *features;
	CrmRun *run;
} RowReader;

/* ---- rows -------------------------------------------------------------------------------- */

/* Make an empty state; the names and the request must outlive it. */
static CrmFeatures *
make_state(const CrmFeaturesRequest *request, char **names, int d, Oid key_type)
{
	CrmCtx ctx;
	MemoryContext memory = crm_memory_begin(&ctx, CurrentMemoryContext, "crm features");
	CrmFeatures *features = MemoryContextAllocZero(memory, sizeof(CrmFeatures));

	features->memory = memory;
	features->ctx = ctx;
	features->request = request;
	features->names = names;
	crm_keylist_init(&features->keys, &features->ctx, key_type);
	crm_keylist_init(&features->unusable, &features->ctx, key_type);
	crm_matrix_init(&features->matrix, &features->ctx, d, request->weight != NULL,
					features->keys.width + request->row_bytes);
	return features;
}

/* Give the bytes that the columns, weights and keys of all rows take, kept or only counted. */
size_t
crm_features_bytes(const CrmFeatures *features)
{
	const CrmMatrix *matrix = &features->matrix;
	size_t row_bytes = crm_matrix_row_bytes(matrix) + features->keys.width;
	size_t copies = 0;

	if (!matrix->is_full)
		return features->ctx.used;
	if (features->keys.n > 0) /* of keys that are copied: as long as those that were kept */
		copies = (features->ctx.used - matrix->room * row_bytes) / features->keys.n;
	return matrix->n * (row_bytes + copies) +
		   features->n_unusable * (features->keys.width + copies) + features->source_bytes;
}

/* Keep a key and make room for its row of the matrix; false: beyond the budget. */
static bool
add_key(CrmFeatures *features, Datum key)
{
	CrmMatrix *matrix = &features->matrix;

	if (matrix->n == matrix->room)
	{
		if (!crm_matrix_grow(matrix))
			return false;
		(void) crm_keylist_resize(&features->keys, matrix->room);
	}
	return crm_keylist_add(&features->keys, key);
}

/* Raise the error for a feature that is missing where that is forbidden. */
static _Noreturn void
missing_error(const CrmFeatures *features, const Datum *values, const bool *nulls)
{
	int f = 0;

	while (!nulls[f] && isfinite(DatumGetFloat8(values[f])))
		f++;
	ereport(ERROR,
			errcode(nulls[f] ? ERRCODE_NULL_VALUE_NOT_ALLOWED : ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			errmsg("feature \"%s\" is %s in a row of the source", features->names[f],
				   nulls[f]                           ? "null"
				   : isnan(DatumGetFloat8(values[f])) ? "NaN"
													  : "infinite"),
			errhint("Use missing => 'skip' to leave such rows out, or 'median' to fill them in."));
	pg_unreachable();
}

/* Add a row. *rows, when it is not NULL, counts why it cannot be used. */
static void
add_row(CrmFeatures *features, Datum key, double weight, const Datum *values, const bool *nulls,
		CrmRowCount *rows)
{
	CrmMatrix *matrix = &features->matrix;
	bool has_null = false, has_odd = false;

	for (int f = 0; f < matrix->d; f++)
	{
		if (nulls[f])
			has_null = true;
		else if (unlikely(!isfinite(DatumGetFloat8(values[f]))))
			has_odd = true;
	}
	if (unlikely(has_null || has_odd))
	{
		if (features->request->missing == CRM_MISSING_ERROR)
			missing_error(features, values, nulls);
		if (features->request->missing == CRM_MISSING_SKIP)
		{
			if (rows != NULL && has_null)
				rows->null_value++;
			else if (rows != NULL)
				rows->non_finite++;
			features->n_unusable++;
			if (!matrix->is_full && !crm_keylist_add(&features->unusable, key))
				matrix->is_full = true;
			return;
		}
		features->has_gaps = true;
	}
	if (rows != NULL)
		rows->used++;
	if (!matrix->is_full && !add_key(features, key))
		matrix->is_full = true;
	if (!matrix->is_full)
	{
		for (int f = 0; f < matrix->d; f++)
		{
			double value = nulls[f] ? NAN : DatumGetFloat8(values[f]);

			matrix->columns[f][matrix->n] = isfinite(value) ? value + 0.0 : NAN; /* no -0.0 */
		}
		if (matrix->is_weighted)
			matrix->weights[matrix->n] = weight;
	}
	matrix->n++;
}

/* Check a weight. */
static double
check_weight(const CrmFeatures *features, Datum value, bool is_null)
{
	double weight = is_null ? NAN : DatumGetFloat8(value);

	if (!(weight >= 0) || isinf(weight))
		ereport(
			ERROR,
			errcode(is_null ? ERRCODE_NULL_VALUE_NOT_ALLOWED : ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			errmsg("weight \"%s\" must be finite and not negative", features->request->weight),
			is_null ? errdetail("A row has a null.") : errdetail("A row has %g.", weight),
			errhint("Put what such a row is to weigh into the source's query; 0 lets it be "
					"assigned without counting."));
	return weight;
}

/* ---- rows of a relation or query --------------------------------------------------------- */

/* Take a row of the source. */
static void
read_row(TupleTableSlot *slot, void *arg)
{
	RowReader *reader = arg;
	CrmFeatures *features = reader->features;
	CrmRowCount *rows = &reader->run->rows;
	int at = 1;
	double weight = 1;

	rows->read++;
	if (slot->tts_isnull[0])
	{
		rows->null_key++;
		return;
	}
	if (features->request->weight != NULL)
	{
		weight = check_weight(features, slot->tts_values[1], slot->tts_isnull[1]);
		at = 2;
	}
	add_row(features, slot->tts_values[0], weight, slot->tts_values + at, slot->tts_isnull + at,
			rows);
}

/* Tell whether a type is a number. */
static bool
is_number(Oid type)
{
	switch (getBaseType(type))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return true;
		default:
			return false;
	}
}

/* Raise an error when a column that was named exists and is no number. */
static void
check_number(const CrmQuery *probe, const char *what, const char *name)
{
	for (int i = 1; i < probe->columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(probe->columns, i);

		if (strcmp(NameStr(column->attname), name) == 0 && !is_number(column->atttypid))
			ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("%s \"%s\" is of type %s, not a number", what, name,
						   format_type_be(column->atttypid)),
					errhint("A source of %s has the columns %s.", crm_contract_features.name,
							crm_contract_features.columns));
	}
}

/* Raise an error for names that contradict one another. */
static void
check_names(const CrmFeaturesRequest *request)
{
	if (request->weight != NULL && strcmp(request->weight, "customer_id") == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("customer_id is the key, not a weight"));
	for (int i = 0; i < request->n_names; i++)
	{
		if (strcmp(request->names[i], "customer_id") == 0)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("customer_id is the key, not a feature"));
		if (request->weight != NULL && strcmp(request->names[i], request->weight) == 0)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("column \"%s\" is both a feature and the weight", request->weight));
	}
}

/* Give the names of the features: those wanted, or every numeric column but key and weight. */
static char **
choose_names(const CrmFeaturesRequest *request, const CrmQuery *probe, MemoryContext keep, int *d)
{
	int natts = probe->columns->natts;
	MemoryContext caller = MemoryContextSwitchTo(keep);
	char **names = palloc(Max(natts, request->n_names) * sizeof(char *));

	*d = 0;
	for (int i = 0; i < request->n_names; i++)
		names[(*d)++] = request->names[i];
	for (int i = 1; i < natts && request->names == NULL; i++)
	{
		Form_pg_attribute column = TupleDescAttr(probe->columns, i);
		const char *name = NameStr(column->attname);

		if (is_number(column->atttypid) && strcmp(name, "customer_id") != 0 &&
			(request->weight == NULL || strcmp(name, request->weight) != 0))
			names[(*d)++] = pstrdup(name);
	}
	MemoryContextSwitchTo(caller);
	if (*d > request->max_names)
		ereport(ERROR, errcode(ERRCODE_TOO_MANY_COLUMNS),
				errmsg("at most %d features can be used", request->max_names),
				errdetail("The source has %d.", *d), errhint("Name those to use in features."));
	if (*d == 0)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("the source has no feature: no numeric column besides customer_id%s",
					   request->weight != NULL ? " and the weight" : ""),
				errhint("A source of %s has the columns %s.", crm_contract_features.name,
						crm_contract_features.columns));
	return names;
}

/* Give the query that reads the features. */
static char *
features_sql(const CrmFeaturesRequest *request, const char *select, char **names, int d, Oid cast)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT q.customer_id");
	if (OidIsValid(cast))
		appendStringInfo(&sql, "::%s", format_type_be_qualified(cast));
	if (request->weight != NULL)
		appendStringInfo(&sql, ", q.%s::pg_catalog.float8", quote_identifier(request->weight));
	for (int f = 0; f < d; f++)
		appendStringInfo(&sql, ", q.%s::pg_catalog.float8", quote_identifier(names[f]));
	appendStringInfo(&sql, " FROM (%s\n) q", select);
	return sql.data;
}

/* Read the features of a relation or a query. */
static CrmFeatures *
read_relation(const CrmFeaturesRequest *request, CrmRun *run)
{
	MemoryContext keep = CurrentMemoryContext;
	RowReader reader = {.run = run};
	CrmQuery probe, query;
	char *select, **names;
	Oid key_type, cast;
	int d;

	run->value = "feature";
	crm_source_open();
	select = crm_source_select(request->source, &crm_contract_features);
	probe = crm_source_prepare(psprintf("SELECT q.customer_id, q.* FROM (%s\n) q", select),
							   &crm_contract_features);
	key_type = crm_key_choose(request->key_type, TupleDescAttr(probe.columns, 0)->atttypid,
							  request->function, &cast);
	for (int i = 0; i < request->n_names; i++)
		check_number(&probe, "feature", request->names[i]);
	if (request->weight != NULL)
		check_number(&probe, "weight", request->weight);
	names = choose_names(request, &probe, keep, &d);
	query =
		crm_source_prepare(features_sql(request, select, names, d, cast), &crm_contract_features);
	MemoryContextSwitchTo(keep);
	reader.features = make_state(request, names, d, key_type);
	crm_source_run(&query, NULL, false, read_row, &reader);
	crm_source_close();
	MemoryContextSwitchTo(keep);
	run->customers = (int64) (reader.features->matrix.n + reader.features->n_unusable);
	return reader.features;
}

/* ---- customers of orders ----------------------------------------------------------------- */

/* Give which feature of orders a name is; an error when it is none. */
static int
order_feature(const char *name)
{
	for (int i = 0; i < ORDER_FEATURES; i++)
		if (strcmp(name, order_names[i]) == 0)
			return i;
	ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
			errmsg("a source of orders has no feature \"%s\"", name),
			errhint("It has monetary, frequency and recency. For others give a table, view or "
					"query as the source."));
	return 0;
}

/* Give the features of one customer as datums. */
static void
order_values(const CrmOrders *orders, TimestampTz as_of, Datum *values)
{
	values[MONETARY] = Float8GetDatum(crm_sum_value(orders->sum));
	values[FREQUENCY] = Float8GetDatum((double) orders->count);
	values[RECENCY] =
		Float8GetDatum(((double) as_of - (double) orders->last) / (double) USECS_PER_DAY);
}

/* Choose among the features of orders; gives which, and their names. */
static int
choose_order_features(const CrmFeaturesRequest *request, int *which, char ***names)
{
	int d = 0;

	*names = palloc(Max(ORDER_FEATURES, request->n_names) * sizeof(char *));
	for (int i = 0; i < request->n_names; i++)
		which[d++] = order_feature(request->names[i]);
	for (int i = 0; i < ORDER_FEATURES && request->names == NULL; i++)
		if (request->weight == NULL || strcmp(order_names[i], request->weight) != 0)
			which[d++] = i;
	for (int f = 0; f < d; f++)
		(*names)[f] = pstrdup(order_names[which[f]]);
	return d;
}

/* Read the RFM features of a source of orders. */
static CrmFeatures *
read_orders(const CrmFeaturesRequest *request, CrmRun *run)
{
	CrmOrdersRequest orders_request = {.function = request->function,
									   .source = request->source,
									   .key_type = request->key_type,
									   .as_of = request->as_of,
									   .refunds = CRM_REFUNDS_NET};
	int which[ORDER_FEATURES];
	int weight = request->weight != NULL ? order_feature(request->weight) : -1;
	char **names;
	int d = choose_order_features(request, which, &names);
	CrmOrdersState *orders = crm_orders_read(&orders_request, run);
	CrmFeatures *features = make_state(request, names, d, orders->key_type.type);
	Datum values[ORDER_FEATURES], chosen[ORDER_FEATURES];
	const bool nulls[ORDER_FEATURES] = {false};

	features->ctx.used += orders->ctx.used;
	for (uint32 i = 0; i < orders->customers.table.n; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		order_values(crm_customers_orders(&orders->customers, i), request->as_of, values);
		for (int f = 0; f < d; f++)
			chosen[f] = values[which[f]];
		add_row(features, crm_key_to_datum(&orders->key_type, &orders->customers.table, i),
				weight >= 0 ? check_weight(features, values[weight], false) : 1, chosen, nulls,
				NULL);
	}
	features->ctx.used -= orders->ctx.used;
	features->source_bytes = orders->ctx.used;
	features->ctx.peak = Max(features->ctx.peak, orders->ctx.peak);
	MemoryContextDelete(orders->memory);
	return features;
}

/* Raise an error when there are rows and all their weights are zero. */
static void
check_weights(const CrmMatrix *matrix)
{
	size_t i = 0;

	if (!matrix->is_weighted || matrix->n == 0)
		return;
	while (i < matrix->n && matrix->weights[i] == 0)
		i++;
	if (i == matrix->n)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("all weights are zero"));
}

/*
 * Read a source of features, each row with a key and all features by itself; rows that lack one are
 * counted and, by missing, kept apart or left as gaps for crm_features_prepare. They live in a
 * memory context below the current one. The account of the run gets the rows.
 */
CrmFeatures *
crm_features_read(const CrmFeaturesRequest *request, CrmRun *run)
{
	CrmFeatures *features;
	bool of_orders;

	check_names(request);
	crm_source_open();
	of_orders = crm_source_is_name(request->source, &crm_contract_orders);
	crm_source_close();
	features = of_orders ? read_orders(request, run) : read_relation(request, run);
	if (!features->matrix.is_full)
	{
		crm_matrix_shrink(&features->matrix);
		if (features->keys.room > 0)
			(void) crm_keylist_resize(&features->keys, features->keys.n);
		check_weights(&features->matrix);
	}
	return features;
}

/* ---- making them comparable -------------------------------------------------------------- */

/* Fill the gaps of a column with the median of its values. */
static CrmStatus
fill_gaps(CrmFeatures *features, int f)
{
	const double half = 0.5;
	CrmCtx *ctx = &features->ctx;
	size_t rows = features->matrix.n;
	double *column = features->matrix.columns[f];
	double *values = crm_allocate(ctx, rows, sizeof(double));
	size_t n = 0;
	double median = 0.0;
	CrmStatus status;

	if (values == NULL)
		return ctx->failure;
	for (size_t i = 0; i < rows; i++)
		if (!isnan(column[i]))
			values[n++] = column[i];
	if (n == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("feature \"%s\" has no value to take the median of", features->names[f]),
				errhint("Leave it out: name the others in features."));
	status = n < rows ? crm_feature_quantiles(ctx, values, n, &half, 1, &median) : CRM_OK;
	crm_release(ctx, values, rows, sizeof(double));
	for (size_t i = 0; i < rows && status == CRM_OK; i++)
		if (isnan(column[i]))
			column[i] = median;
	return status;
}

/*
 * Fill gaps, then clip, transform and scale each column in place; features->prepared tells what was
 * done. Gives CRM_LIMIT where memory ends.
 */
CrmStatus
crm_features_prepare(CrmFeatures *features, const CrmFeatureParam *param)
{
	CrmMatrix *matrix = &features->matrix;
	CrmStatus status = CRM_OK;

	for (int f = 0; f < matrix->d && features->has_gaps && status == CRM_OK; f++)
		status = fill_gaps(features, f);
	features->prepared = MemoryContextAllocZero(features->memory, matrix->d * sizeof(CrmFeature));
	if (status == CRM_OK)
		status = crm_matrix_prepare(matrix, param, features->names, features->prepared);
	return status;
}
