/*
 * args.h: reading the options of a SQL function, with errors that name the argument.
 */
#ifndef CRM_PG_ARGS_H
#define CRM_PG_ARGS_H

#include "pg/compat.h"

/* The words that an option takes; the index of the word is its value. */
typedef struct CrmWords
{
	const char *singular; /* "method" */
	const char *plural;   /* "methods" */
	const char *const *words;
	int n;
} CrmWords;

extern void crm_arg_require(FunctionCallInfo fcinfo, int i, const char *name);
extern char *crm_arg_text(FunctionCallInfo fcinfo, int i);
extern int crm_arg_of_source(Oid function);
extern char *crm_arg_source(FunctionCallInfo fcinfo, Oid *key_type);
extern char *crm_arg_source_required(FunctionCallInfo fcinfo, Oid *key_type);
extern int crm_word_find(const char *word, const CrmWords *words);
extern int crm_arg_word(FunctionCallInfo fcinfo, int i, const CrmWords *words);
extern int64 crm_arg_int(FunctionCallInfo fcinfo, int i, const char *name, int64 low, int64 high);
extern double crm_arg_double(FunctionCallInfo fcinfo, int i, const char *name, double low,
							 double high);
extern Datum *crm_arg_array(FunctionCallInfo fcinfo, int i, const char *name, int n);
extern void crm_arg_cuts(FunctionCallInfo fcinfo, int i, const char *name, int bins, uint64 *cuts);
extern char **crm_arg_names(FunctionCallInfo fcinfo, int i, const char *name, int *n);
extern const double *crm_arg_quantiles(FunctionCallInfo fcinfo, int i, const char *name);
extern void crm_arg_refuse(FunctionCallInfo fcinfo, int i, const char *name, const char *needs);
extern _Noreturn void crm_arg_ascending_error(const char *name);

#endif
