/*
 * module.h: the settings that other files read.
 */
#ifndef CRM_PG_MODULE_H
#define CRM_PG_MODULE_H

extern const char *crm_agent(void);

#endif
