/*
 * kmeans_sums.c: unit tests of the clusters' sums: whatever rows went in and out, and in whatever
 * order, the sums are those of the rows that are there, to the last bit of a double.
 */
#include "kernel/base/sum.h"
#include "kernel/kmeans_sums.h"
#include "points.h"

#include "kernel/base/lanes.h"
#define LANES 2
#include "kernel/kmeans_sums_lanes.h"

#define MOST 500

/* Give a row's move. */
static CrmKmeansMove
move_of(const CrmKmeansData *data, uint32_t row, int from, int to)
{
	return (CrmKmeansMove){.row = row,
						   .from = from,
						   .to = to,
						   .weight = data->weights != NULL ? data->weights[row] : 1.0};
}

/* Tell whether the sums are those of the labels, -1 being none, rounded once. */
static bool
is_exact(const CrmKmeansSums *sums, const int *label, int k)
{
	const CrmKmeansData *data = sums->data;
	bool passed = true;

	for (int j = 0; j < k; j++)
		for (int f = 0; f <= data->d; f++)
		{
			CrmSum sum = {0};

			for (size_t i = 0; i < data->n; i++)
				if (label[i] == j)
				{
					double weight = data->weights != NULL ? data->weights[i] : 1.0;

					crm_sum_add(&sum, f < data->d ? weight * data->x[f][i] : weight);
				}
			passed &= crm_kmeans_sums_get(sums, j, f) == crm_sum_value(sum);
		}
	return passed;
}

/* Move rows about at random, in batches, by row and by tile. */
static void
test_moves(void)
{
	bool passed = true, emptied = true;

	for (int trial = 0; trial < 60; trial++)
	{
		size_t n = 1 + draw_below(MOST);
		int d = 1 + trial % 20, k = 1 + trial % 6, label[MOST];
		Points points;
		Host host;
		CrmCtx *ctx = host_begin(&host);
		CrmKmeansSums sums;

		points_blobs(&points, n, d, 3, 2, trial % 2 == 0);
		for (size_t i = 0; i < n; i++)
		{
			label[i] = -1;
			if (trial % 2 == 0)
				points_weigh(&points, i, draw_uniform() * (double) draw_below(3));
			for (int f = 0; f < d; f++) /* columns of very different size, far from zero or not */
				points_set(&points, i, f,
						   ldexp(points_at(&points, i, f) + f % 3 * 100, (f % 7 - 3) * 40));
		}
		if (trial % 2 == 0)
			points_weigh(&points, 0, 1.0);
		(void) points_arrange(ctx, &points);
		passed &= crm_kmeans_sums_begin(ctx, &points.data, k, &sums) == CRM_OK;
		crm_kmeans_sums_clear(&sums, k);
		for (int step = 0; step < 60; step++)
		{
			CrmKmeansMove moves[CRM_SUMS_MOVES];
			uint32_t rows[CRM_SUMS_MOVES];
			double tile[CRM_SUMS_MOVES * 20];
			size_t count = 1 + draw_below(CRM_SUMS_MOVES);

			for (size_t m = 0; m < count; m++)
			{
				uint32_t row = rows[m] = (uint32_t) draw_below(n);
				int to = step == 59 ? -1 : (int) draw_below((uint64_t) k + 1) - 1;

				moves[m] = move_of(&points.data, row, label[row], to);
				label[row] = to;
			}
			if (step % 2 == 0)
			{
				crm_kmeans_nearest_gather(points.data.x, d, rows, count, tile);
				for (size_t m = 0; m < count; m++)
					moves[m].row = (uint32_t) m;
			}
			crm_kmeans_sums_move(&sums, step % 2 == 0 ? tile : NULL, moves, count);
		}
		passed &= is_exact(&sums, label, k);
		for (size_t i = 0; i < n; i++) /* all out again */
		{
			CrmKmeansMove move = move_of(&points.data, (uint32_t) i, label[i], -1);

			crm_kmeans_sums_move(&sums, NULL, &move, 1);
		}
		for (int c = 0; c < k * (d + 1); c++)
			emptied &= fabs(crm_kmeans_sums_get(&sums, c / (d + 1), c % (d + 1))) <=
					   1e-25 * sums.split[c % (d + 1)];
		crm_kmeans_sums_free(ctx, &sums);
		points_end(ctx, &points);
		passed &= host.tap.live == 0;
	}
	ok(passed, "sums are those of the rows that are there, rounded once");
	ok(emptied, "nothing is left of rows that have gone");
}

