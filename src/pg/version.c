/*
 * version.c: is the loaded library the one that the extension's SQL was made for? After an upgrade
 * of the package and before ALTER EXTENSION the two differ, and a function might write columns that
 * are not there.
 */
#include "pg/compat.h"

#include "pg/version.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

/* Raise an error when the installed version of extension crm is not this library's. */
void
crm_version_check(void)
{
	Relation extensions = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	char *installed = NULL;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("crm"));
	scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool null;
		Datum version =
			heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(extensions), &null);

		installed = null ? NULL : TextDatumGetCString(version);
	}
	systable_endscan(scan);
	table_close(extensions, AccessShareLock);
	if (installed != NULL && strcmp(installed, CRM_VERSION) != 0)
		ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the crm library is of version %s, the extension in this database of %s",
					   CRM_VERSION, installed),
				errhint("Run ALTER EXTENSION crm UPDATE, or reconnect if that was just done."));
}
