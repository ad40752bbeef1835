/*
 * simulate.c: unit tests of kernel/simulate: the invariants of its header, the moments of the
 * models at published points, and the text for each bad parameter.
 *
 * Seeds are fixed. A mean is held to 4.5 of its own standard errors plus the rounding of the number
 * it is held against.
 */
#include "kernel/simulate.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WEEK         INT64_C(604800000000)
#define SIGMAS       4.5

/* A running mean and its standard error, Welford 1962, doi 10.1080/00401706.1962.10490022. */
typedef struct Mean
{
	double n, mean, squares;
} Mean;

static void
add(Mean *mean, double value)
{
	double before = value - mean->mean;

	mean->n += 1;
	mean->mean += before / mean->n;
	mean->squares += before * (value - mean->mean);
}

/* Pass when a mean agrees with want, itself known to +- rounding. */
static bool
is_mean(const Mean *mean, double want, double rounding, const char *name)
{
	double error = sqrt(mean->squares / (mean->n - 1) / mean->n);

	return is_near(mean->mean, want, SIGMAS * error + rounding, name);
}

/* The defaults at a size, all customers at the start: then T is the same for each. */
static CrmSimulateParam
make_param(int64_t customers)
{
	CrmSimulateParam param;

	crm_simulate_defaults(&param);
	param.customers = customers;
	param.acquisition = 0;
	param.seed = 20240229;
	return param;
}

/*
 * BG/NBD at the published point (.243, 4.414, .793, 2.426): E[X(t)] to four digits, as the authors
 * of the paper (doi 10.1287/mksc.1040.0098) published it in note 004; P(X(t) = 0) and
 * P(X(t) = 1) by its equation 8 written out, since they see more than the mean does.
 */
static void
test_purchasing(void)
{
	static const double times[] = {0.1429, 1, 3, 31.8571, 32, 78};
	static const double expected[] = {0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576};
	const int n = 400000;
	CrmSimulateParam param = make_param(n);
	CrmSimulatedOrder order;
	CrmSimulate state;
	Mean means[COUNT(times)] = {{0, 0, 0}}, zero[COUNT(times)] = {{0, 0, 0}};
	Mean one[COUNT(times)] = {{0, 0, 0}};
	int *repeats = calloc(n * COUNT(times), sizeof *repeats);
	char name[80];

	crm_simulate_begin(&state, &param);
	while (crm_simulate_next(&state, &order))
		for (size_t i = 0; i < COUNT(times); i++)
			if (order.ordered_at > 0 && (double) order.ordered_at < times[i] * (double) WEEK)
				repeats[(size_t) (order.customer_id - 1) * COUNT(times) + i]++;
	for (size_t customer = 0; customer < (size_t) n; customer++)
		for (size_t i = 0; i < COUNT(times); i++)
		{
			int x = repeats[customer * COUNT(times) + i];

			add(&means[i], x);
			add(&zero[i], x == 0);
			add(&one[i], x == 1);
		}
	for (size_t i = 0; i < COUNT(times); i++)
	{
		double share = param.alpha / (param.alpha + times[i]);
		double none = pow(share, param.r);

		snprintf(name, sizeof name, "E[X(t)] at t = %g", times[i]);
		is_mean(&means[i], expected[i], 5e-5, name);
		snprintf(name, sizeof name, "P(X(t) = 0) at t = %g", times[i]);
		is_mean(&zero[i], none, 0, name);
		snprintf(name, sizeof name, "P(X(t) = 1) at t = %g", times[i]);
		is_mean(&one[i],
				(param.b * param.r * none * (1 - share) + param.a * (1 - none)) /
					(param.a + param.b),
				0, name);
	}
	is_int(state.capped_customers, 0, "no customer is capped");
	free(repeats);
}

/*
 * The other models at what was published: E[X(t)] and P(X(t) = 0) by mpmath with 25 digits, from
 * MBG/NBD's E = integral over p of (1 - p) / p (1 - (alpha / (alpha + p t))^r), Pareto/NBD's closed
 * form and its integral over the time of leaving, and BG/BB's sums. Means of 200,000 customers lie
 * within SIGMAS standard errors.
 */
