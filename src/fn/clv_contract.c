/*
 * clv_contract.c: crm.clv_contract, the lifetime value of customers under contract, and
 * crm.clv_contract_fit, the shifted beta-geometric model behind it.
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kernel/clv.h"
#include "kernel/sbg.h"
#include "pg/args.h"
#include "pg/contracts.h"
#include "pg/model.h"
#include "pg/results.h"

#define MODEL_VERSION 1
#define YEAR_MICROS   (DAYS_PER_YEAR * (double) USECS_PER_DAY)

/* In the order of CrmFitStatus. */
static const char *const status_list[] = {"converged", "at_bound", "not_converged",
										  "insufficient_data"};
static const CrmWords status_words = {"status", "values of status", status_list,
									  lengthof(status_list)};

/* What both reports are made of. */
typedef struct Work
{
	CrmContractsRequest request;
	CrmRun run;
	CrmContracts *contracts;
	CrmFit fit;
} Work;

/* Read the options that both reports share. */
static void
begin_work(Work *work, FunctionCallInfo fcinfo, const char *function, int as_of, int period)
{
	CrmContractsRequest *request = &work->request;

	memset(work, 0, sizeof(Work));
	work->run = crm_run_begin(function);
	request->function = function;
	request->source = crm_arg_source_required(fcinfo, &request->key_type);
	crm_arg_require(fcinfo, as_of, "as_of");
	request->as_of = PG_GETARG_TIMESTAMPTZ(as_of);
	if (TIMESTAMP_NOT_FINITE(request->as_of))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"as_of\" must be finite"));
	crm_arg_require(fcinfo, period, "period");
	request->period = PG_GETARG_INTERVAL_P(period);
	crm_contracts_check_period(request->period);
}

/* Count the renewals of all contracts and estimate the model. */
static void
fit_model(Work *work, double penalty)
{
	CrmContracts *contracts = work->contracts;
	CrmCtx *ctx = &contracts->ctx;
	size_t n = contracts->n;
	int most = 1;
	double *renewals = crm_allocate(ctx, 2 * n, sizeof(double));
	double *counts;
	CrmSbgData data;

	if (renewals == NULL)
		crm_contracts_check(contracts, ctx->failure);
	for (size_t i = 0; i < n; i++)
	{
		renewals[i] = contracts->row[i].renewals;
		renewals[n + i] = !TIMESTAMP_IS_NOEND(contracts->row[i].end);
		most = Max(most, contracts->row[i].renewals + 1);
	}
	counts = crm_allocate(ctx, 2 * (size_t) most, sizeof(double));
	if (counts == NULL)
		crm_contracts_check(contracts, ctx->failure);
	memset(counts, 0, 2 * (size_t) most * sizeof(double));
	data = (CrmSbgData){.n = most, .renewed = counts, .lost = counts + most};
	crm_sbg_count(renewals, renewals + n, n, most, counts, counts + most);
	crm_release(ctx, renewals, 2 * n, sizeof(double));
	crm_contracts_check(contracts, crm_sbg_estimate(ctx, &data, penalty, &work->fit));
	crm_release(ctx, counts, 2 * (size_t) most, sizeof(double));
	if (work->fit.status == CRM_FIT_AT_BOUND) /* what the curvature says there is no uncertainty */
		work->fit.covariance[0] = NAN;
}

/* Close the account and free the memory. */
static void
end_work(Work *work)
{
	work->run.peak_memory = work->run.total_memory = (int64) work->contracts->ctx.peak;
	crm_run_end(&work->run);
	MemoryContextDelete(work->contracts->memory);
}

/* Write a float8, or NULL when it is not finite. */
static void
put_finite(Datum *values, bool *nulls, int i, double value)
{
	values[i] = Float8GetDatum(value);
	nulls[i] = !isfinite(value);
}

/* Write a moment, or NULL when it is not finite. */
static void
put_moment(Datum *values, bool *nulls, int i, TimestampTz moment)
{
	values[i] = TimestampTzGetDatum(moment);
	nulls[i] = TIMESTAMP_NOT_FINITE(moment);
}

/* ---- a model as jsonb -------------------------------------------------------------------- */

/* Give the seconds of a period that are not months. */
static double
period_seconds(const Interval *period)
{
	return (period->day * (double) USECS_PER_DAY + period->time) / USECS_PER_SEC;
}

