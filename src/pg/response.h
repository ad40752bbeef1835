/*
 * response.h: a source of a regression: a column to be explained, weights, and the columns that
 * explain, named by the caller.
 */
#ifndef CRM_PG_RESPONSE_H
#define CRM_PG_RESPONSE_H

#include "pg/compat.h"

#include "pg/design.h"

typedef struct CrmResponse
{
	const char *source;
	const char *what;   /* "label", "response" */
	const char *name;   /* of its column */
	const char *weight; /* of the weights' column, or NULL */
	bool is_binary;     /* a label: 0 or 1 */
	char **names;       /* of the features; NULL: all numbers but the others and customer_id */
	int n_names;
	int max_names;
	size_t row_bytes; /* that the method takes for a row besides its columns */
} CrmResponse;

extern char *crm_response_name(FunctionCallInfo fcinfo, int i, const char *argument);
extern CrmDesign *crm_response_read(const CrmResponse *response, CrmRun *run);
extern void crm_response_check(const CrmCtx *ctx, CrmStatus status, const char *what, size_t n,
							   int d);

#endif
