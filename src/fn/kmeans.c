/*
 * kmeans.c: crm.kmeans, crm.kmeans_clusters, crm.kmeans_select_k and crm.kmeans_labels. The three
 * reports share options and features, and the first two the fit; they differ in what they write.
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kernel/kmeans.h"
#include "kernel/kmeans_quality.h"
#include "kernel/kmeans_select.h"
#include "pg/args.h"
#include "pg/features.h"
#include "pg/labels.h"
#include "pg/memory.h"
#include "pg/results.h"

#define SLICE 512 /* rows told at a time */

enum
{
	ARG_SOURCE, /* or the key, and the source last */
	ARG_FEATURES,
	ARG_K,
	ARG_K_MAX,
	ARG_SCALE,
	ARG_TRANSFORM,
	ARG_INIT,
	ARG_N_INIT,
	ARG_MAX_ITERATIONS,
	ARG_TOLERANCE,
	ARG_WEIGHT,
	ARG_MISSING,
	ARG_SEED,
	ARG_WINSORIZE,
	ARG_LABELS,
	ARG_AS_OF
};

static const char *const init_list[] = {"kmeans++", "random"};
static const CrmWords init_words = {"init", "values of init", init_list, lengthof(init_list)};

/* A report in the making. Everything it points to lives in features->memory or the caller's
 * context. */
typedef struct Report
{
	bool choose_k; /* by silhouette, up to k_max; otherwise param.k */
	int k_max;
	CrmFeatureParam prepare;
	CrmKmeansParam param;
	CrmFeaturesRequest request;
	CrmLabelRules rules;
	CrmRun run;
	CrmFeatures *features;
	int role[CRM_ROLES];
	CrmKmeansData data; /* nothing to free when there are no rows */
	CrmKmeansModel model;
	CrmKmeansProfile profile;
} Report;

/* Read the options of the fit. */
static void
read_param(FunctionCallInfo fcinfo, Report *report)
{
	CrmKmeansParam *param = &report->param;
	const double *quantiles = crm_arg_quantiles(fcinfo, ARG_WINSORIZE, "winsorize");

	crm_kmeans_defaults(param);
	report->choose_k = PG_ARGISNULL(ARG_K);
	if (!report->choose_k)
		param->k = (int) crm_arg_int(fcinfo, ARG_K, "k", 1, CRM_KMEANS_MAX_K);
	report->k_max = (int) crm_arg_int(fcinfo, ARG_K_MAX, "k_max", 2, CRM_KMEANS_MAX_K);
	report->prepare.scale = (CrmScale) crm_arg_word(fcinfo, ARG_SCALE, &crm_scale_words);
	report->prepare.transform =
		(CrmTransform) crm_arg_word(fcinfo, ARG_TRANSFORM, &crm_transform_words);
	report->prepare.low = quantiles != NULL ? quantiles[0] : 0.0;
	report->prepare.high = quantiles != NULL ? quantiles[1] : 1.0;
	param->init = (CrmKmeansInit) crm_arg_word(fcinfo, ARG_INIT, &init_words);
	param->n_init = (int) crm_arg_int(fcinfo, ARG_N_INIT, "n_init", 1, CRM_KMEANS_MAX_INIT);
	param->max_iterations =
		(int) crm_arg_int(fcinfo, ARG_MAX_ITERATIONS, "max_iterations", 1, PG_INT32_MAX);
	param->tolerance = crm_arg_double(fcinfo, ARG_TOLERANCE, "tolerance", 0, 1);
	param->seed = (uint64) crm_arg_int(fcinfo, ARG_SEED, "seed", PG_INT64_MIN, PG_INT64_MAX);
}

