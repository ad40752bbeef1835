/*
 * customers.c: unit tests of base/customers: orders become customers as a brute-force map says, and
 * to the same bits however they are ordered, split among participants and handed over.
 */
#include "host.h"
#include "kernel/base/customers.h"

#define CUSTOMERS 300
#define ORDERS    6000
#define PERIODS   64 /* of a customer, from 0 */

/* An order of the test; its period is made by far_period. */
typedef struct Given
{
	int customer;
	int64_t ordered_at;
	int64_t units; /* of 1/256 */
	int period;
} Given;

/* What a customer must come to; compared as bytes. */
typedef struct Customer
{
	int64_t orders; /* transactions with periods */
	int64_t last, first;
	CrmSum sum, squares;
	int64_t periods; /* one bit each */
	CrmFirst transaction;
} Customer;

static Given given[ORDERS];
static Customer expected[CUSTOMERS];
static CrmKeyKind kind;
static int features;
static char uuid[CUSTOMERS][16];
static char text[CUSTOMERS][48];

/* Spread periods over the whole of int32. */
static int32_t
far_period(int period)
{
	return period == PERIODS - 1 ? INT32_MAX : (int32_t) (INT32_MIN + period * INT64_C(67000000));
}

static CrmKey
make_key(int customer)
{
	CrmKey key;

	if (kind == CRM_KEY_INT64)
		return crm_key_int64(customer % 2 == 0 ? customer
											   : -(int64_t) customer * (INT64_C(1) << 33));
	if (kind == CRM_KEY_UUID)
		return crm_key_uuid(uuid[customer]);
	key = (CrmKey){.bytes = text[customer], .length = (uint32_t) strlen(text[customer])};
	key.hash = crm_hash_bytes(key.bytes, key.length);
	return key;
}

/* Give the customer of a key by linear search. */
static int
find_customer(CrmKey key)
{
	for (int i = 0; i < CUSTOMERS; i++)
	{
		CrmKey mine = make_key(i);

		if (kind == CRM_KEY_BYTES
				? key.length == mine.length && memcmp(key.bytes, mine.bytes, key.length) == 0
				: memcmp(key.half, mine.half, kind == CRM_KEY_UUID ? 16 : 8) == 0)
			return i;
	}
	return -1;
}

/* Fill in the first transaction of each customer, by two passes over the orders. */
static void
expect_first(void)
{
	static int first[CUSTOMERS];

	for (int i = 0; i < CUSTOMERS; i++)
		first[i] = PERIODS;
	for (int i = 0; i < ORDERS; i++)
		if (given[i].units >= 0 && given[i].period < first[given[i].customer])
			first[given[i].customer] = given[i].period;
	for (int i = 0; i < ORDERS; i++)
	{
		CrmFirst *mine = &expected[given[i].customer].transaction;

		if (given[i].units < 0 || given[i].period != first[given[i].customer])
			continue;
		if (mine->sum.hi == 0.0 || given[i].ordered_at < mine->at)
			mine->at = given[i].ordered_at;
		mine->period = far_period(given[i].period);
		crm_sum_add(&mine->sum, ldexp((double) given[i].units, -8));
	}
}

