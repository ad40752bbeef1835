/*
 * retention.h: who of the customers at the start of a period is still one at its end, and what
 * became of what they paid.
 *
 * A customer is active at the end of period t who has an order in the w periods t - w + 1 .. t;
 * active at its start who is active at the end of period t - 1. With S those at the start, E those
 * at the end, and v(t) what a customer paid in period t, refunds subtracted:
 *
 *   retained = |S and E|    lost = |S not E|    so  at start = retained + lost
 *   new      = |E not S, first order in t|      returned = |E not S, ordered before t|
 *   at end   = retained + new + returned, and the next period starts with it
 *
 *   start_revenue = sum over S of v(t - 1)      kept = sum over S of min(v(t), v(t - 1))
 *   expansion, contraction: how much more, or less, the retained paid in t than in t - 1
 *   lost_revenue  = sum over the lost of v(t - 1) - v(t)
 *   start_revenue + expansion - contraction - lost_revenue + new_revenue + returned_revenue
 *                 = all revenue of t; returned_revenue has that of all who are neither in S nor new
 *
 * Net retention of revenue is (start_revenue + expansion - contraction - lost_revenue) over
 * start_revenue; gross retention, with kept above the line, cannot be above it or above 1.
 */
#ifndef CRM_KERNEL_RETENTION_H
#define CRM_KERNEL_RETENTION_H

#include "kernel/base/cells.h"

typedef struct CrmRetention
{
	int64_t retained, lost, new_customers, returned;
	CrmSum start_revenue, kept;
	CrmSum expansion, contraction, lost_revenue, new_revenue, returned_revenue;
} CrmRetention;

extern CrmStatus crm_retention_count(CrmCtx *ctx, const CrmCells *cells, int32_t first, uint32_t n,
									 int32_t window, CrmRetention *rows);
extern double crm_retention_net(const CrmRetention *row);
extern double crm_retention_gross(const CrmRetention *row);

#endif
