/*
 * model.h: a fitted model as jsonb, an object of named numbers, arrays and words, for crm.model.
 *
 * Numbers are written in the shortest form that reads back to the same bits. A reader raises an
 * error that names the key when a value is missing or of the wrong kind.
 */
#ifndef CRM_PG_MODEL_H
#define CRM_PG_MODEL_H

#include "pg/compat.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "pg/args.h"

typedef struct CrmModelReader
{
	Jsonb *json;
	const char *function; /* that makes such models, for errors: "crm.bgnbd_fit" */
} CrmModelReader;

extern void crm_model_put(StringInfo json, const char *key, const char *format, ...)
	pg_attribute_printf(3, 4);
extern void crm_model_put_number(StringInfo json, const char *key, double value);
extern void crm_model_put_numbers(StringInfo json, const char *key, const double *values, int n);
extern void crm_model_put_rows(StringInfo json, const char *key, const double *values, int n,
							   int d);
extern void crm_model_put_texts(StringInfo json, const char *key, const char *const *texts, int n);
extern Datum crm_model_finish(StringInfo json);
extern void crm_model_expect(const CrmModelReader *model, const char *kind, int version);
extern int crm_model_int(const CrmModelReader *model, const char *key, int low, int high);
extern double crm_model_number(const CrmModelReader *model, const char *key);
extern int crm_model_word(const CrmModelReader *model, const char *key, const CrmWords *words);
extern void crm_model_numbers(const CrmModelReader *model, const char *key, double *values, int n);
extern void crm_model_rows(const CrmModelReader *model, const char *key, double *values, int n,
						   int d);
extern char **crm_model_texts(const CrmModelReader *model, const char *key, int most, int *n);
extern double *crm_model_all_numbers(const CrmModelReader *model, const char *key, int most,
									 int *n);
extern Jsonb *crm_model_find(const char *model, const char *family, const char *function);
extern _Noreturn void crm_model_error(const CrmModelReader *model, const char *key);

#endif
