/*
 * funnel.c: the aggregates crm.window_funnel, how far a group's events come along a chain of steps
 * (kernel/funnel.h), and crm.retained, which conditions held in a group where the first one did.
 *
 * The state of window_funnel is the list of the group's rows where a condition holds; the final
 * function sorts it in place, which leaves it the same rows. The state of retained is a bigint:
 * the number of conditions, and a bit for each that held.
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kernel/funnel.h"
#include "pg/args.h"
#include "pg/conditions.h"
#include "pg/memory.h"
#include "pg/span.h"

/* What stays the same in all rows of a group. */
typedef struct Options
{
	Interval window;
	uint32 modes;
} Options;

typedef struct State
{
	CrmConditionRows list;
	Options options;
} State;

/* The last mode that was read, so that not every row reads it again. */
typedef struct ModeCache
{
	uint32 modes;
	Size bytes;
	char *text; /* NULL: none yet */
} ModeCache;

static const struct
{
	const char *word;
	uint32 mode;
} mode_words[] = {{"strict_deduplication", CRM_FUNNEL_STRICT_DEDUPLICATION},
				  {"strict_order", CRM_FUNNEL_STRICT_ORDER},
				  {"strict_increase", CRM_FUNNEL_STRICT_INCREASE},
				  {"strict_once", CRM_FUNNEL_STRICT_ONCE},
				  {"allow_reentry", CRM_FUNNEL_ALLOW_REENTRY}};

/* Give the modes of a text: words with commas or spaces between them, or none. */
static uint32
parse_modes(const char *text)
{
	uint32 modes = 0;

	for (;;)
	{
		size_t bytes;
		int i = 0;

		text += strspn(text, ", \t\r\n");
		bytes = strcspn(text, ", \t\r\n");
		if (bytes == 0)
			break;
		while (i < lengthof(mode_words) && (strlen(mode_words[i].word) != bytes ||
											memcmp(mode_words[i].word, text, bytes) != 0))
			i++;
		if (i == lengthof(mode_words))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("unrecognized mode \"%s\"", pnstrdup(text, bytes)),
					errhint("Valid modes are \"strict_deduplication\", \"strict_order\", "
							"\"strict_increase\", \"strict_once\", \"allow_reentry\"; several "
							"are put together with commas."));
		modes |= mode_words[i].mode;
		text += bytes;
	}
	if ((modes & CRM_FUNNEL_ALLOW_REENTRY) && !(modes & CRM_FUNNEL_STRICT_ORDER))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("mode \"allow_reentry\" needs mode \"strict_order\""));
	return modes;
}

/* Give the modes of argument i, a text. */
static uint32
read_modes(FunctionCallInfo fcinfo, int i)
{
	ModeCache *cache = fcinfo->flinfo->fn_extra;
	const text *mode;
	Size bytes;
	MemoryContext memory = fcinfo->flinfo->fn_mcxt;

	crm_arg_require(fcinfo, i, "mode");
	mode = PG_GETARG_TEXT_PP(i);
	bytes = VARSIZE_ANY_EXHDR(mode);
	if (cache == NULL)
		cache = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(memory, sizeof(ModeCache));
	if (cache->text == NULL || cache->bytes != bytes ||
		memcmp(cache->text, VARDATA_ANY(mode), bytes) != 0)
	{
		char *text = text_to_cstring(mode);

		cache->modes = parse_modes(text);
		if (cache->text != NULL)
			pfree(cache->text);
		cache->text = MemoryContextStrdup(memory, text);
		cache->bytes = bytes;
	}
	return cache->modes;
}

/* Raise an error when the options of two rows of a group differ. */
static void
check_same(const Options *before, const Options *now)
{
	if (memcmp(&before->window, &now->window, sizeof(Interval)) != 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"window\" must be the same in all rows of a group"));
	if (before->modes != now->modes)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"mode\" must be the same in all rows of a group"));
}

/* Make an empty state. */
static State *
begin_state(MemoryContext context, const Options *options, int n_conditions)
{
	State *state = MemoryContextAllocZero(context, sizeof(State));

	state->options = *options;
	state->list.n_conditions = n_conditions;
	return state;
}

PG_FUNCTION_INFO_V1(crm_window_funnel_transition_1_0);
/*
 * crm._window_funnel_transition(internal, interval[, text], timestamptz, boolean[]) -> internal:
 * adds a row
 */
