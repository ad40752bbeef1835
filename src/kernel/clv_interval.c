/*
 * clv_interval.c: see clv_interval.h.
 *
 * Pareto/NBD's P(X(h) = y) is a mixture of negative binomial counts over when a customer leaves:
 * nodes of Gauss's rule carry one factor each, which goes from y to y + 1 by a multiplication.
 */
#include "kernel/clv_interval.h"

#include <math.h>
#include <string.h>

#include "kernel/base/order.h"
#include "kernel/base/quadrature.h"
#include "kernel/bgbb.h"
#include "kernel/bgnbd.h"
#include "kernel/paretonbd.h"

#define FIRST_ROOM  64
#define MOST_PANELS 400
#define MOST_NODES  (MOST_PANELS * CRM_GAUSS + 1)
#define POLL_STEPS  100000
#define FAR         1e50 /* a factor leaves its logarithm to another one beyond this */
#define MOST_ORDERS 1e9

/* A count's chance at a node: e^log_part times the factor. */
typedef struct Node
{
	double log_part, part, factor;
	double ratio; /* e / (alpha + e), e the time until then */
} Node;

/* The distribution of the orders of an active customer, as far as it has been asked for. */
typedef struct Counts
{
	CrmCtx *ctx;
	CrmClvKind kind;
	const double *theta;
	double horizon;
	double x, t;
	size_t n, room;
	double *cdf; /* G(0) .. G(n - 1) */
	double steps;
	int nodes; /* of Pareto/NBD */
	Node *node;
} Counts;

/* ---- the distribution of an active customer ---------------------------------------------- */

/* Begin a node: the weight's log, how long the customer is there. */
static void
begin_node(Counts *counts, double log_weight, double alpha, double shape, double time)
{
	Node *node = &counts->node[counts->nodes++];

	node->log_part = log_weight - shape * log1p(time / alpha);
	node->part = exp(node->log_part);
	node->factor = 1.0;
	node->ratio = time / (alpha + time);
}

/*
 * Lay nodes over the time of leaving, tau = c (e^v - 1), in panels so short that a count's chance,
 * whose width in ln tau is about sqrt(1 / shape + 1 / orders), is smooth in each; the last one is
 * the customer who stays.
 */
static void
begin_nodes(Counts *counts)
{
	double shape = counts->theta[0] + counts->x, alpha = counts->theta[1] + counts->t;
	double s = counts->theta[2], beta = counts->theta[3] + counts->t, h = counts->horizon;
	double c = fmin(alpha, beta), end = log1p(h / c), stays = -s * log1p(h / beta), total = 0.0;
	double length = fmin(1.0, 3.0 * sqrt(1.0 / shape + 1.0 / (1.0 + shape * h / alpha)));
	int panels = (int) fmin(ceil(end / length), MOST_PANELS);
	double weight[CRM_GAUSS];

	counts->nodes = 0;
	length = end / panels;
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < panels; i++)
			for (int k = 0; k < CRM_GAUSS; k++)
			{
				double v = length * (i + crm_gauss_node[k]), tau = c * expm1(v);

				weight[k] = length * crm_gauss_weight[k] * s / beta * (c + tau) *
							exp(-(s + 1.0) * log1p(tau / beta));
				if (pass == 0)
					total += weight[k];
				else if (weight[k] > 0.0)
					begin_node(counts, log(weight[k] / total * -expm1(stays)), alpha, shape, tau);
			}
	begin_node(counts, stays, alpha, shape, h);
}

/* Give the chance of the next count, and go on to the one after it. */
static double
next_of_nodes(Counts *counts)
{
	double shape = counts->theta[0] + counts->x, y = (double) counts->n, sum = 0.0;
	double way = (shape + y) / (y + 1.0);

	counts->steps += counts->nodes;
	for (int k = 0; k < counts->nodes; k++)
	{
		Node *node = &counts->node[k];

		sum += node->part * node->factor;
		node->factor *= way * node->ratio;
		if (node->factor > FAR || node->factor < 1.0 / FAR)
		{
			node->log_part += log(node->factor);
			node->part = exp(node->log_part);
			node->factor = 1.0;
		}
	}
	return sum;
}

/* Give P(Y = n) of an active customer, n the next count. */
static double
next_chance(Counts *counts)
{
	const double *theta = counts->theta;
	double x = counts->x, t = counts->t, y = (double) counts->n;
	CrmBgnbd bgnbd = {theta[0] + x, theta[1] + t, theta[2],
					  theta[3] + x + (counts->kind == CRM_CLV_MBGNBD), false};
	CrmBgbbModel bgbb = {theta[0] + x, theta[1] + t - x, theta[2], theta[3] + t};

	if (counts->kind == CRM_CLV_PARETONBD)
		return next_of_nodes(counts);
	counts->steps += counts->kind == CRM_CLV_BGBB ? 20.0 + counts->horizon : 100.0;
	return counts->kind == CRM_CLV_BGBB ? crm_bgbb_pmf(&bgbb, y, counts->horizon)
										: crm_bgnbd_pmf(&bgnbd, y, counts->horizon);
}

/* Begin the distribution of customers with x and T. */
static void
begin_counts(Counts *counts, double x, double t)
{
	counts->x = x;
	counts->t = t;
	counts->n = 0;
	if (counts->kind == CRM_CLV_PARETONBD)
		begin_nodes(counts);
}

/* Give the distribution room for one count more. */
static CrmStatus
make_room(Counts *counts)
{
	size_t room = counts->room == 0 ? FIRST_ROOM : 2 * counts->room;
	double *cdf;

	if (counts->n < counts->room)
		return CRM_OK;
	cdf = crm_allocate(counts->ctx, room, sizeof *cdf);
	if (cdf == NULL)
		return counts->ctx->failure;
	if (counts->n > 0)
		memcpy(cdf, counts->cdf, counts->n * sizeof *cdf);
	crm_release(counts->ctx, counts->cdf, counts->room, sizeof *cdf);
	counts->cdf = cdf;
	counts->room = room;
	return CRM_OK;
}

