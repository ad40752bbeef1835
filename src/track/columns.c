/*
 * columns.c: columns of a tracked relation. They are found by name in the row type of each call,
 * so a relation may gain, lose or reorder columns between calls, and a partition may number them
 * differently.
 */
#include "track/columns.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

/* bytes of one value in the detail; jsonb as a whole ends at 256 MB */
#define LONGEST_VALUE (4 * 1024 * 1024)

/* The settings under which keys become text, as pg_dump and postgres_fdw do. */
static const struct
{
	const char *name;
	const char *value;
} text_settings[] = {
	{"datestyle", "ISO"},        {"intervalstyle", "postgres"}, {"timezone", "UTC"},
	{"extra_float_digits", "3"}, {"bytea_output", "hex"},
};

/* Find a column by name; an error that says what to do when it is gone. */
void
crm_column_find(CrmColumn *column, TupleDesc row, const char *name, const char *relation)
{
	memset(column, 0, sizeof(CrmColumn));
	column->name = name;
	for (int i = 0; i < row->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(row, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
		{
			column->number = attribute->attnum;
			column->type = getBaseType(attribute->atttypid);
			column->length = attribute->attlen;
			column->by_value = attribute->attbyval;
			return;
		}
	}
	ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
			errmsg("tracked column \"%s\" of %s does not exist any more", name, relation),
			errhint("Run crm.track() again with the columns as they are now, or crm.untrack()."));
}

/* Prepare a column whose values are wanted as text. */
void
crm_column_use_text(CrmColumn *column)
{
	Oid function;
	bool is_varlena;

	getTypeOutputInfo(column->type, &function, &is_varlena);
	fmgr_info(function, &column->output);
}

/* Tell whether crm_column's type is put into jsonb without to_jsonb. */
static bool
has_short_cut(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == JSONOID || type == BOOLOID ||
		   type == INT2OID || type == INT4OID || type == INT8OID;
}

/* Prepare a column whose values are wanted as jsonb. */
void
crm_column_use_json(CrmColumn *column)
{
	Const *argument;

	if (has_short_cut(column->type))
		return;
	argument = makeNullConst(column->type, -1, InvalidOid);
	fmgr_info(F_TO_JSONB, &column->to_json);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument), InvalidOid,
											 InvalidOid, COERCE_EXPLICIT_CALL),
					   &column->to_json);
}

/* Tell whether the text of a type depends on no setting of the session. */
static bool
is_plain_text(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID || type == UUIDOID ||
		   type == NUMERICOID || type == BOOLOID || type == NAMEOID || type == OIDOID ||
		   type_is_enum(type);
}

/*
 * Give a value as text, in the current memory context: the same in each session, whatever its
 * DateStyle, IntervalStyle, TimeZone and the like, since it is a key. char(n) without its trailing
 * blanks, as its cast to text gives it.
 */
