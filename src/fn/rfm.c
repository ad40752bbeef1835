/*
 * rfm.c: crm.rfm, crm.rfm_thresholds, crm.rfm_segments, crm.rfm_rules and crm.rfm_segment. The
 * three reports share options, orders and scores; they differ in what they write.
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kernel/base/order.h"
#include "kernel/rfm.h"
#include "pg/args.h"
#include "pg/moment.h"
#include "pg/orders.h"
#include "pg/results.h"
#include "pg/source.h"

enum
{
	ARG_SOURCE, /* or the key, and the source last */
	ARG_AS_OF,
	ARG_PERIOD,
	ARG_METHOD,
	ARG_BINS,
	ARG_RECENCY_CUTS,
	ARG_FREQUENCY_CUTS,
	ARG_MONETARY_CUTS,
	ARG_MONETARY,
	ARG_REFUNDS,
	ARG_SEGMENTS
};

enum
{
	RECENCY,
	FREQUENCY,
	MONETARY,
	DIMENSIONS
};

static const char *const dimension_names[] = {"recency", "frequency", "monetary"};
static const char *const method_words[] = {"quantile", "ntile", "cuts"};
static const char *const monetary_words[] = {"sum", "mean"};
static const char *const refund_words[] = {"net", "drop", "error"};
static const CrmWords methods = {"method", "methods", method_words, lengthof(method_words)};
static const CrmWords monetaries = {"monetary", "values of monetary", monetary_words,
									lengthof(monetary_words)};
static const CrmWords refunds = {"refunds", "values of refunds", refund_words,
								 lengthof(refund_words)};

/* Segment rules in the order of their priority. */
typedef struct RuleSet
{
	int n;
	CrmRfmRule *rule;
	text **name;
	int *same_as; /* the first rule with that name */
} RuleSet;

/* A report in the making. Everything it points to lives in orders->memory or the caller's context.
 */
typedef struct Report
{
	CrmRfmMethod method;
	int bins;
	bool mean; /* monetary => 'mean' */
	CrmOrdersRequest request;
	uint64_t cuts[DIMENSIONS][CRM_RFM_MAX_BINS];
	RuleSet rules;
	CrmRun run;
	CrmOrdersState *orders;
	uint8_t *score[DIMENSIONS];
	CrmRfmBin book[DIMENSIONS][CRM_RFM_MAX_BINS];
	uint16_t *cube;
} Report;

/*
 * Give an array of n items room for one more, in the current memory context: doubled at powers of
 * two.
 */
static void *
grow(void *array, int n, Size size)
{
	if ((n & (n - 1)) != 0)
		return array;
	return n == 0 ? palloc(size) : repalloc(array, 2 * n * size);
}

/* Add a rule. */
static void
add_rule(RuleSet *rules, const CrmRfmRule *rule, const char *name)
{
	int i = rules->n++;

	rules->rule = grow(rules->rule, i, sizeof(CrmRfmRule));
	rules->name = grow(rules->name, i, sizeof(text *));
	rules->same_as = grow(rules->same_as, i, sizeof(int));
	rules->rule[i] = *rule;
	rules->name[i] = cstring_to_text(name);
	rules->same_as[i] = i;
	for (int j = i - 1; j >= 0; j--)
		if (VARSIZE(rules->name[j]) == VARSIZE(rules->name[i]) &&
			memcmp(rules->name[j], rules->name[i], VARSIZE(rules->name[i])) == 0)
			rules->same_as[i] = j;
}

/* Take the customary rules, in that number of bins; those that then hold no score are left out. */
static void
default_rules(RuleSet *rules, int bins)
{
	const CrmRfmRule *rule;
	const char *const *name;
	int n = crm_rfm_default_rules(&rule, &name);

	for (int i = 0; i < n; i++)
	{
		CrmRfmRule scaled = crm_rfm_scale_rule(&rule[i], bins);

		if (!crm_rfm_is_empty(&scaled))
			add_rule(rules, &scaled, name[i]);
	}
}

