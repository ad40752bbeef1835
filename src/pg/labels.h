/*
 * labels.h: words for groups of customers, by rules over their profile.
 *
 * A profile is three z-scores of a group's means against all customers: of value (what they
 * bring), activity (how often they come) and recency (how long they have been away). Which feature
 * plays which role is told by its name. Rules are boxes in this space, ordered: the first that
 * holds the profile gives the label, and the last holds everything.
 */
#ifndef CRM_PG_LABELS_H
#define CRM_PG_LABELS_H

#include "pg/compat.h"

typedef enum CrmRole
{
	CRM_ROLE_VALUE,
	CRM_ROLE_ACTIVITY,
	CRM_ROLE_RECENCY,
	CRM_ROLES
} CrmRole;

/* Holds z where low <= z < high in each role; infinite where there is no bound. */
typedef struct CrmLabelRule
{
	text *label;
	double low[CRM_ROLES], high[CRM_ROLES];
} CrmLabelRule;

typedef struct CrmLabelRules
{
	int n;
	CrmLabelRule *rule;
} CrmLabelRules;

extern void crm_labels_default(CrmLabelRules *rules);
extern void crm_labels_read(CrmLabelRules *rules, const char *source, const char *see);
extern text *crm_labels_find(const CrmLabelRules *rules, const double *z);
extern void crm_labels_roles(char **names, int n, int *role);

#endif
