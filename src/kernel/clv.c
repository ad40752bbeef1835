/*
 * clv.c: lifetime value from models of orders and of spend; see clv.h.
 */
#include "kernel/clv.h"

#include <math.h>

#include "kernel/base/distribution.h"
#include "kernel/bgbb.h"
#include "kernel/bgnbd.h"
#include "kernel/paretonbd.h"

#define SLOTS      32768 /* of the cache, a power of two */
#define PROBES     8     /* slots that a pair may be in */
#define STEP       1e-4  /* of the differences, on logarithms */
#define FINE       0.5   /* of ln(1 + s / c) in a panel of Gauss-Legendre's 8 nodes, for values */
#define ROUGH      2.0   /* the same for their derivatives by parameters */
#define NODES      4     /* of each half of a panel */
#define VARIATIONS (2 * CRM_CLV_PARAMETERS)

/* Gauss-Legendre on [-1, 1]: the positive nodes of 8 and their weights (DLMF 3.5). */
static const double node[NODES] = {0.18343464249564980, 0.52553240991632899, 0.79666647741362674,
								   0.96028985649753623};
static const double weight[NODES] = {0.36268378337836198, 0.31370664587788729, 0.22238103445337447,
									 0.10122853629037626};

/* What is kept for customers of the same x and T: per unit of P(alive). */
typedef struct Slot
{
	double x, t; /* x is below zero in an empty one */
	double orders, discounted, residual;
	double log_varied[VARIATIONS]; /* ln of the discounted orders, parameters up and down by STEP */
} Slot;

struct CrmClvScorer
{
	CrmClvModel model;
	CrmClvParam param;
	double z;
	bool is_known;                                 /* the uncertainty of the orders' parameters */
	double varied[VARIATIONS][CRM_CLV_PARAMETERS]; /* parameters */
	Slot slot[SLOTS];
};

/* Give the parameters of BG/NBD or MBG/NBD as its kernel takes them. */
static CrmBgnbd
as_bgnbd(CrmClvKind kind, const double *theta)
{
	return (CrmBgnbd){theta[0], theta[1], theta[2], theta[3], kind == CRM_CLV_MBGNBD};
}

/* Give those of Pareto/NBD. */
static CrmParetonbd
as_paretonbd(const double *theta)
{
	return (CrmParetonbd){theta[0], theta[1], theta[2], theta[3]};
}

/* Give those of BG/BB. */
static CrmBgbbModel
as_bgbb(const double *theta)
{
	return (CrmBgbbModel){theta[0], theta[1], theta[2], theta[3]};
}

/* Give the number of parameters of a model, and their names unless names is NULL. */
int
crm_clv_parameters(CrmClvKind kind, const char *const **names)
{
	static const char *const bgnbd[] = {"r", "alpha", "a", "b"};
	static const char *const paretonbd[] = {"r", "alpha", "s", "beta"};
	static const char *const bgbb[] = {"alpha", "beta", "gamma", "delta"};

	if (names != NULL)
		*names = kind == CRM_CLV_PARETONBD ? paretonbd : kind == CRM_CLV_BGBB ? bgbb : bgnbd;
	return kind == CRM_CLV_FORMULA ? 0 : CRM_CLV_PARAMETERS;
}

/* Give the chance that a customer is still active; for BG/BB, when the next opportunity comes. */
double
crm_clv_p_alive(CrmClvKind kind, const double *theta, double x, double t_x, double t)
{
	CrmBgnbd bgnbd = as_bgnbd(kind, theta);
	CrmParetonbd paretonbd = as_paretonbd(theta);
	CrmBgbbModel bgbb = as_bgbb(theta);

	if (kind == CRM_CLV_PARETONBD)
		return crm_paretonbd_p_alive(&paretonbd, x, t_x, t);
	return kind == CRM_CLV_BGBB ? crm_bgbb_p_alive(&bgbb, x, t_x, t)
								: crm_bgnbd_p_alive(&bgnbd, x, t_x, t);
}

