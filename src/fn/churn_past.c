/*
 * churn_past.c: fits and scores as of a moment; see churn_past.h. It is the part that crm.churn's
 * reports share, and defines no SQL function.
 */
#include "fn/churn_past.h"

#include <math.h>

#define MOST_CUTS 4      /* of the past, that a fit learns from */
#define MOST_ROWS 200000 /* of customers at cuts, about, that the regression learns from */

/* Begin to look at the past of the snapshots. */
void
crm_churn_past_begin(CrmChurnPast *past, CrmSnapshots *snapshots, uint64 seed)
{
	const Interval day = {.day = 1};

	*past = (CrmChurnPast){.snapshots = snapshots,
						   .seed = seed,
						   .horizon = (double) snapshots->span / CRM_SNAPSHOT_DAY};
	past->features = crm_snapshots_allocate(snapshots, snapshots->d, sizeof(double));
	crm_period_begin(&past->day, &day, session_timezone);
}

/* Make room for scores. */
void
crm_churn_past_room(CrmChurnPast *past, CrmChurnScored *scored)
{
	*scored = (CrmChurnScored){.n = 0};
	scored->p = crm_snapshots_allocate(past->snapshots, past->snapshots->n, sizeof(double));
	scored->label = crm_snapshots_allocate(past->snapshots, past->snapshots->n, sizeof(double));
}

/* Give the room back. */
void
crm_churn_past_release(CrmChurnPast *past, CrmChurnScored *scored)
{
	crm_release(&past->snapshots->ctx, scored->label, past->snapshots->n, sizeof(double));
	crm_release(&past->snapshots->ctx, scored->p, past->snapshots->n, sizeof(double));
}

/* Fit the model of orders to customers at a cut. */
static void
fit_alive(CrmChurnPast *past, TimestampTz cut, CrmChurnModel *model)
{
	CrmSnapshots *snapshots = past->snapshots;
	CrmCtx *ctx = &snapshots->ctx;
	double *column[3];
	CrmBtydData data;
	size_t n = 0;

	for (int c = 0; c < 3; c++)
		column[c] = crm_snapshots_allocate(snapshots, snapshots->n, sizeof(double));
	for (uint32 i = 0; i < snapshots->n; i++)
	{
		if (i % 16384 == 0)
			CHECK_FOR_INTERRUPTS();
		n += crm_snapshots_transactions(snapshots, i, cut, &past->day, &column[0][n], &column[1][n],
										&column[2][n]);
	}
	data = (CrmBtydData){.x = column[0], .t_x = column[1], .t = column[2], .n = n};
	crm_snapshots_check(snapshots, crm_churn_fit_alive(ctx, &data, past->seed, model));
	for (int c = 3; c-- > 0;)
		crm_release(ctx, column[c], snapshots->n, sizeof(double));
}

/* Count silences of customers at cuts. */
static void
fit_gap(CrmChurnPast *past, const TimestampTz *cuts, int n_cuts, CrmChurnModel *model)
{
	const CrmSnapshots *snapshots = past->snapshots;

	crm_churn_gap_begin(&model->gap, past->horizon);
	for (uint32 i = 0; i < snapshots->n; i++)
	{
		CrmHistory history = crm_snapshots_history(snapshots, i);
		CrmRhythm rhythm;

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		for (int c = 0; c < n_cuts && crm_snapshot_rhythm(&history, cuts[c], &rhythm); c++)
			if (!snapshots->has_label || crm_snapshots_is_eligible(snapshots, i, cuts[c]))
				crm_churn_gap_add(&model->gap, rhythm.silence, rhythm.mean_gap,
								  crm_snapshots_label(snapshots, i, cuts[c]) > 0.5);
	}
	crm_churn_take_gap(model);
}

/* Fit the regression to features at cuts. */
static void
fit_logistic(CrmChurnPast *past, const TimestampTz *cuts, int n_cuts, CrmChurnModel *model)
{
	CrmSnapshots *snapshots = past->snapshots;
	double most = (double) snapshots->n * n_cuts;
	CrmSnapshotRows stack;
	CrmChurnRows rows;

	crm_snapshots_stack(snapshots, cuts, n_cuts, most > MOST_ROWS ? MOST_ROWS / most : 1.0,
						past->seed, &stack);
	rows =
		(CrmChurnRows){.columns = stack.columns, .label = stack.label, .n = stack.n, .d = stack.d};
	crm_snapshots_check(snapshots, crm_churn_fit_logistic(&snapshots->ctx, &rows, model));
	crm_snapshots_release(snapshots, &stack);
}

/*
 * Fit a method to what was known at a moment: orders by then, and the cuts whose horizon had passed
 * by then. Gives how many cuts there are to learn from, 0 where the method needs none.
 */
