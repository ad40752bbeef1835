/*
 * snapshots_words.c: features of customers in words that a person reads, with their values.
 */
#include "pg/snapshots.h"

#include <math.h>

/* Append a number as a person would write it: whole from 10 on, else to two digits. */
static void
put_number(StringInfo words, double value)
{
	if (fabs(value) >= 9.95 && fabs(value) < 1e9)
		appendStringInfo(words, "%d", (int) rint(value));
	else
		appendStringInfo(words, "%.2g", value);
}

/* Append a number of days. */
static void
put_days(StringInfo words, const char *before, double days)
{
	appendStringInfoString(words, before);
	put_number(words, days);
	appendStringInfoString(words, " days");
}

/* Append how long a customer has been silent, and the customer's usual gap, NaN for none. */
void
crm_snapshots_silence_words(StringInfo words, double silence, double mean_gap)
{
	put_days(words, "silent for ", silence);
	if (mean_gap > 0)
		put_days(words, ", usual gap ", mean_gap);
	else
		appendStringInfoString(words, ", came once");
}

/* Append how often a customer comes. */
void
crm_snapshots_rhythm_words(StringInfo words, const CrmRhythm *rhythm)
{
	if (rhythm->visits > 1)
		put_days(words, "comes every ", rhythm->mean_gap);
	else
		appendStringInfoString(words, "came once");
}

/* Append how many orders a customer has had in how many days. */
void
crm_snapshots_orders_words(StringInfo words, const CrmRhythm *rhythm)
{
	put_number(words, (double) rhythm->orders);
	appendStringInfoString(words, rhythm->orders == 1 ? " order" : " orders");
	put_days(words, " in ",
			 rhythm->silence + ((double) rhythm->last - (double) rhythm->first) / CRM_SNAPSHOT_DAY);
}

/* Append a count: what it counts, in how many days unless that is 0, how many, and how many are
 * usual. */
static void
put_count(StringInfo words, const char *what, double days, double count, double usual)
{
	appendStringInfoString(words, what);
	if (days > 0)
		put_days(words, " in the last ", days);
	appendStringInfoString(words, ": ");
	put_number(words, count);
	appendStringInfoString(words, ", usual ");
	put_number(words, usual);
}

/* Append a feature of orders. */
static void
put_order_feature(const CrmSnapshots *snapshots, int feature, double value, double usual,
				  const double *features, StringInfo words)
{
	double days = (double) snapshots->span / CRM_SNAPSHOT_DAY;

	switch ((CrmSnapshotFeature) feature)
	{
		case CRM_SNAPSHOT_SILENCE:
			crm_snapshots_silence_words(words, value, expm1(features[CRM_SNAPSHOT_MEAN_GAP]));
			break;
		case CRM_SNAPSHOT_ORDERS:
			put_count(words, "orders so far", 0, value, usual);
			break;
		case CRM_SNAPSHOT_RECENT:
			put_count(words, "orders", days, value, usual);
			break;
		case CRM_SNAPSHOT_EARLIER:
			put_days(words, "orders in the ", days);
			put_days(words, " before the last ", days);
			put_count(words, "", 0, value, usual);
			break;
		case CRM_SNAPSHOT_TENURE:
			put_days(words, "first order ", value);
			appendStringInfoString(words, " ago");
			break;
		case CRM_SNAPSHOT_ONE_VISIT:
			appendStringInfoString(words, value > 0 ? "came once" : "came more than once");
			break;
		case CRM_SNAPSHOT_MEAN_GAP:
			put_days(words, "usual gap ", value);
			put_days(words, ", of all customers ", snapshots->usual_gap);
			break;
		case CRM_SNAPSHOT_GAP_SPREAD:
			put_days(words, "gaps vary by ", value * expm1(features[CRM_SNAPSHOT_MEAN_GAP]));
			put_days(words, " around ", expm1(features[CRM_SNAPSHOT_MEAN_GAP]));
			break;
		case CRM_SNAPSHOT_SILENCE_RATIO:
			appendStringInfoString(words, "silent for ");
			put_number(words, value);
			appendStringInfoString(words, " times the usual gap");
			break;
		case CRM_SNAPSHOT_MEAN_VALUE:
			put_count(words, "mean order", 0, value, usual);
			break;
		default:
			appendStringInfo(words, "later orders %s%d %% than earlier ones",
							 value < 0 ? "smaller by " : "larger by ",
							 (int) rint(100 * fmin(fabs(2 * value / (1 - value)), 1e6)));
			break;
	}
}

/*
 * Append what a feature says of a customer: "silent for 96 days, usual gap 21 days". features[d]
 * are the customer's, mean is that of all customers, in the same units.
 */
void
crm_snapshots_words(const CrmSnapshots *snapshots, int feature, const double *features, double mean,
					StringInfo words)
{
	static const char *const table_words[][2] = {
		{"contacts_last_horizon", "contacts"},
		{"tickets_last_horizon", "tickets"},
		{"campaign_responses_last_horizon", "responses to campaigns"},
		{"opt_outs", "opt-outs from campaigns"},
		{"survey_answers", "survey answers"}};
	const char *name = crm_snapshots_name(snapshots, feature);
	bool is_log = crm_snapshots_is_log(snapshots, feature);
	double value = is_log ? expm1(features[feature]) : features[feature];
	double usual = is_log ? expm1(mean) : mean;

	if (feature < CRM_SNAPSHOT_FEATURES)
	{
		put_order_feature(snapshots, feature, value, usual, features, words);
		return;
	}
	for (int i = 0; i < lengthof(table_words) && is_log; i++)
		if (strcmp(name, table_words[i][0]) == 0)
		{
			bool is_recent =
				snapshots->extra[feature - CRM_SNAPSHOT_FEATURES].use == CRM_SNAPSHOT_COUNT_RECENT;

			put_count(words, table_words[i][1],
					  is_recent ? (double) snapshots->span / CRM_SNAPSHOT_DAY : 0, value, usual);
			return;
		}
	put_count(words, name, 0, value, usual);
}
