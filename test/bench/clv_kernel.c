/*
 * clv_kernel.c: makes customers for test/bench/clv, and times the kernels on them.
 *
 *     clv_kernel make FOLDER CUSTOMERS          writes FOLDER/x, t_x, t: doubles, days of BG/NBD
 *     clv_kernel read FOLDER FILE               the same from a file of lines "id,x,t_x,T..."
 *     clv_kernel fit FOLDER MODEL REPEATS       bgnbd, mbgnbd or paretonbd
 *     clv_kernel predict FOLDER MODEL HORIZON   expected orders and P(alive), not discounted
 *     clv_kernel score FOLDER MODEL HORIZON     the same, and lifetime and residual value
 *
 * fit prints the median milliseconds of processor time of collapsing and fitting, the log-likelihood, the parameters,
 * the evaluations; predict and score: milliseconds without the fit, and a sum to compare.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "kernel/base/rng.h"
#include "kernel/clv.h"
#include "kernel/clv_fit.h"

#define DAYS     730.0 /* that the shop is open */
#define REPEATS  99
#define DISCOUNT 0.00026 /* a day */

typedef struct Customers
{
	double *x, *t_x, *t;
	size_t n;
} Customers;

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

/* Give the processor's time in milliseconds, which other work on the machine disturbs less. */
static double
now(void)
{
	return 1e3 * (double) clock() / CLOCKS_PER_SEC;
}

static void
fail(const char *what)
{
	fprintf(stderr, "clv_kernel: %s\n", what);
	exit(1);
}

/* Write or read a column: FOLDER/name. */
static size_t
column(const char *folder, const char *name, const char *mode, double *values, size_t n)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, mode);
	if (file == NULL)
		fail(path);
	n = *mode == 'w' ? fwrite(values, sizeof *values, n, file)
					 : fread(values, sizeof *values, n, file);
	fclose(file);
	return n;
}

static Customers
room(size_t n)
{
	Customers all = {malloc(n * sizeof(double)), malloc(n * sizeof(double)),
					 malloc(n * sizeof(double)), n};

	if (all.x == NULL || all.t_x == NULL || all.t == NULL)
		fail("no memory");
	return all;
}

static void
save(const char *folder, const Customers *all)
{
	column(folder, "x", "wb", all->x, all->n);
	column(folder, "t_x", "wb", all->t_x, all->n);
	column(folder, "t", "wb", all->t, all->n);
}

static Customers
load(const char *folder)
{
	char path[4096];
	struct stat about;
	Customers all;

	snprintf(path, sizeof path, "%s/x", folder);
	if (stat(path, &about) != 0)
		fail(path);
	all = room((size_t) about.st_size / sizeof(double));
	column(folder, "x", "rb", all.x, all.n);
	column(folder, "t_x", "rb", all.t_x, all.n);
	column(folder, "t", "rb", all.t, all.n);
	return all;
}

/* Draw customers of BG/NBD in whole days, at most one transaction a day. */
static void
make(const char *folder, size_t n)
{
	Customers all = room(n);
	CrmRng rng;

	crm_rng_seed(&rng, 7, 0);
	for (size_t i = 0; i < n; i++)
	{
		double lambda = crm_rng_gamma(&rng, 0.6) / 30.0, gone = crm_rng_beta(&rng, 0.9, 3.0);
		double t = 1.0 + floor(crm_rng_uniform(&rng) * DAYS), at = 0.0, day = 0.0, x = 0.0;

		while ((at += crm_rng_exponential(&rng) / lambda) < t)
		{
			x += floor(at) > day;
			day = floor(at);
			if (crm_rng_uniform(&rng) < gone)
				break;
		}
		all.x[i] = x;
		all.t_x[i] = x > 0.0 ? day : 0.0;
		all.t[i] = t;
	}
	save(folder, &all);
}

