/*
 * keylist.c: keys of any type, one after another, to be given back as datums.
 */
#include "pg/keylist.h"

#include "utils/lsyscache.h"

#include "pg/memory.h"

#define CHUNK_BYTES  65536
#define INLINE_BYTES 64

/* Begin an empty list of keys of a type. Its memory is the context's and goes with it. */
void
crm_keylist_init(CrmKeyList *list, CrmCtx *ctx, Oid type)
{
	*list = (CrmKeyList){.ctx = ctx};
	get_typlenbyval(type, &list->length, &list->by_value);
	if (!list->by_value && list->length > 0 && list->length <= INLINE_BYTES)
		list->width = MAXALIGN(list->length);
	else
		list->width = sizeof(Datum);
}

/* Give the list room for so many keys, not fewer than it has; false: beyond the budget. */
bool
crm_keylist_resize(CrmKeyList *list, size_t room)
{
	char *items =
		crm_memory_resize(list->ctx, list->items, list->room * list->width, room * list->width);

	if (items == NULL)
		return false;
	list->items = items;
	list->room = room;
	return true;
}

/* Give bytes for a copy; NULL: beyond the budget. */
static char *
copy_room(CrmKeyList *list, size_t bytes)
{
	char *at;

	bytes = MAXALIGN(bytes);
	if (bytes > CHUNK_BYTES / 8)
		return crm_allocate(list->ctx, bytes, 1);
	if (bytes > list->chunk_left)
	{
		list->chunk = crm_allocate(list->ctx, CHUNK_BYTES, 1);
		if (list->chunk == NULL)
		{
			list->chunk_left = 0;
			return NULL;
		}
		list->chunk_left = CHUNK_BYTES;
	}
	at = list->chunk;
	list->chunk += bytes;
	list->chunk_left -= bytes;
	return at;
}

/* Add a key, whose bytes are copied; false: beyond the budget. */
bool
crm_keylist_add(CrmKeyList *list, Datum key)
{
	char *item;
	void *value;
	size_t bytes;
	char *copy;

	if (list->n == list->room && !crm_keylist_resize(list, list->room == 0 ? 64 : 2 * list->room))
		return false;
	item = list->items + list->n * list->width;
	if (list->by_value)
		*(Datum *) item = key;
	else if (list->length > 0 && list->length <= INLINE_BYTES)
		memcpy(item, DatumGetPointer(key), list->length);
	else
	{
		value = DatumGetPointer(key);
		if (list->length == -1 && VARATT_IS_EXTERNAL(value))
			value = PG_DETOAST_DATUM(key);
		bytes = list->length == -1   ? VARSIZE_ANY(value)
				: list->length == -2 ? strlen(value) + 1
									 : (size_t) list->length;
		copy = copy_room(list, bytes);
		if (copy == NULL)
			return false;
		memcpy(copy, value, bytes);
		*(Datum *) item = PointerGetDatum(copy);
		if (value != DatumGetPointer(key))
			pfree(value);
	}
	list->n++;
	return true;
}

/* Give key i; it points into the list when its type is passed by reference. */
Datum
crm_keylist_get(const CrmKeyList *list, size_t i)
{
	char *item = list->items + i * list->width;

	if (list->by_value || list->length < 0 || list->length > INLINE_BYTES)
		return *(Datum *) item;
	return PointerGetDatum(item);
}