int
crm_churn_past_fit(CrmChurnPast *past, CrmChurnMethod method, TimestampTz until,
				   CrmChurnModel *model)
{
	TimestampTz cuts[MOST_CUTS];
	int n = crm_snapshots_past_cuts(past->snapshots, until, MOST_CUTS, cuts);

	*model = (CrmChurnModel){.horizon = past->horizon};
	switch (method)
	{
		case CRM_CHURN_ALIVE:
			fit_alive(past, until, model);
			return 0;
		case CRM_CHURN_GAP:
			fit_gap(past, cuts, n, model);
			break;
		case CRM_CHURN_LOGISTIC:
			fit_logistic(past, cuts, n, model);
			break;
		case CRM_CHURN_BASE:
			fit_gap(past, cuts, n, model);
			model->method = CRM_CHURN_BASE; /* which fit_gap has counted, too */
			break;
	}
	return n;
}

/*
 * Find what a method needs of customer i at a cut, whose rhythm is known; false: not eligible then.
 * The features are those of past until the next customer.
 */
bool
crm_churn_past_customer(CrmChurnPast *past, CrmChurnMethod method, uint32 i, TimestampTz cut,
						const CrmRhythm *rhythm, CrmChurnCustomer *customer)
{
	const CrmSnapshots *snapshots = past->snapshots;

	if (snapshots->has_label && !crm_snapshots_is_eligible(snapshots, i, cut))
		return false;
	*customer = (CrmChurnCustomer){.silence = rhythm->silence,
								   .mean_gap = rhythm->mean_gap,
								   .features = past->features,
								   .orders = {.mean = NAN, .mean_each = 1.0}};
	if (method == CRM_CHURN_ALIVE)
		(void) crm_snapshots_transactions(snapshots, i, cut, &past->day, &customer->orders.x,
										  &customer->orders.t_x, &customer->orders.t);
	if (method == CRM_CHURN_LOGISTIC)
		(void) crm_snapshots_features(snapshots, i, cut, past->features);
	return true;
}

/* Score the customers who are eligible at a cut, beside what came true. */
void
crm_churn_past_score(CrmChurnPast *past, const CrmChurnModel *model, TimestampTz cut,
					 CrmChurnScored *scored)
{
	CrmSnapshots *snapshots = past->snapshots;
	CrmChurnScorer scorer;

	crm_snapshots_check(snapshots, crm_churn_begin(&snapshots->ctx, model, &scorer));
	scored->n = 0;
	for (uint32 i = 0; i < snapshots->n; i++)
	{
		CrmHistory history = crm_snapshots_history(snapshots, i);
		CrmChurnCustomer customer;
		CrmRhythm rhythm;
		CrmChurnScore score;

		CHECK_FOR_INTERRUPTS();
		if (!crm_snapshot_rhythm(&history, cut, &rhythm) ||
			!crm_churn_past_customer(past, model->method, i, cut, &rhythm, &customer))
			continue;
		crm_churn_score(&scorer, &customer, &score);
		scored->p[scored->n] = score.p;
		scored->label[scored->n++] = crm_snapshots_label(snapshots, i, cut);
	}
	crm_churn_end(&snapshots->ctx, &scorer);
}

/*
 * Choose the method of the least log-loss at the latest cut whose horizon had passed at a moment,
 * each fitted to what was known at that cut; the silence where the history is too short for that.
 */
CrmChurnMethod
crm_churn_past_choose(CrmChurnPast *past, TimestampTz until, CrmChurnChoice *choice)
{
	CrmChurnMethod chosen = CRM_CHURN_GAP;
	CrmChurnScored scored;
	double best = INFINITY;
	TimestampTz cuts[2];

	*choice = (CrmChurnChoice){.n = 0};
	if (crm_snapshots_past_cuts(past->snapshots, until, 2, cuts) < 2)
		return chosen;
	crm_churn_past_room(past, &scored);
	for (int m = 0; m < CRM_CHURN_METHODS; m++)
	{
		CrmChurnModel model;

		choice->loss[m] = NAN;
		if (m == CRM_CHURN_ALIVE && past->snapshots->has_label)
			continue;
		(void) crm_churn_past_fit(past, (CrmChurnMethod) m, cuts[0], &model);
		crm_churn_past_score(past, &model, cuts[0], &scored);
		crm_churn_free(&past->snapshots->ctx, &model);
		choice->n = scored.n;
		choice->loss[m] = crm_churn_log_loss(scored.p, scored.label, scored.n);
		if (choice->loss[m] < best)
		{
			best = choice->loss[m];
			chosen = (CrmChurnMethod) m;
		}
	}
	crm_churn_past_release(past, &scored);
	return chosen;
}
