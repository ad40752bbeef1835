/*
 * module.c: what happens when the library is loaded: its settings.
 */
#include "pg/compat.h"

#include "utils/guc.h"

#include "pg/module.h"
#include "pg/orders.h"

PG_MODULE_MAGIC;

void _PG_init(void);

static const struct config_enum_entry roads[] = {{"auto", CRM_ROAD_AUTO, false},
												 {"hash", CRM_ROAD_HASH, false},
												 {"group", CRM_ROAD_GROUP, false},
												 {NULL, 0, false}};

static char *agent; /* crm.agent */

/* Give crm.agent: who acts, as the application knows it; NULL or empty when that was not said. */
const char *
crm_agent(void)
{
	return agent;
}

/* Define the extension's settings; called by the server once a session. */
void
_PG_init(void)
{
	DefineCustomEnumVariable("crm.road",
							 "How orders become customers: by a hash table here, by GROUP BY where "
							 "the rows are, or as suits the source.",
							 "Results are the same. \"auto\" takes GROUP BY for foreign and "
							 "distributed sources.",
							 &crm_road, CRM_ROAD_AUTO, roads, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable(
		"crm.agent", "Who acts for the firm in this session, as the application knows it.",
		"Logged with each interaction.", &agent, "", PGC_USERSET, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("crm");
}