/* Give the chance of an order in the horizon. */
static double
p_any_order(CrmClvKind kind, const double *theta, double x, double t_x, double t, double horizon)
{
	CrmBgnbd bgnbd = as_bgnbd(kind, theta);
	CrmParetonbd paretonbd = as_paretonbd(theta);
	CrmBgbbModel bgbb = as_bgbb(theta);

	if (kind == CRM_CLV_PARETONBD)
		return crm_paretonbd_p_any_order(&paretonbd, x, t_x, t, horizon);
	return kind == CRM_CLV_BGBB ? 1.0 - crm_bgbb_p_none(&bgbb, x, t_x, t, horizon)
								: crm_bgnbd_p_any_order(&bgnbd, x, t_x, t, horizon);
}

/* Give E[Y(horizon)] of a customer who is active, for the models in continuous time. */
static double
expected_if_alive(CrmClvKind kind, const double *theta, double x, double t, double horizon)
{
	CrmBgnbd bgnbd = as_bgnbd(kind, theta);
	CrmParetonbd paretonbd = as_paretonbd(theta);

	return kind == CRM_CLV_PARETONBD ? crm_paretonbd_expected_if_alive(&paretonbd, x, t, horizon)
									 : crm_bgnbd_expected_if_alive(&bgnbd, x, t, horizon);
}

/*
 * Give e^(-d h) E[Y(h)] + d integral over (0, h) of e^(-d s) E[Y(s)] ds of a customer who is
 * active, by panels in ln(1 + s / c), c near T, in which E[Y] is smooth from its first days on.
 */
static double
discounted_if_alive(CrmClvKind kind, const double *theta, double x, double t, double horizon,
					double discount, double panel)
{
	double c = t + 1.0, end = log1p(horizon / c), sum = 0.0;
	int panels = (int) ceil(end / panel);
	double half = 0.5 * end / panels;

	for (int i = 0; i < panels; i++)
		for (int j = 0; j < 2 * NODES; j++)
		{
			double at = j < NODES ? -node[j] : node[j - NODES];
			double u = half * (2 * i + 1 + at), s = c * expm1(u);

			sum += weight[j % NODES] * half * (c + s) * exp(-discount * s) *
				   expected_if_alive(kind, theta, x, t, s);
		}
	return discount * sum +
		   exp(-discount * horizon) * expected_if_alive(kind, theta, x, t, horizon);
}

/* Give the orders in the horizon of a customer who is active, discounted if that is above zero;
 * panel is how finely the integral is taken. */
static double
orders_if_alive(CrmClvKind kind, const double *theta, double x, double t, double horizon,
				double discount, double panel)
{
	CrmBgnbd bgnbd = as_bgnbd(kind, theta);
	CrmParetonbd paretonbd = as_paretonbd(theta);
	CrmBgbbModel bgbb = as_bgbb(theta);

	if (kind == CRM_CLV_BGBB)
		return crm_bgbb_orders_if_alive(&bgbb, x, t, horizon, discount);
	if (!(discount > 0.0))
		return expected_if_alive(kind, theta, x, t, horizon);
	if (isfinite(horizon))
		return discounted_if_alive(kind, theta, x, t, horizon, discount, panel);
	return kind == CRM_CLV_PARETONBD
			   ? crm_paretonbd_discounted_if_alive(&paretonbd, x, t, horizon, discount)
			   : crm_bgnbd_discounted_if_alive(&bgnbd, x, t, horizon, discount);
}

/* Give the mean periods to the next order of a customer who stays active, 1 / E[lambda]. */
static double
mean_gap(CrmClvKind kind, const double *theta, double x, double t)
{
	return kind == CRM_CLV_BGBB ? (theta[0] + theta[1] + t) / (theta[0] + x)
								: (theta[1] + t) / (theta[0] + x);
}

/* Give E[Y(horizon)] of a customer who is active; times P(alive) it is that of the customer. */
double
crm_clv_orders_if_alive(CrmClvKind kind, const double *theta, double x, double t, double horizon)
{
	return orders_if_alive(kind, theta, x, t, horizon, 0.0, FINE);
}

