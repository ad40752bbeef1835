/*
 * sequence_match.c: the aggregates crm.sequence_match and crm.sequence_count, whether and how
 * often the events of a group are as a pattern says (kernel/pattern.h).
 *
 * Both have one state, so that PostgreSQL keeps it once for both: the list of the group's rows
 * where a condition holds, and its pattern. A pattern is read once a query; states point to it.
 */
#include "pg/compat.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kernel/pattern.h"
#include "pg/args.h"
#include "pg/conditions.h"
#include "pg/memory.h"

/* A pattern of a query; they are kept as long as the call's FmgrInfo, the last one read first. */
typedef struct Pattern
{
	CrmPattern read;
	int n_conditions;
	struct Pattern *next;
	Size bytes;
	char text[FLEXIBLE_ARRAY_MEMBER];
} Pattern;

typedef struct State
{
	CrmConditionRows list;
	const Pattern *pattern;
} State;

/* Read a quoted time for the kernel; an interval of months has no fixed length. */
static bool
read_span(void *user, const char *text, size_t bytes, int64_t *micros)
{
	const Interval *span =
		DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(pnstrdup(text, bytes)),
											  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));

	return span->month == 0 &&
		   !__builtin_mul_overflow((int64_t) span->day, USECS_PER_DAY, micros) &&
		   !__builtin_add_overflow(*micros, (int64_t) span->time, micros);
}

/* Raise the error of a pattern. */
static void
pattern_error(const Pattern *pattern, const CrmPatternError *error)
{
	const char *rest = pattern->text + error->at;
	int left = (int) (pattern->bytes - error->at);
	int at = pg_mbstrlen_with_len(pattern->text, (int) error->at) + 1;

	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("invalid pattern: %s", error->what),
			left == 0 ? errdetail("At character %d, the end of \"%s\".", at, pattern->text)
					  : errdetail("At character %d of \"%s\": \"%s\".", at, pattern->text,
								  pnstrdup(rest, pg_mbcharcliplen(rest, left, 20))),
			error->hint != NULL ? errhint("%s", error->hint) : 0);
}

/* Give the pattern of a text for so many conditions; read it if it is new to this call. */
static const Pattern *
get_pattern(FunctionCallInfo fcinfo, const char *text, Size bytes, int n_conditions)
{
	Pattern **first = (Pattern **) &fcinfo->flinfo->fn_extra, **link, *pattern;
	CrmPatternSyntax syntax = {.n_conditions = n_conditions, .span = read_span};
	CrmPatternError error;

	for (link = first; *link != NULL; link = &(*link)->next)
		if ((*link)->bytes == bytes && (*link)->n_conditions == n_conditions &&
			memcmp((*link)->text, text, bytes) == 0)
			break;
	pattern = *link;
	if (pattern != NULL)
		*link = pattern->next;
	else
	{
		pattern =
			MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, offsetof(Pattern, text) + bytes + 1);
		pattern->bytes = bytes;
		pattern->n_conditions = n_conditions;
		memcpy(pattern->text, text, bytes);
		if (crm_pattern_read(&pattern->read, pattern->text, bytes, &syntax, &error) != CRM_OK)
			pattern_error(pattern, &error);
	}
	pattern->next = *first;
	*first = pattern;
	return pattern;
}

/* Raise an error when the patterns of two rows of a group differ. */
static void
check_same(const Pattern *before, const Pattern *now)
{
	if (before == now)
		return;
	crm_conditions_check_same(before->n_conditions, now->n_conditions);
	if (before->bytes != now->bytes || memcmp(before->text, now->text, now->bytes) != 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"pattern\" must be the same in all rows of a group"));
}

/* Make an empty state. */
static State *
begin_state(MemoryContext context, const Pattern *pattern)
{
	State *state = MemoryContextAllocZero(context, sizeof(State));

	state->pattern = pattern;
	state->list.n_conditions = pattern->n_conditions;
	return state;
}

PG_FUNCTION_INFO_V1(crm_sequence_match_transition_1_0);
/*
 * crm._sequence_match_transition(internal, text, timestamptz, boolean[]) -> internal: adds a row
 */