static void
test_models(void)
{
	static const struct
	{
		CrmSimulateModel model;
		double t, expected, none;
	} known[] = {
		{CRM_SIMULATE_MBGNBD, 3, 0.150863288607, 0.87917875278},
		{CRM_SIMULATE_MBGNBD, 39, 1.1829536656, 0.582473189493},
		{CRM_SIMULATE_MBGNBD, 78, 1.80475757755, 0.519269523545},
		{CRM_SIMULATE_PARETONBD, 3, 0.14606118505, 0.879357870325},
		{CRM_SIMULATE_PARETONBD, 39, 1.21300284428, 0.593625031602},
		{CRM_SIMULATE_PARETONBD, 78, 1.90939812931, 0.5526718784},
		{CRM_SIMULATE_BGBB, 3, 1.29664947573, 0.351711725814},
		{CRM_SIMULATE_BGBB, 39, 7.20305408539, 0.288277264847},
		{CRM_SIMULATE_BGBB, 78, 10.2794622445, 0.287560446435},
	};

	for (size_t i = 0; i < COUNT(known); i++)
	{
		CrmSimulateParam param = make_param(200000);
		CrmSimulatedOrder order;
		CrmSimulate state;
		Mean mean = {0, 0, 0}, none = {0, 0, 0};
		int64_t customer = 1;
		int x = 0;
		bool more;

		crm_simulate_published(&param, known[i].model);
		param.end_at = (int64_t) known[i].t * WEEK + 1;
		crm_simulate_begin(&state, &param);
		do
		{
			more = crm_simulate_next(&state, &order);
			if (!more || order.customer_id != customer)
			{
				add(&mean, x);
				add(&none, x == 0);
				customer++;
				x = 0;
			}
			else if (order.ordered_at > 0)
				x++;
		} while (more);
		is_int((int64_t) mean.n, param.customers, "each customer counts once");
		is_mean(&mean, known[i].expected, 0, "E[X(t)]");
		is_mean(&none, known[i].none, 0, "P(X(t) = 0)");
	}
}

/* Subscribers: lost at renewal t with chance B(alpha + 1, beta + t - 1) / B(alpha, beta). */
static void
test_loss(void)
{
	const double alpha = 0.668, beta = 3.806;
	Mean lost[6] = {{0, 0, 0}}, late = {0, 0, 0}, began = {0, 0, 0};
	double chance = alpha / (alpha + beta), survival = 1;

	for (int64_t i = 1; i <= 200000; i++)
	{
		double share, at = crm_simulate_loss(7, i, alpha, beta, &share);

		for (int t = 0; t < 6; t++)
			add(&lost[t], at > t && at < t + 2);
		add(&late, at > 50);
		add(&began, share);
	}
	for (int t = 0; t < 6; t++)
	{
		is_mean(&lost[t], chance, 0, "share of subscribers lost at a renewal");
		chance *= (beta + t) / (alpha + beta + t + 1);
	}
	for (int t = 0; t < 50; t++)
		survival *= (beta + t) / (alpha + beta + t);
	is_mean(&late, survival, 0, "share that renews fifty times");
	is_mean(&began, 0.5, 0, "they come at any time");
	ok(isinf(crm_simulate_loss(7, 1, 1e-6, 1e9, &chance)) ||
		   crm_simulate_loss(7, 1, 1e-6, 1e9, &chance) > 1e6,
	   "who never leaves");
	is_near(crm_simulate_loss(7, 1, 1e9, 1e-6, &chance), 1, 0, "who leaves at once");
}

/* Gamma-Gamma: E[z] = p v / (q - 1); nu is one for a customer, so Cov(z1, z2) = Var(p / nu). */
static void
test_spend(void)
{
	CrmSimulateParam param = make_param(400000);
	CrmSimulatedOrder order;
	CrmSimulate state;
	Mean first = {0, 0, 0}, product = {0, 0, 0};
	double mean, between;
	int64_t customer_id = 0;
	double first_amount = 0;

	/* q = 9 keeps the moments of a product of two amounts finite; lambda is large for many pairs */
	param.q = 9;
	param.r = 50;
	param.end_at = WEEK;
	crm_simulate_begin(&state, &param);
	while (crm_simulate_next(&state, &order))
	{
		if (order.customer_id != customer_id)
		{
			customer_id = order.customer_id;
			add(&first, first_amount = order.amount);
		}
		else if (first_amount > 0)
		{
			add(&product, first_amount * order.amount);
			first_amount = 0; /* one pair for each customer */
		}
	}
	mean = param.p * param.v / (param.q - 1);
	between = mean * mean / (param.q - 2);
	is_mean(&first, mean, 1e-3, "mean amount is p v / (q - 1)");
	is_near(first.squares / (first.n - 1), between * (1 + (param.q - 1) / param.p),
			0.02 * between * (1 + (param.q - 1) / param.p), "variance of an amount");
	is_mean(&product, mean * mean + between, 1e-2, "a customer's amounts share nu");
	is_int(state.raised_amounts + state.capped_amounts, 0, "no amount is clipped");

	/* at the published point: variance is finite, so the mean has its standard error */
	param = make_param(400000);
	first = (Mean){0, 0, 0};
	crm_simulate_begin(&state, &param);
	while (crm_simulate_next(&state, &order))
		if (order.ordered_at == 0)
			add(&first, order.amount);
	is_mean(&first, 6.25 * 15.44 / 2.74, 1e-3, "mean amount at the published point");
}

