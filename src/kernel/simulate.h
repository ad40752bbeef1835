/*
 * simulate.h: orders of a shop whose customers buy as BG/NBD, MBG/NBD, Pareto/NBD or BG/BB and
 * spend as Gamma-Gamma say; and when subscribers are lost by sBG.
 *
 *     lambda ~ Gamma(shape r, rate alpha)     orders for each unit of time while active
 *     drop   ~ Beta(a, b)                     chance to leave after an order: BG/NBD, MBG/NBD
 *     mu     ~ Gamma(shape s, rate beta)      rate of leaving: Pareto/NBD
 *     t_1 ~ Uniform[start, start + acquisition),  t_(j+1) - t_j ~ Exponential(lambda)
 *
 *     prob   ~ Beta(alpha, beta)              chance to order at an opportunity: BG/BB
 *     theta  ~ Beta(gamma, delta)             chance to leave before an opportunity
 *     opportunities at t_1 + k units, k = 1, 2, ...
 *
 *     nu     ~ Gamma(shape q, rate v)         spend rate of the customer
 *     z_j    ~ Gamma(shape p, rate nu)        amount of an order, E[z] = p v / (q - 1) for q > 1
 *
 * Purchasing: Fader, Hardie and Lee 2005, doi 10.1287/mksc.1040.0098; nobody leaves right after
 * the first order, which is the convention of that likelihood (a customer with x = 0 is active).
 * MBG/NBD: Batislam, Denizel and Filiztekin 2007, doi 10.1016/j.ijresmar.2006.12.005, who may.
 * Pareto/NBD: Schmittlein, Morrison and Colombo 1987, doi 10.1287/mnsc.33.1.1. BG/BB: Fader, Hardie
 * and Shang 2010, doi 10.1287/mksc.1100.0580. sBG: Fader and Hardie 2007, doi 10.1002/dir.20074.
 * Spend: Fader, Hardie and Lee 2005, doi 10.1509/jmkr.2005.42.4.415, and Fader and Hardie 2013,
 * note 025 at brucehardie.com. The draws are independent of one another, as the models assume.
 *
 * Invariants: customers come in the order of their id, 1 to customers, each with at least one
 * order; a customer's orders come in time order, all in [start_at, end_at). Nothing is stored for a
 * customer. Customer i has random streams of its own (2 i for times, 2 i + 1 for amounts), so its
 * orders depend on neither the number of customers nor what was drawn for others, and its times
 * not on p, q, v and decimals.
 *
 * Not handled: seasons and trends, returns, covariates, customers who come back after leaving. Two
 * orders closer than a microsecond share their time.
 */
#ifndef CRM_KERNEL_SIMULATE_H
#define CRM_KERNEL_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/context.h"
#include "kernel/base/rng.h"

/* Bounds that crm_simulate_check holds the parameters to. */
#define CRM_SIMULATE_CUSTOMERS_MAX INT64_C(1000000000000)
#define CRM_SIMULATE_TIME_MAX      (INT64_C(1) << 53) /* microseconds, 285 years; exact as double */
#define CRM_SIMULATE_SHAPE_MIN     1e-6
#define CRM_SIMULATE_SHAPE_MAX     1e9
#define CRM_SIMULATE_DECIMALS_MAX  6

/* An amount is at most this many of its smallest units, so that it is exact in a double. */
#define CRM_SIMULATE_UNITS_MAX 0x1p53

/* How customers buy. */
typedef enum CrmSimulateModel
{
	CRM_SIMULATE_BGNBD,
	CRM_SIMULATE_MBGNBD,
	CRM_SIMULATE_PARETONBD,
	CRM_SIMULATE_BGBB
} CrmSimulateModel;

/* The parameters of all models: r, alpha, a, b, s, beta, gamma, delta; each model has four. */
#define CRM_SIMULATE_PARAMETERS 8

typedef struct CrmSimulateParam
{
	CrmSimulateModel model;
	int64_t customers; /* 1 to CRM_SIMULATE_CUSTOMERS_MAX */
	int64_t start_at;  /* microseconds, the host's epoch */
	int64_t end_at;    /* microseconds, after start_at by at most CRM_SIMULATE_TIME_MAX; excluded */
	int64_t acquisition; /* microseconds that bring first orders; 0: all of them at start_at */
	int64_t unit;        /* microseconds in a unit of model time */
	double r, alpha;     /* of the purchase rate; alpha in units of model time, but for BG/BB */
	double a, b;         /* of the chance to leave after an order */
	double s, beta;      /* of the rate of leaving; beta in units of model time, but for BG/BB */
	double gamma, delta; /* of the chance to leave before an opportunity */
	double p, q, v;      /* of spend; v in units of money */
	uint64_t seed;
	int decimals;                    /* of an amount, 0 to CRM_SIMULATE_DECIMALS_MAX */
	int64_t max_orders_per_customer; /* a bound for huge rates; at least 1 */
} CrmSimulateParam;

typedef struct CrmSimulatedOrder
{
	int64_t customer_id;
	int64_t ordered_at; /* microseconds, the host's epoch */
	double amount;      /* above zero, rounded to decimals */
} CrmSimulatedOrder;

/* The state of an iteration; a host reads the three counts and leaves the rest alone. */
typedef struct CrmSimulate
{
	int64_t capped_customers; /* customers whose further orders max_orders_per_customer cut off */
	int64_t capped_amounts;   /* amounts brought down to CRM_SIMULATE_UNITS_MAX units */
	int64_t raised_amounts;   /* amounts that rounded to zero, brought up to one unit */

	CrmSimulateParam param;
	double units; /* smallest units in one of money, 10^decimals */
	CrmRng times; /* of the customer at hand, as is all below */
	CrmRng amounts;
	int64_t customer_id; /* 0 before the first customer */
	int64_t orders;      /* given so far */
	bool is_active;      /* may order again */
	int64_t first_at;    /* microseconds from start_at */
	double offset;       /* microseconds from first_at to the last order, not rounded */
	double gap;          /* mean microseconds between orders, unit / lambda */
	double drop;         /* chance to leave after an order */
	double lifetime;     /* microseconds from first_at to when the customer leaves */
	double log_skip;     /* BG/BB: ln of the chance not to order at an opportunity */
	double spend;        /* 1 / nu */
} CrmSimulate;

extern void crm_simulate_defaults(CrmSimulateParam *param);
extern void crm_simulate_published(CrmSimulateParam *param, CrmSimulateModel model);
extern double *crm_simulate_parameter(CrmSimulateParam *param, int i, const char **name);
extern bool crm_simulate_has(CrmSimulateModel model, int i);
extern bool crm_simulate_check(const CrmSimulateParam *param, char *why, size_t n);
extern CrmStatus crm_simulate_begin(CrmSimulate *state, const CrmSimulateParam *param);
extern bool crm_simulate_next(CrmSimulate *state, CrmSimulatedOrder *order);
extern double crm_simulate_loss(uint64_t seed, int64_t customer_id, double alpha, double beta,
								double *began);

#endif