Datum
crm_sequence_match_transition_1_0(PG_FUNCTION_ARGS)
{
	MemoryContext context = crm_aggregate_context(fcinfo);
	State *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);
	const Pattern *pattern;
	const text *given;
	CrmConditions row;
	int n_conditions;

	crm_arg_require(fcinfo, 1, "pattern");
	given = PG_GETARG_TEXT_PP(1);
	row.holds = crm_conditions_arg(fcinfo, 3, &n_conditions);
	pattern = get_pattern(fcinfo, VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given), n_conditions);
	if (state == NULL)
		state = begin_state(context, pattern);
	check_same(state->pattern, pattern);
	if (!PG_ARGISNULL(2) && row.holds != 0)
	{
		row.at = PG_GETARG_TIMESTAMPTZ(2);
		crm_conditions_add(&state->list, context, &row, 1);
	}
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(crm_sequence_match_combine_1_0);
/*
 * crm._sequence_match_combine(internal, internal) -> internal: adds the rows of the second state
 */
Datum
crm_sequence_match_combine_1_0(PG_FUNCTION_ARGS)
{
	MemoryContext context = crm_aggregate_context(fcinfo);
	State *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);
	const State *other = PG_ARGISNULL(1) ? NULL : (State *) PG_GETARG_POINTER(1);

	if (other != NULL)
	{
		if (state == NULL)
			state = begin_state(context, other->pattern);
		check_same(state->pattern, other->pattern);
		crm_conditions_add(&state->list, context, other->list.rows, other->list.n);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(crm_sequence_match_serialize_1_0);
/* crm._sequence_match_serialize(internal) -> bytea */
Datum
crm_sequence_match_serialize_1_0(PG_FUNCTION_ARGS)
{
	const State *state = (State *) PG_GETARG_POINTER(0);

	(void) crm_aggregate_context(fcinfo);
	PG_RETURN_BYTEA_P(
		crm_conditions_pack(&state->list, state->pattern->text, state->pattern->bytes));
}

PG_FUNCTION_INFO_V1(crm_sequence_match_deserialize_1_0);
/*
 * crm._sequence_match_deserialize(bytea, internal) -> internal: a state for the combine function
 */
Datum
crm_sequence_match_deserialize_1_0(PG_FUNCTION_ARGS)
{
	bytea *packed = PG_GETARG_BYTEA_P_COPY(0); /* aligned */
	State *state = palloc0(sizeof(State));
	const char *text;
	size_t bytes;

	(void) crm_aggregate_context(fcinfo);
	text = crm_conditions_unpack(&state->list, packed, &bytes);
	state->pattern = get_pattern(fcinfo, text, bytes, state->list.n_conditions);
	PG_RETURN_POINTER(state);
}

/* Count the matches of argument 0, a state or NULL, up to most; it is sorted in place. */
static int64
count_matches(FunctionCallInfo fcinfo, int64 most)
{
	State *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);
	CrmStatus status;
	CrmCtx ctx;
	int64_t count;

	(void) crm_aggregate_context(fcinfo);
	if (state == NULL)
		return 0;
	crm_memory_over(&ctx, CurrentMemoryContext);
	status = crm_conditions_sort(&ctx, state->list.rows, state->list.n);
	if (status == CRM_OK)
		status = crm_pattern_count(&ctx, &state->pattern->read, state->list.rows, state->list.n,
								   most, &count);
	crm_memory_check(status, &ctx, "the search for a pattern",
					 psprintf("%zu events.", state->list.n));
	return count;
}

PG_FUNCTION_INFO_V1(crm_sequence_match_final_1_0);
/* crm._sequence_match_final(internal) -> boolean: whether there is a match */
Datum
crm_sequence_match_final_1_0(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(count_matches(fcinfo, 1) > 0);
}

PG_FUNCTION_INFO_V1(crm_sequence_count_final_1_0);
/* crm._sequence_count_final(internal) -> bigint: how many matches do not overlap */
Datum
crm_sequence_count_final_1_0(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(count_matches(fcinfo, PG_INT64_MAX));
}
