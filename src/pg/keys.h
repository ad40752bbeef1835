/*
 * keys.h: a customer_id of any hashable type as the kernel's key, and back.
 *
 * Integers and the like are 8 bytes, uuid is 16; any other type is kept as the bytes of its datum
 * (detoasted, header included) and compared as its type says.
 */
#ifndef CRM_PG_KEYS_H
#define CRM_PG_KEYS_H

#include "pg/compat.h"

#include "utils/typcache.h"

#include "kernel/base/table.h"

typedef struct CrmKeyType
{
	Oid type;
	Oid collation;
	CrmKeyKind kind;
	int16 length; /* typlen */
	bool by_value;
	bool plain_bytes;      /* equal exactly when the bytes are */
	TypeCacheEntry *cache; /* for the types that are not plain */
} CrmKeyType;

extern Oid crm_key_choose(Oid form, Oid found, const char *function, Oid *cast);
extern void crm_key_type(CrmKeyType *key_type, Oid type, Oid collation);
extern CrmKey crm_key_from_datum(const CrmKeyType *key_type, Datum datum, Datum *room);
extern Datum crm_key_to_datum(const CrmKeyType *key_type, const CrmTable *table, uint32 i);
extern bool crm_key_equal(void *key_type, const void *a, size_t a_length, const void *b,
						  size_t b_length);
extern CrmStatus crm_key_order(const CrmKeyType *key_type, CrmCtx *ctx, const CrmTable *table,
							   uint32 *order);

#endif
