/*
 * retention.c: counting of customers kept, lost and won from their cells; see retention.h.
 *
 * Each customer's cells are walked once in the order of periods, along with the periods after an
 * order in which the customer is still active, or is missed for the first time: O(cells x w).
 */
#include "kernel/retention.h"

#include <string.h>

#define POLL_STEPS 262144

/* A customer's way through the periods. */
typedef struct Walk
{
	const CrmCellRow *row;
	uint32_t at;    /* the next cell */
	int64_t period; /* that the walk is in */
	int64_t recent; /* the last period with an order before this one; INT64_MIN: none */
	CrmSum before;  /* paid in the period before this one */
	CrmSum now;     /* paid in this one */
	bool has_order; /* in this one */
	uint64_t steps; /* made so far */
} Walk;

/* Add the negative of a sum. */
static void
subtract(CrmSum *sum, CrmSum other)
{
	crm_sum_merge(sum, (CrmSum){-other.hi, -other.lo});
}

/* Take the cells of the period that the walk is in. */
static void
take_period(Walk *walk)
{
	const CrmCellRow *row = walk->row;

	walk->now = (CrmSum){0};
	walk->has_order = false;
	for (; walk->at < row->used && row->cell[walk->at].period == walk->period; walk->at++)
	{
		crm_sum_add(&walk->now, row->cell[walk->at].amount);
		walk->has_order = walk->has_order || row->cell[walk->at].orders > 0;
		walk->steps++;
	}
	walk->steps++;
}

/* Count the period that the walk is in. */
static void
count_period(const Walk *walk, int64_t window, CrmRetention *row)
{
	bool known = walk->recent != INT64_MIN;
	bool at_start = known && walk->period - walk->recent <= window;
	bool at_end = walk->has_order || (known && walk->period - walk->recent < window);
	CrmSum change = walk->now;

	if (!at_start)
	{
		bool is_new = at_end && !known;

		row->new_customers += is_new;
		row->returned += at_end && known;
		crm_sum_merge(is_new ? &row->new_revenue : &row->returned_revenue, walk->now);
		return;
	}
	subtract(&change, walk->before);
	crm_sum_merge(&row->start_revenue, walk->before);
	crm_sum_merge(&row->kept, change.hi < 0.0 ? walk->now : walk->before);
	if (!at_end)
	{
		row->lost++;
		subtract(&row->lost_revenue, change);
		return;
	}
	row->retained++;
	if (change.hi < 0.0)
		subtract(&row->contraction, change);
	else
		crm_sum_merge(&row->expansion, change);
}

/* Go to the next period in which something may change; false when there is none. */
static bool
step(Walk *walk, int64_t window)
{
	int64_t was = walk->period;

	if (walk->has_order)
		walk->recent = was;
	if (walk->recent != INT64_MIN && was + 1 - walk->recent <= window)
		walk->period = was + 1;
	else if (walk->at < walk->row->used)
		walk->period = walk->row->cell[walk->at].period;
	else
		return false;
	walk->before = walk->period == was + 1 ? walk->now : (CrmSum){0};
	return true;
}

/*
 * Count n periods from the period first on; window is w, at least 1. Tidies the cells. rows[i] is
 * the row of period first + i. CRM_ABORTED.
 */
CrmStatus
crm_retention_count(CrmCtx *ctx, const CrmCells *cells, int32_t first, uint32_t n, int32_t window,
					CrmRetention *rows)
{
	int64_t end = (int64_t) first + n;
	uint64_t steps = 0;

	memset(rows, 0, n * sizeof(CrmRetention));
	for (uint32_t i = 0; i < cells->table.n; i++)
	{
		CrmCellRow *row = crm_cells_row(cells, i);
		Walk walk = {.row = row, .recent = INT64_MIN, .steps = steps};

		crm_cells_tidy(row);
		if (row->used == 0)
			continue;
		walk.period = row->cell[0].period;
		do
		{
			take_period(&walk);
			if (walk.period >= end)
				break;
			if (walk.period >= first)
				count_period(&walk, window, &rows[walk.period - first]);
			if (walk.steps >= POLL_STEPS)
			{
				walk.steps = 0;
				if (crm_poll(ctx))
					return CRM_ABORTED;
			}
		} while (step(&walk, window));
		steps = walk.steps;
	}
	return CRM_OK;
}

/* Give a part over the revenue at the start; NaN unless that is above zero. */
static double
share(const CrmRetention *row, CrmSum part)
{
	double start = crm_sum_value(row->start_revenue);

	return start > 0.0 ? crm_sum_value(part) / start : NAN;
}

/* Give the net retention of revenue; NaN without revenue at the start. */
double
crm_retention_net(const CrmRetention *row)
{
	CrmSum part = row->start_revenue;

	crm_sum_merge(&part, row->expansion);
	subtract(&part, row->contraction);
	subtract(&part, row->lost_revenue);
	return share(row, part);
}

/* Give the gross retention of revenue; NaN without revenue at the start. */
double
crm_retention_gross(const CrmRetention *row)
{
	return share(row, row->kept);
}
