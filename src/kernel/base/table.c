/*
 * table.c: a hash table from keys to dense row numbers; see table.h for the layout.
 *
 * The index is at most three quarters full. Expected probes at that load: 2.5 for a key that is
 * there, 8.5 for one that is not (Knuth, The Art of Computer Programming 3, 6.4, linear probing).
 */
#include "kernel/base/table.h"

#include <string.h>

#define FIRST_SLOTS 256
#define POLL_SLOTS  ((size_t) 1 << 18)
#define ARENA_BYTES ((size_t) 256 * 1024)

/* Hash bytes, 8 at a time. */
uint64_t
crm_hash_bytes(const void *bytes, size_t length)
{
	const char *at = bytes;
	uint64_t hash = length * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t word;

	for (; length >= 8; length -= 8, at += 8)
	{
		memcpy(&word, at, 8);
		hash = crm_mix64(hash ^ word);
	}
	if (length > 0)
	{
		word = 0;
		memcpy(&word, at, length);
		hash = crm_mix64(hash ^ word);
	}
	return crm_mix64(hash);
}

/*
 * Make an empty table whose rows hold a key and payload_size bytes (a multiple of 8). Its memory is
 * the context's; there is no free, the host drops the context.
 */
CrmStatus
crm_table_init(CrmTable *table, CrmCtx *ctx, CrmKeyKind kind, size_t payload_size)
{
	*table = (CrmTable){.ctx = ctx, .kind = kind, .slots = FIRST_SLOTS};
	table->key_size = kind == CRM_KEY_UUID ? 16 : 8;
	table->row_size = table->key_size + payload_size;
	table->index = crm_allocate(ctx, table->slots, sizeof(uint64_t));
	if (table->index == NULL)
		return ctx->failure;
	memset(table->index, 0, table->slots * sizeof(uint64_t));
	return CRM_OK;
}

/* Double the index until it holds `rows` rows at three quarters load. Rows stay where they are. */
static CrmStatus
grow_index(CrmTable *table, uint64_t rows)
{
	size_t slots = table->slots;
	uint64_t *index;

	while (slots / 4 * 3 < rows)
		slots *= 2;
	index = crm_allocate(table->ctx, slots, sizeof(uint64_t));
	if (index == NULL)
		return table->ctx->failure;
	memset(index, 0, slots * sizeof(uint64_t));
	for (size_t i = 0; i < table->slots; i++)
	{
		uint64_t entry = table->index[i];
		size_t at;

		if (i % POLL_SLOTS == 0 && crm_poll(table->ctx))
			return CRM_ABORTED;
		if (entry == 0)
			continue;
		for (at = (entry >> 32) & (slots - 1); index[at] != 0; at = (at + 1) & (slots - 1))
			;
		index[at] = entry;
	}
	crm_release(table->ctx, table->index, table->slots, sizeof(uint64_t));
	table->index = index;
	table->slots = slots;
	return CRM_OK;
}

/* Append a page; rows never move, so that pointers to them stay good. */
static CrmStatus
add_page(CrmTable *table)
{
	if (table->n_pages == table->max_pages)
	{
		size_t max = table->max_pages == 0 ? 16 : table->max_pages * 2;
		char **pages = crm_allocate(table->ctx, max, sizeof(char *));

		if (pages == NULL)
			return table->ctx->failure;
		if (table->n_pages > 0)
			memcpy(pages, table->pages, table->n_pages * sizeof(char *));
		crm_release(table->ctx, table->pages, table->max_pages, sizeof(char *));
		table->pages = pages;
		table->max_pages = max;
	}
	table->pages[table->n_pages] = crm_allocate(table->ctx, CRM_TABLE_PAGE_ROWS, table->row_size);
	if (table->pages[table->n_pages] == NULL)
		return table->ctx->failure;
	table->n_pages++;
	return CRM_OK;
}

/* Copy the bytes of a key into the arena; NULL when memory ends. */
static CrmKeyBytes *
copy_bytes(CrmTable *table, const CrmKey *key)
{
	size_t bytes = (sizeof(CrmKeyBytes) + key->length + 7) & ~(size_t) 7;
	CrmKeyBytes *copy;

	if (bytes > ARENA_BYTES / 4)
		copy = crm_allocate(table->ctx, 1, bytes);
	else
	{
		if (table->arena_left < bytes)
		{
			char *arena = crm_allocate(table->ctx, 1, ARENA_BYTES);

			if (arena == NULL)
				return NULL;
			table->arena = arena;
			table->arena_left = ARENA_BYTES;
		}
		copy = (CrmKeyBytes *) table->arena;
		table->arena += bytes;
		table->arena_left -= bytes;
	}
	if (copy == NULL)
		return NULL;
	copy->hash = key->hash;
	copy->length = key->length;
	memcpy(copy->bytes, key->bytes, key->length);
	return copy;
}