/* Give the chance that a new customer has x repeat orders in t periods. */
double
crm_clv_pmf(CrmClvKind kind, const double *theta, double x, double t)
{
	CrmBgnbd bgnbd = as_bgnbd(kind, theta);
	CrmParetonbd paretonbd = as_paretonbd(theta);
	CrmBgbbModel bgbb = as_bgbb(theta);

	if (kind == CRM_CLV_PARETONBD)
		return crm_paretonbd_pmf(&paretonbd, x, t);
	return kind == CRM_CLV_BGBB ? crm_bgbb_pmf(&bgbb, x, t) : crm_bgnbd_pmf(&bgnbd, x, t);
}

/* Give the z of an interval of a level in (0, 1): it leaves out half of the rest on each side. */
double
crm_clv_z(double level)
{
	return crm_normal_quantile(0.5 + 0.5 * level);
}

/*
 * Begin to score customers by a model. The caller owns the scorer and gives it back by crm_clv_end;
 * it takes a few megabytes. CRM_LIMIT and CRM_NO_MEMORY as crm_allocate.
 */
CrmStatus
crm_clv_begin(CrmCtx *ctx, const CrmClvModel *model, const CrmClvParam *param,
			  CrmClvScorer **scorer)
{
	CrmClvScorer *mine = crm_allocate(ctx, 1, sizeof(CrmClvScorer));
	int n = crm_clv_parameters(model->kind, NULL);

	if (mine == NULL)
		return ctx->failure;
	mine->model = *model;
	mine->param = *param;
	mine->z = crm_clv_z(param->level);
	mine->is_known = n > 0;
	for (int i = 0; i < n * n; i++)
		mine->is_known &= isfinite(model->covariance[i]);
	for (int i = 0; i < SLOTS; i++)
		mine->slot[i].x = -1.0;
	for (int i = 0; i < 2 * n; i++)
		for (int k = 0; k < n; k++)
			mine->varied[i][k] =
				model->theta[k] * (k == i / 2 ? exp(i % 2 == 0 ? STEP : -STEP) : 1.0);
	*scorer = mine;
	return CRM_OK;
}

/* Give back what crm_clv_begin gave. */
void
crm_clv_end(CrmCtx *ctx, CrmClvScorer *scorer)
{
	crm_release(ctx, scorer, 1, sizeof(CrmClvScorer));
}

/* Give the slot of (x, T), filled. */
static const Slot *
find_slot(CrmClvScorer *scorer, double x, double t)
{
	uint64_t hash =
		((uint64_t) x * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t) t) * UINT64_C(0xBF58476D1CE4E5B9);
	Slot *slot = scorer->slot + ((hash >> 40) & (SLOTS - 1));
	const CrmClvParam *param = &scorer->param;
	CrmClvKind kind = scorer->model.kind;
	const double *theta = scorer->model.theta;
	int n = crm_clv_parameters(kind, NULL);

	/* the slot itself or one of the next ones; when all are taken by others, the first one goes */
	for (int i = 0; i < PROBES; i++)
	{
		Slot *next = scorer->slot + (((hash >> 40) + (uint64_t) i) & (SLOTS - 1));

		if (next->x >= x && next->x <= x && next->t >= t && next->t <= t)
			return next;
		if (next->x < 0.0)
		{
			slot = next;
			break;
		}
	}
	slot->x = x;
	slot->t = t;
	slot->orders = orders_if_alive(kind, theta, x, t, param->horizon, 0.0, FINE);
	slot->discounted = orders_if_alive(kind, theta, x, t, param->horizon, param->discount, FINE);
	slot->residual = param->discount > 0.0
						 ? orders_if_alive(kind, theta, x, t, INFINITY, param->discount, FINE)
						 : NAN;
	for (int i = 0; i < 2 * n && scorer->is_known; i++)
		slot->log_varied[i] = log(
			orders_if_alive(kind, scorer->varied[i], x, t, param->horizon, param->discount, ROUGH));
	return slot;
}

/* Give g' S g, n by n. */
static double
quadratic(const double *gradient, const double *covariance, int n)
{
	double sum = 0.0;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			sum += gradient[i] * covariance[i * n + j] * gradient[j];
	return sum;
}