/* What the reader of the user's rules needs. */
typedef struct RuleReader
{
	RuleSet *rules;
	MemoryContext keep;
	int bins;
	int32 last_priority;
} RuleReader;

/* Take one rule of the user's: priority, segment, then low and high of each dimension. */
static void
read_rule(TupleTableSlot *slot, void *arg)
{
	static const char letter[] = "rfm";
	RuleReader *reader = arg;
	MemoryContext caller = MemoryContextSwitchTo(reader->keep);
	int32 priority = DatumGetInt32(slot->tts_values[0]);
	CrmRfmRule rule;
	char *name;

	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
		if (slot->tts_isnull[i])
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("segment rules must not contain a null"),
					errdetail("Rule %d has a null.", reader->rules->n + 1),
					errhint("See SELECT * FROM crm.rfm_rules()."));
	name = TextDatumGetCString(slot->tts_values[1]);
	if (reader->rules->n > 0 && priority == reader->last_priority)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("two segment rules have priority %d", priority),
				errhint("The first rule that fits wins: give each a priority of its own."));
	if (reader->rules->n == CRM_RFM_MAX_RULES)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("more than %d segment rules", CRM_RFM_MAX_RULES));
	reader->last_priority = priority;
	for (int d = 0; d < DIMENSIONS; d++)
	{
		rule.low[d] = DatumGetInt32(slot->tts_values[2 + 2 * d]);
		rule.high[d] = DatumGetInt32(slot->tts_values[3 + 2 * d]);
		if (rule.low[d] < 1 || rule.low[d] > rule.high[d] || rule.high[d] > reader->bins)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("segment rule \"%s\" has %c from %d to %d", name, letter[d], rule.low[d],
						   rule.high[d]),
					errdetail("Scores go from 1 to %d.", reader->bins),
					errhint("See SELECT * FROM crm.rfm_rules(%d).", reader->bins));
	}
	add_rule(reader->rules, &rule, name);
	MemoryContextSwitchTo(caller);
}

/* Read the user's rules from a table, a view or a query. */
static void
read_rules(RuleSet *rules, const char *source, int bins)
{
	RuleReader reader = {.rules = rules, .keep = CurrentMemoryContext, .bins = bins};
	CrmQuery query;

	crm_source_open();
	query = crm_source_prepare(
		psprintf("SELECT q.priority::pg_catalog.int4, q.segment::pg_catalog.text, "
				 "q.r_low::pg_catalog.int4, q.r_high::pg_catalog.int4, "
				 "q.f_low::pg_catalog.int4, q.f_high::pg_catalog.int4, "
				 "q.m_low::pg_catalog.int4, q.m_high::pg_catalog.int4 FROM (%s\n) q ORDER BY 1",
				 crm_source_select(source, &crm_contract_rules)),
		&crm_contract_rules);
	crm_source_run(&query, NULL, false, read_rule, &reader);
	crm_source_close();
	if (rules->n == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"segments\" gives no rule"),
				errhint("See SELECT * FROM crm.rfm_rules(%d).", bins));
}

/* Read the cuts of recency: intervals back from as_of, kept as the keys of the values that are
 * scored. */
static void
read_recency_cuts(FunctionCallInfo fcinfo, int i, Report *report)
{
	Datum *values = crm_arg_array(fcinfo, i, "recency_cuts", report->bins - 1);

	for (int k = 0; k < report->bins - 1; k++)
	{
		TimestampTz moment = DatumGetTimestampTz(DirectFunctionCall2(
			timestamptz_mi_interval, TimestampTzGetDatum(report->request.as_of), values[k]));

		report->cuts[RECENCY][k] = ~crm_order_int64(moment);
		if (k > 0 && report->cuts[RECENCY][k] <= report->cuts[RECENCY][k - 1])
			crm_arg_ascending_error("recency_cuts");
	}
}