/* Make orders, and what they must come to; customer 0 has none. */
static void
fill(void)
{
	static int64_t units[CUSTOMERS];
	static __int128 squares[CUSTOMERS];

	memset(expected, 0, sizeof expected);
	memset(units, 0, sizeof units);
	memset(squares, 0, sizeof squares);
	for (int i = 0; i < CUSTOMERS; i++)
	{
		memset(uuid[i], i % 3, 16);
		uuid[i][i % 2 == 0 ? 0 : 15] = (char) i;
		uuid[i][8] = (char) (i >> 8);
		snprintf(text[i], sizeof text[i], "%.*s%d", i % 30, "a customer of some shop in Poitiers",
				 i);
	}
	for (int i = 0; i < ORDERS; i++)
	{
		Given *order = &given[i];
		uint64_t u = draw_below(1000);
		Customer *customer;

		order->customer = 1 + (int) (u * u * (CUSTOMERS - 1) / 1000000); /* a few order often */
		order->ordered_at = (int64_t) draw_below(2000000) - 1500000;
		order->units = (int64_t) draw_below(UINT64_C(1) << 45) - (INT64_C(1) << 43);
		order->period = (int) draw_below(PERIODS);
		customer = &expected[order->customer];
		units[order->customer] += order->units;
		if ((features & CRM_CUSTOMERS_FIRST) && order->units < 0)
			continue;
		if (customer->orders == 0 || order->ordered_at > customer->last)
			customer->last = order->ordered_at;
		if (customer->orders == 0 || order->ordered_at < customer->first)
			customer->first = order->ordered_at;
		customer->orders++;
		customer->periods |= (int64_t) (UINT64_C(1) << order->period);
		squares[order->customer] += (__int128) order->units * order->units;
	}
	if (features & CRM_CUSTOMERS_FIRST)
		expect_first();
	for (int i = 0; i < CUSTOMERS; i++)
	{
		Customer *customer = &expected[i];

		crm_sum_add(&customer->sum, ldexp((double) units[i], -8));
		customer->squares.hi = ldexp((double) squares[i], -16 - 64);
		customer->squares.lo =
			ldexp((double) (squares[i] - (__int128) (double) squares[i]), -16 - 64);
		if (features & CRM_CUSTOMERS_PERIODS)
			customer->orders = __builtin_popcountll((uint64_t) customer->periods);
		else
			customer->periods = 0;
		if (!(features & CRM_CUSTOMERS_MOMENTS))
		{
			customer->first = 0;
			customer->squares = (CrmSum){0};
		}
	}
}

/* Add the orders order[first..end) to a state, and count them as a host does. */
static CrmStatus
add_orders(CrmCustomers *customers, const uint32_t *order, size_t first, size_t end)
{
	CrmStatus status = CRM_OK;

	for (size_t i = first; i < end && status == CRM_OK; i++)
	{
		const Given *one = &given[order[i]];
		CrmKey key = make_key(one->customer);
		CrmOrder put = {.ordered_at = one->ordered_at,
						.amount = ldexp((double) one->units, -8),
						.period = far_period(one->period)};
		char copy[48];

		if (kind == CRM_KEY_BYTES) /* the bytes need to live for the call only */
		{
			memcpy(copy, key.bytes, key.length);
			key.bytes = copy;
		}
		customers->rows.read++;
		customers->rows.used++;
		customers->rows.refund += one->units < 0;
		status = crm_customers_add(customers, &key, &put);
		memset(copy, 'z', sizeof copy);
	}
	return status;
}

/* Tell whether a finished state is what must come out, to the last bit. */
static bool
is_expected(const CrmCustomers *customers)
{
	uint32_t present = 0;

	for (int i = 0; i < CUSTOMERS; i++)
		present += expected[i].orders > 0 || expected[i].sum.hi != 0.0;
	if (customers->table.n != present || customers->rows.read != ORDERS ||
		customers->rows.used != ORDERS)
		return false;
	for (uint32_t i = 0; i < present; i++)
	{
		int who = find_customer(crm_table_key(&customers->table, i));
		const CrmOrders *orders = crm_customers_orders(customers, i);
		const CrmMoments *moments =
			(const CrmMoments *) ((const char *) orders + customers->moments_at);
		Customer got = {.orders = orders->count, .last = orders->last, .sum = orders->sum};

		if (who < 0)
			return false;
		if (features & CRM_CUSTOMERS_MOMENTS)
		{
			got.first = moments->first;
			got.squares = moments->squares;
		}
		if (features & CRM_CUSTOMERS_FIRST)
			got.transaction = *crm_customers_first(customers, i);
		if (features & CRM_CUSTOMERS_PERIODS)
		{
			CrmPeriods *set;

			memcpy(&set, (const char *) orders + customers->periods_at, sizeof set);
			for (uint32_t k = 0; set != NULL && k < set->used; k++)
				for (int p = 0; p < PERIODS; p++)
					if (set->period[k] == far_period(p))
						got.periods |= (int64_t) (UINT64_C(1) << p);
		}
		if (memcmp(&got, &expected[who], sizeof got) != 0)
			return false;
	}
	return true;
}

