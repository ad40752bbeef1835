/*
 * kmeans_lloyd.h: Lloyd's iteration, exact, that skips the rows whose centre cannot have changed.
 *
 *     assign   each row to the nearest centre
 *     update   each centre to the weighted mean of its rows
 *
 * Skipping (after Hamerly 2010, doi 10.1137/1.9781611972801.12, with one number a row instead of
 * two): when a row is compared with all centres its slack is l - u, l the distance to the second
 * nearest, u to the nearest. A centre j that moves by m_j eats at most m_j + max of the others' m
 * of the slack of its rows. moved_j adds that up; the row keeps bound = slack + moved_j, and as
 * long as bound > moved_j its nearest centre is the same and its coordinates are not even read.
 * Bounds and moves are rounded to the safe side, so a label is always the one that comparing with
 * all centres would give, to the bit.
 *
 * The sums of a cluster's rows are kept exactly (kmeans_sums.h), and only rows that change their
 * cluster are taken out and put in. Empty clusters move to the rows with the largest distances, as
 * in scikit-learn.
 *
 * Invariants: the inertia of the assignments never rises; equal distances go to the first centre;
 * equal distances of candidates for an empty cluster to the first row. Memory: 10 bytes a row, and
 * for each centre 8 bytes a column and 24, and its sums.
 */
#ifndef CRM_KERNEL_KMEANS_LLOYD_H
#define CRM_KERNEL_KMEANS_LLOYD_H

#include "kernel/kmeans_sums.h"

#define CRM_LLOYD_NONE UINT16_MAX /* the label of a row that has no cluster yet */
#define CRM_LLOYD_POLL ((size_t) 1 << 20)

typedef struct CrmLloyd
{
	CrmCtx *ctx;
	const CrmKmeansData *data;
	int k, max_k;    /* clusters now; room for so many */
	double *centres; /* k rows of d, columns in canonical order */
	CrmKmeansSums sums;
	int64_t *members; /* k: rows of positive weight */
	double *shift;    /* k: how far the last update moved a centre */
	double *moved;    /* k */
	uint16_t *label;  /* n */
	double *bound;    /* n */
	double *tiles;    /* a block of rows, column by column in tiles */
	void *tiles_memory;
	size_t work;  /* terms of distances since the last poll */
	size_t terms; /* and ever */

	bool is_fresh;    /* labels and sums mean nothing */
	bool is_loose;    /* bounds mean nothing */
	size_t changed;   /* rows that the last assignment, or the update before it, moved */
	size_t relocated; /* rows that the last update moved into empty clusters */
	double inertia;   /* of the last assignment that compared all rows */
	double shifts;    /* sum of the squared shifts of the last update */
	int iterations;
	bool converged;
} CrmLloyd;

/* What ends an iteration, and who watches. */
typedef struct CrmLloydRule
{
	double tolerance; /* of the sum of squared shifts, in squared units of the data */
	int max_iterations;
	int start; /* for the trace */
	void (*trace)(void *user, int start, int iteration, double inertia);
	void *trace_user;
} CrmLloydRule;

/* Count work, in terms of a distance; true now and then, when the host wants the kernel to stop. */
static inline bool
crm_kmeans_lloyd_is_stopped(CrmLloyd *lloyd, size_t work)
{
	lloyd->work += work;
	lloyd->terms += work;
	if (lloyd->work < CRM_LLOYD_POLL)
		return false;
	lloyd->work = 0;
	return crm_poll(lloyd->ctx);
}

/* Give the weight of the row at position i. */
static inline double
crm_kmeans_lloyd_weight(const CrmLloyd *lloyd, size_t i)
{
	return lloyd->data->weights != NULL ? lloyd->data->weights[i] : 1.0;
}

/* Give the weight of the rows of a cluster. */
static inline double
crm_kmeans_lloyd_weight_of(const CrmLloyd *lloyd, int j)
{
	return crm_kmeans_sums_get(&lloyd->sums, j, lloyd->data->d);
}

extern size_t crm_kmeans_lloyd_bytes(size_t n, int d, int k);
extern CrmStatus crm_kmeans_lloyd_begin(CrmLloyd *lloyd, CrmCtx *ctx, const CrmKmeansData *data,
										int max_k);
extern void crm_kmeans_lloyd_free(CrmLloyd *lloyd);
extern void crm_kmeans_lloyd_forget(CrmLloyd *lloyd);
extern CrmStatus crm_kmeans_lloyd_assign(CrmLloyd *lloyd, bool all);
extern double crm_kmeans_lloyd_recentre(CrmLloyd *lloyd, int j);
extern CrmStatus crm_kmeans_lloyd_update(CrmLloyd *lloyd);
extern CrmStatus crm_kmeans_lloyd_measure(CrmLloyd *lloyd, const CrmLloydRule *rule);
extern CrmStatus crm_kmeans_lloyd_run(CrmLloyd *lloyd, const CrmLloydRule *rule);
extern CrmStatus crm_kmeans_lloyd_renumber(CrmLloyd *lloyd, int *new_number);
extern void crm_kmeans_lloyd_move(CrmLloyd *lloyd, size_t i, int to);

#endif