/* Customers in order, orders in order, times inside, amounts above zero and rounded. */
static void
test_invariants(void)
{
	CrmSimulateParam param;
	CrmSimulatedOrder order, last = {0, 0, 0};
	CrmSimulate state;
	Mean first = {0, 0, 0};
	bool in_order = true, inside = true, rounded = true;
	double acquisition;

	crm_simulate_defaults(&param);
	param.customers = 50000;
	param.start_at = -5 * WEEK - 17;
	param.end_at = param.start_at + 78 * WEEK;
	acquisition = (double) param.acquisition;
	crm_simulate_begin(&state, &param);
	while (crm_simulate_next(&state, &order))
	{
		bool is_first = order.customer_id == last.customer_id + 1;

		if (is_first)
			add(&first, (double) (order.ordered_at - param.start_at) / acquisition);
		in_order = in_order && (is_first || (order.customer_id == last.customer_id &&
											 order.ordered_at >= last.ordered_at));
		inside = inside && order.ordered_at >= param.start_at && order.ordered_at < param.end_at;
		inside = inside && (!is_first || order.ordered_at < param.start_at + param.acquisition);
		rounded = rounded && order.amount >= 0.01 &&
				  fabs(order.amount * 100 - round(order.amount * 100)) < 1e-6;
		last = order;
	}
	ok(in_order, "customers come by id, their orders by time");
	is_int(last.customer_id, param.customers, "each customer has an order");
	ok(inside, "times lie in [start_at, end_at), first orders in the acquisition");
	ok(rounded, "amounts are at least 0.01 and rounded to it");
	is_mean(&first, 0.5, 0, "first orders: mean");
	is_near(first.squares / first.n, 1 / 12.0, SIGMAS * sqrt(1 / 180.0 / first.n),
			"first orders: variance");
}

/* After the last order further calls give nothing, whether the customer left or time ran out. */
static void
test_end(void)
{
	CrmSimulateParam param = make_param(1);
	bool passed = true;

	param.r = 20;
	for (param.seed = 0; param.seed < 200; param.seed++)
	{
		CrmSimulatedOrder order;
		CrmSimulate state;

		crm_simulate_begin(&state, &param);
		while (crm_simulate_next(&state, &order))
			;
		order.customer_id = -1;
		for (int i = 0; i < 10; i++)
			passed = passed && !crm_simulate_next(&state, &order) && order.customer_id == -1;
	}
	ok(passed, "after the end there is no order, again and again");
}

/* Copy the orders of one customer; give how many there are. */
static size_t
collect(const CrmSimulateParam *param, int64_t customer_id, CrmSimulatedOrder *orders, size_t room)
{
	CrmSimulatedOrder order;
	CrmSimulate state;
	size_t n = 0;

	crm_simulate_begin(&state, param);
	while (crm_simulate_next(&state, &order))
		if (order.customer_id == customer_id && n < room)
			orders[n++] = order;
	return n;
}

static bool
is_same(const CrmSimulatedOrder *one, const CrmSimulatedOrder *two, bool with_amounts)
{
	return one->customer_id == two->customer_id && one->ordered_at == two->ordered_at &&
		   (!with_amounts || fabs(one->amount - two->amount) <= 0);
}

