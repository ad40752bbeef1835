/*
 * scoring.h: probabilities of a yes held against what came true: whether they tell the yeses from
 * the others, whether they are right as numbers, and what is gained by acting on the highest.
 *
 *     AUC        P(p of a yes > p of a no) + P(equal) / 2, over all pairs, by sorting; Mann and
 *                Whitney's U over n1 n0 [Hanley and McNeil 1982,
 *                doi 10.1148/radiology.143.1.7063747]
 *     its error  sqrt(S10 / n1 + S01 / n0), S the sample variances of the share of noes below each
 *                yes and of yeses above each no [DeLong, DeLong and Clarke-Pearson 1988,
 *                doi 10.2307/2531595; by ranks as Sun and Xu 2014, doi 10.1109/LSP.2014.2337313]
 *     log-loss   mean of -log p of the yeses and -log(1 - p) of the noes, p kept within
 *                [CRM_SCORING_CLIP, 1 - CRM_SCORING_CLIP], so that one certain error costs 36
 *     Brier      mean (p - y)^2 [Brier 1950, doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2]
 *     calibration  logit P(y = 1) = intercept + slope logit p, by maximum likelihood, p kept within
 *                the same bounds [Cox 1958, doi 10.1093/biomet/45.3-4.562]: 0 and 1 are right, a
 *                slope below 1 tells of predictions that are too extreme. Where all p are equal,
 *                the intercept with the slope held at 1
 *     precision at t  share of yeses among those with p >= t; recall: of the yeses, those there
 *     gains      the rows by falling p in groups g = 1 to G, each from rank ceil((g - 1) n / G) to
 *                before ceil(g n / G); lift: share of yeses in a group over that in all. Rows with
 *                equal p that straddle an edge are in by the share of them that fits, so that a
 *                group may hold a fraction of a yes
 *
 * Sums are compensated (base/sum.h), ties are shared, and the calibration is fitted over distinct
 * probabilities, so the order of rows does not matter. What is undefined is NaN: AUC, calibration
 * and recall of one class alone, precision of no row, an error with fewer than two rows of a class,
 * calibration where the probabilities separate the classes. Not handled: probabilities that are not
 * in [0, 1], labels other than 0 and 1, weights, 2^32 rows and more (CRM_DOMAIN).
 */
#ifndef CRM_KERNEL_SCORING_H
#define CRM_KERNEL_SCORING_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/base/context.h"

#define CRM_SCORING_CLIP 0x1p-52 /* the step of doubles at 1, as scikit-learn's log_loss has it */

typedef struct CrmScoring
{
	size_t n, yes;
	double base_rate; /* yes / n */
	double auc, auc_error;
	double log_loss, brier;
	double slope, intercept;
	double top_lift; /* of the first of ten groups */
} CrmScoring;

typedef struct CrmScoringGain
{
	size_t rows;
	double yes;            /* may be a fraction */
	double mean_predicted; /* NaN in a group without rows, as are the next two */
	double rate;           /* yes / rows */
	double lift;
	double total_share; /* of all yeses, those in this group and before it */
	double total_lift;  /* of this group and those before it together */
} CrmScoringGain;

extern size_t crm_scoring_bytes(size_t n);
extern CrmStatus crm_scoring(CrmCtx *ctx, const double *p, const double *label, size_t n,
							 CrmScoring *result);
extern CrmStatus crm_scoring_threshold(CrmCtx *ctx, const double *p, const double *label, size_t n,
									   double threshold, double *precision, double *recall);
extern CrmStatus crm_scoring_gains(CrmCtx *ctx, const double *p, const double *label, size_t n,
								   int groups, CrmScoringGain *gain);

#endif