/* Take the customers of a file. */
static void
take(const char *folder, const char *path)
{
	Customers all = room(1000000);
	FILE *file = fopen(path, "r");
	char line[512];

	if (file == NULL)
		fail(path);
	all.n = 0;
	while (all.n < 1000000 && fgets(line, sizeof line, file) != NULL)
		all.n +=
			sscanf(line, "%*d,%lf,%lf,%lf", &all.x[all.n], &all.t_x[all.n], &all.t[all.n]) == 3;
	fclose(file);
	save(folder, &all);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Fit, times times; give the median of the milliseconds. */
static double
fit(const Customers *all, CrmClvKind kind, int times, CrmClvFit *found)
{
	CrmCtx ctx = {.allocate = allocate, .release = release};
	CrmBtydData data = {.x = all->x, .t_x = all->t_x, .t = all->t, .n = all->n};
	CrmClvFitParam param = {.kind = kind, .seed = 42};
	double took[REPEATS];

	for (int i = 0; i < times; i++)
	{
		double start = now();

		if (crm_clv_fit(&ctx, &data, &param, found) != CRM_OK)
			fail("the fit failed");
		took[i] = now() - start;
	}
	qsort(took, (size_t) times, sizeof *took, ascending);
	return took[times / 2];
}

/*
 * Give each customer's expected orders and P(alive), and value them if discount is above zero; print
 * the least milliseconds of five times, and the sums of orders, P(alive), values and upper ends.
 */
static void
score(const Customers *all, const CrmClvFit *found, double horizon, double discount)
{
	CrmCtx ctx = {.allocate = allocate, .release = release};
	CrmClvModel model = {.spend = CRM_CLV_MEAN, .mean_value = 1.0};
	CrmClvParam param = {.horizon = horizon, .discount = discount, .margin = 1.0, .level = 0.9};
	double took = INFINITY, orders = 0.0, alive = 0.0, sum = 0.0, high = 0.0;

	crm_clv_take(found, &model);
	for (int times = 0; times < 5; times++)
	{
		CrmClvScorer *scorer;
		double start = now();

		orders = alive = sum = high = 0.0;
		if (crm_clv_begin(&ctx, &model, &param, &scorer) != CRM_OK)
			fail("no memory");
		for (size_t i = 0; i < all->n; i++)
		{
			CrmClvCustomer customer = {all->x[i], all->t_x[i], all->t[i], 1.0, 1.0};
			CrmClvValue value;

			crm_clv_score(scorer, &customer, &value);
			orders += value.expected_orders;
			alive += value.p_alive;
			sum += value.clv;
			high += value.high;
		}
		crm_clv_end(&ctx, scorer);
		took = fmin(took, now() - start);
	}
	printf("%.3f %.10g %.10g %.10g %.10g\n", took, orders, alive, sum, high);
}

int
main(int argc, char **argv)
{
	static const char *const words[] = {"bgnbd", "mbgnbd", "paretonbd", "bgbb", "formula", "auto"};
	CrmClvKind kind = CRM_CLV_BGNBD;
	CrmClvFit found;
	Customers all;
	int times;

	if (argc == 4 && strcmp(argv[1], "make") == 0)
		make(argv[2], strtoul(argv[3], NULL, 10));
	else if (argc == 4 && strcmp(argv[1], "read") == 0)
		take(argv[2], argv[3]);
	else if (argc == 5)
	{
		for (int i = 0; i <= CRM_CLV_KINDS; i++)
			if (strcmp(argv[3], words[i]) == 0)
				kind = (CrmClvKind) i;
		all = load(argv[2]);
		times = strcmp(argv[1], "fit") == 0 ? atoi(argv[4]) : 1;
		times = times < 1 ? 1 : times > REPEATS ? REPEATS : times;
		if (strcmp(argv[1], "fit") == 0)
		{
			const CrmFit *it = &found.fit;
			double took = fit(&all, kind, times, &found);

			printf("%.3f %.10g %.8g %.8g %.8g %.8g %d %s\n", took, it->log_likelihood,
				   it->parameter[0], it->parameter[1], it->parameter[2], it->parameter[3],
				   it->evaluations, crm_fit_status_word(it->status));
			return 0;
		}
		fit(&all, kind, 1, &found);
		score(&all, &found, atof(argv[4]), strcmp(argv[1], "predict") == 0 ? 0.0 : DISCOUNT);
	}
	else
		return 2;
	return 0;
}