/* Read all options; at is the position of the first one. */
static void
read_options(FunctionCallInfo fcinfo, const char *function, Report *report)
{
	CrmFeaturesRequest *request = &report->request;
	char *labels;

	read_param(fcinfo, report);
	request->function = function;
	request->source = crm_arg_source(fcinfo, &request->key_type);
	if (!PG_ARGISNULL(ARG_FEATURES))
		request->names = crm_arg_names(fcinfo, ARG_FEATURES, "features", &request->n_names);
	request->max_names = CRM_KMEANS_MAX_FEATURES;
	request->weight = crm_arg_text(fcinfo, ARG_WEIGHT);
	request->missing = (CrmMissing) crm_arg_word(fcinfo, ARG_MISSING, &crm_missing_words);
	crm_arg_require(fcinfo, ARG_AS_OF, "as_of");
	request->as_of = PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);
	if (TIMESTAMP_NOT_FINITE(request->as_of))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"as_of\" must be finite"));
	/* what the fit takes of a row, found as the difference of two sizes */
	request->row_bytes = (crm_kmeans_bytes(&report->param, 2000000, 1) -
						  crm_kmeans_bytes(&report->param, 1000000, 1)) /
						 1000000;
	labels = crm_arg_text(fcinfo, ARG_LABELS);
	if (labels == NULL)
		crm_labels_default(&report->rules);
	else
		crm_labels_read(&report->rules, labels, "crm.kmeans_labels()");
}

/* Raise the error for more memory than there may be. */
static _Noreturn void
memory_error(const Report *report, size_t wanted)
{
	const CrmFeatures *features = report->features;

	crm_memory_error(wanted, &features->ctx, "k-means",
					 psprintf("%zu rows x %d centres", features->matrix.n + features->n_unusable,
							  report->choose_k ? report->k_max : report->param.k),
					 report->choose_k ? "reduce k_max or the number of rows"
									  : "reduce k or the number of rows");
}

/* Raise the error that a kernel's status stands for, if it stands for one. */
static void
check(const Report *report, CrmStatus status)
{
	const CrmFeatures *features = report->features;

	if (status == CRM_LIMIT)
		memory_error(report, features->ctx.wanted);
	if (status == CRM_DOMAIN && report->data.offender >= 0)
		ereport(ERROR, errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				errmsg("feature \"%s\" has values whose squares do not fit double precision",
					   features->names[report->data.offender]),
				errhint("Scale them: scale => 'zscore', or divide them in the source's query."));
	if (status == CRM_DOMAIN && features->matrix.is_weighted)
		ereport(ERROR, errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				errmsg("weight \"%s\" has values too large or too small for double precision",
					   features->request->weight),
				errhint("Divide them in the source's query."));
	if (status != CRM_NOT_CONVERGED)
		crm_memory_check(status, &features->ctx, "k-means", NULL);
}

/* Check, before any work, that the fit of all rows has its memory. */
static void
check_memory(const Report *report)
{
	const CrmFeatures *features = report->features;
	CrmKmeansParam largest = report->param;
	size_t n = Max(features->matrix.n, 1);
	size_t wanted = crm_features_bytes(features);
	size_t choosing = 0;

	if (features->matrix.n == 0 && !features->matrix.is_full)
		return;
	if (report->choose_k)
	{
		largest.k = report->k_max;
		choosing = crm_kmeans_select_bytes(&largest, n, features->matrix.d, report->k_max);
	}
	wanted += Max(choosing, crm_kmeans_bytes(&largest, n, features->matrix.d));
	if (features->matrix.is_full || wanted > features->ctx.limit)
		memory_error(report, Max(wanted, features->ctx.limit + 1));
}

/* Let the first of value, activity and recency that there is number the clusters. */
static void
set_direction(Report *report)
{
	int d = report->features->matrix.d;
	signed char *direction = MemoryContextAllocZero(report->features->memory, d);
	const int *role = report->role;

	crm_labels_roles(report->features->names, d, report->role);
	if (role[CRM_ROLE_VALUE] >= 0)
		direction[role[CRM_ROLE_VALUE]] = 1;
	else if (role[CRM_ROLE_ACTIVITY] >= 0)
		direction[role[CRM_ROLE_ACTIVITY]] = 1;
	else
		direction[role[CRM_ROLE_RECENCY]] = -1;
	report->param.direction = direction;
}

