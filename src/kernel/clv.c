/*
 * clv.c: lifetime value from models of orders and of spend; see clv.h.
 */
#include "kernel/clv.h"

#include <math.h>
#include <string.h>

#include "kernel/base/distribution.h"
#include "kernel/bgbb.h"
#include "kernel/bgnbd.h"
#include "kernel/paretonbd.h"

#define PI     3.14159265358979323846
#define SLOTS  2048 /* of the cache, a power of two */
#define PROBES 8    /* slots that a panel may be in */
#define STEP   1e-4 /* of the differences, on logarithms */
#define PANEL  0.5  /* of ln(1 + T / c) */
#define POINTS 12   /* of Chebyshev's in a panel */
#define MOST_X 255  /* more are rare: each of them is computed by itself */
#define VALUES (4 + CRM_CLV_PARAMETERS)

/* What of (x, T) a customer's values are made of, per unit of P(alive). */
typedef struct Shared
{
	double orders, discounted, residual, any;
	double slope[CRM_CLV_PARAMETERS]; /* of ln discounted by the logs of the parameters */
} Shared;

/* A panel of T for one x: the coefficients of Chebyshev's polynomials. */
typedef struct Slot
{
	double x, panel; /* x is below zero in an empty one */
	double coefficient[POINTS][VALUES];
} Slot;