/* Customer 7 does not depend on the number of customers; its times not on the spend. */
static void
test_independence(void)
{
	CrmSimulateParam few = make_param(10), many, spend, other;
	static CrmSimulatedOrder a[1000], b[1000], c[1000], d[1000];
	size_t n, n_other;
	bool same = true, same_times = true, differs;

	few.r = 20; /* so that customer 7 has many orders */
	few.a = 0.05;
	few.acquisition = 12 * WEEK;
	many = spend = other = few;
	many.customers = 1000;
	spend.p = 2;
	spend.q = 5;
	spend.decimals = 0;
	other.seed++;

	n = collect(&few, 7, a, COUNT(a));
	ok(n > 20 && n < COUNT(a), "customer 7 has enough orders to compare: %zu", n);
	same = collect(&many, 7, b, COUNT(b)) == n;
	same_times = collect(&spend, 7, c, COUNT(c)) == n;
	for (size_t i = 0; i < n; i++)
	{
		same = same && is_same(&a[i], &b[i], true);
		same_times = same_times && is_same(&a[i], &c[i], false);
	}
	ok(same, "customer 7 is the same among 10 and among 1000");
	ok(same_times, "its times do not depend on the spend");
	n_other = collect(&other, 7, d, COUNT(d));
	differs = n_other != n || !is_same(&a[0], &d[0], true);
	ok(differs, "another seed gives another customer 7");
	same = collect(&few, 7, b, COUNT(b)) == n;
	for (size_t i = 0; i < n; i++)
		same = same && is_same(&a[i], &b[i], true);
	ok(same, "the same seed gives the same customer 7");
}

/*
 * The defaults as this code first gave them: no truth, but whoever changes the draws changes the
 * results of every seed, and should know.
 */
static void
test_golden(void)
{
	CrmSimulateParam param;
	CrmSimulatedOrder order;
	CrmSimulate state;
	int64_t n = 0;
	double sum = 0;

	crm_simulate_defaults(&param);
	crm_simulate_begin(&state, &param);
	while (crm_simulate_next(&state, &order))
	{
		if (n++ == 0)
			ok(order.customer_id == 1 && order.ordered_at == INT64_C(6314547113778),
			   "the first order: at %lld", (long long) order.ordered_at);
		sum += order.amount;
	}
	is_int(n, 6613, "orders at the defaults");
	is_near(sum, 233895.85, 0.02, "their amount");
}

/* Caps bite and say so; a huge rate ends. */
static void
test_caps(void)
{
	CrmSimulateParam param = make_param(100);
	CrmSimulatedOrder order;
	CrmSimulate state;
	int64_t n = 0;
	bool passed = true;

	param.r = param.b = 1e9;
	param.alpha = param.a = 1e-6;
	param.max_orders_per_customer = 50;
	crm_simulate_begin(&state, &param);
	while (crm_simulate_next(&state, &order))
		n++;
	is_int(n, 100 * 50, "a huge rate is cut off by max_orders_per_customer");
	is_int(state.capped_customers, 100, "and each customer is counted");

	param = make_param(1000);
	param.max_orders_per_customer = 1;
	param.end_at = 1; /* a second order has no time, so nothing is cut off */
	crm_simulate_begin(&state, &param);
	for (n = 0; crm_simulate_next(&state, &order); n++)
		;
	is_int(n, 1000, "one order each");
	is_int(state.capped_customers, 0, "a bound that cuts nothing off counts nobody");

	param = make_param(1000);
	param.q = 1e-6; /* nu is next to zero, amounts beyond all bounds */
	crm_simulate_begin(&state, &param);
	for (n = 0; crm_simulate_next(&state, &order); n++)
		passed = passed && isfinite(order.amount) && order.amount > 0;
	ok(passed, "amounts stay finite");
	ok(state.capped_amounts > n / 2, "capped amounts are counted: %lld of %lld",
	   (long long) state.capped_amounts, (long long) n);

	param = make_param(1000);
	param.p = 1e-6;
	crm_simulate_begin(&state, &param);
	for (n = passed = 0; crm_simulate_next(&state, &order); n++)
		passed = passed || order.amount < 0.01;
	ok(!passed && state.raised_amounts > n / 2, "amounts that round to zero are raised, counted");
}

