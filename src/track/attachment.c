/*
 * attachment.c: what the arguments of a tracking trigger come to, kept for the session.
 *
 * crm.track() attaches the triggers with all they need as arguments, so that they read no
 * catalogue of ours and are restored with the table:
 *
 *   relation, customer, source, kind, channel, direction, occurred_at, options, n, key_1 .. key_n,
 *   column_1 ..
 *
 * relation is the logical name, which is logged; source is empty when the customer column holds
 * customer_id itself. options holds the words "create" (make customers that are not there), "skip"
 * (do not log rows of unknown customers), "channel" and "direction" (that argument is the name of a
 * column that holds it, not the word itself). Names of columns are looked up in the relation's
 * row type once, and again after any change of the relation.
 */
#include "track/attachment.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

enum
{
	ARG_RELATION,
	ARG_CUSTOMER,
	ARG_SOURCE,
	ARG_KIND,
	ARG_CHANNEL,
	ARG_DIRECTION,
	ARG_OCCURRED_AT,
	ARG_OPTIONS,
	ARG_KEYS,
	ARGS /* at least */
};

/* One entry of the session's table. */
typedef struct Entry
{
	Oid trigger;
	CrmAttachment *attachment;
} Entry;

/* The attachments that this session has used, by trigger; dropped when their relation changes. */
static HTAB *attachments;

/* Mark what belongs to a changed relation, or everything. */
static void
forget_attachments(Datum arg, Oid relation)
{
	HASH_SEQ_STATUS scan;
	Entry *entry;

	(void) arg;
	hash_seq_init(&scan, attachments);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (relation == InvalidOid || relation == entry->attachment->relation)
			entry->attachment->is_valid = false;
}

/* Find the columns named by n arguments, in the current memory context. */
static CrmColumn *
find_columns(const CrmAttachment *attachment, TupleDesc row, char **names, int n, bool as_text)
{
	CrmColumn *columns = palloc(Max(n, 1) * sizeof(CrmColumn));

	for (int i = 0; i < n; i++)
	{
		crm_column_find(&columns[i], row, pstrdup(names[i]), attachment->name);
		if (as_text)
			crm_column_use_text(&columns[i]);
		else
			crm_column_use_json(&columns[i]);
	}
	return columns;
}

/* Find all columns of the relation: what an update is compared by when none are listed. */
static CrmColumn *
all_columns(const CrmAttachment *attachment, TupleDesc row, int *n)
{
	CrmColumn *columns = palloc(Max(row->natts, 1) * sizeof(CrmColumn));

	*n = 0;
	for (int i = 0; i < row->natts; i++)
		if (!TupleDescAttr(row, i)->attisdropped)
			crm_column_find(&columns[(*n)++], row, pstrdup(NameStr(TupleDescAttr(row, i)->attname)),
							attachment->name);
	return columns;
}

/* Raise an error when the customer column can hold no customer_id and there is no source. */
static void
check_customer_type(const CrmAttachment *attachment)
{
	Oid type = attachment->customer.type;

	if (!attachment->has_source && type != INT2OID && type != INT4OID && type != INT8OID)
		ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("tracked column \"%s\" of %s is of type %s and holds no customer_id",
					   attachment->customer.name, attachment->name, format_type_be(type)),
				errhint("Run crm.track() again with source => 'the name of its keys', or "
						"crm.untrack()."));
}

/* Tell whether a text is a direction that the log takes. */
bool
crm_is_direction(const char *text, size_t length)
{
	return (length == 2 && memcmp(text, "in", 2) == 0) ||
		   (length == 3 && memcmp(text, "out", 3) == 0) ||
		   (length == 8 && memcmp(text, "internal", 8) == 0);
}

/* Raise an error for arguments that crm.track() never gives; the log's checks would refuse them. */
static void
check_arguments(const Trigger *trigger)
{
	const char *direction;
	int n_keys;

	if (trigger->tgnargs < ARGS)
		n_keys = -1;
	else
		n_keys = atoi(trigger->tgargs[ARG_KEYS]);
	if (n_keys < 0 || trigger->tgnargs - ARGS < n_keys)
		ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("the tracking trigger \"%s\" was given %d arguments that do not fit "
					   "together",
					   trigger->tgname, trigger->tgnargs),
				errhint("Use crm.track()."));
	direction = trigger->tgargs[ARG_DIRECTION];
	if (*trigger->tgargs[ARG_KIND] == '\0' ||
		(*direction != '\0' && strstr(trigger->tgargs[ARG_OPTIONS], "direction") == NULL &&
		 !crm_is_direction(direction, strlen(direction))))
		ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("the tracking trigger of %s has an empty kind or a wrong direction",
					   trigger->tgargs[ARG_RELATION]),
				errhint("Use crm.track()."));
}

/* Set a column of the log that all rows share; an empty text is NULL. */
static void
set_constant(CrmAttachment *attachment, int column, const char *value)
{
	attachment->constant_null[column] = *value == '\0';
	if (*value != '\0')
		attachment->constant[column] = CStringGetTextDatum(value);
}

