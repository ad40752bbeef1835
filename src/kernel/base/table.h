/*
 * table.h: a hash table from keys to dense row numbers, made for tens of millions of look-ups.
 *
 * Rows have a fixed size and lie in pages that never move; row i is the i-th key that came. The
 * index is an array of 8 bytes a slot, open addressing with linear probing: the low half holds row
 * + 1 (0 is empty), the high half 32 bits of the hash, so a probe touches a row only when it is
 * almost surely the right one, and the index grows without touching rows. Look-ups come in batches
 * whose cache misses overlap: one pass prefetches the slots, the next the rows, the last compares.
 *
 * A row starts with its key: 8 bytes (integers), 16 bytes (uuid), or a pointer to a copy of any
 * bytes. Keys of the third kind are equal when their bytes are, unless the host gives an equality.
 */
#ifndef CRM_KERNEL_TABLE_H
#define CRM_KERNEL_TABLE_H

#include "kernel/base/context.h"

#define CRM_TABLE_BATCH     64    /* look-ups whose misses overlap */
#define CRM_TABLE_PAGE_ROWS 16384 /* rows of a page */

typedef enum CrmKeyKind
{
	CRM_KEY_INT64,
	CRM_KEY_UUID,
	CRM_KEY_BYTES
} CrmKeyKind;

typedef struct CrmKey
{
	union
	{
		int64_t integer;
		uint64_t half[2];
		const void *bytes; /* the caller's; copied when the key is new */
	};
	uint32_t length; /* of bytes */
	uint64_t hash;   /* crm_key_int64, crm_key_uuid set it; for bytes it is the caller's */
} CrmKey;

/* A copy of a CRM_KEY_BYTES key: its hash and length, then the bytes, aligned to 8. */
typedef struct CrmKeyBytes
{
	uint64_t hash;
	uint64_t length;
	char bytes[];
} CrmKeyBytes;

typedef bool (*CrmKeyEqual)(void *user, const void *a, size_t a_length, const void *b,
							size_t b_length);

typedef struct CrmTable
{
	CrmCtx *ctx;
	CrmKeyKind kind;
	CrmKeyEqual equal; /* for CRM_KEY_BYTES; NULL compares bytes */
	void *equal_user;
	size_t row_size; /* key included, a multiple of 8 */
	size_t key_size; /* bytes of the key at the start of a row */
	uint32_t n;      /* rows in use */
	uint64_t *index;
	size_t slots; /* a power of two */
	char **pages;
	size_t n_pages, max_pages;
	char *arena; /* where the next copied key goes */
	size_t arena_left;
} CrmTable;

/* Mix 64 bits so that every bit of the input reaches every bit of the result (MurmurHash3's
 * finaliser). */
static inline uint64_t
crm_mix64(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ (x >> 33);
}

/* Make the key of an integer. */
static inline CrmKey
crm_key_int64(int64_t value)
{
	return (CrmKey){.integer = value, .hash = crm_mix64((uint64_t) value)};
}

/* Make the key of 16 bytes; they are copied. */
static inline CrmKey
crm_key_uuid(const void *value)
{
	CrmKey key = {.length = 0};

	__builtin_memcpy(key.half, value, 16);
	key.hash = crm_mix64(key.half[0] ^ crm_mix64(key.half[1]));
	return key;
}

/* Give row i; valid until the table is freed. */
static inline void *
crm_table_row(const CrmTable *table, uint32_t i)
{
	return table->pages[i / CRM_TABLE_PAGE_ROWS] +
		   (size_t) (i % CRM_TABLE_PAGE_ROWS) * table->row_size;
}

extern CrmStatus crm_table_init(CrmTable *table, CrmCtx *ctx, CrmKeyKind kind, size_t payload_size);
extern CrmStatus crm_table_find(CrmTable *table, const CrmKey *keys, int n, void **rows);
extern CrmKey crm_table_key(const CrmTable *table, uint32_t i);
extern uint64_t crm_hash_bytes(const void *bytes, size_t length);

#endif
