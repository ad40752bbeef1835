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

/* The sequence of an identity column, or InvalidOid; PostgreSQL 17 asks for the relation itself. */
#if PG_VERSION_NUM >= 170000
#define crm_identity_sequence(table, column) getIdentitySequence(table, column, true)
#else
#define crm_identity_sequence(table, column)                                                       \
	getIdentitySequence(RelationGetRelid(table), column, true)
#endif

/* What an index keeps from one insert to the next, since PostgreSQL 17. */
#if PG_VERSION_NUM >= 170000
#define crm_index_insert_cleanup(index, info) index_insert_cleanup(index, info)
#else
#define crm_index_insert_cleanup(index, info) ((void) (index), (void) (info))
#endif

/* PostgreSQL 15 renamed it. */
#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

#endif