/* Hand a state over as a worker does, into a buffer of exactly the size that it says. */
static CrmStatus
pack_and_unpack(CrmCustomers *into, const CrmCustomers *from)
{
	size_t bytes = crm_customers_packed_size(from);
	char *buffer = malloc(bytes);
	CrmStatus status = crm_customers_pack(from, buffer);

	if (status == CRM_OK)
		status = crm_customers_unpack(into, buffer, bytes);
	free(buffer);
	return status;
}

/* One to seven participants share the orders in a random order, then merge one after the other. */
static bool
try_split(int participants)
{
	static uint32_t order[ORDERS];
	Host host[7];
	CrmCustomers part[7];
	size_t at = 0;
	bool passed = true;

	draw_order(order, ORDERS);
	for (int i = 0; i < participants; i++)
	{
		size_t end = i == participants - 1 ? ORDERS : at + draw_below(ORDERS - at + 1);

		passed &= crm_customers_init(&part[i], host_begin(&host[i]), kind, features) == CRM_OK;
		passed &= add_orders(&part[i], order, at, end) == CRM_OK;
		passed &= crm_customers_flush(&part[i]) == CRM_OK;
		at = end;
	}
	/* from the last to the first, or into the first one by one */
	for (int i = participants - 1; i > 0; i--)
	{
		CrmCustomers *into = &part[participants % 2 == 0 ? i - 1 : 0];

		passed &= (draw_below(2) == 0 ? crm_customers_merge(into, &part[i])
									  : pack_and_unpack(into, &part[i])) == CRM_OK;
	}
	passed &= crm_customers_finish(&part[0]) == CRM_OK && is_expected(&part[0]);
	passed &= part[0].participants == participants;
	passed &= participants == 1 || part[0].other_bytes >= (uint64_t) (participants - 1) * 2048;
	for (int i = 0; i < participants; i++)
	{
		passed &= host_is_balanced(&host[i]);
		host_drop(&host[i]);
	}
	return passed;
}

static void
test_splits(void)
{
	static const char *const kinds[] = {"int64", "uuid", "bytes"};
	static const char *const with[] = {"",
									   " with moments",
									   " with periods",
									   " with moments and periods",
									   " with first",
									   " with moments and first",
									   " with periods and first",
									   " with all"};

	for (int k = CRM_KEY_INT64; k <= CRM_KEY_BYTES; k++)
		for (features = 0; features < 8; features++)
		{
			bool passed = true;

			kind = (CrmKeyKind) k;
			for (int trial = 0; trial < 5; trial++)
			{
				fill();
				for (int participants = 1; participants <= 7; participants++)
					passed &= try_split(participants);
			}
			ok(passed, "%s%s: the brute-force map, by 1 to 7 participants in any order", kinds[k],
			   with[features]);
		}
}

/* The GROUP BY road: customers that come summed up, once each. */
static void
test_put(void)
{
	Host host;
	CrmCustomers customers;
	bool passed = true;

	kind = CRM_KEY_UUID;
	features = CRM_CUSTOMERS_MOMENTS;
	fill();
	(void) crm_customers_init(&customers, host_begin(&host), kind, features);
	for (int i = CUSTOMERS - 1; i > 0; i--)
		if (expected[i].orders > 0)
		{
			CrmKey key = make_key(i);
			CrmSummary summary = {.count = 999, /* what counts is the transactions */
								  .first = expected[i].first,
								  .last = expected[i].last,
								  .sum = expected[i].sum,
								  .squares = expected[i].squares};

			passed &= crm_customers_put(&customers, &key, &summary, expected[i].orders) == CRM_OK;
		}
	customers.rows.read = customers.rows.used = ORDERS;
	ok(passed && is_expected(&customers), "customers that come summed up");
	host_drop(&host);
}

