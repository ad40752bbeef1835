/*
 * basket.c: the aggregate crm.basket, the items of a group in order, each once.
 *
 * Its state is an ArrayBuildState of all items that came. Between processes it travels as an array.
 * Of equal items that differ in their text (1.0 and 1.00) the one whose text is least stays, so the
 * result does not depend on the order of the rows.
 */
#include "pg/compat.h"

#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "pg/memory.h"

/* What comparing two items takes. */
typedef struct Order
{
	TypeCacheEntry *cache;
	Oid collation;
} Order;

/* Give a state, or NULL, that is argument i. */
static ArrayBuildState *
get_state(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : (ArrayBuildState *) PG_GETARG_POINTER(i);
}

PG_FUNCTION_INFO_V1(crm_basket_transition_1_0);
/* crm._basket_transition(internal, anyelement) -> internal: adds an item */
Datum
crm_basket_transition_1_0(PG_FUNCTION_ARGS)
{
	MemoryContext context = crm_aggregate_context(fcinfo);
	ArrayBuildState *state = get_state(fcinfo, 0);

	if (!PG_ARGISNULL(1))
	{
		if (state == NULL)
			state = initArrayResult(get_fn_expr_argtype(fcinfo->flinfo, 1), context, false);
		state = accumArrayResult(state, PG_GETARG_DATUM(1), false, state->element_type, context);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(crm_basket_combine_1_0);
/* crm._basket_combine(internal, internal) -> internal: adds the items of the second state */
Datum
crm_basket_combine_1_0(PG_FUNCTION_ARGS)
{
	MemoryContext context = crm_aggregate_context(fcinfo);
	ArrayBuildState *state = get_state(fcinfo, 0);
	const ArrayBuildState *other = get_state(fcinfo, 1);

	if (other != NULL)
	{
		if (state == NULL)
			state = initArrayResult(other->element_type, context, false);
		for (int i = 0; i < other->nelems; i++)
			state = accumArrayResult(state, other->dvalues[i], false, state->element_type, context);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(crm_basket_serialize_1_0);
/* crm._basket_serialize(internal) -> bytea: the items as an array */
Datum
crm_basket_serialize_1_0(PG_FUNCTION_ARGS)
{
	ArrayBuildState *state = (ArrayBuildState *) PG_GETARG_POINTER(0);

	(void) crm_aggregate_context(fcinfo);
	return makeArrayResult(state, CurrentMemoryContext);
}

PG_FUNCTION_INFO_V1(crm_basket_deserialize_1_0);
/* crm._basket_deserialize(bytea, internal) -> internal: the state of that array */
Datum
crm_basket_deserialize_1_0(PG_FUNCTION_ARGS)
{
	ArrayType *array = (ArrayType *) PG_GETARG_BYTEA_P_COPY(0); /* aligned as an array is */
	ArrayBuildState *state;
	int16 length;
	bool by_value;
	char align;
	Datum *items;
	int n;

	(void) crm_aggregate_context(fcinfo);
	state = initArrayResult(ARR_ELEMTYPE(array), CurrentMemoryContext, false);
	get_typlenbyvalalign(state->element_type, &length, &by_value, &align);
	deconstruct_array(array, state->element_type, length, by_value, align, &items, NULL, &n);
	for (int i = 0; i < n; i++)
		state = accumArrayResult(state, items[i], false, state->element_type, CurrentMemoryContext);
	PG_RETURN_POINTER(state);
}

/* Order two items as their type does, equal ones that differ by their text. */
static int
compare_items(const void *a, const void *b, void *arg)
{
	const Order *order = arg;
	const TypeCacheEntry *cache = order->cache;
	Datum one = *(const Datum *) a;
	Datum other = *(const Datum *) b;
	Oid output;
	bool is_varlena;
	int result;

	CHECK_FOR_INTERRUPTS();
	result = DatumGetInt32(
		FunctionCall2Coll(&order->cache->cmp_proc_finfo, order->collation, one, other));
	if (result != 0 || datumIsEqual(one, other, cache->typbyval, cache->typlen))
		return result;
	getTypeOutputInfo(cache->type_id, &output, &is_varlena);
	return strcmp(OidOutputFunctionCall(output, one), OidOutputFunctionCall(output, other));
}

PG_FUNCTION_INFO_V1(crm_basket_final_1_0);
/* crm._basket_final(internal, anyelement) -> anyarray: the items in order, each once */
Datum
crm_basket_final_1_0(PG_FUNCTION_ARGS)
{
	const ArrayBuildState *state = get_state(fcinfo, 0);
	Order order = {.collation = PG_GET_COLLATION()};
	Datum *items;
	int kept = 0;

	(void) crm_aggregate_context(fcinfo);
	if (state == NULL)
		PG_RETURN_NULL();
	order.cache = lookup_type_cache(state->element_type, TYPECACHE_CMP_PROC_FINFO);
	if (!OidIsValid(order.cache->cmp_proc_finfo.fn_oid))
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
				errmsg("items of type %s have no order", format_type_be(state->element_type)),
				errhint("Cast them to an ordered type, such as bigint, uuid or text."));
	items = palloc_extended(state->nelems * sizeof(Datum), MCXT_ALLOC_HUGE);
	memcpy(items, state->dvalues, state->nelems * sizeof(Datum));
	qsort_arg(items, state->nelems, sizeof(Datum), compare_items, &order);
	for (int i = 0; i < state->nelems; i++)
		if (kept == 0 ||
			DatumGetInt32(FunctionCall2Coll(&order.cache->cmp_proc_finfo, order.collation,
											items[kept - 1], items[i])) != 0)
			items[kept++] = items[i];
	PG_RETURN_ARRAYTYPE_P(construct_array(items, kept, state->element_type, state->typlen,
										  state->typbyval, state->typalign));
}