/* Read options and features and prepare them for fits; the pattern of each report. */
static Report *
begin_report(FunctionCallInfo fcinfo, const char *function)
{
	Report *report = palloc0(sizeof(Report));
	CrmFeatures *features;

	report->run = crm_run_begin(function);
	read_options(fcinfo, function, report);
	report->features = features = crm_features_read(&report->request, &report->run);
	check_memory(report);
	set_direction(report);
	report->data = (CrmKmeansData){.columns = features->matrix.columns,
								   .weights = features->matrix.weights,
								   .n = features->matrix.n,
								   .d = features->matrix.d};
	if (features->matrix.n > 0)
	{
		check(report, crm_features_prepare(features, &report->prepare));
		check(report, crm_kmeans_arrange(&features->ctx, &report->data));
	}
	return report;
}

/* Try numbers of clusters; gives a row each and their number, and the place of the one chosen. */
static CrmKmeansChoice *
select_k(Report *report, int resamples, int *n, int *chosen)
{
	int low = report->choose_k ? 2 : report->param.k;
	int high = report->choose_k ? report->k_max : report->param.k;
	CrmKmeansChoice *choices = palloc0((high - low + 1) * sizeof(CrmKmeansChoice));
	size_t rows = 0;

	*n = high - low + 1;
	check(report, crm_kmeans_select(&report->features->ctx, &report->data, &report->param, low,
									high, resamples, choices, chosen, &rows));
	*chosen -= low;
	if (rows < report->features->matrix.n)
		ereport(NOTICE, errmsg("%s compared numbers of clusters on %zu of %zu rows",
							   report->run.function, rows, report->features->matrix.n));
	return choices;
}

/* Fit, with k chosen first where that is asked, and say what is to be said of it. */
static void
fit(Report *report)
{
	CrmCtx *ctx = &report->features->ctx;
	CrmKmeansModel *model = &report->model;

	if (report->features->matrix.n == 0)
		return;
	if (report->choose_k)
	{
		int n, chosen;
		CrmKmeansChoice *choices = select_k(report, 0, &n, &chosen);

		report->param.k = choices[chosen].clusters;
		pfree(choices);
	}
	check(report, crm_kmeans_fit(ctx, &report->data, &report->param, model));
	check(report, crm_kmeans_profile(ctx, &report->data, model, report->features->prepared,
									 &report->profile));
	if (model->k < report->param.k)
		ereport(
			NOTICE,
			errmsg("%s made %d clusters, not %d", report->run.function, model->k, report->param.k),
			errdetail("The rows have %d different combinations of features.", model->k));
	if (!model->converged)
		ereport(WARNING, errmsg("k-means stopped before it converged"),
				errdetail("max_iterations is %d.", report->param.max_iterations),
				errhint("Increase max_iterations, or tolerance."));
}

/* Close the account and free the report's memory. */
static void
end_report(Report *report)
{
	report->run.peak_memory = report->run.total_memory = (int64) report->features->ctx.peak;
	crm_run_end(&report->run);
	MemoryContextDelete(report->features->memory);
}

/* Give the label of a cluster. */
static text *
cluster_label(const Report *report, int cluster)
{
	double z[CRM_ROLES];

	for (int r = 0; r < CRM_ROLES; r++)
		z[r] = report->role[r] < 0
				   ? 0.0
				   : report->profile.z[(size_t) cluster * report->profile.d + report->role[r]];
	return crm_labels_find(&report->rules, z);
}