/* Give the variance of ln of the discounted orders; NaN where it is not known. */
static double
orders_variance(const CrmClvScorer *scorer, const CrmClvCustomer *customer, const Slot *slot)
{
	double gradient[CRM_CLV_PARAMETERS];
	CrmClvKind kind = scorer->model.kind;
	int n = crm_clv_parameters(kind, NULL);

	if (!scorer->is_known)
		return NAN;
	for (int k = 0; k < n; k++)
	{
		double alive[2];

		for (int i = 0; i < 2; i++)
			alive[i] = crm_clv_p_alive(kind, scorer->varied[2 * k + i], customer->x, customer->t_x,
									   customer->t);
		gradient[k] =
			(log(alive[0] / alive[1]) + slot->log_varied[2 * k] - slot->log_varied[2 * k + 1]) /
			(2.0 * STEP);
	}
	return quadratic(gradient, scorer->model.covariance, n);
}

/*
 * Give the expected value of a customer's next order, and the variance of its logarithm in
 * *variance. A mean that is not above zero says nothing: then it is that of anybody.
 */
static double
order_value(const CrmClvModel *model, const CrmClvCustomer *customer, double *variance)
{
	bool is_usable = customer->x > 0.0 && customer->mean > 0.0;
	double x = is_usable ? customer->x : 0.0, mean = is_usable ? customer->mean : 0.0;
	double p = model->spend_theta[0], q = model->spend_theta[1], v = model->spend_theta[2];
	double below = p * x + q - 1.0, above = v + x * mean;
	/* by ln p, ln(q - 1), ln v of ln p + ln(v + x m) - ln(p x + q - 1) */
	double gradient[CRM_CLV_SPEND_PARAMETERS] = {1.0 - p * x / below, -(q - 1.0) / below,
												 v / above};

	if (model->spend == CRM_CLV_MEAN)
	{
		*variance = 0.0;
		return customer->mean_each > 0.0 ? customer->mean_each : fmax(model->mean_value, 0.0);
	}
	*variance = quadratic(gradient, model->spend_covariance, CRM_CLV_SPEND_PARAMETERS);
	return p * above / below;
}

/* Value a customer by the textbook's formula: value x frequency x lifespan. */
static void
score_by_formula(const CrmClvScorer *scorer, const CrmClvCustomer *customer, CrmClvValue *value)
{
	const CrmClvParam *param = &scorer->param;
	double rate = customer->t > 0.0 ? customer->x / customer->t : 0.0;
	double span = param->discount > 0.0
					  ? -expm1(-param->discount * param->horizon) / param->discount
					  : param->horizon;

	value->expected_orders = rate * param->horizon;
	value->p_any_order = -expm1(-value->expected_orders);
	value->clv = param->margin * value->order_value * rate * span;
	value->residual =
		param->discount > 0.0 ? param->margin * value->order_value * rate / param->discount : NAN;
	value->gap = rate > 0.0 ? 1.0 / rate : NAN;
}

/* Value one customer. */
void
crm_clv_score(CrmClvScorer *scorer, const CrmClvCustomer *customer, CrmClvValue *value)
{
	const CrmClvParam *param = &scorer->param;
	CrmClvKind kind = scorer->model.kind;
	const double *theta = scorer->model.theta;
	double spend_variance, variance;
	const Slot *slot;

	*value = (CrmClvValue){.p_alive = NAN, .low = NAN, .high = NAN};
	value->order_value = order_value(&scorer->model, customer, &spend_variance);
	if (kind == CRM_CLV_FORMULA)
	{
		score_by_formula(scorer, customer, value);
		return;
	}
	slot = find_slot(scorer, customer->x, customer->t);
	value->p_alive = crm_clv_p_alive(kind, theta, customer->x, customer->t_x, customer->t);
	value->expected_orders = value->p_alive * slot->orders;
	value->p_any_order =
		p_any_order(kind, theta, customer->x, customer->t_x, customer->t, param->horizon);
	value->clv = param->margin * value->order_value * value->p_alive * slot->discounted;
	value->residual = param->margin * value->order_value * value->p_alive * slot->residual;
	value->gap = mean_gap(kind, theta, customer->x, customer->t);
	variance = orders_variance(scorer, customer, slot) + spend_variance;
	if (variance >= 0.0)
	{
		double factor = exp(scorer->z * sqrt(variance));

		value->low = value->clv / factor;
		value->high = value->clv * factor;
	}
}
