/*
 * compat.h: the differences between PostgreSQL 14 and 18, in one place. Every file of src/pg and
 * above includes this first.
 */
#ifndef CRM_PG_COMPAT_H
#define CRM_PG_COMPAT_H

#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#if PG_VERSION_NUM < 140000
#error "crm needs PostgreSQL 14 or later"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* PostgreSQL 15 renamed it. */
#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

#endif