/* Give the sentence that says what sets a cluster apart. */
static text *
cluster_reason(const Report *report, int cluster)
{
	const CrmKmeansProfile *profile = &report->profile;
	int column[2];
	StringInfoData reason;

	initStringInfo(&reason);
	crm_kmeans_reasons(profile, cluster, column);
	for (int i = 0; i < 2 && column[i] >= 0; i++)
	{
		double z = profile->z[(size_t) cluster * profile->d + column[i]];
		double shown = rint(z * 10) / 10 + 0.0; /* no -0.0 */

		appendStringInfo(&reason, "%s%s %s (z %.1f)", i > 0 ? ", " : "",
						 report->features->names[column[i]],
						 z >= 0.5    ? "high"
						 : z <= -0.5 ? "low"
									 : "average",
						 shown);
	}
	if (column[0] < 0)
		appendStringInfoString(&reason, "average in all features");
	return cstring_to_text_with_len(reason.data, reason.len);
}

/* Write the rows that have a cluster. */
static void
write_rows(const Report *report, const CrmResult *result)
{
	CrmFeatures *features = report->features;
	CrmKmeansRow *rows = crm_allocate(&features->ctx, SLICE, sizeof(CrmKmeansRow));
	text **label = palloc((report->model.k + 1) * sizeof(text *));
	text **reason = palloc((report->model.k + 1) * sizeof(text *));
	Datum values[7];
	bool nulls[7] = {false};

	if (rows == NULL)
		check(report, features->ctx.failure);
	for (int c = 0; c < report->model.k; c++)
	{
		label[c] = cluster_label(report, c);
		reason[c] = cluster_reason(report, c);
	}
	for (size_t first = 0; first < features->matrix.n; first += SLICE)
	{
		size_t count = Min(SLICE, features->matrix.n - first);

		CHECK_FOR_INTERRUPTS();
		check(report,
			  crm_kmeans_rows(&features->ctx, &report->data, &report->model, first, count, rows));
		for (size_t i = 0; i < count; i++)
			crm_keylist_prefetch(&features->keys, rows[i].row);
		for (size_t i = 0; i < count; i++)
		{
			const CrmKmeansRow *row = &rows[i];

			values[0] = crm_keylist_get(&features->keys, row->row);
			values[1] = Int32GetDatum(row->cluster + 1);
			values[2] = PointerGetDatum(label[row->cluster]);
			values[3] = Float8GetDatum(row->distance);
			values[4] = Int32GetDatum(row->second + 1);
			values[5] = Float8GetDatum(row->silhouette);
			values[6] = PointerGetDatum(reason[row->cluster]);
			nulls[4] = nulls[5] = row->second < 0;
			crm_result_row(result, values, nulls);
		}
	}
	crm_release(&features->ctx, rows, SLICE, sizeof(CrmKmeansRow));
}

PG_FUNCTION_INFO_V1(crm_kmeans_1_0);
/* crm.kmeans([key,] ...): a row a row of the source; see doc/kmeans.md */
Datum
crm_kmeans_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 7);
	Report *report = begin_report(fcinfo, "crm.kmeans");
	const CrmKeyList *unusable = &report->features->unusable;
	Datum values[7] = {0};
	bool nulls[7] = {false, true, true, true, true, true, true};

	fit(report);
	write_rows(report, &result);
	for (size_t i = 0; i < unusable->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		values[0] = crm_keylist_get(unusable, i);
		crm_result_row(&result, values, nulls);
	}
	end_report(report);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(crm_kmeans_clusters_1_0);
