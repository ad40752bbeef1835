/*
 * kmeans_kernel.c: times the k-means kernel without a server, on rows that scikit-learn gets too.
 *
 *     kmeans_kernel make FOLDER ROWS COLUMNS K         write FOLDER/rows, row by row, and FOLDER/centroids
 *     kmeans_kernel fit FOLDER ROWS COLUMNS K STOP...  fit from these centroids; STOP is TOLERANCE:ITERATIONS
 *
 * The rows are normal around K centres that overlap; both files hold doubles. A line for each STOP: the STOP, milliseconds
 * of arranging and of fitting, iterations, inertia, bytes held at most besides the columns.
 */
#include "kernel/base/rng.h"
#include "kernel/kmeans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SPREAD 1.0 /* of the centres; of the rows around them it is 1 as well */

static void *
allocate(CrmCtx *ctx, size_t bytes)
{
	return malloc(bytes);
}

static void
release(CrmCtx *ctx, void *memory, size_t bytes)
{
	free(memory);
}

static bool
poll(CrmCtx *ctx)
{
	return false;
}

static double
milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return 1e3 * (double) now.tv_sec + 1e-6 * (double) now.tv_nsec;
}

/* Open a file of the folder or stop. */
static FILE *
open_file(const char *folder, const char *name, const char *mode)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, mode);
	if (file == NULL)
	{
		perror(path);
		exit(1);
	}
	return file;
}

static void
make(const char *folder, size_t n, int d, int k)
{
	FILE *rows = open_file(folder, "rows", "wb"), *centroids = open_file(folder, "centroids", "wb");
	double *centre = malloc((size_t) k * d * sizeof(double)), *row = malloc(d * sizeof(double));
	CrmRng rng;

	crm_rng_seed(&rng, 7, 0);
	for (int c = 0; c < k * d; c++)
		centre[c] = SPREAD * crm_rng_normal(&rng);
	for (size_t i = 0; i < n; i++)
	{
		int j = (int) (crm_rng_next(&rng) % (uint64_t) k);

		for (int f = 0; f < d; f++)
			row[f] = centre[j * d + f] + crm_rng_normal(&rng);
		fwrite(row, sizeof(double), d, rows);
		if (i < (size_t) k) /* the first rows are as good as any */
			fwrite(row, sizeof(double), d, centroids);
	}
	fclose(rows);
	fclose(centroids);
	free(row);
	free(centre);
}

/* Read doubles or stop. */
static void
read_doubles(FILE *file, double *values, size_t n)
{
	if (fread(values, sizeof(double), n, file) != n)
	{
		fputs("the file is too short\n", stderr);
		exit(1);
	}
}

/* Fill the columns from the file of rows. */
static void
load(const char *folder, size_t n, int d, double **columns)
{
	FILE *file = open_file(folder, "rows", "rb");
	double *row = malloc(d * sizeof(double));

	for (size_t i = 0; i < n; i++)
	{
		read_doubles(file, row, d);
		for (int f = 0; f < d; f++)
			columns[f][i] = row[f];
	}
	fclose(file);
	free(row);
}

static void
fit(const char *folder, size_t n, int d, int k, const char *stop)
{
	CrmCtx ctx = {.allocate = allocate, .release = release, .poll = poll};
	double **columns = malloc(d * sizeof(double *)), start, arranged, end;
	double *centroids = malloc((size_t) k * d * sizeof(double));
	FILE *file = open_file(folder, "centroids", "rb");
	CrmKmeansData data = {.columns = columns, .n = n, .d = d};
	CrmKmeansParam param;
	CrmKmeansModel model;
	CrmStatus status;

	for (int f = 0; f < d; f++)
		columns[f] = malloc(n * sizeof(double));
	load(folder, n, d, columns);
	read_doubles(file, centroids, (size_t) k * d);
	fclose(file);
	crm_kmeans_defaults(&param);
	param.k = k;
	param.init = CRM_KMEANS_GIVEN;
	param.centroids = centroids;
	param.algorithm = CRM_KMEANS_LLOYD;
	if (sscanf(stop, "%lf:%d", &param.tolerance, &param.max_iterations) != 2)
		exit(2);

	start = milliseconds();
	status = crm_kmeans_arrange(&ctx, &data);
	arranged = milliseconds();
	if (status == CRM_OK)
		status = crm_kmeans_fit(&ctx, &data, &param, &model);
	end = milliseconds();
	if (status != CRM_OK && status != CRM_NOT_CONVERGED)
	{
		fprintf(stderr, "status %d\n", (int) status);
		exit(1);
	}
	printf("%s %.3f %.3f %d %.17g %zu\n", stop, arranged - start, end - arranged, model.iterations,
		   model.inertia, ctx.peak);
	crm_kmeans_model_free(&ctx, &model);
	crm_kmeans_data_free(&ctx, &data);
	for (int f = 0; f < d; f++)
		free(columns[f]);
	free(columns);
	free(centroids);
}

int
main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "make") == 0)
		make(argv[2], strtoul(argv[3], NULL, 10), atoi(argv[4]), atoi(argv[5]));
	else if (argc > 6 && strcmp(argv[1], "fit") == 0)
		for (int i = 6; i < argc; i++)
			fit(argv[2], strtoul(argv[3], NULL, 10), atoi(argv[4]), atoi(argv[5]), argv[i]);
	else
		return 2;
	return 0;
}