/* Find the columns that the trigger's arguments name. */
static void
find_all(CrmAttachment *attachment, const Trigger *trigger, TupleDesc row)
{
	char **arg = trigger->tgargs;

	attachment->customer = *find_columns(attachment, row, &arg[ARG_CUSTOMER], 1, true);
	check_customer_type(attachment);
	if (attachment->has_occurred_at)
		attachment->occurred_at = *find_columns(attachment, row, &arg[ARG_OCCURRED_AT], 1, true);
	if (attachment->has_channel)
		attachment->channel = *find_columns(attachment, row, &arg[ARG_CHANNEL], 1, true);
	if (attachment->has_direction)
		attachment->direction = *find_columns(attachment, row, &arg[ARG_DIRECTION], 1, true);
	attachment->n_keys = atoi(arg[ARG_KEYS]);
	attachment->n_columns = trigger->tgnargs - ARGS - attachment->n_keys;
	attachment->keys = find_columns(attachment, row, arg + ARGS, attachment->n_keys, true);
	attachment->columns = find_columns(attachment, row, arg + ARGS + attachment->n_keys,
									   attachment->n_columns, false);
	attachment->compared = attachment->columns;
	attachment->n_compared = attachment->n_columns;
	if (attachment->n_columns == 0)
		attachment->compared = all_columns(attachment, row, &attachment->n_compared);
}

/* Make an attachment in a memory context of its own, below parent. */
static CrmAttachment *
make_attachment(const TriggerData *data, MemoryContext parent)
{
	const Trigger *trigger = data->tg_trigger;
	char **arg = trigger->tgargs;
	MemoryContext memory =
		AllocSetContextCreate(parent, "crm tracking trigger", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(memory);
	CrmAttachment *attachment = palloc0(sizeof(CrmAttachment));

	check_arguments(trigger);
	attachment->trigger = trigger->tgoid;
	attachment->relation = RelationGetRelid(data->tg_relation);
	attachment->memory = memory;
	attachment->name = pstrdup(arg[ARG_RELATION]);
	attachment->source = pstrdup(arg[ARG_SOURCE]);
	attachment->has_source = *arg[ARG_SOURCE] != '\0';
	attachment->has_occurred_at = *arg[ARG_OCCURRED_AT] != '\0';
	attachment->create = strstr(arg[ARG_OPTIONS], "create") != NULL;
	attachment->skip = strstr(arg[ARG_OPTIONS], "skip") != NULL;
	attachment->has_channel = strstr(arg[ARG_OPTIONS], "channel") != NULL;
	attachment->has_direction = strstr(arg[ARG_OPTIONS], "direction") != NULL;
	memset(attachment->constant_null, true, sizeof(attachment->constant_null));
	set_constant(attachment, LOG_SOURCE, arg[ARG_SOURCE]);
	set_constant(attachment, LOG_KIND, arg[ARG_KIND]);
	if (!attachment->has_channel)
		set_constant(attachment, LOG_CHANNEL, arg[ARG_CHANNEL]);
	if (!attachment->has_direction)
		set_constant(attachment, LOG_DIRECTION, arg[ARG_DIRECTION]);
	set_constant(attachment, LOG_REFERENCE, arg[ARG_RELATION]);
	attachment->action[CRM_ACTION_INSERT] = CStringGetTextDatum("insert");
	attachment->action[CRM_ACTION_UPDATE] = CStringGetTextDatum("update");
	attachment->action[CRM_ACTION_DELETE] = CStringGetTextDatum("delete");
	attachment->action[CRM_ACTION_TRUNCATE] = CStringGetTextDatum("truncate");
	if (!TRIGGER_FIRED_BY_TRUNCATE(data->tg_event)) /* which needs no columns, come what may */
		find_all(attachment, trigger, RelationGetDescr(data->tg_relation));
	MemoryContextSwitchTo(caller);
	return attachment;
}

/*
 * Let go of what is invalid at the end of the transaction: an outer call of the trigger, in which
 * this one is nested, may still use it.
 */
static void
drop_invalid(void)
{
	HASH_SEQ_STATUS scan;
	Entry *entry;

	hash_seq_init(&scan, attachments);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (!entry->attachment->is_valid)
		{
			MemoryContextSetParent(entry->attachment->memory, TopTransactionContext);
			(void) hash_search(attachments, &entry->trigger, HASH_REMOVE, NULL);
		}
}

/*
 * Give what a trigger's arguments come to; an error when they fit neither each other nor the
 * relation as it is now. It stays to the end of the transaction.
 */
CrmAttachment *
crm_attachment(const TriggerData *data)
{
	Oid trigger = data->tg_trigger->tgoid;
	CrmAttachment *attachment;
	Entry *entry;

	if (attachments == NULL)
	{
		HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(Entry)};

		attachments = hash_create("crm tracking triggers", 16, &control, HASH_ELEM | HASH_BLOBS);
		CacheRegisterRelcacheCallback(forget_attachments, (Datum) 0);
	}
	entry = hash_search(attachments, &trigger, HASH_FIND, NULL);
	if (entry != NULL && entry->attachment->is_valid &&
		entry->attachment->relation == RelationGetRelid(data->tg_relation))
		return entry->attachment;
	if (entry != NULL)
		entry->attachment->is_valid = false;

	/* made below the transaction first, so that an error leaves nothing behind */
	attachment = make_attachment(data, TopTransactionContext);
	drop_invalid();
	entry = hash_search(attachments, &trigger, HASH_ENTER, NULL);
	MemoryContextSetParent(attachment->memory, CacheMemoryContext);
	attachment->is_valid = true;
	entry->attachment = attachment;
	return attachment;
}