Datum
crm_window_funnel_transition_1_0(PG_FUNCTION_ARGS)
{
	MemoryContext context = crm_aggregate_context(fcinfo);
	State *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);
	bool has_mode = PG_NARGS() == 5;
	int at = has_mode ? 3 : 2, n_conditions;
	Options options = {.modes = has_mode ? read_modes(fcinfo, 2) : 0};
	CrmConditions row;

	crm_arg_require(fcinfo, 1, "window");
	options.window = *PG_GETARG_INTERVAL_P(1);
	row.holds = crm_conditions_arg(fcinfo, at + 1, &n_conditions);
	if (state == NULL)
	{
		crm_span_check(&options.window, "window");
		state = begin_state(context, &options, n_conditions);
	}
	check_same(&state->options, &options);
	crm_conditions_check_same(state->list.n_conditions, n_conditions);
	if (!PG_ARGISNULL(at) && (row.holds != 0 || (options.modes & CRM_FUNNEL_STRICT_ORDER)))
	{
		row.at = PG_GETARG_TIMESTAMPTZ(at);
		crm_conditions_add(&state->list, context, &row, 1);
	}
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(crm_window_funnel_combine_1_0);
/* crm._window_funnel_combine(internal, internal) -> internal: adds the rows of the second state */
Datum
crm_window_funnel_combine_1_0(PG_FUNCTION_ARGS)
{
	MemoryContext context = crm_aggregate_context(fcinfo);
	State *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);
	const State *other = PG_ARGISNULL(1) ? NULL : (State *) PG_GETARG_POINTER(1);

	if (other != NULL)
	{
		if (state == NULL)
			state = begin_state(context, &other->options, other->list.n_conditions);
		check_same(&state->options, &other->options);
		crm_conditions_check_same(state->list.n_conditions, other->list.n_conditions);
		crm_conditions_add(&state->list, context, other->list.rows, other->list.n);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(crm_window_funnel_serialize_1_0);
/* crm._window_funnel_serialize(internal) -> bytea */
Datum
crm_window_funnel_serialize_1_0(PG_FUNCTION_ARGS)
{
	const State *state = (State *) PG_GETARG_POINTER(0);

	(void) crm_aggregate_context(fcinfo);
	PG_RETURN_BYTEA_P(crm_conditions_pack(&state->list, &state->options, sizeof(Options)));
}

PG_FUNCTION_INFO_V1(crm_window_funnel_deserialize_1_0);
/* crm._window_funnel_deserialize(bytea, internal) -> internal: a state for the combine function */
Datum
crm_window_funnel_deserialize_1_0(PG_FUNCTION_ARGS)
{
	bytea *packed = PG_GETARG_BYTEA_P_COPY(0); /* aligned */
	State *state = palloc0(sizeof(State));
	size_t bytes;

	(void) crm_aggregate_context(fcinfo);
	state->options = *(const Options *) crm_conditions_unpack(&state->list, packed, &bytes);
	Assert(bytes == sizeof(Options));
	PG_RETURN_POINTER(state);
}

/* The kernel's question: the last moment of a window. */
static int64_t
end_of_window(void *user, int64_t at)
{
	return crm_span_end(user, at);
}

PG_FUNCTION_INFO_V1(crm_window_funnel_final_1_0);
/* crm._window_funnel_final(internal) -> integer: the level; 0 without rows */
Datum
crm_window_funnel_final_1_0(PG_FUNCTION_ARGS)
{
	State *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);
	CrmFunnelParam param = {.end = end_of_window};
	CrmStatus status;
	CrmCtx ctx;
	int level;

	(void) crm_aggregate_context(fcinfo);
	if (state == NULL)
		PG_RETURN_INT32(0);
	crm_memory_over(&ctx, CurrentMemoryContext);
	param.n_steps = state->list.n_conditions;
	param.modes = state->options.modes;
	param.user = &state->options.window;
	status = crm_conditions_sort(&ctx, state->list.rows, state->list.n);
	if (status == CRM_OK)
		status = crm_funnel_level(&ctx, state->list.rows, state->list.n, &param, &level);
	crm_memory_check(status, &ctx, "the funnel", NULL);
	PG_RETURN_INT32(level);
}

/* ---- crm.retained ------------------------------------------------------------------------ */

/* Put two states together, of which the first may be none (0). */
static int64
merge_retained(int64 state, int64 other)
{
	if (state != 0)
		crm_conditions_check_same((int) (state >> 32), (int) (other >> 32));
	return state | other;
}

PG_FUNCTION_INFO_V1(crm_retained_transition_1_0);
/* crm._retained_transition(bigint, boolean[]) -> bigint: adds a row */
Datum
crm_retained_transition_1_0(PG_FUNCTION_ARGS)
{
	int n_conditions;
	uint32 holds = crm_conditions_arg(fcinfo, 1, &n_conditions);

	PG_RETURN_INT64(merge_retained(PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0),
								   (int64) n_conditions << 32 | holds));
}

PG_FUNCTION_INFO_V1(crm_retained_combine_1_0);
/* crm._retained_combine(bigint, bigint) -> bigint; STRICT */
Datum
crm_retained_combine_1_0(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(merge_retained(PG_GETARG_INT64(0), PG_GETARG_INT64(1)));
}

PG_FUNCTION_INFO_V1(crm_retained_final_1_0);
/*
 * crm._retained_final(bigint) -> boolean[]: for each condition, whether it and the first held;
 * STRICT
 */
Datum
crm_retained_final_1_0(PG_FUNCTION_ARGS)
{
	int64 state = PG_GETARG_INT64(0);
	int n = (int) (state >> 32);
	Datum held[CRM_CONDITIONS_MAX];

	if (n < 1 || n > CRM_CONDITIONS_MAX)
		elog(ERROR, "crm internal: %d conditions", n);
	for (int i = 0; i < n; i++)
		held[i] = BoolGetDatum((state & 1) && (state >> i & 1));
	PG_RETURN_ARRAYTYPE_P(construct_array(held, n, BOOLOID, 1, true, TYPALIGN_CHAR));
}
