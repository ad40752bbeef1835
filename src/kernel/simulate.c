/*
 * simulate.c: orders of a shop under a model of purchasing and Gamma-Gamma, one at a time; see
 * simulate.h for the equations, the references and the invariants.
 *
 * A customer's draws come in a fixed order, which is part of the result for a seed. Times: first
 * order; lambda, drop, then for each later order whether the customer left and the gap (BG/NBD,
 * MBG/NBD); lambda, mu, the time of leaving, then gaps (Pareto/NBD); prob, theta, the opportunities
 * until leaving, then those to the next order (BG/BB). Amounts: nu, then one amount for each order.
 */
#include <math.h>
#include <string.h>

#include "kernel/simulate.h"

#define WEEK INT64_C(604800000000)

/* Which parameters a model has, and what was published for it: CDNOW in weeks; donations for BG/BB,
 * by years. */
static const struct
{
	const char *name;
	size_t offset;
	double published[4]; /* by model; 0: the model has no such parameter */
} parameters[CRM_SIMULATE_PARAMETERS] = {
	{"r", offsetof(CrmSimulateParam, r), {0.243, 0.525, 0.553, 0}},
	{"alpha", offsetof(CrmSimulateParam, alpha), {4.414, 6.183, 10.578, 1.204}},
	{"a", offsetof(CrmSimulateParam, a), {0.793, 0.891, 0, 0}},
	{"b", offsetof(CrmSimulateParam, b), {2.426, 1.614, 0, 0}},
	{"s", offsetof(CrmSimulateParam, s), {0, 0, 0.606, 0}},
	{"beta", offsetof(CrmSimulateParam, beta), {0, 0, 11.669, 0.750}},
	{"gamma", offsetof(CrmSimulateParam, gamma), {0, 0, 0, 0.657}},
	{"delta", offsetof(CrmSimulateParam, delta), {0, 0, 0, 2.783}}};

/*
 * Fill a parameter with the shop of CDNOW: 2,357 customers who came within 12 weeks, watched for 78
 * weeks from the epoch, BG/NBD and Gamma-Gamma as published for it (simulate.h), amounts in cents.
 */
void
crm_simulate_defaults(CrmSimulateParam *param)
{
	memset(param, 0, sizeof *param);
	param->customers = 2357;
	param->start_at = 0;
	param->end_at = 78 * WEEK;
	param->acquisition = 12 * WEEK;
	param->unit = WEEK;
	crm_simulate_published(param, CRM_SIMULATE_BGNBD);
	param->p = 6.25;
	param->q = 3.74;
	param->v = 15.44;
	param->seed = 1;
	param->decimals = 2;
	param->max_orders_per_customer = 1000000;
}

/* Give a parameter of a model, and its name unless name is NULL. */
double *
crm_simulate_parameter(CrmSimulateParam *param, int i, const char **name)
{
	if (name != NULL)
		*name = parameters[i].name;
	return (double *) ((char *) param + parameters[i].offset);
}

/* Tell whether a model has a parameter. */
bool
crm_simulate_has(CrmSimulateModel model, int i)
{
	return parameters[i].published[model] > 0.0;
}

/* Take a model and what was published for it; parameters of other models become 0. */
void
crm_simulate_published(CrmSimulateParam *param, CrmSimulateModel model)
{
	param->model = model;
	for (int i = 0; i < CRM_SIMULATE_PARAMETERS; i++)
		*crm_simulate_parameter(param, i, NULL) = parameters[i].published[model];
}

/* Append text to the n bytes at why, cut where they end. */
static void
append(char *why, size_t n, const char *text)
{
	size_t used = strlen(why), length = strlen(text);

	if (length > n - used - 1)
		length = n - used - 1;
	memcpy(why + used, text, length);
	why[used + length] = '\0';
}

/* Write why an argument is refused; give false, for the caller to return. */
static bool
refuse(char *why, size_t n, const char *argument, const char *rule)
{
	if (n == 0)
		return false;
	why[0] = '\0';
	append(why, n, "argument \"");
	append(why, n, argument);
	append(why, n, "\" must be ");
	append(why, n, rule);
	return false;
}

