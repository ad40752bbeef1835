/*
 * table.c: unit tests of base/table against a map by linear search, for the three kinds of keys.
 *
 * Keys come in batches of 1 to CRM_TABLE_BATCH, with doubles within a batch, and with hashes of
 * their own, all equal or equal in the half that the index keeps.
 */
#include "host.h"
#include "kernel/base/table.h"

#define POOL 3000 /* different keys */

/* A pool of different keys; key i is said by its number. */
typedef struct Pool
{
	CrmKeyKind kind;
	int64_t integer[POOL];
	unsigned char uuid[POOL][16];
	char bytes[POOL][400];
	uint32_t length[POOL];
} Pool;

static Pool pool;

/* Make keys that are close to one another: equal but for one end, prefixes of others, extremes. */
static void
fill_pool(CrmKeyKind kind)
{
	static const int64_t extremes[] = {0, -1, 1, INT64_MIN, INT64_MAX, INT64_C(1) << 32};

	pool.kind = kind;
	memset(pool.uuid, 0, sizeof pool.uuid);
	for (int i = 0; i < POOL; i++)
	{
		uint16_t number = (uint16_t) i;

		if (i < 6)
			pool.integer[i] = extremes[i];
		else
			pool.integer[i] = i % 2 == 0 ? -1000 - i : (int64_t) i << 40;
		memcpy(&pool.uuid[i][i % 2 == 0 ? 0 : 14], &number, 2); /* one half is zero */
		if (i % 2 == 0)
			pool.uuid[i][7] = 1;
		memset(pool.bytes[i], i < 400 ? 'x' : 'y', 400);
		pool.length[i] = i < 400 ? (uint32_t) i : (uint32_t) (2 + i % 17); /* 0 included */
		if (i >= 400)
			memcpy(pool.bytes[i], &number, 2);
	}
}

typedef enum Hashing
{
	HASH_PROPER,
	HASH_EQUAL, /* all keys collide */
	HASH_HIGH,  /* differ only where the index does not look */
	HASH_FEW,   /* 16 values: long runs that wrap around */
	HASHINGS
} Hashing;

static const char *const hashing_names[] = {"proper hashes", "equal hashes",
											"hashes equal in the low half", "few hashes"};

static CrmKey
make_key(int i, Hashing hashing)
{
	CrmKey key;

	if (pool.kind == CRM_KEY_INT64)
		key = crm_key_int64(pool.integer[i]);
	else if (pool.kind == CRM_KEY_UUID)
		key = crm_key_uuid(pool.uuid[i]);
	else
	{
		key.bytes = pool.bytes[i];
		key.length = pool.length[i];
		key.hash = crm_hash_bytes(key.bytes, key.length);
	}
	if (hashing == HASH_EQUAL)
		key.hash = UINT64_C(0xFFFFFFFF);
	else if (hashing == HASH_HIGH)
		key.hash = (uint64_t) i << 32;
	else if (hashing == HASH_FEW)
		key.hash = UINT64_C(0xFFFFFFF8) + (uint64_t) (i % 16);
	return key;
}

/* Tell whether a key of the table is key i of the pool. */
static bool
is_key(CrmKey key, int i)
{
	switch (pool.kind)
	{
		case CRM_KEY_INT64:
			return key.integer == pool.integer[i];
		case CRM_KEY_UUID:
			return memcmp(key.half, pool.uuid[i], 16) == 0;
		default:
			return key.length == pool.length[i] &&
				   memcmp(key.bytes, pool.bytes[i], key.length) == 0;
	}
}

/* Look up many batches; each key's payload counts how often it came. */
static bool
try_table(CrmKeyKind kind, Hashing hashing, int lookups, size_t payload)
{
	static int row_of[POOL], came[POOL];
	Host host;
	CrmTable table;
	uint32_t n = 0;
	bool passed;

	fill_pool(kind);
	memset(row_of, -1, sizeof row_of);
	memset(came, 0, sizeof came);
	passed = crm_table_init(&table, host_begin(&host), kind, payload) == CRM_OK;
	for (int done = 0; done < lookups;)
	{
		CrmKey key[CRM_TABLE_BATCH];
		void *row[CRM_TABLE_BATCH];
		int id[CRM_TABLE_BATCH];
		int batch = 1 + (int) draw_below(CRM_TABLE_BATCH);
		int among = 1 + (int) draw_below(POOL); /* a narrow choice makes doubles */

		for (int i = 0; i < batch; i++)
		{
			id[i] = (int) draw_below((uint64_t) among);
			key[i] = make_key(id[i], hashing);
			if (row_of[id[i]] < 0)
				row_of[id[i]] = (int) n++;
		}
		passed &= crm_table_find(&table, key, batch, row) == CRM_OK && table.n == n;
		for (int i = 0; i < batch; i++)
		{
			int64_t *count = (int64_t *) ((char *) row[i] + table.row_size - 8);

			passed &= row[i] == crm_table_row(&table, (uint32_t) row_of[id[i]]);
			passed &= *count == came[id[i]];
			++*count;
			came[id[i]]++;
		}
		done += batch;
	}
	for (int i = 0; i < POOL; i++)
		passed &= row_of[i] < 0 || is_key(crm_table_key(&table, (uint32_t) row_of[i]), i);
	passed &= host_is_balanced(&host);
	host_drop(&host);
	return passed;
}

