/*
 * source.c: a source read as the caller, in the caller's snapshot, streamed into a receiver.
 *
 * The source's text is parsed by itself first and must be one SELECT; only then is it wrapped into
 * our own query, so that it can neither close the parenthesis nor bring a second statement. The
 * wrapped query runs read-only with a receiver of ours: nothing is collected, and the plan may be
 * parallel.
 */
#include "pg/source.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/varlena.h"

const CrmContract crm_contract_orders = {
	"orders", "customer_id, ordered_at (castable to timestamptz), amount (castable to float8)",
	"q.customer_id, q.ordered_at::pg_catalog.timestamptz, q.amount::pg_catalog.float8", NULL};

const CrmContract crm_contract_baskets = {"baskets", "basket_id, item_id", "q.basket_id, q.item_id",
										  NULL};

const CrmContract crm_contract_customer_baskets = {"baskets", "customer_id, basket_id, item_id",
												   NULL, NULL};

const CrmContract crm_contract_dated_baskets = {
	"baskets", "customer_id, ordered_at (castable to timestamptz), basket_id, item_id", NULL, NULL};

const CrmContract crm_contract_events = {
	"events", "customer_id, occurred_at (castable to timestamptz), event (castable to text)",
	"q.customer_id, q.occurred_at::pg_catalog.timestamptz, q.event::pg_catalog.text", NULL};

const CrmContract crm_contract_rules = {
	"segment rules", "priority, segment, r_low, r_high, f_low, f_high, m_low, m_high", NULL,
	"segments"};

const CrmContract crm_contract_features = {
	"features", "customer_id and numbers: every other numeric column, or those named in features",
	NULL, NULL};

const CrmContract crm_contract_labels = {
	"label rules",
	"priority, label, value_low, value_high, activity_low, activity_high, recency_low, "
	"recency_high",
	NULL, "labels"};

const CrmContract crm_contract_regression = {
	"regression", "to be explained and those that explain it: numbers or booleans", NULL, NULL};

const CrmContract crm_contract_subscriptions = {
	"subscriptions",
	"customer_id, started_at, ended_at (castable to timestamptz; a null end: still a customer)",
	NULL, NULL};

const CrmContract crm_contract_recurring = {
	"subscriptions",
	"customer_id, started_at, ended_at (castable to timestamptz; a null end: still a customer), "
	"amount (a period's, castable to float8)",
	NULL, NULL};

/* Begin to use sources; to be paired with crm_source_close. What is palloc'd in between goes with
 * it. */
void
crm_source_open(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "crm internal: SPI_connect failed");
}

/* End what crm_source_open began. */
void
crm_source_close(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "crm internal: SPI_finish failed");
}

/* Give the argument by which a function takes sources of a contract, for errors. */
static const char *
argument_name(const CrmContract *contract)
{
	return contract->argument != NULL ? contract->argument : "source";
}

typedef struct ErrorContext
{
	const CrmContract *contract;
	const char *text; /* the source, when error positions point into it; else NULL */
} ErrorContext;

/* Add the contract to an error of the parser or the analyser: a missing column, a cast that is not
 * there. */
static void
explain_error(void *arg)
{
	const ErrorContext *context = arg;
	int position = geterrposition();

	if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
		geterrcode() == ERRCODE_INSUFFICIENT_PRIVILEGE)
		return;
	if (context->text != NULL && position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(context->text);
	}
	errhint("A source of %s has the columns %s.", context->contract->name,
			context->contract->columns);
}

