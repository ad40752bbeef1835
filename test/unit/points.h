/*
 * points.h: matrices for the tests of k-means, and plain ways to compute what the kernel computes.
 *
 *     Points points;
 *     points_grid(&points);                   or points_blobs, points_iris
 *     CrmStatus status = points_arrange(ctx, &points);
 *     ... points.data ...
 *     points_end(ctx, &points);
 *
 * The values of a row as they were made are points_at(&points, row, column), also after arranging.
 */
#ifndef CRM_TEST_POINTS_H
#define CRM_TEST_POINTS_H

#include "host.h"
#include "kernel/kmeans.h"

#define POINTS_MAX_D 256

typedef struct Points
{
	size_t n;
	int d;
	double *columns[POINTS_MAX_D]; /* handed to the kernel */
	double *kept;                  /* as made, d columns of n */
	double *weights;
	double *kept_weights;
	CrmKmeansData data;
} Points;

static inline void
points_begin(Points *points, size_t n, int d, bool has_weights)
{
	*points = (Points){.n = n, .d = d};
	points->kept = malloc((n * (size_t) d + 1) * sizeof(double));
	for (int f = 0; f < d; f++)
		points->columns[f] = malloc((n + 1) * sizeof(double));
	if (has_weights)
	{
		points->weights = malloc((n + 1) * sizeof(double));
		points->kept_weights = malloc((n + 1) * sizeof(double));
		for (size_t i = 0; i < n; i++)
			points->weights[i] = points->kept_weights[i] = 1.0;
	}
}

static inline double
points_at(const Points *points, size_t i, int f)
{
	return points->kept[(size_t) f * points->n + i];
}

static inline void
points_set(Points *points, size_t i, int f, double value)
{
	points->kept[(size_t) f * points->n + i] = points->columns[f][i] = value;
}

static inline void
points_weigh(Points *points, size_t i, double weight)
{
	points->kept_weights[i] = points->weights[i] = weight;
}

/* Bring the columns back as they were made. */
static inline void
points_reset(Points *points)
{
	for (int f = 0; f < points->d; f++)
		memcpy(points->columns[f], points->kept + (size_t) f * points->n,
			   points->n * sizeof(double));
	if (points->weights != NULL)
		memcpy(points->weights, points->kept_weights, points->n * sizeof(double));
}

static inline CrmStatus
points_arrange(CrmCtx *ctx, Points *points)
{
	points->data = (CrmKmeansData){
		.columns = points->columns, .weights = points->weights, .n = points->n, .d = points->d};
	return crm_kmeans_arrange(ctx, &points->data);
}

/* Free the points; ctx NULL when they are not arranged. */
static inline void
points_end(CrmCtx *ctx, Points *points)
{
	if (ctx != NULL)
		crm_kmeans_data_free(ctx, &points->data);
	for (int f = 0; f < points->d; f++)
		free(points->columns[f]);
	free(points->kept);
	free(points->weights);
	free(points->kept_weights);
}

/* 300 rows of 3 columns by integer arithmetic alone; golden numbers are made of the same. */
static inline void
points_grid(Points *points, bool has_weights)
{
	points_begin(points, 300, 3, has_weights);
	for (int i = 0; i < 300; i++)
		for (int f = 0; f < 3; f++)
		{
			int value = (i * (37 + 11 * f) + i / (7 + f) * (i % 13) * (f + 1)) % 211;

			points_set(points, (size_t) i, f, value / 16.0 + (f != 1 ? i % 3 * 5.0 : 0.0));
		}
}

/* Give a uniform variate in [0, 1). */
static inline double
draw_uniform(void)
{
	return (double) (draw() >> 11) * 0x1p-53;
}

/* n rows of d columns around k centres of the cube of side 10; about normal, of sd spread. */
static inline void
points_blobs(Points *points, size_t n, int d, int k, double spread, bool has_weights)
{
	double *centre = malloc((size_t) k * (size_t) d * sizeof(double));

	for (int c = 0; c < k * d; c++)
		centre[c] = 10.0 * draw_uniform();
	points_begin(points, n, d, has_weights);
	for (size_t i = 0; i < n; i++)
	{
		size_t j = draw_below((uint64_t) k);

		for (int f = 0; f < d; f++)
		{
			double sum = -6.0;

			for (int t = 0; t < 12; t++)
				sum += draw_uniform();
			points_set(points, i, f, centre[j * (size_t) d + (size_t) f] + spread * sum);
		}
	}
	free(centre);
}

/* Read iris, 150 rows of 4 columns; false where CRM_DATA does not have it. */
static inline bool
points_iris(Points *points)
{
	const char *folder = getenv("CRM_DATA");
	char name[4096], line[256];
	FILE *file;
	size_t n = 0;

	if (folder == NULL || strlen(folder) > 4000)
		return false;
	snprintf(name, sizeof name, "%s/iris.csv", folder);
	file = fopen(name, "r");
	if (file == NULL)
		return false;
	points_begin(points, 150, 4, false);
	if (fgets(line, sizeof line, file) != NULL)
		while (n < 150 && fgets(line, sizeof line, file) != NULL)
		{
			char *at = line;

			for (int f = 0; f < 4; f++, at++)
				points_set(points, n, f, strtod(at, &at));
			n++;
		}
	fclose(file);
	if (n < 150)
		points_end(NULL, points);
	return n == 150;
}

/* Give the squared distance of a position's row to a centre of canonical columns. */
static inline double
points_square(const CrmKmeansData *data, size_t i, const double *centre)
{
	double square = 0.0;

	for (int f = 0; f < data->d; f++)
		square += (data->x[f][i] - centre[f]) * (data->x[f][i] - centre[f]);
	return square;
}

/* Give the nearest of k centres to a position's row by brute force. */
static inline int
points_nearest(const CrmKmeansData *data, size_t i, const double *centres, int k)
{
	int best = 0;

	for (int j = 1; j < k; j++)
		if (points_square(data, i, centres + (size_t) j * (size_t) data->d) <
			points_square(data, i, centres + (size_t) best * (size_t) data->d))
			best = j;
	return best;
}

/* Mix n bytes into a digest. */
static inline uint64_t
digest(uint64_t state, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		state = (state ^ ((const unsigned char *) bytes)[i]) * UINT64_C(0x100000001B3);
	return state;
}

#endif