/* Check the five arguments in microseconds. */
static bool
check_times(const CrmSimulateParam *param, char *why, size_t n)
{
	int64_t duration;

	if (param->end_at <= param->start_at)
		return refuse(why, n, "end_at", "after start_at");
	if (__builtin_sub_overflow(param->end_at, param->start_at, &duration) ||
		duration > CRM_SIMULATE_TIME_MAX)
		return refuse(why, n, "end_at", "at most 285 years after start_at");
	if (param->acquisition < 0 || param->acquisition > duration)
		return refuse(why, n, "acquisition", "between 0 and the time from start_at to end_at");
	if (param->unit < 1 || param->unit > CRM_SIMULATE_TIME_MAX)
		return refuse(why, n, "unit", "between 1 microsecond and 285 years");
	return true;
}

/* Tell whether a shape or a rate is within its bounds. */
static bool
is_shape(double value)
{
	return value >= CRM_SIMULATE_SHAPE_MIN && value <= CRM_SIMULATE_SHAPE_MAX;
}

/*
 * Tell whether a parameter is in the domain. If not, write why to the n bytes at why (cut to n - 1
 * characters, ended by a zero; n may be 0), in the words of an error message.
 */
bool
crm_simulate_check(const CrmSimulateParam *param, char *why, size_t n)
{
	static const char *const names[] = {"p", "q", "v"};
	const double shapes[] = {param->p, param->q, param->v};
	CrmSimulateParam copy = *param;

	if (param->customers < 1 || param->customers > CRM_SIMULATE_CUSTOMERS_MAX)
		return refuse(why, n, "customers", "between 1 and 1000000000000");
	if (!check_times(param, why, n))
		return false;
	for (int i = 0; i < CRM_SIMULATE_PARAMETERS; i++)
		if (crm_simulate_has(param->model, i) && !is_shape(*crm_simulate_parameter(&copy, i, NULL)))
			return refuse(why, n, parameters[i].name, "between 0.000001 and 1000000000");
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		if (!is_shape(shapes[i]))
			return refuse(why, n, names[i], "between 0.000001 and 1000000000");
	if (param->decimals < 0 || param->decimals > CRM_SIMULATE_DECIMALS_MAX)
		return refuse(why, n, "decimals", "between 0 and 6");
	if (param->max_orders_per_customer < 1)
		return refuse(why, n, "max_orders_per_customer", "at least 1");
	return true;
}

/*
 * Begin an iteration in the caller's state; the parameter is copied. CRM_DOMAIN, and then an
 * iteration without orders, for a parameter that crm_simulate_check refuses.
 */
CrmStatus
crm_simulate_begin(CrmSimulate *state, const CrmSimulateParam *param)
{
	memset(state, 0, sizeof *state);
	if (!crm_simulate_check(param, NULL, 0))
		return CRM_DOMAIN;
	state->param = *param;
	state->units = 1.0;
	for (int i = 0; i < param->decimals; i++)
		state->units *= 10.0;
	return CRM_OK;
}

/* Draw how the customer at hand buys, and leaves. */
static void
draw_habits(CrmSimulate *state)
{
	const CrmSimulateParam *param = &state->param;
	CrmRng *times = &state->times;
	double leave;

	state->lifetime = INFINITY;
	state->drop = 0.0;
	if (param->model == CRM_SIMULATE_BGBB)
	{
		state->log_skip = log1p(-crm_rng_beta(times, param->alpha, param->beta));
		leave = log1p(-crm_rng_beta(times, param->gamma, param->delta));
		/* active at so many opportunities, and not at the next one */
		state->lifetime = (floor(log(crm_rng_uniform(times)) / leave) + 0.5) * (double) param->unit;
		return;
	}
	state->gap = (double) param->unit * param->alpha / crm_rng_gamma(times, param->r);
	if (param->model == CRM_SIMULATE_PARETONBD)
	{
		leave = (double) param->unit * param->beta / crm_rng_gamma(times, param->s);
		state->lifetime = leave * crm_rng_exponential(times);
	}
	else
		state->drop = crm_rng_beta(times, param->a, param->b);
}