/* Give the one SELECT that a text is, without what follows it; an error if it is anything else. */
static char *
check_select(const char *text, const CrmContract *contract)
{
	ErrorContext context = {contract, text};
	ErrorContextCallback callback = {error_context_stack, explain_error, &context};
	List *statements;
	RawStmt *statement;

	error_context_stack = &callback;
	statements = raw_parser(text, RAW_PARSE_DEFAULT);
	error_context_stack = callback.previous;
	if (list_length(statements) != 1)
		ereport(ERROR, errcode(ERRCODE_SYNTAX_ERROR),
				errmsg("%s must be one SELECT statement", argument_name(contract)),
				errdetail("It has %d statements.", list_length(statements)),
				errhint("A source of %s has the columns %s.", contract->name, contract->columns));
	statement = linitial_node(RawStmt, statements);
	if (!IsA(statement->stmt, SelectStmt))
		ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("%s must be a SELECT statement", argument_name(contract)),
				errdetail("It is %s.", GetCommandTagName(CreateCommandTag(statement->stmt))),
				errhint("A source of %s has the columns %s.", contract->name, contract->columns));
	return statement->stmt_len > 0 ? pnstrdup(text + statement->stmt_location, statement->stmt_len)
								   : pstrdup(text + statement->stmt_location);
}

/* Give the oid of the table crm.source; InvalidOid where crm.setup() has not made it. */
static Oid
names_table(void)
{
	Oid schema = get_namespace_oid("crm", true);
	Oid table = OidIsValid(schema) ? get_relname_relid("source", schema) : InvalidOid;

	return OidIsValid(table) && get_rel_relkind(table) == RELKIND_RELATION ? table : InvalidOid;
}

/* Give the relation that the parts of a name denote; InvalidOid when there is none. */
static Oid
find_relation(List *parts)
{
	List *names = NIL;
	ListCell *cell;

	foreach (cell, parts)
		names = lappend(names, makeString(lfirst(cell)));
	return RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, true);
}

/*
 * Give the SELECT of the relation that a source names, or its own text. *relation gets the
 * relation's qualified name, or NULL for a query. otherwise: the detail of the error that it is
 * neither.
 */
static char *
plain_select(const char *source, const CrmContract *contract, char **relation,
			 const char *otherwise)
{
	List *parts = NIL;
	Oid found;
	Oid schema;

	*relation = NULL;
	if (!SplitIdentifierString(pstrdup(source), '.', &parts))
		return check_select(source, contract);
	if (parts == NIL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must not be empty", argument_name(contract)),
				errhint("Give the name of a table or view, or a query, with the columns %s.",
						contract->columns));
	found = find_relation(parts);
	if (!OidIsValid(found))
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("%s \"%s\" does not exist", argument_name(contract), source),
				errdetail("%s", contract->argument == NULL
									? otherwise
									: "It is neither a table or view, nor a query."),
				errhint("Give the name of a table or view, or a query, with the columns %s.",
						contract->columns));
	schema = get_rel_namespace(found);
	*relation = quote_qualified_identifier(
		isTempNamespace(schema) ? "pg_temp" : get_namespace_name(schema), get_rel_name(found));
	return psprintf("SELECT * FROM %s", *relation);
}

/*
 * Give the SELECT that stands for a source without asking crm.source. *relation gets the qualified
 * name of the relation that it is, or NULL for a query.
 */
char *
crm_source_plain_select(const char *source, const CrmContract *contract, char **relation)
{
	return plain_select(source, contract, relation, "It is neither a table or view, nor a query.");
}

/*
 * Ask crm.source, as the caller, for the row that a condition on $1 and $2 finds. False: none.
 * *name gets its name, *text what it has for the contract, or NULL.
 */
static bool
read_name(const char *condition, Datum *values, int n, const CrmContract *contract, char **name,
		  char **text)
{
	Oid types[] = {TEXTOID, TEXTOID};
	char *sql = psprintf("SELECT s.name::pg_catalog.text, s.%s::pg_catalog.text FROM crm.source s "
						 "WHERE %s LIMIT 1",
						 contract->name, condition);
	int result = SPI_execute_with_args(sql, n, types, values, NULL, true, 1);

	if (result != SPI_OK_SELECT)
		elog(ERROR, "crm internal: reading crm.source ended with %s",
			 SPI_result_code_string(result));
	if (SPI_processed == 0)
		return false;
	*name = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	*text = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	return true;
}

