/*
 * conditions.c: collecting the rows of a group as times and conditions, and handing them from a
 * parallel worker to the leader. 16 bytes a row, held against maintenance_work_mem.
 */
#include "pg/conditions.h"

#include "utils/array.h"
#include "utils/memutils.h"

#include "pg/memory.h"

/* What stands before the rows, and before the aggregate's own options, in a packed state. */
typedef struct Packed
{
	int32 vl_len_; /* varlena header */
	int32 n_conditions;
	uint64 n;
	uint64 head; /* bytes of the aggregate's own */
} Packed;

/*
 * Give the conditions of argument i, a boolean[] of 1 to CRM_CONDITIONS_MAX elements, as bits, and
 * their number in *n. NULL is false.
 */
uint32
crm_conditions_arg(FunctionCallInfo fcinfo, int i, int *n)
{
	const ArrayType *array;
	const bits8 *nulls;
	const char *value;
	uint32 holds = 0;

	if (PG_ARGISNULL(i))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("argument \"conditions\" must not be null"));
	array = PG_GETARG_ARRAYTYPE_P(i);
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (ARR_NDIM(array) > 1 || *n < 1 || *n > CRM_CONDITIONS_MAX)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("there must be 1 to %d conditions", CRM_CONDITIONS_MAX),
				errdetail("Got %d in %d dimensions.", *n, ARR_NDIM(array)));
	nulls = ARR_NULLBITMAP(array);
	value = ARR_DATA_PTR(array); /* a boolean takes a byte, a null none */
	for (int k = 0; k < *n; k++)
		if (nulls == NULL || (nulls[k / 8] >> (k % 8) & 1))
			holds |= (uint32) (*value++ != 0) << k;
	return holds;
}

/* Raise an error when two rows of a group have different numbers of conditions. */
void
crm_conditions_check_same(int before, int now)
{
	if (before != now)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("all rows of a group must have the same number of conditions"),
				errdetail("Got %d after %d.", now, before));
}

/* Make room in memory for n rows more, or raise the memory error. */
static void
enlarge(CrmConditionRows *list, MemoryContext memory, size_t n)
{
	CrmCtx ctx;
	size_t wanted = list->n + n, most, room;

	crm_memory_over(&ctx, memory);
	most = ctx.limit / sizeof(CrmConditions);
	if (wanted > most)
		crm_memory_error(wanted * sizeof(CrmConditions), &ctx, "a group's list of events",
						 psprintf("%zu events, %zu bytes each.", wanted, sizeof(CrmConditions)),
						 "make smaller groups, or leave rows without any of the events out");
	room = Min(Max(Max(list->room * 2, wanted), 4), most);
	if (list->rows == NULL)
		list->rows =
			MemoryContextAllocExtended(memory, room * sizeof(CrmConditions), MCXT_ALLOC_HUGE);
	else
		list->rows = repalloc_huge(list->rows, room * sizeof(CrmConditions));
	list->room = room;
}

/* Append n rows to a list whose rows live in memory. */
void
crm_conditions_add(CrmConditionRows *list, MemoryContext memory, const CrmConditions *rows,
				   size_t n)
{
	if (list->room - list->n < n)
		enlarge(list, memory, n);
	if (n > 0)
		memcpy(list->rows + list->n, rows, n * sizeof(CrmConditions));
	list->n += n;
}

/*
 * Give a list as one value, palloc'd, with so many bytes of the aggregate's own before the rows.
 */
bytea *
crm_conditions_pack(const CrmConditionRows *list, const void *head, size_t bytes)
{
	size_t total = sizeof(Packed) + MAXALIGN(bytes) + list->n * sizeof(CrmConditions);
	Packed *packed;

	if (total > MaxAllocSize)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("too many events of one group for a parallel worker to hand over"),
				errdetail("%zu events take %zu MB, the limit is 1024 MB.", list->n,
						  total / (1024 * 1024)),
				errhint("SET max_parallel_workers_per_gather = 0 for this query."));
	packed = palloc(total);
	SET_VARSIZE(packed, total);
	packed->n_conditions = list->n_conditions;
	packed->n = list->n;
	packed->head = bytes;
	memcpy((char *) packed + sizeof(Packed), head, bytes);
	if (list->n > 0)
		memcpy((char *) packed + sizeof(Packed) + MAXALIGN(bytes), list->rows,
			   list->n * sizeof(CrmConditions));
	return (bytea *) packed;
}

/*
 * Make a list of what crm_conditions_pack gave, which must be aligned and stay; give the
 * aggregate's own and, in *bytes, its length. Nothing may be added to such a list.
 */
const void *
crm_conditions_unpack(CrmConditionRows *list, bytea *packed, size_t *bytes)
{
	Packed *from = (Packed *) packed;

	if (VARSIZE(packed) < sizeof(Packed) ||
		VARSIZE(packed) != sizeof(Packed) + MAXALIGN(from->head) + from->n * sizeof(CrmConditions))
		elog(ERROR, "crm internal: a packed list of %zu bytes", (size_t) VARSIZE(packed));
	list->n_conditions = from->n_conditions;
	list->n = list->room = from->n;
	list->rows = (CrmConditions *) ((char *) from + sizeof(Packed) + MAXALIGN(from->head));
	*bytes = from->head;
	return (char *) from + sizeof(Packed);
}