static void
test_map(void)
{
	static const char *const kinds[] = {"int64", "uuid", "bytes"};

	for (int kind = CRM_KEY_INT64; kind <= CRM_KEY_BYTES; kind++)
		for (int hashing = 0; hashing < HASHINGS; hashing++)
			ok(try_table((CrmKeyKind) kind, (Hashing) hashing, 20000, 8) &&
				   try_table((CrmKeyKind) kind, (Hashing) hashing, 500, 64),
			   "%s: a map by linear search agrees, %s", kinds[kind], hashing_names[hashing]);
}

/* Rows stay where they are, and new ones are zeroed, over many pages and growths of the index. */
static void
test_growth(void)
{
	enum
	{
		ROWS = 400000
	};
	static void *at[ROWS];
	Host host;
	CrmTable table;
	bool passed = true, same = true;

	(void) crm_table_init(&table, host_begin(&host), CRM_KEY_INT64, 24);
	for (int64_t i = 0; i < ROWS; i++)
	{
		CrmKey key = crm_key_int64(i * 1000003);
		int64_t *payload;

		passed &= crm_table_find(&table, &key, 1, &at[i]) == CRM_OK;
		payload = (int64_t *) at[i] + 1;
		passed &= payload[0] == 0 && payload[1] == 0 && payload[2] == 0;
		payload[0] = i;
		payload[2] = -i;
	}
	ok(passed && table.n == ROWS, "400000 rows, each zeroed when it comes");
	for (int64_t i = 0; i < ROWS; i++)
	{
		CrmKey key = crm_key_int64(i * 1000003);
		const int64_t *payload = (int64_t *) at[i] + 1;
		void *row;

		same &= crm_table_find(&table, &key, 1, &row) == CRM_OK && row == at[i] &&
				crm_table_row(&table, (uint32_t) i) == at[i] && payload[0] == i && payload[2] == -i;
	}
	ok(same && table.n == ROWS, "they stay in place, in the order they came");
	ok(host_is_balanced(&host) && host.held < (size_t) ROWS * (32 + 8 * 4) + 1000000,
	   "and take their size and at most four slots each: %zu bytes a row", host.held / ROWS);
	host_drop(&host);
}

/* Equal when they differ in case only. */
static bool
equal_folded(void *user, const void *a, size_t a_length, const void *b, size_t b_length)
{
	const char *x = a, *y = b;

	++*(int *) user;
	if (a_length != b_length)
		return false;
	for (size_t i = 0; i < a_length; i++)
		if ((x[i] | 32) != (y[i] | 32))
			return false;
	return true;
}

static void
test_equality(void)
{
	static const char *const words[] = {"Anna", "anna", "ANNA", "bert", "anne", "Bert", ""};
	static const int expected[] = {0, 0, 0, 1, 2, 1, 3};
	Host host;
	CrmTable table;
	CrmKey key[7];
	void *row[7];
	int calls = 0;
	bool passed = true;

	(void) crm_table_init(&table, host_begin(&host), CRM_KEY_BYTES, 8);
	table.equal = equal_folded;
	table.equal_user = &calls;
	for (int i = 0; i < 7; i++)
		key[i] = (CrmKey){.bytes = words[i], .length = (uint32_t) strlen(words[i]), .hash = 9};
	passed &= crm_table_find(&table, key, 7, row) == CRM_OK;
	for (int i = 0; i < 7; i++)
		passed &= row[i] == crm_table_row(&table, (uint32_t) expected[i]);
	ok(passed && table.n == 4, "the host's equality decides");
	ok(calls > 0, "and is asked");
	calls = 0;
	key[0].hash = 9 + 256; /* the same slot */
	passed = crm_table_find(&table, key, 1, row) == CRM_OK;
	ok(passed && table.n == 5 && calls == 0, "but not for a hash that is another");
	key[0] = crm_table_key(&table, 0);
	ok(key[0].length == 4 && memcmp(key[0].bytes, "Anna", 4) == 0 && key[0].hash == 9,
	   "the first form of a key and its hash are kept");
	host_drop(&host);
}

/* Keys larger than an arena holds, and the caller's bytes may go after the call. */
static void
test_large_keys(void)
{
	static char buffer[300000];
	Host host;
	CrmTable table;
	bool passed = true;

	(void) crm_table_init(&table, host_begin(&host), CRM_KEY_BYTES, 8);
	for (uint32_t i = 0; i < 40; i++)
	{
		CrmKey key = {.bytes = buffer, .length = i * 7500, .hash = i};
		void *row;

		memset(buffer, (int) i, sizeof buffer);
		passed &= crm_table_find(&table, &key, 1, &row) == CRM_OK;
	}
	memset(buffer, 99, sizeof buffer);
	for (uint32_t i = 0; i < 40; i++)
	{
		CrmKey key = crm_table_key(&table, i);

		passed &= key.length == i * 7500 && ((uintptr_t) key.bytes & 7) == 0;
		for (uint32_t k = 0; k < key.length; k += 1000)
			passed &= ((const char *) key.bytes)[k] == (char) i;
	}
	ok(passed && host_is_balanced(&host), "keys of 0 to 292500 bytes are copied, aligned to 8");
	host_drop(&host);
}

