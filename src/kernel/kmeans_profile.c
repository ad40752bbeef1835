/*
 * kmeans_profile.c: what clusters are like in original units, and how far two labelings agree; see
 * kmeans_quality.h.
 */
#include "kernel/kmeans_quality.h"

#include "kernel/base/sum.h"

#include <math.h>
#include <string.h>

#define POLL_ROWS ((size_t) 1 << 16)

/* ---- profiles ------------------------------------------------------------------------------ */

/* One column of a profile in the making. */
typedef struct Column
{
	const CrmKmeansData *data;
	const double *values;
	const CrmFeature *feature; /* NULL: values are told as they are */
	const uint16_t *labels;
	int k;
	double *weights; /* k: of the clusters */
	CrmSum *sums;    /* k */
	double *mean;    /* k */
	double factor;   /* a power of two: values times it neither over- nor underflow */
} Column;

/* Give a value in original units. */
static inline double
original(const Column *column, size_t i)
{
	return column->feature != NULL ? crm_feature_inverse(column->feature, column->values[i])
								   : column->values[i];
}

/* What add_up adds: weights, weighted values times factor, or weighted squares of deviations so. */
typedef enum Power
{
	WEIGHT,
	VALUE,
	SQUARE
} Power;

/* Add up something of each cluster's rows. */
static CrmStatus
add_up(CrmCtx *ctx, const Column *column, Power power)
{
	const double *weights = column->data->weights;

	memset(column->sums, 0, column->k * sizeof(CrmSum));
	for (size_t i = 0; i < column->data->n; i++)
	{
		int j = column->labels[i];
		double term = weights != NULL ? weights[i] : 1.0;

		if (power == VALUE)
			term *= original(column, i) * column->factor;
		else if (power == SQUARE)
		{
			double difference = original(column, i) * column->factor - column->mean[j];

			term *= difference * difference;
		}
		crm_sum_add(&column->sums[j], term);
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	return CRM_OK;
}

/* Find a column's means, of the clusters and, as the result, of all. */
static double
find_means(const Column *column, double total)
{
	CrmSum all = {0};

	for (int j = 0; j < column->k; j++)
	{
		crm_sum_merge(&all, column->sums[j]);
		column->mean[j] =
			column->weights[j] > 0.0 ? crm_sum_value(column->sums[j]) / column->weights[j] : 0.0;
	}
	return total > 0.0 ? crm_sum_value(all) / total : 0.0;
}

/*
 * Profile one of the caller's columns, the values scaled by a power of two so that nothing over- or
 * underflows. The variance of all is that within the clusters and between them.
 */
static CrmStatus
profile_column(CrmCtx *ctx, Column *column, int at, CrmKmeansProfile *profile)
{
	double total = column->data->total_weight, centre, sd, reach = 0.0;
	int k = profile->k, d = profile->d, exponent = 0;
	CrmStatus status;
	CrmSum all = {0};

	for (size_t i = 0; i < column->data->n; i++)
	{
		reach = fmax(reach, fabs(original(column, i)));
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			return CRM_ABORTED;
	}
	(void) frexp(reach, &exponent);
	exponent = exponent > -1000 ? exponent : -1000;
	column->factor = ldexp(1.0, -exponent);
	status = add_up(ctx, column, VALUE);
	if (status != CRM_OK)
		return status;
	centre = find_means(column, total);
	status = add_up(ctx, column, SQUARE);
	for (int j = 0; j < k; j++)
	{
		double away = column->mean[j] - centre;

		crm_sum_merge(&all, column->sums[j]);
		crm_sum_add(&all, column->weights[j] * away * away);
	}
	sd = total > 0.0 ? sqrt(crm_sum_value(all) / total) : 0.0;
	for (int j = 0; j < k; j++)
	{
		double weight = column->weights[j], within = crm_sum_value(column->sums[j]);
		size_t cell = (size_t) j * d + at;

		profile->mean[cell] = ldexp(column->mean[j], exponent);
		profile->sd[cell] = weight > 0.0 ? ldexp(sqrt(within / weight), exponent) : 0.0;
		profile->z[cell] = weight > 0.0 && sd > 0.0 ? (column->mean[j] - centre) / sd : 0.0;
	}
	profile->all_mean[at] = ldexp(centre, exponent);
	profile->all_sd[at] = ldexp(sd, exponent);
	return status;
}

/* Label the rows and profile all columns. */
static CrmStatus
profile_all(CrmCtx *ctx, const CrmKmeansModel *model, const CrmFeature *features, Column *column,
			uint16_t *labels, CrmKmeansProfile *profile)
{
	CrmStatus status = crm_kmeans_labels(ctx, column->data, model, labels);

	if (status == CRM_OK)
		status = add_up(ctx, column, WEIGHT);
	for (int j = 0; j < column->k; j++)
		column->weights[j] = crm_sum_value(column->sums[j]);
	for (int f = 0; f < profile->d && status == CRM_OK; f++)
	{
		int at = column->data->column_order[f];

		column->values = column->data->x[f];
		column->feature = features != NULL ? &features[at] : NULL;
		status = profile_column(ctx, column, at, profile);
	}
	return status;
}

/*
 * Profile the clusters of a model over the data; features, the caller's d in his order, take the
 * values back to original units (clipped ones stay clipped), NULL leaves them prepared. The profile
 * is ctx's until crm_kmeans_profile_free. Takes 2 bytes a row for the time.
 * Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_kmeans_profile(CrmCtx *ctx, const CrmKmeansData *data, const CrmKmeansModel *model,
				   const CrmFeature *features, CrmKmeansProfile *profile)
{
	int k = model->k, d = model->d;
	size_t cells = (size_t) k * d;
	Column column = {.data = data, .k = k};
	uint16_t *labels = crm_allocate(ctx, data->n, sizeof(uint16_t));
	CrmStatus status;

	*profile = (CrmKmeansProfile){.k = k, .d = d};
	column.labels = labels;
	if (labels == NULL || (column.weights = crm_allocate(ctx, k, sizeof(double))) == NULL ||
		(column.sums = crm_allocate(ctx, k, sizeof(CrmSum))) == NULL ||
		(column.mean = crm_allocate(ctx, k, sizeof(double))) == NULL ||
		(profile->mean = crm_allocate(ctx, cells, sizeof(double))) == NULL ||
		(profile->sd = crm_allocate(ctx, cells, sizeof(double))) == NULL ||
		(profile->z = crm_allocate(ctx, cells, sizeof(double))) == NULL ||
		(profile->all_mean = crm_allocate(ctx, d, sizeof(double))) == NULL ||
		(profile->all_sd = crm_allocate(ctx, d, sizeof(double))) == NULL)
		status = ctx->failure;
	else
		status = profile_all(ctx, model, features, &column, labels, profile);
	crm_release(ctx, column.mean, k, sizeof(double));
	crm_release(ctx, column.sums, k, sizeof(CrmSum));
	crm_release(ctx, column.weights, k, sizeof(double));
	crm_release(ctx, labels, data->n, sizeof(uint16_t));
	if (status != CRM_OK)
		crm_kmeans_profile_free(ctx, profile);
	return status;
}

/* Give back what a profile took. */
void
crm_kmeans_profile_free(CrmCtx *ctx, CrmKmeansProfile *profile)
{
	size_t cells = (size_t) profile->k * profile->d;

	crm_release(ctx, profile->all_sd, profile->d, sizeof(double));
	crm_release(ctx, profile->all_mean, profile->d, sizeof(double));
	crm_release(ctx, profile->z, cells, sizeof(double));
	crm_release(ctx, profile->sd, cells, sizeof(double));
	crm_release(ctx, profile->mean, cells, sizeof(double));
	*profile = (CrmKmeansProfile){.k = 0};
}

/*
 * Name the two columns that set a cluster apart, those of the largest |z|, of equal ones the first;
 * -1 where there is none, or none whose mean differs from that of all.
 */
void
crm_kmeans_reasons(const CrmKmeansProfile *profile, int cluster, int column[2])
{
	const double *z = profile->z + (size_t) cluster * profile->d;

	column[0] = column[1] = -1;
	for (int at = 0; at < profile->d; at++)
	{
		double mine = fabs(z[at]);

		if (!(mine > 0.0))
			continue;
		if (column[0] < 0 || mine > fabs(z[column[0]]))
		{
			column[1] = column[0];
			column[0] = at;
		}
		else if (column[1] < 0 || mine > fabs(z[column[1]]))
			column[1] = at;
	}
}

/* ---- agreement ----------------------------------------------------------------------------- */

/* Give the index from the table of n_a x n_b weights that two labelings share. */
static double
find_index(const double *table, int n_a, int n_b, double *of_b)
{
	double total = 0.0, both = 0.0, in_a = 0.0, in_b = 0.0, apart;
	double true_pairs, only_a, only_b;

	for (int b = 0; b < n_b; b++)
		of_b[b] = 0.0;
	for (int a = 0; a < n_a; a++)
	{
		double sum = 0.0;

		for (int b = 0; b < n_b; b++)
		{
			double cell = table[(size_t) a * n_b + b];

			sum += cell;
			of_b[b] += cell;
			both += cell * cell;
		}
		in_a += sum * sum;
		total += sum;
	}
	for (int b = 0; b < n_b; b++)
		in_b += of_b[b] * of_b[b];
	true_pairs = both - total;
	only_a = in_a - both;
	only_b = in_b - both;
	apart = total * total - in_a - in_b + both;
	if (!(only_a > 0.0) && !(only_b > 0.0))
		return 1.0;
	return 2.0 * (true_pairs * apart - only_a * only_b) /
		   ((true_pairs + only_a) * (only_a + apart) + (true_pairs + only_b) * (only_b + apart));
}

/*
 * Give the adjusted Rand index of two labelings of n rows, labels 0 to n_a - 1 and 0 to n_b - 1;
 * weights, or NULL, are frequencies. 1 for labelings that agree, 0 as chance would have it. Takes
 * 8 n_a n_b bytes. Errors: CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_kmeans_adjusted_rand(CrmCtx *ctx, const uint16_t *a, int n_a, const uint16_t *b, int n_b,
						 const double *weights, size_t n, double *index)
{
	size_t cells = (size_t) n_a * n_b;
	double *table = crm_allocate(ctx, cells, sizeof(double));
	double *of_b = crm_allocate(ctx, n_b, sizeof(double));
	CrmStatus status = CRM_OK;

	if (table == NULL || of_b == NULL)
		status = ctx->failure;
	else
		memset(table, 0, cells * sizeof(double));
	for (size_t i = 0; i < n && status == CRM_OK; i++)
	{
		table[(size_t) a[i] * n_b + b[i]] += weights != NULL ? weights[i] : 1.0;
		if (i % POLL_ROWS == POLL_ROWS - 1 && crm_poll(ctx))
			status = CRM_ABORTED;
	}
	if (status == CRM_OK)
		*index = find_index(table, n_a, n_b, of_b);
	crm_release(ctx, of_b, n_b, sizeof(double));
	crm_release(ctx, table, cells, sizeof(double));
	return status;
}
