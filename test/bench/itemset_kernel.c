/*
 * itemset_kernel.c: times the itemset miners without a server, on baskets that pyfim gets too.
 *
 *     itemset_kernel FILE ALGORITHM COUNT...     ALGORITHM is eclat or fpgrowth
 *     itemset_kernel draw BASKETS ITEMS MEAN     print baskets of items by Zipf's law, MEAN of them on average
 *
 * The file has a line for each basket, of numbers with blanks between. A line for each COUNT: the COUNT, milliseconds
 * from the baskets in memory to the last report, the best of three runs, itemsets, the sum of their supports, bytes held at most besides the
 * baskets. The reporter counts and sums.
 */
#include "kernel/base/rng.h"
#include "kernel/itemset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS 3

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

/* Give room or stop. */
static void *
grow(void *memory, size_t bytes)
{
	memory = realloc(memory, bytes);
	if (memory == NULL)
		exit(1);
	return memory;
}

/* Read the file or stop. */
static CrmBaskets
load(const char *path)
{
	FILE *file = fopen(path, "r");
	CrmBaskets baskets = {0};
	uint64_t *start = grow(NULL, sizeof(uint64_t)), n = 0;
	uint32_t *items = NULL;
	char *line = NULL;
	size_t room = 0;

	if (file == NULL)
	{
		perror(path);
		exit(1);
	}
	start[0] = 0;
	while (getline(&line, &room, file) > 0)
	{
		char *at = line, *end;

		for (uint32_t item = (uint32_t) strtoul(at, &end, 10); end != at;
			 item = (uint32_t) strtoul(at, &end, 10))
		{
			if ((n & (n - 1)) == 0)
				items = grow(items, (2 * n + 1) * sizeof(uint32_t));
			items[n++] = item;
			if (item >= baskets.n_items)
				baskets.n_items = item + 1;
			at = end;
		}
		baskets.n++;
		if ((baskets.n & (baskets.n - 1)) == 0)
			start = grow(start, (2 * (size_t) baskets.n + 1) * sizeof(uint64_t));
		start[baskets.n] = n;
	}
	fclose(file);
	free(line);
	baskets.start = start;
	baskets.items = items;
	return baskets;
}

static CrmStatus
add_up(void *arg, const uint32_t *items, uint32_t length, uint32_t count)
{
	uint64_t *sum = arg;

	sum[0]++;
	sum[1] += count;
	return CRM_OK;
}

static void
mine(const CrmBaskets *baskets, CrmItemsetAlgorithm algorithm, const char *count)
{
	CrmCtx ctx = {.allocate = allocate, .release = release, .poll = poll};
	CrmItemsetParam param = {
		.algorithm = algorithm, .min_count = (uint32_t) atoi(count), .min_length = 1};
	uint64_t sum[2] = {0, 0};
	double best = INFINITY;
	CrmStatus status = CRM_OK;

	for (int run = 0; run < RUNS && status == CRM_OK; run++)
	{
		double start = milliseconds(), end;

		memset(sum, 0, sizeof sum);
		status = crm_itemset_mine(&ctx, baskets, &param, add_up, sum);
		end = milliseconds();
		best = fmin(best, end - start);
	}
	if (status != CRM_OK)
	{
		fprintf(stderr, "status %d\n", (int) status);
		exit(1);
	}
	printf("%s %.3f %llu %llu %zu\n", count, best, (unsigned long long) sum[0],
		   (unsigned long long) sum[1], ctx.peak);
}

/* Print baskets whose items have weights 1 / rank. */
static void
draw(uint32_t n, uint32_t n_items, double mean)
{
	CrmRng rng;

	crm_rng_seed(&rng, 6, 0);
	for (uint32_t b = 0; b < n; b++)
	{
		int length = 1 + (int) (-(mean - 1.0) * log1p(-crm_rng_uniform(&rng)));

		for (int i = 0; i < length; i++)
			printf("%u ", (uint32_t) (exp(crm_rng_uniform(&rng) * log((double) n_items + 1)) - 1));
		printf("\n");
	}
}

int
main(int argc, char **argv)
{
	CrmBaskets baskets;

	if (argc == 5 && strcmp(argv[1], "draw") == 0)
	{
		draw((uint32_t) atoi(argv[2]), (uint32_t) atoi(argv[3]), atof(argv[4]));
		return 0;
	}
	if (argc < 4)
		return 2;
	baskets = load(argv[1]);
	for (int i = 3; i < argc; i++)
		mine(&baskets,
			 strcmp(argv[2], "eclat") == 0 ? CRM_ITEMSET_ECLAT : CRM_ITEMSET_FPGROWTH, argv[i]);
	return 0;
}