static void
test_swap(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansSums sums;
	int label[300];
	bool passed;

	points_grid(&points, false);
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_sums_begin(ctx, &points.data, 3, &sums);
	crm_kmeans_sums_clear(&sums, 3);
	for (uint32_t i = 0; i < 300; i++)
	{
		CrmKmeansMove move = move_of(&points.data, i, -1, (int) (i % 3));

		label[i] = (int) (i % 3);
		crm_kmeans_sums_move(&sums, NULL, &move, 1);
	}
	passed = is_exact(&sums, label, 3);
	crm_kmeans_sums_swap(&sums, 0, 2);
	for (int i = 0; i < 300; i++)
		label[i] = 2 - label[i];
	ok(passed && is_exact(&sums, label, 3), "clusters can be exchanged");
	crm_kmeans_sums_free(ctx, &sums);
	points_end(ctx, &points);
}

static void
test_failures(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansSums sums;
	size_t before, bytes = crm_kmeans_sums_bytes(3, 10);
	bool passed = true;

	points_grid(&points, true);
	(void) points_arrange(ctx, &points);
	before = ctx->used;
	for (size_t at = 1; at <= 2; at++)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = at;
		passed &= crm_kmeans_sums_begin(ctx, &points.data, 10, &sums) == CRM_NO_MEMORY;
		passed &= ctx->used == before;
	}
	host.tap.fail_at = 0;
	ctx->limit = before + bytes - 1;
	passed &= crm_kmeans_sums_begin(ctx, &points.data, 10, &sums) == CRM_LIMIT;
	ctx->limit = before + bytes;
	passed &= crm_kmeans_sums_begin(ctx, &points.data, 10, &sums) == CRM_OK;
	crm_kmeans_sums_free(ctx, &sums);
	crm_kmeans_sums_free(ctx, &sums);
	ok(passed && ctx->used == before, "failures leave nothing behind, the bytes are told");
	points_end(ctx, &points);
	is_clean(&host.tap, "summing");
}

/* The narrowest version gives what the public function gives, whatever that takes. */
static void
test_widths(void)
{
	Points points;
	Host host;
	CrmCtx *ctx = host_begin(&host);
	CrmKmeansSums wide, narrow;
	bool passed = true;

	points_grid(&points, false);
	(void) points_arrange(ctx, &points);
	(void) crm_kmeans_sums_begin(ctx, &points.data, 5, &wide);
	(void) crm_kmeans_sums_begin(ctx, &points.data, 5, &narrow);
	crm_kmeans_sums_clear(&wide, 5);
	crm_kmeans_sums_clear(&narrow, 5);
	for (int step = 0; step < 1000; step++)
	{
		uint32_t row = (uint32_t) draw_below(300);
		CrmKmeansMove move = {.row = row,
							  .from = (int) draw_below(6) - 1,
							  .to = (int) draw_below(6) - 1,
							  .weight = draw_uniform()};
		double values[8] = {points.data.x[0][row], points.data.x[1][row], points.data.x[2][row], 1};

		crm_kmeans_sums_move(&wide, NULL, &move, 1);
		move2(narrow.parts, narrow.stride, narrow.split, values, &move, 1);
		passed &= memcmp(wide.parts, narrow.parts, 10 * wide.stride * sizeof(double)) == 0;
	}
	ok(passed, "all widths give the same bits");
	crm_kmeans_sums_free(ctx, &wide);
	crm_kmeans_sums_free(ctx, &narrow);
	points_end(ctx, &points);
}

int
main(void)
{
	test_moves();
	test_swap();
	test_widths();
	test_failures();
	return tap_done();
}
