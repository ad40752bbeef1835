/*
 * sbg.c: likelihood and predictions of the shifted beta-geometric model; see sbg.h.
 */
#include "kernel/sbg.h"

#include <math.h>

#include "kernel/base/series.h"
#include "kernel/base/sum.h"

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

/* Give the share of renewals met that were lost, away from 0 and 1; NaN where none was met. */
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
	return fmin(fmax(lost / *met, 0.001), 0.999);
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
	double met, rate = lost_share(data, &met);
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
	return crm_likelihood_fit(ctx, &likelihood, fit);
}
