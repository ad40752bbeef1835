/*
 * keys.c: a customer_id of any hashable type as the kernel's key, and back.
 */
#include "pg/keys.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "kernel/base/order.h"

/* Tell whether a type is one of the integers that the default form takes. */
static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/*
 * Decide the type of the key from the source's customer_id, of type found, and the form of the
 * function that was called: the type of its key, or InvalidOid for the default form. Sets *cast to
 * the type that customer_id is to be cast to, or InvalidOid.
 */
Oid
crm_key_choose(Oid form, Oid found, const char *function, Oid *cast)
{
	Oid base = getBaseType(found);
	Oid wanted = OidIsValid(form) ? form : INT8OID;
	bool fits = base == wanted || (is_integer(base) && wanted == INT8OID) ||
				(OidIsValid(form) && can_coerce_type(1, &base, &wanted, COERCION_IMPLICIT));

	if (!fits)
		ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("customer_id of the source is of type %s, not %s", format_type_be(found),
					   format_type_be(wanted)),
				errhint("Use the form with a key: %s(key => NULL::%s, source => ...).", function,
						format_type_be(base)));
	*cast = found == wanted ? InvalidOid : wanted;
	return wanted;
}

/* Tell whether equal values of this type are equal words, so that the word itself can be the key.
 */
static bool
is_word(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return true;
		default:
			return false;
	}
}

/* Tell whether equal values of this type are equal bytes. */
static bool
is_plain_bytes(Oid type, Oid collation)
{
	if (type == BYTEAOID)
		return true;
	return (type == TEXTOID || type == VARCHAROID) &&
		   (!OidIsValid(collation) || get_collation_isdeterministic(collation));
}

/* Fill in how to handle keys of a type; an error when the type has no hash function. */
void
crm_key_type(CrmKeyType *key_type, Oid type, Oid collation)
{
	type = getBaseType(type);
	*key_type = (CrmKeyType){.type = type, .collation = collation, .kind = CRM_KEY_BYTES};
	get_typlenbyval(type, &key_type->length, &key_type->by_value);
	if (is_word(type))
		key_type->kind = CRM_KEY_INT64;
	else if (type == UUIDOID)
		key_type->kind = CRM_KEY_UUID;
	else
	{
		key_type->plain_bytes = is_plain_bytes(type, collation);
		key_type->cache =
			lookup_type_cache(type, TYPECACHE_EQ_OPR_FINFO | TYPECACHE_HASH_EXTENDED_PROC_FINFO |
										TYPECACHE_CMP_PROC_FINFO);
		if (!OidIsValid(key_type->cache->hash_extended_proc_finfo.fn_oid) ||
			!OidIsValid(key_type->cache->eq_opr_finfo.fn_oid))
			ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
					errmsg("customer_id of type %s cannot be hashed", format_type_be(type)),
					errhint("Cast it to a hashable type, such as bigint, uuid or text."));
	}
}

/*
 * Make the key of a datum. Its bytes are the datum's, or a detoasted copy in the current memory
 * context, or (a value passed by value) *room, which the caller keeps as long as the key.
 */
CrmKey
crm_key_from_datum(const CrmKeyType *key_type, Datum datum, Datum *room)
{
	CrmKey key = {.length = 0};

	if (key_type->kind == CRM_KEY_INT64)
	{
		switch (key_type->length)
		{
			case 2:
				return crm_key_int64(DatumGetInt16(datum));
			case 4:
				return crm_key_int64(DatumGetInt32(datum));
			default:
				return crm_key_int64(DatumGetInt64(datum));
		}
	}
	if (key_type->kind == CRM_KEY_UUID)
		return crm_key_uuid(DatumGetUUIDP(datum)->data);

	if (key_type->by_value)
	{
		*room = datum;
		key.bytes = room;
		key.length = sizeof(Datum);
	}
	else if (key_type->length == -1)
	{
		struct varlena *value = PG_DETOAST_DATUM(datum);

		datum = PointerGetDatum(value);
		key.bytes = value;
		key.length = VARSIZE(value);
	}
	else
	{
		key.bytes = DatumGetPointer(datum);
		key.length = key_type->length == -2 ? strlen(DatumGetCString(datum)) + 1 : key_type->length;
	}
	if (key_type->plain_bytes)
		key.hash = crm_hash_bytes((const char *) key.bytes + VARHDRSZ, key.length - VARHDRSZ);
	else
		key.hash = DatumGetUInt64(FunctionCall2Coll(&key_type->cache->hash_extended_proc_finfo,
													key_type->collation, datum, Int64GetDatum(0)));
	return key;
}

