/*
 * features.h: a source of features becomes columns of numbers and a list of keys.
 *
 * NULL and the names of crm.source stand for the RFM features of a source's orders: monetary (the
 * sum), frequency (orders) and recency (days since the last one). Any other source has customer_id
 * and numeric columns, and each of its rows counts by itself.
 */
#ifndef CRM_PG_FEATURES_H
#define CRM_PG_FEATURES_H

#include "pg/compat.h"

#include "datatype/timestamp.h"

#include "pg/keylist.h"
#include "pg/lastrun.h"
#include "pg/matrix.h"

/* What to do with a row that lacks a feature: NULL, NaN or infinite. */
typedef enum CrmMissing
{
	CRM_MISSING_SKIP,
	CRM_MISSING_MEDIAN,
	CRM_MISSING_ERROR
} CrmMissing;

extern const CrmWords crm_missing_words; /* of CrmMissing */

typedef struct CrmFeaturesRequest
{
	const char *function; /* as in crm.rfm, for errors */
	const char *source;   /* NULL: the default one, of orders */
	Oid key_type;         /* InvalidOid: the default form, bigint */
	TimestampTz as_of;    /* of a source of orders */
	char **names;         /* the features wanted, in their order; NULL: all there are */
	int n_names;
	int max_names;
	const char *weight; /* the column of weights, or NULL */
	CrmMissing missing;
	size_t row_bytes; /* that the method takes for a row, besides its features and key */
} CrmFeaturesRequest;

/* The features, in a memory context of their own. */
typedef struct CrmFeatures
{
	MemoryContext memory;
	CrmCtx ctx;
	const CrmFeaturesRequest *request;
	char **names;         /* of the columns */
	CrmMatrix matrix;     /* finite values once they are prepared */
	CrmKeyList keys;      /* of its rows */
	CrmKeyList unusable;  /* of rows that lack a feature and were skipped */
	size_t n_unusable;    /* them, counted on when the matrix is full */
	bool has_gaps;        /* columns have NaN that prepare is to fill */
	size_t source_bytes;  /* what the source's customers took meanwhile */
	CrmFeature *prepared; /* what crm_features_prepare did */
} CrmFeatures;

extern CrmFeatures *crm_features_read(const CrmFeaturesRequest *request, CrmRun *run);
extern CrmStatus crm_features_prepare(CrmFeatures *features, const CrmFeatureParam *param);
extern size_t crm_features_bytes(const CrmFeatures *features);

#endif