/* Go on until 1 - G(y) <= rest for a y. */
static CrmStatus
extend(Counts *counts, double rest)
{
	while (counts->n == 0 || 1.0 - counts->cdf[counts->n - 1] > rest)
	{
		double before = counts->n > 0 ? counts->cdf[counts->n - 1] : 0.0;
		CrmStatus status = make_room(counts);

		if (status != CRM_OK)
			return status;
		if (counts->steps > POLL_STEPS)
		{
			if (crm_poll(counts->ctx))
				return CRM_ABORTED;
			counts->steps = 0.0;
		}
		if ((double) counts->n > MOST_ORDERS)
			return CRM_LIMIT;
		counts->cdf[counts->n] = fmin(before + next_chance(counts), 1.0);
		counts->n++;
		/* no more orders than opportunities */
		if (counts->kind == CRM_CLV_BGBB && (double) counts->n > counts->horizon)
			counts->cdf[counts->n - 1] = 1.0;
	}
	return CRM_OK;
}

/* ---- customers --------------------------------------------------------------------------- */

/* Give the least y with 1 - G(y) <= rest; the distribution goes as far. */
static size_t
find_count(const Counts *counts, double rest)
{
	size_t low = 0, high = counts->n - 1;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;

		if (1.0 - counts->cdf[middle] <= rest)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/*
 * Give the chance that a customer is active at T. Of BG/BB crm_clv_p_alive gives that of being
 * active when the next opportunity comes; here leaving before it is part of the distribution.
 */
static double
active_at(const Counts *counts, double t_x)
{
	const double *theta = counts->theta;
	double alive = crm_clv_p_alive(counts->kind, theta, counts->x, t_x, counts->t);

	if (counts->kind == CRM_CLV_BGBB)
		alive *= (theta[2] + theta[3] + counts->t) / (theta[3] + counts->t);
	return fmin(alive, 1.0);
}

/* Fill in the interval of customer i, of whose x and T the distribution is. */
static CrmStatus
find_interval(Counts *counts, double tail, const CrmClvIntervals *intervals, size_t i)
{
	double alive = active_at(counts, intervals->t_x[i]);
	double upper = alive > tail ? tail / alive : 1.0;
	double lower = alive > 1.0 - tail ? (1.0 - tail) / alive : 1.0;
	CrmStatus status = extend(counts, upper);
	size_t low, high;
	double below = 0.0;

	if (status != CRM_OK)
		return status;
	low = find_count(counts, lower);
	high = find_count(counts, upper);
	if (low > 0)
		below = 1.0 - alive * (1.0 - counts->cdf[low - 1]);
	intervals->low[i] = (double) low;
	intervals->high[i] = (double) high;
	intervals->promised[i] = 1.0 - alive * (1.0 - counts->cdf[high]) - below;
	return CRM_OK;
}

/* Put the customers' positions in the order of x, then of T. */
static CrmStatus
sort_customers(CrmCtx *ctx, const CrmClvIntervals *intervals, uint32_t *index)
{
	size_t n = intervals->n;
	uint64_t *key = crm_allocate(ctx, n, sizeof *key);
	CrmStatus status = CRM_OK;

	if (key == NULL)
		return ctx->failure;
	for (size_t i = 0; i < n; i++)
		index[i] = (uint32_t) i;
	for (int pass = 0; pass < 2 && status == CRM_OK; pass++)
	{
		for (size_t i = 0; i < n; i++)
			key[i] = crm_order_double(pass == 0 ? intervals->t[i] : intervals->x[i]);
		status = crm_radix_sort_index(ctx, key, index, index + n, n);
	}
	crm_release(ctx, key, n, sizeof *key);
	return status;
}

/*
 * Fill in the intervals of the orders in a horizon above zero, a whole number for BG/BB, at a level
 * in (0, 1). CRM_DOMAIN: a model without parameters; CRM_LIMIT, CRM_NO_MEMORY, CRM_ABORTED.
 */
CrmStatus
crm_clv_intervals(CrmCtx *ctx, CrmClvKind kind, const double *theta, double horizon, double level,
				  const CrmClvIntervals *intervals)
{
	Counts counts = {.ctx = ctx, .kind = kind, .theta = theta, .horizon = horizon, .x = -1.0};
	double tail = 0.5 * (1.0 - level);
	size_t n = intervals->n;
	uint32_t *index;
	CrmStatus status;

	if (crm_clv_parameters(kind, NULL) == 0 || !(horizon > 0.0) || !(tail > 0.0 && tail < 0.5))
		return CRM_DOMAIN;
	index = crm_allocate(ctx, 2 * n, sizeof *index);
	counts.node = crm_allocate(ctx, MOST_NODES, sizeof *counts.node);
	status =
		index == NULL || counts.node == NULL ? ctx->failure : sort_customers(ctx, intervals, index);
	for (size_t k = 0; k < n && status == CRM_OK; k++)
	{
		size_t i = index[k];

		if (intervals->x[i] != counts.x || intervals->t[i] != counts.t)
			begin_counts(&counts, intervals->x[i], intervals->t[i]);
		if (k % 256 == 0 && crm_poll(ctx))
			status = CRM_ABORTED;
		else
			status = find_interval(&counts, tail, intervals, i);
	}
	crm_release(ctx, counts.cdf, counts.room, sizeof *counts.cdf);
	crm_release(ctx, counts.node, MOST_NODES, sizeof *counts.node);
	crm_release(ctx, index, 2 * n, sizeof *index);
	return status;
}