/* Fill a table of 40000 keys under some failure; give how it ended, and check what is there. */
static CrmStatus
fill_until_failure(Host *host, CrmKeyKind kind, bool *passed)
{
	CrmTable table;
	char text[64][32];
	CrmKey key[CRM_TABLE_BATCH];
	void *row[CRM_TABLE_BATCH];
	CrmStatus status = crm_table_init(&table, &host->tap.ctx, kind, 16);
	uint32_t before = 0;

	if (status != CRM_OK)
		return status;
	for (int64_t done = 0; done < 40000 && status == CRM_OK; done += CRM_TABLE_BATCH)
	{
		for (int i = 0; i < CRM_TABLE_BATCH; i++)
		{
			memset(text[i], 0, 32);
			snprintf(text[i], 32, "key %lld", (long long) (done + i));
			if (kind == CRM_KEY_INT64)
				key[i] = crm_key_int64(done + i);
			else if (kind == CRM_KEY_UUID)
				key[i] = crm_key_uuid(text[i]);
			else
				key[i] =
					(CrmKey){.bytes = text[i], .length = 32, .hash = crm_hash_bytes(text[i], 32)};
		}
		before = table.n;
		status = crm_table_find(&table, key, CRM_TABLE_BATCH, row);
	}
	*passed &= host_is_balanced(host) && table.n >= before && table.n <= before + CRM_TABLE_BATCH;
	/* once there is memory again it goes on where it was */
	host->tap.fail_at = 0;
	host->tap.ctx.limit = 0;
	*passed &= crm_table_find(&table, key, CRM_TABLE_BATCH, row) == CRM_OK &&
			   table.n == before + CRM_TABLE_BATCH;
	for (int i = 0; i < CRM_TABLE_BATCH; i++)
		*passed &= row[i] == crm_table_row(&table, before + (uint32_t) i);
	return status;
}

static void
test_failures(void)
{
	static const char *const kinds[] = {"int64", "uuid", "bytes"};

	for (int kind = CRM_KEY_INT64; kind <= CRM_KEY_BYTES; kind++)
	{
		Host host;
		bool passed = true;
		size_t failures = 0, limits = 0;
		size_t needed;

		for (size_t at = 1;; at++)
		{
			CrmStatus status;

			(void) host_begin(&host);
			host.tap.fail_at = at;
			status = fill_until_failure(&host, (CrmKeyKind) kind, &passed);
			needed = host.tap.ctx.peak;
			host_drop(&host);
			if (status == CRM_OK)
				break;
			passed &= status == CRM_NO_MEMORY;
			failures++;
		}
		ok(passed && failures >= 10, "%s: each of %zu allocations may fail", kinds[kind], failures);
		passed = true;
		for (size_t limit = 1000; limit < needed; limit += limit / 20, limits++)
		{
			CrmStatus status;

			(void) host_begin(&host);
			host.tap.ctx.limit = limit;
			status = fill_until_failure(&host, (CrmKeyKind) kind, &passed);
			passed &= status == CRM_LIMIT && host.tap.ctx.wanted > limit;
			host_drop(&host);
		}
		ok(passed && limits > 50, "%s: each of %zu budgets is kept", kinds[kind], limits);
	}
}

/* The hash spreads keys over the low bits, which the index uses, whatever bytes they differ in. */
static void
test_hashes(void)
{
	bool passed = true;
	char bytes[24] = {0};

	for (int shift = 0; shift < 56; shift += 8)
	{
		int hits[256] = {0}, halves[256] = {0}, texts[256] = {0};

		for (int64_t i = 0; i < 256 * 64; i++)
		{
			int64_t half[2] = {shift % 16 == 0 ? i << shift : 0, shift % 16 == 0 ? 0 : i << shift};

			hits[crm_key_int64(i << shift).hash & 255]++;
			halves[crm_key_uuid(half).hash & 255]++;
			memcpy(bytes + shift / 4, &i, 8);
			texts[crm_hash_bytes(bytes, 24) & 255]++;
		}
		for (int i = 0; i < 256; i++) /* 64 expected, standard deviation 8 */
			passed &= hits[i] > 16 && hits[i] < 112 && halves[i] > 16 && halves[i] < 112 &&
					  texts[i] > 16 && texts[i] < 112;
	}
	ok(passed, "keys in regular steps spread over the low bits of their hashes");
	ok(crm_hash_bytes("a", 1) != crm_hash_bytes("a\0", 2), "a zero at the end changes the hash");
}

int
main(void)
{
	test_map();
	test_growth();
	test_equality();
	test_large_keys();
	test_failures();
	test_hashes();
	return tap_done();
}