struct CrmClvScorer
{
	CrmClvModel model;
	CrmClvParam param;
	double z;
	double scale;                  /* c */
	bool is_known;                 /* the uncertainty of the orders' parameters */
	double cosine[POINTS][POINTS]; /* of polynomial n at point k */
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

/* Give E[Y(horizon)] of a customer who is active, discounted if that is above zero. */
static double
orders_if_alive(CrmClvKind kind, const double *theta, double x, double t, double horizon,
				double discount)
{
	CrmBgnbd bgnbd = as_bgnbd(kind, theta);
	CrmParetonbd paretonbd = as_paretonbd(theta);
	CrmBgbbModel bgbb = as_bgbb(theta);

	if (kind == CRM_CLV_BGBB)
		return crm_bgbb_orders_if_alive(&bgbb, x, t, horizon, discount);
	return kind == CRM_CLV_PARETONBD
			   ? crm_paretonbd_discounted_if_alive(&paretonbd, x, t, horizon, discount)
			   : crm_bgnbd_discounted_if_alive(&bgnbd, x, t, horizon, discount);
}

/* Give the parameters with the k-th larger by STEP, or smaller. */
static void
vary(const double *theta, int k, bool up, double *varied)
{
	memcpy(varied, theta, CRM_CLV_PARAMETERS * sizeof *varied);
	varied[k] *= exp(up ? STEP : -STEP);
}

/* Fill in what is shared by the customers of x and T. */
static void
share(const CrmClvScorer *scorer, double x, double t, Shared *shared)
{
	CrmClvKind kind = scorer->model.kind;
	const double *theta = scorer->model.theta;
	double horizon = scorer->param.horizon, discount = scorer->param.discount;
	CrmBgnbd bgnbd = as_bgnbd(kind, theta);
	CrmParetonbd paretonbd = as_paretonbd(theta);

	shared->orders = orders_if_alive(kind, theta, x, t, horizon, 0.0);
	shared->residual =
		discount > 0.0 ? orders_if_alive(kind, theta, x, t, INFINITY, discount) : NAN;
	if (kind == CRM_CLV_PARETONBD)
	{
		shared->any = crm_paretonbd_any_if_alive(&paretonbd, x, t, horizon);
		shared->discounted =
			crm_paretonbd_discounted_slopes(&paretonbd, x, t, horizon, discount, shared->slope);
	}
	else if (kind != CRM_CLV_BGBB)
	{
		shared->any = crm_bgnbd_any_if_alive(&bgnbd, x, t, horizon);
		shared->discounted =
			crm_bgnbd_discounted_slopes(&bgnbd, x, t, horizon, discount, shared->slope);
	}
	else
	{
		shared->any = NAN; /* no smooth function of T where x is near T: score asks itself */
		shared->discounted = orders_if_alive(kind, theta, x, t, horizon, discount);
		for (int k = 0; k < CRM_CLV_PARAMETERS; k++)
		{
			double up[CRM_CLV_PARAMETERS], down[CRM_CLV_PARAMETERS];

			vary(theta, k, true, up);
			vary(theta, k, false, down);
			shared->slope[k] = log(orders_if_alive(kind, up, x, t, horizon, discount) /
								   orders_if_alive(kind, down, x, t, horizon, discount)) /
							   (2.0 * STEP);
		}
	}
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
	return orders_if_alive(kind, theta, x, t, horizon, 0.0);
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
	const double *theta = model->theta;
	int n = crm_clv_parameters(model->kind, NULL);

	if (mine == NULL)
		return ctx->failure;
	mine->model = *model;
	mine->param = *param;
	mine->z = crm_clv_z(param->level);
	mine->is_known = n > 0;
	for (int i = 0; i < n * n; i++)
		mine->is_known &= isfinite(model->covariance[i]);
	/* times are added to these parameters: the least one says how fast T changes anything */
	mine->scale = model->kind == CRM_CLV_PARETONBD ? fmin(theta[1], theta[3])
				  : model->kind == CRM_CLV_BGBB    ? fmin(theta[0] + theta[1], theta[3])
												   : theta[1];
	for (int i = 0; i < POINTS; i++)
		for (int k = 0; k < POINTS; k++)
			mine->cosine[i][k] = cos(i * (k + 0.5) * PI / POINTS);
	for (int i = 0; i < SLOTS; i++)
		mine->slot[i].x = -1.0;
	*scorer = mine;
	return CRM_OK;
}

/* Give back what crm_clv_begin gave. */
void
crm_clv_end(CrmCtx *ctx, CrmClvScorer *scorer)
{
	crm_release(ctx, scorer, 1, sizeof(CrmClvScorer));
}

/* Fill a slot with the coefficients of its panel. */
static void
fill_slot(const CrmClvScorer *scorer, double x, double panel, Slot *slot)
{
	double value[VALUES][POINTS];

	slot->x = x;
	slot->panel = panel;
	for (int k = 0; k < POINTS; k++)
	{
		double at = panel + 0.5 * (1.0 + scorer->cosine[1][k]);
		Shared shared;

		share(scorer, x, scorer->scale * expm1(PANEL * at), &shared);
		value[0][k] = shared.orders;
		value[1][k] = shared.discounted;
		value[2][k] = shared.residual;
		value[3][k] = shared.any;
		for (int v = 4; v < VALUES; v++)
			value[v][k] = shared.slope[v - 4];
	}
	for (int v = 0; v < VALUES; v++)
		for (int i = 0; i < POINTS; i++)
		{
			double sum = 0.0;

			for (int k = 0; k < POINTS; k++)
				sum += scorer->cosine[i][k] * value[v][k];
			slot->coefficient[i][v] = (i > 0 ? 2.0 : 1.0) / POINTS * sum;
		}
}

/* Give the slot of a panel, filled. */
static const Slot *
find_slot(CrmClvScorer *scorer, double x, double panel)
{
	uint64_t hash = ((uint64_t) x * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t) panel) *
					UINT64_C(0xBF58476D1CE4E5B9);
	Slot *slot = scorer->slot + ((hash >> 40) & (SLOTS - 1));

	/* the slot itself or one of the next ones; when all are taken by others, the first one goes */
	for (int i = 0; i < PROBES; i++)
	{
		Slot *next = scorer->slot + (((hash >> 40) + (uint64_t) i) & (SLOTS - 1));

		if (next->x >= x && next->x <= x && next->panel >= panel && next->panel <= panel)
			return next;
		if (next->x < 0.0)
		{
			slot = next;
			break;
		}
	}
	fill_slot(scorer, x, panel, slot);
	return slot;
}

