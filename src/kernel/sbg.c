/*
 * sbg.c: likelihood and predictions of the shifted beta-geometric model; see sbg.h.
 */
#include "kernel/sbg.h"

#include <math.h>

#include "kernel/base/distribution.h"
#include "kernel/base/series.h"
#include "kernel/base/sum.h"

#define SLOTS      4096 /* of the cache, a power of two */
#define MEDIAN_MAX 1e9  /* renewals */

/* What contracts of the same renewals and horizon share: sums over their renewals to come. */
typedef struct Slot
{
	double renewals, horizon; /* renewals is below zero in an empty one */
	double expected;          /* not discounted */
	double discounted;
	double slope[CRM_SBG_PARAMETERS]; /* of discounted, by ln alpha and ln beta */
	double residual;
} Slot;

struct CrmSbgScorer
{
	CrmSbgTerms terms;
	double step; /* of discount a period */
	double z;
	Slot slot[SLOTS];
};

/* Give what is wrong with the data, or NULL. */
const char *
crm_sbg_check(const CrmSbgData *data)
{
	if (data->n < 0 || data->n > CRM_SBG_RENEWALS_MAX)
		return "there must be at most 100000 renewals";
	for (int j = 0; j < data->n; j++)
		if (!(data->renewed[j] >= 0 && isfinite(data->renewed[j]) && data->lost[j] >= 0 &&
			  isfinite(data->lost[j])))
			return "counts must be finite and not below zero";
	return NULL;
}

/*
 * Count n subscribers into renewed and lost, `most` zeroed renewals each: subscriber i made
 * renewals[i] (below most) and, if gone[i] is not 0, was lost at the next one.
 */
void
crm_sbg_count(const double *renewals, const double *gone, size_t n, int most, double *renewed,
			  double *lost)
{
	for (size_t i = 0; i < n; i++)
	{
		int made = (int) renewals[i];

		if (made > 0)
			renewed[made - 1]++; /* and all before, below */
		if (gone[i] > 0)
			lost[made]++;
	}
	for (int j = most - 2; j >= 0; j--)
		renewed[j] += renewed[j + 1];
}

/*
 * Give the log-likelihood at a model with alpha, beta > 0, and its derivatives by alpha and beta
 * unless gradient is NULL. At most three logarithms a renewal; sums are compensated.
 */
double
crm_sbg_log_likelihood(const CrmSbgData *data, const CrmSbgModel *model,
					   double gradient[CRM_SBG_PARAMETERS])
{
	CrmSum total = {0}, by_alpha = {0}, by_beta = {0};

	for (int j = 0; j < data->n; j++)
	{
		double met = data->renewed[j] + data->lost[j];
		double stay = model->beta + j;

		if (met > 0)
		{
			crm_sum_add(&total, -met * log(model->alpha + stay));
			crm_sum_add(&by_alpha, -met / (model->alpha + stay));
			crm_sum_add(&by_beta, -met / (model->alpha + stay));
		}
		if (data->renewed[j] > 0)
		{
			crm_sum_add(&total, data->renewed[j] * log(stay));
			crm_sum_add(&by_beta, data->renewed[j] / stay);
		}
		if (data->lost[j] > 0)
		{
			crm_sum_add(&total, data->lost[j] * log(model->alpha));
			crm_sum_add(&by_alpha, data->lost[j] / model->alpha);
		}
	}
	if (gradient != NULL)
	{
		gradient[0] = crm_sum_value(by_alpha);
		gradient[1] = crm_sum_value(by_beta);
	}
	return crm_sum_value(total);
}

/* Give the chance to renew at a renewal, 1 being the first, of a customer who met it. */
double
crm_sbg_retention(const CrmSbgModel *model, double renewal)
{
	double stay = model->beta + renewal - 1.0;

	return stay / (model->alpha + stay);
}

/* Give the chance that a customer who renewed `from` times renews so many times more. */
double
crm_sbg_survival(const CrmSbgModel *model, double from, double renewals)
{
	double stay = model->beta + from;

	return exp(crm_log_falling(stay, model->alpha, renewals));
}

/*
 * Give the expected number of the next horizon renewals that a customer who renewed `from` times
 * makes, each weighed by e^(-discount k), k = 1 being the next one. The horizon may be infinite;
 * then the result is infinite where the sum does not converge (discount 0 and alpha <= 1).
 */
double
crm_sbg_renewals(const CrmSbgModel *model, double from, double horizon, double discount)
{
	double stay = model->beta + from;

	return crm_ratio_series(stay, model->alpha + stay, exp(-discount), horizon);
}