/* Read all options; at is the position of the first one. */
static void
read_options(FunctionCallInfo fcinfo, const char *function, Report *report)
{
	CrmOrdersRequest *request = &report->request;
	char *segments;

	request->function = function;
	request->source = crm_arg_source(fcinfo, &request->key_type);
	crm_arg_require(fcinfo, ARG_AS_OF, "as_of");
	request->as_of = PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);
	if (TIMESTAMP_NOT_FINITE(request->as_of))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"as_of\" must be finite"));
	if (!PG_ARGISNULL(ARG_PERIOD))
		request->period = PG_GETARG_INTERVAL_P(ARG_PERIOD);
	report->method = (CrmRfmMethod) crm_arg_word(fcinfo, ARG_METHOD, &methods);
	report->bins = (int) crm_arg_int(fcinfo, ARG_BINS, "bins", CRM_RFM_MIN_BINS, CRM_RFM_MAX_BINS);
	report->mean = crm_arg_word(fcinfo, ARG_MONETARY, &monetaries) == 1;
	request->refunds = (CrmRefunds) crm_arg_word(fcinfo, ARG_REFUNDS, &refunds);
	if (report->method == CRM_RFM_CUTS)
	{
		read_recency_cuts(fcinfo, ARG_RECENCY_CUTS, report);
		crm_arg_cuts(fcinfo, ARG_FREQUENCY_CUTS, "frequency_cuts", report->bins,
					 report->cuts[FREQUENCY]);
		crm_arg_cuts(fcinfo, ARG_MONETARY_CUTS, "monetary_cuts", report->bins,
					 report->cuts[MONETARY]);
	}
	else
	{
		crm_arg_refuse(fcinfo, ARG_RECENCY_CUTS, "recency_cuts", "method => 'cuts'");
		crm_arg_refuse(fcinfo, ARG_FREQUENCY_CUTS, "frequency_cuts", "method => 'cuts'");
		crm_arg_refuse(fcinfo, ARG_MONETARY_CUTS, "monetary_cuts", "method => 'cuts'");
	}
	segments = crm_arg_text(fcinfo, ARG_SEGMENTS);
	if (segments == NULL)
		default_rules(&report->rules, report->bins);
	else
		read_rules(&report->rules, segments, report->bins);
}

/* Give the monetary value of a customer, as asked: the sum, or the mean of orders or transactions.
 */
static inline double
monetary_value(const Report *report, const CrmOrders *orders)
{
	return report->mean ? crm_sum_mean(orders->sum, orders->count) : crm_sum_value(orders->sum);
}

/* Lay the rules out as a cube of scores; an error when they leave a hole. */
static void
fill_cube(Report *report)
{
	int bins = report->bins;
	int hole[DIMENSIONS];
	CrmStatus status;

	report->cube =
		crm_orders_allocate(report->orders, (size_t) bins * bins * bins, sizeof(uint16_t));
	status = crm_rfm_cube(&report->orders->ctx, report->rules.rule, report->rules.n, bins,
						  report->cube, hole);
	if (status == CRM_DOMAIN)
		ereport(
			ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("segment rules leave a hole at r = %d, f = %d, m = %d", hole[0], hole[1],
				   hole[2]),
			errhint("End them with a rule that fits everything: 1 to %d in each dimension.", bins));
	crm_orders_check(report->orders, status);
}

/* Fill in the keys of one dimension's values, one a customer. */
static void
fill_values(const Report *report, int dimension, uint64_t *values)
{
	const CrmCustomers *customers = &report->orders->customers;

	for (uint32 i = 0; i < customers->table.n; i++)
	{
		const CrmOrders *orders = crm_customers_orders(customers, i);

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		switch (dimension)
		{
			case RECENCY: /* ascending recency is descending time */
				values[i] = ~crm_order_int64(orders->last);
				break;
			case FREQUENCY:
				values[i] = crm_order_double((double) orders->count);
				break;
			default:
				values[i] = crm_order_double(monetary_value(report, orders));
		}
	}
}