text *
crm_column_text(const CrmColumn *column, Datum value)
{
	char *string;
	text *padded;
	int settings;

	if (column->type == TEXTOID || column->type == VARCHAROID)
		return DatumGetTextPCopy(value);
	if (column->type == BPCHAROID)
	{
		padded = DatumGetTextPP(value);
		return cstring_to_text_with_len(
			VARDATA_ANY(padded), bpchartruelen(VARDATA_ANY(padded), VARSIZE_ANY_EXHDR(padded)));
	}
	if (is_plain_text(column->type))
		return cstring_to_text(OutputFunctionCall(unconstify(FmgrInfo *, &column->output), value));
	settings = NewGUCNestLevel();
	for (int i = 0; i < (int) lengthof(text_settings); i++)
		(void) set_config_option(text_settings[i].name, text_settings[i].value, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	string = OutputFunctionCall(unconstify(FmgrInfo *, &column->output), value);
	AtEOXact_GUC(true, settings);
	return cstring_to_text(string);
}

/*
 * Give the key of a row as text: of one column its value, of more the values with commas between,
 * quoted as in CSV where they need it. NULL when any is NULL or there are no columns.
 */
text *
crm_column_key(const CrmColumn *columns, int n, TupleTableSlot *slot)
{
	StringInfoData key;

	initStringInfo(&key);
	for (int i = 0; i < n; i++)
	{
		bool null;
		Datum value = slot_getattr(slot, columns[i].number, &null);
		text *part;
		char *string;

		if (null)
			return NULL;
		part = crm_column_text(&columns[i], value);
		if (n == 1)
			return part;
		string = text_to_cstring(part);
		if (i > 0)
			appendStringInfoChar(&key, ',');
		if (strpbrk(string, ",\"\n\r") == NULL)
			appendStringInfoString(&key, string);
		else
		{
			appendStringInfoChar(&key, '"');
			for (const char *at = string; *at != '\0'; at++)
			{
				if (*at == '"')
					appendStringInfoChar(&key, '"');
				appendStringInfoChar(&key, *at);
			}
			appendStringInfoChar(&key, '"');
		}
	}
	return n > 0 ? cstring_to_text_with_len(key.data, key.len) : NULL;
}

/* Tell whether two rows differ in any of the columns, bit by bit, toasted values fetched. */
bool
crm_columns_differ(const CrmColumn *columns, int n, TupleTableSlot *a, TupleTableSlot *b)
{
	for (int i = 0; i < n; i++)
	{
		bool a_null, b_null;
		Datum a_value = slot_getattr(a, columns[i].number, &a_null);
		Datum b_value = slot_getattr(b, columns[i].number, &b_null);

		if (a_null != b_null ||
			(!a_null && !datum_image_eq(a_value, b_value, columns[i].by_value, columns[i].length)))
			return true;
	}
	return false;
}

/* Fill in a string, or the remark that it is too long to be logged. */
static void
set_string(JsonbValue *json, char *string, size_t length)
{
	if (length > LONGEST_VALUE)
	{
		string = psprintf("(%zu bytes, too long to be logged)", length);
		length = strlen(string);
	}
	json->type = jbvString;
	json->val.string.val = string;
	json->val.string.len = (int) length;
}

/* Fill in a value as jsonb; what it points to lives in the current memory context. */
static void
make_json(const CrmColumn *column, Datum value, JsonbValue *json)
{
	text *string;
	Jsonb *other;

	if (column->length == -1 && toast_raw_datum_size(value) > LONGEST_VALUE)
	{
		set_string(json, NULL, toast_raw_datum_size(value));
		return;
	}
	switch (column->type)
	{
		case TEXTOID:
		case VARCHAROID:
		case JSONOID: /* may hold what jsonb refuses, and no write may fail for that */
			string = DatumGetTextPP(value);
			set_string(json, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
			return;
		case BOOLOID:
			json->type = jbvBool;
			json->val.boolean = DatumGetBool(value);
			return;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			json->type = jbvNumeric;
			json->val.numeric = int64_to_numeric(column->type == INT2OID   ? DatumGetInt16(value)
												 : column->type == INT4OID ? DatumGetInt32(value)
																		   : DatumGetInt64(value));
			return;
		default:
			other = DatumGetJsonbP(FunctionCall1(unconstify(FmgrInfo *, &column->to_json), value));
			if (JB_ROOT_IS_SCALAR(other))
				(void) JsonbExtractScalar(&other->root, json);
			else if (VARSIZE(other) > LONGEST_VALUE)
				set_string(json, NULL, VARSIZE(other));
			else
			{
				json->type = jbvBinary;
				json->val.binary.data = &other->root;
				json->val.binary.len = VARSIZE(other) - VARHDRSZ;
			}
	}
}

/* Push a key. */
static void
push_key(JsonbParseState **state, const char *name)
{
	JsonbValue key = {.type = jbvString};

	key.val.string.val = unconstify(char *, name);
	key.val.string.len = strlen(name);
	(void) pushJsonbValue(state, WJB_KEY, &key);
}

/* Push an object of the columns of a row under a key. */
static void
push_row(JsonbParseState **state, const char *label, const CrmColumn *columns, int n,
		 TupleTableSlot *slot)
{
	push_key(state, label);
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < n; i++)
	{
		JsonbValue json = {.type = jbvNull};
		bool null;
		Datum value = slot_getattr(slot, columns[i].number, &null);

		if (!null)
			make_json(&columns[i], value, &json);
		push_key(state, columns[i].name);
		(void) pushJsonbValue(state, WJB_VALUE, &json);
	}
	(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/*
 * Give {"old": {...}, "new": {...}} of the listed columns, in the current memory context; a side
 * whose slot is NULL is left out. NULL when no columns are listed.
 */
Jsonb *
crm_columns_detail(const CrmColumn *columns, int n, TupleTableSlot *old_row,
				   TupleTableSlot *new_row)
{
	JsonbParseState *state = NULL;

	if (n == 0)
		return NULL;
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (old_row != NULL)
		push_row(&state, "old", columns, n, old_row);
	if (new_row != NULL)
		push_row(&state, "new", columns, n, new_row);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