/* Give the share of renewals met that were lost; NaN where none was met. */
static double
lost_share(const CrmSbgData *data, double *met)
{
	double lost = 0.0;

	*met = 0.0;
	for (int j = 0; j < data->n; j++)
	{
		*met += data->renewed[j] + data->lost[j];
		lost += data->lost[j];
	}
	return lost / *met;
}

/* What the search asks: - log L for each renewal met, by the logarithms of alpha and beta. */
static double
loss(void *data, const double *theta, double *gradient)
{
	CrmSbgModel model = {.alpha = exp(theta[0]), .beta = exp(theta[1])};
	double slope[CRM_SBG_PARAMETERS], met;
	double value = crm_sbg_log_likelihood(data, &model, slope);

	(void) lost_share(data, &met);
	if (gradient != NULL)
	{
		gradient[0] = -slope[0] * model.alpha / met;
		gradient[1] = -slope[1] * model.beta / met;
	}
	return -value / met;
}

/*
 * Estimate alpha and beta from data that crm_sbg_check has passed. CRM_OK with a fit, whose total
 * is the number of renewals met, or what crm_likelihood_fit says; CRM_DOMAIN where nobody met one.
 */
CrmStatus
crm_sbg_fit(CrmCtx *ctx, const CrmSbgData *data, double penalty, CrmFit *fit)
{
	double met, lost = lost_share(data, &met), rate = fmin(fmax(lost, 0.001), 0.999);
	CrmStatus status;
	/* from the churn seen: a mix of very unlike customers, of unlike ones, of like ones */
	static const double size[] = {0.5, 2.0, 20.0};
	CrmLikelihood likelihood = {.n = CRM_SBG_PARAMETERS,
								.n_candidates = 3,
								.n_starts = 3,
								.penalty = penalty,
								.total = met,
								.loss = loss,
								.user = (void *) data};

	if (!(met > 0))
		return CRM_DOMAIN;
	for (int k = 0; k < CRM_SBG_PARAMETERS; k++)
	{
		likelihood.lower[k] = log(CRM_SBG_PARAMETER_MIN);
		likelihood.upper[k] = log(CRM_SBG_PARAMETER_MAX);
	}
	for (int i = 0; i < 3; i++)
	{
		likelihood.candidates[CRM_SBG_PARAMETERS * i] = log(size[i] * rate);
		likelihood.candidates[CRM_SBG_PARAMETERS * i + 1] = log(size[i] * (1.0 - rate));
	}
	status = crm_likelihood_fit(ctx, &likelihood, fit);
	/* where all or none were lost nothing but a penalty holds the search back from the bounds */
	if (status == CRM_OK && !(penalty > 0.0) && (lost <= 0.0 || lost >= 1.0) &&
		fit->status == CRM_FIT_CONVERGED)
		fit->status = CRM_FIT_AT_BOUND;
	return status;
}

/*
 * Give the least number of further renewals that a customer who renewed `from` times makes all of
 * with a chance of one half at most: at the last of them, or before, half of such customers are
 * lost. At least 1; infinite beyond MEDIAN_MAX; NaN for a model that is not known.
 */
