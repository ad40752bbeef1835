/*
 * attachment.h: what the arguments of a tracking trigger come to, kept for the session.
 */
#ifndef CRM_TRACK_ATTACHMENT_H
#define CRM_TRACK_ATTACHMENT_H

#include "pg/compat.h"

#include "commands/trigger.h"

#include "track/columns.h"
#include "track/log.h"

/*
 * A trigger on its relation, as of now: nothing here depends on the statement or the row. It is
 * valid to the end of the transaction, even if the relation changes meanwhile.
 */
typedef struct CrmAttachment
{
	Oid trigger;  /* the key */
	Oid relation; /* the table that it is on */
	bool is_valid;
	MemoryContext memory; /* holds what follows */
	char *name;           /* logical name of the relation */
	char *source;         /* empty when the customer column holds customer_id */
	CrmColumn customer, occurred_at, channel, direction;
	CrmColumn *keys, *columns, *compared; /* compared: by which an update counts as one */
	int n_keys, n_columns, n_compared;
	bool has_source, has_occurred_at, create, skip;
	bool has_channel, has_direction; /* whether columns give them, and no constants */
	Datum constant[LOG_COLUMNS];     /* the columns of the log that all rows share */
	bool constant_null[LOG_COLUMNS];
	Datum action[4]; /* texts, by CRM_ACTION_ */
} CrmAttachment;

enum
{
	CRM_ACTION_INSERT,
	CRM_ACTION_UPDATE,
	CRM_ACTION_DELETE,
	CRM_ACTION_TRUNCATE
};

extern CrmAttachment *crm_attachment(const TriggerData *trigger);
extern bool crm_is_direction(const char *text, size_t length);

#endif
