/*
 * keylist.h: keys of any type, one after another, to be given back as datums.
 *
 * A value passed by value takes 8 bytes, one of a fixed length up to 64 that length (uuid 16), any
 * other 8 bytes and a copy. Nothing is compared, so the type needs no operator.
 */
#ifndef CRM_PG_KEYLIST_H
#define CRM_PG_KEYLIST_H

#include "pg/compat.h"

#include "kernel/base/context.h"

typedef struct CrmKeyList
{
	CrmCtx *ctx;
	int16 length; /* typlen */
	bool by_value;
	size_t width; /* bytes of an item */
	size_t n, room;
	char *items;
	char *chunk; /* where the next copy goes; items passed by value need none */
	size_t chunk_left;
} CrmKeyList;

extern void crm_keylist_init(CrmKeyList *list, CrmCtx *ctx, Oid type);
extern bool crm_keylist_resize(CrmKeyList *list, size_t room);
extern bool crm_keylist_add(CrmKeyList *list, Datum key);
extern Datum crm_keylist_get(const CrmKeyList *list, size_t i);

/* Let the processor fetch key i, which will be asked for soon. */
static inline void
crm_keylist_prefetch(const CrmKeyList *list, size_t i)
{
	__builtin_prefetch(list->items + i * list->width);
}

#endif