/* crm.kmeans_clusters([key,] ...): a row a cluster and feature; see doc/kmeans.md */
Datum
crm_kmeans_clusters_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 15);
	Report *report = begin_report(fcinfo, "crm.kmeans_clusters");
	CrmFeatures *features = report->features;
	const CrmKmeansModel *model = &report->model;
	int d = features->matrix.d;
	CrmKmeansQuality quality;
	Datum *names;
	Datum values[15];
	bool nulls[15] = {false};

	fit(report);
	if (features->matrix.n > 0)
		check(report, crm_kmeans_quality(&features->ctx, &report->data, model,
										 CRM_KMEANS_SILHOUETTE_ROWS, &quality));
	names = palloc(d * sizeof(Datum));
	for (int f = 0; f < d; f++)
		names[f] = CStringGetTextDatum(features->names[f]);
	for (int c = 0; c < model->k; c++)
	{
		text *label = cluster_label(report, c);

		CHECK_FOR_INTERRUPTS();
		for (int f = 0; f < d; f++)
		{
			size_t at = (size_t) c * d + f;

			values[0] = Int32GetDatum(c + 1);
			values[1] = PointerGetDatum(label);
			values[2] = Int64GetDatum(model->sizes[c]);
			values[3] = Float8GetDatum((double) model->sizes[c] / (double) features->matrix.n);
			values[4] = names[f];
			values[5] = Float8GetDatum(report->profile.mean[at]);
			values[6] = Float8GetDatum(report->profile.sd[at]);
			values[7] = Float8GetDatum(report->profile.z[at]);
			values[8] = Float8GetDatum(model->inertia);
			crm_result_number(values, nulls, 9, quality.silhouette);
			crm_result_number(values, nulls, 10, quality.davies_bouldin);
			crm_result_number(values, nulls, 11, quality.calinski_harabasz);
			values[12] = Int32GetDatum(model->iterations);
			values[13] = BoolGetDatum(model->converged);
			values[14] = Int32GetDatum(model->k);
			crm_result_row(&result, values, nulls);
		}
	}
	end_report(report);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(crm_kmeans_select_k_1_0);
/* crm.kmeans_select_k([key,] ...): a row a number of clusters; see doc/kmeans.md */
Datum
crm_kmeans_select_k_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 7);
	Report *report = begin_report(fcinfo, "crm.kmeans_select_k");
	int n = 0, chosen = -1;
	CrmKmeansChoice *choices = NULL;

	if (report->features->matrix.n > 0)
		choices = select_k(report, CRM_KMEANS_RESAMPLES, &n, &chosen);
	for (int i = 0; i < n; i++)
	{
		const CrmKmeansChoice *choice = &choices[i];
		Datum values[7];
		bool nulls[7] = {false};

		if (choice->clusters < choice->k && i != chosen)
			continue;
		values[0] = Int32GetDatum(choice->clusters);
		values[1] = Float8GetDatum(choice->inertia);
		crm_result_number(values, nulls, 2, choice->quality.silhouette);
		crm_result_number(values, nulls, 3, choice->quality.davies_bouldin);
		crm_result_number(values, nulls, 4, choice->quality.calinski_harabasz);
		crm_result_number(values, nulls, 5, choice->stability);
		values[6] = BoolGetDatum(i == chosen);
		crm_result_row(&result, values, nulls);
	}
	end_report(report);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(crm_kmeans_labels_1_0);
/* crm.kmeans_labels(): the customary label rules */
Datum
crm_kmeans_labels_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 2 + 2 * CRM_ROLES);
	CrmLabelRules rules;

	crm_labels_default(&rules);
	for (int i = 0; i < rules.n; i++)
	{
		Datum values[2 + 2 * CRM_ROLES];
		bool nulls[2 + 2 * CRM_ROLES] = {false};

		values[0] = Int32GetDatum(i + 1);
		values[1] = PointerGetDatum(rules.rule[i].label);
		for (int r = 0; r < CRM_ROLES; r++)
		{
			values[2 + 2 * r] = Float8GetDatum(rules.rule[i].low[r]);
			values[3 + 2 * r] = Float8GetDatum(rules.rule[i].high[r]);
			nulls[2 + 2 * r] = isinf(rules.rule[i].low[r]);
			nulls[3 + 2 * r] = isinf(rules.rule[i].high[r]);
		}
		crm_result_row(&result, values, nulls);
	}
	PG_RETURN_NULL();
}
