/*
 * snapshots.h: a source of orders, read once, becomes what was known of each customer at any cut up
 * to as_of, and whether they churned in the horizon after it.
 *
 * A customer is eligible at a cut with an order at or before it. The label is 1 when none of the
 * customer's orders lies in (cut, cut + horizon]; it is known where cut + horizon <= as_of. The
 * horizon counts as the time from as_of - horizon to as_of, the same for each cut.
 *
 * The features are those of base/snapshot.h, then, where they are wanted, counts of the tables that
 * crm.setup() made (contacts, tickets, responses to campaigns in the horizon up to the cut,
 * opt-outs and survey answers), or the caller's own: a query with customer_id, observed_at and
 * numbers, of which the latest at or before the cut counts (NaN where there is none). With a label
 * query (customer_id, churned_at), the label is a churned_at in (cut, cut + horizon], and who had
 * churned by the cut is not eligible.
 *
 * Rows come in the order of the customers' keys, the cuts of a customer as they were given: nothing
 * depends on the order in which the source gave its rows. Memory: 16 bytes an order, 36 while it is
 * read, and what a key takes.
 */
#ifndef CRM_PG_SNAPSHOTS_H
#define CRM_PG_SNAPSHOTS_H

#include "pg/compat.h"

#include "lib/stringinfo.h"
#include "utils/timestamp.h"

#include "kernel/base/snapshot.h"
#include "pg/lastrun.h"
#include "pg/period.h"
#include "pg/points.h"

#define CRM_SNAPSHOT_MOST_FEATURES 1000

typedef struct CrmSnapshotsRequest
{
	const char *function; /* as in crm.churn, for errors */
	const char *source;   /* of orders; NULL: the default one */
	Oid key_type;         /* of the form that was called; InvalidOid: bigint */
	TimestampTz as_of;    /* later rows are skipped and counted */
	const Interval *horizon;
	/*
	 * NULL: those of the orders, and of the CRM's tables when source is NULL; 'orders', 'crm': the
	 * orders alone, or with the CRM's tables; else a query
	 */
	const char *features;
	const char *label;     /* a query, or NULL */
	bool are_current;      /* the features' rows need no observed_at: all cuts will be as_of */
	bool without_features; /* a rhythm is all that is asked for */
} CrmSnapshotsRequest;

/* How a feature of a series of points is made at a cut. */
typedef enum CrmSnapshotUse
{
	CRM_SNAPSHOT_COUNT_RECENT, /* ln(1 + points in the span up to the cut) */
	CRM_SNAPSHOT_COUNT_EVER,   /* ln(1 + points up to the cut) */
	CRM_SNAPSHOT_LATEST        /* the value of the latest point; NaN without one */
} CrmSnapshotUse;

typedef struct CrmSnapshotExtra
{
	char *name;
	CrmSnapshotUse use;
	CrmSeries series;
} CrmSnapshotExtra;

/* In a memory context of its own. */
typedef struct CrmSnapshots
{
	MemoryContext memory;
	CrmCtx ctx;
	CrmSnapshotsRequest request;
	CrmPointOwners owners; /* customers by their keys; some have refunds alone */
	CrmSeries orders;
	uint32 *in_order; /* n: the customers with an order that is no refund, by their keys */
	uint32 n;
	TimestampTz first;       /* of all orders; as_of without one */
	int64 span;              /* of the horizon, microseconds */
	int d;                   /* features, those of orders first */
	CrmSnapshotExtra *extra; /* d - CRM_SNAPSHOT_FEATURES */
	bool has_label;
	CrmSeries churned;  /* with a label query */
	size_t most_orders; /* of a customer, refunds included */
	double usual_gap;   /* of all customers up to as_of, days: all gaps over their number; the
						   horizon without one */
	char *has_not;      /* tables of the CRM that are of no use, and why; NULL: none */
} CrmSnapshots;

/* The features of several cuts, stacked. */
typedef struct CrmSnapshotRows
{
	size_t n;
	int d;
	double **columns; /* d of n */
	double *label;    /* n: 0 or 1, NaN where it is not known yet */
	uint32 *customer; /* n: place in in_order */
	int *cut;         /* n: which of the cuts */
} CrmSnapshotRows;

extern CrmSnapshots *crm_snapshots_read(const CrmSnapshotsRequest *request, CrmRun *run);
extern void *crm_snapshots_allocate(CrmSnapshots *snapshots, size_t n, size_t size);
extern void crm_snapshots_check(CrmSnapshots *snapshots, CrmStatus status);
extern const char *crm_snapshots_name(const CrmSnapshots *snapshots, int feature);
extern int crm_snapshots_find(const CrmSnapshots *snapshots, const char *name);
extern bool crm_snapshots_is_log(const CrmSnapshots *snapshots, int feature);
extern CrmHistory crm_snapshots_history(const CrmSnapshots *snapshots, uint32 i);
extern bool crm_snapshots_is_eligible(const CrmSnapshots *snapshots, uint32 i, TimestampTz cut);
extern double crm_snapshots_label(const CrmSnapshots *snapshots, uint32 i, TimestampTz cut);
extern bool crm_snapshots_features(const CrmSnapshots *snapshots, uint32 i, TimestampTz cut,
								   double *features);
extern void crm_snapshots_stack(CrmSnapshots *snapshots, const TimestampTz *cuts, int n_cuts,
								double share, uint64 seed, CrmSnapshotRows *rows);
extern void crm_snapshots_release(CrmSnapshots *snapshots, CrmSnapshotRows *rows);
extern int crm_snapshots_past_cuts(const CrmSnapshots *snapshots, TimestampTz until, int most,
								   TimestampTz *cuts);
extern Datum crm_snapshots_key(const CrmSnapshots *snapshots, uint32 i);
extern void crm_snapshots_need(const CrmSnapshots *snapshots, int horizons, const char *what);
extern bool crm_snapshots_transactions(const CrmSnapshots *snapshots, uint32 i, TimestampTz cut,
									   CrmPeriod *day, double *x, double *t_x, double *t);

/* snapshots_extra.c */
extern void crm_snapshots_extras(CrmSnapshots *snapshots);

/* snapshots_words.c */
extern void crm_snapshots_silence_words(StringInfo words, double silence, double mean_gap);
extern void crm_snapshots_rhythm_words(StringInfo words, const CrmRhythm *rhythm);
extern void crm_snapshots_orders_words(StringInfo words, const CrmRhythm *rhythm);
extern void crm_snapshots_words(const CrmSnapshots *snapshots, int feature, const double *features,
								double mean, StringInfo words);

#endif
