/*
 * source.c: the private functions behind crm.map_source and crm.sources: what a source stands for,
 * and whether it keeps its contract.
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/args.h"
#include "pg/results.h"
#include "pg/source.h"

static const char *const contract_words[] = {"orders", "baskets", "events"};
static const CrmContract *const contracts[] = {&crm_contract_orders, &crm_contract_baskets,
											   &crm_contract_events};
static const CrmWords contract_choice = {"contract", "contracts", contract_words,
										 lengthof(contract_words)};

PG_FUNCTION_INFO_V1(crm_source_select_1_0);
/* crm._source_select(source, contract) -> text: the SELECT that an analytic would read */
Datum
crm_source_select_1_0(PG_FUNCTION_ARGS)
{
	const CrmContract *contract = contracts[crm_arg_word(fcinfo, 1, &contract_choice)];
	char *source = crm_arg_text(fcinfo, 0);
	MemoryContext caller = CurrentMemoryContext;
	char *select;

	crm_source_open();
	select = MemoryContextStrdup(caller, crm_source_select(source, contract));
	crm_source_close();
	PG_RETURN_TEXT_P(cstring_to_text(select));
}

/* Take a row only to see that it can be read. */
static void
read_nothing(TupleTableSlot *slot, void *arg)
{
	(void) slot;
	(void) arg;
}

/* Give the columns of a query as an array of "name type". */
static Datum
describe_columns(const CrmQuery *query)
{
	int n = query->columns->natts;
	Datum *texts = palloc(n * sizeof(Datum));

	for (int i = 0; i < n; i++)
	{
		Form_pg_attribute column = TupleDescAttr(query->columns, i);

		texts[i] = CStringGetTextDatum(
			psprintf("%s %s", quote_identifier(NameStr(column->attname)),
					 format_type_with_typemod(column->atttypid, column->atttypmod)));
	}
	return PointerGetDatum(construct_array(texts, n, TEXTOID, -1, false, TYPALIGN_INT));
}

PG_FUNCTION_INFO_V1(crm_source_probe_1_0);
/*
 * crm._source_probe(source, contract, rows): a row with the qualified name of the relation that the
 * source is (NULL for a query), its SELECT and its columns; an error when it breaks the contract,
 * or when one of its first rows cannot be read. Names in crm.source are not asked.
 */
Datum
crm_source_probe_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 3);
	const CrmContract *contract = contracts[crm_arg_word(fcinfo, 1, &contract_choice)];
	int64 rows = crm_arg_int(fcinfo, 2, "rows", 0, PG_INT32_MAX);
	char *relation, *select;
	Datum values[3];
	bool nulls[3] = {false};
	CrmQuery query;

	crm_arg_require(fcinfo, 0, "source");
	crm_source_open();
	select = crm_source_plain_select(crm_arg_text(fcinfo, 0), contract, &relation);
	query = crm_source_prepare(
		psprintf("SELECT %s FROM (%s\n) q LIMIT %lld", contract->typed, select, (long long) rows),
		contract);
	if (rows > 0)
		crm_source_run(&query, NULL, false, read_nothing, NULL);
	query = crm_source_prepare(psprintf("SELECT q.* FROM (%s\n) q", select), contract);
	nulls[0] = relation == NULL;
	values[0] = nulls[0] ? (Datum) 0 : CStringGetTextDatum(relation);
	values[1] = CStringGetTextDatum(select);
	values[2] = describe_columns(&query);
	crm_result_row(&result, values, nulls);
	crm_source_close();
	PG_RETURN_NULL();
}