/* Read the options and the orders, and score all customers; the pattern of each report. */
static Report *
make_report(FunctionCallInfo fcinfo, const char *function)
{
	Report *report = palloc0(sizeof(Report));
	uint32 *key_order = NULL;
	uint64_t *values;
	CrmCtx *ctx;
	uint32 n;

	report->run = crm_run_begin(function);
	read_options(fcinfo, function, report);
	report->orders = crm_orders_read(&report->request, &report->run);
	ctx = &report->orders->ctx;
	n = report->orders->customers.table.n;
	fill_cube(report);
	values = crm_orders_allocate(report->orders, n, sizeof(uint64_t));
	if (report->method == CRM_RFM_NTILE)
	{
		key_order = crm_orders_allocate(report->orders, n, sizeof(uint32));
		crm_orders_check(report->orders,
						 crm_key_order(&report->orders->key_type, ctx,
									   &report->orders->customers.table, key_order));
	}
	for (int d = 0; d < DIMENSIONS; d++)
	{
		CrmRfmParam param = {.method = report->method,
							 .bins = report->bins,
							 .small_is_good = d == RECENCY,
							 .cuts = report->cuts[d],
							 .key_order = key_order};

		report->score[d] = crm_orders_allocate(report->orders, n, sizeof(uint8_t));
		fill_values(report, d, values);
		crm_orders_check(report->orders,
						 crm_rfm_score(ctx, &param, values, n, report->score[d], report->book[d]));
	}
	crm_release(ctx, key_order, n, sizeof(uint32));
	crm_release(ctx, values, n, sizeof(uint64_t));
	return report;
}

/* Close the account and free the report's memory. */
static void
end_report(Report *report)
{
	crm_orders_memory(report->orders, &report->run);
	crm_run_end(&report->run);
	MemoryContextDelete(report->orders->memory);
}

/* Make the sentence that says why three scores give a segment. */
static text *
make_reason(const Report *report, int r, int f, int m, int rule)
{
	static const char *const when[] = {"longest ago", "long ago", "a while ago", "recently",
									   "most recently"};
	static const char *const how_often[] = {"least often", "seldom", "now and then", "often",
											"most often"};
	static const char *const how_much[] = {"least", "little", "middling sums", "much", "most"};
	int bins = report->bins;

	return cstring_to_text(
		psprintf("Ordered %s (r %d of %d), %s (f %d) and spent %s (m %d): %s is rule %d.",
				 when[crm_rfm_to_five(r, bins) - 1], r, bins,
				 how_often[crm_rfm_to_five(f, bins) - 1], f, how_much[crm_rfm_to_five(m, bins) - 1],
				 m, text_to_cstring(report->rules.name[rule]), rule + 1));
}

PG_FUNCTION_INFO_V1(crm_rfm_1_0);
/* crm.rfm([key,] ...): a row a customer; see doc/rfm.md */
Datum
crm_rfm_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 11);
	Report *report = make_report(fcinfo, "crm.rfm");
	const CrmCustomers *customers = &report->orders->customers;
	int bins = report->bins;
	text **reasons =
		crm_orders_allocate(report->orders, (size_t) bins * bins * bins, sizeof(text *));
	Datum values[11];
	bool nulls[11] = {false};

	memset(reasons, 0, (size_t) bins * bins * bins * sizeof(text *));
	for (uint32 i = 0; i < customers->table.n; i++)
	{
		const CrmOrders *orders = crm_customers_orders(customers, i);
		int r = report->score[RECENCY][i];
		int f = report->score[FREQUENCY][i];
		int m = report->score[MONETARY][i];
		size_t cell = crm_rfm_cell(bins, r, f, m);
		int rule = report->cube[cell];
		Interval recency = crm_interval_between(report->request.as_of, orders->last);

		CHECK_FOR_INTERRUPTS();
		if (reasons[cell] == NULL)
			reasons[cell] = make_reason(report, r, f, m, rule);
		values[0] = crm_key_to_datum(&report->orders->key_type, &customers->table, i);
		values[1] = TimestampTzGetDatum(orders->last);
		values[2] = IntervalPGetDatum(&recency);
		values[3] = Int64GetDatum(orders->count);
		values[4] = Float8GetDatum(monetary_value(report, orders));
		values[5] = Int32GetDatum(r);
		values[6] = Int32GetDatum(f);
		values[7] = Int32GetDatum(m);
		values[8] = Int32GetDatum(crm_rfm_composite(bins, r, f, m));
		values[9] = PointerGetDatum(report->rules.name[rule]);
		values[10] = PointerGetDatum(reasons[cell]);
		crm_result_row(&result, values, nulls);
	}
	end_report(report);
	PG_RETURN_NULL();
}

