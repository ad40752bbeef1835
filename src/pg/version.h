/*
 * version.h: is the loaded library the one that the extension's SQL was made for?
 */
#ifndef CRM_PG_VERSION_H
#define CRM_PG_VERSION_H

extern void crm_version_check(void);

#endif