double
crm_sbg_median(const CrmSbgModel *model, double from)
{
	double low = 0.0, high = 1.0;

	if (isnan(model->alpha))
		return NAN;
	while (crm_sbg_survival(model, from, high) > 0.5)
	{
		low = high;
		high *= 2.0;
		if (high > MEDIAN_MAX)
			return INFINITY;
	}
	while (high - low > 1.5)
	{
		double middle = floor(0.5 * (low + high));

		if (crm_sbg_survival(model, from, middle) > 0.5)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/*
 * Estimate as crm_sbg_fit, or, where too few contracts met a renewal for that, give the one churn
 * that they have seen: status CRM_FIT_INSUFFICIENT, n 0, and parameters of a mix without spread,
 * NaN where nobody met a renewal.
 */
CrmStatus
crm_sbg_estimate(CrmCtx *ctx, const CrmSbgData *data, double penalty, CrmFit *fit)
{
	double met, rate = lost_share(data, &met);

	if (data->n > 0 && data->renewed[0] + data->lost[0] >= CRM_SBG_CONTRACTS_MIN)
		return crm_sbg_fit(ctx, data, penalty, fit);
	*fit = (CrmFit){.status = CRM_FIT_INSUFFICIENT, .total = met};
	fit->parameter[0] = met > 0.0 ? CRM_SBG_PARAMETER_MAX * rate : NAN;
	fit->parameter[1] = met > 0.0 ? CRM_SBG_PARAMETER_MAX * (1.0 - rate) : NAN;
	fit->covariance[0] = NAN;
	fit->log_likelihood = fit->aic = fit->bic = fit->gradient_norm = NAN;
	return CRM_OK;
}

/* Fill a slot: sums over the renewals of the horizon, and the one without end. */
static void
fill_slot(const CrmSbgScorer *scorer, double renewals, double horizon, Slot *slot)
{
	const CrmSbgModel *model = &scorer->terms.model;
	double b = model->beta + renewals, c = model->alpha + b, z = exp(-scorer->step);
	double term = 1.0, by_alpha = 0.0, by_beta = 0.0;

	*slot = (Slot){.renewals = renewals, .horizon = horizon};
	slot->expected = crm_sbg_renewals(model, renewals, horizon, 0.0);
	slot->residual = crm_sbg_renewals(model, renewals, INFINITY, scorer->step);
	for (double k = 0.0; k < horizon; k++)
	{
		term *= z * ((b + k) / (c + k));
		by_alpha -= model->alpha / (c + k);
		by_beta += model->beta * (model->alpha / ((b + k) * (c + k)));
		slot->discounted += term;
		slot->slope[0] += term * by_alpha;
		slot->slope[1] += term * by_beta;
		if (term < 1e-300)
			break;
	}
}

/* Give the slot of contracts that made so many renewals and have so many in the horizon. */
static const Slot *
find_slot(CrmSbgScorer *scorer, double renewals, double horizon)
{
	Slot *slot = scorer->slot + (((uint64_t) renewals * 31 + (uint64_t) horizon) & (SLOTS - 1));

	if (!(slot->renewals >= renewals && slot->renewals <= renewals && slot->horizon >= horizon &&
		  slot->horizon <= horizon))
		fill_slot(scorer, renewals, horizon, slot);
	return slot;
}

/*
 * Begin to value contracts. The caller owns the scorer and gives it back by crm_sbg_end. CRM_LIMIT
 * and CRM_NO_MEMORY as crm_allocate.
 */
CrmStatus
crm_sbg_begin(CrmCtx *ctx, const CrmSbgTerms *terms, CrmSbgScorer **scorer)
{
	*scorer = crm_allocate(ctx, 1, sizeof(CrmSbgScorer));
	if (*scorer == NULL)
		return ctx->failure;
	(*scorer)->terms = *terms;
	(*scorer)->step = terms->discount * terms->years;
	(*scorer)->z = crm_normal_quantile(0.5 + 0.5 * terms->level);
	for (int i = 0; i < SLOTS; i++)
		(*scorer)->slot[i].renewals = -1.0;
	return CRM_OK;
}

/* Add a contract that runs to its customer's value. Horizons up to CRM_SBG_RENEWALS_MAX. */
void
crm_sbg_add(CrmSbgScorer *scorer, const CrmSbgContract *contract, CrmSbgValue *value)
{
	const CrmSbgTerms *terms = &scorer->terms;
	const Slot *slot = find_slot(scorer, contract->renewals, contract->horizon);
	/* the sums discount the next renewal by a whole period, not by the wait */
	double paid =
		terms->margin * contract->value * exp(scorer->step - terms->discount * contract->wait);

	value->contracts++;
	value->retention += crm_sbg_retention(&terms->model, contract->renewals + 1.0);
	value->renewals += slot->expected;
	value->value += contract->value;
	value->clv += paid * slot->discounted;
	value->slope[0] += paid * slot->slope[0];
	value->slope[1] += paid * slot->slope[1];
	if (paid > 0.0)
		value->residual += paid * slot->residual;
}

/* Set the mean retention and the interval of a customer whose contracts have all been added. */
void
crm_sbg_finish(const CrmSbgScorer *scorer, CrmSbgValue *value)
{
	const double *s = scorer->terms.covariance, *slope = value->slope;
	double variance = slope[0] * slope[0] * s[0] + slope[0] * slope[1] * (s[1] + s[2]) +
					  slope[1] * slope[1] * s[3];
	double factor;

	if (value->contracts > 0.0)
		value->retention /= value->contracts;
	value->low = value->high = value->clv;
	if (value->clv > 0.0)
	{
		factor = exp(scorer->z * sqrt(variance) / value->clv);
		value->low = isfinite(factor) ? value->clv / factor : NAN;
		value->high = isfinite(factor) ? value->clv * factor : NAN;
	}
}

/* Give back what crm_sbg_begin gave. */
void
crm_sbg_end(CrmCtx *ctx, CrmSbgScorer *scorer)
{
	crm_release(ctx, scorer, 1, sizeof(CrmSbgScorer));
}
