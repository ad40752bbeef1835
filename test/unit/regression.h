/*
 * regression.h: data of the tests of regressions: R's data set mtcars (Henderson and Velleman
 * 1981), rows drawn from a seed, and a reader of CSV files of CRM_DATA.
 */
#ifndef CRM_TEST_REGRESSION_H
#define CRM_TEST_REGRESSION_H

#include "tap.h"

#include "kernel/base/rng.h"

#define CARS 32

/* mpg, hp, wt, am */
static const double cars[CARS][4] = {
	{21, 110, 2.62, 1},    {21, 110, 2.875, 1},  {22.8, 93, 2.32, 1},   {21.4, 110, 3.215, 0},
	{18.7, 175, 3.44, 0},  {18.1, 105, 3.46, 0}, {14.3, 245, 3.57, 0},  {24.4, 62, 3.19, 0},
	{22.8, 95, 3.15, 0},   {19.2, 123, 3.44, 0}, {17.8, 123, 3.44, 0},  {16.4, 180, 4.07, 0},
	{17.3, 180, 3.73, 0},  {15.2, 180, 3.78, 0}, {10.4, 205, 5.25, 0},  {10.4, 215, 5.424, 0},
	{14.7, 230, 5.345, 0}, {32.4, 66, 2.2, 1},   {30.4, 52, 1.615, 1},  {33.9, 65, 1.835, 1},
	{21.5, 97, 2.465, 0},  {15.5, 150, 3.52, 0}, {15.2, 150, 3.435, 0}, {13.3, 245, 3.84, 0},
	{19.2, 175, 3.845, 0}, {27.3, 66, 1.935, 1}, {26, 91, 2.14, 1},     {30.4, 113, 1.513, 1},
	{15.8, 264, 3.17, 1},  {19.7, 175, 2.77, 1}, {15, 335, 3.57, 1},    {21.4, 109, 2.78, 1}};

/* Fill columns of the cars: which[j] says which column of the table. */
static inline void
take_cars(double columns[][CARS], const int *which, int n)
{
	for (int j = 0; j < n; j++)
		for (int i = 0; i < CARS; i++)
			columns[j][i] = cars[i][which[j]];
}

/* Exchange rows of d columns by a random permutation. */
static inline void
shuffle_rows(double **columns, int d, size_t n, uint64_t seed)
{
	CrmRng rng;

	crm_rng_seed(&rng, seed, 0);
	for (size_t i = n; i > 1; i--)
	{
		size_t other = (size_t) (crm_rng_uniform(&rng) * (double) i);

		for (int j = 0; j < d; j++)
		{
			double kept = columns[j][i - 1];

			columns[j][i - 1] = columns[j][other];
			columns[j][other] = kept;
		}
	}
}

/* Open a file of CRM_DATA and skip its header; NULL where there is none. */
static inline FILE *
open_data(const char *name)
{
	const char *folder = getenv("CRM_DATA");
	char line[2048], path[1024];
	FILE *file;

	if (folder == NULL)
		return NULL;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "r");
	if (file != NULL && fgets(line, sizeof line, file) == NULL)
	{
		fclose(file);
		return NULL;
	}
	return file;
}

/* Read a line of at most n fields, quotes left out; gives their number, 0 at the end. */
static inline int
read_fields(FILE *file, char fields[][64], int n)
{
	char line[2048];
	int count = 0;

	if (fgets(line, sizeof line, file) == NULL)
		return 0;
	for (char *at = line; count < n; count++)
	{
		char *to = fields[count];

		while (*at != ',' && *at != '\n' && *at != '\r' && *at != '\0')
		{
			if (*at != '"' && to < fields[count] + 63)
				*to++ = *at;
			at++;
		}
		*to = '\0';
		if (*at != ',')
			return count + 1;
		at++;
	}
	return count;
}

#endif