/* Give what is shared by the customers of x and T: from a panel, or, for a large x, by itself. */
static void
look_up(CrmClvScorer *scorer, double x, double t, Shared *shared)
{
	double place = log1p(t / scorer->scale) / PANEL, panel = floor(place), sum[VALUES];
	double polynomial[POINTS] = {1.0};
	const Slot *slot;

	if (x > MOST_X)
	{
		share(scorer, x, t, shared);
		return;
	}
	slot = find_slot(scorer, x, panel);
	polynomial[1] = 2.0 * (place - panel) - 1.0;
	for (int i = 2; i < POINTS; i++)
		polynomial[i] = 2.0 * polynomial[1] * polynomial[i - 1] - polynomial[i - 2];
	for (int v = 0; v < VALUES; v++)
		sum[v] = slot->coefficient[0][v];
	for (int i = 1; i < POINTS; i++)
		for (int v = 0; v < VALUES; v++)
			sum[v] += polynomial[i] * slot->coefficient[i][v];
	*shared = (Shared){.orders = sum[0],
					   .discounted = sum[1],
					   .residual = sum[2],
					   .any = sum[3] < 1.0 ? sum[3] : 1.0};
	memcpy(shared->slope, sum + 4, sizeof shared->slope);
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

/*
 * Give P(alive), and in slopes the derivatives of its logarithm by those of the parameters.
 */
static double
p_alive_slopes(CrmClvKind kind, const double *theta, const CrmClvCustomer *customer, double *slopes)
{
	double x = customer->x, t_x = customer->t_x, t = customer->t;
	CrmBgnbd bgnbd = as_bgnbd(kind, theta);
	CrmParetonbd paretonbd = as_paretonbd(theta);

	if (kind == CRM_CLV_PARETONBD)
		return crm_paretonbd_p_alive_slopes(&paretonbd, x, t_x, t, slopes);
	if (kind != CRM_CLV_BGBB)
		return crm_bgnbd_p_alive_slopes(&bgnbd, x, t_x, t, slopes);
	for (int k = 0; k < CRM_CLV_PARAMETERS; k++)
	{
		double up[CRM_CLV_PARAMETERS], down[CRM_CLV_PARAMETERS];

		vary(theta, k, true, up);
		vary(theta, k, false, down);
		slopes[k] =
			log(crm_clv_p_alive(kind, up, x, t_x, t) / crm_clv_p_alive(kind, down, x, t_x, t)) /
			(2.0 * STEP);
	}
	return crm_clv_p_alive(kind, theta, x, t_x, t);
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
	const CrmClvModel *model = &scorer->model;
	const CrmClvParam *param = &scorer->param;
	CrmBgbbModel bgbb = as_bgbb(model->theta);
	double slope[CRM_CLV_PARAMETERS], spend_variance, worth;
	Shared shared;

	*value = (CrmClvValue){.p_alive = NAN, .low = NAN, .high = NAN};
	value->order_value = order_value(model, customer, &spend_variance);
	if (model->kind == CRM_CLV_FORMULA)
	{
		score_by_formula(scorer, customer, value);
		return;
	}
	look_up(scorer, customer->x, customer->t, &shared);
	value->p_alive = p_alive_slopes(model->kind, model->theta, customer, slope);
	value->expected_orders = value->p_alive * shared.orders;
	if (model->kind == CRM_CLV_BGBB)
		shared.any = crm_bgbb_any_if_alive(&bgbb, customer->x, customer->t, param->horizon);
	value->p_any_order = value->p_alive * shared.any;
	worth = param->margin * value->order_value * value->p_alive;
	value->clv = worth * shared.discounted;
	value->residual = worth * shared.residual;
	value->gap = mean_gap(model->kind, model->theta, customer->x, customer->t);
	if (scorer->is_known)
	{
		double variance, factor;

		for (int k = 0; k < CRM_CLV_PARAMETERS; k++)
			slope[k] += shared.slope[k];
		variance = quadratic(slope, model->covariance, CRM_CLV_PARAMETERS) + spend_variance;
		factor = variance >= 0.0 ? exp(scorer->z * sqrt(variance)) : NAN;
		value->low = value->clv / factor;
		value->high = value->clv * factor;
	}
}
