/*
 * lastrun.h: the account of an analytic's run, which crm.last_run() shows.
 */
#ifndef CRM_PG_LASTRUN_H
#define CRM_PG_LASTRUN_H

#include "pg/compat.h"

#include "datatype/timestamp.h"
#include "portability/instr_time.h"

#include "kernel/base/customers.h"

typedef struct CrmRun
{
	char function[NAMEDATALEN];
	const char *road;  /* a constant, or NULL */
	const char *key;   /* that a row must have, a constant; NULL: "customer_id" */
	const char *value; /* what a row must have, in words and a constant; NULL: "time or amount" */
	CrmRowCount rows;
	double milliseconds;
	int64 customers; /* rows that it made of them */
	int workers;
	int64 peak_memory;  /* bytes, the most that one process held */
	int64 total_memory; /* bytes, the peaks of all processes together */
	TimestampTz finished_at;
	instr_time started; /* while it runs */
} CrmRun;

extern CrmRun crm_run_begin(const char *function);
extern void crm_run_end(CrmRun *run);
extern const CrmRun *crm_run_last(void);

#endif