/* Tell whether a row's key is this key. */
static inline bool
is_same(const CrmTable *table, const void *row, const CrmKey *key)
{
	const uint64_t *half = row;
	const CrmKeyBytes *copy;

	switch (table->kind)
	{
		case CRM_KEY_INT64:
			return half[0] == key->half[0];
		case CRM_KEY_UUID:
			return half[0] == key->half[0] && half[1] == key->half[1];
		default:
			copy = *(CrmKeyBytes *const *) row;
			if (table->equal != NULL)
				return table->equal(table->equal_user, copy->bytes, copy->length, key->bytes,
									key->length);
			return copy->length == key->length && memcmp(copy->bytes, key->bytes, key->length) == 0;
	}
}

/* Append a row for a key that is not there, its payload zeroed; NULL when memory ends. */
static void *
add_row(CrmTable *table, const CrmKey *key)
{
	char *row;

	if (table->n / CRM_TABLE_PAGE_ROWS == table->n_pages && add_page(table) != CRM_OK)
		return NULL;
	row = crm_table_row(table, table->n);
	memset(row + table->key_size, 0, table->row_size - table->key_size);
	if (table->kind == CRM_KEY_BYTES)
	{
		CrmKeyBytes *copy = copy_bytes(table, key);

		if (copy == NULL)
			return NULL;
		memcpy(row, &copy, sizeof(copy));
	}
	else
		memcpy(row, key->half, table->key_size);
	table->n++;
	return row;
}

/*
 * Find the rows of n keys (at most CRM_TABLE_BATCH), adding a row with a zeroed payload for each
 * key that is new; rows[i] is the row of keys[i]. CRM_LIMIT or CRM_NO_MEMORY when it cannot grow;
 * rows added before that stay.
 */
CrmStatus
crm_table_find(CrmTable *table, const CrmKey *keys, int n, void **rows)
{
	const size_t row_size = table->row_size;
	size_t mask;

	if ((uint64_t) table->n + n > UINT32_MAX - 1)
		return CRM_LIMIT;
	if ((uint64_t) table->n + n > table->slots / 4 * 3)
	{
		CrmStatus status = grow_index(table, (uint64_t) table->n + n);

		if (status != CRM_OK)
			return status;
	}
	mask = table->slots - 1;
	for (int i = 0; i < n; i++)
		__builtin_prefetch(&table->index[(uint32_t) keys[i].hash & mask], 1);
	for (int i = 0; i < n; i++)
	{
		uint64_t entry = table->index[(uint32_t) keys[i].hash & mask];

		if (entry != 0)
		{
			char *row = crm_table_row(table, (uint32_t) entry - 1);

			__builtin_prefetch(row, 1);
			__builtin_prefetch(row + row_size - 8, 1); /* rows may lie across two lines */
		}
	}
	for (int i = 0; i < n; i++)
	{
		uint32_t tag = (uint32_t) keys[i].hash;
		size_t at = tag & mask;
		uint64_t entry;

		while ((entry = table->index[at]) != 0)
		{
			rows[i] = crm_table_row(table, (uint32_t) entry - 1);
			if ((uint32_t) (entry >> 32) == tag && is_same(table, rows[i], &keys[i]))
				break;
			at = (at + 1) & mask;
		}
		if (entry == 0)
		{
			rows[i] = add_row(table, &keys[i]);
			if (rows[i] == NULL)
				return table->ctx->failure;
			table->index[at] = (uint64_t) tag << 32 | table->n;
		}
	}
	return CRM_OK;
}

/* Give the key of row i; bytes point into the table. */
CrmKey
crm_table_key(const CrmTable *table, uint32_t i)
{
	const void *row = crm_table_row(table, i);
	CrmKey key = {.length = 0};

	if (table->kind == CRM_KEY_BYTES)
	{
		const CrmKeyBytes *copy = *(CrmKeyBytes *const *) row;

		key.bytes = copy->bytes;
		key.length = (uint32_t) copy->length;
		key.hash = copy->hash;
	}
	else
		memcpy(key.half, row, table->key_size);
	return key;
}