/* Find a source among the names of crm.source: as it is written, or folded as an identifier is. */
static bool
find_name(const char *source, const CrmContract *contract, char **name, char **text)
{
	List *parts = NIL;
	bool is_identifier =
		SplitIdentifierString(pstrdup(source), '.', &parts) && list_length(parts) == 1;
	Datum values[] = {CStringGetTextDatum(source),
					  CStringGetTextDatum(is_identifier ? linitial(parts) : source)};

	return read_name("s.name OPERATOR(pg_catalog.=) ANY (ARRAY[$1, $2]) "
					 "ORDER BY s.name OPERATOR(pg_catalog.=) $1 DESC",
					 values, 2, contract, name, text);
}

/* Find the default source; an error that says how to get one when there is none. */
static void
find_default(const CrmContract *contract, char **name, char **text)
{
	bool is_table = OidIsValid(names_table());

	if (is_table && read_name("s.is_default", NULL, 0, contract, name, text))
		return;
	ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
			errmsg("there is no default source of %s", contract->name),
			is_table ? errdetail("No row of crm.source is the default.")
					 : errdetail("The table crm.source, which would name it, does not exist."),
			is_table ? errhint("Name one with crm.map_source(..., make_default => true), or give "
							   "source => the name of a table or view, or a query, with the "
							   "columns %s.",
							   contract->columns)
					 : errhint("Give source => the name of a table or view, or a query, with the "
							   "columns %s.",
							   contract->columns));
}

/* Name the source in errors of what crm.source has for it. */
static void
name_source(void *arg)
{
	errcontext("source \"%s\" of crm.source", (const char *) arg);
}

/* Tell whether names can be looked up in the table crm.source, which may be InvalidOid. */
static bool
may_have_names(Oid table)
{
	return OidIsValid(table) && pg_class_aclcheck(table, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

/* Tell whether a source is the default one (NULL) or a name of crm.source, of that contract. */
bool
crm_source_is_name(const char *source, const CrmContract *contract)
{
	char *name, *text;

	return source == NULL ||
		   (may_have_names(names_table()) && find_name(source, contract, &name, &text));
}

/*
 * Give the SELECT that stands for a source: of the name in crm.source, of the relation it names, or
 * its own text; NULL is the default source. What crm.source holds is a relation or a query, never
 * another name. A caller who may not read crm.source goes without its names.
 */
char *
crm_source_select(const char *source, const CrmContract *contract)
{
	Oid table = names_table();
	ErrorContextCallback callback = {error_context_stack, name_source, NULL};
	char *name, *text, *select, *relation;

	if (source == NULL)
		find_default(contract, &name, &text);
	else if (contract->typed == NULL || !may_have_names(table) ||
			 !find_name(source, contract, &name, &text))
		return plain_select(source, contract, &relation,
							OidIsValid(table)
								? "It is neither a name in crm.source, nor a table or view, nor a "
								  "query."
								: "It is neither a table or view, nor a query, nor is there a "
								  "table crm.source that could name it.");
	if (text == NULL)
		ereport(
			ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
			errmsg("source \"%s\" has no %s", name, contract->name),
			errdetail("Its row in crm.source leaves them open."),
			errhint("Give them with crm.map_source(%s, %s => ...): the name of a table or view, "
					"or a query, with the columns %s.",
					quote_literal_cstr(name), contract->name, contract->columns));
	callback.arg = name;
	error_context_stack = &callback;
	select = crm_source_plain_select(text, contract, &relation);
	error_context_stack = callback.previous;
	return select;
}

/* Prepare a query of ours over a source; the contract explains errors. */
CrmQuery
crm_source_prepare(const char *sql, const CrmContract *contract)
{
	ErrorContext context = {contract, NULL};
	ErrorContextCallback callback = {error_context_stack, explain_error, &context};
	CrmQuery query;
	CachedPlanSource *source;

	error_context_stack = &callback;
	query.plan = SPI_prepare_cursor(sql, 0, NULL, CURSOR_OPT_PARALLEL_OK);
	error_context_stack = callback.previous;
	if (query.plan == NULL)
		elog(ERROR, "crm internal: SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	source = linitial(SPI_plan_get_plan_sources(query.plan));
	query.columns = source->resultDesc;
	return query;
}

/* Tell whether Citus distributes a relation: its catalogue then has a row for it. */
static bool
is_citus_table(Oid relation)
{
	Oid catalogue;
	char *sql;
	bool found;

	if (!OidIsValid(get_extension_oid("citus", true)))
		return false;
	catalogue = get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE);
	if (!OidIsValid(catalogue))
		return false;
	sql = psprintf("SELECT 1 FROM pg_catalog.pg_dist_partition WHERE logicalrelid OPERATOR("
				   "pg_catalog.=) %u::pg_catalog.oid",
				   relation);
	found = SPI_execute(sql, true, 1) == SPI_OK_SELECT && SPI_processed > 0;
	pfree(sql);
	return found;
}

/* Tell whether a relation is foreign, partitioned over a foreign one, or distributed. */
static bool
is_remote_relation(Oid relation)
{
	char kind = get_rel_relkind(relation);

	if (kind == RELKIND_FOREIGN_TABLE)
		return true;
	if (kind == RELKIND_PARTITIONED_TABLE || has_subclass(relation))
	{
		ListCell *cell;

		foreach (cell, find_all_inheritors(relation, NoLock, NULL))
			if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_FOREIGN_TABLE)
				return true;
	}
	return is_citus_table(relation);
}

/* Look for a remote relation in a query tree, views expanded. */
static bool
walk(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *entry = (RangeTblEntry *) node;

		return entry->rtekind == RTE_RELATION && is_remote_relation(entry->relid);
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, walk, context, QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, walk, context);
}