static void
test_empty(void)
{
	Host host, other_host;
	CrmCustomers customers, other;

	features = CRM_CUSTOMERS_MOMENTS | CRM_CUSTOMERS_PERIODS | CRM_CUSTOMERS_FIRST;
	(void) crm_customers_init(&customers, host_begin(&host), kind, features);
	(void) crm_customers_init(&other, host_begin(&other_host), kind, features);
	other.rows = (CrmRowCount){7, 0, 1, 2, 3, 4, 5};
	ok(crm_customers_finish(&customers) == CRM_OK && customers.table.n == 0, "no orders");
	ok(pack_and_unpack(&customers, &other) == CRM_OK && customers.table.n == 0 &&
		   crm_customers_merge(&customers, &other) == CRM_OK && customers.table.n == 0,
	   "merging nothing into nothing");
	ok(customers.rows.read == 14 && customers.rows.used == 0 && customers.rows.null_key == 2 &&
		   customers.rows.null_value == 4 && customers.rows.non_finite == 6 &&
		   customers.rows.after_as_of == 8 && customers.rows.refund == 10,
	   "adds all counts of skipped rows");
	is_int(customers.participants, 3, "and participants");
	host_drop(&host);
	host_drop(&other_host);
}

/* The packed form is compact: no more than the key, 16 bytes and two for one order. */
static void
test_packed_size(void)
{
	Host host;
	CrmCustomers customers;
	CrmOrder order = {.ordered_at = 1, .amount = 12.34, .period = 100};

	for (int with = 0; with < 4; with += 2)
	{
		(void) crm_customers_init(&customers, host_begin(&host), CRM_KEY_INT64, with);
		for (int64_t i = 0; i < 1000; i++)
		{
			CrmKey key = crm_key_int64(i);

			(void) crm_customers_add(&customers, &key, &order);
		}
		(void) crm_customers_flush(&customers);
		ok(crm_customers_packed_size(&customers) <= 1000 * (with == 0 ? 26 : 32) + 100,
		   "the packed form of 1000 customers with one order: %zu bytes",
		   crm_customers_packed_size(&customers));
		host_drop(&host);
	}
}

/* Everything of a participant's life, under some failure; the first status that is not CRM_OK. */
static CrmStatus
live(Host *host, size_t *peak)
{
	static uint32_t order[ORDERS];
	CrmCustomers a, b;
	CrmStatus status;

	draw_order(order, ORDERS);
	status = crm_customers_init(&a, &host->tap.ctx, kind, features);
	if (status == CRM_OK)
		status = crm_customers_init(&b, &host->tap.ctx, kind, features);
	if (status == CRM_OK)
		status = add_orders(&b, order, 0, ORDERS / 2);
	if (status == CRM_OK)
		status = crm_customers_flush(&b);
	if (status == CRM_OK)
		status = add_orders(&a, order, ORDERS / 2, ORDERS);
	if (status == CRM_OK)
		status = crm_customers_flush(&a);
	if (status == CRM_OK)
		status = draw_below(2) == 0 ? crm_customers_merge(&a, &b) : pack_and_unpack(&a, &b);
	if (status == CRM_OK)
		status = crm_customers_finish(&a);
	if (status == CRM_OK && !is_expected(&a))
		ok(false, "what comes out without a failure");
	*peak = host->tap.ctx.peak;
	return status;
}