/* Give the model as jsonb, for crm.model and the argument fitted. */
static Datum
make_json(const Work *work)
{
	static const double nothing[4] = {0};
	const CrmFit *fit = &work->fit;
	bool known = isfinite(fit->covariance[0]);
	StringInfoData json;

	initStringInfo(&json);
	crm_model_put(&json, "model", "\"clv_contract\"");
	crm_model_put(&json, "version", "%d", MODEL_VERSION);
	crm_model_put(&json, "period_months", "%d", work->request.period->month);
	crm_model_put_number(&json, "period_seconds", period_seconds(work->request.period));
	crm_model_put_numbers(&json, "parameters", fit->parameter, CRM_SBG_PARAMETERS);
	crm_model_put_numbers(&json, "covariance", known ? fit->covariance : nothing, 4);
	crm_model_put(&json, "covariance_known", "%d", known);
	crm_model_put(&json, "status", "\"%s\"", crm_fit_status_word(fit->status));
	crm_model_put(&json, "contracts", "%zu", work->contracts->n);
	return crm_model_finish(&json);
}

/* Read a model that make_json has made; an error for another kind, another period, nonsense. */
static void
read_json(Jsonb *json, Work *work)
{
	CrmModelReader reader = {.json = json, .function = "crm.clv_contract_fit"};
	const Interval *period = work->request.period;
	CrmFit *fit = &work->fit;
	double seconds;

	crm_model_expect(&reader, "clv_contract", MODEL_VERSION);
	crm_model_numbers(&reader, "parameters", fit->parameter, CRM_SBG_PARAMETERS);
	crm_model_numbers(&reader, "covariance", fit->covariance, 4);
	if (crm_model_int(&reader, "covariance_known", 0, 1) == 0)
		fit->covariance[0] = NAN;
	fit->status = (CrmFitStatus) crm_model_word(&reader, "status", &status_words);
	for (int i = 0; i < CRM_SBG_PARAMETERS; i++)
		if (!(fit->parameter[i] > 0.0 && fit->parameter[i] <= 2.0 * CRM_SBG_PARAMETER_MAX))
			crm_model_error(&reader, "parameters");
	seconds = crm_model_number(&reader, "period_seconds");
	if (crm_model_int(&reader, "period_months", 0, PG_INT32_MAX) != period->month ||
		fabs(seconds - period_seconds(period)) > 1e-6)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the fitted model counts time in another period than \"period\""),
				errhint("Give the period that crm.clv_contract_fit was given."));
}

/* ---- crm.clv_contract -------------------------------------------------------------------- */

enum
{
	ARG_SOURCE, /* or the key, and the source last */
	ARG_AS_OF,
	ARG_HORIZON,
	ARG_PERIOD,
	ARG_VALUE,
	ARG_DISCOUNT_RATE,
	ARG_MARGIN,
	ARG_LEVEL,
	ARG_FITTED
};

/* Read the horizon; give its end. */
static TimestampTz
read_horizon(FunctionCallInfo fcinfo, int i, const CrmContractsRequest *request)
{
	TimestampTz end;

	crm_arg_require(fcinfo, i, "horizon");
	end = DatumGetTimestampTz(DirectFunctionCall2(
		timestamptz_pl_interval, TimestampTzGetDatum(request->as_of), PG_GETARG_DATUM(i)));
	if (TIMESTAMP_NOT_FINITE(end) || end <= request->as_of)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("argument \"horizon\" must be above zero"),
				errdetail("Got %s.",
						  DatumGetCString(DirectFunctionCall1(interval_out, PG_GETARG_DATUM(i)))));
	if (crm_contracts_count(request->period, request->as_of, end, false) + 1 > CRM_SBG_RENEWALS_MAX)
		ereport(
			ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("argument \"horizon\" must be at most %d periods", CRM_SBG_RENEWALS_MAX - 1));
	return end;
}

/* Give the word for how far the value of a customer under contract may be trusted. */
static const char *
value_status(const CrmFit *fit)
{
	if (fit->status == CRM_FIT_CONVERGED)
		return "ok";
	if (fit->status == CRM_FIT_INSUFFICIENT && isfinite(fit->parameter[0]))
		return "fallback";
	return crm_fit_status_word(fit->status);
}