/* Give a bound of a dimension in the unit that thresholds show: days, a number, an amount. */
static double
threshold_value(const Report *report, int dimension, uint64_t key)
{
	if (dimension == RECENCY)
		return ((double) report->request.as_of - (double) crm_unorder_int64(~key)) /
			   (double) USECS_PER_DAY;
	return crm_unorder_double(key);
}

/* Say why a score holds nobody; NULL when it holds somebody. */
static char *
empty_note(const Report *report, int dimension, int score)
{
	int step = dimension == RECENCY ? 1 : -1; /* ties go to the side of small values */
	int with = score + step;

	if (report->book[dimension][score - 1].customers > 0)
		return NULL;
	if (report->method == CRM_RFM_CUTS)
		return "no value lies between the cuts";
	if (report->method == CRM_RFM_NTILE)
		return "fewer customers than bins";
	while (with > 1 && with < report->bins && report->book[dimension][with - 1].customers == 0)
		with += step;
	return psprintf("collapsed: equal values share score %d", with);
}

PG_FUNCTION_INFO_V1(crm_rfm_thresholds_1_0);
/* crm.rfm_thresholds([key,] ...): a row a dimension and score; see doc/rfm.md */
Datum
crm_rfm_thresholds_1_0(PG_FUNCTION_ARGS)
{
	static const char *const units[] = {"days", "orders", "amount"};
	CrmResult result = crm_result_begin(fcinfo, 7);
	Report *report = make_report(fcinfo, "crm.rfm_thresholds");

	for (int d = 0; d < DIMENSIONS && report->orders->customers.table.n > 0; d++)
		for (int score = 1; score <= report->bins; score++)
		{
			const CrmRfmBin *book = &report->book[d][score - 1];
			char *note = empty_note(report, d, score);
			Datum values[7];
			bool nulls[7] = {false};

			values[0] = CStringGetTextDatum(dimension_names[d]);
			values[1] = Int32GetDatum(score);
			values[2] = Float8GetDatum(threshold_value(report, d, book->lower));
			values[3] = Float8GetDatum(threshold_value(report, d, book->upper));
			nulls[2] = nulls[3] = book->customers == 0;
			values[4] = CStringGetTextDatum(
				d == FREQUENCY && report->request.period != NULL ? "transactions" : units[d]);
			values[5] = Int64GetDatum(book->customers);
			nulls[6] = note == NULL;
			values[6] = note == NULL ? (Datum) 0 : CStringGetTextDatum(note);
			crm_result_row(&result, values, nulls);
		}
	end_report(report);
	PG_RETURN_NULL();
}

/* Add up the customers of each segment; total gets all of them. */
static CrmRfmSegment *
tally_segments(Report *report, CrmRfmSegment *total)
{
	const CrmCustomers *customers = &report->orders->customers;
	CrmRfmSegment *segments =
		crm_orders_allocate(report->orders, report->rules.n, sizeof(CrmRfmSegment));

	memset(segments, 0, report->rules.n * sizeof(CrmRfmSegment));
	for (uint32 i = 0; i < customers->table.n; i++)
	{
		const CrmOrders *orders = crm_customers_orders(customers, i);
		size_t cell = crm_rfm_cell(report->bins, report->score[RECENCY][i],
								   report->score[FREQUENCY][i], report->score[MONETARY][i]);
		int first = report->rules.same_as[report->cube[cell]];

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		crm_rfm_tally(&segments[first], orders->count, orders->sum,
					  ((double) report->request.as_of - (double) orders->last) / USECS_PER_SEC,
					  monetary_value(report, orders));
	}
	for (int i = 0; i < report->rules.n; i++)
		crm_rfm_tally_merge(total, &segments[i]);
	return segments;
}

