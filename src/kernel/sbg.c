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

	return exp(lgamma(stay + renewals) - lgamma(stay) + lgamma(model->alpha + stay) -
			   lgamma(model->alpha + stay + renewals));
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

/* What the search asks: log L of the data at alpha and beta. */
static double
ask_likelihood(void *data, const double *theta, double *gradient)
{
	CrmSbgModel model = {.alpha = theta[0], .beta = theta[1]};

	return crm_sbg_log_likelihood(data, &model, gradient);
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

/*
 * Estimate alpha and beta from data that crm_sbg_check has passed. CRM_OK with an estimate, or
 * what crm_estimate says; CRM_DOMAIN where nobody met a renewal.
 */
CrmStatus
crm_sbg_fit(CrmCtx *ctx, const CrmSbgData *data, double penalty, CrmEstimate *estimate)
{
	double met, rate = lost_share(data, &met);
	/* three mixes with the churn seen: of very unlike customers, of unlike ones, of like ones */
	double starts[] = {0.5 * rate, 0.5 * (1.0 - rate), 2.0 * rate,
					   2.0 * (1.0 - rate), 20.0 * rate, 20.0 * (1.0 - rate)};
	CrmEstimateParam param = {.n = CRM_SBG_PARAMETERS,
							  .rows = met,
							  .penalty = penalty,
							  .starts = starts,
							  .n_starts = 3};

	return crm_estimate(ctx, ask_likelihood, (void *) data, &param, estimate);
}
