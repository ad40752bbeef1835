/*
 * backtest.c: unit tests of the measures of predictions, by hand and by properties.
 */
#include "host.h"
#include "kernel/backtest.h"

int
main(void)
{
	static const double predicted[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	static const double actual[] = {0, 0, 1, 0, 0, 2, 0, 3, 3, 1, 3, 9};
	static const double same[12] = {0};
	double reversed[2][12];
	uint8_t group[12];
	CrmBacktest result, other;
	Host host;
	CrmCtx *ctx = host_begin(&host);

	ok(crm_backtest(ctx, predicted, actual, 12, &result) == CRM_OK, "measured");
	/* errors 1 2 2 4 5 4 7 5 6 9 8 3: sum 56, squares 330 */
	is_close(result.mae, 56.0 / 12, 1e-15, "mean absolute error");
	is_close(result.bias, 56.0 / 12, 1e-15, "bias");
	is_close(result.rmse, sqrt(330.0 / 12), 1e-15, "root mean square error");
	is_near(result.predicted, 78, 0, "predicted in all");
	is_near(result.actual, 22, 0, "actual in all");
	/* by scipy.stats.spearmanr 1.17 */
	is_close(result.rank_correlation, 0.7796080829244761, 1e-12, "rank correlation with ties");
	/* the two largest actual: 12, and one of 8, 9 and 11; the two largest predicted: 11 and 12 */
	is_close(result.top_found, (1.0 + 1.0 / 3) / 2, 1e-15, "top found, a tie at the edge");
	for (int i = 0; i < 12; i++)
	{
		reversed[0][i] = predicted[11 - i];
		reversed[1][i] = actual[11 - i];
	}
	ok(crm_backtest(ctx, reversed[0], reversed[1], 12, &other) == CRM_OK &&
		   memcmp(&result, &other, sizeof result) == 0,
	   "the order of rows does not matter");
	ok(crm_backtest(ctx, same, actual, 12, &result) == CRM_OK && isnan(result.rank_correlation),
	   "equal predictions have no rank correlation");
	is_close(result.top_found, 1.0 / 6, 1e-15, "and find the top by chance");
	ok(crm_backtest(ctx, actual, actual, 12, &result) == CRM_OK && result.mae == 0, "no error");
	is_close(result.rank_correlation, 1, 1e-15, "is a correlation of one");
	ok(crm_backtest(ctx, predicted, actual, 1, &result) == CRM_OK && result.mae == 1, "one row");
	is_close(crm_backtest_covered(same, predicted, actual, 12), 1.0, 0, "all within");
	is_close(crm_backtest_covered(predicted, predicted + 1, actual, 11), 0.0, 0, "none");
	is_close(crm_backtest_covered(actual, actual, actual, 12), 1.0, 0, "ends are within");
	is_close(crm_backtest_covered(same, same, actual, 12), 5.0 / 12, 1e-15, "five of twelve");
	ok(crm_backtest_groups(ctx, reversed[0], 12, 5, group) == CRM_OK && group[0] == 5 &&
		   group[11] == 1 && group[6] == 3,
	   "groups");
	ok(host_is_balanced(&host) && host.held == 0, "memory is given back");
	for (size_t fail = 1; fail <= 3; fail++)
	{
		host.tap.allocations = 0;
		host.tap.fail_at = fail;
		ok(crm_backtest(ctx, predicted, actual, 12, &result) == CRM_NO_MEMORY && host.held == 0,
		   "allocation %zu fails", fail);
	}
	host_drop(&host);
	return tap_done();
}