/* Shapes at both ends of their domain: every order is in bounds and the iteration ends. */
static void
test_extremes(void)
{
	bool passed = true;

	for (int bits = 0; bits < 128; bits++)
	{
		CrmSimulateParam param = make_param(20);
		double *const shapes[] = {&param.r, &param.alpha, &param.a, &param.b,
								  &param.p, &param.q,     &param.v};
		CrmSimulatedOrder order;
		CrmSimulate state;

		param.start_at = INT64_MAX - CRM_SIMULATE_TIME_MAX;
		param.end_at = INT64_MAX;
		param.acquisition = CRM_SIMULATE_TIME_MAX;
		param.unit = bits % 2 ? 1 : CRM_SIMULATE_TIME_MAX;
		param.max_orders_per_customer = 100;
		for (int i = 0; i < 7; i++)
			*shapes[i] = ((bits >> i) & 1) != 0 ? CRM_SIMULATE_SHAPE_MAX : CRM_SIMULATE_SHAPE_MIN;
		passed = passed && crm_simulate_begin(&state, &param) == CRM_OK;
		while (crm_simulate_next(&state, &order))
			passed = passed && order.ordered_at >= param.start_at &&
					 order.ordered_at < param.end_at && isfinite(order.amount) && order.amount > 0;
	}
	ok(passed, "parameters at the ends of their domain give orders in bounds");
}

/* Pass when the parameter is refused with this text, and begins an iteration without orders. */
static void
is_refused(const CrmSimulateParam *param, const char *want)
{
	CrmSimulatedOrder order;
	CrmSimulate state;
	char why[128] = "";

	if (crm_simulate_check(param, why, sizeof why) ||
		crm_simulate_begin(&state, param) != CRM_DOMAIN || crm_simulate_next(&state, &order))
		ok(false, "refused: %s", want);
	else
		is_text(why, want, want);
}

static void
test_refused_integers(void)
{
	CrmSimulateParam good, param;

	crm_simulate_defaults(&good);
	ok(crm_simulate_check(&good, NULL, 0), "the defaults are good");
	param = good;
	param.customers = 0;
	is_refused(&param, "argument \"customers\" must be between 1 and 1000000000000");
	param.customers = INT64_MAX;
	is_refused(&param, "argument \"customers\" must be between 1 and 1000000000000");
	param = good;
	param.end_at = good.start_at;
	is_refused(&param, "argument \"end_at\" must be after start_at");
	param = good;
	param.start_at = INT64_MIN;
	is_refused(&param, "argument \"end_at\" must be at most 285 years after start_at");
	param.end_at = INT64_MAX;
	is_refused(&param, "argument \"end_at\" must be at most 285 years after start_at");
	param = good;
	param.acquisition = -1;
	is_refused(&param,
			   "argument \"acquisition\" must be between 0 and the time from start_at to end_at");
	param.acquisition = good.end_at - good.start_at + 1;
	is_refused(&param,
			   "argument \"acquisition\" must be between 0 and the time from start_at to end_at");
	param = good;
	param.unit = 0;
	is_refused(&param, "argument \"unit\" must be between 1 microsecond and 285 years");
	param.unit = INT64_MAX;
	is_refused(&param, "argument \"unit\" must be between 1 microsecond and 285 years");
	param = good;
	param.decimals = -1;
	is_refused(&param, "argument \"decimals\" must be between 0 and 6");
	param.decimals = 7;
	is_refused(&param, "argument \"decimals\" must be between 0 and 6");
	param = good;
	param.max_orders_per_customer = 0;
	is_refused(&param, "argument \"max_orders_per_customer\" must be at least 1");
}

static void
test_refused_shapes(void)
{
	static const double bad[] = {0, -1, 9e-7, 1.1e9, INFINITY, -INFINITY, NAN};
	static const char *const names[] = {"r", "alpha", "a", "b", "p", "q", "v"};
	CrmSimulateParam param;
	double *const shapes[] = {&param.r, &param.alpha, &param.a, &param.b,
							  &param.p, &param.q,     &param.v};
	char want[128], why[10];

	for (size_t i = 0; i < COUNT(names); i++)
		for (size_t j = 0; j < COUNT(bad); j++)
		{
			crm_simulate_defaults(&param);
			*shapes[i] = bad[j];
			snprintf(want, sizeof want, "argument \"%s\" must be between 0.000001 and 1000000000",
					 names[i]);
			is_refused(&param, want);
		}
	memset(why, 'x', sizeof why);
	ok(!crm_simulate_check(&param, why, 9) && strcmp(why, "argument") == 0 && why[9] == 'x',
	   "a text too long is cut to its room");
	ok(!crm_simulate_check(&param, why, 1) && why[0] == '\0', "to nothing in one byte");
	ok(!crm_simulate_check(&param, NULL, 0), "and needs no room at all");
}

int
main(void)
{
	test_purchasing();
	test_models();
	test_loss();
	test_spend();
	test_invariants();
	test_end();
	test_independence();
	test_golden();
	test_caps();
	test_extremes();
	test_refused_integers();
	test_refused_shapes();
	return tap_done();
}