/* Draw who the next customer is, and its first order. */
static void
start_customer(CrmSimulate *state)
{
	const CrmSimulateParam *param = &state->param;
	uint64_t stream = 2 * (uint64_t) ++state->customer_id;

	crm_rng_seed(&state->times, param->seed, stream);
	crm_rng_seed(&state->amounts, param->seed, stream + 1);

	/* acquisition < 2^53 and uniform < 1 keep the product below acquisition after rounding too */
	state->first_at = (int64_t) (crm_rng_uniform(&state->times) * (double) param->acquisition);
	draw_habits(state);
	state->spend = exp(log(param->v) - crm_rng_log_gamma(&state->amounts, param->q));
	state->offset = 0.0;
	state->orders = 1;
	state->is_active = true;
}

/* Draw whether the customer at hand orders again before the end, and when. */
static bool
continue_customer(CrmSimulate *state)
{
	const CrmSimulateParam *param = &state->param;
	double left = (double) (param->end_at - param->start_at - state->first_at);
	bool may_leave = state->orders > 1 ? param->model <= CRM_SIMULATE_MBGNBD
									   : param->model == CRM_SIMULATE_MBGNBD;

	if (may_leave && crm_rng_uniform(&state->times) < state->drop)
		return false;
	if (param->model == CRM_SIMULATE_BGBB)
		state->offset += (floor(log(crm_rng_uniform(&state->times)) / state->log_skip) + 1.0) *
						 (double) param->unit; /* may be Infinity */
	else
		state->offset += state->gap * crm_rng_exponential(&state->times); /* may be Infinity */
	if (!(state->offset < left && state->offset < state->lifetime))
		return false;
	if (state->orders >= param->max_orders_per_customer)
	{
		state->capped_customers++;
		return false;
	}
	state->orders++;
	return true;
}

/* Draw an amount, a whole number of smallest units from 1 to CRM_SIMULATE_UNITS_MAX. */
static double
draw_amount(CrmSimulate *state)
{
	double exact = crm_rng_gamma(&state->amounts, state->param.p) * state->spend;
	double units = round(exact * state->units);

	if (units < 1.0)
	{
		state->raised_amounts++;
		units = 1.0;
	}
	else if (units > CRM_SIMULATE_UNITS_MAX)
	{
		state->capped_amounts++;
		units = CRM_SIMULATE_UNITS_MAX;
	}
	return units / state->units;
}

/*
 * Give the next order; false, with *order untouched, when there is none, also if called again.
 * Takes a bounded number of steps, so it is the caller's loop that polls.
 */
bool
crm_simulate_next(CrmSimulate *state, CrmSimulatedOrder *order)
{
	if (!state->is_active || !continue_customer(state))
	{
		state->is_active = false;
		if (state->customer_id >= state->param.customers)
			return false;
		start_customer(state);
	}
	order->customer_id = state->customer_id;
	order->ordered_at = state->param.start_at + state->first_at + (int64_t) state->offset;
	order->amount = draw_amount(state);
	return true;
}

/*
 * Give the renewal, 1 being the first, at which a subscriber is lost by sBG, theta ~ Beta(alpha,
 * beta); infinite for one who never is. *began is a uniform share of the time in which subscribers
 * come. Shapes within CRM_SIMULATE_SHAPE_MIN and _MAX; customers have streams of their own.
 */
double
crm_simulate_loss(uint64_t seed, int64_t customer_id, double alpha, double beta, double *began)
{
	double stay;
	CrmRng rng;

	crm_rng_seed(&rng, seed, (uint64_t) customer_id);
	*began = crm_rng_uniform(&rng);
	stay = log1p(-crm_rng_beta(&rng, alpha, beta));
	return floor(log(crm_rng_uniform(&rng)) / stay) + 1.0;
}