/* Write the row of a customer. */
static void
put_customer(const CrmResult *result, const Work *work, CrmSbgScorer *scorer, TimestampTz horizon,
			 uint32 customer)
{
	const CrmContracts *contracts = work->contracts;
	const CrmContractsRequest *request = &work->request;
	CrmSbgModel model = {work->fit.parameter[0], work->fit.parameter[1]};
	size_t first = contracts->first[customer], end = contracts->first[customer + 1];
	CrmSbgValue value = {0};
	TimestampTz next = DT_NOEND, leaves = DT_NOBEGIN;
	int32 made = 0, made_before = 0;
	Datum values[15];
	bool nulls[15] = {false};

	for (size_t i = first; i < end; i++)
	{
		const CrmContractRow *row = &contracts->row[i];
		TimestampTz due;
		double median;

		if (!TIMESTAMP_IS_NOEND(row->end))
		{
			made_before = Max(made_before, row->renewals);
			leaves = Max(leaves, row->end);
			continue;
		}
		made = Max(made, row->renewals);
		due = crm_contracts_due(request->period, row->start, (int64) row->renewals + 1);
		next = Min(next, due);
		crm_sbg_add(
			scorer,
			&(CrmSbgContract){row->renewals,
							  crm_contracts_count(request->period, row->start, horizon, false) -
								  row->renewals,
							  (double) (due - request->as_of) / YEAR_MICROS, row->value},
			&value);
		median = crm_sbg_median(&model, row->renewals);
		leaves = isfinite(median) ? Max(leaves, crm_contracts_due(request->period, row->start,
																  row->renewals + (int64) median))
								  : DT_NOEND;
	}
	crm_sbg_finish(scorer, &value);
	values[0] = crm_contracts_key(contracts, customer);
	values[1] = Int64GetDatum(end - first);
	values[2] = TimestampTzGetDatum(contracts->row[first].start);
	values[3] = Int64GetDatum(value.contracts > 0.0 ? made : made_before);
	values[4] = BoolGetDatum(value.contracts > 0.0);
	put_moment(values, nulls, 5, next);
	put_finite(values, nulls, 6, value.retention);
	put_finite(values, nulls, 7, value.renewals);
	values[8] = Float8GetDatum(value.value);
	put_finite(values, nulls, 9, value.clv);
	put_finite(values, nulls, 10, value.residual);
	put_finite(values, nulls, 11, value.low);
	put_finite(values, nulls, 12, value.high);
	put_moment(values, nulls, 13, leaves);
	values[14] = CStringGetTextDatum(value.contracts > 0.0 ? value_status(&work->fit) : "ended");
	crm_result_row(result, values, nulls);
	pfree(DatumGetPointer(values[14]));
}

/* Read the options of crm.clv_contract; give the model that was named, or NULL. */
static char *
read_options(FunctionCallInfo fcinfo, Work *work, CrmSbgTerms *terms)
{
	terms->discount =
		log1p(crm_arg_double(fcinfo, ARG_DISCOUNT_RATE, "discount_rate", 0.0, 1000.0));
	terms->years = crm_contracts_period_years(work->request.period);
	terms->margin = crm_arg_double(fcinfo, ARG_MARGIN, "margin", 0.0, 1e9);
	terms->level = crm_arg_double(fcinfo, ARG_LEVEL, "level", 0.001, 0.999);
	work->request.value =
		PG_ARGISNULL(ARG_VALUE) ? NAN : crm_arg_double(fcinfo, ARG_VALUE, "value", 0.0, 1e15);
	return crm_arg_text(fcinfo, ARG_FITTED);
}

PG_FUNCTION_INFO_V1(crm_clv_contract_1_0);
/* crm.clv_contract([key,] source, ...): a row a customer; see doc/clv_contract.md */
Datum
crm_clv_contract_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 15);
	CrmSbgScorer *scorer;
	CrmSbgTerms terms;
	TimestampTz horizon;
	char *fitted;
	Work work;

	begin_work(&work, fcinfo, "crm.clv_contract", ARG_AS_OF, ARG_PERIOD);
	horizon = read_horizon(fcinfo, ARG_HORIZON, &work.request);
	fitted = read_options(fcinfo, &work, &terms);
	if (fitted != NULL)
		read_json(crm_model_find(fitted, "clv_contract", "crm.clv_contract_fit"), &work);
	work.contracts = crm_contracts_read(&work.request, &work.run);
	if (fitted == NULL)
		fit_model(&work, 0.0);
	if (!work.contracts->has_value)
		ereport(NOTICE, errmsg("crm.clv_contract counts values in payments"),
				errhint("Give the source a column \"amount\", what a period pays, or the argument "
						"\"value\"."));
	if (work.fit.status == CRM_FIT_NOT_CONVERGED)
		ereport(WARNING, errmsg("the model \"sbg\" did not converge"),
				errhint("See crm.clv_contract_fit(...); a longer history may help."));
	terms.model = (CrmSbgModel){work.fit.parameter[0], work.fit.parameter[1]};
	memcpy(terms.covariance, work.fit.covariance, sizeof(terms.covariance));
	crm_contracts_check(work.contracts, crm_sbg_begin(&work.contracts->ctx, &terms, &scorer));
	for (uint32 i = 0; i < work.contracts->customers.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_customer(&result, &work, scorer, horizon, work.contracts->order[i]);
	}
	end_work(&work);
	PG_RETURN_NULL();
}

