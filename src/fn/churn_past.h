/*
 * churn_past.h: the methods of churn fitted to what was known at a moment, and the customers of
 * that moment scored by them: what crm.churn says as of then, and what its backtest holds against
 * what came true.
 */
#ifndef CRM_FN_CHURN_PAST_H
#define CRM_FN_CHURN_PAST_H

#include "pg/compat.h"

#include "kernel/churn.h"
#include "pg/args.h"
#include "pg/snapshots.h"

#define CRM_CHURN_AUTO (CRM_CHURN_BASE + 1) /* a method to be chosen */

/* What fits and scores work with; it lives as long as the snapshots. */
typedef struct CrmChurnPast
{
	CrmSnapshots *snapshots;
	uint64 seed;
	double horizon;   /* days */
	double *features; /* of a customer: d of the snapshots */
	CrmPeriod day;
} CrmChurnPast;

/* Customers at a cut: probabilities, and labels of 0 or 1. */
typedef struct CrmChurnScored
{
	double *p, *label; /* room for as many as the snapshots have customers */
	size_t n;
} CrmChurnScored;

/* How the methods did where one was chosen. */
typedef struct CrmChurnChoice
{
	size_t n;                       /* customers who were looked at; 0: the history is too short */
	double loss[CRM_CHURN_METHODS]; /* log-loss; NaN of a method that does not apply */
} CrmChurnChoice;

extern void crm_churn_past_begin(CrmChurnPast *past, CrmSnapshots *snapshots, uint64 seed);
extern void crm_churn_past_room(CrmChurnPast *past, CrmChurnScored *scored);
extern void crm_churn_past_release(CrmChurnPast *past, CrmChurnScored *scored);
extern int crm_churn_past_fit(CrmChurnPast *past, CrmChurnMethod method, TimestampTz until,
							  CrmChurnModel *model);
extern void crm_churn_past_score(CrmChurnPast *past, const CrmChurnModel *model, TimestampTz cut,
								 CrmChurnScored *scored);
extern bool crm_churn_past_customer(CrmChurnPast *past, CrmChurnMethod method, uint32 i,
									TimestampTz cut, const CrmRhythm *rhythm,
									CrmChurnCustomer *customer);
extern CrmChurnMethod crm_churn_past_choose(CrmChurnPast *past, TimestampTz until,
											CrmChurnChoice *choice);

#endif