/* Give the datum that bytes of a key stand for; it points into them. */
static Datum
bytes_to_datum(const CrmKeyType *key_type, const void *bytes)
{
	return key_type->by_value ? *(const Datum *) bytes : PointerGetDatum(bytes);
}

/* Give the key of row i as a datum; it points into the table when it is passed by reference. */
Datum
crm_key_to_datum(const CrmKeyType *key_type, const CrmTable *table, uint32 i)
{
	CrmKey key;

	if (key_type->kind == CRM_KEY_UUID)
		return PointerGetDatum(crm_table_row(table, i));
	key = crm_table_key(table, i);
	if (key_type->kind == CRM_KEY_BYTES)
		return bytes_to_datum(key_type, key.bytes);
	switch (key_type->length)
	{
		case 2:
			return Int16GetDatum((int16) key.integer);
		case 4:
			return Int32GetDatum((int32) key.integer);
		default:
			return Int64GetDatum(key.integer);
	}
}

/* Compare two CRM_KEY_BYTES keys as their type says; the kernel's CrmKeyEqual. */
bool
crm_key_equal(void *user, const void *a, size_t a_length, const void *b, size_t b_length)
{
	const CrmKeyType *key_type = user;

	if (a_length == b_length && memcmp(a, b, a_length) == 0)
		return true;
	if (key_type->plain_bytes)
		return false;
	return DatumGetBool(FunctionCall2Coll(&key_type->cache->eq_opr_finfo, key_type->collation,
										  bytes_to_datum(key_type, a),
										  bytes_to_datum(key_type, b)));
}

typedef struct SortContext
{
	const CrmKeyType *key_type;
	const CrmTable *table;
} SortContext;

/* Order two rows by their keys, as the type's btree does. */
static int
compare_rows(const void *a, const void *b, void *context)
{
	const SortContext *sort = context;
	uint32 i = *(const uint32 *) a;
	uint32 j = *(const uint32 *) b;

	CHECK_FOR_INTERRUPTS();
	return DatumGetInt32(FunctionCall2Coll(&sort->key_type->cache->cmp_proc_finfo,
										   sort->key_type->collation,
										   crm_key_to_datum(sort->key_type, sort->table, i),
										   crm_key_to_datum(sort->key_type, sort->table, j)));
}

/* Sort the row numbers by one 64-bit word of the keys, keeping the order of equal ones. */
static CrmStatus
order_by_word(CrmCtx *ctx, const CrmTable *table, bool is_uuid, int half, uint32 *order)
{
	size_t n = table->n;
	uint64_t *words = crm_allocate(ctx, n, sizeof(uint64_t));
	uint32 *scratch = crm_allocate(ctx, n, sizeof(uint32));
	CrmStatus status = ctx->failure;

	if (words != NULL && scratch != NULL)
	{
		for (size_t i = 0; i < n; i++)
		{
			CrmKey key = crm_table_key(table, (uint32_t) i);

			words[i] = is_uuid ? pg_ntoh64(key.half[half]) : crm_order_int64(key.integer);
		}
		status = crm_radix_sort_index(ctx, words, order, scratch, n);
	}
	crm_release(ctx, words, n, sizeof(uint64_t));
	crm_release(ctx, scratch, n, sizeof(uint32));
	return status;
}

/* Fill order[table->n] with the row numbers in the order of their keys. */
CrmStatus
crm_key_order(const CrmKeyType *key_type, CrmCtx *ctx, const CrmTable *table, uint32 *order)
{
	SortContext sort = {key_type, table};
	CrmStatus status;

	for (uint32 i = 0; i < table->n; i++)
		order[i] = i;
	switch (key_type->kind)
	{
		case CRM_KEY_INT64:
			return order_by_word(ctx, table, false, 0, order);
		case CRM_KEY_UUID:
			status = order_by_word(ctx, table, true, 1, order);
			return status == CRM_OK ? order_by_word(ctx, table, true, 0, order) : status;
		default:
			if (!OidIsValid(key_type->cache->cmp_proc_finfo.fn_oid))
				ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("customer_id of type %s has no order to break ties by",
							   format_type_be(key_type->type)),
						errhint("Use method => 'quantile', or cast customer_id to an ordered "
								"type."));
			qsort_arg(order, table->n, sizeof(uint32), compare_rows, &sort);
			return CRM_OK;
	}
}
