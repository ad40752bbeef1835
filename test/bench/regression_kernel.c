/*
 * regression_kernel.c: makes data for test/bench/regression, and times the kernels on them.
 *
 *     regression_kernel make logistic FOLDER ROWS COLUMNS
 *     regression_kernel make cox FOLDER ROWS COLUMNS      times in whole days, many of them tied
 *     regression_kernel fit logistic|cox FOLDER ROWS COLUMNS
 *
 * A data set is a file FOLDER/data of doubles, one column after the other: the covariates, then the
 * label, or time and event. fit prints: milliseconds to arrange, to fit, iterations, log-likelihood.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/base/rng.h"
#include "kernel/cox.h"
#include "kernel/logistic.h"

static void *
allocate(CrmCtx *ctx, size_t bytes)
{
	(void) ctx;
	return malloc(bytes);
}

static void
release(CrmCtx *ctx, void *memory, size_t bytes)
{
	(void) ctx;
	(void) bytes;
	free(memory);
}

/* Give the time in milliseconds. */
static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return 1e3 * (double) time.tv_sec + 1e-6 * (double) time.tv_nsec;
}

/* Write the columns of a data set. */
static int
make(bool cox, const char *path, size_t n, int d)
{
	double *row = malloc(((size_t) d + 2) * n * sizeof(double));
	FILE *file = fopen(path, "wb");
	CrmRng rng;

	if (row == NULL || file == NULL)
		return 1;
	crm_rng_seed(&rng, 1, 0);
	for (size_t i = 0; i < n; i++)
	{
		double eta = cox ? 0.0 : -1.0;

		for (int j = 0; j < d; j++)
		{
			double z = crm_rng_normal(&rng);

			row[(size_t) j * n + i] = z * (j + 1) + j;
			eta += 0.3 * z * ((j % 3) - 1);
		}
		if (cox)
		{
			double stay = 1.0 + floor(crm_rng_exponential(&rng) * 400.0 * exp(-eta));
			double seen = 1.0 + floor(crm_rng_uniform(&rng) * 730.0);

			row[(size_t) d * n + i] = stay < seen ? stay : seen;
			row[((size_t) d + 1) * n + i] = stay <= seen;
		}
		else
			row[(size_t) d * n + i] = crm_rng_uniform(&rng) < 1.0 / (1.0 + exp(-eta));
	}
	fwrite(row, sizeof(double), ((size_t) d + (cox ? 2 : 1)) * n, file);
	free(row);
	return fclose(file);
}

/* Fit and print. */
static int
fit(bool cox, const char *path, size_t n, int d)
{
	size_t all = (size_t) d + (cox ? 2 : 1);
	double *values = malloc(all * n * sizeof(double));
	double **columns = malloc(all * sizeof(double *));
	FILE *file = fopen(path, "rb");
	CrmCtx ctx = {.allocate = allocate, .release = release};
	double start, arranged;
	CrmStatus status;

	if (values == NULL || columns == NULL || file == NULL ||
		fread(values, sizeof(double), all * n, file) != all * n)
		return 1;
	fclose(file);
	for (size_t j = 0; j < all; j++)
		columns[j] = values + j * n;
	start = now();
	if (cox)
	{
		CrmCoxData data = {
			.columns = columns, .time = columns[d], .event = columns[d + 1], .n = n, .d = d};
		CrmCoxParam param;
		CrmCoxModel model;

		crm_cox_defaults(&param);
		status = crm_cox_arrange(&ctx, &data);
		arranged = now();
		if (status == CRM_OK)
			status = crm_cox_fit(&ctx, &data, &param, &model);
		if (status == CRM_OK)
			printf("%.3f %.3f %d %.10g\n", arranged - start, now() - arranged, model.iterations,
				   model.log_likelihood);
	}
	else
	{
		CrmLogisticData data = {.columns = columns, .label = columns[d], .n = n, .d = d};
		CrmLogisticParam param;
		CrmLogisticModel model;

		crm_logistic_defaults(&param);
		status = crm_logistic_arrange(&ctx, &data);
		arranged = now();
		if (status == CRM_OK)
			status = crm_logistic_fit(&ctx, &data, &param, &model);
		if (status == CRM_OK)
			printf("%.3f %.3f %d %.10g\n", arranged - start, now() - arranged, model.iterations,
				   model.log_likelihood);
	}
	return status != CRM_OK;
}

int
main(int argc, char **argv)
{
	char path[4096];
	bool cox;

	if (argc != 6)
		return 2;
	cox = strcmp(argv[2], "cox") == 0;
	snprintf(path, sizeof path, "%s/data", argv[3]);
	return strcmp(argv[1], "make") == 0 ? make(cox, path, strtoul(argv[4], NULL, 10), atoi(argv[5]))
										: fit(cox, path, strtoul(argv[4], NULL, 10), atoi(argv[5]));
}
