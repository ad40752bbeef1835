/*
 * design.h: a source's columns, some of them named by the caller, become the columns of a
 * regression: covariates that are numbers or booleans, after what the method makes of other columns
 * of the row.
 *
 * A row whose covariates are not all finite numbers is skipped and counted.
 */
#ifndef CRM_PG_DESIGN_H
#define CRM_PG_DESIGN_H

#include "pg/compat.h"

#include "executor/spi.h"

#include "pg/lastrun.h"
#include "pg/matrix.h"
#include "pg/source.h"

/*
 * Takes the leading columns of a row; fills `made`, one number a column that the method makes of
 * them. False: the row is not used, and has been counted.
 */
typedef bool (*CrmDesignTake)(const Datum *values, const bool *nulls, CrmRowCount *rows,
							  double *made, void *arg);

/* A column that take sees: an expression over q, or the name of a column to be read as float8. */
typedef struct CrmDesignLead
{
	const char *text;
	bool is_number;
	const char *what; /* for errors, when it is a number: "label" */
} CrmDesignLead;

typedef struct CrmDesignRequest
{
	const char *source; /* not NULL where sources of the contract have no names */
	const CrmContract *contract;
	const CrmDesignLead *lead; /* at least one */
	int n_lead;
	int n_made;   /* numbers that take makes of them, below CRM_DESIGN_MADE */
	char **names; /* of the covariates; NULL: every number and boolean that is not excluded */
	int n_names;  /* may be 0 with names */
	const char **exclude; /* columns that are no covariates */
	int n_exclude;
	int max_names;
	CrmDesignTake take;
	void *arg;
	size_t row_bytes; /* that the method takes for a row besides its columns */
} CrmDesignRequest;

#define CRM_DESIGN_MADE 8

/* The columns, in a memory context of their own. */
typedef struct CrmDesign
{
	MemoryContext memory;
	CrmCtx ctx;
	char **names;
	int d;            /* covariates: the first columns of the matrix; those made follow */
	CrmMatrix matrix; /* is_full: more rows than memory */
} CrmDesign;

extern CrmDesign *crm_design_read(const CrmDesignRequest *request, CrmRun *run);
extern void crm_design_check_memory(const CrmDesign *design, const char *what);

#endif
