/*
 * response.c: the columns of a regression; see response.h.
 */
#include "pg/response.h"

#include <math.h>

#include "utils/builtins.h"

#include "pg/args.h"
#include "pg/memory.h"

/* Give argument i, the name of a column. */
char *
crm_response_name(FunctionCallInfo fcinfo, int i, const char *argument)
{
	char *name;

	crm_arg_require(fcinfo, i, argument);
	name = crm_arg_text(fcinfo, i);
	if (name[0] == '\0')
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"%s\" must not be empty", argument));
	return name;
}

/* Take the response and the weight of a row. */
static bool
take_row(const Datum *values, const bool *nulls, CrmRowCount *rows, double *made, void *arg)
{
	const CrmResponse *response = arg;

	if (nulls[0])
	{
		rows->null_value++;
		return false;
	}
	made[0] = DatumGetFloat8(values[0]) + 0.0;
	if (!isfinite(made[0]))
	{
		rows->non_finite++;
		return false;
	}
	if (response->is_binary && made[0] != 0 && made[0] != 1)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("label \"%s\" must be boolean, or 0 and 1", response->name),
				errdetail("Got %g.", made[0]),
				errhint("Give the source's query a column such as (%s > 0) AS label.",
						quote_identifier(response->name)));
	if (response->weight == NULL)
		return true;
	made[1] = nulls[1] ? NAN : DatumGetFloat8(values[1]);
	if (!(made[1] >= 0) || isinf(made[1]))
		ereport(
			ERROR,
			errcode(nulls[1] ? ERRCODE_NULL_VALUE_NOT_ALLOWED : ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			errmsg("weight \"%s\" must be finite and not negative", response->weight),
			nulls[1] ? errdetail("A row has a null.") : errdetail("A row has %g.", made[1]));
	return true;
}

/* Raise an error when two arguments name the same column. */
static void
check_names(const CrmResponse *response)
{
	if (response->weight != NULL && strcmp(response->weight, response->name) == 0)
		ereport(
			ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("column \"%s\" is both the %s and the weight", response->name, response->what));
	for (int i = 0; i < response->n_names; i++)
	{
		const char *name = response->names[i];
		bool is_response = strcmp(name, response->name) == 0;

		if (is_response || (response->weight != NULL && strcmp(name, response->weight) == 0))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("column \"%s\" is both a feature and the %s", name,
						   is_response ? response->what : "weight"));
	}
}

/*
 * Read the source: the features are the first columns of the design's matrix, the response follows,
 * then the weights where there are any.
 */
CrmDesign *
crm_response_read(const CrmResponse *response, CrmRun *run)
{
	CrmDesignLead lead[2] = {{response->name, true, response->what},
							 {response->weight, true, "weight"}};
	const char *exclude[3] = {"customer_id", response->name, response->weight};
	CrmDesignRequest request = {.source = response->source,
								.contract = &crm_contract_regression,
								.lead = lead,
								.n_lead = response->weight != NULL ? 2 : 1,
								.n_made = response->weight != NULL ? 2 : 1,
								.names = response->names,
								.n_names = response->n_names,
								.exclude = exclude,
								.n_exclude = lengthof(exclude),
								.max_names = response->max_names,
								.take = take_row,
								.arg = unconstify(CrmResponse *, response),
								.row_bytes = response->row_bytes};

	check_names(response);
	run->value = psprintf("%s or feature", response->what);
	return crm_design_read(&request, run);
}

/* Raise the error that a kernel's status stands for, if it stands for one: over n rows x d. */
void
crm_response_check(const CrmCtx *ctx, CrmStatus status, const char *what, size_t n, int d)
{
	if (status == CRM_DOMAIN)
		ereport(ERROR, errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				errmsg("the source has values whose squares do not fit double precision"),
				errhint("Divide the columns with the largest values in the source's query."));
	crm_memory_check(status, ctx, what, psprintf("%zu rows x %d features", n, d));
}