static void
test_failures(void)
{
	static const char *const kinds[] = {"int64", "uuid", "bytes"};
	Host host;
	size_t peak;

	features = CRM_CUSTOMERS_MOMENTS | CRM_CUSTOMERS_PERIODS | CRM_CUSTOMERS_FIRST;
	for (int k = CRM_KEY_INT64; k <= CRM_KEY_BYTES; k++)
	{
		CrmStatus status;
		size_t failures = 0, limits = 0;
		bool passed = true;

		kind = (CrmKeyKind) k;
		fill();
		do
		{
			(void) host_begin(&host);
			host.tap.fail_at = ++failures;
			status = live(&host, &peak);
			passed &= status == CRM_OK || status == CRM_NO_MEMORY;
			passed &= host_is_balanced(&host);
			host_drop(&host);
		} while (status != CRM_OK);
		ok(passed && failures > 8, "%s: each of %zu allocations may fail", kinds[k], failures - 1);
		passed = true;
		for (size_t limit = 1000; limit < peak; limit += limit / 10, limits++)
		{
			size_t reached;

			(void) host_begin(&host);
			host.tap.ctx.limit = limit;
			status = live(&host, &reached);
			/* the split is random, so the last of them may just suffice */
			passed &= status == CRM_LIMIT || (status == CRM_OK && limit > peak / 2);
			passed &= host_is_balanced(&host) && host.tap.ctx.peak <= limit;
			host_drop(&host);
		}
		ok(passed && limits > 20, "%s: each of %zu budgets is kept", kinds[k], limits);
	}
}

/* A cancel is met in each step that is long for many customers. */
static void
test_abort(void)
{
	enum
	{
		MANY = 150000
	};
	Host host, other_host;
	CrmCustomers a, b;
	CrmOrder order = {.amount = 1};
	CrmStatus status = CRM_OK;
	char *buffer;
	size_t bytes, polls;

	(void) crm_customers_init(&a, host_begin(&host), CRM_KEY_INT64, CRM_CUSTOMERS_PERIODS);
	(void) crm_customers_init(&b, host_begin(&other_host), CRM_KEY_INT64, CRM_CUSTOMERS_PERIODS);
	for (int64_t i = 0; i < MANY; i++)
	{
		CrmKey key = crm_key_int64(i);

		(void) crm_customers_add(&b, &key, &order);
	}
	(void) crm_customers_flush(&b);
	ok(other_host.tap.polls > 0, "the index polls while it grows");
	bytes = crm_customers_packed_size(&b);
	buffer = malloc(bytes);
	polls = other_host.tap.polls;
	ok(crm_customers_pack(&b, buffer) == CRM_OK && other_host.tap.polls - polls >= 2,
	   "packing polls on the way");

	host.tap.abort_at = 1;
	ok(crm_customers_merge(&a, &b) == CRM_ABORTED, "a merge stops when asked");
	ok(crm_customers_unpack(&a, buffer, bytes) == CRM_ABORTED, "so does unpacking");
	other_host.tap.abort_at = 1;
	ok(crm_customers_packed_size(&b) == 0, "so does measuring");
	ok(crm_customers_pack(&b, buffer) == CRM_ABORTED, "and packing");
	ok(crm_customers_finish(&b) == CRM_ABORTED, "and the finish");
	host_drop(&host);
	(void) crm_customers_init(&a, host_begin(&host), CRM_KEY_INT64, CRM_CUSTOMERS_PERIODS);
	host.tap.abort_at = 1;
	for (int64_t i = 0; i < MANY && status == CRM_OK; i++)
	{
		CrmKey key = crm_key_int64(i);

		status = crm_customers_add(&a, &key, &order);
	}
	ok(status == CRM_ABORTED, "so does adding, when the index grows");
	free(buffer);
	host_drop(&host);
	host_drop(&other_host);
}

int
main(void)
{
	test_splits();
	test_put();
	test_empty();
	test_packed_size();
	test_failures();
	test_abort();
	return tap_done();
}