PG_FUNCTION_INFO_V1(crm_rfm_segments_1_0);
/* crm.rfm_segments([key,] ...): a row a segment; see doc/rfm.md */
Datum
crm_rfm_segments_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 9);
	Report *report = make_report(fcinfo, "crm.rfm_segments");
	CrmRfmSegment total = {0};
	CrmRfmSegment *segments = tally_segments(report, &total);
	double total_revenue = crm_sum_value(total.revenue);

	for (int i = 0; i < report->rules.n && total.customers > 0; i++)
	{
		const CrmRfmSegment *segment = &segments[i];
		double revenue = crm_sum_value(segment->revenue);
		double seconds =
			segment->customers > 0 ? crm_sum_mean(segment->recency, segment->customers) : 0.0;
		Interval recency = crm_interval_of_seconds(seconds);
		Datum values[9];
		bool nulls[9] = {false};

		if (report->rules.same_as[i] != i)
			continue;
		values[0] = PointerGetDatum(report->rules.name[i]);
		values[1] = Int64GetDatum(segment->customers);
		values[2] = Float8GetDatum((double) segment->customers / (double) total.customers);
		values[3] = Int64GetDatum(segment->orders);
		values[4] = Float8GetDatum(revenue);
		values[5] = Float8GetDatum(revenue / total_revenue);
		nulls[5] = !(fabs(total_revenue) > 0) || isinf(total_revenue);
		values[6] = IntervalPGetDatum(&recency);
		values[7] = Float8GetDatum((double) segment->orders / (double) segment->customers);
		values[8] = Float8GetDatum(crm_sum_mean(segment->monetary, segment->customers));
		nulls[6] = nulls[7] = nulls[8] = segment->customers == 0;
		crm_result_row(&result, values, nulls);
	}
	end_report(report);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(crm_rfm_rules_1_0);
/* crm.rfm_rules(bins): the customary rules, in that number of bins */
Datum
crm_rfm_rules_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 8);
	int bins = (int) crm_arg_int(fcinfo, 0, "bins", CRM_RFM_MIN_BINS, CRM_RFM_MAX_BINS);
	RuleSet rules = {0};

	default_rules(&rules, bins);
	for (int i = 0; i < rules.n; i++)
	{
		Datum values[8];
		bool nulls[8] = {false};

		values[0] = Int32GetDatum(i + 1);
		values[1] = PointerGetDatum(rules.name[i]);
		for (int d = 0; d < DIMENSIONS; d++)
		{
			values[2 + 2 * d] = Int32GetDatum(rules.rule[i].low[d]);
			values[3 + 2 * d] = Int32GetDatum(rules.rule[i].high[d]);
		}
		crm_result_row(&result, values, nulls);
	}
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(crm_rfm_segment_1_0);
/* crm.rfm_segment(r, f, m, bins) -> text: the customary segment of three scores */
Datum
crm_rfm_segment_1_0(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"r", "f", "m"};
	int bins = (int) crm_arg_int(fcinfo, 3, "bins", CRM_RFM_MIN_BINS, CRM_RFM_MAX_BINS);
	int score[DIMENSIONS];

	for (int d = 0; d < DIMENSIONS; d++)
		score[d] = (int) crm_arg_int(fcinfo, d, names[d], 1, bins);
	PG_RETURN_TEXT_P(cstring_to_text(crm_rfm_default_segment(bins, score)));
}
