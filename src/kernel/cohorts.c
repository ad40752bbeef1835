/*
 * cohorts.c: counting of cohorts from the cells of customers; see cohorts.h for the definitions.
 *
 * One pass over the customers, whose cells lie in any order: that a customer is counted once a
 * period is seen by a stamp on the cohort's cell, so nothing is sorted.
 */
#include "kernel/cohorts.h"

#include <string.h>

#define POLL_CELLS 262144

/*
 * Find the cohorts that have customers and how many they have; the arrays are allocated in ctx and
 * stay there. CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_cohorts_find(CrmCtx *ctx, const CrmCells *cells, CrmCohorts *cohorts)
{
	int32_t low = INT32_MAX, high = INT32_MIN;
	uint64_t range, done = 0;
	int64_t *size;

	*cohorts = (CrmCohorts){.latest = INT32_MIN};
	for (uint32_t i = 0; i < cells->table.n; i++)
	{
		const CrmCellRow *row = crm_cells_row(cells, i);

		if (done / POLL_CELLS != (done + row->used) / POLL_CELLS && crm_poll(ctx))
			return CRM_ABORTED;
		done += row->used;
		for (uint32_t j = 0; j < row->used; j++)
			if (row->cell[j].period > cohorts->latest)
				cohorts->latest = row->cell[j].period;
		if (!row->has_order)
		{
			cohorts->without_order++;
			continue;
		}
		low = row->cohort < low ? row->cohort : low;
		high = row->cohort > high ? row->cohort : high;
	}
	if (low > high)
		return CRM_OK;
	range = (uint64_t) ((int64_t) high - low) + 1;
	size = crm_allocate(ctx, range, sizeof(int64_t));
	if (size == NULL)
		return ctx->failure;
	memset(size, 0, range * sizeof(int64_t));
	for (uint32_t i = 0; i < cells->table.n; i++)
	{
		const CrmCellRow *row = crm_cells_row(cells, i);

		if (i % POLL_CELLS == 0 && crm_poll(ctx))
			return CRM_ABORTED;
		if (row->has_order && size[(int64_t) row->cohort - low]++ == 0)
			cohorts->n++;
	}
	cohorts->cohort = crm_allocate(ctx, cohorts->n, sizeof(CrmCohort));
	if (cohorts->cohort == NULL)
		return ctx->failure;
	cohorts->n = 0;
	for (uint64_t c = 0; c < range; c++)
		if (size[c] > 0)
			cohorts->cohort[cohorts->n++] =
				(CrmCohort){.number = (int32_t) ((int64_t) low + (int64_t) c), .size = size[c]};
	crm_release(ctx, size, range, sizeof(int64_t));
	return CRM_OK;
}

/* Give the cohort of a number, which is there. */
static const CrmCohort *
find_cohort(const CrmCohorts *cohorts, int32_t number)
{
	uint32_t low = 0, high = cohorts->n - 1;

	while (low < high)
	{
		uint32_t middle = low + (high - low) / 2;

		if (cohorts->cohort[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return &cohorts->cohort[low];
}

/* Count one customer, whose stamp is above 0 and nobody else's. */
static void
count_customer(const CrmCohort *cohort, const CrmCellRow *row, uint64_t stamp)
{
	int32_t first = INT32_MAX, last = INT32_MIN;

	for (uint32_t j = 0; j < row->used; j++)
		if (row->cell[j].orders > 0)
		{
			first = row->cell[j].period < first ? row->cell[j].period : first;
			last = row->cell[j].period > last ? row->cell[j].period : last;
		}
	for (uint32_t j = 0; j < row->used; j++)
	{
		const CrmCell *cell = &row->cell[j];
		CrmCohortCell *to =
			&cohort->cell[cell->period > first ? (int64_t) cell->period - first : 0];

		crm_sum_add(&to->revenue, cell->amount);
		to->orders += cell->orders;
		if (cell->orders > 0 && to->stamp != stamp)
		{
			to->stamp = stamp;
			to->active++;
		}
	}
	cohort->cell[(int64_t) last - first].later++;
}

/*
 * Count the cohorts that crm_cohorts_find has found, up to the period last, which no cell may be
 * after. A cohort's width runs from its first period that `start` gives, which no customer's first
 * order may be before, to last. Allocates the cells in ctx, where they stay.
 */
CrmStatus
crm_cohorts_count(CrmCtx *ctx, const CrmCells *cells, int32_t last, CrmCohortStart start,
				  void *user, CrmCohorts *cohorts)
{
	uint64_t done = 0;

	for (uint32_t c = 0; c < cohorts->n; c++)
	{
		CrmCohort *cohort = &cohorts->cohort[c];

		cohort->width = (uint32_t) ((int64_t) last - start(user, cohort->number) + 1);
		cohort->cell = crm_allocate(ctx, cohort->width, sizeof(CrmCohortCell));
		if (cohort->cell == NULL)
			return ctx->failure;
		memset(cohort->cell, 0, cohort->width * sizeof(CrmCohortCell));
		done += cohort->width;
		if (done >= POLL_CELLS)
		{
			done = 0;
			if (crm_poll(ctx))
				return CRM_ABORTED;
		}
	}
	for (uint32_t i = 0; i < cells->table.n; i++)
	{
		const CrmCellRow *row = crm_cells_row(cells, i);

		done += row->used;
		if (done >= POLL_CELLS)
		{
			done = 0;
			if (crm_poll(ctx))
				return CRM_ABORTED;
		}
		if (row->has_order)
			count_customer(find_cohort(cohorts, row->cohort), row, (uint64_t) i + 1);
	}
	for (uint32_t c = 0; c < cohorts->n; c++)
	{
		CrmCohort *cohort = &cohorts->cohort[c];

		for (uint32_t k = cohort->width; k-- > 1;)
			cohort->cell[k - 1].later += cohort->cell[k].later;
	}
	return CRM_OK;
}