/* Tell whether a query reads data that other servers hold, to which a GROUP BY can be sent. */
bool
crm_source_is_remote(const CrmQuery *query)
{
	ListCell *cell;

	foreach (cell, SPI_plan_get_plan_sources(query->plan))
	{
		CachedPlanSource *source = lfirst(cell);

		if (walk((Node *) source->query_list, NULL))
			return true;
	}
	return false;
}

/* A receiver that hands each row to a reader. */
typedef struct RowReceiver
{
	DestReceiver base;
	CrmRowReader read;
	void *arg;
} RowReceiver;

static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *receiver = (RowReceiver *) self;

	slot_getallattrs(slot);
	receiver->read(slot, receiver->arg);
	return true;
}

static void
begin_receiving(DestReceiver *self, int operation, TupleDesc columns)
{
	(void) self;
	(void) operation;
	(void) columns;
}

static void
end_receiving(DestReceiver *self)
{
	(void) self;
}

/*
 * Run a prepared query to its end, read-only, each row into the reader. by_partition lets the
 * planner group each partition by itself, without which no foreign partition is ever sent a GROUP
 * BY.
 */
void
crm_source_run(const CrmQuery *query, ParamListInfo params, bool by_partition, CrmRowReader read,
			   void *arg)
{
	RowReceiver receiver = {.base = {.receiveSlot = receive,
									 .rStartup = begin_receiving,
									 .rShutdown = end_receiving,
									 .rDestroy = end_receiving,
									 .mydest = DestNone},
							.read = read,
							.arg = arg};
	SPIExecuteOptions options = {.params = params, .read_only = true, .dest = &receiver.base};
	int settings = NewGUCNestLevel();
	int result;

	if (by_partition)
		(void) set_config_option("enable_partitionwise_aggregate", "on", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	result = SPI_execute_plan_extended(query->plan, &options);
	if (result < 0) /* a SELECT into a receiver of ours ends with SPI_OK_UTILITY */
		elog(ERROR, "crm internal: the query ended with %s", SPI_result_code_string(result));
	AtEOXact_GUC(true, settings);
}
