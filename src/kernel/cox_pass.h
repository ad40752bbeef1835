/*
 * cox_pass.h: one pass over the sorted times of a Cox regression: partial likelihood, score and
 * information, and what else is a sum over the times at which somebody leaves.
 *
 *     log L = sum over times, over k = 0 .. m - 1:
 *             [eta of the m who leave] - log(S0 - f_k D0),   f_k = k / m (Efron 1977), 0 (Breslow)
 *
 * S0, S1, S2 are sums of exp(eta), times z, times zz' over those at risk, D0, D1, D2 over those who
 * leave. Since f_k enters S - f_k D linearly, a time costs no more than d^2 however many leave at
 * it. Those at risk are gathered from the last time back; who is observed only from entry on is
 * taken out again (counting process of Andersen and Gill 1982, doi 10.1214/aos/1176345976).
 *
 * Invariants: rows are sorted by stratum, then by time, last first; equal ones keep their order.
 * exp(eta) is taken relative to the largest eta, so it cannot overflow.
 */
#ifndef CRM_KERNEL_COX_PASS_H
#define CRM_KERNEL_COX_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/context.h"

/* The caller's arrays of n finite values. */
typedef struct CrmCoxData
{
	double **columns; /* d of them */
	double *entry;    /* below time; NULL: all are observed from the beginning */
	double *time;
	double *event;   /* 1: left at time; 0: last seen then */
	double *stratum; /* equal values are a stratum; NULL: all are one */
	size_t n;
	int d;
} CrmCoxData;

/* Rows sorted, and the sums of the last pass. Arrays of d elements but where said. */
typedef struct CrmCoxPass
{
	CrmCtx *ctx;
	size_t n;
	int d;
	bool efron;
	uint32_t *order;    /* n: the caller's row at each position */
	uint32_t *by_entry; /* n: positions, within each stratum last entry first; NULL without */
	double *time;       /* n, sorted */
	double *entry;      /* n or NULL */
	unsigned char *event;
	uint32_t *stratum;    /* n: ordinal of the stratum */
	double *z;            /* n x d, a row a position: columns around their mean, over their scale */
	double *mean, *scale; /* of all rows; scale 0: a constant column, whose z is 0 */
	double *risk;         /* n: eta, then exp(eta - shift) */
	size_t events, times; /* different ones, strata apart, at which somebody leaves */
	uint32_t strata;

	double log_likelihood;
	double *score;
	double *information; /* d x d */
	double shift;        /* the largest eta */

	/* asked for by pointers that are not NULL */
	const double *transform; /* times: g of each time at which somebody leaves, in order */
	double *score_g;         /* sum of g times score */
	double *information_g, *information_gg; /* d x d: sums of g and g^2 times information */
	double *hazard; /* times: what each adds to the cumulative hazard at z = 0 */

	double *sums; /* room */
} CrmCoxPass;

extern size_t crm_cox_pass_bytes(size_t n, int d, bool has_entry);
extern CrmStatus crm_cox_pass_begin(CrmCtx *ctx, const CrmCoxData *data, bool efron,
									CrmCoxPass *pass);
extern void crm_cox_pass_free(CrmCoxPass *pass);
extern CrmStatus crm_cox_pass_run(CrmCoxPass *pass, const double *beta);

#endif
