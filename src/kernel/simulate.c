/*
 * simulate.c: orders of a shop under BG/NBD and Gamma-Gamma, one at a time; see simulate.h for the
 * equations, the references and the invariants.
 *
 * A customer's draws come in a fixed order, which is part of the result for a seed. Times: first
 * order, lambda, drop, then for each later order whether the customer left and the gap. Amounts:
 * nu, then one amount for each order.
 */
#include <math.h>
#include <string.h>

#include "kernel/simulate.h"

#define WEEK INT64_C(604800000000)

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
	param->r = 0.243;
	param->alpha = 4.414;
	param->a = 0.793;
	param->b = 2.426;
	param->p = 6.25;
	param->q = 3.74;
	param->v = 15.44;
	param->seed = 1;
	param->decimals = 2;
	param->max_orders_per_customer = 1000000;
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

/*
 * Tell whether a parameter is in the domain. If not, write why to the n bytes at why (cut to n - 1
 * characters, ended by a zero; n may be 0), in the words of an error message.
 */
bool
crm_simulate_check(const CrmSimulateParam *param, char *why, size_t n)
{
	static const char *const names[] = {"r", "alpha", "a", "b", "p", "q", "v"};
	const double shapes[] = {param->r, param->alpha, param->a, param->b,
							 param->p, param->q,     param->v};

	if (param->customers < 1 || param->customers > CRM_SIMULATE_CUSTOMERS_MAX)
		return refuse(why, n, "customers", "between 1 and 1000000000000");
	if (!check_times(param, why, n))
		return false;
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		if (!(shapes[i] >= CRM_SIMULATE_SHAPE_MIN && shapes[i] <= CRM_SIMULATE_SHAPE_MAX))
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
	state->gap = (double) param->unit * param->alpha / crm_rng_gamma(&state->times, param->r);
	state->drop = crm_rng_beta(&state->times, param->a, param->b);
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

	if (state->orders > 1 && crm_rng_uniform(&state->times) < state->drop)
		return false;
	state->offset += state->gap * crm_rng_exponential(&state->times); /* may be Infinity */
	if (state->offset >= left)
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
