/*
 * btyd.h: what a buy-till-you-die model needs to know of customers: x repeat transactions, t_x the
 * time from the first to the last one, T the time from the first one to now; equal rows collapsed.
 *
 *     (x_i, t_x_i, T_i), i = 1..n   ->   distinct (x, t_x, T) with weight sum_i w_i
 *
 * A row refers to tables of the distinct x and of the distinct times, so that a likelihood computes
 * a function of x, or the log of a time, once for each value and not for each row.
 *
 * Invariants: distinct rows stand in the order of a hash of their values, which knows nothing of
 * the order in which rows came: sums over them do not depend on it either. Weights of equal rows
 * are summed exactly enough to round alike (base/sum.h). Memory while it is made: 24 bytes a row
 * where times are whole and not much above the number of rows, 56 otherwise, 40 without t_x;
 * afterwards 20 bytes a distinct row, 8 a distinct time. Not handled: 2^31 rows and more.
 */
#ifndef CRM_KERNEL_BTYD_H
#define CRM_KERNEL_BTYD_H

#include "kernel/base/context.h"

#define CRM_BTYD_MAX_X    1e9  /* repeat transactions */
#define CRM_BTYD_MAX_TIME 1e12 /* periods */

/* The caller's columns of n customers. */
typedef struct CrmBtydData
{
	const double *x;      /* whole numbers, 0 to CRM_BTYD_MAX_X */
	const double *t_x;    /* 0 to T; 0 when x is 0; NULL: 0 in all rows */
	const double *t;      /* T, at least 0 */
	const double *weight; /* above 0; NULL: each row counts once */
	size_t n;
} CrmBtydData;

typedef struct CrmBtydRow
{
	uint32_t x, t_x, t; /* positions in the tables */
} CrmBtydRow;

typedef struct CrmBtyd
{
	size_t n, room;   /* distinct rows; how many there is room for */
	CrmBtydRow *row;  /* n */
	double *weight;   /* n */
	size_t n_x, n_t;  /* distinct x, ascending; distinct times, ascending, t_x and T together */
	double *x;        /* n_x */
	double *x_weight; /* n_x: weight of the customers with that x */
	double *time;     /* n_t */
	double total;     /* weight of all */
	double repeat;    /* weight of those with x > 0 */
	double orders;    /* weighted sum of x */
	double mean_t;    /* weighted mean of T */
	size_t offender;  /* after CRM_DOMAIN of crm_btyd_collapse: the caller's row */
	size_t room_x, room_t;
} CrmBtyd;

extern const char *crm_btyd_check(double x, double t_x, double t);
extern CrmStatus crm_btyd_collapse(CrmCtx *ctx, const CrmBtydData *data, CrmBtyd *btyd);
extern void crm_btyd_free(CrmCtx *ctx, CrmBtyd *btyd);
extern CrmStatus crm_btyd_sample(CrmCtx *ctx, const CrmBtyd *btyd, size_t rows, CrmBtyd *sample);
extern void crm_btyd_sample_free(CrmCtx *ctx, CrmBtyd *sample);
extern CrmStatus crm_btyd_half(CrmCtx *ctx, const CrmBtyd *btyd, uint64_t seed, uint64_t which,
							   CrmBtyd *half);
extern void crm_btyd_half_free(CrmCtx *ctx, CrmBtyd *half);

#endif