/* ---- crm.clv_contract_fit ---------------------------------------------------------------- */

enum
{
	FIT_SOURCE, /* or the key, and the source last */
	FIT_AS_OF,
	FIT_PERIOD,
	FIT_LEVEL,
	FIT_PENALTY
};

/* Write the parameters as five arrays: name, estimate, error, low, high; empty without a fit. */
static void
put_parameters(const CrmFit *fit, double level, Datum *values)
{
	static const char *const names[] = {"alpha", "beta"};
	Datum column[5][CRM_SBG_PARAMETERS];
	double z = crm_clv_z(level);

	for (int i = 0; i < fit->n; i++)
	{
		double factor = exp(z * fit->error[i] / fit->parameter[i]);

		column[0][i] = CStringGetTextDatum(names[i]);
		column[1][i] = Float8GetDatum(fit->parameter[i]);
		column[2][i] = Float8GetDatum(fit->error[i]);
		column[3][i] = Float8GetDatum(fit->parameter[i] / factor);
		column[4][i] = Float8GetDatum(fit->parameter[i] * factor);
	}
	values[1] =
		PointerGetDatum(construct_array(column[0], fit->n, TEXTOID, -1, false, TYPALIGN_INT));
	for (int c = 1; c < 5; c++)
		values[1 + c] = PointerGetDatum(construct_array(
			column[c], fit->n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* Say in a sentence how the fit went. */
static const char *
fit_message(const CrmFit *fit)
{
	switch (fit->status)
	{
		case CRM_FIT_CONVERGED:
			return "converged";
		case CRM_FIT_AT_BOUND:
			return "a parameter stands at the bound of its search: all contracts seem to have the "
				   "same chance to end, or none ended, or each ended at its first renewal";
		case CRM_FIT_NOT_CONVERGED:
			return "the best point found; its gradient is not yet flat";
		default:
			return isfinite(fit->parameter[0])
					   ? "fewer than 3 contracts met a renewal; crm.clv_contract uses the share of "
						 "renewals made"
					   : "no contract met a renewal: none has lasted for a period";
	}
}

PG_FUNCTION_INFO_V1(crm_clv_contract_fit_1_0);
/* crm.clv_contract_fit([key,] source, ...): one row; see doc/clv_contract.md */
Datum
crm_clv_contract_fit_1_0(PG_FUNCTION_ARGS)
{
	CrmResult result = crm_result_begin(fcinfo, 18);
	const CrmFit *fit;
	double level, penalty;
	Datum values[18];
	bool nulls[18] = {false};
	Work work;

	begin_work(&work, fcinfo, "crm.clv_contract_fit", FIT_AS_OF, FIT_PERIOD);
	work.request.value = 1.0; /* what contracts pay is no matter */
	level = crm_arg_double(fcinfo, FIT_LEVEL, "level", 0.001, 0.999);
	penalty = crm_arg_double(fcinfo, FIT_PENALTY, "penalty", 0.0, 1e6);
	work.contracts = crm_contracts_read(&work.request, &work.run);
	fit_model(&work, penalty);
	fit = &work.fit;
	values[0] = CStringGetTextDatum("sbg");
	put_parameters(fit, level, values);
	put_finite(values, nulls, 6, fit->log_likelihood);
	put_finite(values, nulls, 7, fit->aic);
	put_finite(values, nulls, 8, fit->bic);
	values[9] = Int64GetDatum(work.run.rows.read);
	values[10] = Int64GetDatum(work.run.rows.used);
	values[11] = Int64GetDatum(work.run.rows.read - work.run.rows.used);
	values[12] = Int32GetDatum(fit->iterations);
	put_finite(values, nulls, 13, fit->gradient_norm);
	values[14] = BoolGetDatum(fit->status == CRM_FIT_CONVERGED || fit->status == CRM_FIT_AT_BOUND);
	values[15] = CStringGetTextDatum(crm_fit_status_word(fit->status));
	values[16] = CStringGetTextDatum(fit_message(fit));
	nulls[17] = !isfinite(fit->parameter[0]);
	values[17] = nulls[17] ? (Datum) 0 : make_json(&work);
	crm_result_row(&result, values, nulls);
	end_work(&work);
	PG_RETURN_NULL();
}
